//! The first two pairs of rows of each group with two tokens.

use crate::kernels::vfp::processor;

/// What [`two_by_two`] needs again for each group, in the order of the registers that take it, and what it needs once.
#[repr(C)]
pub(super) struct Couples {
    pub input: usize, // r1: where the first turn's words lie in the frame, in bytes; the kernel's caller makes it an address
    pub output: [*mut i32; 2], // r2 and r3: both tokens' outputs
    pub start: i32,   // r4: the first token's; written by the kernel's caller
    pub to_next: isize, // r5: from the end of a group's weights to the next group, in bytes
    pub to_scales: isize, // r6: from the first token's output to its scale, in bytes
    pub output_end: *const i32, // r7; null where the first turn leaves something out
    pub other_start: i32, // r8: the second token's
    pub skip: usize,  // lr: bytes of code that the first turn leaves out
    pub input_end: usize, // as `input`, less 8, with the mode (see [`super::job::Mode`]) in its lowest bits
    pub scales: [f32; 2], // of both tokens' inputs
    pub any_output_end: *const i32,
}

/// Pair of columns `k` of a stretch at whose last pair the pointers stand, between words of weights `$pair` bytes apart: 15 cycles of a
/// Cortex-M4 for 16 products.
macro_rules! step {
    ($pair:literal, $last:literal) => {
        concat!(
            "ldr r2, [r1, #8 * (\\k - ",
            $last,
            ")]\nldr r3, [r1, #8 * (\\k - ",
            $last,
            ") + 4]\nldr r12, [r0, #",
            $pair,
            " * (\\k - ",
            $last,
            ")]\nldr lr, [r0, #",
            $pair,
            " * (\\k - ",
            $last,
            ") + 4]
            smlad r4, r12, r2, r4
            smlad r8, r12, r3, r8
            and r12, r12, #0x00ff00ff
            smlad r6, lr, r2, r6
            smlad r10, lr, r3, r10
            and lr, lr, #0x00ff00ff
            smlad r5, r12, r2, r5
            smlad r9, r12, r3, r9
            smlad r7, lr, r2, r7
            smlad r11, lr, r3, r11
            "
        )
    };
}

/// The last pair of columns of a stretch, whose loads move the pointers to the next.
macro_rules! last_step {
    ($input:literal, $weights:literal, $end:literal) => {
        concat!(
            "ldr.w r3, [r1, #4]\nldr.w r2, [r1], #",
            $input,
            "\nldr.w lr, [r0, #4]\nldr.w r12, [r0], #",
            $weights,
            "
            smlad r6, lr, r2, r6
            smlad r10, lr, r3, r10
            and lr, lr, #0x00ff00ff
            smlad r4, r12, r2, r4
            smlad r8, r12, r3, r8
            and r12, r12, #0x00ff00ff
            smlad r7, lr, r2, r7
            smlad r11, lr, r3, r11\n",
            $end,
            "smlad r5, r12, r2, r5
            smlad r9, r12, r3, r9
            "
        )
    };
}

/// Half a turn, 16 pairs of columns.
macro_rules! half {
    ($end:literal) => {
        concat!(
            ".irp k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14\n",
            step!("12", "15"),
            ".endr\n",
            last_step!("128", "192", $end)
        )
    };
}

/// Two pairs of rows of each group with two tokens. A turn of the loop takes 32 pairs of columns: 484 cycles of a Cortex-M4 for 512 products.
///
/// # Safety
/// `job` describes memory that is there, and is used by no one else: see where it is made.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn two_by_two(job: *mut Couples, weights: *const i16, has_third: bool) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vpush {{s16, s17}}",
        "vmov s17, r0",
        "vldr s16, [r0, #36]",
        "vldr s14, [r0, #40]",
        "vldr s15, [r0, #44]",
        "mov r12, r0",
        "mov r0, r1",
        "ldr.w lr, [r12, #32]",
        "adr.w r3, 2f + 1",
        "cbnz r2, 7f",
        "adr.w r3, 9f + 1",
        "7:",
        "add lr, lr, r3",
        "str.w lr, [r12, #32]",
        "ldmia.w r12, {{r1-r8, lr}}",
        "cmp r0, r0", // not lower: the first turn is entered by its address
        "b.w 4f",
        ".balign 8",
        "2:",
        half!(""),
        half!("vmov lr, s16\n"),
        "cmp.w r1, lr",
        "blo.w 2b",
        "6:",
        "lsls.w lr, lr, #31",
        "sub.w r4, r4, r5",
        "sub.w r6, r6, r7",
        "sub.w r8, r8, r9",
        "sub.w r10, r10, r11",
        "bcc.w 5f",
        "vmov s0, s1, r4, r5", // 256 times the sum of the first row of a pair; the conversion divides
        "vmov s2, s3, r6, r7",
        "vmov s4, s5, r8, r9",
        "vmov s6, s7, r10, r11",
        "vmov r12, s17",
        "vcvt.f32.s32 s0, s0, #8",
        "ldmia.w r12, {{r1-r8, lr}}",
        "add.w r6, r6, r2", // wide: the FPU waits for instructions that two words hold
        "vcvt.f32.s32 s1, s1",
        "vldmia r6, {{s8-s11}}",
        "vcvt.f32.s32 s2, s2, #8",
        "vcvt.f32.s32 s3, s3",
        "vcvt.f32.s32 s4, s4, #8",
        "vcvt.f32.s32 s5, s5",
        "vcvt.f32.s32 s6, s6, #8",
        "vcvt.f32.s32 s7, s7",
        "vmul.f32 s12, s8, s14",
        "vmul.f32 s13, s9, s14",
        "vmul.f32 s8, s8, s15",
        "vmul.f32 s0, s0, s12",
        "vmul.f32 s1, s1, s13",
        "vmul.f32 s12, s10, s14",
        "vmul.f32 s13, s11, s14",
        "vmul.f32 s9, s9, s15",
        "vmul.f32 s2, s2, s12",
        "vmul.f32 s3, s3, s13",
        "vmul.f32 s10, s10, s15",
        "vmul.f32 s11, s11, s15",
        "vmul.f32 s4, s4, s8",
        "vmul.f32 s5, s5, s9",
        "vmul.f32 s6, s6, s10",
        "vmul.f32 s7, s7, s11",
        "add r0, r0, r5",
        "vstmia r2!, {{s0-s3}}",
        "vstmia r3!, {{s4-s7}}",
        "adds r2, #8", // over the third pair
        "adds r3, #8",
        "str r2, [r12, #4]",
        "str r3, [r12, #8]",
        "7:",
        "cmp r2, r7",
        "4:",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        "mov r9, r8",
        "mov r10, r8",
        "mov r11, r8",
        "blo.w 2b",
        "ldr.w r3, [r12, #48]",
        "cmp r2, r3",
        "it ne",
        "bxne lr",
        "vpop {{s16, s17}}",
        "pop {{r4-r11, pc}}",
        "5:", // sums
        "asr.w r4, r4, #8",
        "asr.w r6, r6, #8",
        "asr.w r8, r8, #8",
        "asr.w r10, r10, #8",
        "vmov r12, s17",
        "ldrd r2, r3, [r12, #4]",
        "beq.w 8f", // of the first piece; otherwise they are added to those that are there
        "ldmia.w r2, {{r1, r12, lr}}",
        "add r4, r4, r1",
        "add r5, r5, r12",
        "add r6, r6, lr",
        "ldr.w r12, [r2, #12]",
        "add r7, r7, r12",
        "ldmia.w r3, {{r1, r12, lr}}",
        "add r8, r8, r1",
        "add r9, r9, r12",
        "add r10, r10, lr",
        "ldr.w r12, [r3, #12]",
        "add r11, r11, r12",
        "vmov r12, s17",
        "8:",
        "stmia.w r2, {{r4-r7}}",
        "stmia.w r3, {{r8-r11}}",
        "adds r2, #24",
        "adds r3, #24",
        "strd r2, r3, [r12, #4]",
        "ldmia.w r12, {{r1-r8, lr}}",
        "add r0, r0, r5",
        "b 7b",
        ".balign 8",
        "9:", // a last group, of these two pairs
        ".irp k, 0, 1, 2, 3, 4, 5, 6",
        step!("8", "7"),
        ".endr",
        last_step!("64", "64", "vmov lr, s16\n"),
        "cmp.w r1, lr",
        "blo.w 9b",
        "b.w 6b",
    )
}
