//! The connection to the debugger: a TCP stream, or stdin and stdout.

use gdbstub::conn::{Connection, ConnectionExt};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

/// Bytes that one read takes at most.
const CHUNK: usize = 4096;
/// Chunks that wait for the guest to be looked away from.
const WAITING: usize = 16;

/// A debugger on the other end. A thread reads ahead, so that looking for a Ctrl-C never blocks.
pub struct Client {
    incoming: Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    taken: usize,
    outgoing: Vec<u8>,
    writer: Box<dyn Write>,
}

impl Client {
    /// A client whose bytes come from `reader` and who listens to `writer`.
    pub fn new(mut reader: impl Read + Send + 'static, writer: impl Write + 'static) -> Self {
        let (sender, incoming) = sync_channel(WAITING);
        // Ends with the stream, or with the process.
        thread::spawn(move || {
            let mut buffer = [0; CHUNK];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => {
                        if sender.send(buffer[..count].to_vec()).is_err() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        });
        Self { incoming, chunk: Vec::new(), taken: 0, outgoing: Vec::new(), writer: Box::new(writer) }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.chunk.get(self.taken)?;
        self.taken += 1;
        Some(byte)
    }

    fn refill(&mut self, chunk: Vec<u8>) {
        (self.chunk, self.taken) = (chunk, 0);
    }
}

impl Connection for Client {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.outgoing.push(byte);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.outgoing)?;
        self.outgoing.clear();
        self.writer.flush()
    }
}

impl ConnectionExt for Client {
    fn read(&mut self) -> io::Result<u8> {
        loop {
            if let Some(byte) = self.next() {
                return Ok(byte);
            }
            let chunk = self.incoming.recv().map_err(|_| io::Error::from(ErrorKind::UnexpectedEof))?;
            self.refill(chunk);
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.taken == self.chunk.len() {
            match self.incoming.try_recv() {
                Ok(chunk) => self.refill(chunk),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(self.chunk.get(self.taken).copied())
    }
}
