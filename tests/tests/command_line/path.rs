use fathom_tests::commands::{Scene, exporter, refuse, succeed};
use serde_json::Value;

const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../exporter/recipes/tiny.toml");

fn json(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(text).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn training_steps_are_timed_beside_those_of_candles_operations() {
    let scene = Scene::default();
    let ([halt, dense], figures) = (super::sweep::recipes(&scene), scene.path("speed.json"));
    let bench = |recipe: &str| exporter(&["bench-train", recipe, "--steps", "1", "--threads", "1", "--json", &figures]);
    refuse(&mut bench(&halt), scene.folder(), &["halt.toml", "the plain loop trains dense models"]);
    let printed = succeed(&mut bench(&dense));
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(&figures).unwrap()).unwrap();
    assert_eq!((&figures["schema"], &figures["threads"]), (&Value::from("fathom-bench-train/1"), &Value::from(1)));
    let (fused, plain) = (figures["fused_tokens_per_second"].as_f64(), figures["plain_tokens_per_second"].as_f64());
    assert!((figures["ratio"].as_f64().unwrap() - fused.unwrap() / plain.unwrap()).abs() < 1e-9, "{figures}");
    assert!(printed.contains("plain loop") && printed.contains("ratio"), "{printed}");
}

#[test]
fn a_text_becomes_a_blob_step_by_step() {
    let scene = Scene::default();
    let (corpus, checkpoint) = (scene.path("corpus.txt"), scene.path("checkpoint"));
    let train = ["train", RECIPE, "--corpus", &corpus, "--out", &checkpoint];
    assert_eq!(succeed(&mut exporter(&train)), "");
    let names = |folder: &str| {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&checkpoint), ["config.json", "metrics.jsonl", "model.safetensors"]);
    let tensors = std::fs::read(scene.path("checkpoint/model.safetensors")).unwrap();
    refuse(&mut exporter(&train), scene.folder(), &["holds a checkpoint", "--resume", "--force"]);

    let calibrated =
        succeed(&mut exporter(&["calibrate", &checkpoint, "--corpus", &corpus, "--targets", "0,0.2", "--default", "0.2"]));
    let rows: Vec<&str> = calibrated.lines().collect();
    assert!(rows.len() == 4 && rows[0].starts_with("target") && rows[1].starts_with("  full   0.000"), "{calibrated}");
    assert!(rows[2].starts_with(" 0.200") && rows[3].starts_with(" 0.000"), "{calibrated}");
    assert_eq!(names(&checkpoint), ["calibration.json", "config.json", "metrics.jsonl", "model.safetensors"]);

    let (int8, f16) = (scene.path("int8.fathom"), scene.path("f16.fathom"));
    for (dtype, blob, engine) in [("int8", &int8, "int8 blob"), ("f16", &f16, "f16 blob")] {
        let export = ["export", &checkpoint, "--dtype", dtype, "--out", blob];
        let bytes = |said: String| {
            let written = std::fs::read(blob).unwrap();
            assert_eq!(said, format!("{blob}: {} bytes\n", written.len()));
            written
        };
        let first = bytes(succeed(&mut exporter(&export)));
        assert!(bytes(succeed(&mut exporter(&export))) == first, "two exports differ");
        inspects(blob, dtype, first.len());
        evaluates(blob, &corpus, engine);
    }
    evaluates(&checkpoint, &corpus, "float");
    becomes_int4(&scene, &checkpoint, &corpus);

    // What was calibrated for other weights is gone when training starts over, and starting over gives the same weights.
    succeed(&mut exporter(&[&train[..], &["--force"]].concat()));
    assert_eq!(names(&checkpoint), ["config.json", "metrics.jsonl", "model.safetensors"]);
    assert!(std::fs::read(scene.path("checkpoint/model.safetensors")).unwrap() == tensors);
}

/// Rounded by the row, on a text, or fine-tuned: each says which, and the same integers come out twice.
fn becomes_int4(scene: &Scene, checkpoint: &str, corpus: &str) {
    let blob = scene.path("int4.fathom");
    let export = |checkpoint: &str, more: &[&str], rounding: &str| {
        let said = succeed(&mut exporter(&[&["export", checkpoint, "--dtype", "int4", "--out", &blob], more].concat()));
        let written = std::fs::read(&blob).unwrap();
        assert_eq!(said, format!("{blob}: {} bytes, int4 {rounding}\n", written.len()));
        evaluates(&blob, corpus, "int4 blob");
        written
    };
    let rows = export(checkpoint, &[], "rounded row by row: --calibration-text loses less");
    let on_text = export(checkpoint, &["--calibration-text", corpus], "rounded on the calibration text");
    assert!(rows.len() == on_text.len() && rows != on_text);
    assert!(export(checkpoint, &["--calibration-text", corpus], "rounded on the calibration text") == on_text);

    let tuned = scene.path("tuned");
    let recipe = std::fs::read_to_string(RECIPE).unwrap();
    let stages = "[[stage]]\nkind = \"quantise\"\nbits = 4\ntokens = 512\nbatch = 4\nlearning_rate = 1e-3\nimitation = 0.5\n\
                  [[stage]]\nkind = \"routers\"\ntokens = 256\nbatch = 4\nlearning_rate = 1e-3\n";
    let recipe = scene.write("int4.toml", (recipe.split("[[stage]]").next().unwrap().to_owned() + stages).as_bytes());
    let train = ["train", &recipe, "--from", checkpoint, "--corpus", corpus, "--out", &tuned];
    assert_eq!(succeed(&mut exporter(&train)), "");
    let again = ["train", &recipe, "--from", &tuned, "--corpus", corpus, "--out", &tuned, "--force"];
    refuse(&mut exporter(&again), scene.folder(), &["--from and --out are the same folder"]);
    let calibrate = ["calibrate", &tuned, "--corpus", corpus, "--dtype", "int4", "--targets", "0,0.2", "--default", "0.2"];
    assert!(succeed(&mut exporter(&calibrate)).starts_with("int4 as trained\ntarget"));
    export(&tuned, &[], "as trained");
    let refused = ["export", checkpoint, "--calibration-text", corpus, "--out", &blob];
    refuse(&mut exporter(&refused), scene.folder(), &["--calibration-text is for --dtype int4"]);
}

fn inspects(blob: &str, dtype: &str, bytes: usize) {
    let text = succeed(&mut exporter(&["inspect", blob]));
    assert!(text.starts_with(&format!("{blob}: {bytes} bytes, ")) && text.to_lowercase().contains(dtype), "{text}");
    for word in ["geometry", "variants", "routing", "provenance", "operating points", " *0  saves", "  1  saves", "arena"] {
        assert!(text.contains(word), "no {word}: {text}");
    }
    let found = json(&succeed(&mut exporter(&["inspect", blob, "--json"])));
    assert_eq!(keys(&found), ["arena", "bytes", "header", "schema", "sections"]);
    assert_eq!((&found["schema"], &found["bytes"]), (&"fathom-inspect/1".into(), &bytes.into()));
    let parts = found["arena"]["parts"].as_object().unwrap().values().map(|part| part.as_u64().unwrap()).sum::<u64>();
    assert_eq!(found["arena"]["bytes"], parts);
    let smaller = json(&succeed(&mut exporter(&["inspect", blob, "--json", "--tile", "1"])));
    assert!(smaller["arena"]["bytes"].as_u64() < found["arena"]["bytes"].as_u64());
    let sections = found["sections"].as_array().unwrap();
    let tensors = succeed(&mut exporter(&["inspect", blob, "--tensors"]));
    assert!(tensors.lines().count() > sections.len());
}

fn evaluates(model: &str, corpus: &str, engine: &str) {
    let base = ["eval", model, "--corpus", corpus];
    let eval = |more: &[&str]| json(&succeed(&mut exporter(&[&base[..], &["--json"], more].concat())));
    let found = eval(&[]);
    let work = ["active", "attended", "bits_per_character", "engine", "nats", "part", "schema", "split"];
    assert_eq!(keys(&found), [&work[..], &["tlops_saved", "tokens", "tokens_per_depth"]].concat());
    assert_eq!((&found["schema"], &found["engine"]), (&"fathom-eval/1".into(), &engine.into()));
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    let bits = number(&found, "nats") / std::f64::consts::LN_2;
    assert!((number(&found, "bits_per_character") - bits).abs() < 1e-9, "{found}");
    assert_eq!(found["active"].as_array().unwrap().len(), 3);

    // The default point is the cheapest of two, the dearest is full depth.
    assert_eq!(eval(&["--effort", "0"]), found);
    assert_eq!(eval(&["--effort", "1"]), eval(&["--full"]));
    // Of the calibrated element type within a point or two; the tiny model in int4 decides a few of its 300 tokens otherwise.
    let near = if engine.contains("int4") { 0.05 } else { 0.02 };
    assert!((number(&found, "tlops_saved") - 0.2).abs() < near, "{found}");
    assert_eq!(number(&eval(&["--full"]), "tlops_saved"), 0.0);
    assert_eq!(eval(&["--tokens", "50"])["tokens"], 49);

    let text = succeed(&mut exporter(&base));
    let tokens = found["tokens"].as_u64().unwrap();
    assert!(
        text.starts_with(&format!("{engine}, {tokens} tokens of the validation part, split 90/10, hard routing\n")),
        "{text}"
    );
    assert!(text.contains(&format!("{:.4} nats", number(&found, "nats"))), "{text}");
}
