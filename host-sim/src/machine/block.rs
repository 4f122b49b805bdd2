//! Basic blocks: decoded once, found again by address, with their static costs summed.

use super::bus::Bus;
use super::cycles::cortex_m4;
use super::decode;
use super::op::{Instruction, Op};

/// Most instructions in a block; the offset fields of [`Instruction`] are sized for it.
const MAX_INSTRUCTIONS: usize = 64;

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
}

struct Lookup {
    base: u32,
    /// Number of the block at each halfword, plus one.
    blocks: Vec<u32>,
}

/// All decoded blocks.
pub(super) struct BlockCache {
    lookups: Vec<Lookup>,
    blocks: Vec<Block>,
    instructions: Vec<Instruction>,
}

impl BlockCache {
    pub(super) fn new(bus: &Bus) -> Self {
        let lookups = bus.extents().map(|(base, _)| Lookup { base, blocks: Vec::new() }).collect();
        Self { lookups, blocks: Vec::new(), instructions: Vec::new() }
    }

    /// Forgets all blocks: code has changed.
    pub(super) fn clear(&mut self) {
        self.lookups.iter_mut().for_each(|lookup| lookup.blocks.clear());
        self.blocks.clear();
        self.instructions.clear();
    }

    pub(super) fn instructions(&self, block: Block) -> &[Instruction] {
        &self.instructions[block.first as usize..][..block.count as usize]
    }

    /// The block at `pc`; decodes it if it is not known. `None`: no memory there.
    #[inline]
    pub(super) fn find(&mut self, bus: &mut Bus, pc: u32, it: u8) -> Option<Block> {
        for lookup in &self.lookups {
            let index = (pc.wrapping_sub(lookup.base) >> 1) as usize;
            if let Some(&number) = lookup.blocks.get(index)
                && number != 0
                && it == 0
            {
                return Some(self.blocks[number as usize - 1]);
            }
        }
        self.decode(bus, pc, it)
    }

    #[cold]
    fn decode(&mut self, bus: &mut Bus, pc: u32, mut it: u8) -> Option<Block> {
        let (first, entered_in_it) = (self.instructions.len(), it != 0);
        let mut address = pc;
        let mut cycles = 0;
        let mut before: Option<(Op, u8)> = None;
        while self.instructions.len() - first < MAX_INSTRUCTIONS {
            let Some(first_half) = bus.read(address).map(u16::from_le_bytes) else { break };
            let second_half = match decode::is_wide(first_half) {
                true => match bus.read(address.wrapping_add(2)).map(u16::from_le_bytes) {
                    Some(half) => half,
                    None => break,
                },
                false => 0,
            };
            let op = decode::decode(first_half, second_half, address, it != 0);
            let halfwords_before = (address.wrapping_sub(pc) >> 1) as u8;
            self.instructions.push(Instruction { op, it, halfwords_before, cycles_before: cycles });
            cycles += cortex_m4::static_cycles(op) as u16;
            if op.is_single_load()
                && before.is_some_and(|(op, other)| op.is_single_load() && (other == 0 || other >> 4 == it >> 4))
            {
                cycles -= cortex_m4::pipelined_load_saving() as u16;
            }
            before = Some((op, it));
            address = address.wrapping_add(if decode::is_wide(first_half) { 4 } else { 2 });
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
        let block = Block { first: first as u32, count, cycles, bytes: bytes as u16, it_after: it };
        bus.mark_code(pc, bytes);
        // A block entered inside an IT block holds only for that ITSTATE, so it is not found again by address.
        if !entered_in_it {
            self.blocks.push(block);
            self.remember(bus, pc);
        }
        Some(block)
    }

    fn remember(&mut self, bus: &Bus, pc: u32) {
        for (lookup, (base, size)) in self.lookups.iter_mut().zip(bus.extents()) {
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
