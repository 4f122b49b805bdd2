//! What each kind of operation reads, writes and forms addresses from.

use crate::machine::decode::decode;
use crate::machine::op::Op;
use crate::machine::register_set::Registers;

/// Each is the encoding, then reads, writes and address registers in words.
type Case = (&'static str, u16, u16, &'static str, &'static str, &'static str);

#[rustfmt::skip] // a table
const CASES: &[Case] = &[
    ("adds r0, r1, r2", 0x1888, 0, "r1 r2", "r0 flags", ""),
    ("mvns r0, r1", 0x43C8, 0, "r1", "r0 flags", ""),
    ("adcs r0, r1", 0x4148, 0, "r0 r1 flags", "r0 flags", ""),
    ("tst r0, r1", 0x4208, 0, "r0 r1", "flags", ""),
    ("mov r8, r1", 0x4688, 0, "r1", "r8", ""),
    ("rrx r0, r1", 0xEA4F, 0x0031, "r1 flags", "r0", ""),
    ("bfi r0, r1, #0, #4", 0xF361, 0x0003, "r0 r1", "r0", ""),
    ("movt r0, #1", 0xF2C0, 0x0001, "r0", "r0", ""),
    ("sxtb16 r0, r1", 0xFA2F, 0xF081, "r1", "r0", ""),
    ("sxtab16 r0, r2, r1", 0xFA22, 0xF081, "r1 r2", "r0", ""),
    ("uadd8 r0, r1, r2", 0xFA81, 0xF042, "r1 r2", "r0 ge", ""),
    ("uqadd8 r0, r1, r2", 0xFA81, 0xF052, "r1 r2", "r0", ""),
    ("sel r0, r1, r2", 0xFAA1, 0xF082, "r1 r2 ge", "r0", ""),
    ("smlad r0, r1, r2, r3", 0xFB21, 0x3002, "r1 r2 r3", "r0", ""),
    ("smuad r0, r1, r2", 0xFB21, 0xF002, "r1 r2", "r0", ""),
    ("umull r0, r5, r1, r2", 0xFBA1, 0x0502, "r1 r2", "r0 r5", ""),
    ("smlald r0, r5, r1, r2", 0xFBC1, 0x05C2, "r0 r1 r2 r5", "r0 r5", ""),
    ("udiv r0, r1, r2", 0xFBB1, 0xF0F2, "r1 r2", "r0", ""),
    ("ldr r0, [r4]", 0x6820, 0, "r4", "r0", "r4"),
    ("ldr r0, [pc]", 0x4800, 0, "", "r0", ""),
    ("ldr r0, [r4, r1]", 0x5860, 0, "r1 r4", "r0", "r1 r4"),
    ("ldr r0, [r4], #4", 0xF854, 0x0B04, "r4", "r0 r4", "r4"),
    ("str r0, [r4, r1]", 0x5060, 0, "r0 r1 r4", "", "r1 r4"),
    ("str r0, [r4, #4]!", 0xF844, 0x0F04, "r0 r4", "r4", "r4"),
    ("ldrd r0, r1, [r4]", 0xE9D4, 0x0100, "r4", "r0 r1", "r4"),
    ("strd r0, r1, [r4], #8", 0xE8E4, 0x0102, "r0 r1 r4", "r4", "r4"),
    ("ldm r4!, {r0, r1}", 0xCC03, 0, "r4", "r0 r1 r4", "r4"),
    ("push {r0, lr}", 0xB501, 0, "r0 r13 r14", "r13", "r13"),
    ("pop {r0, pc}", 0xBD01, 0, "r13", "r0 r13 r15", "r13"),
    ("strex r0, r1, [r4]", 0xE844, 0x1000, "r1 r4", "r0", "r4"),
    ("tbb [pc, r0]", 0xE8DF, 0xF000, "r0", "r15", "r0"),
    ("beq", 0xD000, 0, "flags", "r15", ""),
    ("cbz r0", 0xB100, 0, "r0", "r15", ""),
    ("bl", 0xF000, 0xF800, "", "r14 r15", ""),
    ("bx lr", 0x4770, 0, "r14", "r15", ""),
    ("blx r3", 0x4798, 0, "r3", "r14 r15", ""),
    ("mrs r0, apsr", 0xF3EF, 0x8000, "flags ge", "r0", ""),
    ("msr psp, r0", 0xF380, 0x8809, "r0", "r13", ""),
    ("vadd.f32 s0, s1, s2", 0xEE30, 0x0A81, "s1 s2", "s0", ""),
    ("vfma.f32 s0, s1, s2", 0xEEA0, 0x0A81, "s0 s1 s2", "s0", ""),
    ("vmov.f32 s0, #1.0", 0xEEB7, 0x0A00, "", "s0", ""),
    ("vcmp.f32 s0, s1", 0xEEB4, 0x0A60, "s0 s1", "fpscr", ""),
    ("vcmp.f32 s0, #0", 0xEEB5, 0x0A40, "s0", "fpscr", ""),
    ("vmrs apsr_nzcv, fpscr", 0xEEF1, 0xFA10, "fpscr", "flags", ""),
    ("vcvtb.f16.f32 s0, s1", 0xEEB3, 0x0A60, "s0 s1", "s0", ""),
    ("vselge.f32 s0, s1, s2", 0xFE20, 0x0A81, "s1 s2 flags", "s0", ""),
    ("vminnm.f32 s0, s1, s2", 0xFE80, 0x0AC1, "s1 s2", "s0", ""),
    ("vcvtm.s32.f32 s0, s1", 0xFEBF, 0x0AE0, "s1", "s0", ""),
    ("ldaex r0, [r4]", 0xE8D4, 0x0FEF, "r4", "r0", "r4"),
    ("stlex r0, r1, [r4]", 0xE8C4, 0x1FE0, "r1 r4", "r0", "r4"),
    ("tt r0, r1", 0xE841, 0xF000, "r1", "r0", ""),
    ("vldr s0, [r4]", 0xED94, 0x0A00, "r4", "s0", "r4"),
    ("vstr d0, [r4]", 0xED84, 0x0B00, "r4 s0 s1", "", "r4"),
    ("vldm r4!, {s0-s3}", 0xECB4, 0x0A04, "r4", "r4 s0 s1 s2 s3", "r4"),
    ("vpush {d0}", 0xED2D, 0x0B02, "r13 s0 s1", "r13", "r13"),
    ("vmov r0, r1, s0, s1", 0xEC51, 0x0A10, "s0 s1", "r0 r1", ""),
    ("vmov s0, s1, r0, r1", 0xEC41, 0x0A10, "r0 r1", "s0 s1", ""),
    ("nop", 0xBF00, 0, "", "", ""),
];

fn words(registers: Registers) -> String {
    let name = |number| match number {
        0..=15 => format!("r{number}"),
        16..=47 => format!("s{}", number - 16),
        48 => "flags".to_owned(),
        49 => "fpscr".to_owned(),
        _ => "ge".to_owned(),
    };
    registers.numbers().map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn operations_name_the_registers_that_they_use() {
    for &(text, first, second, reads, writes, address) in CASES {
        let op = decode(first, second, 0x100, false);
        assert_ne!(op, Op::Undefined, "{text}");
        assert_eq!(words(op.reads()), reads, "reads of {text}");
        assert_eq!(words(op.writes()), writes, "writes of {text}");
        assert_eq!(words(op.address_registers()), address, "address of {text}");
    }
}
