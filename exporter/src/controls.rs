//! Depths that no router chose: what a claim about learned depth is compared with.
//!
//! Each gives a depth in `1..=blocks` for every input of an evaluation, for [`crate::blob_eval::evaluate_at_depths`]. A share is that of
//! token-layer operations saved.

use crate::blob_eval::windows;
use crate::model::{Gates, Model};
use anyhow::{Result, bail, ensure};
use candle_core::D;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Halvings of an interval: finer than f32.
const BISECTIONS: usize = 60;

/// Share of token-layer operations that these depths save.
pub fn saved(depths: &[u8], blocks: usize) -> f64 {
    1.0 - depths.iter().map(|depth| f64::from(*depth)).sum::<f64>() / (depths.len() * blocks).max(1) as f64
}

/// Every token stops after `depth` blocks: the last blocks are dropped.
pub fn static_depths(inputs: usize, depth: u8) -> Vec<u8> {
    vec![depth; inputs]
}

/// Random halting: each router halts a running token with the same probability, the one that saves `share`; `possible` are the depths of a model,
/// ascending.
/// Numbers of tokens of each depth are those expected, so that the share is met; which tokens they are depends on `seed` alone.
///
/// # Errors
/// A share that is negative, or more than the shallowest depth saves.
pub fn random_depths(inputs: usize, possible: &[usize], share: f64, seed: u64) -> Result<Vec<u8>> {
    let (Some(shallowest), Some(blocks)) = (possible.first(), possible.last()) else { bail!("a model has at least one depth") };
    let most = 1.0 - *shallowest as f64 / *blocks as f64;
    ensure!((0.0..=most).contains(&share), "a model of {blocks} blocks saves 0 to {most:.3}, not {share}");
    // Mean depth where a token goes on with probability `going` from each depth to the next.
    let steps = || (1..).zip(possible.windows(2).map(|pair| pair[1] - pair[0]));
    let mean = |going: f64| *shallowest as f64 + steps().map(|(passed, step)| going.powi(passed) * step as f64).sum::<f64>();
    let going = bisect(0.0, 1.0, |going| mean(going) > *blocks as f64 * (1.0 - share));
    let depth = |index: usize| {
        let place = (index as f64 + 0.5) / inputs as f64; // of the token among all, the deepest first
        possible[steps().take_while(|(passed, _)| place < going.powi(*passed)).count()] as u8
    };
    Ok(shuffled((0..inputs).map(depth).collect(), seed))
}

/// The same depths, given to other tokens: what is left of a router's gain when it knows how many tokens need how much, but not which.
pub fn shuffled(mut depths: Vec<u8>, seed: u64) -> Vec<u8> {
    depths.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    depths
}

/// Early exit by confidence: a token stops at the first exit whose largest probability reaches a threshold, the same for all exits.
#[derive(Clone, Debug)]
pub struct Confidence {
    exits: Vec<Vec<f32>>, // [outputs][inputs], the largest probability
    inputs: usize,
    possible: Vec<usize>, // [outputs + 1] depths
}

impl Confidence {
    /// Of a float model on `tokens`, with every block running, in the windows of an evaluation.
    ///
    /// # Errors
    /// Those of candle.
    pub fn new(model: &Model, tokens: &[u16]) -> candle_core::Result<Self> {
        let shape = model.shape();
        let mut exits = vec![Vec::new(); shape.outputs()];
        for window in windows(tokens.len(), shape.context) {
            let pass = model.forward(&tokens[window.clone()], window.len(), &Gates::Open, None)?;
            for (depth, exit) in shape.depths().zip(&mut exits) {
                let logits = model.classify(&model.at_depth(depth, &pass, None)?)?;
                let largest = (logits.max(D::Minus1)? - logits.log_sum_exp(D::Minus1)?)?;
                exit.extend(largest.exp()?.to_vec1::<f32>()?);
            }
        }
        Ok(Self { exits, inputs: tokens.len().saturating_sub(1), possible: shape.depths().collect() })
    }

    /// The depths at a threshold of the largest probability.
    pub fn depths(&self, threshold: f64) -> Vec<u8> {
        let passed = |token: usize| self.exits.iter().take_while(|exit| f64::from(exit[token]) < threshold).count();
        (0..self.inputs).map(|token| self.possible[passed(token)] as u8).collect()
    }

    /// The threshold whose depths save `share` of the token-layer operations on this text, or come nearest.
    pub fn threshold(&self, share: f64) -> f64 {
        // Just above 1 nothing stops early.
        bisect(0.0, 1.0 + f64::from(f32::EPSILON), |threshold| {
            saved(&self.depths(threshold), self.possible[self.exits.len()]) < share
        })
    }
}

/// Where `above`, false below some point and true beyond it, changes.
fn bisect(mut low: f64, mut high: f64, above: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if above(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_halting_meets_its_share_and_halts_evenly() {
        for share in [0.0, 0.1, 0.35, 0.5, 0.8] {
            let depths = random_depths(5000, &[1, 2, 3, 4, 5, 6], share, 3).unwrap();
            assert!((saved(&depths, 6) - share).abs() < 0.002, "{share}: {}", saved(&depths, 6));
            assert!(depths.iter().all(|depth| (1..=6).contains(depth)));
        }
        let depths = random_depths(60_000, &[1, 2, 3, 4, 5, 6], 0.5, 3).unwrap();
        let reached = |depth: u8| depths.iter().filter(|found| **found >= depth).count() as f64;
        let going: Vec<f64> = (1..6).map(|depth| reached(depth + 1) / reached(depth)).collect();
        assert!(going.iter().all(|share| (share - going[0]).abs() < 0.01), "{going:?}");
    }

    #[test]
    fn random_depths_depend_on_the_seed_alone() {
        let of = |seed| random_depths(1000, &[1, 2, 3, 4], 0.4, seed).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        // No pattern: neighbours are as often equal as independent draws are.
        let depths = of(1);
        let share = |depth: u8| depths.iter().filter(|found| **found == depth).count() as f64 / 1000.0;
        let expected: f64 = (1..=4).map(|depth| share(depth).powi(2)).sum();
        let equal = depths.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64 / 999.0;
        assert!((equal - expected).abs() < 0.06, "{equal} against {expected}");
    }

    #[test]
    fn rejects_shares_beyond_the_first_block() {
        assert!(random_depths(10, &[1, 2, 3, 4], 0.75, 1).is_ok());
        assert!(random_depths(10, &[1, 2, 3, 4], 0.76, 1).unwrap_err().to_string().contains("saves 0 to 0.750"));
        assert!(random_depths(10, &[1, 2, 3, 4], -0.1, 1).is_err());
    }

    #[test]
    fn confidence_stops_at_the_first_sure_exit_and_meets_shares() {
        let confidence = Confidence { exits: vec![vec![0.2, 0.9, 0.5], vec![0.8, 0.1, 0.6]], inputs: 3, possible: vec![1, 2, 3] };
        assert_eq!(confidence.depths(0.7), [2, 1, 3]);
        assert_eq!(confidence.depths(0.0), [1, 1, 1]);
        assert_eq!(confidence.depths(1.1), [3, 3, 3]);
        let exits = (0..5).map(|exit| (0..4000).map(|token| ((token * 7919 + exit * 613) % 4001) as f32 / 4001.0).collect());
        let confidence = Confidence { exits: exits.collect(), inputs: 4000, possible: (1..=6).collect() };
        for share in [0.05, 0.3, 0.6, 0.8] {
            let found = saved(&confidence.depths(confidence.threshold(share)), 6);
            assert!((found - share).abs() < 0.01, "{share}: {found}");
        }
    }
}
