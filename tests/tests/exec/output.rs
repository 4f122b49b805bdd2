use fathom_tests::commands::{Scene, host_sim, run, succeed};
use fathom_tests::guests::{Part, executable, text};
use fathom_tests::targets::CORTEX_M4;

/// `movs r0, #0x18 (SYS_EXIT); ldr r1, =0x20026; bkpt 0xab`
const EXIT: [u16; 6] = [0x2018, 0x4901, 0xbeab, 0xbf00, 0x0026, 0x0002];
const CONTROL_BLOCK: u32 = 0x2000_0000;

/// A guest that has written to two RTT channels and exits.
fn with_rtt(first: &[u8], second: &[u8]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let (buffers, size) = (CONTROL_BLOCK + 24 + 2 * 24, 64);
    let channel = |number: u32, bytes: &[u8]| words(&[0, buffers + number * size, size, bytes.len() as u32, 0, 0]);
    let padded = |bytes: &[u8]| [bytes, &vec![0; size as usize - bytes.len()]].concat();
    let block = [
        b"SEGGER RTT\0\0\0\0\0\0".to_vec(),
        words(&[2, 0]),
        channel(0, first),
        channel(1, second),
        padded(first),
        padded(second),
    ]
    .concat();
    let parts = [text(&EXIT), block];
    executable(40, &[Part::code(0, &parts[0]), Part::data(CONTROL_BLOCK, &parts[1])], &[("_SEGGER_RTT", CONTROL_BLOCK, 0, 0x11)])
}

#[test]
fn rtt_shows_the_first_channel_and_keeps_the_others_in_files() {
    let scene = Scene::default();
    let (image, file) = (scene.write("rtt.elf", &with_rtt(b"hello\n", b"records")), scene.path("records.bin"));
    let text = succeed(&mut host_sim(&["exec", "--rtt-channel", &format!("1={file}"), &image]));
    assert_eq!((text.as_str(), std::fs::read(&file).unwrap().as_slice()), ("hello\n", &b"records"[..]));
    let text = succeed(&mut host_sim(&["exec", "--rtt-channel", &format!("0={file}"), &image]));
    assert_eq!((text.as_str(), std::fs::read(&file).unwrap().as_slice()), ("", &b"hello\n"[..]));
}

#[test]
fn rust_images_print_by_semihosting_and_log_by_defmt() {
    let kernel_twins = CORTEX_M4.image().with_file_name("kernel-twins");
    let text = succeed(&mut host_sim(&["exec", kernel_twins.to_str().unwrap()]));
    assert!(text.starts_with("kernel twins: ") && text.contains(" cases, 0 differences"), "{text}");
    // The firmware without a model says so in its log, and fails.
    let ran = run(&mut host_sim(&["exec", "--quiet", CORTEX_M4.image().to_str().unwrap()]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stdout.starts_with("error "), "{ran:?}");
}

#[test]
fn a_trace_has_a_line_for_each_instruction_and_changes_nothing() {
    let scene = Scene::default();
    let image = scene.write("interrupts.elf", &super::interrupts::image());
    let (json, trace) = (scene.path("run.json"), scene.path("trace.txt"));
    let exec = |options: &[&str]| {
        let ran = run(&mut host_sim(&[&["exec", "--core", "cortex-m4", "--json", &json], options, &[&image]].concat()));
        (ran, std::fs::read_to_string(&json).unwrap())
    };
    let plain = exec(&[]);
    let traced = exec(&["--trace", &trace]);
    assert_eq!((traced.0.stderr, traced.1), (plain.0.stderr, plain.1.clone()));

    let trace_text = std::fs::read_to_string(&trace).unwrap();
    let (events, instructions): (Vec<&str>, Vec<&str>) = trace_text.lines().partition(|line| line.contains("  exception "));
    let report: serde_json::Value = serde_json::from_str(&plain.1).unwrap();
    // One more than was executed: the breakpoint at which it ended.
    assert_eq!(Some(instructions.len() as u64), report["instructions"].as_u64().map(|count| count + 1));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(instructions[0])[..5], ["0", "00000040", "reset+0x0", "4820", "ldr"]);
    assert_eq!(words(instructions[0]).last().unwrap(), "r0=e000ed1c");
    assert_eq!(words(instructions[1])[1..5], ["00000042", "reset+0x2", "f04f", "4100"]);
    assert!(instructions.last().unwrap().contains("reset+0x64") && instructions.last().unwrap().contains("bkpt"));
    let cycles: Vec<u64> = trace_text.lines().map(|line| words(line)[0].parse().unwrap()).collect();
    assert!(cycles.is_sorted(), "{trace_text}");
    let order: Vec<String> = events.iter().map(|line| words(line)[3..5].join(" ")).collect();
    #[rustfmt::skip]
    let wanted = [
        "14 entered", "14 returns", "11 entered", "11 returns", "14 entered", "14 returns", "11 entered", "15 entered", "15 returns",
        "11 returns", "14 entered", "14 returns", "15 entered", "15 returns",
    ];
    assert_eq!(order, wanted);

    let limited = exec(&["--trace", &trace, "--trace-limit", "5"]);
    assert_eq!(limited.1, plain.1);
    let lines: Vec<String> = std::fs::read_to_string(&trace).unwrap().lines().map(str::to_owned).collect();
    assert_eq!((lines.len(), lines[5].as_str()), (6, "# 5 instructions: the limit of this trace"));
    assert_eq!(lines[..5], instructions[..5]);
}
