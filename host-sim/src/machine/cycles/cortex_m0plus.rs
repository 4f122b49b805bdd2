//! Cortex-M0+ with the single-cycle or the 32-cycle multiplier.

use super::{Class, Issue, Row, Status, Table, row};

const INTEGER: &str = "Arm DDI0484, table 3-1 (Cortex-M0+ instructions)";
const EXCEPTIONS: &str = "Arm DDI0484, section 3.6 (exceptions)";

use Status::{Documented, Estimate};

/// The table with the single-cycle multiplier.
pub const TABLE: Table = Table { version: "cortex-m0plus/1", issue: Issue::Single, rows: &rows(1) };
/// The table with the 32-cycle multiplier.
pub const SLOW_MULTIPLIER: Table = Table { version: "cortex-m0plus-mul32/1", issue: Issue::Single, rows: &rows(32) };

#[rustfmt::skip] // a table
const fn rows(multiply: u32) -> [Row; 22] { [
    row(Class::Data, 1, 0, INTEGER, Documented),
    row(Class::Multiply, multiply, 0, INTEGER, Documented),
    row(Class::Hint, 1, 0, INTEGER, Documented),
    row(Class::Wait, 1, 0, INTEGER, Documented),
    row(Class::Special, 3, 0, INTEGER, Documented),
    row(Class::ChangeState, 1, 0, INTEGER, Documented),
    row(Class::Barrier, 3, 0, INTEGER, Documented),
    row(Class::Exceptional, 1, 0, INTEGER, Documented),
    row(Class::Load, 2, 0, INTEGER, Documented),
    row(Class::LoadLiteral, 2, 0, INTEGER, Documented),
    row(Class::Store, 2, 0, INTEGER, Documented),
    row(Class::StoreRegisterOffset, 2, 0, INTEGER, Documented),
    row(Class::LoadMultiple, 1, 1, INTEGER, Documented),
    row(Class::StoreMultiple, 1, 1, INTEGER, Documented),
    row(Class::Branch, 1, 0, INTEGER, Documented),
    row(Class::BranchLink, 2, 0, INTEGER, Documented),
    row(Class::BranchExchange, 1, 0, INTEGER, Documented),
    row(Class::PopPc, 1, 1, INTEGER, Documented),
    row(Class::Refill, 1, 0, INTEGER, Documented),
    row(Class::ExceptionEntry, 15, 0, EXCEPTIONS, Documented),
    row(Class::ExceptionReturn, 13, 0, EXCEPTIONS, Estimate),
    row(Class::TailChain, 9, 0, EXCEPTIONS, Estimate),
]}
