use fathom_tests::commands::{Ran, Scene, host_sim, run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One way to compile the C guests, the core that such an image gets by itself, and QEMU's board with that core.
struct Variant {
    flags: &'static [&'static str],
    core: &'static str,
    qemu: &'static [&'static str],
}

#[rustfmt::skip]
const VARIANTS: [Variant; 6] = [
    Variant { flags: &["-mcpu=cortex-m0plus"], core: "cortex-m0plus", qemu: &["-M", "lm3s6965evb", "-cpu", "cortex-m0"] },
    Variant { flags: &["-mcpu=cortex-m3"], core: "cortex-m3", qemu: &["-M", "mps2-an385"] },
    Variant { flags: &["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"], core: "cortex-m4", qemu: &["-M", "mps2-an386"] },
    Variant { flags: &["-mcpu=cortex-m4", "-mfloat-abi=soft"], core: "cortex-m4-nofpu", qemu: &["-M", "mps2-an386"] },
    Variant { flags: &["-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"], core: "cortex-m7", qemu: &["-M", "mps2-an500"] },
    Variant { flags: &["-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"], core: "cortex-m33", qemu: &["-M", "lm3s6965evb", "-cpu", "cortex-m33"] },
];
const INPUT: &str = "What is above the waves is weather.\nWhat is below them\tis one fathom more.\n";

fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

/// Compiles a C guest with newlib and its semihosting.
fn compile(program: &str, flags: &[&str], to: &str) {
    let folder = guests();
    let mut compiler = Command::new("arm-none-eabi-gcc");
    compiler.current_dir(&folder).args(flags).args([
        "-mthumb",
        "-O2",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-ffunction-sections",
    ]);
    compiler.args(["--specs=rdimon.specs", "-T", "guest.ld", "-Wl,--gc-sections", "start.c", program, "-o", to]);
    let output =
        compiler.output().expect("arm-none-eabi-gcc runs: install Debian's package gcc-arm-none-eabi (`make test` does)");
    assert!(output.status.success(), "{compiler:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The image under QEMU, in `folder`.
fn under_qemu(board: &[&str], image: &str, folder: &Path, arguments: &[&str]) -> Ran {
    let mut qemu = Command::new("qemu-system-arm");
    qemu.current_dir(folder).args(board).args(["-nographic", "-monitor", "none", "-serial", "none", "-kernel", image]);
    let program = Path::new(image).file_name().unwrap().to_str().unwrap();
    let words: Vec<String> = std::iter::once(&program).chain(arguments).map(|word| format!(",arg={word}")).collect();
    qemu.args(["-semihosting-config", &format!("enable=on,target=native{}", words.concat())]).stdin(Stdio::null());
    run(&mut qemu)
}

#[test]
fn a_c_program_with_newlib_does_the_same_on_every_core_and_under_qemu() {
    let scene = Scene::default();
    let sandbox = scene.path("sandbox");
    let mut counted = Vec::new();
    for (number, Variant { flags, core, qemu }) in VARIANTS.iter().enumerate() {
        let (image, json) = (scene.path(&format!("words-{number}.elf")), scene.path("run.json"));
        compile("words.c", flags, &image);
        let _ = std::fs::remove_dir_all(&sandbox); // of the variant before
        std::fs::create_dir(&sandbox).unwrap();
        std::fs::write(Path::new(&sandbox).join("in.txt"), INPUT).unwrap();
        let ran = run(&mut host_sim(&["exec", "--sandbox", &sandbox, "--json", &json, &image, "in.txt", "3"]));
        assert_eq!(ran.code, Some(3), "{core}: {ran:?}");
        assert!(ran.stdout.starts_with("in.txt: 15 words, 2 lines, 75 bytes, crc "), "{core}: {ran:?}");
        assert!(ran.stderr.contains("ticks are zero\n") && ran.stderr.contains(&format!("core {core}\n")), "{ran:?}");
        assert_eq!(std::fs::read_to_string(Path::new(&sandbox).join("result.txt")).unwrap(), "15 2\n");
        let report: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        assert_eq!((&report["core"], &report["exit_code"], &report["ended"]), (&(*core).into(), &3.into(), &"exit".into()));
        let count = |key: &str| report[key].as_u64().unwrap();
        assert!(count("cycles") > count("instructions") / 2 && count("instructions") > 10_000, "{report}");
        counted.push((core, count("instructions"), count("cycles")));

        let other = under_qemu(qemu, &image, Path::new(&sandbox), &["in.txt", "3"]);
        assert_eq!((other.code, &other.stdout), (ran.code, &ran.stdout), "{core} and QEMU's {qemu:?}");
    }
    println!("{counted:?}");
    // A multiply-accumulate and hardware division pay: Armv6-M executes most.
    assert!(counted[1..].iter().all(|(_, instructions, _)| *instructions < counted[0].1), "{counted:?}");
}

#[test]
fn an_image_runs_on_larger_cores_and_is_refused_by_smaller_ones() {
    let scene = Scene::default();
    scene.write("in.txt", INPUT.as_bytes());
    let folder = scene.folder().to_str().unwrap().to_owned();
    let (small, large) = (scene.path("v6m.elf"), scene.path("v7em.elf"));
    compile("words.c", VARIANTS[0].flags, &small);
    compile("words.c", VARIANTS[2].flags, &large);
    for core in ["cortex-m0plus", "cortex-m0plus-mul32", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"] {
        let ran = run(&mut host_sim(&["exec", "--core", core, "--sandbox", &folder, &small, "in.txt", "1"]));
        assert_eq!(ran.code, Some(1), "{core}: {ran:?}");
        assert!(ran.stdout.contains("15 words"), "{core}: {ran:?}");
    }
    for core in ["cortex-m0plus", "cortex-m3"] {
        let ran = run(&mut host_sim(&["exec", "--core", core, &large]));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{core}: {ran:?}");
        assert!(ran.stderr.contains(&format!("the image is for Armv7E-M, which {core} does not execute")), "{ran:?}");
    }
}

#[test]
fn arguments_and_exit_codes_go_through_and_reports_are_the_same_every_time() {
    let scene = Scene::default();
    let (image, json) = (scene.path("words.elf"), scene.path("run.json"));
    compile("words.c", VARIANTS[2].flags, &image);
    scene.write("a b.txt", INPUT.as_bytes());
    let folder = scene.folder().to_str().unwrap().to_owned();
    let exec = |options: &[&str], arguments: &[&str]| {
        run(&mut host_sim(&[&["exec", "--quiet", "--json", &json], options, &[&image], arguments].concat()))
    };
    let ran = exec(&[], &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(64), "usage: words FILE ROUNDS\n"));
    let ran = exec(&["--sandbox", &folder], &["a b.txt", "2"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), "ticks are zero\n"), "{ran:?}");
    assert!(ran.stdout.starts_with("a b.txt: 15 words"), "{ran:?}");
    let first = std::fs::read_to_string(&json).unwrap();
    exec(&["--sandbox", &folder], &["a b.txt", "2"]);
    assert_eq!(std::fs::read_to_string(&json).unwrap(), first);
    // Options behind the image are the image's.
    let ran = exec(&["--sandbox", &folder], &["a b.txt", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // No folder, no file.
    let ran = exec(&[], &["a b.txt", "1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), "a b.txt: Permission denied\n"), "{ran:?}");
    // A slow clock shows in the guest's own measurement.
    let ran = exec(&["--sandbox", &folder, "--clock", "1kHz"], &["a b.txt", "1"]);
    assert!(ran.stderr.contains("ticks are not zero"), "{ran:?}");
}
