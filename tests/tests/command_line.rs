//! The programs themselves, run as a user runs them.
//!
//! * [`usage`]: help, usage errors, colours;
//! * [`path`]: from a text to a blob, and what each step prints;
//! * [`simulator`]: what `host-sim run` reports and how its options change it;
//! * [`verdicts`]: what `host-sim compare` and `run --budget` pass and fail;
//! * [`refusals`], [`guest_refusals`]: each bad input gives one line, a non-zero exit and no file;
//! * [`killed`]: a training that was killed ends where an uninterrupted one does;
//! * [`sweep`]: so does a sweep, and each of its runs is measured beside its controls;
//! * [`plot`]: what is drawn of it.

mod guest_refusals;
mod killed;
mod path;
mod plot;
mod refusals;
mod simulator;
mod sweep;
mod usage;
mod verdicts;
