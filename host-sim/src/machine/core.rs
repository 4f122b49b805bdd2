//! The state of the processor: registers, flags, and what instructions and exceptions share.

use super::bus::Bus;
use super::cores::{Architecture, CoreSpec};
use super::cycles::{Issue, Predictor, RunCosts};
use super::exception::Exceptions;
use super::fault::{Fault, FaultKind, Stop};
use super::observer::ExceptionEvent;
use super::op::Reg;
use super::system_registers::SystemRegisters;

/// How an instruction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Go on behind it.
    Next,
    /// The program counter was written.
    Branch,
    /// Go on behind it, but look for exceptions first.
    Leave,
    /// `Core::raised` tells why.
    Fault,
    /// `Core::stop` tells why; the program counter stays.
    Stop,
}

/// Processor and memory.
pub(super) struct Core {
    pub(super) spec: &'static CoreSpec,
    pub(super) costs: RunCosts,
    /// Where the core predicts its branches.
    pub(super) predictor: Option<Box<Predictor>>,
    /// Unaligned accesses fault: always in Armv6-M, by CCR.UNALIGN_TRP in the others.
    pub(super) alignment_trap: bool,
    /// r0 to r12, the current stack pointer, the link register, the program counter (current only between blocks).
    pub(super) r: [u32; 16],
    /// The stack pointer not in use: process in main mode, main in process mode.
    pub(super) other_sp: u32,
    /// N is the sign of `negative`, Z is `zero == 0`: storing a result twice is cheaper than computing both flags.
    pub(super) negative: u32,
    pub(super) zero: u32,
    pub(super) carry: bool,
    pub(super) overflow: bool,
    pub(super) saturated: bool,
    /// The four GE bits.
    pub(super) ge: u8,
    pub(super) it: u8,
    /// EPSR.T: clear only while the fault of a jump to an even address is being taken.
    pub(super) thumb: bool,
    pub(super) ipsr: u16,
    pub(super) primask: bool,
    pub(super) faultmask: bool,
    pub(super) basepri: u8,
    pub(super) control: u8,
    /// MSPLIM and PSPLIM of Armv8-M: zero in the other architectures.
    pub(super) stack_limits: [u32; 2],
    pub(super) s: [u32; 32],
    pub(super) fpscr: u32,
    /// CPACR grants the FPU and CONTROL.FPCA is set: floating-point instructions need no further check.
    pub(super) fpu_ready: bool,
    pub(super) exclusive: Option<u32>,
    pub(super) bus: Bus,
    pub(super) system: SystemRegisters,
    pub(super) exceptions: Exceptions,
    /// Cycles up to the current block, and those charged at run time in it.
    pub(super) cycles: u64,
    /// At this cycle count, look for timer events and exceptions; 0 asks for it at once.
    pub(super) attention_at: u64,
    pub(super) instructions: u64,
    pub(super) lowest_sp: u32,
    pub(super) raised: Option<(FaultKind, u32)>,
    pub(super) stop: Option<Stop>,
    pub(super) last_fault: Option<Fault>,
    /// The first fault since the reset, with the core registers as it found them.
    pub(super) first_fault: Option<(Fault, [u32; 16])>,
    pub(super) event_register: bool,
    /// In WFI or WFE.
    pub(super) waiting: bool,
    /// The FPU's registers of an exception frame are reserved but not stored yet (FPCCR.LSPACT). The machine stores them at once, since
    /// nobody can see the difference, and charges them when the architecture would.
    pub(super) lazy_frame: bool,
    /// Exceptions entered and returned from, for an observer.
    pub(super) exception_events: Option<Vec<ExceptionEvent>>,
}

impl Core {
    pub(super) fn new(spec: &'static CoreSpec, bus: Bus) -> Self {
        Self {
            spec,
            costs: RunCosts::new(spec.table),
            predictor: match spec.table.issue {
                Issue::Dual(forwarding) if forwarding.predicts_branches() => Some(Box::default()),
                _ => None,
            },
            alignment_trap: spec.architecture == Architecture::V6M,
            r: [0; 16],
            other_sp: 0,
            negative: 0,
            zero: 1,
            carry: false,
            overflow: false,
            saturated: false,
            ge: 0,
            it: 0,
            thumb: true,
            ipsr: 0,
            primask: false,
            faultmask: false,
            basepri: 0,
            control: 0,
            stack_limits: [0; 2],
            s: [0; 32],
            fpscr: 0,
            fpu_ready: false,
            exclusive: None,
            bus,
            system: SystemRegisters::new(spec),
            exceptions: Exceptions::new(spec),
            cycles: 0,
            attention_at: 0,
            instructions: 0,
            lowest_sp: u32::MAX,
            raised: None,
            stop: None,
            last_fault: None,
            first_fault: None,
            event_register: false,
            waiting: false,
            lazy_frame: false,
            exception_events: None,
        }
    }

    /// All cycles, up to an instruction with `before` cycles before it in its block.
    #[inline(always)]
    pub(super) fn now(&self, before: u16) -> u64 {
        let stalls = &self.bus.memory.stalls;
        self.cycles.wrapping_add(before.into()) + stalls.fetch + stalls.data
    }

    #[inline(always)]
    pub(super) fn get(&self, reg: Reg) -> u32 {
        self.r[usize::from(reg & 15)]
    }

    /// Writes a register that is known not to be the stack pointer, or whose low bits the caller has cleared.
    #[inline(always)]
    pub(super) fn set(&mut self, reg: Reg, value: u32) {
        self.r[usize::from(reg & 15)] = value;
    }

    /// Writes any register but the program counter.
    #[inline(always)]
    pub(super) fn set_any(&mut self, reg: Reg, value: u32) {
        if reg == 13 { self.set_sp(value) } else { self.set(reg, value) }
    }

    #[inline(always)]
    pub(super) fn set_sp(&mut self, value: u32) {
        self.r[13] = value & !3;
        self.note_sp();
    }

    /// Keeps the low-water mark of the main stack.
    #[inline(always)]
    pub(super) fn note_sp(&mut self) {
        if self.r[13] < self.lowest_sp && !self.on_process_stack() {
            self.lowest_sp = self.r[13];
        }
    }

    /// Whether a new value of the current stack pointer lies below its limit.
    #[inline(always)]
    pub(super) fn is_below_limit(&self, sp: u32) -> bool {
        self.stack_limits != [0; 2] && sp < self.stack_limits[usize::from(self.on_process_stack())]
    }

    pub(super) fn on_process_stack(&self) -> bool {
        self.control & 2 != 0 && self.ipsr == 0
    }

    #[inline(always)]
    pub(super) fn set_nz(&mut self, result: u32) {
        self.negative = result;
        self.zero = result;
    }

    /// Whether the condition with this number holds.
    #[inline(always)]
    pub(super) fn condition(&self, condition: u8) -> bool {
        let (n, z) = (self.negative >> 31 != 0, self.zero == 0);
        let holds = match condition >> 1 {
            0 => z,
            1 => self.carry,
            2 => n,
            3 => self.overflow,
            4 => self.carry && !z,
            5 => n == self.overflow,
            6 => !z && n == self.overflow,
            _ => return true,
        };
        holds != (condition & 1 != 0)
    }

    /// NZCVQ and GE in their places in APSR.
    pub(super) fn apsr(&self) -> u32 {
        self.negative & 1 << 31
            | u32::from(self.zero == 0) << 30
            | u32::from(self.carry) << 29
            | u32::from(self.overflow) << 28
            | u32::from(self.saturated) << 27
            | u32::from(self.ge) << 16
    }

    pub(super) fn set_nzcv(&mut self, value: u32) {
        self.negative = value;
        self.zero = !value & 1 << 30;
        self.carry = value & 1 << 29 != 0;
        self.overflow = value & 1 << 28 != 0;
    }

    pub(super) fn set_apsr(&mut self, value: u32) {
        self.set_nzcv(value);
        self.saturated = value & 1 << 27 != 0;
        self.ge = (value >> 16 & 15) as u8;
    }

    /// All of xPSR, as an exception stacks it.
    pub(super) fn xpsr(&self) -> u32 {
        let it = u32::from(self.it);
        self.apsr() | (it & 3) << 25 | u32::from(self.thumb) << 24 | (it >> 2) << 10 | u32::from(self.ipsr)
    }

    #[cold]
    pub(super) fn raise(&mut self, kind: FaultKind, address: u32) -> Flow {
        self.raised = Some((kind, address));
        Flow::Fault
    }

    /// An interworking branch: bit 0 must be set, and in handler mode an EXC_RETURN returns from the exception.
    #[inline(always)]
    pub(super) fn branch_exchange(&mut self, target: u32) -> Flow {
        // First, because bit 0 of an EXC_RETURN is clear in Armv8-M without the Security extension.
        if target >= 0xF000_0000 && self.ipsr != 0 {
            return self.exception_return(target);
        }
        if target & 1 == 0 {
            return self.raise(FaultKind::InvalidState, target);
        }
        self.r[15] = target & !1;
        Flow::Branch
    }
}
