//! The record of a sweep: one JSON object a line, one line for each way that a run was measured.

use crate::split::{Part, Split};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Name of the schema.
pub const SCHEMA: &str = "fathom-sweep/1";

/// Who decided on the depth of each token.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nobody: a model without routers.
    Dense,
    /// Nobody: a model with routers whose thresholds are infinite.
    Full,
    /// The routers, at thresholds that save `target` on the calibration tokens, or the nearest share that they can save.
    Routed,
    /// The routers, at probability 0.5: where routers that are trained as gates say what they mean.
    Half,
    /// Nobody: soft gates scale every block's branches and save nothing. A float model.
    Soft,
    /// The same before training.
    SoftInitial,
    /// Control: the last blocks are dropped for every token, with their keys and values (priced by what a block's multiply-accumulates take).
    Static,
    /// Control: tokens halt at random, as many as the routers of the same target halted.
    Random,
    /// Control: depths of the routed point of the same target, given to other tokens.
    Shuffled,
    /// Control: a token stops at the first exit that is sure enough; as many operations saved as by the routers of the same target. The
    /// threshold is fitted to the calibration tokens.
    Confidence,
}

impl Kind {
    /// Its name in a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Full => "full",
            Self::Routed => "routed",
            Self::Half => "half",
            Self::Soft => "soft",
            Self::SoftInitial => "soft-initial",
            Self::Static => "static",
            Self::Random => "random",
            Self::Shuffled => "shuffled",
            Self::Confidence => "confidence",
        }
    }
}

/// One measurement of one run. Losses are those of the evaluated tokens, which follow the calibration tokens of the validation part or open
/// another part, through the blob under hard routing unless the kind says otherwise.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the recipe: its file's, without extension.
    pub recipe: String,
    /// Training seed.
    pub seed: u64,
    /// File name of the corpus.
    pub corpus: String,
    /// How it was divided.
    pub split: Split,
    /// The part that losses were measured on.
    #[serde(default, skip_serializing_if = "Part::is_default")]
    pub part: Part,
    /// Training tokens seen.
    pub training_tokens: u64,
    /// Blocks of the model.
    pub blocks: usize,
    /// Element type of the blob's matrices: `int8` or `int4`.
    pub element: String,
    /// Who decided on depth.
    pub kind: Kind,
    /// Share of token-layer operations that was to be saved, of kinds that have a target.
    pub target: Option<f64>,
    /// Blocks that every token ran, of kind static.
    pub depth: Option<usize>,
    /// Cross-entropy in nats per token; none of kind soft-initial.
    pub nats: Option<f64>,
    /// The same in bits per character.
    pub bits_per_character: Option<f64>,
    /// Share of token-layer operations saved on the evaluated tokens.
    pub saved: f64,
    /// Mean gate `1 - p` of soft gates, of kinds soft and soft-initial.
    pub alpha: Option<f64>,
    /// Multiply-accumulates with a weight per token: blocks, keys and values of inactive tokens, routers, head; of kind confidence the
    /// heads of all exits passed. Attention has no weights.
    pub weight_macs: f64,
    /// Modelled cycles per generated token; none where no costs were measured. Of kind confidence, heads of exits passed are priced by
    /// what a block's multiply-accumulates take.
    pub cycles: Option<f64>,
    /// The core of the cycles.
    pub core: Option<String>,
    /// Share of the tokens that ran each block, `[blocks]`.
    pub active: Vec<f64>,
    /// Tokens that ran so many blocks, `[blocks + 1]`.
    pub depths: Vec<usize>,
    /// Tokens that were evaluated.
    pub evaluated_tokens: usize,
    /// Tokens from the start of the validation part that thresholds were fitted to.
    pub calibration_tokens: usize,
}

/// Reads a file of points.
///
/// # Errors
/// A line that is malformed or of another schema, with its number.
pub fn read(text: &str) -> Result<Vec<Point>> {
    let point = |(index, line): (usize, &str)| -> Result<Point> {
        let schema: serde_json::Value = serde_json::from_str(line).with_context(|| format!("line {}: malformed", index + 1))?;
        match schema.get("schema").and_then(|schema| schema.as_str()) {
            Some(SCHEMA) => serde_json::from_str(line).with_context(|| format!("line {}: malformed", index + 1)),
            Some(other) => bail!("line {}: schema {other}, this program reads {SCHEMA}: sweep again", index + 1),
            None => bail!("line {}: not a point of a sweep", index + 1),
        }
    };
    text.lines().enumerate().map(point).collect()
}

/// Reads what sweeps have written, file after file.
///
/// # Errors
/// A file that cannot be read, has no points, or a line that [`read`] refuses; a measurement that is there twice, or of another text.
pub fn read_files(paths: &[PathBuf]) -> Result<Vec<Point>> {
    let mut all: Vec<Point> = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let points = read(&text).with_context(|| path.display().to_string())?;
        ensure!(!points.is_empty(), "{} has no points", path.display());
        for point in points {
            let Point { recipe, seed, kind, target, depth, .. } = &point;
            let same = |other: &Point| (&other.recipe, &other.seed, &other.kind) == (recipe, seed, kind);
            let twice = all.iter().any(|other| same(other) && (&other.target, &other.depth) == (target, depth));
            ensure!(!twice, "{}: {recipe}, seed {seed}, was measured twice: give one of the files", path.display());
            let text = |point: &Point| (point.corpus.clone(), point.split, point.part, point.evaluated_tokens);
            let alike = all.first().is_none_or(|other| text(other) == text(&point));
            ensure!(alike, "{}: {recipe} was measured on another text than what is before it", path.display());
            all.push(point);
        }
    }
    Ok(all)
}

/// Writes points, one a line.
///
/// # Errors
/// None that happens: numbers of points are finite.
pub fn write(points: &[Point]) -> Result<String> {
    let lines = points.iter().map(|point| Ok(serde_json::to_string(point)? + "\n"));
    lines.collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A point with these fields and nothing remarkable in the others.
    pub(crate) fn point(recipe: &str, seed: u64, kind: Kind, target: Option<f64>, work: f64, nats: f64) -> Point {
        Point {
            schema: SCHEMA.into(),
            recipe: recipe.into(),
            seed,
            corpus: "text.txt".into(),
            split: Default::default(),
            part: Default::default(),
            training_tokens: 1,
            blocks: 2,
            element: "int8".into(),
            kind,
            target,
            depth: None,
            nats: Some(nats),
            bits_per_character: Some(nats / std::f64::consts::LN_2),
            saved: target.unwrap_or_default(),
            alpha: None,
            weight_macs: work,
            cycles: None,
            core: None,
            active: vec![1.0, 1.0],
            depths: vec![0, 0, 1],
            evaluated_tokens: 1,
            calibration_tokens: 1,
        }
    }

    #[test]
    fn points_are_read_as_they_were_written() {
        let point = point("tiny", 3, Kind::Routed, Some(0.25), 120.5, 1.5);
        let points = [point.clone(), Point { kind: Kind::SoftInitial, nats: None, ..point }];
        assert_eq!(read(&write(&points).unwrap()).unwrap(), points);
    }

    #[test]
    fn the_committed_results_are_points_of_this_schema() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
        for entry in std::fs::read_dir(folder).unwrap() {
            read_files(&[entry.unwrap().path()]).unwrap();
        }
    }

    #[test]
    fn points_of_different_texts_are_not_put_together() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, evaluated_tokens: usize, part: Part| {
            let point = Point { evaluated_tokens, part, ..point(name, 1, Kind::Dense, None, 1.0, 1.0) };
            let path = folder.path().join(name);
            std::fs::write(&path, write(&[point]).unwrap()).unwrap();
            path
        };
        let [one, two, longer] =
            [("one", 9), ("two", 9), ("longer", 10)].map(|(name, tokens)| file(name, tokens, Part::Validation));
        let tested = file("tested", 9, Part::Test);
        assert_eq!(read_files(&[one.clone(), two]).unwrap().len(), 2);
        for (path, name) in [(longer, "longer"), (tested, "tested")] {
            let error = read_files(&[one.clone(), path]).unwrap_err().to_string();
            let wanted = format!("{name}: {name} was measured on another text than what is before it");
            assert!(error.ends_with(&wanted), "{error}");
        }
    }

    #[test]
    fn other_lines_are_refused_by_number() {
        let good = write(&[point("tiny", 3, Kind::Dense, None, 1.0, 1.0)]).unwrap();
        for (bad, wanted) in [
            ("{}", "line 2: not a point"),
            ("x", "line 2: malformed"),
            (r#"{"schema":"fathom-sweep/9"}"#, "line 2: schema fathom-sweep/9"),
            (r#"{"schema":"fathom-sweep/1"}"#, "line 2: malformed"),
        ] {
            let error = read(&format!("{good}{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
