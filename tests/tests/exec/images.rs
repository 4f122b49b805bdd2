use fathom_host_sim::attributes::{Attributes, Profile};
use fathom_host_sim::board::Board;
use fathom_host_sim::image::{Image, ImageError, SegmentFault};
use fathom_host_sim::machine::Machine;
use fathom_host_sim::machine::cores::CORTEX_M4;
use fathom_host_sim::memory_map::{Extent, MapError, MemoryMap, Wishes};
use fathom_tests::commands::{Scene, host_sim, refuse};
use fathom_tests::guests::{Part, elf, executable, guest, text};
use fathom_tests::targets;
use std::path::Path;

/// Mutations of the fuzzed files, per file.
const MUTATIONS: u64 = 4000;
/// The same for the firmware, which is a thousand times as large.
const FIRMWARE_MUTATIONS: u64 = 150;
/// What `MemoryMap` promises at most.
const MOST_MEMORY: u64 = 256 << 20;

fn parse(bytes: &[u8]) -> Result<Image, ImageError> {
    Image::parse(Path::new("x.elf"), bytes.to_vec())
}

fn map(bytes: &[u8]) -> Result<MemoryMap, MapError> {
    MemoryMap::fitting(&parse(bytes).unwrap(), &Wishes::default())
}

fn segment_fault(bytes: &[u8]) -> Option<SegmentFault> {
    match parse(bytes) {
        Err(ImageError::Segment { fault, .. }) => Some(fault),
        _ => None,
    }
}

/// A copy with a word of the only program header changed: 4 its offset, 8 and 12 its addresses, 16 and 20 its sizes.
fn with_header(image: &[u8], field: usize, value: u32) -> Vec<u8> {
    let mut changed = image.to_vec();
    changed[52 + field..52 + field + 4].copy_from_slice(&value.to_le_bytes());
    changed
}

#[test]
fn rejects_an_image_that_is_cut_anywhere() {
    let whole = guest(&[0xe7fe], true);
    assert!(parse(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(parse(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn rejects_segments_with_impossible_borders() {
    let good = guest(&[0xe7fe], true);
    for (field, value, wanted) in [
        (4, 0xffff_fff0, SegmentFault::OutsideFile),
        (16, 0xffff_ffff, SegmentFault::OutsideFile),
        (20, 4, SegmentFault::LargerThanItsMemory),
        (8, 0xffff_fffc, SegmentFault::OutsideAddresses),
        (12, 0xffff_fffc, SegmentFault::OutsideAddresses),
        (20, 0xffff_ffff, SegmentFault::LargerThanItsMemory),
    ] {
        let found = segment_fault(&with_header(&good, field, value));
        // A segment of 4 GiB of memory is placed at 0, so it is the map that refuses it.
        if (field, value) == (20, 0xffff_ffff) {
            assert!(matches!(map(&with_header(&good, field, value)), Err(MapError::TooLarge { .. } | MapError::Overlap { .. })));
            continue;
        }
        assert_eq!(found, Some(wanted), "field {field} {value:#x}");
    }
}

#[test]
fn rejects_segments_that_overlap() {
    let (text, data) = (text(&[0xe7fe]), [1; 16]);
    let parts = |address| [Part::code(0, &text), Part::data(address, &data)];
    let end = text.len() as u32;
    for address in [0, 4, end - 1] {
        assert_eq!(segment_fault(&executable(40, &parts(address), &[])), Some(SegmentFault::Overlap), "{address:#x}");
    }
    assert!(parse(&executable(40, &parts(end), &[])).is_ok());
}

#[test]
fn rejects_segments_where_no_memory_can_be() {
    let (text, data) = (text(&[0xe7fe]), [1; 16]);
    for address in [0x4000_0000, 0x5fff_fff0, 0xa000_0000, 0xe000_e000, 0xffff_0000] {
        let image = executable(40, &[Part::code(0, &text), Part::data(address, &data)], &[]);
        assert_eq!(map(&image), Err(MapError::Devices { address }), "{address:#x}");
    }
    // A gigabyte of .bss, and small segments spread over more windows than a board has.
    let large = Part { memory_bytes: 1 << 30, ..Part::data(0x6000_0000, &data) };
    assert!(matches!(map(&executable(40, &[Part::code(0, &text), large], &[])), Err(MapError::TooLarge { .. })));
    let spread: Vec<Part> =
        (0..31).map(|n| Part::code(n << 24, &text)).chain((0..8).map(|n| Part::data(0x6000_0000 | n << 24, &data))).collect();
    assert!(matches!(map(&executable(40, &spread, &[])), Err(MapError::TooMany { .. } | MapError::TooLarge { .. })));
}

#[test]
fn rejects_what_is_for_another_machine_or_holds_nothing() {
    let good = guest(&[0xe7fe], true);
    let with_byte = |at: usize, value: u8| {
        let mut changed = good.clone();
        changed[at] = value;
        parse(&changed)
    };
    assert!(matches!(with_byte(4, 2), Err(ImageError::Malformed(..))), "64-bit");
    assert!(matches!(with_byte(18, 183), Err(ImageError::Machine { found: 183, .. })));
    assert!(matches!(parse(&with_header(&good, 0, 4)), Err(ImageError::Empty(_))), "no loadable segment");
    let nothing = with_header(&with_header(&good, 16, 0), 20, 0);
    assert!(matches!(parse(&nothing), Err(ImageError::Empty(_))), "zero bytes");
    assert!(matches!(parse(&with_header(&good, 16, 0)), Err(ImageError::Empty(_))), "only reserved memory");
    // Big-endian headers around the same contents.
    let mut big = vec![0; 52 + 32 + 4];
    big[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1, 2, 1]);
    (big[17], big[19], big[23], big[31], big[41], big[43], big[45]) = (2, 40, 1, 52, 52, 32, 1);
    assert!(matches!(parse(&big), Err(ImageError::BigEndian(_))));
}

#[test]
fn one_line_says_what_is_wrong_with_an_image() {
    let scene = Scene::default();
    let good = guest(&[0xe7fe], true);
    let bad: [(&str, Vec<u8>, &[&str]); 7] = [
        ("cut.elf", good[..60].to_vec(), &["cut.elf"]),
        ("text.elf", b"no image".to_vec(), &["text.elf is not a 32-bit"]),
        ("empty.elf", Vec::new(), &["empty.elf is not a 32-bit"]),
        ("riscv.elf", elf(243, &[0; 64], &[]), &["for ELF machine 243, not for Arm (40)"]),
        ("devices.elf", with_header(&with_header(&good, 8, 0x4000_0000), 12, 0x4000_0000), &["0x40000000", "devices"]),
        ("short.elf", with_header(&good, 16, 0xffff), &["65535 bytes at 0x00000000 ends behind the end of the file"]),
        ("odd.elf", elf(40, &text(&[0xe7fe]), &[("__vector_table", 0x2, 0, 0x10)]), &["no vector table at 0x00000002"]),
    ];
    for (name, bytes, parts) in bad {
        let image = scene.write(name, &bytes);
        refuse(&mut host_sim(&["exec", "--quiet", "--json", &scene.path("run.json"), &image]), scene.folder(), parts);
    }
    let image = scene.write("good.elf", &good);
    for (options, part) in [
        (["--flash", "0x08000000:64K"], "lie outside the board's memory"),
        (["--ram", "0x0:64K"], "overlaps another"),
        (["--vector-table", "0x30000000"], "no vector table at 0x30000000"),
        (["--core", "cortex-a9"], "there is no core cortex-a9"),
        (["--memory", "drum"], "there is no memory profile drum"),
        (["--sandbox", "/nowhere/at/all"], "cannot open the folder /nowhere/at/all"),
        (["--json", "/nowhere/at/all/run.json"], "cannot write /nowhere/at/all/run.json"),
    ] {
        refuse(&mut host_sim(&[&["exec", "--quiet"], &options[..], &[&image]].concat()), scene.folder(), &[part]);
    }
}

#[test]
fn memory_is_made_to_fit_the_image() {
    let text = text(&[0xe7fe]);
    let regions = |parts: &[Part<'_>], wishes: &Wishes| {
        let map = MemoryMap::fitting(&parse(&executable(40, parts, &[])).unwrap(), wishes).unwrap();
        (map.regions.iter().map(|region| (region.base, region.size)).collect::<Vec<_>>(), map.vector_table)
    };
    let main = (0x2000_0000, 1 << 20);
    let any = Wishes::default();
    assert_eq!(regions(&[Part::code(0, &text)], &any), (vec![(0, 1 << 20), main], 0));
    // An image behind a boot loader: flash begins where the chip's does.
    assert_eq!(regions(&[Part::code(0x0800_4000, &text)], &any), (vec![(0x0800_0000, 1 << 20), main], 0x0800_4000));
    let data = Part { memory_bytes: 3 << 20, ..Part::data(0x2000_0000, &text) };
    assert_eq!(regions(&[Part::code(0x1000_0000, &text), data], &any).0, [(0x1000_0000, 1 << 20), (0x2000_0000, 3 << 20)]);
    let wishes = Wishes {
        flash: vec![Extent { base: 0, size: 0x1_0000 }],
        ram: vec![Extent { base: 0x2000_0000, size: 0x2000 }],
        vector_table: Some(0x40),
    };
    assert_eq!(regions(&[Part::code(0, &text)], &wishes), (vec![(0, 0x1_0000), (0x2000_0000, 0x2000)], 0x40));
}

#[test]
fn attributes_name_the_architecture() {
    let of = |cpu_arch, profile: u8| Attributes { cpu_arch, profile: profile.into(), fp_arch: 0 };
    for (attributes, profile, name) in [
        (of(11, b'M'), Some(Profile::V6M), "Armv6-M"),
        (of(10, b'M'), Some(Profile::V7M), "Armv7-M"),
        (of(13, b'M'), Some(Profile::V7EM), "Armv7E-M"),
        (of(17, b'M'), Some(Profile::V8M), "Armv8-M Mainline"),
        (of(10, b'A'), None, "Armv7-A"),
        (of(14, b'A'), None, "Armv8-A"),
        (of(99, 0), None, "Arm architecture 99"),
    ] {
        assert_eq!((attributes.m_profile(), attributes.to_string().as_str()), (profile, name));
    }
}

/// A reproducible source of numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Parses, places and runs whatever a file still is; nothing of it may panic, and memory stays within the promised bound.
fn try_everything(bytes: &[u8]) -> bool {
    let Ok(image) = parse(bytes) else { return false };
    let Ok(map) = MemoryMap::fitting(&image, &Wishes::default()) else { return false };
    assert!(map.regions.iter().map(|region| u64::from(region.size)).sum::<u64>() <= MOST_MEMORY);
    let Ok(mut board) = Board::assemble(Machine::new(&CORTEX_M4, &map.regions), &map, &image) else { return false };
    let _ = board.run(&image, b"input", 2000, &mut |_| ()); // however it ends
    board.describe_fault(&image);
    board.callers(&image);
    true
}

#[test]
fn no_mutation_of_an_image_panics() {
    let control_block = [b"SEGGER RTT\0\0\0\0\0\0".as_slice(), &[3, 0, 0, 0, 1, 0, 0, 0], &[0; 96]].concat();
    let text = text(&[0xb410, 0xe7fd]);
    let parts = [Part::code(0, &text), Part::data(0x2000_0000, &control_block)];
    let symbols =
        [("_SEGGER_RTT", 0x2000_0000, 0, 0x10), ("reset", 0x41, 6, 0x12), ("_ZN4core3fmt5Write9write_fmt17h0E", 0x45, 4, 0x12)];
    let image = executable(40, &parts, &symbols);
    let contents = 52 + 32 * parts.len()..52 + 32 * parts.len() + text.len() + control_block.len();
    let mut numbers = Numbers(0x5eed_0003);
    let mut ran = 0;
    for _ in 0..MUTATIONS {
        let mut changed = image.clone();
        for _ in 0..=numbers.below(6) {
            // Headers and tables are where a lie hurts; contents are mutated now and then.
            let mut at = numbers.below(changed.len());
            while contents.contains(&at) && numbers.below(8) != 0 {
                at = numbers.below(changed.len());
            }
            match numbers.below(4) {
                0 => changed[at] ^= 1 << numbers.below(8),
                1 => changed[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)],
                2 => {
                    let word = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fff0, 0x2000_0000, numbers.next() as u32]
                        [numbers.below(8)];
                    let end = changed.len().min(at + 4);
                    changed[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
                }
                _ => changed[at] = numbers.next() as u8,
            }
        }
        if numbers.below(16) == 0 {
            changed.truncate(numbers.below(changed.len()));
        }
        ran += u64::from(try_everything(&changed));
    }
    // Most mutations must get past the parser, or little is tested.
    assert!(ran > MUTATIONS / 20 && ran < MUTATIONS, "{ran} of {MUTATIONS} ran");
}

#[test]
fn no_mutation_of_the_firmware_panics() {
    // A real image has what the small ones lack: debug information, defmt's tables, thousands of symbols with mangled names.
    let image = std::fs::read(targets::CORTEX_M4.image()).unwrap();
    let mut numbers = Numbers(0x5eed_0004);
    let tail = image.len() - 4096; // section headers
    for _ in 0..FIRMWARE_MUTATIONS {
        let mut changed = image.clone();
        for _ in 0..=numbers.below(4) {
            let at = match numbers.below(4) {
                0 => numbers.below(512),
                1 => tail + numbers.below(4096),
                _ => numbers.below(image.len()),
            };
            let length = [1, 4, 64][numbers.below(3)];
            let end = (at + length).min(image.len());
            let byte = numbers.next() as u8;
            changed[at..end].fill(byte);
        }
        try_everything(&changed);
    }
}
