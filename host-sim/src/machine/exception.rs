//! Exceptions: priorities, what becomes of pending ones, and the escalation of faults.

use super::core::Core;
use super::cores::{Architecture, CoreSpec};
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
/// Priority of thread mode: below every exception.
const IDLE: i32 = 256;

/// State of all exceptions, by number.
pub(super) struct Exceptions {
    pub(super) pending: [bool; COUNT],
    pub(super) active: [bool; COUNT],
    pub(super) enabled: [bool; COUNT],
    priorities: [u8; COUNT],
    /// AIRCR.PRIGROUP.
    pub(super) group: u8,
    /// Bits of a priority that are implemented.
    implemented: u8,
    /// Exceptions that this core has, those of the system included.
    pub(super) count: usize,
}

impl Exceptions {
    pub(super) fn new(spec: &CoreSpec) -> Self {
        let mut enabled = [false; COUNT];
        enabled[..16].fill(true);
        Self {
            pending: [false; COUNT],
            active: [false; COUNT],
            enabled,
            priorities: [0; COUNT],
            group: 0,
            implemented: !(0xFF >> spec.priority_bits),
            count: 16 + spec.interrupts,
        }
    }

    pub(super) fn implemented(&self, priority: u8) -> u8 {
        priority & self.implemented
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
                self.cycles += event.saturating_sub(self.now(0));
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

    pub(super) fn update_timer(&mut self) {
        if self.system.advance_timer(self.now(0)) {
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
        // Armv6-M knows HardFault alone, and no status.
        let status = if self.spec.architecture == Architecture::V6M { 0 } else { kind.status_bit() };
        self.system.cfsr |= status;
        if kind.has_data_address() && status != 0 {
            self.system.cfsr |= 1 << 15; // BFARVALID
            self.system.bfar = address;
        }
        self.r[15] = pc;
        if kind == FaultKind::InvalidState {
            // The jump itself succeeds; what it leads to cannot be executed.
            (self.r[15], self.it, self.thumb) = (address & !1, 0, false);
        }
        let (own, enable) = if status >= 1 << 16 { (USAGE_FAULT, 1 << 18) } else { (BUS_FAULT, 1 << 17) };
        let current = self.execution_priority();
        if status != 0 && self.system.shcsr & enable != 0 && self.exceptions.priority(own) < current {
            self.enter(own);
        } else if current > self.exceptions.priority(HARD_FAULT) {
            self.system.hfsr |= u32::from(status != 0) << 30; // FORCED
            self.enter(HARD_FAULT);
        } else {
            self.lock_up(fault);
        }
    }

    pub(super) fn lock_up(&mut self, fault: Fault) {
        self.r[15] = fault.pc;
        self.stop = Some(Stop::Lockup(fault));
        self.attention_at = 0;
    }
}
