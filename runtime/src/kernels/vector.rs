//! Operations on the vectors of one token that are no matrix products: norm, residual, activation, rotation and quantisation.
//!
//! Each is its definition `..._portable`, or a fast twin of that, chosen at compile time. *Shapes*: all slices of a call have the same
//! length unless it says otherwise; what is longer is ignored.

use super::half_float::{LANES, fold};
pub use super::softmax::{exponentials_portable, round_parts_portable};
use crate::math::{Curve, round};

/// Defines operations that are their fast twins where the target has them, and their definitions elsewhere.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $portable:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub fn $name($($argument: $type),*) $(-> $result)? {
                #[cfg(all(vfp, dsp, not(feature = "portable")))]
                return super::vfp::vector::$name($($argument),*);
                #[cfg(not(all(vfp, dsp, not(feature = "portable"))))]
                return $portable($($argument),*);
            }
        )*
    };
}

operations! {
    /// The sum of squares: element `i` goes to lane `i % 4`, and the lanes are folded. *Range*: the length is a multiple of 4.
    sum_of_squares = sum_of_squares_portable(values: &[f32]) -> f32;
    /// The sum of `max(values, 0) * weights` in the same lanes. *Range*: finite values.
    rectified_dot = rectified_dot_portable(values: &[f32], weights: &[f32]) -> f32;
    /// `output = (input * scale) * weights`.
    weigh = weigh_portable(input: &[f32], scale: f32, weights: &[f32], output: &mut [f32]);
    /// `values += addend`.
    add = add_portable(values: &mut [f32], addend: &[f32]);
    /// The largest magnitude, 0 of none. *Range*: finite values.
    largest_magnitude = largest_magnitude_portable(values: &[f32]) -> f32;
    /// The integers nearest to `values * factor`, ties to even. *Range*: products below 2^15.
    round_products = round_products_portable(values: &[f32], factor: f32, rounded: &mut [i16]);
    /// Replaces each sum by its score, the integer part of `sum * (scales * unit)`, and returns the largest: attention's way from products to
    /// exponents. Both are bits of integers, so that they go straight to the registers of an FPU.
    ///
    /// *Range*: any; scores beyond 32 bits are at their end. *Shapes*: `scales` as long as `sums` or longer.
    scale_scores = scale_scores_portable(sums: &mut [f32], scales: &[f32], unit: f32) -> i32;
    /// Replaces each score by `2^((score - largest) / 65,536)` in units of `2^-31`, rounded down, and returns their sum.
    ///
    /// *Range*: no score above `largest`, none 2^31 units below it; the sum is taken modulo 2^32.
    exponentials = exponentials_portable(scores: &mut [i32], largest: i32) -> u32;
    /// `rounded = parts * integer part of (scales * factor) / 2^32`, to nearest, the low 16 bits.
    ///
    /// *Shapes*: `parts` and `scales` as long as `rounded` or longer.
    round_parts = round_parts_portable(parts: &[i32], scales: &[f32], factor: f32, rounded: &mut [i16]);
    /// `values = (values * curve(values)) * factors`: a gated activation.
    gate = gate_portable(curve: &Curve, values: &mut [f32], factors: &[f32]);
    /// Turns each adjacent pair `(x, y)` of every head by its angle: `(x cos - y sin, x sin + y cos)`.
    ///
    /// *Shapes*: `heads` `[n, head_dim]`, `turns` `[head_dim / 2, 2]` with (cos, sin).
    rotate = rotate_portable(heads: &mut [f32], turns: &[f32]);
}

/// The definition of [`sum_of_squares`].
pub fn sum_of_squares_portable(values: &[f32]) -> f32 {
    fold(add_squares([0.0; LANES], values))
}

/// Adds squares to the lanes.
#[inline(always)]
pub(super) fn add_squares(mut lanes: [f32; LANES], values: &[f32]) -> [f32; LANES] {
    for chunk in values.as_chunks::<LANES>().0 {
        lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += x * x);
    }
    lanes
}

/// The definition of [`rectified_dot`].
pub fn rectified_dot_portable(values: &[f32], weights: &[f32]) -> f32 {
    fold(add_rectified([0.0; LANES], values, weights))
}

/// Adds the products of positive values to the lanes.
#[inline(always)]
pub(super) fn add_rectified(mut lanes: [f32; LANES], values: &[f32], weights: &[f32]) -> [f32; LANES] {
    for (values, weights) in values.chunks(LANES).zip(weights.chunks(LANES)) {
        for ((lane, x), weight) in lanes.iter_mut().zip(values).zip(weights) {
            *lane += if *x > 0.0 { x * weight } else { 0.0 * weight };
        }
    }
    lanes
}

/// The definition of [`weigh`].
pub fn weigh_portable(input: &[f32], scale: f32, weights: &[f32], output: &mut [f32]) {
    for ((y, x), weight) in output.iter_mut().zip(input).zip(weights) {
        *y = x * scale * weight;
    }
}

/// The definition of [`add`].
pub fn add_portable(values: &mut [f32], addend: &[f32]) {
    values.iter_mut().zip(addend).for_each(|(x, y)| *x += y);
}

/// The definition of [`largest_magnitude`].
pub fn largest_magnitude_portable(values: &[f32]) -> f32 {
    f32::from_bits(values.iter().fold(0, |largest, value| largest.max(value.to_bits() & 0x7fff_ffff)))
}

/// The definition of [`round_products`].
pub fn round_products_portable(values: &[f32], factor: f32, rounded: &mut [i16]) {
    for (to, value) in rounded.iter_mut().zip(values) {
        *to = round(value * factor) as i16;
    }
}

/// The definition of [`scale_scores`].
pub fn scale_scores_portable(sums: &mut [f32], scales: &[f32], unit: f32) -> i32 {
    sums.iter_mut().zip(scales).fold(i32::MIN, |largest, (sum, scale)| {
        let score = (sum.to_bits() as i32 as f32 * (scale * unit)) as i32;
        *sum = f32::from_bits(score as u32);
        largest.max(score)
    })
}

/// The definition of [`gate`].
pub fn gate_portable(curve: &Curve, values: &mut [f32], factors: &[f32]) {
    for (x, factor) in values.iter_mut().zip(factors) {
        *x = *x * curve.at(*x) * factor;
    }
}

/// The definition of [`rotate`].
pub fn rotate_portable(heads: &mut [f32], turns: &[f32]) {
    for head in heads.chunks_exact_mut(turns.len().max(1)) {
        for ([x, y], [cos, sin]) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns.as_chunks::<2>().0) {
            (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::SIGMOID;

    #[test]
    fn squares_are_added_in_four_lanes() {
        let values = [1e8, 1.0, 2.0, 3.0, 1.0, 1.0, 1.0, 1.0];
        assert_eq!(sum_of_squares(&values), ((1e16 + 1.0) + 5.0) + (2.0 + 10.0));
        assert_eq!(sum_of_squares(&[]), 0.0);
    }

    #[test]
    fn only_positive_values_enter_a_rectified_product() {
        assert_eq!(rectified_dot(&[1.0, -7.0, 3.0, -0.0, 2.0], &[2.0, 3.0, -4.0, 5.0, 0.5]), 2.0 + 1.0 - 12.0);
    }

    #[test]
    fn the_largest_magnitude_has_any_sign_and_place() {
        assert_eq!(largest_magnitude(&[0.5, -2.0, 1.5]), 2.0);
        assert_eq!(largest_magnitude(&[-0.0, 0.0]), 0.0);
        assert_eq!(largest_magnitude(&[]), 0.0);
    }

    #[test]
    fn a_gated_value_is_the_products_of_its_parts() {
        let mut values = [1.5, -3.0, 0.0];
        gate(&SIGMOID, &mut values, &[2.0, -1.0, 5.0]);
        assert_eq!(values, [1.5 * SIGMOID.at(1.5) * 2.0, 3.0 * SIGMOID.at(-3.0), 0.0]);
    }

    #[test]
    fn rotation_keeps_length_and_turns_by_the_angle() {
        let (sin, cos) = (0.479_425_54, 0.877_582_55); // of 0.5
        let mut heads = [1.0, 0.0, 0.0, 2.0];
        rotate(&mut heads, &[cos, sin]);
        assert_eq!(heads, [cos, sin, -2.0 * sin, 2.0 * cos]);
        rotate(&mut heads, &[]);
        assert_eq!(heads, [cos, sin, -2.0 * sin, 2.0 * cos]);
    }
}
