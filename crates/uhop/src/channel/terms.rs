//! ln P(q | ξ) as Σ_r h_r(q)·g_r(ξ) + b(ξ) + c(q): what makes scores a product. c is as [`Terms::constant`] says, and what
//! else the law has that is of q alone is left out.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::cross::cross;
use super::{Kind, SHARPEST, at, log_folded, log_mass_at_one};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::wide;

/// Cells of the tables over 0 to 1: whole ones for each of 255 levels.
const CELLS: usize = 255 * 16;
/// Every so many nodes are looked at to decide how many terms are enough.
const STRIDE: usize = 16;
/// What the terms may miss of a log-likelihood, at those nodes.
const TOLERANCE: f64 = 1e-4;
/// Terms at most. The sharpest channel takes 14 for the tolerance.
pub(crate) const MOST_TERMS: usize = 16;

/// The terms of a channel, and which entries they are of.
#[derive(Debug)]
pub(crate) struct Terms {
    law: Law,
    n_terms: usize,
    /// The entries that count, if not all do.
    visible: Option<Vec<usize>>,
    /// The length that rows must have, if it is known.
    dim: Option<usize>,
}

/// h, g and b.
#[derive(Debug)]
enum Law {
    /// −(q − ξ)²·p/2
    Normal { precision: f64 },
    /// (q ≠ 0)·(−(q − fξ)²·p/2) + (q = 0)·(ξ = 0)·ln(1/share)
    Masked { factor: f64, precision: f64, zero: f64 },
    /// The same with two values v that arise by themselves, each (q = v)·(ξ = v)·`zero`. What the values tell
    /// is much less than what a kept entry does: were the one taken from the other, `f32` would lose it.
    Salted { precision: f64, zero: f64 },
    /// −½(q − μ(ξ))²/v(ξ) − ½ ln v(ξ)
    Calibrated { means: Vec<f64>, variances: Vec<f64> },
    /// By tables: of ξ the bias and g_r at each node, of q h_r at each node and at the value 1.
    Tabled { bias: Vec<f64>, of_patterns: Vec<f64>, of_queries: Vec<f64> },
}

impl Terms {
    pub(super) fn new(kind: &Kind) -> Self {
        let precision = |std: f64| std.max(SHARPEST).powi(-2);
        let masked = |factor, share: f64| Law::Masked {
            factor,
            precision: precision(0.0),
            zero: -share.ln(),
        };
        let mut n_tabled = 0;
        let law = match kind {
            Kind::Gaussian { std } => Law::Normal { precision: precision(*std) },
            Kind::Occlusion { .. } => Law::Normal { precision: precision(0.0) },
            Kind::HalfMask => masked(2.0, 0.5),
            Kind::Mask { share } => masked(1.0, *share),
            Kind::SaltAndPepper { share } => {
                let zero = (1.0 - 0.5 * share).ln() - (0.5 * share).ln();
                Law::Salted { precision: precision(0.0), zero }
            }
            Kind::Calibrated { means, variances } => {
                Law::Calibrated { means: means.clone(), variances: variances.clone() }
            }
            Kind::FoldedGaussian { std } => {
                let law = folded(*std);
                n_tabled = law.1;
                law.0
            }
        };
        let n_terms = match law {
            Law::Normal { .. } => 1,
            Law::Masked { .. } | Law::Calibrated { .. } => 2,
            Law::Salted { .. } => 4,
            Law::Tabled { .. } => n_tabled,
        };
        let (visible, dim) = match kind {
            Kind::Occlusion { visible } => {
                let entries = visible.iter().enumerate().filter(|(_, visible)| **visible);
                (Some(entries.map(|(entry, _)| entry).collect()), Some(visible.len()))
            }
            _ => (None, None),
        };
        Self { law, n_terms, visible, dim }
    }

    pub(crate) fn n_terms(&self) -> usize {
        self.n_terms
    }

    /// g of every entry of every pattern, `[n_patterns, n_terms · n_visible]`, and of each the sums of b and of the
    /// [`peaks`](Self::peaks), `[n_patterns]`.
    pub(crate) fn of_patterns<T: Scalar>(
        &self,
        rows: ArrayView2<'_, T>,
    ) -> (Array2<T>, Array1<f64>, Array1<f64>) {
        let mut features = self.room(rows);
        let mut biases = Array1::zeros(rows.nrows());
        let mut peaks = Array1::zeros(rows.nrows());
        features
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(rows.axis_iter(Axis(0)))
            .zip(biases.axis_iter_mut(Axis(0)))
            .zip(peaks.axis_iter_mut(Axis(0)))
            .for_each(|(((mut features, row), mut bias), mut peak)| {
                let features = features.as_slice_mut().expect("a row of a fresh array");
                let (mut sum, mut largest) = (0.0, 0.0);
                self.each(row, features, |x, terms| {
                    sum += self.bias(x);
                    largest += self.peak_of(x);
                    self.of_pattern(x, terms);
                });
                bias.fill(sum);
                peak.fill(largest);
            });
        (features, biases, peaks)
    }

    /// h of every entry of every query, `[n_queries, n_terms · n_visible]`.
    pub(crate) fn of_queries<T: Scalar>(&self, rows: ArrayView2<'_, T>) -> Array2<T> {
        let mut features = self.room(rows);
        features.axis_iter_mut(Axis(0)).into_par_iter().zip(rows.axis_iter(Axis(0))).for_each(
            |(mut features, row)| {
                let features = features.as_slice_mut().expect("a row of a fresh array");
                self.each(row, features, |q, terms| self.of_query(q, terms));
            },
        );
        features
    }

    /// b of every visible entry of every pattern, `[n_patterns, n_visible]`.
    pub(crate) fn biases<T: Scalar>(&self, rows: ArrayView2<'_, T>) -> Array2<T> {
        self.of_entries(rows, |x| self.bias(x))
    }

    /// The largest that a pattern's part of each visible entry of a score can be, `[n_patterns, n_visible]`: where a
    /// density is above 1, its logarithm is above 0. Nothing where it is 0 for all.
    pub(crate) fn peaks<T: Scalar>(&self, rows: ArrayView2<'_, T>) -> Option<Array2<T>> {
        matches!(self.law, Law::Calibrated { .. })
            .then(|| self.of_entries(rows, |x| self.peak_of(x)))
    }

    fn peak_of(&self, x: f64) -> f64 {
        match &self.law {
            Law::Calibrated { means, variances } => -0.5 * normal(means, variances, x).1.ln(),
            _ => 0.0,
        }
    }

    /// The largest that a score for the query of these features can be, but for the [`peaks`](Self::peaks).
    pub(crate) fn peak<T: Scalar>(&self, features: ArrayView1<'_, T>) -> f64 {
        match self.law {
            Law::Salted { zero, .. } => {
                let n_entries = features.len() / self.n_terms;
                zero * features.iter().skip(2 * n_entries).map(|h| h.widen()).sum::<f64>()
            }
            _ => 0.0,
        }
    }

    fn of_entries<T: Scalar>(&self, rows: ArrayView2<'_, T>, of: impl Fn(f64) -> f64) -> Array2<T> {
        let entries = self.entries(rows.ncols());
        Array2::from_shape_fn((rows.nrows(), entries.len()), |(row, place)| {
            T::narrow(of(rows[[row, entries.at(place)]].widen()))
        })
    }

    /// What the product leaves out for the query of these features, −½pΣq² over the entries that may be as they
    /// were, or nothing where it leaves out nothing. A score with it is near its peak for the pattern that a query was
    /// made of, however large the parts of which it is the difference.
    pub(crate) fn constant<T: Scalar>(&self, features: ArrayView1<'_, T>) -> f64 {
        let of = |precision: f64| {
            let n_entries = features.len() / self.n_terms;
            -0.5 * precision * wide::squared_norm(features.slice_move(s![..n_entries]))
        };
        match self.law {
            Law::Normal { precision }
            | Law::Masked { precision, .. }
            | Law::Salted { precision, .. } => of(precision),
            Law::Calibrated { .. } | Law::Tabled { .. } => 0.0,
        }
    }

    /// The score of a pattern for the query of these features by the entries `counts` holds of, from the differences
    /// themselves: it keeps the digits that a product and a bias of 10⁸ lose. Nothing for what comes from tables, whose
    /// parts are not so large.
    pub(crate) fn direct<T: Scalar>(
        &self,
        pattern: ArrayView1<'_, T>,
        features: ArrayView1<'_, T>,
        counts: impl Fn(usize) -> bool,
    ) -> Option<f64> {
        let entries = self.entries(pattern.len());
        let n_entries = entries.len();
        let h = |term: usize, place: usize| features[term * n_entries + place].widen();
        let apart = |precision: f64, q: f64, x: f64| -0.5 * precision * (q - x) * (q - x);
        let if_equal = |x: f64, value: f64, zero: f64| if x == value { zero } else { 0.0 };
        let of_entry = |place: usize, x: f64| match &self.law {
            Law::Normal { precision } => Some(apart(*precision, h(0, place), x)),
            Law::Masked { factor, precision, zero } => Some(if h(1, place) != 0.0 {
                apart(*precision, h(0, place), factor * x)
            } else {
                if_equal(x, 0.0, *zero)
            }),
            Law::Salted { precision, zero } => Some(if h(1, place) != 0.0 {
                apart(*precision, h(0, place), x)
            } else {
                if_equal(x, if h(3, place) != 0.0 { 1.0 } else { 0.0 }, *zero)
            }),
            Law::Calibrated { means, variances } => {
                let (mean, variance) = normal(means, variances, x);
                Some(apart(1.0 / variance, h(0, place), mean) - 0.5 * variance.ln())
            }
            Law::Tabled { .. } => None,
        };
        (0..n_entries)
            .filter(|&place| counts(place))
            .map(|place| of_entry(place, pattern[entries.at(place)].widen()))
            .sum()
    }

    /// The columns of the visible entries.
    pub(crate) fn visible(&self, columns: ArrayView2<'_, bool>) -> Array2<bool> {
        match &self.visible {
            Some(visible) => columns.select(Axis(1), visible),
            None => columns.to_owned(),
        }
    }

    /// The rows that patterns must be.
    ///
    /// # Errors
    /// Another length than that of the visible entries; numbers outside 0 to 1 where the channel is of
    /// such.
    pub(crate) fn check_patterns<T: Scalar>(
        &self,
        kind: &Kind,
        rows: ArrayView2<'_, T>,
    ) -> Result<()> {
        if let Some(dim) = self.dim.filter(|&dim| dim != rows.ncols()) {
            return Err(Error::shape(
                "channel",
                ("the visible entries", &[dim]),
                ("the patterns", rows.shape()),
                "both need the same dim (columns)",
            ));
        }
        let outside = |x: &&T| !(0.0..=1.0).contains(&x.widen());
        match rows.iter().find(outside) {
            Some(x) if kind.is_on_unit_interval() => {
                let domain = "from 0 to 1 for this channel; scale the patterns";
                Err(Error::domain("channel", "an entry of a pattern", x.widen(), domain))
            }
            _ => Ok(()),
        }
    }

    /// The visible entries of rows of this length.
    fn entries(&self, dim: usize) -> Entries<'_> {
        match &self.visible {
            Some(visible) => Entries::Some(visible),
            None => Entries::All(0..dim),
        }
    }

    fn room<T: Scalar>(&self, rows: ArrayView2<'_, T>) -> Array2<T> {
        Array2::zeros((rows.nrows(), self.n_terms * self.entries(rows.ncols()).len()))
    }

    /// Fills the features of a row, those of a term side by side, as `of_entry` says for each entry.
    fn each<T: Scalar>(
        &self,
        row: ArrayView1<'_, T>,
        features: &mut [T],
        mut of_entry: impl FnMut(f64, &mut [f64]),
    ) {
        let entries = self.entries(row.len());
        let n_entries = entries.len();
        let mut terms = [0.0; MOST_TERMS];
        for place in 0..n_entries {
            let terms = &mut terms[..self.n_terms];
            of_entry(row[entries.at(place)].widen(), terms);
            for (term, &value) in terms.iter().enumerate() {
                features[term * n_entries + place] = T::narrow(value);
            }
        }
    }

    /// b(ξ)
    fn bias(&self, x: f64) -> f64 {
        match &self.law {
            Law::Normal { precision } => -0.5 * precision * x * x,
            Law::Masked { zero, .. } => {
                if x == 0.0 {
                    *zero
                } else {
                    0.0
                }
            }
            Law::Salted { .. } => 0.0,
            Law::Calibrated { means, variances } => {
                let (mean, variance) = normal(means, variances, x);
                -0.5 * (mean * mean / variance + variance.ln())
            }
            Law::Tabled { bias, .. } => at(bias, x),
        }
    }

    /// g(ξ)
    fn of_pattern(&self, x: f64, terms: &mut [f64]) {
        match &self.law {
            Law::Normal { precision } => terms[0] = precision * x,
            Law::Masked { factor, precision, zero } => {
                let scaled = factor * x;
                terms[0] = precision * scaled;
                terms[1] = -0.5 * precision * scaled * scaled - if x == 0.0 { *zero } else { 0.0 };
            }
            Law::Salted { precision, zero } => {
                let if_equal = |value: f64| if x == value { *zero } else { 0.0 };
                let square = -0.5 * precision * x * x;
                terms.copy_from_slice(&[precision * x, square, if_equal(0.0), if_equal(1.0)]);
            }
            Law::Calibrated { means, variances } => {
                let (mean, variance) = normal(means, variances, x);
                terms.copy_from_slice(&[mean / variance, -0.5 / variance]);
            }
            Law::Tabled { of_patterns, .. } => between(of_patterns, x, terms),
        }
    }

    /// h(q)
    fn of_query(&self, q: f64, terms: &mut [f64]) {
        let one_if = |yes: bool| if yes { 1.0 } else { 0.0 };
        match &self.law {
            Law::Normal { .. } => terms[0] = q,
            Law::Masked { .. } => terms.copy_from_slice(&[q, one_if(q != 0.0)]),
            Law::Salted { .. } => {
                let (zero, one) = (q == 0.0, q == 1.0);
                let kept = one_if(!zero && !one);
                terms.copy_from_slice(&[kept * q, kept, one_if(zero), one_if(one)]);
            }
            Law::Calibrated { .. } => terms.copy_from_slice(&[q, q * q]),
            Law::Tabled { of_queries, .. } => {
                let q = q.abs();
                let n_terms = terms.len();
                let (nodes, at_one) = of_queries.split_at((CELLS + 1) * n_terms);
                if q < 1.0 { between(nodes, q, terms) } else { terms.copy_from_slice(at_one) }
            }
        }
    }
}

/// Which entries of a row.
enum Entries<'a> {
    All(Range<usize>),
    Some(&'a [usize]),
}

impl Entries<'_> {
    fn len(&self) -> usize {
        match self {
            Self::All(all) => all.len(),
            Self::Some(entries) => entries.len(),
        }
    }

    fn at(&self, place: usize) -> usize {
        match self {
            Self::All(_) => place,
            Self::Some(entries) => entries[place],
        }
    }
}

/// The tables of folded and clamped noise, and how many terms they have.
fn folded(std: f64) -> (Law, usize) {
    let node = |index: usize| index as f64 / CELLS as f64;
    // Rows are q at the nodes, as densities, and then the probability of 1.
    let f = |row: usize, column: usize| {
        let x = node(column);
        if row > CELLS {
            log_mass_at_one(x, std) - log_mass_at_one(0.0, std)
        } else {
            log_folded(node(row), x, std) - log_folded(node(row), 0.0, std)
        }
    };
    let columns: Vec<usize> = (0..=CELLS).step_by(STRIDE).collect();
    let mut rows = columns.clone();
    rows.push(CELLS + 1);
    let base = CELLS / 2;
    let limits = (TOLERANCE, MOST_TERMS);
    let found = cross(f, (CELLS + 2, CELLS + 1), (&rows, &columns), base, limits);
    let bias = (0..=CELLS).map(|column| f(base, column)).collect();
    let law = Law::Tabled { bias, of_patterns: found.columns, of_queries: found.rows };
    (law, found.n_terms)
}

/// All terms at x from 0 to 1, linear between the nodes.
fn between(nodes: &[f64], x: f64, terms: &mut [f64]) {
    let n_terms = terms.len();
    let position = x.clamp(0.0, 1.0) * CELLS as f64;
    let below = (position as usize).min(CELLS - 1);
    let part = position - below as f64;
    let (low, high) = nodes[below * n_terms..].split_at(n_terms);
    for ((term, low), high) in terms.iter_mut().zip(low).zip(high) {
        *term = low + part * (high - low);
    }
}

/// Mean and variance at x.
fn normal(means: &[f64], variances: &[f64], x: f64) -> (f64, f64) {
    (at(means, x), at(variances, x).max(SHARPEST * SHARPEST))
}
