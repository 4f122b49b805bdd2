//! Row-quad packing of int4 weights, both halves.
//!
//! One halfword holds four rows of one column: `4096 * A + 256 * (B + 8) + 16 * (C + 8) + (D + 8)`, so that the highest nibble is `A`
//! in two's complement and the others are in offset binary. A word holds two neighbouring columns (little-endian: the even column
//! low). Rows are taken in groups of [`GROUP_ROWS`] (two quads) whose words alternate: `quad 0 columns 0-1, quad 1 columns 0-1,
//! quad 0 columns 2-3, ...`. Rows that the last group lacks are stored as zeros.
//!
//! Why it is exact: let `P1` be the sum of `h x` over the columns modulo 2^32, and `P2`, `P3`, `P4` the same of the lowest three, two
//! and one nibbles of `h`. Then `A`'s row is `(P1 - P2) >> 12`, `B`'s `((P2 - P3) >> 8) - 8 sum(x)`, `C`'s `((P3 - P4) >> 4) - 8 sum(x)`
//! and `D`'s `P4 - 8 sum(x)`, as long as `|sum(A x)| < 2^19`, which holds for [`EXACT_COLUMNS`] columns of int8 activations. Longer
//! rows are summed in pieces.

use super::shape::INT4_ROW_MULTIPLE;

/// Rows of one group.
pub const GROUP_ROWS: usize = INT4_ROW_MULTIPLE;
/// Rows of one quad.
pub const QUAD_ROWS: usize = GROUP_ROWS / 2;
/// Columns that one accumulation may span: `8 * 127 * 512 < 2^19`.
pub const EXACT_COLUMNS: usize = 512;

const _: () = assert!(8 * 127 * EXACT_COLUMNS < 1 << 19);

/// Two columns of four rows of zeros.
const ZEROS: u32 = 0x0888_0888;

/// Bytes of a packed matrix.
pub const fn packed_bytes(rows: usize, columns: usize) -> usize {
    rows.next_multiple_of(GROUP_ROWS) / 2 * columns
}

/// Index of the word that holds `row` at `column`, and how far to shift its nibble down.
const fn place(columns: usize, row: usize, column: usize) -> (usize, usize) {
    let word = row / GROUP_ROWS * columns + column / 2 * 2 + row % GROUP_ROWS / QUAD_ROWS;
    (word, 16 * (column % 2) + 12 - 4 * (row % QUAD_ROWS))
}

/// Writes a matrix in packed form.
///
/// *Shapes*: `matrix` `[rows, columns]` row-major, `packed` words of [`packed_bytes`] bytes. *Range*: `-8 <= matrix <= 7`, of
/// anything else the lowest four bits; `columns` even.
pub fn pack(matrix: &[i8], rows: usize, columns: usize, packed: &mut [u32]) {
    debug_assert!(matrix.len() == rows * columns && packed.len() * 4 == packed_bytes(rows, columns));
    packed.fill(ZEROS);
    for row in 0..rows {
        for column in 0..columns {
            let (word, shift) = place(columns, row, column);
            // Offset and two's complement differ in the highest bit alone, which the zeros have right.
            packed[word] ^= (matrix[row * columns + column] as u32 & 15) << shift;
        }
    }
}

/// The weight at `row`, `column` of a packed matrix.
pub fn weight(packed: &[u32], columns: usize, row: usize, column: usize) -> i8 {
    let (word, shift) = place(columns, row, column);
    let nibble = (packed[word] ^ ZEROS) >> shift;
    (nibble as i8) << 4 >> 4
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn packing_round_trips_for_every_number_of_rows() {
        for rows in 1..=26 {
            for columns in [4, 8, 12] {
                let matrix: Vec<i8> = (0..rows * columns).map(|i| (i * 89 % 16) as i8 - 8).collect();
                let mut packed = std::vec![0; packed_bytes(rows, columns) / 4];
                pack(&matrix, rows, columns, &mut packed);
                for row in 0..rows {
                    for column in 0..columns {
                        assert_eq!(weight(&packed, columns, row, column), matrix[row * columns + column]);
                    }
                }
                for missing in rows..rows.next_multiple_of(GROUP_ROWS) {
                    assert!((0..columns).all(|column| weight(&packed, columns, missing, column) == 0));
                }
            }
        }
    }

    #[test]
    fn packed_words_alternate_between_the_quads_of_a_group() {
        let matrix: Vec<i8> = (0..12 * 4).map(|i| (i / 4 % 8) as i8 - if i % 4 == 3 { 8 } else { 0 }).collect();
        let mut packed = [0; 8];
        pack(&matrix, 12, 4, &mut packed);
        // Rows 0 to 3 at columns 0 and 1, rows 4 to 7 there, then columns 2 and 3 of both.
        assert_eq!(packed[..4], [0x09ab_09ab, 0x4def_4def, 0x8123_09ab, 0xc567_4def]);
        // Rows 8 to 11, and none.
        assert_eq!(packed[4..], [0x09ab_09ab, ZEROS, 0x8123_09ab, ZEROS]);
    }
}
