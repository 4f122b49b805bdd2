//! The arithmetic that takes the time. The portable kernels are the definition; a fast kernel is bit-equal to its portable twin.
//!
//! * [`quantise`]: f32 activations to int8 range;
//! * [`int8`]: matrix times tile, row-pair packed int8 weights;
//! * [`half_float`]: matrix times tile, f16 weights, f32 arithmetic;
//! * `armv7em`: the fast twins for Armv7E-M with FPU, chosen by the target triple unless feature `portable` is set.

#[cfg(armv7em)]
pub mod armv7em;
pub mod half_float;
pub mod int8;
pub mod quantise;

/// Tokens that a matrix kernel handles in one pass over its weights.
pub const TOKENS_PER_PASS: usize = 16;
