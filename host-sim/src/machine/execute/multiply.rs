//! Multiplication and division.

use crate::machine::core::{Core, Flow};
use crate::machine::fault::FaultKind;
use crate::machine::op::Reg;

fn half(value: u32, top: bool) -> i32 {
    if top { value as i32 >> 16 } else { i32::from(value as i16) }
}

impl Core {
    #[inline(always)]
    fn dual_products(&self, exchange: bool, rn: Reg, rm: Reg) -> (i64, i64) {
        let (n, m) = (self.get(rn), self.get(rm));
        let m = if exchange { m.rotate_left(16) } else { m };
        (i64::from(half(n, false) * half(m, false)), i64::from(half(n, true) * half(m, true)))
    }

    /// Writes the low word of `sum` and sets Q where it does not fit.
    #[inline(always)]
    fn set_sum(&mut self, rd: Reg, sum: i64) {
        self.saturated |= sum != i64::from(sum as i32);
        self.set(rd, sum as u32);
    }

    #[inline(always)]
    fn addend(&self, ra: Reg) -> i64 {
        if ra == 15 { 0 } else { i64::from(self.get(ra) as i32) }
    }

    #[inline(always)]
    pub(super) fn dual_add(&mut self, exchange: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let (low, high) = self.dual_products(exchange, rn, rm);
        self.set_sum(rd, low + high + self.addend(ra));
    }

    #[inline(always)]
    pub(super) fn dual_sub(&mut self, exchange: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let (low, high) = self.dual_products(exchange, rn, rm);
        self.set_sum(rd, low - high + self.addend(ra));
    }

    #[inline(always)]
    fn long(&self, lo: Reg, hi: Reg) -> u64 {
        u64::from(self.get(hi)) << 32 | u64::from(self.get(lo))
    }

    #[inline(always)]
    fn set_long(&mut self, lo: Reg, hi: Reg, value: u64) {
        self.set(lo, value as u32);
        self.set(hi, (value >> 32) as u32);
    }

    #[inline(always)]
    pub(super) fn multiply_long(&mut self, signed: bool, accumulate: bool, lo: Reg, hi: Reg, rn: Reg, rm: Reg) {
        let (n, m) = (self.get(rn), self.get(rm));
        let product = match signed {
            true => (i64::from(n as i32) * i64::from(m as i32)) as u64,
            false => u64::from(n) * u64::from(m),
        };
        if self.costs.multiplies_end_early() {
            let magnitude = |value: u32| if signed { (value as i32).unsigned_abs() } else { value };
            self.cycles += u64::from(self.costs.multiply_extra(accumulate, magnitude(n), magnitude(m)));
        }
        let addend = if accumulate { self.long(lo, hi) } else { 0 };
        self.set_long(lo, hi, addend.wrapping_add(product));
    }

    pub(super) fn multiply_accumulate_accumulate(&mut self, lo: Reg, hi: Reg, rn: Reg, rm: Reg) {
        let product = u64::from(self.get(rn)) * u64::from(self.get(rm));
        self.set_long(lo, hi, product + u64::from(self.get(lo)) + u64::from(self.get(hi)));
    }

    #[inline(always)]
    pub(super) fn dual_long(&mut self, subtract: bool, exchange: bool, lo: Reg, hi: Reg, rn: Reg, rm: Reg) {
        let (low, high) = self.dual_products(exchange, rn, rm);
        let sum = if subtract { low - high } else { low + high };
        self.set_long(lo, hi, self.long(lo, hi).wrapping_add(sum as u64));
    }

    #[inline(always)]
    pub(super) fn multiply_halves(&mut self, n_top: bool, m_top: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let product = half(self.get(rn), n_top) * half(self.get(rm), m_top);
        self.set_sum(rd, i64::from(product) + self.addend(ra));
    }

    #[inline(always)]
    pub(super) fn multiply_word_half(&mut self, m_top: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let product = i64::from(self.get(rn) as i32) * i64::from(half(self.get(rm), m_top));
        self.set_sum(rd, (product >> 16) + self.addend(ra));
    }

    pub(super) fn multiply_halves_long(&mut self, n_top: bool, m_top: bool, lo: Reg, hi: Reg, rn: Reg, rm: Reg) {
        let product = i64::from(half(self.get(rn), n_top) * half(self.get(rm), m_top));
        self.set_long(lo, hi, self.long(lo, hi).wrapping_add(product as u64));
    }

    pub(super) fn multiply_most_significant(&mut self, subtract: bool, round: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let product = i64::from(self.get(rn) as i32) * i64::from(self.get(rm) as i32);
        let addend = self.addend(ra) << 32;
        let sum = if subtract { addend.wrapping_sub(product) } else { addend.wrapping_add(product) };
        let sum = if round { sum.wrapping_add(0x8000_0000) } else { sum };
        self.set(rd, (sum >> 32) as u32);
    }

    #[inline(always)]
    pub(super) fn divide(&mut self, signed: bool, rd: Reg, rn: Reg, rm: Reg) -> Flow {
        let (n, m) = (self.get(rn), self.get(rm));
        if m == 0 && self.system.divide_by_zero_traps() {
            return self.raise(FaultKind::DivideByZero, m);
        }
        let (quotient, magnitudes) = match signed {
            true => (
                (n as i32).checked_div(m as i32).map_or(if m == 0 { 0 } else { n }, |quotient| quotient as u32),
                ((n as i32).unsigned_abs(), (m as i32).unsigned_abs()),
            ),
            false => (n.checked_div(m).unwrap_or(0), (n, m)),
        };
        self.cycles += u64::from(self.costs.divide_extra(magnitudes.0, magnitudes.1));
        self.set(rd, quotient);
        Flow::Next
    }
}
