//! Register-controlled shifts, extension, SIMD, multiplication and division (A5.3.12 to A5.3.17), and the DSP extension.

use super::pattern::Encoding;
use super::row::{Row, core};

/// The two halves of a 64-bit result lie in two registers.
fn two_results(e: &Encoding) -> bool {
    e.get(b'l') != e.get(b'h')
}

/// Both `m` fields hold the same register.
fn same_operand(e: &Encoding) -> bool {
    e.get(b'n') == e.get(b'm')
}

/// The rows of Armv7-M.
pub const MAINLINE: &[Row] = &[
    core("LSL reg T2", "11111010 000 S nnnn 1111 dddd 0000 mmmm"),
    core("LSR reg T2", "11111010 001 S nnnn 1111 dddd 0000 mmmm"),
    core("ASR reg T2", "11111010 010 S nnnn 1111 dddd 0000 mmmm"),
    core("ROR reg T2", "11111010 011 S nnnn 1111 dddd 0000 mmmm"),
    core("SXTH T2", "11111010 0000 1111 1111 dddd 10 rr mmmm"),
    core("UXTH T2", "11111010 0001 1111 1111 dddd 10 rr mmmm"),
    core("SXTB T2", "11111010 0100 1111 1111 dddd 10 rr mmmm"),
    core("UXTB T2", "11111010 0101 1111 1111 dddd 10 rr mmmm"),
    core("REV T2", "11111010 1001 nnnn 1111 dddd 1000 mmmm").when(same_operand),
    core("REV16 T2", "11111010 1001 nnnn 1111 dddd 1001 mmmm").when(same_operand),
    core("RBIT", "11111010 1001 nnnn 1111 dddd 1010 mmmm").when(same_operand),
    core("REVSH T2", "11111010 1001 nnnn 1111 dddd 1011 mmmm").when(same_operand),
    core("CLZ", "11111010 1011 nnnn 1111 dddd 1000 mmmm").when(same_operand),
    core("MUL T2", "11111011 0000 nnnn 1111 dddd 0000 mmmm"),
    core("MLA", "11111011 0000 nnnn aaaa dddd 0000 mmmm"),
    core("MLS", "11111011 0000 nnnn aaaa dddd 0001 mmmm"),
    core("SMULL", "11111011 1000 nnnn llll hhhh 0000 mmmm").when(two_results),
    core("UMULL", "11111011 1010 nnnn llll hhhh 0000 mmmm").when(two_results),
    core("SMLAL", "11111011 1100 nnnn llll hhhh 0000 mmmm").when(two_results),
    core("UMLAL", "11111011 1110 nnnn llll hhhh 0000 mmmm").when(two_results),
    core("SDIV", "11111011 1001 nnnn 1111 dddd 1111 mmmm"),
    core("UDIV", "11111011 1011 nnnn 1111 dddd 1111 mmmm"),
];

/// The rows of the DSP extension.
pub const ROWS: &[Row] = &[
    // Halfwords: packing and saturation
    core("PKHBT/PKHTB", "1110101 0110 0 nnnn 0 iii dddd ii t0 mmmm"),
    core("SSAT16", "11110 0 1 1001 0 nnnn 0 000 dddd 0000 wwww"),
    core("USAT16", "11110 0 1 1101 0 nnnn 0 000 dddd 0000 wwww"),
    // Extension and addition
    core("SXTB16", "11111010 0010 1111 1111 dddd 10 rr mmmm"),
    core("UXTB16", "11111010 0011 1111 1111 dddd 10 rr mmmm"),
    core("SXTAH", "11111010 0000 nnnn 1111 dddd 10 rr mmmm"),
    core("UXTAH", "11111010 0001 nnnn 1111 dddd 10 rr mmmm"),
    core("SXTAB16", "11111010 0010 nnnn 1111 dddd 10 rr mmmm"),
    core("UXTAB16", "11111010 0011 nnnn 1111 dddd 10 rr mmmm"),
    core("SXTAB", "11111010 0100 nnnn 1111 dddd 10 rr mmmm"),
    core("UXTAB", "11111010 0101 nnnn 1111 dddd 10 rr mmmm"),
    core("SADD8", "11111010 1000 nnnn 1111 dddd 0000 mmmm"),
    core("SADD16", "11111010 1001 nnnn 1111 dddd 0000 mmmm"),
    core("SASX", "11111010 1010 nnnn 1111 dddd 0000 mmmm"),
    core("SSUB8", "11111010 1100 nnnn 1111 dddd 0000 mmmm"),
    core("SSUB16", "11111010 1101 nnnn 1111 dddd 0000 mmmm"),
    core("SSAX", "11111010 1110 nnnn 1111 dddd 0000 mmmm"),
    core("QADD8", "11111010 1000 nnnn 1111 dddd 0001 mmmm"),
    core("QADD16", "11111010 1001 nnnn 1111 dddd 0001 mmmm"),
    core("QASX", "11111010 1010 nnnn 1111 dddd 0001 mmmm"),
    core("QSUB8", "11111010 1100 nnnn 1111 dddd 0001 mmmm"),
    core("QSUB16", "11111010 1101 nnnn 1111 dddd 0001 mmmm"),
    core("QSAX", "11111010 1110 nnnn 1111 dddd 0001 mmmm"),
    core("SHADD8", "11111010 1000 nnnn 1111 dddd 0010 mmmm"),
    core("SHADD16", "11111010 1001 nnnn 1111 dddd 0010 mmmm"),
    core("SHASX", "11111010 1010 nnnn 1111 dddd 0010 mmmm"),
    core("SHSUB8", "11111010 1100 nnnn 1111 dddd 0010 mmmm"),
    core("SHSUB16", "11111010 1101 nnnn 1111 dddd 0010 mmmm"),
    core("SHSAX", "11111010 1110 nnnn 1111 dddd 0010 mmmm"),
    core("UADD8", "11111010 1000 nnnn 1111 dddd 0100 mmmm"),
    core("UADD16", "11111010 1001 nnnn 1111 dddd 0100 mmmm"),
    core("UASX", "11111010 1010 nnnn 1111 dddd 0100 mmmm"),
    core("USUB8", "11111010 1100 nnnn 1111 dddd 0100 mmmm"),
    core("USUB16", "11111010 1101 nnnn 1111 dddd 0100 mmmm"),
    core("USAX", "11111010 1110 nnnn 1111 dddd 0100 mmmm"),
    core("UQADD8", "11111010 1000 nnnn 1111 dddd 0101 mmmm"),
    core("UQADD16", "11111010 1001 nnnn 1111 dddd 0101 mmmm"),
    core("UQASX", "11111010 1010 nnnn 1111 dddd 0101 mmmm"),
    core("UQSUB8", "11111010 1100 nnnn 1111 dddd 0101 mmmm"),
    core("UQSUB16", "11111010 1101 nnnn 1111 dddd 0101 mmmm"),
    core("UQSAX", "11111010 1110 nnnn 1111 dddd 0101 mmmm"),
    core("UHADD8", "11111010 1000 nnnn 1111 dddd 0110 mmmm"),
    core("UHADD16", "11111010 1001 nnnn 1111 dddd 0110 mmmm"),
    core("UHASX", "11111010 1010 nnnn 1111 dddd 0110 mmmm"),
    core("UHSUB8", "11111010 1100 nnnn 1111 dddd 0110 mmmm"),
    core("UHSUB16", "11111010 1101 nnnn 1111 dddd 0110 mmmm"),
    core("UHSAX", "11111010 1110 nnnn 1111 dddd 0110 mmmm"),
    core("QADD", "11111010 1000 nnnn 1111 dddd 1000 mmmm"),
    core("QDADD", "11111010 1000 nnnn 1111 dddd 1001 mmmm"),
    core("QSUB", "11111010 1000 nnnn 1111 dddd 1010 mmmm"),
    core("QDSUB", "11111010 1000 nnnn 1111 dddd 1011 mmmm"),
    core("SEL", "11111010 1010 nnnn 1111 dddd 1000 mmmm"),
    core("SMULBB/BT/TB/TT", "11111011 0001 nnnn 1111 dddd 00 xy mmmm"),
    core("SMLABB/BT/TB/TT", "11111011 0001 nnnn aaaa dddd 00 xy mmmm"),
    core("SMUAD/X", "11111011 0010 nnnn 1111 dddd 000 x mmmm"),
    core("SMLAD/X", "11111011 0010 nnnn aaaa dddd 000 x mmmm"),
    core("SMULWB/T", "11111011 0011 nnnn 1111 dddd 000 x mmmm"),
    core("SMLAWB/T", "11111011 0011 nnnn aaaa dddd 000 x mmmm"),
    core("SMUSD/X", "11111011 0100 nnnn 1111 dddd 000 x mmmm"),
    core("SMLSD/X", "11111011 0100 nnnn aaaa dddd 000 x mmmm"),
    core("SMMUL/R", "11111011 0101 nnnn 1111 dddd 000 x mmmm"),
    core("SMMLA/R", "11111011 0101 nnnn aaaa dddd 000 x mmmm"),
    core("SMMLS/R", "11111011 0110 nnnn aaaa dddd 000 x mmmm"),
    core("USAD8", "11111011 0111 nnnn 1111 dddd 0000 mmmm"),
    core("USADA8", "11111011 0111 nnnn aaaa dddd 0000 mmmm"),
    core("UMAAL", "11111011 1110 nnnn llll hhhh 0110 mmmm").when(two_results),
    core("SMLALBB/BT/TB/TT", "11111011 1100 nnnn llll hhhh 10 xy mmmm").when(two_results),
    core("SMLALD/X", "11111011 1100 nnnn llll hhhh 110 x mmmm").when(two_results),
    core("SMLSLD/X", "11111011 1101 nnnn llll hhhh 110 x mmmm").when(two_results),
];
