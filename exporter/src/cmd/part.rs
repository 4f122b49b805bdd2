//! `--part`: which part of a corpus losses are measured on.

use crate::split::Part;
use clap::ValueEnum;

/// Command-line names of the parts that can be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PartName {
    /// What choices are made on
    Validation,
    /// What the last word is said on
    Test,
}

impl From<PartName> for Part {
    fn from(name: PartName) -> Self {
        match name {
            PartName::Validation => Self::Validation,
            PartName::Test => Self::Test,
        }
    }
}
