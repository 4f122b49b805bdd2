//! `exporter calibrate`.

use super::bar;
use super::element::ElementArguments;
use crate::calibrate::{Levels, calibrate, sample};
use crate::checkpoint::{model, write_whole};
use crate::checkpoint_folder::{CALIBRATION_FILE, Calibration, Folder};
use crate::corpus::Corpus;
use crate::evaluate::{evaluate, open_pass};
use crate::model::{Gates, Model, Parameters};
use anyhow::{Result, bail};
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;

/// Find the routers' thresholds for a list of target shares, on held-out text
#[derive(Parser, Debug)]
#[command(after_help = "\
The shares are of token-layer operations saved, met under hard routing through a blob on pieces that are spread over the validation
part, under the split that the model was trained with. What is printed, and stored with each point, is measured on the whole part, or
on its first --validation-tokens. The points are written into the checkpoint's
folder, from where `exporter export` takes them.

Examples:
  exporter calibrate checkpoint --corpus tinyshakespeare.txt
  exporter calibrate checkpoint --corpus tinyshakespeare.txt --targets 0,0.2,0.4,0.5 --default 0.4
  exporter calibrate checkpoint --corpus text.txt --dtype int4 --calibration-text text.txt")]
pub struct Cmd {
    /// Folder of the checkpoint
    checkpoint: PathBuf,
    /// The corpus that the model was trained on
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// Shares of token-layer operations to save
    #[arg(long, value_delimiter = ',', default_value = "0,0.1,0.2,0.3,0.4,0.5")]
    targets: Vec<f64>,
    /// The target that applications get unless they choose
    #[arg(long, default_value_t = 0.4, value_name = "TARGET")]
    default: f64,
    /// Tokens of the validation part to calibrate on
    #[arg(long, default_value_t = 16_384)]
    tokens: usize,
    /// Tokens from the start of the validation part that losses are measured on [default: all]
    #[arg(long, value_name = "TOKENS")]
    validation_tokens: Option<usize>,
    #[command(flatten)]
    element: ElementArguments,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        let folder = Folder::load(&self.checkpoint)?;
        let (shape, config) = (folder.shape, &folder.config);
        if shape.outputs() == 0 {
            bail!("a dense model has nothing to calibrate: export it as it is");
        }
        if let Some(target) = self.targets.iter().find(|target| !(0.0..1.0).contains(*target)) {
            bail!("target {target} is not a share from 0 to 1");
        }
        let mut targets = self.targets.clone();
        targets.sort_by(|a, b| b.total_cmp(a));
        targets.dedup();
        let Some(default_point) = targets.iter().position(|target| *target == self.default) else {
            bail!("--default {} is not among the targets", self.default);
        };
        let corpus = Corpus::read(&self.corpus, config.split, shape.context, Some(&config.alphabet))?;
        let text = corpus.validation();
        if [Some(self.tokens), self.validation_tokens].iter().flatten().any(|tokens| *tokens < 2) {
            bail!("--tokens and --validation-tokens must be at least 2");
        }
        let text = &text[..self.validation_tokens.unwrap_or(text.len()).min(text.len())];
        let sample = sample(text, self.tokens, shape.context);
        let float = Model::new(&shape, &Parameters::new(&folder.tensors)?, shape.blocks)?;

        let full = evaluate(&float, text, shape.context, &Gates::Open, &|_| ())?;
        let (rounded, rounding) = self.element.tensors(&folder)?;
        let routed = Model::new(&shape, &Parameters::new(&rounded)?, shape.blocks)?;
        let levels = Levels::new(shape.policy, config.comparable_routers, open_pass(&routed, &sample, shape.context)?);
        let element = self.element.element()?;
        let header = config.header(element, &[], 0, 0.0).map_err(anyhow::Error::msg)?;
        let roles = model(&rounded, &shape)?;
        let bar = bar(targets.len() as u64, "points");
        // A closed stdout does not stop the calibration.
        let say = |line: &str| drop(writeln!(std::io::stdout(), "{line}"));
        if let Some(rounding) = rounding.strip_prefix(", ") {
            say(rounding);
        }
        say("target   saved    nats   active share per block");
        say(&format!("  full   0.000  {:.4}", full.nats()));
        let points = calibrate(&header, &roles, &levels, text, &sample, &targets, &mut |target, found| {
            let shares: Vec<String> = found.active_shares().iter().map(|share| format!("{share:.2}")).collect();
            let row = format!("{target:>6.3}  {:.3}  {:.4}   {}", found.saved(), found.nats(), shares.join(" "));
            bar.suspend(|| say(&row));
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        let (full_depth_nats, tokens) = (full.nats() as f32, text.len());
        let calibration = Calibration { points, default_point, full_depth_nats, tokens, element: Some(element) };
        let text = serde_json::to_string_pretty(&calibration)? + "\n";
        write_whole(&folder.path.join(CALIBRATION_FILE), text.as_bytes())?;
        Ok(())
    }
}
