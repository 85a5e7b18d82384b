//! Softmax: p_i = exp(z_i) / Σ_j exp(z_j).

use super::{max, sum};

/// Shifted by the largest score, so that no exponential overflows and the sum is at least 1.
pub(super) fn weights(row: &mut [f64]) {
    let max = max(row);
    row.iter_mut().for_each(|z| *z = (*z - max).exp());
    let total = sum(row.iter().copied());
    row.iter_mut().for_each(|p| *p /= total);
}

/// Jᵀg = p ∘ (g − ⟨p,g⟩).
pub(super) fn vjp(weights: &[f64], cotangent: &[f64]) -> Vec<f64> {
    let mean = sum(weights.iter().zip(cotangent).map(|(p, g)| p * g));
    weights.iter().zip(cotangent).map(|(p, g)| p * (g - mean)).collect()
}
