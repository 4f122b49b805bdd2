//! Text into HTML, so that it stays text.

use std::fmt::{Display, Formatter, Result, Write};

/// Text as the contents of an element or of a quoted attribute. What has no glyph, and what would turn the order of its neighbours, is
/// written as its number, such as `⟨1b⟩`.
pub fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// See [`escaped`].
pub struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ if is_hidden(character) => write!(f, "⟨{:x}⟩", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Control and format characters: Unicode's bidirectional controls, separators of lines, joiners, marks of byte order.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(character, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_attributes_stay_text() {
        let hostile = "</script><img src=x onerror='alert(1)'>&\"";
        let safe = escaped(hostile).to_string();
        assert_eq!(safe, "&lt;/script&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn characters_without_a_glyph_are_numbers() {
        assert_eq!(escaped("a\0\u{1b}[\u{202e}b\u{feff}").to_string(), "a⟨0⟩⟨1b⟩[⟨202e⟩b⟨feff⟩");
        assert_eq!(escaped("é ß 日本 🙂").to_string(), "é ß 日本 🙂");
    }
}
