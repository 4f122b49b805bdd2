//! Runs side by side: each trains and is measured on its share of the cores, and what is finished stays finished.

use crate::checkpoint::{CONFIG_FILE, TENSORS_FILE, write_whole};
use crate::checkpoint_folder::Folder;
use crate::corpus::Corpus;
use crate::cost::Costs;
use crate::metrics::Metrics;
use crate::sweep::grid::Run;
use crate::sweep::measure::{Settings, measure};
use crate::sweep::point;
use crate::train::{Options, train};
use anyhow::{Context, Result, anyhow};
use candle_core::Device;
use indicatif::ProgressBar;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Points of a run, in its folder; written once it is measured.
const POINTS_FILE: &str = "points.jsonl";
/// Settings that they were measured with.
const SETTINGS_FILE: &str = "settings.json";
/// Points of all finished runs, in the folder of the sweep.
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

/// How a run was measured, from its folder.
///
/// # Errors
/// The file is missing or malformed.
pub fn settings(folder: &Path) -> Result<Settings> {
    let path = folder.join(SETTINGS_FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

impl Sweep<'_> {
    /// Runs all that is not finished, `jobs` at a time, and writes the results of what is. Returns how many runs failed; why, `report` was
    /// told.
    ///
    /// # Errors
    /// The results cannot be written, or threads cannot be started.
    pub fn run(&self, jobs: usize, report: &(dyn Fn(&Run, &str) + Sync)) -> Result<usize> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / jobs).max(1);
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = Mutex::new(());
        let worker = || -> Result<()> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < self.runs.len()) {
                let run = &self.runs[index];
                match pool.install(|| self.one(run, self.costs[index].as_ref(), report)) {
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
            let workers: Vec<_> = (0..jobs.min(self.runs.len())).map(|_| scope.spawn(worker)).collect();
            let ended = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a run panicked"))));
            ended.collect::<Result<Vec<()>>>()
        })?;
        self.write_results()?;
        Ok(failed.into_inner())
    }

    /// Trains a run from where it stands, and measures it.
    fn one(&self, run: &Run, costs: Option<&Costs>, report: &dyn Fn(&Run, &str)) -> Result<()> {
        run.prepare()?;
        if self.points(run).is_some() {
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
        let points = measure(run, &folder, self.corpus.validation(), self.settings, costs, &|note| report(run, note))?;
        // Older points must not be taken for these.
        let file = run.folder.join(POINTS_FILE);
        if file.exists() {
            std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        let settings = serde_json::to_string_pretty(self.settings)? + "\n";
        write_whole(&run.folder.join(SETTINGS_FILE), settings.as_bytes())?;
        write_whole(&file, point::write(&points)?.as_bytes())?;
        Ok(())
    }

    /// The points of a run that is finished, as they were written.
    fn points(&self, run: &Run) -> Option<String> {
        settings(&run.folder).ok().filter(|settings| settings == self.settings)?;
        std::fs::read_to_string(run.folder.join(POINTS_FILE)).ok()
    }

    fn write_results(&self) -> Result<()> {
        let text: String = self.runs.iter().filter_map(|run| self.points(run)).collect();
        Ok(write_whole(&self.folder.join(SWEEP_FILE), text.as_bytes())?)
    }
}
