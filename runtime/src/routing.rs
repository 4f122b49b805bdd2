//! Which tokens run a block.

use crate::blob::Blob;
use crate::format::{Policy, RouterLayout, Shape};
use crate::kernels::vector::rectified_dot;
use crate::linear::Linear;

/// A router's parameters, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Router<'m> {
    pub hidden: Linear<'m>, // [router_width, width]
    outputs: &'m [f32],     // [outputs, router_width]
    biases: &'m [f32],      // [outputs]
}

impl<'m> Router<'m> {
    pub fn new(blob: &Blob<'m>, layout: &RouterLayout) -> Self {
        let (outputs, biases) = (blob.floats(layout.output), blob.floats(layout.output_bias));
        Self { hidden: Linear::new(blob, &layout.hidden), outputs, biases }
    }

    /// `z = outputs[output] . relu(hidden) + biases[output]`; `hidden` `[router_width]` is the hidden layer of a token's residual.
    #[inline(never)]
    pub fn output(&self, hidden: &[f32], output: usize) -> f32 {
        let weights = self.outputs.get(output * hidden.len()..(output + 1) * hidden.len()).unwrap_or_default();
        rectified_dot(hidden, weights) + self.biases.get(output).copied().unwrap_or_default()
    }
}

/// Whether nothing but the router before a block keeps a token from running it; its mask holds the blocks that it ran so far.
#[inline(never)] // bytes of an image, not cycles
pub(crate) fn is_running(shape: &Shape, block: usize, mask: u32) -> bool {
    match shape.policy {
        Policy::Dense | Policy::Skip => true,
        // Still active in the block before: a halted token is never asked again.
        Policy::Halt | Policy::Exit { .. } => block == 0 || mask >> (block - 1) & 1 == 1,
    }
}
