//! Which bytes of a corpus train, which validate, and which are kept for the last word.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Bytes of enwik8's test part, and of the validation part before it: the split that results on enwik8 are published for.
const ENWIK8_PART: usize = 5_000_000;

/// How a corpus is divided, in the order of the file.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum Split {
    /// The last tenth validates, nothing tests: nanoGPT's split of Tiny Shakespeare.
    #[default]
    #[serde(rename = "90/10")]
    NineToOne,
    /// A tenth validates, the last tenth tests.
    #[serde(rename = "80/10/10")]
    EightToOneToOne,
    /// The last 5,000,000 bytes test, the 5,000,000 before them validate.
    #[serde(rename = "enwik8")]
    Enwik8,
}

/// A part of a corpus.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What a model is fitted to.
    Training,
    /// What choices are made on.
    #[default]
    Validation,
    /// What the last word is said on.
    Test,
}

impl Part {
    /// Whether files need not name it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl Split {
    /// Every split.
    pub const ALL: [Self; 3] = [Self::NineToOne, Self::EightToOneToOne, Self::Enwik8];

    /// Its name on command lines and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NineToOne => "90/10",
            Self::EightToOneToOne => "80/10/10",
            Self::Enwik8 => "enwik8",
        }
    }

    /// Whether files need not name it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The parts that it makes.
    pub const fn parts(self) -> &'static [Part] {
        match self {
            Self::NineToOne => &[Part::Training, Part::Validation],
            Self::EightToOneToOne | Self::Enwik8 => &[Part::Training, Part::Validation, Part::Test],
        }
    }

    /// Where a part lies in a file of `bytes` bytes; empty where the split has no such part or the file is too short for it.
    pub fn range(self, bytes: usize, part: Part) -> Range<usize> {
        let share = |share: f64| (bytes as f64 * share) as usize;
        let (validation, test) = match self {
            Self::NineToOne => (share(0.9), bytes),
            Self::EightToOneToOne => (share(0.8), share(0.9)),
            Self::Enwik8 => (bytes.saturating_sub(2 * ENWIK8_PART), bytes.saturating_sub(ENWIK8_PART)),
        };
        match part {
            Part::Training => 0..validation,
            Part::Validation => validation..test,
            Part::Test => test..bytes,
        }
    }
}

impl std::str::FromStr for Split {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|split| split.name() == name).ok_or_else(|| format!("a split is one of {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_where_published_figures_say() {
        let range = |split: Split, bytes, part| split.range(bytes, part);
        let shakespeare = 1_115_394;
        assert_eq!(range(Split::NineToOne, shakespeare, Part::Training), 0..1_003_854);
        assert_eq!(range(Split::NineToOne, shakespeare, Part::Validation), 1_003_854..shakespeare);
        assert_eq!(range(Split::EightToOneToOne, shakespeare, Part::Validation), 892_315..1_003_854);
        assert_eq!(range(Split::Enwik8, 100_000_000, Part::Training), 0..90_000_000);
        assert_eq!(range(Split::Enwik8, 100_000_000, Part::Test), 95_000_000..100_000_000);
    }

    #[test]
    fn parts_cover_a_file_once_and_in_order() {
        for (split, bytes) in [(Split::NineToOne, 17), (Split::EightToOneToOne, 17), (Split::Enwik8, 12_345_678)] {
            let all = [Part::Training, Part::Validation, Part::Test].map(|part| split.range(bytes, part));
            assert_eq!((all[0].start, all[2].end), (0, bytes));
            assert!(all[0].end == all[1].start && all[1].end == all[2].start);
            assert_eq!(all[2].is_empty(), !split.parts().contains(&Part::Test));
        }
    }

    #[test]
    fn names_are_the_same_everywhere() {
        for split in Split::ALL {
            assert_eq!(split.name().parse(), Ok(split));
            assert_eq!(serde_json::to_string(&split).unwrap(), format!("\"{}\"", split.name()));
        }
        assert_eq!("half".parse::<Split>(), Err("a split is one of 90/10, 80/10/10, enwik8".into()));
    }
}
