//! Which tokens run a block.

use crate::blob::Blob;
use crate::format::{Policy, RouterLayout, Shape};
use crate::kernels::vector::rectified_dot;
use crate::linear::{Linear, Rows};

/// A router's parameters, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Router<'m> {
    hidden: Linear<'m>, // [router_width, width]
    output: &'m [f32],  // [router_width]
    bias: f32,
}

impl<'m> Router<'m> {
    pub fn new(blob: &Blob<'m>, layout: &RouterLayout) -> Self {
        let bias = blob.floats(layout.output_bias).first().copied().unwrap_or_default();
        Self { hidden: Linear::new(blob, &layout.hidden), output: blob.floats(layout.output), bias }
    }

    /// `z[t] = output . relu(hidden input[t]) + bias` of the rows, `z` `[tokens]`; `work` `[tokens, router_width]`.
    pub fn halting(&self, input: Rows<'_>, work: &mut [f32], z: &mut [f32]) {
        let width = self.output.len();
        self.hidden.apply(input, work);
        for (z, hidden) in z.iter_mut().zip(work.chunks_exact(width.max(1))).take(input.tokens) {
            *z = rectified_dot(hidden, self.output) + self.bias;
        }
    }
}

/// Whether nothing but the router before a block keeps a token from running it; its mask holds the blocks that it ran so far.
pub(crate) fn is_running(shape: &Shape, block: usize, mask: u32) -> bool {
    match shape.policy {
        Policy::Dense | Policy::Skip => true,
        // Still active in the block before: a halted token is never asked again.
        Policy::Halt | Policy::Exit { .. } => block == 0 || mask >> (block - 1) & 1 == 1,
    }
}
