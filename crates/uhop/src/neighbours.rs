//! The closest pair of rows that move a little between one search and the next.
//!
//! As in the neighbour lists of molecular dynamics (Verlet, Phys. Rev. 159, 1967): all pairs closer than
//! a radius are listed once. While no row has moved far, two rows that are not listed cannot have become
//! the closest, and of the listed only those are measured whose rows have moved as far as they were apart
//! beyond the closest. The answer is that of [`closest_pair`], always.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::pairs::{ClosestPair, NearPair, Pair, closest_pair};
use crate::product::product;
use crate::scalar::Scalar;
use crate::wide::squared_distance;

/// Pairs to list for each row, if they are a small part of all: they reach far enough for many steps.
const LISTED: usize = 32;

/// A list may turn out so many times as long, and is then all pairs at most.
const LONGEST: usize = 8;

/// Rows whose distances to all others are searched anew; with more than this part of all, the list is.
const MOST_MOVED: usize = 16;

/// Rows from whose distances the radius is chosen.
const SAMPLE: usize = 512;

/// Pairs looked at by one task.
const TASK: usize = 1024;

/// Searches for the closest pair of the same rows, again and again.
pub(crate) struct Neighbours<T> {
    listed: usize,
    list: Option<List<T>>,
    /// Whether the list has served a search since the one that it was made for.
    served: bool,
    /// Whether lists serve at all.
    pays: bool,
}

/// The pairs that were within a radius, or may have been.
struct List<T> {
    pairs: Vec<NearPair>,
    radius: f64,
    /// The closest pair when last searched.
    last: (usize, usize),
    /// The rows when they were.
    rows: Array2<T>,
}

impl<T: Scalar> Neighbours<T> {
    pub(crate) fn new() -> Self {
        Self::with_listed(LISTED)
    }

    fn with_listed(listed: usize) -> Self {
        Self { listed, list: None, served: true, pays: true }
    }

    /// [`closest_pair`] of `rows`, which are as many and as long as at the last search.
    pub(crate) fn closest_pair(&mut self, rows: ArrayView2<'_, T>) -> Option<Pair> {
        if let Some(found) = self.list.as_mut().and_then(|list| list.closest_pair(rows)) {
            self.served = true;
            return Some(found);
        }
        self.pays &= self.served;
        let mut list = self.pays.then(|| List::new(rows, self.listed)).flatten();
        let found = list.as_mut().and_then(|list| list.closest_pair(rows));
        (self.served, self.pays) = (false, found.is_some());
        self.list = list.filter(|_| self.pays);
        found.or_else(|| closest_pair(rows))
    }
}

impl<T: Scalar> List<T> {
    /// About `listed` pairs for each row, or a small part of all.
    fn new(rows: ArrayView2<'_, T>, listed: usize) -> Option<Self> {
        let n = rows.nrows();
        let all = n * n.saturating_sub(1) / 2;
        let wanted = (listed * n).min(all / LONGEST);
        if wanted == 0 || u32::try_from(n).is_err() {
            return None;
        }
        let square = squared_radius(rows, wanted as f64 / all as f64)?;
        let pairs = ClosestPair::new(rows).within(square, LONGEST * wanted)?;
        let nearest = pairs.iter().min_by(|a, b| a.least.total_cmp(&b.least))?;
        let last = (nearest.first as usize, nearest.second as usize);
        Some(Self { pairs, radius: square.sqrt(), last, rows: rows.to_owned() })
    }

    /// The closest pair of `rows`, if the list tells it.
    ///
    /// Two rows that were d₀ apart, and have moved by r and r' since, are by the triangle inequality now at
    /// least d₀ − r − r' apart. A listed pair is measured where that is no more than the distance d of the pair
    /// that was closest last. Two rows that are not listed were farther apart than the radius R: they are
    /// farther apart than the closest, at d, unless one of them moved by (R − d)/2. The few rows that did are
    /// searched one by one.
    fn closest_pair(&mut self, rows: ArrayView2<'_, T>) -> Option<Pair> {
        // Squared distances are off by at most (dim + 3)·ε of themselves, distances by half of that.
        let error = (rows.ncols() + 8) as f64 * f64::EPSILON;
        let ways: Vec<f64> = rows
            .axis_iter(Axis(0))
            .into_par_iter()
            .zip(self.rows.axis_iter(Axis(0)))
            .map(|(row, before)| squared_distance(row, before).sqrt() * (1.0 + error))
            .collect();
        let last = Pair::of(rows, self.last.0, self.last.1);
        let nearest = last.distance() * (1.0 + error);
        let in_play = |pair: &&NearPair| {
            let ways = ways[pair.first as usize] + ways[pair.second as usize];
            let least = pair.least * (1.0 - error) - ways;
            least <= nearest || least.is_nan()
        };
        let of_task = |pairs: &[NearPair]| {
            let measured =
                |pair: &NearPair| Pair::of(rows, pair.first as usize, pair.second as usize);
            pairs.iter().filter(in_play).map(measured).reduce(Pair::closer)
        };
        let of_tasks = self.pairs.par_chunks(TASK).filter_map(of_task);
        let closest = of_tasks.reduce_with(Pair::closer).map_or(last, |pair| pair.closer(last));
        let room = self.radius * (1.0 - error) - closest.distance() * (1.0 + error);
        let far = 0.5 * room * (1.0 - error);
        if far.is_nan() {
            return None;
        }
        let is_far = |&row: &usize| ways[row] >= far || ways[row].is_nan();
        let moved: Vec<usize> = (0..rows.nrows()).filter(is_far).collect();
        if moved.len() * MOST_MOVED > rows.nrows() {
            return None;
        }
        let of_moved = ClosestPair::new(rows).of(&moved, 0..moved.len());
        let closest = of_moved.map_or(closest, |pair| pair.closer(closest));
        self.last = (closest.first, closest.second);
        Some(closest)
    }
}

/// The squared distance that about this `share` of the pairs are within, by the rows of a sample; nothing when
/// it is so small or large that squares of numbers lose their precision.
fn squared_radius<T: Scalar>(rows: ArrayView2<'_, T>, share: f64) -> Option<f64> {
    let every = rows.nrows().div_ceil(SAMPLE);
    let chosen: Vec<usize> = (0..rows.nrows()).step_by(every).collect();
    let sample = rows.select(Axis(0), &chosen);
    let products = product(sample.view(), sample.t());
    let square = |i: usize, j: usize| {
        let [own, other, both] = [[i, i], [j, j], [i, j]].map(|at| products[at].widen());
        own + other - 2.0 * both
    };
    let pairs = (1..chosen.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let mut squares: Vec<f64> = pairs.map(|(i, j)| square(i, j)).collect();
    let rank = (share * squares.len() as f64) as usize;
    let (_, &mut square, _) = squares.select_nth_unstable_by(rank, f64::total_cmp);
    let precise = f64::MIN_POSITIVE / f64::EPSILON.powi(2)..f64::MAX * f64::EPSILON;
    precise.contains(&square).then_some(square)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wave(n: usize, dim: usize, phase: f64) -> Array2<f64> {
        Array2::from_shape_fn((n, dim), |(i, j)| {
            (phase + 1.7 * i as f64 + 0.3 * (i * j) as f64).sin() + 0.5 * (j as f64 - 1.0)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever moves how far: all rows a little, some much, or to where another row is.
        #[test]
        fn the_closest_pair_is_found_again_and_again(
            n in prop::sample::select(vec![2, 16, 17, 40, 130, 260]),
            dim in 1_usize..6,
            phase in 0.0..6.0_f64,
            moves in prop::collection::vec(
                (prop::sample::select(vec![0.0, 1e-4, 1e-2, 1.0]), 0_usize..260, 0_usize..260, 0.0..1.0_f64),
                1..12,
            ),
        ) {
            let mut rows = wave(n, dim, phase).mapv(|x| x as f32);
            let mut neighbours = Neighbours::with_listed(1);
            prop_assert_eq!(neighbours.closest_pair(rows.view()), closest_pair(rows.view()));
            for (step, (all, one, other, share)) in moves.into_iter().enumerate() {
                let way = wave(n, dim, phase + 1.0 + step as f64);
                rows.zip_mut_with(&way, |x, &to| *x += (all * (to - f64::from(*x))) as f32);
                let target = rows.row(other % n).to_owned();
                let mut row = rows.row_mut(one % n);
                row.zip_mut_with(&target, |x, &to| *x += share as f32 * (to - *x));
                prop_assert_eq!(neighbours.closest_pair(rows.view()), closest_pair(rows.view()));
            }
        }
    }

    /// Of rows on a line, equally far apart, a list holds neighbours, and every row that leaves it is seen.
    #[test]
    fn a_list_lasts_while_few_rows_move_far() {
        let start = Array2::from_shape_fn((200, 1), |(i, _)| i as f64);
        let mut neighbours = Neighbours::with_listed(3);
        let mut rows = start.clone();
        let mut search = |rows: &Array2<f64>| {
            let found = neighbours.closest_pair(rows.view()).unwrap();
            (found, neighbours.list.as_ref().unwrap().rows.clone())
        };
        assert_eq!(search(&rows).1, start);
        // The first rows were no neighbours of the last.
        rows[[0, 0]] = 198.75;
        let (found, listed) = search(&rows);
        assert_eq!((found.first, found.second, found.squared_distance), (0, 199, 0.0625));
        assert_eq!(listed, start);
        rows.mapv_inplace(|x| x * 2.0);
        assert_eq!(search(&rows), (Pair { squared_distance: 0.25, ..found }, rows.clone()));
    }

    #[test]
    fn rows_that_always_move_far_are_searched_without_a_list() {
        let mut rows = wave(200, 3, 0.0);
        let mut neighbours = Neighbours::with_listed(3);
        for step in 0..4 {
            assert_eq!(neighbours.closest_pair(rows.view()), closest_pair(rows.view()));
            assert_eq!((neighbours.pays, neighbours.list.is_some()), (step == 0, step == 0));
            rows = wave(200, 3, 1.0 + f64::from(step));
        }
    }

    /// Where all pairs are equally far apart no list is a small part of them.
    #[test]
    fn rows_without_neighbours_are_searched_all_the_same() {
        let corners = Array2::<f32>::eye(100);
        let equal = Array2::<f32>::ones((100, 3));
        for mut rows in [corners, equal] {
            let mut neighbours = Neighbours::with_listed(1);
            for _ in 0..3 {
                assert_eq!(neighbours.closest_pair(rows.view()), closest_pair(rows.view()));
                assert!(neighbours.list.is_none() && !neighbours.pays);
                rows[[3, 1]] += 0.25;
            }
        }
    }
}
