//! Evaluation of the float model under hard routing, on the same windows as the evaluation through a blob.

use crate::blob_eval::{Evaluation, windows};
use crate::model::{Gates, Model};
use crate::ops::cross_entropy::cross_entropy;
use crate::soft_metric;
use candle_core::Result;

/// Windows evaluated at once.
const BATCH: usize = 16;

/// Evaluates `tokens` in non-overlapping windows of `context`; each window starts with an empty context. `progress` is called with
/// the number of finished windows.
///
/// # Errors
/// Those of candle.
pub fn evaluate(model: &Model, tokens: &[u16], context: usize, gates: &Gates<'_>, progress: &dyn Fn(u64)) -> Result<Evaluation> {
    let mut sum = Evaluation::default();
    let shape = model.shape();
    let windows = windows(tokens.len(), context);
    // The last window may be shorter; it is a batch of its own.
    for batch in windows.chunk_by(|a, b| a.len() == b.len()).flat_map(|same| same.chunks(BATCH)) {
        let time = batch[0].len();
        let inputs: Vec<u16> = batch.iter().flat_map(|window| &tokens[window.clone()]).copied().collect();
        let targets: Vec<u16> = batch.iter().flat_map(|window| &tokens[window.start + 1..=window.end]).copied().collect();
        let pass = model.forward(&inputs, time, gates, None)?;
        let last = &pass.residuals[pass.residuals.len() - 1];
        let losses = cross_entropy(&model.classify(last)?, &targets)?.to_vec1::<f32>()?;
        sum.tokens += targets.len();
        sum.total_nats += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        let mask =
            |token: usize| (0..).zip(&pass.active).fold(0, |mask, (block, active)| mask | u32::from(active[token]) << block);
        for start in (0..targets.len()).step_by(time) {
            sum.add_masks(shape, (start..start + time).map(mask));
        }
        progress(batch.len() as u64);
    }
    Ok(sum)
}

/// What one pass at full depth says of every token of a text.
#[derive(Clone, Debug, Default)]
pub struct OpenPass {
    /// Router outputs, `[outputs][tokens]`.
    pub outputs: Vec<Vec<f32>>,
    /// Depths that a token can have, the last of them full depth: `[outputs + 1]`.
    pub depths: Vec<usize>,
    /// Cross-entropy in nats if the token had each of them, `[outputs + 1][tokens]`.
    pub losses: Vec<Vec<f32>>,
}

/// Runs a text at full depth, for calibration; every token but the first is predicted once.
///
/// # Errors
/// Those of candle.
pub fn open_pass(model: &Model, tokens: &[u16], context: usize) -> Result<OpenPass> {
    let shape = model.shape();
    let depths: Vec<usize> = shape.depths().collect();
    let mut open = OpenPass { outputs: vec![Vec::new(); shape.outputs()], losses: vec![Vec::new(); depths.len()], depths };
    for window in windows(tokens.len(), context) {
        let pass = model.forward(&tokens[window.clone()], window.len(), &Gates::Open, None)?;
        for (z, outputs) in model.routers(&pass)?.iter().zip(&mut open.outputs) {
            outputs.extend(z.to_vec1::<f32>()?);
        }
        let targets = &tokens[window.start + 1..=window.end];
        for (depth, losses) in open.depths.iter().zip(&mut open.losses) {
            let residual = model.at_depth(*depth, &pass, None)?;
            losses.extend(cross_entropy(&model.classify(&residual)?, targets)?.to_vec1::<f32>()?);
        }
    }
    Ok(open)
}

/// What soft gates do on a text: mean cross-entropy in nats per token, and the mean of all gates `1 - p`, routers and tokens alike. Nothing
/// is saved: every token runs every block.
///
/// # Errors
/// Those of candle.
pub fn soft_pass(model: &Model, tokens: &[u16], context: usize) -> Result<(f64, f64)> {
    let (mut nats, mut gates, mut count) = (0.0, 0.0, 0);
    for window in windows(tokens.len(), context) {
        let pass = model.forward(&tokens[window.clone()], window.len(), &Gates::Soft, None)?;
        let logits = model.classify(&pass.residuals[pass.residuals.len() - 1])?;
        let losses = cross_entropy(&logits, &tokens[window.start + 1..=window.end])?.to_vec1::<f32>()?;
        nats += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        gates += f64::from(soft_metric::alpha(&pass.gates)?.to_scalar::<f32>()?) * window.len() as f64;
        count += window.len();
    }
    Ok((nats / count.max(1) as f64, gates / count.max(1) as f64))
}
