//! One request to the firmware, answered in silence: for figures that need many runs.

use crate::answer::Collector;
use crate::board::{Board, End, Event, Limits};
use crate::cmd::target::Target;
use crate::image::Image;
use crate::memory_map::MemoryMap;
use crate::report::Answer;
use anyhow::{Context, Result, bail};
use fathom::format::record::{MAX_FRAME, Request, encode};

/// Instructions after which a run hangs.
const MOST_INSTRUCTIONS: u64 = 50_000_000_000;

/// A blob's bytes as words of the alignment that it needs.
pub fn aligned(bytes: &[u8]) -> Vec<u128> {
    let word = |bytes: &[u8]| {
        let mut word = [0; 16];
        word[..bytes.len()].copy_from_slice(bytes);
        u128::from_ne_bytes(word)
    };
    bytes.chunks(16).map(word).collect()
}

/// Lets the firmware answer a request with a model: instructions of the whole run, and what it answered.
///
/// # Errors
/// A model without room on the board; the firmware refuses the request or does not answer.
pub fn ask(image: &Image, target: &Target, model: &[u8], request: &Request<'_>) -> Result<(u64, Answer)> {
    let mut buffer = [0; MAX_FRAME];
    let frame = encode(request, &mut buffer).context("the request does not fit into a frame")?;
    let map = MemoryMap::firmware();
    let mut board = Board::assemble(target.machine(&map.regions), &map, image)?;
    board.place_model(image, model)?;
    let mut collector = Collector::new(request.prompt);
    let mut trouble = Ok(());
    let limits = Limits { instructions: MOST_INSTRUCTIONS, ..Limits::default() };
    let end = board.run_by(&mut |machine, count| machine.run(count), image, frame, &limits, &mut |event| {
        if let Event::Channel(1, bytes) = event {
            let received = collector.receive(bytes, |_, _| ());
            if trouble.is_ok() {
                trouble = received;
            }
        }
        Ok(())
    })?;
    trouble?;
    match (end, collector.answer) {
        (End::Exit(0), answer) if answer.ended.is_some() => Ok((board.machine.instructions(), answer)),
        (_, Answer { failed: Some(why), .. }) => bail!("{why}"),
        (end, _) => bail!("the firmware does not answer: {}", board.describe_fault(image).unwrap_or(end.to_string())),
    }
}
