//! Finds the workspace and builds the firmware image by its own script.

use crate::machine::cores::{Architecture, CoreSpec};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The script that knows how to build the image, relative to the workspace.
const BUILD_SCRIPT: &str = "firmware/build-image";
/// The target of the image that is built where nobody asks for another.
pub const DEFAULT_TARGET: &str = "thumbv7em-none-eabihf";

/// The target triple whose image makes the most of a core.
pub fn target(core: &CoreSpec) -> &'static str {
    match (core.architecture, core.dsp, core.float.is_some()) {
        (Architecture::V6M, ..) => "thumbv6m-none-eabi",
        (Architecture::V7M, true, true) => DEFAULT_TARGET,
        (Architecture::V7M, true, false) => "thumbv7em-none-eabi",
        (Architecture::V8M, true, true) => "thumbv8m.main-none-eabihf",
        // Armv8-M executes it too, and of its options these instructions need none.
        (Architecture::V7M | Architecture::V8M, ..) => "thumbv7m-none-eabi",
    }
}

/// Builds the image that makes the most of `core`, or the default one, and returns its path.
///
/// # Errors
/// Those of [`build`].
pub fn build_for(workspace: &Path, core: Option<&CoreSpec>) -> Result<PathBuf> {
    build(workspace, core.map_or(DEFAULT_TARGET, target))
}

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

/// Builds the image for `target` if anything changed (cargo decides) and returns its path.
///
/// # Errors
/// The script fails; what it printed went to stderr.
pub fn build(workspace: &Path, target: &str) -> Result<PathBuf> {
    build_with(workspace, &[target])
}

/// Builds the image of int8 models alone and returns its path.
///
/// # Errors
/// Those of [`build`].
pub fn build_int8(workspace: &Path, target: &str) -> Result<PathBuf> {
    build_with(workspace, &["--int8", target])
}

/// Builds the image with other libraries' kernels and returns its path.
///
/// # Errors
/// Those of [`build`].
pub fn build_peers(workspace: &Path, target: &str) -> Result<PathBuf> {
    build_with(workspace, &["--peers", target])
}

fn build_with(workspace: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let script = workspace.join(BUILD_SCRIPT);
    let output = Command::new(&script)
        .args(arguments)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::cores::core;

    #[test]
    fn every_core_has_an_image_with_its_extensions() {
        let target = |name| target(core(name).unwrap());
        assert_eq!(target("cortex-m0plus"), "thumbv6m-none-eabi");
        assert_eq!(target("cortex-m3"), "thumbv7m-none-eabi");
        assert_eq!(target("cortex-m4-nofpu"), "thumbv7em-none-eabi");
        assert_eq!(target("cortex-m4"), DEFAULT_TARGET);
        assert_eq!(target("cortex-m7"), DEFAULT_TARGET);
        assert_eq!(target("cortex-m33"), "thumbv8m.main-none-eabihf");
    }
}
