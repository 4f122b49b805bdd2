//! Cycles of short sequences on every core, against sums made by hand.

mod cortex_m0plus;
mod cortex_m3;
mod cortex_m33;
mod cortex_m4;
mod cortex_m7;

use super::*;
use crate::machine::cores::CoreSpec;
use crate::machine::cycles::{Issue, Row, Status, Table, dual_issue};

/// A sequence, the handler of any exception, and the cycles of all.
struct Case {
    program: Program<'static>,
    handler: Program<'static>,
    cycles: u64,
}

const fn case(program: Program<'static>, cycles: u64) -> Case {
    Case { program, handler: ("bkpt #0xFF", &[0xBEFF]), cycles }
}

const fn handled(program: Program<'static>, handler: Program<'static>, cycles: u64) -> Case {
    Case { program, handler, cycles }
}

/// The sequences of each core. Those of a core without FPU are a part of those with it; one with a slow multiplier shares the rest.
fn sequences() -> [(&'static CoreSpec, &'static [Case]); 6] {
    [
        (&cores::CORTEX_M0PLUS, cortex_m0plus::CASES),
        (&cores::CORTEX_M0PLUS_MUL32, cortex_m0plus::SLOW_MULTIPLIER),
        (&cores::CORTEX_M3, cortex_m3::CASES),
        (&cores::CORTEX_M4, cortex_m4::CASES),
        (&cores::CORTEX_M7, cortex_m7::CASES),
        (&cores::CORTEX_M33, cortex_m33::CASES),
    ]
}

fn start(core: &'static CoreSpec, case: &Case) -> Machine {
    let mut machine = machine_with(core, case.program);
    place(&mut machine, HANDLER, case.handler.1);
    for (number, value) in [0, u32::MAX, 1, 7].into_iter().enumerate() {
        machine.set_register(number, value);
    }
    machine
}

fn cycles(core: &'static CoreSpec, case: &Case) -> u64 {
    let mut machine = start(core, case);
    assert_eq!(machine.run(1000), Stop::Breakpoint { imm: 0 }, "{} on {}: {:?}", case.program.0, core.name, machine.last_fault());
    machine.cycles()
}

#[test]
fn sequences_cost_their_sum() {
    let mut wrong = String::new();
    for (core, cases) in sequences() {
        for case in cases {
            let modelled = cycles(core, case);
            if modelled != case.cycles {
                wrong += &format!("{}: {}: {modelled}, by hand {}\n", core.name, case.program.0, case.cycles);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn slicing_changes_nothing() {
    for (core, cases) in sequences() {
        for case in cases {
            let (mut machine, mut whole) = (start(core, case), start(core, case));
            whole.run(1000);
            let slices = (0..2000).take_while(|_| machine.run(1) == Stop::Budget).count();
            assert!(slices < 2000, "{} on {}", case.program.0, core.name);
            let state =
                |m: &Machine| (m.cycles(), m.instructions(), m.xpsr(), (0..16).map(|n| m.register(n)).collect::<Vec<_>>());
            assert_eq!(state(&machine), state(&whole), "{} on {}", case.program.0, core.name);
        }
    }
}

/// A core with another table, for as long as the tests run.
fn with_table(core: &'static CoreSpec, rows: Vec<Row>, issue: Issue) -> &'static CoreSpec {
    let &Table { prefetch_words, transfer_words, .. } = core.table;
    let table = Table { version: "test", issue, rows: rows.leak(), prefetch_words, transfer_words };
    Box::leak(Box::new(CoreSpec { table: Box::leak(Box::new(table)), ..core.clone() }))
}

#[test]
fn every_row_decides_the_cycles_of_some_sequence() {
    let mut idle = String::new();
    for (core, cases) in sequences().into_iter().filter(|(core, _)| core.name != cores::CORTEX_M0PLUS_MUL32.name) {
        for (index, row) in core.table.rows.iter().enumerate() {
            let decides = |change: &dyn Fn(&mut Row)| {
                let mut rows = core.table.rows.to_vec();
                change(&mut rows[index]);
                let other = with_table(core, rows, core.table.issue);
                cases.iter().any(|case| cycles(other, case) != case.cycles)
            };
            // Savings are subtracted from what a row gives, so that they can only shrink.
            let saves = row.class.name().starts_with("saved");
            let fixed = decides(&|row| if saves { row.cycles -= 1 } else { row.cycles += 1 });
            if !fixed || row.per_word > 0 && !decides(&|row| row.per_word += 1) {
                idle += &format!("{}: {}\n", core.name, row.class.name());
            }
        }
        if let Issue::Dual(forwarding) = core.table.issue {
            let first = usize::from(!forwarding.rules.has_early_adder()); // the early adder's row stands for nothing there
            for index in first..forwarding.rows.len() {
                let mut rows = forwarding.rows;
                rows[index].cycles.iter_mut().for_each(|cycles| *cycles += 1);
                let slower = Box::leak(Box::new(dual_issue::Forwarding { rows, ..*forwarding }));
                let other = with_table(core, core.table.rows.to_vec(), Issue::Dual(slower));
                if !cases.iter().any(|case| cycles(other, case) != case.cycles) {
                    idle += &format!("{}: {:?}\n", core.name, forwarding.rows[index].producer);
                }
            }
        }
    }
    assert!(idle.is_empty(), "{idle}");
}

#[test]
fn every_row_cites_its_source_and_stands_once() {
    for core in cores::CORES {
        for (index, row) in core.table.rows.iter().enumerate() {
            assert!(row.source.len() > 10, "{}: {}", core.name, row.class.name());
            assert!(core.table.rows[..index].iter().all(|other| other.class != row.class), "{}: {}", core.name, row.class.name());
            // What is said to be documented names a document.
            let documented = ["Arm", "TI", "LLVM"].iter().any(|publisher| row.source.contains(publisher));
            assert!(row.status != Status::Documented || documented, "{}: {}", core.name, row.class.name());
        }
        if let Issue::Dual(forwarding) = core.table.issue {
            assert!(forwarding.rows.iter().enumerate().all(|(index, row)| row.producer as usize == index), "{}", core.name);
        }
    }
}

#[test]
fn instructions_are_counted_exactly() {
    let mut machine = machine(("movs r0, #10; subs r0, #1; bne .-2", &[0x200A, 0x3801, 0xD1FD]));
    machine.run(7);
    assert_eq!(machine.instructions(), 7);
    machine.run(1000);
    assert_eq!(machine.instructions(), 21);
    assert_eq!(machine.cycles(), 1 + 10 * 2 + 9);
    machine.resume_after_breakpoint();
    assert_eq!(machine.instructions(), 22);
}

#[test]
fn values_on_their_way_hold_up_the_next_block() {
    // 1 cycle for the pair, 8 for the unknown branch, 1 for the sum; a product comes after 2 cycles, of which 1 is over by then.
    let near: Program = ("mul r0, r1, r2; b .+4; nop; eor r3, r3, r0", &[0xFB01, 0xF002, 0xE000, 0xBF00, 0xEA83, 0x0300]);
    let far: Program = ("mul r0, r1, r2; b .+4; nop; eor r3, r3, r1", &[0xFB01, 0xF002, 0xE000, 0xBF00, 0xEA83, 0x0301]);
    let [near, far] = [near, far].map(|program| cycles(&cores::CORTEX_M7, &case(program, 0)));
    assert_eq!((near, far), (1 + 8 + 1 + 1, 1 + 8 + 1));
}

#[test]
fn the_cycle_counter_reads_the_modelled_count() {
    // r0 -> DWT; reading it twice with two NOPs between: the load, the NOP that goes with it, and the other.
    let mut machine = machine((
        "ldr r1, [r0, #4]; nop; nop; ldr r2, [r0, #4]; mov r3, #0; str r3, [r0, #4]; ldr r5, [r0, #4]",
        &[0x6841, 0xBF00, 0xBF00, 0x6842, 0xF04F, 0x0300, 0x6043, 0x6845],
    ));
    machine.core.write_system_register(0xE000_EDFC, 4, 1 << 24, 0).unwrap();
    machine.core.write_system_register(0xE000_1000, 4, 1, 0).unwrap();
    machine.set_register(0, 0xE000_1000);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
    assert_eq!(machine.register(2) - machine.register(1), 3);
    assert_eq!(machine.register(5), 1);
}
