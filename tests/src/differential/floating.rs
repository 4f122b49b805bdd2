//! Single-precision floating point (A6.4, A6.6, A6.7): arithmetic, comparison, conversion, moves.
//!
//! `X` and `D`, `Y` and `N`, `Z` and `M` are the two parts of the destination and the two operands.

use super::pattern::Encoding;
use super::row::{Row, float};

/// A fixed-point number has no more fraction bits than bits.
fn fits_half(e: &Encoding) -> bool {
    e.get(b'i') << 1 | e.get(b'j') <= 16
}

fn fits_word(e: &Encoding) -> bool {
    e.get(b'i') << 1 | e.get(b'j') <= 32
}

/// Both of a pair exist, and a pair of core registers is two.
fn pair(e: &Encoding) -> bool {
    (e.get(b'M') << 1 | e.get(b'Z')) != 31 && e.get(b't') != e.get(b'u')
}

fn two_registers(e: &Encoding) -> bool {
    e.get(b't') != e.get(b'u')
}

/// The rows.
pub const ROWS: &[Row] = &[
    float("VMLA", "111011100 X 00 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VMLS", "111011100 X 00 NNNN DDDD 1010 Y1Z0 MMMM"),
    float("VNMLS", "111011100 X 01 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VNMLA", "111011100 X 01 NNNN DDDD 1010 Y1Z0 MMMM"),
    float("VMUL", "111011100 X 10 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VNMUL", "111011100 X 10 NNNN DDDD 1010 Y1Z0 MMMM"),
    float("VADD", "111011100 X 11 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VSUB", "111011100 X 11 NNNN DDDD 1010 Y1Z0 MMMM"),
    float("VDIV", "111011101 X 00 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VFNMS", "111011101 X 01 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VFNMA", "111011101 X 01 NNNN DDDD 1010 Y1Z0 MMMM"),
    float("VFMA", "111011101 X 10 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VFMS", "111011101 X 10 NNNN DDDD 1010 Y1Z0 MMMM"),
    float("VMOV imm", "111011101 X 11 iiii DDDD 1010 0000 iiii"),
    float("VMOV reg", "111011101 X 11 0000 DDDD 1010 01Z0 MMMM"),
    float("VABS", "111011101 X 11 0000 DDDD 1010 11Z0 MMMM"),
    float("VNEG", "111011101 X 11 0001 DDDD 1010 01Z0 MMMM"),
    float("VSQRT", "111011101 X 11 0001 DDDD 1010 11Z0 MMMM"),
    float("VCVTB.F32.F16", "111011101 X 11 0010 DDDD 1010 01Z0 MMMM"),
    float("VCVTT.F32.F16", "111011101 X 11 0010 DDDD 1010 11Z0 MMMM"),
    float("VCVTB.F16.F32", "111011101 X 11 0011 DDDD 1010 01Z0 MMMM"),
    float("VCVTT.F16.F32", "111011101 X 11 0011 DDDD 1010 11Z0 MMMM"),
    float("VCMP", "111011101 X 11 0100 DDDD 1010 01Z0 MMMM"),
    float("VCMPE", "111011101 X 11 0100 DDDD 1010 11Z0 MMMM"),
    float("VCMP zero", "111011101 X 11 0101 DDDD 1010 0100 0000"),
    float("VCMPE zero", "111011101 X 11 0101 DDDD 1010 1100 0000"),
    float("VCVT.F32.U32", "111011101 X 11 1000 DDDD 1010 01Z0 MMMM"),
    float("VCVT.F32.S32", "111011101 X 11 1000 DDDD 1010 11Z0 MMMM"),
    float("VCVTR.U32.F32", "111011101 X 11 1100 DDDD 1010 01Z0 MMMM"),
    float("VCVT.U32.F32", "111011101 X 11 1100 DDDD 1010 11Z0 MMMM"),
    float("VCVTR.S32.F32", "111011101 X 11 1101 DDDD 1010 01Z0 MMMM"),
    float("VCVT.S32.F32", "111011101 X 11 1101 DDDD 1010 11Z0 MMMM"),
    float("VCVT.F32.S16 fixed", "111011101 X 11 1010 DDDD 1010 01j0 iiii").when(fits_half),
    float("VCVT.F32.S32 fixed", "111011101 X 11 1010 DDDD 1010 11j0 iiii").when(fits_word),
    float("VCVT.F32.U16 fixed", "111011101 X 11 1011 DDDD 1010 01j0 iiii").when(fits_half),
    float("VCVT.F32.U32 fixed", "111011101 X 11 1011 DDDD 1010 11j0 iiii").when(fits_word),
    float("VCVT.S16.F32 fixed", "111011101 X 11 1110 DDDD 1010 01j0 iiii").when(fits_half),
    float("VCVT.S32.F32 fixed", "111011101 X 11 1110 DDDD 1010 11j0 iiii").when(fits_word),
    float("VCVT.U16.F32 fixed", "111011101 X 11 1111 DDDD 1010 01j0 iiii").when(fits_half),
    float("VCVT.U32.F32 fixed", "111011101 X 11 1111 DDDD 1010 11j0 iiii").when(fits_word),
    // Moves between core and floating-point registers
    float("VMOV Sn, Rt", "11101110 0000 NNNN tttt 1010 Y001 0000"),
    float("VMOV Rt, Sn", "11101110 0001 NNNN tttt 1010 Y001 0000"),
    float("VMOV Dd[x], Rt", "11101110 00x0 DDDD tttt 1011 0001 0000"),
    float("VMOV Rt, Dn[x]", "11101110 00x1 NNNN tttt 1011 0001 0000"),
    float("VMOV Sm, Sm1, Rt, Rt2", "11101100 0100 uuuu tttt 1010 00Z1 MMMM").when(pair),
    float("VMOV Rt, Rt2, Sm, Sm1", "11101100 0101 uuuu tttt 1010 00Z1 MMMM").when(pair),
    float("VMOV Dm, Rt, Rt2", "11101100 0100 uuuu tttt 1011 0001 MMMM").when(two_registers),
    float("VMOV Rt, Rt2, Dm", "11101100 0101 uuuu tttt 1011 0001 MMMM").when(two_registers),
    float("VMRS Rt", "11101110 1111 0001 tttt 1010 0001 0000"),
    float("VMRS APSR", "11101110 1111 0001 1111 1010 0001 0000"),
    float("VMSR", "11101110 1110 0001 tttt 1010 0001 0000"),
];

/// What FPv5 adds.
pub const VERSION_5: &[Row] = &[
    float("VSELEQ", "111111100 X 00 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VSELVS", "111111100 X 01 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VSELGE", "111111100 X 10 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VSELGT", "111111100 X 11 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VMAXNM", "111111101 X 00 NNNN DDDD 1010 Y0Z0 MMMM"),
    float("VMINNM", "111111101 X 00 NNNN DDDD 1010 Y1Z0 MMMM"),
    float("VRINTA", "111111101 X 11 1000 DDDD 1010 01Z0 MMMM"),
    float("VRINTN", "111111101 X 11 1001 DDDD 1010 01Z0 MMMM"),
    float("VRINTP", "111111101 X 11 1010 DDDD 1010 01Z0 MMMM"),
    float("VRINTM", "111111101 X 11 1011 DDDD 1010 01Z0 MMMM"),
    float("VRINTR", "111011101 X 11 0110 DDDD 1010 01Z0 MMMM"),
    float("VRINTZ", "111011101 X 11 0110 DDDD 1010 11Z0 MMMM"),
    float("VRINTX", "111011101 X 11 0111 DDDD 1010 01Z0 MMMM"),
    float("VCVTA", "111111101 X 11 1100 DDDD 1010 S1Z0 MMMM"),
    float("VCVTN", "111111101 X 11 1101 DDDD 1010 S1Z0 MMMM"),
    float("VCVTP", "111111101 X 11 1110 DDDD 1010 S1Z0 MMMM"),
    float("VCVTM", "111111101 X 11 1111 DDDD 1010 S1Z0 MMMM"),
];
