//! `host-sim gdb`: a debugger controls the guest.

use crate::board::{Board, Event};
use crate::firmware;
use crate::gdb::client::Client;
use crate::gdb::target::Debuggee;
use crate::gdb::{self, Ended};
use crate::image::Image;
use anyhow::{Context, Result};
use clap::Args;
use std::io::{Write, stderr, stdin, stdout};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// Lets GDB control an image: breakpoints, watchpoints, single steps, registers, memory
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
  host-sim gdb --model my.fathom my-firmware.elf")]
pub struct Cmd {
    /// The image [default: build the firmware]
    image: Option<PathBuf>,
    /// A model for the image's model region
    #[arg(long)]
    model: Option<PathBuf>,
    /// Port on 127.0.0.1 to listen on; 0 picks one
    #[arg(long, default_value_t = 3333, conflicts_with = "stdio")]
    port: u16,
    /// Talk to the debugger on stdin and stdout; the guest's console goes to stderr
    #[arg(long)]
    stdio: bool,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Anything that keeps the debugger and the guest from meeting.
    pub fn run(self) -> Result<u8> {
        let image_path = match &self.image {
            Some(path) => path.clone(),
            None => firmware::build(&firmware::workspace()?)?,
        };
        let image = Image::read(&image_path)?;
        let model = match &self.model {
            Some(path) => std::fs::read(path).with_context(|| format!("cannot read the model {}", path.display()))?,
            None => Vec::new(),
        };
        let board = Board::new(&image, &model)?;
        let client = if self.stdio { Client::new(stdin(), stdout()) } else { self.accept()? };
        let stdio = self.stdio;
        // A closed stdout or stderr is nobody's loss here.
        let mut output = |event: Event<'_>| match event {
            Event::Console(bytes) if stdio => drop(stderr().write_all(bytes)),
            Event::Console(bytes) => drop(stdout().write_all(bytes).and_then(|()| stdout().flush())),
            Event::Log(line) => eprintln!("{line}"),
            Event::Records(_) => {}
        };
        let mut messages = |text: &str| eprintln!("host-sim: {text}");
        let mut debuggee = Debuggee::new(board, &image, &mut output, &mut messages);
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
