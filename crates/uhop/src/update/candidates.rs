//! Patterns that may carry weight for one state, when only those near the best score can.

use super::Pass;
use crate::error::Result;
use crate::model::check_beta_scores;
use crate::scalar::Scalar;
use crate::separation::perplexity;

/// Which scores a pattern needs to carry weight.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// At most this below the best.
    Margin(f64),
    /// Among the k best, equal scores to the last of them included.
    Best(usize),
}

/// Patterns seen so far that may carry weight, in their order.
pub(super) struct Candidates<T> {
    rule: Rule,
    /// How far the scores may be from those that the rule is about.
    error: f64,
    found: Vec<(T, usize)>,
    /// Lower scores are out, whatever comes.
    pub(super) least: T,
    /// The best score known.
    best: T,
    /// Candidates at which to look again who is out.
    limit: usize,
}

/// Weights above 0 and the patterns that carry them, in their order; and the perplexity.
pub(super) struct Support<T> {
    pub(super) weights: Vec<(T, usize)>,
    pub(super) perplexity: f64,
}

/// Candidates beyond half as many again as are not out, before the others are forgotten.
const ROOM: usize = 64;

/// Candidates whose scores are summed once more, in `f64`. With more of them than this, weights are
/// spread so widely that the rounding of a product changes nothing that matters.
pub(super) fn few(n_patterns: usize) -> usize {
    n_patterns / 16 + 16
}

impl Rule {
    /// How many of the best scores decide who is out.
    pub(super) fn n_best(self) -> usize {
        match self {
            Self::Margin(_) => 1,
            Self::Best(k) => k,
        }
    }

    /// A score below which nobody carries weight, given the last of the best ones.
    fn least<T: Scalar>(self, last: T, error: f64) -> T {
        match self {
            // Lower by some roundings of each operation: who is let in here for nothing gets the
            // weight 0 from the separation.
            Self::Margin(margin) => {
                let least = last.widen() - margin * (1.0 + 8.0 * f64::EPSILON) - 2.0 * error;
                T::narrow(least - 4.0 * T::epsilon().widen() * least.abs())
            }
            Self::Best(_) if error == 0.0 => last,
            Self::Best(_) => {
                let least = last.widen() - 2.0 * error;
                T::narrow(least - 4.0 * T::epsilon().widen() * least.abs())
            }
        }
    }
}

impl<T: Scalar> Candidates<T> {
    /// None yet, of scores that are off by at most `error`.
    pub(super) fn new(rule: Rule, error: f64) -> Self {
        let low = T::neg_infinity();
        Self { rule, error, found: Vec::new(), least: low, best: low, limit: 0 }
    }

    /// Takes in one pattern after those before it.
    pub(super) fn look_at(&mut self, score: T, pattern: usize) {
        if score < self.least {
            return;
        }
        self.expect(score);
        self.found.push((score, pattern));
        if self.found.len() > self.limit {
            self.drop_out();
        }
    }

    /// Forgets who is out by now.
    fn drop_out(&mut self) {
        if let Rule::Best(k) = self.rule
            && k <= self.found.len()
        {
            let mut scores: Vec<T> = self.found.iter().map(|&(score, _)| score).collect();
            let descending = |a: &T, b: &T| b.widen().total_cmp(&a.widen());
            let last = *scores.select_nth_unstable_by(k - 1, descending).1;
            self.least = self.rule.least(last, self.error).max(self.least);
        }
        self.found.retain(|&(score, _)| score >= self.least);
        self.limit = self.found.len().max(self.rule.n_best()) * 3 / 2 + ROOM;
    }

    /// Takes in patterns from `start` on, given the largest of their scores.
    pub(super) fn look_at_all(&mut self, scores: &[T], largest: T, start: usize) {
        if largest < self.least {
            return;
        }
        self.expect(largest);
        for (i, &score) in scores.iter().enumerate() {
            self.look_at(score, start + i);
        }
    }

    /// Knows of a score that will come or has come elsewhere. It keeps most of the others out when
    /// one score alone decides who is.
    pub(super) fn expect(&mut self, score: T) {
        if let Rule::Margin(_) = self.rule
            && score > self.best
        {
            self.best = score;
            self.least = self.rule.least(score, self.error).max(self.least);
        }
    }

    /// The best score, when one score alone decides who is out.
    pub(super) fn best(&self) -> Option<T> {
        (self.best > T::neg_infinity()).then_some(self.best)
    }

    /// The candidates of all parts of a memory, in the order of the parts.
    pub(super) fn join(parts: Vec<Self>) -> Self {
        let all = |mut all: Self, part: Self| {
            part.best().into_iter().for_each(|best| all.expect(best));
            part.found.into_iter().for_each(|(score, pattern)| all.look_at(score, pattern));
            all
        };
        parts.into_iter().reduce(all).expect("a memory has a part")
    }

    /// How many are held.
    pub(super) fn n_held(&self) -> usize {
        self.found.len()
    }

    /// How many are not out so far.
    pub(super) fn n_left(&self) -> usize {
        self.found.iter().filter(|(score, _)| *score >= self.least).count()
    }

    /// Who is left at the end.
    pub(super) fn left(mut self) -> Vec<(T, usize)> {
        self.drop_out();
        self.found
    }
}

/// What each part of a memory has for each state, by state.
pub(super) fn by_state<C>(parts: Vec<Vec<C>>) -> Vec<Vec<C>> {
    let mut by_state: Vec<Vec<C>> = Vec::new();
    for part in parts {
        by_state.resize_with(part.len(), Vec::new);
        by_state.iter_mut().zip(part).for_each(|(of_state, found)| of_state.push(found));
    }
    by_state
}

impl<T: Scalar> Support<T> {
    /// The separation of those that are left of all patterns, given their scores.
    ///
    /// # Errors
    /// [`is_non_finite`](crate::Error::is_non_finite) when β times a score overflows.
    pub(super) fn new(pass: &Pass<'_, T>, left: Vec<(T, usize)>) -> Result<Self> {
        let mut weights: Vec<f64> =
            left.iter().map(|&(score, _)| pass.model().beta_score(score)).collect();
        check_beta_scores(&weights)?;
        pass.model().separation().weights_in_place(&mut weights);
        let perplexity = perplexity(&weights);
        let rounded = weights.into_iter().map(T::narrow).zip(left);
        let carried = rounded.filter(|&(p, _)| p > T::zero());
        let weights = carried.map(|(p, (_, pattern))| (p, pattern)).collect();
        Ok(Self { weights, perplexity })
    }

    /// Nobody.
    pub(super) fn none() -> Self {
        Self { weights: Vec::new(), perplexity: 1.0 }
    }

    /// pᵀV for one row of values each.
    pub(super) fn read_out(
        &self,
        values: ndarray::ArrayView2<'_, T>,
        mut result: ndarray::ArrayViewMut1<'_, T>,
    ) {
        result.fill(T::zero());
        for &(weight, pattern) in &self.weights {
            result.zip_mut_with(&values.row(pattern), |sum, &x| *sum += weight * x);
        }
    }
}

/// The candidates of one state, given by scores of a product, with exact scores instead.
pub(super) fn rescored<T: Scalar>(
    pass: &Pass<'_, T>,
    row: usize,
    rule: Rule,
    candidates: Candidates<T>,
) -> Result<Vec<(T, usize)>> {
    let left = candidates.left();
    let mut exact = Candidates::new(rule, 0.0);
    let few = left.len() <= few(pass.n_patterns());
    for (score, pattern) in left {
        let score =
            if few { pass.memory.keys().exact_score(&pass.states, row, pattern)? } else { score };
        exact.look_at(score, pattern);
    }
    Ok(exact.left())
}
