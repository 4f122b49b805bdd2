//! The decoded form of an instruction: small, `Copy`, and free of anything that depends on where it stands.
//!
//! Every use of the program counter is resolved at decode time, so no operand below is ever register 15
//! except where a variant says so.

/// Number of a core register (0 to 15) or single-precision register (0 to 31).
pub(super) type Reg = u8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    Lsl,
    Lsr,
    Asr,
    Ror,
    Rrx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alu {
    And,
    Bic,
    Orr,
    Orn,
    Eor,
    Mov,
    Mvn,
    Add,
    Adc,
    Sub,
    Sbc,
    Rsb,
    Tst,
    Teq,
    Cmn,
    Cmp,
}

/// Width and extension of a load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Word,
    Half,
    Byte,
    SignedHalf,
    SignedByte,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    Offset,
    Pre,
    Post,
}

/// What becomes of each lane of a parallel addition or subtraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lanes {
    Signed,
    SaturateSigned,
    HalveSigned,
    Unsigned,
    SaturateUnsigned,
    HalveUnsigned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parallel {
    Add8,
    Sub8,
    Add16,
    Sub16,
    AddSubExchange,
    SubAddExchange,
}

/// Sign or zero extension, of one or two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extend {
    SignedByte,
    SignedHalf,
    UnsignedByte,
    UnsignedHalf,
    SignedBytes16,
    UnsignedBytes16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloatOp {
    Add,
    Sub,
    Mul,
    NegMul,
    Div,
    MulAdd,
    MulSub,
    NegMulAdd,
    NegMulSub,
    FusedAdd,
    FusedSub,
    FusedNegAdd,
    FusedNegSub,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloatUnary {
    Move,
    Abs,
    Neg,
    Sqrt,
}

/// How a conversion or a rounding to an integral value rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloatRounding {
    /// To nearest, ties away from zero: VCVTA, VRINTA.
    Away,
    /// To nearest, ties to even: VCVTN, VRINTN.
    Nearest,
    /// Toward plus infinity: VCVTP, VRINTP.
    Up,
    /// Toward minus infinity: VCVTM, VRINTM.
    Down,
    /// Toward zero: VRINTZ.
    Zero,
    /// As FPSCR says: VRINTR.
    Mode,
    /// As FPSCR says, and inexact results are flagged: VRINTX.
    ModeExact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Clz,
    Rbit,
    Rev,
    Rev16,
    Revsh,
}

#[rustfmt::skip] // one instruction family a line reads better than one operand a line
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    // Data processing
    MoveImmediate { rd: Reg, value: u32 },
    MovesImmediate { rd: Reg, value: u32 },
    MoveRegister { rd: Reg, rm: Reg },
    /// `rn` may be 13 here, and `rd` may not.
    AddImmediate { rd: Reg, rn: Reg, value: u32 },
    AddsImmediate { rd: Reg, rn: Reg, value: u32 },
    SubsImmediate { rd: Reg, rn: Reg, value: u32 },
    CompareImmediate { rn: Reg, value: u32 },
    CompareRegister { rn: Reg, rm: Reg },
    AddRegister { rd: Reg, rn: Reg, rm: Reg, lsl: u8 },
    AddsRegister { rd: Reg, rn: Reg, rm: Reg },
    SubsRegister { rd: Reg, rn: Reg, rm: Reg },
    /// SP = rn + value, watched for the stack's low-water mark.
    StackPointerAdd { rn: Reg, value: u32 },
    StackPointerMove { rm: Reg },
    /// `carry`: None leaves C alone (the constant is not a rotated one).
    AluImmediate { alu: Alu, flags: bool, rd: Reg, rn: Reg, carry: Option<bool>, value: u32 },
    AluRegister { alu: Alu, flags: bool, rd: Reg, rn: Reg, rm: Reg, shift: Shift, amount: u8 },
    ShiftImmediate { shift: Shift, flags: bool, rd: Reg, rm: Reg, amount: u8 },
    ShiftRegister { shift: Shift, flags: bool, rd: Reg, rn: Reg, rm: Reg },
    MoveTop { rd: Reg, value: u16 },
    Unary { unary: Unary, rd: Reg, rm: Reg },
    BitFieldInsert { rd: Reg, rn: Reg, lsb: u8, width: u8 },
    BitFieldClear { rd: Reg, lsb: u8, width: u8 },
    BitFieldExtract { signed: bool, rd: Reg, rn: Reg, lsb: u8, width: u8 },
    /// Extends `rm` rotated right; adds to `rn` unless `rn` is 15.
    Extend { extend: Extend, rd: Reg, rn: Reg, rm: Reg, rotate: u8 },

    // Multiplication and division
    Multiply { flags: bool, rd: Reg, rn: Reg, rm: Reg },
    MultiplyAdd { rd: Reg, rn: Reg, rm: Reg, ra: Reg },
    MultiplySub { rd: Reg, rn: Reg, rm: Reg, ra: Reg },
    MultiplyLong { signed: bool, accumulate: bool, lo: Reg, hi: Reg, rn: Reg, rm: Reg },
    MultiplyAccumulateAccumulateLong { lo: Reg, hi: Reg, rn: Reg, rm: Reg },
    /// SMUAD, SMLAD (`ra` is not 15), and with X exchanged halves of `rm`.
    DualAdd { exchange: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg },
    DualSub { exchange: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg },
    DualLong { subtract: bool, exchange: bool, lo: Reg, hi: Reg, rn: Reg, rm: Reg },
    MultiplyHalves { n_top: bool, m_top: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg },
    MultiplyWordHalf { m_top: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg },
    MultiplyHalvesLong { n_top: bool, m_top: bool, lo: Reg, hi: Reg, rn: Reg, rm: Reg },
    MultiplyMostSignificant { subtract: bool, round: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg },
    Divide { signed: bool, rd: Reg, rn: Reg, rm: Reg },

    // Saturation and SIMD in core registers
    Saturate { signed: bool, rd: Reg, rn: Reg, bits: u8, shift: Shift, amount: u8 },
    Saturate16 { signed: bool, rd: Reg, rn: Reg, bits: u8 },
    SaturatingAdd { subtract: bool, double: bool, rd: Reg, rn: Reg, rm: Reg },
    Parallel { operation: Parallel, lanes: Lanes, rd: Reg, rn: Reg, rm: Reg },
    Select { rd: Reg, rn: Reg, rm: Reg },
    PackHalves { top_bottom: bool, rd: Reg, rn: Reg, rm: Reg, amount: u8 },
    /// USAD8 when `ra` is 15.
    AbsoluteDifferences { rd: Reg, rn: Reg, rm: Reg, ra: Reg },

    // Memory; `rt` is not 15 in the first sixteen
    LoadWord { rt: Reg, rn: Reg, offset: u32 },
    LoadHalf { rt: Reg, rn: Reg, offset: u32 },
    LoadByte { rt: Reg, rn: Reg, offset: u32 },
    LoadSignedHalf { rt: Reg, rn: Reg, offset: u32 },
    LoadSignedByte { rt: Reg, rn: Reg, offset: u32 },
    StoreWord { rt: Reg, rn: Reg, offset: u32 },
    StoreHalf { rt: Reg, rn: Reg, offset: u32 },
    StoreByte { rt: Reg, rn: Reg, offset: u32 },
    LoadWordRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    LoadHalfRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    LoadByteRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    LoadSignedHalfRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    LoadSignedByteRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    StoreWordRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    StoreHalfRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    StoreByteRegister { rt: Reg, rn: Reg, rm: Reg, lsl: u8 },
    /// With write-back.
    LoadIndexed { width: Width, rt: Reg, rn: Reg, post: bool, offset: i16 },
    StoreIndexed { width: Width, rt: Reg, rn: Reg, post: bool, offset: i16 },
    LoadLiteral { width: Width, rt: Reg, address: u32 },
    /// Loads into the program counter: literal, immediate (any index) and register forms.
    JumpLiteral { address: u32 },
    JumpIndexed { rn: Reg, index: Index, offset: i16 },
    JumpRegister { rn: Reg, rm: Reg, lsl: u8 },
    LoadDual { rt: Reg, rt2: Reg, rn: Reg, index: Index, offset: i16 },
    LoadDualLiteral { rt: Reg, rt2: Reg, address: u32 },
    StoreDual { rt: Reg, rt2: Reg, rn: Reg, index: Index, offset: i16 },
    /// The list may hold 15.
    LoadMultiple { rn: Reg, before: bool, writeback: bool, list: u16 },
    StoreMultiple { rn: Reg, before: bool, writeback: bool, list: u16 },
    LoadExclusive { width: Width, rt: Reg, rn: Reg, offset: u16 },
    StoreExclusive { width: Width, rd: Reg, rt: Reg, rn: Reg, offset: u16 },
    ClearExclusive,
    /// Load-acquire and store-release of Armv8-M; `exclusive` claims the address as LDREX does.
    LoadAcquire { width: Width, exclusive: bool, rt: Reg, rn: Reg },
    StoreRelease { width: Width, rt: Reg, rn: Reg },
    StoreReleaseExclusive { width: Width, rd: Reg, rt: Reg, rn: Reg },

    // Branches; targets are absolute and even
    Branch { target: u32 },
    BranchIf { condition: u8, target: u32 },
    BranchLink { target: u32 },
    BranchExchange { rm: Reg },
    BranchLinkExchange { rm: Reg },
    CompareBranch { nonzero: bool, rn: Reg, target: u32 },
    /// `base` is the address of the following instruction; `rn` may be 15 (the table follows).
    TableBranch { half: bool, rn: Reg, rm: Reg, base: u32 },
    MoveToPc { rm: Reg },
    AddToPc { rm: Reg, base: u32 },

    // System
    IfThen,
    Nop,
    Yield,
    SendEvent,
    WaitForInterrupt,
    WaitForEvent,
    Barrier,
    InstructionBarrier,
    SupervisorCall,
    Breakpoint { imm: u8 },
    Undefined,
    /// An access to a coprocessor that no core here has; 10 and 11 are the FPU, which has no such instruction.
    Coprocessor { number: u8 },
    /// TT, and TTT with `unprivileged`: what the memory protection unit allows at an address.
    TestTarget { unprivileged: bool, rd: Reg, rn: Reg },
    /// SG: does nothing where there is no security extension.
    SecureGateway,
    ChangeState { disable: bool, primask: bool, faultmask: bool },
    ReadSpecial { rd: Reg, number: u8 },
    WriteSpecial { rn: Reg, number: u8, mask: u8 },

    // Floating point
    Float { operation: FloatOp, sd: Reg, sn: Reg, sm: Reg },
    FloatUnary { unary: FloatUnary, sd: Reg, sm: Reg },
    FloatImmediate { sd: Reg, bits: u32 },
    /// Compares with zero when `sm` is 255.
    FloatCompare { quiet_signals: bool, sd: Reg, sm: Reg },
    FloatToInteger { signed: bool, toward_zero: bool, sd: Reg, sm: Reg },
    IntegerToFloat { signed: bool, sd: Reg, sm: Reg },
    FloatToFixed { signed: bool, wide: bool, sd: Reg, fraction: u8 },
    FixedToFloat { signed: bool, wide: bool, sd: Reg, fraction: u8 },
    HalfToFloat { top: bool, sd: Reg, sm: Reg },
    FloatToHalf { top: bool, sd: Reg, sm: Reg },
    FloatLoad { sd: Reg, rn: Reg, offset: i16 },
    FloatLoadLiteral { sd: Reg, address: u32 },
    FloatStore { sd: Reg, rn: Reg, offset: i16 },
    FloatLoadDouble { sd: Reg, rn: Reg, offset: i16 },
    FloatLoadDoubleLiteral { sd: Reg, address: u32 },
    FloatStoreDouble { sd: Reg, rn: Reg, offset: i16 },
    FloatLoadMultiple { sd: Reg, count: u8, rn: Reg, before: bool, writeback: bool },
    FloatStoreMultiple { sd: Reg, count: u8, rn: Reg, before: bool, writeback: bool },
    FloatToCore { rt: Reg, sn: Reg },
    CoreToFloat { rt: Reg, sn: Reg },
    FloatPairToCore { rt: Reg, rt2: Reg, sm: Reg },
    CorePairToFloat { rt: Reg, rt2: Reg, sm: Reg },
    /// VSEL: `sn` if the condition holds (0 EQ, 1 VS, 2 GE, 3 GT), else `sm`.
    FloatSelect { condition: u8, sd: Reg, sn: Reg, sm: Reg },
    /// VMAXNM, VMINNM.
    FloatExtreme { minimum: bool, sd: Reg, sn: Reg, sm: Reg },
    /// VRINTx.
    FloatRound { rounding: FloatRounding, sd: Reg, sm: Reg },
    /// VCVTA, VCVTN, VCVTP, VCVTM.
    FloatToIntegerRounded { rounding: FloatRounding, signed: bool, sd: Reg, sm: Reg },
    /// To the flags when `rt` is 15.
    ReadFloatStatus { rt: Reg },
    WriteFloatStatus { rt: Reg },
}

/// One instruction in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    pub(super) op: Op,
    /// ITSTATE while it executes; 0 outside an IT block.
    pub(super) it: u8,
    /// Halfwords from the start of the block.
    pub(super) halfwords_before: u8,
    /// Statically known cycles from the start of the block.
    pub(super) cycles_before: u16,
}

const _: () = assert!(size_of::<Instruction>() <= 16);

impl Op {
    /// Whether straight-line execution cannot or must not go on behind it in the same block.
    pub(super) fn ends_block(self) -> bool {
        matches!(
            self,
            Op::Branch { .. }
                | Op::BranchLink { .. }
                | Op::BranchExchange { .. }
                | Op::BranchLinkExchange { .. }
                | Op::TableBranch { .. }
                | Op::MoveToPc { .. }
                | Op::AddToPc { .. }
                | Op::JumpLiteral { .. }
                | Op::JumpIndexed { .. }
                | Op::JumpRegister { .. }
                | Op::WaitForInterrupt
                | Op::WaitForEvent
                | Op::InstructionBarrier
                | Op::SupervisorCall
                | Op::Breakpoint { .. }
                | Op::Undefined
                | Op::Coprocessor { .. }
                | Op::ChangeState { .. }
                | Op::WriteSpecial { .. }
        ) || matches!(self, Op::LoadMultiple { list, .. } if list & 0x8000 != 0)
    }

    /// The multiplications of the DSP extension with halves, pairs and most significant words.
    pub(super) fn is_dsp_multiplication(self) -> bool {
        matches!(
            self,
            Op::DualAdd { .. }
                | Op::DualSub { .. }
                | Op::DualLong { .. }
                | Op::MultiplyHalves { .. }
                | Op::MultiplyWordHalf { .. }
                | Op::MultiplyHalvesLong { .. }
                | Op::MultiplyMostSignificant { .. }
        )
    }

    /// What the multiplier does, with or without accumulation.
    pub(super) fn is_multiplication(self) -> bool {
        self.is_dsp_multiplication()
            || matches!(
                self,
                Op::Multiply { .. }
                    | Op::MultiplyAdd { .. }
                    | Op::MultiplySub { .. }
                    | Op::MultiplyLong { .. }
                    | Op::MultiplyAccumulateAccumulateLong { .. }
            )
    }

    /// The loads that pipeline with each other: one register, not into the program counter.
    pub(super) fn is_single_load(self) -> bool {
        matches!(
            self,
            Op::LoadWord { .. }
                | Op::LoadHalf { .. }
                | Op::LoadByte { .. }
                | Op::LoadSignedHalf { .. }
                | Op::LoadSignedByte { .. }
                | Op::LoadWordRegister { .. }
                | Op::LoadHalfRegister { .. }
                | Op::LoadByteRegister { .. }
                | Op::LoadSignedHalfRegister { .. }
                | Op::LoadSignedByteRegister { .. }
                | Op::LoadIndexed { .. }
                | Op::LoadLiteral { .. }
                | Op::FloatLoad { .. }
                | Op::FloatLoadLiteral { .. }
        )
    }
}
