//! Loads and stores of register lists (A5.2.5, A5.3.5, A6.5).
//!
//! `L` is the list of core registers, `P` and `M` the bits for the program counter and the link register; `V` counts floating-point
//! registers from `DDDD` and `X`.

use super::pattern::Encoding;
use super::row::{Offset, Row, memory};

const NONE: Offset = Offset::Immediate(|_| 0);

fn count(e: &Encoding) -> u32 {
    e.get(b'L').count_ones() + e.get(b'P') + e.get(b'M')
}

fn upwards(e: &Encoding) -> (i32, u32) {
    (0, 4 * count(e))
}

fn downwards(e: &Encoding) -> (i32, u32) {
    (-4 * count(e) as i32, 4 * count(e))
}

/// A pop of the program counter has its bit fixed in the encoding.
fn upwards_to_pc(e: &Encoding) -> (i32, u32) {
    (0, 4 * count(e) + 4)
}

fn downwards_to_pc(e: &Encoding) -> (i32, u32) {
    (-4 * count(e) as i32 - 4, 4 * count(e) + 4)
}

fn some(e: &Encoding) -> bool {
    count(e) > 0
}

fn two(e: &Encoding) -> bool {
    count(e) > 1
}

/// Two or more registers, and the base is not among them.
fn apart(e: &Encoding) -> bool {
    two(e) && (e.get(b'L') >> e.get(b'n') & 1 == 0) && !(e.get(b'n') == 14 && e.get(b'M') != 0)
}

fn base_not_link(e: &Encoding) -> bool {
    some(e) && apart_from_list(e)
}

fn apart_from_list(e: &Encoding) -> bool {
    e.get(b'L') >> e.get(b'n') & 1 == 0 && !(e.get(b'n') == 14 && e.get(b'M') != 0)
}

/// STM with the base in the list stores its old value if it is the lowest, and is unpredictable otherwise.
fn base_lowest(e: &Encoding) -> bool {
    let (list, base) = (e.get(b'L'), e.get(b'n'));
    list != 0 && (list >> base & 1 == 0 || list.trailing_zeros() == base)
}

fn singles(e: &Encoding) -> bool {
    let (first, count) = (e.get(b'D') << 1 | e.get(b'X'), e.get(b'V'));
    (1..=16).contains(&count) && first + count <= 32
}

fn doubles(e: &Encoding) -> bool {
    let (first, count) = (e.get(b'D'), e.get(b'V'));
    (1..=8).contains(&count) && first + count <= 16
}

fn singles_up(e: &Encoding) -> (i32, u32) {
    (0, 4 * e.get(b'V'))
}

fn singles_down(e: &Encoding) -> (i32, u32) {
    (-4 * e.get(b'V') as i32, 4 * e.get(b'V'))
}

fn doubles_up(e: &Encoding) -> (i32, u32) {
    (0, 8 * e.get(b'V'))
}

fn doubles_down(e: &Encoding) -> (i32, u32) {
    (-8 * e.get(b'V') as i32, 8 * e.get(b'V'))
}

/// The rows.
pub const ROWS: &[Row] = &[
    memory("STM T1", "11000 nnn LLLLLLLL", NONE, upwards).when(base_lowest).aligned(),
    memory("LDM T1", "11001 nnn LLLLLLLL", NONE, upwards).when(some).aligned(),
    memory("PUSH T1", "1011010 M LLLLLLLL", NONE, downwards).when(some).aligned(),
    memory("POP T1", "10111100 LLLLLLLL", NONE, upwards).when(some).aligned(),
    memory("POP T1 to PC", "10111101 LLLLLLLL", NONE, upwards_to_pc).jumping(),
    memory("STM T2", "111010001000 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, upwards).when(two).aligned(),
    memory("STM T2!", "111010001010 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, upwards).when(apart).aligned(),
    memory("STMDB", "111010010000 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, downwards).when(two).aligned(),
    memory("STMDB!", "111010010010 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, downwards).when(apart).aligned(),
    memory("LDM T2", "111010001001 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, upwards).when(two).aligned(),
    memory("LDM T2!", "111010001011 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, upwards).when(apart).aligned(),
    memory("LDMDB", "111010010001 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, downwards).when(two).aligned(),
    memory("LDMDB!", "111010010011 nnnn 0 M 0 LLLLLLLLLLLLL", NONE, downwards).when(apart).aligned(),
    memory("LDM T2! to PC", "111010001011 nnnn 1 0 0 LLLLLLLLLLLLL", NONE, upwards_to_pc).when(base_not_link).jumping(),
    memory("LDMDB! to PC", "111010010011 nnnn 1 0 0 LLLLLLLLLLLLL", NONE, downwards_to_pc).when(base_not_link).jumping(),
    memory("PUSH T2", "1110100100101101 0 M 0 LLLLLLLLLLLLL", NONE, downwards).when(two).aligned(),
    memory("POP T2", "1110100010111101 0 M 0 LLLLLLLLLLLLL", NONE, upwards).when(two).aligned(),
    memory("PUSH T3", "1111100001001101 tttt 110100000100", NONE, |_| (-4, 4)).aligned(),
    memory("POP T3", "1111100001011101 tttt 101100000100", NONE, |_| (0, 4)).aligned(),
    memory("VSTMIA.32", "11101100 1X00 nnnn DDDD 1010 VVVVVVVV", NONE, singles_up).when(singles).floating(),
    memory("VSTMIA.32!", "11101100 1X10 nnnn DDDD 1010 VVVVVVVV", NONE, singles_up).when(singles).floating(),
    memory("VSTMDB.32!", "11101101 0X10 nnnn DDDD 1010 VVVVVVVV", NONE, singles_down).when(singles).floating(),
    memory("VLDMIA.32", "11101100 1X01 nnnn DDDD 1010 VVVVVVVV", NONE, singles_up).when(singles).floating(),
    memory("VLDMIA.32!", "11101100 1X11 nnnn DDDD 1010 VVVVVVVV", NONE, singles_up).when(singles).floating(),
    memory("VLDMDB.32!", "11101101 0X11 nnnn DDDD 1010 VVVVVVVV", NONE, singles_down).when(singles).floating(),
    memory("VSTMIA.64", "11101100 1000 nnnn DDDD 1011 VVVVVVV0", NONE, doubles_up).when(doubles).floating(),
    memory("VSTMIA.64!", "11101100 1010 nnnn DDDD 1011 VVVVVVV0", NONE, doubles_up).when(doubles).floating(),
    memory("VSTMDB.64!", "11101101 0010 nnnn DDDD 1011 VVVVVVV0", NONE, doubles_down).when(doubles).floating(),
    memory("VLDMIA.64", "11101100 1001 nnnn DDDD 1011 VVVVVVV0", NONE, doubles_up).when(doubles).floating(),
    memory("VLDMIA.64!", "11101100 1011 nnnn DDDD 1011 VVVVVVV0", NONE, doubles_up).when(doubles).floating(),
    memory("VLDMDB.64!", "11101101 0011 nnnn DDDD 1011 VVVVVVV0", NONE, doubles_down).when(doubles).floating(),
    memory("VPUSH.32", "11101101 0X10 1101 DDDD 1010 VVVVVVVV", NONE, singles_down).when(singles).floating(),
    memory("VPOP.32", "11101100 1X11 1101 DDDD 1010 VVVVVVVV", NONE, singles_up).when(singles).floating(),
    memory("VPUSH.64", "11101101 0010 1101 DDDD 1011 VVVVVVV0", NONE, doubles_down).when(doubles).floating(),
    memory("VPOP.64", "11101100 1011 1101 DDDD 1011 VVVVVVV0", NONE, doubles_up).when(doubles).floating(),
];
