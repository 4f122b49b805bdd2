//! What a run did at each character of its validation text.

use crate::blob_eval::score;
use crate::checkpoint_folder::Folder;
use crate::corpus::Corpus;
use crate::sweep::measure::{candidate, levels};
use crate::sweep::{grid, schedule};
use anyhow::{Result, ensure};
use fathom::Blob;
use std::path::Path;

/// A character that was predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Character {
    /// The byte.
    pub byte: u8,
    /// Blocks that its prediction took.
    pub depth: usize,
    /// Its surprise: cross-entropy in nats.
    pub nats: f64,
    /// Its place in its word, 1 for the first letter; 0 for what is no letter.
    pub place: usize,
}

/// A text as a run read it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Name of the run.
    pub run: String,
    /// Blocks of the model.
    pub blocks: usize,
    /// Share of token-layer operations saved on the text.
    pub saved: f64,
    /// The text without its first character, which nobody predicts.
    pub characters: Vec<Character>,
}

/// Lets a run of a sweep read the text that it was measured on, with thresholds that save `target` on its calibration tokens, or come
/// nearest.
///
/// # Errors
/// A folder that holds no measured run, a run without routers, or another corpus.
pub fn read(run: &Path, corpus: &Path, target: f64) -> Result<Reading> {
    let name = run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (recipe, settings, folder) = (grid::recipe(run)?, schedule::settings(run)?, Folder::load(run)?);
    ensure!(folder.shape.outputs() > 0, "{name} has no routers: every character takes every block");
    let corpus = Corpus::read(corpus, folder.config.split, folder.shape.context, Some(&folder.config.alphabet))?;
    ensure!(corpus.sha256 == folder.config.corpus_sha256, "{name} was trained on another corpus");
    let (sample, text) = settings.divide(&corpus)?;
    let mut candidate = candidate(&recipe, &folder)?;
    let (thresholds, _) = candidate.nearest(target, &levels(&folder, sample)?, sample)?;
    candidate.set(&thresholds)?;
    let scored = score(&Blob::parse(candidate.bytes())?, text, 0)?;
    let bytes: Vec<u8> = text.iter().map(|token| folder.config.alphabet[usize::from(*token)]).collect();
    let each = scored.iter().zip(&bytes[1..]).zip(places(&bytes).into_iter().skip(1));
    let characters: Vec<Character> =
        each.map(|((scored, byte), place)| Character { byte: *byte, depth: scored.depth, nats: scored.nats, place }).collect();
    let run: usize = characters.iter().map(|character| character.depth).sum();
    let blocks = folder.shape.blocks;
    Ok(Reading { run: name, blocks, saved: 1.0 - run as f64 / (blocks * characters.len()).max(1) as f64, characters })
}

/// Places of bytes in their words, counted from 1; 0 for what is no letter.
fn places(bytes: &[u8]) -> Vec<usize> {
    let mut place = 0;
    let next = |byte: &u8| {
        place = if byte.is_ascii_alphabetic() { place + 1 } else { 0 };
        place
    };
    bytes.iter().map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_begin_anew_with_every_word() {
        assert_eq!(places(b"To be, or"), [1, 2, 0, 1, 2, 0, 0, 1, 2]);
    }
}
