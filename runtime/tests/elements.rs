//! A build of the runtime runs the element types that its features name, and refuses others.

use fathom::Blob;
#[cfg(not(feature = "int4"))]
use fathom::BlobError;
use fathom::format::writer::Writer;
use fathom::format::{
    Cache, Element, Geometry, Header, Mlp, Norm, OperatingPoint, Policy, Position, Provenance, Routing, Tokenizer, Variants,
};

fn header(element: Element) -> Header {
    let geometry =
        Geometry { blocks: 1, width: 8, heads: 2, kv_heads: 1, mlp_width: 12, context: 4, vocabulary: 3, router_width: 0 };
    Header {
        geometry,
        variants: Variants { norm: Norm::RmsNorm, position: Position::Rotary, mlp: Mlp::Gelu, bias: false, tied_head: true },
        element,
        routing: Routing { policy: Policy::Dense, cache: Cache::Project, soft_scaling: false },
        operating_points: [OperatingPoint { thresholds: heapless::Vec::new(), saved: 0.0, loss_nats: 0.0 }].into_iter().collect(),
        default_point: 0,
        tokenizer: Tokenizer::Bytes { alphabet: (b'a'..=b'c').collect() },
        provenance: Provenance {
            exporter: heapless::String::new(),
            corpus_sha256: [0; 32],
            seed: 0,
            training_tokens: 0,
            validation_loss_nats: 0.0,
        },
    }
}

#[repr(align(16))]
struct Bytes([u8; 4096]);

/// A blob of zeros with this element type.
fn blob(bytes: &mut Bytes, element: Element) -> &[u8] {
    let header = header(element);
    let length = Writer::blob_bytes(&header).unwrap();
    Writer::new(&mut bytes.0[..length], &header).unwrap().finish();
    &bytes.0
}

#[test]
fn int8_needs_no_feature() {
    assert!(Blob::parse(blob(&mut Bytes([0; 4096]), Element::Int8)).is_ok());
}

#[test]
#[cfg(feature = "int4")]
fn int4_is_taken() {
    assert!(Blob::parse(blob(&mut Bytes([0; 4096]), Element::INT4)).is_ok());
}

#[test]
#[cfg(not(feature = "int4"))]
fn rejects_int4_without_its_feature() {
    let refused = Blob::parse(blob(&mut Bytes([0; 4096]), Element::INT4)).unwrap_err();
    assert_eq!(refused, BlobError::Element { missing: "int4" });
    assert!(refused.to_string().ends_with("build it with feature `int4` or export the model as int8"), "{refused}");
}
