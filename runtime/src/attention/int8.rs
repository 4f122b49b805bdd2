//! The int8 cache of one block, laid out for the matrix kernels that read it, and attention over it.
//!
//! The keys of a key/value head are a row-pair packed matrix `[context, head_dim]`, one row per position: scores are that matrix times
//! the query. Its values are a packed matrix `[head_dim, context]`, one column per position: the weighted sum is that matrix times the
//! quantised softmax weights. Query heads that share a key/value head are the tokens of those products, two at a time.

use super::Heads;
use super::softmax::{SCORE_UNITS, exponentiate, quantise_weights};
use crate::format::packing::{GROUP_ROWS, LOW_OFFSET, packed_bytes, pairs_in_group};
use crate::format::shape::{COLUMN_MULTIPLE, ROW_MULTIPLE};
use crate::kernels::int8::{Matrix, sums};
use crate::kernels::quantise::quantise;
use crate::kernels::vector;
use crate::math::inverse_sqrt;

/// Query heads that are multiplied with one pass over a cache.
const TOGETHER: usize = 2;

impl Heads {
    /// Positions that a cache has room for: whole rows and columns of its matrices.
    const fn room(&self) -> usize {
        self.context.next_multiple_of(COLUMN_MULTIPLE)
    }

    /// Words of the keys of one head, and as many of its values: a byte per element.
    const fn matrix_words(&self) -> usize {
        packed_bytes(self.room(), self.head_dim) / 4
    }

    /// Words of one head's part of a cache: keys, values, their scales, and the largest scale of a value.
    const fn int8_head_words(&self) -> usize {
        2 * self.matrix_words() + 2 * self.room() + 1
    }

    /// Words of one block's int8 cache.
    pub const fn int8_cache_words(&self) -> usize {
        self.kv_heads * self.int8_head_words()
    }

    /// Words of scratch memory that [`remember`] and [`attend`] take.
    pub const fn int8_scratch_words(&self) -> usize {
        TOGETHER * (self.head_dim / 2 + self.room() + self.room() / 2)
    }
}

/// Stores one token's keys and values at `position` of a block's cache. Positions are filled in order, from 0.
///
/// *Shapes*: `cache` [`Heads::int8_cache_words`], `key_value` `[2, kv_heads, head_dim]`, keys first and already rotated, `scratch`
/// [`Heads::int8_scratch_words`]. *Range*: `position` below the context. Never panics.
#[inline(never)]
pub fn remember(cache: &mut [u32], heads: &Heads, position: usize, key_value: &[f32], scratch: &mut [u32]) {
    let quantised: &mut [i16] = bytemuck::cast_slice_mut(scratch);
    let quantised = quantised.get_mut(..heads.head_dim).unwrap_or_default();
    let (keys, values) = key_value.split_at_checked(heads.kv_heads * heads.head_dim).unwrap_or_default();
    let vectors = keys.chunks_exact(heads.head_dim.max(1)).zip(values.chunks_exact(heads.head_dim.max(1)));
    for (head, (key, value)) in cache.chunks_exact_mut(heads.int8_head_words().max(1)).zip(vectors) {
        let (key_matrix, rest) = head.split_at_mut_checked(heads.matrix_words()).unwrap_or_default();
        let (value_matrix, rest) = rest.split_at_mut_checked(heads.matrix_words()).unwrap_or_default();
        let scales: &mut [f32] = bytemuck::cast_slice_mut(rest);
        let (scales, largest) = scales.split_at_mut_checked(2 * heads.room()).unwrap_or_default();
        let (key_scales, value_scales) = scales.split_at_mut_checked(heads.room()).unwrap_or_default();

        let key_scale = quantise(key, quantised);
        write_row(bytemuck::cast_slice_mut(key_matrix), heads, position, quantised);
        let value_scale = quantise(value, quantised);
        write_column(bytemuck::cast_slice_mut(value_matrix), heads, position, quantised);
        if let ([key_slot, ..], [value_slot, ..], [largest]) =
            (key_scales.get_mut(position..).unwrap_or_default(), value_scales.get_mut(position..).unwrap_or_default(), largest)
        {
            (*key_slot, *value_slot) = (key_scale, value_scale);
            *largest = if position > 0 && *largest > value_scale { *largest } else { value_scale };
        }
    }
}

/// Writes row `position` of the keys: every second byte of a pair's halfwords.
///
/// *Shapes*: `keys` bytes of a packed `[room, head_dim]`, `row` `[head_dim]`.
fn write_row(keys: &mut [u8], heads: &Heads, position: usize, row: &[i16]) {
    let group = position / GROUP_ROWS;
    let pairs = pairs_in_group(heads.room(), group);
    let upper = position.is_multiple_of(ROW_MULTIPLE);
    let first = group * GROUP_ROWS * heads.head_dim + position % GROUP_ROWS / 2 * 4 + usize::from(upper);
    let offset = if upper { 0 } else { LOW_OFFSET };
    let bytes = keys.get_mut(first..).unwrap_or_default();
    for (word, two) in bytes.chunks_mut((4 * pairs).max(1)).zip(row.as_chunks::<2>().0) {
        if let [even, _, odd, ..] = word {
            *even = (two[0] + offset) as u8;
            *odd = (two[1] + offset) as u8;
        }
    }
}

/// Writes column `position` of the values: one halfword in each pair of rows.
///
/// *Shapes*: `values` a packed `[head_dim, room]`, `column` `[head_dim]`.
fn write_column(values: &mut [i16], heads: &Heads, position: usize, column: &[i16]) {
    let groups = values.chunks_mut((GROUP_ROWS / 2 * heads.room()).max(1));
    for (group, rows) in groups.zip(column.chunks(GROUP_ROWS)) {
        let (pairs, _) = rows.as_chunks::<2>();
        let words = group.get_mut(position / 2 * (2 * pairs.len())..).unwrap_or_default();
        for (word, [upper, lower]) in words.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
            word[position % 2] = (upper << 8) + (lower + LOW_OFFSET);
        }
    }
}

/// Attention of one token over the first `visible` positions of a block's cache.
///
/// *Shapes*: `cache` and `scratch` as for [`remember`], `query` `[heads, head_dim]`, already rotated, `output` the same. *Range*: `visible`
/// the number of positions stored, at least 1. Never panics.
pub fn attend(cache: &[u32], heads: &Heads, visible: usize, query: &[f32], output: &mut [f32], scratch: &mut [u32]) {
    attend_to(cache, heads, (visible, true), query, output, scratch);
}

/// The same where the cache already holds positions after the visible ones: bit-equal to what [`attend`] gives before it holds them.
pub fn attend_before(cache: &[u32], heads: &Heads, visible: usize, query: &[f32], output: &mut [f32], scratch: &mut [u32]) {
    attend_to(cache, heads, (visible, false), query, output, scratch);
}

/// Attention over `visible` positions, `all` that the cache holds or only the first.
#[inline(never)]
pub(crate) fn attend_to(
    cache: &[u32],
    heads: &Heads,
    (visible, all): (usize, bool),
    query: &[f32],
    output: &mut [f32],
    scratch: &mut [u32],
) {
    let per_kv_head = (heads.heads / heads.kv_heads.max(1) * heads.head_dim).max(1);
    let unit = inverse_sqrt(heads.head_dim as f32) * SCORE_UNITS;
    let queries = query.chunks_exact(per_kv_head).zip(output.chunks_exact_mut(per_kv_head));
    for (head, (query, output)) in cache.chunks_exact(heads.int8_head_words().max(1)).zip(queries) {
        let mut head = Head::new(head, heads);
        if !all {
            // The cache keeps the largest of all positions; hidden ones must change no bit.
            let visible = head.value_scales.iter().take(visible).copied();
            head.largest_scale =
                visible.reduce(|largest, scale| if largest > scale { largest } else { scale }).unwrap_or_default();
        }
        let together = (TOGETHER * heads.head_dim).max(1);
        for (query, output) in query.chunks(together).zip(output.chunks_mut(together)) {
            head.attend(heads, visible, unit, query, output, scratch);
        }
    }
}

/// One key/value head of a cache.
struct Head<'c> {
    keys: &'c [i16],         // packed [room, head_dim]
    values: &'c [i16],       // packed [head_dim, room]
    key_scales: &'c [f32],   // [room]
    value_scales: &'c [f32], // [room]
    largest_scale: f32,      // of the values
}

impl<'c> Head<'c> {
    fn new(words: &'c [u32], heads: &Heads) -> Self {
        let (keys, rest) = words.split_at_checked(heads.matrix_words()).unwrap_or_default();
        let (values, rest) = rest.split_at_checked(heads.matrix_words()).unwrap_or_default();
        let scales: &[f32] = bytemuck::cast_slice(rest);
        let (scales, largest) = scales.split_at_checked(2 * heads.room()).unwrap_or_default();
        let (key_scales, value_scales) = scales.split_at_checked(heads.room()).unwrap_or_default();
        Self {
            keys: bytemuck::cast_slice(keys),
            values: bytemuck::cast_slice(values),
            key_scales,
            value_scales,
            largest_scale: largest.first().copied().unwrap_or_default(),
        }
    }

    /// Attention of the query heads that go through the products together; `query` and `output` `[1 or 2, head_dim]`, `unit` is what a
    /// product is in [`SCORE_UNITS`].
    fn attend(&self, heads: &Heads, visible: usize, unit: f32, query: &[f32], output: &mut [f32], scratch: &mut [u32]) {
        let Heads { head_dim, .. } = *heads;
        let tokens = query.len() / head_dim.max(1);
        // Whole groups of rows: the last of the matrix may be shorter, and ends at its room.
        let rows = visible.next_multiple_of(GROUP_ROWS).min(heads.room());
        let columns = visible.next_multiple_of(COLUMN_MULTIPLE);
        let (quantised, rest) = scratch.split_at_mut_checked(TOGETHER * head_dim / 2).unwrap_or_default();
        let (scores, weights) = rest.split_at_mut_checked(TOGETHER * heads.room()).unwrap_or_default();
        let (quantised, weights): (&mut [i16], &mut [i16]) =
            (bytemuck::cast_slice_mut(quantised), bytemuck::cast_slice_mut(weights));
        let scores: &mut [i32] = bytemuck::cast_slice_mut(scores);

        let mut units = [0.0; TOGETHER];
        for ((query, quantised), to) in
            query.chunks_exact(head_dim.max(1)).zip(quantised.chunks_exact_mut(head_dim.max(1))).zip(&mut units)
        {
            *to = quantise(query, quantised) * unit;
        }
        let keys = Matrix { rows, columns: head_dim, stride: head_dim, weights: self.keys, scales: &[], bias: &[] };
        sums(&keys, quantised, tokens, scores);

        let heads_of = scores.chunks_exact_mut(rows.max(1)).zip(weights.chunks_exact_mut(columns.max(1))).zip(&mut units);
        for ((scores, weights), unit) in heads_of.take(tokens) {
            let scores = scores.get_mut(..visible).unwrap_or_default();
            let largest = vector::scale_scores(bytemuck::cast_slice_mut(scores), self.key_scales, *unit);
            let total = exponentiate(scores, largest);
            *unit = quantise_weights(scores, total, self.value_scales, self.largest_scale, weights);
        }
        let values = Matrix { rows: head_dim, columns, stride: heads.room(), weights: self.values, scales: &[], bias: &[] };
        let in_place: &mut [i32] = bytemuck::cast_slice_mut(output);
        sums(&values, weights, tokens, in_place);
        for (output, unit) in output.chunks_exact_mut(head_dim.max(1)).zip(units) {
            // A head's width is a multiple of 4.
            for output in output.as_chunks_mut::<4>().0 {
                *output = output.map(|sum| sum.to_bits() as i32 as f32 * unit);
            }
        }
    }
}
