//! What soft gates are said to save, as published (arXiv 2605.05222): alpha is the mean of all gates `1 - p`, and token-layer operations are
//! counted as if a block behind a gate ran for the share alpha of the tokens. Nothing is saved by it: every token runs every block.

use candle_core::{Result, Tensor};

/// Alpha of a pass: the mean over routers and tokens of `gates`, `[routers]` of `[n]`.
///
/// # Errors
/// There is no gate; those of candle.
pub fn alpha(gates: &[Tensor]) -> Result<Tensor> {
    Tensor::stack(gates, 0)?.mean_all()
}

/// Share of token-layer operations that are said to run, `(1 + (blocks - 1) * alpha) / blocks`: the first block has no gate.
pub fn operations(alpha: f64, blocks: usize) -> f64 {
    (1.0 + (blocks as f64 - 1.0) * alpha) / blocks as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Gates of two routers for three tokens.
    fn gates(first: [f32; 3], second: [f32; 3]) -> Vec<Tensor> {
        [first, second].map(|gates| Tensor::from_vec(gates.to_vec(), 3, &Device::Cpu).unwrap()).into()
    }

    #[test]
    fn gates_made_by_hand_have_the_alpha_and_the_operations_of_the_published_formula() {
        let found = |first, second| {
            let alpha = f64::from(alpha(&gates(first, second)).unwrap().to_scalar::<f32>().unwrap());
            (alpha, operations(alpha, 3))
        };
        assert_eq!(found([1.0; 3], [1.0; 3]), (1.0, 1.0));
        assert_eq!(found([0.0; 3], [0.0; 3]), (0.0, 1.0 / 3.0));
        // (0.5 + 1 + 0 + 0.25 + 0.25 + 1) / 6 = 0.5; of 9 token-layer operations 3 have no gate and 6 run by half.
        assert_eq!(found([0.5, 1.0, 0.0], [0.25, 0.25, 1.0]), (0.5, 6.0 / 9.0));
        // Six blocks before training, p = sigmoid(-1): 22.4% are "saved".
        let untrained = 1.0 / (1.0 + f64::exp(-1.0));
        assert!((1.0 - operations(untrained, 6) - 0.224).abs() < 5e-4);
    }
}
