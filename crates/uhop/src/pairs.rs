//! The closest pair of a set of rows, searched by tiles of a matrix product.

use std::ops::Range;

use ndarray::{Array1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::product::{TILE, product};
use crate::scalar::Scalar;
use crate::wide::{self, squared_distance};

/// Two rows `first < second` and their squared distance, summed in `f64`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The row that comes first.
    pub first: usize,
    /// The row that comes later.
    pub second: usize,
    /// ‖u − v‖² of the two rows.
    pub squared_distance: f64,
}

impl Pair {
    /// ‖u − v‖ of the two rows.
    pub fn distance(&self) -> f64 {
        self.squared_distance.sqrt()
    }

    /// The closer pair; of equally close pairs the one that comes first, whoever found it.
    pub(crate) fn closer(self, other: Self) -> Self {
        let key = |pair: &Self| (pair.first, pair.second);
        let by_distance = self.squared_distance.total_cmp(&other.squared_distance);
        if by_distance.then(key(&self).cmp(&key(&other))).is_le() { self } else { other }
    }
}

/// The closest pair of `rows`, exactly; `None` for fewer than two rows.
pub(crate) fn closest_pair<T: Scalar>(rows: ArrayView2<'_, T>) -> Option<Pair> {
    let every: Vec<usize> = (0..rows.nrows()).collect();
    ClosestPair::new(rows).of(&every, 0..every.len())
}

/// The search for the closest pair of `rows`, in parts.
///
/// A pair's squared distance is read off the product as |u|² + |v|² − 2⟨u,v⟩, whose error is at
/// most (dim + 4)·ε·(|u|² + |v|²): half of that for the product, the rest for norms and sums. Only a
/// pair that this error leaves in play is measured directly.
pub(crate) struct ClosestPair<'a, T> {
    rows: ArrayView2<'a, T>,
    norms: Array1<f64>,
}

impl<'a, T: Scalar> ClosestPair<'a, T> {
    pub(crate) fn new(rows: ArrayView2<'a, T>) -> Self {
        Self { rows, norms: squared_norms(rows) }
    }

    /// The closest pair with one row among `chosen[part]` and the other any row; pairs that an earlier
    /// part has seen may be left out. `chosen` ascends and holds no row twice.
    pub(crate) fn of(&self, chosen: &[usize], part: Range<usize>) -> Option<Pair> {
        (0..part.len().div_ceil(TILE))
            .into_par_iter()
            .filter_map(|tile| {
                let at = part.start + tile * TILE;
                self.of_tile(&chosen[at..(at + TILE).min(part.end)], at)
            })
            .reduce_with(Pair::closer)
    }

    /// The closest pair with one row in a tile of chosen rows, `at` of which were chosen before it.
    fn of_tile(&self, tile: &[usize], at: usize) -> Option<Pair> {
        let dim = self.rows.ncols();
        let epsilon = (dim + 4) as f64 * T::epsilon().widen();
        let underflow = dim as f64 * T::min_positive_value().widen();
        // When every row before the tile was chosen, the pairs with those rows are done.
        let start = if tile[0] == at { at } else { 0 };
        let gram =
            product(self.rows.select(Axis(0), tile).view(), self.rows.slice(s![start.., ..]).t());
        let mut best: Option<Pair> = None;
        for (&own, products) in tile.iter().zip(gram.outer_iter()) {
            for (column, inner) in products.iter().enumerate() {
                let other = start + column;
                if other == own {
                    continue;
                }
                let size = self.norms[own] + self.norms[other];
                let least = size - 2.0 * inner.widen() - epsilon * size - underflow;
                // A product that overflows, even to −∞ on its way to a larger sum, rules nothing out.
                let in_play = |best: Pair| least <= best.squared_distance;
                if !inner.is_finite() || best.is_none_or(in_play) {
                    let (first, second) = (own.min(other), own.max(other));
                    let squared_distance =
                        squared_distance(self.rows.row(first), self.rows.row(second));
                    let pair = Pair { first, second, squared_distance };
                    best = Some(best.map_or(pair, |best| best.closer(pair)));
                }
            }
        }
        best
    }
}

/// ‖u‖² of every row, summed in `f64`.
pub(crate) fn squared_norms<T: Scalar>(rows: ArrayView2<'_, T>) -> Array1<f64> {
    rows.map_axis(Axis(1), wide::squared_norm)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    fn brute_force(rows: &Array2<f32>, among: fn(&Pair) -> bool) -> Pair {
        let n = rows.nrows();
        (0..n)
            .flat_map(|first| (first + 1..n).map(move |second| (first, second)))
            .map(|(first, second)| Pair {
                first,
                second,
                squared_distance: squared_distance(rows.row(first), rows.row(second)),
            })
            .filter(among)
            .reduce(Pair::closer)
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Exactly the brute-force answer, also far from the origin, where the product form loses
        /// every digit of the distance, and with ties (few distinct values).
        #[test]
        fn equals_brute_force(
            n in prop::sample::select(vec![2, 3, TILE, TILE + 1, 2 * TILE + 1]),
            dim in 1usize..6,
            offset in prop::sample::select(vec![0.0_f32, 1e4]),
            values in prop::collection::vec(0u8..20, (2 * TILE + 1) * 5),
        ) {
            let rows = Array2::from_shape_fn((n, dim), |(i, j)| {
                offset + f32::from(values[i * dim + j]) * 0.125
            });
            prop_assert_eq!(closest_pair(rows.view()), Some(brute_force(&rows, |_| true)));
            // Every third row, in two parts: the pairs with at least one of them.
            let chosen: Vec<usize> = (0..n).step_by(3).collect();
            let search = ClosestPair::new(rows.view());
            let half = chosen.len() / 2;
            let parts = [search.of(&chosen, 0..half), search.of(&chosen, half..chosen.len())];
            let expected = brute_force(&rows, |pair| pair.first % 3 == 0 || pair.second % 3 == 0);
            prop_assert_eq!(parts.into_iter().flatten().reduce(Pair::closer), Some(expected));
        }
    }

    #[test]
    fn one_row_has_no_pair() {
        assert_eq!(closest_pair(Array2::<f64>::ones((1, 4)).view()), None);
    }
}
