//! A run's figures as a person reads them.

use super::Report;
use std::fmt::Write;

impl Report {
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
        let stalls = self.stalls.fetch + self.stalls.data;
        if stalls > 0 {
            let share = |cycles: u64| 100.0 * cycles as f64 / cycles.max(self.cycles.total) as f64;
            row(
                "modelled cycles in stalls",
                format!(
                    "{} ({:.1}%): {:.1}% fetch, {:.1}% data",
                    grouped(stalls),
                    share(stalls),
                    share(self.stalls.fetch),
                    share(self.stalls.data)
                ),
            );
        }
        if let Some(energy) = &self.energy {
            row("estimated mJ per token", format!("{:.3} ({})", energy.millijoules_per_token, energy.basis));
        }
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

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
