//! Cortex-M33 with DSP extension and FPU. Arm publishes no table: the figures are measurements of others on an RP2350.
//!
//! One instruction at a time, except that 16-bit branches, IT and NOP can go with a 16-bit instruction before them. Results of two-stage
//! operations come a cycle late, so that the distance between a value's maker and its user decides.

use super::dual_issue::{Forwarding, forward};
use super::operands::Producer;
use super::pairing::Rules;
use super::{Class, Issue, Row, Status, Table, row};

const MEASURED: &str = "jnk0le/random, pipeline cycle test/doc/cortex_m33.md (RP2350, r1p0)";
const MULS: &str = "Arm KA001260 (MULS stalls a cycle more); jnk0le/random, cortex_m33.md";
const PLAIN: &str = "one cycle as in Arm 100166 (Cortex-M4), table 3-1; none is published for the M33";
const DIVIDES: &str = "2 to 11 cycles by overviews of the Cortex-M cores; no manual has it";
const AS_M4: &str = "as for the Cortex-M4 in Arm 100166; none is published for the M33";
const EXCEPTIONS: &str = "12 cycles by overviews of the Cortex-M cores, as for the Cortex-M4";

use Status::{Estimate, MeasuredByOthers};

/// The table.
pub const TABLE: Table =
    Table { version: "cortex-m33/2", issue: Issue::Dual(&FORWARDING), rows: ROWS, prefetch_words: None, transfer_words: 1 };

#[rustfmt::skip] // a table
const ROWS: &[Row] = &[
    row(Class::Data, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::DataShifted, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::SlowFlags, 1, 0, MULS, MeasuredByOthers),
    row(Class::Simd, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::Multiply, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::MultiplyAccumulate, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::MultiplyLong, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::MultiplyLongAccumulate, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::MultiplySimd, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::Divide, 2, 0, DIVIDES, Estimate),
    row(Class::DivideRange, 9, 0, DIVIDES, Estimate),
    row(Class::IfThen, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::Hint, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::Wait, 2, 0, AS_M4, Estimate),
    row(Class::Special, 2, 0, AS_M4, Estimate),
    row(Class::ChangeState, 1, 0, AS_M4, Estimate),
    row(Class::Barrier, 1, 0, AS_M4, Estimate),
    row(Class::InstructionBarrier, 3, 0, AS_M4, Estimate),
    row(Class::Exceptional, 1, 0, AS_M4, Estimate),
    row(Class::Load, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::LoadLiteral, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::Store, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::StoreRegisterOffset, 1, 0, PLAIN, Estimate),
    row(Class::LoadDual, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::StoreDual, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::LoadMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::StoreMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::LoadExclusive, 2, 0, AS_M4, Estimate),
    row(Class::StoreExclusive, 2, 0, AS_M4, Estimate),
    row(Class::UnalignedAccess, 1, 0, AS_M4, Estimate),
    row(Class::Branch, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::BranchLink, 1, 0, MEASURED, Estimate),
    row(Class::BranchExchange, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::LoadPc, 3, 0, MEASURED, Estimate),
    row(Class::PopPc, 2, 1, "jnk0le/random, cortex_m33.md: POP {lr}, BX lr is 1 to 2 cycles faster", Estimate),
    row(Class::TableBranch, 4, 0, AS_M4, Estimate),
    row(Class::Refill, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::RefillDirect, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::RefillFlags, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatData, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatMultiply, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatMultiplyAccumulate, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatFused, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatBusy, 2, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatDivide, 14, 0, AS_M4, Estimate),
    row(Class::FloatSquareRoot, 14, 0, AS_M4, Estimate),
    row(Class::FloatConvert, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatTransfer, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatToCorePair, 2, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatTransferPair, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatLoad, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatLoadDouble, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::FloatLoadMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::FloatStore, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatStoreDouble, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::FloatStoreMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::ExceptionEntry, 12, 0, EXCEPTIONS, Estimate),
    row(Class::ExceptionReturn, 10, 0, AS_M4, Estimate),
    row(Class::TailChain, 6, 0, AS_M4, Estimate),
    row(Class::FloatFrame, 0, 1, AS_M4, Estimate),
];

/// Columns: base, index, shifter, adder, adder beside the shifter, factor, addend, store data; FPU operand, addend of VFMA, of VMLA, VSTR data, VMOV to a core
/// register.
#[rustfmt::skip] // a table
const FORWARDING: Forwarding = Forwarding {
    rows: [
        forward(Producer::EarlyAlu,     [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Alu,          [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::ShiftedAlu,   [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Reverse,      [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], MEASURED, Estimate),
        forward(Producer::BitField,     [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Dsp,          [2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::ExtendAdd,    [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Saturating,   [2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Multiply,     [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Load,         [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::NarrowLoad,   [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::BaseUpdate,   [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], MEASURED, Estimate),
        forward(Producer::FromFloat,    [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2], MEASURED, MeasuredByOthers),
        forward(Producer::Float,        [0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2], MEASURED, MeasuredByOthers),
        forward(Producer::FloatFused,   [0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 3, 4, 4], MEASURED, MeasuredByOthers),
        forward(Producer::FloatChained, [0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 3, 4, 4], MEASURED, MeasuredByOthers),
        forward(Producer::FloatLoad,    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
        forward(Producer::ToFloat,      [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1], MEASURED, MeasuredByOthers),
    ],
    flags: 1,
    shifted_flags: 2,
    rules: Rules::CortexM33,
};
