use fathom_tests::commands::{Ran, Scene, host_sim, refuse, run, succeed};
use fathom_tests::targets::CORTEX_M4;
use serde_json::{Value, json};

struct Verdicts {
    scene: Scene,
    image: String,
    blob: String,
    report: Value,
}

impl Verdicts {
    fn new() -> Self {
        let scene = Scene::default();
        let blob = scene.blob("default-halt");
        let image = CORTEX_M4.image().into_os_string().into_string().unwrap();
        let json = scene.path("base.json");
        succeed(&mut host_sim(&["run", "-q", "--image", &image, "--model", &blob, "--prompt", "a to", "--json", &json]));
        let report = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        Self { scene, image, blob, report }
    }

    /// Compares the base with a copy of it that was changed.
    fn compare(&self, change: impl FnOnce(&mut Value), options: &[&str]) -> Ran {
        let mut new = self.report.clone();
        change(&mut new);
        let (base, new) = (self.scene.path("base.json"), self.scene.write("new.json", new.to_string().as_bytes()));
        run(host_sim(&[&["compare", &base, &new], options].concat()).env_remove("GITHUB_STEP_SUMMARY"))
    }

    fn budget(&self, text: &str) -> Ran {
        let budget = self.scene.write("budget.toml", text.as_bytes());
        let run = ["run", "-q", "--image", &self.image, "--model", &self.blob, "--prompt", "a to", "--budget", &budget];
        fathom_tests::commands::run(&mut host_sim(&run))
    }

    fn count(&self, pointer: &str) -> u64 {
        self.report.pointer(pointer).and_then(Value::as_u64).unwrap()
    }
}

/// Multiplies a number in a report.
fn scale(pointer: &'static str, percent: u64) -> impl FnOnce(&mut Value) {
    move |report| {
        let number = report.pointer_mut(pointer).unwrap();
        *number = json!(number.as_u64().unwrap() * percent / 100);
    }
}

#[test]
fn compare_passes_what_is_the_same_better_or_within_the_limit_and_fails_what_is_worse() {
    let verdicts = Verdicts::new();
    let mean = "/cycles/per_token_mean";
    let cases: [(u64, i32, &str); 4] = [
        (100, 0, "### Fathom: no change"),
        (90, 0, "| better |"),
        (101, 0, "| within the limit |"),
        (110, 1, "| **beyond the limit** |"),
    ];
    for (percent, code, part) in cases {
        let ran = verdicts.compare(scale(mean, percent), &["--max-regression", "2%"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{percent}%: {ran:?}");
        assert!(ran.stdout.contains(part) && ran.stdout.contains("modelled"), "{percent}%: {}", ran.stdout);
    }
    assert_eq!(verdicts.compare(scale(mean, 110), &["--max-regression", "11"]).code, Some(0));
    assert_eq!(verdicts.compare(scale(mean, 110), &["--metric", "instructions"]).code, Some(0));
    assert_eq!(verdicts.compare(scale("/regions/mlp", 150), &[]).code, Some(0), "a part of a total");
    assert_eq!(verdicts.compare(scale("/regions/mlp", 150), &["--metric", "regions.mlp"]).code, Some(1));
}

#[test]
fn compare_writes_json_and_speaks_to_github() {
    let verdicts = Verdicts::new();
    let (json, summary) = (verdicts.scene.path("compared.json"), verdicts.scene.write("summary.md", b"before\n"));
    let ran = verdicts.compare(scale("/memory/arena", 200), &["--json", &json]);
    assert_eq!(ran.code, Some(1));
    let compared: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((&compared["schema"], &compared["within"]), (&json!("fathom-compare/1"), &json!(false)));
    let changes = compared["changes"].as_array().unwrap();
    let change = changes.iter().find(|change| change["metric"] == "memory.arena").unwrap();
    assert_eq!((change["change_percent"].as_f64(), &change["verdict"]), (Some(100.0), &json!("exceeded")));

    let (base, new) = (verdicts.scene.path("base.json"), verdicts.scene.path("new.json"));
    let github = run(host_sim(&["compare", &base, &new, "--github"]).env("GITHUB_STEP_SUMMARY", &summary));
    assert_eq!((github.code, &github.stdout), (Some(1), &ran.stdout), "stdout is the table alone");
    let annotations: Vec<&str> = github.stderr.lines().collect();
    assert!(annotations.len() == 1 && annotations[0].starts_with("::error title="), "{annotations:?}");
    assert_eq!(std::fs::read_to_string(summary).unwrap(), format!("before\n{}", github.stdout));
}

#[test]
fn compare_knows_the_reports_of_exec() {
    let verdicts = Verdicts::new();
    let exec = |cycles: u64| {
        json!({
            "schema": "fathom-exec/1", "core": "cortex-m4", "memory_profile": "zero-wait", "cost_table": "x/1", "clock_hz": 1,
            "image": "a.elf", "arguments": [], "ended": "exit", "exit_code": 0, "instructions": 10, "cycles": cycles,
            "stalls": { "fetch": 0, "data": 0 }, "stack_peak": 64,
        })
        .to_string()
    };
    let base = verdicts.scene.write("a.json", exec(100).as_bytes());
    for (cycles, code) in [(100, 0), (102, 0), (103, 1)] {
        let new = verdicts.scene.write("b.json", exec(cycles).as_bytes());
        assert_eq!(run(&mut host_sim(&["compare", &base, &new])).code, Some(code), "{cycles}");
    }
}

#[test]
fn rejects_comparisons_that_mean_nothing() {
    let verdicts = Verdicts::new();
    let scene = &verdicts.scene;
    let base = scene.path("base.json");
    for (pointer, value, name) in [
        ("/core", json!("cortex-m7"), "core"),
        ("/memory_profile", json!("nrf52840"), "memory_profile"),
        ("/cost_table", json!("x/9"), "cost_table"),
        ("/request/prompt", json!("b"), "request.prompt"),
        ("/request/seed", json!(7), "request.seed"),
    ] {
        let mut report = verdicts.report.clone();
        *report.pointer_mut(pointer).unwrap() = value;
        let new = scene.write("other.json", report.to_string().as_bytes());
        refuse(&mut host_sim(&["compare", &base, &new]), scene.folder(), &[&format!("differ in {name}, "), "--force"]);
        succeed(&mut host_sim(&["compare", &base, &new, "--force"]));
    }
    let (broken, list) = (scene.write("broken.json", b"{"), scene.write("list.json", b"[]"));
    refuse(&mut host_sim(&["compare", &base, &broken]), scene.folder(), &["broken.json", "EOF"]);
    refuse(&mut host_sim(&["compare", &list, &base]), scene.folder(), &["list.json names no schema"]);
    refuse(&mut host_sim(&["compare", &base, &scene.path("none.json")]), scene.folder(), &["cannot read", "No such file"]);
    refuse(&mut host_sim(&["compare", &base, &base, "--metric", "speed"]), scene.folder(), &["no metric speed", "cycles.total"]);
    let out = format!("{base}/below");
    refuse(&mut host_sim(&["compare", &base, &base, "--json", &out]), scene.folder(), &["cannot write", &out]);
    assert_eq!(run(&mut host_sim(&["compare", &base, &base, "--max-regression", "-1%"])).code, Some(2));
}

#[test]
fn a_budget_is_kept_up_to_its_limits_and_fails_beyond_them() {
    let verdicts = Verdicts::new();
    let (mean, stack) = (verdicts.count("/cycles/per_token_mean"), verdicts.count("/memory/stack_peak"));
    let budget = |mean: u64| format!("core = \"cortex-m4\"\n[limits]\ncycles_per_token_mean = {mean}\nstack_peak = {stack}\n");
    let kept = verdicts.budget(&budget(mean));
    assert_eq!(kept.code, Some(0), "{kept:?}");
    assert!(kept.stdout.contains("budget.toml: all 2 limits kept") && !kept.stdout.contains("EXCEEDED"), "{}", kept.stdout);
    let beyond = verdicts.budget(&budget(mean - 1));
    assert_eq!((beyond.code, beyond.stderr.as_str()), (Some(1), ""), "{beyond:?}");
    assert!(beyond.stdout.contains("budget.toml: 1 of 2 limits exceeded"), "{}", beyond.stdout);
    assert_eq!(beyond.stdout.matches("EXCEEDED").count(), 1);
    assert!(beyond.stdout.lines().any(|line| line.contains("cycles_per_token_mean") && line.ends_with("EXCEEDED")));
}

#[test]
fn rejects_budgets_that_mean_nothing_before_the_run() {
    let verdicts = Verdicts::new();
    let cases: [(&str, &[&str]); 5] = [
        ("[limits", &["is malformed", "line 1"]),
        ("[limits]\nspeed = 1\n", &["unknown key limits.speed: known are cycles_per_token_mean", "stack_peak"]),
        ("[limits]\narena = 1.5\n", &["limits.arena", "a whole number"]),
        ("", &["sets no limit"]),
        ("core = \"cortex-m7\"\n[limits]\narena = 1\n", &["is for core cortex-m7, this run has cortex-m4"]),
    ];
    for (text, parts) in cases {
        let ran = verdicts.budget(text);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(1), "", 1), "{text:?}: {ran:?}");
        assert!(
            ran.stderr.starts_with("host-sim: ") && parts.iter().all(|part| ran.stderr.contains(part)),
            "{text:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn the_default_model_keeps_the_committed_budget() {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let budget = format!("{workspace}/firmware/budget.toml");
    let model = format!("{workspace}/firmware/models/default.fathom");
    let image = CORTEX_M4.image().into_os_string().into_string().unwrap();
    let ran = run(&mut host_sim(&["run", "-q", "--image", &image, "--model", &model, "--budget", &budget]));
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains("limits kept"), "{}", ran.stdout);
}

/// 1 MiB of flash, of which the image has what lies before the model, and, of the 256 KiB of RAM, no more than 192 in use.
#[test]
fn every_committed_model_runs_on_the_board_of_the_default_one() {
    let scene = Scene::default();
    let (models, json) = (concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware/models"), scene.path("run.json"));
    let image = CORTEX_M4.image().into_os_string().into_string().unwrap();
    let mut ran = 0;
    for entry in std::fs::read_dir(models).unwrap() {
        let path = entry.unwrap().path();
        let model = path.to_str().unwrap();
        if !model.ends_with(".fathom") || model.contains("int4") {
            continue; // int4 has an image of its own
        }
        succeed(&mut host_sim(&["run", "-q", "--image", &image, "--model", model, "--tokens", "4", "--json", &json]));
        let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
        assert_eq!(report["generated_tokens"], 4, "{model}");
        let peak = |memory: &str| -> u64 {
            let areas = report["memory"]["areas"].as_array().unwrap().iter().filter(|area| area["memory"] == memory);
            areas.map(|area| area["peak"].as_u64().unwrap()).sum()
        };
        assert!(peak("flash") <= 1 << 20, "{model}: {} bytes of flash", peak("flash"));
        assert!(peak("ram") <= 192 << 10, "{model}: {} bytes of RAM", peak("ram"));
        ran += 1;
    }
    assert!(ran >= 3, "{ran}");
}
