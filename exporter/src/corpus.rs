//! A text file as training, validation and test tokens.

use crate::split::{Part, Split};
use fathom::format::shape::MAX_VOCABULARY;
use lzma_rust2::XzReader;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a file begins that xz packed.
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
/// The longest text that is read: ten times enwik8. A small file can unpack to any length.
const MAX_BYTES: usize = 1_000_000_000;

/// Why a file is no corpus.
#[derive(Debug)]
pub enum CorpusError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// It was packed by xz and cannot be unpacked.
    Unpack(PathBuf, std::io::Error),
    /// It is empty.
    Empty(PathBuf),
    /// It is longer than any corpus may be, 10^9 bytes.
    TooLong(PathBuf),
    /// A part has not one whole window.
    TooShort {
        /// The file.
        path: PathBuf,
        /// How it is divided.
        split: Split,
        /// The part.
        part: Part,
        /// Bytes that each part needs.
        wanted: usize,
        /// Bytes of the part.
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
    /// The split makes no such part.
    NoPart {
        /// How the corpus is divided.
        split: Split,
        /// The part.
        part: Part,
    },
}

impl std::fmt::Display for CorpusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(path, error) => {
                write!(f, "cannot read the corpus {}: {error}; `exporter fetch tiny-shakespeare` downloads one", path.display())
            }
            Self::Unpack(path, error) => write!(f, "cannot unpack the corpus {}: {error}; unpack it with xz -d", path.display()),
            Self::Empty(path) => write!(f, "the corpus {} is empty", path.display()),
            Self::TooLong(path) => {
                write!(f, "the corpus {} has over {MAX_BYTES} bytes: train on a part of it", path.display())
            }
            Self::TooShort { path, split, part, wanted, found } => {
                write!(
                    f,
                    "the corpus {} is too short: its {} part has {found} bytes under split {}, at least {wanted} are needed",
                    path.display(),
                    part.name(),
                    split.name()
                )
            }
            Self::Alphabet { path, byte, offset } => {
                write!(f, "byte {byte:#04x} at offset {offset} of {} is not in the model's alphabet", path.display())
            }
            Self::NoPart { split, part } => {
                write!(f, "split {} has no {} part: choose another split or part", split.name(), part.name())
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
    /// SHA-256 of the text: of a packed file, of what it unpacks to.
    pub sha256: [u8; 32],
    /// How it is divided.
    pub split: Split,
    tokens: Vec<u16>,
}

impl Corpus {
    /// Reads a text file, packed by xz or not, whose parts must each hold a window of `context` tokens and its last target. The alphabet
    /// is that of the file, or the given one of a trained model.
    ///
    /// # Errors
    /// [`CorpusError`].
    pub fn read(path: &Path, split: Split, context: usize, alphabet: Option<&[u8]>) -> Result<Self, CorpusError> {
        let bytes = text(path)?;
        if bytes.is_empty() {
            return Err(CorpusError::Empty(path.into()));
        }
        for part in split.parts() {
            let (wanted, found) = (context + 1, split.range(bytes.len(), *part).len());
            if found < wanted {
                return Err(CorpusError::TooShort { path: path.into(), split, part: *part, wanted, found });
            }
        }
        let alphabet = alphabet.map_or_else(|| alphabet_of(&bytes), <[u8]>::to_vec);
        let token = |(offset, byte): (usize, &u8)| match alphabet.binary_search(byte) {
            Ok(token) => Ok(token as u16),
            Err(_) => Err(CorpusError::Alphabet { path: path.into(), byte: *byte, offset }),
        };
        let tokens: Vec<u16> = bytes.iter().enumerate().map(token).collect::<Result<_, _>>()?;
        Ok(Self { alphabet, sha256: Sha256::digest(&bytes).into(), split, tokens })
    }

    /// Training tokens.
    pub fn training(&self) -> &[u16] {
        &self.tokens[self.split.range(self.tokens.len(), Part::Training)]
    }

    /// Validation tokens.
    pub fn validation(&self) -> &[u16] {
        &self.tokens[self.split.range(self.tokens.len(), Part::Validation)]
    }

    /// The tokens of a part.
    ///
    /// # Errors
    /// [`CorpusError::NoPart`].
    pub fn part(&self, part: Part) -> Result<&[u16], CorpusError> {
        match self.split.range(self.tokens.len(), part) {
            range if range.is_empty() => Err(CorpusError::NoPart { split: self.split, part }),
            range => Ok(&self.tokens[range]),
        }
    }
}

/// The bytes of a file, unpacked if xz packed them.
fn text(path: &Path) -> Result<Vec<u8>, CorpusError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(1 + MAX_BYTES as u64).read_to_end(&mut bytes));
    read.map_err(|error| CorpusError::Read(path.into(), error))?;
    if bytes.len() > MAX_BYTES {
        return Err(CorpusError::TooLong(path.into()));
    }
    if !bytes.starts_with(&XZ_MAGIC) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let unpacked = XzReader::new(bytes.as_slice(), true).take(1 + MAX_BYTES as u64).read_to_end(&mut text);
    unpacked.map_err(|error| CorpusError::Unpack(path.into(), error))?;
    if text.len() > MAX_BYTES {
        return Err(CorpusError::TooLong(path.into()));
    }
    Ok(text)
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

    fn read(file: &tempfile::NamedTempFile, split: Split, alphabet: Option<&[u8]>) -> Result<Corpus, CorpusError> {
        Corpus::read(file.path(), split, 4, alphabet)
    }

    /// `b"cab".repeat(20)`, packed by `xz --check=crc32`.
    const PACKED: [u8; 68] = [
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36, 0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00,
        0x74, 0x2f, 0xe5, 0xa3, 0xe0, 0x00, 0x3b, 0x00, 0x09, 0x5d, 0x00, 0x31, 0x98, 0x48, 0x86, 0x55, 0xcb, 0x24, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0xec, 0xd4, 0x12, 0x8c, 0x00, 0x01, 0x21, 0x3c, 0x4f, 0xdc, 0x76, 0x83, 0x90, 0x42, 0x99, 0x0d,
        0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x59, 0x5a,
    ];

    #[test]
    fn splits_and_numbers_bytes_in_order() {
        let file = file(&b"cab".repeat(20));
        let corpus = read(&file, Split::NineToOne, None).unwrap();
        assert_eq!(corpus.alphabet, b"abc");
        assert_eq!((corpus.training().len(), corpus.validation().len()), (54, 6));
        assert_eq!(corpus.training()[..3], [2, 0, 1]);
        assert!(matches!(corpus.part(Part::Test), Err(CorpusError::NoPart { .. })));
        let corpus = read(&file, Split::EightToOneToOne, None).unwrap();
        assert_eq!((corpus.training().len(), corpus.validation().len(), corpus.part(Part::Test).unwrap().len()), (48, 6, 6));
    }

    #[test]
    fn a_packed_text_is_the_same_corpus() {
        let (plain, packed) = (file(&b"cab".repeat(20)), file(&PACKED));
        let [plain, packed] = [plain, packed].map(|file| read(&file, Split::NineToOne, None).unwrap());
        assert_eq!((plain.tokens, plain.sha256), (packed.tokens, packed.sha256));
    }

    #[test]
    fn rejects_missing_empty_short_broken_and_foreign_files() {
        let split = Split::NineToOne;
        assert!(matches!(Corpus::read(Path::new("no/such/file"), split, 4, None), Err(CorpusError::Read(..))));
        assert!(matches!(read(&file(b""), split, None), Err(CorpusError::Empty(_))));
        let short = file(&[b'a'; 40]);
        assert!(matches!(
            read(&short, split, None),
            Err(CorpusError::TooShort { part: Part::Validation, wanted: 5, found: 4, .. })
        ));
        assert!(matches!(
            read(&short, Split::Enwik8, None),
            Err(CorpusError::TooShort { part: Part::Training, wanted: 5, found: 0, .. })
        ));
        for broken in [&PACKED[..PACKED.len() - 9], &[&PACKED[..30], &[0xff; 60]].concat()] {
            assert!(matches!(read(&file(broken), split, None), Err(CorpusError::Unpack(..))));
        }
        let foreign = file(&[b"a".repeat(99), b"z".to_vec()].concat());
        let refused = read(&foreign, split, Some(b"ab"));
        assert!(matches!(refused, Err(CorpusError::Alphabet { byte: b'z', offset: 99, .. })));
    }
}
