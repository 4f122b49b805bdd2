//! Exceptions: frames, priorities, escalation, lockup.

use super::*;

/// Writes a system register as the guest would.
fn write(machine: &mut Machine, address: u32, value: u32) {
    machine.core.write_system_register(address, 4, value, 0).unwrap();
}

fn read(machine: &mut Machine, address: u32) -> u32 {
    machine.core.read_system_register(address, 0).unwrap()
}

const ICSR: u32 = 0xE000_ED04;
const CFSR: u32 = 0xE000_ED28;
const SHCSR: u32 = 0xE000_ED24;
const PEND_SV: u32 = 1 << 28;

#[test]
fn a_round_trip_restores_everything() {
    let mut machine = machine((
        "vmov.f32 s0, #1.0; cmp r0, r0; ite eq; svceq #3; movne r5, #1",
        &[0xEEB7, 0x0A00, 0x4280, 0xBF0C, 0xDF03, 0x2501],
    ));
    // The handler spoils what the frame holds: r0, flags, s0.
    let handler =
        ("mov r0, #99; cmp r0, #100; vmov s0, r0; mov r6, sp; bx lr", &[0xF04F, 0x0063, 0x2864, 0xEE00, 0x0A10, 0x466E, 0x4770]);
    place(&mut machine, HANDLER, handler.1);
    machine.set_register(0, 5);
    machine.set_register(13, STACK - 4); // not a multiple of eight: the frame is padded
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!((machine.register(0), machine.register(5), flags(&machine).as_str()), (5, 0, "nZCv"));
    assert_eq!(machine.float_register(0), 0x3F80_0000);
    assert_eq!(machine.register(13), STACK - 4);
    assert_eq!(machine.register(6), (STACK - 4 - 26 * 4) & !7);
    assert_eq!(machine.lowest_stack_pointer(), machine.register(6));
}

#[test]
fn the_frame_is_where_the_architecture_puts_it() {
    let mut machine = machine(("svc #0", &[0xDF00]));
    (0..4).for_each(|n| machine.set_register(n, 10 + n as u32));
    machine.set_register(14, 77);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
    let frame = machine.register(13);
    assert_eq!(frame, STACK - 32);
    assert_eq!([0, 4, 8, 12, 20, 24].map(|offset| word(&machine, frame + offset)), [10, 11, 12, 13, 77, CODE + 2]);
    assert_eq!((machine.register(14), machine.xpsr() & 0x1FF), (0xFFFF_FFF9, 11));
}

#[test]
fn masks_hold_exceptions_back() {
    let program: Program =
        ("cpsid i; str r1, [r0]; movs r5, #1; cpsie i; movs r5, #2", &[0xB672, 0x6001, 0x2501, 0xB662, 0x2502]);
    let mut machine = machine(program);
    machine.set_register(0, ICSR);
    machine.set_register(1, PEND_SV);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
    assert_eq!((machine.register(5), machine.xpsr() & 0x1FF), (1, 14));

    let mut machine = super::machine((
        "msr basepri, r2; str r1, [r0]; movs r5, #1; movs r2, #0; msr basepri, r2; movs r5, #2",
        &[0xF382, 0x8811, 0x6001, 0x2501, 0x2200, 0xF382, 0x8811, 0x2502],
    ));
    write(&mut machine, 0xE000_ED20, 0x40 << 16); // PendSV less urgent than BASEPRI
    machine.set_register(0, ICSR);
    machine.set_register(1, PEND_SV);
    machine.set_register(2, 0x30);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
    assert_eq!(machine.register(5), 1);
}

#[test]
fn the_more_urgent_interrupt_comes_first_and_the_other_waits() {
    let mut machine = machine(("nop; nop", &[0xBF00, 0xBF00]));
    // Each handler appends its exception number to r7.
    place(
        &mut machine,
        HANDLER,
        ("mrs r6, ipsr; lsl r7, r7, #8; orr r7, r7, r6; bx lr", &[0xF3EF, 0x8605, 0xEA4F, 0x2707, 0xEA47, 0x0706, 0x4770]).1,
    );
    write(&mut machine, 0xE000_E100, 0b111);
    write(&mut machine, 0xE000_E400, 0x20_10_30);
    (0..3).for_each(|n| machine.pend_interrupt(n));
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!(machine.register(7), 0x11_12_10);
}

#[test]
fn systick_comes_by_cycles_and_wakes_a_sleeper() {
    let mut machine = machine(("wfi; movs r5, #1", &[0xBF30, 0x2501]));
    place(&mut machine, HANDLER, ("adds r7, #1; bx lr", &[0x3701, 0x4770]).1);
    write(&mut machine, 0xE000_E014, 99);
    write(&mut machine, 0xE000_E018, 0);
    write(&mut machine, 0xE000_E010, 3);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!((machine.register(5), machine.register(7)), (1, 1));
    assert_eq!(machine.cycles(), 100 + 12 + 1 + 3 + 10 + 1);
}

#[test]
fn sleep_without_a_waker_is_the_hosts_business() {
    let mut machine = machine(("wfi; movs r5, #1", &[0xBF30, 0x2501]));
    assert_eq!(machine.run(100), Stop::Sleep);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!(machine.register(5), 1);
}

#[test]
fn faults_go_to_their_own_handler_only_if_enabled() {
    let mut machine = machine(("udf #0", &[0xDE00]));
    write(&mut machine, SHCSR, 1 << 18);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
    assert_eq!((machine.xpsr() & 0x1FF, read(&mut machine, CFSR)), (6, 1 << 16));

    let mut machine = super::machine(("cpsid i; udf #0", &[0xB672, 0xDE00]));
    write(&mut machine, SHCSR, 1 << 18);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
    assert_eq!((machine.xpsr() & 0x1FF, read(&mut machine, 0xE000_ED2C)), (3, 1 << 30));
}

#[test]
fn a_fault_in_hard_fault_locks_up() {
    let mut machine = machine(("udf #0", &[0xDE00]));
    place(
        &mut machine,
        HANDLER,
        ("nop; ldr r0, [r4, #-0x80]; mov r0, #0x60000000; ldr r0, [r0]", &[0xBF00, 0xF854, 0x0C80, 0xF04F, 0x40C0, 0x6800]).1,
    );
    let stop = machine.run(100);
    let Stop::Lockup(fault) = stop else { panic!("{stop:?}") };
    assert_eq!((fault.kind, fault.address), (FaultKind::UnmappedRead, 0x6000_0000));
    assert_eq!(machine.register(15), fault.pc);
}

#[test]
fn an_overflowed_stack_is_reported_as_such() {
    let mut machine = machine(("push {r0-r7}; b .-2", &[0xB4FF, 0xE7FD]));
    let stop = machine.run(10_000);
    assert_eq!(stop, Stop::Breakpoint { imm: 0xFF });
    assert_eq!(machine.last_fault().unwrap().kind, FaultKind::UnmappedWrite);
    assert_eq!(machine.last_fault().unwrap().pc, CODE);
}

#[test]
fn a_divide_trap_is_optional() {
    let mut machine = machine(("udiv r0, r1, r2", &[0xFBB1, 0xF0F2]));
    write(&mut machine, 0xE000_ED14, 0x210);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
    assert_eq!(machine.last_fault().unwrap().kind, FaultKind::DivideByZero);
}

#[test]
fn the_process_stack_is_used_in_thread_mode_only() {
    let mut machine = machine((
        "msr psp, r0; movs r1, #2; msr control, r1; isb; push {r1}; svc #0; mrs r2, psp; mrs r3, msp",
        &[0xF380, 0x8809, 0x2102, 0xF381, 0x8814, 0xF3BF, 0x8F6F, 0xB402, 0xDF00, 0xF3EF, 0x8209, 0xF3EF, 0x8308],
    ));
    place(&mut machine, HANDLER, ("mov r5, lr; mov r6, sp; bx lr", &[0x4675, 0x466E, 0x4770]).1);
    machine.set_register(0, RAM + 0x800);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!((machine.register(5), machine.register(6)), (0xFFFF_FFFD, STACK));
    assert_eq!((machine.register(2), machine.register(3), machine.register(13)), (RAM + 0x7FC, STACK, RAM + 0x7FC));
    assert_eq!(machine.lowest_stack_pointer(), STACK);
}

#[test]
fn a_jump_to_an_even_address_arrives_before_it_faults() {
    let mut machine = machine(("blx r0", &[0x4780]));
    machine.set_register(0, 0x200);
    assert_eq!(machine.run(10), Stop::Breakpoint { imm: 0xFF });
    let frame = machine.register(13);
    let stacked = [20, 24, 28].map(|offset| word(&machine, frame + offset));
    assert_eq!(stacked, [CODE + 3, 0x200, stacked[2] & !(1 << 24)]); // the link register, the target, no Thumb bit
    assert_eq!(machine.first_fault().unwrap().0, Fault { kind: FaultKind::InvalidState, pc: CODE, address: 0x200 });
}
