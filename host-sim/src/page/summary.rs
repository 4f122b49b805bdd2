//! The figures that a reader looks for first; with several runs, each against the first.

use super::Run;
use super::html::escaped;
use super::numbers::{SAME, bytes, difference, percent};
use crate::report::{Report, grouped};
use std::fmt::Write;

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Lower,
    Higher,
    Neither,
}

/// One figure: label, value for differences, value for people, which way is better.
struct Figure {
    label: String,
    value: f64,
    text: String,
    better: Better,
}

/// The figures of a run; the first few are the headline.
fn figures(report: &Report) -> Vec<Figure> {
    let mut out = Vec::new();
    let mut figure =
        |label: &str, value: f64, text: String, better| out.push(Figure { label: label.into(), value, text, better });
    let cycles = &report.cycles;
    let mean = cycles.per_token_mean;
    let rate = if mean == 0 { 0.0 } else { report.clock_hz as f64 / mean as f64 };
    let megahertz = report.clock_hz as f64 / 1e6;
    let count = |label: &str, number: u64| (label.to_owned(), number as f64, grouped(number));

    figure("Tokens per second", rate, format!("{rate:.1} at {megahertz} MHz"), Better::Higher);
    figure("Cycles per token, mean", mean as f64, grouped(mean), Better::Lower);
    figure(
        "Mean depth",
        report.depth.mean,
        format!("{:.2} of {} blocks", report.depth.mean, report.depth.blocks),
        Better::Neither,
    );
    let saved = 100.0 * report.depth.tlops_saved;
    figure("Token-layer operations saved", saved, format!("{saved:.1}%"), Better::Neither);
    for (label, value, text) in [
        count("Cycles per token, 95th percentile", cycles.per_token_p95),
        count("Cycles per token, maximum", cycles.per_token_max),
        count("Cycles per prompt token", cycles.prefill_per_token),
        count("Cycles in all, boot included", cycles.total),
        count("Guest instructions", report.instructions),
    ] {
        figure(&label, value, text, Better::Lower);
    }
    let stalls = report.stalls.fetch.saturating_add(report.stalls.data);
    figure(
        "Share of cycles in stalls",
        super::numbers::share(stalls, cycles.total),
        percent(stalls, cycles.total),
        Better::Lower,
    );
    let energy = report.energy.as_ref().map(|energy| energy.millijoules_per_token);
    let text = energy.map_or("not known".into(), |energy| format!("{energy:.3} mJ (estimate)"));
    figure("Energy per token", energy.unwrap_or(f64::NAN), text, Better::Lower);
    let memory = &report.memory;
    for (label, size) in [
        ("Flash, code", memory.flash_code),
        ("Flash, model", memory.flash_model),
        ("RAM, arena", memory.arena),
        ("RAM, peak stack", memory.stack_peak),
    ] {
        figure(label, size as f64, bytes(size), Better::Lower);
    }
    out
}

/// The section.
pub fn render(runs: &[Run]) -> String {
    match runs {
        [run] => single(run),
        _ => several(runs),
    }
}

/// Four large figures, the rest in a list.
fn single(run: &Run) -> String {
    let figures = figures(&run.report);
    let mut out = String::new();
    for (class, figures) in [("headline", &figures[..4]), ("facts", &figures[4..])] {
        let _ = writeln!(out, "<dl class=\"{class}\">");
        for figure in figures {
            // The number large, what it counts small.
            let (number, unit) = figure.text.split_once(' ').unwrap_or((&figure.text, ""));
            let value = match (class, unit) {
                ("facts", _) | (_, "") => figure.text.clone(),
                _ => format!("{number} <small>{unit}</small>"),
            };
            let _ = writeln!(out, "<div><dt>{}</dt><dd>{value}</dd></div>", figure.label);
        }
        out.push_str("</dl>\n");
    }
    out
}

/// A table with a column per run, each but the first with its differences.
fn several(runs: &[Run]) -> String {
    let all: Vec<Vec<Figure>> = runs.iter().map(|run| figures(&run.report)).collect();
    let mut out = String::new();
    if let Some(warning) = mismatch(runs) {
        let _ = writeln!(out, "<p class=\"note\"><strong>Not like for like:</strong> {warning}.</p>");
    }
    let _ = writeln!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"Summary of the runs\" tabindex=\"0\">\n<table class=\"compare\">\n\
         <caption>Differences are to {}. ▲ is more, ▼ is less; <em>better</em> and <em>worse</em> are said where it matters.</caption>",
        escaped(&runs[0].name)
    );
    out.push_str("<thead><tr><th scope=\"col\">Modelled</th>");
    for run in runs {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(&run.name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let labels = all[0].iter().map(|figure| &figure.label);
    for (row, label) in labels.enumerate() {
        let _ = write!(out, "<tr><th scope=\"row\">{label}</th>");
        for figures in &all {
            let figure = &figures[row];
            let _ = write!(out, "<td>{}", figure.text);
            if !std::ptr::eq(figures, &all[0]) {
                out.push_str(&change(all[0][row].value, figure));
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out + "</tbody>\n</table>\n</div>\n"
}

/// The difference of a figure to its base, by sign, arrow and word.
fn change(base: f64, figure: &Figure) -> String {
    if base.is_nan() || figure.value.is_nan() {
        return "<span class=\"change\"></span>".into();
    }
    let text = if base == 0.0 && figure.value != 0.0 { "from 0".into() } else { difference(base, figure.value) };
    if text == SAME {
        return format!("<span class=\"change\">{text}</span>");
    }
    let lower = figure.value < base;
    let arrow = if lower { "▼" } else { "▲" };
    let (class, word) = match (figure.better, lower) {
        (Better::Neither, _) => ("", ""),
        (Better::Lower, true) | (Better::Higher, false) => (" better", " better"),
        _ => (" worse", " worse"),
    };
    format!("<span class=\"change{class}\"><span aria-hidden=\"true\">{arrow}</span> {text}{word}</span>")
}

/// What differs between runs that are meant to be compared, if anything.
fn mismatch(runs: &[Run]) -> Option<String> {
    type What = fn(&Report) -> String;
    let kinds: [(&str, What); 5] = [
        ("core", |report| report.core.clone()),
        ("memory profile", |report| report.memory_profile.clone()),
        ("cycle table", |report| report.cost_table.clone()),
        ("model", |report| report.model_crc32.clone()),
        ("request", |report| format!("{:?}", report.request)),
    ];
    let differs = |what: What| runs.iter().any(|run| what(&run.report) != what(&runs[0].report));
    let found: Vec<&str> = kinds.iter().filter(|(_, what)| differs(*what)).map(|(name, _)| *name).collect();
    (!found.is_empty()).then(|| format!("the runs differ in {}", found.join(", ")))
}
