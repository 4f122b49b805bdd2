//! How many tokens ran how many blocks: a bar per depth.

use super::bars::bar;
use super::html::escaped;
use super::numbers::share;
use super::{Run, each_run};
use std::fmt::Write;

/// The section.
pub fn render(runs: &[Run]) -> String {
    // One scale for all runs.
    let largest = runs.iter().flat_map(|run| shares(run).into_iter().map(|(_, _, share)| share)).fold(0.0, f64::max);
    each_run(runs, |_, run| figure(run, largest))
}

/// Depth, tokens, their share in hundredths.
fn shares(run: &Run) -> Vec<(u32, u64, f64)> {
    let report = &run.report;
    let all = report.tokens.len() as u64;
    (0..=report.depth.blocks)
        .map(|depth| {
            let count = report.tokens.iter().filter(|token| token.depth == depth).count() as u64;
            (depth, count, share(count, all))
        })
        .filter(|(depth, count, _)| *depth > 0 || *count > 0)
        .collect()
}

fn figure(run: &Run, largest: f64) -> String {
    let report = &run.report;
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure>\n<table class=\"bars\">\n<caption class=\"hidden\">Generated tokens of {} per depth</caption>\n<thead><tr>\
         <th scope=\"col\">Blocks</th><td></td><th scope=\"col\">Tokens</th><th scope=\"col\">Share</th></tr></thead>\n<tbody>\n",
        escaped(&run.name)
    );
    for (depth, count, share) in shares(run) {
        let bar = bar(if largest > 0.0 { 100.0 * share / largest } else { 0.0 }, &format!("d{depth}"));
        let _ = writeln!(out, "<tr><th scope=\"row\">{depth}</th><td>{bar}</td><td>{count}</td><td>{share:.1}%</td></tr>");
    }
    let _ = write!(
        out,
        "</tbody>\n</table>\n<figcaption>Mean {:.2} of {} blocks over {} generated tokens; {:.1}% of token-layer operations saved.</figcaption>\n\
         </figure>\n",
        report.depth.mean,
        report.depth.blocks,
        report.generated_tokens,
        100.0 * report.depth.tlops_saved
    );
    out
}
