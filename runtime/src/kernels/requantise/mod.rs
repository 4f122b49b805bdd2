//! From exact integer sums to f32, in place.

#[cfg(vfp)]
mod vfp;

/// The memory of `output` as the integers that [`requantise`] finds there.
pub fn as_sums(output: &mut [f32]) -> &mut [i32] {
    bytemuck::cast_slice_mut(output)
}

/// `values[r] = sums[r] * (scales[r] * input_scale) + bias[r]`, where `values` holds the bits of the sums:
/// [`requantise_portable`] or a fast twin, chosen at compile time.
///
/// *Shapes*: `scales`, `values` `[rows]`, `bias` `[rows]` or empty.
#[inline(always)]
pub fn requantise(scales: &[f32], bias: &[f32], input_scale: f32, values: &mut [f32]) {
    #[cfg(all(soft, not(feature = "portable")))]
    super::soft::requantise(scales, bias, input_scale, values);
    #[cfg(all(vfp, not(feature = "portable")))]
    vfp::requantise(scales, bias, input_scale, values);
    #[cfg(any(not(any(soft, vfp)), feature = "portable"))]
    requantise_portable(scales, bias, input_scale, values);
}

/// The definition of [`requantise`]: one conversion, two products and a sum, each rounded.
pub fn requantise_portable(scales: &[f32], bias: &[f32], input_scale: f32, values: &mut [f32]) {
    for (value, scale) in values.iter_mut().zip(scales) {
        *value = value.to_bits() as i32 as f32 * (scale * input_scale);
    }
    add(bias, values);
}

pub(super) fn add(bias: &[f32], values: &mut [f32]) {
    for (value, bias) in values.iter_mut().zip(bias) {
        *value += bias;
    }
}
