//! Fast twins of the vector operations that lead from floats to integers: quantisation and attention's scores.
//!
//! Cycles as in [`super::vector`].

use super::processor;
use super::vector::behind;
use crate::kernels::vector;

/// The largest magnitude of `8 * turns` values, shifted left by one bit. The bits of magnitudes are ordered as these are. 36 cycles for 8.
///
/// # Safety
/// `turns` is positive, `values` is valid for reading `8 * turns` f32.
#[unsafe(naked)]
unsafe extern "C" fn largest(values: *const f32, turns: usize) -> u32 {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r10, lr}}",
        "movs r2, #0",
        ".balign 8",
        "2:",
        "ldmia r0!, {{r3-r10}}",
        ".irp i, 3, 4, 5, 6, 7, 8, 9, 10",
        "lsl.w r\\i, r\\i, #1", // the sign goes
        "cmp r\\i, r2",
        "it hi", // free behind a narrow instruction
        "movhi r2, r\\i",
        ".endr",
        "subs r1, r1, #1",
        "bne 2b",
        "mov r0, r2",
        "pop {{r4-r10, pc}}",
    )
}

/// Twin of [`vector::largest_magnitude_portable`].
pub fn largest_magnitude(values: &[f32]) -> f32 {
    let (eights, rest) = values.as_chunks::<8>();
    let rest = vector::largest_magnitude_portable(rest);
    if eights.is_empty() {
        return rest;
    }
    // SAFETY: the eights are their number of turns, which is not 0.
    let found = unsafe { largest(eights.as_ptr().cast(), eights.len()) };
    f32::from_bits((found >> 1).max(rest.to_bits()))
}

/// The integers nearest to `values * factor` of `8 * turns` values: the low halves of the products plus 3 * 2^22. 45 cycles for 8.
///
/// # Safety
/// `turns` is positive, `values` is valid for reading `8 * turns` f32 and `rounded`, word-aligned, for writing as many halfwords.
#[unsafe(naked)]
unsafe extern "C" fn rounded(values: *const f32, rounded: *mut i16, turns: usize, factor: f32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r8, r10, r11, lr}}",
        "vmov.f32 s8, s0",
        "movs r3, #0",
        "movt r3, #0x4b40",
        "vmov s9, r3", // 3 * 2^22
        ".balign 8",
        "2:",
        "vldmia r0!, {{s0-s7}}",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
        "vmul.f32 s\\i, s\\i, s8",
        ".endr",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
        "vadd.f32 s\\i, s\\i, s9",
        ".endr",
        "vmov r3, r4, s0, s1",
        "vmov r5, r6, s2, s3",
        "vmov r7, r8, s4, s5",
        "vmov r10, r11, s6, s7",
        "pkhbt r3, r3, r4, lsl #16",
        "pkhbt r5, r5, r6, lsl #16",
        "pkhbt r7, r7, r8, lsl #16",
        "pkhbt r10, r10, r11, lsl #16",
        "stmia r1!, {{r3, r5, r7, r10}}",
        "subs r2, r2, #1",
        "bne 2b",
        "pop {{r4-r8, r10, r11, pc}}",
    )
}

/// Twin of [`vector::round_products_portable`].
pub fn round_products(values: &[f32], factor: f32, to: &mut [i16]) {
    let turns = if to.as_ptr().addr().is_multiple_of(4) { values.len().min(to.len()) / 8 } else { 0 };
    if turns > 0 {
        // SAFETY: both slices have `8 * turns` elements, `to` begins at a word's border, and there is a turn.
        unsafe { rounded(values.as_ptr(), to.as_mut_ptr(), turns, factor) }
    }
    vector::round_products_portable(behind(values, turns), factor, to.get_mut(8 * turns..).unwrap_or_default());
}

/// Scales eight sums a turn, 86 cycles of a Cortex-M4, and returns the largest score.
///
/// # Safety
/// There are `8 * turns` elements in both, and `turns` is positive.
#[unsafe(naked)]
unsafe extern "C" fn scaled(sums: *mut f32, scales: *const f32, turns: usize, unit: f32) -> i32 {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r7}}",
        "vpush {{s16}}",
        "vmov.f32 s16, s0",
        "mov.w r3, #0x80000000",
        ".balign 8",
        "2:",
        "vldmia r0, {{s0-s7}}",
        "vldmia r1!, {{s8-s15}}",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
        "vcvt.f32.s32 s\\i, s\\i",
        ".endr",
        ".irp i, 8, 9, 10, 11, 12, 13, 14, 15",
        "vmul.f32 s\\i, s\\i, s16",
        ".endr",
        "vmul.f32 s0, s0, s8",
        "vmul.f32 s1, s1, s9",
        "vmul.f32 s2, s2, s10",
        "vmul.f32 s3, s3, s11",
        "vmul.f32 s4, s4, s12",
        "vmul.f32 s5, s5, s13",
        "vmul.f32 s6, s6, s14",
        "vmul.f32 s7, s7, s15",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
        "vcvt.s32.f32 s\\i, s\\i",
        ".endr",
        "vmov r4, r5, s0, s1",
        "vmov r6, r7, s2, s3",
        ".irp i, 4, 5, 6, 7",
        "cmp r3, r\\i",
        "it lt",
        "movlt r3, r\\i",
        ".endr",
        "vmov r4, r5, s4, s5",
        "vmov r6, r7, s6, s7",
        ".irp i, 4, 5, 6, 7",
        "cmp r3, r\\i",
        "it lt",
        "movlt r3, r\\i",
        ".endr",
        "vstmia r0!, {{s0-s7}}",
        "subs r2, r2, #1",
        "bne 2b",
        "vpop {{s16}}",
        "mov r0, r3",
        "pop {{r4-r7}}",
        "bx lr",
    )
}

/// Twin of [`vector::scale_scores_portable`].
pub fn scale_scores(sums: &mut [f32], scales: &[f32], unit: f32) -> i32 {
    let turns = sums.len().min(scales.len()) / 8;
    let mut largest = i32::MIN;
    if turns > 0 {
        // SAFETY: both slices have `8 * turns` elements, and there is a turn.
        largest = unsafe { scaled(sums.as_mut_ptr(), scales.as_ptr(), turns, unit) };
    }
    let rest = sums.get_mut(8 * turns..).unwrap_or_default();
    largest.max(vector::scale_scores_portable(rest, behind(scales, turns), unit))
}
