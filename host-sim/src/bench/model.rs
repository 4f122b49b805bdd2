//! What a token and its blocks take in the firmware: the same model with other headers answers the same prompt, and the differences are
//! what a token, or one block more, costs.

use super::case::Inactive;
use super::kernel::Counts;
use crate::ask::{aligned, ask};
use crate::cmd::target::Target;
use crate::image::Image;
use crate::report::Answer;
use anyhow::{Result, bail, ensure};
use fathom::Blob;
use fathom::format::header::{MAX_BLOCKS, Tokenizer};
use fathom::format::record::{Effort, Request};
use fathom::format::writer::{Writer, rewrite_header};
use fathom::format::{Cache, Element, Header, Layout, LinearLayout, Policy};

/// The position of the token that is counted: so many tokens stand before it.
pub const POSITION: usize = 64;
/// Positions that are cached whatever the policy says, in a cache that omits the rest.
const KEPT: u16 = 4;

/// Whether and how a token runs the blocks that have routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Full,
    None(Inactive),
}

/// A model, the image that runs it, and what is modelled.
pub struct Model<'a> {
    image: &'a Image,
    target: &'a Target,
    words: Vec<u128>, // a blob is aligned to 16
}

impl<'a> Model<'a> {
    /// Judges a blob.
    ///
    /// # Errors
    /// It is no blob, has no routers, one block only, or no room for the token that is counted.
    pub fn new(image: &'a Image, target: &'a Target, bytes: &[u8]) -> Result<Self> {
        let model = Self { image, target, words: aligned(bytes) };
        let shape = *model.blob()?.shape();
        ensure!(shape.outputs() > 0, "the model has no routers: bench one that skips blocks");
        let ahead = matches!(shape.cache, Cache::Ahead { .. });
        ensure!(!ahead, "a block of the model makes keys and values of others: bench one whose blocks each make their own");
        ensure!(shape.blocks > 2, "the model has {} blocks: bench one with at least 3", shape.blocks);
        ensure!(shape.context > POSITION, "the model's context is {}: bench one with more than {POSITION}", shape.context);
        Ok(model)
    }

    fn blob(&self) -> Result<Blob<'_>> {
        Blob::parse(bytemuck::cast_slice(&self.words)).map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// The element type of its matrices.
    ///
    /// # Errors
    /// None: it was judged before.
    pub fn element(&self) -> Result<Element> {
        Ok(self.blob()?.shape().element)
    }

    /// Blocks and width.
    ///
    /// # Errors
    /// None: it was judged before.
    pub fn extents(&self) -> Result<(u64, u64)> {
        let blob = self.blob()?;
        Ok((blob.shape().blocks as u64, blob.shape().width as u64))
    }

    /// Weights that one token of full depth is multiplied with: matrices of all blocks, routers, vocabulary.
    ///
    /// # Errors
    /// None: it was judged before.
    pub fn token_macs(&self) -> Result<u64> {
        let blob = self.blob()?;
        let layout = blob.layout();
        let blocks: u64 = (0..blob.shape().blocks).map(|block| block_macs(layout, block)).sum();
        Ok(blocks + macs(layout.head.as_ref().unwrap_or(&layout.embedding)))
    }

    /// Weights of the last block.
    ///
    /// # Errors
    /// None: it was judged before.
    pub fn block_macs(&self) -> Result<u64> {
        let blob = self.blob()?;
        Ok(block_macs(blob.layout(), blob.shape().blocks - 1))
    }

    /// One token at position [`POSITION`], sampled and run through all blocks and the head.
    ///
    /// # Errors
    /// The firmware does not answer.
    pub fn token(&self) -> Result<Counts> {
        self.last_token(Depth::Full, self.blob()?.shape().blocks)
    }

    /// The last block for that token: active.
    ///
    /// # Errors
    /// The firmware does not answer.
    pub fn block_active(&self) -> Result<Counts> {
        self.last_block(Depth::Full)
    }

    /// The last block for a token that does not run it.
    ///
    /// # Errors
    /// The firmware does not answer.
    pub fn block_inactive(&self, inactive: Inactive) -> Result<Counts> {
        self.last_block(Depth::None(inactive))
    }

    /// What the model takes more than the same without its last block.
    fn last_block(&self, depth: Depth) -> Result<Counts> {
        let blocks = self.blob()?.shape().blocks;
        let (with, without) = (self.last_token(depth, blocks)?, self.last_token(depth, blocks - 1)?);
        Ok(Counts {
            // A block that costs nothing may seem to cost less: how often the channel of records is asked is part of the instructions.
            instructions: with.instructions.saturating_sub(without.instructions),
            cycles: with.cycles.saturating_sub(without.cycles),
        })
    }

    /// Cycles as the firmware counts them; instructions as the difference to a run that ends before the token, which leaves in them the
    /// few hundred that report it.
    fn last_token(&self, depth: Depth, blocks: usize) -> Result<Counts> {
        let model = self.with_depth(depth, blocks)?;
        let (before, _) = self.answer(&model, 0)?;
        let (after, answer) = self.answer(&model, 1)?;
        let [token] = &answer.tokens[..] else { bail!("the firmware gave {} tokens instead of one", answer.tokens.len()) };
        let wanted = if depth == Depth::Full { u32::MAX >> (32 - blocks) } else { 1 };
        ensure!(token.active == wanted, "the token ran the blocks {:b} instead of {wanted:b}", token.active);
        Ok(Counts { instructions: after - before, cycles: token.cycles })
    }

    /// The model with the first `blocks` blocks, whose routers all say the same.
    fn with_depth(&self, depth: Depth, blocks: usize) -> Result<Vec<u8>> {
        let blob = self.blob()?;
        let mut header: Header = blob.header().clone();
        header.geometry.blocks = blocks as u16;
        let threshold = match depth {
            Depth::Full => f32::INFINITY,
            Depth::None(inactive) => {
                (header.routing.policy, header.routing.cache) = match inactive {
                    Inactive::HaltOmit => (Policy::Halt, Cache::Omit { kept: KEPT }),
                    Inactive::SkipProject => (Policy::Skip, Cache::Project),
                };
                f32::NEG_INFINITY
            }
        };
        for point in &mut header.operating_points {
            point.thresholds.truncate(blocks - 1);
            point.thresholds.fill(threshold);
        }
        let refused = |error| anyhow::anyhow!("{error}");
        let mut bytes = vec![0; Writer::blob_bytes(&header).map_err(refused)?];
        let writer = Writer::new(&mut bytes, &header).map_err(refused)?;
        let layout = writer.layout();
        writer.finish();
        let mut old = std::collections::BTreeMap::new();
        blob.layout().visit(&mut |name, block, span, _| _ = old.insert((name, block), span));
        let from: &[u8] = bytemuck::cast_slice(&self.words);
        layout.visit(&mut |name, block, span, _| {
            if let Some(old) = old.get(&(name, block)) {
                bytes[span.range()].copy_from_slice(&from[old.range()]);
            }
        });
        rewrite_header(&mut bytes, &header).map_err(refused)?; // seals it
        Ok(bytes)
    }

    /// Lets the firmware read the prompt and generate so many tokens: instructions of the whole run, and what it answered.
    fn answer(&self, model: &[u8], tokens: u32) -> Result<(u64, Answer)> {
        let blob = self.blob()?;
        let Tokenizer::Bytes { alphabet } = &blob.header().tokenizer;
        let prompt: Vec<u8> = alphabet.iter().copied().cycle().take(POSITION).collect();
        let request = Request { prompt: &prompt, tokens, seed: 1, temperature: 0.8, top_k: 0, effort: Effort::Default };
        ask(self.image, self.target, model, &request)
    }
}

fn macs(linear: &LinearLayout) -> u64 {
    (linear.rows * linear.columns) as u64
}

fn block_macs(layout: &Layout, index: usize) -> u64 {
    debug_assert!(index < MAX_BLOCKS);
    let block = layout.block(index);
    let router = block.router.map_or(0, |router| macs(&router.hidden) + (router.output.bytes / 4) as u64);
    router + [block.query, block.key_value, block.output, block.up, block.down].iter().map(macs).sum::<u64>()
}
