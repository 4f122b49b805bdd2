//! The loss as candle's own operations compute it, one after another on batched tensors: what the fused operations are measured against, and
//! a second opinion on their gradients.

use crate::checkpoint::name;
use crate::export::rotary_table;
use crate::losses::Batch;
use crate::model::Parameters;
use candle_core::{D, Device, Result, Tensor, bail};
use fathom::NORM_EPSILON;
use fathom::format::{Mlp, Norm, Position, Shape};

/// Mean cross-entropy in nats of a dense model with RMSNorm, rotary positions, SwiGLU and no biases, whole sequences of `shape.context`.
///
/// # Errors
/// Another kind of model; those of candle.
pub fn loss(shape: &Shape, parameters: &Parameters, batch: &Batch) -> Result<Tensor> {
    let variants = shape.variants;
    if variants.norm != Norm::RmsNorm || variants.position != Position::Rotary || variants.mlp != Mlp::SwiGlu || variants.bias {
        bail!("the plain loop is of models with RMSNorm, rotary positions and SwiGLU, without biases");
    }
    let plain = Plain { shape, parameters, sequences: batch.inputs.len() / shape.context };
    let ids = |tokens: &[u16]| tokens.iter().map(|token| u32::from(*token)).collect::<Vec<_>>();
    let n = batch.inputs.len();
    let inputs = Tensor::from_vec(ids(&batch.inputs), n, &Device::Cpu)?;
    let embedding = plain.weight(name::EMBEDDING)?;
    let mut h = embedding.index_select(&inputs, 0)?.reshape((plain.sequences, shape.context, shape.width))?;
    for index in 0..shape.blocks {
        let part = |part: &str| name::block(index, part);
        let x = plain.norm(&h, &part(name::NORM1))?;
        let attended = plain.attention(&plain.linear(&x, &part(name::QUERY))?, &plain.linear(&x, &part(name::KEY_VALUE))?)?;
        h = (h + plain.linear(&attended, &part(name::OUTPUT))?)?;
        let up = plain.linear(&plain.norm(&h, &part(name::NORM2))?, &part(name::UP))?;
        let width = shape.mlp_width;
        let activated = (up.narrow(2, 0, width)?.silu()? * up.narrow(2, width, width)?)?;
        h = (h + plain.linear(&activated, &part(name::DOWN))?)?;
    }
    let head = if variants.tied_head { name::EMBEDDING } else { name::HEAD };
    let logits = plain.linear(&plain.norm(&h, name::FINAL_NORM)?, head)?;
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let predictions = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let targets = Tensor::from_vec(ids(&batch.targets), (n, 1), &Device::Cpu)?;
    predictions.reshape((n, shape.vocabulary))?.gather(&targets, 1)?.mean_all()?.neg()
}

struct Plain<'a> {
    shape: &'a Shape,
    parameters: &'a Parameters,
    sequences: usize,
}

impl Plain<'_> {
    fn weight(&self, layer: &str) -> Result<Tensor> {
        match self.parameters.0.get(&name::weight(layer)) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => bail!("no parameter {}", name::weight(layer)),
        }
    }

    /// `[sequences, time, rows]` of `x` `[sequences, time, columns]`.
    fn linear(&self, x: &Tensor, layer: &str) -> Result<Tensor> {
        x.matmul(&self.weight(layer)?.broadcast_left(self.sequences)?.t()?)
    }

    /// RMSNorm over the last dimension.
    fn norm(&self, x: &Tensor, layer: &str) -> Result<Tensor> {
        let deviation = (x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(NORM_EPSILON))?.sqrt()?;
        x.broadcast_div(&deviation)?.broadcast_mul(&self.weight(layer)?)
    }

    /// `[sequences, heads, time, head_dim]` of `x` `[sequences, time, heads * head_dim]`; key and value heads are repeated for their queries.
    fn split(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let Shape { context, head_dim, heads: all, .. } = *self.shape;
        let x = x.reshape((self.sequences, context, heads, head_dim))?.transpose(1, 2)?.contiguous()?;
        let repeated = x.unsqueeze(2)?.expand((self.sequences, heads, all / heads, context, head_dim))?;
        repeated.reshape((self.sequences, all, context, head_dim))
    }

    /// Turns pairs of columns of `x` `[sequences, heads, time, head_dim]` by the angles of their positions.
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let (context, half) = (self.shape.context, self.shape.head_dim / 2);
        let turns = Tensor::from_vec(rotary_table(context, 2 * half), (context, half, 2), &Device::Cpu)?;
        let (cos, sin) = (turns.narrow(2, 0, 1)?, turns.narrow(2, 1, 1)?);
        let pairs = x.reshape((self.sequences, self.shape.heads, context, half, 2))?;
        let (a, b) = (pairs.narrow(4, 0, 1)?, pairs.narrow(4, 1, 1)?);
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
        Tensor::cat(&[first, second], 4)?.reshape(x.shape())
    }

    /// Causal attention `[sequences, time, width]`.
    fn attention(&self, query: &Tensor, key_value: &Tensor) -> Result<Tensor> {
        let Shape { context, heads, kv_heads, head_dim, width, .. } = *self.shape;
        let kv_width = kv_heads * head_dim;
        let query = self.rotate(&self.split(query, heads)?)?;
        let key = self.rotate(&self.split(&key_value.narrow(2, 0, kv_width)?, kv_heads)?)?;
        let value = self.split(&key_value.narrow(2, kv_width, kv_width)?, kv_heads)?;
        let scores = (query.matmul(&key.t()?)? * (1.0 / (head_dim as f64).sqrt()))?;
        let future = (0..context * context).map(|i| if i % context > i / context { f32::NEG_INFINITY } else { 0.0 }).collect();
        let scores = scores.broadcast_add(&Tensor::from_vec(future, (context, context), &Device::Cpu)?)?;
        let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
        weights.matmul(&value)?.transpose(1, 2)?.reshape((self.sequences, context, width))
    }
}
