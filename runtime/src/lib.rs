//! Adaptive-depth inference of gated decoder transformers, without `std` and without an allocator.
//!
//! Modules stand in the order in which data meets them: bytes in flash are judged once ([`Blob::parse`]); the validated shape
//! gives the arena plan ([`Plan`]); the caller lends an arena of that size; a [`Session`] runs tokens through the blocks, where
//! each block's router decides which tokens run it; logits go to the [`Sampler`], and the depth of every token to the [`Trace`]. A [`Controller`]
//! chooses how much the next token may cost.
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
