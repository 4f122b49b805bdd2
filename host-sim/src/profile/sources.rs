//! Lines of source files, where this machine has them.

use super::symbols::File;
use std::collections::HashMap;
use std::path::Path;

/// Largest file that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Source files that were asked for.
#[derive(Debug, Default)]
pub struct Sources {
    files: HashMap<String, Option<Vec<String>>>,
}

impl Sources {
    /// A line of a file, without the space around it; none where the file is not here. A file that is not where the image was built is
    /// looked for below the current folder.
    pub fn line(&mut self, file: &File, line: u32) -> Option<&str> {
        let find = || read(Path::new(&file.path)).or_else(|| read(Path::new(&file.shown)));
        let lines = self.files.entry(file.path.clone()).or_insert_with(find);
        let text = lines.as_ref()?.get((line as usize).checked_sub(1)?)?;
        (!text.is_empty()).then_some(text)
    }
}

fn read(path: &Path) -> Option<Vec<String>> {
    let there = path.metadata().ok()?;
    if !there.is_file() || there.len() > MAX_BYTES {
        return None;
    }
    let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
    Some(text.lines().map(|line| line.trim().replace(|character: char| character.is_control(), " ")).collect())
}
