//! Two products in one multiplication, for cores that have no vectors: what the int8 kernel of `thumb2` computes for each word.
//!
//! A word of a packed matrix holds two columns of the rows A and B, B in offset binary. With `u = (B1 + 128) 2^16 + (B0 + 128)`, its two
//! bytes of B, and `X = x0 2^16 + x1`:
//!
//! ```text
//! (u - 0x00800080) X = (B1 2^16 + B0) (x0 2^16 + x1) = B0 x0 + B1 x1 in units of 2^16, + B0 x1   modulo 2^32
//! ```
//!
//! `|B0 x1| <= 2^14` becomes a positive rest by adding 2^15, and `-2^15 <= B0 x0 + B1 x1 < 2^15`: an arithmetic shift by 16 gives the
//! sum exactly, for all |w| <= 128 and -127 <= x <= 128. What does not depend on the weights is prepared once for all rows.

/// The offset of both fields.
const OFFSET: u32 = 0x0080_0080;
/// The fields of the lower row.
#[cfg(test)]
const FIELDS: u32 = 0x00ff_00ff;

/// `X` and the addend `2^15 - 0x00800080 X` of two neighbouring activations, the first in the low half of `word`.
#[inline(always)]
pub const fn prepare(word: u32) -> [i32; 2] {
    let x = ((word as i32) << 16).wrapping_add(word as i32 >> 16);
    [x, 0x8000i32.wrapping_sub(x.wrapping_mul(OFFSET as i32))]
}

/// Nonzero above bit 7 of a half where that activation is not within `-127..=128`.
#[inline(always)]
pub const fn excess(word: u32) -> u32 {
    (word ^ 0x8000_8000).wrapping_sub(0x7f81_7f81)
}

/// What the assembly computes: `A0 x0 + A1 x1` and `B0 x0 + B1 x1` of a packed word and prepared activations.
#[cfg(test)]
const fn products(word: u32, [x, addend]: [i32; 2]) -> (i32, i32) {
    let lower = word & FIELDS;
    let upper = (word >> 8) & FIELDS ^ OFFSET; // two's complement to offset binary
    ((upper as i32).wrapping_mul(x).wrapping_add(addend) >> 16, (lower as i32).wrapping_mul(x).wrapping_add(addend) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_products_are_exact_for_all_weights_and_activations() {
        // Each row's pair of products depends on its own two weights and two activations: all weights against the extremes and a
        // spread of activations, in both places.
        for a in -128..=127i32 {
            for b in -128..=127i32 {
                for (x0, x1) in
                    [(-127, -127), (-127, 128), (128, -127), (128, 128), (0, -1), (-1, 0), (1, 127), (-64, 77), (127, 127)]
                {
                    let halfword = |upper: i32, lower: i32| (256 * upper + lower + 128) as u32 & 0xffff;
                    // Row A has the weights (a, b), row B (b, a).
                    let word = halfword(a, b) | halfword(b, a) << 16;
                    let activations = (x1 as u32) << 16 | x0 as u32 & 0xffff;
                    assert_eq!(excess(activations) & 0xff00_ff00, 0);
                    assert_eq!(products(word, prepare(activations)), (a * x0 + b * x1, b * x0 + a * x1), "{a} {b} {x0} {x1}");
                }
            }
        }
    }

    #[test]
    fn activations_beyond_eight_bits_are_noticed() {
        for x in i16::MIN..=i16::MAX {
            for other in [-127i16, 0, 127] {
                let inside = (-127..=128).contains(&x);
                for (x0, x1) in [(x, other), (other, x)] {
                    let word = u32::from(x1 as u16) << 16 | u32::from(x0 as u16);
                    assert_eq!(excess(word) & 0xff00_ff00 == 0, inside, "{x0} {x1}");
                }
            }
        }
    }
}
