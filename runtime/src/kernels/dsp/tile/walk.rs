//! The full groups of rows with four tokens, on a core with an FPU.
//!
//! A pair of rows with four tokens takes 13 registers and the weights' pointer one: the stack pointer itself goes over the tokens' words,
//! which lie at the bottom of the frame, from low addresses to high ones. It is a valid stack everywhere: below it are only words that the pass
//! has read. An exception may push its frame over them, so each pass begins with LDREX and ends with STREX, which fails if there
//! was an exception (Arm DDI 0403E, B1.5.6 and B1.5.8: entry and return clear the local monitor; DDI 0553, the same); then the words are
//! written again before the next pass.

use super::couples::two_by_two;
use super::interleave;
use super::job::Job;
use crate::kernels::vfp::processor;

/// Pair of columns `k` of a turn: 15 cycles of a Cortex-M4 for 16 products.
macro_rules! step {
    ($weights:literal, $k:literal) => {
        concat!(
            "ldr r12, ",
            $weights,
            "\nldr.w r1, [sp, #8 * ",
            $k,
            "]\nldr.w r2, [sp, #8 * ",
            $k,
            " + 4]\nldr.w r3, [sp, #8 * ",
            $k,
            " + 1024]\nldr.w lr, [sp, #8 * ",
            $k,
            " + 1028]
            smlad r4, r12, r1, r4
            smlad r6, r12, r2, r6
            smlad r8, r12, r3, r8
            smlad r10, r12, lr, r10
            and r12, r12, #0x00ff00ff
            smlad r5, r12, r1, r5
            smlad r7, r12, r2, r7
            smlad r9, r12, r3, r9
            smlad r11, r12, lr, r11
            "
        )
    };
}

/// The third pairs of the full groups with four tokens, between two couples and what was pushed: the part of [`four_tokens`] that moves the
/// stack pointer. r4 is the job. A turn of the loop takes 32 pairs of columns: 485 cycles of a Cortex-M4 for 512 products.
macro_rules! third_pairs {
    () => {
        concat!(
            "ldr.w r0, [r4, #88]
            adds r0, #8
            ldr.w lr, [r4, #40]
            adr.w r1, 2f + 1
            add lr, lr, r1
            str.w lr, [r4, #40]
            mov r12, r4
            ldmia.w r12, {{r1-r10, lr}}
            cmp r0, r0\n", // not lower: the first turn is entered by its address
            "b.w 4f
            .balign 8
            2:
            .irp k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14\n",
            step!("[r0, #12 * \\k - 180]", "\\k"),
            ".endr\n",
            step!("[r0], #192", "15"),
            ".irp k, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30\n",
            step!("[r0, #12 * \\k - 372]", "\\k"),
            ".endr\n",
            step!("[r0], #192", "31"),
            "vmov r12, s20
            add sp, #256
            cmp sp, r12
            blo.w 2b
            sub.w sp, sp, #1024
            lsls.w r12, r12, #31
            vmov r12, s21
            sub.w r4, r4, r5
            sub.w r6, r6, r7
            sub.w r8, r8, r9
            sub.w r10, r10, r11
            bcc.w 5f
            vmov s0, s1, r4, r5
            vmov s2, s3, r6, r7
            vmov s4, s5, r8, r9
            vmov s6, s7, r10, r11
            ldmia.w r12, {{r1-r10, lr}}
            vcvt.f32.s32 s0, s0, #8
            add.w r3, r3, r1
            vcvt.f32.s32 s1, s1
            vldmia r3, {{s8, s9}}
            vcvt.f32.s32 s2, s2, #8
            vcvt.f32.s32 s3, s3
            vcvt.f32.s32 s4, s4, #8
            vcvt.f32.s32 s5, s5
            vcvt.f32.s32 s6, s6, #8
            vcvt.f32.s32 s7, s7
            vmul.f32 s10, s8, s16
            vmul.f32 s11, s9, s16
            vmul.f32 s12, s8, s17
            vmul.f32 s13, s9, s17
            vmul.f32 s0, s0, s10
            vmul.f32 s1, s1, s11
            vmul.f32 s10, s8, s18
            vmul.f32 s11, s9, s18
            vmul.f32 s2, s2, s12
            vmul.f32 s3, s3, s13
            vmul.f32 s8, s8, s19
            vmul.f32 s9, s9, s19
            vmul.f32 s4, s4, s10
            vmul.f32 s5, s5, s11
            vmul.f32 s6, s6, s8
            vmul.f32 s7, s7, s9
            add r3, r1, r2
            add r11, r3, r2
            add r2, r2, r11
            add r0, r0, r5
            vstmia r1, {{s0, s1}}
            vstmia r3, {{s2, s3}}
            vstmia r11, {{s4, s5}}
            vstmia r2, {{s6, s7}}
            adds r1, #24
            7:
            strex r2, r1, [r12]
            cbnz r2, 9f
            8:
            cmp r1, r7
            4:
            ldrex r1, [r12]
            mov r5, r4
            mov r7, r6
            mov r11, r10
            add sp, sp, r9
            mov r9, r8
            blo.w 2b
            ldr.w r3, [r12, #64]
            cmp r1, r3
            it ne
            bxne lr
            clrex
            vmov r3, s20
            sub.w r3, r3, #1016
            bic r3, r3, #7
            mov sp, r3
            b.w 3f
            9:\n", // the words of the first couple again, as an exception may have written over them
            "str.w r1, [r12]
            mov r4, r0
            mov r5, r12
            ldr.w r2, [r5, #68]
            ldrd r0, r1, [r5, #72]
            add.w r3, sp, #1024
            sub.w r3, r3, r2, lsl #3
            bl {interleave}
            mov r0, r4
            mov r12, r5
            ldmia.w r12, {{r1-r10, lr}}
            b 8b
            5:
            asr.w r4, r4, #8
            asr.w r6, r6, #8
            asr.w r8, r8, #8
            asr.w r10, r10, #8
            ldrd r1, r2, [r12]
            beq.w 6f\n", // of the first piece; otherwise they are added to those that are there
            "ldrd r3, lr, [r1]
            add r4, r4, r3
            add r5, r5, lr
            add r1, r1, r2
            ldrd r3, lr, [r1]
            add r6, r6, r3
            add r7, r7, lr
            add r1, r1, r2
            ldrd r3, lr, [r1]
            add r8, r8, r3
            add r9, r9, lr
            add r1, r1, r2
            ldrd r3, lr, [r1]
            add r10, r10, r3
            add r11, r11, lr
            ldr r1, [r12]
            6:
            strd r4, r5, [r1]
            add r3, r1, r2
            strd r6, r7, [r3]
            add r3, r3, r2
            strd r8, r9, [r3]
            add r3, r3, r2
            strd r10, r11, [r3]
            adds r1, #24
            str.w r1, [r12]
            ldmia.w r12, {{r1-r10, lr}}
            add r0, r0, r5
            b 7b
            3:
            "
        )
    };
}

/// The full groups with four tokens: two couples with two pairs of rows each, then the third pairs with all four.
///
/// # Safety
/// `job` describes memory that is there, all of it above the stack pointer or elsewhere, and is used by no one else: see where it is made.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn four_tokens(job: *mut Job) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vpush {{s16-s23}}",
        "subw sp, sp, #2052", // two couples, and 4 bytes that keep the stack aligned
        "mov r4, r0",
        "add.w r1, r0, #48",
        "vldmia r1, {{s16-s19}}",
        "add.w r1, sp, #1016",
        "ldr r2, [r0, #44]",
        "add r1, r1, r2",
        "vmov s20, r1", // the end of the first couple's words, less 8, with the mode in its lowest bits
        "vmov s21, r0",
        "ldr.w r2, [r4, #68]",
        "ldrd r0, r1, [r4, #72]",
        "add.w r3, sp, #1024",
        "sub.w r3, r3, r2, lsl #3",
        "bl {interleave}",
        "str.w r0, [r4, #12]", // both starts, of the third pairs and of the couple
        "str.w r1, [r4, #20]",
        "str.w r0, [r4, #104]",
        "str.w r1, [r4, #120]",
        "ldr.w r2, [r4, #68]",
        "ldrd r0, r1, [r4, #80]",
        "add.w r3, sp, #2048",
        "sub.w r3, r3, r2, lsl #3",
        "bl {interleave}",
        "str.w r0, [r4, #28]",
        "str.w r1, [r4, #36]",
        "str.w r0, [r4, #156]",
        "str.w r1, [r4, #172]",
        ".irp field, 92, 128, 144, 180", // `input` and `input_end` of both
        "ldr.w r1, [r4, #\\field]",
        "add r1, sp",
        "str.w r1, [r4, #\\field]",
        ".endr",
        ".irp couple, 92, 144",
        "ldr.w r1, [r4, #88]",
        "add.w r0, r4, #\\couple",
        "movs r2, #1",
        "bl {two_by_two}",
        "ldr.w r1, [r4, #196]",
        "cbz r1, 1f",
        "add.w r0, r4, #\\couple", // whose outputs are the last group's now
        "ldrd r2, r3, [r4, #200]",
        "ldr.w r12, [r0]",
        "add r2, r2, r12",
        "str.w r2, [r0]",
        "str.w r3, [r0, #32]",
        "ldr.w r2, [r0, #48]",
        "ldr.w r3, [r0, #36]",
        "adds r2, #24",
        "subs r3, #64",
        "str.w r2, [r0, #48]",
        "str.w r3, [r0, #36]",
        "movs r2, #0",
        "str.w r2, [r0, #24]",
        "movs r2, #0",
        "bl {two_by_two}",
        "1:",
        ".endr",
        third_pairs!(),
        "addw sp, sp, #2052",
        "vpop {{s16-s23}}",
        "pop {{r4-r11, pc}}",
        interleave = sym interleave,
        two_by_two = sym two_by_two,
    )
}
