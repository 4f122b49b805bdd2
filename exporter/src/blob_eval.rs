//! Evaluation through an exported blob, with the runtime's own portable kernels.

use anyhow::{Result, anyhow};
use fathom::{Blob, NoProbe, Plan, Session};
use std::ops::Range;

/// Tokens per prefill tile: weights are read once for this many tokens.
const TILE: usize = 64;

/// What an evaluation measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Predictions.
    pub tokens: usize,
    /// Summed cross-entropy in nats.
    pub total_nats: f64,
    /// Tokens that ran each block, `[blocks]`.
    pub active: Vec<usize>,
}

impl Evaluation {
    /// Cross-entropy in nats per token.
    pub fn nats(&self) -> f64 {
        self.total_nats / self.tokens.max(1) as f64
    }

    /// Cross-entropy in bits per character (one token is one character of a byte alphabet).
    pub fn bits_per_character(&self) -> f64 {
        self.nats() / std::f64::consts::LN_2
    }

    /// Share of tokens that ran each block.
    pub fn active_shares(&self) -> Vec<f64> {
        self.active.iter().map(|active| *active as f64 / self.tokens.max(1) as f64).collect()
    }

    /// Share of token-layer operations saved.
    pub fn saved(&self) -> f64 {
        let operations = (self.active.len() * self.tokens).max(1);
        1.0 - self.active.iter().sum::<usize>() as f64 / operations as f64
    }

    /// Adds another evaluation of the same model.
    pub fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.total_nats += other.total_nats;
        self.active.resize(self.active.len().max(other.active.len()), 0);
        for (sum, more) in self.active.iter_mut().zip(&other.active) {
            *sum += more;
        }
    }
}

/// The windows of an evaluation: every token but the first is predicted once; each window starts with an empty context.
///
/// Returns ranges of inputs; the target of input `i` is token `i + 1`.
pub fn windows(tokens: usize, context: usize) -> Vec<Range<usize>> {
    let inputs = tokens.saturating_sub(1);
    (0..inputs).step_by(context).map(|start| start..(start + context).min(inputs)).collect()
}

/// Cross-entropy in nats of `target` under `logits` `[vocabulary]`.
pub fn cross_entropy(logits: &[f32], target: u16) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    total.ln() - f64::from(logits[usize::from(target)] - largest)
}

/// Evaluates `tokens` in non-overlapping windows of the model's context at operating point `point`, on all cores. `progress` is called
/// with the number of finished windows.
///
/// # Errors
/// Fewer than two tokens, a token outside the vocabulary, or an operating point that the model does not have.
pub fn evaluate(blob: &Blob<'_>, tokens: &[u16], point: usize, progress: &(dyn Fn(u64) + Sync)) -> Result<Evaluation> {
    let windows = windows(tokens.len(), blob.shape().context);
    if windows.is_empty() {
        return Err(anyhow!("the text is too short to evaluate: at least 2 tokens are needed, found {}", tokens.len()));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(windows.len());
    let parts: Vec<Result<Evaluation>> = std::thread::scope(|scope| {
        let workers: Vec<_> = windows
            .chunks(windows.len().div_ceil(threads))
            .map(|windows| scope.spawn(move || evaluate_windows(blob, tokens, windows, point, progress)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("an evaluation thread panicked"))))
            .collect()
    });
    let mut sum = Evaluation::default();
    for part in parts {
        sum.add(&part?);
    }
    Ok(sum)
}

fn evaluate_windows(
    blob: &Blob<'_>,
    tokens: &[u16],
    windows: &[Range<usize>],
    point: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Evaluation> {
    let plan = Plan::new(blob.shape(), TILE.min(blob.shape().context))?;
    let mut arena = vec![0; plan.bytes() / 4];
    let mut session = Session::new(blob, &mut arena, &plan, NoProbe)?;
    session.set_operating_point(point)?;
    let mut evaluation = Evaluation { active: vec![0; blob.shape().blocks], ..Evaluation::default() };
    for window in windows {
        session.reset();
        let targets = &tokens[window.start + 1..=window.end];
        let mut nats = 0.0;
        session.score(&tokens[window.clone()], |index, logits| nats += cross_entropy(logits, targets[index]))?;
        evaluation.total_nats += nats;
        evaluation.tokens += targets.len();
        for mask in session.trace().masks() {
            for (block, active) in evaluation.active.iter_mut().enumerate() {
                *active += (mask >> block & 1) as usize;
            }
        }
        progress(1);
    }
    Ok(evaluation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_predict_every_token_but_the_first_once() {
        assert_eq!(windows(10, 4), [0..4, 4..8, 8..9]);
        assert_eq!(windows(9, 4), [0..4, 4..8]);
        assert!(windows(1, 4).is_empty());
        assert!(windows(0, 4).is_empty());
    }

    #[test]
    fn cross_entropy_of_equal_logits_is_the_logarithm_of_their_number() {
        assert!((cross_entropy(&[3.0; 8], 5) - 8f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&[0.0, 1000.0], 1)).abs() < 1e-12);
    }
}
