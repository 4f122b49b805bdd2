//! Cycles in 64 bits: in total, per region and per block.

use crate::cycle_counter;
use core::cell::Cell;
use fathom::Probe;
use fathom::format::header::MAX_BLOCKS;
use fathom::format::record::Region;

/// Cycles per region, in the order of [`Region::ALL`].
type Regions = [Cell<u64>; Region::ALL.len()];

/// Adds up what the 32-bit counter shows from one border to the next: exact while borders are less than 2^32 cycles apart.
pub struct Meter {
    last: Cell<u32>,
    total: Cell<u64>,
    region: Cell<Region>,
    place: Cell<usize>,
    places: [Regions; 1 + MAX_BLOCKS], // outside of all blocks, then block by block
}

impl Meter {
    /// A meter of zeros, to be started.
    pub const fn stopped() -> Self {
        Self {
            last: Cell::new(0),
            total: Cell::new(0),
            region: Cell::new(Region::Other),
            place: Cell::new(0),
            places: [const { [const { Cell::new(0) }; Region::ALL.len()] }; 1 + MAX_BLOCKS],
        }
    }

    /// Starts the counter. What ran before, from reset to `main`, only cleared and copied statics.
    pub fn start(&self) {
        cycle_counter::start();
        self.last.set(cycle_counter::cycles());
    }

    /// Cycles since the start.
    pub fn now(&self) -> u64 {
        let count = cycle_counter::cycles();
        let passed = u64::from(count.wrapping_sub(self.last.replace(count)));
        self.total.set(self.total.get() + passed);
        if let Some(regions) = self.places.get(self.place.get()) {
            let region = &regions[self.region.get() as usize];
            region.set(region.get() + passed);
        }
        self.total.get()
    }

    /// Forgets what regions took so far.
    pub fn clear_regions(&self) {
        self.now();
        self.places.iter().flatten().for_each(|region| region.set(0));
    }

    /// Cycles per region since [`Meter::clear_regions`], in the order of [`Region::ALL`]: outside of all blocks, or within one.
    pub fn regions(&self, block: Option<usize>) -> [u64; Region::ALL.len()] {
        self.now();
        self.places.get(place(block)).map_or([0; _], |regions| regions.each_ref().map(Cell::get))
    }

    /// What comes belongs to `region`, outside of all blocks or within one.
    pub fn enter(&self, region: Region, block: Option<usize>) {
        self.now();
        self.region.set(region);
        self.place.set(place(block));
    }
}

/// Index into [`Meter::places`].
fn place(block: Option<usize>) -> usize {
    block.map_or(0, |block| 1 + block)
}

impl Probe for &Meter {
    fn enter(&mut self, region: Region, block: Option<usize>) {
        Meter::enter(self, region, block);
    }
}
