//! Rounding of a matrix to a few bits, one scale per output row, by the row alone.

use crate::checkpoint::{Tensors, name};
use fathom::format::Shape;
use rayon::prelude::*;

/// Scales that are tried first, as shares of the one at which the largest weight becomes the limit.
pub(crate) const SHARES: [f32; 9] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6];
/// Below this a row is zeros for any purpose; reciprocals overflow.
pub(crate) const SMALLEST: f32 = 1e-30;
/// How far from an integer a multiple of a row's scale may be, in scales, to count as one.
const EXACT: f32 = 1e-4;
/// The matrices of a block, which few bits are for; embedding, head and routers keep eight.
pub const BLOCK_MATRICES: [&str; 5] = [name::QUERY, name::KEY_VALUE, name::OUTPUT, name::UP, name::DOWN];

/// A rounded matrix: `weight ~ values * scale of the row`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// `[rows, columns]`, in `-limit..=limit`.
    pub values: Vec<i8>,
    /// `[rows]`.
    pub scales: Vec<f32>,
}

impl Rounded {
    /// The weights that the integers stand for, `[rows, columns]`.
    pub fn weights(&self) -> Vec<f32> {
        let columns = self.values.len() / self.scales.len().max(1);
        let rows = self.values.chunks_exact(columns.max(1)).zip(&self.scales);
        rows.flat_map(|(row, scale)| row.iter().map(move |q| f32::from(*q) * scale)).collect()
    }

    pub(crate) fn of_rows(rows: Vec<(Vec<i8>, f32)>) -> Self {
        let (values, scales): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        Self { values: values.concat(), scales }
    }
}

/// Rounds each row at the scale of the least squared error among those tried. A row that already is integers times a scale keeps its
/// integers, so rounding twice changes nothing. *Shapes*: `weight` `[rows, columns]`.
pub fn search_rows(weight: &[f32], columns: usize, limit: i8) -> Rounded {
    let row = |row: &[f32]| {
        let scale = search(row, limit);
        (rounded(row, scale, limit), scale)
    };
    Rounded::of_rows(weight.par_chunks_exact(columns).map(row).collect())
}

pub(crate) fn largest(row: &[f32]) -> f32 {
    row.iter().fold(0f32, |largest, w| largest.max(w.abs()))
}

fn round(w: f32, inverse: f32, limit: i8) -> f32 {
    let limit = f32::from(limit);
    (w * inverse).round_ties_even().clamp(-limit, limit)
}

fn inverse(scale: f32) -> f32 {
    if scale > SMALLEST { 1.0 / scale } else { 0.0 }
}

pub(crate) fn rounded(row: &[f32], scale: f32, limit: i8) -> Vec<i8> {
    let inverse = inverse(scale);
    row.iter().map(|w| round(*w, inverse, limit) as i8).collect()
}

/// The scale at which a row already is integers, the largest of them as small as possible.
pub(crate) fn exact(row: &[f32], limit: i8) -> Option<f32> {
    let largest = largest(row);
    let scales = (1..=limit).map(|k| largest / f32::from(k));
    scales.into_iter().find(|scale| {
        let inverse = inverse(*scale);
        row.iter().all(|w| (w * inverse - (w * inverse).round_ties_even()).abs() <= EXACT)
    })
}

/// The scale of the least squared error: the best of [`SHARES`], then refitted to its own integers.
pub(crate) fn search(row: &[f32], limit: i8) -> f32 {
    if let Some(scale) = exact(row, limit) {
        return scale;
    }
    // Squared error at a scale, and the scale that fits the integers found there best.
    let judge = |scale: f32| {
        let inverse = inverse(scale);
        let (mut error, mut product, mut square) = (0f32, 0f32, 0f32);
        for w in row {
            let q = round(*w, inverse, limit);
            let rest = w - q * scale;
            error += rest * rest;
            product += w * q;
            square += q * q;
        }
        (error, product / square.max(1.0))
    };
    let start = largest(row) / f32::from(limit);
    let (mut scale, mut error, mut refitted) = (start, f32::INFINITY, start);
    for share in SHARES {
        let (found, fitted) = judge(start * share);
        if found < error {
            (scale, error, refitted) = (start * share, found, fitted);
        }
    }
    for _ in 0..3 {
        let (found, fitted) = judge(refitted);
        if found >= error {
            break;
        }
        (scale, error, refitted) = (refitted, found, fitted);
    }
    scale
}

/// Replaces the matrices of every block by what [`search_rows`] rounds them to.
pub fn round_blocks(tensors: &mut Tensors, shape: &Shape, limit: i8) {
    for (block, matrix) in (0..shape.stored_blocks()).flat_map(|block| BLOCK_MATRICES.map(|matrix| (block, matrix))) {
        if let Some((dims, weight)) = tensors.get_mut(&name::weight(&name::block(block, matrix))) {
            *weight = search_rows(weight, dims[1], limit).weights();
        }
    }
}

/// Whether the matrices of every block already are integers times a scale per row, as a quantise stage leaves them.
pub fn is_rounded(tensors: &Tensors, shape: &Shape, limit: i8) -> bool {
    let layers =
        (0..shape.stored_blocks()).flat_map(|block| BLOCK_MATRICES.map(|matrix| name::weight(&name::block(block, matrix))));
    let is_rounded =
        |(dims, weight): &(Vec<usize>, Vec<f32>)| weight.chunks_exact(dims[1]).all(|row| exact(row, limit).is_some());
    layers.into_iter().all(|layer| tensors.get(&layer).is_none_or(is_rounded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantise::quantise_rows;
    use crate::random::{Purpose, normal, stream};

    fn matrix(seed: u64, count: usize) -> Vec<f32> {
        let mut random = stream(seed, Purpose::Initialise, 0, 0);
        (0..count).map(|_| normal(&mut random)).collect()
    }

    fn plain(weight: &[f32], columns: usize) -> Rounded {
        let (values, scales) = quantise_rows(weight, columns, 7);
        Rounded { values, scales }
    }

    fn error(weight: &[f32], rounded: &Rounded) -> f64 {
        weight.iter().zip(rounded.weights()).map(|(w, r)| f64::from((w - r) * (w - r))).sum()
    }

    #[test]
    fn the_search_is_never_worse_than_the_absolute_maximum_in_any_row() {
        for (seed, columns) in [(1, 3), (2, 16), (3, 128), (4, 256)] {
            let weight = matrix(seed, 40 * columns);
            for row in weight.chunks_exact(columns) {
                assert!(error(row, &search_rows(row, columns, 7)) <= error(row, &plain(row, columns)) * 1.000_01);
            }
            let (found, plain) = (search_rows(&weight, columns, 7), plain(&weight, columns));
            assert!(columns < 128 || error(&weight, &found) < 0.97 * error(&weight, &plain), "wide rows must gain");
        }
    }

    #[test]
    fn rounding_what_is_rounded_keeps_every_integer() {
        let once = search_rows(&matrix(5, 64 * 48), 48, 7);
        let twice = search_rows(&once.weights(), 48, 7);
        assert_eq!(once.values, twice.values);
        assert!(once.scales.iter().zip(&twice.scales).all(|(a, b)| (a - b).abs() <= 2.0 * f32::EPSILON * a));
        // Rows whose largest integer is not the limit, as rounding on a text may leave them.
        let row: Vec<f32> = [5, -3, 0, 2].map(|q| q as f32 * 0.037).to_vec();
        assert_eq!(search_rows(&row, 4, 7).values, [5, -3, 0, 2]);
    }

    #[test]
    fn zeros_and_the_smallest_rows_stay_finite() {
        for value in [0.0, 1e-38, f32::MIN_POSITIVE / 4.0] {
            let rounded = search_rows(&[value; 8], 8, 7);
            assert!(rounded.scales[0].is_finite() && rounded.weights().iter().all(|w| w.is_finite() && *w <= 2.0 * value));
        }
    }
}
