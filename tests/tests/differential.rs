//! Our machine against QEMU, instruction by instruction, on random operands: registers, flags, floating-point status and memory; and the
//! faults of instructions that a core lacks, of denied floating point and of misaligned accesses.
//!
//! `FATHOM_DIFFERENTIAL=seed` runs the same tables with other encodings and operands; the default seed is fixed.
//! `FATHOM_DIFFERENTIAL_CASES=n` runs image after image until each core has had at least n cases (200000 make a million in all).

use fathom_host_sim::machine::{Machine, RegionKind, RegionSpec, Stop};
use fathom_tests::differential::board::{self, Board, STATES_BYTES};
use fathom_tests::differential::harness::{CONTEXT_WORDS, FLASH_BYTES};
use fathom_tests::differential::image::{Family, Image};
use fathom_tests::differential::oracle::{self, Outcome};
use fathom_tests::differential::snippet::CONTEXT;
use fathom_tests::differential::{report, state};

/// More than any image executes.
const MAX_INSTRUCTIONS: u64 = 100_000_000;
/// Binary logarithm of the start states of an encoding.
const SHIFT: u32 = 2;

/// Runs `image` on our machine to its exit call.
fn run_machine(image: &Image) -> Outcome {
    let board = image.plan.board;
    let mut machine = Machine::new(
        board.core,
        &[
            RegionSpec { base: 0, size: FLASH_BYTES, kind: RegionKind::Flash },
            RegionSpec { base: 0x2000_0000, size: 0x1_0000, kind: RegionKind::Ram },
            RegionSpec { base: board.states, size: STATES_BYTES, kind: RegionKind::Ram },
        ],
    );
    for (address, bytes) in image.segments() {
        machine.load(address, &bytes).expect("the image fits the board");
    }
    machine.set_debugger_attached(true);
    machine.reset();
    let stop = machine.run(MAX_INSTRUCTIONS);
    // The first semihosting call comes when all cases are done, or after a fault that nobody expects.
    if stop != (Stop::Breakpoint { imm: 0xAB }) {
        eprintln!("our machine stops with {stop:?}, last fault {:?}", machine.last_fault());
    } else if let Some(fault) = machine.last_fault().filter(|_| !image.plan.family.may_fault()) {
        eprintln!("our machine's last fault: {fault:?}");
    }
    let mut context = [0; 4 * CONTEXT_WORDS];
    let mut states = vec![0; image.cases() * 4 * state::WORDS];
    machine.read_bytes(CONTEXT, &mut context).expect("the context lies in memory");
    machine.read_bytes(board.states, &mut states).expect("the states lie in memory");
    Outcome::parse(&context, &states).expect("as many bytes as states")
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value}")))
}

fn seed() -> u64 {
    number("FATHOM_DIFFERENTIAL", 1) as u64
}

/// What does nothing that a state shows.
const IDLE: [&str; 3] = ["NOP and barriers", "PLD", "PLI"];

/// Compares one image, and returns its number of cases.
fn agree(board: &'static Board, family: Family, seed: u64, encodings: usize) -> usize {
    let image = Image::generate(board, family, seed, encodings, SHIFT);
    let what = format!("{}, {family:?}, seed {seed}", board.core.title);
    if image.cases() == 0 {
        return 0;
    }
    let found = run_machine(&image);
    if family == Family::Lenient {
        assert_eq!(
            (found.done, report::without_fault(&image, &found)),
            (image.cases(), vec![]),
            "{what}: these rows do not fault"
        );
        return image.cases();
    }
    let wanted = oracle::run(&image).unwrap_or_else(|error| panic!("{what}: {error}"));
    let differences = report::differences(&image, &wanted, &found);
    assert!(differences.is_empty(), "{what}: {differences}");
    if family.is_fault() {
        assert_eq!(report::without_fault(&image, &wanted), [""; 0], "{what}: these rows do not fault");
    } else {
        let mut idle = report::without_effect(&image, &wanted);
        idle.retain(|name| !IDLE.contains(name));
        assert_eq!(idle, [""; 0], "{what}: these rows test nothing");
    }
    image.cases()
}

/// Compares images of all families until there are enough cases.
fn core_agrees(board: &'static Board) {
    let least = number("FATHOM_DIFFERENTIAL_CASES", 1);
    let mut cases = 0;
    for seed in (0..).map(|round| 1000 * round + seed()) {
        for family in Family::ALL {
            let encodings = match family {
                Family::Integer | Family::Memory | Family::StackLimit => 48,
                Family::Float => 120,
                _ => 12,
            };
            cases += agree(board, family, seed, encodings);
        }
        if cases >= least {
            break;
        }
    }
    println!("{}: {cases} cases agree", board.core.title);
}

#[test]
fn cortex_m0plus_agrees_with_qemu() {
    core_agrees(&board::M0);
}

#[test]
fn cortex_m3_agrees_with_qemu() {
    core_agrees(&board::M3);
}

#[test]
fn cortex_m4_agrees_with_qemu() {
    core_agrees(&board::M4);
}

#[test]
fn cortex_m7_agrees_with_qemu() {
    core_agrees(&board::M7);
}

#[test]
fn cortex_m33_agrees_with_qemu() {
    core_agrees(&board::M33);
}

/// An image and what QEMU would leave if every instruction did nothing.
fn idle() -> (Image, Outcome) {
    let image = Image::generate(&board::M4, Family::Float, seed(), 1, 0);
    let states = (0..image.cases()).map(|index| *image.case(index).1).collect();
    let outcome = Outcome { done: image.cases(), states };
    (image, outcome)
}

#[test]
fn one_wrong_bit_is_reported_with_its_instruction() {
    let (image, wanted) = idle();
    let mut found = wanted.clone();
    found.states[5].0[state::FPSCR] ^= 1;
    let differences = report::differences(&image, &wanted, &found);
    assert!(differences.starts_with("VNMUL: 1 cases differ"), "{differences}");
    assert!(differences.contains("fpscr: QEMU") && !differences.contains("r0: QEMU"), "{differences}");
}

#[test]
fn a_fault_is_reported_with_its_instruction() {
    let (image, wanted) = idle();
    let found = Outcome { done: 8, ..wanted.clone() };
    let differences = report::differences(&image, &wanted, &found);
    assert!(differences.starts_with("our machine faults at case 8: VDIV"), "{differences}");
}
