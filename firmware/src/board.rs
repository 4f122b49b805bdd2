//! What the board gives: the model's region, the heap, the host's services, the fault registers.
//!
//! The only file with `unsafe` of its own. The memory map is in `memory.x`.
#![allow(unsafe_code, reason = "linker symbols, the allocator, semihosting and system registers cannot be reached otherwise")]

use crate::fault;
use core::ptr::addr_of;
use cortex_m_rt::ExceptionFrame;
use cortex_m_semihosting::{nr, syscall};
use critical_section::RestoreState;
use embedded_alloc::LlffHeap;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

// Only their addresses mean anything. They come from memory.x, and `__sheap` from cortex-m-rt.
unsafe extern "C" {
    static _model_start: u8;
    static _model_end: u8;
    static _stack_end: u8;
    static __sheap: u8;
    static _heap_end: u8;
}

/// The whole flash region of the model, whatever it holds.
pub fn model_region() -> &'static [u8] {
    let (start, end) = (addr_of!(_model_start), addr_of!(_model_end));
    // SAFETY: memory.x places both symbols in one flash region, which is readable and is never written while the image runs.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// Makes the RAM behind the statics the heap. Panics when called twice.
pub fn start_heap() {
    let (start, end) = (addr_of!(__sheap), addr_of!(_heap_end));
    // SAFETY: memory.x and cortex-m-rt place nothing between these symbols, and the stack lies below both; nothing was allocated yet.
    unsafe { HEAP.init(start.addr(), end.addr() - start.addr()) }
}

/// Bytes that the heap has left.
pub fn heap_free() -> usize {
    HEAP.free()
}

/// Whether somebody can read RAM while the core runs: a probe, or a simulator that acts as one.
#[cfg(not(armv6m))]
pub fn debugger_attached() -> bool {
    cortex_m::peripheral::DCB::is_debugger_attached()
}

/// Whether to take a reader of RAM for granted. Software cannot see a debugger here, because DHCSR is the debugger's alone (Armv6-M,
/// C1.6.3). There is one unless whoever starts the core says otherwise, by writing [`NO_DEBUGGER`] into `_fathom_host`.
#[cfg(armv6m)]
pub fn debugger_attached() -> bool {
    // SAFETY: the word is plain memory, and nothing of this program refers to it otherwise.
    unsafe { (&raw const _fathom_host).read_volatile().assume_init() != NO_DEBUGGER }
}

/// `NODB` in memory.
#[cfg(armv6m)]
const NO_DEBUGGER: u32 = u32::from_le_bytes(*b"NODB");

/// Neither cleared nor set at reset: it holds what was there before.
#[cfg(armv6m)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".uninit.fathom_host")]
static mut _fathom_host: core::mem::MaybeUninit<u32> = core::mem::MaybeUninit::uninit();

/// Enters a critical section that [`leave_critical_section`] ends.
pub fn enter_critical_section() -> RestoreState {
    // SAFETY: the only caller, the logger, hands the state to `leave_critical_section` when its frame ends, once.
    unsafe { critical_section::acquire() }
}

/// Leaves the critical section that gave `state`.
pub fn leave_critical_section(state: RestoreState) {
    // SAFETY: `state` comes from `enter_critical_section`, and sections nest because log frames do not overlap.
    unsafe { critical_section::release(state) }
}

/// The host's standard input, over semihosting.
pub struct HostInput(usize);

impl HostInput {
    /// Opens it; `None` when the host refuses.
    pub fn open() -> Option<Self> {
        let name = b":tt\0";
        // SAFETY: SYS_OPEN takes a terminated name, a mode and the name's length, all valid during the call.
        let handle = unsafe { syscall(nr::OPEN, &[name.as_ptr().addr(), nr::open::R_BINARY, name.len() - 1]) };
        (handle != usize::MAX).then_some(Self(handle))
    }

    /// Waits for bytes; returns how many came, 0 at the end of the input.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        // SAFETY: SYS_READ takes a handle, an address and a length, and writes only there, to bytes that are borrowed mutably.
        let missing = unsafe { syscall(nr::READ, &[self.0, buffer.as_mut_ptr().expose_provenance(), buffer.len()]) };
        buffer.len().saturating_sub(missing)
    }
}

/// How the program ends.
pub enum Exit {
    /// The request was answered.
    Success,
    /// The request or the model was refused.
    Failed,
    /// A panic or a fault.
    Crashed,
}

/// Tells the host that the program ended.
pub fn exit(exit: Exit) -> ! {
    const EXIT_EXTENDED: usize = 0x20;
    const APPLICATION_EXIT: usize = 0x2_0026;
    let code = match exit {
        Exit::Success => 0,
        Exit::Failed => 1,
        Exit::Crashed => 101, // what a panicking Rust program returns elsewhere
    };
    // SAFETY: SYS_EXIT_EXTENDED takes a reason and a code.
    unsafe { syscall(EXIT_EXTENDED, &[APPLICATION_EXIT, code]) };
    loop {
        cortex_m::asm::bkpt();
    }
}

/// Where a HardFault begins. Replaces the trampoline of cortex-m-rt, which would go on to use a stack that may have overflowed: with
/// less than 2 KiB left, what comes starts at the top again. It never returns, so nothing there is needed any more.
///
/// Armv6-M instructions throughout, which every core has: constants come from a literal pool, and the branch goes by register.
///
/// # Safety
/// Only the core may call it, by the vector table.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn HardFault() -> ! {
    core::arch::naked_asm!(
        "mrs r0, msp", // the frame, if there was room for one
        "ldr r1, 3f",
        "cmp r0, r1",
        "bhs 2f",
        "ldr r1, 4f",
        "msr msp, r1",
        "2:",
        "ldr r1, 5f",
        "bx r1",
        ".balign 4",
        "3: .word _stack_end + 2048",
        "4: .word _stack_start",
        "5: .word {entered}",
        entered = sym hard_fault,
    )
}

extern "C" fn hard_fault(frame: *const ExceptionFrame) -> ! {
    let stacked = frame.addr() >= addr_of!(_stack_end).addr();
    // SAFETY: the core wrote the frame here before it entered HardFault, and the stack above or below it is used, never it.
    let frame = stacked.then(|| unsafe { &*frame });
    fault::hard_fault(frame, fault_status())
}

/// The configurable fault status register (Armv7-M, B3.2.15); Armv6-M has none.
fn fault_status() -> Option<u32> {
    #[cfg(armv6m)]
    return None;
    // SAFETY: the register is always there from Armv7-M on, and reading it changes nothing.
    #[cfg(not(armv6m))]
    return Some(unsafe { (*cortex_m::peripheral::SCB::PTR).cfsr.read() });
}
