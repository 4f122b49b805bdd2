//! The host's half of SEGGER RTT: ring buffers in the guest's RAM, found by their control block.
//!
//! Control block: a 16-byte identifier, the numbers of up and down channels, then 24 bytes per channel: name, buffer, size, write
//! offset, read offset, flags.

use crate::machine::Machine;

const IDENTIFIER: &[u8; 16] = b"SEGGER RTT\0\0\0\0\0\0";
const CHANNEL_BYTES: u32 = 24;
/// More channels than any sane guest has; protects the host from a corrupt block.
const MAX_CHANNELS: u32 = 16;
/// The same for the size of a channel's buffer.
const MAX_BUFFER: u32 = 16 << 20;
/// Bytes that are moved at once.
const CHUNK: u32 = 4096;

/// The host's view of one guest's RTT.
#[derive(Clone, Copy, Debug)]
pub struct Rtt {
    control_block: u32,
}

struct Channel {
    address: u32,
    buffer: u32,
    size: u32,
    write: u32,
    read: u32,
}

fn word(machine: &Machine, address: u32) -> Option<u32> {
    let mut bytes = [0; 4];
    machine.read_bytes(address, &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

impl Rtt {
    /// RTT whose control block lies at `control_block` (the symbol `_SEGGER_RTT`).
    pub fn new(control_block: u32) -> Self {
        Self { control_block }
    }

    /// Channel counts, once the guest has initialised its block.
    fn counts(&self, machine: &Machine) -> Option<(u32, u32)> {
        let mut identifier = [0; 16];
        machine.read_bytes(self.control_block, &mut identifier).ok()?;
        let up = word(machine, self.control_block.wrapping_add(16))?;
        let down = word(machine, self.control_block.wrapping_add(20))?;
        (identifier == *IDENTIFIER && up <= MAX_CHANNELS && down <= MAX_CHANNELS).then_some((up, down))
    }

    /// Up channels that the guest has, once it has initialised its block.
    pub fn up_channels(&self, machine: &Machine) -> u32 {
        self.counts(machine).map_or(0, |(up, _)| up)
    }

    fn channel(&self, machine: &Machine, index: u32) -> Option<Channel> {
        let address = self.control_block.wrapping_add(24 + CHANNEL_BYTES * index);
        let field = |offset| word(machine, address.wrapping_add(offset));
        let channel = Channel { address, buffer: field(4)?, size: field(8)?, write: field(12)?, read: field(16)? };
        ((1..=MAX_BUFFER).contains(&channel.size) && channel.write < channel.size && channel.read < channel.size)
            .then_some(channel)
    }

    /// Appends what the guest wrote to up channel `index` since the last call.
    pub fn read_up(&self, machine: &mut Machine, index: u32, out: &mut Vec<u8>) {
        let Some((up, _)) = self.counts(machine) else { return };
        let Some(channel) = (index < up).then(|| self.channel(machine, index)).flatten() else { return };
        let mut take = |from: u32, to: u32| {
            let mut bytes = [0; CHUNK as usize];
            for start in (from..to).step_by(CHUNK as usize) {
                let bytes = &mut bytes[..(to - start).min(CHUNK) as usize];
                if machine.read_bytes(channel.buffer.wrapping_add(start), bytes).is_err() {
                    break; // a buffer that is not memory
                }
                out.extend_from_slice(bytes);
            }
        };
        if channel.write >= channel.read {
            take(channel.read, channel.write);
        } else {
            take(channel.read, channel.size);
            take(0, channel.write);
        }
        if channel.write != channel.read {
            // The channel was just read, so it is mapped.
            let _ = machine.write_bytes(channel.address.wrapping_add(16), &channel.write.to_le_bytes());
        }
    }

    /// Writes as much of `bytes` to down channel `index` as fits; returns how much that was.
    pub fn write_down(&self, machine: &mut Machine, index: u32, bytes: &[u8]) -> usize {
        let Some((up, down)) = self.counts(machine) else { return 0 };
        let Some(channel) = (index < down).then(|| self.channel(machine, up + index)).flatten() else { return 0 };
        let mut write = channel.write;
        let mut written = 0;
        for byte in bytes {
            let next = (write + 1) % channel.size;
            if next == channel.read || machine.write_bytes(channel.buffer.wrapping_add(write), &[*byte]).is_err() {
                break;
            }
            write = next;
            written += 1;
        }
        let _ = machine.write_bytes(channel.address.wrapping_add(12), &write.to_le_bytes());
        written
    }
}
