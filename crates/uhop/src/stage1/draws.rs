//! The batches of a run, and what each says of all pairs.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::average::pairs;
use super::batches::Batches;
use crate::error::{Error, Result};

/// The largest number of patterns whose pairs are held out.
const MOST_HELD_OUT: usize = 1024;
/// The share of the last batch in the running mean of exp(L).
const SHARE: f64 = 0.1;

/// The draws of one run, of rows of the patterns.
pub(super) struct Draws {
    n: usize,
    size: usize,
    /// In ascending order.
    held_out: Vec<usize>,
    is_held_out: Vec<bool>,
    random: ChaCha8Rng,
    /// ℓ; nothing before the first draw.
    level: Option<f64>,
}

impl Draws {
    /// Of patterns of this shape.
    pub(super) fn new(batches: Batches, shape: [usize; 2]) -> Result<Self> {
        let n = shape[0];
        if n < 3 {
            let need = "batches and held-out pairs need at least three patterns";
            return Err(Error::empty("stage1", "the patterns", &shape, need));
        }
        let size = batches.size();
        if size > n {
            let bound =
                format!("at most the number of patterns, {n}; without batches all are used");
            return Err(Error::domain("stage1", "batch size", size, &bound));
        }
        let mut random = ChaCha8Rng::seed_from_u64(batches.seed());
        // Apart from the numbers that a start of W takes from the same seed.
        random.set_stream(1);
        let sample = index::sample(&mut random, n, (n / 10).clamp(2, MOST_HELD_OUT));
        let mut held_out = sample.into_vec();
        held_out.sort_unstable();
        let mut is_held_out = vec![false; n];
        held_out.iter().for_each(|&row| is_held_out[row] = true);
        Ok(Self { n, size, held_out, is_held_out, random, level: None })
    }

    /// The patterns whose pairs with each other are held out.
    pub(super) fn held_out(&self) -> &[usize] {
        &self.held_out
    }

    /// L_b of a new batch, ∇L_b, and the factor between that and g, where `average` has the loss of patterns the
    /// first of which make no pairs with each other, and its gradient.
    pub(super) fn step<G>(
        &mut self,
        average: impl Fn(&[usize], usize) -> Result<(f64, G)>,
    ) -> Result<(f64, f64, G)> {
        // The first level is that of a batch of its own, so that it too is fixed before the draw.
        let level = match self.level {
            Some(level) => level,
            None => {
                let batch = self.draw();
                self.estimate(&batch, &average)?.0
            }
        };
        let batch = self.draw();
        let (loss, gradient) = self.estimate(&batch, &average)?;
        // log((1 − s)·exp(level) + s·exp(loss)), beside the larger of the two
        let larger = level.max(loss);
        let mean = (1.0 - SHARE) * (level - larger).exp() + SHARE * (loss - larger).exp();
        self.level = Some(larger + mean.ln());
        Ok((loss, (loss - level).exp(), gradient))
    }

    /// A batch that holds a free pair, in ascending order.
    fn draw(&mut self) -> Vec<usize> {
        loop {
            let mut batch = index::sample(&mut self.random, self.n, self.size).into_vec();
            if batch.iter().any(|&row| !self.is_held_out[row]) {
                batch.sort_unstable();
                return batch;
            }
        }
    }

    /// L_b and ∇L_b of a batch, −∞ and 0 where all its pairs are held out.
    fn estimate<G>(
        &self,
        batch: &[usize],
        average: impl Fn(&[usize], usize) -> Result<(f64, G)>,
    ) -> Result<(f64, G)> {
        let (mut rows, free): (Vec<usize>, Vec<usize>) =
            batch.iter().partition(|&&row| self.is_held_out[row]);
        let n_apart = rows.len();
        rows.extend(free);
        let (mean, gradient) = average(&rows, n_apart)?;
        // The mean of the batch is over its own free pairs; the estimate counts all, and all of
        // the patterns' free ones: shares of free pairs differ from batch to batch.
        let share = |n: usize, n_apart: usize| pairs(n, n_apart) / pairs(n, 0);
        let of_batch = share(rows.len(), n_apart);
        let of_all = share(self.n, self.held_out.len());
        Ok((mean + (of_batch / of_all).ln(), gradient))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ArrayView2, Axis};

    use super::*;
    use crate::feature_map::LinearMap;
    use crate::stage1::SeparationLoss;

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

    /// The loss of chosen rows by W.
    fn average(
        loss: SeparationLoss,
        map: &LinearMap<f64>,
        patterns: &Array2<f64>,
    ) -> impl Fn(&[usize], usize) -> Result<(f64, Array2<f64>)> {
        move |rows, n_apart| loss.average_over(map, patterns.select(Axis(0), rows).view(), n_apart)
    }

    /// Over every batch there is, the mean of exp(L_b)·∇L_b is exp(L)·∇L, and its variance the one that
    /// the documentation of [`Batches`] states; both are computed here pair by pair.
    ///
    /// Rounding: entries are sums of at most 28 pairs' terms below 8, at some 100 roundings each, far
    /// below 1e4 ε; a variance is a difference of squares.
    #[test]
    fn estimates_are_unbiased_and_vary_as_stated() {
        let n = 8;
        let patterns = wave(n, 4, 0.0);
        let map = LinearMap::new(wave(3, 4, 1.0)).unwrap();
        let tolerance = 1e4 * f64::EPSILON;
        for loss in [SeparationLoss::average(), SeparationLoss::average().raw_features()] {
            let loss = loss.with_t(0.5).unwrap();
            let draws = Draws::new(Batches::new(2, 3).unwrap(), [n, 4]).unwrap();
            let free = (n * (n - 1) - 2) as f64;
            assert_eq!(draws.held_out.len(), 2);
            // h'_ij of every ordered pair.
            let mut terms = vec![vec![Array2::<f64>::zeros((3, 4)); n]; n];
            for pair in subsets(n, 2) {
                let (i, j) = (pair[0], pair[1]);
                if !(draws.is_held_out[i] && draws.is_held_out[j]) {
                    let rows = patterns.select(Axis(0), &pair);
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
                        let (loss, gradient) =
                            draws.estimate(batch, average(loss, &map, &patterns)).unwrap();
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

    /// Those whose pairs are held out are a tenth of the patterns, each once, whom the seed chooses.
    #[test]
    fn patterns_are_held_out_by_the_seed() {
        let of = |seed| Draws::new(Batches::new(16, seed).unwrap(), [300, 4]).unwrap();
        let draws = of(3);
        assert_eq!(draws.held_out.len(), 30);
        assert!(draws.held_out.is_sorted_by(|a, b| a < b));
        let told: Vec<usize> = (0..300).filter(|&row| draws.is_held_out[row]).collect();
        assert_eq!(draws.held_out, told);
        assert_eq!(draws.held_out, of(3).held_out);
        assert_ne!(draws.held_out, of(4).held_out);
    }

    /// ℓ is a running mean: with one batch there is, all patterns, the first step is the full one.
    #[test]
    fn the_level_follows_the_loss() {
        let patterns = wave(12, 4, 0.0);
        let loss = SeparationLoss::average();
        let batches = Batches::new(12, 0).unwrap();
        let mut draws = Draws::new(batches, [12, 4]).unwrap();
        let map = |phase| LinearMap::new(wave(3, 4, phase)).unwrap();
        let all: Vec<usize> = (0..12).collect();
        let of_all = Draws::new(batches, [12, 4]).unwrap();
        let full = |phase| of_all.estimate(&all, average(loss, &map(phase), &patterns)).unwrap();
        let first = full(1.0);
        let step = draws.step(average(loss, &map(1.0), &patterns)).unwrap();
        assert_eq!(step, (first.0, 1.0, first.1));
        let first = first.0;
        assert_eq!(draws.level, Some(first));
        let (second, gradient) = full(2.0);
        let step = draws.step(average(loss, &map(2.0), &patterns)).unwrap();
        assert_eq!(step, (second, (second - first).exp(), gradient));
        let mean = 0.9 * first.exp() + 0.1 * second.exp();
        assert!((draws.level.unwrap() - mean.ln()).abs() <= 1e2 * f64::EPSILON);
    }
}
