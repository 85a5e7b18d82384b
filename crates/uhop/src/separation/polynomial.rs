//! Normalised rectified polynomial: p_i = [z_i]₊ⁿ / Σ_j [z_j]₊ⁿ.

use super::{max, sum};

/// Relative to the largest score, so that no power overflows and the largest is never lost.
pub(super) fn weights(row: &mut [f64], degree: u32) {
    let max = max(row);
    if max <= 0.0 {
        let n = row.len() as f64;
        row.fill(1.0 / n);
        return;
    }
    row.iter_mut().for_each(|z| *z = (z.max(0.0) / max).powf(f64::from(degree)));
    let total = sum(row.iter().copied());
    row.iter_mut().for_each(|p| *p /= total);
}

/// Jᵀg: (n p_i / z_i)(g_i − ⟨p,g⟩) where z_i > 0, else 0.
pub(super) fn vjp(scores: &[f64], weights: &[f64], cotangent: &[f64], degree: u32) -> Vec<f64> {
    let mean = sum(weights.iter().zip(cotangent).map(|(p, g)| p * g));
    let terms = scores.iter().zip(weights.iter().zip(cotangent));
    // Divided last: n p_i / z_i may overflow where g_i − ⟨p,g⟩ is 0.
    let entry = |(&z, (p, g)): (&f64, (&f64, &f64))| {
        if z > 0.0 { f64::from(degree) * p * (g - mean) / z } else { 0.0 }
    };
    terms.map(entry).collect()
}
