//! `exporter plot`.

use crate::plot::blocks::Blocks;
use crate::plot::curves::{Curves, trained};
use crate::plot::pareto::Pareto;
use crate::plot::passage::Passage;
use crate::plot::picture::{Picture, write};
use crate::plot::reading;
use crate::plot::surprise::Surprise;
use crate::sweep::group::recipes;
use crate::sweep::point::read_file;
use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::path::{Path, PathBuf};

/// Draw the pictures of a sweep, as SVG and PNG
#[derive(Parser, Debug)]
#[command(after_help = "\
pareto: loss against modelled cycles per token (weight multiply-accumulates of a sweep without cycles).
curves: loss over training. blocks: tokens that run each block, over training.
With --run, of the text that the run was measured on: passage: a heat map of depth, character by character; surprise: depth against
the surprise of each character and its place in its word.

Examples:
  exporter plot runs/sweep.jsonl --out pictures
  exporter plot runs/sweep.jsonl --out pictures --run a-s1 --corpus text.txt")]
pub struct Cmd {
    /// Results of `exporter sweep`, among the folders of its runs
    sweep: PathBuf,
    /// Folder of the pictures
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// A run of the sweep whose routers are watched
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
        let points = read_file(&self.sweep)?;
        let names = recipes(&points);
        let folder = self.sweep.parent().unwrap_or_else(|| Path::new(""));
        let runs = trained(&points, folder)?;
        let (pareto, curves) = (Pareto::new(&points)?, Curves::new(&names, &runs)?);
        let reading = match (&self.run, &self.corpus) {
            (Some(run), Some(corpus)) => Some(reading::read(&folder.join(run), corpus, self.target)?),
            _ => None,
        };
        if let Some(reading) = &reading {
            let last = reading.characters.len();
            ensure!(self.from < last, "--from {}: the text has characters 0 to {}", self.from, last - 1);
        }
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        self.write(&pareto, "pareto")?;
        self.write(&curves, "curves")?;
        // A sweep of dense models has none.
        if let Ok(blocks) = Blocks::new(&names, &runs) {
            self.write(&blocks, "blocks")?;
        }
        if let Some(reading) = &reading {
            self.write(&Passage::new(reading, self.from), "passage")?;
            self.write(&Surprise::new(reading), "surprise")?;
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
