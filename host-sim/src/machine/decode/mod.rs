//! Thumb and Thumb-2 decoding, one file per encoding group of the Armv7-M manual (chapter A5).

mod branch;
mod dsp;
mod fpu;
mod multiply;
mod narrow;
mod wide_data;
mod wide_memory;

use super::op::{Op, Reg, Shift};

/// Bits `high..=low` of an encoding.
fn field(word: u16, high: u32, low: u32) -> u32 {
    (u32::from(word) >> low) & ((1 << (high - low + 1)) - 1)
}

/// Four bits from `low` up: a register number.
fn reg(word: u16, low: u32) -> Reg {
    field(word, low + 3, low) as Reg
}

fn bit(word: u16, index: u32) -> bool {
    word >> index & 1 != 0
}

/// Whether `first` starts a 32-bit instruction.
pub(super) fn is_wide(first: u16) -> bool {
    first >= 0xE800
}

/// Decodes the instruction at `pc`; `second` matters only to wide ones. Anything not in the architecture is [`Op::Undefined`].
pub(super) fn decode(first: u16, second: u16, pc: u32, in_it: bool) -> Op {
    if is_wide(first) { wide(first, second, pc) } else { narrow::decode(first, pc, in_it) }
}

fn wide(first: u16, second: u16, pc: u32) -> Op {
    match (field(first, 12, 11), field(first, 10, 4)) {
        (1 | 3, op) if op & 0x40 != 0 => fpu::decode(first, second, pc),
        (1, op) if op & 0x64 == 0x00 => wide_memory::multiple(first, second),
        (1, op) if op & 0x64 == 0x04 => wide_memory::dual_exclusive_table(first, second, pc),
        (1, _) => wide_data::shifted_register(first, second),
        (2, _) if bit(second, 15) => branch::decode(first, second, pc),
        (2, op) if op & 0x20 == 0 => wide_data::modified_immediate(first, second),
        (2, _) => wide_data::plain_immediate(first, second, pc),
        (3, op) if op & 0x60 == 0 => wide_memory::single(first, second, pc),
        (3, op) if op & 0x70 == 0x20 => dsp::data_register(first, second),
        (3, op) if op & 0x78 == 0x30 => multiply::multiply(first, second),
        (3, _) => multiply::long_multiply_divide(first, second),
        _ => Op::Undefined,
    }
}

/// Value of the program counter as an operand of literal loads and ADR.
pub(super) fn literal_base(pc: u32) -> u32 {
    pc.wrapping_add(4) & !3
}

/// The shift that an immediate encodes; LSL by 0 is a plain register.
fn immediate_shift(kind: u32, amount: u32) -> (Shift, u8) {
    match (kind, amount) {
        (0, n) => (Shift::Lsl, n as u8),
        (1, 0) => (Shift::Lsr, 32),
        (1, n) => (Shift::Lsr, n as u8),
        (2, 0) => (Shift::Asr, 32),
        (2, n) => (Shift::Asr, n as u8),
        (_, 0) => (Shift::Rrx, 1),
        (_, n) => (Shift::Ror, n as u8),
    }
}

/// Addition without flags; writes of SP have their own operation.
fn add_immediate(rd: Reg, rn: Reg, value: u32) -> Op {
    if rd == 13 { Op::StackPointerAdd { rn, value } } else { Op::AddImmediate { rd, rn, value } }
}

fn move_register(rd: Reg, rm: Reg) -> Op {
    if rd == 13 { Op::StackPointerMove { rm } } else { Op::MoveRegister { rd, rm } }
}
