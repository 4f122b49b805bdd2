//! The int4 twin for cores that have neither vectors nor the DSP extension: two products to a multiplication.
//!
//! `u = w & 0x000f000f` holds the weights `u0`, `u1` of one row at two neighbouring columns, `0..=15`. With `X = (x0 << 16) + x1`, the
//! product `u X` modulo 2^32 has `u0 x0 + u1 x1` in its high half and `u0 x1` in its low half, whose sign may borrow one from the high
//! half. `BLOCK` of them can be added before either half leaves 16 bits.

use super::int4::Matrix;
use crate::format::quad_packing::{EXACT_COLUMNS, GROUP_ROWS, QUAD_ROWS};

/// Words that are added in halves of a word.
const BLOCK: usize = 8;

const _: () = assert!(2 * BLOCK * 15 * 127 < 1 << 15);

/// The factors of one piece, at the end of their memory: there the assembly finds out by its pointer where a block ends.
#[repr(C, align(32))]
struct Prepared([u32; 1 + EXACT_COLUMNS / 2]);

/// Twin of [`super::int4::sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let rows = matrix.rows.max(1);
    for (sums, input) in sums.chunks_exact_mut(rows).zip(input.chunks_exact(matrix.columns.max(1))).take(tokens) {
        sums.fill(0);
        for (piece, input) in input.chunks(EXACT_COLUMNS).enumerate() {
            let mut prepared = Prepared([0; 1 + EXACT_COLUMNS / 2]);
            let total = prepare(input, &mut prepared);
            for (words, sums) in matrix.weights.chunks(matrix.columns.max(1)).zip(sums.chunks_mut(GROUP_ROWS)) {
                let words = words.get(piece * EXACT_COLUMNS..).unwrap_or_default();
                for (quad, sums) in sums.chunks_mut(QUAD_ROWS).enumerate() {
                    let found = quad_sums(words.get(quad..).unwrap_or_default(), &prepared, input.len() / 2, -8 * total);
                    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
                }
            }
        }
    }
}

/// Writes the factors `(x0 << 16) + x1` of an input's column pairs; returns the sum of the input.
fn prepare(input: &[i16], prepared: &mut Prepared) -> i32 {
    let mut total = 0;
    for (prepared, [x0, x1]) in prepared.0.iter_mut().rev().zip(input.as_chunks::<2>().0.iter().rev()) {
        total += i32::from(*x0) + i32::from(*x1);
        *prepared = ((i32::from(*x0) << 16) + i32::from(*x1)) as u32;
    }
    total
}

/// The sums of a quad's four rows with all weights in offset binary, added to `offset`; every other one of `words` is the quad's. `count`
/// factors are prepared, an even number.
#[cfg_attr(all(scalar, not(feature = "portable")), allow(unsafe_code))] // the kernel is assembly, and the extents are checked here
fn quad_sums(words: &[u32], prepared: &Prepared, count: usize, offset: i32) -> [i32; QUAD_ROWS] {
    let mut sums = [offset; QUAD_ROWS];
    let Some(before) = (EXACT_COLUMNS / 2).checked_sub(count) else { return sums };
    #[cfg(all(scalar, not(feature = "portable")))]
    if count > 0 && count.is_multiple_of(2) && words.len() + 1 >= 2 * count {
        let (first, end) = (prepared.0.as_ptr().wrapping_add(before), prepared.0.as_ptr().wrapping_add(EXACT_COLUMNS / 2));
        // SAFETY: the kernel reads `count` words from the one behind `first` to the one at `end`, the last of the array, and every other
        // one of `2 * count - 1` weights; the array is aligned to 32 bytes and so is the place of its last element.
        unsafe { super::thumb4::add_quad(words.as_ptr(), first, end, &mut sums) }
    }
    #[cfg(not(all(scalar, not(feature = "portable"))))]
    for (words, prepared) in blocks(words, prepared.0.get(before + 1..).unwrap_or_default()) {
        let mut halves = [0x8000u32; QUAD_ROWS]; // half a unit of the high half: the shift below then takes a borrow back
        for (word, x) in words.iter().step_by(2).zip(prepared) {
            let word = word ^ 0x8000_8000;
            for (halves, shift) in halves.iter_mut().zip([12, 8, 4, 0]) {
                *halves = halves.wrapping_add((word >> shift & 0x000f_000f).wrapping_mul(*x));
            }
        }
        for (sum, halves) in sums.iter_mut().zip(halves) {
            *sum += halves as i32 >> 16;
        }
    }
    sums
}

/// The blocks of a quad's words and of their factors.
#[cfg(not(all(scalar, not(feature = "portable"))))]
fn blocks<'a>(words: &'a [u32], prepared: &'a [u32]) -> impl Iterator<Item = (&'a [u32], &'a [u32])> {
    words.chunks(2 * BLOCK).zip(prepared.chunks(BLOCK))
}
