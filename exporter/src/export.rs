//! From a float model to a blob.

use crate::aligned::Aligned;
use crate::quantise::{INT4, INT8, quantise_rows};
use crate::rounding::{Rounded, search_rows};
use crate::tensors::{LinearTensors, ModelTensors, NormTensors};
use fathom::format::writer::{WriteError, Writer};
use fathom::format::{Header, LinearLayout, MatrixElement, NormLayout, Position, Shape};
use half::f16;

/// Why a model cannot become a blob.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExportError {
    /// The header breaks a rule, or a tensor does not have the size that the header says.
    Write(WriteError),
    /// The model and the header disagree on what there is.
    Missing {
        /// The tensor that the header asks for.
        tensor: &'static str,
        /// Its block.
        block: usize,
    },
    /// A matrix has another shape than the header says.
    Misshapen {
        /// The tensor.
        tensor: &'static str,
        /// Its block.
        block: usize,
        /// `[rows, columns]` that the header asks for.
        wanted: [usize; 2],
        /// `[rows, columns]` of the model.
        found: [usize; 2],
    },
    /// A weight is infinite, NaN, or too large for f16.
    NotFinite {
        /// The tensor.
        tensor: &'static str,
        /// Its block.
        block: usize,
    },
}

impl std::fmt::Display for ExportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Write(error) => error.fmt(f),
            Self::Missing { tensor, block } => {
                write!(f, "the model has no {tensor} in block {block}, but its configuration asks for one")
            }
            Self::Misshapen { tensor, block, wanted, found } => {
                write!(f, "{tensor} of block {block} has shape {found:?}, wanted {wanted:?}")
            }
            Self::NotFinite { tensor, block } => {
                write!(
                    f,
                    "{tensor} of block {block} holds a value that is infinite, NaN or too large: train again with a lower rate"
                )
            }
        }
    }
}

impl std::error::Error for ExportError {}

impl From<WriteError> for ExportError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

/// Writes `model` as a blob with this header.
///
/// # Errors
/// [`ExportError`].
pub fn blob(header: &Header, model: &ModelTensors) -> Result<Aligned, ExportError> {
    let shape = Shape::new(header).map_err(WriteError::from)?;
    let mut bytes = Aligned::zeros(Writer::blob_bytes(header)?);
    let mut writer = Writer::new(bytes.bytes_mut(), header)?;
    let layout = writer.layout();
    linear(&mut writer, &layout.embedding, &model.embedding, ("embedding", 0))?;
    match header.variants.position {
        Position::Learned => {
            let learned = model.position.as_ref().ok_or(ExportError::Missing { tensor: "position", block: 0 })?;
            let halves = to_halves(learned).ok_or(ExportError::NotFinite { tensor: "position", block: 0 })?;
            writer.halves(layout.position, &halves)?;
        }
        Position::Rotary => writer.floats(layout.position, &rotary_table(shape.context, shape.head_dim))?,
    }
    for index in 0..shape.stored_blocks() {
        let at = layout.block(index);
        let block = model.blocks.get(index).ok_or(ExportError::Missing { tensor: "tensors", block: index })?;
        if let Some(at) = at.router {
            let router = block.router.as_ref().ok_or(ExportError::Missing { tensor: "router", block: index })?;
            linear(&mut writer, &at.hidden, &router.hidden, ("router", index))?;
            writer.floats(at.output, &router.output)?;
            writer.floats(at.output_bias, &router.output_bias)?;
        }
        norm(&mut writer, &at.norm1, &block.norm1, ("norm1", index))?;
        norm(&mut writer, &at.norm2, &block.norm2, ("norm2", index))?;
        let matrices = [
            ("query", &at.query, &block.query),
            ("key_value", &at.key_value, &block.key_value),
            ("output", &at.output, &block.output),
            ("up", &at.up, &block.up),
            ("down", &at.down, &block.down),
        ];
        for (name, at, matrix) in matrices {
            linear(&mut writer, at, matrix, (name, index))?;
        }
    }
    norm(&mut writer, &layout.final_norm, &model.final_norm, ("final_norm", 0))?;
    if let Some(at) = &layout.head {
        let head = model.head.as_ref().ok_or(ExportError::Missing { tensor: "head", block: 0 })?;
        linear(&mut writer, at, head, ("head", 0))?;
    }
    writer.finish();
    Ok(bytes)
}

fn linear(
    writer: &mut Writer<'_>,
    at: &LinearLayout,
    matrix: &LinearTensors,
    (tensor, block): (&'static str, usize),
) -> Result<(), ExportError> {
    let (wanted, found) = ([at.rows, at.columns], [matrix.rows, matrix.columns]);
    if wanted != found {
        return Err(ExportError::Misshapen { tensor, block, wanted, found });
    }
    let not_finite = ExportError::NotFinite { tensor, block };
    if at.element != MatrixElement::F16 && matrix.weight.iter().any(|weight| !weight.is_finite()) {
        return Err(not_finite);
    }
    match at.element {
        MatrixElement::Int8 => {
            let (quantised, scales) = quantise_rows(&matrix.weight, at.columns, INT8);
            writer.int8(at, &quantised, &scales)?;
        }
        MatrixElement::Int4 => {
            let Rounded { values, scales } = search_rows(&matrix.weight, at.columns, INT4);
            writer.int4(at, &values, &scales)?;
        }
        MatrixElement::F16 => writer.halves(at.weights, &to_halves(&matrix.weight).ok_or(not_finite)?)?,
    }
    optional(writer, at.bias, matrix.bias.as_deref(), ExportError::Missing { tensor, block })
}

fn norm(
    writer: &mut Writer<'_>,
    at: &NormLayout,
    norm: &NormTensors,
    (tensor, block): (&'static str, usize),
) -> Result<(), ExportError> {
    writer.floats(at.weight, &norm.weight)?;
    optional(writer, at.bias, norm.bias.as_deref(), ExportError::Missing { tensor, block })
}

fn optional(
    writer: &mut Writer<'_>,
    span: fathom::format::Span,
    values: Option<&[f32]>,
    missing: ExportError,
) -> Result<(), ExportError> {
    if span.bytes > 0 {
        writer.floats(span, values.ok_or(missing)?)?;
    }
    Ok(())
}

/// Rounds to f16; `None` if a value is not finite there.
fn to_halves(values: &[f32]) -> Option<Vec<f16>> {
    values.iter().map(|value| Some(f16::from_f32(*value)).filter(|half| half.is_finite())).collect()
}

/// (cos, sin) of `position / 10000^(2i / head_dim)`, `[context, head_dim / 2, 2]`, computed in f64.
pub fn rotary_table(context: usize, head_dim: usize) -> Vec<f32> {
    let angle = |position: usize, pair: usize| position as f64 / 10_000f64.powf(2.0 * pair as f64 / head_dim as f64);
    let angles = (0..context).flat_map(|position| (0..head_dim / 2).map(move |pair| angle(position, pair)));
    angles.flat_map(|angle| [angle.cos() as f32, angle.sin() as f32]).collect()
}
