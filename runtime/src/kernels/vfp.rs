//! The fast f16 twin for cores with a single-precision FPU.
#![allow(unsafe_code)] // a naked function, called through pointers whose extents the safe wrapper checks

use super::half_float::LANES;

/// Adds 4 or 8 products: `$lane` accumulators in s16.., weights converted into s8..s15, activations in s0..s7.
///
/// # Safety
/// `weights` is valid for `columns` halfwords and `input` for `columns` f32, `lanes` for 8 f32; `columns` is a positive multiple of 4.
#[unsafe(naked)]
unsafe extern "C" fn lanes_of_row(weights: *const u16, input: *const f32, columns: usize, lanes: *mut [f32; LANES]) {
    core::arch::naked_asm!(
        ".fpu fpv4-sp-d16", // a naked function is assembled apart from the target's features
        "push {{r4-r7, lr}}",
        "vpush {{s16-s23}}",
        "vldmia r3, {{s16-s23}}",
        "subs r2, r2, #8",
        "blt 3f",
        ".balign 8",
        "2:",
        "ldmia r0!, {{r4, r5, r6, r7}}",
        "vldmia r1!, {{s0-s7}}",
        "vmov s8, r4",
        "vmov s10, r5",
        "vmov s12, r6",
        "vmov s14, r7",
        "vcvtt.f32.f16 s9, s8",
        "vcvtb.f32.f16 s8, s8",
        "vcvtt.f32.f16 s11, s10",
        "vcvtb.f32.f16 s10, s10",
        "vcvtt.f32.f16 s13, s12",
        "vcvtb.f32.f16 s12, s12",
        "vcvtt.f32.f16 s15, s14",
        "vcvtb.f32.f16 s14, s14",
        "vmul.f32 s0, s0, s8",
        "vmul.f32 s1, s1, s9",
        "vmul.f32 s2, s2, s10",
        "vmul.f32 s3, s3, s11",
        "vmul.f32 s4, s4, s12",
        "vmul.f32 s5, s5, s13",
        "vmul.f32 s6, s6, s14",
        "vmul.f32 s7, s7, s15",
        "vadd.f32 s16, s16, s0",
        "vadd.f32 s17, s17, s1",
        "vadd.f32 s18, s18, s2",
        "vadd.f32 s19, s19, s3",
        "vadd.f32 s20, s20, s4",
        "vadd.f32 s21, s21, s5",
        "vadd.f32 s22, s22, s6",
        "vadd.f32 s23, s23, s7",
        "subs r2, r2, #8",
        "bge 2b",
        "3:",
        "adds r2, r2, #8",
        "beq 4f",
        "ldmia r0!, {{r4, r5}}",
        "vldmia r1!, {{s0-s3}}",
        "vmov s8, r4",
        "vmov s10, r5",
        "vcvtt.f32.f16 s9, s8",
        "vcvtb.f32.f16 s8, s8",
        "vcvtt.f32.f16 s11, s10",
        "vcvtb.f32.f16 s10, s10",
        "vmul.f32 s0, s0, s8",
        "vmul.f32 s1, s1, s9",
        "vmul.f32 s2, s2, s10",
        "vmul.f32 s3, s3, s11",
        "vadd.f32 s16, s16, s0",
        "vadd.f32 s17, s17, s1",
        "vadd.f32 s18, s18, s2",
        "vadd.f32 s19, s19, s3",
        "4:",
        "vstmia r3, {{s16-s23}}",
        "vpop {{s16-s23}}",
        "pop {{r4-r7, pc}}",
    )
}

/// Twin of [`super::half_float::row_lanes_portable`], bit-equal for finite weights: products and sums round separately, as there.
pub fn row_lanes(weights: &[u16], input: &[f32], stride: usize, lanes: &mut [[f32; LANES]]) {
    let columns = weights.len();
    assert!(columns > 0 && columns.is_multiple_of(4) && weights.as_ptr().addr().is_multiple_of(4));
    for (token, lanes) in lanes.iter_mut().enumerate() {
        let input = &input[token * stride..][..columns];
        // SAFETY: both slices have `columns` elements, a positive multiple of 4, and `weights` is word-aligned for the load-multiple.
        unsafe { lanes_of_row(weights.as_ptr(), input.as_ptr(), columns, lanes) }
    }
}
