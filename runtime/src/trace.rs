//! Which blocks each token ran.

/// The depth trace of a sequence: one mask per position, bit `b` set when the token was active in block `b`, or ran an exit
/// block in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace<'a> {
    masks: &'a [u32], // [positions]
    blocks: usize,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(masks: &'a [u32], blocks: usize) -> Self {
        Self { masks, blocks }
    }

    /// The masks, one per position.
    pub fn masks(&self) -> &'a [u32] {
        self.masks
    }

    /// Blocks that the token at `position` ran; 0 for a position not reached.
    pub fn depth(&self, position: usize) -> u32 {
        self.masks.get(position).map_or(0, |mask| mask.count_ones())
    }

    /// Mean depth in blocks; 0 for an empty trace.
    pub fn mean_depth(&self) -> f32 {
        let total: u32 = self.masks.iter().map(|mask| mask.count_ones()).sum();
        if self.masks.is_empty() { 0.0 } else { total as f32 / self.masks.len() as f32 }
    }

    /// Share of token-layer operations saved, `1 - mean depth / blocks`.
    pub fn saved(&self) -> f32 {
        if self.masks.is_empty() { 0.0 } else { 1.0 - self.mean_depth() / self.blocks as f32 }
    }
}
