//! What instructions and events cost: [`class`] sorts them, one file per core prices the classes, `pipeline` and `dual_issue`
//! add up the price of a straight run of instructions. Nothing outside this folder holds a number of cycles.

mod branch_prediction;
pub mod class;

pub mod cortex_m0plus;
pub mod cortex_m3;
pub mod cortex_m33;
pub mod cortex_m4;
pub mod cortex_m7;

pub mod dual_issue;
pub mod operands;
pub mod pairing;
pub(super) mod pipeline;

pub(super) use branch_prediction::Predictor;
pub use class::Class;

use dual_issue::Forwarding;
use serde::Deserialize;

/// How well a row of a table or a figure of a memory profile is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In the manufacturer's documentation.
    Documented,
    /// Measured on silicon and published by others.
    #[serde(rename = "measured by others")]
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
#[derive(Clone, Copy, Debug)]
pub enum Issue {
    /// One at a time, in order.
    Single,
    /// Up to two at a time, in order, as soon as their operands can be forwarded.
    Dual(&'static Forwarding),
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
    /// Words of the prefetch buffer, where it can run dry without wait states.
    pub prefetch_words: Option<u32>,
    /// Words that one transfer moves.
    pub transfer_words: u32,
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
    /// The same, where it was paired with an instruction that sets the flags.
    pub(super) refill_flags: u32,
    /// A branch that was predicted wrongly.
    pub(super) mispredicted: u32,
    /// The same, where the flags were there early.
    pub(super) mispredicted_early: u32,
    /// A data access that no aligned word holds.
    pub(super) unaligned_access: u32,
    /// An instruction whose IT condition fails; where there is no such price, it costs what it costs else.
    pub(super) skipped: Option<u32>,
    pub(super) exception_entry: u32,
    pub(super) exception_return: u32,
    pub(super) tail_chain: u32,
    /// Storing or loading the FPU part of an exception frame.
    pub(super) float_frame: u32,
    /// Most quotient-dependent cycles of a division.
    divide_range: u32,
    /// Most factor-dependent cycles of a long multiplication, without and with addition.
    multiply_ranges: [u32; 2],
}

/// Words of the FPU part of an exception frame.
pub(super) const FLOAT_FRAME_WORDS: u32 = 18;

impl RunCosts {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            refill: table.cost(Class::RefillDirect, 0),
            refill_flags: table.cost(Class::RefillFlags, 0),
            mispredicted: table.cost(Class::Mispredicted, 0),
            mispredicted_early: table.cost(Class::MispredictedEarly, 0),
            unaligned_access: table.cost(Class::UnalignedAccess, 0),
            skipped: table.rows.iter().find(|row| row.class == Class::Skipped).map(|row| row.cycles),
            exception_entry: table.cost(Class::ExceptionEntry, 0),
            exception_return: table.cost(Class::ExceptionReturn, 0),
            tail_chain: table.cost(Class::TailChain, 0),
            float_frame: table.cost(Class::FloatFrame, FLOAT_FRAME_WORDS),
            divide_range: table.cost(Class::DivideRange, 0),
            multiply_ranges: [table.cost(Class::MultiplyLongRange, 0), table.cost(Class::MultiplyLongAccumulateRange, 0)],
        }
    }

    /// Factor-dependent cycles of a long multiplication of these magnitudes. Arm documents only the range and that small factors shorten
    /// it; the range is spread over the factors that need more than 16 bits (an estimate).
    pub(super) fn multiply_extra(&self, accumulate: bool, n: u32, m: u32) -> u32 {
        let wide = u32::from(n >> 16 != 0) + u32::from(m >> 16 != 0);
        (self.multiply_ranges[usize::from(accumulate)] * wide).div_ceil(2)
    }

    /// Whether long multiplications end early.
    pub(super) fn multiplies_end_early(&self) -> bool {
        self.multiply_ranges != [0, 0]
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
