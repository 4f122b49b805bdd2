//! LayerNorm and RMSNorm of one token.

use crate::NORM_EPSILON;
use crate::blob::Blob;
use crate::format::{Norm, NormLayout};
use crate::kernels::half_float::sum_lanes;
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
        let mean = match self.kind {
            Norm::LayerNorm => sum_lanes(input, |x| x) * per_element,
            Norm::RmsNorm => 0.0,
        };
        let variance = sum_lanes(input, |x| (x - mean) * (x - mean)) * per_element;
        let scale = inverse_sqrt(variance + NORM_EPSILON);
        for ((y, x), weight) in output.iter_mut().zip(input).zip(self.weight) {
            *y = (x - mean) * scale * weight;
        }
        for (y, bias) in output.iter_mut().zip(self.bias) {
            *y += bias;
        }
    }
}
