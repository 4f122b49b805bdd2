//! Loads and stores of core registers.

use super::{Context, list, register, registers};
use crate::machine::decode::literal_base;
use crate::machine::op::{Index, Op, Reg, Width};

fn suffix(width: Width) -> &'static str {
    match width {
        Width::Word => "",
        Width::Half => "h",
        Width::Byte => "b",
        Width::SignedHalf => "sh",
        Width::SignedByte => "sb",
    }
}

/// `[rn, #offset]`, without a zero offset.
pub(super) fn at(rn: Reg, offset: i32) -> String {
    if offset == 0 { format!("[{}]", register(rn)) } else { format!("[{}, #{offset}]", register(rn)) }
}

pub(super) fn indexed(rn: Reg, index: Index, offset: i32) -> String {
    match index {
        Index::Offset => at(rn, offset),
        Index::Pre => format!("[{}, #{offset}]!", register(rn)),
        Index::Post => format!("[{}], #{offset}", register(rn)),
    }
}

/// `[pc, #offset]`, and where that is.
pub(super) fn literal(c: &Context, address: u32) -> String {
    format!("[pc, #{}] ; {address:#x}", address.wrapping_sub(literal_base(c.pc)) as i32)
}

fn by_register(rn: Reg, rm: Reg, lsl: u8) -> String {
    if lsl == 0 { format!("[{}]", registers([rn, rm])) } else { format!("[{}, lsl #{lsl}]", registers([rn, rm])) }
}

pub(super) fn text(c: &Context) -> Option<String> {
    let single = |base: &str, rt: Reg, address: String| format!("{} {}, {address}", c.sized(base), register(rt));
    // Encoding 1110 in the offset field is unprivileged access, which has no narrow form.
    let unprivileged = c.wide && c.first >= 0xF800 && c.first & 0x80 == 0 && c.second & 0x0F00 == 0x0E00;
    let plain = |base: &str, rt: Reg, rn: Reg, offset: u32| match unprivileged {
        true => format!("{} {}, {}", c.name(&format!("{base}t")), register(rt), at(rn, offset as i32)),
        false => single(base, rt, at(rn, offset as i32)),
    };
    let dual = |base: &str, rt: Reg, rt2: Reg, address: String| format!("{} {}, {address}", c.name(base), registers([rt, rt2]));
    Some(match c.op {
        Op::LoadWord { rt, rn, offset } => plain("ldr", rt, rn, offset),
        Op::LoadHalf { rt, rn, offset } => plain("ldrh", rt, rn, offset),
        Op::LoadByte { rt, rn, offset } => plain("ldrb", rt, rn, offset),
        Op::LoadSignedHalf { rt, rn, offset } => plain("ldrsh", rt, rn, offset),
        Op::LoadSignedByte { rt, rn, offset } => plain("ldrsb", rt, rn, offset),
        Op::StoreWord { rt, rn, offset } => plain("str", rt, rn, offset),
        Op::StoreHalf { rt, rn, offset } => plain("strh", rt, rn, offset),
        Op::StoreByte { rt, rn, offset } => plain("strb", rt, rn, offset),
        Op::LoadWordRegister { rt, rn, rm, lsl } => single("ldr", rt, by_register(rn, rm, lsl)),
        Op::LoadHalfRegister { rt, rn, rm, lsl } => single("ldrh", rt, by_register(rn, rm, lsl)),
        Op::LoadByteRegister { rt, rn, rm, lsl } => single("ldrb", rt, by_register(rn, rm, lsl)),
        Op::LoadSignedHalfRegister { rt, rn, rm, lsl } => single("ldrsh", rt, by_register(rn, rm, lsl)),
        Op::LoadSignedByteRegister { rt, rn, rm, lsl } => single("ldrsb", rt, by_register(rn, rm, lsl)),
        Op::StoreWordRegister { rt, rn, rm, lsl } => single("str", rt, by_register(rn, rm, lsl)),
        Op::StoreHalfRegister { rt, rn, rm, lsl } => single("strh", rt, by_register(rn, rm, lsl)),
        Op::StoreByteRegister { rt, rn, rm, lsl } => single("strb", rt, by_register(rn, rm, lsl)),
        Op::LoadIndexed { width, rt, rn, post, offset } => {
            let index = if post { Index::Post } else { Index::Pre };
            single(&format!("ldr{}", suffix(width)), rt, indexed(rn, index, offset.into()))
        }
        Op::StoreIndexed { width, rt, rn, post, offset } => {
            let index = if post { Index::Post } else { Index::Pre };
            single(&format!("str{}", suffix(width)), rt, indexed(rn, index, offset.into()))
        }
        Op::LoadLiteral { width, rt, address } => single(&format!("ldr{}", suffix(width)), rt, literal(c, address)),
        Op::JumpLiteral { address } => single("ldr", 15, literal(c, address)),
        Op::JumpIndexed { rn, index, offset } => single("ldr", 15, indexed(rn, index, offset.into())),
        Op::JumpRegister { rn, rm, lsl } => single("ldr", 15, by_register(rn, rm, lsl)),
        Op::LoadDual { rt, rt2, rn, index, offset } => dual("ldrd", rt, rt2, indexed(rn, index, offset.into())),
        Op::LoadDualLiteral { rt, rt2, address } => dual("ldrd", rt, rt2, literal(c, address)),
        Op::StoreDual { rt, rt2, rn, index, offset } => dual("strd", rt, rt2, indexed(rn, index, offset.into())),
        Op::LoadMultiple { rn, before, writeback, list } => multiple(c, true, rn, before, writeback, list),
        Op::StoreMultiple { rn, before, writeback, list } => multiple(c, false, rn, before, writeback, list),
        Op::LoadExclusive { width, rt, rn, offset } => {
            format!("{} {}, {}", c.name(&format!("ldrex{}", suffix(width))), register(rt), at(rn, offset.into()))
        }
        Op::StoreExclusive { width, rd, rt, rn, offset } => {
            format!("{} {}, {}", c.name(&format!("strex{}", suffix(width))), registers([rd, rt]), at(rn, offset.into()))
        }
        Op::LoadAcquire { width, exclusive, rt, rn } => {
            let base = format!("lda{}{}", if exclusive { "ex" } else { "" }, suffix(width));
            format!("{} {}, {}", c.name(&base), register(rt), at(rn, 0))
        }
        Op::StoreRelease { width, rt, rn } => {
            format!("{} {}, {}", c.name(&format!("stl{}", suffix(width))), register(rt), at(rn, 0))
        }
        Op::StoreReleaseExclusive { width, rd, rt, rn } => {
            format!("{} {}, {}", c.name(&format!("stlex{}", suffix(width))), registers([rd, rt]), at(rn, 0))
        }
        _ => return None,
    })
}

fn multiple(c: &Context, load: bool, rn: Reg, before: bool, writeback: bool, registers: u16) -> String {
    if !c.wide && c.first >> 12 == 0xB {
        return format!("{} {}", c.name(if load { "pop" } else { "push" }), list(registers));
    }
    let name = match (load, before) {
        (true, false) => c.sized("ldmia"),
        (false, false) => c.sized("stmia"),
        (true, true) => c.name("ldmdb"),
        (false, true) => c.name("stmdb"),
    };
    format!("{name} {}{}, {}", register(rn), if writeback { "!" } else { "" }, list(registers))
}

/// A memory hint: PLD, PLI and the unallocated ones, which decoding makes no-operations of.
pub(super) fn preload(c: &Context) -> String {
    let rn = (c.first & 15) as Reg;
    let name = c.name(match (c.first & 0x100 != 0, c.first & 0x20 != 0) {
        (true, false) => "pli",
        (false, true) => "pldw",
        _ => "pld",
    });
    let (imm12, imm8) = (i32::from(c.second & 0xFFF), i32::from(c.second & 0xFF));
    let address = match (rn, c.first & 0x80 != 0, c.second >> 8 & 15) {
        (15, up, _) => literal(c, literal_base(c.pc).wrapping_add_signed(if up { imm12 } else { -imm12 })),
        (_, true, _) => at(rn, imm12),
        (_, false, 0) => by_register(rn, (c.second & 15) as Reg, (c.second >> 4 & 3) as u8),
        _ => at(rn, -imm8),
    };
    format!("{name} {address}")
}
