//! Which instructions issue together, on the cores where some do.

use super::operands::takes_rotated_constant;
use crate::machine::op::{FloatOp, FloatUnary, Op, Shift, Unary};

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Two of most kinds: two adders, two load ports, one each of store port, multiplier, SIMD unit, operand shifter, FPU.
    CortexM7,
    /// A 16-bit instruction with a 16-bit NOP, IT or branch behind it.
    CortexM33,
}

/// A set of units and restrictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit(u16);

impl Unit {
    /// Issues alone.
    pub(super) const ALONE: Self = Self(1);
    /// Issues as the first of two, or alone.
    const FIRST: Self = Self(1 << 1);
    /// The shifter of the second operand.
    const SHIFTER: Self = Self(1 << 2);
    /// A shift instruction: it takes that shifter if it is free.
    const SHIFT: Self = Self(1 << 3);
    const SIMD: Self = Self(1 << 4);
    const MAC: Self = Self(1 << 5);
    const LOAD: Self = Self(1 << 6);
    const STORE: Self = Self(1 << 7);
    const BRANCH: Self = Self(1 << 8);
    const FLOAT: Self = Self(1 << 9);
    /// A floating-point multiply-accumulate.
    pub(super) const FLOAT_MAC: Self = Self(1 << 10);
    /// VLDR, VSTR, VMOV: not together with a multiply-accumulate, nor second while one is under way.
    pub(super) const FLOAT_MOVE: Self = Self(1 << 11);
    /// VADD, VLDM, constants: not while a multiply-accumulate is under way.
    pub(super) const WAITS_FOR_MAC: Self = Self(1 << 12);
    /// VMOV of a constant.
    const FLOAT_CONSTANT: Self = Self(1 << 13);
    /// Of these there is one.
    const SINGLE: u16 =
        Self::SHIFTER.0 | Self::SIMD.0 | Self::MAC.0 | Self::STORE.0 | Self::BRANCH.0 | Self::FLOAT.0 | Self::FLOAT_CONSTANT.0;

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An instruction that is about to issue.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    op: Op,
    narrow: bool,
    units: Unit,
}

impl Candidate {
    pub(super) fn new(rules: &Rules, op: Op, narrow: bool) -> Self {
        let units = match rules {
            Rules::CortexM7 => units(op),
            Rules::CortexM33 if is_float(op) => float_units(op).and(Unit::WAITS_FOR_MAC),
            Rules::CortexM33 => Unit::default(),
        };
        Self { op, narrow, units }
    }

    pub(super) fn is_branch(&self) -> bool {
        self.has(Unit::BRANCH)
    }

    pub(super) fn has(&self, unit: Unit) -> bool {
        self.units.0 & unit.0 != 0
    }

    /// Whether it can run in the early adder or shifter when its operands are there.
    pub(super) fn can_be_early(&self, first: bool) -> bool {
        match self.op {
            _ if takes_rotated_constant(self.op) => false,
            Op::MoveImmediate { .. } | Op::MovesImmediate { .. } | Op::MoveRegister { .. } => first,
            Op::AddImmediate { .. } | Op::AddsImmediate { .. } | Op::SubsImmediate { .. } | Op::StackPointerAdd { .. } => first,
            Op::AddRegister { lsl: 0, .. } | Op::AddsRegister { .. } | Op::SubsRegister { .. } => first,
            Op::ShiftImmediate { shift, .. } | Op::ShiftRegister { shift, .. } => shift != Shift::Rrx,
            _ => false,
        }
    }
}

impl Rules {
    /// Whether `second` can issue in the cycle of `first`, its operands permitting.
    pub(super) fn pair(self, first: &Candidate, second: &Candidate) -> bool {
        match self {
            Self::CortexM7 => {
                let one_of = |a: Unit, b: Unit| first.has(a) && second.has(b) || first.has(b) && second.has(a);
                let conflict = second.has(Unit::ALONE.and(Unit::FIRST))
                    || first.units.0 & second.units.0 & Unit::SINGLE != 0
                    || one_of(Unit::MAC, Unit::STORE)
                    || one_of(Unit::FLOAT_MAC, Unit::FLOAT_MOVE)
                    || first.has(Unit::SHIFT) && second.has(Unit::SHIFTER)
                    || first.has(Unit::LOAD) && second.has(Unit::LOAD) && !in_other_banks(first.op, second.op);
                !conflict
            }
            Self::CortexM33 => {
                let follows = matches!(
                    second.op,
                    Op::Nop
                        | Op::IfThen
                        | Op::Branch { .. }
                        | Op::BranchIf { .. }
                        | Op::CompareBranch { .. }
                        | Op::BranchExchange { .. }
                );
                follows && first.narrow && second.narrow && !first.has(Unit::ALONE) && !is_branch(first.op)
            }
        }
    }

    /// Whether a predicted branch in the first slot goes with the first instruction at its target.
    pub(super) fn pairs_across_branches(self) -> bool {
        self == Self::CortexM7
    }

    /// Whether branches are predicted, so that they never wait for the flags.
    pub(super) fn predicts_branches(self) -> bool {
        self == Self::CortexM7
    }

    /// Whether simple sums and shifts can run a stage ahead.
    pub(in crate::machine) fn has_early_adder(self) -> bool {
        self == Self::CortexM7
    }

    /// Whether the flags of a result that takes two stages cost a cycle more: MULS, and rotated constants.
    pub(super) fn sets_flags_slowly(self, op: Op) -> bool {
        let rotated = takes_rotated_constant(op);
        self == Self::CortexM33
            && match op {
                Op::Multiply { flags, .. } => flags,
                Op::AluImmediate { flags, .. } => flags && rotated,
                Op::AddsImmediate { .. } | Op::SubsImmediate { .. } | Op::CompareImmediate { .. } => rotated,
                _ => false,
            }
    }
}

fn is_float(op: Op) -> bool {
    !op.reads().float_part().is_empty() || !op.writes().float_part().is_empty()
}

fn is_branch(op: Op) -> bool {
    matches!(op, Op::BranchIf { .. } | Op::CompareBranch { .. }) || op.ends_block()
}

/// Loads from the even and the odd words of memory go together. Two places are compared only where decoding knows their distance;
/// others are taken to be in the same bank, as two aligned arrays at the same index are.
fn in_other_banks(first: Op, second: Op) -> bool {
    use Op::*;
    let place = |op| match op {
        LoadWord { rn, offset, .. } => Some((rn, offset)),
        LoadHalf { rn, offset, .. } | LoadSignedHalf { rn, offset, .. } => Some((rn, offset)),
        LoadByte { rn, offset, .. } | LoadSignedByte { rn, offset, .. } => Some((rn, offset)),
        FloatLoad { rn, offset, .. } => Some((rn, i32::from(offset) as u32)),
        LoadLiteral { address, .. } | FloatLoadLiteral { address, .. } => Some((15, address)),
        LoadIndexed { rn, post, offset, .. } => Some((rn, if post { 0 } else { i32::from(offset) as u32 })),
        _ => None,
    };
    match (place(first), place(second)) {
        (Some((one, here)), Some((other, there))) => one == other && (here ^ there) & 4 != 0,
        _ => false,
    }
}

/// The units of the M7.
fn units(op: Op) -> Unit {
    match op {
        Op::AluRegister { shift, amount, .. } if shift != Shift::Lsl || amount != 0 => Unit::SHIFTER,
        Op::AddRegister { lsl: 1.., .. } => Unit::SHIFTER,
        _ if takes_rotated_constant(op) => Unit::SHIFTER,
        Op::ShiftImmediate { .. } | Op::ShiftRegister { .. } => Unit::SHIFT,
        Op::BitFieldInsert { .. } | Op::BitFieldClear { .. } | Op::BitFieldExtract { .. } | Op::PackHalves { .. } => {
            Unit::SIMD.and(Unit::FIRST).and(Unit::SHIFTER)
        }
        Op::Unary { unary, .. } if unary != Unary::Clz => Unit::SIMD.and(Unit::FIRST).and(Unit::SHIFTER),
        Op::Extend { rn, .. } if rn != 15 => Unit::SIMD.and(Unit::FIRST).and(Unit::SHIFTER),
        Op::Saturate { .. } => Unit::SIMD.and(Unit::FIRST).and(Unit::SHIFTER),
        Op::Unary { .. }
        | Op::Extend { .. }
        | Op::Saturate16 { .. }
        | Op::SaturatingAdd { .. }
        | Op::Parallel { .. }
        | Op::Select { .. }
        | Op::AbsoluteDifferences { .. } => Unit::SIMD.and(Unit::FIRST),
        _ if op.is_multiplication() => Unit::MAC,
        Op::FloatLoad { .. } | Op::FloatLoadLiteral { .. } => Unit::LOAD.and(float_units(op)),
        _ if op.is_single_load() => Unit::LOAD,
        Op::LoadExclusive { .. } => Unit::LOAD.and(Unit::FIRST),
        Op::StoreWord { .. }
        | Op::StoreHalf { .. }
        | Op::StoreByte { .. }
        | Op::StoreWordRegister { .. }
        | Op::StoreHalfRegister { .. }
        | Op::StoreByteRegister { .. }
        | Op::StoreIndexed { .. } => Unit::STORE,
        Op::FloatStore { .. } => Unit::STORE.and(float_units(op)),
        Op::Branch { .. }
        | Op::BranchIf { .. }
        | Op::BranchLink { .. }
        | Op::BranchExchange { .. }
        | Op::BranchLinkExchange { .. }
        | Op::CompareBranch { .. } => Unit::BRANCH,
        Op::Divide { .. }
        | Op::LoadDual { .. }
        | Op::LoadDualLiteral { .. }
        | Op::StoreDual { .. }
        | Op::LoadMultiple { .. }
        | Op::StoreMultiple { .. }
        | Op::StoreExclusive { .. }
        | Op::TableBranch { .. }
        | Op::ClearExclusive => Unit::ALONE,
        _ if op.ends_block() => Unit::ALONE,
        Op::Barrier | Op::ReadSpecial { .. } | Op::SendEvent | Op::Yield => Unit::ALONE,
        _ => float_units(op),
    }
}

/// What floating-point instructions occupy, on both cores.
fn float_units(op: Op) -> Unit {
    match op {
        Op::Float { operation, .. } => match operation {
            FloatOp::Add | FloatOp::Sub => Unit::FLOAT.and(Unit::WAITS_FOR_MAC),
            FloatOp::Mul | FloatOp::NegMul | FloatOp::Div => Unit::FLOAT,
            _ => Unit::FLOAT.and(Unit::FLOAT_MAC),
        },
        Op::FloatUnary { unary: FloatUnary::Move, .. } | Op::FloatToCore { .. } | Op::CoreToFloat { .. } => Unit::FLOAT_MOVE,
        Op::FloatLoad { .. } | Op::FloatLoadLiteral { .. } | Op::FloatStore { .. } => Unit::FLOAT_MOVE,
        Op::FloatImmediate { .. } => Unit::FLOAT_CONSTANT.and(Unit::FLOAT_MOVE).and(Unit::WAITS_FOR_MAC),
        Op::FloatLoadDouble { .. }
        | Op::FloatLoadDoubleLiteral { .. }
        | Op::FloatStoreDouble { .. }
        | Op::FloatLoadMultiple { .. }
        | Op::FloatStoreMultiple { .. } => Unit::ALONE.and(Unit::WAITS_FOR_MAC),
        Op::FloatPairToCore { .. } | Op::CorePairToFloat { .. } | Op::ReadFloatStatus { .. } | Op::WriteFloatStatus { .. } => {
            Unit::ALONE
        }
        Op::FloatUnary { .. } | Op::FloatCompare { .. } => Unit::FLOAT,
        Op::FloatToInteger { .. }
        | Op::IntegerToFloat { .. }
        | Op::FloatToFixed { .. }
        | Op::FixedToFloat { .. }
        | Op::HalfToFloat { .. }
        | Op::FloatToHalf { .. } => Unit::FLOAT,
        _ => Unit::default(),
    }
}
