//! `host-sim bench`: its budgets on every core, its figures, and what it refuses.

use fathom::format::Element;
use fathom::format::bench::{Library, Work};
use fathom_host_sim::bench::budget::Budget;
use fathom_host_sim::bench::case::Case;
use fathom_host_sim::bench::model::Model;
use fathom_host_sim::bench::operands::Operands;
use fathom_host_sim::bench::{Bench, kernel, peers, table};
use fathom_host_sim::cmd::target::TargetOptions;
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::cores::CORES;
use fathom_tests::commands::{Scene, host_sim, refuse, run, succeed};
use fathom_tests::targets::{CORTEX_M4, TARGETS, Target};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn budget() -> Budget {
    Budget::read(&workspace("firmware/bench-budget.toml")).expect("the budget is well-formed")
}

fn kernels(target: &Target) -> Image {
    Image::read(&target.image().with_file_name("bench")).expect("the bench image is built with the firmware")
}

#[test]
fn budgets_are_kept_on_every_core() {
    let budget = budget();
    let blob = std::fs::read(workspace("firmware/models/halt.fathom")).expect("the model is committed");
    let mut seen = 0;
    let mut exceeded = String::new();
    for target in TARGETS {
        let Ok(limits) = budget.of(target.core.name, "zero-wait") else { continue };
        let options = TargetOptions { core: Some(target.core.name.into()), ..TargetOptions::default() };
        let (firmware, kernels) = (Image::read(&target.image()).unwrap(), kernels(&target));
        let (modelled, _) = options.resolve(&kernels).unwrap();
        let model = limits.iter().any(|limit| !matches!(limit.case, Case::Kernel(_)));
        let model = model.then(|| Model::new(&firmware, &modelled, &blob).unwrap());
        let mut bench = Bench::new(&modelled, &kernels, model);
        let rows: Vec<_> = limits.iter().map(|limit| bench.run(&limit.case).unwrap()).collect();
        let (text, kept) = budget.table(&limits, &rows);
        if !kept {
            exceeded += &format!("{}: {text}", target.core.name);
        }
        seen += limits.len();
    }
    assert!(exceeded.is_empty(), "{exceeded}");
    assert_eq!(seen, budget.limits.len(), "a limit is for a core that no target has");
}

#[test]
fn every_goal_has_a_budget() {
    let budget = budget();
    for core in CORES {
        for case in table::cases(core) {
            if table::goal(core, &case).is_some() {
                let found = budget.limits.iter().any(|limit| limit.core == core.name && limit.case == case);
                assert!(found, "{}: {case} has no limit", core.name);
            }
        }
    }
}

#[test]
fn versions_of_other_libraries_are_those_of_the_lock_file() {
    let lock = std::fs::read_to_string(workspace("Cargo.lock")).expect("the lock file is committed");
    for (name, library) in
        [("microflow", Library::Microflow), ("embedded-nn", Library::EmbeddedNn), ("embedded-nn", Library::EmbeddedNnInt4)]
    {
        let package = format!("name = \"{name}\"\nversion = \"{}\"\n", peers::version(library));
        assert!(lock.contains(&package), "{package}");
    }
}

#[test]
fn a_result_that_is_not_the_hosts_gives_no_figures() {
    let image = kernels(&CORTEX_M4);
    let (target, _) = TargetOptions::default().resolve(&image).unwrap();
    let product = |element| Work::Product { element, rows: 14, columns: 12, tokens: 3 };
    let attention = |element| Work::Attention { element, heads: 2, kv_heads: 1, head_dim: 8, positions: 5 };
    for work in
        [product(Element::Int8), product(Element::INT4), product(Element::F16), attention(Element::Int8), attention(Element::F16)]
    {
        let mut operands = Operands::new(&work).unwrap();
        let counts = kernel::run_on(&image, &target, work, &operands).unwrap();
        assert!(counts.cycles >= counts.instructions, "{counts:?}");
        // As if the kernel had left out a weight.
        let weights = work.operands().unwrap().weights.range();
        operands.region[weights][3] ^= 0x10;
        let error = kernel::run_on(&image, &target, work, &operands).unwrap_err().to_string();
        assert!(error.contains("is not the host's"), "{error}");
    }
}

#[test]
fn figures_are_the_same_every_time_and_grow_with_the_shape() {
    let image = kernels(&CORTEX_M4);
    let (target, _) = TargetOptions::default().resolve(&image).unwrap();
    let run =
        |rows, columns, tokens| kernel::run(&image, &target, Work::Product { element: Element::Int8, rows, columns, tokens });
    let cycles = |rows, columns, tokens| run(rows, columns, tokens).unwrap().cycles;
    let base = cycles(24, 24, 1);
    assert_eq!(base, cycles(24, 24, 1));
    assert!(base < cycles(48, 24, 1) && base < cycles(24, 48, 1) && base < cycles(24, 24, 2));
}

#[test]
fn bench_prints_a_table_and_writes_its_schema() {
    let scene = Scene::default();
    let (json, image) = (scene.path("bench.json"), CORTEX_M4.image().into_os_string().into_string().unwrap());
    let arguments =
        ["bench", "--image", &image, "--kernel", "gemm", "--rows", "12", "--cols", "16", "--tokens", "2", "--json", &json];
    let text = succeed(&mut host_sim(&arguments));
    assert!(text.starts_with("cortex-m4, zero-wait, table cortex-m4/") && text.contains("gemm int8 12x16, 2 tokens"), "{text}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(
        (&report["schema"], &report["core"], &report["memory_profile"]),
        (&"fathom-bench/1".into(), &"cortex-m4".into(), &"zero-wait".into())
    );
    let row = &report["rows"][0];
    assert_eq!((&row["kernel"], &row["dtype"]), (&"gemm".into(), &"int8".into()));
    let number = |key: &str| row[key].as_u64().unwrap();
    assert_eq!((number("rows"), number("cols"), number("tokens"), number("macs")), (12, 16, 2, 384));
    assert!(number("instructions") > 0 && row["cycles_per_mac"].as_f64() == Some(number("cycles") as f64 / 384.0));
}

#[test]
fn an_exceeded_budget_exits_with_1() {
    let scene = Scene::default();
    let image = CORTEX_M4.image().into_os_string().into_string().unwrap();
    let row = "memory_profile = \"zero-wait\"\n[[row]]\ncore = \"cortex-m4\"\nkernel = \"gemv\"\ndtype = \"int8\"\nrows = 12\ncols = 16\n";
    for (limit, code, verdict) in [("100.0", 0, "all 1 limits kept"), ("0.5", 1, "1 of 1 limits exceeded")] {
        let budget = scene.write("bench.toml", format!("{row}cycles_per_mac = {limit}\n").as_bytes());
        let ran = run(&mut host_sim(&["bench", "--image", &image, "--budget", &budget]));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""));
        assert!(ran.stdout.contains(verdict), "{}", ran.stdout);
    }
}

#[test]
fn rejects_shapes_models_and_budgets_that_cannot_be_benched() {
    let scene = Scene::default();
    let image = CORTEX_M4.image().into_os_string().into_string().unwrap();
    let (missing, text) = (scene.path("missing"), scene.write("text.fathom", &[b'a'; 100]));
    let other = scene.write("other.toml", b"memory_profile = \"zero-wait\"\nrow = []\n");
    let bad: [(&[&str], &[&str]); 8] = [
        (&["--kernel", "attention", "--heads", "4", "--kv-heads", "3"], &["no kernel takes attention int8 4x32 on 3"]),
        (&["--kernel", "gemv", "--cols", "6"], &["no kernel takes gemv int8 256x6", "multiples of 4"]),
        (&["--kernel", "gemv", "--tokens", "2"], &["gemv is for one token, not 2", "--kernel gemm"]),
        (&["--kernel", "gemv", "--rows", "8192", "--cols", "8192"], &["choose a smaller shape"]),
        (&["--kernel", "token", "--model", &missing], &["cannot read the model", "No such file"]),
        (&["--kernel", "token", "--model", &text], &["not a Fathom model"]),
        (&["--budget", &missing], &["cannot read the budget", "No such file"]),
        (&["--budget", &other], &["has no row for cortex-m4"]),
    ];
    for (arguments, parts) in bad {
        refuse(&mut host_sim(&[&["bench", "--image", &image], arguments].concat()), scene.folder(), parts);
    }
}
