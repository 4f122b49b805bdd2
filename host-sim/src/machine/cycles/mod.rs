//! Cycle tables, one file per core.

pub mod cortex_m4;

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
    pub name: &'static str,
    /// Fixed cycles.
    pub cycles: u32,
    /// Cycles for each register or word transferred.
    pub per_word: u32,
    /// Where the figure is from.
    pub source: &'static str,
    /// How well it is known.
    pub status: Status,
}
