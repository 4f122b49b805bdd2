//! 32-bit data processing with immediates and shifted registers (A5.3.1, A5.3.3, A5.3.11).

use super::{add_immediate, bit, field, immediate_shift, literal_base, move_register, reg};
use crate::machine::op::{Alu, Op, Reg, Shift};

/// ThumbExpandImm_C: the constant, and the carry that a rotated one sets.
fn expand_immediate(first: u16, second: u16) -> (u32, Option<bool>) {
    let (code, byte) = (field(first, 10, 10) << 4 | field(second, 14, 12) << 1 | field(second, 7, 7), field(second, 7, 0));
    match code >> 1 {
        0 => (byte, None),
        1 => (byte << 16 | byte, None),
        2 => (byte << 24 | byte << 8, None),
        3 => (byte * 0x0101_0101, None),
        _ => {
            let value = (byte | 0x80).rotate_right(code);
            (value, Some(value >> 31 != 0))
        }
    }
}

/// The operation of the `op` field that both operand forms share.
fn operation(op: u32, flags: bool, rn: Reg, rd: Reg) -> Option<Alu> {
    let test = flags && rd == 15;
    Some(match op {
        0 if test => Alu::Tst,
        0 => Alu::And,
        1 => Alu::Bic,
        2 if rn == 15 => Alu::Mov,
        2 => Alu::Orr,
        3 if rn == 15 => Alu::Mvn,
        3 => Alu::Orn,
        4 if test => Alu::Teq,
        4 => Alu::Eor,
        8 if test => Alu::Cmn,
        8 => Alu::Add,
        10 => Alu::Adc,
        11 => Alu::Sbc,
        13 if test => Alu::Cmp,
        13 => Alu::Sub,
        14 => Alu::Rsb,
        _ => return None,
    })
}

/// Operations with a register result cannot write the program counter here.
fn has_result(alu: Alu) -> bool {
    !matches!(alu, Alu::Tst | Alu::Teq | Alu::Cmn | Alu::Cmp)
}

pub(super) fn modified_immediate(first: u16, second: u16) -> Op {
    let (flags, rn, rd) = (bit(first, 4), reg(first, 0), reg(second, 8));
    let (value, carry) = expand_immediate(first, second);
    let Some(alu) = operation(field(first, 8, 5), flags, rn, rd) else { return Op::Undefined };
    if has_result(alu) && rd == 15 {
        return Op::Undefined;
    }
    match (alu, flags, carry) {
        (Alu::Mov, false, _) if rd != 13 => Op::MoveImmediate { rd, value },
        (Alu::Mov, true, None) => Op::MovesImmediate { rd, value },
        (Alu::Mvn, false, _) => Op::MoveImmediate { rd, value: !value },
        (Alu::Add, false, _) => add_immediate(rd, rn, value),
        (Alu::Sub, false, _) => add_immediate(rd, rn, value.wrapping_neg()),
        (Alu::Add, true, _) if rd != 13 => Op::AddsImmediate { rd, rn, value },
        (Alu::Sub, true, _) if rd != 13 => Op::SubsImmediate { rd, rn, value },
        (Alu::Cmp, ..) => Op::CompareImmediate { rn, value },
        _ => Op::AluImmediate { alu, flags, rd, rn: rn & 15, carry, value },
    }
}

pub(super) fn shifted_register(first: u16, second: u16) -> Op {
    let (flags, rn, rd, rm) = (bit(first, 4), reg(first, 0), reg(second, 8), reg(second, 0));
    let amount = field(second, 14, 12) << 2 | field(second, 7, 6);
    let op = field(first, 8, 5);
    if op == 6 {
        if flags || bit(second, 4) {
            return Op::Undefined;
        }
        let amount = if bit(second, 5) && amount == 0 { 32 } else { amount as u8 };
        return Op::PackHalves { top_bottom: bit(second, 5), rd, rn, rm, amount };
    }
    let (shift, amount) = immediate_shift(field(second, 5, 4), amount);
    let Some(alu) = operation(op, flags, rn, rd) else { return Op::Undefined };
    if has_result(alu) && rd == 15 {
        return Op::Undefined;
    }
    let plain = shift == Shift::Lsl && amount == 0;
    match (alu, flags) {
        (Alu::Mov, false) if plain => move_register(rd, rm),
        (Alu::Mov, _) => Op::ShiftImmediate { shift, flags, rd, rm, amount },
        (Alu::Add, false) if shift == Shift::Lsl && rd != 13 => Op::AddRegister { rd, rn, rm, lsl: amount },
        (Alu::Add, true) if plain && rd != 13 => Op::AddsRegister { rd, rn, rm },
        (Alu::Sub, true) if plain && rd != 13 => Op::SubsRegister { rd, rn, rm },
        (Alu::Cmp, _) if plain => Op::CompareRegister { rn, rm },
        _ => Op::AluRegister { alu, flags, rd, rn, rm, shift, amount },
    }
}

pub(super) fn plain_immediate(first: u16, second: u16, pc: u32) -> Op {
    let (rn, rd) = (reg(first, 0), reg(second, 8));
    let imm12 = field(first, 10, 10) << 11 | field(second, 14, 12) << 8 | field(second, 7, 0);
    let imm16 = u32::from(rn) << 12 | imm12;
    let lsb = (field(second, 14, 12) << 2 | field(second, 7, 6)) as u8;
    let low5 = field(second, 4, 0) as u8;
    let (shift, amount) = immediate_shift(field(first, 5, 5) << 1, u32::from(lsb));
    match field(first, 8, 4) {
        _ if rd == 15 => Op::Undefined,
        0 if rn == 15 => Op::MoveImmediate { rd, value: literal_base(pc).wrapping_add(imm12) },
        0 => add_immediate(rd, rn, imm12),
        4 => Op::MoveImmediate { rd, value: imm16 },
        10 if rn == 15 => Op::MoveImmediate { rd, value: literal_base(pc).wrapping_sub(imm12) },
        10 => add_immediate(rd, rn, imm12.wrapping_neg()),
        12 => Op::MoveTop { rd, value: imm16 as u16 },
        18 if lsb == 0 => Op::Saturate16 { signed: true, rd, rn, bits: field(second, 3, 0) as u8 + 1 },
        16 | 18 => Op::Saturate { signed: true, rd, rn, bits: low5 + 1, shift, amount },
        26 if lsb == 0 => Op::Saturate16 { signed: false, rd, rn, bits: field(second, 3, 0) as u8 },
        24 | 26 => Op::Saturate { signed: false, rd, rn, bits: low5, shift, amount },
        20 | 28 if lsb + low5 < 32 => Op::BitFieldExtract { signed: field(first, 8, 4) == 20, rd, rn, lsb, width: low5 + 1 },
        22 if low5 < lsb => Op::Undefined,
        22 if rn == 15 => Op::BitFieldClear { rd, lsb, width: low5 - lsb + 1 },
        22 => Op::BitFieldInsert { rd, rn, lsb, width: low5 - lsb + 1 },
        _ => Op::Undefined,
    }
}
