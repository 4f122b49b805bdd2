//! What the debugger does to the guest: look at it, change it, let it run until something happens.

use super::monitor;
use super::registers::{CortexM, RegisterFile, description};
use crate::board::{Board, Channels, Event};
use crate::image::Image;
use crate::machine::{Debugger, Halt, Stop, Watch, WatchKind};
use gdbstub::common::Signal;
use gdbstub::stub::SingleThreadStopReason;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadRangeStepping, SingleThreadRangeSteppingOps, SingleThreadResume, SingleThreadResumeOps,
    SingleThreadSingleStep, SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint, SwBreakpointOps,
    WatchKind as GdbWatchKind,
};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::ext::target_description_xml_override::{TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps};
use gdbstub::target::{Target, TargetError, TargetResult};
use std::convert::Infallible;
use std::io;
use std::ops::Range;

/// Instructions between two looks at the debugger: a Ctrl-C waits a few milliseconds at most.
const SLICE: u64 = 50_000;
/// Code and data addresses that may be watched at once, each; protects the host from a confused client.
const MOST_POINTS: usize = 4096;

/// Why the guest stands still.
pub type StopReason = SingleThreadStopReason<u32>;

/// How far the guest may run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    Continue,
    Step,
    /// Single steps until the program counter leaves the range.
    StepOutOf(Range<u32>),
}

/// The guest under the debugger.
pub struct Debuggee<'a> {
    /// The board that it runs on.
    pub board: Board,
    /// Its image, for names of places.
    pub image: &'a Image,
    /// What was counted when the debugger last asked.
    pub asked: monitor::Counts,
    debugger: Debugger,
    software: Vec<u32>,
    mode: Mode,
    has_float: bool,
    description: String,
    /// The address of a `BKPT` of the guest's own that it stands at.
    at_own_breakpoint: Option<u32>,
    /// The step that the debugger wants is done: it was over such a `BKPT`.
    stepped: bool,
    channels: Channels<'a>,
    output: &'a mut dyn FnMut(Event<'_>) -> io::Result<()>,
    messages: &'a mut dyn FnMut(&str),
}

impl<'a> Debuggee<'a> {
    /// The guest on `board`, reset; it talks with the host through `channels`; what it prints goes to `output`, what happens to it to `messages`.
    pub fn new(
        board: Board,
        image: &'a Image,
        channels: Channels<'a>,
        output: &'a mut dyn FnMut(Event<'_>) -> io::Result<()>,
        messages: &'a mut dyn FnMut(&str),
    ) -> Self {
        let has_float = board.machine.spec().float.is_some();
        Self {
            board,
            image,
            asked: monitor::Counts::default(),
            debugger: Debugger::default(),
            software: Vec::new(),
            mode: Mode::Continue,
            has_float,
            description: description(has_float),
            at_own_breakpoint: None,
            stepped: false,
            channels,
            output,
            messages,
        }
    }

    /// Starts the guest anew.
    pub fn reset(&mut self) {
        self.board.machine.reset();
        self.asked = monitor::Counts::default();
        self.at_own_breakpoint = None;
    }

    fn pc(&self) -> u32 {
        self.board.machine.register(15)
    }

    /// Where the guest stands, as a person reads it.
    fn place(&self) -> String {
        self.image.place(self.pc())
    }

    /// The debugger lets the guest go.
    fn set_off(&mut self, mode: Mode) {
        if self.at_own_breakpoint.take() == Some(self.pc()) {
            self.board.machine.resume_after_breakpoint();
            self.stepped = mode == Mode::Step;
        } else {
            self.debugger.resume_at(self.pc());
        }
        self.mode = mode;
    }

    /// Lets the guest run for a while. Returns why it stopped, if it did.
    pub fn advance(&mut self) -> Option<StopReason> {
        if std::mem::take(&mut self.stepped) {
            return Some(StopReason::DoneStep);
        }
        let stopped = self.run_on();
        let _ = self.board.exchange(&mut self.channels, self.output); // as for semihosting
        stopped
    }

    fn run_on(&mut self) -> Option<StopReason> {
        match self.mode.clone() {
            Mode::Continue => self.run(SLICE),
            Mode::Step => Some(self.run(1).unwrap_or(StopReason::DoneStep)),
            Mode::StepOutOf(range) => (0..SLICE).find_map(|_| {
                let stopped = self.run(1);
                stopped.or_else(|| (!range.contains(&self.pc())).then_some(StopReason::DoneStep))
            }),
        }
    }

    fn run(&mut self, instructions: u64) -> Option<StopReason> {
        let stop = if self.debugger.is_idle() {
            self.board.machine.run(instructions)
        } else {
            self.board.machine.run_debugged(instructions, &mut self.debugger)
        };
        if let Some(halt) = self.debugger.take_halt() {
            return Some(self.halted(halt));
        }
        match stop {
            Stop::Budget => None,
            Stop::Breakpoint { imm: 0xab } => {
                // What the guest prints where nobody listens is lost, as on a board.
                let exit = self.board.serve(self.output).unwrap_or_default();
                exit.map(|code| StopReason::Exited(code.clamp(0, 255) as u8))
            }
            Stop::Breakpoint { .. } => {
                self.at_own_breakpoint = Some(self.pc());
                Some(StopReason::Signal(Signal::SIGTRAP))
            }
            Stop::Sleep => {
                self.say("the guest is asleep, and nothing can wake it");
                Some(StopReason::Signal(Signal::SIGTRAP))
            }
            Stop::ResetRequested => {
                self.say("the guest asked for a reset");
                self.reset();
                None
            }
            Stop::Lockup(fault) => {
                let text = format!("the guest locked up: {fault}, at {}", self.place());
                self.say(&text);
                Some(StopReason::Signal(Signal::SIGSEGV))
            }
        }
    }

    fn halted(&self, halt: Halt) -> StopReason {
        match halt {
            Halt::Breakpoint if self.software.contains(&self.pc()) => StopReason::SwBreak(()),
            Halt::Breakpoint => StopReason::HwBreak(()),
            Halt::Watch { kind, address } => StopReason::Watch { tid: (), kind: to_gdb(kind), addr: address },
        }
    }

    /// Tells the person at the debugger something.
    pub fn say(&mut self, text: &str) {
        (self.messages)(text);
    }
}

fn to_gdb(kind: WatchKind) -> GdbWatchKind {
    match kind {
        WatchKind::Read => GdbWatchKind::Read,
        WatchKind::Write => GdbWatchKind::Write,
        WatchKind::Access => GdbWatchKind::ReadWrite,
    }
}

impl Target for Debuggee<'_> {
    type Arch = CortexM;
    type Error = Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, CortexM, Infallible> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(&mut self) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadBase for Debuggee<'_> {
    fn read_registers(&mut self, registers: &mut RegisterFile) -> TargetResult<(), Self> {
        *registers = RegisterFile::read(&self.board.machine, self.has_float);
        Ok(())
    }

    fn write_registers(&mut self, registers: &RegisterFile) -> TargetResult<(), Self> {
        let now = RegisterFile::read(&self.board.machine, self.has_float);
        registers.write_changes(&now, &mut self.board.machine);
        Ok(())
    }

    fn read_addrs(&mut self, start: u32, data: &mut [u8]) -> TargetResult<usize, Self> {
        if self.board.machine.read_bytes(start, data).is_ok() {
            return Ok(data.len());
        }
        let mut word = None;
        // Up to the end of the memory, where GDB reads beyond it; system registers are there too.
        let mut count = 0;
        for (byte, address) in data.iter_mut().zip(start..=u32::MAX) {
            let machine = &mut self.board.machine;
            if machine.read_bytes(address, std::slice::from_mut(byte)).is_err() {
                // One access for the four bytes of a word: a register may change by being read.
                let lane = address as usize % 4;
                if lane == 0 || word.is_none() {
                    word = machine.read_system_register(address & !3).map(u32::to_le_bytes);
                }
                match word {
                    Some(bytes) => *byte = bytes[lane],
                    None => break,
                }
            }
            count += 1;
        }
        if count == 0 { Err(TargetError::NonFatal) } else { Ok(count) }
    }

    fn write_addrs(&mut self, start: u32, data: &[u8]) -> TargetResult<(), Self> {
        let machine = &mut self.board.machine;
        if machine.write_bytes(start, data).is_ok() {
            return Ok(());
        }
        let Ok(bytes) = data.try_into() else { return Err(TargetError::NonFatal) };
        let written = start.is_multiple_of(4).then(|| machine.write_system_register(start, u32::from_le_bytes(bytes)));
        written.flatten().ok_or(TargetError::NonFatal)
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadResume for Debuggee<'_> {
    fn resume(&mut self, _: Option<Signal>) -> Result<(), Infallible> {
        self.set_off(Mode::Continue);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<SingleThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Debuggee<'_> {
    fn step(&mut self, _: Option<Signal>) -> Result<(), Infallible> {
        self.set_off(Mode::Step);
        Ok(())
    }
}

impl SingleThreadRangeStepping for Debuggee<'_> {
    fn resume_range_step(&mut self, start: u32, end: u32) -> Result<(), Infallible> {
        self.set_off(Mode::StepOutOf(start..end));
        Ok(())
    }
}

impl Breakpoints for Debuggee<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

/// Both kinds compare the program counter: memory keeps the guest's own code, and the cycles are those of an undisturbed run.
impl SwBreakpoint for Debuggee<'_> {
    fn add_sw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        let added = self.software.len() < MOST_POINTS;
        if added {
            self.software.push(address & !1);
            self.debugger.add_breakpoint(address);
        }
        Ok(added)
    }

    fn remove_sw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        if let Some(index) = self.software.iter().position(|at| *at == address & !1) {
            self.software.swap_remove(index);
        }
        Ok(self.debugger.remove_breakpoint(address))
    }
}

impl HwBreakpoint for Debuggee<'_> {
    fn add_hw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        let added = self.debugger.breakpoints() < MOST_POINTS;
        if added {
            self.debugger.add_breakpoint(address);
        }
        Ok(added)
    }

    fn remove_hw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        Ok(self.debugger.remove_breakpoint(address))
    }
}

fn watch(address: u32, length: u32, kind: GdbWatchKind) -> Watch {
    let kind = match kind {
        GdbWatchKind::Read => WatchKind::Read,
        GdbWatchKind::Write => WatchKind::Write,
        GdbWatchKind::ReadWrite => WatchKind::Access,
    };
    Watch { address, length: length.max(1), kind }
}

impl HwWatchpoint for Debuggee<'_> {
    fn add_hw_watchpoint(&mut self, address: u32, length: u32, kind: GdbWatchKind) -> TargetResult<bool, Self> {
        let is_memory = self.board.machine.read_bytes(address, &mut [0]).is_ok();
        let added = is_memory && self.debugger.watches() < MOST_POINTS;
        if added {
            self.debugger.add_watch(watch(address, length, kind));
        }
        Ok(added)
    }

    fn remove_hw_watchpoint(&mut self, address: u32, length: u32, kind: GdbWatchKind) -> TargetResult<bool, Self> {
        Ok(self.debugger.remove_watch(watch(address, length, kind)))
    }
}

impl MonitorCmd for Debuggee<'_> {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Infallible> {
        out.write_raw(monitor::answer(self, &String::from_utf8_lossy(command)).as_bytes());
        Ok(())
    }
}

impl TargetDescriptionXmlOverride for Debuggee<'_> {
    fn target_description_xml(&self, annex: &[u8], offset: u64, length: usize, buffer: &mut [u8]) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            return Err(TargetError::NonFatal);
        }
        let text = self.description.as_bytes();
        let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)).unwrap_or_default();
        let count = rest.len().min(length).min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
