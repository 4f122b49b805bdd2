//! The report as text, at most 100 columns wide.

use super::sources::Sources;
use super::summary::Summary;
use crate::machine::CacheCounts;
use crate::report::grouped;
use std::fmt::Write;

/// Columns of the report.
pub const COLUMNS: usize = 100;

/// Tables of the `top` dearest functions and lines, the instruction mix, and what the memory did.
pub fn tables(summary: &Summary, top: usize, caches: CacheCounts, sources: &mut Sources) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = totals(&mut out, summary, caches);
    let _ = functions(&mut out, summary, top);
    let _ = lines(&mut out, summary, top, sources);
    let _ = classes(&mut out, summary, top);
    out
}

/// `part` of `whole` in per cent.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// `part` for each of `count`; 0 where there is none.
pub fn per(part: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { part as f64 / count as f64 }
}

/// The end of a text, as much as fits: the end of a path says more than its beginning.
pub fn tail(text: &str, columns: usize) -> String {
    let count = text.chars().count();
    if count <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().skip(count + 1 - columns.max(1)).collect();
    format!("…{kept}")
}

/// The beginning of a text, as much as fits.
pub fn head(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn totals(out: &mut String, summary: &Summary, caches: CacheCounts) -> std::fmt::Result {
    let Summary { cycles, instructions, fetch, data, .. } = *summary;
    let (cpi, issue) = (per(cycles, instructions), cycles.saturating_sub(fetch + data));
    writeln!(out, "{} cycles, {} instructions, {cpi:.3} cycles per instruction", grouped(cycles), grouped(instructions))?;
    writeln!(
        out,
        "issue {} ({:.1}%), waiting for instructions {} ({:.1}%), waiting for data {} ({:.1}%)",
        grouped(issue),
        share(issue, cycles),
        grouped(fetch),
        share(fetch, cycles),
        grouped(data),
        share(data, cycles),
    )?;
    if caches != CacheCounts::default() {
        for (what, hits, misses) in [
            ("instruction lines", caches.instruction_hits, caches.instruction_misses),
            ("data accesses", caches.data_hits, caches.data_misses),
        ] {
            let (percent, hits, misses) = (share(hits, hits + misses), grouped(hits), grouped(misses));
            writeln!(out, "cached {what}: {hits} hits, {misses} misses ({percent:.1}% hits), from reset to the end")?;
        }
    }
    Ok(())
}

fn functions(out: &mut String, summary: &Summary, top: usize) -> std::fmt::Result {
    let stalls = summary.fetch + summary.data > 0;
    let stall_title = if stalls { " stalled" } else { "" };
    writeln!(out, "\nFunctions, by their own cycles; \"with calls\" adds what they call")?;
    let title = "     own cycles    own  with calls     calls   cycles/call   CPI";
    writeln!(out, "{title}{stall_title}  function")?;
    for function in summary.functions.iter().take(top) {
        let (calls, each) = match function.calls {
            Some(0) => ("-".into(), String::new()),
            Some(calls) => (grouped(calls), grouped((function.inclusive + calls / 2) / calls)),
            None => ("inlined".into(), String::new()),
        };
        let cpi = if function.instructions == 0 {
            String::new()
        } else {
            format!("{:.2}", per(function.exclusive, function.instructions))
        };
        let mut line = format!(
            "{:>15} {:>5.1}%      {:>5.1}% {calls:>9} {each:>13} {cpi:>5}",
            grouped(function.exclusive),
            share(function.exclusive, summary.cycles),
            share(function.inclusive, summary.cycles),
        );
        if stalls {
            write!(line, " {:>6.1}%", share(function.fetch + function.data, function.exclusive))?;
        }
        let room = COLUMNS.saturating_sub(line.chars().count() + 2);
        writeln!(out, "{line}  {}", tail(&function.name, room))?;
    }
    rest(out, summary.functions.len(), top, "functions", summary.functions.iter().skip(top).map(|one| one.exclusive), summary)
}

fn lines(out: &mut String, summary: &Summary, top: usize, sources: &mut Sources) -> std::fmt::Result {
    if summary.lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nSource lines, by their own cycles")?;
    writeln!(out, "     own cycles    own  with calls   CPI  line")?;
    for line in summary.lines.iter().take(top) {
        let numbers = format!(
            "{:>15} {:>5.1}%      {:>5.1}% {:>5.2}",
            grouped(line.exclusive),
            share(line.exclusive, summary.cycles),
            share(line.inclusive, summary.cycles),
            per(line.exclusive, line.instructions),
        );
        let place = format!("{}:{}", line.file.shown, line.line);
        let room = COLUMNS.saturating_sub(numbers.chars().count() + 2);
        let place = tail(&place, room);
        let text = sources.line(&line.file, line.line).unwrap_or("");
        let left = room.saturating_sub(place.chars().count() + 2);
        let text = if left < 8 { String::new() } else { head(text, left) };
        writeln!(out, "{}", format!("{numbers}  {place}  {text}").trim_end())?;
    }
    rest(out, summary.lines.len(), top, "lines", summary.lines.iter().skip(top).map(|one| one.exclusive), summary)
}

/// One line for what a table leaves out.
fn rest(
    out: &mut String,
    count: usize,
    top: usize,
    what: &str,
    left: impl Iterator<Item = u64>,
    summary: &Summary,
) -> std::fmt::Result {
    if count <= top {
        return Ok(());
    }
    let cycles = left.sum();
    writeln!(out, "{:>15} {:>5.1}%  in {} more {what}", grouped(cycles), share(cycles, summary.cycles), count - top)
}

fn classes(out: &mut String, summary: &Summary, top: usize) -> std::fmt::Result {
    writeln!(out, "\nInstructions, by class of the cycle table")?;
    writeln!(out, "         cycles  share     instructions  share   CPI  class")?;
    for class in summary.classes.iter().take(top) {
        let numbers = format!(
            "{:>15} {:>5.1}% {:>16} {:>5.1}% {:>5.2}",
            grouped(class.cycles),
            share(class.cycles, summary.cycles),
            grouped(class.executions),
            share(class.executions, summary.instructions),
            per(class.cycles, class.executions),
        );
        let room = COLUMNS.saturating_sub(numbers.chars().count() + 2);
        writeln!(out, "{numbers}  {}", head(class.class, room))?;
    }
    rest(out, summary.classes.len(), top, "classes", summary.classes.iter().skip(top).map(|one| one.cycles), summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_their_columns_and_nothing_divides_by_zero() {
        assert_eq!(tail("fathom::block::activate", 9), "…activate");
        assert_eq!(tail("short", 9), "short");
        assert_eq!(head("let x = a + b;", 8), "let x =…");
        assert_eq!((share(1, 0), per(1, 0)), (0.0, 0.0));
    }
}
