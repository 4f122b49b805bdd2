//! The header's small reader against the decoder that postcard and serde derive.

use fathom::format::header::{MAX_OPERATING_POINTS, MAX_ROUTERS};
use fathom::format::header_reader::take_header;
use fathom::format::{
    Cache, DepthSet, Element, Geometry, Header, MatrixSet, Mlp, Norm, OperatingPoint, Policy, Position, Provenance, Routing,
    Tokenizer, Variants,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Numbers of every encoded length.
fn short() -> impl Strategy<Value = u16> {
    prop_oneof![0u16..128, 128u16..16384, any::<u16>(), Just(u16::MAX)]
}

fn long() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
}

fn variants() -> impl Strategy<Value = Variants> {
    let norm = prop_oneof![Just(Norm::LayerNorm), Just(Norm::RmsNorm)];
    let position = prop_oneof![Just(Position::Learned), Just(Position::Rotary)];
    let mlp = prop_oneof![Just(Mlp::Gelu), Just(Mlp::SquaredRelu), Just(Mlp::SwiGlu)];
    (norm, position, mlp, any::<bool>(), any::<bool>()).prop_map(|(norm, position, mlp, bias, tied_head)| Variants {
        norm,
        position,
        mlp,
        bias,
        tied_head,
    })
}

fn routing() -> impl Strategy<Value = Routing> {
    let exit = any::<u32>().prop_map(|depths| Policy::Exit { depths: DepthSet(depths) });
    let policy = prop_oneof![Just(Policy::Dense), Just(Policy::Skip), Just(Policy::Halt), exit];
    let cache = prop_oneof![
        Just(Cache::Project),
        short().prop_map(|kept| Cache::Omit { kept }),
        short().prop_map(|blocks| Cache::Ahead { blocks })
    ];
    (policy, cache, any::<bool>()).prop_map(|(policy, cache, soft_scaling)| Routing { policy, cache, soft_scaling })
}

fn point() -> impl Strategy<Value = OperatingPoint> {
    (vec(any::<f32>(), 0..=MAX_ROUTERS), any::<f32>(), any::<f32>()).prop_map(|(thresholds, saved, loss_nats)| OperatingPoint {
        thresholds: thresholds.into_iter().collect(),
        saved,
        loss_nats,
    })
}

fn provenance() -> impl Strategy<Value = Provenance> {
    ("[a-zé]{0,16}", any::<[u8; 32]>(), long(), long(), any::<f32>()).prop_map(
        |(exporter, corpus_sha256, seed, training_tokens, validation_loss_nats)| Provenance {
            exporter: exporter.as_str().try_into().unwrap(),
            corpus_sha256,
            seed,
            training_tokens,
            validation_loss_nats,
        },
    )
}

fn header() -> impl Strategy<Value = Header> {
    let element = prop_oneof![
        Just(Element::F16),
        Just(Element::Int8),
        any::<u8>().prop_map(|int8| Element::Int4 { int8: MatrixSet(int8) })
    ];
    let points = vec(point(), 0..=MAX_OPERATING_POINTS);
    let alphabet = vec(any::<u8>(), 0..=256);
    (vec(short(), 8), variants(), element, routing(), points, any::<u8>(), alphabet, provenance()).prop_map(
        |(sizes, variants, element, routing, points, default_point, alphabet, provenance)| Header {
            geometry: Geometry {
                blocks: sizes[0],
                width: sizes[1],
                heads: sizes[2],
                kv_heads: sizes[3],
                mlp_width: sizes[4],
                context: sizes[5],
                vocabulary: sizes[6],
                router_width: sizes[7],
            },
            variants,
            element,
            routing,
            operating_points: points.into_iter().collect(),
            default_point,
            tokenizer: Tokenizer::Bytes { alphabet: alphabet.into_iter().collect() },
            provenance,
        },
    )
}

/// Both read the same header and leave the same bytes, or neither reads one. As text, in which NaN equals itself.
fn same(bytes: &[u8]) -> Result<(), TestCaseError> {
    let theirs = postcard::take_from_bytes::<Header>(bytes).ok();
    prop_assert_eq!(format!("{:?}", take_header(bytes)), format!("{theirs:?}"));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_header_is_read_as_postcard_reads_it(header in header(), more in vec(any::<u8>(), 0..4)) {
        let mut buffer = [0; 4096];
        let mut bytes = postcard::to_slice(&header, &mut buffer).unwrap().to_vec();
        let length = bytes.len();
        bytes.extend(&more);
        let (found, rest) = take_header(&bytes).unwrap();
        prop_assert_eq!(format!("{found:?}"), format!("{header:?}"));
        prop_assert_eq!(rest, &bytes[length..]);
        same(&bytes)?;
    }

    #[test]
    fn a_damaged_header_is_refused_where_postcard_refuses_it(
        header in header(),
        cut in any::<prop::sample::Index>(),
        // Few places decide much, and most of them are among the first.
        damage in vec((prop_oneof![0usize..48, any::<usize>()], prop_oneof![any::<u8>(), 0u8..4, Just(0x80), Just(0xff)]), 0..4),
    ) {
        let mut buffer = [0; 4096];
        let mut bytes = postcard::to_slice(&header, &mut buffer).unwrap().to_vec();
        for (place, byte) in damage {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        same(&bytes)?;
        bytes.truncate(cut.index(bytes.len()));
        same(&bytes)?;
    }

    #[test]
    fn numbers_of_odd_lengths_are_read_as_postcard_reads_them(
        first in vec(prop_oneof![Just(0x80u8), Just(0xffu8), any::<u8>()], 0..24),
        header in header(),
    ) {
        let mut buffer = [0; 4096];
        let bytes = [&first[..], postcard::to_slice(&header, &mut buffer).unwrap()].concat();
        same(&bytes)?;
    }
}
