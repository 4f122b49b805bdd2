//! The four tokens of a tile on a core without FPU: sums, which stay integers.

use super::{COLUMNS, Couple, TOKENS, interleave};
use crate::format::packing::GROUP_ROWS;
use crate::kernels::dsp::{Matrix, processor, vector};
use core::mem::MaybeUninit;

/// Pairs of columns in one turn of the loops.
const TURN: usize = 16;
/// Bytes of code for one of them: the same in both loops.
const STEP: usize = 56;

/// What a kernel needs for each group.
#[repr(C)]
struct Job {
    input: *const u32,
    skip: usize, // bytes of code that the first turn leaves out
    start: [i32; TOKENS],
    to_next: isize, // from the end of a group's weights to the next group, in bytes
    sums: *mut i32,
    to_token: usize, // from one token's sums to the next token's, in bytes
    sums_end: *const i32,
    input_end: usize, // odd where sums are added to those that are there
}

/// The sums of [`TOKENS`] tokens.
///
/// # Safety
/// As [`vector::sums`], for each token.
#[inline(never)] // the stack of one token is small
pub(in super::super) unsafe fn sums(matrix: &Matrix<'_>, input: &[i16], sums: &mut [i32]) {
    let Matrix { rows, columns, stride, weights, .. } = *matrix;
    let mut couples = [const { MaybeUninit::<Couple>::uninit() }; 2];
    let couples = couples.each_mut().map(MaybeUninit::as_mut_ptr);
    let full = rows / GROUP_ROWS;
    let mut first = 0;
    while first < columns {
        let words = (columns - first).min(COLUMNS) / 2;
        let token = |token: usize| input.as_ptr().wrapping_add(token * columns + first);
        // SAFETY: each token has `words` words from `first` on, and each couple has room for twice as many.
        let starts = unsafe {
            let first = interleave(token(0), token(1), words, couples[0]);
            let second = interleave(token(2), token(3), words, couples[1]);
            [first as i32, (first >> 32) as i32, second as i32, (second >> 32) as i32]
        };
        let [a, b, c, d] = starts;
        let skipped = words.wrapping_neg() % TURN; // of the first turn
        let job = |couple: *const Couple, start: [i32; TOKENS], token: usize, row: usize| {
            let sums = sums.as_ptr().cast_mut().wrapping_add(token * rows + row);
            Job {
                input: couple.cast::<u32>().wrapping_sub(2 * skipped),
                skip: skipped * STEP,
                start,
                to_next: (3 * 2 * stride) as isize - 12 * (words + skipped) as isize,
                sums,
                to_token: 4 * rows,
                sums_end: sums.wrapping_add(full * GROUP_ROWS),
                input_end: couple.cast::<u32>().wrapping_add(2 * words).addr() - usize::from(first > 0),
            }
        };
        if full > 0 {
            let weights = weights.as_ptr().wrapping_add(3 * first).wrapping_sub(3 * 2 * skipped);
            // SAFETY: each of the `full` groups has three words for each of a token's, and six sums of each token.
            unsafe {
                two_by_two(weights, &job(couples[0], [a, b, 0, 0], 0, 0));
                two_by_two(weights, &job(couples[1], [c, d, 0, 0], 2, 0));
                one_by_four(weights.wrapping_add(4), &job(couples[0], starts, 0, 4));
            }
        }
        for ((input, sums), start) in input.chunks_exact(columns.max(1)).zip(sums.chunks_exact_mut(rows.max(1))).zip(starts) {
            // SAFETY: the caller's.
            unsafe { vector::last_group(matrix, input.get(first..first + 2 * words).unwrap_or_default(), first, start, sums) }
        }
        first += 2 * words;
    }
}

/// The first two pairs of each group with two tokens: 15 cycles of a Cortex-M4 for 16 products.
///
/// # Safety
/// `job` describes memory that is there: see where it is made.
#[unsafe(naked)]
unsafe extern "C" fn two_by_two(weights: *const i16, job: &Job) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldmia r1, {{r1-r11}}", // input, skip, four starts, to_next, sums, to_token, sums_end, input_end
        "sub.w r0, r0, r7",
        "adds r0, r0, #180", // both pointers are kept at the last pair of columns of a turn
        "adds r1, r1, #120",
        "add r11, r11, #120",
        "adr.w r12, 2f + 1",
        "add r2, r2, r12",
        "mov r5, r7", // input, entry, two starts, to_next, sums of both tokens, sums_end, input_end
        "mov r6, r8",
        "add r7, r8, r9",
        "mov r8, r10",
        "mov r9, r11",
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
        ".irp k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14",
        "ldr r2, [r1, #8 * \\k - 120]",
        "ldr r3, [r1, #8 * \\k - 116]",
        "ldr r12, [r0, #12 * \\k - 180]",
        "ldr lr, [r0, #12 * \\k - 176]",
        "smlad r4, r12, r2, r4",
        "smlad r8, r12, r3, r8",
        "and r12, r12, #0x00ff00ff",
        "smlad r6, lr, r2, r6",
        "smlad r10, lr, r3, r10",
        "and lr, lr, #0x00ff00ff",
        "smlad r5, r12, r2, r5",
        "smlad r9, r12, r3, r9",
        "smlad r7, lr, r2, r7",
        "smlad r11, lr, r3, r11",
        ".endr",
        "ldr.w r3, [r1, #4]",
        "ldr.w r2, [r1], #128",
        "ldr.w lr, [r0, #4]",
        "ldr.w r12, [r0], #192",
        "smlad r6, lr, r2, r6",
        "smlad r10, lr, r3, r10",
        "and lr, lr, #0x00ff00ff",
        "smlad r4, r12, r2, r4",
        "smlad r8, r12, r3, r8",
        "and r12, r12, #0x00ff00ff",
        "smlad r7, lr, r2, r7",
        "smlad r11, lr, r3, r11",
        "ldr.w lr, [sp, #32]",
        "smlad r5, r12, r2, r5",
        "smlad r9, r12, r3, r9",
        "cmp r1, lr",
        "blo 2b",
        "ldrd r2, r3, [sp, #20]",
        "lsls.w lr, lr, #31",
        "sub.w r4, r4, r5",
        "sub.w r6, r6, r7",
        "sub.w r8, r8, r9",
        "sub.w r10, r10, r11",
        "asr.w r4, r4, #8",
        "asr.w r6, r6, #8",
        "asr.w r8, r8, #8",
        "asr.w r10, r10, #8",
        "bne 5b",
        "6:",
        "stmia r2, {{r4-r7}}",
        "stmia r3, {{r8-r11}}",
        "ldr r12, [sp, #28]",
        "adds r2, r2, #24",
        "adds r3, r3, #24",
        "cmp r2, r12",
        "beq 3f",
        "strd r2, r3, [sp, #20]",
        "4:",
        "ldmia sp, {{r1, r2, r3, r12, lr}}",
        "add r0, r0, lr",
        "mov r4, r3",
        "mov r5, r3",
        "mov r6, r3",
        "mov r7, r3",
        "mov r8, r12",
        "mov r9, r12",
        "mov r10, r12",
        "mov r11, r12",
        "bx r2",
        "3:",
        "add sp, sp, #36",
        "pop {{r4-r11, pc}}",
    )
}

/// The third pair of each group with four tokens: 16 cycles of a Cortex-M4 for 16 products.
///
/// # Safety
/// As [`two_by_two`].
#[unsafe(naked)]
unsafe extern "C" fn one_by_four(weights: *const i16, job: &Job) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldmia r1, {{r1-r11}}", // input, skip, four starts, to_next, sums, to_token, sums_end, input_end
        "sub.w r0, r0, r7",
        "adds r0, r0, #180",
        "adds r1, r1, #120",
        "add r11, r11, #120",
        "adr.w r12, 2f + 1",
        "add r2, r2, r12",
        "push {{r1-r11}}",
        "b 4f",
        "5:", // add to the sums that are there
        "ldrd r1, r12, [r2]",
        "add r4, r4, r1",
        "add r5, r5, r12",
        "add lr, r2, r3",
        "ldrd r1, r12, [lr]",
        "add r6, r6, r1",
        "add r7, r7, r12",
        "add lr, lr, r3",
        "ldrd r1, r12, [lr]",
        "add r8, r8, r1",
        "add r9, r9, r12",
        "add lr, lr, r3",
        "ldrd r1, r12, [lr]",
        "add r10, r10, r1",
        "add r11, r11, r12",
        "b 6f",
        ".balign 8",
        "2:",
        ".irp k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14",
        "ldr r2, [r0, #12 * \\k - 180]",
        "ldr r12, [r1, #8 * \\k - 120]",
        "ldr lr, [r1, #8 * \\k - 116]",
        "smlad r4, r2, r12, r4",
        "and r3, r2, #0x00ff00ff",
        "smlad r6, r2, lr, r6",
        "smlad r5, r3, r12, r5",
        "smlad r7, r3, lr, r7",
        "ldr r12, [r1, #8 * \\k + 1024 - 120]",
        "ldr lr, [r1, #8 * \\k + 1024 - 116]",
        "smlad r8, r2, r12, r8",
        "smlad r10, r2, lr, r10",
        "smlad r9, r3, r12, r9",
        "smlad r11, r3, lr, r11",
        ".endr",
        "ldr.w r12, [r1]",
        "ldr.w lr, [r1, #4]",
        "ldr.w r2, [r0], #192",
        "smlad r4, r2, r12, r4",
        "and r3, r2, #0x00ff00ff",
        "smlad r6, r2, lr, r6",
        "smlad r5, r3, r12, r5",
        "smlad r7, r3, lr, r7",
        "ldr.w r12, [r1, #1024]",
        "ldr.w lr, [r1, #1028]",
        "smlad r8, r2, r12, r8",
        "smlad r10, r2, lr, r10",
        "ldr.w r2, [sp, #40]",
        "add.w r1, r1, #128",
        "smlad r9, r3, r12, r9",
        "smlad r11, r3, lr, r11",
        "cmp r1, r2",
        "blo 2b",
        "lsls.w lr, r2, #31",
        "ldrd r2, r3, [sp, #28]",
        "sub.w r4, r4, r5",
        "sub.w r6, r6, r7",
        "sub.w r8, r8, r9",
        "sub.w r10, r10, r11",
        "asr.w r4, r4, #8",
        "asr.w r6, r6, #8",
        "asr.w r8, r8, #8",
        "asr.w r10, r10, #8",
        "bne 5b",
        "6:",
        "add.w r1, r2, r3",
        "strd r4, r5, [r2]",
        "add.w r12, r1, r3",
        "strd r6, r7, [r1]",
        "add.w lr, r12, r3",
        "strd r8, r9, [r12]",
        "adds r2, r2, #24",
        "strd r10, r11, [lr]",
        "ldr r12, [sp, #36]",
        "cmp r2, r12",
        "beq 3f",
        "str r2, [sp, #28]",
        "4:",
        "ldmia sp, {{r1, r2, r5, r7, r9, r11, lr}}",
        "add r0, r0, lr",
        "mov r4, r5",
        "mov r6, r7",
        "mov r8, r9",
        "mov r10, r11",
        "bx r2",
        "3:",
        "add sp, sp, #44",
        "pop {{r4-r11, pc}}",
    )
}
