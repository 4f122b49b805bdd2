//! Where functions begin and end: by the image's symbols, and by what the guest calls where there are none.

use std::collections::BTreeMap;

/// Most bytes that a function without a symbol is taken to have.
const LONGEST_UNNAMED: u32 = 1 << 16;

/// One function as linked: what was inlined into it is part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// First address.
    pub start: u32,
    /// First address behind it.
    pub end: u32,
    /// Demangled name; none where the image has no symbol.
    pub name: Option<String>,
}

/// All functions that are known so far, found by address.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    list: Vec<Function>,
    by_start: BTreeMap<u32, u32>,
}

impl Functions {
    /// The functions of a symbol table, ascending: where each begins, its bytes (0 where they are not known) and its name.
    pub fn new<'a>(symbols: impl Iterator<Item = (u32, u32, &'a str)>) -> Self {
        let mut functions = Self::default();
        let mut symbols = symbols.filter(|(_, _, name)| !name.is_empty()).peekable();
        while let Some((start, size, name)) = symbols.next() {
            let next = symbols.peek().map_or(u32::MAX, |(next, ..)| *next);
            let length = if size == 0 { LONGEST_UNNAMED } else { size };
            let end = start.saturating_add(length).min(next);
            functions.add(Function { start, end, name: Some(name.to_owned()) });
        }
        functions
    }

    /// The function with this number.
    pub fn get(&self, number: u32) -> &Function {
        &self.list[number as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The functions whose name `wanted` takes.
    pub fn named(&self, wanted: impl Fn(&str) -> bool) -> Vec<u32> {
        let takes = |function: &Function| function.name.as_deref().is_some_and(&wanted);
        (0..).zip(&self.list).filter(|(_, function)| takes(function)).map(|(number, _)| number).collect()
    }

    /// The function that holds an address.
    pub fn containing(&self, address: u32) -> Option<u32> {
        let number = *self.by_start.range(..=address).next_back()?.1;
        (address < self.get(number).end).then_some(number)
    }

    /// The function that a call of `entry` enters: an unnamed one begins there if no symbol says otherwise.
    pub fn called(&mut self, entry: u32) -> u32 {
        match self.containing(entry) {
            Some(number) if self.get(number).name.is_some() || self.get(number).start == entry => number,
            Some(number) => {
                self.list[number as usize].end = entry;
                self.unnamed(entry)
            }
            None => self.unnamed(entry),
        }
    }

    /// The function that execution got into at `address` without a call.
    pub fn reached(&mut self, address: u32) -> u32 {
        self.containing(address).unwrap_or_else(|| self.unnamed(address))
    }

    fn unnamed(&mut self, start: u32) -> u32 {
        let next = self.by_start.range(start.saturating_add(1)..).next().map_or(u32::MAX, |(next, _)| *next);
        self.add(Function { start, end: start.saturating_add(LONGEST_UNNAMED).min(next), name: None })
    }

    fn add(&mut self, function: Function) -> u32 {
        let number = self.list.len() as u32;
        self.by_start.insert(function.start, number);
        self.list.push(function);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_divide_code_without_symbols() {
        let mut functions = Functions::default();
        let main = functions.called(0x40);
        assert_eq!(functions.containing(0x100), Some(main));
        let callee = functions.called(0x100);
        assert_ne!(callee, main);
        assert_eq!(functions.get(main).end, 0x100);
        assert_eq!((functions.called(0x100), functions.containing(0x102)), (callee, Some(callee)));
        assert_eq!(functions.containing(0x20), None);
        let before = functions.reached(0x20);
        assert_eq!(*functions.get(before), Function { start: 0x20, end: 0x40, name: None });
    }
}
