//! A matrix of the blob, ready to be applied to a tile of tokens.

use crate::blob::Blob;
use crate::format::LinearLayout;
#[cfg(any(feature = "f16", feature = "int4"))]
use crate::format::MatrixElement;
use crate::format::packing;
#[cfg(feature = "f16")]
use crate::kernels::half_float;
#[cfg(feature = "int4")]
use crate::kernels::int4;
use crate::kernels::int8;

/// A matrix with its scales and bias, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Linear<'m> {
    Int8(int8::Matrix<'m>),
    #[cfg(feature = "int4")]
    Int4(int4::Matrix<'m>),
    #[cfg(feature = "f16")]
    F16(half_float::Matrix<'m>),
}

/// The input of a matrix: the rows of a tile, in both forms (the int8 form only in an integer model).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    #[cfg_attr(not(feature = "f16"), expect(dead_code))]
    pub floats: &'a [f32], // [tokens, columns]
    pub quantised: &'a [i16], // [tokens, columns], |q| <= 127
    pub scales: &'a [f32],    // [tokens]
    pub tokens: usize,
}

impl<'m> Linear<'m> {
    pub fn new(blob: &Blob<'m>, layout: &LinearLayout) -> Self {
        let LinearLayout { rows, columns, .. } = *layout;
        let bias = blob.floats(layout.bias);
        let scales = blob.floats(layout.scales);
        match layout.element {
            #[cfg(feature = "int4")]
            MatrixElement::Int4 => Self::Int4(int4::Matrix { rows, columns, weights: blob.quads(layout.weights), scales, bias }),
            #[cfg(feature = "f16")]
            MatrixElement::F16 => Self::F16(half_float::Matrix { rows, columns, weights: blob.halves(layout.weights), bias }),
            // Without the kernels of an element `Blob::parse` refuses the model: only int8 is left.
            _ => Self::Int8(int8::Matrix { rows, columns, stride: columns, weights: blob.packed(layout.weights), scales, bias }),
        }
    }

    /// Output rows; none of a matrix that is not there.
    pub fn rows(&self) -> usize {
        match self {
            Self::Int8(matrix) => matrix.rows,
            #[cfg(feature = "int4")]
            Self::Int4(matrix) => matrix.rows,
            #[cfg(feature = "f16")]
            Self::F16(matrix) => matrix.rows,
        }
    }

    /// `output[t] = W input[t] + bias`, `output` `[tokens, rows]`.
    pub fn apply(&self, input: Rows<'_>, output: &mut [f32]) {
        match self {
            Self::Int8(matrix) => int8::matmul(matrix, input.quantised, input.scales, input.tokens, output),
            #[cfg(feature = "int4")]
            Self::Int4(matrix) => int4::matmul(matrix, input.quantised, input.scales, input.tokens, output),
            #[cfg(feature = "f16")]
            Self::F16(matrix) => half_float::matmul(matrix, input.floats, input.tokens, output),
        }
    }

    /// Row `row` as f32 (embedding look-up), `output` `[columns]`.
    pub fn row(&self, row: usize, output: &mut [f32]) {
        match self {
            Self::Int8(matrix) => {
                let scale = matrix.scales.get(row).copied().unwrap_or_default();
                let weights = packing::row(matrix.weights, matrix.rows, matrix.columns, row);
                for (values, weights) in output.as_chunks_mut::<2>().0.iter_mut().zip(weights) {
                    *values = weights.map(|weight| f32::from(weight) * scale);
                }
            }
            // The embedding is never int4.
            #[cfg(feature = "int4")]
            Self::Int4(_) => output.fill(0.0),
            #[cfg(feature = "f16")]
            Self::F16(matrix) => {
                let halves = matrix.weights.get(row * matrix.columns..).unwrap_or_default();
                for (value, half) in output.iter_mut().zip(halves) {
                    *value = half_float::to_f32(*half);
                }
            }
        }
    }
}
