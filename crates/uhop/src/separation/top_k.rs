//! Top-k softmax: softmax of the k largest scores, weight exactly 0 for all others.

use super::softmax;

/// `k` is at least 1 and at most the length of the row. Of equal scores the earlier ones win.
pub(super) fn weights(row: &mut [f64], k: usize) {
    let mut order: Vec<usize> = (0..row.len()).collect();
    // Adding 0 makes −0 equal to 0, which it is not in the total order.
    let score = |i: usize| row[i] + 0.0;
    let descending = |&a: &usize, &b: &usize| score(b).total_cmp(&score(a)).then(a.cmp(&b));
    order.select_nth_unstable_by(k - 1, descending);
    let selected = &order[..k];
    let mut weights: Vec<f64> = selected.iter().map(|&i| row[i]).collect();
    softmax::weights(&mut weights);
    row.fill(0.0);
    for (&i, weight) in selected.iter().zip(weights) {
        row[i] = weight;
    }
}
