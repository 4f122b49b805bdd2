//! Branches, IT blocks, exclusive accesses and special registers: what needs more than one instruction to show its effect.

use super::data;
use super::pattern::Encoding;
use super::random::Random;
use super::snippet::{COUNT, SAVE, Snippet, Writer, branch_bits};
use super::state::{CORE, LINK, SCRATCH, SCRATCH_ADDRESS, State};

/// One kind of snippet.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// What it shows.
    pub name: &'static str,
    /// Writes the code under test.
    pub build: fn(&mut Writer, &mut Random) -> Operand,
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
}

/// A snippet of kind `flow` with `states` start states, for the address `start`.
pub fn snippet(flow: &Flow, start: u32, states: usize, random: &mut Random) -> Snippet {
    let mut writer = Writer::new(start);
    let operand = (flow.build)(&mut writer, random);
    let tested = writer.code.clone();
    let inputs = (0..states).map(|_| input(operand, random)).collect();
    Snippet { name: flow.name, code: writer.finish(false), tested, inputs }
}

fn input(operand: Operand, random: &mut Random) -> State {
    let mut state = State::random(random, false);
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
        w.push(&[0xE002, COUNT]); // over the count and the exit
        let target = w.here() - 2;
        w.branch(SAVE);
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

fn b_t1(w: &mut Writer, random: &mut Random) -> Operand {
    let condition = random.below(14);
    branch(w, random, false, |from, to| vec![(0xD000 | condition << 8 | to.wrapping_sub(from + 4) >> 1 & 0xFF) as u16]);
    Operand::Any
}

fn b_t2(w: &mut Writer, random: &mut Random) -> Operand {
    branch(w, random, false, |from, to| vec![(0xE000 | to.wrapping_sub(from + 4) >> 1 & 0x7FF) as u16]);
    Operand::Any
}

fn b_t3(w: &mut Writer, random: &mut Random) -> Operand {
    let condition = random.below(14);
    branch(w, random, true, |from, to| {
        let offset = to.wrapping_sub(from + 4);
        let (sign, j2, j1) = (offset >> 20 & 1, offset >> 19 & 1, offset >> 18 & 1);
        let first = 0xF000 | sign << 10 | condition << 6 | offset >> 12 & 0x3F;
        halves(first << 16 | 0x8000 | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF)
    });
    Operand::Any
}

fn b_t4(w: &mut Writer, random: &mut Random) -> Operand {
    branch(w, random, true, |from, to| halves(branch_bits(from, to) | 0x9000));
    Operand::Any
}

fn bl(w: &mut Writer, random: &mut Random) -> Operand {
    branch(w, random, true, |from, to| halves(branch_bits(from, to) | 0xD000));
    Operand::Any
}

/// `BX`, `BLX`, `MOV PC` and `ADD PC` by a register.
fn by_register(w: &mut Writer, random: &mut Random, bits: u32) -> u32 {
    let register = register(random);
    if random.one_in(3) {
        w.push(&[0xBF08 | (random.below(14) << 4) as u16]);
    }
    w.push(&[(bits | register << 3) as u16]);
    register
}

fn to_register(w: &mut Writer, random: &mut Random, bits: u32) -> Operand {
    let register = by_register(w, random, bits);
    let landing = w.here();
    w.push(&[COUNT; 4]);
    Operand::Jump(register as usize, landing | 1)
}

fn add_pc(w: &mut Writer, random: &mut Random) -> Operand {
    let register = by_register(w, random, 0x4487);
    w.push(&[COUNT; 4]);
    Operand::Jump(register as usize, 0u32.wrapping_sub(2))
}

fn cbz(w: &mut Writer, random: &mut Random) -> Operand {
    let (nonzero, register, skipped) = (random.below(2), random.below(8), random.below(4));
    w.push(&[(0xB100 | nonzero << 11 | skipped << 3 | register) as u16]);
    w.push(&[COUNT; 5]);
    Operand::Small(register as usize, 5)
}

fn tbb_pc(w: &mut Writer, random: &mut Random) -> Operand {
    let register = register(random);
    w.wide(0xE8DF_F000 | register);
    let mut entry = || (2 + random.below(4)) as u16;
    w.push(&[entry() | entry() << 8, entry() | entry() << 8]);
    w.push(&[COUNT; 3]);
    Operand::Small(register as usize, 4)
}

fn tbh_pc(w: &mut Writer, random: &mut Random) -> Operand {
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
fn it(w: &mut Writer, random: &mut Random) -> Operand {
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
fn exclusive(w: &mut Writer, random: &mut Random) -> Operand {
    let [base, loaded, stored, failed] = registers(random);
    let offset = random.below(16);
    let (load, store) = match random.below(3) {
        0 => (0xE850_0F00 | offset, 0xE840_0000 | failed << 8 | offset),
        1 => (0xE8D0_0F4F, 0xE8C0_0F40 | failed),
        _ => (0xE8D0_0F5F, 0xE8C0_0F50 | failed),
    };
    w.wide(load | base << 16 | loaded << 12);
    match random.below(3) {
        0 => w.wide(0xF3BF_8F2F),                       // CLREX
        1 => w.wide(store | base << 16 | loaded << 12), // the second store then fails
        _ => {}
    }
    w.wide(store | base << 16 | stored << 12);
    Operand::Scratch(base as usize)
}

fn mrs(w: &mut Writer, random: &mut Random) -> Operand {
    let number = random.pick(&[0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20]);
    w.wide(0xF3EF_8000 | register(random) << 8 | number);
    Operand::Any
}

fn msr_apsr(w: &mut Writer, random: &mut Random) -> Operand {
    w.wide(0xF380_8000 | register(random) << 16 | random.pick(&[1, 2, 3]) << 10);
    Operand::Any
}

/// Writes a mask or stack register, reads it back, and for the masks writes zero.
fn special(w: &mut Writer, random: &mut Random, number: u32, mask: u32) -> Operand {
    let [written, read, zero] = registers(random);
    w.wide(0xF380_8800 | written << 16 | number);
    w.wide(0xF3EF_8000 | read << 8 | number);
    if number >= 16 {
        w.wide(0xF04F_0000 | zero << 8);
        w.wide(0xF380_8800 | zero << 16 | number);
    }
    Operand::Masked(written as usize, mask)
}

fn cps(w: &mut Writer, random: &mut Random) -> Operand {
    let (bits, number) = random.pick(&[(2, 16), (1, 19)]);
    w.push(&[0xB670 | bits]);
    w.wide(0xF3EF_8000 | register(random) << 8 | number);
    w.push(&[0xB660 | bits]);
    w.wide(0xF3EF_8000 | register(random) << 8 | number);
    Operand::Any
}

fn hints(w: &mut Writer, random: &mut Random) -> Operand {
    match random.below(7) {
        0 => w.push(&[0xBF00]),   // NOP
        1 => w.push(&[0xBF10]),   // YIELD
        2 => w.push(&[0xBF40]),   // SEV
        3 => w.wide(0xF3AF_8000), // NOP.W
        4 => w.wide(0xF3BF_8F5F), // DMB
        5 => w.wide(0xF3BF_8F4F), // DSB
        _ => w.wide(0xF3BF_8F6F), // ISB
    }
    Operand::Any
}

/// The kinds.
pub const FLOWS: &[Flow] = &[
    Flow { name: "B T1", build: b_t1 },
    Flow { name: "B T2", build: b_t2 },
    Flow { name: "B T3", build: b_t3 },
    Flow { name: "B T4", build: b_t4 },
    Flow { name: "BL", build: bl },
    Flow { name: "BX", build: |w, random| to_register(w, random, 0x4700) },
    Flow { name: "BLX", build: |w, random| to_register(w, random, 0x4780) },
    Flow { name: "MOV PC, Rm", build: |w, random| to_register(w, random, 0x4687) },
    Flow { name: "ADD PC, Rm", build: add_pc },
    Flow { name: "CBZ/CBNZ", build: cbz },
    Flow { name: "TBB [PC, Rm]", build: tbb_pc },
    Flow { name: "TBH [PC, Rm]", build: tbh_pc },
    Flow { name: "TBB [Rn, Rm]", build: |w, random| table(w, random, false) },
    Flow { name: "TBH [Rn, Rm]", build: |w, random| table(w, random, true) },
    Flow { name: "IT block", build: it },
    Flow { name: "IT block, again", build: it },
    Flow { name: "LDREX/STREX, B, H", build: exclusive },
    Flow { name: "MRS", build: mrs },
    Flow { name: "MSR APSR", build: msr_apsr },
    Flow { name: "MSR/MRS PSP", build: |w, random| special(w, random, 9, !3) },
    Flow { name: "MSR/MRS PRIMASK", build: |w, random| special(w, random, 16, !0) },
    Flow { name: "MSR/MRS BASEPRI", build: |w, random| special(w, random, 17, 0xE0) },
    Flow { name: "MSR/MRS FAULTMASK", build: |w, random| special(w, random, 19, !0) },
    Flow { name: "CPSID/CPSIE", build: cps },
    Flow { name: "NOP and barriers", build: hints },
];
