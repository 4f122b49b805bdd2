//! The registers as GDB sees them: the features `m-profile`, `m-system` and, with an FPU, `vfp` of its Arm target descriptions.

use crate::machine::{Machine, SpecialRegisters};
use gdbstub::arch::{Arch, Registers};

/// The architecture as the remote protocol needs it.
#[derive(Debug)]
pub enum CortexM {}

impl Arch for CortexM {
    type Usize = u32;
    type Registers = RegisterFile;
    type BreakpointKind = usize;
    type RegId = ();
}

/// All registers of a core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterFile {
    /// r0 to r12, sp, lr, pc.
    core: [u32; 16],
    xpsr: u32,
    special: SpecialRegisters,
    /// s0 to s31 and FPSCR.
    float: Option<([u32; 32], u32)>,
}

/// Words without and with an FPU.
const WORDS: usize = 16 + 1 + 6;
const WORDS_WITH_FLOAT: usize = WORDS + 32 + 1;

impl RegisterFile {
    /// The registers of `machine`, with those of the FPU if it `has_float`.
    pub fn read(machine: &Machine, has_float: bool) -> Self {
        Self {
            core: std::array::from_fn(|number| machine.register(number)),
            xpsr: machine.xpsr(),
            special: machine.special_registers(),
            float: has_float.then(|| (std::array::from_fn(|number| machine.float_register(number)), machine.fpscr())),
        }
    }

    /// Writes what differs from `now`, the present state of `machine`: whoever changes one register sends all of them.
    pub fn write_changes(&self, now: &Self, machine: &mut Machine) {
        if self.special != now.special {
            machine.set_special_registers(self.special);
        }
        for (number, (value, before)) in self.core.iter().zip(now.core).enumerate() {
            if *value != before {
                machine.set_register(number, *value);
            }
        }
        if self.xpsr != now.xpsr {
            machine.set_apsr(self.xpsr);
        }
        if let (Some((values, fpscr)), Some((before, fpscr_before))) = (&self.float, &now.float) {
            for (number, (value, before)) in values.iter().zip(before).enumerate() {
                if value != before {
                    machine.set_float_register(number, *value);
                }
            }
            if fpscr != fpscr_before {
                machine.set_fpscr(*fpscr);
            }
        }
    }

    /// The words in the order of the target description.
    fn words(&self) -> Vec<u32> {
        let mut words = self.core.to_vec();
        let SpecialRegisters { msp, psp, primask, basepri, faultmask, control } = self.special;
        words.extend([self.xpsr, msp, psp, primask.into(), basepri.into(), faultmask.into(), control.into()]);
        if let Some((values, fpscr)) = &self.float {
            words.extend_from_slice(values);
            words.push(*fpscr);
        }
        words
    }
}

impl Registers for RegisterFile {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        self.core[15]
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.words().into_iter().flat_map(u32::to_le_bytes).for_each(|byte| write_byte(Some(byte)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        if !bytes.len().is_multiple_of(4) || words.len() != WORDS && words.len() != WORDS_WITH_FLOAT {
            return Err(());
        }
        self.core.copy_from_slice(&words[..16]);
        self.xpsr = words[16];
        let byte = |index: usize| words[index] as u8;
        self.special = SpecialRegisters {
            msp: words[17],
            psp: words[18],
            primask: words[19] & 1 != 0,
            basepri: byte(20),
            faultmask: words[21] & 1 != 0,
            control: byte(22),
        };
        self.float = words[WORDS..].first_chunk::<32>().map(|values| (*values, words[WORDS_WITH_FLOAT - 1]));
        Ok(())
    }
}

/// The target description of a core.
pub fn description(has_float: bool) -> String {
    let word = |name: &str, kind: &str| format!("<reg name=\"{name}\" bitsize=\"32\" type=\"{kind}\"/>\n");
    let mut text = String::from(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n\
         <architecture>arm</architecture>\n<feature name=\"org.gnu.gdb.arm.m-profile\">\n",
    );
    (0..13).for_each(|number| text += &word(&format!("r{number}"), "int"));
    for (name, kind) in [("sp", "data_ptr"), ("lr", "int"), ("pc", "code_ptr"), ("xpsr", "int")] {
        text += &word(name, kind);
    }
    text += "</feature>\n<feature name=\"org.gnu.gdb.arm.m-system\">\n";
    for (name, kind) in [("msp", "data_ptr"), ("psp", "data_ptr"), ("primask", "int"), ("basepri", "int")] {
        text += &word(name, kind);
    }
    text += &(word("faultmask", "int") + &word("control", "int") + "</feature>\n");
    if has_float {
        text += "<feature name=\"org.gnu.gdb.arm.vfp\">\n";
        (0..16).for_each(|number| text += &format!("<reg name=\"d{number}\" bitsize=\"64\" type=\"ieee_double\"/>\n"));
        text += &(word("fpscr", "int") + "</feature>\n");
    }
    text + "</target>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_file_survives_its_wire_form() {
        for float in [None, Some((std::array::from_fn(|n| 100 + n as u32), 7))] {
            let special = SpecialRegisters { msp: 1, psp: 2, primask: true, basepri: 0x40, faultmask: false, control: 2 };
            let file = RegisterFile { core: std::array::from_fn(|n| n as u32), xpsr: 0x6100_0000, special, float };
            let mut bytes = Vec::new();
            file.gdb_serialize(|byte| bytes.extend(byte));
            let mut again = RegisterFile::default();
            assert_eq!(again.gdb_deserialize(&bytes), Ok(()));
            assert_eq!(again, file);
            bytes.pop();
            assert_eq!(again.gdb_deserialize(&bytes), Err(()));
        }
    }

    #[test]
    fn the_description_names_as_many_bits_as_the_wire_form_has() {
        for has_float in [false, true] {
            let text = description(has_float);
            let bits = 32 * text.matches("bitsize=\"32\"").count() + 64 * text.matches("bitsize=\"64\"").count();
            let file = RegisterFile { float: has_float.then_some(([0; 32], 0)), ..RegisterFile::default() };
            assert_eq!(bits, 32 * file.words().len());
        }
    }
}
