//! A Cortex-M: one of several cores with the memory system of some chip, and the cycles that both take.
//!
//! In the order of an instruction's life: the `bus` gives its halfwords, `decode` makes an `Op` of them, `block` keeps it,
//! `execute` changes the `core`, `run_loop` goes on to the next one, `exception` and `system_registers` do the rest. [`cores`] says what a core has and [`cycles`] what its
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
mod register_set;
mod run_loop;
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

use self::core::Core;
use block::{Block, BlockCache, Left};
use bus::Bus;
use cores::CoreSpec;
use cycles::Class;
use memory_profile::MemoryProfile;

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
