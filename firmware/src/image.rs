//! What an image does: finds the model in its flash region, judges it, plans its memory, answers one request, reports.

use crate::board::{self, Exit};
use crate::failure::Failure;
use crate::meter::Meter;
use crate::{answer, link};
use alloc::vec::Vec;
use fathom::format::record::{self, MAX_FRAME, PROTOCOL, Record};
use fathom::{Blob, Plan, Session};

/// Prompt tokens that share one pass over the weights. Each more costs a residual, a hidden layer and their like in RAM.
const TILE: usize = 8;

/// From reset to the exit.
pub fn main() -> ! {
    let Some(meter) = meter() else { board::exit(Exit::Failed) };
    link::open();
    match run(meter) {
        Ok(()) => board::exit(Exit::Success),
        Err(failure) => {
            defmt::error!("{}", failure);
            failure.report();
            board::exit(Exit::Failed)
        }
    }
}

/// The running meter, a static because its counters would take a ninth of the stack; only once.
#[inline(never)] // what builds it leaves the stack
fn meter() -> Option<&'static Meter> {
    let meter = cortex_m::singleton!(: Meter = Meter::stopped())?;
    meter.start();
    Some(meter)
}

/// From flash to the last record.
fn run(meter: &Meter) -> Result<(), Failure> {
    let blob = Blob::parse(board::model_region())?;
    let shape = blob.shape();
    let plan = Plan::new(shape, TILE.min(shape.context))?;
    let mut arena = arena(plan.bytes())?;
    let mut session = Session::new(&blob, &mut arena, &plan, meter)?;
    defmt::info!("model: {=usize} bytes, {=usize} blocks; arena: {=usize} bytes", blob.len(), shape.blocks, plan.bytes());
    link::send(&Record::Ready {
        protocol: PROTOCOL,
        model_bytes: blob.len() as u32,
        arena_bytes: plan.bytes() as u32,
        blocks: shape.blocks as u8,
        boot_cycles: meter.now(),
    });

    let mut frame = [0; MAX_FRAME];
    let request = record::decode(link::receive(&mut frame)?).ok_or(Failure::Malformed)?;
    answer::answer(&mut session, &blob, &request, meter)
}

/// Takes the arena from the heap, which is all RAM that neither statics nor the stack claim.
fn arena(bytes: usize) -> Result<Vec<u32>, Failure> {
    board::start_heap();
    let words = bytes / 4;
    let mut arena = Vec::new();
    arena.try_reserve_exact(words).map_err(|_| Failure::Memory { wanted: bytes, found: board::heap_free() })?;
    arena.resize(words, 0);
    Ok(arena)
}
