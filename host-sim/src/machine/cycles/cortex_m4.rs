//! Cortex-M4, with or without FPU, at zero wait states.
//!
//! Not modelled: contention of literal loads with instruction fetch, the interruption of LDM and STM, a full write buffer. A store
//! directly behind a load saves nothing, as Arm's examples have it: jnk0le/random measures that it saves a cycle where both go to the same
//! memory, but ML-KEM on an STM32L4R5 comes out 5% low instead of 2% with that.

use super::{Class, Issue, Row, Status, Table, row};

const INTEGER: &str = "Arm 100166 (Cortex-M4 r0p1 manual; DDI0439 before), table 3-1";
const PAIRING: &str = "TI SWCU185G and SWCU192, load/store timings; the same text in Arm DDI0337I, page 3-9";
const MEASURED: &str = "jnk0le/random, pipeline cycle test/doc/cortex_m3m4.md (STM32F407)";
const RELOAD: &str = "TI SWCU185G, load/store timings (as Arm DDI0337I, page 3-9): LDR pc takes 2 + 3 cycles, TBB 2 + 1 + 3";
const BRANCHES: &str = "Arm 100166, table 3-1: 1 to 3, depending on early speculation; jnk0le/random and cortexm-AES (STM32F407)";
const FOLDING: &str =
    "Arm 100166, ACTLR.DISFOLD; LLVM, ARMScheduleM3.td (only IT goes with another); jnk0le/cortexm-AES (STM32F407)";
const PRODUCTS: &str = "fitted to pornin/curve9767 (STM32F407)";
const BARRIERS: &str = "Arm 100166, table 3-1: 1 + B, where B is 0 or, for ISB, a refill";
const FLOAT: &str = "Arm 100166 (DDI0439 before), table 7-1 (FPU instruction set)";
const FLOAT_RESULT: &str =
    "Arm 100166, notes on the FPU instruction set: one cycle longer if the next instruction takes the result";
const EXCEPTIONS: &str = "Arm KA103489845 (interrupt latency of Cortex-M3 and Cortex-M4)";
const CHAIN: &str = "TI SLAU356I, section 1.5.8";

use Status::{Documented, Estimate, MeasuredByOthers};

/// The table.
pub const TABLE: Table = Table {
    version: "cortex-m4/3",
    issue: Issue::Single,
    rows: ROWS,
    // Arm KA103488664 (Cortex-M3 and Cortex-M4 have a prefetch buffer of three words).
    prefetch_words: Some(3),
    transfer_words: 1,
};

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
    row(Class::IfThen, 1, 0, INTEGER, Documented),
    row(Class::FoldedIfThen, 1, 0, FOLDING, MeasuredByOthers),
    row(Class::Skipped, 1, 0, INTEGER, Documented),
    row(Class::Hint, 1, 0, INTEGER, Documented),
    row(Class::Wait, 1, 0, INTEGER, Documented),
    row(Class::Special, 2, 0, INTEGER, Documented),
    row(Class::ChangeState, 2, 0, INTEGER, Documented),
    row(Class::Barrier, 1, 0, BARRIERS, Documented),
    row(Class::InstructionBarrier, 3, 0, BARRIERS, Documented),
    row(Class::Exceptional, 1, 0, INTEGER, Estimate),
    row(Class::Load, 2, 0, INTEGER, Documented),
    row(Class::LoadLiteral, 2, 0, INTEGER, Documented),
    row(Class::PipelinedLoad, 1, 0, PAIRING, Documented),
    row(Class::PipelinedIndexedLoad, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::NopBehindLoad, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::AddressDependency, 1, 0, PAIRING, Documented),
    row(Class::Store, 1, 0, PAIRING, Documented),
    row(Class::StoreRegisterOffset, 2, 0, MEASURED, MeasuredByOthers),
    row(Class::LoadBehindStore, 1, 0, MEASURED, MeasuredByOthers),
    row(Class::StoreOfProduct, 1, 0, PRODUCTS, Estimate),
    row(Class::LoadDual, 1, 1, INTEGER, Documented),
    row(Class::StoreDual, 1, 1, INTEGER, Documented),
    row(Class::LoadMultiple, 1, 1, INTEGER, Documented),
    row(Class::StoreMultiple, 1, 1, INTEGER, Documented),
    row(Class::LoadExclusive, 2, 0, INTEGER, Documented),
    row(Class::StoreExclusive, 2, 0, INTEGER, Documented),
    row(Class::UnalignedAccess, 1, 0, "an unaligned access becomes two", Estimate),
    row(Class::Branch, 1, 0, INTEGER, Documented),
    row(Class::BranchLink, 1, 0, INTEGER, Documented),
    row(Class::BranchExchange, 1, 0, INTEGER, Documented),
    row(Class::LoadPc, 3, 0, RELOAD, Documented),
    row(Class::PopPc, 2, 1, RELOAD, Estimate),
    row(Class::TableBranch, 4, 0, RELOAD, Documented),
    row(Class::Refill, 2, 0, BRANCHES, MeasuredByOthers),
    row(Class::RefillDirect, 1, 0, BRANCHES, MeasuredByOthers),
    row(Class::FloatData, 1, 0, FLOAT, Documented),
    row(Class::FloatMultiply, 1, 0, FLOAT, Documented),
    row(Class::FloatMultiplyAccumulate, 3, 0, FLOAT, Documented),
    row(Class::FloatFused, 3, 0, FLOAT, Documented),
    row(Class::FloatDivide, 14, 0, FLOAT, Documented),
    row(Class::FloatSquareRoot, 14, 0, FLOAT, Documented),
    row(Class::FloatConvert, 1, 0, FLOAT, Documented),
    row(Class::FloatTransfer, 1, 0, FLOAT, Documented),
    row(Class::FloatToCorePair, 2, 0, FLOAT, Documented),
    row(Class::FloatTransferPair, 2, 0, FLOAT, Documented),
    row(Class::FloatResult, 1, 0, FLOAT_RESULT, Documented),
    row(Class::FloatLoad, 2, 0, FLOAT, Documented),
    row(Class::FloatLoadDouble, 1, 1, FLOAT, Documented),
    row(Class::FloatLoadMultiple, 1, 1, FLOAT, Documented),
    row(Class::FloatStore, 1, 0, "Arm 100166, table 7-1: 2, one of them in the write buffer as for STR", Estimate),
    row(Class::FloatStoreDouble, 1, 1, FLOAT, Documented),
    row(Class::FloatStoreMultiple, 1, 1, FLOAT, Documented),
    row(Class::ExceptionEntry, 12, 0, EXCEPTIONS, Documented),
    row(Class::ExceptionReturn, 10, 0, EXCEPTIONS, Documented),
    row(Class::TailChain, 6, 0, CHAIN, Documented),
    row(Class::FloatFrame, 17, 0, EXCEPTIONS, Documented),
];
