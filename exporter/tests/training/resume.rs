//! An interrupted run and its continuation are one run, bit for bit.

use crate::{TINY, corpus, run};
use fathom_exporter::checkpoint::{CONFIG_FILE, TENSORS_FILE, load, load_config, save};
use fathom_exporter::evaluate::evaluate;
use fathom_exporter::model::{Gates, Model, Parameters};
use fathom_exporter::ops::cross_entropy::cross_entropy;
use fathom_exporter::ops::imitation::imitation;
use fathom_exporter::recipe::{PolicyName, Recipe};
use std::path::Path;

/// The published method on the tiny model.
pub fn soft() -> Recipe {
    let model = TINY.split("[[stage]]").next().unwrap().replace("\"halt\"", "\"skip\"") + "soft_scaling = true\n";
    let stage = "[[stage]]\nkind = \"soft\"\ntokens = 1_024\nbatch = 4\nlearning_rate = 3e-3\ndropout = 0.1\nlambda = 0.01\n";
    Recipe::parse(&(model + stage)).unwrap()
}

/// Gates of 0 or 1 with the gradient of soft ones, on the tiny model, for longer: a share of a quarter takes steps to reach.
pub fn hard(policy: PolicyName, omit_after: Option<u16>) -> Recipe {
    let model = TINY.split("[[stage]]").next().unwrap();
    let stage = "[[stage]]\nkind = \"hard\"\ntokens = 8_192\nbatch = 4\nlearning_rate = 1e-2\nlambda = 10.0\nsave = 0.25\n";
    let mut recipe = Recipe::parse(&format!("{model}{stage}")).unwrap();
    (recipe.model.policy, recipe.model.omit_after) = (policy, omit_after);
    recipe
}

/// Trunk, exits and routers together, on the tiny model.
pub fn joint() -> Recipe {
    let model = TINY.split("[[stage]]").next().unwrap();
    let stage = "[[stage]]\nkind = \"joint\"\ntokens = 2_048\nbatch = 4\nlearning_rate = 3e-3\ndropout = 0.1\nsave = 0.5\n";
    Recipe::parse(&format!("{model}{stage}shallow_weight = 0.5\nself_distillation = 0.3\n")).unwrap()
}

/// The same with keys and values made ahead, its matrices moved by Muon.
fn joint_by_muon() -> Recipe {
    let mut recipe = joint();
    recipe.model.key_value_blocks = Some(2);
    recipe.stages[0].matrix_learning_rate = Some(0.02);
    recipe
}

/// The same with an exit block.
pub fn with_exit_blocks() -> Recipe {
    let mut recipe = joint_by_muon();
    recipe.model.policy = PolicyName::Exit;
    recipe.model.exit_depths = vec![2];
    recipe.stages[0].save = 0.3;
    recipe
}

/// Lines of the metrics file without the speed, which no two runs share.
fn metrics(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("tokens_per_second");
        line
    };
    text.lines().map(line).collect()
}

fn same_files(a: &Path, b: &Path) {
    for file in [TENSORS_FILE, CONFIG_FILE] {
        assert!(std::fs::read(a.join(file)).unwrap() == std::fs::read(b.join(file)).unwrap(), "{file} differs");
    }
}

#[test]
fn resuming_anywhere_equals_an_uninterrupted_run() {
    // 32 trunk steps, 32 grown steps, 16 router steps: stops inside each stage and at both borders.
    for (recipe, stops) in [
        (Recipe::parse(TINY).unwrap(), vec![5, 31, 32, 33, 50, 64, 70]),
        (soft(), vec![9]),
        (hard(PolicyName::Halt, None), vec![70]),
        (joint(), vec![3, 20]),
        (joint_by_muon(), vec![5]),
        (with_exit_blocks(), vec![7]),
    ] {
        let root = tempfile::tempdir().unwrap();
        let corpus = corpus(root.path());
        let whole = root.path().join("whole");
        run(&recipe, &corpus, &whole, false, None).unwrap();
        for stop in stops {
            let parts = root.path().join(format!("stopped at {stop}"));
            run(&recipe, &corpus, &parts, false, Some(stop)).unwrap();
            run(&recipe, &corpus, &parts, true, None).unwrap();
            same_files(&whole, &parts);
        }
    }
}

#[test]
fn a_run_killed_after_its_last_checkpoint_repeats_the_lost_steps() {
    let root = tempfile::tempdir().unwrap();
    let (recipe, corpus) = (Recipe::parse(TINY).unwrap(), corpus(root.path()));
    let (whole, killed) = (root.path().join("whole"), root.path().join("killed"));
    run(&recipe, &corpus, &whole, false, None).unwrap();
    // The checkpoint of step 20 beside the metrics of step 30: what a kill leaves.
    run(&recipe, &corpus, &killed, false, Some(30)).unwrap();
    let later = std::fs::read(killed.join("metrics.jsonl")).unwrap();
    run(&recipe, &corpus, &killed, false, Some(20)).unwrap();
    std::fs::write(killed.join("metrics.jsonl"), later).unwrap();
    run(&recipe, &corpus, &killed, true, None).unwrap();
    same_files(&whole, &killed);
    assert_eq!(metrics(&whole), metrics(&killed));
}

#[test]
fn a_finished_run_resumes_to_itself() {
    let root = tempfile::tempdir().unwrap();
    let (recipe, corpus) = (Recipe::parse(TINY).unwrap(), corpus(root.path()));
    let (once, twice) = (root.path().join("once"), root.path().join("twice"));
    run(&recipe, &corpus, &once, false, None).unwrap();
    run(&recipe, &corpus, &twice, false, None).unwrap();
    run(&recipe, &corpus, &twice, true, None).unwrap();
    same_files(&once, &twice);
}

#[test]
fn the_tiny_recipe_learns_and_its_routers_leave_the_trunk_alone() {
    let root = tempfile::tempdir().unwrap();
    let (recipe, corpus) = (Recipe::parse(TINY).unwrap(), corpus(root.path()));
    let (trunk, whole) = (root.path().join("trunk"), root.path().join("whole"));
    run(&recipe, &corpus, &trunk, false, Some(64)).unwrap();
    run(&recipe, &corpus, &whole, false, None).unwrap();
    let (before, after) = (load(&trunk).unwrap().0, load(&whole).unwrap().0);
    for (name, (_, values)) in &after {
        let moved = before[name].1 != *values;
        assert_eq!(moved, name.contains(".router."), "{name}");
    }
    let (config, shape) = load_config(&whole).unwrap();
    assert_eq!(config.training_tokens, 2_048 + 2_048 + 1_024);
    let model = Model::new(&shape, &Parameters::new(&after).unwrap(), shape.blocks).unwrap();
    let found = evaluate(&model, corpus.validation(), shape.context, &Gates::Open, &|_| ()).unwrap();
    let uniform = (corpus.alphabet.len() as f64).ln();
    assert!(found.nats() < uniform - 0.1, "{} nats, uniform {uniform}", found.nats());
}

/// The convention that calibration and the runtime rest on: z = -gain, so a token that gains much has a low z and stays active. With
/// the sign the other way, every loss still falls in training and every halted token is the wrong one.
#[test]
fn routers_predict_the_negative_of_the_distance_from_full_depth() {
    let root = tempfile::tempdir().unwrap();
    let mut recipe = Recipe::parse(TINY).unwrap();
    recipe.stages.iter_mut().for_each(|stage| stage.tokens *= 16); // until depth is worth something
    let (corpus, folder) = (corpus(root.path()), root.path().join("run"));
    run(&recipe, &corpus, &folder, false, None).unwrap();
    let (_, shape) = load_config(&folder).unwrap();
    let model = Model::new(&shape, &Parameters::new(&load(&folder).unwrap().0).unwrap(), shape.blocks).unwrap();
    let tokens = shape.context * 64;
    let (inputs, targets) = (&corpus.training()[..tokens], &corpus.training()[1..=tokens]);
    let pass = model.forward(inputs, shape.context, &Gates::Open, None).unwrap();
    let losses = |depth: usize| cross_entropy(&model.classify(&pass.residuals[depth]).unwrap(), targets).unwrap();
    let gain: Vec<f32> = (losses(1) - losses(3)).unwrap().to_vec1().unwrap();
    let z: Vec<f32> = model.routers(&pass).unwrap()[0].to_vec1().unwrap();
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let (mean_gain, mean_z) = (mean(&gain), mean(&z));
    assert!(mean_gain > 0.05, "depth is worth nothing here ({mean_gain} nats): the test is vacuous");
    let logits = |depth: usize| model.classify(&pass.residuals[depth]).unwrap();
    let distance = mean(&imitation(&logits(1), &logits(3)).unwrap().to_vec1::<f32>().unwrap());
    assert!((mean_z + distance).abs() < 0.5 * distance, "mean z {mean_z}, mean distance {distance}");
    let covariance: f32 = z.iter().zip(&gain).map(|(z, gain)| (z - mean_z) * (gain - mean_gain)).sum();
    assert!(covariance < 0.0, "tokens with a higher z gain more");
}

#[test]
fn rejects_resuming_another_seed_corpus_or_model() {
    let root = tempfile::tempdir().unwrap();
    let (recipe, corpus) = (Recipe::parse(TINY).unwrap(), corpus(root.path()));
    let folder = root.path().join("run");
    run(&recipe, &corpus, &folder, false, Some(3)).unwrap();
    let before = std::fs::read(folder.join(TENSORS_FILE)).unwrap();
    let mut seed = recipe.clone();
    seed.seed += 1;
    let mut model = recipe.clone();
    model.model.mlp_width *= 2;
    let mut other = corpus.clone();
    other.sha256 = [9; 32];
    for (recipe, corpus) in [(&seed, &corpus), (&model, &corpus), (&recipe, &other)] {
        let error = run(recipe, corpus, &folder, true, None).unwrap_err().to_string();
        assert!(error.contains("another model, seed, corpus or split"), "{error}");
    }
    assert!(before == std::fs::read(folder.join(TENSORS_FILE)).unwrap());
}

#[test]
fn rejects_resuming_another_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut recipe = Recipe::parse(TINY).unwrap();
    let run_folder = folder.path().join("run");
    std::fs::create_dir(&run_folder).unwrap();
    run(&recipe, &corpus, &run_folder, false, Some(3)).unwrap();
    recipe.stages[0].learning_rate *= 2.0;
    let error = run(&recipe, &corpus, &run_folder, true, None).unwrap_err().to_string();
    assert!(error.contains("was trained by another recipe"), "{error}");
}

#[test]
fn rejects_moments_of_another_size_and_a_checkpoint_without_state() {
    let root = tempfile::tempdir().unwrap();
    let (recipe, corpus) = (Recipe::parse(TINY).unwrap(), corpus(root.path()));
    let folder = root.path().join("run");
    run(&recipe, &corpus, &folder, false, Some(3)).unwrap();
    let (tensors, state) = load(&folder).unwrap();
    let mut shortened = tensors.clone();
    shortened.insert("optimiser.first.final_norm.weight".into(), (vec![3], vec![0.0; 3]));
    save(&folder, &shortened, state.as_deref()).unwrap();
    let error = run(&recipe, &corpus, &folder, true, None).unwrap_err().to_string();
    assert_eq!(error, "tensor optimiser.first.final_norm.weight of the checkpoint has shape [3], wanted [16]");
    save(&folder, &tensors, None).unwrap();
    let error = run(&recipe, &corpus, &folder, true, None).unwrap_err().to_string();
    assert!(error.contains("no training state"), "{error}");
}

#[test]
fn a_joint_stage_trains_exits_and_routers_and_saves_late() {
    let root = tempfile::tempdir().unwrap();
    let corpus = corpus(root.path());
    let folder = root.path().join("joint");
    run(&joint(), &corpus, &folder, false, None).unwrap();
    let lines = metrics(&folder);
    let value = |line: &serde_json::Value, key: &str| line[key].as_f64().unwrap();
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert!(value(last, "loss") < value(first, "loss"), "{first} .. {last}");
    assert!(value(first, "active") > value(last, "active"), "routed passes save from the first step: {first} .. {last}");
    // Every router left its initial weights, which are those of a run of no steps.
    let start = root.path().join("start");
    run(&joint(), &corpus, &start, false, Some(1)).unwrap();
    let (before, after) = (load(&start).unwrap().0, load(&folder).unwrap().0);
    let routers: Vec<_> = before.iter().filter(|(name, _)| name.contains("router") && !name.starts_with("optimiser")).collect();
    assert!(!routers.is_empty());
    assert!(routers.iter().all(|(name, values)| after[*name] != **values));
}

#[test]
fn a_hard_stage_ends_at_the_share_that_it_was_asked_to_save() {
    let root = tempfile::tempdir().unwrap();
    let corpus = corpus(root.path());
    for (name, policy, omit_after) in [
        ("skip", PolicyName::Skip, None),
        ("halt", PolicyName::Halt, None),
        ("skip and omit", PolicyName::Skip, Some(1)),
        ("halt and omit", PolicyName::Halt, Some(1)),
    ] {
        let folder = root.path().join(name);
        run(&hard(policy, omit_after), &corpus, &folder, false, None).unwrap();
        let lines = metrics(&folder);
        let mean = |lines: &[serde_json::Value]| {
            lines.iter().map(|line| line["active"].as_f64().unwrap()).sum::<f64>() / lines.len() as f64
        };
        let (early, late) = (mean(&lines[..lines.len() / 4]), mean(&lines[lines.len() * 7 / 8..]));
        assert!(early > 0.9 && (late - 0.75).abs() < 0.05, "{name}: {early} .. {late}");
    }
}
