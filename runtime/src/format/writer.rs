//! Fills a blob. Its reader is `Blob::parse`.

use super::header::Header;
use super::layout::{Layout, LinearLayout, Span};
use super::prelude::{PRELUDE_BYTES, Prelude, VERSION, checksum};
use super::shape::{Shape, ShapeError};
use super::{packing, quad_packing};
use half::f16;

/// Why a blob could not be written.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The geometry breaks a shape rule.
    Shape(ShapeError),
    /// The header does not serialise into 64 KiB.
    Header,
    /// The output buffer has the wrong length: ask [`Writer::blob_bytes`].
    Buffer {
        /// Bytes needed.
        wanted: usize,
        /// Bytes given.
        found: usize,
    },
    /// A tensor has the wrong number of elements.
    Elements {
        /// Offset of the tensor in the blob.
        offset: usize,
        /// Elements needed.
        wanted: usize,
        /// Elements given.
        found: usize,
    },
}

impl core::fmt::Display for WriteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Shape(error) => error.fmt(f),
            Self::Header => f.write_str("the header does not fit into 64 KiB"),
            Self::Buffer { wanted, found } => write!(f, "the blob needs a buffer of {wanted} bytes, found {found}"),
            Self::Elements { offset, wanted, found } => {
                write!(f, "the tensor at offset {offset} needs {wanted} elements, found {found}")
            }
        }
    }
}

impl core::error::Error for WriteError {}

impl From<ShapeError> for WriteError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

/// Writes one blob into a caller's buffer: the header at once, then tensors in any order, then [`Writer::finish`].
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    layout: Layout,
    header_bytes: u16,
}

/// Length of the encoded header, and the layout that follows from it.
fn measure(header: &Header) -> Result<(u16, Layout), WriteError> {
    let shape = Shape::new(header)?;
    let size = postcard::experimental::serialized_size(header).map_err(|_| WriteError::Header)?;
    let header_bytes = u16::try_from(size).map_err(|_| WriteError::Header)?;
    Ok((header_bytes, Layout::new(&shape, PRELUDE_BYTES + size)))
}

impl<'a> Writer<'a> {
    /// Length in bytes of the blob for this header.
    ///
    /// # Errors
    /// A broken shape rule, or a header that is too large.
    pub fn blob_bytes(header: &Header) -> Result<usize, WriteError> {
        Ok(measure(header)?.1.total)
    }

    /// Starts a blob in `bytes`, which must have exactly [`Writer::blob_bytes`] bytes. All tensors start as zeros.
    ///
    /// # Errors
    /// A broken shape rule, or a buffer of the wrong length.
    pub fn new(bytes: &'a mut [u8], header: &Header) -> Result<Self, WriteError> {
        let (header_bytes, layout) = measure(header)?;
        if bytes.len() != layout.total {
            return Err(WriteError::Buffer { wanted: layout.total, found: bytes.len() });
        }
        bytes.fill(0);
        postcard::to_slice(header, &mut bytes[PRELUDE_BYTES..]).map_err(|_| WriteError::Header)?;
        Ok(Self { bytes, layout, header_bytes })
    }

    /// Where the tensors go.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Writes f32 values (norms, biases, scales, routers' small parts, a rotary table).
    ///
    /// # Errors
    /// The number of values is not the span's.
    pub fn floats(&mut self, span: Span, values: &[f32]) -> Result<(), WriteError> {
        elements(span, span.bytes / 4, values.len())?;
        for (to, from) in self.bytes[span.range()].chunks_exact_mut(4).zip(values) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        Ok(())
    }

    /// Writes f16 values in row-major order (f16 matrices, a learned position table).
    ///
    /// # Errors
    /// The number of values is not the span's.
    pub fn halves(&mut self, span: Span, values: &[f16]) -> Result<(), WriteError> {
        elements(span, span.bytes / 2, values.len())?;
        for (to, from) in self.bytes[span.range()].chunks_exact_mut(2).zip(values) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        Ok(())
    }

    /// Packs and writes an int8 matrix.
    ///
    /// *Shapes*: `matrix` `[rows, columns]` row-major, `scales` `[rows]`. *Range*: `|matrix| <= 127`.
    ///
    /// # Errors
    /// A number of elements is not the layout's.
    pub fn int8(&mut self, linear: &LinearLayout, matrix: &[i8], scales: &[f32]) -> Result<(), WriteError> {
        elements(linear.weights, linear.rows * linear.columns, matrix.len())?;
        self.floats(linear.scales, scales)?;
        let packed = bytemuck::try_cast_slice_mut(&mut self.bytes[linear.weights.range()])
            .map_err(|_| WriteError::Buffer { wanted: linear.weights.bytes, found: 0 })?;
        packing::pack(matrix, linear.rows, linear.columns, packed);
        Ok(())
    }

    /// Packs and writes an int4 matrix.
    ///
    /// *Shapes*: `matrix` `[rows, columns]` row-major, `scales` `[rows]`. *Range*: `|matrix| <= 7`.
    ///
    /// # Errors
    /// A number of elements is not the layout's.
    pub fn int4(&mut self, linear: &LinearLayout, matrix: &[i8], scales: &[f32]) -> Result<(), WriteError> {
        elements(linear.weights, linear.rows * linear.columns, matrix.len())?;
        self.floats(linear.scales, scales)?;
        let packed = bytemuck::try_cast_slice_mut(&mut self.bytes[linear.weights.range()])
            .map_err(|_| WriteError::Buffer { wanted: linear.weights.bytes, found: 0 })?;
        quad_packing::pack(matrix, linear.rows, linear.columns, packed);
        Ok(())
    }

    /// Writes the prelude with the checksum; the buffer is then a valid blob.
    pub fn finish(self) {
        let prelude = Prelude {
            version: VERSION,
            header_bytes: self.header_bytes,
            total_bytes: self.layout.total as u32,
            crc: checksum(&self.bytes[PRELUDE_BYTES..]),
        };
        self.bytes[..PRELUDE_BYTES].copy_from_slice(&prelude.write());
    }
}

/// Replaces the header of a finished blob by one of the same encoded length and layout (other thresholds, say) and seals it again.
///
/// # Errors
/// [`WriteError::Header`] when the length or the layout is another.
pub fn rewrite_header(blob: &mut [u8], header: &Header) -> Result<(), WriteError> {
    let (header_bytes, layout) = measure(header)?;
    let old = blob.first_chunk::<PRELUDE_BYTES>().and_then(Prelude::read).ok_or(WriteError::Header)?;
    if old.header_bytes != header_bytes || layout.total != old.total_bytes as usize || layout.total > blob.len() {
        return Err(WriteError::Header);
    }
    let (prelude, body) = blob[..layout.total].split_at_mut(PRELUDE_BYTES);
    postcard::to_slice(header, body).map_err(|_| WriteError::Header)?;
    prelude.copy_from_slice(&Prelude { crc: checksum(body), ..old }.write());
    Ok(())
}

fn elements(span: Span, wanted: usize, found: usize) -> Result<(), WriteError> {
    if wanted == found { Ok(()) } else { Err(WriteError::Elements { offset: span.offset, wanted, found }) }
}
