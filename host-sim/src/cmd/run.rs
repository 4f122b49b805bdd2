//! `host-sim run`: the firmware image answers a prompt on the modelled core.

use crate::answer::Collector;
use crate::board::{Board, End, Event};
use crate::cmd::target::TargetOptions;
use crate::firmware;
use crate::image::Image;
use crate::memory_map::{FLASH, MemoryMap};
use crate::report::{Counters, Report};
use crate::stream::Stream;
use anyhow::{Context, Result, bail};
use clap::Parser;
use fathom::format::prelude::{PRELUDE_BYTES, Prelude};
use fathom::format::record::{MAX_FRAME, MAX_PROMPT, Request, encode};
use std::io::{IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};

/// Exit code after a fault of the guest.
const FAULT: u8 = 101;

/// Run the firmware image on a modelled Cortex-M4F and count its cycles
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  host-sim run
  host-sim run --prompt 'JULIET:' --tokens 100 --temperature 0.8 --seed 7
  host-sim run --effort 0 --json run.json
  host-sim run --image my.elf --model my.fathom --clock 168MHz")]
pub struct Cmd {
    /// The model [default: firmware/models/default.fathom]
    #[arg(long, value_name = "BLOB")]
    model: Option<PathBuf>,
    /// The image [default: built by firmware/build-image]
    #[arg(long, value_name = "ELF")]
    image: Option<PathBuf>,
    /// Text to continue
    #[arg(long, default_value = "ROMEO:\n")]
    prompt: String,
    /// Tokens to generate, at most; the end of the model's context ends generation too
    #[arg(long, default_value_t = 100)]
    tokens: u32,
    /// Seed of the sampler
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sampling temperature; 0 takes the most likely token
    #[arg(long, default_value_t = 0.8)]
    temperature: f32,
    /// Sample among this many most likely tokens; 0 is all
    #[arg(long, default_value_t = 0)]
    top_k: u16,
    /// Operating point of the model, 0 the cheapest [default: the model's]
    #[arg(long)]
    effort: Option<u8>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Stop a runaway guest after this many instructions
    #[arg(long, default_value_t = 20_000_000_000, value_name = "N")]
    max_instructions: u64,
    /// Do not show the firmware's log
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    target: TargetOptions,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Anything that keeps the guest from running, or its refusal of the request.
    pub fn run(self) -> Result<u8> {
        let workspace = if self.model.is_none() || self.image.is_none() { Some(firmware::workspace()?) } else { None };
        let in_workspace = |path: &str| workspace.as_deref().unwrap_or(Path::new(".")).join(path);
        let model_path = self.model.clone().unwrap_or_else(|| in_workspace("firmware/models/default.fathom"));
        let model = std::fs::read(&model_path).with_context(|| format!("cannot read the model {}", model_path.display()))?;
        if model.is_empty() {
            bail!("the model {} is empty: export it again", model_path.display());
        }
        // Only the file knows its length: the guest sees a whole flash region.
        if let Some(prelude) = model.first_chunk::<PRELUDE_BYTES>().and_then(Prelude::read)
            && model.len() < prelude.total_bytes as usize
        {
            let (wanted, found) = (prelude.total_bytes, model.len());
            bail!("the model {} is truncated: {wanted} bytes wanted, {found} found; copy it again", model_path.display());
        }
        let request = self.request()?;
        if let Some(path) = &self.json {
            check_writable(path)?;
        }
        let image_path = match &self.image {
            Some(path) => path.clone(),
            None => firmware::build(&in_workspace("."))?,
        };
        let image = Image::read(&image_path)?;
        let (target, _) = self.target.resolve(&image)?;
        let map = MemoryMap::firmware();
        let mut board = Board::assemble(target.machine(&map.regions), &map, &image)?;
        board.place_model(&image, &model)?;
        let (end, collector) = self.converse(&mut board, &image, &request)?;

        if let Some(fault) = board.describe_fault(&image) {
            eprintln!("host-sim: {fault}");
            return Ok(FAULT);
        }
        match end {
            End::Exit(0) if collector.answer.ended.is_some() => {}
            End::Exit(0) => bail!("the guest exited before its answer was complete"),
            End::Exit(code) => {
                match &collector.answer.failed {
                    Some(message) => eprintln!("host-sim: {message}"),
                    None => eprintln!("host-sim: the guest exited with code {code}"),
                }
                return Ok(code.clamp(1, 255) as u8);
            }
            why => bail!("the guest stopped: {why}, at {}", image.place(board.machine.register(15))),
        }
        let counters = Counters {
            instructions: board.machine.instructions(),
            cycles: board.machine.cycles(),
            clock_hz: target.clock_hz,
            core: target.core.name,
            memory_profile: target.memory.name.clone(),
            cost_table: target.core.table.version,
            flash_code: image.bytes_in(FLASH),
            flash_model: model.len(),
            stack_peak: board.stack_peak(),
        };
        let report = Report::new(&collector.answer, &counters);
        write!(stdout(), "\n{}", report.table())?;
        if let Some(path) = &self.json {
            write_whole(path, &report)?;
        }
        Ok(0)
    }

    /// The request as one frame.
    fn request(&self) -> Result<Vec<u8>> {
        let prompt = self.prompt.as_bytes();
        if prompt.is_empty() {
            bail!("the prompt is empty: give at least one character with --prompt");
        }
        if prompt.len() > MAX_PROMPT {
            bail!("the prompt has {} bytes, at most {MAX_PROMPT} fit into a request: shorten it", prompt.len());
        }
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            bail!("--temperature is {}, but must be 0 or more", self.temperature);
        }
        let Self { tokens, seed, temperature, top_k, effort, .. } = *self;
        let request = Request { prompt, tokens, seed, temperature, top_k, effort };
        let mut buffer = [0; MAX_FRAME];
        let frame = encode(&request, &mut buffer).context("the request does not fit into a frame")?;
        Ok(frame.to_vec())
    }

    /// Sends the request and shows the answer as it comes.
    fn converse(&self, board: &mut Board, image: &Image, request: &[u8]) -> Result<(End, Collector)> {
        let shaded = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut stream = Stream::new(stdout().lock(), shaded);
        let mut collector = Collector::new(self.prompt.as_bytes());
        let mut trouble: Result<()> = Ok(());
        let mut log = HeldLog { lines: Some(Vec::new()) };
        let end = board.run(image, request, self.max_instructions, &mut |event| match event {
            Event::Log(line) => {
                if !self.quiet {
                    log.line(line);
                }
            }
            Event::Console(bytes) => {
                let _ = std::io::stderr().write_all(bytes); // a closed stderr is nobody's loss
            }
            Event::Channel(0 | 2.., _) => {} // not the firmware's
            Event::Channel(1, bytes) => {
                let blocks = collector.answer.blocks;
                stream.set_blocks(blocks);
                let mut shown = Ok(());
                let received = collector.receive(bytes, |text, active| {
                    if shown.is_ok() {
                        shown = stream.token(text, active.count_ones());
                    }
                });
                if !collector.answer.prompt.is_empty() {
                    log.release();
                }
                if trouble.is_ok() {
                    trouble = received.map_err(anyhow::Error::from).and(shown.map_err(anyhow::Error::from));
                }
            }
        })?;
        if collector.answer.failed.is_none() {
            log.release();
        }
        stream.finish()?;
        trouble?;
        Ok((end, collector))
    }
}

/// The guest's log, held back until the guest has taken the request: a refusal is then one line, that of its record.
struct HeldLog {
    /// What is held; none once it was released.
    lines: Option<Vec<String>>,
}

impl HeldLog {
    fn line(&mut self, line: &str) {
        match &mut self.lines {
            Some(lines) => lines.push(line.to_owned()),
            None => eprintln!("{line}"),
        }
    }

    fn release(&mut self) {
        self.lines.take().into_iter().flatten().for_each(|line| eprintln!("{line}"));
    }
}

/// Where a file is written before it is moved to `path`.
fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

/// Says before the run, rather than after it, that its report could not be kept.
fn check_writable(path: &Path) -> Result<()> {
    let tried = match path.metadata() {
        Ok(there) if there.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => Ok(()),
        _ => std::fs::write(partial(path), "").and_then(|()| std::fs::remove_file(partial(path))),
    };
    tried.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the report beside its place, then moves it there: never a partial file.
fn write_whole(path: &Path, report: &Report) -> Result<()> {
    let text = serde_json::to_string_pretty(report)? + "\n";
    // A device or a link is written to, not replaced.
    if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()));
    }
    let partial = partial(path);
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial); // may not exist; the first error is the one to report
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}
