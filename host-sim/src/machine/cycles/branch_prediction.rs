//! A branch target address cache: what the M7 believes about branches that it has met before.

/// Entries. Arm does not publish how many there are: an estimate, with next to no effect on loops.
const ENTRIES: usize = 64;

/// One branch: where it goes and how sure that is, 0 (not taken) to 3 (taken).
#[derive(Clone, Copy)]
struct Entry {
    address: u32,
    target: u32,
    counter: u8,
}

/// The cache, by address.
pub(in crate::machine) struct Predictor {
    entries: [Entry; ENTRIES],
}

impl Default for Predictor {
    fn default() -> Self {
        Self { entries: [Entry { address: u32::MAX, target: 0, counter: 0 }; ENTRIES] }
    }
}

impl Predictor {
    /// Whether a branch at `address` went the way that was foreseen; learns from it. Unknown branches are foreseen as not taken.
    pub(in crate::machine) fn foresaw(&mut self, address: u32, taken: Option<u32>) -> bool {
        let entry = &mut self.entries[(address >> 1) as usize % ENTRIES];
        let known = entry.address == address;
        let foreseen = (known && entry.counter >= 2).then_some(entry.target);
        match taken {
            Some(target) if known && entry.target == target => entry.counter = (entry.counter + 1).min(3),
            Some(target) => *entry = Entry { address, target, counter: 2 },
            None if known => entry.counter = entry.counter.saturating_sub(1),
            None => {}
        }
        foreseen == taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_mispredicted_where_it_begins_and_where_it_ends() {
        let mut predictor = Predictor::default();
        let mut missed = |taken: bool| u32::from(!predictor.foresaw(0x100, taken.then_some(0x80)));
        let turns: Vec<u32> = (0..10).map(|turn| missed(turn < 9)).collect();
        assert_eq!(turns, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        // The next time round it is still believed.
        assert_eq!(missed(true), 0);
    }

    #[test]
    fn a_return_to_another_caller_is_mispredicted() {
        let mut predictor = Predictor::default();
        let returns = [0x10, 0x10, 0x20, 0x20, 0x10].map(|target| predictor.foresaw(0x200, Some(target)));
        assert_eq!(returns, [false, true, false, true, false]);
    }

    #[test]
    fn branches_that_share_an_entry_displace_each_other() {
        let mut predictor = Predictor::default();
        let (here, there) = (0x100, 0x100 + 2 * ENTRIES as u32);
        assert!(!predictor.foresaw(here, Some(1)) && predictor.foresaw(here, Some(1)));
        assert!(!predictor.foresaw(there, Some(2)) && !predictor.foresaw(here, Some(1)));
    }

    #[test]
    fn branches_that_are_never_taken_need_no_entry() {
        let mut predictor = Predictor::default();
        assert!((0..1000).all(|index| predictor.foresaw(index * 2, None)));
    }
}
