//! The seeded source of every choice, and operands that are likely to matter.

/// SplitMix64: the same numbers from the same seed, on every host.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) >> 32) as u32
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(limit)) >> 32) as u32
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of `values`, which are not empty.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u32) as usize]
    }

    /// An integer operand: corners of the word, of its halves and bytes, small numbers (shift amounts), or anything.
    pub fn integer(&mut self) -> u32 {
        match self.below(8) {
            0 => self.pick(&CORNERS),
            1 => self.pick(&CORNERS).wrapping_add(self.below(5)).wrapping_sub(2),
            2 => self.pick(&HALVES) << 16 | self.pick(&HALVES),
            3 => u32::from_le_bytes([0; 4].map(|_: u8| self.pick(&BYTES))),
            4 => self.below(68),
            5 => self.word() & 0xFFFF_FF00 | self.pick(&SHIFTS),
            _ => self.word(),
        }
    }

    /// Bits of a single-precision operand: special values, a wide and a moderate range of exponents, integers and their halves.
    pub fn float(&mut self) -> u32 {
        let sign = self.word() & 0x8000_0000;
        match self.below(10) {
            0 | 1 => self.pick(&SPECIAL) | sign,
            2 => self.word() & 0x007F_FFFF | sign, // zero or denormal
            3 => self.word(),
            4 => (self.below(60) + 97) << 23 | self.word() & 0x007F_FFFF | sign,
            5 => ((self.below(1 << 12) as f32) * 0.25).to_bits() | sign,
            6 => ((self.pick(&CORNERS).wrapping_add(self.below(5)).wrapping_sub(2)) as f32).to_bits() | sign,
            7 => (self.pick(&EXPONENTS) + self.below(3)) << 23 | self.pick(&FRACTIONS) | sign,
            _ => (self.below(6) + 124) << 23 | self.word() & 0x007F_FFFF | sign,
        }
    }

    /// A neighbour of `bits`: the same number, its negative, or off by a unit in the last place, so that sums cancel and comparisons tie.
    pub fn near(&mut self, bits: u32) -> u32 {
        match self.below(4) {
            0 => bits,
            1 => bits ^ 0x8000_0000,
            2 => bits.wrapping_add(1),
            _ => bits.wrapping_sub(1) ^ 0x8000_0000,
        }
    }
}

const CORNERS: [u32; 16] = [
    0,
    1,
    2,
    0xFFFF_FFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0x8000_0001,
    0x4000_0000,
    0xC000_0000,
    0x0000_8000,
    0x0000_7FFF,
    0x0001_0000,
    0xFFFF_8000,
    0x8000_8000,
    0x5555_5555,
    0xAAAA_AAAA,
];
const HALVES: [u32; 8] = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x00FF, 0x4000];
const BYTES: [u8; 8] = [0, 1, 0x7F, 0x80, 0x81, 0xFF, 0x40, 0x3C];
/// A register's low byte as a shift amount: where shifts change their nature.
const SHIFTS: [u32; 10] = [0, 1, 16, 31, 32, 33, 63, 64, 128, 255];

/// Positive bits; the sign comes from elsewhere.
const SPECIAL: [u32; 16] = [
    0,           // zero
    1,           // smallest denormal
    0x007F_FFFF, // largest denormal
    0x0080_0000, // smallest normal
    0x0080_0001,
    0x7F7F_FFFF, // largest finite
    0x7F80_0000, // infinity
    0x7FC0_0000, // the default NaN
    0x7FC1_2345, // a quiet NaN
    0x7F80_0001, // signalling NaNs
    0x7FA5_5555,
    0x3F80_0000, // one
    0x3F7F_FFFF,
    0x3F80_0001,
    0x477F_E000, // largest half-precision number
    0x477F_F000, // the first to overflow half precision
];
/// Where single and half precision begin and end, and where fractions and integers of 16 and 32 bits do.
const EXPONENTS: [u32; 12] = [0, 22, 62, 101, 111, 125, 140, 148, 156, 189, 230, 252];
const FRACTIONS: [u32; 6] = [0, 0x7F_FFFF, 0x40_0000, 0x00_1000, 0x00_0FFF, 0x7F_F000];
