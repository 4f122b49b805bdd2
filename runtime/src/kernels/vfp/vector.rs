//! The fast twins of [`crate::kernels::vector`], for cores with an FPU and the DSP extension.
//!
//! Cycles are those of a Cortex-M4 in one turn of a loop: loads and stores of several registers take one more than their number, everything
//! else one, and the branch two. The counter stands between a product and its store, which would wait for it.

use super::processor;
use crate::kernels::half_float::{LANES, fold};
use crate::kernels::vector;
use crate::math::{CURVE_STEPS, Curve};

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
fn behind(values: &[f32], turns: usize) -> &[f32] {
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

/// [`Curve::at`] of two places in `$a` and `$b`, for the conversion to f32; r8 and r9 are free, r3 points at the middle node.
///
/// SMLAD multiplies both nodes of a step, which one load brings, by what is left to the next and to the first.
macro_rules! two_places {
    ($a:literal, $b:literal) => {
        concat!(
            "ssat r8, #9, ", $a, ", asr #14\nssat r9, #9, ", $b, ", asr #14\n",
            "ldr r8, [r3, r8, lsl #1]\nldr r9, [r3, r9, lsl #1]\n", // both nodes: at every other halfword a word's border lies between
            "ubfx ", $a, ", ", $a, ", #0, #14\nubfx ", $b, ", ", $b, ", #0, #14\n",
            "mla ", $a, ", ", $a, ", r10, r11\nmla ", $b, ", ", $b, ", r10, r11\n",
            "smlad ", $a, ", ", $a, ", r8, r12\nsmlad ", $b, ", ", $b, ", r9, r12\n",
        )
    };
}

/// `values = (values * curve(values)) * factors` of `4 * turns` values. 72 cycles for 4, and half a cycle for each unaligned load.
///
/// # Safety
/// `turns` is positive, `values` is valid for `4 * turns` f32, `factors` for reading as many; `middle` is the middle of a curve's nodes.
#[unsafe(naked)]
unsafe extern "C" fn gated(values: *mut f32, factors: *const f32, turns: usize, middle: *const i16, scale: f32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r12, lr}}",
        "vmov.f32 s12, s0",
        "movw r10, #0xffff", // place * 0xffff + 2^14 = place << 16 | 2^14 - place
        "mov r11, #0x4000",
        "mov r12, #0x20000000", // 1/2
        ".balign 8",
        "2:",
        "vldmia r0, {{s0-s3}}",
        "vmul.f32 s4, s0, s12",
        "vmul.f32 s5, s1, s12",
        "vmul.f32 s6, s2, s12",
        "vmul.f32 s7, s3, s12",
        ".irp i, 4, 5, 6, 7",
        "vcvt.s32.f32 s\\i, s\\i",
        ".endr",
        "vmov r4, r5, s4, s5",
        "vmov r6, r7, s6, s7",
        two_places!("r4", "r5"),
        two_places!("r6", "r7"),
        "vmov s4, s5, r4, r5",
        "vmov s6, s7, r6, r7",
        "vldmia r1!, {{s8-s11}}",
        ".irp i, 4, 5, 6, 7",
        "vcvt.f32.s32 s\\i, s\\i, #30",
        ".endr",
        "vmul.f32 s0, s0, s4",
        "vmul.f32 s1, s1, s5",
        "vmul.f32 s2, s2, s6",
        "vmul.f32 s3, s3, s7",
        "vmul.f32 s0, s0, s8",
        "vmul.f32 s1, s1, s9",
        "vmul.f32 s2, s2, s10",
        "vmul.f32 s3, s3, s11",
        "subs r2, r2, #1",
        "vstmia r0!, {{s0-s3}}",
        "bne 2b",
        "pop {{r4-r12, pc}}",
    )
}

/// Twin of [`vector::gate_portable`].
pub fn gate(curve: &Curve, values: &mut [f32], factors: &[f32]) {
    let turns = values.len().min(factors.len()) / 4;
    if turns > 0 {
        // SAFETY: both slices have `4 * turns` values, and there is a turn; the pointer stays inside the nodes. The index of a step
        // saturates to 9 bits, so that both nodes read are among the 256 before and behind the middle.
        unsafe {
            let middle = curve.nodes.as_ptr().add(CURVE_STEPS);
            gated(values.as_mut_ptr(), factors.as_ptr(), turns, middle, curve.scale);
        }
    }
    let (rest, factors) = (values.get_mut(4 * turns..).unwrap_or_default(), factors.get(4 * turns..).unwrap_or_default());
    vector::gate_portable(curve, rest, factors);
}

/// Turns the pairs of `heads` heads of `2 * turns` pairs. 30 cycles for 2.
///
/// # Safety
/// `heads` and `turns` are positive, `values` is valid for `heads * turns * 4` f32 and `angles` for reading `turns * 4`.
#[unsafe(naked)]
unsafe extern "C" fn rotated(values: *mut f32, angles: *const f32, turns: usize, heads: usize) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4, r5}}",
        "1:",
        "mov r4, r1",
        "mov r5, r2",
        ".balign 8",
        "2:",
        "vldmia r0, {{s0-s3}}",
        "vldmia r4!, {{s4-s7}}",
        "vmul.f32 s8, s0, s4", // x cos
        "vmul.f32 s9, s0, s5", // x sin
        "vmul.f32 s10, s2, s6",
        "vmul.f32 s11, s2, s7",
        "vmul.f32 s5, s1, s5", // y sin
        "vmul.f32 s4, s1, s4", // y cos
        "vmul.f32 s7, s3, s7",
        "vmul.f32 s6, s3, s6",
        "vsub.f32 s0, s8, s5",
        "vadd.f32 s1, s9, s4",
        "vsub.f32 s2, s10, s7",
        "vadd.f32 s3, s11, s6",
        "subs r5, r5, #1",
        "vstmia r0!, {{s0-s3}}",
        "bne 2b",
        "subs r3, r3, #1",
        "bne 1b",
        "pop {{r4, r5}}",
        "bx lr",
    )
}

/// Twin of [`vector::rotate_portable`].
pub fn rotate(heads: &mut [f32], turns: &[f32]) {
    let head_dim = turns.len();
    if head_dim == 0 || !head_dim.is_multiple_of(4) || heads.len() < head_dim {
        return vector::rotate_portable(heads, turns);
    }
    // SAFETY: the width of a head is a positive multiple of 4, and there is at least one whole head; the division rounds down.
    unsafe { rotated(heads.as_mut_ptr(), turns.as_ptr(), head_dim / 4, heads.len() / head_dim) }
}
