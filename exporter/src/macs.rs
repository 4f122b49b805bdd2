//! Weights that an evaluation multiplied by, per token.

use crate::blob_eval::Evaluation;
use fathom::format::Shape;

/// Multiply-accumulates with a weight, of one token each. Attention's, which have no weights, are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightMacs {
    /// Of a block that a token runs, with its keys and values.
    pub block: usize,
    /// Of the keys and values that a token leaves for a block that it does not run.
    pub key_value: usize,
    /// Of a router.
    pub router: usize,
    /// Of the head.
    pub head: usize,
}

impl WeightMacs {
    /// Of models with this shape.
    pub fn new(shape: &Shape) -> Self {
        let (width, inner) = (shape.width, shape.heads * shape.head_dim);
        let key_value = shape.key_value_width() * width;
        let block = 2 * inner * width + key_value + (shape.up_rows() + shape.mlp_width) * width;
        Self {
            block,
            key_value,
            router: shape.router_width * (width + shape.outputs() / shape.routers().max(1)),
            head: shape.vocabulary * width,
        }
    }

    /// Mean over the tokens of an evaluation under `thresholds` `[outputs]`, routers and head included.
    pub fn per_token(&self, evaluation: &Evaluation, thresholds: &[f32]) -> f64 {
        let blocks: usize = evaluation.active.iter().sum();
        let routers = evaluation.routers(thresholds);
        let all = self.block * blocks + self.key_value * evaluation.projected as usize + self.router * routers;
        all as f64 / evaluation.tokens.max(1) as f64 + self.head as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fathom::format::{Cache, DepthSet, Element, Mlp, Norm, Policy, Position, Variants};

    #[test]
    fn counts_blocks_routers_and_what_inactive_tokens_leave() {
        let variants =
            Variants { norm: Norm::RmsNorm, position: Position::Learned, mlp: Mlp::SwiGlu, bias: false, tied_head: true };
        let shape = Shape {
            blocks: 3,
            width: 8,
            heads: 2,
            kv_heads: 1,
            head_dim: 4,
            mlp_width: 12,
            context: 8,
            vocabulary: 5,
            router_width: 2,
            variants,
            element: Element::Int8,
            policy: Policy::Halt,
            cache: Cache::Project,
            soft_scaling: false,
        };
        let macs = WeightMacs::new(&shape);
        // Query and output 8x8 each, keys and values 8x8, MLP 24x8 and 8x12.
        assert_eq!((macs.block, macs.key_value, macs.router, macs.head), (128 + 64 + 288, 64, 18, 40));
        // One token stops after the first block and asks one router, one runs all three and asks two.
        let mut evaluation = Evaluation { tokens: 2, ..Evaluation::default() };
        evaluation.add_masks(&shape, [1, 7].into_iter());
        assert_eq!(macs.per_token(&evaluation, &[0.5, 0.5]), (4 * 480 + 2 * 64 + 3 * 18) as f64 / 2.0 + 40.0);
        // A router that halts no one is not evaluated.
        assert_eq!(macs.per_token(&evaluation, &[f32::MAX, 0.5]), (4 * 480 + 2 * 64 + 18) as f64 / 2.0 + 40.0);
        // With an exit after one block behind two, each token makes all keys and values, and both ask the one router.
        let routing = (Policy::Exit { depths: DepthSet::from_iter([2]) }, Cache::Ahead { blocks: 2 });
        let exits = Shape { policy: routing.0, cache: routing.1, ..shape };
        let mut leaving = Evaluation { tokens: 2, ..Evaluation::default() };
        leaving.add_masks(&exits, [3, 7].into_iter());
        assert_eq!(WeightMacs::new(&exits).per_token(&leaving, &[0.5]), (5 * 480 + 64 + 2 * 18) as f64 / 2.0 + 40.0);
        let mut skipping = Evaluation { tokens: 2, ..Evaluation::default() };
        skipping.add_masks(&Shape { policy: Policy::Skip, ..shape }, [1, 7].into_iter());
        assert_eq!(macs.per_token(&skipping, &[0.5, 0.5]) - macs.per_token(&evaluation, &[0.5, 0.5]), 9.0);
    }
}
