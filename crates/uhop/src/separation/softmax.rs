//! Softmax: p_i = exp(z_i) / Σ_j exp(z_j).

use super::sum;
use crate::simd;

/// Shifted by the largest score, so that no exponential overflows and the sum is at least 1.
pub(super) fn weights(row: &mut [f64]) {
    let Some((largest, _)) = simd::extremes(row) else {
        return row.fill(f64::NAN);
    };
    simd::shifted_exponentials(row, largest);
    let total = simd::sum(row);
    row.iter_mut().for_each(|p| *p /= total);
}

/// Jᵀg = p ∘ (g − ⟨p,g⟩).
pub(super) fn vjp(weights: &[f64], cotangent: &[f64]) -> Vec<f64> {
    let mean = sum(weights.iter().zip(cotangent).map(|(p, g)| p * g));
    weights.iter().zip(cotangent).map(|(p, g)| p * (g - mean)).collect()
}
