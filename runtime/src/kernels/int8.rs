//! Matrix times tile with row-pair packed int8 weights (see [`crate::format::packing`]).

use super::requantise::{as_sums, requantise};
use crate::format::packing::{GROUP_ROWS, LOW_OFFSET, pairs_in_group};

/// A packed int8 matrix, or the left part of one.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'m> {
    /// Output rows.
    pub rows: usize,
    /// Input columns, a multiple of 4.
    pub columns: usize,
    /// Columns that the matrix was packed with, at least `columns`: more in a cache that fills up.
    pub stride: usize,
    /// Packed weights.
    pub weights: &'m [i16],
    /// `[rows]`.
    pub scales: &'m [f32],
    /// `[rows]`, or empty.
    pub bias: &'m [f32],
}

impl<'m> Matrix<'m> {
    /// The groups of rows: how many pairs each has, and its `pairs * columns` halfwords (fewer where the memory is too short).
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, &'m [i16])> {
        let (rows, columns, size) = (self.rows, self.columns, GROUP_ROWS / 2 * self.stride);
        self.weights.chunks(size.max(1)).take(rows.div_ceil(GROUP_ROWS)).enumerate().map(move |(group, weights)| {
            let pairs = pairs_in_group(rows, group);
            (pairs, weights.get(..pairs * columns).unwrap_or_default())
        })
    }
}

/// `output[t][r] = (sum_c weight[r][c] * input[t][c]) * (scales[r] * input_scales[t]) + bias[r]`.
///
/// *Shapes*: `input` `[tokens, columns]`, `input_scales` `[tokens]`, `output` `[tokens, rows]`. *Range*: as [`sums`].
pub fn matmul(matrix: &Matrix<'_>, input: &[i16], input_scales: &[f32], tokens: usize, output: &mut [f32]) {
    sums(matrix, input, tokens, as_sums(output));
    for (output, input_scale) in output.chunks_exact_mut(matrix.rows.max(1)).zip(input_scales).take(tokens) {
        requantise(matrix.scales, matrix.bias, *input_scale, output);
    }
}

/// `sums[t][r] = sum_c weight[r][c] * input[t][c]`, exact: [`sums_portable`] or a fast twin, chosen at compile time.
///
/// *Shapes*: `input` `[tokens, columns]`, `sums` `[tokens, rows]`. *Range*: `|input| <= 127`; or at most 32,767 where no
/// [`EXACT_COLUMNS`](crate::format::packing::EXACT_COLUMNS) of them, counted from the first, have magnitudes of more than 65,535 in all.
#[inline(always)]
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    #[cfg(all(dsp, not(feature = "portable")))]
    super::dsp::sums(matrix, input, tokens, sums);
    #[cfg(all(scalar, not(feature = "portable")))]
    super::scalar::sums(matrix, input, tokens, sums);
    #[cfg(any(not(any(dsp, scalar)), feature = "portable"))]
    sums_portable(matrix, input, tokens, sums);
}

/// Columns that are unpacked at once: 768 bytes of stack, and whole vectors on the host.
const CHUNK: usize = 64;

/// The definition of the int8 product. *Shapes and range*: as [`sums`].
pub fn sums_portable(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, .. } = *matrix;
    debug_assert!(input.len() >= tokens * columns && sums.len() >= tokens * rows);
    let inputs = || input.chunks_exact(columns.max(1)).take(tokens);
    sums.iter_mut().take(tokens * rows).for_each(|sum| *sum = 0);
    for (group, (pairs, weights)) in matrix.groups().enumerate() {
        for (chunk, weights) in weights.chunks(pairs * CHUNK).enumerate() {
            let unpacked = unpack(weights, pairs);
            for (input, sums) in inputs().zip(sums.chunks_exact_mut(rows)) {
                let input = input.chunks(CHUNK).nth(chunk).unwrap_or_default();
                let sums = sums.iter_mut().skip(group * GROUP_ROWS);
                match input.as_array::<CHUNK>() {
                    Some(input) => sums.zip(&unpacked).for_each(|(sum, weights)| *sum = sum.wrapping_add(dot(weights, input))),
                    None => {
                        let mut padded = [0; CHUNK];
                        padded.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
                        sums.zip(&unpacked).for_each(|(sum, weights)| *sum = sum.wrapping_add(dot(weights, &padded)));
                    }
                }
            }
        }
    }
}

/// The rows of a group of `pairs` pairs over up to [`CHUNK`] columns, the rest of which are of any value.
fn unpack(weights: &[i16], pairs: usize) -> [[i16; CHUNK]; GROUP_ROWS] {
    let mut unpacked = [[0; CHUNK]; GROUP_ROWS];
    for (pair, rows) in unpacked.as_chunks_mut::<2>().0.iter_mut().take(pairs).enumerate() {
        let [a, b] = rows.each_mut().map(|row| row.as_chunks_mut::<2>().0.iter_mut());
        let words = weights.as_chunks::<2>().0.iter().skip(pair).step_by(pairs);
        for ((a, b), [even, odd]) in a.zip(b).zip(words) {
            *a = [even >> 8, odd >> 8];
            *b = [(even & 0xff) - LOW_OFFSET, (odd & 0xff) - LOW_OFFSET];
        }
    }
    unpacked
}

fn dot(weights: &[i16; CHUNK], input: &[i16; CHUNK]) -> i32 {
    let products = weights.iter().zip(input).map(|(w, x)| i32::from(*w) * i32::from(*x));
    products.fold(0, i32::wrapping_add)
}
