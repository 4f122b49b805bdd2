//! Cross-entropy of each token from its logits.

use super::simd::{exp, exponentials, largest, sum_of, vectorised};
use super::{TASK_ROWS, plain, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// `-log softmax(logits)[target]` in nats, `[n]`; `logits` `[n, vocabulary]`, `targets` `[n]`.
///
/// # Errors
/// Those of candle.
pub fn cross_entropy(logits: &Tensor, targets: &[u16]) -> Result<Tensor> {
    if !logits.device().is_cpu() {
        return plain::cross_entropy(logits, targets);
    }
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
        let mut losses = vec![0f32; rows];
        let tasks = losses.par_chunks_mut(TASK_ROWS).zip(logits.par_chunks(TASK_ROWS * vocabulary));
        tasks.zip(self.targets.par_chunks(TASK_ROWS)).for_each(|((losses, logits), targets)| {
            vectorised(
                #[inline(always)]
                || {
                    for ((loss, row), target) in losses.iter_mut().zip(logits.chunks_exact(vocabulary)).zip(targets) {
                        let largest = largest(row);
                        *loss = sum_of(row, |x| exp(x - largest)).ln() + largest - row[usize::from(*target)];
                    }
                },
            );
        });
        Ok((CpuStorage::F32(losses), Shape::from(rows)))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let vocabulary = logits.dims2()?.1;
        let mut out = vec![0f32; logits.elem_count()];
        with_slice(logits, |logits| {
            with_slice(gradient, |gradient| {
                let size = TASK_ROWS * vocabulary;
                let tasks = out.par_chunks_mut(size).zip(logits.par_chunks(size)).zip(gradient.par_chunks(TASK_ROWS));
                tasks.zip(self.targets.par_chunks(TASK_ROWS)).for_each(|(((out, logits), g), targets)| {
                    vectorised(
                        #[inline(always)]
                        || {
                            let rows = out.chunks_exact_mut(vocabulary).zip(logits.chunks_exact(vocabulary)).zip(g).zip(targets);
                            for (((out, row), g), target) in rows {
                                out.copy_from_slice(row);
                                let scale = g / exponentials(out, largest(row));
                                out.iter_mut().for_each(|p| *p *= scale);
                                out[usize::from(*target)] -= g;
                            }
                        },
                    );
                });
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
