//! Cortex-M3 at zero wait states.
//!
//! Not modelled: contention of literal loads with instruction fetch, the interruption of LDM and STM, a full write buffer. Loads with
//! write-back do not pipeline behind loads here (measured), which is why they have no row.

use super::{Class, Issue, Row, Status, Table, row};

const INTEGER: &str = "Arm DDI0337I (Cortex-M3 r2p1 manual), table 3-1; DDI0337E, table 18-1";
const PAIRING: &str = "Arm DDI0337I, page 3-9 (load/store timings)";
const MEASURED: &str = "jnk0le/random, pipeline cycle test/doc/cortex_m3m4.md (STM32F103)";
const RELOAD: &str = "Arm DDI0337I, page 3-9: LDR pc takes 2 + 3 cycles, TBB 2 + 1 + 3";
const BRANCHES: &str =
    "Arm DDI0337I, table 3-1: 1 to 3, depending on early speculation; jnk0le/random and cortexm-AES (STM32F103)";
const FOLDING: &str =
    "Arm DDI0337I, ACTLR.DISFOLD; LLVM, ARMScheduleM3.td (only IT goes with another); jnk0le/cortexm-AES (STM32F103)";
const PRODUCTS: &str = "fitted to the Dilithium of pqm3 (SAM3X8E), as for the Cortex-M4";
const BARRIERS: &str = "Arm DDI0337I, table 3-1: 1 + B, where B is 0 or, for ISB, a refill";
const EXCEPTIONS: &str = "Arm KA103489845 (interrupt latency of Cortex-M3 and Cortex-M4)";
const CHAIN: &str = "as TI SLAU356I, section 1.5.8, has it for the Cortex-M4";

use Status::{Documented, Estimate, MeasuredByOthers};

/// The table.
pub const TABLE: Table = Table {
    version: "cortex-m3/3",
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
    row(Class::Multiply, 1, 0, INTEGER, Documented),
    row(Class::MultiplyAccumulate, 2, 0, INTEGER, Documented),
    row(Class::MultiplyLong, 3, 0, INTEGER, Documented),
    row(Class::MultiplyLongRange, 2, 0, INTEGER, Documented),
    row(Class::MultiplyLongAccumulate, 4, 0, INTEGER, Documented),
    row(Class::MultiplyLongAccumulateRange, 3, 0, INTEGER, Documented),
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
    row(Class::ExceptionEntry, 12, 0, EXCEPTIONS, Documented),
    row(Class::ExceptionReturn, 10, 0, EXCEPTIONS, Documented),
    row(Class::TailChain, 6, 0, CHAIN, Estimate),
];
