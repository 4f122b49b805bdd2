//! `exporter train`.

use super::device::DeviceName;
use crate::corpus::Corpus;
use crate::metrics::{EVERY, Metrics};
use crate::recipe::Recipe;
use crate::split::Split;
use crate::train::{Options, train};
use anyhow::{Context, Result, bail};
use clap::Parser;
use std::path::PathBuf;

/// Train a recipe on a text file
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  exporter train exporter/recipes/default.toml --corpus tinyshakespeare.txt --out run
  exporter train exporter/recipes/default.toml --corpus tinyshakespeare.txt --out run --resume
  exporter train recipe.toml --corpus enwik8.xz --split enwik8 --out run
  exporter train exporter/recipes/int4.toml --from checkpoint --corpus text.txt --out model-int4")]
pub struct Cmd {
    /// The recipe, TOML
    recipe: PathBuf,
    /// The corpus: any text file, packed by xz or not
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// How the corpus is divided into training, validation and test parts: 90/10, 80/10/10, or enwik8, whose last 5,000,000 bytes test
    /// and the 5,000,000 before them validate
    #[arg(long, default_value = "90/10")]
    split: Split,
    /// Folder of the checkpoint
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Start from the weights of another checkpoint of the same model
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Go on from the checkpoint in the folder, exactly as if training had not stopped
    #[arg(long)]
    resume: bool,
    /// Steps between checkpoints, rounded up to whole tens
    #[arg(long, default_value_t = 100, value_name = "STEPS")]
    checkpoint_every: usize,
    /// Threads; their number changes no bit of the result [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where the model is trained
    #[arg(long, value_enum, default_value_t)]
    device: DeviceName,
    /// Replace a checkpoint that is already there
    #[arg(long, conflicts_with = "resume")]
    force: bool,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        let text =
            std::fs::read_to_string(&self.recipe).with_context(|| format!("cannot read the recipe {}", self.recipe.display()))?;
        let recipe = Recipe::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", self.recipe.display()))?;
        let corpus = Corpus::read(&self.corpus, self.split, usize::from(recipe.model.context), None)?;
        let there = self.out.join(crate::checkpoint::TENSORS_FILE).exists();
        if there && !self.resume && !self.force {
            bail!("{} holds a checkpoint: give --resume to go on, or --force to replace it", self.out.display());
        }
        if self.checkpoint_every == 0 {
            bail!("--checkpoint-every must be at least 1");
        }
        if self.threads == Some(0) {
            bail!("--threads must be at least 1");
        }
        if self.from.as_ref().is_some_and(|from| from.canonicalize().ok() == self.out.canonicalize().ok() && there)
            && !self.resume
        {
            bail!("--from and --out are the same folder: train into another one");
        }
        if self.resume && !there {
            eprintln!("exporter: {} holds no checkpoint: training starts anew", self.out.display());
        }
        let device = self.device.open()?;
        let mut metrics = Metrics::new(Some(&self.out.join("metrics.jsonl")));
        let options = Options {
            folder: &self.out,
            checkpoint_every: self.checkpoint_every.div_ceil(EVERY).saturating_mul(EVERY),
            resume: self.resume && there,
            from: self.from.as_deref(),
            device: &device,
            stop_after: None,
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0)).build()?;
        pool.install(|| train(&recipe, &corpus, &options, &mut metrics))
    }
}
