//! Cycles of each token over its position: one bar per token, in the colour of its depth.

use super::html::escaped;
use super::numbers::{short, ticks};
use super::{Run, each_run};
use crate::report::grouped;
use std::fmt::Write;

/// Height of the drawing in its own units; it is stretched to its place.
const HEIGHT: f64 = 1000.0;

/// The section.
pub fn render(runs: &[Run]) -> String {
    // One scale for all runs, in both directions.
    let most = runs.iter().map(|run| run.report.cycles.per_token_max.max(run.report.cycles.prefill_per_token)).max().unwrap_or(0);
    let ticks = ticks(most);
    let columns = runs.iter().map(|run| run.report.prompt_tokens + run.report.generated_tokens).max().unwrap_or(0).max(1);
    let intro = "<p>Modelled cycles of each generated token (vertical) over its position in the context (horizontal). The colour is the depth, as \
                 below the text; the table there has every value.</p>\n";
    intro.to_owned() + &each_run(runs, |index, run| figure(index, run, &ticks, columns))
}

fn figure(index: usize, run: &Run, ticks: &[u64], columns: usize) -> String {
    let report = &run.report;
    let cycles = &report.cycles;
    let top = ticks.last().copied().unwrap_or(1).max(1);
    let height = |cycles: u64| HEIGHT * cycles as f64 / top as f64;
    let place = |cycles: u64| 100.0 * cycles as f64 / top as f64;
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure>\n<ul class=\"key\">\n<li><span class=\"dash\" aria-hidden=\"true\"></span>mean {}</li>\n<li><span class=\"hatch\" \
         aria-hidden=\"true\"></span>prompt, mean {}</li>\n</ul>\n<div class=\"plot\" data-run=\"{index}\">\n<div class=\"scale\" \
         aria-hidden=\"true\">",
        grouped(cycles.per_token_mean),
        grouped(cycles.prefill_per_token)
    );
    for tick in ticks {
        let _ = write!(out, "<span style=\"bottom:{:.2}%\">{}</span>", place(*tick), short(*tick));
    }
    let _ = write!(
        out,
        "</div>\n<div class=\"area\">\n<svg viewBox=\"0 0 {columns} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Modelled cycles of each \
         token of {} over its position: mean {}, 95th percentile {}, maximum {}\">\n",
        escaped(&run.name),
        grouped(cycles.per_token_mean),
        grouped(cycles.per_token_p95),
        grouped(cycles.per_token_max)
    );
    // Stripes in the drawing's own units: stretched like everything else, and still stripes.
    let _ = writeln!(
        out,
        "<pattern id=\"stripes-{index}\" width=\"1\" height=\"40\" patternUnits=\"userSpaceOnUse\"><rect class=\"stripe\" width=\"1\" height=\"14\"/></pattern>"
    );
    for tick in ticks {
        let y = HEIGHT - height(*tick);
        let _ = writeln!(out, "<line class=\"grid\" x1=\"0\" x2=\"{columns}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
    }
    if report.prompt_tokens > 0 {
        let tall = height(cycles.prefill_per_token);
        let (wide, y) = (report.prompt_tokens, HEIGHT - tall);
        let _ = writeln!(
            out,
            "<rect class=\"prefill\" fill=\"url(#stripes-{index})\" x=\"0\" y=\"{y:.1}\" width=\"{wide}\" height=\"{tall:.1}\"><title>prompt: {} modelled cycles per token, \
             mean</title></rect>",
            grouped(cycles.prefill_per_token)
        );
    }
    for token in &report.tokens {
        let tall = height(token.cycles);
        let _ = writeln!(
            out,
            "<rect class=\"d{}\" data-at=\"{}\" x=\"{}.08\" y=\"{:.1}\" width=\"0.84\" height=\"{tall:.1}\"/>",
            token.depth,
            token.position,
            token.position,
            HEIGHT - tall
        );
    }
    let y = HEIGHT - height(cycles.per_token_mean);
    let _ = write!(out, "<line class=\"mean\" x1=\"0\" x2=\"{columns}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n</svg>\n</div>\n");
    out.push_str("<div class=\"positions\" aria-hidden=\"true\">");
    for position in super::numbers::ticks(columns as u64).iter().filter(|position| **position < columns as u64) {
        let _ = write!(out, "<span style=\"left:{:.2}%\">{position}</span>", 100.0 * (*position as f64 + 0.5) / columns as f64);
    }
    let _ = write!(
        out,
        "</div>\n</div>\n<figcaption>95th percentile {}, maximum {}. Modelled: {}.</figcaption>\n</figure>\n",
        grouped(cycles.per_token_p95),
        grouped(cycles.per_token_max),
        escaped(&run.basis())
    );
    out
}
