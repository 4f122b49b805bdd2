//! The options that choose what is modelled: core, memory, clock. Every subcommand that runs a guest has them.

use crate::attributes::{Attributes, Profile};
use crate::image::Image;
use crate::machine::cores::{self, Architecture, CORES, CoreSpec};
use crate::machine::memory_profile::MemoryProfile;
use crate::machine::{Machine, RegionSpec};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Clock where neither the user nor the memory profile says one.
const DEFAULT_CLOCK: u64 = 64_000_000;
/// Where these options stand in a help.
const MODELLED: &str = "What is modelled";

/// Options shared by the subcommands.
#[derive(clap::Args, Clone, Debug)]
pub struct TargetOptions {
    /// The core: cortex-m0plus, cortex-m0plus-mul32, cortex-m3, cortex-m4, cortex-m4-nofpu, cortex-m7 or cortex-m33
    /// [default: the memory profile's, or the smallest for which the image was built]
    #[arg(long, value_name = "NAME", help_heading = MODELLED)]
    pub core: Option<String>,
    /// The memory system: zero-wait, nrf52840, stm32f405, stm32l4r5, stm32l4r5-20mhz, stm32l4r5-24mhz, stm32h743, rp2040, rp2350, or a
    /// TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "zero-wait", help_heading = MODELLED)]
    pub memory: String,
    /// Clock, such as 64MHz [default: that of the memory profile, else 64MHz]
    #[arg(long, value_parser = parse_clock, help_heading = MODELLED)]
    pub clock: Option<u64>,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self { core: None, memory: "zero-wait".into(), clock: None }
    }
}

/// A core with its memory system and clock.
#[derive(Clone, Debug)]
pub struct Target {
    /// The core.
    pub core: &'static CoreSpec,
    /// The memory system.
    pub memory: MemoryProfile,
    /// Clock in Hz.
    pub clock_hz: u64,
}

impl TargetOptions {
    /// The core that the options name, by itself or as that of the memory profile; none where the image chooses.
    ///
    /// # Errors
    /// Unknown names and unreadable profiles.
    pub fn named(&self) -> Result<(Option<&'static CoreSpec>, MemoryProfile)> {
        let memory = memory_profile(&self.memory)?;
        let Some(name) = self.core.as_deref().or(memory.core.as_deref()) else {
            return Ok((None, memory));
        };
        match cores::core(name) {
            Some(core) => Ok((Some(core), memory)),
            None => {
                let names: Vec<&str> = CORES.iter().map(|core| core.name).collect();
                bail!("there is no core {name}: choose one of {}", names.join(", "))
            }
        }
    }

    /// The core of that name, or the one that fits `image`; whether it was the image that chose.
    ///
    /// # Errors
    /// Unknown names, and an image for another architecture than the core executes.
    pub fn resolve(&self, image: &Image) -> Result<(Target, bool)> {
        let attributes = image.attributes;
        let (named, memory) = self.named()?;
        let core = match named {
            Some(core) => core,
            None => infer(attributes)?,
        };
        if let Some(attributes) = attributes
            && !attributes.m_profile().is_some_and(|wanted| runs(core, wanted))
        {
            bail!(
                "the image is for {attributes}, which {} does not execute: choose another --core, or build it for this one",
                core.name
            );
        }
        let clock_hz = self.clock.or(memory.clock_hz).unwrap_or(DEFAULT_CLOCK);
        Ok((Target { core, memory, clock_hz }, named.is_none()))
    }
}

impl Target {
    /// A machine with this core and memory system, and with memory in these regions.
    pub fn machine(&self, regions: &[RegionSpec]) -> Machine {
        Machine::with_memory(self.core, regions, &self.memory)
    }
}

/// The built-in profile of that name, or that of a file.
fn memory_profile(name: &str) -> Result<MemoryProfile> {
    if let Some(profile) = MemoryProfile::built_in(name) {
        return Ok(profile);
    }
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        let names: Vec<&str> = MemoryProfile::names().collect();
        bail!("there is no memory profile {name}: choose one of {}, or give a TOML file", names.join(", "));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the memory profile {name}"))?;
    let stem = path.file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy());
    MemoryProfile::parse(&stem, &text).with_context(|| format!("{name} is no memory profile"))
}

/// Whether a core executes code for an architecture. Each keeps what the smaller ones have, but the DSP instructions are optional.
fn runs(core: &CoreSpec, code: Profile) -> bool {
    match code {
        Profile::V6M => true,
        Profile::V7M => core.architecture >= Architecture::V7M,
        Profile::V7EM => core.architecture >= Architecture::V7M && core.dsp,
        Profile::V8M => core.architecture == Architecture::V8M,
    }
}

/// The smallest core for which an image was built; one without attributes gets a Cortex-M4.
fn infer(attributes: Option<Attributes>) -> Result<&'static CoreSpec> {
    let Some(attributes) = attributes else { return Ok(&cores::CORTEX_M4) };
    match attributes.m_profile() {
        Some(Profile::V6M) => Ok(&cores::CORTEX_M0PLUS),
        Some(Profile::V7M) => Ok(&cores::CORTEX_M3),
        Some(Profile::V7EM) => Ok(match attributes.fp_arch {
            0 => &cores::CORTEX_M4_NOFPU,
            7 | 8 => &cores::CORTEX_M7, // FPv5
            _ => &cores::CORTEX_M4,
        }),
        Some(Profile::V8M) => Ok(&cores::CORTEX_M33),
        None => bail!("the image is for {attributes}, which no core here executes: build it for a Cortex-M"),
    }
}

/// `64MHz`, `32.768kHz`, `1GHz` or plain hertz.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_clock(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (number, unit) = [("ghz", 1e9), ("mhz", 1e6), ("khz", 1e3), ("hz", 1.0)]
        .iter()
        .find_map(|(suffix, unit)| lower.strip_suffix(suffix).map(|number| (number.trim(), *unit)))
        .unwrap_or((&lower, 1.0));
    let hertz = number.parse::<f64>().map_err(|_| format!("{text} is not a frequency such as 64MHz"))? * unit;
    if !(1.0..=1e12).contains(&hertz) {
        return Err(format!("{text} is not between 1 Hz and 1000 GHz"));
    }
    Ok(hertz.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_have_units() {
        assert_eq!(parse_clock("64MHz"), Ok(64_000_000));
        assert_eq!(parse_clock("32.768 kHz"), Ok(32_768));
        assert_eq!(parse_clock("24000000"), Ok(24_000_000));
        assert!(parse_clock("fast").is_err());
        assert!(parse_clock("-1MHz").is_err());
    }
}
