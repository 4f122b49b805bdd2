//! `exporter export`.

use super::{ElementName, MatrixName};
use crate::checkpoint::{model, write_whole};
use crate::checkpoint_folder::Folder;
use crate::export::blob;
use anyhow::{Result, bail};
use clap::Parser;
use fathom::Blob;
use fathom::format::{Element, MatrixSet};
use std::path::PathBuf;

/// Write a checkpoint as a blob for the runtime
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  exporter export checkpoint --out firmware/models/default.fathom
  exporter export checkpoint --dtype f16 --out model-f16.fathom
  exporter export checkpoint --dtype int4 --keep-int8 key-value,down --out model-int4.fathom")]
pub struct Cmd {
    /// Folder of the checkpoint, calibrated if it has routers
    checkpoint: PathBuf,
    /// Element type of the matrices
    #[arg(long, value_enum, default_value_t = ElementName::Int8)]
    dtype: ElementName,
    /// Matrices of the blocks that stay int8 in an int4 model
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MATRIX,...")]
    keep_int8: Vec<MatrixName>,
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
        let header = folder.config.header(self.element()?, &calibration.points, calibration.default_point, loss);
        let bytes = blob(&header.map_err(anyhow::Error::msg)?, &model(&folder.tensors, &folder.shape)?)?;
        // What no runtime would accept is never written.
        Blob::parse(bytes.bytes())?;
        write_whole(&self.out, bytes.bytes())?;
        say!("{}: {} bytes", self.out.display(), bytes.bytes().len());
        Ok(())
    }

    fn element(&self) -> Result<Element> {
        let kept = self.keep_int8.iter().fold(MatrixSet::NONE, |set, matrix| set.with((*matrix).into()));
        match Element::from(self.dtype) {
            _ if kept == MatrixSet::ALL => bail!("--keep-int8 names every matrix: that is --dtype int8"),
            Element::Int4 { .. } => Ok(Element::Int4 { int8: kept }),
            _ if kept != MatrixSet::NONE => bail!("--keep-int8 is for --dtype int4"),
            element => Ok(element),
        }
    }
}
