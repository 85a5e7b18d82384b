//! Weights of rows of scores and their gradients on the processor: each row by `uhop`'s separations in
//! `f64`, or many at once by [`lanes`](super::lanes).

use burn::tensor::Element;
use rayon::prelude::*;
use uhop::Separation;
use uhop::ndarray::ArrayView1;

use super::{Family, lanes};

/// Rows that are worked on together.
const BLOCK: usize = 64;

/// What the rows of a tensor `[…, n_heads, n_states, n_patterns]` have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    /// Entries of a row.
    pub(crate) length: usize,
    /// The separation of each head, or one for all.
    pub(crate) families: Vec<Family>,
    /// Consecutive rows of one head.
    pub(crate) n_states: usize,
}

/// A number that rows can be made of.
pub(crate) trait Number: Element + bytemuck::Pod {
    fn widen(self) -> f64;
    fn narrow(value: f64) -> Self;
    /// The fast loops over rows of one family; false, with nothing done, when there are none.
    fn fast_weights(rows: &mut [Self], length: usize, family: Family) -> bool;
    fn fast_vjp(weights: &[Self], cotangents: &mut [Self], length: usize, family: Family) -> bool;
}

impl Number for f32 {
    fn widen(self) -> f64 {
        f64::from(self)
    }

    fn narrow(value: f64) -> Self {
        value as f32
    }

    fn fast_weights(rows: &mut [Self], length: usize, family: Family) -> bool {
        lanes::weights(rows, length, family)
    }

    fn fast_vjp(weights: &[Self], cotangents: &mut [Self], length: usize, family: Family) -> bool {
        lanes::vjp(weights, cotangents, length, family)
    }
}

impl Number for f64 {
    fn widen(self) -> f64 {
        self
    }

    fn narrow(value: f64) -> Self {
        value
    }

    fn fast_weights(_: &mut [Self], _: usize, _: Family) -> bool {
        false
    }

    fn fast_vjp(_: &[Self], _: &mut [Self], _: usize, _: Family) -> bool {
        false
    }
}

impl Rows {
    /// Blocks of rows that share a family: `n_states` of one head, cut where that is many.
    fn family(&self, row: usize) -> Family {
        self.families[row / self.n_states % self.families.len()]
    }

    /// Rows of one family in a block, and the entries of such a block.
    fn block(&self) -> usize {
        let rows = if self.families.len() == 1 { BLOCK } else { self.n_states };
        rows.max(1) * self.length
    }

    /// Replaces scores by weights.
    pub(crate) fn weights<T: Number>(&self, scores: &mut [T]) {
        let block = self.block();
        scores.par_chunks_mut(block).enumerate().for_each(|(i, rows)| {
            let family = self.family(i * (block / self.length));
            if !T::fast_weights(rows, self.length, family) {
                rows.chunks_exact_mut(self.length).for_each(|row| slow_weights(row, family));
            }
        });
    }

    /// Replaces cotangents of weights by those of scores. The scores are read only for families whose
    /// gradient is no function of the weights; see [`Family::needs_scores`].
    pub(crate) fn vjp<T: Number>(&self, scores: Option<&[T]>, weights: &[T], cotangents: &mut [T]) {
        let block = self.block();
        let rows = weights.par_chunks(block).zip(cotangents.par_chunks_mut(block));
        rows.enumerate().for_each(|(i, (weights, cotangents))| {
            let family = self.family(i * (block / self.length));
            if T::fast_vjp(weights, cotangents, self.length, family) {
                return;
            }
            let start = i * block;
            let rows = weights.chunks_exact(self.length);
            for (j, (p, g)) in rows.zip(cotangents.chunks_exact_mut(self.length)).enumerate() {
                let from = start + j * self.length;
                let scores = scores.map(|scores| &scores[from..from + self.length]);
                slow_vjp(scores, p, g, family);
            }
        });
    }

    /// For each family α-entmax, Σ ⟨g, ∂p/∂α⟩ over its rows.
    pub(crate) fn alpha_vjp<T: Number>(&self, weights: &[T], cotangents: &[T]) -> Vec<f64> {
        let block = self.n_states * self.length;
        let by_block: Vec<f64> = weights
            .par_chunks(block)
            .zip(cotangents.par_chunks(block))
            .enumerate()
            .map(|(i, (weights, cotangents))| {
                let Family::Entmax(alpha) = self.family(i * self.n_states) else { return 0.0 };
                let rows = weights.chunks_exact(self.length);
                rows.zip(cotangents.chunks_exact(self.length))
                    .map(|(p, g)| alpha_derivative(p, g, alpha))
                    .sum()
            })
            .collect();
        let mut sums = vec![0.0; self.families.len()];
        for (i, term) in by_block.into_iter().enumerate() {
            sums[i % self.families.len()] += term;
        }
        sums
    }
}

/// A row by `uhop`, its scores of −∞ left out.
fn slow_weights<T: Number>(row: &mut [T], family: Family) {
    let invalid = |z: &T| z.widen().is_nan() || z.widen() == f64::INFINITY;
    if row.iter().any(invalid) {
        row.fill(T::narrow(f64::NAN));
        return;
    }
    let mut left: Vec<f64> =
        row.iter().map(|z| z.widen()).filter(|&z| z > f64::NEG_INFINITY).collect();
    let separation = family.separation(left.len());
    if family == Family::SoftmaxOne && !left.is_empty() {
        // One score more; its weight is what the others lack.
        left.push(0.0);
    }
    let weights = match separation {
        Some(separation) if !left.is_empty() => {
            let weights = separation.weights(ArrayView1::from(&left));
            weights.expect("finite scores, and no more asked for than there are").weights.to_vec()
        }
        _ => Vec::new(),
    };
    let mut weights = weights.into_iter();
    for z in row {
        *z = if z.widen() > f64::NEG_INFINITY {
            T::narrow(weights.next().unwrap_or(0.0))
        } else {
            T::narrow(0.0)
        };
    }
}

/// A row's gradient by `uhop`, from its scores where the weights do not have it.
fn slow_vjp<T: Number>(scores: Option<&[T]>, weights: &[T], cotangents: &mut [T], family: Family) {
    if weights.iter().any(|p| p.widen().is_nan()) {
        cotangents.fill(T::narrow(f64::NAN));
        return;
    }
    let p = |i: usize| weights[i].widen();
    let slope = |p: f64| match family {
        Family::Entmax(alpha) => slope(p, alpha),
        _ => p,
    };
    match (family, scores) {
        (Family::Normmax(_) | Family::Polynomial(_), Some(scores)) => {
            core_vjp(scores, cotangents, family);
        }
        (Family::Normmax(_) | Family::Polynomial(_), None) => {
            unreachable!("needs_scores says that scores are kept")
        }
        // Above α = 2 slopes can overflow and cancel, which the core takes care of.
        (Family::Entmax(alpha), Some(scores)) if alpha > 2.0 => {
            core_vjp(scores, cotangents, family);
        }
        (Family::Softmax | Family::SoftmaxOne | Family::TopK(_), _) => {
            let mean: f64 = (0..weights.len()).map(|i| p(i) * cotangents[i].widen()).sum();
            for (i, g) in cotangents.iter_mut().enumerate() {
                *g = T::narrow(p(i) * (g.widen() - mean));
            }
        }
        (Family::Entmax(_), _) => {
            let total: f64 = (0..weights.len()).map(|i| slope(p(i))).sum();
            let sum: f64 = (0..weights.len()).map(|i| slope(p(i)) * cotangents[i].widen()).sum();
            let mean = if total > 0.0 { sum / total } else { 0.0 };
            for (i, g) in cotangents.iter_mut().enumerate() {
                *g = T::narrow(slope(p(i)) * (g.widen() - mean));
            }
        }
    }
}

fn core_vjp<T: Number>(scores: &[T], cotangents: &mut [T], family: Family) {
    let is_left = |z: &T| z.widen() > f64::NEG_INFINITY;
    let left: Vec<f64> = scores.iter().filter(|z| is_left(z)).map(|z| z.widen()).collect();
    let kept = scores.iter().zip(&*cotangents).filter(|(z, _)| is_left(z));
    let cotangent: Vec<f64> = kept.map(|(_, g)| g.widen()).collect();
    let gradient = match family.separation(left.len()) {
        Some(separation) if !left.is_empty() => {
            separation.vjp(ArrayView1::from(&left), ArrayView1::from(&cotangent)).ok()
        }
        _ => None,
    };
    // A gradient too large for numbers, or of a cotangent that is none.
    let lost = if left.is_empty() { 0.0 } else { f64::NAN };
    let mut gradient = gradient.into_iter().flatten();
    for (z, g) in scores.iter().zip(cotangents) {
        *g = T::narrow(if is_left(z) { gradient.next().unwrap_or(lost) } else { 0.0 });
    }
}

/// s = p^(2−α) on the support, 0 off it.
fn slope(p: f64, alpha: f64) -> f64 {
    if p > 0.0 { p.powf(2.0 - alpha) } else { 0.0 }
}

/// Below this α − 1 the derivative in α is its limit, off by about as much of itself as α − 1 times the
/// largest |ln p|; above it the differences of the formula keep eight digits.
const LEAST_EPSILON: f64 = 1e-4;

/// ⟨g, ∂p/∂α⟩ (Correia, Niculae, Martins 2019): with s = p^(2−α), s̃ = s/Σs and h = −p ln p,
/// ∂p/∂α = (p − s̃)/(α−1)² + (h − s̃ Σh)/(α−1), which tends to p (⟨p, ln² p⟩ − ln² p)/2 as α → 1.
///
/// Both hold for weights that sum to 1 exactly, which rounded ones do not.
fn alpha_derivative<T: Number>(weights: &[T], cotangents: &[T], alpha: f64) -> f64 {
    let total: f64 = weights.iter().map(|p| p.widen()).sum();
    let support: Vec<(f64, f64)> = weights
        .iter()
        .zip(cotangents)
        .map(|(p, g)| (p.widen() / total, g.widen()))
        .filter(|(p, _)| *p > 0.0)
        .collect();
    let epsilon = alpha - 1.0;
    if epsilon < LEAST_EPSILON {
        let mean: f64 = support.iter().map(|(p, _)| p * p.ln().powi(2)).sum();
        return support.iter().map(|(p, g)| 0.5 * g * p * (mean - p.ln().powi(2))).sum();
    }
    let slopes: f64 = support.iter().map(|(p, _)| slope(*p, alpha)).sum();
    let entropy: f64 = support.iter().map(|(p, _)| -p * p.ln()).sum();
    support
        .iter()
        .map(|(p, g)| {
            let share = slope(*p, alpha) / slopes;
            g * ((p - share) / epsilon + (-p * p.ln() - share * entropy)) / epsilon
        })
        .sum()
}

impl Family {
    /// Whether the gradient takes more than the weights.
    pub(crate) fn needs_scores(self) -> bool {
        match self {
            Self::Normmax(_) | Self::Polynomial(_) => true,
            Self::Entmax(alpha) => alpha > 2.0,
            Self::Softmax | Self::SoftmaxOne | Self::TopK(_) => false,
        }
    }

    /// The core's separation for this many scores; softmax-1 is softmax with one score more.
    fn separation(self, n_scores: usize) -> Option<Separation> {
        match self {
            Self::Softmax | Self::SoftmaxOne => Some(Separation::softmax()),
            Self::Entmax(alpha) => Separation::entmax(alpha).ok(),
            Self::Normmax(gamma) => Separation::normmax(gamma).ok(),
            Self::TopK(k) => Separation::top_k(k.min(n_scores)).ok(),
            Self::Polynomial(degree) => Separation::polynomial(degree).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivative_in_alpha_tends_to_its_limit() {
        let (p, g) = ([0.6, 0.3, 0.09, 0.01, 0.0], [0.3, -1.0, 2.0, 0.7, 5.0]);
        let at = |epsilon: f64| alpha_derivative(&p, &g, 1.0 + epsilon);
        // Eight digits above the border; below it ε times the largest |ln p|, 4.6.
        let (limit, above) = (at(0.0), at(1.01 * LEAST_EPSILON));
        assert!((above - limit).abs() < 5.0 * LEAST_EPSILON * limit.abs(), "{above} {limit}");
        // A row that nothing is left of.
        assert_eq!(alpha_derivative(&[0.0; 3], &[1.0; 3], 1.5), 0.0);
    }
}
