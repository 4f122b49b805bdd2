//! Cores that issue up to two instructions at a time: an in-order scoreboard over a straight run of instructions.
//!
//! An instruction issues in the cycle in which its operands can be forwarded to the units that take them ([`Forwarding`] says how long
//! after their makers), never before its predecessor, and together with it only if [`pairing`](super::pairing) allows. Whatever is still
//! on its way at the end of a block, its successor waits for: see `Border`.

use super::operands::{Consumer, Producer, operands, producer};
use super::pairing::{Candidate, Rules, Unit};
use super::{Class, Status, Table};
use crate::machine::op::{Instruction, Op};
use crate::machine::register_set::Registers;

/// How many cycles behind its maker's issue a value can be taken, by the unit that takes it; 0 is the same cycle.
#[derive(Clone, Copy, Debug)]
pub struct ForwardingRow {
    /// Who makes it.
    pub producer: Producer,
    /// In the order of [`Consumer`].
    pub cycles: [u8; Consumer::COUNT],
    /// Where the figures are from.
    pub source: &'static str,
    /// How well they are known.
    pub status: Status,
}

/// The forwarding paths of a core, in the order of [`Producer`], and what else its scoreboard needs.
#[derive(Debug)]
pub struct Forwarding {
    /// One row a producer.
    pub rows: [ForwardingRow; Producer::COUNT],
    /// Cycles from an instruction that sets the flags to one that computes with them.
    pub flags: u8,
    /// The same, where a shifted operand or a rotated constant went into the flags.
    pub shifted_flags: u8,
    /// What may issue together.
    pub rules: Rules,
}

/// A row, with all of its columns on one line.
pub(super) const fn forward(
    producer: Producer,
    cycles: [u8; Consumer::COUNT],
    source: &'static str,
    status: Status,
) -> ForwardingRow {
    ForwardingRow { producer, cycles, source, status }
}

impl Forwarding {
    /// Whether the core predicts its branches.
    pub(in crate::machine) fn predicts_branches(&self) -> bool {
        self.rules.predicts_branches()
    }

    fn latency(&self, producer: Producer, consumer: Consumer) -> u32 {
        self.rows[producer as usize].cycles[consumer as usize].into()
    }
}

/// A value on its way: when its maker issued, and which that was.
#[derive(Clone, Copy, Debug)]
struct Pending {
    issued: u32,
    producer: Producer,
}

/// The last store, for a load of the same place.
#[derive(Clone, Copy)]
struct Stored {
    issued: u32,
    base: u8,
    offset: u32,
}

/// The state of issue within a block.
struct Scoreboard<'a> {
    table: &'a Table,
    forwarding: &'a Forwarding,
    pending: [Option<Pending>; Registers::COUNT],
    /// The cycle of the last issue, and the first in which the next instruction can issue alone.
    cycle: u32,
    next: u32,
    /// The instruction of `cycle` that may still get company.
    open: Option<Candidate>,
    stored: Option<Stored>,
    /// Until this cycle, most FPU instructions wait for a multiply-accumulate.
    float_busy: u32,
}

/// A register that a block reads before it writes it, at which cycle, and with which unit; or one that it leaves on its way.
#[derive(Clone, Copy, Debug)]
struct Edge<T> {
    register: u8,
    /// Cycles from the beginning, or before the end of the block.
    cycles: u8,
    unit: T,
}

/// Where a block can be left, and what is on its way then.
#[derive(Clone, Debug)]
struct Exit {
    /// Instructions executed until then.
    executed: usize,
    leaves: Vec<Edge<Producer>>,
    /// The branch is in the first slot, and the second one can take the instruction at its target.
    open: bool,
}

/// What two blocks must know of each other: only what is near the border counts.
#[derive(Clone, Debug, Default)]
pub(in crate::machine) struct Border {
    takes: Vec<Edge<Consumer>>,
    exits: Vec<Exit>,
}

/// Values that take longer than this stall the core itself.
const LONGEST: u32 = 8;

impl Border {
    /// Whether the first instruction of the next block can go with the branch behind `executed` instructions.
    pub(in crate::machine) fn is_open(&self, executed: usize) -> bool {
        self.exits.iter().any(|exit| exit.executed == executed && exit.open)
    }

    /// Cycles that `next` waits for what this block leaves on its way behind `executed` instructions.
    pub(in crate::machine) fn stall(&self, executed: usize, next: &Self, forwarding: &Forwarding) -> u32 {
        let Some(exit) = self.exits.iter().find(|exit| exit.executed == executed) else { return 0 };
        let mut stall = 0;
        for left in &exit.leaves {
            for taken in next.takes.iter().filter(|taken| taken.register == left.register) {
                let latency = forwarding.latency(left.unit, taken.unit);
                stall = stall.max(latency.saturating_sub(u32::from(left.cycles) + u32::from(taken.cycles)));
            }
        }
        stall
    }
}

/// Marks the condition of a branch whose flags were there early enough for a wrong prediction to be found early.
pub(in crate::machine) const EARLY_FLAGS: u8 = 0x10;

/// Cycles from the flags to such a branch.
const EARLY: u32 = 3;

/// Prices a block of `bytes` bytes: fills in the cycles before each instruction; returns those of all, and the border. If `joined`, the
/// first instruction can go with the branch that led here, in a cycle that is paid for.
pub(in crate::machine) fn schedule(
    table: &Table,
    forwarding: &Forwarding,
    instructions: &mut [Instruction],
    bytes: u32,
    joined: bool,
) -> (u16, Border) {
    let paid = u32::from(joined);
    let mut board = Scoreboard {
        table,
        forwarding,
        pending: [None; Registers::COUNT],
        cycle: 0,
        next: paid,
        open: joined.then(|| Candidate::new(&forwarding.rules, Op::Branch { target: 0 }, true)),
        stored: None,
        float_busy: 0,
    };
    let mut border = Border::default();
    let mut written = Registers::default();
    let (mut total, mut narrow_ones) = (paid, 0);
    for index in 0..instructions.len() {
        let end = instructions.get(index + 1).map_or(bytes, |next| u32::from(next.halfwords_before) * 2);
        let this = &mut instructions[index];
        this.cycles_before = (total - paid) as u16;
        let narrow = end - u32::from(this.halfwords_before) * 2 == 2;
        narrow_ones += u32::from(narrow);
        total = total.max(board.issue(this.op, this.it, narrow));
        if let Op::BranchIf { condition, target } = this.op
            && board.has_early_flags()
        {
            this.op = Op::BranchIf { condition: condition | EARLY_FLAGS, target };
        }
        if board.cycle < LONGEST {
            for (registers, unit) in operands(this.op) {
                for register in registers.without(written).numbers() {
                    border.takes.push(Edge { register: register as u8, cycles: board.cycle as u8, unit });
                }
            }
        }
        written = written.and(this.op.writes());
        if Class::of(this.op).0 == Class::Branch || index + 1 == instructions.len() {
            // Fetch is ahead of the branch only where short instructions let it.
            let open =
                forwarding.rules.pairs_across_branches() && board.open.is_some_and(|open| open.is_branch()) && narrow_ones >= 2;
            border.exits.push(Exit { executed: index + 1, leaves: board.leaves(total), open });
        }
    }
    ((total - paid) as u16, border)
}

impl Scoreboard<'_> {
    /// Issues the next instruction; returns the cycles up to its end.
    fn issue(&mut self, op: Op, it: u8, narrow: bool) -> u32 {
        let rules = &self.forwarding.rules;
        let this = Candidate::new(rules, op, narrow);
        let ready = self.ready(op, it);
        let float_ready = if this.has(Unit::WAITS_FOR_MAC) { self.float_busy } else { 0 };
        let ready = ready.max(float_ready);

        let paired = self.open.is_some_and(|older| rules.pair(&older, &this) && ready <= self.cycle)
            && !(this.has(Unit::FLOAT_MOVE) && self.cycle < self.float_busy);
        let duration = self.duration(op);
        if paired {
            self.open = None;
        } else {
            self.cycle = self.next.max(ready);
            self.open = (!this.has(Unit::ALONE)).then_some(this);
        }
        let end = self.cycle + duration;
        self.next = if paired { self.next.max(end) } else { end };
        self.next += self.refill(op, paired);
        self.record(op, !paired, this);
        self.next
    }

    /// Whether the flags of the branch that has just issued were there early.
    fn has_early_flags(&self) -> bool {
        let flags = Registers::FLAGS.0.trailing_zeros() as usize;
        self.pending[flags].is_none_or(|pending| pending.issued + EARLY <= self.cycle)
    }

    /// What is on its way at the end of cycle `total`.
    fn leaves(&self, total: u32) -> Vec<Edge<Producer>> {
        let edge = |(register, pending): (usize, &Option<Pending>)| {
            let Pending { issued, producer } = (*pending)?;
            let cycles = total - issued;
            let late = self.forwarding.rows[producer as usize].cycles.iter().any(|&latency| u32::from(latency) > cycles);
            (cycles < LONGEST && late && register < 48).then_some(Edge {
                register: register as u8,
                cycles: cycles as u8,
                unit: producer,
            })
        };
        self.pending.iter().enumerate().filter_map(edge).collect()
    }

    /// The first cycle in which all operands can be taken.
    fn ready(&self, op: Op, it: u8) -> u32 {
        let mut ready = 0;
        for (registers, consumer) in operands(op) {
            for register in registers.numbers() {
                if let Some(pending) = self.pending[register] {
                    let latency = match register < 48 {
                        true => self.forwarding.latency(pending.producer, consumer),
                        false => self.flag_latency(op, pending.producer),
                    };
                    ready = ready.max(pending.issued + latency);
                }
            }
        }
        let flags = Registers::FLAGS.0.trailing_zeros() as usize;
        if let (true, Some(pending)) = (it != 0, self.pending[flags]) {
            ready = ready.max(pending.issued + self.flag_latency(op, pending.producer));
        }
        if let (Some(stored), Some((base, offset))) = (self.stored, loaded_place(op))
            && stored.base == base
            && stored.offset == offset
        {
            ready = ready.max(stored.issued + self.table.cost(Class::LoadStored, 0));
        }
        ready
    }

    fn flag_latency(&self, op: Op, producer: Producer) -> u32 {
        let shifted = producer == Producer::ShiftedAlu;
        match op {
            Op::BranchIf { .. } if self.forwarding.rules.predicts_branches() || !shifted => 0,
            _ if shifted => self.forwarding.shifted_flags.into(),
            _ => self.forwarding.flags.into(),
        }
    }

    /// Cycles in which nothing behind it issues, its own included.
    fn duration(&self, op: Op) -> u32 {
        let (class, words) = Class::of(op);
        let transfers = words.div_ceil(self.table.transfer_words);
        let slow_flags = if self.forwarding.rules.sets_flags_slowly(op) { self.table.cost(Class::SlowFlags, 0) } else { 0 };
        self.table.cost(class, transfers) + slow_flags
    }

    /// What a branch adds that is always taken.
    fn refill(&self, op: Op, paired: bool) -> u32 {
        let Some(refill) = Class::of(op).0.refill(op) else { return 0 };
        let flags = Registers::FLAGS.0.trailing_zeros() as usize;
        let behind_flags = paired && self.pending[flags].is_some_and(|pending| pending.issued == self.cycle);
        self.table.cost(refill, 0) + if behind_flags { self.table.cost(Class::RefillFlags, 0) } else { 0 }
    }

    /// Notes what the instruction changes.
    fn record(&mut self, op: Op, first: bool, this: Candidate) {
        let issued = self.cycle;
        let writes = op.writes();
        let mut maker = producer(op);
        if maker == Producer::Alu && self.forwarding.rules.has_early_adder() && this.can_be_early(first) && self.shifter_ready(op)
        {
            maker = Producer::EarlyAlu;
        }
        let base = op.written_base();
        for register in writes.numbers() {
            let producer = if base.0 >> register & 1 != 0 { Producer::BaseUpdate } else { maker };
            self.pending[register] = Some(Pending { issued, producer });
        }
        if let Some(stored) = self.stored
            && writes.0 >> stored.base & 1 != 0
        {
            self.stored = None;
        }
        if let Some((base, offset)) = stored_place(op) {
            self.stored = Some(Stored { issued, base, offset });
        }
        if this.has(Unit::FLOAT_MAC) {
            self.float_busy = issued + 1 + self.table.cost(Class::FloatBusy, 0);
        }
    }

    /// Whether the operands are there a stage early.
    fn shifter_ready(&self, op: Op) -> bool {
        op.reads().numbers().all(|register| {
            self.pending[register]
                .is_none_or(|pending| pending.issued + self.forwarding.latency(pending.producer, Consumer::Shifter) <= self.cycle)
        })
    }
}

/// Base and offset of a store of known place.
fn stored_place(op: Op) -> Option<(u8, u32)> {
    match op {
        Op::StoreWord { rn, offset, .. } | Op::StoreHalf { rn, offset, .. } | Op::StoreByte { rn, offset, .. } => {
            Some((rn, offset))
        }
        Op::FloatStore { rn, offset, .. } => Some((rn, i32::from(offset) as u32)),
        _ => None,
    }
}

/// Base and offset of a load of known place.
fn loaded_place(op: Op) -> Option<(u8, u32)> {
    match op {
        Op::LoadWord { rn, offset, .. }
        | Op::LoadHalf { rn, offset, .. }
        | Op::LoadByte { rn, offset, .. }
        | Op::LoadSignedHalf { rn, offset, .. }
        | Op::LoadSignedByte { rn, offset, .. } => Some((rn, offset)),
        Op::FloatLoad { rn, offset, .. } => Some((rn, i32::from(offset) as u32)),
        _ => None,
    }
}
