//! Colours and letters of every picture.

use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, RGBColor, TextStyle, register_font};
use std::sync::Once;

/// Letters: the first is what is drawn on pixels, the others what a viewer of an SVG may have instead.
pub const SANS: &str = "DejaVu Sans, Verdana, sans-serif";
/// Letters of equal width.
pub const MONO: &str = "DejaVu Sans Mono, Menlo, monospace";
/// Text and axes.
pub const INK: RGBColor = RGBColor(38, 38, 38);
/// What stands back.
pub const GREY: RGBColor = RGBColor(125, 125, 125);
/// Lines behind the data.
pub const GRID: RGBColor = RGBColor(228, 228, 228);

/// Okabe and Ito's colours, told apart by all common forms of colour vision, without the yellow that a white page swallows; then some
/// for pictures with more recipes than there are such colours.
const CATEGORIES: [RGBColor; 11] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(70, 70, 70),
    RGBColor(130, 90, 30),
    RGBColor(110, 60, 160),
    RGBColor(120, 130, 20),
    RGBColor(170, 20, 60),
];

/// Viridis, from its ends and three places between.
const SEQUENCE: [(f64, f64, f64); 5] =
    [(68.0, 1.0, 84.0), (59.0, 82.0, 139.0), (33.0, 145.0, 140.0), (94.0, 201.0, 98.0), (253.0, 231.0, 37.0)];

/// The colour of the nth category; they repeat after eleven.
pub fn category(index: usize) -> RGBColor {
    CATEGORIES[index % CATEGORIES.len()]
}

/// A colour of an ordered scale, `place` from 0 (dark) to 1 (light).
pub fn sequence(place: f64) -> RGBColor {
    let place = place.clamp(0.0, 1.0) * (SEQUENCE.len() - 1) as f64;
    let before = (place as usize).min(SEQUENCE.len() - 2);
    let (a, b, share) = (SEQUENCE[before], SEQUENCE[before + 1], place - before as f64);
    let between = |a: f64, b: f64| (a + share * (b - a)).round() as u8;
    RGBColor(between(a.0, b.0), between(a.1, b.1), between(a.2, b.2))
}

/// Text of `size` pixels that begins at its place, centred upon its height.
pub fn text(size: i32, color: RGBColor) -> TextStyle<'static> {
    let pos = Pos::new(HPos::Left, VPos::Center);
    TextStyle { color: color.to_backend_color(), pos, ..TextStyle::from((SANS, size)) }
}

/// The same with its middle at its place.
pub fn centred(family: &'static str, size: i32, color: RGBColor) -> TextStyle<'static> {
    let pos = Pos::new(HPos::Center, VPos::Center);
    TextStyle { color: color.to_backend_color(), pos, ..TextStyle::from((family, size)) }
}

/// Makes the letters known to plotters.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (name, bytes) in [(SANS, dejavu::sans::regular()), (MONO, dejavu::sans_mono::regular())] {
            // Compiled in: they are fonts.
            let _ = register_font(name, FontStyle::Normal, bytes);
        }
    });
}

/// Ink or white, whichever is read more easily on a colour.
pub fn readable_on(color: RGBColor) -> RGBColor {
    let RGBColor(red, green, blue) = color;
    let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if light > 140.0 { INK } else { RGBColor(255, 255, 255) }
}

/// A paler form of a colour.
pub fn pale(color: RGBColor) -> plotters::style::RGBAColor {
    color.mix(0.3)
}
