//! Stalls of the profiles that come with the program, by hand from the rules of [`memory_system`](super::super::memory_system): a miss
//! costs the wait cycles of the first array line of its cache line and the next cycles of each further one, hits cost nothing.

use super::*;
use memory_system::MemorySystem;

/// One access of a sequence, and its stall.
#[derive(Clone, Copy)]
enum Access {
    Fetch(u32, u64),
    Read(u32, u64),
    /// Cycles pass.
    Execute(u64),
}
use Access::{Execute, Fetch, Read};

fn profile(name: &str) -> MemoryProfile {
    MemoryProfile::built_in(name).unwrap()
}

fn stalls(profile: &MemoryProfile, accesses: &[Access]) {
    let mut memory = MemorySystem::new(profile);
    for (index, access) in accesses.iter().enumerate() {
        let before = memory.stalls;
        let (wanted, what) = match *access {
            Fetch(address, stall) => {
                memory.fetch(address);
                (stall, format!("fetch of {address:#x}"))
            }
            Read(address, stall) => {
                memory.read_flash(address);
                (stall, format!("read of {address:#x}"))
            }
            Execute(cycles) => {
                memory.now += cycles;
                continue;
            }
        };
        let found = memory.stalls.fetch - before.fetch + memory.stalls.data - before.data;
        assert_eq!(found, wanted, "{}: access {index}, {what}", profile.name);
    }
}

#[test]
fn stm32f405_has_eight_data_lines_of_sixteen_bytes() {
    let profile = profile("stm32f405");
    stalls(&profile, &[Read(0x100, 5), Read(0x104, 0), Read(0x10C, 0), Read(0x110, 5), Read(0x100, 0)]);
    let nine = (0..9).map(|line| Read(0x1000 + 16 * line, 5));
    stalls(&profile, &nine.chain([Read(0x1000, 5), Read(0x1080, 0), Read(0x1010, 5)]).collect::<Vec<_>>());
}

#[test]
fn stm32f405_prefetches_straight_code() {
    // Eight narrow instructions to a line leave the array six cycles for the next one; four wide ones leave it two too few.
    for (cycles, stall) in [(8, 0), (4, 2)] {
        let first = [Fetch(0, 5), Execute(cycles)];
        let lines = (1..100).flat_map(|line| [Fetch(16 * line, stall), Execute(cycles)]);
        stalls(&profile("stm32f405"), &first.into_iter().chain(lines).collect::<Vec<_>>());
    }
}

#[test]
fn stm32f405_keeps_what_it_prefetched() {
    // Ten lines of four wide instructions, three times: the prefetch is late in the first pass only.
    let first = [Fetch(0, 5), Execute(4)].into_iter().chain((1..10).flat_map(|line| [Fetch(16 * line, 2), Execute(4)]));
    let again = || (0..10).flat_map(|line| [Fetch(16 * line, 0), Execute(4)]);
    stalls(&profile("stm32f405"), &first.chain(again()).chain(again()).collect::<Vec<_>>());
}

#[test]
fn stm32f405_data_waits_for_a_prefetch_under_way() {
    // The first line's cycles are 5 to 11; its successor is read from 5 to 11: data asked for at 7 waits 4, then its own 5.
    stalls(&profile("stm32f405"), &[Fetch(0, 5), Execute(2), Read(0x3000, 9)]);
}

#[test]
fn a_loop_that_fits_the_instruction_cache_stalls_once() {
    let mut profile = profile("stm32f405");
    profile.flash.as_mut().unwrap().prefetch = false;
    let pass = |lines: u32, stall| (0..lines).map(move |line| Fetch(16 * line, stall));
    stalls(&profile, &pass(64, 5).chain(pass(64, 0)).chain(pass(64, 0)).collect::<Vec<_>>());
    stalls(&profile, &pass(65, 5).chain(pass(65, 5)).collect::<Vec<_>>());
}

#[test]
fn stm32l4r5_fills_its_lines_from_four_array_reads() {
    stalls(&profile("stm32l4r5"), &[Read(0x200, 20), Read(0x21C, 0), Read(0x220, 20)]);
    let pass = || (0..9).map(|line| Read(32 * line, 20));
    stalls(&profile("stm32l4r5"), &pass().chain(pass()).collect::<Vec<_>>());
    stalls(&profile("stm32l4r5-24mhz"), &[Read(0x200, 4), Read(0x21C, 0), Read(0x220, 4)]);
    stalls(&profile("stm32l4r5-20mhz"), &[Fetch(0x200, 0), Read(0x300, 0)]);
}

#[test]
fn nrf52840_caches_instructions_in_two_ways_and_data_not_at_all() {
    let code = [Fetch(0, 3), Fetch(0x400, 3), Fetch(0, 0), Fetch(0x800, 3), Fetch(0, 0), Fetch(0x400, 3)];
    stalls(&profile("nrf52840"), &code);
    // The line at hand stays at hand, whatever else was read.
    stalls(&profile("nrf52840"), &[Fetch(0, 3), Read(0x1000, 3), Fetch(8, 0)]);
    stalls(&profile("nrf52840"), &[Read(0x1000, 3), Read(0x1004, 0), Read(0x1010, 3), Read(0x1000, 3)]);
}

#[test]
fn stm32h743_has_two_instruction_and_four_data_ways() {
    stalls(&profile("stm32h743"), &[Read(0, 20), Read(0x1C, 0), Read(0x20, 20)]);
    let five = (0..5).map(|line| Read(0x1000 * line, 20));
    stalls(&profile("stm32h743"), &five.chain([Read(0, 20), Read(0x4000, 0)]).collect::<Vec<_>>());
    let three = [Fetch(0, 20), Fetch(0x2000, 20), Fetch(0x4000, 20), Fetch(0x2000, 0), Fetch(0, 20)];
    stalls(&profile("stm32h743"), &three);
}

#[test]
fn rp2040_shares_one_cache_between_code_and_literals() {
    stalls(&profile("rp2040"), &[Fetch(0, 56), Fetch(8, 56), Read(8, 0), Read(12, 0)]);
    let set = [Read(0, 56), Read(0x2000, 56), Read(0x4000, 56), Read(0x2000, 0), Read(0, 56)];
    stalls(&profile("rp2040"), &set);
}

#[test]
fn rp2350_goes_on_with_a_transfer_that_stands() {
    // The line behind the last one costs 48 within 64 cycles, 84 later or elsewhere.
    let accesses = [Read(0, 84), Read(8, 48), Execute(64), Read(16, 48), Execute(65), Read(24, 84), Read(0x100, 84), Read(24, 0)];
    stalls(&profile("rp2350"), &accesses);
}

#[test]
fn the_clock_of_the_guest_includes_its_stalls() {
    let flash = RegionSpec { base: 0, size: 0x1000, kind: RegionKind::Flash };
    let ram = RegionSpec { base: RAM, size: 0x1000, kind: RegionKind::Ram };
    let start = |profile: &MemoryProfile| {
        let mut machine = Machine::with_memory(&cores::CORTEX_M4, &[flash, ram], profile);
        let vectors: Vec<u8> = [STACK, CODE | 1].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        machine.load(0, &vectors).unwrap();
        // ldr r0, [pc, #60] (a literal at 0x140); nineteen nops
        place(&mut machine, CODE, &[&[0x480F][..], &[0xBF00; 19]].concat());
        machine.reset();
        machine
    };
    let mut plain = start(&MemoryProfile::zero_wait());
    let mut waiting = start(&profile("nrf52840"));
    plain.run(1000);
    waiting.run(1000);
    // Three lines of code, 21 instructions with the breakpoint; one line of data.
    assert_eq!(waiting.stalls(), Stalls { fetch: 9, data: 3 });
    assert_eq!(waiting.cycles(), plain.cycles() + 12);
    assert_eq!(waiting.instructions(), plain.instructions());
    // Without a cache too, pieces of a run read no line twice.
    let mut bare = profile("nrf52840");
    bare.flash.as_mut().unwrap().instruction_cache = None;
    for profile in [profile("nrf52840"), bare] {
        let (mut whole, mut sliced) = (start(&profile), start(&profile));
        whole.run(1000);
        while sliced.run(1) == Stop::Budget {}
        assert_eq!((sliced.cycles(), sliced.stalls()), (whole.cycles(), whole.stalls()));
    }
}
