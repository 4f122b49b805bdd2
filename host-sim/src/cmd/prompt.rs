//! The firmware answers a prompt: the options of the request, the board, and the conversation. `run` and `profile` share them.

use crate::answer::Collector;
use crate::board::{Board, End, Event, Limits};
use crate::cmd::target::{Target, TargetOptions};
use crate::firmware;
use crate::image::Image;
use crate::machine::{Machine, Stop};
use crate::memory_map::MemoryMap;
use crate::post_mortem::FAULT;
use crate::report::Asked;
use crate::stream::Stream;
use anyhow::{Context, Result, bail};
use fathom::format::prelude::Prelude;
use fathom::format::record::{Effort, MAX_FRAME, MAX_PROMPT, Request, encode};
use std::io::{IsTerminal, Write, sink, stdout};
use std::path::{Path, PathBuf};

/// Where these options stand in a help.
const ASKED: &str = "What the firmware is asked";

/// Options of a request to the firmware.
#[derive(clap::Args, Clone, Debug)]
pub struct PromptOptions {
    /// The model [default: firmware/models/default.fathom]
    #[arg(long, value_name = "BLOB", help_heading = ASKED)]
    pub model: Option<PathBuf>,
    /// The image [default: built for the core by firmware/build-image]
    #[arg(long, value_name = "ELF", help_heading = ASKED)]
    pub image: Option<PathBuf>,
    /// Text to continue
    #[arg(long, default_value = "ROMEO:\n", help_heading = ASKED)]
    pub prompt: String,
    /// Tokens to generate, at most; the end of the model's context ends generation too
    #[arg(long, default_value_t = 100, help_heading = ASKED)]
    pub tokens: u32,
    /// Seed of the sampler
    #[arg(long, default_value_t = 1, help_heading = ASKED)]
    pub seed: u64,
    /// Sampling temperature; 0 takes the most likely token
    #[arg(long, default_value_t = 0.8, help_heading = ASKED)]
    pub temperature: f32,
    /// Sample among this many most likely tokens; 0 is all
    #[arg(long, default_value_t = 0, help_heading = ASKED)]
    pub top_k: u16,
    /// Operating point of the model, 0 the cheapest [default: the model's]
    #[arg(long, help_heading = ASKED)]
    pub effort: Option<u8>,
    /// Cycles per token to keep to in the mean, by choosing each token's operating point
    #[arg(long, value_name = "CYCLES", conflicts_with = "effort", value_parser = clap::value_parser!(u32).range(1..), help_heading = ASKED)]
    pub cycle_budget: Option<u32>,
    /// Stop a runaway guest after this many instructions
    #[arg(long, default_value_t = 20_000_000_000, value_name = "N")]
    pub max_instructions: u64,
    /// Do not show the firmware's log
    #[arg(long, short)]
    pub quiet: bool,
    /// Nothing goes to standard output.
    #[arg(skip)]
    pub silent: bool,
}

/// A board with the firmware and a model on it, and the request for it.
pub struct Prepared {
    /// The firmware image.
    pub image: Image,
    /// What is modelled.
    pub target: Target,
    /// The board, reset.
    pub board: Board,
    /// Bytes of the model.
    pub model_bytes: usize,
    /// The model's checksum of itself; 0 where it is no model.
    pub model_crc32: u32,
    request: Vec<u8>,
}

/// How a conversation ended.
pub enum Outcome {
    /// With an answer.
    Answered(Box<Collector>),
    /// The guest failed, which was said on stderr; this is the exit code for it.
    Failed(u8),
}

impl PromptOptions {
    /// Reads or builds what is needed and puts it on a board.
    ///
    /// # Errors
    /// Anything that keeps the guest from running.
    pub fn prepare(&self, target: &TargetOptions) -> Result<Prepared> {
        let workspace = if self.model.is_none() || self.image.is_none() { Some(firmware::workspace()?) } else { None };
        let in_workspace = |path: &str| workspace.as_deref().unwrap_or(Path::new(".")).join(path);
        let model_path = self.model.clone().unwrap_or_else(|| in_workspace("firmware/models/default.fathom"));
        let model = std::fs::read(&model_path).with_context(|| format!("cannot read the model {}", model_path.display()))?;
        if model.is_empty() {
            bail!("the model {} is empty: export it again", model_path.display());
        }
        // Only the file knows its length: the guest sees a whole flash region.
        let prelude = Prelude::of(&model);
        if let Some(prelude) = prelude
            && model.len() < prelude.total_bytes as usize
        {
            let (wanted, found) = (prelude.total_bytes, model.len());
            bail!("the model {} is truncated: {wanted} bytes wanted, {found} found; copy it again", model_path.display());
        }
        let request = self.request()?;
        let image_path = match &self.image {
            Some(path) => path.clone(),
            None => firmware::build_for(&in_workspace("."), target.named()?.0)?,
        };
        let image = Image::read(&image_path)?;
        let (target, _) = target.resolve(&image)?;
        let map = MemoryMap::firmware();
        let mut board = Board::assemble(target.machine(&map.regions), &map, &image)?;
        board.place_model(&image, &model)?;
        let model_crc32 = prelude.map_or(0, |prelude| prelude.crc);
        Ok(Prepared { image, target, board, model_bytes: model.len(), model_crc32, request })
    }

    /// Runs the guest, by `step`, until it has answered; shows the answer as it comes.
    ///
    /// # Errors
    /// The guest neither answers nor says why.
    pub fn answer(&self, prepared: &mut Prepared, step: &mut dyn FnMut(&mut Machine, u64) -> Stop) -> Result<Outcome> {
        let (end, collector) = self.converse(prepared, step)?;
        let Prepared { board, image, .. } = prepared;
        if let Some(fault) = board.describe_fault(image) {
            eprintln!("host-sim: {fault}");
            return Ok(Outcome::Failed(FAULT));
        }
        match end {
            End::Exit(0) if collector.answer.ended.is_some() => Ok(Outcome::Answered(Box::new(collector))),
            End::Exit(0) => bail!("the guest exited before its answer was complete"),
            End::Exit(code) => {
                match &collector.answer.failed {
                    Some(message) => eprintln!("host-sim: {message}"),
                    None => eprintln!("host-sim: the guest exited with code {code}"),
                }
                Ok(Outcome::Failed(code.clamp(1, 255) as u8))
            }
            why => bail!("the guest stopped: {why}, at {}", image.place(board.machine.register(15))),
        }
    }

    /// What is asked, for reports.
    pub fn asked(&self) -> Asked {
        let Self { tokens, seed, temperature, top_k, effort, cycle_budget, .. } = *self;
        Asked { prompt: self.prompt.clone(), tokens, seed, temperature, top_k, effort, cycle_budget }
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
        let Self { tokens, seed, temperature, top_k, .. } = *self;
        let effort = match (self.effort, self.cycle_budget) {
            (_, Some(cycles)) => Effort::Cycles(cycles),
            (Some(point), None) => Effort::Point(point),
            (None, None) => Effort::Default,
        };
        let request = Request { prompt, tokens, seed, temperature, top_k, effort };
        let mut buffer = [0; MAX_FRAME];
        let frame = encode(&request, &mut buffer).context("the request does not fit into a frame")?;
        Ok(frame.to_vec())
    }

    /// Sends the request and shows the answer as it comes.
    fn converse(&self, prepared: &mut Prepared, step: &mut dyn FnMut(&mut Machine, u64) -> Stop) -> Result<(End, Collector)> {
        let Prepared { board, image, request, .. } = prepared;
        let limits = Limits { instructions: self.max_instructions, ..Limits::default() };
        let shaded = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let out: Box<dyn Write> = if self.silent { Box::new(sink()) } else { Box::new(stdout().lock()) };
        let mut stream = Stream::new(out, shaded);
        let mut collector = Collector::new(self.prompt.as_bytes());
        let mut trouble: Result<()> = Ok(());
        let mut log = HeldLog { lines: Some(Vec::new()) };
        let end = board.run_by(step, image, request, &limits, &mut |event| {
            match event {
                Event::Log(line) => {
                    if !self.quiet {
                        log.line(line);
                    }
                }
                Event::Console(bytes) | Event::ConsoleError(bytes) => {
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
                        trouble = received.map_err(anyhow::Error::from);
                    }
                    shown?;
                }
            }
            Ok(())
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
