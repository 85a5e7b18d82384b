//! The terms exp(−t‖f_i − f_j‖²) of all pairs of rows, a pair of tiles of rows at a time.
//!
//! Each unordered pair of tiles is visited once: one product gives its inner products, of which the
//! terms are made in place. Pairs of tiles are handled in rounds in which no tile occurs twice, so that
//! a round is parallel and the sums of a tile are joined in the order of the rounds, whatever the
//! number of threads.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use crate::pairs::squared_norms;
use crate::product::{add_scaled_product, product_into};
use crate::scalar::Scalar;
use crate::simd;

/// The fewest rows of a tile, if there are as many.
const TILE: usize = 128;

/// Rows of a tile for `n` rows: more of them make faster products, as long as a round has eight pairs of
/// tiles to share among threads.
fn tile(n: usize) -> usize {
    (n / 16 / TILE * TILE).clamp(TILE, 3 * TILE)
}

/// Σ_j w_ij and Σ_j w_ij e_ij of some rows i, for the terms w = exp(e − `largest`) of exponents e.
pub(super) struct Totals {
    pub(super) terms: Vec<f64>,
    pub(super) exponents: Vec<f64>,
}

impl Totals {
    fn zeros(n_rows: usize) -> Self {
        Self { terms: vec![0.0; n_rows], exponents: vec![0.0; n_rows] }
    }
}

/// The terms of the pairs of two tiles, relative to their `largest` exponent.
pub(super) struct Terms<T> {
    largest: T,
    terms: Array2<T>,
    of_rows: Totals,
    of_columns: Totals,
}

/// What is summed for the rows of a tile, relative to the `largest` exponent so far; −∞ before the first.
pub(super) struct Sums<'a, T> {
    pub(super) largest: f64,
    pub(super) totals: Totals,
    /// Σ_j w_ij v_j
    pub(super) rows: ArrayViewMut2<'a, T>,
}

impl<T: Scalar> Sums<'_, T> {
    /// The terms of its rows as rows of `terms`, with the rows of `values` that they are the weights of.
    pub(super) fn add_rows(&mut self, terms: &Terms<T>, share: f64, values: ArrayView2<'_, T>) {
        if let Some(factor) = self.count(&terms.of_rows, terms.largest) {
            let factor = T::narrow(share * factor);
            add_scaled_product(self.rows.view_mut(), factor, terms.terms.view(), values);
        }
    }

    /// The same of its rows as columns of `terms`.
    pub(super) fn add_columns(&mut self, terms: &Terms<T>, values: ArrayView2<'_, T>) {
        if let Some(factor) = self.count(&terms.of_columns, terms.largest) {
            let factor = T::narrow(factor);
            add_scaled_product(self.rows.view_mut(), factor, terms.terms.t(), values);
        }
    }

    /// The totals alone of its rows as columns of `terms`.
    pub(super) fn count_columns(&mut self, terms: &Terms<T>) {
        self.count(&terms.of_columns, terms.largest);
    }

    /// Adds totals relative to `largest` and returns what such terms are times here.
    fn count(&mut self, totals: &Totals, largest: T) -> Option<f64> {
        let largest = largest.widen();
        if largest > self.largest {
            let factor = (self.largest - largest).exp();
            self.largest = largest;
            let Totals { terms, exponents } = &mut self.totals;
            terms.iter_mut().chain(exponents).for_each(|sum| *sum *= factor);
            let factor = T::narrow(factor);
            self.rows.mapv_inplace(|sum| sum * factor);
        }
        let factor = (largest - self.largest).exp();
        // Products of denormal numbers are slow; beside a term of 1 these are nothing.
        if factor < T::min_positive_value().widen() {
            return None;
        }
        for (sum, more) in self.totals.terms.iter_mut().zip(&totals.terms) {
            *sum += factor * more;
        }
        for (sum, more) in self.totals.exponents.iter_mut().zip(&totals.exponents) {
            *sum += factor * more;
        }
        Some(factor)
    }
}

/// What every pair of tiles reads. The first `n_apart` rows make no pairs with each other.
pub(super) struct Pass<'a, T> {
    features: ArrayView2<'a, T>,
    norms: Vec<T>,
    n_apart: usize,
    t: f64,
    tile: usize,
}

impl<'a, T: Scalar> Pass<'a, T> {
    pub(super) fn new(features: ArrayView2<'a, T>, n_apart: usize, t: f64) -> Self {
        let norms = squared_norms(features).mapv(T::narrow).to_vec();
        Self { features, norms, n_apart, t, tile: tile(features.nrows()) }
    }

    /// The sums of every tile, in `gathered`; nothing when a product of features overflows.
    ///
    /// `within` is given the terms of a tile with itself, where a row makes no pair with itself, and
    /// `between` those of two tiles, the first as rows and the second as columns.
    pub(super) fn sums<'b>(
        &self,
        gathered: &'b mut Array2<T>,
        within: impl Fn(&Terms<T>, (usize, &mut Sums<'b, T>)) + Sync,
        between: impl Fn(&Terms<T>, (usize, &mut Sums<'b, T>), (usize, &mut Sums<'b, T>)) + Sync,
    ) -> Option<Vec<Sums<'b, T>>> {
        let mut tiles: Vec<Sums<'_, T>> = gathered
            .axis_chunks_iter_mut(Axis(0), self.tile)
            .map(|rows| {
                let totals = Totals::zeros(rows.nrows());
                Sums { largest: f64::NEG_INFINITY, totals, rows }
            })
            .collect();
        tiles.par_iter_mut().enumerate().try_for_each(|(a, sums)| {
            if let Some(terms) = self.terms(a, a)? {
                within(&terms, (a, sums));
            }
            Some(())
        })?;
        let mut tiles: Vec<Option<Sums<'_, T>>> = tiles.into_iter().map(Some).collect();
        let n_tiles = tiles.len();
        for round in rounds(n_tiles) {
            let mut take = |tile: usize| tiles[tile].take().expect("a tile occurs once in a round");
            let mut work: Vec<_> =
                round.iter().map(|&(a, b)| ((a, take(a)), (b, take(b)))).collect();
            work.par_iter_mut().try_for_each(|((a, of_a), (b, of_b))| {
                if let Some(terms) = self.terms(*a, *b)? {
                    between(&terms, (*a, of_a), (*b, of_b));
                }
                Some(())
            })?;
            for ((a, of_a), (b, of_b)) in work {
                (tiles[a], tiles[b]) = (Some(of_a), Some(of_b));
            }
        }
        Some(tiles.into_iter().flatten().collect())
    }

    pub(super) fn range(&self, tile: usize) -> std::ops::Range<usize> {
        tile * self.tile..((tile + 1) * self.tile).min(self.norms.len())
    }

    /// The terms of two tiles, or of one with itself, where a row is no pair with itself. The outer
    /// option is nothing when a product overflows, the inner one when every term is 0.
    fn terms(&self, a: usize, b: usize) -> Option<Option<Terms<T>>> {
        let t = T::narrow(self.t);
        let rows = self.features.slice(s![self.range(a), ..]);
        let columns = self.features.slice(s![self.range(b), ..]);
        let (norms, column_norms) = (&self.norms[self.range(a)], &self.norms[self.range(b)]);
        let mut terms = Array2::zeros((rows.nrows(), columns.nrows()));
        product_into(terms.view_mut(), rows, columns.t());
        let (first_row, first_column) = (self.range(a).start, self.range(b).start);
        let columns_apart = self.n_apart.saturating_sub(first_column).min(columns.nrows());
        let mut largest = T::neg_infinity();
        for (i, (mut row, &norm)) in terms.outer_iter_mut().zip(norms).enumerate() {
            let row = row.as_slice_mut().expect("a row of a fresh tile");
            let no_pairs = if first_row + i < self.n_apart {
                0..columns_apart // itself among them
            } else if a == b {
                i..i + 1
            } else {
                0..0
            };
            row[no_pairs.clone()].fill(T::neg_infinity());
            let (before, after) = row.split_at_mut(no_pairs.start);
            let (norms_before, norms_after) = column_norms.split_at(no_pairs.start);
            let (after, norms_after) =
                (&mut after[no_pairs.len()..], &norms_after[no_pairs.len()..]);
            for (part, norms) in [(before, norms_before), (after, norms_after)] {
                largest = largest.max(simd::distance_exponents(part, norm, norms, t)?);
            }
        }
        if largest == T::neg_infinity() {
            return Some(None);
        }
        let (mut of_rows, mut of_columns) =
            (Totals::zeros(rows.nrows()), Totals::zeros(columns.nrows()));
        for (i, mut row) in terms.outer_iter_mut().enumerate() {
            let row = row.as_slice_mut().expect("a row of a fresh tile");
            let Totals { terms, exponents } = &mut of_columns;
            (of_rows.terms[i], of_rows.exponents[i]) =
                simd::relative_exponentials(row, largest, (terms, exponents));
        }
        Some(Some(Terms { largest, terms, of_rows, of_columns }))
    }
}

/// Every pair `(a, b)`, `a != b`, of `n_tiles` tiles once, in rounds in which no tile occurs twice:
/// one tile stays in place while the others turn around it, as in a tournament.
fn rounds(n_tiles: usize) -> impl Iterator<Item = Vec<(usize, usize)>> {
    // With an odd number the tile that stays is none, and its partner rests.
    let turning = n_tiles - usize::from(n_tiles.is_multiple_of(2));
    (0..if n_tiles < 2 { 0 } else { turning }).map(move |round| {
        let middle = (turning < n_tiles).then_some((turning, round));
        let around = (1..turning.div_ceil(2))
            .map(|k| ((round + k) % turning, (round + turning - k) % turning));
        middle.into_iter().chain(around).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_hold_every_pair_once_and_no_tile_twice() {
        for n_tiles in 1..20 {
            let mut pairs = Vec::new();
            for round in rounds(n_tiles) {
                let mut tiles: Vec<usize> = round.iter().flat_map(|&(a, b)| [a, b]).collect();
                tiles.sort_unstable();
                tiles.dedup();
                assert_eq!(tiles.len(), 2 * round.len(), "{n_tiles} {round:?}");
                pairs.extend(round.iter().map(|&(a, b)| (a.min(b), a.max(b))));
            }
            pairs.sort_unstable();
            let all = (0..n_tiles).flat_map(|a| (a + 1..n_tiles).map(move |b| (a, b)));
            assert_eq!(pairs, all.collect::<Vec<_>>(), "{n_tiles}");
        }
    }
}
