//! `host-sim exec`: any bare-metal image runs on a modelled core, with semihosting and RTT.

use crate::board::End;
use crate::cmd::guest::{Guest, GuestOptions};
use crate::cmd::output::{check_writable, write_json};
use crate::cmd::target::TargetOptions;
use crate::exec_report::{ExecReport, FaultReport, StallReport};
use crate::machine::Machine;
use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;

/// Run any bare-metal Cortex-M image, C or Rust, on a modelled core
#[derive(Parser, Debug)]
#[command(after_help = "\
The image's exit code becomes this program's; a fault gives 101, a limit 124, any other end 1.

Examples:
  host-sim exec program.elf
  host-sim exec --core cortex-m4 --sandbox data program.elf input.txt 3
  host-sim exec --max-cycles 100000000 --json run.json program.elf
  host-sim exec --ram 0x10000000:64K --ram 0x20000000:128K program.elf
  host-sim exec --trace trace.txt --trace-limit 1000 program.elf")]
pub struct Cmd {
    /// The image
    #[arg(value_name = "IMAGE.elf")]
    image: PathBuf,
    /// Arguments for the image; every option of host-sim stands before the image
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
    #[command(flatten)]
    target: TargetOptions,
    #[command(flatten)]
    guest: GuestOptions,
    /// Stop the guest after this many instructions
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    max_instructions: u64,
    /// Write the counts as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// No summary and no remarks on standard error
    #[arg(long, short)]
    quiet: bool,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Anything that keeps the guest from running, and output that cannot be written.
    pub fn run(self) -> Result<u8> {
        let mut guest = self.guest.prepare(&self.image, &self.arguments, &self.target, self.quiet)?;
        if let Some(path) = &self.json {
            check_writable(path)?;
        }
        let mut step = |machine: &mut Machine, instructions| machine.run(instructions);
        let end = self.guest.execute(&mut guest, self.max_instructions, &mut step)?;
        self.conclude(&guest, end)
    }

    /// Says how it ended; the exit code.
    fn conclude(&self, guest: &Guest, end: End) -> Result<u8> {
        let Guest { image, program, target, board } = guest;
        let machine = &board.machine;
        let report = ExecReport {
            schema: ExecReport::SCHEMA,
            core: target.core.name,
            memory_profile: &target.memory.name,
            cost_table: target.core.table.version,
            clock_hz: target.clock_hz,
            image: program.clone(),
            arguments: &self.arguments,
            ended: end.into(),
            exit_code: if let End::Exit(code) = end { Some(code) } else { None },
            instructions: machine.instructions(),
            cycles: machine.cycles(),
            stalls: StallReport { fetch: machine.stalls().fetch, data: machine.stalls().data },
            stack_peak: board.stack_peak(),
            fault: machine.first_fault().filter(|_| end == End::Fault).map(|(fault, registers)| FaultReport {
                message: fault.to_string(),
                pc: fault.pc,
                address: fault.address,
                place: image.place(fault.pc),
                callers: board.callers(image),
                registers,
            }),
        };
        let code = guest.conclude(end);
        if !self.quiet {
            eprintln!("host-sim: {}", report.summary());
        }
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        Ok(code)
    }
}
