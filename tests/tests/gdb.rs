//! `host-sim gdb` as a debugger meets it.

use fathom_tests::commands::{Scene, host_sim, refuse};
use fathom_tests::debugger::Debugger;
use fathom_tests::guests::guest;
use std::net::TcpListener;

/// Counts to five in r0, storing and loading each number at 0x20000000, and exits with success. The loop's head is at 0x48, the store
/// at 0x4a, the load at 0x4c, what follows the loop at 0x52.
const COUNTER: [u16; 14] = [
    0x2000, // 40: movs r0, #0
    0x2101, // 42: movs r1, #1
    0x2220, // 44: movs r2, #0x20
    0x0612, // 46: lsls r2, r2, #24
    0x1840, // 48: adds r0, r0, r1
    0x6010, // 4a: str r0, [r2]
    0x6813, // 4c: ldr r3, [r2]
    0x2805, // 4e: cmp r0, #5
    0xd1fa, // 50: bne 48
    0x2018, // 52: movs r0, #0x18
    0x4900, // 54: ldr r1, [pc, #0]
    0xbeab, // 56: bkpt 0xab
    0x0026, 0x0002, // 58: ADP_Stopped_ApplicationExit
];
/// `b .`
const ENDLESS: [u16; 1] = [0xe7fe];
/// `movs r0, #3; ldr r1, [pc, #4]; bkpt 0xab; b .` and the address of a character: writes it, then loops.
const WRITER: [u16; 8] = [0x2003, 0x4901, 0xbeab, 0xe7fe, 0x0050, 0x0000, 0x0000, 0x0000];

fn debug(code: &[u16]) -> (Scene, Debugger) {
    debug_on(code, &[])
}

fn debug_on(code: &[u16], options: &[&str]) -> (Scene, Debugger) {
    let scene = Scene::default();
    let image = scene.write("guest.elf", &guest(code, true));
    let debugger = Debugger::start(&[options, &[&image]].concat());
    (scene, debugger)
}

#[test]
fn a_breakpoint_stops_before_its_instruction_each_time() {
    let (_scene, mut debugger) = debug(&COUNTER);
    assert_eq!(debugger.register(15), 0x40);
    for kind in ["Z0", "Z1"] {
        assert_eq!(debugger.ask(&format!("{kind},4a,2")), "OK");
    }
    for count in 1..=3 {
        assert!(debugger.ask("c").starts_with("T05"));
        assert_eq!((debugger.register(15), debugger.register(0)), (0x4a, count));
    }
    assert_eq!(debugger.ask("z0,4a,2"), "OK");
    assert!(debugger.ask("c").starts_with("T05"), "the hardware breakpoint is still there");
    assert_eq!(debugger.ask("z1,4a,2"), "OK");
    assert_eq!(debugger.ask("c"), "W00");
    assert_eq!(debugger.finish().0, Some(0));
}

#[test]
fn a_step_executes_one_instruction_and_a_range_step_leaves_its_range() {
    let (_scene, mut debugger) = debug(&COUNTER);
    for pc in [0x42, 0x44, 0x46, 0x48, 0x4a] {
        assert_eq!(debugger.ask("s"), "S05");
        assert_eq!(debugger.register(15), pc);
    }
    assert_eq!(debugger.register(0), 1);
    assert_eq!(debugger.ask("vCont;r48,52:1"), "S05");
    assert_eq!((debugger.register(15), debugger.register(0)), (0x52, 5));
    debugger.send("k");
    assert_eq!(debugger.finish().0, Some(0));
}

#[test]
fn breakpoints_steps_and_watchpoints_cost_no_cycles_on_any_core_and_memory() {
    let targets = [
        ["--core", "cortex-m4", "--memory", "zero-wait"],
        ["--core", "cortex-m0plus", "--memory", "rp2040"],
        ["--core", "cortex-m3", "--memory", "stm32l4r5"],
        ["--core", "cortex-m4", "--memory", "stm32f405"],
        ["--core", "cortex-m7", "--memory", "stm32h743"],
        ["--core", "cortex-m33", "--memory", "rp2350"],
    ];
    for target in targets {
        let (_scene, mut debugger) = debug_on(&COUNTER, &target);
        debugger.ask("Z1,52,2");
        debugger.ask("c");
        let undisturbed = debugger.monitor("cycles");
        debugger.monitor("reset");
        debugger.ask("Z0,4c,2");
        for _ in 0..5 {
            debugger.ask("c");
            debugger.ask("s");
        }
        debugger.ask("c");
        assert_eq!(debugger.register(15), 0x52);
        assert_eq!(debugger.monitor("cycles"), undisturbed, "breakpoints and steps, {target:?}");
        debugger.monitor("reset");
        debugger.ask("z0,4c,2");
        debugger.ask("Z4,20000000,4");
        (0..10).for_each(|_| assert!(debugger.ask("c").contains("awatch")));
        debugger.ask("c");
        assert_eq!(debugger.register(15), 0x52);
        assert_eq!(debugger.monitor("cycles"), undisturbed, "watchpoints, {target:?}");
        // Four instructions, then five rounds of five.
        let line = undisturbed.lines().nth(2).expect("a title and four rows");
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["instructions", "29", "+29"]);
        assert!(debugger.monitor("cycles").contains("+0"), "nothing ran since");
    }
}

#[test]
fn a_watchpoint_stops_before_the_access_that_it_is_for() {
    for (kind, reply, pc) in [("Z2", "watch", 0x4a), ("Z3", "rwatch", 0x4c), ("Z4", "awatch", 0x4a)] {
        let (_scene, mut debugger) = debug(&COUNTER);
        // The second byte of the word.
        assert_eq!(debugger.ask(&format!("{kind},20000001,1")), "OK");
        assert_eq!(debugger.ask("c"), format!("T05thread:01;{reply}:20000001;"));
        assert_eq!(debugger.register(15), pc);
        let stored = if pc == 0x4a { "00000000" } else { "01000000" };
        assert_eq!(debugger.ask("m20000000,4"), stored);
        // It goes on, and the next access stops it again: the load of the same round, or the next round's.
        assert!(debugger.ask("c").contains(reply));
        assert_eq!(debugger.register(15), if reply == "awatch" { 0x4c } else { pc });
        assert_eq!(debugger.ask(&format!("{},20000001,1", kind.to_lowercase())), "OK");
        assert_eq!(debugger.ask("c"), "W00");
    }
}

#[test]
fn a_watchpoint_beside_the_accesses_stops_nothing() {
    let (_scene, mut debugger) = debug(&COUNTER);
    assert_eq!(debugger.ask("Z4,20000004,4"), "OK");
    assert_eq!(debugger.ask("Z2,20000000,0"), "OK", "GDB never asks for no byte; it counts as one");
    assert_eq!(debugger.ask("z2,20000000,0"), "OK");
    assert!(debugger.ask("Z3,e000ed00,4").starts_with('E'), "system registers are not memory");
    assert_eq!(debugger.ask("c"), "W00");
}

#[test]
fn memory_and_registers_are_written_and_read_back() {
    let (_scene, mut debugger) = debug(&COUNTER);
    assert_eq!(debugger.ask("M20000010,4:78563412"), "OK");
    assert_eq!(debugger.ask("m20000010,4"), "78563412");
    assert!(debugger.ask("m40000000,4").starts_with('E'), "there is no memory");
    assert_eq!(debugger.ask("m2003fffc,8").len(), 8, "memory ends within the range");
    // Code too: the loop adds 2 instead of r1.
    assert_eq!(debugger.ask("M48,2:8030"), "OK"); // adds r0, #0x80
    debugger.ask("Z0,4a,2");
    debugger.ask("c");
    assert_eq!(debugger.register(0), 0x80);
    // All registers back, with another r0 and program counter.
    let all = debugger.ask("g");
    let changed = format!("05000000{}52000000{}", &all[8..120], &all[128..]);
    assert_eq!(debugger.ask(&format!("G{changed}")), "OK");
    assert_eq!(debugger.ask("g"), changed);
    assert_eq!(debugger.ask("c"), "W00");
}

#[test]
fn system_registers_are_read_and_written_as_memory() {
    let (_scene, mut debugger) = debug(&COUNTER);
    assert_eq!(debugger.ask("me000ed00,4"), "41c20f41", "CPUID of a Cortex-M4");
    assert_eq!(debugger.ask("me000ed02,2"), "0f41");
    assert_eq!(debugger.ask("Me000ed08,4:00010000"), "OK"); // VTOR
    assert_eq!(debugger.ask("me000ed08,4"), "00010000");
    assert!(debugger.ask("Me000ed09,1:00").starts_with('E'), "whole words only");
}

#[test]
fn the_description_names_what_the_core_has() {
    for (core, has_float) in [("cortex-m4", true), ("cortex-m4-nofpu", false), ("cortex-m0plus", false)] {
        let (_scene, mut debugger) = debug_on(&COUNTER, &["--core", core]);
        let description = debugger.ask("qXfer:features:read:target.xml:0,4000");
        for name in ["arm.m-profile", "xpsr", "msp", "basepri", "control"] {
            assert!(description.contains(name), "{name}: {description}");
        }
        assert_eq!(description.contains("d15") && description.contains("fpscr"), has_float, "{core}");
        assert_eq!(debugger.ask("g").len(), 8 * if has_float { 56 } else { 23 }, "{core}");
    }
}

#[test]
fn an_interrupt_stops_an_endless_loop_and_a_kill_ends_it() {
    let (_scene, mut debugger) = debug(&ENDLESS);
    debugger.send("c");
    debugger.interrupt();
    assert_eq!(debugger.receive(), "S02");
    assert_eq!(debugger.register(15), 0x40);
    debugger.send("c");
    debugger.interrupt();
    assert_eq!(debugger.receive(), "S02");
    debugger.send("k");
    assert_eq!(debugger.finish().0, Some(0));
}

#[test]
fn a_detached_debugger_ends_the_session() {
    let (_scene, mut debugger) = debug(&ENDLESS);
    assert_eq!(debugger.ask("D"), "OK");
    assert_eq!(debugger.finish().0, Some(0));
}

#[test]
fn a_lost_debugger_ends_a_running_guest() {
    let (_scene, mut debugger) = debug(&ENDLESS);
    debugger.send("c");
    let (code, _, stderr) = debugger.hang_up();
    assert_eq!(code, Some(1));
    assert!(stderr.contains("connection"), "{stderr}");
}

#[test]
fn the_guests_console_is_the_simulators_and_its_exit_code_too() {
    let (_scene, mut debugger) = debug(&WRITER);
    debugger.send("c");
    debugger.interrupt();
    assert_eq!(debugger.receive(), "S02");
    debugger.send("k");
    assert_eq!(debugger.finish().1.len(), 1);

    // `movs r0, #0x18; movs r1, #0; bkpt 0xab`: an exit for another reason than success.
    let (_scene, mut debugger) = debug(&[0x2018, 0x2100, 0xbeab]);
    assert_eq!(debugger.ask("c"), "W01");
    assert_eq!(debugger.finish().0, Some(1));
}

#[test]
fn a_breakpoint_instruction_of_the_guest_stops_it_and_can_be_left() {
    // `bkpt 1; movs r0, #7; b .`
    let (_scene, mut debugger) = debug(&[0xbe01, 0x2007, 0xe7fe]);
    assert_eq!(debugger.ask("c"), "S05");
    assert_eq!(debugger.register(15), 0x40);
    assert_eq!(debugger.ask("s"), "S05");
    assert_eq!(debugger.register(15), 0x42);
    debugger.send("k");
}

#[test]
fn monitor_tells_of_faults_and_of_its_commands() {
    // `movs r0, #0; mvns r0, r0; ldr r0, [r0]`: a read where there is no memory.
    let (_scene, mut debugger) = debug(&[0x2000, 0x43c0, 0x6800]);
    assert_eq!(debugger.monitor("fault"), "no fault since reset\n");
    assert_eq!(debugger.ask("c"), "W01");
    let (_scene, mut debugger) = debug(&[0x2000, 0x43c0, 0x6800]);
    (0..3).for_each(|_| drop(debugger.ask("s")));
    let told = debugger.monitor("fault");
    assert!(told.contains("guilty"), "{told}");
    assert!(debugger.monitor("help").contains("monitor cycles"));
    assert!(debugger.monitor("dance").contains("no command dance"));
}

#[test]
fn a_debugger_on_pipes_has_stdout_for_itself() {
    let scene = Scene::default();
    let image = scene.write("guest.elf", &guest(&WRITER, true));
    let mut debugger = Debugger::start_on_pipes(&[&image]);
    assert_eq!(debugger.register(15), 0x40);
    debugger.send("c");
    debugger.interrupt();
    assert_eq!(debugger.receive(), "S02");
    debugger.send("k");
    let (code, _, stderr) = debugger.finish();
    assert_eq!((code, stderr.len()), (Some(0), 1), "the guest's character is on stderr");
}

#[test]
fn refuses_a_port_that_is_taken() {
    let scene = Scene::default();
    let image = scene.write("guest.elf", &guest(&ENDLESS, false));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it has a port").port().to_string();
    refuse(&mut host_sim(&["gdb", "--port", &port, &image]), scene.folder(), &[&port, "--port"]);
}
