//! One update x⁺ = pᵀΞ of a batch of states, in one pass over the memory.
//!
//! The scores of a tile of patterns are computed, turned into weights and read out before the next
//! tile is looked at, so that the scores of all patterns are never held at once. The slow and clear
//! way, all scores, all weights, one product, is [`Memory::weights`] and [`readout`](crate::readout()).
//!
//! **Every pattern may carry weight** (softmax, polynomial): weights are kept relative to the best
//! score so far, and all sums scaled down when a better one comes. **Few can** (α > 1, top-k): a
//! pattern is out when its score is 1/(β(α−1)) below the best so far, or below the best k so far.
//! What is left at the end is a short row, to which the separation is applied as it is to a long one. Where many are
//! left of each of many states, fewer states are looked at at once.
//!
//! The memory is cut into shards and the states into blocks, by their numbers alone; a task is one
//! block against one shard, in one thread; the results of the shards are joined in their order. So
//! nothing depends on the number of threads.

mod candidates;
mod dense;
mod screened;
mod sparse;

use std::ops::{ControlFlow, Range};

use ndarray::{Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::error::Result;
use crate::memory::Memory;
use crate::model::{Model, beta_overflow};
use crate::scalar::Scalar;
use crate::separation::Reach;
use crate::simd;
use crate::similarity::Prepared;
use candidates::{Rule, Support};

/// Patterns scored at a time: their part of the memory and the scores stay in a core's cache.
const TILE: usize = 512;
/// Shards at most: what they hold before they are joined is as many times the readout.
const MAX_SHARDS: usize = 16;
/// States of a task when the memory has enough shards to share; they amortise reading a tile.
const MANY_STATES: usize = 256;
/// States of a task when only the states can be shared.
const FEW_STATES: usize = 64;

/// What an update gives.
pub(crate) struct Update<T> {
    /// pᵀΞ, `[n_states, dim]`.
    pub(crate) next: Array2<T>,
    /// pᵀV, `[n_states, dim_out]`, for values other than the patterns.
    pub(crate) output: Option<Array2<T>>,
    /// Patterns that carry weight, for each state: all of them for softmax, however small.
    pub(crate) support_size: Vec<usize>,
    /// exp(−Σ p ln p), for each state.
    pub(crate) perplexity: Vec<f64>,
}

/// A batch being updated.
struct Pass<'a, T> {
    memory: &'a Memory<T>,
    states: Prepared<'a, T>,
    /// Ξ, and V when it is another.
    readouts: Vec<ArrayView2<'a, T>>,
}

impl<T: Scalar> Memory<T> {
    /// One update of every state, `[n_states, dim]`.
    pub(crate) fn update_of_checked(&self, states: ArrayView2<'_, T>) -> Result<Update<T>> {
        let pass = Pass::new(self, states)?;
        let Some(screen) = self.screen() else { return pass.update() };
        let screened::Screened { mut update, flat } = screened::update(&pass, screen)?;
        if !flat.is_empty() {
            let of_flat = Pass::new(self, states.select(Axis(0), &flat).view())?.update()?;
            update.replace(&flat, of_flat);
        }
        Ok(update)
    }

    /// The weights by which a state is updated, `[n_states, n_patterns]`.
    ///
    /// Where few patterns carry weight these are scored once more by an update, more closely than all of them are by
    /// [`weights`](Memory::weights): among those that score alike it may be another that is chosen.
    pub(crate) fn weights_of_update(&self, states: ArrayView2<'_, T>) -> Result<Array2<T>> {
        let pass = || Pass::new(self, states);
        match self.model().separation().reach() {
            Reach::All(_) => Ok(self.weights_of_checked(states)?.weights),
            Reach::Margin(margin) => pass().and_then(|p| sparse::weights(&p, p.within(margin))),
            Reach::Best(k) => pass().and_then(|pass| sparse::weights(&pass, Rule::Best(k))),
        }
    }
}

impl<T: Scalar> Update<T> {
    /// Puts the states of another update in the place of some.
    fn replace(&mut self, rows: &[usize], other: Self) {
        for (i, &row) in rows.iter().enumerate() {
            self.next.row_mut(row).assign(&other.next.row(i));
            if let (Some(output), Some(other)) = (&mut self.output, &other.output) {
                output.row_mut(row).assign(&other.row(i));
            }
            self.support_size[row] = other.support_size[i];
            self.perplexity[row] = other.perplexity[i];
        }
    }
}

impl<'a, T: Scalar> Pass<'a, T> {
    fn new(memory: &'a Memory<T>, states: ArrayView2<'a, T>) -> Result<Self> {
        let mut readouts = vec![memory.patterns().view()];
        if !memory.is_auto_associative() {
            readouts.push(memory.values().view());
        }
        Ok(Self { memory, states: memory.keys().prepare(states)?, readouts })
    }

    /// By all the scores.
    fn update(&self) -> Result<Update<T>> {
        match self.model().separation().reach() {
            Reach::All(shape) => dense::update(self, shape),
            Reach::Margin(margin) => sparse::update(self, self.within(margin)),
            Reach::Best(k) => sparse::update(self, Rule::Best(k)),
        }
    }

    /// The rule by which a pattern within this of the best, times β, carries weight.
    fn within(&self, margin: f64) -> Rule {
        Rule::Margin(self.model().score_margin(margin))
    }

    fn n_patterns(&self) -> usize {
        self.memory.patterns().n_patterns()
    }

    fn model(&self) -> &Model<T> {
        self.memory.model()
    }

    /// The shards of the memory, and the blocks of states.
    fn parts(&self) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let n_shards = self.n_patterns().div_ceil(TILE).min(MAX_SHARDS);
        let shard = self.n_patterns().div_ceil(n_shards).next_multiple_of(TILE);
        let block = if n_shards == MAX_SHARDS { MANY_STATES } else { FEW_STATES };
        let blocks = pieces(0..self.states.n_states(), block).collect();
        (pieces(0..self.n_patterns(), shard).collect(), blocks)
    }

    /// The blocks of states, and for each the results of its shards in order.
    fn shards<R: Send>(
        &self,
        work: impl Fn(Range<usize>, Range<usize>) -> Result<R> + Sync,
    ) -> Result<Vec<(Range<usize>, Vec<R>)>> {
        let (shards, blocks) = self.parts();
        blocks
            .into_par_iter()
            .map(|rows| {
                let of_shard = |patterns: &Range<usize>| work(rows.clone(), patterns.clone());
                let results: Result<Vec<R>> = shards.par_iter().map(of_shard).collect();
                Ok((rows.clone(), results?))
            })
            .collect()
    }

    /// Shows the scores of some states against some patterns, tile by tile until told to stop: the patterns of a
    /// tile, and a row of finite scores for each state, which may be overwritten.
    fn tiles(
        &self,
        rows: Range<usize>,
        patterns: Range<usize>,
        mut visit: impl FnMut(Range<usize>, ArrayViewMut2<'_, T>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut buffer = vec![T::zero(); rows.len() * TILE.min(patterns.len())];
        for tile in pieces(patterns, TILE) {
            let shape = (rows.len(), tile.len());
            let buffer = &mut buffer[..rows.len() * tile.len()];
            let mut scores =
                ArrayViewMut2::from_shape(shape, buffer).expect("as many entries as the shape has");
            let keys = self.memory.keys();
            keys.scores_into(&self.states, rows.clone(), tile.clone(), scores.view_mut())?;
            if visit(tile, scores)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The largest and the smallest score of a row, which are finite, and stay so after β.
    fn extremes(&self, scores: &[T]) -> Result<(T, T)> {
        let stays_finite = |score: T| self.model().beta_score(score).is_finite();
        simd::extremes(scores)
            .filter(|&(largest, smallest)| stays_finite(largest) && stays_finite(smallest))
            .ok_or_else(beta_overflow)
    }

    /// The update whose readouts are these, one for each of `readouts`; with the support size and
    /// the perplexity of each state.
    fn finish(&self, readouts: Vec<Array2<T>>, spread: Vec<(usize, f64)>) -> Update<T> {
        let mut readouts = readouts.into_iter();
        let next = readouts.next().expect("the patterns are read out first");
        let (support_size, perplexity) = spread.into_iter().unzip();
        Update { next, output: readouts.next(), support_size, perplexity }
    }

    /// The update by the patterns that carry weight for each state.
    fn read_out(&self, supports: &[Support<T>]) -> Update<T> {
        let mut readouts = self.room();
        for (readout, values) in readouts.iter_mut().zip(&self.readouts) {
            readout.axis_iter_mut(Axis(0)).into_par_iter().zip(supports).for_each(
                |(result, support): (ArrayViewMut1<'_, T>, _)| support.read_out(*values, result),
            );
        }
        let spread = supports.iter().map(|support| (support.weights.len(), support.perplexity));
        self.finish(readouts, spread.collect())
    }

    /// Room for the readouts of all states.
    fn room(&self) -> Vec<Array2<T>> {
        let n_states = self.states.n_states();
        self.readouts.iter().map(|values| Array2::zeros((n_states, values.ncols()))).collect()
    }
}

/// The range in pieces of this length, the last one shorter.
fn pieces(range: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(length).map(move |start| start..(start + length).min(end))
}
