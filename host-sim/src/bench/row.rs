//! What came of a bench: rows for the table and for JSON, schema `fathom-bench/1`.

use super::case::{Case, dtype};
use super::kernel::Counts;
use super::peers::Peer;
use super::table::Goal;
use crate::report::grouped;
use fathom::format::Element;
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

/// The shape of an attention.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Attention {
    /// Query heads.
    pub heads: u16,
    /// Key/value heads.
    pub kv_heads: u16,
    /// Width of a head.
    pub head_dim: u16,
    /// Positions.
    pub positions: u16,
}

/// One case. Cycles are modelled and of the whole call.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// `gemv`, `gemm`, `attention`, `token` or `block_inactive`.
    pub kernel: &'static str,
    /// Element type of the weights.
    pub dtype: &'static str,
    /// Output rows; positions for `attention`, blocks for `token` and `block_inactive`.
    pub rows: u64,
    /// Input columns; width of all heads for `attention`, of the model for `token` and `block_inactive`.
    pub cols: u64,
    /// Tokens.
    pub tokens: u64,
    /// Multiply-accumulates, for `token` those with weights; those of the active block for `block_inactive`.
    pub macs: u64,
    /// Instructions.
    pub instructions: u64,
    /// Modelled cycles.
    pub cycles: u64,
    /// Cycles per multiply-accumulate.
    pub cycles_per_mac: f64,
    /// Heads of `attention`.
    #[serde(flatten)]
    pub attention: Option<Attention>,
    /// Policy and cache of `block_inactive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<&'static str>,
    /// Cycles of `block_inactive` in percent of those of an active block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_active_block: Option<f64>,
    /// What the core needs at least, in cycles per multiply-accumulate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// What must be reached: cycles per multiply-accumulate, or percent of an active block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must: Option<f64>,
    /// What is aimed at, in the same unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aim: Option<f64>,
    /// The same work by other libraries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
}

impl Row {
    /// That of a kernel.
    pub fn of_kernel(work: Work, counts: Counts) -> Self {
        let kernel = Case::Kernel(work).kernel();
        match work {
            Work::Product { element, rows, columns, tokens } => {
                Self::new(kernel, element, [rows, columns, tokens].map(u64::from), work.macs(), counts)
            }
            // Never a row of its own.
            Work::Peer { rows, columns, tokens, .. } => {
                Self::new(kernel, Element::Int8, [rows, columns, tokens].map(u64::from), work.macs(), counts)
            }
            Work::Attention { element, heads, kv_heads, head_dim, positions } => {
                let attention = Attention { heads, kv_heads, head_dim, positions };
                let extents = [u64::from(positions), u64::from(heads) * u64::from(head_dim), 1];
                Self { attention: Some(attention), ..Self::new(kernel, element, extents, work.macs(), counts) }
            }
        }
    }

    /// That of a part of a token; `extents` are the model's blocks and width.
    pub fn of_model(case: &Case, element: Element, extents: (u64, u64), macs: u64, counts: Counts) -> Self {
        Self::new(case.kernel(), element, [extents.0, extents.1, 1], macs, counts)
    }

    fn new(kernel: &'static str, element: Element, [rows, cols, tokens]: [u64; 3], macs: u64, counts: Counts) -> Self {
        Self {
            kernel,
            dtype: dtype(element),
            rows,
            cols,
            tokens,
            macs,
            instructions: counts.instructions,
            cycles: counts.cycles,
            cycles_per_mac: counts.cycles as f64 / macs as f64,
            attention: None,
            variant: None,
            percent_of_active_block: None,
            floor: None,
            must: None,
            aim: None,
            peers: Vec::new(),
        }
    }

    /// The same with what it is judged by.
    pub(super) fn judged(self, goal: Option<Goal>, floor: Option<f64>) -> Self {
        Self { floor, must: goal.map(|goal| goal.must), aim: goal.map(|goal| goal.aim), ..self }
    }

    /// The figure that goals and budgets are about: percent of an active block, else cycles per multiply-accumulate.
    pub fn figure(&self) -> f64 {
        self.percent_of_active_block.unwrap_or(self.cycles_per_mac)
    }

    /// What it is, in one short text.
    pub fn name(&self) -> String {
        if let Some(Attention { heads, head_dim, positions, .. }) = self.attention {
            return format!("attention {} {heads}x{head_dim}, {positions} positions", self.dtype);
        }
        match (self.kernel, self.variant) {
            (kernel, Some(variant)) => format!("{kernel} {variant}"),
            ("token", None) => format!("token {} {} blocks of {}", self.dtype, self.rows, self.cols),
            (kernel, None) => {
                let tokens = if self.tokens > 1 { format!(", {} tokens", self.tokens) } else { String::new() };
                format!("{kernel} {} {}x{}{tokens}", self.dtype, self.rows, self.cols)
            }
        }
    }
}

impl Report {
    /// The rows as a table for people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "{}, {}, table {}: modelled cycles of whole calls", self.core, self.memory_profile, self.cost_table);
        let _ = writeln!(
            out,
            "  {:<35}{:>13}{:>13}{:>12}{:>8}{:>7}{:>7}",
            "kernel", "instructions", "cycles", "cycles/MAC", "floor", "must", "aim"
        );
        for row in &self.rows {
            let (figure, unit) = match row.percent_of_active_block {
                Some(percent) => (format!("{percent:.2}"), "%"),
                None => (format!("{:.3}", row.cycles_per_mac), ""),
            };
            let share = row.floor.map_or(String::new(), |floor| format!("{:.0}%", 100.0 * floor / row.cycles_per_mac));
            let goal = |goal: Option<f64>| goal.map_or(String::new(), |goal| format!("{goal:.2}{unit}"));
            let missed = if row.must.is_some_and(|must| row.figure() > must) { "  MISSED" } else { "" };
            let line = format!(
                "  {:<35}{:>13}{:>13}{:>12}{share:>8}{:>7}{:>7}{missed}",
                row.name(),
                grouped(row.instructions),
                grouped(row.cycles),
                format!("{figure}{unit}"),
                goal(row.must),
                goal(row.aim),
            );
            let _ = writeln!(out, "{}", line.trim_end());
            for peer in &row.peers {
                let line = match (&peer.cycles_per_mac, &peer.missing) {
                    (Some(figure), _) => format!(
                        "{:>13}{:>13}{figure:>12.3}  {:.1} times ours",
                        grouped(peer.instructions.unwrap_or_default()),
                        grouped(peer.cycles.unwrap_or_default()),
                        figure / row.cycles_per_mac
                    ),
                    (None, why) => format!("  {}", why.as_deref().unwrap_or_default()),
                };
                let _ =
                    writeln!(out, "    {:<31}{line}", format!("{} {}", peer.name.replace("fully_connected", "fc"), peer.version));
            }
        }
        out
    }
}
