//! Causal grouped-query attention of whole sequences: rotary embedding, scores, softmax and weighted sum in one operation.

use super::matmul::{Extent, Matrix, Triangle, product};
use super::simd::{dot, exponentials, largest, vectorised};
use super::{plain, slice, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// What attention needs to know besides its tensors.
#[derive(Clone, Debug)]
pub struct Attention {
    /// Tokens per sequence; the batch is a whole number of sequences.
    pub time: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// (cos, sin), `[time or more, head_dim / 2, 2]`; none for learned positions.
    pub turns: Option<Arc<Vec<f32>>>,
    /// `[n]`: whether a token's keys and values are hidden from later tokens (it always sees itself); none when all are visible.
    pub hidden: Option<Arc<Vec<bool>>>,
}

/// Matrices of one head of one sequence, reused from head to head.
struct Head {
    query: Vec<f32>,         // [time, head_dim], rotated, scaled by 1 / sqrt(head_dim)
    key: Vec<f32>,           // [time, head_dim], rotated
    probabilities: Vec<f32>, // [time, time], zero above the diagonal as far as tiles reach
}

/// The same for its gradients.
struct Gradients {
    scores: Vec<f32>, // [time, time]
    query: Vec<f32>,  // [time, head_dim]
    key: Vec<f32>,    // [time, head_dim]
    value: Vec<f32>,  // [time, head_dim]
}

impl Attention {
    /// `query_key_value` `[n, (heads + 2 * kv_heads) * head_dim]`: each token's queries, then its keys, then its values; result
    /// `[n, heads * head_dim]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn apply(self, query_key_value: &Tensor) -> Result<Tensor> {
        if query_key_value.device().is_cpu() { self.fused(query_key_value) } else { self.plain(query_key_value) }
    }

    /// [`Self::apply`] on the CPU.
    pub(super) fn fused(self, query_key_value: &Tensor) -> Result<Tensor> {
        query_key_value.contiguous()?.apply_op1(self)
    }

    /// [`Self::apply`] anywhere.
    pub(super) fn plain(&self, query_key_value: &Tensor) -> Result<Tensor> {
        let (n, width) = (query_key_value.dims2()?.0, self.width());
        let rows = query_key_value.reshape((n / self.time, self.time, self.stride()))?;
        plain::attend(self, &rows.narrow(2, 0, width)?, &rows.narrow(2, width, self.stride() - width)?)?.reshape((n, width))
    }

    /// Width of a token's queries, and of the result.
    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of a token's queries, keys and values.
    fn stride(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// First columns of the query, the key and the value that head `index` reads.
    fn columns(&self, index: usize) -> [usize; 3] {
        let kv_head = index / (self.heads / self.kv_heads);
        [index, self.heads + kv_head, self.heads + self.kv_heads + kv_head].map(|head| head * self.head_dim)
    }

    /// Elements of the matrices of scores.
    fn square(&self) -> Extent {
        Extent { rows: self.time, depth: self.head_dim, columns: self.time }
    }

    /// Products with scores on the left.
    fn tall(&self) -> Extent {
        Extent { rows: self.time, depth: self.time, columns: self.head_dim }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// Turns row `t` of a `[time, head_dim]` matrix by its angle, backwards if `sign` is -1.
    fn rotate(&self, rows: &mut [f32], sign: f32) {
        let Some(turns) = &self.turns else { return };
        for (pair, turn) in rows.as_chunks_mut::<2>().0.iter_mut().zip(turns.as_chunks::<2>().0) {
            let ([x, y], [cos, sin]) = (*pair, *turn);
            let sin = sin * sign;
            *pair = [x * cos - y * sin, x * sin + y * cos];
        }
    }

    /// `head_dim` columns from `first` of each row of a sequence, times `scale`.
    fn gather(&self, rows: &[f32], first: usize, scale: f32, out: &mut [f32]) {
        for (out, row) in out.chunks_exact_mut(self.head_dim).zip(rows.chunks_exact(self.stride())) {
            out.iter_mut().zip(&row[first..]).for_each(|(out, x)| *out = x * scale);
        }
    }

    /// Adds a `[time, head_dim]` matrix, times `scale`, to the columns from `first` of each row of a sequence.
    fn scatter(&self, part: &[f32], scale: f32, rows: &mut [f32], first: usize) {
        for (row, part) in rows.chunks_exact_mut(self.stride()).zip(part.chunks_exact(self.head_dim)) {
            row[first..].iter_mut().zip(part).for_each(|(to, from)| *to += from * scale);
        }
    }

    fn empty_head(&self) -> Head {
        let tall = || vec![0f32; self.time * self.head_dim];
        Head { query: tall(), key: tall(), probabilities: vec![0f32; self.time * self.time] }
    }

    /// Fills `head` with head `index` of a sequence.
    fn fill(&self, head: &mut Head, sequence: usize, rows: &[f32], index: usize) {
        let [query, key, _] = self.columns(index);
        self.gather(rows, query, self.scale(), &mut head.query);
        self.gather(rows, key, 1.0, &mut head.key);
        self.rotate(&mut head.query, 1.0);
        self.rotate(&mut head.key, 1.0);
        let (time, dim) = (self.time, self.head_dim);
        let keys = Matrix::new(&head.key, dim).turned();
        product(Matrix::new(&head.query, dim), keys, &mut head.probabilities, time, self.square(), Triangle::Result);
        let hidden = self.hidden.as_ref().map(|hidden| &hidden[sequence * time..][..time]);
        let probabilities = &mut head.probabilities;
        vectorised(
            #[inline(always)]
            || {
                for (t, row) in probabilities.chunks_exact_mut(time).enumerate() {
                    let (seen, unseen) = row.split_at_mut(t + 1);
                    if let Some(hidden) = hidden {
                        seen[..t].iter_mut().zip(hidden).filter(|(_, hidden)| **hidden).for_each(|(s, _)| *s = f32::NEG_INFINITY);
                    }
                    let largest = largest(seen);
                    let scale = 1.0 / exponentials(seen, largest);
                    seen.iter_mut().for_each(|p| *p *= scale);
                    unseen.fill(0.0);
                }
            },
        );
    }

    /// Writes the result `[time, width]` of one sequence.
    fn sequence(&self, sequence: usize, rows: &[f32], out: &mut [f32]) {
        let mut head = self.empty_head();
        for index in 0..self.heads {
            self.fill(&mut head, sequence, rows, index);
            let [query, _, value] = self.columns(index);
            let values = Matrix::new(&rows[value..], self.stride());
            let weights = Matrix::new(&head.probabilities, self.time);
            product(weights, values, &mut out[query..], self.width(), self.tall(), Triangle::Lower);
        }
    }

    /// Adds the gradient of one sequence to `out`, both laid out as `rows`; `gradient` `[time, width]`.
    fn sequence_gradient(&self, sequence: usize, rows: &[f32], gradient: &[f32], out: &mut [f32]) {
        let (time, dim) = (self.time, self.head_dim);
        let tall = || vec![0f32; time * dim];
        let mut head = self.empty_head();
        let mut d = Gradients { scores: vec![0f32; time * time], query: tall(), key: tall(), value: tall() };
        for index in 0..self.heads {
            self.fill(&mut head, sequence, rows, index);
            let [query, key, value] = self.columns(index);
            let g = Matrix::new(&gradient[query..], self.width());
            let values = Matrix::new(&rows[value..], self.stride());
            product(g, values.turned(), &mut d.scores, time, self.square(), Triangle::Result);
            let (probabilities, scores) = (&head.probabilities, &mut d.scores);
            vectorised(
                #[inline(always)]
                || {
                    for (t, (ds, p)) in scores.chunks_exact_mut(time).zip(probabilities.chunks_exact(time)).enumerate() {
                        let (seen, unseen) = ds.split_at_mut(t + 1);
                        let mean = dot(seen, &p[..=t]);
                        seen.iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - mean));
                        unseen.fill(0.0);
                    }
                },
            );
            let (ds, p) = (Matrix::new(&d.scores, time), Matrix::new(&head.probabilities, time));
            product(ds, Matrix::new(&head.key, dim), &mut d.query, dim, self.tall(), Triangle::Lower);
            product(ds.turned(), Matrix::new(&head.query, dim), &mut d.key, dim, self.tall(), Triangle::Upper);
            product(p.turned(), g, &mut d.value, dim, self.tall(), Triangle::Upper);
            self.rotate(&mut d.query, -1.0);
            self.rotate(&mut d.key, -1.0);
            self.scatter(&d.query, self.scale(), out, query);
            self.scatter(&d.key, 1.0, out, key);
            self.scatter(&d.value, 1.0, out, value);
        }
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = slice(storage, layout, "attention")?;
        let (n, _) = layout.shape().dims2()?;
        let mut out = vec![0f32; n * self.width()];
        let parts = out.par_chunks_mut(self.time * self.width()).zip(rows.par_chunks(self.time * self.stride()));
        parts.enumerate().for_each(|(sequence, (out, rows))| self.sequence(sequence, rows, out));
        Ok((CpuStorage::F32(out), Shape::from((n, self.width()))))
    }

    fn bwd(&self, rows: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut out = vec![0f32; rows.elem_count()];
        with_slice(rows, |rows| {
            with_slice(gradient, |gradient| {
                let (long, short) = (self.time * self.stride(), self.time * self.width());
                let parts = out.par_chunks_mut(long).zip(rows.par_chunks(long)).zip(gradient.par_chunks(short));
                parts.enumerate().for_each(|(sequence, ((out, rows), g))| self.sequence_gradient(sequence, rows, g, out));
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(out, rows.shape(), rows.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::check;
    use super::*;
    use crate::export::rotary_table;

    #[test]
    fn gradients_match_finite_differences() {
        for (rotary, hidden) in [(false, false), (true, false), (true, true)] {
            let attention = Attention {
                time: 5,
                heads: 4,
                kv_heads: 2,
                head_dim: 4,
                turns: rotary.then(|| Arc::new(rotary_table(5, 4))),
                hidden: hidden.then(|| Arc::new((0..10).map(|i| i % 3 == 1).collect())),
            };
            let larger = |x: &Tensor| x.broadcast_mul(&Tensor::from_slice(&[[2f32; 16], [1f32; 16]].concat(), 32, x.device())?);
            check(&[&[10, 32]], |inputs| attention.clone().apply(&larger(&inputs[0])?)).unwrap();
        }
    }
}
