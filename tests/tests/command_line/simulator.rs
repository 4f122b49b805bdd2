use fathom_tests::commands::{Scene, host_sim, succeed};
use fathom_tests::targets::CORTEX_M4;
use serde_json::Value;
use std::process::{Command, Stdio};

/// Characters of the prompt that every run is given.
const PROMPT: &str = "a to";
/// Context of the tiny models.
const CONTEXT: u64 = 16;

struct Simulator {
    scene: Scene,
    blob: String,
    image: String,
}

impl Simulator {
    fn new() -> Self {
        let scene = Scene::default();
        let blob = scene.blob("default-halt");
        Self { scene, blob, image: CORTEX_M4.image().into_os_string().into_string().unwrap() }
    }

    /// Standard output and the bytes of the report.
    fn run(&self, options: &[&str]) -> (String, String) {
        let json = self.scene.path("run.json");
        let base = ["run", "--image", &self.image, "--model", &self.blob, "--prompt", PROMPT, "--json", &json];
        let text = succeed(&mut host_sim(&[&base[..], options].concat()));
        (text, std::fs::read_to_string(json).unwrap())
    }

    fn report(&self, options: &[&str]) -> Value {
        serde_json::from_str(&self.run(options).1).unwrap()
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_report_has_exactly_its_schema() {
    let simulator = Simulator::new();
    let report = simulator.report(&["--tokens", "8"]);
    #[rustfmt::skip]
    let wanted = [
        "clock_hz", "core", "cost_table", "cycles", "depth", "energy", "generated_tokens", "instructions", "memory",
        "memory_profile", "model_crc32", "places", "prompt", "prompt_tokens", "regions", "request", "schema", "stalls", "text",
        "tokens",
    ];
    assert_eq!(keys(&report), wanted);
    assert_eq!(keys(&report["cycles"]), ["per_token_max", "per_token_mean", "per_token_p95", "prefill_per_token", "total"]);
    assert_eq!(keys(&report["depth"]), ["blocks", "mean", "per_token", "tlops_saved"]);
    assert_eq!(keys(&report["memory"]), ["areas", "arena", "flash_code", "flash_model", "stack_peak"]);
    assert_eq!(keys(&report["request"]), ["cycle_budget", "effort", "prompt", "seed", "temperature", "tokens", "top_k"]);
    assert_eq!(keys(&report["prompt"][0]), ["active", "bytes", "depth"]);
    assert_eq!(keys(&report["tokens"][0]), ["active", "bytes", "cycles", "depth", "position", "token"]);
    assert_eq!(keys(&report["places"][1]), ["active_tokens", "block", "cycles", "regions"]);
    assert_eq!(keys(&report["memory"]["areas"][0]), ["memory", "name", "peak", "size", "start"]);
    assert_eq!(report["schema"], "fathom-run/1");
    for key in ["core", "memory_profile", "cost_table", "text"] {
        assert!(report[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {report}");
    }
    for key in ["clock_hz", "prompt_tokens", "generated_tokens", "instructions"] {
        assert!(report[key].as_u64().is_some_and(|count| count > 0), "{key}: {report}");
    }
    for group in ["cycles", "regions"] {
        let values = report[group].as_object().unwrap();
        assert!(!values.is_empty() && values.values().all(Value::is_u64), "{group}: {report}");
    }
    // What the figures must say of one another.
    let count = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap();
    assert_eq!((count("/prompt_tokens"), count("/generated_tokens"), count("/clock_hz")), (4, 8, 64_000_000));
    assert_eq!(report["text"].as_str().unwrap().len(), 8);
    let depths: Vec<u64> = report["depth"]["per_token"].as_array().unwrap().iter().map(|depth| depth.as_u64().unwrap()).collect();
    assert!(depths.len() == 8 && depths.iter().all(|depth| (1..=3).contains(depth)), "{report}");
    assert_eq!(count("/depth/blocks"), 3);
    let mean = depths.iter().sum::<u64>() as f64 / 8.0;
    assert_eq!(report["depth"]["mean"].as_f64(), Some(mean));
    assert!((report["depth"]["tlops_saved"].as_f64().unwrap() - (1.0 - mean / 3.0)).abs() < 1e-12, "{report}");
    assert!(count("/cycles/per_token_mean") <= count("/cycles/per_token_max"));
    assert!(count("/cycles/per_token_p95") <= count("/cycles/per_token_max"));
    let regions: u64 = report["regions"].as_object().unwrap().values().map(|cycles| cycles.as_u64().unwrap()).sum();
    assert!(regions < count("/cycles/total"), "the regions begin at the request");
    assert!(8 * count("/cycles/per_token_mean") + 4 * count("/cycles/prefill_per_token") < count("/cycles/total"));
    assert_eq!(count("/memory/flash_model"), std::fs::metadata(&simulator.blob).unwrap().len());
    fathom_host_sim::report::Report::judge("run.json".as_ref(), report).unwrap();
}

#[test]
fn json_has_standard_output_for_itself() {
    let simulator = Simulator::new();
    let Simulator { scene, blob, image } = &simulator;
    let json = simulator.run(&["--tokens", "8"]).1;
    let request = ["--image", image, "--model", blob, "--prompt", PROMPT, "--tokens", "8", "--json", "-"];
    let said = |arguments: &[&str]| succeed(host_sim(arguments).current_dir(scene.folder()));
    let before = std::fs::read_dir(scene.folder()).unwrap().count();
    assert_eq!(said(&[&["run"], &request[..]].concat()), json);
    let profile: Value = serde_json::from_str(&said(&[&["profile"], &request[..]].concat())).unwrap();
    assert_eq!(profile["core"], "cortex-m4");
    let base = scene.path("run.json");
    let compared: Value = serde_json::from_str(&said(&["compare", &base, &base, "--json", "-"])).unwrap();
    assert_eq!(compared["within"], true);
    assert_eq!(std::fs::read_dir(scene.folder()).unwrap().count(), before, "a file named -");
}

#[test]
fn a_report_replaces_what_a_link_leads_to_and_not_the_link() {
    let simulator = Simulator::new();
    let (link, real) = (simulator.scene.path("run.json"), simulator.scene.path("real.json"));
    std::os::unix::fs::symlink("other.json", &link).unwrap();
    std::os::unix::fs::symlink("real.json", simulator.scene.path("other.json")).unwrap();
    for there in [false, true] {
        assert_eq!(std::fs::exists(&real).unwrap(), there);
        let (_, json) = simulator.run(&["--tokens", if there { "2" } else { "1" }]);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), json);
    }
}

#[test]
fn tokens_places_and_areas_add_up_to_the_totals() {
    let simulator = Simulator::new();
    let (_, json) = simulator.run(&["--tokens", "8"]);
    let report = fathom_host_sim::report::Report::judge("run.json".as_ref(), serde_json::from_str(&json).unwrap()).unwrap();

    let prompt: Vec<u8> = report.prompt.iter().flat_map(|token| token.bytes.clone()).collect();
    assert_eq!(prompt, PROMPT.as_bytes());
    let text: Vec<u8> = report.tokens.iter().flat_map(|token| token.bytes.clone()).collect();
    assert_eq!(String::from_utf8(text).unwrap(), report.text);
    assert!(report.tokens.iter().map(|token| token.position).eq(4..12));
    assert_eq!(report.tokens.iter().map(|token| token.cycles).max(), Some(report.cycles.per_token_max));

    assert!(report.places.iter().map(|place| place.block).eq([None, Some(0), Some(1), Some(2)]));
    assert_eq!(report.places[1].active_tokens, Some(12), "the first block has no router");
    for (region, cycles) in &report.regions {
        let sum: u64 = report.places.iter().filter_map(|place| place.regions.get(region)).sum();
        assert_eq!(sum, *cycles, "{region}");
    }
    for place in &report.places {
        assert_eq!(place.cycles, place.regions.values().sum::<u64>());
        let within = ["router", "norm", "projection", "attention", "mlp"];
        assert!(place.regions.keys().all(|region| within.contains(&region.as_str()) == place.block.is_some()), "{place:?}");
    }
    // Cycles of the tokens are those of the regions, but for what lies between the tokens.
    let tokens = report.tokens.iter().map(|token| token.cycles).sum::<u64>() + 4 * report.cycles.prefill_per_token;
    let regions = report.regions.values().sum::<u64>();
    assert!(tokens < regions + 4 && regions - tokens < regions / 10, "{tokens} of {regions}");

    let memory = &report.memory;
    let peak = |name: &str| u64::from(memory.areas.iter().find(|area| area.name == name).unwrap().peak);
    assert_eq!(
        [peak("code"), peak("model"), peak("stack"), peak("heap")],
        [memory.flash_code, memory.flash_model, memory.stack_peak, memory.arena]
    );
    assert!(memory.areas.iter().all(|area| area.peak > 0 && area.peak <= area.size), "{:?}", memory.areas);
    let mut ends: Vec<(u32, u32)> = memory.areas.iter().map(|area| (area.start, area.start + area.size)).collect();
    ends.sort_unstable();
    assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "areas overlap: {:?}", memory.areas);
}

#[test]
fn depths_stand_below_the_text_in_plain_characters() {
    let simulator = Simulator::new();
    let (out, json) = simulator.run(&["--tokens", "8"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert!(!out.contains('\x1b'), "{out}");
    let (answer, table) = out.split_once("\n\n").unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    let (mut text, mut depths) = (String::new(), String::new());
    for pair in lines.chunks(2) {
        text += pair[0];
        depths += pair[1];
        if pair[1].len() > pair[0].len() {
            text.push('\n');
        }
    }
    assert_eq!(text, format!("{PROMPT}{}", report["text"].as_str().unwrap()));
    let generated: String = report["depth"]["per_token"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert!(depths.len() == 12 && depths.ends_with(&generated), "{answer}");
    for row in ["tokens (prompt + generated)", "mean depth", "token-layer operations saved", "tokens/s at 64 MHz", "flash", "RAM"]
    {
        assert!(table.contains(row), "no {row}: {table}");
    }
}

#[test]
fn a_terminal_gets_shades_unless_no_color_is_set() {
    let simulator = Simulator::new();
    let run = host_sim(&[
        "run",
        "--quiet",
        "--tokens",
        "4",
        "--prompt",
        PROMPT,
        "--image",
        &simulator.image,
        "--model",
        &simulator.blob,
    ]);
    let words = std::iter::once(run.get_program()).chain(run.get_args()).map(|word| format!("'{}'", word.to_str().unwrap()));
    let line = words.collect::<Vec<_>>().join(" ");
    // `script` (Debian's essential bsdutils) gives the program a terminal.
    let shown = |no_color: Option<&str>| {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null()).env_remove("NO_COLOR");
        succeed(command.envs(no_color.map(|value| ("NO_COLOR", value))))
    };
    assert_eq!(shown(None).matches("\x1b[38;5;").count(), 8, "one shade for each character");
    assert_eq!(shown(Some("")), shown(None), "an empty NO_COLOR is none");
    assert!(!shown(Some("1")).contains('\x1b'));
}

#[test]
fn two_runs_are_the_same_byte_for_byte() {
    let simulator = Simulator::new();
    let options = ["--temperature", "1.3", "--seed", "9", "--quiet"];
    assert_eq!(simulator.run(&options), simulator.run(&options));
}

#[test]
fn options_do_what_they_say() {
    let simulator = Simulator::new();
    let report = |options: &[&str]| simulator.report(options);
    let text = |options: &[&str]| report(options)["text"].as_str().unwrap().to_owned();

    assert_eq!(report(&["--tokens", "3"])["generated_tokens"], 3);
    assert_eq!(report(&["--tokens", "0"])["generated_tokens"], 0);
    assert_eq!(report(&["--tokens", "1000"])["generated_tokens"], CONTEXT - PROMPT.len() as u64);
    assert!(text(&["--tokens", "9"]).starts_with(&text(&["--tokens", "4"])));

    let greedy = text(&["--temperature", "0"]);
    assert_eq!(text(&["--temperature", "0", "--seed", "2"]), greedy, "nothing is drawn at temperature 0");
    assert_eq!(text(&["--top-k", "1", "--temperature", "2", "--seed", "3"]), greedy, "there is one to draw from");
    let hot = |seed| text(&["--temperature", "3", "--seed", seed]);
    assert_ne!(hot("1"), hot("2"));
    assert_ne!(hot("1"), greedy);

    let saved = |effort| report(&["--effort", effort, "--temperature", "0"])["depth"]["tlops_saved"].as_f64().unwrap();
    assert!(saved("0") >= saved("1"));
    assert_eq!(saved("1"), 0.0, "the dearest point is full depth");
    let [chosen, default] = [report(&["--effort", "0"]), report(&[])];
    assert_eq!((&chosen["text"], &chosen["depth"]), (&default["text"], &default["depth"]), "its default is the cheapest point");
}

#[test]
fn the_clock_changes_rates_and_nothing_else() {
    let simulator = Simulator::new();
    let ((slow, slow_json), (fast, fast_json)) = (simulator.run(&["--clock", "10MHz"]), simulator.run(&["--clock", "1GHz"]));
    let rate = |text: &str, row: &str| -> f64 {
        let line = text.lines().find(|line| line.contains(row)).unwrap_or_else(|| panic!("no {row}: {text}"));
        line.split_whitespace().next_back().unwrap().parse().unwrap()
    };
    let (slow_rate, fast_rate) = (rate(&slow, "tokens/s at 10 MHz"), rate(&fast, "tokens/s at 1000 MHz"));
    assert!((fast_rate / slow_rate - 100.0).abs() < 1.0, "{slow_rate} {fast_rate}");
    let without = |text: &str| text.lines().filter(|line| !line.contains("tokens/s")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without(&slow), without(&fast));
    let [mut slow, mut fast]: [Value; 2] = [&slow_json, &fast_json].map(|json| serde_json::from_str(json).unwrap());
    assert_eq!((slow["clock_hz"].take(), fast["clock_hz"].take()), (10_000_000.into(), 1_000_000_000.into()));
    assert_eq!(slow, fast);
}

#[test]
fn without_an_image_the_one_for_the_core_is_built_and_gives_the_same_text() {
    let simulator = Simulator::new();
    let wanted = simulator.report(&["--tokens", "4"]);
    for core in ["cortex-m0plus", "cortex-m3", "cortex-m33"] {
        let json = simulator.scene.path("core.json");
        let base = ["run", "--core", core, "--model", &simulator.blob, "--prompt", PROMPT, "--tokens", "4", "--json", &json];
        succeed(&mut host_sim(&base));
        let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
        assert_eq!(report["core"], core);
        assert_eq!(report["text"], wanted["text"], "{core}");
        assert_eq!(report["depth"], wanted["depth"], "{core}");
        assert_ne!(report["memory"]["flash_code"], wanted["memory"]["flash_code"], "{core}: another image");
    }
}
