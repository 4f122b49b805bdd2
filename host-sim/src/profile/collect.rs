//! Counts while the guest runs: each instruction at its address, and in the context of the calls that led to it.
//!
//! The machine tells of calls and returns; a shadow stack keeps who called whom. It does not rely on guests to behave: a return goes to
//! the innermost caller that waits at its target, a jump into another function replaces the frame (a tail call) unless a caller waits
//! there (`longjmp`), exceptions begin a stack of their own, an exception that returns elsewhere switches threads, and cycles of no
//! instruction are kept under their own name.

use super::addresses::Addresses;
use super::contexts::{Contexts, Place, ROOT};
use super::functions::Functions;
use crate::machine::{ExceptionEvent, FlowKind, Machine, Observer, Retired};

/// Deepest shadow stack: a guest that calls without end loses its outermost callers.
const MAX_FRAMES: usize = 1 << 16;
/// Where no caller waits: no address of an instruction.
const NOWHERE: u32 = u32::MAX;
/// Most threads that are kept apart; beyond, the one that waited longest loses its callers.
const MAX_THREADS: usize = 64;
/// Class of a breakpoint that the host answered, which the machine does not tell as an instruction.
const HOST_CALL: &str = "BKPT, answered by the host";

#[derive(Clone, Copy, Debug)]
struct Frame {
    context: u32,
    /// Where the caller goes on; for an exception, where the thread does that it interrupted.
    returns_to: u32,
    /// The first frame of an exception: returns do not look beyond it.
    exception: Option<u16>,
    /// It is one of the functions that the profile is restricted to.
    wanted: bool,
}

/// The frame below all others.
const BASE: Frame = Frame { context: ROOT, returns_to: NOWHERE, exception: None, wanted: false };

/// Everything that is counted.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Functions, those that were found at run time included.
    pub functions: Functions,
    /// By address and class.
    pub addresses: Addresses,
    /// By calling context.
    pub contexts: Contexts,
    /// Instructions and cycles that were counted.
    pub instructions: u64,
    /// Cycles counted in all, those of no instruction included.
    pub cycles: u64,
    /// Cycles before and after the functions that the profile is restricted to.
    pub outside: u64,
    /// How often one of these functions was entered from outside them.
    pub entries: u64,
    wanted: Option<Vec<u32>>,
    /// Frames of such functions on the stack.
    within: usize,
    frames: Vec<Frame>,
    /// Stacks of the threads that wait, with the address where each goes on.
    threads: Vec<(u32, Vec<Frame>)>,
    /// Where the current thread goes on if the exception that has just returned did not switch threads.
    resumes_at: Option<u32>,
    /// The address behind the last instruction, in the order of execution.
    next: u32,
    seen_instructions: u64,
    clock: u64,
    window_start: u32,
    window_halfwords: u32,
    context: u32,
    last_flow: FlowKind,
}

impl Collector {
    /// A collector for a machine that is about to start; `wanted` restricts the profile to these functions and what they call.
    pub fn new(functions: Functions, wanted: Option<Vec<u32>>) -> Self {
        Self {
            functions,
            addresses: Addresses::default(),
            contexts: Contexts::default(),
            instructions: 0,
            cycles: 0,
            outside: 0,
            entries: 0,
            wanted,
            within: 0,
            frames: vec![BASE],
            threads: Vec::new(),
            resumes_at: None,
            next: 0,
            seen_instructions: 0,
            clock: 0,
            window_start: 0,
            window_halfwords: 0,
            context: ROOT,
            last_flow: FlowKind::Next,
        }
    }

    /// Counts what the host did for the guest since the last instruction: call it before each run of `machine`.
    pub fn catch_up(&mut self, machine: &Machine) {
        let (instructions, cycles) = (machine.instructions(), machine.cycles());
        if instructions > self.seen_instructions {
            let address = machine.register(15).wrapping_sub(2);
            self.retired(&Retired {
                address,
                bytes: 2,
                began: self.clock,
                cycles: cycles.saturating_sub(self.clock) as u32,
                fetch_stall: 0,
                data_stall: 0,
                class: HOST_CALL,
                flow: FlowKind::Next,
                target: address.wrapping_add(2),
            });
        }
    }

    /// Counts what is left when `machine` has ended.
    pub fn finish(&mut self, machine: &Machine) {
        self.catch_up(machine);
        self.idle_until(machine.cycles());
    }

    /// Charges cycles in which no instruction was executed.
    fn idle_until(&mut self, now: u64) {
        if now > self.clock {
            let idle = now - self.clock;
            self.clock = now;
            let context = self.contexts.child(ROOT, None, Place::Idle);
            self.charge(context, 0, idle);
        }
    }

    #[inline]
    fn counts(&self) -> bool {
        self.within > 0 || self.wanted.is_none()
    }

    #[inline]
    fn charge(&mut self, context: u32, halfword: usize, cycles: u64) {
        if self.counts() {
            self.cycles += cycles;
            self.contexts.charge(context, halfword, cycles);
        } else {
            self.outside += cycles;
        }
    }

    fn is_wanted(&self, place: Place) -> bool {
        let Place::Function(function) = place else { return false };
        self.wanted.as_ref().is_some_and(|wanted| wanted.contains(&function))
    }

    /// Adds a frame for `place`, called at `site` of the current context.
    fn push(&mut self, parent: u32, site: Option<u32>, place: Place, returns_to: u32, exception: Option<u16>) {
        if self.frames.len() >= MAX_FRAMES {
            let lost = self.frames.drain(1..MAX_FRAMES / 2);
            self.within -= lost.filter(|frame| frame.wanted).count();
        }
        let wanted = self.is_wanted(place);
        // A restricted profile begins at its functions, whoever calls them.
        let (parent, site) = if wanted && self.within == 0 { (ROOT, None) } else { (parent, site) };
        let context = self.contexts.child(parent, site, place);
        if wanted {
            self.entries += u64::from(self.within == 0);
            self.within += 1;
        }
        self.frames.push(Frame { context, returns_to, exception, wanted });
    }

    fn truncate(&mut self, frames: usize) {
        self.within -= self.frames[frames..].iter().filter(|frame| frame.wanted).count();
        self.frames.truncate(frames);
    }

    /// Makes the top frame the current one.
    fn settle(&mut self) {
        let Some(top) = self.frames.last() else { return };
        self.context = top.context;
        (self.window_start, self.window_halfwords) = match self.contexts.node(top.context).place {
            Place::Function(number) => {
                let function = self.functions.get(number);
                (function.start, (function.end - function.start).div_ceil(2))
            }
            _ => (0, 0),
        };
    }

    /// Frames of the current exception or, outside of any, of the program: returns look no further.
    fn own_frames(&self) -> impl Iterator<Item = (usize, &Frame)> {
        let own = self.frames.iter().enumerate().rev();
        own.take_while(|(_, frame)| frame.exception.is_none()).take_while(|(index, _)| *index > 0)
    }

    /// Goes back to the innermost caller that waits at `target`; whether there is one.
    fn return_to(&mut self, target: u32) -> bool {
        let found = self.own_frames().find(|(_, frame)| frame.returns_to == target).map(|(index, _)| index);
        if let Some(index) = found {
            self.truncate(index);
            self.settle();
        }
        found.is_some()
    }

    /// Execution is at `address`, outside of the current function.
    #[cold]
    fn elsewhere(&mut self, address: u32) {
        if self.last_flow == FlowKind::Branch && self.return_to(address) && self.holds(address) {
            return;
        }
        let function = self.functions.reached(address);
        let place = Place::Function(function);
        let at_entry = self.functions.get(function).start == address;
        let caller = self.own_frames().find(|(_, frame)| self.contexts.node(frame.context).place == place);
        match caller.map(|(index, _)| index) {
            Some(index) if !at_entry => self.truncate(index + 1),
            _ => self.tail_call(place),
        }
        self.settle();
        if at_entry && self.counts() {
            self.contexts.enter(self.context);
        }
    }

    /// An exception that interrupted a thread at `left` returned to `address`.
    #[cold]
    fn resumed(&mut self, left: u32, address: u32) {
        if left == address || self.frames.iter().any(|frame| frame.exception.is_some()) {
            return;
        }
        let frames = match self.threads.iter().position(|(resumes_at, _)| *resumes_at == address) {
            Some(index) => self.threads.remove(index).1,
            None if self.holds(address) => return, // a handler that changed where its thread goes on
            None => vec![BASE],
        };
        let left = (left, std::mem::replace(&mut self.frames, frames));
        if left.1.len() > 1 {
            if self.threads.len() == MAX_THREADS {
                self.threads.remove(0);
            }
            self.threads.push(left);
        }
        self.within = self.frames.iter().filter(|frame| frame.wanted).count();
        self.settle();
    }

    fn tail_call(&mut self, place: Place) {
        let top = self.frames.len() - 1;
        let Frame { context, returns_to, .. } = self.frames[top];
        let node = self.contexts.node(context);
        match node.place {
            Place::Function(_) => {
                let (parent, site) = (node.parent, node.site);
                self.truncate(top);
                self.push(parent, site, place, returns_to, None);
            }
            _ => self.push(context, None, place, NOWHERE, None),
        }
    }

    #[inline]
    fn holds(&self, address: u32) -> bool {
        address.wrapping_sub(self.window_start) >> 1 < self.window_halfwords
    }

    fn call(&mut self, retired: &Retired) {
        let function = self.functions.called(retired.target);
        let returns_to = retired.address.wrapping_add(retired.bytes);
        self.push(self.context, Some(retired.address), Place::Function(function), returns_to, None);
        self.settle();
        if self.counts() {
            self.contexts.enter(self.context);
        }
    }
}

impl Observer for Collector {
    #[inline]
    fn retired(&mut self, retired: &Retired) {
        if retired.began > self.clock {
            self.idle_until(retired.began);
        }
        self.clock = retired.began + u64::from(retired.cycles);
        self.seen_instructions += 1;
        if let Some(left) = self.resumes_at.take() {
            self.resumed(left, retired.address);
        }
        self.next = retired.target;
        if !self.holds(retired.address) {
            self.elsewhere(retired.address);
        }
        let halfword = (retired.address.wrapping_sub(self.window_start) >> 1) as usize;
        self.charge(self.context, halfword, retired.cycles.into());
        if self.counts() {
            self.instructions += 1;
            self.addresses.count(retired, self.holds(retired.target));
        }
        self.last_flow = retired.flow;
        match retired.flow {
            FlowKind::Next | FlowKind::Skipped | FlowKind::Branch => {}
            FlowKind::Call => self.call(retired),
            FlowKind::Return => {
                self.return_to(retired.target);
            }
        }
    }

    fn exception(&mut self, event: &ExceptionEvent) {
        self.idle_until(event.began);
        self.clock += u64::from(event.cycles);
        let place = Place::Exception(event.number);
        if event.entered {
            let left = self.resumes_at.take().unwrap_or(self.next);
            self.push(ROOT, None, place, left, Some(event.number));
            let context = self.frames[self.frames.len() - 1].context;
            self.charge(context, 0, event.cycles.into());
            if self.counts() {
                self.contexts.enter(context);
            }
            let handler = self.functions.called(event.address);
            self.push(context, None, Place::Function(handler), NOWHERE, None);
            self.settle();
            if self.counts() {
                self.contexts.enter(self.context);
            }
        } else {
            let context = self.contexts.child(ROOT, None, place);
            self.charge(context, 0, event.cycles.into());
            if let Some(index) = self.frames.iter().rposition(|frame| frame.exception == Some(event.number)) {
                self.resumes_at = Some(self.frames[index].returns_to);
                self.truncate(index);
            }
            self.settle();
        }
        self.last_flow = FlowKind::Next;
    }
}
