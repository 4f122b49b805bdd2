//! Names and lines for addresses, by the image's debug information; a function alone where there is none.

use super::functions::Functions;
use crate::image::without_brackets;
use addr2line::Context;
use addr2line::gimli::{Dwarf, DwarfSections, EndianSlice, Error, LittleEndian, SectionId};
use object::elf::FileHeader32;
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSection};
use std::collections::HashMap;

type Bytes<'d> = EndianSlice<'d, LittleEndian>;

/// Most frames of one address: deeper inlining is nonsense of a damaged file.
const MAX_INLINED: usize = 64;
/// Longest name or path that is kept of a file.
const MAX_TEXT: usize = 4096;

/// A place in a source file, by numbers of [`Symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// Number of the file.
    pub file: u32,
    /// Line, from 1.
    pub line: u32,
}

/// One function that an address is in, with the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Number of the name.
    pub name: u32,
    /// The place; none where it is not known.
    pub line: Option<Line>,
}

/// A source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// What reports call it: without the folders of the machine that built the image.
    pub shown: String,
    /// The path as the image has it.
    pub path: String,
}

/// Resolves addresses and numbers names.
pub struct Symbols<'d> {
    context: Option<Context<Bytes<'d>>>,
    folders: Vec<String>,
    names: Vec<String>,
    name_numbers: HashMap<String, u32>,
    files: Vec<File>,
    file_numbers: HashMap<String, u32>,
    frames: HashMap<u32, Vec<Frame>>,
    /// Count what was inlined as part of the function that it was inlined into.
    linked: bool,
    /// What is wrong with the debug information, one line each.
    pub warnings: Vec<String>,
}

impl<'d> Symbols<'d> {
    /// Reads the debug information of an ELF file. Damaged information costs lines, not the profile. `linked` counts what was inlined as
    /// part of the function that it was inlined into.
    pub fn new(elf: &'d [u8], linked: bool) -> Self {
        let (mut warnings, mut folders) = (Vec::new(), Vec::new());
        let context = match sections(elf) {
            None => {
                warnings
                    .push("the image has no debug information: functions only; build it with debug = 2 or -g for lines".into());
                None
            }
            Some(Err(damage)) => {
                warnings.push(damage);
                None
            }
            Some(Ok(sections)) => match context(&sections, &mut folders) {
                Ok(context) => Some(context),
                Err(error) => {
                    warnings.push(format!("the debug information is damaged ({error}): functions only; link the image again"));
                    None
                }
            },
        };
        // The longest folder first, so that the innermost is taken off.
        folders.sort_by_key(|folder| (std::cmp::Reverse(folder.len()), folder.clone()));
        folders.dedup();
        let (names, name_numbers, files, file_numbers, frames) = Default::default();
        Self { context, folders, names, name_numbers, files, file_numbers, frames, linked, warnings }
    }

    /// The name with this number.
    pub fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    /// How many names there are.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// The file with this number.
    pub fn file(&self, number: u32) -> &File {
        &self.files[number as usize]
    }

    /// The number of a name, a new one if it has none.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.name_numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.name_numbers.insert(name.to_owned(), number);
        number
    }

    /// The functions that an address of `function` is in, the outermost (`function` itself) first, then what was inlined.
    pub fn frames(&mut self, functions: &Functions, function: u32, address: u32) -> Vec<Frame> {
        if let Some(frames) = self.frames.get(&address) {
            return frames.clone();
        }
        let found = self.look_up(address);
        let outer = functions.get(function).name.clone();
        let outer = outer.or_else(|| found.last().and_then(|(name, _)| name.clone()));
        let outer = outer.unwrap_or_else(|| format!("{:#010x}", functions.get(function).start));
        let mut frames = Vec::new();
        let shown = if self.linked { 1 } else { MAX_INLINED };
        for (depth, (name, line)) in found.into_iter().rev().take(shown).enumerate() {
            let name = match name {
                Some(name) if depth > 0 => self.number(&name),
                _ if depth > 0 => self.number("?"),
                _ => self.number(&outer),
            };
            frames.push(Frame { name, line });
        }
        if frames.is_empty() {
            frames.push(Frame { name: self.number(&outer), line: None });
        }
        self.frames.insert(address, frames.clone());
        frames
    }

    /// What the debug information says of an address, the innermost function first.
    fn look_up(&mut self, address: u32) -> Vec<(Option<String>, Option<Line>)> {
        let Some(context) = &self.context else { return Vec::new() };
        let mut found = Vec::new();
        let result = context.find_frames(address.into()).skip_all_loads().and_then(|mut frames| {
            while let Some(frame) = frames.next()? {
                let name = match &frame.function {
                    Some(function) if function.name.len() <= MAX_TEXT => {
                        function.demangle().ok().map(|name| without_brackets(&name))
                    }
                    _ => None,
                };
                let place = frame.location.and_then(|location| Some((location.file?.to_owned(), location.line?)));
                found.push((name, place.filter(|(path, _)| path.len() <= MAX_TEXT)));
                if found.len() == MAX_INLINED {
                    break;
                }
            }
            Ok(())
        });
        if let Err(error) = result {
            let warning = format!("the debug information is damaged ({error}): some lines are missing; link the image again");
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        let number = |place: Option<(String, u32)>| {
            let (path, line) = place.filter(|(_, line)| *line > 0)?;
            Some(Line { file: self.file_number(path), line })
        };
        let (names, places): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        names.into_iter().zip(places.into_iter().map(number).collect::<Vec<_>>()).collect()
    }

    fn file_number(&mut self, path: String) -> u32 {
        if let Some(number) = self.file_numbers.get(&path) {
            return *number;
        }
        let number = self.files.len() as u32;
        self.files.push(File { shown: shown(&path, &self.folders), path: path.clone() });
        self.file_numbers.insert(path, number);
        number
    }
}

/// The sections with debug information; none where there is none, and what is wrong where they cannot be read.
fn sections(elf: &[u8]) -> Option<Result<DwarfSections<&[u8]>, String>> {
    let file = ElfFile::<FileHeader32<Endianness>>::parse(elf).ok()?;
    file.section_by_name(".debug_info")?;
    let load = |id: SectionId| match file.section_by_name(id.name()) {
        None => Ok(&[][..]),
        Some(section) => match section.compressed_file_range() {
            Ok(range) if range.format != object::CompressionFormat::None => {
                Err(format!("{} is compressed: functions only; link the image without -gz for lines", id.name()))
            }
            _ => section.data().map_err(|_| format!("{} lies outside the file: functions only; copy the image again", id.name())),
        },
    };
    Some(DwarfSections::load(load))
}

/// The context for look-ups, and the folders in which the image was built.
fn context<'d>(sections: &DwarfSections<&'d [u8]>, folders: &mut Vec<String>) -> Result<Context<Bytes<'d>>, Error> {
    let dwarf: Dwarf<Bytes<'d>> = sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let folder = dwarf.unit(header)?.comp_dir.map(|folder| folder.to_string_lossy().into_owned());
        folders.extend(folder.filter(|folder| (2..=MAX_TEXT).contains(&folder.len())));
    }
    Context::from_dwarf(dwarf)
}

/// A path without what depends on the machine: registry sources by their package, the standard library by its crate, and everything
/// else relative to the folder that it was built in.
fn shown(path: &str, folders: &[String]) -> String {
    let path = path.replace('\\', "/");
    if let Some((_, rest)) = path.split_once("/registry/src/")
        && let Some((_, rest)) = rest.split_once('/')
    {
        return rest.to_owned();
    }
    if (path.contains("/rust/") || path.starts_with("/rustc/") || path.contains("/rustc-"))
        && let Some((_, rest)) = path.split_once("/library/")
    {
        return rest.to_owned();
    }
    let inside = folders.iter().find_map(|folder| path.strip_prefix(folder.as_str())?.strip_prefix('/'));
    inside.unwrap_or(&path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_do_not_depend_on_the_machine() {
        let folders = ["/builds/project".to_owned()];
        for (path, expected) in [
            ("/builds/project/runtime/src/lib.rs", "runtime/src/lib.rs"),
            ("/any/registry/src/index-0123/half-2.7.1/src/lib.rs", "half-2.7.1/src/lib.rs"),
            ("/rustc/abc/library/core/src/ptr/mod.rs", "core/src/ptr/mod.rs"),
            ("/usr/lib/rustlib/src/rust/library/core/src/ptr/mod.rs", "core/src/ptr/mod.rs"),
            ("/usr/include/stdio.h", "/usr/include/stdio.h"),
            ("/builds/projector/x.c", "/builds/projector/x.c"),
        ] {
            assert_eq!(shown(path, &folders), expected);
        }
    }
}
