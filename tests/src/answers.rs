//! One request answered three ways: by the runtime on the host, by the image on our machine, by the image under QEMU.

use crate::qemu;
use crate::targets::Qemu;
use fathom::format::record::{Effort, Record, Request};
use fathom::{Blob, NoProbe, Plan, Sampler, Session};
use fathom_host_sim::answer::Collector;
use fathom_host_sim::board::{Board, End};
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::cores::CoreSpec;
use std::path::Path;
use std::time::Duration;

/// Guest instructions after which a run is a failure.
const LIMIT: u64 = 5_000_000_000;

/// What the three must agree on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Depth masks of the prompt.
    pub prompt: Vec<u32>,
    /// Generated tokens with their depth masks.
    pub tokens: Vec<(u16, u32)>,
}

/// The runtime on the host.
///
/// # Panics
/// The request does not fit the model.
pub fn on_host(model: &[u8], request: &Request<'_>) -> Answer {
    let blob = Blob::parse(model).expect("a test's model is valid");
    let plan = Plan::new(blob.shape(), 3.min(blob.shape().context)).expect("a valid tile");
    let mut arena = vec![0; plan.bytes() / 4];
    let mut session = Session::new(&blob, &mut arena, &plan, NoProbe).expect("the arena has the plan's size");
    if let Effort::Point(effort) = request.effort {
        session.set_operating_point(usize::from(effort)).expect("a test's effort exists");
    }
    let prompt: Vec<u16> = request.prompt.iter().map(|byte| blob.encode(*byte).expect("in the alphabet")).collect();
    session.prefill(&prompt).expect("the prompt fits");
    let mut sampler = Sampler::new(request.seed, request.temperature, request.top_k);
    let mut tokens = Vec::new();
    while tokens.len() < request.tokens as usize && session.position() < blob.shape().context {
        let token = sampler.sample(session.logits());
        session.step(token).expect("the context has room");
        tokens.push(token);
    }
    let masks = session.trace().masks();
    let (prompt, generated) = masks.split_at(prompt.len());
    Answer { prompt: prompt.to_vec(), tokens: tokens.into_iter().zip(generated.iter().copied()).collect() }
}

/// The image on our machine.
///
/// # Panics
/// The guest does not exit with 0.
pub fn on_machine(core: &'static CoreSpec, image: &Path, model: &[u8], request: &Request<'_>) -> Answer {
    let image = Image::read(image).expect("an image");
    let mut board = Board::with_core(core, &image, model).expect("image and model fit the board");
    let mut collector = Collector::default();
    let end = board.run(&image, &qemu::frame(request), LIMIT, &mut |event| {
        if let fathom_host_sim::board::Event::Channel(1, bytes) = event {
            collector.receive(bytes, |_, _| ()).expect("valid records");
        }
    });
    let answer = collector.answer;
    assert!(matches!(end, Ok(End::Exit(0))), "{end:?}, {:?}, {:?}", answer.failed, board.describe_fault(&image));
    Answer { prompt: answer.prompt, tokens: answer.tokens.iter().map(|token| (token.token, token.active)).collect() }
}

/// The image on a board of QEMU's.
///
/// # Panics
/// QEMU is missing, or the guest does not exit with 0.
pub fn under_qemu(board: Qemu, image: &Path, model: &[u8], request: &Request<'_>) -> Answer {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), model).expect("a temporary file can be written");
    let outcome = qemu::run(board, image, Some(file.path()), &qemu::frame(request), Duration::from_secs(120))
        .expect("qemu-system-arm runs: install Debian's package qemu-system-arm (`make test` does)");
    assert_eq!(outcome.code, Some(0), "{:?}", outcome.failure());
    let mut answer = Answer::default();
    outcome.each_record(|record| match record {
        Record::Prompt { active, .. } => answer.prompt.push(active),
        Record::Token { token, active, .. } => answer.tokens.push((token, active)),
        _ => {}
    });
    answer
}
