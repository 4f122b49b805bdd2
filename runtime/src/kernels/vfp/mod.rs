//! The fast twins for cores with a single-precision FPU.
//!
//! Every operation rounds by itself, as in the portable definition. No result of the FPU is taken by the instruction behind it, which
//! would wait on a Cortex-M4, and loads stand in groups (Arm 100166, table 7-1 and section 3.3.1).
#![allow(unsafe_code)] // naked functions, called through pointers whose extents the safe wrappers check

#[cfg(dsp)]
mod gate;
#[cfg(dsp)]
mod softmax;
#[cfg(dsp)]
mod to_integers;
#[cfg(dsp)]
pub mod vector;

use super::half_float::{Matrix, ROWS_TOGETHER, products_portable};

/// A naked function is assembled apart from the target's features; those of Armv8-M would not have the DSP extension in any case.
#[cfg(armv8m)]
macro_rules! processor {
    () => {
        ".cpu cortex-m33\n.fpu fpv5-sp-d16"
    };
}
#[cfg(not(armv8m))]
macro_rules! processor {
    () => {
        ".fpu fpv4-sp-d16"
    };
}
pub(super) use processor;

/// Adds four products of a row to its lanes: weights in two words, activations in four registers; s12 to s15 are free.
macro_rules! four_products {
    ([$w0:literal, $w1:literal], [$x0:literal, $x1:literal, $x2:literal, $x3:literal], [$a:literal, $b:literal, $c:literal, $d:literal]) => {
        concat!(
            "vcvtb.f32.f16 s12, ",
            $w0,
            "\nvcvtt.f32.f16 s13, ",
            $w0,
            "\n",
            "vcvtb.f32.f16 s14, ",
            $w1,
            "\nvcvtt.f32.f16 s15, ",
            $w1,
            "\n",
            "vmul.f32 s12, s12, ",
            $x0,
            "\nvmul.f32 s13, s13, ",
            $x1,
            "\n",
            "vmul.f32 s14, s14, ",
            $x2,
            "\nvmul.f32 s15, s15, ",
            $x3,
            "\n",
            "vadd.f32 ",
            $a,
            ", ",
            $a,
            ", s12\nvadd.f32 ",
            $b,
            ", ",
            $b,
            ", s13\n",
            "vadd.f32 ",
            $c,
            ", ",
            $c,
            ", s14\nvadd.f32 ",
            $d,
            ", ",
            $d,
            ", s15\n",
        )
    };
}

/// Eight columns of a row.
macro_rules! eight_columns {
    ($row:literal, $lanes:tt) => {
        concat!(
            "vldmia ",
            $row,
            "!, {{s8-s11}}\n",
            four_products!(["s8", "s9"], ["s0", "s1", "s2", "s3"], $lanes),
            four_products!(["s10", "s11"], ["s4", "s5", "s6", "s7"], $lanes),
        )
    };
}

/// Four columns of a row.
macro_rules! four_columns {
    ($row:literal, $lanes:tt) => {
        concat!("vldmia ", $row, "!, {{s8-s9}}\n", four_products!(["s8", "s9"], ["s0", "s1", "s2", "s3"], $lanes))
    };
}

/// `output[r] = ` row `r` of `weights` times `input`, four rows at once with the lanes of each in registers. Per turn of 32 products 128
/// cycles on a Cortex-M4: 9 to load activations, 4 times 5 to load weights, 32 conversions, products and sums each, 3 for the loop.
///
/// # Safety
/// `weights` is valid for `rows * columns` halfwords and word-aligned, `input` for `columns` f32, `output` for `rows` f32; `columns` is a
/// positive multiple of 4, `rows` of [`ROWS_TOGETHER`].
#[unsafe(naked)]
unsafe extern "C" fn matrix_vector(weights: *const u16, input: *const f32, columns: usize, rows: usize, output: *mut f32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r10, lr}}",
        "vpush {{s16-s31}}",
        "ldr r7, [sp, #96]", // output
        "movs r10, #0",
        "2:",
        "add r4, r0, r2, lsl #1",
        "add r5, r4, r2, lsl #1",
        "add r6, r5, r2, lsl #1",
        "mov r8, r1",
        "subs r9, r2, #8",
        "vmov s16, s17, r10, r10",
        "vmov s18, s19, r10, r10",
        "vmov s20, s21, r10, r10",
        "vmov s22, s23, r10, r10",
        "vmov s24, s25, r10, r10",
        "vmov s26, s27, r10, r10",
        "vmov s28, s29, r10, r10",
        "vmov s30, s31, r10, r10",
        "blt 4f",
        ".balign 8",
        "3:",
        "vldmia r8!, {{s0-s7}}",
        eight_columns!("r0", ["s16", "s17", "s18", "s19"]),
        eight_columns!("r4", ["s20", "s21", "s22", "s23"]),
        eight_columns!("r5", ["s24", "s25", "s26", "s27"]),
        eight_columns!("r6", ["s28", "s29", "s30", "s31"]),
        "subs r9, r9, #8",
        "bge 3b",
        "4:",
        "tst r2, #4",
        "beq 5f",
        "vldmia r8!, {{s0-s3}}",
        four_columns!("r0", ["s16", "s17", "s18", "s19"]),
        four_columns!("r4", ["s20", "s21", "s22", "s23"]),
        four_columns!("r5", ["s24", "s25", "s26", "s27"]),
        four_columns!("r6", ["s28", "s29", "s30", "s31"]),
        "5:",
        "vadd.f32 s16, s16, s18",
        "vadd.f32 s20, s20, s22",
        "vadd.f32 s24, s24, s26",
        "vadd.f32 s28, s28, s30",
        "vadd.f32 s17, s17, s19",
        "vadd.f32 s21, s21, s23",
        "vadd.f32 s25, s25, s27",
        "vadd.f32 s29, s29, s31",
        "vadd.f32 s0, s16, s17",
        "vadd.f32 s1, s20, s21",
        "vadd.f32 s2, s24, s25",
        "vadd.f32 s3, s28, s29",
        "vstmia r7!, {{s0-s3}}",
        "mov r0, r6", // behind the last of the four rows
        "subs r3, r3, #4",
        "bgt 2b",
        "vpop {{s16-s31}}",
        "pop {{r4-r10, pc}}",
    )
}

/// Twin of [`products_portable`], bit-equal for finite weights.
pub fn products(matrix: &Matrix<'_>, input: &[f32], tokens: usize, output: &mut [f32]) {
    let Matrix { rows, columns, weights, .. } = *matrix;
    let fits = columns > 0 && columns.is_multiple_of(4) && weights.as_ptr().addr().is_multiple_of(4);
    if rows < ROWS_TOGETHER || !fits || weights.len() < rows * columns {
        return products_portable(matrix, input, tokens, output);
    }
    let whole = rows / ROWS_TOGETHER * ROWS_TOGETHER;
    for (input, output) in input.chunks_exact(columns).zip(output.chunks_exact_mut(rows)).take(tokens) {
        // SAFETY: `columns` is a positive multiple of 4; there are `whole <= rows` rows of weights at a word's border, `columns`
        // activations and `rows` outputs.
        unsafe { matrix_vector(weights.as_ptr(), input.as_ptr(), columns, whole, output.as_mut_ptr()) }
        if whole < rows {
            let first = rows - ROWS_TOGETHER; // the last four again, some of them a second time
            let (Some(weights), Some(output)) = (weights.get(first * columns..), output.get_mut(first..)) else { return };
            // SAFETY: four rows of weights and of output begin at `first`; a row of an even number of halfwords is whole words.
            unsafe { matrix_vector(weights.as_ptr(), input.as_ptr(), columns, ROWS_TOGETHER, output.as_mut_ptr()) }
        }
    }
}
