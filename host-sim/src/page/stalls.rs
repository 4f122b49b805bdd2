//! What the memory system costs, and what the chip draws.

use super::bars::bar;
use super::html::escaped;
use super::numbers::{percent, share, short};
use super::{Run, each_run};
use std::fmt::Write;

/// The section.
pub fn render(runs: &[Run]) -> String {
    each_run(runs, |_, run| figure(run))
}

fn figure(run: &Run) -> String {
    let report = &run.report;
    let total = report.cycles.total;
    let (fetch, data) = (report.stalls.fetch, report.stalls.data);
    let issue = total.saturating_sub(fetch).saturating_sub(data);
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure>\n<table class=\"bars\">\n<caption class=\"hidden\">Modelled cycles of {} in instructions and in stalls</caption>\n<thead><tr>\
         <th scope=\"col\">Cycles in</th><td></td><th scope=\"col\">Cycles</th><th scope=\"col\">Share</th></tr></thead>\n<tbody>\n",
        escaped(&run.name)
    );
    for (name, cycles, class) in
        [("instructions", issue, "plain"), ("waits for code", fetch, "wait"), ("waits for data", data, "wait")]
    {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{name}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            bar(share(cycles, total), class),
            short(cycles),
            percent(cycles, total)
        );
    }
    let energy = match &report.energy {
        Some(energy) => format!(
            "<strong>{:.3} mJ per generated token</strong>, an estimate and no measurement: {}.",
            energy.millijoules_per_token,
            escaped(&energy.basis)
        ),
        None => "No energy: the memory profile is of no chip and gives no current.".into(),
    };
    let waits = if fetch == 0 && data == 0 { " This memory profile makes nothing wait." } else { "" };
    let _ = write!(
        out,
        "</tbody>\n</table>\n<figcaption>All cycles, boot included.{waits} {energy} Modelled: {}.</figcaption>\n</figure>\n",
        escaped(&run.basis())
    );
    out
}
