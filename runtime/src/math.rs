//! Scalar functions in f32. Every operation rounds to nearest and none is fused, so host and device agree bit for bit.

use micromath::F32Ext;

/// Adding and subtracting this rounds a value of magnitude below 2^22 to the nearest integer, ties to even.
const ROUNDER: f32 = 12_582_912.0;

/// The nearest integer, ties to even. *Range*: `|x| < 2^22`.
#[inline(always)]
pub fn round(x: f32) -> i32 {
    ((x + ROUNDER).to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32)
}

/// `e^x`. *Range*: any; below -86 the result is that of -86 (about 4.5e-38), above 88 that of 88. *Error*: relative, below 3e-7.
///
/// Cody-Waite reduction to `|r| <= ln 2 / 2`, then the Taylor polynomial of degree 6.
#[inline]
pub fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4; // 355 / 512: exact products with small integers
    const LN_2_LOW: f32 = -2.121_944_4e-4; // ln 2 - 355 / 512
    let x = x.clamp(-86.0, 88.0);
    let turns = round(x * core::f32::consts::LOG2_E);
    let n = turns as f32;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + coefficient;
    }
    // The exponent field of p is 126 or 127, and -124 <= turns <= 127: the sum stays a finite normal number.
    f32::from_bits((p.to_bits() as i32).wrapping_add(turns << 23) as u32)
}

/// `1 / (1 + e^-x)`. *Error*: absolute, below 3e-7.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `x * sigmoid(x)`.
#[inline]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// GELU, tanh approximation: `x / 2 * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, computed as `x * sigmoid(2 ...)`.
#[inline]
pub fn gelu(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    x * sigmoid(TWICE_SQRT_2_OVER_PI * (x + 0.044715 * x * x * x))
}

/// `1 / sqrt(x)`. *Range*: normal `x > 0`. *Error*: relative, below 6e-7: micromath's estimate (3.5%) and three Newton steps.
#[inline]
pub fn inverse_sqrt(x: f32) -> f32 {
    // micromath subtracts the bits from a constant: a sign bit, which only a NaN can have here, would underflow.
    let mut y = f32::from_bits(x.to_bits() & 0x7fff_ffff).invsqrt();
    for _ in 0..3 {
        y *= 1.5 - (0.5 * x * y) * y;
    }
    y
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// Every `step`-th f32 from `from` to `to`, both of one sign.
    fn floats(from: f32, to: f32, step: usize) -> impl Iterator<Item = f32> {
        (from.to_bits()..=to.to_bits()).step_by(step).map(f32::from_bits)
    }

    #[test]
    fn exp_stays_within_its_bound_over_its_whole_range() {
        for magnitude in floats(1e-8, 86.0, 97) {
            for x in [magnitude, -magnitude] {
                let exact = f64::from(x).exp();
                assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "exp({x})");
            }
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e30), exp(-86.0));
        assert!(exp(1e30).is_finite());
    }

    #[test]
    fn sigmoid_silu_and_gelu_follow_f64() {
        for magnitude in floats(1e-6, 100.0, 997) {
            for x in [magnitude, -magnitude] {
                let wide = f64::from(x);
                let exact = 1.0 / (1.0 + (-wide).exp());
                assert!((f64::from(sigmoid(x)) - exact).abs() < 3e-7, "sigmoid({x})");
                assert!((f64::from(silu(x)) - wide * exact).abs() < 4e-7 * (1.0 + wide.abs()), "silu({x})");
                let inner = (2.0 / core::f64::consts::PI).sqrt() * (wide + 0.044715 * wide.powi(3));
                let exact = 0.5 * wide * (1.0 + inner.tanh());
                assert!((f64::from(gelu(x)) - exact).abs() < 6e-7 * (1.0 + wide.abs()), "gelu({x})");
            }
        }
    }

    #[test]
    fn inverse_sqrt_stays_within_its_bound() {
        for x in floats(1e-30, 1e30, 997) {
            let exact = 1.0 / f64::from(x).sqrt();
            assert!((f64::from(inverse_sqrt(x)) / exact - 1.0).abs() < 6e-7, "inverse_sqrt({x})");
        }
    }

    #[test]
    fn round_goes_to_the_nearest_even_integer() {
        for (x, wanted) in [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (126.6, 127), (-127.0, -127), (1e6, 1_000_000)] {
            assert_eq!(round(x), wanted, "round({x})");
        }
    }
}
