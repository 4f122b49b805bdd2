//! Data processing: moves, arithmetic, bit fields, multiplication, saturation and SIMD.

use super::{Context, immediate, register, registers};
use crate::machine::op::{Alu, Extend, Lanes, Op, Parallel, Reg, Shift, Unary};

fn alu_name(alu: Alu) -> &'static str {
    match alu {
        Alu::And => "and",
        Alu::Bic => "bic",
        Alu::Orr => "orr",
        Alu::Orn => "orn",
        Alu::Eor => "eor",
        Alu::Mov => "mov",
        Alu::Mvn => "mvn",
        Alu::Add => "add",
        Alu::Adc => "adc",
        Alu::Sub => "sub",
        Alu::Sbc => "sbc",
        Alu::Rsb => "rsb",
        Alu::Tst => "tst",
        Alu::Teq => "teq",
        Alu::Cmn => "cmn",
        Alu::Cmp => "cmp",
    }
}

pub(super) fn shift_name(shift: Shift) -> &'static str {
    match shift {
        Shift::Lsl => "lsl",
        Shift::Lsr => "lsr",
        Shift::Asr => "asr",
        Shift::Ror => "ror",
        Shift::Rrx => "rrx",
    }
}

/// A shift behind a register operand, with its comma.
fn shifted(shift: Shift, amount: u8) -> String {
    match (shift, amount) {
        (Shift::Lsl, 0) => String::new(),
        (Shift::Rrx, _) => ", rrx".to_owned(),
        _ => format!(", {} #{amount}", shift_name(shift)),
    }
}

fn rotated(amount: u8) -> String {
    if amount == 0 { String::new() } else { format!(", ror #{amount}") }
}

pub(super) fn text(c: &Context) -> Option<String> {
    let three = |name: &str, list: [Reg; 3]| format!("{} {}", c.name(name), registers(list));
    let four = |name: &str, list: [Reg; 4]| format!("{} {}", c.name(name), registers(list));
    // Without an addend (register 15) it is the multiplication itself.
    let accumulating = |multiply: &str, accumulate: &str, suffix: &str, rd, rn, rm, ra| match ra {
        15 => three(&format!("{multiply}{suffix}"), [rd, rn, rm]),
        _ => four(&format!("{accumulate}{suffix}"), [rd, rn, rm, ra]),
    };
    let exchanged = |exchange: bool| if exchange { "x" } else { "" };
    let half = |top: bool| if top { "t" } else { "b" };
    Some(match c.op {
        Op::MoveImmediate { rd, value } => move_immediate(c, rd, value),
        Op::MovesImmediate { rd, value } => format!("{} {}, {}", c.sized("movs"), register(rd), immediate(value)),
        Op::MoveRegister { rd, rm } => format!("{} {}", c.sized("mov"), registers([rd, rm])),
        Op::StackPointerMove { rm } => format!("{} {}", c.sized("mov"), registers([13, rm])),
        Op::AddImmediate { rd, rn, value } => add_immediate(c, rd, rn, value),
        Op::StackPointerAdd { rn, value } => add_immediate(c, 13, rn, value),
        Op::AddsImmediate { rd, rn, value } => constant_sum(c, "adds", rd, rn, value),
        Op::SubsImmediate { rd, rn, value } => constant_sum(c, "subs", rd, rn, value),
        Op::CompareImmediate { rn, .. } if !c.wide && c.first >> 8 == 0x45 => {
            format!("{} {}", c.name("cmp"), registers([rn, 15]))
        }
        Op::CompareImmediate { rn, value } => format!("{} {}, {}", c.sized("cmp"), register(rn), immediate(value)),
        Op::CompareRegister { rn, rm } => format!("{} {}", c.sized("cmp"), registers([rn, rm])),
        Op::AddRegister { rd, rm, .. } if !c.wide && c.first >> 8 == 0x44 => format!("{} {}", c.name("add"), registers([rd, rm])),
        Op::AddRegister { rd, rn, rm, lsl } => {
            format!("{} {}{}", c.sized("add"), registers([rd, rn, rm]), shifted(Shift::Lsl, lsl))
        }
        Op::AddsRegister { rd, rn, rm } => format!("{} {}", c.sized("adds"), registers([rd, rn, rm])),
        Op::SubsRegister { rd, rn, rm } => format!("{} {}", c.sized("subs"), registers([rd, rn, rm])),
        Op::AluImmediate { alu, flags, rd, rn, value, .. } => alu_with(c, alu, flags, rd, rn, &immediate(value), ""),
        Op::AluRegister { alu, flags, rd, rn, rm, shift, amount } => {
            alu_with(c, alu, flags, rd, rn, &register(rm), &shifted(shift, amount))
        }
        Op::ShiftImmediate { shift: Shift::Lsl, flags, rd, rm, amount: 0 } => {
            format!("{} {}", c.flagged("mov", flags), registers([rd, rm]))
        }
        Op::ShiftImmediate { shift: Shift::Rrx, flags, rd, rm, .. } => {
            format!("{} {}", c.name(if flags { "rrxs" } else { "rrx" }), registers([rd, rm]))
        }
        Op::ShiftImmediate { shift, flags, rd, rm, amount } => {
            format!("{} {}, #{amount}", c.flagged(shift_name(shift), flags), registers([rd, rm]))
        }
        Op::ShiftRegister { shift, flags, rd, rn, rm } => {
            let operands = if c.wide { registers([rd, rn, rm]) } else { registers([rd, rm]) };
            format!("{} {operands}", c.flagged(shift_name(shift), flags))
        }
        Op::MoveTop { rd, value } => format!("{} {}, #{value}", c.name("movt"), register(rd)),
        Op::Unary { unary, rd, rm } => {
            let name = match unary {
                Unary::Clz => c.name("clz"),
                Unary::Rbit => c.name("rbit"),
                Unary::Rev => c.sized("rev"),
                Unary::Rev16 => c.sized("rev16"),
                Unary::Revsh => c.sized("revsh"),
            };
            format!("{name} {}", registers([rd, rm]))
        }
        Op::BitFieldInsert { rd, rn, lsb, width } => format!("{} {}, #{lsb}, #{width}", c.name("bfi"), registers([rd, rn])),
        Op::BitFieldClear { rd, lsb, width } => format!("{} {}, #{lsb}, #{width}", c.name("bfc"), register(rd)),
        Op::BitFieldExtract { signed, rd, rn, lsb, width } => {
            format!("{} {}, #{lsb}, #{width}", c.name(if signed { "sbfx" } else { "ubfx" }), registers([rd, rn]))
        }
        Op::Extend { extend, rd, rn, rm, rotate } => extension(c, extend, rd, rn, rm, rotate),

        Op::Multiply { rd, rn, rm, .. } if c.wide => format!("{} {}", c.sized("mul"), registers([rd, rn, rm])),
        Op::Multiply { flags, rd, rm, .. } => format!("{} {}", c.flagged("mul", flags), registers([rd, rm, rd])),
        Op::MultiplyAdd { rd, rn, rm, ra } => four("mla", [rd, rn, rm, ra]),
        Op::MultiplySub { rd, rn, rm, ra } => four("mls", [rd, rn, rm, ra]),
        Op::MultiplyLong { signed, accumulate, lo, hi, rn, rm } => {
            let (sign, kind) = (if signed { "s" } else { "u" }, if accumulate { "mlal" } else { "mull" });
            four(&format!("{sign}{kind}"), [lo, hi, rn, rm])
        }
        Op::MultiplyAccumulateAccumulateLong { lo, hi, rn, rm } => four("umaal", [lo, hi, rn, rm]),
        Op::DualAdd { exchange, rd, rn, rm, ra } => accumulating("smuad", "smlad", exchanged(exchange), rd, rn, rm, ra),
        Op::DualSub { exchange, rd, rn, rm, ra } => accumulating("smusd", "smlsd", exchanged(exchange), rd, rn, rm, ra),
        Op::DualLong { subtract, exchange, lo, hi, rn, rm } => {
            let name = if subtract { "smlsld" } else { "smlald" };
            four(&format!("{name}{}", exchanged(exchange)), [lo, hi, rn, rm])
        }
        Op::MultiplyHalves { n_top, m_top, rd, rn, rm, ra } => {
            accumulating("smul", "smla", &format!("{}{}", half(n_top), half(m_top)), rd, rn, rm, ra)
        }
        Op::MultiplyWordHalf { m_top, rd, rn, rm, ra } => accumulating("smulw", "smlaw", half(m_top), rd, rn, rm, ra),
        Op::MultiplyHalvesLong { n_top, m_top, lo, hi, rn, rm } => {
            four(&format!("smlal{}{}", half(n_top), half(m_top)), [lo, hi, rn, rm])
        }
        Op::MultiplyMostSignificant { subtract, round, rd, rn, rm, ra } => {
            let round = if round { "r" } else { "" };
            match subtract {
                true => four(&format!("smmls{round}"), [rd, rn, rm, ra]),
                false => accumulating("smmul", "smmla", round, rd, rn, rm, ra),
            }
        }
        Op::Divide { signed, rd, rn, rm } => three(if signed { "sdiv" } else { "udiv" }, [rd, rn, rm]),

        Op::Saturate { signed, rd, rn, bits, shift, amount } => {
            let name = c.name(if signed { "ssat" } else { "usat" });
            format!("{name} {}, #{bits}, {}{}", register(rd), register(rn), shifted(shift, amount))
        }
        Op::Saturate16 { signed, rd, rn, bits } => {
            format!("{} {}, #{bits}, {}", c.name(if signed { "ssat16" } else { "usat16" }), register(rd), register(rn))
        }
        // The operand that is doubled is written first.
        Op::SaturatingAdd { subtract, double, rd, rn, rm } => {
            let name = ["qadd", "qsub", "qdadd", "qdsub"][usize::from(subtract) + 2 * usize::from(double)];
            three(name, [rd, rn, rm])
        }
        Op::Parallel { operation, lanes, rd, rn, rm } => three(&parallel(operation, lanes), [rd, rn, rm]),
        Op::Select { rd, rn, rm } => three("sel", [rd, rn, rm]),
        Op::PackHalves { top_bottom, rd, rn, rm, amount } => {
            let (name, shift) = if top_bottom { ("pkhtb", Shift::Asr) } else { ("pkhbt", Shift::Lsl) };
            format!("{}{}", three(name, [rd, rn, rm]), shifted(shift, amount))
        }
        Op::AbsoluteDifferences { rd, rn, rm, ra: 15 } => three("usad8", [rd, rn, rm]),
        Op::AbsoluteDifferences { rd, rn, rm, ra } => four("usada8", [rd, rn, rm, ra]),
        Op::MoveToPc { rm } => format!("{} {}", c.name("mov"), registers([15, rm])),
        Op::AddToPc { rm, .. } => format!("{} {}", c.name("add"), registers([15, rm])),
        _ => return None,
    })
}

/// The moves and address computations that decoding makes one of.
fn move_immediate(c: &Context, rd: Reg, value: u32) -> String {
    let name = match (c.wide, c.first) {
        (false, 0xA000..=0xA7FF) => return format!("{} {}, {value:#x}", c.name("adr"), register(rd)),
        (false, 0x4600..=0x46FF) => return format!("{} {}", c.name("mov"), registers([rd, 15])),
        (true, first) if first & 0xFB5F == 0xF20F => return format!("{} {}, {value:#x}", c.name("adr.w"), register(rd)),
        (true, first) if first & 0xFBF0 == 0xF240 => c.name("movw"),
        (true, first) if first & 0xFBEF == 0xF06F => {
            return format!("{} {}, {}", c.sized("mvn"), register(rd), immediate(!value));
        }
        _ => c.sized("mov"),
    };
    format!("{name} {}, {}", register(rd), immediate(value))
}

/// Decoding makes a subtraction an addition; the encoding tells which it was.
fn add_immediate(c: &Context, rd: Reg, rn: Reg, value: u32) -> String {
    if !c.wide && c.first >> 8 == 0x44 {
        return format!("{} {}", c.name("add"), registers([rd, 15]));
    }
    let subtract = if c.wide { c.first & 0x00A0 == 0x00A0 } else { value >> 31 != 0 || c.first >> 7 == 0xB080 >> 7 };
    let value = if subtract { value.wrapping_neg() } else { value };
    let name = match (c.wide && c.first & 0x0200 != 0, subtract) {
        (true, false) => c.name("addw"),
        (true, true) => c.name("subw"),
        (false, false) => return constant_sum(c, "add", rd, rn, value),
        (false, true) => return constant_sum(c, "sub", rd, rn, value),
    };
    format!("{name} {}, {}", registers([rd, rn]), immediate(value))
}

fn constant_sum(c: &Context, name: &str, rd: Reg, rn: Reg, value: u32) -> String {
    // The encodings with eight bits of immediate, and those of the stack pointer alone, have one register.
    let in_place = !c.wide && (c.first >> 12 == 3 || c.first >> 8 == 0xB0);
    let operands = if in_place { register(rd) } else { registers([rd, rn]) };
    format!("{} {operands}, {}", c.sized(name), immediate(value))
}

fn alu_with(c: &Context, alu: Alu, flags: bool, rd: Reg, rn: Reg, operand: &str, shift: &str) -> String {
    let test = matches!(alu, Alu::Tst | Alu::Teq | Alu::Cmn | Alu::Cmp);
    let flags = flags && !test;
    // What has no narrow encoding needs no width; RSB has one only for zero.
    let only_wide = matches!(alu, Alu::Orn | Alu::Teq | Alu::Rsb);
    let base = format!("{}{}", alu_name(alu), if flags { "s" } else { "" });
    let name = if only_wide && c.wide { c.name(&base) } else { c.sized(&base) };
    let registers = match alu {
        _ if test => register(rn),
        Alu::Mov | Alu::Mvn => register(rd),
        Alu::Rsb => registers([rd, rn]),
        _ if c.wide || c.first >> 9 == 0b000_1101 => registers([rd, rn]),
        _ => register(rd),
    };
    format!("{name} {registers}, {operand}{shift}")
}

fn extension(c: &Context, extend: Extend, rd: Reg, rn: Reg, rm: Reg, rotate: u8) -> String {
    let (sign, size) = match extend {
        Extend::SignedByte => ("s", "b"),
        Extend::SignedHalf => ("s", "h"),
        Extend::UnsignedByte => ("u", "b"),
        Extend::UnsignedHalf => ("u", "h"),
        Extend::SignedBytes16 => ("s", "b16"),
        Extend::UnsignedBytes16 => ("u", "b16"),
    };
    match rn {
        15 if size == "b16" => format!("{} {}{}", c.name(&format!("{sign}xt{size}")), registers([rd, rm]), rotated(rotate)),
        15 => format!("{} {}{}", c.sized(&format!("{sign}xt{size}")), registers([rd, rm]), rotated(rotate)),
        _ => format!("{} {}{}", c.name(&format!("{sign}xta{size}")), registers([rd, rn, rm]), rotated(rotate)),
    }
}

fn parallel(operation: Parallel, lanes: Lanes) -> String {
    let prefix = match lanes {
        Lanes::Signed => "s",
        Lanes::SaturateSigned => "q",
        Lanes::HalveSigned => "sh",
        Lanes::Unsigned => "u",
        Lanes::SaturateUnsigned => "uq",
        Lanes::HalveUnsigned => "uh",
    };
    let name = match operation {
        Parallel::Add8 => "add8",
        Parallel::Sub8 => "sub8",
        Parallel::Add16 => "add16",
        Parallel::Sub16 => "sub16",
        Parallel::AddSubExchange => "asx",
        Parallel::SubAddExchange => "sax",
    };
    format!("{prefix}{name}")
}
