//! The ends that must not happen: a panic says where, a fault says what the core knows of it. Both exit with 101.

use crate::board::{self, Exit};
use crate::{failure, log};
use core::fmt::{self, Display};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use cortex_m_rt::{ExceptionFrame, exception};

/// Says why, and exits. What crashes while saying so exits without a word.
fn crash(cause: &dyn Display) -> ! {
    static CRASHED: AtomicBool = AtomicBool::new(false);
    if !CRASHED.swap(true, Ordering::Relaxed) {
        if log::recover() {
            defmt::error!("{}", defmt::Display2Format(&cause));
        }
        failure::report(&cause);
    }
    board::exit(Exit::Crashed)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    crash(info)
}

/// The core's state when it faulted.
struct Fault<'f> {
    frame: &'f ExceptionFrame,
    /// Configurable fault status register.
    status: u32,
}

impl Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frame, status } = self;
        let (pc, lr, xpsr) = (frame.pc(), frame.lr(), frame.xpsr());
        write!(f, "HardFault at pc {pc:#010x}, lr {lr:#010x}, xpsr {xpsr:#010x}, cfsr {status:#010x}")
    }
}

#[allow(unsafe_code, reason = "cortex-m-rt demands an unsafe fn here; nothing in it is")]
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    crash(&Fault { frame, status: board::fault_status() })
}
