//! From the integer scores of one head to the integer weights of its positions.
//!
//! Three passes, each a loop of its own registers. Between the first and the last everything is an integer, the same on every core and cheap
//! on those without an FPU.

use crate::kernels::vector::{exponentials, round_parts};
use core::f32::consts::LOG2_E;

/// Largest weight of one position.
pub const MOST_WEIGHT: i16 = 16_383;
/// Largest sum of the weights of all positions: `128 * 65,535 < 2^23`, the bound of row-pair packing.
pub const MOST_WEIGHTS: usize = 65_535;

/// A score in units of `2^-16` of a power of two is the score times this.
pub(super) const SCORE_UNITS: f32 = LOG2_E * 65_536.0;
/// Bits behind the point of an exponential: 4,096 of them, each at most 1, fit into 32 bits.
const EXPONENTIAL_BITS: u32 = 19;

/// Replaces each score by `2^((score - largest) / 65,536)` in units of `2^-19`, and returns their sum.
///
/// *Shapes*: `scores` `[visible]`, at most 4,096. *Range*: no score above `largest`, none 2^31 units below it.
pub(super) fn exponentiate(scores: &mut [i32], largest: i32) -> u32 {
    exponentials(scores, largest.wrapping_add((31 - EXPONENTIAL_BITS as i32) << 16))
}

/// Quantises `exponential * value_scale` with one unit, and returns what a sum of `weight * int8` is to be multiplied by to be the
/// weighted mean. No weight is above [`MOST_WEIGHT`], their sum is at most [`MOST_WEIGHTS`].
///
/// *Shapes*: `exponentials` `[visible]`, `value_scales` that many or more, `weights` that many or up to 3 more, which become 0. *Range*:
/// `total` is the sum of the exponentials, no scale is above `largest_scale`.
pub(super) fn quantise_weights(
    exponentials: &[i32],
    total: u32,
    value_scales: &[f32],
    largest_scale: f32,
    weights: &mut [i16],
) -> f32 {
    const ONE: f32 = (1 << EXPONENTIAL_BITS) as f32;
    const TWO_TO_32: f32 = 4_294_967_296.0;
    let total = total as f32;
    // Rounding to nearest adds at most half a unit per position.
    let most_weights = (MOST_WEIGHTS - 1 - exponentials.len() / 2) as f32;
    let largest_scale = if largest_scale > 1e-30 { largest_scale } else { 1e-30 };
    let most = f32::from(MOST_WEIGHT) / ONE;
    let shared = most_weights / total;
    let unit = if shared < most { shared } else { most } / largest_scale;
    let (weights, behind) = weights.split_at_mut_checked(exponentials.len()).unwrap_or_default();
    round_parts(exponentials, value_scales, unit * TWO_TO_32, weights);
    behind.fill(0);
    1.0 / (unit * total)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::kernels::vector::scale_scores;
    use std::vec::Vec;

    #[test]
    fn the_largest_score_is_found_and_scores_beyond_32_bits_stay_at_the_end() {
        let mut sums = [100, -200, 300, i32::MAX, 7].map(|sum: i32| f32::from_bits(sum as u32));
        let largest = scale_scores(&mut sums, &[1.0, 1.0, 0.5, 1.0, 1e30, 9.0], 2.0);
        assert_eq!(sums.map(|bits| bits.to_bits() as i32), [200, -400, 300, i32::MAX, i32::MAX]);
        assert_eq!(largest, i32::MAX);
    }

    /// SplitMix64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % bound
        }
    }

    #[test]
    fn weights_keep_the_bounds_of_the_packing_and_follow_the_softmax() {
        let mut random = Random(1);
        for case in 0..400 {
            let visible = if case < 8 { 4_096 >> case } else { 1 + random.below(200) as usize };
            // From all alike, where every weight rounds up, to one that has it all.
            let spread = [0, 1 << 8, 1 << 14, 1 << 20][case % 4];
            let scores: Vec<i32> = (0..visible).map(|_| random.below(spread + 1) as i32 - (spread as i32 / 2)).collect();
            let scales: Vec<f32> =
                (0..visible).map(|_| 0.01 + random.below(1 + 1_000 * (case as u64 % 3)) as f32 * 1e-3).collect();
            let largest_scale = scales.iter().copied().fold(0.0, f32::max);
            let mut powers = scores.clone();
            let total = exponentiate(&mut powers, scores.iter().copied().fold(i32::MIN, i32::max));
            let mut weights = std::vec![7; visible.next_multiple_of(4)];
            let unit = f64::from(quantise_weights(&powers, total, &scales, largest_scale, &mut weights));
            assert!(weights.iter().all(|weight| (0..=MOST_WEIGHT).contains(weight)), "case {case}");
            assert!(weights.iter().map(|weight| *weight as usize).sum::<usize>() <= MOST_WEIGHTS, "case {case}");
            assert!(weights[visible..].iter().all(|weight| *weight == 0), "case {case}");
            let exact: Vec<f64> = scores.iter().map(|score| (f64::from(*score) / 65_536.0).exp2()).collect();
            let sum: f64 = exact.iter().sum();
            for ((weight, exact), scale) in weights.iter().zip(&exact).zip(&scales) {
                let error = (f64::from(*weight) * unit - exact / sum * f64::from(*scale)).abs();
                assert!(error <= 0.51 * unit + 1e-4 * f64::from(*scale), "case {case}: {error}, unit {unit}");
            }
        }
    }

    #[test]
    fn values_of_scale_zero_weigh_nothing() {
        let mut weights = [7; 4];
        let mut powers = [0; 3];
        let total = exponentiate(&mut powers, 0);
        assert!(!quantise_weights(&powers, total, &[0.0; 3], 0.0, &mut weights).is_nan());
        assert_eq!(weights, [0; 4]);
    }
}
