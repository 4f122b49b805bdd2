//! `host-sim compare`: did this change make it worse?

use crate::cmd::output::{check_writable, tables, write_json};
use crate::compare::{Rules, compare, github, markdown};
use crate::report::read_json;
use anyhow::{Context, Result};
use clap::Parser;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// Exit code when a metric is beyond the limit.
const EXCEEDED: u8 = 1;

/// Compare two reports and fail when a metric became worse than allowed
#[derive(Parser, Debug)]
#[command(after_help = "\
The table goes to stdout as Markdown, fit for a comment on a pull request. The exit code is 1 when a metric grew beyond the limit.

Examples:
  host-sim compare base.json new.json
  host-sim compare base.json new.json --max-regression 0.5% --metric cycles.per_token_mean
  host-sim compare base.json new.json --github --json compared.json")]
pub struct Cmd {
    /// Report to compare with, of `host-sim run --json`, `exec --json` or another subcommand
    #[arg(value_name = "BASE.json")]
    base: PathBuf,
    /// Report to judge, of the same subcommand
    #[arg(value_name = "NEW.json")]
    new: PathBuf,
    /// Most that a metric may grow
    #[arg(long, default_value = "2%", value_name = "PERCENT", value_parser = parse_percent)]
    max_regression: f64,
    /// Hold only this metric to the limit; may be repeated [default: all but the parts of totals]
    #[arg(long = "metric", value_name = "NAME")]
    metrics: Vec<String>,
    /// Compare even if core, memory profile, cycle table or request differ
    #[arg(long)]
    force: bool,
    /// Print annotations for GitHub Actions on stderr, and append the table to $GITHUB_STEP_SUMMARY
    #[arg(long)]
    github: bool,
    /// Write the comparison as JSON; - is standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// `2%`, `0.5%` or `2`.
fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text.trim()).trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=1e6).contains(&percent) => Ok(percent),
        _ => Err(format!("{text} is not a percentage such as 2%")),
    }
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Files that are no reports or not comparable, and files that cannot be written.
    pub fn run(self) -> Result<u8> {
        let (base, new) = (read_json(&self.base)?, read_json(&self.new)?);
        let rules = Rules { max_regression_percent: self.max_regression, only: self.metrics, force: self.force };
        let (base_name, new_name) = (self.base.display().to_string(), self.new.display().to_string());
        let comparison = compare((&base_name, &base), (&new_name, &new), &rules)?;
        let table = markdown::render(&comparison);
        if let Some(path) = &self.json {
            check_writable(path)?;
            write_json(path, &comparison)?;
        }
        if self.github {
            eprint!("{}", github::annotations(&comparison));
            if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
                let file = OpenOptions::new().create(true).append(true).open(&path);
                let written = file.and_then(|mut file| file.write_all(table.as_bytes()));
                written.with_context(|| format!("cannot append to $GITHUB_STEP_SUMMARY, {}", PathBuf::from(&path).display()))?;
            }
        }
        write!(tables(self.json.as_deref()), "{table}")?;
        Ok(if comparison.within { 0 } else { EXCEEDED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_not_negative() {
        assert_eq!(parse_percent("2%"), Ok(2.0));
        assert_eq!(parse_percent("0.5 %"), Ok(0.5));
        assert_eq!(parse_percent("3"), Ok(3.0));
        for text in ["-1%", "two", "", "%", "nan", "inf"] {
            assert!(parse_percent(text).is_err(), "{text}");
        }
    }
}
