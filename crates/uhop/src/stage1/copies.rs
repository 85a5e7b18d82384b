//! Corrupted copies of stored patterns, by which similarities are judged.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::patterns::{Patterns, check_rows};
use crate::scalar::Scalar;
use crate::simd;
use crate::similarity::Similarity;

/// At most so many copies, and so many scores of them.
const MOST_COPIES: usize = 1024;
const MOST_SCORES: usize = 1 << 24;
/// Numbers of all copies, where there is more than one of each pattern.
const MOST_NUMBERS: usize = 1 << 24;
/// The standard deviation of the prior of β, in units of the reciprocal spread of the scores.
const PRIOR: f64 = 30.0;
/// Steps of the search for an interval that holds β, each by a factor of 4.
const MOST_STEPS: usize = 60;
/// The relative error of β that will do.
const ENOUGH: f64 = 1e-2;

/// Corrupted copies of some of the stored patterns, each with the pattern it came from.
///
/// They are to be held out: drawn from a seed that nothing learns from.
///
/// ```
/// use ndarray::array;
/// use uhop::stage1::Copies;
/// use uhop::{Patterns, Similarity};
///
/// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 4.0]])?;
/// // The corruption: every entry is halved.
/// let copies = Copies::draw(&patterns, 0, |rows, _seed| rows.mapv(|x| x / 2.0))?;
/// let loss = |similarity| -> uhop::Result<f64> { Ok(copies.judge(&patterns, &similarity)?.loss) };
/// assert!(loss(Similarity::Cosine)? < loss(Similarity::Manhattan)?);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Copies<T> {
    queries: Array2<T>,
    sources: Vec<usize>,
}

/// How well a similarity tells which pattern a copy came from: [`Copies::judge`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Judgement {
    /// The β at which softmax gives the sources the largest weights.
    pub beta: f64,
    /// The mean of −ln p over the copies, p the weight of the source at this β.
    pub loss: f64,
}

impl<T: Scalar> Copies<T> {
    /// Copies of patterns spread evenly over the memory, at most 1,024 and as many as have 2²⁴ scores: one of each
    /// pattern, or of a small memory as many of each as there is room for and make 2²⁴ numbers. `corrupt` makes queries
    /// of rows `[n, dim]`, of the same shape, from a seed; equal rows are to be corrupted independently.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) or [`is_non_finite`](Error::is_non_finite) for what
    /// `corrupt` returns.
    pub fn draw(
        patterns: &Patterns<T>,
        seed: u64,
        mut corrupt: impl FnMut(ArrayView2<'_, T>, u64) -> Array2<T>,
    ) -> Result<Self> {
        let n = patterns.n_patterns();
        let most = MOST_COPIES.min((MOST_SCORES / n).max(1));
        let sources: Vec<usize> = if n < most {
            let of_each = (most / n).min(MOST_NUMBERS / n / patterns.dim()).max(1);
            (0..of_each).flat_map(|_| 0..n).collect()
        } else {
            (0..most).map(|i| i * n / most).collect()
        };
        let rows = patterns.view().select(Axis(0), &sources);
        let queries = corrupt(rows.view(), seed);
        check_copies(rows.view(), queries.view())?;
        Ok(Self { queries, sources })
    }

    /// The copies, `[n_copies, dim]`.
    pub fn queries(&self) -> ArrayView2<'_, T> {
        self.queries.view()
    }

    /// The pattern that each copy came from.
    pub fn sources(&self) -> &[usize] {
        &self.sources
    }

    /// How well scores of `patterns`, of which the copies were drawn, tell their sources.
    ///
    /// ```text
    /// loss(β) = mean −ln p_source,  p = softmax(β·scores)
    /// ```
    ///
    /// is convex in β. Where scores tell every source, it falls to 0 without end; a prior, (βσ/30)²/2n for n
    /// copies, σ² the mean squared difference of the scores of a source and of another pattern, then says
    /// where to stop, and is nothing beside the loss elsewhere. The weights are those of the posterior mean
    /// if scores are log-likelihoods, so that a small loss is a small error of recall by softmax.
    ///
    /// # Errors
    /// As [`Similarity::bind`] and [`Keys::scores`](crate::Keys::scores).
    pub fn judge(&self, patterns: &Patterns<T>, similarity: &Similarity<T>) -> Result<Judgement> {
        let scores = similarity.bind(patterns)?.scores(self.queries.view())?;
        let rows: Vec<Row<'_, T>> = scores
            .outer_iter()
            .zip(&self.sources)
            .map(|(row, &source)| {
                let scores = row.to_slice().expect("a row of fresh scores");
                let best = scores.iter().fold(T::neg_infinity(), |best, &s| best.max(s));
                Row { scores, best, behind: best.widen() - scores[source].widen() }
            })
            .collect();
        let spread = spread(&rows);
        if spread == 0.0 {
            return Ok(Judgement { beta: 1.0, loss: loss_and_slope(&rows, 1.0).0 });
        }
        let prior = (spread / PRIOR).powi(2) / rows.len() as f64;
        let beta = best_beta(1.0 / spread, |beta| loss_and_slope(&rows, beta).1 + prior * beta);
        Ok(Judgement { beta, loss: loss_and_slope(&rows, beta).0 })
    }
}

/// That copies are finite and have the shape of the rows they were made from.
pub(super) fn check_copies<T: Scalar>(
    rows: ArrayView2<'_, T>,
    copies: ArrayView2<'_, T>,
) -> Result<()> {
    if rows.dim() != copies.dim() {
        return Err(Error::shape(
            "stage1",
            ("the corrupted copies", copies.shape()),
            ("the patterns", rows.shape()),
            "a corruption keeps the shape",
        ));
    }
    check_rows("stage1", "the corrupted copies", copies)
}

/// The scores of a copy, the largest of them, and by how much the source's is less.
struct Row<'a, T> {
    scores: &'a [T],
    best: T,
    behind: f64,
}

/// The root of the mean squared difference between the scores of a source and of the other patterns.
fn spread<T: Scalar>(rows: &[Row<'_, T>]) -> f64 {
    let of_row = |row: &Row<'_, T>| {
        let source = row.best.widen() - row.behind;
        let squares = row.scores.iter().map(|score| (score.widen() - source).powi(2));
        squares.sum::<f64>() / row.scores.len() as f64
    };
    let squares: Vec<f64> = rows.par_iter().map(of_row).collect();
    (squares.iter().sum::<f64>() / rows.len() as f64).sqrt()
}

/// mean −ln p_source and its derivative by β: with w = exp(β(s − best)), ln Σ w + β·behind, and
/// Σ w (s − best)/Σ w + behind.
fn loss_and_slope<T: Scalar>(rows: &[Row<'_, T>], beta: f64) -> (f64, f64) {
    let of_row = |buffer: &mut Vec<T>, row: &Row<'_, T>| {
        buffer.clear();
        buffer.extend_from_slice(row.scores);
        let sums = simd::exponentials(buffer, row.best, beta);
        let loss = sums.total.ln() + beta * row.behind;
        (loss, sums.total_logs / sums.total / beta + row.behind)
    };
    let of_rows: Vec<(f64, f64)> = rows.par_iter().map_init(Vec::new, of_row).collect();
    let total = of_rows.iter().fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    let n = rows.len() as f64;
    (total.0 / n, total.1 / n)
}

/// The β at which the slope is 0, from a first guess: the slope ascends with β. Multiplied or divided by 4
/// until the root is passed, then halved between; the loss is flat there, so that a rough β will do.
fn best_beta(guess: f64, slope: impl Fn(f64) -> f64) -> f64 {
    let rises = |beta: f64| slope(beta) > 0.0;
    let factor = if rises(guess) { 0.25 } else { 4.0 };
    let mut beta = guess;
    let mut next = guess * factor;
    for _ in 0..MOST_STEPS {
        if rises(next) == (factor > 1.0) {
            break;
        }
        (beta, next) = (next, next * factor);
    }
    let (mut low, mut high) = (beta.min(next), beta.max(next));
    while high > (1.0 + ENOUGH) * low {
        let middle = (low * high).sqrt();
        if rises(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each pattern is copied: as often as any other, or at most once in a memory beyond the limit.
    #[test]
    fn small_memories_have_many_copies_of_each_pattern() {
        for (n, dim, expected) in [
            (1, 4, 1024),
            (10, 4, 1020),
            (1000, 4, 1000),
            (1024, 4, 1024),
            (1500, 4, 1024),
            (2, 1 << 22, 4),
            (2, 1 << 24, 2),
        ] {
            let patterns = Patterns::new(Array2::from_elem((n, dim), 1.0_f32)).unwrap();
            let copies = Copies::draw(&patterns, 0, |rows, _| rows.to_owned()).unwrap();
            assert_eq!(copies.sources().len(), expected, "{n} x {dim}");
            let mut counts = vec![0; n];
            copies.sources().iter().for_each(|&source| counts[source] += 1);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= usize::from(n > expected), "{n} x {dim}: {least} to {most}");
        }
    }
}
