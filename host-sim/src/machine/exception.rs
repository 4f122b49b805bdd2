//! Exceptions: priorities, entry, return, and the escalation of faults.
//!
//! Floating-point state is stacked eagerly: FPCCR.LSPEN reads as written but does not defer anything.

use super::core::{Core, Flow};
use super::cycles::cortex_m4;
use super::fault::{Fault, FaultKind, Stop};

pub(super) const NMI: usize = 2;
pub(super) const HARD_FAULT: usize = 3;
pub(super) const BUS_FAULT: usize = 5;
pub(super) const USAGE_FAULT: usize = 6;
pub(super) const SVCALL: usize = 11;
pub(super) const PENDSV: usize = 14;
pub(super) const SYSTICK: usize = 15;
/// Exceptions in all: 16 of the system and 240 interrupts.
pub(super) const COUNT: usize = 256;
/// Priority bits that are implemented, as in most Cortex-M4 parts.
const PRIORITY_BITS: u8 = 0xF0;
/// Priority of thread mode: below every exception.
const IDLE: i32 = 256;
const BASIC_WORDS: u32 = 8;
const FLOAT_WORDS: u32 = 18;

/// State of all exceptions, by number.
pub(super) struct Exceptions {
    pub(super) pending: [bool; COUNT],
    pub(super) active: [bool; COUNT],
    pub(super) enabled: [bool; COUNT],
    priorities: [u8; COUNT],
    /// AIRCR.PRIGROUP.
    pub(super) group: u8,
}

impl Default for Exceptions {
    fn default() -> Self {
        let mut enabled = [false; COUNT];
        enabled[..16].fill(true);
        Self { pending: [false; COUNT], active: [false; COUNT], enabled, priorities: [0; COUNT], group: 0 }
    }
}

impl Exceptions {
    pub(super) fn implemented(&self, priority: u8) -> u8 {
        priority & PRIORITY_BITS
    }

    pub(super) fn set_priority(&mut self, number: usize, priority: u8) {
        self.priorities[number] = self.implemented(priority);
    }

    pub(super) fn configured_priority(&self, number: usize) -> u8 {
        self.priorities[number]
    }

    fn group_of(&self, priority: u8) -> i32 {
        i32::from(priority) & !((2 << self.group) - 1)
    }

    /// The group priority: lower is more urgent.
    pub(super) fn priority(&self, number: usize) -> i32 {
        match number {
            NMI => -2,
            HARD_FAULT => -1,
            _ => self.group_of(self.priorities[number]),
        }
    }

    /// The most urgent pending exception.
    pub(super) fn most_urgent(&self) -> Option<usize> {
        (NMI..COUNT).filter(|n| self.pending[*n] && self.enabled[*n]).min_by_key(|n| (self.priority(*n), self.priorities[*n]))
    }
}

impl Core {
    fn active_priority(&self) -> i32 {
        (0..COUNT).filter(|n| self.exceptions.active[*n]).map(|n| self.exceptions.priority(n)).min().unwrap_or(IDLE)
    }

    /// Only exceptions more urgent than this are taken.
    pub(super) fn execution_priority(&self) -> i32 {
        let mut priority = self.active_priority();
        if self.basepri != 0 {
            priority = priority.min(self.exceptions.group_of(self.basepri));
        }
        if self.primask {
            priority = priority.min(0);
        }
        if self.faultmask {
            priority = priority.min(-1);
        }
        priority
    }

    /// Between blocks, when attention is due: stops, timer events, pending exceptions, waiting.
    pub(super) fn attend(&mut self) -> Option<Stop> {
        if let Some(stop) = self.stop.take() {
            return Some(stop);
        }
        self.update_timer();
        if self.waiting {
            let wakes = |core: &Self| {
                let most_urgent = core.exceptions.most_urgent().map(|n| core.exceptions.priority(n));
                most_urgent.is_some_and(|priority| priority < core.active_priority())
            };
            if !wakes(self)
                && let Some(event) = self.system.next_timer_interrupt()
            {
                self.cycles = self.cycles.max(event);
                self.update_timer();
            }
            self.waiting = false;
            if !wakes(self) {
                return Some(Stop::Sleep);
            }
        }
        if let Some(number) = self.exceptions.most_urgent()
            && self.exceptions.priority(number) < self.execution_priority()
        {
            self.enter(number);
        }
        if self.stop.is_none() {
            self.attention_at = self.system.next_timer_event().unwrap_or(u64::MAX);
        }
        self.stop.take()
    }

    fn update_timer(&mut self) {
        if self.system.advance_timer(self.cycles) {
            self.exceptions.pending[SYSTICK] = true;
        }
    }

    /// Records a fault at `pc`, then takes it: as itself if enabled and urgent enough, else as HardFault, else the core locks up.
    pub(super) fn take_fault(&mut self, kind: FaultKind, address: u32, pc: u32) {
        let fault = Fault { kind, pc, address };
        self.last_fault = Some(fault);
        self.first_fault.get_or_insert_with(|| {
            let mut registers = self.r;
            registers[15] = pc;
            (fault, registers)
        });
        let status = kind.status_bit();
        self.system.cfsr |= status;
        if kind.has_data_address() {
            self.system.cfsr |= 1 << 15; // BFARVALID
            self.system.bfar = address;
        }
        self.r[15] = if kind == FaultKind::InvalidState { address & !1 } else { pc };
        let (own, enable) = if status >= 1 << 16 { (USAGE_FAULT, 1 << 18) } else { (BUS_FAULT, 1 << 17) };
        let current = self.execution_priority();
        if status != 0 && self.system.shcsr & enable != 0 && self.exceptions.priority(own) < current {
            self.enter(own);
        } else if current > self.exceptions.priority(HARD_FAULT) {
            self.system.hfsr |= 1 << 30; // FORCED
            self.enter(HARD_FAULT);
        } else {
            self.lock_up(fault);
        }
    }

    fn lock_up(&mut self, fault: Fault) {
        self.r[15] = fault.pc;
        self.stop = Some(Stop::Lockup(fault));
        self.attention_at = 0;
    }

    /// Stacks a frame and goes to the handler of `number`.
    fn enter(&mut self, number: usize) {
        let float = self.control & 4 != 0;
        let words = BASIC_WORDS + if float { FLOAT_WORDS } else { 0 };
        let sp = self.r[13];
        let frame = sp.wrapping_sub(words * 4) & !7;
        let return_address = self.r[15];
        let xpsr = self.xpsr() | (sp >> 2 & 1) << 9;
        let basic = [self.r[0], self.r[1], self.r[2], self.r[3], self.r[12], self.r[14], return_address, xpsr];
        let mut whole = true;
        for (index, value) in (0u32..).zip(basic) {
            whole &= self.bus.write(frame.wrapping_add(index * 4), value.to_le_bytes()).is_ok();
        }
        if float {
            let state = self.s;
            for (index, value) in (BASIC_WORDS..).zip(state[..16].iter().chain([&self.fpscr])) {
                whole &= self.bus.write(frame.wrapping_add(index * 4), value.to_le_bytes()).is_ok();
            }
        }
        let mode = match (self.ipsr != 0, self.on_process_stack()) {
            (true, _) => 0x1,
            (false, false) => 0x9,
            (false, true) => 0xD,
        };
        self.r[13] = frame;
        self.note_sp();
        if self.on_process_stack() {
            core::mem::swap(&mut self.r[13], &mut self.other_sp);
        }
        self.r[14] = 0xFFFF_FFE0 | u32::from(!float) << 4 | mode;
        self.control &= 1;
        self.fpu_ready = false;
        self.cycles += u64::from(cortex_m4::exception_entry(if float { FLOAT_WORDS } else { 0 }));
        let number = if whole || number == HARD_FAULT || number == NMI {
            number
        } else {
            self.exceptions.pending[number] &= number >= SVCALL; // a fault is replaced, an interrupt stays pending
            self.system.cfsr |= FaultKind::Stacking.status_bit();
            self.system.hfsr |= 1 << 30;
            self.last_fault = Some(Fault { kind: FaultKind::Stacking, pc: return_address, address: frame });
            HARD_FAULT
        };
        self.exceptions.pending[number] = false;
        self.exceptions.active[number] = true;
        self.ipsr = number as u16;
        self.it = 0;
        self.exclusive = None;
        self.after_load = None;
        self.attention_at = 0;
        if !whole && number == HARD_FAULT && self.last_fault.is_none() {
            self.last_fault = Some(Fault { kind: FaultKind::Stacking, pc: return_address, address: frame });
        }
        let vector = self.bus.read(self.system.vtor.wrapping_add(number as u32 * 4)).map(u32::from_le_bytes);
        match vector {
            Some(vector) if vector & 1 != 0 => self.r[15] = vector & !1,
            _ => {
                // Without a handler nothing can report this but the host: keep the fault that led here, if there is one.
                let kind = if vector.is_some() { FaultKind::InvalidState } else { FaultKind::UnmappedRead };
                let missing = Fault { kind, pc: return_address, address: vector.unwrap_or(self.system.vtor) };
                let fault = *self.last_fault.get_or_insert(missing);
                self.lock_up(fault);
            }
        }
    }

    /// Returns from the current exception as `value` says.
    pub(super) fn exception_return(&mut self, value: u32) -> Flow {
        let number = usize::from(self.ipsr);
        let (float, process) = (value & 0x10 == 0, value & 0xF == 0xD);
        let to_handler = value & 0xF == 0x1;
        let active = self.exceptions.active.iter().filter(|active| **active).count();
        let legal = value | 0x1F == 0xFFFF_FFFF
            && matches!(value & 0xF, 0x1 | 0x9 | 0xD)
            && self.exceptions.active[number]
            && (active > 1) == to_handler;
        if !legal {
            return self.raise(FaultKind::InvalidReturn, value);
        }
        let frame = if process { self.other_sp } else { self.r[13] };
        let mut words = [0; (BASIC_WORDS + FLOAT_WORDS) as usize];
        let count = BASIC_WORDS + if float { FLOAT_WORDS } else { 0 };
        for (index, word) in (0..count).zip(&mut words) {
            match self.bus.read(frame.wrapping_add(index * 4)) {
                Some(bytes) => *word = u32::from_le_bytes(bytes),
                None => return self.raise(FaultKind::Unstacking, frame),
            }
        }
        self.exceptions.active[number] = false;
        if number != NMI {
            self.faultmask = false;
        }
        self.r[..4].copy_from_slice(&words[..4]);
        self.r[12] = words[4];
        self.r[14] = words[5];
        self.r[15] = words[6] & !1;
        let xpsr = words[7];
        self.set_apsr(xpsr);
        self.it = (xpsr >> 25 & 3 | xpsr >> 8 & 0xFC) as u8;
        self.ipsr = if to_handler { (xpsr & 0xFF) as u16 } else { 0 };
        let sp = frame.wrapping_add(count * 4) | (xpsr >> 9 & 1) << 2;
        if process {
            self.other_sp = self.r[13];
        }
        self.r[13] = sp;
        self.control = self.control & 1 | u8::from(process) << 1 | u8::from(float) << 2;
        self.fpu_ready = false;
        if float {
            self.s[..16].copy_from_slice(&words[8..24]);
            self.fpscr = words[24];
        }
        self.cycles += u64::from(cortex_m4::exception_return(if float { FLOAT_WORDS } else { 0 }));
        self.exclusive = None;
        self.event_register = true;
        self.attention_at = 0;
        Flow::Branch
    }
}
