//! Causal grouped-query attention of whole sequences: rotary embedding, scores, softmax and weighted sum in one operation.

use super::small_matmul::{product, transpose};
use super::{slice, with_slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
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

/// One head of one sequence, gathered into dense matrices.
struct Head {
    query: Vec<f32>,         // [time, head_dim], rotated, scaled by 1 / sqrt(head_dim)
    key: Vec<f32>,           // [time, head_dim], rotated
    value: Vec<f32>,         // [time, head_dim]
    probabilities: Vec<f32>, // [time, time], zero above the diagonal
}

impl Attention {
    /// `query` `[n, heads * head_dim]`, `key_value` `[n, 2 * kv_heads * head_dim]` with the keys first; result `[n, heads * head_dim]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn apply(self, query: &Tensor, key_value: &Tensor) -> Result<Tensor> {
        query.contiguous()?.apply_op2(&key_value.contiguous()?, self)
    }

    fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    fn kv_width(&self) -> usize {
        2 * self.kv_heads * self.head_dim
    }

    /// Turns row `t` of a `[time, head_dim]` matrix by its angle, backwards if `sign` is -1.
    fn rotate(&self, rows: &mut [f32], sign: f32) {
        let Some(turns) = &self.turns else { return };
        for (row, turns) in rows.chunks_exact_mut(self.head_dim).zip(turns.chunks_exact(self.head_dim)) {
            for (pair, turn) in row.chunks_exact_mut(2).zip(turns.chunks_exact(2)) {
                let (x, y, cos, sin) = (pair[0], pair[1], turn[0], turn[1] * sign);
                (pair[0], pair[1]) = (x * cos - y * sin, x * sin + y * cos);
            }
        }
    }

    /// `head_dim` columns from `first` of each row of a sequence.
    fn gather(&self, rows: &[f32], width: usize, first: usize) -> Vec<f32> {
        rows.chunks_exact(width).flat_map(|row| &row[first..first + self.head_dim]).copied().collect()
    }

    fn head(&self, sequence: usize, query: &[f32], key_value: &[f32], head: usize) -> Head {
        let (time, dim) = (self.time, self.head_dim);
        let kv_head = head / (self.heads / self.kv_heads);
        let mut q = self.gather(query, self.query_width(), head * dim);
        let mut key = self.gather(key_value, self.kv_width(), kv_head * dim);
        let value = self.gather(key_value, self.kv_width(), (self.kv_heads + kv_head) * dim);
        self.rotate(&mut q, 1.0);
        self.rotate(&mut key, 1.0);
        let scale = 1.0 / (dim as f32).sqrt();
        q.iter_mut().for_each(|q| *q *= scale);
        let mut key_columns = vec![0f32; time * dim];
        transpose(&key, dim, &mut key_columns);
        let mut scores = vec![0f32; time * time];
        product(&q, &key_columns, &mut scores, (dim, time), |row| row + 2, |_| 0..dim);
        let hidden = self.hidden.as_ref().map(|hidden| &hidden[sequence * time..][..time]);
        for (t, row) in scores.chunks_exact_mut(time).enumerate() {
            if let Some(hidden) = hidden {
                row[..t].iter_mut().zip(hidden).filter(|(_, hidden)| **hidden).for_each(|(score, _)| *score = f32::NEG_INFINITY);
            }
            let largest = row[..=t].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut total = 0.0;
            for score in &mut row[..=t] {
                *score = (*score - largest).exp();
                total += *score;
            }
            row[..=t].iter_mut().for_each(|p| *p /= total);
            row[t + 1..].fill(0.0);
        }
        Head { query: q, key, value, probabilities: scores }
    }

    /// Gradients of one sequence: (query, key_value).
    fn sequence_gradient(&self, sequence: usize, query: &[f32], key_value: &[f32], gradient: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (time, dim) = (self.time, self.head_dim);
        let (mut dq_all, mut dkv_all) = (vec![0f32; query.len()], vec![0f32; key_value.len()]);
        let add = |all: &mut [f32], width: usize, first: usize, part: &[f32]| {
            for (row, part) in all.chunks_exact_mut(width).zip(part.chunks_exact(dim)) {
                row[first..first + dim].iter_mut().zip(part).for_each(|(to, from)| *to += from);
            }
        };
        let square = || vec![0f32; time * time];
        let tall = || vec![0f32; time * dim];
        for index in 0..self.heads {
            let head = self.head(sequence, query, key_value, index);
            let g = self.gather(gradient, self.query_width(), index * dim);
            let (mut value_columns, mut ds, mut transposed) = (tall(), square(), square());
            transpose(&head.value, dim, &mut value_columns);
            product(&g, &value_columns, &mut ds, (dim, time), |row| row + 2, |_| 0..dim);
            for ((ds, p), t) in ds.chunks_exact_mut(time).zip(head.probabilities.chunks_exact(time)).zip(0..) {
                let mean: f32 = ds[..=t].iter().zip(p).map(|(d, p)| d * p).sum();
                ds[..=t].iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - mean));
                ds[t + 1..].fill(0.0);
            }
            let (mut dq, mut dk, mut dv) = (tall(), tall(), tall());
            let scale = 1.0 / (dim as f32).sqrt();
            product(&ds, &head.key, &mut dq, (time, dim), |_| dim, |row| 0..(row + 2).min(time));
            dq.iter_mut().for_each(|x| *x *= scale);
            transpose(&ds, time, &mut transposed);
            product(&transposed, &head.query, &mut dk, (time, dim), |_| dim, |row| row..time);
            transpose(&head.probabilities, time, &mut transposed);
            product(&transposed, &g, &mut dv, (time, dim), |_| dim, |row| row..time);
            self.rotate(&mut dq, -1.0);
            self.rotate(&mut dk, -1.0);
            let kv_head = index / (self.heads / self.kv_heads);
            add(&mut dq_all, self.query_width(), index * dim, &dq);
            add(&mut dkv_all, self.kv_width(), kv_head * dim, &dk);
            add(&mut dkv_all, self.kv_width(), (self.kv_heads + kv_head) * dim, &dv);
        }
        (dq_all, dkv_all)
    }
}

impl CustomOp2 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (query, key_value) = (slice(s1, l1, "attention")?, slice(s2, l2, "attention")?);
        let (time, dim, width) = (self.time, self.head_dim, self.query_width());
        let mut out = vec![0f32; query.len()];
        out.par_chunks_mut(time * width).enumerate().for_each(|(sequence, out)| {
            let query = &query[sequence * time * width..][..time * width];
            let key_value = &key_value[sequence * time * self.kv_width()..][..time * self.kv_width()];
            let mut attended = vec![0f32; time * dim];
            for index in 0..self.heads {
                let head = self.head(sequence, query, key_value, index);
                product(&head.probabilities, &head.value, &mut attended, (time, dim), |_| dim, |row| 0..(row + 2).min(time));
                for (out, attended) in out.chunks_exact_mut(width).zip(attended.chunks_exact(dim)) {
                    out[index * dim..][..dim].copy_from_slice(attended);
                }
            }
        });
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(&self, query: &Tensor, key_value: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (time, width, kv_width) = (self.time, self.query_width(), self.kv_width());
        let (dq, dkv) = with_slice(query, |q| {
            with_slice(key_value, |kv| {
                with_slice(gradient, |g| {
                    let parts: Vec<_> = (0..q.len() / (time * width))
                        .into_par_iter()
                        .map(|sequence| {
                            let rows = |all: &'_ [f32], width: usize| all[sequence * time * width..][..time * width].to_vec();
                            self.sequence_gradient(sequence, &rows(q, width), &rows(kv, kv_width), &rows(g, width))
                        })
                        .collect();
                    let (dq, dkv): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                    Ok((dq.concat(), dkv.concat()))
                })
            })
        })?;
        let dq = Tensor::from_vec(dq, query.shape(), query.device())?;
        Ok((Some(dq), Some(Tensor::from_vec(dkv, key_value.shape(), key_value.device())?)))
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
            check(&[&[10, 16], &[10, 16]], |inputs| attention.clone().apply(&(&inputs[0] * 2.0)?, &inputs[1])).unwrap();
        }
    }
}
