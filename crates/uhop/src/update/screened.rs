//! The update by a screen: patterns whose bound is too low are never scored.
//!
//! Tile by tile, a state's patterns are bounded; the one with the highest bound is scored first, which
//! raises the score that the others need; then those that still can reach it. Each level of the
//! screen has a budget: with too many patterns in play the next, closer one begins anew, knowing the
//! scores that the last one found; after the last, the state is left to the update by all scores.

use std::ops::Range;

use rayon::prelude::*;

use super::candidates::{Candidates, Rule, Support, by_state, few};
use super::{Pass, Update, pieces};
use crate::error::Result;
use crate::scalar::Scalar;
use crate::screen::{Bounded, Level, RUN, Room, Screen, TILE};
use crate::separation::{Reach, Shape};

/// States of a task when there are many; they share what a tile of the screen takes to read.
const MANY_STATES: usize = 96;
/// States of a task at least: the integer products take six at a time.
const FEW_STATES: usize = 6;
/// Tasks at least, for threads to share.
const TASKS: usize = 16;
/// Patterns of a shard at least: each has to find good scores anew.
const SHARD: usize = 8 * TILE;

/// What a screen decides, and the states that it cannot.
pub(super) struct Screened<T> {
    /// Of all states; the rows of `flat` are to be replaced.
    pub(super) update: Update<T>,
    /// States with too many patterns in play, in order.
    pub(super) flat: Vec<usize>,
}

pub(super) fn update<T: Scalar>(pass: &Pass<'_, T>, screen: &Screen<T>) -> Result<Screened<T>> {
    let n_states = pass.states.n_states();
    let supports = match rule(pass) {
        Some(rule) => supports(pass, screen, rule)?,
        None => (0..n_states).map(|_| None).collect(),
    };
    let flat = (0..n_states).filter(|&row| supports[row].is_none()).collect();
    let supports: Vec<_> =
        supports.into_iter().map(|support| support.unwrap_or_else(Support::none)).collect();
    let mut update = pass.read_out(&supports);
    if let Reach::All(_) = pass.model().separation().reach() {
        update.support_size.fill(pass.n_patterns());
    }
    Ok(Screened { update, flat })
}

/// The scores that can matter; nothing when too many or all of them do.
fn rule<T: Scalar>(pass: &Pass<'_, T>) -> Option<Rule> {
    match pass.model().separation().reach() {
        Reach::Margin(margin) => Some(Rule::Margin(pass.model().score_margin(margin))),
        Reach::Best(k) if k <= few(pass.n_patterns()) => Some(Rule::Best(k)),
        // n patterns below the best by ln(2n/ε) have a weight of less than ε/2 together.
        Reach::All(Shape::Exponential) => {
            let margin = (2.0 * pass.n_patterns() as f64 / T::epsilon().widen()).ln();
            Some(Rule::Margin(pass.model().score_margin(margin)))
        }
        Reach::Best(_) | Reach::All(Shape::Polynomial { .. }) => None,
    }
}

/// The support of each state, as far as it can be told.
fn supports<T: Scalar>(
    pass: &Pass<'_, T>,
    screen: &Screen<T>,
    rule: Rule,
) -> Result<Vec<Option<Support<T>>>> {
    let n_states = pass.states.n_states();
    // By the sizes alone, so that nothing depends on the number of threads.
    let block = n_states.div_ceil(TASKS).next_multiple_of(FEW_STATES).min(MANY_STATES);
    let n_shards = (pass.n_patterns() / SHARD).clamp(1, TASKS.div_ceil(n_states.div_ceil(block)));
    let shard = pass.n_patterns().div_ceil(n_shards).next_multiple_of(TILE);
    let blocks: Result<Vec<Vec<Option<Support<T>>>>> = pieces(0..n_states, block)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|rows| {
            let mut states: Vec<_> = rows
                .map(|row| Sought { row, known: None, is_hopeless: false, left: None })
                .collect();
            for level in screen.levels() {
                Search { pass, screen, level, rule, shard }.run(&mut states)?;
            }
            let support =
                |state: Sought<T>| state.left.map(|left| Support::new(pass, left)).transpose();
            states.into_iter().map(support).collect()
        })
        .collect();
    Ok(blocks?.into_iter().flatten().collect())
}

/// What is known of a state.
struct Sought<T> {
    row: usize,
    /// The best score found.
    known: Option<T>,
    /// Whether there are too many patterns that carry weight.
    is_hopeless: bool,
    /// The patterns that carry weight, if that has been told.
    left: Option<Vec<(T, usize)>>,
}

/// A search by one level.
struct Search<'a, 'm, T> {
    pass: &'a Pass<'m, T>,
    screen: &'a Screen<T>,
    level: &'a Level<T>,
    rule: Rule,
    shard: usize,
}

impl<T: Scalar> Search<'_, '_, T> {
    /// Seeks what is not known yet.
    fn run(&self, states: &mut [Sought<T>]) -> Result<()> {
        let mut sought: Vec<_> =
            states.iter_mut().filter(|state| state.left.is_none() && !state.is_hopeless).collect();
        if sought.is_empty() {
            return Ok(());
        }
        let rows: Vec<usize> = sought.iter().map(|state| state.row).collect();
        let keys = self.pass.memory.keys();
        let Some(bounded) = self.screen.bound(self.level, keys, &self.pass.states, &rows) else {
            return Ok(());
        };
        let shards: Vec<_> = pieces(0..self.pass.n_patterns(), self.shard).collect();
        let in_shard = |patterns: &Range<usize>| self.in_shard(&bounded, &sought, patterns.clone());
        let shards: Result<Vec<Vec<Found<T>>>> = shards.par_iter().map(in_shard).collect();
        for (state, parts) in sought.iter_mut().zip(by_state(shards?)) {
            let flat = parts.iter().any(|part| part.is_flat);
            state.is_hopeless = parts.iter().any(|part| part.is_hopeless);
            let found = Candidates::join(parts.into_iter().map(|part| part.candidates).collect());
            state.known = found.best().or(state.known);
            let left = found.left();
            state.left = (!flat && left.len() <= few(self.pass.n_patterns())).then_some(left);
        }
        Ok(())
    }

    /// One block of states against one shard.
    fn in_shard(
        &self,
        bounded: &Bounded,
        sought: &[&mut Sought<T>],
        patterns: Range<usize>,
    ) -> Result<Vec<Found<T>>> {
        let mut found: Vec<_> =
            sought.iter().map(|state| Found::new(self.rule, state.known)).collect();
        let mut room = Room::default();
        for tile in pieces(patterns.clone(), TILE) {
            if found.iter().all(|found| found.is_flat) {
                break;
            }
            self.screen.bounds(self.level, bounded, tile.clone(), &mut room);
            for (i, found) in found.iter_mut().enumerate().filter(|(_, found)| !found.is_flat) {
                self.look_at(bounded, i, sought[i].row, tile.clone(), &room, found)?;
                found.is_flat = found.n_scored > self.budget(tile.end - patterns.start);
                // Of the patterns that were in play most do matter: no closer bound will help.
                found.is_hopeless = found.is_flat && 2 * found.candidates.n_left() > found.n_scored;
            }
        }
        Ok(found)
    }

    /// Patterns to score among so many bounded ones: below this, scoring them takes less time than what
    /// the next level takes for all.
    fn budget(&self, n_bounded: usize) -> usize {
        256 + 16 * self.rule.n_best() + n_bounded / 24
    }

    /// Scores the patterns of a tile that can still matter to a state.
    fn look_at(
        &self,
        bounded: &Bounded,
        state: usize,
        row: usize,
        tile: Range<usize>,
        room: &Room,
        found: &mut Found<T>,
    ) -> Result<()> {
        let (bounds, largest) = room.of(state, bounded.n_states());
        let mut least = bounded.least(state, found.candidates.least);
        let highest = largest.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        if highest < least {
            return Ok(());
        }
        let score = |pattern| self.pass.memory.keys().exact_score(&self.pass.states, row, pattern);
        let first = bounds.iter().position(|&bound| bound == highest).expect("one has it");
        let first_score = score(tile.start + first)?;
        found.candidates.expect(first_score);
        least = bounded.least(state, found.candidates.least);
        for (i, run) in bounds[..tile.len()].chunks(RUN).enumerate() {
            if largest[i] < least {
                continue;
            }
            for (j, _) in run.iter().enumerate().filter(|&(_, &bound)| bound >= least) {
                let at = i * RUN + j;
                found.n_scored += 1;
                let score = if at == first { first_score } else { score(tile.start + at)? };
                found.candidates.look_at(score, tile.start + at);
            }
            least = bounded.least(state, found.candidates.least);
        }
        Ok(())
    }
}

/// What a shard has for a state.
struct Found<T> {
    candidates: Candidates<T>,
    n_scored: usize,
    /// Whether too many patterns were in play, and whether they will be for closer bounds.
    is_flat: bool,
    is_hopeless: bool,
}

impl<T: Scalar> Found<T> {
    fn new(rule: Rule, known: Option<T>) -> Self {
        let mut candidates = Candidates::new(rule, 0.0);
        if let Some(known) = known {
            candidates.expect(known);
        }
        Self { candidates, n_scored: 0, is_flat: false, is_hopeless: false }
    }
}
