//! What came of a bench: rows for the table and for JSON, schema `fathom-bench/1`.

use super::case::{Case, dtype};
use super::kernel::Counts;
use crate::report::grouped;
use fathom::format::bench::Work;
use serde::Serialize;
use std::fmt::Write;

/// Name of the schema.
pub const SCHEMA: &str = "fathom-bench/1";

/// All rows of one core.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The modelled core.
    pub core: &'static str,
    /// The modelled memory system.
    pub memory_profile: String,
    /// Version of the cycle table.
    pub cost_table: &'static str,
    /// One per case.
    pub rows: Vec<Row>,
}

/// One kernel at one shape. Cycles are modelled and of the whole call.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// `gemv`, `gemm`, `attention`, `token` or `block_inactive`.
    pub kernel: &'static str,
    /// Element type of the weights.
    pub dtype: &'static str,
    /// Output rows.
    pub rows: u64,
    /// Input columns.
    pub cols: u64,
    /// Tokens.
    pub tokens: u64,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Instructions.
    pub instructions: u64,
    /// Modelled cycles.
    pub cycles: u64,
    /// Cycles per multiply-accumulate.
    pub cycles_per_mac: f64,
}

impl Row {
    /// That of a case.
    pub fn new(case: &Case, counts: Counts) -> Self {
        let Work::Product { element, rows, columns, tokens } = case.work;
        let (macs, Counts { instructions, cycles }) = (case.macs(), counts);
        Self {
            kernel: case.kernel(),
            dtype: dtype(element),
            rows: rows.into(),
            cols: columns.into(),
            tokens: tokens.into(),
            macs,
            instructions,
            cycles,
            cycles_per_mac: cycles as f64 / macs as f64,
        }
    }
}

impl Report {
    /// The rows as a table for people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let _ =
            writeln!(out, "{}, {}, table {}: modelled cycles of whole calls", self.core, self.memory_profile, self.cost_table);
        let _ = writeln!(
            out,
            "  {:<10}{:<7}{:>11}{:>8}{:>14}{:>14}{:>12}",
            "kernel", "dtype", "shape", "tokens", "instructions", "cycles", "cycles/MAC"
        );
        for row in &self.rows {
            let shape = format!("{}x{}", row.rows, row.cols);
            let (instructions, cycles) = (grouped(row.instructions), grouped(row.cycles));
            let _ = writeln!(
                out,
                "  {:<10}{:<7}{shape:>11}{:>8}{instructions:>14}{cycles:>14}{:>12.3}",
                row.kernel, row.dtype, row.tokens, row.cycles_per_mac
            );
        }
        out
    }
}
