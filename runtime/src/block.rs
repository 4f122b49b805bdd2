//! One decoder block's parameters, and its MLP's activation.

use crate::blob::Blob;
use crate::format::Mlp;
use crate::linear::Linear;
use crate::math::{gelu, silu};
use crate::norm::Normalise;
use crate::routing::Router;

/// A block's tensors, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'m> {
    pub router: Option<Router<'m>>,
    pub norm1: Normalise<'m>,
    pub query: Linear<'m>,     // [width, width]
    pub key_value: Linear<'m>, // [2 * kv_heads * head_dim, width]
    pub output: Linear<'m>,    // [width, width]
    pub norm2: Normalise<'m>,
    pub up: Linear<'m>,   // [up_rows, width]
    pub down: Linear<'m>, // [width, mlp_width]
}

impl<'m> Block<'m> {
    pub fn new(blob: &Blob<'m>, index: usize) -> Self {
        let layout = blob.layout().block(index);
        Self {
            router: layout.router.map(|router| Router::new(blob, &router)),
            norm1: Normalise::new(blob, &layout.norm1),
            query: Linear::new(blob, &layout.query),
            key_value: Linear::new(blob, &layout.key_value),
            output: Linear::new(blob, &layout.output),
            norm2: Normalise::new(blob, &layout.norm2),
            up: Linear::new(blob, &layout.up),
            down: Linear::new(blob, &layout.down),
        }
    }
}

/// Activates the hidden layer of each token in place; results are packed at the front as `[tokens, mlp_width]`.
///
/// *Shapes*: `hidden` `[tokens, up_rows]`.
pub(crate) fn activate(mlp: Mlp, hidden: &mut [f32], mlp_width: usize, tokens: usize) {
    match mlp {
        Mlp::Gelu => hidden.iter_mut().take(tokens * mlp_width).for_each(|x| *x = gelu(*x)),
        Mlp::SquaredRelu => hidden.iter_mut().take(tokens * mlp_width).for_each(|x| *x = if *x > 0.0 { *x * *x } else { 0.0 }),
        Mlp::SwiGlu => {
            for token in 0..tokens {
                for column in 0..mlp_width {
                    // Gate and up of this token lie at or behind the place that is written.
                    let gate = hidden[token * 2 * mlp_width + column];
                    let up = hidden[token * 2 * mlp_width + mlp_width + column];
                    hidden[token * mlp_width + column] = silu(gate) * up;
                }
            }
        }
    }
}
