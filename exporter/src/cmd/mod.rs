//! The subcommands, one file each, and what they share.

/// `println!` that returns an error when stdout is closed, instead of panicking.
macro_rules! say {
    ($($text:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)))?
    };
}

pub mod bench_train;
pub mod calibrate;
pub mod device;
pub mod element;
pub mod eval;
pub mod export;
pub mod fetch;
pub mod inspect;
pub mod part;
pub mod plot;
pub mod sweep;
pub mod table;
pub mod train;

use crate::aligned::Aligned;
use anyhow::{Context, Result};
use clap::ValueEnum;
use fathom::Blob;
use fathom::format::{BlockMatrix, Element};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;

/// Command-line names of [`Element`].
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ElementName {
    /// Half precision.
    F16,
    /// Int8 with a scale per row.
    Int8,
    /// Int4 with a scale per row in the blocks, int8 elsewhere.
    Int4,
}

impl From<ElementName> for Element {
    fn from(name: ElementName) -> Self {
        match name {
            ElementName::F16 => Self::F16,
            ElementName::Int8 => Self::Int8,
            ElementName::Int4 => Self::INT4,
        }
    }
}

/// Command-line names of [`BlockMatrix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MatrixName {
    /// Queries.
    Query,
    /// Keys and values.
    KeyValue,
    /// Output of attention.
    Output,
    /// First matrix of the MLP.
    Up,
    /// Second matrix of the MLP.
    Down,
}

impl From<MatrixName> for BlockMatrix {
    fn from(name: MatrixName) -> Self {
        match name {
            MatrixName::Query => Self::Query,
            MatrixName::KeyValue => Self::KeyValue,
            MatrixName::Output => Self::Output,
            MatrixName::Up => Self::Up,
            MatrixName::Down => Self::Down,
        }
    }
}

/// A progress bar on stderr, silent when that is not a terminal.
fn bar(length: u64, unit: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{eta}} left"));
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Reads a blob into aligned memory, and judges it so that a refusal names the file.
fn read_blob(path: &Path) -> Result<Aligned> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the model {}", path.display()))?;
    let bytes = Aligned::copy(&bytes);
    Blob::parse(bytes.bytes()).with_context(|| path.display().to_string())?;
    Ok(bytes)
}
