//! Rows of the instruction tables: one encoding diagram each, and what its operands have to be.

use super::pattern::Encoding;

/// One encoding of one instruction.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Mnemonic, and the encoding's number in the Armv7-M manual where there are several.
    pub name: &'static str,
    /// Its diagram, see [`Encoding`].
    pub pattern: &'static str,
    /// Excludes what the manual leaves unpredictable.
    pub allowed: fn(&Encoding) -> bool,
    /// What it works on.
    pub kind: Kind,
}

/// The part of the architecture that brings an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Armv6-M.
    Baseline,
    /// Armv7-M.
    Mainline,
    /// The DSP extension.
    Dsp,
    /// The floating-point extension, FPv4-SP.
    Float,
    /// What FPv5 adds.
    Float5,
    /// What Armv8-M Mainline adds.
    V8,
    /// No core has it.
    Nothing,
}

/// What an instruction works on.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Core registers but the stack pointer.
    Core,
    /// Core registers, one of them the stack pointer.
    Stack,
    /// Floating-point registers, and perhaps core registers.
    Float,
    /// Memory, through register `n` or, where there is no such field, the stack pointer.
    Memory(Access),
}

/// The bytes that a load or store touches.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Distance of the access from the base register.
    pub offset: Offset,
    /// First byte, seen from base plus offset, and number of bytes.
    pub span: fn(&Encoding) -> (i32, u32),
    /// Alignment that the instruction demands.
    pub alignment: u32,
    /// What is loaded goes to the program counter.
    pub jump: bool,
    /// Floating-point registers are loaded or stored.
    pub float: bool,
}

/// Distance of an access from the base register.
#[derive(Clone, Copy, Debug)]
pub enum Offset {
    /// Known from the encoding.
    Immediate(fn(&Encoding) -> i32),
    /// Register `m`, shifted left by field `s`.
    Register,
}

/// A row of core registers without a condition.
pub const fn core(name: &'static str, pattern: &'static str) -> Row {
    Row { name, pattern, allowed: super::pattern::any, kind: Kind::Core }
}

/// A row with the stack pointer.
pub const fn stack(name: &'static str, pattern: &'static str) -> Row {
    Row { kind: Kind::Stack, ..core(name, pattern) }
}

/// A row of floating-point registers.
pub const fn float(name: &'static str, pattern: &'static str) -> Row {
    Row { kind: Kind::Float, ..core(name, pattern) }
}

/// A row that reads or writes `bytes` bytes at an offset.
pub const fn memory(name: &'static str, pattern: &'static str, offset: Offset, span: fn(&Encoding) -> (i32, u32)) -> Row {
    Row { kind: Kind::Memory(Access { offset, span, alignment: 1, jump: false, float: false }), ..core(name, pattern) }
}

impl Row {
    /// What it needs, if its table needs no more: narrow encodings are Armv6-M's but for a few that have tables of their own.
    pub fn needs(&self) -> Needs {
        match self.kind {
            Kind::Float | Kind::Memory(Access { float: true, .. }) => Needs::Float,
            _ if self.is_wide() => Needs::Mainline,
            _ => Needs::Baseline,
        }
    }

    fn is_wide(&self) -> bool {
        self.pattern.bytes().filter(|byte| *byte != b' ').count() == 32
    }

    /// The same row, cut down to what `allowed` agrees to.
    pub const fn when(self, allowed: fn(&Encoding) -> bool) -> Self {
        Self { allowed, ..self }
    }

    /// The same memory row, for an instruction that faults on unaligned addresses.
    pub const fn aligned(self) -> Self {
        self.access(4, false, false)
    }

    /// The same memory row, for an instruction that faults where the address is not a multiple of `alignment`.
    pub const fn aligned_to(self, alignment: u32) -> Self {
        self.access(alignment, false, false)
    }

    /// The same memory row, for an instruction that loads the program counter.
    pub const fn jumping(self) -> Self {
        self.access(4, true, false)
    }

    /// The same memory row, for an instruction on floating-point registers.
    pub const fn floating(self) -> Self {
        self.access(4, false, true)
    }

    const fn access(self, alignment: u32, jump: bool, float: bool) -> Self {
        match self.kind {
            Kind::Memory(access) => Self { kind: Kind::Memory(Access { alignment, jump, float, ..access }), ..self },
            _ => self,
        }
    }
}
