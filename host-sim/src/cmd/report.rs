//! `host-sim report`: runs as a page for people.

use crate::cmd::output::{check_writable, write_whole};
use crate::page::{MAX_RUNS, Run, render};
use crate::report::Report;
use anyhow::{Result, bail};
use clap::Parser;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

/// Show runs as one self-contained page: text shaded by depth, cycles, memory; several runs side by side
#[derive(Parser, Debug)]
#[command(after_help = "\
The page needs no network and no server: open it in a browser, attach it to a mail, keep it with a build.

Examples:
  host-sim report run.json -o report.html
  host-sim report before.json after.json -o report.html")]
pub struct Cmd {
    /// Reports of `host-sim run --json`; differences are to the first
    #[arg(required = true, value_name = "RUN.json")]
    runs: Vec<PathBuf>,
    /// Where to write the page
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

impl Cmd {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// A file that is no report, or a page that cannot be written.
    pub fn run(self) -> Result<u8> {
        if self.runs.len() > MAX_RUNS {
            bail!("{} runs do not fit on a page: give at most {MAX_RUNS}", self.runs.len());
        }
        let reports = self.runs.iter().map(|path| Report::read(path)).collect::<Result<Vec<_>, _>>()?;
        check_writable(&self.out)?;
        let names = names(&self.runs);
        let runs: Vec<Run> = names.into_iter().zip(reports).map(|(name, report)| Run { name, report }).collect();
        let page = render(&runs);
        write_whole(&self.out, page.as_bytes())?;
        let plural = if runs.len() == 1 { "" } else { "s" };
        writeln!(stdout(), "{}: {} bytes, {} run{plural}", self.out.display(), page.len(), runs.len())?;
        Ok(0)
    }
}

/// Names for people: the files' names without their extension, or the whole paths where these are not enough to tell them apart.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let stem = |path: &Path| path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let stems: Vec<String> = paths.iter().map(|path| stem(path)).collect();
    let unique = stems.iter().all(|name| stems.iter().filter(|other| *other == name).count() == 1);
    if unique { stems } else { paths.iter().map(|path| path.display().to_string()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_their_files_while_that_tells_them_apart() {
        let names = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["a/base.json", "b/new.json"]), ["base", "new"]);
        assert_eq!(names(&["a/run.json", "b/run.json"]), ["a/run.json", "b/run.json"]);
    }
}
