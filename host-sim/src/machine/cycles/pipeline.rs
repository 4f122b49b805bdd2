//! Cores that issue one instruction at a time: the price of a straight run, with what each instruction does to the next one.

use super::{Class, Table};
use crate::machine::op::Instruction;
use crate::machine::op_registers::Registers;

/// What the instruction before leaves behind.
#[derive(Clone, Copy, Default)]
struct Before {
    /// A single load, under this ITSTATE.
    load: Option<u8>,
    /// What it loaded.
    loaded: Registers,
    /// What the FPU computed in it.
    float_result: Registers,
    /// Unaligned wide instructions in a row.
    unaligned: u32,
}

/// Prices the instructions of a block of `bytes` bytes at `pc`: fills in the cycles before each and returns those of all.
pub(in crate::machine) fn schedule(table: &Table, pc: u32, instructions: &mut [Instruction], bytes: u32) -> u16 {
    let mut total = 0;
    let mut before = Before::default();
    for index in 0..instructions.len() {
        let end = instructions.get(index + 1).map_or(bytes, |next| u32::from(next.halfwords_before) * 2);
        let this = &mut instructions[index];
        this.cycles_before = total;
        let (class, words) = Class::of(this.op);
        let cost = |class| table.cost(class, 0);
        let mut cycles = table.cost(class, words);
        if Class::always_branches(this.op) {
            cycles += cost(Class::Refill);
        }

        let reads = this.op.reads();
        let depends = before.loaded.meets(this.op.address_registers());
        let same_condition = |it: u8| it == 0 || it >> 4 == this.it >> 4;
        if depends {
            cycles += cost(Class::AddressDependency);
        } else if this.op.is_single_load() && before.load.is_some_and(same_condition) {
            cycles -= cost(Class::PipelinedLoad);
        }
        if before.loaded.meets(reads) {
            cycles += cost(Class::LoadUse);
        }
        if before.float_result.meets(reads) {
            cycles += cost(Class::FloatResult);
        }

        let start = u32::from(this.halfwords_before) * 2;
        let unaligned = if end - start == 4 && pc.wrapping_add(start) & 2 != 0 { before.unaligned + 1 } else { 0 };
        if unaligned > 0 && unaligned % 3 == 0 {
            cycles += cost(Class::UnalignedRun);
        }

        let is_load = this.op.is_single_load();
        let computes = matches!(
            class,
            Class::FloatData
                | Class::FloatMultiply
                | Class::FloatMultiplyAccumulate
                | Class::FloatFused
                | Class::FloatDivide
                | Class::FloatSquareRoot
                | Class::FloatConvert
        );
        let writes = this.op.writes();
        before = Before {
            load: is_load.then_some(this.it),
            loaded: if is_load { writes.without(this.op.address_registers()) } else { Registers::default() },
            float_result: if computes { writes.float_part() } else { Registers::default() },
            unaligned,
        };
        total += cycles as u16;
    }
    total
}
