//! Memory systems as data: one TOML file a profile, in `host-sim/profiles/`.

use super::cycles::Status;
use serde::Deserialize;

/// Which line of a set makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replacement {
    /// The least recently used.
    Lru,
    /// One after the other.
    RoundRobin,
    /// A pseudo-random one, the same in every run.
    Random,
}

/// One cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheShape {
    /// Bytes in all.
    pub bytes: u32,
    /// Bytes of a line.
    pub line_bytes: u32,
    /// Lines of a set.
    pub ways: u32,
    /// Which line makes room.
    pub replacement: Replacement,
}

/// A transfer that the next miss can continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequential {
    /// Core cycles that the continued read stalls.
    pub wait_cycles: u32,
    /// Most core cycles since the end of the read before.
    pub within_cycles: u32,
}

/// Timing of flash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashTiming {
    /// Bytes that one read of the array brings; the last line read stays in a buffer, one for instructions and one for data.
    pub line_bytes: u32,
    /// Core cycles that a read stalls when it is in no buffer and no cache.
    pub wait_cycles: u32,
    /// Stall of each further array line of one cache line; none: as the first.
    pub next_cycles: Option<u32>,
    /// The same for data, where it differs.
    pub data_wait_cycles: Option<u32>,
    /// The miss on the line behind the last one read goes on with the same transfer, if it comes soon enough.
    pub sequential: Option<Sequential>,
    /// While instructions of a line execute, the next line is read.
    #[serde(default)]
    pub prefetch: bool,
    /// Instruction and data reads of the array wait for each other; none: they do.
    pub shared_port: Option<bool>,
    /// Cache of instruction reads.
    pub instruction_cache: Option<CacheShape>,
    /// Cache of data reads.
    pub data_cache: Option<CacheShape>,
    /// One cache of both, instead of the two.
    pub unified_cache: Option<CacheShape>,
    /// Where the figures are from.
    pub source: String,
    /// How sure they are.
    pub status: Option<Status>,
}

/// Timing of main memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RamTiming {
    /// Core cycles that an access stalls when it is in no cache.
    #[serde(default)]
    pub wait_cycles: u32,
    /// Cache of data accesses.
    pub data_cache: Option<CacheShape>,
    /// Where the figures are from.
    pub source: String,
    /// How sure they are.
    pub status: Option<Status>,
}

/// What the chip draws while the core runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Active current.
    pub active_microamperes: u64,
    /// Supply.
    pub millivolts: u64,
    /// Where the figures are from.
    pub source: String,
    /// How sure they are.
    pub status: Status,
}

/// A memory system, with the chip that has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryProfile {
    /// The file's name without its extension.
    #[serde(skip)]
    pub name: String,
    /// One line about it.
    pub title: String,
    /// The chip's core; none: any.
    pub core: Option<String>,
    /// The chip's clock in hertz; none: any.
    pub clock_hz: Option<u64>,
    /// What it draws.
    pub energy: Option<Energy>,
    /// Flash; none: no wait states.
    pub flash: Option<FlashTiming>,
    /// Main memory; none: no wait states.
    pub ram: Option<RamTiming>,
}

/// The profiles that come with the program: name and text.
const BUILT_IN: &[(&str, &str)] = &[
    ("zero-wait", include_str!("../../profiles/zero-wait.toml")),
    ("nrf52840", include_str!("../../profiles/nrf52840.toml")),
    ("stm32f405", include_str!("../../profiles/stm32f405.toml")),
    ("stm32l4r5-20mhz", include_str!("../../profiles/stm32l4r5-20mhz.toml")),
    ("stm32l4r5-24mhz", include_str!("../../profiles/stm32l4r5-24mhz.toml")),
    ("stm32l4r5", include_str!("../../profiles/stm32l4r5.toml")),
    ("stm32h743", include_str!("../../profiles/stm32h743.toml")),
    ("rp2040", include_str!("../../profiles/rp2040.toml")),
    ("rp2350", include_str!("../../profiles/rp2350.toml")),
];

/// Why a text is no profile.
#[derive(Debug)]
pub enum ProfileError {
    /// Not TOML, or not with these keys.
    Malformed(Box<toml::de::Error>),
    /// A figure that no memory has.
    Figure {
        /// Where it stands.
        key: &'static str,
        /// What it is.
        found: u32,
        /// What it must be.
        wanted: &'static str,
    },
}

impl std::fmt::Display for ProfileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "{}", error.to_string().trim_end()),
            Self::Figure { key, found, wanted } => write!(f, "{key} is {found}, but must be {wanted}"),
        }
    }
}

impl std::error::Error for ProfileError {}

impl MemoryProfile {
    /// Memory without wait states.
    pub fn zero_wait() -> Self {
        Self { name: "zero-wait".into(), title: String::new(), core: None, clock_hz: None, energy: None, flash: None, ram: None }
    }

    /// The profile that comes with the program under this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        // A test parses every file that is compiled in.
        Self::parse(name, text).ok()
    }

    /// The names that [`built_in`](Self::built_in) knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Reads the text of a profile and judges its figures.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let mut profile: Self = toml::from_str(text).map_err(|error| ProfileError::Malformed(Box::new(error)))?;
        profile.name = name.into();
        if let Some(flash) = &profile.flash {
            power_of_two("flash.line_bytes", flash.line_bytes, 4..=256)?;
            limit("flash.wait_cycles", flash.wait_cycles, 10_000)?;
            limit("flash.data_wait_cycles", flash.data_wait_cycles.unwrap_or(0), 10_000)?;
            limit("flash.sequential.wait_cycles", flash.sequential.map_or(0, |sequential| sequential.wait_cycles), 10_000)?;
            limit("flash.next_cycles", flash.next_cycles.unwrap_or(0), 10_000)?;
            let caches = [
                ("flash.instruction_cache", &flash.instruction_cache),
                ("flash.data_cache", &flash.data_cache),
                ("flash.unified_cache", &flash.unified_cache),
            ];
            for (key, cache) in caches {
                cache.iter().try_for_each(|cache| cache.check(key))?;
            }
        }
        if let Some(ram) = &profile.ram {
            limit("ram.wait_cycles", ram.wait_cycles, 10_000)?;
            ram.data_cache.iter().try_for_each(|cache| cache.check("ram.data_cache"))?;
        }
        Ok(profile)
    }

    /// Millijoules that `cycles` take at the chip's clock: an estimate from the datasheet's active current.
    pub fn millijoules(&self, cycles: f64) -> Option<f64> {
        let (energy, clock) = (self.energy.as_ref()?, self.clock_hz?);
        let watts = energy.active_microamperes as f64 * 1e-6 * energy.millivolts as f64 * 1e-3;
        Some(watts * cycles / clock as f64 * 1e3)
    }
}

impl CacheShape {
    fn check(&self, key: &'static str) -> Result<(), ProfileError> {
        power_of_two(key, self.line_bytes, 4..=256)?;
        power_of_two(key, self.bytes, self.line_bytes..=1 << 24)?;
        power_of_two(key, self.ways, 1..=self.bytes / self.line_bytes)
    }
}

fn power_of_two(key: &'static str, found: u32, range: std::ops::RangeInclusive<u32>) -> Result<(), ProfileError> {
    match found.is_power_of_two() && range.contains(&found) {
        true => Ok(()),
        false => Err(ProfileError::Figure { key, found, wanted: "a power of two of a sensible size" }),
    }
}

fn limit(key: &'static str, found: u32, most: u32) -> Result<(), ProfileError> {
    if found <= most { Ok(()) } else { Err(ProfileError::Figure { key, found, wanted: "10000 or less" }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::cores;

    #[test]
    fn every_profile_that_comes_with_the_program_is_one() {
        for (name, text) in BUILT_IN {
            let profile = MemoryProfile::parse(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(profile.core.as_deref().is_none_or(|core| cores::core(core).is_some()), "{name} names a core that is none");
            assert_eq!(profile.core.is_some(), profile.clock_hz.is_some(), "{name}: a chip has a core and a clock");
        }
    }

    #[test]
    fn unknown_keys_and_impossible_figures_are_refused() {
        let flash = |line: &str| MemoryProfile::parse("x", &format!("title = 'x'\n[flash]\nsource = 'x'\n{line}"));
        assert!(flash("line_bytes = 16\nwait_cycles = 5").is_ok());
        for bad in [
            "line_bytes = 12\nwait_cycles = 5",
            "line_bytes = 16\nwait_cycles = 1000000",
            "line_bytes = 16\nwait_cycles = 5\nwayt = 1",
            "line_bytes = 16\nwait_cycles = -1",
            "line_bytes = 16\nwait_cycles = 1\ndata_cache = { bytes = 4294967295, line_bytes = 16, ways = 2, replacement = 'lru' }",
            "line_bytes = 16\nwait_cycles = 1\ndata_cache = { bytes = 64, line_bytes = 16, ways = 8, replacement = 'lru' }",
        ] {
            assert!(flash(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn energy_is_power_times_time() {
        let text = "title = 'x'\nclock_hz = 1_000_000\n[energy]\nactive_microamperes = 2_000\nmillivolts = 3_000\nsource = 'x'\nstatus = 'estimate'";
        let profile = MemoryProfile::parse("x", text).unwrap();
        assert_eq!(profile.millijoules(500_000.0), Some(3.0)); // 6 mW for half a second
    }
}
