//! `host-sim gdb`: a debugger controls the guest.

use crate::board::{Board, Channels, Event, model_region};
use crate::cmd::target::TargetOptions;
use crate::firmware;
use crate::gdb::client::Client;
use crate::gdb::target::Debuggee;
use crate::gdb::{self, Ended};
use crate::image::Image;
use crate::log::LogTable;
use crate::memory_map::{MemoryMap, Wishes};
use crate::semihosting::command_line;
use anyhow::{Context, Result};
use clap::Args;
use fathom::format::record::{Effort, MAX_FRAME, Request, encode};
use std::io::{Write, stderr, stdin, stdout};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// Let GDB control an image: breakpoints, watchpoints, single steps, registers, memory
///
/// One debugger is served, from reset until it detaches, kills the guest, or the guest exits; the guest's exit code becomes the
/// process's. Breakpoints and watchpoints change neither the guest's memory nor its cycles. Inside GDB, `monitor help` lists what
/// there is beyond GDB's own commands.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host-sim gdb my.elf
  gdb-multiarch my.elf -ex 'target remote :3333' -ex 'break main' -ex continue

  gdb-multiarch my.elf -ex 'target remote | host-sim gdb --stdio my.elf'
  host-sim gdb --model firmware/models/default.fathom --prompt 'ROMEO:' --memory stm32f405")]
pub struct Cmd {
    /// The image [default: build the firmware]
    image: Option<PathBuf>,
    /// A model for the image's model region
    #[arg(long, value_name = "BLOB")]
    model: Option<PathBuf>,
    /// Text that the firmware is asked to continue [default: it is asked nothing]
    #[arg(long, requires = "model")]
    prompt: Option<String>,
    /// Tokens to generate, at most
    #[arg(long, default_value_t = 100, requires = "prompt")]
    tokens: u32,
    /// Port on 127.0.0.1 to listen on; 0 picks one
    #[arg(long, default_value_t = 3333, conflicts_with = "stdio")]
    port: u16,
    /// Talk to the debugger on stdin and stdout; the guest's console goes to stderr
    #[arg(long)]
    stdio: bool,
    #[command(flatten)]
    target: TargetOptions,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Anything that keeps the debugger and the guest from meeting.
    pub fn run(self) -> Result<u8> {
        let image_path = match &self.image {
            Some(path) => path.clone(),
            None => firmware::build_for(&firmware::workspace()?, self.target.named()?.0)?,
        };
        let image = Image::read(&image_path)?;
        let model = match &self.model {
            Some(path) => std::fs::read(path).with_context(|| format!("cannot read the model {}", path.display()))?,
            None => Vec::new(),
        };
        let request = self.request()?;
        let (target, _) = self.target.resolve(&image)?;
        let map =
            if model_region(&image).is_some() { MemoryMap::firmware() } else { MemoryMap::fitting(&image, &Wishes::default())? };
        let mut board = Board::assemble(target.machine(&map.regions), &map, &image)?;
        board.place_model(&image, &model)?;
        board.semihosting.command_line = command_line(&image_path.file_name().unwrap_or_default().to_string_lossy(), &[]);
        board.semihosting.clock_hz = target.clock_hz;
        let table = LogTable::new(&image)?;
        let channels = Channels::new(&table, &request);
        let client = if self.stdio { Client::new(stdin(), stdout()) } else { self.accept()? };
        let stdio = self.stdio;
        let mut output = |event: Event<'_>| match event {
            Event::Console(bytes) if stdio => stderr().write_all(bytes),
            Event::Console(bytes) => stdout().write_all(bytes).and_then(|()| stdout().flush()),
            Event::ConsoleError(bytes) => stderr().write_all(bytes),
            Event::Log(line) => writeln!(stderr(), "{line}"),
            Event::Channel(0, bytes) if !stdio => stdout().write_all(bytes),
            Event::Channel(..) => Ok(()),
        };
        let mut messages = |text: &str| eprintln!("host-sim: {text}");
        let mut debuggee = Debuggee::new(board, &image, channels, &mut output, &mut messages);
        let ended = gdb::serve(client, &mut debuggee)?;
        Ok(match ended {
            Ended::Exited(code) => code,
            Ended::Detached | Ended::Killed => 0,
            Ended::Lost => {
                debuggee.say("the connection to the debugger is gone");
                1
            }
        })
    }

    /// The request as one frame; empty without a prompt.
    fn request(&self) -> Result<Vec<u8>> {
        let Some(prompt) = &self.prompt else { return Ok(Vec::new()) };
        let request = Request {
            prompt: prompt.as_bytes(),
            tokens: self.tokens,
            seed: 1,
            temperature: 0.0,
            top_k: 0,
            effort: Effort::Default,
        };
        let mut buffer = [0; MAX_FRAME];
        Ok(encode(&request, &mut buffer).context("the prompt does not fit into a request: shorten it")?.to_vec())
    }

    /// Waits for the debugger.
    fn accept(&self) -> Result<Client> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .with_context(|| format!("cannot listen on port {}: choose another with --port, 0 picks a free one", self.port))?;
        let port = listener.local_addr()?.port();
        eprintln!("host-sim: waiting for a debugger on 127.0.0.1:{port} (in GDB: target remote :{port})");
        let (stream, _) = listener.accept().context("no debugger connected")?;
        stream.set_nodelay(true).context("cannot set up the connection")?;
        let reader = stream.try_clone().context("cannot set up the connection")?;
        Ok(Client::new(reader, stream))
    }
}
