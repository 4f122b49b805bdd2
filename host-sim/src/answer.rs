//! Collects the device's record frames into an [`Answer`].

use crate::report::{Answer, Token};
use fathom::format::record::{PROTOCOL, Record, decode};

/// Why a device's records cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// A frame is malformed.
    Malformed {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The device speaks another version of the protocol.
    Protocol {
        /// Ours.
        wanted: u8,
        /// The device's.
        found: u8,
    },
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Malformed { bytes } => write!(f, "the device sent a malformed record of {bytes} bytes: rebuild the firmware"),
            Self::Protocol { wanted, found } => {
                write!(f, "the device speaks record protocol {found}, this program {wanted}: rebuild the older of the two")
            }
        }
    }
}

impl std::error::Error for RecordError {}

/// Splits the record channel into frames and keeps what they say.
#[derive(Debug, Default)]
pub struct Collector {
    pending: Vec<u8>,
    prompt: Vec<u8>,
    /// What was said so far.
    pub answer: Answer,
}

impl Collector {
    /// A collector that shows the prompt's bytes with the depths that the device reports for them.
    pub fn new(prompt: &[u8]) -> Self {
        Self { prompt: prompt.to_vec(), ..Self::default() }
    }

    /// Takes bytes from the device; calls `token(text, active)` for each token of the prompt and each generated one.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn receive(&mut self, bytes: &[u8], mut token: impl FnMut(&[u8], u32)) -> Result<(), RecordError> {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = self.pending.iter().position(|byte| *byte == 0) {
            let mut frame: Vec<u8> = self.pending.drain(..=end).collect();
            let record = decode::<Record>(&mut frame).ok_or(RecordError::Malformed { bytes: end + 1 })?;
            self.keep(&record, &mut token)?;
        }
        Ok(())
    }

    fn keep(&mut self, record: &Record<'_>, token: &mut impl FnMut(&[u8], u32)) -> Result<(), RecordError> {
        let answer = &mut self.answer;
        match *record {
            Record::Ready { protocol, arena_bytes, blocks, .. } => {
                if protocol != PROTOCOL {
                    return Err(RecordError::Protocol { wanted: PROTOCOL, found: protocol });
                }
                (answer.blocks, answer.arena) = (u32::from(blocks), arena_bytes);
            }
            Record::Prompt { active, .. } => {
                // A token of a byte alphabet is one byte of the prompt.
                if let Some(byte) = self.prompt.get(answer.prompt.len()) {
                    token(std::slice::from_ref(byte), active);
                    answer.prompt_bytes.push(*byte);
                }
                answer.prompt.push(active);
            }
            Record::Prefilled { cycles, .. } => answer.prefill_cycles = cycles,
            Record::Token { token: number, text, active, cycles } => {
                answer.tokens.push(Token { token: number, bytes: text.to_vec(), active, cycles });
                token(text, active);
            }
            Record::Regions { block: None, cycles } => answer.outside = cycles,
            Record::Regions { block: Some(_), cycles } => answer.within.push(cycles),
            Record::Done { ended } => answer.ended = Some(ended),
            Record::Failed { message } => answer.failed = Some(message.to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fathom::format::record::{Ended, encode};

    #[test]
    fn frames_may_arrive_in_any_pieces() {
        let mut bytes = Vec::new();
        let mut buffer = [0; 64];
        for record in [
            Record::Ready { protocol: PROTOCOL, model_bytes: 1, arena_bytes: 2, blocks: 6, boot_cycles: 3 },
            Record::Token { token: 5, text: b"x", active: 7, cycles: 9 },
            Record::Done { ended: Ended::Requested },
        ] {
            bytes.extend_from_slice(encode(&record, &mut buffer).unwrap());
        }
        for piece in [1, 2, 3, bytes.len()] {
            let mut collector = Collector::default();
            for bytes in bytes.chunks(piece) {
                collector.receive(bytes, |_, _| ()).unwrap();
            }
            assert_eq!(collector.answer.tokens, [Token { token: 5, bytes: b"x".to_vec(), active: 7, cycles: 9 }]);
            assert_eq!(collector.answer.ended, Some(Ended::Requested));
        }
    }

    #[test]
    fn rejects_malformed_frames_and_other_protocols() {
        let mut collector = Collector::default();
        assert_eq!(collector.receive(&[9, 9, 0], |_, _| ()), Err(RecordError::Malformed { bytes: 3 }));
        let mut buffer = [0; 64];
        let ready = Record::Ready { protocol: 99, model_bytes: 1, arena_bytes: 2, blocks: 6, boot_cycles: 3 };
        let frame = encode(&ready, &mut buffer).unwrap();
        assert_eq!(Collector::default().receive(frame, |_, _| ()), Err(RecordError::Protocol { wanted: PROTOCOL, found: 99 }));
    }
}
