//! What a run shows: assembled from the device's records and the machine's counters, once for the table and the JSON file.

pub mod memory;
mod read;
mod table;
pub mod tokens;

pub use read::{ReportError, read_json};
pub use table::grouped;

use crate::machine;
use crate::machine::memory_profile::MemoryProfile;
use fathom::format::record::{Ended, Region};
use memory::{Area, Memory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One generated token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub token: u16,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Bit `b`: active in block `b`.
    pub active: u32,
    /// Modelled cycles.
    pub cycles: u64,
}

/// Everything that a run's records said.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Blocks of the model.
    pub blocks: u32,
    /// Arena bytes.
    pub arena: u32,
    /// Depth masks of the prompt's tokens.
    pub prompt: Vec<u32>,
    /// Bytes of the prompt's tokens, one each, where the host knows the prompt.
    pub prompt_bytes: Vec<u8>,
    /// Cycles for the prompt.
    pub prefill_cycles: u64,
    /// Generated tokens.
    pub tokens: Vec<Token>,
    /// Cycles per region outside of all blocks.
    pub outside: [u64; Region::ALL.len()],
    /// Cycles per region within each block.
    pub within: Vec<[u64; Region::ALL.len()]>,
    /// Why it ended; none while it has not.
    pub ended: Option<Ended>,
    /// The device's refusal.
    pub failed: Option<String>,
}

/// Name of the report's schema.
pub const SCHEMA: &str = "fathom-run/1";

/// The JSON report, schema `fathom-run/1`. Cycles are modelled, sizes are bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The modelled core.
    pub core: String,
    /// The modelled memory system.
    pub memory_profile: String,
    /// Version of the cycle table.
    pub cost_table: String,
    /// Clock that tokens/s refers to.
    pub clock_hz: u64,
    /// What was asked.
    pub request: Asked,
    /// Checksum of the model, as its prelude has it, in eight hexadecimal digits.
    pub model_crc32: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens generated.
    pub generated_tokens: usize,
    /// Generated text, with U+FFFD where it is not UTF-8; the bytes are in `tokens`.
    pub text: String,
    /// Guest instructions, boot included.
    pub instructions: u64,
    /// Cycles.
    pub cycles: Cycles,
    /// Cycles without an instruction, part of `cycles.total`.
    pub stalls: Stalls,
    /// Energy; null where the memory profile gives no current.
    pub energy: Option<Energy>,
    /// Depth.
    pub depth: Depth,
    /// Cycles per region from the request on, in and outside of blocks.
    pub regions: BTreeMap<String, u64>,
    /// The same cycles, apart: outside of blocks, then in each block.
    pub places: Vec<Place>,
    /// Memory.
    pub memory: Memory,
    /// Tokens of the prompt.
    pub prompt: Vec<tokens::Read>,
    /// Generated tokens.
    pub tokens: Vec<tokens::Generated>,
}

/// What was asked of the firmware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Text to continue.
    pub prompt: String,
    /// Tokens to generate, at most.
    pub tokens: u32,
    /// Seed of the sampler.
    pub seed: u64,
    /// 0 is greedy.
    pub temperature: f32,
    /// Sample among this many; 0 is all.
    pub top_k: u16,
    /// Operating point; null is the model's default, or that of a budget.
    pub effort: Option<u8>,
    /// Cycles per token that a controller kept to by choosing each token's operating point; null without one.
    #[serde(default)]
    pub cycle_budget: Option<u32>,
}

/// Cycles that passed without an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalls {
    /// Waiting for instructions.
    pub fetch: u64,
    /// Waiting for data.
    pub data: u64,
}

/// An estimate from the datasheet's active current, whatever the code does: no measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Mean per generated token, in millijoules.
    pub millijoules_per_token: f64,
    /// Current, voltage and clock that the estimate rests on, and where they are from.
    pub basis: String,
}

impl Energy {
    /// That of so many cycles per token: power by time, at the clock for which the profile gives the current.
    fn estimate(profile: &MemoryProfile, cycles_per_token: u64) -> Option<Self> {
        let (energy, clock) = (profile.energy.as_ref()?, profile.clock_hz?);
        let basis = format!(
            "{} mA at {} V and {} MHz; {}",
            energy.active_microamperes as f64 / 1e3,
            energy.millivolts as f64 / 1e3,
            clock as f64 / 1e6,
            energy.source
        );
        Some(Self { millijoules_per_token: profile.millijoules(cycles_per_token as f64)?, basis })
    }
}

/// Cycles outside of blocks, or in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The block, counted from 0; null is outside of all.
    pub block: Option<u32>,
    /// Tokens, of the prompt and generated, that were active in it; null outside.
    pub active_tokens: Option<u32>,
    /// Cycles.
    pub cycles: u64,
    /// Cycles per region that has any.
    pub regions: BTreeMap<String, u64>,
}

/// Modelled cycles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycles {
    /// All, boot included.
    pub total: u64,
    /// Mean per generated token.
    pub per_token_mean: u64,
    /// 95th percentile (nearest rank).
    pub per_token_p95: u64,
    /// Maximum.
    pub per_token_max: u64,
    /// Mean per prompt token.
    pub prefill_per_token: u64,
}

/// Depth of the generated tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Depth {
    /// Blocks of the model.
    pub blocks: u32,
    /// Mean blocks per generated token.
    pub mean: f64,
    /// Share of token-layer operations saved.
    pub tlops_saved: f64,
    /// Blocks of each generated token.
    pub per_token: Vec<u32>,
}

impl Answer {
    /// The bytes of all generated tokens.
    pub fn text(&self) -> Vec<u8> {
        self.tokens.iter().flat_map(|token| &token.bytes).copied().collect()
    }

    /// Cycles per region, in and outside of blocks.
    fn regions(&self) -> BTreeMap<String, u64> {
        let all = |index: usize| self.within.iter().map(|regions| regions[index]).sum::<u64>() + self.outside[index];
        Region::ALL.iter().enumerate().map(|(index, region)| (region.name().to_owned(), all(index))).collect()
    }

    /// Outside of blocks, then block by block.
    fn places(&self) -> Vec<Place> {
        let masks = || self.prompt.iter().copied().chain(self.tokens.iter().map(|token| token.active));
        let active = |block: u32| masks().filter(|mask| mask.checked_shr(block).is_some_and(|rest| rest & 1 == 1)).count() as u32;
        let place = |block: Option<u32>, cycles: &[u64; Region::ALL.len()]| Place {
            block,
            active_tokens: block.map(active),
            cycles: cycles.iter().sum(),
            regions: Region::ALL
                .iter()
                .zip(cycles)
                .filter(|(_, cycles)| **cycles > 0)
                .map(|(region, cycles)| (region.name().to_owned(), *cycles))
                .collect(),
        };
        let blocks = self.within.iter().enumerate().map(|(block, cycles)| place(Some(block as u32), cycles));
        std::iter::once(place(None, &self.outside)).chain(blocks).collect()
    }
}

/// What the machine, rather than the device, knows of a run.
#[derive(Clone, Debug)]
pub struct Counters<'a> {
    /// Name of the core.
    pub core: &'static str,
    /// Version of the cycle table.
    pub cost_table: &'static str,
    /// The memory system.
    pub memory: &'a MemoryProfile,
    /// Clock in hertz.
    pub clock_hz: u64,
    /// Guest instructions.
    pub instructions: u64,
    /// Modelled cycles.
    pub cycles: u64,
    /// Those of them without an instruction.
    pub stalls: machine::Stalls,
    /// Bytes of code in flash.
    pub flash_code: u32,
    /// Bytes of the model.
    pub flash_model: usize,
    /// Checksum of the model.
    pub model_crc32: u32,
    /// Peak stack in bytes.
    pub stack_peak: u32,
    /// The memory map.
    pub areas: Vec<Area>,
}

impl Report {
    /// Puts records and counters together.
    pub fn new(asked: &Asked, answer: &Answer, counters: &Counters<'_>) -> Self {
        let mut cycles: Vec<u64> = answer.tokens.iter().map(|token| token.cycles).collect();
        cycles.sort_unstable();
        let generated = cycles.len();
        let mean = |total: u64, count: usize| if count == 0 { 0 } else { (total + count as u64 / 2) / count as u64 };
        let rank = (generated * 95).div_ceil(100).max(1) - 1;
        let per_token: Vec<u32> = answer.tokens.iter().map(|token| token.active.count_ones()).collect();
        let depth = if generated == 0 { 0.0 } else { f64::from(per_token.iter().sum::<u32>()) / generated as f64 };
        let blocks = answer.blocks;
        let saved = if generated == 0 || blocks == 0 { 0.0 } else { 1.0 - depth / f64::from(blocks) };
        let per_token_mean = mean(cycles.iter().sum(), generated);
        Self {
            schema: SCHEMA.into(),
            core: counters.core.into(),
            memory_profile: counters.memory.name.clone(),
            cost_table: counters.cost_table.into(),
            clock_hz: counters.clock_hz,
            request: asked.clone(),
            model_crc32: format!("{:08x}", counters.model_crc32),
            prompt_tokens: answer.prompt.len(),
            generated_tokens: generated,
            text: String::from_utf8_lossy(&answer.text()).into_owned(),
            instructions: counters.instructions,
            cycles: Cycles {
                total: counters.cycles,
                per_token_mean,
                per_token_p95: cycles.get(rank).copied().unwrap_or_default(),
                per_token_max: cycles.last().copied().unwrap_or_default(),
                prefill_per_token: mean(answer.prefill_cycles, answer.prompt.len()),
            },
            stalls: Stalls { fetch: counters.stalls.fetch, data: counters.stalls.data },
            energy: Energy::estimate(counters.memory, per_token_mean),
            depth: Depth { blocks, mean: depth, tlops_saved: saved, per_token },
            regions: answer.regions(),
            places: answer.places(),
            memory: Memory {
                flash_code: u64::from(counters.flash_code),
                flash_model: counters.flash_model as u64,
                arena: u64::from(answer.arena),
                stack_peak: u64::from(counters.stack_peak),
                areas: counters.areas.clone(),
            },
            prompt: tokens::Read::all(answer),
            tokens: tokens::Generated::all(answer),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report(cycles: &[u64]) -> Report {
        report_with(cycles, &MemoryProfile::zero_wait())
    }

    fn report_with(cycles: &[u64], memory: &MemoryProfile) -> Report {
        let tokens = cycles.iter().enumerate().map(|(i, cycles)| Token {
            token: 0,
            bytes: vec![b'a'],
            active: (1 << (i % 4 + 1)) - 1,
            cycles: *cycles,
        });
        let answer =
            Answer { blocks: 4, prompt: vec![15; 4], prefill_cycles: 402, tokens: tokens.collect(), ..Answer::default() };
        let counters = Counters {
            core: "cortex-m4",
            cost_table: "x/1",
            memory,
            clock_hz: 64_000_000,
            instructions: 1,
            cycles: 2,
            stalls: machine::Stalls::default(),
            flash_code: 3,
            flash_model: 4,
            model_crc32: 0,
            stack_peak: 5,
            areas: Vec::new(),
        };
        Report::new(&Asked::default(), &answer, &counters)
    }

    #[test]
    fn percentiles_use_the_nearest_rank() {
        let report = report(&(1..=100).rev().collect::<Vec<_>>());
        assert_eq!((report.cycles.per_token_p95, report.cycles.per_token_max, report.cycles.per_token_mean), (95, 100, 51));
        assert_eq!(report.cycles.prefill_per_token, 101);
        assert_eq!(report.depth.mean, 2.5);
        assert_eq!(report.depth.tlops_saved, 0.375);
    }

    #[test]
    fn energy_is_power_by_time_at_the_clock_of_the_profile() {
        assert_eq!(report(&[1]).energy, None);
        let mut memory = MemoryProfile::built_in("nrf52840").unwrap();
        memory.clock_hz = Some(10_000_000);
        memory.energy.as_mut().unwrap().active_microamperes = 2_000;
        memory.energy.as_mut().unwrap().millivolts = 3_000;
        let energy = report_with(&[9_000_000, 11_000_000], &memory).energy.unwrap();
        assert!((energy.millijoules_per_token - 6.0).abs() < 1e-9, "6 mW for a second: {energy:?}");
        assert!(energy.basis.starts_with("2 mA at 3 V and 10 MHz; "), "{energy:?}");
    }

    #[test]
    fn an_empty_answer_has_no_division_by_zero() {
        let report = report(&[]);
        assert_eq!((report.cycles.per_token_p95, report.depth.mean), (0, 0.0));
        assert!(report.table().contains("0 + 0") || report.table().contains("4 + 0"));
    }
}
