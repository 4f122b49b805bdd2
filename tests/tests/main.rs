//! Contents page of the integration tests.
//!
//! * [`session`]: stepping, prefill in tiles of any length and the parallel forward agree bit for bit;
//! * [`hostile`]: truncated, flipped and wrong blobs are refused or run, never panic.

mod hostile;
mod session;
