//! Matrix times tile with row-pair packed int8 weights (see [`crate::format::packing`]).

use super::requantise::add;
use crate::format::packing::{GROUP_ROWS, LOW_OFFSET, pairs_in_group, split};

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
    #[cfg(all(dsp, vfp, not(feature = "portable")))]
    super::dsp::scaled(matrix, input, input_scales, tokens, output);
    #[cfg(not(all(dsp, vfp, not(feature = "portable"))))]
    scaled(matrix, input, input_scales, tokens, output);
    for output in output.chunks_exact_mut(matrix.rows.max(1)).take(tokens) {
        add(matrix.bias, output);
    }
}

/// The results without the bias.
#[cfg(not(all(dsp, vfp, not(feature = "portable"))))]
fn scaled(matrix: &Matrix<'_>, input: &[i16], input_scales: &[f32], tokens: usize, output: &mut [f32]) {
    use super::requantise::{as_sums, requantise};
    sums(matrix, input, tokens, as_sums(output));
    for (output, input_scale) in output.chunks_exact_mut(matrix.rows.max(1)).zip(input_scales).take(tokens) {
        requantise(matrix.scales, &[], *input_scale, output);
    }
}

/// `sums[t][r] = sum_c weight[r][c] * input[t][c]`, exact: [`sums_portable`] or a fast twin, chosen at compile time.
///
/// *Shapes*: `input` `[tokens, columns]`, `sums` `[tokens, rows]`. *Range*: `|input| <= 127`; or at most 32,767 where no
/// [`EXACT_COLUMNS`](crate::format::packing::EXACT_COLUMNS) of them, counted from the first, have magnitudes of more than 65,535
/// in all.
#[inline(always)]
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    #[cfg(all(dsp, not(feature = "portable")))]
    super::dsp::sums(matrix, input, tokens, sums);
    #[cfg(all(scalar, not(feature = "portable")))]
    super::scalar::sums(matrix, input, tokens, sums);
    #[cfg(any(not(any(dsp, scalar)), feature = "portable"))]
    sums_portable(matrix, input, tokens, sums);
}

/// Pairs of rows of a full group.
const PAIRS: usize = GROUP_ROWS / 2;
/// Words of a full group that are taken at once, which hold eight columns; whole vectors on the host.
const WORDS: usize = 4 * PAIRS;
/// Eight columns of the input, in the places of the words of a full group: the even ones and the odd ones.
type Spread = [[i32; WORDS]; 2];
/// Columns that are spread at once.
const CHUNK: usize = 128;

/// The definition of the int8 product. *Shapes and range*: as [`sums`].
pub fn sums_portable(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, .. } = *matrix;
    debug_assert!(input.len() >= tokens * columns && sums.len() >= tokens * rows);
    for (input, sums) in input.chunks_exact(columns.max(1)).zip(sums.chunks_exact_mut(rows.max(1))).take(tokens) {
        sums.fill(0);
        for (chunk, input) in input.chunks(CHUNK).enumerate() {
            let spread = spread(input);
            let start = input.iter().fold(0i32, |sum, x| sum.wrapping_sub(i32::from(LOW_OFFSET) * i32::from(*x)));
            for ((pairs, weights), sums) in matrix.groups().zip(sums.chunks_mut(GROUP_ROWS)) {
                let weights = weights.chunks((pairs * CHUNK).max(1)).nth(chunk).unwrap_or_default();
                let more = match bytemuck::try_cast_slice(weights) {
                    Ok(words) if pairs == PAIRS => full_group(words, &spread, start),
                    _ => any_group(weights, pairs, input),
                };
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.wrapping_add(more));
            }
        }
    }
}

/// Up to [`CHUNK`] columns, zeros behind them.
fn spread(input: &[i16]) -> [Spread; CHUNK / 8] {
    let mut spread = [[[0; WORDS]; 2]; CHUNK / 8];
    for ([evens, odds], input) in spread.iter_mut().zip(input.chunks(8)) {
        let places = evens.chunks_exact_mut(PAIRS).zip(odds.chunks_exact_mut(PAIRS));
        for ((evens, odds), [even, odd]) in places.zip(input.as_chunks::<2>().0) {
            evens.fill(i32::from(*even));
            odds.fill(i32::from(*odd));
        }
    }
    spread
}

/// Sums of the six rows of a full group: both rows of a pair in offset binary, which `start = -128 sum(x)` takes back. The shape
/// of the loop is one that compilers make vectors of.
fn full_group(words: &[u32], spread: &[Spread; CHUNK / 8], start: i32) -> [i32; GROUP_ROWS] {
    let (mut a, mut b) = ([0i32; WORDS], [0i32; WORDS]);
    let (blocks, rest) = words.as_chunks::<WORDS>();
    for (words, spread) in blocks.iter().zip(spread) {
        add_block(words, spread, &mut a, &mut b);
    }
    if let (false, Some(spread)) = (rest.is_empty(), spread.get(blocks.len())) {
        let mut words = [0; WORDS];
        words.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        add_block(&words, spread, &mut a, &mut b);
    }
    let mut sums = [start; GROUP_ROWS];
    for (a, b) in a.as_chunks::<PAIRS>().0.iter().zip(b.as_chunks::<PAIRS>().0) {
        for (([sum_a, sum_b], a), b) in sums.as_chunks_mut::<2>().0.iter_mut().zip(a).zip(b) {
            (*sum_a, *sum_b) = (sum_a.wrapping_add(*a), sum_b.wrapping_add(*b));
        }
    }
    sums
}

#[inline(always)]
fn add_block(words: &[u32; WORDS], [evens, odds]: &Spread, a: &mut [i32; WORDS], b: &mut [i32; WORDS]) {
    for k in 0..WORDS {
        let word = words[k] ^ 0x8000_8000;
        let (even, odd) = (i32::from(evens[k] as i16), i32::from(odds[k] as i16)); // the compiler shall know that they are small
        a[k] = a[k].wrapping_add((word >> 8 & 0xff) as i32 * even).wrapping_add((word >> 24) as i32 * odd);
        b[k] = b[k].wrapping_add((word & 0xff) as i32 * even).wrapping_add((word >> 16 & 0xff) as i32 * odd);
    }
}

/// The same of any group, product by product.
fn any_group(weights: &[i16], pairs: usize, input: &[i16]) -> [i32; GROUP_ROWS] {
    let mut sums = [0i32; GROUP_ROWS];
    for (words, input) in weights.chunks_exact((2 * pairs).max(1)).zip(input.as_chunks::<2>().0) {
        for (sums, word) in sums.as_chunks_mut::<2>().0.iter_mut().zip(words.as_chunks::<2>().0) {
            for (halfword, x) in word.iter().zip(input) {
                let (a, b) = split(*halfword);
                sums[0] = sums[0].wrapping_add(i32::from(a) * i32::from(*x));
                sums[1] = sums[1].wrapping_add(i32::from(b) * i32::from(*x));
            }
        }
    }
    sums
}
