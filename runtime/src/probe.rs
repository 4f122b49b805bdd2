//! Where cycles go: borders between the stages of a token.

use crate::format::record::Region;

/// Told whenever the work enters another region. What it does with that (read a cycle counter, nothing) is the caller's business.
pub trait Probe {
    /// The work from here on belongs to `region`, within a block of the model (counted from 0, below
    /// [`MAX_BLOCKS`](crate::format::header::MAX_BLOCKS)) or outside of all.
    fn enter(&mut self, region: Region, block: Option<usize>);
}

/// Measures nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    #[inline(always)]
    fn enter(&mut self, _region: Region, _block: Option<usize>) {}
}
