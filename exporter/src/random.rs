//! Random streams that depend on (seed, purpose, step) alone, so that a resumed run draws what an uninterrupted one would.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for; each purpose has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial values.
    Initialise,
    /// Windows of the corpus.
    Batch,
    /// Random depths.
    Depth,
    /// Dropout masks.
    Dropout,
}

/// The stream for a purpose at a stage and step.
pub fn stream(seed: u64, purpose: Purpose, stage: usize, step: usize) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = purpose as u8;
    key[16..24].copy_from_slice(&(stage as u64).to_le_bytes());
    key[24..].copy_from_slice(&(step as u64).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// A standard normal value (Box and Muller 1958).
pub fn normal(random: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * random.random::<f64>()).cos()) as f32
}
