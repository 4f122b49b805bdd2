//! Calling contexts: which function was called from where, called from where, and so on, as a tree with the cycles of each.

/// What a node of the tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The whole run.
    Root,
    /// A function, by its number.
    Function(u32),
    /// An exception, by its number: its own cycles are those of entry and return.
    Exception(u16),
    /// Cycles of no instruction: the core sleeps, or the host does something for the guest.
    Idle,
    /// Parent of contexts that are too many to keep apart.
    Merged,
}

/// The node of the whole run.
pub const ROOT: u32 = 0;
/// Deepest chain of calls that is kept apart; deeper recursion is counted as its nearest like.
const MAX_DEPTH: u16 = 192;
/// Most contexts that are kept apart.
const MAX_NODES: usize = 1 << 16;
/// Most counters of all contexts together (8 bytes each).
const MAX_COUNTERS: usize = 1 << 24;

/// One context.
#[derive(Clone, Debug)]
pub struct Node {
    /// The context that called it.
    pub parent: u32,
    /// Address of the calling instruction; none where nothing called.
    pub site: Option<u32>,
    /// What was called.
    pub place: Place,
    /// How often it was entered at its beginning.
    pub entries: u64,
    /// Cycles by halfword of the function.
    pub cycles: Vec<u64>,
    /// The contexts that it called, in the order of their first calls.
    pub children: Vec<u32>,
    depth: u16,
}

/// The tree of contexts; parents come before their children.
#[derive(Clone, Debug)]
pub struct Contexts {
    nodes: Vec<Node>,
    counters: usize,
}

impl Default for Contexts {
    fn default() -> Self {
        let mut contexts = Self { nodes: Vec::new(), counters: 0 };
        contexts.add(ROOT, None, Place::Root);
        contexts
    }
}

impl Contexts {
    /// All contexts.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One context.
    pub fn node(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    /// Charges cycles at a halfword of a context's function.
    #[inline]
    pub fn charge(&mut self, node: u32, halfword: usize, cycles: u64) {
        let counters = &mut self.nodes[node as usize].cycles;
        match counters.get_mut(halfword) {
            Some(counter) => *counter += cycles,
            None => self.grow_and_charge(node, halfword, cycles),
        }
    }

    #[cold]
    fn grow_and_charge(&mut self, node: u32, halfword: usize, cycles: u64) {
        let counters = &mut self.nodes[node as usize].cycles;
        let more = halfword + 1 - counters.len();
        // Out of room: the cycles stay with the function, at its first instruction.
        let halfword = if self.counters + more > MAX_COUNTERS { 0 } else { halfword };
        if counters.len() <= halfword {
            self.counters += halfword + 1 - counters.len();
            counters.resize(halfword + 1, 0);
        }
        counters[halfword] += cycles;
    }

    /// Counts an entry at the beginning of a context's function.
    pub fn enter(&mut self, node: u32) {
        self.nodes[node as usize].entries += 1;
    }

    /// The context of `place` called by `parent` at `site`.
    pub fn child(&mut self, parent: u32, site: Option<u32>, place: Place) -> u32 {
        let children = &self.nodes[parent as usize].children;
        let same = |child: &&u32| {
            let node = &self.nodes[**child as usize];
            node.site == site && node.place == place
        };
        if let Some(child) = children.iter().find(same) {
            return *child;
        }
        if self.nodes[parent as usize].depth < MAX_DEPTH && self.nodes.len() < MAX_NODES {
            return self.add(parent, site, place);
        }
        let mut ancestor = parent;
        while ancestor != ROOT {
            if self.nodes[ancestor as usize].place == place {
                return ancestor;
            }
            ancestor = self.nodes[ancestor as usize].parent;
        }
        let find = |nodes: &[Node], parent: u32, place| {
            nodes[parent as usize].children.iter().copied().find(|child| nodes[*child as usize].place == place)
        };
        let merged = find(&self.nodes, ROOT, Place::Merged).unwrap_or_else(|| self.add(ROOT, None, Place::Merged));
        find(&self.nodes, merged, place).unwrap_or_else(|| self.add(merged, None, place))
    }

    fn add(&mut self, parent: u32, site: Option<u32>, place: Place) -> u32 {
        let number = self.nodes.len() as u32;
        let depth = self.nodes.get(parent as usize).map_or(0, |node| node.depth + 1);
        self.nodes.push(Node { parent, site, place, entries: 0, cycles: Vec::new(), children: Vec::new(), depth });
        if number != parent {
            self.nodes[parent as usize].children.push(number);
        }
        number
    }

    /// Cycles of each context with all that it called.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals: Vec<u64> = self.nodes.iter().map(|node| node.cycles.iter().sum()).collect();
        for (number, node) in self.nodes.iter().enumerate().skip(1).rev() {
            totals[node.parent as usize] += totals[number];
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_recursion_is_counted_as_its_nearest_like() {
        let mut contexts = Contexts::default();
        let mut node = ROOT;
        for call in 0..10_000u32 {
            node = contexts.child(node, Some(2 * call % 8), Place::Function(call % 2));
            contexts.charge(node, 3, 1);
        }
        assert!(contexts.nodes().len() < 2 * usize::from(MAX_DEPTH));
        assert_eq!(contexts.totals()[ROOT as usize], 10_000);
        let other = contexts.child(node, None, Place::Function(9));
        contexts.charge(other, 0, 5);
        assert_eq!(contexts.node(contexts.node(other).parent).place, Place::Merged);
        assert_eq!(contexts.totals()[ROOT as usize], 10_005);
    }
}
