//! The classes that tables price: one for instructions that cost the same on every core, and one for every other effect.

use crate::machine::op::{FloatOp, FloatUnary, Op, Shift};

macro_rules! classes {
    ($($(#[doc = $doc:literal])* $class:ident = $name:literal,)*) => {
        /// What a row of a table prices.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class {
            $($(#[doc = $doc])* $class,)*
        }

        impl Class {
            /// All classes, in order.
            pub const ALL: &[Self] = &[$(Self::$class,)*];

            /// How reports name it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$class => $name,)*
                }
            }
        }
    };
}

classes! {
    /// One cycle where nothing else is said: moves, sums, logic, bit fields, extensions.
    Data = "data processing",
    /// The same with a shifted second operand.
    DataShifted = "data processing, shifted operand",
    /// What flags cost that a two-stage operation sets: MULS, rotated constants.
    SlowFlags = "flags of MULS and rotated constants",
    /// SSAT, QADD, SADD8, SEL, PKHBT, SXTB16, USAD8.
    Simd = "saturation and SIMD",
    /// MUL.
    Multiply = "MUL",
    /// MLA, MLS.
    MultiplyAccumulate = "MLA, MLS",
    /// UMULL, SMULL.
    MultiplyLong = "UMULL, SMULL",
    /// What wide factors add.
    MultiplyLongRange = "UMULL, SMULL: most added by the factors",
    /// UMLAL, SMLAL, UMAAL.
    MultiplyLongAccumulate = "UMLAL, SMLAL, UMAAL",
    /// What wide factors add.
    MultiplyLongAccumulateRange = "UMLAL, SMLAL: most added by the factors",
    /// SMLAD, SMUAD, SMLABB, SMLAWB, SMMLA, SMLALD.
    MultiplySimd = "SMLAD, SMLABB, SMMUL, SMLALD",
    /// SDIV, UDIV, at their quickest.
    Divide = "SDIV, UDIV",
    /// What the largest quotient adds.
    DivideRange = "SDIV, UDIV: most added by the quotient's bits",
    /// IT.
    IfThen = "IT",
    /// What an IT saves behind a 16-bit instruction.
    FoldedIfThen = "saved by an IT behind a 16-bit instruction",
    /// An instruction whose IT condition fails.
    Skipped = "instruction whose IT condition fails",
    /// NOP, YIELD, SEV.
    Hint = "NOP, YIELD, SEV",
    /// WFI, WFE, without the time asleep.
    Wait = "WFI, WFE",
    /// MRS, MSR.
    Special = "MRS, MSR",
    /// CPS.
    ChangeState = "CPS",
    /// DMB, DSB.
    Barrier = "DMB, DSB",
    /// ISB.
    InstructionBarrier = "ISB",
    /// SVC, BKPT, undefined instructions; the exception has its own row.
    Exceptional = "SVC, BKPT",

    /// LDR, LDRB, LDRH and their signed forms.
    Load = "LDR, LDRH, LDRB",
    /// A load relative to the program counter.
    LoadLiteral = "LDR of a literal",
    /// What a load saves directly behind a load.
    PipelinedLoad = "saved by a load directly behind a load",
    /// The same for a load that changes its base.
    PipelinedIndexedLoad = "saved by a load with write-back directly behind a load",
    /// What a NOP saves directly behind a load.
    NopBehindLoad = "saved by a NOP directly behind a load",
    /// What a load or store loses whose address the instruction before it computed or loaded.
    AddressDependency = "address made by the instruction before",
    /// How long after a store a load of the same place can go.
    LoadStored = "load of what was just stored, from the store on",
    /// What a load loses directly behind a store.
    LoadBehindStore = "lost by a load directly behind a store",
    /// STR, STRB, STRH.
    Store = "STR, STRH, STRB",
    /// STR with a register offset.
    StoreRegisterOffset = "STR with a register offset",
    /// What a store loses whose data the instruction before it multiplied.
    StoreOfProduct = "lost by a store of the product just made",
    /// LDRD.
    LoadDual = "LDRD",
    /// STRD.
    StoreDual = "STRD",
    /// LDM, POP without the program counter.
    LoadMultiple = "LDM, POP",
    /// STM, PUSH.
    StoreMultiple = "STM, PUSH",
    /// LDREX, LDA.
    LoadExclusive = "LDREX, LDA",
    /// STREX, STL.
    StoreExclusive = "STREX, STL",
    /// A data access that no aligned word holds.
    UnalignedAccess = "added by an unaligned access",

    /// Any taken branch but the ones below, without refill.
    Branch = "B, CBZ",
    /// BL, without refill.
    BranchLink = "BL",
    /// BX, BLX, MOV pc, without refill.
    BranchExchange = "BX, BLX, MOV pc",
    /// Loads into the program counter, without refill.
    LoadPc = "LDR pc",
    /// POP or LDM with the program counter, without refill.
    PopPc = "POP with pc",
    /// TBB, TBH, without refill.
    TableBranch = "TBB, TBH",
    /// What a taken branch adds whose target is in a register or in memory.
    Refill = "pipeline refill of a branch to a register or loaded address",
    /// What a taken branch adds whose target is in the instruction.
    RefillDirect = "pipeline refill of a direct branch",
    /// What a taken branch adds that goes with the instruction before it, if that sets the flags.
    RefillFlags = "added by a taken branch paired with flags",
    /// What a branch adds that was predicted wrongly.
    Mispredicted = "mispredicted branch",
    /// The same, where the flags were there three cycles before.
    MispredictedEarly = "mispredicted branch with early flags",

    /// VADD, VSUB, VCMP, VABS, VNEG, VMOV between FPU registers, VSEL, VMAXNM.
    FloatData = "VADD, VSUB, VABS, VNEG, VCMP, VMOV",
    /// VMUL, VNMUL.
    FloatMultiply = "VMUL, VNMUL",
    /// VMLA, VMLS, VNMLA, VNMLS.
    FloatMultiplyAccumulate = "VMLA, VMLS",
    /// VFMA, VFMS, VFNMA, VFNMS.
    FloatFused = "VFMA, VFMS",
    /// For how many cycles a multiply-accumulate keeps other FPU instructions waiting.
    FloatBusy = "FPU instructions behind VMLA, VFMA",
    /// VDIV.
    FloatDivide = "VDIV",
    /// VSQRT.
    FloatSquareRoot = "VSQRT",
    /// VCVT, VRINT.
    FloatConvert = "VCVT, VRINT",
    /// VMOV between a core and an FPU register, VMRS, VMSR.
    FloatTransfer = "VMOV to and from core registers, VMRS",
    /// VMOV from two core registers.
    FloatTransferPair = "VMOV from two core registers",
    /// VMOV to two core registers.
    FloatToCorePair = "VMOV to two core registers",
    /// What an instruction loses that uses what the FPU computed in the instruction before it.
    FloatResult = "FPU result used by the next instruction",
    /// VLDR.32.
    FloatLoad = "VLDR.32",
    /// VLDR.64.
    FloatLoadDouble = "VLDR.64",
    /// VLDM, VPOP.
    FloatLoadMultiple = "VLDM, VPOP",
    /// VSTR.32.
    FloatStore = "VSTR.32",
    /// VSTR.64.
    FloatStoreDouble = "VSTR.64",
    /// VSTM, VPUSH.
    FloatStoreMultiple = "VSTM, VPUSH",

    /// From the last instruction to the first of the handler.
    ExceptionEntry = "exception entry",
    /// From the return to the next instruction.
    ExceptionReturn = "exception return",
    /// From one handler to the next.
    TailChain = "tail-chained exception",
    /// The FPU's part of a frame, when it is stored or loaded.
    FloatFrame = "FPU part of an exception frame",
}

impl Class {
    /// The class of an instruction, and the words it transfers.
    pub(in crate::machine) fn of(op: Op) -> (Self, u32) {
        match op {
            Op::AluRegister { shift, amount, .. } if shift != Shift::Lsl || amount != 0 => (Self::DataShifted, 0),
            Op::AddRegister { lsl: 1.., .. } => (Self::DataShifted, 0),
            Op::Saturate { .. }
            | Op::Saturate16 { .. }
            | Op::SaturatingAdd { .. }
            | Op::Parallel { .. }
            | Op::Select { .. }
            | Op::PackHalves { .. }
            | Op::AbsoluteDifferences { .. } => (Self::Simd, 0),
            Op::Multiply { .. } => (Self::Multiply, 0),
            Op::MultiplyAdd { .. } | Op::MultiplySub { .. } => (Self::MultiplyAccumulate, 0),
            Op::MultiplyLong { accumulate: false, .. } => (Self::MultiplyLong, 0),
            Op::MultiplyLong { .. } | Op::MultiplyAccumulateAccumulateLong { .. } => (Self::MultiplyLongAccumulate, 0),
            _ if op.is_dsp_multiplication() => (Self::MultiplySimd, 0),
            Op::Divide { .. } => (Self::Divide, 0),
            Op::IfThen => (Self::IfThen, 0),
            Op::Nop | Op::Yield | Op::SendEvent => (Self::Hint, 0),
            Op::WaitForInterrupt | Op::WaitForEvent => (Self::Wait, 0),
            Op::ReadSpecial { .. } | Op::WriteSpecial { .. } => (Self::Special, 0),
            Op::ChangeState { .. } => (Self::ChangeState, 0),
            Op::Barrier => (Self::Barrier, 0),
            Op::InstructionBarrier => (Self::InstructionBarrier, 0),
            Op::SupervisorCall | Op::Breakpoint { .. } | Op::Undefined | Op::Coprocessor { .. } => (Self::Exceptional, 0),
            _ => Self::of_memory(op),
        }
    }

    fn of_memory(op: Op) -> (Self, u32) {
        match op {
            Op::LoadLiteral { .. } => (Self::LoadLiteral, 0),
            Op::FloatLoad { .. } | Op::FloatLoadLiteral { .. } => (Self::FloatLoad, 0),
            _ if op.is_single_load() => (Self::Load, 0),
            Op::StoreWordRegister { .. } | Op::StoreHalfRegister { .. } | Op::StoreByteRegister { .. } => {
                (Self::StoreRegisterOffset, 0)
            }
            Op::StoreWord { .. } | Op::StoreHalf { .. } | Op::StoreByte { .. } | Op::StoreIndexed { .. } => (Self::Store, 0),
            Op::LoadDual { .. } | Op::LoadDualLiteral { .. } => (Self::LoadDual, 2),
            Op::StoreDual { .. } => (Self::StoreDual, 2),
            Op::LoadMultiple { list, .. } if list & 0x8000 != 0 => (Self::PopPc, list.count_ones()),
            Op::LoadMultiple { list, .. } => (Self::LoadMultiple, list.count_ones()),
            Op::StoreMultiple { list, .. } => (Self::StoreMultiple, list.count_ones()),
            Op::LoadExclusive { .. } | Op::LoadAcquire { .. } => (Self::LoadExclusive, 0),
            Op::StoreExclusive { .. } | Op::StoreRelease { .. } | Op::StoreReleaseExclusive { .. } => (Self::StoreExclusive, 0),
            Op::JumpLiteral { .. } | Op::JumpIndexed { .. } | Op::JumpRegister { .. } => (Self::LoadPc, 0),
            Op::TableBranch { .. } => (Self::TableBranch, 0),
            Op::Branch { .. } | Op::BranchIf { .. } | Op::CompareBranch { .. } => (Self::Branch, 0),
            Op::BranchLink { .. } => (Self::BranchLink, 0),
            Op::BranchExchange { .. } | Op::BranchLinkExchange { .. } | Op::MoveToPc { .. } | Op::AddToPc { .. } => {
                (Self::BranchExchange, 0)
            }
            _ => Self::of_float(op),
        }
    }

    fn of_float(op: Op) -> (Self, u32) {
        match op {
            Op::Float { operation, .. } => match operation {
                FloatOp::Add | FloatOp::Sub => (Self::FloatData, 0),
                FloatOp::Mul | FloatOp::NegMul => (Self::FloatMultiply, 0),
                FloatOp::Div => (Self::FloatDivide, 0),
                FloatOp::MulAdd | FloatOp::MulSub | FloatOp::NegMulAdd | FloatOp::NegMulSub => (Self::FloatMultiplyAccumulate, 0),
                FloatOp::FusedAdd | FloatOp::FusedSub | FloatOp::FusedNegAdd | FloatOp::FusedNegSub => (Self::FloatFused, 0),
            },
            Op::FloatUnary { unary: FloatUnary::Sqrt, .. } => (Self::FloatSquareRoot, 0),
            Op::FloatUnary { .. }
            | Op::FloatImmediate { .. }
            | Op::FloatCompare { .. }
            | Op::FloatSelect { .. }
            | Op::FloatExtreme { .. } => (Self::FloatData, 0),
            Op::FloatToInteger { .. }
            | Op::IntegerToFloat { .. }
            | Op::FloatToFixed { .. }
            | Op::FixedToFloat { .. }
            | Op::HalfToFloat { .. }
            | Op::FloatToHalf { .. }
            | Op::FloatRound { .. }
            | Op::FloatToIntegerRounded { .. } => (Self::FloatConvert, 0),
            Op::FloatToCore { .. } | Op::CoreToFloat { .. } | Op::ReadFloatStatus { .. } | Op::WriteFloatStatus { .. } => {
                (Self::FloatTransfer, 0)
            }
            Op::FloatPairToCore { .. } => (Self::FloatToCorePair, 0),
            Op::CorePairToFloat { .. } => (Self::FloatTransferPair, 0),
            Op::FloatLoadDouble { .. } | Op::FloatLoadDoubleLiteral { .. } => (Self::FloatLoadDouble, 2),
            Op::FloatStore { .. } => (Self::FloatStore, 0),
            Op::FloatStoreDouble { .. } => (Self::FloatStoreDouble, 2),
            Op::FloatLoadMultiple { count, .. } => (Self::FloatLoadMultiple, count.into()),
            Op::FloatStoreMultiple { count, .. } => (Self::FloatStoreMultiple, count.into()),
            _ => (Self::Data, 0),
        }
    }

    /// What decoding charges for the refill, where every execution goes somewhere else; conditional branches are charged when taken.
    pub(in crate::machine) fn refill(self, op: Op) -> Option<Self> {
        match self {
            Self::Branch => matches!(op, Op::Branch { .. }).then_some(Self::RefillDirect),
            Self::BranchLink => Some(Self::RefillDirect),
            Self::BranchExchange | Self::LoadPc | Self::PopPc | Self::TableBranch => Some(Self::Refill),
            _ => None,
        }
    }

    /// Loads, whatever they load into.
    pub(in crate::machine) fn reads_memory(self) -> bool {
        use Class::*;
        matches!(
            self,
            Load | LoadLiteral
                | LoadDual
                | LoadMultiple
                | LoadExclusive
                | LoadPc
                | PopPc
                | TableBranch
                | FloatLoad
                | FloatLoadDouble
                | FloatLoadMultiple
        )
    }

    /// Stores.
    pub(in crate::machine) fn writes_memory(self) -> bool {
        use Class::*;
        matches!(
            self,
            Store
                | StoreRegisterOffset
                | StoreDual
                | StoreMultiple
                | StoreExclusive
                | FloatStore
                | FloatStoreDouble
                | FloatStoreMultiple
        )
    }

    /// Transfers of more than one register, which write their base first.
    pub(in crate::machine) fn moves_several(self) -> bool {
        use Class::*;
        matches!(self, LoadDual | StoreDual | LoadMultiple | StoreMultiple | PopPc | FloatLoadMultiple | FloatStoreMultiple)
    }

    /// Multiplications.
    pub(in crate::machine) fn multiplies(self) -> bool {
        use Class::*;
        matches!(self, Multiply | MultiplyAccumulate | MultiplyLong | MultiplyLongAccumulate | MultiplySimd)
    }

    /// What the FPU computes, rather than moves.
    pub(in crate::machine) fn computes_floats(self) -> bool {
        use Class::*;
        matches!(
            self,
            FloatData | FloatMultiply | FloatMultiplyAccumulate | FloatFused | FloatDivide | FloatSquareRoot | FloatConvert
        )
    }
}
