use fathom_exporter::checkpoint::{load, save};
use fathom_exporter::recipe::Recipe;
use fathom_tests::commands::{Scene, exporter, refuse, succeed};
use std::path::Path;

const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../exporter/recipes/tiny.toml");

#[test]
fn rejects_a_corpus_that_is_missing_empty_too_short_or_a_folder() {
    let scene = Scene::default();
    let blob = scene.blob("default-halt");
    let checkpoint = scene.path("default-halt");
    let empty = scene.write("empty.txt", b"");
    let short = scene.write("short.txt", &[b'a'; 160]);
    let missing = scene.path("missing.txt");
    let folder = scene.folder().to_str().unwrap().to_owned();
    let bad: [(&str, &[&str]); 4] = [
        (&missing, &["cannot read the corpus", "missing.txt", "No such file", "exporter fetch tiny-shakespeare"]),
        (&empty, &["empty.txt is empty"]),
        (&short, &["short.txt is too short", "has 16 bytes", "at least 17 are needed"]),
        (&folder, &["cannot read the corpus", "Is a directory"]),
    ];
    for (corpus, parts) in bad {
        for command in [
            vec!["train", RECIPE, "--out", &scene.path("new")],
            vec!["calibrate", &checkpoint],
            vec!["eval", &checkpoint],
            vec!["eval", &blob],
        ] {
            refuse(&mut exporter(&[&command[..], &["--corpus", corpus]].concat()), scene.folder(), parts);
        }
    }
}

#[test]
fn rejects_a_corpus_with_a_byte_outside_the_alphabet() {
    let scene = Scene::default();
    let blob = scene.blob("default-halt");
    let mut text = std::fs::read(scene.path("corpus.txt")).unwrap();
    text[70] = b'@';
    let foreign = scene.write("foreign.txt", &text);
    let parts = ["byte 0x40 at offset 70", "foreign.txt", "not in the model's alphabet"];
    for model in [&blob, &scene.path("default-halt")] {
        refuse(&mut exporter(&["eval", model, "--corpus", &foreign]), scene.folder(), &parts);
    }
    refuse(&mut exporter(&["calibrate", &scene.path("default-halt"), "--corpus", &foreign]), scene.folder(), &parts);
}

#[test]
fn rejects_a_blob_that_is_truncated_corrupt_newer_or_none() {
    let scene = Scene::default();
    let corpus = scene.path("corpus.txt");
    let good = std::fs::read(scene.blob("default-halt")).unwrap();
    let (mut corrupt, mut newer) = (good.clone(), good.clone());
    corrupt[good.len() / 2] ^= 1;
    newer[4] += 1; // the version follows the magic
    let bad: [(&str, &[u8], &[&str]); 5] = [
        ("truncated.fathom", &good[..good.len() - 1], &["truncated"]),
        ("corrupt.fathom", &corrupt, &["checksum"]),
        ("newer.fathom", &newer, &["version"]),
        ("empty.fathom", b"", &["truncated"]),
        ("text.fathom", &[b'a'; 100], &["not a Fathom model"]),
    ];
    for (name, bytes, parts) in bad {
        let blob = scene.write(name, bytes);
        refuse(&mut exporter(&["inspect", &blob]), scene.folder(), &[parts, &[name]].concat());
        refuse(&mut exporter(&["eval", &blob, "--corpus", &corpus]), scene.folder(), &[parts, &[name]].concat());
    }
    refuse(&mut exporter(&["inspect", &scene.path("missing")]), scene.folder(), &["cannot read the model", "No such file"]);
}

#[test]
fn rejects_a_checkpoint_with_missing_or_misshapen_tensors() {
    let scene = Scene::default();
    let (corpus, out) = (scene.path("corpus.txt"), scene.path("out.fathom"));
    let checkpoint = scene.checkpoint("default-halt");
    let (good, state) = load(Path::new(&checkpoint)).unwrap();
    let all = |parts: &[&str]| {
        for command in [
            vec!["export", &checkpoint, "--out", &out],
            vec!["calibrate", &checkpoint, "--corpus", &corpus],
            vec!["eval", &checkpoint, "--corpus", &corpus],
        ] {
            refuse(&mut exporter(&command), scene.folder(), parts);
        }
    };
    let mut missing = good.clone();
    missing.remove("blocks.1.query.weight");
    save(Path::new(&checkpoint), &missing, state.as_deref()).unwrap();
    all(&["no tensor blocks.1.query.weight", "[16, 16]"]);

    let mut misshapen = good.clone();
    misshapen.insert("blocks.2.up.weight".into(), (vec![3, 5], vec![0.0; 15]));
    save(Path::new(&checkpoint), &misshapen, state.as_deref()).unwrap();
    all(&["blocks.2.up.weight", "[48, 16]", "[3, 5]"]);

    let tensors = std::fs::read(scene.path("default-halt/model.safetensors")).unwrap();
    scene.write("default-halt/model.safetensors", &tensors[..tensors.len() / 2]);
    all(&["model.safetensors"]);
    std::fs::remove_file(scene.path("default-halt/model.safetensors")).unwrap();
    all(&["model.safetensors", "No such file"]);
    scene.write("default-halt/config.json", b"{}");
    all(&["config.json", "missing field `geometry`"]);
    std::fs::remove_file(scene.path("default-halt/config.json")).unwrap();
    all(&["config.json", "No such file"]);
}

#[test]
fn rejects_a_routed_checkpoint_without_a_calibration() {
    let scene = Scene::default();
    let (checkpoint, out) = (scene.checkpoint("paper-skip"), scene.path("out.fathom"));
    refuse(&mut exporter(&["export", &checkpoint, "--out", &out]), scene.folder(), &["exporter calibrate"]);
    let eval = ["eval", &checkpoint, "--corpus", &scene.path("corpus.txt")];
    refuse(&mut exporter(&eval), scene.folder(), &["exporter calibrate"]);
    succeed(&mut exporter(&[&eval[..], &["--full"]].concat()));
}

#[test]
fn rejects_recipes_and_numbers_that_mean_nothing() {
    let scene = Scene::default();
    let (corpus, new) = (scene.path("corpus.txt"), scene.path("new"));
    let blob = scene.blob("default-halt");
    let text = std::fs::read_to_string(RECIPE).unwrap();
    assert!(Recipe::parse(&text).is_ok());
    let recipes: [(&str, String, &[&str]); 3] = [
        ("word.toml", text.replace("blocks = 3", "bloks = 3"), &["bloks"]),
        ("heads.toml", text.replace("kv_heads = 1", "kv_heads = 3"), &["heads"]),
        ("broken.toml", text.replace("[model]", "[model"), &["broken.toml"]),
    ];
    for (name, text, parts) in recipes {
        let recipe = scene.write(name, text.as_bytes());
        refuse(&mut exporter(&["train", &recipe, "--corpus", &corpus, "--out", &new]), scene.folder(), parts);
    }
    let checkpoint = scene.path("default-halt");
    let calibrate = ["calibrate", &checkpoint, "--corpus", &corpus];
    refuse(&mut exporter(&[&calibrate[..], &["--targets", "1.5"]].concat()), scene.folder(), &["target 1.5"]);
    refuse(&mut exporter(&[&calibrate[..], &["--default", "0.77"]].concat()), scene.folder(), &["--default 0.77"]);
    for model in [&checkpoint, &blob] {
        refuse(&mut exporter(&["eval", model, "--corpus", &corpus, "--effort", "9"]), scene.folder(), &["9", "0 to 1"]);
    }
    let dense = scene.checkpoint("dense");
    refuse(&mut exporter(&["calibrate", &dense, "--corpus", &corpus]), scene.folder(), &["dense"]);
}

#[test]
fn rejects_outputs_that_cannot_be_written() {
    let scene = Scene::default();
    let (corpus, blob) = (scene.path("corpus.txt"), scene.blob("default-halt"));
    let checkpoint = scene.path("default-halt");
    // No folder can be made below a file, whoever asks.
    let below = format!("{blob}/below");
    refuse(&mut exporter(&["train", RECIPE, "--corpus", &corpus, "--out", &below]), scene.folder(), &["below"]);
    for out in [&below, &scene.path("no/such/folder.fathom"), scene.folder().to_str().unwrap()] {
        refuse(&mut exporter(&["export", &checkpoint, "--out", out]), scene.folder(), &["cannot", out]);
    }
    std::fs::remove_file(scene.path("default-halt/calibration.json")).unwrap();
    std::fs::create_dir(scene.path("default-halt/calibration.json")).unwrap();
    let ran = fathom_tests::commands::run(&mut exporter(&[
        "calibrate",
        &checkpoint,
        "--corpus",
        &corpus,
        "--targets",
        "0",
        "--default",
        "0",
    ]));
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
}

#[test]
fn rejects_a_fetched_file_that_is_another_one() {
    let scene = Scene::default();
    let fetch = ["fetch", "tiny-shakespeare", "--out", &scene.path("out.txt"), "--from"];
    let parts = ["not tiny-shakespeare", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"];
    refuse(&mut exporter(&[&fetch[..], &[&scene.path("corpus.txt")]].concat()), scene.folder(), &parts);
    refuse(&mut exporter(&[&fetch[..], &[&scene.path("missing")]].concat()), scene.folder(), &["cannot read", "missing"]);
}

#[test]
fn rejects_a_part_that_the_split_lacks_and_a_text_too_short_for_a_split() {
    let scene = Scene::default();
    let (checkpoint, corpus) = (scene.checkpoint("dense"), scene.path("corpus.txt"));
    let eval = ["eval", &checkpoint, "--corpus", &corpus];
    let with = |more: &[&str]| exporter(&[&eval[..], more].concat());
    refuse(&mut with(&["--part", "test"]), scene.folder(), &["split 90/10 has no test part"]);
    let short = ["corpus.txt is too short", "its training part has 0 bytes under split enwik8"];
    refuse(&mut with(&["--split", "enwik8"]), scene.folder(), &short);
    let found = succeed(&mut with(&["--split", "80/10/10", "--part", "test", "--json"]));
    assert!(found.contains("\"split\":\"80/10/10\",\"part\":\"test\""), "{found}");
}
