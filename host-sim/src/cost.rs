//! What a generated token of each depth takes, so that the cycles of any evaluation follow from its depths.
//!
//! The firmware generates a whole context with every token at the same depth, once for each depth. What a block takes grows alike in all
//! with the cached positions that it attends to, so that
//!
//! ```text
//! cycles(token) = base[blocks that it ran] + cycles_per_attended * sum over these blocks of cached positions, its own included
//! ```
//!
//! Routers that are evaluated, and keys and values of blocks that it did not run, are part of the base. So are head and sampling (temperature 0.8, all tokens).
//! None of it depends on the weights: one measurement serves every model of the same shape, policy and cache.

use crate::ask::{aligned, ask};
use crate::cmd::target::Target;
use crate::image::Image;
use crate::report::grouped;
use anyhow::{Result, anyhow, ensure};
use fathom::Blob;
use fathom::format::Cache;
use fathom::format::header::Tokenizer;
use fathom::format::prelude::Prelude;
use fathom::format::record::{Effort, Request};
use fathom::format::writer::rewrite_header;
use serde::Serialize;
use std::fmt::Write;

/// Name of the schema.
pub const SCHEMA: &str = "fathom-cost/2";

/// What tokens of one model take. Cycles are modelled.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The modelled core.
    pub core: &'static str,
    /// The modelled memory system.
    pub memory_profile: String,
    /// Version of the cycle table.
    pub cost_table: &'static str,
    /// Checksum of the model, as its prelude has it, in eight hexadecimal digits.
    pub model_crc32: String,
    /// Blocks of the model.
    pub blocks: usize,
    /// Positions of its context.
    pub context: usize,
    /// Places in the context of the tokens that were measured, counted from 0.
    pub positions: Vec<usize>,
    /// Of one cached position that one block attends to.
    pub cycles_per_attended: f64,
    /// Of one router for one token: what a base loses for each router that its threshold keeps from being evaluated.
    pub cycles_per_router: f64,
    /// Largest distance of a measured token from the sum of base and attention, as a share of its cycles.
    pub largest_error: f64,
    /// From the shallowest to full depth; a dense model has full depth only.
    pub depths: Vec<DepthCost>,
}

/// What tokens of one depth take.
#[derive(Clone, Debug, Serialize)]
pub struct DepthCost {
    /// Blocks that every token ran.
    pub depth: usize,
    /// Cycles of a token without attention to any position.
    pub base: f64,
    /// Mean over all positions of the context, when every token has this depth.
    pub mean_over_window: f64,
    /// Cycles at each of `positions`.
    pub cycles: Vec<u64>,
}

/// A depth, and the cycles of each generated token, `[context - 1]`.
type Measured = (usize, Vec<u64>);

/// A threshold that halts no token, of a router that is evaluated, and of one that is not.
const EVALUATED: f32 = 1e38;
const NOT_EVALUATED: f32 = f32::MAX;

/// Measures a model.
///
/// # Errors
/// The bytes are no model, it has no room on the board, its context is below 3, or the firmware does not answer.
pub fn measure(image: &Image, target: &Target, bytes: &[u8]) -> Result<Costs> {
    let words = aligned(bytes);
    let blob = Blob::parse(bytemuck::cast_slice(&words)).map_err(|error| anyhow!("{error}"))?;
    let shape = *blob.shape();
    ensure!(shape.context >= 3, "the model's context is {}: at least 3 positions are needed", shape.context);
    let depths: Vec<usize> = shape.depths().collect();
    // One run a depth; they share the cores.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(depths.len());
    let measured: Vec<Result<Vec<Measured>>> = std::thread::scope(|scope| {
        let run = |first: usize| {
            let own = depths.iter().skip(first).step_by(threads);
            own.map(|depth| Ok((*depth, at_depth(image, target, &blob, &words, *depth, EVALUATED)?))).collect()
        };
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a measuring thread panicked")))).collect()
    });
    let mut cycles: Vec<Measured> = measured.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    cycles.sort_unstable_by_key(|(depth, _)| *depth);
    // A token of full depth passes all routers: one in a model with exits.
    let cycles_per_router = match &cycles[..] {
        [.., (depth, with)] if shape.outputs() > 0 => {
            let without = at_depth(image, target, &blob, &words, *depth, NOT_EVALUATED)?;
            let total = |cycles: &[u64]| cycles.iter().sum::<u64>() as f64;
            (total(with) - total(&without)) / (shape.routers() * with.len()) as f64
        }
        _ => 0.0,
    };

    let positions: Vec<usize> = (1..shape.context).collect();
    // The first few positions of a cache that omits the rest cost a little more at a low depth: they leave keys and values everywhere.
    let kept = match shape.cache {
        Cache::Project | Cache::Ahead { .. } => 0,
        Cache::Omit { kept } => usize::from(kept).min(positions.len() - 1),
    };
    let (cycles_per_attended, bases) = fit(&cycles, kept);
    let predicted = |base: f64, depth: usize, position: usize| base + cycles_per_attended * attended(depth, position);
    let mut largest_error = 0f64;
    let mut rows = Vec::new();
    for ((depth, cycles), base) in cycles.into_iter().zip(bases) {
        for (position, cycles) in positions.iter().zip(&cycles).skip(kept) {
            largest_error = largest_error.max((predicted(base, depth, *position) / *cycles as f64 - 1.0).abs());
        }
        // The first position is the prompt's: no token is generated there.
        let all = cycles.iter().sum::<u64>() as f64 + predicted(base, depth, 0);
        rows.push(DepthCost { depth, base, mean_over_window: all / shape.context as f64, cycles });
    }
    Ok(Costs {
        schema: SCHEMA,
        core: target.core.name,
        memory_profile: target.memory.name.clone(),
        cost_table: target.core.table.version,
        model_crc32: format!("{:08x}", Prelude::of(bytes).map_or(0, |prelude| prelude.crc)),
        blocks: shape.blocks,
        context: shape.context,
        positions,
        cycles_per_attended,
        cycles_per_router,
        largest_error,
        depths: rows,
    })
}

/// Cached positions that the blocks of a token look at, where every token has its depth.
fn attended(depth: usize, position: usize) -> f64 {
    (depth * (position + 1)) as f64
}

/// Cycles of each generated token of a whole context, all stopped after `depth` blocks, `[context - 1]`; `open` is the threshold of the
/// routers that they pass.
fn at_depth(image: &Image, target: &Target, blob: &Blob<'_>, words: &[u128], depth: usize, open: f32) -> Result<Vec<u64>> {
    let mut header = blob.header().clone();
    for point in &mut header.operating_points {
        for (output, threshold) in point.thresholds.iter_mut().enumerate() {
            *threshold = if blob.shape().depth_of(output) < depth { open } else { f32::NEG_INFINITY };
        }
    }
    let mut words = words.to_vec();
    let bytes = &mut bytemuck::cast_slice_mut(&mut words)[..blob.len()];
    rewrite_header(bytes, &header).map_err(|error| anyhow!("{error}"))?;
    let Tokenizer::Bytes { alphabet } = &header.tokenizer;
    let prompt = alphabet.get(..1).unwrap_or_default();
    let tokens = (blob.shape().context - 1) as u32;
    let request = Request { prompt, tokens, seed: 1, temperature: 0.8, top_k: 0, effort: Effort::Default };
    let (_, answer) = ask(image, target, bytes, &request)?;
    let mask = u32::MAX >> (32 - depth);
    let found = answer.tokens.iter().filter(|token| token.active == mask).count();
    ensure!(found == tokens as usize, "{found} of {tokens} tokens ran {depth} blocks, and no others");
    Ok(answer.tokens.iter().map(|token| token.cycles).collect())
}

/// Least squares over all depths at once, without the first `kept` positions: cycles per attended position, and a base for each depth.
fn fit(measured: &[Measured], kept: usize) -> (f64, Vec<f64>) {
    let points = |depth: usize, cycles: &[u64]| -> Vec<(f64, f64)> {
        let of = |(index, cycles): (usize, &u64)| (attended(depth, index + 1), *cycles as f64);
        cycles.iter().enumerate().skip(kept).map(of).collect()
    };
    let (mut product, mut square) = (0.0, 0.0);
    let mut means = Vec::new();
    for (depth, cycles) in measured {
        let points = points(*depth, cycles);
        let count = points.len().max(1) as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        for point in &points {
            product += (point.0 - x) * (point.1 - y);
            square += (point.0 - x) * (point.0 - x);
        }
        means.push((x, y));
    }
    let slope = if square > 0.0 { product / square } else { 0.0 };
    (slope, means.into_iter().map(|(x, y)| y - slope * x).collect())
}

impl Costs {
    /// As a table for people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let Self { core, memory_profile, cost_table, blocks, context, .. } = self;
        let last = self.positions.len() - 1;
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{core}, {memory_profile}, table {cost_table}: modelled cycles of a generated token, head and sampling included"
        );
        let _ = writeln!(
            out,
            "  {:<10}{:>16}{:>16}{:>16}{:>10}",
            "depth",
            "at position 1",
            format!("at {}", self.positions[last]),
            "mean",
            "of full"
        );
        let full = self.depths.last().map_or(1.0, |row| row.mean_over_window);
        for row in &self.depths {
            let share = format!("{:.1}%", 100.0 * row.mean_over_window / full);
            let _ = writeln!(
                out,
                "  {:<10}{:>16}{:>16}{:>16}{share:>10}",
                format!("{} of {blocks}", row.depth),
                grouped(row.cycles[0]),
                grouped(row.cycles[last]),
                grouped(row.mean_over_window.round() as u64),
            );
        }
        let _ = writeln!(
            out,
            "  a block takes {:.1} more for each of up to {context} cached positions; the sum errs by at most {:.2}%",
            self.cycles_per_attended,
            100.0 * self.largest_error
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fit_finds_what_a_sum_of_base_and_attention_was_made_of() {
        let cycles = |depth: usize| (1..50).map(|position| (1000 * depth + 300 + 7 * depth * (position + 1)) as u64).collect();
        let (slope, bases) = fit(&[(1, cycles(1)), (2, cycles(2)), (4, cycles(4))], 0);
        assert!((slope - 7.0).abs() < 1e-9, "{slope}");
        for (base, wanted) in bases.iter().zip([1300.0, 2300.0, 4300.0]) {
            assert!((base - wanted).abs() < 1e-6, "{bases:?}");
        }
    }
}
