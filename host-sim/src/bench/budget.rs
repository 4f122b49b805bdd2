//! Limits that benched rows must keep, from a TOML file.

use super::case::{Case, Inactive, element};
use super::row::Row;
use serde::Deserialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Why a file is no budget for a bench.
#[derive(Debug)]
pub enum BudgetError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// Not TOML, or a key is unknown, missing or of another kind.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, in one line.
        what: String,
    },
    /// A row that no bench has.
    Row {
        /// The file.
        path: PathBuf,
        /// Which of its rows, counted from 1.
        number: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// No row for the core.
    Core {
        /// The file.
        path: PathBuf,
        /// The core.
        core: String,
    },
    /// For another memory profile.
    Memory {
        /// The file.
        path: PathBuf,
        /// In the budget.
        wanted: String,
        /// In the bench.
        found: String,
    },
}

impl std::fmt::Display for BudgetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read the budget {}: {error}", path.display()),
            Self::Malformed { path, what } => write!(f, "the budget {} is malformed: {what}", path.display()),
            Self::Row { path, number, what } => write!(f, "row {number} of the budget {} {what}", path.display()),
            Self::Core { path, core } => write!(f, "the budget {} has no row for {core}: choose another --core", path.display()),
            Self::Memory { path, wanted, found } => {
                write!(f, "the budget {} is for memory_profile {wanted}, this bench has {found}", path.display())
            }
        }
    }
}

impl std::error::Error for BudgetError {}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    memory_profile: String,
    row: Vec<Entry>,
}

/// One of its rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    core: String,
    kernel: String,
    dtype: Option<String>,
    rows: Option<u16>,
    cols: Option<u16>,
    tokens: Option<u16>,
    heads: Option<u16>,
    head_dim: Option<u16>,
    positions: Option<u16>,
    variant: Option<String>,
    cycles_per_mac: Option<f64>,
    percent_of_active_block: Option<f64>,
}

/// A case on a core with what it may take.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Name of the core.
    pub core: String,
    /// What is limited.
    pub case: Case,
    /// Most cycles per multiply-accumulate, or most percent of an active block.
    pub most: f64,
}

/// Limits, with what they are meant for.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    path: PathBuf,
    /// The memory system.
    pub memory_profile: String,
    /// All limits.
    pub limits: Vec<Limit>,
}

impl Entry {
    fn limit(self) -> Result<Limit, &'static str> {
        let case = match (self.kernel.as_str(), self.variant.as_deref()) {
            ("gemv" | "gemm", None) => {
                let (Some(dtype), Some(rows), Some(cols)) = (self.dtype.as_deref(), self.rows, self.cols) else {
                    return Err("needs dtype, rows and cols");
                };
                Case::product(element(dtype).ok_or("has an unknown dtype")?, rows, cols, self.tokens.unwrap_or(1))
            }
            ("attention", None) => {
                let (Some(heads), Some(head_dim), Some(positions)) = (self.heads, self.head_dim, self.positions) else {
                    return Err("needs heads, head_dim and positions");
                };
                Case::attention(
                    element(self.dtype.as_deref().unwrap_or("int8")).ok_or("has an unknown dtype")?,
                    heads,
                    head_dim,
                    positions,
                )
            }
            ("token", None) => Case::Token,
            ("block_inactive", Some("halt+omit")) => Case::BlockInactive(Inactive::HaltOmit),
            ("block_inactive", Some("skip+project")) => Case::BlockInactive(Inactive::SkipProject),
            ("block_inactive", _) => return Err("needs the variant \"halt+omit\" or \"skip+project\""),
            _ => return Err("is for an unknown kernel: known are gemv, gemm, attention, token, block_inactive"),
        };
        if case.kernel() != self.kernel {
            return Err("does not fit its kernel: gemv is for one token, gemm for more");
        }
        let most = match (case, self.cycles_per_mac, self.percent_of_active_block) {
            (Case::BlockInactive(_), None, Some(most)) => most,
            (Case::Kernel(_) | Case::Token, Some(most), None) => most,
            (Case::BlockInactive(_), ..) => return Err("needs one limit, percent_of_active_block"),
            _ => return Err("needs one limit, cycles_per_mac"),
        };
        if !most.is_finite() || most <= 0.0 {
            return Err("needs a limit above 0");
        }
        Ok(Limit { core: self.core, case, most })
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
        let file: File = toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let what = format!("line {line}: {}", error.message().replace('\n', "; "));
            BudgetError::Malformed { path: path.into(), what }
        })?;
        let limit = |(index, entry): (usize, Entry)| {
            entry.limit().map_err(|what| BudgetError::Row { path: path.into(), number: index + 1, what })
        };
        let limits = file.row.into_iter().enumerate().map(limit).collect::<Result<_, _>>()?;
        Ok(Self { path: path.into(), memory_profile: file.memory_profile, limits })
    }

    /// The limits for a core.
    ///
    /// # Errors
    /// There are none, or they are for another memory system.
    pub fn of(&self, core: &str, memory_profile: &str) -> Result<Vec<Limit>, BudgetError> {
        if self.memory_profile != memory_profile {
            let (wanted, found) = (self.memory_profile.clone(), memory_profile.into());
            return Err(BudgetError::Memory { path: self.path.clone(), wanted, found });
        }
        let limits: Vec<Limit> = self.limits.iter().filter(|limit| limit.core == core).cloned().collect();
        if limits.is_empty() {
            return Err(BudgetError::Core { path: self.path.clone(), core: core.into() });
        }
        Ok(limits)
    }

    /// Rows against their limits as a table for people, and whether all are kept. Rows and limits are in the same order.
    pub fn table(&self, limits: &[Limit], rows: &[Row]) -> (String, bool) {
        let beyond = limits.iter().zip(rows).filter(|(limit, row)| row.figure() > limit.most).count();
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = match beyond {
            0 => writeln!(out, "budget {}: all {} limits kept", self.path.display(), limits.len()),
            _ => writeln!(out, "budget {}: {beyond} of {} limits exceeded", self.path.display(), limits.len()),
        };
        let _ = writeln!(out, "  {:<35}{:>10}{:>10}{:>9}", "limit", "at most", "modelled", "used");
        for (limit, row) in limits.iter().zip(rows) {
            let used = format!("{:.1}%", 100.0 * row.figure() / limit.most);
            let mark = if row.figure() > limit.most { "  EXCEEDED" } else { "" };
            let _ = writeln!(out, "  {:<35}{:>10.3}{:>10.3}{used:>9}{mark}", row.name(), limit.most, row.figure());
        }
        (out, beyond == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::case::dtype;
    use crate::bench::kernel::Counts;
    use fathom::format::Element;

    fn parse(text: &str) -> Result<Budget, String> {
        Budget::parse(Path::new("bench.toml"), text).map_err(|error| error.to_string())
    }

    const GEMV: &str = "memory_profile = \"zero-wait\"\n[[row]]\ncore = \"cortex-m4\"\nkernel = \"gemv\"\ndtype = \"int8\"\nrows = 8\ncols = 8\n";

    #[test]
    fn limits_are_kept_up_to_and_including_themselves() {
        let budget = parse(&format!("{GEMV}cycles_per_mac = 1.5\n")).unwrap();
        let limits = budget.of("cortex-m4", "zero-wait").unwrap();
        let Case::Kernel(work) = limits[0].case else { panic!("{limits:?}") };
        let row = |cycles| [Row::of_kernel(work, Counts { instructions: 1, cycles })];
        assert!(budget.table(&limits, &row(96)).1);
        let (text, kept) = budget.table(&limits, &row(97));
        assert!(!kept && text.contains("1 of 1 limits exceeded") && text.contains("101.0%  EXCEEDED"), "{text}");
    }

    #[test]
    fn a_budget_is_for_its_cores_and_memory_alone() {
        let budget = parse(&format!("{GEMV}cycles_per_mac = 1.5\n")).unwrap();
        assert!(budget.of("cortex-m7", "zero-wait").unwrap_err().to_string().contains("no row for cortex-m7"));
        assert!(budget.of("cortex-m4", "rp2350").unwrap_err().to_string().contains("is for memory_profile zero-wait"));
    }

    #[test]
    fn rejects_what_is_no_budget_in_one_line() {
        let block = |rest| format!("memory_profile = \"zero-wait\"\n[[row]]\ncore = \"cortex-m4\"\n{rest}\n");
        let cases = [
            ("memory_profile = 1\n".to_owned(), "malformed: line 1"),
            (format!("{GEMV}cycles = 2.0\n"), "malformed: line 8: unknown field"),
            (GEMV.to_owned(), "row 1 of the budget bench.toml needs one limit, cycles_per_mac"),
            (format!("{GEMV}cycles_per_mac = -1.0\n"), "needs a limit above 0"),
            (format!("{GEMV}tokens = 2\ncycles_per_mac = 1.0\n"), "does not fit its kernel"),
            (block("kernel = \"gemx\""), "unknown kernel"),
            (block("kernel = \"block_inactive\""), "needs the variant"),
            (block("kernel = \"gemv\"\ndtype = \"int9\"\nrows = 4\ncols = 4"), "unknown dtype"),
        ];
        for (text, message) in cases {
            let error = parse(&text).expect_err(&text);
            assert!(error.contains(message) && !error.contains('\n'), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_of_element_types_are_read_back() {
        for of in [Element::Int8, Element::F16] {
            assert_eq!(element(dtype(of)), Some(of));
        }
    }
}
