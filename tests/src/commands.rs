//! Runs the two programs as a user does, and judges what they print and leave behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What a program said and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// Its results.
    pub stdout: String,
    /// Its diagnostics.
    pub stderr: String,
}

/// The folder of the programs, built first if anything changed (cargo decides): a test of one package alone would not build them.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let this = std::env::current_exe().expect("this program has a path");
        // TARGET/PROFILE/deps/this
        let folder = this.ancestors().nth(2).expect("cargo puts tests three folders deep");
        let profile = folder.file_name().and_then(|name| name.to_str()).expect("a profile's folder has its name");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--profile"]);
        build.arg(if profile == "debug" { "dev" } else { profile });
        // This package too, so that the features of shared dependencies, and with them their builds, are those of the tests.
        build.args(["-p", "fathom-exporter", "-p", "fathom-host-sim", "-p", "fathom-tests", "--target-dir"]);
        // What cargo told this program about its package, build scripts would take for news and build their crates again.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
                build.env_remove(name);
            }
        }
        let status = build.arg(folder.parent().expect("a profile's folder lies in the target folder")).status();
        assert!(status.expect("cargo runs").success(), "the programs do not build");
        folder.into()
    })
}

/// The exporter, not yet started.
pub fn exporter(arguments: &[&str]) -> Command {
    program("exporter", arguments)
}

/// The simulator, not yet started.
pub fn host_sim(arguments: &[&str]) -> Command {
    program("host-sim", arguments)
}

fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(programs().join(name));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end.
///
/// # Panics
/// The program cannot be started, or prints what is not UTF-8.
pub fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the programs print UTF-8");
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs to the end, which must be a good one, and gives the standard output.
///
/// # Panics
/// The exit code is not 0.
pub fn succeed(command: &mut Command) -> String {
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{command:?}: {}", ran.stderr);
    ran.stdout
}

/// Runs a command that must be refused with one line that has every one of `parts`, and must leave `folder` as it was.
///
/// # Panics
/// It is not.
pub fn refuse(command: &mut Command, folder: &Path, parts: &[&str]) {
    let before = contents(folder);
    let ran = run(command);
    let program = Path::new(command.get_program()).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    assert_eq!(ran.code, Some(1), "{command:?}: {ran:?}");
    assert!(ran.stderr.starts_with(&format!("{program}: ")), "{command:?}: {}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{command:?}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{command:?}");
    for part in parts {
        assert!(ran.stderr.contains(part), "{command:?} does not say \"{part}\": {}", ran.stderr);
    }
    let after = contents(folder);
    let names = |contents: &BTreeMap<PathBuf, Option<Vec<u8>>>| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "{command:?} leaves other files");
    assert!(after == before, "{command:?} changes a file");
}

/// Every file below a folder with its bytes, and every folder.
///
/// # Panics
/// Something cannot be read.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(contents(&path));
            found.insert(path, None);
        } else {
            let bytes = std::fs::read(&path).expect("a file of a test can be read");
            found.insert(path, Some(bytes));
        }
    }
    found
}

/// A folder of its own for one test, with the tiny text in it.
#[derive(Debug)]
pub struct Scene(tempfile::TempDir);

impl Default for Scene {
    fn default() -> Self {
        let scene = Self(tempfile::tempdir().expect("a temporary folder"));
        scene.write("corpus.txt", crate::checkpoints::tiny_text().as_bytes());
        scene
    }
}

impl Scene {
    /// The folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The path of something in it, as text for a command line.
    ///
    /// # Panics
    /// The system's temporary folder is not UTF-8.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).into_os_string().into_string().expect("temporary folders are UTF-8")
    }

    /// Puts a file into it and gives its path.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file of a test can be written");
        path
    }

    /// Copies a committed checkpoint into it and gives its path.
    ///
    /// # Panics
    /// It cannot be copied.
    pub fn checkpoint(&self, name: &str) -> String {
        let copy = self.path(name);
        std::fs::create_dir(&copy).expect("a folder of a test can be made");
        for file in ["config.json", "model.safetensors"] {
            let from = crate::checkpoints::path("checkpoints").join(name).join(file);
            std::fs::copy(from, Path::new(&copy).join(file)).expect("the checkpoint is committed");
        }
        copy
    }

    /// The blob of a committed checkpoint, calibrated if it has routers.
    ///
    /// # Panics
    /// A step fails.
    pub fn blob(&self, name: &str) -> String {
        let (checkpoint, blob) = (self.checkpoint(name), self.path(&format!("{name}.fathom")));
        if name != "dense" {
            succeed(&mut exporter(&[
                "calibrate",
                &checkpoint,
                "--corpus",
                &self.path("corpus.txt"),
                "--targets",
                "0,0.3",
                "--default",
                "0.3",
            ]));
        }
        succeed(&mut exporter(&["export", &checkpoint, "--out", &blob]));
        blob
    }
}
