//! Evaluation through an exported blob, with the runtime's own portable kernels.

use anyhow::{Result, anyhow, bail, ensure};
use fathom::format::{Policy, Shape};
use fathom::{Blob, Depths, Plan, Session};
use rayon::prelude::*;
use std::ops::Range;

/// Tokens per prefill tile: weights are read once for this many tokens.
const TILE: usize = 64;
/// Windows that a core evaluates before it asks for more.
const WINDOWS: usize = 8;

/// What an evaluation measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Predictions.
    pub tokens: usize,
    /// Summed cross-entropy in nats.
    pub total_nats: f64,
    /// Tokens that ran each block, `[blocks]`.
    pub active: Vec<usize>,
    /// Tokens that ran so many blocks, `[blocks + 1]`.
    pub depths: Vec<usize>,
    /// Cached positions that blocks attended to, their tokens' own included, summed over tokens and the blocks that they ran.
    pub attended: u64,
    /// Blocks that tokens did not run but left keys and values in, summed over tokens.
    pub projected: u64,
    /// Tokens that come to the router of each output, `[routers]`; in a model with exits to its one router, `[1]`.
    pub asked: Vec<usize>,
}

impl Evaluation {
    /// Cross-entropy in nats per token.
    pub fn nats(&self) -> f64 {
        self.total_nats / self.tokens.max(1) as f64
    }

    /// Cross-entropy in bits per character (one token is one character of a byte alphabet).
    pub fn bits_per_character(&self) -> f64 {
        self.nats() / std::f64::consts::LN_2
    }

    /// Share of tokens that ran each block.
    pub fn active_shares(&self) -> Vec<f64> {
        self.active.iter().map(|active| *active as f64 / self.tokens.max(1) as f64).collect()
    }

    /// Share of token-layer operations saved.
    pub fn saved(&self) -> f64 {
        let operations = (self.active.len() * self.tokens).max(1);
        1.0 - self.active.iter().sum::<usize>() as f64 / operations as f64
    }

    /// Routers that were evaluated under `thresholds` `[outputs]`, summed over tokens: one whose thresholds are [`f32::MAX`] halts no one and
    /// is not.
    pub fn routers(&self, thresholds: &[f32]) -> usize {
        let outputs = thresholds.len().checked_div(self.asked.len()).unwrap_or(1).max(1); // of one router
        let halts = |thresholds: &[f32]| thresholds.iter().any(|threshold| *threshold < f32::MAX);
        self.asked
            .iter()
            .zip(thresholds.chunks(outputs))
            .filter(|(_, thresholds)| halts(thresholds))
            .map(|(asked, _)| asked)
            .sum()
    }

    /// Adds another evaluation of the same model.
    pub fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.total_nats += other.total_nats;
        self.attended += other.attended;
        self.projected += other.projected;
        add_counts(&mut self.active, &other.active);
        add_counts(&mut self.depths, &other.depths);
        add_counts(&mut self.asked, &other.asked);
    }

    /// Adds the work of one window: bit `b` of a token's mask is set when it ran block `b`.
    pub fn add_masks(&mut self, shape: &Shape, masks: impl Iterator<Item = u32>) {
        self.active.resize(shape.blocks, 0);
        self.depths.resize(shape.blocks + 1, 0);
        self.asked.resize(shape.routers(), 0);
        let mut cached = vec![0u64; shape.blocks];
        for (position, mask) in masks.enumerate() {
            self.depths[mask.count_ones() as usize] += 1;
            // Whom the router before it halted has fewer blocks than whom it halts.
            for (output, asked) in self.asked.iter_mut().enumerate() {
                *asked += usize::from(shape.policy == Policy::Skip || mask.count_ones() as usize >= shape.depth_of(output));
            }
            for (block, (cached, ran)) in cached.iter_mut().zip(&mut self.active).enumerate() {
                let active = mask >> block & 1 == 1;
                let leaves = shape.is_cached(active, position);
                *cached += u64::from(leaves);
                self.projected += u64::from(leaves && !active);
                if active {
                    *ran += 1;
                    self.attended += *cached;
                }
            }
        }
    }
}

fn add_counts(sums: &mut Vec<usize>, more: &[usize]) {
    sums.resize(sums.len().max(more.len()), 0);
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// The windows of an evaluation: every token but the first is predicted once; each window starts with an empty context.
///
/// Returns ranges of inputs; the target of input `i` is token `i + 1`.
pub fn windows(tokens: usize, context: usize) -> Vec<Range<usize>> {
    let inputs = tokens.saturating_sub(1);
    (0..inputs).step_by(context).map(|start| start..(start + context).min(inputs)).collect()
}

/// Cross-entropy in nats of `target` under `logits` `[vocabulary]`.
pub fn cross_entropy(logits: &[f32], target: u16) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    total.ln() - f64::from(logits[usize::from(target)] - largest)
}

/// Evaluates `tokens` in non-overlapping windows of the model's context at operating point `point`, on all cores. `progress` is called
/// with the number of finished windows.
///
/// # Errors
/// Fewer than two tokens, a token outside the vocabulary, or an operating point that the model does not have.
pub fn evaluate(blob: &Blob<'_>, tokens: &[u16], point: usize, progress: &(dyn Fn(u64) + Sync)) -> Result<Evaluation> {
    on_all_cores(blob, tokens, &|windows| evaluate_windows(blob, tokens, windows, Decisions::Point(point), progress))
}

/// Like [`evaluate`], but input `i` runs `depths[i]` blocks, whatever the routers say; `depths` `[tokens - 1]`, each in `1..=blocks`, of a
/// model with exits one of theirs or that of all blocks. A dense model can be evaluated so too.
///
/// # Errors
/// Those of [`evaluate`]; depths that the model does not have.
pub fn evaluate_at_depths(blob: &Blob<'_>, tokens: &[u16], depths: &[u8], progress: &(dyn Fn(u64) + Sync)) -> Result<Evaluation> {
    let (blocks, inputs) = (blob.shape().blocks, tokens.len().saturating_sub(1));
    ensure!(depths.len() == inputs, "{} depths for {inputs} tokens", depths.len());
    let shape = blob.shape();
    let has = |depth: usize| match shape.has_exits() {
        true => shape.depths().any(|found| found == depth),
        false => (1..=blocks).contains(&depth),
    };
    if let Some(depth) = depths.iter().find(|depth| !has(usize::from(**depth))) {
        bail!("a depth is {depth}, which this model of {blocks} blocks does not have");
    }
    on_all_cores(blob, tokens, &|windows| evaluate_windows(blob, tokens, windows, Decisions::Depths(depths), progress))
}

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Blocks that the token ran.
    pub depth: usize,
    /// Cross-entropy in nats of the token after it.
    pub nats: f64,
}

/// Like [`evaluate`], but token by token, `[tokens - 1]`.
///
/// # Errors
/// Those of [`evaluate`].
pub fn score(blob: &Blob<'_>, tokens: &[u16], point: usize) -> Result<Vec<Scored>> {
    let windows = windows(tokens.len(), blob.shape().context);
    let part = |windows: &[Range<usize>]| {
        let mut scored = Vec::new();
        score_windows(blob, tokens, windows, Decisions::Point(point), &mut |nats, masks| {
            let each = nats.iter().zip(masks);
            scored.extend(each.map(|(nats, mask)| Scored { depth: mask.count_ones() as usize, nats: *nats }));
        })?;
        Ok(scored)
    };
    Ok(windows.par_chunks(WINDOWS).map(part).collect::<Result<Vec<_>>>()?.concat())
}

/// Who decides how deep each token goes.
#[derive(Clone, Copy)]
enum Decisions<'a> {
    /// The routers, against the thresholds of an operating point.
    Point(usize),
    /// The caller, `[inputs]`.
    Depths(&'a [u8]),
}

fn on_all_cores(
    blob: &Blob<'_>,
    tokens: &[u16],
    evaluate: &(dyn Fn(&[Range<usize>]) -> Result<Evaluation> + Sync),
) -> Result<Evaluation> {
    let windows = windows(tokens.len(), blob.shape().context);
    if windows.is_empty() {
        return Err(anyhow!("the text is too short to evaluate: at least 2 tokens are needed, found {}", tokens.len()));
    }
    // Sums in the order of the text, whoever computed them: results do not depend on the number of cores.
    let parts: Vec<Evaluation> = windows.par_chunks(WINDOWS).map(evaluate).collect::<Result<_>>()?;
    let mut sum = Evaluation::default();
    parts.iter().for_each(|part| sum.add(part));
    Ok(sum)
}

fn evaluate_windows(
    blob: &Blob<'_>,
    tokens: &[u16],
    windows: &[Range<usize>],
    decisions: Decisions<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Evaluation> {
    let mut evaluation = Evaluation::default();
    score_windows(blob, tokens, windows, decisions, &mut |nats, masks| {
        evaluation.total_nats += nats.iter().sum::<f64>();
        evaluation.tokens += nats.len();
        evaluation.add_masks(blob.shape(), masks.iter().copied());
        progress(1);
    })?;
    Ok(evaluation)
}

/// `each` is given the cross-entropies of a window's tokens in nats and the blocks that they ran.
fn score_windows(
    blob: &Blob<'_>,
    tokens: &[u16],
    windows: &[Range<usize>],
    decisions: Decisions<'_>,
    each: &mut dyn FnMut(&[f64], &[u32]),
) -> Result<()> {
    let plan = Plan::new(blob.shape(), TILE.min(blob.shape().context))?;
    let mut arena = vec![0; plan.bytes() / 4];
    let mut session = Session::new(blob, &mut arena, &plan, Depths::default())?;
    if let Decisions::Point(point) = decisions {
        session.set_operating_point(point)?;
    }
    for window in windows {
        session.reset();
        if let Decisions::Depths(depths) = decisions {
            *session.probe_mut() = Depths(&depths[window.clone()]);
        }
        let targets = &tokens[window.start + 1..=window.end];
        let mut nats = vec![0.0; targets.len()];
        session.score(&tokens[window.clone()], |index, logits| nats[index] = cross_entropy(logits, targets[index]))?;
        each(&nats, session.trace().masks());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fathom::format::{Cache, Element, Mlp, Norm, Position, Variants};

    #[test]
    fn attended_positions_are_those_that_the_cache_holds() {
        let variants =
            Variants { norm: Norm::RmsNorm, position: Position::Learned, mlp: Mlp::Gelu, bias: false, tied_head: true };
        let shape = |cache| Shape {
            blocks: 2,
            width: 4,
            heads: 1,
            kv_heads: 1,
            head_dim: 4,
            mlp_width: 4,
            context: 8,
            vocabulary: 3,
            router_width: 1,
            variants,
            element: Element::Int8,
            policy: Policy::Halt,
            cache,
            soft_scaling: false,
        };
        let count = |cache| {
            let mut evaluation = Evaluation::default();
            evaluation.add_masks(&shape(cache), [1, 3, 1, 3].into_iter());
            (evaluation.active, evaluation.depths, evaluation.attended, evaluation.projected)
        };
        // The first block sees 1, 2, 3 and 4 positions; the second, at positions 1 and 3, what its cache has.
        assert_eq!(count(Cache::Project), (vec![4, 2], vec![0, 2, 2], 10 + 2 + 4, 2));
        assert_eq!(count(Cache::Omit { kept: 0 }), (vec![4, 2], vec![0, 2, 2], 10 + 1 + 2, 0));
        assert_eq!(count(Cache::Ahead { blocks: 1 }), count(Cache::Project));
        assert_eq!(count(Cache::Omit { kept: 1 }), (vec![4, 2], vec![0, 2, 2], 10 + 2 + 3, 1));
    }

    #[test]
    fn windows_predict_every_token_but_the_first_once() {
        assert_eq!(windows(10, 4), [0..4, 4..8, 8..9]);
        assert_eq!(windows(9, 4), [0..4, 4..8]);
        assert!(windows(1, 4).is_empty());
        assert!(windows(0, 4).is_empty());
    }

    #[test]
    fn cross_entropy_of_equal_logits_is_the_logarithm_of_their_number() {
        assert!((cross_entropy(&[3.0; 8], 5) - 8f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&[0.0, 1000.0], 1)).abs() < 1e-12);
    }
}
