//! `host-sim profile`: where the cycles of a guest go.

use crate::cmd::guest::{Guest, GuestOptions};
use crate::cmd::output::{check_writable, is_for_standard_output, tables, write_json, write_whole};
use crate::cmd::prompt::{Outcome, PromptOptions};
use crate::cmd::target::{Target, TargetOptions};
use crate::image::Image;
use crate::machine::{Machine, Stop};
use crate::profile::annotate::annotate;
use crate::profile::collect::Collector;
use crate::profile::folded;
use crate::profile::functions::Functions;
use crate::profile::report::{Report, Subject};
use crate::profile::sources::Sources;
use crate::profile::summary::Summary;
use crate::profile::symbols::Symbols;
use crate::profile::text::{self, share};
use crate::report::grouped;
use anyhow::{Result, bail};
use clap::Parser;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Code to annotate: a title and the addresses of its instructions.
type Stretch = (String, RangeInclusive<u32>);

/// Show where the cycles go: per function, source line, instruction class and loop
#[derive(Parser, Debug)]
#[command(after_help = "\
Without an image, the firmware answers a prompt as in `host-sim run`. Every cycle figure is modelled.

Examples:
  host-sim profile --tokens 10
  host-sim profile --under Session::run --annotate
  host-sim profile --annotate=quantise --memory nrf52840
  host-sim profile --flamegraph flame.svg --folded stacks.txt --json profile.json
  host-sim profile program.elf argument")]
pub struct Cmd {
    /// Any bare-metal image [default: the firmware answers a prompt]
    #[arg(value_name = "IMAGE.elf")]
    program: Option<PathBuf>,
    /// Arguments for the image; every option of host-sim stands before the image
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
    #[command(flatten)]
    prompt: PromptOptions,
    #[command(flatten)]
    guest: GuestOptions,
    /// Functions and source lines to show
    #[arg(long, default_value_t = 15, value_name = "N")]
    top: usize,
    /// Profile only this function and what it calls: a name, or its end from a `::` on
    #[arg(long, value_name = "FUNCTION")]
    under: Option<String>,
    /// Count what was inlined as part of the function that it was inlined into
    #[arg(long)]
    linked: bool,
    /// Show the instructions of the hottest loop, or of this function, with what each cost
    #[arg(long, value_name = "FUNCTION", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    annotate: Option<String>,
    /// Write the stacks with their cycles, for flame graph tools
    #[arg(long, value_name = "FILE")]
    folded: Option<PathBuf>,
    /// Draw a flame graph
    #[arg(long, value_name = "FILE.svg")]
    flamegraph: Option<PathBuf>,
    /// Write the whole profile as JSON; - is standard output, instead of the tables, after what an image of your own writes there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    target: TargetOptions,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Anything that keeps the guest from running, and files that cannot be written.
    pub fn run(mut self) -> Result<u8> {
        self.prompt.silent = is_for_standard_output(self.json.as_deref());
        for path in [&self.json, &self.folded, &self.flamegraph].into_iter().flatten() {
            check_writable(path)?;
        }
        match &self.program {
            Some(program) => self.profile_program(program),
            None => self.profile_firmware(),
        }
    }

    fn profile_firmware(&self) -> Result<u8> {
        let mut prepared = self.prompt.prepare(&self.target)?;
        let mut collector = self.collector(&prepared.image)?;
        let outcome =
            self.prompt.answer(&mut prepared, &mut |machine, instructions| observe(&mut collector, machine, instructions))?;
        collector.finish(&prepared.board.machine);
        let code = match outcome {
            Outcome::Answered(_) => 0,
            Outcome::Failed(code) => code,
        };
        writeln!(tables(self.json.as_deref()))?;
        self.show(&prepared.image, &prepared.board.machine, &prepared.target, &collector, "fathom-firmware".into())?;
        Ok(code)
    }

    fn profile_program(&self, program: &Path) -> Result<u8> {
        let mut guest = self.guest.prepare(program, &self.arguments, &self.target, self.prompt.quiet)?;
        let mut collector = self.collector(&guest.image)?;
        let mut step = |machine: &mut Machine, instructions| observe(&mut collector, machine, instructions);
        let end = self.guest.execute(&mut guest, self.prompt.max_instructions, &mut step)?;
        collector.finish(&guest.board.machine);
        let code = guest.conclude(end);
        let Guest { image, program, target, board } = guest;
        writeln!(tables(self.json.as_deref()))?;
        self.show(&image, &board.machine, &target, &collector, program)?;
        Ok(code)
    }

    fn collector(&self, image: &Image) -> Result<Collector> {
        let functions = Functions::new(image.functions());
        let wanted = match &self.under {
            Some(name) => Some(find(&functions, name)?),
            None => None,
        };
        Ok(Collector::new(functions, wanted))
    }

    /// Prints the tables and writes the files.
    fn show(&self, image: &Image, machine: &Machine, target: &Target, collector: &Collector, name: String) -> Result<()> {
        let mut symbols = Symbols::new(&image.elf, self.linked);
        let summary = Summary::new(collector, &mut symbols);
        symbols.warnings.iter().for_each(|warning| eprintln!("host-sim: {warning}"));
        let subject = Subject {
            core: target.core.name,
            memory_profile: target.memory.name.clone(),
            cost_table: target.core.table.version,
            clock_hz: target.clock_hz,
            image: name,
            under: self.under.clone(),
        };
        if let Some(under) = self.under.as_ref().filter(|_| summary.entries == 0) {
            bail!("{under} was never called: leave out --under to see what was");
        }
        let mut out = tables(self.json.as_deref());
        let model = format!("{}, {}, table {}", subject.core, subject.memory_profile, subject.cost_table);
        writeln!(out, "Profile of {} ({model}); cycles are modelled", subject.image)?;
        if let Some(under) = &self.under {
            let (entries, outside) = (grouped(summary.entries), grouped(summary.outside));
            let each = grouped((summary.cycles + summary.entries / 2) / summary.entries);
            writeln!(out, "only {under}: entered {entries} times, {each} cycles each; {outside} cycles outside")?;
        }
        let mut sources = Sources::default();
        write!(out, "{}", text::tables(&summary, self.top, machine.cache_counts(), &mut sources))?;
        if let Some(wanted) = &self.annotate {
            for (title, range) in self.stretches(wanted, collector, &mut symbols, &summary)? {
                writeln!(out, "\n{title}\n{}", annotate(machine, collector, &mut symbols, &mut sources, range))?;
            }
        }
        out.flush()?;
        if let Some(path) = &self.folded {
            let lines: String = folded::lines(&summary).iter().map(|line| format!("{line}\n")).collect();
            write_whole(path, lines.as_bytes())?;
        }
        if let Some(path) = &self.flamegraph {
            let title = format!("Modelled cycles of {}", subject.image);
            let subtitle = format!("{model}; {} cycles", grouped(summary.cycles));
            write_whole(path, &folded::flame_graph(&summary, &title, &subtitle)?)?;
        }
        if let Some(path) = &self.json {
            let report = Report::new(&subject, &summary, collector, machine.cache_counts(), &symbols.warnings);
            write_json(path, &report)?;
        }
        Ok(())
    }

    /// What `--annotate` asks for: titles and addresses.
    fn stretches(
        &self,
        wanted: &str,
        collector: &Collector,
        symbols: &mut Symbols<'_>,
        summary: &Summary,
    ) -> Result<Vec<Stretch>> {
        let functions = &collector.functions;
        if !wanted.is_empty() {
            let linked = named(functions, wanted);
            if linked.is_empty() {
                let inlined = inlined(collector, symbols, wanted, self.top);
                if !inlined.is_empty() {
                    return Ok(inlined);
                }
            }
            let linked = if linked.is_empty() { find(functions, wanted)? } else { linked };
            let all = linked.into_iter().map(|number| functions.get(number));
            return Ok(all.map(|at| (at.name.clone().unwrap_or_default(), at.start..=at.end.saturating_sub(2))).collect());
        }
        let Some(hottest) = summary.loops.first() else {
            bail!("no loop was executed: name a function with --annotate=FUNCTION")
        };
        let name = functions.get(hottest.function).name.as_deref().unwrap_or("code without a symbol");
        let (rounds, percent) = (grouped(hottest.iterations), share(hottest.cycles, summary.cycles));
        Ok(vec![(
            format!("Hottest loop: {rounds} times round, {percent:.1}% of all cycles, in {name}"),
            hottest.head..=hottest.tail,
        )])
    }
}

/// Code that was inlined from `wanted`: the `top` stretches of executed addresses with the most cycles.
fn inlined(collector: &Collector, symbols: &mut Symbols<'_>, wanted: &str, top: usize) -> Vec<Stretch> {
    let mut stretches: Vec<(u64, Stretch)> = Vec::new();
    let mut open = false;
    for (address, cost) in collector.addresses.all().into_iter().filter_map(|(address, cost)| Some((address?, cost))) {
        let Some(function) = collector.functions.containing(address) else { continue };
        let frames = symbols.frames(&collector.functions, function, address);
        let within = frames.iter().any(|frame| is_named(symbols.name(frame.name), wanted));
        match stretches.last_mut().filter(|_| open) {
            Some((cycles, (_, range))) if within => {
                *cycles += cost.cycles;
                *range = *range.start()..=address;
            }
            _ if within => {
                let outer = collector.functions.get(function).name.as_deref().unwrap_or("code without a symbol");
                stretches.push((cost.cycles, (format!("{wanted}, inlined into {outer}"), address..=address)));
            }
            _ => {}
        }
        open = within;
    }
    stretches.sort_by_key(|(cycles, (_, range))| (std::cmp::Reverse(*cycles), *range.start()));
    stretches.into_iter().take(top).map(|(_, stretch)| stretch).collect()
}

/// Runs the machine while the collector watches, and counts what the host does between two slices.
fn observe(collector: &mut Collector, machine: &mut Machine, instructions: u64) -> Stop {
    collector.catch_up(machine);
    machine.run_observed(instructions, collector)
}

/// Whether a name is `wanted`, or ends in it from a `::` on. Without angle brackets in `wanted`, those of the name do not count.
fn is_named(name: &str, wanted: &str) -> bool {
    let ends = |name: &str| name == wanted || name.strip_suffix(wanted).is_some_and(|rest| rest.ends_with("::"));
    ends(name) || !wanted.contains('<') && ends(&without_arguments(name))
}

/// `a::B<C>::d` as `a::B::d`.
fn without_arguments(name: &str) -> String {
    let mut depth = 0u32;
    let mut kept = String::new();
    for character in name.chars() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(character),
            _ => {}
        }
    }
    kept
}

fn named(functions: &Functions, wanted: &str) -> Vec<u32> {
    functions.named(|name| is_named(name, wanted))
}

/// The linked functions with that name, else those whose name contains it.
fn find(functions: &Functions, wanted: &str) -> Result<Vec<u32>> {
    let found = [named(functions, wanted), functions.named(|name| name.contains(wanted))];
    match found.into_iter().find(|found| !found.is_empty()) {
        Some(found) => Ok(found),
        None => {
            bail!("the image has no function {wanted}: choose one that was called and not inlined")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_their_last_parts_and_without_type_arguments() {
        let name = "fathom::session::Session<P>::run";
        for wanted in [name, "run", "Session::run", "Session<P>::run", "fathom::session::Session::run"] {
            assert!(is_named(name, wanted), "{wanted}");
        }
        for wanted in ["un", "Session<Q>::run", "ion::run", "prefill", ""] {
            assert!(!is_named(name, wanted), "{wanted}");
        }
    }
}
