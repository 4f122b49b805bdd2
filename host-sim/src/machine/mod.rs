//! A Cortex-M: one of several cores with the memory system of some chip, and the cycles that both take.
//!
//! In the order of an instruction's life: the `bus` gives its halfwords, `decode` makes an `Op` of them, `block` keeps it,
//! `execute` changes the `core`, `exception` and `system_registers` do the rest. [`cores`] says what a core has and [`cycles`] what its
//! instructions cost; [`memory_profile`] describes a memory system and `memory_system` makes the core wait for it.
//!
//! The machine is deterministic: the same calls give the same states and counts, in one run or in many pieces. Interrupts are taken between
//! instructions, at modelled cycles. No MPU; unprivileged code may access everything.

mod arithmetic;
mod block;
mod bus;
mod core;
pub mod cores;
pub mod cycles;
mod debugger;
mod decode;
mod disassembly;
mod exception;
mod exception_frame;
mod execute;
mod extension;
mod fault;
pub mod memory_profile;
mod memory_system;
mod observer;
mod op;
mod op_registers;
mod special_registers;
mod system_registers;
#[cfg(test)]
mod tests;
mod timer;

pub use bus::{RegionKind, RegionSpec};
pub use debugger::{Debugger, Halt, Watch, WatchKind};
pub use fault::{BusError, Fault, FaultKind, Stop};
pub use memory_system::{CacheCounts, Stalls};
pub use observer::{ExceptionEvent, FlowKind, Observer, Retired};
pub use special_registers::SpecialRegisters;

use self::core::{Core, Flow};
use block::{Block, BlockCache, Left};
use bus::Bus;
use cores::CoreSpec;
use cycles::{Class, Issue};
use memory_profile::MemoryProfile;
use op::{Instruction, Op};
use op_registers::Registers;

/// A core with its memory.
pub struct Machine {
    core: Core,
    cache: BlockCache,
    /// Where a run stopped inside a block: the block and the instruction in it. The rest has no borders that a run in one piece lacks.
    paused: Option<(Block, usize)>,
    /// The last block, where the next one can wait for its results.
    left: Option<Left>,
    profile: MemoryProfile,
    vector_table: u32,
    debugger: bool,
}

/// What the run loop is compiled for.
trait Observe {
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
    /// A machine with this memory, all zero and without wait states; regions must not overlap. The vector table is at the base of the
    /// first region.
    pub fn new(core: &'static CoreSpec, regions: &[RegionSpec]) -> Self {
        Self::with_memory(core, regions, &MemoryProfile::zero_wait())
    }

    /// The same, with the timing of a memory system.
    pub fn with_memory(core: &'static CoreSpec, regions: &[RegionSpec], profile: &MemoryProfile) -> Self {
        let bus = Bus::new(regions, profile);
        let cache = BlockCache::new(&bus, core);
        let vector_table = regions.first().map_or(0, |region| region.base);
        Self {
            core: Core::new(core, bus),
            cache,
            paused: None,
            left: None,
            profile: profile.clone(),
            vector_table,
            debugger: false,
        }
    }

    /// The core.
    pub fn spec(&self) -> &'static CoreSpec {
        self.core.spec
    }

    /// The memory system.
    pub fn profile(&self) -> &MemoryProfile {
        &self.profile
    }

    /// Moves the vector table that the next [`reset`](Self::reset) uses.
    pub fn set_vector_table(&mut self, base: u32) {
        self.vector_table = base;
    }

    /// Places bytes in memory, flash included.
    ///
    /// # Errors
    /// The bytes do not lie in one region; nothing is written then.
    pub fn load(&mut self, address: u32, bytes: &[u8]) -> Result<(), BusError> {
        self.core.bus.host_write(address, bytes)
    }

    /// The same as [`load`](Self::load), for a running guest.
    ///
    /// # Errors
    /// The bytes do not lie in one region; nothing is written then.
    pub fn write_bytes(&mut self, address: u32, bytes: &[u8]) -> Result<(), BusError> {
        self.core.bus.host_write(address, bytes)
    }

    /// Reads memory without side effects; system registers are not memory.
    ///
    /// # Errors
    /// The bytes do not lie in one region.
    pub fn read_bytes(&self, address: u32, into: &mut [u8]) -> Result<(), BusError> {
        self.core.bus.host_read(address, into)
    }

    /// Resets the core, its counters and its memory's timing; contents of memory stay. Stack pointer and program counter come from the
    /// vector table.
    pub fn reset(&mut self) {
        let mut bus = std::mem::replace(&mut self.core.bus, Bus::new(&[], &self.profile));
        bus.reset(&self.profile);
        (self.paused, self.left) = (None, None);
        self.core = Core::new(self.core.spec, bus);
        self.core.system.vtor = self.vector_table;
        self.core.system.debugger = self.debugger;
        let word = |machine: &Self, address| {
            let mut bytes = [0; 4];
            machine.read_bytes(address, &mut bytes).map_or(0, |()| u32::from_le_bytes(bytes))
        };
        self.core.r[14] = u32::MAX;
        let stack = word(self, self.vector_table);
        self.core.set_sp(stack);
        let entry = word(self, self.vector_table.wrapping_add(4));
        self.core.r[15] = entry & !1;
        if entry & 1 == 0 {
            self.core.exceptions.active[exception::HARD_FAULT] = true; // no handler can run yet: lock up
            self.core.take_fault(FaultKind::InvalidState, entry, entry);
        }
    }

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

    fn run_with<O: Observe>(&mut self, max_instructions: u64, observer: &mut O) -> Stop {
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
                core.exception_events.iter_mut().flat_map(|events| events.drain(..)).for_each(|event| observer.exception(&event));
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
                    let issue = u64::from(cycles_to(index + 1) - at.cycles_before);
                    let stalls = core.bus.memory.stalls;
                    let fetch_stall = (stalls.fetch - observed.stalls.fetch) as u32;
                    let data_stall = (stalls.data - observed.stalls.data) as u32;
                    let events = core.exception_events.as_ref().map_or(0, |events| events.iter().map(|event| event.cycles).sum());
                    let own = (issue.wrapping_add(core.cycles).wrapping_sub(observed.cycles) as u32).wrapping_sub(events);
                    observer.retired(&Retired {
                        address,
                        bytes: next.wrapping_sub(address),
                        began: observed.began,
                        cycles: own.wrapping_add(fetch_stall + data_stall), // the sum is not negative, its parts may be
                        fetch_stall,
                        data_stall,
                        class: Class::of(at.op).0.name(),
                        flow: flow_kind(at.op, flow, skipped),
                        target: if flow == Flow::Branch { core.r[15] } else { next },
                    });
                    core.exception_events
                        .iter_mut()
                        .flat_map(|events| events.drain(..))
                        .for_each(|event| observer.exception(&event));
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

    /// The instruction at `address` as text, and its bytes (2 or 4); `None` where there is no memory. Whether an IT block makes it
    /// conditional is seen from the code before it.
    pub fn disassemble(&self, address: u32) -> Option<(String, u32)> {
        let read = |address| self.core.bus.code(address);
        let address = address & !1;
        let first = read(address)?;
        let wide = decode::is_wide(first);
        let second = if wide { read(address.wrapping_add(2))? } else { 0 };
        let it = disassembly::it_state(address, read);
        Some((disassembly::text(first, second, address, it), if wide { 4 } else { 2 }))
    }

    /// Steps over the `BKPT` that [`run`](Self::run) stopped at, as one instruction.
    pub fn resume_after_breakpoint(&mut self) {
        self.core.r[15] = self.core.r[15].wrapping_add(2);
        self.core.instructions += 1;
        self.core.cycles += u64::from(self.core.spec.table.cost(Class::Exceptional, 0));
    }

    /// Instructions executed since the reset, exactly; those that an IT condition skipped count too.
    pub fn instructions(&self) -> u64 {
        self.core.instructions
    }

    /// Modelled cycles since the reset, by the core's table and the memory profile; those of [`stalls`](Self::stalls) included.
    pub fn cycles(&self) -> u64 {
        self.core.now(0)
    }

    /// Cycles in which the core waited for memory.
    pub fn stalls(&self) -> Stalls {
        self.core.bus.memory.stalls
    }

    /// What the caches and buffers of the memory system did.
    pub fn cache_counts(&self) -> CacheCounts {
        self.core.bus.memory.counts
    }

    /// A core register: 13 is the current stack pointer, 15 the address of the next instruction; above 15 reads 0.
    pub fn register(&self, number: usize) -> u32 {
        self.core.r.get(number).copied().unwrap_or(0)
    }

    /// Writes a core register; see [`register`](Self::register). Writing 15 also leaves any IT block.
    pub fn set_register(&mut self, number: usize, value: u32) {
        match number {
            13 => self.core.set_sp(value),
            15 => {
                self.core.r[15] = value & !1;
                self.core.it = 0;
                (self.paused, self.left) = (None, None);
            }
            0..=14 => self.core.r[number] = value,
            _ => {}
        }
    }

    /// N, Z, C, V, Q and GE in their places in APSR.
    pub fn apsr(&self) -> u32 {
        self.core.apsr()
    }

    /// Writes N, Z, C, V, Q and GE.
    pub fn set_apsr(&mut self, value: u32) {
        self.core.set_apsr(value);
    }

    /// All of xPSR: flags, IT state, Thumb bit, exception number.
    pub fn xpsr(&self) -> u32 {
        self.core.xpsr()
    }

    /// Bits of a single-precision register, 0 to 31; above reads 0.
    pub fn float_register(&self, number: usize) -> u32 {
        self.core.s.get(number).copied().unwrap_or(0)
    }

    /// Writes the bits of a single-precision register, 0 to 31.
    pub fn set_float_register(&mut self, number: usize, bits: u32) {
        if let Some(register) = self.core.s.get_mut(number) {
            *register = bits;
        }
    }

    /// FPSCR.
    pub fn fpscr(&self) -> u32 {
        self.core.fpscr
    }

    /// Writes FPSCR.
    pub fn set_fpscr(&mut self, value: u32) {
        self.core.fpscr = value & 0xF7C0_009F;
    }

    /// What DHCSR.C_DEBUGEN tells the guest; survives a reset.
    pub fn set_debugger_attached(&mut self, attached: bool) {
        self.debugger = attached;
        self.core.system.debugger = attached;
    }

    /// Makes external interrupt `number` (0 to 239) pending; others are ignored.
    pub fn pend_interrupt(&mut self, number: usize) {
        if let Some(pending) = self.core.exceptions.pending.get_mut(number.saturating_add(16)) {
            *pending = true;
            self.core.attention_at = 0;
        }
    }

    /// The least value that the main stack pointer ever had since the reset: the initial one less this is the stack's peak.
    pub fn lowest_stack_pointer(&self) -> u32 {
        self.core.lowest_sp
    }

    /// The first fault since the reset and the core registers when it was raised: what a person wants to see. A handler may have run since.
    pub fn first_fault(&self) -> Option<(Fault, [u32; 16])> {
        self.core.first_fault
    }

    /// What the instruction at `address` needs that this core lacks, such as "the DSP extension"; none if it lacks nothing.
    pub fn lacks(&self, address: u32) -> Option<String> {
        let first = self.core.bus.code(address)?;
        let wide = decode::is_wide(first);
        let second = if wide { self.core.bus.code(address.wrapping_add(2))? } else { 0 };
        let op = decode::decode(first, second, address, false);
        (!self.core.spec.features().executes(op, wide)).then(|| op.extension(wide).to_string())
    }

    /// The last fault that was raised, even if a handler took it.
    pub fn last_fault(&self) -> Option<Fault> {
        self.core.last_fault
    }
}

/// The state before an instruction, for an observer.
#[derive(Clone, Copy, Default)]
struct Before {
    began: u64,
    cycles: u64,
    stalls: Stalls,
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
