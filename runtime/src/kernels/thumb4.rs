//! The inner loop of [`super::scalar4`] in assembly, for Armv7-M (16 cycles of a Cortex-M3 for the 8 products of a word) and for Armv6-M
//! (20 cycles of a Cortex-M0+).
#![allow(unsafe_code)] // naked functions, called with pointers whose extents the safe wrapper checks

/// One row of the word in r12: factor in r2, mask in lr; r3 is scratch.
#[cfg(not(armv6m))]
macro_rules! word {
    () => {
        "eor r12, r12, #0x80008000
        and r3, lr, r12, lsr #12
        mla r4, r3, r2, r4
        and r3, lr, r12, lsr #8
        mla r5, r3, r2, r5
        and r3, lr, r12, lsr #4
        mla r6, r3, r2, r6
        and r12, lr, r12
        mla r7, r12, r2, r7"
    };
}

/// `sums +=` the four rows of a quad, the highest nibble's first, with all weights in offset binary.
///
/// # Safety
/// The words behind `before` up to and with that at `end` are valid and as many as the quad has, an even number, not 0; `weights` is valid
/// for every other word as often. `end` is aligned to 32 bytes: where the last word of a block lies.
#[unsafe(naked)]
#[cfg(not(armv6m))]
pub(super) unsafe extern "C" fn add_quad(weights: *const u32, before: *const u32, end: *const u32, sums: *mut [i32; 4]) {
    core::arch::naked_asm!(
        "push {{r2-r11, lr}}",
        "ldmia r3, {{r8-r11}}",
        "mov lr, #0x000f000f",
        "1:",
        "mov.w r4, #0x8000", // half a unit of the high half: the shift below then takes a borrow back
        "mov.w r5, #0x8000",
        "mov.w r6, #0x8000",
        "mov.w r7, #0x8000",
        ".balign 4",
        "2:",
        "ldr.w r12, [r0], #16",
        "ldr.w r2, [r1, #4]",
        word!(),
        "ldr r2, [r1, #8]!",
        "ldr r12, [r0, #-8]",
        word!(),
        "lsls.w r3, r1, #27",
        "bne 2b",
        "ldr r2, [sp]",
        "add.w r8, r8, r4, asr #16",
        "add.w r9, r9, r5, asr #16",
        "add.w r10, r10, r6, asr #16",
        "add.w r11, r11, r7, asr #16",
        "cmp r1, r2",
        "bne 1b",
        "ldr r3, [sp, #4]",
        "stmia r3, {{r8-r11}}",
        "pop {{r2-r11, pc}}",
    )
}

/// One row of the word in r3, after a shift: factor in r2, mask in r5; r4 is scratch.
#[cfg(armv6m)]
macro_rules! word {
    () => {
        "eors r3, r6
        lsrs r4, r3, #12
        ands r4, r5
        muls r4, r2, r4
        add r8, r4
        lsrs r4, r3, #8
        ands r4, r5
        muls r4, r2, r4
        add r9, r4
        lsrs r4, r3, #4
        ands r4, r5
        muls r4, r2, r4
        add r10, r4
        ands r3, r5
        muls r3, r2, r3
        add r11, r3"
    };
}

/// Adds the high half of a block's sum to the row's.
#[cfg(armv6m)]
macro_rules! fold {
    ($sum:literal, $offset:literal) => {
        concat!(
            "mov r4, ",
            $sum,
            "\nasrs r4, r4, #16\nldr r2, [r7, #",
            $offset,
            "]\nadds r2, r2, r4\nstr r2, [r7, #",
            $offset,
            "]\n"
        )
    };
}

/// `sums +=` the four rows of a quad, the highest nibble's first, with all weights in offset binary.
///
/// # Safety
/// The words behind `before` up to and with that at `end` are valid and as many as the quad has, an even number, not 0; `weights` is valid
/// for every other word as often. `end` is aligned to 32 bytes: where the last word of a block lies.
#[unsafe(naked)]
#[cfg(armv6m)]
pub(super) unsafe extern "C" fn add_quad(weights: *const u32, before: *const u32, end: *const u32, sums: *mut [i32; 4]) {
    core::arch::naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "mov r12, r2",
        "mov r7, r3",
        "movs r5, #15",
        "lsls r6, r5, #16",
        "orrs r5, r6", // 0x000f000f
        "movs r6, #128",
        "lsls r4, r6, #24",
        "lsls r6, r6, #8",
        "orrs r6, r4", // 0x80008000
        "1:",
        "uxth r4, r6", // half a unit of the high half: the shift below then takes a borrow back
        "mov r8, r4",
        "mov r9, r4",
        "mov r10, r4",
        "mov r11, r4",
        "2:",
        "ldr r3, [r0]",
        "ldr r2, [r1, #4]",
        word!(),
        "ldr r3, [r0, #8]",
        "ldr r2, [r1, #8]",
        word!(),
        "adds r0, #16",
        "adds r1, #8",
        "lsls r4, r1, #27",
        "bne 2b",
        fold!("r8", "0"),
        fold!("r9", "4"),
        fold!("r10", "8"),
        fold!("r11", "12"),
        "cmp r1, r12",
        "bne 1b",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
    )
}
