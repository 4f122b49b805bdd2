//! What a joint stage minimises: trunk, exits and routers together, from the first step to the last.
//!
//! Every sequence runs at full depth, with a loss at each exit, and each router learns what its token still has to gain. Half of the
//! sequences then run again as they will at run time, under hard routing, so that blocks learn to work among tokens that have halted.
//! Where halted tokens leave what they would have left anyway (keys and values made ahead), the first pass has every loss that the second
//! would find, for all sequences.

use crate::controls;
use crate::losses::{Batch, Loss, Streams, with_dropout};
use crate::model::{Dropout, Gates, Model, Pass};
use crate::ops::cross_entropy::cross_entropy;
use crate::ops::imitation::imitation;
use crate::random::Purpose;
use crate::recipe::Stage;
use anyhow::{Context, Result};
use candle_core::Tensor;
use fathom::format::{Cache, Shape};
use rand::Rng;

/// Weight of the routed pass beside that of the open one.
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
    let exits = shallow_exits(shape, stage);
    let mixed = halted_tokens_change_nothing(shape, &exits);
    let routed_tokens = if mixed { batch.inputs.len() } else { (batch.inputs.len() / shape.context).div_ceil(2) * shape.context };
    let mut draws = streams(Purpose::Depth);
    let most = stage.save * (progress / RAMP).min(1.0);
    let share = most * draws.random::<f64>();
    with_dropout(stage, streams, |mut dropout| {
        let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, dropout.as_deref_mut())?;
        let open = open(model, shape, stage, &Exits { shallow: &exits, mixed }, batch, &pass, dropout)?;
        let outputs: Vec<Vec<f32>> =
            open.outputs.iter().map(|z| z.narrow(0, 0, routed_tokens)?.to_vec1()).collect::<Result<_, _>>()?;
        let possible: Vec<usize> = shape.depths().collect();
        let thresholds = trained_only(thresholds_at(&outputs, &possible, share), &possible, &exits);
        let (routed, depths) = if mixed {
            let depths = depths(&outputs, &possible, &thresholds);
            (mean_at(&open.losses, &possible, &depths)?, depths)
        } else {
            let (inputs, targets) = (&batch.inputs[..routed_tokens], &batch.targets[..routed_tokens]);
            // Without dropout: what halts is decided as at run time.
            let routed = model.forward(inputs, shape.context, &Gates::Thresholds(&thresholds), None)?;
            let last = &routed.residuals[shape.blocks];
            let ran = |token: usize| routed.active.iter().filter(|active| active[token]).count() as u8;
            (cross_entropy(&model.classify(last)?, targets)?.mean_all()?, (0..routed_tokens).map(ran).collect())
        };
        let active = 1.0 - controls::saved(&depths, shape.blocks);
        let trunk = ((open.loss + (routed * ROUTED_WEIGHT)?)? / (1.0 + ROUTED_WEIGHT))?;
        Ok(Loss { loss: (trunk + open.regression)?, shown: open.shown, active })
    })
}

/// Where tokens may halt.
struct Exits<'a> {
    /// Depths below the last.
    shallow: &'a [usize],
    /// Whether the losses there are those of a routed pass.
    mixed: bool,
}

/// Depths below the last whose loss is trained.
fn shallow_exits(shape: &Shape, stage: &Stage) -> Vec<usize> {
    let all = if stage.exits.is_empty() { shape.depths().collect() } else { stage.exits.clone() };
    all.into_iter().filter(|exit| *exit < shape.blocks).collect()
}

/// Whether tokens that halt at these exits leave later tokens the keys and values that they would have left had they gone on: those made
/// ahead are all there once a token has run the blocks before block `key_value_blocks - 1`, as at every exit of policy exit.
fn halted_tokens_change_nothing(shape: &Shape, exits: &[usize]) -> bool {
    let ahead = matches!(shape.cache, Cache::Ahead { .. });
    ahead && exits.iter().all(|exit| exit + 1 >= shape.key_value_blocks())
}

/// The same thresholds where an exit is trained, and elsewhere such that no token halts.
fn trained_only(thresholds: Vec<f32>, possible: &[usize], exits: &[usize]) -> Vec<f32> {
    let each = thresholds.into_iter().zip(possible);
    each.map(|(threshold, depth)| if exits.contains(depth) { threshold } else { f32::MAX }).collect()
}

/// Mean of each token's loss at its depth; `losses` `[possible depths]` of `[n]`, `depths` `[n]`.
fn mean_at(losses: &[Tensor], possible: &[usize], depths: &[u8]) -> Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for (losses, here) in losses.iter().zip(possible) {
        let here: Vec<f32> = depths.iter().map(|depth| f32::from(u8::from(usize::from(*depth) == *here))).collect();
        if here.iter().all(|here| *here == 0.0) {
            continue;
        }
        let sum = (losses * Tensor::from_vec(here, depths.len(), losses.device())?)?.sum_all()?;
        total = Some(match total {
            Some(total) => (total + sum)?,
            None => sum,
        });
    }
    Ok((total.context("a batch has tokens")? / depths.len() as f64)?)
}

/// What the open pass gives.
struct Open {
    /// Cross-entropy at full depth, and the weighted mean of what the shallower exits lose.
    loss: Tensor,
    /// Mean squared error of the routers' predictions; reaches the routers alone.
    regression: Tensor,
    /// Of full depth, in nats.
    shown: f64,
    /// Router outputs `[outputs]` of `[n]`; no token is to halt where no exit is trained, so those are minus infinity.
    outputs: Vec<Tensor>,
    /// Cross-entropies `[outputs + 1]` of `[n]`, by depth.
    losses: Vec<Tensor>,
}

fn open(
    model: &Model,
    shape: &Shape,
    stage: &Stage,
    exits: &Exits<'_>,
    batch: &Batch,
    pass: &Pass,
    mut dropout: Option<&mut Dropout<'_>>,
) -> Result<Open> {
    let full_logits = model.classify(&pass.residuals[shape.blocks])?;
    let full = cross_entropy(&full_logits, &batch.targets)?;
    let mut loss = full.mean_all()?;
    let shown = f64::from(loss.to_scalar::<f32>()?);
    let (mut errors, mut outputs, mut all_losses) = (Vec::new(), Vec::new(), Vec::new());
    let settled = full_logits.detach();
    for (z, depth) in model.routers(pass)?.into_iter().zip(shape.depths()) {
        let residual = model.at_depth(depth, pass, dropout.as_deref_mut())?;
        let is_exit = exits.shallow.contains(&depth);
        let trained = is_exit && stage.shallow_weight > 0.0;
        let logits = model.classify(&if trained || (is_exit && exits.mixed) { residual } else { residual.detach() })?;
        let losses = cross_entropy(&logits, &batch.targets)?;
        let distance = imitation(&logits, &settled)?;
        if trained {
            let weight = stage.shallow_weight / exits.shallow.len() as f64;
            let hard = losses.mean_all()?;
            let taught = if stage.self_distillation > 0.0 {
                ((hard * (1.0 - stage.self_distillation))? + (distance.mean_all()? * stage.self_distillation)?)?
            } else {
                hard
            };
            loss = (loss + (taught * weight)?)?;
        }
        // A router says how much its token loses by going on: the gain, negated. What a model that knows its own doubts expects to gain is
        // its distance from the prediction here, which is not left to the chance of one next token.
        errors.push((&z + distance.detach())?.sqr()?.mean_all()?);
        outputs.push(if is_exit { z.detach() } else { Tensor::full(f32::NEG_INFINITY, z.shape(), z.device())? });
        all_losses.push(losses);
    }
    all_losses.push(full);
    let regression = Tensor::stack(&errors, 0).context("a routed model has at least 2 blocks")?.mean_all()?;
    Ok(Open { loss, regression, shown, outputs, losses: all_losses })
}

/// One threshold per router, `[outputs]`, that save `share` of the token-layer operations when a token halts where the gain that its router
/// promises is below the price of the blocks to come, the same price for each. `outputs` `[outputs][n]`, those at full depth; `possible`
/// `[outputs + 1]` are the depths that tokens can have.
pub fn thresholds_at(outputs: &[Vec<f32>], possible: &[usize], share: f64) -> Vec<f32> {
    if share <= 0.0 {
        return vec![f32::MAX; outputs.len()];
    }
    let last = possible.last().copied().unwrap_or_default();
    let thresholds =
        |price: f32| -> Vec<f32> { possible.iter().take(outputs.len()).map(|depth| -price * (last - depth) as f32).collect() };
    let (mut low, mut high) = (-16f32, 16f32);
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if saved(outputs, &thresholds(middle), possible) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    thresholds(0.5 * (low + high))
}

/// Share of token-layer operations saved when a token halts at the first router whose output reaches its threshold.
fn saved(outputs: &[Vec<f32>], thresholds: &[f32], possible: &[usize]) -> f64 {
    controls::saved(&depths(outputs, possible, thresholds), possible.last().copied().unwrap_or_default())
}

/// Blocks that each token runs, `[n]`: those of the first output that reaches its threshold.
pub fn depths(outputs: &[Vec<f32>], possible: &[usize], thresholds: &[f32]) -> Vec<u8> {
    let tokens = outputs.first().map_or(0, Vec::len);
    let passed = |token: usize| outputs.iter().zip(thresholds).take_while(|(z, threshold)| z[token] < **threshold).count();
    (0..tokens).map(|token| possible[passed(token)] as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Parameters;
    use crate::recipe::Recipe;
    use crate::train::initial;

    /// `[3][1000]` outputs without order.
    fn outputs() -> Vec<Vec<f32>> {
        (0..3)
            .map(|router| (0..1000).map(|token| ((token * 7919 + router * 613) % 1009) as f32 / 504.5 - 1.0).collect())
            .collect()
    }

    #[test]
    fn thresholds_save_the_share_that_was_asked_for() {
        for share in [0.1, 0.3, 0.5, 0.7] {
            let thresholds = thresholds_at(&outputs(), &[1, 2, 3, 4], share);
            let found = saved(&outputs(), &thresholds, &[1, 2, 3, 4]);
            assert!((found - share).abs() < 0.005, "{share}: {found}");
        }
        assert_eq!(saved(&outputs(), &thresholds_at(&outputs(), &[1, 2, 3, 4], 0.0), &[1, 2, 3, 4]), 0.0);
    }

    /// The tiny recipe with another policy and cache, a model of it before training with larger weights (as they are, branches are too
    /// small for anything to matter), and a batch.
    fn scene(policy: &str, makers: u16, exits: &str) -> (Recipe, Shape, Model, Batch) {
        let tiny = include_str!("../recipes/tiny.toml").split("[[stage]]").next().unwrap();
        let model = tiny.replace("\"halt\"", &format!("{policy:?}"));
        let stage = "[[stage]]\nkind = \"joint\"\ntokens = 64\nbatch = 4\nlearning_rate = 1e-3\nsave = 0.25\n";
        let depths = if policy == "exit" { "exit_depths = [2]\n" } else { "" };
        let recipe = Recipe::parse(&format!("{model}{depths}key_value_blocks = {makers}\n{stage}{exits}")).unwrap();
        let shape = recipe.shape(8).unwrap();
        let mut tensors = initial(&shape, &recipe);
        tensors.values_mut().flat_map(|(_, values)| values).for_each(|value| *value *= 4.0);
        let model = Model::new(&shape, &Parameters::new(&tensors).unwrap(), shape.blocks).unwrap();
        let tokens: Vec<u16> = (0..64).map(|i| (i * i / 7 % 8) as u16).collect();
        let batch = Batch { targets: tokens.iter().map(|token| 7 - token).collect(), inputs: tokens };
        (recipe, shape, model, batch)
    }

    /// The loss that a joint stage takes for the routed one, the loss of a pass under hard routing, and whether they are to be alike.
    fn mixed_and_routed(policy: &str, makers: u16, exits: &str) -> (f32, f32, bool) {
        let (recipe, shape, model, batch) = scene(policy, makers, exits);
        let exits = shallow_exits(&shape, &recipe.stages[0]);
        let alike = halted_tokens_change_nothing(&shape, &exits);
        let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, None).unwrap();
        let exits = Exits { shallow: &exits, mixed: true };
        let open = open(&model, &shape, &recipe.stages[0], &exits, &batch, &pass, None).unwrap();
        let outputs: Vec<Vec<f32>> = open.outputs.iter().map(|z| z.to_vec1().unwrap()).collect();
        let possible: Vec<usize> = shape.depths().collect();
        let thresholds = thresholds_at(&outputs, &possible, if shape.outputs() > 1 { 0.3 } else { 0.15 });
        let depths = depths(&outputs, &possible, &thresholds);
        assert!(possible.iter().all(|depth| depths.contains(&(*depth as u8))), "{depths:?}");
        let mixed = mean_at(&open.losses, &possible, &depths).unwrap().to_scalar::<f32>().unwrap();
        let routed = model.forward(&batch.inputs, shape.context, &Gates::Thresholds(&thresholds), None).unwrap();
        let ran = |token: usize| routed.active.iter().filter(|active| active[token]).count();
        assert!((0..64).all(|token| ran(token) == usize::from(depths[token])) || !alike);
        let losses = cross_entropy(&model.classify(&routed.residuals[3]).unwrap(), &batch.targets).unwrap();
        (mixed, losses.mean_all().unwrap().to_scalar().unwrap(), alike)
    }

    #[test]
    fn with_keys_and_values_made_ahead_the_open_pass_has_the_losses_of_the_routed_one() {
        for (policy, makers, exits, wanted) in
            [("halt", 1, "exits = [1, 2, 3]", true), ("halt", 2, "", true), ("halt", 3, "", false), ("exit", 2, "", true)]
        {
            let (mixed, routed, alike) = mixed_and_routed(policy, makers, exits);
            assert_eq!(alike, wanted);
            assert_eq!(
                (mixed - routed).abs() < 1e-5,
                alike,
                "{policy}, {makers} blocks make keys and values: {mixed} and {routed}"
            );
        }
    }

    #[test]
    fn no_token_halts_in_a_routed_pass_where_no_exit_is_trained() {
        let (recipe, shape, model, batch) = scene("halt", 3, "exits = [2, 3]\n");
        let exits = shallow_exits(&shape, &recipe.stages[0]);
        let ran = |thresholds: &[f32]| {
            model.forward(&batch.inputs, shape.context, &Gates::Thresholds(thresholds), None).unwrap().active[1].clone()
        };
        let all_halt = vec![f32::NEG_INFINITY, 0.0];
        assert!(ran(&all_halt).iter().all(|active| !*active));
        assert!(ran(&trained_only(all_halt, &[1, 2, 3], &exits)).iter().all(|active| *active));
    }

    #[test]
    fn routers_learn_how_far_the_prediction_here_is_from_that_at_full_depth() {
        let (recipe, shape, model, batch) = scene("exit", 2, "");
        let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, None).unwrap();
        let exits = Exits { shallow: &shallow_exits(&shape, &recipe.stages[0]), mixed: true };
        let open = open(&model, &shape, &recipe.stages[0], &exits, &batch, &pass, None).unwrap();
        let predictions = |depth: usize| {
            let logits = model.classify(&model.at_depth(depth, &pass, None).unwrap()).unwrap().to_vec2::<f32>().unwrap();
            let softmax = |row: Vec<f32>| {
                let total: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
                row.into_iter().map(|x| f64::from(x).exp() / total).collect::<Vec<f64>>()
            };
            logits.into_iter().map(softmax).collect::<Vec<_>>()
        };
        let (here, last) = (predictions(2), predictions(3));
        let z: Vec<f32> = open.outputs[0].to_vec1().unwrap();
        let error = |token: usize| {
            let distance: f64 = last[token].iter().zip(&here[token]).map(|(p, q)| p * (p / q).ln()).sum();
            (f64::from(z[token]) + distance).powi(2)
        };
        let wanted = (0..64).map(error).sum::<f64>() / 64.0;
        let found = f64::from(open.regression.to_scalar::<f32>().unwrap());
        assert!((found - wanted).abs() < 1e-4 * wanted, "{found} and {wanted}");
    }

    #[test]
    fn the_price_is_that_of_the_blocks_to_come() {
        let thresholds = thresholds_at(&outputs(), &[1, 2, 3, 4], 0.4);
        assert_eq!(thresholds[0], 3.0 * thresholds[2]);
        assert_eq!(thresholds[1], 2.0 * thresholds[2]);
    }
}
