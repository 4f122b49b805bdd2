//! The widest vectors of the CPU that runs this, found when it runs, and the few functions that loops over them need.

use pulp::{Arch, WithSimd};

/// Numbers that a loop runs over side by side: two vectors of AVX2.
pub const LANES: usize = 16;

/// Runs `op`, compiled for AVX2 and FMA where the CPU has them.
#[inline(always)]
pub fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(simd, op);
    }
    Arch::new().dispatch(op)
}

/// Runs a closure so. It says `#[inline(always)]`: otherwise it may stay outside, compiled for any CPU.
#[inline(always)]
pub fn vectorised<R>(f: impl FnMut() -> R) -> R {
    dispatch(Call(f))
}

/// Called by reference: the shim that consumes a closure would not be inlined.
struct Call<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Call<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// `e^x` within a relative error of 3e-7 (Cody-Waite reduction, polynomial of degree 6) between -87, where f32 is about to end, and 88; the
/// values at these ends beyond them.
#[inline(always)]
fn bounded_exp(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer, which its lowest bits then are
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let bounded = x.clamp(-87.0, 88.0);
    let shifted = bounded * std::f32::consts::LOG2_E + SHIFT;
    let whole = shifted - SHIFT;
    let r = (bounded - whole * LN2_HIGH) - whole * LN2_LOW;
    let high = 1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0)));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    (1.0 + r * (1.0 + r * (0.5 + r * high))) * power
}

/// The same, but 0 below -87.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let value = bounded_exp(x);
    if x < -87.0 { 0.0 } else { value }
}

/// `1 / (1 + e^-x)`. Nothing is chosen in it: a choice would become a branch, and the loop around it scalar.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + bounded_exp(-x))
}

/// Folds `f(values[i])` in an order that depends on the length alone.
#[inline(always)]
fn fold(values: &[f32], start: f32, f: impl Fn(f32) -> f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, f(*value));
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = join(*lane, f(*value));
    }
    lanes.into_iter().reduce(join).unwrap_or(start)
}

/// Sum of `f` over the values.
#[inline(always)]
pub fn sum_of(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    fold(values, 0.0, f, |a, b| a + b)
}

/// Sum of products.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += a * b;
    }
    lanes.iter().sum()
}

/// The largest value; negative infinity of none.
#[inline(always)]
pub fn largest(values: &[f32]) -> f32 {
    fold(values, f32::NEG_INFINITY, |x| x, |a, b| if a > b { a } else { b })
}

/// Replaces each value by `e^(value - largest)` and returns the sum of them.
#[inline(always)]
pub fn exponentials(values: &mut [f32], largest: f32) -> f32 {
    values.iter_mut().for_each(|value| *value = exp(*value - largest));
    sum_of(values, |value| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_a_relative_error_of_3e_7() {
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let wanted = f64::from(x).exp();
            let error = (f64::from(exp(x)) - wanted).abs() / wanted;
            assert!(error < 3e-7, "{x}: {} against {wanted}, {error:e}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn folds_see_every_value_once() {
        for count in [0, 1, 15, 16, 17, 33, 64] {
            let values: Vec<f32> = (0..count).map(|i| (i as f32 * 7.0) % 13.0 - 20.0).collect();
            assert_eq!(sum_of(&values, |x| x * 2.0), values.iter().map(|x| x * 2.0).sum::<f32>());
            assert_eq!(dot(&values, &values), values.iter().map(|x| x * x).sum::<f32>());
            assert_eq!(largest(&values), values.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
