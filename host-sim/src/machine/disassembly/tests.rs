//! Encodings and their texts, as the assembler has them.

use super::*;

const PC: u32 = 0x100;

/// Text, first halfword, second halfword (0 for narrow ones).
type Case = (&'static str, u16, u16);

#[rustfmt::skip] // a table
const NARROW: &[Case] = &[
    ("lsls r0, r1, #2", 0x0088, 0), ("movs r0, r1", 0x0008, 0), ("asrs r0, r1, #32", 0x1008, 0),
    ("adds r0, r1, r2", 0x1888, 0), ("subs r0, r1, #7", 0x1FC8, 0), ("movs r0, #255", 0x20FF, 0),
    ("cmp r0, #1", 0x2801, 0), ("adds r0, #1", 0x3001, 0), ("subs r0, #1", 0x3801, 0),
    ("ands r0, r1", 0x4008, 0), ("lsls r0, r1", 0x4088, 0), ("rsbs r0, r1, #0", 0x4248, 0),
    ("mvns r0, r1", 0x43C8, 0), ("muls r0, r1, r0", 0x4348, 0), ("tst r0, r1", 0x4208, 0),
    ("add r0, r8", 0x4440, 0), ("mov r8, r0", 0x4680, 0), ("mov pc, lr", 0x46F7, 0), ("cmp r8, r0", 0x4580, 0),
    ("bx lr", 0x4770, 0), ("blx r3", 0x4798, 0),
    ("ldr r0, [pc, #4] ; 0x108", 0x4801, 0), ("adr r0, 0x108", 0xA001, 0), ("add r0, sp, #4", 0xA801, 0),
    ("add sp, #16", 0xB004, 0), ("sub sp, #16", 0xB084, 0),
    ("str r0, [r1, r2]", 0x5088, 0), ("ldrsh r0, [r1, r2]", 0x5E88, 0), ("ldr r0, [r1, #4]", 0x6848, 0),
    ("ldrb r0, [r1]", 0x7808, 0), ("strh r0, [r1, #2]", 0x8048, 0), ("ldr r0, [sp, #4]", 0x9801, 0),
    ("sxtb r0, r1", 0xB248, 0), ("rev r0, r1", 0xBA08, 0), ("cbz r0, 0x104", 0xB100, 0), ("cbnz r1, 0x106", 0xB909, 0),
    ("push {r4, lr}", 0xB510, 0), ("pop {r4, pc}", 0xBD10, 0), ("stmia r0!, {r1, r2}", 0xC006, 0),
    ("ldmia r0!, {r1, r2}", 0xC806, 0), ("ldmia r1, {r1, r2}", 0xC906, 0),
    ("beq.n 0x102", 0xD0FF, 0), ("b.n 0x100", 0xE7FE, 0), ("svc 5", 0xDF05, 0), ("udf #1", 0xDE01, 0), ("bkpt 0x00ab", 0xBEAB, 0),
    ("nop", 0xBF00, 0), ("wfi", 0xBF30, 0), ("it eq", 0xBF08, 0), ("ite ne", 0xBF14, 0), ("itete cs", 0xBF2B, 0), ("itt al", 0xBFE4, 0),
    ("cpsid i", 0xB672, 0), ("cpsie f", 0xB661, 0), (".inst.n 0xb650", 0xB650, 0),
];

#[rustfmt::skip] // a table
const WIDE: &[Case] = &[
    ("and.w r0, r1, #255", 0xF001, 0x00FF), ("orns r0, r1, #255", 0xF071, 0x00FF), ("mov.w r0, #0x10001", 0xF04F, 0x1001),
    ("mvn.w r0, #1", 0xF06F, 0x0001), ("movw r0, #65535", 0xF64F, 0x70FF), ("movt r0, #1", 0xF2C0, 0x0001),
    ("add.w r0, r1, #1", 0xF101, 0x0001), ("sub.w sp, sp, #16", 0xF1AD, 0x0D10), ("subw r0, r1, #4095", 0xF6A1, 0x70FF),
    ("adr.w r0, 0xfc", 0xF2AF, 0x0008), ("cmp.w r0, #256", 0xF5B0, 0x7F80), ("tst.w r0, r1, lsl #2", 0xEA10, 0x0F81),
    ("add.w r0, r1, r2, lsl #3", 0xEB01, 0x00C2), ("rsb r0, r1, r2", 0xEBC1, 0x0002), ("rsb r0, r1, #0", 0xF1C1, 0x0000),
    ("lsl.w r0, r1, #4", 0xEA4F, 0x1001), ("rrx r0, r1", 0xEA4F, 0x0031), ("lsrs.w r0, r1, r2", 0xFA31, 0xF002),
    ("pkhtb r0, r1, r2, asr #16", 0xEAC1, 0x4022), ("sxtab16 r0, r1, r2, ror #8", 0xFA21, 0xF092), ("uxth.w r8, r1", 0xFA1F, 0xF881),
    ("ubfx r0, r1, #4, #8", 0xF3C1, 0x1007), ("bfi r0, r1, #4, #8", 0xF361, 0x100B), ("ssat r0, #16, r1, lsl #2", 0xF301, 0x008F),
    ("smlad r0, r1, r2, r3", 0xFB21, 0x3002), ("smultb r0, r1, r2", 0xFB11, 0xF022), ("umull r0, r5, r1, r2", 0xFBA1, 0x0502),
    ("uqsub8 r0, r1, r2", 0xFAC1, 0xF052), ("qdadd r0, r1, r2", 0xFA82, 0xF091), ("smmulr r0, r1, r2", 0xFB51, 0xF012),
    ("sdiv r0, r1, r2", 0xFB91, 0xF0F2), ("clz r0, r1", 0xFAB1, 0xF081),
    ("ldr.w r0, [r1, #-4]", 0xF851, 0x0C04), ("ldr.w r0, [r1], #4", 0xF851, 0x0B04), ("strb.w r0, [r1, #1]!", 0xF801, 0x0F01),
    ("ldrsh.w r0, [r1, r2, lsl #1]", 0xF931, 0x0012), ("ldrbt r0, [r1, #4]", 0xF811, 0x0E04), ("ldrd r0, r1, [r4, #-8]", 0xE954, 0x0102),
    ("ldr.w pc, [pc, #-4] ; 0x100", 0xF85F, 0xF004), ("pld [r0, #4]", 0xF890, 0xF004), ("stmdb sp!, {r4, r8, lr}", 0xE92D, 0x4110),
    ("ldmia.w sp!, {r4, pc}", 0xE8BD, 0x8010), ("ldrex r0, [r1, #4]", 0xE851, 0x0F01), ("strexh r0, r1, [r2]", 0xE8C2, 0x1F50),
    ("ldaexb r0, [r1]", 0xE8D1, 0x0FCF), ("stl r0, [r1]", 0xE8C1, 0x0FAF), ("ttt r0, r1", 0xE841, 0xF040), ("sg", 0xE97F, 0xE97F),
    ("tbb [pc, r0]", 0xE8DF, 0xF000), ("tbh [r1, r0, lsl #1]", 0xE8D1, 0xF010), ("bl 0x104", 0xF000, 0xF800), ("bne.w 0x104", 0xF040, 0x8000),
    ("b.w 0xfe", 0xF7FF, 0xBFFD), ("dmb sy", 0xF3BF, 0x8F5F), ("isb sy", 0xF3BF, 0x8F6F), ("mrs r0, PRIMASK", 0xF3EF, 0x8010),
    ("msr APSR_nzcvq, r0", 0xF380, 0x8800), ("msr PSPLIM, r1", 0xF381, 0x880B), ("nop.w", 0xF3AF, 0x8000), ("dbg #3", 0xF3AF, 0x80F3),
    ("udf.w #4660", 0xF7F1, 0xA234), ("mrc p15, ...", 0xEE11, 0x0F10), (".inst.w 0xf7f08000", 0xF7F0, 0x8000),
    ("vadd.f32 s0, s1, s2", 0xEE30, 0x0A81), ("vmov.f32 s0, #-0.5", 0xEEBE, 0x0A00), ("vcmpe.f32 s0, #0.0", 0xEEB5, 0x0AC0),
    ("vcvtr.s32.f32 s0, s1", 0xEEBD, 0x0A60), ("vcvt.f32.s32 s0, s0, #31", 0xEEBA, 0x0AE0), ("vcvtt.f32.f16 s0, s1", 0xEEB2, 0x0AE0),
    ("vldr d1, [r4]", 0xED94, 0x1B00), ("vstmia r4!, {s0-s3}", 0xECA4, 0x0A04), ("vpush {d8-d9}", 0xED2D, 0x8B04),
    ("vmov r0, r1, s0, s1", 0xEC51, 0x0A10), ("vmov.32 d1[1], r0", 0xEE21, 0x0B10), ("vmrs APSR_nzcv, fpscr", 0xEEF1, 0xFA10),
    ("vselgt.f32 s0, s1, s2", 0xFE30, 0x0A81), ("vminnm.f32 s0, s1, s2", 0xFE80, 0x0AC1), ("vcvtp.u32.f32 s0, s1", 0xFEBE, 0x0A60),
    ("vrintm.f32 s0, s1", 0xFEBB, 0x0A60), ("vrintx.f32 s0, s1", 0xEEB7, 0x0A60), ("vmul.f64 (double precision)", 0xEE21, 0x0B02),
];

#[test]
fn instructions_read_as_the_assembler_has_them() {
    for &(wanted, first, second) in NARROW.iter().chain(WIDE) {
        assert_eq!(text(first, second, PC, 0), wanted, "{first:04x} {second:04x}");
        assert_eq!(decode::is_wide(first), WIDE.iter().any(|case| case.0 == wanted), "{wanted}");
    }
}

#[test]
fn an_it_block_conditions_its_instructions() {
    // itte eq; adds -> addeq; ldr.w; b
    assert_eq!(text(0x1888, 0, PC, 0x06), "addeq r0, r1, r2");
    assert_eq!(text(0xF8D1, 0x0004, PC, 0x1C), "ldrne.w r0, [r1, #4]");
    assert_eq!(text(0xE7FE, 0, PC, 0x08), "beq.n 0x100");
    assert_eq!(text(0xEE30, 0x0A81, PC, 0xC8), "vaddgt.f32 s0, s1, s2");
}

#[test]
fn the_it_state_is_found_from_the_code_before() {
    // b.w back (its second half looks like an IT instruction); itte eq; adds; ldr.w; adds; adds
    let code = [0xBF00, 0xF7FF, 0xBFFD, 0xBF06, 0x1888, 0xF8D1, 0x0004, 0x1888, 0x1888];
    let read = |address: u32| code.get((address.wrapping_sub(0x100) / 2) as usize).copied();
    let at = |index: u32| it_state(0x100 + 2 * index, read);
    assert_eq!([at(0), at(1), at(3), at(4), at(5), at(7), at(8)], [0, 0, 0, 0x06, 0x0C, 0x18, 0]);
}
