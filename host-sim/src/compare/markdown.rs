//! A comparison as Markdown, fit for a comment on a pull request.

use super::{Change, Comparison, Verdict};
use crate::report::grouped;
use std::fmt::Write;

/// The table with its heading. Metrics that did not change are counted, not listed.
pub fn render(comparison: &Comparison) -> String {
    let Comparison { changes, max_regression_percent: limit, .. } = comparison;
    let exceeded = changes.iter().filter(|change| change.verdict == Verdict::Exceeded).count();
    let same = changes.iter().filter(|change| change.verdict == Verdict::Same).count();
    let mut out = String::new();
    let heading = match (exceeded, same == changes.len()) {
        (0, true) => "no change".to_owned(),
        (0, false) => format!("within {limit}%"),
        (1, _) => format!("1 metric is more than {limit}% worse"),
        (count, _) => format!("{count} metrics are more than {limit}% worse"),
    };
    let _ = writeln!(out, "### Fathom: {heading}\n");
    let _ = writeln!(
        out,
        "{} against {}. Every figure is modelled: {}.",
        code(&comparison.new),
        code(&comparison.base),
        plain(&comparison.modelled)
    );
    if !comparison.differences.is_empty() {
        let _ = writeln!(out, "\nThe reports differ in {}.", comparison.differences.join(", "));
    }
    if same < changes.len() {
        out.push_str("\n| metric | base | new | change | |\n|:---|---:|---:|---:|:---|\n");
        for change in changes.iter().filter(|change| change.verdict != Verdict::Same) {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} |",
                code(&change.metric),
                number(change.base),
                number(change.new),
                percent(change),
                word(change)
            );
        }
    }
    if same > 0 {
        let (plural, verb) = if same == 1 { ("", "is") } else { ("s", "are") };
        let _ = writeln!(out, "\n{same} metric{plural} {verb} the same.");
    }
    out
}

fn word(change: &Change) -> &'static str {
    match (change.verdict, change.held) {
        (Verdict::Exceeded, _) => "**beyond the limit**",
        (Verdict::Better, _) => "better",
        (Verdict::Worse, true) => "within the limit",
        (Verdict::Worse, false) => "part of a total",
        (Verdict::Same, _) => "",
    }
}

/// A metric for people: whole numbers grouped by thousands, others with six decimals.
pub fn number(value: f64) -> String {
    if value.fract() == 0.0 && value < 9e15 { grouped(value as u64) } else { format!("{value:.6}") }
}

/// A change for people.
pub fn percent(change: &Change) -> String {
    match change.change_percent {
        Some(percent) if percent.abs() < 0.05 => format!("{percent:+.3}%"),
        Some(percent) => format!("{percent:+.1}%"),
        None => "from nothing".into(),
    }
}

/// Text as code, which nothing in it can end.
fn code(text: &str) -> String {
    format!("`{}`", plain(text))
}

/// Text without what Markdown, HTML in it or the table would take for its own.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || "`|<>[]*\\@#".contains(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compared, two_percent};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_has_what_changed_and_counts_the_rest() {
        let comparison = compared(
            |json| {
                json["cycles"] = json!({"per_token_mean": 1100, "total": 5050});
                json["instructions"] = json!(800);
                json["model_crc32"] = json!("00000001");
            },
            &two_percent(),
        );
        let wanted = "\
### Fathom: 1 metric is more than 2% worse

`new.json` against `base.json`. Every figure is modelled: cortex-m4, zero-wait, table cortex-m4/1.

The reports differ in model_crc32.

| metric | base | new | change | |
|:---|---:|---:|---:|:---|
| `cycles.per_token_mean` | 1,000 | 1,100 | +10.0% | **beyond the limit** |
| `cycles.total` | 5,000 | 5,050 | +1.0% | within the limit |
| `instructions` | 900 | 800 | -11.1% | better |

4 metrics are the same.
";
        assert_eq!(render(&comparison.unwrap()), wanted);
    }

    #[test]
    fn nothing_to_say_is_said_shortly() {
        let text = render(&compared(|_| (), &two_percent()).unwrap());
        assert!(text.starts_with("### Fathom: no change\n") && !text.contains("| metric"), "{text}");
    }

    #[test]
    fn names_cannot_break_out_of_the_table() {
        let mut comparison = compared(|_| (), &two_percent()).unwrap();
        comparison.new = "a`|<img>\n@all".into();
        assert!(render(&comparison).contains("\n`a???img???all` against"), "{}", render(&comparison));
    }
}
