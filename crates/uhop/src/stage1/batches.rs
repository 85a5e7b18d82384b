//! Stage I on batches of patterns, for memories with too many pairs to visit them all in a step.

use ndarray::{Array2, ArrayView2, Axis};

use super::descent::Descent;
use super::draws::Draws;
use super::loss::SeparationLoss;
use super::span::Shifts;
use super::whole::Weight;
use super::{HeldOut, Params};
use crate::error::{Error, Result};
use crate::feature_map::LinearMap;
use crate::patterns::Patterns;
use crate::scalar::Scalar;

/// How Stage I draws batches: each step sees the pairs of `size` patterns, drawn without replacement
/// and independently of the steps before.
///
/// Pairs among a sample of the patterns, a tenth of them but at most 1,024, never push: the loss over
/// these held-out pairs is what [`Report::held_out`](super::Report::held_out) reports. Every pattern
/// is in other pairs, and L below is the average loss over all that are not held out.
///
/// # The expected step
/// Let h_ij be exp(−t‖φ_i − φ_j‖²)·n(n−1)/P for each of the P ordered pairs that are not held out and
/// 0 for the others, so that exp(L) is the mean of h over all ordered pairs of the n patterns. Its mean
/// over those of a batch, exp(L_b), estimates exp(L) without bias, and W moves along
///
/// ```text
/// g = exp(L_b − ℓ)·∇L_b,    E g = exp(L − ℓ)·∇L,
/// ```
///
/// where ℓ, the log of a running mean of exp(L_b), is fixed before the draw. So the expected step is a
/// full one times a factor that stays near 1; ∇L_b alone would be off by O(1/b). (A batch of held-out
/// pairs alone, with g = 0, is drawn again, which scales all expectations here by one constant.)
///
/// # Its variance
/// For an entry w of W, write ∂h_ij/∂w = θ + a_i + a_j + c_ij with Σ_i a_i = 0 and Σ_j c_ij = 0. With
/// σ² the mean of a_i² and γ² that of c_ij² over ordered pairs, a batch of b patterns has
///
/// ```text
/// exp(2ℓ)·Var g = 4σ²(n−b)/(b(n−1)) + 2γ²(n−b)(n−b−1)/(b(b−1)(n−2)(n−3)).
/// ```
///
/// It falls as 4σ²/b once b is large, and is 0 for b = n, the full gradient.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ndarray::Array2;
/// use uhop::stage1::{Batches, Optimizer, Params, SeparationLoss, learn};
/// use uhop::{LinearMap, Patterns};
///
/// // 200 patterns on an arc.
/// let patterns = Array2::from_shape_fn((200, 2), |(i, j)| [1.0, i as f64 / 100.0][j]);
/// let params = Params::new(SeparationLoss::average(), Optimizer::gradient_descent(0.1)?, 60)?
///     .with_batches(Batches::new(32, 0)?)?;
/// let start = LinearMap::identity(2)?;
/// let report = learn(&Patterns::new(patterns)?, start, &params, |_| ControlFlow::Continue(()))?;
/// let (first, last) = (report.held_out[0], report.held_out[report.held_out.len() - 1]);
/// assert_eq!((first.step, last.step), (0, 60));
/// assert!(last.loss < first.loss);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    size: usize,
    seed: u64,
}

impl Batches {
    /// Batches of `size` patterns, drawn from `seed`.
    ///
    /// ```
    /// use uhop::stage1::Batches;
    ///
    /// assert_eq!(Batches::new(1024, 7)?.size(), 1024);
    /// assert!(Batches::new(1, 7).unwrap_err().is_out_of_domain()); // no pair
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for a size below 2.
    pub fn new(size: usize, seed: u64) -> Result<Self> {
        if size < 2 {
            return Err(Error::domain(
                "stage1",
                "batch size",
                size,
                "at least 2, which make a pair",
            ));
        }
        Ok(Self { size, seed })
    }

    /// Patterns of a batch.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The seed of the draws.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// Steps from one look at the held-out pairs to the next.
const STEPS_BETWEEN: usize = 20;

/// W under way, as steps on some of the patterns see and move it.
pub(super) trait Moved<T>: Sized {
    /// Along which it moves.
    type Gradient;

    /// The average loss of these patterns, the first `n_apart` of which make no pairs with each other, and its
    /// gradient; where no pair is left, −∞ and 0.
    fn average(
        &self,
        loss: SeparationLoss,
        rows: &[usize],
        n_apart: usize,
    ) -> Result<(f64, Self::Gradient)>;

    /// Step `step`, counted from 1, along `factor` times a gradient.
    fn stepped(self, factor: f64, gradient: Self::Gradient, step: usize) -> Result<Self>;

    /// W after `steps` steps.
    fn map(self, steps: usize) -> Result<LinearMap<T>>;
}

/// Every entry of W.
pub(super) struct Entries<'a, T> {
    patterns: ArrayView2<'a, T>,
    weight: Weight<T>,
}

impl<'a, T: Scalar> Entries<'a, T> {
    pub(super) fn new(patterns: &'a Patterns<T>, start: LinearMap<T>, params: &Params) -> Self {
        Self { patterns: patterns.view(), weight: Weight::new(start, params) }
    }
}

impl<T: Scalar> Moved<T> for Entries<'_, T> {
    type Gradient = Array2<T>;

    fn average(
        &self,
        loss: SeparationLoss,
        rows: &[usize],
        n_apart: usize,
    ) -> Result<(f64, Array2<T>)> {
        let rows = self.patterns.select(Axis(0), rows);
        loss.average_over(&self.weight.map, rows.view(), n_apart)
    }

    fn stepped(mut self, factor: f64, mut gradient: Array2<T>, step: usize) -> Result<Self> {
        scale(&mut gradient, factor);
        self.weight.gradient = gradient;
        Ok(Self { weight: self.weight.stepped(step)?, ..self })
    }

    fn map(self, _steps: usize) -> Result<LinearMap<T>> {
        Ok(self.weight.map)
    }
}

impl<T: Scalar> Moved<T> for Shifts<'_, T> {
    /// The rows that it moves, and ∂L/∂F of these.
    type Gradient = (Vec<usize>, Array2<T>);

    fn average(
        &self,
        loss: SeparationLoss,
        rows: &[usize],
        n_apart: usize,
    ) -> Result<(f64, Self::Gradient)> {
        let (mean, slope) = loss.average_at(loss.compared(self.features_of(rows))?, n_apart)?;
        Ok((mean, (rows.to_vec(), slope)))
    }

    fn stepped(self, factor: f64, (rows, mut slope): Self::Gradient, step: usize) -> Result<Self> {
        scale(&mut slope, factor);
        self.stepped_at(rows, &slope, step)
    }

    fn map(self, steps: usize) -> Result<LinearMap<T>> {
        self.into_map(steps)
    }
}

fn scale<T: Scalar>(gradient: &mut Array2<T>, factor: f64) {
    let factor = T::narrow(factor);
    gradient.mapv_inplace(|g| factor * g);
}

/// Stage I over the pairs of batches.
pub(super) struct Batched<T, M: Moved<T>> {
    loss: SeparationLoss,
    draws: Draws,
    moved: M,
    /// The factor and the gradient of the next step.
    next: Option<(f64, M::Gradient)>,
    held_out: Vec<HeldOut>,
}

impl<T, M: Moved<T>> Batched<T, M> {
    pub(super) fn new(draws: Draws, loss: SeparationLoss, moved: M) -> Self {
        Self { loss, draws, moved, next: None, held_out: Vec::new() }
    }

    fn look(&mut self, step: usize) -> Result<()> {
        let (loss, _) = self.moved.average(self.loss, self.draws.held_out(), 0)?;
        self.held_out.push(HeldOut { step, loss });
        Ok(())
    }
}

impl<T, M: Moved<T>> Descent for Batched<T, M> {
    type Map = LinearMap<T>;

    fn loss(&mut self, step: usize) -> Result<f64> {
        if step.is_multiple_of(STEPS_BETWEEN) {
            self.look(step)?;
        }
        let Self { loss, moved, .. } = self;
        let (loss, factor, gradient) =
            self.draws.step(|rows, n_apart| moved.average(*loss, rows, n_apart))?;
        self.next = Some((factor, gradient));
        Ok(loss)
    }

    fn advance(self, step: usize) -> Result<Self> {
        let Self { loss, draws, mut moved, next, held_out } = self;
        if let Some((factor, gradient)) = next {
            moved = moved.stepped(factor, gradient, step)?;
        }
        Ok(Self { loss, draws, moved, next: None, held_out })
    }

    /// Of the held-out pairs.
    fn telling(&self, loss: f64) -> f64 {
        self.held_out.last().map_or(loss, |last| last.loss)
    }

    /// From one look at the held-out pairs to the next.
    fn change(&self, losses: &[f64]) -> Option<f64> {
        match self.held_out.as_slice() {
            [.., before, last] if last.step + 1 == losses.len() => Some(last.loss - before.loss),
            _ => None,
        }
    }

    fn finish(mut self, steps: usize) -> Result<(LinearMap<T>, Vec<HeldOut>)> {
        if self.held_out.last().is_none_or(|last| last.step < steps) {
            self.look(steps)?;
        }
        Ok((self.moved.map(steps)?, self.held_out))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::reference;
    use crate::stage1::{Optimizer, descent};

    fn normal(n: usize, dim: usize, seed: u64) -> Array2<f64> {
        LinearMap::random_normal(n, dim, seed).unwrap().weight().to_owned()
    }

    fn norms(rows: ArrayView2<'_, f64>) -> Vec<f64> {
        rows.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect()
    }

    fn size(rows: ArrayView2<'_, f64>) -> f64 {
        rows.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    /// A constant rate and a falling one.
    fn descents(rate: f64) -> [Optimizer; 2] {
        [Optimizer::gradient_descent(rate), Optimizer::published_decay(rate)].map(Result::unwrap)
    }

    /// A step on a batch is −γ exp(L_b − ℓ)·∇L_b.
    #[test]
    fn a_step_on_a_batch_moves_every_entry_of_w() {
        let rows = normal(50, 6, 61);
        let patterns = Patterns::new(rows.clone()).unwrap();
        let loss = SeparationLoss::average();
        let draws = || Draws::new(Batches::new(8, 3).unwrap(), [50, 6]).unwrap();
        for optimizer in descents(0.1) {
            let params = Params::new(loss, optimizer, 9).unwrap();
            let mut by_hand = draws();
            let mut weight = normal(5, 6, 62);
            let start = LinearMap::new(weight.clone()).unwrap();
            for step in 0..9 {
                let map = LinearMap::new(weight.clone()).unwrap();
                let average = |chosen: &[usize], n_apart| {
                    loss.average_over(&map, rows.select(Axis(0), chosen).view(), n_apart)
                };
                let (_, factor, gradient) = by_hand.step(average).unwrap();
                weight.scaled_add(-optimizer.rate(step), &(factor * gradient));
            }
            let run = Batched::new(draws(), loss, Entries::new(&patterns, start, &params));
            let report = descent::run(run, (9, None), |_| ControlFlow::Continue(())).unwrap();
            assert_eq!(report.map.weight(), weight);
        }
    }

    /// A step on a batch of few patterns is made in their span, and is that of W itself.
    ///
    /// A run of k steps passes through the W of a run of k − 1, so that steps are compared one by one. What differs
    /// is the rounding. Features are off by (`dim` + 2)·ε·‖W‖‖ξ‖ of their own; in the span by
    /// (n + `dim` + 2)·ε·‖Ξ‖²‖S‖ as well, S being the sum of k steps γ·exp(L_b − ℓ)·∂L/∂F of at most 8tm/r each, where
    /// m is the longest compared feature and r what it was divided by; and in a frame of theirs by
    /// (n + `dim_features`)·ε·‖F‖. All these over r are δ. An exponent −t‖f_i − f_j‖² is off by 8tmδ, a share of a
    /// pair and a factor by 16tm·δ, f_i − f_j by 2δ and what normalisation leaves of it by 6δ: ∂L/∂F, of 8tm/r in all,
    /// by a share (48tm + 8/m)·δ, and by (b + `dim_features` + 40)·ε of its own sums. W is off by ε(‖W₀‖ + 2n‖S‖‖Ξ‖),
    /// and by less than δ's share in a frame.
    #[test]
    fn a_step_on_a_batch_in_the_span_of_few_patterns_is_that_of_w() {
        let mut framed = 0;
        for (n, of_batch, dim_features, dim, max_steps) in [
            (10, 4, 60, 30, 12),
            (10, 4, 60, 30, 1000),
            (65, 20, 20, 70, 12),
            (130, 64, 300, 140, 99),
        ] {
            let rows = normal(n, dim, 61) / (dim as f64).sqrt();
            let weight = normal(dim_features, dim, 62) / (dim_features as f64).sqrt();
            let patterns = Patterns::new(rows.clone()).unwrap();
            let start = || LinearMap::new(weight.clone()).unwrap();
            let batches = Batches::new(of_batch, 3).unwrap();
            let draws = || Draws::new(batches, [n, dim]).unwrap();
            let is_unit = [true, false];
            for (is_unit, optimizer) in
                is_unit.into_iter().flat_map(|unit| descents(0.05).map(|descent| (unit, descent)))
            {
                let t = 0.5;
                let loss = SeparationLoss::average().with_t(t).unwrap();
                let loss = if is_unit { loss } else { loss.raw_features() };
                let params = Params::new(loss, optimizer, max_steps).unwrap();
                let params = params.with_batches(batches).unwrap();
                let shifts = || Shifts::new(&patterns, start(), &params);
                framed += usize::from(shifts().is_framed());
                let after = |steps| {
                    let run = Batched::new(draws(), loss, shifts());
                    let on = |_| ControlFlow::Continue(());
                    descent::run(run, (steps, None), on).unwrap()
                };
                let (mut before, mut by_weight, mut rates) = (weight.clone(), draws(), 0.0);
                for k in 1..=12 {
                    let map = LinearMap::new(before.clone()).unwrap();
                    let (_, factor, gradient) = by_weight
                        .step(|chosen, n_apart| {
                            loss.average_over(&map, rows.select(Axis(0), chosen).view(), n_apart)
                        })
                        .unwrap();
                    let rate = optimizer.rate(k - 1) * factor;
                    let expected = &before - &(rate * &gradient);
                    let found = after(k).map.weight().to_owned();
                    rates += rate;

                    let features = before.dot(&rows.t()).reversed_axes();
                    let lengths = norms(features.view());
                    let longest = lengths.iter().copied().fold(0.0, f64::max);
                    let (m, r) = match is_unit {
                        true => (1.0, lengths.iter().copied().fold(f64::INFINITY, f64::min)),
                        false => (longest, 1.0),
                    };
                    let slope = 8.0 * t * m / r;
                    let shifted = rates * slope;
                    let pattern = norms(rows.view()).into_iter().fold(0.0, f64::max);
                    let all = size(rows.view());
                    let own = (dim + 2) as f64 * size(before.view()) * pattern;
                    let spanned = (n + dim + 2) as f64 * all * all * shifted;
                    let framed = (n + dim_features) as f64 * size(features.view());
                    let delta = f64::EPSILON * (2.0 * own + spanned + framed) / r;
                    let sums = (of_batch + dim_features + 40) as f64 * f64::EPSILON;
                    let share = (48.0 * t * m + 8.0 / m) * delta + sums;
                    let summed = size(weight.view()) + 2.0 * n as f64 * shifted * all;
                    let bound = rate * slope * pattern * share + f64::EPSILON * summed;
                    let off = size((&found - &expected).view());
                    assert!(off <= bound, "{n} {is_unit} {k} {off:e} {bound:e}");
                    // Sharp enough to see a step left out or a wrong factor.
                    let moved = rate * size(gradient.view());
                    assert!(bound <= 1e-3 * moved, "{n} {is_unit} {k} {bound:e} {moved:e}");
                    before = found;
                }
            }
        }
        assert_eq!(framed, 8);
    }

    /// Where the span is chosen, and in it a frame of the features.
    #[test]
    fn the_span_is_chosen_where_it_pays() {
        for (n, dim, dim_features, max_steps, span) in [
            (700, 20, 24, 25, None),
            (700, 900, 24, 25, None),
            (700, 900, 600, 25, Some(false)),
            (300, 320, 1600, 25, Some(true)),
            (300, 320, 1600, 1, None),
        ] {
            let patterns = Patterns::new(normal(n, dim, 61)).unwrap();
            let start = || LinearMap::new(normal(dim_features, dim, 62)).unwrap();
            let [constant, _] = descents(1.0);
            let params = |optimizer| {
                let params = Params::new(SeparationLoss::average(), optimizer, max_steps).unwrap();
                params.with_batches(Batches::new(200, 0).unwrap()).unwrap()
            };
            let suit = |params| Shifts::suit(&patterns, &start(), &params);
            let chosen = suit(params(constant))
                .then(|| Shifts::new(&patterns, start(), &params(constant)).is_framed());
            assert_eq!(chosen, span, "{n} {dim} {dim_features} {max_steps}");
            assert!(!suit(params(Optimizer::adam(0.1).unwrap())));
        }
    }

    /// What is reported of the held-out pairs is their average loss, by every entry of W and in the span of few
    /// patterns.
    #[test]
    fn the_held_out_loss_is_that_of_the_pairs_held_out() {
        let (n, dim) = (60, 64);
        let patterns = Patterns::new(normal(n, dim, 61)).unwrap();
        let map = LinearMap::new(normal(3, dim, 62)).unwrap();
        let loss = SeparationLoss::average();
        let batches = Batches::new(16, 3).unwrap();
        let draws = || Draws::new(batches, [n, dim]).unwrap();
        let params = Params::new(loss, Optimizer::gradient_descent(1.0).unwrap(), 1).unwrap();
        let rows = patterns.view().select(Axis(0), draws().held_out());
        let features = reference::features(rows.view(), map.weight(), true);
        let slow = reference::average_loss(features.view(), 2.0);
        let first = |held_out: Vec<HeldOut>| (held_out[0].step, held_out[0].loss);
        let mut entries =
            Batched::new(draws(), loss, Entries::new(&patterns, map.clone(), &params));
        let mut shifts = Batched::new(draws(), loss, Shifts::new(&patterns, map.clone(), &params));
        entries.loss(0).unwrap();
        shifts.loss(0).unwrap();
        // A feature is off by (dim + 2)·ε·‖w‖‖ξ‖ in an entry w of three, and a unit one by twice that over its norm; an
        // exponent, −2‖f_i − f_j‖², by 16 times as much, in each of both, and by some roundings of numbers up to 8.
        let off = |(pattern, feature): (f64, f64)| {
            (dim + 2) as f64 * f64::EPSILON * size(map.weight()) * pattern / feature
        };
        let raw = map.features(rows.view());
        let lengths = norms(rows.view()).into_iter().zip(norms(raw.view()));
        let bound = 64.0 * lengths.map(off).fold(0.0, f64::max) + 100.0 * f64::EPSILON;
        for (step, fast) in [first(entries.held_out), first(shifts.held_out)] {
            assert_eq!(step, 0);
            assert!((fast - slow).abs() <= bound, "{fast} {slow} {bound:e}");
        }
    }
}
