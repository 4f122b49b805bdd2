//! Moves of the stack pointer while Armv8-M's MSPLIM limits it: some pass the limit and fault, others do not.

use super::board::Board;
use super::flow::{Flow, Operand, flow};
use super::random::Random;
use super::row::Needs::V8;
use super::snippet::Writer;

/// Moves the stack pointer down by `code`, shows where it is, and puts it back.
fn down(w: &mut Writer, code: &[u16]) -> Operand {
    w.push(code);
    w.push(&[0x46EE, 0x46DD]); // MOV LR, SP; MOV SP, r11
    Operand::Keeper
}

fn sub_sp(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let words = random.below(64);
    match random.below(3) {
        0 => down(w, &[(0xB080 | words) as u16]),
        1 => down(w, &[0xF1AD, (0x0D00 + words * 4) as u16]),
        _ => down(w, &[0xF2AD, (0x0D00 + words * 4) as u16]),
    }
}

fn push(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let list = random.word();
    match random.below(4) {
        0 => down(w, &[(0xB400 | list & 0x1FF | 1) as u16]),
        1 => down(w, &[0xE92D, (list & 0x5FFF | 3) as u16]),
        2 => down(w, &[0xED2D, (0x0A01 + random.below(32)) as u16]),
        _ => down(w, &[0xED2D, (0x0B02 + 2 * random.below(16)) as u16]),
    }
}

/// What loads find below the stack pointer is what exception frames left there, so it is overwritten.
fn below_sp(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let (words, rt) = (1 + random.below(63), random.below(8));
    let (one, two) = ((rt << 12 | 0xD00) + words * 4, rt << 12 | 0x800 | words);
    let from_r11 = 0x4658 | rt as u16; // MOV rt, r11
    match random.below(4) {
        0 => down(w, &[0xF84D, one as u16]),                   // STR rt, [SP, #-n]!
        1 => down(w, &[0xF85D, one as u16, from_r11]),         // LDR
        2 => down(w, &[0xE96D, two as u16]),                   // STRD rt, r8, [SP, #-n]!
        _ => down(w, &[0xE97D, two as u16, from_r11, 0x46D8]), // LDRD; MOV r8, r11
    }
}

fn mov_sp(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let register = random.below(8);
    down(w, &[(0x4685 | register << 3) as u16]);
    Operand::Below(register as usize, false)
}

fn sub_sp_register(w: &mut Writer, random: &mut Random, _: &Board) -> Operand {
    let register = random.below(8);
    down(w, &[0xEBAD, (0x0D00 | register) as u16]);
    Operand::Below(register as usize, true)
}

/// Kinds that move the stack pointer while it has a limit.
pub const FLOWS: &[Flow] = &[
    flow("SUB SP, imm", V8, sub_sp),
    flow("PUSH, VPUSH", V8, push),
    flow("LDR, STR, LDRD, STRD [SP, -imm]!", V8, below_sp),
    flow("MOV SP, Rm, limited", V8, mov_sp),
    flow("SUB SP, Rm", V8, sub_sp_register),
];
