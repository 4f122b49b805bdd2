//! What training says of held-out text while it runs: the curves of a run.

use crate::corpus::Corpus;
use crate::joint::{depths, thresholds_at};
use crate::model::{Gates, Model};
use crate::ops::cross_entropy::cross_entropy;
use crate::recipe::Kind;
use candle_core::Result;
use fathom::format::Policy;

/// Steps between two looks.
pub const EVERY: usize = 50;
/// Windows from the start of the validation part that are looked at, in forward passes of half as many.
const WINDOWS: usize = 32;
/// Share of token-layer operations that routers which predict gains are asked to save when it is counted which blocks run.
const SHARE: f64 = 0.4;

/// A look at held-out text, in float.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Cross-entropy in nats per token at the depth in use, of soft and hard gates with the gates.
    pub nats: f64,
    /// Share of the tokens that run each block, `[blocks]`: of soft and hard gates their mean; of routers that halt, when they save 40% of all
    /// token-layer operations of this text, halted neighbours not counted. None while routers are not trained.
    pub active: Option<Vec<f64>>,
}

/// Looks at the first windows of the validation part with a model in a stage of this kind.
///
/// # Errors
/// Those of candle.
pub fn watch(model: &Model, kind: Kind, corpus: &Corpus) -> Result<Watched> {
    let shape = model.shape();
    let text = corpus.validation();
    let inputs = (text.len() - 1) / shape.context * shape.context;
    let inputs = inputs.min(WINDOWS * shape.context);
    let halts = matches!(kind, Kind::Routers | Kind::Joint) && matches!(shape.policy, Policy::Halt | Policy::Exit { .. });
    let (mut nats, mut gates, mut outputs) = (0.0, vec![0.0; shape.outputs()], vec![Vec::new(); shape.outputs()]);
    for start in (0..inputs).step_by(WINDOWS / 2 * shape.context) {
        let end = inputs.min(start + WINDOWS / 2 * shape.context);
        let decides = match kind {
            Kind::Soft => Gates::Soft,
            Kind::Hard => Gates::StraightThrough,
            _ => Gates::Open,
        };
        let pass = model.forward(&text[start..end], shape.context, &decides, None)?;
        let logits = model.classify(&pass.residuals[pass.residuals.len() - 1])?;
        nats += sum(&cross_entropy(&logits, &text[start + 1..=end])?.to_vec1()?);
        for (total, gate) in gates.iter_mut().zip(&pass.gates) {
            *total += sum(&gate.to_vec1()?);
        }
        if halts {
            for (z, outputs) in model.routers(&pass)?.iter().zip(&mut outputs) {
                outputs.extend(z.to_vec1::<f32>()?);
            }
        }
    }
    let share = |sum: f64| sum / inputs as f64;
    let active = match kind {
        Kind::Soft | Kind::Hard => Some(std::iter::once(1.0).chain(gates.into_iter().map(share)).collect()),
        _ if halts => {
            let possible: Vec<usize> = shape.depths().collect();
            let depths = depths(&outputs, &possible, &thresholds_at(&outputs, &possible, SHARE));
            Some(running(&depths, shape.blocks).into_iter().map(|tokens| share(tokens as f64)).collect())
        }
        _ => None,
    };
    Ok(Watched { nats: share(nats), active })
}

/// Tokens that run each block, `[blocks]`.
fn running(depths: &[u8], blocks: usize) -> Vec<usize> {
    (0..blocks).map(|block| depths.iter().filter(|depth| usize::from(**depth) > block).count()).collect()
}

fn sum(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_halted_runs_no_later_block() {
        let outputs = [vec![-3.0, 5.0, -3.0, 5.0, -3.0], vec![-3.0, -9.0, 4.0, -9.0, -3.0]];
        assert_eq!(running(&depths(&outputs, &[1, 2, 3], &[0.0, 0.0]), 3), [5, 3, 2]);
        assert_eq!(running(&depths(&outputs, &[2, 3, 5], &[0.0, 0.0]), 5), [5, 5, 3, 2, 2]);
    }
}
