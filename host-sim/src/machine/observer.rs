//! What a run can tell about each instruction, for profiles and traces.

/// Where execution goes behind an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// To the next instruction.
    Next,
    /// To the next instruction, because its IT condition failed.
    Skipped,
    /// Elsewhere.
    Branch,
    /// Into a function, which will return behind it.
    Call,
    /// Out of a function or an exception handler.
    Return,
}

/// One executed instruction and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Its address.
    pub address: u32,
    /// Its length: 2 or 4.
    pub bytes: u32,
    /// All cycles of the machine when it began.
    pub began: u64,
    /// Cycles that it took, stalls included; 0 for the second of a pair that issues together.
    pub cycles: u32,
    /// Of these, waiting for instructions.
    pub fetch_stall: u32,
    /// Of these, waiting for data.
    pub data_stall: u32,
    /// Its row in the cycle table.
    pub class: &'static str,
    /// Where execution went.
    pub flow: FlowKind,
    /// The address that executes next.
    pub target: u32,
}

/// An exception entered or returned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceptionEvent {
    /// Its number: 15 is SysTick, 16 the first interrupt.
    pub number: u16,
    /// Whether it was entered; else it was returned from.
    pub entered: bool,
    /// The handler, or where the return went.
    pub address: u32,
    /// All cycles of the machine when it began.
    pub began: u64,
    /// Cycles that it took.
    pub cycles: u32,
}

/// Takes what [`run_observed`](super::Machine::run_observed) tells, in the order of execution.
pub trait Observer {
    /// An instruction was executed.
    fn retired(&mut self, retired: &Retired);

    /// An exception was entered or returned from.
    fn exception(&mut self, event: &ExceptionEvent) {
        let _ = event;
    }
}
