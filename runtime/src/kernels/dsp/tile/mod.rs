//! Matrix times four tokens: two pairs of rows with two tokens, or one pair with four, fill the registers with eight sums.

#[cfg(vfp)]
mod couples;
#[cfg(not(vfp))]
mod integer;
#[cfg(vfp)]
mod job;
#[cfg(vfp)]
mod walk;

#[cfg(not(vfp))]
pub(super) use integer::sums;
#[cfg(vfp)]
pub(super) use job::{scaled, sums};

use super::processor;

/// Tokens of one call.
pub(super) const TOKENS: usize = 4;
/// Columns that are interleaved at once.
pub(in super::super) const COLUMNS: usize = 256;

/// Two tokens word by word, in turn: each word has two columns.
pub(in super::super) type Couple = [[u32; 2]; COLUMNS / 2];

/// Writes the words of two tokens in turn; returns where their sums start: the first one's in the lower half.
///
/// # Safety
/// Both tokens have `words` words, a positive even number of them; `couple` has room.
#[unsafe(naked)]
pub(in super::super) unsafe extern "C" fn interleave(
    first: *const i16,
    second: *const i16,
    words: usize,
    couple: *mut Couple,
) -> u64 {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r10, lr}}",
        "lsls r4, r2, #30",
        "add.w r2, r0, r2, lsl #2", // end of the first
        "mov.w r8, #0x00010001",
        "mov.w r9, #0",
        "mov.w r10, #0",
        "bne.w 3f", // two words more than a multiple of four
        ".balign 8",
        "2:",
        "ldr.w r6, [r0, #4]",
        "ldr.w r7, [r1, #4]",
        "ldr r4, [r0], #8",
        "ldr r5, [r1], #8",
        "smlad r9, r6, r8, r9",
        "smlad r10, r7, r8, r10",
        "smlad r9, r4, r8, r9",
        "stmia.w r3!, {{r4-r7}}",
        "smlad r10, r5, r8, r10", // a load right behind a store would wait
        "3:",
        "ldr.w r6, [r0, #4]",
        "ldr.w r7, [r1, #4]",
        "ldr r4, [r0], #8",
        "ldr r5, [r1], #8",
        "smlad r9, r6, r8, r9",
        "smlad r10, r7, r8, r10",
        "smlad r9, r4, r8, r9",
        "smlad r10, r5, r8, r10",
        "stmia.w r3!, {{r4-r7}}",
        "cmp.w r0, r2",
        "blo.w 2b",
        "lsl.w r0, r9, #7",
        "lsl.w r1, r10, #7",
        "rsbs r0, r0, #0",
        "rsbs r1, r1, #0",
        "pop {{r4-r10, pc}}",
    )
}
