//! Cortex-M0+: sequences added up by hand from table 3-1 of DDI0484.

use super::{Case, case, handled};

/// Sequences and their cycles; at first r0 = 0, r1 = 0xFFFFFFFF, r2 = 1, r3 = 7, r4 in RAM.
#[rustfmt::skip] // one sequence a line
pub(super) const CASES: &[Case] = &[
    // DDI0484, table 3-1.
    case(("nop; adds r0, r0, r1; uxtb r0, r1; mov r8, r0", &[0x46C0, 0x1840, 0xB2C8, 0x4680]), 4),
    case(("muls r0, r2, r0", &[0x4350]), 1),
    case(("ldr r0, [r4]; ldrb r1, [r4]; str r0, [r4]; str r0, [r4, r1]", &[0x6820, 0x7821, 0x6020, 0x5060]), 8),
    case(("ldr r0, [pc, #0]; ldr r0, [r4]", &[0x4800, 0x6820]), 4),
    case(("ldm r4!, {r0-r3}; push {r0, r1}; pop {r0, r1}; stm r4!, {r0}", &[0xCC0F, 0xB403, 0xBC03, 0xC401]), 13),
    case(("b .+4; nop", &[0xE000, 0x46C0]), 2),
    case(("cmp r0, r0; beq .+4; nop", &[0x4280, 0xD000, 0x46C0]), 3),
    case(("cmp r0, r0; bne .+4; nop", &[0x4280, 0xD100, 0x46C0]), 3),
    case(("bl .+4", &[0xF000, 0xF800]), 3),
    case(("adr r0, .+8; adds r0, #1; bx r0; nop; nop; nop", &[0xA001, 0x3001, 0x4700, 0x46C0, 0x46C0, 0x46C0]), 6),
    case(("bl .+8; b .+10; nop; push {lr}; pop {pc}; nop", &[0xF000, 0xF802, 0xE003, 0x46C0, 0xB500, 0xBD00, 0x46C0]), 11),
    case(("mrs r0, primask; msr primask, r0; cpsie i", &[0xF3EF, 0x8010, 0xF380, 0x8810, 0xB662]), 7),
    case(("dmb; dsb; isb", &[0xF3BF, 0x8F5F, 0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F]), 9),
    case(("sev; wfe", &[0xBF40, 0xBF20]), 3),
    // 15 cycles in. SVC 1, BX 2; back and chained as estimated.
    handled(("svc #0", &[0xDF00]), ("bx lr", &[0x4770]), 31),
    handled(("ldr r0, [pc, #8]; movs r1, #1; lsls r1, r1, #28; svc #0; b .+8; nop; .word 0xE000ED04", &[0x4802, 0x2101, 0x0709, 0xDF00, 0xE002, 0x46C0, 0xED04, 0xE000]), ("str r1, [r0]; movs r1, #0; bx lr", &[0x6001, 0x2100, 0x4770]), 54),
];

/// With the 32-cycle multiplier.
#[rustfmt::skip] // one sequence a line
pub(super) const SLOW_MULTIPLIER: &[Case] = &[
    case(("muls r0, r2, r0", &[0x4350]), 32),
    case(("muls r0, r2, r0; muls r0, r2, r0; nop", &[0x4350, 0x4350, 0xBF00]), 65),
];
