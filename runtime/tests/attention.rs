//! The caches and the attention over them against a plain attention in f64, over random shapes and values.

use fathom::attention::{Heads, half_float, int8};
use proptest::prelude::*;

fn shapes() -> impl Strategy<Value = Heads> {
    (1..4usize, 1..4usize, 1..12usize, 1..60usize).prop_map(|(kv_heads, per_kv_head, quads, context)| Heads {
        heads: kv_heads * per_kv_head,
        kv_heads,
        head_dim: 4 * quads,
        context,
    })
}

/// Uniform in `-1..1`, the same stream on every machine.
fn signed(state: &mut u64) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 40) as f32 / 8_388_608.0 - 1.0
}

/// `softmax(query . keys / sqrt(head_dim)) values` of each head; `history` `[visible]` of `[2, kv_heads, head_dim]`.
fn plain(heads: &Heads, history: &[Vec<f32>], query: &[f32]) -> Vec<f64> {
    let Heads { head_dim, kv_heads, .. } = *heads;
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let mut output = Vec::new();
    for (head, query) in query.chunks(head_dim).enumerate() {
        let offset = head / (heads.heads / kv_heads) * head_dim;
        let scores: Vec<f64> =
            history.iter().map(|row| dot(query, &row[offset..][..head_dim]) / (head_dim as f64).sqrt()).collect();
        let largest = scores.iter().copied().fold(f64::MIN, f64::max);
        let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = powers.iter().sum();
        for dimension in 0..head_dim {
            let value = |row: &Vec<f32>| f64::from(row[(kv_heads * head_dim) + offset + dimension]);
            output.push(history.iter().zip(&powers).map(|(row, power)| value(row) * power / total).sum());
        }
    }
    output
}

/// Keys and values of a whole context, and one query per position; `size` of keys and queries makes softmax flat or sharp.
fn tokens(heads: &Heads, seed: u64, size: f32) -> Vec<(Vec<f32>, Vec<f32>)> {
    let mut state = seed | 1;
    let half = heads.kv_heads * heads.head_dim;
    (0..heads.context)
        .map(|_| {
            // Every position with values of another magnitude.
            let magnitude = 1.0 + 0.9 * signed(&mut state);
            let key_value = (0..2 * half).map(|i| signed(&mut state) * if i < half { size } else { magnitude }).collect();
            (key_value, (0..heads.heads * heads.head_dim).map(|_| signed(&mut state) * size).collect())
        })
        .collect()
}

fn largest_difference(exact: &[f64], found: &[f32]) -> f64 {
    exact.iter().zip(found).map(|(exact, found)| (exact - f64::from(*found)).abs()).fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn attention_over_the_int8_cache_follows_plain_attention(heads in shapes(), seed in any::<u64>(), size in 0.01f32..2.0) {
        // The cache starts as anything: what was not stored must not matter.
        let mut state = seed | 1;
        let mut cache: Vec<u32> = (0..heads.int8_cache_words()).map(|_| signed(&mut state).to_bits().rotate_left(9)).collect();
        let mut scratch = vec![0x7fc0_0000; heads.int8_scratch_words()];
        let (mut history, mut outputs) = (Vec::new(), Vec::new());
        for (position, (key_value, query)) in tokens(&heads, seed, size).into_iter().enumerate() {
            int8::remember(&mut cache, &heads, position, &key_value, &mut scratch);
            history.push(key_value);
            let mut output = vec![f32::NAN; query.len()];
            int8::attend(&cache, &heads, position + 1, &query, &mut output, &mut scratch);
            // Values are rounded by up to 1/254 of their vector's largest, at most 1.9; queries and keys likewise, which moves each score
            // by up to a hundredth of what it can be.
            let score = f64::from(size * size) * (heads.head_dim as f64).sqrt() * 0.009;
            let bound = 1.9 * (1.0 / 254.0 + 2.0 * score.min(1.0) + 1e-3);
            let difference = largest_difference(&plain(&heads, &history, &query), &output);
            prop_assert!(difference <= bound, "position {position}: {difference} > {bound}");
            outputs.push((query, output));
        }
        // Positions that came later and are hidden change no bit.
        for (position, (query, output)) in outputs.iter().enumerate() {
            let mut again = vec![f32::NAN; query.len()];
            int8::attend_before(&cache, &heads, position + 1, query, &mut again, &mut scratch);
            prop_assert_eq!(bytemuck::cast_slice::<f32, u32>(&again), bytemuck::cast_slice::<f32, u32>(output));
        }
    }

    #[test]
    fn attention_over_the_f16_cache_follows_plain_attention(heads in shapes(), seed in any::<u64>(), size in 0.01f32..2.0) {
        let mut cache = vec![0x7fff_7fff; heads.half_cache_words()];
        let mut scratch = vec![0x7fc0_0000; heads.half_scratch_words()];
        let mut history = Vec::new();
        for (position, (key_value, query)) in tokens(&heads, seed, size).into_iter().enumerate() {
            half_float::remember(&mut cache, &heads, position, &key_value);
            history.push(key_value);
            let mut output = vec![f32::NAN; query.len()];
            half_float::attend(&cache, &heads, position + 1, &query, &mut output, &mut scratch);
            // 11 bits of keys and values.
            let bound = 1.9 * (1.0 / 2048.0) * (1.0 + 4.0 * f64::from(size * size) * (heads.head_dim as f64).sqrt());
            let difference = largest_difference(&plain(&heads, &history, &query), &output);
            prop_assert!(difference <= bound, "position {position}: {difference} > {bound}");
        }
    }
}

/// With few positions that differ much, int8 must be close: rounding of keys, queries and values alone.
#[test]
fn int8_attention_of_known_vectors_is_close() {
    let heads = Heads { heads: 2, kv_heads: 1, head_dim: 4, context: 7 };
    let mut cache = vec![u32::MAX; heads.int8_cache_words()];
    let mut scratch = vec![0; heads.int8_scratch_words()];
    for position in 0..7 {
        let mut key_value = [0.0; 8];
        key_value[position % 4] = 2.0;
        key_value[4 + position % 4] = 1.0 + position as f32;
        int8::remember(&mut cache, &heads, position, &key_value, &mut scratch);
    }
    let mut output = [0.0; 8];
    // The first head looks at dimension 1 (positions 1 and 5), the second at dimension 3 (position 3).
    int8::attend(&cache, &heads, 7, &[0.0, 40.0, 0.0, 0.0, 0.0, 0.0, 0.0, 40.0], &mut output, &mut scratch);
    for (found, exact) in output.iter().zip([0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0]) {
        assert!((found - exact).abs() < 0.01, "{output:?}");
    }
}
