//! What instructions and events cost: [`class`] sorts them, one file per core prices the classes, [`pipeline`] and [`dual_issue`]
//! add up the price of a straight run of instructions. Nothing outside this folder holds a number of cycles.

pub mod class;

pub mod cortex_m0plus;
pub mod cortex_m3;
pub mod cortex_m33;
pub mod cortex_m4;
pub mod cortex_m7;

pub(super) mod pipeline;

pub use class::Class;

/// How well a row of a table is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In the manufacturer's documentation.
    Documented,
    /// Measured on silicon and published by others.
    MeasuredByOthers,
    /// Our reading of an imprecise source.
    Estimate,
}

/// The cost of one class of instruction or event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it prices.
    pub class: Class,
    /// Fixed cycles.
    pub cycles: u32,
    /// Cycles for each register or word transferred.
    pub per_word: u32,
    /// Where the figure is from.
    pub source: &'static str,
    /// How well it is known.
    pub status: Status,
}

/// A row of a table, with all of its columns on one line.
pub(in crate::machine) const fn row(class: Class, cycles: u32, per_word: u32, source: &'static str, status: Status) -> Row {
    Row { class, cycles, per_word, source, status }
}

/// How a core issues instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issue {
    /// One at a time, in order.
    Single,
    /// Up to two at a time, in order.
    Dual,
}

/// All costs of one core. A class without a row costs nothing: the core has no such instruction, or the effect does not exist there.
#[derive(Debug)]
pub struct Table {
    /// Names the table in reports; changes with any figure in it.
    pub version: &'static str,
    /// How instructions are issued.
    pub issue: Issue,
    /// The rows.
    pub rows: &'static [Row],
}

impl Table {
    /// Cycles of one class, with `words` registers or words transferred.
    pub const fn cost(&self, class: Class, words: u32) -> u32 {
        let mut index = 0;
        while index < self.rows.len() {
            let row = &self.rows[index];
            if row.class as u32 == class as u32 {
                return row.cycles + row.per_word * words;
            }
            index += 1;
        }
        0
    }
}

/// The costs that only execution can know, looked up once.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunCosts {
    /// A conditional branch that is taken, beyond what decoding charged.
    pub(super) refill: u32,
    /// A branch to a wide instruction that no aligned word holds.
    pub(super) unaligned_target: u32,
    /// A data access that no aligned word holds.
    pub(super) unaligned_access: u32,
    /// An instruction whose IT condition fails.
    pub(super) skipped: u32,
    pub(super) exception_entry: u32,
    pub(super) exception_return: u32,
    pub(super) tail_chain: u32,
    /// Storing or loading the FPU part of an exception frame.
    pub(super) float_frame: u32,
    /// Most quotient-dependent cycles of a division.
    divide_range: u32,
}

/// Words of the FPU part of an exception frame.
pub(super) const FLOAT_FRAME_WORDS: u32 = 18;

impl RunCosts {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            refill: table.cost(Class::Refill, 0),
            unaligned_target: table.cost(Class::UnalignedTarget, 0),
            unaligned_access: table.cost(Class::UnalignedAccess, 0),
            skipped: table.cost(Class::Skipped, 0),
            exception_entry: table.cost(Class::ExceptionEntry, 0),
            exception_return: table.cost(Class::ExceptionReturn, 0),
            tail_chain: table.cost(Class::TailChain, 0),
            float_frame: table.cost(Class::FloatFrame, FLOAT_FRAME_WORDS),
            divide_range: table.cost(Class::DivideRange, 0),
        }
    }

    /// Quotient-dependent cycles of a division of magnitudes. Arm documents only the range and that leading zeros shorten it; the range
    /// is spread evenly over the bits of the quotient (an estimate), none where the quotient is 0 or the divisor is.
    pub(super) fn divide_extra(&self, dividend: u32, divisor: u32) -> u32 {
        if divisor == 0 || dividend < divisor {
            return 0;
        }
        let quotient_bits = divisor.leading_zeros() - dividend.leading_zeros() + 1;
        (quotient_bits * self.divide_range).div_ceil(u32::BITS)
    }
}
