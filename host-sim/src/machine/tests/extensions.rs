//! What the cores have and lack: faults that name an extension, FPv5, Armv8-M.

use super::*;

/// Runs to a breakpoint behind the program; r0 to r3 are the registers at first.
fn run_on(core: &'static CoreSpec, program: Program, registers: [u32; 4]) -> Machine {
    let mut machine = machine_with(core, program);
    for (number, value) in registers.into_iter().enumerate() {
        machine.set_register(number, value);
    }
    machine.run(1000);
    machine
}

/// The kind of fault that a program raises, and what its first instruction lacks.
fn fault(core: &'static CoreSpec, program: Program) -> (Option<FaultKind>, Option<String>) {
    let machine = run_on(core, program, [0, DATA, DATA, DATA]);
    (machine.last_fault().map(|fault| fault.kind), machine.lacks(CODE))
}

#[test]
fn an_instruction_that_the_core_lacks_is_a_fault_that_names_it() {
    let undefined = |needs: &str| (Some(FaultKind::Undefined), Some(needs.to_owned()));
    let fine = (None, None);
    let (m0, m3, m4) = (&cores::CORTEX_M0PLUS, &cores::CORTEX_M3, &cores::CORTEX_M4);
    for narrow in [("cbz r0, .+4", &[0xB100][..]), ("it eq", &[0xBF08]), ("cpsid f", &[0xB671])] {
        assert_eq!(fault(m0, narrow), undefined("Armv7-M"), "{}", narrow.0);
        assert_eq!(fault(m3, narrow), fine, "{}", narrow.0);
    }
    let divide: Program = ("udiv r0, r1, r1", &[0xFBB1, 0xF0F1]);
    assert_eq!((fault(m0, divide), fault(m3, divide)), (undefined("Armv7-M"), fine.clone()));
    let dual: Program = ("smuad r0, r1, r1", &[0xFB21, 0xF001]);
    assert_eq!((fault(m3, dual), fault(m4, dual)), (undefined("the DSP extension"), fine.clone()));
    let round: Program = ("vrinta.f32 s0, s0", &[0xFEB8, 0x0A40]);
    assert_eq!(fault(m4, round), undefined("the floating-point extension FPv5"));
    assert_eq!(fault(&cores::CORTEX_M7, round), fine);
    let acquire: Program = ("lda r0, [r1]", &[0xE8D1, 0x0FAF]);
    assert_eq!((fault(&cores::CORTEX_M7, acquire), fault(&cores::CORTEX_M33, acquire)), (undefined("Armv8-M Mainline"), fine));
}

#[test]
fn a_missing_unit_is_a_missing_coprocessor() {
    let add: Program = ("vadd.f32 s0, s0, s0", &[0xEE30, 0x0A00]);
    for core in [&cores::CORTEX_M3, &cores::CORTEX_M4_NOFPU] {
        assert_eq!(fault(core, add).0, Some(FaultKind::NoCoprocessor), "{}", core.name);
    }
    assert_eq!(fault(&cores::CORTEX_M0PLUS, add).0, Some(FaultKind::Undefined));
    let other: Program = ("mrc p15, 0, r0, c0, c0", &[0xEE10, 0x0F10]);
    assert_eq!(fault(&cores::CORTEX_M4, other).0, Some(FaultKind::NoCoprocessor));
    let double: Program = ("vadd.f64 d0, d0, d0", &[0xEE30, 0x0B00]);
    assert_eq!(fault(&cores::CORTEX_M4, double).0, Some(FaultKind::Undefined));
    assert_eq!(fault(&cores::CORTEX_M3, double).0, Some(FaultKind::NoCoprocessor));
}

/// s0 and the exception flags of FPSCR after an instruction on s1 and s2.
fn float5(program: Program, operands: [u32; 2], apsr: u32) -> (u32, u32) {
    let mut machine = machine_with(&cores::CORTEX_M7, program);
    machine.set_float_register(1, operands[0]);
    machine.set_float_register(2, operands[1]);
    machine.set_apsr(apsr);
    assert_eq!(machine.run(10), Stop::Breakpoint { imm: 0 }, "{}: {:?}", program.0, machine.last_fault());
    (machine.float_register(0), machine.fpscr() & 0x9F)
}

#[test]
fn version_five_rounds_as_it_is_told() {
    let bits = f32::to_bits;
    let (invalid, inexact) = (1, 16);
    for (second, text, of) in [
        (0xFEB8, "vrinta", [3.0, -3.0]),
        (0xFEB9, "vrintn", [2.0, -2.0]),
        (0xFEBA, "vrintp", [3.0, -2.0]),
        (0xFEBB, "vrintm", [2.0, -3.0]),
    ] {
        for (operand, wanted) in [2.5, -2.5].into_iter().zip(of) {
            assert_eq!(float5((text, &[second, 0x0A60]), [bits(operand), 0], 0), (bits(wanted), 0), "{text} {operand}");
        }
    }
    assert_eq!(float5(("vrintx.f32 s0, s1", &[0xEEB7, 0x0A60]), [bits(-0.25), 0], 0), (bits(-0.0), inexact));
    assert_eq!(float5(("vrintz.f32 s0, s1", &[0xEEB6, 0x0AE0]), [bits(-0.75), 0], 0), (bits(-0.0), 0));
    assert_eq!(float5(("vcvta.s32.f32 s0, s1", &[0xFEBC, 0x0AE0]), [bits(-2.5), 0], 0), (-3i32 as u32, inexact));
    assert_eq!(float5(("vcvtm.u32.f32 s0, s1", &[0xFEBF, 0x0A60]), [bits(-0.5), 0], 0), (0, invalid));
}

#[test]
fn extremes_prefer_numbers_and_selection_follows_the_flags() {
    let (one, quiet, signalling) = (1f32.to_bits(), 0x7FC0_0001, 0x7F80_0001);
    let (maximum, minimum): (Program, Program) =
        (("vmaxnm.f32 s0, s1, s2", &[0xFE80, 0x0A81]), ("vminnm.f32 s0, s1, s2", &[0xFE80, 0x0AC1]));
    assert_eq!(float5(maximum, [quiet, one], 0), (one, 0));
    assert_eq!(float5(minimum, [one, signalling], 0), (signalling | 1 << 22, 1));
    assert_eq!(float5(minimum, [0, 1 << 31], 0), (1 << 31, 0));
    assert_eq!(float5(maximum, [1 << 31, 0], 0), (0, 0));
    let greater: Program = ("vselgt.f32 s0, s1, s2", &[0xFE30, 0x0A81]);
    assert_eq!(float5(greater, [1, 2], 0).0, 1);
    assert_eq!(float5(greater, [1, 2], 1 << 30).0, 2); // Z
    assert_eq!(float5(greater, [1, 2], 9 << 28).0, 1); // N and V
}

#[test]
fn ordered_accesses_demand_alignment() {
    let m33 = &cores::CORTEX_M33;
    let machine = run_on(m33, ("stl r0, [r1]; ldah r2, [r1]", &[0xE8C1, 0x0FAF, 0xE8D1, 0x2F9F]), [0x1234_5678, DATA, 0, 0]);
    assert_eq!((word(&machine, DATA), machine.register(2)), (0x1234_5678, 0x5678));
    let machine = run_on(m33, ("lda r0, [r1]", &[0xE8D1, 0x0FAF]), [0, DATA + 2, 0, 0]);
    assert_eq!(machine.last_fault().map(|fault| fault.kind), Some(FaultKind::Unaligned));
    let twice: Program =
        ("ldaex r0, [r1]; stlex r2, r0, [r1]; stlex r3, r0, [r1]", &[0xE8D1, 0x0FEF, 0xE8C1, 0x0FE2, 0xE8C1, 0x0FE3]);
    let machine = run_on(m33, twice, [0, DATA, 9, 9]);
    assert_eq!((machine.register(2), machine.register(3)), (0, 1));
}

#[test]
fn a_stack_pointer_stops_at_its_limit() {
    let limit: [u16; 2] = [0xF380, 0x880A]; // msr msplim, r0
    for (text, code) in [
        ("sub sp, #16", &[0xB084][..]),
        ("mov sp, r1", &[0x468D]),
        ("sub.w sp, sp, r2", &[0xEBAD, 0x0D02]),
        ("push {r1-r4}", &[0xB41E]),
        ("str r1, [sp, #-16]!", &[0xF84D, 0x1D10]),
        ("vpush {s0-s3}", &[0xED2D, 0x0A04]),
    ] {
        let program = [&limit, code].concat();
        let machine = run_on(&cores::CORTEX_M33, (text, &program), [STACK - 8, STACK - 12, 12, 0]);
        let (fault, registers) = machine.first_fault().expect(text);
        assert_eq!((fault.kind, registers[13]), (FaultKind::StackLimit, STACK), "{text}");
        let machine = run_on(&cores::CORTEX_M33, (text, &program), [STACK - 16, STACK - 12, 12, 0]);
        assert_eq!(machine.first_fault(), None, "{text}");
    }
    let machine = run_on(&cores::CORTEX_M4, ("msr psplim, r0; mrs r1, psplim", &[0xF380, 0x880B, 0xF3EF, 0x810B]), [8, 9, 0, 0]);
    assert_eq!(machine.register(1), 0);
}

#[test]
fn baseline_cores_have_no_q_no_ge_and_no_basepri() {
    let program: Program = (
        "msr apsr_nzcvqg, r0; msr basepri, r1; mrs r2, apsr; mrs r3, basepri",
        &[0xF380, 0x8C00, 0xF381, 0x8811, 0xF3EF, 0x8200, 0xF3EF, 0x8311],
    );
    let read = |core| {
        let machine = run_on(core, program, [u32::MAX, 0x80, 0, 0]);
        (machine.register(2), machine.register(3))
    };
    assert_eq!(read(&cores::CORTEX_M0PLUS), (0xF000_0000, 0));
    assert_eq!(read(&cores::CORTEX_M3), (0xF800_0000, 0x80));
    assert_eq!(read(&cores::CORTEX_M4), (0xF80F_0000, 0x80));
}

#[test]
fn a_target_test_says_that_memory_is_readable_and_writable() {
    let machine = run_on(&cores::CORTEX_M33, ("tt r0, r1", &[0xE841, 0xF000]), [0, DATA, 0, 0]);
    assert_eq!(machine.register(0), 3 << 18);
}
