//! Row-pair packing of int8 weights, both halves.
//!
//! One halfword holds two rows of one column: `256 * A + (B + 128)`, `|A|, |B| <= 127`: A in two's complement above B in offset binary,
//! so that one mask takes both columns of B out of a word. A word holds two neighbouring columns (little-endian: the even column low). Rows are taken in groups of up to [`GROUP_ROWS`] (three pairs); inside a group the words of its pairs
//! alternate, so that a kernel reads one stream: `pair 0 columns 0-1, pair 1 columns 0-1, pair 2 columns 0-1, pair 0 columns 2-3, ...`.
//! The last group has as many pairs as are left; a missing last row is stored as zeros.
//!
//! Why two 16-bit products are exact: with `P = sum((256 A + B + 128) x)` and `Q = sum((B + 128) x)` modulo 2^32, `A`'s row is
//! `(P - Q) >> 8` as long as `|sum(A x)| < 2^23`, which holds for [`EXACT_COLUMNS`] columns of int8 activations and any bytes; `B`'s is
//! `Q - 128 sum(x)`. Longer rows are summed in pieces.

use super::shape::ROW_MULTIPLE;

/// What a halfword adds to its lower row.
pub const LOW_OFFSET: i16 = 128;
/// Rows of one full group.
pub const GROUP_ROWS: usize = 6;
/// Columns that one accumulation may span: `128 * 127 * 512 < 2^23`.
pub const EXACT_COLUMNS: usize = 512;

const _: () = assert!(128 * 127 * EXACT_COLUMNS < 1 << 23);

/// Bytes of a packed matrix.
pub const fn packed_bytes(rows: usize, columns: usize) -> usize {
    rows.next_multiple_of(ROW_MULTIPLE) * columns
}

/// Row pairs in group `group` of a matrix with `rows` rows.
pub const fn pairs_in_group(rows: usize, group: usize) -> usize {
    let left = rows.next_multiple_of(ROW_MULTIPLE) - group * GROUP_ROWS;
    if left < GROUP_ROWS { left / 2 } else { GROUP_ROWS / 2 }
}

/// Index, in halfwords, of the pair that holds `row` at `column`.
const fn halfword(rows: usize, columns: usize, row: usize, column: usize) -> usize {
    let group = row / GROUP_ROWS;
    let pair = (row % GROUP_ROWS) / 2;
    group * GROUP_ROWS / 2 * columns + (column / 2 * pairs_in_group(rows, group) + pair) * 2 + column % 2
}

/// Splits a halfword into its rows `(A, B)`.
pub const fn split(halfword: i16) -> (i16, i16) {
    (halfword >> 8, (halfword & 0xff) - LOW_OFFSET)
}

/// Writes a matrix in packed form.
///
/// *Shapes*: `matrix` `[rows, columns]` row-major, `packed` halfwords of [`packed_bytes`] bytes. *Range*: `|matrix| <= 127`.
pub fn pack(matrix: &[i8], rows: usize, columns: usize, packed: &mut [i16]) {
    debug_assert!(matrix.len() == rows * columns && packed.len() * 2 == packed_bytes(rows, columns));
    packed.fill(LOW_OFFSET);
    for row in 0..rows {
        for column in 0..columns {
            let value = i16::from(matrix[row * columns + column]);
            let factor = if row.is_multiple_of(2) { 256 } else { 1 };
            packed[halfword(rows, columns, row, column)] += value * factor;
        }
    }
}

/// The weight at `row`, `column` of a packed matrix.
pub fn weight(packed: &[i16], rows: usize, columns: usize, row: usize, column: usize) -> i16 {
    let (a, b) = split(packed[halfword(rows, columns, row, column)]);
    if row.is_multiple_of(2) { a } else { b }
}

/// The weights of `row` of a packed matrix, two columns at a time.
pub fn row(packed: &[i16], rows: usize, columns: usize, row: usize) -> impl Iterator<Item = [i16; 2]> {
    let pairs = pairs_in_group(rows, row / GROUP_ROWS);
    let words = packed.get(halfword(rows, columns, row, 0)..).unwrap_or_default().chunks(2 * pairs.max(1));
    let upper = row.is_multiple_of(2);
    let select = move |(a, b)| if upper { a } else { b };
    words.take(columns / 2).filter_map(move |word| word.first_chunk::<2>().map(|word| word.map(|h| select(split(h)))))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn packing_round_trips_for_every_group_size() {
        for rows in [1, 2, 3, 5, 6, 7, 8, 11, 12, 13] {
            for columns in [4, 8, 12] {
                let matrix: Vec<i8> =
                    (0..rows * columns).map(|i| ((i * 89 + 7) % 255) as u8 as i8).map(|w| w.max(-127)).collect();
                let mut packed = std::vec![0i16; packed_bytes(rows, columns) / 2];
                pack(&matrix, rows, columns, &mut packed);
                for row in 0..rows {
                    let two_by_two: Vec<i16> = super::row(&packed, rows, columns, row).flatten().collect();
                    let wanted: Vec<i16> = matrix[row * columns..][..columns].iter().map(|w| i16::from(*w)).collect();
                    assert_eq!(two_by_two, wanted);
                    for column in 0..columns {
                        assert_eq!(weight(&packed, rows, columns, row, column), i16::from(matrix[row * columns + column]));
                    }
                }
            }
        }
    }

    #[test]
    fn packed_words_alternate_between_the_pairs_of_a_group() {
        let matrix: Vec<i8> = (0..8 * 4).map(|i| i as i8).collect();
        let mut packed = [0i16; 16];
        pack(&matrix, 8, 4, &mut packed);
        let halfwords = |rows: &[(i16, i16)]| rows.iter().map(|(a, b)| 256 * a + b + LOW_OFFSET).collect::<Vec<_>>();
        // Rows 0 and 1 at columns 0 and 1, then rows 2 and 3, then rows 4 and 5, then columns 2 and 3 of rows 0 and 1.
        assert_eq!(packed[..8], halfwords(&[(0, 4), (1, 5), (8, 12), (9, 13), (16, 20), (17, 21), (2, 6), (3, 7)]));
        // Rows 6 and 7 are a group of one pair.
        assert_eq!(packed[12..], halfwords(&[(24, 28), (25, 29), (26, 30), (27, 31)]));
    }
}
