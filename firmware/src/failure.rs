//! Why there is no answer, in one line that says what to do.

use crate::link;
use core::fmt::{self, Display, Write};
use fathom::format::record::Record;
use fathom::{BlobError, PlanError, StepError};
use heapless::String;

/// Longest message in bytes; the rest is cut off. A record holds it.
const MAX_MESSAGE: usize = 400;

/// A refused model or request.
#[derive(Clone, Copy, defmt::Format)]
pub enum Failure {
    /// The model region holds no valid model.
    Model(BlobError),
    /// The model is longer than the region that it lies in.
    LargeModel {
        /// Bytes of the model.
        wanted: usize,
        /// Bytes of the region.
        found: usize,
    },
    /// The model cannot be planned.
    Plan(PlanError),
    /// RAM is too small for the model.
    Memory {
        /// Bytes of the arena.
        wanted: usize,
        /// Bytes of heap left.
        found: usize,
    },
    /// The host closed the link without a request.
    NoRequest,
    /// The request's frame does not end where it must.
    FrameTooLong,
    /// The request's frame is not one.
    Malformed,
    /// There is nothing to continue.
    EmptyPrompt,
    /// The prompt does not fit.
    LongPrompt {
        /// Bytes that fit.
        most: usize,
        /// Bytes of the prompt.
        found: usize,
    },
    /// A byte of the prompt is outside the model's alphabet.
    Alphabet {
        /// The byte.
        byte: u8,
        /// Its index in the prompt.
        at: usize,
    },
    /// The session refused.
    Step(StepError),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Model(error) => error.fmt(f),
            Self::LargeModel { wanted, found } => {
                write!(
                    f,
                    "the model has {wanted} bytes, its flash region {found}: export a smaller one or enlarge MODEL in memory.x"
                )
            }
            Self::Plan(error) => error.fmt(f),
            Self::Memory { wanted, found } => {
                write!(f, "the model needs {wanted} bytes of RAM, {found} are free: export a smaller model or a shorter context")
            }
            Self::NoRequest => f.write_str("no request came: send one frame to the device"),
            Self::FrameTooLong => f.write_str("the request is too long: shorten the prompt"),
            Self::Malformed => f.write_str("the request is malformed: host and firmware must be of the same version"),
            Self::EmptyPrompt => f.write_str("the prompt is empty: give at least one character"),
            Self::LongPrompt { most, found } => write!(f, "the prompt has {found} bytes, the model takes {most}: shorten it"),
            Self::Alphabet { byte, at } => {
                write!(f, "byte {at} of the prompt, '{}', is outside the model's alphabet", core::ascii::escape_default(byte))
            }
            Self::Step(error) => error.fmt(f),
        }
    }
}

impl Failure {
    /// Tells the host.
    pub fn report(&self) {
        report(self);
    }
}

/// Tells the host why it gets no answer.
pub fn report(message: &impl Display) {
    let mut text = String::<MAX_MESSAGE>::new();
    // An error means that the message was cut off at a piece that no longer fitted; what fitted is still of use.
    _ = write!(text, "{message}");
    link::send(&Record::Failed { message: &text });
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            // What was parsed is the whole region, so what is missing lies beyond it.
            BlobError::Truncated { wanted, found } => Self::LargeModel { wanted, found },
            error => Self::Model(error),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}
