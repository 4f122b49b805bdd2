//! Matrix product of small row-major matrices, in safe code that the compiler vectorises.

const ROWS: usize = 2;
const COLUMNS: usize = 16;

/// `c[i][j] = sum_k a[i][k] b[k][j]` for `j < columns(i)`, over `k` in `inner(i)`, where `i` is the first row of a pair.
///
/// *Shapes*: `a` `[m, k]`, `b` `[k, n]`, `c` `[m, n]`. Elements of `c` outside `columns` are not written. `n` need not be a multiple of
/// anything; causal products pass bounds so that the empty triangle costs nothing.
pub fn product(
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    (k, n): (usize, usize),
    columns: impl Fn(usize) -> usize,
    inner: impl Fn(usize) -> std::ops::Range<usize>,
) {
    for (pair, c) in c.chunks_mut(ROWS * n).enumerate() {
        let row = pair * ROWS;
        let rows = c.len() / n;
        let inner = inner(row);
        let mut column = 0;
        while column < columns(row).min(n) {
            let width = (n - column).min(COLUMNS);
            let mut sums = [[0f32; COLUMNS]; ROWS];
            for k_index in inner.clone() {
                let b = &b[k_index * n + column..][..width];
                let mut full = [0f32; COLUMNS];
                full[..width].copy_from_slice(b);
                for (r, sums) in sums.iter_mut().enumerate().take(rows) {
                    let a = a[(row + r) * k + k_index];
                    for (sum, b) in sums.iter_mut().zip(&full) {
                        *sum += a * b;
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate().take(rows) {
                c[r * n + column..][..width].copy_from_slice(&sums[..width]);
            }
            column += COLUMNS;
        }
    }
}

/// `out[j][i] = a[i][j]`; `a` `[m, n]`.
pub fn transpose(a: &[f32], n: usize, out: &mut [f32]) {
    let m = a.len() / n;
    for (i, row) in a.chunks_exact(n).enumerate() {
        for (j, value) in row.iter().enumerate() {
            out[j * m + i] = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition_for_odd_sizes() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (4, 8, 16), (5, 3, 33)] {
            let a: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32 - 3.0).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32 - 2.0).collect();
            let mut c = vec![f32::NAN; m * n];
            product(&a, &b, &mut c, (k, n), |_| n, |_| 0..k);
            for i in 0..m {
                for j in 0..n {
                    assert_eq!(c[i * n + j], (0..k).map(|p| a[i * k + p] * b[p * n + j]).sum::<f32>());
                }
            }
        }
    }
}
