//! Adds up what was counted, per function and per source line, with inlined functions as functions of their own.

use super::addresses::{ClassCost, Cost};
use super::collect::Collector;
use super::contexts::{Place, ROOT};
use super::loops::{self, LoopCost};
use super::symbols::{File, Frame, Line, Symbols};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// What a function cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCost {
    /// Its name; those in brackets are no functions.
    pub name: String,
    /// Cycles in it, without what it calls and without what was inlined into it.
    pub exclusive: u64,
    /// Cycles in it and in everything that it calls; recursion counts once.
    pub inclusive: u64,
    /// How often it was entered; none where it was only ever inlined.
    pub calls: Option<u64>,
    /// Instructions in it.
    pub instructions: u64,
    /// Of its own cycles, waiting for instructions.
    pub fetch: u64,
    /// Of its own cycles, waiting for data.
    pub data: u64,
}

/// What a source line cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineCost {
    /// The file.
    pub file: File,
    /// The line, from 1.
    pub line: u32,
    /// Cycles of its own instructions.
    pub exclusive: u64,
    /// Cycles of its instructions and of all that it calls.
    pub inclusive: u64,
    /// Instructions.
    pub instructions: u64,
}

/// A profile, ready to be shown. Everything is sorted: the dearest first, then by name.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// All cycles: the sum of the functions' exclusive ones.
    pub cycles: u64,
    /// All instructions.
    pub instructions: u64,
    /// Cycles outside of what the profile is restricted to.
    pub outside: u64,
    /// How often the functions that it is restricted to were entered.
    pub entries: u64,
    /// Of all cycles, waiting for instructions.
    pub fetch: u64,
    /// Of all cycles, waiting for data.
    pub data: u64,
    /// By function.
    pub functions: Vec<FunctionCost>,
    /// By source line.
    pub lines: Vec<LineCost>,
    /// By class of the cycle table.
    pub classes: Vec<ClassCost>,
    /// Innermost loops.
    pub loops: Vec<LoopCost>,
    /// Cycles of every stack: names, the outermost first.
    pub stacks: BTreeMap<Vec<String>, u64>,
}

impl Summary {
    /// Adds up a collector's counts.
    pub fn new(collector: &Collector, symbols: &mut Symbols<'_>) -> Self {
        let mut sums = Sums::default();
        let all = collector.addresses.all();
        for (address, cost) in &all {
            sums.address(collector, symbols, *address, cost);
        }
        let totals = collector.contexts.totals();
        Walk { collector, totals: &totals, sums: &mut sums, path: Vec::new() }.visit(symbols, ROOT);
        for node in collector.contexts.nodes().iter().filter(|node| node.entries > 0) {
            let name = match node.place {
                Place::Function(function) => sums.frames_of(collector, symbols, collector.functions.get(function).start)[0].name,
                place => special(symbols, place),
            };
            *sums.name(name).calls.get_or_insert(0) += node.entries;
        }
        let mut summary = Self {
            cycles: collector.cycles,
            instructions: collector.instructions,
            outside: collector.outside,
            entries: collector.entries,
            fetch: all.iter().map(|(_, cost)| cost.fetch).sum(),
            data: all.iter().map(|(_, cost)| cost.data).sum(),
            classes: collector.addresses.classes(),
            loops: loops::find(&collector.functions, &all),
            ..Self::default()
        };
        for (stack, cycles) in &sums.stacks {
            let names = stack.iter().map(|name| symbols.name(*name).to_owned()).collect();
            *summary.stacks.entry(names).or_insert(0) += cycles;
        }
        for (number, mut cost) in sums.names.into_iter().enumerate().map(|(number, sum)| (number, sum.cost)) {
            if cost.exclusive > 0 || cost.inclusive > 0 || cost.instructions > 0 || cost.calls.is_some() {
                cost.name = symbols.name(number as u32).to_owned();
                summary.functions.push(cost);
            }
        }
        summary.functions.sort_by(|a, b| (Reverse(a.exclusive), &a.name).cmp(&(Reverse(b.exclusive), &b.name)));
        for (line, number) in sums.line_numbers {
            let file = symbols.file(line.file).clone();
            summary.lines.push(LineCost { file, line: line.line, ..sums.lines[number].cost.clone() });
        }
        summary
            .lines
            .sort_by(|a, b| (Reverse(a.exclusive), &a.file.shown, a.line).cmp(&(Reverse(b.exclusive), &b.file.shown, b.line)));
        summary
    }
}

/// A sum, and how often it is on the stack of the walk.
#[derive(Default)]
struct OnStack<T> {
    cost: T,
    depth: u32,
}

#[derive(Default)]
struct Sums {
    names: Vec<OnStack<FunctionCost>>,
    lines: Vec<OnStack<LineCost>>,
    line_numbers: HashMap<Line, usize>,
    stacks: BTreeMap<Vec<u32>, u64>,
}

/// The name of what is no function.
fn special(symbols: &mut Symbols<'_>, place: Place) -> u32 {
    match place {
        Place::Exception(number) => symbols.number(&format!("[{}]", exception_name(number))),
        Place::Idle => symbols.number("[asleep]"),
        Place::Merged => symbols.number("[calls too many to keep apart]"),
        Place::Root | Place::Function(_) => symbols.number("[code too large to keep apart]"),
    }
}

/// What the architecture calls an exception.
pub fn exception_name(number: u16) -> String {
    match number {
        2 => "NMI".into(),
        3 => "HardFault".into(),
        4 => "MemManage".into(),
        5 => "BusFault".into(),
        6 => "UsageFault".into(),
        11 => "SVCall".into(),
        12 => "DebugMonitor".into(),
        14 => "PendSV".into(),
        15 => "SysTick".into(),
        16.. => format!("interrupt {}", number - 16),
        _ => format!("exception {number}"),
    }
}

impl Sums {
    fn name(&mut self, number: u32) -> &mut FunctionCost {
        &mut self.entry(number).cost
    }

    fn entry(&mut self, number: u32) -> &mut OnStack<FunctionCost> {
        let index = number as usize;
        if self.names.len() <= index {
            self.names.resize_with(index + 1, Default::default);
        }
        &mut self.names[index]
    }

    fn line(&mut self, line: Line) -> &mut OnStack<LineCost> {
        let next = self.line_numbers.len();
        let number = *self.line_numbers.entry(line).or_insert(next);
        if number == next {
            self.lines.push(OnStack::default());
        }
        &mut self.lines[number]
    }

    fn frames_of(&mut self, collector: &Collector, symbols: &mut Symbols<'_>, address: u32) -> Vec<Frame> {
        match collector.functions.containing(address) {
            Some(function) => symbols.frames(&collector.functions, function, address),
            None => vec![Frame { name: special(symbols, Place::Root), line: None }],
        }
    }

    /// The exclusive cost of an address.
    fn address(&mut self, collector: &Collector, symbols: &mut Symbols<'_>, address: Option<u32>, cost: &Cost) {
        let frames = match address {
            Some(address) => self.frames_of(collector, symbols, address),
            None => vec![Frame { name: special(symbols, Place::Root), line: None }],
        };
        self.name(frames[0].name).calls.get_or_insert(0);
        let Some(innermost) = frames.last() else { return };
        let sum = self.name(innermost.name);
        sum.exclusive += cost.cycles;
        sum.instructions += cost.executions;
        sum.fetch += cost.fetch;
        sum.data += cost.data;
        if let Some(line) = innermost.line {
            let sum = &mut self.line(line).cost;
            sum.exclusive += cost.cycles;
            sum.instructions += cost.executions;
        }
    }

    /// Puts frames on the stack; what was not on it yet is charged.
    fn push(&mut self, frames: &[Frame], cycles: u64) {
        for frame in frames {
            let entry = self.entry(frame.name);
            entry.depth += 1;
            entry.cost.inclusive += if entry.depth == 1 { cycles } else { 0 };
            if let Some(line) = frame.line {
                let entry = self.line(line);
                entry.depth += 1;
                entry.cost.inclusive += if entry.depth == 1 { cycles } else { 0 };
            }
        }
    }

    fn pop(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.entry(frame.name).depth -= 1;
            if let Some(line) = frame.line {
                self.line(line).depth -= 1;
            }
        }
    }
}

/// A walk over the tree of contexts, with the names on the way to where it is.
struct Walk<'a> {
    collector: &'a Collector,
    totals: &'a [u64],
    sums: &'a mut Sums,
    path: Vec<u32>,
}

impl Walk<'_> {
    /// As deep as the tree, which is bounded.
    fn visit(&mut self, symbols: &mut Symbols<'_>, number: u32) {
        let collector = self.collector;
        let node = collector.contexts.node(number);
        let mut own = Vec::new();
        match node.place {
            Place::Function(function) => {
                let start = collector.functions.get(function).start;
                for (address, cycles) in (start..).step_by(2).zip(&node.cycles).filter(|(_, cycles)| **cycles > 0) {
                    let frames = self.sums.frames_of(collector, symbols, address);
                    self.sums.push(&frames, *cycles);
                    self.sums.pop(&frames);
                    self.stack(&frames, *cycles);
                }
            }
            Place::Root => {}
            place => {
                own.push(Frame { name: special(symbols, place), line: None });
                let cycles: u64 = node.cycles.iter().sum();
                self.sums.push(&own, self.totals[number as usize]);
                self.sums.name(own[0].name).exclusive += cycles;
                if cycles > 0 {
                    self.stack(&own, cycles);
                }
                self.path.push(own[0].name);
            }
        }
        for child in node.children.iter().filter(|child| self.totals[**child as usize] > 0) {
            let site = collector.contexts.node(*child).site;
            let frames = site.map_or_else(Vec::new, |site| self.sums.frames_of(collector, symbols, site));
            self.sums.push(&frames, self.totals[*child as usize]);
            self.path.extend(frames.iter().map(|frame| frame.name));
            self.visit(symbols, *child);
            self.path.truncate(self.path.len() - frames.len());
            self.sums.pop(&frames);
        }
        self.sums.pop(&own);
        self.path.truncate(self.path.len() - own.len());
    }

    /// Cycles of the stack that ends in these frames.
    fn stack(&mut self, frames: &[Frame], cycles: u64) {
        let names = self.path.iter().copied().chain(frames.iter().map(|frame| frame.name)).collect();
        *self.sums.stacks.entry(names).or_insert(0) += cycles;
    }
}
