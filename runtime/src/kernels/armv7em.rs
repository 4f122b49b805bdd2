//! The fast twins for Armv7E-M with a single-precision FPU. The only file of this crate with unsafe code.
//!
//! Loads stand next to one another, because a Cortex-M4 pipelines only neighbouring loads (ARM DDI0439, 3.3.2 "Load/store timings").
#![allow(unsafe_code)] // naked functions, called through pointers whose extents the safe wrappers check

use super::half_float::LANES;
use super::int8::GroupSums;

/// `SMLAD P; SXTB16; SMLAD Q` for the word in `$w` and the activations in `$x`.
macro_rules! pair {
    ($w:literal, $x:literal, $p:literal, $q:literal) => {
        concat!(
            "smlad ", $p, ", ", $w, ", ", $x, ", ", $p, "\n", "sxtb16 ", $w, ", ", $w, "\n", "smlad ", $q, ", ", $w, ", ", $x,
            ", ", $q, "\n",
        )
    };
}

macro_rules! group_kernel {
    ($name:ident, $load:literal, $pairs:expr) => {
        /// `sums += ` the rows of a group of this many pairs; `words` counts words of two columns and is even.
        ///
        /// # Safety
        /// `weights` is valid for `pairs * words` words, `input` for `words` words (both 2-byte aligned), `sums` for a `GroupSums`.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(weights: *const i16, input: *const i16, words: usize, sums: *mut GroupSums) {
            core::arch::naked_asm!(
                "push {{r3-r11, lr}}",
                "movs r4, #0",
                "movs r5, #0",
                "movs r6, #0",
                "movs r7, #0",
                "mov r8, r4",
                "mov r9, r4",
                "add r2, r1, r2, lsl #2", // end of the input
                ".balign 8",
                "2:",
                "ldr lr, [r1], #4",
                $load,
                $pairs,
                "ldr lr, [r1], #4",
                $load,
                $pairs,
                "cmp r1, r2",
                "bne 2b",
                "ldr r3, [sp]",
                "ldmia r3, {{r0, r1, r2, r10, r11, r12}}",
                "subs r4, r4, r5",
                "add r0, r0, r4, asr #8",
                "add r1, r1, r5",
                "subs r6, r6, r7",
                "add r2, r2, r6, asr #8",
                "add r10, r10, r7",
                "sub r8, r8, r9",
                "add r11, r11, r8, asr #8",
                "add r12, r12, r9",
                "stmia r3, {{r0, r1, r2, r10, r11, r12}}",
                "pop {{r3-r11, pc}}",
            )
        }
    };
}

group_kernel!(
    three_pairs,
    "ldr r10, [r0], #4\nldr r11, [r0], #4\nldr r12, [r0], #4",
    concat!(pair!("r10", "lr", "r4", "r5"), pair!("r11", "lr", "r6", "r7"), pair!("r12", "lr", "r8", "r9"))
);
group_kernel!(
    two_pairs,
    "ldr r10, [r0], #4\nldr r11, [r0], #4",
    concat!(pair!("r10", "lr", "r4", "r5"), pair!("r11", "lr", "r6", "r7"))
);
group_kernel!(one_pair, "ldr r10, [r0], #4", pair!("r10", "lr", "r4", "r5"));

/// Twin of [`super::int8::group_sums_portable`], bit-equal.
pub fn group_sums(weights: &[i16], pairs: usize, input: &[i16], stride: usize, columns: usize, sums: &mut [GroupSums]) {
    assert!((1..=3).contains(&pairs) && columns > 0 && columns.is_multiple_of(4) && weights.len() >= pairs * columns);
    let kernel = match pairs {
        1 => one_pair,
        2 => two_pairs,
        _ => three_pairs,
    };
    for (token, sums) in sums.iter_mut().enumerate() {
        let input = &input[token * stride..][..columns];
        // SAFETY: the assertion and the slice above give the kernel its `columns / 2` words of input and, for each, one word per
        // pair; `pairs` is 1 to 3 and selects the kernel that reads as many.
        unsafe { kernel(weights.as_ptr(), input.as_ptr(), columns / 2, sums) }
    }
}

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
