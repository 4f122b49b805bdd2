//! `exporter export`.

use super::element::ElementArguments;
use crate::checkpoint::{model, write_whole};
use crate::checkpoint_folder::Folder;
use crate::export::blob;
use anyhow::Result;
use clap::Parser;
use fathom::Blob;
use std::path::PathBuf;

/// Write a checkpoint as a blob for the runtime
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  exporter export checkpoint --out firmware/models/default.fathom
  exporter export checkpoint --dtype f16 --out model-f16.fathom
  exporter export checkpoint --dtype int4 --calibration-text text.txt --out int4.fathom
  exporter export checkpoint --dtype int4 --keep-int8 key-value,down --out model-mixed.fathom")]
pub struct Cmd {
    /// Folder of the checkpoint, calibrated if it has routers
    checkpoint: PathBuf,
    #[command(flatten)]
    element: ElementArguments,
    /// The blob
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user; no file is written then.
    pub fn run(self) -> Result<()> {
        let folder = Folder::load(&self.checkpoint)?;
        let calibration = folder.calibration()?;
        let loss = calibration.full_depth_nats;
        let element = self.element.element()?;
        if calibration.element.is_some_and(|calibrated| calibrated != element) {
            eprintln!(
                "exporter: {} was calibrated with another element type, whose shares and losses the blob states: calibrate again \
                 with the same --dtype for its own",
                self.checkpoint.display()
            );
        }
        let header = folder.config.header(element, &calibration.points, calibration.default_point, loss);
        let (tensors, rounding) = self.element.tensors(&folder)?;
        let bytes = blob(&header.map_err(anyhow::Error::msg)?, &model(&tensors, &folder.shape)?)?;
        // What no runtime would accept is never written.
        Blob::parse(bytes.bytes())?;
        write_whole(&self.out, bytes.bytes())?;
        say!("{}: {} bytes{rounding}", self.out.display(), bytes.bytes().len());
        Ok(())
    }
}
