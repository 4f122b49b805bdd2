//! What a run can end with, and what can go wrong in it.

use core::fmt;

/// Why [`Machine::run`](super::Machine::run) returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The instruction budget given to `run` is used up; calling `run` again continues.
    Budget,
    /// A `BKPT` was reached (0xAB: semihosting). The program counter is still at it; see
    /// [`Machine::resume_after_breakpoint`](super::Machine::resume_after_breakpoint).
    Breakpoint {
        /// The immediate of the instruction.
        imm: u8,
    },
    /// A fault that no handler could take; the program counter is at the faulting instruction.
    Lockup(Fault),
    /// The guest set SYSRESETREQ in AIRCR.
    ResetRequested,
    /// `WFI` or `WFE` with nothing pending and no SysTick interrupt to wait for; calling `run` again continues behind it.
    Sleep,
}

/// One fault, as it was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// Address of the instruction that caused it.
    pub pc: u32,
    /// The data address or branch target concerned; the program counter where there is none.
    pub address: u32,
}

/// The kinds of fault that the machine raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// An instruction that this core does not have (UFSR.UNDEFINSTR).
    Undefined,
    /// A branch to an even address (UFSR.INVSTATE).
    InvalidState,
    /// An exception return with an illegal EXC_RETURN or frame (UFSR.INVPC).
    InvalidReturn,
    /// A floating-point instruction without an FPU or while CPACR denies it, or another coprocessor's (UFSR.NOCP).
    NoCoprocessor,
    /// A stack pointer that would pass its limit register, MSPLIM or PSPLIM (UFSR.STKOF).
    StackLimit,
    /// An unaligned access where the architecture demands alignment (UFSR.UNALIGNED).
    Unaligned,
    /// A division by zero while CCR.DIV_0_TRP is set (UFSR.DIVBYZERO).
    DivideByZero,
    /// A load from an address without memory (BFSR.PRECISERR).
    UnmappedRead,
    /// A store to an address without memory (BFSR.PRECISERR).
    UnmappedWrite,
    /// A store to flash (BFSR.PRECISERR).
    ReadOnlyWrite,
    /// Execution from an address without memory (BFSR.IBUSERR).
    InstructionFetch,
    /// The stack could not take an exception frame (BFSR.STKERR).
    Stacking,
    /// The exception frame could not be read back (BFSR.UNSTKERR).
    Unstacking,
    /// `SVC` where the current priority does not allow it.
    SupervisorCall,
}

impl FaultKind {
    /// The bit of the Configurable Fault Status Register that names this kind.
    pub(super) fn status_bit(self) -> u32 {
        match self {
            Self::InstructionFetch => 1 << 8,
            Self::UnmappedRead | Self::UnmappedWrite | Self::ReadOnlyWrite => 1 << 9,
            Self::Unstacking => 1 << 11,
            Self::Stacking => 1 << 12,
            Self::Undefined => 1 << 16,
            Self::InvalidState => 1 << 17,
            Self::InvalidReturn => 1 << 18,
            Self::NoCoprocessor => 1 << 19,
            Self::StackLimit => 1 << 20,
            Self::Unaligned => 1 << 24,
            Self::DivideByZero => 1 << 25,
            Self::SupervisorCall => 0,
        }
    }

    /// Whether the fault is precise about a data address (BFAR is valid).
    pub(super) fn has_data_address(self) -> bool {
        matches!(self, Self::UnmappedRead | Self::UnmappedWrite | Self::ReadOnlyWrite)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FaultKind::Undefined => "undefined instruction",
            FaultKind::InvalidState => "branch to an even address (the Thumb bit is missing)",
            FaultKind::InvalidReturn => "illegal exception return",
            FaultKind::NoCoprocessor => "no such coprocessor, or the FPU is disabled (CPACR grants it)",
            FaultKind::StackLimit => "stack overflow: the stack pointer would pass its limit register",
            FaultKind::Unaligned => "unaligned access by an instruction that requires alignment",
            FaultKind::DivideByZero => "division by zero",
            FaultKind::UnmappedRead => "read where there is no memory",
            FaultKind::UnmappedWrite => "write where there is no memory",
            FaultKind::ReadOnlyWrite => "write to read-only memory",
            FaultKind::InstructionFetch => "execution where there is no memory",
            FaultKind::Stacking => "no memory for an exception frame (stack overflow?)",
            FaultKind::Unstacking => "no memory under an exception frame",
            FaultKind::SupervisorCall => "SVC at a priority that forbids it",
        };
        write!(f, "{what} (address {:#010x})", self.address)
    }
}

/// A host access outside the machine's memory regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusError {
    /// First byte of the access.
    pub address: u32,
    /// Bytes wanted.
    pub length: usize,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {:#010x} lie in no memory region; check the memory map", self.length, self.address)
    }
}

impl core::error::Error for BusError {}
