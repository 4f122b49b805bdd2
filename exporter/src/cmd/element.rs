//! What `export` and `calibrate` are told about the blob's element type.

use super::{ElementName, MatrixName, bar};
use crate::calibrated_rounding::{groups, round_on_text};
use crate::checkpoint::Tensors;
use crate::checkpoint_folder::Folder;
use crate::corpus::Corpus;
use crate::quantise::INT4;
use crate::rounding::{BLOCK_MATRICES, is_rounded};
use anyhow::{Result, bail};
use fathom::format::{Element, MatrixSet};
use std::path::PathBuf;

/// Element type, and how its matrices are rounded.
#[derive(clap::Args, Debug)]
pub struct ElementArguments {
    /// Element type of the matrices
    #[arg(long, value_enum, default_value_t = ElementName::Int8)]
    dtype: ElementName,
    /// Matrices of the blocks that stay int8 in an int4 model
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MATRIX,...")]
    keep_int8: Vec<MatrixName>,
    /// Round int4 matrices so that their outputs on this text change least, not each row by itself; the part of it is used that
    /// the checkpoint's split trains on
    #[arg(long, value_name = "FILE")]
    calibration_text: Option<PathBuf>,
    /// Tokens of that text
    #[arg(long, default_value_t = 16_384, value_name = "TOKENS")]
    calibration_tokens: usize,
}

impl ElementArguments {
    /// The element type.
    ///
    /// # Errors
    /// Options that contradict one another.
    pub fn element(&self) -> Result<Element> {
        let kept = self.keep_int8.iter().fold(MatrixSet::NONE, |set, matrix| set.with((*matrix).into()));
        match Element::from(self.dtype) {
            _ if kept == MatrixSet::ALL => bail!("--keep-int8 names every matrix: that is --dtype int8"),
            Element::Int4 { .. } => Ok(Element::Int4 { int8: kept }),
            _ if kept != MatrixSet::NONE => bail!("--keep-int8 is for --dtype int4"),
            _ if self.calibration_text.is_some() => bail!("--calibration-text is for --dtype int4"),
            element => Ok(element),
        }
    }

    /// The checkpoint's tensors as a blob will hold them up to rounding by the row, and a word on how int4 matrices were rounded.
    ///
    /// # Errors
    /// As [`Self::element`]; a text that cannot be read; those of candle.
    pub fn tensors(&self, folder: &Folder) -> Result<(Tensors, &'static str)> {
        if !matches!(self.element()?, Element::Int4 { .. }) {
            return Ok((folder.tensors.clone(), ""));
        }
        if is_rounded(&folder.tensors, &folder.shape, INT4) {
            return Ok((folder.tensors.clone(), ", int4 as trained"));
        }
        let Some(path) = &self.calibration_text else {
            return Ok((folder.tensors.clone(), ", int4 rounded row by row: --calibration-text loses less"));
        };
        let corpus = Corpus::read(path, folder.config.split, folder.shape.context, Some(&folder.config.alphabet))?;
        if self.calibration_tokens == 0 {
            bail!("--calibration-tokens must be at least 1");
        }
        let text = &corpus.training()[..self.calibration_tokens.min(corpus.training().len())];
        let bar = bar(groups(&folder.shape) as u64, "inputs of matrices");
        let mut tensors = folder.tensors.clone();
        let kept: Vec<&str> = self.keep_int8.iter().map(|matrix| BLOCK_MATRICES[*matrix as usize]).collect();
        round_on_text(&mut tensors, &folder.shape, text, INT4, &|_, matrix| !kept.contains(&matrix), &|| bar.inc(1))?;
        bar.finish_and_clear();
        Ok((tensors, ", int4 rounded on the calibration text"))
    }
}
