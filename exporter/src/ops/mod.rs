//! Fused operations with their own backward passes: candle's op-by-op forms take several times as long on a CPU. Each is checked
//! against finite differences, or, where rounding has none, over steps of whole integers, and against its plain form, which takes its
//! place on every other device.

pub mod activation;
pub mod attention;
pub mod cross_entropy;
pub mod fake_quantise;
pub mod imitation;
pub mod linear;
pub(crate) mod matmul;
pub mod norm;
pub mod plain;
mod simd;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Rows that one task of a row-by-row operation takes. Sums over rows are sums of the tasks' sums, so that the number of threads changes
/// no bit.
const TASK_ROWS: usize = 128;

/// The elements of a contiguous f32 argument of a custom op.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout, op: &'static str) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("{op} needs contiguous arguments"),
    }
}

/// Calls `f` with the elements of a tensor, in place when it is contiguous.
fn with_slice<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(slice(storage, layout, "with_slice")?),
        _ => bail!("the fused operations run on the CPU"),
    }
}

#[cfg(test)]
pub(crate) mod gradient_check {
    use candle_core::{Device, Result, Tensor, Var};

    /// Deterministic values in `-1..1`.
    pub fn values(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).max(1);
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / 2f32.powi(31) - 1.0
        };
        (0..count).map(next).collect()
    }

    /// Compares the gradient of `sum(weights * f(inputs))` with central differences, for every element of every input.
    pub fn check(shapes: &[&[usize]], f: impl Fn(&[Tensor]) -> Result<Tensor>) -> Result<()> {
        let vars: Vec<Var> = shapes
            .iter()
            .enumerate()
            .map(|(index, shape)| Var::from_vec(values(shape.iter().product(), 11 + index as u32), *shape, &Device::Cpu))
            .collect::<Result<_>>()?;
        let loss = |inputs: &[Tensor]| {
            let output = f(inputs)?.flatten_all()?;
            let weights = Tensor::from_vec(values(output.elem_count(), 5), output.elem_count(), &Device::Cpu)?;
            (output * weights)?.sum_all()
        };
        let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let gradients = loss(&tensors)?.backward()?;
        for (index, var) in vars.iter().enumerate() {
            let gradient = gradients.get(var).expect("every input has a gradient").flatten_all()?.to_vec1::<f32>()?;
            let base = var.flatten_all()?.to_vec1::<f32>()?;
            for element in 0..base.len() {
                let at = |delta: f32| -> Result<f64> {
                    let mut moved = base.clone();
                    moved[element] += delta;
                    let mut inputs = tensors.clone();
                    inputs[index] = Tensor::from_vec(moved, var.shape(), &Device::Cpu)?;
                    Ok(f64::from(loss(&inputs)?.to_scalar::<f32>()?))
                };
                let step = 4e-3;
                let numeric = (at(step)? - at(-step)?) / (2.0 * f64::from(step));
                let found = f64::from(gradient[element]);
                // f32 sums of a few hundred terms: differences are good to about 1e-3.
                assert!(
                    (numeric - found).abs() < 4e-3 * (1.0 + numeric.abs()),
                    "input {index}[{element}]: {numeric} against {found}"
                );
            }
        }
        Ok(())
    }
}
