//! Execution: one match from operation to effect; the files below hold what is longer than a line.

mod data;
mod dsp;
mod float;
mod memory;
mod multiply;
mod system;

use super::core::{Core, Flow};
use super::cycles::dual_issue::EARLY_FLAGS;
use super::fault::{FaultKind, Stop};
use super::op::{Alu, Instruction, Op, Width};
use data::{add_with_carry, apply_shift};

impl Core {
    /// Executes one instruction of a block that starts at `block_pc`.
    #[inline(always)]
    pub(super) fn execute(&mut self, at: &Instruction, block_pc: u32) -> Flow {
        match at.op {
            Op::MoveImmediate { rd, value } => self.set(rd, value),
            Op::MovesImmediate { rd, value } => {
                self.set_nz(value);
                self.set(rd, value);
            }
            Op::MoveRegister { rd, rm } => self.set(rd, self.get(rm)),
            Op::AddImmediate { rd, rn, value } => self.set(rd, self.get(rn).wrapping_add(value)),
            Op::AddsImmediate { rd, rn, value } => self.adds(rd, self.get(rn), value),
            Op::SubsImmediate { rd, rn, value } => self.subs(rd, self.get(rn), value),
            Op::CompareImmediate { rn, value } => {
                self.compare(self.get(rn), value);
            }
            Op::CompareRegister { rn, rm } => {
                self.compare(self.get(rn), self.get(rm));
            }
            Op::AddRegister { rd, rn, rm, lsl } => self.set(rd, self.get(rn).wrapping_add(self.get(rm) << (lsl & 31))),
            Op::AddsRegister { rd, rn, rm } => self.adds(rd, self.get(rn), self.get(rm)),
            Op::SubsRegister { rd, rn, rm } => self.subs(rd, self.get(rn), self.get(rm)),
            Op::StackPointerAdd { rn, value } => return self.move_sp(self.get(rn).wrapping_add(value)),
            Op::StackPointerMove { rm } => return self.move_sp(self.get(rm)),
            Op::AluImmediate { alu, flags, rd, rn, carry, value } => {
                if rd == 13 && self.sum_passes_limit(alu, self.get(rn), value) {
                    return self.raise(FaultKind::StackLimit, self.get(rn));
                }
                self.alu(alu, flags, rd, self.get(rn), value, carry.unwrap_or(self.carry));
            }
            Op::AluRegister { alu, flags, rd, rn, rm, shift, amount } => {
                let (operand, carry) = apply_shift(self.get(rm), shift, amount, self.carry);
                if rd == 13 && self.sum_passes_limit(alu, self.get(rn), operand) {
                    return self.raise(FaultKind::StackLimit, self.get(rn));
                }
                self.alu(alu, flags, rd, self.get(rn), operand, carry);
            }
            Op::ShiftImmediate { shift, flags, rd, rm, amount } => self.shift(shift, flags, rd, self.get(rm), amount),
            Op::ShiftRegister { shift, flags, rd, rn, rm } => self.shift(shift, flags, rd, self.get(rn), self.get(rm) as u8),
            Op::MoveTop { rd, value } => self.set(rd, self.get(rd) & 0xFFFF | u32::from(value) << 16),
            Op::Unary { unary, rd, rm } => self.set(rd, data::unary(unary, self.get(rm))),
            Op::BitFieldInsert { rd, rn, lsb, width } => self.bit_field_insert(rd, self.get(rn), lsb, width),
            Op::BitFieldClear { rd, lsb, width } => self.bit_field_insert(rd, 0, lsb, width),
            Op::BitFieldExtract { signed, rd, rn, lsb, width } => {
                self.set(rd, data::bit_field_extract(self.get(rn), signed, lsb, width));
            }
            Op::Extend { extend, rd, rn, rm, rotate } => self.extend(extend, rd, rn, self.get(rm).rotate_right(rotate.into())),

            Op::Multiply { flags, rd, rn, rm } => {
                let product = self.get(rn).wrapping_mul(self.get(rm));
                if flags {
                    self.set_nz(product);
                }
                self.set(rd, product);
            }
            Op::MultiplyAdd { rd, rn, rm, ra } => {
                self.set(rd, self.get(rn).wrapping_mul(self.get(rm)).wrapping_add(self.get(ra)));
            }
            Op::MultiplySub { rd, rn, rm, ra } => {
                self.set(rd, self.get(ra).wrapping_sub(self.get(rn).wrapping_mul(self.get(rm))));
            }
            Op::DualAdd { exchange, rd, rn, rm, ra } => self.dual_add(exchange, rd, rn, rm, ra),
            Op::DualSub { exchange, rd, rn, rm, ra } => self.dual_sub(exchange, rd, rn, rm, ra),
            Op::MultiplyLong { signed, accumulate, lo, hi, rn, rm } => self.multiply_long(signed, accumulate, lo, hi, rn, rm),
            Op::MultiplyAccumulateAccumulateLong { lo, hi, rn, rm } => self.multiply_accumulate_accumulate(lo, hi, rn, rm),
            Op::DualLong { subtract, exchange, lo, hi, rn, rm } => self.dual_long(subtract, exchange, lo, hi, rn, rm),
            Op::MultiplyHalves { n_top, m_top, rd, rn, rm, ra } => self.multiply_halves(n_top, m_top, rd, rn, rm, ra),
            Op::MultiplyWordHalf { m_top, rd, rn, rm, ra } => self.multiply_word_half(m_top, rd, rn, rm, ra),
            Op::MultiplyHalvesLong { n_top, m_top, lo, hi, rn, rm } => self.multiply_halves_long(n_top, m_top, lo, hi, rn, rm),
            Op::MultiplyMostSignificant { subtract, round, rd, rn, rm, ra } => {
                self.multiply_most_significant(subtract, round, rd, rn, rm, ra);
            }
            Op::Divide { signed, rd, rn, rm } => return self.divide(signed, rd, rn, rm),

            Op::Saturate { signed, rd, rn, bits, shift, amount } => {
                let (operand, _) = apply_shift(self.get(rn), shift, amount, false);
                self.saturate(signed, rd, operand, bits);
            }
            Op::Saturate16 { signed, rd, rn, bits } => self.saturate16(signed, rd, rn, bits),
            Op::SaturatingAdd { subtract, double, rd, rn, rm } => self.saturating_add(subtract, double, rd, rn, rm),
            Op::Parallel { operation, lanes, rd, rn, rm } => self.parallel(operation, lanes, rd, rn, rm),
            Op::Select { rd, rn, rm } => self.select(rd, rn, rm),
            Op::PackHalves { top_bottom, rd, rn, rm, amount } => self.pack_halves(top_bottom, rd, rn, rm, amount),
            Op::AbsoluteDifferences { rd, rn, rm, ra } => self.absolute_differences(rd, rn, rm, ra),

            Op::LoadWord { rt, rn, offset } => return self.load(Width::Word, rt, self.get(rn).wrapping_add(offset), at),
            Op::LoadHalf { rt, rn, offset } => return self.load(Width::Half, rt, self.get(rn).wrapping_add(offset), at),
            Op::LoadByte { rt, rn, offset } => return self.load(Width::Byte, rt, self.get(rn).wrapping_add(offset), at),
            Op::LoadSignedHalf { rt, rn, offset } => {
                return self.load(Width::SignedHalf, rt, self.get(rn).wrapping_add(offset), at);
            }
            Op::LoadSignedByte { rt, rn, offset } => {
                return self.load(Width::SignedByte, rt, self.get(rn).wrapping_add(offset), at);
            }
            Op::StoreWord { rt, rn, offset } => return self.store(Width::Word, rt, self.get(rn).wrapping_add(offset), at),
            Op::StoreHalf { rt, rn, offset } => return self.store(Width::Half, rt, self.get(rn).wrapping_add(offset), at),
            Op::StoreByte { rt, rn, offset } => return self.store(Width::Byte, rt, self.get(rn).wrapping_add(offset), at),
            Op::LoadWordRegister { rt, rn, rm, lsl } => return self.load(Width::Word, rt, self.indexed(rn, rm, lsl), at),
            Op::LoadHalfRegister { rt, rn, rm, lsl } => return self.load(Width::Half, rt, self.indexed(rn, rm, lsl), at),
            Op::LoadByteRegister { rt, rn, rm, lsl } => return self.load(Width::Byte, rt, self.indexed(rn, rm, lsl), at),
            Op::LoadSignedHalfRegister { rt, rn, rm, lsl } => {
                return self.load(Width::SignedHalf, rt, self.indexed(rn, rm, lsl), at);
            }
            Op::LoadSignedByteRegister { rt, rn, rm, lsl } => {
                return self.load(Width::SignedByte, rt, self.indexed(rn, rm, lsl), at);
            }
            Op::StoreWordRegister { rt, rn, rm, lsl } => return self.store(Width::Word, rt, self.indexed(rn, rm, lsl), at),
            Op::StoreHalfRegister { rt, rn, rm, lsl } => return self.store(Width::Half, rt, self.indexed(rn, rm, lsl), at),
            Op::StoreByteRegister { rt, rn, rm, lsl } => return self.store(Width::Byte, rt, self.indexed(rn, rm, lsl), at),
            Op::LoadIndexed { width, rt, rn, post, offset } => return self.load_indexed(width, rt, rn, post, offset, at),
            Op::StoreIndexed { width, rt, rn, post, offset } => return self.store_indexed(width, rt, rn, post, offset, at),
            Op::LoadLiteral { width, rt, address } => return self.load(width, rt, address, at),
            Op::JumpLiteral { address } => return self.jump(address, at),
            Op::JumpIndexed { rn, index, offset } => return self.jump_indexed(rn, index, offset, at),
            Op::JumpRegister { rn, rm, lsl } => return self.jump(self.indexed(rn, rm, lsl), at),
            Op::LoadDual { rt, rt2, rn, index, offset } => return self.load_dual(rt, rt2, rn, index, offset, at),
            Op::LoadDualLiteral { rt, rt2, address } => return self.load_dual_at(rt, rt2, address, at),
            Op::StoreDual { rt, rt2, rn, index, offset } => return self.store_dual(rt, rt2, rn, index, offset, at),
            Op::LoadMultiple { rn, before, writeback, list } => return self.load_multiple(rn, before, writeback, list, at),
            Op::StoreMultiple { rn, before, writeback, list } => return self.store_multiple(rn, before, writeback, list, at),
            Op::LoadExclusive { width, rt, rn, offset } => return self.load_exclusive(width, rt, rn, offset, at),
            Op::StoreExclusive { width, rd, rt, rn, offset } => return self.store_exclusive(width, rd, rt, rn, offset, at),
            Op::ClearExclusive => self.exclusive = None,
            Op::LoadAcquire { width, exclusive, rt, rn } => return self.load_acquire(width, exclusive, rt, self.get(rn), at),
            Op::StoreRelease { width, rt, rn } => return self.store_release(width, rt, self.get(rn), at),
            Op::StoreReleaseExclusive { width, rd, rt, rn } => return self.store_exclusive(width, rd, rt, rn, 0, at),

            Op::Branch { target } => {
                self.r[15] = target;
                return Flow::Branch;
            }
            Op::BranchIf { condition, target } => {
                if self.condition(condition & 15) {
                    return self.take(target);
                }
                self.stay(at, block_pc);
            }
            Op::BranchLink { target } => {
                self.r[14] = address_of(at, block_pc).wrapping_add(4) | 1;
                self.r[15] = target;
                return Flow::Branch;
            }
            Op::BranchExchange { rm } => return self.branch_exchange(self.get(rm)),
            Op::BranchLinkExchange { rm } => {
                let target = self.get(rm);
                self.r[14] = address_of(at, block_pc).wrapping_add(2) | 1;
                if target & 1 == 0 {
                    return self.raise(FaultKind::InvalidState, target);
                }
                self.r[15] = target & !1;
                return Flow::Branch;
            }
            Op::CompareBranch { nonzero, rn, target } => {
                if (self.get(rn) != 0) == nonzero {
                    return self.take(target);
                }
                self.stay(at, block_pc);
            }
            Op::TableBranch { half, rn, rm, base } => return self.table_branch(half, rn, rm, base, at),
            Op::MoveToPc { rm } => {
                self.r[15] = self.get(rm) & !1;
                return Flow::Branch;
            }
            Op::AddToPc { rm, base } => {
                self.r[15] = base.wrapping_add(self.get(rm)) & !1;
                return Flow::Branch;
            }

            Op::IfThen | Op::Nop | Op::Yield | Op::Barrier => {}
            Op::InstructionBarrier => return Flow::Leave,
            Op::SendEvent => self.event_register = true,
            Op::WaitForInterrupt => return self.wait(),
            Op::WaitForEvent if self.event_register => self.event_register = false,
            Op::WaitForEvent => return self.wait(),
            Op::SupervisorCall => return self.supervisor_call(),
            Op::Breakpoint { imm } => {
                self.stop = Some(Stop::Breakpoint { imm });
                return Flow::Stop;
            }
            Op::Undefined => return self.raise(FaultKind::Undefined, address_of(at, block_pc)),
            Op::Coprocessor { number: 10 | 11 } if self.has_fpu() => {
                return self.raise(FaultKind::Undefined, address_of(at, block_pc));
            }
            Op::Coprocessor { .. } => return self.raise(FaultKind::NoCoprocessor, address_of(at, block_pc)),
            Op::TestTarget { unprivileged, rd, rn } => self.set(rd, self.test_target(unprivileged, self.get(rn))),
            Op::SecureGateway => {}
            Op::ChangeState { disable, primask, faultmask } => return self.change_state(disable, primask, faultmask),
            Op::ReadSpecial { rd, number } => self.set_any(rd, self.read_special(number)),
            Op::WriteSpecial { rn, number, mask } => return self.write_special(self.get(rn), number, mask),

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
            | Op::WriteFloatStatus { .. } => return self.execute_float(at),
        }
        Flow::Next
    }

    /// A conditional branch that is taken.
    #[inline(always)]
    fn take(&mut self, target: u32) -> Flow {
        self.cycles += u64::from(self.costs.refill);
        self.r[15] = target;
        Flow::Branch
    }

    /// A conditional branch that is not taken.
    #[inline(always)]
    fn stay(&mut self, at: &Instruction, block_pc: u32) {
        if self.predictor.is_some() {
            self.check_prediction(at.op, address_of(at, block_pc), None);
        }
    }

    /// Charges a branch that went another way than was foreseen; whether it went as foreseen.
    pub(in crate::machine) fn check_prediction(&mut self, op: Op, address: u32, taken: Option<u32>) -> bool {
        let Some(predictor) = &mut self.predictor else { return true };
        let foreseen = predictor.foresaw(address, taken);
        if !foreseen {
            let early = matches!(op, Op::BranchIf { condition, .. } if condition & EARLY_FLAGS != 0);
            self.cycles += u64::from(if early { self.costs.mispredicted_early } else { self.costs.mispredicted });
        }
        foreseen
    }

    /// Writes the stack pointer, unless that passes its limit.
    #[inline(always)]
    fn move_sp(&mut self, value: u32) -> Flow {
        if self.is_below_limit(value) {
            return self.raise(FaultKind::StackLimit, value);
        }
        self.set_sp(value);
        Flow::Next
    }

    /// The same for the sums and differences that decoding does not make a plain addition to the stack pointer.
    fn sum_passes_limit(&self, alu: Alu, a: u32, b: u32) -> bool {
        self.is_below_limit(if alu == Alu::Sub { a.wrapping_sub(b) } else { a.wrapping_add(b) })
    }

    #[inline(always)]
    fn adds(&mut self, rd: u8, a: u32, b: u32) {
        let (result, carry, overflow) = add_with_carry(a, b, false);
        self.carry = carry;
        self.overflow = overflow;
        self.set_nz(result);
        self.set(rd, result);
    }

    #[inline(always)]
    fn subs(&mut self, rd: u8, a: u32, b: u32) {
        let result = self.compare(a, b);
        self.set(rd, result);
    }

    #[inline(always)]
    fn compare(&mut self, a: u32, b: u32) -> u32 {
        let result = a.wrapping_sub(b);
        self.carry = a >= b;
        self.overflow = (a ^ b) & (a ^ result) & 1 << 31 != 0;
        self.set_nz(result);
        result
    }
}

fn address_of(at: &Instruction, block_pc: u32) -> u32 {
    block_pc.wrapping_add(u32::from(at.halfwords_before) * 2)
}
