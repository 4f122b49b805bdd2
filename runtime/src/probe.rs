//! Where cycles go, borders between the stages of a token; and, for experiments, depths that no router decided.

use crate::format::record::Region;

/// Told whenever the work enters another region. What it does with that (read a cycle counter, nothing) is the caller's business.
pub trait Probe {
    /// The work from here on belongs to `region`, within a block of the model (counted from 0, below
    /// [`MAX_BLOCKS`](crate::format::header::MAX_BLOCKS); an exit block is the one that it stands for) or outside of all.
    fn enter(&mut self, region: Region, block: Option<usize>);

    /// Decides instead of the router whether the token at `position` runs block `block`; `None` leaves it to the router. In a model with exits
    /// it is asked where ways part, of each exit depth whether the token goes deeper. What it says of tokens that have halted is not heard. For
    /// experiments: what is not overruled costs nothing.
    #[inline(always)]
    fn overrule(&self, _position: usize, _block: usize) -> Option<bool> {
        None
    }
}

/// Measures nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    #[inline(always)]
    fn enter(&mut self, _region: Region, _block: Option<usize>) {}
}

/// Measures nothing, and gives each position its depth: the token at `position` runs the first `self.0[position]` blocks, in a dense model
/// too; where there is no entry, the routers decide. Depths are at least 1 in a routed model, whose first block always runs, and exit depths or
/// that of all blocks in one with exits, exit blocks included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Depths<'a>(pub &'a [u8]); // [positions]

impl Probe for Depths<'_> {
    #[inline(always)]
    fn enter(&mut self, _region: Region, _block: Option<usize>) {}

    fn overrule(&self, position: usize, block: usize) -> Option<bool> {
        self.0.get(position).map(|depth| block < usize::from(*depth))
    }
}
