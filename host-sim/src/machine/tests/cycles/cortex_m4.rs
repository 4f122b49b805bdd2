//! Cortex-M4: sequences added up by hand from the rules in the sources that its table cites.

use super::{Case, case, handled};

/// Sequences and their cycles; at first r0 = 0, r1 = 0xFFFFFFFF, r2 = 1, r3 = 7, r4 in RAM.
#[rustfmt::skip] // one sequence a line
pub(super) const CASES: &[Case] = &[
    // Arm 100166, table 3-1: one cycle each.
    case(("nop; adds r0, r0, r1; ssat r0, #8, r0; sxtb16 r0, r1; bfi r0, r1, #0, #4", &[0xBF00, 0x1840, 0xF300, 0x0007, 0xFA2F, 0xF081, 0xF361, 0x0003]), 5),
    case(("mul r0, r1, r2; mla r0, r1, r2, r3; smlad r0, r1, r2, r3; umull r0, r5, r1, r2; smlald r0, r5, r1, r2; umlal r0, r5, r1, r2", &[0xFB01, 0xF002, 0xFB01, 0x3002, 0xFB21, 0x3002, 0xFBA1, 0x0502, 0xFBC1, 0x05C2, 0xFBE1, 0x0502]), 6),
    case(("add.w r0, r1, r2, lsl #2; and.w r0, r1, r2, ror #8", &[0xEB01, 0x0082, 0xEA01, 0x2032]), 2),
    // DDI0337I, page 3-9: loads pipeline behind loads, two cycles for the first.
    case(("ldr r0, [r4]", &[0x6820]), 2),
    case(("ldr r0, [r4]; ldrb r1, [r4]; ldrsh r2, [r4, #2]!", &[0x6820, 0x7821, 0xF934, 0x2F02]), 4),
    case(("vldr s0, [r4]; ldr r0, [r4]; nop.n; nop.n; ldr.n r0, [r4]; ldr.w r0, [r4]", &[0xED94, 0x0A00, 0x6820, 0xBF00, 0xBF00, 0x6820, 0xF8D4, 0x0000]), 7),
    case(("vldr s0, [r4]; ldr r0, [r4]; vldr s1, [r4]", &[0xED94, 0x0A00, 0x6820, 0xEDD4, 0x0A00]), 5),
    case(("ldr r0, [pc, #0]; ldr r0, [r4]", &[0x4800, 0x6820]), 3),
    // jnk0le: a NOP behind a load is free, a load behind a store waits a cycle, a register-offset store takes two.
    case(("ldr r0, [r4]; nop; ldr r0, [r4]", &[0x6820, 0xBF00, 0x6820]), 4),
    case(("ldr r0, [r4]; str r0, [r4]; ldr r0, [r4]", &[0x6820, 0x6020, 0x6820]), 6),
    case(("str r0, [r4]; strb r0, [r4]; vstr s0, [r4]", &[0x6020, 0x7020, 0xED84, 0x0A00]), 3),
    case(("str r0, [r4, r0]", &[0x5020]), 2),
    // DDI0337I, page 3-9: an address made by the instruction before costs a cycle, and such a load does not pipeline.
    case(("adds r0, r4, #4; ldr r1, [r0]", &[0x1D20, 0x6801]), 4),
    case(("str r4, [r4]; nop; ldr r0, [r4]; ldr r0, [r0]", &[0x6024, 0xBF00, 0x6820, 0x6800]), 6),
    // A store of the product just made waits a cycle.
    case(("mul r5, r2, r3; str r5, [r4]", &[0xFB02, 0xF503, 0x6025]), 3),
    case(("ldrd r0, r1, [r4]; strd r0, r1, [r4]; vldr d0, [r4]; vstr d0, [r4]", &[0xE9D4, 0x0100, 0xE9C4, 0x0100, 0xED94, 0x0B00, 0xED84, 0x0B00]), 13),
    case(("ldm r4, {r0-r3}; stm r4, {r0-r3}; push {r0, r1}; pop {r0, r1}", &[0xE894, 0x000F, 0xE884, 0x000F, 0xB403, 0xBC03]), 17),
    case(("vldm r4, {s0-s7}; vpush {d0}; vpop {d0}", &[0xEC94, 0x0A08, 0xED2D, 0x0B02, 0xECBD, 0x0B02]), 16),
    case(("ldrex r0, [r4]; strex r0, r1, [r4]", &[0xE854, 0x0F00, 0xE844, 0x1000]), 4),
    case(("ldr.w r0, [r4, #1]", &[0xF8D4, 0x0001]), 3),
    // A taken branch: 1 + 1 where the target is in the instruction, 1 + 2 where it is in a register; 2 + 3 for a loaded one.
    case(("b .+4; nop", &[0xE000, 0xBF00]), 2),
    case(("cmp r0, r0; beq .+4; nop", &[0x4280, 0xD000, 0xBF00]), 3),
    case(("cmp r0, r0; bne .+4; nop", &[0x4280, 0xD100, 0xBF00]), 3),
    case(("cbz r0, .+4; nop", &[0xB100, 0xBF00]), 2),
    case(("cbnz r0, .+4; nop", &[0xB900, 0xBF00]), 2),
    case(("bl .+4", &[0xF000, 0xF800]), 2),
    case(("add.w r0, pc, #5; bx r0; nop; nop; nop", &[0xF20F, 0x0005, 0x4700, 0xBF00, 0xBF00, 0xBF00]), 6),
    case(("tbb [pc, r0]; .hword 0x0101", &[0xE8DF, 0xF000, 0x0101]), 6),
    case(("bl .+8; b .+10; nop; push {lr}; pop {pc}; nop", &[0xF000, 0xF802, 0xE003, 0xBF00, 0xB500, 0xBD00, 0xBF00]), 12),
    case(("add.w r0, pc, #9; str r0, [r4]; nop; ldr.w pc, [r4]", &[0xF20F, 0x0009, 0x6020, 0xBF00, 0xF8D4, 0xF000]), 8),
    // The prefetch buffer holds three words: 32-bit instructions across words run it dry from the third on, every other cycle;
    // multiplications wait for it, plain instructions do not.
    case(("nop; mul r5, r2, r3; mul r5, r2, r3", &[0xBF00, 0xFB02, 0xF503, 0xFB02, 0xF503]), 3),
    case(("nop; mul r5, r2, r3; mul r5, r2, r3; mul r5, r2, r3", &[0xBF00, 0xFB02, 0xF503, 0xFB02, 0xF503, 0xFB02, 0xF503]), 5),
    case(("nop; mul r5, r2, r3; mul r5, r2, r3; mul r5, r2, r3; mul r5, r2, r3; mul r5, r2, r3", &[0xBF00, 0xFB02, 0xF503, 0xFB02, 0xF503, 0xFB02, 0xF503, 0xFB02, 0xF503, 0xFB02, 0xF503]), 8),
    case(("nop; movw r0, #1; movw r0, #1; movw r0, #1; movw r0, #1; movw r0, #1", &[0xBF00, 0xF240, 0x0001, 0xF240, 0x0001, 0xF240, 0x0001, 0xF240, 0x0001, 0xF240, 0x0001]), 6),
    case(("movw r0, #1; movw r0, #1; movw r0, #1; movw r0, #1; movw r0, #1; movw r0, #1", &[0xF240, 0x0001, 0xF240, 0x0001, 0xF240, 0x0001, 0xF240, 0x0001, 0xF240, 0x0001, 0xF240, 0x0001]), 6),
    case(("b .+6; nop; nop; movw r0, #1", &[0xE001, 0xBF00, 0xBF00, 0xF240, 0x0001]), 4),
    // Division: 2 to 12 by the bits of the quotient.
    case(("udiv r0, r2, r3", &[0xFBB2, 0xF0F3]), 2),
    case(("udiv r0, r1, r0", &[0xFBB1, 0xF0F0]), 2),
    case(("udiv r0, r1, r2", &[0xFBB1, 0xF0F2]), 12),
    case(("udiv r0, r3, r2", &[0xFBB3, 0xF0F2]), 3),
    case(("sdiv r0, r1, r2", &[0xFB91, 0xF0F2]), 3),
    // IT goes with a 16-bit instruction before it; what it skips takes a cycle; loads pipeline under equal conditions.
    case(("cmp r0, r0; ite ne; ldrne r0, [r4]; moveq r1, #1", &[0x4280, 0xBF14, 0x6820, 0x2101]), 3),
    case(("cmp r0, r0; itt eq; ldreq r0, [r4]; ldreq r1, [r4]", &[0x4280, 0xBF04, 0x6820, 0x6821]), 4),
    case(("cmp r0, r0; ite ne; ldrne r0, [r4]; ldreq r1, [r4]", &[0x4280, 0xBF14, 0x6820, 0x6821]), 4),
    case(("cmp.w r0, r0; it eq; moveq r1, #1", &[0xEBB0, 0x0F00, 0xBF08, 0x2101]), 3),
    case(("mrs r0, primask; msr basepri, r0; cpsie i", &[0xF3EF, 0x8010, 0xF380, 0x8811, 0xB662]), 6),
    case(("dmb; dsb; isb", &[0xF3BF, 0x8F5F, 0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F]), 5),
    case(("sev; wfe", &[0xBF40, 0xBF20]), 2),
    // 100166, table 7-1; a result costs a cycle if the next instruction takes it, but not as an addend.
    case(("vadd.f32 s0, s1, s2; vmul.f32 s0, s1, s2; vcmp.f32 s0, s1; vcvt.s32.f32 s0, s1; vmov r0, s0; vmrs r0, fpscr", &[0xEE30, 0x0A81, 0xEE20, 0x0A81, 0xEEB4, 0x0A60, 0xEEBD, 0x0AE0, 0xEE10, 0x0A10, 0xEEF1, 0x0A10]), 8),
    case(("vmla.f32 s0, s1, s2; vfma.f32 s0, s1, s2", &[0xEE00, 0x0A81, 0xEEA0, 0x0A81]), 6),
    case(("vadd.f32 s0, s1, s2; vfma.f32 s3, s0, s1", &[0xEE30, 0x0A81, 0xEEE0, 0x1A20]), 5),
    case(("vdiv.f32 s0, s1, s2; vsqrt.f32 s0, s1", &[0xEE80, 0x0A81, 0xEEB1, 0x0AE0]), 28),
    case(("vmov r0, r1, s0, s1; vmov s0, s1, r0, r1", &[0xEC51, 0x0A10, 0xEC41, 0x0A10]), 4),
    // KA103489845: 12 cycles in, 10 out, 17 each way for the FPU; tail-chaining 6. SVC 1, BX 1 + 2.
    handled(("svc #0", &[0xDF00]), ("bx lr", &[0x4770]), 26),
    handled(("movw r0, #0xED04; movt r0, #0xE000; mov r1, #0x10000000; svc #0", &[0xF64E, 0x5004, 0xF2CE, 0x0000, 0xF04F, 0x5180, 0xDF00]), ("str r1, [r0]; movs r1, #0; bx lr", &[0x6001, 0x2100, 0x4770]), 42),
    handled(("vmov.f32 s0, #1.0; svc #0", &[0xEEB7, 0x0A00, 0xDF00]), ("bx lr", &[0x4770]), 27),
    handled(("vmov.f32 s0, #1.0; svc #0", &[0xEEB7, 0x0A00, 0xDF00]), ("vmov.f32 s0, #1.0; bx lr", &[0xEEB7, 0x0A00, 0x4770]), 62),
];
