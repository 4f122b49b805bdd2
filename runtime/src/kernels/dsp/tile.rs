//! Matrix times four tokens.

use super::{Matrix, vector};

/// Tokens of one call.
pub(super) const TOKENS: usize = 4;

/// The sums of [`TOKENS`] tokens.
///
/// # Safety
/// As [`vector::sums`], for each token.
pub(super) unsafe fn sums(matrix: &Matrix<'_>, input: &[i16], sums: &mut [i32]) {
    for (input, sums) in input.chunks_exact(matrix.columns).zip(sums.chunks_exact_mut(matrix.rows)) {
        // SAFETY: the caller's.
        unsafe { vector::sums(matrix, input, sums) }
    }
}
