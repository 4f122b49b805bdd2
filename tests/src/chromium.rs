//! Looks at a page in headless Chromium: what it draws, what becomes of its document, what it complains about.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest that one look may take; a page takes about a second.
const LIMIT: Duration = Duration::from_secs(120);
/// What makes Chromium say the page's console messages on stderr, and marks them there.
const CONSOLE: &str = ":CONSOLE";

/// The size of the window in CSS pixels, and whether its user likes it dark.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// `prefers-color-scheme: dark`.
    pub dark: bool,
}

/// A picture, `[height, width]` pixels of red, green, blue.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Its pixels, row by row.
    pub pixels: Vec<[u8; 3]>,
}

/// A page as Chromium has it after its scripts ran.
#[derive(Clone, Debug)]
pub struct Document {
    /// The document as HTML.
    pub html: String,
    /// Lines that the page, or Chromium about the page, wrote to the console.
    pub console: Vec<String>,
}

/// The drawing of a page.
///
/// # Panics
/// Chromium is missing, or draws nothing that is a PNG of 8 bits.
pub fn picture(page: &Path, window: Window) -> Picture {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("page.png");
    chromium(page, window, &[&format!("--screenshot={}", file.display())]);
    let bytes = std::fs::read(file).expect("Chromium writes its screenshot");
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().expect("a PNG");
    let mut samples = vec![0; reader.output_buffer_size().expect("a picture that fits into memory")];
    let info = reader.next_frame(&mut samples).expect("a whole PNG");
    let channels = info.color_type.samples();
    assert!(channels >= 3, "{:?}", info.color_type);
    let pixels = samples[..info.buffer_size()].chunks_exact(channels).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Picture { width: info.width, height: info.height, pixels }
}

/// A page's document.
///
/// # Panics
/// Chromium is missing.
pub fn document(page: &Path, window: Window) -> Document {
    let (html, log) = chromium(page, window, &["--dump-dom", "--enable-logging=stderr", "--v=0"]);
    Document { html, console: log.lines().filter(|line| line.contains(CONSOLE)).map(str::to_owned).collect() }
}

/// What Chromium writes to stdout and stderr.
fn chromium(page: &Path, window: Window, options: &[&str]) -> (String, String) {
    let profile = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("chromium");
    // No sandbox: it needs rights that containers and root do not have, and the page is ours.
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
    ]);
    command.args(["--force-device-scale-factor=1", "--disable-background-networking"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("--window-size={},{}", window.width, window.height));
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!window.dark)));
    command.args(options).arg(format!("file://{}", page.display()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("chromium starts: install Debian's package chromium (`make test` does)");
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = drain(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = drain(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("a child can be killed");
            panic!("chromium took longer than {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(10));
    };
    let text = |reader: thread::JoinHandle<String>| reader.join().expect("a reader of a pipe does not panic");
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "chromium: {status}: {stderr}");
    (stdout, stderr)
}
