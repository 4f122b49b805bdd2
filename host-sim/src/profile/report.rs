//! The profile as JSON, schema `fathom-profile/1`.

use super::collect::Collector;
use super::summary::Summary;
use crate::machine::CacheCounts;
use serde::Serialize;

/// What was profiled, on what.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// The modelled core.
    pub core: &'static str,
    /// The modelled memory system.
    pub memory_profile: String,
    /// Version of the cycle table.
    pub cost_table: &'static str,
    /// Clock in hertz.
    pub clock_hz: u64,
    /// The image's file name.
    pub image: String,
    /// The function that the profile is restricted to.
    pub under: Option<String>,
}

/// The report. Cycles are modelled; functions and lines with the most own cycles come first.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// `fathom-profile/1`.
    pub schema: &'static str,
    /// What was profiled.
    #[serde(flatten)]
    pub subject: &'a Subject,
    /// Instructions.
    pub instructions: u64,
    /// Cycles.
    pub cycles: Cycles,
    /// What the caches did from reset to the end.
    pub caches: Caches,
    /// Entries of the functions that the profile is restricted to; 0 where it is not.
    pub entries: u64,
    /// By function, inlined ones by themselves. Their `exclusive` cycles add up to the total.
    pub functions: Vec<Function<'a>>,
    /// By source line.
    pub lines: Vec<Line<'a>>,
    /// By class of the cycle table.
    pub classes: Vec<Class>,
    /// Innermost loops.
    pub loops: Vec<Loop<'a>>,
    /// What could not be read of the debug information.
    pub warnings: &'a [String],
}

/// Modelled cycles.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cycles {
    /// All of the profile: the sum of the other three.
    pub total: u64,
    /// Executing.
    pub issue: u64,
    /// Waiting for instructions.
    pub fetch_stall: u64,
    /// Waiting for data.
    pub data_stall: u64,
    /// Cycles of the run that the profile leaves out.
    pub outside: u64,
}

/// What the caches did.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Caches {
    /// Instruction lines found.
    pub instruction_hits: u64,
    /// Instruction lines read from the array.
    pub instruction_misses: u64,
    /// Data accesses found.
    pub data_hits: u64,
    /// Data accesses not found.
    pub data_misses: u64,
}

/// One function.
#[derive(Clone, Debug, Serialize)]
pub struct Function<'a> {
    /// Its name; in brackets what is no function.
    pub name: &'a str,
    /// Its own cycles.
    pub exclusive: u64,
    /// With what it calls.
    pub inclusive: u64,
    /// Calls; null where it was only ever inlined.
    pub calls: Option<u64>,
    /// Its own instructions.
    pub instructions: u64,
    /// Of its own cycles, waiting for instructions.
    pub fetch_stall: u64,
    /// Of its own cycles, waiting for data.
    pub data_stall: u64,
}

/// One source line.
#[derive(Clone, Debug, Serialize)]
pub struct Line<'a> {
    /// The file.
    pub file: &'a str,
    /// The line, from 1.
    pub line: u32,
    /// Its own cycles.
    pub exclusive: u64,
    /// With what it calls.
    pub inclusive: u64,
    /// Its own instructions.
    pub instructions: u64,
}

/// One class of instructions.
#[derive(Clone, Debug, Serialize)]
pub struct Class {
    /// Its row in the cycle table.
    pub class: &'static str,
    /// Instructions.
    pub instructions: u64,
    /// Cycles.
    pub cycles: u64,
    /// Of these, waiting for instructions.
    pub fetch_stall: u64,
    /// Of these, waiting for data.
    pub data_stall: u64,
}

/// One loop.
#[derive(Clone, Debug, Serialize)]
pub struct Loop<'a> {
    /// The function that it is in, as linked.
    pub function: Option<&'a str>,
    /// Address of its first instruction.
    pub head: u32,
    /// Address of its last branch back.
    pub tail: u32,
    /// How often it went back.
    pub iterations: u64,
    /// Cycles between, without loops within and functions that it calls.
    pub cycles: u64,
}

impl<'a> Report<'a> {
    /// Puts a summary into the shape of the report.
    pub fn new(
        subject: &'a Subject,
        summary: &'a Summary,
        collector: &'a Collector,
        caches: CacheCounts,
        warnings: &'a [String],
    ) -> Self {
        let Summary { cycles: total, fetch: fetch_stall, data: data_stall, outside, .. } = *summary;
        let issue = total.saturating_sub(fetch_stall + data_stall);
        let function = |at: &'a super::summary::FunctionCost| Function {
            name: &at.name,
            exclusive: at.exclusive,
            inclusive: at.inclusive,
            calls: at.calls,
            instructions: at.instructions,
            fetch_stall: at.fetch,
            data_stall: at.data,
        };
        let line = |at: &'a super::summary::LineCost| Line {
            file: &at.file.shown,
            line: at.line,
            exclusive: at.exclusive,
            inclusive: at.inclusive,
            instructions: at.instructions,
        };
        let class = |at: &super::addresses::ClassCost| Class {
            class: at.class,
            instructions: at.executions,
            cycles: at.cycles,
            fetch_stall: at.fetch,
            data_stall: at.data,
        };
        let looping = |at: &super::loops::LoopCost| Loop {
            function: collector.functions.get(at.function).name.as_deref(),
            head: at.head,
            tail: at.tail,
            iterations: at.iterations,
            cycles: at.cycles,
        };
        let CacheCounts { instruction_hits, instruction_misses, data_hits, data_misses, .. } = caches;
        Self {
            schema: "fathom-profile/1",
            subject,
            instructions: summary.instructions,
            cycles: Cycles { total, issue, fetch_stall, data_stall, outside },
            caches: Caches { instruction_hits, instruction_misses, data_hits, data_misses },
            entries: summary.entries,
            functions: summary.functions.iter().map(function).collect(),
            lines: summary.lines.iter().map(line).collect(),
            classes: summary.classes.iter().map(class).collect(),
            loops: summary.loops.iter().map(looping).collect(),
            warnings,
        }
    }
}
