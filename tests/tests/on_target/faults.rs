//! A fault of the guest's own code ends in one line and exit code 101 on every core, whose fault registers and instructions differ.

use super::request;
use fathom::format::record::Request;
use fathom_host_sim::answer::Collector;
use fathom_host_sim::board::{Board, End, Event};
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::cores::Architecture;
use fathom_tests::models::{header, random_blob};
use fathom_tests::qemu;
use fathom_tests::targets::{TARGETS, Target};

const LIMIT: u64 = 1_000_000_000;
const PC: usize = 15;
const SP: usize = 13;

/// Runs a board until the limit, taking what it records.
fn run(board: &mut Board, image: &Image, input: &[u8], limit: u64) -> (End, Collector) {
    let mut collector = Collector::default();
    let end = board.run(image, input, limit, &mut |event| {
        if let Event::Channel(1, bytes) = event {
            collector.receive(bytes, |_, _| ()).expect("valid records");
        }
    });
    (end.expect("a log that can be decoded"), collector)
}

/// Whether the instruction at an address is PUSH, narrow or wide.
fn is_push(image: &Image, address: u32) -> bool {
    let halfword = image.word(address & !3).map_or(0, |word| word >> (8 * (address & 2)) & 0xffff);
    halfword & 0xfe00 == 0xb400 || halfword == 0xe92d
}

/// What the guest says when, in the middle of its work, a register suddenly has a value that it cannot go on with.
fn last_words(target: Target, register: usize, value: impl Fn(&Image) -> u32) -> String {
    let image = Image::read(&target.image()).unwrap();
    let model = random_blob(&header(), 23);
    let input = qemu::frame(&Request { tokens: 9, ..request(b"abcabk") });
    let board = || Board::with_core(target.core, &image, model.bytes()).unwrap();
    let mut whole = board();
    assert!(matches!(run(&mut whole, &image, &input, LIMIT), (End::Exit(0), _)), "{target:?}");

    let mut board = board();
    let (end, _) = run(&mut board, &image, &input, whole.machine.instructions() / 8 * 7);
    assert_eq!(end, End::MaxInstructions, "{target:?}");
    // Where a function begins: what it pushes is the first to meet an overflow.
    for _ in 0..1_000_000 {
        if is_push(&image, board.machine.register(PC)) {
            break;
        }
        board.machine.run(1);
    }
    board.machine.set_register(register, value(&image));
    let (end, collector) = run(&mut board, &image, &[], LIMIT);
    assert_eq!(end, End::Exit(101), "{target:?}");
    collector.answer.failed.unwrap_or_else(|| panic!("{target:?} says nothing"))
}

#[test]
fn a_jump_to_nowhere_is_reported_with_its_address_on_every_core() {
    for target in TARGETS {
        let said = last_words(target, PC, |_| 0x3000_0000);
        assert!(said.starts_with("HardFault at pc 0x30000000, lr 0x"), "{target:?}: {said}");
        let has_status = target.core.architecture != Architecture::V6M;
        assert_eq!(said.contains(", cfsr 0x00000100"), has_status, "{target:?}: {said}");
    }
}

#[test]
fn an_overflow_of_the_stack_is_told_from_other_faults_on_every_core() {
    for target in TARGETS {
        let said = last_words(target, SP, |image| image.symbol("_stack_end").unwrap());
        assert!(said.starts_with("the stack overflowed (HardFault"), "{target:?}: {said}");
        assert!(said.ends_with("): enlarge STACK in memory.x"), "{target:?}: {said}");
    }
}
