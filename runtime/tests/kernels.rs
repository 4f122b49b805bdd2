//! The portable kernels against their definitions in wide arithmetic, over random shapes and values and the extremes.
//!
//! On the target the fast twins are compared with these, bit for bit, by `firmware/src/bin/kernel_twins.rs`.

use fathom::format::packing::{EXACT_COLUMNS, GROUP_ROWS, pack, packed_bytes, pairs_in_group, split};
use fathom::kernels::half_float::{self, LANES};
use fathom::kernels::int8::{self, sums_portable};
use fathom::kernels::quantise::{quantise, quantise_portable};
use fathom::kernels::{requantise, soft};
use half::f16;
use proptest::prelude::*;

/// int8 weights and activations: anything, or all at one extreme.
fn int8_values(count: usize) -> impl Strategy<Value = Vec<i8>> {
    prop_oneof![
        4 => prop::collection::vec(-127i8..=127, count),
        1 => Just(vec![127; count]),
        1 => Just(vec![-127; count]),
        1 => Just(vec![0; count]),
        1 => (0..count).prop_map(move |place| (0..count).map(|i| if i == place { -127 } else { 0 }).collect()),
    ]
}

/// (rows, columns, tokens): columns reach past one exact piece.
fn shapes() -> impl Strategy<Value = (usize, usize, usize)> {
    (1..20usize, prop_oneof![4 => 1..40usize, 1 => 120..140usize, 1 => 250..270usize], 1..20usize)
        .prop_map(|(rows, quads, tokens)| (rows, 4 * quads, tokens))
}

fn int8_case() -> impl Strategy<Value = (usize, usize, usize, Vec<i8>, Vec<i8>)> {
    shapes().prop_flat_map(|(rows, columns, tokens)| {
        (Just(rows), Just(columns), Just(tokens), int8_values(rows * columns), int8_values(tokens * columns))
    })
}

/// Bits of an f32: of common sizes, of any, and near the ends of exponents and significands.
fn float_bits() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => (-30..8i32, 0..1u32 << 23).prop_map(|(exponent, fraction)| ((127 + exponent) as u32) << 23 | fraction),
        1 => any::<u32>(),
        2 => (0..512u32, prop_oneof![Just(0), Just(1), Just(0x7f_ffff), Just(0x40_0000), Just(0x7f_ff00), Just(0x1000)])
            .prop_map(|(high, low)| high << 23 | low),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn int8_products_are_exact((rows, columns, tokens, weights, input) in int8_case(), biased in any::<bool>()) {
        let mut packed = vec![0i16; packed_bytes(rows, columns) / 2];
        pack(&weights, rows, columns, &mut packed);
        let scales: Vec<f32> = (0..rows).map(|row| 0.01 + row as f32 * 0.003).collect();
        let bias: Vec<f32> = if biased { (0..rows).map(|row| row as f32 - 3.5).collect() } else { Vec::new() };
        let input_scales: Vec<f32> = (0..tokens).map(|token| 0.5 / (token + 1) as f32).collect();
        let wide: Vec<i16> = input.iter().map(|x| i16::from(*x)).collect();
        let matrix = int8::Matrix { rows, columns, stride: columns, weights: &packed, scales: &scales, bias: &bias };
        let mut output = vec![f32::NAN; tokens * rows];
        int8::matmul(&matrix, &wide, &input_scales, tokens, &mut output);
        for token in 0..tokens {
            for row in 0..rows {
                let pairs = weights[row * columns..][..columns].iter().zip(&input[token * columns..][..columns]);
                let sum: i64 = pairs.map(|(w, x)| i64::from(*w) * i64::from(*x)).sum();
                // The sum is exact, and so is its conversion when it has 24 bits; the rest is one order of f32 operations.
                let mut wanted = sum as f32 * (scales[row] * input_scales[token]);
                if biased {
                    wanted += bias[row];
                }
                prop_assert_eq!(output[token * rows + row].to_bits(), wanted.to_bits());
            }
        }
    }

    #[test]
    fn int8_sums_are_exact_for_any_bytes_strides_and_alignments(
        (rows, columns, tokens) in shapes(),
        spare in 0..3usize, // in fours of columns
        offset in 0..2usize, // in halfwords: aligned to words or not
        large in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let stride = columns + 4 * spare;
        let mut state = seed | 1;
        let mut next = || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; state };
        let weights: Vec<i16> = (0..packed_bytes(rows, stride) / 2 + offset).map(|_| next() as i16).collect();
        let mut input: Vec<i16> = (0..tokens * columns + offset).map(|_| (next() % 255) as i16 - 127).collect();
        if large {
            // Magnitudes of 65,535 in all: weights of attention.
            input.fill(0);
            input.chunks_mut(columns.max(EXACT_COLUMNS)).for_each(|input| {
                let places = input.len() as u64;
                (0..4).for_each(|_| input[(next() % places) as usize] = [16_383, -16_383][next() as usize % 2]);
            });
        }
        let (weights, input) = (&weights[offset..], &input[offset..]);
        let matrix = int8::Matrix { rows, columns, stride, weights, scales: &[], bias: &[] };
        let mut sums = vec![7; tokens * rows + 1];
        sums_portable(&matrix, input, tokens, &mut sums);
        prop_assert_eq!(sums[tokens * rows], 7); // what lies behind is left alone
        for (token, input) in input.chunks_exact(columns).enumerate() {
            for row in 0..rows {
                let group = row / GROUP_ROWS;
                let pairs = pairs_in_group(rows, group);
                let weights = &weights[group * GROUP_ROWS / 2 * stride..];
                let mut sum = 0i64;
                for (column, x) in input.iter().enumerate() {
                    let (a, b) = split(weights[(column / 2 * pairs + row % GROUP_ROWS / 2) * 2 + column % 2]);
                    sum += i64::from(*x) * i64::from(if row % 2 == 0 { a } else { b });
                }
                prop_assert_eq!(i64::from(sums[token * rows + row]), sum);
            }
        }
    }

    #[test]
    fn quantisation_in_integers_is_that_in_floats(
        values in prop::collection::vec(prop_oneof![4 => (-1000..=1000i32).prop_map(|x| x as f32 / 8.0), 8 => -1.0..1.0f32,
            2 => float_bits().prop_map(f32::from_bits)], 0..40),
        size in -20..20i32,
        ties in any::<bool>(),
    ) {
        let mut values: Vec<f32> = values.into_iter().filter(|x| x.is_finite()).map(|x| x * 2f32.powi(size)).collect();
        if ties {
            // A largest value of 127 makes the scale 1, and halves of odd numbers ties.
            values.iter_mut().for_each(|x| *x = (x.clamp(-126.0, 126.0) * 2.0).round() / 2.0);
            values.push(127.0);
        }
        let (mut soft, mut portable) = (vec![1; values.len()], vec![2; values.len()]);
        let scales = [soft::quantise(&values, &mut soft), quantise_portable(&values, &mut portable)];
        prop_assert_eq!(scales[0].to_bits(), scales[1].to_bits());
        prop_assert_eq!(soft, portable, "{:?}", values);
    }

    #[test]
    fn requantisation_in_integers_is_that_in_floats(
        sums in prop::collection::vec((any::<i32>(), 0..32u32), 1..50),
        scales in prop::collection::vec(float_bits(), 50),
        bias in prop::collection::vec(float_bits(), 50),
        input_scale in float_bits(),
        biased in any::<bool>(),
    ) {
        let bits: Vec<f32> = sums.iter().map(|(sum, shift)| f32::from_bits((sum >> shift) as u32)).collect();
        let scales: Vec<f32> = scales.into_iter().map(f32::from_bits).collect();
        let bias: Vec<f32> = bias.into_iter().take(if biased { 50 } else { 0 }).map(f32::from_bits).collect();
        let (mut soft, mut portable) = (bits.clone(), bits);
        soft::requantise(&scales, &bias, f32::from_bits(input_scale), &mut soft);
        requantise::requantise_portable(&scales, &bias, f32::from_bits(input_scale), &mut portable);
        for (soft, portable) in soft.iter().zip(&portable) {
            prop_assert!(soft.to_bits() == portable.to_bits() || soft.is_nan() && portable.is_nan(), "{soft:e} {portable:e}");
        }
    }

    #[test]
    fn f16_products_stay_within_the_rounding_of_their_lanes((rows, columns, tokens) in shapes(), seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut next = || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; (state >> 40) as f32 / 8_388_608.0 - 1.0 };
        let weights: Vec<u16> = (0..rows * columns).map(|_| f16::from_f32(next()).to_bits()).collect();
        let input: Vec<f32> = (0..tokens * columns).map(|_| next()).collect();
        let mut output = vec![f32::NAN; tokens * rows];
        half_float::matmul(&half_float::Matrix { rows, columns, weights: &weights, bias: &[] }, &input, tokens, &mut output);
        for token in 0..tokens {
            for row in 0..rows {
                let pairs = weights[row * columns..][..columns].iter().zip(&input[token * columns..][..columns]);
                let products: Vec<f64> = pairs.map(|(w, x)| f16::from_bits(*w).to_f64() * f64::from(*x)).collect();
                let (sum, size) = (products.iter().sum::<f64>(), products.iter().map(|product| product.abs()).sum::<f64>());
                // One rounding per product and per sum of its lane, three to fold: each 2^-24 of what was summed.
                let bound = size * (columns.div_ceil(LANES) + 4) as f64 * 2f64.powi(-24);
                prop_assert!((f64::from(output[token * rows + row]) - sum).abs() <= bound);
            }
        }
    }

    #[test]
    fn f16_products_of_several_tokens_are_those_of_each((rows, columns, tokens) in shapes(), seed in any::<u32>()) {
        let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) as i32) as f32 * 1e-9;
        let weights: Vec<u16> = (0..rows * columns).map(|i| f16::from_f32(value(i + 7)).to_bits()).collect();
        let bias: Vec<f32> = (0..rows).map(|i| value(i + 3)).collect();
        let matrix = half_float::Matrix { rows, columns, weights: &weights, bias: &bias };
        let input: Vec<f32> = (0..tokens * columns).map(value).collect();
        let mut together = vec![f32::NAN; tokens * rows];
        half_float::matmul(&matrix, &input, tokens, &mut together);
        for (input, together) in input.chunks_exact(columns).zip(together.chunks_exact(rows)) {
            let mut alone = vec![f32::NAN; rows];
            half_float::matmul(&matrix, input, 1, &mut alone);
            for (row, (alone, together)) in alone.iter().zip(together).enumerate() {
                // The lanes, written out.
                let mut lanes = [0f32; LANES];
                for (column, x) in input.iter().enumerate() {
                    lanes[column % LANES] += x * f16::from_bits(weights[row * columns + column]).to_f32();
                }
                let wanted = ((lanes[0] + lanes[2]) + (lanes[1] + lanes[3])) + bias[row];
                prop_assert_eq!(alone.to_bits(), wanted.to_bits());
                prop_assert_eq!(together.to_bits(), wanted.to_bits());
            }
        }
    }

    #[test]
    fn quantisation_errs_by_at_most_half_a_scale(values in prop::collection::vec(-1e6f32..1e6, 1..80)) {
        let mut quantised = vec![0; values.len()];
        let scale = quantise(&values, &mut quantised);
        for (value, q) in values.iter().zip(&quantised) {
            prop_assert!(q.abs() <= 127);
            prop_assert!((value - f32::from(*q) * scale).abs() <= 0.5001 * scale);
        }
        prop_assert!(quantised.iter().any(|q| q.abs() == 127));
    }
}
