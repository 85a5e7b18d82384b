//! Stage I of a memory set: each map learned once, whoever uses it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use uhop::stage1::{Batches, Optimizer, Params, SeparationLoss, StopReason, learn};
use uhop::{LinearMap, Patterns};

use crate::error::{Error, Result};
use crate::seeds::{Use, seed_of};
use crate::spec::{Defect, Loss, Protocol, Stage1};

/// How a map was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Recipe {
    loss: Loss,
    half: bool,
    decaying: bool,
    steps: usize,
}

impl Recipe {
    /// How a protocol learns by a loss.
    pub(crate) fn new(loss: Loss, protocol: &Protocol, steps: usize) -> Self {
        Self {
            loss,
            half: protocol.has(Defect::HalfOfMemoriesTrained),
            // The released code has it in the function that trains the average loss alone.
            decaying: loss == Loss::Average && protocol.has(Defect::DecayingRate),
            steps,
        }
    }
}

/// A map as learned: its rows are not normalised yet.
#[derive(Debug, Clone)]
pub(crate) struct Learned {
    pub(crate) map: LinearMap<f32>,
    pub(crate) loss: f64,
    pub(crate) seconds: f64,
}

/// The maps of one memory set.
pub(crate) struct Maps<'a> {
    patterns: &'a Patterns<f32>,
    stage1: &'a Stage1,
    seed: u64,
    keep_going: &'a (dyn Fn() -> bool + Sync),
    learned: BTreeMap<Recipe, Arc<Learned>>,
}

impl<'a> Maps<'a> {
    pub(crate) fn new(
        patterns: &'a Patterns<f32>,
        stage1: &'a Stage1,
        seed: u64,
        keep_going: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        Self { patterns, stage1, seed, keep_going, learned: BTreeMap::new() }
    }

    /// The map of a recipe.
    ///
    /// Gradient descent at a constant rate has no state but W, so that a run goes on from the map
    /// with fewer steps and ends in the map of a single run, up to rounding.
    ///
    /// # Errors
    /// Those of the library; [`is_stopped`](Error::is_stopped) when asked to stop meanwhile.
    pub(crate) fn get(&mut self, recipe: Recipe) -> Result<Arc<Learned>> {
        if let Some(learned) = self.learned.get(&recipe) {
            return Ok(Arc::clone(learned));
        }
        let what = || format!("Stage I of {} patterns", self.patterns.n_patterns());
        let earlier = self.stage1.steps.iter().rev().filter(|&&steps| steps < recipe.steps);
        let mut earlier = earlier.map(|&steps| Recipe { steps, ..recipe });
        let before = earlier.find_map(|recipe| Some((recipe.steps, self.learned.get(&recipe)?)));
        let dim = self.patterns.dim();
        let (steps_before, start, seconds_before) = match before {
            Some((steps, learned)) => (steps, learned.map.clone(), learned.seconds),
            None => {
                let seed = seed_of(self.seed, Use::Start);
                let dim_features = self.stage1.dim_features.unwrap_or(dim);
                let map = LinearMap::random_normal(dim_features, dim, seed);
                (0, map.map_err(|error| Error::memory(what(), error))?, 0.0)
            }
        };
        let begun = Instant::now();
        let run = || -> uhop::Result<_> {
            let trained = if recipe.half {
                // Of one pattern there is no pair: two at least.
                let half = (self.patterns.n_patterns() / 2).max(2).min(self.patterns.n_patterns());
                self.patterns.first(half)?
            } else {
                self.patterns.clone()
            };
            let loss = match recipe.loss {
                Loss::Average => SeparationLoss::average(),
                Loss::Max => SeparationLoss::max(),
            };
            let optimizer = match (recipe.loss, recipe.decaying) {
                (Loss::Max, _) => Optimizer::gradient_descent(self.stage1.max_rate)?,
                (Loss::Average, false) => Optimizer::gradient_descent(self.stage1.average_rate)?,
                (Loss::Average, true) => Optimizer::published_decay(self.stage1.average_rate)?,
            };
            let params = Params::new(loss, optimizer, recipe.steps - steps_before)?.keep_rows();
            let batch = self.stage1.average_batch.filter(|&size| size < trained.n_patterns());
            let params = match (recipe.loss, batch) {
                (Loss::Average, Some(size)) => {
                    params.with_batches(Batches::new(size, seed_of(self.seed, Use::Batches))?)?
                }
                _ => params,
            };
            // The rate falls at every step: after one that f32 cannot tell from none there is no other.
            let params =
                if recipe.decaying { params.with_tolerance(f64::MIN_POSITIVE)? } else { params };
            learn(&trained, start, &params, |_| {
                if (self.keep_going)() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        };
        let report = run().map_err(|error| Error::memory(what(), error))?;
        if report.stop == StopReason::Observer {
            return Err(Error::stopped(0, 0));
        }
        let learned = Arc::new(Learned {
            map: report.map,
            loss: report.losses[report.steps],
            seconds: seconds_before + begun.elapsed().as_secs_f64(),
        });
        self.learned.insert(recipe, Arc::clone(&learned));
        Ok(learned)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A step that does not change the loss moves W by rounding at most, and those left out by less, as
    /// their rates are a part of its own: together by no more than an entry's rounding twice.
    #[test]
    fn a_decaying_rate_is_followed_as_long_as_it_moves_anything() {
        let rows = ndarray::Array2::from_shape_fn((40, 12), |(i, j)| {
            ((1 + i * 7 + j * 3 + i * j) as f32 * 0.37).sin()
        });
        let patterns = Patterns::new(rows).unwrap();
        let stage1 = Stage1 {
            steps: vec![100],
            dim_features: None,
            average_rate: 1.0,
            max_rate: 1.0,
            average_batch: None,
        };
        let looks = AtomicUsize::new(0);
        let look = || looks.fetch_add(1, Ordering::Relaxed) < usize::MAX;
        let recipe = Recipe { loss: Loss::Average, half: false, decaying: true, steps: 100 };
        let learned = Maps::new(&patterns, &stage1, 3, &look).get(recipe).unwrap();
        let made = looks.load(Ordering::Relaxed);
        assert!((5..50).contains(&made), "{made}");

        let optimizer = Optimizer::published_decay(1.0).unwrap();
        let params = Params::new(SeparationLoss::average(), optimizer, 100).unwrap().keep_rows();
        let start = LinearMap::random_normal(12, 12, seed_of(3, Use::Start)).unwrap();
        let all = learn(&patterns, start, &params, |_| ControlFlow::Continue(())).unwrap();
        for (found, expected) in learned.map.weight().iter().zip(all.map.weight()) {
            assert!((found - expected).abs() <= 2.0 * f32::EPSILON * expected.abs().max(1.0));
        }
    }

    #[test]
    fn the_average_loss_of_larger_memories_is_learned_on_batches() {
        let rows = ndarray::Array2::from_shape_fn((20, 6), |(i, j)| {
            ((1 + 5 * i + 3 * i * j) as f32).sin()
        });
        let patterns = Patterns::new(rows).unwrap();
        let map = |loss, average_batch, half| {
            let stage1 = Stage1 {
                steps: vec![3],
                dim_features: None,
                average_rate: 1.0,
                max_rate: 1.0,
                average_batch,
            };
            let recipe = Recipe { loss, half, decaying: false, steps: 3 };
            Maps::new(&patterns, &stage1, 3, &|| true).get(recipe).unwrap().map.clone()
        };
        let whole = map(Loss::Average, None, false);
        let batches = map(Loss::Average, Some(10), false);
        assert_ne!(batches, whole);
        assert_eq!(map(Loss::Average, Some(20), false), whole);
        // Half of the memory is one batch.
        assert_eq!(map(Loss::Average, Some(10), true), map(Loss::Average, None, true));
        assert_eq!(map(Loss::Max, Some(10), false), map(Loss::Max, None, false));

        let params =
            Params::new(SeparationLoss::average(), Optimizer::gradient_descent(1.0).unwrap(), 3);
        let drawn = Batches::new(10, seed_of(3, Use::Batches)).unwrap();
        let params = params.unwrap().keep_rows().with_batches(drawn).unwrap();
        let start = LinearMap::random_normal(6, 6, seed_of(3, Use::Start)).unwrap();
        let expected = learn(&patterns, start, &params, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(batches, expected.map);
    }
}
