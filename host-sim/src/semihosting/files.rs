//! What the guest has open: the console, the feature bits, and files of one folder of the host.
//!
//! The folder is opened once, and every path is resolved below it (openat, no `..` above it, no absolute path, no symbolic link that
//! leaves it), so nothing outside can be named. Only regular files are opened: a pipe would hang the run.

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Most handles at once.
const MOST_OPEN: usize = 64;
/// Most bytes that one run writes to files.
const MOST_WRITTEN: u64 = 1 << 30;
/// Contents of `:semihosting-features`: its magic number, then exit codes and separate error output are supported.
const FEATURES: [u8; 5] = [b'S', b'H', b'F', b'B', 0b11];

/// Why a call failed: the error numbers of newlib and of Linux, which agree here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errno(pub(super) u32);

impl Errno {
    pub(super) const NO_ENTRY: Self = Self(2);
    pub(super) const IO: Self = Self(5);
    pub(super) const BAD_HANDLE: Self = Self(9);
    pub(super) const ACCESS: Self = Self(13);
    pub(super) const FAULT: Self = Self(14);
    pub(super) const IS_FOLDER: Self = Self(21);
    pub(super) const INVALID: Self = Self(22);
    pub(super) const TOO_MANY: Self = Self(24);
    pub(super) const FULL: Self = Self(28);
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            // Above 34 the numbers differ between systems.
            Some(number @ 1..=34) => Self(number.unsigned_abs()),
            _ if error.kind() == io::ErrorKind::NotFound => Self::NO_ENTRY,
            // cap-std says so of a path that leaves the folder.
            _ if error.kind() == io::ErrorKind::PermissionDenied => Self::ACCESS,
            _ => Self::IO,
        }
    }
}

/// What a handle stands for.
pub(super) enum Open {
    Input,
    Output,
    Error,
    /// `:semihosting-features`, with the position in it.
    Features(usize),
    File(File),
}

/// All open handles, and the folder.
#[derive(Default)]
pub(super) struct Files {
    folder: Option<Dir>,
    open: Vec<Option<Open>>,
    written: u64,
}

impl Files {
    /// Files below `folder`.
    pub(super) fn below(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: Some(Dir::open_ambient_dir(folder, ambient_authority())?), ..Self::default() })
    }

    fn folder(&self) -> Result<&Dir, Errno> {
        self.folder.as_ref().ok_or(Errno::ACCESS)
    }

    /// The handle, from 1 up.
    pub(super) fn open(&mut self, path: &str, mode: u32) -> Result<u32, Errno> {
        let slot = match self.open.iter().position(Option::is_none) {
            Some(free) => free,
            None if self.open.len() < MOST_OPEN => {
                self.open.push(None);
                self.open.len() - 1
            }
            None => return Err(Errno::TOO_MANY),
        };
        let open = match (path, mode) {
            (":tt", 0..=3) => Open::Input,
            (":tt", 4..=7) => Open::Output,
            (":tt", 8..=11) => Open::Error,
            (":semihosting-features", 0 | 1) => Open::Features(0),
            (_, 0..=11) if !path.starts_with(':') => Open::File(self.open_file(path, mode)?),
            _ => return Err(Errno::INVALID),
        };
        self.open[slot] = Some(open);
        Ok(slot as u32 + 1)
    }

    /// Modes are those of fopen: r, r+, w, w+, a, a+, each as text and as binary.
    fn open_file(&self, path: &str, mode: u32) -> Result<File, Errno> {
        let folder = self.folder()?;
        if let Ok(there) = folder.metadata(path)
            && !there.is_file()
        {
            return Err(if there.is_dir() { Errno::IS_FOLDER } else { Errno::ACCESS });
        }
        let (kind, plus) = (mode / 4, mode & 2 != 0);
        let mut options = OpenOptions::new();
        options.read(kind == 0 || plus).write(kind == 1 || kind == 0 && plus);
        options.append(kind == 2).create(kind != 0).truncate(kind == 1);
        Ok(folder.open_with(path, &options)?)
    }

    pub(super) fn get(&mut self, handle: u32) -> Result<&mut Open, Errno> {
        let open = (handle as usize).checked_sub(1).and_then(|slot| self.open.get_mut(slot));
        open.and_then(Option::as_mut).ok_or(Errno::BAD_HANDLE)
    }

    pub(super) fn close(&mut self, handle: u32) -> Result<(), Errno> {
        self.get(handle)?;
        self.open[handle as usize - 1] = None;
        Ok(())
    }

    /// Writes all of `bytes` to the file.
    pub(super) fn write(&mut self, handle: u32, bytes: &[u8]) -> Result<(), Errno> {
        let written = self.written + bytes.len() as u64;
        let Open::File(file) = self.get(handle)? else { return Err(Errno::BAD_HANDLE) };
        if written > MOST_WRITTEN {
            return Err(Errno::FULL);
        }
        file.write_all(bytes)?;
        self.written = written;
        Ok(())
    }

    pub(super) fn seek(&mut self, handle: u32, position: u32) -> Result<(), Errno> {
        match self.get(handle)? {
            Open::File(file) => {
                file.seek(SeekFrom::Start(u64::from(position)))?;
            }
            Open::Features(at) => *at = position as usize,
            Open::Input | Open::Output | Open::Error => return Err(Errno::INVALID),
        }
        Ok(())
    }

    pub(super) fn length(&mut self, handle: u32) -> Result<u32, Errno> {
        match self.get(handle)? {
            Open::File(file) => i32::try_from(file.metadata()?.len()).map(i32::unsigned_abs).map_err(|_| Errno::INVALID),
            Open::Features(_) => Ok(FEATURES.len() as u32),
            Open::Input | Open::Output | Open::Error => Ok(0),
        }
    }

    pub(super) fn remove(&self, path: &str) -> Result<(), Errno> {
        Ok(self.folder()?.remove_file(path)?)
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        let folder = self.folder()?;
        Ok(folder.rename(from, folder, to)?)
    }
}

impl Open {
    /// Reads at most `into.len()` bytes; 0 is the end. `input` is the console's.
    pub(super) fn read(&mut self, into: &mut [u8], input: &mut dyn Read) -> Result<usize, Errno> {
        let retried = |reader: &mut dyn Read, into: &mut [u8]| loop {
            match reader.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        };
        match self {
            Self::Input => Ok(retried(input, into)?),
            Self::File(file) => Ok(retried(file, into)?),
            Self::Features(at) => {
                let rest = FEATURES.get(*at..).unwrap_or_default();
                let count = rest.len().min(into.len());
                into[..count].copy_from_slice(&rest[..count]);
                *at += count;
                Ok(count)
            }
            Self::Output | Self::Error => Err(Errno::BAD_HANDLE),
        }
    }
}
