//! Multiplication and division (A5.3.16, A5.3.17).

use super::{bit, field, reg};
use crate::machine::op::Op;

pub(super) fn multiply(first: u16, second: u16) -> Op {
    let (rn, ra, rd, rm) = (reg(first, 0), reg(second, 12), reg(second, 8), reg(second, 0));
    let (n_top, m_top) = (bit(second, 5), bit(second, 4));
    match (field(first, 6, 4), field(second, 5, 4)) {
        _ if field(second, 7, 6) != 0 => Op::Undefined,
        (0, 0) if ra == 15 => Op::Multiply { flags: false, rd, rn, rm },
        (0, 0) => Op::MultiplyAdd { rd, rn, rm, ra },
        (0, 1) => Op::MultiplySub { rd, rn, rm, ra },
        (1, _) => Op::MultiplyHalves { n_top, m_top, rd, rn, rm, ra },
        (2, 0 | 1) => Op::DualAdd { exchange: m_top, rd, rn, rm, ra },
        (3, 0 | 1) => Op::MultiplyWordHalf { m_top, rd, rn, rm, ra },
        (4, 0 | 1) => Op::DualSub { exchange: m_top, rd, rn, rm, ra },
        (5, 0 | 1) => Op::MultiplyMostSignificant { subtract: false, round: m_top, rd, rn, rm, ra },
        (6, 0 | 1) => Op::MultiplyMostSignificant { subtract: true, round: m_top, rd, rn, rm, ra },
        (7, 0) => Op::AbsoluteDifferences { rd, rn, rm, ra },
        _ => Op::Undefined,
    }
}

pub(super) fn long_multiply_divide(first: u16, second: u16) -> Op {
    let (rn, lo, hi, rm) = (reg(first, 0), reg(second, 12), reg(second, 8), reg(second, 0));
    let low_bit = bit(second, 4);
    match (field(first, 6, 4), field(second, 7, 4)) {
        (0, 0) => Op::MultiplyLong { signed: true, accumulate: false, lo, hi, rn, rm },
        (1, 15) => Op::Divide { signed: true, rd: hi, rn, rm },
        (2, 0) => Op::MultiplyLong { signed: false, accumulate: false, lo, hi, rn, rm },
        (3, 15) => Op::Divide { signed: false, rd: hi, rn, rm },
        (4, 0) => Op::MultiplyLong { signed: true, accumulate: true, lo, hi, rn, rm },
        (4, 8..=11) => Op::MultiplyHalvesLong { n_top: bit(second, 5), m_top: low_bit, lo, hi, rn, rm },
        (4, 12 | 13) => Op::DualLong { subtract: false, exchange: low_bit, lo, hi, rn, rm },
        (5, 12 | 13) => Op::DualLong { subtract: true, exchange: low_bit, lo, hi, rn, rm },
        (6, 0) => Op::MultiplyLong { signed: false, accumulate: true, lo, hi, rn, rm },
        (6, 6) => Op::MultiplyAccumulateAccumulateLong { lo, hi, rn, rm },
        _ => Op::Undefined,
    }
}
