//! What a joint stage minimises: trunk, exits and routers together, from the first step to the last.
//!
//! Every sequence runs at full depth, with a loss at each exit, and each router learns what its token still has to gain. Half of the
//! sequences then run again as they will at run time, under hard routing, so that blocks learn to work among tokens that have halted.

use crate::controls;
use crate::losses::{Batch, Loss, Streams, with_dropout};
use crate::model::{Gates, Model, Pass};
use crate::ops::cross_entropy::cross_entropy;
use crate::ops::imitation::imitation;
use crate::random::Purpose;
use crate::recipe::Stage;
use anyhow::{Context, Result};
use candle_core::Tensor;
use fathom::format::Shape;
use rand::Rng;

/// Weight of the routed pass beside that of the open one: it sees half of the sequences.
const ROUTED_WEIGHT: f64 = 0.5;
/// Share of the stage over which the largest share that is saved rises from 0: before, routers know nothing.
const RAMP: f64 = 0.25;
/// Halvings of the price of a block.
const BISECTIONS: usize = 30;

/// `progress` is the share of the stage that is done.
///
/// # Errors
/// Those of candle.
pub fn joint(model: &Model, shape: &Shape, stage: &Stage, batch: &Batch, progress: f64, streams: &Streams<'_>) -> Result<Loss> {
    let routed_tokens = (batch.inputs.len() / shape.context).div_ceil(2) * shape.context;
    let mut draws = streams(Purpose::Depth);
    let most = stage.save * (progress / RAMP).min(1.0);
    let share = most * draws.random::<f64>();
    with_dropout(stage, streams, |dropout| {
        let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, dropout)?;
        let open = open(model, shape, stage, batch, &pass)?;
        let outputs: Vec<Vec<f32>> =
            open.outputs.iter().map(|z| z.narrow(0, 0, routed_tokens)?.to_vec1()).collect::<Result<_, _>>()?;
        let thresholds = thresholds_at(&outputs, share);
        let (inputs, targets) = (&batch.inputs[..routed_tokens], &batch.targets[..routed_tokens]);
        // Without dropout: what halts is decided as at run time.
        let routed = model.forward(inputs, shape.context, &Gates::Hard(&thresholds), None)?;
        let last = &routed.residuals[shape.blocks];
        let loss = cross_entropy(&model.classify(last)?, targets)?.mean_all()?;
        let ran = routed.active.iter().flatten().filter(|active| **active).count();
        let active = ran as f64 / (routed_tokens * shape.blocks) as f64;
        let trunk = ((open.loss + (loss * ROUTED_WEIGHT)?)? / (1.0 + ROUTED_WEIGHT))?;
        Ok(Loss { loss: (trunk + open.regression)?, shown: open.shown, active })
    })
}

/// What the open pass gives.
struct Open {
    /// Cross-entropy at full depth, and the weighted mean of what the shallower exits lose.
    loss: Tensor,
    /// Mean squared error of the routers' predictions; reaches the routers alone.
    regression: Tensor,
    /// Of full depth, in nats.
    shown: f64,
    /// Router outputs `[routers]` of `[n]`.
    outputs: Vec<Tensor>,
}

fn open(model: &Model, shape: &Shape, stage: &Stage, batch: &Batch, pass: &Pass) -> Result<Open> {
    let full_logits = model.classify(&pass.residuals[shape.blocks])?;
    let full = cross_entropy(&full_logits, &batch.targets)?;
    let mut loss = full.mean_all()?;
    let shown = f64::from(loss.to_scalar::<f32>()?);
    let shallow: Vec<usize> = if stage.exits.is_empty() { (1..shape.blocks).collect() } else { stage.exits.clone() };
    let shallow: Vec<usize> = shallow.into_iter().filter(|exit| *exit < shape.blocks).collect();
    let (mut errors, mut outputs) = (Vec::new(), Vec::new());
    let full = full.detach();
    for block in 1..shape.blocks {
        let residual = &pass.residuals[block];
        let trained = shallow.contains(&block) && stage.shallow_weight > 0.0;
        let logits = model.classify(&if trained { residual.clone() } else { residual.detach() })?;
        let losses = cross_entropy(&logits, &batch.targets)?;
        if trained {
            let weight = stage.shallow_weight / shallow.len() as f64;
            let hard = losses.mean_all()?;
            let taught = if stage.self_distillation > 0.0 {
                let distance = imitation(&logits, &full_logits.detach())?.mean_all()?;
                ((hard * (1.0 - stage.self_distillation))? + (distance * stage.self_distillation)?)?
            } else {
                hard
            };
            loss = (loss + (taught * weight)?)?;
        }
        let z = model.router(block, &residual.detach())?;
        // A router says how much its token loses by going on: the gain, negated.
        errors.push((&z + (losses.detach() - &full)?)?.sqr()?.mean_all()?);
        outputs.push(z.detach());
    }
    let regression = Tensor::stack(&errors, 0).context("a routed model has at least 2 blocks")?.mean_all()?;
    Ok(Open { loss, regression, shown, outputs })
}

/// One threshold per router, `[routers]`, that save `share` of the token-layer operations when a token halts where the gain that its router
/// promises is below the price of the blocks to come, the same price for each. `outputs` `[routers][n]`, those at full depth.
pub fn thresholds_at(outputs: &[Vec<f32>], share: f64) -> Vec<f32> {
    let blocks = outputs.len() + 1;
    if share <= 0.0 {
        return vec![f32::MAX; outputs.len()];
    }
    let thresholds =
        |price: f32| -> Vec<f32> { (0..outputs.len()).map(|router| -price * (outputs.len() - router) as f32).collect() };
    let (mut low, mut high) = (-16f32, 16f32);
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if saved(outputs, &thresholds(middle), blocks) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    thresholds(0.5 * (low + high))
}

/// Share of token-layer operations saved when a token halts at the first router whose output reaches its threshold.
fn saved(outputs: &[Vec<f32>], thresholds: &[f32], blocks: usize) -> f64 {
    let tokens = outputs.first().map_or(0, Vec::len);
    let depth =
        |token: usize| 1 + outputs.iter().zip(thresholds).take_while(|(z, threshold)| z[token] < **threshold).count() as u8;
    controls::saved(&(0..tokens).map(depth).collect::<Vec<_>>(), blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[3][1000]` outputs without order.
    fn outputs() -> Vec<Vec<f32>> {
        (0..3)
            .map(|router| (0..1000).map(|token| ((token * 7919 + router * 613) % 1009) as f32 / 504.5 - 1.0).collect())
            .collect()
    }

    #[test]
    fn thresholds_save_the_share_that_was_asked_for() {
        for share in [0.1, 0.3, 0.5, 0.7] {
            let thresholds = thresholds_at(&outputs(), share);
            let found = saved(&outputs(), &thresholds, 4);
            assert!((found - share).abs() < 0.005, "{share}: {found}");
        }
        assert_eq!(saved(&outputs(), &thresholds_at(&outputs(), 0.0), 4), 0.0);
    }

    #[test]
    fn the_price_is_that_of_the_blocks_to_come() {
        let thresholds = thresholds_at(&outputs(), 0.4);
        assert_eq!(thresholds[0], 3.0 * thresholds[2]);
        assert_eq!(thresholds[1], 2.0 * thresholds[2]);
    }
}
