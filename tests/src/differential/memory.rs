//! Loads and stores of one register or two (A5.2.4, A5.3.6 to A5.3.10, A6.5).
//!
//! `n` is the base, `t` and `u` are what is moved. `P`, `U` and `W` are the manual's index bits: `P` clear means that the access is at
//! the base itself and the offset is added behind it.

use super::pattern::Encoding;
use super::row::{Offset, Row, core, float, memory};

const SCALED_1: Offset = Offset::Immediate(|e| signed(e, 1));
const SCALED_2: Offset = Offset::Immediate(|e| signed(e, 2));
const SCALED_4: Offset = Offset::Immediate(|e| signed(e, 4));
const BELOW: Offset = Offset::Immediate(|e| -(e.get(b'i') as i32));
const REGISTER: Offset = Offset::Register;

fn signed(e: &Encoding, scale: i32) -> i32 {
    let offset = e.get(b'i') as i32 * scale;
    match (e.has(b'P') && e.get(b'P') == 0, e.has(b'U') && e.get(b'U') == 0) {
        (true, _) => 0,
        (false, true) => -offset,
        (false, false) => offset,
    }
}

fn byte(_: &Encoding) -> (i32, u32) {
    (0, 1)
}

fn half(_: &Encoding) -> (i32, u32) {
    (0, 2)
}

fn word(_: &Encoding) -> (i32, u32) {
    (0, 4)
}

fn double(_: &Encoding) -> (i32, u32) {
    (0, 8)
}

/// Base and index differ: the index is chosen first, then the base for it.
fn indexed(e: &Encoding) -> bool {
    e.get(b'n') != e.get(b'm')
}

/// The base is written back, so nothing else may be; without write-back there would be another instruction.
fn updates(e: &Encoding) -> bool {
    e.get(b'n') != e.get(b't')
}

fn updates_dual(e: &Encoding) -> bool {
    updates(e) && e.get(b'n') != e.get(b'u') && e.get(b't') != e.get(b'u') && (e.get(b'P') | e.get(b'W')) != 0
}

fn dual(e: &Encoding) -> bool {
    e.get(b't') != e.get(b'u')
}

/// The rows.
pub const ROWS: &[Row] = &[
    // 16 bits
    memory("STR imm T1", "01100 iiiii nnn ttt", SCALED_4, word),
    memory("LDR imm T1", "01101 iiiii nnn ttt", SCALED_4, word),
    memory("STRB imm T1", "01110 iiiii nnn ttt", SCALED_1, byte),
    memory("LDRB imm T1", "01111 iiiii nnn ttt", SCALED_1, byte),
    memory("STRH imm T1", "10000 iiiii nnn ttt", SCALED_2, half),
    memory("LDRH imm T1", "10001 iiiii nnn ttt", SCALED_2, half),
    memory("STR SP T2", "10010 ttt iiiiiiii", SCALED_4, word),
    memory("LDR SP T2", "10011 ttt iiiiiiii", SCALED_4, word),
    memory("STR reg T1", "0101000 mmm nnn ttt", REGISTER, word).when(indexed),
    memory("STRH reg T1", "0101001 mmm nnn ttt", REGISTER, half).when(indexed),
    memory("STRB reg T1", "0101010 mmm nnn ttt", REGISTER, byte).when(indexed),
    memory("LDRSB reg T1", "0101011 mmm nnn ttt", REGISTER, byte).when(indexed),
    memory("LDR reg T1", "0101100 mmm nnn ttt", REGISTER, word).when(indexed),
    memory("LDRH reg T1", "0101101 mmm nnn ttt", REGISTER, half).when(indexed),
    memory("LDRB reg T1", "0101110 mmm nnn ttt", REGISTER, byte).when(indexed),
    memory("LDRSH reg T1", "0101111 mmm nnn ttt", REGISTER, half).when(indexed),
    // Twelve bits of offset
    memory("STRB imm T2", "111110001000 nnnn tttt iiiiiiiiiiii", SCALED_1, byte),
    memory("STRH imm T2", "111110001010 nnnn tttt iiiiiiiiiiii", SCALED_1, half),
    memory("STR imm T3", "111110001100 nnnn tttt iiiiiiiiiiii", SCALED_1, word),
    memory("LDRB imm T2", "111110001001 nnnn tttt iiiiiiiiiiii", SCALED_1, byte),
    memory("LDRH imm T2", "111110001011 nnnn tttt iiiiiiiiiiii", SCALED_1, half),
    memory("LDR imm T3", "111110001101 nnnn tttt iiiiiiiiiiii", SCALED_1, word),
    memory("LDRSB imm T1", "111110011001 nnnn tttt iiiiiiiiiiii", SCALED_1, byte),
    memory("LDRSH imm T1", "111110011011 nnnn tttt iiiiiiiiiiii", SCALED_1, half),
    memory("STR SP T3", "111110001100 1101 tttt iiiiiiiiiiii", SCALED_1, word),
    memory("LDR SP T3", "111110001101 1101 tttt iiiiiiiiiiii", SCALED_1, word),
    // Eight bits of offset: below, indexed with write-back, unprivileged
    memory("STRB below", "111110000000 nnnn tttt 1100 iiiiiiii", BELOW, byte),
    memory("STRH below", "111110000010 nnnn tttt 1100 iiiiiiii", BELOW, half),
    memory("STR below", "111110000100 nnnn tttt 1100 iiiiiiii", BELOW, word),
    memory("LDRB below", "111110000001 nnnn tttt 1100 iiiiiiii", BELOW, byte),
    memory("LDRH below", "111110000011 nnnn tttt 1100 iiiiiiii", BELOW, half),
    memory("LDR below", "111110000101 nnnn tttt 1100 iiiiiiii", BELOW, word),
    memory("LDRSB below", "111110010001 nnnn tttt 1100 iiiiiiii", BELOW, byte),
    memory("LDRSH below", "111110010011 nnnn tttt 1100 iiiiiiii", BELOW, half),
    memory("STRB indexed", "111110000000 nnnn tttt 1PU1 iiiiiiii", SCALED_1, byte).when(updates),
    memory("STRH indexed", "111110000010 nnnn tttt 1PU1 iiiiiiii", SCALED_1, half).when(updates),
    memory("STR indexed", "111110000100 nnnn tttt 1PU1 iiiiiiii", SCALED_1, word).when(updates),
    memory("LDRB indexed", "111110000001 nnnn tttt 1PU1 iiiiiiii", SCALED_1, byte).when(updates),
    memory("LDRH indexed", "111110000011 nnnn tttt 1PU1 iiiiiiii", SCALED_1, half).when(updates),
    memory("LDR indexed", "111110000101 nnnn tttt 1PU1 iiiiiiii", SCALED_1, word).when(updates),
    memory("LDRSB indexed", "111110010001 nnnn tttt 1PU1 iiiiiiii", SCALED_1, byte).when(updates),
    memory("LDRSH indexed", "111110010011 nnnn tttt 1PU1 iiiiiiii", SCALED_1, half).when(updates),
    memory("STR SP indexed", "111110000100 1101 tttt 1PU1 iiiiii00", SCALED_4, word),
    memory("LDR SP indexed", "111110000101 1101 tttt 1PU1 iiiiii00", SCALED_4, word),
    memory("STRBT", "111110000000 nnnn tttt 1110 iiiiiiii", SCALED_1, byte),
    memory("STRHT", "111110000010 nnnn tttt 1110 iiiiiiii", SCALED_1, half),
    memory("STRT", "111110000100 nnnn tttt 1110 iiiiiiii", SCALED_1, word),
    memory("LDRBT", "111110000001 nnnn tttt 1110 iiiiiiii", SCALED_1, byte),
    memory("LDRHT", "111110000011 nnnn tttt 1110 iiiiiiii", SCALED_1, half),
    memory("LDRT", "111110000101 nnnn tttt 1110 iiiiiiii", SCALED_1, word),
    memory("LDRSBT", "111110010001 nnnn tttt 1110 iiiiiiii", SCALED_1, byte),
    memory("LDRSHT", "111110010011 nnnn tttt 1110 iiiiiiii", SCALED_1, half),
    // Shifted register offsets
    memory("STRB reg T2", "111110000000 nnnn tttt 000000 ss mmmm", REGISTER, byte).when(indexed),
    memory("STRH reg T2", "111110000010 nnnn tttt 000000 ss mmmm", REGISTER, half).when(indexed),
    memory("STR reg T2", "111110000100 nnnn tttt 000000 ss mmmm", REGISTER, word).when(indexed),
    memory("LDRB reg T2", "111110000001 nnnn tttt 000000 ss mmmm", REGISTER, byte).when(indexed),
    memory("LDRH reg T2", "111110000011 nnnn tttt 000000 ss mmmm", REGISTER, half).when(indexed),
    memory("LDR reg T2", "111110000101 nnnn tttt 000000 ss mmmm", REGISTER, word).when(indexed),
    memory("LDRSB reg T2", "111110010001 nnnn tttt 000000 ss mmmm", REGISTER, byte).when(indexed),
    memory("LDRSH reg T2", "111110010011 nnnn tttt 000000 ss mmmm", REGISTER, half).when(indexed),
    // Literals: the image itself is the data
    core("LDR literal T1", "01001 ttt iiiiiiii"),
    core("LDRB literal", "11111000 U001 1111 tttt iiiiiiiiiiii"),
    core("LDRH literal", "11111000 U011 1111 tttt iiiiiiiiiiii"),
    core("LDR literal T2", "11111000 U101 1111 tttt iiiiiiiiiiii"),
    core("LDRSB literal", "11111001 U001 1111 tttt iiiiiiiiiiii"),
    core("LDRSH literal", "11111001 U011 1111 tttt iiiiiiiiiiii"),
    core("LDRD literal", "1110100 1 U1 0 1 1111 tttt uuuu iiiiiiii").when(dual),
    core("PLD", "111110001001 nnnn 1111 iiiiiiiiiiii"),
    core("PLI", "111110011001 nnnn 1111 iiiiiiiiiiii"),
    // Two registers
    memory("STRD offset", "1110100 1 U1 0 0 nnnn tttt uuuu iiiiiiii", SCALED_4, double).aligned(),
    memory("LDRD offset", "1110100 1 U1 0 1 nnnn tttt uuuu iiiiiiii", SCALED_4, double).when(dual).aligned(),
    memory("STRD indexed", "1110100 P U1 1 0 nnnn tttt uuuu iiiiiiii", SCALED_4, double).when(updates_dual).aligned(),
    memory("LDRD indexed", "1110100 P U1 1 1 nnnn tttt uuuu iiiiiiii", SCALED_4, double).when(updates_dual).aligned(),
    memory("STRD SP", "1110100 1 U1 0 0 1101 tttt uuuu iiiiiiii", SCALED_4, double).aligned(),
    memory("LDRD SP", "1110100 1 U1 0 1 1101 tttt uuuu iiiiiiii", SCALED_4, double).when(dual).aligned(),
    // Loads of the program counter
    memory("LDR PC, imm T3", "111110001101 nnnn 1111 iiiiiiiiiiii", SCALED_1, word).jumping(),
    memory("LDR PC, below", "111110000101 nnnn 1111 1100 iiiiiiii", BELOW, word).jumping(),
    memory("LDR PC, indexed", "111110000101 nnnn 1111 1PU1 iiiiiiii", SCALED_1, word).jumping(),
    memory("LDR PC, reg", "111110000101 nnnn 1111 000000 ss mmmm", REGISTER, word).when(indexed).jumping(),
    // Floating point
    memory("VSTR.32", "11101101 U X00 nnnn DDDD 1010 iiiiiiii", SCALED_4, word).floating(),
    memory("VLDR.32", "11101101 U X01 nnnn DDDD 1010 iiiiiiii", SCALED_4, word).floating(),
    memory("VSTR.64", "11101101 U 000 nnnn DDDD 1011 iiiiiiii", SCALED_4, double).floating(),
    memory("VLDR.64", "11101101 U 001 nnnn DDDD 1011 iiiiiiii", SCALED_4, double).floating(),
    memory("VSTR.32 SP", "11101101 U X00 1101 DDDD 1010 iiiiiiii", SCALED_4, word).floating(),
    memory("VLDR.32 SP", "11101101 U X01 1101 DDDD 1010 iiiiiiii", SCALED_4, word).floating(),
    float("VLDR.32 literal", "11101101 U X01 1111 DDDD 1010 iiiiiiii"),
    float("VLDR.64 literal", "11101101 U 001 1111 DDDD 1011 iiiiiiii"),
];

const NONE: Offset = Offset::Immediate(|_| 0);

/// Load-acquire and store-release of Armv8-M.
pub const ORDERED: &[Row] = &[
    memory("LDAB", "111010001101 nnnn tttt 1111 1000 1111", NONE, byte),
    memory("LDAH", "111010001101 nnnn tttt 1111 1001 1111", NONE, half).aligned_to(2),
    memory("LDA", "111010001101 nnnn tttt 1111 1010 1111", NONE, word).aligned(),
    memory("STLB", "111010001100 nnnn tttt 1111 1000 1111", NONE, byte),
    memory("STLH", "111010001100 nnnn tttt 1111 1001 1111", NONE, half).aligned_to(2),
    memory("STL", "111010001100 nnnn tttt 1111 1010 1111", NONE, word).aligned(),
    memory("LDAEXB", "111010001101 nnnn tttt 1111 1100 1111", NONE, byte),
    memory("LDAEXH", "111010001101 nnnn tttt 1111 1101 1111", NONE, half).aligned_to(2),
    memory("LDAEX", "111010001101 nnnn tttt 1111 1110 1111", NONE, word).aligned(),
];
