//! The int4 twin for cores with the DSP extension: Armv7E-M, and Armv8-M Mainline where it has that.
//!
//! A word of weights holds eight: two columns of four rows. Four multiplications, each with fewer nibbles of the halfwords than the one
//! before, give four sums whose differences are the rows (see [`crate::format::quad_packing`]).
#![allow(unsafe_code)] // naked functions, called with pointers whose extents the safe wrappers check

use super::int4::{Matrix, groups};
use super::scalar4;
use crate::format::quad_packing::{EXACT_COLUMNS, GROUP_ROWS};

/// A naked function is assembled apart from the target's features; those of Armv8-M would not have the extension in any case.
#[cfg(armv8m)]
macro_rules! processor {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(not(armv8m))]
macro_rules! processor {
    () => {
        ""
    };
}

/// Sixteen products: activations in r11, words of the two quads in r12 and lr, their sums in r3-r6 and r7-r10. The quads take turns, so
/// that a core that issues two instructions at a time finds two.
macro_rules! word {
    () => {
        "smlad r3, r12, r11, r3
        bic r12, r12, #0xf000f000
        smlad r7, lr, r11, r7
        bic lr, lr, #0xf000f000
        smlad r4, r12, r11, r4
        uxtb16 r12, r12
        smlad r8, lr, r11, r8
        uxtb16 lr, lr
        smlad r5, r12, r11, r5
        and r12, r12, #0x000f000f
        smlad r9, lr, r11, r9
        and lr, lr, #0x000f000f
        smlad r6, r12, r11, r6
        smlad r10, lr, r11, r10"
    };
}

/// The sums of some groups of two quads, eight rows each, over one piece of columns. `offset` is -8 times the sum of the input; `skip` is
/// what lies between the end of a group's piece and its next, in bytes.
///
/// # Safety
/// `input` is valid up to `end`, which lies a multiple of 8 bytes behind it, at most 1024; `weights` for `groups` times twice as many
/// bytes and `skip`, but for the last `skip`; `sums` for `8 * groups` writes. `groups` is not 0.
#[unsafe(naked)]
unsafe extern "C" fn two_quads(
    weights: *const u32,
    input: *const i16,
    end: *const i16,
    sums: *mut i32,
    groups: usize,
    skip: usize,
    offset: i32,
) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r1-r11, lr}}",
        "1:",
        "ldr r1, [sp]",
        "ldr r2, [sp, #4]",
        "movs r3, #0",
        "movs r4, #0",
        "movs r5, #0",
        "movs r6, #0",
        "movs r7, #0",
        "mov r8, r3",
        "mov r9, r3",
        "mov r10, r3",
        // A turn is eight columns; the first one may be the second half of that.
        "sub r11, r2, r1",
        "lsls r11, r11, #28",
        "bpl 2f",
        "adds r1, #8",
        "adds r0, #16",
        "b 3f",
        ".balign 8",
        "2:",
        "ldr r12, [r0], #32",
        "ldr r11, [r1], #16", // between the two, so that each load pipelines
        "ldr lr, [r0, #-28]",
        word!(),
        "ldr r11, [r1, #-12]",
        "ldr r12, [r0, #-24]",
        "ldr lr, [r0, #-20]",
        word!(),
        "3:",
        "ldr r11, [r1, #-8]",
        "ldr r12, [r0, #-16]",
        "ldr lr, [r0, #-12]",
        word!(),
        "ldr r11, [r1, #-4]",
        "ldr r12, [r0, #-8]",
        "ldr lr, [r0, #-4]",
        word!(),
        "cmp.w r1, r2",
        "bne.w 2b",
        "ldr r11, [sp, #56]",
        "ldr r12, [sp, #8]",
        "subs r3, r3, r4",
        "subs r4, r4, r5",
        "subs r5, r5, r6",
        "sub r7, r7, r8",
        "sub r8, r8, r9",
        "sub r9, r9, r10",
        "asrs r3, r3, #12",
        "add r4, r11, r4, asr #8",
        "add r5, r11, r5, asr #4",
        "add r6, r11",
        "asrs r7, r7, #12",
        "add r8, r11, r8, asr #8",
        "add r9, r11, r9, asr #4",
        "add r10, r11",
        "stmia r12!, {{r3-r10}}",
        "ldr r2, [sp, #52]",
        "ldr r3, [sp, #48]",
        "str r12, [sp, #8]",
        "add r0, r2",
        "subs r3, #1",
        "str r3, [sp, #48]",
        "bne 1b",
        "add sp, #12",
        "pop {{r4-r11, pc}}",
    )
}

/// Twin of [`super::int4::sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, .. } = *matrix;
    for (sums, input) in sums.chunks_exact_mut(rows.max(1)).zip(input.chunks_exact(columns.max(1))).take(tokens) {
        for (piece, input) in input.chunks(EXACT_COLUMNS).enumerate() {
            let offset = -8 * input.iter().map(|x| i32::from(*x)).sum::<i32>();
            let mut groups = rows / GROUP_ROWS;
            if piece == 0 {
                two_quads_sums(matrix.weights, input, columns - input.len(), offset, sums);
            } else {
                groups = 0;
            }
            for (sums, (quads, words)) in sums.chunks_mut(GROUP_ROWS).zip(self::groups(matrix)).skip(groups) {
                let words = words.get(piece * EXACT_COLUMNS / 2 * quads..).unwrap_or_default();
                let mut found = [0; GROUP_ROWS];
                if quads == 2 {
                    two_quads_sums(words, input, 0, offset, &mut found);
                } else {
                    one_quad_sums(words, input, offset, &mut found);
                }
                if piece == 0 {
                    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum = found);
                } else {
                    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
                }
            }
        }
    }
}

/// Sums of every full group that `sums` has room for.
fn two_quads_sums(weights: &[u32], input: &[i16], columns_skipped: usize, offset: i32, sums: &mut [i32]) {
    let groups = sums.len() / GROUP_ROWS;
    let (piece, skip) = (input.len(), 4 * columns_skipped);
    let needed = groups * (piece + columns_skipped) - columns_skipped.min(groups * columns_skipped);
    if groups == 0 || piece == 0 || piece % 4 != 0 || piece > EXACT_COLUMNS || weights.len() < needed {
        return;
    }
    let input = input.as_ptr_range();
    // SAFETY: the input has `piece` halfwords, a multiple of 8 bytes; each group has a word for each of them, and `columns_skipped` words
    // between it and the next, all of them in `weights` as was compared; `sums` has eight places for each of the groups, which are not none.
    unsafe { two_quads(weights.as_ptr(), input.start, input.end, sums.as_mut_ptr(), groups, skip, offset) }
}

/// Sums of a lone quad.
fn one_quad_sums(words: &[u32], input: &[i16], offset: i32, sums: &mut [i32; GROUP_ROWS]) {
    let mut prepared = [0; EXACT_COLUMNS / 2];
    scalar4::prepare(input, &mut prepared);
    let found = scalar4::quad_sums::<1>(words, 0, prepared.get(..input.len() / 2).unwrap_or_default());
    sums.iter_mut().zip(found).for_each(|(sum, found)| *sum = found + offset);
}
