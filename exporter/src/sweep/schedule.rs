//! Runs side by side: each trains and is measured on its share of the cores, and what is finished stays finished.

use crate::checkpoint::{CONFIG_FILE, TENSORS_FILE, write_whole};
use crate::checkpoint_folder::Folder;
use crate::corpus::Corpus;
use crate::cost::Costs;
use crate::fetch::hexadecimal;
use crate::metrics::Metrics;
use crate::split::Split;
use crate::sweep::grid::Run;
use crate::sweep::measure::{Settings, measure};
use crate::sweep::point;
use crate::train::{Options, train};
use anyhow::{Context, Result, anyhow};
use candle_core::Device;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Points of a run, in its folder; written once it is measured.
const POINTS_FILE: &str = "points.jsonl";
/// What they are points of.
const SETTINGS_FILE: &str = "settings.json";
/// Points of all finished runs of the last sweep, in its folder.
pub const SWEEP_FILE: &str = "sweep.jsonl";

/// What all runs share.
pub struct Sweep<'a> {
    /// The runs, in the order of the results.
    pub runs: &'a [Run],
    /// What tokens cost in each run, `[runs]`.
    pub costs: &'a [Option<Costs>],
    /// What they are trained on.
    pub corpus: &'a Corpus,
    /// How they are measured.
    pub settings: &'a Settings,
    /// Folder of the results.
    pub folder: &'a Path,
    /// Where the models are trained.
    pub device: &'a Device,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Counts training tokens.
    pub bar: ProgressBar,
}

/// What the points of a run are points of. With anything else they are measured anew.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Measured {
    settings: Settings,
    split: Split,
    /// SHA-256 of the corpus, hexadecimal.
    corpus: String,
    costs: Option<Costs>,
}

/// How a run was measured, from its folder.
///
/// # Errors
/// The file is missing or malformed.
pub fn settings(folder: &Path) -> Result<Settings> {
    let path = folder.join(SETTINGS_FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let measured: Measured = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(measured.settings)
}

impl Sweep<'_> {
    /// Runs all that is not finished, `jobs` at a time, and writes the results of what is. Returns how many runs failed; why, `report` was
    /// told.
    ///
    /// # Errors
    /// The results cannot be written, or threads cannot be started.
    pub fn run(&self, jobs: usize, report: &(dyn Fn(&Run, &str) + Sync)) -> Result<usize> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = jobs.min(self.runs.len()).max(1);
        let threads = (cores / jobs).max(1);
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = Mutex::new(());
        let worker = || -> Result<()> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < self.runs.len()) {
                let run = &self.runs[index];
                match pool.install(|| self.one(index, report)) {
                    Ok(()) => {
                        let _one_writer = results.lock();
                        self.write_results()?;
                    }
                    Err(error) => {
                        failed.fetch_add(1, Ordering::Relaxed);
                        report(run, &format!("{error:#}"));
                    }
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
            let ended = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a run panicked"))));
            ended.collect::<Result<Vec<()>>>()
        })?;
        self.write_results()?;
        Ok(failed.into_inner())
    }

    /// Trains a run from where it stands, and measures it.
    fn one(&self, index: usize, report: &dyn Fn(&Run, &str)) -> Result<()> {
        let (run, costs) = (&self.runs[index], self.costs[index].as_ref());
        run.prepare()?;
        if self.points(index).is_some() {
            self.bar.inc(run.tokens());
            return Ok(());
        }
        let resume = [TENSORS_FILE, CONFIG_FILE].iter().all(|file| run.folder.join(file).exists());
        let options = Options {
            folder: &run.folder,
            checkpoint_every: self.checkpoint_every,
            resume,
            from: None,
            device: self.device,
            stop_after: None,
        };
        let mut metrics = Metrics::shared(Some(&run.folder.join("metrics.jsonl")), self.bar.clone());
        train(&run.recipe, self.corpus, &options, &mut metrics)?;
        let folder = Folder::load(&run.folder)?;
        let points = measure(run, &folder, self.corpus, self.settings, costs, &|note| report(run, note))?;
        // Older points must not be taken for these.
        let file = run.folder.join(POINTS_FILE);
        if file.exists() {
            std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        write_whole(&run.folder.join(SETTINGS_FILE), self.measured(index)?.as_bytes())?;
        write_whole(&file, point::write(&points)?.as_bytes())?;
        Ok(())
    }

    /// What the points of run `index` are to be points of, as it is written.
    fn measured(&self, index: usize) -> Result<String> {
        let measured = Measured {
            settings: self.settings.clone(),
            split: self.corpus.split,
            corpus: hexadecimal(&self.corpus.sha256),
            costs: self.costs[index].clone(),
        };
        Ok(serde_json::to_string_pretty(&measured)? + "\n")
    }

    /// The points of a run that is finished, as they were written.
    fn points(&self, index: usize) -> Option<String> {
        let run = &self.runs[index];
        let settings = std::fs::read_to_string(run.folder.join(SETTINGS_FILE)).ok()?;
        let same = run.is_there() && settings == self.measured(index).ok()?;
        same.then(|| std::fs::read_to_string(run.folder.join(POINTS_FILE)).ok())?
    }

    fn write_results(&self) -> Result<()> {
        let text: String = (0..self.runs.len()).filter_map(|index| self.points(index)).collect();
        // Nothing is no reason to lose what another sweep has written.
        if text.is_empty() {
            return Ok(());
        }
        Ok(write_whole(&self.folder.join(SWEEP_FILE), text.as_bytes())?)
    }
}
