//! Rounding of a matrix to a few bits so that its outputs on a text change least.
//!
//! For each row `w` integers `q` in `-limit..=limit` and a scale `s` are chosen that make `e H e` small, where `e = w - s q` and
//! `H = X^T X + damping` of the inputs `X` seen on the text: the squared error of the row's outputs. At each of a few scales one weight is
//! rounded after another, and later ones make up for the error so far (the GPTQ method of Frantar et al. 2022, in the form of the
//! nearest-plane algorithm, Babai 1986); from the best of them single weights and the scale are improved in turn.

use crate::rounding::{Rounded, SHARES, SMALLEST, exact, largest, rounded, search};
use rayon::prelude::*;

/// Added to the diagonal of `X^T X`, as a share of its mean: inputs that were never seen must not be free.
const DAMPING: f64 = 0.01;
/// Rounds of improving weights, then the scale.
const IMPROVEMENTS: usize = 8;

/// `X^T X` of the inputs of a matrix.
#[derive(Clone, Debug)]
pub struct Hessian {
    columns: usize,
    /// `[columns, columns]`, symmetric.
    sums: Vec<f64>,
}

impl Hessian {
    /// Of a matrix with that many columns, before any input.
    pub fn new(columns: usize) -> Self {
        Self { columns, sums: vec![0.0; columns * columns] }
    }

    /// Adds inputs, `[n, columns]`.
    pub fn add(&mut self, inputs: &[f32]) {
        let columns = self.columns;
        self.sums.par_chunks_exact_mut(columns).enumerate().for_each(|(i, sums)| {
            // Sums of one batch fit f32; batches are added in f64.
            let mut part = vec![0f32; columns];
            for input in inputs.chunks_exact(columns) {
                let x = input[i];
                part.iter_mut().zip(input).for_each(|(sum, y)| *sum += x * y);
            }
            sums.iter_mut().zip(&part).for_each(|(sum, part)| *sum += f64::from(*part));
        });
    }

    /// `e H e` summed over the rows of the error `[rows, columns]`, with damping: what [`Self::round_rows`] minimises.
    pub fn output_error(&self, weight: &[f32], rounded: &[f32]) -> f64 {
        let damped = self.damped();
        let rows = weight.chunks_exact(self.columns).zip(rounded.chunks_exact(self.columns));
        rows.map(|(w, r)| {
            let error: Vec<f64> = w.iter().zip(r).map(|(w, r)| f64::from(*w) - f64::from(*r)).collect();
            form(&damped, &error)
        })
        .sum()
    }

    fn damped(&self) -> Vec<f64> {
        let mut damped = self.sums.clone();
        let diagonal = || (0..self.columns).map(|i| i * (self.columns + 1));
        let mean = diagonal().map(|i| self.sums[i]).sum::<f64>() / self.columns as f64;
        // Without inputs every error counts the same.
        let damping = if mean > 0.0 { DAMPING * mean } else { 1.0 };
        diagonal().for_each(|i| damped[i] += damping);
        damped
    }

    /// Rounds each row so that the outputs for the inputs seen change least; never worse by [`Self::output_error`] than
    /// `quantise::quantise_rows` and `rounding::search_rows`. *Shapes*: `weight` `[rows, columns]`. *Cost*: about `40 * rows * columns^2` operations.
    pub fn round_rows(&self, weight: &[f32], limit: i8) -> Rounded {
        // The first weight that is rounded, the last of the order, has all the others to make up for it.
        let mut order: Vec<usize> = (0..self.columns).collect();
        order.sort_by(|a, b| self.sums[a * (self.columns + 1)].total_cmp(&self.sums[b * (self.columns + 1)]));
        let damped = self.damped();
        let n = self.columns;
        let permuted: Vec<f64> =
            order.iter().flat_map(|i| order.iter().map(|j| (*i, *j))).map(|(i, j)| damped[i * n + j]).collect();
        let factor = upper_factor(&permuted, self.columns);
        let row = |row: &[f32]| {
            let ordered: Vec<f32> = order.iter().map(|i| row[*i]).collect();
            let (values, scale) = round_row(&ordered, &permuted, &factor, limit);
            let mut back = vec![0; row.len()];
            order.iter().zip(values).for_each(|(i, value)| back[*i] = value);
            (back, scale)
        };
        Rounded::of_rows(weight.par_chunks_exact(self.columns).map(row).collect())
    }
}

/// `e H e`.
fn form(hessian: &[f64], e: &[f64]) -> f64 {
    hessian.chunks_exact(e.len()).zip(e).map(|(row, e_i)| e_i * dot(row, e)).sum()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Upper triangular `R` with `R^T R = H`, row-major: Cholesky's factor of a positive definite matrix.
fn upper_factor(hessian: &[f64], n: usize) -> Vec<f64> {
    let mut r = vec![0f64; n * n];
    for i in 0..n {
        for j in i..n {
            let above: f64 = (0..i).map(|k| r[k * n + i] * r[k * n + j]).sum();
            let rest = hessian[i * n + j] - above;
            // Damping keeps the diagonal positive; rounding errors must not make it less.
            r[i * n + j] = if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / r[i * n + i] };
        }
    }
    r
}

/// A candidate for one row.
struct Candidate {
    values: Vec<i8>,
    scale: f32,
    error: f64,
}

impl Candidate {
    fn new(row: &[f32], hessian: &[f64], values: Vec<i8>, scale: f32) -> Self {
        let error = form(hessian, &errors(row, &values, scale));
        Self { values, scale, error }
    }
}

fn errors(row: &[f32], values: &[i8], scale: f32) -> Vec<f64> {
    row.iter().zip(values).map(|(w, q)| f64::from(*w) - f64::from(scale) * f64::from(*q)).collect()
}

fn round_row(row: &[f32], hessian: &[f64], factor: &[f64], limit: i8) -> (Vec<i8>, f32) {
    let start = largest(row) / f32::from(limit);
    let found = search(row, limit);
    if start <= SMALLEST || exact(row, limit).is_some() {
        return (rounded(row, found, limit), found);
    }
    let candidate = |values, scale| Candidate::new(row, hessian, values, scale);
    let plain = [start, found].map(|scale| candidate(rounded(row, scale, limit), scale));
    let scales = SHARES.iter().map(|share| share * start).chain([found]);
    let planes = scales.map(|scale| candidate(nearest_plane(row, factor, scale, limit), scale));
    let best = plain.into_iter().chain(planes).min_by(|a, b| a.error.total_cmp(&b.error));
    let Some(mut best) = best else { return (rounded(row, found, limit), found) };
    for _ in 0..IMPROVEMENTS {
        let mut values = best.values.clone();
        improve(row, hessian, &mut values, best.scale, limit);
        let scale = fitted_scale(row, hessian, &values).unwrap_or(best.scale);
        let next = candidate(values, scale);
        if next.error >= best.error {
            break;
        }
        best = next;
    }
    (best.values, best.scale)
}

/// Rounds the last weight first; each next one also makes up for the errors behind it.
fn nearest_plane(row: &[f32], factor: &[f64], scale: f32, limit: i8) -> Vec<i8> {
    let n = row.len();
    let (scale, limit) = (f64::from(scale), f64::from(limit));
    let mut errors = vec![0f64; n];
    let mut values = vec![0; n];
    for i in (0..n).rev() {
        let line = &factor[i * n..][..n];
        let pull = dot(&line[i + 1..], &errors[i + 1..]) / line[i];
        let w = f64::from(row[i]);
        let q = ((w + pull) / scale).round_ties_even().clamp(-limit, limit);
        errors[i] = w - scale * q;
        values[i] = q as i8;
    }
    values
}

/// Moves single weights as long as that helps.
fn improve(row: &[f32], hessian: &[f64], values: &mut [i8], scale: f32, limit: i8) {
    let n = row.len();
    let errors = errors(row, values, scale);
    let mut slope: Vec<f64> = hessian.chunks_exact(n).map(|line| dot(line, &errors)).collect();
    let (scale, limit) = (f64::from(scale), f64::from(limit));
    for _ in 0..IMPROVEMENTS {
        let mut moved = false;
        for i in 0..n {
            let line = &hessian[i * n..][..n];
            let q = f64::from(values[i]);
            let step = (q + slope[i] / (scale * line[i])).round_ties_even().clamp(-limit, limit) - q;
            if step != 0.0 {
                values[i] = (q + step) as i8;
                slope.iter_mut().zip(line).for_each(|(slope, h)| *slope -= scale * step * h);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
}

/// The scale of the least error for these integers.
fn fitted_scale(row: &[f32], hessian: &[f64], values: &[i8]) -> Option<f32> {
    let q: Vec<f64> = values.iter().map(|q| f64::from(*q)).collect();
    let w: Vec<f64> = row.iter().map(|w| f64::from(*w)).collect();
    let hq: Vec<f64> = hessian.chunks_exact(q.len()).map(|line| dot(line, &q)).collect();
    let (product, square) = (dot(&w, &hq), dot(&q, &hq));
    Some((product / square) as f32).filter(|scale| scale.is_finite() && *scale > SMALLEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantise::quantise_rows;
    use crate::random::{Purpose, normal, stream};
    use crate::rounding::search_rows;

    /// Inputs `[n, columns]` of which neighbours resemble one another, as activations do, and weights `[rows, columns]`.
    fn case(seed: u64, n: usize, rows: usize, columns: usize) -> (Hessian, Vec<f32>) {
        let mut random = stream(seed, Purpose::Initialise, 0, 0);
        let mut hessian = Hessian::new(columns);
        for _ in 0..n {
            let mut common = 0.0;
            let input: Vec<f32> = (0..columns)
                .map(|i| {
                    common = 0.8 * common + normal(&mut random);
                    common * (1.0 + (i % 5) as f32)
                })
                .collect();
            hessian.add(&input);
        }
        (hessian, (0..rows * columns).map(|_| normal(&mut random)).collect())
    }

    #[test]
    fn outputs_change_no_more_than_under_plain_rounding_and_usually_much_less() {
        for (seed, columns, n) in [(1, 1, 4), (2, 7, 3), (3, 24, 100), (4, 64, 300), (5, 128, 64), (6, 16, 0)] {
            let (hessian, weight) = case(seed, n, 24, columns);
            let errors = |rounded: &Rounded| -> Vec<f64> {
                let rows = weight
                    .chunks_exact(columns)
                    .zip(rounded.weights().chunks_exact(columns).map(<[f32]>::to_vec).collect::<Vec<_>>());
                rows.map(|(w, r)| hessian.output_error(w, &r)).collect()
            };
            let found = errors(&hessian.round_rows(&weight, 7));
            let (values, scales) = quantise_rows(&weight, columns, 7);
            let (plain, searched) = (errors(&Rounded { values, scales }), errors(&search_rows(&weight, columns, 7)));
            for ((found, plain), searched) in found.iter().zip(&plain).zip(&searched) {
                // The scale is stored in f32.
                assert!(*found <= plain.min(*searched) * 1.000_01 + 1e-9, "{found} against {plain} and {searched}");
            }
            let sum = |errors: &[f64]| errors.iter().sum::<f64>();
            if columns >= 24 {
                assert!(sum(&found) < 0.5 * sum(&plain), "{columns} columns: {} against {}", sum(&found), sum(&plain));
            }
        }
    }

    #[test]
    fn integers_stay_within_the_limit_and_rounding_twice_changes_nothing() {
        let (hessian, weight) = case(7, 80, 16, 40);
        let once = hessian.round_rows(&weight, 7);
        assert!(once.values.iter().all(|q| (-7..=7).contains(q)));
        assert_eq!(hessian.round_rows(&once.weights(), 7).weights(), search_rows(&once.weights(), 40, 7).weights());
        assert_eq!(search_rows(&once.weights(), 40, 7).values, once.values);
    }

    #[test]
    fn the_factor_gives_the_matrix_back() {
        let (hessian, _) = case(8, 30, 0, 12);
        let damped = hessian.damped();
        let r = upper_factor(&damped, 12);
        for i in 0..12 {
            for j in 0..12 {
                let product: f64 = (0..12).map(|k| r[k * 12 + i] * r[k * 12 + j]).sum();
                assert!((product - damped[i * 12 + j]).abs() < 1e-9 * damped[0].max(1.0), "{i}, {j}");
            }
        }
    }
}
