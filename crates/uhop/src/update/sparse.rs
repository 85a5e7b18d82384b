//! The update when few patterns can carry weight: candidates first, then the separation of those.

use std::ops::Range;

use ndarray::{ArrayViewMut1, Axis};
use rayon::prelude::*;

use super::{Pass, Update};
use crate::error::Result;
use crate::scalar::Scalar;
use crate::separation::perplexity;

/// Which scores a pattern needs to carry weight.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// Less than this below the best.
    Margin(f64),
    /// Among the k best, equal scores to the last of them included.
    Best(usize),
}

/// Patterns of one shard that may carry weight for one state, in their order.
struct Candidates<T> {
    found: Vec<(T, usize)>,
    /// The best score.
    best: T,
    /// Lower scores are out, whatever comes.
    least: T,
    /// Candidates at which to look again who is out.
    limit: usize,
}

pub(super) fn update<T: Scalar>(pass: &Pass<'_, T>, rule: Rule) -> Result<Update<T>> {
    let blocks = pass.shards(|rows, patterns| candidates(pass, rule, rows, patterns))?;
    let supports: Vec<(Vec<(T, usize)>, f64)> = blocks
        .par_iter()
        .flat_map(|(rows, shards)| {
            (0..rows.len()).into_par_iter().map(|row| support(pass, rule, shards, row))
        })
        .collect();
    let mut readouts = pass.room();
    for (readout, values) in readouts.iter_mut().zip(&pass.readouts) {
        readout.axis_iter_mut(Axis(0)).into_par_iter().zip(&supports).for_each(
            |(mut result, (support, _)): (ArrayViewMut1<'_, T>, _)| {
                for &(weight, pattern) in support {
                    result.zip_mut_with(&values.row(pattern), |sum, &x| *sum += weight * x);
                }
            },
        );
    }
    let spread = supports.iter().map(|(support, perplexity)| (support.len(), *perplexity));
    Ok(pass.finish(readouts, spread.collect()))
}

/// One block of states against one shard.
fn candidates<T: Scalar>(
    pass: &Pass<'_, T>,
    rule: Rule,
    rows: Range<usize>,
    patterns: Range<usize>,
) -> Result<Vec<Candidates<T>>> {
    let mut candidates: Vec<_> = rows.clone().map(|_| Candidates::new()).collect();
    pass.tiles(rows, patterns, |tile, scores| {
        for (scores, candidates) in scores.outer_iter().zip(&mut candidates) {
            let scores = scores.to_slice().expect("a row of a fresh tile");
            pass.extremes(scores)?;
            candidates.look_at(scores, tile.start, rule);
        }
        Ok(())
    })?;
    Ok(candidates)
}

impl<T: Scalar> Candidates<T> {
    fn new() -> Self {
        let low = T::neg_infinity();
        Self { found: Vec::new(), best: low, least: low, limit: 0 }
    }

    /// Takes in the scores of the patterns from `start` on.
    fn look_at(&mut self, scores: &[T], start: usize, rule: Rule) {
        let best = scores.iter().fold(self.best, |best, &s| if s > best { s } else { best });
        if best > self.best {
            self.best = best;
            self.least = rule.least(best).max(self.least);
        }
        for (i, &score) in scores.iter().enumerate() {
            if score >= self.least {
                self.found.push((score, start + i));
            }
        }
        if self.found.len() > self.limit {
            self.drop_out(rule);
        }
    }

    /// Forgets who is out by now.
    fn drop_out(&mut self, rule: Rule) {
        self.least = rule.least_of(&self.found).max(self.least);
        self.found.retain(|&(score, _)| score >= self.least);
        self.limit = 2 * self.found.len() + super::TILE;
    }
}

impl Rule {
    /// A score below which nobody carries weight beside this best one.
    fn least<T: Scalar>(self, best: T) -> T {
        match self {
            // Lower by some roundings of each operation: who is let in here for nothing gets the
            // weight 0 from the separation.
            Self::Margin(margin) => {
                let least = best.widen() - margin * (1.0 + 8.0 * f64::EPSILON);
                T::narrow(least - 4.0 * T::epsilon().widen() * least.abs())
            }
            Self::Best(_) => T::neg_infinity(),
        }
    }

    /// A score below which nobody carries weight beside these.
    fn least_of<T: Scalar>(self, found: &[(T, usize)]) -> T {
        match self {
            Self::Best(k) if k < found.len() => {
                let mut scores: Vec<T> = found.iter().map(|&(score, _)| score).collect();
                let descending = |a: &T, b: &T| b.widen().total_cmp(&a.widen());
                *scores.select_nth_unstable_by(k - 1, descending).1
            }
            _ => T::neg_infinity(),
        }
    }
}

/// The patterns with weight for one state, in their order, and their weights; and the perplexity.
fn support<T: Scalar>(
    pass: &Pass<'_, T>,
    rule: Rule,
    shards: &[Vec<Candidates<T>>],
    row: usize,
) -> (Vec<(T, usize)>, f64) {
    let shards = || shards.iter().map(|shard| &shard[row]);
    let best = shards().map(|shard| shard.best).fold(T::neg_infinity(), T::max);
    let least = rule.least(best);
    let found: Vec<(T, usize)> = shards()
        .flat_map(|shard| &shard.found)
        .filter(|(score, _)| *score >= least)
        .copied()
        .collect();
    let mut weights: Vec<f64> =
        found.iter().map(|&(score, _)| pass.model().beta_score(score)).collect();
    pass.model().separation().weights_in_place(&mut weights);
    let perplexity = perplexity(&weights);
    let rounded = weights.into_iter().map(T::narrow).zip(found);
    let support = rounded.filter(|&(p, _)| p > T::zero());
    (support.map(|(p, (_, pattern))| (p, pattern)).collect(), perplexity)
}
