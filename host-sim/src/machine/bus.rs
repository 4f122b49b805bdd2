//! Memory: the regions that the caller gives, little-endian, bounds-checked.

use super::debugger::{Watch, WatchKind};
use super::fault::{BusError, FaultKind};
use super::memory_profile::MemoryProfile;
use super::memory_system::MemorySystem;

/// How the guest may use a memory region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// Guest reads and executes; only the host writes.
    Flash,
    /// Guest reads, writes and executes.
    Ram,
}

/// One memory region of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionSpec {
    /// Address of the first byte.
    pub base: u32,
    /// Size in bytes.
    pub size: u32,
    /// How the guest may use it.
    pub kind: RegionKind,
}

/// Bytes per unit of code tracking in RAM.
const CODE_LINE_SHIFT: u32 = 7;
/// Bits below a slot of the first-guess table: 64 KiB, the granularity at which memory maps are usually cut.
const SLOT_SHIFT: u32 = 16;
const SLOTS: usize = 1 << (32 - SLOT_SHIFT);

struct Region {
    base: u32,
    writable: bool,
    /// Accesses go through the memory system, which may make them wait.
    timed: bool,
    /// Accesses need no look at the memory system nor at watchpoints.
    direct: bool,
    bytes: Vec<u8>,
    /// One flag per line that holds decoded code; empty while there is none, so that stores check nothing.
    code_lines: Vec<bool>,
}

/// All memory of the machine.
pub(super) struct Bus {
    regions: Vec<Region>,
    first_guess: Box<[u8; SLOTS]>,
    /// A store hit decoded code: the block cache must be emptied before the next block.
    pub(super) code_changed: bool,
    pub(super) memory: MemorySystem,
    watches: Vec<Watch>,
    /// Accesses to watched bytes are refused: an instruction is executing, and it is not excepted.
    pub(super) watching: bool,
    /// The access that was refused.
    pub(super) watched: Option<(WatchKind, u32)>,
}

impl Bus {
    pub(super) fn new(specs: &[RegionSpec], profile: &MemoryProfile) -> Self {
        let memory = MemorySystem::new(profile);
        let regions: Vec<Region> = specs
            .iter()
            .map(|spec| Region {
                base: spec.base,
                writable: spec.kind == RegionKind::Ram,
                timed: if spec.kind == RegionKind::Ram { memory.times_ram() } else { memory.times_flash() },
                direct: true,
                bytes: vec![0; spec.size as usize],
                code_lines: Vec::new(),
            })
            .collect();
        let mut first_guess = Box::new([0; SLOTS]);
        for (slot, guess) in first_guess.iter_mut().enumerate() {
            let (low, high) = ((slot as u64) << SLOT_SHIFT, (slot as u64 + 1) << SLOT_SHIFT);
            let overlaps = |r: &Region| u64::from(r.base) < high && u64::from(r.base) + r.bytes.len() as u64 > low;
            *guess = regions.iter().position(overlaps).unwrap_or(0) as u8;
        }
        let (watches, watching, watched) = (Vec::new(), false, None);
        let mut bus = Self { regions, first_guess, code_changed: false, memory, watches, watching, watched };
        bus.set_watches(Vec::new());
        bus
    }

    /// Watches these ranges instead of those before, which it gives back.
    pub(super) fn set_watches(&mut self, watches: Vec<Watch>) -> Vec<Watch> {
        for region in &mut self.regions {
            let (base, size) = (region.base, region.bytes.len() as u64);
            region.direct = !region.timed && !watches.iter().any(|watch| watch.overlap(base, size).is_some());
        }
        std::mem::replace(&mut self.watches, watches)
    }

    /// Whether an access is to be refused because a watchpoint is for it.
    #[inline(always)]
    fn is_watched(&mut self, address: u32, length: usize, kind: WatchKind) -> bool {
        self.watching && self.note_watched(address, length, kind)
    }

    #[cold]
    fn note_watched(&mut self, address: u32, length: usize, kind: WatchKind) -> bool {
        let hit = |watch: &Watch| {
            let kinds = watch.kind == kind || watch.kind == WatchKind::Access;
            watch.overlap(address, length as u64).filter(|_| kinds).map(|first| (watch.kind, first))
        };
        self.watched = self.watches.iter().find_map(hit).or(self.watched);
        self.watched.is_some()
    }

    /// The region whose bytes include `length` bytes at `address`, and the offset in it.
    fn find(&self, address: u32, length: usize) -> Option<(usize, usize)> {
        self.regions.iter().enumerate().find_map(|(index, region)| {
            let offset = address.wrapping_sub(region.base) as usize;
            (offset < region.bytes.len() && length <= region.bytes.len() - offset).then_some((index, offset))
        })
    }

    /// The same memory with nothing read yet.
    pub(super) fn reset(&mut self, profile: &MemoryProfile) {
        self.memory = MemorySystem::new(profile);
    }

    /// A data read of the guest.
    #[inline(always)]
    pub(super) fn read<const N: usize>(&mut self, address: u32) -> Option<[u8; N]> {
        let guess = self.first_guess[(address >> SLOT_SHIFT) as usize] as usize;
        if let Some(region) = self.regions.get(guess)
            && region.direct
        {
            let offset = address.wrapping_sub(region.base) as usize;
            if let Some(bytes) = region.bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>()) {
                return Some(*bytes);
            }
        }
        self.read_elsewhere(address)
    }

    fn read_elsewhere<const N: usize>(&mut self, address: u32) -> Option<[u8; N]> {
        let (index, offset) = self.find(address, N)?;
        if self.is_watched(address, N, WatchKind::Read) {
            return None;
        }
        match (self.regions[index].timed, self.regions[index].writable) {
            (false, _) => {}
            (true, true) => self.memory.access_ram(address, false),
            (true, false) => self.memory.read_flash(address),
        }
        self.regions[index].bytes[offset..].first_chunk::<N>().copied()
    }

    #[inline(always)]
    pub(super) fn write<const N: usize>(&mut self, address: u32, value: [u8; N]) -> Result<(), FaultKind> {
        let guess = self.first_guess[(address >> SLOT_SHIFT) as usize] as usize;
        if let Some(region) = self.regions.get_mut(guess)
            && region.writable
            && region.direct
            && region.code_lines.is_empty()
        {
            let offset = address.wrapping_sub(region.base) as usize;
            if let Some(bytes) = region.bytes.get_mut(offset..).and_then(|rest| rest.first_chunk_mut::<N>()) {
                *bytes = value;
                return Ok(());
            }
        }
        self.write_elsewhere(address, &value)
    }

    fn write_elsewhere(&mut self, address: u32, value: &[u8]) -> Result<(), FaultKind> {
        let (index, offset) = self.find(address, value.len()).ok_or(FaultKind::UnmappedWrite)?;
        if self.is_watched(address, value.len(), WatchKind::Write) {
            return Err(FaultKind::UnmappedWrite);
        }
        let region = &mut self.regions[index];
        if !region.writable {
            return Err(FaultKind::ReadOnlyWrite);
        }
        self.code_changed |= region.holds_code(offset, value.len());
        region.bytes[offset..offset + value.len()].copy_from_slice(value);
        if region.timed {
            self.memory.access_ram(address, true);
        }
        Ok(())
    }

    /// Code, without any timing.
    pub(super) fn code(&self, address: u32) -> Option<u16> {
        let (index, offset) = self.find(address, 2)?;
        self.regions[index].bytes[offset..].first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// Whether instructions at `address` come from flash.
    pub(super) fn is_flash(&self, address: u32) -> bool {
        self.find(address, 2).is_some_and(|(index, _)| !self.regions[index].writable)
    }

    /// Host read; fails unless all bytes lie in one region.
    pub(super) fn host_read(&self, address: u32, into: &mut [u8]) -> Result<(), BusError> {
        let (index, offset) = self.find(address, into.len()).ok_or(BusError { address, length: into.len() })?;
        into.copy_from_slice(&self.regions[index].bytes[offset..offset + into.len()]);
        Ok(())
    }

    /// Host write, to flash too; fails unless all bytes lie in one region.
    pub(super) fn host_write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BusError> {
        let (index, offset) = self.find(address, bytes.len()).ok_or(BusError { address, length: bytes.len() })?;
        let region = &mut self.regions[index];
        self.code_changed |= !region.writable || region.holds_code(offset, bytes.len());
        region.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// Notes that code of `length` bytes at `address` was decoded, so that stores to it are noticed.
    pub(super) fn mark_code(&mut self, address: u32, length: u32) {
        let Some((index, offset)) = self.find(address, length as usize) else { return };
        let region = &mut self.regions[index];
        if region.writable {
            region.code_lines.resize((region.bytes.len() >> CODE_LINE_SHIFT) + 1, false);
            let last = (offset + (length as usize).max(1) - 1) >> CODE_LINE_SHIFT;
            region.code_lines[offset >> CODE_LINE_SHIFT..=last].fill(true);
        }
    }

    /// Forgets all marks: the block cache was emptied.
    pub(super) fn unmark_code(&mut self) {
        self.code_changed = false;
        self.regions.iter_mut().for_each(|region| region.code_lines.clear());
    }

    /// Base and size of every region, in the caller's order.
    pub(super) fn extents(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        self.regions.iter().map(|region| (region.base, region.bytes.len()))
    }
}

impl Region {
    fn holds_code(&self, offset: usize, length: usize) -> bool {
        let last = (offset + length.max(1) - 1) >> CODE_LINE_SHIFT;
        self.code_lines.get(offset >> CODE_LINE_SHIFT..=last).is_some_and(|lines| lines.contains(&true))
    }
}
