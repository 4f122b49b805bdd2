//! Reads a header as postcard's decoder for [`Header`] would, in a fifth of its code: every field is read whatever came before, and what
//! went wrong is asked once, at the end. Wire format: <https://postcard.jamesmunns.com/wire-format>.
//!
//! `runtime/tests/header.rs` compares it with the derived decoder, on headers and on damaged ones.

use super::header::{
    Cache, DepthSet, Element, Geometry, Header, MatrixSet, Mlp, Norm, OperatingPoint, Policy, Position, Provenance, Routing,
    Tokenizer, Variants,
};
use heapless::{String, Vec};

/// The header at the start of `bytes` and what follows it, or `None` where postcard would not decode one.
pub fn take_header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let mut reader = Reader { rest: bytes, failed: false };
    let header = reader.header();
    (!reader.failed).then_some((header, reader.rest))
}

struct Reader<'a> {
    rest: &'a [u8],
    /// A field was cut off or has no such value; those read since mean nothing.
    failed: bool,
}

impl Reader<'_> {
    fn header(&mut self) -> Header {
        let short = |reader: &mut Self| reader.number(16) as u16;
        Header {
            geometry: Geometry {
                blocks: short(self),
                width: short(self),
                heads: short(self),
                kv_heads: short(self),
                mlp_width: short(self),
                context: short(self),
                vocabulary: short(self),
                router_width: short(self),
            },
            variants: Variants {
                norm: match self.variant(2) {
                    0 => Norm::LayerNorm,
                    _ => Norm::RmsNorm,
                },
                position: match self.variant(2) {
                    0 => Position::Learned,
                    _ => Position::Rotary,
                },
                mlp: match self.variant(3) {
                    0 => Mlp::Gelu,
                    1 => Mlp::SquaredRelu,
                    _ => Mlp::SwiGlu,
                },
                bias: self.boolean(),
                tied_head: self.boolean(),
            },
            element: match self.variant(3) {
                0 => Element::F16,
                1 => Element::Int8,
                _ => Element::Int4 { int8: MatrixSet(self.byte()) },
            },
            routing: Routing {
                policy: match self.variant(4) {
                    0 => Policy::Dense,
                    1 => Policy::Skip,
                    2 => Policy::Halt,
                    _ => Policy::Exit { depths: DepthSet(self.number(32) as u32) },
                },
                cache: match self.variant(3) {
                    0 => Cache::Project,
                    1 => Cache::Omit { kept: short(self) },
                    _ => Cache::Ahead { blocks: short(self) },
                },
                soft_scaling: self.boolean(),
            },
            operating_points: self.list(Self::operating_point),
            default_point: self.byte(),
            tokenizer: {
                self.variant(1);
                Tokenizer::Bytes { alphabet: self.bytes() }
            },
            provenance: Provenance {
                exporter: self.string(),
                corpus_sha256: self.take(32).try_into().unwrap_or_default(),
                seed: self.number(64),
                training_tokens: self.number(64),
                validation_loss_nats: self.float(),
            },
        }
    }

    fn operating_point(&mut self) -> OperatingPoint {
        OperatingPoint { thresholds: self.list(Self::float), saved: self.float(), loss_nats: self.float() }
    }

    #[inline(never)]
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.rest.split_first() else {
            self.failed = true;
            return 0;
        };
        self.rest = rest;
        *byte
    }

    /// A number of `bits` bits, seven to a byte from the lowest, in as many bytes as it may take.
    #[inline(never)]
    fn number(&mut self, bits: u32) -> u64 {
        let mut value = 0;
        for shift in (0..bits).step_by(7) {
            let byte = u64::from(self.byte());
            value |= (byte & 127) << shift;
            if byte < 128 {
                self.failed |= bits - shift < 7 && byte >> (bits - shift) != 0;
                return value;
            }
        }
        self.failed = true;
        0
    }

    fn boolean(&mut self) -> bool {
        let byte = self.byte();
        self.failed |= byte > 1;
        byte == 1
    }

    #[inline(never)]
    fn float(&mut self) -> f32 {
        f32::from_le_bytes(self.take(4).try_into().unwrap_or_default())
    }

    /// Index of one of `count` variants.
    #[inline(never)]
    fn variant(&mut self, count: u64) -> u8 {
        let index = self.number(32);
        self.failed |= index >= count;
        index as u8
    }

    /// The next bytes; fewer where they end.
    #[inline(never)]
    fn take(&mut self, count: usize) -> &[u8] {
        self.failed |= count > self.rest.len();
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn bytes<const N: usize>(&mut self) -> Vec<u8, N> {
        let count = self.number(32) as usize;
        let bytes = Vec::from_slice(self.take(count));
        self.failed |= bytes.is_err();
        bytes.unwrap_or_default()
    }

    /// As many values as are announced, or fewer where more would not fit or the bytes end.
    fn list<T, const N: usize>(&mut self, mut value: impl FnMut(&mut Self) -> T) -> Vec<T, N> {
        let mut list = Vec::new();
        for _ in 0..self.number(32) as u32 {
            if self.failed || list.push(value(self)).is_err() {
                self.failed = true;
                break;
            }
        }
        list
    }

    fn string<const N: usize>(&mut self) -> String<N> {
        let string = String::from_utf8(self.bytes());
        self.failed |= string.is_err();
        string.unwrap_or_default()
    }
}
