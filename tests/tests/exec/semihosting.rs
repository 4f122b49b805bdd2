use fathom_host_sim::board::{Board, End, Event};
use fathom_host_sim::image::Image;
use fathom_host_sim::machine::Machine;
use fathom_host_sim::machine::cores::CORTEX_M4;
use fathom_host_sim::memory_map::{MemoryMap, Wishes};
use fathom_host_sim::semihosting::Output;
use fathom_tests::commands::contents;
use fathom_tests::guests::guest;
use std::io::Cursor;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// Where the parameter block of every call lies, and where its text does.
const BLOCK: u32 = 0x2000_0100;
const TEXT: u32 = 0x2000_0400;
const BUFFER: u32 = 0x2000_0800;
const FAILED: u32 = u32::MAX;
const READ: u32 = 1;
const READ_WRITE: u32 = 3;
const WRITE: u32 = 5;
const APPEND: u32 = 9;

/// A guest whose calls the test makes for it.
struct Guest {
    board: Board,
    output: Vec<u8>,
    errors: Vec<u8>,
}

impl Guest {
    fn new() -> Self {
        let image = Image::parse(Path::new("x.elf"), guest(&[0xe7fe], true)).unwrap();
        let map = MemoryMap::fitting(&image, &Wishes::default()).unwrap();
        let board = Board::assemble(Machine::new(&CORTEX_M4, &map.regions), &map, &image).unwrap();
        Self { board, output: Vec::new(), errors: Vec::new() }
    }

    fn in_folder(folder: &Path) -> Self {
        let mut guest = Self::new();
        guest.board.semihosting.allow_files_below(folder).unwrap();
        guest
    }

    /// The result of a call whose r1 is this.
    fn raw(&mut self, operation: u32, parameter: u32) -> (u32, Option<i32>) {
        let Self { board, output, errors } = self;
        board.machine.set_register(0, operation);
        board.machine.set_register(1, parameter);
        let exit = board.semihosting.serve(&mut board.machine, &mut |to, bytes| match to {
            Output::Standard => output.extend_from_slice(bytes),
            Output::Error => errors.extend_from_slice(bytes),
        });
        (board.machine.register(0), exit)
    }

    fn call(&mut self, operation: u32, parameters: &[u32]) -> u32 {
        let block: Vec<u8> = parameters.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.board.machine.write_bytes(BLOCK, &block).unwrap();
        self.raw(operation, BLOCK).0
    }

    fn text(&mut self, text: &str) -> u32 {
        self.board.machine.write_bytes(TEXT, &[text.as_bytes(), b"\0"].concat()).unwrap();
        text.len() as u32
    }

    fn open(&mut self, path: &str, mode: u32) -> u32 {
        let length = self.text(path);
        self.call(0x01, &[TEXT, mode, length])
    }

    fn write(&mut self, handle: u32, bytes: &[u8]) -> u32 {
        self.board.machine.write_bytes(BUFFER, bytes).unwrap();
        self.call(0x05, &[handle, BUFFER, bytes.len() as u32])
    }

    /// What a read of at most `length` bytes gives.
    fn read(&mut self, handle: u32, length: u32) -> Vec<u8> {
        let left = self.call(0x06, &[handle, BUFFER, length]);
        let mut bytes = vec![0; (length - left) as usize];
        self.board.machine.read_bytes(BUFFER, &mut bytes).unwrap();
        bytes
    }

    fn errno(&mut self) -> u32 {
        self.raw(0x13, 0).0
    }

    fn word(&self, address: u32) -> u32 {
        let mut bytes = [0; 4];
        self.board.machine.read_bytes(address, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }
}

#[test]
fn files_below_the_folder_are_read_and_written() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/in.txt"), "0123456789").unwrap();
    let mut guest = Guest::in_folder(folder.path());

    let input = guest.open("sub/in.txt", READ);
    assert!(input != FAILED && input != 0);
    assert_eq!(guest.call(0x0c, &[input]), 10, "its length");
    assert_eq!(guest.call(0x09, &[input]), 0, "no terminal");
    assert_eq!(guest.read(input, 4), b"0123");
    assert_eq!(guest.call(0x0a, &[input, 8]), 0, "a seek");
    assert_eq!(guest.read(input, 4), b"89");
    assert_eq!(guest.read(input, 4), b"", "the end");
    assert_eq!(guest.write(input, b"x"), 1, "a file that is open for reading");
    assert_eq!((guest.call(0x02, &[input]), guest.call(0x02, &[input])), (0, FAILED), "closed once");

    let output = guest.open("out.bin", WRITE);
    assert_eq!(guest.write(output, b"first"), 0);
    let more = guest.open("out.bin", APPEND);
    assert_eq!((guest.write(more, b" second"), guest.call(0x02, &[more])), (0, 0));
    assert_eq!(std::fs::read(folder.path().join("out.bin")).unwrap(), b"first second");
    let both = guest.open("out.bin", READ_WRITE);
    assert_eq!((guest.read(both, 5), guest.write(both, b"_")), (b"first".to_vec(), 0));
    assert_eq!(std::fs::read(folder.path().join("out.bin")).unwrap(), b"first_second");

    let (old, new) = ("out.bin", "sub/new.bin");
    guest.board.machine.write_bytes(BUFFER, new.as_bytes()).unwrap();
    guest.text(old);
    assert_eq!(guest.call(0x0f, &[TEXT, old.len() as u32, BUFFER, new.len() as u32]), 0, "renamed");
    let length = guest.text(new);
    assert_eq!((guest.call(0x0e, &[TEXT, length]), guest.call(0x0e, &[TEXT, length])), (0, FAILED), "removed once");
    assert_eq!(guest.open("missing", READ), FAILED);
    assert_eq!(guest.errno(), 2);
    let names: Vec<_> = contents(folder.path()).into_keys().collect();
    assert_eq!(names, [folder.path().join("sub"), folder.path().join("sub/in.txt")]);
}

#[test]
fn rejects_every_path_that_leaves_the_folder() {
    let outer = TempDir::new().unwrap();
    let (inside, outside) = (outer.path().join("inside"), outer.path().join("outside"));
    std::fs::create_dir_all(inside.join("sub")).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    std::fs::write(inside.join("own"), "own").unwrap();
    symlink(outside.join("secret"), inside.join("absolute-link")).unwrap();
    symlink("../outside/secret", inside.join("relative-link")).unwrap();
    symlink("../outside", inside.join("folder-link")).unwrap();
    symlink(&outside, inside.join("sub/absolute-folder-link")).unwrap();
    symlink("../outside/new", inside.join("dangling-link")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    symlink("own", inside.join("honest-link")).unwrap();
    let absolute = outside.join("secret").into_os_string().into_string().unwrap();

    let mut guest = Guest::in_folder(&inside);
    let before = contents(&outside);
    let paths = [
        "../outside/secret",
        "sub/../../outside/secret",
        "./../outside/secret",
        &absolute,
        "/etc/passwd",
        "absolute-link",
        "relative-link",
        "folder-link/secret",
        "sub/absolute-folder-link/secret",
        "dangling-link",
        "loop",
        "..",
        ".",
        "/",
        "",
        "sub",
        ":other",
    ];
    for path in paths {
        for mode in 0..12 {
            assert_eq!(guest.open(path, mode), FAILED, "{path:?}, mode {mode}");
        }
        let length = guest.text(path);
        if !path.ends_with("-link") && path != "loop" {
            assert_eq!(guest.call(0x0e, &[TEXT, length]), FAILED, "{path:?} removed");
        }
        // Neither may something leave the folder by a new name, nor enter it.
        guest.board.machine.write_bytes(BUFFER, b"own").unwrap();
        if path.contains("outside") || path.contains('/') && !path.starts_with("sub/..") {
            assert_eq!(guest.call(0x0f, &[BUFFER, 3, TEXT, length]), FAILED, "own to {path:?}");
            assert_eq!(guest.call(0x0f, &[TEXT, length, BUFFER, 3]), FAILED, "{path:?} to own");
        }
    }
    assert_ne!(guest.open("honest-link", READ), FAILED);
    assert_eq!(contents(&outside), before);
    assert_eq!(std::fs::read(inside.join("own")).unwrap(), b"own");
}

#[test]
fn without_a_folder_no_file_can_be_named() {
    let mut guest = Guest::new();
    for path in ["x", "./x", "/etc/passwd", "../x"] {
        for mode in 0..12 {
            assert_eq!((guest.open(path, mode), guest.errno()), (FAILED, 13), "{path}");
        }
        let length = guest.text(path);
        assert_eq!(guest.call(0x0e, &[TEXT, length]), FAILED);
        assert_eq!(guest.call(0x0f, &[TEXT, length, TEXT, length]), FAILED);
    }
}

#[test]
fn the_console_has_three_streams_and_is_a_terminal_everywhere() {
    let mut guest = Guest::new();
    guest.board.semihosting.set_input(Box::new(Cursor::new(b"typed".to_vec())));
    let (input, output, error) = (guest.open(":tt", 0), guest.open(":tt", 4), guest.open(":tt", 8));
    assert_eq!((guest.write(output, b"out"), guest.write(error, b"err")), (0, 0));
    guest.raw(0x03, BUFFER); // SYS_WRITEC: the e of err
    guest.text(" text");
    guest.raw(0x04, TEXT);
    assert_eq!((guest.output.as_slice(), guest.errors.as_slice()), (&b"oute text"[..], &b"err"[..]));
    assert_eq!(guest.read(input, 2), b"ty");
    assert_eq!(guest.raw(0x07, 0).0, u32::from(b'p'));
    assert_eq!((guest.read(input, 64), guest.read(input, 64)), (b"ed".to_vec(), Vec::new()));
    for handle in [input, output, error] {
        assert_eq!((guest.call(0x09, &[handle]), guest.call(0x0c, &[handle])), (1, 0));
    }
    assert_eq!((guest.write(input, b"x"), guest.call(0x06, &[output, BUFFER, 4])), (1, 4));
    assert_eq!((guest.call(0x08, &[FAILED]), guest.call(0x08, &[7])), (1, 0), "SYS_ISERROR");
}

#[test]
fn features_say_that_exit_codes_and_error_output_are_there() {
    let mut guest = Guest::new();
    let features = guest.open(":semihosting-features", READ);
    assert_eq!((guest.call(0x0c, &[features]), guest.read(features, 64)), (5, b"SHFB\x03".to_vec()));
    assert_eq!(guest.call(0x0a, &[features, 4]), 0);
    assert_eq!(guest.read(features, 1), [3]);
    assert_eq!(guest.open(":semihosting-features", WRITE), FAILED);
    assert_eq!(guest.raw(0x18, 0x20026), (0x18, Some(0)));
    assert_eq!(guest.raw(0x18, 0x20023), (0x18, Some(1)));
    guest.call(0x08, &[0x20026, -7_i32 as u32]);
    assert_eq!(guest.raw(0x20, BLOCK).1, Some(-7));
    assert_eq!(guest.raw(0x20, 0xffff_fff0).1, Some(1));
}

#[test]
fn time_is_that_of_the_modelled_clock() {
    let mut guest = Guest::new();
    guest.board.machine.run(1_000_000);
    let cycles = guest.board.machine.cycles();
    let hz = cycles / 3;
    guest.board.semihosting.clock_hz = hz;
    guest.board.semihosting.started_at = 1_000;
    assert_eq!(guest.raw(0x10, 0).0, 300, "centiseconds");
    assert_eq!(guest.raw(0x11, 0).0, 1_003, "seconds since 1970");
    assert_eq!(u64::from(guest.raw(0x31, 0).0), hz, "ticks per second");
    assert_eq!(guest.call(0x30, &[0, 0]), 0);
    assert_eq!(u64::from(guest.word(BLOCK)), cycles);
    assert_eq!(guest.word(BLOCK + 4), 0);
    guest.board.semihosting.clock_hz = 5_000_000_000;
    assert_eq!(guest.raw(0x31, 0).0, FAILED, "what does not fit is not told");
}

#[test]
fn start_up_code_learns_its_command_line_and_its_heap() {
    let mut guest = Guest::new();
    guest.board.semihosting.command_line = "program.elf \"a b\" c".into();
    assert_eq!(guest.call(0x15, &[BUFFER, 20]), 0);
    assert_eq!((guest.word(BLOCK), guest.word(BLOCK + 4)), (BUFFER, 19));
    let mut line = [0; 20];
    guest.board.machine.read_bytes(BUFFER, &mut line).unwrap();
    assert_eq!(&line, b"program.elf \"a b\" c\0");
    assert_eq!(guest.call(0x15, &[BUFFER, 19]), FAILED, "no room for the NUL");
    assert_eq!(guest.call(0x16, &[BUFFER]), 0);
    let heap = [0, 4, 8, 12].map(|offset| guest.word(BUFFER + offset));
    assert_eq!(heap, [0x2000_0000, 0x2000_1000, 0x2000_1000, 0x2000_0000], "all of RAM below the initial stack pointer");
    assert_eq!(guest.call(0x0d, &[BUFFER, 7, 16]), 0);
    let mut name = [0; 7];
    guest.board.machine.read_bytes(BUFFER, &mut name).unwrap();
    assert_eq!(&name, b"tmp007\0");
}

#[test]
fn commands_of_the_host_are_refused() {
    let folder = TempDir::new().unwrap();
    let mut guest = Guest::in_folder(folder.path());
    let length = guest.text("touch done");
    assert_eq!(guest.call(0x12, &[TEXT, length]), FAILED);
    assert!(contents(folder.path()).is_empty());
}

#[test]
fn handles_are_bounded_and_used_again() {
    let mut guest = Guest::new();
    let handles: Vec<u32> = (0..100).map(|_| guest.open(":tt", 4)).take_while(|handle| *handle != FAILED).collect();
    assert_eq!((handles.len(), guest.errno()), (64, 24));
    assert_eq!((guest.call(0x02, &[handles[9]]), guest.open(":tt", 4)), (0, handles[9]));
}

#[test]
fn nonsense_is_answered_with_an_error() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "contents").unwrap();
    let mut guest = Guest::in_folder(folder.path());
    let file = guest.open("file", READ_WRITE);
    let values =
        [0, 1, 4, file, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffd, 0x2000_0100, 0x200f_fffe, 0x2010_0000, 0x4000_0000];
    for operation in (0..0x40).chain([0x100, 0x107, u32::MAX]) {
        for parameter in values {
            guest.raw(operation, parameter);
        }
        for first in values {
            for second in values {
                for third in [0, 1, 4096, 0x7fff_ffff, 0xffff_ffff] {
                    guest.call(operation, &[first, second, third, second]);
                }
            }
        }
    }
    // Lengths that no memory has: what cannot be moved is what is left.
    let mut guest = Guest::in_folder(folder.path());
    let file = guest.open("other", READ_WRITE + 4);
    assert_eq!(guest.call(0x05, &[file, 0x4000_0000, 0xffff_ffff]), 0xffff_ffff);
    assert_eq!(guest.call(0x06, &[file, 0x4000_0000, 0xffff_ffff]), 0xffff_ffff);
    assert_eq!(guest.call(0x01, &[TEXT, READ, 0xffff_ffff]), FAILED);
    assert_eq!(guest.call(0x0c, &[file]), 0, "nothing was written");
}

#[test]
fn a_guest_that_prints_for_ever_is_stopped_by_a_closed_output() {
    // 1: `movs r0, #4 (SYS_WRITE0); mov r1, pc; bkpt 0xab; b 1b`
    let image = Image::parse(Path::new("x.elf"), guest(&[0x2004, 0x4679, 0xbeab, 0xe7fb], true)).unwrap();
    let map = MemoryMap::fitting(&image, &Wishes::default()).unwrap();
    let mut board = Board::assemble(Machine::new(&CORTEX_M4, &map.regions), &map, &image).unwrap();
    let mut lines = 0;
    let error = board.run_by(&mut |machine, n| machine.run(n), &image, &[], &Default::default(), &mut |event| {
        assert!(matches!(event, Event::Console(_)));
        lines += 1;
        if lines < 1000 { Ok(()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
    });
    assert_eq!(lines, 1000);
    assert!(error.unwrap_err().downcast_ref::<std::io::Error>().is_some());
    let limited = board.run(&image, &[], 10_000, &mut |_| ());
    assert!(matches!(limited, Ok(End::MaxInstructions)));
}
