//! What an instruction finds and what it leaves: the registers, flags and scratch memory of one case.

use super::board::Board;
use super::pattern::Encoding;
use super::random::Random;
use super::row::{Access, Kind, Offset};

/// Words of a [`State`], in the order in which the harness loads and stores them.
pub const WORDS: usize = 64;
/// Index of `r0`; the other twelve follow, then the link register.
pub const CORE: usize = 0;
/// Index of the link register. Where the stack pointer is under test, it goes in and comes out here.
pub const LINK: usize = 13;
/// Index of the flags.
pub const APSR: usize = 14;
/// Index of the floating-point status.
pub const FPSCR: usize = 15;
/// Index of `s0`; the other 31 follow.
pub const FLOAT: usize = 16;
/// Index of the scratch memory.
pub const SCRATCH: usize = 48;
/// Where the scratch memory lies while an instruction runs; no other instruction's data is near.
pub const SCRATCH_ADDRESS: u32 = 0x2000_2000;
/// Bytes of it.
pub const SCRATCH_BYTES: u32 = 4 * (WORDS - SCRATCH) as u32;
/// Flags, AHP, DN, FZ, the rounding mode and the cumulative exceptions.
pub const FPSCR_BITS: u32 = 0xF7C0_009F;

/// Registers, flags and scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(pub [u32; WORDS]);

impl State {
    /// Random operands.
    pub fn random(random: &mut Random, board: &Board, float: bool) -> Self {
        let mut state = Self([0; WORDS]);
        for index in CORE..=LINK {
            let copied = index > 0 && random.one_in(6);
            state.0[index] = if copied { state.0[random.below(index as u32) as usize] } else { random.integer() };
        }
        state.0[APSR] = random.word() & board.apsr_bits();
        for index in FLOAT..SCRATCH {
            state.0[index] = match index > FLOAT && random.one_in(5) {
                _ if !float => 0x0101_0101 * index as u32,
                true => {
                    let other = state.0[FLOAT + random.below((index - FLOAT) as u32) as usize];
                    random.near(other)
                }
                false => random.float(),
            };
        }
        if float {
            state.0[FPSCR] = float_status(random);
        }
        for word in &mut state.0[SCRATCH..] {
            *word = if float { random.float() } else { random.integer() };
        }
        state
    }

    /// Sets the base register so that the access of `encoding` falls into the scratch memory, at a multiple of `alignment`, plus
    /// `off` bytes.
    pub fn place(&mut self, access: &Access, encoding: &Encoding, alignment: u32, off: u32, random: &mut Random) {
        let offset = match access.offset {
            Offset::Immediate(offset) => offset(encoding) as u32,
            Offset::Register => {
                let index = &mut self.0[register(encoding, b'm')];
                if random.one_in(2) {
                    *index = random.below(64);
                }
                *index << encoding.get(b's')
            }
        };
        let (start, length) = (access.span)(encoding);
        let inside = random.below(SCRATCH_BYTES - length + 1) & !(alignment - 1);
        let base = (SCRATCH_ADDRESS + inside + off).wrapping_sub(offset).wrapping_sub(start as u32);
        let stack = !encoding.has(b'n');
        // The stack pointer has no bits below a word: an unaligned access may start up to three bytes before the scratch memory.
        self.0[if stack { LINK } else { register(encoding, b'n') }] = if stack { base & !3 } else { base };
    }
}

/// Index of a register field's word: the link register stands behind `r12`.
pub fn register(encoding: &Encoding, letter: u8) -> usize {
    match encoding.get(letter) as usize {
        14 => LINK,
        number => CORE + number,
    }
}

/// Mostly the modes that compilers leave alone, with any flags; sometimes each mode.
fn float_status(random: &mut Random) -> u32 {
    const FLAGS: u32 = 0xF000_009F;
    let flags = random.word() & FLAGS & if random.one_in(2) { 0xF000_0000 } else { FLAGS };
    if random.one_in(2) { flags } else { flags | random.word() & FPSCR_BITS & !FLAGS }
}

/// Whether a row's operands include floating-point registers.
pub fn is_float(kind: &Kind) -> bool {
    match kind {
        Kind::Float => true,
        Kind::Memory(access) => access.float,
        Kind::Core | Kind::Stack => false,
    }
}
