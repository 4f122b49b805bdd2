//! `exporter eval`.

use super::part::PartName;
use super::{bar, read_blob};
use crate::blob_eval::{Evaluation, evaluate, windows};
use crate::checkpoint_folder::{Folder, full_depth};
use crate::corpus::Corpus;
use crate::evaluate;
use crate::model::{Gates, Model, Parameters};
use crate::split::{Part, Split};
use anyhow::{Result, bail};
use clap::Parser;
use fathom::Blob;
use fathom::format::Tokenizer;
use serde::Serialize;
use std::path::PathBuf;

/// Loss and depth on the validation or test part of a corpus, of a checkpoint (float) or a blob (the runtime's own kernels)
#[derive(Parser, Debug)]
#[command(after_help = "\
Windows of the model's context that do not overlap; every token but the first is predicted once. Routing is hard.

Examples:
  exporter eval firmware/models/default.fathom --corpus tinyshakespeare.txt
  exporter eval checkpoint --corpus tinyshakespeare.txt --effort 2 --json
  exporter eval model.fathom --corpus enwik8.xz --split enwik8 --part test")]
pub struct Cmd {
    /// A blob, or the folder of a checkpoint
    model: PathBuf,
    /// The corpus
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// Operating point, 0 the cheapest [default: the model's]
    #[arg(long, conflicts_with = "full")]
    effort: Option<usize>,
    /// Run every block for every token
    #[arg(long)]
    full: bool,
    /// How the corpus is divided [default: as the checkpoint's was; of a blob 90/10]
    #[arg(long)]
    split: Option<Split>,
    /// Which part is evaluated
    #[arg(long, value_enum, default_value_t = PartName::Validation)]
    part: PartName,
    /// Evaluate only this many tokens from the start of the part
    #[arg(long)]
    tokens: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Output {
    schema: &'static str,
    engine: &'static str,
    split: Split,
    part: &'static str,
    tokens: usize,
    nats: f64,
    bits_per_character: f64,
    tlops_saved: f64,
    active: Vec<f64>,
    tokens_per_depth: Vec<usize>,
    attended: u64,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        let (engine, split, found) = if self.model.is_dir() { self.float()? } else { self.blob()? };
        let part = Part::from(self.part).name();
        if self.json {
            let output = Output {
                schema: "fathom-eval/1",
                engine,
                split,
                part,
                tokens: found.tokens,
                nats: found.nats(),
                bits_per_character: found.bits_per_character(),
                tlops_saved: found.saved(),
                active: found.active_shares(),
                tokens_per_depth: found.depths,
                attended: found.attended,
            };
            say!("{}", serde_json::to_string(&output)?);
            return Ok(());
        }
        let shares: Vec<String> = found.active_shares().iter().map(|share| format!("{share:.3}")).collect();
        say!("{engine}, {} tokens of the {part} part, split {}, hard routing", found.tokens, split.name());
        say!("  loss                          {:.4} nats, {:.4} bits per character", found.nats(), found.bits_per_character());
        say!("  token-layer operations saved  {:.1}%", 100.0 * found.saved());
        say!("  active share per block        {}", shares.join(" "));
        Ok(())
    }

    fn tokens(&self, split: Split, context: usize, alphabet: &[u8]) -> Result<Vec<u16>> {
        let corpus = Corpus::read(&self.corpus, split, context, Some(alphabet))?;
        let part = corpus.part(self.part.into())?;
        if self.tokens.is_some_and(|tokens| tokens < 2) {
            bail!("--tokens must be at least 2: one is predicted from the one before it");
        }
        Ok(part[..self.tokens.unwrap_or(part.len()).min(part.len())].to_vec())
    }

    fn float(&self) -> Result<(&'static str, Split, Evaluation)> {
        let folder = Folder::load(&self.model)?;
        let (shape, routers) = (folder.shape, folder.shape.outputs());
        let calibration = if self.full { full_depth(routers) } else { folder.calibration()? };
        let index = self.effort.unwrap_or(calibration.default_point);
        let points = calibration.points.len();
        let Some(point) = calibration.points.get(index) else {
            bail!("--effort {index}: the model has operating points 0 to {}", points - 1)
        };
        let split = self.split.unwrap_or(folder.config.split);
        let tokens = self.tokens(split, shape.context, &folder.config.alphabet)?;
        let model = Model::new(&shape, &Parameters::new(&folder.tensors)?, shape.blocks)?;
        let bar = bar(windows(tokens.len(), shape.context).len() as u64, "windows");
        let gates = if routers == 0 { Gates::Open } else { Gates::Thresholds(&point.thresholds) };
        let found = evaluate::evaluate(&model, &tokens, shape.context, &gates, &|done| bar.inc(done))?;
        bar.finish_and_clear();
        Ok(("float", split, found))
    }

    fn blob(&self) -> Result<(&'static str, Split, Evaluation)> {
        let bytes = read_blob(&self.model)?;
        let blob = Blob::parse(bytes.bytes())?;
        let mut header = blob.header().clone();
        let Tokenizer::Bytes { alphabet } = &header.tokenizer;
        let split = self.split.unwrap_or_default();
        let tokens = self.tokens(split, blob.shape().context, alphabet)?;
        let mut point = self.effort.unwrap_or(usize::from(header.default_point));
        // Full depth is a point of its own, in place of the first; the tensors are the same bytes.
        let mut copy = bytes.clone();
        if self.full {
            header.operating_points[0].thresholds.iter_mut().for_each(|threshold| *threshold = f32::MAX);
            fathom::format::writer::rewrite_header(copy.bytes_mut(), &header)?;
            point = 0;
        }
        let blob = Blob::parse(copy.bytes())?;
        let bar = bar(windows(tokens.len(), blob.shape().context).len() as u64, "windows");
        let found = evaluate(&blob, &tokens, point, &|done| bar.inc(done))?;
        bar.finish_and_clear();
        let engine = match blob.shape().element {
            fathom::format::Element::Int8 => "int8 blob",
            fathom::format::Element::Int4 { .. } => "int4 blob",
            fathom::format::Element::F16 => "f16 blob",
        };
        Ok((engine, split, found))
    }
}
