//! Single-precision arithmetic with the FPSCR's modes and exception flags, bit-exact.
//!
//! Sums, products, quotients and roots of two f32 are computed in f64 and rounded to odd there; rounding that to 24 bits is exact in
//! every rounding mode, because f64 has more than two bits to spare.

use super::op::FloatRounding;

pub(super) const INVALID: u32 = 1 << 0;
pub(super) const DIVIDE_BY_ZERO: u32 = 1 << 1;
pub(super) const OVERFLOW: u32 = 1 << 2;
pub(super) const UNDERFLOW: u32 = 1 << 3;
pub(super) const INEXACT: u32 = 1 << 4;
pub(super) const INPUT_DENORMAL: u32 = 1 << 7;
/// FPSCR fields that change results: rounding mode, flush to zero, default NaN.
pub(super) const MODES: u32 = 0xF << 22;
const FLUSH: u32 = 1 << 24;
const DEFAULT_NAN: u32 = 1 << 25;
const ALTERNATIVE_HALF: u32 = 1 << 26;
const QUIET: u32 = 1 << 22;
const NAN: u32 = 0x7FC0_0000;
const INFINITY: u32 = 0x7F80_0000;
const SIGN: u32 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    Nearest,
    Up,
    Down,
    Zero,
    /// Nearest, ties away from zero; only to integers.
    Away,
}

/// Mantissa bits and exponent range of a result.
struct Format {
    mantissa: u32,
    least: i32,
    greatest: i32,
}

const SINGLE: Format = Format { mantissa: 23, least: -126, greatest: 127 };
const HALF: Format = Format { mantissa: 10, least: -14, greatest: 15 };

/// The FPSCR as arithmetic sees it; its flags accumulate.
pub(super) struct Environment(pub(super) u32);

/// Rounds `sum` (nearest, with `error` the exact rest) to odd.
pub(super) fn to_odd(sum: f64, error: f64) -> f64 {
    let bits = sum.to_bits();
    if error == 0.0 || bits & 1 != 0 {
        return sum;
    }
    f64::from_bits(if (error > 0.0) == (sum > 0.0) { bits + 1 } else { bits - 1 })
}

/// The sum rounded to odd.
#[inline(always)]
pub(super) fn sum_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let b_part = sum - a;
    to_odd(sum, (a - (sum - b_part)) + (b - b_part))
}

fn is_nan(bits: u32) -> bool {
    bits & !SIGN > INFINITY
}

fn is_signalling(bits: u32) -> bool {
    is_nan(bits) && bits & QUIET == 0
}

fn is_infinite(bits: u32) -> bool {
    bits & !SIGN == INFINITY
}

fn is_zero(bits: u32) -> bool {
    bits & !SIGN == 0
}

fn to_integer(value: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::Nearest => value.round_ties_even(),
        Rounding::Up => value.ceil(),
        Rounding::Down => value.floor(),
        Rounding::Zero => value.trunc(),
        Rounding::Away => value.round(),
    }
}

fn wide(bits: u32) -> f64 {
    f32::from_bits(bits).into()
}

impl Environment {
    fn flag(&mut self, flags: u32) {
        self.0 |= flags;
    }

    pub(super) fn rounding(&self) -> Rounding {
        [Rounding::Nearest, Rounding::Up, Rounding::Down, Rounding::Zero][(self.0 >> 22 & 3) as usize]
    }

    /// An operand, flushed if the mode says so.
    fn operand(&mut self, bits: u32) -> u32 {
        if self.0 & FLUSH != 0 && !is_zero(bits) && bits & INFINITY == 0 {
            self.flag(INPUT_DENORMAL);
            return bits & SIGN;
        }
        bits
    }

    fn invalid(&mut self) -> u32 {
        self.flag(INVALID);
        NAN
    }

    /// The NaN that results from these operands: the first signalling one, else the first quiet one.
    fn nan(&mut self, operands: &[u32]) -> Option<u32> {
        let signalling = operands.iter().find(|bits| is_signalling(**bits));
        let chosen = *signalling.or_else(|| operands.iter().find(|bits| is_nan(**bits)))?;
        if signalling.is_some() {
            self.flag(INVALID);
        }
        Some(if self.0 & DEFAULT_NAN != 0 { NAN } else { chosen | QUIET })
    }

    /// Rounds an odd-rounded or exact value; underflow is detected before rounding.
    fn round(&mut self, value: f64, format: &Format, rounding: Rounding, flush: bool) -> u32 {
        let bits = value.to_bits();
        let negative = bits >> 63 != 0;
        let sign = u32::from(negative);
        let sign = sign << (format.mantissa + (format.greatest - format.least + 1).ilog2() + 1);
        if value == 0.0 {
            return sign;
        }
        let exponent = (bits >> 52 & 0x7FF) as i32 - 1023;
        let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
        let tiny = exponent < format.least;
        if tiny && flush {
            self.flag(UNDERFLOW);
            return sign;
        }
        let shift = 52 - format.mantissa + if tiny { (format.least - exponent) as u32 } else { 0 };
        let shift = shift.min(62);
        let (quotient, rest, half) = (mantissa >> shift, mantissa & ((1 << shift) - 1), 1 << (shift - 1));
        let up = match rounding {
            Rounding::Nearest => rest > half || rest == half && quotient & 1 != 0,
            Rounding::Up => rest != 0 && !negative,
            Rounding::Down => rest != 0 && negative,
            Rounding::Zero => false,
            Rounding::Away => rest >= half,
        };
        if rest != 0 {
            self.flag(if tiny { INEXACT | UNDERFLOW } else { INEXACT });
        }
        let biased = if tiny { 0 } else { (exponent - format.least) as u64 };
        let encoded = quotient + u64::from(up) + (biased << format.mantissa);
        let infinity = ((format.greatest - format.least + 2) as u64) << format.mantissa;
        if encoded < infinity {
            return sign | encoded as u32;
        }
        self.flag(OVERFLOW | INEXACT);
        let to_infinity = match rounding {
            Rounding::Nearest | Rounding::Away => true,
            Rounding::Up => !negative,
            Rounding::Down => negative,
            Rounding::Zero => false,
        };
        sign | (infinity - u64::from(!to_infinity)) as u32
    }

    fn single(&mut self, value: f64) -> u32 {
        let (rounding, flush) = (self.rounding(), self.0 & FLUSH != 0);
        self.round(value, &SINGLE, rounding, flush)
    }

    /// The rounded sum; an exact zero takes the sign that the mode demands.
    fn sum(&mut self, a: f64, b: f64) -> u32 {
        let sum = sum_to_odd(a, b);
        if sum == 0.0 && a.is_sign_negative() != b.is_sign_negative() {
            return if self.rounding() == Rounding::Down { SIGN } else { 0 };
        }
        self.single(sum)
    }

    pub(super) fn add(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.operand(a), self.operand(b));
        if let Some(nan) = self.nan(&[a, b]) {
            return nan;
        }
        match (is_infinite(a), is_infinite(b)) {
            (true, true) if a != b => self.invalid(),
            (true, _) => a,
            (_, true) => b,
            _ => self.sum(wide(a), wide(b)),
        }
    }

    /// `a - b`; a NaN operand keeps its sign.
    pub(super) fn sub(&mut self, a: u32, b: u32) -> u32 {
        self.add(a, if is_nan(b) { b } else { b ^ SIGN })
    }

    pub(super) fn mul(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.operand(a), self.operand(b));
        if let Some(nan) = self.nan(&[a, b]) {
            return nan;
        }
        if is_infinite(a) || is_infinite(b) {
            return if is_zero(a) || is_zero(b) { self.invalid() } else { (a ^ b) & SIGN | INFINITY };
        }
        self.single(wide(a) * wide(b))
    }

    pub(super) fn div(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.operand(a), self.operand(b));
        if let Some(nan) = self.nan(&[a, b]) {
            return nan;
        }
        let sign = (a ^ b) & SIGN;
        match (is_infinite(a), is_infinite(b), is_zero(a), is_zero(b)) {
            (true, true, ..) | (.., true, true) => self.invalid(),
            (true, ..) => sign | INFINITY,
            (_, true, ..) | (_, _, true, _) => sign,
            (.., true) => {
                self.flag(DIVIDE_BY_ZERO);
                sign | INFINITY
            }
            _ => {
                let (a, b) = (wide(a), wide(b));
                let quotient = a / b;
                let rest = (-quotient).mul_add(b, a);
                self.single(to_odd(quotient, if b < 0.0 { -rest } else { rest }))
            }
        }
    }

    pub(super) fn sqrt(&mut self, a: u32) -> u32 {
        let a = self.operand(a);
        if let Some(nan) = self.nan(&[a]) {
            return nan;
        }
        if is_zero(a) || a == INFINITY {
            return a;
        }
        if a & SIGN != 0 {
            return self.invalid();
        }
        let a = wide(a);
        let root = a.sqrt();
        self.single(to_odd(root, (-root).mul_add(root, a)))
    }

    /// `addend + a * b`, rounded once.
    pub(super) fn fused(&mut self, addend: u32, a: u32, b: u32) -> u32 {
        let (c, a, b) = (self.operand(addend), self.operand(a), self.operand(b));
        let undefined = is_infinite(a) && is_zero(b) || is_zero(a) && is_infinite(b);
        if undefined && is_nan(c) && !is_signalling(c) {
            return self.invalid();
        }
        if let Some(nan) = self.nan(&[c, a, b]) {
            return nan;
        }
        let product_sign = (a ^ b) & SIGN;
        match (undefined, is_infinite(a) || is_infinite(b), is_infinite(c)) {
            (true, ..) => self.invalid(),
            (_, true, true) if c & SIGN != product_sign => self.invalid(),
            (_, true, _) => product_sign | INFINITY,
            (.., true) => c,
            _ => self.sum(wide(a) * wide(b), wide(c)),
        }
    }

    /// NZCV of the comparison, in bits 31 to 28.
    pub(super) fn compare(&mut self, a: u32, b: u32, quiet_signals: bool) -> u32 {
        let (a, b) = (self.operand(a), self.operand(b));
        if is_nan(a) || is_nan(b) {
            if quiet_signals || is_signalling(a) || is_signalling(b) {
                self.flag(INVALID);
            }
            return 0x3000_0000;
        }
        match f32::from_bits(a).partial_cmp(&f32::from_bits(b)) {
            Some(core::cmp::Ordering::Less) => 0x8000_0000,
            Some(core::cmp::Ordering::Equal) => 0x6000_0000,
            _ => 0x2000_0000,
        }
    }

    /// To an integer of `size` bits with `fraction` fraction bits, saturated, extended to 32 bits.
    pub(super) fn fixed(&mut self, a: u32, signed: bool, size: u32, fraction: u8, rounding: Rounding) -> u32 {
        let a = self.operand(a);
        if is_nan(a) {
            self.flag(INVALID);
            return 0;
        }
        let value = wide(a) * f64::from(1u32 << (fraction / 2)) * f64::from(1u32 << (fraction - fraction / 2));
        let rounded = to_integer(value, rounding);
        let (low, high) = if signed { (-(1i64 << (size - 1)), (1i64 << (size - 1)) - 1) } else { (0, (1i64 << size) - 1) };
        let integer = (rounded as i64).clamp(low, high);
        if integer as f64 != rounded {
            self.flag(INVALID);
        } else if rounded != value {
            self.flag(INEXACT);
        }
        integer as u32
    }

    /// The mode that a rounding instruction names.
    pub(super) fn rounding_of(&self, rounding: FloatRounding) -> Rounding {
        match rounding {
            FloatRounding::Away => Rounding::Away,
            FloatRounding::Nearest => Rounding::Nearest,
            FloatRounding::Up => Rounding::Up,
            FloatRounding::Down => Rounding::Down,
            FloatRounding::Zero => Rounding::Zero,
            FloatRounding::Mode | FloatRounding::ModeExact => self.rounding(),
        }
    }

    /// To an integral value in floating point; `exact` flags a result that differs.
    pub(super) fn integral(&mut self, a: u32, rounding: Rounding, exact: bool) -> u32 {
        let a = self.operand(a);
        if let Some(nan) = self.nan(&[a]) {
            return nan;
        }
        let rounded = (to_integer(wide(a), rounding) as f32).to_bits() & !SIGN | a & SIGN;
        if exact && rounded != a {
            self.flag(INEXACT);
        }
        rounded
    }

    /// The larger or smaller number; a quiet NaN yields to a number, and -0 is less than +0.
    pub(super) fn extreme(&mut self, a: u32, b: u32, minimum: bool) -> u32 {
        let (a, b) = (self.operand(a), self.operand(b));
        let quiet = |bits| is_nan(bits) && !is_signalling(bits);
        match (quiet(a), quiet(b)) {
            (true, false) if !is_nan(b) => return b,
            (false, true) if !is_nan(a) => return a,
            _ => {}
        }
        if let Some(nan) = self.nan(&[a, b]) {
            return nan;
        }
        let key = |bits: u32| if bits & SIGN != 0 { !bits } else { bits | SIGN };
        if (key(a) < key(b)) == minimum { a } else { b }
    }

    /// From an integer with `fraction` fraction bits.
    pub(super) fn float_of_fixed(&mut self, value: i64, fraction: u8, rounding: Rounding) -> u32 {
        let scaled = value as f64 / f64::from(1u32 << (fraction / 2)) / f64::from(1u32 << (fraction - fraction / 2));
        self.round(scaled, &SINGLE, rounding, false)
    }

    pub(super) fn half_to_single(&mut self, half: u16) -> u32 {
        let (sign, exponent, mantissa) = (u32::from(half & 0x8000) << 16, u32::from(half >> 10 & 31), u32::from(half & 0x3FF));
        if exponent == 31 && self.0 & ALTERNATIVE_HALF == 0 {
            let bits = sign | INFINITY | mantissa << 13;
            return self.nan(&[bits]).unwrap_or(bits);
        }
        match exponent {
            // A denormal half is a multiple of 2^-24, which single precision holds.
            0 => sign | (mantissa as f32 / (1 << 24) as f32).to_bits(),
            _ => sign | (exponent + 112) << 23 | mantissa << 13,
        }
    }

    pub(super) fn single_to_half(&mut self, a: u32) -> u16 {
        let a = self.operand(a);
        let (sign, alternative) = ((a >> 16) as u16 & 0x8000, self.0 & ALTERNATIVE_HALF != 0);
        if alternative && (is_nan(a) || is_infinite(a)) {
            self.flag(INVALID);
            return if is_nan(a) { sign } else { sign | 0x7FFF };
        }
        if let Some(nan) = self.nan(&[a]) {
            return (nan >> 16) as u16 & 0x8000 | 0x7C00 | (nan >> 13) as u16 & 0x3FF;
        }
        if is_infinite(a) {
            return sign | 0x7C00;
        }
        let rounding = self.rounding();
        if !alternative {
            return self.round(wide(a), &HALF, rounding, false) as u16;
        }
        // The alternative format has one exponent more and no infinity; the field is as wide as the standard one's.
        let before = self.0;
        self.0 &= !OVERFLOW;
        let bits = self.round(wide(a).abs(), &Format { greatest: 16, ..HALF }, directed(rounding, a), false);
        if self.0 & OVERFLOW != 0 {
            self.0 = before | INVALID;
            return sign | 0x7FFF;
        }
        self.0 |= before;
        sign | bits as u16
    }
}

/// The mode that rounds a magnitude as `rounding` rounds the signed value.
fn directed(rounding: Rounding, value: u32) -> Rounding {
    match (rounding, value & SIGN != 0) {
        (Rounding::Up, true) | (Rounding::Down, false) => Rounding::Zero,
        (Rounding::Down, true) => Rounding::Up,
        (other, _) => other,
    }
}
