//! The f16 cache of one block, `[2, context, kv_heads, head_dim]`, and attention over it in f32.

use super::Heads;
use crate::format::shape::COLUMN_MULTIPLE;
use crate::kernels::half_float::{dot_half, to_f32};
use crate::math::{exp, inverse_sqrt};
use half::f16;

/// Elements of the weighted sum that stay in registers; the width of a head is a multiple of it.
const WIDE: usize = COLUMN_MULTIPLE;

impl Heads {
    /// Halfwords of one position's keys or values.
    const fn half_row(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Words of one block's f16 cache.
    pub const fn half_cache_words(&self) -> usize {
        self.context * self.half_row()
    }

    /// Words of scratch memory that [`attend`] takes.
    pub const fn half_scratch_words(&self) -> usize {
        self.context
    }
}

/// Stores one token's keys and values at `position` of a block's cache.
///
/// *Shapes*: `cache` [`Heads::half_cache_words`], `key_value` `[2, kv_heads, head_dim]`, keys first and already rotated. *Range*:
/// `position` below the context. Never panics.
pub fn remember(cache: &mut [u32], heads: &Heads, position: usize, key_value: &[f32]) {
    let row = heads.half_row();
    let cache: &mut [u16] = bytemuck::cast_slice_mut(cache);
    for (cache, vectors) in cache.chunks_exact_mut((heads.context * row).max(1)).zip(key_value.chunks_exact(row.max(1))) {
        let slot = cache.get_mut(position * row..).unwrap_or_default();
        for (to, from) in slot.iter_mut().zip(vectors) {
            *to = f16::from_f32(*from).to_bits();
        }
    }
}

/// Attention of one token over the first `visible` positions of a block's cache.
///
/// *Shapes*: `cache` as for [`remember`], `query` `[heads, head_dim]`, already rotated, `output` the same, `scratch`
/// [`Heads::half_scratch_words`]. *Range*: `visible` from 1 to the positions stored. Never panics.
pub fn attend(cache: &[u32], heads: &Heads, visible: usize, query: &[f32], output: &mut [f32], scratch: &mut [u32]) {
    let Heads { head_dim, context, .. } = *heads;
    let row = heads.half_row();
    let per_kv_head = (heads.heads / heads.kv_heads.max(1)).max(1);
    let cache: &[u16] = bytemuck::cast_slice(cache);
    let (keys, values) = cache.split_at_checked(context * row).unwrap_or_default();
    let scores: &mut [f32] = bytemuck::cast_slice_mut(scratch);
    let scores = scores.get_mut(..visible).unwrap_or_default();
    let scale = inverse_sqrt(head_dim as f32);
    for (head, (query, output)) in query.chunks_exact(head_dim.max(1)).zip(output.chunks_exact_mut(head_dim.max(1))).enumerate() {
        let offset = head / per_kv_head * head_dim;
        for (score, key) in scores.iter_mut().zip(keys.chunks_exact(row.max(1))) {
            let key = key.get(offset..offset + head_dim).unwrap_or_default();
            *score = dot_half(query, key) * scale;
        }
        let inverse = 1.0 / exponentiate(scores);
        let dimensions = (offset..).step_by(WIDE);
        for (output, first) in output.as_chunks_mut::<WIDE>().0.iter_mut().zip(dimensions) {
            weighted_sum(scores, values.get(first..).unwrap_or_default(), row, inverse, output);
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

/// `output = unit * sum(weights[position] * values[position])` of a few elements, whose sums stay in registers.
///
/// *Shapes*: `weights` `[visible]`, `values` from these elements of position 0 on, one position every `row`.
#[inline(never)] // inlined into the whole, it spills
fn weighted_sum(weights: &[f32], values: &[u16], row: usize, unit: f32, output: &mut [f32; WIDE]) {
    let mut sums = [0.0; WIDE];
    for (weight, values) in weights.iter().zip(values.chunks(row.max(1))) {
        if let Some(values) = values.first_chunk::<WIDE>() {
            for (sum, half) in sums.iter_mut().zip(values) {
                *sum += weight * to_f32(*half);
            }
        }
    }
    for (y, sum) in output.iter_mut().zip(sums) {
        *y = sum * unit;
    }
}
