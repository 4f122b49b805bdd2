//! Reads a report back and judges it, so that what shows it can trust its figures to fit one another.

use super::{Report, SCHEMA};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Largest file that is read: a report of a million tokens is smaller.
const MAX_BYTES: u64 = 256 << 20;
/// Blocks that a mask has room for.
const MAX_BLOCKS: u32 = 32;

/// Why a file is no report.
#[derive(Debug)]
pub enum ReportError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// It is larger than any report.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        found: u64,
    },
    /// Not JSON, or a field is missing or of another kind.
    Malformed(PathBuf, serde_json::Error),
    /// JSON of another schema, or of none.
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema, if it has one.
        found: Option<String>,
    },
    /// Figures that contradict one another.
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: &'static str,
    },
}

impl std::fmt::Display for ReportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let advice = "write it with host-sim run --json";
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::TooLarge { path, found } => {
                write!(f, "{} has {found} bytes, a report at most {MAX_BYTES}: {advice}", path.display())
            }
            Self::Malformed(path, error) => write!(f, "{} is not a run's report: {error}; {advice}", path.display()),
            Self::Schema { path, found: Some(found) } => {
                write!(f, "{} has schema {found:?}, wanted \"{SCHEMA}\": {advice}", path.display())
            }
            Self::Schema { path, found: None } => write!(f, "{} names no schema, wanted \"{SCHEMA}\": {advice}", path.display()),
            Self::Inconsistent { path, what } => write!(f, "{} contradicts itself: {what}; {advice}", path.display()),
        }
    }
}

impl std::error::Error for ReportError {}

/// Reads a file of JSON that is not larger than any report.
///
/// # Errors
/// [`ReportError`].
pub fn read_json(path: &Path) -> Result<Value, ReportError> {
    let read = |error| ReportError::Read(path.into(), error);
    let found = std::fs::metadata(path).map_err(read)?.len();
    if found > MAX_BYTES {
        return Err(ReportError::TooLarge { path: path.into(), found });
    }
    let bytes = std::fs::read(path).map_err(read)?;
    serde_json::from_slice(&bytes).map_err(|error| ReportError::Malformed(path.into(), error))
}

impl Report {
    /// Reads and judges a file. After it no depth is beyond the blocks, and every list is as long as its count says.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        Self::judge(path, read_json(path)?)
    }

    /// Judges JSON; `path` is for messages.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn judge(path: &Path, json: Value) -> Result<Self, ReportError> {
        let found = json.get("schema").and_then(Value::as_str);
        if found != Some(SCHEMA) {
            return Err(ReportError::Schema { path: path.into(), found: found.map(str::to_owned) });
        }
        let report: Self = serde_json::from_value(json).map_err(|error| ReportError::Malformed(path.into(), error))?;
        match report.contradiction() {
            Some(what) => Err(ReportError::Inconsistent { path: path.into(), what }),
            None => Ok(report),
        }
    }

    fn contradiction(&self) -> Option<&'static str> {
        let blocks = self.depth.blocks;
        let fits = |depth: u32, active: u32| active.count_ones() == depth && (blocks == MAX_BLOCKS || active >> blocks == 0);
        let masks = self.prompt.iter().map(|token| (token.depth, token.active));
        let mut masks = masks.chain(self.tokens.iter().map(|token| (token.depth, token.active)));
        let sums =
            || self.cycles.total.checked_add(self.regions.values().try_fold(0u64, |sum, cycles| sum.checked_add(*cycles))?);
        let rules = [
            ((1..=MAX_BLOCKS).contains(&blocks), "depth.blocks is not between 1 and 32"),
            (self.prompt.len() == self.prompt_tokens, "prompt is not as long as prompt_tokens says"),
            (self.tokens.len() == self.generated_tokens, "tokens is not as long as generated_tokens says"),
            (
                self.depth.per_token.iter().eq(self.tokens.iter().map(|token| &token.depth)),
                "depth.per_token differs from the depths in tokens",
            ),
            (
                (1..=MAX_BLOCKS).contains(&blocks) && masks.all(|(depth, active)| fits(depth, active)),
                "a token's depth differs from its active blocks",
            ),
            (self.tokens.windows(2).all(|pair| pair[0].position < pair[1].position), "positions of tokens do not ascend"),
            (
                self.places.iter().all(|place| place.block.is_none_or(|block| block < blocks)),
                "places has a block beyond depth.blocks",
            ),
            (
                self.memory.areas.iter().all(|area| area.start.checked_add(area.size).is_some()),
                "an area ends beyond the address space",
            ),
            (sums().is_some(), "cycles overflow 64 bits"),
            (self.depth.mean.is_finite() && self.depth.tlops_saved.is_finite(), "depth is not a number"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;
    use serde_json::json;

    fn judge(change: impl FnOnce(&mut Value)) -> Result<Report, ReportError> {
        let mut json = serde_json::to_value(report(&[10, 20, 30])).unwrap();
        change(&mut json);
        Report::judge(Path::new("run.json"), json)
    }

    #[test]
    fn a_report_reads_back_as_it_was_written() {
        assert_eq!(judge(|_| ()).unwrap(), report(&[10, 20, 30]));
    }

    #[test]
    fn rejects_other_schemas_missing_fields_and_contradictions() {
        type Change = fn(&mut Value);
        let cases: [(&str, Change, &str); 8] = [
            ("schema", |json| json["schema"] = json!("fathom-exec/1"), "has schema \"fathom-exec/1\", wanted \"fathom-run/1\""),
            ("no schema", |json| *json = json!([1]), "names no schema"),
            ("missing", |json| json["tokens"].take().clone_into(&mut Value::Null), "invalid type: null"),
            ("bytes", |json| json["tokens"][0]["bytes"] = json!("6"), "not a run of hexadecimal bytes"),
            ("count", |json| json["generated_tokens"] = json!(4), "generated_tokens"),
            ("mask", |json| json["tokens"][1]["active"] = json!(16), "a token's depth differs"),
            ("blocks", |json| json["depth"]["blocks"] = json!(77), "between 1 and 32"),
            ("sum", |json| json["regions"]["mlp"] = json!(u64::MAX), "overflow"),
        ];
        for (name, change, message) in cases {
            let error = judge(change).expect_err(name).to_string();
            assert!(error.contains(message) && error.starts_with("run.json "), "{name}: {error}");
            assert!(!error.contains('\n'));
        }
    }
}
