//! Semihosting (Arm, "Semihosting for AArch32 and AArch64"): the guest stops at `bkpt #0xab` with an operation in r0 and the address of its
//! parameters in r1, and finds the result in r0.
//!
//! Time is the guest's own: clock and elapsed ticks come from its modelled cycles, the date from the caller. Whatever the guest passes,
//! the host neither fails nor allocates more than a few KiB.

mod files;
mod guest;

use crate::image::Image;
use crate::machine::Machine;
use crate::memory_map::MemoryMap;
use files::{Errno, Files, Open};
use guest::{CHUNK, argument, set_word};
use std::io::{self, Read};
use std::path::Path;

const SYS_OPEN: u32 = 0x01;
const SYS_CLOSE: u32 = 0x02;
const SYS_WRITEC: u32 = 0x03;
const SYS_WRITE0: u32 = 0x04;
const SYS_WRITE: u32 = 0x05;
const SYS_READ: u32 = 0x06;
const SYS_READC: u32 = 0x07;
const SYS_ISERROR: u32 = 0x08;
const SYS_ISTTY: u32 = 0x09;
const SYS_SEEK: u32 = 0x0A;
const SYS_FLEN: u32 = 0x0C;
const SYS_TMPNAM: u32 = 0x0D;
const SYS_REMOVE: u32 = 0x0E;
const SYS_RENAME: u32 = 0x0F;
const SYS_CLOCK: u32 = 0x10;
const SYS_TIME: u32 = 0x11;
const SYS_ERRNO: u32 = 0x13;
const SYS_GET_CMDLINE: u32 = 0x15;
const SYS_HEAPINFO: u32 = 0x16;
const SYS_EXIT: u32 = 0x18;
const SYS_EXIT_EXTENDED: u32 = 0x20;
const SYS_ELAPSED: u32 = 0x30;
const SYS_TICKFREQ: u32 = 0x31;
/// `ADP_Stopped_ApplicationExit`.
const APPLICATION_EXIT: u32 = 0x20026;
/// The result of a call that failed, and of one that is not supported: `SYS_SYSTEM` among them, which would run a command on the host.
const FAILED: u32 = u32::MAX;

/// Where console output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Standard,
    /// Standard error.
    Error,
}

/// Memory that the guest's start-up code may share out, as `SYS_HEAPINFO` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// First address behind the image's data.
    pub base: u32,
    /// First address behind the heap, and of the stack, which grows down from there.
    pub top: u32,
}

impl Heap {
    /// What an image leaves free between its data and its initial stack pointer.
    pub fn beside(image: &Image, map: &MemoryMap) -> Self {
        let Some(top) = image.word(map.vector_table).map(|top| top & !7) else { return Self::default() };
        let within = |region: &&crate::machine::RegionSpec| top.wrapping_sub(region.base).wrapping_sub(1) < region.size;
        let Some(region) = map.regions.iter().find(within) else { return Self::default() };
        let ends = image.segments.iter().map(|segment| segment.runs_at.saturating_add(segment.memory_bytes));
        let base = ends.filter(|end| (region.base..=top).contains(end)).max().unwrap_or(region.base);
        Self { base: base.next_multiple_of(8).min(top), top }
    }
}

/// The host's half of semihosting.
pub struct Semihosting {
    /// What `SYS_GET_CMDLINE` gives.
    pub command_line: String,
    /// What `SYS_HEAPINFO` gives.
    pub heap: Heap,
    /// Cycles per second, for `SYS_CLOCK`, `SYS_TIME` and `SYS_TICKFREQ`.
    pub clock_hz: u64,
    /// Seconds since 1970 at reset.
    pub started_at: u64,
    input: Box<dyn Read>,
    files: Files,
    errno: u32,
}

impl Default for Semihosting {
    /// A console without input; no files.
    fn default() -> Self {
        Self {
            command_line: String::new(),
            heap: Heap::default(),
            clock_hz: 64_000_000,
            started_at: 0,
            input: Box::new(io::empty()),
            files: Files::default(),
            errno: 0,
        }
    }
}

impl Semihosting {
    /// Console input for the guest.
    pub fn set_input(&mut self, input: Box<dyn Read>) {
        self.input = input;
    }

    /// Lets the guest use the files below `folder`.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn allow_files_below(&mut self, folder: &Path) -> io::Result<()> {
        self.files = Files::below(folder)?;
        Ok(())
    }

    /// Serves the call that the guest stopped at, handing console output to `console`; the guest's exit code if that is what it asked
    /// for.
    pub fn serve(&mut self, machine: &mut Machine, console: &mut dyn FnMut(Output, &[u8])) -> Option<i32> {
        let (operation, block) = (machine.register(0), machine.register(1));
        match operation {
            SYS_EXIT => return Some(i32::from(block != APPLICATION_EXIT)),
            SYS_EXIT_EXTENDED => {
                let code = |machine: &Machine| match argument(machine, block, 0)? {
                    APPLICATION_EXIT => argument(machine, block, 1),
                    _ => None,
                };
                return Some(code(machine).map_or(1, u32::cast_signed));
            }
            _ => {}
        }
        let result = self.call(machine, operation, block, console).unwrap_or_else(|errno| {
            self.errno = errno.0;
            FAILED
        });
        machine.set_register(0, result);
        None
    }

    fn call(
        &mut self,
        machine: &mut Machine,
        operation: u32,
        block: u32,
        console: &mut dyn FnMut(Output, &[u8]),
    ) -> Result<u32, Errno> {
        let word = |machine: &Machine, index| argument(machine, block, index).ok_or(Errno::FAULT);
        let path =
            |machine: &Machine, index| guest::path(machine, word(machine, index)?, word(machine, index + 1)?).ok_or(Errno::FAULT);
        let seconds = machine.cycles() / self.clock_hz;
        match operation {
            SYS_OPEN => {
                let (name, mode) = (guest::path(machine, word(machine, 0)?, word(machine, 2)?), word(machine, 1)?);
                self.files.open(&name.ok_or(Errno::FAULT)?, mode)
            }
            SYS_CLOSE => self.files.close(word(machine, 0)?).map(|()| 0),
            SYS_WRITEC => {
                console(Output::Standard, &guest::bytes(machine, block, 1).ok_or(Errno::FAULT)?);
                Ok(0)
            }
            SYS_WRITE0 => {
                console(Output::Standard, &guest::text(machine, block));
                Ok(0)
            }
            SYS_WRITE => Ok(self.write(machine, block, console)),
            SYS_READ => Ok(self.read(machine, block)),
            SYS_READC => {
                let mut byte = [0];
                match Open::Input.read(&mut byte, &mut self.input)? {
                    0 => Err(Errno::IO), // the end of the input has no code of its own
                    _ => Ok(u32::from(byte[0])),
                }
            }
            SYS_ISERROR => Ok(word(machine, 0)? >> 31),
            // The console is a terminal whatever stands behind it, so that the guest buffers alike everywhere.
            SYS_ISTTY => Ok(u32::from(matches!(self.files.get(word(machine, 0)?)?, Open::Input | Open::Output | Open::Error))),
            SYS_SEEK => self.files.seek(word(machine, 0)?, word(machine, 1)?).map(|()| 0),
            SYS_FLEN => self.files.length(word(machine, 0)?),
            SYS_TMPNAM => {
                let (buffer, id, room) = (word(machine, 0)?, word(machine, 1)?, word(machine, 2)?);
                let name = format!("tmp{id:03}\0");
                if id > 255 || (room as usize) < name.len() {
                    return Err(Errno::INVALID);
                }
                machine.write_bytes(buffer, name.as_bytes()).map(|()| 0).map_err(|_| Errno::FAULT)
            }
            SYS_REMOVE => self.files.remove(&path(machine, 0)?).map(|()| 0),
            SYS_RENAME => self.files.rename(&path(machine, 0)?, &path(machine, 2)?).map(|()| 0),
            SYS_CLOCK => {
                let centiseconds = u128::from(machine.cycles()) * 100 / u128::from(self.clock_hz);
                Ok(centiseconds as u32 & i32::MAX as u32)
            }
            SYS_TIME => Ok((self.started_at + seconds) as u32),
            SYS_ERRNO => Ok(self.errno),
            SYS_GET_CMDLINE => {
                let (buffer, room) = (word(machine, 0)?, word(machine, 1)?);
                let mut line = self.command_line.clone().into_bytes();
                let length = line.len() as u32;
                line.push(0);
                if room <= length {
                    return Err(Errno::INVALID);
                }
                machine.write_bytes(buffer, &line).map_err(|_| Errno::FAULT)?;
                set_word(machine, block.wrapping_add(4), length).map(|()| 0).ok_or(Errno::FAULT)
            }
            SYS_HEAPINFO => {
                let (into, Heap { base, top }) = (word(machine, 0)?, self.heap);
                for (index, value) in (0u32..).zip([base, top, top, base]) {
                    set_word(machine, into.wrapping_add(4 * index), value).ok_or(Errno::FAULT)?;
                }
                Ok(0)
            }
            SYS_ELAPSED => {
                let cycles = machine.cycles().to_le_bytes();
                machine.write_bytes(block, &cycles).map(|()| 0).map_err(|_| Errno::FAULT)
            }
            SYS_TICKFREQ => i32::try_from(self.clock_hz).map(i32::unsigned_abs).map_err(|_| Errno::INVALID),
            _ => Err(Errno::INVALID),
        }
    }

    /// `SYS_WRITE`: the bytes that were not written.
    fn write(&mut self, machine: &Machine, block: u32, console: &mut dyn FnMut(Output, &[u8])) -> u32 {
        let arguments = [0, 1, 2].map(|index| argument(machine, block, index));
        let [Some(handle), Some(mut address), Some(mut left)] = arguments else {
            self.errno = Errno::FAULT.0;
            return FAILED;
        };
        while left > 0 {
            let count = left.min(CHUNK);
            let written = guest::bytes(machine, address, count).ok_or(Errno::FAULT).and_then(|bytes| {
                match self.files.get(handle)? {
                    Open::Output => console(Output::Standard, &bytes),
                    Open::Error => console(Output::Error, &bytes),
                    _ => self.files.write(handle, &bytes)?,
                }
                Ok(())
            });
            if let Err(errno) = written {
                self.errno = errno.0;
                break;
            }
            address = address.wrapping_add(count);
            left -= count;
        }
        left
    }

    /// `SYS_READ`: the bytes that were not read; all of them at the end of the file.
    fn read(&mut self, machine: &mut Machine, block: u32) -> u32 {
        let arguments = [0, 1, 2].map(|index| argument(machine, block, index));
        let [Some(handle), Some(mut address), Some(mut left)] = arguments else {
            self.errno = Errno::FAULT.0;
            return FAILED;
        };
        let mut buffer = vec![0; left.min(CHUNK) as usize];
        while left > 0 {
            let wanted = left.min(CHUNK) as usize;
            // Nothing is taken from a file or the console that the guest's buffer could not hold.
            let room = machine.read_bytes(address, &mut buffer[..wanted]).map_err(|_| Errno::FAULT);
            let read = room.and_then(|()| {
                let open = self.files.get(handle)?;
                let interactive = matches!(open, Open::Input);
                let count = open.read(&mut buffer[..wanted], &mut self.input)?;
                machine.write_bytes(address, &buffer[..count]).map_err(|_| Errno::FAULT)?;
                Ok((count, interactive))
            });
            match read {
                Ok((count, interactive)) => {
                    address = address.wrapping_add(count as u32);
                    left -= count as u32;
                    // The console gives what there is, usually a line.
                    if count == 0 || interactive {
                        break;
                    }
                }
                Err(errno) => {
                    self.errno = errno.0;
                    break;
                }
            }
        }
        left
    }
}

/// Program name and arguments as one line, quoted where the usual start-up code (newlib's) would otherwise split them.
pub fn command_line(program: &str, arguments: &[String]) -> String {
    let quoted = |word: &str| {
        let plain = !word.is_empty() && !word.contains([' ', '\t', '\'', '"']);
        match (plain, word.contains('"')) {
            (true, _) => word.to_owned(),
            (false, true) => format!("'{word}'"),
            (false, false) => format!("\"{word}\""),
        }
    };
    let words: Vec<String> = std::iter::once(program).chain(arguments.iter().map(String::as_str)).map(quoted).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_with_spaces_are_quoted() {
        let arguments = ["a b", "c", "", "say \"x\""].map(str::to_owned);
        assert_eq!(command_line("p.elf", &arguments), "p.elf \"a b\" c \"\" 'say \"x\"'");
    }
}
