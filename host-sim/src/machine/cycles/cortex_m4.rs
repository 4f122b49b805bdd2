//! Cortex-M4, with and without the FPU.

use super::{Class, Issue, Row, Status, Table, row};

const INTEGER: &str = "Arm DDI0439, table 3-1 (Cortex-M4 instructions)";
const FLOAT: &str = "Arm DDI0439, table 7-1 (FPU instruction set)";
const PAIRING: &str = "Arm DDI0439, section 3.3.2 (load/store timings); TI SWCU185G";
const EXCEPTIONS: &str = "Arm DDI0439, section 3.9 (exceptions); Arm application note 298 for the FPU frame";

use Status::{Documented, Estimate, MeasuredByOthers};

/// The table.
pub const TABLE: Table = Table { version: "cortex-m4/1", issue: Issue::Single, rows: ROWS };

#[rustfmt::skip] // a table
const ROWS: &[Row] = &[
    row(Class::Data, 1, 0, INTEGER, Documented),
    row(Class::DataShifted, 1, 0, INTEGER, Documented),
    row(Class::Simd, 1, 0, INTEGER, Documented),
    row(Class::Multiply, 1, 0, INTEGER, Documented),
    row(Class::MultiplyAccumulate, 1, 0, INTEGER, Documented),
    row(Class::MultiplyLong, 1, 0, INTEGER, Documented),
    row(Class::MultiplyLongAccumulate, 1, 0, INTEGER, Documented),
    row(Class::MultiplySimd, 1, 0, INTEGER, Documented),
    row(Class::Divide, 2, 0, INTEGER, Documented),
    row(Class::DivideRange, 10, 0, INTEGER, Documented),
    row(Class::IfThen, 1, 0, INTEGER, Estimate),
    row(Class::Skipped, 1, 0, INTEGER, Documented),
    row(Class::Hint, 1, 0, INTEGER, Documented),
    row(Class::Wait, 1, 0, INTEGER, Documented),
    row(Class::Special, 2, 0, INTEGER, Estimate),
    row(Class::ChangeState, 2, 0, INTEGER, Estimate),
    row(Class::Barrier, 1, 0, INTEGER, Estimate),
    row(Class::Exceptional, 1, 0, INTEGER, Estimate),
    row(Class::Load, 2, 0, INTEGER, Documented),
    row(Class::LoadLiteral, 2, 0, INTEGER, Documented),
    row(Class::PipelinedLoad, 1, 0, PAIRING, MeasuredByOthers),
    row(Class::AddressDependency, 0, 0, PAIRING, Estimate),
    row(Class::Store, 1, 0, PAIRING, MeasuredByOthers),
    row(Class::StoreRegisterOffset, 1, 0, PAIRING, MeasuredByOthers),
    row(Class::LoadDual, 1, 1, INTEGER, Documented),
    row(Class::StoreDual, 1, 1, INTEGER, Documented),
    row(Class::LoadMultiple, 1, 1, INTEGER, Documented),
    row(Class::StoreMultiple, 1, 1, INTEGER, Documented),
    row(Class::LoadExclusive, 2, 0, INTEGER, Documented),
    row(Class::StoreExclusive, 2, 0, INTEGER, Documented),
    row(Class::UnalignedAccess, 0, 0, PAIRING, Estimate),
    row(Class::Branch, 1, 0, INTEGER, Documented),
    row(Class::BranchLink, 1, 0, INTEGER, Documented),
    row(Class::BranchExchange, 1, 0, INTEGER, Documented),
    row(Class::LoadPc, 2, 0, INTEGER, Documented),
    row(Class::PopPc, 1, 1, INTEGER, Documented),
    row(Class::TableBranch, 2, 0, INTEGER, Estimate),
    row(Class::Refill, 2, 0, INTEGER, Estimate),
    row(Class::UnalignedTarget, 0, 0, PAIRING, Estimate),
    row(Class::UnalignedRun, 0, 0, PAIRING, Estimate),
    row(Class::FloatData, 1, 0, FLOAT, Documented),
    row(Class::FloatMultiply, 1, 0, FLOAT, Documented),
    row(Class::FloatMultiplyAccumulate, 3, 0, FLOAT, Documented),
    row(Class::FloatFused, 3, 0, FLOAT, Documented),
    row(Class::FloatDivide, 14, 0, FLOAT, Documented),
    row(Class::FloatSquareRoot, 14, 0, FLOAT, Documented),
    row(Class::FloatConvert, 1, 0, FLOAT, Documented),
    row(Class::FloatTransfer, 1, 0, FLOAT, Documented),
    row(Class::FloatTransferPair, 2, 0, FLOAT, Documented),
    row(Class::FloatResult, 0, 0, FLOAT, Estimate),
    row(Class::FloatLoad, 2, 0, FLOAT, Documented),
    row(Class::FloatLoadDouble, 1, 1, FLOAT, Documented),
    row(Class::FloatLoadMultiple, 1, 1, FLOAT, Documented),
    row(Class::FloatStore, 1, 0, FLOAT, Estimate),
    row(Class::FloatStoreDouble, 1, 1, FLOAT, Documented),
    row(Class::FloatStoreMultiple, 1, 1, FLOAT, Documented),
    row(Class::ExceptionEntry, 12, 0, EXCEPTIONS, Documented),
    row(Class::ExceptionReturn, 12, 0, EXCEPTIONS, Estimate),
    row(Class::TailChain, 6, 0, EXCEPTIONS, Documented),
    row(Class::FloatFrame, 0, 1, EXCEPTIONS, Estimate),
];
