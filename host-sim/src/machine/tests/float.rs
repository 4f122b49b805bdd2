//! Floating point: results, NaNs, flags, conversions.

use super::*;

const ONE: u32 = 0x3F80_0000;
const INFINITY: u32 = 0x7F80_0000;
const DEFAULT_NAN: u32 = 0x7FC0_0000;
const INVALID: u32 = 1;
const DIVIDE_BY_ZERO: u32 = 2;
const INEXACT: u32 = 16;

/// s0 and the exception flags after a program on s0, s1, s2.
fn float(program: Program, registers: [u32; 3], fpscr: u32) -> (u32, u32) {
    let mut machine = machine(program);
    for (number, bits) in registers.into_iter().enumerate() {
        machine.set_float_register(number, bits);
    }
    machine.core.control |= 4; // a running context keeps the modes set here
    machine.set_fpscr(fpscr);
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 }, "{}: {:?}", program.0, machine.last_fault());
    (machine.float_register(0), machine.fpscr() & 0x9F)
}

fn bits(value: f32) -> u32 {
    value.to_bits()
}

#[test]
fn only_fused_products_round_once() {
    // (1 + e)(1 - e) - 1 = -e^2, which a rounded product loses.
    let registers = [bits(-1.0), bits(1.0 + f32::EPSILON), bits(1.0 - f32::EPSILON)];
    assert_eq!(float(("vmla.f32 s0, s1, s2", &[0xEE00, 0x0A81]), registers, 0), (0, INEXACT));
    assert_eq!(float(("vfma.f32 s0, s1, s2", &[0xEEA0, 0x0A81]), registers, 0), (bits(-f32::EPSILON * f32::EPSILON), 0));
    let registers = [bits(10.0), bits(2.0), bits(3.0)];
    assert_eq!(float(("vnmls.f32 s0, s1, s2", &[0xEE10, 0x0A81]), registers, 0).0, bits(-4.0));
    assert_eq!(float(("vnmla.f32 s0, s1, s2", &[0xEE10, 0x0AC1]), registers, 0).0, bits(-16.0));
    assert_eq!(float(("vfnms.f32 s0, s1, s2", &[0xEE90, 0x0A81]), registers, 0).0, bits(-4.0));
    assert_eq!(float(("vfnma.f32 s0, s1, s2", &[0xEE90, 0x0AC1]), registers, 0).0, bits(-16.0));
}

#[test]
fn a_fused_product_is_not_rounded_twice() {
    // 1 + 2^-24 + 2^-80: rounding to f64 first would lose the last term and then round a tie to even.
    let registers = [bits(1.0 + 2f32.powi(-23)), bits(2f32.powi(-12) + 2f32.powi(-35)), bits(2f32.powi(-12))];
    let exact = registers.map(f32::from_bits);
    assert_eq!(float(("vfma.f32 s0, s1, s2", &[0xEEA0, 0x0A81]), registers, 0).0, bits(exact[1].mul_add(exact[2], exact[0])));
    assert_eq!(
        float(("vfma.f32 s0, s1, s2", &[0xEEA0, 0x0A81]), registers, INEXACT).0,
        bits(exact[1].mul_add(exact[2], exact[0]))
    );
}

#[test]
fn nans_propagate_signalling_first() {
    let (quiet, signalling) = (0x7FC1_2345, 0xFF81_2345);
    assert_eq!(float(("vadd.f32 s0, s1, s2", &[0xEE30, 0x0A81]), [0, quiet, signalling], 0), (signalling | 1 << 22, INVALID));
    assert_eq!(float(("vadd.f32 s0, s1, s2", &[0xEE30, 0x0A81]), [0, quiet, ONE], 0), (quiet, 0));
    assert_eq!(float(("vadd.f32 s0, s1, s2", &[0xEE30, 0x0A81]), [0, quiet, ONE], 1 << 25), (DEFAULT_NAN, 0));
    assert_eq!(float(("vsub.f32 s0, s1, s2", &[0xEE30, 0x0AC1]), [0, INFINITY, INFINITY], 0), (DEFAULT_NAN, INVALID));
    assert_eq!(float(("vfma.f32 s0, s1, s2", &[0xEEA0, 0x0A81]), [quiet, INFINITY, 0], 0), (DEFAULT_NAN, INVALID));
}

#[test]
fn flags_accumulate_and_modes_count() {
    let third = bits(1.0 / 3.0);
    let divide: Program = ("vdiv.f32 s0, s1, s2", &[0xEE80, 0x0A81]);
    assert_eq!(float(divide, [0, ONE, bits(3.0)], 0), (third, INEXACT));
    assert_eq!(float(divide, [0, ONE, bits(3.0)], 3 << 22), (third - 1, INEXACT)); // nearest rounds this one up
    assert_eq!(float(divide, [0, ONE, 0], 8), (INFINITY, DIVIDE_BY_ZERO | 8));
    assert_eq!(float(("vmul.f32 s0, s1, s2", &[0xEE20, 0x0A81]), [0, 1, ONE], 1 << 24), (0, 1 << 7));
    assert_eq!(float(("vmul.f32 s0, s1, s2", &[0xEE20, 0x0A81]), [0, 0x0080_0000, 0x3F00_0000], 1 << 24), (0, 8));
    assert_eq!(
        float(("vmul.f32 s0, s1, s2", &[0xEE20, 0x0A81]), [0, 0x7F7F_FFFF, bits(2.0)], 3 << 22),
        (0x7F7F_FFFF, 4 | INEXACT)
    );
    assert_eq!(float(("vsqrt.f32 s0, s1", &[0xEEB1, 0x0AE0]), [0, bits(-1.0), 0], 0), (DEFAULT_NAN, INVALID));
}

#[test]
fn conversions_saturate_and_round() {
    let to_signed: Program = ("vcvt.s32.f32 s0, s1", &[0xEEBD, 0x0AE0]);
    assert_eq!(float(to_signed, [0, bits(3e9), 0], 0), (0x7FFF_FFFF, INVALID));
    assert_eq!(float(to_signed, [0, bits(-2.5), 0], 0), (-2i32 as u32, INEXACT));
    assert_eq!(float(to_signed, [0, DEFAULT_NAN, 0], 0), (0, INVALID));
    assert_eq!(float(("vcvt.u32.f32 s0, s1", &[0xEEBC, 0x0AE0]), [0, bits(-0.5), 0], 0), (0, INEXACT));
    assert_eq!(float(("vcvt.u32.f32 s0, s1", &[0xEEBC, 0x0AE0]), [0, bits(-1.5), 0], 0), (0, INVALID));
    let rounded: Program = ("vcvtr.s32.f32 s0, s1", &[0xEEBD, 0x0A60]);
    for (mode, result) in [(0, 2), (1, 3), (2, 2), (3, 2)] {
        assert_eq!(float(rounded, [0, bits(2.5), 0], mode << 22).0, result);
    }
    assert_eq!(float(("vcvt.f32.u32 s0, s1", &[0xEEB8, 0x0A60]), [0, 0xFFFF_FFFF, 0], 0), (bits(4294967296.0), INEXACT));
    assert_eq!(float(("vcvt.s16.f32 s0, s0, #8", &[0xEEBE, 0x0A44]), [bits(-1.5), 0, 0], 0), (0xFFFF_FE80, 0));
    assert_eq!(float(("vcvt.f32.s32 s0, s0, #31", &[0xEEBA, 0x0AE0]), [0x8000_0000, 0, 0], 0), (bits(-1.0), 0));
}

#[test]
fn half_precision_both_ways() {
    assert_eq!(float(("vcvtt.f32.f16 s0, s1", &[0xEEB2, 0x0AE0]), [0, 0x3C00_0000, 0], 0).0, ONE);
    assert_eq!(float(("vcvtb.f32.f16 s0, s1", &[0xEEB2, 0x0A60]), [0, 1, 0], 0).0, bits(2f32.powi(-24)));
    assert_eq!(float(("vcvtb.f16.f32 s0, s1", &[0xEEB3, 0x0A60]), [0xABCD_0000, bits(65504.0), 0], 0).0, 0xABCD_7BFF);
    assert_eq!(float(("vcvtb.f16.f32 s0, s1", &[0xEEB3, 0x0A60]), [0, bits(65520.0), 0], 0), (0x7C00, 4 | INEXACT));
    assert_eq!(float(("vcvtb.f16.f32 s0, s1", &[0xEEB3, 0x0A60]), [0, bits(65520.0), 0], 1 << 26).0, 0x7C00); // the alternative format goes on: 65536
    assert_eq!(float(("vcvtb.f16.f32 s0, s1", &[0xEEB3, 0x0A60]), [0, bits(-3e9), 0], 1 << 26 | 4), (0xFFFF, INVALID | 4));
}

#[test]
fn comparisons_reach_the_core_flags() {
    let compare: Program = ("vcmp.f32 s0, s1; vmrs apsr_nzcv, fpscr", &[0xEEB4, 0x0A60, 0xEEF1, 0xFA10]);
    for (a, b, wanted) in [(1.0, 2.0, "Nzcv"), (2.0, 2.0, "nZCv"), (3.0, 2.0, "nzCv"), (f32::NAN, 2.0, "nzCV")] {
        let mut machine = machine(compare);
        machine.set_float_register(0, bits(a));
        machine.set_float_register(1, bits(b));
        machine.run(100);
        assert_eq!((flags(&machine).as_str(), machine.fpscr() & 1), (wanted, 0));
    }
    assert_eq!(float(("vcmpe.f32 s0, #0", &[0xEEB5, 0x0AC0]), [DEFAULT_NAN, 0, 0], 0).1, INVALID);
}

#[test]
fn transfers_between_registers_and_memory() {
    let machine = run(
        (
            "vmov s4, r0; vmov s2, s3, r1, r2; vpush {s2-s4}; vpop {s10-s12}; vmov r3, s12; vstr d1, [r4]; vmov.f32 s0, #-0.5; vmov r0, s0; vmov r1, r2, s10, s11",
            &[
                0xEE02, 0x0A10, 0xEC42, 0x1A11, 0xED2D, 0x1A03, 0xECBD, 0x5A03, 0xEE16, 0x3A10, 0xED84, 0x1B00, 0xEEBE, 0x0A00,
                0xEE10, 0x0A10, 0xEC52, 0x1A15,
            ],
        ),
        [9, 7, 8, 0],
    );
    assert_eq!([0, 1, 2, 3].map(|n| machine.register(n)), [bits(-0.5), 7, 8, 9]);
    assert_eq!((word(&machine, DATA), word(&machine, DATA + 4)), (7, 8));
}

#[test]
fn a_disabled_unit_faults() {
    let mut machine = machine(("vadd.f32 s0, s0, s0", &[0xEE30, 0x0A00]));
    machine.core.write_system_register(0xE000_ED88, 4, 0, 0).unwrap();
    assert_eq!(machine.run(10), Stop::Breakpoint { imm: 0xFF });
    assert_eq!(machine.last_fault().unwrap().kind, FaultKind::NoCoprocessor);
}
