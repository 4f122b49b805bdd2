//! What an operation takes and gives, in the words of a pipeline: who makes a value, and which unit takes it.

use crate::machine::op::{Alu, Extend, FloatOp, FloatUnary, Lanes, Op, Shift, Unary, Width};
use crate::machine::register_set::Registers;

/// Who made a value, as far as its forwarding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// A simple sum or move, a cycle ahead of the main adder where the core can do that.
    EarlyAlu,
    /// A sum, move, logical operation or shift.
    Alu,
    /// The same with a shifted register or a rotated constant.
    ShiftedAlu,
    /// REV, RBIT.
    Reverse,
    /// SXTB, UBFX, BFI, CLZ.
    BitField,
    /// SADD8, SEL, PKHBT, SXTB16.
    Dsp,
    /// SXTAB and the other extensions with an addition.
    ExtendAdd,
    /// SSAT, QADD, USAD8.
    Saturating,
    /// Any multiplication.
    Multiply,
    /// A load of a word.
    Load,
    /// A load of a byte or halfword.
    NarrowLoad,
    /// The write-back of a base register.
    BaseUpdate,
    /// VMOV, VMRS to a core register.
    FromFloat,
    /// VADD, VMUL, VCVT and the like.
    Float,
    /// VFMA.
    FloatFused,
    /// VMLA.
    FloatChained,
    /// VLDR, VLDM.
    FloatLoad,
    /// VMOV into an FPU register.
    ToFloat,
}

impl Producer {
    /// How many there are.
    pub const COUNT: usize = Self::ToFloat as usize + 1;
}

/// Which unit takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// Base of an address.
    Base,
    /// Offset register of an address.
    Index,
    /// The shifter in front of the adder.
    Shifter,
    /// The adder, and all that has no line of its own.
    Alu,
    /// The adder of an instruction that also shifts its other operand.
    AluBesideShifter,
    /// A factor.
    Factor,
    /// The addend of a multiply-accumulate.
    Addend,
    /// What a store writes.
    StoreData,
    /// An operand of the FPU.
    Float,
    /// The addend of VFMA.
    FusedAddend,
    /// The addend of VMLA.
    ChainedAddend,
    /// What VSTR writes.
    FloatStoreData,
    /// What VMOV takes to a core register.
    FromFloat,
}

impl Consumer {
    /// How many there are.
    pub const COUNT: usize = Self::FromFloat as usize + 1;
}

/// The operands of an operation by the unit that takes them.
pub(super) fn operands(op: Op) -> [(Registers, Consumer); 4] {
    use Consumer::*;
    let none = (Registers::default(), Alu);
    let reads = op.reads();
    let address = op.address_registers();
    let register = |reg: u8| Registers(1 << (reg & 15));
    let float = |reg: u8| Registers(1 << (16 + u32::from(reg & 31)));
    match op {
        Op::AluRegister { rm, shift, amount, .. } if shift != Shift::Lsl || amount != 0 => {
            [(register(rm), Shifter), (reads.without(register(rm)), AluBesideShifter), none, none]
        }
        Op::AddRegister { rn, rm, lsl: 1.., .. } => [(register(rm), Shifter), (register(rn), AluBesideShifter), none, none],
        Op::BitFieldInsert { rd, rn, .. } => [(register(rn), Shifter), (register(rd), AluBesideShifter), none, none],
        Op::PackHalves { rn, rm, top_bottom, .. } => {
            [(register(rm), Shifter), (register(rn), if top_bottom { Shifter } else { AluBesideShifter }), none, none]
        }
        Op::Extend { rn, rm, .. } if rn != 15 => [(register(rm), Shifter), (register(rn), AluBesideShifter), none, none],
        Op::BitFieldExtract { .. } | Op::Saturate { .. } | Op::Saturate16 { .. } => [(reads, Shifter), none, none, none],
        Op::SaturatingAdd { double: true, .. } => [(reads, Shifter), none, none, none],
        Op::Unary { unary, .. } if unary != Unary::Clz => [(reads, Shifter), none, none, none],

        Op::Multiply { .. } => [(reads, Factor), none, none, none],
        Op::Divide { .. } => [(reads, Factor), none, none, none],
        Op::MultiplyAdd { rn, rm, .. }
        | Op::MultiplySub { rn, rm, .. }
        | Op::MultiplyLong { rn, rm, .. }
        | Op::MultiplyAccumulateAccumulateLong { rn, rm, .. }
        | Op::DualAdd { rn, rm, .. }
        | Op::DualSub { rn, rm, .. }
        | Op::DualLong { rn, rm, .. }
        | Op::MultiplyHalves { rn, rm, .. }
        | Op::MultiplyWordHalf { rn, rm, .. }
        | Op::MultiplyHalvesLong { rn, rm, .. }
        | Op::MultiplyMostSignificant { rn, rm, .. } => {
            let factors = register(rn).and(register(rm));
            [(factors, Factor), (addends(op), Addend), none, none]
        }
        Op::AbsoluteDifferences { rn, rm, ra, .. } => {
            let addend = if ra == 15 { Registers::default() } else { register(ra) };
            [(register(rn).and(register(rm)), Alu), (addend, Addend), none, none]
        }

        Op::LoadWordRegister { rn, rm, .. }
        | Op::LoadHalfRegister { rn, rm, .. }
        | Op::LoadByteRegister { rn, rm, .. }
        | Op::LoadSignedHalfRegister { rn, rm, .. }
        | Op::LoadSignedByteRegister { rn, rm, .. }
        | Op::JumpRegister { rn, rm, .. } => [(register(rn), Base), (register(rm), Index), none, none],
        Op::StoreWordRegister { rt, rn, rm, .. }
        | Op::StoreHalfRegister { rt, rn, rm, .. }
        | Op::StoreByteRegister { rt, rn, rm, .. } => {
            [(register(rn), Base), (register(rm), Index), (register(rt), StoreData), none]
        }
        Op::TableBranch { rn, rm, .. } => {
            [(if rn == 15 { Registers::default() } else { register(rn) }, Base), (register(rm), Index), none, none]
        }
        Op::StoreWord { rt, .. }
        | Op::StoreHalf { rt, .. }
        | Op::StoreByte { rt, .. }
        | Op::StoreIndexed { rt, .. }
        | Op::StoreExclusive { rt, .. } => [(address, Base), (register(rt), StoreData), none, none],
        Op::StoreDual { rt, rt2, .. } => [(address, Base), (register(rt).and(register(rt2)), StoreData), none, none],
        Op::StoreMultiple { .. } => [(address, Base), (reads.without(address), StoreData), none, none],
        Op::FloatStore { .. } | Op::FloatStoreDouble { .. } | Op::FloatStoreMultiple { .. } => {
            [(address, Base), (reads.float_part(), FloatStoreData), none, none]
        }

        Op::Float { operation, sd, sn, sm } => {
            let addend = match operation {
                FloatOp::FusedAdd | FloatOp::FusedSub | FloatOp::FusedNegAdd | FloatOp::FusedNegSub => FusedAddend,
                FloatOp::MulAdd | FloatOp::MulSub | FloatOp::NegMulAdd | FloatOp::NegMulSub => ChainedAddend,
                _ => return [(reads, Float), none, none, none],
            };
            [(float(sn).and(float(sm)), Float), (float(sd), addend), none, none]
        }
        Op::FloatToCore { .. } | Op::FloatPairToCore { .. } | Op::ReadFloatStatus { .. } => {
            [(reads, FromFloat), none, none, none]
        }
        _ if !address.is_empty() => [(address, Base), (reads.without(address), Alu), none, none],
        _ if !reads.float_part().is_empty() => [(reads, Float), none, none, none],
        _ => [(reads, Alu), none, none, none],
    }
}

/// The accumulators of a multiplication.
fn addends(op: Op) -> Registers {
    let register = |reg: u8| Registers(1 << reg & 0x7FFF);
    match op {
        Op::MultiplyAdd { ra, .. }
        | Op::MultiplySub { ra, .. }
        | Op::DualAdd { ra, .. }
        | Op::DualSub { ra, .. }
        | Op::MultiplyHalves { ra, .. }
        | Op::MultiplyWordHalf { ra, .. }
        | Op::MultiplyMostSignificant { ra, .. } => register(ra),
        Op::MultiplyLong { accumulate: true, lo, hi, .. }
        | Op::MultiplyAccumulateAccumulateLong { lo, hi, .. }
        | Op::DualLong { lo, hi, .. }
        | Op::MultiplyHalvesLong { lo, hi, .. } => register(lo).and(register(hi)),
        _ => Registers::default(),
    }
}

/// Who makes the result of an operation (write-backs of bases and flags apart).
pub(super) fn producer(op: Op) -> Producer {
    match op {
        Op::AluRegister { shift, amount, .. } if shift != Shift::Lsl || amount != 0 => Producer::ShiftedAlu,
        Op::AddRegister { lsl: 1.., .. } => Producer::ShiftedAlu,
        _ if takes_rotated_constant(op) => Producer::ShiftedAlu,
        Op::Unary { unary, .. } if unary != Unary::Clz => Producer::Reverse,
        Op::Extend { rn: 15, extend: Extend::SignedBytes16 | Extend::UnsignedBytes16, .. } => Producer::Dsp,
        Op::Extend { rn: 15, .. } => Producer::BitField,
        Op::Extend { .. } => Producer::ExtendAdd,
        Op::Unary { .. } | Op::BitFieldExtract { .. } | Op::BitFieldInsert { .. } | Op::BitFieldClear { .. } => {
            Producer::BitField
        }
        Op::PackHalves { .. } | Op::Select { .. } => Producer::Dsp,
        Op::Parallel { lanes, .. } => {
            if matches!(lanes, Lanes::SaturateSigned | Lanes::SaturateUnsigned) {
                Producer::Saturating
            } else {
                Producer::Dsp
            }
        }
        Op::Saturate { .. } | Op::Saturate16 { .. } | Op::SaturatingAdd { .. } | Op::AbsoluteDifferences { .. } => {
            Producer::Saturating
        }
        _ if op.is_multiplication() => Producer::Multiply,
        Op::LoadWord { .. } | Op::LoadWordRegister { .. } | Op::LoadDual { .. } | Op::LoadDualLiteral { .. } => Producer::Load,
        Op::LoadMultiple { .. } | Op::LoadExclusive { .. } => Producer::Load,
        Op::LoadIndexed { width, .. } | Op::LoadLiteral { width, .. } => {
            if width == Width::Word {
                Producer::Load
            } else {
                Producer::NarrowLoad
            }
        }
        _ if op.is_single_load() && op.writes().float_part().is_empty() => Producer::NarrowLoad,
        Op::Float { operation, .. } => match operation {
            FloatOp::FusedAdd | FloatOp::FusedSub | FloatOp::FusedNegAdd | FloatOp::FusedNegSub => Producer::FloatFused,
            FloatOp::MulAdd | FloatOp::MulSub | FloatOp::NegMulAdd | FloatOp::NegMulSub => Producer::FloatChained,
            _ => Producer::Float,
        },
        Op::FloatLoad { .. }
        | Op::FloatLoadLiteral { .. }
        | Op::FloatLoadDouble { .. }
        | Op::FloatLoadDoubleLiteral { .. }
        | Op::FloatLoadMultiple { .. } => Producer::FloatLoad,
        Op::CoreToFloat { .. } | Op::CorePairToFloat { .. } | Op::FloatImmediate { .. } | Op::WriteFloatStatus { .. } => {
            Producer::ToFloat
        }
        Op::FloatUnary { unary: FloatUnary::Move, .. } => Producer::ToFloat,
        Op::FloatToCore { .. } | Op::FloatPairToCore { .. } | Op::ReadFloatStatus { .. } => Producer::FromFloat,
        _ if !op.writes().float_part().is_empty() => Producer::Float,
        _ => Producer::Alu,
    }
}

/// Whether the second operand is a constant that the core must rotate: eight bits in a place of their own. Repeated bytes and the
/// plain 12 bits of an addition need no shifter.
pub(super) fn takes_rotated_constant(op: Op) -> bool {
    let plain = |value: u32, most: u32| {
        let [a, b, c, d] = value.to_le_bytes();
        value <= most || (a == c && b == d && (a == b || a == 0 || b == 0))
    };
    match op {
        Op::AddImmediate { value, .. } => !plain(value, 0xFFF) && !plain(value.wrapping_neg(), 0xFFF),
        Op::AddsImmediate { value, .. } | Op::SubsImmediate { value, .. } | Op::CompareImmediate { value, .. } => {
            !plain(value, 0xFF)
        }
        Op::AluImmediate { alu, value, .. } => !matches!(alu, Alu::Mov | Alu::Mvn) && !plain(value, 0xFF),
        _ => false,
    }
}
