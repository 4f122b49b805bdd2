//! The int8 twin for Armv7-M (Cortex-M3), and Armv8-M Mainline without the DSP extension.
//!
//! Activations within 8 bits are multiplied two at a time (see [`super::swar`]): 9 cycles for the four products of a word. Wider ones,
//! the weights of attention, one at a time: 12 cycles.
#![allow(unsafe_code)] // naked functions, called through pointers whose extents the safe wrapper checks

use super::swar::{excess, prepare};
use crate::format::packing::GROUP_ROWS;
use core::mem::MaybeUninit;

/// What a kernel works on; the order of the fields is known to the assembly.
#[repr(C)]
struct Call {
    /// Packed words of the first group, word-aligned.
    weights: *const u32,
    /// Bytes from the end of one group's words to those of the next.
    gap: usize,
    /// Activations, two words for two columns if they are prepared, else one; word-aligned.
    input: *const u32,
    /// Their end; a multiple of four columns from `input`, not the same.
    end: *const u32,
    /// Sums that are added to, of all groups.
    sums: *mut i32,
    /// Groups, at least one.
    groups: usize,
    /// `-128 sum(x)`, for activations that are not prepared.
    correction: i32,
}

/// The four products of the word in `$w`: `X` in r10, the addend in r11, the mask in lr; r12 is scratch.
macro_rules! prepared_word {
    ($w:literal, $a:literal, $b:literal) => {
        concat!(
            "and r12, ",
            $w,
            ", #0x00ff00ff\nmla r12, r12, r10, r11\nadd ",
            $b,
            ", ",
            $b,
            ", r12, asr #16\n",
            "and ",
            $w,
            ", lr, ",
            $w,
            ", lsr #8\neor ",
            $w,
            ", ",
            $w,
            ", #0x00800080\nmla ",
            $w,
            ", ",
            $w,
            ", r10, r11\n",
            "add ",
            $a,
            ", ",
            $a,
            ", ",
            $w,
            ", asr #16\n",
        )
    };
}

/// The four products of the word in `$w`: `x0` in r10, `x1` in r11; r2 is scratch.
macro_rules! wide_word {
    ($w:literal, $a:literal, $b:literal) => {
        concat!(
            "sbfx r2, ",
            $w,
            ", #8, #8\nmla ",
            $a,
            ", r2, r10, ",
            $a,
            "\nuxtb.w r2, ",
            $w,
            "\nmla ",
            $b,
            ", r2, r10, ",
            $b,
            "\n",
            "asr r2, ",
            $w,
            ", #24\nmla ",
            $a,
            ", r2, r11, ",
            $a,
            "\nubfx r2, ",
            $w,
            ", #16, #8\nmla ",
            $b,
            ", r2, r11, ",
            $b,
            "\n",
        )
    };
}

macro_rules! kernel {
    ($name:ident, $load:expr, $columns:expr, $store:literal) => {
        /// `sums += ` the rows of some groups of this many pairs.
        ///
        /// # Safety
        /// The fields of the call are as their comments say: `weights` is valid for `groups` times as many words for each pair as
        /// `input` has pairs of columns, with the gaps between groups, and `sums` for two sums for each pair of each group.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: *mut Call) {
            core::arch::naked_asm!(
                "push {{r0, r4-r11, lr}}",
                "ldr r3, [r0, #12]",
                "push {{r3}}", // the end of the input, and the call above
                "mov r3, r0",
                "ldr r0, [r3]",
                "mov lr, #0x00ff00ff",
                "1:",
                "ldr r1, [r3, #8]",
                "ldr r2, [r3, #16]",
                $load,
                ".balign 8",
                "2:",
                $columns,
                $columns,
                "ldr r12, [sp]",
                "cmp r1, r12",
                "bne 2b",
                "ldr r3, [sp, #4]",
                "ldr r2, [r3, #16]",
                $store,
                "str r2, [r3, #16]",
                "ldr r1, [r3, #4]",
                "ldr r2, [r3, #20]",
                "add r0, r0, r1",
                "subs r2, r2, #1",
                "str r2, [r3, #20]",
                "bne 1b",
                "pop {{r3, r12}}",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

kernel!(
    three_pairs,
    "ldmia r2, {{r4-r9}}",
    concat!(
        "ldmia r1!, {{r10, r11}}\nldmia.w r0!, {{r2, r3}}\n",
        prepared_word!("r2", "r4", "r5"),
        prepared_word!("r3", "r6", "r7"),
        "ldr r2, [r0], #4\n",
        prepared_word!("r2", "r8", "r9")
    ),
    "stmia r2!, {{r4-r9}}"
);
kernel!(
    two_pairs,
    "ldmia r2, {{r4-r7}}",
    concat!(
        "ldmia r1!, {{r10, r11}}\nldmia.w r0!, {{r2, r3}}\n",
        prepared_word!("r2", "r4", "r5"),
        prepared_word!("r3", "r6", "r7")
    ),
    "stmia r2!, {{r4-r7}}"
);
kernel!(
    one_pair,
    "ldmia r2, {{r4, r5}}",
    concat!("ldmia r1!, {{r10, r11}}\nldr r2, [r0], #4\n", prepared_word!("r2", "r4", "r5")),
    "stmia r2!, {{r4, r5}}"
);
kernel!(
    three_wide_pairs,
    "ldmia r2, {{r4-r9}}\nldr r2, [r3, #24]\nadd r5, r5, r2\nadd r7, r7, r2\nadd r9, r9, r2",
    concat!(
        "ldr r2, [r1], #4\nldmia r0!, {{r3, r12, lr}}\nsxth r10, r2\nasr r11, r2, #16\n",
        wide_word!("r3", "r4", "r5"),
        wide_word!("r12", "r6", "r7"),
        wide_word!("lr", "r8", "r9")
    ),
    "stmia r2!, {{r4-r9}}"
);
kernel!(
    two_wide_pairs,
    "ldmia r2, {{r4-r7}}\nldr r2, [r3, #24]\nadd r5, r5, r2\nadd r7, r7, r2",
    concat!(
        "ldr r2, [r1], #4\nldmia r0!, {{r3, r12}}\nsxth r10, r2\nasr r11, r2, #16\n",
        wide_word!("r3", "r4", "r5"),
        wide_word!("r12", "r6", "r7")
    ),
    "stmia r2!, {{r4-r7}}"
);
kernel!(
    one_wide_pair,
    "ldmia r2, {{r4, r5}}\nldr r2, [r3, #24]\nadd r5, r5, r2",
    concat!("ldr r2, [r1], #4\nldr r3, [r0], #4\nsxth r10, r2\nasr r11, r2, #16\n", wide_word!("r3", "r4", "r5")),
    "stmia r2!, {{r4, r5}}"
);

/// Columns that one call may span: what the prepared activations of a piece may take of the stack, 1 KiB.
pub const PIECE: usize = 256;

/// The activations of one piece.
pub struct Activations<'x> {
    /// One word for two columns.
    words: &'x [u32],
    /// The same prepared, if all lie within `-127..=128`.
    prepared: &'x [MaybeUninit<[i32; 2]>],
}

/// Takes the activations of a piece, two in a word, at most [`PIECE`] of them, and hands them to `use_them`.
#[inline]
pub fn with_activations(words: &[u32], use_them: impl FnOnce(&Activations<'_>)) {
    let mut prepared = [const { MaybeUninit::uninit() }; PIECE / 2];
    let mut excesses = 0;
    for (prepared, word) in prepared.iter_mut().zip(words) {
        prepared.write(prepare(*word));
        excesses |= excess(*word);
    }
    let prepared = if excesses & 0xff00_ff00 == 0 { prepared.get(..words.len()).unwrap_or_default() } else { &[] };
    use_them(&Activations { words, prepared });
}

/// Adds the sums of `groups` groups of `pairs` pairs each to `sums`. `gap` words lie between the words of one group and those of the next.
///
/// Does nothing where a slice is too short, or the activations are not a multiple of four columns.
#[inline]
pub fn add_groups(weights: &[u32], pairs: usize, groups: usize, gap: usize, input: &Activations<'_>, sums: &mut [i32]) {
    let Activations { words, prepared } = *input;
    let group = pairs.saturating_mul(words.len()).saturating_add(gap);
    let fits =
        groups.saturating_mul(group) <= weights.len().saturating_add(gap) && groups.saturating_mul(2 * pairs) <= sums.len();
    if !(1..=GROUP_ROWS / 2).contains(&pairs) || groups == 0 || words.is_empty() || !words.len().is_multiple_of(2) || !fits {
        return;
    }
    let mut call = Call {
        weights: weights.as_ptr(),
        gap: gap * 4,
        input: words.as_ptr(),
        end: words.as_ptr_range().end,
        sums: sums.as_mut_ptr(),
        groups,
        correction: 0,
    };
    if prepared.is_empty() {
        let sum = words.iter().fold(0i32, |sum, word| sum.wrapping_add(i32::from(*word as i16)).wrapping_add(*word as i32 >> 16));
        call.correction = sum.wrapping_mul(-128);
    } else {
        call.input = prepared.as_ptr().cast();
        call.end = prepared.as_ptr_range().end.cast();
    }
    let kernel = match (pairs, prepared.is_empty()) {
        (1, false) => one_pair,
        (2, false) => two_pairs,
        (_, false) => three_pairs,
        (1, true) => one_wide_pair,
        (2, true) => two_wide_pairs,
        (_, true) => three_wide_pairs,
    };
    // SAFETY: the slices are valid and aligned to words, and `prepared`, unless empty, holds an initialised pair for each of `words`:
    // `with_activations`, which alone builds it, wrote them. The kernel for `pairs` reads `pairs` words for each of them, `groups` times
    // and `gap` apart, and adds to `2 * pairs` sums for each group: `fits` says that the slices have as many. The number of words is even
    // and not 0, `groups` not 0, as the kernel's loops need.
    unsafe { kernel(&mut call) }
}
