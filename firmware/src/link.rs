//! The way to the host and back: one request stream in, one record and one log stream out.
//!
//! Which way is decided at run time: through RTT when a debugger is attached, through semihosting otherwise (QEMU).

use crate::board::{self, HostInput};
use crate::failure::Failure;
use core::cell::RefCell;
use cortex_m_semihosting::hio::{self, HostStream};
use critical_section::Mutex;
use fathom::format::record::{self, MAX_FRAME, Record};
use rtt_target::ChannelMode::{BlockIfFull, NoBlockSkip};
use rtt_target::{DownChannel, UpChannel};

static LINK: Mutex<RefCell<Option<Link>>> = Mutex::new(RefCell::new(None));

enum Link {
    Rtt { requests: DownChannel, records: UpChannel, logs: UpChannel },
    // A stream that the host does not offer is `None`, and what is written to it is lost.
    Semihosting { requests: Option<HostInput>, records: Option<HostStream>, logs: Option<HostStream> },
}

/// What came of one look at the request stream.
enum Heard {
    /// So many bytes, perhaps none yet.
    Bytes(usize),
    /// There will be no more.
    End,
}

impl Link {
    fn open() -> Self {
        if board::debugger_attached() {
            // A record waits for its reader, a log does not: a plain debugger that reads no RTT must not stop the program.
            let channels = rtt_target::rtt_init! {
                up: {
                    0: { size: 1024, mode: NoBlockSkip, name: "defmt" }
                    1: { size: 1024, mode: BlockIfFull, name: "records" }
                }
                down: {
                    0: { size: 1024, mode: BlockIfFull, name: "requests" }
                }
            };
            Self::Rtt { requests: channels.down.0, records: channels.up.1, logs: channels.up.0 }
        } else {
            Self::Semihosting { requests: HostInput::open(), records: hio::hstdout().ok(), logs: hio::hstderr().ok() }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Heard {
        match self {
            Self::Rtt { requests, .. } => Heard::Bytes(requests.read(buffer)),
            Self::Semihosting { requests, .. } => match requests.as_mut().map_or(0, |input| input.read(buffer)) {
                0 => Heard::End,
                count => Heard::Bytes(count),
            },
        }
    }

    fn write_record(&mut self, frame: &[u8]) {
        match self {
            Self::Rtt { records, .. } => _ = records.write(frame),
            Self::Semihosting { records, .. } => write(records, frame),
        }
    }

    fn write_log(&mut self, bytes: &[u8]) {
        match self {
            Self::Rtt { logs, .. } => _ = logs.write(bytes),
            Self::Semihosting { logs, .. } => write(logs, bytes),
        }
    }
}

/// A host that stops listening cannot be told so; the exit code still reaches it.
fn write(stream: &mut Option<HostStream>, bytes: &[u8]) {
    if stream.as_mut().is_some_and(|stream| stream.write_all(bytes).is_err()) {
        *stream = None;
    }
}

/// Runs `work` on the link. Not before [`open`], and not when a fault interrupted somebody who uses it: then nothing happens.
fn with<R>(work: impl FnOnce(&mut Link) -> R) -> Option<R> {
    critical_section::with(|section| LINK.borrow(section).try_borrow_mut().ok()?.as_mut().map(work))
}

/// Opens the link; what is said before is lost.
pub fn open() {
    critical_section::with(|section| LINK.borrow(section).replace(Some(Link::open())));
}

/// Sends one record.
pub fn send(record: &Record) {
    let mut buffer = [0; MAX_FRAME];
    // Every record fits: the longest holds a message, which `failure` keeps short.
    if let Some(frame) = record::encode(record, &mut buffer) {
        with(|link| link.write_record(frame));
    }
}

/// Sends encoded log bytes.
pub fn log(bytes: &[u8]) {
    with(|link| link.write_log(bytes));
}

/// Waits for one frame, its ending zero included. Bytes after it are dropped: one boot answers one request.
pub fn receive(buffer: &mut [u8; MAX_FRAME]) -> Result<&mut [u8], Failure> {
    let mut length = 0;
    loop {
        let rest = &mut buffer[length..];
        if rest.is_empty() {
            return Err(Failure::FrameTooLong);
        }
        match with(|link| link.read(rest)).unwrap_or(Heard::End) {
            Heard::End => return Err(Failure::NoRequest),
            Heard::Bytes(count) => {
                if let Some(zero) = rest[..count].iter().position(|byte| *byte == 0) {
                    return Ok(&mut buffer[..=length + zero]);
                }
                length += count;
            }
        }
    }
}
