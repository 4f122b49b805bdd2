//! Shows generated text as it comes, with the depth of every character: as a shade on a terminal, as a line of digits below each line
//! of text otherwise.

use std::io::{self, Write};

/// Longest line of text before it is broken, where digits stand below.
const COLUMNS: usize = 72;

/// A writer of text with depths.
pub struct Stream<W> {
    out: W,
    shaded: bool,
    blocks: u32,
    text: String,
    digits: String,
}

impl<W: Write> Stream<W> {
    /// Writes to `out`, in shades if `shaded`.
    pub fn new(out: W, shaded: bool) -> Self {
        Self { out, shaded, blocks: 1, text: String::new(), digits: String::new() }
    }

    /// Blocks of the model: the deepest shade.
    pub fn set_blocks(&mut self, blocks: u32) {
        self.blocks = blocks.max(1);
    }

    /// One token's text, with its depth in blocks.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn token(&mut self, text: &[u8], depth: u32) -> io::Result<()> {
        for character in String::from_utf8_lossy(text).chars() {
            if self.shaded {
                // 256-colour greys 240 (dim, shallow) to 255 (bright, deep).
                let grey = 240 + 15 * depth.min(self.blocks) / self.blocks;
                write!(self.out, "\x1b[38;5;{grey}m{character}\x1b[0m")?;
                self.out.flush()?;
                continue;
            }
            let newline = character == '\n';
            if !newline {
                self.text.push(character);
            }
            // A newline has a depth too: its digit stands behind the text.
            self.digits.push(char::from_digit(depth.min(35), 36).unwrap_or('?'));
            if newline || self.digits.len() >= COLUMNS {
                self.line()?;
            }
        }
        Ok(())
    }

    /// Ends the text.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.shaded { writeln!(self.out) } else { self.line() }
    }

    fn line(&mut self) -> io::Result<()> {
        if !self.digits.is_empty() {
            writeln!(self.out, "{}\n{}", self.text, self.digits)?;
            self.text.clear();
            self.digits.clear();
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_below_their_characters() {
        let mut out = Vec::new();
        let mut stream = Stream::new(&mut out, false);
        for (text, depth) in [("a", 1), ("b", 12), ("\n", 3), ("c", 4)] {
            stream.token(text.as_bytes(), depth).unwrap();
        }
        stream.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "ab\n1c3\nc\n4\n");
    }

    #[test]
    fn shades_grow_with_depth() {
        let mut out = Vec::new();
        let mut stream = Stream::new(&mut out, true);
        stream.set_blocks(6);
        stream.token(b"a", 0).unwrap();
        stream.token(b"b", 6).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\x1b[38;5;240ma\x1b[0m\x1b[38;5;255mb\x1b[0m");
    }
}
