//! The instruction trace: one line for each executed instruction, as text.
//!
//! Columns: cycle at which it began, address, function and offset, encoding, instruction, and what it changed of r0 to r14 and the flags.
//! Exceptions have lines of their own.

use crate::image::Image;
use crate::machine::{ExceptionEvent, Machine, Observer, Retired, Stop};
use std::io::{self, Write};

/// Names of r0 to r14.
const NAMES: [&str; 15] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr"];

/// A trace that is being written.
pub struct Trace<W> {
    out: W,
    image: Image,
    left: u64,
    limit: u64,
    state: State,
}

/// What a line may say to have changed: r0 to r14, and the flags.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    registers: [u32; 15],
    flags: u32,
}

impl State {
    fn of(machine: &Machine) -> Self {
        Self { registers: std::array::from_fn(|number| machine.register(number)), flags: machine.apsr() >> 27 }
    }

    /// What differs from the state before.
    fn changes(&self, before: &Self) -> String {
        let registers = NAMES.iter().zip(self.registers.iter().zip(before.registers));
        let mut changes: Vec<String> =
            registers.filter(|(_, (now, before))| *now != before).map(|(name, (now, _))| format!("{name}={now:08x}")).collect();
        if self.flags != before.flags {
            let flags = "NZCVQ".chars().enumerate();
            let shown = flags.map(|(bit, flag)| if self.flags >> (4 - bit) & 1 != 0 { flag } else { flag.to_ascii_lowercase() });
            changes.push(shown.collect());
        }
        changes.join(" ")
    }
}

/// What one step was seen to do.
#[derive(Default)]
struct Step {
    retired: Vec<Retired>,
    exceptions: Vec<ExceptionEvent>,
}

impl Observer for Step {
    fn retired(&mut self, retired: &Retired) {
        self.retired.push(*retired);
    }

    fn exception(&mut self, event: &ExceptionEvent) {
        self.exceptions.push(*event);
    }
}

impl<W: Write> Trace<W> {
    /// A trace of at most `limit` instructions of `machine`, which was just reset.
    pub fn new(out: W, image: Image, machine: &Machine, limit: u64) -> Self {
        Self { out, image, left: limit, limit, state: State::of(machine) }
    }

    /// Runs at most so many instructions, writing those that are within the trace's limit.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn run(&mut self, machine: &mut Machine, instructions: u64) -> io::Result<Stop> {
        let end = machine.instructions().saturating_add(instructions);
        while self.left > 0 {
            let stop = self.step(machine)?;
            if stop != Stop::Budget || machine.instructions() >= end {
                return Ok(stop);
            }
        }
        Ok(machine.run(end - machine.instructions()))
    }

    fn step(&mut self, machine: &mut Machine) -> io::Result<Stop> {
        let mut step = Step::default();
        let stop = machine.run_observed(1, &mut step);
        let state = State::of(machine);
        let changes = state.changes(&self.state);
        self.state = state;
        // A step is at most one instruction. Before it an exception may be entered; in it one may be returned from, straight into the next;
        // behind it one may be entered again.
        let first = step.retired.first();
        let is_behind = |event: &ExceptionEvent| !event.entered || first.is_some_and(|retired| event.began >= retired.began);
        let behind = step.exceptions.iter().position(is_behind).unwrap_or(step.exceptions.len());
        for event in &step.exceptions[..behind] {
            self.exception(event, event.began)?;
        }
        let mut end = None;
        if let Some(retired) = first {
            self.line(machine, retired.began, retired.address, &changes)?;
            end = Some(retired.began + u64::from(retired.cycles));
        }
        for event in &step.exceptions[behind..] {
            // What happens within an instruction is counted from its end.
            let began = end.filter(|_| !step.exceptions[behind].entered).unwrap_or(event.began);
            self.exception(event, began)?;
            end = Some(began + u64::from(event.cycles));
        }
        if let Stop::Breakpoint { .. } = stop {
            self.line(machine, machine.cycles(), machine.register(15), "")?;
        }
        Ok(stop)
    }

    fn line(&mut self, machine: &Machine, began: u64, address: u32, changes: &str) -> io::Result<()> {
        let (text, bytes) = machine.disassemble(address).unwrap_or_else(|| ("?".into(), 2));
        let half = |address| {
            let mut half = [0; 2];
            machine
                .read_bytes(address, &mut half)
                .map_or_else(|_| "????".into(), |()| format!("{:04x}", u16::from_le_bytes(half)))
        };
        let encoding = if bytes == 4 { format!("{} {}", half(address), half(address.wrapping_add(2))) } else { half(address) };
        let place = self.image.place(address);
        let line = format!("{began:>12}  {address:08x}  {place:<28}  {encoding:<9}  {text:<32}  {changes}");
        writeln!(self.out, "{}", line.trim_end())?;
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            writeln!(self.out, "# {} instructions: the limit of this trace", self.limit)?;
        }
        Ok(())
    }

    fn exception(&mut self, event: &ExceptionEvent, began: u64) -> io::Result<()> {
        let ExceptionEvent { number, entered, address, .. } = *event;
        let (verb, place) = (if entered { "entered at" } else { "returns to" }, self.image.place(address));
        writeln!(self.out, "{began:>12}  {address:08x}  exception {number} {verb} {place}")
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
