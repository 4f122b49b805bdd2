//! `host-sim cost`: what a generated token of each depth takes.

use crate::cmd::output::{check_writable, tables, write_json};
use crate::cmd::target::TargetOptions;
use crate::cost::measure;
use crate::firmware;
use crate::image::Image;
use anyhow::{Context, Result};
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;

/// Measure what tokens of each depth cost, to know the cycles of any evaluation from its depths
#[derive(Parser, Debug)]
#[command(after_help = "\
The firmware fills the model's context once for each depth, with every token stopped after the same block. Costs depend on the
model's shape, policy and cache, not on its weights or thresholds.

Examples:
  host-sim cost firmware/models/default.fathom
  host-sim cost my.fathom --core cortex-m33 --memory rp2350 --json cost.json
  host-sim cost my.fathom --json -")]
pub struct Cmd {
    /// The model
    #[arg(value_name = "BLOB")]
    model: PathBuf,
    /// The image [default: built for the core by firmware/build-image]
    #[arg(long, value_name = "ELF")]
    image: Option<PathBuf>,
    /// Write the costs as JSON; - is standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    target: TargetOptions,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Files that cannot be read, and models that the firmware does not run.
    pub fn run(self) -> Result<u8> {
        let json = self.json.as_deref();
        if let Some(path) = json {
            check_writable(path)?;
        }
        let bytes = std::fs::read(&self.model).with_context(|| format!("cannot read the model {}", self.model.display()))?;
        let image_path = match &self.image {
            Some(path) => path.clone(),
            None => firmware::build_for(&firmware::workspace()?, self.target.named()?.0)?,
        };
        let image = Image::read(&image_path)?;
        let (target, _) = self.target.resolve(&image)?;
        let costs = measure(&image, &target, &bytes).with_context(|| self.model.display().to_string())?;
        write!(tables(json), "{}", costs.table())?;
        if let Some(path) = json {
            write_json(path, &costs)?;
        }
        Ok(0)
    }
}
