//! Instructions as text in Arm's unified assembly language, for traces, annotated listings and messages about faults.
//!
//! The text follows `objdump`, with these exceptions: ADR is always called that, and has its address; a move of a shifted register is a
//! shift; RSBS by zero and the narrow MULS have all their operands; a zero offset is left out; a literal load has the literal's address behind a semicolon; immediates from 65536 are hexadecimal,
//! and branch targets always; preloads and unallocated hints that do nothing here are shown as what they are encoded as.

mod data;
mod float;
mod memory;
#[cfg(test)]
mod tests;

use super::decode;
use super::op::{Op, Reg};

const CONDITIONS: [&str; 16] = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "", ""];

/// One instruction where it stands.
struct Context {
    op: Op,
    first: u16,
    second: u16,
    pc: u32,
    wide: bool,
    /// What its IT block adds to the mnemonic.
    condition: &'static str,
}

impl Context {
    /// Mnemonic with its condition.
    fn name(&self, base: &str) -> String {
        format!("{base}{}", self.condition)
    }

    /// The same for a mnemonic that has narrow and wide encodings.
    fn sized(&self, base: &str) -> String {
        format!("{base}{}{}", self.condition, if self.wide { ".w" } else { "" })
    }

    /// The same, with the S of an operation that sets the flags.
    fn flagged(&self, base: &str, flags: bool) -> String {
        self.sized(&format!("{base}{}", if flags { "s" } else { "" }))
    }

    /// All 32 bits of a wide encoding.
    fn bits(&self) -> u32 {
        u32::from(self.first) << 16 | u32::from(self.second)
    }
}

/// The text of the instruction at `pc`; `second` matters only to wide ones, `it` is ITSTATE (0 outside an IT block).
pub(super) fn text(first: u16, second: u16, pc: u32, it: u8) -> String {
    let wide = decode::is_wide(first);
    let op = decode::decode(first, second, pc, it != 0);
    let condition = if it == 0 { "" } else { CONDITIONS[usize::from(it >> 4)] };
    let context = Context { op, first, second, pc, wide, condition };
    data::text(&context)
        .or_else(|| memory::text(&context))
        .or_else(|| float::text(&context))
        .unwrap_or_else(|| branch_or_system(&context))
}

/// ITSTATE behind the instruction `first`, which executes under `it`.
pub(super) fn advance(first: u16, it: u8) -> u8 {
    match first {
        0xBF00..=0xBFFF if first & 0xF != 0 => first as u8,
        _ if it & 7 == 0 => 0,
        _ => it & 0xE0 | it << 1 & 0x1F,
    }
}

/// ITSTATE at `address`, found from the code before it; `read` gives the halfword at an address.
pub(super) fn it_state(address: u32, read: impl Fn(u32) -> Option<u16>) -> u8 {
    // An IT block covers at most four instructions of four bytes. A halfword that cannot begin a wide instruction ends one, so an
    // instruction begins behind it.
    let mut start = address.wrapping_sub(18);
    while let Some(half) = read(start)
        && decode::is_wide(half)
        && address.wrapping_sub(start) < 64
    {
        start = start.wrapping_sub(2);
    }
    let (mut at, mut it) = (start.wrapping_add(2), 0);
    while address.wrapping_sub(at).wrapping_sub(1) < 64 {
        let half = read(at).unwrap_or(0);
        it = advance(half, it);
        at = at.wrapping_add(if decode::is_wide(half) { 4 } else { 2 });
    }
    if at == address { it } else { 0 }
}

fn register(reg: Reg) -> String {
    match reg & 15 {
        13 => "sp".to_owned(),
        14 => "lr".to_owned(),
        15 => "pc".to_owned(),
        number => format!("r{number}"),
    }
}

/// Registers in their order, with commas.
fn registers<const N: usize>(list: [Reg; N]) -> String {
    list.map(register).join(", ")
}

fn immediate(value: u32) -> String {
    if value < 0x1_0000 { format!("#{value}") } else { format!("#{value:#x}") }
}

/// Core registers of a transfer list.
fn list(list: u16) -> String {
    let names: Vec<String> = (0..16).filter(|number| list >> number & 1 != 0).map(register).collect();
    format!("{{{}}}", names.join(", "))
}

fn branch_or_system(c: &Context) -> String {
    let size = if c.wide { ".w" } else { ".n" };
    let one = |name: &str, rm: Reg| format!("{} {}", c.name(name), register(rm));
    match c.op {
        Op::Branch { target } => format!("{}{size} {target:#x}", c.name("b")),
        Op::BranchIf { condition, target } => format!("b{}{size} {target:#x}", CONDITIONS[usize::from(condition & 15)]),
        Op::BranchLink { target } => format!("{} {target:#x}", c.name("bl")),
        Op::BranchExchange { rm } => one("bx", rm),
        Op::BranchLinkExchange { rm } => one("blx", rm),
        Op::CompareBranch { nonzero, rn, target } => {
            format!("{} {}, {target:#x}", if nonzero { "cbnz" } else { "cbz" }, register(rn))
        }
        Op::TableBranch { half, rn, rm, .. } => {
            let (name, shift) = if half { ("tbh", ", lsl #1") } else { ("tbb", "") };
            format!("{} [{}{shift}]", c.name(name), registers([rn, rm]))
        }
        Op::IfThen => {
            let (mask, base) = (c.first & 15, c.first >> 4 & 1);
            let letters = (mask.trailing_zeros() + 1..4).rev();
            let then: String = letters.map(|bit| if mask >> bit & 1 == base { 't' } else { 'e' }).collect();
            let condition = c.first >> 4 & 15;
            format!("it{then} {}", if condition == 14 { "al" } else { CONDITIONS[usize::from(condition)] })
        }
        Op::Nop | Op::Yield | Op::SendEvent | Op::WaitForInterrupt | Op::WaitForEvent => hint(c),
        Op::Barrier => {
            let options =
                ["#0", "#1", "oshst", "osh", "#4", "#5", "nshst", "un", "#8", "#9", "ishst", "ish", "#12", "#13", "st", "sy"];
            format!("{} {}", c.name(if c.second & 0xF0 == 0x40 { "dsb" } else { "dmb" }), options[usize::from(c.second & 15)])
        }
        Op::InstructionBarrier => format!("{} sy", c.name("isb")),
        Op::ClearExclusive => c.name("clrex"),
        Op::SupervisorCall => format!("{} {}", c.name("svc"), c.first & 0xFF),
        Op::Breakpoint { imm } => format!("bkpt {imm:#06x}"),
        Op::ChangeState { disable, primask, faultmask } => {
            let (name, i, f) =
                (if disable { "cpsid" } else { "cpsie" }, if primask { "i" } else { "" }, if faultmask { "f" } else { "" });
            format!("{name} {i}{f}")
        }
        Op::ReadSpecial { rd, number } => format!("{} {}, {}", c.name("mrs"), register(rd), special(number, None)),
        Op::WriteSpecial { rn, number, mask } => format!("{} {}, {}", c.name("msr"), special(number, Some(mask)), register(rn)),
        Op::SecureGateway => c.name("sg"),
        Op::TestTarget { unprivileged, rd, rn } => {
            format!("{} {}", c.name(if unprivileged { "ttt" } else { "tt" }), registers([rd, rn]))
        }
        Op::Coprocessor { number } if !matches!(number, 10 | 11) => coprocessor(c, number),
        _ => undefined(c),
    }
}

fn hint(c: &Context) -> String {
    if c.wide && c.first >= 0xF800 {
        return memory::preload(c);
    }
    let number = if c.wide { c.second & 0xFF } else { c.first >> 4 & 15 };
    match number {
        0xF0.. => format!("{} #{}", c.name("dbg"), number & 15),
        0x14 => c.name("csdb"),
        0..=4 => c.sized(["nop", "yield", "wfe", "wfi", "sev"][usize::from(number)]),
        _ => format!("{} {{{number}}}", c.sized("nop")),
    }
}

/// A special register; with the `mask` of a write, the fields of APSR are named.
fn special(number: u8, mask: Option<u8>) -> String {
    let fields = match mask {
        Some(1) => "_g",
        Some(2) => "_nzcvq",
        Some(3) => "_nzcvqg",
        _ => "",
    };
    match number {
        0 => format!("CPSR{fields}").replace("CPSR", "APSR"),
        1 => format!("IAPSR{fields}"),
        2 => format!("EAPSR{fields}"),
        3 => format!("PSR{fields}").replace("PSR", "XPSR"),
        5 => "IPSR".to_owned(),
        6 => "EPSR".to_owned(),
        7 => "IEPSR".to_owned(),
        8 => "MSP".to_owned(),
        9 => "PSP".to_owned(),
        10 => "MSPLIM".to_owned(),
        11 => "PSPLIM".to_owned(),
        16 => "PRIMASK".to_owned(),
        17 => "BASEPRI".to_owned(),
        18 => "BASEPRI_MAX".to_owned(),
        19 => "FAULTMASK".to_owned(),
        20 => "CONTROL".to_owned(),
        _ => format!("{number}"),
    }
}

fn coprocessor(c: &Context, number: u8) -> String {
    let (two, load) = (if c.first & 0x1000 != 0 { "2" } else { "" }, c.first & 0x10 != 0);
    let name = match (c.first >> 8 & 3, c.second & 0x10 != 0) {
        (2, false) => "cdp",
        (2, true) if load => "mrc",
        (2, true) => "mcr",
        (0, _) if c.first & 0x1E0 == 0x40 => {
            if load {
                "mrrc"
            } else {
                "mcrr"
            }
        }
        _ => {
            if load {
                "ldc"
            } else {
                "stc"
            }
        }
    };
    format!("{} p{number}, ...", c.name(&format!("{name}{two}")))
}

fn undefined(c: &Context) -> String {
    match (c.first, c.second) {
        (0xDE00..=0xDEFF, _) => format!("{} #{}", c.name("udf"), c.first & 0xFF),
        (0xF7F0..=0xF7FF, 0xA000..=0xAFFF) => format!("{} #{}", c.name("udf.w"), (c.first & 15) << 12 | c.second & 0xFFF),
        _ if c.wide => float::double_precision(c).unwrap_or_else(|| format!(".inst.w {:#010x}", c.bits())),
        (first, _) => format!(".inst.n {first:#06x}"),
    }
}
