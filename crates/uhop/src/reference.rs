//! Slow, clear `f64` implementations of every formula, straight from the definitions.
//!
//! The fast paths are tested equal to these. Plain loops, no shortcuts, no shared code with what
//! they check.
//!
//! # Panics
//! Inputs are trusted: a function here may panic on shapes or sizes that do not fit together.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// ⟨u,v⟩.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// assert_eq!(reference::dot(array![1.0, 2.0].view(), array![3.0, 4.0].view()), 11.0);
/// ```
pub fn dot(u: ArrayView1<'_, f64>, v: ArrayView1<'_, f64>) -> f64 {
    let mut sum = 0.0;
    for i in 0..u.len() {
        sum += u[i] * v[i];
    }
    sum
}

/// ⟨u,v⟩ / (‖u‖‖v‖), 0 when either is zero.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// assert_eq!(reference::cosine(array![2.0, 0.0].view(), array![0.0, 3.0].view()), 0.0);
/// ```
pub fn cosine(u: ArrayView1<'_, f64>, v: ArrayView1<'_, f64>) -> f64 {
    let norms = dot(u, u).sqrt() * dot(v, v).sqrt();
    if norms == 0.0 { 0.0 } else { dot(u, v) / norms }
}

/// −½‖u−v‖².
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// assert_eq!(reference::euclidean(array![1.0, 2.0].view(), array![1.0, 4.0].view()), -2.0);
/// ```
pub fn euclidean(u: ArrayView1<'_, f64>, v: ArrayView1<'_, f64>) -> f64 {
    let difference = &u - &v;
    -0.5 * dot(difference.view(), difference.view())
}

/// −‖u−v‖₁.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// assert_eq!(reference::manhattan(array![1.0, 2.0].view(), array![0.0, 4.0].view()), -3.0);
/// ```
pub fn manhattan(u: ArrayView1<'_, f64>, v: ArrayView1<'_, f64>) -> f64 {
    let mut sum = 0.0;
    for i in 0..u.len() {
        sum += (u[i] - v[i]).abs();
    }
    -sum
}

/// ⟨Wu,Wv⟩ for W of shape `[dim_features, dim]`.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let weight = array![[2.0, 0.0]];
/// let (u, v) = (array![1.0, 5.0], array![3.0, 7.0]);
/// assert_eq!(reference::kernel(weight.view(), u.view(), v.view()), 12.0);
/// ```
pub fn kernel(weight: ArrayView2<'_, f64>, u: ArrayView1<'_, f64>, v: ArrayView1<'_, f64>) -> f64 {
    let mut sum = 0.0;
    for row in weight.rows() {
        sum += dot(row, u) * dot(row, v);
    }
    sum
}

/// ⟨W_key u,W_query v⟩ + b for W_key and W_query of shape `[dim_features, dim]`.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let (keys, queries) = (array![[2.0, 0.0]], array![[0.0, 3.0]]);
/// let (u, v) = (array![1.0, 5.0], array![3.0, 7.0]);
/// assert_eq!(reference::asymmetric(keys.view(), queries.view(), 0.5, u.view(), v.view()), 42.5);
/// ```
pub fn asymmetric(
    keys: ArrayView2<'_, f64>,
    queries: ArrayView2<'_, f64>,
    bias: f64,
    u: ArrayView1<'_, f64>,
    v: ArrayView1<'_, f64>,
) -> f64 {
    let mut sum = 0.0;
    for i in 0..keys.nrows() {
        sum += dot(keys.row(i), u) * dot(queries.row(i), v);
    }
    sum + bias
}

/// α-entmax of scores z by plain bisection on the threshold τ of
/// p_i = [(α−1)z_i − τ]₊^(1/(α−1)); softmax at α = 1.
///
/// τ lies in [m − 1, m − n^(1−α)], m = max (α−1)z: at the left end the best weight alone is 1, at
/// the right end n weights of at most 1/n sum to at most 1. Halving ends when the middle is no
/// longer between the ends. Near α = 1, and for large α, τ itself has too few digits: compare there
/// by the optimality conditions instead.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let weights = reference::entmax(array![-2.0, 0.0, 0.5].view(), 2.0);
/// assert!((weights[1] - 0.25).abs() < 1e-15 && weights[0] == 0.0);
/// ```
pub fn entmax(z: ArrayView1<'_, f64>, alpha: f64) -> Array1<f64> {
    let max = z.fold(f64::NEG_INFINITY, |max, &z| max.max(z));
    if alpha == 1.0 {
        let exponentials = z.mapv(|z| (z - max).exp());
        let total = exponentials.sum();
        return exponentials / total;
    }
    let scaled = z.mapv(|z| (alpha - 1.0) * (z - max));
    let weights = |tau: f64| scaled.mapv(|z| (z - tau).max(0.0).powf(1.0 / (alpha - 1.0)));
    let (mut left, mut right) = (-1.0, -(z.len() as f64).powf(1.0 - alpha));
    loop {
        let middle = 0.5 * (left + right);
        if middle <= left || middle >= right {
            break;
        }
        if weights(middle).sum() >= 1.0 {
            left = middle;
        } else {
            right = middle;
        }
    }
    let weights = weights(left);
    let total = weights.sum();
    weights / total
}

/// γ-normmax of scores z by plain bisection on the threshold τ of p_i ∝ \[z_i − τ\]₊^(1/(γ−1)),
/// Σ \[z_i − τ\]₊^(γ/(γ−1)) = 1.
///
/// τ lies in [m − 1, m − n^((1−γ)/γ)], m = max z: at the left end the best score alone gives 1, at the right
/// end n scores give at most 1/n each.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let weights = reference::normmax(array![0.0, 1.0].view(), 3.0);
/// assert_eq!(weights, array![0.0, 1.0]);
/// ```
pub fn normmax(z: ArrayView1<'_, f64>, gamma: f64) -> Array1<f64> {
    let max = z.fold(f64::NEG_INFINITY, |max, &z| max.max(z));
    let powers = |tau: f64, power: f64| z.mapv(|z| (z - max - tau).max(0.0).powf(power));
    let (mut left, mut right) = (-1.0, -(z.len() as f64).powf((1.0 - gamma) / gamma));
    loop {
        let middle = 0.5 * (left + right);
        if middle <= left || middle >= right {
            break;
        }
        if powers(middle, gamma / (gamma - 1.0)).sum() >= 1.0 {
            left = middle;
        } else {
            right = middle;
        }
    }
    let weights = powers(left, 1.0 / (gamma - 1.0));
    let total = weights.sum();
    weights / total
}

/// Softmax of the k largest scores, 0 elsewhere; of equal scores the earlier are taken.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// assert_eq!(reference::top_k(array![1.0, 3.0, 3.0].view(), 2), array![0.0, 0.5, 0.5]);
/// ```
pub fn top_k(z: ArrayView1<'_, f64>, k: usize) -> Array1<f64> {
    let mut order: Vec<usize> = (0..z.len()).collect();
    // Adding 0 makes −0 equal to 0.
    order.sort_by(|&a, &b| (z[b] + 0.0).total_cmp(&(z[a] + 0.0)));
    let mut weights = Array1::zeros(z.len());
    for &i in &order[..k] {
        weights[i] = (z[i] - z[order[0]]).exp();
    }
    let total = weights.sum();
    weights / total
}

/// \[z_i\]₊ⁿ / Σ \[z_j\]₊ⁿ; equal weights when no score is positive.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// assert_eq!(reference::polynomial(array![1.0, -5.0, 2.0].view(), 2), array![0.2, 0.0, 0.8]);
/// ```
pub fn polynomial(z: ArrayView1<'_, f64>, degree: u32) -> Array1<f64> {
    let max = z.fold(f64::NEG_INFINITY, |max, &z| max.max(z));
    if max <= 0.0 {
        return Array1::from_elem(z.len(), 1.0 / z.len() as f64);
    }
    let mut powers = Array1::<f64>::ones(z.len());
    for i in 0..z.len() {
        for _ in 0..degree {
            powers[i] *= z[i].max(0.0) / max;
        }
    }
    let total = powers.sum();
    powers / total
}

/// The readout pᵀV of one query.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let values = array![[2.0, 0.0], [0.0, 4.0]];
/// assert_eq!(reference::readout(array![0.5, 0.5].view(), values.view()), array![1.0, 2.0]);
/// ```
pub fn readout(weights: ArrayView1<'_, f64>, values: ArrayView2<'_, f64>) -> Array1<f64> {
    let mut sum = Array1::zeros(values.ncols());
    for i in 0..values.nrows() {
        for j in 0..values.ncols() {
            sum[j] += weights[i] * values[[i, j]];
        }
    }
    sum
}

/// E(x) = ½K(x,x) − β⁻¹(⟨p,z⟩ − Ψ_α(p)), z = βK(Ξ,x), p = α-entmax(z), for K(u,v) = ⟨Wu,Wv⟩.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let eye = array![[1.0, 0.0], [0.0, 1.0]];
/// let energy = reference::energy(eye.view(), eye.view(), 1.0, 1.0, array![0.0, 0.0].view());
/// assert!((energy + 2.0_f64.ln()).abs() < 1e-15);
/// ```
pub fn energy(
    patterns: ArrayView2<'_, f64>,
    weight: ArrayView2<'_, f64>,
    alpha: f64,
    beta: f64,
    x: ArrayView1<'_, f64>,
) -> f64 {
    let z: Array1<f64> =
        patterns.rows().into_iter().map(|row| beta * kernel(weight, row, x)).collect();
    let p = entmax(z.view(), alpha);
    let entropy: f64 = if alpha == 1.0 {
        p.iter().filter(|&&p| p > 0.0).map(|&p| p * p.ln()).sum()
    } else {
        (p.iter().map(|&p| p.powf(alpha)).sum::<f64>() - 1.0) / (alpha * (alpha - 1.0))
    };
    0.5 * kernel(weight, x, x) - (dot(p.view(), z.view()) - entropy) / beta
}

/// The features Wu of every pattern, divided by their norms when `unit` asks for it.
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let weight = array![[3.0, 0.0], [0.0, 4.0]];
/// let unit = reference::features(array![[1.0, 1.0]].view(), weight.view(), true);
/// assert_eq!(unit, array![[0.6, 0.8]]);
/// ```
pub fn features(
    patterns: ArrayView2<'_, f64>,
    weight: ArrayView2<'_, f64>,
    unit: bool,
) -> Array2<f64> {
    let mut features = Array2::zeros((patterns.nrows(), weight.nrows()));
    for (mut feature, pattern) in features.rows_mut().into_iter().zip(patterns.rows()) {
        for (entry, row) in feature.iter_mut().zip(weight.rows()) {
            *entry = dot(row, pattern);
        }
        let norm = dot(feature.view(), feature.view()).sqrt();
        if unit && norm > 0.0 {
            feature /= norm;
        }
    }
    features
}

/// log mean over u < v of exp(−t‖f_u − f_v‖²).
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let two = array![[1.0, 0.0], [0.0, 1.0]];
/// assert_eq!(reference::average_loss(two.view(), 2.0), -4.0);
/// ```
pub fn average_loss(features: ArrayView2<'_, f64>, t: f64) -> f64 {
    let exponents = pair_exponents(features, t);
    let max = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = exponents.iter().map(|exponent| (exponent - max).exp()).sum();
    max + (total / exponents.len() as f64).ln()
}

/// max over u < v of −t‖f_u − f_v‖².
///
/// ```
/// use ndarray::array;
/// use uhop::reference;
///
/// let three = array![[0.0], [1.0], [3.0]];
/// assert_eq!(reference::max_loss(three.view(), 2.0), -2.0);
/// ```
pub fn max_loss(features: ArrayView2<'_, f64>, t: f64) -> f64 {
    pair_exponents(features, t).into_iter().fold(f64::NEG_INFINITY, f64::max)
}

fn pair_exponents(features: ArrayView2<'_, f64>, t: f64) -> Vec<f64> {
    let mut exponents = Vec::new();
    for u in 0..features.nrows() {
        for v in u + 1..features.nrows() {
            exponents.push(2.0 * t * euclidean(features.row(u), features.row(v)));
        }
    }
    exponents
}
