//! Numbers as people read them.

use crate::report::grouped;

/// `1.81 M`, `23.4 k`, `912`: three digits that count.
pub fn short(number: u64) -> String {
    let scaled = |unit: f64, name: &str| {
        let value = number as f64 / unit;
        let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        format!("{value:.decimals$} {name}")
    };
    match number {
        0..=9_999 => grouped(number),
        10_000..=999_499 => scaled(1e3, "k"),
        999_500..=999_499_999 => scaled(1e6, "M"),
        _ => scaled(1e9, "G"),
    }
}

/// Bytes as `963,936`, and from 10 KiB on `941 KiB` beside it.
pub fn bytes(number: u64) -> String {
    if number < 10 * 1024 { format!("{} bytes", grouped(number)) } else { format!("{:.1} KiB", number as f64 / 1024.0) }
}

/// `37.2%`.
pub fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}%", share(part, whole))
}

/// `part` in hundredths of `whole`; 0 of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// What [`difference`] says of values that are the same, or as good as.
pub const SAME: &str = "0.0%";

/// How much `new` is above or below `base`: `+3.2%`, `−0.5%`, `0.0%`; a dash where there is nothing to compare with.
pub fn difference(base: f64, new: f64) -> String {
    if base == new {
        return SAME.into();
    }
    if base == 0.0 || !base.is_finite() || !new.is_finite() {
        return "–".into();
    }
    let change = 100.0 * (new - base) / base.abs();
    let sign = if change < 0.0 { '−' } else { '+' };
    let size = change.abs();
    if size < 0.005 {
        return SAME.into();
    }
    if size < 0.05 { format!("{sign}{size:.2}%") } else { format!("{sign}{size:.1}%") }
}

/// Round marks for an axis from 0 to at least `most`: at most six of them, 0 and the end of the axis included.
pub fn ticks(most: u64) -> Vec<u64> {
    let mut step = 1u64;
    'search: for power in 0..19 {
        for factor in [1, 2, 5] {
            step = factor * 10u64.pow(power);
            if most.div_ceil(step) <= 5 {
                break 'search;
            }
        }
    }
    (0..=most.div_ceil(step).max(1)).map(|index| index.saturating_mul(step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_keep_three_digits() {
        let cases =
            [(0, "0"), (9_999, "9,999"), (10_000, "10.0 k"), (999_499, "999 k"), (999_500, "1.00 M"), (1_806_617, "1.81 M")];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
        assert_eq!(short(202_240_861), "202 M");
        assert_eq!(short(u64::MAX), "18446744074 G");
    }

    #[test]
    fn differences_have_a_sign_and_a_base() {
        assert_eq!(difference(100.0, 103.2), "+3.2%");
        assert_eq!(difference(200.0, 199.0), "−0.5%");
        assert_eq!(difference(10_000.0, 10_001.0), "+0.01%");
        assert_eq!(difference(155e6, 155e6 + 2_000.0), "0.0%");
        assert_eq!(difference(5.0, 5.0), "0.0%");
        assert_eq!(difference(0.0, 5.0), "–");
    }

    #[test]
    fn axes_end_at_or_above_the_largest_value() {
        assert_eq!(ticks(3_191_419), [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000]);
        assert_eq!(ticks(5), [0, 1, 2, 3, 4, 5]);
        assert_eq!(ticks(0), [0, 1]);
        for most in [1, 7, 99, 100, 101, 12_345, u64::MAX / 2] {
            let ticks = ticks(most);
            assert!(ticks.len() <= 6 && *ticks.last().unwrap() >= most, "{most}: {ticks:?}");
        }
    }
}
