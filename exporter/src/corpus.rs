//! A text file as training and validation tokens.

use fathom::format::shape::MAX_VOCABULARY;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Share of the corpus that is trained on; the rest validates. nanoGPT's split of Tiny Shakespeare: 1,003,854 of 1,115,394 bytes.
pub const TRAINING_SHARE: f64 = 0.9;

/// Why a file is no corpus.
#[derive(Debug)]
pub enum CorpusError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// It is empty.
    Empty(PathBuf),
    /// A split has not one whole window.
    TooShort {
        /// The file.
        path: PathBuf,
        /// Bytes that each split needs.
        wanted: usize,
        /// Bytes of the smaller split.
        found: usize,
    },
    /// It has a byte that the model's alphabet lacks.
    Alphabet {
        /// The file.
        path: PathBuf,
        /// The byte.
        byte: u8,
        /// Its place in the file.
        offset: usize,
    },
}

impl std::fmt::Display for CorpusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(path, error) => {
                write!(f, "cannot read the corpus {}: {error}; `exporter fetch tiny-shakespeare` downloads one", path.display())
            }
            Self::Empty(path) => write!(f, "the corpus {} is empty", path.display()),
            Self::TooShort { path, wanted, found } => {
                write!(
                    f,
                    "the corpus {} is too short: its validation split has {found} bytes, at least {wanted} are needed",
                    path.display()
                )
            }
            Self::Alphabet { path, byte, offset } => {
                write!(f, "byte {byte:#04x} at offset {offset} of {} is not in the model's alphabet", path.display())
            }
        }
    }
}

impl std::error::Error for CorpusError {}

/// A corpus as tokens of a byte alphabet.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The bytes that occur, ascending.
    pub alphabet: Vec<u8>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Training tokens.
    pub training: Vec<u16>,
    /// Validation tokens.
    pub validation: Vec<u16>,
}

impl Corpus {
    /// Reads a file whose splits must each hold a window of `context` tokens and its last target. The alphabet is that of the file,
    /// or the given one of a trained model.
    ///
    /// # Errors
    /// [`CorpusError`].
    pub fn read(path: &Path, context: usize, alphabet: Option<&[u8]>) -> Result<Self, CorpusError> {
        let bytes = std::fs::read(path).map_err(|error| CorpusError::Read(path.into(), error))?;
        if bytes.is_empty() {
            return Err(CorpusError::Empty(path.into()));
        }
        let split = (bytes.len() as f64 * TRAINING_SHARE) as usize;
        let shorter = (bytes.len() - split).min(split);
        if shorter < context + 1 {
            return Err(CorpusError::TooShort { path: path.into(), wanted: context + 1, found: shorter });
        }
        let alphabet = alphabet.map_or_else(|| alphabet_of(&bytes), <[u8]>::to_vec);
        let token = |(offset, byte): (usize, &u8)| match alphabet.binary_search(byte) {
            Ok(token) => Ok(token as u16),
            Err(_) => Err(CorpusError::Alphabet { path: path.into(), byte: *byte, offset }),
        };
        let tokens: Vec<u16> = bytes.iter().enumerate().map(token).collect::<Result<_, _>>()?;
        let validation = tokens[split..].to_vec();
        let training = tokens[..split].to_vec();
        Ok(Self { alphabet, sha256: Sha256::digest(&bytes).into(), training, validation })
    }
}

fn alphabet_of(bytes: &[u8]) -> Vec<u8> {
    const _: () = assert!(256 <= MAX_VOCABULARY);
    let mut seen = [false; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    (0..=255).filter(|byte| seen[usize::from(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), contents).unwrap();
        file
    }

    #[test]
    fn splits_nine_to_one_and_numbers_bytes_in_order() {
        let file = file(&b"cab".repeat(20));
        let corpus = Corpus::read(file.path(), 4, None).unwrap();
        assert_eq!(corpus.alphabet, b"abc");
        assert_eq!((corpus.training.len(), corpus.validation.len()), (54, 6));
        assert_eq!(corpus.training[..3], [2, 0, 1]);
    }

    #[test]
    fn tiny_shakespeare_splits_where_its_published_figures_do() {
        assert_eq!((1_115_394.0 * TRAINING_SHARE) as usize, 1_003_854);
    }

    #[test]
    fn rejects_missing_empty_short_and_foreign_files() {
        assert!(matches!(Corpus::read(Path::new("no/such/file"), 4, None), Err(CorpusError::Read(..))));
        assert!(matches!(Corpus::read(file(b"").path(), 4, None), Err(CorpusError::Empty(_))));
        let short = file(&[b'a'; 40]);
        assert!(matches!(Corpus::read(short.path(), 4, None), Err(CorpusError::TooShort { wanted: 5, found: 4, .. })));
        let foreign = file(&[b"a".repeat(99), b"z".to_vec()].concat());
        let refused = Corpus::read(foreign.path(), 4, Some(b"ab"));
        assert!(matches!(refused, Err(CorpusError::Alphabet { byte: b'z', offset: 99, .. })));
    }
}
