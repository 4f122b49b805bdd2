//! The code around all snippets: it loads a state, jumps to a snippet, and stores the state that comes back over the first one.
//!
//! All of it is Armv6-M but for the floating-point registers of cores that have them. The stack pointer holds [`CONTEXT`] between
//! snippets; some words there say where the harness is. When all is done, or at a fault that nobody expects, the guest writes these words
//! and all states to its standard output by semihosting, and exits.

use super::board::Board;
use super::image::Family;
use super::row::Needs;
use super::snippet::{CONTEXT, EXIT, Writer, branch_bits};
use super::state::{SCRATCH_ADDRESS, SCRATCH_BYTES};

/// Address of the first snippet.
pub const SNIPPETS: u32 = 0x1_0000;
/// Bytes of a state.
pub const STATE_BYTES: u32 = 256;
/// Bytes of flash that images use.
pub const FLASH_BYTES: u32 = 4 << 20;
/// Words at [`CONTEXT`] that say where the harness is: the address behind a snippet, the state at hand, the snippet at hand, the index
/// of the state, the number of states.
pub const CONTEXT_WORDS: usize = 5;

const START: u32 = 0x400;
const FAULT: u32 = 0x500;
const LOAD: u32 = 0x600;
const SAVE: u32 = 0x800;
const FINISH: u32 = 0xA00;
/// Parameters of the semihosting calls.
const OPEN: u32 = CONTEXT + 0x40;
const WRITE_CONTEXT: u32 = CONTEXT + 0x50;
const WRITE_STATES: u32 = CONTEXT + 0x60;
const NAME: u32 = CONTEXT + 0x70;
/// Where a fault leaves the stacked return address and xPSR, its status and its number: the last words of the scratch memory.
const FAULT_RECORD: u32 = SCRATCH_ADDRESS + SCRATCH_BYTES - 16;
/// Bytes below [`CONTEXT`] that the stack may take where its limit is tested: more than the harness and an exception frame need.
pub const STACK_ROOM: u32 = 0x80;
const CCR: u32 = 0xE000_ED14;
const UNALIGN_TRP: u32 = 1 << 3;
const DIV_0_TRP: u32 = 1 << 4;

/// What a harness is made for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The board.
    pub board: &'static Board,
    /// Binary logarithm of the states to a snippet.
    pub shift: u32,
    /// What is tested: it decides about the FPU, traps, and what a fault means.
    pub family: Family,
}

impl Plan {
    fn has_float(&self) -> bool {
        self.family != Family::FloatOff && self.board.has(Needs::Float)
    }

    /// What lies at [`CONTEXT`] at first: the [`CONTEXT_WORDS`], then the parameters of the calls.
    pub fn context(&self, states: u32) -> Vec<u8> {
        let mut words = [0; 0x80 / 4];
        words[..CONTEXT_WORDS].copy_from_slice(&[SAVE | 1, self.board.states, SNIPPETS | 1, 0, states]);
        words[0x10..0x13].copy_from_slice(&[NAME, 5, 3]); // ":tt" for writing: standard output
        words[0x14..0x17].copy_from_slice(&[0, CONTEXT, 4 * CONTEXT_WORDS as u32]);
        words[0x18..0x1B].copy_from_slice(&[0, self.board.states, states * STATE_BYTES]);
        words[0x1C] = u32::from_le_bytes(*b":tt\0");
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Vectors and code, from address 0 to [`SNIPPETS`].
    pub fn code(&self) -> Vec<u16> {
        let mut vectors = Writer::new(0);
        for index in 0..16 {
            let word = match index {
                0 => CONTEXT,
                1 => START | 1,
                _ => FAULT | 1,
            };
            vectors.push(&[word as u16, (word >> 16) as u16]);
        }
        let fault = if self.family.may_fault() { self.record() } else { give_up() };
        let mut code = Vec::new();
        for part in [vectors, self.start(), fault, self.load(), self.save(), finish()] {
            assert!(code.len() <= part.start as usize / 2, "the part at {:#x} overlaps the one before", part.start);
            code.resize(part.start as usize / 2, 0);
            code.extend(part.code);
        }
        code.resize(SNIPPETS as usize / 2, 0);
        code
    }

    fn start(&self) -> Writer {
        let mut w = Part::new(START);
        if self.has_float() {
            w.constant(0, 0xE000_ED88); // CPACR
            w.constant(1, 0x00F0_0000);
            w.push(&[0x6001]); // STR r1, [r0]
            w.wide(0xF3BF_8F4F); // DSB
            w.wide(0xF3BF_8F6F); // ISB
        }
        match self.family {
            Family::Trapped => {
                w.constant(0, CCR);
                w.constant(1, UNALIGN_TRP | DIV_0_TRP);
                w.push(&[0x6802, 0x430A, 0x6002]); // LDR r2, [r0]; ORRS r2, r1; STR r2, [r0]
            }
            Family::StackLimit => {
                w.constant(0, CONTEXT - STACK_ROOM);
                w.wide(0xF380_880A); // MSR MSPLIM, r0
            }
            _ => {}
        }
        w.link(LOAD);
        w.finish()
    }

    /// A handler that writes the fault's status and number to the scratch memory and goes on behind the snippet.
    fn record(&self) -> Writer {
        let mut w = Part::new(FAULT);
        w.push(&[0x4668]); // MOV r0, SP: the exception frame
        w.constant(2, FAULT_RECORD);
        w.push(&[0x6983, 0x6013]); // LDR r3, [r0, #24]; STR r3, [r2]: the return address
        w.push(&[0x69C3]); // LDR r3, [r0, #28]: xPSR
        w.constant(1, 1 << 20);
        w.push(&[0x438B, 0x6053]); // BICS r3, r1; STR r3, [r2, #4]: without a bit of the Secure state
        w.constant(1, 0x0600_FC00);
        w.push(&[0x438B]); // BICS r3, r1: no IT block
        w.constant(1, 1 << 24);
        w.push(&[0x430B, 0x61C3]); // ORRS r3, r1; STR r3, [r0, #28]: Thumb
        w.constant(1, SAVE + 2); // no exit has popped a word
        w.push(&[0x6181]); // STR r1, [r0, #24]
        if self.board.is_mainline() {
            w.constant(1, 0xE000_ED28); // CFSR
            w.push(&[0x680B, 0x6093, 0x600B]); // LDR r3, [r1]; STR r3, [r2, #8]; STR r3, [r1]
        }
        w.wide(0xF3EF_8305); // MRS r3, IPSR
        w.push(&[0x60D3, 0x4770]); // STR r3, [r2, #12]; BX LR
        w.finish()
    }

    fn load(&self) -> Writer {
        let mut w = Part::new(LOAD);
        w.push(&[0x9801]); // LDR r0, [SP, #4]: the state
        w.push(&[0x4601, 0x31C0]); // MOV r1, r0; ADDS r1, #192
        w.constant(2, SCRATCH_ADDRESS);
        for _ in 0..4 {
            w.push(&[0xC978, 0xC278]); // LDM r1!, {r3-r6}; STM r2!, {r3-r6}
        }
        if self.has_float() {
            w.push(&[0x4601, 0x3140]); // MOV r1, r0; ADDS r1, #64
            w.wide(0xEC91_0A20); // VLDM r1, {s0-s31}
            w.push(&[0x6BC1]); // LDR r1, [r0, #60]
            w.wide(0xEEE1_1A10); // VMSR FPSCR, r1
        }
        w.push(&[0x9902, 0x466A, 0x3A04, 0x6011]); // LDR r1, [SP, #8]; MOV r2, SP; SUBS r2, #4; STR r1, [r2]: the snippet
        for (register, high) in [(0x6A01, 0x4688), (0x6A41, 0x4689), (0x6A81, 0x468A), (0x6AC1, 0x468B), (0x6B01, 0x468C)] {
            w.push(&[register, high]); // LDR r1, [r0, #32...]; MOV r8..., r1
        }
        w.push(&[0x6B41, 0x468E]); // LDR r1, [r0, #52]; MOV LR, r1
        w.push(&[0x6B81]); // LDR r1, [r0, #56]
        w.wide(if self.board.has(Needs::Dsp) { 0xF381_8C00 } else { 0xF381_8800 }); // MSR APSR_nzcvq(g), r1
        w.push(&[0xC8FF]); // LDM r0, {r0-r7}
        w.push(&[0xB081, EXIT]); // SUB SP, #4; POP {PC}: to the snippet
        w.finish()
    }

    fn save(&self) -> Writer {
        let mut w = Part::new(SAVE);
        w.push(&[0xB081]); // SUB SP, #4: the exit has popped a word
        w.push(&[0xB5FF]); // PUSH {r0-r7, LR}
        w.wide(0xF3EF_8000); // MRS r0, APSR
        w.push(&[0x4641, 0x464A, 0x4653, 0x465C, 0x4665]); // MOV r1..r5, r8..r12
        w.push(&[0x9E0A]); // LDR r6, [SP, #40]: the state
        w.push(&[0x63B0]); // STR r0, [r6, #56]
        w.push(&[0x6231, 0x6272, 0x62B3, 0x62F4, 0x6335]); // STR r1..r5, [r6, #32...]
        w.push(&[0x4637]); // MOV r7, r6
        for _ in 0..2 {
            w.push(&[0xBC0F, 0xC70F]); // POP {r0-r3}; STM r7!, {r0-r3}
        }
        w.push(&[0xBC01, 0x6370]); // POP {r0}; STR r0, [r6, #52]
        if self.has_float() {
            w.wide(0xEEF1_1A10); // VMRS r1, FPSCR
            w.push(&[0x63F1]); // STR r1, [r6, #60]
            w.push(&[0x4631, 0x3140]); // MOV r1, r6; ADDS r1, #64
            w.wide(0xEC81_0A20); // VSTM r1, {s0-s31}
        }
        w.push(&[0x4631, 0x31C0]); // MOV r1, r6; ADDS r1, #192
        w.constant(2, SCRATCH_ADDRESS);
        for _ in 0..4 {
            w.push(&[0xCAB8, 0xC1B8]); // LDM r2!, {r3, r4, r5, r7}; STM r1!, {r3, r4, r5, r7}
        }
        w.push(&[0x9101]); // STR r1, [SP, #4]: the next state
        w.push(&[0x9803, 0x3001, 0x9003]); // LDR r0, [SP, #12]; ADDS r0, #1; STR r0, [SP, #12]
        w.push(&[(0x0802 | self.shift << 6) as u16]); // LSRS r2, r0, #shift
        w.push(&[0x0152]); // LSLS r2, r2, #5: 32 bytes to a snippet
        w.constant(3, SNIPPETS | 1);
        w.push(&[0x441A, 0x9202]); // ADD r2, r3; STR r2, [SP, #8]
        w.push(&[0x9B04, 0x4298]); // LDR r3, [SP, #16]; CMP r0, r3
        w.push(&[0xD001]); // BEQ over the next
        w.link(LOAD);
        w.link(FINISH);
        w.finish()
    }
}

/// A fault that ends everything.
fn give_up() -> Writer {
    let mut w = Part::new(FAULT);
    w.constant(0, CONTEXT);
    w.push(&[0x4685]); // MOV SP, r0
    w.link(FINISH);
    w.finish()
}

fn finish() -> Writer {
    const CALL: u16 = 0xBEAB; // BKPT 0xAB
    let mut w = Part::new(FINISH);
    w.constant(1, OPEN);
    w.push(&[0x2001, CALL]); // SYS_OPEN
    w.constant(1, WRITE_CONTEXT);
    w.constant(4, WRITE_STATES);
    w.push(&[0x6008, 0x6020]); // STR r0, [r1]; STR r0, [r4]
    w.push(&[0x2005, CALL]); // SYS_WRITE
    w.push(&[0x4621, 0x2005, CALL]); // MOV r1, r4; SYS_WRITE
    w.constant(1, 0x20026); // ADP_Stopped_ApplicationExit
    w.push(&[0x2018, CALL, 0xE7FE]); // SYS_EXIT; B .
    w.finish()
}

/// Code with a literal pool behind it.
struct Part {
    writer: Writer,
    /// Index of the load, and what it loads.
    literals: Vec<(usize, u32)>,
}

impl Part {
    fn new(start: u32) -> Self {
        Self { writer: Writer::new(start), literals: Vec::new() }
    }

    fn push(&mut self, halfwords: &[u16]) {
        self.writer.push(halfwords);
    }

    fn wide(&mut self, bits: u32) {
        self.writer.wide(bits);
    }

    /// `LDR register, =value`.
    fn constant(&mut self, register: u16, value: u32) {
        self.literals.push((self.writer.code.len(), value));
        self.push(&[0x4800 | register << 8]);
    }

    /// `BL target`: the only far branch of Armv6-M.
    fn link(&mut self, target: u32) {
        self.wide(branch_bits(self.writer.here(), target) | 0xD000);
    }

    fn finish(mut self) -> Writer {
        if !self.writer.here().is_multiple_of(4) {
            self.push(&[0xBF00]);
        }
        for (index, value) in std::mem::take(&mut self.literals) {
            let base = (self.writer.start + 2 * index as u32 + 4) & !3;
            self.writer.code[index] |= ((self.writer.here() - base) / 4) as u16;
            self.push(&[value as u16, (value >> 16) as u16]);
        }
        self.writer
    }
}
