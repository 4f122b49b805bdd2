//! What memory adds to a run: flash behind buffers, prefetch and caches, main memory behind a cache. Caches are simulated line by line.
//!
//! One access at a time: instruction fetch and data reads take turns as the program makes them, and a read of the array that is still
//! under way is waited for. Not modelled: traffic of other bus masters, write-backs, and stores, which the write buffer hides.

use super::memory_profile::{CacheShape, FlashTiming, MemoryProfile, RamTiming, Replacement, Sequential};

/// Cycles that the core waited for memory; part of its cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// For instructions.
    pub fetch: u64,
    /// For data.
    pub data: u64,
}

/// What the caches did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Instruction lines that were in a buffer that prefetch filled, or in the cache.
    pub instruction_hits: u64,
    /// Instruction lines that were read from the array.
    pub instruction_misses: u64,
    /// Data accesses that were in the cache.
    pub data_hits: u64,
    /// Data accesses that were not.
    pub data_misses: u64,
}

/// One cache: for each set the numbers of its lines.
struct Cache {
    line_shift: u32,
    set_mask: u32,
    ways: usize,
    replacement: Replacement,
    /// Line numbers plus one, `ways` to a set; the most recently used first under LRU.
    lines: Vec<u32>,
    next: Vec<u32>,
    random: u32,
}

impl Cache {
    fn new(shape: &CacheShape) -> Self {
        let lines = shape.bytes / shape.line_bytes;
        let sets = lines / shape.ways;
        Self {
            line_shift: shape.line_bytes.trailing_zeros(),
            set_mask: sets - 1,
            ways: shape.ways as usize,
            replacement: shape.replacement,
            lines: vec![0; lines as usize],
            next: vec![0; sets as usize],
            random: 1,
        }
    }

    /// Whether the line of `address` is there; if not it takes its place.
    fn access(&mut self, address: u32) -> bool {
        let number = (address >> self.line_shift) + 1;
        let set = ((address >> self.line_shift) & self.set_mask) as usize;
        let lines = &mut self.lines[set * self.ways..][..self.ways];
        if lines[0] == number {
            return true;
        }
        let found = lines.iter().position(|line| *line == number);
        match self.replacement {
            Replacement::Lru => {
                let last = found.unwrap_or(self.ways - 1);
                lines.copy_within(..last, 1);
                lines[0] = number;
            }
            _ if found.is_some() => {}
            Replacement::RoundRobin => {
                let next = &mut self.next[set];
                lines[*next as usize] = number;
                *next = (*next + 1) % self.ways as u32;
            }
            Replacement::Random => {
                self.random ^= self.random << 13;
                self.random ^= self.random >> 17;
                self.random ^= self.random << 5;
                lines[self.random as usize % self.ways] = number;
            }
        }
        found.is_some()
    }

    /// Whether the line of `address` is there, which changes nothing.
    fn holds(&self, address: u32) -> bool {
        let number = (address >> self.line_shift) + 1;
        let set = ((address >> self.line_shift) & self.set_mask) as usize;
        self.lines[set * self.ways..][..self.ways].contains(&number)
    }
}

/// No line has this number: the address space has fewer.
const NO_LINE: u32 = u32::MAX;

struct Flash {
    line_shift: u32,
    wait: u64,
    data_wait: u64,
    next: u64,
    sequential: Option<Sequential>,
    prefetch: bool,
    shared_port: bool,
    instruction_cache: Option<Cache>,
    data_cache: Option<Cache>,
    /// The instruction cache serves data too.
    unified: bool,
    instruction_line: u32,
    data_line: u32,
    prefetched_line: u32,
    prefetched_at: u64,
    /// The array is busy until then.
    free_at: u64,
    /// The line behind the last one that the array brought.
    following_line: u32,
}

struct Ram {
    wait: u64,
    cache: Option<Cache>,
}

/// The memory system of one machine.
pub(super) struct MemorySystem {
    flash: Option<Flash>,
    ram: Option<Ram>,
    pub(super) stalls: Stalls,
    pub(super) counts: CacheCounts,
    /// The cycle at hand, kept by the run loop.
    pub(super) now: u64,
}

impl MemorySystem {
    pub(super) fn new(profile: &MemoryProfile) -> Self {
        Self {
            flash: profile.flash.as_ref().filter(|flash| flash.wait_cycles > 0).map(Flash::new),
            ram: profile.ram.as_ref().filter(|ram| ram.wait_cycles > 0).map(Ram::new),
            stalls: Stalls::default(),
            counts: CacheCounts::default(),
            now: 0,
        }
    }

    pub(super) fn times_flash(&self) -> bool {
        self.flash.is_some()
    }

    pub(super) fn times_ram(&self) -> bool {
        self.ram.is_some()
    }

    /// Bits below a line of the array, for the run loop to see where a new one begins.
    pub(super) fn line_shift(&self) -> u32 {
        self.flash.as_ref().map_or(31, |flash| flash.line_shift)
    }

    /// The core fetches from another line of flash than before.
    pub(super) fn fetch(&mut self, address: u32) {
        let Some(flash) = &mut self.flash else { return };
        let stall = flash.fetch(address, self.now, &mut self.counts);
        self.stalls.fetch += stall;
        self.now += stall;
    }

    /// The core reads data from flash.
    pub(super) fn read_flash(&mut self, address: u32) {
        let Some(flash) = &mut self.flash else { return };
        let stall = flash.read(address, self.now, &mut self.counts);
        self.stalls.data += stall;
        self.now += stall;
    }

    /// The core reads or writes main memory.
    pub(super) fn access_ram(&mut self, address: u32, write: bool) {
        let Some(ram) = &mut self.ram else { return };
        let hit = ram.cache.as_mut().is_some_and(|cache| cache.access(address));
        match hit {
            true => self.counts.data_hits += 1,
            false => self.counts.data_misses += 1,
        }
        if !hit && !write {
            self.stalls.data += ram.wait;
            self.now += ram.wait;
        }
    }
}

impl Flash {
    fn new(timing: &FlashTiming) -> Self {
        let unified = timing.unified_cache.as_ref();
        Self {
            line_shift: timing.line_bytes.trailing_zeros(),
            wait: timing.wait_cycles.into(),
            data_wait: timing.data_wait_cycles.unwrap_or(timing.wait_cycles).into(),
            sequential: timing.sequential,
            next: timing.next_cycles.unwrap_or(timing.wait_cycles).into(),
            prefetch: timing.prefetch,
            shared_port: timing.shared_port.unwrap_or(true),
            instruction_cache: unified.or(timing.instruction_cache.as_ref()).map(Cache::new),
            data_cache: timing.data_cache.as_ref().filter(|_| unified.is_none()).map(Cache::new),
            unified: unified.is_some(),
            instruction_line: NO_LINE,
            data_line: NO_LINE,
            prefetched_line: NO_LINE,
            prefetched_at: 0,
            free_at: 0,
            following_line: NO_LINE,
        }
    }

    /// Cycles until the array has brought the line of `address`, or the whole line of the cache that asked for it, `wait` for the first.
    fn read_array(&mut self, address: u32, now: u64, wait: u64, cache_line_shift: Option<u32>) -> u64 {
        let shift = cache_line_shift.map_or(0, |shift| shift.saturating_sub(self.line_shift));
        let first = address >> self.line_shift >> shift << shift;
        let wait = match self.sequential {
            Some(sequential) if first == self.following_line && now <= self.free_at + u64::from(sequential.within_cycles) => {
                sequential.wait_cycles.into()
            }
            _ => wait,
        };
        let start = if self.shared_port { now.max(self.free_at) } else { now };
        self.free_at = start + wait + ((1 << shift) - 1) * self.next;
        self.following_line = first + (1 << shift);
        self.free_at - now
    }

    /// Stall of an instruction fetch that leaves its line.
    fn fetch(&mut self, address: u32, now: u64, counts: &mut CacheCounts) -> u64 {
        let line = address >> self.line_shift;
        if line == self.instruction_line {
            return 0;
        }
        self.instruction_line = line;
        let prefetched = self.prefetch && line == self.prefetched_line;
        // A line that prefetch brings enters the cache when it is used. RM0090 leaves that open, published scores do not: an STM32F4
        // reaches 566 CoreMark at 168 MHz, 3.37 per MHz, so 5 wait states cost it about 1% of what the core does without any.
        let cached = self.instruction_cache.as_mut().is_some_and(|cache| cache.access(address)) && !prefetched;
        let stall = if prefetched {
            counts.instruction_hits += 1;
            self.prefetched_at.saturating_sub(now)
        } else if cached {
            counts.instruction_hits += 1;
            0
        } else {
            counts.instruction_misses += 1;
            let shift = self.instruction_cache.as_ref().map(|cache| cache.line_shift);
            self.read_array(address, now, self.wait, shift)
        };
        if self.prefetch {
            let next = (line + 1) << self.line_shift;
            if !self.instruction_cache.as_ref().is_some_and(|cache| cache.holds(next)) && self.prefetched_line != line + 1 {
                // Started in the first cycle of this line, the read takes that cycle and the waits.
                let ready = self.read_array(next, now + stall, self.wait + 1, None);
                self.prefetched_line = line + 1;
                self.prefetched_at = now + stall + ready;
            }
        }
        stall
    }

    /// Stall of a data read.
    fn read(&mut self, address: u32, now: u64, counts: &mut CacheCounts) -> u64 {
        let line = address >> self.line_shift;
        if line == self.data_line {
            counts.data_hits += 1;
            return 0;
        }
        let cache = if self.unified { &mut self.instruction_cache } else { &mut self.data_cache };
        let shift = cache.as_ref().map(|cache| cache.line_shift);
        // A buffer behind a cache would only repeat what the cache knows.
        if cache.is_none() {
            self.data_line = line;
        }
        if cache.as_mut().is_some_and(|cache| cache.access(address)) {
            counts.data_hits += 1;
            return 0;
        }
        counts.data_misses += 1;
        self.read_array(address, now, self.data_wait, shift)
    }
}

impl Ram {
    fn new(timing: &RamTiming) -> Self {
        Self { wait: timing.wait_cycles.into(), cache: timing.data_cache.as_ref().map(Cache::new) }
    }
}
