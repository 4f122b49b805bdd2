//! AdamW with clipping by the global norm.

use crate::checkpoint::{CheckpointError, Role, Tensors};
use crate::model::Parameters;
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.95;
const EPSILON: f64 = 1e-8;
const CLIP_NORM: f64 = 1.0;

/// First and second moments of one parameter.
type Moments = (Vec<f32>, Vec<f32>);

/// The optimiser's state for one stage.
#[derive(Debug, Default)]
pub struct AdamW {
    moments: BTreeMap<String, Moments>,
    /// Updates so far.
    pub updates: usize,
}

/// Prefixes of moments in a checkpoint.
const FIRST: &str = "optimiser.first.";
const SECOND: &str = "optimiser.second.";

impl AdamW {
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

    /// One update of the parameters in `trained`, at `rate`; matrices decay by `decay`. Returns the gradients' norm before clipping.
    ///
    /// # Errors
    /// Those of candle.
    pub fn update(
        &mut self,
        parameters: &Parameters,
        trained: &[(String, Role)],
        gradients: &GradStore,
        rate: f64,
        decay: f64,
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
        let rate1 = (rate / correction1) as f32;
        let scale2 = (1.0 / correction2) as f32;
        let (b1, b2) = (BETA1 as f32, BETA2 as f32);
        for (name, role, var, gradient) in found {
            let keep = if matches!(role, Role::Matrix | Role::Residual) { 1.0 - rate * decay } else { 1.0 } as f32;
            let zeros = || (vec![0.0; gradient.len()], vec![0.0; gradient.len()]);
            let (first, second) = self.moments.entry(name.clone()).or_insert_with(zeros);
            let mut values = var.flatten_all()?.to_vec1::<f32>()?;
            for (((value, g), m), v) in values.iter_mut().zip(&gradient).zip(first).zip(second) {
                let g = g * clip;
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *value = *value * keep - rate1 * *m / ((*v * scale2).sqrt() + EPSILON as f32);
            }
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
        }
        Ok(norm)
    }
}

/// Linear warm-up, then a cosine from `peak` to a tenth of it over the `steps` of a stage.
pub fn learning_rate(step: usize, steps: usize, warmup: usize, peak: f64) -> f64 {
    if step < warmup {
        return peak * (step + 1) as f64 / warmup as f64;
    }
    let progress = (step - warmup) as f64 / steps.saturating_sub(warmup).max(1) as f64;
    peak * (0.1 + 0.9 * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_warms_up_and_ends_at_a_tenth() {
        assert_eq!(learning_rate(0, 100, 10, 1.0), 0.1);
        assert_eq!(learning_rate(10, 100, 10, 1.0), 1.0);
        assert!((learning_rate(100, 100, 10, 1.0) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn the_first_update_moves_each_value_by_the_rate_against_its_gradient() {
        let tensors = Tensors::from([("a".to_owned(), (vec![2], vec![1.0, -1.0]))]);
        let parameters = Parameters::new(&tensors).unwrap();
        let loss = (parameters.0["a"].as_tensor() * 0.01).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        AdamW::default().update(&parameters, &[("a".into(), Role::Gain)], &gradients, 0.1, 0.5).unwrap();
        let values = parameters.tensors().unwrap()["a"].1.clone();
        assert!((values[0] - 0.9).abs() < 1e-4 && (values[1] + 1.1).abs() < 1e-4, "{values:?}");
    }
}
