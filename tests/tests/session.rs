//! Stepping, prefill in tiles of any length, and the whole sequence at once agree bit for bit, for every policy, cache, variant and
//! element type.

use fathom::format::{Cache, Element, Header, Policy, Shape};
use fathom::{Blob, Depths, NoProbe, Part, Plan, Probe, Session};
use fathom_tests::models::{every_variant, exits, random_blob, routed, tokens};

/// Logits after every token as bits, and the depth trace.
fn forward(blob: &Blob<'_>, tokens: &[u16], tile: usize, point: usize) -> (Vec<Vec<u32>>, Vec<u32>) {
    forward_with(blob, tokens, tile, point, NoProbe)
}

/// The same with the token at each position forced to its depth.
fn at_depths(blob: &Blob<'_>, tokens: &[u16], depths: &[u8]) -> (Vec<Vec<u32>>, Vec<u32>) {
    forward_with(blob, tokens, 8, usize::from(blob.header().default_point), Depths(depths))
}

fn forward_with(blob: &Blob<'_>, tokens: &[u16], tile: usize, point: usize, probe: impl Probe) -> (Vec<Vec<u32>>, Vec<u32>) {
    let plan = Plan::new(blob.shape(), tile).unwrap();
    let mut arena = vec![0x7fc0_0000; plan.bytes() / 4]; // NaNs: nothing may depend on what the memory held
    let mut session = Session::new(blob, &mut arena, &plan, probe).unwrap();
    session.set_operating_point(point).unwrap();
    let mut logits = Vec::new();
    session.score(tokens, |_, row| logits.push(row.iter().map(|x| x.to_bits()).collect())).unwrap();
    let masks = session.trace().masks().to_vec();
    (logits, masks)
}

fn assert_tiles_agree(header: &Header) {
    let bytes = random_blob(header, 5);
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let context = blob.shape().context;
    let tokens = tokens(header, 9, context);
    for point in 0..header.operating_points.len() {
        let stepped = forward(&blob, &tokens, 1, point);
        assert!(stepped.0.iter().flatten().all(|bits| f32::from_bits(*bits).is_finite()));
        for tile in [2, 3, 8, 17, context] {
            assert!(stepped == forward(&blob, &tokens, tile, point), "tile {tile}, point {point}, {header:?}");
        }
    }
}

/// Of four blocks the first two make keys and values, the second also those of the third and the fourth.
const AHEAD: Cache = Cache::Ahead { blocks: 2 };

#[test]
fn keys_and_values_made_ahead_take_the_memory_and_about_the_weights_of_those_that_each_block_makes() {
    let plan = |cache| {
        let header = routed(Policy::Halt, cache, Element::Int8);
        let shape = Shape::new(&header).unwrap();
        (Plan::new(&shape, 8).unwrap().words(Part::Cache), random_blob(&header, 5).bytes().len())
    };
    let ((own, bytes), (ahead, about), (all, same)) = (plan(Cache::Project), plan(AHEAD), plan(Cache::Ahead { blocks: 4 }));
    assert_eq!((ahead, all, same), (own, own, bytes));
    assert!(about.abs_diff(bytes) < bytes / 50, "{about} {bytes}"); // rows of one matrix fill its groups better
}

#[test]
fn exit_blocks_take_weights_and_no_memory() {
    let plan = |policy| {
        let header = routed(policy, AHEAD, Element::Int8);
        let shape = Shape::new(&header).unwrap();
        (Plan::new(&shape, 8).unwrap().bytes(), random_blob(&header, 5).bytes().len())
    };
    let ((memory, small), (same, large)) = (plan(Policy::Halt), plan(exits(&[2, 3])));
    assert_eq!(memory, same);
    assert!(small < large);
}

#[test]
fn every_policy_and_cache_is_independent_of_the_tile() {
    for element in [Element::Int8, Element::F16, Element::INT4] {
        for policy in [Policy::Dense, Policy::Skip, Policy::Halt] {
            for cache in [Cache::Project, Cache::Omit { kept: 0 }, Cache::Omit { kept: 2 }, AHEAD, Cache::Ahead { blocks: 4 }] {
                for soft_scaling in [false, true] {
                    let mut header = routed(policy, cache, element);
                    header.routing.soft_scaling = soft_scaling;
                    assert_tiles_agree(&header);
                }
            }
        }
        for (depths, cache) in [(&[2][..], AHEAD), (&[3], AHEAD), (&[2, 3], AHEAD), (&[3], Cache::Ahead { blocks: 3 })] {
            assert_tiles_agree(&routed(exits(depths), cache, element));
        }
    }
}

#[test]
fn every_variant_is_independent_of_the_tile() {
    every_variant().iter().for_each(assert_tiles_agree);
}

#[test]
fn rows_longer_than_the_exact_bound_are_summed_in_pieces() {
    let mut header = routed(Policy::Halt, Cache::Project, Element::Int8);
    header.geometry.mlp_width = 1028;
    assert_tiles_agree(&header);
}

#[test]
fn step_and_prefill_agree_with_score() {
    let header = routed(Policy::Halt, Cache::Project, Element::Int8);
    let bytes = random_blob(&header, 5);
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let tokens = tokens(&header, 9, 20);
    let (logits, masks) = forward(&blob, &tokens, 8, 1);
    let plan = Plan::new(blob.shape(), 8).unwrap();
    let mut arena = vec![0; plan.bytes() / 4];
    let mut session = Session::new(&blob, &mut arena, &plan, NoProbe).unwrap();
    let bits = |logits: &[f32]| logits.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(session.prefill(&tokens[..11]).unwrap()), logits[10]);
    for (index, token) in tokens.iter().enumerate().skip(11) {
        assert_eq!(bits(session.step(*token).unwrap()), logits[index]);
    }
    assert_eq!(session.trace().masks(), masks);
}

#[test]
fn halted_tokens_stay_halted_and_skipped_ones_may_return() {
    for cache in [Cache::Project, Cache::Omit { kept: 1 }, AHEAD] {
        let header = routed(Policy::Halt, cache, Element::Int8);
        let bytes = random_blob(&header, 5);
        let blob = Blob::parse(bytes.bytes()).unwrap();
        let (_, masks) = forward(&blob, &tokens(&header, 9, 24), 8, 1);
        assert!(masks.iter().all(|mask| (mask + 1).is_power_of_two()), "{masks:?}");
        assert!(masks.iter().any(|mask| *mask != 15) && masks.iter().any(|mask| *mask > 1), "the routers decide: {masks:?}");
        let header = routed(Policy::Skip, cache, Element::Int8);
        let bytes = random_blob(&header, 5);
        let blob = Blob::parse(bytes.bytes()).unwrap();
        let (_, masks) = forward(&blob, &tokens(&header, 9, 24), 8, 1);
        assert!(masks.iter().any(|mask| !(mask + 1).is_power_of_two()), "{masks:?}");
    }
}

#[test]
fn an_infinite_threshold_runs_every_block() {
    let mut header = routed(Policy::Skip, Cache::Project, Element::Int8);
    for threshold in &mut header.operating_points[0].thresholds {
        *threshold = f32::INFINITY;
    }
    let bytes = random_blob(&header, 5);
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let (_, masks) = forward(&blob, &tokens(&header, 9, 24), 8, 0);
    assert_eq!(masks, [15; 24]);
}

#[test]
fn forced_depths_are_what_thresholds_of_that_depth_give() {
    for element in [Element::Int8, Element::F16] {
        for policy in [Policy::Skip, Policy::Halt] {
            for cache in [Cache::Project, Cache::Omit { kept: 2 }, AHEAD] {
                let mut header = routed(policy, cache, element);
                header.routing.soft_scaling = policy == Policy::Skip;
                let tokens = tokens(&header, 9, 24);
                for depth in 1..=4 {
                    for (router, threshold) in header.operating_points[0].thresholds.iter_mut().enumerate() {
                        *threshold = if router + 1 < depth { f32::INFINITY } else { f32::NEG_INFINITY };
                    }
                    let bytes = random_blob(&header, 5);
                    let blob = Blob::parse(bytes.bytes()).unwrap();
                    let forced = at_depths(&blob, &tokens, &[depth as u8; 24]);
                    assert_eq!(forced.1, [(1 << depth) - 1; 24]);
                    assert!(forced == forward(&blob, &tokens, 8, 0), "depth {depth}, {header:?}");
                }
            }
        }
    }
}

#[test]
fn depths_that_the_routers_chose_give_the_same_bits_when_forced() {
    let header = routed(Policy::Halt, Cache::Project, Element::Int8);
    let bytes = random_blob(&header, 5);
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let tokens = tokens(&header, 9, 24);
    let chosen = forward(&blob, &tokens, 8, 1);
    let depths: Vec<u8> = chosen.1.iter().map(|mask| mask.count_ones() as u8).collect();
    assert!(depths.iter().any(|depth| *depth != depths[0]), "the routers decide: {depths:?}");
    assert!(at_depths(&blob, &tokens, &depths) == chosen);
    // Where there is no depth, the routers decide.
    assert!(at_depths(&blob, &tokens, &depths[..7]) == chosen);
}

#[test]
fn tokens_leave_at_the_depths_that_were_forced_or_chosen() {
    let header = routed(exits(&[2, 3]), AHEAD, Element::Int8);
    let tokens = tokens(&header, 9, 24);
    let depths = |masks: &[u32]| masks.iter().map(|mask| mask.count_ones() as usize).collect::<Vec<_>>();
    // Weights whose routers let tokens go at every depth.
    let (bytes, chosen) = (0..100)
        .map(|seed| {
            let bytes = random_blob(&header, seed);
            let chosen = forward(&Blob::parse(bytes.bytes()).unwrap(), &tokens, 8, 1);
            (bytes, chosen)
        })
        .find(|(_, chosen)| (2..=4).all(|depth| depths(&chosen.1).contains(&depth)))
        .expect("routers decide");
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let depths = depths(&chosen.1);
    assert!(chosen.1.iter().all(|mask| (mask + 1).is_power_of_two()), "{:?}", chosen.1);
    let forced: Vec<u8> = depths.iter().map(|depth| *depth as u8).collect();
    assert!(at_depths(&blob, &tokens, &forced) == chosen);
    // A token that leaves earlier changes no other: keys and values are complete where ways part.
    let mut other = forced;
    let moved = depths.iter().position(|depth| *depth == 4).unwrap();
    other[moved] = 2;
    let changed = at_depths(&blob, &tokens, &other);
    for (token, (logits, mask)) in changed.0.iter().zip(&changed.1).enumerate() {
        assert_eq!(*logits == chosen.0[token], token != moved);
        assert_eq!(*mask, if token == moved { 3 } else { chosen.1[token] });
    }
}

#[test]
fn a_dense_model_can_be_stopped_at_a_depth() {
    let header = routed(Policy::Dense, Cache::Project, Element::Int8);
    let bytes = random_blob(&header, 5);
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let tokens = tokens(&header, 9, 24);
    let depths: Vec<u8> = (0..24).map(|token| 1 + token % 4).collect();
    let (_, masks) = at_depths(&blob, &tokens, &depths);
    let wanted: Vec<u32> = depths.iter().map(|depth| (1 << depth) - 1).collect();
    assert_eq!(masks, wanted);
    assert!(at_depths(&blob, &tokens, &[4; 24]) == forward(&blob, &tokens, 8, 0));
}
