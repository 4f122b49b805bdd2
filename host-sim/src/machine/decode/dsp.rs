//! 32-bit data processing on registers: shifts, extensions, SIMD, saturation (A5.3.12 to A5.3.15).

use super::{bit, field, reg};
use crate::machine::op::{Extend, Lanes, Op, Parallel, Shift, Unary};

pub(super) fn data_register(first: u16, second: u16) -> Op {
    let (rn, rd, rm) = (reg(first, 0), reg(second, 8), reg(second, 0));
    let (op1, op2) = (field(first, 7, 4), field(second, 7, 4));
    if field(second, 15, 12) != 15 {
        return Op::Undefined;
    }
    match (op1, op2) {
        (0..=7, 0) => {
            let shift = [Shift::Lsl, Shift::Lsr, Shift::Asr, Shift::Ror][(op1 >> 1) as usize];
            Op::ShiftRegister { shift, flags: bit(first, 4), rd, rn, rm }
        }
        (0..=5, 8..) => {
            let extend = [
                Extend::SignedHalf,
                Extend::UnsignedHalf,
                Extend::SignedBytes16,
                Extend::UnsignedBytes16,
                Extend::SignedByte,
                Extend::UnsignedByte,
            ][op1 as usize];
            Op::Extend { extend, rd, rn, rm, rotate: field(second, 5, 4) as u8 * 8 }
        }
        (8.., 0..=7) => {
            parallel(op1 & 7, op2).map_or(Op::Undefined, |(operation, lanes)| Op::Parallel { operation, lanes, rd, rn, rm })
        }
        (8, 8..=11) => Op::SaturatingAdd { subtract: bit(second, 5), double: bit(second, 4), rd, rn: rm, rm: rn },
        (9, 8..=11) => {
            let unary = [Unary::Rev, Unary::Rev16, Unary::Rbit, Unary::Revsh][(op2 & 3) as usize];
            Op::Unary { unary, rd, rm }
        }
        (10, 8) => Op::Select { rd, rn, rm },
        (11, 8) => Op::Unary { unary: Unary::Clz, rd, rm },
        _ => Op::Undefined,
    }
}

fn parallel(operation: u32, lanes: u32) -> Option<(Parallel, Lanes)> {
    let operation = match operation {
        0 => Parallel::Add8,
        1 => Parallel::Add16,
        2 => Parallel::AddSubExchange,
        4 => Parallel::Sub8,
        5 => Parallel::Sub16,
        6 => Parallel::SubAddExchange,
        _ => return None,
    };
    let lanes = match lanes {
        0 => Lanes::Signed,
        1 => Lanes::SaturateSigned,
        2 => Lanes::HalveSigned,
        4 => Lanes::Unsigned,
        5 => Lanes::SaturateUnsigned,
        6 => Lanes::HalveUnsigned,
        _ => return None,
    };
    Some((operation, lanes))
}
