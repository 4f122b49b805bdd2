//! What tokens of each depth cost, measured once, against the cycles of real runs.

use fathom::Blob;
use fathom::format::record::{Effort, Request};
use fathom::format::{Cache, Element, Header, Policy, Shape};
use fathom_exporter::blob_eval::{Evaluation, evaluate, evaluate_at_depths};
use fathom_exporter::cost::Costs;
use fathom_host_sim::ask::ask;
use fathom_host_sim::cmd::target::{Target, TargetOptions};
use fathom_host_sim::cost;
use fathom_host_sim::image::Image;
use fathom_host_sim::report::Answer;
use fathom_tests::commands::{Scene, host_sim, refuse, succeed};
use fathom_tests::models::{Aligned, exits, random_blob, routed, tokens};
use fathom_tests::targets::CORTEX_M4;
use std::path::Path;

/// Largest distance of the predicted mean of a run from its cycles: what data-dependent branches take (sampling above all) is not predicted.
const RUN_TOLERANCE: f64 = 0.01;

fn default_model() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/models/default.fathom");
    std::fs::read(path).expect("the default model is committed")
}

fn board() -> (Image, Target) {
    let image = Image::read(&CORTEX_M4.image()).unwrap();
    let (target, _) = TargetOptions::default().resolve(&image).unwrap();
    (image, target)
}

/// What the exporter reads of what the simulator measures.
fn costs(image: &Image, target: &Target, model: &[u8]) -> Costs {
    Costs::read(&serde_json::to_string(&cost::measure(image, target, model).unwrap()).unwrap()).unwrap()
}

/// The generated tokens of an answer as an evaluation: their depths, and what they attended to.
fn work(shape: &Shape, answer: &Answer) -> Evaluation {
    let count = |masks: &[u32]| {
        let mut evaluation = Evaluation::default();
        evaluation.add_masks(shape, masks.iter().copied());
        evaluation
    };
    let generated = answer.tokens.iter().map(|token| token.active);
    let (all, prompt) = (count(&answer.prompt.iter().copied().chain(generated).collect::<Vec<_>>()), count(&answer.prompt));
    let less = |all: &[usize], prompt: &[usize]| all.iter().zip(prompt).map(|(all, prompt)| all - prompt).collect();
    Evaluation {
        tokens: answer.tokens.len(),
        attended: all.attended - prompt.attended,
        depths: less(&all.depths, &prompt.depths),
        asked: less(&all.asked, &prompt.asked),
        ..Evaluation::default()
    }
}

fn assert_predicted(image: &Image, target: &Target, model: &[u8], request: &Request<'_>, costs: &Costs) {
    let aligned = Aligned::copy(model);
    let blob = Blob::parse(aligned.bytes()).unwrap();
    let (shape, header) = (*blob.shape(), blob.header());
    let point = match request.effort {
        Effort::Point(point) => point,
        _ => header.default_point,
    };
    let thresholds = &header.operating_points[usize::from(point)].thresholds;
    let (_, answer) = ask(image, target, model, request).unwrap();
    assert!(answer.tokens.len() >= 12);
    let measured = answer.tokens.iter().map(|token| token.cycles).sum::<u64>() as f64 / answer.tokens.len() as f64;
    let predicted = costs.cycles_per_token(&work(&shape, &answer), thresholds).unwrap();
    let error = predicted / measured - 1.0;
    assert!(error.abs() < RUN_TOLERANCE, "{predicted:.0} against {measured:.0}, {:.2}%: {shape:?}", 100.0 * error);
}

#[test]
fn cycles_of_the_default_model_follow_from_its_depths_at_every_effort() {
    let ((image, target), model) = (board(), default_model());
    let costs = costs(&image, &target, &model);
    assert_eq!((costs.core.as_str(), costs.depths.len()), ("cortex-m4", 3));
    assert!(costs.depths.is_sorted_by(|a, b| a.mean_over_window < b.mean_over_window));
    for effort in [0, 2, 4, 6] {
        let request =
            Request { prompt: b"ROMEO:\n", tokens: 120, seed: 5, temperature: 0.8, top_k: 0, effort: Effort::Point(effort) };
        assert_predicted(&image, &target, &model, &request, &costs);
    }
}

/// Every policy and cache; wide enough that matrices, as in any model of use, take most of a token.
fn headers() -> Vec<Header> {
    let of = |policy, cache| {
        let mut header = routed(policy, cache, Element::Int8);
        header.geometry.width = 64;
        header.geometry.mlp_width = 128;
        header.geometry.context = 48;
        header
    };
    let (kept, ahead) = (Cache::Omit { kept: 2 }, Cache::Ahead { blocks: 2 });
    vec![
        of(Policy::Dense, Cache::Project),
        of(Policy::Halt, Cache::Project),
        of(Policy::Halt, kept),
        of(Policy::Dense, ahead),
        of(Policy::Halt, ahead),
        of(exits(&[2, 3]), ahead),
        of(exits(&[2]), ahead),
        of(exits(&[3]), Cache::Ahead { blocks: 3 }),
        of(Policy::Skip, Cache::Project),
        of(Policy::Skip, kept),
    ]
}

#[test]
fn cycles_follow_from_depths_for_every_policy_and_cache() {
    let (image, target) = board();
    for header in headers() {
        let model = random_blob(&header, 5);
        let costs = costs(&image, &target, model.bytes());
        let depths = match header.routing.policy {
            Policy::Dense => 1,
            Policy::Skip | Policy::Halt => 4,
            Policy::Exit { depths } => 1 + depths.len(),
        };
        assert_eq!(costs.depths.len(), depths);
        let request = Request { prompt: b"abcabk", tokens: 42, seed: 5, temperature: 0.8, top_k: 0, effort: Effort::Default };
        assert_predicted(&image, &target, model.bytes(), &request, &costs);
    }
}

/// Thresholds that halt no one let all tokens pass, whether or not the router is evaluated; only its cycles differ.
#[test]
fn a_router_that_halts_no_one_costs_nothing_and_changes_nothing() {
    let (image, target) = board();
    for mut header in headers() {
        let request = Request { prompt: b"abcabk", tokens: 42, seed: 5, temperature: 0.8, top_k: 0, effort: Effort::Default };
        let costs = costs(&image, &target, random_blob(&header, 5).bytes());
        let mut answers = Vec::new();
        for threshold in [1e38, f32::MAX, f32::INFINITY] {
            for point in &mut header.operating_points {
                point.thresholds.iter_mut().take(2).for_each(|first| *first = threshold);
            }
            let model = random_blob(&header, 5);
            assert_predicted(&image, &target, model.bytes(), &request, &costs);
            let (_, answer) = ask(&image, &target, model.bytes(), &request).unwrap();
            let cycles: u64 = answer.tokens.iter().map(|token| token.cycles).sum();
            answers.push((answer.tokens.iter().map(|token| (token.token, token.active)).collect::<Vec<_>>(), cycles));
        }
        let [(evaluated, dear), (passed, cheap), (infinite, same)] = &answers[..] else { unreachable!() };
        assert_eq!((evaluated, evaluated, cheap), (passed, infinite, same), "{header:?}");
        assert!(header.routing.policy == Policy::Dense || cheap < dear, "{cheap} and {dear} cycles: {header:?}");
    }
}

#[test]
fn the_mean_over_the_context_stands_for_the_positions_of_an_evaluation() {
    let ((image, target), model) = (board(), Aligned::copy(&default_model()));
    let costs = costs(&image, &target, model.bytes());
    let blob = Blob::parse(model.bytes()).unwrap();
    let tokens = tokens(blob.header(), 9, 20 * blob.shape().context + 1);
    let exact = |found: &Evaluation| costs.cycles_per_token(found, &[0.0; 2]).unwrap();
    for point in [0, 3] {
        let found = evaluate(&blob, &tokens, point, &|_| ()).unwrap();
        let means = costs.depths.iter().map(|row| row.mean_over_window * found.depths[row.depth] as f64);
        let mean = means.sum::<f64>() / found.tokens as f64;
        assert!((mean / exact(&found) - 1.0).abs() < 0.005, "{mean} against {}", exact(&found));
    }
    let all = evaluate_at_depths(&blob, &tokens, &vec![6; tokens.len() - 1], &|_| ()).unwrap();
    assert!((exact(&all) / costs.full() - 1.0).abs() < 1e-6);
}

/// Cycles of the last block for a prompt, of whose tokens the wanted number runs it and all others stop before it.
fn last_block(image: &Image, target: &Target, header: &Header, prompt: &[u8], active: usize) -> u64 {
    let mut header = header.clone();
    let last = usize::from(header.geometry.blocks) - 1;
    let (mut low, mut high) = (-50f32, 50f32);
    for _ in 0..60 {
        let threshold = low.midpoint(high);
        for point in &mut header.operating_points {
            point.thresholds.fill(f32::INFINITY);
            point.thresholds[last - 1] = threshold; // router `r` stands before block `r + 1`
        }
        let request = Request { prompt, tokens: 0, seed: 5, temperature: 0.8, top_k: 0, effort: Effort::Default };
        let (_, answer) = ask(image, target, random_blob(&header, 5).bytes(), &request).unwrap();
        let found = answer.prompt.iter().filter(|mask| *mask >> last & 1 == 1).count();
        if found == active {
            return answer.within[last].iter().sum();
        }
        (low, high) = if found < active { (threshold, high) } else { (low, threshold) };
    }
    panic!("no threshold lets {active} of {} tokens run the last block", prompt.len())
}

/// The tokens that run a block are gathered, so those that do not cost only their share of the router, and keys and values where the cache
/// holds all positions.
#[test]
fn a_block_costs_half_where_half_of_the_prompts_tokens_run_it() {
    let (image, target) = board();
    let prompt: Vec<u8> = (0..64u32).map(|index| b'a' + (index * index + index / 3) as u8 % 11).collect();
    for (cache, most) in [(Cache::Omit { kept: 2 }, 0.55), (Cache::Project, 0.65)] {
        let mut header = routed(Policy::Skip, cache, Element::Int8);
        header.geometry.width = 128;
        header.geometry.mlp_width = 344;
        header.geometry.context = 96;
        let share = |active| last_block(&image, &target, &header, &prompt, active) as f64;
        let (half, full) = (share(32), share(64));
        println!("{cache:?}: {half} of {full} cycles, {:.3}", half / full);
        assert!((0.4..most).contains(&(half / full)), "{cache:?}: {half} of {full} cycles, {:.3}", half / full);
    }
}

#[test]
fn cost_prints_a_table_and_writes_what_the_exporter_reads() {
    let scene = Scene::default();
    let header = routed(Policy::Halt, Cache::Project, Element::Int8);
    let blob = scene.write("model.fathom", random_blob(&header, 5).bytes());
    let (json, image) = (scene.path("cost.json"), CORTEX_M4.image().into_os_string().into_string().unwrap());
    let asked = ["cost", &blob, "--image", &image];
    let text = succeed(&mut host_sim(&[&asked[..], &["--json", &json]].concat()));
    assert!(text.starts_with("cortex-m4, zero-wait, table cortex-m4/") && text.contains("4 of 4"), "{text}");
    let written = Costs::read(&std::fs::read_to_string(json).unwrap()).unwrap();
    let printed = Costs::read(&succeed(&mut host_sim(&[&asked[..], &["--json", "-"]].concat()))).unwrap();
    assert_eq!(written, printed);
}

#[test]
fn rejects_what_is_no_model() {
    let scene = Scene::default();
    let image = CORTEX_M4.image().into_os_string().into_string().unwrap();
    let (missing, text) = (scene.path("missing"), scene.write("text.fathom", &[b'a'; 100]));
    let mut short = routed(Policy::Dense, Cache::Project, Element::Int8);
    short.geometry.context = 2;
    let short = scene.write("short.fathom", random_blob(&short, 5).bytes());
    let bad: [(&str, &[&str]); 3] = [
        (&missing, &["cannot read the model", "No such file"]),
        (&text, &["text.fathom", "not a Fathom model"]),
        (&short, &["context is 2", "at least 3"]),
    ];
    for (model, parts) in bad {
        refuse(&mut host_sim(&["cost", model, "--image", &image]), scene.folder(), parts);
    }
}

#[test]
fn a_controller_keeps_the_mean_within_3_percent_of_any_budget_between_the_points() {
    let ((image, target), model) = (board(), default_model());
    let mean = |effort, seed| {
        let request = Request { prompt: b"ROMEO:\n", tokens: 120, seed, temperature: 0.8, top_k: 0, effort };
        let (_, answer) = ask(&image, &target, &model, &request).unwrap();
        assert_eq!(answer.tokens.len(), 120);
        answer.tokens.iter().map(|token| token.cycles).sum::<u64>() as f64 / 120.0
    };
    for seed in [1, 2] {
        let (cheapest, dearest) = (mean(Effort::Point(0), seed), mean(Effort::Point(6), seed));
        for place in [0.05, 0.25, 0.5, 0.75, 0.95] {
            let budget = cheapest + place * (dearest - cheapest);
            let found = mean(Effort::Cycles(budget as u32), seed);
            assert!((found / budget - 1.0).abs() < 0.03, "{found:.0} for a budget of {budget:.0}, seed {seed}");
        }
        let below = mean(Effort::Cycles(1), seed);
        assert!(below < 1.1 * cheapest, "a budget below every point gets the cheapest: {below:.0} against {cheapest:.0}");
    }
}
