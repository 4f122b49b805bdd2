//! A Cortex-M4F: Armv7E-M with the DSP and single-precision floating-point extensions, and the cycles it takes.
//!
//! In the order of an instruction's life: the `bus` gives its halfwords, `decode` makes an `Op` of them, `block` keeps it,
//! `execute` changes the `core`, `exception` and `system_registers` do the rest; [`cycles`] is the price list.
//!
//! The machine is deterministic: the same calls give the same states and counts. Interrupts are taken between basic blocks (at most 64
//! instructions), and never depend on wall-clock time. No MPU, no bus waits, no lazy stacking; unprivileged code may access everything.

mod arithmetic;
mod block;
mod bus;
mod core;
pub mod cycles;
mod decode;
mod exception;
mod execute;
#[allow(dead_code)] // until cores choose
mod extension;
mod fault;
mod op;
#[allow(dead_code)] // the pipeline models that read it come next
mod op_registers;
mod system_registers;
#[cfg(test)]
mod tests;
mod timer;

pub use bus::{RegionKind, RegionSpec};
pub use fault::{BusError, Fault, FaultKind, Stop};

use self::core::{Core, Flow};
use block::BlockCache;
use bus::Bus;
use cycles::cortex_m4;
use op::Op;

/// A Cortex-M4F with its memory.
pub struct Machine {
    core: Core,
    cache: BlockCache,
    vector_table: u32,
    debugger: bool,
}

impl Machine {
    /// A machine with this memory, all zero; regions must not overlap. The vector table is at the base of the first region.
    pub fn new(regions: &[RegionSpec]) -> Self {
        let bus = Bus::new(regions);
        let cache = BlockCache::new(&bus);
        let vector_table = regions.first().map_or(0, |region| region.base);
        Self { core: Core::new(bus), cache, vector_table, debugger: false }
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

    /// Resets the core and its counters; memory stays. Stack pointer and program counter come from the vector table.
    pub fn reset(&mut self) {
        let bus = std::mem::replace(&mut self.core.bus, Bus::new(&[]));
        self.core = Core::new(bus);
        self.core.system.vtor = self.vector_table;
        self.core.system.debugger = self.debugger;
        let word = |core: &Core, address| core.bus.read(address).map_or(0, u32::from_le_bytes);
        self.core.r[14] = u32::MAX;
        let stack = word(&self.core, self.vector_table);
        self.core.set_sp(stack);
        let entry = word(&self.core, self.vector_table.wrapping_add(4));
        self.core.r[15] = entry & !1;
        if entry & 1 == 0 {
            self.core.exceptions.active[exception::HARD_FAULT] = true; // no handler can run yet: lock up
            self.core.take_fault(FaultKind::InvalidState, entry, entry);
        }
    }

    /// Executes until something stops the core, at most `max_instructions`.
    pub fn run(&mut self, max_instructions: u64) -> Stop {
        let core = &mut self.core;
        let end = core.instructions.saturating_add(max_instructions);
        loop {
            if core.bus.code_changed || self.cache.is_large() {
                self.cache.clear();
                core.bus.unmark_code();
            }
            if core.cycles >= core.attention_at
                && let Some(stop) = core.attend()
            {
                return stop;
            }
            if core.instructions >= end {
                return Stop::Budget;
            }
            let pc = core.r[15];
            let Some(block) = self.cache.find(&mut core.bus, pc, core.it) else {
                core.take_fault(FaultKind::InstructionFetch, pc, pc);
                continue;
            };
            let all = self.cache.instructions(block);
            let count = all.len().min((end - core.instructions).try_into().unwrap_or(usize::MAX));
            let cycles_to = |index: usize| all.get(index).map_or(block.cycles, |at| at.cycles_before);
            if let Some(before) = core.after_load.take()
                && all[0].op.is_single_load()
                && (before == 0 || before >> 4 == all[0].it >> 4)
                && (all[0].it == 0 || core.condition(all[0].it >> 4))
            {
                core.cycles -= u64::from(cortex_m4::pipelined_load_saving());
            }
            core.it = 0;
            let mut index = 0;
            let flow = loop {
                let Some(at) = all[..count].get(index) else { break Flow::Next };
                if at.it != 0 && !core.condition(at.it >> 4) {
                    let charged = u64::from(cycles_to(index + 1) - at.cycles_before);
                    core.cycles = core.cycles.wrapping_add(u64::from(cortex_m4::skipped())).wrapping_sub(charged);
                    index += 1;
                    continue;
                }
                match core.execute(at, pc) {
                    Flow::Next => index += 1,
                    flow => break flow,
                }
            };
            let executed = match flow {
                Flow::Next | Flow::Fault | Flow::Stop => index,
                Flow::Branch | Flow::Leave => index + 1,
            };
            core.instructions += executed as u64;
            core.cycles = core.cycles.wrapping_add(u64::from(cycles_to(executed)));
            if flow == Flow::Branch {
                continue;
            }
            let (offset, it) = match all.get(executed) {
                Some(next) => (u32::from(next.halfwords_before) * 2, next.it),
                None => (u32::from(block.bytes), block.it_after),
            };
            core.r[15] = pc.wrapping_add(offset);
            core.it = it;
            core.after_load = all[..executed].last().filter(|at| at.op.is_single_load()).map(|at| at.it);
            match flow {
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

    /// Steps over the `BKPT` that [`run`](Self::run) stopped at, as one instruction.
    pub fn resume_after_breakpoint(&mut self) {
        self.core.r[15] = self.core.r[15].wrapping_add(2);
        self.core.instructions += 1;
        self.core.cycles += u64::from(cortex_m4::static_cycles(Op::Breakpoint { imm: 0 }));
    }

    /// Instructions executed since the reset, exactly; those that an IT condition skipped count too.
    pub fn instructions(&self) -> u64 {
        self.core.instructions
    }

    /// Modelled cycles since the reset, by [`cortex_m4::TABLE`].
    pub fn cycles(&self) -> u64 {
        self.core.cycles
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

    /// The last fault that was raised, even if a handler took it.
    pub fn last_fault(&self) -> Option<Fault> {
        self.core.last_fault
    }
}
