//! Hand-made guests with hand-computed counts: a vector table at 0, code from 0x40 on.

use super::collect::Collector;
use super::contexts::Place;
use super::functions::Functions;
use super::summary::{FunctionCost, Summary};
use super::symbols::Symbols;
use crate::machine::{Machine, RegionKind, RegionSpec, Stop, cores};

const CODE: u32 = 0x40;
const BX_LR: u16 = 0x4770;
const BKPT: u16 = 0xBE00;
const PUSH_LR: u16 = 0xB500;
const POP_PC: u16 = 0xBD00;

const fn movs(register: u16, value: u16) -> u16 {
    0x2000 | register << 8 | value
}

/// `BL` at one address to another.
const fn bl(from: u32, to: u32) -> [u16; 2] {
    let offset = to.wrapping_sub(from + 4);
    let (i1, i2, sign) = (offset >> 23 & 1, offset >> 22 & 1, offset >> 31);
    let (j1, j2) = (1 ^ i1 ^ sign, 1 ^ i2 ^ sign);
    let first = 0xF000 | sign << 10 | offset >> 12 & 0x3FF;
    let second = 0xD000 | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF;
    [first as u16, second as u16]
}

/// `B` or, with a condition, `B<c>` at one address to another.
const fn b(condition: Option<u16>, from: u32, to: u32) -> u16 {
    let offset = to.wrapping_sub(from + 4) >> 1;
    match condition {
        Some(condition) => 0xD000 | condition << 8 | (offset & 0xFF) as u16,
        None => 0xE000 | (offset & 0x7FF) as u16,
    }
}

const NE: Option<u16> = Some(1);
const EQ: Option<u16> = Some(0);

/// A machine with this code, whose exceptions all go to `handler`, and a collector that knows these functions.
fn ready(code: &[u16], handler: u32, functions: &[(u32, u32, &str)], under: Option<&str>) -> (Machine, Collector) {
    let region = |base, size, kind| RegionSpec { base, size, kind };
    let regions = [region(0, 0x1_0000, RegionKind::Flash), region(0x2000_0000, 0x1_0000, RegionKind::Ram)];
    let mut machine = Machine::new(cores::core("cortex-m4").expect("there is a Cortex-M4"), &regions);
    let mut table = [handler | 1; 16];
    (table[0], table[1]) = (0x2001_0000, CODE | 1);
    let bytes: Vec<u8> = table.into_iter().flat_map(u32::to_le_bytes).collect();
    machine.load(0, &bytes).unwrap();
    let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
    machine.load(CODE, &bytes).unwrap();
    machine.reset();
    let functions = Functions::new(functions.iter().copied());
    let wanted = under.map(|under| functions.named(|name| name == under));
    (machine, Collector::new(functions, wanted))
}

/// Runs to the breakpoint, in pieces, and adds up; whatever the guest, the parts must add up to the machine's cycles.
fn finish(machine: &mut Machine, collector: &mut Collector) -> Summary {
    let mut stop = Stop::Budget;
    while stop == Stop::Budget {
        collector.catch_up(machine);
        stop = machine.run_observed(7, collector);
        assert!(machine.instructions() < 1_000_000, "the guest does not end");
    }
    assert_eq!(stop, Stop::Breakpoint { imm: 0 });
    collector.finish(machine);
    let summary = Summary::new(collector, &mut Symbols::new(&[], false));
    assert_eq!(summary.cycles + summary.outside, machine.cycles());
    assert_eq!(summary.functions.iter().map(|function| function.exclusive).sum::<u64>(), summary.cycles);
    assert_eq!(summary.stacks.values().sum::<u64>(), summary.cycles);
    if summary.outside == 0 {
        assert_eq!(summary.instructions, machine.instructions());
    }
    let classes: (u64, u64) =
        summary.classes.iter().fold((0, 0), |(count, cycles), class| (count + class.executions, cycles + class.cycles));
    assert_eq!(classes.0, summary.instructions);
    summary
}

fn profile(code: &[u16], functions: &[(u32, u32, &str)]) -> Summary {
    let (mut machine, mut collector) = ready(code, CODE, functions, None);
    finish(&mut machine, &mut collector)
}

fn function<'a>(summary: &'a Summary, name: &str) -> &'a FunctionCost {
    summary.functions.iter().find(|function| function.name == name).unwrap_or_else(|| panic!("{name} in {:?}", summary.functions))
}

fn stack(summary: &Summary, names: &[&str]) -> u64 {
    summary.stacks.get(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>()).copied().unwrap_or(0)
}

/// main calls f and g five times each; g calls f. f is `movs; bx lr`, g is `push; bl f; pop`.
fn two_functions() -> (Vec<u16>, [(u32, u32, &'static str); 3]) {
    let (f, g) = (0x60, 0x64);
    let mut code = vec![movs(4, 5)]; // 0x40
    code.extend(bl(0x42, f));
    code.extend(bl(0x46, g));
    code.extend([0x3C01, b(NE, 0x4C, 0x42), BKPT]); // subs r4, #1
    code.resize(0x10, 0);
    code.extend([movs(0, 1), BX_LR]); // 0x60: f
    code.push(PUSH_LR); // 0x64: g
    code.extend(bl(0x66, f));
    code.push(POP_PC);
    (code, [(CODE, 0x10, "main"), (f, 4, "f"), (g, 8, "g")])
}

#[test]
fn calls_instructions_and_cycles_of_two_functions_are_as_computed_by_hand() {
    let (code, functions) = two_functions();
    let summary = profile(&code, &functions);
    let (main, f, g) = (function(&summary, "main"), function(&summary, "f"), function(&summary, "g"));
    assert_eq!((main.calls, f.calls, g.calls), (Some(1), Some(10), Some(5)));
    assert_eq!((main.instructions, f.instructions, g.instructions), (1 + 5 * 4, 20, 15));
    // MOVS 1 and BX 1 + 2 for the refill, each time.
    assert_eq!(f.exclusive, 10 * (1 + 3));
    assert_eq!(f.inclusive, f.exclusive);
    assert_eq!(g.inclusive, g.exclusive + 5 * (1 + 3));
    assert_eq!(main.inclusive, summary.cycles);
    assert_eq!(stack(&summary, &["main", "f"]), 5 * 4);
    assert_eq!(stack(&summary, &["main", "g", "f"]), 5 * 4);
    assert_eq!(stack(&summary, &["main", "g"]), g.exclusive);
    // The loop: from the first call to the branch, taken four times of five.
    let hottest = summary.loops[0];
    assert_eq!((hottest.head, hottest.tail, hottest.iterations), (0x42, 0x4C, 4));
    assert_eq!(hottest.cycles, main.exclusive - 1); // all of main but its first MOVS
}

#[test]
fn a_restricted_profile_has_only_its_function_and_what_that_calls() {
    let (code, functions) = two_functions();
    let (mut machine, mut collector) = ready(&code, CODE, &functions, Some("g"));
    let summary = finish(&mut machine, &mut collector);
    assert_eq!(summary.entries, 5);
    assert_eq!(summary.instructions, 15 + 10);
    assert_eq!(function(&summary, "f").calls, Some(5));
    assert_eq!(stack(&summary, &["g", "f"]), 5 * 4);
    assert!(summary.functions.iter().all(|function| function.name != "main"));
}

#[test]
fn code_without_symbols_is_divided_by_its_calls() {
    let (code, _) = two_functions();
    let summary = profile(&code, &[]);
    assert_eq!(function(&summary, "0x00000060").calls, Some(10));
    assert_eq!(function(&summary, "0x00000064").calls, Some(5));
    assert_eq!(function(&summary, "0x00000040").inclusive, summary.cycles);
}

#[test]
fn recursion_counts_once_in_what_a_function_costs_with_calls() {
    let f = 0x50;
    let mut code = vec![movs(0, 6)];
    code.extend(bl(0x42, f));
    code.push(BKPT);
    code.resize(8, 0);
    code.extend([PUSH_LR, 0x3801, b(EQ, 0x54, 0x5A)]); // 0x50: push; subs r0, #1; beq the end
    code.extend(bl(0x56, f));
    code.push(POP_PC); // 0x5A
    let summary = profile(&code, &[(CODE, 0x10, "main"), (f, 12, "f")]);
    let f = function(&summary, "f");
    assert_eq!((f.calls, f.instructions), (Some(6), 6 * 4 + 5));
    assert_eq!(f.inclusive, f.exclusive);
    assert_eq!(function(&summary, "main").inclusive, summary.cycles);
    assert_eq!(summary.cycles, f.exclusive + function(&summary, "main").exclusive);
    assert!(stack(&summary, &["main", "f", "f", "f", "f", "f", "f"]) > 0);
}

#[test]
fn calls_without_end_take_bounded_memory() {
    let (mut machine, mut collector) = ready(&bl(CODE, CODE), CODE, &[(CODE, 4, "f")], None);
    assert_eq!(machine.run_observed(300_000, &mut collector), Stop::Budget);
    assert!(collector.contexts.nodes().len() < 1000);
    let summary = Summary::new(&collector, &mut Symbols::new(&[], false));
    let f = function(&summary, "f");
    assert_eq!((f.exclusive, f.inclusive, f.instructions), (machine.cycles(), machine.cycles(), 300_000));
}

#[test]
fn a_tail_call_takes_the_place_of_its_caller() {
    let (f, g) = (0x50, 0x54);
    let mut code = bl(CODE, f).to_vec();
    code.extend(bl(0x44, g));
    code.push(BKPT);
    code.resize(8, 0);
    code.extend([movs(0, 0), b(None, 0x52, g), movs(0, 1), BX_LR]);
    let summary = profile(&code, &[(CODE, 0x10, "main"), (f, 4, "f"), (g, 4, "g")]);
    let (f, g) = (function(&summary, "f"), function(&summary, "g"));
    assert_eq!((f.calls, g.calls), (Some(1), Some(2)));
    assert_eq!(f.inclusive, f.exclusive);
    assert_eq!(stack(&summary, &["main", "g"]), g.exclusive);
}

#[test]
fn a_long_jump_leaves_the_functions_between() {
    let (f, g) = (0x50, 0x54);
    let mut code = bl(CODE, f).to_vec(); // never returned to
    code.push(movs(0, 0));
    code.extend(bl(0x46, g)); // where g jumps first; then it goes back to 0x4A
    code.push(BKPT); // 0x4A
    code.resize(8, 0);
    code.extend(bl(0x50, g)); // f
    code.extend([0x461A, 0x3304, 0x4710]); // g: mov r2, r3; adds r3, #4; bx r2
    let (mut machine, mut collector) = ready(&code, CODE, &[(CODE, 0x10, "main"), (f, 4, "f"), (g, 6, "g")], None);
    machine.set_register(3, 0x47);
    let summary = finish(&mut machine, &mut collector);
    // The first g was called by f; it went to main, so that the second one was called by main.
    assert_eq!(function(&summary, "g").calls, Some(2));
    assert_eq!(stack(&summary, &["main", "f", "g"]) + stack(&summary, &["main", "g"]), function(&summary, "g").exclusive);
    assert!(stack(&summary, &["main", "g"]) > 0);
    assert_eq!(stack(&summary, &["main", "f", "g", "main"]), 0);
}

#[test]
fn what_an_it_condition_skips_is_counted_as_skipped() {
    // movs r0, #0; cmp r0, #1; ite eq; moveq r1, #1; movne r1, #2
    let code = [movs(0, 0), 0x2801, 0xBF0C, movs(1, 1), movs(1, 2), BKPT];
    let (mut machine, mut collector) = ready(&code, CODE, &[(CODE, 0x10, "main")], None);
    let summary = finish(&mut machine, &mut collector);
    assert_eq!(summary.instructions, 5);
    let (eq, ne) = (collector.addresses.at(0x46), collector.addresses.at(0x48));
    assert_eq!((eq.executions, eq.skipped, ne.executions, ne.skipped), (1, 1, 1, 0));
}

#[test]
fn exceptions_stand_apart_from_what_they_interrupt() {
    let handler = 0x50;
    let mut code = vec![movs(0, 0), 0xDF00, BKPT]; // svc #0
    code.resize(8, 0);
    code.extend([movs(1, 1), BX_LR]);
    let functions = [(CODE, 0x10, "main"), (handler, 4, "SVCall")];
    let (mut machine, mut collector) = ready(&code, handler, &functions, None);
    let summary = finish(&mut machine, &mut collector);
    let (main, handler, entry) = (function(&summary, "main"), function(&summary, "SVCall"), function(&summary, "[SVCall]"));
    assert_eq!(main.inclusive, main.exclusive);
    assert_eq!((handler.calls, handler.instructions, entry.calls), (Some(1), 2, Some(1)));
    // Entry and return, as the Cortex-M4 takes them at zero wait states.
    assert!((20..=32).contains(&entry.exclusive), "{entry:?}");
    assert_eq!(entry.inclusive, entry.exclusive + handler.exclusive);
    assert_eq!(stack(&summary, &["[SVCall]", "SVCall"]), handler.exclusive);
}

#[test]
fn an_exception_that_returns_elsewhere_switches_threads() {
    let (f, handler, b, g) = (0x50, 0x60, 0x70, 0x78);
    let mut code = bl(CODE, f).to_vec();
    code.push(BKPT);
    code.resize(8, 0);
    code.extend([PUSH_LR, 0xDF00, POP_PC]); // f: svc #0 goes to b, and comes back when g does the same
    code.resize(16, 0);
    code.extend([0x9806, 0x9406, 0x4604, BX_LR]); // swaps r4 with the program counter of the frame
    code.resize(24, 0);
    code.extend(bl(b, g));
    code.resize(28, 0);
    code.extend([movs(0, 1), 0xDF00, BX_LR]);
    let functions = [(CODE, 0x10, "main"), (f, 6, "f"), (handler, 8, "SVCall"), (b, 4, "b"), (g, 6, "g")];
    let (mut machine, mut collector) = ready(&code, handler, &functions, None);
    machine.set_register(4, b);
    let summary = finish(&mut machine, &mut collector);
    assert_eq!(function(&summary, "SVCall").calls, Some(2));
    assert_eq!(stack(&summary, &["b", "g"]), function(&summary, "g").exclusive);
    assert_eq!(stack(&summary, &["main", "f"]), function(&summary, "f").exclusive);
    assert_eq!((function(&summary, "f").instructions, function(&summary, "f").calls), (3, Some(1)));
    assert_eq!(function(&summary, "main").inclusive, function(&summary, "main").exclusive + function(&summary, "f").exclusive);
}

#[test]
fn a_fault_is_told_before_its_handler() {
    let handler = 0x50;
    let mut code = vec![movs(0, 0), 0xDE00]; // udf #0
    code.resize(8, 0);
    code.extend([movs(1, 1), BKPT]);
    let functions = [(CODE, 0x10, "main"), (handler, 4, "HardFault")];
    let (mut machine, mut collector) = ready(&code, handler, &functions, None);
    let summary = finish(&mut machine, &mut collector);
    assert_eq!(function(&summary, "main").instructions, 1);
    assert_eq!(function(&summary, "HardFault").instructions, 1);
    assert_eq!(stack(&summary, &["[HardFault]", "HardFault"]), 1);
}

#[test]
fn sleep_is_nobodys_cycles() {
    let handler = 0x50;
    let mut code = vec![0x6041, 0x6002, 0xBF30, BKPT]; // str r1, [r0, #4]; str r2, [r0]; wfi
    code.resize(8, 0);
    code.extend([0x6003, BX_LR]); // str r3, [r0]
    let functions = [(CODE, 0x10, "main"), (handler, 4, "SysTick")];
    let (mut machine, mut collector) = ready(&code, handler, &functions, None);
    for (register, value) in [(0, 0xE000_E010), (1, 5000), (2, 7), (3, 0)] {
        machine.set_register(register, value);
    }
    let summary = finish(&mut machine, &mut collector);
    assert_eq!(function(&summary, "SysTick").calls, Some(1));
    assert!((4900..5000).contains(&function(&summary, "[asleep]").exclusive));
    assert!(function(&summary, "main").exclusive < 20);
}

#[test]
fn what_the_host_answers_is_an_instruction_of_its_caller() {
    let code = [0xBEAB, movs(0, 0), BKPT];
    let (mut machine, mut collector) = ready(&code, CODE, &[(CODE, 6, "main")], None);
    assert_eq!(machine.run_observed(100, &mut collector), Stop::Breakpoint { imm: 0xAB });
    machine.resume_after_breakpoint();
    let summary = finish(&mut machine, &mut collector);
    assert_eq!(summary.instructions, 2);
    assert_eq!(function(&summary, "main").exclusive, machine.cycles());
    assert_eq!(collector.addresses.at(CODE).executions, 1);
}

#[test]
fn every_core_and_memory_adds_up() {
    use crate::machine::memory_profile::MemoryProfile;
    let (code, functions) = two_functions();
    for core in cores::CORES {
        for name in MemoryProfile::names() {
            let region = |base, size, kind| RegionSpec { base, size, kind };
            let regions = [region(0, 0x1_0000, RegionKind::Flash), region(0x2000_0000, 0x1_0000, RegionKind::Ram)];
            let memory = MemoryProfile::built_in(name).unwrap();
            let (source, mut collector) = ready(&code, CODE, &functions, None);
            let mut machine = Machine::with_memory(core, &regions, &memory);
            let mut bytes = vec![0; 0x100];
            source.read_bytes(0, &mut bytes).unwrap();
            machine.load(0, &bytes).unwrap();
            machine.reset();
            let summary = finish(&mut machine, &mut collector);
            let stalls = machine.stalls();
            assert_eq!((summary.fetch, summary.data), (stalls.fetch, stalls.data), "{} {name}", core.name);
            assert_eq!(collector.contexts.node(1).place, Place::Function(0));
        }
    }
}
