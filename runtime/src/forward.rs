//! The passage of one tile of tokens through the blocks.
//!
//! In each block the rows of the tile that run it are gathered into a dense tile, so that an inactive token costs no arithmetic. All
//! arithmetic is per token, and keys and values enter the cache in the order of positions: the length of a tile changes no bit.

use crate::arena::TokenState;
use crate::attention::{self, Heads};
use crate::block::{Block, activate};
use crate::format::record::Region;
use crate::format::{Element, Position, Shape};
use crate::kernels::half_float::to_f32;
use crate::kernels::quantise::quantise;
use crate::kernels::vector::{add, rotate};
use crate::linear::Rows;
use crate::math::sigmoid;
use crate::probe::Probe;
use crate::routing::{is_asked, is_cached};
use crate::session::Session;

impl<P: Probe> Session<'_, P> {
    /// Runs a tile through all blocks; the residuals of its tokens stay in the arena.
    pub(crate) fn forward(&mut self, tile: &[u16]) {
        self.probe.enter(Region::Embedding, None);
        for (row, token) in tile.iter().enumerate() {
            self.embed(row, *token);
        }
        self.arena.trace[self.position..][..tile.len()].fill(0);
        for index in 0..self.shape.blocks {
            let block = Block::new(self.blob, index);
            self.route(&block, index, tile.len());
            self.attention(&block, index);
            self.mlp(&block, index);
        }
        self.position += tile.len();
    }

    /// Embedding and learned position of one token.
    fn embed(&mut self, row: usize, token: u16) {
        let width = self.shape.width;
        let residual = &mut self.arena.residual[row * width..][..width];
        self.embedding.row(usize::from(token), residual);
        if self.shape.variants.position == Position::Learned {
            let table = self.blob.halves(self.blob.layout().position);
            for (x, half) in residual.iter_mut().zip(&table[(self.position + row) * width..]) {
                *x += to_f32(*half);
            }
        }
    }

    /// Decides which rows of the tile run this block, and which leave keys and values.
    fn route(&mut self, block: &Block<'_>, index: usize, tokens: usize) {
        self.probe.enter(Region::Router, Some(index));
        let Self { shape, arena, position, .. } = self;
        let threshold = match index.checked_sub(1) {
            Some(router) => self.blob.header().operating_points[self.point].thresholds.get(router).copied(),
            None => None,
        };
        // Gather the rows that are asked, in `active`; their z goes to `halting` in the same order.
        let TokenState { cached, active, halting, .. } = &mut arena.tokens;
        let mut asked = 0;
        if let (Some(router), Some(_)) = (&block.router, threshold) {
            for row in 0..tokens {
                if is_asked(shape, index, arena.trace[*position + row]) {
                    let from = row * shape.width;
                    arena.normed[asked * shape.width..][..shape.width].copy_from_slice(&arena.residual[from..][..shape.width]);
                    active[asked] = row as u32;
                    asked += 1;
                }
            }
            let rows = quantised(shape.element, arena.normed, shape.width, asked, arena.quantised, arena.quantised_scales);
            router.halting(rows, arena.work, halting);
        }
        let (mut next, mut active_count, mut cached_count) = (0, 0, 0);
        for row in 0..tokens {
            let mask = arena.trace[*position + row];
            let is_active = if next < asked && active[next] as usize == row {
                next += 1;
                let z = halting[next - 1];
                let open = threshold.is_some_and(|threshold| z < threshold);
                if open {
                    // Never ahead of what is still to be read: `active_count < next`.
                    halting[active_count] = z;
                }
                open
            } else {
                threshold.is_none()
            };
            if is_active {
                active[active_count] = row as u32;
                active_count += 1;
                arena.trace[*position + row] = mask | 1 << index;
            }
            if is_cached(shape, is_active, *position + row) {
                cached[cached_count] = row as u32;
                cached_count += 1;
            }
        }
        arena.tokens.active_count = active_count;
        arena.tokens.cached_count = cached_count;
    }

    /// `h += s * output(attention(norm1(h)))` for the active rows; keys and values for the cached ones.
    fn attention(&mut self, block: &Block<'_>, index: usize) {
        let Self { blob, shape, arena, position, probe, .. } = self;
        let Shape { width, head_dim, element, .. } = *shape;
        let (active_count, cached_count) = (arena.tokens.active_count, arena.tokens.cached_count);
        if cached_count == 0 {
            return;
        }
        let TokenState { cached, active, halting, .. } = &mut arena.tokens;
        let (cached, active) = (&cached[..cached_count], &active[..active_count]);

        probe.enter(Region::Norm, Some(index));
        for (normed, row) in arena.normed.chunks_exact_mut(width).zip(cached) {
            block.norm1.apply(&arena.residual[*row as usize * width..][..width], normed);
        }
        probe.enter(Region::Projection, Some(index));
        let kv_rows = shape.key_value_rows();
        let (key_value, work) = arena.work.split_at_mut(cached_count * kv_rows);
        let (query, work) = work.split_at_mut(active_count * width);
        let rows = quantised(element, arena.normed, width, cached_count, arena.quantised, arena.quantised_scales);
        block.key_value.apply(rows, key_value);
        // Every active row is cached: close the ranks, so that the active rows are a dense tile.
        let mut to = 0;
        for (from, row) in cached.iter().enumerate() {
            if active.get(to) == Some(row) {
                if element.is_integer() {
                    arena.quantised.copy_within(from * width..(from + 1) * width, to * width);
                    arena.quantised_scales[to] = arena.quantised_scales[from];
                } else {
                    arena.normed.copy_within(from * width..(from + 1) * width, to * width);
                }
                to += 1;
            }
        }
        let rows =
            Rows { floats: arena.normed, quantised: arena.quantised, scales: arena.quantised_scales, tokens: active_count };
        block.query.apply(rows, query);

        probe.enter(Region::Attention, Some(index));
        let turns = |row: u32| {
            let table = blob.floats(blob.layout().position);
            &table[(*position + row as usize) * head_dim..][..head_dim]
        };
        let rotary = shape.variants.position == Position::Rotary;
        // A token's keys and values are stored before it attends, and those of later tokens after: so its passage depends on no tile.
        let heads = Heads::new(shape);
        let block_words = arena.cache.len() / shape.blocks;
        let cache = arena.cache.get_mut(index * block_words..(index + 1) * block_words).unwrap_or_default();
        let attended = &mut work[..active_count * width];
        let mut queries = active.iter().zip(query.chunks_exact_mut(width).zip(attended.chunks_exact_mut(width))).peekable();
        for (key_value, row) in key_value.chunks_exact_mut(kv_rows).zip(cached) {
            if rotary {
                rotate(&mut key_value[..kv_rows / 2], turns(*row));
            }
            let slot = arena.cache_lengths[index] as usize;
            arena.cache_lengths[index] += 1;
            match element {
                Element::Int8 | Element::Int4 { .. } => {
                    attention::int8::remember(cache, &heads, slot, key_value, arena.attention)
                }
                Element::F16 => attention::half_float::remember(cache, &heads, slot, key_value),
            }
            if let Some((_, (query, attended))) = queries.next_if(|(active, _)| *active == row) {
                if rotary {
                    rotate(query, turns(*row));
                }
                match element {
                    Element::Int8 | Element::Int4 { .. } => {
                        attention::int8::attend(cache, &heads, slot + 1, query, attended, arena.attention)
                    }
                    Element::F16 => attention::half_float::attend(cache, &heads, slot + 1, query, attended, arena.attention),
                }
            }
        }
        if active_count == 0 {
            return;
        }
        probe.enter(Region::Projection, Some(index));
        let rows = quantised(element, attended, width, active_count, arena.quantised, arena.quantised_scales);
        block.output.apply(rows, arena.normed);
        add_branch(shape, arena.residual, arena.normed, active, halting, block.router.is_some());
    }

    /// `h += s * down(activation(up(norm2(h))))` for the active rows.
    fn mlp(&mut self, block: &Block<'_>, index: usize) {
        let Self { shape, arena, probe, .. } = self;
        let Shape { width, mlp_width, element, .. } = *shape;
        let count = arena.tokens.active_count;
        if count == 0 {
            return;
        }
        let TokenState { active, halting, .. } = &arena.tokens;
        let active = &active[..count];
        probe.enter(Region::Norm, Some(index));
        for (normed, row) in arena.normed.chunks_exact_mut(width).zip(active) {
            block.norm2.apply(&arena.residual[*row as usize * width..][..width], normed);
        }
        probe.enter(Region::Mlp, Some(index));
        let rows = quantised(element, arena.normed, width, count, arena.quantised, arena.quantised_scales);
        block.up.apply(rows, arena.work);
        activate(shape.variants.mlp, arena.work, mlp_width, count);
        let rows = quantised(element, arena.work, mlp_width, count, arena.quantised, arena.quantised_scales);
        block.down.apply(rows, arena.normed);
        add_branch(shape, arena.residual, arena.normed, active, halting, block.router.is_some());
    }

    /// The logits of one row of the tile.
    pub(crate) fn classify(&mut self, row: usize) {
        self.probe.enter(Region::Head, None);
        let Self { shape, arena, .. } = self;
        let width = shape.width;
        self.final_norm.apply(&arena.residual[row * width..][..width], &mut arena.normed[..width]);
        let rows = quantised(shape.element, arena.normed, width, 1, arena.quantised, arena.quantised_scales);
        self.head.apply(rows, arena.logits);
    }
}

/// The rows `[tokens, columns]` in the form that the model's matrices take.
fn quantised<'a>(
    element: Element,
    floats: &'a [f32],
    columns: usize,
    tokens: usize,
    quantised: &'a mut [i16],
    scales: &'a mut [f32],
) -> Rows<'a> {
    if element.is_integer() {
        let rows = floats.chunks_exact(columns).zip(quantised.chunks_exact_mut(columns));
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
    let width = shape.width;
    for ((branch, row), z) in branch.chunks_exact(width).zip(rows).zip(halting) {
        let residual = &mut residual[*row as usize * width..][..width];
        if routed && shape.soft_scaling {
            let scale = 1.0 - sigmoid(*z);
            residual.iter_mut().zip(branch).for_each(|(h, y)| *h += scale * y);
        } else {
            add(residual, branch);
        }
    }
}
