//! What GitHub Actions understands: annotations, and the summary of a step.

use super::markdown::{number, percent};
use super::{Change, Comparison, Verdict};
use std::fmt::Write;

/// One `::error` per metric beyond the limit, one `::warning` per held metric that used more than half of it.
pub fn annotations(comparison: &Comparison) -> String {
    let limit = comparison.max_regression_percent;
    let mut out = String::new();
    for change in comparison.changes.iter().filter(|change| change.held) {
        let near = change.change_percent.is_some_and(|percent| percent > limit / 2.0);
        let (kind, title) = match change.verdict {
            Verdict::Exceeded => ("error", "Fathom: beyond the limit"),
            Verdict::Worse if near => ("warning", "Fathom: close to the limit"),
            _ => continue,
        };
        let _ = writeln!(out, "::{kind} title={}::{}", property(title), message(&sentence(change, limit)));
    }
    out
}

fn sentence(change: &Change, limit: f64) -> String {
    let Change { metric, base, new, .. } = change;
    format!("{metric}: {} before, {} now ({}; at most +{limit}% allowed; modelled)", number(*base), number(*new), percent(change))
}

/// Escapes the text of a workflow command.
pub fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
pub fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compared, two_percent};
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_are_beyond_the_limit_and_warnings_close_to_it() {
        let comparison = compared(
            |json| {
                json["cycles"] = json!({"per_token_mean": 1100, "total": 5075});
                json["instructions"] = json!(905);
                json["regions"]["mlp"] = json!(1000);
            },
            &two_percent(),
        );
        let lines = annotations(&comparison.unwrap());
        let wanted = "\
::error title=Fathom%3A beyond the limit::cycles.per_token_mean: 1,000 before, 1,100 now (+10.0%25; at most +2%25 allowed; modelled)
::warning title=Fathom%3A close to the limit::cycles.total: 5,000 before, 5,075 now (+1.5%25; at most +2%25 allowed; modelled)
";
        assert_eq!(lines, wanted);
    }

    #[test]
    fn text_cannot_start_another_command() {
        assert_eq!(message("a\n::error::b%"), "a%0A::error::b%25");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
