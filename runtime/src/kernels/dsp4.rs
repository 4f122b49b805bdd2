//! The int4 twin for cores with the DSP extension: Armv7E-M, and Armv8-M Mainline where it has that.
//!
//! A word of weights holds eight: two columns of four rows. Four multiplications, each with fewer nibbles of the halfwords than the one
//! before, give four sums whose differences are the rows (see [`crate::format::quad_packing`]): 7 instructions for 16 operations. Eight sums
//! fill the registers: those of two quads with one token, or of one quad with two tokens, which share the three ANDs.
//!
//! The order of the instructions follows the same rules as in [`super::dsp`].
#![allow(unsafe_code)] // naked functions, called with pointers whose extents the safe wrappers check

use super::dsp::tile::{COLUMNS as COUPLE_COLUMNS, Couple, interleave};
use super::dsp::{processor, total};
use super::int4::Matrix;
use crate::format::quad_packing::{EXACT_COLUMNS, GROUP_ROWS, QUAD_ROWS};
use core::mem::MaybeUninit;

/// Twin of [`super::int4::sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, weights, .. } = *matrix;
    let words = rows.div_ceil(GROUP_ROWS) * columns;
    let fits = weights.len() >= words && input.len() >= tokens * columns && sums.len() >= tokens * rows;
    if columns == 0 || columns % 4 != 0 || !fits {
        return debug_assert!(rows == 0, "the slices do not have the matrix's shape");
    }
    for token in (0..tokens).step_by(2) {
        let input = input.get(token * columns..).unwrap_or_default();
        let sums = sums.get_mut(token * rows..).unwrap_or_default();
        if token + 1 < tokens {
            two_tokens(matrix, input, sums);
        } else {
            one_token(weights, columns, input, rows / GROUP_ROWS, sums);
        }
    }
    let left = rows % GROUP_ROWS;
    if left > 0 {
        let weights = weights.get(words - columns..).unwrap_or_default();
        for (input, sums) in input.chunks_exact(columns.max(1)).zip(sums.chunks_exact_mut(rows.max(1))).take(tokens) {
            let mut last = [0; GROUP_ROWS];
            one_token(weights, columns, input, 1, &mut last);
            sums.iter_mut().skip(rows - left).zip(last).for_each(|(sum, last)| *sum = last);
        }
    }
}

/// Sums of the first `groups` groups with one token: `input` at least `[columns]`, `sums` `[groups * GROUP_ROWS]`.
#[inline(never)] // called in two places
fn one_token(weights: &[u32], columns: usize, input: &[i16], groups: usize, sums: &mut [i32]) {
    if groups == 0 || weights.len() < groups * columns || sums.len() < groups * GROUP_ROWS {
        return;
    }
    let mut first = 0;
    for piece in input.get(..columns).unwrap_or_default().chunks(EXACT_COLUMNS) {
        let words = piece.len() / 2;
        let skipped = words.wrapping_neg() % OneToken::TURN; // of the first turn
        let job = OneToken {
            input: piece.as_ptr().wrapping_sub(2 * skipped),
            input_end: piece.as_ptr_range().end.addr() - usize::from(first > 0),
            skip: skipped * OneToken::STEP,
            to_next: 4 * columns as isize - 8 * (words + skipped) as isize,
            offset: -8 * total(piece),
            sums: sums.as_mut_ptr(),
            sums_end: sums.as_ptr().wrapping_add(groups * GROUP_ROWS),
        };
        let weights = weights.as_ptr().wrapping_add(first).wrapping_sub(2 * skipped);
        // SAFETY: `columns` words in each of the `groups` groups were compared above, two for each of the piece's from `first` on, and
        // eight sums. A piece has an even number of words, not 0, as `columns` is a positive multiple of 4.
        unsafe { two_quads(weights, &job) }
        first += piece.len();
    }
}

/// Sums of the full groups with two tokens: `input` at least `[2, columns]`, `sums` `[2, rows]`.
#[inline(never)] // the stack of one token is small
fn two_tokens(matrix: &Matrix<'_>, input: &[i16], sums: &mut [i32]) {
    let Matrix { rows, columns, weights, .. } = *matrix;
    let groups = rows / GROUP_ROWS;
    let Some((input0, input1)) = input.split_at_checked(columns) else { return };
    if groups == 0 || weights.len() < groups * columns || sums.len() < 2 * rows {
        return;
    }
    let mut first = 0;
    for (piece0, piece1) in input0.chunks(COUPLE_COLUMNS).zip(input1.get(..columns).unwrap_or_default().chunks(COUPLE_COLUMNS)) {
        let words = piece0.len() / 2;
        let mut couple = MaybeUninit::<Couple>::uninit();
        // SAFETY: both pieces have `words` words, as both tokens have `columns` columns, and at most as many as a couple has room for.
        let starts = unsafe { interleave(piece0.as_ptr(), piece1.as_ptr(), words, couple.as_mut_ptr()) };
        // Those of int8, which are -128 sum(x), are multiples of 128.
        let offsets = [starts as i32 >> 4, (starts >> 32) as i32 >> 4];
        let skipped = words.wrapping_neg() % TwoTokens::TURN;
        let input = couple.as_ptr().cast::<u32>();
        for quad in 0..GROUP_ROWS / QUAD_ROWS {
            let sums = sums.as_mut_ptr().wrapping_add(quad * QUAD_ROWS);
            let job = TwoTokens {
                input: input.wrapping_sub(2 * skipped),
                input_end: input.wrapping_add(2 * words).addr() - usize::from(first > 0),
                skip: skipped * TwoTokens::STEP,
                to_next: 4 * columns as isize - 8 * (words + skipped) as isize,
                sums: [sums, sums.wrapping_add(rows)],
                sums_end: sums.wrapping_add(groups * GROUP_ROWS),
                offsets,
            };
            let weights = weights.as_ptr().wrapping_add(first + quad).wrapping_sub(2 * skipped);
            // SAFETY: as in `one_token`, with every other word and eight sums of both tokens; `couple` has two words for each of the
            // piece's.
            unsafe { quad_by_two(weights, &job) }
        }
        first += piece0.len();
    }
}

/// What [`two_quads`] works on, in the order of the registers that take it.
#[repr(C)]
struct OneToken {
    input: *const i16,    // r1; the loop reads from `skip` on
    input_end: usize,     // r2; odd where sums are added to those that are there
    skip: usize,          // r3: bytes of code that the first turn leaves out
    to_next: isize,       // r4: from the end of a group's weights to the next group, in bytes
    offset: i32,          // r5: -8 sum(x)
    sums: *mut i32,       // r6
    sums_end: *const i32, // r7
}

impl OneToken {
    /// Pairs of columns in one turn of the loop.
    const TURN: usize = 16;
    /// Bytes of code for one of them.
    const STEP: usize = 68;
}

/// The sums of some groups with one token: 18 cycles of a Cortex-M4 for 16 products.
///
/// # Safety
/// From `skip / STEP` words on `input` is valid up to `input_end`; `weights`, from twice as many words on, for two words for each of
/// those, then again after `to_next` for each eight sums up to `sums_end`, of which there are some. The words are an even number, not 0.
#[unsafe(naked)]
unsafe extern "C" fn two_quads(weights: *const u32, job: &OneToken) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldmia r1, {{r1-r7}}",
        "sub.w r0, r0, r4",
        "adds r0, r0, #120", // both pointers are kept at the last pair of columns of a turn
        "adds r1, r1, #60",
        "adds r2, r2, #60",
        "adr.w r12, 2f + 1",
        "add r3, r3, r12",
        "push {{r1-r7}}",
        "b 4f",
        "5:", // add to the sums that are there
        "ldmia r12, {{r1, r2, r11, lr}}",
        "add r3, r3, r1",
        "add r4, r4, r2",
        "add r5, r5, r11",
        "add r6, r6, lr",
        "ldrd r1, r2, [r12, #16]",
        "ldrd r11, lr, [r12, #24]",
        "add r7, r7, r1",
        "add r8, r8, r2",
        "add r9, r9, r11",
        "add r10, r10, lr",
        "b 6f",
        ".balign 8",
        "2:",
        ".irp k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        ".if \\k < 15",
        "ldr r11, [r1, #4 * \\k - 60]",
        "ldr r12, [r0, #8 * \\k - 120]",
        "ldr lr, [r0, #8 * \\k - 116]",
        ".else",
        "ldr.w lr, [r0, #4]",
        "ldr.w r12, [r0], #128",
        "ldr.w r11, [r1], #64",
        ".endif",
        "smlad r3, r12, r11, r3",
        "bic r12, r12, #0xf000f000",
        "smlad r7, lr, r11, r7",
        "bic lr, lr, #0xf000f000",
        "smlad r4, r12, r11, r4",
        "and r12, r12, #0x00ff00ff",
        "smlad r8, lr, r11, r8",
        "and lr, lr, #0x00ff00ff",
        "smlad r5, r12, r11, r5",
        "and r12, r12, #0x000f000f",
        "smlad r9, lr, r11, r9",
        "and lr, lr, #0x000f000f",
        "smlad r6, r12, r11, r6",
        "smlad r10, lr, r11, r10",
        ".endr",
        "cmp.w r1, r2",
        "blo.w 2b",
        "ldrd r11, r12, [sp, #16]", // offset, sums
        "lsls.w r2, r2, #31",
        "sub.w r3, r3, r4",
        "sub.w r4, r4, r5",
        "sub.w r5, r5, r6",
        "sub.w r7, r7, r8",
        "sub.w r8, r8, r9",
        "sub.w r9, r9, r10",
        "asr.w r3, r3, #12",
        "add.w r4, r11, r4, asr #8",
        "add.w r5, r11, r5, asr #4",
        "add.w r6, r11, r6",
        "asr.w r7, r7, #12",
        "add.w r8, r11, r8, asr #8",
        "add.w r9, r11, r9, asr #4",
        "add.w r10, r11, r10",
        "bne 5b",
        "6:",
        "ldr r2, [sp, #24]",
        "stmia r12!, {{r3-r10}}",
        "cmp r12, r2",
        "beq 3f",
        "str r12, [sp, #20]",
        "4:",
        "ldmia sp, {{r1, r2, r11, r12}}",
        "movs r3, #0",
        "movs r4, #0",
        "movs r5, #0",
        "movs r6, #0",
        "movs r7, #0",
        "add r0, r0, r12",
        "mov r8, r3",
        "mov r9, r3",
        "mov r10, r3",
        "bx r11",
        "3:",
        "add sp, sp, #28",
        "pop {{r4-r11, pc}}",
    )
}

/// What [`quad_by_two`] works on, in the order of the registers that take it.
#[repr(C)]
struct TwoTokens {
    input: *const u32,    // r1; the loop reads from `skip` on
    input_end: usize,     // r2; odd where sums are added to those that are there
    skip: usize,          // r3: bytes of code that the first turn leaves out
    to_next: isize,       // r4: from the end of a group's weights to the next group, in bytes
    sums: [*mut i32; 2],  // r5, r6
    sums_end: *const i32, // r7: of the first token
    offsets: [i32; 2],    // r8, r9: -8 sum(x)
}

impl TwoTokens {
    /// Pairs of columns in one turn of the loop.
    const TURN: usize = 8;
    /// Bytes of code for one of them.
    const STEP: usize = 56;
}

/// The sums of one quad of each group with two tokens: 15 cycles of a Cortex-M4 for 16 products.
///
/// # Safety
/// As [`two_quads`], with two words of input for each of those, but of each two words of weights only the first is read, and of each
/// eight sums only the first four, those of both tokens, are written.
#[unsafe(naked)]
unsafe extern "C" fn quad_by_two(weights: *const u32, job: &TwoTokens) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldmia r1, {{r1-r9}}",
        "sub.w r0, r0, r4",
        "adds r0, r0, #56", // both pointers are kept at the last pair of columns of a turn
        "adds r1, r1, #56",
        "adds r2, r2, #56",
        "adr.w r12, 2f + 1",
        "add r3, r3, r12",
        "push {{r1-r9}}",
        "b 4f",
        "5:", // add to the sums that are there
        "ldmia r2, {{r1, r12, lr}}",
        "add r4, r4, r1",
        "add r5, r5, r12",
        "add r6, r6, lr",
        "ldr r12, [r2, #12]",
        "add r7, r7, r12",
        "ldmia r3, {{r1, r12, lr}}",
        "add r8, r8, r1",
        "add r9, r9, r12",
        "add r10, r10, lr",
        "ldr r12, [r3, #12]",
        "add r11, r11, r12",
        "b 6f",
        ".balign 8",
        "2:",
        ".irp k, 0, 1, 2, 3, 4, 5, 6, 7",
        ".if \\k < 7",
        "ldr r2, [r1, #8 * \\k - 56]",
        "ldr r3, [r1, #8 * \\k - 52]",
        "ldr r12, [r0, #8 * \\k - 56]",
        ".else",
        "ldr.w r3, [r1, #4]",
        "ldr.w r2, [r1], #64",
        "ldr.w r12, [r0], #64",
        ".endif",
        "smlad r4, r12, r2, r4",
        "smlad r8, r12, r3, r8",
        "bic r12, r12, #0xf000f000",
        "smlad r5, r12, r2, r5",
        "smlad r9, r12, r3, r9",
        "and r12, r12, #0x00ff00ff",
        "smlad r6, r12, r2, r6",
        "smlad r10, r12, r3, r10",
        "and r12, r12, #0x000f000f",
        "smlad r7, r12, r2, r7",
        "smlad r11, r12, r3, r11",
        ".endr",
        "cmp.w r1, lr",
        "blo.w 2b",
        "lsls.w lr, lr, #31",
        "ldrd r2, r3, [sp, #16]",  // sums
        "ldrd r1, r12, [sp, #28]", // offsets
        "sub.w r4, r4, r5",
        "sub.w r5, r5, r6",
        "sub.w r6, r6, r7",
        "sub.w r8, r8, r9",
        "sub.w r9, r9, r10",
        "sub.w r10, r10, r11",
        "asr.w r4, r4, #12",
        "add.w r5, r1, r5, asr #8",
        "add.w r6, r1, r6, asr #4",
        "add.w r7, r1, r7",
        "asr.w r8, r8, #12",
        "add.w r9, r12, r9, asr #8",
        "add.w r10, r12, r10, asr #4",
        "add.w r11, r12, r11",
        "bne 5b",
        "6:",
        "stmia r2, {{r4-r7}}",
        "stmia r3, {{r8-r11}}",
        "ldr r12, [sp, #24]",
        "adds r2, r2, #32",
        "adds r3, r3, #32",
        "cmp r2, r12",
        "beq 3f",
        "strd r2, r3, [sp, #16]",
        "4:",
        "ldmia sp, {{r1, r2, r3, r12}}",
        "movs r4, #0",
        "movs r5, #0",
        "movs r6, #0",
        "movs r7, #0",
        "mov lr, r2",
        "mov r8, r4",
        "mov r9, r4",
        "mov r10, r4",
        "mov r11, r4",
        "add r0, r0, r12",
        "bx r3",
        "3:",
        "add sp, sp, #36",
        "pop {{r4-r11, pc}}",
    )
}
