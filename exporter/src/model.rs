//! The float model in candle: whole sequences at once, routing by masks.
//!
//! Its results under hard routing are those of the runtime; only the arithmetic differs (everything is computed, then masked).

use crate::checkpoint::name;
use crate::export::rotary_table;
pub use crate::layers::Parameters;
use crate::layers::{Block, Normalise};
use crate::ops::activation::activate;
use crate::ops::attention::Attention;
use crate::ops::linear::linear;
use candle_core::{DType, Device, Result, Tensor};
use fathom::format::{Cache, Policy, Position, Shape};
use std::sync::Arc;

/// Who decides which tokens run a block.
pub enum Gates<'a> {
    /// Every token runs every block, as under infinite thresholds (soft scaling included, where the model has it).
    Open,
    /// Token `i` runs `depths[i]` blocks, in a model with exits through the exit of that depth unless it is that of all blocks.
    Depths(&'a [usize]),
    /// The routers, against one threshold for each output: what the runtime does.
    Thresholds(&'a [f32]),
    /// Every token runs every block, scaled by `1 - p`: what the published method trains.
    Soft,
    /// The routers, against p = 1/2: gates of 0 or 1 that have the gradient of `1 - p` (Bengio, Leonard and Courville 2013). What a token's
    /// keys and values do for later ones has none where they are omitted. Of models without exits and soft scaling.
    StraightThrough,
}

/// The inputs of a block's matrices, `[n, columns]` each.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Of query and key_value.
    pub attention: Tensor,
    /// Of output.
    pub output: Tensor,
    /// Of up.
    pub up: Tensor,
    /// Of down.
    pub down: Tensor,
}

/// What a forward pass leaves.
pub struct Pass {
    /// Residuals `[n, width]` before block 0, 1, .. and after the last: `blocks + 1` of them.
    pub residuals: Vec<Tensor>,
    /// Which tokens ran each block, `[blocks][n]`.
    pub active: Vec<Vec<bool>>,
    /// `1 - p` of each router, `[n]`, or what stands for it with a straight gradient (these two kinds of gates only).
    pub gates: Vec<Tensor>,
    /// What each block's matrices were given, `[blocks]`.
    pub inputs: Vec<Inputs>,
    /// Keys and values of each block made so far, before rotation, `[n, 2 * kv_heads * head_dim]` each.
    key_values: Vec<Tensor>,
    /// Tokens of a sequence.
    time: usize,
}

/// What a block meets besides the residual.
struct Around<'a> {
    time: usize,
    active: &'a [bool],
    /// Keys and values for a block that makes none, `[n, 2 * kv_heads * head_dim]`.
    made: Option<&'a Tensor>,
    gate: Option<Tensor>, // [n, 1], multiplies the branches
    mask: Option<Tensor>, // [n, 1], 1 for active tokens
}

/// `[n, 1]`, none where every token is active.
fn mask(active: &[bool], device: &Device) -> Result<Option<Tensor>> {
    if active.iter().all(|active| *active) {
        return Ok(None);
    }
    let mask: Vec<f32> = active.iter().map(|active| f32::from(u8::from(*active))).collect();
    Ok(Some(Tensor::from_vec(mask, (active.len(), 1), device)?))
}

/// `1 - p` of outputs `z` `[n]`. Beyond 30 it is within 1e-13 of 0 or 1, and an infinite exponential would have no gradient but NaN.
fn open(z: &Tensor) -> Result<Tensor> {
    (z.clamp(-30f32, 30f32)?.exp()? + 1.0)?.recip()
}

/// 1 where `z` `[n]` is below 0, else 0, with the gradient of `1 - p`; where tokens that stopped stay stopped, times the gate `before`.
fn straight(z: &Tensor, before: Option<&Tensor>) -> Result<Tensor> {
    let soft = open(z)?;
    let hard = z.lt(0f32)?.to_dtype(DType::F32)?;
    let gate = (hard + (&soft - soft.detach())?)?;
    match before {
        Some(before) => before * gate,
        None => Ok(gate),
    }
}

/// Dropout masks from a stream of the caller's, so that training can resume bit-exactly.
pub type Dropout<'a> = dyn FnMut(&Tensor) -> Result<Tensor> + 'a;

/// The model over its parameters.
pub struct Model {
    shape: Shape,
    embedding: Tensor,        // [vocabulary, width]
    position: Option<Tensor>, // [context, width]
    turns: Option<Arc<Vec<f32>>>,
    blocks: Vec<Block>,
    exits: Vec<Vec<Block>>, // [exits] of a model that has all of its blocks, from the trunk to the exit's depth
    final_norm: Normalise,
    head: Tensor, // [vocabulary, width]
}

impl Model {
    /// The first `blocks` blocks of the model; `parameters` were checked against `shape`.
    ///
    /// # Errors
    /// A parameter is missing.
    pub fn new(shape: &Shape, parameters: &Parameters, blocks: usize) -> Result<Self> {
        let block = |index: usize| Block::new(shape, parameters, index);
        let embedding = parameters.find(&name::weight(name::EMBEDDING))?;
        let head = if shape.variants.tied_head { embedding.clone() } else { parameters.find(&name::weight(name::HEAD))? };
        let rotary = shape.variants.position == Position::Rotary;
        Ok(Self {
            shape: *shape,
            position: if rotary { None } else { Some(parameters.find(&name::weight(name::POSITION))?) },
            turns: rotary.then(|| Arc::new(rotary_table(shape.context, shape.head_dim))),
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
            exits: (0..if blocks == shape.blocks && shape.has_exits() { shape.outputs() } else { 0 })
                .map(|exit| (shape.trunk()..shape.depth_of(exit)).map(|place| block(shape.exit_block(exit, place))).collect())
                .collect::<Result<_>>()?,
            final_norm: Normalise::new(shape, parameters, name::FINAL_NORM)?,
            embedding,
            head,
        })
    }

    /// The shape; only so many of its blocks are there as [`Model::new`] was asked for.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The same model with the matrices of its blocks rounded to integers up to `limit`, in every forward pass anew; routers, embedding
    /// and head stay as they are.
    pub fn rounded(mut self, limit: i8) -> Self {
        for Block { query, key_value, output, up, down, .. } in self.blocks.iter_mut().chain(self.exits.iter_mut().flatten()) {
            [query, output, up, down].into_iter().chain(key_value).for_each(|matrix| matrix.limit = Some(limit));
        }
        self
    }

    /// Runs sequences of `time` tokens each, `tokens` `[n]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn forward(&self, tokens: &[u16], time: usize, gates: &Gates<'_>, mut dropout: Option<&mut Dropout<'_>>) -> Result<Pass> {
        let (n, device) = (tokens.len(), self.embedding.device());
        let ids = Tensor::from_vec(tokens.iter().map(|token| u32::from(*token)).collect(), n, device)?;
        let mut h = self.embedding.index_select(&ids, 0)?;
        if let Some(position) = &self.position {
            let places = Tensor::from_vec((0..n).map(|i| (i % time) as u32).collect::<Vec<_>>(), n, device)?;
            h = (h + position.index_select(&places, 0)?)?;
        }
        let mut pass = Pass {
            residuals: vec![h.clone()],
            active: Vec::new(),
            gates: Vec::new(),
            inputs: Vec::new(),
            key_values: Vec::new(),
            time,
        };
        let mut running = vec![true; n];
        let mut depths = vec![self.shape.blocks; n]; // where tokens leave through exits, behind all that they could run
        for (index, block) in self.blocks.iter().enumerate() {
            let z = match (&block.router, gates) {
                (Some(router), Gates::Thresholds(_) | Gates::Soft | Gates::StraightThrough) => router.forward(&h)?,
                (Some(router), Gates::Open) if self.shape.soft_scaling => router.forward(&h)?,
                _ => Vec::new(),
            };
            let active = self.decide(index, gates, &z, &running, &mut depths)?;
            let gate = match z.first() {
                Some(z) if matches!(gates, Gates::StraightThrough) => {
                    let gate = straight(z, pass.gates.last().filter(|_| self.shape.policy != Policy::Skip))?;
                    pass.gates.push(gate.clone());
                    Some(gate.unsqueeze(1)?)
                }
                Some(z) if matches!(gates, Gates::Soft) || self.shape.soft_scaling => {
                    let gate = open(z)?;
                    if matches!(gates, Gates::Soft) {
                        pass.gates.push(gate.clone());
                    }
                    Some(gate.unsqueeze(1)?)
                }
                _ => None,
            };
            // A straight gate is its own mask, and needs the branch of a token that it stops to know what it stopped.
            let mask = if matches!(gates, Gates::StraightThrough) { None } else { mask(&active, device)? };
            let around = Around { time, active: &active, made: pass.key_values.get(index), gate, mask };
            let (inputs, key_values);
            (h, inputs, key_values) = self.block(block, &h, &around, dropout.as_deref_mut())?;
            pass.key_values.extend(key_values);
            running.clone_from(&active);
            pass.active.push(active);
            pass.inputs.push(inputs);
            pass.residuals.push(h.clone());
        }
        // Residuals of who left are what they were, as if the blocks since were not there.
        for (exit, blocks) in self.exits.iter().enumerate() {
            let depth = self.shape.depth_of(exit);
            let leaves: Vec<bool> = depths.iter().map(|found| *found == depth).collect();
            if !leaves.contains(&true) {
                continue;
            }
            for (place, block) in (self.shape.trunk()..).zip(blocks) {
                let around =
                    Around { time, active: &leaves, made: pass.key_values.get(place), gate: None, mask: mask(&leaves, device)? };
                (h, ..) = self.block(block, &h, &around, dropout.as_deref_mut())?;
                pass.active[place].iter_mut().zip(&leaves).for_each(|(active, leaves)| *active |= leaves);
            }
            pass.residuals[self.shape.blocks] = h.clone();
        }
        Ok(pass)
    }

    /// The residual after a block, what its matrices were given, and the keys and values that it made for others to read.
    fn block(
        &self,
        block: &Block,
        h: &Tensor,
        around: &Around<'_>,
        mut dropout: Option<&mut Dropout<'_>>,
    ) -> Result<(Tensor, Inputs, Vec<Tensor>)> {
        let mut add = |h: &Tensor, branch: Tensor| {
            let branch = if let Some(dropout) = &mut dropout { dropout(&branch)? } else { branch };
            let branch = if let Some(gate) = &around.gate { branch.broadcast_mul(gate)? } else { branch };
            let branch = if let Some(mask) = &around.mask { branch.broadcast_mul(mask)? } else { branch };
            h + branch
        };
        let attention = block.norm1.forward(h)?;
        let Shape { width, .. } = self.shape;
        let one = self.shape.key_value_width();
        let mut key_values = Vec::new();
        let query_key_value = match (&block.key_value, around.made) {
            (Some(key_value), _) => {
                let all = block.query.forward_with(key_value, &attention)?;
                let makes = (all.dims()[1] - width) / one;
                if self.shape.key_value_blocks() < self.shape.blocks {
                    for cache in 0..makes {
                        key_values.push(all.narrow(1, width + cache * one, one)?.contiguous()?);
                    }
                }
                if makes > 1 { all.narrow(1, 0, width + one)?.contiguous()? } else { all }
            }
            (None, Some(made)) => Tensor::cat(&[&block.query.forward(&attention)?, made], 1)?,
            (None, None) => candle_core::bail!("a block makes no keys and values, and none before it made them"),
        };
        let output = self.attention(around.time, around.active).apply(&query_key_value)?;
        let h = add(h, block.output.forward(&output)?)?;
        let up = block.norm2.forward(&h)?;
        let down = activate(&block.up.forward(&up)?, self.shape.variants.mlp)?;
        let h = add(&h, block.down.forward(&down)?)?;
        Ok((h, Inputs { attention, output, up, down }, key_values))
    }

    /// The residual `[n, width]` after the blocks of exit `exit` of tokens that all leave there, and what their matrices were given, block by
    /// block. `pass` has run every block.
    ///
    /// # Errors
    /// The model has no such exit; those of candle.
    pub fn exit(&self, exit: usize, pass: &Pass, mut dropout: Option<&mut Dropout<'_>>) -> Result<(Tensor, Vec<Inputs>)> {
        let Some(blocks) = self.exits.get(exit) else { candle_core::bail!("the model has no exit {exit}") };
        let mut h = pass.residuals[self.shape.trunk()].clone();
        let everyone = vec![true; h.dims()[0]];
        let mut all = Vec::new();
        for (place, block) in (self.shape.trunk()..).zip(blocks) {
            let around = Around { time: pass.time, active: &everyone, made: pass.key_values.get(place), gate: None, mask: None };
            let inputs;
            (h, inputs, _) = self.block(block, &h, &around, dropout.as_deref_mut())?;
            all.push(inputs);
        }
        Ok((h, all))
    }

    /// What the head reads of tokens that run `depth` blocks, `[n, width]`: `pass` has run all.
    ///
    /// # Errors
    /// Those of candle.
    pub fn at_depth(&self, depth: usize, pass: &Pass, dropout: Option<&mut Dropout<'_>>) -> Result<Tensor> {
        match (0..self.exits.len()).find(|exit| self.shape.depth_of(*exit) == depth) {
            Some(exit) => Ok(self.exit(exit, pass, dropout)?.0),
            None => Ok(pass.residuals[depth].clone()),
        }
    }

    /// Which tokens run block `index`; `running` is who ran the one before. `depths` of those that leave through an exit become its depth.
    fn decide(&self, index: usize, gates: &Gates<'_>, z: &[Tensor], running: &[bool], depths: &mut [usize]) -> Result<Vec<bool>> {
        let has_exits = !self.exits.is_empty();
        Ok(match gates {
            // Of a model without its last blocks every token runs what there is.
            Gates::Depths(wanted) if !has_exits => wanted.iter().map(|depth| index < *depth).collect(),
            Gates::Depths(wanted) => {
                depths.copy_from_slice(wanted);
                wanted.iter().map(|depth| index < self.shape.trunk() || *depth == self.shape.blocks).collect()
            }
            Gates::Thresholds(_) | Gates::StraightThrough if !z.is_empty() => {
                let threshold = |output: usize| if let Gates::Thresholds(thresholds) = gates { thresholds[output] } else { 0.0 };
                let halted = |running: bool| self.shape.policy != Policy::Skip && !running;
                let mut active: Vec<bool> = running.iter().map(|running| !halted(*running)).collect();
                for (output, z) in self.shape.outputs_before(index).zip(z) {
                    for ((active, z), depth) in active.iter_mut().zip(z.to_vec1::<f32>()?).zip(&mut *depths) {
                        let goes_on = z < threshold(output);
                        if *active && !goes_on {
                            *active = false;
                            *depth = self.shape.depth_of(output);
                        }
                    }
                }
                active
            }
            _ => running.to_vec(),
        })
    }

    fn attention(&self, time: usize, active: &[bool]) -> Attention {
        let Shape { heads, kv_heads, head_dim, .. } = self.shape;
        let hidden = match self.shape.cache {
            Cache::Project | Cache::Ahead { .. } => None,
            Cache::Omit { kept } => {
                let hides = |(i, active): (usize, &bool)| !active && i % time >= usize::from(kept);
                Some(Arc::new(active.iter().enumerate().map(hides).collect()))
            }
        };
        Attention { time, heads, kv_heads, head_dim, turns: self.turns.clone(), hidden }
    }

    /// Logits `[n, vocabulary]` of residuals `[n, width]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn classify(&self, h: &Tensor) -> Result<Tensor> {
        linear(&self.final_norm.forward(h)?, &self.head)
    }

    /// The outputs `z` `[outputs]` of `[n]` of all routers, of the residuals of `pass`; they have no gradient beyond the routers.
    ///
    /// # Errors
    /// Those of candle.
    pub fn routers(&self, pass: &Pass) -> Result<Vec<Tensor>> {
        let mut outputs = Vec::new();
        for (block, residual) in self.blocks.iter().zip(&pass.residuals) {
            if let Some(router) = &block.router {
                outputs.extend(router.forward(&residual.detach())?);
            }
        }
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    #[test]
    fn a_straight_gate_is_0_or_1_and_has_the_gradient_of_a_soft_one() -> Result<()> {
        let var = |values: [f32; 4]| Var::from_vec(values.to_vec(), 4, &Device::Cpu);
        let (first, second) = (var([-2.0, -0.1, 0.0, 3.0])?, var([1.0, -3.0, -0.5, -1.0])?);
        let before = straight(&first, None)?;
        let gate = straight(&second, Some(&before))?;
        let near = |found: &Tensor, wanted: [f32; 4]| -> Result<()> {
            let found = found.to_vec1::<f32>()?;
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}, not {wanted:?}");
            Ok(())
        };
        near(&before, [1.0, 1.0, 0.0, 0.0])?;
        near(&gate, [0.0, 1.0, 0.0, 0.0])?;
        // d(1 - p)/dz, and of a product each factor's times the other factor.
        let slope = |z: f32| -1.0 / (2.0 + z.exp() + (-z).exp());
        let gradients = gate.sum_all()?.backward()?;
        near(gradients.get(&first).unwrap(), [0.0, slope(-0.1), slope(0.0), slope(3.0)])?;
        near(gradients.get(&second).unwrap(), [slope(1.0), slope(-3.0), 0.0, 0.0])
    }

    #[test]
    fn outputs_beyond_all_bounds_have_a_gradient() -> Result<()> {
        let z = Var::from_vec(vec![-200f32, 200.0], 2, &Device::Cpu)?;
        let found = open(&z)?.sum_all()?.backward()?.get(&z).unwrap().to_vec1::<f32>()?;
        assert!(found.iter().all(|slope| slope.is_finite()), "{found:?}");
        Ok(())
    }
}
