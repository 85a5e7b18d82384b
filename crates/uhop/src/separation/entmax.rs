//! α-entmax for any α > 1: p_i = [(α−1)z_i − τ]₊^(1/(α−1)), to machine precision.
//!
//! With ε = α−1 and the scores shifted so that the best is 0, the unknown is not τ but the largest
//! weight s = (−τ)^(1/ε): p_i(s) = [s^ε + ε z_i]₊^(1/ε). In τ the equation Σ p_i = 1 loses all
//! digits both as α → 1 (τ → −1 whatever the scores) and for large α (τ → 0); in s neither: α → 1
//! tends to the softmax p_i = s·exp(z_i), and s stays between 1/n and 1.

use super::{max, sum};

/// Two roundings of a compensated sum near 1: |Σ p_i − 1| below this is rounding, not error.
const SUM_ROUNDING: f64 = 2.0 * f64::EPSILON;

/// Solves f(s) = Σ p_i(s) − 1 = 0 by Newton's method inside a bracket.
///
/// **Convergence.** Every p_i(s) is continuous and non-decreasing and the best score contributes s
/// itself, so f increases strictly; f(1/k) ≤ 0 ≤ f(1) for k candidates, because 0 ≤ p_i(s) ≤ s. The
/// bracket [lo, hi] keeps f(lo) ≤ 0 ≤ f(hi). A Newton point is used only if it falls inside and
/// the last two steps have halved the bracket; otherwise the bracket is bisected. So it halves at
/// least every third evaluation, until f is within rounding of 0 or lo and hi are neighbouring
/// numbers: at most 3·(53 + log₂ k) evaluations, usually about 6 (for α ≤ 2, f is convex with
/// slope between 1 and k, and Newton from the right converges monotonically).
///
/// If lo and hi meet first (a weight with an infinite slope, α > 2, can jump between them), each
/// true weight lies between its values at the two, and the combination of those that sums to 1 is
/// taken.
pub(super) fn weights(row: &mut [f64], alpha: f64) {
    let epsilon = alpha - 1.0;
    let max = max(row);
    row.iter_mut().for_each(|z| *z -= max);
    let near: Vec<f64> = row.iter().copied().filter(|&z| epsilon * z > -1.0).collect();

    let (mut low, mut high) = (1.0 / near.len() as f64, 1.0);
    let mut widths = [f64::INFINITY; 2];
    let mut s = high;
    loop {
        let excess = sum(near.iter().map(|&z| weight(z, s, epsilon)).chain([-1.0]));
        if excess.abs() <= SUM_ROUNDING {
            row.iter_mut().for_each(|z| *z = weight(*z, s, epsilon) / (1.0 + excess));
            return;
        }
        if excess > 0.0 {
            high = s;
        } else {
            low = s;
        }
        let width = high - low;
        let middle = low + 0.5 * width;
        if middle <= low || middle >= high {
            break;
        }
        let newton = s - excess / slope(&near, s, epsilon);
        let halved = width <= 0.5 * widths[0];
        s = if halved && newton > low && newton < high { newton } else { middle };
        widths = [widths[1], width];
    }
    let ends = |s: f64| sum(near.iter().map(|&z| weight(z, s, epsilon)));
    let (below, above) = (ends(low), ends(high));
    let share = ((1.0 - below) / (above - below)).clamp(0.0, 1.0);
    for z in row {
        *z = (1.0 - share) * weight(*z, low, epsilon) + share * weight(*z, high, epsilon);
    }
}

/// p(s) = [s^ε + εz]₊^(1/ε) for z ≤ 0. Near s^ε = 1 through exp−1 and log(1+·), which keep the
/// digits as ε → 0; elsewhere directly, which keeps them where s^ε is tiny.
fn weight(z: f64, s: f64, epsilon: f64) -> f64 {
    if z == 0.0 {
        return s;
    }
    let exponent = epsilon * s.ln();
    if exponent > -std::f64::consts::LN_2 {
        let base_minus_one = exponent.exp_m1() + epsilon * z;
        if base_minus_one > -1.0 { (base_minus_one.ln_1p() / epsilon).exp() } else { 0.0 }
    } else {
        (exponent.exp() + epsilon * z).max(0.0).powf(1.0 / epsilon)
    }
}

/// f'(s) = Σ over the support of (p_i/s)^(1−ε), at least 1.
fn slope(near: &[f64], s: f64, epsilon: f64) -> f64 {
    let ratios = near.iter().map(|&z| weight(z, s, epsilon) / s).filter(|&ratio| ratio > 0.0);
    ratios.map(|ratio| ratio.powf(1.0 - epsilon)).sum()
}

/// Jᵀg for J = diag(s) − ssᵀ/Σs, s_i = p_i^(2−α) on the support: s_i (g_i − ḡ), ḡ = ⟨s,g⟩/Σs.
///
/// For α > 2 one s_i can dwarf the others and g_i − ḡ cancels; there the row is known to be minus
/// the sum of the others, since J's columns sum to 0.
pub(super) fn vjp(weights: &[f64], cotangent: &[f64], alpha: f64) -> Vec<f64> {
    // Relative to the largest s_i, so that Σs cannot overflow.
    let logs = |p: f64| (2.0 - alpha) * p.ln();
    let support = || weights.iter().enumerate().filter(|(_, p)| **p > 0.0);
    let (pivot, largest) = support()
        .map(|(i, &p)| (i, logs(p)))
        .fold((0, f64::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best });
    let scale = |p: f64| (logs(p) - largest).exp();
    let total = sum(support().map(|(_, &p)| scale(p)));
    let from_pivot = |i: usize| cotangent[i] - cotangent[pivot];
    let mean = sum(support().map(|(i, &p)| scale(p) * from_pivot(i))) / total;
    let mut result = vec![0.0; weights.len()];
    for (i, &p) in support().filter(|(i, _)| *i != pivot) {
        result[i] = logs(p).exp() * (from_pivot(i) - mean);
    }
    result[pivot] = -sum(result.iter().copied());
    result
}
