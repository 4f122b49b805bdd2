//! What a person wants to see after a fault: what it was, where, the registers, and who called.

use crate::board::Board;
use crate::image::Image;
use crate::machine::FaultKind;

/// Exit code after a fault of the guest.
pub const FAULT: u8 = 101;
/// Words of the stack that are searched for return addresses.
const WORDS: u32 = 512;
/// Callers that are named at most.
const CALLERS: usize = 8;

impl Board {
    /// The first fault that the guest ran into, if any, as one line and the registers of that moment.
    pub fn describe_fault(&self, image: &Image) -> Option<String> {
        let (fault, registers) = self.machine.first_fault()?;
        let registers: Vec<String> = registers.iter().enumerate().map(|(n, value)| format!("r{n}={value:08x}")).collect();
        let place = image.place(fault.pc);
        let instruction = self.machine.disassemble(fault.pc).map_or("no memory".to_owned(), |(text, _)| text);
        let lack = match (fault.kind, self.machine.lacks(fault.pc)) {
            (FaultKind::Undefined | FaultKind::NoCoprocessor, Some(lack)) => {
                format!(", which needs {lack} that {} lacks", self.machine.spec().name)
            }
            _ => String::new(),
        };
        Some(format!(
            "guest fault: {fault} at {:#010x} in {place}: {instruction}{lack}\n  {}\n  {}",
            fault.pc,
            registers[..8].join(" "),
            registers[8..].join(" ")
        ))
    }

    /// Where the faulting function was called from, innermost first: the link register, then whatever on the stack points behind a
    /// call. Without unwinding tables this is a guess; a stale word may look like a caller.
    pub fn callers(&self, image: &Image) -> Vec<String> {
        let Some((_, registers)) = self.machine.first_fault() else { return Vec::new() };
        let word = |address| {
            let mut bytes = [0; 4];
            self.machine.read_bytes(address, &mut bytes).ok().map(|()| u32::from_le_bytes(bytes))
        };
        let stack = (0..WORDS).map_while(|index| word(registers[13].wrapping_add(4 * index)));
        let mut found: Vec<u32> =
            std::iter::once(registers[14]).chain(stack).filter_map(|returns_to| self.call_before(returns_to)).collect();
        found.dedup();
        found.into_iter().take(CALLERS).map(|at| image.place(at)).filter(|place| place != "?").collect()
    }

    /// The address of the `BL` or `BLX` before a return address, which is odd; none if the word is no such address.
    fn call_before(&self, returns_to: u32) -> Option<u32> {
        let mut before = [0; 4];
        let at = returns_to.wrapping_sub(1).wrapping_sub(4);
        if returns_to & 1 == 0 || self.machine.read_bytes(at, &mut before).is_err() {
            return None;
        }
        let [first, second] = [[before[0], before[1]], [before[2], before[3]]].map(u16::from_le_bytes);
        let long = first & 0xF800 == 0xF000 && second & 0xD000 == 0xD000;
        let short = second & 0xFF87 == 0x4780;
        if long { Some(at) } else { short.then_some(at.wrapping_add(2)) }
    }
}
