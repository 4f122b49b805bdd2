//! The loss as candle's own operations compute it, one after another on batched tensors: what the fused operations are measured against, and
//! a second opinion on their gradients.

use crate::checkpoint::name;
use crate::export::rotary_table;
use crate::losses::Batch;
use crate::model::Parameters;
use crate::ops::attention::Attention;
use crate::ops::plain;
use candle_core::{Device, Result, Tensor, bail};
use fathom::format::{Mlp, Norm, Position, Shape};
use std::sync::Arc;

/// Mean cross-entropy in nats of a dense model with RMSNorm, rotary positions, SwiGLU and no biases, whole sequences of `shape.context`.
///
/// # Errors
/// Another kind of model; those of candle.
pub fn loss(shape: &Shape, parameters: &Parameters, batch: &Batch) -> Result<Tensor> {
    let variants = shape.variants;
    if variants.norm != Norm::RmsNorm || variants.position != Position::Rotary || variants.mlp != Mlp::SwiGlu || variants.bias {
        bail!("the plain loop is of models with RMSNorm, rotary positions and SwiGLU, without biases");
    }
    let Shape { context, heads, kv_heads, head_dim, .. } = *shape;
    let turns = Some(Arc::new(rotary_table(context, head_dim)));
    let attention = Attention { time: context, heads, kv_heads, head_dim, turns, hidden: None };
    let n = batch.inputs.len();
    let sequences = n / context;
    // `[sequences, time, rows]` of `x` `[sequences, time, columns]`.
    let linear = |x: &Tensor, layer: &str| x.matmul(&parameters.find(&name::weight(layer))?.broadcast_left(sequences)?.t()?);
    let norm = |x: &Tensor, layer: &str| plain::norm(x, &parameters.find(&name::weight(layer))?, false);
    let inputs: Vec<u32> = batch.inputs.iter().map(|token| u32::from(*token)).collect();
    let embedding = parameters.find(&name::weight(name::EMBEDDING))?;
    let inputs = Tensor::from_vec(inputs, n, &Device::Cpu)?;
    let mut h = embedding.index_select(&inputs, 0)?.reshape((sequences, context, shape.width))?;
    for index in 0..shape.blocks {
        let part = |part: &str| name::block(index, part);
        let x = norm(&h, &part(name::NORM1))?;
        let attended = plain::attend(&attention, &linear(&x, &part(name::QUERY))?, &linear(&x, &part(name::KEY_VALUE))?)?;
        h = (h + linear(&attended, &part(name::OUTPUT))?)?;
        let up = linear(&norm(&h, &part(name::NORM2))?, &part(name::UP))?;
        h = (h + linear(&plain::activate(&up, variants.mlp)?, &part(name::DOWN))?)?;
    }
    let head = if variants.tied_head { name::EMBEDDING } else { name::HEAD };
    let logits = linear(&norm(&h, name::FINAL_NORM)?, head)?;
    plain::cross_entropy(&logits.reshape((n, shape.vocabulary))?, &batch.targets)?.mean_all()
}
