//! The text with a sounding line below each character: its length and shade are the depth.

use super::html::escaped;
use super::numbers::difference;
use super::{Run, each_run};
use crate::report::{Report, grouped};
use std::fmt::Write;

/// The section.
pub fn render(runs: &[Run]) -> String {
    let intro = "<p>Below each character hangs a bar: the longer and stronger, the more blocks the model ran for it. Point at a character, or \
                 move through the text with the arrow keys, for its cycles.</p>\n";
    let blocks = runs.iter().map(|run| run.report.depth.blocks).max().unwrap_or(1);
    format!("{intro}{}{}", legend(blocks), each_run(runs, figure))
}

/// One swatch per depth.
fn legend(blocks: u32) -> String {
    let mut out = String::from("<ul class=\"legend\" aria-label=\"Depth in blocks\">\n");
    for depth in 1..=blocks {
        let word = if depth == 1 { "block" } else { "blocks" };
        let _ = writeln!(
            out,
            "<li><span class=\"swatch d{depth}\" aria-hidden=\"true\"></span>{depth}<span class=\"unit\">{word}</span></li>"
        );
    }
    out + "</ul>\n"
}

fn figure(index: usize, run: &Run) -> String {
    let report = &run.report;
    let mut out = String::new();
    let _ = write!(
        out,
        "<figure class=\"sounding\" data-run=\"{index}\">\n<div class=\"text\" role=\"group\" aria-label=\"Prompt and generated text of {}\">",
        escaped(&run.name)
    );
    for (position, token) in report.prompt.iter().enumerate() {
        let title = format!("position {position}, of the prompt: depth {}{}", token.depth, blocks_of(report, token.active));
        out.push_str(&character(&token.bytes, "prompt", token.depth, position, &title));
    }
    for token in &report.tokens {
        let title = format!(
            "position {}: depth {}{}, {} modelled cycles, {} against the mean",
            token.position,
            token.depth,
            blocks_of(report, token.active),
            grouped(token.cycles),
            difference(report.cycles.per_token_mean as f64, token.cycles as f64)
        );
        out.push_str(&character(&token.bytes, "made", token.depth, token.position as usize, &title));
    }
    if report.prompt.is_empty() && report.tokens.is_empty() {
        out.push_str("(no token)");
    }
    let _ = write!(
        out,
        "</div>\n<p class=\"readout\" role=\"status\" aria-live=\"polite\">&nbsp;</p>\n<figcaption>The prompt's {} characters in italics, then {} generated \
         tokens. Modelled: {}.</figcaption>\n</figure>\n",
        report.prompt_tokens,
        report.generated_tokens,
        escaped(&run.basis())
    );
    out.push_str(&table(run));
    out
}

/// `, blocks 1 to 3` or `, blocks 1, 2 and 5`: which ones, counted from 1.
fn blocks_of(report: &Report, active: u32) -> String {
    if report.depth.blocks == active.count_ones() {
        return " (all)".into();
    }
    format!(" (blocks {})", numbers(active))
}

/// Blocks of a mask, counted from 1, runs as `1–3`.
pub fn numbers(active: u32) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for block in (0..32).filter(|block| active >> block & 1 == 1) {
        match ranges.last_mut() {
            Some((_, last)) if *last == block => *last += 1,
            _ => ranges.push((block + 1, block + 1)),
        }
    }
    if ranges.is_empty() {
        return "none".into();
    }
    let text = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}–{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A token's bytes as text, each byte that is none as `⟨hex⟩`.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => escaped(text).to_string(),
        Err(_) => bytes.iter().map(|byte| format!("⟨{byte:02x}⟩")).collect(),
    }
}

/// One token as an element. A line's end shows as a sign, and ends the line.
fn character(bytes: &[u8], class: &str, depth: u32, position: usize, title: &str) -> String {
    let (text, end) = if bytes == b"\n" { ("<span class=\"sign\">↵</span>".into(), "\n") } else { (shown(bytes), "") };
    format!("<span class=\"c d{depth} {class}\" data-at=\"{position}\" title=\"{title}\">{text}</span>{end}")
}

/// Every token with its figures: the text's twin for whoever cannot point at it.
fn table(run: &Run) -> String {
    let report = &run.report;
    let mut out = String::new();
    let _ = write!(
        out,
        "<details>\n<summary>Every token as a table</summary>\n<table class=\"tokens\">\n<caption>Tokens of {}; cycles are modelled: {}</caption>\n\
         <thead><tr><th scope=\"col\">Position</th><th scope=\"col\">Text</th><th scope=\"col\">Depth</th><th scope=\"col\">Blocks</th>\
         <th scope=\"col\">Cycles</th></tr></thead>\n<tbody>\n",
        escaped(&run.name),
        escaped(&run.basis())
    );
    let visible = |bytes: &[u8]| match bytes {
        b"\n" => "line end".to_owned(),
        b" " => "space".to_owned(),
        _ => format!("<code>{}</code>", shown(bytes)),
    };
    let mut row = |position: usize, bytes: &[u8], depth: u32, active: u32, cycles: &str| {
        let (text, blocks) = (visible(bytes), numbers(active));
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{position}</th><td>{text}</td><td>{depth}</td><td>{blocks}</td><td>{cycles}</td></tr>"
        );
    };
    for (position, token) in report.prompt.iter().enumerate() {
        row(position, &token.bytes, token.depth, token.active, "prompt");
    }
    for token in &report.tokens {
        row(token.position as usize, &token.bytes, token.depth, token.active, &grouped(token.cycles));
    }
    out + "</tbody>\n</table>\n</details>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_from_one_and_joined_into_ranges() {
        assert_eq!(numbers(0b111), "1–3");
        assert_eq!(numbers(0b10_1011), "1–2, 4, 6");
        assert_eq!(numbers(0), "none");
        assert_eq!(numbers(u32::MAX), "1–32");
    }

    #[test]
    fn bytes_that_are_no_text_show_as_numbers() {
        assert_eq!(shown(b"\xff"), "⟨ff⟩");
        assert_eq!(shown("é".as_bytes()), "é");
        assert_eq!(shown(b"<"), "&lt;");
        assert!(character(b"\n", "made", 2, 7, "x").ends_with("</span>\n"));
    }
}
