//! Stage I on batches of patterns, for memories with too many pairs to visit them all in a step.

use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::average::pairs;
use super::descent::Descent;
use super::loss::SeparationLoss;
use super::whole::Weight;
use super::{HeldOut, Params};
use crate::error::{Error, Result};
use crate::feature_map::LinearMap;
use crate::patterns::Patterns;
use crate::scalar::Scalar;

/// The largest number of patterns whose pairs are held out.
const MOST_HELD_OUT: usize = 1024;
/// The share of the last batch in the running mean of exp(L).
const SHARE: f64 = 0.1;

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

/// Stage I over the pairs of batches.
pub(super) struct Batched<'a, T> {
    draws: Draws<'a, T>,
    weight: Weight<T>,
    held_out: Vec<HeldOut>,
}

impl<'a, T: Scalar> Batched<'a, T> {
    pub(super) fn new(
        batches: Batches,
        patterns: &'a Patterns<T>,
        start: LinearMap<T>,
        params: &Params,
    ) -> Result<Self> {
        let draws = Draws::new(batches, params.loss, patterns)?;
        Ok(Self { draws, weight: Weight::new(start, params), held_out: Vec::new() })
    }
}

impl<T: Scalar> Descent for Batched<'_, T> {
    type Map = LinearMap<T>;

    fn loss(&mut self, step: usize) -> Result<f64> {
        if step.is_multiple_of(STEPS_BETWEEN) {
            let loss = self.draws.held_out_loss(&self.weight.map)?;
            self.held_out.push(HeldOut { step, loss });
        }
        let (loss, gradient) = self.draws.value_and_gradient(&self.weight.map)?;
        self.weight.gradient = gradient;
        Ok(loss)
    }

    fn advance(self, step: usize) -> Result<Self> {
        Ok(Self { weight: self.weight.stepped(step)?, ..self })
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
            let loss = self.draws.held_out_loss(&self.weight.map)?;
            self.held_out.push(HeldOut { step: steps, loss });
        }
        Ok((self.weight.map, self.held_out))
    }
}

/// The draws of one run.
struct Draws<'a, T> {
    loss: SeparationLoss,
    patterns: ArrayView2<'a, T>,
    size: usize,
    held_out: Array2<T>,
    is_held_out: Vec<bool>,
    random: ChaCha8Rng,
    /// ℓ; nothing before the first draw.
    level: Option<f64>,
}

impl<'a, T: Scalar> Draws<'a, T> {
    fn new(batches: Batches, loss: SeparationLoss, patterns: &'a Patterns<T>) -> Result<Self> {
        let patterns = patterns.view();
        let n = patterns.nrows();
        if n < 3 {
            let need = "batches and held-out pairs need at least three patterns";
            return Err(Error::empty("stage1", "the patterns", patterns.shape(), need));
        }
        let Batches { size, seed } = batches;
        if size > n {
            let bound =
                format!("at most the number of patterns, {n}; without batches all are used");
            return Err(Error::domain("stage1", "batch size", size, &bound));
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Apart from the numbers that a start of W takes from the same seed.
        random.set_stream(1);
        let mut sample = index::sample(&mut random, n, (n / 10).clamp(2, MOST_HELD_OUT)).into_vec();
        sample.sort_unstable();
        let mut is_held_out = vec![false; n];
        sample.iter().for_each(|&row| is_held_out[row] = true);
        let held_out = patterns.select(Axis(0), &sample);
        Ok(Self { loss, patterns, size, held_out, is_held_out, random, level: None })
    }

    /// The loss over the held-out pairs.
    fn held_out_loss(&self, map: &LinearMap<T>) -> Result<f64> {
        Ok(self.loss.average_over(map, self.held_out.view(), 0)?.0)
    }

    /// L_b and g of a new batch.
    fn value_and_gradient(&mut self, map: &LinearMap<T>) -> Result<(f64, Array2<T>)> {
        // The first level is that of a batch of its own, so that it too is fixed before the draw.
        let level = match self.level {
            Some(level) => level,
            None => {
                let batch = self.draw();
                self.estimate(map, &batch)?.0
            }
        };
        let batch = self.draw();
        let (loss, mut gradient) = self.estimate(map, &batch)?;
        let factor = T::narrow((loss - level).exp());
        gradient.mapv_inplace(|g| factor * g);
        // log((1 − s)·exp(level) + s·exp(loss)), beside the larger of the two
        let larger = level.max(loss);
        let mean = (1.0 - SHARE) * (level - larger).exp() + SHARE * (loss - larger).exp();
        self.level = Some(larger + mean.ln());
        Ok((loss, gradient))
    }

    /// A batch that holds a free pair, in ascending order.
    fn draw(&mut self) -> Vec<usize> {
        let n = self.patterns.nrows();
        loop {
            let mut batch = index::sample(&mut self.random, n, self.size).into_vec();
            if batch.iter().any(|&row| !self.is_held_out[row]) {
                batch.sort_unstable();
                return batch;
            }
        }
    }

    /// L_b and ∇L_b of a batch, −∞ and 0 where all its pairs are held out.
    fn estimate(&self, map: &LinearMap<T>, batch: &[usize]) -> Result<(f64, Array2<T>)> {
        let (mut rows, free): (Vec<usize>, Vec<usize>) =
            batch.iter().partition(|&&row| self.is_held_out[row]);
        let n_apart = rows.len();
        rows.extend(free);
        let rows = self.patterns.select(Axis(0), &rows);
        let (mean, gradient) = self.loss.average_over(map, rows.view(), n_apart)?;
        // The mean of the batch is over its own free pairs; the estimate counts all, and all of
        // the patterns' free ones: shares of free pairs differ from batch to batch.
        let share = |n: usize, n_apart: usize| pairs(n, n_apart) / pairs(n, 0);
        let of_batch = share(rows.nrows(), n_apart);
        let of_all = share(self.patterns.nrows(), self.held_out.nrows());
        Ok((mean + (of_batch / of_all).ln(), gradient))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;
    use crate::reference;

    /// Smooth and different in every entry; no randomness needed.
    fn wave(n: usize, dim: usize, phase: f64) -> Array2<f64> {
        Array2::from_shape_fn((n, dim), |(i, j)| {
            (phase + 1.7 * i as f64 + 0.3 * (i * j) as f64).sin() + 0.5 * (j as f64 - 1.0)
        })
    }

    /// All sets of `size` numbers below `n`.
    fn subsets(n: usize, size: usize) -> Vec<Vec<usize>> {
        let members = |bits: u32| (0..n).filter(move |&i| bits >> i & 1 == 1);
        let of_size = (0..1u32 << n).filter(|bits| bits.count_ones() as usize == size);
        of_size.map(|bits| members(bits).collect()).collect()
    }

    /// exp(L)·∇L over the pairs of some rows: their mean of ∂/∂W exp(−t‖φ_i − φ_j‖²).
    fn slope(loss: SeparationLoss, map: &LinearMap<f64>, rows: ArrayView2<'_, f64>) -> Array2<f64> {
        let (value, gradient) = loss.average_over(map, rows, 0).unwrap();
        value.exp() * gradient
    }

    /// Over every batch there is, the mean of exp(L_b)·∇L_b is exp(L)·∇L, and its variance the one that
    /// the documentation of [`Batches`] states; both are computed here pair by pair.
    ///
    /// Rounding: entries are sums of at most 28 pairs' terms below 8, at some 100 roundings each, far
    /// below 1e4 ε; a variance is a difference of squares.
    #[test]
    fn estimates_are_unbiased_and_vary_as_stated() {
        let n = 8;
        let patterns = Patterns::new(wave(n, 4, 0.0)).unwrap();
        let map = LinearMap::new(wave(3, 4, 1.0)).unwrap();
        let tolerance = 1e4 * f64::EPSILON;
        for loss in [SeparationLoss::average(), SeparationLoss::average().raw_features()] {
            let loss = loss.with_t(0.5).unwrap();
            let draws = Draws::new(Batches::new(2, 3).unwrap(), loss, &patterns).unwrap();
            let free = (n * (n - 1) - 2) as f64;
            assert_eq!(draws.held_out.nrows(), 2);
            // h'_ij of every ordered pair.
            let mut terms = vec![vec![Array2::<f64>::zeros((3, 4)); n]; n];
            for pair in subsets(n, 2) {
                let (i, j) = (pair[0], pair[1]);
                if !(draws.is_held_out[i] && draws.is_held_out[j]) {
                    let rows = patterns.view().select(Axis(0), &pair);
                    let term = slope(loss, &map, rows.view()) * ((n * (n - 1)) as f64 / free);
                    (terms[i][j], terms[j][i]) = (term.clone(), term);
                }
            }
            let nf = n as f64;
            let mean = |rows: &[Array2<f64>]| {
                rows.iter().fold(Array2::zeros((3, 4)), |sum: Array2<f64>, row| sum + row)
            };
            let of_row: Vec<_> = terms.iter().map(|row| mean(row) / (nf - 1.0)).collect();
            let theta = mean(&of_row) / nf;
            let a: Vec<_> =
                of_row.iter().map(|row| (row - &theta) * ((nf - 1.0) / (nf - 2.0))).collect();
            let sigma2 = mean(&a.iter().map(|a| a * a).collect::<Vec<_>>()) / nf;
            let mut gamma2 = Array2::<f64>::zeros((3, 4));
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| i != j) {
                let c = &terms[i][j] - &theta - &a[i] - &a[j];
                gamma2 += &(&c * &c / (nf * (nf - 1.0)));
            }
            for b in 2..=n {
                let batches = subsets(n, b);
                let estimates: Vec<Array2<f64>> = batches
                    .iter()
                    .map(|batch| {
                        let (loss, gradient) = draws.estimate(&map, batch).unwrap();
                        if loss == f64::NEG_INFINITY { gradient } else { loss.exp() * gradient }
                    })
                    .collect();
                let count = estimates.len() as f64;
                let average = mean(&estimates) / count;
                for (x, y) in average.iter().zip(&theta) {
                    assert!((x - y).abs() <= tolerance, "{b} {x} {y}");
                }
                let squares: Vec<_> =
                    estimates.iter().map(|e| (e - &theta).mapv(|x| x * x)).collect();
                let variance = mean(&squares) / count;
                let bf = b as f64;
                let first = 4.0 * (nf - bf) / (bf * (nf - 1.0)) * &sigma2;
                let second = 2.0 * (nf - bf) * (nf - bf - 1.0)
                    / (bf * (bf - 1.0) * (nf - 2.0) * (nf - 3.0))
                    * &gamma2;
                let stated = first + second;
                for (x, y) in variance.iter().zip(&stated) {
                    assert!((x - y).abs() <= tolerance, "{b} {x} {y}");
                }
                assert!(b == n || stated.iter().all(|v| *v > 1e3 * tolerance), "{stated}");
            }
        }
    }

    /// exp(L)·P sums over pairs: of all rows it is that of the free pairs and of those held apart.
    #[test]
    fn rows_apart_make_no_pairs_with_each_other() {
        let map = LinearMap::new(wave(3, 4, 1.0)).unwrap();
        for loss in [SeparationLoss::average(), SeparationLoss::average().raw_features()] {
            let loss = loss.with_t(0.5).unwrap();
            for (n, n_apart) in [(5, 2), (128, 127), (130, 128), (131, 129), (300, 128), (300, 260)]
            {
                let rows = wave(n, 4, 0.0);
                let total = |(value, gradient): (f64, Array2<f64>), pairs: f64| {
                    (value.exp() * pairs, value.exp() * pairs * gradient)
                };
                let whole = total(loss.average_over(&map, rows.view(), 0).unwrap(), pairs(n, 0));
                let apart = rows.slice(ndarray::s![..n_apart, ..]);
                let apart = loss.average_over(&map, apart, 0).unwrap();
                let apart = total(apart, pairs(n_apart, 0));
                let free = loss.average_over(&map, rows.view(), n_apart).unwrap();
                let free = total(free, pairs(n, n_apart));
                // Sums of n² terms below 8, each some 100 roundings off, and 2n for the sums.
                let bound = (100.0 + 2.0 * n as f64) * 8.0 * (n * n) as f64 * f64::EPSILON;
                assert!((whole.0 - free.0 - apart.0).abs() <= bound, "{n} {n_apart}");
                for ((w, f), a) in whole.1.iter().zip(&free.1).zip(&apart.1) {
                    assert!((w - f - a).abs() <= bound, "{n} {n_apart} {w} {f} {a} {bound:e}");
                }
            }
        }
    }

    #[test]
    fn no_pair_left_is_no_step() {
        let map = LinearMap::new(wave(3, 4, 1.0)).unwrap();
        let rows = wave(130, 4, 0.0);
        let (loss, gradient) =
            SeparationLoss::average().average_over(&map, rows.view(), 130).unwrap();
        assert_eq!(loss, f64::NEG_INFINITY);
        assert_eq!(gradient, Array2::<f64>::zeros((3, 4)));
    }

    /// Held-out pairs are those of distinct patterns that the seed chooses, and what is reported of
    /// them is their average loss.
    #[test]
    fn the_held_out_loss_is_that_of_the_pairs_held_out() {
        let patterns = Patterns::new(wave(300, 4, 0.0)).unwrap();
        let map = LinearMap::new(wave(3, 4, 1.0)).unwrap();
        let loss = SeparationLoss::average();
        let draws = Draws::new(Batches::new(16, 3).unwrap(), loss, &patterns).unwrap();
        let chosen: Vec<usize> = (0..300).filter(|&row| draws.is_held_out[row]).collect();
        assert_eq!(chosen.len(), 30);
        let rows = patterns.view().select(Axis(0), &chosen);
        let features = reference::features(rows.view(), map.weight(), true);
        let slow = reference::average_loss(features.view(), 2.0);
        let fast = draws.held_out_loss(&map).unwrap();
        // Exponents of at most 8, off by 2t(4 + 3)·ε·2 and the features' own error.
        assert!((fast - slow).abs() <= 1e3 * f64::EPSILON, "{fast} {slow}");
    }

    /// ℓ is a running mean: with one batch there is, all patterns, the first step is the full one.
    #[test]
    fn the_level_follows_the_loss() {
        let patterns = Patterns::new(wave(12, 4, 0.0)).unwrap();
        let loss = SeparationLoss::average();
        let batches = Batches::new(12, 0).unwrap();
        let mut draws = Draws::new(batches, loss, &patterns).unwrap();
        let all: Vec<usize> = (0..12).collect();
        let map = |phase| LinearMap::new(wave(3, 4, phase)).unwrap();
        let (first, gradient) = draws.value_and_gradient(&map(1.0)).unwrap();
        let full = draws.estimate(&map(1.0), &all).unwrap();
        assert_eq!((first, gradient), full);
        assert_eq!(draws.level, Some(first));
        let (second, gradient) = draws.value_and_gradient(&map(2.0)).unwrap();
        let full = draws.estimate(&map(2.0), &all).unwrap().1;
        let scaled: Array1<f64> = ((second - first).exp() * full).into_iter().collect();
        for (x, y) in gradient.iter().zip(&scaled) {
            assert!((x - y).abs() <= 4.0 * f64::EPSILON * y.abs(), "{x} {y}");
        }
        let mean = 0.9 * first.exp() + 0.1 * second.exp();
        assert!((draws.level.unwrap() - mean.ln()).abs() <= 1e2 * f64::EPSILON);
    }
}
