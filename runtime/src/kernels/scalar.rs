//! The int8 twin for cores without the DSP extension: cuts a matrix into what the target's kernel takes, `thumb1` or `thumb2`.

#[cfg(armv6m)]
use super::thumb1::{PIECE, add_groups, with_activations};
#[cfg(not(armv6m))]
use super::thumb2::{PIECE, add_groups, with_activations};

use super::int8::{Matrix, sums_portable};
use crate::format::packing::GROUP_ROWS;

/// Pairs of a full group.
const PAIRS: usize = GROUP_ROWS / 2;

/// Twin of [`sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, stride, weights, .. } = *matrix;
    let activations = input.get(..tokens * columns).unwrap_or_default();
    let weights = weights.get(..weights.len() & !1).unwrap_or_default();
    // A word holds two columns. In a blob and in an arena everything is aligned to words.
    let (Ok(weights), Ok(input)) =
        (bytemuck::try_cast_slice::<i16, u32>(weights), bytemuck::try_cast_slice::<i16, u32>(activations))
    else {
        return sums_portable(matrix, activations, tokens, sums);
    };
    let groups = full_groups(rows);
    let rest = rows - groups * GROUP_ROWS;
    let (words, stride) = (columns / 2, PAIRS * stride / 2); // of one row of a token, and of one group
    let (mut input, mut sums) = (input, sums);
    for _ in 0..tokens {
        let (Some((row, next_input)), Some((row_sums, next_sums))) =
            (input.split_at_checked(words), sums.split_at_mut_checked(rows))
        else {
            return;
        };
        (input, sums) = (next_input, next_sums);
        row_sums.fill(0);
        let (full_sums, last_sums) = row_sums.split_at_mut_checked(groups * GROUP_ROWS).unwrap_or_default();
        for (piece, row) in row.chunks(PIECE / 2).enumerate() {
            let from = |word: usize| weights.get(word..).unwrap_or_default();
            let first = piece * (PIECE / 2);
            with_activations(row, |activations| {
                let gap = stride.saturating_sub(PAIRS * row.len());
                add_groups(from(PAIRS * first), PAIRS, groups, gap, activations, full_sums);
                if rest > 0 {
                    let pairs = rest.div_ceil(2);
                    let mut sums = [0; GROUP_ROWS]; // one more than is left, where that is odd
                    add_groups(from(groups * stride + pairs * first), pairs, 1, 0, activations, &mut sums);
                    last_sums.iter_mut().zip(sums).for_each(|(to, sum)| *to = to.wrapping_add(sum));
                }
            });
        }
    }
}

/// `rows / GROUP_ROWS`, without the call that a division is on Armv6-M. *Range*: `rows` below 98,304.
#[inline(always)]
const fn full_groups(rows: usize) -> usize {
    const { assert!(GROUP_ROWS == 6) }; // 43,691 / 2^18 is 1 / 6 and little more
    (rows * 43_691) >> 18
}
