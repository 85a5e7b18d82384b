//! The update when few patterns can carry weight: candidates first, then the separation of those.

use std::ops::{ControlFlow, Range};

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::candidates::{Candidates, Rule, Support, by_state, rescored};
use super::{Pass, Update, pieces};
use crate::error::Result;
use crate::scalar::Scalar;

/// Candidates of a block of states in a shard at most, where the block can be cut.
const MOST_HELD: usize = 1 << 18;
/// Parts that a block with more is cut into.
const PARTS: usize = 8;

pub(super) fn update<T: Scalar>(pass: &Pass<'_, T>, rule: Rule) -> Result<Update<T>> {
    let of_states = of_states(pass, rule, |support| {
        let read_out = |values: &ArrayView2<'_, T>| {
            let mut result = Array1::zeros(values.ncols());
            support.read_out(*values, result.view_mut());
            result
        };
        let readouts: Vec<Array1<T>> = pass.readouts.iter().map(read_out).collect();
        (readouts, (support.weights.len(), support.perplexity))
    })?;
    let mut readouts = pass.room();
    let mut spread = Vec::with_capacity(of_states.len());
    for (row, (of_state, spread_of_state)) in of_states.into_iter().enumerate() {
        for (readout, of_state) in readouts.iter_mut().zip(of_state) {
            readout.row_mut(row).assign(&of_state);
        }
        spread.push(spread_of_state);
    }
    Ok(pass.finish(readouts, spread))
}

/// The weights that the update applies, `[n_states, n_patterns]`.
pub(super) fn weights<T: Scalar>(pass: &Pass<'_, T>, rule: Rule) -> Result<Array2<T>> {
    let supports = of_states(pass, rule, |support| support.weights)?;
    let mut weights = Array2::zeros((supports.len(), pass.n_patterns()));
    for (mut row, support) in weights.axis_iter_mut(Axis(0)).zip(supports) {
        support.into_iter().for_each(|(weight, pattern)| row[pattern] = weight);
    }
    Ok(weights)
}

/// What is made of the support of each state, in their order. No support is kept longer than that takes.
fn of_states<T: Scalar, R: Send>(
    pass: &Pass<'_, T>,
    rule: Rule,
    make: impl Fn(Support<T>) -> R + Sync,
) -> Result<Vec<R>> {
    let (shards, blocks) = pass.parts();
    let of_block = |rows| of_block(pass, rule, &shards, rows, &make);
    let blocks: Result<Vec<Vec<R>>> = blocks.into_par_iter().map(of_block).collect();
    Ok(blocks?.into_iter().flatten().collect())
}

/// The same of one block, part by part if too many patterns are candidates for all of its states at once.
fn of_block<T: Scalar, R: Send>(
    pass: &Pass<'_, T>,
    rule: Rule,
    shards: &[Range<usize>],
    rows: Range<usize>,
    make: &(impl Fn(Support<T>) -> R + Sync),
) -> Result<Vec<R>> {
    let in_shard = |patterns: &Range<usize>| candidates(pass, rule, rows.clone(), patterns.clone());
    let found: Result<Vec<Option<Vec<Candidates<T>>>>> = shards.par_iter().map(in_shard).collect();
    let Some(found) = found?.into_iter().collect::<Option<Vec<_>>>() else {
        let part = rows.len().div_ceil(PARTS);
        let parts = pieces(rows, part).map(|rows| of_block(pass, rule, shards, rows, make));
        return Ok(parts.collect::<Result<Vec<Vec<R>>>>()?.into_iter().flatten().collect());
    };
    by_state(found)
        .into_par_iter()
        .zip(rows)
        .map(|(parts, row)| {
            let left = rescored(pass, row, rule, Candidates::join(parts))?;
            Ok(make(Support::new(pass, left)?))
        })
        .collect()
}

/// One block of states against one shard; nothing when there are too many.
fn candidates<T: Scalar>(
    pass: &Pass<'_, T>,
    rule: Rule,
    rows: Range<usize>,
    patterns: Range<usize>,
) -> Result<Option<Vec<Candidates<T>>>> {
    let can_be_cut = rows.len() > 1;
    let error = |row| pass.memory.keys().product_error(&pass.states, row);
    let mut candidates: Vec<_> =
        rows.clone().map(|row| Candidates::new(rule, error(row))).collect();
    let mut is_full = false;
    pass.tiles(rows, patterns, |tile, scores| {
        for (scores, candidates) in scores.outer_iter().zip(&mut candidates) {
            let scores = scores.to_slice().expect("a row of a fresh tile");
            let (largest, _) = pass.extremes(scores)?;
            candidates.look_at_all(scores, largest, tile.start);
        }
        let n_held: usize = candidates.iter().map(Candidates::n_held).sum();
        is_full = can_be_cut && n_held > MOST_HELD;
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok((!is_full).then_some(candidates))
}
