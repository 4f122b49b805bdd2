//! RMSNorm and LayerNorm without bias: `y = (x - mean) / sqrt(var + eps) * weight`, mean 0 for RMSNorm.

use super::{slice, with_slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use fathom::NORM_EPSILON;

/// Normalises each row of `x` `[n, width]`; `weight` `[width]`.
///
/// # Errors
/// Those of candle.
pub fn norm(x: &Tensor, weight: &Tensor, centred: bool) -> Result<Tensor> {
    x.contiguous()?.apply_op2(weight, Norm { centred })
}

struct Norm {
    centred: bool,
}

impl Norm {
    /// (mean, 1 / standard deviation) of a row.
    fn statistics(&self, row: &[f32]) -> (f32, f32) {
        let count = row.len() as f32;
        let mean = if self.centred { row.iter().sum::<f32>() / count } else { 0.0 };
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
        (mean, 1.0 / (variance + NORM_EPSILON).sqrt())
    }
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (slice(s1, l1, "norm")?, slice(s2, l2, "norm")?);
        let mut y = Vec::with_capacity(x.len());
        for row in x.chunks_exact(weight.len()) {
            let (mean, scale) = self.statistics(row);
            y.extend(row.iter().zip(weight).map(|(x, w)| (x - mean) * scale * w));
        }
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, weight: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = weight.elem_count();
        let mut dx = Vec::with_capacity(x.elem_count());
        let mut dw = vec![0f32; width];
        with_slice(x, |x| {
            with_slice(weight, |weight| {
                with_slice(gradient, |gradient| {
                    for (row, g) in x.chunks_exact(width).zip(gradient.chunks_exact(width)) {
                        let (mean, scale) = self.statistics(row);
                        let (mut along, mut total) = (0f32, 0f32); // of g * weight: along the normalised row, and its sum
                        for (((x, g), w), dw) in row.iter().zip(g).zip(weight).zip(&mut dw) {
                            let normalised = (x - mean) * scale;
                            along += g * w * normalised;
                            total += g * w;
                            *dw += g * normalised;
                        }
                        let count = width as f32;
                        let (along, total) = (along / count, if self.centred { total / count } else { 0.0 });
                        let rows = row.iter().zip(g).zip(weight);
                        dx.extend(rows.map(|((x, g), w)| scale * (g * w - total - (x - mean) * scale * along)));
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
