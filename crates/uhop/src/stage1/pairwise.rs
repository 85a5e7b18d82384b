//! Stage I of the max loss, two patterns at a time: the run of [`Whole`](super::whole::Whole), cheaper where
//! features take long to compute.
//!
//! Only the closest pair i, j has a gradient, so that W moves by −γ(g_i ξ_iᵀ + g_j ξ_jᵀ) with
//! g = ∂L/∂F, and the features by
//!
//! ```text
//! F ← F − γ (Ξξ_i g_iᵀ + Ξξ_j g_jᵀ)
//! ```
//!
//! A step thus costs n_patterns·(dim + dim_features), and n_patterns² for the closest pair, where the features of W
//! cost n_patterns·dim·dim_features. What W has moved by is kept as W = W₀ + SᵀΞ, S of shape
//! `[n_patterns, dim_features]`.

use ndarray::{Array2, ArrayView2, Axis, Zip};

use super::descent::Descent;
use super::loss::{Over, SeparationLoss, squares_fit};
use super::optimizer::Optimizer;
use super::pair_products::PairProducts;
use super::{HeldOut, Params};
use crate::error::{Error, Result};
use crate::feature_map::LinearMap;
use crate::neighbours::Neighbours;
use crate::pairs::{Pair, squared_norms};
use crate::patterns::Patterns;
use crate::product::product;
use crate::scalar::Scalar;
use crate::wide::{dot, squared_norm};

/// Multiplications of the features from which on they are moved. Fewer take milliseconds, and features that are
/// products owe nothing to the steps before: which pair is the closest may turn on the last bit.
const FEWEST: f64 = (1_u64 << 28) as f64;

pub(super) struct Pairwise<'a, T> {
    loss: SeparationLoss,
    optimizer: Optimizer,
    patterns: &'a Patterns<T>,
    /// W₀
    start: LinearMap<T>,
    /// S
    shifts: Array2<T>,
    /// F
    features: Array2<T>,
    /// ‖F_i‖
    norms: Vec<f64>,
    /// Steps by which the features have moved since they were a product.
    moves: usize,
    /// By which the closest pair is found, unless they would be too many or leave the numbers of `T`.
    products: Option<PairProducts<T>>,
    /// By which it is found then.
    neighbours: Neighbours<T>,
    /// ∂L/∂F of the closest pair at the last loss.
    slope: Option<([usize; 2], Array2<T>)>,
}

impl<'a, T: Scalar> Pairwise<'a, T> {
    /// Whether this is the loss and the optimiser, the memory large enough to gain by it, and the run as exact:
    /// Ξξ holds squares of the patterns, which may leave the numbers of `T` where the patterns do not.
    pub(super) fn suits(patterns: &Patterns<T>, start: &LinearMap<T>, params: &Params) -> bool {
        let [n, dim, dim_features] =
            [patterns.n_patterns(), patterns.dim(), start.dim_features()].map(|size| size as f64);
        params.loss.parts().0 == Over::Max
            && params.optimizer.is_descent()
            && patterns.n_patterns() >= 2
            && n * dim.min(n) * dim_features >= FEWEST
            && squares_fit(patterns.view())
    }

    pub(super) fn new(patterns: &'a Patterns<T>, start: LinearMap<T>, params: &Params) -> Self {
        let features = start.features(patterns.view());
        let norms = norms(features.view());
        Self {
            loss: params.loss,
            optimizer: params.optimizer,
            patterns,
            shifts: Array2::zeros(features.raw_dim()),
            products: PairProducts::new(features.view(), &norms, params.loss.parts().1),
            neighbours: Neighbours::new(),
            features,
            norms,
            start,
            moves: 0,
            slope: None,
        }
    }

    /// W₀ + SᵀΞ
    fn map(&self, steps: usize) -> Result<LinearMap<T>> {
        let moved = product(self.shifts.t(), self.patterns.view());
        self.start.clone().stepped(|weight| *weight += &moved, steps)
    }

    /// F ← F + ΞΞ_pairᵀ·way for a `way` of two rows.
    fn shift_features(&mut self, pair: [usize; 2], way: &Array2<T>) {
        let rows = self.patterns.view();
        let shares = product(rows, rows.select(Axis(0), &pair).t());
        let mut along = Array2::zeros(shares.raw_dim());
        let [first, second] = [0, 1].map(|i| way.row(i));
        Zip::from(self.features.rows_mut())
            .and(shares.rows())
            .and(along.rows_mut())
            .and(&mut self.norms)
            .par_for_each(|mut row, shares, mut along, norm| {
                along[0] = dot(row.view(), first);
                along[1] = dot(row.view(), second);
                let [a, b] = [shares[0], shares[1]];
                Zip::from(&mut row)
                    .and(first)
                    .and(second)
                    .for_each(|f, &first, &second| *f += a * first + b * second);
                *norm = squared_norm(row.view()).sqrt();
            });
        if let Some(products) = &mut self.products {
            products.moved(&shares, way, &along);
        }
    }

    fn closest_pair(&mut self) -> Result<Pair> {
        let features = self.features.view();
        if let Some(products) = &mut self.products {
            if let Some(found) = products.closest_pair(features, &self.norms) {
                return Ok(found);
            }
            self.products = None;
        }
        let compared = self.loss.compared(self.features.clone())?;
        Ok(self.neighbours.closest_pair(compared.rows.view()).expect("there are two rows"))
    }
}

fn norms<T: Scalar>(rows: ArrayView2<'_, T>) -> Vec<f64> {
    squared_norms(rows).mapv(f64::sqrt).to_vec()
}

impl<T: Scalar> Descent for Pairwise<'_, T> {
    type Map = LinearMap<T>;

    fn loss(&mut self, _step: usize) -> Result<f64> {
        let closest = self.closest_pair()?;
        let pair = [closest.first, closest.second];
        let compared = self.loss.compared(self.features.select(Axis(0), &pair))?;
        let (loss, slope) = self.loss.max_between(closest, &compared)?;
        self.slope = Some((pair, slope));
        Ok(loss)
    }

    fn advance(mut self, step: usize) -> Result<Self> {
        let Some((pair, slope)) = self.slope.take() else { return Ok(self) };
        let rate = T::narrow(-self.optimizer.rate(step - 1));
        let way = slope.mapv(|slope| rate * slope);
        for (&row, way) in pair.iter().zip(way.outer_iter()) {
            let mut shifts = self.shifts.row_mut(row);
            shifts += &way;
            if !shifts.iter().all(|shift| shift.is_finite()) {
                return Err(Error::diverged(step, "W"));
            }
        }
        self.moves += 1;
        // A product of `dim` terms may be off by as many roundings as half as many moves of two.
        if 2 * self.moves < self.patterns.dim() {
            self.shift_features(pair, &way);
        } else {
            self.features = self.map(step)?.features(self.patterns.view());
            self.norms = norms(self.features.view());
            self.products =
                PairProducts::new(self.features.view(), &self.norms, self.loss.parts().1);
            self.moves = 0;
        }
        Ok(self)
    }

    fn finish(self, steps: usize) -> Result<(LinearMap<T>, Vec<HeldOut>)> {
        let map = if steps == 0 { self.start } else { self.map(steps)? };
        Ok((map, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use ndarray::ArrayView1;

    use super::*;
    use crate::stage1::{StopReason, descent};

    fn norm(row: ArrayView1<'_, f64>) -> f64 {
        row.dot(&row).sqrt()
    }

    fn of_rows(rows: &Array2<f64>, pick: fn(f64, f64) -> f64) -> f64 {
        rows.outer_iter().map(norm).reduce(pick).unwrap()
    }

    fn size(matrix: &Array2<f64>) -> f64 {
        matrix.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    /// A run of k steps passes through the W of a run of k − 1, so that steps are compared one by one with the
    /// gradient at the features that are products of that W.
    ///
    /// A feature is off by δ: a product by (dim + 2)·ε·‖W‖‖ξ‖, and each of at most dim/2 moves by three
    /// roundings of 2‖g‖‖ξ‖² and one of ‖F‖, and by dim·ε of its ΞΞᵀ. Then a unit feature is off by
    /// u = 2δ/‖F‖ and the difference of two, at most 2 long, by 2u; its part across a feature by 8u in all; divided
    /// by ‖F‖, which is off by u in relation, g by 2t·(8 + 2·2)u/‖F‖ (raw: 2t·2δ). W adds what S loses by
    /// k roundings.
    #[test]
    fn every_step_is_that_of_w() {
        let rate = 0.05;
        for (n, dim_features, dim) in [(2, 3, 5), (9, 4, 6), (40, 20, 12)] {
            let patterns = LinearMap::<f64>::random_normal(n, dim, 61).unwrap();
            let patterns = Patterns::new(patterns.weight().to_owned()).unwrap();
            let start = LinearMap::<f64>::random_normal(dim_features, dim, 62).unwrap();
            let (max, optimizer) =
                (SeparationLoss::max(), Optimizer::gradient_descent(rate).unwrap());
            for (loss, is_unit) in [(max.with_t(0.5).unwrap(), true), (max.raw_features(), false)] {
                let (_, _, t) = loss.parts();
                let after = |steps: usize| {
                    let params = Params::new(loss, optimizer, steps).unwrap();
                    let run = Pairwise::new(&patterns, start.clone(), &params);
                    descent::run(run, (steps, None), |_| ControlFlow::Continue(())).unwrap()
                };
                let mut before = start.clone();
                // Twice the steps between two products.
                for k in 1..=dim {
                    let found = after(k);
                    assert_eq!((found.steps, found.stop), (k, StopReason::MaxSteps));
                    let (at, gradient) = loss.value_and_gradient(&before, &patterns).unwrap();
                    let expected = &before.weight() - &(rate * &gradient);
                    let features = before.features(patterns.view());
                    let (least, most) =
                        (of_rows(&features, f64::min), of_rows(&features, f64::max));
                    let longest = of_rows(&patterns.view().to_owned(), f64::max);
                    let slope = 4.0 * t * if is_unit { 1.0 / least } else { most };
                    let width = dim as f64 + 2.0;
                    let own = width * size(&before.weight().to_owned()) * longest;
                    let move_off = most + width * 2.0 * rate * slope * longest * longest;
                    let off = f64::EPSILON * (own + 0.5 * width * move_off);
                    let slope_off = 2.0
                        * t
                        * if is_unit { 12.0 * (2.0 * off / least) / least } else { 2.0 * off };
                    let summed = f64::EPSILON
                        * (size(&expected) + width * k as f64 * rate * slope * longest);
                    let bound = 2.0 * rate * slope_off * longest + 4.0 * summed;
                    let apart = size(&(&found.map.weight() - &expected));
                    assert!(apart <= bound, "{loss:?} {n} {dim} {k} {apart:e} {bound:e}");
                    // Sharp enough to see a step left out or a wrong factor.
                    let moved = rate * size(&gradient);
                    assert!(bound <= 1e-6 * moved, "{loss:?} {n} {dim} {k} {bound:e} {moved:e}");
                    let loss_off =
                        4.0 * t * 2.0 * if is_unit { 4.0 * off / least } else { 2.0 * most * off };
                    assert!(
                        (found.losses[k - 1] - at).abs()
                            <= loss_off + 8.0 * f64::EPSILON * at.abs()
                    );
                    before = found.map;
                }
            }
        }
    }

    /// A gradient that no smaller rate helps is the data's fault.
    #[test]
    fn a_gradient_that_overflows_at_the_start_is_no_divergence() {
        // A unit feature moves by the inverse of its norm, and that of 1e-41 is no number of `f32`.
        let patterns = Patterns::new(Array2::<f32>::eye(3)).unwrap();
        let start = LinearMap::new(Array2::eye(3) * 1e-41).unwrap();
        let descent = Optimizer::gradient_descent(0.1).unwrap();
        let params = Params::new(SeparationLoss::max(), descent, 40).unwrap();
        let run = Pairwise::new(&patterns, start, &params);
        let error = descent::run(run, (40, None), |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.is_non_finite(), "{error}");
    }

    #[test]
    fn large_memories_alone_are_run_so() {
        let params =
            |loss| Params::new(loss, Optimizer::gradient_descent(1.0).unwrap(), 10).unwrap();
        let max = params(SeparationLoss::max());
        let (rows, start) = (Array2::<f32>::ones((650, 650)), LinearMap::identity(650).unwrap());
        let large = Patterns::new(rows).unwrap();
        assert!(Pairwise::suits(&large, &start, &max));
        assert!(!Pairwise::suits(&large.first(600).unwrap(), &start, &max));
        for scale in [2.0_f32.powi(-70), 2.0_f32.powi(70)] {
            let scaled = Patterns::new(scale * &large.view()).unwrap();
            assert!(!Pairwise::suits(&scaled, &start, &max));
        }
        assert!(!Pairwise::suits(&large, &start, &params(SeparationLoss::average())));
        let adam = Params::new(SeparationLoss::max(), Optimizer::adam(0.1).unwrap(), 10).unwrap();
        assert!(!Pairwise::suits(&large, &start, &adam));
    }
}
