//! How fast the portable int8 kernel is on this host, against a plain dot product in the same run. Time by the clock on the wall: for people
//! to read, and for no test.

use fathom::format::packing;
use fathom::kernels::int8;
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROWS: usize = 256;
const COLUMNS: usize = 256;
/// How long each of the two is repeated.
const SPAN: Duration = Duration::from_millis(150);

/// Multiply-accumulates per second of `work`, which does so many: the best of several spans, because others use this machine too.
fn rate(macs: usize, mut work: impl FnMut()) -> f64 {
    let mut best = 0.0f64;
    for _ in 0..3 {
        let (start, mut rounds) = (Instant::now(), 0u32);
        while start.elapsed() < SPAN / 3 {
            (0..16).for_each(|_| work());
            rounds += 16;
        }
        best = best.max(f64::from(rounds) * macs as f64 / start.elapsed().as_secs_f64());
    }
    best
}

/// One line: rates of the kernel and of the plain product, and their ratio.
pub fn line() -> String {
    let values: Vec<i8> = (0..ROWS * COLUMNS).map(|index| (index * 89 % 255) as u8 as i8).map(|w| w.max(-127)).collect();
    let input: Vec<i16> = (0..COLUMNS).map(|index| (index * 37 % 255) as i16 - 127).collect();
    let mut weights = vec![0; packing::packed_bytes(ROWS, COLUMNS) / 2];
    packing::pack(&values, ROWS, COLUMNS, &mut weights);
    let (scales, mut output) = (vec![1.0; ROWS], vec![0.0; ROWS]);
    let matrix = int8::Matrix { rows: ROWS, columns: COLUMNS, stride: COLUMNS, weights: &weights, scales: &scales, bias: &[] };
    let ours = rate(ROWS * COLUMNS, || int8::matmul(black_box(&matrix), black_box(&input), &[1.0], 1, &mut output));
    let mut sums = vec![0; ROWS];
    let plain = rate(ROWS * COLUMNS, || {
        let (values, input) = (black_box(&values), black_box(&input));
        for (sum, row) in sums.iter_mut().zip(values.chunks_exact(COLUMNS)) {
            *sum = row.iter().zip(input).map(|(w, x)| i32::from(*w) * i32::from(*x)).sum::<i32>();
        }
        black_box(&mut sums);
    });
    format!(
        "host, measured by its clock: int8 {ROWS}x{COLUMNS} {:.1} G MAC/s, a plain dot product {:.1} G MAC/s, ratio {:.2}",
        ours / 1e9,
        plain / 1e9,
        ours / plain
    )
}
