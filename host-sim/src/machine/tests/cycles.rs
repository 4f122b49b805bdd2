//! Cycles of short programs, added up by hand from the rules in the sources that the table cites.

use super::*;
use crate::machine::cycles::cortex_m4::TABLE;

/// With r0 = 0, r1 = 0xFFFFFFFF, r2 = 1, r3 = 7, r4 in RAM.
const CASES: &[(Program, u64)] = &[
    (
        (
            "nop; adds r0, r0, r1; ssat r0, #8, r0; sxtb16 r0, r1; bfi r0, r1, #0, #4",
            &[0xBF00, 0x1840, 0xF300, 0x0007, 0xFA2F, 0xF081, 0xF361, 0x0003],
        ),
        5,
    ),
    (
        (
            "mul r0, r1, r2; mla r0, r1, r2, r3; smlad r0, r1, r2, r3; umull r0, r5, r1, r2; smlald r0, r5, r1, r2",
            &[0xFB01, 0xF002, 0xFB01, 0x3002, 0xFB21, 0x3002, 0xFBA1, 0x0502, 0xFBC1, 0x05C2],
        ),
        5,
    ),
    // Loads pipeline with loads only.
    (("ldr r0, [r4]", &[0x6820]), 2),
    (("ldr r0, [r4]; ldrb r1, [r4]; ldrsh r2, [r4, #2]!", &[0x6820, 0x7821, 0xF934, 0x2F02]), 4),
    (("ldr r0, [r4]; str r0, [r4]; ldr r0, [r4]", &[0x6820, 0x6020, 0x6820]), 5),
    (("vldr s0, [r4]; ldr r0, [r4]; vldr s1, [r4]", &[0xED94, 0x0A00, 0x6820, 0xEDD4, 0x0A00]), 4),
    (("ldr r0, [r4]; nop; ldr r0, [r4]", &[0x6820, 0xBF00, 0x6820]), 5),
    (("str r0, [r4]; strb r0, [r4]; vstr s0, [r4]", &[0x6020, 0x7020, 0xED84, 0x0A00]), 3),
    (
        (
            "ldrd r0, r1, [r4]; strd r0, r1, [r4]; vldr d0, [r4]; vstr d0, [r4]",
            &[0xE9D4, 0x0100, 0xE9C4, 0x0100, 0xED94, 0x0B00, 0xED84, 0x0B00],
        ),
        12,
    ),
    (("ldm r4, {r0-r3}; stm r4, {r0-r3}; push {r0, r1}; pop {r0, r1}", &[0xE894, 0x000F, 0xE884, 0x000F, 0xB403, 0xBC03]), 16),
    (("vldm r4, {s0-s7}; vpush {d0}; vpop {d0}", &[0xEC94, 0x0A08, 0xED2D, 0x0B02, 0xECBD, 0x0B02]), 15),
    // Taken branches refill the pipeline.
    (("b .+4; nop", &[0xE000, 0xBF00]), 3),
    (("cmp r0, r0; beq .+4; nop", &[0x4280, 0xD000, 0xBF00]), 4),
    (("cmp r0, r0; bne .+4; nop", &[0x4280, 0xD100, 0xBF00]), 3),
    (("cbz r0, .+4; nop", &[0xB100, 0xBF00]), 3),
    (("cbnz r0, .+4; nop", &[0xB900, 0xBF00]), 2),
    (("bl .+4", &[0xF000, 0xF800]), 3),
    (("adr r0, .+9; bx r0; nop; nop; nop", &[0xF20F, 0x0005, 0x4700, 0xBF00, 0xBF00, 0xBF00]), 1 + 3 + 2),
    (("tbb [pc, r0]; .byte 1, 1", &[0xE8DF, 0xF000, 0x0101]), 4),
    (
        ("bl .+8; b .+10; nop; push {lr}; pop {pc}; nop", &[0xF000, 0xF802, 0xE003, 0xBF00, 0xB500, 0xBD00, 0xBF00]),
        3 + 2 + (2 + 2) + 3,
    ),
    // Division: 2 to 12 by the bits of the quotient.
    (("udiv r0, r2, r3", &[0xFBB2, 0xF0F3]), 2),
    (("udiv r0, r1, r0", &[0xFBB1, 0xF0F0]), 2),
    (("udiv r0, r1, r2", &[0xFBB1, 0xF0F2]), 12),
    (("udiv r0, r3, r2", &[0xFBB3, 0xF0F2]), 3),
    (("sdiv r0, r1, r2", &[0xFB91, 0xF0F2]), 3),
    // IT takes its cycle and so does what it skips; only equal conditions pair.
    (("cmp r0, r0; ite ne; ldrne r0, [r4]; moveq r1, #1", &[0x4280, 0xBF14, 0x6820, 0x2101]), 4),
    (("cmp r0, r0; itt eq; ldreq r0, [r4]; ldreq r1, [r4]", &[0x4280, 0xBF04, 0x6820, 0x6821]), 5),
    (("cmp r0, r0; ite ne; ldrne r0, [r4]; ldreq r1, [r4]", &[0x4280, 0xBF14, 0x6820, 0x6821]), 5),
    (("mrs r0, primask; msr basepri, r0; cpsie i", &[0xF3EF, 0x8010, 0xF380, 0x8811, 0xB662]), 6),
    (("dmb; dsb; isb", &[0xF3BF, 0x8F5F, 0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F]), 3),
    // Floating point.
    (
        (
            "vadd.f32 s0, s1, s2; vmul.f32 s0, s1, s2; vcmp.f32 s0, s1; vcvt.s32.f32 s0, s1; vmov r0, s0; vmrs r0, fpscr",
            &[0xEE30, 0x0A81, 0xEE20, 0x0A81, 0xEEB4, 0x0A60, 0xEEBD, 0x0AE0, 0xEE10, 0x0A10, 0xEEF1, 0x0A10],
        ),
        6,
    ),
    (("vmla.f32 s0, s1, s2; vfma.f32 s0, s1, s2", &[0xEE00, 0x0A81, 0xEEA0, 0x0A81]), 6),
    (("vdiv.f32 s0, s1, s2; vsqrt.f32 s0, s1", &[0xEE80, 0x0A81, 0xEEB1, 0x0AE0]), 28),
    (("vmov r0, r1, s0, s1", &[0xEC51, 0x0A10]), 2),
];

fn start(program: Program) -> Machine {
    let mut machine = machine(program);
    for (number, value) in [0, u32::MAX, 1, 7].into_iter().enumerate() {
        machine.set_register(number, value);
    }
    machine
}

#[test]
fn programs_cost_their_sum() {
    for (program, cycles) in CASES {
        let mut machine = start(*program);
        assert_eq!(machine.run(1000), Stop::Breakpoint { imm: 0 }, "{}: {:?}", program.0, machine.last_fault());
        assert_eq!(machine.cycles(), *cycles, "{}", program.0);
    }
}

#[test]
fn slicing_changes_nothing() {
    for (program, cycles) in CASES {
        let mut machine = start(*program);
        let mut whole = start(*program);
        whole.run(1000);
        while machine.run(1) == Stop::Budget {}
        let state = |m: &Machine| (m.cycles(), m.instructions(), m.xpsr(), (0..16).map(|n| m.register(n)).collect::<Vec<_>>());
        assert_eq!(state(&machine), state(&whole), "{}", program.0);
        assert_eq!(machine.cycles(), *cycles, "{}", program.0);
    }
}

#[test]
fn instructions_are_counted_exactly() {
    let mut machine = machine(("movs r0, #10; subs r0, #1; bne .-2", &[0x200A, 0x3801, 0xD1FD]));
    machine.run(7);
    assert_eq!(machine.instructions(), 7);
    machine.run(1000);
    assert_eq!(machine.instructions(), 21);
    assert_eq!(machine.cycles(), 1 + 10 * 2 + 9 * 2);
    machine.resume_after_breakpoint();
    assert_eq!(machine.instructions(), 22);
}

#[test]
fn supervisor_call_and_back() {
    // SVC 1, entry 12, BX 1 + refill 2, return 12. A floating-point context costs 18 words each way, but only if the handler uses the
    // FPU: VMOV 1.
    let float: Program = ("vmov.f32 s0, #1.0; svc #0", &[0xEEB7, 0x0A00, 0xDF00]);
    let cases: [(Program, &[u16], u64); 3] =
        [(("svc #0", &[0xDF00]), &[0x4770], 28), (float, &[0x4770], 1 + 28), (float, &[0xEEB7, 0x0A00, 0x4770], 1 + 28 + 1 + 36)];
    for (program, handler, cycles) in cases {
        let mut machine = machine(program);
        place(&mut machine, HANDLER, handler);
        assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
        assert_eq!(machine.cycles(), cycles, "{}", program.0);
    }
}

#[test]
fn the_cycle_counter_reads_the_modelled_count() {
    // r0 -> DWT; reading it twice with two NOPs between: the load and the NOPs.
    let mut machine = machine((
        "ldr r1, [r0, #4]; nop; nop; ldr r2, [r0, #4]; mov r3, #0; str r3, [r0, #4]; ldr r5, [r0, #4]",
        &[0x6841, 0xBF00, 0xBF00, 0x6842, 0xF04F, 0x0300, 0x6043, 0x6845],
    ));
    machine.core.write_system_register(0xE000_EDFC, 4, 1 << 24, 0).unwrap();
    machine.core.write_system_register(0xE000_1000, 4, 1, 0).unwrap();
    machine.set_register(0, 0xE000_1000);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!(machine.register(2) - machine.register(1), 4);
    assert_eq!(machine.register(5), 1);
}

#[test]
fn every_row_cites_a_source() {
    assert!(TABLE.rows.iter().all(|row| row.source.contains("Arm")));
}
