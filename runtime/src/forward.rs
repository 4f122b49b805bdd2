//! The passage of one tile of tokens through the blocks.
//!
//! In each block the rows of the tile that run it are gathered into a dense tile, so that an inactive token costs no arithmetic. All
//! arithmetic is per token, and a token's keys and values enter the cache before it attends and after those before it did: the length of a
//! tile changes no bit.

use crate::arena::TokenState;
use crate::attention::{Heads, half_float, int8};
use crate::block::{Block, activate};
use crate::format::header::MAX_BLOCKS;
use crate::format::record::Region;
use crate::format::{Policy, Position, Shape};
use crate::kernels::half_float::to_f32;
use crate::kernels::quantise::quantise;
use crate::kernels::vector::{add, rotate};
use crate::linear::Rows;
use crate::math::sigmoid;
use crate::probe::Probe;
use crate::routing::{Router, is_running};
use crate::session::Session;

/// Bits of a token's mask in the trace, above those of the blocks, that hold its depth between its exit's choice and its exit blocks.
const LEAVES: u32 = MAX_BLOCKS as u32;

impl<P: Probe> Session<'_, P> {
    /// Runs a tile through all blocks; the residuals of its tokens stay in the arena.
    pub(crate) fn forward(&mut self, tile: &[u16]) {
        self.probe.enter(Region::Embedding, None);
        for (row, token) in tile.iter().enumerate() {
            self.embed(row, *token);
        }
        self.arena.trace.iter_mut().skip(self.position).take(tile.len()).for_each(|mask| *mask = 0);
        for index in 0..self.shape.blocks {
            self.route(index, tile.len());
            let TokenState { active_count, cached_count, .. } = self.arena.tokens;
            if cached_count > 0 {
                let block = Block::new(self.blob, index);
                self.attention(&block, index);
                if active_count > 0 {
                    self.mlp(&block, index);
                }
            } else if matches!(self.shape.policy, Policy::Halt | Policy::Exit { .. }) {
                break; // all have halted, and later blocks are not to leave keys and values either
            }
        }
        if self.shape.has_exits() {
            (0..self.shape.outputs()).for_each(|exit| self.exit(exit, tile.len()));
        }
        self.position += tile.len();
    }

    /// Runs the blocks of exit `exit` for the rows of the tile that leave there. All keys and values are complete.
    #[inline(never)]
    fn exit(&mut self, exit: usize, tokens: usize) {
        let depth = self.shape.depth_of(exit);
        let TokenState { cached, active, active_count, cached_count, .. } = &mut self.arena.tokens;
        *active_count = 0;
        let masks = self.arena.trace.iter_mut().skip(self.position).take(tokens);
        for (row, mask) in masks.enumerate().filter(|(_, mask)| (**mask >> LEAVES) as usize == depth) {
            *mask = (1 << depth) - 1;
            set(active, *active_count, row as u32);
            set(cached, *active_count, row as u32);
            *active_count += 1;
        }
        *cached_count = *active_count;
        if *active_count > 0 {
            for index in self.shape.trunk()..depth {
                let block = Block::new(self.blob, self.shape.exit_block(exit, index));
                self.attention(&block, index);
                self.mlp(&block, index);
            }
        }
    }

    /// Embedding and learned position of one token.
    #[inline(never)]
    fn embed(&mut self, row: usize, token: u16) {
        let width = self.shape.width;
        let residual = row_mut(self.arena.residual, row, width);
        self.embedding.row(usize::from(token), residual);
        if self.shape.variants.position == Position::Learned {
            let table = self.blob.halves(self.blob.layout().position);
            let halves = table.get((self.position + row) * width..).unwrap_or_default();
            residual.iter_mut().zip(halves).for_each(|(x, half)| *x += to_f32(*half));
        }
    }

    /// Decides which rows of the tile run this block, and which leave keys and values.
    #[inline(never)]
    fn route(&mut self, index: usize, tokens: usize) {
        self.probe.enter(Region::Router, Some(index));
        let Self { shape, arena, position, blob, probe, .. } = self;
        let Shape { width, router_width, .. } = *shape;
        let outputs = shape.outputs_before(index);
        let point = blob.header().operating_points.get(self.point);
        let thresholds = point.and_then(|point| point.thresholds.get(outputs.clone())).unwrap_or_default();
        // A router that halts no one is not evaluated, unless its output scales the branches.
        let evaluated = thresholds.iter().any(|threshold| *threshold < f32::MAX || shape.soft_scaling);
        let router = if evaluated { blob.layout().router(index).map(|router| Router::new(blob, &router)) } else { None };
        let trace = arena.trace.get_mut(*position..*position + tokens).unwrap_or_default();
        let TokenState { cached, active, halting, .. } = &mut arena.tokens;
        if let Some(router) = &router {
            // Gather the rows that are asked, in `active`.
            let mut asked = 0;
            for (row, _) in trace.iter().enumerate().filter(|(_, mask)| is_running(shape, index, **mask)) {
                set(active, asked, row as u32);
                asked += 1;
            }
            let residuals = active.iter().take(asked).map(|row| row_of(arena.residual, *row as usize, width));
            if shape.element.is_integer() {
                let rows = arena.quantised.chunks_exact_mut(width.max(1)).zip(arena.quantised_scales.iter_mut());
                residuals.zip(rows).for_each(|(residual, (quantised, scale))| *scale = quantise(residual, quantised));
            } else {
                for (residual, floats) in residuals.zip(arena.normed.chunks_exact_mut(width.max(1))) {
                    residual.iter().zip(floats).for_each(|(from, to)| *to = *from);
                }
            }
            let rows = Rows { floats: arena.normed, quantised: arena.quantised, scales: arena.quantised_scales, tokens: asked };
            if asked > 0 {
                router.hidden.apply(rows, arena.work);
            }
        }
        let makes = index < shape.key_value_blocks();
        let is_free = outputs.is_empty() && !shape.has_exits(); // a probe may stop tokens before it
        let (mut asked, mut active_count, mut cached_count) = (0, 0, 0);
        for (row, mask) in trace.iter_mut().enumerate() {
            let mut runs = is_running(shape, index, *mask);
            if runs {
                let hidden = row_of(arena.work, asked, router_width);
                asked += 1;
                for (output, threshold) in outputs.clone().zip(thresholds) {
                    let z = router.as_ref().map_or(f32::NEG_INFINITY, |router| router.output(hidden, output - outputs.start));
                    set(halting, active_count, z);
                    let depth = shape.depth_of(output);
                    runs = probe.overrule(*position + row, depth).unwrap_or(z < *threshold || router.is_none());
                    if !runs {
                        if shape.has_exits() {
                            *mask |= (depth as u32) << LEAVES;
                        }
                        break;
                    }
                }
                if is_free {
                    runs = probe.overrule(*position + row, index).unwrap_or(true);
                }
            }
            if runs {
                set(active, active_count, row as u32);
                active_count += 1;
                *mask |= 1 << index;
            }
            if runs || makes && shape.is_cached(false, *position + row) {
                set(cached, cached_count, row as u32);
                cached_count += 1;
            }
        }
        arena.tokens.active_count = active_count;
        arena.tokens.cached_count = cached_count;
    }

    /// `h += s * output(attention(norm1(h)))` for the active rows; keys and values for the cached ones.
    #[inline(never)]
    fn attention(&mut self, block: &Block<'_>, index: usize) {
        let Self { blob, shape, arena, position, probe, .. } = self;
        let Shape { width, head_dim, .. } = *shape;
        let integer = shape.element.is_integer();
        let TokenState { cached, active, halting, active_count, cached_count } = &arena.tokens;
        let (cached, active) = (head(cached, *cached_count), head(active, *active_count));

        probe.enter(Region::Norm, Some(index));
        for (normed, row) in arena.normed.chunks_exact_mut(width.max(1)).zip(cached) {
            block.norm1.apply(row_of(arena.residual, *row as usize, width), normed);
        }
        probe.enter(Region::Projection, Some(index));
        let (kv_rows, one) = (block.key_value.rows(), shape.key_value_width());
        let (key_value, work) = arena.work.split_at_mut_checked(cached.len() * kv_rows).unwrap_or_default();
        let (query, attended) = work.split_at_mut_checked(active.len() * width).unwrap_or_default();
        let attended = attended.get_mut(..active.len() * width).unwrap_or_default();
        let rows = quantised(integer, arena.normed, width, cached.len(), arena.quantised, arena.quantised_scales);
        if kv_rows > 0 {
            block.key_value.apply(rows, key_value);
        }
        if !active.is_empty() {
            // Every active row is cached: close the ranks, so that the active rows are a dense tile.
            let mut kept = active.iter().enumerate().peekable();
            for (from, row) in cached.iter().enumerate() {
                if let Some((to, _)) = kept.next_if(|(_, active)| *active == row)
                    && to < from
                {
                    move_row(arena.normed, from, to, width);
                    move_row(arena.quantised, from, to, width);
                    move_row(arena.quantised_scales, from, to, 1);
                }
            }
            let rows =
                Rows { floats: arena.normed, quantised: arena.quantised, scales: arena.quantised_scales, tokens: active.len() };
            block.query.apply(rows, query);
        }

        probe.enter(Region::Attention, Some(index));
        let rotary = shape.variants.position == Position::Rotary;
        let turns = |row: &u32| row_of(blob.floats(blob.layout().position), *position + *row as usize, head_dim);
        let heads = Heads::new(shape);
        let cache_words = if integer { heads.int8_cache_words() } else { heads.half_cache_words() };
        let mut filled = arena.cache_lengths.get(index).copied().unwrap_or_default() as usize;
        // A cache that was filled by a block before this one already holds the whole tile.
        let stored = if kv_rows > 0 { 0 } else { filled };
        let queries = query.chunks_exact_mut(width.max(1)).zip(attended.chunks_exact_mut(width.max(1)));
        let mut queries = active.iter().zip(queries).peekable();
        let mut key_values = key_value.chunks_exact_mut(kv_rows.max(1));
        for row in cached {
            if let Some(key_values) = key_values.next() {
                // Its own, then those of later blocks.
                let caches = arena.cache.chunks_exact_mut(cache_words.max(1)).skip(index);
                for (key_value, cache) in key_values.chunks_exact_mut(one.max(1)).zip(caches) {
                    if rotary {
                        let (keys, _) = key_value.split_at_mut_checked(one / 2).unwrap_or_default();
                        rotate(keys, turns(row));
                    }
                    if integer {
                        int8::remember(cache, &heads, filled, key_value, arena.attention);
                    } else {
                        half_float::remember(cache, &heads, filled, key_value);
                    }
                }
                filled += 1;
            } else {
                filled = *position + *row as usize + 1; // what is made ahead is made of all tokens
            }
            if let Some((_, (query, attended))) = queries.next_if(|(active, _)| *active == row) {
                if rotary {
                    rotate(query, turns(row));
                }
                let cache = row_of(arena.cache, index, cache_words);
                if integer {
                    int8::attend_to(cache, &heads, (filled, filled >= stored), query, attended, arena.attention);
                } else {
                    half_float::attend(cache, &heads, filled, query, attended, arena.attention);
                }
            }
        }
        let lengths = arena.cache_lengths.iter_mut().skip(index);
        lengths.take(kv_rows / one.max(1)).for_each(|length| *length = filled as u32);
        if active.is_empty() {
            return;
        }
        probe.enter(Region::Projection, Some(index));
        let rows = quantised(integer, attended, width, active.len(), arena.quantised, arena.quantised_scales);
        block.output.apply(rows, arena.normed);
        add_branch(shape, arena.residual, arena.normed, active, halting, block.routed);
    }

    /// `h += s * down(activation(up(norm2(h))))` for the active rows.
    #[inline(never)]
    fn mlp(&mut self, block: &Block<'_>, index: usize) {
        let Self { shape, arena, probe, .. } = self;
        let Shape { width, mlp_width, .. } = *shape;
        let integer = shape.element.is_integer();
        let TokenState { active, halting, active_count, .. } = &arena.tokens;
        let active = head(active, *active_count);
        probe.enter(Region::Norm, Some(index));
        for (normed, row) in arena.normed.chunks_exact_mut(width.max(1)).zip(active) {
            block.norm2.apply(row_of(arena.residual, *row as usize, width), normed);
        }
        probe.enter(Region::Mlp, Some(index));
        let rows = quantised(integer, arena.normed, width, active.len(), arena.quantised, arena.quantised_scales);
        block.up.apply(rows, arena.work);
        activate(shape.variants.mlp, arena.work, mlp_width, active.len());
        let rows = quantised(integer, arena.work, mlp_width, active.len(), arena.quantised, arena.quantised_scales);
        block.down.apply(rows, arena.normed);
        add_branch(shape, arena.residual, arena.normed, active, halting, block.routed);
    }

    /// The logits of one row of the tile.
    pub(crate) fn classify(&mut self, row: usize) {
        self.probe.enter(Region::Head, None);
        let Self { shape, arena, .. } = self;
        let width = shape.width;
        self.final_norm.apply(row_of(arena.residual, row, width), row_mut(arena.normed, 0, width));
        let rows = quantised(shape.element.is_integer(), arena.normed, width, 1, arena.quantised, arena.quantised_scales);
        self.head.apply(rows, arena.logits);
    }
}

/// Row `row` of `[rows, width]`, or nothing where there is none.
#[inline(never)] // a dozen of them inlined are bytes, not cycles
fn row_of<T>(values: &[T], row: usize, width: usize) -> &[T] {
    values.get(row * width..(row + 1) * width).unwrap_or_default()
}

/// Row `row` of `[rows, width]`, or nothing where there is none.
#[inline(never)]
fn row_mut<T>(values: &mut [T], row: usize, width: usize) -> &mut [T] {
    values.get_mut(row * width..(row + 1) * width).unwrap_or_default()
}

/// Row `from` of `[rows, width]` is copied to row `to` before it.
fn move_row<T: Copy>(values: &mut [T], from: usize, to: usize, width: usize) {
    let (before, rest) = values.split_at_mut_checked(from * width).unwrap_or_default();
    rest.iter().zip(row_mut(before, to, width)).for_each(|(from, to)| *to = *from);
}

/// The first `count` of a list.
fn head(list: &[u32], count: usize) -> &[u32] {
    list.get(..count).unwrap_or_default()
}

fn set<T>(list: &mut [T], index: usize, value: T) {
    if let Some(place) = list.get_mut(index) {
        *place = value;
    }
}

/// The rows `[tokens, columns]` in the form that the model's matrices take.
#[inline(never)]
fn quantised<'a>(
    integer: bool,
    floats: &'a [f32],
    columns: usize,
    tokens: usize,
    quantised: &'a mut [i16],
    scales: &'a mut [f32],
) -> Rows<'a> {
    if integer {
        let rows = floats.chunks_exact(columns.max(1)).zip(quantised.chunks_exact_mut(columns.max(1)));
        for ((floats, quantised), scale) in rows.zip(scales.iter_mut()).take(tokens) {
            *scale = quantise(floats, quantised);
        }
    }
    Rows { floats, quantised, scales, tokens }
}

/// `residual[rows[i]] += s * branch[i]` with `s = 1 - sigmoid(halting[i])` in a routed block under soft scaling, else 1.
///
/// *Shapes*: `residual` `[tile, width]`, `branch` `[rows, width]`.
fn add_branch(shape: &Shape, residual: &mut [f32], branch: &[f32], rows: &[u32], halting: &[f32], routed: bool) {
    for ((branch, row), z) in branch.chunks_exact(shape.width.max(1)).zip(rows).zip(halting) {
        let residual = row_mut(residual, *row as usize, shape.width);
        if routed && shape.soft_scaling {
            let scale = 1.0 - sigmoid(*z);
            residual.iter_mut().zip(branch).for_each(|(h, y)| *h += scale * y);
        } else {
            add(residual, branch);
        }
    }
}
