//! Cores that issue one instruction at a time: the price of a straight run, with what each instruction does to the next one and
//! what the prefetch buffer lets through.

use super::{Class, Table};
use crate::machine::op::{FloatOp, Instruction, Op};
use crate::machine::register_set::Registers;

/// What the instruction before leaves behind.
#[derive(Clone, Copy, Default)]
struct Before {
    /// A single load, under this ITSTATE.
    load: Option<u8>,
    /// A store; nothing reads memory in the cycle behind it.
    store: bool,
    /// Core registers that it wrote, but not bases that a multiple transfer wrote early.
    written: Registers,
    /// Core registers that a multiplication wrote.
    multiplied: Registers,
    /// What the FPU computed in it.
    float_result: Registers,
    /// 16 bits wide.
    narrow: bool,
}

/// Prices the instructions of a block of `bytes` bytes at `pc`: fills in the cycles before each and returns those of all.
pub(in crate::machine) fn schedule(table: &Table, pc: u32, instructions: &mut [Instruction], bytes: u32) -> u16 {
    let mut prefetch = table.prefetch_words.map(|words| Prefetch::new(words, pc));
    let mut before = Before::default();
    let mut total = 0;
    for index in 0..instructions.len() {
        let end = instructions.get(index + 1).map_or(bytes, |next| u32::from(next.halfwords_before) * 2);
        let this = &mut instructions[index];
        this.cycles_before = total as u16;
        let start = u32::from(this.halfwords_before) * 2;
        if let Some(prefetch) = &mut prefetch {
            let (class, _) = Class::of(this.op);
            let waits = index == 0 || class.multiplies() || class.computes_floats();
            total = prefetch.execute(end, total as i32, waits) as u32;
        }
        let across_words = end - start == 4 && pc.wrapping_add(start) & 2 != 0;
        let cycles = cost(table, this, &before, across_words);
        if let (Some(prefetch), true) = (&mut prefetch, cycles > 0) {
            prefetch.executed = total as i32;
        }
        total += cycles;
        before = Before::after(this, end - start == 2);
    }
    total as u16
}

/// Cycles of one instruction behind another, its instructions being at hand.
fn cost(table: &Table, this: &Instruction, before: &Before, across_words: bool) -> u32 {
    let op = this.op;
    let (class, words) = Class::of(op);
    let price = |class| table.cost(class, 0);
    let mut cycles = table.cost(class, words) + class.refill(op).map_or(0, price);

    let same_condition = |it: u8| it == 0 || it >> 4 == this.it >> 4;
    let behind_load = before.load.is_some_and(same_condition);
    let is_store = matches!(class, Class::Store | Class::FloatStore);
    // A load that two words of code hold does not pipeline behind another (Arm 100166, footnote of table 3-1).
    if op.is_single_load() && behind_load && !across_words {
        let indexed = matches!(op, Op::LoadIndexed { .. });
        cycles -= price(if indexed { Class::PipelinedIndexedLoad } else { Class::PipelinedLoad });
    } else if op == Op::Nop && behind_load {
        cycles -= price(Class::NopBehindLoad);
    } else if op == Op::IfThen && before.narrow {
        cycles -= price(Class::FoldedIfThen);
    }
    if before.store && class.reads_memory() {
        cycles += price(Class::LoadBehindStore);
    }
    if before.written.meets(op.address_registers()) {
        cycles += price(Class::AddressDependency);
    }
    if is_store && before.multiplied.meets(op.reads().without(op.address_registers())) {
        cycles += price(Class::StoreOfProduct);
    }
    if before.float_result.meets(op.reads().without(late_addend(op))) {
        cycles += price(Class::FloatResult);
    }
    cycles
}

impl Before {
    fn after(this: &Instruction, narrow: bool) -> Self {
        let op = this.op;
        let (class, _) = Class::of(op);
        let writes = op.writes();
        let early = if class.moves_several() { op.written_base() } else { Registers::default() };
        let when = |condition: bool, registers: Registers| if condition { registers } else { Registers::default() };
        Self {
            load: op.is_single_load().then_some(this.it),
            store: class.writes_memory(),
            written: writes.core_part().without(early),
            multiplied: when(class.multiplies(), writes.core_part()),
            float_result: when(class.computes_floats(), writes.float_part()),
            narrow,
        }
    }
}

/// The addend of a multiply-accumulate, which the FPU takes a cycle behind the factors.
fn late_addend(op: Op) -> Registers {
    match op {
        Op::Float { operation: FloatOp::Add | FloatOp::Sub | FloatOp::Mul | FloatOp::NegMul | FloatOp::Div, .. } => {
            Registers::default()
        }
        Op::Float { sd, sn, sm, .. } if sd != sn && sd != sm => op.writes(),
        _ => Registers::default(),
    }
}

/// The prefetch buffer of a three-stage pipeline: some aligned words, each asked for when there is room, and there two cycles later. A
/// word's room is free from the cycle in which the instruction with its last halfword is decoded. Only the first instruction behind a
/// branch, multiplications and FPU instructions have been seen to wait for it.
struct Prefetch {
    words: usize,
    /// Bytes between the start of the aligned word with the first instruction and that instruction.
    skew: u32,
    /// By word: when it was asked for, and when it became free.
    asked: Vec<i32>,
    freed: Vec<i32>,
    /// When the last instruction that was not folded away started to execute.
    executed: i32,
}

impl Prefetch {
    /// An empty buffer at the target of a branch: the first word is asked for so that it is decoded in the cycle before cycle 0.
    fn new(words: u32, pc: u32) -> Self {
        Self { words: words as usize, skew: pc & 2, asked: vec![-3], freed: Vec::new(), executed: -1 }
    }

    /// When the instruction that ends at this offset starts to execute, given when its predecessor ends.
    fn execute(&mut self, end: u32, free: i32, waits: bool) -> i32 {
        let last = ((self.skew + end - 1) / 4) as usize;
        while self.asked.len() <= last {
            let next = self.asked.len();
            let room = next.checked_sub(self.words).and_then(|word| self.freed.get(word)).map_or(i32::MIN, |freed| freed + 1);
            self.asked.push(room.max(self.asked[next - 1] + 1));
        }
        let decoded = if waits { self.executed.max(self.asked[last] + 2) } else { self.executed };
        let used = ((self.skew + end) / 4) as usize;
        self.freed.resize(used.max(self.freed.len()), decoded);
        free.max(decoded + 1)
    }
}
