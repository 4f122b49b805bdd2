//! The one place that judges untrusted bytes.

use crate::format::header_reader::take_header;
use crate::format::layout::{ALIGNMENT, Layout, Span};
use crate::format::prelude::{MAGIC, PRELUDE_BYTES, Prelude, VERSION, checksum};
use crate::format::{Element, Header, Position, Shape, ShapeError, Tokenizer};
use half::f16;

/// Why bytes are not a model. Every variant says what was found, and its message what to do.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BlobError {
    /// Fewer bytes than a prelude or than the blob says it has.
    Truncated {
        /// Bytes needed.
        wanted: usize,
        /// Bytes present.
        found: usize,
    },
    /// The bytes do not start at a multiple of 16.
    Misaligned {
        /// Bytes past the last multiple.
        by: usize,
    },
    /// The magic is missing: not a blob, or an empty region.
    Magic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// Another version of the format.
    Version {
        /// The version that this runtime reads.
        wanted: u16,
        /// The blob's.
        found: u16,
    },
    /// The checksum does not match.
    Checksum {
        /// The checksum in the prelude.
        wanted: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// The header is not valid postcard.
    Header,
    /// The header's encoding is not as long as the prelude says.
    HeaderLength {
        /// Bytes in the prelude's field.
        wanted: usize,
        /// Bytes that the header takes.
        found: usize,
    },
    /// The geometry breaks a shape rule.
    Shape(ShapeError),
    /// This build of the runtime has no kernels for the element type.
    Element {
        /// The element type, and the feature that it needs.
        missing: &'static str,
    },
    /// The blob is not as long as its geometry demands.
    Length {
        /// Bytes that the layout needs.
        wanted: usize,
        /// Bytes that the prelude claims.
        found: usize,
    },
    /// There is no operating point.
    NoOperatingPoint,
    /// The default operating point does not exist.
    DefaultPoint {
        /// Points in the header.
        points: usize,
        /// The default's index.
        found: usize,
    },
    /// An operating point has the wrong number of thresholds.
    Thresholds {
        /// Index of the point.
        point: usize,
        /// Outputs of the model's routers.
        wanted: usize,
        /// Thresholds of the point.
        found: usize,
    },
    /// A threshold, loss or saved share is not a number.
    PointNotANumber {
        /// Index of the point.
        point: usize,
    },
    /// The alphabet is not as long as the vocabulary.
    Alphabet {
        /// The vocabulary.
        wanted: usize,
        /// Bytes in the alphabet.
        found: usize,
    },
    /// The alphabet is not strictly ascending.
    AlphabetOrder {
        /// Index of the first byte that is not greater than the one before.
        index: usize,
    },
    /// A tensor holds an infinity or a NaN.
    NotFinite {
        /// The tensor.
        tensor: &'static str,
        /// Its block; 0 for tensors outside the blocks.
        block: usize,
        /// Index of the value.
        index: usize,
    },
}

impl core::fmt::Display for BlobError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Truncated { wanted, found } => {
                write!(f, "the model is truncated: {wanted} bytes wanted, {found} found; copy it again")
            }
            Self::Misaligned { by } => {
                write!(f, "the model starts {by} bytes past a multiple of {ALIGNMENT}; place it at an aligned address")
            }
            Self::Magic { found } => {
                write!(f, "not a Fathom model: it starts with {found:02x?}, not {MAGIC:02x?}; export one with `exporter export`")
            }
            Self::Version { wanted, found } => write!(
                f,
                "the model has format version {found}, this runtime reads version {wanted}; export the checkpoint again or update"
            ),
            Self::Checksum { wanted, found } => {
                write!(f, "the model is corrupt: checksum {found:08x}, not {wanted:08x}; copy or export it again")
            }
            Self::Header => f.write_str("the model's header is malformed; export it again"),
            Self::HeaderLength { wanted, found } => {
                write!(f, "the model's header takes {found} bytes, not {wanted}; export it again")
            }
            Self::Shape(error) => error.fmt(f),
            Self::Element { missing } => write!(
                f,
                "the model has {missing} matrices, this build of the runtime has no {missing}: build it with feature `{missing}` or \
                 export the model as int8"
            ),
            Self::Length { wanted, found } => {
                write!(f, "the model's geometry needs {wanted} bytes, but it has {found}; export it again")
            }
            Self::NoOperatingPoint => {
                f.write_str("the model has no operating point; run `exporter calibrate`, then export it again")
            }
            Self::DefaultPoint { points, found } => {
                write!(f, "the default operating point is {found}, but there are {points}; export the model again")
            }
            Self::Thresholds { point, wanted, found } => {
                write!(f, "operating point {point} has {found} thresholds for {wanted} router outputs; calibrate again")
            }
            Self::PointNotANumber { point } => write!(f, "operating point {point} holds a NaN; calibrate again"),
            Self::Alphabet { wanted, found } => write!(f, "the alphabet has {found} bytes for a vocabulary of {wanted}"),
            Self::AlphabetOrder { index } => write!(f, "the alphabet is not strictly ascending at index {index}"),
            Self::NotFinite { tensor, block, index } => {
                write!(f, "{tensor} of block {block} is not finite at index {index}; the checkpoint diverged, train again")
            }
        }
    }
}

impl core::error::Error for BlobError {}

impl From<ShapeError> for BlobError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

/// A validated model that lives in the bytes it was parsed from.
#[derive(Clone, Debug)]
pub struct Blob<'m> {
    bytes: &'m [u8],
    header: Header,
    shape: Shape,
    layout: Layout,
}

impl<'m> Blob<'m> {
    /// Judges `bytes`, which may be longer than the blob (a whole flash region). **If this returns `Ok`, nothing that uses the blob
    /// panics.**
    ///
    /// *Cost*: one pass for the checksum and one over the f32 and f16 tensors.
    ///
    /// # Errors
    /// The first thing found wrong, in the order of [`BlobError`]'s variants.
    #[inline(never)]
    pub fn parse(bytes: &'m [u8]) -> Result<Self, BlobError> {
        let truncated = |wanted| BlobError::Truncated { wanted, found: bytes.len() };
        let start = bytes.first_chunk::<PRELUDE_BYTES>().ok_or(truncated(PRELUDE_BYTES))?;
        let by = bytes.as_ptr().addr() % ALIGNMENT;
        if by != 0 {
            return Err(BlobError::Misaligned { by });
        }
        let [m0, m1, m2, m3, ..] = *start;
        let prelude = Prelude::read(start).ok_or(BlobError::Magic { found: [m0, m1, m2, m3] })?;
        if prelude.version != VERSION {
            return Err(BlobError::Version { wanted: VERSION, found: prelude.version });
        }
        let total = prelude.total_bytes as usize;
        let bytes = bytes.get(..total).ok_or(truncated(total))?;
        let body = bytes.get(PRELUDE_BYTES..).ok_or(BlobError::Length { wanted: PRELUDE_BYTES, found: total })?;
        let found = checksum(body);
        if found != prelude.crc {
            return Err(BlobError::Checksum { wanted: prelude.crc, found });
        }
        let header_bytes = usize::from(prelude.header_bytes);
        let encoded = body.get(..header_bytes).ok_or(BlobError::Length { wanted: PRELUDE_BYTES + header_bytes, found: total })?;
        let (header, rest) = take_header(encoded).ok_or(BlobError::Header)?;
        if !rest.is_empty() {
            return Err(BlobError::HeaderLength { wanted: header_bytes, found: header_bytes - rest.len() });
        }
        let shape = Shape::new(&header)?;
        if !cfg!(feature = "int4") && matches!(shape.element, Element::Int4 { .. }) {
            return Err(BlobError::Element { missing: "int4" });
        }
        if !cfg!(feature = "f16") && matches!(shape.element, Element::F16) {
            return Err(BlobError::Element { missing: "f16" });
        }
        let layout = Layout::new(&shape, PRELUDE_BYTES + header_bytes);
        if layout.total != total {
            return Err(BlobError::Length { wanted: layout.total, found: total });
        }
        check_points(&header, &shape)?;
        check_alphabet(&header, &shape)?;
        let blob = Self { bytes, header, shape, layout };
        blob.check_values()?;
        Ok(blob)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The validated shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Where each tensor lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Length of the blob in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a blob has at least a prelude.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The token of a byte, or `None` when the byte is outside the alphabet.
    pub fn encode(&self, byte: u8) -> Option<u16> {
        let Tokenizer::Bytes { alphabet } = &self.header.tokenizer;
        alphabet.binary_search(&byte).ok().map(|index| index as u16)
    }

    /// The bytes of a token; empty for a token outside the vocabulary.
    pub fn decode(&self, token: u16) -> &[u8] {
        let Tokenizer::Bytes { alphabet } = &self.header.tokenizer;
        let token = usize::from(token);
        alphabet.get(token..token + 1).unwrap_or_default()
    }

    /// An f32 tensor; empty when absent.
    pub(crate) fn floats(&self, span: Span) -> &'m [f32] {
        self.cast(span)
    }

    /// An f16 tensor.
    #[inline(never)] // so that its checks are in the image once
    pub(crate) fn halves(&self, span: Span) -> &'m [u16] {
        self.cast(span)
    }

    /// A packed int4 matrix.
    #[cfg(feature = "int4")]
    pub(crate) fn quads(&self, span: Span) -> &'m [u32] {
        self.cast(span)
    }

    /// A packed int8 matrix.
    pub(crate) fn packed(&self, span: Span) -> &'m [i16] {
        self.cast(span)
    }

    // Neither step can fail: spans come from the layout of this blob, and both blob and sections are aligned.
    fn cast<T: bytemuck::AnyBitPattern>(&self, span: Span) -> &'m [T] {
        self.bytes.get(span.range()).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or_default()
    }

    fn check_values(&self) -> Result<(), BlobError> {
        let learned = matches!(self.shape.variants.position, Position::Learned);
        let mut result = Ok(());
        self.layout.visit(&mut |tensor, block, span, f32_values| {
            if result.is_err() {
                return;
            }
            let halves = if tensor == "position" { learned } else { !f32_values && !self.shape.element.is_integer() };
            let index = if halves {
                self.halves(span).iter().position(|half| !f16::from_bits(*half).is_finite())
            } else if f32_values {
                self.floats(span).iter().position(|value| !value.is_finite())
            } else {
                None
            };
            if let Some(index) = index {
                result = Err(BlobError::NotFinite { tensor, block, index });
            }
        });
        result
    }
}

fn check_points(header: &Header, shape: &Shape) -> Result<(), BlobError> {
    let points = header.operating_points.len();
    if points == 0 {
        return Err(BlobError::NoOperatingPoint);
    }
    if usize::from(header.default_point) >= points {
        return Err(BlobError::DefaultPoint { points, found: usize::from(header.default_point) });
    }
    for (point, values) in header.operating_points.iter().enumerate() {
        let (wanted, found) = (shape.outputs(), values.thresholds.len());
        if wanted != found {
            return Err(BlobError::Thresholds { point, wanted, found });
        }
        // An infinite threshold is allowed: it opens or closes a block for good.
        if values.thresholds.iter().chain([&values.saved, &values.loss_nats]).any(|value| value.is_nan()) {
            return Err(BlobError::PointNotANumber { point });
        }
    }
    Ok(())
}

fn check_alphabet(header: &Header, shape: &Shape) -> Result<(), BlobError> {
    let Tokenizer::Bytes { alphabet } = &header.tokenizer;
    if alphabet.len() != shape.vocabulary {
        return Err(BlobError::Alphabet { wanted: shape.vocabulary, found: alphabet.len() });
    }
    match alphabet.windows(2).position(|pair| pair.first() >= pair.last()) {
        Some(index) => Err(BlobError::AlphabetOrder { index: index + 1 }),
        None => Ok(()),
    }
}
