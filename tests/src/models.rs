//! Small random models of every architecture, for tests that need a blob but no training.

use fathom::format::header::MAX_ROUTERS;
use fathom::format::writer::Writer;
use fathom::format::{
    Cache, Element, Geometry, Header, LinearLayout, MatrixElement, Mlp, Norm, NormLayout, OperatingPoint, Policy, Position,
    Provenance, Routing, Shape, Tokenizer, Variants,
};
pub use fathom_exporter::aligned::Aligned;
use fathom_exporter::export::rotary_table;
use half::f16;

/// SplitMix64: the same stream on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `-1..1`.
    pub fn signed(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 8_388_608.0 - 1.0
    }

    /// Uniform in `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }
}

/// The plainest header: 4 blocks of width 16, rotary, RMSNorm, SwiGLU, int8, policy halt. Tests change what they are about.
pub fn header() -> Header {
    Header {
        geometry: Geometry {
            blocks: 4,
            width: 16,
            heads: 4,
            kv_heads: 2,
            mlp_width: 20,
            context: 24,
            vocabulary: 11,
            router_width: 5,
        },
        variants: Variants { norm: Norm::RmsNorm, position: Position::Rotary, mlp: Mlp::SwiGlu, bias: false, tied_head: true },
        element: Element::Int8,
        routing: Routing { policy: Policy::Halt, cache: Cache::Project, soft_scaling: false },
        operating_points: [point(3, -0.4), point(3, 0.0), point(3, 0.4)].into_iter().collect(),
        default_point: 1,
        tokenizer: Tokenizer::Bytes { alphabet: (b'a'..b'a' + 11).collect() },
        provenance: Provenance {
            exporter: "test".try_into().expect("short"),
            corpus_sha256: [0; 32],
            seed: 1,
            training_tokens: 0,
            validation_loss_nats: 0.0,
        },
    }
}

/// An operating point with the same threshold for all routers.
pub fn point(routers: usize, threshold: f32) -> OperatingPoint {
    assert!(routers <= MAX_ROUTERS);
    OperatingPoint { thresholds: (0..routers).map(|_| threshold).collect(), saved: 0.0, loss_nats: 0.0 }
}

/// The policy of a model with these exit depths.
pub fn exits(depths: &[usize]) -> Policy {
    Policy::Exit { depths: depths.iter().copied().collect() }
}

/// The header of [`header`] with another policy, cache and element type.
pub fn routed(policy: Policy, cache: Cache, element: Element) -> Header {
    let mut header = header();
    header.routing.policy = policy;
    header.routing.cache = cache;
    header.element = element;
    if policy == Policy::Dense {
        header.geometry.router_width = 0;
        header.operating_points = [point(0, 0.0)].into_iter().collect();
        header.default_point = 0;
    }
    // A model with exits has one threshold for each.
    if let Policy::Exit { depths } = policy {
        header.operating_points.iter_mut().for_each(|point| point.thresholds.truncate(depths.len()));
    }
    header
}

/// Every combination of architecture variants, with several head groupings.
pub fn every_variant() -> Vec<Header> {
    let mut headers = Vec::new();
    for norm in [Norm::LayerNorm, Norm::RmsNorm] {
        for position in [Position::Learned, Position::Rotary] {
            for mlp in [Mlp::Gelu, Mlp::SquaredRelu, Mlp::SwiGlu] {
                for (bias, tied_head, kv_heads) in [(false, false, 1), (true, true, 2), (true, false, 4), (false, true, 4)] {
                    for element in [Element::Int8, Element::F16, Element::INT4] {
                        let mut header = header();
                        header.variants = Variants { norm, position, mlp, bias, tied_head };
                        header.geometry.kv_heads = kv_heads;
                        header.element = element;
                        headers.push(header);
                    }
                }
            }
        }
    }
    headers
}

/// A valid blob with this header and random weights of the size that a fresh network has.
pub fn random_blob(header: &Header, seed: u64) -> Aligned {
    let shape = Shape::new(header).expect("a test's header is valid");
    let mut blob = Aligned::zeros(Writer::blob_bytes(header).expect("a test's header is valid"));
    let mut writer = Writer::new(blob.bytes_mut(), header).expect("the buffer has the right length");
    let layout = writer.layout();
    let mut random = Random(seed);
    linear(&mut writer, &mut random, &layout.embedding, 8.0);
    match header.variants.position {
        Position::Learned => {
            let values: Vec<f16> = (0..shape.context * shape.width).map(|_| f16::from_f32(random.signed())).collect();
            writer.halves(layout.position, &values).expect("sized by the layout");
        }
        Position::Rotary => {
            writer.floats(layout.position, &rotary_table(shape.context, shape.head_dim)).expect("sized by the layout");
        }
    }
    for index in 0..shape.stored_blocks() {
        let block = layout.block(index);
        if let Some(router) = block.router {
            linear(&mut writer, &mut random, &router.hidden, 4.0);
            floats(&mut writer, &mut random, router.output, 0.0, 1.0);
            floats(&mut writer, &mut random, router.output_bias, 0.0, 0.1);
        }
        norm(&mut writer, &mut random, &block.norm1);
        norm(&mut writer, &mut random, &block.norm2);
        for matrix in [block.query, block.key_value, block.output, block.up, block.down] {
            linear(&mut writer, &mut random, &matrix, 2.0);
        }
    }
    norm(&mut writer, &mut random, &layout.final_norm);
    if let Some(head) = layout.head {
        linear(&mut writer, &mut random, &head, 4.0);
    }
    writer.finish();
    blob
}

fn linear(writer: &mut Writer<'_>, random: &mut Random, layout: &LinearLayout, gain: f32) {
    let size = gain / (layout.columns as f32).sqrt();
    let count = layout.rows * layout.columns;
    let mut integers = |most: f32| -> (Vec<i8>, Vec<f32>) {
        let matrix = (0..count).map(|_| ((most + 0.4) * random.signed()) as i8).collect();
        (matrix, (0..layout.rows).map(|_| size / most * (1.0 + 0.5 * random.signed())).collect())
    };
    match layout.element {
        MatrixElement::Int8 => {
            let (matrix, scales) = integers(127.0);
            writer.int8(layout, &matrix, &scales).expect("sized by the layout");
        }
        MatrixElement::Int4 => {
            let (matrix, scales) = integers(7.0);
            writer.int4(layout, &matrix, &scales).expect("sized by the layout");
        }
        MatrixElement::F16 => {
            let matrix: Vec<f16> = (0..count).map(|_| f16::from_f32(size * random.signed())).collect();
            writer.halves(layout.weights, &matrix).expect("sized by the layout");
        }
    }
    if layout.bias.bytes > 0 {
        floats(writer, random, layout.bias, 0.0, 0.2);
    }
}

fn norm(writer: &mut Writer<'_>, random: &mut Random, layout: &NormLayout) {
    floats(writer, random, layout.weight, 1.0, 0.3);
    if layout.bias.bytes > 0 {
        floats(writer, random, layout.bias, 0.0, 0.2);
    }
}

fn floats(writer: &mut Writer<'_>, random: &mut Random, span: fathom::format::Span, centre: f32, size: f32) {
    let values: Vec<f32> = (0..span.bytes / 4).map(|_| centre + size * random.signed()).collect();
    writer.floats(span, &values).expect("sized by the layout");
}

/// `count` random tokens of a header's vocabulary.
pub fn tokens(header: &Header, seed: u64, count: usize) -> Vec<u16> {
    let mut random = Random(seed);
    (0..count).map(|_| random.below(usize::from(header.geometry.vocabulary)) as u16).collect()
}
