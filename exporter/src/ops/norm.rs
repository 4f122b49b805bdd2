//! RMSNorm and LayerNorm without bias: `y = (x - mean) / sqrt(var + eps) * weight`, mean 0 for RMSNorm.

use super::simd::{dot, sum_of, vectorised};
use super::{TASK_ROWS, plain, slice, with_slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use fathom::NORM_EPSILON;
use rayon::prelude::*;

/// Normalises each row of `x` `[n, width]`; `weight` `[width]`.
///
/// # Errors
/// Those of candle.
pub fn norm(x: &Tensor, weight: &Tensor, centred: bool) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return plain::norm(x, weight, centred);
    }
    x.contiguous()?.apply_op2(weight, Norm { centred })
}

struct Norm {
    centred: bool,
}

impl Norm {
    /// (mean, 1 / standard deviation) of a row.
    #[inline(always)]
    fn statistics(&self, row: &[f32]) -> (f32, f32) {
        let count = row.len() as f32;
        let mean = if self.centred { sum_of(row, |x| x) / count } else { 0.0 };
        let variance = sum_of(row, |x| (x - mean) * (x - mean)) / count;
        (mean, 1.0 / (variance + NORM_EPSILON).sqrt())
    }

    #[inline(always)]
    fn forward(&self, x: &[f32], weight: &[f32], y: &mut [f32]) {
        let width = weight.len();
        for (row, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let (mean, scale) = self.statistics(row);
            y.iter_mut().zip(row).zip(weight).for_each(|((y, x), w)| *y = (x - mean) * scale * w);
        }
    }

    /// Writes the gradient of the rows `x` and adds that of the weight.
    #[inline(always)]
    fn backward(&self, x: &[f32], weight: &[f32], g: &[f32], dx: &mut [f32], dw: &mut [f32]) {
        let (width, count) = (weight.len(), weight.len() as f32);
        for ((row, g), dx) in x.chunks_exact(width).zip(g.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
            let (mean, scale) = self.statistics(row);
            // First the gradient by the normalised row, for the two sums.
            dx.iter_mut().zip(g).zip(weight).for_each(|((dx, g), w)| *dx = g * w);
            let total = if self.centred { sum_of(dx, |x| x) / count } else { 0.0 };
            let along = (dot(dx, row) - mean * count * total) * scale / count;
            for (((dx, x), g), dw) in dx.iter_mut().zip(row).zip(g).zip(&mut *dw) {
                let normalised = (x - mean) * scale;
                *dw += g * normalised;
                *dx = scale * (*dx - total - normalised * along);
            }
        }
    }
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (slice(s1, l1, "norm")?, slice(s2, l2, "norm")?);
        let mut y = vec![0f32; x.len()];
        let size = TASK_ROWS * weight.len();
        let tasks = y.par_chunks_mut(size).zip(x.par_chunks(size));
        tasks.for_each(|(y, x)| {
            vectorised(
                #[inline(always)]
                || self.forward(x, weight, y),
            )
        });
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, weight: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = weight.elem_count();
        let mut dx = vec![0f32; x.elem_count()];
        let mut dw = vec![0f32; width];
        with_slice(x, |x| {
            with_slice(weight, |weight| {
                with_slice(gradient, |gradient| {
                    let size = TASK_ROWS * width;
                    let tasks = dx.par_chunks_mut(size).zip(x.par_chunks(size)).zip(gradient.par_chunks(size));
                    let parts = tasks.map(|((dx, x), g)| {
                        let mut part = vec![0f32; width];
                        vectorised(
                            #[inline(always)]
                            || self.backward(x, weight, g, dx, &mut part),
                        );
                        part
                    });
                    for part in parts.collect::<Vec<_>>() {
                        dw.iter_mut().zip(part).for_each(|(dw, part)| *dw += part);
                    }
                    Ok(())
                })
            })
        })?;
        let dx = Tensor::from_vec(dx, x.shape(), x.device())?;
        Ok((Some(dx), Some(Tensor::from_vec(dw, width, x.device())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::check;
    use super::*;

    #[test]
    fn gradients_match_finite_differences() {
        for centred in [false, true] {
            check(&[&[3, 8], &[8]], |inputs| norm(&inputs[0], &inputs[1], centred)).unwrap();
        }
    }
}
