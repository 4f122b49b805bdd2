//! Which registers an operation reads and writes: what a pipeline must know to find dependencies.

use super::op::{Alu, FloatOp, Index, Lanes, Op, Reg, Shift};

/// A set of registers: bits 0 to 15 core, 16 to 47 single precision, then the names below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Registers(pub(super) u64);

#[allow(dead_code)] // the rest is for dual issue
impl Registers {
    /// N, Z, C, V.
    pub(super) const FLAGS: Self = Self(1 << 48);
    /// N, Z, C, V of FPSCR. Its sticky exception flags are not tracked, nor is Q.
    pub(super) const FLOAT_FLAGS: Self = Self(1 << 49);
    /// The four GE bits.
    pub(super) const GREATER_EQUAL: Self = Self(1 << 50);
    /// All that FPSCR-independent code can name: one more than the highest bit in use.
    pub(super) const COUNT: usize = 51;
    const NONE: Self = Self(0);
    const CORE: Self = Self(0xFFFF);
    const FLOAT: Self = Self(0xFFFF_FFFF << 16);

    /// One core register.
    fn core(reg: Reg) -> Self {
        Self(1 << (reg & 15))
    }

    /// One core register, or none where the operand is absent (15 encodes that).
    fn optional(reg: Reg) -> Self {
        if reg == 15 { Self::NONE } else { Self::core(reg) }
    }

    /// The core registers of a list, bit by bit.
    fn list(list: u16) -> Self {
        Self(list.into())
    }

    /// `count` single-precision registers from `first` up.
    fn float(first: Reg, count: u8) -> Self {
        Self(((1 << count.min(32)) - 1) << (16 + u32::from(first & 31)) & Self::FLOAT.0)
    }

    fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn core_part(self) -> Self {
        Self(self.0 & Self::CORE.0)
    }

    pub(super) const fn float_part(self) -> Self {
        Self(self.0 & Self::FLOAT.0)
    }

    /// Bit numbers, upwards.
    pub(super) fn numbers(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let number = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(number)
        })
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::decode::decode;

    /// Each is the encoding, then reads, writes and address registers in words.
    type Case = (&'static str, u16, u16, &'static str, &'static str, &'static str);

    #[rustfmt::skip] // a table
    const CASES: &[Case] = &[
        ("adds r0, r1, r2", 0x1888, 0, "r1 r2", "r0 flags", ""),
        ("mvns r0, r1", 0x43C8, 0, "r1", "r0 flags", ""),
        ("adcs r0, r1", 0x4148, 0, "r0 r1 flags", "r0 flags", ""),
        ("tst r0, r1", 0x4208, 0, "r0 r1", "flags", ""),
        ("mov r8, r1", 0x4688, 0, "r1", "r8", ""),
        ("rrx r0, r1", 0xEA4F, 0x0031, "r1 flags", "r0", ""),
        ("bfi r0, r1, #0, #4", 0xF361, 0x0003, "r0 r1", "r0", ""),
        ("movt r0, #1", 0xF2C0, 0x0001, "r0", "r0", ""),
        ("sxtb16 r0, r1", 0xFA2F, 0xF081, "r1", "r0", ""),
        ("sxtab16 r0, r2, r1", 0xFA22, 0xF081, "r1 r2", "r0", ""),
        ("uadd8 r0, r1, r2", 0xFA81, 0xF042, "r1 r2", "r0 ge", ""),
        ("uqadd8 r0, r1, r2", 0xFA81, 0xF052, "r1 r2", "r0", ""),
        ("sel r0, r1, r2", 0xFAA1, 0xF082, "r1 r2 ge", "r0", ""),
        ("smlad r0, r1, r2, r3", 0xFB21, 0x3002, "r1 r2 r3", "r0", ""),
        ("smuad r0, r1, r2", 0xFB21, 0xF002, "r1 r2", "r0", ""),
        ("umull r0, r5, r1, r2", 0xFBA1, 0x0502, "r1 r2", "r0 r5", ""),
        ("smlald r0, r5, r1, r2", 0xFBC1, 0x05C2, "r0 r1 r2 r5", "r0 r5", ""),
        ("udiv r0, r1, r2", 0xFBB1, 0xF0F2, "r1 r2", "r0", ""),
        ("ldr r0, [r4]", 0x6820, 0, "r4", "r0", "r4"),
        ("ldr r0, [pc]", 0x4800, 0, "", "r0", ""),
        ("ldr r0, [r4, r1]", 0x5860, 0, "r1 r4", "r0", "r1 r4"),
        ("ldr r0, [r4], #4", 0xF854, 0x0B04, "r4", "r0 r4", "r4"),
        ("str r0, [r4, r1]", 0x5060, 0, "r0 r1 r4", "", "r1 r4"),
        ("str r0, [r4, #4]!", 0xF844, 0x0F04, "r0 r4", "r4", "r4"),
        ("ldrd r0, r1, [r4]", 0xE9D4, 0x0100, "r4", "r0 r1", "r4"),
        ("strd r0, r1, [r4], #8", 0xE8E4, 0x0102, "r0 r1 r4", "r4", "r4"),
        ("ldm r4!, {r0, r1}", 0xCC03, 0, "r4", "r0 r1 r4", "r4"),
        ("push {r0, lr}", 0xB501, 0, "r0 r13 r14", "r13", "r13"),
        ("pop {r0, pc}", 0xBD01, 0, "r13", "r0 r13 r15", "r13"),
        ("strex r0, r1, [r4]", 0xE844, 0x1000, "r1 r4", "r0", "r4"),
        ("tbb [pc, r0]", 0xE8DF, 0xF000, "r0", "r15", "r0"),
        ("beq", 0xD000, 0, "flags", "r15", ""),
        ("cbz r0", 0xB100, 0, "r0", "r15", ""),
        ("bl", 0xF000, 0xF800, "", "r14 r15", ""),
        ("bx lr", 0x4770, 0, "r14", "r15", ""),
        ("blx r3", 0x4798, 0, "r3", "r14 r15", ""),
        ("mrs r0, apsr", 0xF3EF, 0x8000, "flags ge", "r0", ""),
        ("msr psp, r0", 0xF380, 0x8809, "r0", "r13", ""),
        ("vadd.f32 s0, s1, s2", 0xEE30, 0x0A81, "s1 s2", "s0", ""),
        ("vfma.f32 s0, s1, s2", 0xEEA0, 0x0A81, "s0 s1 s2", "s0", ""),
        ("vmov.f32 s0, #1.0", 0xEEB7, 0x0A00, "", "s0", ""),
        ("vcmp.f32 s0, s1", 0xEEB4, 0x0A60, "s0 s1", "fpscr", ""),
        ("vcmp.f32 s0, #0", 0xEEB5, 0x0A40, "s0", "fpscr", ""),
        ("vmrs apsr_nzcv, fpscr", 0xEEF1, 0xFA10, "fpscr", "flags", ""),
        ("vcvtb.f16.f32 s0, s1", 0xEEB3, 0x0A60, "s0 s1", "s0", ""),
        ("vselge.f32 s0, s1, s2", 0xFE20, 0x0A81, "s1 s2 flags", "s0", ""),
        ("vminnm.f32 s0, s1, s2", 0xFE80, 0x0AC1, "s1 s2", "s0", ""),
        ("vcvtm.s32.f32 s0, s1", 0xFEBF, 0x0AE0, "s1", "s0", ""),
        ("ldaex r0, [r4]", 0xE8D4, 0x0FEF, "r4", "r0", "r4"),
        ("stlex r0, r1, [r4]", 0xE8C4, 0x1FE0, "r1 r4", "r0", "r4"),
        ("tt r0, r1", 0xE841, 0xF000, "r1", "r0", ""),
        ("vldr s0, [r4]", 0xED94, 0x0A00, "r4", "s0", "r4"),
        ("vstr d0, [r4]", 0xED84, 0x0B00, "r4 s0 s1", "", "r4"),
        ("vldm r4!, {s0-s3}", 0xECB4, 0x0A04, "r4", "r4 s0 s1 s2 s3", "r4"),
        ("vpush {d0}", 0xED2D, 0x0B02, "r13 s0 s1", "r13", "r13"),
        ("vmov r0, r1, s0, s1", 0xEC51, 0x0A10, "s0 s1", "r0 r1", ""),
        ("vmov s0, s1, r0, r1", 0xEC41, 0x0A10, "r0 r1", "s0 s1", ""),
        ("nop", 0xBF00, 0, "", "", ""),
    ];

    fn words(registers: Registers) -> String {
        let name = |number| match number {
            0..=15 => format!("r{number}"),
            16..=47 => format!("s{}", number - 16),
            48 => "flags".to_owned(),
            49 => "fpscr".to_owned(),
            _ => "ge".to_owned(),
        };
        registers.numbers().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn operations_name_the_registers_that_they_use() {
        for &(text, first, second, reads, writes, address) in CASES {
            let op = decode(first, second, 0x100, false);
            assert_ne!(op, Op::Undefined, "{text}");
            assert_eq!(words(op.reads()), reads, "reads of {text}");
            assert_eq!(words(op.writes()), writes, "writes of {text}");
            assert_eq!(words(op.address_registers()), address, "address of {text}");
        }
    }

    #[test]
    fn sets_hold_every_single_precision_register() {
        assert_eq!(Registers::float(0, 32), Registers::FLOAT);
        assert_eq!(Registers::float(31, 1), Registers(1 << 47));
        assert!(Registers::float(0, 32).core_part().is_empty() && !Registers::float(3, 1).float_part().is_empty());
        let both = Registers::core(1).and(Registers::core(2));
        assert!(both.meets(Registers::core(2)) && !both.without(Registers::core(2)).meets(Registers::core(2)));
        assert!(both.numbers().all(|number| number < Registers::COUNT));
    }
}
