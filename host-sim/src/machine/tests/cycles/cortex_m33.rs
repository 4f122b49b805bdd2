//! Cortex-M33: sequences added up by hand from the measurements that its table cites.

use super::{Case, case, handled};

/// Sequences and their cycles; at first r0 = 0, r1 = 0xFFFFFFFF, r2 = 1, r3 = 7, r4 in RAM.
#[rustfmt::skip] // one sequence a line
pub(super) const CASES: &[Case] = &[
    // One instruction a cycle.
    case(("nop.w; adds r0, r0, r1; bfi r0, r1, #0, #4; sxtb r0, r1", &[0xF3AF, 0x8000, 0x1840, 0xF361, 0x0003, 0xB248]), 4),
    case(("add.w r0, r0, r2, lsl #2; add.w r3, r3, r2, lsl #2; uadd8 r5, r1, r2; uadd8 r6, r1, r2", &[0xEB00, 0x0082, 0xEB03, 0x0382, 0xFA81, 0xF542, 0xFA81, 0xF642]), 4),
    // A NOP, IT or branch of 16 bits goes with a 16-bit instruction before it.
    case(("adds r0, r0, r1; nop", &[0x1840, 0xBF00]), 1),
    case(("nop; adds r0, r0, r1", &[0xBF00, 0x1840]), 2),
    case(("cmp r0, r0; ite ne; movne r0, #2; moveq r1, #1", &[0x4280, 0xBF14, 0x2002, 0x2101]), 3),
    case(("cmp r0, r0; bne .+4; nop", &[0x4280, 0xD100, 0xBF00]), 2),
    case(("cmp r0, r0; beq .+4; nop", &[0x4280, 0xD000, 0xBF00]), 3),
    case(("cmp r0, r0; adds.n r3, r3, r2; mov r5, r3; beq .+4; nop", &[0x4280, 0x189B, 0x461D, 0xD000, 0xBF00]), 4),
    case(("cmp.w r0, r0; beq .+4; nop", &[0xEBB0, 0x0F00, 0xD000, 0xBF00]), 3),
    case(("mov r5, r3; b .+4; nop", &[0x461D, 0xE000, 0xBF00]), 2),
    case(("b .+4; nop", &[0xE000, 0xBF00]), 2),
    case(("bl .+4", &[0xF000, 0xF800]), 2),
    case(("add.w r0, pc, #5; bx r0; nop; nop; nop", &[0xF20F, 0x0005, 0x4700, 0xBF00, 0xBF00, 0xBF00]), 4),
    case(("tbb [pc, r0]; .hword 0x0101", &[0xE8DF, 0xF000, 0x0101]), 5),
    case(("bl .+8; b .+10; nop; push {lr}; pop {pc}; nop", &[0xF000, 0xF802, 0xE003, 0xBF00, 0xB500, 0xBD00, 0xBF00]), 9),
    case(("add.w r0, pc, #9; str r0, [r4]; nop; ldr.w pc, [r4]", &[0xF20F, 0x0009, 0x6020, 0xBF00, 0xF8D4, 0xF000]), 6),
    // Results of two-stage operations come a cycle late, but not to the next addend or to a store.
    case(("add.w r0, r0, r2, lsl #2; add.w r3, r3, r0", &[0xEB00, 0x0082, 0xEB03, 0x0300]), 3),
    case(("uadd8 r0, r1, r2; add.w r3, r3, r0", &[0xFA81, 0xF042, 0xEB03, 0x0300]), 3),
    case(("uxtab r0, r1, r2; add.w r3, r3, r0", &[0xFA51, 0xF082, 0xEB03, 0x0300]), 3),
    case(("qadd r0, r1, r2; add.w r3, r3, r0", &[0xFA82, 0xF081, 0xEB03, 0x0300]), 3),
    case(("mul r0, r1, r2; add.w r3, r3, r0", &[0xFB01, 0xF002, 0xEB03, 0x0300]), 3),
    case(("mla r0, r1, r2, r0; mla r0, r1, r2, r0; smlad r0, r1, r2, r0", &[0xFB01, 0x0002, 0xFB01, 0x0002, 0xFB21, 0x0002]), 3),
    case(("umull r0, r5, r1, r2; umlal r0, r5, r1, r2", &[0xFBA1, 0x0502, 0xFBE1, 0x0502]), 2),
    case(("mul r0, r1, r2; str r0, [r4]", &[0xFB01, 0xF002, 0x6020]), 2),
    case(("rev r0, r1; add.w r3, r3, r0; add.w r0, r0, r3", &[0xBA08, 0xEB03, 0x0300, 0xEB00, 0x0003]), 3),
    case(("uxtb r0, r1; add.w r3, r3, r0", &[0xB2C8, 0xEB03, 0x0300]), 2),
    // MULS and flags of rotated constants: a cycle more; flags of shifted operands a cycle late.
    case(("muls r0, r2, r0", &[0x4350]), 2),
    case(("adds.w r0, r2, #0x1fc0", &[0xF512, 0x50FE]), 2),
    case(("adds.w r0, r2, r3, lsl #3; beq .+4; nop", &[0xEB12, 0x00C3, 0xD000, 0xBF00]), 4),
    case(("udiv r0, r2, r3; udiv r0, r1, r2", &[0xFBB2, 0xF0F3, 0xFBB1, 0xF0F2]), 13),
    // Loads: the result two cycles later, but as an addend or stored in the next.
    case(("ldr r0, [r4]; add.w r3, r3, r0", &[0x6820, 0xEB03, 0x0300]), 3),
    case(("ldrb r0, [r4]; add.w r3, r3, r0", &[0x7820, 0xEB03, 0x0300]), 3),
    case(("ldr r0, [r4]; str r0, [r4, #4]", &[0x6820, 0x6060]), 2),
    case(("ldr r0, [r4]; mla r0, r1, r2, r0", &[0x6820, 0xFB01, 0x0002]), 2),
    case(("ldr r0, [r4]; ldr r5, [r4]; ldr r6, [pc, #0]; ldr r0, [r4], #4; ldr r0, [r4]", &[0x6820, 0x6825, 0x4E00, 0xF854, 0x0B04, 0x6820]), 5),
    case(("str r0, [r4, r2]; str r0, [r4]", &[0x50A0, 0x6020]), 3),
    case(("ldrd r0, r1, [r4]; strd r0, r1, [r4]", &[0xE9D4, 0x0100, 0xE9C4, 0x0100]), 4),
    case(("ldm r4, {r0-r3}; stm r4, {r0-r2}", &[0xE894, 0x000F, 0xE884, 0x0007]), 7),
    case(("ldrex r0, [r4]; strex r3, r1, [r4]", &[0xE854, 0x0F00, 0xE844, 0x1300]), 4),
    // The FPU: two cycles, four from VFMA or three to its addend, in which no other FPU instruction goes.
    case(("vadd.f32 s0, s1, s2; vmul.f32 s3, s0, s2", &[0xEE30, 0x0A81, 0xEE60, 0x1A01]), 3),
    case(("vmul.f32 s0, s1, s2; vcvt.s32.f32 s3, s0", &[0xEE20, 0x0A81, 0xEEFD, 0x1AC0]), 3),
    case(("vldr s0, [r4]; vadd.f32 s1, s0, s2; vstr s3, [r4]", &[0xED94, 0x0A00, 0xEE70, 0x0A01, 0xEDC4, 0x1A00]), 3),
    case(("vfma.f32 s0, s1, s2; vfma.f32 s0, s1, s2", &[0xEEA0, 0x0A81, 0xEEA0, 0x0A81]), 4),
    case(("vfma.f32 s0, s1, s2; vadd.f32 s3, s4, s5", &[0xEEA0, 0x0A81, 0xEE72, 0x1A22]), 4),
    case(("vmla.f32 s0, s1, s2; vmul.f32 s3, s0, s5", &[0xEE00, 0x0A81, 0xEE60, 0x1A22]), 5),
    case(("vmla.f32 s0, s1, s2", &[0xEE00, 0x0A81]), 1),
    case(("vmov r0, s0; add.w r3, r3, r0", &[0xEE10, 0x0A10, 0xEB03, 0x0300]), 3),
    case(("vmov s0, r0; vadd.f32 s1, s0, s2", &[0xEE00, 0x0A10, 0xEE70, 0x0A01]), 2),
    case(("vmov r0, r1, s0, s1; vmov s0, s1, r2, r3", &[0xEC51, 0x0A10, 0xEC43, 0x2A10]), 3),
    case(("vdiv.f32 s0, s1, s2; vsqrt.f32 s3, s1", &[0xEE80, 0x0A81, 0xEEF1, 0x1AE0]), 28),
    case(("vldr d0, [r4]; vstr d0, [r4]; vldm r4, {s0-s4}; vstm r4, {s0-s4}", &[0xED94, 0x0B00, 0xED84, 0x0B00, 0xEC94, 0x0A05, 0xEC84, 0x0A05]), 14),
    case(("ldr.w r0, [r4, #1]", &[0xF8D4, 0x0001]), 2),
    case(("mrs r0, primask; msr basepri, r0; cpsie i", &[0xF3EF, 0x8010, 0xF380, 0x8811, 0xB662]), 5),
    case(("dmb; dsb; isb", &[0xF3BF, 0x8F5F, 0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F]), 5),
    case(("sev; wfe", &[0xBF40, 0xBF20]), 3),
    // 12 cycles in; back and chained as for the M4. SVC 1, BX 1 + 1, or 0 + 1 + 1 behind MOVS; 18 cycles each way for the FPU.
    handled(("svc #0", &[0xDF00]), ("bx lr", &[0x4770]), 25),
    handled(("movw r0, #0xED04; movt r0, #0xE000; mov r1, #0x10000000; svc #0", &[0xF64E, 0x5004, 0xF2CE, 0x0000, 0xF04F, 0x5180, 0xDF00]), ("str r1, [r0]; movs r1, #0; bx lr", &[0x6001, 0x2100, 0x4770]), 40),
    handled(("vmov.f32 s0, #1.0; svc #0", &[0xEEB7, 0x0A00, 0xDF00]), ("vmov.f32 s0, #1.0; bx lr", &[0xEEB7, 0x0A00, 0x4770]), 63),
];
