//! Cortex-M0+ with the single-cycle or the 32-cycle multiplier. Instructions do not affect each other's time at zero wait states.

use super::{Class, Issue, Row, Status, Table, row};

const INTEGER: &str = "Arm DDI0484, table 3-1 (Cortex-M0+ instruction summary)";
const BRANCHES: &str = "Arm DDI0484, table 3-1 (Cortex-M0+ instruction summary): 2 taken, BL 3, POP with pc 3+N";
const ENTRY: &str = "Arm, \"A Beginner's Guide on Interrupt Latency\": 15 cycles";
const RETURN: &str = "none is published: 8 words back, 1 to begin, and the entry's fetch of 4 cycles";
const CHAIN: &str = "none is published: the entry without its 8 words, 2 cycles of overlap";

use Status::{Documented, Estimate};

/// The table with the single-cycle multiplier.
pub const TABLE: Table = Table { version: "cortex-m0plus/2", ..table(&rows(1)) };
/// The table with the 32-cycle multiplier.
pub const SLOW_MULTIPLIER: Table = Table { version: "cortex-m0plus-mul32/2", ..table(&rows(32)) };

const fn table(rows: &'static [Row]) -> Table {
    Table { version: "", issue: Issue::Single, rows, prefetch_words: None, transfer_words: 1 }
}

#[rustfmt::skip] // a table
const fn rows(multiply: u32) -> [Row; 24] { [
    row(Class::Data, 1, 0, INTEGER, Documented),
    row(Class::Multiply, multiply, 0, INTEGER, Documented),
    row(Class::Hint, 1, 0, INTEGER, Documented),
    row(Class::Wait, 2, 0, INTEGER, Documented),
    row(Class::Special, 3, 0, INTEGER, Documented),
    row(Class::ChangeState, 1, 0, INTEGER, Documented),
    row(Class::Barrier, 3, 0, INTEGER, Documented),
    row(Class::InstructionBarrier, 3, 0, INTEGER, Documented),
    row(Class::Exceptional, 1, 0, INTEGER, Estimate),
    row(Class::Load, 2, 0, INTEGER, Documented),
    row(Class::LoadLiteral, 2, 0, INTEGER, Documented),
    row(Class::Store, 2, 0, INTEGER, Documented),
    row(Class::StoreRegisterOffset, 2, 0, INTEGER, Documented),
    row(Class::LoadMultiple, 1, 1, INTEGER, Documented),
    row(Class::StoreMultiple, 1, 1, INTEGER, Documented),
    row(Class::Branch, 1, 0, INTEGER, Documented),
    row(Class::BranchLink, 2, 0, BRANCHES, Documented),
    row(Class::BranchExchange, 1, 0, BRANCHES, Documented),
    row(Class::PopPc, 2, 1, BRANCHES, Documented),
    row(Class::Refill, 1, 0, BRANCHES, Documented),
    row(Class::RefillDirect, 1, 0, BRANCHES, Documented),
    row(Class::ExceptionEntry, 15, 0, ENTRY, Documented),
    row(Class::ExceptionReturn, 13, 0, RETURN, Estimate),
    row(Class::TailChain, 9, 0, CHAIN, Estimate),
]}
