//! Where each tensor lies in a blob: a pure function of the shape, used by writer and reader alike.
//!
//! ```text
//! prelude | header | embedding | position | block 0 | block 1 | ... | exit block 0 | ... | final norm | head (if separate)
//! block:  router (if one stands before it) | norm1 | query | key_value (if it makes any) | output | norm2 | up | down
//! linear: weights | scales (int8, int4) | bias (if any)
//! ```
//!
//! Every part starts at a multiple of [`ALIGNMENT`] from the blob's start. One block is contiguous, so that a skipped block is a
//! skipped read.

use super::header::{BlockMatrix, MatrixElement, Norm, Position};
use super::shape::Shape;
use super::{packing, quad_packing};

/// Alignment of every section, and of the blob itself, in bytes.
pub const ALIGNMENT: usize = 16;

/// The next multiple of [`ALIGNMENT`].
pub const fn align(bytes: usize) -> usize {
    bytes.div_ceil(ALIGNMENT) * ALIGNMENT
}

/// A range of bytes from the blob's start; empty when the tensor is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub offset: usize,
    /// Length in bytes.
    pub bytes: usize,
}

impl Span {
    /// As a slice range.
    pub const fn range(&self) -> core::ops::Range<usize> {
        self.offset..self.offset + self.bytes
    }
}

/// A matrix `[rows, columns]` with its per-row scales and bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearLayout {
    /// Output rows.
    pub rows: usize,
    /// Input columns.
    pub columns: usize,
    /// Element type of the weights.
    pub element: MatrixElement,
    /// int8: row-pair packed; int4: row-quad packed; f16: row-major `[rows, columns]`.
    pub weights: Span,
    /// f32 `[rows]`, not for f16.
    pub scales: Span,
    /// f32 `[rows]`, or empty.
    pub bias: Span,
}

/// A normalisation's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormLayout {
    /// f32 `[width]`.
    pub weight: Span,
    /// f32 `[width]`, or empty.
    pub bias: Span,
}

/// A router's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterLayout {
    /// `W1 [router_width, width]` with its bias `b1` (always present).
    pub hidden: LinearLayout,
    /// `W2`, f32 `[outputs, router_width]`.
    pub output: Span,
    /// `b2`, f32 `[outputs]`.
    pub output_bias: Span,
}

/// One block's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    /// The router that decides whether a token runs this block.
    pub router: Option<RouterLayout>,
    /// Before attention.
    pub norm1: NormLayout,
    /// `[width, width]`.
    pub query: LinearLayout,
    /// `[caches * 2 * kv_heads * head_dim, width]`, of each cache that the block fills keys first; without rows if it fills none.
    pub key_value: LinearLayout,
    /// `[width, width]`.
    pub output: LinearLayout,
    /// Before the MLP.
    pub norm2: NormLayout,
    /// `[mlp_width, width]`, or `[2 * mlp_width, width]` with the gate first.
    pub up: LinearLayout,
    /// `[width, mlp_width]`.
    pub down: LinearLayout,
}

/// The whole blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `[vocabulary, width]`; also the head when tied.
    pub embedding: LinearLayout,
    /// Learned: f16 `[context, width]`. Rotary: f32 `[context, head_dim / 2, 2]` of (cos, sin).
    pub position: Span,
    /// Before the head.
    pub final_norm: NormLayout,
    /// `[vocabulary, width]`, or none when tied.
    pub head: Option<LinearLayout>,
    /// Length of the blob in bytes, a multiple of [`ALIGNMENT`].
    pub total: usize,
    shape: Shape,
    first_block: usize,
    second_block: usize,
    block_bytes: usize, // of each but the first that makes keys and values for itself
    ahead: usize,       // end of the last block that makes any
    ahead_bytes: usize, // of each later block and each exit block
}

struct Cursor(usize);

impl Cursor {
    const fn take(&mut self, bytes: usize) -> Span {
        let span = Span { offset: self.0, bytes };
        self.0 = align(self.0 + bytes);
        span
    }

    const fn floats(&mut self, count: usize) -> Span {
        self.take(4 * count)
    }

    const fn linear(&mut self, element: MatrixElement, rows: usize, columns: usize, bias: bool) -> LinearLayout {
        let (weights, scales) = match element {
            MatrixElement::Int4 => (quad_packing::packed_bytes(rows, columns), rows),
            MatrixElement::Int8 => (packing::packed_bytes(rows, columns), rows),
            MatrixElement::F16 => (2 * rows * columns, 0),
        };
        LinearLayout {
            rows,
            columns,
            element,
            weights: self.take(weights),
            scales: self.floats(scales),
            bias: self.floats(if bias { rows } else { 0 }),
        }
    }

    const fn norm(&mut self, shape: &Shape) -> NormLayout {
        let bias = matches!(shape.variants.norm, Norm::LayerNorm) && shape.variants.bias;
        NormLayout { weight: self.floats(shape.width), bias: self.floats(if bias { shape.width } else { 0 }) }
    }

    const fn router(&mut self, shape: &Shape, outputs: usize) -> RouterLayout {
        RouterLayout {
            hidden: self.linear(shape.element.outside_blocks(), shape.router_width, shape.width, true),
            output: self.floats(outputs * shape.router_width),
            output_bias: self.floats(outputs),
        }
    }

    /// Block `block`, or any with as many router outputs and rows of keys and values.
    const fn block(&mut self, shape: &Shape, block: usize) -> BlockLayout {
        let outputs = shape.outputs_before(block);
        let outputs = outputs.end - outputs.start;
        let bias = shape.variants.bias;
        let element = shape.element;
        BlockLayout {
            router: if outputs > 0 { Some(self.router(shape, outputs)) } else { None },
            norm1: self.norm(shape),
            query: self.linear(element.of(BlockMatrix::Query), shape.width, shape.width, bias),
            key_value: self.linear(element.of(BlockMatrix::KeyValue), shape.key_value_rows(block), shape.width, bias),
            output: self.linear(element.of(BlockMatrix::Output), shape.width, shape.width, bias),
            norm2: self.norm(shape),
            up: self.linear(element.of(BlockMatrix::Up), shape.up_rows(), shape.width, bias),
            down: self.linear(element.of(BlockMatrix::Down), shape.width, shape.mlp_width, bias),
        }
    }
}

/// Bytes of a block.
const fn block_bytes(shape: &Shape, block: usize) -> usize {
    let mut cursor = Cursor(0);
    cursor.block(shape, block);
    cursor.0
}

impl Layout {
    /// The layout of a blob with this shape whose sections start at or after `header_end` bytes. Never panics for a [`Shape`] that
    /// [`Shape::new`] returned.
    pub const fn new(shape: &Shape, header_end: usize) -> Self {
        let mut cursor = Cursor(align(header_end));
        let embedding = cursor.linear(shape.element.outside_blocks(), shape.vocabulary, shape.width, false);
        let position = match shape.variants.position {
            Position::Learned => cursor.take(2 * shape.context * shape.width),
            Position::Rotary => cursor.floats(shape.context * shape.head_dim),
        };
        let first_block = cursor.0;
        cursor.block(shape, 0);
        let second_block = cursor.0;
        let makers = shape.key_value_blocks();
        let (last, ahead_bytes) = (block_bytes(shape, makers - 1), block_bytes(shape, makers));
        let block_bytes = block_bytes(shape, 1);
        if makers > 1 {
            cursor.0 += (makers - 2) * block_bytes + last;
        }
        let ahead = cursor.0;
        cursor.0 += (shape.stored_blocks() - makers) * ahead_bytes;
        let final_norm = cursor.norm(shape);
        let head = if shape.variants.tied_head {
            None
        } else {
            Some(cursor.linear(shape.element.outside_blocks(), shape.vocabulary, shape.width, false))
        };
        let total = cursor.0;
        Self {
            embedding,
            position,
            final_norm,
            head,
            total,
            shape: *shape,
            first_block,
            second_block,
            block_bytes,
            ahead,
            ahead_bytes,
        }
    }

    /// Where a stored block after the first starts.
    const fn later_block(&self, block: usize) -> Cursor {
        match block.checked_sub(self.shape.key_value_blocks()) {
            Some(later) => Cursor(self.ahead + later * self.ahead_bytes),
            None => Cursor(self.second_block + (block - 1) * self.block_bytes),
        }
    }

    /// The tensors of stored block `block`; those from [`Shape::blocks`] on are exit blocks.
    pub const fn block(&self, block: usize) -> BlockLayout {
        if block == 0 {
            return Cursor(self.first_block).block(&self.shape, 0);
        }
        self.later_block(block).block(&self.shape, block)
    }

    /// The router before block `block`, if there is one.
    #[inline(never)]
    pub const fn router(&self, block: usize) -> Option<RouterLayout> {
        let outputs = self.shape.outputs_before(block);
        if outputs.end > outputs.start {
            Some(self.later_block(block).router(&self.shape, outputs.end - outputs.start))
        } else {
            None
        }
    }
}

impl Layout {
    /// Calls `visit(name, block, span, is_f32)` for every tensor that is present, in the order of the file. `is_f32` is false for
    /// matrices (int4, int8 or f16) and for a learned position table (f16).
    pub fn visit(&self, visit: &mut Visitor<'_>) {
        visit_linear(&["embedding", "embedding.scales", ""], 0, &self.embedding, visit);
        visit("position", 0, self.position, matches!(self.shape.variants.position, Position::Rotary));
        for index in 0..self.shape.stored_blocks() {
            let block = self.block(index);
            if let Some(router) = &block.router {
                visit_linear(&["router.hidden", "router.hidden.scales", "router.hidden.bias"], index, &router.hidden, visit);
                visit("router.output", index, router.output, true);
                visit("router.output.bias", index, router.output_bias, true);
            }
            visit_norm(&["norm1", "norm1.bias"], index, &block.norm1, visit);
            visit_linear(&["query", "query.scales", "query.bias"], index, &block.query, visit);
            visit_linear(&["key_value", "key_value.scales", "key_value.bias"], index, &block.key_value, visit);
            visit_linear(&["output", "output.scales", "output.bias"], index, &block.output, visit);
            visit_norm(&["norm2", "norm2.bias"], index, &block.norm2, visit);
            visit_linear(&["up", "up.scales", "up.bias"], index, &block.up, visit);
            visit_linear(&["down", "down.scales", "down.bias"], index, &block.down, visit);
        }
        visit_norm(&["final_norm", "final_norm.bias"], 0, &self.final_norm, visit);
        if let Some(head) = &self.head {
            visit_linear(&["head", "head.scales", ""], 0, head, visit);
        }
    }
}

/// What [`Layout::visit`] calls with `(name, block, span, is_f32)`.
pub type Visitor<'v> = dyn FnMut(&'static str, usize, Span, bool) + 'v;

#[inline(never)] // nine of them inlined are two kilobytes of an image
fn visit_linear(name: &[&'static str; 3], block: usize, linear: &LinearLayout, visit: &mut Visitor<'_>) {
    if linear.rows > 0 {
        visit(name[0], block, linear.weights, false);
    }
    for (name, span) in [(name[1], linear.scales), (name[2], linear.bias)] {
        if span.bytes > 0 {
            visit(name, block, span, true);
        }
    }
}

#[inline(never)]
fn visit_norm(name: &[&'static str; 2], block: usize, norm: &NormLayout, visit: &mut Visitor<'_>) {
    visit(name[0], block, norm.weight, true);
    if norm.bias.bytes > 0 {
        visit(name[1], block, norm.bias, true);
    }
}

const _: () = assert!(align(1) == ALIGNMENT && align(ALIGNMENT) == ALIGNMENT && align(0) == 0);
