//! Requantisation on Armv6-M: `sum * (scale * input_scale)` in integers, about 110 cycles a row where the compiler's code takes 200.
#![allow(unsafe_code)] // a naked function, called through pointers whose extents the safe wrapper checks

/// What the kernel works on; the order of the fields is known to the assembly.
#[repr(C)]
struct Call {
    /// Scales of the rows, moved on by the kernel.
    scales: *const f32,
    /// Sums, which become floats, moved on by the kernel.
    values: *mut f32,
    /// Their end.
    end: *mut f32,
    /// The input's significand: its 16 upper bits, and the 8 below.
    upper: u32,
    lower: u32,
    /// The input's exponent field less 126.
    exponent: u32,
}

/// Bits 47 to 16 of the product of two significands of 24 bits, split into upper and lower bits, in `$a`, and those below in the lower bytes
/// of `$a_low` and `$low`, which come first; then the leading one in bit 31, and 1 off the exponent in r1 where it was not there.
macro_rules! product {
    ($a:literal, $a_low:literal, $b:literal, $b_low:literal, $low:literal) => {
        concat!(
            "movs ",
            $low,
            ", ",
            $a_low,
            "\nmuls ",
            $low,
            ", ",
            $b_low,
            ", ",
            $low,
            "\n",
            "muls ",
            $a_low,
            ", ",
            $b,
            ", ",
            $a_low,
            "\nmuls ",
            $b_low,
            ", ",
            $a,
            ", ",
            $b_low,
            "\n",
            "adds ",
            $a_low,
            ", ",
            $a_low,
            ", ",
            $b_low,
            "\nlsrs ",
            $b_low,
            ", ",
            $low,
            ", #8\n",
            "adds ",
            $a_low,
            ", ",
            $a_low,
            ", ",
            $b_low,
            "\nmuls ",
            $a,
            ", ",
            $b,
            ", ",
            $a,
            "\n",
            "lsrs ",
            $b_low,
            ", ",
            $a_low,
            ", #8\nadds ",
            $a,
            ", ",
            $a,
            ", ",
            $b_low,
            "\n",
            "bmi 7f\nadds ",
            $a,
            ", ",
            $a,
            ", ",
            $a,
            "\nsubs r1, #1\n7:\n",
        )
    };
}

/// `$to` = the 24 leading bits of `$a`, rounded, ties to even; what `product!` left below decides whether it is one.
macro_rules! rounded {
    ($to:literal, $a:literal, $a_low:literal, $low:literal) => {
        concat!(
            "lsrs ",
            $to,
            ", ",
            $a,
            ", #8\nbcc 7f\nadds ",
            $to,
            ", #1\nlsls ",
            $a,
            ", ",
            $a,
            ", #25\nbne 7f\n",
            "orrs ",
            $a_low,
            ", ",
            $low,
            "\nlsls ",
            $a_low,
            ", ",
            $a_low,
            ", #24\nbne 7f\n",
            "lsrs ",
            $to,
            ", ",
            $to,
            ", #1\nlsls ",
            $to,
            ", ",
            $to,
            ", #1\n7:\n",
        )
    };
}

/// Shifts the sum in r5 left by `$by` unless it has bits from `$bits` on.
macro_rules! shifted {
    ($bits:literal, $by:literal) => {
        concat!("lsrs r2, r5, #", $bits, "\nbne 7f\nlsls r5, r5, #", $by, "\nsubs r1, #", $by, "\n7:\n")
    };
}

/// Scales sums, row by row, up to the first that has a scale, a product or a sum out of the ordinary, and leaves the pointers there.
///
/// # Safety
/// `call` is valid, and its fields are as their comments say: `values` is valid up to `end`, and `scales` for as many floats.
#[unsafe(naked)]
unsafe extern "C" fn scale(call: *mut Call) {
    core::arch::naked_asm!(
        "push {{r0, r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "ldmia r0!, {{r1, r2, r3, r4, r5, r6}}",
        "mov r8, r1",
        "mov r9, r2",
        "mov r10, r3",
        "mov r11, r4",
        "mov r12, r5",
        "mov lr, r6",
        "b 1f",
        // The end, or a row that is for others.
        "9:",
        "mov r1, r8",
        "mov r2, r9",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r0}}",
        "stmia r0!, {{r1, r2}}",
        "pop {{r4-r7, pc}}",
        "8:",
        "movs r3, #0",
        "2:",
        "stmia r7!, {{r3}}",
        "mov r9, r7",
        "movs r2, #4",
        "add r8, r2",
        "1:",
        "mov r7, r9",
        "cmp r7, r10",
        "beq 9b",
        "mov r6, r8",
        "ldr r0, [r6]",
        "ldr r5, [r7]",
        "lsrs r1, r0, #23",
        "subs r2, r1, #1",
        "cmp r2, #253",
        "bhi 9b",
        // The product of the scales: its significand in r3, its exponent field in r1.
        "uxtb r2, r0",
        "movs r3, #128",
        "lsls r3, r3, #8",
        "lsrs r0, r0, #8",
        "uxth r0, r0",
        "orrs r0, r3",
        "mov r4, r11",
        "mov r3, r12",
        product!("r0", "r2", "r4", "r3", "r6"),
        "add r1, lr",
        rounded!("r3", "r0", "r2", "r6"),
        "subs r2, r1, #1",
        "cmp r2, #252", // 2^24 takes one more
        "bhi 9b",
        // The sum's magnitude in r5, its leading one in bit 23.
        "asrs r4, r5, #31",
        "eors r5, r4",
        "subs r5, r5, r4",
        "beq 8b",
        "lsrs r2, r5, #24",
        "bne 9b",
        shifted!("12", "12"),
        shifted!("18", "6"),
        shifted!("21", "3"),
        shifted!("22", "2"),
        shifted!("23", "1"),
        // Their product.
        "lsrs r0, r5, #8",
        "uxtb r5, r5",
        "lsrs r2, r3, #8",
        "uxtb r3, r3",
        product!("r0", "r5", "r2", "r3", "r6"),
        "adds r1, #23",
        "cmp r1, #252",
        "bhi 9b",
        rounded!("r3", "r0", "r5", "r6"),
        "lsls r1, r1, #23",
        "adds r3, r3, r1", // the leading one adds 1 to the exponent
        "lsls r4, r4, #31",
        "orrs r3, r4",
        "b 2b",
    )
}

/// Scales the first sums in `values`, as [`super::requantise::requantise_portable`] does, and returns how many: all, or those before one that
/// is out of the ordinary.
///
/// *Range*: `input_scale` positive and normal. At most as many as there are `scales`.
pub fn scale_sums(scales: &[f32], input_scale: f32, values: &mut [f32]) -> usize {
    let rows = scales.len().min(values.len());
    let Some(values) = values.get_mut(..rows) else { return 0 };
    let bits = input_scale.to_bits();
    let range = values.as_mut_ptr_range();
    let mut call = Call {
        scales: scales.as_ptr(),
        values: range.start,
        end: range.end,
        upper: (bits >> 8 & 0x7fff) | 0x8000,
        lower: bits & 0xff,
        exponent: (bits >> 23).wrapping_sub(126),
    };
    // SAFETY: `values` is valid from `values` to `end`, both ends of one slice, and `scales` has at least as many floats; the kernel reads
    // and writes one of each for each row, and stops at the end at the latest.
    unsafe { scale(&mut call) };
    (call.values as usize - range.start as usize) / 4
}
