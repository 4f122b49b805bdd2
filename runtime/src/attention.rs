//! Rotary embedding, the key/value cache and the attention of one token.

use crate::arena::CacheValues;
use crate::format::Shape;
use crate::format::shape::COLUMN_MULTIPLE;
use crate::kernels::half_float::{dot_half, to_f32};
use crate::kernels::quantise::quantise;
use crate::math::{exp, inverse_sqrt, round};
use half::f16;

/// Elements handled together; the width of a head is a multiple of it.
const WIDE: usize = COLUMN_MULTIPLE;

/// Turns each adjacent pair of `heads` (`[n, head_dim]`) by its angle; `turns` `[head_dim / 2, 2]` holds (cos, sin) of the position.
pub(crate) fn rotate(heads: &mut [f32], turns: &[f32]) {
    for head in heads.chunks_exact_mut(turns.len()) {
        for (pair, turn) in head.chunks_exact_mut(2).zip(turns.chunks_exact(2)) {
            if let ([x, y], [cos, sin]) = (pair, turn) {
                (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
            }
        }
    }
}

/// Where one head's vectors and scales lie in the cache.
#[derive(Clone, Copy)]
struct Slot<'s> {
    shape: &'s Shape,
    block: usize,
    kv_head: usize,
}

impl Slot<'_> {
    /// Index of position `slot`'s scale; `values` is 0 for keys, 1 for values.
    fn scale(&self, values: usize, slot: usize) -> usize {
        let Shape { context, kv_heads, .. } = *self.shape;
        ((2 * self.block + values) * context + slot) * kv_heads + self.kv_head
    }

    /// Index of its first element.
    fn first(&self, values: usize, slot: usize) -> usize {
        self.scale(values, slot) * self.shape.head_dim
    }
}

/// Stores one token's keys and values at position `slot` of a block's cache.
///
/// *Shapes*: `key_value` `[2, kv_heads, head_dim]`, keys first and already rotated. `scratch` `[head_dim]` or longer.
pub(crate) fn remember(
    cache: &mut CacheValues<'_>,
    shape: &Shape,
    block: usize,
    slot: usize,
    key_value: &[f32],
    scratch: &mut [i16],
) {
    for (index, vector) in key_value.chunks_exact(shape.head_dim).enumerate() {
        let at = Slot { shape, block, kv_head: index % shape.kv_heads };
        let values = index / shape.kv_heads;
        let first = at.first(values, slot);
        match cache {
            CacheValues::Int8 { values: stored, scales } => {
                let scratch = &mut scratch[..shape.head_dim];
                scales[at.scale(values, slot)] = quantise(vector, scratch);
                for (to, from) in stored[first..].iter_mut().zip(scratch) {
                    *to = *from as i8;
                }
            }
            CacheValues::F16 { values: stored } => {
                for (to, from) in stored[first..].iter_mut().zip(vector) {
                    *to = f16::from_f32(*from).to_bits();
                }
            }
        }
    }
}

/// Scratch memory of [`attend`].
pub(crate) struct Scratch<'a> {
    pub scores: &'a mut [f32],  // [context]
    pub weights: &'a mut [i16], // [context], int8 models
    pub query: &'a mut [i16],   // [head_dim] or longer, int8 models
}

/// Attention of one token over the first `visible` positions of a block's cache.
///
/// *Shapes*: `query` `[heads, head_dim]`, already rotated; `output` the same.
pub(crate) fn attend(
    cache: &CacheValues<'_>,
    shape: &Shape,
    block: usize,
    visible: usize,
    query: &[f32],
    output: &mut [f32],
    scratch: &mut Scratch<'_>,
) {
    let head_dim = shape.head_dim;
    let per_kv_head = shape.heads / shape.kv_heads;
    let scale = inverse_sqrt(head_dim as f32);
    for (head, (query, output)) in query.chunks_exact(head_dim).zip(output.chunks_exact_mut(head_dim)).enumerate() {
        let at = Slot { shape, block, kv_head: head / per_kv_head };
        let scores = &mut scratch.scores[..visible];
        match cache {
            CacheValues::Int8 { values, scales } => {
                let quantised = &mut scratch.query[..head_dim];
                let query_scale = quantise(query, quantised) * scale;
                let rows = (shape.kv_heads * head_dim, at.kv_head * head_dim);
                let slots = |values_of: usize| {
                    let first = Slot { kv_head: 0, ..at }.first(values_of, 0);
                    &values[first..][..visible * rows.0]
                };
                let slot_scales = |values_of: usize| scales[at.scale(values_of, 0)..].iter().step_by(shape.kv_heads);
                int8_scores(quantised, slots(0), rows, query_scale, slot_scales(0), scores);
                let total = exponentiate(scores);
                for (score, value_scale) in scores.iter_mut().zip(slot_scales(1)) {
                    *score *= value_scale;
                }
                let weights = &mut scratch.weights[..visible];
                let unit = quantise_weights(scores, weights);
                weighted_sum(weights, slots(1), rows, unit / total, output);
            }
            CacheValues::F16 { values } => {
                for (slot, score) in scores.iter_mut().enumerate() {
                    *score = dot_half(query, &values[at.first(0, slot)..][..head_dim]) * scale;
                }
                let total = exponentiate(scores);
                output.fill(0.0);
                for (slot, score) in scores.iter().enumerate() {
                    for (y, half) in output.iter_mut().zip(&values[at.first(1, slot)..][..head_dim]) {
                        *y += score * to_f32(*half);
                    }
                }
                let inverse = 1.0 / total;
                output.iter_mut().for_each(|y| *y *= inverse);
            }
        }
    }
}

/// Replaces scores by `e^(score - maximum)` and returns their sum.
fn exponentiate(scores: &mut [f32]) -> f32 {
    let largest = scores.iter().fold(f32::MIN, |a, b| if *b > a { *b } else { a });
    let mut total = 0.0;
    for score in scores {
        *score = exp(*score - largest);
        total += *score;
    }
    total
}

/// `scores[slot] = (query . key(slot)) * scale * key_scale(slot)`.
///
/// *Shapes*: `query` `[head_dim]`, `keys` `[visible, stride]` with this head's vector at `offset`, `key_scales` one per slot.
#[inline(never)] // a loop of its own registers: inlined into the whole forward pass, it spills
fn int8_scores<'s>(
    query: &[i16],
    keys: &[i8],
    (stride, offset): (usize, usize),
    scale: f32,
    key_scales: impl Iterator<Item = &'s f32>,
    scores: &mut [f32],
) {
    for ((score, row), key_scale) in scores.iter_mut().zip(keys.chunks_exact(stride)).zip(key_scales) {
        let mut sum = 0i32;
        for (q, k) in query.as_chunks::<WIDE>().0.iter().zip(row[offset..].as_chunks::<WIDE>().0) {
            for (q, k) in q.iter().zip(k) {
                sum = sum.wrapping_add(i32::from(*q) * i32::from(*k));
            }
        }
        *score = sum as f32 * (scale * key_scale);
    }
}

/// Quantises non-negative weights so that their largest becomes at most 32,767 and a sum of `weight * int8` over all of them fits into
/// 32 bits; returns the value of one unit.
fn quantise_weights(weights: &[f32], quantised: &mut [i16]) -> f32 {
    let largest = weights.iter().fold(1e-30f32, |a, b| if *b > a { *b } else { a });
    let most = (i32::MAX as usize / (127 * weights.len().max(1))).min(32_767) as f32;
    let inverse = most / largest;
    for (to, weight) in quantised.iter_mut().zip(weights) {
        *to = round(weight * inverse) as i16;
    }
    largest / most
}

/// `output = unit * sum(weights[slot] * value(slot))`, a few elements at a time so that the sums stay in registers.
///
/// *Shapes*: `weights` `[visible]`, `values` `[visible, stride]` with this head's vector at `offset`, `output` `[head_dim]`.
#[inline(never)] // as above
fn weighted_sum(weights: &[i16], values: &[i8], (stride, offset): (usize, usize), unit: f32, output: &mut [f32]) {
    for (chunk, output) in output.as_chunks_mut::<WIDE>().0.iter_mut().enumerate() {
        let first = offset + chunk * WIDE;
        let mut sums = [0i32; WIDE];
        for (weight, row) in weights.iter().zip(values.chunks_exact(stride)) {
            for (sum, v) in sums.iter_mut().zip(&row[first..first + WIDE]) {
                *sum = sum.wrapping_add(i32::from(*weight) * i32::from(*v));
            }
        }
        for (y, sum) in output.iter_mut().zip(sums) {
            *y = sum as f32 * unit;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn rotation_keeps_length_and_turns_by_the_angle() {
        let (sin, cos) = (0.5f32.sin(), 0.5f32.cos());
        let mut heads = [1.0, 0.0, 0.0, 2.0];
        rotate(&mut heads, &[cos, sin]);
        assert_eq!(heads, [cos, sin, -2.0 * sin, 2.0 * cos]);
    }

    #[test]
    fn quantised_weights_never_overflow_the_sum() {
        for length in [1usize, 127, 128, 516, 517, 4096] {
            let weights = std::vec![0.25f32; length];
            let mut quantised = std::vec![0i16; length];
            let unit = quantise_weights(&weights, &mut quantised);
            let sum: i64 = quantised.iter().map(|weight| i64::from(*weight) * 127).sum();
            assert!(sum <= i64::from(i32::MAX), "{length}: {sum}");
            assert!((f64::from(quantised[0]) * f64::from(unit) / 0.25 - 1.0).abs() < 1.0 / 4000.0, "{length}");
        }
    }
}
