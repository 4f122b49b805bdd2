//! Attention's softmax, position by position: from scores to exponentials, and from those to integer weights.
//!
//! The exponential is a table of powers of two and a straight line.

/// Steps of the table between 1 and 1/2.
pub(super) const STEPS: usize = 128;
/// Fraction bits of a score below a step.
const STEP_BITS: u32 = 16 - STEPS.ilog2();
/// Positions that a turn of a loop handles: neighbouring loads pipeline, and the loop's own instructions are shared.
const WIDE: usize = 4;

/// `2^(-k / 128)` in units of `2^-31`. The low halfword is also, as an i16, what one unit of a score further adds to it: the word is rounded
/// so that it fits both.
pub(super) static POWERS: [u32; STEPS] = powers();

const fn powers() -> [u32; STEPS] {
    // The 128th root of 1/2: seven square roots by Newton's method, all in the compiler.
    let mut root = 0.5f64;
    let mut halvings = 0;
    while halvings < STEPS.ilog2() {
        let square = root;
        let mut turns = 0;
        while turns < 30 {
            root = 0.5 * (root + square / root);
            turns += 1;
        }
        halvings += 1;
    }
    let mut table = [0; STEPS];
    let mut power = 2_147_483_647.0;
    let mut step = 0;
    while step < STEPS {
        let slope = ((power * (root - 1.0) / (1u32 << STEP_BITS) as f64 - 0.5) as i32) as u16 as u32;
        let upper = ((power - slope as f64) / 65_536.0 + 0.5) as u32;
        table[step] = (upper << 16) + slope;
        power *= root;
        step += 1;
    }
    table
}

/// `2^(-below / 65,536)` in units of `2^-31`, shifted right by the integer part of `below`.
#[inline(always)]
fn exponential(below: i32) -> u32 {
    let below = below.clamp(0, (32 << 16) - 1);
    // The mask bounds the index, so that no check is left.
    let word = POWERS[below as usize >> STEP_BITS & (STEPS - 1)] as i32;
    let further = (below & ((1 << STEP_BITS) - 1)) as i16;
    let power = word.wrapping_add(i32::from(word as i16) * i32::from(further));
    power as u32 >> (below >> 16)
}

/// The definition of [`super::vector::exponentials`].
#[inline(never)] // loops of their own registers
pub fn exponentials_portable(scores: &mut [i32], largest: i32) -> u32 {
    let mut total = 0u32;
    let mut power = |score: &mut i32| {
        let power = exponential(largest.wrapping_sub(*score));
        *score = power as i32;
        total = total.wrapping_add(power);
    };
    let (wide, rest) = scores.as_chunks_mut::<WIDE>();
    wide.iter_mut().for_each(|scores| scores.iter_mut().for_each(&mut power));
    rest.iter_mut().for_each(power);
    total
}

/// The definition of [`super::vector::round_parts`].
#[inline(never)]
pub fn round_parts_portable(parts: &[i32], scales: &[f32], factor: f32, rounded: &mut [i16]) {
    let round = |part: &i32, scale: &f32| {
        let factor = (scale * factor) as i32;
        ((i64::from(*part) * i64::from(factor) + (1 << 31)) >> 32) as i16
    };
    let wide = rounded.as_chunks_mut::<WIDE>().0.iter_mut().zip(parts.as_chunks::<WIDE>().0).zip(scales.as_chunks::<WIDE>().0);
    let mut done = 0;
    for ((rounded, [a, b, c, d]), [i, j, k, l]) in wide {
        *rounded = [round(a, i), round(b, j), round(c, k), round(d, l)];
        done += WIDE;
    }
    let rest = parts.get(done..).unwrap_or_default().iter().zip(scales.get(done..).unwrap_or_default());
    for (rounded, (part, scale)) in rounded.get_mut(done..).unwrap_or_default().iter_mut().zip(rest) {
        *rounded = round(part, scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_stays_within_its_bound_over_its_whole_range() {
        for below in 0..32 << 16 {
            let exact = (-f64::from(below) / 65_536.0).exp2() * 2_147_483_648.0;
            let error = (f64::from(exponential(below)) - exact).abs();
            // The table's halfwords and the straight line; then what the shift cuts off.
            assert!(error <= 4e-5 * exact + 1.0, "{below}: {error} of {exact}");
        }
        assert_eq!((exponential(-1), exponential(i32::MAX)), (exponential(0), 0));
    }
}
