//! AdamW, or Muon for the matrices of blocks, with clipping by the global norm.

use crate::checkpoint::{CheckpointError, Role, Tensors};
use crate::model::Parameters;
use crate::muon::{MOMENTUM, orthogonal};
use crate::recipe::Schedule;
use candle_core::Tensor;
use candle_core::backprop::GradStore;
use std::collections::BTreeMap;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.95;
const EPSILON: f64 = 1e-8;
const CLIP_NORM: f64 = 1.0;

/// First and second moments of one parameter; Muon leaves the second zero.
type Moments = (Vec<f32>, Vec<f32>);

/// The optimiser's state for one stage.
#[derive(Debug, Default)]
pub struct Optimiser {
    moments: BTreeMap<String, Moments>,
    /// Updates so far.
    pub updates: usize,
}

/// How far an update goes.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of AdamW.
    pub rate: f64,
    /// Of Muon, for the matrices of blocks; none: AdamW, as for everything else.
    pub matrix_rate: Option<f64>,
    /// Decay of matrices, times `rate` under both.
    pub decay: f64,
}

/// Prefixes of moments in a checkpoint.
const FIRST: &str = "optimiser.first.";
const SECOND: &str = "optimiser.second.";

impl Optimiser {
    /// The state as tensors for a checkpoint.
    pub fn save(&self, into: &mut Tensors) {
        for (name, (first, second)) in &self.moments {
            into.insert(format!("{FIRST}{name}"), (vec![first.len()], first.clone()));
            into.insert(format!("{SECOND}{name}"), (vec![second.len()], second.clone()));
        }
    }

    /// The state from a checkpoint's tensors, which lose it.
    pub fn load(from: &mut Tensors, updates: usize) -> Self {
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        let names: Vec<String> = from.keys().filter(|name| name.starts_with("optimiser.")).cloned().collect();
        for name in names {
            let Some((_, values)) = from.remove(&name) else { continue };
            if let Some(name) = name.strip_prefix(FIRST) {
                moments.entry(name.into()).or_default().0 = values;
            } else if let Some(name) = name.strip_prefix(SECOND) {
                moments.entry(name.into()).or_default().1 = values;
            }
        }
        Self { moments, updates }
    }

    /// Checks that every moment fits its parameter: an update would otherwise stop at the shorter of the two.
    ///
    /// # Errors
    /// [`CheckpointError::Misshapen`].
    pub fn check(&self, tensors: &Tensors) -> Result<(), CheckpointError> {
        for (name, (first, second)) in &self.moments {
            let wanted = tensors.get(name).map_or(0, |(_, values)| values.len());
            for (prefix, moment) in [(FIRST, first), (SECOND, second)] {
                if moment.len() != wanted {
                    let (tensor, found) = (format!("{prefix}{name}"), vec![moment.len()]);
                    return Err(CheckpointError::Misshapen { tensor, wanted: vec![wanted], found });
                }
            }
        }
        Ok(())
    }

    /// One update of the parameters in `trained`. Returns the gradients' norm before clipping.
    ///
    /// # Errors
    /// Those of candle.
    pub fn update(
        &mut self,
        parameters: &Parameters,
        trained: &[(String, Role)],
        gradients: &GradStore,
        rates: Rates,
    ) -> candle_core::Result<f64> {
        let mut found = Vec::new();
        let mut squares = 0.0;
        for (name, role) in trained {
            let Some(var) = parameters.0.get(name) else { continue };
            let Some(gradient) = gradients.get(var) else { continue };
            let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
            squares += gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
            found.push((name, *role, var, gradient));
        }
        let norm = squares.sqrt();
        let clip = if norm > CLIP_NORM { CLIP_NORM / norm } else { 1.0 } as f32;
        self.updates += 1;
        let correction1 = 1.0 - BETA1.powi(self.updates as i32);
        let correction2 = 1.0 - BETA2.powi(self.updates as i32);
        let Rates { rate, matrix_rate, decay } = rates;
        let rate1 = (rate / correction1) as f32;
        let scale2 = (1.0 / correction2) as f32;
        let (b1, b2) = (BETA1 as f32, BETA2 as f32);
        for (name, role, var, gradient) in found {
            let in_block = matches!(role, Role::Matrix | Role::Stack(_) | Role::Residual);
            let keep = if in_block || role == Role::Router { 1.0 - rate * decay } else { 1.0 } as f32;
            let zeros = || (vec![0.0; gradient.len()], vec![0.0; gradient.len()]);
            let (first, second) = self.moments.entry(name.clone()).or_insert_with(zeros);
            let mut values = var.flatten_all()?.to_vec1::<f32>()?;
            if let (Some(rate), true) = (matrix_rate, in_block) {
                muon(&mut values, var.dims2()?, role, &gradient, clip, first, (keep, rate as f32));
                var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
                continue;
            }
            for (((value, g), m), v) in values.iter_mut().zip(&gradient).zip(first).zip(second) {
                let g = g * clip;
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *value = *value * keep - rate1 * *m / ((*v * scale2).sqrt() + EPSILON as f32);
            }
            var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
        }
        Ok(norm)
    }
}

/// One update of a matrix `[rows, columns]`, those of a stack each by itself; `keep` of the values stays, and they move by the rate times an
/// orthogonal matrix, nearest to the gradient and its momentum (Nesterov's, as the source has it).
fn muon(
    values: &mut [f32],
    (rows, columns): (usize, usize),
    role: Role,
    gradient: &[f32],
    clip: f32,
    momentum: &mut [f32],
    (keep, rate): (f32, f32),
) {
    momentum.iter_mut().zip(gradient).for_each(|(m, g)| *m = MOMENTUM * *m + clip * g);
    let ahead: Vec<f32> = momentum.iter().zip(gradient).map(|(m, g)| MOMENTUM * m + clip * g).collect();
    let rows = if let Role::Stack(matrices) = role { rows / matrices } else { rows };
    for (values, ahead) in values.chunks_exact_mut(rows * columns).zip(ahead.chunks_exact(rows * columns)) {
        let direction = orthogonal(ahead, rows, columns);
        values.iter_mut().zip(direction).for_each(|(value, step)| *value = *value * keep - rate * step);
    }
}

/// The share of its peak that the rate has at a step: linear warm-up, then its fall over the `steps` of a stage.
pub fn share_of_peak(step: usize, steps: usize, warmup: usize, schedule: Schedule) -> f64 {
    if step < warmup {
        return (step + 1) as f64 / warmup as f64;
    }
    let progress = ((step - warmup) as f64 / steps.saturating_sub(warmup).max(1) as f64).min(1.0);
    match schedule {
        Schedule::Cosine => 0.1 + 0.9 * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        Schedule::Linear => 1.0 - progress,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_rate_warms_up_and_falls_to_a_tenth_or_to_nothing() {
        for (schedule, half_way, last) in [(Schedule::Cosine, 0.55, 0.1), (Schedule::Linear, 0.5, 0.0)] {
            let share = |step| share_of_peak(step, 100, 10, schedule);
            let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-12;
            assert!(close(share(0), 0.1) && close(share(10), 1.0) && close(share(55), half_way) && close(share(100), last));
        }
    }

    #[test]
    fn the_first_update_moves_each_value_by_the_rate_against_its_gradient() {
        let tensors = Tensors::from([("a".to_owned(), (vec![2], vec![1.0, -1.0]))]);
        let parameters = Parameters::new(&tensors).unwrap();
        let loss = (parameters.0["a"].as_tensor() * 0.01).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let rates = Rates { rate: 0.1, matrix_rate: None, decay: 0.5 };
        Optimiser::default().update(&parameters, &[("a".into(), Role::Gain)], &gradients, rates).unwrap();
        let values = parameters.tensors().unwrap()["a"].1.clone();
        assert!((values[0] - 0.9).abs() < 1e-4 && (values[1] + 1.1).abs() < 1e-4, "{values:?}");
    }

    #[test]
    fn muon_moves_the_two_matrices_of_a_pair_apart_and_leaves_routers_to_adamw() {
        // Gradients: a large diagonal one above a small one; Muon steps alike for both.
        let gradient = [5.0f32, 0.0, 0.0, 5.0, 0.01, 0.0, 0.0, 0.01];
        let tensors = Tensors::from(["pair", "router"].map(|name| (name.to_owned(), (vec![4, 2], vec![1.0; 8]))));
        let parameters = Parameters::new(&tensors).unwrap();
        let weights = Tensor::from_slice(&gradient, (4, 2), &Device::Cpu).unwrap();
        let loss = |name: &str| (parameters.0[name].as_tensor() * &weights).unwrap().sum_all().unwrap();
        let gradients = (loss("pair") + loss("router")).unwrap().backward().unwrap();
        let rates = Rates { rate: 0.1, matrix_rate: Some(0.02), decay: 0.5 };
        let trained = [("pair".to_owned(), Role::Stack(2)), ("router".to_owned(), Role::Router)];
        let mut optimiser = Optimiser::default();
        optimiser.update(&parameters, &trained, &gradients, rates).unwrap();
        let after = parameters.tensors().unwrap();
        let pair = &after["pair"].1;
        let steps: Vec<f32> = pair.iter().map(|x| (0.95 - x) / 0.02).collect();
        assert!([0, 3, 4, 7].iter().all(|i| (0.6..1.3).contains(&steps[*i])), "{steps:?}");
        assert!([1, 2, 5, 6].iter().all(|i| steps[*i].abs() < 1e-3), "{steps:?}");
        // AdamW: decay, then the rate where there is a gradient.
        assert!((after["router"].1[0] - 0.85).abs() < 1e-4 && (after["router"].1[1] - 0.95).abs() < 1e-4, "{after:?}");
    }
}
