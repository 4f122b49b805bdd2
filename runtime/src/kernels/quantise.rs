//! Symmetric quantisation of activations.

use super::vector;

/// Below this the reciprocal of the largest magnitude overflows; such a token is all zeros for any purpose.
pub(super) const SMALLEST: f32 = 1e-30;

/// Quantises `values` to `-127..=127` with one scale by their absolute maximum; returns the scale, so that `values ~ quantised * scale`.
/// All zeros give scale 0. Rounds to nearest, ties to even. [`quantise_portable`] or a fast twin, chosen at compile time.
///
/// *Shapes*: both `[n]`. *Range*: finite values. *Error*: at most half a scale per value.
#[inline]
pub fn quantise(values: &[f32], quantised: &mut [i16]) -> f32 {
    #[cfg(all(soft, not(feature = "portable")))]
    return super::soft::quantise(values, quantised);
    #[cfg(not(all(soft, not(feature = "portable"))))]
    by_largest(vector::largest_magnitude(values), quantised, |factor, to| vector::round_products(values, factor, to))
}

/// The definition of [`quantise`].
pub fn quantise_portable(values: &[f32], quantised: &mut [i16]) -> f32 {
    let largest = vector::largest_magnitude_portable(values);
    by_largest(largest, quantised, |factor, to| vector::round_products_portable(values, factor, to))
}

/// Rounds the products with a factor that makes `largest` 127; returns the scale.
#[inline(always)]
fn by_largest(largest: f32, quantised: &mut [i16], round: impl FnOnce(f32, &mut [i16])) -> f32 {
    if largest < SMALLEST {
        quantised.fill(0);
        return 0.0;
    }
    round(127.0 / largest, quantised);
    largest * (1.0 / 127.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_magnitude_becomes_127() {
        let mut quantised = [0; 4];
        let scale = quantise(&[0.5, -2.0, 1.0, 0.004], &mut quantised);
        assert_eq!(quantised, [32, -127, 64, 0]);
        assert!((scale - 2.0 / 127.0).abs() < 1e-8);
    }

    #[test]
    fn zeros_and_denormals_become_zeros_with_scale_zero() {
        let mut quantised = [1; 2];
        assert_eq!(quantise(&[0.0, -1e-40], &mut quantised), 0.0);
        assert_eq!(quantised, [0, 0]);
    }
}
