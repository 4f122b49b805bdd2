//! Cortex-M4F at zero wait states. Every cost of the machine is in [`TABLE`]; nothing else holds a number of cycles.
//!
//! Not modelled: address-dependency stalls, the alignment of wide instructions, latency of VFP results, wait states.

use super::{Row, Status};
use crate::machine::op::{FloatOp, FloatUnary, Op};

/// Names this table in reports; changes with any figure in it.
pub const VERSION: &str = "cortex-m4/1";

const INTEGER: &str = "Arm DDI0439, table 3-1 (Cortex-M4 instructions)";
const FLOAT: &str = "Arm DDI0439, table 7-1 (FPU instruction set)";
const PAIRING: &str = "Arm DDI0439, section 3.3.2 (load/store timings); TI SWCU185G";
const EXCEPTIONS: &str = "Arm DDI0439, section 3.9 (exceptions); Arm application note 298 for the FPU frame";

/// Classes of the table, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Simple,
    Load,
    PipelinedLoadSaving,
    Store,
    LoadDual,
    StoreDual,
    Multiple,
    LoadPc,
    Refill,
    TableBranch,
    Multiply,
    Divide,
    IfThen,
    Special,
    Barrier,
    FloatSimple,
    FloatTransferPair,
    FloatMultiplyAdd,
    FloatDivide,
    FloatLoadDouble,
    FloatStore,
    FloatStoreDouble,
    FloatMultiple,
    Skipped,
    ExceptionEntry,
    ExceptionReturn,
    FloatFrame,
}

const fn row(name: &'static str, cycles: u32, per_word: u32, source: &'static str, status: Status) -> Row {
    Row { name, cycles, per_word, source, status }
}

use Status::{Documented, Estimate, MeasuredByOthers};

/// The table.
#[rustfmt::skip] // a table
pub const TABLE: [Row; 27] = [
    row("data processing, saturation, SIMD, bit fields, hints", 1, 0, INTEGER, Documented),
    row("LDR, LDRH, LDRB, VLDR.32", 2, 0, INTEGER, Documented),
    row("saved by a load directly behind a load", 1, 0, PAIRING, MeasuredByOthers),
    row("STR, STRH, STRB (write buffer)", 1, 0, PAIRING, MeasuredByOthers),
    row("LDRD", 1, 1, INTEGER, Documented),
    row("STRD", 1, 1, INTEGER, Documented),
    row("LDM, STM, PUSH, POP", 1, 1, INTEGER, Documented),
    row("load into the program counter, without refill", 2, 0, INTEGER, Documented),
    row("pipeline refill after a taken branch (documented as 1 to 3)", 2, 0, INTEGER, Estimate),
    row("TBB, TBH, without refill", 2, 0, INTEGER, Estimate),
    row("MUL, MLA, SMLAD, UMULL, SMLAL and the other multiplications", 1, 0, INTEGER, Documented),
    row("SDIV, UDIV: least (2 to 12 by early termination)", 2, 0, INTEGER, Documented),
    row("IT (can fold into its predecessor; charged in full)", 1, 0, INTEGER, Estimate),
    row("MRS, MSR, CPS", 2, 0, INTEGER, Estimate),
    row("DMB, DSB, ISB", 1, 0, INTEGER, Estimate),
    row("VADD, VSUB, VMUL, VABS, VNEG, VCMP, VCVT, VMOV, VMRS, VMSR", 1, 0, FLOAT, Documented),
    row("VMOV between two core and two FPU registers", 2, 0, FLOAT, Documented),
    row("VMLA, VMLS, VNMLA, VNMLS, VFMA, VFMS, VFNMA, VFNMS", 3, 0, FLOAT, Documented),
    row("VDIV, VSQRT", 14, 0, FLOAT, Documented),
    row("VLDR.64", 1, 1, FLOAT, Documented),
    row("VSTR.32 (documented as 2; write buffer as for STR)", 1, 0, FLOAT, Estimate),
    row("VSTR.64", 1, 1, FLOAT, Documented),
    row("VLDM, VSTM, VPUSH, VPOP", 1, 1, FLOAT, Documented),
    row("instruction whose IT condition fails", 1, 0, INTEGER, Documented),
    row("exception entry", 12, 0, EXCEPTIONS, Documented),
    row("exception return", 12, 0, EXCEPTIONS, Estimate),
    row("FPU part of an exception frame, each way, per word", 0, 1, EXCEPTIONS, Estimate),
];

const _: () = assert!(TABLE.len() == Class::FloatFrame as usize + 1);

const fn cost(class: Class, words: u32) -> u32 {
    let row = &TABLE[class as usize];
    row.cycles + row.per_word * words
}

/// Cycles of an executed instruction as far as decoding tells; taken conditional branches and divisions cost more at run time.
pub(in crate::machine) fn static_cycles(op: Op) -> u32 {
    let refill = cost(Class::Refill, 0);
    match op {
        _ if op.is_single_load() => cost(Class::Load, 0),
        Op::StoreWord { .. }
        | Op::StoreHalf { .. }
        | Op::StoreByte { .. }
        | Op::StoreWordRegister { .. }
        | Op::StoreHalfRegister { .. }
        | Op::StoreByteRegister { .. }
        | Op::StoreIndexed { .. } => cost(Class::Store, 0),
        Op::LoadExclusive { .. }
        | Op::StoreExclusive { .. }
        | Op::LoadAcquire { .. }
        | Op::StoreRelease { .. }
        | Op::StoreReleaseExclusive { .. } => cost(Class::Load, 0),
        Op::LoadDual { .. } | Op::LoadDualLiteral { .. } => cost(Class::LoadDual, 2),
        Op::StoreDual { .. } => cost(Class::StoreDual, 2),
        Op::LoadMultiple { list, .. } if list & 0x8000 != 0 => cost(Class::Multiple, list.count_ones()) + refill,
        Op::LoadMultiple { list, .. } | Op::StoreMultiple { list, .. } => cost(Class::Multiple, list.count_ones()),
        Op::JumpLiteral { .. } | Op::JumpIndexed { .. } | Op::JumpRegister { .. } => cost(Class::LoadPc, 0) + refill,
        Op::Branch { .. }
        | Op::BranchLink { .. }
        | Op::BranchExchange { .. }
        | Op::BranchLinkExchange { .. }
        | Op::MoveToPc { .. }
        | Op::AddToPc { .. } => cost(Class::Simple, 0) + refill,
        Op::TableBranch { .. } => cost(Class::TableBranch, 0) + refill,
        Op::Multiply { .. }
        | Op::MultiplyAdd { .. }
        | Op::MultiplySub { .. }
        | Op::MultiplyLong { .. }
        | Op::MultiplyAccumulateAccumulateLong { .. }
        | Op::DualAdd { .. }
        | Op::DualSub { .. }
        | Op::DualLong { .. }
        | Op::MultiplyHalves { .. }
        | Op::MultiplyWordHalf { .. }
        | Op::MultiplyHalvesLong { .. }
        | Op::MultiplyMostSignificant { .. } => cost(Class::Multiply, 0),
        Op::Divide { .. } => cost(Class::Divide, 0),
        Op::IfThen => cost(Class::IfThen, 0),
        Op::ReadSpecial { .. } | Op::WriteSpecial { .. } | Op::ChangeState { .. } => cost(Class::Special, 0),
        Op::Barrier | Op::InstructionBarrier => cost(Class::Barrier, 0),
        Op::Float { operation, .. } => match operation {
            FloatOp::Add | FloatOp::Sub | FloatOp::Mul | FloatOp::NegMul => cost(Class::FloatSimple, 0),
            FloatOp::Div => cost(Class::FloatDivide, 0),
            _ => cost(Class::FloatMultiplyAdd, 0),
        },
        Op::FloatUnary { unary: FloatUnary::Sqrt, .. } => cost(Class::FloatDivide, 0),
        Op::FloatPairToCore { .. } | Op::CorePairToFloat { .. } => cost(Class::FloatTransferPair, 0),
        Op::FloatLoadDouble { .. } | Op::FloatLoadDoubleLiteral { .. } => cost(Class::FloatLoadDouble, 2),
        Op::FloatStore { .. } => cost(Class::FloatStore, 0),
        Op::FloatStoreDouble { .. } => cost(Class::FloatStoreDouble, 2),
        Op::FloatLoadMultiple { count, .. } | Op::FloatStoreMultiple { count, .. } => cost(Class::FloatMultiple, count.into()),
        Op::FloatUnary { .. }
        | Op::FloatImmediate { .. }
        | Op::FloatCompare { .. }
        | Op::FloatToInteger { .. }
        | Op::IntegerToFloat { .. }
        | Op::FloatToFixed { .. }
        | Op::FixedToFloat { .. }
        | Op::HalfToFloat { .. }
        | Op::FloatToHalf { .. }
        | Op::FloatToCore { .. }
        | Op::CoreToFloat { .. }
        | Op::ReadFloatStatus { .. }
        | Op::WriteFloatStatus { .. } => cost(Class::FloatSimple, 0),
        _ => cost(Class::Simple, 0),
    }
}

/// What a load saves when the instruction executed before it was a load.
pub(in crate::machine) const fn pipelined_load_saving() -> u32 {
    cost(Class::PipelinedLoadSaving, 0)
}

/// Charged when a conditional branch is taken.
pub(in crate::machine) const fn refill() -> u32 {
    cost(Class::Refill, 0)
}

/// An instruction whose condition failed.
pub(in crate::machine) const fn skipped() -> u32 {
    cost(Class::Skipped, 0)
}

/// Entry into an exception, with `float_words` words of FPU frame.
pub(in crate::machine) const fn exception_entry(float_words: u32) -> u32 {
    cost(Class::ExceptionEntry, 0) + cost(Class::FloatFrame, float_words)
}

/// Return from an exception, with `float_words` words of FPU frame.
pub(in crate::machine) const fn exception_return(float_words: u32) -> u32 {
    cost(Class::ExceptionReturn, 0) + cost(Class::FloatFrame, float_words)
}

/// Most quotient-dependent cycles of a division: with the least, the documented 12.
const DIVIDE_RANGE: u32 = 10;

/// Quotient-dependent cycles of a division of magnitudes. Arm documents only the range and that leading zeros shorten it; we spread
/// the range evenly over the bits of the quotient (an estimate), none where the quotient is 0 or the divisor is.
pub(in crate::machine) const fn divide_extra(dividend: u32, divisor: u32) -> u32 {
    if divisor == 0 || dividend < divisor {
        return 0;
    }
    let quotient_bits = divisor.leading_zeros() - dividend.leading_zeros() + 1;
    (quotient_bits * DIVIDE_RANGE).div_ceil(u32::BITS)
}
