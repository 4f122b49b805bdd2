//! The ends that must not happen: a panic says where, a fault says what the core knows of it. Both exit with 101.

use crate::board::{self, Exit};
use crate::{failure, log};
use core::fmt::{self, Display};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use cortex_m_rt::ExceptionFrame;

/// Says why, and exits. What crashes while saying so exits without a word.
fn crash(cause: &dyn Display) -> ! {
    static CRASHED: AtomicBool = AtomicBool::new(false);
    // Two steps, because Armv6-M has no swap; only a crash of this code could come between them.
    if !CRASHED.load(Ordering::Relaxed) {
        CRASHED.store(true, Ordering::Relaxed);
        if log::recover() {
            defmt::error!("{}", defmt::Display2Format(&cause));
        }
        failure::report(&cause);
    }
    board::exit(Exit::Crashed)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    crash(&Panic(info))
}

/// A panic in one line; its own `Display` takes two.
struct Panic<'p>(&'p PanicInfo<'p>);

impl Display for Panic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("panic")?;
        if let Some(location) = self.0.location() {
            write!(f, " at {location}")?;
        }
        write!(f, ": {}", self.0.message())
    }
}

/// The end of every HardFault. `frame` is what the core saved, `None` where the stack had no room left for it, and `status` the
/// configurable fault status register, where the core has one.
pub fn hard_fault(frame: Option<&ExceptionFrame>, status: Option<u32>) -> ! {
    crash(&Fault { frame, status })
}

struct Fault<'f> {
    frame: Option<&'f ExceptionFrame>,
    status: Option<u32>,
}

impl Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = Status(self.status);
        match self.frame {
            Some(frame) => {
                let (pc, lr, xpsr) = (frame.pc(), frame.lr(), frame.xpsr());
                write!(f, "HardFault at pc {pc:#010x}, lr {lr:#010x}, xpsr {xpsr:#010x}{status}")
            }
            None => write!(f, "the stack overflowed (HardFault{status}): enlarge STACK in memory.x"),
        }
    }
}

struct Status(Option<u32>);

impl Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |status| write!(f, ", cfsr {status:#010x}"))
    }
}
