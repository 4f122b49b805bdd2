//! The registers of the private peripheral bus: SCB, SysTick, NVIC, DWT, debug, ITM, FPU control.

use super::core::Core;
use super::cores::{Architecture, CoreSpec, FloatVersion};
use super::exception::{NMI, PENDSV, SYSTICK};
use super::fault::Stop;
use super::timer::Timer;

const MVFR0: u32 = 0x1011_0021;
const MVFR1: u32 = 0x1100_0011;
/// VSEL, VRINT, VMAXNM and the roundings of VCVT.
const MVFR2_V5: u32 = 0x40;
const UNALIGN_TRP: u32 = 1 << 3;
const CYCCNTENA: u32 = 1;
const TRCENA: u32 = 1 << 24;
const DWT_CTRL_RESET: u32 = 0x4000_0000;

/// Plain state of the system registers.
pub(super) struct SystemRegisters {
    spec: &'static CoreSpec,
    pub(super) vtor: u32,
    scr: u32,
    ccr: u32,
    pub(super) shcsr: u32,
    pub(super) cfsr: u32,
    pub(super) hfsr: u32,
    mmfar: u32,
    pub(super) bfar: u32,
    cpacr: u32,
    fpccr: u32,
    fpcar: u32,
    pub(super) fpdscr: u32,
    demcr: u32,
    dwt_ctrl: u32,
    /// CYCCNT when it was last written, started or stopped, and the cycle of that.
    counted: u32,
    counted_at: u64,
    pub(super) debugger: bool,
    timer: Timer,
}

impl SystemRegisters {
    pub(super) fn new(spec: &'static CoreSpec) -> Self {
        Self {
            spec,
            vtor: 0,
            scr: 0,
            // STKALIGN; in Armv6-M also UNALIGN_TRP, which cannot be cleared there.
            ccr: if spec.architecture == Architecture::V6M { 0x200 | UNALIGN_TRP } else { 0x200 },
            shcsr: 0,
            cfsr: 0,
            hfsr: 0,
            mmfar: 0,
            bfar: 0,
            cpacr: 0,
            fpccr: 0xC000_0000,
            fpcar: 0,
            fpdscr: 0,
            demcr: 0,
            dwt_ctrl: DWT_CTRL_RESET,
            counted: 0,
            counted_at: 0,
            debugger: false,
            timer: Timer::default(),
        }
    }
}

/// Whether an address is on the private peripheral bus.
fn is_private(address: u32) -> bool {
    address >> 20 == 0xE00
}

impl SystemRegisters {
    pub(super) fn fpu_enabled(&self) -> bool {
        self.cpacr >> 20 & 0xF == 0xF
    }

    /// FPCCR.ASPEN: floating-point instructions set CONTROL.FPCA.
    pub(super) fn keeps_fpu_state(&self) -> bool {
        self.fpccr >> 31 != 0
    }

    /// FPCCR.LSPEN: exception entry reserves the FPU's part of a frame and stores it when the FPU is used.
    pub(super) fn defers_fpu_state(&self) -> bool {
        self.fpccr >> 30 & 1 != 0
    }

    pub(super) fn sleeps_on_exit(&self) -> bool {
        self.scr & 2 != 0
    }

    /// Whether the core has this register; others read as zero and ignore writes.
    fn has(&self, address: u32) -> bool {
        match address {
            // Armv6-M has no DWT counter that software sees, no fault status, no software trigger.
            0xE000_0000..=0xE000_1FFF | 0xE000_ED24..=0xE000_ED3C | 0xE000_EDF0..=0xE000_EDFC | 0xE000_EF00 => {
                self.spec.architecture != Architecture::V6M
            }
            0xE000_ED88 | 0xE000_EF34..=0xE000_EF48 => self.spec.float.is_some(),
            _ => true,
        }
    }

    pub(super) fn divide_by_zero_traps(&self) -> bool {
        self.ccr & 1 << 4 != 0
    }

    /// Brings SysTick up to `now`; whether its interrupt became pending.
    pub(super) fn advance_timer(&mut self, now: u64) -> bool {
        self.timer.advance(now)
    }

    pub(super) fn next_timer_event(&self) -> Option<u64> {
        self.timer.next_event()
    }

    pub(super) fn next_timer_interrupt(&self) -> Option<u64> {
        self.timer.next_event().filter(|_| self.timer.interrupts())
    }

    fn cycle_count(&self, now: u64) -> u32 {
        let counting = self.demcr & TRCENA != 0 && self.dwt_ctrl & CYCCNTENA != 0;
        self.counted.wrapping_add(if counting { now.wrapping_sub(self.counted_at) as u32 } else { 0 })
    }

    /// Restarts the cycle counter's bookkeeping at `now`, before its enables change.
    fn settle_cycle_count(&mut self, now: u64) {
        self.counted = self.cycle_count(now);
        self.counted_at = now;
    }
}

impl Core {
    /// The aligned word at `address`; `None` outside the private peripheral bus. Unknown registers read as zero.
    pub(super) fn read_system_register(&mut self, address: u32, now: u64) -> Option<u32> {
        let system = &mut self.system;
        if !system.has(address) {
            return Some(0);
        }
        Some(match address {
            0xE000_0000..=0xE000_007C => 1, // ITM stimulus ports are always ready
            0xE000_1000 => system.dwt_ctrl,
            0xE000_1004 => system.cycle_count(now),
            0xE000_E004 => (self.exceptions.count as u32 - 16).div_ceil(32) - 1,
            0xE000_E010..=0xE000_E01C => {
                if system.timer.advance(now) {
                    self.exceptions.pending[SYSTICK] = true;
                    self.attention_at = 0;
                }
                self.system.timer.read(address & 0xC, now)
            }
            0xE000_E100..=0xE000_E1FF => self.interrupt_bits(address, |core, n| core.exceptions.enabled[n]),
            0xE000_E200..=0xE000_E2FF => self.interrupt_bits(address, |core, n| core.exceptions.pending[n]),
            0xE000_E300..=0xE000_E37F => self.interrupt_bits(address, |core, n| core.exceptions.active[n]),
            0xE000_E400..=0xE000_E4EF => self.priorities(16 + (address & 0xFF) as usize),
            0xE000_ED00 => system.spec.cpuid,
            0xE000_ED04 => self.interrupt_control_state(),
            0xE000_ED08 => system.vtor,
            0xE000_ED0C => 0xFA05_0000 | u32::from(self.exceptions.group) << 8,
            0xE000_ED10 => system.scr,
            0xE000_ED14 => system.ccr,
            0xE000_ED18..=0xE000_ED20 => self.priorities(4 + (address - 0xE000_ED18) as usize),
            0xE000_ED24 => system.shcsr,
            0xE000_ED28 => system.cfsr,
            0xE000_ED2C => system.hfsr,
            0xE000_ED34 => system.mmfar,
            0xE000_ED38 => system.bfar,
            0xE000_ED88 => system.cpacr,
            0xE000_EDF0 => u32::from(system.debugger), // DHCSR.C_DEBUGEN
            0xE000_EDFC => system.demcr,
            0xE000_EF34 => system.fpccr | u32::from(self.lazy_frame),
            0xE000_EF38 => system.fpcar,
            0xE000_EF3C => system.fpdscr,
            0xE000_EF40 => MVFR0,
            0xE000_EF44 => MVFR1,
            0xE000_EF48 if system.spec.float >= Some(FloatVersion::V5) => MVFR2_V5,
            _ if is_private(address) => 0,
            _ => return None,
        })
    }

    /// Writes 1, 2 or 4 bytes; `None` outside the private peripheral bus. Unknown registers ignore writes.
    pub(super) fn write_system_register(&mut self, address: u32, bytes: u32, value: u32, now: u64) -> Option<()> {
        let (word, shift) = (address & !3, 8 * (address & 3));
        // Priorities are byte registers; the others are words, whose missing bytes are zero.
        if matches!(word, 0xE000_E400..=0xE000_E4EF | 0xE000_ED18..=0xE000_ED20) {
            let first = if word < 0xE000_ED00 { 16 + (address & 0xFF) as usize } else { 4 + (address - 0xE000_ED18) as usize };
            for (number, byte) in (first..self.exceptions.count).zip(value.to_le_bytes()).take(bytes as usize) {
                self.exceptions.set_priority(number, byte);
            }
            self.attention_at = 0;
            return Some(());
        }
        let value = value << shift;
        let system = &mut self.system;
        if !system.has(word) {
            return Some(());
        }
        match word {
            0xE000_1000 => {
                system.settle_cycle_count(now);
                system.dwt_ctrl = DWT_CTRL_RESET | value & 0x03FF_FFFF;
            }
            0xE000_1004 => (system.counted, system.counted_at) = (value, now),
            0xE000_E010..=0xE000_E01C => system.timer.write(word & 0xC, value, now),
            0xE000_E100..=0xE000_E17F => self.each_interrupt(word, value, |core, n| core.exceptions.enabled[n] = true),
            0xE000_E180..=0xE000_E1FF => self.each_interrupt(word, value, |core, n| core.exceptions.enabled[n] = false),
            0xE000_E200..=0xE000_E27F => self.each_interrupt(word, value, |core, n| core.exceptions.pending[n] = true),
            0xE000_E280..=0xE000_E2FF => self.each_interrupt(word, value, |core, n| core.exceptions.pending[n] = false),
            0xE000_ED04 => self.write_interrupt_control(value),
            0xE000_ED08 => system.vtor = value & !0x7F,
            0xE000_ED0C if value >> 16 == 0x05FA => {
                self.exceptions.group = (value >> 8 & 7) as u8;
                if value & 4 != 0 {
                    self.stop = Some(Stop::ResetRequested);
                }
            }
            0xE000_ED10 => system.scr = value & 0x16,
            0xE000_ED14 if system.spec.architecture != Architecture::V6M => {
                system.ccr = value & 0x31B;
                self.alignment_trap = value & UNALIGN_TRP != 0;
            }
            0xE000_ED24 => system.shcsr = value & 7 << 16,
            0xE000_ED28 => system.cfsr &= !value,
            0xE000_ED2C => system.hfsr &= !value,
            0xE000_ED34 => system.mmfar = value,
            0xE000_ED38 => system.bfar = value,
            0xE000_ED88 => {
                system.cpacr = value & 0xF << 20;
                self.fpu_ready = false;
            }
            0xE000_EDFC => {
                system.settle_cycle_count(now);
                system.demcr = value & 0x0100_07F1;
            }
            0xE000_EF00 => self.exceptions.pending[(16 + (value & 0xFF) as usize).min(self.exceptions.count - 1)] = true,
            0xE000_EF34 => {
                system.fpccr = value & 0xC000_0000;
                self.fpu_ready = false;
            }
            0xE000_EF38 => system.fpcar = value & !7,
            0xE000_EF3C => system.fpdscr = value & 0x07C0_0000,
            _ if is_private(word) => {}
            _ => return None,
        }
        self.attention_at = 0;
        Some(())
    }

    fn priorities(&self, first: usize) -> u32 {
        (0..4)
            .filter(|i| first + i < self.exceptions.count)
            .fold(0, |word, i| word | u32::from(self.exceptions.configured_priority(first + i)) << (8 * i))
    }

    /// Interrupt number of bit 0 of one of the NVIC's bit registers.
    fn first_of(address: u32) -> usize {
        16 + (address & 0x7F) as usize * 8
    }

    fn interrupt_bits(&self, address: u32, test: impl Fn(&Self, usize) -> bool) -> u32 {
        let first = Self::first_of(address);
        (0..32).filter(|bit| first + bit < self.exceptions.count && test(self, first + bit)).fold(0, |word, bit| word | 1 << bit)
    }

    fn each_interrupt(&mut self, address: u32, value: u32, act: impl Fn(&mut Self, usize)) {
        let (first, count) = (Self::first_of(address), self.exceptions.count);
        (0..32).filter(|bit| value >> bit & 1 != 0 && first + bit < count).for_each(|bit| act(self, first + bit));
    }

    fn interrupt_control_state(&self) -> u32 {
        let pending = &self.exceptions.pending;
        u32::from(self.ipsr)
            | u32::from(self.exceptions.active.iter().filter(|active| **active).count() <= 1) << 11
            | (self.exceptions.most_urgent().unwrap_or(0) as u32) << 12
            | u32::from(pending[16..].contains(&true)) << 22
            | u32::from(pending[SYSTICK]) << 26
            | u32::from(pending[PENDSV]) << 28
            | u32::from(pending[NMI]) << 31
    }

    fn write_interrupt_control(&mut self, value: u32) {
        for (number, set, clear) in [(NMI, 31, 32), (PENDSV, 28, 27), (SYSTICK, 26, 25)] {
            if value >> set & 1 != 0 {
                self.exceptions.pending[number] = true;
            } else if u64::from(value) >> clear & 1 != 0 {
                self.exceptions.pending[number] = false;
            }
        }
    }
}
