//! Matrix products in tiles of 6 rows and two vectors of columns, with the loops of Goto and van de Geijn, "Anatomy of High-Performance
//! Matrix Multiplication" (2008): one matrix is packed into panels that the first-level cache holds.
//!
//! Every sum runs in the same order however many threads share the rows, so results do not depend on their number.

use super::simd::dispatch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::cell::RefCell;

/// Rows of a tile: 6 x 2 vectors of sums and the operands fill the 16 registers of AVX2.
const ROWS: usize = 6;
/// Vectors in a row of a tile.
const VECTORS: usize = 2;
/// Terms that are summed before the next panel is packed.
const DEPTH: usize = 256;
/// Multiplications below which sharing them costs more than it gains.
const WORTH_SHARING: usize = 1 << 18;

/// A matrix that a product reads.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    stride: usize, // elements from one stored row to the next
    turned: bool,
}

impl<'a> Matrix<'a> {
    /// `values[i * stride + j]` is element `(i, j)`.
    pub fn new(values: &'a [f32], stride: usize) -> Self {
        Self { values, stride, turned: false }
    }

    /// Its transpose; nothing is copied.
    pub fn turned(self) -> Self {
        Self { turned: !self.turned, ..self }
    }
}

/// Which elements a causal product needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// All of them.
    None,
    /// Of the result those at `column <= row`; others are not written, or written with anything.
    Result,
    /// Of the left matrix those at `column <= row`: the others are zero.
    Lower,
    /// Of the left matrix those at `column >= row`: the others are zero.
    Upper,
}

/// Shape of a product: `[rows, depth] x [depth, columns]`.
#[derive(Clone, Copy)]
pub struct Extent {
    /// Rows of the left matrix and of the result.
    pub rows: usize,
    /// Columns of the left matrix, rows of the right one.
    pub depth: usize,
    /// Columns of the right matrix and of the result.
    pub columns: usize,
}

/// `out = a b`, or `out += a b`, where `out[i * stride + j]` is element `(i, j)`, on the threads of the current pool.
pub fn product_shared(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], stride: usize, extent: Extent, add: bool) {
    let threads = rayon::current_num_threads();
    if threads == 1 || extent.rows * extent.depth * extent.columns < WORTH_SHARING {
        return dispatch(Product { a, b, out, stride, extent, triangle: Triangle::None, add });
    }
    let share = extent.rows.div_ceil(threads).next_multiple_of(ROWS);
    out.par_chunks_mut(share * stride).enumerate().for_each(|(index, out)| {
        let first = index * share;
        let rows = share.min(extent.rows - first);
        let a = Matrix { values: &a.values[if a.turned { first } else { first * a.stride }..], ..a };
        dispatch(Product { a, b, out, stride, extent: Extent { rows, ..extent }, triangle: Triangle::None, add });
    });
}

/// `out = a b` on this thread.
pub fn product(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], stride: usize, extent: Extent, triangle: Triangle) {
    dispatch(Product { a, b, out, stride, extent, triangle, add: false });
}

struct Product<'a> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    out: &'a mut [f32],
    stride: usize,
    extent: Extent,
    triangle: Triangle,
    add: bool,
}

thread_local! {
    /// Packed panels, kept from product to product.
    static PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let width = VECTORS * S::F32_LANES;
        let Extent { rows, depth, columns } = self.extent;
        if depth == 0 && !self.add {
            self.out.chunks_mut(self.stride).take(rows).for_each(|row| row[..columns].fill(0.0));
        }
        // Taken out, not borrowed in a closure: vector instructions are not inlined into closures that other functions call.
        let mut panels = PANELS.take();
        for first in (0..depth).step_by(DEPTH) {
            let last = (first + DEPTH).min(depth);
            pack(self.b, first..last, columns, width, &mut panels);
            let panel_length = (last - first) * width;
            for (panel, column) in panels.chunks_exact(panel_length).zip((0..columns).step_by(width)) {
                for row in (0..rows).step_by(ROWS) {
                    // The tile's rows of the triangle, from the first to the last.
                    let end = row + ROWS;
                    let inner = match self.triangle {
                        Triangle::None => first..last,
                        Triangle::Result if column >= end => continue,
                        Triangle::Result => first..last,
                        Triangle::Lower => first..last.min(end).max(first),
                        Triangle::Upper => first.max(row).min(last)..last,
                    };
                    let panel = &panel[(inner.start - first) * width..(inner.end - first) * width];
                    let sums = self.tile(simd, row, inner, panel);
                    self.store(row, column, self.add || first > 0, simd, &sums);
                }
            }
        }
        PANELS.set(panels);
    }
}

impl Product<'_> {
    /// One tile of sums over `inner`: `sums[r] = sum over k of a(row + r, k) * panel[k]`.
    #[inline(always)]
    fn tile<S: Simd>(&self, simd: S, row: usize, inner: std::ops::Range<usize>, panel: &[f32]) -> [[S::f32s; VECTORS]; ROWS] {
        let (a, valid) = (self.a, (self.extent.rows - row).min(ROWS));
        let zero = [simd.splat_f32s(0.0); VECTORS];
        // Named, and never an array of six numbers: LLVM would gather them into vectors, only to take them apart again.
        let (mut s0, mut s1, mut s2, mut s3, mut s4, mut s5) = (zero, zero, zero, zero, zero, zero);
        macro_rules! add {
            ($b:ident, $($a:ident $sums:ident),*) => {
                $(
                    let a = simd.splat_f32s(*$a);
                    $sums[0] = simd.mul_add_e_f32s(a, $b[0], $sums[0]);
                    $sums[1] = simd.mul_add_e_f32s(a, $b[1], $sums[1]);
                )*
            };
        }
        let (panel, _) = S::as_simd_f32s(panel);
        let panel = panel.as_chunks::<VECTORS>().0;
        if !a.turned {
            // Rows beyond the last are the last once more, and are not stored.
            let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &a.values[(row + r.min(valid - 1)) * a.stride..][inner.clone()]);
            let [a0, a1, a2, a3, a4, a5] = rows;
            for ((((((a0, a1), a2), a3), a4), a5), b) in a0.iter().zip(a1).zip(a2).zip(a3).zip(a4).zip(a5).zip(panel) {
                add!(b, a0 s0, a1 s1, a2 s2, a3 s3, a4 s4, a5 s5);
            }
        } else if valid == ROWS {
            let mut at = inner.start * a.stride + row;
            for b in panel {
                let Some([a0, a1, a2, a3, a4, a5]) = a.values[at..].first_chunk() else { break };
                add!(b, a0 s0, a1 s1, a2 s2, a3 s3, a4 s4, a5 s5);
                at += a.stride;
            }
        } else {
            for (k, b) in inner.zip(panel) {
                let stored = &a.values[k * a.stride + row..][..valid];
                let [a0, a1, a2, a3, a4, a5] = &std::array::from_fn(|r| if r < valid { stored[r] } else { 0.0 });
                add!(b, a0 s0, a1 s1, a2 s2, a3 s3, a4 s4, a5 s5);
            }
        }
        [s0, s1, s2, s3, s4, s5]
    }

    /// Writes the tile's valid elements, or adds them to what is there.
    #[inline(always)]
    fn store<S: Simd>(&mut self, row: usize, column: usize, add: bool, simd: S, sums: &[[S::f32s; VECTORS]; ROWS]) {
        let width = VECTORS * S::F32_LANES;
        let valid = (self.extent.rows - row).min(ROWS);
        let wide = (self.extent.columns - column).min(width);
        for (r, sums) in sums.iter().enumerate().take(valid) {
            let out = &mut self.out[(row + r) * self.stride + column..][..wide];
            if wide == width {
                let (out, _) = S::as_mut_simd_f32s(out);
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if add { simd.add_f32s(*out, *sum) } else { *sum };
                }
                continue;
            }
            let sums: &[f32] = bytemuck::cast_slice(sums);
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if add { *out + sum } else { *sum };
            }
        }
    }
}

/// Rows `inner` of `b` as panels of `width` columns each, the last filled up with zeros.
#[inline(always)]
fn pack(b: Matrix<'_>, inner: std::ops::Range<usize>, columns: usize, width: usize, panels: &mut Vec<f32>) {
    let depth = inner.len();
    panels.resize(columns.div_ceil(width) * depth * width, 0.0);
    for (panel, column) in panels.chunks_exact_mut(depth * width).zip((0..columns).step_by(width)) {
        let wide = (columns - column).min(width);
        if wide < width {
            panel.fill(0.0);
        }
        if b.turned {
            for c in 0..wide {
                let source = &b.values[(column + c) * b.stride..][inner.clone()];
                for (to, from) in panel.chunks_exact_mut(width).zip(source) {
                    to[c] = *from;
                }
            }
        } else {
            let rows = b.values[inner.start * b.stride..].chunks(b.stride);
            for (to, from) in panel.chunks_exact_mut(width).zip(rows) {
                to[..wide].copy_from_slice(&from[column..column + wide]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, so that every order of sums gives the same.
    fn whole(count: usize, modulus: usize) -> Vec<f32> {
        (0..count).map(|i| (i * 31 % modulus) as f32 - 3.0).collect()
    }

    #[test]
    fn products_agree_with_the_definition_for_odd_sizes_and_turned_matrices() {
        for (rows, depth, columns) in [(1, 1, 1), (3, 5, 7), (6, 8, 16), (13, 3, 33), (64, 300, 17), (130, 20, 70)] {
            let (a, b) = (whole(rows * depth, 7), whole(depth * columns, 5));
            let turn = |values: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns).map(|i| values[i % rows * columns + i / rows]).collect()
            };
            let (a_turned, b_turned) = (turn(&a, rows, depth), turn(&b, depth, columns));
            for a in [Matrix::new(&a, depth), Matrix::new(&a_turned, rows).turned()] {
                for b in [Matrix::new(&b, columns), Matrix::new(&b_turned, depth).turned()] {
                    let stride = columns + 2;
                    let mut out = vec![f32::NAN; rows * stride];
                    product_shared(a, b, &mut out, stride, Extent { rows, depth, columns }, false);
                    product_shared(a, b, &mut out, stride, Extent { rows, depth, columns }, true);
                    let at = |matrix: Matrix<'_>, i: usize, j: usize| {
                        matrix.values[if matrix.turned { j * matrix.stride + i } else { i * matrix.stride + j }]
                    };
                    for i in 0..rows {
                        for j in 0..columns {
                            let wanted: f32 = (0..depth).map(|k| at(a, i, k) * at(b, k, j)).sum();
                            assert_eq!(out[i * stride + j], 2.0 * wanted, "{rows} {depth} {columns}: ({i}, {j})");
                        }
                        assert!(out[i * stride + columns..][..2].iter().all(|x| x.is_nan()));
                    }
                }
            }
        }
    }

    #[test]
    fn triangles_only_leave_out_what_is_zero_or_not_asked_for() {
        let time = 29;
        let lower: Vec<f32> = (0..time * time).map(|i| if i % time <= i / time { (i % 5) as f32 } else { 0.0 }).collect();
        let b = whole(time * 16, 5);
        let extent = Extent { rows: time, depth: time, columns: 16 };
        for (a, triangle) in [(Matrix::new(&lower, time), Triangle::Lower), (Matrix::new(&lower, time).turned(), Triangle::Upper)]
        {
            let (mut all, mut some) = (vec![0.0; time * 16], vec![f32::NAN; time * 16]);
            product(a, Matrix::new(&b, 16), &mut all, 16, extent, Triangle::None);
            product(a, Matrix::new(&b, 16), &mut some, 16, extent, triangle);
            assert_eq!(all, some);
        }
        let (mut all, mut some) = (vec![0.0; time * time], vec![f32::NAN; time * time]);
        let extent = Extent { rows: time, depth: 16, columns: time };
        product(Matrix::new(&b, 16), Matrix::new(&b, 16).turned(), &mut all, time, extent, Triangle::None);
        product(Matrix::new(&b, 16), Matrix::new(&b, 16).turned(), &mut some, time, extent, Triangle::Result);
        assert!((0..time * time).all(|i| i % time > i / time || all[i] == some[i]));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (a, b): (Vec<f32>, Vec<f32>) = (0..300 * 200).map(|i| ((i as f32 * 0.37).sin(), (i as f32 * 0.73).cos())).unzip();
        let of = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; 200 * 200];
            let extent = Extent { rows: 200, depth: 300, columns: 200 };
            pool.install(|| product_shared(Matrix::new(&a, 200).turned(), Matrix::new(&b, 200), &mut out, 200, extent, false));
            out
        };
        assert!(of(1) == of(2) && of(1) == of(3));
    }
}
