//! `host-sim profile`: on the firmware with a tiny model, on images without what it would like to read, and on damaged ones.

use fathom_host_sim::image::Image;
use fathom_host_sim::profile::functions::Functions;
use fathom_host_sim::profile::symbols::Symbols;
use fathom_tests::commands::{Ran, Scene, host_sim, refuse, run, succeed};
use fathom_tests::guests::guest;
use fathom_tests::models::Random;
use fathom_tests::targets::CORTEX_M4;
use serde_json::Value;
use std::ops::Range;
use std::path::Path;

/// Calls `movs r0, #7; movs r1, #1; bx lr` at 0x50 three times, then ends by a semihosting call that says so of no success.
const CALLER: [u16; 12] = [0x2403, 0xf000, 0xf805, 0x3c01, 0xd1fb, 0x2018, 0xbeab, 0xe7fe, 0x2007, 0x2101, 0x4770, 0xbf00];

fn profile(scene: &Scene, options: &[&str]) -> (Ran, Value) {
    let json = scene.path("profile.json");
    let ran = run(&mut host_sim(&[&["profile", "--json", &json], options].concat()));
    (ran, serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap())
}

fn sum(rows: &Value, key: &str) -> u64 {
    rows.as_array().unwrap().iter().map(|row| row[key].as_u64().unwrap()).sum()
}

fn named<'a>(rows: &'a Value, name: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} in {rows:#}"))
}

#[test]
fn the_profile_of_the_firmware_adds_up_to_its_run_and_names_its_source() {
    let scene = Scene::default();
    let (blob, image) = (scene.blob("default-halt"), CORTEX_M4.image().into_os_string().into_string().unwrap());
    let asked = ["--image", &image, "--model", &blob, "--prompt", "a to", "--tokens", "8", "--quiet"];
    let [run_json, folded, svg] = ["run.json", "stacks.txt", "flame.svg"].map(|name| scene.path(name));
    succeed(&mut host_sim(&[&["run", "--json", &run_json], &asked[..]].concat()));
    let ran: Value = serde_json::from_str(&std::fs::read_to_string(run_json).unwrap()).unwrap();

    let options = [&asked[..], &["--folded", &folded, "--flamegraph", &svg, "--annotate"]].concat();
    let (first, report) = profile(&scene, &options);
    assert_eq!((first.code, report["schema"].as_str()), (Some(0), Some("fathom-profile/1")), "{}", first.stderr);
    assert_eq!(report["cycles"]["total"], ran["cycles"]["total"]);
    assert_eq!(report["instructions"], ran["instructions"]);
    assert_eq!(report["warnings"], Value::Array(Vec::new()));

    let functions = &report["functions"];
    assert_eq!(sum(functions, "exclusive"), report["cycles"]["total"].as_u64().unwrap());
    assert_eq!(sum(functions, "instructions"), report["instructions"].as_u64().unwrap());
    assert_eq!(sum(&report["classes"], "cycles"), report["cycles"]["total"].as_u64().unwrap());
    assert_eq!(named(functions, "Reset")["inclusive"], report["cycles"]["total"]);
    // One step for each generated token but the last, which needs no further logits, at least.
    let calls = named(functions, "fathom::linear::Linear::apply")["calls"].as_u64().unwrap();
    assert!(calls >= 7, "{calls}");
    let ours = |row: &&Value| row["file"].as_str().unwrap().starts_with("runtime/src/");
    let lines = report["lines"].as_array().unwrap();
    assert!(sum(&lines.iter().filter(ours).cloned().collect(), "exclusive") > 100_000);
    assert!(lines.iter().all(|row| row["line"].as_u64() > Some(0)));
    assert!(report["loops"][0]["function"].as_str().unwrap().contains("::"));

    let stacks = std::fs::read_to_string(&folded).unwrap();
    let cycles: u64 = stacks.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum();
    assert_eq!(cycles, report["cycles"]["total"].as_u64().unwrap());
    assert!(stacks.lines().any(|line| line.starts_with("Reset;main;") && line.contains("fathom::linear::Linear::apply;")));
    let picture = std::fs::read_to_string(&svg).unwrap();
    assert!(picture.starts_with("<?xml") && picture.contains("Linear::apply"));
    assert!(first.stdout.contains("Hottest loop") && first.stdout.contains("runtime/src/"));
    let widest = first.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?} columns");

    let (again, same) = profile(&scene, &options);
    assert_eq!((again.stdout, same), (first.stdout, report));
    assert_eq!(std::fs::read_to_string(&svg).unwrap(), picture);
}

#[test]
fn a_profile_under_a_function_leaves_out_the_rest() {
    let scene = Scene::default();
    let (blob, image) = (scene.blob("default-halt"), CORTEX_M4.image().into_os_string().into_string().unwrap());
    let asked = ["--image", &image, "--model", &blob, "--prompt", "a to", "--tokens", "8", "--quiet"];
    let (_, whole) = profile(&scene, &asked);
    let name = "fathom::linear::Linear::apply";
    let (ran, report) = profile(&scene, &[&asked[..], &["--under", "Linear::apply"]].concat());
    assert_eq!(ran.code, Some(0));
    let of_whole = named(&whole["functions"], name);
    assert_eq!(report["entries"], of_whole["calls"]);
    assert_eq!(report["cycles"]["total"], of_whole["inclusive"]);
    assert_eq!(named(&report["functions"], name)["inclusive"], of_whole["inclusive"]);
    let total = report["cycles"]["total"].as_u64().unwrap() + report["cycles"]["outside"].as_u64().unwrap();
    assert_eq!(total, whole["cycles"]["total"].as_u64().unwrap());

    let options = [&["profile"], &asked[..], &["--under", "no_such_function"]].concat();
    refuse(&mut host_sim(&options), scene.folder(), &["the image has no function no_such_function"]);
}

#[test]
fn an_image_without_debug_information_or_symbols_is_profiled_by_address() {
    let scene = Scene::default();
    for (is_named, caller) in [(true, "guilty"), (false, "0x00000040")] {
        let image = scene.write("guest.elf", &guest(&CALLER, is_named));
        let (ran, report) = profile(&scene, &[&image]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("the image has no debug information"), "{}", ran.stderr);
        let functions = &report["functions"];
        assert_eq!(sum(functions, "exclusive"), report["cycles"]["total"].as_u64().unwrap());
        assert_eq!(named(functions, caller)["inclusive"], report["cycles"]["total"]);
        if !is_named {
            let callee = named(functions, "0x00000050");
            assert_eq!((callee["calls"].as_u64(), callee["instructions"].as_u64()), (Some(3), Some(9)));
        }
        assert_eq!(report["lines"], Value::Array(Vec::new()));
    }
}

/// Where the sections whose names begin with `.debug_` lie in an ELF file.
fn debug_sections(elf: &[u8]) -> Vec<(String, Range<usize>)> {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap()) as usize;
    let half = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let header = |section: usize| word(32) + section * half(46);
    let strings = word(header(half(50)) + 16);
    let name = |section| {
        let name = &elf[strings + word(header(section))..];
        String::from_utf8_lossy(&name[..name.iter().position(|byte| *byte == 0).unwrap()]).into_owned()
    };
    let sections = (0..half(48)).map(|section| (name(section), word(header(section) + 16), word(header(section) + 20)));
    sections.filter(|(name, ..)| name.starts_with(".debug_")).map(|(name, at, length)| (name, at..at + length)).collect()
}

/// Names what 200 addresses of the code are; how many have a line.
fn resolve(elf: &[u8]) -> usize {
    let image = Image::parse(Path::new("damaged.elf"), elf.to_vec()).expect("only debug information is damaged");
    let functions = Functions::new(image.functions());
    let mut symbols = Symbols::new(&image.elf, false);
    let numbers = (0..functions.len() as u32).step_by(functions.len().div_ceil(200));
    let frames = numbers.map(|number| symbols.frames(&functions, number, functions.get(number).start));
    frames.filter(|frames| frames.iter().any(|frame| frame.line.is_some())).count()
}

#[test]
fn damaged_debug_information_costs_lines_and_never_more() {
    let whole = std::fs::read(CORTEX_M4.image()).unwrap();
    let sections = debug_sections(&whole);
    assert!(resolve(&whole) > 50 && sections.len() >= 5);
    let mut random = Random(5);
    for (name, range) in sections {
        for case in 0..12 {
            let mut elf = whole.clone();
            let bytes = &mut elf[range.clone()];
            match case {
                0 => bytes.fill(0),
                1 => bytes.fill(0xff),
                2 => bytes.iter_mut().for_each(|byte| *byte = random.bits() as u8),
                // The second half is gone.
                3 => bytes[range.len() / 2..].fill(0),
                _ => (0..1 << case).for_each(|_| bytes[random.below(range.len())] = random.bits() as u8),
            }
            println!("{name} case {case}: {} of 200 with lines", resolve(&elf));
        }
    }
}

#[test]
fn garbage_instead_of_debug_information_gives_a_warning_and_functions() {
    let scene = Scene::default();
    let mut elf = std::fs::read(CORTEX_M4.image()).unwrap();
    for (name, range) in debug_sections(&elf) {
        if name == ".debug_info" {
            elf[range].fill(0x5a);
        }
    }
    let (blob, image) = (scene.blob("default-halt"), scene.write("damaged.elf", &elf));
    let asked = ["--image", &image, "--model", &blob, "--prompt", "a to", "--tokens", "2", "--quiet"];
    let (ran, report) = profile(&scene, &asked);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the debug information is damaged"), "{}", ran.stderr);
    assert!(named(&report["functions"], "fathom::linear::Linear::apply")["calls"].as_u64() > Some(0));
    assert_eq!(sum(&report["functions"], "exclusive"), report["cycles"]["total"].as_u64().unwrap());
}
