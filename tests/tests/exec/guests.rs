use fathom_host_sim::board::{Board, End};
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::Machine;
use fathom_host_sim::machine::cores::CORTEX_M4;
use fathom_host_sim::memory_map::{MemoryMap, Wishes};
use fathom_tests::commands::{Ran, Scene, host_sim, run};
use fathom_tests::guests::{CODE, Part, executable, guest, text};
use serde_json::Value;
use std::path::Path;

/// `movs r0, #0x30; lsls r0, r0, #24; adds r0, #1; bx r0`
const JUMP_TO_NOWHERE: [u16; 4] = [0x2030, 0x0600, 0x3001, 0x4700];
/// `movs r0, #0x60; lsls r0, r0, #24; ldr r1, [r0]`
const READ_UNMAPPED: [u16; 3] = [0x2060, 0x0600, 0x6801];
/// `f: push {lr}; bl f`
const RECURSION: [u16; 3] = [0xb500, 0xf7ff, 0xfffd];
/// `ldr r0, =0xE000ED14 (CCR); movs r1, #0x10 (DIV_0_TRP); str r1, [r0]; movs r2, #0; udiv r3, r1, r2`
const DIVISION_BY_ZERO: [u16; 8] = [0x4802, 0x2110, 0x6001, 0x2200, 0xfbb1, 0xf3f2, 0xed14, 0xe000];
/// `b .`
const LOOP: [u16; 1] = [0xe7fe];
/// A word 0x120 bytes below the top of the stack is set, 80 words are pushed; exits with 0 if the word is whole, else with 7:
/// `movs r0, #0x20; lsls r0, r0, #24; movs r1, #0xee; lsls r2, r1, #4; adds r3, r0, r2; str r1, [r3]; movs r4, #80;
/// 1: push {r4}; subs r4, #1; bne 1b; ldr r5, [r3]; cmp r5, r1; bne 2f; movs r6, #0; b 3f; 2: movs r6, #7;
/// 3: ldr r0, =0x20026; push {r0, r6}; mov r1, sp; movs r0, #0x20; bkpt 0xab`
#[rustfmt::skip]
const OVERFLOW_INTO_DATA: [u16; 24] = [
    0x2020, 0x0600, 0x21ee, 0x010a, 0x1883, 0x6019, 0x2450, 0xb410, 0x3c01, 0xd1fc, 0x681d, 0x428d,
    0xd101, 0x2600, 0xe000, 0x2607, 0x4802, 0xb441, 0x4669, 0x2020, 0xbeab, 0xbf00, 0x0026, 0x0002,
];

struct Session {
    scene: Scene,
}

impl Session {
    fn new() -> Self {
        Self { scene: Scene::default() }
    }

    /// Runs a guest of this code with a report.
    fn exec(&self, image: &[u8], options: &[&str]) -> (Ran, Value) {
        let (image, json) = (self.scene.write("guest.elf", image), self.scene.path("run.json"));
        let ran = run(&mut host_sim(&[&["exec", "--json", &json], options, &[&image]].concat()));
        let report = std::fs::read_to_string(json).expect("a report is written however the guest ends");
        (ran, serde_json::from_str(&report).unwrap())
    }
}

#[test]
fn a_fault_gives_101_and_names_what_where_and_from_where() {
    let session = Session::new();
    for (code, what, at) in [
        (&JUMP_TO_NOWHERE[..], "execution where there is no memory (address 0x30000000)", "0x30000000 in ?"),
        (&READ_UNMAPPED, "read where there is no memory (address 0x60000000)", "0x00000044 in guilty+0x4"),
        (&RECURSION, "write where there is no memory (address 0x1ffffffc)", "0x00000040 in guilty+0x0"),
        (&DIVISION_BY_ZERO, "division by zero", "0x00000048 in guilty+0x8"),
        (&[0xde01], "undefined instruction", "0x00000040 in guilty+0x0"),
    ] {
        let (ran, report) = session.exec(&guest(code, true), &["--core", "cortex-m4", "--max-cycles", "10000000"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(101), ""), "{ran:?}");
        let first = ran.stderr.lines().next().unwrap();
        assert!(first.contains(what) && first.contains(at), "{ran:?}");
        assert!(ran.stderr.contains("  r0=") && ran.stderr.contains(" r15="), "{ran:?}");
        assert_eq!((&report["ended"], &report["exit_code"]), (&"fault".into(), &Value::Null), "{report}");
        assert!(report["fault"]["message"].as_str().unwrap().contains(what), "{report}");
    }
    let (ran, report) = session.exec(&guest(&RECURSION, true), &[]);
    assert!(ran.stderr.contains("called from: guilty+0x2"), "{ran:?}");
    assert_eq!(report["stack_peak"], 0x1020, "{report}");
}

#[test]
fn the_fault_of_an_instruction_that_the_core_lacks_names_the_extension() {
    let session = Session::new();
    for (code, core, named) in [
        ([0xfbb0, 0xf0f0], "cortex-m0plus", "udiv r0, r0, r0, which needs Armv7-M that cortex-m0plus lacks"),
        ([0xfb20, 0x0000], "cortex-m3", "smlad r0, r0, r0, r0, which needs the DSP extension that cortex-m3 lacks"),
        (
            [0xee30, 0x0a00],
            "cortex-m4-nofpu",
            "vadd.f32 s0, s0, s0, which needs the floating-point extension (FPv4-SP) that cortex-m4-nofpu lacks",
        ),
    ] {
        let (ran, report) = session.exec(&guest(&code, true), &["--core", core]);
        assert_eq!(ran.code, Some(101));
        assert!(ran.stderr.lines().next().unwrap().ends_with(named), "{ran:?}");
        let instruction = report["fault"]["instruction"].as_str().unwrap();
        assert!(named.starts_with(instruction), "{instruction}");
    }
}

#[test]
fn a_stack_that_grows_into_data_is_seen_by_the_guest_and_in_the_report() {
    let (ran, report) = Session::new().exec(&guest(&OVERFLOW_INTO_DATA, true), &[]);
    assert_eq!((ran.code, &report["ended"], &report["exit_code"]), (Some(7), &"exit".into(), &7.into()), "{ran:?}");
    assert_eq!(report["stack_peak"], 4 * 82, "{report}");
}

#[test]
fn limits_stop_a_runaway_with_124() {
    let session = Session::new();
    let image = guest(&LOOP, true);
    let (ran, report) = session.exec(&image, &["--core", "cortex-m4", "--max-cycles", "1000000"]);
    assert_eq!((ran.code, &report["ended"]), (Some(124), &"max-cycles".into()), "{ran:?}");
    let cycles = report["cycles"].as_u64().unwrap();
    assert!((1_000_000..1_000_003).contains(&cycles), "{cycles}");
    assert!(ran.stderr.contains("cycle limit reached, at guilty+0x0"), "{ran:?}");

    let (ran, report) = session.exec(&image, &["--max-instructions", "12345"]);
    assert_eq!((ran.code, &report["ended"], &report["instructions"]), (Some(124), &"max-instructions".into(), &12345.into()));
    assert!(ran.stderr.contains("instruction limit"), "{ran:?}");

    let (ran, report) = session.exec(&image, &["--timeout", "0.05"]);
    assert_eq!((ran.code, &report["ended"]), (Some(124), &"timeout".into()), "{ran:?}");
}

#[test]
fn other_ends_have_their_own_messages() {
    let session = Session::new();
    // `bkpt #1`; `wfi`; `ldr r0, =0xE000ED0C (AIRCR); ldr r1, =0x05FA0004; str r1, [r0]; b .`
    let reset = [0x4801, 0x4902, 0x6001, 0xe7fe, 0xed0c, 0xe000, 0x0004, 0x05fa];
    for (code, ended, message) in [
        (&[0xbe01][..], "breakpoint", "breakpoint 0x1, at guilty+0x0"),
        (&[0xbf30], "asleep", "asleep with nothing to wake it"),
        (&reset, "reset", "reset requested"),
    ] {
        let (ran, report) = session.exec(&guest(code, true), &[]);
        assert_eq!((ran.code, &report["ended"]), (Some(1), &ended.into()), "{ran:?}");
        assert!(ran.stderr.contains(message), "{ran:?}");
    }
}

#[test]
fn a_fault_that_a_handler_repairs_is_no_failure() {
    // `udf #0; ldr r0, =0x20026; movs r1, #3; push {r0, r1}; mov r1, sp; movs r0, #0x20; bkpt 0xab`, and a handler that steps over the
    // faulting instruction: `ldr r0, [sp, #24]; adds r0, #2; str r0, [sp, #24]; bx lr`.
    let code = [0xde00, 0x4803, 0x2103, 0xb403, 0x4669, 0x2020, 0xbeab, 0xbf00, 0x0026, 0x0002, 0x9806, 0x3002, 0x9006, 0x4770];
    let mut text = text(&code);
    text[12..16].copy_from_slice(&((CODE + 20) | 1).to_le_bytes()); // HardFault
    let (ran, report) = Session::new().exec(&executable(40, &[Part::code(0, &text)], &[]), &[]);
    assert_eq!((ran.code, &report["ended"], &report["exit_code"]), (Some(3), &"exit".into(), &3.into()), "{ran:?}");
    assert!(report.get("fault").is_none(), "{report}");
}

#[test]
fn code_that_changes_itself_executes_what_it_wrote() {
    // In RAM: `adr r3, here; ldr r2, =0x2107 (movs r1, #7); strh r2, [r3]; b here; here: movs r1, #1; ldr r0, =0x20026; push {r0, r1};
    // mov r1, sp; movs r0, #0x20; bkpt 0xab`
    let code: [u16; 16] = [
        0xf20f, 0x0308, 0x4a04, 0x801a, 0xe000, 0xbf00, 0x2101, 0x4803, 0xb403, 0x4669, 0x2020, 0xbeab, 0x2107, 0x0000, 0x0026,
        0x0002,
    ];
    let ram: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
    let mut flash = text(&[]);
    flash[4..8].copy_from_slice(&0x2000_0101_u32.to_le_bytes());
    let image = executable(40, &[Part::code(0, &flash), Part::data(0x2000_0100, &ram)], &[]);
    let (ran, report) = Session::new().exec(&image, &[]);
    assert_eq!((ran.code, &report["exit_code"]), (Some(7), &7.into()), "{ran:?}");
}

#[test]
fn a_corrupt_rtt_control_block_harms_nobody() {
    let text = text(&[0x3001, 0xe7fd]); // adds r0, #1; b .-2
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let id = bytes(&[0x4747_4553, 0x5220_5245, 0x5454, 0]);
    let channel = |buffer, size, write, read| bytes(&[0, buffer, size, write, read, 0]);
    let counts = |up, down| bytes(&[up, down]);
    let hostile: [Vec<u8>; 8] = [
        [id.clone(), counts(0xffff_ffff, 0xffff_ffff)].concat(),
        [id.clone(), counts(1, 1), channel(0x2000_0800, 0xffff_ffff, 0xffff_fffe, 0), channel(0x2000_0800, 0xffff_ffff, 0, 0)]
            .concat(),
        [id.clone(), counts(1, 1), channel(0xffff_fff0, 0x00ff_ffff, 0x00ff_fff0, 0), channel(0xffff_fff0, 64, 0, 0)].concat(),
        [id.clone(), counts(1, 1), channel(0x2000_0800, 16, 99, 0), channel(0x2000_0800, 16, 0, 99)].concat(),
        [id.clone(), counts(1, 1), channel(0x4000_0000, 16, 8, 0), channel(0x4000_0000, 16, 0, 8)].concat(),
        [id.clone(), counts(16, 16)].concat(),
        [id.clone(), counts(1, 0), channel(0x2000_0000, 0, 0, 0)].concat(),
        id[..8].to_vec(),
    ];
    for (block, address) in
        hostile.iter().flat_map(|block| [(block, 0x2000_0000_u32), (block, 0x2000_0000 + (1 << 20) - block.len() as u32)])
    {
        let parts = [Part::code(0, &text), Part::data(address, block)];
        for place in [address, 0xffff_fff8, 0x4000_0000, 1] {
            let image = Image::parse(Path::new("x.elf"), executable(40, &parts, &[("_SEGGER_RTT", place, 0, 0x10)])).unwrap();
            let map = MemoryMap::fitting(&image, &Wishes::default()).unwrap();
            let mut board = Board::assemble(Machine::new(&CORTEX_M4, &map.regions), &map, &image).unwrap();
            let mut received = 0;
            let end = board.run(&image, b"input", 200_000, &mut |event| {
                if let fathom_host_sim::board::Event::Channel(_, bytes) = event {
                    received += bytes.len();
                }
            });
            assert!(matches!(end, Ok(End::MaxInstructions)), "{end:?}");
            assert!(received <= 1 << 20, "{received} bytes");
        }
    }
}
