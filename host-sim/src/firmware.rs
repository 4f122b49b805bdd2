//! Finds the workspace and builds the firmware image by its own script.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The script that knows how to build the image, relative to the workspace.
const BUILD_SCRIPT: &str = "firmware/build-image";

/// The workspace: the nearest folder at or above the current one that holds the build script.
///
/// # Errors
/// None is found.
pub fn workspace() -> Result<PathBuf> {
    let current = std::env::current_dir().context("cannot tell the current folder")?;
    match current.ancestors().find(|folder| folder.join(BUILD_SCRIPT).is_file()) {
        Some(folder) => Ok(folder.into()),
        None => bail!("no {BUILD_SCRIPT} at or above {}: run inside the project, or give --image and --model", current.display()),
    }
}

/// Builds the image if anything changed (cargo decides) and returns its path.
///
/// # Errors
/// The script fails; what it printed went to stderr.
pub fn build(workspace: &Path) -> Result<PathBuf> {
    let script = workspace.join(BUILD_SCRIPT);
    let output = Command::new(&script)
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !output.status.success() {
        bail!("{} failed ({}): its messages are above", script.display(), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(line) = text.lines().next_back() else { bail!("{} printed no path", script.display()) };
    Ok(PathBuf::from(line))
}
