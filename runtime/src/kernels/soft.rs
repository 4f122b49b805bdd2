//! f32 arithmetic in integers, for cores without an FPU: bit-identical to what the hardware of others rounds.
//!
//! The primitives take normal numbers alone; whoever calls sends the rest (zeros, subnormals, infinities, NaNs) to the compiler's own arithmetic.

use super::quantise::{SMALLEST, quantise_portable};
use super::requantise::requantise_portable;
use crate::math::round;

/// Whether a number's bits are those of a positive normal.
#[inline(always)]
const fn is_positive_normal(bits: u32) -> bool {
    bits.wrapping_sub(1 << 23) < 0x7f00_0000
}

/// The significand of a normal number, its leading one in bit 31; the lowest 8 bits are 0.
#[inline(always)]
const fn significand(bits: u32) -> u32 {
    bits << 8 | 1 << 31
}

/// The upper 32 bits of the product of two significands (their lowest 8 bits being 0), with the lowest bit set if any bit below is.
#[cfg(not(armv6m))]
#[inline(always)]
const fn product(a: u32, b: u32) -> u32 {
    let wide = a as u64 * b as u64;
    (wide >> 32) as u32 | (wide as u32 != 0) as u32
}

/// `top` rounded to its 24 leading bits, ties to even. *Range*: bit 31 is set. Above `0xffff_ff7f` it overflows to 0: a leading one too
/// high for the word.
#[cfg(not(armv6m))]
#[inline(always)]
const fn round_significand(top: u32) -> u32 {
    top.wrapping_add(0x7f + (top >> 8 & 1)) & !0xff
}

/// Twin of [`quantise_portable`], bit-equal for finite values.
#[inline(never)] // a loop of its own registers
pub fn quantise(values: &[f32], quantised: &mut [i16]) -> f32 {
    // The bits of positive floats are in their order.
    let largest = values.iter().fold(0, |largest, value| largest.max(value.to_bits() & 0x7fff_ffff));
    if !is_positive_normal(largest) || largest < SMALLEST.to_bits() {
        return quantise_portable(values, quantised);
    }
    let largest = f32::from_bits(largest);
    let inverse = 127.0 / largest;
    let inverse_upper = significand(inverse.to_bits()) >> 17;
    // A value whose exponent field is 0 is its product's integer part shifted left by this.
    let shift = 282 - (inverse.to_bits() >> 23);
    for (to, value) in quantised.iter_mut().zip(values) {
        let bits = value.to_bits();
        // 2^29 to 2^31: the upper 16 and 15 bits of the significands.
        let product = (bits >> 8 & 0x7fff | 0x8000) * inverse_upper;
        let half = shift.wrapping_sub(bits >> 23 & 0xff); // shifted right by this, units of a half
        let magnitude = if half >= 31 {
            0
        } else {
            // What the lower bits add is less than 2^16 + 2^15 + 1, what rounding to a float moves at most 2^6.
            let (low, high) = ((product - 0x80) >> half, (product + 0x1_8100) >> half);
            if low == high { ((low + 1) >> 1) as i16 } else { nearest(bits & 0x7fff_ffff, inverse) }
        };
        let sign = (bits as i32 >> 31) as i16;
        *to = (magnitude ^ sign) - sign;
    }
    largest * (1.0 / 127.0)
}

#[cold]
#[inline(never)]
fn nearest(magnitude: u32, inverse: f32) -> i16 {
    round(f32::from_bits(magnitude) * inverse) as i16
}

/// Twin of [`super::requantise::requantise_portable`], bit-equal.
#[inline(never)] // a loop of its own registers
pub fn requantise(scales: &[f32], bias: &[f32], input_scale: f32, values: &mut [f32]) {
    let input_bits = input_scale.to_bits();
    if !is_positive_normal(input_bits) {
        return requantise_portable(scales, bias, input_scale, values);
    }
    scale_sums(scales, input_scale, values);
    for (value, bias) in values.iter_mut().zip(bias) {
        *value += bias;
    }
}

/// `values[r] = sums[r] * (scales[r] * input_scale)`.
#[cfg(armv6m)]
fn scale_sums(scales: &[f32], input_scale: f32, values: &mut [f32]) {
    let (mut scales, mut values) = (scales, values);
    loop {
        let done = super::scale1::scale_sums(scales, input_scale, values);
        let Some((scale, next_scales)) = scales.get(done..).and_then(<[f32]>::split_first) else { return };
        let Some((value, next_values)) = values.get_mut(done..).and_then(<[f32]>::split_first_mut) else { return };
        *value = general(value.to_bits() as i32, *scale, input_scale);
        (scales, values) = (next_scales, next_values);
    }
}

/// `values[r] = sums[r] * (scales[r] * input_scale)`.
#[cfg(not(armv6m))]
#[inline(always)]
fn scale_sums(scales: &[f32], input_scale: f32, values: &mut [f32]) {
    let input_bits = input_scale.to_bits();
    let (input_significand, input_exponent) = (significand(input_bits), input_bits >> 23);
    for (value, scale) in values.iter_mut().zip(scales) {
        let sum = value.to_bits() as i32;
        *value = match scaled(sum, scale.to_bits(), input_significand, input_exponent) {
            Some(bits) => f32::from_bits(bits),
            None => general(sum, *scale, input_scale),
        };
    }
}

#[cold]
#[inline(never)]
fn general(sum: i32, scale: f32, input_scale: f32) -> f32 {
    sum as f32 * (scale * input_scale)
}

/// The bits of `sum * (scale * input_scale)`, both products rounded, if all is normal and the sum has no more than 24 bits.
#[cfg(not(armv6m))]
#[inline(always)]
fn scaled(sum: i32, scale: u32, input_significand: u32, input_exponent: u32) -> Option<u32> {
    let magnitude = sum.unsigned_abs();
    if !is_positive_normal(scale) || magnitude >= 1 << 24 {
        return None;
    }
    // The product of the scales, its leading one in bit 31.
    let mut top = product(significand(scale), input_significand);
    let mut exponent = (scale >> 23) + input_exponent;
    if top >> 31 == 0 {
        top <<= 1;
        exponent -= 1;
    }
    if top > 0xffff_ff7f {
        return None; // one too high for the word
    }
    let top = round_significand(top);
    // exponent - 126 is the field of the product of the scales; what follows is normal too.
    if !(127..127 + 254).contains(&exponent) {
        return None;
    }
    if magnitude == 0 {
        return Some(0);
    }
    let zeros = magnitude.leading_zeros();
    let mut top = product(magnitude << zeros, top);
    let mut exponent = exponent + 32 - zeros;
    if top >> 31 == 0 {
        top <<= 1;
        exponent -= 1;
    }
    // exponent - 126 is the field; one less here, because the leading one adds to it.
    let field = exponent.wrapping_sub(127);
    if field >= 253 {
        return None;
    }
    let rounded = (top >> 8) + ((top >> 7 & 1) & ((top & 0x17f != 0) as u32));
    Some((sum as u32 & 1 << 31) | ((field << 23) + rounded))
}
