//! Stacks with their cycles, one a line, and the flame graph drawn from them.

use super::summary::Summary;
use inferno::flamegraph::{self, Options, Palette, TextTruncateDirection};

/// `outer;inner;innermost 123`, sorted: what flame graph tools read.
pub fn lines(summary: &Summary) -> Vec<String> {
    // A name with a semicolon would be taken for two.
    let joined = |stack: &[String]| stack.iter().map(|name| name.replace(';', ",")).collect::<Vec<_>>().join(";");
    summary
        .stacks
        .iter()
        .filter(|(_, cycles)| **cycles > 0)
        .map(|(stack, cycles)| format!("{} {cycles}", joined(stack)))
        .collect()
}

/// The flame graph as an SVG; the same profile gives the same bytes.
///
/// # Errors
/// There is nothing to draw.
pub fn flame_graph(summary: &Summary, title: &str, subtitle: &str) -> std::io::Result<Vec<u8>> {
    let mut options = Options::default();
    options.title = title.into();
    options.subtitle = Some(subtitle.into());
    options.count_name = "cycles".into();
    options.name_type = "Function:".into();
    options.colors = Palette::Basic(flamegraph::color::BasicPalette::Hot);
    options.deterministic = true;
    options.hash = true;
    options.image_width = Some(1400);
    options.min_width = 0.05;
    options.text_truncate_direction = TextTruncateDirection::Left;
    let lines = lines(summary);
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)?;
    Ok(svg)
}
