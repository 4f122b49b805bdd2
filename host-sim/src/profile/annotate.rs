//! Disassembly with what each instruction cost, source lines between.

use super::collect::Collector;
use super::sources::Sources;
use super::symbols::{Frame, Symbols};
use super::text::{COLUMNS, head, per, share, tail};
use crate::machine::Machine;
use crate::report::grouped;
use std::fmt::Write;
use std::ops::RangeInclusive;

/// Longest stretch of code that is shown, in bytes.
const MAX_BYTES: u32 = 64 << 10;

/// The instructions from the first address to the last, one a line; code that was never executed is shown as such.
pub fn annotate(
    machine: &Machine,
    collector: &Collector,
    symbols: &mut Symbols<'_>,
    sources: &mut Sources,
    range: RangeInclusive<u32>,
) -> String {
    let mut out = String::from("   address encoding   executions cycles/exec  share  instruction\n");
    let (mut address, end) = (*range.start(), (*range.end()).min(range.start().saturating_add(MAX_BYTES)));
    let mut last: Option<Frame> = None;
    while address <= end {
        let Some(function) = collector.functions.containing(address) else { break };
        let frames = symbols.frames(&collector.functions, function, address);
        let innermost = frames.last().copied();
        if innermost != last {
            last = innermost;
            out += &source(symbols, sources, innermost);
        }
        let Some((encoding, text, bytes)) = instruction(machine, address) else { break };
        let cost = collector.addresses.at(address);
        let line = if cost.executions == 0 {
            format!("{address:>10x} {encoding:<9} {:>12} {:>11} {:>6}  {text}", "-", "", "")
        } else {
            let mut line = format!(
                "{address:>10x} {encoding:<9} {:>12} {:>11.2} {:>5.1}%  {text}",
                grouped(cost.executions),
                per(cost.cycles, cost.executions),
                share(cost.cycles, collector.cycles),
            );
            if cost.fetch + cost.data > 0 {
                let (fetch, data) = (per(cost.fetch, cost.executions), per(cost.data, cost.executions));
                line = format!("{line:<76}  ; waits {fetch:.2} + {data:.2}");
            }
            line
        };
        let _ = writeln!(out, "{}", head(&line, COLUMNS)); // writing to a string cannot fail
        address = match address.checked_add(bytes) {
            Some(next) => next,
            None => break,
        };
    }
    out
}

/// The line for a place in the source: file, line, text, and the function if it was inlined.
fn source(symbols: &Symbols<'_>, sources: &mut Sources, frame: Option<Frame>) -> String {
    let Some(Frame { name, line: Some(line) }) = frame else { return String::new() };
    let file = symbols.file(line.file);
    let place = tail(&format!("{}:{}", file.shown, line.line), 48);
    let text = match sources.line(&file.path, line.line) {
        Some(text) => text.to_owned(),
        None => format!("in {}", symbols.name(name)),
    };
    head(&format!("{place}  {text}"), COLUMNS) + "\n"
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
