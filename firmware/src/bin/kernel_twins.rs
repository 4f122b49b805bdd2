//! Compares the kernels that the target uses with their portable twins, bit for bit: random shapes, alignments and values, and extremes.
//! An interrupt comes every few hundred instructions and overwrites the stack below the kernel's.
//! The digest of all results must be the same on every target, those among them that have no fast kernels or no FPU.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use fathom::format::packing::GROUP_ROWS;
use fathom::format::quad_packing;
use fathom::kernels::TOKENS_PER_PASS;
use fathom::kernels::half_float::{self, products, products_portable};
use fathom::kernels::int4;
use fathom::kernels::int8::{Matrix, matmul, sums, sums_portable};
use fathom::kernels::quantise::{quantise, quantise_portable};
use fathom::kernels::requantise::{as_sums, requantise, requantise_portable};
use fathom::kernels::vector;
use fathom::math::{GELU, SIGMOID};
use fathom_firmware::board::{self, Exit};

/// Cases of each kernel.
const CASES: u32 = 400;
const TOKENS: usize = 5;
const _: () = assert!(TOKENS <= TOKENS_PER_PASS);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32) as u32
    }

    fn below(&mut self, bound: usize) -> usize {
        self.bits() as usize % bound
    }
}

/// FNV-1a of words.
struct Digest(u32);

impl Digest {
    fn add(&mut self, word: u32) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// Fills weights and activations: random halfwords and int8 values, or one of the extremes.
fn fill(random: &mut Random, case: u32, weights: &mut [i16], input: &mut [i16]) {
    let (weight, activation): (Option<i16>, Option<i16>) = match case % 8 {
        0 => (Some(127 * 257), Some(127)),
        1 => (Some(-127 * 257), Some(127)),
        2 => (Some(127 * 256 - 127), Some(-127)),
        3 => (Some(0), None),
        4 => (None, Some(0)),
        _ => (None, None),
    };
    weights.iter_mut().for_each(|w| *w = weight.unwrap_or(random.bits() as i16));
    input.iter_mut().for_each(|x| *x = activation.unwrap_or((random.below(255) as i16) - 127));
    if case % 8 == 5 {
        input.fill(0);
        let place = random.below(input.len());
        input[place] = 127; // a single outlier
    }
}

#[inline(never)] // their arrays share one stack
fn int8_agrees(random: &mut Random, case: u32, digest: &mut Digest) -> bool {
    const ROWS: usize = 14;
    const COLUMNS: usize = 520; // past one piece of `EXACT_COLUMNS`
    // As in a blob and in an arena, but for the offset.
    #[repr(align(4))]
    struct Words<const N: usize>([i16; N]);
    let mut weights = Words([0; GROUP_ROWS / 2 * COLUMNS]);
    let mut input = Words([0; TOKENS * COLUMNS + 2]);
    let tokens = 1 + random.below(TOKENS);
    let rows = 1 + random.below(ROWS);
    let most = (weights.0.len() * 2 / rows.next_multiple_of(2)).min(COLUMNS) / 4;
    let columns = if case < 3 { 4 * most } else { 4 * (1 + random.below(most)) };
    let stride = columns + 4 * random.below(most + 1 - columns / 4);
    let offset = random.below(2);
    let input = &mut input.0[offset..][..tokens * columns];
    fill(random, case, &mut weights.0, input);
    if case % 8 == 6 {
        // Weights of attention: beyond 8 bits, and no more than 65,535 in all.
        input.iter_mut().for_each(|x| *x = x.abs() / 2);
        input[random.below(columns)] = 16_383;
    }
    let scales: [f32; ROWS] = core::array::from_fn(|row| 1e-3 * (row + 1) as f32);
    let bias = &[0.5; ROWS][..if case.is_multiple_of(4) { rows } else { 0 }];
    let matrix = Matrix { rows, columns, stride, weights: &weights.0, scales: &scales[..rows], bias };
    let (mut fast, mut portable) = ([7; TOKENS * ROWS + 1], [7; TOKENS * ROWS + 1]);
    sums(&matrix, input, tokens, &mut fast);
    sums_portable(&matrix, input, tokens, &mut portable);
    portable.iter().for_each(|sum| digest.add(*sum as u32));
    if fast != portable {
        return false;
    }
    let input_scales = [0.25, 0.1, 3e-5, 7.0, 1.0];
    let values: &mut [f32] = bytemuck::cast_slice_mut(&mut fast);
    let wanted: &mut [f32] = bytemuck::cast_slice_mut(&mut portable);
    matmul(&matrix, input, &input_scales, tokens, values);
    for (wanted, input_scale) in wanted.chunks_exact_mut(rows).zip(input_scales).take(tokens) {
        requantise_portable(&scales[..rows], bias, input_scale, wanted);
    }
    values.iter().zip(wanted).all(|(value, wanted)| value.to_bits() == wanted.to_bits())
}

#[inline(never)] // their arrays share one stack
fn requantisation_agrees(random: &mut Random, case: u32, digest: &mut Digest) -> bool {
    const ROWS: usize = 40;
    let rows = 1 + random.below(ROWS);
    let (mut scales, mut bias, mut fast) = ([0.0; ROWS], [0.0; ROWS], [0.0; ROWS]);
    // Of one size; or of any below 2, of either sign, subnormals among them.
    let any_scale = |bits: u32| if case % 5 == 4 { f32::from_bits(bits & 0xbfff_ffff) } else { bits as f32 * 1e-12 };
    scales.iter_mut().for_each(|scale| *scale = any_scale(random.bits()));
    bias.iter_mut().for_each(|bias| *bias = random.bits() as i32 as f32 * 1e-9);
    as_sums(&mut fast).iter_mut().for_each(|sum| *sum = random.bits() as i32 >> (case % 24));
    let mut portable = fast;
    let (scales, bias) = (&scales[..rows], &bias[..if case.is_multiple_of(2) { rows } else { 0 }]);
    let input_scale = random.bits() as f32 * 1e-11;
    requantise(scales, bias, input_scale, &mut fast[..rows]);
    requantise_portable(scales, bias, input_scale, &mut portable[..rows]);
    portable.iter().for_each(|value| digest.add(value.to_bits()));
    fast.map(f32::to_bits) == portable.map(f32::to_bits)
}

#[inline(never)] // their arrays share one stack
fn int4_agrees(random: &mut Random, case: u32, digest: &mut Digest) -> bool {
    const ROWS: usize = 17;
    const COLUMNS: usize = quad_packing::EXACT_COLUMNS + 8;
    let mut weights = [0u32; quad_packing::packed_bytes(ROWS, COLUMNS) / 4];
    let mut input = [0i16; TOKENS * COLUMNS + 1];
    let (rows, tokens) = (1 + random.below(ROWS), 1 + random.below(TOKENS));
    let most = if case.is_multiple_of(4) { COLUMNS } else { 128 };
    let columns = 4 * (1 + random.below(most / 4));
    let input = &mut input[random.below(2)..][..tokens * columns];
    fill(random, case, &mut [], input);
    // All -8 and all 7 among them, which are the extremes of every nibble.
    let constant = [Some(0x8000_8000), Some(0x7fff_7fff), None, None][(case / 8 % 4) as usize];
    weights.iter_mut().for_each(|word| *word = constant.unwrap_or_else(|| random.bits()));
    let weights = &weights[..quad_packing::packed_bytes(rows, columns) / 4];
    let matrix = int4::Matrix { rows, columns, weights, scales: &[], bias: &[] };
    let (mut fast, mut portable) = ([7; TOKENS * ROWS + 1], [7; TOKENS * ROWS + 1]);
    int4::sums(&matrix, input, tokens, &mut fast);
    int4::sums_portable(&matrix, input, tokens, &mut portable);
    portable.iter().for_each(|sum| digest.add(*sum as u32));
    fast == portable
}

#[inline(never)] // their arrays share one stack
fn quantisation_agrees(random: &mut Random, case: u32, digest: &mut Digest) -> bool {
    const LENGTH: usize = 64;
    let mut values = [0.0; LENGTH];
    for value in &mut values {
        let integer = random.bits() as i32 >> random.below(32);
        *value = if case.is_multiple_of(3) { (integer % 254) as f32 * 0.5 } else { integer as f32 * 1e-6 };
    }
    if case.is_multiple_of(3) {
        values[0] = 127.0; // the scale is 1, so that odd halves are ties
    }
    let (mut fast, mut portable) = ([1; LENGTH], [2; LENGTH]);
    let scales = [quantise(&values, &mut fast).to_bits(), quantise_portable(&values, &mut portable).to_bits()];
    portable.iter().for_each(|value| digest.add(*value as u32));
    digest.add(scales[1]);
    fast == portable && scales[0] == scales[1]
}

#[inline(never)] // their arrays share one stack
fn f16_agrees(random: &mut Random, case: u32, digest: &mut Digest) -> bool {
    const COLUMNS: usize = 256;
    const ROWS: usize = 9;
    #[repr(align(4))]
    struct Words([u16; ROWS * COLUMNS]);
    let mut weights = Words([0; ROWS * COLUMNS]);
    let mut input = [0f32; TOKENS * COLUMNS];
    let columns = 4 * (1 + random.below(COLUMNS / 4));
    let rows = 1 + random.below(ROWS);
    for w in &mut weights.0[..rows * columns] {
        let bits = random.bits() as u16;
        // Finite halves of every size, subnormals among them; the exponent of infinity is cleared to a small one.
        *w = if bits & 0x7c00 == 0x7c00 { bits & 0x83ff } else { bits };
    }
    for x in &mut input {
        *x = (random.bits() as i32 as f32) * if case.is_multiple_of(2) { 1e-9 } else { 1e-3 };
    }
    let matrix = half_float::Matrix { rows, columns, weights: &weights.0[..rows * columns], bias: &[] };
    let mut fast = [case as f32; TOKENS * ROWS];
    let mut portable = fast;
    products(&matrix, &input[..TOKENS * columns], TOKENS, &mut fast);
    products_portable(&matrix, &input[..TOKENS * columns], TOKENS, &mut portable);
    portable[..TOKENS * rows].iter().for_each(|y| digest.add(y.to_bits()));
    fast.map(f32::to_bits) == portable.map(f32::to_bits)
}

/// Products, sums and differences of floats of all classes. Nothing to compare with here: that targets with an FPU and without give one
/// digest is the test.
fn add_floats(random: &mut Random, digest: &mut Digest) {
    const EDGES: [u32; 8] = [0, 1, 2, 0x1000, 0x40_0000, 0x7f_ff00, 0x7f_fffe, 0x7f_ffff];
    for kind in 0..16u32 {
        let one = random.bits();
        let near = match kind % 4 {
            0 => random.bits(),
            1 => one ^ (1 << 31) ^ (1 << random.below(24)), // cancels
            2 => one.wrapping_add((random.below(60) as u32) << 23) ^ 0x0f, // some places apart
            _ => random.bits() & 0x807f_f000 | 120 << 23,   // ties
        };
        let pair = match kind / 4 {
            0 => (one & 0x81ff_ffff | 0x3e00_0000, near & 0x81ff_ffff | 0x3e00_0000), // of common sizes
            1 => ((one >> 23) << 23 | EDGES[random.below(8)], (near >> 23) << 23 | EDGES[random.below(8)]),
            _ => (one, near),
        };
        let (a, b) = (f32::from_bits(pair.0), f32::from_bits(pair.1));
        let (a, b) = (core::hint::black_box(a), core::hint::black_box(b));
        for result in [a * b, a + b, a - b] {
            digest.add(if result.is_nan() { f32::NAN } else { result }.to_bits());
        }
    }
}

/// Every operation on vectors, on lengths with and without a rest, at any alignment.
#[inline(never)] // their arrays share one stack
fn vectors_agree(random: &mut Random, case: u32, digest: &mut Digest) -> bool {
    const LENGTH: usize = 64;
    let length = 4 * random.below(LENGTH / 4 + 1);
    let offset = random.below(4);
    // Up to 16 and so beyond the ends of a curve, or up to 0.002.
    let size = if case.is_multiple_of(3) { 1e-12 } else { 8e-9 };
    let mut value = || random.bits() as i32 as f32 * size;
    let mut vectors = [[0f32; LENGTH + 3]; 3];
    vectors.iter_mut().flatten().for_each(|x| *x = value());
    let [x, y, z] = &mut vectors;
    let (x, y, z) = (&mut x[offset..][..length], &mut y[..length], &mut z[offset..][..length]);
    let scale = y.first().copied().unwrap_or(1.0);
    let mut same = true;
    let mut agree = |digest: &mut Digest, fast: &[f32], portable: &[f32]| {
        portable.iter().for_each(|x| digest.add(x.to_bits()));
        same &= fast.iter().zip(portable).all(|(a, b)| a.to_bits() == b.to_bits());
    };

    agree(digest, &[vector::sum_of_squares(x)], &[vector::sum_of_squares_portable(x)]);
    let odd = length.saturating_sub(case as usize % 4); // a router has any width
    agree(digest, &[vector::rectified_dot(&x[..odd], y)], &[vector::rectified_dot_portable(&x[..odd], y)]);
    agree(digest, &[vector::largest_magnitude(x)], &[vector::largest_magnitude_portable(x)]);
    let mut portable = [0f32; LENGTH];
    let portable = &mut portable[..length];
    vector::weigh(x, scale, y, z);
    vector::weigh_portable(x, scale, y, portable);
    agree(digest, z, portable);
    portable.copy_from_slice(z);
    vector::add(z, x);
    vector::add_portable(portable, x);
    agree(digest, z, portable);
    for curve in [&SIGMOID, &GELU] {
        z.copy_from_slice(x);
        portable.copy_from_slice(x);
        vector::gate(curve, z, y);
        vector::gate_portable(curve, portable, y);
        agree(digest, z, portable);
    }
    portable.copy_from_slice(z);
    let turns = if length == 0 { 0 } else { length / (1 + case as usize % 2) / 4 * 4 };
    vector::rotate(z, &y[..turns]);
    vector::rotate_portable(portable, &y[..turns]);
    agree(digest, z, portable);

    let (mut fast, mut portable) = ([0i16; LENGTH + 3], [0i16; LENGTH + 3]);
    vector::round_products(x, 1.0 / size / 2e6, &mut fast[offset..][..length]);
    vector::round_products_portable(x, 1.0 / size / 2e6, &mut portable[offset..][..length]);
    portable.iter().for_each(|q| digest.add(*q as u32));

    // Sums of any size in the places of floats, scales of one sign and of both.
    let mut sums = [[0f32; LENGTH]; 2];
    let [fast_sums, portable_sums] = &mut sums;
    for (fast, portable) in fast_sums.iter_mut().zip(portable_sums.iter_mut()) {
        *fast = f32::from_bits((random.bits() as i32 >> (case % 24)) as u32);
        *portable = *fast;
    }
    let unit = if case.is_multiple_of(2) { 1.0 } else { 1e6 };
    let largest = vector::scale_scores(&mut fast_sums[..odd], y, unit);
    let wanted = vector::scale_scores_portable(&mut portable_sums[..odd], y, unit);
    digest.add(wanted as u32);
    portable_sums.iter().for_each(|score| digest.add(score.to_bits()));
    let scores_same = fast_sums.iter().zip(&*portable_sums).all(|(a, b)| a.to_bits() == b.to_bits());

    // Scores below a largest one, and any bits at all.
    let mut scores = [[0i32; LENGTH]; 2];
    let [fast_scores, portable_scores] = &mut scores;
    fast_scores.iter_mut().for_each(|score| *score = -((random.bits() >> (8 + case % 16)) as i32));
    if case.is_multiple_of(8) {
        fast_scores[0] = random.bits() as i32;
    }
    portable_scores.copy_from_slice(fast_scores);
    let totals = [
        vector::exponentials(&mut fast_scores[..odd], (12 * (case as i32 % 2)) << 16),
        vector::exponentials_portable(&mut portable_scores[..odd], (12 * (case as i32 % 2)) << 16),
    ];
    digest.add(totals[1]);
    vector::round_parts(fast_scores, y, 1e6, &mut fast[offset..][..odd.min(y.len())]);
    vector::round_parts_portable(portable_scores, y, 1e6, &mut portable[offset..][..odd.min(y.len())]);
    portable.iter().for_each(|q| digest.add(*q as u32));
    same && fast == portable && largest == wanted && scores_same && totals[0] == totals[1] && fast_scores == portable_scores
}

/// Cycles between two interrupts, so that they come at every place of every kernel.
#[cfg(not(armv6m))] // there the timer counts cycles
const INTERRUPT_CYCLES: u32 = 1009;

/// An interrupt that leaves nothing of what lies below the stack pointer.
#[cfg(not(armv6m))]
#[cortex_m_rt::exception]
fn SysTick() {
    core::hint::black_box([0xa5a5_a5a5_u32; 32]);
}

#[cfg(not(armv6m))]
fn start_interrupts() {
    use cortex_m::peripheral::{Peripherals, syst::SystClkSource};
    if let Some(mut peripherals) = Peripherals::take() {
        let timer = &mut peripherals.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(INTERRUPT_CYCLES - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
    }
}

#[entry]
fn main() -> ! {
    #[cfg(not(armv6m))]
    start_interrupts();
    let mut random = Random(1);
    let mut digest = Digest(0x811c_9dc5);
    let mut differences = 0;
    for case in 0..CASES {
        differences += u32::from(!int8_agrees(&mut random, case, &mut digest));
        differences += u32::from(!requantisation_agrees(&mut random, case, &mut digest));
        differences += u32::from(!int4_agrees(&mut random, case, &mut digest));
        differences += u32::from(!quantisation_agrees(&mut random, case, &mut digest));
        differences += u32::from(!f16_agrees(&mut random, case, &mut digest));
        add_floats(&mut random, &mut digest);
        differences += u32::from(!vectors_agree(&mut random, case, &mut digest));
    }
    hprintln!("kernel twins: {} cases, {} differences, digest {:08x}", 6 * CASES, differences, digest.0);
    board::exit(if differences == 0 { Exit::Success } else { Exit::Failed })
}
