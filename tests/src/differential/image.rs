//! A guest image: harness, snippets and states, as memory contents and as an ELF file.

use super::board::{Board, STATES_BYTES};
use super::harness::{self, Plan};
use super::pattern::Encoding;
use super::random::Random;
use super::row::{Kind, Needs, Row};
use super::snippet::{self, CONTEXT, Snippet};
use super::state::State;
use super::{data, dsp, floating, flow, limits, memory, missing, multiple};

/// Some snippets, with the same number of states each.
#[derive(Clone, Debug)]
pub struct Image {
    /// In the order of their addresses.
    pub snippets: Vec<Snippet>,
    /// What the harness is made for.
    pub plan: Plan,
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
    /// Instructions that the core lacks: every case is a fault.
    Missing,
    /// The same for those that QEMU is lenient about.
    Lenient,
    /// Floating point while CPACR denies it: every case is a fault.
    FloatOff,
    /// Accesses off an alignment that the core demands: every case is a fault.
    Misaligned,
    /// Unaligned accesses and divisions by zero while CCR traps them: every case is a fault.
    Trapped,
    /// Jumps to even addresses: every case is a fault.
    Even,
    /// Writes of the stack pointer while it has a limit: some cases are faults.
    StackLimit,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 10] = [
        Self::Integer,
        Self::Memory,
        Self::Float,
        Self::Missing,
        Self::Lenient,
        Self::FloatOff,
        Self::Misaligned,
        Self::Trapped,
        Self::Even,
        Self::StackLimit,
    ];

    /// Every case is a fault.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Missing | Self::Lenient | Self::FloatOff | Self::Misaligned | Self::Trapped | Self::Even)
    }

    /// A fault is recorded in the state, and the next case follows.
    pub fn may_fault(self) -> bool {
        self.is_fault() || self == Self::StackLimit
    }
}

/// All tables, with what their instructions need where the encoding does not tell.
const TABLES: &[(Family, Option<Needs>, &[Row])] = &[
    (Family::Integer, None, data::ROWS),
    (Family::Integer, None, dsp::MAINLINE),
    (Family::Integer, Some(Needs::Dsp), dsp::ROWS),
    (Family::Memory, None, memory::ROWS),
    (Family::Memory, None, multiple::ROWS),
    (Family::Memory, Some(Needs::V8), memory::ORDERED),
    (Family::Float, None, floating::ROWS),
    (Family::Float, Some(Needs::Float5), floating::VERSION_5),
    (Family::Even, None, missing::BRANCHES),
    (Family::Missing, Some(Needs::Nothing), missing::ROWS),
    (Family::Missing, Some(Needs::Mainline), missing::NARROW),
];

/// Rows of `family` on `board`.
fn rows(family: Family, board: &Board) -> Vec<&'static Row> {
    let all =
        TABLES.iter().flat_map(|(family, needs, rows)| rows.iter().map(move |row| (*family, needs.unwrap_or(row.needs()), row)));
    // Of rows with a base register: the alignment that they need, and whether they load the program counter.
    let access = |row: &Row| match row.kind {
        Kind::Memory(access) if row.pattern.contains('n') => {
            let any = Encoding::choose(row.pattern, &mut Random::new(0), row.allowed);
            let alignment =
                if board.is_mainline() && family != Family::Trapped { access.alignment } else { (access.span)(&any).1 };
            Some((alignment, access.jump))
        }
        _ => None,
    };
    let misaligns = |row: &Row| access(row).is_some_and(|(alignment, jump)| alignment > 1 && !jump);
    let lenient = |row: &Row| row.name.split(['/', ' ']).next().is_some_and(|name| board.lenient.contains(&name));
    let chosen = all.filter(|&(table, needs, row)| match family {
        Family::Missing => !board.has(needs) && !lenient(row),
        Family::Lenient => !board.has(needs) && lenient(row),
        Family::FloatOff => matches!(needs, Needs::Float | Needs::Float5) && board.has(needs),
        Family::Misaligned => board.has(needs) && misaligns(row),
        Family::Trapped => board.is_mainline() && board.has(needs) && (misaligns(row) || matches!(row.name, "SDIV" | "UDIV")),
        Family::Even => board.has(needs) && (table == family || access(row).is_some_and(|(_, jump)| jump)),
        _ => table == family && board.has(needs),
    });
    chosen.map(|(_, _, row)| row).collect()
}

impl Image {
    /// `encodings` encodings of every row of `family` that `board` has (or lacks), with `1 << shift` states each.
    ///
    /// # Panics
    /// That is more than the board's memory holds.
    pub fn generate(board: &'static Board, family: Family, seed: u64, encodings: usize, shift: u32) -> Self {
        let mut random = Random::new(seed ^ (family as u64) << 32);
        let mut snippets: Vec<Snippet> = Vec::new();
        let rows = rows(family, board);
        let flows = match family {
            Family::Memory => flow::FLOWS,
            Family::StackLimit => limits::FLOWS,
            _ => &[],
        };
        for _ in 0..encodings {
            for row in &rows {
                let start = harness::SNIPPETS + snippet::STRIDE * snippets.len() as u32;
                snippets.push(match family.is_fault() {
                    true => snippet::faulting(row, board, family, start, 1 << shift, &mut random),
                    false => snippet::from_row(row, board, start, 1 << shift, &mut random),
                });
            }
            for flow in flows.iter().filter(|flow| board.has(flow.needs)) {
                let start = harness::SNIPPETS + snippet::STRIDE * snippets.len() as u32;
                snippets.push(flow::snippet(flow, board, start, 1 << shift, &mut random));
            }
        }
        let image = Self { snippets, plan: Plan { board, shift, family } };
        assert!(image.cases() as u32 <= STATES_BYTES / harness::STATE_BYTES, "too many cases for one image");
        image
    }

    /// Number of states, over all snippets.
    pub fn cases(&self) -> usize {
        self.snippets.len() << self.plan.shift
    }

    /// The snippet and the start state of one case.
    pub fn case(&self, index: usize) -> (&Snippet, &State) {
        let snippet = &self.snippets[index >> self.plan.shift];
        (snippet, &snippet.inputs[index & ((1 << self.plan.shift) - 1)])
    }

    /// Addresses and contents of all memory that is not zero.
    pub fn segments(&self) -> [(u32, Vec<u8>); 3] {
        let mut code = self.plan.code();
        self.snippets.iter().for_each(|snippet| code.extend_from_slice(&snippet.code));
        code.extend_from_slice(&[0; 0x1000]); // literals lie up to 4 KiB ahead
        let states = self.snippets.iter().flat_map(|snippet| &snippet.inputs).flat_map(|state| state.0);
        [
            (0, code.iter().flat_map(|halfword| halfword.to_le_bytes()).collect()),
            (CONTEXT, self.plan.context(self.cases() as u32)),
            (self.plan.board.states, states.flat_map(u32::to_le_bytes).collect()),
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
            let address = if *address == 0 { self.plan.board.load } else { *address };
            words(&mut elf, &[1, offset as u32, address, address, length, length, 7, 4]);
            offset += bytes.len();
        }
        segments.iter().for_each(|(_, bytes)| elf.extend_from_slice(bytes));
        elf
    }
}
