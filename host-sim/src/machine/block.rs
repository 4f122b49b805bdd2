//! Basic blocks: decoded once, found again by address, with their static costs summed.

use super::bus::Bus;
use super::cores::CoreSpec;
use super::cycles::{Issue, dual_issue, pipeline};
use super::decode;
use super::op::{Instruction, Op};

/// Most instructions in a block; the offset fields of [`Instruction`] are sized for it.
const MAX_INSTRUCTIONS: usize = 120;

/// One block, as a range of the cache's instructions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    first: u32,
    count: u32,
    /// Static cycles of the whole block.
    pub(super) cycles: u16,
    /// Bytes of code.
    pub(super) bytes: u16,
    /// ITSTATE behind the last instruction.
    pub(super) it_after: u8,
    /// Number of its border, where the core needs them.
    border: u32,
}

struct Lookup {
    base: u32,
    /// Number of the block at each halfword, plus one.
    blocks: Vec<u32>,
}

/// All decoded blocks.
pub(super) struct BlockCache {
    /// For blocks whose first instruction issues by itself, and for those where it goes with the branch that leads there.
    lookups: [Vec<Lookup>; 2],
    blocks: Vec<Block>,
    instructions: Vec<Instruction>,
    borders: Vec<dual_issue::Border>,
    core: &'static CoreSpec,
}

/// A block that was left: which, behind how many instructions, and where to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) block: Block,
    pub(super) executed: usize,
    pub(super) target: u32,
    /// The first instruction at the target can go with the branch.
    pub(super) joined: bool,
    /// Cycles that the branch was charged when it had gone, which count for the next instruction.
    pub(super) charged: u64,
}

impl BlockCache {
    pub(super) fn new(bus: &Bus, core: &'static CoreSpec) -> Self {
        let lookups = || bus.extents().map(|(base, _)| Lookup { base, blocks: Vec::new() }).collect();
        Self { lookups: [lookups(), lookups()], blocks: Vec::new(), instructions: Vec::new(), borders: Vec::new(), core }
    }

    /// Forgets all blocks: code has changed.
    pub(super) fn clear(&mut self) {
        self.lookups.iter_mut().flatten().for_each(|lookup| lookup.blocks.clear());
        self.blocks.clear();
        self.instructions.clear();
        self.borders.clear();
    }

    /// Whether the first instruction of the next block can go with the branch behind `executed` instructions of this one.
    pub(super) fn is_open(&self, block: Block, executed: usize) -> bool {
        self.borders.get(block.border as usize).is_some_and(|border| border.is_open(executed))
    }

    /// Cycles that `block` waits for what its predecessor left on its way.
    pub(super) fn border_stall(&self, left: Left, block: Block) -> u32 {
        let Issue::Dual(forwarding) = self.core.table.issue else { return 0 };
        match (self.borders.get(left.block.border as usize), self.borders.get(block.border as usize)) {
            (Some(before), Some(next)) => before.stall(left.executed, next, forwarding),
            _ => 0,
        }
    }

    pub(super) fn instructions(&self, block: Block) -> &[Instruction] {
        &self.instructions[block.first as usize..][..block.count as usize]
    }

    /// The block at `pc`; decodes it if it is not known. `None`: no memory there.
    #[inline]
    pub(super) fn find(&mut self, bus: &mut Bus, pc: u32, it: u8, joined: bool) -> Option<Block> {
        for lookup in &self.lookups[usize::from(joined)] {
            let index = (pc.wrapping_sub(lookup.base) >> 1) as usize;
            if let Some(&number) = lookup.blocks.get(index)
                && number != 0
                && it == 0
            {
                return Some(self.blocks[number as usize - 1]);
            }
        }
        self.decode(bus, pc, it, joined)
    }

    #[cold]
    fn decode(&mut self, bus: &mut Bus, pc: u32, mut it: u8, joined: bool) -> Option<Block> {
        let features = self.core.features();
        let (first, entered_in_it) = (self.instructions.len(), it != 0);
        let mut address = pc;
        while self.instructions.len() - first < MAX_INSTRUCTIONS {
            let Some(first_half) = bus.code(address) else { break };
            let wide = decode::is_wide(first_half);
            let second_half = match wide {
                true => match bus.code(address.wrapping_add(2)) {
                    Some(half) => half,
                    None => break,
                },
                false => 0,
            };
            let op = match decode::decode(first_half, second_half, address, it != 0) {
                op if features.executes(op, wide) => op,
                // A missing FPU is a missing coprocessor, but not in Armv6-M, which has none.
                op if op.is_float() && features.v7 => Op::Coprocessor { number: 10 },
                _ => Op::Undefined,
            };
            let halfwords_before = (address.wrapping_sub(pc) >> 1) as u8;
            self.instructions.push(Instruction { op, it, halfwords_before, cycles_before: 0 });
            address = address.wrapping_add(if wide { 4 } else { 2 });
            it = match op {
                Op::IfThen => first_half as u8,
                _ if it & 7 == 0 => 0,
                _ => it & 0xE0 | it << 1 & 0x1F,
            };
            if op.ends_block() {
                break;
            }
        }
        let count = (self.instructions.len() - first) as u32;
        if count == 0 {
            return None;
        }
        let bytes = address.wrapping_sub(pc);
        let (table, instructions) = (self.core.table, &mut self.instructions[first..]);
        let cycles = match table.issue {
            Issue::Single => pipeline::schedule(table, pc, instructions, bytes),
            Issue::Dual(forwarding) => {
                let (cycles, border) = dual_issue::schedule(table, forwarding, instructions, bytes, joined);
                self.borders.push(border);
                cycles
            }
        };
        let border = (self.borders.len() as u32).wrapping_sub(1);
        let block = Block { first: first as u32, count, cycles, bytes: bytes as u16, it_after: it, border };
        bus.mark_code(pc, bytes);
        // A block entered inside an IT block holds only for that ITSTATE, so it is not found again by address.
        if !entered_in_it {
            self.blocks.push(block);
            self.remember(bus, pc, joined);
        }
        Some(block)
    }

    fn remember(&mut self, bus: &Bus, pc: u32, joined: bool) {
        for (lookup, (base, size)) in self.lookups[usize::from(joined)].iter_mut().zip(bus.extents()) {
            let offset = pc.wrapping_sub(base) as usize;
            if offset < size {
                if lookup.blocks.is_empty() {
                    lookup.blocks = vec![0; size.div_ceil(2)];
                }
                lookup.blocks[offset >> 1] = self.blocks.len() as u32;
                return;
            }
        }
    }

    /// Bounds the growth by blocks that are never found again.
    pub(super) fn is_large(&self) -> bool {
        self.instructions.len() > 1 << 22
    }
}
