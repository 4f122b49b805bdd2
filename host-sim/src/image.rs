//! An image: an ELF file for an Arm core, judged before anything of it is executed.

use crate::attributes::{self, Attributes};
use object::elf::{EM_ARM, FileHeader32, PF_W, PT_LOAD, SHF_ALLOC};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, SymbolKind};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file that is read: debug information of a large program takes some tens of megabytes.
const MAX_FILE: u64 = 256 << 20;
/// Most bytes of symbol names in all: a small file can name one long text many times.
const MAX_NAMES: usize = 64 << 20;
/// Longest name that is demangled, for the same reason.
const MAX_DEMANGLED: usize = 4096;
/// How far a function reaches whose size is not known.
const SIZELESS: u32 = 0x1000;

/// What is wrong with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentFault {
    /// The file ends before its contents do.
    OutsideFile,
    /// It has more contents than memory.
    LargerThanItsMemory,
    /// It does not end within 32 bits of address.
    OutsideAddresses,
    /// Its contents lie on those of another.
    Overlap,
}

/// Why a file is not an image for this core.
#[derive(Debug)]
pub enum ImageError {
    /// The file cannot be read.
    Read(PathBuf, std::io::Error),
    /// Not a 32-bit ELF, or a malformed one.
    Malformed(PathBuf, object::Error),
    /// For another machine.
    Machine {
        /// The file.
        path: PathBuf,
        /// `e_machine` as found; Arm is 40.
        found: u16,
    },
    /// Big-endian.
    BigEndian(PathBuf),
    /// The file, or what its symbols unfold to, is larger than any sane image.
    TooLarge(PathBuf),
    /// A segment that cannot be placed.
    Segment {
        /// The file.
        path: PathBuf,
        /// Load address of the segment.
        address: u32,
        /// Bytes of its contents.
        bytes: u32,
        /// Why not.
        fault: SegmentFault,
    },
    /// No loadable segment.
    Empty(PathBuf),
}

impl std::fmt::Display for ImageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Malformed(path, error) => {
                write!(
                    f,
                    "{} is not a 32-bit little-endian ELF image: {error}; build one with firmware/build-image",
                    path.display()
                )
            }
            Self::Machine { path, found } => write!(
                f,
                "{} is for ELF machine {found}, not for Arm (40): build it for thumbv7em-none-eabihf with firmware/build-image",
                path.display()
            ),
            Self::BigEndian(path) => {
                write!(f, "{} is big-endian, these cores are little-endian: build it without -mbig-endian", path.display())
            }
            Self::TooLarge(path) => {
                let (file, names) = (MAX_FILE >> 20, MAX_NAMES >> 20);
                write!(f, "{} has more than {file} MiB, or {names} MiB of symbol names: strip it", path.display())
            }
            Self::Segment { path, address, bytes, fault } => {
                let fault = match fault {
                    SegmentFault::OutsideFile => "ends behind the end of the file: copy or link it again",
                    SegmentFault::LargerThanItsMemory => "is larger than the memory it reserves: link it again",
                    SegmentFault::OutsideAddresses => "ends above 4 GiB: check the linker script",
                    SegmentFault::Overlap => "overlaps another: check the linker script",
                };
                write!(f, "{}: the segment of {bytes} bytes at {address:#010x} {fault}", path.display())
            }
            Self::Empty(path) => write!(f, "{} has no loadable segment", path.display()),
        }
    }
}

impl std::error::Error for ImageError {}

/// One loadable segment.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Load (physical) address.
    pub address: u32,
    /// Bytes to place there before reset; none where the segment only reserves memory.
    pub bytes: Vec<u8>,
    /// Where the program expects it when it runs (virtual address).
    pub runs_at: u32,
    /// Bytes it takes there: those of the file, and those that start-up code clears.
    pub memory_bytes: u32,
    /// Whether the program writes to it.
    pub writable: bool,
}

/// A parsed image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The whole file, for whoever reads its debug information.
    pub elf: Vec<u8>,
    /// What to load, in the order of the file.
    pub segments: Vec<Segment>,
    /// The lowest address with contents to load: where the vector table lies unless a symbol says otherwise.
    pub lowest: u32,
    /// What the image was built for, if it says so. Whether a core executes that is the caller's business.
    pub attributes: Option<Attributes>,
    symbols: BTreeMap<String, u32>,
    functions: BTreeMap<u32, (u32, String)>,
}

impl Image {
    /// Reads and judges a file.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let mut elf = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut elf))
            .map_err(|error| ImageError::Read(path.into(), error))?;
        Self::parse(path, elf)
    }

    /// Judges the bytes of a file; `path` is for messages.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn parse(path: &Path, elf: Vec<u8>) -> Result<Self, ImageError> {
        if elf.len() as u64 > MAX_FILE {
            return Err(ImageError::TooLarge(path.into()));
        }
        let malformed = |error| ImageError::Malformed(path.into(), error);
        let header = FileHeader32::<Endianness>::parse(elf.as_slice()).map_err(malformed)?;
        let endian = header.endian().map_err(malformed)?;
        if endian == Endianness::Big {
            return Err(ImageError::BigEndian(path.into()));
        }
        let machine = header.e_machine(endian);
        if machine != EM_ARM {
            return Err(ImageError::Machine { path: path.into(), found: machine.0 });
        }
        let file = object::read::elf::ElfFile32::<Endianness>::parse(elf.as_slice()).map_err(malformed)?;
        let mut segments = Vec::new();
        for program in header.program_headers(endian, elf.as_slice()).map_err(malformed)? {
            if program.p_type(endian) != PT_LOAD || program.p_memsz(endian).max(program.p_filesz(endian)) == 0 {
                continue;
            }
            let segment = |fault| {
                let (address, bytes) = (program.p_paddr(endian), program.p_filesz(endian));
                ImageError::Segment { path: path.into(), address, bytes, fault }
            };
            let bytes = program.data(endian, elf.as_slice()).map_err(|()| segment(SegmentFault::OutsideFile))?;
            let (address, memory_bytes) = (program.p_paddr(endian), program.p_memsz(endian));
            if (bytes.len() as u64) > u64::from(memory_bytes) {
                return Err(segment(SegmentFault::LargerThanItsMemory));
            }
            let runs_at = program.p_vaddr(endian);
            if u64::from(address.max(runs_at)) + u64::from(memory_bytes) > 1 << 32 {
                return Err(segment(SegmentFault::OutsideAddresses));
            }
            let writable = program.p_flags(endian).0 & PF_W.0 != 0;
            segments.push(Segment { address, bytes: bytes.to_vec(), runs_at, memory_bytes, writable });
        }
        let lowest = lowest_contents(&file, &segments).ok_or_else(|| ImageError::Empty(path.into()))?;
        if let Some(segment) = overlapping(&segments) {
            let (address, bytes) = (segment.address, segment.bytes.len() as u32);
            return Err(ImageError::Segment { path: path.into(), address, bytes, fault: SegmentFault::Overlap });
        }
        let mut symbols = BTreeMap::new();
        let mut functions = BTreeMap::new();
        let mut names = 0;
        for symbol in file.symbols() {
            let (name, address) = (symbol.name().map_err(malformed)?, symbol.address() as u32);
            names += name.len();
            if names > MAX_NAMES {
                return Err(ImageError::TooLarge(path.into()));
            }
            if symbol.kind() == SymbolKind::Text && name.len() <= MAX_DEMANGLED {
                let readable = without_brackets(&format!("{:#}", rustc_demangle::demangle(name)));
                functions.insert(address & !1, (symbol.size() as u32, readable));
            }
            symbols.insert(name.to_owned(), address);
        }
        let attributes = attributes::read(&file);
        Ok(Self { segments, lowest, attributes, symbols, functions, elf })
    }

    /// The address of a symbol.
    pub fn symbol(&self, name: &str) -> Option<u32> {
        self.symbols.get(name).copied()
    }

    /// A word of the contents, by load address.
    pub fn word(&self, address: u32) -> Option<u32> {
        self.segments.iter().find_map(|segment| {
            let bytes = segment.bytes.get(address.checked_sub(segment.address)? as usize..)?;
            bytes.first_chunk().map(|word| u32::from_le_bytes(*word))
        })
    }

    /// The function that holds an address: its name and the offset into it. Functions without a size, as of assembly, reach to the next.
    pub fn function(&self, address: u32) -> Option<(&str, u32)> {
        let (start, (size, name)) = self.functions.range(..=address & !1).next_back()?;
        let offset = (address & !1) - start;
        (offset < if *size == 0 { SIZELESS } else { (*size).max(2) }).then_some((name, offset))
    }

    /// All functions by address: where each begins, its bytes (0 where they are not known) and its name.
    pub fn functions(&self) -> impl Iterator<Item = (u32, u32, &str)> {
        self.functions.iter().map(|(start, (size, name))| (*start, *size, name.as_str()))
    }

    /// The function that holds an address, with the offset into it: `fathom::block::activate+0x1c`, or `?`.
    pub fn place(&self, address: u32) -> String {
        self.function(address).map_or_else(|| "?".into(), |(name, offset)| format!("{name}+{offset:#x}"))
    }

    /// Bytes of the functions whose demangled name `wanted` takes.
    pub fn code_bytes(&self, wanted: impl Fn(&str) -> bool) -> u32 {
        self.functions.values().filter(|(_, name)| wanted(name)).map(|(size, _)| size).sum()
    }

    /// Bytes loaded into `range`.
    pub fn bytes_in(&self, range: std::ops::Range<u32>) -> u32 {
        self.segments.iter().filter(|segment| range.contains(&segment.address)).map(|segment| segment.bytes.len() as u32).sum()
    }
}

/// `Type::method` for the `<Type>::method` of the compiler's newer mangling: a function has one name, whichever compiler built the image.
pub fn without_brackets(name: &str) -> String {
    let mut depth = 0;
    for (at, character) in name.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if !name[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return match name.get(1..at) {
                Some(inner) if name.starts_with('<') && inner.contains("::") && !inner.contains(" as ") => {
                    format!("{inner}{}", &name[at + 1..])
                }
                _ => name.to_owned(),
            };
        }
    }
    name.to_owned()
}

/// The lowest address with contents. The linker may let a segment begin with the headers of the file, so sections, where there are any,
/// know better than segments.
fn lowest_contents<'d>(file: &impl Object<'d>, segments: &[Segment]) -> Option<u32> {
    let filled = || segments.iter().filter(|segment| !segment.bytes.is_empty());
    let lowest_section = file
        .sections()
        .filter(|section| matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & SHF_ALLOC.0 != 0))
        .filter(|section| section.size() > 0 && section.kind() != SectionKind::UninitializedData)
        .filter_map(|section| {
            let address = section.address() as u32;
            let holds = |segment: &&Segment| (address.wrapping_sub(segment.runs_at) as usize) < segment.bytes.len();
            filled().find(holds).map(|segment| segment.address + (address - segment.runs_at))
        })
        .min();
    lowest_section.or_else(|| filled().map(|segment| segment.address).min())
}

/// A segment whose contents would be placed on those of another.
fn overlapping(segments: &[Segment]) -> Option<&Segment> {
    let mut filled: Vec<&Segment> = segments.iter().filter(|segment| !segment.bytes.is_empty()).collect();
    filled.sort_by_key(|segment| segment.address);
    let over = |pair: &&[&Segment]| u64::from(pair[0].address) + pair[0].bytes.len() as u64 > u64::from(pair[1].address);
    filled.windows(2).find(over).map(|pair| pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_one_name_whichever_way_they_were_mangled() {
        for (mangled, plain) in [
            ("<fathom::linear::Linear>::apply", "fathom::linear::Linear::apply"),
            ("<fathom::session::Session<&a::Meter>>::run", "fathom::session::Session<&a::Meter>::run"),
            ("<&u64 as core::fmt::Debug>::fmt", "<&u64 as core::fmt::Debug>::fmt"),
            ("<a::B<fn() -> c::D>>::e", "a::B<fn() -> c::D>::e"),
            ("fathom::block::activate", "fathom::block::activate"),
            ("main", "main"),
            ("<", "<"),
            ("", ""),
        ] {
            assert_eq!(without_brackets(mangled), plain);
        }
    }

    #[test]
    fn rejects_what_is_not_an_arm_image() {
        let path = Path::new("x.elf");
        assert!(matches!(Image::parse(path, Vec::new()), Err(ImageError::Malformed(..))));
        assert!(matches!(
            Image::parse(path, b"hello, this is not an ELF file at all, sorry".to_vec()),
            Err(ImageError::Malformed(..))
        ));
        let mut elf = vec![0u8; 52];
        elf[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1, 1, 1]);
        (elf[16], elf[18], elf[20], elf[40]) = (2, 243, 1, 52); // RISC-V
        assert!(matches!(Image::parse(path, elf.clone()), Err(ImageError::Machine { found: 243, .. })));
        elf[18] = 40;
        assert!(matches!(Image::parse(path, elf), Err(ImageError::Empty(_))));
    }
}
