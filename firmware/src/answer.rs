//! One request to records: prompt in, text and depths out.

use crate::failure::Failure;
use crate::link;
use crate::meter::Meter;
use fathom::format::record::{Effort, Ended, MAX_PROMPT, Record, Region, Request};
use fathom::{Blob, Controller, Sampler, Session};
use heapless::Vec;

/// Answers `request`, from the first `Prompt` record to `Done`.
pub fn answer<'m>(session: &mut Session<'m, &'m Meter>, blob: &Blob, request: &Request, meter: &Meter) -> Result<(), Failure> {
    meter.clear_regions();
    let prompt = encode(blob, request.prompt)?;
    if let Effort::Point(point) = request.effort {
        session.set_operating_point(usize::from(point))?;
    }
    defmt::info!("prompt: {=usize} tokens; to generate: {=u32}", prompt.len(), request.tokens);

    let start = meter.now();
    session.prefill(&prompt)?;
    let cycles = meter.now() - start;
    for (token, active) in prompt.iter().zip(session.trace().masks()) {
        link::send(&Record::Prompt { token: *token, active: *active });
    }
    link::send(&Record::Prefilled { tokens: prompt.len() as u32, cycles });

    let ended = generate(session, blob, request, meter)?;
    for block in core::iter::once(None).chain((0..blob.shape().blocks).map(Some)) {
        link::send(&Record::Regions { block: block.map(|block| block as u8), cycles: meter.regions(block) });
    }
    link::send(&Record::Done { ended });
    defmt::info!("done: {}, {=u64} cycles in all", ended, meter.now());
    Ok(())
}

/// The prompt's tokens.
fn encode(blob: &Blob, prompt: &[u8]) -> Result<Vec<u16, MAX_PROMPT>, Failure> {
    let most = blob.shape().context.min(MAX_PROMPT);
    if prompt.is_empty() {
        return Err(Failure::EmptyPrompt);
    }
    if prompt.len() > most {
        return Err(Failure::LongPrompt { most, found: prompt.len() });
    }
    prompt.iter().enumerate().map(|(at, byte)| blob.encode(*byte).ok_or(Failure::Alphabet { byte: *byte, at })).collect()
}

/// The token loop. Every generated token runs through the model, the last one too: each has a depth, and a conversation could go on.
fn generate<'m>(session: &mut Session<'m, &'m Meter>, blob: &Blob, request: &Request, meter: &Meter) -> Result<Ended, Failure> {
    let mut sampler = Sampler::new(request.seed, request.temperature, request.top_k);
    let mut controller = match request.effort {
        Effort::Cycles(cycles) => Some(Controller::new(blob, cycles)),
        Effort::Default | Effort::Point(_) => None,
    };
    for _ in 0..request.tokens {
        if session.position() == blob.shape().context {
            return Ok(Ended::ContextFull);
        }
        let start = meter.now();
        meter.enter(Region::Sampling, None);
        let token = sampler.sample(session.logits());
        meter.enter(Region::Other, None);
        if let Some(controller) = &controller {
            session.set_operating_point(controller.point())?;
        }
        session.step(token)?;
        let cycles = meter.now() - start;
        if let Some(controller) = &mut controller {
            controller.spent(u32::try_from(cycles).unwrap_or(u32::MAX));
        }
        let active = session.trace().masks().last().copied().unwrap_or_default();
        link::send(&Record::Token { token, text: blob.decode(token), active, cycles });
    }
    Ok(Ended::Requested)
}
