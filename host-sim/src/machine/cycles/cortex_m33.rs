//! Cortex-M33 with DSP extension and FPU. Arm publishes no table.

use super::{Class, Issue, Row, Status, Table, row};

const INTEGER: &str = "Arm 100230, table 3-1 (Cortex-M33 instructions)";
const FLOAT: &str = "Arm 100230, table 7-1 (FPU instruction set)";
const PAIRING: &str = "Arm 100230, section 3.3.2 (load/store timings); TI SWCU185G";
const EXCEPTIONS: &str = "Arm 100230, section 3.9 (exceptions); Arm application note 298 for the FPU frame";

use Status::Estimate;

/// The table.
pub const TABLE: Table = Table { version: "cortex-m33/1", issue: Issue::Single, rows: ROWS };

#[rustfmt::skip] // a table
const ROWS: &[Row] = &[
    row(Class::Data, 1, 0, INTEGER, Estimate),
    row(Class::DataShifted, 1, 0, INTEGER, Estimate),
    row(Class::Simd, 1, 0, INTEGER, Estimate),
    row(Class::Multiply, 1, 0, INTEGER, Estimate),
    row(Class::MultiplyAccumulate, 1, 0, INTEGER, Estimate),
    row(Class::MultiplyLong, 1, 0, INTEGER, Estimate),
    row(Class::MultiplyLongAccumulate, 1, 0, INTEGER, Estimate),
    row(Class::MultiplySimd, 1, 0, INTEGER, Estimate),
    row(Class::Divide, 2, 0, INTEGER, Estimate),
    row(Class::DivideRange, 10, 0, INTEGER, Estimate),
    row(Class::IfThen, 1, 0, INTEGER, Estimate),
    row(Class::Skipped, 1, 0, INTEGER, Estimate),
    row(Class::Hint, 1, 0, INTEGER, Estimate),
    row(Class::Wait, 1, 0, INTEGER, Estimate),
    row(Class::Special, 2, 0, INTEGER, Estimate),
    row(Class::ChangeState, 2, 0, INTEGER, Estimate),
    row(Class::Barrier, 1, 0, INTEGER, Estimate),
    row(Class::Exceptional, 1, 0, INTEGER, Estimate),
    row(Class::Load, 2, 0, INTEGER, Estimate),
    row(Class::LoadLiteral, 2, 0, INTEGER, Estimate),
    row(Class::PipelinedLoad, 1, 0, PAIRING, Estimate),
    row(Class::AddressDependency, 0, 0, PAIRING, Estimate),
    row(Class::Store, 1, 0, PAIRING, Estimate),
    row(Class::StoreRegisterOffset, 1, 0, PAIRING, Estimate),
    row(Class::LoadDual, 1, 1, INTEGER, Estimate),
    row(Class::StoreDual, 1, 1, INTEGER, Estimate),
    row(Class::LoadMultiple, 1, 1, INTEGER, Estimate),
    row(Class::StoreMultiple, 1, 1, INTEGER, Estimate),
    row(Class::LoadExclusive, 2, 0, INTEGER, Estimate),
    row(Class::StoreExclusive, 2, 0, INTEGER, Estimate),
    row(Class::UnalignedAccess, 0, 0, PAIRING, Estimate),
    row(Class::Branch, 1, 0, INTEGER, Estimate),
    row(Class::BranchLink, 1, 0, INTEGER, Estimate),
    row(Class::BranchExchange, 1, 0, INTEGER, Estimate),
    row(Class::LoadPc, 2, 0, INTEGER, Estimate),
    row(Class::PopPc, 1, 1, INTEGER, Estimate),
    row(Class::TableBranch, 2, 0, INTEGER, Estimate),
    row(Class::Refill, 2, 0, INTEGER, Estimate),
    row(Class::UnalignedTarget, 0, 0, PAIRING, Estimate),
    row(Class::UnalignedRun, 0, 0, PAIRING, Estimate),
    row(Class::FloatData, 1, 0, FLOAT, Estimate),
    row(Class::FloatMultiply, 1, 0, FLOAT, Estimate),
    row(Class::FloatMultiplyAccumulate, 3, 0, FLOAT, Estimate),
    row(Class::FloatFused, 3, 0, FLOAT, Estimate),
    row(Class::FloatDivide, 14, 0, FLOAT, Estimate),
    row(Class::FloatSquareRoot, 14, 0, FLOAT, Estimate),
    row(Class::FloatConvert, 1, 0, FLOAT, Estimate),
    row(Class::FloatTransfer, 1, 0, FLOAT, Estimate),
    row(Class::FloatTransferPair, 2, 0, FLOAT, Estimate),
    row(Class::FloatResult, 0, 0, FLOAT, Estimate),
    row(Class::FloatLoad, 2, 0, FLOAT, Estimate),
    row(Class::FloatLoadDouble, 1, 1, FLOAT, Estimate),
    row(Class::FloatLoadMultiple, 1, 1, FLOAT, Estimate),
    row(Class::FloatStore, 1, 0, FLOAT, Estimate),
    row(Class::FloatStoreDouble, 1, 1, FLOAT, Estimate),
    row(Class::FloatStoreMultiple, 1, 1, FLOAT, Estimate),
    row(Class::ExceptionEntry, 12, 0, EXCEPTIONS, Estimate),
    row(Class::ExceptionReturn, 12, 0, EXCEPTIONS, Estimate),
    row(Class::TailChain, 6, 0, EXCEPTIONS, Estimate),
    row(Class::FloatFrame, 0, 1, EXCEPTIONS, Estimate),
];
