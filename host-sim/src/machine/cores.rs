//! The cores that the machine can be: what each has, and its price list.

use super::cycles::{Table, cortex_m0plus, cortex_m3, cortex_m4, cortex_m7, cortex_m33};
use super::extension::Features;

/// An architecture of the M profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// Armv6-M.
    V6M,
    /// Armv7-M, with or without the DSP extension.
    V7M,
    /// Armv8-M with the Main extension, without the Security extension.
    V8M,
}

/// A version of the floating-point extension, single precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FloatVersion {
    /// FPv4-SP-D16.
    V4,
    /// FPv5-SP-D16: also VSEL, VMAXNM, VRINT and the roundings of VCVT.
    V5,
}

/// One core.
#[derive(Clone, Debug)]
pub struct CoreSpec {
    /// What `--core` calls it.
    pub name: &'static str,
    /// What sentences call it.
    pub title: &'static str,
    /// Its architecture.
    pub architecture: Architecture,
    /// Whether it has the DSP extension.
    pub dsp: bool,
    /// Its FPU.
    pub float: Option<FloatVersion>,
    /// What its instructions cost.
    pub table: &'static Table,
    /// Its CPUID register.
    pub(super) cpuid: u32,
    /// External interrupts.
    pub(super) interrupts: usize,
    /// Priority bits that are implemented, as in most parts with this core.
    pub(super) priority_bits: u8,
}

impl CoreSpec {
    /// What it implements above Armv6-M.
    pub(super) fn features(&self) -> Features {
        Features {
            v7: self.architecture >= Architecture::V7M,
            dsp: self.dsp,
            float4: self.float.is_some(),
            float5: self.float >= Some(FloatVersion::V5),
            v8: self.architecture == Architecture::V8M,
        }
    }
}

const fn baseline(name: &'static str, title: &'static str, table: &'static Table) -> CoreSpec {
    CoreSpec {
        name,
        title,
        architecture: Architecture::V6M,
        dsp: false,
        float: None,
        table,
        cpuid: 0x410C_C601, // r0p1
        interrupts: 32,
        priority_bits: 2,
    }
}

const fn mainline(name: &'static str, title: &'static str, table: &'static Table, cpuid: u32) -> CoreSpec {
    CoreSpec {
        name,
        title,
        architecture: Architecture::V7M,
        dsp: true,
        float: None,
        table,
        cpuid,
        interrupts: 240,
        priority_bits: 4,
    }
}

/// Cortex-M0+ with the single-cycle multiplier.
pub static CORTEX_M0PLUS: CoreSpec = baseline("cortex-m0plus", "Cortex-M0+", &cortex_m0plus::TABLE);
/// Cortex-M0+ with the 32-cycle multiplier.
pub static CORTEX_M0PLUS_MUL32: CoreSpec =
    baseline("cortex-m0plus-mul32", "Cortex-M0+ with the 32-cycle multiplier", &cortex_m0plus::SLOW_MULTIPLIER);
/// Cortex-M3 r2p1.
pub static CORTEX_M3: CoreSpec = CoreSpec { dsp: false, ..mainline("cortex-m3", "Cortex-M3", &cortex_m3::TABLE, 0x412F_C231) };
/// Cortex-M4 r0p1 with FPU.
pub static CORTEX_M4: CoreSpec =
    CoreSpec { float: Some(FloatVersion::V4), ..mainline("cortex-m4", "Cortex-M4 with FPU", &cortex_m4::TABLE, 0x410F_C241) };
/// Cortex-M4 r0p1 without FPU.
pub static CORTEX_M4_NOFPU: CoreSpec = mainline("cortex-m4-nofpu", "Cortex-M4 without FPU", &cortex_m4::TABLE, 0x410F_C241);
/// Cortex-M7 r1p2 with the single-precision FPU.
pub static CORTEX_M7: CoreSpec =
    CoreSpec { float: Some(FloatVersion::V5), ..mainline("cortex-m7", "Cortex-M7", &cortex_m7::TABLE, 0x411F_C272) };
/// Cortex-M33 r0p4 with DSP extension and FPU, without Security extension.
pub static CORTEX_M33: CoreSpec = CoreSpec {
    architecture: Architecture::V8M,
    float: Some(FloatVersion::V5),
    ..mainline("cortex-m33", "Cortex-M33", &cortex_m33::TABLE, 0x410F_D214)
};

/// All cores.
pub static CORES: [&CoreSpec; 7] =
    [&CORTEX_M0PLUS, &CORTEX_M0PLUS_MUL32, &CORTEX_M3, &CORTEX_M4, &CORTEX_M4_NOFPU, &CORTEX_M7, &CORTEX_M33];

/// The core with this name.
pub fn core(name: &str) -> Option<&'static CoreSpec> {
    CORES.into_iter().find(|core| core.name == name)
}
