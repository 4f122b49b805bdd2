//! Special registers, waiting, supervisor calls.

use crate::machine::core::{Core, Flow};
use crate::machine::exception::{HARD_FAULT, SVCALL};
use crate::machine::fault::FaultKind;

impl Core {
    /// Whether CPACR grants the FPU; starts a floating-point context if so.
    #[cold]
    pub(super) fn prepare_fpu(&mut self) -> bool {
        if !self.has_fpu() {
            return false;
        }
        if std::mem::take(&mut self.lazy_frame) {
            self.cycles += u64::from(self.costs.float_frame);
        }
        if self.control & 4 == 0 && self.system.keeps_fpu_state() {
            self.control |= 4;
            self.fpscr = self.fpscr & !(0x1F << 22) | self.system.fpdscr & 0x1F << 22;
        }
        self.fpu_ready = true;
        true
    }

    /// Whether there is an FPU, and CPACR grants it.
    pub(super) fn has_fpu(&self) -> bool {
        self.spec.float.is_some() && self.system.fpu_enabled()
    }

    pub(super) fn wait(&mut self) -> Flow {
        self.waiting = true;
        self.attention_at = 0;
        Flow::Leave
    }

    pub(super) fn supervisor_call(&mut self) -> Flow {
        if self.exceptions.priority(SVCALL) >= self.execution_priority() {
            return self.raise(FaultKind::SupervisorCall, 0);
        }
        self.exceptions.pending[SVCALL] = true;
        self.attention_at = 0;
        Flow::Leave
    }

    fn is_privileged(&self) -> bool {
        self.ipsr != 0 || self.control & 1 == 0
    }

    pub(super) fn change_state(&mut self, disable: bool, primask: bool, faultmask: bool) -> Flow {
        if self.is_privileged() {
            if primask {
                self.primask = disable;
            }
            if faultmask && (!disable || self.execution_priority() > self.exceptions.priority(HARD_FAULT)) {
                self.faultmask = disable;
            }
            self.attention_at = 0;
        }
        Flow::Leave
    }

    pub(super) fn read_special(&self, number: u8) -> u32 {
        match number {
            0..=7 => {
                let apsr = if number & 4 == 0 { self.apsr() } else { 0 };
                let ipsr = if number & 1 != 0 { u32::from(self.ipsr) } else { 0 };
                apsr | ipsr // EPSR reads as zero
            }
            _ if !self.is_privileged() && number != 20 => 0,
            8 if self.on_process_stack() => self.other_sp,
            9 if self.on_process_stack() => self.r[13],
            8 => self.r[13],
            9 => self.other_sp,
            10 => self.stack_limits[0],
            11 => self.stack_limits[1],
            16 => self.primask.into(),
            17 | 18 => self.basepri.into(),
            19 => self.faultmask.into(),
            20 => self.control.into(),
            _ => 0,
        }
    }

    pub(super) fn write_special(&mut self, value: u32, number: u8, mask: u8) -> Flow {
        let features = self.spec.features();
        match number {
            0..=3 => {
                if mask & 2 != 0 {
                    self.set_nzcv(value);
                    self.saturated = features.v7 && value & 1 << 27 != 0;
                }
                if mask & 1 != 0 && features.dsp {
                    self.ge = (value >> 16 & 15) as u8;
                }
            }
            _ if !self.is_privileged() => {}
            8 | 9 if (number == 9) == self.on_process_stack() => self.set_sp(value),
            8 | 9 => {
                self.other_sp = value & !3;
                if number == 8 {
                    self.lowest_sp = self.lowest_sp.min(self.other_sp);
                }
            }
            10 | 11 if features.v8 => self.stack_limits[usize::from(number - 10)] = value & !7,
            16 => self.primask = value & 1 != 0,
            17..=19 if !features.v7 => {}
            17 => self.basepri = self.exceptions.implemented(value as u8),
            18 => {
                let basepri = self.exceptions.implemented(value as u8);
                if basepri != 0 && (self.basepri == 0 || basepri < self.basepri) {
                    self.basepri = basepri;
                }
            }
            19 if value & 1 == 0 || self.execution_priority() > self.exceptions.priority(HARD_FAULT) => {
                self.faultmask = value & 1 != 0;
            }
            20 => self.set_control(value as u8),
            _ => {}
        }
        self.attention_at = 0;
        Flow::Leave
    }

    /// The response of TT. Without the security extension and with no memory protection unit to ask, memory is readable and writable
    /// for who may ask: R and RW are set, and zero for unprivileged code.
    pub(super) fn test_target(&self, _unprivileged: bool, _address: u32) -> u32 {
        if self.is_privileged() { 3 << 18 } else { 0 }
    }

    pub(in crate::machine) fn set_control(&mut self, value: u8) {
        let was_process = self.on_process_stack();
        let selectable = if self.ipsr == 0 { 7 } else { 5 };
        self.control = self.control & !selectable | value & selectable;
        if was_process != self.on_process_stack() {
            core::mem::swap(&mut self.r[13], &mut self.other_sp);
        }
        self.fpu_ready = false;
    }
}
