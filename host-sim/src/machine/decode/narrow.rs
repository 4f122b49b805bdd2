//! 16-bit encodings (A5.2).

use super::{add_immediate, bit, field, immediate_shift, literal_base, move_register};
use crate::machine::op::{Alu, Extend, Op, Reg, Shift, Unary, Width};

fn low(h: u16, at: u32) -> Reg {
    field(h, at + 2, at) as Reg
}

pub(super) fn decode(h: u16, pc: u32, in_it: bool) -> Op {
    let flags = !in_it;
    match h >> 11 {
        0b00000..=0b00010 => {
            let (shift, amount) = immediate_shift(field(h, 12, 11), field(h, 10, 6));
            Op::ShiftImmediate { shift, flags, rd: low(h, 0), rm: low(h, 3), amount }
        }
        0b00011 => add_subtract(h, flags),
        0b00100..=0b00111 => immediate8(h, flags),
        0b01000 if !bit(h, 10) => data_processing(h, flags),
        0b01000 => high_registers(h, pc),
        0b01001 => {
            let address = literal_base(pc).wrapping_add(field(h, 7, 0) * 4);
            Op::LoadLiteral { width: Width::Word, rt: low(h, 8), address }
        }
        0b01010 | 0b01011 => load_store_register(h),
        0b01100 => Op::StoreWord { rt: low(h, 0), rn: low(h, 3), offset: field(h, 10, 6) * 4 },
        0b01101 => Op::LoadWord { rt: low(h, 0), rn: low(h, 3), offset: field(h, 10, 6) * 4 },
        0b01110 => Op::StoreByte { rt: low(h, 0), rn: low(h, 3), offset: field(h, 10, 6) },
        0b01111 => Op::LoadByte { rt: low(h, 0), rn: low(h, 3), offset: field(h, 10, 6) },
        0b10000 => Op::StoreHalf { rt: low(h, 0), rn: low(h, 3), offset: field(h, 10, 6) * 2 },
        0b10001 => Op::LoadHalf { rt: low(h, 0), rn: low(h, 3), offset: field(h, 10, 6) * 2 },
        0b10010 => Op::StoreWord { rt: low(h, 8), rn: 13, offset: field(h, 7, 0) * 4 },
        0b10011 => Op::LoadWord { rt: low(h, 8), rn: 13, offset: field(h, 7, 0) * 4 },
        0b10100 => Op::MoveImmediate { rd: low(h, 8), value: literal_base(pc).wrapping_add(field(h, 7, 0) * 4) },
        0b10101 => add_immediate(low(h, 8), 13, field(h, 7, 0) * 4),
        0b10110 | 0b10111 => miscellaneous(h, pc),
        0b11000 => Op::StoreMultiple { rn: low(h, 8), before: false, writeback: true, list: h & 0xFF },
        0b11001 => {
            let (rn, list) = (low(h, 8), h & 0xFF);
            Op::LoadMultiple { rn, before: false, writeback: list >> rn & 1 == 0, list }
        }
        0b11010 | 0b11011 => conditional_branch(h, pc),
        0b11100 => {
            let offset = ((field(h, 10, 0) << 21) as i32 >> 20) as u32;
            Op::Branch { target: pc.wrapping_add(4).wrapping_add(offset) }
        }
        _ => Op::Undefined,
    }
}

fn add_subtract(h: u16, flags: bool) -> Op {
    let (rd, rn, rm, value) = (low(h, 0), low(h, 3), low(h, 6), field(h, 8, 6));
    match (field(h, 10, 9), flags) {
        (0, true) => Op::AddsRegister { rd, rn, rm },
        (0, false) => Op::AddRegister { rd, rn, rm, lsl: 0 },
        (1, true) => Op::SubsRegister { rd, rn, rm },
        (1, false) => Op::AluRegister { alu: Alu::Sub, flags, rd, rn, rm, shift: Shift::Lsl, amount: 0 },
        (2, true) => Op::AddsImmediate { rd, rn, value },
        (2, false) => Op::AddImmediate { rd, rn, value },
        (_, true) => Op::SubsImmediate { rd, rn, value },
        (_, false) => Op::AddImmediate { rd, rn, value: value.wrapping_neg() },
    }
}

fn immediate8(h: u16, flags: bool) -> Op {
    let (rd, value) = (low(h, 8), field(h, 7, 0));
    match (field(h, 12, 11), flags) {
        (0, true) => Op::MovesImmediate { rd, value },
        (0, false) => Op::MoveImmediate { rd, value },
        (1, _) => Op::CompareImmediate { rn: rd, value },
        (2, true) => Op::AddsImmediate { rd, rn: rd, value },
        (2, false) => Op::AddImmediate { rd, rn: rd, value },
        (_, true) => Op::SubsImmediate { rd, rn: rd, value },
        (_, false) => Op::AddImmediate { rd, rn: rd, value: value.wrapping_neg() },
    }
}

fn data_processing(h: u16, flags: bool) -> Op {
    let (rd, rm) = (low(h, 0), low(h, 3));
    let alu = |alu| Op::AluRegister { alu, flags, rd, rn: rd, rm, shift: Shift::Lsl, amount: 0 };
    let shift = |shift| Op::ShiftRegister { shift, flags, rd, rn: rd, rm };
    match field(h, 9, 6) {
        0 => alu(Alu::And),
        1 => alu(Alu::Eor),
        2 => shift(Shift::Lsl),
        3 => shift(Shift::Lsr),
        4 => shift(Shift::Asr),
        5 => alu(Alu::Adc),
        6 => alu(Alu::Sbc),
        7 => shift(Shift::Ror),
        8 => Op::AluRegister { alu: Alu::Tst, flags: true, rd, rn: rd, rm, shift: Shift::Lsl, amount: 0 },
        9 => Op::AluImmediate { alu: Alu::Rsb, flags, rd, rn: rm, carry: None, value: 0 },
        10 => Op::CompareRegister { rn: rd, rm },
        11 => Op::AluRegister { alu: Alu::Cmn, flags: true, rd, rn: rd, rm, shift: Shift::Lsl, amount: 0 },
        12 => alu(Alu::Orr),
        13 => Op::Multiply { flags, rd, rn: rd, rm },
        14 => alu(Alu::Bic),
        _ => alu(Alu::Mvn),
    }
}

fn high_registers(h: u16, pc: u32) -> Op {
    let (rd, rm) = (low(h, 0) | (h >> 4 & 8) as Reg, field(h, 6, 3) as Reg);
    let here = pc.wrapping_add(4);
    match (field(h, 9, 8), rd, rm) {
        (0, 15, 15) | (3, _, 15) => Op::Undefined, // unpredictable
        (3, ..) if h & 7 != 0 => Op::Undefined,    // BXNS and BLXNS need the security extension
        (0, 15, _) => Op::AddToPc { rm, base: here },
        (0, _, 15) => add_immediate(rd, rd, here),
        (0, 13, _) => Op::AluRegister { alu: Alu::Add, flags: false, rd, rn: rd, rm, shift: Shift::Lsl, amount: 0 },
        (0, ..) => Op::AddRegister { rd, rn: rd, rm, lsl: 0 },
        (1, 15, _) => Op::Undefined, // unpredictable
        (1, _, 15) => Op::CompareImmediate { rn: rd, value: here },
        (1, ..) => Op::CompareRegister { rn: rd, rm },
        (2, 15, 15) => Op::Branch { target: here },
        (2, 15, _) => Op::MoveToPc { rm },
        (2, _, 15) => Op::MoveImmediate { rd, value: here },
        (2, ..) => move_register(rd, rm),
        _ if bit(h, 7) => Op::BranchLinkExchange { rm },
        _ => Op::BranchExchange { rm },
    }
}

fn load_store_register(h: u16) -> Op {
    let (rt, rn, rm, lsl) = (low(h, 0), low(h, 3), low(h, 6), 0);
    match field(h, 11, 9) {
        0 => Op::StoreWordRegister { rt, rn, rm, lsl },
        1 => Op::StoreHalfRegister { rt, rn, rm, lsl },
        2 => Op::StoreByteRegister { rt, rn, rm, lsl },
        3 => Op::LoadSignedByteRegister { rt, rn, rm, lsl },
        4 => Op::LoadWordRegister { rt, rn, rm, lsl },
        5 => Op::LoadHalfRegister { rt, rn, rm, lsl },
        6 => Op::LoadByteRegister { rt, rn, rm, lsl },
        _ => Op::LoadSignedHalfRegister { rt, rn, rm, lsl },
    }
}

fn miscellaneous(h: u16, pc: u32) -> Op {
    let (rd, rm) = (low(h, 0), low(h, 3));
    match field(h, 11, 8) {
        0 if bit(h, 7) => add_immediate(13, 13, (field(h, 6, 0) * 4).wrapping_neg()),
        0 => add_immediate(13, 13, field(h, 6, 0) * 4),
        1 | 3 | 9 | 11 => {
            let offset = field(h, 9, 9) << 6 | field(h, 7, 3) << 1;
            Op::CompareBranch { nonzero: bit(h, 11), rn: rd, target: pc.wrapping_add(4).wrapping_add(offset) }
        }
        2 => {
            let extend =
                [Extend::SignedHalf, Extend::SignedByte, Extend::UnsignedHalf, Extend::UnsignedByte][field(h, 7, 6) as usize];
            Op::Extend { extend, rd, rn: 15, rm, rotate: 0 }
        }
        4 | 5 => Op::StoreMultiple { rn: 13, before: true, writeback: true, list: h & 0xFF | (h & 0x100) << 6 },
        6 if h & 0xE8 == 0x60 => Op::ChangeState { disable: bit(h, 4), primask: bit(h, 1), faultmask: bit(h, 0) },
        10 => match field(h, 7, 6) {
            0 => Op::Unary { unary: Unary::Rev, rd, rm },
            1 => Op::Unary { unary: Unary::Rev16, rd, rm },
            3 => Op::Unary { unary: Unary::Revsh, rd, rm },
            _ => Op::Undefined,
        },
        12 | 13 => Op::LoadMultiple { rn: 13, before: false, writeback: true, list: h & 0xFF | (h & 0x100) << 7 },
        14 => Op::Breakpoint { imm: h as u8 },
        15 if h & 0xF != 0 => Op::IfThen,
        15 => hint(field(h, 7, 4)),
        _ => Op::Undefined,
    }
}

/// The hint with this number; unallocated ones do nothing.
pub(super) fn hint(number: u32) -> Op {
    match number {
        1 => Op::Yield,
        2 => Op::WaitForEvent,
        3 => Op::WaitForInterrupt,
        4 => Op::SendEvent,
        _ => Op::Nop,
    }
}

fn conditional_branch(h: u16, pc: u32) -> Op {
    match field(h, 11, 8) as u8 {
        14 => Op::Undefined,
        15 => Op::SupervisorCall,
        condition => {
            let offset = (i32::from(h as u8 as i8) * 2) as u32;
            Op::BranchIf { condition, target: pc.wrapping_add(4).wrapping_add(offset) }
        }
    }
}
