//! Integer data processing: flags, shifts, IT, SIMD, saturation.

use super::{Program, flags, run};

/// (program, r0 to r3 before, r0 after, flags after)
type Case<'a> = (Program<'a>, [u32; 4], u32, &'a str);

const CASES: &[Case] = &[
    // Addition and subtraction: carry is "no borrow".
    (("adds r0, r1, r2", &[0x1888]), [0, 0xFFFF_FFFF, 1, 0], 0, "nZCv"),
    (("adds r0, r1, r2", &[0x1888]), [0, 0x7FFF_FFFF, 1, 0], 0x8000_0000, "NzcV"),
    (("subs r0, r1, r2", &[0x1A88]), [0, 0, 1, 0], 0xFFFF_FFFF, "Nzcv"),
    (("subs r0, r1, r2", &[0x1A88]), [0, 0x8000_0000, 1, 0], 0x7FFF_FFFF, "nzCV"),
    (("rsbs r0, r1, #0", &[0x4248]), [0, 0x8000_0000, 0, 0], 0x8000_0000, "NzcV"),
    (("cmp r1, r1; adcs r0, r1, r2", &[0x4289, 0xEB51, 0x0002]), [0, 0xFFFF_FFFF, 0, 0], 0, "nZCv"),
    (("cmp r2, r1; sbcs r0, r1, r2", &[0x428A, 0xEB71, 0x0002]), [0, 5, 3, 0], 1, "nzCv"),
    // Shifts: the last bit shifted out, by 32 and by more.
    (("lsrs r0, r1, #32", &[0x0808]), [0, 0x8000_0000, 0, 0], 0, "nZCv"),
    (("asrs r0, r1, #32", &[0x1008]), [0, 0x8000_0000, 0, 0], 0xFFFF_FFFF, "NzCv"),
    (("lsls r1, r2; movs r0, r1", &[0x4091, 0x0008]), [0, 1, 32, 0], 0, "nZCv"),
    (("lsls r1, r2; movs r0, r1", &[0x4091, 0x0008]), [0, 1, 33, 0], 0, "nZcv"),
    (("rors r1, r2; movs r0, r1", &[0x41D1, 0x0008]), [0, 0x8000_0001, 32, 0], 0x8000_0001, "NzCv"),
    (("cmp r1, r1; rrxs r0, r2", &[0x4289, 0xEA5F, 0x0032]), [0, 0, 3, 0], 0x8000_0001, "NzCv"),
    // A rotated constant sets carry, an unrotated one does not.
    (("cmp r1, r2; movs.w r0, #0x80000000", &[0x4291, 0xF05F, 0x4000]), [0, 0, 1, 0], 0x8000_0000, "NzCv"),
    (("cmp r1, r1; ands.w r0, r1, #0x00ff00ff", &[0x4289, 0xF011, 0x10FF]), [0, 0x1234_5678, 0, 0], 0x0034_0078, "nzCv"),
    // IT: flags of 16-bit operations stay as they are.
    (("cmp r1, r1; ite eq; addeq r0, r2, r3; addne r0, r2, #1", &[0x4289, 0xBF0C, 0x18D0, 0x1C50]), [0, 7, 3, 4], 7, "nZCv"),
    (
        ("cmp r1, r2; itte lt; movlt r0, #1; addlt r0, r0, #2; movge r0, #9", &[0x4291, 0xBFBA, 0x2001, 0x3002, 0x2009]),
        [0, 1, 2, 0],
        3,
        "Nzcv",
    ),
    // Bit fields, extension, packing, reversal.
    (("bfi r0, r1, #4, #8", &[0xF361, 0x100B]), [0xFFFF_FFFF, 0, 0, 0], 0xFFFF_F00F, "nzcv"),
    (("sbfx r0, r1, #4, #8", &[0xF341, 0x1007]), [0, 0x0000_0FF0, 0, 0], 0xFFFF_FFFF, "nzcv"),
    (("sxtb16 r0, r1, ror #8", &[0xFA2F, 0xF091]), [0, 0x8012_7F34, 0, 0], 0xFF80_007F, "nzcv"),
    (("uxtab16 r0, r1, r2", &[0xFA31, 0xF082]), [0, 0xFFFF_0001, 0x0002_00FF, 0], 0x0001_0100, "nzcv"),
    (("pkhtb r0, r1, r2, asr #16", &[0xEAC1, 0x4022]), [0, 0xAAAA_BBBB, 0xCCCC_DDDD, 0], 0xAAAA_CCCC, "nzcv"),
    (("rbit r0, r1; clz r0, r0", &[0xFA91, 0xF0A1, 0xFAB0, 0xF080]), [0, 0x0000_0100, 0, 0], 8, "nzcv"),
    (("revsh r0, r1", &[0xBAC8]), [0, 0x0000_0080, 0, 0], 0xFFFF_8000, "nzcv"),
    // Products.
    (("smlad r0, r1, r2, r3", &[0xFB21, 0x3002]), [0, 0x0002_0003, 0xFFFF_0005, 100], 113, "nzcv"),
    (("smladx r0, r1, r2, r3", &[0xFB21, 0x3012]), [0, 0x0002_0003, 0xFFFF_0005, 100], 107, "nzcv"),
    (("smlsd r0, r1, r2, r3", &[0xFB41, 0x3002]), [0, 0x0002_0003, 0xFFFF_0005, 100], 117, "nzcv"),
    (("smmulr r0, r1, r2", &[0xFB51, 0xF012]), [0, 0x4000_0000, 2, 0], 1, "nzcv"),
    (("smulwt r0, r1, r2", &[0xFB31, 0xF012]), [0, 0x0001_0000, 0x0007_0000, 0], 7, "nzcv"),
    (("smull r1, r0, r1, r2", &[0xFB81, 0x1002]), [0, 0xFFFF_FFFF, 0x0000_0002, 0], 0xFFFF_FFFF, "nzcv"),
    (("umaal r0, r3, r1, r2", &[0xFBE1, 0x0362]), [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF], 0xFFFF_FFFF, "nzcv"),
    (("mls r0, r1, r2, r3", &[0xFB01, 0x3012]), [0, 3, 4, 10], 0xFFFF_FFFE, "nzcv"),
    // Division: by zero gives zero; the one quotient that does not fit wraps.
    (("udiv r0, r1, r2", &[0xFBB1, 0xF0F2]), [9, 5, 0, 0], 0, "nzcv"),
    (("sdiv r0, r1, r2", &[0xFB91, 0xF0F2]), [9, 0x8000_0000, 0xFFFF_FFFF, 0], 0x8000_0000, "nzcv"),
    (("sdiv r0, r1, r2", &[0xFB91, 0xF0F2]), [9, 0xFFFF_FFF9, 2, 0], 0xFFFF_FFFD, "nzcv"),
    // GE, SEL, saturation.
    (
        ("usub8 r0, r1, r2; sel r0, r1, r2", &[0xFAC1, 0xF042, 0xFAA1, 0xF082]),
        [0, 0x10FF_0080, 0x2001_7F80, 0],
        0x20FF_7F80,
        "nzcv",
    ),
    (
        ("sadd16 r3, r1, r2; sel r0, r1, r2", &[0xFA91, 0xF302, 0xFAA1, 0xF082]),
        [0, 0x8000_0001, 0xFFFF_0001, 0],
        0xFFFF_0001,
        "nzcv",
    ),
    (("qadd8 r0, r1, r2", &[0xFA81, 0xF012]), [0, 0x7F80_0100, 0x01FF_FF00, 0], 0x7F80_0000, "nzcv"),
    (("uhadd8 r0, r1, r2", &[0xFA81, 0xF062]), [0, 0xFF01_0000, 0xFF02_0000, 0], 0xFF01_0000, "nzcv"),
    (("qasx r0, r1, r2", &[0xFAA1, 0xF012]), [0, 0x7FFF_8000, 0x0001_0001, 0], 0x7FFF_8000, "nzcv"),
    (("usada8 r0, r1, r2, r3", &[0xFB71, 0x3002]), [0, 0x0102_0304, 0x0403_0201, 10], 18, "nzcv"),
    (("usat r0, #8, r1, asr #4", &[0xF3A1, 0x1008]), [0, 0x0000_2000, 0, 0], 255, "nzcv"),
    (("ssat16 r0, #8, r1", &[0xF321, 0x0007]), [0, 0x0100_FF00, 0, 0], 0x007F_FF80, "nzcv"),
];

#[test]
fn results_and_flags() {
    for (program, before, result, wanted) in CASES {
        let machine = run(*program, *before);
        assert_eq!((machine.register(0), flags(&machine).as_str()), (*result, *wanted), "{} {before:x?}", program.0);
    }
}

#[test]
fn saturation_sets_q_and_nothing_else_does() {
    let q = |program, before| run(program, before).apsr() >> 27 & 1;
    assert_eq!(q(("qdadd r0, r1, r2", &[0xFA82, 0xF091]), [0, 0, 0x4000_0000, 0]), 1);
    assert_eq!(q(("qadd r0, r1, r2", &[0xFA82, 0xF081]), [0, 1, 2, 0]), 0);
    assert_eq!(q(("smlad r0, r1, r2, r3", &[0xFB21, 0x3002]), [0, 0x8000_8000, 0x8000_8000, 0]), 1);
    assert_eq!(q(("smlsd r0, r1, r2, r3", &[0xFB41, 0x3002]), [0, 0x8000_8000, 0x8000_8000, 0]), 0);
    assert_eq!(q(("ssat r0, #1, r1", &[0xF301, 0x0000]), [0, 0xFFFF_FFFF, 0, 0]), 0);
}

#[test]
fn the_program_counter_reads_four_ahead() {
    // The entry is at 0x100.
    assert_eq!(run(("mov r0, pc", &[0x4678]), [0; 4]).register(0), 0x104);
    assert_eq!(run(("nop; adr r0, . + 6", &[0xBF00, 0xA001]), [0; 4]).register(0), 0x108);
    assert_eq!(run(("movs r0, #1; add r0, pc", &[0x2001, 0x4478]), [0; 4]).register(0), 0x107);
}
