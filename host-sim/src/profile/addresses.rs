//! What every address cost: one flat array over the pages of code that were executed.

use crate::machine::{FlowKind, Retired};

const PAGE_BITS: u32 = 12;
/// Halfwords of a page.
const PAGE: usize = 1 << (PAGE_BITS - 1);
/// Most pages (4 MiB of code): what is executed beyond is counted together, so that no guest can take unbounded memory.
const MAX_PAGES: usize = 1 << 10;
/// The page of all addresses beyond [`MAX_PAGES`].
const OVERFLOW: usize = 1;

/// What the instruction at an address cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How often it was executed, or skipped by its IT condition.
    pub executions: u64,
    /// How often it was skipped.
    pub skipped: u64,
    /// All cycles, stalls included.
    pub cycles: u64,
    /// Of these, waiting for instructions.
    pub fetch: u64,
    /// Of these, waiting for data.
    pub data: u64,
    /// How often it branched backwards (or to itself) within its function.
    pub loops: u64,
    /// Where to, the last time.
    pub loop_head: u32,
    /// Its length in bytes.
    pub bytes: u8,
    class: u8,
}

impl Cost {
    fn add(&mut self, retired: &Retired) {
        self.executions += 1;
        self.cycles += u64::from(retired.cycles);
        self.fetch += u64::from(retired.fetch_stall);
        self.data += u64::from(retired.data_stall);
    }
}

/// What a class of instructions cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassCost {
    /// The row of the cycle table.
    pub class: &'static str,
    /// Instructions.
    pub executions: u64,
    /// Cycles.
    pub cycles: u64,
    /// Of these, waiting for instructions.
    pub fetch: u64,
    /// Of these, waiting for data.
    pub data: u64,
}

/// Costs by address and by class.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Number of each page, 0 where none is.
    numbers: Vec<u16>,
    bases: Vec<u32>,
    costs: Vec<Cost>,
    classes: Vec<ClassCost>,
    /// The page of the last instruction.
    last: u32,
    last_first: usize,
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            numbers: vec![0; 1 << (32 - PAGE_BITS)],
            bases: vec![u32::MAX; OVERFLOW + 1],
            costs: vec![Cost::default(); (OVERFLOW + 1) * PAGE],
            classes: Vec::new(),
            last: u32::MAX,
            last_first: 0,
        }
    }
}

impl Addresses {
    /// Counts one instruction; `local`: a branch of it stays within its function.
    #[inline]
    pub fn count(&mut self, retired: &Retired, local: bool) {
        let page = retired.address >> PAGE_BITS;
        if page != self.last {
            self.turn_to(page);
        }
        let cost = &mut self.costs[self.last_first + (retired.address as usize >> 1) % PAGE];
        cost.add(retired);
        cost.bytes = retired.bytes as u8;
        if retired.flow == FlowKind::Skipped {
            cost.skipped += 1;
        }
        if retired.flow == FlowKind::Branch && local && retired.target <= retired.address {
            cost.loops += 1;
            cost.loop_head = retired.target;
        }
        let mut class = usize::from(cost.class);
        if self.classes.get(class).is_none_or(|known| !std::ptr::eq(known.class, retired.class)) {
            class = number_of(&mut self.classes, retired.class);
            cost.class = class as u8;
        }
        let sum = &mut self.classes[class];
        sum.executions += 1;
        sum.cycles += u64::from(retired.cycles);
        sum.fetch += u64::from(retired.fetch_stall);
        sum.data += u64::from(retired.data_stall);
    }

    #[cold]
    fn turn_to(&mut self, page: u32) {
        let mut number = usize::from(self.numbers[page as usize]);
        if number == 0 {
            number = if self.bases.len() < MAX_PAGES { self.bases.len() } else { OVERFLOW };
            if number != OVERFLOW {
                self.bases.push(page << PAGE_BITS);
                self.costs.resize(self.costs.len() + PAGE, Cost::default());
            }
            self.numbers[page as usize] = number as u16;
        }
        (self.last, self.last_first) = (page, number * PAGE);
    }

    /// The cost at an address; of nothing where nothing was executed.
    pub fn at(&self, address: u32) -> Cost {
        match usize::from(self.numbers[(address >> PAGE_BITS) as usize]) {
            0 | OVERFLOW => Cost::default(),
            number => self.costs[number * PAGE + (address as usize >> 1) % PAGE],
        }
    }

    /// All addresses with a cost, ascending; the address is none for those beyond what is kept apart.
    pub fn all(&self) -> Vec<(Option<u32>, Cost)> {
        let mut all = Vec::new();
        for (page, base) in self.bases.iter().enumerate() {
            for (halfword, cost) in self.costs[page * PAGE..][..PAGE].iter().enumerate().filter(|(_, cost)| cost.executions > 0) {
                all.push(((page != OVERFLOW).then(|| base + 2 * halfword as u32), *cost));
            }
        }
        all.sort_by_key(|(address, _)| *address);
        all
    }

    /// Costs by class, the dearest first.
    pub fn classes(&self) -> Vec<ClassCost> {
        let mut classes = self.classes.clone();
        classes.sort_by_key(|cost| (std::cmp::Reverse(cost.cycles), cost.class));
        classes
    }
}

/// The number of a class, a new one if it has none.
#[cold]
fn number_of(classes: &mut Vec<ClassCost>, class: &'static str) -> usize {
    match classes.iter().position(|known| known.class == class) {
        Some(index) => index,
        None => {
            classes.push(ClassCost { class, executions: 0, cycles: 0, fetch: 0, data: 0 });
            classes.len() - 1
        }
    }
}
