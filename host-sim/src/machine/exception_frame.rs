//! Exception entry and return: the frame on the stack, tail-chaining, and what they cost.
//!
//! Floating-point state is stored at once; with FPCCR.LSPEN it costs its cycles only when the handler uses the FPU.

use super::core::{Core, Flow};
use super::cores::Architecture;
use super::cycles::FLOAT_FRAME_WORDS as FLOAT_WORDS;
use super::exception::{HARD_FAULT, NMI, SVCALL};
use super::fault::{Fault, FaultKind};
use super::observer::ExceptionEvent;

const BASIC_WORDS: u32 = 8;

/// The parts of an EXC_RETURN value.
#[derive(Clone, Copy)]
struct ReturnCode {
    /// The frame holds floating-point state.
    float: bool,
    /// To thread mode.
    thread: bool,
    /// The frame lies on the process stack.
    process: bool,
}

impl ReturnCode {
    /// The bits above those that say something: Armv8-M without the Security extension clears S (bit 6) and ES (bit 0).
    fn fixed_bits(architecture: Architecture) -> u32 {
        if architecture == Architecture::V8M { 0xFFFF_FFA0 } else { 0xFFFF_FFE1 }
    }

    fn encode(self, architecture: Architecture) -> u32 {
        Self::fixed_bits(architecture) | u32::from(!self.float) << 4 | u32::from(self.thread) << 3 | u32::from(self.process) << 2
    }

    fn decode(value: u32, architecture: Architecture) -> Option<Self> {
        let code = Self { float: value & 0x10 == 0, thread: value & 8 != 0, process: value & 4 != 0 };
        (code.encode(architecture) == value && (code.thread || !code.process)).then_some(code)
    }
}

impl Core {
    fn tell(&mut self, number: usize, entered: bool, began: u64) {
        let (address, cycles) = (self.r[15], (self.now(0) - began) as u32);
        if let Some(events) = &mut self.exception_events {
            events.push(ExceptionEvent { number: number as u16, entered, address, began, cycles });
        }
    }

    /// Stacks a frame and goes to the handler of `number`.
    pub(super) fn enter(&mut self, number: usize) {
        let began = self.now(0);
        let float = self.control & 4 != 0;
        let words = BASIC_WORDS + if float { FLOAT_WORDS } else { 0 };
        let sp = self.r[13];
        let frame = sp.wrapping_sub(words * 4) & !7;
        let return_address = self.r[15];
        let xpsr = self.xpsr() | (sp >> 2 & 1) << 9;
        self.thumb = true;
        let basic = [self.r[0], self.r[1], self.r[2], self.r[3], self.r[12], self.r[14], return_address, xpsr];
        let mut whole = true;
        for (index, value) in (0u32..).zip(basic) {
            whole &= self.bus.write(frame.wrapping_add(index * 4), value.to_le_bytes()).is_ok();
        }
        if float {
            let state = self.s;
            for (index, value) in (BASIC_WORDS..).zip(state[..16].iter().chain([&self.fpscr])) {
                whole &= self.bus.write(frame.wrapping_add(index * 4), value.to_le_bytes()).is_ok();
            }
        }
        let process = self.on_process_stack();
        let code = ReturnCode { float, thread: self.ipsr == 0, process };
        self.r[13] = frame;
        self.note_sp();
        if process {
            core::mem::swap(&mut self.r[13], &mut self.other_sp);
        }
        self.r[14] = code.encode(self.spec.architecture);
        self.cycles += u64::from(self.costs.exception_entry);
        self.lazy_frame = float && self.system.defers_fpu_state();
        if float && !self.lazy_frame {
            self.cycles += u64::from(self.costs.float_frame);
        }
        let number = if whole || number == HARD_FAULT || number == NMI {
            number
        } else {
            self.exceptions.pending[number] &= number >= SVCALL; // a fault is replaced, an interrupt stays pending
            self.system.cfsr |= FaultKind::Stacking.status_bit();
            self.system.hfsr |= 1 << 30;
            self.last_fault = Some(Fault { kind: FaultKind::Stacking, pc: return_address, address: frame });
            HARD_FAULT
        };
        if !whole && number == HARD_FAULT && self.last_fault.is_none() {
            self.last_fault = Some(Fault { kind: FaultKind::Stacking, pc: return_address, address: frame });
        }
        self.activate(number, return_address);
        self.tell(number, true, began);
    }

    /// Goes to the handler of `number`, whose frame stands.
    fn activate(&mut self, number: usize, return_address: u32) {
        self.exceptions.pending[number] = false;
        self.exceptions.active[number] = true;
        self.ipsr = number as u16;
        self.control &= 1;
        self.fpu_ready = false;
        self.it = 0;
        self.exclusive = None;
        self.attention_at = 0;
        let vector = self.bus.read(self.system.vtor.wrapping_add(number as u32 * 4)).map(u32::from_le_bytes);
        match vector {
            Some(vector) if vector & 1 != 0 => self.r[15] = vector & !1,
            _ => {
                // Without a handler nothing can report this but the host: keep the fault that led here, if there is one.
                let kind = if vector.is_some() { FaultKind::InvalidState } else { FaultKind::UnmappedRead };
                let missing = Fault { kind, pc: return_address, address: vector.unwrap_or(self.system.vtor) };
                let fault = *self.last_fault.get_or_insert(missing);
                self.lock_up(fault);
            }
        }
    }

    /// Returns from the current exception as `value` says, or goes on with the next one on the same frame.
    pub(super) fn exception_return(&mut self, value: u32) -> Flow {
        self.bus.watching = false; // watchpoints are for what instructions access
        let began = self.now(0);
        let number = usize::from(self.ipsr);
        let active = self.exceptions.active.iter().filter(|active| **active).count();
        let code = ReturnCode::decode(value, self.spec.architecture)
            .filter(|code| self.exceptions.active[number] && (active == 1) == code.thread);
        let Some(code) = code else { return self.raise(FaultKind::InvalidReturn, value) };
        let frame = if code.process { self.other_sp } else { self.r[13] };
        let mut words = [0; (BASIC_WORDS + FLOAT_WORDS) as usize];
        let count = BASIC_WORDS + if code.float { FLOAT_WORDS } else { 0 };
        for (index, word) in (0..count).zip(&mut words) {
            match self.bus.read(frame.wrapping_add(index * 4)) {
                Some(bytes) => *word = u32::from_le_bytes(bytes),
                None => return self.raise(FaultKind::Unstacking, frame),
            }
        }
        self.exceptions.active[number] = false;
        if number != NMI {
            self.faultmask = false;
        }
        self.event_register = true;
        self.update_timer();
        if let Some(next) =
            self.exceptions.most_urgent().filter(|next| self.exceptions.priority(*next) < self.execution_priority())
        {
            self.cycles += u64::from(self.costs.tail_chain);
            self.r[14] = value;
            self.activate(next, words[6]);
            self.tell(number, false, began);
            let now = self.now(0);
            self.tell(next, true, now);
            return Flow::Branch;
        }
        self.r[..4].copy_from_slice(&words[..4]);
        self.r[12] = words[4];
        self.r[14] = words[5];
        self.r[15] = words[6] & !1;
        let xpsr = words[7];
        self.set_apsr(xpsr);
        self.it = (xpsr >> 25 & 3 | xpsr >> 8 & 0xFC) as u8;
        self.ipsr = if code.thread { 0 } else { (xpsr & 0x1FF) as u16 };
        let sp = frame.wrapping_add(count * 4) | (xpsr >> 9 & 1) << 2;
        if code.process {
            self.other_sp = self.r[13];
        }
        self.r[13] = sp;
        self.control = self.control & 1 | u8::from(code.process) << 1 | u8::from(code.float) << 2;
        self.fpu_ready = false;
        self.cycles += u64::from(self.costs.exception_return);
        if code.float {
            self.s[..16].copy_from_slice(&words[8..24]);
            self.fpscr = words[24];
            if !std::mem::take(&mut self.lazy_frame) {
                self.cycles += u64::from(self.costs.float_frame);
            }
        }
        self.exclusive = None;
        self.attention_at = 0;
        if code.thread && self.system.sleeps_on_exit() {
            self.waiting = true;
        }
        self.tell(number, false, began);
        if xpsr & 1 << 24 == 0 {
            return self.raise(FaultKind::InvalidState, self.r[15]);
        }
        Flow::Branch
    }
}
