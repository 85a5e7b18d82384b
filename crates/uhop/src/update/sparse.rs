//! The update when few patterns can carry weight: candidates first, then the separation of those.

use std::ops::Range;

use rayon::prelude::*;

use super::candidates::{Candidates, Rule, Support, by_state, rescored};
use super::{Pass, Update};
use crate::error::Result;
use crate::scalar::Scalar;

pub(super) fn update<T: Scalar>(pass: &Pass<'_, T>, rule: Rule) -> Result<Update<T>> {
    let blocks = pass.shards(|rows, patterns| candidates(pass, rule, rows, patterns))?;
    let of_states: Vec<Candidates<T>> =
        blocks.into_iter().flat_map(|(_, shards)| by_state(shards)).map(Candidates::join).collect();
    let supports: Result<Vec<Support<T>>> = of_states
        .into_par_iter()
        .enumerate()
        .map(|(row, candidates)| Support::new(pass, rescored(pass, row, rule, candidates)?))
        .collect();
    Ok(pass.read_out(&supports?))
}

/// One block of states against one shard.
fn candidates<T: Scalar>(
    pass: &Pass<'_, T>,
    rule: Rule,
    rows: Range<usize>,
    patterns: Range<usize>,
) -> Result<Vec<Candidates<T>>> {
    let error = |row| pass.memory.keys().product_error(&pass.states, row);
    let mut candidates: Vec<_> =
        rows.clone().map(|row| Candidates::new(rule, error(row))).collect();
    pass.tiles(rows, patterns, |tile, scores| {
        for (scores, candidates) in scores.outer_iter().zip(&mut candidates) {
            let scores = scores.to_slice().expect("a row of a fresh tile");
            let (largest, _) = pass.extremes(scores)?;
            candidates.look_at_all(scores, largest, tile.start);
        }
        Ok(())
    })?;
    Ok(candidates)
}
