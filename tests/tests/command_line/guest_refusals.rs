use fathom_tests::commands::{Scene, contents, host_sim, refuse, run};
use fathom_tests::guests::{elf, guest};
use fathom_tests::targets::CORTEX_M4;

/// `udf #1`.
const UNDEFINED: [u16; 1] = [0xde01];
/// `movs r0, #0x60; lsls r0, r0, #24; ldr r1, [r0]`: nothing lies at 0x6000_0000.
const UNMAPPED: [u16; 3] = [0x2060, 0x0600, 0x6801];

/// The arguments of a run of the real image, with every output that could be left behind.
fn arguments<'a>(image: &'a str, model: &'a str, json: &'a str) -> Vec<&'a str> {
    vec!["run", "--image", image, "--model", model, "--json", json, "--tokens", "4", "--prompt"]
}

fn image() -> String {
    CORTEX_M4.image().into_os_string().into_string().unwrap()
}

#[test]
fn rejects_prompts_that_the_model_cannot_read() {
    let (scene, image) = (Scene::default(), image());
    let (blob, json) = (scene.blob("default-halt"), scene.path("run.json"));
    let base = arguments(&image, &blob, &json);
    let bad: [(&str, &[&str]); 5] = [
        ("a token@", &["byte 7 of the prompt, '@'", "alphabet"]),
        ("é", &["byte 0 of the prompt, '\\xc3'", "alphabet"]),
        ("a token keeps a key.\n", &["the prompt has 21 bytes", "16", "shorten"]),
        ("", &["the prompt is empty"]),
        (&"a".repeat(1000), &["the prompt has 1000 bytes", "shorten"]),
    ];
    for (prompt, parts) in bad {
        refuse(&mut host_sim(&[&base[..], &[prompt]].concat()), scene.folder(), parts);
        refuse(&mut host_sim(&[&base[..], &[prompt, "--quiet"]].concat()), scene.folder(), parts);
    }
    let base = [&base[..], &["a token"]].concat();
    refuse(&mut host_sim(&[&base[..], &["--effort", "2"]].concat()), scene.folder(), &["2"]);
    refuse(&mut host_sim(&[&base[..], &["--temperature=-1"]].concat()), scene.folder(), &["--temperature is -1"]);
    refuse(&mut host_sim(&[&base[..], &["--temperature", "nan"]].concat()), scene.folder(), &["--temperature is NaN"]);
}

#[test]
fn rejects_models_that_the_image_cannot_use() {
    let (scene, image) = (Scene::default(), image());
    let (good, json) = (std::fs::read(scene.blob("default-halt")).unwrap(), scene.path("run.json"));
    let (mut corrupt, mut newer) = (good.clone(), good.clone());
    corrupt[good.len() / 2] ^= 1;
    newer[4] += 1;
    let bad: [(&str, &[u8], &[&str]); 6] = [
        ("truncated.fathom", &good[..good.len() / 2], &["truncated", "bytes wanted"]),
        ("corrupt.fathom", &corrupt, &["checksum"]),
        ("newer.fathom", &newer, &["version"]),
        ("empty.fathom", b"", &["empty"]),
        ("text.fathom", &[b'a'; 100], &["not a Fathom model"]),
        ("large.fathom", &vec![0; 1 << 20], &["the model has 1048576 bytes, its flash region only 966656"]),
    ];
    for (name, bytes, parts) in bad {
        let model = scene.write(name, bytes);
        refuse(&mut host_sim(&[&arguments(&image, &model, &json)[..], &["a token"]].concat()), scene.folder(), parts);
    }
    let missing = scene.path("missing.fathom");
    let parts = ["cannot read the model", "missing.fathom", "No such file"];
    refuse(&mut host_sim(&[&arguments(&image, &missing, &json)[..], &["a token"]].concat()), scene.folder(), &parts);
}

#[test]
fn rejects_images_that_are_not_for_this_core() {
    let scene = Scene::default();
    let (blob, json) = (scene.blob("dense"), scene.path("run.json"));
    let host = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut cut = std::fs::read(image()).unwrap();
    cut.truncate(3000);
    let bad: [(&str, &[u8], &[&str]); 6] = [
        ("riscv.elf", &elf(243, &[0; 64], &[]), &["riscv.elf is for ELF machine 243, not for Arm (40)"]),
        ("host.elf", &host, &["host.elf", "32-bit"]),
        ("text.elf", b"not an ELF file", &["text.elf is not a 32-bit little-endian ELF image"]),
        ("empty.elf", b"", &["empty.elf is not a 32-bit little-endian ELF image"]),
        ("cut.elf", &cut, &["cut.elf"]),
        ("plain.elf", &elf(40, &[0; 64], &[]), &["_model_start", "memory.x"]),
    ];
    for (name, bytes, parts) in bad {
        let image = scene.write(name, bytes);
        refuse(&mut host_sim(&[&arguments(&image, &blob, &json)[..], &["a"]].concat()), scene.folder(), parts);
    }
    let missing = scene.path("missing.elf");
    refuse(&mut host_sim(&[&arguments(&missing, &blob, &json)[..], &["a"]].concat()), scene.folder(), &["missing.elf"]);
}

#[test]
fn a_guest_fault_names_its_place_shows_registers_and_exits_with_101() {
    let scene = Scene::default();
    let (blob, json) = (scene.blob("dense"), scene.path("run.json"));
    for (name, code, named, parts) in [
        ("udf.elf", &UNDEFINED[..], true, ["undefined", "0x00000040 in guilty+0x0"]),
        ("nameless.elf", &UNDEFINED, false, ["undefined", "0x00000040 in ?"]),
        ("unmapped.elf", &UNMAPPED, true, ["0x60000000", "0x00000044 in guilty+0x4"]),
    ] {
        let image = scene.write(name, &guest(code, named));
        let before = contents(scene.folder());
        let ran = run(&mut host_sim(&[&arguments(&image, &blob, &json)[..], &["a"]].concat()));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(101), ""), "{ran:?}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert!(lines[0].starts_with("host-sim: guest fault: "), "{ran:?}");
        assert!(parts.iter().all(|part| lines[0].contains(part)), "{ran:?}");
        assert_eq!(lines.len(), 3, "{ran:?}");
        assert!(lines[1].starts_with("  r0=") && lines[2].contains("r15=0000004"), "{ran:?}");
        assert!(contents(scene.folder()) == before);
    }
}

#[test]
fn a_guest_that_hangs_in_its_fault_handler_or_never_faults_is_stopped() {
    let scene = Scene::default();
    let (blob, json) = (scene.blob("dense"), scene.path("run.json"));
    // `udf #1; nop; nop`, where every handler is the endless loop after them: the default handler of the usual runtime crates.
    let mut hang = guest(&UNDEFINED, true);
    let handler = hang.windows(4).position(|bytes| bytes == [0x18, 0x20, 0xab, 0xbe]).unwrap();
    hang[handler..handler + 2].copy_from_slice(&0xe7fe_u16.to_le_bytes());
    let image = scene.write("hang.elf", &hang);
    let ran = run(&mut host_sim(&[&arguments(&image, &blob, &json)[..], &["a"]].concat()));
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(101), "", 3), "{ran:?}");

    let image = scene.write("loop.elf", &guest(&[0xe7fe], true));
    let limit = ["a", "--max-instructions", "1000000"];
    let command = [&arguments(&image, &blob, &json)[..], &limit].concat();
    refuse(&mut host_sim(&command), scene.folder(), &["instruction limit", "guilty+0x0"]);
}

#[test]
fn rejects_a_report_that_cannot_be_written() {
    let (scene, image) = (Scene::default(), image());
    let blob = scene.blob("dense");
    for json in [scene.path("no/such/run.json"), format!("{blob}/run.json"), scene.folder().to_str().unwrap().to_owned()] {
        let before = contents(scene.folder());
        let ran = run(&mut host_sim(&[&arguments(&image, &blob, &json)[..], &["a token", "--quiet"]].concat()));
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{ran:?}");
        assert!(ran.stderr.starts_with("host-sim: cannot write ") && ran.stderr.contains(&json), "{ran:?}");
        assert!(contents(scene.folder()) == before);
    }
}
