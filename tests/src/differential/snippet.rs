//! A few halfwords of code around one instruction under test, and the states to start it from.

use super::pattern::Encoding;
use super::random::Random;
use super::row::{Kind, Row};
use super::state::{self, LINK, SCRATCH, State};

/// Bytes from one snippet to the next.
pub const STRIDE: u32 = 32;
/// Where the harness continues behind a snippet.
pub const SAVE: u32 = 0x1000;
/// What the stack pointer is while no instruction is under test.
pub const CONTEXT: u32 = 0x2000_1000;
/// `ADDS r7, #1`: shows whether a jump skipped it.
pub const COUNT: u16 = 0x3701;
const STACK_FROM_LINK: u16 = 0x46F5;
const LINK_FROM_STACK: u16 = 0x46EE;

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

    /// Appends `B.W target`.
    pub fn branch(&mut self, target: u32) {
        self.wide(branch_bits(self.here(), target) | 0x9000);
    }

    /// Appends the way back to the harness and fills up.
    ///
    /// # Panics
    /// There is no room for it.
    pub fn finish(mut self, stack: bool) -> Vec<u16> {
        let end = self.start + STRIDE;
        if stack {
            self.push(&[LINK_FROM_STACK]);
            let base = (self.here() + 4) & !3;
            self.wide(0xF8DF_D000 | (end - 4 - base)); // LDR SP, the literal at the end
        }
        self.branch(SAVE);
        let room = if stack { end - 4 } else { end };
        assert!(self.here() <= room, "a snippet of {} halfwords is too long", self.code.len());
        while self.here() < room {
            self.push(&[0xBF00]);
        }
        if stack {
            self.push(&[CONTEXT as u16, (CONTEXT >> 16) as u16]);
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

/// One encoding of `row` with `states` random states, for the address `start`.
pub fn from_row(row: &Row, start: u32, states: usize, random: &mut Random) -> Snippet {
    let encoding = Encoding::choose(row.pattern, random, row.allowed);
    let (stack, jump) = match row.kind {
        Kind::Core | Kind::Float => (false, false),
        Kind::Stack => (true, false),
        Kind::Memory(access) => (!encoding.has(b'n'), access.jump),
    };
    let mut writer = Writer::new(start);
    if stack {
        writer.push(&[STACK_FROM_LINK]);
    }
    let tested_from = writer.code.len();
    if random.one_in(8) {
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
        let mut input = State::random(random, state::is_float(&row.kind));
        if let Kind::Memory(access) = &row.kind {
            input.place(access, &encoding, random);
        }
        if jump {
            input.0[SCRATCH..].iter_mut().for_each(|word| *word = (landing + 2 * random.below(4)) | 1);
        }
        if stack {
            input.0[LINK] &= !3;
        }
        inputs.push(input);
    }
    Snippet { name: row.name, code: writer.finish(stack), tested, inputs }
}
