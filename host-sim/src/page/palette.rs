//! The colours of depth: one step per block, from shallow to deep water, for light and for dark pages.
//!
//! On either page more blocks mean more contrast with the paper, and the shallowest step still has 3:1 against it.

use std::fmt::Write;

/// An sRGB colour.
type Colour = [u8; 3];

/// Light page: paper, shallowest, deepest.
const LIGHT: [Colour; 3] = [[0xfb, 0xfa, 0xf7], [0x4f, 0x97, 0xb4], [0x0a, 0x2a, 0x4a]];
/// Dark page: the same.
const DARK: [Colour; 3] = [[0x11, 0x17, 0x1e], [0x3f, 0x7d, 0x9c], [0xd3, 0xf0, 0xfb]];

/// Custom properties `--d0` to `--dN` for both pages, and the classes that use them.
pub fn style(blocks: u32) -> String {
    let mut out = String::new();
    let _ = writeln!(out, ":root{{{}}}", properties(&LIGHT, blocks));
    let _ = writeln!(out, "@media (prefers-color-scheme:dark){{:root{{{}}}}}", properties(&DARK, blocks));
    for depth in 0..=blocks {
        let hundredths = 100 * depth / blocks.max(1);
        let _ = writeln!(out, ".d{depth}{{--mark:var(--d{depth});--deep:{}}}", f64::from(hundredths) / 100.0);
    }
    out
}

fn properties(&[_, shallow, deep]: &[Colour; 3], blocks: u32) -> String {
    let mut out = String::new();
    for depth in 0..=blocks {
        // Depth 0 is as shallow as 1: no model that is trained has it.
        let mark = mixed(shallow, deep, depth.saturating_sub(1), blocks.saturating_sub(1));
        let _ = write!(out, "--d{depth}:{};", hex(mark));
    }
    out
}

/// The colour `part / whole` of the way from one to the other.
fn mixed(from: Colour, to: Colour, part: u32, whole: u32) -> Colour {
    let whole = whole.max(1);
    std::array::from_fn(|index| {
        let (from, to) = (u32::from(from[index]), u32::from(to[index]));
        ((from * (whole - part) + to * part + whole / 2) / whole) as u8
    })
}

fn hex([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance by WCAG 2.2.
    fn luminance(colour: Colour) -> f64 {
        let linear = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
    }

    fn contrast(a: Colour, b: Colour) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_mark_stands_out_from_its_paper_and_deeper_ones_more() {
        for [paper, shallow, deep] in [LIGHT, DARK] {
            for blocks in 2..=24 {
                let marks: Vec<Colour> = (0..blocks).map(|part| mixed(shallow, deep, part, blocks - 1)).collect();
                assert!(marks.iter().all(|mark| contrast(*mark, paper) >= 3.0), "{:.2}", contrast(shallow, paper));
                assert!(marks.windows(2).all(|pair| contrast(pair[0], paper) < contrast(pair[1], paper)));
            }
        }
    }
}
