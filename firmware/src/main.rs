//! The Fathom firmware image: finds the model in its flash region, judges it, plans its memory, answers one request, reports.
//!
//! In the order in which data meets them: [`board`] is what the chip gives; [`link`] carries requests, records and logs;
//! [`answer`] turns a request into records, timed by [`meter`]; [`failure`] is every reason why there is none, and [`fault`] what
//! happens when the code itself is wrong.
#![no_std]
#![no_main]
#![deny(unsafe_code)] // Only `board` may, besides the one line that each attribute of cortex-m-rt and defmt forces.

extern crate alloc;

mod board;

mod link;
mod log;

mod answer;
mod meter;

mod failure;
mod fault;

use alloc::vec::Vec;
use board::Exit;
use cortex_m_rt::entry;
use failure::Failure;
use fathom::format::record::{self, MAX_FRAME, PROTOCOL, Record};
use fathom::{Blob, Plan, Session};
use meter::Meter;

/// Prompt tokens that share one pass over the weights. Each more costs a residual, a hidden layer and their like in RAM.
const TILE: usize = 8;

#[entry]
fn main() -> ! {
    let meter = Meter::start();
    link::open();
    match run(&meter) {
        Ok(()) => board::exit(Exit::Success),
        Err(failure) => {
            defmt::error!("{}", failure);
            failure.report();
            board::exit(Exit::Failed)
        }
    }
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
