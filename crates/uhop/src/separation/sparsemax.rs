//! Sparsemax: p_i = [z_i − τ]₊, the Euclidean projection of the scores onto the simplex.

use super::{RunningSum, max};

/// Closed form (Martins, Astudillo 2016): over the scores in descending order, the
/// support is the longest prefix whose last score exceeds τ_k = (Σ_{i≤k} z_i − 1)/k.
///
/// Only scores within 1 of the best can be in the support, so only they are sorted. Their sum is
/// compensated: the threshold's error is that of every weight, also of the many tiny ones.
pub(super) fn weights(row: &mut [f64]) {
    let max = max(row);
    let mut near: Vec<f64> = row.iter().map(|z| z - max).filter(|&z| z > -1.0).collect();
    near.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut total, mut threshold) = (RunningSum::default(), 0.0);
    for (i, &z) in near.iter().enumerate() {
        total.add(z);
        let next = (total.value() - 1.0) / (i + 1) as f64;
        if z <= next {
            break;
        }
        threshold = next;
    }
    row.iter_mut().for_each(|z| *z = (*z - max - threshold).max(0.0));
}
