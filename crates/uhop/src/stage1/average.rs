//! log mean exp(−t‖f_i − f_j‖²) and its gradient.
//!
//! The terms are the weights of sums over rows, which are matrix products: of features, for ∂L/∂F, and then
//! both tiles of a pair need one; or of patterns, for ∂L/∂W, and then one of them does.

use ndarray::{Array2, ArrayView2, Zip, s};
use rayon::prelude::*;

use super::tiles::{Pass, Sums};
use crate::product::product;
use crate::scalar::Scalar;

/// How features are compared: divided by their norms, or as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Features {
    Unit,
    Raw,
}

/// Ordered pairs of `n` rows of which the first `n_apart` make no pairs with each other.
pub(super) fn pairs(n: usize, n_apart: usize) -> f64 {
    n as f64 * (n as f64 - 1.0) - n_apart as f64 * (n_apart as f64 - 1.0)
}

/// L = log mean exp(−t‖f_i − f_j‖²) over the ordered pairs i ≠ j of rows, and ∂L/∂f,
/// `[n, dim_features]`; nothing when a product of features overflows. The first `n_apart` rows make no
/// pairs with each other; where no pair is left, L is −∞ and its gradient 0.
pub(super) fn average<T: Scalar>(
    features: ArrayView2<'_, T>,
    n_apart: usize,
    t: f64,
) -> Option<(f64, Array2<T>)> {
    let pass = Pass::new(features, n_apart, t);
    let of_tile = |tile| features.slice(s![pass.range(tile), ..]);
    let mut gradient = Array2::zeros(features.raw_dim());
    let tiles = pass.sums(
        &mut gradient,
        |terms, (a, of_a)| of_a.add_rows(terms, 1.0, of_tile(a)),
        |terms, (a, of_a), (b, of_b)| {
            of_a.add_rows(terms, 1.0, of_tile(b));
            of_b.add_columns(terms, of_tile(a));
        },
    )?;
    let total = Total::of(&tiles);
    if !total.is_none() {
        tiles.into_par_iter().enumerate().for_each(|(tile, mut sums)| {
            let scale = T::narrow(total.share_of(&sums, -4.0 * t));
            let terms = &sums.totals.terms;
            Zip::from(sums.rows.rows_mut()).and(of_tile(tile).rows()).and(terms).for_each(
                |mut row, feature, &sum| {
                    let sum = T::narrow(sum);
                    row.zip_mut_with(&feature, |g, &f| *g = scale * (sum * f - *g));
                },
            );
        });
    }
    Some((total.loss(pairs(features.nrows(), n_apart)), gradient))
}

/// The same L, and ∂L/∂W for the features of W.
///
/// With q_ij the share of the ordered pair in Σ exp(−t‖f_i − f_j‖²) and f_i = Wξ_i, or f_i = Wξ_i for
/// ξ_i = u_i/‖Wu_i‖ if features are unit vectors, whose gradient has no part along f_i:
///
/// ```text
/// ∂L/∂W = −4t W (Σ_ij q_ij (1 − a_ij) ξ_i ξ_iᵀ − Σ_ij q_ij ξ_i ξ_jᵀ),    a_ij = ½‖f_i − f_j‖² (raw features: 0)
/// ```
///
/// As q is symmetric, the second sum is that over one order of every pair, and its transpose.
pub(super) fn average_of_weight<T: Scalar>(
    weight: ArrayView2<'_, T>,
    (features, patterns): (ArrayView2<'_, T>, ArrayView2<'_, T>),
    kind: Features,
    n_apart: usize,
    t: f64,
) -> Option<(f64, Array2<T>)> {
    let pass = Pass::new(features, n_apart, t);
    let of_tile = |tile| patterns.slice(s![pass.range(tile), ..]);
    let mut sums = Array2::zeros(patterns.raw_dim());
    let tiles = pass.sums(
        &mut sums,
        // Both orders of a pair within a tile are among its terms.
        |terms, (a, of_a)| of_a.add_rows(terms, 0.5, of_tile(a)),
        |terms, (_, of_a), (b, of_b)| {
            of_a.add_rows(terms, 1.0, of_tile(b));
            of_b.count_columns(terms);
        },
    )?;
    let total = Total::of(&tiles);
    let loss = total.loss(pairs(patterns.nrows(), n_apart));
    if total.is_none() {
        return Some((loss, Array2::zeros(weight.raw_dim())));
    }
    tiles.into_par_iter().enumerate().for_each(|(tile, mut sums)| {
        let scale = T::narrow(total.share_of(&sums, -4.0 * t));
        let patterns = of_tile(tile);
        let rows = sums.rows.rows_mut().into_iter().zip(patterns.rows());
        for (i, (mut row, pattern)) in rows.enumerate() {
            // Σ_j w_ij a_ij, as an exponent is −t‖f_i − f_j‖².
            let along = match kind {
                Features::Unit => -0.5 * sums.totals.exponents[i] / t,
                Features::Raw => 0.0,
            };
            // Half, as the transpose is added.
            let own = T::narrow(0.5 * (sums.totals.terms[i] - along));
            row.zip_mut_with(&pattern, |sum, &x| *sum = scale * (own * x - *sum));
        }
    });
    let half = product(sums.t(), patterns);
    Some((loss, product(weight, (&half + &half.t()).view())))
}

/// Σ of all terms, relative to the largest exponent.
struct Total {
    largest: f64,
    terms: f64,
}

impl Total {
    fn of<T: Scalar>(tiles: &[Sums<'_, T>]) -> Self {
        let largest = tiles.iter().fold(f64::NEG_INFINITY, |most, tile| most.max(tile.largest));
        let mut total = Self { largest, terms: 0.0 };
        if !total.is_none() {
            let of_tile =
                |tile: &Sums<'_, T>| total.relative(tile) * tile.totals.terms.iter().sum::<f64>();
            total.terms = tiles.iter().map(of_tile).sum();
        }
        total
    }

    /// Whether there is no term.
    fn is_none(&self) -> bool {
        self.largest == f64::NEG_INFINITY
    }

    /// What a term of a tile is times here.
    fn relative<T>(&self, tile: &Sums<'_, T>) -> f64 {
        (tile.largest - self.largest).exp()
    }

    /// The share of a tile's term of `size` in the total.
    fn share_of<T>(&self, tile: &Sums<'_, T>, size: f64) -> f64 {
        size * self.relative(tile) / self.terms
    }

    /// L, for so many ordered pairs.
    fn loss(&self, pairs: f64) -> f64 {
        if self.is_none() { self.largest } else { self.largest + (self.terms / pairs).ln() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature_map::normalize_rows;

    fn wave(n: usize, dim: usize, phase: f64) -> Array2<f64> {
        Array2::from_shape_fn((n, dim), |(i, j)| {
            (phase + 1.7 * i as f64 + 0.3 * (i * j) as f64).sin() + 0.5 * (j as f64 - 1.0)
        })
    }

    fn size(rows: &Array2<f64>) -> f64 {
        rows.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    /// Both are sums of shares q_ij of 1 in all, times 4t and products of W and two patterns, of n + dim +
    /// dim_features terms; shares are off by that of their exponents, at most 4t·`size`², and by some 20
    /// roundings.
    #[test]
    fn both_spaces_have_the_same_gradient() {
        let t = 0.5;
        for (n, dim, dim_features) in [(2, 3, 3), (130, 4, 6), (300, 5, 3)] {
            let (patterns, weight) = (wave(n, dim, 0.4), 0.3 * wave(dim_features, dim, 2.0));
            let raw = patterns.dot(&weight.t());
            let mut unit = raw.clone();
            let norms = normalize_rows(&mut unit);
            let outward =
                &patterns / &ndarray::Array1::from(norms.clone()).insert_axis(ndarray::Axis(1));
            for n_apart in [0, n / 3, n - 1, n] {
                let (loss, slope) = average(raw.view(), n_apart, t).unwrap();
                let spaces = (raw.view(), patterns.view());
                let of_raw = average_of_weight(weight.view(), spaces, Features::Raw, n_apart, t);
                let of_raw = of_raw.unwrap();
                let expected = slope.t().dot(&patterns);
                let terms = (n + dim + dim_features + 20) as f64 * f64::EPSILON;
                let bound = |features: &Array2<f64>, patterns: &Array2<f64>| {
                    let largest = |rows: &Array2<f64>| {
                        rows.rows().into_iter().map(|row| row.dot(&row)).fold(0.0, f64::max)
                    };
                    let shares = 1.0 + 4.0 * t * largest(features);
                    terms * shares * 8.0 * t * size(&weight) * largest(patterns)
                };
                assert_eq!(of_raw.0, loss);
                assert!(size(&(of_raw.1 - expected)) <= bound(&raw, &patterns), "{n} {n_apart}");

                let (loss, mut slope) = average(unit.view(), n_apart, t).unwrap();
                let spaces = (unit.view(), outward.view());
                let of_unit = average_of_weight(weight.view(), spaces, Features::Unit, n_apart, t);
                let of_unit = of_unit.unwrap();
                for (mut slope, feature) in slope.rows_mut().into_iter().zip(unit.rows()) {
                    let along = slope.dot(&feature);
                    slope.scaled_add(-along, &feature);
                }
                let expected = slope.t().dot(&outward);
                assert_eq!(of_unit.0, loss);
                assert!(size(&(of_unit.1 - expected)) <= bound(&unit, &outward), "{n} {n_apart}");
            }
        }
    }
}
