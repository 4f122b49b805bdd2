//! Floating-point extension encodings (A6).

use super::{bit, field, literal_base, reg};
use crate::machine::op::{FloatOp, FloatRounding, FloatUnary, Op, Reg};

/// What is allocated to no instruction here is still an access to its coprocessor, which may be missing or denied.
pub(super) fn decode(first: u16, second: u16, pc: u32) -> Op {
    let number = field(second, 11, 8) as u8;
    if field(first, 9, 8) == 3 {
        return Op::Undefined; // Advanced SIMD
    }
    match extension(first, second, pc) {
        _ if !matches!(number, 10 | 11) => Op::Coprocessor { number },
        Op::Undefined => Op::Coprocessor { number },
        op => op,
    }
}

fn extension(first: u16, second: u16, pc: u32) -> Op {
    let coprocessor = field(second, 11, 8);
    if bit(first, 12) {
        return if field(first, 9, 8) == 2 && coprocessor == 10 { version_5(first, second) } else { Op::Undefined };
    }
    match (field(first, 9, 8), bit(second, 4)) {
        (0 | 1, _) => load_store(first, second, pc),
        (2, false) if bit(second, 8) => Op::Undefined, // double precision
        (2, false) => data_processing(first, second),
        (2, true) => transfer(first, second),
        _ => Op::Undefined,
    }
}

/// A single-precision register from its four-bit and one-bit parts.
fn single(four: Reg, one: u32) -> Reg {
    four << 1 | one as Reg
}

fn data_processing(first: u16, second: u16) -> Op {
    let sd = single(reg(second, 12), field(first, 6, 6));
    let sn = single(reg(first, 0), field(second, 7, 7));
    let sm = single(reg(second, 0), field(second, 5, 5));
    let operation = match (field(first, 7, 7) << 2 | field(first, 5, 4), bit(second, 6)) {
        (0, false) => FloatOp::MulAdd,
        (0, true) => FloatOp::MulSub,
        (1, false) => FloatOp::NegMulSub,
        (1, true) => FloatOp::NegMulAdd,
        (2, false) => FloatOp::Mul,
        (2, true) => FloatOp::NegMul,
        (3, false) => FloatOp::Add,
        (3, true) => FloatOp::Sub,
        (4, false) => FloatOp::Div,
        (5, false) => FloatOp::FusedNegSub,
        (5, true) => FloatOp::FusedNegAdd,
        (6, false) => FloatOp::FusedAdd,
        (6, true) => FloatOp::FusedSub,
        (7, false) => {
            let bits = expand_immediate(field(first, 3, 0) << 4 | field(second, 3, 0));
            return Op::FloatImmediate { sd, bits };
        }
        (7, true) => return other(first, second, sd, sm),
        _ => return Op::Undefined,
    };
    Op::Float { operation, sd, sn, sm }
}

const DIRECTED: [FloatRounding; 4] = [FloatRounding::Away, FloatRounding::Nearest, FloatRounding::Up, FloatRounding::Down];

/// What FPv5 adds behind the prefix 0xFE.
fn version_5(first: u16, second: u16) -> Op {
    let sd = single(reg(second, 12), field(first, 6, 6));
    let sn = single(reg(first, 0), field(second, 7, 7));
    let sm = single(reg(second, 0), field(second, 5, 5));
    let rounding = DIRECTED[field(first, 1, 0) as usize];
    match (bit(first, 7), field(first, 5, 4), bit(second, 6)) {
        _ if bit(second, 4) => Op::Undefined,
        (false, condition, false) => Op::FloatSelect { condition: condition as u8, sd, sn, sm },
        (true, 0, minimum) => Op::FloatExtreme { minimum, sd, sn, sm },
        (true, 3, true) if field(first, 3, 2) == 2 && !bit(second, 7) => Op::FloatRound { rounding, sd, sm },
        (true, 3, true) if field(first, 3, 2) == 3 => Op::FloatToIntegerRounded { rounding, signed: bit(second, 7), sd, sm },
        _ => Op::Undefined,
    }
}

/// VFPExpandImm.
fn expand_immediate(imm8: u32) -> u32 {
    let exponent = if imm8 & 0x40 != 0 { 0b0111_1100 } else { 0b1000_0000 };
    (imm8 & 0x80) << 24 | (exponent | imm8 >> 4 & 3) << 23 | (imm8 & 0xF) << 19
}

fn other(first: u16, second: u16, sd: Reg, sm: Reg) -> Op {
    let (opc2, high) = (field(first, 3, 0), bit(second, 7));
    match (opc2, high) {
        (0, false) => Op::FloatUnary { unary: FloatUnary::Move, sd, sm },
        (0, true) => Op::FloatUnary { unary: FloatUnary::Abs, sd, sm },
        (1, false) => Op::FloatUnary { unary: FloatUnary::Neg, sd, sm },
        (1, true) => Op::FloatUnary { unary: FloatUnary::Sqrt, sd, sm },
        (2, top) => Op::HalfToFloat { top, sd, sm },
        (3, top) => Op::FloatToHalf { top, sd, sm },
        (4, quiet_signals) => Op::FloatCompare { quiet_signals, sd, sm },
        (5, quiet_signals) => Op::FloatCompare { quiet_signals, sd, sm: 255 },
        (6, zero) => Op::FloatRound { rounding: if zero { FloatRounding::Zero } else { FloatRounding::Mode }, sd, sm },
        (7, false) => Op::FloatRound { rounding: FloatRounding::ModeExact, sd, sm },
        (8, signed) => Op::IntegerToFloat { signed, sd, sm },
        (12 | 13, toward_zero) => Op::FloatToInteger { signed: opc2 & 1 != 0, toward_zero, sd, sm },
        (10 | 11 | 14 | 15, wide) => {
            let size = if wide { 32 } else { 16 };
            let immediate = (field(second, 3, 0) << 1 | field(second, 5, 5)) as u8;
            let (signed, Some(fraction)) = (opc2 & 1 == 0, u8::checked_sub(size, immediate)) else { return Op::Undefined };
            match opc2 & 4 != 0 {
                true => Op::FloatToFixed { signed, wide, sd, fraction },
                false => Op::FixedToFloat { signed, wide, sd, fraction },
            }
        }
        _ => Op::Undefined,
    }
}

fn transfer(first: u16, second: u16) -> Op {
    let (rt, to_core, double) = (reg(second, 12), bit(first, 4), bit(second, 8));
    let sn = match (double, field(first, 7, 5)) {
        (false, 0) => single(reg(first, 0), field(second, 7, 7)),
        (false, 7) if reg(first, 0) == 1 && to_core => return Op::ReadFloatStatus { rt },
        (false, 7) if reg(first, 0) == 1 && rt != 15 => return Op::WriteFloatStatus { rt },
        (true, half @ (0 | 1)) if field(second, 7, 5) == 0 => single(reg(first, 0), half),
        _ => return Op::Undefined,
    };
    match (rt, to_core) {
        (15, _) => Op::Undefined,
        (_, true) => Op::FloatToCore { rt, sn },
        (_, false) => Op::CoreToFloat { rt, sn },
    }
}

fn load_store(first: u16, second: u16, pc: u32) -> Op {
    let (pre, up, high, writeback, load) = (bit(first, 8), bit(first, 7), bit(first, 6), bit(first, 5), bit(first, 4));
    let (rn, double) = (reg(first, 0), bit(second, 8));
    if !pre && !up && !writeback {
        return pair_transfer(first, second);
    }
    if double && high {
        return Op::Undefined; // D16 to D31
    }
    let sd = single(reg(second, 12), if double { 0 } else { field(first, 6, 6) });
    let imm8 = field(second, 7, 0) as u8;
    if pre && !writeback {
        let magnitude = i16::from(imm8) * 4;
        let offset = if up { magnitude } else { -magnitude };
        let address = literal_base(pc).wrapping_add_signed(offset.into());
        return match (load, double, rn) {
            (true, false, 15) => Op::FloatLoadLiteral { sd, address },
            (true, true, 15) => Op::FloatLoadDoubleLiteral { sd, address },
            (false, _, 15) => Op::Undefined,
            (true, false, _) => Op::FloatLoad { sd, rn, offset },
            (true, true, _) => Op::FloatLoadDouble { sd, rn, offset },
            (false, false, _) => Op::FloatStore { sd, rn, offset },
            (false, true, _) => Op::FloatStoreDouble { sd, rn, offset },
        };
    }
    let count = if double { imm8 & !1 } else { imm8 };
    if pre == up || rn == 15 || count == 0 || u32::from(sd) + u32::from(count) > 32 {
        return Op::Undefined;
    }
    match load {
        true => Op::FloatLoadMultiple { sd, count, rn, before: pre, writeback },
        false => Op::FloatStoreMultiple { sd, count, rn, before: pre, writeback },
    }
}

fn pair_transfer(first: u16, second: u16) -> Op {
    let (rt, rt2) = (reg(second, 12), reg(first, 0));
    let sm = single(reg(second, 0), if bit(second, 8) { 0 } else { field(second, 5, 5) });
    if !bit(first, 6) || field(second, 7, 6) != 0 || !bit(second, 4) || sm == 31 || rt == 15 || rt2 == 15 {
        return Op::Undefined;
    }
    match bit(first, 4) {
        true => Op::FloatPairToCore { rt, rt2, sm },
        false => Op::CorePairToFloat { rt, rt2, sm },
    }
}
