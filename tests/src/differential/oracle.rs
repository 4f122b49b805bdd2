//! Runs an image under QEMU.

use super::harness::CONTEXT_WORDS;
use super::image::Image;
use super::state::{State, WORDS};
use std::io;
use std::process::{Command, Stdio};

const CONTEXT_BYTES: usize = 4 * CONTEXT_WORDS;

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Cases that were executed; fewer than the image has if one of them faulted.
    pub done: usize,
    /// All states; those of cases that were not executed are start states.
    pub states: Vec<State>,
}

impl Outcome {
    /// From the words of the harness and the states, as they lie in the guest's memory; `None` if they are too short.
    pub fn parse(context: &[u8], states: &[u8]) -> Option<Self> {
        let words = |bytes: &[u8]| {
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect::<Vec<_>>()
        };
        let done = *words(context).get(3)? as usize;
        let states =
            words(states).chunks_exact(WORDS).map(|state| state.try_into().map(State)).collect::<Result<Vec<_>, _>>().ok()?;
        Some(Self { done, states })
    }
}

/// Runs `image` to its end.
///
/// # Errors
/// QEMU is missing, fails, or returns something else than the states.
pub fn run(image: &Image) -> io::Result<Outcome> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("differential.elf");
    std::fs::write(&path, image.elf())?;
    let mut command = Command::new("qemu-system-arm");
    command.args(image.plan.board.options).args(["-nographic", "-monitor", "none", "-serial", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(&path).stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("qemu-system-arm cannot be started ({error}): install it (Debian: apt-get install qemu-system-arm)"),
        )
    })?;
    let complaint =
        || io::Error::other(format!("QEMU ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    if !output.status.success() || output.stdout.len() != CONTEXT_BYTES + image.cases() * 4 * WORDS {
        return Err(complaint());
    }
    Outcome::parse(&output.stdout[..CONTEXT_BYTES], &output.stdout[CONTEXT_BYTES..]).ok_or_else(complaint)
}
