//! The key/value cache and the attention of one token over it.
//!
//! A cache is a run of words that the caller lends, one per block; its layout is the business of [`int8`] and [`half_float`].

pub mod half_float;
pub mod int8;
mod softmax;

pub use softmax::{MOST_WEIGHT, MOST_WEIGHTS};

use crate::format::Shape;

/// The numbers of one block's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Query heads, a multiple of `kv_heads`.
    pub heads: usize,
    /// Key/value heads.
    pub kv_heads: usize,
    /// Width of one head, a multiple of 4.
    pub head_dim: usize,
    /// Positions that the cache has room for, at most 4,096.
    pub context: usize,
}

impl Heads {
    /// Those of a model.
    pub const fn new(shape: &Shape) -> Self {
        Self { heads: shape.heads, kv_heads: shape.kv_heads, head_dim: shape.head_dim, context: shape.context }
    }
}
