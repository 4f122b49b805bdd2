//! Runs the bench image for one kernel and counts what the kernel took.

use super::case::Case;
use super::operands::Operands;
use crate::board::{Board, End, Event, Limits, model_region};
use crate::cmd::target::Target;
use crate::image::Image;
use crate::memory_map::{MemoryMap, Wishes};
use anyhow::{Context, Result, bail};
use fathom::format::bench::Work;

/// Instructions after which the image hangs: the largest operands that fit into flash take a hundredth of it on the slowest core.
const MOST_INSTRUCTIONS: u64 = 4_000_000_000;

/// What a call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Instructions.
    pub instructions: u64,
    /// Modelled cycles.
    pub cycles: u64,
}

/// Runs one kernel and checks the result, bit for bit, against the runtime's on the host.
///
/// # Errors
/// A shape that no kernel takes or that has no room on the board, an image that does not answer, a wrong answer.
pub fn run(image: &Image, target: &Target, work: Work) -> Result<Counts> {
    let case = Case::Kernel(work);
    let operands = Operands::new(&work)
        .with_context(|| format!("no kernel takes {case}: columns and the width of a head are multiples of 4"))?;
    run_on(image, target, work, &operands)
}

/// The same on operands of the caller's.
///
/// # Errors
/// As of [`run`].
pub fn run_on(image: &Image, target: &Target, work: Work, operands: &Operands) -> Result<Counts> {
    let case = Case::Kernel(work);
    let map = MemoryMap::fitting(image, &Wishes::default())?; // more RAM than the firmware's board has
    let mut board = Board::assemble(target.machine(&map.regions), &map, image)?;
    let room = model_region(image).map_or(0, |region| region.len());
    if operands.region.len() > room {
        bail!(
            "the operands of {case} take {} bytes, the board has {room} for them: choose a smaller shape",
            operands.region.len()
        );
    }
    board.place_model(image, &operands.region)?;

    let mut said = Vec::new();
    let limits = Limits { instructions: MOST_INSTRUCTIONS, ..Limits::default() };
    // The counters at each breakpoint: two around nothing, then two around the kernel.
    let mut marks = Vec::new();
    let end = loop {
        let mut listen = |event: Event<'_>| {
            if let Event::Console(bytes) = event {
                said.extend_from_slice(bytes);
            }
            Ok(())
        };
        match board.run_by(&mut |machine, count| machine.run(count), image, &[], &limits, &mut listen)? {
            End::Breakpoint(_) => {
                marks.push((board.machine.instructions(), board.machine.cycles()));
                board.machine.resume_after_breakpoint();
            }
            end => break end,
        }
    };
    if let Some(fault) = board.describe_fault(image) {
        bail!("the bench image failed: {fault}");
    }
    let (End::Exit(0), &[a, b, c, d]) = (end, &marks[..]) else {
        let said = String::from_utf8_lossy(&said);
        bail!(
            "the bench image does not answer for {case} ({end}{}{}): build it again",
            if said.is_empty() { "" } else { "; " },
            said.trim()
        );
    };
    if !operands.expected.is(&said) {
        bail!("the result of {case} on {} is not the host's: the kernel is wrong", target.core.name);
    }
    Ok(Counts { instructions: (d.0 - c.0) - (b.0 - a.0), cycles: (d.1 - c.1) - (b.1 - a.1) })
}
