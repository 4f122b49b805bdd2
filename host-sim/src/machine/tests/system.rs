//! Host services and system registers.

use super::*;

#[test]
fn reset_request_stops() {
    let mut machine = machine(("str r1, [r0]; movs r5, #1", &[0x6001, 0x2501]));
    machine.set_register(0, 0xE000_ED0C);
    machine.set_register(1, 0x05FA_0004);
    assert_eq!(machine.run(100), Stop::ResetRequested);
    assert_eq!(machine.register(5), 0);
}

#[test]
fn breakpoints_wait_for_the_host() {
    let mut machine = machine(("movs r0, #1; bkpt #0xAB; movs r0, #2", &[0x2001, 0xBEAB, 0x2002]));
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xAB });
    assert_eq!((machine.register(15), machine.run(100)), (CODE + 2, Stop::Breakpoint { imm: 0xAB }));
    machine.resume_after_breakpoint();
    assert_eq!((machine.run(100), machine.register(0)), (Stop::Breakpoint { imm: 0 }, 2));
}

#[test]
fn the_guest_sees_the_debugger() {
    for attached in [false, true] {
        let mut machine = machine(("ldr r1, [r0]; ldrb r2, [r0]", &[0x6801, 0x7802]));
        machine.set_debugger_attached(attached);
        machine.set_register(0, 0xE000_EDF0);
        machine.run(100);
        assert_eq!((machine.register(1), machine.register(2)), (attached.into(), attached.into()));
    }
}

#[test]
fn bytes_of_system_registers() {
    let mut machine = machine(("strb r1, [r0, #1]; ldr r2, [r0]; ldrh r3, [r0]", &[0x7041, 0x6802, 0x8803]));
    machine.set_register(0, 0xE000_E400);
    machine.set_register(1, 0xFF);
    machine.run(100);
    assert_eq!((machine.register(2), machine.register(3)), (0xF000, 0xF000)); // four priority bits
}

#[test]
fn an_empty_vector_table_locks_up() {
    let mut machine = Machine::new(&cores::CORTEX_M4, &[RegionSpec { base: 0, size: 64, kind: RegionKind::Flash }]);
    machine.reset();
    assert!(matches!(machine.run(10), Stop::Lockup(Fault { kind: FaultKind::InvalidState, .. })));
}
