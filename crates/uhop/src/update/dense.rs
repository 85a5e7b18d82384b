//! The update when every pattern may carry weight: sums relative to the best score so far.

use std::ops::{ControlFlow, Range};

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::{Pass, Update};
use crate::error::Result;
use crate::product::add_product;
use crate::scalar::Scalar;
use crate::separation::Shape;
use crate::simd::WeightSums;

/// What a shard has summed for a block of states.
struct Sums<T> {
    /// The best score; 0 while a polynomial has seen no positive one.
    best: Vec<T>,
    /// Σ of the weights relative to the best.
    total: Vec<f64>,
    /// Σ w ln w over the same weights.
    total_logs: Vec<f64>,
    /// Patterns with a weight above 0.
    n_above: Vec<usize>,
    /// Σ of the weights times the values, for each readout.
    readouts: Vec<Array2<T>>,
}

pub(super) fn update<T: Scalar>(pass: &Pass<'_, T>, shape: Shape) -> Result<Update<T>> {
    let blocks = pass.shards(|rows, patterns| sums(pass, shape, rows, patterns))?;
    let mut readouts = pass.room();
    let mut spread = Vec::with_capacity(pass.states.n_states());
    for (rows, shards) in blocks {
        for (i, readout) in readouts.iter_mut().enumerate() {
            let values = pass.readouts[i];
            readout
                .slice_mut(s![rows.clone(), ..])
                .axis_iter_mut(Axis(0))
                .into_par_iter()
                .enumerate()
                .for_each(|(row, mut result)| match joined(pass, &shards, shape, row, i) {
                    Some(sums) => result.zip_mut_with(&sums, |r, &sum| *r = T::narrow(sum)),
                    None => result.assign(&mean(values)),
                });
        }
        spread.extend((0..rows.len()).map(|row| match spread_of(pass, &shards, shape, row) {
            Some(spread) => spread,
            None => (pass.n_patterns(), pass.n_patterns() as f64),
        }));
    }
    Ok(pass.finish(readouts, spread))
}

/// One block of states against one shard.
fn sums<T: Scalar>(
    pass: &Pass<'_, T>,
    shape: Shape,
    rows: Range<usize>,
    patterns: Range<usize>,
) -> Result<Sums<T>> {
    let n = rows.len();
    let room = |values: &ArrayView2<'_, T>| Array2::zeros((n, values.ncols()));
    let mut sums = Sums {
        best: vec![T::narrow(shape.nothing()); n],
        total: vec![0.0; n],
        total_logs: vec![0.0; n],
        n_above: vec![0; n],
        readouts: pass.readouts.iter().map(room).collect(),
    };
    pass.tiles(rows, patterns, |tile, mut scores| {
        for (row, mut scores) in scores.outer_iter_mut().enumerate() {
            let scores = scores.as_slice_mut().expect("a row of a fresh tile");
            let (largest, _) = pass.extremes(scores)?;
            sums.improve(pass, shape, row, largest);
            sums.n_above[row] += scores.iter().filter(|&&score| shape.reaches(score)).count();
            let weights = match shape {
                Shape::Exponential => pass.model().exponentials(scores, sums.best[row]),
                Shape::Polynomial { .. } => powers(pass, shape, scores, sums.best[row]),
            };
            sums.total[row] += weights.total;
            sums.total_logs[row] += weights.total_logs;
        }
        for (sum, values) in sums.readouts.iter_mut().zip(&pass.readouts) {
            let values = values.slice(s![tile.clone(), ..]);
            add_product(sum.view_mut(), scores.view(), values);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(sums)
}

/// Replaces scores by the weights of a polynomial.
fn powers<T: Scalar>(pass: &Pass<'_, T>, shape: Shape, scores: &mut [T], best: T) -> WeightSums {
    let best = pass.model().beta_score(best);
    let mut sums = WeightSums { total: 0.0, total_logs: 0.0 };
    for score in scores {
        let z = pass.model().beta_score(*score);
        let weight = shape.weight(z, best);
        sums.total += weight;
        sums.total_logs += shape.weight_times_log(weight, z, best);
        // Products of denormal numbers are slow; beside a best weight of 1 these are nothing.
        let counts = weight >= T::min_positive_value().widen();
        *score = if counts { T::narrow(weight) } else { T::zero() };
    }
    sums
}

impl<T: Scalar> Sums<T> {
    /// Scales what has been summed to a better best score.
    fn improve(&mut self, pass: &Pass<'_, T>, shape: Shape, row: usize, best: T) {
        if best > self.best[row] {
            let old = std::mem::replace(&mut self.best[row], best);
            let (old, best) = (pass.model().beta_score(old), pass.model().beta_score(best));
            let factor = shape.weight(old, best);
            let factor_log = shape.weight_times_log(factor, old, best);
            self.total_logs[row] = factor * self.total_logs[row] + factor_log * self.total[row];
            self.total[row] *= factor;
            for readout in &mut self.readouts {
                readout.row_mut(row).mapv_inplace(|sum| sum * T::narrow(factor));
            }
        }
    }
}

/// Each shard of a state with its factor f to one best score, and f ln f: w becomes fw, and w ln w
/// becomes f(w ln w) + (f ln f)w.
fn factors<'a, T: Scalar>(
    pass: &'a Pass<'_, T>,
    shards: &'a [Sums<T>],
    shape: Shape,
    row: usize,
) -> impl Iterator<Item = (&'a Sums<T>, f64, f64)> {
    let best_of = move |shard: &Sums<T>| pass.model().beta_score(shard.best[row]);
    let best = shards.iter().map(best_of).fold(shape.nothing(), f64::max);
    shards.iter().map(move |shard| {
        let factor = shape.weight(best_of(shard), best);
        (shard, factor, shape.weight_times_log(factor, best_of(shard), best))
    })
}

/// Support size and perplexity of a state; nothing when no pattern has any weight.
///
/// With p = w/t, t = Σ w: −Σ p ln p = ln t − (Σ w ln w)/t.
fn spread_of<T: Scalar>(
    pass: &Pass<'_, T>,
    shards: &[Sums<T>],
    shape: Shape,
    row: usize,
) -> Option<(usize, f64)> {
    let (mut n_above, mut total, mut total_logs) = (0, 0.0, 0.0);
    for (shard, factor, factor_log) in factors(pass, shards, shape, row) {
        n_above += shard.n_above[row];
        total += factor * shard.total[row];
        total_logs += factor * shard.total_logs[row] + factor_log * shard.total[row];
    }
    (total > 0.0).then(|| (n_above, (total.ln() - total_logs / total).exp().max(1.0)))
}

/// The readout `i` of a state from all shards; nothing when no pattern has any weight.
fn joined<T: Scalar>(
    pass: &Pass<'_, T>,
    shards: &[Sums<T>],
    shape: Shape,
    row: usize,
    i: usize,
) -> Option<Array1<f64>> {
    let mut total = 0.0;
    let mut sums = Array1::zeros(shards[0].readouts[i].ncols());
    for (shard, factor, _) in factors(pass, shards, shape, row) {
        total += factor * shard.total[row];
        sums.zip_mut_with(&shard.readouts[i].row(row), |sum, part| *sum += factor * part.widen());
    }
    (total > 0.0).then(|| sums / total)
}

/// The readout of equal weights.
fn mean<T: Scalar>(values: ArrayView2<'_, T>) -> Array1<T> {
    let n = values.nrows() as f64;
    let mut mean = Array1::zeros(values.ncols());
    for value in values.outer_iter() {
        mean.zip_mut_with(&value, |mean, x| *mean += x.widen() / n);
    }
    mean.mapv(T::narrow)
}
