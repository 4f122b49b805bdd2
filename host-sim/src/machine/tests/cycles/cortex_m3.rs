//! Cortex-M3: sequences added up by hand from the rules in the sources that its table cites.

use super::{Case, case, handled};

/// Sequences and their cycles; at first r0 = 0, r1 = 0xFFFFFFFF, r2 = 1, r3 = 7, r4 in RAM.
#[rustfmt::skip] // one sequence a line
pub(super) const CASES: &[Case] = &[
    // DDI0337I, table 3-1.
    case(("nop; adds r0, r0, r1; bfi r0, r1, #0, #4; add.w r0, r1, r2, lsl #2", &[0xBF00, 0x1840, 0xF361, 0x0003, 0xEB01, 0x0082]), 4),
    case(("mul r0, r1, r2; mla r0, r1, r2, r3; mls r0, r1, r2, r3", &[0xFB01, 0xF002, 0xFB01, 0x3002, 0xFB01, 0x3012]), 5),
    // Long multiplications: 3 to 5 and 4 to 7, by the factors that need more than 16 bits.
    case(("umull r0, r5, r2, r3", &[0xFBA2, 0x0503]), 3),
    case(("umull r0, r5, r1, r2", &[0xFBA1, 0x0502]), 4),
    case(("umull r0, r5, r1, r1", &[0xFBA1, 0x0501]), 5),
    case(("smull r0, r5, r1, r2", &[0xFB81, 0x0502]), 3),
    case(("umlal r0, r5, r2, r3", &[0xFBE2, 0x0503]), 4),
    case(("umlal r0, r5, r1, r1", &[0xFBE1, 0x0501]), 7),
    case(("udiv r0, r2, r3; udiv r0, r1, r2", &[0xFBB2, 0xF0F3, 0xFBB1, 0xF0F2]), 14),
    // Loads and stores, as for the M4.
    case(("ldr r0, [r4]; ldrb r1, [r4]", &[0x6820, 0x7821]), 3),
    case(("ldr r0, [r4]; ldrb r1, [r4]; ldr r5, [r4], #4", &[0x6820, 0x7821, 0xF854, 0x5B04]), 5),
    case(("ldr r0, [pc, #0]; nop; ldr r0, [r4]", &[0x4800, 0xBF00, 0x6820]), 4),
    case(("str r0, [r4]; ldr r0, [r4]", &[0x6020, 0x6820]), 4),
    case(("str r0, [r4, r0]; strb r0, [r4]", &[0x5020, 0x7020]), 3),
    case(("adds r0, r4, #4; ldr r1, [r0]", &[0x1D20, 0x6801]), 4),
    case(("mul r5, r2, r3; str r5, [r4]", &[0xFB02, 0xF503, 0x6025]), 3),
    case(("ldrd r0, r1, [r4]; strd r0, r1, [r4]", &[0xE9D4, 0x0100, 0xE9C4, 0x0100]), 6),
    case(("ldm r4, {r0-r3}; stm r4, {r0-r3}", &[0xE894, 0x000F, 0xE884, 0x000F]), 10),
    case(("ldrex r0, [r4]; strex r0, r1, [r4]", &[0xE854, 0x0F00, 0xE844, 0x1000]), 4),
    case(("ldr.w r0, [r4, #1]", &[0xF8D4, 0x0001]), 3),
    case(("nop; mul r5, r2, r3; mul r5, r2, r3; mul r5, r2, r3", &[0xBF00, 0xFB02, 0xF503, 0xFB02, 0xF503, 0xFB02, 0xF503]), 5),
    // Branches, as for the M4.
    case(("b .+4; nop", &[0xE000, 0xBF00]), 2),
    case(("cmp r0, r0; beq .+4; nop", &[0x4280, 0xD000, 0xBF00]), 3),
    case(("bl .+4", &[0xF000, 0xF800]), 2),
    case(("add.w r0, pc, #5; bx r0; nop; nop; nop", &[0xF20F, 0x0005, 0x4700, 0xBF00, 0xBF00, 0xBF00]), 6),
    case(("tbb [pc, r0]; .hword 0x0101", &[0xE8DF, 0xF000, 0x0101]), 6),
    case(("bl .+8; b .+10; nop; push {lr}; pop {pc}; nop", &[0xF000, 0xF802, 0xE003, 0xBF00, 0xB500, 0xBD00, 0xBF00]), 12),
    case(("add.w r0, pc, #9; str r0, [r4]; nop; ldr.w pc, [r4]", &[0xF20F, 0x0009, 0x6020, 0xBF00, 0xF8D4, 0xF000]), 8),
    case(("cmp r0, r0; ite ne; movne r0, #2; moveq r1, #1", &[0x4280, 0xBF14, 0x2002, 0x2101]), 3),
    case(("mrs r0, primask; msr basepri, r0; cpsie i", &[0xF3EF, 0x8010, 0xF380, 0x8811, 0xB662]), 6),
    case(("dmb; dsb; isb", &[0xF3BF, 0x8F5F, 0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F]), 5),
    case(("sev; wfe", &[0xBF40, 0xBF20]), 2),
    // KA103489845: 12 in, 10 out.
    handled(("svc #0", &[0xDF00]), ("bx lr", &[0x4770]), 26),
    handled(("movw r0, #0xED04; movt r0, #0xE000; mov r1, #0x10000000; svc #0", &[0xF64E, 0x5004, 0xF2CE, 0x0000, 0xF04F, 0x5180, 0xDF00]), ("str r1, [r0]; movs r1, #0; bx lr", &[0x6001, 0x2100, 0x4770]), 42),
];
