//! Under which conditions the figures hold.

use super::html::escaped;
use super::{Run, each_run};
use std::fmt::Write;

/// The section.
pub fn render(runs: &[Run]) -> String {
    let words = "<p>Depth is the number of blocks that ran for a token. A token-layer operation is one token in one block. Cycles come from a table of \
                 instruction costs for the core and from the memory profile, not from a clock; the profile <code>zero-wait</code> makes no access \
                 wait.</p>\n";
    each_run(runs, |_, run| list(run)) + words
}

fn list(run: &Run) -> String {
    let report = &run.report;
    let asked = &report.request;
    let effort = match (asked.effort, asked.cycle_budget) {
        (_, Some(cycles)) => format!("chosen for {cycles} cycles per token"),
        (Some(point), None) => point.to_string(),
        (None, None) => "the model's default".to_owned(),
    };
    let top_k = if asked.top_k == 0 { "all".to_owned() } else { asked.top_k.to_string() };
    let rows = [
        ("Core", report.core.clone()),
        ("Memory profile", report.memory_profile.clone()),
        ("Cycle table", report.cost_table.clone()),
        ("Clock for rates", format!("{} MHz", report.clock_hz as f64 / 1e6)),
        ("Model (CRC-32)", report.model_crc32.clone()),
        ("Prompt", asked.prompt.replace('\n', "↵")),
        ("Tokens asked for", asked.tokens.to_string()),
        ("Temperature", asked.temperature.to_string()),
        ("Sampled among", top_k),
        ("Seed", asked.seed.to_string()),
        ("Operating point", effort),
        ("Schema", report.schema.clone()),
    ];
    let mut out = String::from("<dl class=\"facts\">\n");
    for (label, value) in rows {
        let _ = writeln!(out, "<div><dt>{label}</dt><dd>{}</dd></div>", escaped(&value));
    }
    out + "</dl>\n"
}
