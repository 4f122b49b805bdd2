//! The same operations by candle's own, one after another, on any device: what runs on a GPU, and a second opinion on values and gradients
//! of the fused ones.

use super::attention::Attention;
use super::fake_quantise::{largest_followed, rounded};
use candle_core::{D, Result, Tensor};
use fathom::NORM_EPSILON;
use fathom::format::Mlp;

/// `x weight^T` `[n, rows]`; `x` `[n, columns]`, `weight` `[rows, columns]`.
///
/// # Errors
/// Those of candle, as everywhere here.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)
}

/// RMSNorm, or LayerNorm where it centres, over the last dimension of `x`; `weight` `[width]`.
///
/// # Errors
/// Those of candle.
pub fn norm(x: &Tensor, weight: &Tensor, centred: bool) -> Result<Tensor> {
    let x = if centred { x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)? } else { x.clone() };
    let deviation = (x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(NORM_EPSILON))?.sqrt()?;
    x.broadcast_div(&deviation)?.broadcast_mul(weight)
}

/// The MLP's activation over the last dimension of `x`; for SwiGLU the gate is its first half.
///
/// # Errors
/// Those of candle.
pub fn activate(x: &Tensor, mlp: Mlp) -> Result<Tensor> {
    match mlp {
        Mlp::Gelu => x.gelu(),
        Mlp::SquaredRelu => x.relu()?.sqr(),
        Mlp::SwiGlu => {
            let width = x.dim(D::Minus1)? / 2;
            x.narrow(D::Minus1, 0, width)?.silu()? * x.narrow(D::Minus1, width, width)?
        }
    }
}

/// `log softmax` of each row of `logits` `[n, vocabulary]`.
fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// `-log softmax(logits)[target]` in nats, `[n]`; `logits` `[n, vocabulary]`, `targets` `[n]`.
///
/// # Errors
/// Those of candle.
pub fn cross_entropy(logits: &Tensor, targets: &[u16]) -> Result<Tensor> {
    let targets: Vec<u32> = targets.iter().map(|target| u32::from(*target)).collect();
    let targets = Tensor::from_vec(targets, (logits.dims2()?.0, 1), logits.device())?;
    log_softmax(logits)?.gather(&targets, 1)?.squeeze(1)?.neg()
}

/// Kullback-Leibler divergence of `softmax(logits)` from `softmax(teacher)` in nats, `[n]`; no gradient reaches the teacher.
///
/// # Errors
/// Those of candle.
pub fn imitation(logits: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    let teacher = log_softmax(&teacher.detach())?;
    (teacher.exp()? * (teacher - log_softmax(logits)?)?)?.sum(D::Minus1)
}

/// Rounds each row of `weight` `[rows, columns]` as a blob would, with the gradient of what was not rounded where rounding follows it.
/// The search for scales is the host's.
///
/// # Errors
/// Those of candle.
pub fn fake_quantise(weight: &Tensor, limit: i8) -> Result<Tensor> {
    let columns = weight.dims2()?.1;
    let values = weight.flatten_all()?.to_vec1::<f32>()?;
    let rounded = rounded(&values, columns, limit);
    let follows = values.chunks_exact(columns).zip(rounded.chunks_exact(columns)).flat_map(|(weight, rounded)| {
        let end = largest_followed(rounded, limit);
        weight.iter().map(move |w| f32::from(u8::from(w.abs() <= end)))
    });
    let follows = Tensor::from_vec(follows.collect::<Vec<_>>(), weight.shape(), weight.device())?;
    let straight = ((weight - weight.detach())? * follows)?;
    Tensor::from_vec(rounded, weight.shape(), weight.device())? + straight
}

/// Causal grouped-query attention `[sequences, time, width]` of `query` `[sequences, time, width]` and `key_value` `[sequences, time,
/// 2 * kv_heads * head_dim]`.
///
/// # Errors
/// Those of candle.
pub fn attend(attention: &Attention, query: &Tensor, key_value: &Tensor) -> Result<Tensor> {
    let Attention { time, heads, kv_heads, head_dim, .. } = *attention;
    let kv_width = kv_heads * head_dim;
    let query = rotate(attention, &split(attention, query, heads)?)?;
    let key = rotate(attention, &split(attention, &key_value.narrow(2, 0, kv_width)?, kv_heads)?)?;
    let value = split(attention, &key_value.narrow(2, kv_width, kv_width)?, kv_heads)?;
    let scores = (query.matmul(&key.t()?)? * (1.0 / (head_dim as f64).sqrt()))?.broadcast_add(&unseen(attention, &query)?)?;
    let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    let sequences = value.dims()[0];
    weights.matmul(&value)?.transpose(1, 2)?.reshape((sequences, time, heads * head_dim))
}

/// `[sequences, heads, time, head_dim]` of `x` `[sequences, time, of * head_dim]`; key and value heads are repeated for their queries.
fn split(attention: &Attention, x: &Tensor, of: usize) -> Result<Tensor> {
    let Attention { time, heads, head_dim, .. } = *attention;
    let sequences = x.dims()[0];
    let x = x.reshape((sequences, time, of, head_dim))?.transpose(1, 2)?.contiguous()?;
    let repeated = x.unsqueeze(2)?.expand((sequences, of, heads / of, time, head_dim))?;
    repeated.reshape((sequences, heads, time, head_dim))
}

/// Turns pairs of columns of `x` `[sequences, heads, time, head_dim]` by the angles of their positions.
fn rotate(attention: &Attention, x: &Tensor) -> Result<Tensor> {
    let Some(turns) = &attention.turns else { return Ok(x.clone()) };
    let (sequences, heads, time, head_dim) = x.dims4()?;
    let half = head_dim / 2;
    let turns = Tensor::from_slice(&turns[..time * head_dim], (time, half, 2), x.device())?;
    let (cos, sin) = (turns.narrow(2, 0, 1)?, turns.narrow(2, 1, 1)?);
    let pairs = x.reshape((sequences, heads, time, half, 2))?;
    let (a, b) = (pairs.narrow(4, 0, 1)?, pairs.narrow(4, 1, 1)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
    Tensor::cat(&[first, second], 4)?.reshape(x.shape())
}

/// Minus infinity where a token sees nothing: ahead of it, and where keys and values are hidden. `[time, time]`, or one for each
/// sequence, `[sequences, 1, time, time]`, on the device of `like`.
fn unseen(attention: &Attention, like: &Tensor) -> Result<Tensor> {
    let time = attention.time;
    let mask = |hides: bool| if hides { f32::NEG_INFINITY } else { 0.0 };
    let Some(hidden) = &attention.hidden else {
        let future = (0..time * time).map(|i| mask(i % time > i / time)).collect();
        return Tensor::from_vec(future, (time, time), like.device());
    };
    let row = |at: usize| {
        let (here, start) = (at % time, at - at % time);
        (0..time).map(move |seen| mask(seen > here || (seen < here && hidden[start + seen])))
    };
    let all: Vec<f32> = (0..hidden.len()).flat_map(row).collect();
    Tensor::from_vec(all, (hidden.len() / time, 1, time, time), like.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::rotary_table;
    use crate::ops::TASK_ROWS;
    use crate::ops::gradient_check::values;
    use crate::ops::{
        activation, attention, cross_entropy as fused_loss, fake_quantise as fused_rounding, imitation as distance,
        linear as products, norm as fused_norm,
    };
    use candle_core::{Device, Var};
    use std::sync::Arc;

    /// Compares values, and gradients of a weighted sum of them, of two ways to compute the same of inputs of these shapes.
    fn alike(shapes: &[&[usize]], fused: impl Fn(&[Tensor]) -> Result<Tensor>, plain: impl Fn(&[Tensor]) -> Result<Tensor>) {
        let var = |(seed, shape): (u32, &&[usize])| {
            Var::from_vec(values(shape.iter().product(), 3 + seed), *shape, &Device::Cpu).unwrap()
        };
        let vars: Vec<Var> = (0..).zip(shapes).map(var).collect();
        let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let run = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
            let output = f(&inputs).unwrap();
            let weights = Tensor::from_vec(values(output.elem_count(), 29), output.shape(), &Device::Cpu).unwrap();
            let gradients = (&output * weights).unwrap().sum_all().unwrap().backward().unwrap();
            let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let gradients: Vec<f32> = vars.iter().flat_map(|var| flat(gradients.get(var).unwrap())).collect();
            (output.dims().to_vec(), flat(&output), gradients)
        };
        let ((shape, values, gradients), (plain_shape, plain_values, plain_gradients)) = (run(&fused), run(&plain));
        assert_eq!(shape, plain_shape);
        for (found, wanted) in values.iter().chain(&gradients).zip(plain_values.iter().chain(&plain_gradients)) {
            assert!((found - wanted).abs() <= 2e-5 * (1.0 + wanted.abs()), "{found} and {wanted}");
        }
    }

    /// Rows and columns: some of one task and fewer lanes than a vector has, and some of three tasks and two vectors and a half.
    const SIZES: [(usize, usize); 2] = [(7, 5), (2 * TASK_ROWS + 7, 40)];

    #[test]
    fn matrices_norms_and_activations_are_those_of_the_fused_operations() {
        for (n, columns) in SIZES {
            alike(&[&[n, columns], &[9, columns]], |x| products::linear(&x[0], &x[1]), |x| linear(&x[0], &x[1]));
            let pair = |x: &[Tensor]| Tensor::cat(&[linear(&x[0], &x[1])?, linear(&x[0], &x[2])?], 1);
            let shapes: [&[usize]; 3] = [&[n, columns], &[4, columns], &[3, columns]];
            alike(&shapes, |x| products::linear_pair(&x[0], &x[1], &x[2]), pair);
            for centred in [false, true] {
                alike(&[&[n, columns], &[columns]], |x| fused_norm::norm(&x[0], &x[1], centred), |x| norm(&x[0], &x[1], centred));
            }
            for mlp in [Mlp::Gelu, Mlp::SquaredRelu, Mlp::SwiGlu] {
                let shape = [n, 2 * columns];
                alike(&[&shape], |x| activation::activate(&(&x[0] * 3.0)?, mlp), |x| activate(&(&x[0] * 3.0)?, mlp));
            }
        }
    }

    #[test]
    fn losses_are_those_of_the_fused_operations() {
        for (n, vocabulary) in SIZES {
            let targets: Vec<u16> = (0..n).map(|i| (i * 3 % vocabulary) as u16).collect();
            let (fused, plain) = (|x: &Tensor| fused_loss::cross_entropy(x, &targets), |x: &Tensor| cross_entropy(x, &targets));
            alike(&[&[n, vocabulary]], |x| fused(&(&x[0] * 3.0)?), |x| plain(&(&x[0] * 3.0)?));
            let teacher = (Tensor::from_vec(values(n * vocabulary, 3), (n, vocabulary), &Device::Cpu).unwrap() * 2.0).unwrap();
            let shape = [n, vocabulary];
            alike(&[&shape], |x| distance::imitation(&(&x[0] * 3.0)?, &teacher), |x| imitation(&(&x[0] * 3.0)?, &teacher));
        }
    }

    #[test]
    fn rounded_weights_are_those_of_the_fused_operation() {
        // One weight far beyond the others: the best scale does not reach it, and its gradient ends there.
        let mut weights = values(192, 3);
        let outlier = (0..96).max_by(|a, b| weights[*a].abs().total_cmp(&weights[*b].abs())).unwrap();
        let large: Vec<f32> = (0..192).map(|i| if i == outlier { 6.0 } else { 1.0 }).collect();
        weights[outlier] *= large[outlier];
        assert!(weights[outlier].abs() > largest_followed(&rounded(&weights[..96], 96, 7), 7));
        let large = Tensor::from_vec(large, (2, 96), &Device::Cpu).unwrap();
        alike(&[&[2, 96]], |x| fused_rounding::fake_quantise(&(&x[0] * &large)?, 7), |x| fake_quantise(&(&x[0] * &large)?, 7));
    }

    #[test]
    fn attention_is_that_of_the_fused_operation() {
        for (rotary, hidden) in [(false, false), (true, false), (true, true)] {
            let attention = attention::Attention {
                time: 5,
                heads: 4,
                kv_heads: 2,
                head_dim: 4,
                turns: rotary.then(|| Arc::new(rotary_table(8, 4))),
                hidden: hidden.then(|| Arc::new((0..10).map(|i| i % 3 == 1).collect())),
            };
            alike(&[&[10, 32]], |x| attention.clone().fused(&x[0]), |x| attention.plain(&x[0]));
        }
    }
}
