//! Matrix times tile with row-quad packed int4 weights (see [`crate::format::quad_packing`]).

use super::requantise::{as_sums, requantise};
use crate::format::quad_packing::{GROUP_ROWS, QUAD_ROWS};

/// A packed int4 matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'m> {
    /// Output rows.
    pub rows: usize,
    /// Input columns, a multiple of 4.
    pub columns: usize,
    /// Packed weights, two columns of four rows a word.
    pub weights: &'m [u32],
    /// `[rows]`.
    pub scales: &'m [f32],
    /// `[rows]`, or empty.
    pub bias: &'m [f32],
}

/// `output[t][r] = (sum_c weight[r][c] * input[t][c]) * (scales[r] * input_scales[t]) + bias[r]`.
///
/// *Shapes*: `input` `[tokens, columns]`, `input_scales` `[tokens]`, `output` `[tokens, rows]`. *Range*: `|input| <= 127`.
pub fn matmul(matrix: &Matrix<'_>, input: &[i16], input_scales: &[f32], tokens: usize, output: &mut [f32]) {
    sums(matrix, input, tokens, as_sums(output));
    for (output, input_scale) in output.chunks_exact_mut(matrix.rows.max(1)).zip(input_scales).take(tokens) {
        requantise(matrix.scales, matrix.bias, *input_scale, output);
    }
}

/// The exact sums `sums[t][r] = sum_c weight[r][c] * input[t][c]`: [`sums_portable`] or a fast twin, chosen at compile time.
///
/// *Shapes*: `input` `[tokens, columns]`, `sums` `[tokens, rows]`. *Range*: `|input| <= 127`.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    #[cfg(all(dsp, not(feature = "portable")))]
    super::dsp4::sums(matrix, input, tokens, sums);
    #[cfg(all(scalar, not(feature = "portable")))]
    super::scalar4::sums(matrix, input, tokens, sums);
    #[cfg(any(not(any(dsp, scalar)), feature = "portable"))]
    sums_portable(matrix, input, tokens, sums);
}

/// The definition of [`sums`], in a form that compilers make vectors of.
pub fn sums_portable(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    const CHUNK: usize = 64; // columns unpacked at once: 1.4 KiB of stack, and whole vectors on the host
    let rows = matrix.rows.max(1);
    sums.iter_mut().take(tokens * rows).for_each(|sum| *sum = 0);
    for (group, words) in matrix.weights.chunks(matrix.columns.max(1)).enumerate() {
        for (index, words) in words.chunks(CHUNK).enumerate() {
            let mut unpacked = [[0i16; CHUNK]; GROUP_ROWS];
            for (quad, unpacked) in unpacked.as_chunks_mut::<QUAD_ROWS>().0.iter_mut().enumerate() {
                let mut halfwords = [0u16; CHUNK];
                for ([even, odd], word) in halfwords.as_chunks_mut::<2>().0.iter_mut().zip(words.iter().skip(quad).step_by(2)) {
                    (*even, *odd) = (*word as u16, (word >> 16) as u16);
                }
                for (row, shift) in unpacked.iter_mut().zip([12, 8, 4, 0]) {
                    for (w, h) in row.iter_mut().zip(&halfwords) {
                        *w = ((h ^ 0x8000) >> shift & 15) as i16 - 8;
                    }
                }
            }
            for (sums, input) in sums.chunks_exact_mut(rows).zip(input.chunks_exact(matrix.columns.max(1))).take(tokens) {
                let mut padded = [0i16; CHUNK];
                padded.iter_mut().zip(input.iter().skip(index * CHUNK)).for_each(|(to, from)| *to = *from);
                for (sum, row) in sums.iter_mut().skip(group * GROUP_ROWS).zip(&unpacked) {
                    *sum += row.iter().zip(&padded).map(|(w, x)| i32::from(*w) * i32::from(*x)).sum::<i32>();
                }
            }
        }
    }
}
