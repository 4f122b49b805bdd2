//! Loads and stores of core registers.

use crate::machine::core::{Core, Flow};
use crate::machine::fault::FaultKind;
use crate::machine::op::{Index, Instruction, Reg, Width};

/// First address of the system registers; nothing above belongs to memory.
const SYSTEM_SPACE: u32 = 0xE000_0000;

impl Core {
    #[inline(always)]
    pub(super) fn indexed(&self, rn: Reg, rm: Reg, lsl: u8) -> u32 {
        self.get(rn).wrapping_add(self.get(rm) << (lsl & 31))
    }

    /// An access of 2 or 4 bytes that no aligned word may hold: a fault, or more cycles.
    #[cold]
    fn unaligned(&mut self) -> Result<(), FaultKind> {
        if self.alignment_trap {
            return Err(FaultKind::Unaligned);
        }
        self.cycles += u64::from(self.costs.unaligned_access);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn read_word(&mut self, address: u32, at: &Instruction) -> Result<u32, FaultKind> {
        if address & 3 != 0 {
            self.unaligned()?;
        }
        match self.bus.read(address) {
            Some(bytes) => Ok(u32::from_le_bytes(bytes)),
            None => self.read_system(address, 4, at),
        }
    }

    #[inline(always)]
    pub(super) fn write_word(&mut self, address: u32, value: u32, at: &Instruction) -> Result<(), FaultKind> {
        if address & 3 != 0 {
            self.unaligned()?;
        }
        match self.bus.write(address, value.to_le_bytes()) {
            Ok(()) => Ok(()),
            Err(kind) => self.write_system(address, 4, value, kind, at),
        }
    }

    /// A read that found no memory: of a system register, or a fault.
    #[cold]
    fn read_system(&mut self, address: u32, bytes: u32, at: &Instruction) -> Result<u32, FaultKind> {
        if address < SYSTEM_SPACE {
            return Err(FaultKind::UnmappedRead);
        }
        let now = self.now(at.cycles_before);
        let word = self.read_system_register(address & !3, now).ok_or(FaultKind::UnmappedRead)?;
        let shifted = word >> (8 * (address & 3));
        Ok(if bytes == 4 { shifted } else { shifted & ((1 << (8 * bytes)) - 1) })
    }

    #[cold]
    fn write_system(&mut self, address: u32, bytes: u32, value: u32, kind: FaultKind, at: &Instruction) -> Result<(), FaultKind> {
        if address < SYSTEM_SPACE {
            return Err(kind);
        }
        let now = self.now(at.cycles_before);
        self.write_system_register(address, bytes, value, now).ok_or(kind)
    }

    #[inline(always)]
    fn read(&mut self, width: Width, address: u32, at: &Instruction) -> Result<u32, FaultKind> {
        match width {
            Width::Word => self.read_word(address, at),
            Width::Half | Width::SignedHalf => {
                if address & 1 != 0 {
                    self.unaligned()?;
                }
                let half = match self.bus.read(address) {
                    Some(bytes) => u16::from_le_bytes(bytes),
                    None => self.read_system(address, 2, at)? as u16,
                };
                Ok(if width == Width::Half { half.into() } else { half as i16 as u32 })
            }
            Width::Byte | Width::SignedByte => {
                let byte = match self.bus.read::<1>(address) {
                    Some([byte]) => byte,
                    None => self.read_system(address, 1, at)? as u8,
                };
                Ok(if width == Width::Byte { byte.into() } else { byte as i8 as u32 })
            }
        }
    }

    #[inline(always)]
    fn write(&mut self, width: Width, address: u32, value: u32, at: &Instruction) -> Result<(), FaultKind> {
        match width {
            Width::Word => self.write_word(address, value, at),
            Width::Half | Width::SignedHalf => {
                if address & 1 != 0 {
                    self.unaligned()?;
                }
                match self.bus.write(address, (value as u16).to_le_bytes()) {
                    Ok(()) => Ok(()),
                    Err(kind) => self.write_system(address, 2, value, kind, at),
                }
            }
            Width::Byte | Width::SignedByte => match self.bus.write(address, [value as u8]) {
                Ok(()) => Ok(()),
                Err(kind) => self.write_system(address, 1, value, kind, at),
            },
        }
    }

    /// A store may have raised an exception or changed code: leave the block then.
    #[inline(always)]
    fn after_store(&self) -> Flow {
        if self.attention_at == 0 { Flow::Leave } else { Flow::Next }
    }

    #[inline(always)]
    pub(super) fn load(&mut self, width: Width, rt: Reg, address: u32, at: &Instruction) -> Flow {
        match self.read(width, address, at) {
            Ok(value) => {
                self.set(rt, value);
                Flow::Next
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    #[inline(always)]
    pub(super) fn store(&mut self, width: Width, rt: Reg, address: u32, at: &Instruction) -> Flow {
        match self.write(width, address, self.get(rt), at) {
            Ok(()) => self.after_store(),
            Err(kind) => self.raise(kind, address),
        }
    }

    /// Whether write-back would move the stack pointer past its limit.
    #[inline(always)]
    pub(super) fn passes_limit(&self, rn: Reg, moved: u32) -> bool {
        rn == 13 && self.is_below_limit(moved)
    }

    /// Address of the access, and the base register's new value.
    fn index(&self, rn: Reg, index: Index, offset: i16) -> (u32, Option<u32>) {
        let base = self.get(rn);
        let moved = base.wrapping_add_signed(offset.into());
        match index {
            Index::Offset => (moved, None),
            Index::Pre => (moved, Some(moved)),
            Index::Post => (base, Some(moved)),
        }
    }

    #[inline(always)]
    pub(super) fn load_indexed(&mut self, width: Width, rt: Reg, rn: Reg, post: bool, offset: i16, at: &Instruction) -> Flow {
        let base = self.get(rn);
        let moved = base.wrapping_add_signed(offset.into());
        if self.passes_limit(rn, moved) {
            return self.raise(FaultKind::StackLimit, moved);
        }
        let address = if post { base } else { moved };
        match self.read(width, address, at) {
            Ok(value) => {
                self.set_any(rn, moved);
                self.set_any(rt, value);
                Flow::Next
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    #[inline(always)]
    pub(super) fn store_indexed(&mut self, width: Width, rt: Reg, rn: Reg, post: bool, offset: i16, at: &Instruction) -> Flow {
        let base = self.get(rn);
        let moved = base.wrapping_add_signed(offset.into());
        if self.passes_limit(rn, moved) {
            return self.raise(FaultKind::StackLimit, moved);
        }
        let address = if post { base } else { moved };
        match self.write(width, address, self.get(rt), at) {
            Ok(()) => {
                self.set_any(rn, moved);
                self.after_store()
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    /// Loads the program counter.
    pub(super) fn jump(&mut self, address: u32, at: &Instruction) -> Flow {
        match self.aligned(address, 4).and_then(|()| self.read_word(address, at)) {
            Ok(target) => self.branch_exchange(target),
            Err(kind) => self.raise(kind, address),
        }
    }

    pub(super) fn jump_indexed(&mut self, rn: Reg, index: Index, offset: i16, at: &Instruction) -> Flow {
        let (address, moved) = self.index(rn, index, offset);
        if let Some(moved) = moved.filter(|moved| self.passes_limit(rn, *moved)) {
            return self.raise(FaultKind::StackLimit, moved);
        }
        match self.aligned(address, 4).and_then(|()| self.read_word(address, at)) {
            Ok(target) => {
                if let Some(moved) = moved {
                    self.set_any(rn, moved);
                }
                self.branch_exchange(target)
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    pub(super) fn aligned(&self, address: u32, bytes: u32) -> Result<(), FaultKind> {
        if address.is_multiple_of(bytes) { Ok(()) } else { Err(FaultKind::Unaligned) }
    }

    pub(super) fn load_dual(&mut self, rt: Reg, rt2: Reg, rn: Reg, index: Index, offset: i16, at: &Instruction) -> Flow {
        let (address, moved) = self.index(rn, index, offset);
        if let Some(moved) = moved.filter(|moved| self.passes_limit(rn, *moved)) {
            return self.raise(FaultKind::StackLimit, moved);
        }
        let flow = self.load_dual_at(rt, rt2, address, at);
        if let (Flow::Next, Some(moved)) = (flow, moved) {
            self.set_any(rn, moved);
        }
        flow
    }

    pub(super) fn load_dual_at(&mut self, rt: Reg, rt2: Reg, address: u32, at: &Instruction) -> Flow {
        let words = self
            .aligned(address, 4)
            .and_then(|()| Ok((self.read_word(address, at)?, self.read_word(address.wrapping_add(4), at)?)));
        match words {
            Ok((first, second)) => {
                self.set(rt, first);
                self.set(rt2, second);
                Flow::Next
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    pub(super) fn store_dual(&mut self, rt: Reg, rt2: Reg, rn: Reg, index: Index, offset: i16, at: &Instruction) -> Flow {
        let (address, moved) = self.index(rn, index, offset);
        if let Some(moved) = moved.filter(|moved| self.passes_limit(rn, *moved)) {
            return self.raise(FaultKind::StackLimit, moved);
        }
        let (first, second) = (self.get(rt), self.get(rt2));
        let done = self
            .aligned(address, 4)
            .and_then(|()| self.write_word(address, first, at))
            .and_then(|()| self.write_word(address.wrapping_add(4), second, at));
        match done {
            Ok(()) => {
                if let Some(moved) = moved {
                    self.set_any(rn, moved);
                }
                self.after_store()
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    pub(super) fn load_multiple(&mut self, rn: Reg, before: bool, writeback: bool, list: u16, at: &Instruction) -> Flow {
        let base = self.get(rn);
        let size = list.count_ones() * 4;
        let (mut address, moved) =
            if before { (base.wrapping_sub(size), base.wrapping_sub(size)) } else { (base, base.wrapping_add(size)) };
        if writeback && self.passes_limit(rn, moved) {
            return self.raise(FaultKind::StackLimit, moved);
        }
        if let Err(kind) = self.aligned(address, 4) {
            return self.raise(kind, address);
        }
        let mut values = [0; 16];
        let mut left = list;
        while left != 0 {
            match self.read_word(address, at) {
                Ok(value) => values[left.trailing_zeros() as usize & 15] = value,
                Err(kind) => return self.raise(kind, address),
            }
            left &= left - 1;
            address = address.wrapping_add(4);
        }
        if writeback {
            self.set_any(rn, moved);
        }
        let mut left = list & 0x7FFF;
        while left != 0 {
            let index = left.trailing_zeros() as usize & 15;
            self.r[index] = values[index];
            left &= left - 1;
        }
        if list & 0x8000 != 0 { self.branch_exchange(values[15]) } else { Flow::Next }
    }

    pub(super) fn store_multiple(&mut self, rn: Reg, before: bool, writeback: bool, list: u16, at: &Instruction) -> Flow {
        let base = self.get(rn);
        let size = list.count_ones() * 4;
        let (mut address, moved) =
            if before { (base.wrapping_sub(size), base.wrapping_sub(size)) } else { (base, base.wrapping_add(size)) };
        if writeback && self.passes_limit(rn, moved) {
            return self.raise(FaultKind::StackLimit, moved);
        }
        if let Err(kind) = self.aligned(address, 4) {
            return self.raise(kind, address);
        }
        let mut left = list;
        while left != 0 {
            let value = self.r[left.trailing_zeros() as usize & 15];
            if let Err(kind) = self.write_word(address, value, at) {
                return self.raise(kind, address);
            }
            left &= left - 1;
            address = address.wrapping_add(4);
        }
        if writeback {
            self.set_any(rn, moved);
        }
        self.after_store()
    }

    pub(super) fn load_acquire(&mut self, width: Width, exclusive: bool, rt: Reg, address: u32, at: &Instruction) -> Flow {
        match self.aligned(address, bytes(width)) {
            Ok(()) => {
                if exclusive {
                    self.exclusive = Some(address);
                }
                self.load(width, rt, address, at)
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    pub(super) fn store_release(&mut self, width: Width, rt: Reg, address: u32, at: &Instruction) -> Flow {
        match self.aligned(address, bytes(width)) {
            Ok(()) => self.store(width, rt, address, at),
            Err(kind) => self.raise(kind, address),
        }
    }

    pub(super) fn load_exclusive(&mut self, width: Width, rt: Reg, rn: Reg, offset: u16, at: &Instruction) -> Flow {
        let address = self.get(rn).wrapping_add(offset.into());
        match self.aligned(address, bytes(width)) {
            Ok(()) => {
                self.exclusive = Some(address);
                self.load(width, rt, address, at)
            }
            Err(kind) => self.raise(kind, address),
        }
    }

    /// Succeeds if the monitor is set: a single core has nobody else to clear it but exceptions and CLREX.
    pub(super) fn store_exclusive(&mut self, width: Width, rd: Reg, rt: Reg, rn: Reg, offset: u16, at: &Instruction) -> Flow {
        let address = self.get(rn).wrapping_add(offset.into());
        if let Err(kind) = self.aligned(address, bytes(width)) {
            return self.raise(kind, address);
        }
        let held = self.exclusive.take() == Some(address);
        let flow = if held { self.store(width, rt, address, at) } else { Flow::Next };
        if flow != Flow::Fault {
            self.set(rd, u32::from(!held));
        }
        flow
    }

    pub(super) fn table_branch(&mut self, half: bool, rn: Reg, rm: Reg, base: u32, at: &Instruction) -> Flow {
        let table = if rn == 15 { base } else { self.get(rn) };
        let (width, address) = match half {
            true => (Width::Half, table.wrapping_add(self.get(rm) << 1)),
            false => (Width::Byte, table.wrapping_add(self.get(rm))),
        };
        match self.read(width, address, at) {
            Ok(entry) => {
                self.r[15] = base.wrapping_add(entry * 2);
                Flow::Branch
            }
            Err(kind) => self.raise(kind, address),
        }
    }
}

fn bytes(width: Width) -> u32 {
    match width {
        Width::Word => 4,
        Width::Half | Width::SignedHalf => 2,
        Width::Byte | Width::SignedByte => 1,
    }
}
