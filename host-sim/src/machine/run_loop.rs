//! The run loop: block after block, with what stops it, what interrupts it, and who watches it.

use super::Machine;
use super::block::Left;
use super::core::{Core, Flow};
use super::cycles::{Class, Issue};
use super::fault::{FaultKind, Stop};
use super::memory_system::Stalls;
use super::observer::{ExceptionEvent, FlowKind, Observer, Retired};
use super::op::{Instruction, Op};
use super::register_set::Registers;

/// What the run loop is compiled for.
pub(super) trait Observe {
    /// Whether [`Observe::retired`] does anything.
    const ACTIVE: bool;
    fn retired(&mut self, retired: &Retired);
    fn exception(&mut self, event: &ExceptionEvent);

    /// Whether [`Observe::stops_at`] and [`Observe::watches_at`] do anything.
    const DEBUGS: bool = false;
    /// Whether the run stops before the instruction at this address.
    fn stops_at(&mut self, _: u32) -> bool {
        false
    }
    /// Whether the instruction at this address may not access watched bytes.
    fn watches_at(&mut self, _: u32) -> bool {
        false
    }
}

struct Nobody;

impl Observe for Nobody {
    const ACTIVE: bool = false;
    fn retired(&mut self, _: &Retired) {}
    fn exception(&mut self, _: &ExceptionEvent) {}
}

struct Watching<'o, O>(&'o mut O);

impl<O: Observer> Observe for Watching<'_, O> {
    const ACTIVE: bool = true;
    fn retired(&mut self, retired: &Retired) {
        self.0.retired(retired);
    }
    fn exception(&mut self, event: &ExceptionEvent) {
        self.0.exception(event);
    }
}

impl Machine {
    /// Executes until something stops the core, at most `max_instructions`. Cutting a run in pieces changes nothing.
    pub fn run(&mut self, max_instructions: u64) -> Stop {
        self.run_with(max_instructions, &mut Nobody)
    }

    /// The same, telling `observer` each instruction: several times slower, with the same cycles.
    pub fn run_observed(&mut self, max_instructions: u64, observer: &mut impl Observer) -> Stop {
        self.core.exception_events = Some(Vec::new());
        let stop = self.run_with(max_instructions, &mut Watching(observer));
        self.core.exception_events = None;
        stop
    }

    pub(super) fn run_with<O: Observe>(&mut self, max_instructions: u64, observer: &mut O) -> Stop {
        if self.core.bus.memory.times_flash() || self.core.bus.memory.times_ram() {
            self.run_loop::<true, O>(max_instructions, observer)
        } else {
            self.run_loop::<false, O>(max_instructions, observer)
        }
    }

    fn run_loop<const TIMED: bool, O: Observe>(&mut self, max_instructions: u64, observer: &mut O) -> Stop {
        let core = &mut self.core;
        let line_shift = core.bus.memory.line_shift();
        let end = core.instructions.saturating_add(max_instructions);
        let mut line = u32::MAX;
        let dual = matches!(core.spec.table.issue, Issue::Dual(_));
        loop {
            if core.bus.code_changed || self.cache.is_large() {
                self.cache.clear();
                core.bus.unmark_code();
                (self.paused, self.left) = (None, None);
            }
            let attend = self.paused.is_none() && core.now(0) >= core.attention_at;
            let stop = if attend { core.attend() } else { None };
            if O::ACTIVE {
                tell_exceptions(core, observer);
            }
            if let Some(stop) = stop {
                return stop;
            }
            if core.instructions >= end {
                return Stop::Budget;
            }
            let pc = core.r[15];
            let mut before_first = 0; // cycles of the first instruction that are charged here
            let (block, start) = match self.paused.take() {
                Some(paused) => paused,
                None => {
                    let left = if dual { self.left.take().filter(|left| left.target == pc) } else { None };
                    match self.cache.find(&mut core.bus, pc, core.it, left.is_some_and(|left| left.joined)) {
                        Some(block) => {
                            if let Some(left) = left {
                                let stall = u64::from(self.cache.border_stall(left, block));
                                core.cycles += stall;
                                before_first = stall + left.charged;
                            }
                            (block, 0)
                        }
                        None => {
                            core.take_fault(FaultKind::InstructionFetch, pc, pc);
                            continue;
                        }
                    }
                }
            };
            let all = self.cache.instructions(block);
            let count = all.len().min((end - core.instructions).saturating_add(start as u64).try_into().unwrap_or(usize::MAX));
            let cycles_to = |index: usize| all.get(index).map_or(block.cycles, |at| at.cycles_before);
            let offset_of = |index: usize| all.get(index).map_or(u32::from(block.bytes), |at| u32::from(at.halfwords_before) * 2);
            let pc = pc.wrapping_sub(offset_of(start));
            core.cycles = core.cycles.wrapping_sub(cycles_to(start).into());
            core.it = 0;
            let exception = core.ipsr;
            let interruptible = core.attention_at != u64::MAX;
            let mut index = start;
            let mut observed = Before::default();
            let mut halted = false;
            let flow = loop {
                let Some(at) = all[..count].get(index) else { break Flow::Next };
                if interruptible && index > 0 && core.now(at.cycles_before) >= core.attention_at {
                    break Flow::Next;
                }
                let cycles_before = core.cycles;
                if O::DEBUGS {
                    let address = pc.wrapping_add(offset_of(index));
                    if observer.stops_at(address) {
                        halted = true;
                        break Flow::Next;
                    }
                    core.bus.watching = observer.watches_at(address);
                }
                if O::ACTIVE {
                    let (began, cycles) = (core.now(at.cycles_before) - before_first, core.cycles.wrapping_sub(before_first));
                    observed = Before { began, cycles, stalls: core.bus.memory.stalls };
                    before_first = 0;
                }
                if TIMED {
                    core.bus.memory.now = core.now(at.cycles_before);
                    let last = pc.wrapping_add(offset_of(index + 1)).wrapping_sub(1);
                    if last >> line_shift != line {
                        line = fetch(core, pc.wrapping_add(offset_of(index)), last, line, line_shift);
                    }
                }
                let mut skipped = false;
                let flow = if at.it != 0 && !core.condition(at.it >> 4) {
                    if let Some(skipped) = core.costs.skipped {
                        let charged = u64::from(cycles_to(index + 1) - at.cycles_before);
                        core.cycles = core.cycles.wrapping_add(skipped.into()).wrapping_sub(charged);
                    }
                    skipped = true;
                    Flow::Next
                } else {
                    core.execute(at, pc)
                };
                if O::DEBUGS {
                    core.bus.watching = false;
                    if core.bus.watched.is_some() {
                        // As if it had not begun.
                        core.raised = None;
                        core.cycles = cycles_before;
                        halted = true;
                        break Flow::Next;
                    }
                }
                if O::ACTIVE && !matches!(flow, Flow::Fault | Flow::Stop) {
                    let (address, next) = (pc.wrapping_add(offset_of(index)), pc.wrapping_add(offset_of(index + 1)));
                    let issue = cycles_to(index + 1) - at.cycles_before;
                    observer.retired(&observed.retired(core, at.op, address, next, issue, flow_kind(at.op, flow, skipped)));
                    tell_exceptions(core, observer);
                }
                match flow {
                    Flow::Next => index += 1,
                    flow => break flow,
                }
            };
            let executed = match flow {
                Flow::Next | Flow::Fault | Flow::Stop => index,
                Flow::Branch | Flow::Leave => index + 1,
            };
            core.instructions += (executed - start) as u64;
            core.cycles = core.cycles.wrapping_add(u64::from(cycles_to(executed)));
            if flow == Flow::Branch {
                if dual {
                    let before = core.cycles;
                    let foreseen = finish_branch(core, all, executed, pc, exception);
                    let joined = foreseen && self.cache.is_open(block, executed);
                    let charged = core.cycles.wrapping_sub(before);
                    self.left = Some(Left { block, executed, target: core.r[15], joined, charged });
                }
                continue;
            }
            core.r[15] = pc.wrapping_add(offset_of(executed));
            core.it = all.get(executed).map_or(block.it_after, |next| next.it);
            if dual && flow == Flow::Next {
                self.left = Some(Left { block, executed, target: core.r[15], joined: false, charged: 0 });
            }
            if O::DEBUGS && halted {
                self.paused = Some((block, executed));
                return Stop::Budget;
            }
            match flow {
                Flow::Next if executed < all.len() && core.instructions >= end => self.paused = Some((block, executed)),
                Flow::Fault => {
                    let here = core.r[15];
                    let (kind, address) = core.raised.take().unwrap_or((FaultKind::Undefined, here));
                    core.take_fault(kind, address, here);
                }
                Flow::Stop => return core.stop.take().unwrap_or(Stop::Budget),
                _ => {}
            }
        }
    }
}

/// The state before an instruction, for an observer.
#[derive(Clone, Copy, Default)]
struct Before {
    began: u64,
    cycles: u64,
    stalls: Stalls,
}

impl Before {
    /// What became of the instruction from `address` to `next`, `issue` cycles of which its block has already counted.
    fn retired(&self, core: &Core, op: Op, address: u32, next: u32, issue: u16, flow: FlowKind) -> Retired {
        let stalls = core.bus.memory.stalls;
        let fetch_stall = (stalls.fetch - self.stalls.fetch) as u32;
        let data_stall = (stalls.data - self.stalls.data) as u32;
        let events = core.exception_events.as_ref().map_or(0, |events| events.iter().map(|event| event.cycles).sum());
        let own = (u64::from(issue).wrapping_add(core.cycles).wrapping_sub(self.cycles) as u32).wrapping_sub(events);
        Retired {
            address,
            bytes: next.wrapping_sub(address),
            began: self.began,
            cycles: own.wrapping_add(fetch_stall + data_stall), // the sum is not negative, its parts may be
            fetch_stall,
            data_stall,
            class: Class::of(op).0.name(),
            flow,
            target: if matches!(flow, FlowKind::Next | FlowKind::Skipped) { next } else { core.r[15] },
        }
    }
}

fn tell_exceptions(core: &mut Core, observer: &mut impl Observe) {
    core.exception_events.iter_mut().flat_map(|events| events.drain(..)).for_each(|event| observer.exception(&event));
}

/// Fetches the lines of an instruction from `first` to `last` that are not at hand; returns the line at hand then.
fn fetch(core: &mut Core, first: u32, last: u32, line: u32, line_shift: u32) -> u32 {
    if !core.bus.is_flash(first) {
        return u32::MAX;
    }
    if first >> line_shift != line {
        core.bus.memory.fetch(first);
    }
    if last >> line_shift != first >> line_shift {
        core.bus.memory.fetch(last);
    }
    last >> line_shift
}

/// Charges what a taken branch at the end of these instructions adds on a core that pairs instructions; whether it went as foreseen.
fn finish_branch(core: &mut Core, all: &[Instruction], executed: usize, block_pc: u32, exception: u16) -> bool {
    let branch = &all[executed - 1];
    // The return from an exception has its own price.
    let address = block_pc.wrapping_add(u32::from(branch.halfwords_before) * 2);
    let foreseen = core.ipsr == exception && core.check_prediction(branch.op, address, Some(core.r[15]));
    let paired = all.get(executed).is_some_and(|next| next.cycles_before == branch.cycles_before);
    if let (true, Some(before)) = (paired, executed.checked_sub(2))
        && all[before].op.writes().meets(Registers::FLAGS)
    {
        core.cycles += u64::from(core.costs.refill_flags);
    }
    foreseen
}

fn flow_kind(op: Op, flow: Flow, skipped: bool) -> FlowKind {
    match (op, flow) {
        _ if skipped => FlowKind::Skipped,
        (Op::BranchLink { .. } | Op::BranchLinkExchange { .. }, _) => FlowKind::Call,
        (
            Op::BranchExchange { rm: 14 } | Op::MoveToPc { rm: 14 } | Op::LoadMultiple { .. } | Op::JumpIndexed { rn: 13, .. },
            Flow::Branch,
        ) => FlowKind::Return,
        (_, Flow::Branch) => FlowKind::Branch,
        _ => FlowKind::Next,
    }
}
