//! The int4 twin for cores that have neither vectors nor the DSP extension: two products to a multiplication.
//!
//! `u = w & 0x000f000f` holds the weights `u0`, `u1` of one row at two neighbouring columns, `0..=15`. With `X = (x0 << 16) + x1`, the
//! product `u X` modulo 2^32 has `u0 x0 + u1 x1` in its high half and `u0 x1` in its low half, whose sign may borrow one from the high
//! half. [`BLOCK`] of them can be added before either half leaves 16 bits.

use super::int4::Matrix;
use crate::format::quad_packing::{EXACT_COLUMNS, GROUP_ROWS, QUAD_ROWS};

/// Words that are added in halves of a word.
const BLOCK: usize = 8;

const _: () = assert!(2 * BLOCK * 15 * 127 < 1 << 15);

/// Twin of [`super::int4::sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let rows = matrix.rows.max(1);
    for (sums, input) in sums.chunks_exact_mut(rows).zip(input.chunks_exact(matrix.columns.max(1))).take(tokens) {
        sums.fill(0);
        for (piece, input) in input.chunks(EXACT_COLUMNS).enumerate() {
            let mut prepared = [0u32; EXACT_COLUMNS / 2];
            let total = prepare(input, &mut prepared);
            let prepared = prepared.get(..input.len() / 2).unwrap_or_default();
            for (words, sums) in matrix.weights.chunks(matrix.columns.max(1)).zip(sums.chunks_mut(GROUP_ROWS)) {
                let words = words.get(piece * EXACT_COLUMNS..).unwrap_or_default();
                for (quad, sums) in sums.chunks_mut(QUAD_ROWS).enumerate() {
                    let found = quad_sums(words.get(quad..).unwrap_or_default(), prepared);
                    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found - 8 * total);
                }
            }
        }
    }
}

/// The factors `(x0 << 16) + x1` of an input's column pairs; returns the sum of the input.
fn prepare(input: &[i16], prepared: &mut [u32; EXACT_COLUMNS / 2]) -> i32 {
    let mut total = 0;
    for (prepared, [x0, x1]) in prepared.iter_mut().zip(input.as_chunks::<2>().0) {
        total += i32::from(*x0) + i32::from(*x1);
        *prepared = ((i32::from(*x0) << 16) + i32::from(*x1)) as u32;
    }
    total
}

/// Sums of a quad's four rows with all weights in offset binary; every other one of `words` is the quad's.
#[inline(never)] // its sums shall have the registers to themselves
fn quad_sums(words: &[u32], prepared: &[u32]) -> [i32; QUAD_ROWS] {
    let mut sums = [0i32; QUAD_ROWS];
    for (words, prepared) in words.chunks(2 * BLOCK).zip(prepared.chunks(BLOCK)) {
        let mut halves = [0x8000u32; QUAD_ROWS]; // half a unit of the high half: the shift below then takes a borrow back
        for (word, x) in words.iter().step_by(2).zip(prepared) {
            let word = word ^ 0x8000_8000;
            let mut shift = 16;
            for halves in &mut halves {
                shift -= 4;
                *halves = halves.wrapping_add((word >> shift & 0x000f_000f).wrapping_mul(*x));
            }
        }
        for (sum, halves) in sums.iter_mut().zip(halves) {
            *sum += halves as i32 >> 16;
        }
    }
    sums
}
