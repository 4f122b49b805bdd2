//! `exporter table`.

use crate::sweep::point::read_files;
use crate::sweep::table::{Table, markdown};
use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;

/// Print sweeps as a table in Markdown: losses and work over seeds, beside dense models of equal work
#[derive(Parser, Debug)]
#[command(after_help = "\
Behind dense: loss minus that of the line through the dense models of the same seed at the same
cycles (weight multiply-accumulates of a sweep without cycles); less than 0 is better than dense.
The line has every dense model of the sweeps; beyond its ends nothing is compared. Behind the best
dense: the same of the best dense model of the seed that takes no more (or 1% more), a model that
one could ship. Means over the seeds, in brackets least and most, or each seed.

Examples:
  exporter table runs/sweep.jsonl
  exporter table runs/sweep.jsonl --json
  exporter table exporter/results/exit-enwik8.jsonl exporter/results/compare-enwik8.jsonl")]
pub struct Cmd {
    /// Results of `exporter sweep`, of the same corpus
    #[arg(required = true, value_name = "SWEEP")]
    sweeps: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        let table = Table::new(&read_files(&self.sweeps)?);
        match self.json {
            true => say!("{}", serde_json::to_string_pretty(&table)?),
            false => say!("{}", markdown(&table).trim_end()),
        }
        Ok(())
    }
}
