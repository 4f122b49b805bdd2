//! What hard routing must do whatever the weights are.

use candle_core::Tensor;
use fathom::format::{Cache, Header, Mlp, Norm, Policy, Position, Routing, Shape, Tokenizer, Variants};
use fathom_exporter::checkpoint::{Tensors, parameters};
use fathom_exporter::config::Config;
use fathom_exporter::model::{Gates, Model, Parameters, Pass};

const TIME: usize = 12;
const SEQUENCES: usize = 2;

/// Values in `-1..1` from a xorshift.
fn noise(state: &mut u32) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state as f32 / 2f32.powi(31) - 1.0
}

fn shape(policy: Policy, cache: Cache, soft_scaling: bool, modern: bool) -> Shape {
    let variants = if modern {
        Variants { norm: Norm::RmsNorm, position: Position::Rotary, mlp: Mlp::SwiGlu, bias: false, tied_head: true }
    } else {
        Variants { norm: Norm::LayerNorm, position: Position::Learned, mlp: Mlp::Gelu, bias: true, tied_head: false }
    };
    let config = Config {
        split: Default::default(),
        geometry: fathom::format::Geometry {
            blocks: 4,
            width: 16,
            heads: 4,
            kv_heads: 2,
            mlp_width: 20,
            context: TIME as u16,
            vocabulary: 8,
            router_width: if policy == Policy::Dense { 0 } else { 4 },
        },
        variants,
        routing: Routing { policy, cache, soft_scaling },
        alphabet: (0..8).collect(),
        corpus_sha256: [0; 32],
        seed: 0,
        training_tokens: 0,
        comparable_routers: true,
    };
    let header: Header = config.header(fathom::format::Element::F16, &[], 0, 0.0).unwrap();
    let Tokenizer::Bytes { alphabet } = &header.tokenizer;
    assert_eq!(alphabet.len(), 8);
    config.shape().unwrap()
}

/// A model with weights large enough that every token and position matters.
fn model(shape: &Shape, seed: u32) -> Model {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let tensor = |(name, dims, _): (String, Vec<usize>, _)| {
        let values = (0..dims.iter().product()).map(|_| 0.5 * noise(&mut state)).collect();
        (name, (dims, values))
    };
    let tensors: Tensors = parameters(shape).into_iter().map(tensor).collect();
    Model::new(shape, &Parameters::new(&tensors).unwrap(), shape.blocks).unwrap()
}

fn tokens(seed: u32) -> Vec<u16> {
    let mut state = seed + 1;
    (0..TIME * SEQUENCES).map(|_| ((noise(&mut state) + 1.0) * 3.99) as u16).collect()
}

fn values(pass: &Pass, depth: usize) -> Vec<Vec<f32>> {
    pass.residuals[depth].to_vec2().unwrap()
}

fn forward(model: &Model, tokens: &[u16], gates: &Gates<'_>) -> Pass {
    model.forward(tokens, TIME, gates, None).unwrap()
}

/// Every routed shape that the tests below run on.
fn shapes() -> Vec<Shape> {
    let mut all = Vec::new();
    for policy in [Policy::Skip, Policy::Halt] {
        for cache in [Cache::Project, Cache::Omit { kept: 2 }, Cache::Ahead { blocks: 2 }] {
            for soft_scaling in [false, true] {
                for modern in [false, true] {
                    all.push(shape(policy, cache, soft_scaling, modern));
                }
            }
        }
    }
    for (depths, blocks) in [(&[2][..], 2), (&[3], 2), (&[2, 3], 2), (&[3], 3)] {
        let depths = depths.iter().copied().collect();
        all.extend([false, true].map(|modern| shape(Policy::Exit { depths }, Cache::Ahead { blocks }, false, modern)));
    }
    all
}

/// Thresholds at the median of each router's outputs at full depth, so that routing is mixed.
fn mixed(model: &Model, tokens: &[u16]) -> Vec<f32> {
    let pass = forward(model, tokens, &Gates::Open);
    let median = |z: Tensor| {
        let mut z = z.to_vec1::<f32>().unwrap();
        z.sort_by(f32::total_cmp);
        z[z.len() / 2]
    };
    model.routers(&pass).unwrap().into_iter().map(median).collect()
}

#[test]
fn infinite_thresholds_are_full_depth() {
    for shape in shapes().into_iter().filter(|shape| !shape.soft_scaling) {
        let (model, tokens) = (model(&shape, 3), tokens(3));
        let (hard, open) =
            (forward(&model, &tokens, &Gates::Thresholds(&[f32::INFINITY; 3])), forward(&model, &tokens, &Gates::Open));
        assert!(hard.active.iter().flatten().all(|active| *active));
        assert_eq!(values(&hard, 4), values(&open, 4));
    }
}

#[test]
fn closed_routers_leave_the_first_block_alone() {
    for shape in shapes().into_iter().filter(|shape| !shape.has_exits()) {
        let (model, tokens) = (model(&shape, 4), tokens(4));
        let pass = forward(&model, &tokens, &Gates::Thresholds(&[f32::NEG_INFINITY; 3]));
        assert!(pass.active[0].iter().all(|active| *active));
        assert!(pass.active[1..].iter().flatten().all(|active| !*active));
        assert_eq!(values(&pass, 4), values(&pass, 1));
    }
}

#[test]
fn halting_is_monotone_and_skipping_is_not() {
    let mut returned = 0;
    for shape in shapes() {
        for seed in 0..4 {
            let (model, tokens) = (model(&shape, seed + 5), tokens(seed));
            let pass = forward(&model, &tokens, &Gates::Thresholds(&mixed(&model, &tokens)));
            for pair in pass.active.windows(2) {
                let back = pair[0].iter().zip(&pair[1]).filter(|(before, after)| !**before && **after).count();
                match shape.policy {
                    Policy::Halt | Policy::Exit { .. } => assert_eq!(back, 0),
                    _ => returned += back,
                }
            }
        }
    }
    assert!(returned > 0, "no token ever ran a block after a skipped one: the test is vacuous");
}

#[test]
fn inactive_tokens_are_carried_and_active_ones_are_not() {
    for shape in shapes().into_iter().filter(|shape| !shape.has_exits()) {
        let (model, tokens) = (model(&shape, 6), tokens(6));
        let pass = forward(&model, &tokens, &Gates::Thresholds(&mixed(&model, &tokens)));
        let mut seen = [0; 2];
        for block in 0..4 {
            let (before, after) = (values(&pass, block), values(&pass, block + 1));
            for (token, active) in pass.active[block].iter().enumerate() {
                assert_eq!(before[token] != after[token], *active);
                seen[usize::from(*active)] += 1;
            }
        }
        assert!(seen.iter().all(|count| *count > 0));
    }
}

#[test]
fn decisions_are_the_routers_outputs_against_the_thresholds() {
    for shape in shapes() {
        let (model, tokens) = (model(&shape, 7), tokens(7));
        let thresholds = mixed(&model, &tokens);
        let pass = forward(&model, &tokens, &Gates::Thresholds(&thresholds));
        for (output, z) in model.routers(&pass).unwrap().into_iter().enumerate() {
            let halts = |(token, z): (usize, f32)| (token, z >= thresholds[output]);
            for (token, halts) in z.to_vec1::<f32>().unwrap().into_iter().enumerate().map(halts) {
                let ran = |block: usize| pass.active[block][token];
                let depth = pass.active.iter().filter(|active| active[token]).count();
                match shape.policy {
                    Policy::Skip => assert_eq!(ran(output + 1), !halts),
                    // Whom an earlier output halted is not asked.
                    _ if depth < shape.depth_of(output) => {}
                    _ => assert_eq!(depth == shape.depth_of(output), halts),
                }
            }
        }
    }
}

#[test]
fn no_token_sees_a_later_one_or_another_sequence() {
    for shape in shapes() {
        let (model, tokens) = (model(&shape, 8), tokens(8));
        let thresholds = mixed(&model, &tokens);
        let before = forward(&model, &tokens, &Gates::Thresholds(&thresholds));
        for changed in [1, 5, TIME - 1] {
            let mut other = tokens.clone();
            other[changed] = (other[changed] + 1) % 8;
            let after = forward(&model, &other, &Gates::Thresholds(&thresholds));
            let (a, b) = (values(&before, 4), values(&after, 4));
            for token in (0..changed).chain(TIME..TIME * SEQUENCES) {
                assert_eq!(a[token], b[token], "token {token} sees a change at {changed}");
            }
            assert_ne!(a[changed], b[changed]);
        }
    }
}

#[test]
fn omitted_tokens_are_invisible_to_later_ones_and_kept_ones_are_not() {
    // Token 5 stops after block 0, token 1 as well, but position 1 is always kept.
    let depths: Vec<usize> = (0..TIME * SEQUENCES).map(|i| if [1, 5].contains(&(i % TIME)) { 1 } else { 4 }).collect();
    let last = |cache: Cache| {
        let shape = shape(Policy::Halt, cache, false, true);
        values(&forward(&model(&shape, 9), &tokens(9), &Gates::Depths(&depths)), 4)
    };
    let (project, kept, all_kept) = (last(Cache::Project), last(Cache::Omit { kept: 2 }), last(Cache::Omit { kept: 6 }));
    assert_eq!(project[..6], kept[..6]);
    assert_ne!(project[6], kept[6]);
    assert_eq!(project, all_kept);
}

#[test]
fn a_token_that_leaves_has_the_residual_of_its_exit_blocks() {
    for shape in shapes().into_iter().filter(Shape::has_exits) {
        let (model, tokens) = (model(&shape, 11), tokens(11));
        let hard = forward(&model, &tokens, &Gates::Thresholds(&mixed(&model, &tokens)));
        let open = forward(&model, &tokens, &Gates::Open);
        let mut seen = [0; 5];
        for token in 0..tokens.len() {
            let depth = hard.active.iter().filter(|active| active[token]).count();
            seen[depth] += 1;
            let alone = model.at_depth(depth, &open, None).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(values(&hard, 4)[token], alone[token], "token {token}, {depth} blocks");
        }
        assert!((0..5).all(|depth| (seen[depth] > 0) == shape.depths().any(|found| found == depth)), "{seen:?}");
        let depths: Vec<usize> =
            (0..tokens.len()).map(|token| hard.active.iter().filter(|active| active[token]).count()).collect();
        assert_eq!(values(&forward(&model, &tokens, &Gates::Depths(&depths)), 4), values(&hard, 4));
    }
}

#[test]
fn soft_gates_scale_and_never_mask() {
    let shape = shape(Policy::Skip, Cache::Project, true, false);
    let (model, tokens) = (model(&shape, 10), tokens(10));
    let (soft, hard) =
        (forward(&model, &tokens, &Gates::Soft), forward(&model, &tokens, &Gates::Thresholds(&[f32::INFINITY; 3])));
    assert_eq!(soft.gates.len(), 3);
    assert!(soft.active.iter().flatten().all(|active| *active));
    assert_eq!(values(&soft, 4), values(&hard, 4));
}

#[test]
fn straight_gates_run_what_thresholds_of_one_half_do() {
    for shape in shapes().into_iter().filter(|shape| !shape.has_exits() && !shape.soft_scaling) {
        let (model, tokens) = (model(&shape, 10), tokens(10));
        let (straight, hard) =
            (forward(&model, &tokens, &Gates::StraightThrough), forward(&model, &tokens, &Gates::Thresholds(&[0.0; 3])));
        assert_eq!(straight.active, hard.active);
        assert!(straight.active.iter().flatten().any(|active| !active));
        for (a, b) in values(&straight, 4).concat().into_iter().zip(values(&hard, 4).concat()) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
        let gates: Vec<Vec<bool>> =
            straight.gates.iter().map(|gate| gate.to_vec1::<f32>().unwrap().iter().map(|gate| *gate > 0.5).collect()).collect();
        assert_eq!(gates, straight.active[1..]);
    }
}
