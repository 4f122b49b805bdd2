//! Runs the firmware image under QEMU: an emulator by others, so that what our machine and our runtime agree on is not only our word.

use crate::targets::Qemu;
use fathom::format::record::{self, MAX_FRAME, Record, Request};
use fathom_host_sim::board::model_region;
use fathom_host_sim::image::Image;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What tells an image for Armv6-M, which cannot see that, to use semihosting because no debugger is attached: the value of the word
/// at its symbol `_fathom_host`.
const NO_DEBUGGER: u32 = u32::from_le_bytes(*b"NODB");

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The guest's exit code.
    pub code: Option<i32>,
    /// What the guest wrote to standard error: its log, encoded by defmt.
    pub log: Vec<u8>,
    frames: Vec<Vec<u8>>,
}

impl Outcome {
    /// Hands over the records that the guest sent, in their order.
    ///
    /// # Panics
    /// A frame is malformed.
    pub fn each_record(&self, mut take: impl FnMut(Record<'_>)) {
        for frame in &self.frames {
            take(record::decode(&mut frame.clone()).expect("the image sends valid records"));
        }
    }

    /// What the guest wrote to standard output, as text.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&self.frames.concat()).into_owned()
    }

    /// The guest's one line about why there is no answer.
    pub fn failure(&self) -> Option<String> {
        let mut failure = None;
        self.each_record(|record| {
            if let Record::Failed { message } = record {
                failure = Some(message.to_owned());
            }
        });
        failure
    }
}

/// The frame of a request.
///
/// # Panics
/// The prompt is longer than a frame.
pub fn frame(request: &Request<'_>) -> Vec<u8> {
    let mut buffer = [0; MAX_FRAME];
    record::encode(request, &mut buffer).expect("the prompt of a test fits into a frame").to_vec()
}

/// Runs `image` on `board`, with the bytes of `model` at the start of the model region (none: the region stays empty) and `input` on its request
/// stream, for at most `limit`.
///
/// # Errors
/// QEMU cannot be started or fed, or the limit has passed ([`io::ErrorKind::TimedOut`]).
pub fn run(board: Qemu, image: &Path, model: Option<&Path>, input: &[u8], limit: Duration) -> io::Result<Outcome> {
    let mut command = Command::new("qemu-system-arm");
    command.args(board.arguments).args(["-nographic", "-monitor", "none", "-serial", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(image);
    let parsed = Image::read(image).map_err(io::Error::other)?;
    if let Some(address) = parsed.symbol("_fathom_host") {
        command.arg("-device").arg(format!("loader,addr={address:#x},data={NO_DEBUGGER:#x},data-len=4"));
    }
    if let Some(model) = model {
        let address = model_region(&parsed).ok_or_else(|| io::Error::other("the image has no model region"))?.start;
        command.arg("-device").arg(format!("loader,file={},addr={address:#x},force-raw=on", model.display()));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;

    let (records, log) = (drain(child.stdout.take()), drain(child.stderr.take()));
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(input)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        // A broken pipe means that the guest ended before it asked; its exit code and records say why.
        child.kill()?;
        return Err(error);
    }
    let status = wait(&mut child, limit)?;
    let frames = collect(records)?.split_inclusive(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    Ok(Outcome { code: status.code(), log: collect(log)?, frames })
}

/// Waits for the end, and makes one when the limit has passed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("QEMU ran longer than {limit:?}")));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads a pipe to its end beside the guest, so that a full pipe never stops it.
fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    })
}

fn collect(reader: JoinHandle<io::Result<Vec<u8>>>) -> io::Result<Vec<u8>> {
    reader.join().map_err(|_| io::Error::other("a reader of QEMU's output panicked"))?
}
