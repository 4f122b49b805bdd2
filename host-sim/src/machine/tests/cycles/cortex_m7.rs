//! Cortex-M7: sequences issued by hand by the rules of the LLVM scheduling model and of the measurements that its table cites.

use super::{Case, case, handled};

/// Sequences and their cycles; at first r0 = 0, r1 = 0xFFFFFFFF, r2 = 1, r3 = 7, r4 in RAM.
#[rustfmt::skip] // one sequence a line
pub(super) const CASES: &[Case] = &[
    // Two adders: independent sums pair, dependent ones follow each other.
    case(("adds r0, r0, r2; adds r3, r3, r2", &[0x1880, 0x189B]), 1),
    case(("eor r0, r0, r2; eor r3, r3, r0", &[0xEA80, 0x0002, 0xEA83, 0x0300]), 2),
    // A simple sum in front runs a stage early: its partner can take it, also beside a shifted operand; an address can take it next cycle.
    case(("add.w r0, r0, r2; eor.w r3, r0, r3, ror #8", &[0xEB00, 0x0002, 0xEA80, 0x2333]), 1),
    case(("add.w r5, r4, #4; ldr r0, [r5]", &[0xF104, 0x0504, 0x6828]), 2),
    case(("eor.w r5, r4, #4; ldr r0, [r5]", &[0xF084, 0x0504, 0x6828]), 3),
    // One shifter for operands, and a shift in front takes it.
    case(("add.w r0, r0, r2, lsl #2; add.w r3, r3, r2, lsl #2", &[0xEB00, 0x0082, 0xEB03, 0x0382]), 2),
    case(("add.w r0, r0, r2, lsl #2; eor.w r3, r3, r0", &[0xEB00, 0x0082, 0xEA83, 0x0300]), 2),
    case(("lsl.w r0, r0, #2; add.w r3, r3, r2, lsl #2", &[0xEA4F, 0x0080, 0xEB03, 0x0382]), 2),
    case(("eor.w r0, r2, #0x1fc0; eor.w r3, r2, #0x1fc0", &[0xF482, 0x50FE, 0xF482, 0x53FE]), 2),
    case(("eor.w r0, r2, #0x1b001b00; eor.w r3, r2, #0x1b1b1b1b", &[0xF082, 0x201B, 0xF082, 0x331B]), 1),
    // One SIMD unit, in the first slot.
    case(("sxtb r0, r1; uxtb r2, r3", &[0xB248, 0xB2DA]), 2),
    case(("eors r0, r2; sxtb r3, r3", &[0x4050, 0xB25B]), 2),
    case(("sxtb r3, r3; eors r0, r2", &[0xB25B, 0x4050]), 1),
    case(("uxtb r0, r0; ldr r5, [r4, r0]", &[0xB2C0, 0x5825]), 3),
    case(("uadd8 r0, r1, r2; eor r3, r3, r0", &[0xFA81, 0xF042, 0xEA83, 0x0300]), 2),
    case(("uxtab r0, r1, r2; eor r3, r3, r0", &[0xFA51, 0xF082, 0xEA83, 0x0300]), 2),
    case(("ssat r0, #8, r0; adds r3, r0, r2", &[0xF300, 0x0007, 0x1883]), 3),
    case(("rev r0, r1; adds r3, r0, r2", &[0xBA08, 0x1883]), 1),
    case(("rev r0, r1; add.w r3, r3, r0, lsl #2", &[0xBA08, 0xEB03, 0x0380]), 3),
    // One multiplier; results a cycle late, but not to the next addend; three cycles more to an address; not with a store.
    case(("mla r0, r1, r2, r0; mla r0, r1, r2, r0; smlad r0, r1, r2, r0; umlal r3, r5, r1, r2", &[0xFB01, 0x0002, 0xFB01, 0x0002, 0xFB21, 0x0002, 0xFBE1, 0x3502]), 4),
    case(("mul r0, r1, r2; mul r0, r0, r2; umull r0, r5, r0, r2", &[0xFB01, 0xF002, 0xFB00, 0xF002, 0xFBA0, 0x0502]), 5),
    case(("mul r0, r0, r2; ldr r5, [r0]", &[0xFB00, 0xF002, 0x6805]), 5),
    case(("mul r0, r1, r2; adds r3, r3, r2", &[0xFB01, 0xF002, 0x189B]), 1),
    case(("mul r0, r1, r2; str r3, [r4]", &[0xFB01, 0xF002, 0x6023]), 2),
    // Loads: two from even and odd words; a word next cycle to the adder, two to an address, three to an index; narrow ones a cycle later.
    case(("ldr r0, [r4]; ldr r5, [r4, #4]", &[0x6820, 0x6865]), 1),
    case(("ldr r0, [r4]; ldr r5, [r4, #8]", &[0x6820, 0x68A5]), 2),
    case(("ldr r0, [r4]; adds r0, r0, r2", &[0x6820, 0x1880]), 2),
    case(("ldrb r0, [r4]; adds r0, r0, r2", &[0x7820, 0x1880]), 3),
    case(("ldr r0, [r4]; ldr r0, [r0]", &[0x6820, 0x6800]), 3),
    case(("ldr r0, [r4]; ldr r5, [r4, r0]", &[0x6820, 0x5825]), 4),
    case(("ldr r0, [r4]; mul r0, r0, r2", &[0x6820, 0xFB00, 0xF002]), 3),
    case(("ldr r0, [pc, #0]; adds r3, r3, r2", &[0x4800, 0x189B]), 1),
    case(("ldr r0, [r4], #4; ldr r5, [r4], #4", &[0xF854, 0x0B04, 0xF854, 0x5B04]), 2),
    case(("ldr.w r0, [r4, #1]", &[0xF8D4, 0x0001]), 4),
    // Stores: one a cycle, with a load, with what is made in the same cycle; a load of the same place four cycles later.
    case(("ldr r0, [r4]; str r0, [r4, #8]", &[0x6820, 0x60A0]), 1),
    case(("str r0, [r4]; strb r3, [r4, #8]", &[0x6020, 0x7223]), 2),
    case(("str r0, [r4, r2]; str r3, [r4, #8]", &[0x50A0, 0x60A3]), 5),
    case(("str r3, [r4]; ldr r0, [r4]", &[0x6023, 0x6820]), 5),
    // Multiple transfers: alone, two registers a cycle.
    case(("ldm r4, {r0-r3}; push {r0, r1, r2}; ldrd r0, r1, [r4]; strd r0, r1, [r4]; vldr d0, [r4]; vstr d0, [r4]", &[0xE894, 0x000F, 0xB407, 0xE9D4, 0x0100, 0xE9C4, 0x0100, 0xED94, 0x0B00, 0xED84, 0x0B00]), 8),
    case(("vldm r4, {s0-s4}; vstm r4, {s0-s4}", &[0xEC94, 0x0A05, 0xEC84, 0x0A05]), 6),
    case(("ldrex r0, [r4]; strex r0, r1, [r4]", &[0xE854, 0x0F00, 0xE844, 0x1000]), 2),
    // Branches: one that goes elsewhere than foreseen costs 8 cycles; unknown ones are foreseen as not taken. A loop of 10: the first turn with MOVS, unknown; eight known; the last goes elsewhere.
    case(("movs r0, #10; subs r0, #1; bne .-2", &[0x200A, 0x3801, 0xD1FD]), 27),
    // A predicted branch in front goes with the instruction at its target, so that every other turn of three takes one cycle instead of two.
    case(("movs r0, #10; subs r0, #1; mov r5, r3; bne .-4", &[0x200A, 0x3801, 0x461D, 0xD1FC]), 32),
    // Flags three cycles before the branch make it 6.
    case(("cmp r0, r0; nop.w; nop.w; nop.w; nop.w; nop.w; beq .+4; nop", &[0x4280, 0xF3AF, 0x8000, 0xF3AF, 0x8000, 0xF3AF, 0x8000, 0xF3AF, 0x8000, 0xF3AF, 0x8000, 0xD000, 0xBF00]), 10),
    case(("cmp r0, r0; bne .+4; nop", &[0x4280, 0xD100, 0xBF00]), 2),
    case(("cmp r0, r0; beq .+4; nop", &[0x4280, 0xD000, 0xBF00]), 9),
    case(("bl .+4", &[0xF000, 0xF800]), 9),
    case(("add.w r0, pc, #5; bx r0; nop; nop; nop", &[0xF20F, 0x0005, 0x4700, 0xBF00, 0xBF00, 0xBF00]), 10),
    case(("tbb [pc, r0]; .hword 0x0101", &[0xE8DF, 0xF000, 0x0101]), 10),
    case(("bl .+8; b .+10; nop; push {lr}; pop {pc}; nop", &[0xF000, 0xF802, 0xE003, 0xBF00, 0xB500, 0xBD00, 0xBF00]), 28),
    case(("add.w r0, pc, #9; str r0, [r4]; nop; ldr.w pc, [r4]", &[0xF20F, 0x0009, 0x6020, 0xBF00, 0xF8D4, 0xF000]), 11),
    // IT takes a slot, and what it governs waits for the flags.
    case(("cmp r0, r0; it eq; moveq r1, #1", &[0x4280, 0xBF08, 0x2101]), 2),
    case(("udiv r0, r2, r3; udiv r0, r1, r2", &[0xFBB2, 0xF0F3, 0xFBB1, 0xF0F2]), 15),
    case(("mrs r0, primask; msr basepri, r0; cpsie i", &[0xF3EF, 0x8010, 0xF380, 0x8811, 0xB662]), 9),
    case(("dmb; dsb; isb", &[0xF3BF, 0x8F5F, 0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F]), 14),
    case(("sev; wfe", &[0xBF40, 0xBF20]), 4),
    // One FPU: results after 3 cycles, of VFMA after 5 or to the next addend 3, of VMLA after 6 or 3.
    case(("vadd.f32 s0, s1, s2; adds r3, r3, r2; vadd.f32 s3, s0, s1", &[0xEE30, 0x0A81, 0x189B, 0xEE70, 0x1A20]), 4),
    case(("vmul.f32 s0, s1, s2; vstr s0, [r4]", &[0xEE20, 0x0A81, 0xED84, 0x0A00]), 2),
    case(("vfma.f32 s0, s1, s2; vfma.f32 s0, s1, s2", &[0xEEA0, 0x0A81, 0xEEA0, 0x0A81]), 4),
    case(("vfma.f32 s0, s1, s2; vmul.f32 s3, s0, s2", &[0xEEA0, 0x0A81, 0xEE60, 0x1A01]), 6),
    case(("vmla.f32 s0, s1, s2; vmla.f32 s0, s1, s2", &[0xEE00, 0x0A81, 0xEE00, 0x0A81]), 4),
    case(("vmla.f32 s0, s1, s2; vmul.f32 s3, s0, s2", &[0xEE00, 0x0A81, 0xEE60, 0x1A01]), 7),
    case(("vfma.f32 s0, s1, s2; vadd.f32 s3, s4, s5", &[0xEEA0, 0x0A81, 0xEE72, 0x1A22]), 5),
    case(("vldr s0, [r4]; vadd.f32 s1, s0, s2", &[0xED94, 0x0A00, 0xEE70, 0x0A01]), 2),
    case(("vldr s0, [r4]; vfma.f32 s0, s1, s2", &[0xED94, 0x0A00, 0xEEA0, 0x0A81]), 4),
    case(("vdiv.f32 s0, s1, s2; vsqrt.f32 s3, s1", &[0xEE80, 0x0A81, 0xEEF1, 0x1AE0]), 30),
    case(("vmov s0, r0; vadd.f32 s1, s0, s2", &[0xEE00, 0x0A10, 0xEE70, 0x0A01]), 4),
    case(("vadd.f32 s0, s1, s2; vmov r0, s0; adds r0, r0, r2", &[0xEE30, 0x0A81, 0xEE10, 0x0A10, 0x1880]), 5),
    case(("vmov s0, s1, r0, r1; vmov s2, s3, r0, r1", &[0xEC41, 0x0A10, 0xEC41, 0x0A11]), 2),
    case(("vcvt.s32.f32 s0, s1; vmov s0, s1, r0, r1; vmov r0, r1, s0, s1", &[0xEEBD, 0x0AE0, 0xEC41, 0x0A10, 0xEC51, 0x0A10]), 5),
    // 12 cycles in; back and chained as for the M4. SVC 1, BX 1; 18 cycles each way for the FPU.
    handled(("svc #0", &[0xDF00]), ("bx lr", &[0x4770]), 24),
    handled(("movw r0, #0xED04; movt r0, #0xE000; mov r1, #0x10000000; svc #0", &[0xF64E, 0x5004, 0xF2CE, 0x0000, 0xF04F, 0x5180, 0xDF00]), ("str r1, [r0]; movs r1, #0; bx lr", &[0x6001, 0x2100, 0x4770]), 35),
    handled(("vmov.f32 s0, #1.0; svc #0", &[0xEEB7, 0x0A00, 0xDF00]), ("vmov.f32 s0, #1.0; bx lr", &[0xEEB7, 0x0A00, 0x4770]), 61),
];
