//! Data processing with immediates and shifted registers, in 16 and 32 bits (A5.2.1 to A5.2.5, A5.3.1, A5.3.3, A5.3.11).

use super::pattern::Encoding;
use super::row::{Row, core, stack};

/// A modified immediate that repeats a byte must not repeat zero.
fn constant(e: &Encoding) -> bool {
    !(1..=3).contains(&(e.get(b'i') >> 8)) || e.get(b'i') & 0xFF != 0
}

/// ASR by zero would be the form for two halfwords.
fn saturation(e: &Encoding) -> bool {
    e.get(b's') == 0 || e.get(b'i') != 0
}

fn inserts(e: &Encoding) -> bool {
    e.get(b'w') >= e.get(b'i')
}

fn extracts(e: &Encoding) -> bool {
    e.get(b'i') + e.get(b'w') < 32
}

fn high(e: &Encoding) -> bool {
    e.get(b'd') >= 8 || e.get(b'n') >= 8 || e.get(b'm') >= 8
}

/// The rows.
pub const ROWS: &[Row] = &[
    // Shift, add, subtract, move, compare: 16 bits
    core("LSLS/MOVS imm T1", "00000 iiiii mmm ddd"),
    core("LSRS imm T1", "00001 iiiii mmm ddd"),
    core("ASRS imm T1", "00010 iiiii mmm ddd"),
    core("ADDS reg T1", "0001100 mmm nnn ddd"),
    core("SUBS reg T1", "0001101 mmm nnn ddd"),
    core("ADDS imm T1", "0001110 iii nnn ddd"),
    core("SUBS imm T1", "0001111 iii nnn ddd"),
    core("MOVS imm T1", "00100 ddd iiiiiiii"),
    core("CMP imm T1", "00101 nnn iiiiiiii"),
    core("ADDS imm T2", "00110 ddd iiiiiiii"),
    core("SUBS imm T2", "00111 ddd iiiiiiii"),
    core("ANDS T1", "0100000000 mmm ddd"),
    core("EORS T1", "0100000001 mmm ddd"),
    core("LSLS reg T1", "0100000010 mmm ddd"),
    core("LSRS reg T1", "0100000011 mmm ddd"),
    core("ASRS reg T1", "0100000100 mmm ddd"),
    core("ADCS T1", "0100000101 mmm ddd"),
    core("SBCS T1", "0100000110 mmm ddd"),
    core("RORS reg T1", "0100000111 mmm ddd"),
    core("TST T1", "0100001000 mmm ddd"),
    core("RSBS T1", "0100001001 nnn ddd"),
    core("CMP reg T1", "0100001010 mmm nnn"),
    core("CMN T1", "0100001011 mmm nnn"),
    core("ORRS T1", "0100001100 mmm ddd"),
    core("MULS T1", "0100001101 nnn ddd"),
    core("BICS T1", "0100001110 mmm ddd"),
    core("MVNS T1", "0100001111 mmm ddd"),
    // High registers, the stack pointer and the program counter as operands
    core("ADD reg T2", "01000100 d mmmm ddd"),
    core("CMP reg T2", "01000101 n mmmm nnn").when(high),
    core("MOV T1", "01000110 d mmmm ddd"),
    stack("ADD Rd, SP, Rd", "01000100 d 1101 ddd"),
    stack("ADD SP, Rm", "01000100 1 mmmm 101"),
    stack("CMP Rn, SP", "01000101 n 1101 nnn"),
    stack("CMP SP, Rm", "01000101 1 mmmm 101"),
    stack("MOV Rd, SP", "01000110 d 1101 ddd"),
    stack("MOV SP, Rm", "01000110 1 mmmm 101"),
    core("ADD Rd, PC", "01000100 d 1111 ddd"),
    core("MOV Rd, PC", "01000110 d 1111 ddd"),
    core("ADR T1", "10100 ddd iiiiiiii"),
    core("ADR T2", "11110 i 1010101111 0 iii dddd iiiiiiii"),
    core("ADR T3", "11110 i 1000001111 0 iii dddd iiiiiiii"),
    stack("ADD Rd, SP, imm T1", "10101 ddd iiiiiiii"),
    stack("ADD SP, imm T2", "101100000 iiiiiii"),
    stack("SUB SP, imm T1", "101100001 iiiiiii"),
    // Extension and byte order: 16 bits
    core("SXTH T1", "1011001000 mmm ddd"),
    core("SXTB T1", "1011001001 mmm ddd"),
    core("UXTH T1", "1011001010 mmm ddd"),
    core("UXTB T1", "1011001011 mmm ddd"),
    core("REV T1", "1011101000 mmm ddd"),
    core("REV16 T1", "1011101001 mmm ddd"),
    core("REVSH T1", "1011101011 mmm ddd"),
    // Modified immediates
    core("AND imm", "11110 i 0 0000 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("BIC imm", "11110 i 0 0001 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("ORR imm", "11110 i 0 0010 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("ORN imm", "11110 i 0 0011 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("EOR imm", "11110 i 0 0100 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("ADD imm T3", "11110 i 0 1000 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("ADC imm", "11110 i 0 1010 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("SBC imm", "11110 i 0 1011 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("SUB imm T3", "11110 i 0 1101 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("RSB imm T2", "11110 i 0 1110 S nnnn 0 iii dddd iiiiiiii").when(constant),
    core("MOV imm T2", "11110 i 0 0010 S 1111 0 iii dddd iiiiiiii").when(constant),
    core("MVN imm", "11110 i 0 0011 S 1111 0 iii dddd iiiiiiii").when(constant),
    core("TST imm", "11110 i 0 0000 1 nnnn 0 iii 1111 iiiiiiii").when(constant),
    core("TEQ imm", "11110 i 0 0100 1 nnnn 0 iii 1111 iiiiiiii").when(constant),
    core("CMN imm", "11110 i 0 1000 1 nnnn 0 iii 1111 iiiiiiii").when(constant),
    core("CMP imm T2", "11110 i 0 1101 1 nnnn 0 iii 1111 iiiiiiii").when(constant),
    stack("ADD Rd, SP, imm T3", "11110 i 0 1000 S 1101 0 iii dddd iiiiiiii").when(constant),
    stack("SUB Rd, SP, imm T2", "11110 i 0 1101 S 1101 0 iii dddd iiiiiiii").when(constant),
    stack("ADD SP, SP, imm T3", "11110 i 0 1000 S 1101 0 iii 1101 iiiiiiii").when(constant),
    stack("SUB SP, SP, imm T2", "11110 i 0 1101 S 1101 0 iii 1101 iiiiiiii").when(constant),
    stack("CMP SP, imm", "11110 i 0 1101 1 1101 0 iii 1111 iiiiiiii").when(constant),
    stack("CMN SP, imm", "11110 i 0 1000 1 1101 0 iii 1111 iiiiiiii").when(constant),
    // Shifted registers
    core("AND reg", "1110101 0000 S nnnn 0 iii dddd ii tt mmmm"),
    core("BIC reg", "1110101 0001 S nnnn 0 iii dddd ii tt mmmm"),
    core("ORR reg", "1110101 0010 S nnnn 0 iii dddd ii tt mmmm"),
    core("ORN reg", "1110101 0011 S nnnn 0 iii dddd ii tt mmmm"),
    core("EOR reg", "1110101 0100 S nnnn 0 iii dddd ii tt mmmm"),
    core("ADD reg T3", "1110101 1000 S nnnn 0 iii dddd ii tt mmmm"),
    core("ADC reg", "1110101 1010 S nnnn 0 iii dddd ii tt mmmm"),
    core("SBC reg", "1110101 1011 S nnnn 0 iii dddd ii tt mmmm"),
    core("SUB reg T2", "1110101 1101 S nnnn 0 iii dddd ii tt mmmm"),
    core("RSB reg", "1110101 1110 S nnnn 0 iii dddd ii tt mmmm"),
    core("ADD reg T3, no shift", "1110101 1000 S nnnn 0 000 dddd 00 00 mmmm"),
    core("SUB reg T2, no shift", "1110101 1101 S nnnn 0 000 dddd 00 00 mmmm"),
    core("RRX operand", "1110101 ZZZ0 S nnnn 0 000 dddd 00 11 mmmm").when(|e| matches!(e.get(b'Z'), 0 | 1 | 2 | 4 | 5 | 7)),
    core("MOV/LSL/LSR/ASR/ROR/RRX imm", "1110101 0010 S 1111 0 iii dddd ii tt mmmm"),
    core("MVN reg", "1110101 0011 S 1111 0 iii dddd ii tt mmmm"),
    core("TST reg", "1110101 0000 1 nnnn 0 iii 1111 ii tt mmmm"),
    core("TEQ reg", "1110101 0100 1 nnnn 0 iii 1111 ii tt mmmm"),
    core("CMN reg", "1110101 1000 1 nnnn 0 iii 1111 ii tt mmmm"),
    core("CMP reg T3", "1110101 1101 1 nnnn 0 iii 1111 ii tt mmmm"),
    stack("ADD Rd, SP, reg", "1110101 1000 S 1101 0 iii dddd ii tt mmmm"),
    stack("SUB Rd, SP, reg", "1110101 1101 S 1101 0 iii dddd ii tt mmmm"),
    stack("ADD SP, SP, reg, LSL", "1110101 1000 S 1101 0 000 1101 ii 00 mmmm"),
    stack("SUB SP, SP, reg, LSL", "1110101 1101 S 1101 0 000 1101 ii 00 mmmm"),
    stack("CMP SP, reg", "1110101 1101 1 1101 0 iii 1111 ii tt mmmm"),
    stack("CMN SP, reg", "1110101 1000 1 1101 0 iii 1111 ii tt mmmm"),
    stack("MOV.W SP, Rm", "1110101 0010 0 1111 0 000 1101 00 00 mmmm"),
    // Plain immediates
    core("ADDW", "11110 i 1 0000 0 nnnn 0 iii dddd iiiiiiii"),
    core("SUBW", "11110 i 1 0101 0 nnnn 0 iii dddd iiiiiiii"),
    stack("ADDW Rd, SP", "11110 i 1 0000 0 1101 0 iii dddd iiiiiiii"),
    stack("SUBW Rd, SP", "11110 i 1 0101 0 1101 0 iii dddd iiiiiiii"),
    stack("ADDW SP, SP", "11110 i 1 0000 0 1101 0 iii 1101 iiiiiiii"),
    stack("SUBW SP, SP", "11110 i 1 0101 0 1101 0 iii 1101 iiiiiiii"),
    core("MOVW", "11110 i 1 0010 0 iiii 0 iii dddd iiiiiiii"),
    core("MOVT", "11110 i 1 0110 0 iiii 0 iii dddd iiiiiiii"),
    core("SSAT", "11110 0 1 100 s 0 nnnn 0 iii dddd ii 0 wwwww").when(saturation),
    core("USAT", "11110 0 1 110 s 0 nnnn 0 iii dddd ii 0 wwwww").when(saturation),
    core("SBFX", "11110 0 1 1010 0 nnnn 0 iii dddd ii 0 wwwww").when(extracts),
    core("UBFX", "11110 0 1 1110 0 nnnn 0 iii dddd ii 0 wwwww").when(extracts),
    core("BFI", "11110 0 1 1011 0 nnnn 0 iii dddd ii 0 wwwww").when(inserts),
    core("BFC", "11110 0 1 1011 0 1111 0 iii dddd ii 0 wwwww").when(inserts),
];
