//! What the documents say of files, tests, the format and the default model is so.

use fathom::Blob;
use fathom::format::prelude::{MAGIC, VERSION};
use fathom_tests::models::Aligned;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Pieces of a text between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|piece| !piece.contains('\n')).collect()
}

/// Every Rust source of the project, concatenated.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn paths_and_tests_named_in_the_documents_exist() {
    let mut all = String::new();
    for folder in ["runtime", "exporter", "firmware", "host-sim", "tests"] {
        sources(&workspace().join(folder), &mut all);
    }
    let mut checked = 0;
    let pages = [
        "README.md",
        "ARCHITECTURE.md",
        "host-sim/README.md",
        "host-sim/ACCURACY.md",
        "runtime/FORMAT.md",
        "firmware/models/default.md",
        "firmware/models/default-enwik8.md",
        "firmware/models/default-int4.md",
        "firmware/models/halt.md",
        "exporter/RESULTS.md",
        "exporter/RESULTS-EARLIER.md",
    ];
    for name in pages {
        for piece in quoted(&document(name)) {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
            let first = piece.split('/').next().unwrap_or_default();
            if ["runtime", "exporter", "firmware", "host-sim", "tests"].contains(&first)
                && piece.contains('/')
                && piece.bytes().all(plain)
            {
                assert!(workspace().join(piece).exists(), "{name} names {piece}");
                checked += 1;
            } else if piece.matches('_').count() >= 4
                && piece.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            {
                assert!(all.contains(&format!("fn {piece}(")), "{name} names the test {piece}");
                checked += 1;
            }
        }
    }
    assert!(checked > 25, "{checked}");
}

#[test]
fn the_code_in_the_readme_is_that_of_the_runtimes_tested_documentation() {
    let (readme, library) = (document("README.md"), document("runtime/src/lib.rs"));
    let code =
        readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("README shows the runtime's calls");
    assert!(code.lines().count() >= 6);
    for line in code.lines() {
        assert!(library.contains(&format!("//! {line}\n")), "runtime/src/lib.rs has no line: {line}");
    }
}

#[test]
fn the_format_document_is_of_the_version_that_the_code_writes() {
    let text = document("runtime/FORMAT.md");
    assert!(
        text.starts_with(&format!("# The blob format, version {VERSION}\n")),
        "the format changed: bring FORMAT.md up to date"
    );
    assert!(text.contains(&format!("\"{}\"", String::from_utf8_lossy(&MAGIC))));
}

/// Full depth stands beside the points to be compared with; a model that learned from the same text eight times may lose more there.
#[test]
fn operating_points_of_the_committed_models_lose_less_the_less_they_save() {
    let mut checked = 0;
    for entry in fs::read_dir(workspace().join("firmware/models")).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "fathom") {
            continue;
        }
        let bytes = Aligned::copy(&fs::read(&path).unwrap());
        let blob = Blob::parse(bytes.bytes()).unwrap();
        let points: Vec<_> = blob.header().operating_points.iter().filter(|point| point.saved > 0.01).collect();
        assert!(points.len() >= 5, "{}: {} operating points", path.display(), points.len());
        for pair in points.windows(2) {
            let falls = pair[0].saved > pair[1].saved && pair[0].loss_nats > pair[1].loss_nats;
            assert!(falls, "{}: {pair:?}", path.display());
        }
        checked += 1;
    }
    assert!(checked >= 3, "{checked}");
}

#[test]
fn operating_points_of_measured_adaptive_models_lose_less_the_more_cycles_they_take() {
    for file in ["exit-enwik8", "exit-enwik8-longer", "exit-enwik8-test", "exit-tinyshakespeare-90-10"] {
        let text = document(&format!("exporter/results/{file}.jsonl"));
        let points: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for seed in 1..=3 {
            let of_one_model = |point: &&Value| {
                point["recipe"] == "exit" && point["seed"] == seed && (point["kind"] == "routed" || point["kind"] == "full")
            };
            let figures = |point: &Value| (point["cycles"].as_f64().unwrap(), point["nats"].as_f64().unwrap());
            let mut found: Vec<(f64, f64)> = points.iter().filter(of_one_model).map(figures).collect();
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(found.len() >= 5, "{file}, seed {seed}: {found:?}");
            assert!(
                found.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1),
                "{file}, seed {seed}: {found:?}"
            );
        }
    }
}

#[test]
fn figures_of_the_default_model_are_those_in_its_blob() {
    let bytes = Aligned::copy(&fs::read(workspace().join("firmware/models/default.fathom")).unwrap());
    let blob = Blob::parse(bytes.bytes()).unwrap();
    let (page, readme) = (document("firmware/models/default.md"), document("README.md"));
    for (index, point) in blob.header().operating_points.iter().enumerate() {
        let saved = if point.saved < 5e-4 { "0%".into() } else { format!("{:.1}%", 100.0 * point.saved) };
        let figures = format!("{saved} | {:.4} |", point.loss_nats);
        let row = |text: &str| text.lines().find(|line| line.starts_with(&format!("| {index} "))).map(str::to_owned);
        let on_page = row(&page).expect("the model's page has a row per point");
        assert!(on_page.contains(&figures), "default.md: {on_page}; the blob says {figures}");
        if let Some(in_readme) = row(&readme) {
            assert!(in_readme.contains(&figures), "README.md: {in_readme}; the blob says {figures}");
        }
    }
    let provenance = &blob.header().provenance;
    assert!(page.contains(&fathom_host_sim::report::grouped(provenance.training_tokens)));
    let hash: String = provenance.corpus_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(page.contains(&hash));
}
