//! One decoder block's parameters, and its MLP's activation.

use crate::blob::Blob;
use crate::format::Mlp;
use crate::kernels::vector::gate;
use crate::linear::Linear;
use crate::math::{SIGMOID, gelu};
use crate::norm::Normalise;

/// A block's tensors, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'m> {
    pub routed: bool,
    pub norm1: Normalise<'m>,
    pub query: Linear<'m>,     // [width, width]
    pub key_value: Linear<'m>, // [caches * 2 * kv_heads * head_dim, width]
    pub output: Linear<'m>,    // [width, width]
    pub norm2: Normalise<'m>,
    pub up: Linear<'m>,   // [up_rows, width]
    pub down: Linear<'m>, // [width, mlp_width]
}

impl<'m> Block<'m> {
    pub fn new(blob: &Blob<'m>, index: usize) -> Self {
        let layout = blob.layout().block(index);
        Self {
            routed: layout.router.is_some(),
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
                let (packed, rows) = hidden.split_at_mut_checked(2 * token * mlp_width).unwrap_or_default();
                let (gates, factors) = rows.split_at_mut_checked(mlp_width).unwrap_or_default();
                gate(&SIGMOID, gates, factors);
                // From the second token on its place lies before its row.
                packed.iter_mut().skip(token * mlp_width).zip(gates.iter()).for_each(|(to, from)| *to = *from);
            }
        }
    }
}
