//! The ends that must not happen: a panic says where, a fault says what the core knows of it. Both exit with 101.

use crate::board::{self, Exit};
use crate::{failure, log};
use core::fmt::{self, Display};
use core::panic::PanicInfo;
use cortex_m_rt::{ExceptionFrame, exception};

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    log::finish(); // the panic may have come from the middle of a log
    defmt::error!("{}", defmt::Display2Format(info));
    failure::report(info);
    board::exit(Exit::Crashed)
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
    let fault = Fault { frame, status: board::fault_status() };
    log::finish();
    defmt::error!("{}", defmt::Display2Format(&fault));
    failure::report(&fault);
    board::exit(Exit::Crashed)
}
