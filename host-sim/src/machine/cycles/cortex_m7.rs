//! Cortex-M7 with single-precision FPU, code and data in tightly coupled memory or caches. Arm publishes no table: the figures are
//! measurements of others and the scheduling model that Arm contributed to LLVM, which agree almost everywhere.
//!
//! Not modelled: how the alignment of instructions limits pairing, the store buffer when it is full.

use super::dual_issue::{Forwarding, forward};
use super::operands::Producer;
use super::pairing::Rules;
use super::{Class, Issue, Row, Status, Table, row};

const LLVM: &str = "LLVM, ARMScheduleM7.td and ARMLatencyMutations.cpp (from Arm)";
const MEASURED: &str = "jnk0le/random, pipeline cycle test/doc/cortex_m7.md (STM32H743)";
const BOTH: &str =
    "jnk0le/random, cortex_m7.md (STM32H743), and LLVM, ARMScheduleM7.td; quinapalus.com/cm7cycles.html (STM32H730)";
const GUESSED: &str = "as for the other instructions that issue alone in LLVM, ARMScheduleM7.td";
const LATENCY: &str = "Arm, \"Cortex-M for Beginners\": typically 12 cycles, at worst 14";
const EXIT: &str = "as Arm gives it for the Cortex-M4";

use Status::{Documented, Estimate, MeasuredByOthers};

/// The table.
pub const TABLE: Table =
    Table { version: "cortex-m7/3", issue: Issue::Dual(&FORWARDING), rows: ROWS, prefetch_words: None, transfer_words: 2 };

/// Rows of loads and stores count transfers of 64 bits.
#[rustfmt::skip] // a table
const ROWS: &[Row] = &[
    row(Class::Data, 1, 0, BOTH, MeasuredByOthers),
    row(Class::DataShifted, 1, 0, BOTH, MeasuredByOthers),
    row(Class::Simd, 1, 0, BOTH, MeasuredByOthers),
    row(Class::Multiply, 1, 0, BOTH, MeasuredByOthers),
    row(Class::MultiplyAccumulate, 1, 0, BOTH, MeasuredByOthers),
    row(Class::MultiplyLong, 1, 0, BOTH, MeasuredByOthers),
    row(Class::MultiplyLongAccumulate, 1, 0, BOTH, MeasuredByOthers),
    row(Class::MultiplySimd, 1, 0, BOTH, MeasuredByOthers),
    row(Class::Divide, 3, 0, "between 3 and 12, with 7 as LLVM's ARMScheduleM7.td takes it in the middle", Estimate),
    row(Class::DivideRange, 9, 0, "between 3 and 12, with 7 as LLVM's ARMScheduleM7.td takes it in the middle", Estimate),
    row(Class::IfThen, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::Hint, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::Wait, 3, 0, LLVM, Estimate),
    row(Class::Special, 3, 0, LLVM, Estimate),
    row(Class::ChangeState, 3, 0, LLVM, Estimate),
    row(Class::Barrier, 3, 0, LLVM, Estimate),
    row(Class::InstructionBarrier, 8, 0, "as a mispredicted branch", Estimate),
    row(Class::Exceptional, 1, 0, GUESSED, Estimate),
    row(Class::Load, 1, 0, BOTH, MeasuredByOthers),
    row(Class::LoadLiteral, 1, 0, BOTH, MeasuredByOthers),
    row(Class::LoadStored, 4, 0, LLVM, Documented),
    row(Class::Store, 1, 0, BOTH, MeasuredByOthers),
    row(Class::StoreRegisterOffset, 1, 0, BOTH, MeasuredByOthers),
    row(Class::LoadDual, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::StoreDual, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::LoadMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::StoreMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::LoadExclusive, 1, 0, LLVM, Documented),
    row(Class::StoreExclusive, 1, 0, LLVM, Documented),
    row(Class::UnalignedAccess, 3, 0, MEASURED, MeasuredByOthers),
    row(Class::Branch, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::BranchLink, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::BranchExchange, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::LoadPc, 1, 0, LLVM, Estimate),
    row(Class::PopPc, 0, 1, MEASURED, Estimate),
    row(Class::TableBranch, 2, 0, LLVM, Documented),
    row(Class::Mispredicted, 8, 0, MEASURED, MeasuredByOthers),
    row(Class::MispredictedEarly, 6, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatData, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatMultiply, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatMultiplyAccumulate, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatFused, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatBusy, 3, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatDivide, 16, 0, BOTH, MeasuredByOthers),
    row(Class::FloatSquareRoot, 14, 0, MEASURED, MeasuredByOthers),
    row(Class::FloatConvert, 1, 0, LLVM, Documented),
    row(Class::FloatTransfer, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatTransferPair, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatToCorePair, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatLoad, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatLoadDouble, 0, 1, BOTH, MeasuredByOthers),
    row(Class::FloatLoadMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::FloatStore, 1, 0, BOTH, MeasuredByOthers),
    row(Class::FloatStoreDouble, 0, 1, BOTH, MeasuredByOthers),
    row(Class::FloatStoreMultiple, 0, 1, MEASURED, MeasuredByOthers),
    row(Class::ExceptionEntry, 12, 0, LATENCY, Documented),
    row(Class::ExceptionReturn, 10, 0, EXIT, Estimate),
    row(Class::TailChain, 6, 0, EXIT, Estimate),
    row(Class::FloatFrame, 0, 1, EXIT, Estimate),
];

/// Shifters, address adders and the early adder work a stage before the main adder; multipliers and narrow loads deliver a stage behind
/// it, and stores take their data two stages behind it. Columns: base, index, shifter, adder, adder beside the shifter, factor, addend, store data; FPU operand,
/// addend of VFMA, of VMLA, VSTR data, VMOV to a core register.
#[rustfmt::skip] // a table
const FORWARDING: Forwarding = Forwarding {
    rows: [
        forward(Producer::EarlyAlu,     [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Alu,          [2, 2, 2, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::ShiftedAlu,   [2, 2, 2, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::Reverse,      [2, 2, 2, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::BitField,     [2, 2, 2, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::Dsp,          [2, 2, 2, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::ExtendAdd,    [2, 2, 2, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::Saturating,   [3, 3, 3, 2, 2, 2, 1, 0, 2, 2, 2, 0, 2], LLVM, Documented),
        forward(Producer::Multiply,     [4, 4, 3, 2, 2, 2, 1, 0, 2, 2, 2, 0, 2], BOTH, MeasuredByOthers),
        forward(Producer::Load,         [2, 3, 2, 1, 2, 2, 1, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::NarrowLoad,   [3, 3, 3, 2, 2, 2, 1, 0, 2, 2, 2, 0, 2], BOTH, MeasuredByOthers),
        forward(Producer::BaseUpdate,   [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1], BOTH, MeasuredByOthers),
        forward(Producer::FromFloat,    [2, 2, 2, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1], MEASURED, MeasuredByOthers),
        forward(Producer::Float,        [0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 2, 1, 3], BOTH, MeasuredByOthers),
        forward(Producer::FloatFused,   [0, 0, 0, 0, 0, 0, 0, 0, 5, 3, 2, 3, 5], BOTH, MeasuredByOthers),
        forward(Producer::FloatChained, [0, 0, 0, 0, 0, 0, 0, 0, 6, 3, 3, 4, 6], BOTH, MeasuredByOthers),
        forward(Producer::FloatLoad,    [0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 2, 1, 2], MEASURED, MeasuredByOthers),
        forward(Producer::ToFloat,      [0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 2, 1, 3], BOTH, MeasuredByOthers),
    ],
    flags: 1,
    shifted_flags: 1,
    rules: Rules::CortexM7,
};
