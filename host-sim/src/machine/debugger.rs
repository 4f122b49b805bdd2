//! Breakpoints and watchpoints. They change nothing in the guest: not its memory, not its cycles.

use super::run_loop::Observe;
use super::{ExceptionEvent, Machine, Retired, Stop};
use std::collections::BTreeMap;

/// Which accesses a watchpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// Loads.
    Read,
    /// Stores.
    Write,
    /// Both.
    Access,
}

/// A range of data addresses that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// First byte.
    pub address: u32,
    /// Bytes, at least 1.
    pub length: u32,
    /// Which accesses stop the guest.
    pub kind: WatchKind,
}

/// Why [`Machine::run_debugged`] stopped before an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// There is a breakpoint on it.
    Breakpoint,
    /// It is about to access a watched byte; neither it nor the access has happened.
    Watch {
        /// The watchpoint's kind.
        kind: WatchKind,
        /// The first watched byte that is accessed.
        address: u32,
    },
}

/// The points where a guest is to stop.
#[derive(Clone, Debug, Default)]
pub struct Debugger {
    /// How many breakpoints there are on an address.
    breakpoints: BTreeMap<u32, usize>,
    watches: Vec<Watch>,
    halt: Option<Halt>,
    /// A breakpoint on this instruction does not count the next time.
    resuming: Option<u32>,
    /// The instruction that stopped the last run by an access, which it may have in the next.
    stopped_by_access: Option<u32>,
}

impl Debugger {
    /// Whether there is no point at all.
    pub fn is_idle(&self) -> bool {
        self.breakpoints.is_empty() && self.watches.is_empty()
    }

    /// How many addresses have breakpoints.
    pub fn breakpoints(&self) -> usize {
        self.breakpoints.len()
    }

    /// How many watchpoints there are.
    pub fn watches(&self) -> usize {
        self.watches.len()
    }

    /// Adds a breakpoint on the instruction at `address`; bit 0 does not count.
    pub fn add_breakpoint(&mut self, address: u32) {
        *self.breakpoints.entry(address & !1).or_default() += 1;
    }

    /// Takes one away again; whether there was one.
    pub fn remove_breakpoint(&mut self, address: u32) -> bool {
        let Some(count) = self.breakpoints.get_mut(&(address & !1)) else { return false };
        *count -= 1;
        if *count == 0 {
            self.breakpoints.remove(&(address & !1));
        }
        true
    }

    /// Whether there is a breakpoint on the instruction at `address`.
    pub fn stops_at(&self, address: u32) -> bool {
        self.breakpoints.contains_key(&address)
    }

    /// Adds a watchpoint.
    pub fn add_watch(&mut self, watch: Watch) {
        self.watches.push(watch);
    }

    /// Takes one away again; whether there was one.
    pub fn remove_watch(&mut self, watch: Watch) -> bool {
        let Some(index) = self.watches.iter().position(|other| *other == watch) else { return false };
        self.watches.swap_remove(index);
        true
    }

    /// The guest goes on from where it stopped: a breakpoint there does not stop it at once, not even if an interrupt comes first.
    pub fn resume_at(&mut self, address: u32) {
        self.resuming = Some(address);
    }

    /// Why the last run stopped, if a point stopped it; forgets it.
    pub fn take_halt(&mut self) -> Option<Halt> {
        self.halt.take()
    }
}

impl Watch {
    /// The first of `length` bytes at `address` that is watched.
    pub(super) fn overlap(&self, address: u32, length: u64) -> Option<u32> {
        let end = |address: u32, length: u64| u64::from(address) + length;
        let apart = end(self.address, self.length.into()) <= address.into() || end(address, length) <= self.address.into();
        (!apart).then(|| self.address.max(address))
    }
}

/// A run under a debugger.
struct Debugged<'d> {
    debugger: &'d mut Debugger,
}

impl Observe for Debugged<'_> {
    const ACTIVE: bool = false;
    fn retired(&mut self, _: &Retired) {}
    fn exception(&mut self, _: &ExceptionEvent) {}

    const DEBUGS: bool = true;
    fn stops_at(&mut self, address: u32) -> bool {
        let resumes = self.debugger.resuming.take_if(|at| *at == address).is_some();
        let stops = !resumes && self.debugger.stops_at(address);
        if stops {
            self.debugger.halt = Some(Halt::Breakpoint);
        }
        stops
    }
    fn watches_at(&mut self, address: u32) -> bool {
        self.debugger.stopped_by_access.take_if(|at| *at == address).is_none()
    }
}

impl Machine {
    /// Executes like [`run`](Self::run), but stops with [`Stop::Budget`] at the points of `debugger`, which then says
    /// [which](Debugger::take_halt). An access that stopped the run before does not stop it again.
    pub fn run_debugged(&mut self, max_instructions: u64, debugger: &mut Debugger) -> Stop {
        self.core.bus.set_watches(std::mem::take(&mut debugger.watches));
        let stop = self.run_with(max_instructions, &mut Debugged { debugger });
        debugger.watches = self.core.bus.set_watches(Vec::new());
        if let Some((kind, address)) = self.core.bus.watched.take() {
            debugger.halt = Some(Halt::Watch { kind, address });
            debugger.stopped_by_access = Some(self.register(15));
        }
        stop
    }
}
