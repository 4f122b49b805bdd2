//! Any bare-metal image as a guest: the options of its board, its start and its end. `exec` and `profile` share them.

use crate::board::{Board, End, Event, Limits};
use crate::cmd::target::{Target, TargetOptions};
use crate::image::Image;
use crate::machine::{Machine, Stop};
use crate::memory_map::{Extent, MemoryMap, Wishes, number};
use crate::post_mortem::FAULT;
use crate::semihosting::command_line;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Exit code when a limit stopped the guest, as of timeout(1).
const LIMIT: u8 = 124;
/// Exit code when the guest ended in another way than by exiting.
const STOPPED: u8 = 1;

/// Where these options stand in a help.
const MAP: &str = "Memory map";
const SURROUNDINGS: &str = "What the guest finds";

/// Options of a guest's board.
#[derive(clap::Args, Clone, Debug)]
pub struct GuestOptions {
    /// Flash, instead of what fits the image; may be repeated
    #[arg(long, value_name = "BASE:SIZE", help_heading = MAP)]
    pub flash: Vec<Extent>,
    /// RAM, instead of 1 MiB at 0x20000000 and what else the image needs; may be repeated
    #[arg(long, value_name = "BASE:SIZE", help_heading = MAP)]
    pub ram: Vec<Extent>,
    /// Where the vector table lies [default: at a symbol such as __vector_table, or where the image begins]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address, help_heading = MAP)]
    pub vector_table: Option<u32>,
    /// Let the guest read and write files below this folder; without it, none
    #[arg(long, value_name = "DIR", help_heading = SURROUNDINGS)]
    pub sandbox: Option<PathBuf>,
    /// The date at reset that the guest sees, in seconds since 1970
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = SURROUNDINGS)]
    pub time: u32,
    /// Write an RTT up channel to a file; may be repeated. Channel 0 goes to standard output
    #[arg(long, value_name = "N=FILE", value_parser = parse_channel, help_heading = SURROUNDINGS)]
    pub rtt_channel: Vec<(u32, PathBuf)>,
    /// Stop the guest after this many cycles
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub max_cycles: u64,
    /// Stop the guest after this many seconds of the host's time
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<Duration>,
}

/// An image on a board, ready to run.
pub struct Guest {
    /// The image.
    pub image: Image,
    /// Its file name: what the guest and reports are told, wherever it lies.
    pub program: String,
    /// What is modelled.
    pub target: Target,
    /// The board, reset.
    pub board: Board,
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

impl GuestOptions {
    /// Reads an image and puts it on a board.
    ///
    /// # Errors
    /// Anything that keeps the guest from running.
    pub fn prepare(&self, path: &Path, arguments: &[String], target: &TargetOptions, quiet: bool) -> Result<Guest> {
        let image = Image::read(path)?;
        let (target, inferred) = target.resolve(&image)?;
        if inferred && !quiet {
            let built_for =
                image.attributes.map_or_else(|| "does not say for which core".into(), |found| format!("is for {found}"));
            eprintln!("host-sim: the image {built_for}: core {}", target.core.name);
        }
        let wishes = Wishes { flash: self.flash.clone(), ram: self.ram.clone(), vector_table: self.vector_table };
        let map = MemoryMap::fitting(&image, &wishes)?;
        let mut board = Board::assemble(target.machine(&map.regions), &map, &image)?;
        let program = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let semihosting = &mut board.semihosting;
        semihosting.command_line = command_line(&program, arguments);
        semihosting.clock_hz = target.clock_hz;
        semihosting.started_at = u64::from(self.time);
        semihosting.set_input(Box::new(io::stdin()));
        if let Some(folder) = &self.sandbox {
            semihosting.allow_files_below(folder).with_context(|| format!("cannot open the folder {}", folder.display()))?;
        }
        Ok(Guest { image, program, target, board })
    }

    fn open_channels(&self) -> Result<BTreeMap<u32, BufWriter<File>>> {
        let open = |(channel, path): &(u32, PathBuf)| {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Ok((*channel, BufWriter::new(file)))
        };
        self.rtt_channel.iter().map(open).collect()
    }

    /// Runs the guest, by `step`, to its end and shows what it prints.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub fn execute(
        &self,
        guest: &mut Guest,
        max_instructions: u64,
        step: &mut dyn FnMut(&mut Machine, u64) -> Stop,
    ) -> Result<End> {
        let mut channels = self.open_channels()?;
        let limits = Limits {
            instructions: max_instructions,
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
        let end = guest.board.run_by(step, &guest.image, &[], &limits, &mut show)?;
        stdout.flush()?;
        for file in channels.values_mut() {
            file.flush().context("cannot write an RTT channel")?;
        }
        // A guest that leaves from within the handler of a fault has failed, whatever code it gives; one whose handler returned has not.
        Ok(if guest.board.handles_fault() { End::Fault } else { end })
    }
}

impl Guest {
    /// Says on stderr how the guest ended, unless it exited; the exit code for it.
    pub fn conclude(&self, end: End) -> u8 {
        let Self { image, board, .. } = self;
        match end {
            End::Exit(_) => {}
            End::Fault => {
                eprintln!("host-sim: {}", board.describe_fault(image).unwrap_or_else(|| "guest fault".into()));
                let callers = board.callers(image);
                if !callers.is_empty() {
                    eprintln!("  called from: {}", callers.join(" < "));
                }
            }
            _ => eprintln!("host-sim: the guest stopped: {end}, at {}", image.place(board.machine.register(15))),
        }
        match end {
            End::Exit(code) if code & 0xFF == 0 => u8::from(code != 0),
            End::Exit(code) => code as u8,
            End::Fault => FAULT,
            End::MaxCycles | End::MaxInstructions | End::Timeout => LIMIT,
            End::Breakpoint(_) | End::Asleep | End::Reset => STOPPED,
        }
    }
}
