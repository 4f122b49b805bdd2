//! Runs the kernel that the request in the model's flash region names, between two breakpoints at which the host reads its counters,
//! then gives the result's bytes to the host's standard output. Before that come two breakpoints with nothing between them: what they
//! cost is not the kernel's.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use bytemuck::{cast_slice, cast_slice_mut, try_cast_slice};
use core::hint::black_box;
use cortex_m::asm::bkpt;
use cortex_m_rt::entry;
use cortex_m_semihosting::{hio, hprintln};
use fathom::attention::{self, Heads};
use fathom::format::bench::Work;
use fathom::format::{Element, Span};
use fathom::kernels::{half_float, int4, int8};
use fathom_firmware::board::{self, Exit};

#[entry]
fn main() -> ! {
    board::start_heap();
    let region = board::model_region();
    let Some(output) = Work::read(region).and_then(|work| run(region, &work)) else {
        hprintln!("no request in the model's region: start this image with host-sim bench");
        board::exit(Exit::Failed)
    };
    let sent = hio::hstdout().and_then(|mut host| host.write_all(cast_slice(&output)));
    board::exit(if sent.is_ok() { Exit::Success } else { Exit::Failed })
}

/// Runs the kernel; `None` for operands that lie outside of the region or that memory has no room for.
fn run(region: &'static [u8], work: &Work) -> Option<Vec<f32>> {
    let operands = work.operands()?;
    let part = |span: Span| region.get(span.range());
    let floats = |span: Span| try_cast_slice::<u8, f32>(part(span)?).ok();
    let mut output = Vec::new();
    output.try_reserve_exact(work.outputs()).ok()?;
    output.resize(work.outputs(), 0.0);
    let (element, [rows, columns, tokens]) = match *work {
        Work::Product { element, rows, columns, tokens } => (element, [rows, columns, tokens].map(usize::from)),
        Work::Peer { .. } => return None,
        Work::Attention { element, heads, kv_heads, head_dim, positions } => {
            let [heads, kv_heads, head_dim, context] = [heads, kv_heads, head_dim, positions].map(usize::from);
            let heads = Heads { heads, kv_heads, head_dim, context };
            attend(element, &heads, floats(operands.weights)?, floats(operands.input)?, &mut output)?;
            return Some(output);
        }
    };
    // Activations are in RAM, as they are in a model's arena.
    let mut input = words(operands.input.bytes / 4)?;
    cast_slice_mut::<u32, u8>(&mut input).copy_from_slice(part(operands.input)?);
    match element {
        Element::Int8 => {
            let weights = try_cast_slice(part(operands.weights)?).ok()?;
            let matrix = int8::Matrix { rows, columns, stride: columns, weights, scales: floats(operands.scales)?, bias: &[] };
            let (input, scales) = (cast_slice(&input), floats(operands.input_scales)?);
            let matmul = called(int8::matmul as fn(&int8::Matrix<'_>, &[i16], &[f32], usize, &mut [f32]));
            measure(|| matmul(&matrix, input, scales, tokens, &mut output));
        }
        Element::Int4 { .. } => {
            let weights = try_cast_slice(part(operands.weights)?).ok()?;
            let matrix = int4::Matrix { rows, columns, weights, scales: floats(operands.scales)?, bias: &[] };
            let (input, scales) = (cast_slice(&input), floats(operands.input_scales)?);
            let matmul = called(int4::matmul as fn(&int4::Matrix<'_>, &[i16], &[f32], usize, &mut [f32]));
            measure(|| matmul(&matrix, input, scales, tokens, &mut output));
        }
        Element::F16 => {
            let weights = try_cast_slice(part(operands.weights)?).ok()?;
            let matrix = half_float::Matrix { rows, columns, weights, bias: &[] };
            let input = cast_slice(&input);
            let matmul = called(half_float::matmul as fn(&half_float::Matrix<'_>, &[f32], usize, &mut [f32]));
            measure(|| matmul(&matrix, input, tokens, &mut output));
        }
    }
    Some(output)
}

/// Attention over a cache of either element type.
type Attend = fn(&[u32], &Heads, usize, &[f32], &mut [f32], &mut [u32]);

/// Fills a cache with keys and values and attends to all of it.
fn attend(element: Element, heads: &Heads, key_value: &[f32], query: &[f32], output: &mut [f32]) -> Option<()> {
    let vectors = key_value.chunks_exact(2 * heads.kv_heads * heads.head_dim).enumerate();
    let attend: Attend = match element {
        Element::Int8 | Element::Int4 { .. } => attention::int8::attend,
        Element::F16 => attention::half_float::attend,
    };
    let (mut cache, mut scratch) = match element {
        Element::Int8 | Element::Int4 { .. } => (words(heads.int8_cache_words())?, words(heads.int8_scratch_words())?),
        Element::F16 => (words(heads.half_cache_words())?, words(heads.half_scratch_words())?),
    };
    for (position, key_value) in vectors {
        match element {
            Element::Int8 | Element::Int4 { .. } => {
                attention::int8::remember(&mut cache, heads, position, key_value, &mut scratch)
            }
            Element::F16 => attention::half_float::remember(&mut cache, heads, position, key_value),
        }
    }
    let attend = called(attend);
    measure(|| attend(&cache, heads, heads.context, query, output, &mut scratch));
    Some(())
}

/// So many zeros, or `None` where memory has no room.
fn words(count: usize) -> Option<Vec<u32>> {
    let mut words = Vec::new();
    words.try_reserve_exact(count).ok()?;
    words.resize(count, 0);
    Some(words)
}

/// A function that is called and not inlined: into this crate, it would be compiled for size.
fn called<F: Copy>(function: F) -> F {
    black_box(function)
}

/// Breakpoints around nothing, then around `kernel`.
#[inline(always)]
fn measure(kernel: impl FnOnce()) {
    bkpt();
    bkpt();
    bkpt();
    kernel();
    bkpt();
}
