//! The fast int8 twins for cores with the DSP extension: Armv7E-M, and Armv8-M Mainline where it has that.
//!
//! A word holds two columns of the rows A and B of a pair. With `o = 128 sum(x)`, `P = sum((256 A + B + 128) x) - o` and
//! `Q = sum((B + 128) x) - o`, both of two multiplications an instruction, B's sum is `Q` and A's is `(P - Q) >> 8`: exact while A's
//! has fewer than 24 bits, so over [`EXACT_COLUMNS`](crate::format::packing::EXACT_COLUMNS) columns. AND with 0x00ff00ff takes
//! `B + 128` out of the word, and on a Cortex-M7 goes beside a multiplication, where UXTB16 does not.
//!
//! One order of instructions serves all cores. Loads stand next to one another, because a Cortex-M4 pipelines only neighbouring
//! loads (Arm 100166, 3.3.1), and none takes its base from the load before it; results are used two instructions later, as a
//! Cortex-M33 wants it; and each AND follows a multiplication, where a Cortex-M7 issues both at once.
#![allow(unsafe_code)] // naked functions, called through pointers whose extents the safe wrappers check

#[cfg(vfp)]
mod scaled;
#[cfg(feature = "tiles")]
pub(super) mod tile;
mod vector;

use super::int8::Matrix;
#[cfg(vfp)]
use super::requantise::{as_sums, requantise};
use crate::format::packing::{GROUP_ROWS, LOW_OFFSET, pairs_in_group};

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
pub(super) use processor;

/// Tokens that one pass over the weights serves.
#[cfg(feature = "tiles")]
const TOGETHER: usize = tile::TOKENS;
#[cfg(not(feature = "tiles"))]
const TOGETHER: usize = 1;

/// Whether the weights are there, and the columns are some that the kernels take.
fn fits(matrix: &Matrix<'_>) -> bool {
    let Matrix { rows, columns, stride, weights, .. } = *matrix;
    let Some(last_group) = rows.checked_sub(1).map(|row| row / GROUP_ROWS) else { return false };
    let before = (last_group * (GROUP_ROWS / 2)).saturating_mul(stride);
    let has_weights = weights.len().checked_sub(before).is_some_and(|left| left >= pairs_in_group(rows, last_group) * columns);
    let fits = columns > 0 && columns.is_multiple_of(4) && stride >= columns && has_weights;
    debug_assert!(fits, "the weights do not have the matrix's shape");
    fits
}

/// Twin of [`super::int8::sums_portable`], bit-equal.
pub fn sums(matrix: &Matrix<'_>, input: &[i16], tokens: usize, sums: &mut [i32]) {
    let Matrix { rows, columns, .. } = *matrix;
    if rows == 0 || !fits(matrix) {
        return;
    }
    if tokens > 1 {
        return several(matrix, input, tokens, sums);
    }
    if let (1, Some(input), Some(sums)) = (tokens, input.get(..columns), sums.get_mut(..rows)) {
        // SAFETY: the checks above are what it asks for.
        unsafe { vector::sums(matrix, input, sums) }
    }
}

/// The results without the bias: the sums and what [`requantise`] makes of them. *Shapes*: as [`super::int8::matmul`].
#[cfg(vfp)]
pub fn scaled(matrix: &Matrix<'_>, input: &[i16], input_scales: &[f32], mut tokens: usize, output: &mut [f32]) {
    let Matrix { rows, columns, .. } = *matrix;
    if rows == 0 || !fits(matrix) || matrix.scales.len() < rows {
        return;
    }
    let (mut input, mut input_scales, mut output) = (input, input_scales, output);
    while tokens > 0 {
        let now = if tokens >= TOGETHER { TOGETHER } else { 1 };
        let (Some((these, other_input)), Some((to, other_output)), Some((scales, other_scales))) = (
            input.split_at_checked(now * columns),
            core::mem::take(&mut output).split_at_mut_checked(now * rows),
            input_scales.split_at_checked(now),
        ) else {
            return;
        };
        match scales {
            [scale] => one_scaled(matrix, these, *scale, to),
            #[cfg(feature = "tiles")]
            // SAFETY: the slices and the scales are checked here, and so is the matrix.
            [a, b, c, d] => unsafe { tile::scaled(matrix, these, &[*a, *b, *c, *d], to) },
            _ => {}
        }
        (input, input_scales, output, tokens) = (other_input, other_scales, other_output, tokens - now);
    }
}

/// One token's results without the bias.
#[cfg(vfp)]
fn one_scaled(matrix: &Matrix<'_>, input: &[i16], input_scale: f32, output: &mut [f32]) {
    let scales = matrix.scales;
    let rows = output.len();
    let start = start(input);
    // SAFETY: the checks above are what it asks for.
    let done = unsafe { scaled::groups(matrix, input, start, input_scale, output) };
    if done == 0 {
        // SAFETY: as above.
        unsafe { vector::sums(matrix, input, as_sums(output)) }
    } else {
        // SAFETY: as above; the input is one piece, since there are results.
        unsafe { vector::last_group(matrix, input, 0, start, as_sums(output)) }
    }
    requantise(scales.get(done..rows).unwrap_or_default(), &[], input_scale, output.get_mut(done..).unwrap_or_default());
}

/// The sums of several tokens; the matrix is as [`sums`] wants it.
#[inline(never)] // one token is the common case
fn several(matrix: &Matrix<'_>, mut input: &[i16], mut tokens: usize, mut sums: &mut [i32]) {
    let Matrix { rows, columns, .. } = *matrix;
    while tokens > 0 {
        let now = if tokens >= TOGETHER { TOGETHER } else { 1 };
        let (Some((these, other_input)), Some((to, other_sums))) =
            (input.split_at_checked(now * columns), core::mem::take(&mut sums).split_at_mut_checked(now * rows))
        else {
            return;
        };
        // SAFETY: the slices are checked here, the rest by the caller, the only one.
        unsafe {
            match now {
                #[cfg(feature = "tiles")]
                TOGETHER => tile::sums(matrix, these, to),
                _ => vector::sums(matrix, these, to),
            }
        }
        (input, sums, tokens) = (other_input, other_sums, tokens - now);
    }
}

/// `-128 sum(x)`, where the accumulators start.
fn start(input: &[i16]) -> i32 {
    -i32::from(LOW_OFFSET) * total(input)
}

/// `sum(x)` of a multiple of four elements.
pub(super) fn total(input: &[i16]) -> i32 {
    // SAFETY: the pointers are the ends of one slice.
    unsafe { sum(input.as_ptr(), input.as_ptr_range().end) }
}

/// The sum of the halfwords from `input` up to `end`, of which there is a multiple of 4.
///
/// # Safety
/// Memory from `input` to `end` is valid and at least 2-byte aligned.
#[unsafe(naked)]
unsafe extern "C" fn sum(input: *const i16, end: *const i16) -> i32 {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4, r5, r6, lr}}",
        "mov.w r12, #0x00010001",
        "movs r2, #0",
        "subs r1, r1, #16", // the last place where 8 halfwords can be read
        "cmp r0, r1",
        "bhi 3f",
        ".balign 8",
        "2:",
        "ldr.w r3, [r0, #4]",
        "ldr.w r4, [r0, #8]",
        "ldr.w r5, [r0, #12]",
        "ldr.w r6, [r0], #16",
        "cmp.w r0, r1",
        "smlad r2, r3, r12, r2",
        "smlad r2, r4, r12, r2",
        "smlad r2, r5, r12, r2",
        "smlad r2, r6, r12, r2",
        "bls 2b",
        "3:",
        "adds r1, r1, #8",
        "cmp r0, r1",
        "bhi 4f",
        "ldr.w r3, [r0]",
        "ldr.w r4, [r0, #4]",
        "smlad r2, r3, r12, r2",
        "smlad r2, r4, r12, r2",
        "4:",
        "mov r0, r2",
        "pop {{r4, r5, r6, pc}}",
    )
}
