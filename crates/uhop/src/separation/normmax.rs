//! γ-normmax: p_i ∝ [z_i − τ]₊^(1/(γ−1)), the maximiser of ⟨p,z⟩ − ‖p‖_γ over the simplex.
//!
//! The optimality conditions are z_i − (p_i/‖p‖_γ)^(γ−1) = τ on the support and z_j ≤ τ off it, so that
//! the γ-norm of p/‖p‖_γ being 1 fixes τ: Σ [z_i − τ]₊^q = 1 with q = γ/(γ−1). Scores are shifted so that
//! the best is 0; the unknown is s = −τ, between 0 and 1.

use super::{max, sum};

/// Far more evaluations than Newton's method takes: for 2 to 1,000 normal scores and γ from 1.01 to
/// 1,000 five in the median and 12 at most.
const EVALUATIONS: usize = 128;

/// Solves g(s) = (Σ [z_i + s]₊^q)^(1/q) = 1 by Newton's method from the right.
///
/// **Convergence.** g is a norm of non-decreasing convex functions, so convex; its slope is at least 1
/// where it is positive, since Σ (v_i/‖v‖_q)^(q−1) ≥ Σ (v_i/‖v‖_q)^q = 1. It is at least 1 at s = 1, where
/// the best score alone contributes 1. From there the iteration falls monotonically to the root, and an error of
/// g is at least as large as that of s. It ends when s no longer falls.
pub(super) fn weights(row: &mut [f64], gamma: f64) {
    let max = max(row);
    row.iter_mut().for_each(|z| *z -= max);
    let near: Vec<f64> = row.iter().copied().filter(|&z| z > -1.0).collect();
    let q = gamma / (gamma - 1.0);
    let mut s = 1.0;
    for _ in 0..EVALUATIONS {
        // Relative to the best score's s, so that no power overflows and its own never underflows.
        let ratios = || near.iter().map(|&z| ((z + s) / s).max(0.0));
        let total = sum(ratios().map(|ratio| ratio.powf(q)));
        let norm = s * total.powf(1.0 / q);
        // g' = Σ v^(q−1) / g^(q−1); a power of 0 is that of a score without weight, whatever q.
        let slopes = ratios().filter(|&ratio| ratio > 0.0).map(|ratio| ratio.powf(q - 1.0));
        let slope = sum(slopes) / total.powf((q - 1.0) / q);
        let next = s - (norm - 1.0) / slope;
        if next >= s || next <= 0.0 {
            break;
        }
        s = next;
    }
    let power = 1.0 / (gamma - 1.0);
    row.iter_mut().for_each(|z| {
        let ratio = ((*z + s) / s).max(0.0);
        *z = if ratio > 0.0 { ratio.powf(power) } else { 0.0 };
    });
    let total = sum(row.iter().copied());
    row.iter_mut().for_each(|p| *p /= total);
}

/// Jᵀg for J = ‖p‖_γ·(I − p1ᵀ) diag(w) (I − 1pᵀ), w_i = (p_i/‖p‖_γ)^(2−γ)/(γ−1) on the support and 0
/// off it, by differentiating the conditions above.
///
/// As for α-entmax, slopes beyond e^600 are taken as e^600, and the largest row is minus the sum of
/// the others.
pub(super) fn vjp(weights: &[f64], cotangent: &[f64], gamma: f64) -> Vec<f64> {
    let norm = sum(weights.iter().map(|p| p.powf(gamma))).powf(1.0 / gamma);
    let slope = |p: f64| {
        let log = ((2.0 - gamma) * (p / norm).ln()).min(600.0);
        if p > 0.0 { norm * log.exp() / (gamma - 1.0) } else { 0.0 }
    };
    // Relative to the cotangent of the steepest weight, so that its own difference does not cancel.
    let pivot = (0..weights.len())
        .max_by(|&a, &b| slope(weights[a]).total_cmp(&slope(weights[b])))
        .expect("a row has a score");
    let from_pivot = |i: usize| cotangent[i] - cotangent[pivot];
    let mean = sum(weights.iter().enumerate().map(|(i, p)| p * from_pivot(i)));
    let pulls: Vec<f64> = weights
        .iter()
        .enumerate()
        .map(|(i, &p)| if p > 0.0 { slope(p) * (from_pivot(i) - mean) } else { 0.0 })
        .collect();
    let total = sum(pulls.iter().copied());
    weights.iter().zip(&pulls).map(|(p, pull)| pull - p * total).collect()
}
