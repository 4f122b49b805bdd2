//! `host-sim exec`: any bare-metal image runs on a modelled core, with semihosting and RTT.

use crate::board::End;
use crate::cmd::guest::{Guest, GuestOptions};
use crate::cmd::output::{check_writable, write_json};
use crate::cmd::target::TargetOptions;
use crate::exec_report::{ExecReport, FaultReport, StallReport};
use crate::machine::{Machine, Stop};
use crate::trace::Trace;
use anyhow::{Context, Result};
use clap::Parser;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

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
    /// Write a line for each executed instruction
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// End the trace after this many instructions
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    trace_limit: u64,
    /// Write the counts as JSON; - is standard output, after what the image writes there
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
        let end = match &self.trace {
            None => self.guest.execute(&mut guest, self.max_instructions, &mut |machine, count| machine.run(count))?,
            Some(path) => self.execute_traced(&mut guest, path)?,
        };
        self.conclude(&guest, end)
    }

    fn execute_traced(&self, guest: &mut Guest, path: &Path) -> Result<End> {
        let cannot = || format!("cannot write {}", path.display());
        let file = BufWriter::new(File::create(path).with_context(cannot)?);
        let mut trace = Trace::new(file, guest.image.clone(), &guest.board.machine, self.trace_limit);
        let mut trouble = None;
        let mut step = |machine: &mut Machine, instructions| match trace.run(machine, instructions) {
            Ok(stop) => stop,
            Err(error) => {
                trouble = Some(error);
                Stop::ResetRequested // ends the run
            }
        };
        let end = self.guest.execute(guest, self.max_instructions, &mut step)?;
        trouble.map_or_else(|| trace.finish(), Err).with_context(cannot)?;
        Ok(end)
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
                instruction: machine.disassemble(fault.pc).map(|(text, _)| text),
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
