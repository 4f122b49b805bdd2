//! Floating-point instructions: a fast path in host arithmetic, the exact one behind it.

use super::Instruction;
use crate::machine::arithmetic::{Environment, INEXACT, MODES, Rounding, sum_to_odd};
use crate::machine::core::{Core, Flow};
use crate::machine::fault::FaultKind;
use crate::machine::op::{FloatOp, FloatRounding, FloatUnary, Op, Reg};

const SIGN: u32 = 1 << 31;

impl Core {
    #[inline(always)]
    fn single(&self, reg: Reg) -> u32 {
        self.s[usize::from(reg & 31)]
    }

    #[inline(always)]
    fn set_single(&mut self, reg: Reg, bits: u32) {
        self.s[usize::from(reg & 31)] = bits;
    }

    /// Computes exactly, keeping the flags.
    #[cold]
    fn exactly<T>(&mut self, compute: impl FnOnce(&mut Environment) -> T) -> T {
        let mut environment = Environment(self.fpscr);
        let result = compute(&mut environment);
        self.fpscr = environment.0;
        result
    }

    /// Whether a host result is the architecture's, flags included: default modes, inexact already recorded, and a result far from
    /// zero, underflow, overflow and NaN.
    #[inline(always)]
    fn is_settled(&self, result: f32) -> bool {
        let exponent = result.to_bits() >> 23 & 0xFF;
        self.fpscr & (MODES | INEXACT) == INEXACT && exponent.wrapping_sub(2) < 253
    }

    #[inline(always)]
    fn add_single(&mut self, a: u32, b: u32) -> u32 {
        let result = f32::from_bits(a) + f32::from_bits(b);
        if self.is_settled(result) { result.to_bits() } else { self.exactly(|e| e.add(a, b)) }
    }

    #[inline(always)]
    fn mul_single(&mut self, a: u32, b: u32) -> u32 {
        let result = f32::from_bits(a) * f32::from_bits(b);
        if self.is_settled(result) { result.to_bits() } else { self.exactly(|e| e.mul(a, b)) }
    }

    #[inline(always)]
    fn fused_single(&mut self, addend: u32, a: u32, b: u32) -> u32 {
        let product = f64::from(f32::from_bits(a)) * f64::from(f32::from_bits(b));
        let result = sum_to_odd(product, f32::from_bits(addend).into()) as f32;
        if self.is_settled(result) { result.to_bits() } else { self.exactly(|e| e.fused(addend, a, b)) }
    }

    #[inline(always)]
    fn arithmetic(&mut self, operation: FloatOp, d: u32, n: u32, m: u32) -> u32 {
        match operation {
            FloatOp::Add => self.add_single(n, m),
            FloatOp::Sub => {
                let result = f32::from_bits(n) - f32::from_bits(m);
                if self.is_settled(result) { result.to_bits() } else { self.exactly(|e| e.sub(n, m)) }
            }
            FloatOp::Mul => self.mul_single(n, m),
            FloatOp::NegMul => self.mul_single(n, m) ^ SIGN,
            FloatOp::Div => {
                let result = f32::from_bits(n) / f32::from_bits(m);
                if self.is_settled(result) { result.to_bits() } else { self.exactly(|e| e.div(n, m)) }
            }
            FloatOp::MulAdd => {
                let product = self.mul_single(n, m);
                self.add_single(d, product)
            }
            FloatOp::MulSub => {
                let product = self.mul_single(n, m);
                self.add_single(d, product ^ SIGN)
            }
            FloatOp::NegMulAdd => {
                let product = self.mul_single(n, m);
                self.add_single(d ^ SIGN, product ^ SIGN)
            }
            FloatOp::NegMulSub => {
                let product = self.mul_single(n, m);
                self.add_single(d ^ SIGN, product)
            }
            FloatOp::FusedAdd => self.fused_single(d, n, m),
            FloatOp::FusedSub => self.fused_single(d, n ^ SIGN, m),
            FloatOp::FusedNegAdd => self.fused_single(d ^ SIGN, n ^ SIGN, m),
            FloatOp::FusedNegSub => self.fused_single(d ^ SIGN, n, m),
        }
    }

    #[inline(never)]
    pub(super) fn execute_float(&mut self, at: &Instruction) -> Flow {
        if !self.fpu_ready && !self.prepare_fpu() {
            return self.raise(FaultKind::NoCoprocessor, 0);
        }
        match at.op {
            Op::Float { operation, sd, sn, sm } => {
                let result = self.arithmetic(operation, self.single(sd), self.single(sn), self.single(sm));
                self.set_single(sd, result);
            }
            Op::FloatUnary { unary, sd, sm } => {
                let value = self.single(sm);
                let result = match unary {
                    FloatUnary::Move => value,
                    FloatUnary::Abs => value & !SIGN,
                    FloatUnary::Neg => value ^ SIGN,
                    FloatUnary::Sqrt => {
                        let result = f32::from_bits(value).sqrt();
                        if self.is_settled(result) { result.to_bits() } else { self.exactly(|e| e.sqrt(value)) }
                    }
                };
                self.set_single(sd, result);
            }
            Op::FloatSelect { condition, sd, sn, sm } => {
                let (n, z) = (self.negative >> 31 != 0, self.zero == 0);
                let holds = match condition {
                    0 => z,
                    1 => self.overflow,
                    2 => n == self.overflow,
                    _ => !z && n == self.overflow,
                };
                self.set_single(sd, self.single(if holds { sn } else { sm }));
            }
            Op::FloatExtreme { minimum, sd, sn, sm } => {
                let (a, b) = (self.single(sn), self.single(sm));
                let result = self.exactly(|e| e.extreme(a, b, minimum));
                self.set_single(sd, result);
            }
            Op::FloatRound { rounding, sd, sm } => {
                let value = self.single(sm);
                let result = self.exactly(|e| {
                    let (mode, exact) = (e.rounding_of(rounding), rounding == FloatRounding::ModeExact);
                    e.integral(value, mode, exact)
                });
                self.set_single(sd, result);
            }
            Op::FloatToIntegerRounded { rounding, signed, sd, sm } => {
                let value = self.single(sm);
                let result = self.exactly(|e| {
                    let mode = e.rounding_of(rounding);
                    e.fixed(value, signed, 32, 0, mode)
                });
                self.set_single(sd, result);
            }
            Op::FloatImmediate { sd, bits } => self.set_single(sd, bits),
            Op::FloatCompare { quiet_signals, sd, sm } => {
                let (a, b) = (self.single(sd), if sm == 255 { 0 } else { self.single(sm) });
                let flags = self.exactly(|e| e.compare(a, b, quiet_signals));
                self.fpscr = self.fpscr & !(0xF << 28) | flags;
            }
            Op::FloatToInteger { signed, toward_zero, sd, sm } => {
                let value = self.single(sm);
                let result = self.exactly(|e| {
                    let rounding = if toward_zero { Rounding::Zero } else { e.rounding() };
                    e.fixed(value, signed, 32, 0, rounding)
                });
                self.set_single(sd, result);
            }
            Op::IntegerToFloat { signed, sd, sm } => {
                let value = integer(self.single(sm), signed, true);
                let result = self.exactly(|e| e.float_of_fixed(value, 0, e.rounding()));
                self.set_single(sd, result);
            }
            Op::FloatToFixed { signed, wide, sd, fraction } => {
                let (value, size) = (self.single(sd), if wide { 32 } else { 16 });
                let result = self.exactly(|e| e.fixed(value, signed, size, fraction, Rounding::Zero));
                self.set_single(sd, result);
            }
            Op::FixedToFloat { signed, wide, sd, fraction } => {
                let value = integer(self.single(sd), signed, wide);
                let result = self.exactly(|e| e.float_of_fixed(value, fraction, Rounding::Nearest));
                self.set_single(sd, result);
            }
            Op::HalfToFloat { top, sd, sm } => {
                let half = (self.single(sm) >> (16 * u32::from(top))) as u16;
                let result = self.exactly(|e| e.half_to_single(half));
                self.set_single(sd, result);
            }
            Op::FloatToHalf { top, sd, sm } => {
                let value = self.single(sm);
                let half = u32::from(self.exactly(|e| e.single_to_half(value)));
                let shift = 16 * u32::from(top);
                self.set_single(sd, self.single(sd) & !(0xFFFF << shift) | half << shift);
            }
            Op::FloatToCore { rt, sn } => self.set_any(rt, self.single(sn)),
            Op::CoreToFloat { rt, sn } => self.set_single(sn, self.get(rt)),
            Op::FloatPairToCore { rt, rt2, sm } => {
                self.set_any(rt, self.single(sm));
                self.set_any(rt2, self.single(sm + 1));
            }
            Op::CorePairToFloat { rt, rt2, sm } => {
                self.set_single(sm, self.get(rt));
                self.set_single(sm + 1, self.get(rt2));
            }
            Op::ReadFloatStatus { rt: 15 } => self.set_nzcv(self.fpscr),
            Op::ReadFloatStatus { rt } => self.set_any(rt, self.fpscr),
            Op::WriteFloatStatus { rt } => self.fpscr = self.get(rt) & 0xF7C0_009F,
            Op::FloatLoad { sd, rn, offset } => return self.float_load(sd, 1, self.offset(rn, offset), at),
            Op::FloatLoadLiteral { sd, address } => return self.float_load(sd, 1, address, at),
            Op::FloatStore { sd, rn, offset } => return self.float_store(sd, 1, self.offset(rn, offset), at),
            Op::FloatLoadDouble { sd, rn, offset } => return self.float_load(sd, 2, self.offset(rn, offset), at),
            Op::FloatLoadDoubleLiteral { sd, address } => return self.float_load(sd, 2, address, at),
            Op::FloatStoreDouble { sd, rn, offset } => return self.float_store(sd, 2, self.offset(rn, offset), at),
            Op::FloatLoadMultiple { sd, count, rn, before, writeback } => {
                let (address, moved) = self.float_range(rn, count, before);
                if writeback && self.passes_limit(rn, moved) {
                    return self.raise(FaultKind::StackLimit, moved);
                }
                let flow = self.float_load(sd, count, address, at);
                return self.after_multiple(flow, writeback, rn, moved);
            }
            Op::FloatStoreMultiple { sd, count, rn, before, writeback } => {
                let (address, moved) = self.float_range(rn, count, before);
                if writeback && self.passes_limit(rn, moved) {
                    return self.raise(FaultKind::StackLimit, moved);
                }
                let flow = self.float_store(sd, count, address, at);
                return self.after_multiple(flow, writeback, rn, moved);
            }
            _ => {}
        }
        Flow::Next
    }

    fn offset(&self, rn: Reg, offset: i16) -> u32 {
        self.get(rn).wrapping_add_signed(offset.into())
    }

    /// First address of a multiple transfer, and the base register's new value.
    fn float_range(&self, rn: Reg, count: u8, before: bool) -> (u32, u32) {
        let (base, size) = (self.get(rn), u32::from(count) * 4);
        if before { (base.wrapping_sub(size), base.wrapping_sub(size)) } else { (base, base.wrapping_add(size)) }
    }

    fn after_multiple(&mut self, flow: Flow, writeback: bool, rn: Reg, moved: u32) -> Flow {
        if writeback && flow != Flow::Fault {
            self.set_any(rn, moved);
        }
        flow
    }

    #[inline(always)]
    fn float_load(&mut self, sd: Reg, count: u8, address: u32, at: &Instruction) -> Flow {
        if let Err(kind) = self.aligned(address, 4) {
            return self.raise(kind, address);
        }
        for index in 0..count {
            match self.read_word(address.wrapping_add(u32::from(index) * 4), at) {
                Ok(value) => self.set_single(sd + index, value),
                Err(kind) => return self.raise(kind, address),
            }
        }
        Flow::Next
    }

    #[inline(always)]
    fn float_store(&mut self, sd: Reg, count: u8, address: u32, at: &Instruction) -> Flow {
        if let Err(kind) = self.aligned(address, 4) {
            return self.raise(kind, address);
        }
        for index in 0..count {
            if let Err(kind) = self.write_word(address.wrapping_add(u32::from(index) * 4), self.single(sd + index), at) {
                return self.raise(kind, address);
            }
        }
        Flow::Next
    }
}

fn integer(bits: u32, signed: bool, wide: bool) -> i64 {
    match (signed, wide) {
        (true, true) => i64::from(bits as i32),
        (false, true) => i64::from(bits),
        (true, false) => i64::from(bits as i16),
        (false, false) => i64::from(bits as u16),
    }
}
