//! Spends a budget of cycles: which operating point the next token gets, from what the tokens so far have cost.

use crate::blob::Blob;
use crate::format::header::MAX_OPERATING_POINTS;
use heapless::Vec;

/// Tokens over which what was spent too much, or too little, is made good: few enough that a short answer ends on its budget, many
/// enough that one deep token does not push the next ones to the cheapest point.
const HORIZON: f32 = 4.0;
/// Share of each token in the running estimate of a token's cycles at full depth.
const NEWEST: f32 = 0.125;
/// Most that is remembered as owed, in budgets: a budget that no point meets must not weigh on the tokens after it has been changed.
const MOST_OWED: f32 = 16.0;

/// Chooses operating points so that the mean over the tokens comes to the budget, where the model's cheapest and dearest point allow it.
///
/// The application measures each token's cycles, says them to [`Controller::spent`], and gives [`Controller::point`] to
/// [`crate::Session::set_operating_point`]. It divides in single precision once per token and needs no other arithmetic.
#[derive(Clone, Debug)]
pub struct Controller {
    budget: f32,                            // cycles per token
    shares: Vec<f32, MAX_OPERATING_POINTS>, // [points], of token-layer operations that run
    point: usize,
    owed: f32,         // cycles spent beyond the budget
    full: Option<f32>, // estimate of a token's cycles at full depth
}

impl Controller {
    /// A controller that starts at the model's default point.
    pub fn new(blob: &Blob<'_>, cycles_per_token: u32) -> Self {
        let header = blob.header();
        let shares = header.operating_points.iter().map(|point| (1.0 - point.saved).clamp(0.01, 1.0)).collect();
        Self { budget: cycles_per_token as f32, shares, point: usize::from(header.default_point), owed: 0.0, full: None }
    }

    /// The operating point of the next token.
    pub fn point(&self) -> usize {
        self.point
    }

    /// Takes note of what a token at [`Controller::point`] cost, and chooses the next token's point: the one whose cost is nearest to the
    /// budget, less a part of what is owed.
    pub fn spent(&mut self, cycles: u32) {
        let cycles = cycles as f32;
        let most = MOST_OWED * self.budget;
        self.owed = (self.owed + cycles - self.budget).min(most).max(-most); // `clamp` can panic
        let found = cycles / self.shares.get(self.point).copied().unwrap_or(1.0);
        let full = self.full.map_or(found, |full| full + NEWEST * (found - full));
        self.full = Some(full);
        let wanted = self.budget - self.owed * (1.0 / HORIZON);
        let mut nearest = f32::INFINITY;
        for (point, share) in self.shares.iter().enumerate() {
            let distance = (share * full - wanted).abs();
            if distance < nearest {
                (nearest, self.point) = (distance, point);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: [f32; 5] = [0.3, 0.45, 0.6, 0.8, 1.0];
    const FULL: f32 = 1_500_000.0;

    fn controller(budget: f32) -> Controller {
        Controller { budget, shares: SHARES.into_iter().collect(), point: 2, owed: 0.0, full: None }
    }

    /// Mean of so many tokens whose cycles scatter by half around what their point says, and grow with the position.
    fn mean(mut controller: Controller, tokens: usize, seed: u32) -> f32 {
        let mut state = seed;
        let mut sum = 0.0;
        for token in 0..tokens {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let scatter = 0.5 + (state >> 8) as f32 / (1 << 24) as f32;
            let cycles = SHARES[controller.point()] * FULL * scatter * (0.9 + 0.2 * token as f32 / tokens as f32);
            controller.spent(cycles as u32);
            sum += cycles;
        }
        sum / tokens as f32
    }

    #[test]
    fn the_mean_stays_within_3_percent_of_any_budget_between_the_points() {
        for share in [0.35, 0.4, 0.5, 0.55, 0.7, 0.75, 0.9] {
            for seed in 0..20 {
                let found = mean(controller(share * FULL), 100, seed);
                assert!((found / (share * FULL) - 1.0).abs() < 0.03, "{found} for a budget of {}", share * FULL);
            }
        }
    }

    #[test]
    fn budgets_beyond_the_points_get_the_nearest_point() {
        for (budget, point) in [(0.0, 0), (10.0, 0), (0.1 * FULL, 0), (2.0 * FULL, 4), (1e9, 4)] {
            let mut controller = controller(budget);
            for _ in 0..20 {
                controller.spent((SHARES[controller.point()] * FULL) as u32);
            }
            assert_eq!(controller.point(), point, "budget {budget}");
        }
    }

    #[test]
    fn a_budget_that_could_not_be_met_is_forgotten_within_the_memory() {
        let mut controller = controller(0.1 * FULL);
        (0..1000).for_each(|_| controller.spent((SHARES[controller.point()] * FULL) as u32));
        controller.budget = 0.7 * FULL;
        let found = mean(controller, 100, 1);
        assert!(found > 0.6 * FULL, "{found}");
    }
}
