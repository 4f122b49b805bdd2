//! What each kind of stage minimises, for one batch.

use crate::model::{Dropout, Gates, Model};
use crate::ops::cross_entropy::cross_entropy;
use crate::ops::imitation::imitation;
use crate::random::Purpose;
use crate::recipe::Stage;
use crate::soft_metric;
use anyhow::{Context, Result};
use candle_core::Tensor;
use fathom::format::Shape;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// One step's tokens, `[batch * context]` each.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What the model reads.
    pub inputs: Vec<u16>,
    /// What it should predict.
    pub targets: Vec<u16>,
}

/// A step's loss.
#[derive(Clone, Debug)]
pub struct Loss {
    /// Scalar with a gradient.
    pub loss: Tensor,
    /// What a log shows: the cross-entropy of the last exit in nats; of routers their squared error.
    pub shown: f64,
    /// Share of token-layer operations that ran.
    pub active: f64,
}

/// The random streams of a step.
pub type Streams<'a> = dyn Fn(Purpose) -> ChaCha8Rng + 'a;

/// Mean over exits and tokens of the cross-entropy, or, for the stage's share of it, of the distance from the predictions of `teacher` at
/// the same exits and depths.
///
/// # Errors
/// Those of candle.
pub fn trunk(
    model: &Model,
    teacher: Option<&Model>,
    shape: &Shape,
    stage: &Stage,
    batch: &Batch,
    streams: &Streams<'_>,
) -> Result<Loss> {
    let blocks = stage.blocks.unwrap_or(shape.blocks);
    let exits = if stage.exits.is_empty() { vec![blocks] } else { stage.exits.clone() };
    let mut random = streams(Purpose::Depth);
    let depths: Vec<usize> = (0..batch.inputs.len())
        .map(|_| {
            let shallow = random.random::<f64>() < stage.random_depth;
            let exit = exits[random.random_range(0..exits.len())];
            if shallow { exit } else { blocks }
        })
        .collect();
    let pass =
        with_dropout(stage, streams, |drop| Ok(model.forward(&batch.inputs, shape.context, &Gates::Depths(&depths), drop)?))?;
    let taught = match teacher {
        Some(teacher) => Some((teacher, teacher.forward(&batch.inputs, shape.context, &Gates::Depths(&depths), None)?)),
        None => None,
    };
    let mut total: Option<Tensor> = None;
    let mut shown = 0.0;
    for exit in &exits {
        let logits = model.classify(&model.at_depth(*exit, &pass, None)?)?;
        let mut loss = cross_entropy(&logits, &batch.targets)?.mean_all()?;
        shown = f64::from(loss.to_scalar::<f32>()?);
        if let Some((teacher, pass)) = &taught {
            let distance = imitation(&logits, &teacher.classify(&teacher.at_depth(*exit, pass, None)?)?)?.mean_all()?;
            loss = ((loss * (1.0 - stage.imitation))? + (distance * stage.imitation)?)?;
        }
        total = Some(match total {
            Some(total) => (total + loss)?,
            None => loss,
        });
    }
    let total = total.context("a stage has at least one exit")?;
    let active = depths.iter().sum::<usize>() as f64 / (depths.len() * blocks) as f64;
    Ok(Loss { loss: (total / exits.len() as f64)?, shown, active })
}

/// Cross-entropy + lambda * mean(1 - p), as published.
///
/// # Errors
/// Those of candle.
pub fn soft(model: &Model, shape: &Shape, stage: &Stage, batch: &Batch, streams: &Streams<'_>) -> Result<Loss> {
    let pass = with_dropout(stage, streams, |drop| Ok(model.forward(&batch.inputs, shape.context, &Gates::Soft, drop)?))?;
    let last = &pass.residuals[pass.residuals.len() - 1];
    let loss = cross_entropy(&model.classify(last)?, &batch.targets)?.mean_all()?;
    let gates = soft_metric::alpha(&pass.gates)?;
    let alpha = f64::from(gates.to_scalar::<f32>()?);
    let shown = f64::from(loss.to_scalar::<f32>()?);
    Ok(Loss { loss: (loss + (gates * stage.lambda)?)?, shown, active: soft_metric::operations(alpha, shape.blocks) })
}

/// Cross-entropy + lambda * (mean gate - the mean that saves the stage's share of token-layer operations)^2. The share rises from 0 after
/// the first quarter of the stage (earlier, gates would close before routers know anything) and stays from three quarters on.
///
/// # Errors
/// Those of candle.
pub fn hard(model: &Model, shape: &Shape, stage: &Stage, batch: &Batch, progress: f64, streams: &Streams<'_>) -> Result<Loss> {
    let pass =
        with_dropout(stage, streams, |drop| Ok(model.forward(&batch.inputs, shape.context, &Gates::StraightThrough, drop)?))?;
    let loss = cross_entropy(&model.classify(&pass.residuals[shape.blocks])?, &batch.targets)?.mean_all()?;
    let gates = soft_metric::alpha(&pass.gates)?;
    let alpha = f64::from(gates.to_scalar::<f32>()?);
    let shown = f64::from(loss.to_scalar::<f32>()?);
    let blocks = shape.blocks as f64;
    let save = stage.save * (2.0 * progress - 0.5).clamp(0.0, 1.0);
    let wanted = 1.0 - save * blocks / (blocks - 1.0);
    let off = (gates - wanted)?.sqr()?;
    Ok(Loss { loss: (loss + (off * stage.lambda)?)?, shown, active: soft_metric::operations(alpha, shape.blocks) })
}

/// Mean squared error of each router's prediction: `z` is the distance of what the head says when the token stops here from what it says at
/// full depth, negated. That is what the loss is expected to gain, without the chance of one next token.
///
/// # Errors
/// Those of candle.
pub fn routers(model: &Model, shape: &Shape, batch: &Batch) -> Result<Loss> {
    let pass = model.forward(&batch.inputs, shape.context, &Gates::Open, None)?;
    let logits = |depth: usize| Result::<Tensor>::Ok(model.classify(&model.at_depth(depth, &pass, None)?)?.detach());
    let full = logits(shape.blocks)?;
    let mut errors = Vec::new();
    for (z, depth) in model.routers(&pass)?.into_iter().zip(shape.depths()) {
        errors.push((z + imitation(&logits(depth)?, &full)?)?.sqr()?.mean_all()?);
    }
    let loss = Tensor::stack(&errors, 0)?.mean_all()?;
    let shown = f64::from(loss.to_scalar::<f32>()?);
    Ok(Loss { loss, shown, active: 1.0 })
}

/// Calls `f` with the stage's dropout, if it has any.
pub(crate) fn with_dropout<R>(
    stage: &Stage,
    streams: &Streams<'_>,
    f: impl FnOnce(Option<&mut Dropout<'_>>) -> Result<R>,
) -> Result<R> {
    let mut masks = streams(Purpose::Dropout);
    let mut dropout = |x: &Tensor| dropped(x, stage.dropout, &mut masks);
    f(if stage.dropout > 0.0 { Some(&mut dropout) } else { None })
}

/// Inverted dropout: each element is zero with probability `share`.
fn dropped(x: &Tensor, share: f64, random: &mut impl Rng) -> candle_core::Result<Tensor> {
    let keep = (1.0 / (1.0 - share)) as f32;
    let limit = (share * f64::from(u32::MAX)) as u32;
    let mask: Vec<f32> = (0..x.elem_count()).map(|_| if random.random::<u32>() < limit { 0.0 } else { keep }).collect();
    x * Tensor::from_vec(mask, x.shape(), x.device())?
}
