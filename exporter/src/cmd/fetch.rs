//! `exporter fetch`.

use crate::fetch::{SOURCES, fetch};
use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;

/// Download a public corpus and check that it is the right one
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  exporter fetch tiny-shakespeare
  exporter fetch tiny-shakespeare --from input.txt --out tinyshakespeare.txt")]
pub struct Cmd {
    /// Which corpus
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(SOURCES.map(|source| source.name)))]
    name: String,
    /// Take a local copy instead of downloading
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Where to put it
    #[arg(long, value_name = "FILE", default_value = "tinyshakespeare.txt")]
    out: PathBuf,
}

impl Cmd {
    /// Runs the command.
    ///
    /// # Errors
    /// One line for the user.
    pub fn run(self) -> Result<()> {
        // The parser accepts no other name.
        let source = SOURCES.iter().find(|source| source.name == self.name).unwrap_or(&SOURCES[0]);
        fetch(source, self.from.as_deref(), &self.out)?;
        say!("{}: {} bytes, SHA-256 {}", self.out.display(), source.bytes, source.sha256);
        Ok(())
    }
}
