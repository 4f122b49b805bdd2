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
}

/// Where the operands lie, from the start of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operands {
    /// The matrix, packed as in a blob.
    pub weights: Span,
    /// f32 `[rows]`; empty for f16.
    pub scales: Span,
    /// i16 `[tokens, columns]`, `|x| <= 127`; f32 for f16.
    pub input: Span,
    /// f32 `[tokens]`; empty for f16.
    pub input_scales: Span,
    /// Bytes of all.
    pub total: usize,
}

impl Work {
    /// Where its operands lie; `None` for a shape that no kernel takes.
    pub fn operands(&self) -> Option<Operands> {
        let Self::Product { element, rows, columns, tokens } = *self;
        let possible = [rows, columns, tokens].iter().all(|extent| (1..=MAX_EXTENT).contains(extent));
        if !possible || !usize::from(columns).is_multiple_of(super::shape::COLUMN_MULTIPLE) {
            return None;
        }
        let (rows, columns, tokens) = (usize::from(rows), usize::from(columns), usize::from(tokens));
        let (weights, scales, input, input_scales) = match element {
            Element::Int8 => (packing::packed_bytes(rows, columns), 4 * rows, 2 * tokens * columns, 4 * tokens),
            Element::Int4 { .. } => (quad_packing::packed_bytes(rows, columns), 4 * rows, 2 * tokens * columns, 4 * tokens),
            Element::F16 => (2 * rows * columns, 0, 4 * tokens * columns, 0),
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

    /// f32 values of the result, `[tokens, rows]`.
    pub fn outputs(&self) -> usize {
        let Self::Product { rows, tokens, .. } = *self;
        usize::from(rows) * usize::from(tokens)
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
    fn a_request_round_trips_and_its_operands_do_not_overlap() {
        for element in [Element::Int8, Element::INT4, Element::F16] {
            let work = Work::Product { element, rows: MAX_EXTENT, columns: 12, tokens: 3 };
            let mut region = [0; REQUEST_BYTES];
            assert_eq!(work.write(&mut region), Some(()));
            assert_eq!(Work::read(&region), Some(work));
            let Some(operands) = work.operands() else { panic!("{work:?}") };
            let spans = [operands.weights, operands.scales, operands.input, operands.input_scales];
            let mut end = REQUEST_BYTES;
            for span in spans {
                assert!(span.offset >= end && span.offset.is_multiple_of(ALIGNMENT), "{span:?}");
                end = span.offset + span.bytes;
            }
            assert!(operands.total >= end);
        }
    }

    #[test]
    fn rejects_shapes_that_no_kernel_takes() {
        let work = |rows, columns, tokens| Work::Product { element: Element::Int8, rows, columns, tokens };
        for work in [work(0, 4, 1), work(1, 0, 1), work(1, 6, 1), work(1, 4, 0), work(MAX_EXTENT + 1, 4, 1)] {
            assert_eq!(work.operands(), None, "{work:?}");
        }
    }
}
