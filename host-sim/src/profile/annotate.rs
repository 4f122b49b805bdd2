//! Disassembly with what each instruction cost, source lines between.

use super::collect::Collector;
use super::folded::short;
use super::sources::Sources;
use super::symbols::{Frame, Symbols};
use super::text::{COLUMNS, head, per, share, tail};
use crate::machine::Machine;
use crate::report::grouped;
use std::fmt::Write;
use std::ops::RangeInclusive;

/// Longest stretch of code that is shown, in bytes.
const MAX_BYTES: u32 = 64 << 10;
/// Instructions in a row that were never executed and are still shown.
const FEW: usize = 6;

/// The instructions from the first address to the last, one a line. Long stretches that were never executed are left out.
pub fn annotate(
    machine: &Machine,
    collector: &Collector,
    symbols: &mut Symbols<'_>,
    sources: &mut Sources,
    range: RangeInclusive<u32>,
) -> String {
    let end = (*range.end()).min(range.start().saturating_add(MAX_BYTES));
    let stalls = collector.addresses.classes().iter().any(|class| class.fetch + class.data > 0);
    let stall_title = if stalls { " fetch  data" } else { "" };
    let mut out = format!("   address encoding   executions cycles/exec{stall_title}  share  instruction\n");
    let (mut address, mut place) = (*range.start(), String::new());
    let mut idle: Vec<String> = Vec::new();
    while address <= end {
        let Some(function) = collector.functions.containing(address) else { break };
        let Some((encoding, text, bytes)) = instruction(machine, address) else { break };
        let cost = collector.addresses.at(address);
        let mut line = format!("{address:>10x} {encoding:<9} ");
        // Writing to a string cannot fail.
        if cost.executions == 0 {
            let _ = write!(line, "{:>12} {:>11} {:>w$}", "-", "", "", w = if stalls { 19 } else { 7 });
        } else {
            let each = |cycles| per(cycles, cost.executions);
            let _ = write!(line, "{:>12} {:>11.2} ", grouped(cost.executions), each(cost.cycles));
            if stalls {
                let _ = write!(line, "{:>5.2} {:>5.2} ", each(cost.fetch), each(cost.data));
            }
            let _ = write!(line, "{:>5.1}%", share(cost.cycles, collector.cycles));
        }
        let line = head(&format!("{line}  {text}"), COLUMNS) + "\n";
        if cost.executions == 0 {
            idle.push(line);
        } else {
            flush(&mut out, &mut idle);
            let frames = symbols.frames(&collector.functions, function, address);
            if let Some(here) = source(symbols, sources, &frames).filter(|here| *here != place) {
                out += &here;
                place = here;
            }
            out += &line;
        }
        match address.checked_add(bytes) {
            Some(next) => address = next,
            None => break,
        }
    }
    flush(&mut out, &mut idle);
    out
}

/// Shows instructions that were never executed, if they are few.
fn flush(out: &mut String, idle: &mut Vec<String>) {
    if idle.len() <= FEW {
        out.extend(idle.drain(..));
    } else {
        let _ = writeln!(out, "           ... {} instructions that were never executed", idle.len()); // cannot fail
        idle.clear();
    }
}

/// The innermost line whose text is at hand, and what was inlined there; else the innermost line with its function.
fn source(symbols: &Symbols<'_>, sources: &mut Sources, frames: &[Frame]) -> Option<String> {
    let located = |frame: &Frame| frame.line.map(|line| (symbols.file(line.file), line.line));
    let shown = |file: &super::symbols::File, line| tail(&format!("{}:{line}", file.shown), 48);
    for (depth, frame) in frames.iter().enumerate().rev() {
        let Some((file, line)) = located(frame) else { continue };
        if let Some(text) = sources.line(file, line) {
            let within =
                frames.get(depth + 1).map(|inner| format!("  > {}", short(symbols.name(inner.name)))).unwrap_or_default();
            return Some(head(&format!("{}  {text}{within}", shown(file, line)), COLUMNS) + "\n");
        }
    }
    let (frame, (file, line)) = frames.iter().rev().find_map(|frame| Some((frame, located(frame)?)))?;
    Some(head(&format!("{}  in {}", shown(file, line), short(symbols.name(frame.name))), COLUMNS) + "\n")
}

/// Encoding, text and length of the instruction at an address.
fn instruction(machine: &Machine, address: u32) -> Option<(String, String, u32)> {
    let (text, length) = machine.disassemble(address)?;
    let mut bytes = [0; 4];
    machine.read_bytes(address, &mut bytes[..length as usize]).ok()?;
    let halves = bytes.chunks_exact(2).take(length as usize / 2);
    let halves: Vec<String> = halves.map(|half| format!("{:02x}{:02x}", half[1], half[0])).collect();
    Some((halves.join(" "), text, length))
}
