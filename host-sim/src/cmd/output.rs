//! Files that a command leaves behind: whole or not at all.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Where a file is written before it is moved to `path`.
fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

/// Says before the run, rather than after it, that its result could not be kept.
///
/// # Errors
/// The file cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    let tried = match path.metadata() {
        Ok(there) if there.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => Ok(()),
        _ => std::fs::write(partial(path), "").and_then(|()| std::fs::remove_file(partial(path))),
    };
    tried.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes JSON beside its place, then moves it there: never a partial file.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    write_whole(path, (serde_json::to_string_pretty(value)? + "\n").as_bytes())
}

/// Writes bytes beside their place, then moves them there: never a partial file.
///
/// # Errors
/// The file cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    // A device or a link is written to, not replaced.
    if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()));
    }
    let partial = partial(path);
    let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial); // may not exist; the first error is the one to report
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}
