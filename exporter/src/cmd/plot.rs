//! `exporter plot`.

use crate::plot::blocks::Blocks;
use crate::plot::curves::{Curves, trained};
use crate::plot::marks::recipes;
use crate::plot::pareto::Pareto;
use crate::plot::picture::{Picture, write};
use crate::sweep::point::read;
use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::path::{Path, PathBuf};

/// Draw the pictures of a sweep, as SVG and PNG
#[derive(Parser, Debug)]
#[command(after_help = "\
pareto: loss against modelled cycles per token (weight multiply-accumulates of a sweep without cycles).
curves: loss over training. blocks: tokens that run each block, over training.

Examples:
  exporter plot runs/sweep.jsonl --out pictures")]
pub struct Cmd {
    /// Results of `exporter sweep`, among the folders of its runs
    sweep: PathBuf,
    /// Folder of the pictures
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        let text = std::fs::read_to_string(&self.sweep).with_context(|| format!("cannot read {}", self.sweep.display()))?;
        let points = read(&text).with_context(|| self.sweep.display().to_string())?;
        ensure!(!points.is_empty(), "{} has no points", self.sweep.display());
        let names = recipes(&points);
        let runs = trained(&points, self.sweep.parent().unwrap_or_else(|| Path::new("")))?;
        let (pareto, curves) = (Pareto::new(&points)?, Curves::new(&names, &runs)?);
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        self.write(&pareto, "pareto")?;
        self.write(&curves, "curves")?;
        // A sweep of dense models has none.
        if let Ok(blocks) = Blocks::new(&names, &runs) {
            self.write(&blocks, "blocks")?;
        }
        Ok(())
    }

    fn write(&self, picture: &impl Picture, name: &str) -> Result<()> {
        for path in write(picture, &self.out, name)? {
            say!("{}", path.display());
        }
        Ok(())
    }
}
