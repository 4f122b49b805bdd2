//! The MLP's activations: SwiGLU, GELU (tanh approximation), squared ReLU.

use super::simd::{LANES, sigmoid, vectorised};
use super::{TASK_ROWS, plain, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use fathom::format::Mlp;
use rayon::prelude::*;

/// Activates `x` `[n, up_rows]` into `[n, mlp_width]`; for SwiGLU the gate is the first half of each row.
///
/// # Errors
/// Those of candle.
pub fn activate(x: &Tensor, mlp: Mlp) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return plain::activate(x, mlp);
    }
    x.contiguous()?.apply_op1(Activation(mlp))
}

struct Activation(Mlp);

const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
const CUBIC: f32 = 0.044715;

/// Value and derivative of a pointwise activation.
#[inline(always)]
fn pointwise(mlp: Mlp, x: f32) -> (f32, f32) {
    match mlp {
        Mlp::Gelu => {
            let s = sigmoid(TWICE_SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
            (x * s, s + x * s * (1.0 - s) * TWICE_SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x))
        }
        Mlp::SquaredRelu => (x.max(0.0) * x.max(0.0), 2.0 * x.max(0.0)),
        // The gate of SwiGLU.
        Mlp::SwiGlu => {
            let s = sigmoid(x);
            (x * s, s + x * s * (1.0 - s))
        }
    }
}

impl Activation {
    #[inline(always)]
    fn forward(&self, x: &[f32], y: &mut [f32], columns: usize, width: usize) {
        match self.0 {
            Mlp::SwiGlu => {
                for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(columns)) {
                    let (gate, up) = x.split_at(width);
                    y.iter_mut().zip(gate).zip(up).for_each(|((y, gate), up)| *y = gate * sigmoid(*gate) * up);
                }
            }
            Mlp::Gelu => y.iter_mut().zip(x).for_each(|(y, x)| *y = pointwise(Mlp::Gelu, *x).0),
            Mlp::SquaredRelu => y.iter_mut().zip(x).for_each(|(y, x)| *y = pointwise(Mlp::SquaredRelu, *x).0),
        }
    }

    #[inline(always)]
    fn backward(&self, x: &[f32], g: &[f32], dx: &mut [f32], columns: usize, width: usize) {
        if self.0 != Mlp::SwiGlu {
            return dx.iter_mut().zip(x).zip(g).for_each(|((dx, x), g)| *dx = pointwise(self.0, *x).1 * g);
        }
        let rows = dx.chunks_exact_mut(columns).zip(x.chunks_exact(columns)).zip(g.chunks_exact(width));
        for ((dx, x), g) in rows {
            let ((dgate, dup), (gate, up)) = (dx.split_at_mut(width), x.split_at(width));
            let whole = width - width % LANES;
            swiglu_gradients::<LANES>(gate, up, g, dgate, dup);
            swiglu_gradients::<1>(&gate[whole..], &up[whole..], &g[whole..], &mut dgate[whole..], &mut dup[whole..]);
        }
    }
}

/// Gradients of gates and of what they multiply, of all whole groups of `N`. By way of arrays: the compiler does not see that five slices are
/// apart, and its loop over them would be scalar.
#[inline(always)]
fn swiglu_gradients<const N: usize>(gate: &[f32], up: &[f32], g: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
    let inputs = gate.as_chunks::<N>().0.iter().zip(up.as_chunks::<N>().0).zip(g.as_chunks::<N>().0);
    for (((gate, up), g), (dgate, dup)) in inputs.zip(dgate.as_chunks_mut::<N>().0.iter_mut().zip(dup.as_chunks_mut::<N>().0)) {
        let (mut of_gate, mut of_up) = ([0f32; N], [0f32; N]);
        for i in 0..N {
            let (value, slope) = pointwise(Mlp::SwiGlu, gate[i]);
            of_gate[i] = g[i] * up[i] * slope;
            of_up[i] = g[i] * value;
        }
        (*dgate, *dup) = (of_gate, of_up);
    }
}

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout, "activation")?;
        let (rows, columns) = layout.shape().dims2()?;
        let width = if self.0 == Mlp::SwiGlu { columns / 2 } else { columns };
        let mut y = vec![0f32; rows * width];
        let tasks = y.par_chunks_mut(TASK_ROWS * width).zip(x.par_chunks(TASK_ROWS * columns));
        tasks.for_each(|(y, x)| {
            vectorised(
                #[inline(always)]
                || self.forward(x, y, columns, width),
            )
        });
        Ok((CpuStorage::F32(y), Shape::from((rows, width))))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let columns = x.dims2()?.1;
        let mut dx = vec![0f32; x.elem_count()];
        let width = if self.0 == Mlp::SwiGlu { columns / 2 } else { columns };
        with_slice(x, |x| {
            with_slice(gradient, |g| {
                let tasks = dx.par_chunks_mut(TASK_ROWS * columns).zip(x.par_chunks(TASK_ROWS * columns));
                let tasks = tasks.zip(g.par_chunks(TASK_ROWS * width));
                tasks.for_each(|((dx, x), g)| {
                    vectorised(
                        #[inline(always)]
                        || self.backward(x, g, dx, columns, width),
                    )
                });
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::check;
    use super::*;

    #[test]
    fn gradients_match_finite_differences() {
        for mlp in [Mlp::Gelu, Mlp::SquaredRelu, Mlp::SwiGlu] {
            check(&[&[3, 8]], |inputs| activate(&(&inputs[0] * 2.0)?, mlp)).unwrap();
            check(&[&[2, 38]], |inputs| activate(&(&inputs[0] * 2.0)?, mlp)).unwrap(); // a vector of SwiGLU's gates, and three more
        }
    }
}
