//! The largest memory that still recalls.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView1, Axis};
use uhop::stage1::{Optimizer, Params, SeparationLoss, StopReason, learn};
use uhop::{Dynamics, LinearMap, Memory, Model, Patterns};

use super::Spec;
use crate::error::{Error, Result};
use crate::seeds::{Use, seed_of};

/// Memories of one seed, each the first patterns of a larger one, with their maps as far as learned.
pub(super) struct Memories<'a> {
    pub(super) spec: &'a Spec,
    pub(super) dim: usize,
    pub(super) seed: u64,
    /// Features of U-Hop; none for the plain models.
    pub(super) dim_features: Option<usize>,
    /// Fails when the run is to stop.
    pub(super) go_on: &'a dyn Fn() -> Result<()>,
    pub(super) maps: BTreeMap<usize, LinearMap<f32>>,
}

impl Memories<'_> {
    /// The largest memory that `model` recalls.
    pub(super) fn largest(&mut self, model: &Model<f32>) -> Result<Found> {
        let Spec { limit, precision, share, .. } = *self.spec;
        largest(limit, precision, share, |n| self.recalled(n, model))
    }

    /// The share of `n` patterns that `model`, at its β as the effective one, recalls.
    fn recalled(&mut self, n: usize, model: &Model<f32>) -> Result<f64> {
        (self.go_on)()?;
        let what = format!("{n} random patterns");
        let failed = |error| Error::memory(&*what, error);
        let patterns = self.patterns(n).map_err(failed)?;
        let map = self.map(&patterns)?;
        let recall = || -> uhop::Result<f64> {
            let model = match map {
                Some(map) => {
                    let separation = model.separation();
                    let mapped = model.clone().with_feature_map(map);
                    let beta = model.beta() / (mapped.effective_beta() / model.beta());
                    Model::new(mapped.similarity().clone(), separation, beta)?
                }
                None => model.clone(),
            };
            let (queries, asked) = self.queries(&patterns)?;
            let dynamics = Dynamics::steps(self.spec.updates)?;
            let memory = Memory::new(patterns.clone(), model)?;
            let states = memory.retrieve(queries.view(), &dynamics)?.retrieved;
            let pairs = states.outer_iter().zip(&asked);
            let recalled =
                pairs.filter(|(state, i)| cosine(*state, patterns.row(**i)) >= self.spec.cosine);
            Ok(recalled.count() as f64 / queries.nrows() as f64)
        };
        recall().map_err(failed)
    }

    fn patterns(&self, n: usize) -> uhop::Result<Patterns<f32>> {
        let seed = seed_of(self.seed, Use::Memory);
        Patterns::new(directions(n, self.dim, seed)?)
    }

    /// The patterns in turn, as often as there are queries, each time with noise in another direction; and which pattern
    /// each is.
    fn queries(&self, patterns: &Patterns<f32>) -> uhop::Result<(Array2<f32>, Vec<usize>)> {
        let n = self.spec.n_queries;
        let noise = directions(n, self.dim, seed_of(self.seed, Use::Queries))?;
        let asked: Vec<usize> = (0..n).map(|i| i % patterns.n_patterns()).collect();
        let exact = patterns.view().select(Axis(0), &asked);
        Ok((exact + noise * self.spec.noise_norm as f32, asked))
    }

    /// The map that Stage I learns from these patterns, learned once.
    fn map(&mut self, patterns: &Patterns<f32>) -> Result<Option<LinearMap<f32>>> {
        let Some(dim_features) = self.dim_features else { return Ok(None) };
        let entry = match self.maps.entry(patterns.n_patterns()) {
            Entry::Occupied(entry) => return Ok(Some(entry.get().clone())),
            Entry::Vacant(entry) => entry,
        };
        let (dim, seed, stage1) = (self.dim, seed_of(self.seed, Use::Start), self.spec.stage1);
        let run = || -> uhop::Result<_> {
            let start = LinearMap::orthogonal(dim_features, dim, seed)?;
            let optimizer = Optimizer::adam(stage1.rate)?;
            let params = Params::new(SeparationLoss::average(), optimizer, stage1.steps)?;
            learn(patterns, start, &params, |_| match (self.go_on)() {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        };
        let what = || format!("Stage I of {} random patterns", patterns.n_patterns());
        let report = run().map_err(|error| Error::memory(what(), error))?;
        if report.stop == StopReason::Observer {
            return Err(Error::stopped(0, 0));
        }
        Ok(Some(entry.insert(report.map).clone()))
    }
}

/// Rows uniform on the unit sphere; fewer of the same seed are the first of them.
fn directions(n: usize, dim: usize, seed: u64) -> uhop::Result<Array2<f32>> {
    Ok(LinearMap::random_normal(n, dim, seed)?.normalize_rows().weight().to_owned())
}

fn cosine(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    f64::from(a.dot(&b)) / f64::from(a.dot(&a) * b.dot(&b)).sqrt()
}

/// Where the memories of one model end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// The largest number recalled.
    pub(super) largest: usize,
    /// The share of its queries recalled.
    pub(super) share: f64,
    /// The smallest number tried that is not recalled.
    pub(super) fails_from: Option<usize>,
}

/// The largest number up to `limit` at which `share_of` is at least `least`: the last of 2, 4, 8 … that has it,
/// whatever fails before, then by halves. One pattern is always recalled.
fn largest(
    limit: usize,
    precision: f64,
    least: f64,
    mut share_of: impl FnMut(usize) -> Result<f64>,
) -> Result<Found> {
    let mut fails_from = None;
    let (mut low, mut share, mut high) = (1, 1.0, None);
    let doubled = std::iter::successors(Some(1_usize), |n| n.checked_mul(2));
    for n in doubled.skip(1).take_while(|n| *n < limit).chain((limit > 1).then_some(limit)) {
        match share_of(n)? {
            enough if enough >= least => (low, share, high) = (n, enough, None),
            _ => {
                high = high.or(Some(n));
                fails_from = fails_from.or(Some(n));
            }
        }
    }
    let Some(mut high) = high else {
        return Ok(Found { largest: low, share, fails_from });
    };
    while high - low > 1 && (high - low) as f64 > precision * low as f64 {
        let middle = low + (high - low) / 2;
        match share_of(middle)? {
            enough if enough >= least => (low, share) = (middle, enough),
            _ => {
                high = middle;
                fails_from = fails_from.map(|n: usize| n.min(middle));
            }
        }
    }
    Ok(Found { largest: low, share, fails_from })
}

#[cfg(test)]
mod tests {
    use ndarray::s;

    use super::*;

    /// Of a share that falls once, the last number before it falls.
    #[test]
    fn the_largest_number_is_found() {
        for limit in [1, 2, 3, 40, 64, 100] {
            for last in 1..=2 * limit {
                let of = |n: usize| Ok(if n <= last { 0.96 } else { 0.5 });
                let exact = largest(limit, f64::MIN_POSITIVE, 0.95, of).unwrap();
                let (found, share) = (exact.largest, exact.share);
                assert_eq!(found, last.min(limit));
                assert_eq!(exact.fails_from, (last < limit).then_some(last + 1));
                assert_eq!(share, if found == 1 { 1.0 } else { 0.96 });
                let rough = largest(limit, 0.1, 0.95, of).unwrap().largest;
                assert!(
                    rough <= found && found as f64 <= 1.1 * rough as f64 + 1.0,
                    "{rough} {found}"
                );
            }
        }
    }

    /// What fails below does not end the search.
    #[test]
    fn a_number_that_fails_below_is_no_end() {
        let of = |n: usize| Ok(if (5..15).contains(&n) || n > 50 { 0.5 } else { 1.0 });
        let found = largest(100, f64::MIN_POSITIVE, 0.95, of).unwrap();
        assert_eq!(found, Found { largest: 50, share: 1.0, fails_from: Some(8) });
    }

    #[test]
    fn directions_are_nested_and_of_length_one() {
        let (many, few) = (directions(50, 3, 7).unwrap(), directions(5, 3, 7).unwrap());
        assert_eq!(many.slice(s![..5, ..]), few);
        for row in many.outer_iter() {
            // A sum of three squares, each an ulp off, and the root.
            assert!((f64::from(row.dot(&row)) - 1.0).abs() < 8.0 * f64::from(f32::EPSILON));
        }
    }
}
