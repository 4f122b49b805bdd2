//! As `bench.rs`, for other libraries. One image for all of them; microflow's shapes are types, so it has those of the table.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use bytemuck::{cast_slice, try_cast_slice};
use core::cell::RefCell;
use core::hint::black_box;
use cortex_m::asm::bkpt;
use cortex_m_rt::entry;
use cortex_m_semihosting::{hio, hprintln};
use critical_section::Mutex;
use embedded_nn::{Activation, Dims, FcParams, PerTensorQuantParams, fully_connected_s4, fully_connected_s8};
use fathom::format::Span;
use fathom::format::bench::{Library, PEER_SHIFT, Work};
use fathom_firmware::board::{self, Exit};
use microflow::activation::FusedActivation;
use microflow::buffer::Buffer2D;
use microflow::ops::{FullyConnectedOptions, fully_connected};
use microflow::tensor::Tensor2D;

#[entry]
fn main() -> ! {
    board::start_heap();
    let region = board::model_region();
    let Some(output) = Work::read(region).and_then(|work| run(region, &work)) else {
        hprintln!("no request in the model's region that these libraries have: start this image with host-sim bench");
        board::exit(Exit::Failed)
    };
    let sent = hio::hstdout().and_then(|mut host| host.write_all(cast_slice(&output)));
    board::exit(if sent.is_ok() { Exit::Success } else { Exit::Failed })
}

/// Runs the kernel; `None` for what no library has, or memory has no room for.
fn run(region: &'static [u8], work: &Work) -> Option<Vec<i8>> {
    let Work::Peer { library, rows, columns, tokens } = *work else { return None };
    let operands = work.operands()?;
    let part = |span: Span| try_cast_slice::<u8, i8>(region.get(span.range())?).ok();
    let weights = part(operands.weights)?;
    let mut input = Vec::new();
    input.try_reserve_exact(operands.input.bytes).ok()?;
    input.extend_from_slice(part(operands.input)?); // in RAM, as activations are
    let mut output = Vec::new();
    output.try_reserve_exact(work.outputs()).ok()?;
    output.resize(work.outputs(), 0);
    match library {
        Library::EmbeddedNn | Library::EmbeddedNnInt4 => {
            let [rows, columns, tokens] = [rows, columns, tokens].map(i32::from);
            let (kernel, parameters, quantisation) = black_box((
                if library == Library::EmbeddedNn { fully_connected_s8 } else { fully_connected_s4 },
                FcParams { input_offset: 0, filter_offset: 0, output_offset: 0, activation: Activation::int8_unconstrained() },
                PerTensorQuantParams::new(1 << 30, 1 - PEER_SHIFT as i32), // the multiplier is a half
            ));
            let [input_dims, filter_dims, output_dims] =
                [Dims::new(tokens, 1, 1, columns), Dims::new(columns, 1, 1, rows), Dims::new(tokens, 1, 1, rows)];
            measure(|| {
                kernel(&parameters, &quantisation, &input_dims, &input, &filter_dims, weights, None, &output_dims, &mut output)
            })
            .ok()?;
        }
        Library::Microflow => microflow(rows, columns, tokens, weights, &input, &mut output)?,
    }
    Some(output)
}

/// Weights of one shape, in RAM because nothing but a constant could be in flash.
type Weights<const COLUMNS: usize, const ROWS: usize> = Mutex<RefCell<Tensor2D<i8, COLUMNS, ROWS, 1>>>;

/// All zeros, so that the image holds none of it.
const fn zeros<const COLUMNS: usize, const ROWS: usize>() -> Weights<COLUMNS, ROWS> {
    let buffer = Buffer2D::from_array_storage(nalgebra::ArrayStorage([[0; COLUMNS]; ROWS]));
    Mutex::new(RefCell::new(Tensor2D::new(buffer, [0.0], [0])))
}

static WEIGHTS_64X64: Weights<64, 64> = zeros();
static WEIGHTS_128X128: Weights<128, 128> = zeros();
static WEIGHTS_256X256: Weights<256, 256> = zeros();
static WEIGHTS_688X256: Weights<256, 688> = zeros();

fn microflow(rows: u16, columns: u16, tokens: u16, weights: &[i8], input: &[i8], output: &mut [i8]) -> Option<()> {
    match (rows, columns, tokens) {
        (64, 64, 1) => connected::<1, _, _>(&WEIGHTS_64X64, weights, input, output),
        (128, 128, 1) => connected::<1, _, _>(&WEIGHTS_128X128, weights, input, output),
        (256, 256, 1) => connected::<1, _, _>(&WEIGHTS_256X256, weights, input, output),
        (256, 256, 8) => connected::<8, _, _>(&WEIGHTS_256X256, weights, input, output),
        (688, 256, 1) => connected::<1, _, _>(&WEIGHTS_688X256, weights, input, output),
        _ => return None,
    }
    Some(())
}

#[inline(never)] // a frame of its own: its tensors are arrays on the stack
fn connected<const TOKENS: usize, const COLUMNS: usize, const ROWS: usize>(
    tensor: &'static Weights<COLUMNS, ROWS>,
    weights: &[i8],
    input: &[i8],
    output: &mut [i8],
) {
    critical_section::with(|section| {
        let mut tensor = tensor.borrow_ref_mut(section);
        tensor.buffer.iter_mut().zip(weights).for_each(|(to, from)| *to = *from);
        let input = Tensor2D::new(Buffer2D::<i8, TOKENS, COLUMNS>::from_row_slice(input), [1.0], [0]);
        let options = FullyConnectedOptions { fused_activation: FusedActivation::None };
        let scale = black_box(1.0 / (1u32 << PEER_SHIFT) as f32);
        let constants = (Buffer2D::zeros(), scale, Buffer2D::zeros(), 0);
        let result = measure(|| fully_connected(black_box(input), &tensor, [1.0], [0], options, constants));
        // Both in the order of rows, then columns.
        for (to, from) in output.chunks_exact_mut(ROWS).zip(result.buffer.row_iter()) {
            to.iter_mut().zip(from.iter()).for_each(|(to, from)| *to = *from);
        }
    });
}

/// Breakpoints around nothing, then around `kernel`.
#[inline(always)]
fn measure<R>(kernel: impl FnOnce() -> R) -> R {
    bkpt();
    bkpt();
    bkpt();
    let result = kernel();
    bkpt();
    result
}
