//! Fast twins of the vector operations on pairs: a gated activation, and rotary positions.
//!
//! Cycles as in [`super::vector`].

use super::processor;
use crate::kernels::vector;
use crate::math::{CURVE_STEPS, Curve};

/// [`Curve::at`] of two places in `$a` and `$b`, for the conversion to f32; r8 and r9 are free, r3 points at the middle node.
///
/// SMLAD multiplies both nodes of a step, which one load brings, by what is left to the next and to the first.
macro_rules! two_places {
    ($a:literal, $b:literal) => {
        concat!(
            "ssat r8, #9, ", $a, ", asr #14\nssat r9, #9, ", $b, ", asr #14\n",
            "ldr r8, [r3, r8, lsl #1]\nldr r9, [r3, r9, lsl #1]\n", // both nodes: at every other halfword a word's border lies between
            "ubfx ", $a, ", ", $a, ", #0, #14\nubfx ", $b, ", ", $b, ", #0, #14\n",
            "mla ", $a, ", ", $a, ", r10, r11\nmla ", $b, ", ", $b, ", r10, r11\n",
            "smlad ", $a, ", ", $a, ", r8, r12\nsmlad ", $b, ", ", $b, ", r9, r12\n",
        )
    };
}

/// `values = (values * curve(values)) * factors` of `4 * turns` values. 72 cycles for 4, and half a cycle for each unaligned load.
///
/// # Safety
/// `turns` is positive, `values` is valid for `4 * turns` f32, `factors` for reading as many; `middle` is the middle of a curve's nodes.
#[unsafe(naked)]
unsafe extern "C" fn gated(values: *mut f32, factors: *const f32, turns: usize, middle: *const i16, scale: f32) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4-r12, lr}}",
        "vmov.f32 s12, s0",
        "movw r10, #0xffff", // place * 0xffff + 2^14 = place << 16 | 2^14 - place
        "mov r11, #0x4000",
        "mov r12, #0x20000000", // 1/2
        ".balign 8",
        "2:",
        "vldmia r0, {{s0-s3}}",
        "vmul.f32 s4, s0, s12",
        "vmul.f32 s5, s1, s12",
        "vmul.f32 s6, s2, s12",
        "vmul.f32 s7, s3, s12",
        ".irp i, 4, 5, 6, 7",
        "vcvt.s32.f32 s\\i, s\\i",
        ".endr",
        "vmov r4, r5, s4, s5",
        "vmov r6, r7, s6, s7",
        two_places!("r4", "r5"),
        two_places!("r6", "r7"),
        "vmov s4, s5, r4, r5",
        "vmov s6, s7, r6, r7",
        "vldmia r1!, {{s8-s11}}",
        ".irp i, 4, 5, 6, 7",
        "vcvt.f32.s32 s\\i, s\\i, #30",
        ".endr",
        "vmul.f32 s0, s0, s4",
        "vmul.f32 s1, s1, s5",
        "vmul.f32 s2, s2, s6",
        "vmul.f32 s3, s3, s7",
        "vmul.f32 s0, s0, s8",
        "vmul.f32 s1, s1, s9",
        "vmul.f32 s2, s2, s10",
        "vmul.f32 s3, s3, s11",
        "subs r2, r2, #1",
        "vstmia r0!, {{s0-s3}}",
        "bne 2b",
        "pop {{r4-r12, pc}}",
    )
}

/// Twin of [`vector::gate_portable`].
pub fn gate(curve: &Curve, values: &mut [f32], factors: &[f32]) {
    let turns = values.len().min(factors.len()) / 4;
    if turns > 0 {
        // SAFETY: both slices have `4 * turns` values, and there is a turn; the pointer stays inside the nodes. The index of a step
        // saturates to 9 bits, so that both nodes read are among the 256 before and behind the middle.
        unsafe {
            let middle = curve.nodes.as_ptr().add(CURVE_STEPS);
            gated(values.as_mut_ptr(), factors.as_ptr(), turns, middle, curve.scale);
        }
    }
    let (rest, factors) = (values.get_mut(4 * turns..).unwrap_or_default(), factors.get(4 * turns..).unwrap_or_default());
    vector::gate_portable(curve, rest, factors);
}

/// Turns the pairs of `heads` heads of `2 * turns` pairs. 30 cycles for 2.
///
/// # Safety
/// `heads` and `turns` are positive, `values` is valid for `heads * turns * 4` f32 and `angles` for reading `turns * 4`.
#[unsafe(naked)]
unsafe extern "C" fn rotated(values: *mut f32, angles: *const f32, turns: usize, heads: usize) {
    core::arch::naked_asm!(
        processor!(),
        "push {{r4, r5}}",
        "1:",
        "mov r4, r1",
        "mov r5, r2",
        ".balign 8",
        "2:",
        "vldmia r0, {{s0-s3}}",
        "vldmia r4!, {{s4-s7}}",
        "vmul.f32 s8, s0, s4", // x cos
        "vmul.f32 s9, s0, s5", // x sin
        "vmul.f32 s10, s2, s6",
        "vmul.f32 s11, s2, s7",
        "vmul.f32 s5, s1, s5", // y sin
        "vmul.f32 s4, s1, s4", // y cos
        "vmul.f32 s7, s3, s7",
        "vmul.f32 s6, s3, s6",
        "vsub.f32 s0, s8, s5",
        "vadd.f32 s1, s9, s4",
        "vsub.f32 s2, s10, s7",
        "vadd.f32 s3, s11, s6",
        "subs r5, r5, #1",
        "vstmia r0!, {{s0-s3}}",
        "bne 2b",
        "subs r3, r3, #1",
        "bne 1b",
        "pop {{r4, r5}}",
        "bx lr",
    )
}

/// Twin of [`vector::rotate_portable`].
pub fn rotate(heads: &mut [f32], turns: &[f32]) {
    let head_dim = turns.len();
    if head_dim == 0 || !head_dim.is_multiple_of(4) || heads.len() < head_dim {
        return vector::rotate_portable(heads, turns);
    }
    // SAFETY: the width of a head is a positive multiple of 4, and there is at least one whole head; the division rounds down.
    unsafe { rotated(heads.as_mut_ptr(), turns.as_ptr(), head_dim / 4, heads.len() / head_dim) }
}
