//! Fast twins of the passes of attention's softmax.
//!
//! Cycles as in [`super::vector`].

use super::processor;
use crate::kernels::softmax::{POWERS, STEPS};
use crate::kernels::vector;

/// `$below` is how far a score lies below 0: its power of two goes to `$power`, where the word of the table is, and is added to r12.
macro_rules! power {
    ($below:literal, $power:literal) => {
        concat!(
            "ubfx lr, ",
            $below,
            ", #0, #9\n",
            "lsr.w ",
            $below,
            ", ",
            $below,
            ", #16\n",
            "smlabb ",
            $power,
            ", ",
            $power,
            ", lr, ",
            $power,
            "\n",
            "lsr.w ",
            $power,
            ", ",
            $power,
            ", ",
            $below,
            "\n",
            "add.w r12, r12, ",
            $power,
            "\n",
        )
    };
}

/// The exponentials of `4 * turns` scores, and their sum. 50 cycles for 4.
///
/// # Safety
/// `turns` is positive, `scores` is valid for `4 * turns` words.
#[unsafe(naked)]
unsafe extern "C" fn powers(scores: *mut i32, turns: usize, largest: i32, table: &[u32; STEPS]) -> u32 {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "mov.w r12, #0",
        ".balign 8",
        "2:",
        "ldmia.w r0, {{r4-r7}}",
        ".irp i, 4, 5, 6, 7",
        "sub.w r\\i, r2, r\\i",
        ".endr",
        ".irp i, 4, 5, 6, 7",
        "usat r\\i, #21, r\\i", // at most 32 places of the binary point, less one unit
        ".endr",
        "ubfx r8, r4, #9, #7",
        "ubfx r9, r5, #9, #7",
        "ubfx r10, r6, #9, #7",
        "ubfx r11, r7, #9, #7",
        "ldr.w r8, [r3, r8, lsl #2]",
        "ldr.w r9, [r3, r9, lsl #2]",
        "ldr.w r10, [r3, r10, lsl #2]",
        "ldr.w r11, [r3, r11, lsl #2]",
        power!("r4", "r8"),
        power!("r5", "r9"),
        power!("r6", "r10"),
        power!("r7", "r11"),
        "subs.w r1, r1, #1",
        "stmia.w r0!, {{r8-r11}}",
        "bne 2b",
        "mov r0, r12",
        "pop {{r4-r11, pc}}",
    )
}

/// Twin of [`vector::exponentials_portable`].
pub fn exponentials(scores: &mut [i32], largest: i32) -> u32 {
    let (fours, rest) = scores.as_chunks_mut::<4>();
    let mut total = 0;
    if !fours.is_empty() {
        // SAFETY: the fours are their number of turns, which is not 0; seven bits of a score choose among the table's words.
        total = unsafe { powers(fours.as_mut_ptr().cast(), fours.len(), largest, &POWERS) };
    }
    total.wrapping_add(vector::exponentials_portable(rest, largest))
}

/// Weighs eight parts a turn. 63 cycles for 8.
///
/// # Safety
/// `turns` is positive, `parts` and `scales` are valid for reading `8 * turns` words, `rounded`, word-aligned, for writing as many halfwords.
#[unsafe(naked)]
unsafe extern "C" fn weighed_parts(parts: *const i32, scales: *const f32, rounded: *mut i16, turns: usize, factor: f32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vmov.f32 s8, s0",
        ".balign 8",
        "2:",
        "vldmia r1!, {{s0-s7}}",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
        "vmul.f32 s\\i, s\\i, s8",
        ".endr",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
        "vcvt.s32.f32 s\\i, s\\i",
        ".endr",
        "vmov r8, r9, s0, s1",
        "vmov r10, r11, s2, s3",
        "ldmia.w r0!, {{r4-r7}}",
        "smmulr r4, r4, r8", // the upper half of the product, rounded
        "smmulr r5, r5, r9",
        "smmulr r6, r6, r10",
        "smmulr r7, r7, r11",
        "vmov r10, r11, s4, s5",
        "pkhbt r4, r4, r5, lsl #16",
        "pkhbt r5, r6, r7, lsl #16",
        "vmov r12, lr, s6, s7",
        "ldmia.w r0!, {{r6-r9}}",
        "smmulr r6, r6, r10",
        "smmulr r7, r7, r11",
        "smmulr r8, r8, r12",
        "smmulr r9, r9, lr",
        "pkhbt r6, r6, r7, lsl #16",
        "pkhbt r7, r8, r9, lsl #16",
        "subs.w r3, r3, #1",
        "stmia.w r2!, {{r4-r7}}",
        "bne 2b",
        "pop {{r4-r11, pc}}",
    )
}

/// Twin of [`vector::round_parts_portable`].
pub fn round_parts(parts: &[i32], scales: &[f32], factor: f32, rounded: &mut [i16]) {
    let places = parts.len().min(scales.len()).min(rounded.len());
    let turns = if rounded.as_ptr().addr().is_multiple_of(4) { places / 8 } else { 0 };
    if turns > 0 {
        // SAFETY: all slices have `8 * turns` elements, `rounded` begins at a word's border, and there is a turn.
        unsafe { weighed_parts(parts.as_ptr(), scales.as_ptr(), rounded.as_mut_ptr(), turns, factor) }
    }
    let (parts, rest) = (parts.get(8 * turns..).unwrap_or_default(), rounded.get_mut(8 * turns..).unwrap_or_default());
    vector::round_parts_portable(parts, super::vector::behind(scales, turns), factor, rest);
}
