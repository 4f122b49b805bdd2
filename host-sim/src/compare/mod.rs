//! Two reports of one schema against each other: which figures moved, and whether one became worse than is allowed.
//!
//! A metric is a number that is better when it is lower, named by where it stands in the report, such as `cycles.per_token_mean`. This
//! holds for every report that `host-sim` writes.

pub mod github;
pub mod markdown;

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields whose numbers, their own or those below them, are metrics.
const METRICS: [&str; 7] = ["instructions", "cycles", "stalls", "regions", "energy", "memory", "stack_peak"];
/// Fields whose metrics are parts of others: shown, but not held to the limit unless asked for.
const PARTS: [&str; 2] = ["stalls", "regions"];
/// Fields that must be equal for a comparison to mean anything.
const CONDITIONS: [&str; 10] = [
    "schema",
    "core",
    "memory_profile",
    "cost_table",
    "clock_hz",
    "request",
    "prompt_tokens",
    "generated_tokens",
    "image",
    "arguments",
];
/// Fields that explain a change and may differ.
const HINTS: [&str; 4] = ["model_crc32", "text", "exit_code", "ended"];

/// Why two reports are not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareError {
    /// Not a report of this program.
    NotAReport(String),
    /// A condition differs.
    Condition {
        /// Its name, such as `core` or `request.seed`.
        name: String,
        /// In the base.
        base: String,
        /// In the new report.
        new: String,
    },
    /// No metric of that name in the base.
    Metric {
        /// The name.
        name: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// A metric that the limit holds is not in the new report.
    Gone(String),
}

impl std::fmt::Display for CompareError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAReport(name) => {
                write!(f, "{name} names no schema of host-sim: write it with host-sim run --json or exec --json")
            }
            Self::Condition { name, base, new } => {
                write!(f, "the reports differ in {name}, {base} against {new}: compare like with like, or give --force")
            }
            Self::Metric { name, known } => write!(f, "there is no metric {name}: choose among {}", known.join(", ")),
            Self::Gone(name) => write!(f, "the new report has no {name}: write both with the same version of host-sim"),
        }
    }
}

impl std::error::Error for CompareError {}

/// What became of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Lower than before.
    Better,
    /// The same.
    Same,
    /// Higher, but within the limit, or a part that the limit does not hold.
    Worse,
    /// Higher than the limit allows.
    Exceeded,
}

/// One metric in both reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where it stands in the report.
    pub metric: String,
    /// Before.
    pub base: f64,
    /// Now.
    pub new: f64,
    /// Change in percent of `base`; null where `base` is 0.
    pub change_percent: Option<f64>,
    /// Whether the limit holds it.
    pub held: bool,
    /// What became of it.
    pub verdict: Verdict,
}

/// Everything that a comparison found, schema `fathom-compare/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// `fathom-compare/1`.
    pub schema: &'static str,
    /// Name of the base.
    pub base: String,
    /// Name of the new report.
    pub new: String,
    /// What is modelled: core, memory profile, table of the new report.
    pub modelled: String,
    /// Most that a held metric may grow, in percent.
    pub max_regression_percent: f64,
    /// Conditions and other fields that differ.
    pub differences: Vec<&'static str>,
    /// Whether no held metric grew beyond that.
    pub within: bool,
    /// Metrics, in the order of their names.
    pub changes: Vec<Change>,
}

/// How to compare.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Most that a held metric may grow, in percent.
    pub max_regression_percent: f64,
    /// Hold only these metrics; empty is all that are no parts of others.
    pub only: Vec<String>,
    /// Compare under different conditions too.
    pub force: bool,
}

/// Compares reports, each with its name.
///
/// # Errors
/// [`CompareError`].
pub fn compare(base: (&str, &Value), new: (&str, &Value), rules: &Rules) -> Result<Comparison, CompareError> {
    for (name, report) in [base, new] {
        if !report.get("schema").and_then(Value::as_str).is_some_and(|schema| schema.starts_with("fathom-")) {
            return Err(CompareError::NotAReport(name.into()));
        }
    }
    let differs = |field: &&'static str| base.1.get(*field) != new.1.get(*field);
    let text = |report: &Value, field: &str| report.get(field).map_or("none".into(), short);
    if !rules.force
        && let Some(name) = CONDITIONS.into_iter().find(differs)
    {
        return Err(condition(name, base.1.get(name), new.1.get(name)));
    }
    let (before, after) = (metrics(base.1), metrics(new.1));
    if let Some(name) = rules.only.iter().find(|name| !before.contains_key(*name)) {
        return Err(CompareError::Metric { name: name.clone(), known: before.into_keys().collect() });
    }
    let held = |name: &str| {
        if rules.only.is_empty() {
            !name.split('.').any(|part| PARTS.contains(&part))
        } else {
            rules.only.iter().any(|only| only == name)
        }
    };
    let mut changes = Vec::new();
    for (metric, base) in &before {
        let held = held(metric);
        match after.get(metric) {
            Some(new) => changes.push(change(metric, *base, *new, held, rules.max_regression_percent)),
            None if held => return Err(CompareError::Gone(metric.clone())),
            None => {}
        }
    }
    Ok(Comparison {
        schema: "fathom-compare/1",
        base: base.0.into(),
        new: new.0.into(),
        modelled: format!("{}, {}, table {}", text(new.1, "core"), text(new.1, "memory_profile"), text(new.1, "cost_table")),
        max_regression_percent: rules.max_regression_percent,
        differences: CONDITIONS.into_iter().chain(HINTS).filter(differs).collect(),
        within: changes.iter().all(|change| change.verdict != Verdict::Exceeded),
        changes,
    })
}

/// The refusal for a field that differs; for one with fields of its own, it names the first of these that does.
fn condition(name: &str, base: Option<&Value>, new: Option<&Value>) -> CompareError {
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (base, new)
        && let Some(field) = before.keys().chain(after.keys()).find(|field| before.get(*field) != after.get(*field))
    {
        return condition(&format!("{name}.{field}"), before.get(field), after.get(field));
    }
    let text = |value: Option<&Value>| value.map_or("none".into(), short);
    CompareError::Condition { name: name.into(), base: text(base), new: text(new) }
}

fn change(metric: &str, base: f64, new: f64, held: bool, limit: f64) -> Change {
    let change_percent = (base != 0.0).then(|| 100.0 * (new - base) / base);
    let verdict = if new == base {
        Verdict::Same
    } else if new < base {
        Verdict::Better
    } else if held && change_percent.is_none_or(|change| change > limit) {
        Verdict::Exceeded // from nothing to something is beyond every limit
    } else {
        Verdict::Worse
    };
    Change { metric: metric.into(), base, new, change_percent, held, verdict }
}

/// A value in few characters, for messages.
fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}

/// The metrics of a report by name.
fn metrics(report: &Value) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for name in METRICS {
        if let Some(value) = report.get(name) {
            collect(name, value, &mut found);
        }
    }
    found
}

/// Numbers below `value`; lists have no names for theirs.
fn collect(name: &str, value: &Value, found: &mut BTreeMap<String, f64>) {
    match value {
        Value::Number(number) => {
            if let Some(number) = number.as_f64().filter(|number| *number >= 0.0) {
                found.insert(name.into(), number);
            }
        }
        Value::Object(fields) => fields.iter().for_each(|(field, value)| collect(&format!("{name}.{field}"), value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        json!({
            "schema": "fathom-run/1", "core": "cortex-m4", "memory_profile": "zero-wait", "cost_table": "cortex-m4/1",
            "request": {"prompt": "a"}, "text": "b", "instructions": 900,
            "cycles": {"per_token_mean": 1000, "total": 5000}, "regions": {"mlp": 400}, "stalls": {"fetch": 0},
            "energy": {"millijoules_per_token": 1.5, "basis": "x"}, "memory": {"arena": 64, "areas": [{"size": 3}]},
        })
    }

    pub(super) fn compared(new: impl FnOnce(&mut Value), rules: &Rules) -> Result<Comparison, CompareError> {
        let mut changed = report();
        new(&mut changed);
        compare(("base.json", &report()), ("new.json", &changed), rules)
    }

    pub(super) fn two_percent() -> Rules {
        Rules { max_regression_percent: 2.0, ..Rules::default() }
    }

    fn verdict(comparison: &Comparison, metric: &str) -> Verdict {
        comparison.changes.iter().find(|change| change.metric == metric).unwrap().verdict
    }

    #[test]
    fn identical_reports_are_the_same_in_every_metric() {
        let comparison = compared(|_| (), &two_percent()).unwrap();
        assert!(comparison.within && comparison.differences.is_empty());
        assert!(comparison.changes.iter().all(|change| change.verdict == Verdict::Same));
        let names: Vec<&str> = comparison.changes.iter().map(|change| change.metric.as_str()).collect();
        #[rustfmt::skip]
        assert_eq!(names, [
            "cycles.per_token_mean", "cycles.total", "energy.millijoules_per_token", "instructions", "memory.arena", "regions.mlp",
            "stalls.fetch",
        ]);
    }

    #[test]
    fn the_limit_itself_is_within_and_what_is_above_it_is_not() {
        let mean = |cycles: u64| move |json: &mut Value| json["cycles"]["per_token_mean"] = json!(cycles);
        for (cycles, wanted) in [(999, Verdict::Better), (1000, Verdict::Same), (1020, Verdict::Worse), (1021, Verdict::Exceeded)]
        {
            let comparison = compared(mean(cycles), &two_percent()).unwrap();
            assert_eq!(verdict(&comparison, "cycles.per_token_mean"), wanted, "{cycles}");
            assert_eq!(comparison.within, wanted != Verdict::Exceeded);
        }
    }

    #[test]
    fn parts_are_shown_but_held_only_by_name() {
        let worse = |json: &mut Value| {
            json["regions"]["mlp"] = json!(800);
            json["stalls"]["fetch"] = json!(7);
        };
        let comparison = compared(worse, &two_percent()).unwrap();
        assert!(comparison.within);
        assert_eq!(verdict(&comparison, "regions.mlp"), Verdict::Worse);
        for metric in ["regions.mlp", "stalls.fetch"] {
            let rules = Rules { only: vec![metric.into()], ..two_percent() };
            assert_eq!(verdict(&compared(worse, &rules).unwrap(), metric), Verdict::Exceeded, "{metric}");
        }
    }

    #[test]
    fn rejects_other_conditions_unless_forced() {
        for (field, value) in [
            ("core", json!("cortex-m7")),
            ("cost_table", json!("x/2")),
            ("request", json!({"prompt": "z"})),
            ("schema", json!("fathom-exec/1")),
        ] {
            let other = |json: &mut Value| json[field] = value;
            let error = compared(other.clone(), &two_percent()).unwrap_err();
            assert!(error.to_string().starts_with(&format!("the reports differ in {field}")), "{field}: {error}");
            assert!(error.to_string().contains("--force"));
            let forced = compared(other, &Rules { force: true, ..two_percent() }).unwrap();
            assert_eq!(forced.differences, [field]);
        }
        let other = compared(|json| json["request"] = json!({"prompt": "z"}), &two_percent()).unwrap_err();
        assert_eq!(other, CompareError::Condition { name: "request.prompt".into(), base: "a".into(), new: "z".into() });
    }

    #[test]
    fn rejects_what_is_no_report_and_metrics_that_are_not_there() {
        assert_eq!(compared(|json| *json = json!([]), &two_percent()), Err(CompareError::NotAReport("new.json".into())));
        let gone = compared(|json| json["cycles"] = json!({"total": 5000}), &two_percent());
        assert_eq!(gone, Err(CompareError::Gone("cycles.per_token_mean".into())));
        let unknown = compared(|_| (), &Rules { only: vec!["cycles.mean".into()], ..two_percent() }).unwrap_err();
        assert!(unknown.to_string().starts_with("there is no metric cycles.mean: choose among cycles.per_token_mean, "));
    }
}
