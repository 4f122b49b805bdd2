//! The code around all snippets: it loads a state, jumps to a snippet, and stores the state that comes back over the first one.
//!
//! The stack pointer holds [`CONTEXT`] throughout; four words there say where the harness is. When all is done, or at a fault, the guest
//! writes these words and all states to its standard output by semihosting, and exits.

use super::snippet::{CONTEXT, SAVE, Writer};
use super::state::SCRATCH_ADDRESS;

/// Address of the first snippet.
pub const SNIPPETS: u32 = 0x1_0000;
/// Address of the first state: the board's external memory.
pub const STATES: u32 = 0x2100_0000;
/// Bytes of external memory.
pub const STATES_BYTES: u32 = 16 << 20;
/// Bytes of a state.
pub const STATE_BYTES: u32 = 256;
/// Bytes of flash that images use.
pub const FLASH_BYTES: u32 = 4 << 20;

const START: u32 = 0x400;
const FAULT: u32 = 0x600;
const LOAD: u32 = 0x800;
const FINISH: u32 = 0x1400;
/// Parameters of the semihosting calls, behind the four words of the context.
const OPEN: u32 = CONTEXT + 0x40;
const WRITE_CONTEXT: u32 = CONTEXT + 0x50;
const WRITE_STATES: u32 = CONTEXT + 0x60;
const NAME: u32 = CONTEXT + 0x70;

/// What lies at [`CONTEXT`] at first: the state at hand, the snippet at hand, the index of the state, the number of states; then the
/// parameters of the calls.
pub fn context(states: u32) -> Vec<u8> {
    let mut words = [0; 0x80 / 4];
    words[..4].copy_from_slice(&[STATES, SNIPPETS | 1, 0, states]);
    words[0x10..0x13].copy_from_slice(&[NAME, 5, 3]); // ":tt" for writing: standard output
    words[0x14..0x17].copy_from_slice(&[0, CONTEXT, 16]);
    words[0x18..0x1B].copy_from_slice(&[0, STATES, states * STATE_BYTES]);
    words[0x1C] = u32::from_le_bytes(*b":tt\0");
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Vectors and code, from address 0 to [`SNIPPETS`]. There are `1 << shift` states to a snippet.
pub fn code(shift: u32) -> Vec<u16> {
    let mut vectors = Writer::new(0);
    for index in 0..16 {
        let word = match index {
            0 => CONTEXT,
            1 => START | 1,
            _ => FAULT | 1,
        };
        vectors.push(&[word as u16, (word >> 16) as u16]);
    }
    let parts = [vectors, start(), fault(), load(), save(shift), finish()];
    let mut code = Vec::new();
    for part in parts {
        assert!(code.len() <= part.start as usize / 2, "the part at {:#x} overlaps the one before", part.start);
        code.resize(part.start as usize / 2, 0);
        code.extend(part.code);
    }
    code.resize(SNIPPETS as usize / 2, 0);
    code
}

/// `MOVW` and `MOVT` of `value` to `register`.
fn constant(w: &mut Writer, register: u32, value: u32) {
    for (operation, half) in [(0xF240_0000, value & 0xFFFF), (0xF2C0_0000, value >> 16)] {
        let (high, i, imm3, imm8) = (half >> 12, half >> 11 & 1, half >> 8 & 7, half & 0xFF);
        w.wide(operation | i << 26 | high << 16 | imm3 << 12 | register << 8 | imm8);
    }
}

fn start() -> Writer {
    let mut w = Writer::new(START);
    constant(&mut w, 0, 0xE000_ED88); // CPACR
    constant(&mut w, 1, 0x00F0_0000);
    w.push(&[0x6001]); // STR r1, [r0]
    w.wide(0xF3BF_8F4F); // DSB
    w.wide(0xF3BF_8F6F); // ISB
    w.branch(LOAD);
    w
}

fn fault() -> Writer {
    let mut w = Writer::new(FAULT);
    constant(&mut w, 0, CONTEXT);
    w.push(&[0x4685]); // MOV SP, r0
    w.branch(FINISH);
    w
}

fn load() -> Writer {
    let mut w = Writer::new(LOAD);
    w.push(&[0x9800]); // LDR r0, [SP]: the state
    w.wide(0xF100_01C0); // ADD r1, r0, #192
    constant(&mut w, 2, SCRATCH_ADDRESS);
    for _ in 0..2 {
        w.wide(0xE8B1_07F8); // LDM r1!, {r3-r10}
        w.wide(0xE8A2_07F8); // STM r2!, {r3-r10}
    }
    w.wide(0xF100_0140); // ADD r1, r0, #64
    w.wide(0xEC91_0A20); // VLDM r1, {s0-s31}
    w.push(&[0x6BC1]); // LDR r1, [r0, #60]
    w.wide(0xEEE1_1A10); // VMSR FPSCR, r1
    w.push(&[0x6B81]); // LDR r1, [r0, #56]
    w.wide(0xF381_8C00); // MSR APSR_nzcvqg, r1
    w.wide(0xF8D0_E034); // LDR LR, [r0, #52]
    w.wide(0xE890_1FFF); // LDM r0, {r0-r12}
    w.wide(0xF8DD_F004); // LDR PC, [SP, #4]: the snippet
    w
}

fn save(shift: u32) -> Writer {
    let mut w = Writer::new(SAVE);
    w.wide(0xE90D_5FFF); // STMDB SP, {r0-r12, LR}
    w.wide(0xF3EF_8100); // MRS r1, APSR
    w.push(&[0x9800, 0x6381]); // LDR r0, [SP]; STR r1, [r0, #56]
    w.wide(0xEEF1_1A10); // VMRS r1, FPSCR
    w.push(&[0x63C1]); // STR r1, [r0, #60]
    w.wide(0xF100_0140); // ADD r1, r0, #64
    w.wide(0xEC81_0A20); // VSTM r1, {s0-s31}
    w.wide(0xF1AD_0138); // SUB r1, SP, #56
    for _ in 0..2 {
        w.wide(0xE8B1_01FC); // LDM r1!, {r2-r8}
        w.wide(0xE8A0_01FC); // STM r0!, {r2-r8}
    }
    w.push(&[0x9800]); // LDR r0, [SP]
    w.wide(0xF100_01C0); // ADD r1, r0, #192
    constant(&mut w, 2, SCRATCH_ADDRESS);
    for _ in 0..2 {
        w.wide(0xE8B2_07F8); // LDM r2!, {r3-r10}
        w.wide(0xE8A1_07F8); // STM r1!, {r3-r10}
    }
    w.wide(0xF500_7080); // ADD r0, r0, #256
    w.push(&[0x9000]); // STR r0, [SP]
    w.push(&[0x9902, 0x3101, 0x9102]); // LDR r1, [SP, #8]; ADDS r1, #1; STR r1, [SP, #8]
    w.push(&[(0x080A | shift << 6) as u16]); // LSRS r2, r1, #shift
    w.push(&[0x0152]); // LSLS r2, r2, #5: 32 bytes to a snippet
    constant(&mut w, 3, SNIPPETS | 1);
    w.push(&[0x441A, 0x9201]); // ADD r2, r3; STR r2, [SP, #4]
    w.push(&[0x9B03, 0x4299]); // LDR r3, [SP, #12]; CMP r1, r3
    w.push(&[0xD001]); // BEQ over the next
    w.branch(LOAD);
    w.branch(FINISH);
    w
}

fn finish() -> Writer {
    const CALL: u16 = 0xBEAB; // BKPT 0xAB
    let mut w = Writer::new(FINISH);
    constant(&mut w, 1, OPEN);
    w.push(&[0x2001, CALL]); // SYS_OPEN
    constant(&mut w, 1, WRITE_CONTEXT);
    constant(&mut w, 4, WRITE_STATES);
    w.push(&[0x6008, 0x6020]); // STR r0, [r1]; STR r0, [r4]
    w.push(&[0x2005, CALL]); // SYS_WRITE
    w.push(&[0x4621, 0x2005, CALL]); // MOV r1, r4; SYS_WRITE
    constant(&mut w, 1, 0x20026); // ADP_Stopped_ApplicationExit
    w.push(&[0x2018, CALL, 0xE7FE]); // SYS_EXIT; B .
    w
}
