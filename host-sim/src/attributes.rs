//! The build attributes of an image: for which Arm architecture its compiler made it.

use object::{Object, ObjectSection};
use std::fmt;

/// What `.ARM.attributes` says (Addenda to, and Errata in, the ABI for the Arm Architecture, IHI0045).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `Tag_CPU_arch`: Armv7 is 10, Armv6-M 11, Armv6S-M 12, Armv7E-M 13, Armv8-M Baseline 16, Armv8-M Mainline 17.
    pub cpu_arch: u64,
    /// `Tag_CPU_arch_profile` as a letter; 0 where there is none.
    pub profile: u64,
    /// `Tag_FP_arch`: 0 without floating-point instructions; 6 is FPv4, 8 FPv5.
    pub fp_arch: u64,
}

/// The architectures of the M profile that images are built for, smaller first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Armv6-M and Armv6S-M.
    V6M,
    /// Armv7-M.
    V7M,
    /// Armv7E-M: with the DSP instructions.
    V7EM,
    /// Armv8-M, Baseline or Mainline.
    V8M,
}

impl Attributes {
    /// The architecture of the M profile; none for what no Cortex-M of ours executes.
    pub fn m_profile(&self) -> Option<Profile> {
        match (self.cpu_arch, u8::try_from(self.profile).unwrap_or(b'?')) {
            (11 | 12, 0 | b'M') => Some(Profile::V6M),
            (10, b'M') => Some(Profile::V7M),
            (13, 0 | b'M') => Some(Profile::V7EM),
            (16 | 17, 0 | b'M') => Some(Profile::V8M),
            _ => None,
        }
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.cpu_arch {
            10 => "Armv7",
            11 | 12 => "Armv6-M",
            13 => "Armv7E-M",
            14 => "Armv8-A",
            15 => "Armv8-R",
            16 => "Armv8-M Baseline",
            17 => "Armv8-M Mainline",
            21 => "Armv8.1-M Mainline",
            _ => return write!(f, "Arm architecture {}", self.cpu_arch),
        };
        match u8::try_from(self.profile) {
            Ok(letter @ b'A'..=b'Z') if !name.contains('-') => write!(f, "{name}-{}", char::from(letter)),
            _ => f.write_str(name),
        }
    }
}

/// Reads the section `.ARM.attributes`: `A`, a length, `aeabi`, the tag of the whole file, a length, then pairs of tag and value. None
/// without such a section, or where it ends early.
pub(crate) fn read<'d>(file: &impl Object<'d>) -> Option<Attributes> {
    let section = file.section_by_name(".ARM.attributes")?;
    let mut rest = section.data().ok()?.get(1 + 4 + 6 + 1 + 4..)?;
    let mut found = Attributes::default();
    let mut any = false;
    while let Some(tag) = leb128(&mut rest) {
        match tag {
            6 => (found.cpu_arch, any) = (leb128(&mut rest)?, true),
            7 => found.profile = leb128(&mut rest)?,
            10 => found.fp_arch = leb128(&mut rest)?,
            // Tags with strings: CPU_raw_name, CPU_name, compatibility's second part, and odd tags above 32.
            4 | 5 => skip_string(&mut rest),
            32 => {
                leb128(&mut rest)?;
                skip_string(&mut rest);
            }
            tag if tag > 32 && tag % 2 == 1 => skip_string(&mut rest),
            _ => {
                leb128(&mut rest)?;
            }
        }
    }
    any.then_some(found)
}

fn leb128(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn skip_string(rest: &mut &[u8]) {
    let end = rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |end| end + 1);
    *rest = &rest[end..];
}
