//! Sets of registers, as pipelines compare them.

use super::op::Reg;

/// A set of registers: bits 0 to 15 core, 16 to 47 single precision, then the names below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Registers(pub(super) u64);

#[allow(dead_code)] // the rest is for dual issue
impl Registers {
    /// N, Z, C, V.
    pub(super) const FLAGS: Self = Self(1 << 48);
    /// N, Z, C, V of FPSCR. Its sticky exception flags are not tracked, nor is Q.
    pub(super) const FLOAT_FLAGS: Self = Self(1 << 49);
    /// The four GE bits.
    pub(super) const GREATER_EQUAL: Self = Self(1 << 50);
    /// All that FPSCR-independent code can name: one more than the highest bit in use.
    pub(super) const COUNT: usize = 51;
    pub(super) const NONE: Self = Self(0);
    pub(super) const CORE: Self = Self(0xFFFF);
    pub(super) const FLOAT: Self = Self(0xFFFF_FFFF << 16);

    /// One core register.
    pub(super) fn core(reg: Reg) -> Self {
        Self(1 << (reg & 15))
    }

    /// One core register, or none where the operand is absent (15 encodes that).
    pub(super) fn optional(reg: Reg) -> Self {
        if reg == 15 { Self::NONE } else { Self::core(reg) }
    }

    /// The core registers of a list, bit by bit.
    pub(super) fn list(list: u16) -> Self {
        Self(list.into())
    }

    /// `count` single-precision registers from `first` up.
    pub(super) fn float(first: Reg, count: u8) -> Self {
        Self(((1 << count.min(32)) - 1) << (16 + u32::from(first & 31)) & Self::FLOAT.0)
    }

    pub(super) fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn core_part(self) -> Self {
        Self(self.0 & Self::CORE.0)
    }

    pub(super) const fn float_part(self) -> Self {
        Self(self.0 & Self::FLOAT.0)
    }

    /// Bit numbers, upwards.
    pub(super) fn numbers(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let number = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_every_single_precision_register() {
        assert_eq!(Registers::float(0, 32), Registers::FLOAT);
        assert_eq!(Registers::float(31, 1), Registers(1 << 47));
        assert!(Registers::float(0, 32).core_part().is_empty() && !Registers::float(3, 1).float_part().is_empty());
        let both = Registers::core(1).and(Registers::core(2));
        assert!(both.meets(Registers::core(2)) && !both.without(Registers::core(2)).meets(Registers::core(2)));
        assert!(both.numbers().all(|number| number < Registers::COUNT));
    }
}
