//! Weights as few-bit integers would give them, with a gradient as if they had not been rounded.

use super::{plain, slice, with_slice};
use crate::rounding::search_rows;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// Rounds each row of `weight` `[rows, columns]` to integers in `-limit..=limit` times a scale, as [`search_rows`] does for a blob. The
/// gradient passes straight through (Bengio et al. 2013), except to weights beyond the largest integer, which rounding does not follow.
///
/// # Errors
/// Those of candle.
pub fn fake_quantise(weight: &Tensor, limit: i8) -> Result<Tensor> {
    if !weight.device().is_cpu() {
        return plain::fake_quantise(weight, limit);
    }
    weight.contiguous()?.apply_op1(FakeQuantise { limit })
}

/// `weight` as the integers of its rows give it.
pub(super) fn rounded(weight: &[f32], columns: usize, limit: i8) -> Vec<f32> {
    search_rows(weight, columns, limit).weights()
}

/// The largest weight that rounding follows, of a row as it was rounded: half a step beyond its largest integer, which occurs where
/// anything lies beyond it.
pub(super) fn largest_followed(rounded: &[f32], limit: i8) -> f32 {
    (1.0 + 0.5 / f32::from(limit)) * rounded.iter().fold(0f32, |largest, r| largest.max(r.abs()))
}

struct FakeQuantise {
    limit: i8,
}

impl CustomOp1 for FakeQuantise {
    fn name(&self) -> &'static str {
        "fake-quantise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let weight = slice(storage, layout, "fake-quantise")?;
        let (_, columns) = layout.shape().dims2()?;
        Ok((CpuStorage::F32(rounded(weight, columns, self.limit)), layout.shape().clone()))
    }

    fn bwd(&self, weight: &Tensor, rounded: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let columns = weight.dims2()?.1;
        let mut passed = Vec::with_capacity(weight.elem_count());
        with_slice(weight, |weight| {
            with_slice(rounded, |rounded| {
                with_slice(gradient, |gradient| {
                    let rows =
                        weight.chunks_exact(columns).zip(rounded.chunks_exact(columns)).zip(gradient.chunks_exact(columns));
                    for ((weight, rounded), gradient) in rows {
                        let end = largest_followed(rounded, self.limit);
                        passed.extend(weight.iter().zip(gradient).map(|(w, g)| if w.abs() > end { 0.0 } else { *g }));
                    }
                    Ok(())
                })
            })
        })?;
        Ok(Some(Tensor::from_vec(passed, weight.shape(), weight.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// A row whose best scale leaves its outlier beyond the largest integer, and one without outlier.
    const WEIGHTS: [f32; 32] = [
        0.11, -0.52, 0.33, 0.74, -0.95, 0.16, 0.27, -0.38, 0.59, 0.61, -0.72, 0.83, -0.14, 0.45, 0.06, 1.5, //
        0.11, -0.52, 0.33, 0.74, -0.95, 0.16, 0.27, -0.38, 0.59, 0.61, -0.72, 0.83, -0.14, 0.45, 0.06, 0.9,
    ];

    #[test]
    fn values_are_those_of_the_blob_and_the_gradient_is_that_of_the_unrounded_weights() {
        let weight = Var::from_vec(WEIGHTS.to_vec(), (2, 16), &Device::Cpu).unwrap();
        let rounded = fake_quantise(&weight, 7).unwrap();
        let values = rounded.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values, search_rows(&WEIGHTS, 16, 7).weights());
        // d/dw sum(c * w) is c, where the weight is not beyond the largest integer.
        let factors: Vec<f32> = (0..32).map(|i| i as f32 - 7.5).collect();
        let loss = (rounded * Tensor::from_vec(factors.clone(), (2, 16), &Device::Cpu).unwrap()).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let found = gradients.get(&weight).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let scales = search_rows(&WEIGHTS, 16, 7).scales;
        let beyond: Vec<bool> = WEIGHTS.iter().enumerate().map(|(i, w)| w.abs() > 7.5 * scales[i / 16]).collect();
        assert!(beyond[15] && beyond.iter().filter(|beyond| **beyond).count() < 4, "the outlier is beyond, most are not");
        for ((found, factor), beyond) in found.iter().zip(factors).zip(beyond) {
            assert_eq!(*found, if beyond { 0.0 } else { factor });
        }
    }

    /// Over steps much larger than a scale, rounding follows the weight: differences over such steps agree with the gradient.
    #[test]
    fn the_gradient_matches_differences_over_steps_of_whole_scales() {
        let scale = 0.1f32;
        // Exact multiples, the largest at the limit: the scale stays while another weight moves by whole scales.
        let base: Vec<f32> = [7.0, -3.0, 2.0, 0.0, 5.0, -6.0, 1.0, 4.0].iter().map(|q| q * scale).collect();
        let factors: Vec<f32> = (1..=8).map(|i| i as f32).collect();
        let loss = |weights: &[f32]| {
            let rounded = search_rows(weights, 8, 7).weights();
            rounded.iter().zip(&factors).map(|(r, c)| r * c).sum::<f32>()
        };
        let weight = Var::from_vec(base.clone(), (1, 8), &Device::Cpu).unwrap();
        let product =
            (fake_quantise(&weight, 7).unwrap() * Tensor::from_vec(factors.clone(), (1, 8), &Device::Cpu).unwrap()).unwrap();
        let gradients = product.sum_all().unwrap().backward().unwrap();
        let found = gradients.get(&weight).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for i in 1..8 {
            let (mut up, mut down) = (base.clone(), base.clone());
            up[i] += scale;
            down[i] -= scale;
            let numeric = (loss(&up) - loss(&down)) / (2.0 * scale);
            assert!((numeric - found[i]).abs() < 1e-3, "weight {i}: {numeric} against {}", found[i]);
        }
    }
}
