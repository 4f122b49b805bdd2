use super::killed::metrics;
use fathom_exporter::split::Part;
use fathom_exporter::sweep::point::{Kind, Point, read};
use fathom_tests::commands::{Scene, contents, exporter, refuse, run, succeed};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const TINY: &str = include_str!("../../../exporter/recipes/tiny.toml");

/// Every file of a sweep; of the metrics not the rates, which depend on the machine.
fn files(folder: &str) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let file = |(path, bytes): (PathBuf, Option<Vec<u8>>)| {
        let bytes = match bytes {
            Some(_) if path.ends_with("metrics.jsonl") => Some(format!("{:?}", metrics(path.to_str().unwrap())).into_bytes()),
            bytes => bytes,
        };
        (path.strip_prefix(folder).unwrap().to_owned(), bytes)
    };
    contents(Path::new(folder)).into_iter().map(file).collect()
}

/// Starts a program and kills it once `event` has come.
fn kill_when(command: &mut Command, event: impl Fn() -> bool) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !event() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap(); // fails for no child that was not waited for
    assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
}

fn points(folder: &str) -> Vec<Point> {
    read(&std::fs::read_to_string(Path::new(folder).join("sweep.jsonl")).unwrap()).unwrap()
}

/// A halting model of 100 steps, and the same without routers.
pub(super) fn recipes(scene: &Scene) -> [String; 2] {
    let longer = TINY.replace("2_048", "2_560").replace("1_024", "1_280");
    let dense = longer.replace("policy = \"halt\"", "policy = \"dense\"").replace("router_width = 4\n", "");
    let (trunk, _) = dense.rsplit_once("[[stage]]").unwrap();
    [scene.write("halt.toml", longer.as_bytes()), scene.write("dense.toml", trunk.as_bytes())]
}

pub(super) fn sweep(scene: &Scene, recipes: &[String], folder: &str) -> Command {
    let corpus = scene.path("corpus.txt");
    let mut command = exporter(&["sweep", "--corpus", &corpus, "--folder", folder, "--seeds", "1,2", "--targets", "0.3,0.5"]);
    command.args(["--checkpoint-every", "10", "--no-cycles"]).args(recipes);
    command
}

#[test]
fn cycles_are_modelled_once_for_each_shape() {
    let scene = Scene::default();
    let ([halt, _], corpus, folder) = (recipes(&scene), scene.path("corpus.txt"), scene.path("runs"));
    let run = || exporter(&["sweep", &halt, "--corpus", &corpus, "--folder", &folder, "--seeds", "1,2", "--targets", "0.5"]);
    kill_when(&mut run(), || Path::new(&folder).is_dir()); // before anything is modelled or trained
    succeed(&mut run());
    let costs = || contents(&Path::new(&folder).join("costs"));
    let first = costs();
    assert_eq!(first.len(), 1, "{:?}", first.keys());
    succeed(&mut run());
    assert_eq!(costs(), first);
    let points = points(&folder);
    let full = points[0].cycles.unwrap();
    assert_eq!((points[0].kind, points[0].core.as_deref()), (Kind::Full, Some("cortex-m4")));
    for point in points.iter().filter(|point| matches!(point.kind, Kind::Static | Kind::Routed)) {
        assert!((0.3 * full..full).contains(&point.cycles.unwrap()), "{point:?}");
    }
}

/// Three blocks and one exit block: a token runs two or three.
#[test]
fn a_model_with_exit_blocks_is_measured_at_the_depths_that_it_has() {
    let scene = Scene::default();
    let (model, _) = TINY.split_once("[[stage]]").unwrap();
    let model = model.replace("policy = \"halt\"", "policy = \"exit\"\nexit_depths = [2]\nkey_value_blocks = 2");
    let stage =
        "[[stage]]\nkind = \"joint\"\ntokens = 4_096\nbatch = 4\nlearning_rate = 3e-3\nshallow_weight = 1.0\nsave = 0.3\n";
    let recipe = scene.write("exit.toml", format!("{model}{stage}").as_bytes());
    let (corpus, folder) = (scene.path("corpus.txt"), scene.path("runs"));
    succeed(&mut exporter(&["sweep", &recipe, "--corpus", &corpus, "--folder", &folder, "--targets", "0.1,0.2"]));
    let points = points(&folder);
    let kinds: Vec<Kind> = points.iter().map(|point| point.kind).collect();
    let at = [Kind::Routed, Kind::Random, Kind::Shuffled, Kind::Confidence];
    assert_eq!(kinds, [&[Kind::Full, Kind::Static], &at[..], &at[..]].concat());
    let least = &points[1];
    assert_eq!((least.depth, &least.active), (Some(2), &vec![1.0, 1.0, 0.0]));
    for point in &points {
        assert_eq!(point.depths[..2], [0, 0], "{point:?}");
        let cycles = point.cycles.unwrap();
        assert!(cycles >= least.cycles.unwrap(), "{point:?}");
        let within = point.kind == Kind::Confidence || cycles <= points[0].cycles.unwrap() * 1.05; // routers cost a little
        assert!(within, "{point:?}");
    }
}

#[test]
fn a_sweep_killed_again_and_again_ends_with_the_same_bytes() {
    let scene = Scene::default();
    let recipes = recipes(&scene);
    let (whole, killed) = (scene.path("whole"), scene.path("killed"));
    succeed(sweep(&scene, &recipes, &whole).args(["--jobs", "2"]));
    // In training, and after one, two and three of the four runs.
    let runs = ["halt-s1", "halt-s2", "dense-s1", "dense-s2"].map(|run| Path::new(&killed).join(run));
    let there = |file: &str| runs.iter().filter(|run| run.join(file).exists()).count();
    for (file, count) in [("model.safetensors", 1), ("points.jsonl", 1), ("points.jsonl", 2), ("points.jsonl", 3)] {
        kill_when(sweep(&scene, &recipes, &killed).args(["--jobs", "1"]), || there(file) >= count);
    }
    succeed(sweep(&scene, &recipes, &killed).args(["--jobs", "1"]));
    let (wanted, found) = (files(&whole), files(&killed));
    assert_eq!(wanted.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "something partial stayed");
    for (path, bytes) in wanted {
        assert!(found[&path] == bytes, "{} differs", path.display());
    }
    // What is finished is not done again.
    let metrics = Path::new(&killed).join("halt-s1/metrics.jsonl");
    std::fs::remove_file(&metrics).unwrap();
    succeed(&mut sweep(&scene, &recipes, &killed));
    assert!(!metrics.exists());
}

#[test]
fn every_run_is_measured_beside_its_controls() {
    let scene = Scene::default();
    let folder = scene.path("runs");
    let mut command = sweep(&scene, &recipes(&scene), &folder);
    succeed(&mut command);
    let points = points(&folder);
    let of = |recipe: &'static str, seed: u64| {
        points.iter().filter(move |point| (point.recipe.as_str(), point.seed) == (recipe, seed))
    };
    for seed in [1, 2] {
        assert_eq!(of("dense", seed).map(|point| point.kind).collect::<Vec<_>>(), [Kind::Dense]);
        let kinds: Vec<Kind> = of("halt", seed).map(|point| point.kind).collect();
        assert_eq!(kinds[..3], [Kind::Full, Kind::Static, Kind::Static]);
        for at in kinds[3..].chunks(4) {
            assert_eq!(at, [Kind::Routed, Kind::Random, Kind::Shuffled, Kind::Confidence]);
        }
        let full = of("halt", seed).next().unwrap();
        for point in of("halt", seed).skip(1) {
            assert_eq!(point.evaluated_tokens, full.evaluated_tokens);
            assert!(point.saved > 0.0 && (point.kind == Kind::Confidence || point.weight_macs < full.weight_macs), "{point:?}");
        }
        let routed: Vec<&Point> = of("halt", seed).filter(|point| point.kind == Kind::Routed).collect();
        for point in &routed {
            let same = |kind| of("halt", seed).find(|other| (other.kind, other.target) == (kind, point.target)).unwrap();
            assert_eq!((point.saved, &point.depths), (same(Kind::Shuffled).saved, &same(Kind::Shuffled).depths));
            assert!((point.saved - same(Kind::Random).saved).abs() < 0.01);
        }
        assert!(!routed.is_empty());
    }
}

#[test]
fn gates_are_measured_where_they_say_what_they_mean() {
    let scene = Scene::default();
    let (model, _) = TINY.split_once("[[stage]]").unwrap();
    let stage =
        |kind: &str| format!("[[stage]]\nkind = \"{kind}\"\ntokens = 512\nbatch = 4\nlearning_rate = 3e-3\nlambda = 1.0\n");
    let hard = format!("{model}{}save = 0.3\n", stage("hard"));
    let recipes = [
        scene.write("hard.toml", hard.as_bytes()),
        scene.write("soft.toml", format!("{model}{}", stage("soft")).as_bytes()),
        scene.write("both.toml", format!("{model}{}{}save = 0.3\n", stage("soft"), stage("hard")).as_bytes()),
    ];
    let folder = scene.path("runs");
    succeed(sweep(&scene, &recipes, &folder).args(["--controls", "static"]));
    let points = points(&folder);
    let has = |recipe: &str, kind: Kind| points.iter().any(|point| point.recipe == recipe && point.kind == kind);
    for (recipe, soft) in [("hard", false), ("soft", true), ("both", false)] {
        assert!(has(recipe, Kind::Half), "{recipe}");
        assert_eq!((has(recipe, Kind::Soft), has(recipe, Kind::SoftInitial)), (soft, soft), "{recipe}");
    }
}

#[test]
fn losses_of_the_test_part_are_those_of_the_exported_model_there() {
    let scene = Scene::default();
    let [_, dense] = recipes(&scene);
    let (folder, corpus, blob) = (scene.path("runs"), scene.path("corpus.txt"), scene.path("dense.fathom"));
    let on = |part: &str| {
        let mut command = sweep(&scene, std::slice::from_ref(&dense), &folder);
        command.args(["--split", "80/10/10", "--part", part, "--validation-tokens", "200"]);
        succeed(&mut command);
        points(&folder).swap_remove(0)
    };
    let validation = on("validation");
    let tested = on("test");
    assert_eq!((validation.part, tested.part), (Part::Validation, Part::Test));
    let checkpoint = Path::new(&folder).join("dense-s1").display().to_string();
    succeed(&mut exporter(&["export", &checkpoint, "--dtype", "int8", "--out", &blob]));
    let eval = ["eval", &blob, "--corpus", &corpus, "--split", "80/10/10", "--part", "test", "--tokens", "200", "--json"];
    let found: serde_json::Value = serde_json::from_str(&succeed(&mut exporter(&eval))).unwrap();
    assert_eq!((found["nats"].as_f64(), found["tokens"].as_u64()), (tested.nats, Some(199)));
    assert_ne!(validation.nats, tested.nats);
}

#[test]
fn a_run_that_fails_leaves_the_others() {
    let scene = Scene::default();
    let [_, dense] = recipes(&scene);
    let wild = std::fs::read_to_string(&dense).unwrap().replace("learning_rate = 3e-3", "learning_rate = 1e30");
    let wild = scene.write("wild.toml", wild.as_bytes());
    let folder = scene.path("runs");
    let ran = run(&mut sweep(&scene, &[wild, dense], &folder));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("wild-s1: the loss is") && ran.stderr.contains("2 of 4 runs failed"), "{ran:?}");
    assert_eq!(
        points(&folder).iter().map(|point| (point.recipe.as_str(), point.seed)).collect::<Vec<_>>(),
        [("dense", 1), ("dense", 2)]
    );
}

#[test]
fn bad_sweeps_are_refused_before_they_start() {
    let scene = Scene::default();
    let recipes = recipes(&scene);
    let none = scene.path("runs");
    let refused = |extra: &[&str], part: &str| refuse(sweep(&scene, &recipes, &none).args(extra), scene.folder(), &[part]);
    refused(&["--jobs", "0"], "--jobs must be at least 1");
    refused(&[&recipes[0]], "two recipes are named halt");
    refused(&["--part", "test"], "split 90/10 has no test part");
    let outside = exporter(&["sweep", &recipes[0], "--corpus", "none.txt", "--folder", &none, "--no-cycles"]);
    refuse(&mut { outside }, scene.folder(), &["cannot read the corpus"]);
    let target = ["sweep", &recipes[0], "--corpus", "none.txt", "--folder", &none, "--no-cycles", "--targets", "1"];
    refuse(&mut exporter(&target), scene.folder(), &["target 1 is not a share"]);

    succeed(&mut sweep(&scene, &recipes[1..], &none));
    scene.write("dense.toml", std::fs::read_to_string(&recipes[1]).unwrap().replace("3e-3", "2e-3").as_bytes());
    let results = || std::fs::read_to_string(Path::new(&none).join("sweep.jsonl")).unwrap();
    let (before, failed) = (results(), |mut command: Command, why: &str| {
        let ran = run(&mut command);
        assert!(ran.code == Some(1) && ran.stderr.contains(why), "{ran:?}");
    });
    failed(sweep(&scene, &recipes[1..], &none), "holds a run of another recipe");
    assert_eq!(results(), before, "what an earlier sweep found is kept, and never given to another recipe");

    // Another split is another text.
    scene.write("dense.toml", std::fs::read_to_string(&recipes[1]).unwrap().replace("2e-3", "3e-3").as_bytes());
    let mut other = sweep(&scene, &recipes[1..], &none);
    other.args(["--split", "80/10/10"]);
    failed(other, "another model, seed, corpus or split");
    assert_eq!(results(), before);
    succeed(&mut sweep(&scene, &recipes[1..], &none));
    assert_eq!(results(), before);
}
