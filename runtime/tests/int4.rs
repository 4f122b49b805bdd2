//! The portable int4 kernel, and the twin of cores without DSP in its portable form, against wide arithmetic.
#![cfg(feature = "int4")]

use fathom::format::quad_packing;
use fathom::kernels::int4;
use fathom::kernels::scalar4;
use proptest::prelude::*;

/// Activations: anything, or all at one extreme.
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

/// Nibbles of any value, or all at one extreme, or a single one.
fn nibbles(count: usize) -> impl Strategy<Value = Vec<i8>> {
    prop_oneof![
        4 => prop::collection::vec(-8i8..=7, count),
        1 => prop::sample::select(vec![-8i8, -7, 0, 7]).prop_map(move |w| vec![w; count]),
        1 => (0..count).prop_map(move |place| (0..count).map(|i| if i == place { -8 } else { 0 }).collect()),
    ]
}

fn int4_case() -> impl Strategy<Value = (usize, usize, usize, Vec<i8>, Vec<i8>)> {
    shapes().prop_flat_map(|(rows, columns, tokens)| {
        (Just(rows), Just(columns), Just(tokens), nibbles(rows * columns), int8_values(tokens * columns))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn int4_products_are_exact((rows, columns, tokens, weights, input) in int4_case(), biased in any::<bool>()) {
        let mut packed = vec![0u32; quad_packing::packed_bytes(rows, columns) / 4];
        quad_packing::pack(&weights, rows, columns, &mut packed);
        let scales: Vec<f32> = (0..rows).map(|row| 0.01 + row as f32 * 0.003).collect();
        let bias: Vec<f32> = if biased { (0..rows).map(|row| row as f32 - 3.5).collect() } else { Vec::new() };
        let input_scales: Vec<f32> = (0..tokens).map(|token| 0.5 / (token + 1) as f32).collect();
        let wide: Vec<i16> = input.iter().map(|x| i16::from(*x)).collect();
        let matrix = int4::Matrix { rows, columns, weights: &packed, scales: &scales, bias: &bias };
        let mut sums = vec![7; tokens * rows + 1];
        int4::sums_portable(&matrix, &wide, tokens, &mut sums);
        let mut scalar_sums = vec![7; tokens * rows + 1];
        scalar4::sums(&matrix, &wide, tokens, &mut scalar_sums);
        prop_assert_eq!(&sums, &scalar_sums);
        prop_assert_eq!(sums[tokens * rows], 7, "nothing is written behind the sums");
        let mut output = vec![f32::NAN; tokens * rows];
        int4::matmul(&matrix, &wide, &input_scales, tokens, &mut output);
        for token in 0..tokens {
            for row in 0..rows {
                let pairs = weights[row * columns..][..columns].iter().zip(&input[token * columns..][..columns]);
                let sum: i64 = pairs.map(|(w, x)| i64::from(*w) * i64::from(*x)).sum();
                prop_assert_eq!(i64::from(sums[token * rows + row]), sum);
                let mut wanted = sum as f32 * (scales[row] * input_scales[token]);
                if biased {
                    wanted += bias[row];
                }
                prop_assert_eq!(output[token * rows + row].to_bits(), wanted.to_bits());
            }
        }
    }
}
