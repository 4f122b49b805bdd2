//! `host-sim exec`: any bare-metal image runs on a modelled core, with semihosting and RTT.

use crate::board::{Board, End, Event, Limits};
use crate::cmd::output::{check_writable, write_json};
use crate::cmd::target::{Target, TargetOptions};
use crate::exec_report::{ExecReport, FaultReport, StallReport};
use crate::image::Image;
use crate::machine::Stop;
use crate::memory_map::{Extent, MemoryMap, Wishes, number};
use crate::post_mortem::FAULT;
use crate::semihosting::command_line;
use anyhow::{Context, Result};
use clap::Parser;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Exit code when a limit stopped the guest, as of timeout(1).
const LIMIT: u8 = 124;
/// Exit code when the guest ended in another way than by exiting.
const STOPPED: u8 = 1;

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
    /// Flash, instead of what fits the image; may be repeated
    #[arg(long, value_name = "BASE:SIZE", help_heading = "Memory map")]
    flash: Vec<Extent>,
    /// RAM, instead of 1 MiB at 0x20000000 and what else the image needs; may be repeated
    #[arg(long, value_name = "BASE:SIZE", help_heading = "Memory map")]
    ram: Vec<Extent>,
    /// Where the vector table lies [default: at a symbol such as __vector_table, or where the image begins]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address, help_heading = "Memory map")]
    vector_table: Option<u32>,
    /// Let the guest read and write files below this folder; without it, none
    #[arg(long, value_name = "DIR")]
    sandbox: Option<PathBuf>,
    /// The date at reset that the guest sees, in seconds since 1970
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    time: u32,
    /// Write an RTT up channel to a file; may be repeated. Channel 0 goes to standard output
    #[arg(long, value_name = "N=FILE", value_parser = parse_channel)]
    rtt_channel: Vec<(u32, PathBuf)>,
    /// Stop the guest after this many cycles
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    max_cycles: u64,
    /// Stop the guest after this many instructions
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    max_instructions: u64,
    /// Stop the guest after this many seconds of the host's time
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: Option<Duration>,
    /// Write the counts as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// No summary and no remarks on standard error
    #[arg(long, short)]
    quiet: bool,
}

fn parse_address(text: &str) -> Result<u32, String> {
    let address = number(text).and_then(|address| u32::try_from(address).ok());
    address.ok_or_else(|| format!("{text} is not an address such as 0x08000000"))
}

fn parse_channel(text: &str) -> Result<(u32, PathBuf), String> {
    let parts = text.split_once('=').and_then(|(channel, file)| Some((channel.parse().ok()?, file)));
    match parts {
        Some((channel, file)) if channel < 16 && !file.is_empty() => Ok((channel, file.into())),
        _ => Err(format!("{text} is not N=FILE such as 1=records.bin, with N below 16")),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| *seconds <= Duration::from_secs(1 << 30)).ok_or_else(|| format!("{text} is not a number of seconds"))
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Anything that keeps the guest from running, and output that cannot be written.
    pub fn run(self) -> Result<u8> {
        let image = Image::read(&self.image)?;
        let (target, inferred) = self.target.resolve(&image)?;
        if inferred && !self.quiet {
            let built_for =
                image.attributes.map_or_else(|| "does not say for which core".into(), |found| format!("is for {found}"));
            eprintln!("host-sim: the image {built_for}: core {}", target.core.name);
        }
        let wishes = Wishes { flash: self.flash.clone(), ram: self.ram.clone(), vector_table: self.vector_table };
        let map = MemoryMap::fitting(&image, &wishes)?;
        let mut board = Board::assemble(target.machine(&map.regions), &map, &image)?;
        self.prepare(&mut board, &target)?;
        if let Some(path) = &self.json {
            check_writable(path)?;
        }
        let mut channels = self.open_channels()?;
        let end = self.execute(&mut board, &image, &mut channels)?;
        for file in channels.values_mut() {
            file.flush().context("cannot write an RTT channel")?;
        }
        self.conclude(&board, &image, &target, end)
    }

    /// Tells the board's semihosting what the options say.
    fn prepare(&self, board: &mut Board, target: &Target) -> Result<()> {
        let semihosting = &mut board.semihosting;
        semihosting.command_line = command_line(&self.program(), &self.arguments);
        semihosting.clock_hz = target.clock_hz;
        semihosting.started_at = u64::from(self.time);
        semihosting.set_input(Box::new(io::stdin()));
        if let Some(folder) = &self.sandbox {
            semihosting.allow_files_below(folder).with_context(|| format!("cannot open the folder {}", folder.display()))?;
        }
        Ok(())
    }

    /// The image's file name: what the guest and the report are told, wherever it lies.
    fn program(&self) -> String {
        self.image.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn open_channels(&self) -> Result<BTreeMap<u32, BufWriter<File>>> {
        let open = |(channel, path): &(u32, PathBuf)| {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Ok((*channel, BufWriter::new(file)))
        };
        self.rtt_channel.iter().map(open).collect()
    }

    /// Runs the guest to its end and shows what it prints.
    fn execute(&self, board: &mut Board, image: &Image, channels: &mut BTreeMap<u32, BufWriter<File>>) -> Result<End> {
        let limits = Limits {
            instructions: self.max_instructions,
            cycles: self.max_cycles,
            deadline: self.timeout.map(|timeout| Instant::now() + timeout),
        };
        let mut stdout = io::stdout().lock();
        let interactive = stdout.is_terminal();
        let mut show = |event: Event<'_>| {
            match event {
                Event::Console(bytes) => stdout.write_all(bytes)?,
                Event::ConsoleError(bytes) => io::stderr().write_all(bytes)?,
                Event::Log(line) => writeln!(stdout, "{line}")?,
                Event::Channel(channel, bytes) => match channels.get_mut(&channel) {
                    Some(file) => file.write_all(bytes)?,
                    None if channel == 0 => stdout.write_all(bytes)?,
                    None => {}
                },
            }
            if interactive { stdout.flush() } else { Ok(()) }
        };
        let mut step = |machine: &mut crate::machine::Machine, instructions| -> Stop { machine.run(instructions) };
        let end = board.run_by(&mut step, image, &[], &limits, &mut show)?;
        stdout.flush()?;
        Ok(end)
    }

    /// Says how it ended; the exit code.
    fn conclude(&self, board: &Board, image: &Image, target: &Target, end: End) -> Result<u8> {
        let machine = &board.machine;
        // A guest that leaves from within the handler of a fault has failed, whatever code it gives; one whose handler returned has not.
        let end = if board.handles_fault() { End::Fault } else { end };
        let report = ExecReport {
            schema: ExecReport::SCHEMA,
            core: target.core.name,
            memory_profile: &target.memory.name,
            cost_table: target.core.table.version,
            clock_hz: target.clock_hz,
            image: self.program(),
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
        match end {
            End::Exit(_) => {}
            End::Fault => {
                eprintln!("host-sim: {}", board.describe_fault(image).unwrap_or_else(|| "guest fault".into()));
                let callers = board.callers(image);
                if !callers.is_empty() {
                    eprintln!("  called from: {}", callers.join(" < "));
                }
            }
            _ => eprintln!("host-sim: the guest stopped: {end}, at {}", image.place(machine.register(15))),
        }
        if !self.quiet {
            eprintln!("host-sim: {}", report.summary());
        }
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        Ok(match end {
            End::Exit(code) if code & 0xFF == 0 => u8::from(code != 0),
            End::Exit(code) => code as u8,
            End::Fault => FAULT,
            End::MaxCycles | End::MaxInstructions | End::Timeout => LIMIT,
            End::Breakpoint(_) | End::Asleep | End::Reset => STOPPED,
        })
    }
}
