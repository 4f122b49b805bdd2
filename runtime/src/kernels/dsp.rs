//! The fast int8 twin for cores with the DSP extension: Armv7E-M, and Armv8-M Mainline where it has that. Unsafe code is here and in
//! `vfp` alone.
//!
//! Loads stand next to one another, because a Cortex-M4 pipelines only neighbouring loads (ARM DDI0439, 3.3.2 "Load/store timings").
#![allow(unsafe_code)] // naked functions, called through pointers whose extents the safe wrappers check

use super::int8::Matrix;
use crate::format::packing::{EXACT_COLUMNS, GROUP_ROWS, LOW_OFFSET};

type GroupSums = [i32; GROUP_ROWS];

/// A naked function is assembled apart from the target's features; those of Armv8-M would not have the extension in any case.
#[cfg(armv8m)]
macro_rules! processor {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(not(armv8m))]
macro_rules! processor {
    () => {
        ""
    };
}

/// `SMLAD P; UXTB16; SMLAD Q` for the word in `$w` and the activations in `$x`.
macro_rules! pair {
    ($w:literal, $x:literal, $p:literal, $q:literal) => {
        concat!(
            "smlad ", $p, ", ", $w, ", ", $x, ", ", $p, "\n", "uxtb16 ", $w, ", ", $w, "\n", "smlad ", $q, ", ", $w, ", ", $x,
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
                processor!(),
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

/// Twin of [`super::int8::sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, .. } = *matrix;
    for (input, sums) in input.chunks_exact(columns.max(1)).zip(sums.chunks_exact_mut(rows.max(1))).take(tokens) {
        for ((pairs, weights), sums) in matrix.groups().zip(sums.chunks_mut(GROUP_ROWS)) {
            let kernel = match pairs {
                1 => one_pair,
                2 => two_pairs,
                _ => three_pairs,
            };
            let mut group = [0; GROUP_ROWS];
            for (weights, input) in weights.chunks(pairs * EXACT_COLUMNS).zip(input.chunks(EXACT_COLUMNS)) {
                if input.is_empty() || !input.len().is_multiple_of(4) || weights.len() < pairs * input.len() {
                    return;
                }
                // SAFETY: the condition gives the kernel a positive even number of words of input and, for each, one word per pair;
                // `pairs` is 1 to 3 and selects the kernel that reads as many.
                unsafe { kernel(weights.as_ptr(), input.as_ptr(), input.len() / 2, &mut group) }
                let offset = i32::from(LOW_OFFSET) * input.iter().map(|x| i32::from(*x)).sum::<i32>();
                group.as_chunks_mut::<2>().0.iter_mut().for_each(|[_, b]| *b -= offset);
            }
            sums.iter_mut().zip(group).for_each(|(to, from)| *to = from);
        }
    }
}
