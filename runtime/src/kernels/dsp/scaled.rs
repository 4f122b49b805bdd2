//! Matrix times one token straight to f32, for cores that also have an FPU: the sums of six rows go from their registers through the scales
//! to the output, and never lie in memory as integers.

use super::Matrix;
use crate::format::packing::{EXACT_COLUMNS, GROUP_ROWS};
use crate::kernels::vfp::processor;

/// Pairs of columns in one turn of the loop, whose code, what is done once for a group included, fits in 1 KiB: the instruction cache of an
/// STM32F4 or L4.
const TURN: usize = 16;
/// Pairs whose 16 words are loaded in three batches, and the bytes of code for them.
const STEP: usize = 4;
const STEP_BYTES: usize = 208;
/// From the first pair of a turn to where its pointers stand, in pairs: offsets reach further up than down.
const AHEAD: usize = TURN - 1;

/// What the kernel needs again for each group, in the order of the registers that take it.
#[repr(C)]
struct Job {
    input: *const i16,      // r1
    output: *mut f32,       // r2
    to_scales: isize,       // r3: from an output to its scale, in bytes
    start: i32,             // r4
    to_next: isize,         // r10: from the end of a group's weights to the next group, in bytes
    output_end: *const f32, // r11
    skip: usize,            // lr: bytes of code that the first turn leaves out
    input_end: *const i16,
}

/// `output[r] = sum_c weight[r][c] * input[c] * (scales[r] * input_scale)` of whole groups of six rows; returns how many rows it has done,
/// which may be none.
///
/// # Safety
/// `input` holds `columns` elements, `weights` what the shape says; `columns` is a positive multiple of 4 and at most `stride`.
pub(super) unsafe fn groups(matrix: &Matrix<'_>, input: &[i16], start: i32, input_scale: f32, output: &mut [f32]) -> usize {
    let Matrix { rows, columns, stride, weights, scales, .. } = *matrix;
    let rows = rows.min(scales.len()).min(output.len()) / GROUP_ROWS * GROUP_ROWS;
    if rows == 0 || columns > EXACT_COLUMNS || columns % (2 * STEP) != 0 {
        return 0;
    }
    let pairs = columns / 2;
    let skipped = pairs.wrapping_neg() % TURN;
    let job = Job {
        input: input.as_ptr().wrapping_sub(2 * skipped).wrapping_add(2 * AHEAD),
        output: output.as_mut_ptr(),
        to_scales: scales.as_ptr().addr().wrapping_sub(output.as_ptr().addr()) as isize,
        start,
        to_next: (3 * 2 * stride) as isize - 12 * (pairs + skipped) as isize,
        output_end: output.as_ptr().wrapping_add(rows),
        skip: skipped / STEP * STEP_BYTES,
        input_end: input.as_ptr_range().end.wrapping_add(2 * AHEAD),
    };
    let weights = weights.as_ptr().wrapping_sub(3 * 2 * skipped).wrapping_add(3 * 2 * AHEAD);
    // SAFETY: each of the groups has three words for each of the input's, a scale and an output for each row; there is a group, and its words
    // are a positive multiple of a step's.
    unsafe { scaled_groups(weights, &job, input_scale) }
    rows
}

/// Four pairs of columns, the first at `12 * k - 180` of the weights: 55 cycles of a Cortex-M4 for 48 products. Six registers are free,
/// so that six words can be loaded, then five and five; the input of a pair stays from one batch to the next.
macro_rules! step {
    ($k:literal, $w:literal) => {
        concat!(
            "ldr lr, [r1, #4 * ",
            $k,
            " - 60]\n",
            "ldr r10, [r0, #12 * ",
            $k,
            " - 180]\n",
            "ldr r11, [r0, #12 * ",
            $k,
            " - 176]\n",
            "ldr r12, [r0, #12 * ",
            $k,
            " - 172]\n",
            "ldr r3, [r1, #4 * ",
            $k,
            " - 56]\n",
            "ldr r2, [r0, #12 * ",
            $k,
            " - 168]\n",
            "smlad r4, r10, lr, r4\nand r10, r10, #0x00ff00ff\n",
            "smlad r6, r11, lr, r6\nand r11, r11, #0x00ff00ff\n",
            "smlad r8, r12, lr, r8\nand r12, r12, #0x00ff00ff\n",
            "smlad r4, r2, r3, r4\nand r2, r2, #0x00ff00ff\n",
            "smlad r5, r10, lr, r5\nsmlad r7, r11, lr, r7\nsmlad r9, r12, lr, r9\nsmlad r5, r2, r3, r5\n",
            "ldr lr, [r1, #4 * ",
            $k,
            " - 52]\n",
            "ldr r10, [r0, #12 * ",
            $k,
            " - 164]\n",
            "ldr r11, [r0, #12 * ",
            $k,
            " - 160]\n",
            "ldr r12, [r0, #12 * ",
            $k,
            " - 156]\n",
            "ldr r2, [r0, #12 * ",
            $k,
            " - 152]\n",
            "smlad r6, r10, r3, r6\nand r10, r10, #0x00ff00ff\n",
            "smlad r8, r11, r3, r8\nand r11, r11, #0x00ff00ff\n",
            "smlad r4, r12, lr, r4\nand r12, r12, #0x00ff00ff\n",
            "smlad r6, r2, lr, r6\nand r2, r2, #0x00ff00ff\n",
            "smlad r7, r10, r3, r7\nsmlad r9, r11, r3, r9\nsmlad r5, r12, lr, r5\nsmlad r7, r2, lr, r7\n",
            $w,
            "smlad r8, r10, lr, r8\nand r10, r10, #0x00ff00ff\n",
            "smlad r6, r11, r3, r6\nand r11, r11, #0x00ff00ff\n",
            "smlad r8, r12, r3, r8\nand r12, r12, #0x00ff00ff\n",
            "smlad r4, r2, r3, r4\nand r2, r2, #0x00ff00ff\n",
            "smlad r9, r10, lr, r9\nsmlad r7, r11, r3, r7\nsmlad r9, r12, r3, r9\nsmlad r5, r2, r3, r5\n",
        )
    };
}

/// A turn; the last of its loads move the pointers to the next.
macro_rules! turn {
    () => {
        concat!(
            ".irp k, 0, 4, 8\n",
            step!("\\k", "ldr r3, [r1, #4 * \\k - 48]\nldr r10, [r0, #12 * \\k - 148]\nldr r11, [r0, #12 * \\k - 140]\nldr r12, [r0, #12 * \\k - 136]\nldr r2, [r0, #12 * \\k - 144]\n"),
            ".endr\n",
            step!("12", "ldr r3, [r1], #64\nldr r10, [r0, #-4]\nldr r11, [r0, #4]\nldr r12, [r0, #8]\nldr r2, [r0], #192\n"),
        )
    };
}

/// The results of full groups. A turn of the loop takes 16 words of input and 48 of weights: 226 cycles of a Cortex-M4 for 192 products.
/// Beside it a group takes 59.
///
/// # Safety
/// `job` describes memory that is there: see where it is made.
#[unsafe(naked)]
unsafe extern "C" fn scaled_groups(weights: *const i16, job: &Job, input_scale: f32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldmia r1, {{r2-r9}}",
        "adr.w r10, 2f + 1",
        "add r8, r8, r10",
        "push {{r2-r9}}",
        "vmov.f32 s14, s0",
        "ldmia sp, {{r1-r4, r10, r11, lr}}",
        "b 4f",
        ".balign 8",
        "2:",
        turn!(),
        "ldr.w r2, [sp, #28]",
        "cmp.w r1, r2",
        "blo 2b",
        "sub.w r4, r4, r5", // 256 times the sum of the first row of a pair; the conversion divides
        "sub.w r6, r6, r7",
        "sub.w r8, r8, r9",
        "vmov s0, s1, r4, r5",
        "vmov s2, s3, r6, r7",
        "vmov s4, s5, r8, r9",
        "ldmia sp, {{r1-r4, r10, r11, lr}}",
        "add r3, r3, r2",
        "add r0, r0, r10",
        "vldmia r3, {{s8-s13}}",
        "vcvt.f32.s32 s0, s0, #8",
        "vcvt.f32.s32 s1, s1",
        "vcvt.f32.s32 s2, s2, #8",
        "vcvt.f32.s32 s3, s3",
        "vcvt.f32.s32 s4, s4, #8",
        "vcvt.f32.s32 s5, s5",
        ".irp i, 8, 9, 10, 11, 12, 13",
        "vmul.f32 s\\i, s\\i, s14",
        ".endr",
        "vmul.f32 s0, s0, s8",
        "vmul.f32 s1, s1, s9",
        "vmul.f32 s2, s2, s10",
        "vmul.f32 s3, s3, s11",
        "vmul.f32 s4, s4, s12",
        "vmul.f32 s5, s5, s13",
        "mov.w r5, r4",
        "vstmia r2!, {{s0-s5}}",
        "str r2, [sp, #4]",
        "cmp r2, r11",
        "beq 3f",
        "4:",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        "mov r8, r4",
        "mov r9, r4",
        "bx lr",
        "3:",
        "add sp, sp, #32",
        "pop {{r4-r11, pc}}",
    )
}
