//! A firmware image: an ELF file for a Cortex-M, judged before anything of it is executed.

use object::elf::{EM_ARM, FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a file is not an image for this core.
#[derive(Debug)]
pub enum ImageError {
    /// The file cannot be read.
    Read(PathBuf, std::io::Error),
    /// Not a 32-bit little-endian ELF, or a malformed one.
    Malformed(PathBuf, object::Error),
    /// For another machine.
    Machine {
        /// The file.
        path: PathBuf,
        /// `e_machine` as found; Arm is 40.
        found: u16,
    },
    /// For another Arm architecture than the M profile that this core executes.
    Architecture {
        /// The file.
        path: PathBuf,
        /// `Tag_CPU_arch` as found; Armv6-M is 11, Armv7-M is 10, Armv7E-M is 13.
        found: u64,
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
            Self::Architecture { path, found } => write!(
                f,
                "{} is for Arm architecture {found}, which a Cortex-M4 does not execute: build it for thumbv7em-none-eabihf",
                path.display()
            ),
            Self::Empty(path) => write!(f, "{} has no loadable segment", path.display()),
        }
    }
}

impl std::error::Error for ImageError {}

/// One run of bytes to place before reset.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Load (physical) address.
    pub address: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A parsed image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The whole file, for the log decoder.
    pub elf: Vec<u8>,
    /// What to load.
    pub segments: Vec<Segment>,
    symbols: BTreeMap<String, u32>,
    functions: BTreeMap<u32, (u32, String)>,
}

impl Image {
    /// Reads and judges a file.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let elf = std::fs::read(path).map_err(|error| ImageError::Read(path.into(), error))?;
        Self::parse(path, elf)
    }

    /// Judges the bytes of a file; `path` is for messages.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn parse(path: &Path, elf: Vec<u8>) -> Result<Self, ImageError> {
        let malformed = |error| ImageError::Malformed(path.into(), error);
        let header = FileHeader32::<Endianness>::parse(elf.as_slice()).map_err(malformed)?;
        let endian = header.endian().map_err(malformed)?;
        let machine = header.e_machine(endian);
        if machine != EM_ARM {
            return Err(ImageError::Machine { path: path.into(), found: machine.0 });
        }
        let file = object::read::elf::ElfFile32::<Endianness>::parse(elf.as_slice()).map_err(malformed)?;
        if let Some((found, profile)) = architecture(&file)
            && !([10, 11, 12, 13].contains(&found) && profile == u64::from(b'M'))
        {
            return Err(ImageError::Architecture { path: path.into(), found });
        }
        let mut segments = Vec::new();
        for program in header.program_headers(endian, elf.as_slice()).map_err(malformed)? {
            if program.p_type(endian) == PT_LOAD && program.p_filesz(endian) > 0 {
                let bytes = program.data(endian, elf.as_slice()).map_err(|()| malformed_segment(path))?;
                segments.push(Segment { address: program.p_paddr(endian), bytes: bytes.to_vec() });
            }
        }
        if segments.is_empty() {
            return Err(ImageError::Empty(path.into()));
        }
        let mut symbols = BTreeMap::new();
        let mut functions = BTreeMap::new();
        for symbol in file.symbols() {
            let (Ok(name), address) = (symbol.name(), symbol.address() as u32) else { continue };
            if symbol.kind() == SymbolKind::Text {
                let readable = format!("{:#}", rustc_demangle::demangle(name));
                functions.insert(address & !1, (symbol.size() as u32, readable));
            }
            symbols.insert(name.to_owned(), address);
        }
        Ok(Self { segments, symbols, functions, elf })
    }

    /// The address of a symbol.
    pub fn symbol(&self, name: &str) -> Option<u32> {
        self.symbols.get(name).copied()
    }

    /// The function that holds an address, with the offset into it: `fathom::block::activate+0x1c`, or `?`.
    pub fn place(&self, address: u32) -> String {
        match self.functions.range(..=address & !1).next_back() {
            Some((start, (size, name))) if address & !1 < start + (*size).max(2) => {
                format!("{name}+{:#x}", (address & !1) - start)
            }
            _ => "?".into(),
        }
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

fn malformed_segment(path: &Path) -> ImageError {
    let error = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "a segment lies outside the file");
    ImageError::Read(path.into(), error)
}

/// `Tag_CPU_arch` and `Tag_CPU_arch_profile` of `.ARM.attributes` (Addenda to the Arm ABI, IHI0045): `A`, then `aeabi`, then tag-value
/// pairs in ascending order.
fn architecture<'d>(file: &impl Object<'d>) -> Option<(u64, u64)> {
    let section = file.section_by_name(".ARM.attributes")?;
    let data = section.data().ok()?;
    // 'A', u32 length, "aeabi\0", File tag (1), u32 length
    let mut rest = data.get(1 + 4 + 6 + 1 + 4..)?;
    let (mut architecture, mut profile) = (None, 0);
    while let Some(tag) = leb128(&mut rest) {
        match tag {
            6 => architecture = Some(leb128(&mut rest)?),
            7 => profile = leb128(&mut rest)?,
            // Tags with strings: CPU_raw_name, CPU_name, compatibility's second part, and odd tags above 32.
            4 | 5 => skip_string(&mut rest),
            32 => {
                leb128(&mut rest)?;
                skip_string(&mut rest);
            }
            tag if tag > 32 && tag % 2 == 1 => skip_string(&mut rest),
            _ => {
                leb128(&mut rest)?;
            }
        }
    }
    Some((architecture?, profile))
}

fn leb128(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn skip_string(rest: &mut &[u8]) {
    let end = rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |end| end + 1);
    *rest = &rest[end..];
}

#[cfg(test)]
mod tests {
    use super::*;

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
