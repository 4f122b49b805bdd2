//! The report page: one HTML file that shows runs to people, with everything in it and nothing fetched.
//!
//! In the order of the page: `summary`, `text`, `depth`, `position`, `places`, `stalls`, `memory`, `conditions`. What is
//! drawn is a table too, or has one beside it; the script only adds what a pointer or the keyboard asks for.

mod bars;
mod conditions;
mod depth;
mod html;
mod memory;
mod numbers;
mod palette;
mod places;
mod position;
mod stalls;
mod summary;
mod text;

use crate::report::Report;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use html::escaped;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Most runs that one page compares: more are a table's business, not a page's.
pub const MAX_RUNS: usize = 8;

/// A run with the name that the page gives it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Its figures, judged by [`Report::judge`].
    pub report: Report,
}

impl Run {
    /// What every figure of the run rests on.
    fn basis(&self) -> String {
        let Report { core, memory_profile, cost_table, .. } = &self.report;
        format!("{core}, {memory_profile}, table {cost_table}")
    }
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A section of the page: anchor, title, contents.
type Section = (&'static str, &'static str, String);

/// The page of one or more runs; differences are to the first. The same runs give the same bytes.
pub fn render(runs: &[Run]) -> String {
    let sections: [Section; 8] = [
        ("summary", "Summary", summary::render(runs)),
        ("text", "Text and depth", text::render(runs)),
        ("depth", "Distribution of depth", depth::render(runs)),
        ("position", "Cycles per token", position::render(runs)),
        ("places", "Cycles per region and block", places::render(runs)),
        ("stalls", "Stalls and energy", stalls::render(runs)),
        ("memory", "Memory", memory::render(runs)),
        ("conditions", "Conditions", conditions::render(runs)),
    ];
    let names: Vec<String> = runs.iter().map(|run| escaped(&run.name).to_string()).collect();
    let title = format!("{}: Fathom run report", names.join(" and "));
    let mut bases: Vec<String> = runs.iter().map(Run::basis).collect();
    bases.dedup();
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    let policy =
        format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");

    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}{}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the report</a>\n\
         <header>\n<p class=\"kind\">Fathom run report</p>\n<h1>{}</h1>\n\
         <p class=\"basis\">Every figure is <strong>modelled</strong>, none is measured: {}.</p>\n</header>\n",
        palette::style(runs.iter().map(|run| run.report.depth.blocks).max().unwrap_or(1)),
        names.join(" <span class=\"against\">and</span> "),
        bases.iter().map(|basis| escaped(basis).to_string()).collect::<Vec<_>>().join("; "),
    );
    page.push_str("<nav aria-label=\"Sections\">\n<ul>\n");
    for (anchor, title, _) in &sections {
        let _ = writeln!(page, "<li><a href=\"#{anchor}\">{title}</a></li>");
    }
    page.push_str("</ul>\n</nav>\n<main id=\"main\">\n");
    for (anchor, title, body) in &sections {
        let _ = write!(page, "<section aria-labelledby=\"{anchor}\">\n<h2 id=\"{anchor}\">{title}</h2>\n{body}</section>\n");
    }
    let _ = write!(
        page,
        "</main>\n<footer>\n<p>Written by host-sim. The page loads nothing and sends nothing.</p>\n</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    );
    page
}

/// One part of a section per run, side by side where there is room: `part(index, run)` is what goes below the run's name.
fn each_run(runs: &[Run], part: impl Fn(usize, &Run) -> String) -> String {
    let mut out = format!("<div class=\"runs{}\">\n", if runs.len() == 1 { " single" } else { "" });
    for (index, run) in runs.iter().enumerate() {
        out.push_str("<div class=\"run\">\n");
        if runs.len() > 1 {
            let _ = writeln!(out, "<h3>{}</h3>", escaped(&run.name));
        }
        out.push_str(&part(index, run));
        out.push_str("</div>\n");
    }
    out + "</div>\n"
}
