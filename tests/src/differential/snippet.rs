//! A few halfwords of code around one instruction under test, and the states to start it from.

use super::board::Board;
use super::image::Family;
use super::pattern::Encoding;
use super::random::Random;
use super::row::{Kind, Row};
use super::state::{self, CORE, LINK, SCRATCH, State};

/// Bytes from one snippet to the next.
pub const STRIDE: u32 = 32;
/// What the stack pointer is while no instruction is under test; the word there is where the harness continues behind a snippet.
pub const CONTEXT: u32 = 0x2000_1000;
/// `ADDS r7, #1`: shows whether a jump skipped it.
pub const COUNT: u16 = 0x3701;
/// `POP {PC}`: the way back to the harness, from every core and without a register.
pub const EXIT: u16 = 0xBD00;
/// Holds [`CONTEXT`] where the stack pointer is under test.
pub const KEEPER: usize = 11;
const STACK_FROM_LINK: u16 = 0x46F5;
const LINK_FROM_STACK: u16 = 0x46EE;
const STACK_FROM_KEEPER: u16 = 0x46DD;

/// Code and start states.
#[derive(Clone, Debug)]
pub struct Snippet {
    /// What is under test.
    pub name: &'static str,
    /// All of its code, [`STRIDE`] bytes.
    pub code: Vec<u16>,
    /// The part under test.
    pub tested: Vec<u16>,
    /// Start states.
    pub inputs: Vec<State>,
}

/// Code that is being written for an address.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Address of the first halfword.
    pub start: u32,
    /// The halfwords so far.
    pub code: Vec<u16>,
}

impl Writer {
    /// Empty code at `start`.
    pub fn new(start: u32) -> Self {
        Self { start, code: Vec::new() }
    }

    /// Address of the next halfword.
    pub fn here(&self) -> u32 {
        self.start + 2 * self.code.len() as u32
    }

    /// Appends code.
    pub fn push(&mut self, halfwords: &[u16]) {
        self.code.extend_from_slice(halfwords);
    }

    /// Appends a 32-bit instruction.
    pub fn wide(&mut self, bits: u32) {
        self.push(&[(bits >> 16) as u16, bits as u16]);
    }

    /// Appends the way back to the harness and fills up.
    ///
    /// # Panics
    /// There is no room for it.
    pub fn finish(mut self, stack: bool) -> Vec<u16> {
        if stack {
            self.push(&[LINK_FROM_STACK, STACK_FROM_KEEPER]);
        }
        self.push(&[EXIT]);
        let end = self.start + STRIDE;
        assert!(self.here() <= end, "a snippet of {} halfwords is too long", self.code.len());
        while self.here() < end {
            self.push(&[0xBF00]);
        }
        self.code
    }
}

/// `B.W` or `BL` without the bits that tell them apart.
pub fn branch_bits(from: u32, target: u32) -> u32 {
    let offset = target.wrapping_sub(from + 4);
    let sign = offset >> 24 & 1;
    let (j1, j2) = ((offset >> 23 & 1) ^ sign ^ 1, (offset >> 22 & 1) ^ sign ^ 1);
    let first = 0xF000 | sign << 10 | offset >> 12 & 0x3FF;
    first << 16 | 0x8000 | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF
}

/// Whether an encoding leaves [`KEEPER`] alone.
fn keeps(encoding: &Encoding) -> bool {
    b"dnmtu".iter().all(|letter| !encoding.has(*letter) || encoding.get(*letter) != KEEPER as u32)
        && encoding.get(b'L') >> KEEPER & 1 == 0
}

/// One encoding of `row` with `states` random states, for the address `start`.
pub fn from_row(row: &Row, board: &Board, start: u32, states: usize, random: &mut Random) -> Snippet {
    let stack_kind = |encoding: &Encoding| match row.kind {
        Kind::Core | Kind::Float => false,
        Kind::Stack => true,
        Kind::Memory(_) => !encoding.has(b'n'),
    };
    let encoding = loop {
        let encoding = Encoding::choose(row.pattern, random, row.allowed);
        if !stack_kind(&encoding) || keeps(&encoding) {
            break encoding;
        }
    };
    let (stack, jump) = (stack_kind(&encoding), matches!(row.kind, Kind::Memory(access) if access.jump));
    let mut writer = Writer::new(start);
    if stack {
        writer.push(&[STACK_FROM_LINK]);
    }
    let tested_from = writer.code.len();
    if board.is_mainline() && random.one_in(8) {
        writer.push(&[0xBF08 | (random.below(14) << 4) as u16]); // IT with one of the fourteen conditions
    }
    writer.push(&encoding.halfwords());
    let tested = writer.code[tested_from..].to_vec();
    let landing = writer.here();
    if jump {
        writer.push(&[COUNT; 3]);
    }
    let mut inputs = Vec::with_capacity(states);
    for _ in 0..states {
        let mut input = State::random(random, board, state::is_float(&row.kind));
        if let Kind::Memory(access) = &row.kind {
            // Armv6-M has no unaligned accesses at all.
            let alignment = if board.is_mainline() { access.alignment } else { (access.span)(&encoding).1.min(4) };
            input.place(access, &encoding, alignment, 0, random);
        }
        if jump {
            input.0[SCRATCH..].iter_mut().for_each(|word| *word = (landing + 2 * random.below(4)) | 1);
        }
        if stack {
            input.0[LINK] &= !3;
            input.0[CORE + KEEPER] = CONTEXT;
        }
        inputs.push(input);
    }
    Snippet { name: row.name, code: writer.finish(stack), tested, inputs }
}

/// The same for a row whose instruction faults, for the reason that `family` gives.
pub fn faulting(row: &Row, board: &Board, family: Family, start: u32, states: usize, random: &mut Random) -> Snippet {
    let encoding = Encoding::choose(row.pattern, random, row.allowed);
    let mut writer = Writer::new(start);
    if board.is_mainline() && random.one_in(4) {
        writer.push(&[0xBFE8]); // IT AL: the stacked state has it
    }
    writer.push(&encoding.halfwords());
    let tested = writer.code.clone();
    let mut inputs = Vec::with_capacity(states);
    for _ in 0..states {
        let mut input = State::random(random, board, false);
        let even = start + 4 * random.below(8); // at other even addresses QEMU reports misaligned Arm code
        match (family, &row.kind) {
            (Family::Misaligned | Family::Trapped, Kind::Memory(access)) => {
                let all = family == Family::Trapped || !board.is_mainline();
                let alignment = if all { (access.span)(&encoding).1.min(4) } else { access.alignment };
                let off = 1 + random.below(alignment - 1);
                input.place(access, &encoding, alignment, off, random);
            }
            (Family::Trapped, _) => input.0[state::register(&encoding, b'm')] = 0,
            (Family::Even, Kind::Memory(access)) => {
                input.place(access, &encoding, 4, 0, random);
                input.0[SCRATCH..].fill(even);
            }
            (Family::Even, _) => input.0[state::register(&encoding, b'm')] = even,
            _ => {}
        }
        inputs.push(input);
    }
    Snippet { name: row.name, code: writer.finish(false), tested, inputs }
}
