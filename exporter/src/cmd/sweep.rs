//! `exporter sweep`.

use super::bar;
use super::device::DeviceName;
use super::part::PartName;
use crate::corpus::Corpus;
use crate::cost::{Costs, host_sim};
use crate::metrics::EVERY;
use crate::split::Split;
use crate::sweep::grid::{Run, grid};
use crate::sweep::measure::Settings;
use crate::sweep::point::Kind;
use crate::sweep::prices::Prices;
use crate::sweep::schedule::{SWEEP_FILE, Sweep};
use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use std::fs::{File, TryLockError};
use std::path::PathBuf;

/// Train recipes with several seeds, measure each beside its controls, and write one line for each measurement
#[derive(Parser, Debug)]
#[command(after_help = "\
A run is a recipe with a seed, in FOLDER/RECIPE-sSEED. Runs share the cores. A sweep that was interrupted goes on where it stood and
ends with the same bytes; FOLDER/sweep.jsonl has the runs of the last sweep into it. Thresholds are fitted to the first tokens of the
validation part, and losses measured on those after them, or on the test part, through int8 blobs under hard routing (int4 of recipes
with a quantise stage).
Cycles are modelled by host-sim, once for each shape; delete FOLDER/costs to measure them again, of finished runs too.

Examples:
  exporter sweep a.toml b.toml --corpus text.txt --folder runs
  exporter sweep recipe.toml --corpus enwik8.xz --split enwik8 --seeds 1,2,3 --folder runs
  exporter sweep recipe.toml --corpus enwik8.xz --split enwik8 --part test --folder runs
  exporter sweep recipe.toml --corpus text.txt --folder runs --jobs 2 --no-cycles")]
pub struct Cmd {
    /// The recipes, TOML
    #[arg(required = true, value_name = "RECIPE")]
    recipes: Vec<PathBuf>,
    /// The corpus: any text file, packed by xz or not
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// How the corpus is divided
    #[arg(long, default_value = "90/10")]
    split: Split,
    /// Seeds of every recipe, instead of its own
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "SEED,...")]
    seeds: Vec<u64>,
    /// Folder of the runs and results
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Runs at a time [default: one for each core]
    #[arg(long)]
    jobs: Option<usize>,
    /// Where the models are trained
    #[arg(long, value_enum, default_value_t)]
    device: DeviceName,
    /// Shares of token-layer operations to save
    #[arg(long, value_delimiter = ',', default_value = "0.1,0.2,0.3,0.4,0.5,0.6", value_name = "SHARE,...")]
    targets: Vec<f64>,
    /// Tokens from the start of the validation part that thresholds are fitted to, at most half of it
    #[arg(long, default_value_t = 16_384, value_name = "TOKENS")]
    calibration_tokens: usize,
    /// The part that losses are measured on; thresholds are always fitted to the validation part
    #[arg(long, value_enum, default_value_t = PartName::Validation)]
    part: PartName,
    /// Tokens that losses are measured on: those after the calibration tokens, or the first of the test part
    #[arg(long, default_value_t = 65_536, value_name = "TOKENS")]
    validation_tokens: usize,
    /// What routed runs are compared with
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "static,random,shuffled,confidence",
        value_name = "CONTROL,..."
    )]
    controls: Vec<ControlName>,
    /// The core of the modelled cycles
    #[arg(long, default_value = "cortex-m4")]
    core: String,
    /// The program that models cycles [default: host-sim beside this program]
    #[arg(long, value_name = "PROGRAM")]
    host_sim: Option<PathBuf>,
    /// Model no cycles
    #[arg(long, conflicts_with_all = ["host_sim", "core"])]
    no_cycles: bool,
    /// Steps between checkpoints, rounded up to whole tens
    #[arg(long, default_value_t = 100, value_name = "STEPS")]
    checkpoint_every: usize,
}

/// Command-line names of the controls.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ControlName {
    /// The last blocks are dropped for every token
    Static,
    /// Tokens halt at random
    Random,
    /// The routers' depths, given to other tokens
    Shuffled,
    /// A token stops at the first exit that is sure enough
    Confidence,
}

impl From<ControlName> for Kind {
    fn from(name: ControlName) -> Self {
        match name {
            ControlName::Static => Self::Static,
            ControlName::Random => Self::Random,
            ControlName::Shuffled => Self::Shuffled,
            ControlName::Confidence => Self::Confidence,
        }
    }
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        if let Some(target) = self.targets.iter().find(|target| !(**target > 0.0 && **target < 1.0)) {
            bail!("target {target} is not a share between 0 and 1");
        }
        for (name, value) in [("--jobs", self.jobs), ("--checkpoint-every", Some(self.checkpoint_every))] {
            if value == Some(0) {
                bail!("{name} must be at least 1");
            }
        }
        let runs = grid(&self.recipes, &self.seeds, &self.folder)?;
        let context = runs.iter().map(|run| usize::from(run.recipe.model.context)).max().unwrap_or_default();
        let corpus = Corpus::read(&self.corpus, self.split, context, None)?;
        let file_name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let settings = Settings {
            corpus: file_name(&self.corpus),
            targets: self.targets.clone(),
            calibration_tokens: self.calibration_tokens,
            part: self.part.into(),
            validation_tokens: self.validation_tokens,
            controls: self.controls.iter().map(|name| (*name).into()).collect(),
            core: (!self.no_cycles).then(|| self.core.clone()),
        };
        settings.divide(&corpus)?;
        let host_sim = match (self.no_cycles, &self.host_sim) {
            (true, _) => None,
            (false, Some(path)) => Some(path.clone()),
            (false, None) => Some(host_sim().context(
                "there is no host-sim beside this program: build it with `cargo build --release --bin host-sim`, or give --no-cycles",
            )?),
        };
        std::fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))?;
        let lock = self.folder.join("lock");
        let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
        match lock.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => bail!("another sweep is at work in {}", self.folder.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", self.folder.join("lock").display()));
            }
        }
        let prices = host_sim.map(|host_sim| Prices { host_sim, core: self.core.clone(), folder: self.folder.clone() });
        let cost = |run: &Run| -> Result<Option<Costs>> {
            prices.as_ref().map(|prices| prices.of(run, &corpus)).transpose().with_context(|| run.label())
        };
        let costs: Vec<Option<Costs>> = runs.iter().map(cost).collect::<Result<_>>()?;
        let device = self.device.open()?;
        let bar = bar(runs.iter().map(Run::tokens).sum(), "tokens");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let sweep = Sweep {
            runs: &runs,
            costs: &costs,
            corpus: &corpus,
            settings: &settings,
            folder: &self.folder,
            device: &device,
            checkpoint_every: self.checkpoint_every.div_ceil(EVERY).saturating_mul(EVERY),
            bar: bar.clone(),
        };
        let failed = sweep.run(self.jobs.unwrap_or(cores), &|run, what| {
            bar.suspend(|| eprintln!("exporter: {}: {what}", run.label()));
        })?;
        bar.finish_and_clear();
        if failed > 0 {
            bail!("{failed} of {} runs failed: why is said above; the others are in {}", runs.len(), self.folder.display());
        }
        say!("{}: {} runs", self.folder.join(SWEEP_FILE).display(), runs.len());
        Ok(())
    }
}
