//! Laws of separation.
//!
//! **How weights are compared.** With ε = α−1 and φ(p) = (p^ε − 1)/ε (ln p at α = 1), α-entmax is
//! p_i = φ⁻¹(z_i − c), clipped at 0, with c chosen so that Σ p_i = 1. Weights are compared as φ(p):
//! in units of the scores, the only direction that is well conditioned for every α. There:
//! * *Rounding.* A weight is found by about eight operations, each off by half an ulp of |z_i −
//!   max|, of p^ε, or (through the exponent of a power) of p^ε·|ln p|. So φ(p_i) is off by
//!   [`rounding`].
//! * *Perturbation.* c is monotone in every score and moves with a common shift, so scores off by
//!   at most d move c by at most d and every φ(p_i) by at most 2d, whatever happens to the support.
//! * *Normalisation.* A sum off by e moves c by at most e, because dΣp/dc = Σ p^(1−ε) ≥ Σ p = 1.

use ndarray::{
    Array1, Array2, Array3, ArrayView, ArrayView1, Axis, Dimension, RemoveAxis, array, s,
};
use proptest::prelude::*;
use uhop::{Separation, reference};

const EPS: f64 = f64::EPSILON;
/// Half the smallest positive `f64` is 2^−1075: a weight of 0 stands for anything below it.
const LN_TINY: f64 = -1075.0 * std::f64::consts::LN_2;
/// Halves of an ulp in the rounding bound above: 8 in the code under test, 8 in the test.
const HALF_ULPS: f64 = 16.0;

const ALPHAS: [f64; 13] =
    [1.0, 1.0 + 1e-9, 1.001, 1.05, 1.25, 1.5, 1.7, 2.0, 2.5, 3.0, 5.0, 20.0, 100.0];
const GAMMAS: [f64; 7] = [1.01, 1.1, 1.5, 2.0, 3.0, 5.0, 20.0];
const DEGREES: [u32; 4] = [1, 2, 3, 10];

// What the laws range over.

fn entmax(alpha: f64) -> Separation {
    Separation::entmax(alpha).unwrap()
}

fn entmax_family() -> impl Iterator<Item = Separation> {
    ALPHAS.into_iter().map(entmax)
}

/// Top-k with the edge cases k = 1 and k = n.
fn top_ks(n: usize) -> impl Iterator<Item = (usize, Separation)> {
    [1, 2, n / 2, n]
        .into_iter()
        .filter(move |k| (1..=n).contains(k))
        .map(|k| (k, Separation::top_k(k).unwrap()))
}

fn polynomials() -> impl Iterator<Item = (u32, Separation)> {
    DEGREES.into_iter().map(|degree| (degree, Separation::polynomial(degree).unwrap()))
}

fn normmaxes() -> impl Iterator<Item = (f64, Separation)> {
    GAMMAS.into_iter().map(|gamma| (gamma, Separation::normmax(gamma).unwrap()))
}

fn shift_invariant(n: usize) -> impl Iterator<Item = Separation> {
    let entmax_like = entmax_family().chain(normmaxes().map(|(_, normmax)| normmax));
    entmax_like.chain(top_ks(n).map(|(_, top_k)| top_k))
}

fn every(n: usize) -> impl Iterator<Item = Separation> {
    shift_invariant(n).chain(polynomials().map(|(_, polynomial)| polynomial))
}

/// Rows of 1 to 60 scores: plain ones of every magnitude from 1e−30 to 1e4, magnitudes mixed within
/// a row, ties, constants, large common shifts, neighbouring numbers, negative only.
fn scores() -> impl Strategy<Value = Array1<f64>> {
    let length = || 1..=60_usize;
    let magnitude = || (-30..=4_i32).prop_map(|exponent| 10_f64.powi(exponent));
    let units = move || prop::collection::vec(-1.0..1.0, length());
    let plain =
        (units(), magnitude()).prop_map(|(row, m)| row.into_iter().map(|z: f64| z * m).collect());
    let usual = units().prop_map(|row| row.into_iter().map(|z: f64| 5.0 * z).collect());
    let entry = (-1.0..1.0, magnitude()).prop_map(|(z, m)| z * m);
    let mixed = prop::collection::vec(entry, length());
    let ties = (prop::collection::vec(-2..=2_i32, length()), magnitude())
        .prop_map(|(row, m)| row.into_iter().map(|z| f64::from(z) * m).collect());
    let constant = (-1e4..1e4, length()).prop_map(|(z, n)| vec![z; n]);
    let shifted = (units(), -1e8..1e8)
        .prop_map(|(row, shift)| row.into_iter().map(|z: f64| 3.0 * z + shift).collect());
    let near_tied = (prop::collection::vec(0..4_u32, length()), -1e4..1e4)
        .prop_map(|(row, z)| row.into_iter().map(|j| z * (1.0 + f64::from(j) * EPS)).collect());
    let negative = (units(), magnitude())
        .prop_map(|(row, m)| row.into_iter().map(|z: f64| -z.abs() * m).collect());
    prop_oneof![
        2 => plain, 4 => usual, 2 => mixed, 1 => ties, 1 => constant, 1 => shifted, 1 => near_tied,
        1 => negative,
    ]
    .prop_map(|row: Vec<f64>| Array1::from(row))
}

fn scores_f32() -> impl Strategy<Value = Array1<f32>> {
    scores().prop_map(|row| row.mapv(|z| z as f32))
}

/// Scores and an order to put them in.
fn permuted() -> impl Strategy<Value = (Array1<f64>, Vec<usize>)> {
    scores().prop_flat_map(|row| {
        let order: Vec<usize> = (0..row.len()).collect();
        (Just(row), Just(order).prop_shuffle())
    })
}

/// A row with a cotangent for each score, both of moderate size.
fn with_cotangent() -> impl Strategy<Value = (Array1<f64>, Array1<f64>)> {
    scores().prop_flat_map(|row| {
        let n = row.len();
        (Just(row), prop::collection::vec(-1.0..1.0, n).prop_map(Array1::from))
    })
}

fn weights(separation: &Separation, scores: &Array1<f64>) -> Array1<f64> {
    separation.weights(scores.view()).unwrap().weights
}

// What they are measured with.

/// Σ x_i, off by one rounding of the result however long the row (Neumaier).
fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for term in terms {
        let next = sum + term;
        lost += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    sum + lost
}

fn max(row: &Array1<f64>) -> f64 {
    row.fold(f64::NEG_INFINITY, |max, &z| max.max(z))
}

fn ln(p: f64) -> f64 {
    if p > 0.0 { p.ln() } else { LN_TINY }
}

/// φ(p) = (p^ε − 1)/ε.
fn phi(p: f64, epsilon: f64) -> f64 {
    if epsilon == 0.0 { ln(p) } else { (epsilon * ln(p)).exp_m1() / epsilon }
}

/// The rounding of φ(p_i), d = z_i − max; see the head of this file.
fn rounding(distance: f64, p: f64, epsilon: f64) -> f64 {
    0.5 * HALF_ULPS * EPS * (distance.abs() + (epsilon * ln(p)).exp() * (1.0 + ln(p).abs()))
}

/// φ of the spacing of numbers below the normal range, where a weight has fewer digits.
fn underflow(p: f64, epsilon: f64) -> f64 {
    let spacing = (LN_TINY + std::f64::consts::LN_2 - ln(p)).exp();
    if p < f64::MIN_POSITIVE { (epsilon * ln(p)).exp() * spacing } else { 0.0 }
}

/// The bound on |Σp − 1|: 1.5 roundings of the threshold of a closed form for each weight of the
/// support, one of each weight, one of the sum. (The others, normalised, are within the last two.)
fn sum_tolerance(support: usize) -> f64 {
    (1.5 * support as f64 + 4.0) * EPS
}

/// That `p` and `q` are the α-entmax of scores within `extra` of `z`, up to rounding.
#[track_caller]
fn assert_same_entmax(z: &Array1<f64>, p: &Array1<f64>, q: &Array1<f64>, epsilon: f64, extra: f64) {
    let best = max(z);
    let support = || (0..z.len()).filter(|&i| p[i] > 0.0 || q[i] > 0.0);
    let row_rounding = support()
        .map(|i| rounding(z[i] - best, p[i], epsilon).max(rounding(z[i] - best, q[i], epsilon)))
        .fold(0.0, f64::max);
    let tolerance = 2.0 * (row_rounding + extra) + 2.0 * sum_tolerance(support().count());
    for i in support() {
        let difference = (phi(p[i], epsilon) - phi(q[i], epsilon)).abs();
        let tolerance = tolerance + underflow(p[i].min(q[i]), epsilon);
        assert!(
            difference <= tolerance,
            "alpha {}, weight {i}: {} and {} differ by {difference:e} > {tolerance:e} in\n{z:?}",
            1.0 + epsilon,
            p[i],
            q[i],
        );
    }
}

/// |p_i − q_i| ≤ `relative`·q_i, down to the smallest normal number.
#[track_caller]
fn assert_same(p: &Array1<f64>, q: &Array1<f64>, relative: f64, what: &Separation) {
    for (p, q) in p.iter().zip(q) {
        let tolerance = relative * q + f64::MIN_POSITIVE;
        assert!((p - q).abs() <= tolerance, "{what}: {p} and {q} differ by more than {tolerance}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // The simplex.

    #[test]
    fn weights_lie_on_the_simplex(z in scores()) {
        for separation in every(z.len()) {
            let result = separation.weights(z.view()).unwrap();
            let p = &result.weights;
            prop_assert!(p.iter().all(|p| p.is_finite() && *p >= 0.0), "{separation}: {p}");
            let support = p.iter().filter(|&&p| p > 0.0).count();
            prop_assert_eq!(result.support_size.into_scalar(), support);
            let off = (sum(p.iter().copied()) - 1.0).abs();
            prop_assert!(off <= sum_tolerance(support), "{separation}: sum off by {off:e}");
        }
    }

    /// Rounding to `f32` moves each weight by half an ulp of its own, together half an ulp of 1,
    /// and by at most half the smallest positive number below the normal range.
    #[test]
    fn weights_in_f32_lie_on_the_simplex(z in scores_f32()) {
        for separation in every(z.len()) {
            let p = separation.weights(z.view()).unwrap().weights;
            prop_assert!(p.iter().all(|p| p.is_finite() && *p >= 0.0), "{separation}: {p}");
            let off = (sum(p.iter().map(|&p| f64::from(p))) - 1.0).abs();
            let n = z.len() as f64;
            let tolerance =
                0.5 * f64::from(f32::EPSILON) + n * 0.5_f64.powi(150) + sum_tolerance(z.len());
            prop_assert!(off <= tolerance, "{separation}: sum off by {off:e}");
        }
    }

    #[test]
    fn f32_weights_are_the_f64_weights_rounded_once(z in scores_f32()) {
        for separation in every(z.len()) {
            let narrow = separation.weights(z.view()).unwrap();
            let wide = separation.weights(z.mapv(f64::from).view()).unwrap();
            let positive = narrow.weights.iter().filter(|&&p| p > 0.0).count();
            prop_assert_eq!(narrow.support_size.into_scalar(), positive);
            prop_assert_eq!(narrow.weights, wide.weights.mapv(|p| p as f32));
        }
    }

    // Symmetries.

    /// The order of the row enters only through the rounding of the sums (relative, one each, where
    /// the weights are quotients).
    #[test]
    fn permuting_the_scores_permutes_the_weights((z, order) in permuted()) {
        let apply = |row: &Array1<f64>| row.select(Axis(0), &order);
        let permuted = apply(&z);
        for alpha in ALPHAS {
            let separation = entmax(alpha);
            let (p, q) = (apply(&weights(&separation, &z)), weights(&separation, &permuted));
            assert_same_entmax(&permuted, &p, &q, alpha - 1.0, 0.0);
        }
        let mut distinct = z.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let top_ks = top_ks(if distinct.len() == z.len() { z.len() } else { 0 });
        let polynomials = polynomials().map(|(_, polynomial)| polynomial);
        for separation in top_ks.map(|(_, top_k)| top_k).chain(polynomials) {
            let (p, q) = (apply(&weights(&separation, &z)), weights(&separation, &permuted));
            assert_same(&p, &q, 4.0 * EPS, &separation);
        }
    }

    /// The closed forms are made of correctly rounded, so monotone, operations. The others call
    /// exp, ln_1p and powf, good to an ulp but not proved monotone: an ulp of ln p is |ln p| ulps
    /// of p. No weight ever exceeds that of the best score.
    #[test]
    fn larger_scores_have_larger_weights_and_equal_ones_equal(z in scores()) {
        for separation in every(z.len()) {
            let p = weights(&separation, &z);
            let exact = matches!(separation.alpha(), Some(1.5 | 2.0));
            let (best_score, best_weight) = (max(&z), max(&p));
            for i in 0..z.len() {
                let first_of_best = (0..=i).find(|&j| z[j] == best_score) == Some(i);
                prop_assert!(!first_of_best || p[i] == best_weight, "{separation}: {p}");
                for j in 0..z.len() {
                    let slack = if exact { 0.0 } else { 2.0 * EPS * (1.0 + ln(p[j]).abs()) * p[j] };
                    prop_assert!(z[i] <= z[j] || p[i] >= p[j] - slack, "{separation}: {p}");
                    let boundary = p[i].min(p[j]) == 0.0 && separation.alpha().is_none();
                    prop_assert!(z[i] != z[j] || p[i] == p[j] || boundary, "{separation}: {p}");
                }
            }
        }
    }

    /// Scores and shift are multiples of 2^−20 below 2^21, so that the sums are exact, and so the
    /// weights equal.
    #[test]
    fn a_common_shift_changes_nothing(
        z in prop::collection::vec(-(1_i32 << 24)..1 << 24, 1..60),
        divisor in prop::sample::select(vec![0_i32, 4, 8]),
        shift in any::<i32>(),
    ) {
        let unit = 0.5_f64.powi(20);
        let z: Array1<f64> = z.into_iter().map(|z| f64::from(z >> divisor) * unit).collect();
        let shifted = &z + f64::from(shift) * unit;
        for separation in shift_invariant(z.len()) {
            let (p, q) = (weights(&separation, &z), weights(&separation, &shifted));
            prop_assert_eq!(p, q, "{}", separation);
        }
    }

    /// A shift in the reals: rounded, every score is off by half an ulp of its new size.
    #[test]
    fn a_shift_that_rounds_changes_no_more_than_the_rounding(z in scores(), shift in -1e6..1e6) {
        let shifted: Array1<f64> = &z + shift;
        let largest = shifted.fold(0.0, |largest: f64, z| largest.max(z.abs()));
        for alpha in ALPHAS {
            let separation = entmax(alpha);
            let (p, q) = (weights(&separation, &z), weights(&separation, &shifted));
            // Which of two scores is best may change: |z − max| may be off by as much again.
            assert_same_entmax(&z, &p, &q, alpha - 1.0, EPS * largest);
        }
    }

    /// A power of 2 scales exactly. Any other rounds score and best by half an ulp each: with the
    /// quotients' own, 4 halves, which the power takes `degree` times; 8 halves cover power, sum and
    /// division on both sides.
    #[test]
    fn polynomial_weights_do_not_depend_on_the_scale(
        z in scores(),
        exponent in -20..20_i32,
        factor in 1e-3..1e3,
    ) {
        for (degree, separation) in polynomials() {
            let p = weights(&separation, &z);
            prop_assert_eq!(&weights(&separation, &(2_f64.powi(exponent) * &z)), &p);
            let relative = (4.0 * f64::from(degree) + 8.0) * 0.5 * EPS;
            assert_same(&weights(&separation, &(factor * &z)), &p, relative, &separation);
        }
    }

    // The α-entmax family.

    /// The optimality conditions of max ⟨p,z⟩ − Ψ_α(p): z_i − φ(p_i) is the same on the support,
    /// and z_j − φ(0) no larger off it. With Σp = 1 they hold at the solution and, the problem
    /// being strictly concave, nowhere else: no other solver is needed to know that these weights
    /// are right to rounding. Relative to the best score and its weight, φ(p_i) − φ(p_max) does not
    /// cancel; where p^ε underflows (large α) it is 0 as φ + 1/ε rounds to, and scores that far
    /// apart do not exist.
    #[test]
    fn weights_satisfy_the_optimality_conditions(z in scores()) {
        let best = max(&z);
        for alpha in ALPHAS {
            let epsilon = alpha - 1.0;
            let p = weights(&entmax(alpha), &z);
            let top = max(&p);
            let power = |p: f64| (epsilon * ln(p)).exp();
            // φ(p) − φ(top) without the cancellation at 1/ε.
            let gap = |p: f64| {
                if epsilon < 1.0 {
                    phi(p, epsilon) - phi(top, epsilon)
                } else {
                    (if p > 0.0 { power(p) } else { 0.0 } - power(top)) / epsilon
                }
            };
            for (&z, &p) in z.iter().zip(&p) {
                let residual = (z - best) - gap(p);
                let tolerance =
                    rounding(if p > 0.0 { z - best } else { gap(p) }, p, epsilon)
                    + rounding(0.0, top, epsilon)
                    + underflow(p, epsilon);
                let residual = if p > 0.0 { residual.abs() } else { residual };
                prop_assert!(
                    residual <= tolerance,
                    "alpha {alpha}: score {z:e} (best {best:e}) of weight {p:e} (best {top:e}) is \
                     off by {residual:e} > {tolerance:e}",
                );
            }
        }
    }

    /// The reference rounds its threshold t = −s^ε and sums plainly: an ulp of t is s^ε/ε ulps of
    /// the scores, n/2 roundings of the sum move c by as much. At the last ulp u of t its sum jumps
    /// by J = Σ (p_i^ε + u)^(1/ε) − p_i, and it divides by that.
    #[test]
    fn entmax_equals_the_reference(z in scores()) {
        let (n, best) = (z.len() as f64, max(&z));
        for alpha in [1.0, 1.05, 1.25, 1.5, 1.7, 2.0, 2.5, 3.0, 5.0] {
            let epsilon = alpha - 1.0;
            let (p, q) = (weights(&entmax(alpha), &z), reference::entmax(z.view(), alpha));
            let extra = if alpha == 1.0 {
                0.5 * n * EPS
            } else {
                let threshold = max(&p).powf(epsilon);
                let step = 4.0 * EPS * threshold;
                let jump = sum(z.iter().map(|z| {
                    let base = threshold + epsilon * (z - best);
                    (base + step).max(0.0).powf(1.0 / epsilon) - base.max(0.0).powf(1.0 / epsilon)
                }));
                step / epsilon + 0.5 * n * EPS + jump
            };
            assert_same_entmax(&z, &p, &q, epsilon, extra);
        }
    }

    /// Between α and α + δ, φ(p) changes by at most |δ|/min(ε)², since its derivative in ε is
    /// ∫ t e^(εt) dt over [ln p, 0]: so much, and no more, are the scores as good as perturbed.
    #[test]
    fn the_iteration_tends_to_the_closed_forms(z in scores()) {
        for closed in [1.5, 2.0] {
            let exact = weights(&entmax(closed), &z);
            for delta in [-1e-5, -1e-10, -4.0 * EPS, 4.0 * EPS, 1e-10, 1e-5] {
                let near = weights(&entmax(closed + delta), &z);
                let nearest = closed - 1.0 - delta.abs();
                let extra = delta.abs() / (nearest * nearest);
                assert_same_entmax(&z, &exact, &near, closed - 1.0, extra);
            }
        }
    }

    /// As above with ∫ t e^(εt) dt ≤ (ln p)²/2 and |ln p| ≤ spread + ln n, where that is below 1/ε.
    /// Both ends of α = 1 + ε: a few ulps, and so near 1 that ε·z is itself an ulp.
    #[test]
    fn alpha_near_one_tends_to_softmax(z in scores()) {
        let spread = |z: &Array1<f64>| max(z) - z.fold(f64::INFINITY, |min, &z| min.min(z));
        // Beyond a spread of about 700 the smallest weights underflow.
        let z = &z * (600.0 / spread(&z)).min(1.0);
        let largest = spread(&z) + (z.len() as f64).ln();
        let softmax = weights(&Separation::softmax(), &z);
        for epsilon in [EPS, 1e-13, 1e-9, 1e-6] {
            let alpha = 1.0 + epsilon;
            let near = weights(&entmax(alpha), &z);
            assert_same_entmax(&z, &softmax, &near, 0.0, 0.5 * (alpha - 1.0) * largest * largest);
        }
    }

    // The others, against the reference.

    /// Of the reference's plain sum n/2 ulps, and a few of each side's own.
    #[test]
    fn top_k_equals_the_reference(z in scores()) {
        for (k, separation) in top_ks(z.len()) {
            let q = reference::top_k(z.view(), k);
            assert_same(&weights(&separation, &z), &q, (0.5 * k as f64 + 4.0) * EPS, &separation);
        }
    }

    /// As top-k, and the reference's `degree` multiplications.
    #[test]
    fn polynomial_equals_the_reference(z in scores()) {
        for (degree, separation) in polynomials() {
            let q = reference::polynomial(z.view(), degree);
            let relative = (0.5 * (z.len() as f64 + f64::from(degree)) + 4.0) * EPS;
            assert_same(&weights(&separation, &z), &q, relative, &separation);
        }
    }

    // Gradients.

    /// Jᵀ1 = 0 because Σp = 1, and the entries of Jᵀg sum to 0 because J·1 = 0. Each entry is
    /// slope·(g_i − ḡ), |g| ≤ 1, with ḡ off by a few ulps: those two of the exact laws.
    #[test]
    fn gradients_are_orthogonal_to_shifts_and_zero_off_the_support((z, g) in with_cotangent()) {
        for separation in shift_invariant(z.len()) {
            let p = weights(&separation, &z);
            let ones = Array1::ones(z.len());
            let of_ones = separation.vjp(z.view(), ones.view()).unwrap();
            for (r, p) in of_ones.iter().zip(&p) {
                let tolerance = 4.0 * EPS * p + f64::MIN_POSITIVE;
                prop_assert!(r.abs() <= tolerance, "{separation}: Jᵀ1 has {r:e}");
            }
            let gradient = separation.vjp(z.view(), g.view()).unwrap();
            prop_assert!(gradient.iter().all(|r| r.is_finite()), "{separation}: {gradient}");
            prop_assert!(gradient.iter().zip(&p).all(|(r, p)| *p > 0.0 || *r == 0.0));
            let size = 1.0 + sum(gradient.iter().map(|r| r.abs()));
            let off = sum(gradient.iter().copied()).abs();
            prop_assert!(off <= 8.0 * EPS * size, "{separation}: sums to {off:e}");
        }
    }

    /// Jᵀ1 = 0, and J·z = 0 because a scale changes nothing: entries n·(p_i/z_i)(g_i − ḡ), with ḡ
    /// off by a few ulps.
    #[test]
    fn polynomial_gradients_are_orthogonal_to_the_scores((z, g) in with_cotangent()) {
        for (degree, separation) in polynomials() {
            let degree = f64::from(degree);
            let p = weights(&separation, &z);
            let of_ones = separation.vjp(z.view(), Array1::ones(z.len()).view()).unwrap();
            let gradient = separation.vjp(z.view(), g.view()).unwrap();
            for i in 0..z.len() {
                let slope = if z[i] > 0.0 { degree * p[i] / z[i] } else { 0.0 };
                let tolerance = 4.0 * EPS * slope + f64::MIN_POSITIVE;
                prop_assert!(of_ones[i].abs() <= tolerance, "{separation}: {of_ones}");
                prop_assert!(slope > 0.0 || gradient[i] == 0.0, "{separation}: {gradient}");
            }
            let off = sum(gradient.iter().zip(&z).map(|(r, z)| r * z)).abs();
            prop_assert!(off <= 16.0 * EPS * degree, "{separation}: ⟨Jᵀg,z⟩ = {off:e}");
        }
    }

    #[test]
    fn f32_gradients_are_the_f64_gradients_rounded_once((z, g) in with_cotangent()) {
        let (z, g) = (z.mapv(|z| z as f32), g.mapv(|g| g as f32));
        for separation in every(z.len()) {
            let wide = separation.vjp(z.mapv(f64::from).view(), g.mapv(f64::from).view()).unwrap();
            let rounded = wide.mapv(|r| r as f32);
            match separation.vjp(z.view(), g.view()) {
                Ok(narrow) => prop_assert_eq!(narrow, rounded, "{}", separation),
                Err(error) => {
                    prop_assert!(error.is_non_finite() && rounded.iter().any(|r| !r.is_finite()));
                }
            }
        }
    }

    // Normmax.

    /// γ-normmax is the γ-entmax of scores times c = ‖p‖_γ^(γ−1)/(γ−1): the optimality conditions of the
    /// one are those of the other, so that all that is known about entmax says which weights are right.
    ///
    /// The scores of the entmax are off by c times the error of τ, 8 roundings of numbers up to 1 + |z_i − max|,
    /// and by those of ‖p‖_γ, each (γ−1)(1 + |ln p|) of itself in the power.
    #[test]
    fn normmax_is_the_entmax_of_its_own_temperature(z in scores()) {
        for (gamma, separation) in normmaxes() {
            let p = weights(&separation, &z);
            let norm = sum(p.iter().map(|p| p.powf(gamma))).powf(1.0 / gamma);
            let factor = norm.powf(gamma - 1.0) / (gamma - 1.0);
            let best = max(&z);
            let scaled = z.mapv(|z| factor * (z - best));
            let q = weights(&entmax(gamma), &scaled);
            let near = scaled.iter().filter(|z| **z > -2.0 * factor).fold(0.0, |m: f64, z| m.max(-z));
            let extra = 16.0 * EPS * (factor + near) * (1.0 + gamma);
            assert_same_entmax(&scaled, &p, &q, gamma - 1.0, extra);
        }
    }

    /// The two differ by the rounding of τ, which each finds to some ulps of 1: compared, as the
    /// optimality conditions are, by (p/‖p‖)^(γ−1) = z − τ, which rounds like z − max.
    #[test]
    fn normmax_equals_the_reference(z in scores()) {
        for (gamma, separation) in normmaxes() {
            let (p, q) = (weights(&separation, &z), reference::normmax(z.view(), gamma));
            let lifted = |p: &Array1<f64>| {
                let norm = sum(p.iter().map(|p| p.powf(gamma))).powf(1.0 / gamma);
                p.mapv(|p| if p > 0.0 { ((gamma - 1.0) * (p / norm).ln()).exp() } else { 0.0 })
            };
            // A weight too small for f64 stands for any number up to this.
            let lost = ((gamma - 1.0) * LN_TINY).exp();
            // The reference sums n terms plainly.
            let tolerance = (32.0 + 2.0 * z.len() as f64) * (1.0 + gamma) * EPS + 2.0 * lost;
            for (a, b) in lifted(&p).iter().zip(&lifted(&q)) {
                prop_assert!((a - b).abs() <= tolerance, "{separation}: {a} {b} {tolerance:e}\n{z}");
            }
        }
    }

    /// By the law above p = E(c·z) with E the γ-entmax and c = ‖p‖^(γ−1)/(γ−1). So a change v of the scores
    /// changes p by dp = J_E(c·v + z·dc), dc = c(γ−1)⟨p^(γ−1),dp⟩/‖p‖^γ; the derivatives are symmetric, so
    /// that dp is the vector-Jacobian product. Entries are differences of slopes times numbers below
    /// 4(1 + γ); scores are of moderate size and weights not tiny.
    #[test]
    fn normmax_gradients_are_those_of_the_entmax_at_its_temperature(
        u in prop::collection::vec(0.0..0.9, 0..8),
        off in prop::collection::vec(1.1..2.0, 0..4),
        v in prop::collection::vec(-1.0..1.0, 12),
    ) {
        let z: Array1<f64> = u.iter().chain(&off).chain(&[0.0]).map(|u| -0.3 * u).collect();
        let v = Array1::from(v[..z.len()].to_vec());
        for (gamma, separation) in normmaxes().filter(|(gamma, _)| *gamma >= 1.5) {
            let p = weights(&separation, &z);
            let dp = separation.vjp(z.view(), v.view()).unwrap();
            let norm = sum(p.iter().map(|p| p.powf(gamma))).powf(1.0 / gamma);
            let c = norm.powf(gamma - 1.0) / (gamma - 1.0);
            let along = sum(p.iter().zip(&dp).map(|(p, d)| p.powf(gamma - 1.0) * d));
            let dc = c * (gamma - 1.0) * along / norm.powf(gamma);
            let expected = entmax(gamma).vjp((c * &z).view(), (c * &v + dc * &z).view()).unwrap();
            let support = || p.iter().copied().filter(|&p| p > 0.0);
            // Slopes p^(2−γ) amplify the rounding of a weight near 0 as they amplify the change itself.
            let slopes = sum(support().map(|p| p.powf(2.0 - gamma)));
            let smallest = support().fold(1.0, f64::min).powf(gamma - 1.0);
            let size = c * (1.0 + dc.abs() / c) * slopes;
            let tolerance = 64.0 * EPS * (1.0 + gamma) * size * (1.0 + size) / smallest;
            for (a, b) in dp.iter().zip(&expected) {
                prop_assert!((a - b).abs() <= tolerance, "{separation}: {a} {b} {tolerance:e}");
            }
            // Sharp where slopes are 1.
            prop_assert!(gamma != 2.0 || tolerance < 1e-7 || smallest < 1e-4);
        }
    }

    // Many rows.

    #[test]
    fn a_batch_is_its_rows_whatever_its_layout(
        rows in prop::collection::vec(-3.0..3.0, 2 * 3 * 4 * 2),
    ) {
        let all = Array3::from_shape_vec((2, 3, 8), rows).unwrap();
        let plain = all.slice(s![.., .., ..4]);
        let stepped = all.slice(s![.., .., ..;-2]);
        let turned = [plain.permuted_axes([2, 0, 1]), stepped.permuted_axes([1, 2, 0])];
        for scores in [plain, stepped].into_iter().chain(turned) {
            assert_rows_alike(scores);
            let scores = scores.index_axis_move(Axis(0), 1);
            assert_rows_alike(scores);
            assert_rows_alike(scores.t());
        }
    }
}

/// That weights, support sizes and gradients of `scores` are those of each lane alone.
fn assert_rows_alike<D: Dimension + RemoveAxis>(scores: ArrayView<'_, f64, D>) {
    let lanes = Axis(scores.ndim() - 1);
    let cotangents = scores.mapv(|z| 1.0 - z * z);
    for separation in every(scores.len_of(lanes)) {
        let result = separation.weights(scores.view()).unwrap();
        let gradients = separation.vjp(scores.view(), cotangents.view()).unwrap();
        let each = scores.lanes(lanes).into_iter().zip(cotangents.lanes(lanes));
        let results = result.weights.lanes(lanes).into_iter().zip(gradients.lanes(lanes));
        for (((z, g), (p, r)), support) in each.zip(results).zip(&result.support_size) {
            let row = z.to_vec();
            let alone = separation.weights(ArrayView1::from(&row)).unwrap();
            assert_eq!(alone.weights, p, "{separation}");
            assert_eq!(alone.support_size.into_scalar(), *support, "{separation}");
            let gradient = separation.vjp(ArrayView1::from(&row), g).unwrap();
            assert_eq!(gradient, r, "{separation}");
        }
    }
}

// Gradients against finite differences.

/// Scores of α-entmax made from their weights, so that the support is known and stays away from its
/// boundary: with r_i in [r, 1], r_1 = 1, p_i ∝ r_i^(1/ε) and z_i − max = −s^ε(1 − r_i)/ε; off the
/// support r_i < −0.1. From `u` in [0, 1], r is at least 0.1 and no weight below e^−3 of the best.
fn made_from_weights(alpha: f64, u: &[f64], off: &[f64]) -> Array1<f64> {
    let epsilon = alpha - 1.0;
    if epsilon == 0.0 {
        return u.iter().map(|u| -3.0 * u).collect();
    }
    let smallest = (-3.0 * epsilon).exp().max(0.1);
    let ratios = || u.iter().map(|u| 1.0 - u * (1.0 - smallest));
    let power = sum(ratios().map(|r: f64| r.powf(1.0 / epsilon))).powf(-epsilon);
    let on = ratios().map(|r| power * (r - 1.0) / epsilon);
    let off = off.iter().map(|u| power * (-1.1 - u) / epsilon);
    on.chain(off).collect()
}

/// ⟨Jᵀg,v⟩ and (⟨g,p(z+hv)⟩ − ⟨g,p(z−hv)⟩)/2h.
fn gradient_two_ways(
    separation: &Separation,
    z: &Array1<f64>,
    g: &Array1<f64>,
    v: &Array1<f64>,
    h: f64,
) -> (f64, f64) {
    let gradient = separation.vjp(z.view(), g.view()).unwrap();
    let (up, down) = (weights(separation, &(z + h * v)), weights(separation, &(z - h * v)));
    for (up, down) in up.iter().zip(&down) {
        assert_eq!(*up > 0.0, *down > 0.0, "{separation}: the support changes within the step");
    }
    let difference = sum((&up - &down).iter().zip(g).map(|(d, g)| d * g)) / (2.0 * h);
    (sum(gradient.iter().zip(v).map(|(r, v)| r * v)), difference)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// With u = z − c, ψ = φ⁻¹ and |v|, |g| ≤ 1: ψ'' = (1−ε)p^(−ε)ψ', ψ''' = (1−ε)(1−2ε)p^(−2ε)ψ';
    /// |u'| ≤ 2, |u''| ≤ 4|1−ε|/b, |u'''| ≤ (8A + 24B)/b², where A = |1−ε||1−2ε|, B = (1−ε)² and b
    /// is the smallest p^ε within the step. So |d³⟨g,p⟩/dt³| ≤ 2(8A + 24B)/b²·Σψ', and the central
    /// difference is off by h²/6 of that, plus the rounding of the weights, 2Σψ' that of a score,
    /// over h. The step is too short to double Σψ'.
    #[test]
    fn entmax_gradients_equal_finite_differences(
        u in prop::collection::vec(0.0..1.0, 0..8),
        off in prop::collection::vec(0.0..1.0, 0..4),
        g in prop::collection::vec(-1.0..1.0, 12),
        v in prop::collection::vec(-1.0..1.0, 12),
    ) {
        let u: Vec<f64> = u.into_iter().chain([0.0]).collect();
        for alpha in ALPHAS {
            let (epsilon, separation) = (alpha - 1.0, entmax(alpha));
            let z = made_from_weights(alpha, &u, &off);
            let (g, v) = (Array1::from(g[..z.len()].to_vec()), Array1::from(v[..z.len()].to_vec()));
            let p = weights(&separation, &z);
            if alpha != 1.0 {
                prop_assert_eq!(p.iter().filter(|&&p| p > 0.0).count(), u.len());
            }
            let support = || p.iter().copied().filter(|&p| p > 0.0);
            let smallest = support().fold(1.0, f64::min).powf(epsilon);
            let h = EPS.cbrt() * smallest / epsilon.max(1.0);
            let b = smallest - 2.0 * epsilon * h;
            let slopes = 2.0 * sum(support().map(|p| p.powf(1.0 - epsilon)));
            let curvature = 8.0 * ((1.0 - epsilon) * (1.0 - 2.0 * epsilon)).abs()
                + 24.0 * (1.0 - epsilon).powi(2);
            let rounding = z.iter().zip(&p).filter(|(_, p)| **p > 0.0)
                .map(|(z, &p)| rounding(*z, p, epsilon)).fold(0.0, f64::max);
            let tolerance = h * h / 3.0 * curvature / (b * b) * slopes
                + (2.0 * rounding * slopes + 2.0 * sum_tolerance(u.len())) / h;
            let (exact, difference) = gradient_two_ways(&separation, &z, &g, &v, h);
            prop_assert!(
                (exact - difference).abs() <= tolerance,
                "{separation}: {exact:e} and {difference:e} differ by over {tolerance:e} at {z}",
            );
        }
    }

    /// Softmax on the selected scores, which are at least 0.1 above the others; as above with ε =
    /// 0.
    #[test]
    fn top_k_gradients_equal_finite_differences(
        selected in prop::collection::vec(0.1..3.0, 1..8),
        others in prop::collection::vec(-3.0..0.0, 0..4),
        g in prop::collection::vec(-1.0..1.0, 12),
        v in prop::collection::vec(-1.0..1.0, 12),
    ) {
        let separation = Separation::top_k(selected.len()).unwrap();
        let z: Array1<f64> = others.iter().chain(&selected).copied().collect();
        let (g, v) = (Array1::from(g[..z.len()].to_vec()), Array1::from(v[..z.len()].to_vec()));
        let h = EPS.cbrt();
        // |z − max| and |ln p| are below 3 + ln 8 each, and Σψ' is Σp = 1.
        let rounding = 0.5 * HALF_ULPS * EPS * (3.0 + 1.0 + 3.0 + 8_f64.ln());
        let tolerance = h * h / 3.0 * 32.0 + (2.0 * rounding + 2.0 * sum_tolerance(8)) / h;
        let (exact, difference) = gradient_two_ways(&separation, &z, &g, &v, h);
        prop_assert!((exact - difference).abs() <= tolerance, "{exact} {difference} {tolerance:e}");
    }

    /// p = softmax(u), u_i = n ln z_i, |u^(j)| ≤ K_j with K_1 = n/b, K_2 = n/b², K_3 = 2n/b³ for
    /// scores of at least b. With y = u − c, Σp = 1 gives |y'| ≤ 2K_1, |y''| ≤ 2K_2 + 4K_1² and
    /// with p''' = p(y''' + 3y'y'' + y'³) altogether Σ|p'''| ≤ 2K_3 + 12K_1(2K_2 + 4K_1²) + 16K_1³.
    /// A score rounded moves ln p by n ulps; n more of its quotient.
    #[test]
    fn polynomial_gradients_equal_finite_differences(
        z in prop::collection::vec(prop_oneof![3 => 0.5..2.0, 1 => -2.0..-0.5], 1..12),
        g in prop::collection::vec(-1.0..1.0, 12),
        v in prop::collection::vec(-1.0..1.0, 12),
    ) {
        let z = Array1::from(z);
        let (g, v) = (Array1::from(g[..z.len()].to_vec()), Array1::from(v[..z.len()].to_vec()));
        for (degree, separation) in polynomials() {
            let n = f64::from(degree);
            let h = EPS.cbrt() / n;
            let b = 0.5 - h;
            let (k1, k2, k3) = (n / b, n / (b * b), 2.0 * n / (b * b * b));
            let third = 2.0 * k3 + 12.0 * k1 * (2.0 * k2 + 4.0 * k1 * k1) + 16.0 * k1.powi(3);
            // z ± hv (twice: of the score and of the best), the quotient; power, sum and division.
            let rounding = 0.5 * EPS * (2.0 * (3.0 * n) + 8.0);
            let tolerance = h * h / 6.0 * third + rounding / h;
            let (exact, difference) = gradient_two_ways(&separation, &z, &g, &v, h);
            let off = (exact - difference).abs();
            prop_assert!(off <= tolerance, "{exact} {difference} {tolerance:e}");
        }
    }

    /// J is a Hessian. Off the largest slope s_i = p_i^(1−ε) (whose row is minus the others) every
    /// entry of J is at most the slope of its row, and computed to a few ulps, |1−ε||ln p| of them
    /// in the power.
    #[test]
    fn entmax_jacobians_are_symmetric(
        (z, g) in with_cotangent(),
        other in prop::collection::vec(-1.0..1.0, 60),
    ) {
        let other = Array1::from(other[..z.len()].to_vec());
        for alpha in ALPHAS {
            let (epsilon, separation) = (alpha - 1.0, entmax(alpha));
            let p = weights(&separation, &z);
            let mut slopes: Vec<(f64, f64)> = p.iter().filter(|p| **p > 0.0)
                .map(|p| {
                    let slope = p.powf(1.0 - epsilon).min(600_f64.exp());
                    (slope, 1.0 + (1.0 - epsilon).abs() * ln(*p).abs())
                })
                .collect();
            slopes.sort_by(|a, b| a.0.total_cmp(&b.0));
            // At α = 1 there is no such row, but its entries too are at most the sum of the others.
            let exponents = slopes.iter().map(|s| s.1).fold(0.0, f64::max);
            slopes.pop();
            let scale = sum(slopes.iter().map(|s| s.0)) * exponents;
            let scale = if alpha == 1.0 { 1.0 } else { scale };
            let left = separation.vjp(z.view(), g.view()).unwrap();
            let right = separation.vjp(z.view(), other.view()).unwrap();
            let inner = |r: &Array1<f64>, v: &Array1<f64>| sum(r.iter().zip(v).map(|(r, v)| r * v));
            let off = (inner(&left, &other) - inner(&right, &g)).abs();
            // 8 half-ulps of an entry at most 4 (g_i − ḡ and v_i − v_pivot, |·| ≤ 2), both sides;
            // below the normal range weights have fewer digits.
            let tolerance = 2.0 * 0.5 * 8.0 * EPS * 4.0 * scale + f64::MIN_POSITIVE;
            prop_assert!(off <= tolerance, "{separation}: off by {off:e} > {tolerance:e}");
        }
    }
}

// Cases.

#[test]
fn one_score_has_all_the_weight() {
    for score in [0.0, -1e4, 1e4, 1e-30, -1e-30, f64::MAX, f64::MIN, f64::MIN_POSITIVE] {
        for separation in every(1) {
            let result = separation.weights(array![score].view()).unwrap();
            assert_eq!(result.weights, array![1.0], "{separation} of {score}");
            assert_eq!(result.support_size.into_scalar(), 1);
            assert_eq!(
                separation.vjp(array![score].view(), array![3.0].view()).unwrap(),
                array![0.0]
            );
        }
    }
}

#[test]
fn equal_scores_share_the_weight_equally() {
    for n in [2, 3, 7, 60, 100_000] {
        for score in [0.0, 1e4, -1e4, 1e-30] {
            let scores = Array1::from_elem(n, score);
            for separation in entmax_family().chain(polynomials().map(|(_, poly)| poly)) {
                for p in weights(&separation, &scores) {
                    // Four halves of an ulp: s, its sum, a division, the threshold.
                    assert!((p * n as f64 - 1.0).abs() <= 2.0 * EPS, "{separation}, {n}: {p:e}");
                }
            }
        }
    }
}

#[test]
fn all_weight_goes_to_scores_far_above_the_rest() {
    let one = array![9000.0, 1e4, -1e4];
    for separation in shift_invariant(3).chain([Separation::polynomial(10_000).unwrap()]) {
        if separation != Separation::top_k(1).unwrap() {
            let p = weights(&separation, &array![1e4, 1e4, -1e4]);
            // (√½)² of the 1.5-entmax is an ulp off.
            assert!((p[0] - 0.5).abs() <= EPS && p[1] == p[0] && p[2] == 0.0, "{separation}: {p}");
        }
        assert_eq!(weights(&separation, &one), array![0.0, 1.0, 0.0], "{separation}");
    }
}

/// Scores of 1e−30 are as good as equal (to 1e−30/s^ε) unless α is large: s^ε = 3^−99 = 6e−48 of
/// α = 100 tells them apart.
#[test]
fn tiny_scores_matter_only_for_large_alpha() {
    let scores = array![1e-30, 2e-30, -3e-30];
    for alpha in ALPHAS.into_iter().filter(|&alpha| alpha <= 20.0) {
        for p in weights(&entmax(alpha), &scores) {
            assert!((3.0 * p - 1.0).abs() <= 2.0 * EPS, "{alpha}: {p}");
        }
    }
    let p = weights(&entmax(100.0), &scores);
    assert!(p[1] > 0.5 && p[0] > 0.3 && p[2] == 0.0, "{p}");
}

/// Scores 0 and −d with d = 1e−20 at α = 100: s^99 = 99d + p_2^99 and p_2 = 1 − s. p_2^99 = 1e−46
/// is far below an ulp of 99d, so s = (99d)^(1/99): s is determined, p_2 as a function of s jumps
/// from 0 to 0.48 between neighbouring s. Off by the rounding of d/99 and of the power, an ulp or
/// two of s, and so of p_2.
#[test]
fn weights_between_neighbouring_thresholds_are_found() {
    for difference in [1e-20_f64, 3e-19, 1e-25] {
        let best = ((99.0 * difference).ln() / 99.0).exp();
        let p = weights(&entmax(100.0), &array![0.0, -difference]);
        assert!((p[0] - best).abs() <= 2.0 * EPS, "{p} {best}");
        assert!((p[1] - (1.0 - best)).abs() <= 2.0 * EPS, "{p} {best}");
        // The same weight for equal scores, together 1 − s.
        let p = weights(&entmax(100.0), &array![-difference, 0.0, -difference]);
        assert_eq!(p[0], p[2]);
        assert!((p[0] - 0.5 * (1.0 - best)).abs() <= 2.0 * EPS, "{p} {best}");
    }
}

#[test]
fn tied_best_scores_share_the_weight_at_large_alpha() {
    let p = weights(&entmax(100.0), &array![1.0, 3.0, 3.0, 2.9, 3.0]);
    for (p, expected) in p.iter().zip([0.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]) {
        assert!((p - expected).abs() <= EPS, "{p}");
    }
}

/// One best score and n equal ones so near the edge that each has weight 1e−5/(n + 1): the error of
/// a threshold summed plainly, n roundings, would be seen.
#[test]
fn many_equal_weights_near_zero_are_right() {
    let n = 100_000;
    let mut scores = Array1::from_elem(n + 1, -0.99999);
    scores[0] = 0.0;
    let p = weights(&Separation::sparsemax(), &scores);
    let expected = (1.0 + scores[1]) / (n + 1) as f64;
    // The threshold is good to 1.5 ulps, and the weight a difference from it.
    assert!((p[1] - expected).abs() <= 2.0 * EPS, "{:e} {expected:e}", p[1]);
    // 1.5-entmax: x = z/2, y = √p, y_1 = y + 0.499995 and y_1² + ny² = 1, where the threshold is
    // good to as much as y is; n roundings of the mean would be 2e−11.
    let p = weights(&entmax(1.5), &scores);
    let (half, n) = (-0.5 * scores[1], n as f64);
    let y = (1.0 - half * half) / (half + (half * half + (n + 1.0) * (1.0 - half * half)).sqrt());
    assert!((p[1].sqrt() - y).abs() <= 4.0 * EPS, "{:e} {y:e}", p[1].sqrt());
}

#[test]
fn zero_and_minus_zero_are_the_same_score() {
    let top = Separation::top_k(1).unwrap();
    assert_eq!(weights(&top, &array![-0.0, 0.0]), array![1.0, 0.0]);
    assert_eq!(weights(&top, &array![0.0, -0.0]), array![1.0, 0.0]);
}

/// Digits as published by the entmax package.
#[test]
fn known_weights_of_the_entmax_family() {
    let rounded = |alpha: f64, scores: Array1<f64>| {
        weights(&entmax(alpha), &scores).mapv(|p| (p * 1e4).round() / 1e4)
    };
    let scores = array![-2.0, 0.0, 0.5];
    assert_eq!(rounded(1.0, scores.clone()), array![0.0486, 0.3592, 0.5922]);
    assert_eq!(rounded(1.5, scores.clone()), array![0.0, 0.3260, 0.6740]);
    assert_eq!(rounded(2.0, scores.clone()), array![0.0, 0.25, 0.75]);
    assert_eq!(rounded(1.33, array![1.0, 2.0, 3.5]), array![0.0026, 0.1012, 0.8963]);
}

/// Digits as published with the structured sparse Hopfield networks.
#[test]
fn known_weights_of_normmax() {
    let rounded = |gamma: f64| {
        let normmax = Separation::normmax(gamma).unwrap();
        weights(&normmax, &array![-2.0, 0.0, 0.5]).mapv(|p| (p * 1e4).round() / 1e4)
    };
    assert_eq!(rounded(2.0), array![0.0, 0.3110, 0.6890]);
    assert_eq!(rounded(1000.0), array![0.0, 0.4997, 0.5003]);
}

#[test]
fn alpha_one_and_two_are_softmax_and_sparsemax() {
    assert_eq!(entmax(1.0), Separation::softmax());
    assert_eq!(entmax(2.0), Separation::sparsemax());
}

#[test]
fn polynomial_weights_do_depend_on_a_shift() {
    for (_, separation) in polynomials() {
        let (p, q) =
            (weights(&separation, &array![1.0, 2.0]), weights(&separation, &array![3.0, 4.0]));
        assert!(p[0] < q[0] && p[1] > q[1], "{separation}: {p} {q}");
    }
}

#[test]
fn polynomial_weights_are_equal_when_no_score_is_positive() {
    for (_, separation) in polynomials() {
        let scores = array![-1.0, -5.0, 0.0, -1e-30];
        assert_eq!(weights(&separation, &scores), Array1::from_elem(4, 0.25));
        let gradient = separation.vjp(scores.view(), array![1.0, 2.0, 3.0, 4.0].view()).unwrap();
        assert_eq!(gradient, Array1::<f64>::zeros(4));
    }
}

/// Slopes p^(2−α) at α = 20 of up to 60^18 = 1e32: the gradient is finite and its entries cancel.
#[test]
fn gradients_at_large_alpha_are_finite_and_sum_to_zero() {
    for alpha in [5.0, 20.0] {
        for n in [2, 10, 60] {
            let spacing = (n as f64).powf(1.0 - alpha) / alpha;
            let scores: Array1<f64> = (0..n).map(|i| -spacing * i as f64 / n as f64).collect();
            let cotangent: Array1<f64> = (0..n).map(|i| (i as f64).sin()).collect();
            let gradient = entmax(alpha).vjp(scores.view(), cotangent.view()).unwrap();
            assert!(gradient.iter().all(|r| r.is_finite()) && gradient.iter().any(|r| *r != 0.0));
            let size = sum(gradient.iter().map(|r| r.abs()));
            assert!(sum(gradient.iter().copied()).abs() <= EPS * size, "{alpha} {n}: {gradient}");
        }
    }
    // 2000^98 = 1e323 is beyond the largest number.
    let n = 2000;
    let cotangent: Array1<f64> = (0..n).map(|i| (i as f64).sin()).collect();
    let gradient = entmax(100.0).vjp(Array1::zeros(n).view(), cotangent.view()).unwrap();
    assert!(gradient.iter().all(|r| r.is_finite() && *r != 0.0), "{gradient}");
    let size = sum(gradient.iter().map(|r| r.abs()));
    assert!(sum(gradient.iter().copied()).abs() <= EPS * size);
}

#[test]
fn rows_of_a_batch_keep_their_own_support_size() {
    let scores: Array2<f64> = array![[0.0, 0.1, -3.0], [5.0, 0.0, 0.0], [1.0, 1.0, 1.0]];
    let result = Separation::sparsemax().weights(scores.view()).unwrap();
    assert_eq!(result.support_size, array![2, 1, 3]);
}
