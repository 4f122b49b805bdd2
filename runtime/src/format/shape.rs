//! Every shape rule, in one function that writer and reader both call.

use super::header::{Cache, Element, Geometry, Header, MAX_BLOCKS, MatrixSet, Mlp, Policy, Variants};

/// Widest residual.
pub const MAX_WIDTH: usize = 1024;
/// Widest MLP.
pub const MAX_MLP_WIDTH: usize = 4096;
/// Longest context: keeps the integer attention sum inside 32 bits.
pub const MAX_CONTEXT: usize = 4096;
/// Largest vocabulary.
pub const MAX_VOCABULARY: usize = 4096;
/// Widest router.
pub const MAX_ROUTER_WIDTH: usize = 256;
/// Rows of a linear layer come in multiples of this in packed form, and columns in multiples of [`COLUMN_MULTIPLE`].
pub const ROW_MULTIPLE: usize = 2;
/// The same of an int4 layer.
pub const INT4_ROW_MULTIPLE: usize = 8;
/// Columns of a matrix: whole words of halfword pairs, and whole f32 lanes.
pub const COLUMN_MULTIPLE: usize = 4;

/// A geometry that no rule refuses. Everything below it may index without looking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Decoder blocks.
    pub blocks: usize,
    /// Residual width.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// MLP hidden width.
    pub mlp_width: usize,
    /// Longest sequence.
    pub context: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Router hidden width; 0 for a dense model.
    pub router_width: usize,
    /// Architecture variants.
    pub variants: Variants,
    /// Element type of the matrices.
    pub element: Element,
    /// Who decides on depth.
    pub policy: Policy,
    /// Which keys and values there are.
    pub cache: Cache,
    /// Whether active branches are scaled by `1 - p`.
    pub soft_scaling: bool,
}

/// Why a geometry is refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ShapeError {
    /// A field lies outside its range.
    Range {
        /// The field.
        field: &'static str,
        /// Least allowed.
        least: u32,
        /// Most allowed.
        most: u32,
        /// Found.
        found: u32,
    },
    /// A field is not a multiple of what it must be.
    Multiple {
        /// The field.
        field: &'static str,
        /// It must be a multiple of this.
        of: u32,
        /// Found.
        found: u32,
    },
}

impl core::fmt::Display for ShapeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Range { field, least, most, found } => {
                write!(f, "{field} is {found}, but must be {least} to {most}: export the model with a size in that range")
            }
            Self::Multiple { field, of, found } => write!(f, "{field} is {found}, but must be a multiple of {of}"),
        }
    }
}

impl core::error::Error for ShapeError {}

fn range(field: &'static str, found: u16, least: usize, most: usize) -> Result<usize, ShapeError> {
    let value = usize::from(found);
    if value < least || value > most {
        return Err(ShapeError::Range { field, least: least as u32, most: most as u32, found: u32::from(found) });
    }
    Ok(value)
}

fn multiple(field: &'static str, found: usize, of: usize) -> Result<(), ShapeError> {
    if !found.is_multiple_of(of) {
        return Err(ShapeError::Multiple { field, of: of as u32, found: found as u32 });
    }
    Ok(())
}

impl Shape {
    /// The validated shape of a header.
    ///
    /// # Errors
    /// The first rule that the header breaks.
    pub fn new(header: &Header) -> Result<Self, ShapeError> {
        let Geometry { blocks, width, heads, kv_heads, mlp_width, context, vocabulary, router_width } = header.geometry;
        let blocks = range("blocks", blocks, 1, MAX_BLOCKS)?;
        let width = range("width", width, COLUMN_MULTIPLE, MAX_WIDTH)?;
        let heads = range("heads", heads, 1, MAX_WIDTH / COLUMN_MULTIPLE)?;
        let kv_heads = range("kv_heads", kv_heads, 1, heads)?;
        let mlp_width = range("mlp_width", mlp_width, COLUMN_MULTIPLE, MAX_MLP_WIDTH)?;
        let context = range("context", context, 1, MAX_CONTEXT)?;
        let vocabulary = range("vocabulary", vocabulary, 1, MAX_VOCABULARY)?;
        multiple("width", width, COLUMN_MULTIPLE)?;
        multiple("width", width, heads)?;
        let head_dim = width / heads;
        multiple("head_dim (width / heads)", head_dim, COLUMN_MULTIPLE)?;
        multiple("heads", heads, kv_heads)?;
        multiple("mlp_width", mlp_width, COLUMN_MULTIPLE)?;
        let router_width = match header.routing.policy {
            Policy::Dense => range("router_width of a dense model", router_width, 0, 0)?,
            Policy::Skip | Policy::Halt | Policy::Exit { .. } => range("router_width", router_width, 1, MAX_ROUTER_WIDTH)?,
        };
        match header.routing.cache {
            Cache::Project => 0,
            Cache::Omit { kept } => range("kept positions", kept, 0, context)?,
            Cache::Ahead { blocks: makers } => range("blocks that make keys and values", makers, 1, blocks)?,
        };
        if let Element::Int4 { int8 } = header.element {
            range("int8 matrices (bit set) of an int4 model", u16::from(int8.0), 0, usize::from(MatrixSet::ALL.0) - 1)?;
        }
        let shape = Self {
            blocks,
            width,
            heads,
            kv_heads,
            head_dim,
            mlp_width,
            context,
            vocabulary,
            router_width,
            variants: header.variants,
            element: header.element,
            policy: header.routing.policy,
            cache: header.routing.cache,
            soft_scaling: header.routing.soft_scaling,
        };
        if let Policy::Exit { depths } = header.routing.policy {
            range("exit depths of a model with exits", depths.len() as u16, 1, blocks - 1)?;
            let ahead = matches!(header.routing.cache, Cache::Ahead { .. });
            range("keys and values made ahead (1) of a model with exits", u16::from(ahead), 1, 1)?;
            range("soft scaling (1) of a model with exits", u16::from(header.routing.soft_scaling), 0, 0)?;
            // The router stands behind the first block, and each exit has a block of its own.
            let makers = shape.key_value_blocks();
            range("blocks that make keys and values of a model with exits", makers as u16, 2, blocks - 1)?;
            range("least exit depth", depths.at(0) as u16, makers, blocks - 1)?;
            range("largest exit depth", depths.at(depths.len() - 1) as u16, makers, blocks - 1)?;
            range("blocks, exit blocks among them", shape.stored_blocks() as u16, 1, 2 * MAX_BLOCKS)?;
        }
        Ok(shape)
    }

    /// Numbers that one token leaves in one cache: keys, then as many values.
    pub const fn key_value_width(&self) -> usize {
        2 * self.kv_heads * self.head_dim
    }

    /// Blocks that make keys and values, the first ones.
    pub const fn key_value_blocks(&self) -> usize {
        match self.cache {
            Cache::Ahead { blocks } => blocks as usize,
            Cache::Project | Cache::Omit { .. } => self.blocks,
        }
    }

    /// The blocks whose keys and values stored block `block` makes: itself, of the last that makes any also all later ones; an exit block
    /// none.
    pub const fn caches_made_by(&self, block: usize) -> core::ops::Range<usize> {
        let last = self.key_value_blocks() - 1;
        if block < last {
            block..block + 1
        } else if block == last {
            block..self.blocks
        } else {
            block..block
        }
    }

    /// Rows of stored block `block`'s matrix for keys and values: [`Self::key_value_width`] for each cache that it fills.
    pub const fn key_value_rows(&self, block: usize) -> usize {
        let caches = self.caches_made_by(block);
        (caches.end - caches.start) * self.key_value_width()
    }

    /// Rows of the MLP's first matrix: twice the hidden width for SwiGLU (gate, then up).
    pub const fn up_rows(&self) -> usize {
        match self.variants.mlp {
            Mlp::SwiGlu => 2 * self.mlp_width,
            Mlp::Gelu | Mlp::SquaredRelu => self.mlp_width,
        }
    }

    /// Whether the token at `position` leaves keys and values in a block that it runs (`active`) or does not.
    pub fn is_cached(&self, active: bool, position: usize) -> bool {
        match self.cache {
            Cache::Project | Cache::Ahead { .. } => true,
            Cache::Omit { kept } => active || position < usize::from(kept),
        }
    }

    /// Blocks that every token runs, under policy skip those before the first router.
    pub const fn trunk(&self) -> usize {
        match self.policy {
            Policy::Dense => self.blocks,
            Policy::Skip | Policy::Halt => 1,
            Policy::Exit { .. } => self.key_value_blocks() - 1,
        }
    }

    /// Outputs of all routers, each with a threshold of its own: one for each depth below the last.
    pub const fn outputs(&self) -> usize {
        match self.policy {
            Policy::Dense => 0,
            Policy::Skip | Policy::Halt => self.blocks - 1,
            Policy::Exit { depths } => depths.len(),
        }
    }

    /// Routers, of one output each, or one with all.
    pub const fn routers(&self) -> usize {
        match self.policy {
            Policy::Dense => 0,
            Policy::Skip | Policy::Halt => self.blocks - 1,
            Policy::Exit { .. } => 1,
        }
    }

    /// Blocks that a token runs which output `output` of the routers halts, of policy skip those before that router; all blocks for the
    /// number after the last.
    #[inline(never)] // bytes of an image, not cycles
    pub const fn depth_of(&self, output: usize) -> usize {
        match self.policy {
            Policy::Exit { depths } if output < depths.len() => depths.at(output),
            Policy::Skip | Policy::Halt if output + 1 < self.blocks => output + 1,
            _ => self.blocks,
        }
    }

    /// Depths that tokens can have, ascending; of policy skip those of [`Self::depth_of`].
    pub fn depths(&self) -> impl Iterator<Item = usize> {
        (0..=self.outputs()).map(|output| self.depth_of(output))
    }

    /// Whether tokens that halt run exit blocks.
    pub const fn has_exits(&self) -> bool {
        matches!(self.policy, Policy::Exit { .. })
    }

    /// The outputs of the router before block `block`; none where there is no router.
    #[inline(never)] // bytes of an image, not cycles
    pub const fn outputs_before(&self, block: usize) -> core::ops::Range<usize> {
        match self.policy {
            Policy::Skip | Policy::Halt if block > 0 && block < self.blocks => block - 1..block,
            Policy::Exit { .. } if block == self.trunk() => 0..self.outputs(),
            _ => 0..0,
        }
    }

    /// The stored block that tokens of exit `exit` run in place of block `block`, one of `trunk()..depth_of(exit)`.
    #[inline(never)] // bytes of an image, not cycles
    pub const fn exit_block(&self, exit: usize, block: usize) -> usize {
        let (mut stored, mut before) = (self.blocks, 0);
        while before < exit {
            stored += self.depth_of(before) - self.trunk();
            before += 1;
        }
        stored + block - self.trunk()
    }

    /// Blocks of the blob: those of the model in order, then the exit blocks, exit by exit.
    pub const fn stored_blocks(&self) -> usize {
        match self.policy {
            Policy::Dense | Policy::Skip | Policy::Halt => self.blocks,
            Policy::Exit { .. } => self.exit_block(self.outputs(), self.trunk()),
        }
    }
}
