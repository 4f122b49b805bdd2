//! What `host-sim exec` counts, as JSON and as one line.

use crate::board::End;
use serde::Serialize;

/// How the guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// By itself.
    Exit,
    /// At a breakpoint.
    Breakpoint,
    /// In a fault.
    Fault,
    /// At the limit of cycles.
    MaxCycles,
    /// At the limit of instructions.
    MaxInstructions,
    /// At the limit of the host's time.
    Timeout,
    /// Asleep for ever.
    Asleep,
    /// By asking for a reset.
    Reset,
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        match end {
            End::Exit(_) => Self::Exit,
            End::Breakpoint(_) => Self::Breakpoint,
            End::Fault => Self::Fault,
            End::MaxCycles => Self::MaxCycles,
            End::MaxInstructions => Self::MaxInstructions,
            End::Timeout => Self::Timeout,
            End::Asleep => Self::Asleep,
            End::Reset => Self::Reset,
        }
    }
}

/// Cycles spent waiting for memory; part of all cycles.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StallReport {
    /// For instructions.
    pub fetch: u64,
    /// For data.
    pub data: u64,
}

/// A fault of the guest.
#[derive(Clone, Debug, Serialize)]
pub struct FaultReport {
    /// What it was.
    pub message: String,
    /// Address of the instruction.
    pub pc: u32,
    /// The instruction as text; none where there is no memory.
    pub instruction: Option<String>,
    /// The data address or branch target concerned.
    pub address: u32,
    /// Function and offset of `pc`.
    pub place: String,
    /// Where that was called from, as far as the stack tells.
    pub callers: Vec<String>,
    /// r0 to r15 at that moment.
    pub registers: [u32; 16],
}

/// The report of a run. Every figure but those of a run that the host's time ended is the same on every host.
#[derive(Clone, Debug, Serialize)]
pub struct ExecReport<'a> {
    /// [`Self::SCHEMA`].
    pub schema: &'static str,
    /// The modelled core.
    pub core: &'a str,
    /// Its memory.
    pub memory_profile: &'a str,
    /// Version of the cycle table.
    pub cost_table: &'a str,
    /// Clock in Hz.
    pub clock_hz: u64,
    /// File name of the image.
    pub image: String,
    /// What it was given.
    pub arguments: &'a [String],
    /// How it ended.
    pub ended: Ended,
    /// The guest's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// Instructions executed.
    pub instructions: u64,
    /// Cycles, stalls included.
    pub cycles: u64,
    /// Cycles waiting for memory.
    pub stalls: StallReport,
    /// Most bytes of the main stack in use.
    pub stack_peak: u32,
    /// The fault, if it ended in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultReport>,
}

impl ExecReport<'_> {
    /// Name and version of this format.
    pub const SCHEMA: &'static str = "fathom-exec/1";

    /// One line for a person.
    pub fn summary(&self) -> String {
        let Self { cycles, instructions, core, memory_profile, cost_table, .. } = self;
        let each = *cycles as f64 / (*instructions).max(1) as f64;
        let seconds = *cycles as f64 / self.clock_hz as f64;
        format!(
            "{cycles} cycles ({:.3} ms at {} MHz), {instructions} instructions, {each:.3} cycles per instruction; \
             modelled: {core}, {memory_profile}, table {cost_table}",
            seconds * 1e3,
            self.clock_hz as f64 / 1e6
        )
    }
}
