//! A debugger that speaks GDB's remote protocol to `host-sim gdb`, packet by packet.

use crate::commands::host_sim;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A connected debugger, and the simulator that it controls.
#[derive(Debug)]
pub struct Debugger {
    simulator: Child,
    connection: Connection,
}

#[derive(Debug)]
enum Connection {
    Stream(TcpStream),
    Pipes(ChildStdin, ChildStdout),
}

impl Connection {
    fn write(&mut self, bytes: &[u8]) {
        let written = match self {
            Self::Stream(stream) => stream.write_all(bytes),
            Self::Pipes(input, _) => input.write_all(bytes).and_then(|()| input.flush()),
        };
        written.expect("the simulator listens");
    }

    fn next(&mut self) -> u8 {
        let mut byte = [0];
        let read = match self {
            Self::Stream(stream) => stream.read_exact(&mut byte),
            Self::Pipes(_, output) => output.read_exact(&mut byte),
        };
        read.expect("the simulator answers");
        byte[0]
    }
}

/// A failed test leaves no simulator behind.
impl Drop for Debugger {
    fn drop(&mut self) {
        let _ = self.simulator.kill(); // it may have ended
        let _ = self.simulator.wait();
    }
}

impl Debugger {
    /// Starts `host-sim gdb` with these arguments on a port of its own, and connects.
    ///
    /// # Panics
    /// It does not listen.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = host_sim(&["gdb", "--port", "0"]);
        let mut simulator =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the simulator starts");
        let mut line = String::new();
        let stderr = simulator.stderr.as_mut().expect("stderr is a pipe");
        BufReader::with_capacity(1, stderr).read_line(&mut line).expect("the simulator says where it listens");
        let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|port| port.parse().ok());
        let stream = TcpStream::connect(("127.0.0.1", port.unwrap_or_else(|| panic!("{line}")))).expect("it listens there");
        Self { simulator, connection: Connection::Stream(stream) }
    }

    /// Starts `host-sim gdb --stdio` with these arguments.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_on_pipes(arguments: &[&str]) -> Self {
        let mut command = host_sim(&["gdb", "--stdio"]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut simulator = command.spawn().expect("the simulator starts");
        let (input, output) = (simulator.stdin.take().expect("a pipe"), simulator.stdout.take().expect("a pipe"));
        Self { simulator, connection: Connection::Pipes(input, output) }
    }

    /// Sends a packet and does not wait for its answer.
    ///
    /// # Panics
    /// The connection is broken.
    pub fn send(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        self.connection.write(format!("${packet}#{sum:02x}").as_bytes());
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// The connection is broken.
    pub fn interrupt(&mut self) {
        self.connection.write(&[3]);
    }

    /// Waits for a packet, and acknowledges it.
    ///
    /// # Panics
    /// None comes, or its sum is wrong.
    pub fn receive(&mut self) -> String {
        let mut next = || self.connection.next();
        while next() != b'$' {} // acknowledgements
        let mut packet = Vec::new();
        loop {
            match next() {
                b'#' => break,
                byte => packet.push(byte),
            }
        }
        let sum = packet.iter().copied().fold(0_u8, u8::wrapping_add);
        let told = String::from_utf8_lossy(&[next(), next()]).into_owned();
        assert_eq!(told, format!("{sum:02x}"));
        self.connection.write(b"+");
        expand(&String::from_utf8_lossy(&packet))
    }

    /// Sends a packet and waits for its answer.
    pub fn ask(&mut self, packet: &str) -> String {
        self.send(packet);
        self.receive()
    }

    /// A `monitor` command: what it prints.
    pub fn monitor(&mut self, command: &str) -> String {
        let hex: String = command.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.send(&format!("qRcmd,{hex}"));
        let mut printed = String::new();
        loop {
            match self.receive() {
                answer if answer == "OK" => return printed,
                answer => printed += &text(answer.strip_prefix('O').unwrap_or_else(|| panic!("{answer}"))),
            }
        }
    }

    /// A core register, 15 the program counter.
    pub fn register(&mut self, number: usize) -> u32 {
        let all = self.ask("g");
        u32::from_str_radix(&all[8 * number..8 * number + 8], 16).expect("registers are hexadecimal").swap_bytes()
    }

    /// Breaks the connection, and waits as [`finish`](Self::finish) does.
    ///
    /// # Panics
    /// See there.
    pub fn hang_up(self) -> (Option<i32>, String, String) {
        if let Connection::Stream(stream) = &self.connection {
            stream.shutdown(std::net::Shutdown::Both).expect("the connection is there");
        }
        self.finish()
    }

    /// Waits for the simulator's end: its exit code, its output and its diagnostics.
    ///
    /// # Panics
    /// It prints what is not UTF-8.
    pub fn finish(mut self) -> (Option<i32>, String, String) {
        let code = self.simulator.wait().expect("the simulator ends").code();
        let (mut out, mut err) = (String::new(), String::new());
        if let Some(mut pipe) = self.simulator.stdout.take() {
            pipe.read_to_string(&mut out).expect("UTF-8");
        }
        self.simulator.stderr.take().expect("stderr is a pipe").read_to_string(&mut err).expect("UTF-8");
        (code, out, err)
    }
}

/// Undoes run-length encoding: `*` and a character whose code less 29 says how often the one before it is repeated.
fn expand(packet: &str) -> String {
    let mut expanded = String::new();
    let mut characters = packet.chars();
    while let Some(character) = characters.next() {
        match (character, expanded.chars().last()) {
            ('*', Some(last)) => {
                let more = characters.next().map_or(0, |count| u32::from(count).saturating_sub(29));
                (0..more).for_each(|_| expanded.push(last));
            }
            _ => expanded.push(character),
        }
    }
    expanded
}

fn text(hex: &str) -> String {
    let bytes = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16));
    String::from_utf8_lossy(&bytes.collect::<Result<Vec<u8>, _>>().expect("hexadecimal")).into_owned()
}
