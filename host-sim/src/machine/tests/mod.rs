//! Hand-assembled programs: each is given as its source and its halfwords.

mod cycles;
mod data;
mod exceptions;
mod extensions;
mod float;
mod interrupts;
mod memory;
mod memory_profiles;
mod op_registers;
mod published;
mod system;

use super::*;

/// A program: what it says, and its encoding.
type Program<'a> = (&'a str, &'a [u16]);

const RAM: u32 = 0x2000_0000;
const DATA: u32 = RAM + 0x100;
const STACK: u32 = RAM + 0x1000;
const CODE: u32 = 0x100;
/// Handlers are all at this address, where the default one is `bkpt #0xFF`.
const HANDLER: u32 = 0x80;
const BREAK: u16 = 0xBE00;

/// A Cortex-M4 with `program` at its entry and a `bkpt #0` behind it; r4 points to RAM, the FPU is on.
fn machine(program: Program) -> Machine {
    machine_with(&cores::CORTEX_M4, program)
}

/// The same with another core.
fn machine_with(core: &'static CoreSpec, program: Program) -> Machine {
    let flash = RegionSpec { base: 0, size: 0x1000, kind: RegionKind::Flash };
    let ram = RegionSpec { base: RAM, size: 0x1000, kind: RegionKind::Ram };
    let mut machine = Machine::new(core, &[flash, ram]);
    let mut vectors = [HANDLER | 1; 32];
    (vectors[0], vectors[1]) = (STACK, CODE | 1);
    let vectors: Vec<u8> = vectors.iter().flat_map(|word| word.to_le_bytes()).collect();
    machine.load(0, &vectors).unwrap();
    machine.load(HANDLER, &0xBEFF_u16.to_le_bytes()).unwrap();
    place(&mut machine, CODE, program.1);
    machine.reset();
    machine.set_register(4, DATA);
    machine.core.write_system_register(0xE000_ED88, 4, 0xF << 20, 0).unwrap();
    machine
}

/// Places code with a breakpoint behind it.
fn place(machine: &mut Machine, address: u32, code: &[u16]) {
    let bytes: Vec<u8> = code.iter().chain(&[BREAK]).flat_map(|half| half.to_le_bytes()).collect();
    machine.load(address, &bytes).unwrap();
}

/// Runs to the breakpoint behind the program, with these registers r0 to r3 at first.
fn run(program: Program, registers: [u32; 4]) -> Machine {
    let mut machine = machine(program);
    for (number, value) in registers.into_iter().enumerate() {
        machine.set_register(number, value);
    }
    assert_eq!(machine.run(1000), Stop::Breakpoint { imm: 0 }, "{}: {:?}", program.0, machine.last_fault());
    machine
}

/// N, Z, C, V as letters, capital where set.
fn flags(machine: &Machine) -> String {
    "nzcv"
        .chars()
        .enumerate()
        .map(|(index, letter)| if machine.apsr() >> (31 - index) & 1 != 0 { letter.to_ascii_uppercase() } else { letter })
        .collect()
}

fn word(machine: &Machine, address: u32) -> u32 {
    let mut bytes = [0; 4];
    machine.read_bytes(address, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}
