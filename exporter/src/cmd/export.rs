//! `exporter export`.

use super::ElementName;
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
  exporter export checkpoint --dtype f16 --out model-f16.fathom")]
pub struct Cmd {
    /// Folder of the checkpoint, calibrated if it has routers
    checkpoint: PathBuf,
    /// Element type of the matrices
    #[arg(long, value_enum, default_value_t = ElementName::Int8)]
    dtype: ElementName,
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
        let header = folder.config.header(self.dtype.into(), &calibration.points, calibration.default_point, loss);
        let bytes = blob(&header.map_err(anyhow::Error::msg)?, &model(&folder.tensors, &folder.shape)?)?;
        // What no runtime would accept is never written.
        Blob::parse(bytes.bytes())?;
        write_whole(&self.out, bytes.bytes())?;
        say!("{}: {} bytes", self.out.display(), bytes.bytes().len());
        Ok(())
    }
}
