use super::sweep::{recipes, sweep};
use fathom_tests::commands::{Scene, exporter, refuse, succeed};
use std::path::Path;

/// The share of pixels that are not white.
fn inked(png: &Path) -> f64 {
    let mut reader = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(png).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let bytes = reader.next_frame(&mut pixels).unwrap().buffer_size();
    pixels[..bytes].chunks(4).filter(|pixel| **pixel != [255; 4]).count() as f64 / (bytes / 4) as f64
}

#[test]
fn the_pictures_of_a_sweep_name_its_recipes_and_are_the_same_every_time() {
    let scene = Scene::default();
    let (runs, out, again) = (scene.path("runs"), scene.path("out"), scene.path("again"));
    succeed(&mut sweep(&scene, &recipes(&scene), &runs));
    let results = format!("{runs}/sweep.jsonl");
    let printed = succeed(&mut exporter(&["plot", &results, "--out", &out]));
    assert_eq!(printed.lines().count(), 6, "{printed}");
    let table = succeed(&mut exporter(&["table", &results]));
    assert!(table.contains("\n| dense | 2 | dense | 0.0% |") && table.contains("\n| halt | 2 | full | 0.0% |"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&succeed(&mut exporter(&["table", &results, "--json"]))).unwrap();
    assert_eq!(
        (json["schema"].as_str(), json["rows"].as_array().unwrap().len()),
        (Some("fathom-table/1"), table.lines().count() - 2)
    );
    let twice = format!("{results}: halt, seed 1, was measured twice");
    refuse(&mut exporter(&["table", &results, &results]), scene.folder(), &[&twice]);
    // Results alone, in two files.
    let lines = std::fs::read_to_string(&results).unwrap();
    let (halt, dense): (Vec<&str>, Vec<&str>) = lines.lines().partition(|line| line.contains("\"halt\""));
    let halves = [("one", halt), ("two", dense)].map(|(name, lines)| scene.write(name, (lines.join("\n") + "\n").as_bytes()));
    assert_eq!(succeed(&mut exporter(&["table", &halves[0], &halves[1]])).lines().count(), table.lines().count());
    let alone = scene.path("alone");
    assert_eq!(succeed(&mut exporter(&["plot", &halves[0], &halves[1], "--out", &alone])).lines().count(), 2);
    succeed(&mut exporter(&["plot", &results, "--out", &again]));
    for name in ["pareto", "curves", "blocks"] {
        let file = |folder: &str, extension: &str| Path::new(folder).join(name).with_extension(extension);
        let svg = std::fs::read_to_string(file(&out, "svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("\nhalt\n"), "{name}: {svg}");
        assert_eq!(svg.contains("\ndense\n"), name != "blocks", "{name}: dense models have no routers");
        let share = inked(&file(&out, "png"));
        assert!((0.01..0.5).contains(&share), "{name}: {share} of the picture is not white");
        for extension in ["svg", "png"] {
            assert!(std::fs::read(file(&out, extension)).unwrap() == std::fs::read(file(&again, extension)).unwrap());
        }
    }
}

#[test]
fn a_run_is_watched_at_each_character() {
    let scene = Scene::default();
    let (runs, out, corpus) = (scene.path("runs"), scene.path("out"), scene.path("corpus.txt"));
    succeed(&mut sweep(&scene, &recipes(&scene), &runs));
    let results = format!("{runs}/sweep.jsonl");
    let plot = |out: &str, run: &str, extra: &[&str]| {
        exporter(&[&["plot", &results, "--out", out, "--corpus", &corpus, "--run", run], extra].concat())
    };
    succeed(&mut plot(&out, "halt-s1", &["--target", "0.3", "--from", "7"]));
    for name in ["passage", "surprise"] {
        let file = Path::new(&out).join(name);
        assert!(std::fs::read_to_string(file.with_extension("svg")).unwrap().contains("halt-s1: "));
        assert!((0.01..0.95).contains(&inked(&file.with_extension("png"))));
    }
    let passage = std::fs::read_to_string(Path::new(&out).join("passage.svg")).unwrap();
    let letter = |letter: char| passage.matches(&format!("\n{letter}\n")).count();
    assert!(letter('t') > 5 && letter('q') == 0, "the passage is the text");

    let none = scene.path("none");
    refuse(&mut plot(&none, "dense-s1", &[]), scene.folder(), &["dense-s1 has no routers"]);
    refuse(&mut plot(&none, "halt-s9", &[]), scene.folder(), &["halt-s9", "No such file"]);
    refuse(&mut plot(&none, "halt-s1", &["--from", "100000"]), scene.folder(), &["--from 100000: the text has"]);
    scene.write("corpus.txt", std::fs::read_to_string(&corpus).unwrap().repeat(2).as_bytes());
    refuse(&mut plot(&none, "halt-s1", &[]), scene.folder(), &["halt-s1 was trained on another corpus"]);
}

#[test]
fn what_is_no_sweep_is_neither_drawn_nor_tabled() {
    let scene = Scene::default();
    let out = scene.path("out");
    let (empty, other) = (scene.write("empty.jsonl", b""), scene.write("other.jsonl", b"{\"loss\": 1}\n"));
    for (file, parts) in [
        (&scene.path("missing"), ["cannot read", "missing"]),
        (&empty, ["empty.jsonl", "no points"]),
        (&other, ["other.jsonl", "line 1: not a point"]),
    ] {
        refuse(&mut exporter(&["plot", file, "--out", &out]), scene.folder(), &parts);
        refuse(&mut exporter(&["table", file]), scene.folder(), &parts);
    }
}
