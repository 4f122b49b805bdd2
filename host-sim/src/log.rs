//! Decodes the guest's defmt log into lines.

use crate::image::Image;
use defmt_decoder::{DecodeError, StreamDecoder, Table};

/// The tables that an image carries for its log. Outlives its [`Log`].
#[derive(Debug)]
pub struct LogTable(Option<Table>);

impl LogTable {
    /// Reads the image's tables; an image without defmt has an empty log.
    ///
    /// # Errors
    /// The image's defmt version is not one that this program decodes.
    pub fn new(image: &Image) -> anyhow::Result<Self> {
        Ok(Self(Table::parse(&image.elf)?))
    }

    /// A decoder.
    pub fn decoder(&self) -> Log<'_> {
        Log { stream: self.0.as_ref().map(Table::new_stream_decoder) }
    }
}

/// A decoder of one log stream.
pub struct Log<'t> {
    stream: Option<Box<dyn StreamDecoder + Send + Sync + 't>>,
}

impl Log<'_> {
    /// Whether the image has a log to decode at all.
    pub fn decodes(&self) -> bool {
        self.stream.is_some()
    }

    /// Takes bytes from the guest and calls `line` for each complete log line, level first.
    pub fn receive(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        let Some(stream) = &mut self.stream else { return };
        stream.received(bytes);
        loop {
            match stream.decode() {
                Ok(frame) => {
                    let level = frame.level().map_or("", |level| level.as_str());
                    line(&format!("{level:5} {}", frame.display_message()));
                }
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) => line("?     (malformed log frame)"),
            }
        }
    }
}
