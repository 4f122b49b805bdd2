//! Breakpoints and watchpoints. They change nothing in the guest: not its memory, not its cycles.

use super::{Machine, Stop};
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

    /// Why the last run stopped, if a point stopped it; forgets it.
    pub fn take_halt(&mut self) -> Option<Halt> {
        self.halt.take()
    }
}

impl Machine {
    /// Executes like [`run`](Self::run), but stops with [`Stop::Budget`] at the points of `debugger`, which then says
    /// [which](Debugger::take_halt). A breakpoint on the first instruction does not stop it.
    pub fn run_debugged(&mut self, max_instructions: u64, debugger: &mut Debugger) -> Stop {
        for executed in 0..max_instructions {
            if executed > 0 && debugger.stops_at(self.register(15)) {
                debugger.halt = Some(Halt::Breakpoint);
                return Stop::Budget;
            }
            match self.run(1) {
                Stop::Budget => {}
                stop => return stop,
            }
        }
        if debugger.stops_at(self.register(15)) {
            debugger.halt = Some(Halt::Breakpoint);
        }
        Stop::Budget
    }
}
impl Debugger {
    /// Adds a watchpoint; whether that is possible.
    pub fn add_watch(&mut self, _watch: Watch) -> bool {
        false
    }

    /// Takes one away again; whether there was one.
    pub fn remove_watch(&mut self, watch: Watch) -> bool {
        let Some(index) = self.watches.iter().position(|other| *other == watch) else { return false };
        self.watches.swap_remove(index);
        true
    }
}
