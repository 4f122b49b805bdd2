//! Our machine against QEMU, instruction by instruction, on random operands: registers, flags, floating-point status and memory.
//!
//! `FATHOM_DIFFERENTIAL=seed` runs the same tables with other encodings and operands; the default seed is fixed.

use fathom_host_sim::machine::cores::CORTEX_M4;
use fathom_host_sim::machine::{Machine, RegionKind, RegionSpec, Stop};
use fathom_tests::differential::harness::{FLASH_BYTES, STATES, STATES_BYTES};
use fathom_tests::differential::image::{Family, Image};
use fathom_tests::differential::oracle::{self, Outcome};
use fathom_tests::differential::snippet::CONTEXT;
use fathom_tests::differential::{report, state};

/// More than any image executes.
const MAX_INSTRUCTIONS: u64 = 100_000_000;

/// Runs `image` on our machine to its exit call.
fn run_machine(image: &Image) -> Outcome {
    let mut machine = Machine::new(
        &CORTEX_M4,
        &[
            RegionSpec { base: 0, size: FLASH_BYTES, kind: RegionKind::Flash },
            RegionSpec { base: 0x2000_0000, size: 0x1_0000, kind: RegionKind::Ram },
            RegionSpec { base: STATES, size: STATES_BYTES, kind: RegionKind::Ram },
        ],
    );
    for (address, bytes) in image.segments() {
        machine.load(address, &bytes).expect("the image fits the board");
    }
    machine.set_debugger_attached(true);
    machine.reset();
    let stop = machine.run(MAX_INSTRUCTIONS);
    // The first semihosting call comes when all cases are done, or after a fault.
    if stop != (Stop::Breakpoint { imm: 0xAB }) {
        eprintln!("our machine stops with {stop:?}, last fault {:?}", machine.last_fault());
    } else if let Some(fault) = machine.last_fault() {
        eprintln!("our machine's last fault: {fault:?}");
    }
    let mut context = [0; 16];
    let mut states = vec![0; image.cases() * 4 * state::WORDS];
    machine.read_bytes(CONTEXT, &mut context).expect("the context lies in memory");
    machine.read_bytes(STATES, &mut states).expect("the states lie in memory");
    Outcome::parse(&context, &states).expect("as many bytes as states")
}

fn seed() -> u64 {
    std::env::var("FATHOM_DIFFERENTIAL").map_or(1, |seed| seed.parse().expect("FATHOM_DIFFERENTIAL is a number"))
}

/// Compares two images of `encodings` encodings of every instruction, with four start states each; `idle` instructions do nothing.
fn agree(family: Family, encodings: usize, idle: &[&str]) {
    for seed in [2 * seed(), 2 * seed() + 1] {
        let image = Image::generate(family, seed, encodings, 2);
        let wanted = oracle::run(&image).unwrap_or_else(|error| panic!("{error}"));
        let found = run_machine(&image);
        let differences = report::differences(&image, &wanted, &found);
        assert!(differences.is_empty(), "{family:?}, seed {seed}: {differences}");
        assert_eq!(report::without_effect(&image, &wanted), idle, "{family:?}, seed {seed}: these rows test nothing");
        println!("{family:?}, seed {seed}: {} cases agree", image.cases());
    }
}

#[test]
fn integer_instructions_agree_with_qemu() {
    agree(Family::Integer, 64, &[]);
}

#[test]
fn loads_stores_and_branches_agree_with_qemu() {
    agree(Family::Memory, 64, &["NOP and barriers", "PLD"]);
}

#[test]
fn floating_point_instructions_agree_with_qemu() {
    agree(Family::Float, 240, &[]);
}

#[test]
fn one_wrong_bit_is_reported_with_its_instruction() {
    let image = Image::generate(Family::Float, seed(), 1, 0);
    let states = (0..image.cases()).map(|index| *image.case(index).1).collect();
    let wanted = Outcome { done: image.cases(), states };
    let mut found = wanted.clone();
    found.states[5].0[state::FPSCR] ^= 1;
    let differences = report::differences(&image, &wanted, &found);
    assert!(differences.starts_with("VNMUL: 1 cases differ"), "{differences}");
    assert!(differences.contains("fpscr: QEMU") && !differences.contains("r0: QEMU"), "{differences}");
}

#[test]
fn a_fault_is_reported_with_its_instruction() {
    let image = Image::generate(Family::Float, seed(), 1, 0);
    let states: Vec<_> = (0..image.cases()).map(|index| *image.case(index).1).collect();
    let wanted = Outcome { done: image.cases(), states };
    let found = Outcome { done: 8, ..wanted.clone() };
    let differences = report::differences(&image, &wanted, &found);
    assert!(differences.starts_with("our machine faults at case 8: VDIV"), "{differences}");
}
