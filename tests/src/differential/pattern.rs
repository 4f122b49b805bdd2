//! Encodings as text: `0` and `1` are fixed, a letter names a field.
//!
//! A lower-case letter of `dnmtaulhe` is a core register; a field of four bits never becomes 13 or 15, whose uses have rows of their
//! own. Any other letter is free. The bits of a field may lie apart: its value has them in the order of the text.

use super::random::Random;

const REGISTER_LETTERS: &[u8] = b"dnmtaulhe";

/// One encoding of one row: the bits, and what its fields became.
#[derive(Clone, Copy, Debug)]
pub struct Encoding {
    pattern: &'static str,
    bits: u32,
    wide: bool,
}

impl Encoding {
    /// Fills the fields of `pattern` at random until `allowed` agrees.
    ///
    /// # Panics
    /// The pattern has neither 16 nor 32 bits, or the condition is never met.
    pub fn choose(pattern: &'static str, random: &mut Random, allowed: fn(&Encoding) -> bool) -> Self {
        for _ in 0..100_000 {
            let encoding = Self::fill(pattern, random);
            if encoding.registers_are_general() && allowed(&encoding) {
                return encoding;
            }
        }
        panic!("no encoding of {pattern} meets its condition");
    }

    fn fill(pattern: &'static str, random: &mut Random) -> Self {
        let (mut bits, mut length) = (0, 0);
        for letter in letters(pattern) {
            let bit = match letter {
                b'0' => 0,
                b'1' => 1,
                _ => random.word() >> 31,
            };
            (bits, length) = (bits << 1 | bit, length + 1);
        }
        assert!(length == 16 || length == 32, "{pattern} has {length} bits");
        Self { pattern, bits, wide: length == 32 }
    }

    fn registers_are_general(&self) -> bool {
        REGISTER_LETTERS.iter().all(|&letter| !self.has(letter) || !matches!(self.get(letter), 13 | 15))
    }

    /// Whether there is such a field.
    pub fn has(&self, letter: u8) -> bool {
        letters(self.pattern).any(|found| found == letter)
    }

    /// Value of a field; zero if there is none.
    pub fn get(&self, letter: u8) -> u32 {
        let top = if self.wide { 31 } else { 15 };
        let field = letters(self.pattern).enumerate().filter(|&(_, found)| found == letter);
        field.fold(0, |value, (index, _)| value << 1 | self.bits >> (top - index) & 1)
    }

    /// The halfwords in the order of memory.
    pub fn halfwords(&self) -> Vec<u16> {
        if self.wide { vec![(self.bits >> 16) as u16, self.bits as u16] } else { vec![self.bits as u16] }
    }
}

fn letters(pattern: &str) -> impl Iterator<Item = u8> + '_ {
    pattern.bytes().filter(|byte| *byte != b' ')
}

/// The condition of rows without one.
pub fn any(_: &Encoding) -> bool {
    true
}
