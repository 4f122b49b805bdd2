//! Cross-entropy of each token from its logits.

use super::{slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// `-log softmax(logits)[target]` in nats, `[n]`; `logits` `[n, vocabulary]`, `targets` `[n]`.
///
/// # Errors
/// Those of candle.
pub fn cross_entropy(logits: &Tensor, targets: &[u16]) -> Result<Tensor> {
    logits.contiguous()?.apply_op1(CrossEntropy { targets: targets.to_vec() })
}

struct CrossEntropy {
    targets: Vec<u16>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = slice(storage, layout, "cross-entropy")?;
        let (rows, vocabulary) = layout.shape().dims2()?;
        let losses = logits.chunks_exact(vocabulary).zip(&self.targets).map(|(row, target)| {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter().map(|x| (x - largest).exp()).sum::<f32>().ln() + largest - row[usize::from(*target)]
        });
        Ok((CpuStorage::F32(losses.collect()), Shape::from(rows)))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let vocabulary = logits.dims2()?.1;
        let mut out = Vec::with_capacity(logits.elem_count());
        with_slice(logits, |logits| {
            with_slice(gradient, |gradient| {
                for ((row, target), g) in logits.chunks_exact(vocabulary).zip(&self.targets).zip(gradient) {
                    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let start = out.len();
                    out.extend(row.iter().map(|x| (x - largest).exp()));
                    let scale = g / out[start..].iter().sum::<f32>();
                    out[start..].iter_mut().for_each(|p| *p *= scale);
                    out[start + usize::from(*target)] -= g;
                }
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(out, logits.shape(), logits.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::check;
    use super::*;

    #[test]
    fn gradients_match_finite_differences() {
        check(&[&[4, 5]], |inputs| cross_entropy(&(&inputs[0] * 3.0)?, &[0, 4, 2, 2])).unwrap();
    }
}
