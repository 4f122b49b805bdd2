//! How much memory a model needs, part by part, before anything runs.

use crate::attention::Heads;
use crate::format::Shape;

/// One part of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// f32 `[tile, width]`: the residual of each token of the tile.
    Residual,
    /// f32 `[tile, width]`: normalised input of a branch, later its output.
    Normed,
    /// f32 `[tile, ..]`: queries, keys/values and attention output; or the MLP's hidden layer; or a router's.
    Work,
    /// i16 `[tile, max(width, mlp_width)]`: activations in int8 range (integer models).
    Quantised,
    /// f32 `[tile]`: scales of those (integer models).
    QuantisedScales,
    /// Attention scores and weights of the heads that are computed together.
    Attention,
    /// u32 `[3, tile]`: per-token state while a tile passes the blocks.
    Tokens,
    /// f32 `[vocabulary]`: the logits of one token.
    Logits,
    /// u32 `[context]`: the depth trace.
    Trace,
    /// u32 `[blocks]`: cached positions of each block.
    CacheLengths,
    /// Keys and values of each block, int8 with their scales or f16: see [`crate::attention`].
    Cache,
}

impl Part {
    /// Every part, in the order of the arena.
    pub const ALL: [Self; 11] = [
        Self::Residual,
        Self::Normed,
        Self::Work,
        Self::Quantised,
        Self::QuantisedScales,
        Self::Attention,
        Self::Tokens,
        Self::Logits,
        Self::Trace,
        Self::CacheLengths,
        Self::Cache,
    ];
}

/// Why a plan or an arena is refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PlanError {
    /// The tile is empty or longer than the context.
    Tile {
        /// Longest tile.
        most: usize,
        /// Asked for.
        found: usize,
    },
    /// The arena is smaller than the plan.
    Arena {
        /// Bytes that the plan needs.
        wanted: usize,
        /// Bytes lent.
        found: usize,
    },
    /// The plan was made for another model.
    Model,
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Tile { most, found } => write!(f, "the tile has {found} tokens, but must have 1 to {most}"),
            Self::Arena { wanted, found } => {
                write!(f, "the arena has {found} bytes, the model needs {wanted}; lend more memory or export a smaller model")
            }
            Self::Model => f.write_str("the plan was made for another model; make it from this blob's shape"),
        }
    }
}

impl core::error::Error for PlanError {}

/// The arena of one model at one tile length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    shape: Shape,
    tile: usize,
}

impl Plan {
    /// Plans for tiles of up to `tile` prompt tokens at a time; longer tiles read each weight for more tokens and need more memory.
    ///
    /// # Errors
    /// [`PlanError::Tile`] unless `1 <= tile <= context`.
    pub fn new(shape: &Shape, tile: usize) -> Result<Self, PlanError> {
        if tile == 0 || tile > shape.context {
            return Err(PlanError::Tile { most: shape.context, found: tile });
        }
        Ok(Self { shape: *shape, tile })
    }

    /// Tokens per tile.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// The shape that the plan is for.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Columns of the widest matrix input.
    pub(crate) fn widest_input(&self) -> usize {
        self.shape.width.max(self.shape.mlp_width)
    }

    /// Size of one part in 32-bit words.
    pub fn words(&self, part: Part) -> usize {
        let s = &self.shape;
        let integer = s.element.is_integer();
        let heads = Heads::new(s);
        let only_integer = |words: usize| if integer { words } else { 0 };
        match part {
            Part::Residual | Part::Normed => self.tile * s.width,
            Part::Work => {
                self.tile * (2 * s.width + s.key_value_rows(s.key_value_blocks() - 1)).max(s.up_rows()).max(s.router_width)
            }
            Part::Quantised => only_integer((self.tile * self.widest_input()).div_ceil(2)),
            Part::QuantisedScales => only_integer(self.tile),
            Part::Trace => s.context,
            Part::Attention if integer => heads.int8_scratch_words(),
            Part::Attention => heads.half_scratch_words(),
            Part::Tokens => 3 * self.tile,
            Part::Logits => s.vocabulary,
            Part::CacheLengths => s.blocks,
            Part::Cache => s.blocks * if integer { heads.int8_cache_words() } else { heads.half_cache_words() },
        }
    }

    /// Size of the whole arena in bytes, a multiple of 4.
    pub fn bytes(&self) -> usize {
        4 * Part::ALL.iter().map(|part| self.words(*part)).sum::<usize>()
    }
}
