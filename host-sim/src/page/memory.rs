//! The memory map: each memory as a strip to scale, filled as far as its areas ever were, and the areas' figures below.

use super::html::escaped;
use super::numbers::{bytes, difference, percent, share};
use super::{Run, each_run};
use crate::report::memory::Area;
use crate::report::{Report, grouped};
use std::fmt::Write;

/// The section.
pub fn render(runs: &[Run]) -> String {
    let base = &runs[0].report;
    each_run(runs, |index, run| {
        if run.report.memory.areas.is_empty() {
            return "<p>The image names no borders of its memory: link it with firmware/memory.x.</p>\n".into();
        }
        let mut out = String::from("<figure>\n");
        for (memory, title) in [("flash", "Flash"), ("ram", "RAM")] {
            out.push_str(&strip(run, memory, title));
        }
        out.push_str(&table(run, (index > 0).then_some(base)));
        out + "</figure>\n"
    })
}

fn of<'r>(run: &'r Run, memory: &str) -> Vec<&'r Area> {
    let mut areas: Vec<&Area> = run.report.memory.areas.iter().filter(|area| area.memory == memory && area.size > 0).collect();
    areas.sort_by_key(|area| area.start);
    areas
}

/// One memory, left to right by address.
fn strip(run: &Run, memory: &str, title: &str) -> String {
    let areas = of(run, memory);
    let size: u64 = areas.iter().map(|area| u64::from(area.size)).sum();
    let peak: u64 = areas.iter().map(|area| u64::from(area.peak)).sum();
    let mut out = String::new();
    let _ = write!(
        out,
        "<p class=\"strip-title\">{title}: at most {} of {} in use ({})</p>\n<div class=\"strip\" aria-hidden=\"true\">",
        bytes(peak),
        bytes(size),
        percent(peak, size)
    );
    for area in &areas {
        let part = share(u64::from(area.size), size);
        let fill = share(u64::from(area.peak), u64::from(area.size)).min(100.0);
        let _ = write!(
            out,
            "<span style=\"flex:{part:.3} 0 0%;--fill:{fill:.2}%\" title=\"{}: {} of {}\"><span>{}</span></span>",
            escaped(&area.name),
            bytes(u64::from(area.peak)),
            bytes(u64::from(area.size)),
            escaped(&area.name)
        );
    }
    out + "</div>\n"
}

/// Every area: where it is, how large, how much of it was in use at the peak.
fn table(run: &Run, base: Option<&Report>) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<table class=\"areas\">\n<caption class=\"hidden\">Areas of memory of {}, in bytes</caption>\n<thead><tr><th scope=\"col\">Area</th>\
         <th scope=\"col\">Peak</th><th scope=\"col\">Size</th><th scope=\"col\">{}</th></tr></thead>\n<tbody>\n",
        escaped(&run.name),
        if base.is_some() { "Change" } else { "In use" }
    );
    for area in of(run, "flash").into_iter().chain(of(run, "ram")) {
        let other = base.and_then(|base| base.memory.areas.iter().find(|other| other.name == area.name));
        let last = match other {
            Some(other) => difference(f64::from(other.peak), f64::from(area.peak)),
            None => percent(u64::from(area.peak), u64::from(area.size)),
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}<span class=\"under\"> {} <code>{:#010x}</code></span></th><td>{}</td><td>{}</td><td>{last}</td></tr>",
            escaped(&area.name),
            if area.memory == "ram" { "RAM" } else { "flash" },
            area.start,
            grouped(u64::from(area.peak)),
            grouped(u64::from(area.size)),
        );
    }
    let _ = write!(
        out,
        "</tbody>\n</table>\n<figcaption>Bytes at the peak of the run; the hatched rest is free. The stack's peak is the low-water mark of the stack \
         pointer, the heap's is the model's arena. Modelled: {}.</figcaption>\n",
        escaped(&run.basis())
    );
    out
}
