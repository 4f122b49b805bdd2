//! Loops whose cycles on silicon are published, at zero wait states. All are in jnk0le/random at 3dfc2ab, folder "pipeline cycle test":
//! the templates `CM*_pipetest_tmpl.S`, which take 20 cycles a turn, and what doc/cortex_*.md says of sequences put into them. M3:
//! STM32F103; M4: STM32F407; M7: STM32H743; M33: RP2350, whose core is r1p0.

use super::*;
use crate::machine::cores::CoreSpec;

/// Halfwords, and how often they are repeated.
type Part = (&'static [u16], usize);

/// A loop: its instructions but for the count and the branch back, and its cycles a turn without these.
struct Published {
    text: &'static str,
    parts: &'static [Part],
    cycles: u64,
}

const fn published(text: &'static str, parts: &'static [Part], cycles: u64) -> Published {
    Published { text, parts, cycles }
}

const NOP: Part = (&[0xF3AF, 0x8000], 1);
const COUNT: Part = (&[0xF1B7, 0x0701], 1); // subs.w r7, r7, #1
const MOVE: Part = (&[0x46D2], 1); // mov r10, r10
const UXTB: Part = (&[0xFA5F, 0xF080], 1); // uxtb.w r0, r0

/// How a template ends its turns, before the branch; whether the branch is wide; the cycles of both.
struct Ending {
    parts: &'static [Part],
    wide: bool,
    cycles: u64,
}

const CORTEX_M3: Ending = Ending { parts: &[COUNT], wide: true, cycles: 3 };
const CORTEX_M7: Ending = Ending { parts: &[NOP, COUNT, NOP, NOP, UXTB, NOP, NOP], wide: true, cycles: 4 };
const CORTEX_M33: Ending = Ending { parts: &[COUNT, MOVE], wide: false, cycles: 3 };

/// Cortex-M3 and Cortex-M4.
#[rustfmt::skip] // one loop a line
const BOTH: &[Published] = &[
    published("17 nop.w", &[(&[0xF3AF, 0x8000], 17)], 17),
    published("ldr.w r0, [r4]; nop.w: the load swallows the nop", &[(&[0xF8D4, 0x0000, 0xF3AF, 0x8000], 8)], 16),
    published("str.w r0, [r4, r2]: two cycles", &[(&[0xF844, 0x0002], 8)], 16),
    published("str.w r0, [r4]; ldr.w r0, [r4]; nop.w: a cycle between store and load", &[(&[0xF8C4, 0x0000, 0xF8D4, 0x0000, 0xF3AF, 0x8000], 5)], 20),
];

#[rustfmt::skip]
const M33: &[Published] = &[
    published("17 mov r10, r10", &[(&[0x46D2], 17)], 17),
    published("muls r0, r2, r0: two cycles", &[(&[0x4350], 1)], 2),
    published("ldr.w r0, [r4]; add.w r3, r3, r0: load to use in two", &[(&[0xF8D4, 0x0000, 0xEB03, 0x0300], 5)], 15),
    published("ldr.w r0, [r4]; mla r0, r1, r2, r0: load to addend in one", &[(&[0xF8D4, 0x0000, 0xFB01, 0x0002], 1)], 2),
    published("ldr.w r0, [r4]; str.w r0, [r4, #8]: load to store in one", &[(&[0xF8D4, 0x0000, 0xF8C4, 0x0008], 5)], 10),
    published("ldrd r0, r1, [r4]: two cycles", &[(&[0xE9D4, 0x0100], 5)], 10),
    published("ldm.w r4, {r0-r3}: a cycle each", &[(&[0xE894, 0x000F], 3)], 12),
    published("uadd8 r0, r1, r2; add.w r3, r3, r0: result in two", &[(&[0xFA81, 0xF042, 0xEB03, 0x0300], 5)], 15),
    published("two of vmul, vmul, vadd, vadd with two accumulators: a multiply-accumulate every two cycles",
        &[(&[0xEE20, 0x0A81, 0xEE22, 0x2A83, 0xEE71, 0x1A80, 0xEE73, 0x3A82], 2)], 8),
    published("four products summed in one accumulator",
        &[(&[0xEE20, 0x0A81, 0xEE62, 0x1A22, 0xEE3F, 0xFA00, 0xEE23, 0x3A84, 0xEE3F, 0xFA21, 0xEE65, 0x4A25, 0xEE3F, 0xFA03, 0x46D2, 0xEE3F, 0xFA24], 1)], 9),
    published("vfma.f32 s0, s1, s2; two mov; vfma.f32 s0, s3, s4", &[(&[0xEEA0, 0x0A81, 0x46D2, 0x46D2, 0xEEA1, 0x0A82], 1)], 4),
];

#[rustfmt::skip]
const M7: &[Published] = &[
    published("32 nop.w", &[(&[0xF3AF, 0x8000], 32)], 16),
    published("movw r0, #1; movt r0, #1: together", &[(&[0xF240, 0x0001, 0xF2C0, 0x0001], 8)], 8),
    published("add.w r0, r0, r2; eor.w r6, r0, r6, ror #22; ldr.w r3, [r4, r0]; ldr.w r5, [r4, r1], of other banks: two cycles",
        &[(&[0xEB00, 0x0002, 0xEA80, 0x56B6], 1), (&[0xF854, 0x3000, 0xF3AF, 0x8000], 1)], 2),
    published("str.w r0, [r4]; str.w r0, [r4, #4]: not together", &[(&[0xF8C4, 0x0000, 0xF8C4, 0x0004], 2)], 4),
    published("mla r0, r1, r2, r0: chained every cycle", &[(&[0xFB01, 0x0002], 8)], 8),
];

/// Runs a loop for so many turns.
fn run_turns(core: &'static CoreSpec, parts: &[Part], wide: bool, turns: u32) -> u64 {
    let mut code: Vec<u16> = parts.iter().flat_map(|(halfwords, times)| halfwords.repeat(*times)).collect();
    let back = -2 * (code.len() as i32 + 2);
    if wide {
        let offset = back as u32;
        code.push(0xF440 | (offset >> 12 & 0x3F) as u16); // bne.w
        code.push(0xA800 | (offset >> 1 & 0x7FF) as u16);
    } else {
        code.push(0xD100 | (back as u32 >> 1 & 0xFF) as u16);
    }
    let mut machine = machine_with(core, ("loop", &code));
    for (number, value) in [(0, 0), (1, 4), (2, 0), (3, 0), (6, DATA), (7, turns)] {
        machine.set_register(number, value);
    }
    assert_eq!(machine.run(1_000_000), Stop::Breakpoint { imm: 0 }, "{:?}", machine.last_fault());
    machine.cycles()
}

/// Cycles of one more turn.
fn turn(core: &'static CoreSpec, parts: &[Part], wide: bool) -> u64 {
    let cycles = run_turns(core, parts, wide, 200) - run_turns(core, parts, wide, 100);
    assert_eq!(cycles % 100, 0, "turns differ");
    cycles / 100
}

fn assert_published(core: &'static CoreSpec, loops: &[Published], ending: &Ending) {
    for Published { text, parts, cycles } in loops {
        let parts = [parts, ending.parts].concat();
        assert_eq!(turn(core, &parts, ending.wide), cycles + ending.cycles, "{text} on {}", core.name);
    }
}

#[test]
fn loops_take_their_published_cycles_on_m3_and_m4() {
    assert_published(&cores::CORTEX_M3, BOTH, &CORTEX_M3);
    assert_published(&cores::CORTEX_M4, BOTH, &CORTEX_M3);
}

#[test]
fn loops_take_their_published_cycles_on_m33() {
    assert_published(&cores::CORTEX_M33, M33, &CORTEX_M33);
    // subs; bne: 1 and 2. subs; add; bne: 1, 1 and 1. subs; ldmia of four; bne: 1, 4 and 1.
    for (parts, cycles) in [(&[0x3F01][..], 3), (&[0x3F01, 0x4408], 3), (&[0x3F01, 0xCE0F], 6)] {
        let parts: &[Part] = &[(parts.to_vec().leak(), 1)];
        assert_eq!(turn(&cores::CORTEX_M33, parts, false), cycles, "{parts:x?}");
    }
}

#[test]
fn loops_take_their_published_cycles_on_m7() {
    assert_published(&cores::CORTEX_M7, M7, &CORTEX_M7);
}
