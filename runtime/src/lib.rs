//! Adaptive-depth inference of gated decoder transformers, without `std` and without an allocator.
//!
//! Modules stand in the order in which data meets them: bytes in flash are judged once ([`Blob::parse`]); the validated shape
//! gives the arena plan ([`Plan`]); the caller lends an arena of that size; a [`Session`] runs tokens through the blocks, where
//! each block's router decides which tokens run it; logits go to the [`Sampler`], and the depth of every token to the [`Trace`]. A [`Controller`]
//! chooses how much the next token may cost.
//!
//! ```no_run
//! # use fathom::{Blob, NoProbe, Plan, Sampler, Session};
//! # fn answer(model: &[u8], arena: &mut [u32], prompt: &[u16]) -> Result<u16, Box<dyn core::error::Error>> {
//! let blob = Blob::parse(model)?;                      // bytes in flash, aligned to 16
//! let plan = Plan::new(blob.shape(), 8)?;              // 8 prompt tokens at a time; plan.bytes() of RAM for the arena
//! let mut session = Session::new(&blob, arena, &plan, NoProbe)?;
//! let mut sampler = Sampler::new(1, 0.8, 0);           // seed, temperature, top-k
//! session.prefill(prompt)?;                            // tokens of bytes: blob.encode(byte)
//! let token = sampler.sample(session.logits());        // its bytes: blob.decode(token)
//! session.step(token)?;
//! # Ok(token)
//! # }
//! ```
//!
//! If [`Blob::parse`] returned `Ok`, nothing below it panics, whatever the blob's contents.
#![no_std]
#![deny(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("a blob's sections are little-endian and used in place");

pub mod format;

mod blob;
mod linear;

mod arena;
mod plan;

pub mod kernels;
pub mod math;
mod norm;

pub mod attention;
mod block;
mod routing;

mod forward;
mod probe;
mod session;

mod sampling;
mod trace;

mod controller;

pub use blob::{Blob, BlobError};
pub use controller::Controller;
pub use plan::{Part, Plan, PlanError};
pub use probe::{Depths, NoProbe, Probe};
pub use sampling::Sampler;
pub use session::{Session, StepError};
pub use trace::Trace;

/// Epsilon of every normalisation.
pub const NORM_EPSILON: f32 = 1e-5;
