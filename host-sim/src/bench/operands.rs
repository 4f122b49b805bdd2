//! Pseudo-random operands for a kernel, and the result that the runtime computes from them on the host.

use fathom::attention::{self, Heads};
use fathom::format::Element;
use fathom::format::bench::{Library, PEER_SHIFT, Work};
use fathom::format::{packing, quad_packing};
use fathom::kernels::{half_float, int4, int8};

/// What the image finds in flash, and what it must answer.
#[derive(Clone, Debug)]
pub struct Operands {
    /// Request and operands.
    pub region: Vec<u8>,
    /// The result.
    pub expected: Expected,
}

/// The result that a kernel must give.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// These bits: ours.
    Floats(Vec<f32>),
    /// These values, give or take one: other libraries round in their own ways.
    Near(Vec<i8>),
}

impl Expected {
    /// Whether these are the result's bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Floats(values) => {
                let found = bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
                bytes.len() == 4 * values.len() && found.eq(values.iter().map(|value| value.to_bits()))
            }
            Self::Near(values) => {
                let near = |(found, value): (&u8, &i8)| found.cast_signed().abs_diff(*value) <= 1;
                bytes.len() == values.len() && bytes.iter().zip(values).all(near)
            }
        }
    }
}

/// SplitMix64: the same stream on every host.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `-most..=most`.
    fn within(&mut self, most: i16) -> i16 {
        (self.bits() % (2 * most as u64 + 1)) as i16 - most
    }

    /// Uniform in steps of 2^-12 between 1/2 and 1.
    fn scale(&mut self) -> f32 {
        0.5 + f32::from((self.bits() % 2048) as u16) / 4096.0
    }
}

impl Operands {
    /// Those for a piece of work, always the same; `None` for a shape that no kernel takes.
    pub fn new(work: &Work) -> Option<Self> {
        let spans = work.operands()?;
        let mut region = vec![0; spans.total];
        work.write(&mut region)?;
        let mut expected = vec![0.0; work.outputs()];
        let mut random = Random(1);
        let (element, [rows, columns, tokens]) = match *work {
            Work::Product { element, rows, columns, tokens } => (element, [rows, columns, tokens].map(usize::from)),
            Work::Peer { library, rows, columns, tokens } => {
                let [rows, columns, tokens] = [rows, columns, tokens].map(usize::from);
                let most = if library == Library::EmbeddedNnInt4 { 7 } else { 127 };
                let weights: Vec<i8> = (0..rows * columns).map(|_| random.within(most) as i8).collect();
                let input: Vec<i8> = (0..tokens * columns).map(|_| random.within(127) as i8).collect();
                let stored: Vec<i8> = if library == Library::EmbeddedNnInt4 {
                    weights.as_chunks::<2>().0.iter().map(|[low, high]| low & 15 | high << 4).collect()
                } else {
                    weights.clone()
                };
                fill(&mut region[spans.weights.range()], &stored, i8::to_le_bytes);
                fill(&mut region[spans.input.range()], &input, i8::to_le_bytes);
                let dot = |a: &[i8], b: &[i8]| -> i32 { a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum() };
                let half = 1 << (PEER_SHIFT - 1);
                let value = |sum: i32| ((sum + half) >> PEER_SHIFT).clamp(-128, 127) as i8;
                let of_token = |input: &[i8]| weights.chunks_exact(columns).map(|row| value(dot(row, input))).collect::<Vec<_>>();
                let expected = input.chunks_exact(columns).flat_map(of_token).collect();
                return Some(Self { region, expected: Expected::Near(expected) });
            }
            Work::Attention { element, heads, kv_heads, head_dim, positions } => {
                let [heads, kv_heads, head_dim, positions] = [heads, kv_heads, head_dim, positions].map(usize::from);
                let heads = Heads { heads, kv_heads, head_dim, context: positions };
                let vector = 2 * kv_heads * head_dim;
                let key_value: Vec<f32> = (0..positions * vector).map(|_| f32::from(random.within(2047)) / 1024.0).collect();
                let query: Vec<f32> = (0..expected.len()).map(|_| f32::from(random.within(2047)) / 512.0).collect();
                let (mut cache, mut scratch) = match element {
                    Element::Int8 | Element::Int4 { .. } => {
                        (vec![0; heads.int8_cache_words()], vec![0; heads.int8_scratch_words()])
                    }
                    Element::F16 => (vec![0; heads.half_cache_words()], vec![0; heads.half_scratch_words()]),
                };
                for (position, key_value) in key_value.chunks_exact(vector).enumerate() {
                    match element {
                        Element::Int8 | Element::Int4 { .. } => {
                            attention::int8::remember(&mut cache, &heads, position, key_value, &mut scratch)
                        }
                        Element::F16 => attention::half_float::remember(&mut cache, &heads, position, key_value),
                    }
                }
                match element {
                    Element::Int8 | Element::Int4 { .. } => {
                        attention::int8::attend(&cache, &heads, positions, &query, &mut expected, &mut scratch);
                    }
                    Element::F16 => {
                        attention::half_float::attend(&cache, &heads, positions, &query, &mut expected, &mut scratch);
                    }
                }
                fill(&mut region[spans.weights.range()], &key_value, |x| x.to_le_bytes());
                fill(&mut region[spans.input.range()], &query, |x| x.to_le_bytes());
                return Some(Self { region, expected: Expected::Floats(expected) });
            }
        };
        let elements = tokens * columns;
        match element {
            Element::Int8 => {
                let values: Vec<i8> = (0..rows * columns).map(|_| random.within(127) as i8).collect();
                let mut weights = vec![0; spans.weights.bytes / 2];
                packing::pack(&values, rows, columns, &mut weights);
                let scales: Vec<f32> = (0..rows).map(|_| random.scale()).collect();
                let input: Vec<i16> = (0..elements).map(|_| random.within(127)).collect();
                let input_scales: Vec<f32> = (0..tokens).map(|_| random.scale()).collect();
                let matrix = int8::Matrix { rows, columns, stride: columns, weights: &weights, scales: &scales, bias: &[] };
                int8::matmul(&matrix, &input, &input_scales, tokens, &mut expected);
                fill(&mut region[spans.weights.range()], &weights, |w| w.to_le_bytes());
                fill(&mut region[spans.scales.range()], &scales, |s| s.to_le_bytes());
                fill(&mut region[spans.input.range()], &input, |x| x.to_le_bytes());
                fill(&mut region[spans.input_scales.range()], &input_scales, |s| s.to_le_bytes());
            }
            Element::Int4 { .. } => {
                let values: Vec<i8> = (0..rows * columns).map(|_| random.within(7) as i8).collect();
                let mut weights = vec![0; spans.weights.bytes / 4];
                quad_packing::pack(&values, rows, columns, &mut weights);
                let scales: Vec<f32> = (0..rows).map(|_| random.scale()).collect();
                let input: Vec<i16> = (0..elements).map(|_| random.within(127)).collect();
                let input_scales: Vec<f32> = (0..tokens).map(|_| random.scale()).collect();
                let matrix = int4::Matrix { rows, columns, weights: &weights, scales: &scales, bias: &[] };
                int4::matmul(&matrix, &input, &input_scales, tokens, &mut expected);
                fill(&mut region[spans.weights.range()], &weights, |w| w.to_le_bytes());
                fill(&mut region[spans.scales.range()], &scales, |s| s.to_le_bytes());
                fill(&mut region[spans.input.range()], &input, |x| x.to_le_bytes());
                fill(&mut region[spans.input_scales.range()], &input_scales, |s| s.to_le_bytes());
            }
            Element::F16 => {
                // Normal halves of both signs between 2^-8 and 2^3.
                let half = |bits: u64| (bits & 0x83ff) as u16 | (7 + (bits >> 32) as u16 % 11) << 10;
                let weights: Vec<u16> = (0..rows * columns).map(|_| half(random.bits())).collect();
                let input: Vec<f32> = (0..elements).map(|_| f32::from(random.within(2047)) / 1024.0).collect();
                let matrix = half_float::Matrix { rows, columns, weights: &weights, bias: &[] };
                half_float::matmul(&matrix, &input, tokens, &mut expected);
                fill(&mut region[spans.weights.range()], &weights, |w| w.to_le_bytes());
                fill(&mut region[spans.input.range()], &input, |x| x.to_le_bytes());
            }
        }
        Some(Self { region, expected: Expected::Floats(expected) })
    }
}

/// Little-endian bytes of `values`.
fn fill<T: Copy, const N: usize>(into: &mut [u8], values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    for (into, value) in into.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *into = bytes(*value);
    }
}
