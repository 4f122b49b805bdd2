//! `host-sim run`: the firmware image answers a prompt on the modelled core.

use crate::budget::{Budget, Line};
use crate::cmd::output::{check_writable, is_for_standard_output, tables, verdict, write_json};
use crate::cmd::prompt::{Outcome, Prepared, PromptOptions};
use crate::cmd::target::TargetOptions;
use crate::memory_map::FLASH;
use crate::report::memory::Area;
use crate::report::{Counters, Report};
use anyhow::Result;
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;

/// Exit code when a limit of the budget is exceeded.
const EXCEEDED: u8 = 1;

/// Run the firmware image on a modelled Cortex-M and count its cycles
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  host-sim run
  host-sim run --prompt 'JULIET:' --tokens 100 --temperature 0.8 --seed 7
  host-sim run --effort 0 --json run.json
  host-sim run --json - | jq .cycles.total
  host-sim run --cycle-budget 900000
  host-sim run --core cortex-m0plus --memory rp2040
  host-sim run --budget firmware/budget.toml
  host-sim run --image my.elf --model my.fathom --clock 168MHz")]
pub struct Cmd {
    #[command(flatten)]
    prompt: PromptOptions,
    /// Write the report as JSON; - is standard output, instead of text and table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fail when a limit in this file is exceeded
    #[arg(long, value_name = "TOML")]
    budget: Option<PathBuf>,
    #[command(flatten)]
    target: TargetOptions,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Anything that keeps the guest from running, or its refusal of the request.
    pub fn run(mut self) -> Result<u8> {
        let json = self.json.as_deref();
        self.prompt.silent = is_for_standard_output(json);
        if let Some(path) = json {
            check_writable(path)?;
        }
        let budget = self.budget.as_deref().map(Budget::read).transpose()?;
        let mut prepared = self.prompt.prepare(&self.target)?;
        if let Some(budget) = &budget {
            budget.is_for(prepared.target.core.name, &prepared.target.memory.name)?;
        }
        let collector = match self.prompt.answer(&mut prepared, &mut |machine, instructions| machine.run(instructions))? {
            Outcome::Answered(collector) => collector,
            Outcome::Failed(code) => return Ok(code),
        };
        let Prepared { image, target, board, model_bytes, model_crc32, .. } = prepared;
        let counters = Counters {
            core: target.core.name,
            cost_table: target.core.table.version,
            memory: &target.memory,
            clock_hz: target.clock_hz,
            instructions: board.machine.instructions(),
            cycles: board.machine.cycles(),
            stalls: board.machine.stalls(),
            flash_code: image.bytes_in(FLASH),
            flash_model: model_bytes,
            model_crc32,
            stack_peak: board.stack_peak(),
            areas: Area::of(&image, model_bytes, collector.answer.arena, board.stack_peak()),
        };
        let report = Report::new(&self.prompt.asked(), &collector.answer, &counters);
        write!(tables(json), "\n{}", report.table())?;
        if let Some(path) = json {
            write_json(path, &report)?;
        }
        let Some(budget) = budget else { return Ok(0) };
        let lines = budget.check(&report);
        write!(verdict(json), "\n{}", budget.table(&lines))?;
        Ok(if lines.iter().all(Line::kept) { 0 } else { EXCEEDED })
    }
}
