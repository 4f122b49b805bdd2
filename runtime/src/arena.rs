//! The lent memory, cut into the parts of the plan.

use crate::plan::{Part, Plan, PlanError};

/// Typed views of every part.
#[derive(Debug)]
pub(crate) struct Arena<'a> {
    pub residual: &'a mut [f32],         // [tile, width]
    pub normed: &'a mut [f32],           // [tile, width]
    pub work: &'a mut [f32],             // see `Part::Work`
    pub quantised: &'a mut [i16],        // [tile, widest input]
    pub quantised_scales: &'a mut [f32], // [tile]
    pub attention: &'a mut [u32],        // scratch of `crate::attention`
    pub tokens: TokenState<'a>,
    pub logits: &'a mut [f32],        // [vocabulary]
    pub trace: &'a mut [u32],         // [context]
    pub cache_lengths: &'a mut [u32], // [blocks]
    pub cache: &'a mut [u32],         // [blocks, words of one block], see `crate::attention`
}

/// What is known of each token of the tile while it passes the blocks.
#[derive(Debug)]
pub(crate) struct TokenState<'a> {
    /// Tile rows that leave keys and values in this block, ascending.
    pub cached: &'a mut [u32],
    /// Tile rows that run this block, ascending.
    pub active: &'a mut [u32],
    /// Router output `z` of the active token `active[i]`.
    pub halting: &'a mut [f32],
    /// Valid entries of `cached`.
    pub cached_count: usize,
    /// Valid entries of `active` and `halting`.
    pub active_count: usize,
}

/// Splits off the first `words` words. The plan's size was checked, so nothing is ever short; were it, the part would be empty.
fn take<'a, T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(rest: &mut &'a mut [u32], words: usize) -> &'a mut [T] {
    let (head, tail) = core::mem::take(rest).split_at_mut_checked(words).unwrap_or_default();
    *rest = tail;
    bytemuck::try_cast_slice_mut(head).unwrap_or_default()
}

impl<'a> Arena<'a> {
    pub fn new(mut words: &'a mut [u32], plan: &Plan) -> Result<Self, PlanError> {
        let (wanted, found) = (plan.bytes(), 4 * words.len());
        if found < wanted {
            return Err(PlanError::Arena { wanted, found });
        }
        let size = |part| plan.words(part);
        let rest = &mut words;
        let residual = take(rest, size(Part::Residual));
        let normed = take(rest, size(Part::Normed));
        let work = take(rest, size(Part::Work));
        let quantised = take(rest, size(Part::Quantised));
        let quantised_scales = take(rest, size(Part::QuantisedScales));
        let attention = take(rest, size(Part::Attention));
        let tile = plan.tile();
        let tokens = TokenState {
            cached: take(rest, tile),
            active: take(rest, tile),
            halting: take(rest, tile),
            cached_count: 0,
            active_count: 0,
        };
        let logits = take(rest, size(Part::Logits));
        let trace = take(rest, size(Part::Trace));
        let cache_lengths: &mut [u32] = take(rest, size(Part::CacheLengths));
        cache_lengths.fill(0);
        let cache = take(rest, size(Part::Cache));
        Ok(Self { residual, normed, work, quantised, quantised_scales, attention, tokens, logits, trace, cache_lengths, cache })
    }
}
