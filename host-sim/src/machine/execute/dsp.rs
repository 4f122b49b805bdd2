//! Saturation, packing, and SIMD in core registers.

use crate::machine::core::Core;
use crate::machine::op::{Lanes, Parallel, Reg};

/// Saturates to `bits` bits; also whether that changed the value.
fn saturate(value: i64, signed: bool, bits: u32) -> (i64, bool) {
    let (low, high) = if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
    let result = value.clamp(low, high);
    (result, result != value)
}

impl Core {
    pub(super) fn saturate(&mut self, signed: bool, rd: Reg, value: u32, bits: u8) {
        let (result, changed) = saturate(i64::from(value as i32), signed, bits.into());
        self.saturated |= changed;
        self.set(rd, result as u32);
    }

    pub(super) fn saturate16(&mut self, signed: bool, rd: Reg, rn: Reg, bits: u8) {
        let value = self.get(rn);
        let (low, low_changed) = saturate(i64::from(value as i16), signed, bits.into());
        let (high, high_changed) = saturate(i64::from((value >> 16) as i16), signed, bits.into());
        self.saturated |= low_changed | high_changed;
        self.set(rd, low as u32 & 0xFFFF | (high as u32) << 16);
    }

    /// QADD, QSUB, QDADD, QDSUB; it is `rm` that is doubled.
    pub(super) fn saturating_add(&mut self, subtract: bool, double: bool, rd: Reg, rn: Reg, rm: Reg) {
        let (a, b) = (i64::from(self.get(rn) as i32), i64::from(self.get(rm) as i32));
        let (b, doubled) = if double { saturate(b * 2, true, 32) } else { (b, false) };
        let (result, changed) = saturate(if subtract { a - b } else { a + b }, true, 32);
        self.saturated |= doubled | changed;
        self.set(rd, result as u32);
    }

    pub(super) fn parallel(&mut self, operation: Parallel, lanes: Lanes, rd: Reg, rn: Reg, rm: Reg) {
        let (n, m) = (self.get(rn), self.get(rm));
        let (width, m, subtracted) = match operation {
            Parallel::Add8 => (8, m, 0b0000),
            Parallel::Sub8 => (8, m, 0b1111),
            Parallel::Add16 => (16, m, 0b00),
            Parallel::Sub16 => (16, m, 0b11),
            Parallel::AddSubExchange => (16, m.rotate_left(16), 0b01),
            Parallel::SubAddExchange => (16, m.rotate_left(16), 0b10),
        };
        let signed = matches!(lanes, Lanes::Signed | Lanes::SaturateSigned | Lanes::HalveSigned);
        let mask = (1u32 << width) - 1;
        let lane = |word: u32, index: u32| {
            let raw = word >> (index * width) & mask;
            if signed { i64::from((raw << (32 - width)) as i32 >> (32 - width)) } else { i64::from(raw) }
        };
        let (mut result, mut ge) = (0, 0);
        for index in 0..32 / width {
            let (a, b) = (lane(n, index), lane(m, index));
            let subtract = subtracted >> index & 1 != 0;
            let sum = if subtract { a - b } else { a + b };
            let value = match lanes {
                Lanes::Signed | Lanes::Unsigned => sum,
                Lanes::SaturateSigned | Lanes::SaturateUnsigned => saturate(sum, signed, width).0,
                Lanes::HalveSigned | Lanes::HalveUnsigned => sum >> 1,
            };
            result |= (value as u32 & mask) << (index * width);
            let at_least = if signed || subtract { sum >= 0 } else { sum > i64::from(mask) };
            if at_least {
                ge |= if width == 8 { 1 << index } else { 3 << (2 * index) };
            }
        }
        if matches!(lanes, Lanes::Signed | Lanes::Unsigned) {
            self.ge = ge;
        }
        self.set(rd, result);
    }

    pub(super) fn select(&mut self, rd: Reg, rn: Reg, rm: Reg) {
        let mask = (0..4).filter(|lane| self.ge >> lane & 1 != 0).fold(0, |mask, lane| mask | 0xFF << (8 * lane));
        self.set(rd, self.get(rn) & mask | self.get(rm) & !mask);
    }

    #[inline(always)]
    pub(super) fn pack_halves(&mut self, top_bottom: bool, rd: Reg, rn: Reg, rm: Reg, amount: u8) {
        let (n, m) = (self.get(rn), i64::from(self.get(rm) as i32));
        let result = match top_bottom {
            true => n & !0xFFFF | (m >> amount) as u32 & 0xFFFF,
            false => n & 0xFFFF | (m << amount) as u32 & !0xFFFF,
        };
        self.set(rd, result);
    }

    pub(super) fn absolute_differences(&mut self, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let (n, m) = (self.get(rn).to_le_bytes(), self.get(rm).to_le_bytes());
        let sum: u32 = n.iter().zip(m).map(|(a, b)| u32::from(a.abs_diff(b))).sum();
        self.set(rd, if ra == 15 { sum } else { self.get(ra).wrapping_add(sum) });
    }
}
