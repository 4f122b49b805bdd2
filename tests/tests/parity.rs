//! The float model and the runtime in f16, int8 and int4 agree on the tiny checkpoints, and int8 stays what it was, bit for bit.

use fathom::format::{
    BlockMatrix, Cache, Element, Geometry, MatrixSet, Mlp, Norm, OperatingPoint, Policy, Position, Routing, Variants,
};
use fathom::{Blob, NoProbe, Plan, Session};
use fathom_exporter::aligned::Aligned;
use fathom_exporter::checkpoint::{Tensors, model, name, parameters};
use fathom_exporter::checkpoint_folder::Folder;
use fathom_exporter::config::Config;
use fathom_exporter::evaluate::open_pass;
use fathom_exporter::export::blob;
use fathom_exporter::model::{Gates, Model, Parameters};
use fathom_exporter::quantise::INT4;
use fathom_exporter::rounding::round_blocks;
use fathom_tests::checkpoints::{VARIANTS, path, renew, tiny_corpus};
use fathom_tests::models::{Random, exits};
use std::path::PathBuf;

/// Largest difference of a logit, as a share of the largest logit's magnitude. f16 weights have 11 bits and its cache too; sums are f32.
const F16_LOGITS: f32 = 0.005;
/// int8 weights, activations and cache: each rounding is up to 1/254 of its row's maximum, a few dozen of them add up.
const INT8_LOGITS: f32 = 0.1;
/// At least one token in so many must come before the first whose decisions turned over: logits are compared up to there.
const LEAST_COMPARED: usize = 4;
/// Share of (token, block) decisions that rounding may turn over when thresholds lie among the router's outputs.
const TURNED_DECISIONS: f32 = 0.05;

/// What an engine says of one window.
struct Result {
    logits: Vec<f32>,       // [tokens, vocabulary]
    active: Vec<Vec<bool>>, // [blocks][tokens]
}

fn window(folder: &Folder) -> Vec<u16> {
    let (_file, corpus) = tiny_corpus(folder.shape.context);
    corpus.validation()[..folder.shape.context].to_vec()
}

fn float(folder: &Folder, tokens: &[u16], thresholds: &[f32]) -> Result {
    let parameters = Parameters::new(&folder.tensors).unwrap();
    let model = Model::new(&folder.shape, &parameters, folder.shape.blocks).unwrap();
    let gates = if thresholds.is_empty() { Gates::Open } else { Gates::Thresholds(thresholds) };
    let pass = model.forward(tokens, tokens.len(), &gates, None).unwrap();
    let logits = model.classify(&pass.residuals[folder.shape.blocks]).unwrap();
    Result { logits: logits.flatten_all().unwrap().to_vec1().unwrap(), active: pass.active }
}

fn export(folder: &Folder, element: Element, thresholds: &[f32]) -> Aligned {
    let point = OperatingPoint { thresholds: thresholds.iter().copied().collect(), saved: 0.0, loss_nats: 0.0 };
    let header = folder.config.header(element, &[point], 0, 0.0).unwrap();
    blob(&header, &model(&folder.tensors, &folder.shape).unwrap()).unwrap()
}

fn run(bytes: &Aligned, tokens: &[u16]) -> Result {
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let plan = Plan::new(blob.shape(), 5).unwrap();
    let mut arena = vec![0; plan.bytes() / 4];
    let mut session = Session::new(&blob, &mut arena, &plan, NoProbe).unwrap();
    let mut logits = Vec::new();
    session.score(tokens, |_, row| logits.extend_from_slice(row)).unwrap();
    let masks = session.trace().masks().to_vec();
    let active = (0..blob.shape().blocks).map(|block| masks.iter().map(|mask| mask >> block & 1 == 1).collect()).collect();
    Result { logits, active }
}

/// Largest difference of logits of the tokens that ran the same blocks so far, relative to the largest logit, and how many they are.
fn distance(a: &Result, b: &Result) -> (f32, usize) {
    let largest = a.logits.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let vocabulary = a.logits.len() / a.active[0].len();
    // A decision that turned over changes later tokens through the cache: compare up to the first.
    let same = (0..a.active[0].len()).take_while(|t| a.active.iter().zip(&b.active).all(|(a, b)| a[*t] == b[*t])).count();
    let logits = a.logits.iter().zip(&b.logits).take(same * vocabulary);
    (logits.fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest, same)
}

fn turned(a: &Result, b: &Result) -> f32 {
    let pairs = a.active.iter().flatten().zip(b.active.iter().flatten());
    let total = a.active.len() * a.active[0].len();
    pairs.filter(|(a, b)| a != b).count() as f32 / total as f32
}

/// A model of these depth decisions whose weights are random.
fn random(routing: Routing, seed: u64) -> Folder {
    let config = Config {
        geometry: Geometry {
            blocks: 4,
            width: 16,
            heads: 4,
            kv_heads: 2,
            mlp_width: 20,
            context: 16,
            vocabulary: 8,
            router_width: if routing.policy == Policy::Dense { 0 } else { 4 },
        },
        variants: match seed % 2 {
            0 => Variants { norm: Norm::RmsNorm, position: Position::Rotary, mlp: Mlp::SwiGlu, bias: false, tied_head: true },
            _ => Variants { norm: Norm::LayerNorm, position: Position::Learned, mlp: Mlp::Gelu, bias: true, tied_head: false },
        },
        routing,
        alphabet: (0..8).collect(),
        corpus_sha256: [0; 32],
        seed,
        training_tokens: 0,
        comparable_routers: true,
        split: Default::default(),
    };
    let shape = config.shape().unwrap();
    let mut random = Random(seed);
    let tensor = |(name, dims, _): (String, Vec<usize>, _)| {
        let values = (0..dims.iter().product()).map(|_| 0.5 * random.signed()).collect();
        (name, (dims, values))
    };
    Folder { path: PathBuf::new(), config, shape, tensors: parameters(&shape).into_iter().map(tensor).collect() }
}

/// Every policy with every cache that it can have, random weights, both families of variants.
#[test]
fn hard_routing_of_random_models_is_that_of_the_runtime_under_every_policy() {
    let cached = [Cache::Project, Cache::Omit { kept: 2 }, Cache::Ahead { blocks: 2 }];
    let mut routings = vec![(Policy::Dense, Cache::Project), (Policy::Dense, Cache::Ahead { blocks: 2 })];
    routings.extend(cached.map(|cache| (Policy::Skip, cache)));
    routings.extend(cached.map(|cache| (Policy::Halt, cache)));
    routings.extend(
        [(&[2][..], 2), (&[3], 2), (&[2, 3], 2), (&[3], 3)].map(|(depths, blocks)| (exits(depths), Cache::Ahead { blocks })),
    );
    for (policy, cache) in routings {
        for soft_scaling in [false, true] {
            if soft_scaling && !matches!(policy, Policy::Skip | Policy::Halt) {
                continue;
            }
            for seed in 0..6 {
                let folder = random(Routing { policy, cache, soft_scaling }, seed);
                let tokens: Vec<u16> = (0..16).map(|i| ((i * i + 3 * i + seed as usize) / 3 % 8) as u16).collect();
                for thresholds in thresholds(&folder, &tokens) {
                    let float = float(&folder, &tokens, &thresholds);
                    let runtime = run(&export(&folder, Element::F16, &thresholds), &tokens);
                    let case = format!("{policy:?}, {cache:?}, soft scaling {soft_scaling}, seed {seed}");
                    assert_eq!(float.active, runtime.active, "{case}");
                    let (distance, compared) = distance(&float, &runtime);
                    assert!(compared == 16 && distance <= F16_LOGITS, "{case}: logits within {distance}");
                    let ran = float.active.iter().flatten().filter(|active| **active).count();
                    let decided = thresholds.first().is_some_and(|threshold| *threshold < f32::MAX);
                    assert_eq!(ran < 64, decided, "{case}: {ran} of 64 token-layer operations");
                }
            }
        }
    }
}

/// No thresholds (dense); or fully open, and in the widest gap of the middle half of each router's outputs.
fn thresholds(folder: &Folder, tokens: &[u16]) -> Vec<Vec<f32>> {
    let routers = folder.shape.outputs();
    if routers == 0 {
        return vec![Vec::new()];
    }
    let parameters = Parameters::new(&folder.tensors).unwrap();
    let model = Model::new(&folder.shape, &parameters, folder.shape.blocks).unwrap();
    let mut outputs = open_pass(&model, tokens, folder.shape.context).unwrap().outputs;
    let widest = |outputs: &mut Vec<f32>| {
        outputs.sort_by(f32::total_cmp);
        let middle = &outputs[outputs.len() / 4..outputs.len() * 3 / 4];
        let gap = middle.windows(2).max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0]))).unwrap();
        0.5 * (gap[0] + gap[1])
    };
    vec![vec![f32::MAX; routers], outputs.iter_mut().map(widest).collect()]
}

/// The float model of `folder` and the runtime's in each element type agree on every set of thresholds.
fn assert_agreement(name: &str, folder: &Folder, elements: &[(Element, f32)]) {
    let tokens = window(folder);
    for thresholds in thresholds(folder, &tokens) {
        let float = float(folder, &tokens, &thresholds);
        for (element, tolerance) in elements {
            let runtime = run(&export(folder, *element, &thresholds), &tokens);
            let ((distance, compared), turned) = (distance(&float, &runtime), turned(&float, &runtime));
            println!("{name:<22} {element:?}: logits of {compared} tokens within {distance:.4}, {turned:.3} decisions turned");
            assert!(distance <= *tolerance, "{name} {element:?}: {distance}");
            assert!(LEAST_COMPARED * compared >= tokens.len(), "{name} {element:?}: only {compared} tokens were compared");
            assert!(turned <= TURNED_DECISIONS, "{name} {element:?}: {turned}");
        }
    }
}

#[test]
fn float_f16_and_int8_agree_on_every_variant() {
    for variant in VARIANTS {
        assert_agreement(variant.name, &variant.folder(), &[(Element::F16, F16_LOGITS), (Element::Int8, INT8_LOGITS)]);
    }
}

/// The same checkpoints with the keys and values of all blocks made before the first, as models that were never trained so.
#[test]
fn float_f16_and_int8_agree_where_keys_and_values_are_made_ahead() {
    for variant in VARIANTS {
        let mut folder = variant.folder();
        make_ahead(&mut folder, 1);
        assert_agreement(variant.name, &folder, &[(Element::F16, F16_LOGITS), (Element::Int8, INT8_LOGITS)]);
    }
}

/// Block `makers - 1` makes the keys and values of all later blocks by their matrices, put below its own.
fn make_ahead(folder: &mut Folder, makers: usize) {
    folder.config.routing.cache = Cache::Ahead { blocks: makers as u16 };
    folder.shape = folder.config.shape().unwrap();
    let of = |block| name::block(block, name::KEY_VALUE);
    for parameter in [name::weight, name::bias] {
        for block in makers..folder.shape.blocks {
            let Some((below, more)) = folder.tensors.remove(&parameter(&of(block))) else { continue };
            let (dims, values) = folder.tensors.get_mut(&parameter(&of(makers - 1))).unwrap();
            dims[0] += below[0];
            values.extend(more);
        }
    }
}

/// The same checkpoints with their later blocks twice and two exits of copies of other blocks, as models that were never trained so.
#[test]
fn float_f16_and_int8_agree_where_tokens_leave_through_exits() {
    let (mut routed, mut depths) = (0, Vec::new());
    for variant in VARIANTS {
        let mut folder = variant.folder();
        if folder.shape.outputs() == 0 {
            continue;
        }
        routed += 1;
        let copy = |tensors: &mut Tensors, from: usize, to: usize| {
            let of = |(tensor, values): (&String, &_)| {
                Some((tensor.strip_prefix(&name::block(from, ""))?.to_owned(), Clone::clone(values)))
            };
            let parts: Vec<_> = tensors.iter().filter_map(of).collect();
            tensors.extend(parts.into_iter().map(|(part, values)| (name::block(to, &part), values)));
        };
        assert_eq!(folder.shape.blocks, 3);
        copy(&mut folder.tensors, 1, 3);
        copy(&mut folder.tensors, 2, 4);
        folder.config.geometry.blocks = 5;
        folder.config.routing.policy = exits(&[2, 4]);
        folder.config.routing.soft_scaling = false;
        make_ahead(&mut folder, 2);
        for (exit, place, from) in [(0, 1, 2), (1, 1, 2), (1, 2, 1), (1, 3, 4)] {
            copy(&mut folder.tensors, from, folder.shape.exit_block(exit, place));
        }
        // The second output of the router has the weights of the first, every other of them negated.
        let output = name::block(1, name::ROUTER_OUTPUT);
        let (dims, values) = folder.tensors.get_mut(&name::weight(&output)).unwrap();
        dims[0] = 2;
        values.extend(values.clone().into_iter().zip([1.0, -1.0].into_iter().cycle()).map(|(weight, sign)| sign * weight));
        let (dims, values) = folder.tensors.get_mut(&name::bias(&output)).unwrap();
        dims[0] = 2;
        values.push(0.01);
        assert_agreement(variant.name, &folder, &[(Element::F16, F16_LOGITS), (Element::Int8, INT8_LOGITS)]);
        let tokens = window(&folder);
        let active = float(&folder, &tokens, &thresholds(&folder, &tokens)[1]).active;
        depths.extend((0..tokens.len()).map(|token| active.iter().filter(|active| active[token]).count()));
    }
    assert!(routed >= 2 && [2, 4, 5].iter().all(|depth| depths.contains(depth)), "{depths:?}");
}

/// What rounding to int4 itself does to a model is no matter of the runtime: the float model has the rounded matrices too.
#[test]
fn int4_agrees_with_the_rounded_float_model_on_every_variant() {
    let mixed = Element::Int4 { int8: MatrixSet::NONE.with(BlockMatrix::KeyValue).with(BlockMatrix::Down) };
    for variant in VARIANTS {
        let mut folder = variant.folder();
        round_blocks(&mut folder.tensors, &folder.shape, INT4);
        assert_agreement(variant.name, &folder, &[(Element::INT4, INT8_LOGITS), (mixed, INT8_LOGITS)]);
    }
}

#[test]
fn int8_logits_and_depths_are_the_goldens() {
    for variant in VARIANTS {
        let folder = variant.folder();
        let tokens = window(&folder);
        // Fixed thresholds: the float model must have no part in this.
        let thresholds = vec![-0.02; folder.shape.outputs()];
        let result = run(&export(&folder, Element::Int8, &thresholds), &tokens);
        let depths: String = (0..tokens.len())
            .map(|t| char::from_digit(result.active.iter().filter(|active| active[t]).count() as u32, 36).unwrap())
            .collect();
        let vocabulary = result.logits.len() / tokens.len();
        let last = &result.logits[result.logits.len() - vocabulary..];
        let logits: Vec<String> = last.iter().map(|logit| format!("{:08x}", logit.to_bits())).collect();
        let golden = format!(
            "# tests/checkpoints/{}, int8, thresholds -0.02, first window of the validation split; seed 7; FATHOM_RENEW=1 renews\n\
             depths {depths}\nlogits {}\n",
            variant.name,
            logits.join(" ")
        );
        let file = path("goldens").join(format!("{}.txt", variant.name));
        if renew() {
            std::fs::create_dir_all(path("goldens")).unwrap();
            std::fs::write(&file, &golden).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), golden, "{}", variant.name);
    }
}
