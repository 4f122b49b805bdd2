//! Branches, IT blocks, exclusive accesses and special registers: what needs more than one instruction to show its effect.

use super::board::Board;
use super::data;
use super::pattern::Encoding;
use super::random::Random;
use super::row::Needs;
use super::snippet::{CONTEXT, COUNT, EXIT, KEEPER, Snippet, Writer, branch_bits};
use super::state::{CORE, LINK, SCRATCH, SCRATCH_ADDRESS, State};

/// One kind of snippet.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// What it shows.
    pub name: &'static str,
    /// What it needs; where nothing but Armv6-M, it uses no more on a board that has no more.
    pub needs: Needs,
    /// Writes the code under test.
    pub build: fn(&mut Writer, &mut Random, &Board) -> Operand,
}

/// What a snippet demands of its operands.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// Nothing.
    Any,
    /// Register `.0` is `.1` plus twice a number up to four.
    Jump(usize, u32),
    /// Register `.0` is below `.1`, often zero.
    Small(usize, u32),
    /// Register `.0` is the start of the scratch memory, the others as they are.
    Scratch(usize),
    /// Register `.0` is the start of the scratch memory, whose bytes (or halfwords, if `.2`) are below four; `.1` is an index.
    Table(usize, usize, bool),
    /// Only these bits of register `.0` may be set.
    Masked(usize, u32),
    /// Register 11 is the stack pointer.
    Keeper,
    /// The same, and register `.0` is a word or up to fifty of them below the stack pointer, or that distance if `.1`.
    Below(usize, bool),
}

/// A snippet of kind `flow` with `states` start states, for the address `start`.
pub fn snippet(flow: &Flow, board: &Board, start: u32, states: usize, random: &mut Random) -> Snippet {
    let mut writer = Writer::new(start);
    let operand = (flow.build)(&mut writer, random, board);
    let tested = writer.code.clone();
    let inputs = (0..states).map(|_| input(operand, random, board)).collect();
    Snippet { name: flow.name, code: writer.finish(false), tested, inputs }
}

fn input(operand: Operand, random: &mut Random, board: &Board) -> State {
    let mut state = State::random(random, board, false);
    match operand {
        Operand::Any => {}
        Operand::Jump(register, landing) => state.0[index(register)] = landing.wrapping_add(2 * random.below(5)),
        Operand::Small(register, limit) => {
            state.0[index(register)] = if limit > 4 && random.one_in(2) { random.integer() } else { random.below(limit.min(4)) };
        }
        Operand::Scratch(base) => state.0[index(base)] = SCRATCH_ADDRESS,
        Operand::Table(base, offset, half) => {
            (state.0[index(base)], state.0[index(offset)]) = (SCRATCH_ADDRESS, random.below(32));
            let mask = if half { 0x0003_0003 } else { 0x0303_0303 };
            state.0[SCRATCH..].iter_mut().for_each(|word| *word = random.word() & mask);
        }
        Operand::Keeper => state.0[CORE + KEEPER] = CONTEXT,
        Operand::Below(register, distance) => {
            state.0[CORE + KEEPER] = CONTEXT;
            let below = 4 * (1 + random.below(50));
            state.0[index(register)] = if distance { below } else { CONTEXT - below };
        }
        Operand::Masked(register, mask) => state.0[index(register)] &= mask,
    }
    state
}

fn index(register: usize) -> usize {
    if register == 14 { LINK } else { CORE + register }
}

/// A register of `r0` to `r12` or the link register.
fn register(random: &mut Random) -> u32 {
    random.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14])
}

/// So many different registers of `r0` to `r12`.
fn registers<const N: usize>(random: &mut Random) -> [u32; N] {
    let first = random.below(13);
    let step = random.below(3) + 1;
    std::array::from_fn(|i| (first + step * i as u32) % 13)
}

/// A branch of `wide` or narrow code, made by `encode(from, to)`, forwards over some counts or back over the exit.
fn branch(w: &mut Writer, random: &mut Random, wide: bool, encode: impl Fn(u32, u32) -> Vec<u16>) {
    let size = if wide { 4 } else { 2 };
    if random.one_in(3) {
        w.push(&[0xE001, COUNT]); // over the count and the exit
        let target = w.here() - 2;
        w.push(&[EXIT]);
        w.push(&encode(w.here(), target));
        w.push(&[COUNT]);
    } else {
        let target = w.here() + size + 2 * random.below(5);
        w.push(&encode(w.here(), target));
        w.push(&[COUNT; 4]);
    }
}

fn halves(bits: u32) -> Vec<u16> {
    vec![(bits >> 16) as u16, bits as u16]
}

fn b_t1(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let condition = random.below(14);
    branch(w, random, false, |from, to| vec![(0xD000 | condition << 8 | to.wrapping_sub(from + 4) >> 1 & 0xFF) as u16]);
    Operand::Any
}

fn b_t2(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    branch(w, random, false, |from, to| vec![(0xE000 | to.wrapping_sub(from + 4) >> 1 & 0x7FF) as u16]);
    Operand::Any
}

fn b_t3(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let condition = random.below(14);
    branch(w, random, true, |from, to| {
        let offset = to.wrapping_sub(from + 4);
        let (sign, j2, j1) = (offset >> 20 & 1, offset >> 19 & 1, offset >> 18 & 1);
        let first = 0xF000 | sign << 10 | condition << 6 | offset >> 12 & 0x3F;
        halves(first << 16 | 0x8000 | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF)
    });
    Operand::Any
}

fn b_t4(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    branch(w, random, true, |from, to| halves(branch_bits(from, to) | 0x9000));
    Operand::Any
}

fn bl(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    branch(w, random, true, |from, to| halves(branch_bits(from, to) | 0xD000));
    Operand::Any
}

/// `BX`, `BLX`, `MOV PC` and `ADD PC` by a register.
fn by_register(w: &mut Writer, random: &mut Random, board: &Board, bits: u32) -> u32 {
    let register = register(random);
    if board.is_mainline() && random.one_in(3) {
        w.push(&[0xBF08 | (random.below(14) << 4) as u16]);
    }
    w.push(&[(bits | register << 3) as u16]);
    register
}

fn to_register(w: &mut Writer, random: &mut Random, board: &Board, bits: u32) -> Operand {
    let register = by_register(w, random, board, bits);
    let landing = w.here();
    w.push(&[COUNT; 4]);
    Operand::Jump(register as usize, landing | 1)
}

fn add_pc(w: &mut Writer, random: &mut Random, board: &Board) -> Operand {
    let register = by_register(w, random, board, 0x4487);
    w.push(&[COUNT; 4]);
    Operand::Jump(register as usize, 0u32.wrapping_sub(2))
}

fn cbz(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let (nonzero, register, skipped) = (random.below(2), random.below(8), random.below(4));
    w.push(&[(0xB100 | nonzero << 11 | skipped << 3 | register) as u16]);
    w.push(&[COUNT; 5]);
    Operand::Small(register as usize, 5)
}

fn tbb_pc(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let register = register(random);
    w.wide(0xE8DF_F000 | register);
    let mut entry = || (2 + random.below(4)) as u16;
    w.push(&[entry() | entry() << 8, entry() | entry() << 8]);
    w.push(&[COUNT; 3]);
    Operand::Small(register as usize, 4)
}

fn tbh_pc(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let register = register(random);
    w.wide(0xE8DF_F010 | register);
    w.push(&[0; 4].map(|_: u16| (4 + random.below(4)) as u16));
    w.push(&[COUNT; 3]);
    Operand::Small(register as usize, 4)
}

fn table(w: &mut Writer, random: &mut Random, half: bool) -> Operand {
    let [base, offset] = registers(random);
    w.wide(0xE8D0_F000 | base << 16 | u32::from(half) << 4 | offset);
    w.push(&[COUNT; 3]);
    Operand::Table(base as usize, offset as usize, half)
}

/// An IT block of one to four instructions, some of which change the flags that the later ones look at.
fn it(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let (condition, mask) = match random.below(15) {
        14 => (14, random.pick(&[1, 2, 4, 8])),
        condition => (condition, random.below(15) + 1),
    };
    w.push(&[(0xBF00 | condition << 4 | mask) as u16]);
    for _ in mask.trailing_zeros()..4 {
        let row = loop {
            let row = random.pick(data::ROWS);
            if matches!(row.kind, super::row::Kind::Core) {
                break row;
            }
        };
        w.push(&Encoding::choose(row.pattern, random, row.allowed).halfwords());
    }
    Operand::Any
}

/// A load and a store with exclusive access, sometimes with the claim dropped between.
fn exclusive(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let [base, loaded, stored, failed] = registers(random);
    let offset = random.below(16);
    let (load, store) = match random.below(3) {
        0 => (0xE850_0F00 | offset, 0xE840_0000 | failed << 8 | offset),
        1 => (0xE8D0_0F4F, 0xE8C0_0F40 | failed),
        _ => (0xE8D0_0F5F, 0xE8C0_0F50 | failed),
    };
    claim_and_store(w, random, load | base << 16 | loaded << 12, store | base << 16, [loaded, stored]);
    Operand::Scratch(base as usize)
}

/// A load with exclusive access and the store of the second of `values`, sometimes after the claim was dropped or used up.
fn claim_and_store(w: &mut Writer, random: &mut Random, load: u32, store: u32, values: [u32; 2]) {
    w.wide(load);
    match random.below(3) {
        0 => w.wide(0xF3BF_8F2F),             // CLREX
        1 => w.wide(store | values[0] << 12), // the second store then fails
        _ => {}
    }
    w.wide(store | values[1] << 12);
}

/// The same with the ordered accesses of Armv8-M.
fn ordered_exclusive(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let [base, loaded, stored, failed] = registers(random);
    let size = random.pick(&[0xC0, 0xD0, 0xE0]);
    let store = 0xE8C0_0F00 | size | failed;
    let load = 0xE8D0_0F0F | size | base << 16 | loaded << 12;
    claim_and_store(w, random, load, store | base << 16, [loaded, stored]);
    Operand::Scratch(base as usize)
}

fn mrs(w: &mut Writer, random: &mut Random, board: &Board) -> Operand {
    // Armv6-M has no BASEPRI and FAULTMASK, and CONTROL has one more bit in the Secure state of Armv8-M.
    let number = match (board.is_mainline(), board.has(Needs::V8)) {
        (false, _) => random.pick(&[0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 20]),
        (true, false) => random.pick(&[0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20]),
        (true, true) => random.pick(&[0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19]),
    };
    w.wide(0xF3EF_8000 | register(random) << 8 | number);
    Operand::Any
}

fn msr_apsr(w: &mut Writer, random: &mut Random, board: &Board) -> Operand {
    let register = register(random);
    let mask = if board.has(Needs::Dsp) { random.pick(&[1, 2, 3]) } else { 2 };
    w.wide(0xF380_8000 | register << 16 | mask << 10);
    // Q does not exist in Armv6-M.
    Operand::Masked(register as usize, if board.is_mainline() { !0 } else { !(1 << 27) })
}

/// Writes a mask or stack register, reads it back, and for the masks and limits writes zero.
fn special(w: &mut Writer, random: &mut Random, number: u32, mask: u32) -> Operand {
    let [written, read] = registers(random);
    w.wide(0xF380_8800 | written << 16 | number);
    w.wide(0xF3EF_8000 | read << 8 | number);
    if number >= 10 {
        let zero = random.below(8);
        w.push(&[(0x2000 | zero << 8) as u16]);
        w.wide(0xF380_8800 | zero << 16 | number);
    }
    Operand::Masked(written as usize, mask)
}

fn cps(w: &mut Writer, random: &mut Random, board: &Board) -> Operand {
    let (bits, number) = if board.is_mainline() { random.pick(&[(2, 16), (1, 19)]) } else { (2, 16) };
    w.push(&[0xB670 | bits]);
    w.wide(0xF3EF_8000 | register(random) << 8 | number);
    w.push(&[0xB660 | bits]);
    w.wide(0xF3EF_8000 | register(random) << 8 | number);
    Operand::Any
}

/// TT and TTT; QEMU's core is in Secure state, whose part of the answer is cut off.
fn test_target(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let [result, address] = registers(random);
    w.wide(0xE840_F000 | address << 16 | result << 8 | random.pick(&[0, 0x40]));
    w.wide(0xF400_2040 | result << 16 | result << 8); // AND result, result, #0xC0000
    Operand::Any
}

fn hints(w: &mut Writer, random: &mut Random, board: &Board) -> Operand {
    match random.below(if board.is_mainline() { 8 } else { 6 }) {
        0 => w.push(&[0xBF00]),                      // NOP
        1 => w.push(&[0xBF10]),                      // YIELD
        2 => w.push(&[0xBF40]),                      // SEV
        3 => w.wide(0xF3BF_8F5F),                    // DMB
        4 => w.wide(0xF3BF_8F4F),                    // DSB
        5 => w.wide(0xF3BF_8F6F),                    // ISB
        6 => w.wide(0xF3AF_80F0 | random.below(16)), // DBG
        _ => w.wide(0xF3AF_8000),                    // NOP.W
    }
    Operand::Any
}

/// One kind.
pub const fn flow(name: &'static str, needs: Needs, build: fn(&mut Writer, &mut Random, &Board) -> Operand) -> Flow {
    Flow { name, needs, build }
}

use Needs::{Baseline, Mainline, V8};

/// The kinds.
pub const FLOWS: &[Flow] = &[
    flow("B T1", Baseline, b_t1),
    flow("B T2", Baseline, b_t2),
    flow("B T3", Mainline, b_t3),
    flow("B T4", Mainline, b_t4),
    flow("BL", Baseline, bl),
    flow("BX", Baseline, |w, random, board| to_register(w, random, board, 0x4700)),
    flow("BLX", Baseline, |w, random, board| to_register(w, random, board, 0x4780)),
    flow("MOV PC, Rm", Baseline, |w, random, board| to_register(w, random, board, 0x4687)),
    flow("ADD PC, Rm", Baseline, add_pc),
    flow("CBZ/CBNZ", Mainline, cbz),
    flow("TBB [PC, Rm]", Mainline, tbb_pc),
    flow("TBH [PC, Rm]", Mainline, tbh_pc),
    flow("TBB [Rn, Rm]", Mainline, |w, random, _| table(w, random, false)),
    flow("TBH [Rn, Rm]", Mainline, |w, random, _| table(w, random, true)),
    flow("IT block", Mainline, it),
    flow("IT block, again", Mainline, it),
    flow("LDREX/STREX, B, H", Mainline, exclusive),
    flow("LDAEX/STLEX, B, H", V8, ordered_exclusive),
    flow("TT, TTT", V8, test_target),
    flow("MRS", Baseline, mrs),
    flow("MSR APSR", Baseline, msr_apsr),
    flow("MSR/MRS PSP", Baseline, |w, random, _| special(w, random, 9, !3)),
    flow("MSR/MRS PRIMASK", Baseline, |w, random, _| special(w, random, 16, !0)),
    flow("MSR/MRS BASEPRI", Mainline, |w, random, _| special(w, random, 17, 0xE0)),
    flow("MSR/MRS FAULTMASK", Mainline, |w, random, _| special(w, random, 19, !0)),
    flow("MSR/MRS PSPLIM", V8, |w, random, _| special(w, random, 11, !0)),
    flow("CPSID/CPSIE", Baseline, cps),
    flow("NOP and barriers", Baseline, hints),
];
