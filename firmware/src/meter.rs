//! Cycles in 64 bits, in total and per region.

use crate::board;
use core::cell::Cell;
use fathom::Probe;
use fathom::format::record::Region;

/// Adds up what the 32-bit counter shows from one border to the next: exact while borders are less than 2^32 cycles apart.
pub struct Meter {
    last: Cell<u32>,
    total: Cell<u64>,
    region: Cell<Region>,
    regions: [Cell<u64>; Region::ALL.len()],
}

impl Meter {
    /// Starts the counter. What ran before, from reset to `main`, only cleared and copied statics.
    pub fn start() -> Self {
        board::start_cycle_counter();
        Self {
            last: Cell::new(board::cycles()),
            total: Cell::new(0),
            region: Cell::new(Region::Other),
            regions: [const { Cell::new(0) }; Region::ALL.len()],
        }
    }

    /// Cycles since the start.
    pub fn now(&self) -> u64 {
        let count = board::cycles();
        let passed = u64::from(count.wrapping_sub(self.last.replace(count)));
        self.total.set(self.total.get() + passed);
        let region = &self.regions[self.region.get() as usize];
        region.set(region.get() + passed);
        self.total.get()
    }

    /// Forgets what regions took so far.
    pub fn clear_regions(&self) {
        self.now();
        self.regions.iter().for_each(|region| region.set(0));
    }

    /// Cycles per region since [`Meter::clear_regions`], in the order of [`Region::ALL`].
    pub fn regions(&self) -> [u64; Region::ALL.len()] {
        self.now();
        self.regions.each_ref().map(Cell::get)
    }

    /// What comes belongs to `region`.
    pub fn enter(&self, region: Region) {
        self.now();
        self.region.set(region);
    }
}

impl Probe for &Meter {
    fn enter(&mut self, region: Region) {
        Meter::enter(self, region);
    }
}
