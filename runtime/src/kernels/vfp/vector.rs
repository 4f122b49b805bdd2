//! The fast twins of [`crate::kernels::vector`], for cores with an FPU and the DSP extension: here those of norm, router and residual;
//! `to_integers` and `gate` have the others.
//!
//! Cycles are those of a Cortex-M4 in one turn of a loop: loads and stores of several registers take one more than their number, everything
//! else one, and the branch two. The counter stands between a product and its store, which would wait for it.

pub use super::gate::{gate, rotate};
use super::processor;
pub use super::softmax::{exponentials, round_parts};
pub use super::to_integers::{largest_magnitude, round_products, scale_scores};
use crate::kernels::half_float::{LANES, fold};
use crate::kernels::vector;

/// Adds the squares of `8 * turns` values to the lanes. 28 cycles for 8.
///
/// # Safety
/// `turns` is positive, `values` is valid for reading `8 * turns` f32 and `lanes` for both.
#[unsafe(naked)]
unsafe extern "C" fn squares(values: *const f32, turns: usize, lanes: *mut [f32; LANES]) {
    core::arch::naked_asm!(
        processor!(),
        "vldmia r2, {{s8-s11}}",
        ".balign 8",
        "2:",
        "vldmia r0!, {{s0-s7}}",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
        "vmul.f32 s\\i, s\\i, s\\i",
        ".endr",
        "vadd.f32 s8, s8, s0",
        "vadd.f32 s9, s9, s1",
        "vadd.f32 s10, s10, s2",
        "vadd.f32 s11, s11, s3",
        "vadd.f32 s8, s8, s4",
        "vadd.f32 s9, s9, s5",
        "vadd.f32 s10, s10, s6",
        "vadd.f32 s11, s11, s7",
        "subs r1, r1, #1",
        "bne 2b",
        "vstmia r2, {{s8-s11}}",
        "bx lr",
    )
}

/// Twin of [`vector::sum_of_squares_portable`].
pub fn sum_of_squares(values: &[f32]) -> f32 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; LANES];
    if !eights.is_empty() {
        // SAFETY: the eights are their number of turns, which is not 0, and the lanes are our own.
        unsafe { squares(eights.as_ptr().cast(), eights.len(), &mut lanes) }
    }
    fold(vector::add_squares(lanes, rest))
}

/// Adds `max(values, 0) * weights` of `4 * turns` values to the lanes. 29 cycles for 4.
///
/// # Safety
/// `turns` is positive, `values` and `weights` are valid for reading `4 * turns` f32, `lanes` for reading and writing.
#[unsafe(naked)]
unsafe extern "C" fn rectified(values: *const f32, weights: *const f32, turns: usize, lanes: *mut [f32; LANES]) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r7}}",
        "vldmia r3, {{s8-s11}}",
        ".balign 8",
        "2:",
        "ldmia r0!, {{r4-r7}}",
        ".irp i, 4, 5, 6, 7",
        "bic r\\i, r\\i, r\\i, asr #31", // the bits of a negative number become 0
        ".endr",
        "vmov s0, s1, r4, r5",
        "vmov s2, s3, r6, r7",
        "vldmia r1!, {{s4-s7}}",
        "vmul.f32 s0, s0, s4",
        "vmul.f32 s1, s1, s5",
        "vmul.f32 s2, s2, s6",
        "vmul.f32 s3, s3, s7",
        "vadd.f32 s8, s8, s0",
        "vadd.f32 s9, s9, s1",
        "vadd.f32 s10, s10, s2",
        "vadd.f32 s11, s11, s3",
        "subs r2, r2, #1",
        "bne 2b",
        "vstmia r3, {{s8-s11}}",
        "pop {{r4-r7}}",
        "bx lr",
    )
}

/// Twin of [`vector::rectified_dot_portable`].
pub fn rectified_dot(values: &[f32], weights: &[f32]) -> f32 {
    let turns = values.len().min(weights.len()) / 4;
    let mut lanes = [0.0; LANES];
    if turns > 0 {
        // SAFETY: both slices have `4 * turns` values, there is a turn, and the lanes are our own.
        unsafe { rectified(values.as_ptr(), weights.as_ptr(), turns, &mut lanes) }
    }
    let (values, weights) = (values.get(4 * turns..).unwrap_or_default(), weights.get(4 * turns..).unwrap_or_default());
    fold(vector::add_rectified(lanes, values, weights))
}

/// `output = (input * scale) * weights` of `8 * turns` values. 46 cycles for 8.
///
/// # Safety
/// `turns` is positive, `input` and `weights` are valid for reading `8 * turns` f32 and `output` for writing.
#[unsafe(naked)]
unsafe extern "C" fn weighed(input: *const f32, weights: *const f32, output: *mut f32, turns: usize, scale: f32) {
    core::arch::naked_asm!(
        processor!(),
        "vpush {{s16-s17}}",
        "vmov.f32 s16, s0",
        ".balign 8",
        "2:",
        "vldmia r0!, {{s0-s7}}",
        "vldmia r1!, {{s8-s15}}",
        ".irp i, 0, 1, 2, 3, 4, 5, 6, 7",
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
        "subs r3, r3, #1",
        "vstmia r2!, {{s0-s7}}",
        "bne 2b",
        "vpop {{s16-s17}}",
        "bx lr",
    )
}

/// Twin of [`vector::weigh_portable`].
pub fn weigh(input: &[f32], scale: f32, weights: &[f32], output: &mut [f32]) {
    let turns = input.len().min(weights.len()).min(output.len()) / 8;
    if turns > 0 {
        // SAFETY: each of the slices has `8 * turns` values, and there is a turn.
        unsafe { weighed(input.as_ptr(), weights.as_ptr(), output.as_mut_ptr(), turns, scale) }
    }
    let rest = output.get_mut(8 * turns..).unwrap_or_default();
    vector::weigh_portable(behind(input, turns), scale, behind(weights, turns), rest);
}

/// What lies behind `turns` eights.
pub(super) fn behind(values: &[f32], turns: usize) -> &[f32] {
    values.get(8 * turns..).unwrap_or_default()
}

/// `values += addend` of `8 * turns` values. 38 cycles for 8.
///
/// # Safety
/// `turns` is positive, `values` is valid for `8 * turns` f32, `addend` for reading as many.
#[unsafe(naked)]
unsafe extern "C" fn added(values: *mut f32, addend: *const f32, turns: usize) {
    core::arch::naked_asm!(
        processor!(),
        ".balign 8",
        "2:",
        "vldmia r0, {{s0-s7}}",
        "vldmia r1!, {{s8-s15}}",
        "vadd.f32 s0, s0, s8",
        "vadd.f32 s1, s1, s9",
        "vadd.f32 s2, s2, s10",
        "vadd.f32 s3, s3, s11",
        "vadd.f32 s4, s4, s12",
        "vadd.f32 s5, s5, s13",
        "vadd.f32 s6, s6, s14",
        "vadd.f32 s7, s7, s15",
        "subs r2, r2, #1",
        "vstmia r0!, {{s0-s7}}",
        "bne 2b",
        "bx lr",
    )
}

/// Twin of [`vector::add_portable`].
pub fn add(values: &mut [f32], addend: &[f32]) {
    let turns = values.len().min(addend.len()) / 8;
    if turns > 0 {
        // SAFETY: both slices have `8 * turns` values, and there is a turn.
        unsafe { added(values.as_mut_ptr(), addend.as_ptr(), turns) }
    }
    vector::add_portable(values.get_mut(8 * turns..).unwrap_or_default(), behind(addend, turns));
}
