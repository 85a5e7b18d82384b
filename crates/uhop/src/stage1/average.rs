//! log mean exp(−t‖f_i − f_j‖²) and its gradient, in one pass over the pairs of tiles of rows.
//!
//! Each unordered pair of tiles is visited once: one product gives its inner products, of which the
//! terms are made in place, and two products more add the terms to the gradient rows of either tile.
//! Pairs of tiles are handled in rounds in which no tile occurs twice, so that a round is parallel and
//! the sums of a tile are joined in the order of the rounds, whatever the number of threads.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Zip, s};
use rayon::prelude::*;

use crate::pairs::squared_norms;
use crate::product::{add_scaled_product, product_into};
use crate::scalar::Scalar;
use crate::simd;

/// Rows of a tile: large enough for fast products, small enough to share among threads.
pub(super) const TILE: usize = 128;

/// The sums of the rows of a tile, Σ_j exp(−t‖f_i − f_j‖² − `largest`), alone and times f_j.
struct Sums<'a, T> {
    /// The largest exponent so far, to which the sums are relative; −∞ before the first.
    largest: f64,
    terms: Vec<f64>,
    rows: ArrayViewMut2<'a, T>,
}

/// The terms exp(−t‖f_i − f_j‖² − `largest`) of the pairs of two tiles, with their sums.
struct Terms<T> {
    largest: T,
    terms: Array2<T>,
    row_sums: Vec<f64>,
    column_sums: Vec<f64>,
}

/// Ordered pairs of `n` rows of which the first `n_apart` make no pairs with each other.
pub(super) fn pairs(n: usize, n_apart: usize) -> f64 {
    n as f64 * (n as f64 - 1.0) - n_apart as f64 * (n_apart as f64 - 1.0)
}

/// L = log mean exp(−t‖f_i − f_j‖²) over the ordered pairs i ≠ j of rows, and ∂L/∂f,
/// `[n, dim_features]`; nothing when a product of features overflows. The first `n_apart` rows make no
/// pairs with each other; where no pair is left, L is −∞ and its gradient 0.
pub(super) fn average<T: Scalar>(
    features: ArrayView2<'_, T>,
    n_apart: usize,
    t: f64,
) -> Option<(f64, Array2<T>)> {
    let n = features.nrows();
    let norms = squared_norms(features).mapv(T::narrow).to_vec();
    let pass = Pass { features, norms, n_apart, t };
    let mut gradient = Array2::zeros(features.raw_dim());
    let mut tiles: Vec<Option<Sums<'_, T>>> = gradient
        .axis_chunks_iter_mut(Axis(0), TILE)
        .map(|rows| {
            let terms = vec![0.0; rows.nrows()];
            Some(Sums { largest: f64::NEG_INFINITY, terms, rows })
        })
        .collect();

    let n_tiles = tiles.len();
    let mut take = |tile: usize| tiles[tile].take().expect("a tile occurs once in a round");
    let work: Vec<_> = (0..n_tiles).map(|tile| (tile, take(tile))).collect();
    let done = work.into_par_iter().map(|(tile, sums)| pass.within(tile, sums));
    for (tile, sums) in done.collect::<Option<Vec<_>>>()?.into_iter().enumerate() {
        tiles[tile] = Some(sums);
    }
    for round in rounds(n_tiles) {
        let mut take = |tile: usize| tiles[tile].take().expect("a tile occurs once in a round");
        let work: Vec<_> = round.iter().map(|&(a, b)| ((a, take(a)), (b, take(b)))).collect();
        let done = work.into_par_iter().map(|(a, b)| pass.between(a, b));
        for (&(a, b), (of_a, of_b)) in round.iter().zip(done.collect::<Option<Vec<_>>>()?) {
            (tiles[a], tiles[b]) = (Some(of_a), Some(of_b));
        }
    }

    let tiles: Vec<Sums<'_, T>> = tiles.into_iter().flatten().collect();
    let largest = tiles.iter().fold(f64::NEG_INFINITY, |largest, tile| largest.max(tile.largest));
    if largest == f64::NEG_INFINITY {
        return Some((largest, gradient));
    }
    let relative = |tile: &Sums<'_, T>| (tile.largest - largest).exp();
    let total: f64 = tiles.iter().map(|tile| relative(tile) * tile.terms.iter().sum::<f64>()).sum();
    tiles.into_par_iter().enumerate().for_each(|(tile, mut sums)| {
        let scale = T::narrow(-4.0 * t * relative(&sums) / total);
        Zip::from(sums.rows.rows_mut()).and(pass.rows(tile).rows()).and(&sums.terms).for_each(
            |mut row, feature, &sum| {
                let sum = T::narrow(sum);
                row.zip_mut_with(&feature, |g, &f| *g = scale * (sum * f - *g));
            },
        );
    });
    Some((largest + (total / pairs(n, n_apart)).ln(), gradient))
}

/// What every pair of tiles reads.
struct Pass<'a, T> {
    features: ArrayView2<'a, T>,
    norms: Vec<T>,
    n_apart: usize,
    t: f64,
}

impl<T: Scalar> Pass<'_, T> {
    fn range(&self, tile: usize) -> std::ops::Range<usize> {
        tile * TILE..((tile + 1) * TILE).min(self.norms.len())
    }

    fn rows(&self, tile: usize) -> ArrayView2<'_, T> {
        self.features.slice(s![self.range(tile), ..])
    }

    /// The pairs of a tile's own rows.
    fn within<'a>(&self, tile: usize, mut sums: Sums<'a, T>) -> Option<Sums<'a, T>> {
        if let Some(terms) = self.terms(tile, tile)? {
            sums.add(&terms.row_sums, terms.largest, terms.terms.view(), self.rows(tile));
        }
        Some(sums)
    }

    /// The pairs of one row of either tile.
    fn between<'a>(
        &self,
        (a, mut of_a): (usize, Sums<'a, T>),
        (b, mut of_b): (usize, Sums<'a, T>),
    ) -> Option<(Sums<'a, T>, Sums<'a, T>)> {
        if let Some(terms) = self.terms(a, b)? {
            of_a.add(&terms.row_sums, terms.largest, terms.terms.view(), self.rows(b));
            of_b.add(&terms.column_sums, terms.largest, terms.terms.t(), self.rows(a));
        }
        Some((of_a, of_b))
    }

    /// The terms of two tiles, or of one with itself, where a row is no pair with itself. The outer
    /// option is nothing when a product overflows, the inner one when every term is 0.
    fn terms(&self, a: usize, b: usize) -> Option<Option<Terms<T>>> {
        let t = T::narrow(self.t);
        let (rows, norms) = (self.rows(a), &self.norms[self.range(a)]);
        let (columns, column_norms) = (self.rows(b), &self.norms[self.range(b)]);
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
        let mut column_sums = vec![0.0; columns.nrows()];
        let row_sums = terms
            .outer_iter_mut()
            .map(|mut row| {
                let row = row.as_slice_mut().expect("a row of a fresh tile");
                simd::relative_exponentials(row, largest, &mut column_sums)
            })
            .collect();
        Some(Some(Terms { largest, terms, row_sums, column_sums }))
    }
}

impl<T: Scalar> Sums<'_, T> {
    /// Adds terms relative to `largest`, with the rows that they are the weights of.
    fn add(&mut self, sums: &[f64], largest: T, terms: ArrayView2<'_, T>, rows: ArrayView2<'_, T>) {
        let largest = largest.widen();
        if largest > self.largest {
            let factor = (self.largest - largest).exp();
            self.largest = largest;
            self.terms.iter_mut().for_each(|sum| *sum *= factor);
            let factor = T::narrow(factor);
            self.rows.mapv_inplace(|sum| sum * factor);
        }
        let factor = (largest - self.largest).exp();
        // Products of denormal numbers are slow; beside a term of 1 these are nothing.
        if factor < T::min_positive_value().widen() {
            return;
        }
        for (sum, more) in self.terms.iter_mut().zip(sums) {
            *sum += factor * more;
        }
        add_scaled_product(self.rows.view_mut(), T::narrow(factor), terms, rows);
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
