//! The options that choose what is modelled: core, memory, clock. Every subcommand that runs a guest has them.

use crate::attributes::{Attributes, Profile};
use crate::image::Image;
use crate::machine::cycles::cortex_m4;
use crate::machine::{Machine, RegionSpec};
use anyhow::{Result, bail};

/// The cores, with the architecture that each executes.
const CORES: [(&str, Profile); 1] = [("cortex-m4", Profile::V7EM)];
/// Clock where neither the user nor the memory profile says one.
const DEFAULT_CLOCK: u64 = 64_000_000;

/// Options shared by the subcommands.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "What is modelled")]
pub struct TargetOptions {
    /// The core, such as cortex-m4 [default: the smallest for which the image was built]
    #[arg(long, value_name = "NAME")]
    pub core: Option<String>,
    /// The memory system: the name of a profile, or a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "zero-wait")]
    pub memory: String,
    /// Clock, such as 64MHz [default: that of the memory profile]
    #[arg(long, value_parser = parse_clock)]
    pub clock: Option<u64>,
}

/// A core with its memory system and clock.
#[derive(Clone, Debug)]
pub struct Target {
    /// Name of the core.
    pub core: &'static str,
    /// Name of the memory profile.
    pub memory_profile: String,
    /// Version of the cycle table.
    pub cost_table: &'static str,
    /// Clock in Hz.
    pub clock_hz: u64,
}

impl TargetOptions {
    /// The core of that name, or the one that fits `image`; whether it was the image that chose.
    ///
    /// # Errors
    /// Unknown names, and an image for another architecture than the core executes.
    pub fn resolve(&self, image: &Image) -> Result<(Target, bool)> {
        let attributes = image.attributes;
        let inferred = self.core.is_none();
        let (core, executes) = match &self.core {
            Some(name) => match CORES.iter().find(|(core, _)| core == name) {
                Some(core) => *core,
                None => {
                    let names: Vec<&str> = CORES.iter().map(|(name, _)| *name).collect();
                    bail!("there is no core {name}: choose one of {}", names.join(", "))
                }
            },
            None => infer(attributes)?,
        };
        if let Some(attributes) = attributes
            && !attributes.m_profile().is_some_and(|wanted| runs(executes, wanted))
        {
            bail!(
                "the image is for {attributes}, which {core} does not execute: choose another --core, or build it for this one"
            );
        }
        if self.memory != "zero-wait" {
            bail!("there is no memory profile {}: choose zero-wait", self.memory);
        }
        let clock_hz = self.clock.unwrap_or(DEFAULT_CLOCK);
        let target = Target { core, memory_profile: self.memory.clone(), cost_table: cortex_m4::VERSION, clock_hz };
        Ok((target, inferred))
    }
}

impl Target {
    /// A machine with this core, and with memory in these regions.
    pub fn machine(&self, regions: &[RegionSpec]) -> Machine {
        Machine::new(regions)
    }
}

/// Whether a core of one architecture executes code for another. Armv8-M keeps everything of Armv7E-M; Armv7 has nothing of Armv8.
fn runs(core: Profile, code: Profile) -> bool {
    core as u8 >= code as u8
}

/// The smallest core for which an image was built; one without attributes gets a Cortex-M4.
fn infer(attributes: Option<Attributes>) -> Result<(&'static str, Profile)> {
    let wanted = match attributes {
        None => Profile::V7EM,
        Some(attributes) => match attributes.m_profile() {
            Some(profile) => profile,
            None => bail!("the image is for {attributes}, which no core here executes: build it for a Cortex-M"),
        },
    };
    match CORES.iter().find(|(_, executes)| runs(*executes, wanted)) {
        Some(core) => Ok(*core),
        None => bail!("the image is for {}, which no core here executes", attributes.unwrap_or_default()),
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
