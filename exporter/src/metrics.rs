//! What training shows while it runs: a progress bar on a terminal, and one JSON line every few steps in a file.

use crate::checkpoint::write_whole;
use crate::recipe::Recipe;
use crate::train::Progress;
use crate::watch::Watched;
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Steps between two lines. Checkpoints fall on the ends of lines, so that a resumed run writes the same ones.
pub const EVERY: usize = 10;

/// One measured step.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Stage.
    pub stage: usize,
    /// Step of the stage.
    pub step: usize,
    /// Steps of the stage.
    pub steps: usize,
    /// Training tokens seen in all.
    pub tokens: u64,
    /// Loss in nats (of routers: their squared error).
    pub loss: f64,
    /// Share of token-layer operations that ran.
    pub active: f64,
    /// A look at held-out text after some steps.
    pub watched: Option<Watched>,
}

/// A line of the file: means over the steps since the line before.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Line {
    /// Stage.
    pub stage: usize,
    /// Last step.
    pub step: usize,
    /// Training tokens seen in all.
    pub tokens: u64,
    /// Training loss in nats (of routers: their squared error).
    pub loss: f64,
    /// Share of token-layer operations that ran.
    pub active: f64,
    /// Speed of the run so far.
    pub tokens_per_second: f64,
    /// Loss on held-out text in nats, [`Watched::nats`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// [`Watched::active`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_blocks: Option<Vec<f64>>,
}

/// The lines of a file.
///
/// # Errors
/// It cannot be read, or a line is malformed.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let line = |(index, line)| serde_json::from_str(line).with_context(|| format!("{}: line {}", path.display(), index + 1));
    text.lines().enumerate().map(line).collect()
}

/// Receives every step.
#[derive(Debug)]
pub struct Metrics {
    path: Option<PathBuf>,
    file: Option<File>,
    bar: ProgressBar,
    /// The bar counts the tokens of several runs; so many are this one's.
    shared: Option<u64>,
    started: Instant,
    tokens_before: u64,
    sums: (f64, f64, usize),
}

impl Metrics {
    /// Writes lines to `path`, if any; draws a bar if stderr is a terminal.
    pub fn new(path: Option<&Path>) -> Self {
        Self {
            path: path.map(Into::into),
            file: None,
            bar: ProgressBar::hidden(),
            shared: None,
            started: Instant::now(),
            tokens_before: 0,
            sums: (0.0, 0.0, 0),
        }
    }

    /// Like [`Self::new`], but adds its tokens to a bar that shows several runs at once.
    pub fn shared(path: Option<&Path>, bar: ProgressBar) -> Self {
        Self { bar, shared: Some(0), ..Self::new(path) }
    }

    /// Training starts at `progress`; lines of steps that will be repeated are dropped.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn start(&mut self, progress: &Progress, recipe: &Recipe) -> Result<()> {
        self.started = Instant::now();
        self.tokens_before = progress.tokens;
        if self.shared.is_none() {
            self.start_bar(progress, recipe);
        }
        self.show(progress.tokens);
        let Some(path) = &self.path else { return Ok(()) };
        // Two trainings in one folder would write each other's files.
        let is_free = |file: &File| !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        let busy = || format!("another training is at work on {}", path.display());
        ensure!(File::open(path).as_ref().map_or(true, is_free), busy());
        let old = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            old => old.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let done = |line: &&str| {
            let line: Option<Line> = serde_json::from_str(line).ok();
            line.is_some_and(|line| (line.stage, line.step) < (progress.stage, progress.step))
        };
        let kept: String = old.lines().filter(done).flat_map(|line| [line, "\n"]).collect();
        write_whole(path, kept.as_bytes())?;
        let file = File::options().append(true).open(path).with_context(|| format!("cannot write {}", path.display()))?;
        ensure!(is_free(&file), busy());
        self.file = Some(file);
        Ok(())
    }

    fn start_bar(&mut self, progress: &Progress, recipe: &Recipe) {
        let to_come: usize = recipe.stages.iter().skip(progress.stage).map(|stage| stage.tokens).sum();
        let context = usize::from(recipe.model.context);
        let done = recipe.stages.get(progress.stage).map_or(0, |stage| progress.step * stage.batch * context);
        self.bar = ProgressBar::new(progress.tokens + to_come.saturating_sub(done) as u64);
        self.bar.set_style(
            ProgressStyle::with_template("{bar:30} {pos}/{len} tokens, {msg}, {per_sec}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        self.bar.set_position(progress.tokens);
        self.bar.reset_eta();
    }

    fn show(&mut self, tokens: u64) {
        match &mut self.shared {
            Some(own) => {
                self.bar.inc(tokens.saturating_sub(*own));
                *own = tokens;
            }
            None => self.bar.set_position(tokens),
        }
    }

    /// One step is done.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn step(&mut self, point: &Point) -> Result<()> {
        self.show(point.tokens);
        let (loss, active, count) = &mut self.sums;
        *loss += point.loss;
        *active += point.active;
        *count += 1;
        if !(point.step + 1).is_multiple_of(EVERY) && point.step + 1 != point.steps {
            return Ok(());
        }
        let (loss, active) = (*loss / *count as f64, *active / *count as f64);
        self.sums = (0.0, 0.0, 0);
        let seconds = self.started.elapsed().as_secs_f64();
        let tokens_per_second = ((point.tokens - self.tokens_before) as f64 / seconds).round();
        if self.shared.is_none() {
            self.bar.set_message(format!("stage {}, loss {loss:.4}, active {:.1}%", point.stage, 100.0 * active));
        }
        if let Some(file) = &mut self.file {
            let Point { stage, step, tokens, .. } = *point;
            let (validation, active_blocks) = match &point.watched {
                Some(Watched { nats, active }) => (Some(*nats), active.clone()),
                None => (None, None),
            };
            let line = Line { stage, step, tokens, loss, active, tokens_per_second, validation, active_blocks };
            writeln!(file, "{}", serde_json::to_string(&line)?)?;
        }
        Ok(())
    }

    /// Training is over.
    pub fn finish(&mut self) {
        if self.shared.is_none() {
            self.bar.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_trainings_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let recipe = Recipe::parse(include_str!("../recipes/tiny.toml")).unwrap();
        let mut first = Metrics::new(Some(&path));
        first.start(&Progress::default(), &recipe).unwrap();
        let second = || Metrics::new(Some(&path)).start(&Progress::default(), &recipe);
        assert!(second().unwrap_err().to_string().starts_with("another training is at work on "));
        let point = Point { stage: 0, step: 9, steps: 20, tokens: 640, loss: 2.0, active: 1.0, watched: None };
        first.step(&point).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1, "the first one's lines are still its own");
        drop(first);
        second().unwrap();
    }
}
