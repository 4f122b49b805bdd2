//! Matrix times tile with f16 weights and f32 arithmetic.

/// Partial sums per row: element `c` is added to lane `c % LANES`.
pub const LANES: usize = 4;
/// Rows that are multiplied at once: they share the loads of their input.
pub(super) const ROWS_TOGETHER: usize = 4;

/// An f16 matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'m> {
    /// Output rows.
    pub rows: usize,
    /// Input columns, a positive multiple of 4.
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
pub(super) fn fold([a, b, c, d]: [f32; LANES]) -> f32 {
    (a + c) + (b + d)
}

/// The sum in lanes. *Range*: the length is a multiple of 4.
#[inline(always)]
pub(crate) fn sum_lanes(values: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    for chunk in values.as_chunks::<LANES>().0 {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
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
    products(matrix, input, tokens, output);
    if !matrix.bias.is_empty() {
        for output in output.chunks_exact_mut(matrix.rows.max(1)).take(tokens) {
            output.iter_mut().zip(matrix.bias).for_each(|(y, bias)| *y += bias);
        }
    }
}

/// The products without the bias: [`products_portable`] or its fast twin, chosen at compile time.
///
/// *Shapes*: as those of [`matmul`].
#[inline(always)]
pub fn products(matrix: &Matrix<'_>, input: &[f32], tokens: usize, output: &mut [f32]) {
    #[cfg(all(vfp, not(feature = "portable")))]
    super::vfp::products(matrix, input, tokens, output);
    #[cfg(not(all(vfp, not(feature = "portable"))))]
    products_portable(matrix, input, tokens, output);
}

/// The definition of the f16 product: `input[t][c] * weight[r][c]` is added to lane `c % LANES` of `(t, r)`, column by column, and the
/// lanes are folded.
///
/// *Shapes*: as those of [`matmul`].
pub fn products_portable(matrix: &Matrix<'_>, input: &[f32], tokens: usize, output: &mut [f32]) {
    const CHUNK: usize = 64; // columns that are converted at once, into whole vectors on the host,
    const TOKENS: usize = 8; // for as many tokens
    let Matrix { rows, columns, weights, .. } = *matrix;
    if rows == 0 || columns == 0 {
        return;
    }
    let (Some(input), Some(output)) = (input.get(..tokens * columns), output.get_mut(..tokens * rows)) else { return };
    for (input, output) in input.chunks((TOKENS * columns).max(1)).zip(output.chunks_mut((TOKENS * rows).max(1))) {
        for (group, weights) in weights.chunks((ROWS_TOGETHER * columns).max(1)).enumerate() {
            let mut lanes = [[[0.0; LANES]; ROWS_TOGETHER]; TOKENS];
            for start in (0..columns).step_by(CHUNK) {
                let mut converted = [[0.0; CHUNK]; ROWS_TOGETHER];
                for (converted, weights) in converted.iter_mut().zip(weights.chunks_exact(columns)) {
                    for (to, half) in converted.iter_mut().zip(weights.iter().skip(start)) {
                        *to = to_f32(*half);
                    }
                }
                let [a, b, c, d] = converted.each_ref().map(|row| row.as_chunks::<LANES>().0);
                for (lanes, input) in lanes.iter_mut().zip(input.chunks_exact(columns)) {
                    let chunks = input.as_chunks::<LANES>().0.iter().skip(start / LANES);
                    for ((((x, a), b), c), d) in chunks.zip(a).zip(b).zip(c).zip(d) {
                        for (lanes, weights) in lanes.iter_mut().zip([a, b, c, d]) {
                            for ((lane, x), w) in lanes.iter_mut().zip(x).zip(weights) {
                                *lane += x * w;
                            }
                        }
                    }
                }
            }
            for (output, lanes) in output.chunks_exact_mut(rows).zip(lanes) {
                for (y, lanes) in output.iter_mut().skip(group * ROWS_TOGETHER).zip(lanes) {
                    *y = fold(lanes);
                }
            }
        }
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
