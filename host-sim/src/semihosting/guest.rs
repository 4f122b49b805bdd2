//! The guest's half of a call: its parameter block and its buffers, every address and length of which may be nonsense.

use crate::machine::Machine;

/// Most bytes that are moved at once: what the host allocates for a call, whatever length the guest names.
pub(super) const CHUNK: u32 = 1 << 14;
/// Longest text of `SYS_WRITE0`, which has no length.
const MAX_TEXT: usize = 1 << 16;
/// Longest path.
const MAX_PATH: u32 = 4096;

/// A word of the parameter block at `block`; none where there is no memory.
pub(super) fn argument(machine: &Machine, block: u32, index: u32) -> Option<u32> {
    let mut bytes = [0; 4];
    machine.read_bytes(block.wrapping_add(4 * index), &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

/// Writes a word to the guest's memory; flash is not the guest's to write.
pub(super) fn set_word(machine: &mut Machine, address: u32, value: u32) -> Option<()> {
    machine.write_bytes(address, &value.to_le_bytes()).ok()
}

/// The bytes of a buffer, or none if not all of it is memory.
pub(super) fn bytes(machine: &Machine, address: u32, length: u32) -> Option<Vec<u8>> {
    debug_assert!(length <= CHUNK);
    let mut bytes = vec![0; length as usize];
    machine.read_bytes(address, &mut bytes).ok()?;
    Some(bytes)
}

/// A path of `length` bytes, without the NUL that follows it.
pub(super) fn path(machine: &Machine, address: u32, length: u32) -> Option<String> {
    if length > MAX_PATH {
        return None;
    }
    String::from_utf8(bytes(machine, address, length)?).ok().filter(|path| !path.contains('\0'))
}

/// The text at `address` up to its NUL, up to the end of memory, or up to 64 KiB.
pub(super) fn text(machine: &Machine, address: u32) -> Vec<u8> {
    let mut text = Vec::new();
    let mut byte = [0];
    while text.len() < MAX_TEXT && machine.read_bytes(address.wrapping_add(text.len() as u32), &mut byte).is_ok() && byte[0] != 0
    {
        text.push(byte[0]);
    }
    text
}
