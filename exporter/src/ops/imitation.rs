//! How far a model's predictions are from a teacher's.

use super::{plain, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// Kullback-Leibler divergence of `softmax(logits)` from `softmax(teacher)` in nats, `[n]`; both `[n, vocabulary]`. No gradient reaches
/// the teacher.
///
/// # Errors
/// Those of candle.
pub fn imitation(logits: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    if !logits.device().is_cpu() {
        return plain::imitation(logits, teacher);
    }
    logits.contiguous()?.apply_op1(Imitation { teacher: teacher.flatten_all()?.to_vec1()? })
}

struct Imitation {
    teacher: Vec<f32>,
}

/// Logarithm of the sum of exponentials.
fn log_total(row: &[f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter().map(|x| (x - largest).exp()).sum::<f32>().ln() + largest
}

impl CustomOp1 for Imitation {
    fn name(&self) -> &'static str {
        "imitation"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = slice(storage, layout, "imitation")?;
        let (rows, vocabulary) = layout.shape().dims2()?;
        let rows_of_both = logits.chunks_exact(vocabulary).zip(self.teacher.chunks_exact(vocabulary));
        let divergences = rows_of_both.map(|(row, teacher)| {
            let (total, teacher_total) = (log_total(row), log_total(teacher));
            row.iter().zip(teacher).map(|(x, t)| (t - teacher_total).exp() * ((t - teacher_total) - (x - total))).sum::<f32>()
        });
        Ok((CpuStorage::F32(divergences.collect()), Shape::from(rows)))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let vocabulary = logits.dims2()?.1;
        let mut out = Vec::with_capacity(logits.elem_count());
        with_slice(logits, |logits| {
            with_slice(gradient, |gradient| {
                let rows = logits.chunks_exact(vocabulary).zip(self.teacher.chunks_exact(vocabulary)).zip(gradient);
                for ((row, teacher), g) in rows {
                    let (total, teacher_total) = (log_total(row), log_total(teacher));
                    out.extend(row.iter().zip(teacher).map(|(x, t)| g * ((x - total).exp() - (t - teacher_total).exp())));
                }
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(out, logits.shape(), logits.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::{check, values};
    use super::*;
    use candle_core::Device;

    #[test]
    fn gradients_match_finite_differences_and_the_teacher_itself_is_at_distance_zero() {
        let teacher = (Tensor::from_vec(values(20, 3), (4, 5), &Device::Cpu).unwrap() * 2.0).unwrap();
        check(&[&[4, 5]], |inputs| imitation(&(&inputs[0] * 3.0)?, &teacher)).unwrap();
        let zero = imitation(&teacher, &teacher).unwrap().to_vec1::<f32>().unwrap();
        assert!(zero.iter().all(|divergence| divergence.abs() < 1e-6));
    }
}
