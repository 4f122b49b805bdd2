//! Integer data processing.

use crate::machine::core::Core;
use crate::machine::op::{Alu, Extend, Reg, Shift, Unary};

/// Sum, carry and overflow.
pub(super) fn add_with_carry(a: u32, b: u32, carry: bool) -> (u32, bool, bool) {
    let wide = u64::from(a) + u64::from(b) + u64::from(carry);
    let sum = wide as u32;
    (sum, wide >> 32 != 0, (a ^ sum) & (b ^ sum) & 1 << 31 != 0)
}

/// Shift_C of the manual: result and carry; `amount` may be up to 255.
#[inline(always)]
pub(super) fn apply_shift(value: u32, shift: Shift, amount: u8, carry: bool) -> (u32, bool) {
    let amount = u32::from(amount);
    if amount == 0 {
        return (value, carry);
    }
    match shift {
        Shift::Lsl => {
            let wide = if amount > 32 { 0 } else { u64::from(value) << amount };
            (wide as u32, wide >> 32 & 1 != 0)
        }
        Shift::Lsr => {
            let wide = if amount > 32 { 0 } else { (u64::from(value) << 32) >> amount };
            ((wide >> 32) as u32, wide >> 31 & 1 != 0)
        }
        Shift::Asr => {
            let wide = (i64::from(value as i32) << 32) >> amount.min(32);
            ((wide >> 32) as u32, wide >> 31 & 1 != 0)
        }
        Shift::Ror => {
            let result = value.rotate_right(amount & 31);
            (result, result >> 31 != 0)
        }
        Shift::Rrx => (u32::from(carry) << 31 | value >> 1, value & 1 != 0),
    }
}

pub(super) fn unary(unary: Unary, value: u32) -> u32 {
    match unary {
        Unary::Clz => value.leading_zeros(),
        Unary::Rbit => value.reverse_bits(),
        Unary::Rev => value.swap_bytes(),
        Unary::Rev16 => value.swap_bytes().rotate_left(16),
        Unary::Revsh => i32::from((value as u16).swap_bytes() as i16) as u32,
    }
}

pub(super) fn bit_field_extract(value: u32, signed: bool, lsb: u8, width: u8) -> u32 {
    let (left, right) = (32 - u32::from(lsb) - u32::from(width), 32 - u32::from(width));
    if signed { ((value << left) as i32 >> right) as u32 } else { value << left >> right }
}

impl Core {
    /// One operation with its second operand made; `carry` is the shifter's.
    #[inline(always)]
    pub(super) fn alu(&mut self, alu: Alu, flags: bool, rd: Reg, a: u32, b: u32, carry: bool) {
        let (result, carry, overflow) = match alu {
            Alu::And | Alu::Tst => (a & b, carry, self.overflow),
            Alu::Bic => (a & !b, carry, self.overflow),
            Alu::Orr => (a | b, carry, self.overflow),
            Alu::Orn => (a | !b, carry, self.overflow),
            Alu::Eor | Alu::Teq => (a ^ b, carry, self.overflow),
            Alu::Mov => (b, carry, self.overflow),
            Alu::Mvn => (!b, carry, self.overflow),
            Alu::Add | Alu::Cmn => add_with_carry(a, b, false),
            Alu::Adc => add_with_carry(a, b, self.carry),
            Alu::Sub | Alu::Cmp => add_with_carry(a, !b, true),
            Alu::Sbc => add_with_carry(a, !b, self.carry),
            Alu::Rsb => add_with_carry(!a, b, true),
        };
        if flags {
            self.set_nz(result);
            self.carry = carry;
            self.overflow = overflow;
        }
        if !matches!(alu, Alu::Tst | Alu::Teq | Alu::Cmn | Alu::Cmp) {
            self.set_any(rd, result);
        }
    }

    #[inline(always)]
    pub(super) fn shift(&mut self, shift: Shift, flags: bool, rd: Reg, value: u32, amount: u8) {
        let (result, carry) = apply_shift(value, shift, amount, self.carry);
        if flags {
            self.set_nz(result);
            self.carry = carry;
        }
        self.set(rd, result);
    }

    pub(super) fn bit_field_insert(&mut self, rd: Reg, value: u32, lsb: u8, width: u8) {
        let mask = (u32::MAX >> (32 - u32::from(width))) << lsb;
        self.set(rd, self.get(rd) & !mask | value << lsb & mask);
    }

    #[inline(always)]
    pub(super) fn extend(&mut self, extend: Extend, rd: Reg, rn: Reg, value: u32) {
        let (extended, halves) = match extend {
            Extend::SignedByte => (value as i8 as u32, false),
            Extend::SignedHalf => (value as i16 as u32, false),
            Extend::UnsignedByte => (value & 0xFF, false),
            Extend::UnsignedHalf => (value & 0xFFFF, false),
            Extend::SignedBytes16 => (value as i8 as u32 & 0xFFFF | ((value >> 16) as i8 as u32) << 16, true),
            Extend::UnsignedBytes16 => (value & 0x00FF_00FF, true),
        };
        let result = match (rn, halves) {
            (15, _) => extended,
            (_, false) => self.get(rn).wrapping_add(extended),
            (_, true) => {
                let base = self.get(rn);
                base.wrapping_add(extended) & 0xFFFF | (base & !0xFFFF).wrapping_add(extended & !0xFFFF)
            }
        };
        self.set(rd, result);
    }
}
