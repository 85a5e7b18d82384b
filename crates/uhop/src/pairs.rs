//! The closest pair of a set of rows, searched by tiles of a matrix product.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::product::{TILE, product};
use crate::scalar::Scalar;

/// Two rows `first < second` and their squared distance, summed in `f64`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) squared_distance: f64,
}

impl Pair {
    /// The closer pair; of equally close pairs the one that comes first, whoever found it.
    fn closer(self, other: Self) -> Self {
        let key = |pair: &Self| (pair.first, pair.second);
        let by_distance = self.squared_distance.total_cmp(&other.squared_distance);
        if by_distance.then(key(&self).cmp(&key(&other))).is_le() { self } else { other }
    }
}

/// The closest pair of `rows`, exactly; `None` for fewer than two rows.
///
/// A pair's squared distance is read off the product as |u|² + |v|² − 2⟨u,v⟩, whose error is at
/// most (dim + 4)·ε·(|u|² + |v|²): half of that for the product, the rest for norms and sums. Only a
/// pair that this error leaves in play is measured directly.
pub(crate) fn closest_pair<T: Scalar>(rows: ArrayView2<'_, T>) -> Option<Pair> {
    let (n, dim) = rows.dim();
    let norms = squared_norms(rows);
    let epsilon = (dim + 4) as f64 * T::epsilon().widen();
    let underflow = dim as f64 * T::min_positive_value().widen();
    (0..n.div_ceil(TILE))
        .into_par_iter()
        .filter_map(|tile| {
            let start = tile * TILE;
            let end = (start + TILE).min(n);
            let gram = product(rows.slice(s![start..end, ..]), rows.slice(s![start.., ..]).t());
            let mut best: Option<Pair> = None;
            for (row, products) in gram.outer_iter().enumerate() {
                let first = start + row;
                for (column, inner) in products.iter().enumerate().skip(row + 1) {
                    let second = start + column;
                    let size = norms[first] + norms[second];
                    let least = size - 2.0 * inner.widen() - epsilon * size - underflow;
                    // A product that overflows, even to −∞ on its way to a larger sum, rules nothing out.
                    let in_play = |best: Pair| least <= best.squared_distance;
                    if !inner.is_finite() || best.is_none_or(in_play) {
                        let squared_distance = squared_distance(rows.row(first), rows.row(second));
                        let pair = Pair { first, second, squared_distance };
                        best = Some(best.map_or(pair, |best| best.closer(pair)));
                    }
                }
            }
            best
        })
        .reduce_with(Pair::closer)
}

/// ‖u‖² of every row, summed in `f64`.
pub(crate) fn squared_norms<T: Scalar>(rows: ArrayView2<'_, T>) -> Array1<f64> {
    rows.map_axis(Axis(1), |row| row.iter().map(|x| x.widen() * x.widen()).sum())
}

/// ‖u − v‖², summed in `f64`.
pub(crate) fn squared_distance<T: Scalar>(u: ArrayView1<'_, T>, v: ArrayView1<'_, T>) -> f64 {
    u.iter().zip(v).map(|(u, v)| (u.widen() - v.widen()).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    fn brute_force(rows: &Array2<f32>) -> Pair {
        let n = rows.nrows();
        (0..n)
            .flat_map(|first| (first + 1..n).map(move |second| (first, second)))
            .map(|(first, second)| Pair {
                first,
                second,
                squared_distance: squared_distance(rows.row(first), rows.row(second)),
            })
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
            prop_assert_eq!(closest_pair(rows.view()), Some(brute_force(&rows)));
        }
    }

    #[test]
    fn one_row_has_no_pair() {
        assert_eq!(closest_pair(Array2::<f64>::ones((1, 4)).view()), None);
    }
}
