use fathom_host_sim::board::Board;
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::cores::{CORTEX_M3, CORTEX_M4, CORTEX_M7, CORTEX_M33, CoreSpec};
use fathom_host_sim::machine::cycles::Class;
use fathom_host_sim::machine::{ExceptionEvent, Observer, Retired};
use fathom_host_sim::machine::{Machine, Stop};
use fathom_host_sim::memory_map::{MemoryMap, Wishes};
use fathom_tests::commands::{Scene, host_sim, run};
use fathom_tests::guests::{CODE, Part, executable};
use std::path::Path;

/// Each step writes its number to a log in RAM, each handler that of its exception.
///
/// ```text
/// reset:  ldr r0, =0xE000ED1C (SHPR2); mov r1, #0x80000000; str r1, [r0]              SVC at 0x80
///         ldr r1, =0x40C00000; str r1, [r0, #4]                                       PendSV at 0xC0, SysTick at 0x40
///         ldr r0, =0xE000ED04 (ICSR); movs r1, #1; lsls r1, r1, #28                   PendSV's pending bit
///         movs r7, #0x20; lsls r7, r7, #24                                            the log
///         mov r5, #0x14000000; movs r4, #0                                            the pending bits of SysTick and PendSV
///         cpsid i; str r1, [r0]; movs r3, #1; strb r3, [r7]; adds r7, #1              PRIMASK holds PendSV back
///         cpsie i; movs r3, #2; strb r3, [r7]; adds r7, #1                            until here
///         movs r3, #0xA0; msr basepri, r3; str r1, [r0]; svc 0                        BASEPRI holds PendSV back, but not SVC
///         movs r3, #3; strb r3, [r7]; adds r7, #1
///         movs r3, #0; msr basepri, r3; movs r3, #4; strb r3, [r7]; adds r7, #1       PendSV comes behind the msr
///         movs r4, #1; svc 0; movs r3, #5; strb r3, [r7]; adds r7, #1                 SVC makes SysTick and PendSV pending
///         ldr r0, =0xE000E010 (SYST_CSR); movs r3, #99; str r3, [r0, #4]; movs r3, #0; str r3, [r0, #8]
///         movs r3, #3; str r3, [r0]; wfi; bkpt 0                                      100 cycles of sleep
/// svcall: movs r3, #11; cbz r4, 1f; str r5, [r0]; 1: strb r3, [r7]; adds r7, #1; bx lr
/// pendsv: movs r3, #14; strb r3, [r7]; adds r7, #1; bx lr
/// systick: movs r3, #15; strb r3, [r7]; adds r7, #1; bx lr
/// ```
#[rustfmt::skip]
const PROGRAM: [u16; 74] = [
    0x4820, 0xf04f, 0x4100, 0x6001, 0x491f, 0x6041, 0x481f, 0x2101, 0x0709, 0x2720, 0x063f, 0xf04f, 0x55a0, 0x2400,
    0xb672, 0x6001, 0x2301, 0x703b, 0x3701, 0xb662, 0x2302, 0x703b, 0x3701,
    0x23a0, 0xf383, 0x8811, 0x6001, 0xdf00, 0x2303, 0x703b, 0x3701, 0x2300, 0xf383, 0x8811, 0x2304, 0x703b, 0x3701,
    0x2401, 0xdf00, 0x2305, 0x703b, 0x3701,
    0x480e, 0x2363, 0x6043, 0x2300, 0x6083, 0x2303, 0x6003, 0xbf30, 0xbe00,
    0x230b, 0xb104, 0x6005, 0x703b, 0x3701, 0x4770,
    0x230e, 0x703b, 0x3701, 0x4770,
    0x230f, 0x703b, 0x3701, 0x4770, 0xbf00,
    0xed1c, 0xe000, 0x0000, 0x40c0, 0xed04, 0xe000, 0xe010, 0xe000,
];
/// What the log holds in the end.
const ORDER: [u8; 12] = [1, 14, 2, 11, 3, 14, 4, 15, 11, 14, 5, 15];
const LOG: u32 = 0x2000_0000;

pub(super) fn image() -> Vec<u8> {
    let mut table = [CODE | 1; 16];
    table[0] = 0x2000_1000;
    (table[11], table[14], table[15]) = ((CODE + 0x66) | 1, (CODE + 0x72) | 1, (CODE + 0x7a) | 1);
    let table = table.into_iter().flat_map(u32::to_le_bytes);
    let text: Vec<u8> = table.chain(PROGRAM.iter().flat_map(|half| half.to_le_bytes())).collect();
    executable(40, &[Part::code(0, &text)], &[("reset", CODE | 1, 0x66, 0x12)])
}

#[derive(Default)]
struct Watcher {
    exceptions: Vec<ExceptionEvent>,
    instructions: u64,
    cycles: u64,
}

impl Observer for Watcher {
    fn retired(&mut self, retired: &Retired) {
        self.instructions += 1;
        self.cycles += u64::from(retired.cycles);
    }

    fn exception(&mut self, event: &ExceptionEvent) {
        self.exceptions.push(*event);
    }
}

fn board(core: &'static CoreSpec) -> Board {
    let image = Image::parse(Path::new("x.elf"), image()).unwrap();
    let map = MemoryMap::fitting(&image, &Wishes::default()).unwrap();
    Board::assemble(Machine::new(core, &map.regions), &map, &image).unwrap()
}

#[test]
fn exceptions_come_in_the_order_of_their_priorities_on_every_core_with_masks() {
    for core in [&CORTEX_M3, &CORTEX_M4, &CORTEX_M7, &CORTEX_M33] {
        let mut board = board(core);
        assert_eq!(board.machine.run(10_000), Stop::Breakpoint { imm: 0 }, "{}", core.name);
        let mut log = [0; ORDER.len() + 1];
        board.machine.read_bytes(LOG, &mut log).unwrap();
        assert_eq!((&log[..ORDER.len()], log[ORDER.len()]), (&ORDER[..], 0), "{}", core.name);
    }
}

#[test]
fn entry_return_and_tail_chaining_cost_what_the_table_says() {
    let mut board = board(&CORTEX_M4);
    let mut watcher = Watcher::default();
    assert_eq!(board.machine.run_observed(10_000, &mut watcher), Stop::Breakpoint { imm: 0 });
    let cost = |class| CORTEX_M4.table.cost(class, 0);
    let (entry, back, chain) = (cost(Class::ExceptionEntry), cost(Class::ExceptionReturn), cost(Class::TailChain));
    let found: Vec<(u16, bool, u32)> = watcher.exceptions.iter().map(|it| (it.number, it.entered, it.cycles)).collect();
    #[rustfmt::skip]
    let wanted = [
        (14, true, entry), (14, false, back),
        (11, true, entry), (11, false, back),
        (14, true, entry), (14, false, back),
        // SysTick interrupts SVC, whose own return goes straight on to PendSV.
        (11, true, entry), (15, true, entry), (15, false, back), (11, false, chain), (14, true, 0), (14, false, back),
        (15, true, entry), (15, false, back),
    ];
    assert_eq!(found, wanted);
    assert_eq!((entry, chain), (12, 6), "Arm DDI0439, section 3.9");

    // By hand, up to the store that starts the timer: 4 literal loads of 2 cycles, 11 stores, 23 of 1 cycle, cpsid and cpsie, 2 msr, 2 svc.
    let thread = 4 * cost(Class::LoadLiteral)
        + 11 * cost(Class::Store)
        + 23 * cost(Class::Data)
        + 2 * cost(Class::ChangeState)
        + 2 * cost(Class::Special)
        + 2 * cost(Class::Exceptional);
    // Each handler: movs, strb, adds, bx lr. SVC's has a cbz too, taken at first; the second time it stores instead.
    let leave = cost(Class::BranchExchange) + cost(Class::Refill);
    let handler = 2 * cost(Class::Data) + cost(Class::Store) + leave;
    let supervisor = 2 * handler + 2 * cost(Class::Branch) + cost(Class::RefillDirect) + cost(Class::Store);
    // PendSV three times, SysTick once, SVC twice; six entries less one by tail-chaining.
    let exceptions = 3 * handler + handler + supervisor + 5 * entry + chain + 5 * back;
    // The count is reloaded on the clock behind the store and takes 99 more to zero; the store, wfi and sleep are within.
    let last = 100 + entry + handler + back;
    assert_eq!(board.machine.cycles(), u64::from(thread + exceptions + last));
    assert_eq!(watcher.instructions, board.machine.instructions());
}

#[test]
fn the_program_runs_under_the_command_too() {
    let scene = Scene::default();
    let image = scene.write("interrupts.elf", &image());
    for core in ["cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"] {
        let ran = run(&mut host_sim(&["exec", "--core", core, &image]));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("breakpoint 0x0, at reset+0x64"), "{ran:?}");
    }
    // Armv6-M has neither BASEPRI nor cbz.
    let ran = run(&mut host_sim(&["exec", "--core", "cortex-m0plus", &image]));
    assert_eq!(ran.code, Some(101), "{ran:?}");
}
