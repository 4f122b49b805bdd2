//! Which registers an operation reads and writes: what a pipeline must know to find dependencies.

use super::op::{Alu, FloatOp, Index, Lanes, Op, Reg, Shift};
use super::register_set::Registers;

impl Op {
    /// Registers whose values it takes, those of the address included; the flags that an IT block tests are not among them.
    pub(super) fn reads(self) -> Registers {
        let (one, set) = (Registers::core, Registers::optional);
        let both = |a: Reg, b: Reg| one(a).and(one(b));
        let float = |reg: Reg| Registers::float(reg, 1);
        match self {
            Op::MoveRegister { rm, .. } | Op::StackPointerMove { rm } | Op::Unary { rm, .. } | Op::MoveToPc { rm } => one(rm),
            Op::AddToPc { rm, .. } => one(rm),
            Op::AddImmediate { rn, .. }
            | Op::AddsImmediate { rn, .. }
            | Op::SubsImmediate { rn, .. }
            | Op::CompareImmediate { rn, .. }
            | Op::StackPointerAdd { rn, .. }
            | Op::BitFieldExtract { rn, .. }
            | Op::Saturate { rn, .. }
            | Op::Saturate16 { rn, .. }
            | Op::CompareBranch { rn, .. } => one(rn),
            Op::CompareRegister { rn, rm }
            | Op::AddRegister { rn, rm, .. }
            | Op::AddsRegister { rn, rm, .. }
            | Op::SubsRegister { rn, rm, .. }
            | Op::ShiftRegister { rn, rm, .. }
            | Op::Multiply { rn, rm, .. }
            | Op::Divide { rn, rm, .. }
            | Op::SaturatingAdd { rn, rm, .. }
            | Op::Parallel { rn, rm, .. }
            | Op::PackHalves { rn, rm, .. } => both(rn, rm),
            Op::AluImmediate { alu, rn, .. } => alu_first(alu, rn).and(alu_carry(alu)),
            Op::AluRegister { alu, rn, rm, shift, .. } => {
                alu_first(alu, rn).and(one(rm)).and(alu_carry(alu)).and(Registers::FLAGS.when(shift == Shift::Rrx))
            }
            Op::ShiftImmediate { shift, rm, .. } => one(rm).and(Registers::FLAGS.when(shift == Shift::Rrx)),
            Op::MoveTop { rd, .. } | Op::BitFieldClear { rd, .. } => one(rd),
            Op::BitFieldInsert { rd, rn, .. } => both(rd, rn),
            Op::Extend { rn, rm, .. } => set(rn).and(one(rm)),
            Op::MultiplyAdd { rn, rm, ra, .. } | Op::MultiplySub { rn, rm, ra, .. } => both(rn, rm).and(one(ra)),
            Op::MultiplyLong { accumulate, lo, hi, rn, rm, .. } => both(rn, rm).and(both(lo, hi).when(accumulate)),
            Op::MultiplyAccumulateAccumulateLong { lo, hi, rn, rm }
            | Op::DualLong { lo, hi, rn, rm, .. }
            | Op::MultiplyHalvesLong { lo, hi, rn, rm, .. } => both(rn, rm).and(both(lo, hi)),
            Op::DualAdd { rn, rm, ra, .. }
            | Op::DualSub { rn, rm, ra, .. }
            | Op::MultiplyHalves { rn, rm, ra, .. }
            | Op::MultiplyWordHalf { rn, rm, ra, .. }
            | Op::MultiplyMostSignificant { rn, rm, ra, .. }
            | Op::AbsoluteDifferences { rn, rm, ra, .. } => both(rn, rm).and(set(ra)),
            Op::Select { rn, rm, .. } => both(rn, rm).and(Registers::GREATER_EQUAL),

            Op::StoreWord { rt, .. }
            | Op::StoreHalf { rt, .. }
            | Op::StoreByte { rt, .. }
            | Op::StoreWordRegister { rt, .. }
            | Op::StoreHalfRegister { rt, .. }
            | Op::StoreByteRegister { rt, .. }
            | Op::StoreIndexed { rt, .. }
            | Op::StoreExclusive { rt, .. }
            | Op::StoreRelease { rt, .. }
            | Op::StoreReleaseExclusive { rt, .. } => one(rt).and(self.address_registers()),
            Op::StoreDual { rt, rt2, .. } => both(rt, rt2).and(self.address_registers()),
            Op::StoreMultiple { list, .. } => Registers::list(list).and(self.address_registers()),
            Op::FloatStore { sd, .. } => float(sd).and(self.address_registers()),
            Op::FloatStoreDouble { sd, .. } => Registers::float(sd, 2).and(self.address_registers()),
            Op::FloatStoreMultiple { sd, count, .. } => Registers::float(sd, count).and(self.address_registers()),

            Op::BranchIf { .. } => Registers::FLAGS,
            Op::BranchExchange { rm } | Op::BranchLinkExchange { rm } => one(rm),
            Op::ReadSpecial { number, .. } => match number {
                0..=7 => Registers::FLAGS.and(Registers::GREATER_EQUAL),
                8 | 9 => one(13),
                _ => Registers::NONE,
            },
            Op::WriteSpecial { rn, .. } | Op::TestTarget { rn, .. } => one(rn),

            Op::Float { operation, sd, sn, sm } => {
                let operands = float(sn).and(float(sm));
                let whole = matches!(operation, FloatOp::Add | FloatOp::Sub | FloatOp::Mul | FloatOp::NegMul | FloatOp::Div);
                operands.and(float(sd).when(!whole))
            }
            Op::FloatExtreme { sn, sm, .. } => float(sn).and(float(sm)),
            Op::FloatSelect { sn, sm, .. } => float(sn).and(float(sm)).and(Registers::FLAGS),
            Op::FloatUnary { sm, .. }
            | Op::FloatRound { sm, .. }
            | Op::FloatToIntegerRounded { sm, .. }
            | Op::FloatToInteger { sm, .. }
            | Op::IntegerToFloat { sm, .. }
            | Op::HalfToFloat { sm, .. } => float(sm),
            Op::FloatToHalf { sd, sm, .. } => float(sd).and(float(sm)),
            Op::FloatCompare { sd, sm, .. } => float(sd).and(float(sm).when(sm != 255)),
            Op::FloatToFixed { sd, .. } | Op::FixedToFloat { sd, .. } => float(sd),
            Op::FloatToCore { sn, .. } => float(sn),
            Op::FloatPairToCore { sm, .. } => Registers::float(sm, 2),
            Op::CoreToFloat { rt, .. } | Op::WriteFloatStatus { rt } => one(rt),
            Op::CorePairToFloat { rt, rt2, .. } => both(rt, rt2),
            Op::ReadFloatStatus { .. } => Registers::FLOAT_FLAGS,
            _ => self.address_registers(),
        }
    }

    /// Registers whose values it changes, base registers with write-back included; a branch writes 15.
    pub(super) fn writes(self) -> Registers {
        let one = Registers::core;
        let both = |a: Reg, b: Reg| one(a).and(one(b));
        let float = |reg: Reg| Registers::float(reg, 1);
        let flags = |condition: bool| Registers::FLAGS.when(condition);
        match self {
            Op::MoveImmediate { rd, .. }
            | Op::MoveRegister { rd, .. }
            | Op::AddImmediate { rd, .. }
            | Op::AddRegister { rd, .. }
            | Op::MoveTop { rd, .. }
            | Op::Unary { rd, .. }
            | Op::BitFieldInsert { rd, .. }
            | Op::BitFieldClear { rd, .. }
            | Op::BitFieldExtract { rd, .. }
            | Op::Extend { rd, .. }
            | Op::MultiplyAdd { rd, .. }
            | Op::MultiplySub { rd, .. }
            | Op::DualAdd { rd, .. }
            | Op::DualSub { rd, .. }
            | Op::MultiplyHalves { rd, .. }
            | Op::MultiplyWordHalf { rd, .. }
            | Op::MultiplyMostSignificant { rd, .. }
            | Op::Divide { rd, .. }
            | Op::Saturate { rd, .. }
            | Op::Saturate16 { rd, .. }
            | Op::SaturatingAdd { rd, .. }
            | Op::Select { rd, .. }
            | Op::PackHalves { rd, .. }
            | Op::AbsoluteDifferences { rd, .. }
            | Op::TestTarget { rd, .. }
            | Op::ReadSpecial { rd, .. } => one(rd),
            Op::MovesImmediate { rd, .. }
            | Op::AddsImmediate { rd, .. }
            | Op::SubsImmediate { rd, .. }
            | Op::AddsRegister { rd, .. }
            | Op::SubsRegister { rd, .. } => one(rd).and(Registers::FLAGS),
            Op::CompareImmediate { .. } | Op::CompareRegister { .. } => Registers::FLAGS,
            Op::StackPointerAdd { .. } | Op::StackPointerMove { .. } => one(13),
            Op::AluImmediate { alu, flags: sets, rd, .. } | Op::AluRegister { alu, flags: sets, rd, .. } => {
                let test = matches!(alu, Alu::Tst | Alu::Teq | Alu::Cmn | Alu::Cmp);
                one(rd).when(!test).and(flags(sets))
            }
            Op::ShiftImmediate { flags: sets, rd, .. }
            | Op::ShiftRegister { flags: sets, rd, .. }
            | Op::Multiply { flags: sets, rd, .. } => one(rd).and(flags(sets)),
            Op::Parallel { lanes, rd, .. } => {
                one(rd).and(Registers::GREATER_EQUAL.when(matches!(lanes, Lanes::Signed | Lanes::Unsigned)))
            }
            Op::MultiplyLong { lo, hi, .. }
            | Op::MultiplyAccumulateAccumulateLong { lo, hi, .. }
            | Op::DualLong { lo, hi, .. }
            | Op::MultiplyHalvesLong { lo, hi, .. } => both(lo, hi),

            Op::LoadWord { rt, .. }
            | Op::LoadHalf { rt, .. }
            | Op::LoadByte { rt, .. }
            | Op::LoadSignedHalf { rt, .. }
            | Op::LoadSignedByte { rt, .. }
            | Op::LoadWordRegister { rt, .. }
            | Op::LoadHalfRegister { rt, .. }
            | Op::LoadByteRegister { rt, .. }
            | Op::LoadSignedHalfRegister { rt, .. }
            | Op::LoadSignedByteRegister { rt, .. }
            | Op::LoadLiteral { rt, .. }
            | Op::LoadExclusive { rt, .. }
            | Op::LoadAcquire { rt, .. } => one(rt),
            Op::LoadIndexed { rt, rn, .. } => both(rt, rn),
            Op::StoreIndexed { rn, .. } => one(rn),
            Op::LoadDual { rt, rt2, .. } => both(rt, rt2).and(self.written_base()),
            Op::LoadDualLiteral { rt, rt2, .. } => both(rt, rt2),
            Op::LoadMultiple { list, .. } => Registers::list(list).and(self.written_base()),
            Op::StoreExclusive { rd, .. } | Op::StoreReleaseExclusive { rd, .. } => one(rd),
            Op::StoreDual { .. } | Op::StoreMultiple { .. } | Op::FloatStoreMultiple { .. } => self.written_base(),

            Op::Branch { .. } | Op::BranchIf { .. } | Op::BranchExchange { .. } | Op::CompareBranch { .. } => one(15),
            Op::TableBranch { .. } | Op::MoveToPc { .. } | Op::AddToPc { .. } => one(15),
            Op::JumpLiteral { .. } | Op::JumpRegister { .. } => one(15),
            Op::JumpIndexed { .. } => one(15).and(self.written_base()),
            Op::BranchLink { .. } | Op::BranchLinkExchange { .. } => both(14, 15),
            Op::WriteSpecial { number, .. } => match number {
                0..=3 => Registers::FLAGS.and(Registers::GREATER_EQUAL),
                8 | 9 | 20 => one(13),
                _ => Registers::NONE,
            },

            Op::Float { sd, .. }
            | Op::FloatUnary { sd, .. }
            | Op::FloatImmediate { sd, .. }
            | Op::FloatToInteger { sd, .. }
            | Op::IntegerToFloat { sd, .. }
            | Op::FloatToFixed { sd, .. }
            | Op::FixedToFloat { sd, .. }
            | Op::HalfToFloat { sd, .. }
            | Op::FloatToHalf { sd, .. }
            | Op::FloatSelect { sd, .. }
            | Op::FloatExtreme { sd, .. }
            | Op::FloatRound { sd, .. }
            | Op::FloatToIntegerRounded { sd, .. }
            | Op::FloatLoad { sd, .. }
            | Op::FloatLoadLiteral { sd, .. } => float(sd),
            Op::FloatCompare { .. } | Op::WriteFloatStatus { .. } => Registers::FLOAT_FLAGS,
            Op::FloatLoadDouble { sd, .. } | Op::FloatLoadDoubleLiteral { sd, .. } => Registers::float(sd, 2),
            Op::FloatLoadMultiple { sd, count, .. } => Registers::float(sd, count).and(self.written_base()),
            Op::FloatToCore { rt, .. } => one(rt),
            Op::CoreToFloat { sn, .. } => float(sn),
            Op::FloatPairToCore { rt, rt2, .. } => both(rt, rt2),
            Op::CorePairToFloat { sm, .. } => Registers::float(sm, 2),
            Op::ReadFloatStatus { rt: 15 } => Registers::FLAGS,
            Op::ReadFloatStatus { rt } => one(rt),
            _ => Registers::NONE,
        }
    }

    /// Registers that form a memory address, and only those.
    pub(super) fn address_registers(self) -> Registers {
        let one = Registers::core;
        match self {
            Op::LoadWord { rn, .. }
            | Op::LoadHalf { rn, .. }
            | Op::LoadByte { rn, .. }
            | Op::LoadSignedHalf { rn, .. }
            | Op::LoadSignedByte { rn, .. }
            | Op::StoreWord { rn, .. }
            | Op::StoreHalf { rn, .. }
            | Op::StoreByte { rn, .. }
            | Op::LoadIndexed { rn, .. }
            | Op::StoreIndexed { rn, .. }
            | Op::JumpIndexed { rn, .. }
            | Op::LoadDual { rn, .. }
            | Op::StoreDual { rn, .. }
            | Op::LoadMultiple { rn, .. }
            | Op::StoreMultiple { rn, .. }
            | Op::LoadExclusive { rn, .. }
            | Op::StoreExclusive { rn, .. }
            | Op::LoadAcquire { rn, .. }
            | Op::StoreRelease { rn, .. }
            | Op::StoreReleaseExclusive { rn, .. }
            | Op::FloatLoad { rn, .. }
            | Op::FloatStore { rn, .. }
            | Op::FloatLoadDouble { rn, .. }
            | Op::FloatStoreDouble { rn, .. }
            | Op::FloatLoadMultiple { rn, .. }
            | Op::FloatStoreMultiple { rn, .. } => Registers::optional(rn),
            Op::LoadWordRegister { rn, rm, .. }
            | Op::LoadHalfRegister { rn, rm, .. }
            | Op::LoadByteRegister { rn, rm, .. }
            | Op::LoadSignedHalfRegister { rn, rm, .. }
            | Op::LoadSignedByteRegister { rn, rm, .. }
            | Op::StoreWordRegister { rn, rm, .. }
            | Op::StoreHalfRegister { rn, rm, .. }
            | Op::StoreByteRegister { rn, rm, .. }
            | Op::JumpRegister { rn, rm, .. } => one(rn).and(one(rm)),
            Op::TableBranch { rn, rm, .. } => Registers::optional(rn).and(one(rm)),
            _ => Registers::NONE,
        }
    }

    /// The base register where the transfer changes it.
    pub(super) fn written_base(self) -> Registers {
        match self {
            Op::LoadIndexed { rn, .. } | Op::StoreIndexed { rn, .. } => Registers::core(rn),
            Op::LoadDual { rn, index, .. } | Op::StoreDual { rn, index, .. } | Op::JumpIndexed { rn, index, .. } => {
                Registers::core(rn).when(index != Index::Offset)
            }
            Op::LoadMultiple { rn, writeback, .. }
            | Op::StoreMultiple { rn, writeback, .. }
            | Op::FloatLoadMultiple { rn, writeback, .. }
            | Op::FloatStoreMultiple { rn, writeback, .. } => Registers::core(rn).when(writeback),
            _ => Registers::NONE,
        }
    }
}

/// The first operand of an operation that has one.
fn alu_first(alu: Alu, rn: Reg) -> Registers {
    if matches!(alu, Alu::Mov | Alu::Mvn) { Registers::NONE } else { Registers::optional(rn) }
}

fn alu_carry(alu: Alu) -> Registers {
    Registers::FLAGS.when(matches!(alu, Alu::Adc | Alu::Sbc))
}
