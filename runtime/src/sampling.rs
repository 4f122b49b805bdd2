//! From logits to the next token.

use crate::math::exp;

/// Greedy, or seeded temperature sampling among the most likely tokens. The same seed gives the same tokens on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    state: u64,
    temperature: f32,
    top_k: usize,
}

impl Sampler {
    /// *Ranges*: `temperature` 0 (or anything not above 0) is greedy; `top_k` 0 is the whole vocabulary.
    pub fn new(seed: u64, temperature: f32, top_k: u16) -> Self {
        Self { state: seed, temperature, top_k: usize::from(top_k) }
    }

    /// The next token; the first of equals when greedy. `logits` `[vocabulary]`. Never panics; 0 for no logits.
    pub fn sample(&mut self, logits: &[f32]) -> u16 {
        let mut best = 0;
        let mut largest = f32::NEG_INFINITY;
        for (token, logit) in logits.iter().enumerate() {
            if *logit > largest {
                (best, largest) = (token, *logit);
            }
        }
        if self.temperature > 0.0 && self.temperature < f32::INFINITY {
            let inverse = 1.0 / self.temperature;
            let least = self.least_kept(logits);
            let weight = |logit: f32| if logit >= least { exp((logit - largest) * inverse) } else { 0.0 };
            let total: f32 = logits.iter().map(|logit| weight(*logit)).sum();
            let mut left = self.uniform() * total;
            for (token, logit) in logits.iter().enumerate() {
                left -= weight(*logit);
                if left < 0.0 {
                    best = token;
                    break;
                }
            }
        }
        best as u16
    }

    /// The `top_k`-th largest logit: repeated maxima, so that no buffer is needed.
    fn least_kept(&self, logits: &[f32]) -> f32 {
        if self.top_k == 0 || self.top_k >= logits.len() {
            return f32::NEG_INFINITY;
        }
        let mut least = f32::INFINITY;
        let mut kept = 0;
        while kept < self.top_k {
            let below = logits.iter().copied().filter(|logit| *logit < least);
            let next = below.fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
            if next == f32::NEG_INFINITY {
                return next;
            }
            least = next;
            kept += logits.iter().filter(|logit| **logit == least).count();
        }
        least
    }

    /// Uniform in `[0, 1)`: 24 bits of SplitMix64 (Steele, Lea, Flood 2014).
    fn uniform(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 * (1.0 / 16_777_216.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        assert_eq!(Sampler::new(1, 0.0, 0).sample(&[0.0, 2.0, 2.0, 1.0]), 1);
    }

    #[test]
    fn top_k_never_draws_a_less_likely_token() {
        let mut sampler = Sampler::new(7, 1.0, 2);
        let mut seen = [0; 4];
        for _ in 0..1000 {
            seen[usize::from(sampler.sample(&[1.0, 0.5, 0.9, 0.0]))] += 1;
        }
        assert!(seen[1] == 0 && seen[3] == 0 && seen[0] > seen[2] && seen[2] > 400, "{seen:?}");
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let mut sampler = Sampler::new(3, 2.0, 0);
        let draws = 20_000;
        let second = (0..draws).filter(|_| sampler.sample(&[0.0, 1.0]) == 1).count();
        let wanted = 1.0 / (1.0 + (-0.5f64).exp()); // temperature 2 halves the difference
        assert!((second as f64 / f64::from(draws) - wanted).abs() < 0.015); // four standard deviations
    }

    #[test]
    fn odd_input_gives_a_token_and_no_panic() {
        let mut sampler = Sampler::new(3, 1.0, 1);
        assert_eq!(sampler.sample(&[]), 0);
        assert!(sampler.sample(&[f32::NAN, f32::NAN]) < 2);
        assert!(sampler.sample(&[f32::INFINITY, f32::NEG_INFINITY]) < 2);
    }
}
