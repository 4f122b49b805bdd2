//! Hand-made guests: a vector table and a few halfwords of code, as ELF files.

/// Where the code of a guest begins.
pub const CODE: u32 = 0x40;
/// Semihosting's `SYS_EXIT` with a reason that is no success, as the handler of every fault: `movs r0, #0x18; bkpt #0xab; b .`.
const HANDLER: [u16; 3] = [0x2018, 0xbeab, 0xe7fe];

/// A guest whose reset handler, the function `guilty` if `named`, is `code`; any fault ends it through semihosting.
pub fn guest(code: &[u16], named: bool) -> Vec<u8> {
    let text = text(code);
    let length = if named { 2 * code.len() as u32 } else { 0 };
    let symbols = [("_model_start", 0x1_4000, 0, 0x10), ("_model_end", 0x10_0000, 0, 0x10)];
    let guilty = named.then_some(("guilty", CODE | 1, length, 0x12));
    elf(40, &text, &symbols.into_iter().chain(guilty).collect::<Vec<_>>())
}

/// What such a guest has in flash: the vector table, the code, the handler of every fault.
pub fn text(code: &[u16]) -> Vec<u8> {
    let handler = CODE + 2 * code.len() as u32;
    let mut table = [handler | 1; 16];
    (table[0], table[1]) = (0x2000_1000, CODE | 1);
    let mut text: Vec<u8> = table.into_iter().flat_map(u32::to_le_bytes).collect();
    text.extend(code.iter().chain(&HANDLER).flat_map(|halfword| halfword.to_le_bytes()));
    text
}

/// A loadable segment.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Where it is loaded and runs.
    pub address: u32,
    /// Its contents.
    pub bytes: &'a [u8],
    /// Bytes of memory that it takes.
    pub memory_bytes: u32,
    /// Whether the program writes to it.
    pub writable: bool,
}

impl<'a> Part<'a> {
    /// Code at an address.
    pub fn code(address: u32, bytes: &'a [u8]) -> Self {
        Self { address, bytes, memory_bytes: bytes.len() as u32, writable: false }
    }

    /// Data at an address.
    pub fn data(address: u32, bytes: &'a [u8]) -> Self {
        Self { writable: true, ..Self::code(address, bytes) }
    }
}

/// A little-endian 32-bit executable for `machine` (Arm is 40) that loads `text` at 0; symbols are name, value, size and
/// `st_info` (0x10 a global without a type, 0x12 a global function).
pub fn elf(machine: u16, text: &[u8], symbols: &[(&str, u32, u32, u8)]) -> Vec<u8> {
    executable(machine, &[Part::code(0, text)], symbols)
}

/// The same with any number of segments.
pub fn executable(machine: u16, parts: &[Part<'_>], symbols: &[(&str, u32, u32, u8)]) -> Vec<u8> {
    const HEADER: u32 = 52;
    const PROGRAM_HEADER: u32 = 32;
    const SECTION_HEADER: u32 = 40;
    let mut strings = vec![0];
    let mut table = vec![0; 16];
    for (name, value, size, info) in symbols {
        words(&mut table, &[strings.len() as u32, *value, *size]);
        table.extend_from_slice(&[*info, 0]);
        halves(&mut table, &[0xfff1]); // SHN_ABS
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
    }
    let mut contents = Vec::new();
    let mut headers = Vec::new();
    for part in parts {
        let at = HEADER + PROGRAM_HEADER * parts.len() as u32 + contents.len() as u32;
        let flags = if part.writable { 6 } else { 5 };
        let length = part.bytes.len() as u32;
        words(&mut headers, &[1, at, part.address, part.address, length, part.memory_bytes, flags, 4]);
        contents.extend_from_slice(part.bytes);
        contents.resize(contents.len().next_multiple_of(4), 0);
    }
    let table_at = HEADER + (headers.len() + contents.len()) as u32;
    let strings_at = table_at + table.len() as u32;
    let sections_at = (strings_at + strings.len() as u32).next_multiple_of(4);

    let mut elf = b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    halves(&mut elf, &[2, machine]);
    words(&mut elf, &[1, CODE | 1, HEADER, sections_at, 0x0500_0000]);
    halves(&mut elf, &[HEADER as u16, PROGRAM_HEADER as u16, parts.len() as u16, SECTION_HEADER as u16, 3, 2]);
    elf.extend([headers, contents, table].concat());
    elf.extend_from_slice(&strings);
    elf.resize(sections_at as usize, 0);
    // No section, the symbols, their names. Names of sections are nobody's need: all are empty.
    words(&mut elf, &[0; 10]);
    words(&mut elf, &[0, 2, 0, 0, table_at, table_bytes(symbols), 2, 1, 4, 16]);
    words(&mut elf, &[0, 3, 0, 0, strings_at, strings.len() as u32, 0, 0, 1, 0]);
    elf
}

fn table_bytes(symbols: &[(&str, u32, u32, u8)]) -> u32 {
    16 * (symbols.len() as u32 + 1)
}

fn words(bytes: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}

fn halves(bytes: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}
