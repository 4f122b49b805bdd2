//! The four tokens of a tile on a core with an FPU: sums, or results without the bias, piece by piece of the columns.

use super::couples::Couples;
use super::walk::four_tokens;
use super::{COLUMNS, TOKENS};
use crate::format::packing::GROUP_ROWS;
use crate::kernels::dsp::{Matrix, start, vector};
use crate::kernels::requantise::{as_sums, requantise};

/// Pairs of columns in one turn of the loops.
const TURN: usize = 32;
/// Pairs behind which the pointers move.
const HALF: usize = TURN / 2;
/// Pairs of columns in one turn over a last group of two pairs of rows.
const LAST_TURN: usize = 8;
/// Bytes of code for one pair: the same in all loops.
const STEP: usize = 56;
/// Bytes of one couple in the frame; the words end where the couple does.
const COUPLE_BYTES: usize = 4 * COLUMNS;

/// What becomes of the sums.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Mode {
    /// They are stored.
    Store = 0,
    /// They are added to those that are there.
    Add = 1,
    /// They go through the scales to f32.
    Scale = 2,
}

/// What [`four_tokens`] works on. The fields up to `skip` are in the order of the registers that take them for each group.
#[repr(C)]
pub(super) struct Job {
    output: *mut i32,               // r1: the first token's, of the third pair
    to_token: usize,                // r2: from one token's outputs to the next token's, in bytes
    to_scales: isize,               // r3: from an output of the first token to its scale, in bytes
    start: i32,                     // r4; the starts are written by the kernel
    to_next: isize,                 // r5: from the end of a group's weights to the next group, in bytes
    second_start: i32,              // r6
    output_end: *const i32,         // r7; null where the first turn leaves something out
    third_start: i32,               // r8
    input: usize,                   // r9: where the first turn's words lie in the frame, in bytes
    fourth_start: i32,              // r10
    skip: usize,                    // lr: bytes of code that the first turn leaves out
    mode: Mode,                     // at 44
    scales: [f32; TOKENS],          // at 48: of the inputs
    any_output_end: *const i32,     // at 64
    words: usize,                   // at 68: of a token
    tokens: [*const i16; TOKENS],   // at 72
    weights: *const i16,            // at 88: where the pointer stands before the first turn
    couples: [Couples; TOKENS / 2], // at 92, 52 bytes each
    last_weights: *const i16,       // at 196: of a last group of two pairs, or null
    last_input: isize,              // at 200: from where its words lie in the frame to those of a full group, in bytes
    last_skip: usize,               // at 204
}

/// The sums of [`TOKENS`] tokens.
///
/// # Safety
/// As [`vector::sums`], for each token.
pub(in super::super) unsafe fn sums(matrix: &Matrix<'_>, input: &[i16], sums: &mut [i32]) {
    let mut first = 0;
    while first < matrix.columns {
        // SAFETY: the caller's.
        unsafe { piece(matrix, input, first, &[0.0; TOKENS], if first == 0 { Mode::Store } else { Mode::Add }, sums) };
        first += COLUMNS;
    }
}

/// The results of [`TOKENS`] tokens without the bias: the sums and what [`requantise`] makes of them.
///
/// # Safety
/// As [`vector::sums`], for each token; there is a scale for each row.
pub(in super::super) unsafe fn scaled(matrix: &Matrix<'_>, input: &[i16], input_scales: &[f32; TOKENS], output: &mut [f32]) {
    let Matrix { rows, columns, scales, .. } = *matrix;
    let mut done = 0;
    // SAFETY: the caller's.
    unsafe {
        if columns <= COLUMNS {
            piece(matrix, input, 0, input_scales, Mode::Scale, as_sums(output));
            done = if rows > GROUP_ROWS && rows % GROUP_ROWS == 4 { rows } else { rows / GROUP_ROWS * GROUP_ROWS };
        } else {
            sums(matrix, input, as_sums(output));
        }
    }
    for (output, input_scale) in output.chunks_exact_mut(rows.max(1)).zip(input_scales) {
        requantise(scales.get(done..rows).unwrap_or_default(), &[], *input_scale, output.get_mut(done..).unwrap_or_default());
    }
}

/// What up to [`COLUMNS`] columns from `first` on add to the sums of four tokens; [`Mode::Scale`] is for full groups.
///
/// # Safety
/// As [`sums`]; [`Mode::Scale`] as [`scaled`].
#[inline(never)] // the stack of one token is small
unsafe fn piece(matrix: &Matrix<'_>, input: &[i16], first: usize, input_scales: &[f32; TOKENS], mode: Mode, output: &mut [i32]) {
    let Matrix { rows, columns, stride, weights, scales, .. } = *matrix;
    let words = (columns - first).min(COLUMNS) / 2;
    let full = rows / GROUP_ROWS;
    let skipped = words.wrapping_neg() % TURN; // of the first turn
    let back = skipped % HALF; // a half that is left out does not move the pointers
    let last_skipped = words.wrapping_neg() % LAST_TURN;
    let place = output.as_mut_ptr();
    let to_scales = scales.as_ptr().addr().wrapping_sub(place.addr()) as isize;
    let to_next = (3 * 2 * stride) as isize - 12 * (words + back) as isize;
    let couple = |couple: usize| {
        let output = [2 * couple, 2 * couple + 1].map(|token| place.wrapping_add(token * rows));
        let output_end = output[0].cast_const().wrapping_add(full * GROUP_ROWS);
        let end = (couple + 1) * COUPLE_BYTES + 8 * (HALF - 1);
        Couples {
            input: end - 8 * (words + back),
            output,
            start: 0,
            to_next,
            to_scales: to_scales - (4 * 2 * couple * rows) as isize,
            output_end: if skipped == 0 { output_end } else { core::ptr::null() },
            other_start: 0,
            skip: skipped * STEP,
            input_end: end - 8 + mode as usize,
            scales: [input_scales[2 * couple], input_scales[2 * couple + 1]],
            any_output_end: output_end,
        }
    };
    let third = place.wrapping_add(4);
    let third_end = third.cast_const().wrapping_add(full * GROUP_ROWS);
    let mut job = Job {
        output: third,
        to_token: 4 * rows,
        to_scales,
        start: 0,
        to_next,
        second_start: 0,
        output_end: if skipped == 0 { third_end } else { core::ptr::null() },
        third_start: 0,
        input: COUPLE_BYTES - 8 * (words + skipped),
        fourth_start: 0,
        skip: skipped * STEP,
        mode,
        scales: *input_scales,
        any_output_end: third_end,
        words,
        tokens: [0, 1, 2, 3].map(|token| input.as_ptr().wrapping_add(token * columns + first)),
        weights: weights.as_ptr().wrapping_add(3 * first).wrapping_sub(6 * back).wrapping_add(6 * (HALF - 1)),
        couples: [couple(0), couple(1)],
        last_weights: if rows % GROUP_ROWS == 4 {
            weights
                .as_ptr()
                .wrapping_add(full * 3 * stride + 2 * first)
                .wrapping_sub(4 * last_skipped)
                .wrapping_add(4 * (LAST_TURN - 1))
        } else {
            core::ptr::null()
        },
        last_input: 8 * (back as isize - last_skipped as isize - (HALF - LAST_TURN) as isize),
        last_skip: last_skipped * STEP,
    };
    if full > 0 {
        // SAFETY: each of the `full` groups has three words for each of a token's, each token has `words` of them from `first` on, a positive
        // even number and at most what a couple has room for, and six outputs; in `Mode::Scale` there is a scale for each row.
        unsafe { four_tokens(&mut job) };
    }
    if rows == full * GROUP_ROWS || full > 0 && !job.last_weights.is_null() {
        return;
    }
    let starts = [job.start, job.second_start, job.third_start, job.fourth_start];
    for ((input, output), known) in input.chunks_exact(columns.max(1)).zip(output.chunks_exact_mut(rows.max(1))).zip(starts) {
        let input = input.get(first..first + 2 * words).unwrap_or_default();
        let start = if full > 0 { known } else { start(input) };
        // SAFETY: the caller's.
        unsafe { vector::last_group(matrix, input, first, start, output) }
    }
}

// The places of fields that the assembly names.
const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(offset_of!(Job, mode) == 44 && offset_of!(Job, scales) == 48 && offset_of!(Job, any_output_end) == 64);
    assert!(offset_of!(Job, words) == 68 && offset_of!(Job, tokens) == 72 && offset_of!(Job, weights) == 88);
    assert!(offset_of!(Job, couples) == 92 && size_of::<Couples>() == 52 && offset_of!(Couples, input_end) == 36);
    assert!(offset_of!(Job, last_weights) == 196 && offset_of!(Job, last_input) == 200 && offset_of!(Job, last_skip) == 204);
    assert!(COUPLE_BYTES == 1024);
};
