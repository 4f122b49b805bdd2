//! The boards: one of QEMU's for each core that both it and our machine have.

use super::row::Needs;
use fathom_host_sim::machine::cores::{CORTEX_M0PLUS, CORTEX_M3, CORTEX_M4, CORTEX_M7, CORTEX_M33, CoreSpec};

/// Bytes of memory for states.
pub const STATES_BYTES: u32 = 16 << 20;

/// A board of QEMU's, and our core for it. Code is at 0 and RAM at 0x2000_0000 on all of them.
#[derive(Debug)]
pub struct Board {
    /// QEMU's options.
    pub options: &'static [&'static str],
    /// Our core.
    pub core: &'static CoreSpec,
    /// What it implements above Armv6-M.
    pub has: &'static [Needs],
    /// Instructions that QEMU executes although the core lacks them, by the first word of their names: only our machine's fault is tested.
    pub lenient: &'static [&'static str],
    /// Where QEMU is to load the memory at 0.
    pub load: u32,
    /// Address of memory for states, [`STATES_BYTES`] large.
    pub states: u32,
}

impl Board {
    /// Whether the board's core implements `needs`.
    pub fn has(&self, needs: Needs) -> bool {
        needs == Needs::Baseline || self.has.contains(&needs)
    }

    /// Armv7-M or later.
    pub fn is_mainline(&self) -> bool {
        self.has(Needs::Mainline)
    }

    /// Bits of APSR that exist: N, Z, C, V; Q from Armv7-M on; GE with the DSP extension.
    pub fn apsr_bits(&self) -> u32 {
        let q = if self.is_mainline() { 1 << 27 } else { 0 };
        let ge = if self.has(Needs::Dsp) { 15 << 16 } else { 0 };
        0xF << 28 | q | ge
    }
}

/// Cortex-M0, which executes what a Cortex-M0+ does; with more memory than the board has.
pub static M0: Board = Board {
    options: &["-M", "microbit", "-global", "nrf51-soc.flash-size=0x400000", "-global", "nrf51-soc.sram-size=0x2000000"],
    core: &CORTEX_M0PLUS,
    has: &[],
    lenient: &["CBZ", "IT"],
    load: 0,
    states: 0x2100_0000,
};

/// Cortex-M3.
pub static M3: Board = Board {
    options: &["-M", "mps2-an385"],
    core: &CORTEX_M3,
    has: &[Needs::Mainline],
    // QEMU's checks for the DSP extension leave these out.
    lenient: &[
        "SSAT16", "USAT16", "SXTAB", "SXTAH", "UXTAB", "UXTAH", "SMUAD", "SMLAD", "SMUSD", "SMLSD", "SMULWB", "SMLAWB", "SMLALD",
        "SMLSLD", "USAD8", "USADA8",
    ],
    load: 0,
    states: 0x2100_0000,
};

/// Cortex-M4 with FPU.
pub static M4: Board = Board {
    options: &["-M", "mps2-an386"],
    core: &CORTEX_M4,
    has: &[Needs::Mainline, Needs::Dsp, Needs::Float],
    lenient: &[],
    load: 0,
    states: 0x2100_0000,
};

/// Cortex-M7; QEMU's has double precision, which is not tested.
pub static M7: Board = Board {
    options: &["-M", "mps2-an500"],
    core: &CORTEX_M7,
    has: &[Needs::Mainline, Needs::Dsp, Needs::Float, Needs::Float5],
    lenient: &[],
    load: 0,
    states: 0x6000_0000,
};

/// Cortex-M33; QEMU's has the Security extension and stays in Secure state, where the same addresses mean the same memory.
pub static M33: Board = Board {
    options: &["-M", "mps2-an505"],
    core: &CORTEX_M33,
    has: &[Needs::Mainline, Needs::Dsp, Needs::Float, Needs::Float5, Needs::V8],
    lenient: &[],
    load: 0x1000_0000,
    states: 0x8000_0000,
};
