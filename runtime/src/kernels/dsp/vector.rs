//! Matrix times one token: six rows at a time.

use super::{Matrix, processor, start};
use crate::format::packing::{EXACT_COLUMNS, GROUP_ROWS};
use core::ops::Range;

/// Pairs of columns in one turn of the loop over a full group.
const TURN: usize = 16;
/// Bytes of code for one of them.
const STEP: usize = 52;

/// What a kernel needs again for each group, in the order of the registers that take it.
#[repr(C)]
struct Job {
    input: *const i16,    // r1
    input_end: usize,     // r3; odd where sums are added to those that are there
    start: i32,           // r4
    to_next: isize,       // r10: from the end of a group's weights to the next group, in bytes
    sums_end: *const i32, // r11
    skip: usize,          // lr: bytes of code that the first turn leaves out
}

/// The sums of one token.
///
/// # Safety
/// `input` holds `columns` elements, `sums` `rows`, `weights` what the shape says; `columns` is a positive multiple of 4 and at
/// most `stride`, `rows` is positive.
pub(super) unsafe fn sums(matrix: &Matrix<'_>, input: &[i16], sums: &mut [i32]) {
    let full = matrix.rows / GROUP_ROWS;
    let mut first = 0;
    for piece in input.chunks(EXACT_COLUMNS) {
        let start = start(piece);
        // SAFETY: each of the `full` groups has three words for each of the piece's, and six sums; the rest is the caller's.
        unsafe {
            if full > 0 {
                let weights = matrix.weights.as_ptr().wrapping_add(3 * first);
                full_groups(weights, full, matrix.stride, piece, start, first > 0, sums.as_mut_ptr());
            }
            last_group(matrix, piece, first, start, sums);
        }
        first += piece.len();
    }
}

/// The sums of the rows behind the last six of one token, if any, over a piece of the columns from `first` on.
///
/// # Safety
/// As [`sums`], but `input` holds the piece, of at most [`EXACT_COLUMNS`].
pub(super) unsafe fn last_group(matrix: &Matrix<'_>, input: &[i16], first: usize, start: i32, sums: &mut [i32]) {
    let Matrix { rows, stride, .. } = *matrix;
    let full = rows / GROUP_ROWS;
    let Some(sums) = sums.get_mut(full * GROUP_ROWS..) else { return };
    let pairs = sums.len().div_ceil(2);
    let weights = matrix.weights.as_ptr().wrapping_add(full * (GROUP_ROWS / 2) * stride + pairs * first);
    let kernel = |to: *mut i32| {
        let Range { start: input_start, end } = input.as_ptr_range();
        // SAFETY: the last group has `pairs` words for each of the input's, of which there is a positive even number.
        unsafe {
            match pairs {
                0 => {}
                1 => one_pair(weights, input_start, end, start, to),
                2 => two_pairs(weights, input_start, end, start, to),
                _ => full_groups(weights, 1, stride, input, start, false, to),
            }
        }
    };
    if first == 0 && sums.len() == 2 * pairs {
        return kernel(sums.as_mut_ptr());
    }
    let mut group = [0; GROUP_ROWS];
    kernel(group.as_mut_ptr());
    for (sum, more) in sums.iter_mut().zip(&group) {
        *sum = if first == 0 { *more } else { sum.wrapping_add(*more) };
    }
}

/// The sums of `count` groups of three pairs, stored or added.
///
/// # Safety
/// `count` groups `3 * stride` halfwords apart have three words at `weights` for each of the input's, of which there is a
/// positive even number; at `sums` there is room.
unsafe fn full_groups(weights: *const i16, count: usize, stride: usize, input: &[i16], start: i32, add: bool, sums: *mut i32) {
    let words = input.len() / 2;
    let skipped = words.wrapping_neg() % TURN; // of the first turn
    let job = Job {
        input: input.as_ptr().wrapping_sub(2 * skipped),
        input_end: input.as_ptr_range().end.addr() - usize::from(add),
        start,
        to_next: (3 * 2 * stride) as isize - 12 * (words + skipped) as isize,
        sums_end: sums.wrapping_add(count * GROUP_ROWS),
        skip: skipped * STEP,
    };
    // SAFETY: the caller's.
    unsafe { groups(weights.wrapping_sub(3 * 2 * skipped), &job, sums) }
}

/// The sums of full groups. A turn of the loop takes 16 words of input and 48 of weights: 227 cycles of a Cortex-M4 for 192
/// products.
///
/// # Safety
/// `job` describes memory that is there: see where it is made.
#[unsafe(naked)]
unsafe extern "C" fn groups(weights: *const i16, job: &Job, sums: *mut i32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldmia r1, {{r4-r9}}",
        "adds r0, r0, #180", // both pointers are kept at the last pair of columns of a turn
        "adds r4, r4, #60",
        "adds r5, r5, #60",
        "adr.w r10, 2f + 1",
        "add r9, r9, r10",
        "push {{r4-r9}}",
        "ldmia sp, {{r1, r3, r4, r10, r11, lr}}",
        "b 4f",
        "5:", // add to the sums that are there
        "ldmia r2, {{r1, r3, r10, r11, r12, lr}}",
        "add r4, r4, r1",
        "add r5, r5, r3",
        "add r6, r6, r10",
        "add r7, r7, r11",
        "add r8, r8, r12",
        "add r9, r9, lr",
        "b 6f",
        ".balign 8",
        "2:",
        ".irp k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14",
        "ldr lr, [r1, #4 * \\k - 60]",
        "ldr r10, [r0, #12 * \\k - 180]",
        "ldr r11, [r0, #12 * \\k - 176]",
        "ldr r12, [r0, #12 * \\k - 172]",
        "smlad r4, r10, lr, r4",
        "and r10, r10, #0x00ff00ff",
        "smlad r6, r11, lr, r6",
        "and r11, r11, #0x00ff00ff",
        "smlad r8, r12, lr, r8",
        "and r12, r12, #0x00ff00ff",
        "smlad r5, r10, lr, r5",
        "smlad r7, r11, lr, r7",
        "smlad r9, r12, lr, r9",
        ".endr",
        "ldr lr, [r1], #64",
        "ldr r11, [r0, #4]",
        "ldr r12, [r0, #8]",
        "ldr r10, [r0], #192",
        "cmp.w r1, r3",
        "smlad r6, r11, lr, r6",
        "and r11, r11, #0x00ff00ff",
        "smlad r8, r12, lr, r8",
        "and r12, r12, #0x00ff00ff",
        "smlad r4, r10, lr, r4",
        "and r10, r10, #0x00ff00ff",
        "smlad r7, r11, lr, r7",
        "smlad r9, r12, lr, r9",
        "smlad r5, r10, lr, r5",
        "blo 2b",
        "lsls r3, r3, #31",
        "sub.w r4, r4, r5",
        "sub.w r6, r6, r7",
        "sub.w r8, r8, r9",
        "asr.w r4, r4, #8",
        "asr.w r6, r6, #8",
        "asr.w r8, r8, #8",
        "bne 5b",
        "6:",
        "stmia r2!, {{r4-r9}}",
        "ldmia sp, {{r1, r3, r4, r10, r11, lr}}",
        "cmp r2, r11",
        "beq 3f",
        "add r0, r0, r10",
        "4:",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        "mov r8, r4",
        "mov r9, r4",
        "bx lr",
        "3:",
        "add sp, sp, #24",
        "pop {{r4-r11, pc}}",
    )
}

/// The sums of a last group of two pairs: 22 cycles of a Cortex-M4 for 16 products.
///
/// # Safety
/// From `input` to `end` lies a positive multiple of 8 bytes, and twice as many lie at `weights`; `sums` has room for four.
#[unsafe(naked)]
unsafe extern "C" fn two_pairs(weights: *const i16, input: *const i16, end: *const i16, start: i32, sums: *mut i32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "mov r4, r3",
        "mov r5, r3",
        "mov r6, r3",
        "mov r7, r3",
        ".balign 8",
        "2:",
        "ldr.w r8, [r0, #4]",
        "ldr.w r9, [r0, #8]",
        "ldr.w r10, [r0, #12]",
        "ldr.w lr, [r1, #4]",
        "ldr.w r11, [r0], #16",
        "ldr.w r12, [r1], #8",
        "cmp.w r1, r2",
        "smlad r4, r9, lr, r4",
        "and r9, r9, #0x00ff00ff",
        "smlad r6, r10, lr, r6",
        "and r10, r10, #0x00ff00ff",
        "smlad r5, r9, lr, r5",
        "smlad r7, r10, lr, r7",
        "smlad r4, r11, r12, r4",
        "and r11, r11, #0x00ff00ff",
        "smlad r6, r8, r12, r6",
        "and r8, r8, #0x00ff00ff",
        "smlad r5, r11, r12, r5",
        "smlad r7, r8, r12, r7",
        "blo 2b",
        "ldr r0, [sp, #36]",
        "subs r4, r4, r5",
        "subs r6, r6, r7",
        "asrs r4, r4, #8",
        "asrs r6, r6, #8",
        "stmia r0, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}

/// The sums of a last group of one pair.
///
/// # Safety
/// From `input` to `end` lies a positive multiple of 8 bytes, and as many lie at `weights`; `sums` has room for two.
#[unsafe(naked)]
unsafe extern "C" fn one_pair(weights: *const i16, input: *const i16, end: *const i16, start: i32, sums: *mut i32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r7, lr}}",
        "mov r4, r3",
        ".balign 8",
        "2:",
        "ldr.w r5, [r0, #4]",
        "ldr.w r6, [r1, #4]",
        "ldr.w r7, [r0], #8",
        "ldr.w r12, [r1], #8",
        "cmp.w r1, r2",
        "smlad r4, r5, r6, r4",
        "and r5, r5, #0x00ff00ff",
        "smlad r4, r7, r12, r4",
        "and r7, r7, #0x00ff00ff",
        "smlad r3, r5, r6, r3",
        "smlad r3, r7, r12, r3",
        "blo 2b",
        "ldr r0, [sp, #20]",
        "subs r4, r4, r3",
        "asrs r4, r4, #8",
        "str r4, [r0]",
        "str r3, [r0, #4]",
        "pop {{r4-r7, pc}}",
    )
}
