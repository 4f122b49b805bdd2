//! Interrupts as an interrupt-driven program meets them, on every core: when they come, in which order, and what they cost.

use super::*;
use cores::{CORES, CORTEX_M0PLUS, CORTEX_M3, CORTEX_M33};

const SYST_CSR: u32 = 0xE000_E010;
const SYST_RVR: u32 = 0xE000_E014;
const NVIC_ISER: u32 = 0xE000_E100;
const NVIC_IPR: u32 = 0xE000_E400;
const CFSR: u32 = 0xE000_ED28;
/// `adds r7, #1; bx lr`
const COUNTER: [u16; 2] = [0x3701, 0x4770];

fn write(machine: &mut Machine, address: u32, value: u32) {
    machine.core.write_system_register(address, 4, value, 0).unwrap();
}

fn read(machine: &mut Machine, address: u32) -> u32 {
    machine.core.read_system_register(address, 0).unwrap()
}

/// Cost of a class on a core, as its table says.
fn cost(machine: &Machine, class: Class) -> u64 {
    machine.spec().table.cost(class, 0).into()
}

#[derive(Default)]
struct Events(Vec<(u16, bool, u64, u32)>);

impl Observer for Events {
    fn retired(&mut self, _: &Retired) {}
    fn exception(&mut self, event: &ExceptionEvent) {
        self.0.push((event.number, event.entered, event.began, event.cycles));
    }
}

/// Two interrupts of one priority, pending before the first instruction.
fn two_pending(core: &'static CoreSpec) -> Machine {
    let mut machine = machine_with(core, ("nop; nop", &[0xBF00, 0xBF00]));
    place(&mut machine, HANDLER, &COUNTER);
    write(&mut machine, NVIC_ISER, 0b11);
    machine.pend_interrupt(0);
    machine.pend_interrupt(1);
    machine
}

#[test]
fn the_second_of_two_pending_interrupts_is_tail_chained() {
    for core in CORES {
        let mut machine = two_pending(core);
        let mut events = Events::default();
        assert_eq!(machine.run_observed(100, &mut events), Stop::Breakpoint { imm: 0 }, "{}", core.name);
        assert_eq!(machine.register(7), 2, "{}", core.name);
        let [entry, tail, exit] =
            [Class::ExceptionEntry, Class::TailChain, Class::ExceptionReturn].map(|class| cost(&machine, class));
        let costs: Vec<_> = events.0.iter().map(|(number, entered, _, cycles)| (*number, *entered, u64::from(*cycles))).collect();
        assert_eq!(costs, [(16, true, entry), (16, false, tail), (17, true, 0), (17, false, exit)], "{}", core.name);
    }
}

#[test]
fn two_interrupts_cost_one_frame() {
    // Two handlers, their branches with refill, two NOPs of the program.
    let mut machine = two_pending(&CORTEX_M3);
    machine.run(100);
    let handler = 1 + cost(&machine, Class::BranchExchange) + cost(&machine, Class::Refill);
    let [entry, tail, exit] =
        [Class::ExceptionEntry, Class::TailChain, Class::ExceptionReturn].map(|class| cost(&machine, class));
    assert_eq!(machine.cycles(), entry + handler + tail + handler + exit + 2);
}

#[test]
fn a_timer_interrupt_comes_between_two_instructions_of_straight_code() {
    for core in CORES {
        let mut machine = machine_with(core, ("adds r5, #1, a hundred times", &[0x3501; 100]));
        // The handler keeps what the program had counted, and stops the timer.
        // mov r6, r5; movs r0, #0; str r0, [r1]; bx lr
        place(&mut machine, HANDLER, &[0x462E, 0x2000, 0x6008, 0x4770]);
        machine.set_register(1, SYST_CSR);
        write(&mut machine, SYST_RVR, 39);
        write(&mut machine, 0xE000_E018, 0);
        write(&mut machine, SYST_CSR, 3);
        assert_eq!(machine.run(1000), Stop::Breakpoint { imm: 0 }, "{}", core.name);
        assert_eq!(machine.register(5), 100, "{}", core.name);
        if matches!(core.table.issue, super::super::cycles::Issue::Single) {
            assert_eq!(machine.register(6), 40, "{}: an instruction a cycle, the fortieth cycle ends the count", core.name);
        }
    }
}

#[test]
fn pieces_of_a_run_see_interrupts_at_the_same_cycles() {
    for core in CORES {
        let start = || {
            // adds r5, #1 (50 times); cmp r7, #9; blo start
            let code: Vec<u16> = [0x3501; 50].into_iter().chain([0x2F09, 0xD3CA]).collect();
            let mut machine = machine_with(core, ("count until nine interrupts came", &code));
            place(&mut machine, HANDLER, &COUNTER);
            write(&mut machine, SYST_RVR, 170);
            write(&mut machine, 0xE000_E018, 0);
            write(&mut machine, SYST_CSR, 3);
            machine
        };
        let (mut whole, mut pieces) = (start(), start());
        assert_eq!(whole.run(100_000), Stop::Breakpoint { imm: 0 });
        let mut size = 0;
        while pieces.run(1 + size % 7) == Stop::Budget {
            size += 1;
        }
        let state = |m: &Machine| (m.cycles(), m.instructions(), m.register(5), m.register(7));
        assert_eq!(state(&pieces), state(&whole), "{}", core.name);
        assert_eq!(whole.register(7), 9);
    }
}

#[test]
fn a_more_urgent_interrupt_preempts_a_handler() {
    for core in CORES {
        // The handler of interrupt 0 pends interrupt 1 (ISPR), which counts; then adds 10 to what it finds.
        let mut machine = machine_with(core, ("nop", &[0xBF00]));
        let vectors = [(16, 0x80u32), (17, 0xC0)];
        for (number, handler) in vectors {
            machine.load(number * 4, &(handler | 1).to_le_bytes()).unwrap();
        }
        place(&mut machine, 0x80, &[0x6011, 0xBF00, 0xBF00, 0x3764, 0x4770]); // str r1, [r2]; nop; nop; adds r7, #100; bx lr
        place(&mut machine, 0xC0, &[0x463B, 0x3701, 0x4770]); // mov r3, r7; adds r7, #1; bx lr
        machine.set_register(2, 0xE000_E200);
        machine.set_register(1, 2);
        write(&mut machine, NVIC_ISER, 0b11);
        write(&mut machine, NVIC_IPR, 0x40_80); // 1 is more urgent than 0, with two implemented bits too
        machine.pend_interrupt(0);
        assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 }, "{}", core.name);
        assert_eq!(machine.register(7), 101, "{}", core.name);
    }
}

#[test]
fn armv6m_knows_one_fault_and_two_priority_bits() {
    let mut machine = machine_with(&CORTEX_M0PLUS, ("ldr r0, [r4]", &[0x6820]));
    machine.set_register(4, DATA + 2);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
    assert_eq!((machine.xpsr() & 0x1FF, read(&mut machine, CFSR)), (3, 0));
    assert_eq!(machine.last_fault().unwrap().kind, FaultKind::Unaligned);
    write(&mut machine, NVIC_IPR, 0xFF);
    assert_eq!(read(&mut machine, NVIC_IPR), 0xC0);
}

#[test]
fn armv8m_without_security_has_its_own_return_codes() {
    let mut machine = machine_with(&CORTEX_M33, ("svc #0", &[0xDF00]));
    place(&mut machine, HANDLER, &[0x4675, 0x4770]); // mov r5, lr; bx lr
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!(machine.register(5), 0xFFFF_FFB8);
}

#[test]
fn an_instruction_that_a_core_lacks_is_a_fault_that_says_what_is_missing() {
    let smlad: Program = ("smlad r0, r1, r2, r3", &[0xFB21, 0x3002]);
    let vadd: Program = ("vadd.f32 s0, s1, s2", &[0xEE30, 0x0A81]);
    for (core, program, kind, missing) in [
        (&CORTEX_M3, smlad, FaultKind::Undefined, "DSP"),
        (&CORTEX_M0PLUS, smlad, FaultKind::Undefined, "DSP"),
        (&CORTEX_M3, vadd, FaultKind::NoCoprocessor, "floating-point"),
        (&CORTEX_M0PLUS, vadd, FaultKind::Undefined, "floating-point"),
        (&cores::CORTEX_M4, ("vrinta.f32 s0, s1", &[0xFEB8, 0x0A60]), FaultKind::Undefined, "FPv5"),
    ] {
        let mut machine = machine_with(core, program);
        assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF });
        assert_eq!(machine.last_fault().unwrap().kind, kind, "{} on {}", program.0, core.name);
        let lacks = machine.lacks(CODE).unwrap();
        assert!(lacks.contains(missing), "{} on {}: {lacks}", program.0, core.name);
    }
    assert_eq!(machine(smlad).lacks(CODE), None);
}
