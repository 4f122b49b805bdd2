//! Matrix times tile with f16 weights and f32 arithmetic.

use super::TOKENS_PER_PASS;

/// Partial sums per row: element `c` is added to lane `c % LANES`.
pub const LANES: usize = 8;

/// An f16 matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'m> {
    /// Output rows.
    pub rows: usize,
    /// Input columns, a multiple of 4.
    pub columns: usize,
    /// f16 bits, `[rows, columns]`, finite.
    pub weights: &'m [u16],
    /// `[rows]`, or empty.
    pub bias: &'m [f32],
}

/// f16 bits to f32, exact for every finite value. (Infinities and NaNs, which a validated blob does not hold, become large numbers.)
#[inline(always)]
pub fn to_f32(half: u16) -> f32 {
    const TWO_TO_112: f32 = f32::from_bits((112 + 127) << 23);
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * TWO_TO_112;
    f32::from_bits(magnitude.to_bits() | u32::from(half & 0x8000) << 16)
}

/// Folds the lanes in a fixed order.
#[inline(always)]
fn fold(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// `sum(f(x))` in lanes. *Range*: the length is a multiple of 4.
#[inline(always)]
pub(crate) fn sum_lanes(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    for chunk in values.chunks(LANES) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f(*value);
        }
    }
    fold(lanes)
}

/// `sum(a b)` in lanes, both `[n]`.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    fold(lanes)
}

/// `sum(a b)` in lanes with `b` in f16, both `[n]`.
#[inline(always)]
pub(crate) fn dot_half(a: &[f32], b: &[u16]) -> f32 {
    let mut lanes = [0.0; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * to_f32(*b);
        }
    }
    fold(lanes)
}

/// `output[t][r] = sum_c input[t][c] * weight[r][c] + bias[r]`.
///
/// *Shapes*: `input` `[tokens, columns]`, `output` `[tokens, rows]`.
pub fn matmul(matrix: &Matrix<'_>, input: &[f32], tokens: usize, output: &mut [f32]) {
    let Matrix { rows, columns, .. } = *matrix;
    let mut lanes = [[0.0; LANES]; TOKENS_PER_PASS];
    let mut first_token = 0;
    while first_token < tokens {
        let pass = (tokens - first_token).min(TOKENS_PER_PASS);
        let input = &input[first_token * columns..][..pass * columns];
        for (row, weights) in matrix.weights.chunks_exact(columns).enumerate().take(rows) {
            lanes[..pass].fill([0.0; LANES]); // not all of them: most calls are for one token
            row_lanes(weights, input, columns, &mut lanes[..pass]);
            let bias = matrix.bias.get(row).copied();
            for (token, lanes) in lanes[..pass].iter().enumerate() {
                let sum = fold(*lanes);
                output[(first_token + token) * rows + row] = if let Some(bias) = bias { sum + bias } else { sum };
            }
        }
        first_token += pass;
    }
}

/// The lane sums of one row for each token: [`row_lanes_portable`] or its fast twin, chosen at compile time.
///
/// *Range*: as there, and `weights` word-aligned.
#[inline(always)]
pub fn row_lanes(weights: &[u16], input: &[f32], stride: usize, lanes: &mut [[f32; LANES]]) {
    #[cfg(all(vfp, not(feature = "portable")))]
    super::vfp::row_lanes(weights, input, stride, lanes);
    #[cfg(not(all(vfp, not(feature = "portable"))))]
    row_lanes_portable(weights, input, stride, lanes);
}

/// Adds, for each token `t`, `input[t][c] * weights[c]` to `lanes[t][c % LANES]`, column by column.
///
/// *Shapes*: `weights` `[columns]`, `input` `[tokens, stride]`, `lanes` `[tokens]`. *Range*: `columns` a multiple of 4.
pub fn row_lanes_portable(weights: &[u16], input: &[f32], stride: usize, lanes: &mut [[f32; LANES]]) {
    const CHUNK: usize = 64; // columns converted at once
    let columns = weights.len();
    let mut start = 0;
    while start < columns {
        let chunk = (columns - start).min(CHUNK);
        let mut converted = [0.0; CHUNK];
        for (to, half) in converted.iter_mut().zip(&weights[start..start + chunk]) {
            *to = to_f32(*half);
        }
        for (token, lanes) in lanes.iter_mut().enumerate() {
            let input = &input[token * stride + start..][..chunk];
            for (input, converted) in input.chunks(LANES).zip(converted.chunks(LANES)) {
                for ((lane, x), w) in lanes.iter_mut().zip(input).zip(converted) {
                    *lane += x * w;
                }
            }
        }
        start += chunk;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    #[test]
    fn every_finite_half_converts_exactly() {
        for bits in 0..=u16::MAX {
            let half = f16::from_bits(bits);
            if half.is_finite() {
                assert_eq!(to_f32(bits).to_bits(), half.to_f32().to_bits(), "{bits:04x}");
            }
        }
    }
}
