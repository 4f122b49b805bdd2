//! 32-bit branches and miscellaneous control (A5.3.4).

use super::{bit, field, narrow::hint, reg};
use crate::machine::op::Op;

pub(super) fn decode(first: u16, second: u16, pc: u32) -> Op {
    let here = pc.wrapping_add(4);
    match (bit(second, 14), bit(second, 12)) {
        (false, true) => Op::Branch { target: here.wrapping_add(long_offset(first, second)) },
        (true, true) => Op::BranchLink { target: here.wrapping_add(long_offset(first, second)) },
        (true, false) => Op::Undefined, // BLX to Arm state
        (false, false) if field(first, 9, 7) != 7 => {
            let (sign, j1, j2) = (field(first, 10, 10), field(second, 13, 13), field(second, 11, 11));
            let offset = sign << 20 | j2 << 19 | j1 << 18 | field(first, 5, 0) << 12 | field(second, 10, 0) << 1;
            let offset = ((offset << 11) as i32 >> 11) as u32;
            Op::BranchIf { condition: field(first, 9, 6) as u8, target: here.wrapping_add(offset) }
        }
        (false, false) => control(first, second),
    }
}

fn long_offset(first: u16, second: u16) -> u32 {
    let sign = field(first, 10, 10);
    let (i1, i2) = (field(second, 13, 13) ^ sign ^ 1, field(second, 11, 11) ^ sign ^ 1);
    let offset = sign << 24 | i1 << 23 | i2 << 22 | field(first, 9, 0) << 12 | field(second, 10, 0) << 1;
    ((offset << 7) as i32 >> 7) as u32
}

fn control(first: u16, second: u16) -> Op {
    match field(first, 10, 4) {
        0b0111000 => Op::WriteSpecial { rn: reg(first, 0), number: second as u8, mask: field(second, 11, 10) as u8 },
        0b0111010 => hint(field(second, 7, 0)),
        0b0111011 => match field(second, 7, 4) {
            2 => Op::ClearExclusive,
            4 | 5 => Op::Barrier,
            6 => Op::InstructionBarrier,
            _ => Op::Undefined,
        },
        0b0111110 => Op::ReadSpecial { rd: reg(second, 8), number: second as u8 },
        _ => Op::Undefined,
    }
}
