//! α-entmax for any α > 1: p_i = [(α−1)z_i − τ]₊^(1/(α−1)), to machine precision.
//!
//! With ε = α−1 and the scores shifted so that the best is 0, the unknown is not τ but the largest
//! weight s = (−τ)^(1/ε): p_i(s) = [s^ε + ε z_i]₊^(1/ε). In τ the equation Σ p_i = 1 loses all
//! digits both as α → 1 (τ → −1 whatever the scores) and for large α (τ → 0); in s neither: α → 1
//! tends to the softmax p_i = s·exp(z_i), and s stays between 1/n and 1.

use super::{max, sum};

/// Two roundings of a compensated sum near 1: |Σ p_i − 1| below this is rounding, not error.
const SUM_ROUNDING: f64 = 2.0 * f64::EPSILON;

/// Newton points are taken in at most this many evaluations; then the bracket is only bisected.
const NEWTON_EVALUATIONS: usize = 64;

/// Solves f(s) = Σ p_i(s) − 1 = 0 by Newton's method inside a bracket.
///
/// **Convergence.** Every p_i(s) is continuous and non-decreasing and the best score contributes s
/// itself, so f increases strictly; f(1/k) ≤ 0 ≤ f(1) for k candidates, because 0 ≤ p_i(s) ≤ s. The
/// bracket [low, high] keeps f(low) ≤ 0 ≤ f(high). The next point is Newton's if that lies inside
/// and the last evaluation has halved |f| or the bracket, otherwise the middle; after
/// [`NEWTON_EVALUATIONS`] always the middle. This ends when f is within rounding of 0 or low and
/// high are neighbouring numbers: after at most 64 + 53 + log₂ k evaluations. For α ≤ 2 f is convex
/// and Newton's method from the right converges monotonically: rows of 10 to 1000 normal scores take
/// 5 to 11 evaluations in the median, 30 at worst. Up to α = 5 the median is at most 17; large α
/// takes about 55 whenever a second score is a candidate.
///
/// Newton's points approach from one side, and once they are near, rounding hides the last ulps. A
/// last small step is therefore taken 8 ulps too far, to close the bracket from the other side.
///
/// If low and high meet first (a weight with an infinite slope, α > 2, can jump between them), each
/// true weight lies between its values at the two, and the combination of those that sums to 1 is
/// taken.
pub(super) fn weights(row: &mut [f64], alpha: f64) {
    let epsilon = alpha - 1.0;
    let max = max(row);
    row.iter_mut().for_each(|z| *z -= max);
    let near: Vec<f64> = row.iter().copied().filter(|&z| epsilon * z > -1.0).collect();

    let (mut low, mut high) = (1.0 / near.len() as f64, 1.0);
    let (mut last_excess, mut last_width) = (f64::INFINITY, f64::INFINITY);
    let mut s = high;
    for evaluation in 1.. {
        let curve = Curve::at(s, epsilon);
        let mut slope = 0.0;
        let terms = near.iter().map(|&z| {
            let (weight, weight_slope) = curve.weight_and_slope(z);
            slope += weight_slope;
            weight
        });
        let excess = sum(terms.chain([-1.0]));
        if excess.abs() <= SUM_ROUNDING {
            row.iter_mut().for_each(|z| *z = curve.weight(*z) / (1.0 + excess));
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
        let step = excess / slope;
        let ulps = if step.abs() <= 1e-6 * s { 8.0 * f64::EPSILON * s } else { 0.0 };
        let newton = s - step - ulps.copysign(step);
        let progress = excess.abs() <= 0.5 * last_excess || width <= 0.5 * last_width;
        let inside = newton > low && newton < high;
        s = if progress && inside && evaluation < NEWTON_EVALUATIONS { newton } else { middle };
        (last_excess, last_width) = (excess.abs(), width);
    }
    let (below, above) = (Curve::at(low, epsilon), Curve::at(high, epsilon));
    let total = |curve: &Curve| sum(near.iter().map(|&z| curve.weight(z)));
    let (sum_below, sum_above) = (total(&below), total(&above));
    let share = ((1.0 - sum_below) / (sum_above - sum_below)).clamp(0.0, 1.0);
    for z in row {
        *z = (1.0 - share) * below.weight(*z) + share * above.weight(*z);
    }
}

/// What all p_i(s) at one s have in common.
struct Curve {
    s: f64,
    epsilon: f64,
    /// s^ε
    power: f64,
    /// s^ε − 1, with the digits that s^ε has lost as ε → 0
    power_minus_one: f64,
}

impl Curve {
    fn at(s: f64, epsilon: f64) -> Self {
        let exponent = epsilon * s.ln();
        Self { s, epsilon, power: exponent.exp(), power_minus_one: exponent.exp_m1() }
    }

    fn weight(&self, z: f64) -> f64 {
        self.weight_and_slope(z).0
    }

    /// p(s) = [s^ε + εz]₊^(1/ε) for z ≤ 0, and dp/ds = (p/s)·s^ε/p^ε.
    ///
    /// Near s^ε = 1 through exp−1 and log(1+·), which keep the digits as ε → 0; elsewhere directly,
    /// which keeps them where s^ε is tiny. Never above s, whatever the rounding: no weight exceeds
    /// that of the best score.
    fn weight_and_slope(&self, z: f64) -> (f64, f64) {
        if z == 0.0 {
            return (self.s, 1.0);
        }
        let near_one = self.power > 0.5;
        let base_minus_one = self.power_minus_one + self.epsilon * z;
        let base = if near_one { 1.0 + base_minus_one } else { self.power + self.epsilon * z };
        if base <= 0.0 {
            return (0.0, 0.0);
        }
        let weight = if near_one {
            (base_minus_one.ln_1p() / self.epsilon).exp()
        } else {
            base.powf(1.0 / self.epsilon)
        };
        let weight = weight.min(self.s);
        (weight, weight / self.s * (self.power / base))
    }
}

/// Jᵀg for J = diag(s) − ssᵀ/Σs, s_i = p_i^(2−α) on the support: s_i (g_i − ḡ), ḡ = ⟨s,g⟩/Σs.
///
/// Slopes beyond e^600 (tiny weights at α near 100) are taken as e^600, so that nothing overflows.
/// For α > 2 one s_i can dwarf the others and g_i − ḡ cancels; there the row is known to be minus
/// the sum of the others, since J's columns sum to 0.
pub(super) fn vjp(weights: &[f64], cotangent: &[f64], alpha: f64) -> Vec<f64> {
    let logs = |p: f64| ((2.0 - alpha) * p.ln()).min(600.0);
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
