//! The floating-point extension.

use super::memory::{at, literal};
use super::{Context, register, registers};
use crate::machine::decode;
use crate::machine::op::{FloatOp, FloatRounding, FloatUnary, Op, Reg};

fn single(reg: Reg) -> String {
    format!("s{reg}")
}

/// The double-precision register that a pair of single-precision ones is.
fn double(reg: Reg) -> String {
    format!("d{}", reg / 2)
}

fn operation_name(operation: FloatOp) -> &'static str {
    match operation {
        FloatOp::Add => "vadd",
        FloatOp::Sub => "vsub",
        FloatOp::Mul => "vmul",
        FloatOp::NegMul => "vnmul",
        FloatOp::Div => "vdiv",
        FloatOp::MulAdd => "vmla",
        FloatOp::MulSub => "vmls",
        FloatOp::NegMulAdd => "vnmla",
        FloatOp::NegMulSub => "vnmls",
        FloatOp::FusedAdd => "vfma",
        FloatOp::FusedSub => "vfms",
        FloatOp::FusedNegAdd => "vfnma",
        FloatOp::FusedNegSub => "vfnms",
    }
}

fn rounding_letter(rounding: FloatRounding) -> char {
    match rounding {
        FloatRounding::Away => 'a',
        FloatRounding::Nearest => 'n',
        FloatRounding::Up => 'p',
        FloatRounding::Down => 'm',
        FloatRounding::Zero => 'z',
        FloatRounding::Mode => 'r',
        FloatRounding::ModeExact => 'x',
    }
}

pub(super) fn text(c: &Context) -> Option<String> {
    let of = |name: &str, types: &str, operands: &[Reg]| {
        let operands: Vec<String> = operands.iter().map(|reg| single(*reg)).collect();
        format!("{}.{types} {}", c.name(name), operands.join(", "))
    };
    // What FPv5 brings behind the prefix 0xFE is never conditional.
    let always = |name: &str, types: &str, operands: &[Reg]| {
        let operands: Vec<String> = operands.iter().map(|reg| single(*reg)).collect();
        format!("{name}.{types} {}", operands.join(", "))
    };
    let integer = |signed: bool, wide: bool| format!("{}{}", if signed { "s" } else { "u" }, if wide { 32 } else { 16 });
    let is_double = c.second & 0x100 != 0;
    let move_one = |operands: String| format!("{} {operands}", c.name("vmov"));
    Some(match c.op {
        Op::Float { operation, sd, sn, sm } => of(operation_name(operation), "f32", &[sd, sn, sm]),
        Op::FloatUnary { unary, sd, sm } => {
            let name = match unary {
                FloatUnary::Move => "vmov",
                FloatUnary::Abs => "vabs",
                FloatUnary::Neg => "vneg",
                FloatUnary::Sqrt => "vsqrt",
            };
            of(name, "f32", &[sd, sm])
        }
        Op::FloatImmediate { sd, bits } => format!("{}.f32 {}, #{:?}", c.name("vmov"), single(sd), f32::from_bits(bits)),
        Op::FloatCompare { quiet_signals, sd, sm } => {
            let name = if quiet_signals { "vcmpe" } else { "vcmp" };
            if sm == 255 { format!("{}, #0.0", of(name, "f32", &[sd])) } else { of(name, "f32", &[sd, sm]) }
        }
        Op::FloatToInteger { signed, toward_zero, sd, sm } => {
            of(if toward_zero { "vcvt" } else { "vcvtr" }, &format!("{}.f32", integer(signed, true)), &[sd, sm])
        }
        Op::IntegerToFloat { signed, sd, sm } => of("vcvt", &format!("f32.{}", integer(signed, true)), &[sd, sm]),
        Op::FloatToFixed { signed, wide, sd, fraction } => {
            format!("{}, #{fraction}", of("vcvt", &format!("{}.f32", integer(signed, wide)), &[sd, sd]))
        }
        Op::FixedToFloat { signed, wide, sd, fraction } => {
            format!("{}, #{fraction}", of("vcvt", &format!("f32.{}", integer(signed, wide)), &[sd, sd]))
        }
        Op::HalfToFloat { top, sd, sm } => of(if top { "vcvtt" } else { "vcvtb" }, "f32.f16", &[sd, sm]),
        Op::FloatToHalf { top, sd, sm } => of(if top { "vcvtt" } else { "vcvtb" }, "f16.f32", &[sd, sm]),
        Op::FloatSelect { condition, sd, sn, sm } => {
            always(["vseleq", "vselvs", "vselge", "vselgt"][usize::from(condition & 3)], "f32", &[sd, sn, sm])
        }
        Op::FloatExtreme { minimum, sd, sn, sm } => always(if minimum { "vminnm" } else { "vmaxnm" }, "f32", &[sd, sn, sm]),
        Op::FloatRound { rounding, sd, sm } => {
            let name = format!("vrint{}", rounding_letter(rounding));
            if c.first & 0x1000 != 0 { always(&name, "f32", &[sd, sm]) } else { of(&name, "f32", &[sd, sm]) }
        }
        Op::FloatToIntegerRounded { rounding, signed, sd, sm } => {
            always(&format!("vcvt{}", rounding_letter(rounding)), &format!("{}.f32", integer(signed, true)), &[sd, sm])
        }
        Op::FloatLoad { sd, rn, offset } => format!("{} {}, {}", c.name("vldr"), single(sd), at(rn, offset.into())),
        Op::FloatStore { sd, rn, offset } => format!("{} {}, {}", c.name("vstr"), single(sd), at(rn, offset.into())),
        Op::FloatLoadDouble { sd, rn, offset } => format!("{} {}, {}", c.name("vldr"), double(sd), at(rn, offset.into())),
        Op::FloatStoreDouble { sd, rn, offset } => format!("{} {}, {}", c.name("vstr"), double(sd), at(rn, offset.into())),
        Op::FloatLoadLiteral { sd, address } => format!("{} {}, {}", c.name("vldr"), single(sd), literal(c, address)),
        Op::FloatLoadDoubleLiteral { sd, address } => format!("{} {}, {}", c.name("vldr"), double(sd), literal(c, address)),
        Op::FloatLoadMultiple { sd, count, rn, before, writeback } => multiple(c, true, sd, count, rn, before, writeback),
        Op::FloatStoreMultiple { sd, count, rn, before, writeback } => multiple(c, false, sd, count, rn, before, writeback),
        Op::FloatToCore { rt, sn } if is_double => {
            format!("{}.32 {}, {}[{}]", c.name("vmov"), register(rt), double(sn), sn & 1)
        }
        Op::CoreToFloat { rt, sn } if is_double => {
            format!("{}.32 {}[{}], {}", c.name("vmov"), double(sn), sn & 1, register(rt))
        }
        Op::FloatToCore { rt, sn } => move_one(format!("{}, {}", register(rt), single(sn))),
        Op::CoreToFloat { rt, sn } => move_one(format!("{}, {}", single(sn), register(rt))),
        Op::FloatPairToCore { rt, rt2, sm } => move_one(format!("{}, {}", registers([rt, rt2]), pair(sm, is_double))),
        Op::CorePairToFloat { rt, rt2, sm } => move_one(format!("{}, {}", pair(sm, is_double), registers([rt, rt2]))),
        Op::ReadFloatStatus { rt: 15 } => format!("{} APSR_nzcv, fpscr", c.name("vmrs")),
        Op::ReadFloatStatus { rt } => format!("{} {}, fpscr", c.name("vmrs"), register(rt)),
        Op::WriteFloatStatus { rt } => format!("{} fpscr, {}", c.name("vmsr"), register(rt)),
        _ => return None,
    })
}

fn pair(sm: Reg, is_double: bool) -> String {
    if is_double { double(sm) } else { format!("{}, {}", single(sm), single(sm + 1)) }
}

fn multiple(c: &Context, load: bool, sd: Reg, count: u8, rn: Reg, before: bool, writeback: bool) -> String {
    let last = sd + count - 1;
    let list = match (c.second & 0x100 != 0, count) {
        (true, 0..=2) => format!("{{{}}}", double(sd)),
        (true, _) => format!("{{{}-{}}}", double(sd), double(last)),
        (false, 1) => format!("{{{}}}", single(sd)),
        (false, _) => format!("{{{}-{}}}", single(sd), single(last)),
    };
    match (rn, load, before, writeback) {
        (13, true, false, true) => format!("{} {list}", c.name("vpop")),
        (13, false, true, true) => format!("{} {list}", c.name("vpush")),
        _ => {
            let name = format!("{}{}", if load { "vldm" } else { "vstm" }, if before { "db" } else { "ia" });
            format!("{} {}{}, {list}", c.name(&name), register(rn), if writeback { "!" } else { "" })
        }
    }
}

/// The name of a double-precision instruction, which no core here has: the single-precision one's, with its types.
pub(super) fn double_precision(c: &Context) -> Option<String> {
    let is_data = c.first & 0xEF00 == 0xEE00 && c.second & 0x0F10 == 0x0B00;
    let op = decode::decode(c.first, c.second & !0x100, c.pc, false);
    let single = text(&Context { op, second: c.second & !0x100, ..*c })?;
    let name = single.split(' ').next().filter(|_| is_data)?;
    Some(format!("{} (double precision)", name.replace("f32", "f64")))
}
