//! Which part of the architecture an instruction belongs to, and whether a core has it.
//!
//! Sources: Arm DDI0419 (Armv6-M) A4 and A5, DDI0403 (Armv7-M) A4, A5 and A6, DDI0553 (Armv8-M) C2.

use super::op::{Extend, Op};
use core::fmt;

/// What a core implements above Armv6-M. The parts imply what they stand on: DSP, Armv8-M and each floating point need `v7`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    /// The Armv7-M instructions.
    pub(super) v7: bool,
    /// Saturation and SIMD on halfwords and bytes.
    pub(super) dsp: bool,
    /// Single precision of FPv4.
    pub(super) float4: bool,
    /// What FPv5 adds in single precision; needs `float4`.
    pub(super) float5: bool,
    /// What Armv8-M Mainline adds.
    pub(super) v8: bool,
}

/// The part of the architecture that brings an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    /// Armv6-M: every core has it.
    Baseline,
    /// Armv7-M.
    Mainline,
    Dsp,
    Float4,
    Float5,
    V8,
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baseline => "Armv6-M",
            Self::Mainline => "Armv7-M",
            Self::Dsp => "the DSP extension",
            Self::Float4 => "the floating-point extension (FPv4-SP)",
            Self::Float5 => "the floating-point extension FPv5",
            Self::V8 => "Armv8-M Mainline",
        })
    }
}

impl Features {
    /// Whether a core with these features has `extension`.
    pub(super) fn has(&self, extension: Extension) -> bool {
        match extension {
            Extension::Baseline => true,
            Extension::Mainline => self.v7,
            Extension::Dsp => self.dsp,
            Extension::Float4 => self.float4,
            Extension::Float5 => self.float5,
            Extension::V8 => self.v8,
        }
    }

    /// Whether a core with these features executes `op`, whose encoding is `wide` (32 bits) or not.
    ///
    /// An instruction of [`Extension::Float4`] or [`Extension::Float5`] on a core without a floating-point unit is a missing
    /// coprocessor (UFSR.NOCP) where the core is Armv7-M or later; everything else that is missing is undefined (UFSR.UNDEFINSTR).
    pub(super) fn executes(&self, op: Op, wide: bool) -> bool {
        self.has(op.extension(wide))
    }
}

impl Op {
    /// The part of the architecture that brings this instruction in a `wide` (32 bits) or narrow encoding.
    pub(super) fn extension(self, wide: bool) -> Extension {
        match self {
            Op::Undefined => Extension::Baseline,
            Op::FloatSelect { .. } | Op::FloatExtreme { .. } | Op::FloatRound { .. } | Op::FloatToIntegerRounded { .. } => {
                Extension::Float5
            }
            Op::LoadAcquire { .. }
            | Op::StoreRelease { .. }
            | Op::StoreReleaseExclusive { .. }
            | Op::TestTarget { .. }
            | Op::SecureGateway => Extension::V8,
            _ if self.is_float() => Extension::Float4,
            _ if self.is_dsp() => Extension::Dsp,
            Op::BranchLink { .. } | Op::ReadSpecial { .. } | Op::WriteSpecial { .. } | Op::Barrier | Op::InstructionBarrier => {
                Extension::Baseline
            }
            Op::CompareBranch { .. } | Op::IfThen | Op::ChangeState { faultmask: true, .. } => Extension::Mainline,
            _ if wide => Extension::Mainline,
            _ => Extension::Baseline,
        }
    }

    fn is_dsp(self) -> bool {
        match self {
            Op::Extend { extend: Extend::SignedBytes16 | Extend::UnsignedBytes16, .. } => true,
            Op::Extend { rn, .. } => rn != 15,
            _ if self.is_dsp_multiplication() => true,
            _ => matches!(
                self,
                Op::MultiplyAccumulateAccumulateLong { .. }
                    | Op::Saturate16 { .. }
                    | Op::SaturatingAdd { .. }
                    | Op::Parallel { .. }
                    | Op::Select { .. }
                    | Op::PackHalves { .. }
                    | Op::AbsoluteDifferences { .. }
            ),
        }
    }

    /// Whether it belongs to the floating-point extension, loads, stores and register moves included.
    pub(super) fn is_float(self) -> bool {
        matches!(
            self,
            Op::Float { .. }
                | Op::FloatUnary { .. }
                | Op::FloatImmediate { .. }
                | Op::FloatCompare { .. }
                | Op::FloatToInteger { .. }
                | Op::IntegerToFloat { .. }
                | Op::FloatToFixed { .. }
                | Op::FixedToFloat { .. }
                | Op::HalfToFloat { .. }
                | Op::FloatToHalf { .. }
                | Op::FloatLoad { .. }
                | Op::FloatLoadLiteral { .. }
                | Op::FloatStore { .. }
                | Op::FloatLoadDouble { .. }
                | Op::FloatLoadDoubleLiteral { .. }
                | Op::FloatStoreDouble { .. }
                | Op::FloatLoadMultiple { .. }
                | Op::FloatStoreMultiple { .. }
                | Op::FloatToCore { .. }
                | Op::CoreToFloat { .. }
                | Op::FloatPairToCore { .. }
                | Op::CorePairToFloat { .. }
                | Op::FloatSelect { .. }
                | Op::FloatExtreme { .. }
                | Op::FloatRound { .. }
                | Op::FloatToIntegerRounded { .. }
                | Op::ReadFloatStatus { .. }
                | Op::WriteFloatStatus { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::decode;

    fn extension(code: &[u16]) -> Extension {
        let second = code.get(1).copied().unwrap_or(0);
        decode::decode(code[0], second, 0x100, false).extension(code.len() == 2)
    }

    #[test]
    fn armv6_m_has_the_narrow_instructions_and_a_few_wide_ones() {
        for code in [
            &[0x1888][..],     // adds r0, r1, r2
            &[0xB672],         // cpsid i
            &[0x4788],         // blx r1
            &[0xF000, 0xF800], // bl
            &[0xF3EF, 0x8010], // mrs r0, primask
            &[0xF380, 0x8810], // msr primask, r0
            &[0xF3BF, 0x8F5F], // dmb
            &[0xF3BF, 0x8F6F], // isb
        ] {
            assert_eq!(extension(code), Extension::Baseline, "{code:04x?}");
        }
    }

    #[test]
    fn later_architectures_and_extensions_bring_the_rest() {
        for (code, wanted) in [
            (&[0xB108][..], Extension::Mainline),     // cbz r0
            (&[0xBF08], Extension::Mainline),         // it eq
            (&[0xB671], Extension::Mainline),         // cpsid f
            (&[0xF3AF, 0x8000], Extension::Mainline), // nop.w
            (&[0xFA0F, 0xF081], Extension::Mainline), // sxth.w r0, r1
            (&[0xFB90, 0xF0F1], Extension::Mainline), // sdiv r0, r0, r1
            (&[0xFA02, 0xF081], Extension::Dsp),      // sxtah r0, r2, r1
            (&[0xFA2F, 0xF081], Extension::Dsp),      // sxtb16 r0, r1
            (&[0xFB20, 0xF001], Extension::Dsp),      // smuad r0, r0, r1
            (&[0xFBE0, 0x1062], Extension::Dsp),      // umaal r1, r0, r0, r2
            (&[0xEE30, 0x0A00], Extension::Float4),   // vadd.f32 s0, s0, s0
            (&[0xFE00, 0x0A00], Extension::Float5),   // vseleq.f32 s0, s0, s0
            (&[0xFEBC, 0x0A40], Extension::Float5),   // vcvta.u32.f32 s0, s0
            (&[0xEEB6, 0x0A40], Extension::Float5),   // vrintr.f32 s0, s0
            (&[0xE8D0, 0x1FAF], Extension::V8),       // lda r1, [r0]
            (&[0xE840, 0xF100], Extension::V8),       // tt r1, r0
            (&[0xE840, 0x1200], Extension::Mainline), // strex r2, r1, [r0]
            (&[0xED90, 0x0A00], Extension::Float4),   // vldr s0, [r0]
        ] {
            assert_eq!(extension(code), wanted, "{code:04x?}");
        }
    }

    #[test]
    fn a_core_executes_what_its_features_say() {
        let v7 = Features { v7: true, ..Features::default() };
        let divide = decode::decode(0xFB90, 0xF0F1, 0x100, false);
        let dual = decode::decode(0xFB20, 0xF001, 0x100, false);
        assert!(v7.executes(divide, true) && !v7.executes(dual, true));
        assert!(!Features::default().executes(divide, true));
        assert_eq!(dual.extension(true).to_string(), "the DSP extension");
    }
}
