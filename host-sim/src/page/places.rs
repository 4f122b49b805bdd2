//! Where the cycles go: by region over all, then by region and block.

use super::bars::bar;
use super::html::escaped;
use super::numbers::{difference, percent, share, short};
use super::{Run, each_run};
use crate::report::{Place, Report, grouped};
use fathom::format::record::Region;
use std::fmt::Write;

/// The regions that lie within blocks, in the order of the work.
const WITHIN: [Region; 5] = [Region::Router, Region::Norm, Region::Projection, Region::Attention, Region::Mlp];

/// The section.
pub fn render(runs: &[Run]) -> String {
    let largest = runs.iter().flat_map(|run| run.report.regions.values()).max().copied().unwrap_or(0);
    let cell =
        runs.iter().flat_map(|run| &run.report.places).flat_map(|place| place.regions.values()).max().copied().unwrap_or(0);
    let base = &runs[0].report;
    let intro = "<p>First the regions over all, then millions of modelled cycles per block (down) and region (across): the stronger the shade, the more. A \
                 token that skips a block still costs its router there and, where the model keeps them, keys and values.</p>\n";
    intro.to_owned()
        + &each_run(runs, |index, run| {
            let base = (index > 0).then_some(base);
            regions(run, base, largest) + &blocks(run, base, cell)
        })
}

/// One bar per region, the largest first.
fn regions(run: &Run, base: Option<&Report>, largest: u64) -> String {
    let report = &run.report;
    let total: u64 = report.regions.values().sum();
    let mut rows: Vec<(&String, u64)> =
        report.regions.iter().filter(|(_, cycles)| **cycles > 0).map(|(region, cycles)| (region, *cycles)).collect();
    rows.sort_by_key(|(_, cycles)| std::cmp::Reverse(*cycles));
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure>\n<table class=\"bars\">\n<caption class=\"hidden\">Modelled cycles of {} per region</caption>\n<thead><tr><th scope=\"col\">Region</th>\
         <td></td><th scope=\"col\">Cycles</th><th scope=\"col\">{}</th></tr></thead>\n<tbody>\n",
        escaped(&run.name),
        if base.is_some() { "Change" } else { "Share" }
    );
    for (region, cycles) in rows {
        let last = match base {
            Some(base) => difference(base.regions.get(region).copied().unwrap_or(0) as f64, cycles as f64),
            None => percent(cycles, total),
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{last}</td></tr>",
            escaped(region),
            bar(share(cycles, largest), "plain"),
            short(cycles)
        );
    }
    let _ = write!(
        out,
        "</tbody>\n</table>\n<figcaption>{} cycles from the request to the last token, prompt included. Modelled: {}.</figcaption>\n</figure>\n",
        grouped(total),
        escaped(&run.basis())
    );
    out
}

/// A cell per block and region, shaded by its cycles.
fn blocks(run: &Run, base: Option<&Report>, largest: u64) -> String {
    let report = &run.report;
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure>\n<table class=\"heat\">\n<caption class=\"hidden\">Modelled cycles of {} per block and region, in millions</caption>\n<thead><tr>\
         <th scope=\"col\">Block</th>",
        escaped(&run.name)
    );
    for region in WITHIN {
        let (name, abbreviation) = (region.name(), abbreviated(region));
        let _ = write!(out, "<th scope=\"col\"><abbr title=\"{name}\">{abbreviation}</abbr></th>");
    }
    out.push_str("<th scope=\"col\">All</th></tr></thead>\n<tbody>\n");
    for place in report.places.iter().filter(|place| place.block.is_some()) {
        out.push_str(&row(place, base, largest));
    }
    out.push_str("</tbody>\n</table>\n");
    let outside: Vec<String> = report
        .places
        .iter()
        .filter(|place| place.block.is_none())
        .flat_map(|place| &place.regions)
        .map(|(region, cycles)| format!("{} {}", escaped(region), short(*cycles)))
        .collect();
    let _ = write!(
        out,
        "<figcaption>Below each block's number the tokens that were active in it, of {}. Outside of blocks: {}. Modelled: {}.</figcaption>\n</figure>\n",
        report.prompt_tokens + report.generated_tokens,
        outside.join(", "),
        escaped(&run.basis())
    );
    out
}

fn row(place: &Place, base: Option<&Report>, largest: u64) -> String {
    let block = place.block.unwrap_or_default();
    let mut out = String::new();
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{}<span class=\"under\"> {} <span class=\"wide\">tokens</span></span></th>",
        block + 1,
        place.active_tokens.unwrap_or_default()
    );
    let millions = |cycles: u64| format!("{:.1}", cycles as f64 / 1e6);
    for region in WITHIN {
        let cycles = place.regions.get(region.name()).copied().unwrap_or(0);
        // Never so dark that ink on it would be hard to read.
        let heat = 0.6 * share(cycles, largest);
        let _ = write!(out, "<td style=\"--heat:{heat:.1}%\">{}</td>", millions(cycles));
    }
    let other = base.and_then(|base| base.places.iter().find(|other| other.block == place.block));
    let change =
        other.map(|other| format!("<span class=\"under\"> {}</span>", difference(other.cycles as f64, place.cycles as f64)));
    let _ = writeln!(out, "<td>{}{}</td></tr>", millions(place.cycles), change.unwrap_or_default());
    out
}

/// What fits above a narrow column.
fn abbreviated(region: Region) -> &'static str {
    match region {
        Region::Router => "Router",
        Region::Norm => "Norm",
        Region::Projection => "Proj.",
        Region::Attention => "Attn.",
        Region::Mlp => "MLP",
        other => other.name(),
    }
}
