//! Training, checkpoints and routing of the float model, on data generated here. One binary: candle is linked once.

mod calibration;
mod checkpoint;
mod plain;
mod quantise;
mod resume;
mod routing;

use fathom_exporter::corpus::Corpus;
use fathom_exporter::metrics::Metrics;
use fathom_exporter::recipe::Recipe;
use fathom_exporter::split::Split;
use fathom_exporter::train::{Device, Options, train};
use std::path::Path;

/// The committed recipe for tests: grown, with random depths, dropout and routers.
const TINY: &str = include_str!("../../recipes/tiny.toml");

/// A corpus of 4,000 bytes over eight letters, with some structure to learn.
fn corpus(folder: &Path) -> Corpus {
    let path = folder.join("corpus.txt");
    let text: Vec<u8> = (0..4_000usize).map(|i| b'a' + (i * i / 7 % 5 + i % 4) as u8).collect();
    std::fs::write(&path, text).unwrap();
    Corpus::read(&path, Split::NineToOne, 16, None).unwrap()
}

/// Trains `recipe` into `folder`, stopping after `stop` steps of this call.
fn run(recipe: &Recipe, corpus: &Corpus, folder: &Path, resume: bool, stop: Option<usize>) -> anyhow::Result<()> {
    drive(recipe, corpus, &Options { folder, checkpoint_every: 7, resume, from: None, device: &Device::Cpu, stop_after: stop })
}

/// Trains `recipe` into `folder` from the weights of another checkpoint.
fn run_from(recipe: &Recipe, corpus: &Corpus, folder: &Path, from: Option<&Path>, stop: Option<usize>) -> anyhow::Result<()> {
    drive(recipe, corpus, &Options { folder, checkpoint_every: 7, resume: false, from, device: &Device::Cpu, stop_after: stop })
}

fn drive(recipe: &Recipe, corpus: &Corpus, options: &Options<'_>) -> anyhow::Result<()> {
    train(recipe, corpus, options, &mut Metrics::new(Some(&options.folder.join("metrics.jsonl"))))
}
