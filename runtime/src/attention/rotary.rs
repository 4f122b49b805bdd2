//! Rotary embedding.

/// Turns each adjacent pair of `heads` (`[n, head_dim]`) by its angle; `turns` `[head_dim / 2, 2]` holds (cos, sin) of the position.
pub(crate) fn rotate(heads: &mut [f32], turns: &[f32]) {
    for head in heads.chunks_exact_mut(turns.len()) {
        for (pair, turn) in head.chunks_exact_mut(2).zip(turns.chunks_exact(2)) {
            if let ([x, y], [cos, sin]) = (pair, turn) {
                (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
            }
        }
    }
}
