//! Matrix times tile with row-pair packed int8 weights (see [`crate::format::packing`]).

use super::TOKENS_PER_PASS;
use crate::format::packing::{EXACT_COLUMNS, GROUP_ROWS, pairs_in_group, split};

/// A packed int8 matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'m> {
    /// Output rows.
    pub rows: usize,
    /// Input columns, a multiple of 4.
    pub columns: usize,
    /// Packed weights.
    pub weights: &'m [i16],
    /// `[rows]`.
    pub scales: &'m [f32],
    /// `[rows]`, or empty.
    pub bias: &'m [f32],
}

/// Sums of the rows of one group, `A` of pair 0, `B` of pair 0, `A` of pair 1, ...
pub type GroupSums = [i32; GROUP_ROWS];

/// `output[t][r] = (sum_c weight[r][c] * input[t][c]) * (scales[r] * input_scales[t]) + bias[r]`.
///
/// *Shapes*: `input` `[tokens, columns]`, `input_scales` `[tokens]`, `output` `[tokens, rows]`. *Range*: `|input| <= 127`.
pub fn matmul(matrix: &Matrix<'_>, input: &[i16], input_scales: &[f32], tokens: usize, output: &mut [f32]) {
    let Matrix { rows, columns, .. } = *matrix;
    let mut sums = [[0; GROUP_ROWS]; TOKENS_PER_PASS];
    let mut first_token = 0;
    while first_token < tokens {
        let pass = (tokens - first_token).min(TOKENS_PER_PASS);
        let input = &input[first_token * columns..][..pass * columns];
        for group in 0..rows.div_ceil(GROUP_ROWS) {
            let pairs = pairs_in_group(rows, group);
            let weights = &matrix.weights[group * (GROUP_ROWS / 2) * columns..][..pairs * columns];
            sums[..pass].fill([0; GROUP_ROWS]); // not all of them: most calls are for one token
            let mut column = 0;
            while column < columns {
                let piece = (columns - column).min(EXACT_COLUMNS);
                let weights = &weights[pairs * column..][..pairs * piece];
                group_sums(weights, pairs, &input[column..], columns, piece, &mut sums[..pass]);
                column += piece;
            }
            let first_row = group * GROUP_ROWS;
            for (token, sums) in sums[..pass].iter().enumerate() {
                let token = first_token + token;
                let scale = input_scales[token];
                let output = &mut output[token * rows..][..rows];
                for ((y, sum), weight_scale) in output[first_row..].iter_mut().zip(sums).zip(&matrix.scales[first_row..]) {
                    *y = *sum as f32 * (weight_scale * scale);
                }
            }
        }
        first_token += pass;
    }
    if !matrix.bias.is_empty() {
        for output in output.chunks_exact_mut(rows).take(tokens) {
            for (y, bias) in output.iter_mut().zip(matrix.bias) {
                *y += bias;
            }
        }
    }
}

/// Adds the sums of one group over one piece of columns: [`group_sums_portable`] or a fast twin, chosen at compile time.
#[inline(always)]
pub fn group_sums(weights: &[i16], pairs: usize, input: &[i16], stride: usize, columns: usize, sums: &mut [GroupSums]) {
    #[cfg(all(dsp, not(feature = "portable")))]
    super::dsp::group_sums(weights, pairs, input, stride, columns, sums);
    #[cfg(all(scalar, not(feature = "portable")))]
    super::scalar::group_sums(weights, pairs, input, stride, columns, sums);
    #[cfg(any(not(any(dsp, scalar)), feature = "portable"))]
    group_sums_portable(weights, pairs, input, stride, columns, sums);
}

/// Adds, for each token `t`, the exact sums of a group's rows over `columns` columns to `sums[t]`. The definition of the int8 product.
///
/// *Shapes*: `weights` `pairs * columns` packed halfwords, `input` `[tokens, stride]` of which the first `columns` of each row are
/// read, `sums` `[tokens]`. *Range*: `columns` a multiple of 4, at most [`EXACT_COLUMNS`]; `|input| <= 127`.
pub fn group_sums_portable(weights: &[i16], pairs: usize, input: &[i16], stride: usize, columns: usize, sums: &mut [GroupSums]) {
    const CHUNK: usize = 64; // columns unpacked at once: 768 bytes of stack, and whole vectors on the host
    let mut start = 0;
    while start < columns {
        let chunk = (columns - start).min(CHUNK);
        let mut unpacked = [[0i16; CHUNK]; GROUP_ROWS]; // the group's rows
        for (index, words) in weights[pairs * start..][..pairs * chunk].chunks_exact(2 * pairs).enumerate() {
            for (pair, word) in words.chunks_exact(2).enumerate() {
                for (offset, halfword) in word.iter().enumerate() {
                    let (a, b) = split(*halfword);
                    unpacked[2 * pair][2 * index + offset] = a;
                    unpacked[2 * pair + 1][2 * index + offset] = b;
                }
            }
        }
        for (token, sums) in sums.iter_mut().enumerate() {
            let mut padded = [0i16; CHUNK];
            padded[..chunk].copy_from_slice(&input[token * stride + start..][..chunk]);
            for (total, unpacked) in sums.iter_mut().zip(&unpacked).take(2 * pairs) {
                let mut sum = 0i32;
                for (x, w) in padded.iter().zip(unpacked) {
                    sum = sum.wrapping_add(i32::from(*x) * i32::from(*w));
                }
                *total = total.wrapping_add(sum);
            }
        }
        start += chunk;
    }
}
