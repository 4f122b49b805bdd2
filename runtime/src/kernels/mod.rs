//! The arithmetic that takes the time. The portable kernels are the definition; a fast kernel is bit-equal to its portable twin.
//!
//! * [`quantise`]: f32 activations to int8 range;
//! * [`int8`]: matrix times tile, row-pair packed int8 weights: exact sums, which [`requantise`] turns into f32;
//! * `int4`: the same with row-quad packed int4 weights (feature `int4`), with `dsp4`, and `scalar4` over `thumb4`, as fast twins;
//! * [`half_float`]: matrix times tile, f16 weights, f32 arithmetic;
//! * [`vector`]: norm, residual, activation, rotation;
//! * `dsp`, and `scalar` over `thumb1` or `thumb2`: fast twins of int8, for cores with the DSP extension and for smaller ones; `vfp`: those
//!   of f16 and of vectors, for cores with an FPU; [`soft`]: that of requantisation for cores without, where `float1` or `float2`
//!   multiplies and adds. The target triple chooses (see `build.rs`), unless feature `portable` is set.

#[cfg(dsp)]
pub mod dsp;
#[cfg(all(dsp, feature = "int4"))]
pub mod dsp4;
#[cfg(all(soft, armv6m, not(feature = "portable")))]
mod float1;
#[cfg(all(soft, not(armv6m), not(feature = "portable")))]
mod float2;
pub mod half_float;
#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;
pub mod quantise;
pub mod requantise;
#[cfg(scalar)]
mod scalar;
#[cfg(feature = "int4")]
pub mod scalar4;
#[cfg(armv6m)]
mod scale1;
pub mod soft;
mod softmax;
#[cfg(any(test, all(scalar, not(armv6m))))]
mod swar;
#[cfg(armv6m)]
mod thumb1;
#[cfg(all(scalar, not(armv6m)))]
mod thumb2;
#[cfg(all(scalar, feature = "int4"))]
mod thumb4;
pub mod vector;
#[cfg(vfp)]
pub mod vfp;

/// Tokens that a matrix kernel handles in one pass over its weights.
pub const TOKENS_PER_PASS: usize = 16;
