//! Limits that a run must keep, from a TOML file.

use crate::report::{Report, grouped};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A figure that can have a limit: its key, and where a report has it.
type Limit = (&'static str, fn(&Report) -> u64);

/// Every key of `[limits]`.
const LIMITS: [Limit; 10] = [
    ("cycles_per_token_mean", |report| report.cycles.per_token_mean),
    ("cycles_per_token_p95", |report| report.cycles.per_token_p95),
    ("cycles_per_token_max", |report| report.cycles.per_token_max),
    ("prefill_cycles_per_token", |report| report.cycles.prefill_per_token),
    ("cycles_total", |report| report.cycles.total),
    ("guest_instructions", |report| report.instructions),
    ("flash_code", |report| report.memory.flash_code),
    ("flash_model", |report| report.memory.flash_model),
    ("arena", |report| report.memory.arena),
    ("stack_peak", |report| report.memory.stack_peak),
];
/// Keys that say for what the limits are meant.
const CONDITIONS: [&str; 2] = ["core", "memory_profile"];

/// Why a file is no budget.
#[derive(Debug)]
pub enum BudgetError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// Not TOML.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, in one line.
        what: String,
    },
    /// A key that means nothing.
    Unknown {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Those that are known there.
        known: Vec<&'static str>,
    },
    /// A value of another kind.
    Value {
        /// The file.
        path: PathBuf,
        /// Its key.
        key: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// No limit at all.
    Empty(PathBuf),
    /// For another core or memory profile.
    Condition {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// In the budget.
        wanted: String,
        /// In the run.
        found: String,
    },
}

impl std::fmt::Display for BudgetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read the budget {}: {error}", path.display()),
            Self::Malformed { path, what } => write!(f, "the budget {} is malformed: {what}", path.display()),
            Self::Unknown { path, key, known } => {
                write!(f, "the budget {} has an unknown key {key}: known are {}", path.display(), known.join(", "))
            }
            Self::Value { path, key, wanted } => write!(f, "{key} in the budget {} must be {wanted}", path.display()),
            Self::Empty(path) => write!(f, "the budget {} sets no limit: add [limits] with at least one", path.display()),
            Self::Condition { path, key, wanted, found } => write!(
                f,
                "the budget {} is for {key} {wanted}, this run has {found}: give the options that it is meant for, or another budget",
                path.display()
            ),
        }
    }
}

impl std::error::Error for BudgetError {}

/// Limits, with what they are meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    path: PathBuf,
    core: Option<String>,
    memory_profile: Option<String>,
    limits: Vec<(usize, u64)>, // index into LIMITS, most
}

/// One limit against a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The key.
    pub limit: &'static str,
    /// Most that is allowed.
    pub most: u64,
    /// What the run took.
    pub found: u64,
}

impl Line {
    /// Whether the run kept it.
    pub fn kept(&self) -> bool {
        self.found <= self.most
    }
}

impl Budget {
    /// Reads and judges a file.
    ///
    /// # Errors
    /// [`BudgetError`].
    pub fn read(path: &Path) -> Result<Self, BudgetError> {
        let text = std::fs::read_to_string(path).map_err(|error| BudgetError::Read(path.into(), error))?;
        Self::parse(path, &text)
    }

    /// Judges a text; `path` is for messages.
    ///
    /// # Errors
    /// [`BudgetError`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, BudgetError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let what = format!("line {line}: {}", error.message().replace('\n', "; "));
            BudgetError::Malformed { path: path.into(), what }
        })?;
        let unknown = |key: &str, known| BudgetError::Unknown { path: path.into(), key: key.into(), known };
        let value = |key: &str, wanted| BudgetError::Value { path: path.into(), key: key.into(), wanted };
        let mut budget = Self { path: path.into(), core: None, memory_profile: None, limits: Vec::new() };
        for (key, found) in &table {
            match (key.as_str(), found) {
                ("core", Value::String(name)) => budget.core = Some(name.clone()),
                ("memory_profile", Value::String(name)) => budget.memory_profile = Some(name.clone()),
                ("core" | "memory_profile", _) => return Err(value(key, "a name in quotes")),
                ("limits", Value::Table(limits)) => {
                    for (key, most) in limits {
                        let Some(index) = LIMITS.iter().position(|(name, _)| name == key) else {
                            return Err(unknown(&format!("limits.{key}"), LIMITS.map(|(name, _)| name).to_vec()));
                        };
                        let most = most.as_integer().and_then(|most| u64::try_from(most).ok());
                        budget
                            .limits
                            .push((index, most.ok_or_else(|| value(&format!("limits.{key}"), "a whole number, 0 or more"))?));
                    }
                }
                ("limits", _) => return Err(value(key, "a table")),
                _ => return Err(unknown(key, [&CONDITIONS[..], &["limits"]].concat())),
            }
        }
        if budget.limits.is_empty() {
            return Err(BudgetError::Empty(path.into()));
        }
        budget.limits.sort_unstable();
        Ok(budget)
    }

    /// Refuses a run that the limits are not meant for, before it costs time.
    ///
    /// # Errors
    /// [`BudgetError::Condition`].
    pub fn is_for(&self, core: &str, memory_profile: &str) -> Result<(), BudgetError> {
        for (key, wanted, found) in [("core", &self.core, core), ("memory_profile", &self.memory_profile, memory_profile)] {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
                return Err(BudgetError::Condition { path: self.path.clone(), key, wanted: wanted.clone(), found: found.into() });
            }
        }
        Ok(())
    }

    /// Each limit against a run.
    pub fn check(&self, report: &Report) -> Vec<Line> {
        let line = |(index, most): &(usize, u64)| {
            let (limit, figure) = LIMITS[*index];
            Line { limit, most: *most, found: figure(report) }
        };
        self.limits.iter().map(line).collect()
    }

    /// The lines as a table for people, those beyond their limit marked.
    pub fn table(&self, lines: &[Line]) -> String {
        let beyond = lines.iter().filter(|line| !line.kept()).count();
        let mut out = String::new();
        let _ = match beyond {
            0 => writeln!(out, "budget {}: all {} limits kept", self.path.display(), lines.len()),
            _ => writeln!(out, "budget {}: {beyond} of {} limits exceeded", self.path.display(), lines.len()),
        };
        let _ = writeln!(out, "  {:<26}{:>15}{:>15}{:>9}", "limit", "at most", "modelled", "used");
        for line in lines {
            let used = if line.most == 0 { "-".into() } else { format!("{:.1}%", 100.0 * line.found as f64 / line.most as f64) };
            let mark = if line.kept() { "" } else { "  EXCEEDED" };
            let _ = writeln!(out, "  {:<26}{:>15}{:>15}{used:>9}{mark}", line.limit, grouped(line.most), grouped(line.found));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Budget, String> {
        Budget::parse(Path::new("budget.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn limits_are_kept_up_to_and_including_themselves() {
        let report = crate::report::tests::report(&[10, 20, 30]);
        let budget = parse("core = \"cortex-m4\"\n[limits]\nstack_peak = 5\ncycles_per_token_max = 29\n").unwrap();
        let lines = budget.check(&report);
        assert_eq!(
            lines.iter().map(|line| (line.limit, line.kept())).collect::<Vec<_>>(),
            [("cycles_per_token_max", false), ("stack_peak", true)]
        );
        let table = budget.table(&lines);
        assert!(table.starts_with("budget budget.toml: 1 of 2 limits exceeded\n"), "{table}");
        assert!(table.contains("103.4%  EXCEEDED\n") && table.contains("100.0%\n"), "{table}");
        let wide = parse("[limits]\ncycles_per_token_max = 30\n").unwrap();
        assert!(wide.table(&wide.check(&report)).starts_with("budget budget.toml: all 1 limits kept\n"));
    }

    #[test]
    fn a_budget_is_for_its_core_and_memory_alone() {
        let budget = parse("core = \"cortex-m4\"\nmemory_profile = \"zero-wait\"\n[limits]\narena = 1\n").unwrap();
        assert!(budget.is_for("cortex-m4", "zero-wait").is_ok());
        let error = budget.is_for("cortex-m7", "zero-wait").unwrap_err().to_string();
        assert!(error.contains("is for core cortex-m4, this run has cortex-m7"), "{error}");
        assert!(budget.is_for("cortex-m4", "nrf52840").is_err());
    }

    #[test]
    fn rejects_what_is_no_budget_in_one_line() {
        let cases = [
            ("[limits\n", "is malformed: line 1: "),
            ("[limits]\narena = 1\narena = 2\n", "is malformed: line 3: "),
            ("[limits]\nstack = 1\n", "unknown key limits.stack: known are cycles_per_token_mean, "),
            ("cpu = \"x\"\n", "unknown key cpu: known are core, memory_profile, limits"),
            ("[limits]\narena = -1\n", "limits.arena in the budget budget.toml must be a whole number, 0 or more"),
            ("[limits]\narena = \"1\"\n", "must be a whole number"),
            ("limits = 3\n", "must be a table"),
            ("core = 4\n", "must be a name in quotes"),
            ("", "sets no limit"),
            ("[limits]\n", "sets no limit"),
        ];
        for (text, message) in cases {
            let error = parse(text).expect_err(text);
            assert!(error.contains(message) && !error.contains('\n'), "{text:?}: {error}");
        }
    }
}
