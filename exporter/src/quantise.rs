//! Symmetric integer quantisation of a matrix, one scale per output row.

/// Largest magnitude of an int8 weight.
pub const INT8: i8 = 127;
/// Largest magnitude of an int4 weight.
pub const INT4: i8 = 7;

/// Quantises each row by its absolute maximum, which becomes `most`; a row of zeros becomes zeros.
///
/// *Shapes*: `weight` `[rows, columns]`; returns integers `[rows, columns]` in `-most..=most` and scales `[rows]`, so that
/// `weight ~ integer * scale`. *Error*: at most half a scale per weight.
pub fn quantise_rows(weight: &[f32], columns: usize, most: i8) -> (Vec<i8>, Vec<f32>) {
    let most = f32::from(most);
    let mut quantised = Vec::with_capacity(weight.len());
    let mut scales = Vec::with_capacity(weight.len() / columns);
    for row in weight.chunks_exact(columns) {
        let largest = row.iter().fold(0f32, |largest, w| largest.max(w.abs()));
        // Below this the reciprocal overflows; such a row is all zeros for any purpose.
        let inverse = if largest > 1e-30 { most / largest } else { 0.0 };
        quantised.extend(row.iter().map(|w| (w * inverse).round_ties_even() as i8));
        scales.push(largest / most);
    }
    (quantised, scales)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_at_most_half_a_scale_and_the_range_is_symmetric() {
        let weight: Vec<f32> = (0..64).map(|i| ((i * 37 % 64) as f32 - 31.0) * 0.013).collect();
        for most in [INT8, INT4] {
            let (quantised, scales) = quantise_rows(&weight, 16, most);
            for (index, (w, q)) in weight.iter().zip(&quantised).enumerate() {
                let scale = scales[index / 16];
                assert!((w - f32::from(*q) * scale).abs() <= 0.5001 * scale);
            }
            assert_eq!(quantised.iter().map(|q| q.unsigned_abs()).max(), Some(most.unsigned_abs()));
        }
    }

    #[test]
    fn a_row_of_zeros_has_scale_zero() {
        assert_eq!(quantise_rows(&[0.0; 4], 4, INT8), (vec![0; 4], vec![0.0]));
    }
}
