//! Matrices times activations, with both gradients from the matrices as they lie in memory.

use super::matmul::{Extent, Matrix, product_shared};
use super::{plain, slice, with_slice};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

/// `x weight^T` `[n, rows]`; `x` `[n, columns]`, `weight` `[rows, columns]`.
///
/// # Errors
/// Those of candle.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return plain::linear(x, weight);
    }
    x.contiguous()?.apply_op2(&weight.contiguous()?, Linear)
}

/// `x [first; second]^T` `[n, rows of first + rows of second]`: two matrices that read the same activations.
///
/// # Errors
/// Those of candle.
pub fn linear_pair(x: &Tensor, first: &Tensor, second: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return Tensor::cat(&[plain::linear(x, first)?, plain::linear(x, second)?], 1);
    }
    x.contiguous()?.apply_op3(&first.contiguous()?, &second.contiguous()?, Pair)
}

/// Writes `x weight^T` from column `from` of `y` `[n, stride]`.
fn forward(x: &[f32], (weight, rows): (&[f32], usize), columns: usize, y: &mut [f32], from: usize, stride: usize) {
    let extent = Extent { rows: x.len() / columns, depth: columns, columns: rows };
    product_shared(Matrix::new(x, columns), Matrix::new(weight, columns).turned(), &mut y[from..], stride, extent, false);
}

/// Gradient of one matrix `[rows, columns]`, of which `g` `[n, stride]` holds the outputs' gradient from column `from` on; adds its part of the inputs'
/// gradient to `dx`.
fn backward(x: &Tensor, weight: &Tensor, g: &[f32], from: usize, stride: usize, dx: &mut [f32]) -> Result<Tensor> {
    let ((n, columns), (rows, _)) = (x.dims2()?, weight.dims2()?);
    let g = Matrix::new(&g[from..], stride);
    with_slice(weight, |weight| {
        product_shared(g, Matrix::new(weight, columns), dx, columns, Extent { rows: n, depth: rows, columns }, from > 0);
        Ok(())
    })?;
    let mut dw = vec![0f32; rows * columns];
    with_slice(x, |x| {
        let extent = Extent { rows, depth: n, columns };
        product_shared(g.turned(), Matrix::new(x, columns), &mut dw, columns, extent, false);
        Ok(())
    })?;
    Tensor::from_vec(dw, weight.shape(), weight.device())
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((n, columns), (rows, _)) = (l1.shape().dims2()?, l2.shape().dims2()?);
        let mut y = vec![0f32; n * rows];
        forward(slice(s1, l1, "linear")?, (slice(s2, l2, "linear")?, rows), columns, &mut y, 0, rows);
        Ok((CpuStorage::F32(y), Shape::from((n, rows))))
    }

    fn bwd(&self, x: &Tensor, weight: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut dx = vec![0f32; x.elem_count()];
        let dw = with_slice(gradient, |g| backward(x, weight, g, 0, weight.dims2()?.0, &mut dx))?;
        Ok((Some(Tensor::from_vec(dx, x.shape(), x.device())?), Some(dw)))
    }
}

struct Pair;

impl CustomOp3 for Pair {
    fn name(&self) -> &'static str {
        "linear-pair"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((n, columns), (first, _), (second, _)) = (l1.shape().dims2()?, l2.shape().dims2()?, l3.shape().dims2()?);
        let (x, stride) = (slice(s1, l1, "linear-pair")?, first + second);
        let mut y = vec![0f32; n * stride];
        forward(x, (slice(s2, l2, "linear-pair")?, first), columns, &mut y, 0, stride);
        forward(x, (slice(s3, l3, "linear-pair")?, second), columns, &mut y, first, stride);
        Ok((CpuStorage::F32(y), Shape::from((n, stride))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        first: &Tensor,
        second: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut dx = vec![0f32; x.elem_count()];
        let (rows, stride) = (first.dims2()?.0, gradient.dims2()?.1);
        let (d1, d2) = with_slice(gradient, |g| {
            Ok((backward(x, first, g, 0, stride, &mut dx)?, backward(x, second, g, rows, stride, &mut dx)?))
        })?;
        Ok((Some(Tensor::from_vec(dx, x.shape(), x.device())?), Some(d1), Some(d2)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::check;
    use super::*;

    #[test]
    fn gradients_match_finite_differences() {
        check(&[&[7, 5], &[9, 5]], |inputs| linear(&inputs[0], &inputs[1])).unwrap();
        check(&[&[7, 5], &[4, 5], &[3, 5]], |inputs| linear_pair(&inputs[0], &inputs[1], &inputs[2])).unwrap();
    }
}
