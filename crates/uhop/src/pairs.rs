//! The closest pair of a set of rows, searched by tiles of a matrix product.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::product::product_into;
use crate::scalar::Scalar;
use crate::simd;
use crate::wide::{self, squared_distance};

/// Rows of a tile of products, and its columns: it stays in the cache while it is looked at, and most of
/// its rows hold no pair in play.
const TILE: usize = 128;
const WIDTH: usize = 512;

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

    /// The pair of two rows, measured.
    pub(crate) fn of<T: Scalar>(rows: ArrayView2<'_, T>, first: usize, second: usize) -> Self {
        let squared_distance = squared_distance(rows.row(first), rows.row(second));
        Self { first, second, squared_distance }
    }

    /// The closer pair; of equally close pairs the one that comes first, whoever found it.
    pub(crate) fn closer(self, other: Self) -> Self {
        let key = |pair: &Self| (pair.first, pair.second);
        let by_distance = self.squared_distance.total_cmp(&other.squared_distance);
        if by_distance.then(key(&self).cmp(&key(&other))).is_le() { self } else { other }
    }
}

/// Two rows `first < second` that may be near.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NearPair {
    pub(crate) first: u32,
    pub(crate) second: u32,
    /// The least that ‖u − v‖ of the two rows can be.
    pub(crate) least: f64,
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
    norms: Vec<f64>,
}

impl<'a, T: Scalar> ClosestPair<'a, T> {
    pub(crate) fn new(rows: ArrayView2<'a, T>) -> Self {
        Self { rows, norms: squared_norms(rows).to_vec() }
    }

    /// The closest pair with one row among `chosen[part]` and the other any row; pairs that an earlier
    /// part has seen may be left out. `chosen` ascends and holds no row twice.
    pub(crate) fn of(&self, chosen: &[usize], part: Range<usize>) -> Option<Pair> {
        let n_rows = self.rows.nrows();
        let mut tiles = Vec::new();
        for at in part.clone().step_by(TILE) {
            let own = &chosen[at..(at + TILE).min(part.end)];
            // When every row before these was chosen, the pairs with those rows are done.
            let start = if own[0] == at { at } else { 0 };
            let others = (start..n_rows).step_by(WIDTH);
            tiles.extend(others.map(|start| (own, start..(start + WIDTH).min(n_rows))));
        }
        tiles
            .into_par_iter()
            .filter_map(|(own, others)| self.of_tile(own, others))
            .reduce_with(Pair::closer)
    }

    /// The closest pair with one row of `own` and the other among `others`, in this thread.
    fn of_tile(&self, own: &[usize], others: Range<usize>) -> Option<Pair> {
        let bound = self.bound();
        let mut gram = Array2::zeros((own.len(), others.len()));
        let columns = self.rows.slice(s![others.clone(), ..]);
        product_into(gram.view_mut(), self.rows.select(Axis(0), own).view(), columns.t());
        let mut best: Option<Pair> = None;
        for (&own, products) in own.iter().zip(gram.outer_iter()) {
            let products = products.to_slice().expect("a row of a fresh tile");
            let (norm, norms) = (self.norms[own], &self.norms[others.clone()]);
            // A product that overflows, even to −∞ on its way to a larger sum, rules nothing out.
            let least = simd::least_distance(products, norm, norms, bound.epsilon);
            if let (Some(least), Some(best)) = (least, best)
                && least - bound.underflow > best.squared_distance
            {
                continue;
            }
            for ((inner, &other_norm), other) in products.iter().zip(norms).zip(others.clone()) {
                if other == own {
                    continue;
                }
                let least = bound.least(norm + other_norm, inner.widen());
                let in_play = |best: Pair| least <= best.squared_distance;
                if !inner.is_finite() || best.is_none_or(in_play) {
                    let pair = Pair::of(self.rows, own.min(other), own.max(other));
                    best = Some(best.map_or(pair, |best| best.closer(pair)));
                }
            }
        }
        best
    }

    /// All pairs whose squared distance is `most_square` or less, and others whose error leaves that open;
    /// nothing when they are more than `most_pairs`.
    pub(crate) fn within(&self, most_square: f64, most_pairs: usize) -> Option<Vec<NearPair>> {
        let n_rows = self.rows.nrows();
        let mut tiles = Vec::new();
        for at in (0..n_rows).step_by(TILE) {
            let own = at..(at + TILE).min(n_rows);
            let others = (at..n_rows).step_by(WIDTH);
            tiles.extend(others.map(|at| (own.clone(), at..(at + WIDTH).min(n_rows))));
        }
        let found = AtomicUsize::new(0);
        let of_tile = |(own, others): (Range<usize>, Range<usize>)| {
            let pairs = self.of_tile_within(own, others, most_square);
            let before = found.fetch_add(pairs.len(), Ordering::Relaxed);
            (before + pairs.len() <= most_pairs).then_some(pairs)
        };
        let pairs: Option<Vec<Vec<_>>> = tiles.into_par_iter().map(of_tile).collect();
        Some(pairs?.concat())
    }

    fn of_tile_within(
        &self,
        own: Range<usize>,
        others: Range<usize>,
        most_square: f64,
    ) -> Vec<NearPair> {
        let bound = self.bound();
        let mut gram = Array2::zeros((own.len(), others.len()));
        let columns = self.rows.slice(s![others.clone(), ..]);
        product_into(gram.view_mut(), self.rows.slice(s![own.clone(), ..]), columns.t());
        let mut pairs = Vec::new();
        for (own, products) in own.zip(gram.outer_iter()) {
            let norm = self.norms[own];
            for (inner, other) in products.iter().zip(others.clone()) {
                let least = bound.least(norm + self.norms[other], inner.widen());
                // A product that overflows rules nothing out.
                let least_square = if inner.is_finite() { least.max(0.0) } else { 0.0 };
                if own < other && least_square <= most_square {
                    let least = least_square.sqrt();
                    pairs.push(NearPair { first: own as u32, second: other as u32, least });
                }
            }
        }
        pairs
    }

    fn bound(&self) -> Bound {
        let dim = self.rows.ncols();
        let epsilon = (dim + 4) as f64 * T::epsilon().widen();
        Bound { epsilon, underflow: dim as f64 * T::min_positive_value().widen() }
    }
}

/// What a squared distance read off a product is off by: `epsilon` times |u|² + |v|², and `underflow`.
struct Bound {
    epsilon: f64,
    underflow: f64,
}

impl Bound {
    /// The least that ‖u − v‖² can be, for |u|² + |v|² of this `size`.
    fn least(&self, size: f64, inner: f64) -> f64 {
        size - self.epsilon * size - 2.0 * inner - self.underflow
    }
}

/// ‖u‖² of every row, summed in `f64`.
pub(crate) fn squared_norms<T: Scalar>(rows: ArrayView2<'_, T>) -> Array1<f64> {
    rows.map_axis(Axis(1), wide::squared_norm)
}

#[cfg(test)]
mod tests {
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
            n in prop::sample::select(vec![2, 3, TILE - 1, TILE, TILE + 1, WIDTH, WIDTH + 1, WIDTH + TILE + 1]),
            dim in 1usize..6,
            offset in prop::sample::select(vec![0.0_f32, 1e4]),
            values in prop::collection::vec(0u8..20, (WIDTH + TILE + 1) * 5),
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
