//! What host and device say to each other: postcard values in COBS frames, each ended by a zero byte.
//!
//! The host sends one [`Request`]; the device answers with [`Record`]s: `Ready`, one `Prompt` per prompt token, `Prefilled`, one
//! `Token` per generated token, `Regions` for what lies outside of blocks and for each block, then `Done`; or `Failed` at any point.

use serde::{Deserialize, Serialize};

/// Version of this protocol; the host refuses a device that says another.
pub const PROTOCOL: u8 = 3;
/// Longest frame in bytes, the ending zero included.
pub const MAX_FRAME: usize = 512;
/// Longest prompt in bytes.
pub const MAX_PROMPT: usize = 384;

/// What the host asks for.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub struct Request<'a> {
    /// The prompt's bytes, at most [`MAX_PROMPT`].
    #[serde(borrow)]
    pub prompt: &'a [u8],
    /// Tokens to generate, at most; generation also ends when the context is full.
    pub tokens: u32,
    /// Seed of the sampler.
    pub seed: u64,
    /// 0 is greedy.
    pub temperature: f32,
    /// Sample among this many most likely tokens; 0 is all.
    pub top_k: u16,
    /// What tokens may cost.
    pub effort: Effort,
}

/// What tokens may cost.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// The model's default operating point.
    #[default]
    Default,
    /// An operating point, by its index in the header.
    Point(u8),
    /// So many cycles in the mean of the generated tokens: a [`crate::Controller`] chooses each token's point.
    Cycles(u32),
}

/// Where the cycles of a token go.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Region {
    /// Everything that no other region claims.
    Other,
    /// Embedding and position.
    Embedding,
    /// Routers and gathering of active tokens.
    Router,
    /// Normalisations.
    Norm,
    /// Query, key/value and output matrices.
    Projection,
    /// Rotary embedding, scores, softmax, weighted sum, cache writes.
    Attention,
    /// The MLP's matrices and activation.
    Mlp,
    /// Final norm and vocabulary matrix.
    Head,
    /// Sampling.
    Sampling,
}

impl Region {
    /// Every region, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Other,
        Self::Embedding,
        Self::Router,
        Self::Norm,
        Self::Projection,
        Self::Attention,
        Self::Mlp,
        Self::Head,
        Self::Sampling,
    ];

    /// Lower-case name, as in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Embedding => "embedding",
            Self::Router => "router",
            Self::Norm => "norm",
            Self::Projection => "projection",
            Self::Attention => "attention",
            Self::Mlp => "mlp",
            Self::Head => "head",
            Self::Sampling => "sampling",
        }
    }
}

/// Why generation ended.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ended {
    /// All requested tokens were generated.
    Requested,
    /// The context is full.
    ContextFull,
}

/// What the device answers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub enum Record<'a> {
    /// The model was found and validated, and its arena taken.
    Ready {
        /// [`PROTOCOL`].
        protocol: u8,
        /// Length of the blob in bytes.
        model_bytes: u32,
        /// Bytes of the arena.
        arena_bytes: u32,
        /// Blocks of the model.
        blocks: u8,
        /// Cycles from reset to here.
        boot_cycles: u64,
    },
    /// One token of the prompt.
    Prompt {
        /// Its number.
        token: u16,
        /// Bit `b` is set when the token was active in block `b`.
        active: u32,
    },
    /// The prompt was processed.
    Prefilled {
        /// Its tokens.
        tokens: u32,
        /// Cycles for all of them.
        cycles: u64,
    },
    /// One generated token, after its own forward pass: every generated token is fed back, so that a conversation can go on.
    Token {
        /// Its number.
        token: u16,
        /// Its bytes.
        #[serde(borrow)]
        text: &'a [u8],
        /// Bit `b` is set when the token was active in block `b`.
        active: u32,
        /// Cycles to sample it and to run it through the model's blocks and head.
        cycles: u64,
    },
    /// Cycles per region since the request, in the order of [`Region::ALL`]: first outside of all blocks, then in each block.
    Regions {
        /// The block, counted from 0; `None` is outside of all.
        block: Option<u8>,
        /// Cycles.
        cycles: [u64; Region::ALL.len()],
    },
    /// The answer is complete.
    Done {
        /// Why it ended.
        ended: Ended,
    },
    /// The request cannot be answered.
    Failed {
        /// One line that says why and what to do.
        message: &'a str,
    },
}

/// Encodes `value` as one frame in `buffer`; returns the frame, or `None` when it does not fit.
pub fn encode<'b, T: Serialize>(value: &T, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    postcard::to_slice_cobs(value, buffer).ok().map(|frame| &*frame)
}

/// Decodes one frame in place (with or without its ending zero); `None` when it is malformed.
pub fn decode<'b, T: Deserialize<'b>>(frame: &'b mut [u8]) -> Option<T> {
    postcard::from_bytes_cobs(frame).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_record_has_these_exact_bytes() {
        let record = Record::Token { token: 300, text: b"a", active: 5, cycles: 1 };
        let mut buffer = [0; 32];
        assert_eq!(encode(&record, &mut buffer), Some(&b"\x08\x03\xac\x02\x01a\x05\x01\x00"[..]));
        assert_eq!(decode(&mut buffer[..9]), Some(record));
    }

    #[test]
    fn a_request_round_trips() {
        let request =
            Request { prompt: b"ROMEO:", tokens: 9, seed: 1, temperature: 0.5, top_k: 3, effort: Effort::Cycles(700_000) };
        let mut buffer = [0; MAX_FRAME];
        let length = encode(&request, &mut buffer).map_or(0, <[u8]>::len);
        assert_eq!(decode(&mut buffer[..length]), Some(request));
    }

    #[test]
    fn the_longest_record_of_regions_fits_into_a_frame() {
        let record = Record::Regions { block: Some(23), cycles: [u64::MAX; Region::ALL.len()] };
        let mut buffer = [0; MAX_FRAME];
        assert_eq!(encode(&record, &mut buffer).map(<[u8]>::len), Some(3 + 10 * Region::ALL.len() + 2));
    }

    #[test]
    fn malformed_frames_are_refused() {
        assert_eq!(decode::<Record>(&mut [0x05, 0xff, 0x00]), None);
        assert_eq!(decode::<Record>(&mut []), None);
    }
}
