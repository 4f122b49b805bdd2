//! The header of a blob: plain wire types, postcard-encoded. Nothing here is validated; [`super::Shape`] and
//! `Blob::parse` do that.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

/// Most blocks a model may have; depth masks are `u32`, so the hard limit is 32.
pub const MAX_BLOCKS: usize = 24;
/// Most outputs of all routers, each with its threshold: one for every depth below the last.
pub const MAX_ROUTERS: usize = MAX_BLOCKS - 1;
/// Most operating points in one blob.
pub const MAX_OPERATING_POINTS: usize = 8;

/// Sizes of the model. Units: elements.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Decoder blocks, `1..=`[`MAX_BLOCKS`].
    pub blocks: u16,
    /// Residual width, `d_model`.
    pub width: u16,
    /// Query heads; `head_dim = width / heads`.
    pub heads: u16,
    /// Key/value heads; divides `heads` (grouped-query attention).
    pub kv_heads: u16,
    /// Hidden width of the MLP (for SwiGLU: of each of gate and up).
    pub mlp_width: u16,
    /// Most positions in one sequence.
    pub context: u16,
    /// Tokens in the vocabulary.
    pub vocabulary: u16,
    /// Hidden width of each router; 0 for a dense model.
    pub router_width: u16,
}

/// Normalisation before attention, before the MLP and before the head. Epsilon is [`crate::NORM_EPSILON`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// `(x - mean) / sqrt(var + eps) * weight (+ bias)`; population variance.
    LayerNorm,
    /// `x / sqrt(mean(x^2) + eps) * weight`.
    RmsNorm,
}

/// How a position enters the model.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// A learned vector per position, added to the embedding.
    Learned,
    /// Rotary embedding of queries and keys: the adjacent pair `(2i, 2i+1)` of a head turns by `position / 10000^(2i/head_dim)`.
    Rotary,
}

/// The MLP's form.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mlp {
    /// `down(gelu(up(x)))`, tanh approximation.
    Gelu,
    /// `down(relu(up(x))^2)`.
    SquaredRelu,
    /// `down(silu(gate(x)) * up(x))`; gate and up are one matrix of `2 * mlp_width` rows, gate first.
    SwiGlu,
}

/// Architecture variants.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variants {
    /// Normalisation.
    pub norm: Norm,
    /// Position encoding.
    pub position: Position,
    /// MLP form.
    pub mlp: Mlp,
    /// Whether the linear layers of the blocks, and LayerNorm, have a bias. The head never has one.
    pub bias: bool,
    /// Whether the head is the embedding matrix.
    pub tied_head: bool,
}

/// Element type of the matrices (norms, biases, scales and small router parts are always f32).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// IEEE half precision, arithmetic in f32.
    F16,
    /// Symmetric int8 with one f32 scale per output row; `|w| <= 127`.
    Int8,
    /// As [`Element::Int8`], but the matrices of the blocks are symmetric int4 with one f32 scale per output row; `|w| <= 7`.
    Int4 {
        /// Those matrices of the blocks that are int8 all the same; not all of them.
        int8: MatrixSet,
    },
}

impl Element {
    /// int4 in every matrix of the blocks.
    pub const INT4: Self = Self::Int4 { int8: MatrixSet::NONE };

    /// Whether matrices take int8 activations, and the cache holds int8 keys and values: always, where f16 models are refused.
    pub const fn is_integer(self) -> bool {
        !cfg!(feature = "f16") || !matches!(self, Self::F16)
    }

    /// Element type of a matrix of the blocks.
    pub const fn of(self, matrix: BlockMatrix) -> MatrixElement {
        match self {
            Self::Int4 { int8 } if !int8.contains(matrix) => MatrixElement::Int4,
            _ => self.outside_blocks(),
        }
    }

    /// Element type of the embedding, the head and the routers.
    pub const fn outside_blocks(self) -> MatrixElement {
        if self.is_integer() { MatrixElement::Int8 } else { MatrixElement::F16 }
    }
}

/// Element type of one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixElement {
    /// IEEE half precision.
    F16,
    /// int8, row-pair packed.
    Int8,
    /// int4, row-quad packed.
    Int4,
}

/// The matrices of a block, in the order of the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockMatrix {
    /// Queries.
    Query,
    /// Keys and values.
    KeyValue,
    /// Output of attention.
    Output,
    /// First matrix of the MLP.
    Up,
    /// Second matrix of the MLP.
    Down,
}

/// A set of [`BlockMatrix`]: bit 0 is the query's, bit 4 that of down.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixSet(pub u8);

impl MatrixSet {
    /// No matrix.
    pub const NONE: Self = Self(0);
    /// Every matrix of a block.
    pub const ALL: Self = Self(0b1_1111);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, matrix: BlockMatrix) -> Self {
        Self(self.0 | 1 << matrix as u8)
    }

    /// Whether a matrix is in the set.
    pub const fn contains(self, matrix: BlockMatrix) -> bool {
        self.0 >> matrix as u8 & 1 == 1
    }
}

/// A set of depths below 32: bit `d` is set when `d` blocks are among them.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthSet(pub u32);

impl DepthSet {
    /// No depth.
    pub const NONE: Self = Self(0);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, depth: usize) -> Self {
        Self(self.0 | 1 << depth)
    }

    /// How many depths there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The depth with `index` lesser ones in the set; 32 where there is none.
    pub const fn at(self, mut index: usize) -> usize {
        let mut rest = self.0;
        while index > 0 {
            rest &= rest.wrapping_sub(1); // without the least
            index -= 1;
        }
        rest.trailing_zeros() as usize
    }
}

impl FromIterator<usize> for DepthSet {
    fn from_iter<I: IntoIterator<Item = usize>>(depths: I) -> Self {
        depths.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Who decides whether a token runs a block.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Every token runs every block; there are no routers.
    Dense,
    /// Each block's router decides for itself.
    Skip,
    /// A token that is inactive once is inactive in all later blocks, whose routers are not evaluated.
    Halt,
    /// One router, before the last block that makes keys and values, sends tokens on different ways. The blocks before it are the trunk; exit
    /// depth `d` has `d - trunk` blocks of its own, exit blocks, which stand for blocks `trunk..d` of the model and attend to their keys and
    /// values. Whom no exit takes runs all blocks of the model. Needs [`Cache::Ahead`]: all keys and values are made where ways part.
    Exit {
        /// The exit depths: how many blocks tokens run in all that do not run all blocks of the model.
        depths: DepthSet,
    },
}

/// Which keys and values there are, above all of a token that is inactive in a block.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Keys and values projected from the carried residual.
    Project,
    /// Nothing, except at the first `kept` positions, which are projected.
    Omit {
        /// Positions `0..kept` always have keys and values.
        kept: u16,
    },
    /// Projected ahead: the keys and values of every later block are made of the residual that enters block `blocks - 1`, together with
    /// its own, so that a token that is inactive from there on leaves what it would have left had it gone on. Otherwise as [`Self::Project`].
    Ahead {
        /// Blocks that make keys and values, at least 1: the last of them also those of all later blocks.
        blocks: u16,
    },
}

/// How depth is decided.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Who decides.
    pub policy: Policy,
    /// What inactive tokens leave behind.
    pub cache: Cache,
    /// Whether an active block's two branches are scaled by `1 - p`, `p = sigmoid(z)`.
    pub soft_scaling: bool,
}

/// One calibrated trade of quality against work. A token goes on where a router's output is `z < threshold`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// One threshold per router output; empty for a dense model.
    pub thresholds: Vec<f32, MAX_ROUTERS>,
    /// Share of token-layer operations saved, `0..=1`, measured by `exporter calibrate` on the validation split through a blob, to pieces of
    /// which the thresholds were fitted.
    pub saved: f32,
    /// Cross-entropy in nats per token, measured alike; 0 when unmeasured.
    pub loss_nats: f32,
}

/// How text becomes tokens.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum Tokenizer {
    /// Token `i` is the byte `alphabet[i]`; strictly ascending, as long as the vocabulary.
    Bytes {
        /// The alphabet.
        alphabet: Vec<u8, 256>,
    },
}

/// Where a model comes from.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Provenance {
    /// Exporter version.
    pub exporter: String<32>,
    /// SHA-256 of the training corpus file.
    pub corpus_sha256: [u8; 32],
    /// Training seed.
    pub seed: u64,
    /// Training tokens seen.
    pub training_tokens: u64,
    /// Validation cross-entropy of the float model at full depth, nats per token; 0 when unmeasured.
    pub validation_loss_nats: f32,
}

/// The header: everything about a model but its tensors.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Header {
    /// Sizes.
    pub geometry: Geometry,
    /// Architecture variants.
    pub variants: Variants,
    /// Element type of the matrices.
    pub element: Element,
    /// Depth decisions.
    pub routing: Routing,
    /// Calibrated points, from the cheapest (most saved) to the dearest; at least one.
    pub operating_points: Vec<OperatingPoint, MAX_OPERATING_POINTS>,
    /// The point used when the application does not choose.
    pub default_point: u8,
    /// Text to tokens.
    pub tokenizer: Tokenizer,
    /// Where the model comes from.
    pub provenance: Provenance,
}
