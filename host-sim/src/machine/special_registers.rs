//! Special and system registers for a debugger, which may touch them at any privilege.

use super::Machine;

/// Stack pointers, masks and CONTROL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialRegisters {
    /// The main stack pointer.
    pub msp: u32,
    /// The process stack pointer.
    pub psp: u32,
    /// PRIMASK.
    pub primask: bool,
    /// BASEPRI.
    pub basepri: u8,
    /// FAULTMASK.
    pub faultmask: bool,
    /// CONTROL.
    pub control: u8,
}

impl Machine {
    /// Stack pointers, masks and CONTROL.
    pub fn special_registers(&self) -> SpecialRegisters {
        let core = &self.core;
        let (msp, psp) = if core.on_process_stack() { (core.other_sp, core.r[13]) } else { (core.r[13], core.other_sp) };
        SpecialRegisters {
            msp,
            psp,
            primask: core.primask,
            basepri: core.basepri,
            faultmask: core.faultmask,
            control: core.control,
        }
    }

    /// Writes them all, CONTROL first: it decides which stack pointer is the current one.
    pub fn set_special_registers(&mut self, registers: SpecialRegisters) {
        let SpecialRegisters { msp, psp, primask, basepri, faultmask, control } = registers;
        let core = &mut self.core;
        core.set_control(control);
        let (current, other) = if core.on_process_stack() { (psp, msp) } else { (msp, psp) };
        core.set_sp(current);
        core.other_sp = other & !3;
        (core.primask, core.basepri, core.faultmask) = (primask, basepri, faultmask);
        core.attention_at = 0;
    }

    /// The word of system registers at a multiple of 4, with the effects that a load of the guest's would have; none outside the
    /// private peripheral bus.
    pub fn read_system_register(&mut self, address: u32) -> Option<u32> {
        let now = self.core.now(0);
        self.core.read_system_register(address, now)
    }

    /// Writes such a word as a store of the guest's would; none outside the private peripheral bus.
    pub fn write_system_register(&mut self, address: u32, value: u32) -> Option<()> {
        let now = self.core.now(0);
        self.core.write_system_register(address, 4, value, now)
    }
}
