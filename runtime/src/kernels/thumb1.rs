//! The int8 twin for Armv6-M (Cortex-M0, M0+): 16-bit instructions, a multiplier without accumulation, loads of two cycles.
//!
//! With `h = 256 A + b`, `b = B + 128`, both sums of a pair come from products of what single instructions extract:
//! `P = sum(h x)`, `Q = sum(b x)`, so `A = (P - Q) >> 8` and `B = Q - 128 sum(x)`: 12 cycles for the four products of a word.
#![allow(unsafe_code)] // naked functions, called through pointers whose extents the safe wrapper checks

use crate::format::packing::{EXACT_COLUMNS, GROUP_ROWS};

/// What a kernel works on; the order of the fields is known to the assembly.
#[repr(C)]
struct Call {
    /// Packed words of the first group, word-aligned.
    weights: *const u32,
    /// Bytes from the end of one group's words to those of the next.
    gap: usize,
    /// Activations, two in a word, word-aligned.
    input: *const u32,
    /// Their end; a multiple of two words from `input`, not the same.
    end: *const u32,
    /// Sums that are added to, of all groups.
    sums: *mut i32,
    /// Groups, at least one.
    groups: usize,
    /// `-128 sum(x)`.
    correction: i32,
}

/// The four products of the word in `$w` with `x0` in r2 and `x1` in r3; r7 is scratch.
macro_rules! word {
    ($w:literal, $p:literal, $q:literal) => {
        concat!(
            "sxth r7, ",
            $w,
            "\nmuls r7, r2, r7\nadd ",
            $p,
            ", r7\n", // h0 x0
            "uxtb r7, ",
            $w,
            "\nmuls r7, r2, r7\nadd ",
            $q,
            ", r7\n", // b0 x0
            "asrs ",
            $w,
            ", ",
            $w,
            ", #16\n",
            "uxtb r7, ",
            $w,
            "\nmuls r7, r3, r7\nadd ",
            $q,
            ", r7\n", // b1 x1
            "muls ",
            $w,
            ", r3, ",
            $w,
            "\nadd ",
            $p,
            ", ",
            $w,
            "\n", // h1 x1
        )
    };
}

/// Two columns of a group: 8 cycles and 12 for each word.
macro_rules! columns {
    ($load:literal, $words:expr) => {
        concat!("ldmia r1!, {{r3}}\n", $load, "\nsxth r2, r3\nasrs r3, r3, #16\n", $words)
    };
}

/// Adds the sums of a pair to those in memory at r0, which moves on.
macro_rules! store {
    ($p:literal, $q:literal) => {
        concat!(
            "ldr r2, [r0]\nldr r3, [r0, #4]\nmov r4, ",
            $p,
            "\nmov r5, ",
            $q,
            "\nsubs r4, r4, r5\nasrs r4, r4, #8\n",
            "adds r2, r2, r4\nadds r3, r3, r5\nstmia r0!, {{r2, r3}}\n",
        )
    };
}

macro_rules! kernel {
    ($name:ident, $load:literal, $words:expr, $store:expr) => {
        /// `sums += ` the rows of some groups of this many pairs.
        ///
        /// # Safety
        /// The fields of the call are as their comments say: `weights` is valid for `groups` times as many words for each pair as
        /// `input` has, with the gaps between groups, and `sums` for two sums for each pair of each group.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: *mut Call) {
            core::arch::naked_asm!(
                "push {{r4-r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4-r7}}",
                "movs r7, r0",
                "ldr r6, [r7, #12]",
                "push {{r6, r7}}", // the end of the input and the call
                "ldr r0, [r7]",
                "1:",
                "ldr r1, [r7, #8]",
                "ldr r2, [r7, #24]",
                "mov r8, r2",
                "mov r9, r2",
                "mov r10, r2",
                "mov r11, r2",
                "mov r12, r2",
                "mov lr, r2",
                ".balign 4",
                "2:",
                columns!($load, $words),
                columns!($load, $words),
                "ldr r7, [sp]",
                "cmp r1, r7",
                "bne 2b",
                "ldr r7, [sp, #4]",
                "movs r6, r0",
                "ldr r0, [r7, #16]",
                $store,
                "str r0, [r7, #16]",
                "ldr r1, [r7, #4]",
                "adds r0, r6, r1",
                "ldr r1, [r7, #20]",
                "subs r1, #1",
                "str r1, [r7, #20]",
                "beq 3f",
                "b 1b",
                "3:",
                "add sp, #8",
                "pop {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pop {{r4-r7, pc}}",
            )
        }
    };
}

kernel!(
    three_pairs,
    "ldmia r0!, {{r4, r5, r6}}",
    concat!(word!("r4", "r8", "r9"), word!("r5", "r10", "r11"), word!("r6", "r12", "lr")),
    concat!(store!("r8", "r9"), store!("r10", "r11"), store!("r12", "lr"))
);
kernel!(
    two_pairs,
    "ldmia r0!, {{r4, r5}}",
    concat!(word!("r4", "r8", "r9"), word!("r5", "r10", "r11")),
    concat!(store!("r8", "r9"), store!("r10", "r11"))
);
kernel!(one_pair, "ldmia r0!, {{r4}}", word!("r4", "r8", "r9"), store!("r8", "r9"));

/// Columns that one call may span: the bound of `P - Q`.
pub const PIECE: usize = EXACT_COLUMNS;

/// The activations of one piece.
pub struct Activations<'x> {
    words: &'x [u32],
    correction: i32,
}

/// Takes the activations of a piece, two in a word, and hands them to `use_them`.
pub fn with_activations(words: &[u32], use_them: impl FnOnce(&Activations<'_>)) {
    let mut sum = 0i32;
    for pair in words.as_chunks::<2>().0 {
        for word in pair {
            sum = sum.wrapping_add(i32::from(*word as i16)).wrapping_add(*word as i32 >> 16);
        }
    }
    use_them(&Activations { words, correction: sum.wrapping_mul(-128) });
}

/// Adds the sums of `groups` groups of `pairs` pairs each to `sums`. `gap` words lie between the words of one group and those of the next.
///
/// Does nothing where a slice is too short, or the activations are not a multiple of four columns.
#[inline]
pub fn add_groups(weights: &[u32], pairs: usize, groups: usize, gap: usize, input: &Activations<'_>, sums: &mut [i32]) {
    let words = input.words.len();
    let group = pairs.saturating_mul(words).saturating_add(gap);
    let fits =
        groups.saturating_mul(group) <= weights.len().saturating_add(gap) && groups.saturating_mul(2 * pairs) <= sums.len();
    if !(1..=GROUP_ROWS / 2).contains(&pairs) || groups == 0 || words == 0 || !words.is_multiple_of(2) || !fits {
        return;
    }
    let kernel = match pairs {
        1 => one_pair,
        2 => two_pairs,
        _ => three_pairs,
    };
    let range = input.words.as_ptr_range();
    let mut call = Call {
        weights: weights.as_ptr(),
        gap: gap * 4,
        input: range.start,
        end: range.end,
        sums: sums.as_mut_ptr(),
        groups,
        correction: input.correction,
    };
    // SAFETY: the slices are valid and aligned to words. The kernel for `pairs` reads `pairs` words for each of the `words` of input,
    // `groups` times and `gap` apart, and adds to `2 * pairs` sums for each group: `fits` says that the slices have as many. `words`
    // is even and not 0, `groups` not 0, as the kernel's loops need.
    unsafe { kernel(&mut call) }
}
