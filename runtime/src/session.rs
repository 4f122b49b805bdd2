//! The token loop: what an application calls. The passage of one tile through the blocks is in `forward`.

use crate::arena::Arena;
use crate::blob::Blob;
use crate::format::Shape;
use crate::format::record::Region;
use crate::linear::Linear;
use crate::norm::Normalise;
use crate::plan::{Plan, PlanError};
use crate::probe::{NoProbe, Probe};
use crate::trace::Trace;

/// Why tokens are refused. Nothing was processed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StepError {
    /// No tokens.
    Empty,
    /// More tokens than the context has left.
    ContextFull {
        /// The model's context.
        context: usize,
        /// Positions that the sequence would have.
        wanted: usize,
    },
    /// A token outside the vocabulary.
    Token {
        /// Index of the token in the call.
        index: usize,
        /// The vocabulary.
        vocabulary: usize,
        /// The token.
        found: u16,
    },
    /// An operating point that the model does not have.
    OperatingPoint {
        /// Points of the model.
        points: usize,
        /// Asked for.
        found: usize,
    },
}

impl core::fmt::Display for StepError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Empty => f.write_str("no tokens: give at least one"),
            Self::ContextFull { context, wanted } => {
                write!(f, "{wanted} positions do not fit into the context of {context}: shorten the prompt or start again")
            }
            Self::Token { index, vocabulary, found } => {
                write!(f, "token {found} at index {index} is outside the vocabulary of {vocabulary}")
            }
            Self::OperatingPoint { points, found } => {
                write!(f, "effort {found} does not exist: the model has operating points 0 to {}", points.saturating_sub(1))
            }
        }
    }
}

impl core::error::Error for StepError {}

/// One sequence in the making: a model, its arena, and what was seen so far.
#[derive(Debug)]
pub struct Session<'m, P = NoProbe> {
    pub(crate) blob: &'m Blob<'m>,
    pub(crate) shape: Shape,
    pub(crate) embedding: Linear<'m>, // [vocabulary, width]
    pub(crate) final_norm: Normalise<'m>,
    pub(crate) head: Linear<'m>, // [vocabulary, width]
    pub(crate) arena: Arena<'m>,
    tile: usize,
    pub(crate) position: usize,
    pub(crate) point: usize,
    pub(crate) probe: P,
}

impl<'m, P: Probe> Session<'m, P> {
    /// An empty sequence at the model's default operating point. `arena` needs [`Plan::bytes`] bytes; its contents do not matter.
    ///
    /// # Errors
    /// [`PlanError::Arena`] for a small arena, [`PlanError::Model`] for another model's plan.
    pub fn new(blob: &'m Blob<'m>, arena: &'m mut [u32], plan: &Plan, probe: P) -> Result<Self, PlanError> {
        if plan.shape() != blob.shape() {
            return Err(PlanError::Model);
        }
        let layout = blob.layout();
        let embedding = Linear::new(blob, &layout.embedding);
        Ok(Self {
            blob,
            shape: *blob.shape(),
            embedding,
            final_norm: Normalise::new(blob, &layout.final_norm),
            head: layout.head.map_or(embedding, |head| Linear::new(blob, &head)),
            arena: Arena::new(arena, plan)?,
            tile: plan.tile(),
            position: 0,
            point: usize::from(blob.header().default_point),
            probe,
        })
    }

    /// Forgets the sequence; the operating point stays.
    pub fn reset(&mut self) {
        self.position = 0;
        self.arena.cache_lengths.fill(0);
    }

    /// Chooses an operating point for the tokens to come, by its index in the header.
    ///
    /// # Errors
    /// [`StepError::OperatingPoint`].
    pub fn set_operating_point(&mut self, point: usize) -> Result<(), StepError> {
        let points = self.blob.header().operating_points.len();
        if point >= points {
            return Err(StepError::OperatingPoint { points, found: point });
        }
        self.point = point;
        Ok(())
    }

    /// Tokens seen so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The depth trace of the tokens seen so far.
    pub fn trace(&self) -> Trace<'_> {
        Trace::new(self.arena.trace.get(..self.position).unwrap_or_default(), self.shape.blocks)
    }

    /// The logits of the last call, `[vocabulary]`.
    pub fn logits(&self) -> &[f32] {
        self.arena.logits
    }

    /// The probe.
    pub fn probe_mut(&mut self) -> &mut P {
        &mut self.probe
    }

    /// One token; the logits of the next, `[vocabulary]`.
    ///
    /// # Errors
    /// [`StepError`]; nothing changed then.
    pub fn step(&mut self, token: u16) -> Result<&[f32], StepError> {
        self.prefill(&[token])
    }

    /// Several tokens, a tile at a time: bit-equal to [`Session::step`] on each. The logits after the last, `[vocabulary]`.
    ///
    /// # Errors
    /// [`StepError`]; nothing changed then.
    pub fn prefill(&mut self, tokens: &[u16]) -> Result<&[f32], StepError> {
        let last = tokens.len().saturating_sub(1);
        self.run(tokens, &mut |index, _| index == last, &mut |_, _| ())?;
        Ok(self.arena.logits)
    }

    /// Like [`Session::prefill`], but calls `score(index, logits)` with the logits after each token.
    ///
    /// # Errors
    /// [`StepError`]; nothing changed then.
    pub fn score(&mut self, tokens: &[u16], mut score: impl FnMut(usize, &[f32])) -> Result<(), StepError> {
        self.run(tokens, &mut |_, _| true, &mut score)
    }

    fn run(
        &mut self,
        tokens: &[u16],
        wanted: &mut dyn FnMut(usize, u16) -> bool,
        score: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), StepError> {
        let Shape { context, vocabulary, .. } = self.shape;
        if tokens.is_empty() {
            return Err(StepError::Empty);
        }
        if tokens.len() > context - self.position {
            return Err(StepError::ContextFull { context, wanted: self.position + tokens.len() });
        }
        if let Some((index, found)) = tokens.iter().enumerate().find(|(_, token)| usize::from(**token) >= vocabulary) {
            return Err(StepError::Token { index, vocabulary, found: *found });
        }
        let mut index = 0;
        for tile in tokens.chunks(self.tile.max(1)) {
            self.forward(tile);
            for (row, token) in tile.iter().enumerate() {
                if wanted(index, *token) {
                    self.classify(row);
                    score(index, self.arena.logits);
                }
                index += 1;
            }
            self.probe.enter(Region::Other, None);
        }
        Ok(())
    }
}
