//! Denoising: a query map and a bias for each pattern, learned to tell which pattern a corrupted copy is of.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::copies::{Copies, Judgement, check_copies};
use super::descent::{self, Descent};
use super::optimizer::State;
use super::whitening::{ChosenRidge, RIDGES, choose_ridge};
use super::{HeldOut, Optimizer, Progress, Report};
use crate::error::{Error, Result, positive};
use crate::feature_map::{AsymmetricMap, LinearMap};
use crate::pairs::squared_norms;
use crate::patterns::Patterns;
use crate::product::product;
use crate::scalar::Scalar;
use crate::simd;
use crate::similarity::Similarity;

const OPERATION: &str = "denoising";
/// Queries of a step unless the parameters say otherwise.
const N_QUERIES: usize = 256;
/// The most queries of a step: their scores, one for each pattern, are in memory together.
const MOST_QUERIES: usize = 1 << 16;
/// The power of the number of a step by which what it reached counts in the mean.
const POWER: f64 = 3.0;
/// How many times the rate a step may move a score by, all entries of W_query together.
const MOST_TOGETHER: f64 = 200.0;

/// How [`denoise`] learns, and for how long.
///
/// ```
/// use uhop::stage1::{Denoising, Optimizer};
///
/// let params = Denoising::new(Optimizer::adam(0.1)?, 200, 0)?;
/// assert_eq!((params.max_steps(), params.n_queries()), (200, 256));
/// assert!(params.with_queries(0).unwrap_err().is_out_of_domain());
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Denoising {
    optimizer: Optimizer,
    max_steps: usize,
    n_queries: usize,
    seed: u64,
}

impl Denoising {
    /// At most `max_steps` steps of `optimizer`, each on 256 new queries drawn from `seed`.
    ///
    /// Rates are in units in which a score is about 1, whatever the scale of the data: Adam at 0.1, 100 to
    /// 400 steps, suits digits and photographs.
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for 0 steps.
    pub fn new(optimizer: Optimizer, max_steps: usize, seed: u64) -> Result<Self> {
        match max_steps {
            0 => Err(Error::domain("stage1", "max_steps", max_steps, "at least 1")),
            _ => Ok(Self { optimizer, max_steps, n_queries: N_QUERIES, seed }),
        }
    }

    /// The same with another number of queries in a step: of fewer patterns each gives as many as fit,
    /// but one at least, and of more a sample gives one each.
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for 0 queries. More than 65,536 are refused by [`denoise`].
    pub fn with_queries(self, n_queries: usize) -> Result<Self> {
        match n_queries {
            0 => Err(out_of_domain(n_queries)),
            _ => Ok(Self { n_queries, ..self }),
        }
    }

    /// How W and b are moved.
    pub fn optimizer(&self) -> Optimizer {
        self.optimizer
    }

    /// The largest number of steps.
    pub fn max_steps(&self) -> usize {
        self.max_steps
    }

    /// The queries of a step.
    pub fn n_queries(&self) -> usize {
        self.n_queries
    }

    /// The seed of the draws.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

fn out_of_domain(n_queries: usize) -> Error {
    Error::domain("stage1", "n_queries", n_queries, format!("from 1 to {MOST_QUERIES}"))
}

/// The map whose scores are those of distances, −½β‖ξ − x‖², up to a number that all patterns share: a start
/// for [`denoise`].
///
/// W_key = I, W_query = βI, b_μ = −½β‖ξ_μ‖².
///
/// ```
/// use ndarray::array;
/// use uhop::stage1::distances;
/// use uhop::{Patterns, Similarity};
///
/// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 3.0]])?;
/// let scores = |similarity: Similarity<f64>| -> uhop::Result<_> {
///     similarity.bind(&patterns)?.scores(array![[0.0, 1.0]].view())
/// };
/// let map = distances(&patterns, 2.0)?;
/// // Both say that the first pattern is closer, by 2·½·(4 − 2).
/// let (learned, plain) =
///     (scores(Similarity::Asymmetric(map))?, scores(Similarity::Euclidean)?);
/// assert_eq!(learned[[0, 0]] - learned[[0, 1]], 2.0);
/// assert_eq!(plain[[0, 0]] - plain[[0, 1]], 1.0);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_out_of_domain`](Error::is_out_of_domain) unless `beta` is finite and above 0;
/// [`is_non_finite`](Error::is_non_finite) when a norm overflows.
pub fn distances<T: Scalar>(patterns: &Patterns<T>, beta: f64) -> Result<AsymmetricMap<T>> {
    positive(OPERATION, "beta", beta)?;
    let keys = LinearMap::identity(patterns.dim())?;
    let queries = LinearMap::new(keys.weight().mapv(|w: T| T::narrow(beta * w.widen())))?;
    let bias = squared_norms(patterns.view()).mapv(|norm| T::narrow(-0.5 * beta * norm));
    AsymmetricMap::new(keys, queries)?.with_bias(bias)
}

/// A start for [`denoise`], and how well it tells copies apart.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Start<T> {
    /// The map.
    pub map: AsymmetricMap<T>,
    /// λ where both of its maps are that of ridge whitening; none where scores are those of distances.
    pub ridge: Option<f64>,
    /// What [`Copies::judge`] says of it.
    pub judgement: Judgement,
}

impl<T: Scalar> Start<T> {
    /// [`distances`], or [`whiten`](super::whiten) on both sides: the one by which `copies` of the patterns are told
    /// apart better, at its β.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Patterns;
    /// use uhop::stage1::{Copies, Start};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0, 0.2], [0.0, 4.0, 0.2]])?;
    /// let copies = Copies::draw(&patterns, 0, |rows, _seed| rows.mapv(|x| x + 0.1))?;
    /// let start = Start::best(&patterns, &copies)?;
    /// assert!(start.judgement.loss < 0.01); // nearly all weight is on the sources
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`choose_ridge`].
    pub fn best(patterns: &Patterns<T>, copies: &Copies<T>) -> Result<Self> {
        Self::better(patterns, copies, choose_ridge(patterns, &RIDGES, copies)?)
    }

    /// [`best`](Self::best), where the whitening has been chosen.
    pub(crate) fn better(
        patterns: &Patterns<T>,
        copies: &Copies<T>,
        chosen: ChosenRidge<T>,
    ) -> Result<Self> {
        let start = |map: AsymmetricMap<T>, ridge| {
            let judgement = copies.judge(patterns, &Similarity::Asymmetric(map.clone()))?;
            Ok(Self { map, ridge, judgement })
        };
        let beta = copies.judge(patterns, &Similarity::Euclidean)?.beta;
        let distances = start(distances(patterns, beta)?, None)?;
        let queries = chosen.map.weight().mapv(|w| T::narrow(chosen.beta * w.widen()));
        let whitened = AsymmetricMap::new(chosen.map, LinearMap::new(queries)?)?;
        let whitened = start(whitened, Some(chosen.ridge))?;
        let is_better = whitened.judgement.loss < distances.judgement.loss;
        Ok(if is_better { whitened } else { distances })
    }
}

/// Minimises over W_query and b how surprising the stored pattern is, given a corrupted copy of it:
///
/// ```text
/// L = E −ln p_μ(q),  p(q) = softmax_ν(⟨W_key ξ_ν, W_query q⟩ + b_ν),  q = corrupt(ξ_μ)
/// ```
///
/// with μ uniform and a new corruption in every step, from `start`, whose W_key stays. It targets the recall
/// itself: where p is the true posterior, x⁺ = Ξᵀp is the estimate with the smallest mean squared error there
/// is. β is part of W_query and b; use the map at β = 1, or at the β of [`Copies::judge`](super::Copies::judge).
///
/// W_key only chooses coordinates: any ⟨ξ,Aq⟩ is reached if it has full column rank. With W_key = W_query, one
/// tied map, A would have to be symmetric, which half a picture has no use for. b_ν is what a distance has in
/// −½‖ξ_ν‖². What is returned is the mean of the maps of all steps, that of step k counting as k³, because
/// new queries keep every single one from settling.
///
/// **When to use it.** Where queries can be imitated, the more so when they are corrupted in several ways, none
/// of which is known in advance: of a mix it learns what no one of the given similarities does. Where the
/// corruption is exactly known, its likelihood is better still and needs no learning. A step costs
/// 4·m·D·(d + n) multiplications for m queries, D features, and holds m·n scores. Start from [`Start::best`]. Patterns can be removed
/// afterwards, and none added: they have no b.
///
/// `corrupt` makes queries of rows `[m, dim]`, from a seed. `observer` is told the loss of each step's own
/// queries before the step, and ends the run by [`ControlFlow::Break`]. The result is the same bit for bit for
/// any number of threads.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ndarray::{Array2, array};
/// use uhop::Patterns;
/// use uhop::stage1::{Denoising, Optimizer, denoise, distances};
///
/// // What comes back says nothing in its first entry.
/// let patterns = Patterns::new(array![[0.0, 1.0], [1.0, 0.0]])?;
/// let corrupt = |rows: ndarray::ArrayView2<'_, f64>, seed: u64| {
///     let mut queries = rows.to_owned();
///     queries.outer_iter_mut().enumerate().for_each(|(i, mut row)| row[0] = ((i as u64 ^ seed) % 7) as f64);
///     queries
/// };
/// let params = Denoising::new(Optimizer::adam(0.1)?, 200, 0)?;
/// let start = distances(&patterns, 1.0)?;
/// let report = denoise(&patterns, start, &params, corrupt, |_| ControlFlow::Continue(()))?;
/// assert!(report.losses[0] > 1.0 && report.losses[200] < 0.1);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// As [`Similarity::bind`] of the start; [`is_shape_mismatch`](Error::is_shape_mismatch) or
/// [`is_non_finite`](Error::is_non_finite) for what `corrupt` returns or a score that overflows;
/// [`is_unsupported`](Error::is_unsupported) when all patterns or their keys are 0;
/// [`is_out_of_domain`](Error::is_out_of_domain) for more than 65,536 queries a step;
/// [`is_diverged`](Error::is_diverged) when W or the loss leaves the finite numbers, which a smaller rate prevents.
pub fn denoise<T: Scalar>(
    patterns: &Patterns<T>,
    start: AsymmetricMap<T>,
    params: &Denoising,
    corrupt: impl FnMut(ArrayView2<'_, T>, u64) -> Array2<T>,
    observer: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report<AsymmetricMap<T>>> {
    if params.n_queries > MOST_QUERIES {
        return Err(out_of_domain(params.n_queries));
    }
    let bound = Similarity::Asymmetric(start.clone()).bind(patterns)?;
    let keys = bound.keys();
    let unit = unit(keys, patterns.view())?;
    let bias = match start.bias() {
        Some(bias) => bias.to_owned(),
        None => Array1::zeros(patterns.n_patterns()),
    };
    let weight = start.queries().weight().mapv(|w| T::narrow(w.widen() / unit));
    let run = Run {
        patterns,
        keys,
        unit,
        start: start.keys(),
        weight: Moving::new(weight, params.optimizer),
        bias: Moving::new(bias.insert_axis(Axis(0)), params.optimizer),
        n_queries: params.n_queries,
        random: ChaCha8Rng::seed_from_u64(params.seed),
        corrupt,
        gradient: Gradient { weight: Array2::zeros((0, 0)), bias: Array2::zeros((0, 0)) },
    };
    descent::run(run, (params.max_steps, None), observer)
}

/// A run under way.
struct Run<'a, T, F> {
    patterns: &'a Patterns<T>,
    keys: ArrayView2<'a, T>,
    unit: f64,
    start: &'a LinearMap<T>,
    /// W_query in its unit.
    weight: Moving<T>,
    bias: Moving<T>,
    n_queries: usize,
    random: ChaCha8Rng,
    corrupt: F,
    /// At the last loss.
    gradient: Gradient<T>,
}

impl<T: Scalar, F: FnMut(ArrayView2<'_, T>, u64) -> Array2<T>> Descent for Run<'_, T, F> {
    type Map = AsymmetricMap<T>;

    fn loss(&mut self, _step: usize) -> Result<f64> {
        let sources = draw(&mut self.random, self.patterns.n_patterns(), self.n_queries);
        let rows = self.patterns.view().select(Axis(0), &sources);
        let mut queries = (self.corrupt)(rows.view(), self.random.random());
        check_copies(rows.view(), queries.view())?;
        queries.mapv_inplace(|x| T::narrow(self.unit * x.widen()));
        let (weight, bias) = (&self.weight.now, &self.bias.now);
        let (loss, gradient) =
            value_and_gradient(self.keys, weight, bias, queries.view(), &sources);
        self.gradient = gradient;
        match loss.is_finite() {
            true => Ok(loss),
            false => Err(Error::overflow(OPERATION, "a score".to_owned(), T::NAME)),
        }
    }

    fn advance(mut self, step: usize) -> Result<Self> {
        let share = (1.0 + POWER) / (step as f64 + POWER);
        self.weight.step(&self.gradient.weight, share);
        self.bias.step(&self.gradient.bias, share);
        Ok(self)
    }

    fn finish(self, steps: usize) -> Result<(AsymmetricMap<T>, Vec<HeldOut>)> {
        let diverged = |_| Error::diverged(steps, "W");
        let queries = self.weight.mean.mapv(|w| T::narrow(self.unit * w.widen()));
        let queries = LinearMap::new(queries).map_err(diverged)?;
        let map = AsymmetricMap::new(self.start.clone(), queries)?
            .with_bias(self.bias.mean.remove_axis(Axis(0)))
            .map_err(diverged)?;
        Ok((map, Vec::new()))
    }
}

/// The unit u of the entries of W_query: W_query = u·V is learned by V, so that a rate says how far scores
/// move, whatever the scale of patterns and keys.
///
/// Entries that move by r, each in its own direction, move a score by about r·u·‖k‖‖q‖; all in the direction of the
/// score, by r·u·‖k‖₁‖q‖₁. The first is r, and the second at most 200·r: without that bound the same rate
/// that suits 784 pixels, most of them 0, undoes in every step what the last one learned of 3,072. Norms are means
/// over the patterns.
fn unit<T: Scalar>(keys: ArrayView2<'_, T>, patterns: ArrayView2<'_, T>) -> Result<f64> {
    let n = keys.nrows() as f64;
    let size = |rows| (squared_norms(rows).sum() / n).sqrt();
    let sum_of_sizes = |row: ArrayView1<'_, T>| row.iter().map(|x| x.widen().abs()).sum::<f64>();
    let sum = |rows: ArrayView2<'_, T>| rows.outer_iter().map(sum_of_sizes).sum::<f64>() / n;
    let apart = size(keys) * size(patterns);
    let together = sum(keys) * sum(patterns);
    let unit = (1.0 / apart).min(MOST_TOGETHER / together);
    if unit.is_finite() && unit > 0.0 {
        return Ok(unit);
    }
    let reason = "the patterns or their keys are 0, or far too large; scale the data";
    Err(Error::unsupported(OPERATION, reason.to_owned()))
}

/// What is learned, and the mean of what it was.
struct Moving<T> {
    now: Array2<T>,
    mean: Array2<T>,
    optimizer: State<T>,
}

impl<T: Scalar> Moving<T> {
    fn new(start: Array2<T>, optimizer: Optimizer) -> Self {
        Self { mean: start.clone(), optimizer: optimizer.start(start.dim()), now: start }
    }

    fn step(&mut self, gradient: &Array2<T>, share: f64) {
        self.optimizer.step(&mut self.now, gradient);
        let share = T::narrow(share);
        self.mean.zip_mut_with(&self.now, |mean, &now| *mean += share * (now - *mean));
    }
}

/// The patterns that the queries of a step are copies of: each as often as fits, or a sample.
fn draw(random: &mut ChaCha8Rng, n: usize, n_queries: usize) -> Vec<usize> {
    if n <= n_queries {
        return (0..n_queries / n * n).map(|i| i % n).collect();
    }
    let mut sources = index::sample(random, n, n_queries).into_vec();
    sources.sort_unstable();
    sources
}

/// ∂L/∂W_query, `[dim_features, dim]`, and ∂L/∂b, `[1, n_patterns]`.
struct Gradient<T> {
    weight: Array2<T>,
    bias: Array2<T>,
}

/// L over these queries, not a number when it overflows, and its gradient: with P the weights, less 1 at the
/// source of each query, ∂L/∂W = (PK)ᵀQ/m and ∂L/∂b = Pᵀ1/m.
fn value_and_gradient<T: Scalar>(
    keys: ArrayView2<'_, T>,
    weight: &Array2<T>,
    bias: &Array2<T>,
    queries: ArrayView2<'_, T>,
    sources: &[usize],
) -> (f64, Gradient<T>) {
    let features = product(queries, weight.t());
    let mut scores = product(features.view(), keys.t());
    let m = sources.len() as f64;
    let losses: Vec<f64> = scores
        .axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(sources)
        .map(|(mut row, &source)| {
            row += &bias.row(0);
            let row = row.as_slice_mut().expect("a row of fresh scores");
            let Some((best, _)) = simd::extremes(row) else { return f64::NAN };
            let behind = best.widen() - row[source].widen();
            let total = simd::exponentials(row, best, 1.0).total;
            let factor = T::narrow(1.0 / (m * total));
            row.iter_mut().for_each(|weight| *weight *= factor);
            row[source] -= T::narrow(1.0 / m);
            total.ln() + behind
        })
        .collect();
    let of_features = product(scores.view(), keys);
    let weight = product(of_features.t(), queries);
    let bias = scores.sum_axis(Axis(0)).insert_axis(Axis(0));
    (losses.iter().sum::<f64>() / m, Gradient { weight, bias })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(rows: usize, columns: usize, phase: f64) -> Array2<f64> {
        Array2::from_shape_fn((rows, columns), |(i, j)| {
            (phase + 1.7 * i as f64 + 0.9 * j as f64 + 0.3 * (i * j) as f64).sin()
        })
    }

    /// −ln softmax by plain sums.
    fn slow(
        keys: &Array2<f64>,
        weight: &Array2<f64>,
        bias: &Array2<f64>,
        queries: &Array2<f64>,
        sources: &[usize],
    ) -> f64 {
        let scores = queries.dot(&weight.t()).dot(&keys.t()) + bias;
        let of_row = |(i, &source): (usize, &usize)| {
            let row = scores.row(i);
            row.iter().map(|score| (score - row[source]).exp()).sum::<f64>().ln()
        };
        sources.iter().enumerate().map(of_row).sum::<f64>() / sources.len() as f64
    }

    /// A central difference at h is off by h²/6 of a third derivative, below 10 here, and by the rounding of
    /// two losses of about 2 over 2h: some 1e3·ε/h for the hundred operations behind each.
    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (keys, weight, bias) = (wave(7, 4, 0.1), wave(4, 5, 0.7), wave(1, 7, 0.3));
        let queries = wave(6, 5, 0.2);
        let sources = [0, 3, 6, 1, 1, 5];
        let at = |weight: &Array2<f64>, bias: &Array2<f64>| {
            slow(&keys, weight, bias, &queries, &sources)
        };
        let (loss, gradient) =
            value_and_gradient(keys.view(), &weight, &bias, queries.view(), &sources);
        assert!((loss - at(&weight, &bias)).abs() < 1e3 * f64::EPSILON);
        let h = 1e-5;
        let bound = 10.0 * h * h / 6.0 + 1e3 * f64::EPSILON / h;
        for (index, slope) in gradient.weight.indexed_iter() {
            let moved = |by: f64| {
                let mut weight = weight.clone();
                weight[index] += by;
                at(&weight, &bias)
            };
            let found = (moved(h) - moved(-h)) / (2.0 * h);
            assert!((found - slope).abs() < bound, "{index:?} {found} {slope}");
        }
        for (index, slope) in gradient.bias.indexed_iter() {
            let moved = |by: f64| {
                let mut bias = bias.clone();
                bias[index] += by;
                at(&weight, &bias)
            };
            let found = (moved(h) - moved(-h)) / (2.0 * h);
            assert!((found - slope).abs() < bound, "{index:?} {found} {slope}");
        }
        // Far above the bound, so that a wrong gradient cannot hide.
        assert!(gradient.weight.iter().all(|slope| slope.abs() > 10.0 * bound));
    }

    #[test]
    fn every_pattern_is_drawn_as_often_or_once() {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(draw(&mut random, 3, 7), [0, 1, 2, 0, 1, 2]);
        assert_eq!(draw(&mut random, 3, 3), [0, 1, 2]);
        let sample = draw(&mut random, 100, 7);
        assert!(sample.len() == 7 && sample.windows(2).all(|pair| pair[0] < pair[1]), "{sample:?}");
    }
}
