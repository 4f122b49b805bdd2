//! What a run shows: assembled from the device's records and the machine's counters, once for the table and the JSON file.

use fathom::format::record::{Ended, Region};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One generated token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub token: u16,
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
    /// Cycles for the prompt.
    pub prefill_cycles: u64,
    /// Generated tokens.
    pub tokens: Vec<Token>,
    /// Generated text.
    pub text: Vec<u8>,
    /// Cycles per region.
    pub regions: [u64; Region::ALL.len()],
    /// Why it ended; none while it has not.
    pub ended: Option<Ended>,
    /// The device's refusal.
    pub failed: Option<String>,
}

/// The JSON report, schema `fathom-run/1`. Cycles are modelled, sizes are bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `fathom-run/1`.
    pub schema: &'static str,
    /// The modelled core.
    pub core: &'static str,
    /// The modelled memory system.
    pub memory_profile: String,
    /// Version of the cycle table.
    pub cost_table: &'static str,
    /// Clock that tokens/s refers to.
    pub clock_hz: u64,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens generated.
    pub generated_tokens: usize,
    /// Generated text.
    pub text: String,
    /// Guest instructions, boot included.
    pub instructions: u64,
    /// Cycles.
    pub cycles: Cycles,
    /// Depth.
    pub depth: Depth,
    /// Cycles per region from the request on.
    pub regions: BTreeMap<&'static str, u64>,
    /// Memory.
    pub memory: Memory,
}

/// Modelled cycles.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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

/// Bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Code and constants.
    pub flash_code: u64,
    /// The blob.
    pub flash_model: u64,
    /// The arena.
    pub arena: u64,
    /// Peak stack.
    pub stack_peak: u64,
}

/// What the machine, rather than the device, knows of a run.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Name of the core.
    pub core: &'static str,
    /// Name of the memory profile.
    pub memory_profile: String,
    /// Guest instructions.
    pub instructions: u64,
    /// Modelled cycles.
    pub cycles: u64,
    /// Clock in hertz.
    pub clock_hz: u64,
    /// Version of the cycle table.
    pub cost_table: &'static str,
    /// Bytes of code in flash.
    pub flash_code: u32,
    /// Bytes of the model.
    pub flash_model: usize,
    /// Peak stack in bytes.
    pub stack_peak: u32,
}

impl Report {
    /// Puts records and counters together.
    pub fn new(answer: &Answer, counters: &Counters) -> Self {
        let mut cycles: Vec<u64> = answer.tokens.iter().map(|token| token.cycles).collect();
        cycles.sort_unstable();
        let generated = cycles.len();
        let mean = |total: u64, count: usize| if count == 0 { 0 } else { (total + count as u64 / 2) / count as u64 };
        let rank = (generated * 95).div_ceil(100).max(1) - 1;
        let per_token: Vec<u32> = answer.tokens.iter().map(|token| token.active.count_ones()).collect();
        let depth = if generated == 0 { 0.0 } else { f64::from(per_token.iter().sum::<u32>()) / generated as f64 };
        let blocks = answer.blocks;
        let saved = if generated == 0 || blocks == 0 { 0.0 } else { 1.0 - depth / f64::from(blocks) };
        Self {
            schema: "fathom-run/1",
            core: counters.core,
            memory_profile: counters.memory_profile.clone(),
            cost_table: counters.cost_table,
            clock_hz: counters.clock_hz,
            prompt_tokens: answer.prompt.len(),
            generated_tokens: generated,
            text: String::from_utf8_lossy(&answer.text).into_owned(),
            instructions: counters.instructions,
            cycles: Cycles {
                total: counters.cycles,
                per_token_mean: mean(cycles.iter().sum(), generated),
                per_token_p95: cycles.get(rank).copied().unwrap_or_default(),
                per_token_max: cycles.last().copied().unwrap_or_default(),
                prefill_per_token: mean(answer.prefill_cycles, answer.prompt.len()),
            },
            depth: Depth { blocks, mean: depth, tlops_saved: saved, per_token },
            regions: Region::ALL.iter().zip(answer.regions).map(|(region, cycles)| (region.name(), cycles)).collect(),
            memory: Memory {
                flash_code: u64::from(counters.flash_code),
                flash_model: counters.flash_model as u64,
                arena: u64::from(answer.arena),
                stack_peak: u64::from(counters.stack_peak),
            },
        }
    }

    /// The table that ends a run. One row per line, label first.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let mut row = |label: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {label:<34}{value}");
        };
        let (cycles, memory) = (&self.cycles, &self.memory);
        row("tokens (prompt + generated)", format!("{} + {}", self.prompt_tokens, self.generated_tokens));
        row("mean depth", format!("{:.2} of {} blocks", self.depth.mean, self.depth.blocks));
        row("token-layer operations saved", format!("{:.1}%", 100.0 * self.depth.tlops_saved));
        row(
            "modelled cycles per token",
            format!(
                "mean {}, 95th percentile {}, maximum {}",
                grouped(cycles.per_token_mean),
                grouped(cycles.per_token_p95),
                grouped(cycles.per_token_max)
            ),
        );
        row("modelled prefill cycles per token", grouped(cycles.prefill_per_token));
        let megahertz = self.clock_hz as f64 / 1e6;
        let rate = if cycles.per_token_mean == 0 { 0.0 } else { self.clock_hz as f64 / cycles.per_token_mean as f64 };
        row(&format!("modelled tokens/s at {megahertz} MHz"), format!("{rate:.1}"));
        let total: u64 = self.regions.values().sum();
        let mut regions: Vec<_> = self.regions.iter().filter(|(_, cycles)| **cycles > 0).collect();
        regions.sort_by_key(|(_, cycles)| std::cmp::Reverse(**cycles));
        for (region, cycles) in regions {
            let share = 100.0 * *cycles as f64 / total as f64;
            row(&format!("  cycles in {region}"), format!("{} ({share:.1}%)", grouped(*cycles)));
        }
        row("flash", format!("{} code + {} model bytes", grouped(memory.flash_code), grouped(memory.flash_model)));
        row("RAM", format!("{} arena + {} peak stack bytes", grouped(memory.arena), grouped(memory.stack_peak)));
        row("guest instructions", grouped(self.instructions));
        row("model of the machine", format!("{}, {}, table {}", self.core, self.memory_profile, self.cost_table));
        out
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cycles: &[u64]) -> Report {
        let tokens =
            cycles.iter().enumerate().map(|(i, cycles)| Token { token: 0, active: (1 << (i % 4 + 1)) - 1, cycles: *cycles });
        let answer =
            Answer { blocks: 4, prompt: vec![15; 4], prefill_cycles: 402, tokens: tokens.collect(), ..Answer::default() };
        let counters = Counters {
            instructions: 1,
            cycles: 2,
            clock_hz: 64_000_000,
            core: "cortex-m4",
            memory_profile: "zero-wait".into(),
            cost_table: "x/1",
            flash_code: 3,
            flash_model: 4,
            stack_peak: 5,
        };
        Report::new(&answer, &counters)
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
    fn an_empty_answer_has_no_division_by_zero() {
        let report = report(&[]);
        assert_eq!((report.cycles.per_token_p95, report.depth.mean), (0, 0.0));
        assert!(report.table().contains("0 + 0") || report.table().contains("4 + 0"));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
