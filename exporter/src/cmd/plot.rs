//! `exporter plot`.

use crate::plot::blocks::Blocks;
use crate::plot::curves::{Curves, trained};
use crate::plot::pareto::Pareto;
use crate::plot::passage::Passage;
use crate::plot::picture::write;
use crate::plot::reading;
use crate::plot::surprise::Surprise;
use crate::sweep::group::recipes;
use crate::sweep::point::read_files;
use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::path::{Path, PathBuf};

/// Draw the pictures of sweeps, as SVG and PNG
#[derive(Parser, Debug)]
#[command(after_help = "\
pareto: loss against modelled cycles per token (weight multiply-accumulates of a sweep without cycles).
curves: loss over training. blocks: tokens that run each block, over training; both of the runs whose folders lie beside the results.
With --run, of the text that the run was measured on: passage: a heat map of depth, character by character; surprise: depth against
the surprise of each character and its place in its word.

Examples:
  exporter plot runs/sweep.jsonl --out pictures
  exporter plot one/sweep.jsonl two/sweep.jsonl --out pictures
  exporter plot runs/sweep.jsonl --out pictures --run a-s1 --corpus text.txt")]
pub struct Cmd {
    /// Results of `exporter sweep`, of the same corpus
    #[arg(required = true, value_name = "SWEEP")]
    sweeps: Vec<PathBuf>,
    /// Folder of the pictures
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// A run of the first sweep whose routers are watched
    #[arg(long, requires = "corpus")]
    run: Option<String>,
    /// The corpus of the run
    #[arg(long, value_name = "FILE", requires = "run")]
    corpus: Option<PathBuf>,
    /// Share of token-layer operations that its routers save
    #[arg(long, default_value_t = 0.4, value_name = "SHARE", requires = "run")]
    target: f64,
    /// First character of the passage
    #[arg(long, default_value_t = 0, value_name = "CHARACTER", requires = "run")]
    from: usize,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        ensure!(self.target > 0.0 && self.target < 1.0, "--target {}: not a share between 0 and 1", self.target);
        let points = read_files(&self.sweeps)?;
        let names = recipes(&points);
        let folders: Vec<&Path> = self.sweeps.iter().map(|sweep| sweep.parent().unwrap_or_else(|| Path::new(""))).collect();
        let folder = folders[0];
        let runs = trained(&points, &folders)?;
        let pareto = Pareto::new(&points)?;
        let reading = match (&self.run, &self.corpus) {
            (Some(run), Some(corpus)) => Some(reading::read(&folder.join(run), corpus, self.target)?),
            _ => None,
        };
        if let Some(reading) = &reading {
            let last = reading.characters.len();
            ensure!(self.from < last, "--from {}: the text has characters 0 to {}", self.from, last - 1);
        }
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        let mut written = Vec::from(write(&pareto, &self.out, "pareto")?);
        // Results without the folders of their runs have none, and a sweep of dense models no blocks that tokens skip.
        if let Ok(curves) = Curves::new(&names, &runs) {
            written.extend(write(&curves, &self.out, "curves")?);
        }
        if let Ok(blocks) = Blocks::new(&names, &runs) {
            written.extend(write(&blocks, &self.out, "blocks")?);
        }
        if let Some(reading) = &reading {
            written.extend(write(&Passage::new(reading, self.from), &self.out, "passage")?);
            written.extend(write(&Surprise::new(reading), &self.out, "surprise")?);
        }
        // Said at the end: a closed stdout stops no picture.
        for path in written {
            say!("{}", path.display());
        }
        Ok(())
    }
}
