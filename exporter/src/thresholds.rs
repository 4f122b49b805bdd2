//! Thresholds of routers that halt, by what depth is worth: at a price per block, each router's threshold is the one whose halted tokens
//! lose least, the price of what they run included.
//!
//! Losses and outputs are those of one pass at full depth, so that a search costs no further pass; what halted neighbours change is left
//! to the closed loop of [`crate::calibrate`], which moves along the path from full depth to the least.

use crate::evaluate::OpenPass;

/// Prices of a block in nats, the path's nodes between its ends; the path goes straight from one to the next.
const PRICES: [f64; 20] = [
    0.0001, 0.0002, 0.0004, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.011, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1,
    0.15, 0.3,
];
/// Rounds over all routers at one price; they settle in three or four.
const ROUNDS: usize = 8;

/// For each node from full depth to the least, how many tokens reach each router's threshold, were they all to get there: `[outputs]`.
type Node = Vec<usize>;

/// Ways from full depth to the least, one threshold per router.
#[derive(Clone, Debug)]
pub struct Path {
    sorted: Vec<Vec<f32>>, // [outputs][tokens], the largest output first
    nodes: Vec<Node>,
}

impl Path {
    /// The path of a text's pass at full depth.
    pub fn new(pass: &OpenPass) -> Self {
        let tokens = pass.losses.first().map_or(0, Vec::len);
        let orders: Vec<Vec<usize>> = pass.outputs.iter().map(|outputs| order(outputs)).collect();
        let search = Search { pass, orders: &orders, tokens };
        let mut node = vec![0; orders.len()];
        let mut nodes = vec![node.clone()];
        for price in PRICES {
            search.descend(&mut node, price);
            nodes.push(node.clone());
        }
        nodes.push(vec![tokens; orders.len()]);
        let sorted = pass.outputs.iter().zip(&orders).map(|(outputs, order)| order.iter().map(|token| outputs[*token]).collect());
        Self { sorted: sorted.collect(), nodes }
    }

    /// Thresholds at a place of the path, 0 (nothing halts) to 1 (everything does at the first router).
    pub fn thresholds(&self, place: f64) -> Vec<f32> {
        let place = place.clamp(0.0, 1.0) * (self.nodes.len() - 1) as f64;
        let before = (place as usize).min(self.nodes.len() - 2);
        let share = place - before as f64;
        let between = |(router, (from, to)): (usize, (&usize, &usize))| {
            let halted = (1.0 - share) * *from as f64 + share * *to as f64;
            match (halted.round() as usize).checked_sub(1) {
                // A token halts where its output reaches the threshold.
                Some(last) => self.sorted[router][last],
                None => f32::MAX,
            }
        };
        self.nodes[before].iter().zip(&self.nodes[before + 1]).enumerate().map(between).collect()
    }

    /// One threshold for all routers, at a place between that which halts nothing (0) and that which halts everything (1).
    pub fn common(&self, place: f64) -> Vec<f32> {
        let mut all: Vec<f32> = self.sorted.concat();
        all.sort_by(|a, b| b.total_cmp(a));
        let last = ((place.clamp(0.0, 1.0) * all.len() as f64).round() as usize).checked_sub(1);
        vec![last.map_or(f32::MAX, |last| all[last]); self.sorted.len()]
    }
}

/// Tokens in the order in which a falling threshold halts them.
fn order(outputs: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..outputs.len()).collect();
    order.sort_by(|a, b| outputs[*b].total_cmp(&outputs[*a]).then(a.cmp(b)));
    order
}

struct Search<'a> {
    pass: &'a OpenPass,
    orders: &'a [Vec<usize>],
    tokens: usize,
}

impl Search<'_> {
    /// Moves one threshold after another, the last first, to where loss and price are least, until none moves. At a higher price none
    /// halts fewer tokens than at the one before: the path would otherwise run back and forth.
    fn descend(&self, node: &mut Node, price: f64) {
        let cheaper = node.clone();
        for _ in 0..ROUNDS {
            let before = node.clone();
            for router in (0..node.len()).rev() {
                node[router] = self.best(node, router, cheaper[router], price);
            }
            if *node == before {
                break;
            }
        }
    }

    /// How many tokens, at least `fewest`, router `router` best halts, the others being as they are.
    fn best(&self, node: &Node, router: usize, fewest: usize, price: f64) -> usize {
        // `halts[r][token]`: whether router r would halt it.
        let halted = |router: usize| {
            let mut halts = vec![false; self.tokens];
            self.orders[router][..node[router]].iter().for_each(|token| halts[*token] = true);
            halts
        };
        let halts: Vec<Vec<bool>> = (0..node.len()).map(halted).collect();
        let worth = |exit: usize, token: usize| f64::from(self.pass.losses[exit][token]) + price * self.pass.depths[exit] as f64;
        let (mut sum, mut least, mut best) = (0.0, 0.0, 0);
        if fewest > 0 {
            (least, best) = (f64::INFINITY, fewest);
        }
        for (count, token) in self.orders[router].iter().enumerate() {
            if halts[..router].iter().all(|halts| !halts[*token]) {
                let later = (router + 1..node.len()).find(|later| halts[*later][*token]).unwrap_or(node.len());
                sum += worth(router, *token) - worth(later, *token);
            }
            if sum < least && count + 1 >= fewest {
                (least, best) = (sum, count + 1);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 blocks, 2 routers that know the gain exactly; a third of the tokens gain much, little and nothing from each block.
    fn pass() -> OpenPass {
        let gains = |token: usize| [[0.5, 0.2], [0.05, 0.01], [0.0, 0.0]][token % 3];
        let tokens = 300;
        let loss = |exit: usize| move |token: usize| 1.0 + gains(token)[exit..].iter().sum::<f32>();
        let losses = (0..3).map(|exit| (0..tokens).map(loss(exit)).collect()).collect();
        let outputs = (0..2).map(|router| (0..tokens).map(|token| 1.0 - loss(router)(token)).collect()).collect();
        OpenPass { losses, outputs, depths: vec![1, 2, 3] }
    }

    fn depths(path: &Path, place: f64) -> Vec<usize> {
        let thresholds = path.thresholds(place);
        let pass = pass();
        let depth = |token: usize| 1 + pass.outputs.iter().zip(&thresholds).take_while(|(z, limit)| z[token] < **limit).count();
        (0..3).map(depth).collect()
    }

    #[test]
    fn a_token_runs_the_blocks_that_bring_more_than_their_price() {
        let path = Path::new(&pass());
        let node = |price: f64| (1 + PRICES.iter().position(|p| *p == price).unwrap()) as f64 / (PRICES.len() + 1) as f64;
        assert_eq!(depths(&path, 0.0), [3, 3, 3]);
        assert_eq!(depths(&path, node(0.001)), [3, 3, 1]);
        assert_eq!(depths(&path, node(0.02)), [3, 2, 1]);
        assert_eq!(depths(&path, node(0.1)), [3, 1, 1]);
        assert_eq!(depths(&path, 1.0), [1, 1, 1]);
    }

    #[test]
    fn between_two_prices_only_the_share_of_halted_tokens_moves() {
        let path = Path::new(&pass());
        let ran = |place: f64| -> usize { depths(&path, place).iter().sum() };
        let found: Vec<usize> = (0..=40).map(|step| ran(f64::from(step) / 40.0)).collect();
        assert!(found.is_sorted_by(|a, b| a >= b), "{found:?}");
    }
}
