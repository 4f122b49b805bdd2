//! Files that a command leaves behind: whole or not at all.

use anyhow::{Context, Result};
use std::io::{Write, sink, stderr, stdout};
use std::path::{Path, PathBuf};

/// Where a file is written before it is moved to `path`.
fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

/// What `path` leads to over links, there or not: that is written, and no link is replaced.
fn place(path: &Path) -> PathBuf {
    let mut place = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(target) = place.read_link() else { break };
        place = place.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    place
}

/// Links in a row that are followed, as many as Linux does.
const MOST_LINKS: usize = 40;

/// Whether JSON goes to standard output (`-`), which then carries nothing else.
pub fn is_for_standard_output(json: Option<&Path>) -> bool {
    json.is_some_and(|path| path.as_os_str() == "-")
}

/// Where tables go: standard output, or nowhere when it carries JSON.
pub fn tables(json: Option<&Path>) -> Box<dyn Write> {
    if is_for_standard_output(json) { Box::new(sink()) } else { Box::new(stdout()) }
}

/// Where the verdict on a budget goes: standard output, or standard error when the former carries JSON.
pub fn verdict(json: Option<&Path>) -> Box<dyn Write> {
    if is_for_standard_output(json) { Box::new(stderr()) } else { Box::new(stdout()) }
}

/// Says before the run, rather than after it, that its result could not be kept.
///
/// # Errors
/// The file cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    let tried = match path.metadata() {
        _ if is_for_standard_output(Some(path)) => Ok(()),
        Ok(there) if there.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => Ok(()),
        _ => {
            let partial = partial(&place(path));
            std::fs::write(&partial, "").and_then(|()| std::fs::remove_file(&partial))
        }
    };
    tried.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes JSON beside its place, then moves it there: never a partial file. `-` is standard output.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    if is_for_standard_output(Some(path)) {
        return stdout().write_all(text.as_bytes()).context("cannot write to standard output");
    }
    write_whole(path, text.as_bytes())
}

/// Writes bytes beside their place, then moves them there: never a partial file.
///
/// # Errors
/// The file cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display())); // a device
    }
    let place = place(path);
    let partial = partial(&place);
    let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, &place));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial); // may not exist; the first error is the one to report
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}
