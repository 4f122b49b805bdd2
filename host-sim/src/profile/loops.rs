//! Loops, found from the branches that went backwards.

use super::addresses::Cost;
use super::functions::Functions;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Most loops that are looked at: those that went round most often.
const MAX_LOOPS: usize = 1000;

/// A loop, from its first instruction to the last branch back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopCost {
    /// Number of its function.
    pub function: u32,
    /// Address of its first instruction.
    pub head: u32,
    /// Address of its last branch back.
    pub tail: u32,
    /// How often it went back.
    pub iterations: u64,
    /// Cycles between head and tail, without those of loops within and of functions that it calls.
    pub cycles: u64,
}

/// The loops among executed addresses (ascending), by their own cycles, the dearest first.
pub fn find(functions: &Functions, all: &[(Option<u32>, Cost)]) -> Vec<LoopCost> {
    let mut by_head: BTreeMap<u32, LoopCost> = BTreeMap::new();
    for (address, cost) in all.iter().filter_map(|(address, cost)| Some(((*address)?, cost))).filter(|(_, cost)| cost.loops > 0) {
        let (head, function) = (cost.loop_head, functions.containing(address));
        if let Some(function) = function.filter(|function| *function == functions.containing(head).unwrap_or(u32::MAX)) {
            let new = LoopCost { function, head, tail: address, iterations: 0, cycles: 0 };
            let entry = by_head.entry(head).or_insert(new);
            entry.tail = entry.tail.max(address);
            entry.iterations += cost.loops;
        }
    }
    let mut loops: Vec<LoopCost> = by_head.into_values().collect();
    loops.sort_by_key(|at| (Reverse(at.iterations), at.head));
    loops.truncate(MAX_LOOPS);
    // The smallest loop around an instruction has its cycles.
    loops.sort_by_key(|at| (at.tail - at.head, at.head));
    for (address, cost) in all.iter().filter_map(|(address, cost)| Some(((*address)?, cost))) {
        if let Some(around) = loops.iter_mut().find(|around| (around.head..=around.tail).contains(&address)) {
            around.cycles += cost.cycles;
        }
    }
    loops.sort_by_key(|at| (Reverse(at.cycles), at.head));
    loops
}
