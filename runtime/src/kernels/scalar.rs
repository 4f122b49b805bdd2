//! The int8 twin for cores that have neither vectors nor the DSP extension: it keeps its sums in registers, where
//! [`sums_portable`] unpacks into memory for a compiler that vectorises.

use super::int8::{Matrix, sums_portable};
use crate::format::packing::GROUP_ROWS;

type GroupSums = [i32; GROUP_ROWS];

/// Pairs of rows that are summed in one pass over the columns: as many as the registers hold. Armv6-M computes in eight.
const TOGETHER: usize = if cfg!(armv6m) { 1 } else { 3 };

/// Twin of [`sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, .. } = *matrix;
    for (input, sums) in input.chunks_exact(columns.max(1)).zip(sums.chunks_exact_mut(rows.max(1))).take(tokens) {
        // A word holds two columns. In a blob and in an arena everything is aligned to words.
        let Ok(input_words) = bytemuck::try_cast_slice::<i16, u32>(input) else {
            sums_portable(matrix, input, 1, sums);
            continue;
        };
        for ((pairs, weights), to) in matrix.groups().zip(sums.chunks_mut(GROUP_ROWS)) {
            let Ok(words) = bytemuck::try_cast_slice::<i16, u32>(weights) else {
                sums_portable(matrix, input, 1, sums);
                break;
            };
            let mut group = [0; GROUP_ROWS];
            match pairs {
                1 => self::group::<1>(words, input_words, &mut group),
                2 => self::group::<2>(words, input_words, &mut group),
                _ => self::group::<3>(words, input_words, &mut group),
            }
            to.iter_mut().zip(group).for_each(|(to, from)| *to = from);
        }
    }
}

/// A group of `ALL` pairs of rows.
fn group<const ALL: usize>(weights: &[u32], input: &[u32], sums: &mut GroupSums) {
    let weights = weights.as_chunks::<ALL>().0;
    if TOGETHER >= ALL {
        pass::<ALL, ALL, 0>(weights, input, sums);
    } else {
        pass::<ALL, 1, 0>(weights, input, sums);
        if ALL > 1 {
            pass::<ALL, 1, 1>(weights, input, sums);
        }
        if ALL > 2 {
            pass::<ALL, 1, 2>(weights, input, sums);
        }
    }
}

/// Adds the sums of `PAIRS` pairs of the group's `ALL`, from pair `FIRST` on.
#[inline(never)] // its sums shall have the registers to themselves
fn pass<const ALL: usize, const PAIRS: usize, const FIRST: usize>(weights: &[[u32; ALL]], input: &[u32], sums: &mut GroupSums) {
    let (mut p, mut q) = ([0i32; PAIRS], [0i32; PAIRS]);
    for (words, x) in weights.iter().zip(input) {
        let (x0, x1) = (i32::from(*x as i16), *x as i32 >> 16);
        for ((p, q), h) in p.iter_mut().zip(&mut q).zip(&words[FIRST.min(ALL - 1)..]) {
            let (h0, h1) = (i32::from(*h as i16), *h as i32 >> 16);
            *p = p.wrapping_add((h0 >> 8) * x0).wrapping_add((h1 >> 8) * x1);
            *q = q.wrapping_add(((h0 & 0xff) - 128) * x0).wrapping_add(((h1 & 0xff) - 128) * x1);
        }
    }
    for (sums, (p, q)) in sums.chunks_exact_mut(2).skip(FIRST).zip(p.iter().zip(&q)) {
        if let [a, b] = sums {
            *a = a.wrapping_add(*p);
            *b = b.wrapping_add(*q);
        }
    }
}
