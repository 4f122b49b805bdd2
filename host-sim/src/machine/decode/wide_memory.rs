//! 32-bit loads and stores (A5.3.5 to A5.3.10).

use super::{bit, field, literal_base, reg};
use crate::machine::op::{Index, Op, Width};

pub(super) fn multiple(first: u16, second: u16) -> Op {
    let (rn, writeback, load) = (reg(first, 0), bit(first, 5), bit(first, 4));
    let before = match field(first, 8, 7) {
        1 => false,
        2 => true,
        _ => return Op::Undefined,
    };
    let list = second & if load { 0xDFFF } else { 0x5FFF };
    if rn == 15 || list.count_ones() == 0 {
        return Op::Undefined;
    }
    if load { Op::LoadMultiple { rn, before, writeback, list } } else { Op::StoreMultiple { rn, before, writeback, list } }
}

pub(super) fn dual_exclusive_table(first: u16, second: u16, pc: u32) -> Op {
    if (first, second) == (0xE97F, 0xE97F) {
        return Op::SecureGateway;
    }
    let (pre, up, writeback, load) = (bit(first, 8), bit(first, 7), bit(first, 5), bit(first, 4));
    let (rn, rt, rt2) = (reg(first, 0), reg(second, 12), reg(second, 8));
    let (imm8, rd) = (field(second, 7, 0) as u16 * 4, reg(second, 0));
    if pre || writeback {
        let offset = if up { imm8 as i16 } else { -(imm8 as i16) };
        let index = match (pre, writeback) {
            (true, false) => Index::Offset,
            (true, true) => Index::Pre,
            _ => Index::Post,
        };
        return match (load, rn) {
            (true, 15) => Op::LoadDualLiteral { rt, rt2, address: literal_base(pc).wrapping_add_signed(offset.into()) },
            (true, _) => Op::LoadDual { rt, rt2, rn, index, offset },
            (false, _) => Op::StoreDual { rt, rt2, rn, index, offset },
        };
    }
    let ordered = match field(second, 5, 4) {
        0 => Width::Byte,
        1 => Width::Half,
        _ => Width::Word,
    };
    match (up, load, field(second, 7, 4)) {
        // TT and TTT; their forms for the other security state need the security extension.
        (false, false, _) if rt == 15 => match field(second, 7, 0) {
            0x00 => Op::TestTarget { unprivileged: false, rd: rt2, rn },
            0x40 => Op::TestTarget { unprivileged: true, rd: rt2, rn },
            _ => Op::Undefined,
        },
        (false, false, _) => Op::StoreExclusive { width: Width::Word, rd: rt2, rt, rn, offset: imm8 },
        (false, true, _) => Op::LoadExclusive { width: Width::Word, rt, rn, offset: imm8 },
        (true, false, 4) => Op::StoreExclusive { width: Width::Byte, rd, rt, rn, offset: 0 },
        (true, false, 5) => Op::StoreExclusive { width: Width::Half, rd, rt, rn, offset: 0 },
        (true, true, 4) => Op::LoadExclusive { width: Width::Byte, rt, rn, offset: 0 },
        (true, true, 5) => Op::LoadExclusive { width: Width::Half, rt, rn, offset: 0 },
        (true, false, 8..=10) => Op::StoreRelease { width: ordered, rt, rn },
        (true, false, 12..=14) => Op::StoreReleaseExclusive { width: ordered, rd, rt, rn },
        (true, true, 8..=10) => Op::LoadAcquire { width: ordered, exclusive: false, rt, rn },
        (true, true, 12..=14) => Op::LoadAcquire { width: ordered, exclusive: true, rt, rn },
        (true, true, half @ (0 | 1)) => Op::TableBranch { half: half == 1, rn, rm: rd, base: pc.wrapping_add(4) },
        _ => Op::Undefined,
    }
}

pub(super) fn single(first: u16, second: u16, pc: u32) -> Op {
    let (rn, rt, load) = (reg(first, 0), reg(second, 12), bit(first, 4));
    let width = match (bit(first, 8), field(first, 6, 5)) {
        (false, 0) => Width::Byte,
        (false, 1) => Width::Half,
        (false, 2) => Width::Word,
        (true, 0) if load => Width::SignedByte,
        (true, 1) if load => Width::SignedHalf,
        _ => return Op::Undefined,
    };
    let to_pc = rt == 15;
    if !load && (to_pc || rn == 15) {
        return Op::Undefined;
    }
    // Loads of less than a word into r15 are preload hints.
    if to_pc && width != Width::Word {
        return Op::Nop;
    }
    let imm12 = field(second, 11, 0);
    if rn == 15 {
        let base = literal_base(pc);
        let address = if bit(first, 7) { base.wrapping_add(imm12) } else { base.wrapping_sub(imm12) };
        return if to_pc { Op::JumpLiteral { address } } else { Op::LoadLiteral { width, rt, address } };
    }
    if bit(first, 7) {
        return match to_pc {
            true => Op::JumpIndexed { rn, index: Index::Offset, offset: imm12 as i16 },
            false => offset_form(load, width, rt, rn, imm12),
        };
    }
    let imm8 = field(second, 7, 0) as i16;
    match (field(second, 11, 8), field(second, 11, 6)) {
        (_, 0) => {
            let (rm, lsl) = (reg(second, 0), field(second, 5, 4) as u8);
            if to_pc { Op::JumpRegister { rn, rm, lsl } } else { register_form(load, width, rt, rn, rm, lsl) }
        }
        (0b1100, _) if to_pc => Op::JumpIndexed { rn, index: Index::Offset, offset: -imm8 },
        (0b1100, _) => offset_form(load, width, rt, rn, i32::from(-imm8) as u32),
        (0b1110, _) => offset_form(load, width, rt, rn, imm8 as u32), // unprivileged access: no MPU is modelled
        (puw @ (0b1101 | 0b1111 | 0b1001 | 0b1011), _) => {
            let (post, offset) = (puw & 4 == 0, if puw & 2 != 0 { imm8 } else { -imm8 });
            match (load, to_pc) {
                (true, true) => Op::JumpIndexed { rn, index: if post { Index::Post } else { Index::Pre }, offset },
                (true, false) => Op::LoadIndexed { width, rt, rn, post, offset },
                (false, _) => Op::StoreIndexed { width, rt, rn, post, offset },
            }
        }
        _ => Op::Undefined,
    }
}

fn offset_form(load: bool, width: Width, rt: u8, rn: u8, offset: u32) -> Op {
    match (load, width) {
        (true, Width::Word) => Op::LoadWord { rt, rn, offset },
        (true, Width::Half) => Op::LoadHalf { rt, rn, offset },
        (true, Width::Byte) => Op::LoadByte { rt, rn, offset },
        (true, Width::SignedHalf) => Op::LoadSignedHalf { rt, rn, offset },
        (true, Width::SignedByte) => Op::LoadSignedByte { rt, rn, offset },
        (false, Width::Word) => Op::StoreWord { rt, rn, offset },
        (false, Width::Half | Width::SignedHalf) => Op::StoreHalf { rt, rn, offset },
        (false, Width::Byte | Width::SignedByte) => Op::StoreByte { rt, rn, offset },
    }
}

fn register_form(load: bool, width: Width, rt: u8, rn: u8, rm: u8, lsl: u8) -> Op {
    match (load, width) {
        (true, Width::Word) => Op::LoadWordRegister { rt, rn, rm, lsl },
        (true, Width::Half) => Op::LoadHalfRegister { rt, rn, rm, lsl },
        (true, Width::Byte) => Op::LoadByteRegister { rt, rn, rm, lsl },
        (true, Width::SignedHalf) => Op::LoadSignedHalfRegister { rt, rn, rm, lsl },
        (true, Width::SignedByte) => Op::LoadSignedByteRegister { rt, rn, rm, lsl },
        (false, Width::Word) => Op::StoreWordRegister { rt, rn, rm, lsl },
        (false, Width::Half | Width::SignedHalf) => Op::StoreHalfRegister { rt, rn, rm, lsl },
        (false, Width::Byte | Width::SignedByte) => Op::StoreByteRegister { rt, rn, rm, lsl },
    }
}
