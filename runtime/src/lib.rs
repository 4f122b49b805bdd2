//! Adaptive-depth inference of gated decoder transformers, without `std` and without an allocator.
#![no_std]
#![deny(unsafe_code)]

pub mod format;

/// Epsilon of every normalisation.
pub const NORM_EPSILON: f32 = 1e-5;
