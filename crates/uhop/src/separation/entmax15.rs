//! 1.5-entmax: p_i = [z_i/2 − τ]₊².

use super::{RunningSum, max};

/// Closed form (Peters, Niculae, Martins 2019). Over the k largest of x = z/2, with
/// mean m and sum of squared deviations S, Σ (x_i − τ)² = S + k(m − τ)² = 1 gives
/// τ_k = m − √((1 − S)/k); the support is the longest prefix whose last x is above τ_k.
///
/// Only x within 1 of the best can be in the support, so only they are sorted. S is updated by
/// Welford's recurrence, which does not cancel; both sums are compensated, because the threshold's
/// error is that of every √p, also of the many tiny ones.
pub(super) fn weights(row: &mut [f64]) {
    let max = max(row);
    let mut near: Vec<f64> = row.iter().map(|z| 0.5 * (z - max)).filter(|&x| x > -1.0).collect();
    near.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut total, mut deviations) = (RunningSum::default(), RunningSum::default());
    let (mut mean, mut threshold) = (0.0, -1.0);
    for (i, &x) in near.iter().enumerate() {
        let k = (i + 1) as f64;
        total.add(x);
        let last_mean = mean;
        mean = total.value() / k;
        deviations.add((x - last_mean) * (x - mean));
        let rest = 1.0 - deviations.value();
        if rest < 0.0 {
            break;
        }
        let next = mean - (rest / k).sqrt();
        if x <= next {
            break;
        }
        threshold = next;
    }
    row.iter_mut().for_each(|z| *z = (0.5 * (*z - max) - threshold).max(0.0).powi(2));
}
