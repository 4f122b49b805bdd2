use fathom_tests::commands::{Scene, exporter, refuse, run, succeed};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The lines of a metrics file without what depends on the machine's speed.
pub(super) fn metrics(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert!(line.as_object_mut().unwrap().remove("tokens_per_second").is_some_and(|rate| rate.is_number()));
        line
    });
    lines.collect()
}

#[test]
fn a_training_that_is_refused_replaces_no_checkpoint() {
    let scene = Scene::default();
    let (checkpoint, corpus) = (scene.checkpoint("dense"), scene.path("corpus.txt"));
    let tiny = include_str!("../../../exporter/recipes/tiny.toml");
    let odd = scene.write("odd.toml", tiny.replace("heads = 2", "heads = 3").as_bytes());
    let missing = scene.path("missing");
    let recipe = scene.write("recipe.toml", tiny.as_bytes());
    let train = |recipe: &str, extra: &[&str]| {
        exporter(&[&["train", recipe, "--corpus", &corpus, "--out", &checkpoint, "--force"], extra].concat())
    };
    refuse(&mut train(&odd, &[]), scene.folder(), &["must be a multiple of 3"]);
    refuse(&mut train(&recipe, &["--from", &missing]), scene.folder(), &["missing"]);
}

#[test]
fn a_closed_stdout_stops_no_calibration() {
    let scene = Scene::default();
    let (checkpoint, corpus) = (scene.checkpoint("default-halt"), scene.path("corpus.txt"));
    let mut calibrate = exporter(&["calibrate", &checkpoint, "--corpus", &corpus, "--targets", "0,0.3", "--default", "0.3"]);
    let mut child = calibrate.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(Path::new(&checkpoint).join("calibration.json").exists());
}

#[test]
fn a_killed_training_resumes_to_the_same_bytes() {
    let scene = Scene::default();
    let tiny = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../exporter/recipes/tiny.toml")).unwrap();
    let longer = tiny.replace("2_048", "20_480").replace("1_024", "10_240"); // 800 steps in all
    assert_eq!(longer.matches("_480").count() + longer.matches("_240").count(), 3);
    let (recipe, corpus) = (scene.write("recipe.toml", longer.as_bytes()), scene.path("corpus.txt"));
    let (whole, killed) = (scene.path("whole"), scene.path("killed"));
    let train = |out: &str| exporter(&["train", &recipe, "--corpus", &corpus, "--checkpoint-every", "10", "--out", out]);

    succeed(&mut train(&whole));
    let mut child = train(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let first = Path::new(&killed).join("model.safetensors");
    while !first.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap(); // fails for no child that was not waited for
    child.wait().unwrap();

    let again = run(&mut train(&killed));
    assert!(again.code == Some(1) && again.stderr.contains("--resume"), "{again:?}");
    succeed(train(&killed).arg("--resume"));
    let file = |folder: &str, name: &str| std::fs::read(Path::new(folder).join(name)).unwrap();
    for name in ["model.safetensors", "config.json"] {
        assert!(file(&whole, name) == file(&killed, name), "{name} differs");
    }
    assert_eq!(metrics(&format!("{whole}/metrics.jsonl")), metrics(&format!("{killed}/metrics.jsonl")));
    let names = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    assert_eq!((names(&whole), names(&killed)), (3, 3), "something partial stayed");
}
