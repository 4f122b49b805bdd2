//! LayerNorm and RMSNorm of one token.

use crate::NORM_EPSILON;
use crate::blob::Blob;
use crate::format::{Norm, NormLayout};
use crate::kernels::half_float::sum_lanes;
use crate::kernels::vector::{sum_of_squares, weigh};
use crate::math::inverse_sqrt;

/// A normalisation's parameters, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Normalise<'m> {
    kind: Norm,
    weight: &'m [f32], // [width]
    bias: &'m [f32],   // [width] or empty
}

impl<'m> Normalise<'m> {
    pub fn new(blob: &Blob<'m>, layout: &NormLayout) -> Self {
        Self { kind: blob.shape().variants.norm, weight: blob.floats(layout.weight), bias: blob.floats(layout.bias) }
    }

    /// `input` and `output` are `[width]`.
    pub fn apply(&self, input: &[f32], output: &mut [f32]) {
        let per_element = 1.0 / input.len() as f32;
        match self.kind {
            Norm::RmsNorm => {
                let scale = inverse_sqrt(sum_of_squares(input) * per_element + NORM_EPSILON);
                weigh(input, scale, self.weight, output);
            }
            Norm::LayerNorm => {
                let mean = sum_lanes(input) * per_element;
                output.iter_mut().zip(input).for_each(|(y, x)| *y = x - mean);
                let scale = inverse_sqrt(sum_of_squares(output) * per_element + NORM_EPSILON);
                output.iter_mut().zip(self.weight).for_each(|(y, weight)| *y = *y * scale * weight);
            }
        }
        for (y, bias) in output.iter_mut().zip(self.bias) {
            *y += bias;
        }
    }
}
