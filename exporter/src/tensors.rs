//! A float model by role: what a checkpoint holds and a blob needs, without either's names or layout.

/// A matrix with an optional bias.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearTensors {
    /// Output rows.
    pub rows: usize,
    /// Input columns.
    pub columns: usize,
    /// `[rows, columns]`, row-major.
    pub weight: Vec<f32>,
    /// `[rows]`.
    pub bias: Option<Vec<f32>>,
}

/// A normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct NormTensors {
    /// `[width]`.
    pub weight: Vec<f32>,
    /// `[width]`.
    pub bias: Option<Vec<f32>>,
}

/// A router: `z = output relu(hidden h) + output_bias`, one output, or one for each exit.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterTensors {
    /// `[router_width, width]`, with bias.
    pub hidden: LinearTensors,
    /// `[outputs, router_width]`.
    pub output: Vec<f32>,
    /// `[outputs]`.
    pub output_bias: Vec<f32>,
}

/// A decoder block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockTensors {
    /// Of a block that a router stands before.
    pub router: Option<RouterTensors>,
    /// Before attention.
    pub norm1: NormTensors,
    /// `[width, width]`.
    pub query: LinearTensors,
    /// `[caches * 2 * kv_heads * head_dim, width]`, of each cache that it fills keys first.
    pub key_value: LinearTensors,
    /// `[width, width]`.
    pub output: LinearTensors,
    /// Before the MLP.
    pub norm2: NormTensors,
    /// `[mlp_width, width]`, or `[2 * mlp_width, width]` with the gate first.
    pub up: LinearTensors,
    /// `[width, mlp_width]`.
    pub down: LinearTensors,
}

/// A whole model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelTensors {
    /// `[vocabulary, width]`.
    pub embedding: LinearTensors,
    /// Learned positions `[context, width]`; none for rotary models.
    pub position: Option<Vec<f32>>,
    /// The blocks, exit blocks last.
    pub blocks: Vec<BlockTensors>,
    /// Before the head.
    pub final_norm: NormTensors,
    /// `[vocabulary, width]`; none when tied.
    pub head: Option<LinearTensors>,
}
