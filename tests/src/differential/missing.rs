//! Encodings that end in a fault.

use super::row::{Row, core};

/// What no core here executes.
pub const ROWS: &[Row] = &[
    core("UDF T1", "11011110 iiiiiiii"),
    core("UDF T2", "111101111111 iiii 1010 iiiiiiiiiiii"),
    core("BLX imm", "11110 iiiiiiiiiii 11 i 0 i iiiiiiiiii 0"),
    core("MRC", "11101110 iii1 iiii tttt 1111 iii1 iiii"),
    core("MCR", "11101110 iii0 iiii tttt 1111 iii1 iiii"),
    core("CDP", "11101110 iiii iiii iiii 0iii iii0 iiii"),
    core("CDP to the FPU, unallocated", "111011101 i 01 iiii iiii 1010 i1i1 iiii"),
    core("CDP2 to the FPU, unallocated", "111111101 i 01 iiii iiii 101i i1i0 iiii"),
    core("LDC", "11101101 i0i1 nnnn iiii 0iii iiiiiiii"),
    core("STC", "11101101 i0i0 nnnn iiii 0iii iiiiiiii"),
];

/// Narrow instructions that Armv6-M lacks; where they exist, others test them.
pub const NARROW: &[Row] = &[core("CBZ/CBNZ T1", "1011 i0i1 iiiii nnn"), core("IT T1", "10111111 0iii 1000")];

/// Branches that go to even addresses.
pub const BRANCHES: &[Row] = &[core("BX", "010001110 mmmm 000"), core("BLX", "010001111 mmmm 000")];
