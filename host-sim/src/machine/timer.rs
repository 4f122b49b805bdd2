//! SysTick, by arithmetic on the cycle count: nothing is counted down.

const ENABLE: u32 = 1;
const INTERRUPT: u32 = 2;
const PROCESSOR_CLOCK: u32 = 4;

/// SysTick.
#[derive(Default)]
pub(super) struct Timer {
    control: u32,
    reload: u32,
    /// The count reaches zero at this cycle.
    expires: u64,
    /// The count while stopped.
    held: u32,
    expired: bool,
}

impl Timer {
    fn runs(&self) -> bool {
        self.control & ENABLE != 0 && self.reload != 0
    }

    pub(super) fn interrupts(&self) -> bool {
        self.control & INTERRUPT != 0
    }

    pub(super) fn next_event(&self) -> Option<u64> {
        (self.runs() && self.interrupts()).then_some(self.expires)
    }

    /// Brings the timer to `now`; whether it expired with its interrupt enabled.
    pub(super) fn advance(&mut self, now: u64) -> bool {
        if !self.runs() || now < self.expires {
            return false;
        }
        let period = u64::from(self.reload) + 1;
        self.expires += ((now - self.expires) / period + 1) * period;
        self.expired = true;
        self.interrupts()
    }

    fn count(&self, now: u64) -> u32 {
        if self.runs() { (self.expires - now).min(u64::from(self.reload)) as u32 } else { self.held }
    }

    pub(super) fn read(&mut self, offset: u32, now: u64) -> u32 {
        match offset {
            0x0 => self.control | PROCESSOR_CLOCK | u32::from(core::mem::take(&mut self.expired)) << 16,
            0x4 => self.reload,
            0x8 => self.count(now),
            _ => 0x8000_0000, // CALIB: no reference clock
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, now: u64) {
        self.advance(now);
        self.held = self.count(now);
        match offset {
            0x0 => self.control = value & 3,
            0x4 => self.reload = value & 0xFF_FFFF,
            0x8 => (self.held, self.expired) = (0, false),
            _ => return,
        }
        // A count of zero reloads on the next clock.
        let count = if self.held == 0 { u64::from(self.reload) + 1 } else { u64::from(self.held) };
        self.expires = now + count;
    }
}
