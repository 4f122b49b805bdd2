//! The semihosting calls that an image of ours makes (Arm, "Semihosting for AArch32 and AArch64"): console output and exit.

use crate::machine::Machine;

/// What a call asks of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Console output; the call is complete.
    Console(Vec<u8>),
    /// The guest ends with this code.
    Exit(i32),
    /// Complete, nothing to do.
    Done,
}

const SYS_OPEN: u32 = 0x01;
const SYS_CLOSE: u32 = 0x02;
const SYS_WRITEC: u32 = 0x03;
const SYS_WRITE0: u32 = 0x04;
const SYS_WRITE: u32 = 0x05;
const SYS_READ: u32 = 0x06;
const SYS_ISTTY: u32 = 0x09;
const SYS_ERRNO: u32 = 0x13;
const SYS_EXIT: u32 = 0x18;
const SYS_EXIT_EXTENDED: u32 = 0x20;
/// `ADP_Stopped_ApplicationExit`.
const APPLICATION_EXIT: u32 = 0x20026;
/// Longest console text of one call.
const MAX_TEXT: u32 = 1 << 16;

/// Serves the call that the guest stopped at: operation in `r0`, parameter in `r1`, result to `r0`.
pub fn serve(machine: &mut Machine) -> Call {
    let (operation, parameter) = (machine.register(0), machine.register(1));
    let argument = |machine: &Machine, index: u32| {
        let mut bytes = [0; 4];
        machine.read_bytes(parameter.wrapping_add(4 * index), &mut bytes).map_or(0, |()| u32::from_le_bytes(bytes))
    };
    let (result, call) = match operation {
        SYS_WRITEC => (0, Call::Console(text(machine, parameter, 1))),
        SYS_WRITE0 => {
            let mut bytes = Vec::new();
            while bytes.len() < MAX_TEXT as usize {
                match text(machine, parameter.wrapping_add(bytes.len() as u32), 1)[..] {
                    [byte] if byte != 0 => bytes.push(byte),
                    _ => break,
                }
            }
            (0, Call::Console(bytes))
        }
        // One console stands behind every handle: the result is the number of bytes not written.
        SYS_WRITE => {
            let (address, length) = (argument(machine, 1), argument(machine, 2));
            let bytes = text(machine, address, length);
            (length - bytes.len() as u32, Call::Console(bytes))
        }
        SYS_READ => (argument(machine, 2), Call::Done), // end of file: no byte was read
        SYS_OPEN => (1, Call::Done),
        SYS_CLOSE | SYS_ERRNO => (0, Call::Done),
        SYS_ISTTY => (1, Call::Done),
        SYS_EXIT => (0, Call::Exit(if parameter == APPLICATION_EXIT { 0 } else { 1 })),
        SYS_EXIT_EXTENDED => {
            let code = if argument(machine, 0) == APPLICATION_EXIT { argument(machine, 1) as i32 } else { 1 };
            (0, Call::Exit(code))
        }
        _ => (u32::MAX, Call::Done),
    };
    machine.set_register(0, result);
    call
}

fn text(machine: &Machine, address: u32, length: u32) -> Vec<u8> {
    let mut bytes = vec![0; length.min(MAX_TEXT) as usize];
    match machine.read_bytes(address, &mut bytes) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}
