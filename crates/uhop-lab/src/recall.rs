//! One cell: the queries of one corruption and level, recalled by every contender.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use uhop::{Keys, LinearMap, Patterns, Similarity, metrics, readout};
use uhop_data::Corruption;

use crate::error::{Error, Result};
use crate::informed::{Informed, KeepGoing, Made, auto_mix, denoised_mix};
use crate::learned::{Learned, Maps, Recipe};
use crate::seeds::{Use, seed_of};
use crate::spec::{Beta, Comparison, Contender, Defect, Loss, Parts, Protocol, Spec, Tuning};

/// Which queries: those that count, or those by which β is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Test,
    Tuning,
}

/// What scores depend on, beside the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Compared {
    Uninformed(Uninformed),
    Informed(Informed),
}

/// What is the same for every corruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Uninformed {
    Dot,
    Euclidean,
    Manhattan,
    Cosine,
    Features { recipe: Recipe, normalised: bool },
    DenoisedMix,
    AutoMix,
}

/// The keys that queries are compared with, and the β that was chosen with them if one was.
struct Bound {
    keys: Keys<f32>,
    beta: Option<f64>,
}

impl Bound {
    fn new(made: Made, patterns: &Patterns<f32>) -> Result<Arc<Self>> {
        let keys = made.similarity.bind(patterns);
        let keys = keys.map_err(|error| Error::memory("the memory", error))?;
        Ok(Arc::new(Self { keys, beta: made.beta }))
    }
}

/// A memory set: what does not depend on the queries.
pub(crate) struct MemorySet<'a> {
    spec: &'a Spec,
    patterns: &'a Patterns<f32>,
    seed: u64,
    keep_going: KeepGoing<'a>,
    maps: Maps<'a>,
    bound: BTreeMap<Uninformed, Arc<Bound>>,
}

/// How one contender recalled the queries of a cell.
#[derive(Debug, Clone)]
pub(crate) struct Recalled {
    pub(crate) retrieved: Array2<f32>,
    pub(crate) errors: Array1<f64>,
    pub(crate) beta: Option<f64>,
    pub(crate) effective_beta: Option<f64>,
    pub(crate) stage1: Option<(usize, f64)>,
    pub(crate) seconds: f64,
}

impl Recalled {
    /// A recall by nothing that has parts, begun at this time.
    pub(crate) fn without_model(
        retrieved: Array2<f32>,
        errors: Array1<f64>,
        begun: Instant,
    ) -> Self {
        let seconds = begun.elapsed().as_secs_f64();
        Self { retrieved, errors, beta: None, effective_beta: None, stage1: None, seconds }
    }
}

/// A contender under a protocol, with a number of steps of Stage I.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) protocol: &'a Protocol,
    pub(crate) contender: Contender,
    pub(crate) steps: usize,
}

/// Scores and the time they took.
type Scores = Arc<(Array2<f32>, f64)>;

/// The queries of one corruption and level.
pub(crate) struct Cell<'m, 'a> {
    set: &'m mut MemorySet<'a>,
    damage: Corruption,
    bound: BTreeMap<Informed, Arc<Bound>>,
    queries: Array2<f32>,
    tuning: Array2<f32>,
    scores: BTreeMap<(Side, Compared), Scores>,
    /// Each β tuned so far, by contender, steps and protocol.
    tuned: BTreeMap<(Contender, usize, String), f64>,
}

impl<'a> MemorySet<'a> {
    /// The memory set of a seed.
    pub(crate) fn new(
        spec: &'a Spec,
        patterns: &'a Patterns<f32>,
        seed: u64,
        keep_going: KeepGoing<'a>,
    ) -> Self {
        let maps = Maps::new(patterns, &spec.stage1, seed, keep_going);
        Self { spec, patterns, seed, keep_going, maps, bound: BTreeMap::new() }
    }

    /// The map that an entry learns by a loss.
    fn map(&mut self, entry: Entry<'_>, loss: Loss) -> Result<Arc<Learned>> {
        self.maps.get(Recipe::new(loss, entry.protocol, entry.steps))
    }

    fn bound(&mut self, compared: Uninformed) -> Result<Arc<Bound>> {
        if let Some(bound) = self.bound.get(&compared) {
            return Ok(Arc::clone(bound));
        }
        let made = match compared {
            Uninformed::Dot => Made::free(Similarity::Dot),
            Uninformed::Euclidean => Made::free(Similarity::Euclidean),
            Uninformed::Manhattan => Made::free(Similarity::Manhattan),
            Uninformed::Cosine => Made::free(Similarity::Cosine),
            Uninformed::Features { recipe, normalised } => {
                Made::free(Similarity::Kernel(used(&self.maps.get(recipe)?.map, normalised)))
            }
            Uninformed::DenoisedMix => denoised_mix(self.patterns, self.seed, self.keep_going)?,
            Uninformed::AutoMix => auto_mix(self.patterns, self.seed)?,
        };
        let bound = Bound::new(made, self.patterns)?;
        self.bound.insert(compared, Arc::clone(&bound));
        Ok(bound)
    }
}

/// The map as it is used.
fn used(map: &LinearMap<f32>, normalised: bool) -> LinearMap<f32> {
    if normalised { map.clone().normalize_rows() } else { map.clone() }
}

impl<'m, 'a> Cell<'m, 'a> {
    /// Copies of the first patterns: `n_queries` of them to be recalled, `n_tuning` others to tune β by.
    pub(crate) fn new(
        set: &'m mut MemorySet<'a>,
        damage: Corruption,
        (n_queries, n_tuning): (usize, usize),
    ) -> Result<Self> {
        let corrupted = |n: usize, use_| {
            let stored = set.patterns.view();
            damage.apply(stored.slice(s![..n.min(stored.nrows()), ..]), seed_of(set.seed, use_))
        };
        let queries = corrupted(n_queries, Use::Queries)?;
        let tuning = corrupted(n_tuning, Use::Tuning)?;
        let (bound, scores, tuned) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { set, damage, bound, queries, tuning, scores, tuned })
    }

    /// The queries to be recalled.
    pub(crate) fn queries(&self) -> ArrayView2<'_, f32> {
        self.queries.view()
    }

    /// One update step of every query.
    pub(crate) fn recall(&mut self, entry: Entry<'_>) -> Result<Recalled> {
        let Some(parts) = entry.contender.parts() else { return self.query_itself(entry) };
        let learned = match entry.contender.loss() {
            None => None,
            Some(loss) => Some(self.set.map(entry, loss)?),
        };
        let scores = self.scores(Side::Test, entry, parts.comparison)?;
        // What the scores took comes with them: who asks first is not who pays.
        let begun = Instant::now();
        let beta = self.beta(entry, &parts, learned.as_deref())?;
        let retrieved = self.retrieve(entry, &parts, &scores.0, beta.unwrap_or(1.0))?;
        let errors = self.errors(retrieved.view(), entry.protocol)?;
        let own = begun.elapsed().as_secs_f64() + scores.1;
        let inner = if entry.protocol.has(Defect::BetaOutside) { beta.map(|_| 1.0) } else { beta };
        let factor = match (&learned, parts.comparison) {
            (Some(learned), Comparison::Features(_)) => Some(scale(entry, learned)),
            // The matched contenders take a β from the map and nothing else.
            (_, comparison) => (!comparison.has_map_of_its_own()).then_some(1.0),
        };
        Ok(Recalled {
            retrieved,
            errors,
            beta,
            effective_beta: inner.zip(factor).map(|(beta, factor)| beta * factor),
            seconds: own + learned.as_ref().map_or(0.0, |learned| learned.seconds),
            stage1: learned.map(|learned| (entry.steps, learned.loss)),
        })
    }

    /// The corrupted query as its own recall.
    fn query_itself(&self, entry: Entry<'_>) -> Result<Recalled> {
        let begun = Instant::now();
        let errors = self.errors(self.queries.view(), entry.protocol)?;
        Ok(Recalled::without_model(self.queries.clone(), errors, begun))
    }

    /// The β of an entry, if it has one.
    fn beta(
        &mut self,
        entry: Entry<'_>,
        parts: &Parts,
        learned: Option<&Learned>,
    ) -> Result<Option<f64>> {
        match (parts.beta, learned) {
            (Beta::None, _) => Ok(None),
            (Beta::Matched(loss), Some(learned)) => {
                let dense = Entry { contender: loss.dense(), ..entry };
                Ok(Some(self.chosen_beta(dense)? * scale(entry, learned)))
            }
            (Beta::Chosen, _) => Ok(self.bound(compared(entry, parts.comparison))?.beta),
            _ => self.chosen_beta(entry).map(Some),
        }
    }

    /// The β that the specification gives an entry, or the tuned one if its protocol says so.
    fn chosen_beta(&mut self, entry: Entry<'_>) -> Result<f64> {
        let given = self.set.spec.betas.get(&entry.contender).copied().unwrap_or(1.0);
        let (Some(tuning), Some(parts)) = (&entry.protocol.tuned, entry.contender.parts()) else {
            return Ok(given);
        };
        let key = (entry.contender, entry.steps, entry.protocol.name.clone());
        if let Some(&beta) = self.tuned.get(&key) {
            return Ok(beta);
        }
        let scores = self.scores(Side::Tuning, entry, parts.comparison)?;
        let beta = best_of(tuning, |beta| {
            let retrieved = self.retrieve(entry, &parts, &scores.0, beta)?;
            Ok(self.errors(retrieved.view(), entry.protocol)?.mean().unwrap_or(0.0))
        })?;
        self.tuned.insert(key, beta);
        Ok(beta)
    }

    fn bound(&mut self, compared: Compared) -> Result<Arc<Bound>> {
        let informed = match compared {
            Compared::Uninformed(uninformed) => return self.set.bound(uninformed),
            Compared::Informed(informed) => informed,
        };
        if let Some(bound) = self.bound.get(&informed) {
            return Ok(Arc::clone(bound));
        }
        let patterns = self.set.patterns;
        let (seed, keep_going) = (self.set.seed, self.set.keep_going);
        let made = informed.make(patterns, self.damage, seed, keep_going)?;
        let bound = Bound::new(made, patterns)?;
        self.bound.insert(informed, Arc::clone(&bound));
        Ok(bound)
    }

    /// Scores as the protocol has them: larger = closer, unless it is defective.
    fn scores(&mut self, side: Side, entry: Entry<'_>, comparison: Comparison) -> Result<Scores> {
        let compared = compared(entry, comparison);
        let scores = match self.scores.get(&(side, compared)) {
            Some(scores) => Arc::clone(scores),
            None => {
                let begun = Instant::now();
                let bound = self.bound(compared)?;
                let queries = match side {
                    Side::Test => &self.queries,
                    Side::Tuning => &self.tuning,
                };
                let scores = bound.keys.scores(queries.view());
                let scores = scores.map_err(|error| Error::memory("the scores", error))?;
                let scores = Arc::new((scores, begun.elapsed().as_secs_f64()));
                self.scores.insert((side, compared), Arc::clone(&scores));
                scores
            }
        };
        // −½‖ξ−x‖² to −‖ξ−x‖.
        let is_l2 = comparison == Comparison::L2;
        let flipped = comparison.is_distance() && entry.protocol.has(Defect::DistancesNotNegated);
        if !is_l2 && !flipped {
            return Ok(scores);
        }
        let sign = if flipped { -1.0 } else { 1.0 };
        let changed = scores.0.mapv(|score| {
            let score = if is_l2 { -(-2.0 * score).max(0.0).sqrt() } else { score };
            sign * score
        });
        Ok(Arc::new((changed, scores.1)))
    }

    /// What the scores recall.
    fn retrieve(
        &self,
        entry: Entry<'_>,
        parts: &Parts,
        scores: &Array2<f32>,
        beta: f64,
    ) -> Result<Array2<f32>> {
        let values = self.set.patterns.view();
        let failed = |error| Error::memory(format!("recall by {}", entry.contender), error);
        if let Some(degree) = entry.contender.degree()
            && entry.protocol.has(Defect::PolynomialNotNormalised)
        {
            return unnormalised(scores, degree, values).map_err(failed);
        }
        let outside = entry.protocol.has(Defect::BetaOutside);
        let inner = if outside { 1.0 } else { beta };
        let scores = scores.mapv(|score| inner * f64::from(score));
        let weights = parts.separation.weights(scores.view()).map_err(failed)?.weights;
        let outer = if outside { beta } else { 1.0 };
        let weights = weights.mapv(|weight| (outer * weight) as f32);
        // A large β leaves weight to few patterns.
        let held = |column: &usize| weights.column(*column).iter().any(|&weight| weight != 0.0);
        let held: Vec<usize> = (0..weights.ncols()).filter(held).collect();
        if (1..weights.ncols() / 2).contains(&held.len()) {
            let (weights, values) = (weights.select(Axis(1), &held), values.select(Axis(0), &held));
            return readout(weights.view(), values.view()).map_err(failed);
        }
        readout(weights.view(), values).map_err(failed)
    }

    /// The errors of the recall of the first queries.
    fn errors(&self, retrieved: ArrayView2<'_, f32>, protocol: &Protocol) -> Result<Array1<f64>> {
        let targets = self.set.patterns.view();
        let targets = targets.slice(s![..retrieved.nrows(), ..]);
        let range = protocol.has(Defect::ErrorClamped).then_some(CLAMPED);
        metrics::sum_squared_error(targets, retrieved, range)
            .map_err(|error| Error::memory("the errors", error))
    }
}

/// What the scores of an entry depend on.
fn compared(entry: Entry<'_>, comparison: Comparison) -> Compared {
    Compared::Uninformed(match comparison {
        Comparison::Channel => return Compared::Informed(Informed::Channel),
        Comparison::Whitened => return Compared::Informed(Informed::Whitened),
        Comparison::Denoised => return Compared::Informed(Informed::Denoised),
        Comparison::Auto => return Compared::Informed(Informed::Auto),
        Comparison::Dot => Uninformed::Dot,
        Comparison::L2 | Comparison::SquaredEuclidean => Uninformed::Euclidean,
        Comparison::Manhattan => Uninformed::Manhattan,
        Comparison::Cosine => Uninformed::Cosine,
        Comparison::Features(loss) => Uninformed::Features {
            recipe: Recipe::new(loss, entry.protocol, entry.steps),
            normalised: !entry.protocol.has(Defect::RowsNotNormalised),
        },
        Comparison::DenoisedMix => Uninformed::DenoisedMix,
        Comparison::AutoMix => Uninformed::AutoMix,
    })
}

/// What the released error function clamps both sides to.
const CLAMPED: RangeInclusive<f64> = 0.0..=1.0;

/// tr(WᵀW)/dim of the map as it is used: what it multiplies β by, all else equal.
fn scale(entry: Entry<'_>, learned: &Learned) -> f64 {
    let map = used(&learned.map, !entry.protocol.has(Defect::RowsNotNormalised));
    let trace: f64 = map.weight().iter().map(|&w| f64::from(w).powi(2)).sum();
    trace / map.dim() as f64
}

/// Σ_μ ⟨ξ_μ,x⟩ⁿ ξ_μ, which may be as large as f32 goes.
fn unnormalised(
    scores: &Array2<f32>,
    degree: i32,
    values: ArrayView2<'_, f32>,
) -> uhop::Result<Array2<f32>> {
    let powers = scores.mapv(|score| f64::from(score).powi(degree));
    let largest = powers.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Ok(Array2::zeros((scores.nrows(), values.ncols())));
    }
    let relative = powers.mapv(|power| (power / largest) as f32);
    let limit = f64::from(f32::MAX);
    Ok(readout(relative.view(), values)?
        .mapv(|x| (f64::from(x) * largest).clamp(-limit, limit) as f32))
}

/// The β with the smallest error: of the grid, where of several in a row that are equal it is the middle one,
/// or of those that follow either end of it for as long as the error does not rise, or until it is that of the limit
/// if that is less than any so far.
///
/// An end is followed even where it is not the best of the grid: the error may fall twice, towards the one pattern
/// that is nearest and towards the mean of all. And where each query has but one pattern left, it stays the same.
fn best_of(tuning: &Tuning, error: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let grid = tuning.grid();
    let errors: Vec<f64> = grid.iter().map(|&beta| error(beta)).collect::<Result<_>>()?;
    let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let first = errors.iter().position(|&error| error == least).unwrap_or(0);
    let n_equal = errors[first..].iter().take_while(|&&error| error == least).count();
    let mut best = (grid[first + (n_equal - 1) / 2], least);
    let last = grid.len() - 1;
    // Of one β there is no ratio.
    if grid[0] == grid[last] {
        return Ok(best.0);
    }
    let ratio = (grid[1] / grid[0]).max(LEAST_RATIO);
    for (end, ratio, limit) in [(0, 1.0 / ratio, SMALLEST), (last, ratio, LARGEST)] {
        let settled = error(limit)?;
        let (mut beta, mut found) = (grid[end], errors[end]);
        let mut lowest = found;
        while found != settled && (found <= lowest || settled < best.1) {
            beta *= ratio;
            if !(SMALLEST..LARGEST).contains(&beta) {
                break;
            }
            found = error(beta)?;
            lowest = lowest.min(found);
            if found < best.1 {
                best = (beta, found);
            }
        }
    }
    Ok(best.0)
}

/// From one β to the next beyond a grid, so that a grid however fine has not far to go.
const LEAST_RATIO: f64 = 1.1;

/// β by which the weights of images are all equal.
const SMALLEST: f64 = 1e-30;

/// β by which all weights but the largest are 0. What a β outside makes of them is finite in f32.
const LARGEST: f64 = 1e30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_beta_is_the_middle_of_the_best() {
        let tuning = Tuning { from: 1.0, to: 16.0, points: 5, queries: 1 };
        // Beyond the grid all errors are larger.
        let at = |errors: [f64; 5]| {
            let grid = tuning.grid();
            let index = |beta: f64| grid.iter().position(|&b| b == beta);
            let error = |beta| Ok(index(beta).map_or(4.0, |i| errors[i]));
            index(best_of(&tuning, error).unwrap()).unwrap()
        };
        assert_eq!(at([3.0, 2.0, 1.0, 2.0, 3.0]), 2);
        assert_eq!(at([3.0, 0.0, 0.0, 0.0, 3.0]), 2);
        assert_eq!(at([3.0, 2.0, 0.0, 0.0, 0.0]), 3);
        assert_eq!(at([0.0, 2.0, 0.0, 0.0, 0.0]), 0);
        assert_eq!(at([0.0; 5]), 2);
    }

    /// Parabolas in ln β, least within the grid, beyond each end and at the last β that is tried.
    #[test]
    fn the_best_beta_is_found_beyond_the_grid() {
        let tuning = Tuning { from: 1.0, to: 16.0, points: 5, queries: 1 };
        // Of the powers of 2, in ratios of a rounded 2: as many roundings as steps, of ends and ratio too.
        let near = |found: f64, expected: f64| (found / expected).ln().abs() < 400.0 * f64::EPSILON;
        for power in [-90, -7, -1, 0, 3, 4, 5, 60] {
            let error = |beta: f64| Ok((beta.log2() - f64::from(power)).powi(2));
            let found = best_of(&tuning, error).unwrap();
            assert!(near(found, f64::from(power).exp2()), "{power}: {found}");
        }
        // From the better of two valleys an end leads to the other, if that is deeper.
        for (depth, expected) in [(0.5, 0.125), (2.0, 4.0)] {
            let error = |beta: f64| {
                let valley = |power: f64| (beta.log2() - power).powi(2);
                Ok((valley(-3.0) + depth).min(valley(2.0) + 1.0))
            };
            let found = best_of(&tuning, error).unwrap();
            assert!(near(found, expected), "{depth}: {found}");
        }
        // What stays the same is followed too, until it is as at the limit.
        let stairs = |errors: [f64; 3], first: f64, beta: f64| {
            errors[[first, 0.1].iter().filter(|&&step| beta >= step).count()]
        };
        let calls = std::cell::Cell::new(0);
        let step = |beta| {
            calls.set(calls.get() + 1);
            Ok(stairs([2.0, 1.0, 3.0], 0.01, beta))
        };
        let found = best_of(&tuning, step).unwrap();
        assert!(near(found, 0.0625), "{found}");
        // The grid, both limits, four that are equal, three below them and the one that is worse.
        assert_eq!(calls.get(), 5 + 2 + 3 + 3 + 1);
        // So is what rises, to a limit that is below all of the grid.
        let hill = |beta| Ok(stairs([1.0, 3.0, 2.0], 1e-3, beta));
        let found = best_of(&tuning, hill).unwrap();
        assert!(near(found, (-10.0_f64).exp2()), "{found}");
        // What never rises ends; what is as good at the end as before it is not left.
        let falling = best_of(&tuning, |beta| Ok(1.0 / beta)).unwrap();
        assert!((1e29..1e30).contains(&falling), "{falling}");
        let flat = best_of(&tuning, |beta| Ok(f64::from(u8::from(beta < 3.0)))).unwrap();
        assert!(near(flat, 8.0), "{flat}");
        let one = Tuning { points: 1, ..tuning };
        assert!(near(best_of(&one, Ok).unwrap(), 1.0));
        let one = Tuning { from: 2.0, to: 2.0, ..tuning };
        assert!(near(best_of(&one, Ok).unwrap(), 2.0));
        // A grid so fine that it would take for ever by its own ratio.
        let fine = Tuning { to: 1.0 + 1e-9, ..tuning };
        let found = best_of(&fine, |beta| Ok((beta.log2() - 9.0).powi(2))).unwrap();
        assert!((found.log2() - 9.0).abs() < LEAST_RATIO.log2() / 2.0 + 1e-6, "{found}");
    }

    #[test]
    fn the_grid_is_even_in_its_logarithm() {
        let grid = Tuning { from: 0.01, to: 100.0, points: 5, queries: 1 }.grid();
        for (found, expected) in grid.iter().zip([0.01, 0.1, 1.0, 10.0, 100.0]) {
            // Logarithms below 5 and their exponential, each rounded.
            assert!((found / expected - 1.0).abs() < 16.0 * f64::EPSILON, "{grid:?}");
        }
        let one = Tuning { from: 2.0, to: 8.0, points: 1, queries: 1 }.grid();
        assert!((one[0] - 2.0).abs() < 4.0 * f64::EPSILON, "{one:?}");
    }

    /// Numbers far beyond f32 are cut off, not infinite.
    #[test]
    fn an_unnormalised_polynomial_stays_finite() {
        let scores = ndarray::array![[1e5_f32, 1.0], [0.0, 0.0]];
        let values = ndarray::array![[1.0_f32, 0.0], [0.0, 1.0]];
        let recalled = unnormalised(&scores, 10, values.view()).unwrap();
        assert_eq!(recalled[[0, 0]], f32::MAX);
        assert_eq!(recalled.row(1), ndarray::array![0.0, 0.0]);
    }
}
