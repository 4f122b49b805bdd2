//! Loads, stores, and the faults that they raise.

use super::*;

#[test]
fn every_width_and_index() {
    let machine = run(
        (
            "str r0, [r4], #4; strh r1, [r4]; ldrsb r2, [r4, #-4]!; ldrsh r3, [r4, #4]; mov r5, #1; ldrb r6, [r4, r5, lsl #1]",
            &[0xF844, 0x0B04, 0x8021, 0xF914, 0x2D04, 0xF9B4, 0x3004, 0xF04F, 0x0501, 0xF814, 0x6015],
        ),
        [0x1234_56F0, 0x8001, 0, 0],
    );
    assert_eq!(machine.register(2), 0xFFFF_FFF0);
    assert_eq!(machine.register(3), 0xFFFF_8001);
    assert_eq!(machine.register(6), 0x34);
    assert_eq!(machine.register(4), DATA);
}

#[test]
fn multiple_transfers_keep_register_order() {
    let machine = run(
        (
            "stmdb r4!, {r0-r3}; ldmia r4, {r5-r8}; ldmdb r4!, {r9}; strd r1, r0, [r4, #4]!; ldrd r10, r11, [r4]",
            &[0xE924, 0x000F, 0xE894, 0x01E0, 0xF854, 0x9D04, 0xE9E4, 0x1001, 0xE9D4, 0xAB00],
        ),
        [1, 2, 3, 4],
    );
    let registers: Vec<u32> = (5..9).map(|n| machine.register(n)).collect();
    assert_eq!(registers, [1, 2, 3, 4]);
    assert_eq!(machine.register(4), DATA - 16);
    assert_eq!((machine.register(10), machine.register(11)), (2, 1));
}

#[test]
fn table_branch_and_literal() {
    // The table's second entry jumps over one instruction; the literal is the last word.
    let program: Program = (
        "movs r1, #1; tbb [pc, r1]; .byte 1, 2; movs r0, #1; adds r0, #2; ldr r2, .+10; b .+8; nop; .word 0xCAFE1234; nop",
        &[0x2101, 0xE8DF, 0xF001, 0x0201, 0x2001, 0x3002, 0xF8DF, 0x2006, 0xE002, 0xBF00, 0x1234, 0xCAFE, 0xBF00],
    );
    let machine = run(program, [0; 4]);
    assert_eq!(machine.register(0), 2);
}

#[test]
fn exclusive_stores_need_their_load() {
    let machine = run(
        (
            "strex r1, r0, [r4]; ldrex r2, [r4]; strex r3, r0, [r4]; ldrex r5, [r4]; clrex; strex r6, r0, [r4]",
            &[0xE844, 0x0100, 0xE854, 0x2F00, 0xE844, 0x0300, 0xE854, 0x5F00, 0xF3BF, 0x8F2F, 0xE844, 0x0600],
        ),
        [7, 9, 9, 9],
    );
    assert_eq!((machine.register(1), machine.register(3), machine.register(6)), (1, 0, 1));
    assert_eq!(word(&machine, DATA), 7);
}

/// The first fault of a program that ends in the default HardFault handler.
fn fault(program: Program, registers: [u32; 4]) -> Fault {
    let mut machine = machine(program);
    for (number, value) in registers.into_iter().enumerate() {
        machine.set_register(number, value);
    }
    assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0xFF }, "{}", program.0);
    assert_eq!(machine.xpsr() & 0xFF, 3, "in HardFault");
    machine.last_fault().unwrap()
}

#[test]
fn faults_name_kind_place_and_address() {
    let at = |kind, pc, address| Fault { kind, pc, address };
    let nowhere = [0x4000_0000, 0x4000_0002, DATA + 2, 0];
    assert_eq!(fault(("nop; ldr r0, [r0, #4]", &[0xBF00, 0x6840]), nowhere), at(FaultKind::UnmappedRead, CODE + 2, 0x4000_0004));
    assert_eq!(fault(("strb r0, [r0]", &[0x7000]), nowhere), at(FaultKind::UnmappedWrite, CODE, 0x4000_0000));
    assert_eq!(fault(("movs r1, #0; str r1, [r1, #8]", &[0x2100, 0x6089]), nowhere), at(FaultKind::ReadOnlyWrite, CODE + 2, 8));
    assert_eq!(fault(("ldm r2, {r0, r1}", &[0xE892, 0x0003]), nowhere), at(FaultKind::Unaligned, CODE, DATA + 2));
    assert_eq!(fault(("ldrd r0, r1, [r2]", &[0xE9D2, 0x0100]), nowhere), at(FaultKind::Unaligned, CODE, DATA + 2));
    assert_eq!(fault(("vldr s0, [r2]", &[0xED92, 0x0A00]), nowhere), at(FaultKind::Unaligned, CODE, DATA + 2));
    assert_eq!(fault(("ldrex r0, [r2]", &[0xE852, 0x0F00]), nowhere), at(FaultKind::Unaligned, CODE, DATA + 2));
    assert_eq!(fault(("nop; udf #1", &[0xBF00, 0xDE01]), nowhere), at(FaultKind::Undefined, CODE + 2, CODE + 2));
    assert_eq!(fault(("bx r1", &[0x4708]), nowhere), at(FaultKind::InvalidState, CODE, 0x4000_0002));
    assert_eq!(fault(("mov pc, r0", &[0x4687]), nowhere), at(FaultKind::InstructionFetch, 0x4000_0000, 0x4000_0000));
}

#[test]
fn unaligned_single_accesses_are_allowed() {
    let machine = run(
        ("str r0, [r4, #1]; ldrh r1, [r4, #3]; ldr r2, [r4, #1]", &[0xF8C4, 0x0001, 0xF8B4, 0x1003, 0xF8D4, 0x2001]),
        [0x1122_3344, 0, 0, 0],
    );
    assert_eq!((machine.register(1), machine.register(2)), (0x1122, 0x1122_3344));
}

#[test]
fn code_in_ram_can_be_rewritten() {
    let mut machine = machine(("", &[]));
    let code: Program = ("movs r0, #1; movs r1, #2; strb r1, [r4]; bx lr", &[0x2001, 0x2102, 0x7021, 0x4770]);
    place(&mut machine, DATA, code.1);
    for result in [1, 2] {
        machine.set_register(15, DATA);
        machine.set_register(14, CODE | 1);
        assert_eq!(machine.run(100), Stop::Breakpoint { imm: 0 });
        assert_eq!(machine.register(0), result);
    }
}

#[test]
fn host_access_stays_in_one_region() {
    let mut machine = machine(("", &[]));
    assert!(machine.load(0, &[1; 8]).is_ok());
    assert_eq!(machine.write_bytes(RAM + 0xFFC, &[0; 8]), Err(BusError { address: RAM + 0xFFC, length: 8 }));
    assert!(machine.read_bytes(0x4000_0000, &mut [0]).is_err());
}
