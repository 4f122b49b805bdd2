//! What a host asks of the bench image: one kernel at one shape. Request and operands lie in the model's flash region; the image
//! answers with the bytes of the result.
//!
//! ```text
//! request (postcard, padded) | weights | scales | input | input scales
//! ```
//!
//! Each part starts at a multiple of [`ALIGNMENT`], as the tensors of a blob do.

use super::header::Element;
use super::layout::{ALIGNMENT, Span, align};
use super::shape::{COLUMN_MULTIPLE, MAX_CONTEXT};
use super::{packing, quad_packing};
use serde::{Deserialize, Serialize};

/// Bytes that the request takes.
pub const REQUEST_BYTES: usize = 2 * ALIGNMENT;
/// Most rows, columns or tokens: more than fits into any flash, and small enough that no size overflows.
pub const MAX_EXTENT: u16 = 8192;

/// The kernel to run and its shape.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A matrix `[rows, columns]` times a tile `[tokens, columns]`, from quantised activations to f32 results.
    Product {
        /// Type of the weights.
        element: Element,
        /// Output rows, at least 1.
        rows: u16,
        /// Input columns, a multiple of 4.
        columns: u16,
        /// Tokens, at least 1.
        tokens: u16,
    },
    /// The attention of one token: scores, softmax, weighted sum.
    Attention {
        /// Type of the model, and so of its cache.
        element: Element,
        /// Query heads.
        heads: u16,
        /// Key/value heads; divides `heads`.
        kv_heads: u16,
        /// Width of a head, a multiple of 4.
        head_dim: u16,
        /// Positions in the cache, all visible, at most [`MAX_CONTEXT`].
        positions: u16,
    },
    /// The product as other libraries have it, from int8 to int8, one scale for all: `round(sum / 1024)`, saturated.
    Peer {
        /// Whose.
        library: Library,
        /// Output rows.
        rows: u16,
        /// Input columns, a multiple of 4.
        columns: u16,
        /// Tokens.
        tokens: u16,
    },
}

/// A library that does the same work.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// microflow's `fully_connected`.
    Microflow,
    /// embedded-nn's `fully_connected_s8`.
    EmbeddedNn,
    /// embedded-nn's `fully_connected_s4`.
    EmbeddedNnInt4,
}

/// What a sum is divided by in [`Work::Peer`], as a power of two.
pub const PEER_SHIFT: u32 = 10;

/// Where the operands lie, from the start of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operands {
    /// The matrix, packed as in a blob; for peers i8 `[rows, columns]`, or two int4 a byte, the even column low. Attention: keys and values, f32 `[positions, 2, kv_heads, head_dim]`.
    pub weights: Span,
    /// f32 `[rows]`; empty for f16.
    pub scales: Span,
    /// i16 `[tokens, columns]`, `|x| <= 127`; f32 for f16; i8 for peers. Attention: the query, f32 `[heads, head_dim]`.
    pub input: Span,
    /// f32 `[tokens]`; empty for f16.
    pub input_scales: Span,
    /// Bytes of all.
    pub total: usize,
}

/// Extents within bounds; that at `multiple` is a multiple of [`COLUMN_MULTIPLE`].
fn extents<const N: usize>(extents: [u16; N], multiple: usize) -> Option<[usize; N]> {
    let possible = extents.iter().all(|extent| (1..=MAX_EXTENT).contains(extent));
    let extents = extents.map(usize::from);
    (possible && extents.get(multiple)?.is_multiple_of(COLUMN_MULTIPLE)).then_some(extents)
}

impl Work {
    /// Where its operands lie; `None` for a shape that no kernel takes.
    pub fn operands(&self) -> Option<Operands> {
        let (weights, scales, input, input_scales) = match *self {
            Self::Product { element, rows, columns, tokens } => {
                let [rows, columns, tokens] = extents([rows, columns, tokens], 1)?;
                match element {
                    Element::Int8 => (packing::packed_bytes(rows, columns), 4 * rows, 2 * tokens * columns, 4 * tokens),
                    Element::Int4 { .. } => {
                        (quad_packing::packed_bytes(rows, columns), 4 * rows, 2 * tokens * columns, 4 * tokens)
                    }
                    Element::F16 => (2 * rows * columns, 0, 4 * tokens * columns, 0),
                }
            }
            Self::Peer { library, rows, columns, tokens } => {
                let [rows, columns, tokens] = extents([rows, columns, tokens], 1)?;
                let weights = if library == Library::EmbeddedNnInt4 { rows * columns / 2 } else { rows * columns };
                (weights, 0, tokens * columns, 0)
            }
            Self::Attention { heads, kv_heads, head_dim, positions, .. } => {
                let [heads, head_dim, kv_heads] = extents([heads, head_dim, kv_heads], 1)?;
                let [positions, ..] = extents([positions, COLUMN_MULTIPLE as u16], 1)?;
                if !heads.is_multiple_of(kv_heads) || positions > MAX_CONTEXT {
                    return None;
                }
                (4 * positions * 2 * kv_heads * head_dim, 0, 4 * heads * head_dim, 0)
            }
        };
        let mut end = REQUEST_BYTES;
        let mut take = |bytes| {
            let span = Span { offset: end, bytes };
            end = align(end + bytes);
            span
        };
        let (weights, scales, input, input_scales) = (take(weights), take(scales), take(input), take(input_scales));
        Some(Operands { weights, scales, input, input_scales, total: end })
    }

    /// Values of the result, f32 or, of [`Work::Peer`], int8: `[tokens, rows]` or `[heads, head_dim]`.
    pub fn outputs(&self) -> usize {
        match *self {
            Self::Product { rows, tokens, .. } | Self::Peer { rows, tokens, .. } => usize::from(rows) * usize::from(tokens),
            Self::Attention { heads, head_dim, .. } => usize::from(heads) * usize::from(head_dim),
        }
    }

    /// Multiply-accumulates.
    pub fn macs(&self) -> u64 {
        let product = |extents: &[u16]| extents.iter().map(|extent| u64::from(*extent)).product::<u64>();
        match *self {
            Self::Product { rows, columns, tokens, .. } | Self::Peer { rows, columns, tokens, .. } => {
                product(&[rows, columns, tokens])
            }
            Self::Attention { heads, head_dim, positions, .. } => product(&[2, heads, head_dim, positions]),
        }
    }

    /// Writes the request at the start of a region; `None` when that is too short.
    pub fn write(&self, region: &mut [u8]) -> Option<()> {
        postcard::to_slice(self, region.get_mut(..REQUEST_BYTES)?).ok().map(|_| ())
    }

    /// Reads the request at the start of a region.
    pub fn read(region: &[u8]) -> Option<Self> {
        postcard::from_bytes(region.get(..REQUEST_BYTES)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_round_trips_and_its_operands_do_not_overlap() -> Result<(), Work> {
        for element in [Element::Int8, Element::INT4, Element::F16] {
            let work = Work::Product { element, rows: MAX_EXTENT, columns: 12, tokens: 3 };
            let mut region = [0; REQUEST_BYTES];
            assert_eq!(work.write(&mut region), Some(()));
            assert_eq!(Work::read(&region), Some(work));
            assert_eq!(work.macs(), 8192 * 36);
            let operands = work.operands().ok_or(work)?;
            let spans = [operands.weights, operands.scales, operands.input, operands.input_scales];
            let mut end = REQUEST_BYTES;
            for span in spans {
                assert!(span.offset >= end && span.offset.is_multiple_of(ALIGNMENT), "{span:?}");
                end = span.offset + span.bytes;
            }
            assert!(operands.total >= end);
        }
        Ok(())
    }

    #[test]
    fn rejects_shapes_that_no_kernel_takes() {
        let work = |rows, columns, tokens| Work::Product { element: Element::Int8, rows, columns, tokens };
        let attention =
            |heads, kv_heads, head_dim| Work::Attention { element: Element::Int8, heads, kv_heads, head_dim, positions: 9 };
        assert_eq!(attention(4, 2, 8).outputs(), 32);
        for work in [attention(4, 3, 8), attention(4, 0, 8), attention(4, 2, 6)] {
            assert_eq!(work.operands(), None, "{work:?}");
        }
        for work in [work(0, 4, 1), work(1, 0, 1), work(1, 6, 1), work(1, 4, 0), work(MAX_EXTENT + 1, 4, 1)] {
            assert_eq!(work.operands(), None, "{work:?}");
        }
    }
}
