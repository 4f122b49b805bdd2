//! Muon (Jordan et al. 2024): matrices move by an orthogonal matrix, the nearest to their momentum, so that every direction of a matrix
//! learns at the same rate. At equal tokens four blocks trained so are better than six trained by AdamW (RESULTS.md).

use crate::ops::matmul::{Extent, Matrix, Triangle, product};

/// Of the momentum.
pub const MOMENTUM: f32 = 0.95;
/// Coefficients of `p(s) = a s + b s^3 + c s^5`, which takes singular values from 0..1 to about 0.7..1.2 in a few rounds (the same source).
const QUINTIC: [f32; 3] = [3.4445, -4.775, 2.0315];
const ROUNDS: usize = 5;
/// Keeps a zero matrix zero.
const EPSILON: f32 = 1e-7;

/// Nearly the orthogonal matrix nearest to `matrix` `[rows, columns]`, by Newton and Schulz's iteration, times `sqrt(rows / columns)`
/// where it has more rows than columns: its change of an output is then as large as that of a square one.
pub fn orthogonal(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let norm = matrix.iter().map(|x| x * x).sum::<f32>().sqrt() + EPSILON;
    let mut x: Vec<f32> = matrix.iter().map(|x| x / norm).collect();
    // The iteration works with x x^T of the shorter side: a tall matrix is read turned.
    let tall = rows > columns;
    let (short, long) = (rows.min(columns), rows.max(columns));
    let (mut gram, mut square) = (vec![0.0; short * short], vec![0.0; short * short]);
    let mut change = vec![0.0; matrix.len()];
    let [a, b, c] = QUINTIC;
    for _ in 0..ROUNDS {
        let flat = if tall { Matrix::new(&x, columns).turned() } else { Matrix::new(&x, columns) }; // [short, long]
        let side = Extent { rows: short, depth: long, columns: short };
        product(flat, flat.turned(), &mut gram, short, side, Triangle::None);
        let side = Extent { depth: short, ..side };
        product(Matrix::new(&gram, short), Matrix::new(&gram, short), &mut square, short, side, Triangle::None);
        square.iter_mut().zip(&gram).for_each(|(square, gram)| *square = b * gram + c * *square);
        // The same polynomial of x, from the left where it is wide, from the right where it is tall: `square` is symmetric.
        let polynomial = Matrix::new(&square, short);
        let whole = Extent { rows, depth: short, columns };
        let x_as_it_is = Matrix::new(&x, columns);
        let (left, right) = if tall { (x_as_it_is, polynomial) } else { (polynomial, x_as_it_is) };
        product(left, right, &mut change, columns, whole, Triangle::None);
        x.iter_mut().zip(&change).for_each(|(x, change)| *x = a * *x + change);
    }
    let scale = (rows as f32 / columns as f32).max(1.0).sqrt();
    x.iter_mut().for_each(|x| *x *= scale);
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::gradient_check::values;

    /// `x x^T` of the shorter side `[short, short]`.
    fn gram(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        let (short, long) = (rows.min(columns), rows.max(columns));
        let at = |i: usize, k: usize| if rows > columns { x[k * columns + i] } else { x[i * columns + k] };
        (0..short * short).map(|ij| (0..long).map(|k| at(ij / short, k) * at(ij % short, k)).sum()).collect()
    }

    #[test]
    fn directions_become_orthogonal_and_about_equally_long() {
        for (rows, columns) in [(16, 16), (12, 40), (40, 12), (1, 8)] {
            let x = orthogonal(&values(rows * columns, 3), rows, columns);
            let scale = (rows as f32 / columns as f32).max(1.0);
            let short = rows.min(columns);
            for (index, found) in gram(&x, rows, columns).into_iter().enumerate() {
                let found = found / scale;
                if index / short == index % short {
                    assert!((0.3..1.6).contains(&found), "{rows} x {columns}: length {found}");
                } else {
                    assert!(found.abs() < 0.6, "{rows} x {columns}: {index} {found}");
                }
            }
        }
    }

    #[test]
    fn the_scale_of_the_momentum_changes_nothing_and_zero_stays_zero() {
        let matrix = values(6 * 10, 7);
        let larger: Vec<f32> = matrix.iter().map(|x| 1000.0 * x).collect();
        for (a, b) in orthogonal(&matrix, 6, 10).into_iter().zip(orthogonal(&larger, 6, 10)) {
            assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
        assert!(orthogonal(&[0.0; 12], 3, 4).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn singular_vectors_stay() {
        // Diagonal: the result is diagonal with the same signs.
        let x = orthogonal(&[3.0, 0.0, 0.0, -0.5], 2, 2);
        assert!(x[0] > 0.6 && x[3] < -0.6 && x[1].abs() < 1e-6 && x[2].abs() < 1e-6, "{x:?}");
    }
}
