//! The tokens of a run, one by one.

use super::Answer;
use serde::{Deserialize, Serialize};

/// One token of the prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Its bytes.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
    /// Blocks that it ran.
    pub depth: u32,
    /// Bit `b`: active in block `b`.
    pub active: u32,
}

/// One generated token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// Its place in the context, counted from 0 at the first token of the prompt.
    pub position: u32,
    /// Its number.
    pub token: u16,
    /// Its bytes.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
    /// Blocks that it ran.
    pub depth: u32,
    /// Bit `b`: active in block `b`.
    pub active: u32,
    /// Modelled cycles to sample it and to run it through the model.
    pub cycles: u64,
}

impl Read {
    /// The prompt of an answer.
    pub(super) fn all(answer: &Answer) -> Vec<Self> {
        let bytes = |index: usize| answer.prompt_bytes.get(index).copied().into_iter().collect();
        let token = |(index, active): (usize, &u32)| Self { bytes: bytes(index), depth: active.count_ones(), active: *active };
        answer.prompt.iter().enumerate().map(token).collect()
    }
}

impl Generated {
    /// The generated tokens of an answer.
    pub(super) fn all(answer: &Answer) -> Vec<Self> {
        let first = answer.prompt.len();
        answer
            .tokens
            .iter()
            .enumerate()
            .map(|(index, token)| Self {
                position: (first + index) as u32,
                token: token.token,
                bytes: token.bytes.clone(),
                depth: token.active.count_ones(),
                active: token.active,
                cycles: token.cycles,
            })
            .collect()
    }
}

/// Bytes as hexadecimal digits: a token of a byte alphabet need not be text by itself.
mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&digits)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        match bytes {
            Some(bytes) if rest.is_empty() => Ok(bytes),
            _ => Err(D::Error::custom(format!("{digits:?} is not a run of hexadecimal bytes"))),
        }
    }
}
