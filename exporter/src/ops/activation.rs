//! The MLP's activations: SwiGLU, GELU (tanh approximation), squared ReLU.

use super::{slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use fathom::format::Mlp;

/// Activates `x` `[n, up_rows]` into `[n, mlp_width]`; for SwiGLU the gate is the first half of each row.
///
/// # Errors
/// Those of candle.
pub fn activate(x: &Tensor, mlp: Mlp) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Activation(mlp))
}

struct Activation(Mlp);

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
const CUBIC: f32 = 0.044715;

/// Value and derivative of a pointwise activation.
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

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout, "activation")?;
        let (rows, columns) = layout.shape().dims2()?;
        if self.0 != Mlp::SwiGlu {
            return Ok((CpuStorage::F32(x.iter().map(|x| pointwise(self.0, *x).0).collect()), layout.shape().clone()));
        }
        let width = columns / 2;
        let mut y = Vec::with_capacity(rows * width);
        for row in x.chunks_exact(columns) {
            let (gate, up) = row.split_at(width);
            y.extend(gate.iter().zip(up).map(|(gate, up)| gate * sigmoid(*gate) * up));
        }
        Ok((CpuStorage::F32(y), Shape::from((rows, width))))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let columns = x.dims2()?.1;
        let mut dx = vec![0f32; x.elem_count()];
        with_slice(x, |x| {
            with_slice(gradient, |gradient| {
                if self.0 != Mlp::SwiGlu {
                    for ((dx, x), g) in dx.iter_mut().zip(x).zip(gradient) {
                        *dx = pointwise(self.0, *x).1 * g;
                    }
                    return Ok(());
                }
                let width = columns / 2;
                let rows = dx.chunks_exact_mut(columns).zip(x.chunks_exact(columns)).zip(gradient.chunks_exact(width));
                for ((dx, x), g) in rows {
                    let ((dgate, dup), (gate, up)) = (dx.split_at_mut(width), x.split_at(width));
                    for i in 0..width {
                        let (value, slope) = pointwise(Mlp::SwiGlu, gate[i]);
                        dgate[i] = g[i] * up[i] * slope;
                        dup[i] = g[i] * value;
                    }
                }
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
        }
    }
}
