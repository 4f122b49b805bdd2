//! A heat map of depth over a passage of text, character by character.

use crate::plot::picture::{Area, Picture};
use crate::plot::reading::{Character, Reading};
use crate::plot::style::{GREY, INK, MONO, centred, readable_on, sequence, text};
use anyhow::Result;
use plotters::element::{Rectangle, Text};
use plotters::style::{Color, RGBColor};
use plotters_backend::DrawingBackend;

/// Characters of a row.
const COLUMNS: usize = 88;
/// Rows of a passage.
const ROWS: usize = 20;
/// Pixels of a character.
const CELL: (i32, i32) = (14, 28);
/// Pixels around the text.
const MARGIN: i32 = 24;
/// Pixels above the text.
const HEAD: i32 = 96;

/// The picture.
#[derive(Clone, Debug)]
pub struct Passage {
    run: String,
    blocks: usize,
    saved: f64,
    rows: Vec<Vec<Character>>,
}

impl Passage {
    /// Of a text from its `first` character on.
    pub fn new(reading: &Reading, first: usize) -> Self {
        let characters = reading.characters.get(first..).unwrap_or_default();
        let rows = characters.chunks(COLUMNS).take(ROWS).map(<[Character]>::to_vec).collect();
        Self { run: reading.run.clone(), blocks: reading.blocks, saved: reading.saved, rows }
    }

    /// Dark is deep.
    fn color(&self, depth: usize) -> RGBColor {
        sequence(1.0 - depth.saturating_sub(1) as f64 / (self.blocks - 1).max(1) as f64)
    }
}

/// How a byte is drawn; the visible ones as they are.
fn glyph(byte: u8) -> String {
    match byte {
        b'\n' => "\u{21b5}".into(),
        b' ' => String::new(),
        byte if byte.is_ascii_graphic() => char::from(byte).into(),
        _ => "\u{b7}".into(),
    }
}

impl Picture for Passage {
    fn size(&self) -> (u32, u32) {
        let (width, height) = (COLUMNS as i32 * CELL.0 + 2 * MARGIN, self.rows.len() as i32 * CELL.1 + HEAD + MARGIN);
        (width as u32, height as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let title = format!("{}: blocks run to predict each character", self.run);
        area.draw(&Text::new(title, (MARGIN, 28), text(22, INK)))?;
        area.draw(&Text::new("blocks", (MARGIN, 66), text(15, GREY)))?;
        for depth in 1..=self.blocks {
            let x = MARGIN + 40 + 34 * depth as i32;
            area.draw(&Rectangle::new([(x, 54), (x + 32, 78)], self.color(depth).filled()))?;
            let style = centred(MONO, 15, readable_on(self.color(depth)));
            area.draw(&Text::new(depth.to_string(), (x + 16, 67), style))?;
        }
        let saved = format!("{:.1}% of token-layer operations saved on the whole text", 100.0 * self.saved);
        area.draw(&Text::new(saved, (MARGIN + 100 + 34 * self.blocks as i32, 66), text(15, GREY)))?;
        for (row, characters) in (0..).zip(&self.rows) {
            for (column, character) in (0..).zip(characters) {
                let (x, y) = (MARGIN + column * CELL.0, HEAD + row * CELL.1);
                let color = self.color(character.depth);
                area.draw(&Rectangle::new([(x, y), (x + CELL.0, y + CELL.1 - 2)], color.filled()))?;
                let at = (x + CELL.0 / 2, y + CELL.1 / 2);
                area.draw(&Text::new(glyph(character.byte), at, centred(MONO, 18, readable_on(color))))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_drawn_as_one_letter() {
        for byte in 0..=255 {
            assert!(glyph(byte).chars().count() <= 1);
        }
        assert_eq!([glyph(b'a'), glyph(b'\n'), glyph(0xc3)], ["a", "\u{21b5}", "\u{b7}"]);
    }

    #[test]
    fn a_passage_ends_where_the_text_or_the_picture_does() {
        let character = Character { byte: b'a', depth: 1, nats: 0.0, place: 1 };
        let of = |characters| Reading { run: "a".into(), blocks: 2, saved: 0.0, characters: vec![character; characters] };
        let rows = |characters, first| Passage::new(&of(characters), first).rows.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(rows(COLUMNS + 3, 1), [COLUMNS, 2]);
        assert_eq!(rows(COLUMNS * 30, 0), [COLUMNS; ROWS]);
        assert!(rows(5, 6).is_empty());
    }
}
