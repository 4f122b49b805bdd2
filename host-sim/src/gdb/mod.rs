//! A GDB remote stub: the debugger at the other end of a connection controls the guest.
//!
//! In the order of the data: the [`client`] brings packets, [`target`] does what they ask with the [`registers`] as GDB knows them, and
//! [`monitor`] answers what GDB has no packet for.

pub mod client;
pub mod monitor;
pub mod registers;
pub mod target;

use client::Client;
use gdbstub::common::Signal;
use gdbstub::conn::ConnectionExt;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub};
use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use target::{Debuggee, StopReason};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The guest exited with this code.
    Exited(u8),
    /// The debugger detached.
    Detached,
    /// The debugger killed the guest.
    Killed,
    /// The connection broke.
    Lost,
}

/// Serves `client` until one side ends the session.
///
/// # Errors
/// A client that does not speak the protocol.
pub fn serve(client: Client, debuggee: &mut Debuggee<'_>) -> anyhow::Result<Ended> {
    match GdbStub::new(client).run_blocking::<Loop<'_>>(debuggee) {
        Ok(DisconnectReason::TargetExited(code)) => Ok(Ended::Exited(code)),
        Ok(DisconnectReason::TargetTerminated(_) | DisconnectReason::Kill) => Ok(Ended::Killed),
        Ok(DisconnectReason::Disconnect) => Ok(Ended::Detached),
        Err(error) if error.is_connection_error() => Ok(Ended::Lost),
        Err(error) => Err(anyhow::anyhow!("the debugger sent something unexpected: {error}")),
    }
}

struct Loop<'a>(PhantomData<&'a ()>);

type WaitError = WaitForStopReasonError<Infallible, io::Error>;

impl<'a> BlockingEventLoop for Loop<'a> {
    type Target = Debuggee<'a>;
    type Connection = Client;
    type StopReason = StopReason;

    fn wait_for_stop_reason(debuggee: &mut Debuggee<'a>, client: &mut Client) -> Result<Event<StopReason>, WaitError> {
        loop {
            if let Some(reason) = debuggee.advance() {
                return Ok(Event::TargetStopped(reason));
            }
            if client.peek().map_err(WaitError::Connection)?.is_some() {
                return client.read().map(Event::IncomingData).map_err(WaitError::Connection);
            }
        }
    }

    fn on_interrupt(_: &mut Debuggee<'a>) -> Result<Option<StopReason>, Infallible> {
        Ok(Some(StopReason::Signal(Signal::SIGINT)))
    }
}
