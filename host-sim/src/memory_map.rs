//! What memory a board has: that of the project's firmware, or one made to fit an image.

use crate::image::{Image, Segment};
use crate::machine::{RegionKind, RegionSpec};
use std::fmt;
use std::ops::Range;

/// Flash of the firmware's board: code first, then the model's own region, whose borders are the image's symbols `_model_start` and
/// `_model_end`. The map is that of QEMU's `mps2-an386`, cut to the sizes of an nRF52840-class chip.
pub const FLASH: Range<u32> = 0x0000_0000..0x0010_0000;
/// Main memory of the firmware's board.
pub const RAM: Range<u32> = 0x2000_0000..0x2004_0000;

/// Address bits that choose one of the windows in which segments share a region: 16 MiB.
const WINDOW: u32 = 0xFF00_0000;
/// Flash that a window has at least.
const LEAST_FLASH: u32 = 1 << 20;
/// Where main memory lies on almost every Cortex-M, and how much of it there is unless the image or the user wants more.
const MAIN_RAM: Extent = Extent { base: 0x2000_0000, size: 1 << 20 };
/// Most memory of a board, so that no image makes the host allocate without bound.
const MOST_MEMORY: u64 = 256 << 20;
/// Most regions of a board.
const MOST_REGIONS: usize = 32;
/// Names that start-up codes give to the vector table: cortex-m-rt, CMSIS, STM32, Pico, Zephyr.
const VECTOR_TABLES: [&str; 8] = [
    "__vector_table",
    "__isr_vector",
    "g_pfnVectors",
    "__Vectors",
    "__vectors",
    "_vector_table",
    "vector_table",
    "_vector_start",
];

/// A range of addresses as the command line gives it: `BASE:SIZE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Address of the first byte.
    pub base: u32,
    /// Bytes, at least 1; it ends within 32 bits of address.
    pub size: u32,
}

impl Extent {
    /// Address behind the last byte.
    fn end(self) -> u64 {
        u64::from(self.base) + u64::from(self.size)
    }

    fn holds(self, base: u32, size: u32) -> bool {
        base >= self.base && u64::from(base) + u64::from(size) <= self.end()
    }
}

impl std::str::FromStr for Extent {
    type Err = String;

    /// `0x08000000:512K`, `0x20000000:0x20000`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("{text} is not BASE:SIZE such as 0x20000000:256K");
        let (base, size) = text.split_once(':').ok_or_else(wanted)?;
        let base = number(base).and_then(|base| u32::try_from(base).ok()).ok_or_else(wanted)?;
        let (digits, shift) = match size.trim_end_matches(['B', 'b']).trim_end_matches('i') {
            kibi if kibi.ends_with(['K', 'k']) => (&kibi[..kibi.len() - 1], 10),
            mebi if mebi.ends_with(['M', 'm']) => (&mebi[..mebi.len() - 1], 20),
            _ => (size, 0),
        };
        let size = number(digits).and_then(|size| size.checked_mul(1 << shift)).ok_or_else(wanted)?;
        if size == 0 || u64::from(base).saturating_add(size) > 1 << 32 || size > MOST_MEMORY {
            return Err(format!("{text} must have between 1 byte and {} MiB, and end within 4 GiB", MOST_MEMORY >> 20));
        }
        Ok(Self { base, size: size as u32 })
    }
}

/// Reads `0x...` or decimal digits, `_` between them allowed.
pub fn number(text: &str) -> Option<u64> {
    let digits: String = text.trim().chars().filter(|character| *character != '_').collect();
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// What the user wants of the memory map; what is not said comes from the image.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The flash regions, instead of those that fit the image.
    pub flash: Vec<Extent>,
    /// The RAM regions, instead of 1 MiB at 0x20000000 and what else the image needs.
    pub ram: Vec<Extent>,
    /// Where the vector table lies.
    pub vector_table: Option<u32>,
}

/// Why no memory map fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The regions take too much.
    TooLarge {
        /// Bytes of all regions.
        bytes: u64,
    },
    /// The segments are spread too far.
    TooMany {
        /// Regions wanted.
        regions: usize,
    },
    /// Two regions overlap.
    Overlap {
        /// Base of the second.
        base: u32,
    },
    /// Something of the image lies in no region.
    Outside {
        /// Its address.
        address: u32,
        /// Its bytes.
        bytes: u32,
    },
    /// The image lies where system registers or devices are.
    Devices {
        /// Address of the segment.
        address: u32,
    },
    /// There is no vector table at its address.
    NoVectorTable {
        /// The address.
        address: u32,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLarge { bytes } => {
                let most = MOST_MEMORY >> 20;
                write!(f, "the image needs {} MiB of memory, a board has at most {most}: check its linker script", bytes >> 20)
            }
            Self::TooMany { regions } => {
                write!(
                    f,
                    "the image needs {regions} regions of memory, a board has at most {MOST_REGIONS}: check its linker script"
                )
            }
            Self::Overlap { base } => write!(f, "the region at {base:#010x} overlaps another: check --flash and --ram"),
            Self::Outside { address, bytes } => {
                write!(f, "{bytes} bytes at {address:#010x} lie outside the board's memory: give it with --flash or --ram")
            }
            Self::Devices { address } => {
                write!(f, "a segment at {address:#010x} lies where a Cortex-M has devices: check the linker script")
            }
            Self::NoVectorTable { address } => {
                write!(f, "no vector table at {address:#010x}: say where it lies with --vector-table")
            }
        }
    }
}

impl std::error::Error for MapError {}

/// Memory regions and the place of the vector table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryMap {
    /// The regions; none overlaps another.
    pub regions: Vec<RegionSpec>,
    /// Address of the vector table that reset uses.
    pub vector_table: u32,
}

impl MemoryMap {
    /// The map of the project's firmware, `firmware/memory.x`.
    pub fn firmware() -> Self {
        let region = |range: Range<u32>, kind| RegionSpec { base: range.start, size: range.end - range.start, kind };
        Self { regions: vec![region(FLASH, RegionKind::Flash), region(RAM, RegionKind::Ram)], vector_table: FLASH.start }
    }

    /// A map that fits an image.
    ///
    /// Memory that the image loads below 0x20000000 becomes flash, in windows of 16 MiB from the address at which chips have it; what it
    /// writes to in place becomes RAM.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn fitting(image: &Image, wishes: &Wishes) -> Result<Self, MapError> {
        let mut windows: Vec<Window> = Vec::new();
        for (base, size, writable) in image.segments.iter().flat_map(uses) {
            // Peripherals at 0x4000_0000, devices at 0xA000_0000, the system at 0xE000_0000.
            if matches!(base >> 29, 0b010 | 0b101 | 0b110 | 0b111) {
                return Err(MapError::Devices { address: base });
            }
            add(&mut windows, base, size, writable);
        }
        let named = || VECTOR_TABLES.iter().find_map(|name| image.symbol(name));
        let vector_table = wishes.vector_table.or_else(named).unwrap_or(image.lowest);
        // A stack may lie in memory that nothing else of the image uses.
        if let Some(top) = image.word(vector_table).filter(|top| (0x100..MAIN_RAM.base << 1).contains(top))
            && !windows.iter().any(|window| window.first & WINDOW == (top - 8) & WINDOW)
        {
            add(&mut windows, top - 8, 8, true);
        }
        let mut regions: Vec<RegionSpec> = Vec::new();
        let chosen = |extents: &[Extent], kind| -> Vec<RegionSpec> {
            extents.iter().map(|extent| RegionSpec { base: extent.base, size: extent.size, kind }).collect()
        };
        regions.extend(chosen(&wishes.flash, RegionKind::Flash));
        regions.extend(chosen(&wishes.ram, RegionKind::Ram));
        if wishes.ram.is_empty() {
            add(&mut windows, MAIN_RAM.base, MAIN_RAM.size, true);
        }
        let given = |writable: bool| !if writable { &wishes.ram } else { &wishes.flash }.is_empty();
        regions.extend(windows.iter().filter(|window| !given(window.writable)).map(Window::region));
        regions.sort_by_key(|region| region.base);

        let bytes = regions.iter().map(|region| u64::from(region.size)).sum();
        if bytes > MOST_MEMORY {
            return Err(MapError::TooLarge { bytes });
        }
        if regions.len() > MOST_REGIONS {
            return Err(MapError::TooMany { regions: regions.len() });
        }
        let overlaps = |pair: &&[RegionSpec]| u64::from(pair[0].base) + u64::from(pair[0].size) > u64::from(pair[1].base);
        if let Some(pair) = regions.windows(2).find(overlaps) {
            return Err(MapError::Overlap { base: pair[1].base });
        }
        let holds = |base, size| regions.iter().any(|region| Extent { base: region.base, size: region.size }.holds(base, size));
        for (address, bytes, _) in image.segments.iter().flat_map(uses) {
            if !holds(address, bytes) {
                return Err(MapError::Outside { address, bytes });
            }
        }
        if !vector_table.is_multiple_of(4) || !holds(vector_table, 8) {
            return Err(MapError::NoVectorTable { address: vector_table });
        }
        Ok(Self { regions, vector_table })
    }
}

/// The memory that a segment needs: where it is loaded, and where it runs if that is elsewhere; with whether the guest writes there.
fn uses(segment: &Segment) -> impl Iterator<Item = (u32, u32, bool)> {
    let in_place = segment.address == segment.runs_at;
    let loaded = (segment.address, segment.bytes.len() as u32, in_place && segment.writable);
    let runs = (segment.runs_at, segment.memory_bytes, segment.writable);
    [loaded, runs].into_iter().filter(|(_, size, _)| *size > 0)
}

/// What an image uses within 16 MiB of addresses.
struct Window {
    /// The first and the last byte used.
    first: u32,
    last: u32,
    writable: bool,
}

fn add(windows: &mut Vec<Window>, base: u32, size: u32, writable: bool) {
    let last = base + (size - 1);
    // From 0x2000_0000 on there is RAM, even if this image only reads it.
    let writable = writable || base >= MAIN_RAM.base;
    match windows.iter_mut().find(|window| window.first & WINDOW == base & WINDOW) {
        Some(window) => {
            window.first = window.first.min(base);
            window.last = window.last.max(last);
            window.writable |= writable;
        }
        None => windows.push(Window { first: base, last, writable }),
    }
}

impl Window {
    fn region(&self) -> RegionSpec {
        let kind = if self.writable { RegionKind::Ram } else { RegionKind::Flash };
        let base = self.first & WINDOW;
        let least = if base == MAIN_RAM.base { MAIN_RAM.size } else { LEAST_FLASH };
        let size = (self.last - base).max(least - 1) | 0xFFFF; // whole 64 KiB, less one
        RegionSpec { base, size: size.saturating_add(1), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_have_units_and_bounds() {
        assert_eq!("0x20000000:256K".parse(), Ok(Extent { base: 0x2000_0000, size: 256 << 10 }));
        assert_eq!("0x0800_0000:1MiB".parse(), Ok(Extent { base: 0x0800_0000, size: 1 << 20 }));
        assert_eq!("0:4096".parse(), Ok(Extent { base: 0, size: 4096 }));
        for bad in ["", ":", "0", "0:0", "0xfffff000:0x2000", "0:1G", "-1:4", "0:99999999999999999999", "0:0x7fffffffffffffK"] {
            assert!(bad.parse::<Extent>().is_err(), "{bad}");
        }
    }
}
