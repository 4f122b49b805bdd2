//! A guest image: harness, snippets and states, as memory contents and as an ELF file.

use super::harness;
use super::random::Random;
use super::snippet::{self, CONTEXT, Snippet};
use super::state::State;
use super::{data, dsp, floating, flow, memory, multiple};

/// Some snippets, with the same number of states each.
#[derive(Clone, Debug)]
pub struct Image {
    /// In the order of their addresses.
    pub snippets: Vec<Snippet>,
    shift: u32,
}

/// Which instructions an image tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Data processing, multiplication and SIMD.
    Integer,
    /// Loads, stores and branches.
    Memory,
    /// Floating point.
    Float,
}

impl Image {
    /// `encodings` encodings of every row of `family`, with `1 << shift` states each.
    ///
    /// # Panics
    /// That is more than the board's memory holds.
    pub fn generate(family: Family, seed: u64, encodings: usize, shift: u32) -> Self {
        let mut random = Random::new(seed ^ (family as u64) << 32);
        let mut snippets: Vec<Snippet> = Vec::new();
        let rows = match family {
            Family::Integer => [data::ROWS, dsp::ROWS],
            Family::Memory => [memory::ROWS, multiple::ROWS],
            Family::Float => [floating::ROWS, &[]],
        };
        let flows = if family == Family::Memory { flow::FLOWS } else { &[] };
        for _ in 0..encodings {
            for row in rows.into_iter().flatten() {
                let start = harness::SNIPPETS + snippet::STRIDE * snippets.len() as u32;
                snippets.push(snippet::from_row(row, start, 1 << shift, &mut random));
            }
            for flow in flows {
                let start = harness::SNIPPETS + snippet::STRIDE * snippets.len() as u32;
                snippets.push(flow::snippet(flow, start, 1 << shift, &mut random));
            }
        }
        let image = Self { snippets, shift };
        assert!(image.cases() as u32 <= harness::STATES_BYTES / harness::STATE_BYTES, "too many cases for one image");
        image
    }

    /// Number of states, over all snippets.
    pub fn cases(&self) -> usize {
        self.snippets.len() << self.shift
    }

    /// The snippet and the start state of one case.
    pub fn case(&self, index: usize) -> (&Snippet, &State) {
        let snippet = &self.snippets[index >> self.shift];
        (snippet, &snippet.inputs[index & ((1 << self.shift) - 1)])
    }

    /// Addresses and contents of all memory that is not zero.
    pub fn segments(&self) -> [(u32, Vec<u8>); 3] {
        let mut code = harness::code(self.shift);
        self.snippets.iter().for_each(|snippet| code.extend_from_slice(&snippet.code));
        code.extend_from_slice(&[0; 0x1000]); // literals lie up to 4 KiB ahead
        let states = self.snippets.iter().flat_map(|snippet| &snippet.inputs).flat_map(|state| state.0);
        [
            (0, code.iter().flat_map(|halfword| halfword.to_le_bytes()).collect()),
            (CONTEXT, harness::context(self.cases() as u32)),
            (harness::STATES, states.flat_map(u32::to_le_bytes).collect()),
        ]
    }

    /// The image as an executable for Arm.
    pub fn elf(&self) -> Vec<u8> {
        const HEADER: usize = 52;
        const PROGRAM_HEADER: usize = 32;
        let segments = self.segments();
        let entry = u32::from_le_bytes([segments[0].1[4], segments[0].1[5], segments[0].1[6], segments[0].1[7]]);
        let mut elf = b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let halves =
            |elf: &mut Vec<u8>, values: &[u16]| values.iter().for_each(|value| elf.extend_from_slice(&value.to_le_bytes()));
        let words =
            |elf: &mut Vec<u8>, values: &[u32]| values.iter().for_each(|value| elf.extend_from_slice(&value.to_le_bytes()));
        halves(&mut elf, &[2, 40]); // executable, Arm
        words(&mut elf, &[1, entry, HEADER as u32, 0, 0x0500_0000]);
        halves(&mut elf, &[HEADER as u16, PROGRAM_HEADER as u16, segments.len() as u16, 0, 0, 0]);
        let mut offset = HEADER + PROGRAM_HEADER * segments.len();
        for (address, bytes) in &segments {
            let length = bytes.len() as u32;
            words(&mut elf, &[1, offset as u32, *address, *address, length, length, 7, 4]);
            offset += bytes.len();
        }
        segments.iter().for_each(|(_, bytes)| elf.extend_from_slice(bytes));
        elf
    }
}
