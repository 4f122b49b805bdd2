//! The cycle counter, modulo 2^32: the DWT's where there is one. Armv6-M has none, so SysTick counts there: 24 bits by itself, and an
//! interrupt at each of its wraps adds the rest. That interrupt takes some 40 of 16,777,216 cycles, which are counted like all others.

#[cfg(not(armv6m))]
pub use dwt::{cycles, start};
#[cfg(armv6m)]
pub use systick::{cycles, start};

#[cfg(not(armv6m))]
mod dwt {
    use cortex_m::peripheral::{DWT, Peripherals};

    /// Starts the counter; a core without one keeps reading 0.
    pub fn start() {
        if let Some(mut peripherals) = Peripherals::take() {
            peripherals.DCB.enable_trace();
            peripherals.DWT.enable_cycle_counter();
        }
    }

    /// Cycles since the start, modulo 2^32.
    pub fn cycles() -> u32 {
        DWT::cycle_count()
    }
}

#[cfg(armv6m)]
mod systick {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use cortex_m::peripheral::syst::SystClkSource;
    use cortex_m::peripheral::{Peripherals, SCB, SYST};
    use cortex_m_rt::exception;

    const BITS: u32 = 24;

    static WRAPS: AtomicU32 = AtomicU32::new(0);

    /// Starts the counter.
    pub fn start() {
        if let Some(mut peripherals) = Peripherals::take() {
            let timer = &mut peripherals.SYST;
            timer.set_clock_source(SystClkSource::Core);
            timer.set_reload((1 << BITS) - 1);
            timer.clear_current();
            timer.enable_interrupt();
            timer.enable_counter();
        }
    }

    #[exception]
    fn SysTick() {
        WRAPS.store(WRAPS.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Cycles since the start, modulo 2^32. Right as long as interrupts are never held off for 2^24 cycles: of the wraps meanwhile only
    /// one would count.
    pub fn cycles() -> u32 {
        critical_section::with(|_| {
            // Counts down from 0 at the start and at each wrap, when its interrupt becomes pending. That may have happened after the
            // first look at it, but not again after the second.
            let (mut count, mut wraps) = (SYST::get_current(), WRAPS.load(Relaxed));
            if SCB::is_pendst_pending() {
                count = SYST::get_current();
                wraps = wraps.wrapping_add(1);
            }
            (wraps << BITS).wrapping_add(count.wrapping_neg() & ((1 << BITS) - 1))
        })
    }
}
