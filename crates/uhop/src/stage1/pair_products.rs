//! The closest pair of features that move by two vectors at a time, read off inner products that move as
//! well.
//!
//! A step F ← F + A·V, A of shape `[n_patterns, 2]` and V of `[2, dim_features]`, takes the products P = FFᵀ to
//!
//! ```text
//! P ← P + A·Bᵀ + B·Aᵀ    with B = F·Vᵀ + ½A·(VVᵀ)
//! ```
//!
//! in 4n² multiplications, whatever the length of a feature. They are off by roundings that add up, of which a
//! bound is kept. Pairs that it leaves in play are measured, so that the answer is that of
//! [`closest_pair`](crate::pairs::closest_pair), always.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::average::Features;
use super::loss::square_norms_fit;
use crate::feature_map::normalize_rows;
use crate::pairs::Pair;
use crate::product::add_product;
use crate::scalar::Scalar;
use crate::simd;
use crate::wide::dot;

/// Pairs at most: 256 MiB of `f32`, twice while they are made anew.
const MOST_PAIRS: usize = 1 << 26;

/// Rows of products that one task moves.
const BLOCK: usize = 64;

/// Columns of features that a product sums up at once: its error grows with them.
const SUMMED: usize = 128;

/// The bound on the error of a product beyond which products are made anew.
const MOST_ERROR: f64 = 0.01;

/// A pair is measured in about the time that so many products are made in.
const OF_MEASURED: usize = 64;

/// ⟨F_i,F_j⟩ of all pairs of features.
pub(super) struct PairProducts<T> {
    features: Features,
    /// Rows i of products with all j < i, and a few more, by blocks of rows.
    blocks: Vec<Array2<T>>,
    /// N̄: the largest norms since the products were made.
    peaks: Vec<f64>,
    /// κ: a product is off by at most κ·N̄_i·N̄_j.
    error: f64,
    /// Pairs measured since the products were made.
    measured: usize,
    moved: Option<Move<T>>,
}

/// A step of the features that the products have yet to follow.
struct Move<T> {
    /// The columns of A and of B.
    columns: [Vec<T>; 4],
    /// m: Σ_k |A_ik|·‖V_k‖ ≥ the way of F_i
    ways: Vec<f64>,
    dim_features: usize,
}

/// What is compared: φ_i = r_i·F_i, and ½‖φ_i‖².
struct Scales<T> {
    scales: Vec<T>,
    halves: Vec<T>,
}

impl<T: Scalar> PairProducts<T> {
    /// Of features with these norms; nothing when they are too many, fewer than two, or so long or short that
    /// products leave the numbers of `T`.
    pub(super) fn new(
        features: ArrayView2<'_, T>,
        norms: &[f64],
        compared: Features,
    ) -> Option<Self> {
        let n = features.nrows();
        let fits = (2..MOST_PAIRS).contains(&n) && n * (n - 1) / 2 <= MOST_PAIRS;
        if !fits || !square_norms_fit::<T>(norms) {
            return None;
        }
        let parts: Vec<Array2<T>> =
            features.axis_chunks_iter(Axis(1), SUMMED).map(|part| part.to_owned()).collect();
        let of_block = |start: usize| {
            let end = (start + BLOCK).min(n);
            let mut products = Array2::zeros((end - start, end));
            for part in &parts {
                let (own, others) = (part.slice(s![start..end, ..]), part.slice(s![..end, ..]));
                add_product(products.view_mut(), own, others.t());
            }
            products
        };
        let starts: Vec<usize> = (0..n).step_by(BLOCK).collect();
        // A rounding for each number of a part, and one for each part.
        let roundings = SUMMED.min(features.ncols()) + parts.len() + 1;
        Some(Self {
            features: compared,
            blocks: starts.into_par_iter().map(of_block).collect(),
            peaks: norms.to_vec(),
            error: 0.5 * T::epsilon().widen() * roundings as f64,
            measured: 0,
            moved: None,
        })
    }

    /// Takes note of the step F ← F + A·V, of which `shares` are A, `way` is V and `along` F·Vᵀ of F before it.
    pub(super) fn moved(&mut self, shares: &Array2<T>, way: &Array2<T>, along: &Array2<f64>) {
        let [first, second] = [0, 1].map(|i| way.row(i));
        let squares = [dot(first, first), dot(first, second), dot(second, second)];
        let norms = [squares[0].sqrt(), squares[2].sqrt()];
        let n = shares.nrows();
        let mut columns = [0; 4].map(|_| Vec::with_capacity(n));
        let mut ways = Vec::with_capacity(n);
        for (shares, along) in shares.outer_iter().zip(along.outer_iter()) {
            let [a, b] = [0, 1].map(|i| shares[i].widen());
            columns[0].push(shares[0]);
            columns[1].push(shares[1]);
            columns[2].push(T::narrow(along[0] + 0.5 * (a * squares[0] + b * squares[1])));
            columns[3].push(T::narrow(along[1] + 0.5 * (a * squares[1] + b * squares[2])));
            ways.push(a.abs() * norms[0] + b.abs() * norms[1]);
        }
        self.moved = Some(Move { columns, ways, dim_features: way.ncols() });
    }

    /// The closest pair of the features as they are compared; nothing when they have come to be too long or too short.
    pub(super) fn closest_pair(
        &mut self,
        features: ArrayView2<'_, T>,
        norms: &[f64],
    ) -> Option<Pair> {
        if !square_norms_fit::<T>(norms) {
            return None;
        }
        self.peaks.iter_mut().zip(norms).for_each(|(peak, &norm)| *peak = peak.max(norm));
        let moved = self.moved.take();
        self.error += moved.as_ref().map_or(0.0, |moved| moved.error(&self.peaks));
        let scales = Scales::new(self.features, norms);
        let is_sharp = self.error <= MOST_ERROR
            && self.measured <= norms.len() * norms.len() / (2 * OF_MEASURED);
        let best = if is_sharp {
            self.best_of_rows(&scales, moved.as_ref())
        } else {
            *self = Self::new(features, norms, self.features)?;
            self.best_of_rows(&scales, None)
        };
        let slacks = self.slacks(&scales, features.ncols());
        let measure = |[i, j]: [usize; 2]| measure(features, self.features, [j, i]);
        let score = |[i, j]: [usize; 2]| scales.score(self.row(i)[j], i, j);
        let of_row = |i: usize| (0..i).map(move |j| [i, j]);
        let nearest = (1..best.len()).max_by(|&i, &j| best[i].total_cmp(&best[j]))?;
        let nearest = of_row(nearest).max_by(|&a, &b| score(a).total_cmp(&score(b)))?;
        let least = measure(nearest);
        let enough = -0.5 * least.squared_distance;
        let found = (1..best.len())
            .into_par_iter()
            .filter(|&i| best[i] + slacks[i] >= enough)
            .flat_map_iter(of_row)
            .filter(|&pair| score(pair) + slacks[pair[0]] >= enough)
            .map(|pair| (1, measure(pair)))
            .reduce(|| (0, least), |a, b| (a.0 + b.0, a.1.closer(b.1)));
        self.measured += found.0;
        Some(found.1)
    }

    /// Products of row i with all j < i.
    fn row(&self, i: usize) -> &[T] {
        let row = self.blocks[i / BLOCK].row(i % BLOCK);
        &row.to_slice().expect("a row of a block")[..i]
    }

    /// The largest score of each row i with j < i, after the step if there was one.
    fn best_of_rows(&mut self, scales: &Scales<T>, moved: Option<&Move<T>>) -> Vec<f64> {
        let of_block = |(block, products): (usize, &mut Array2<T>)| {
            let mut best = Vec::with_capacity(products.nrows());
            for (row, i) in products.axis_iter_mut(Axis(0)).zip(block * BLOCK..) {
                let row = &mut row.into_slice().expect("a row of a block")[..i];
                if let Some(Move { columns: [a, b, c, d], .. }) = moved {
                    let factors = [c[i], d[i], a[i], b[i]];
                    simd::add_multiples(row, factors, [a, b, c, d].map(|column| &column[..i]));
                }
                best.push(scales.best(row, i));
            }
            best
        };
        let of_blocks: Vec<Vec<f64>> =
            self.blocks.par_iter_mut().enumerate().map(|(i, block)| of_block((i, block))).collect();
        of_blocks.concat()
    }

    /// What the scores of each row may be off by.
    ///
    /// The product by κ·N̄_i·N̄_j, and by scales and the features as they are compared another 16 roundings; the halves
    /// by 8; sums of dim_features terms in `f64` by as many roundings of these.
    fn slacks(&self, scales: &Scales<T>, dim_features: usize) -> Vec<f64> {
        let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let halves: Vec<f64> = scales.halves.iter().map(|half| half.widen()).collect();
        let span = |(peak, scale): (&f64, &T)| peak * scale.widen();
        let spans: Vec<f64> = self.peaks.iter().zip(&scales.scales).map(span).collect();
        let (widest, most) = (largest(&spans), largest(&halves));
        let sums = 2.0 * f64::EPSILON * dim_features as f64;
        let [of_span, of_half] =
            [8.0, 4.0].map(|roundings| roundings * T::epsilon().widen() + sums);
        let of_row =
            |(span, half)| (self.error + of_span) * span * widest + of_half * (half + most);
        spans.iter().zip(&halves).map(of_row).collect()
    }
}

/// The pair of two features as they are compared.
fn measure<T: Scalar>(features: ArrayView2<'_, T>, compared: Features, pair: [usize; 2]) -> Pair {
    let mut rows = features.select(Axis(0), &pair);
    if compared == Features::Unit {
        normalize_rows(&mut rows);
    }
    let [first, second] = pair;
    Pair { first, second, ..Pair::of(rows.view(), 0, 1) }
}

impl<T: Scalar> Move<T> {
    /// What the step adds to κ.
    ///
    /// With m_i the ways and u = ε/2, P' is rounded once, and its four terms, of m_iN̄_j + m_jN̄_i + m_im_j in all,
    /// four times; B once, and by its sum in `f64`. F' has one rounding of itself and three of m, twice in a
    /// product. For m_i ≤ μN̄_i that makes u(3 + 16μ + 5μ²), and the sum; squares of u make less than u.
    fn error(&self, peaks: &[f64]) -> f64 {
        let share = |(&way, &peak): (&f64, &f64)| if way == 0.0 { 0.0 } else { way / peak };
        let most = self.ways.iter().zip(peaks).map(share).fold(0.0, f64::max);
        let sums = f64::EPSILON * self.dim_features as f64;
        2.0 * T::epsilon().widen() * (1.0 + most).powi(4) + sums * most * (1.0 + most)
    }
}

impl<T: Scalar> Scales<T> {
    fn new(features: Features, norms: &[f64]) -> Self {
        let of_norm = |&norm: &f64| match features {
            Features::Raw => (1.0, 0.5 * norm * norm),
            Features::Unit if norm == 0.0 => (0.0, 0.0),
            Features::Unit => (1.0 / norm, 0.5),
        };
        let narrow = |(scale, half)| (T::narrow(scale), T::narrow(half));
        let (scales, halves) = norms.iter().map(of_norm).map(narrow).unzip();
        Self { scales, halves }
    }

    /// −½‖φ_i − φ_j‖² by the product of F_i and F_j.
    fn score(&self, product: T, i: usize, j: usize) -> f64 {
        let score = product * self.scales[j] * self.scales[i] - self.halves[j];
        score.widen() - self.halves[i].widen()
    }

    /// The largest score of i with those j that there are products of.
    fn best(&self, products: &[T], i: usize) -> f64 {
        let others = products.len();
        let columns = (&self.scales[..others], &self.halves[..others]);
        simd::largest_difference(products, self.scales[i], columns).widen() - self.halves[i].widen()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::pairs::{closest_pair, squared_norms};

    fn norms<T: Scalar>(features: &Array2<T>) -> Vec<f64> {
        squared_norms(features.view()).mapv(f64::sqrt).to_vec()
    }

    /// Features and their products, moved together.
    struct Moving<T> {
        features: Array2<T>,
        products: PairProducts<T>,
    }

    impl<T: Scalar> Moving<T> {
        fn new(features: Array2<T>, compared: Features) -> Self {
            let products = PairProducts::new(features.view(), &norms(&features), compared).unwrap();
            Self { features, products }
        }

        fn shift(&mut self, shares: &Array2<T>, way: &Array2<T>) {
            let along = self.features.mapv(T::widen).dot(&way.t().mapv(T::widen));
            self.products.moved(shares, way, &along);
            for (mut row, shares) in self.features.outer_iter_mut().zip(shares.outer_iter()) {
                for (k, f) in row.iter_mut().enumerate() {
                    *f += shares[0] * way[[0, k]] + shares[1] * way[[1, k]];
                }
            }
        }

        fn found(&mut self) -> Option<Pair> {
            self.products.closest_pair(self.features.view(), &norms(&self.features))
        }

        fn expected(&self) -> Option<Pair> {
            let mut rows = self.features.clone();
            if self.products.features == Features::Unit {
                normalize_rows(&mut rows);
            }
            closest_pair(rows.view())
        }
    }

    fn wave<T: Scalar>(shape: (usize, usize), phase: f64, size: f64) -> Array2<T> {
        let entry = |(i, j): (usize, usize)| {
            size * (phase + 1.7 * i as f64 + 0.3 * (i * j) as f64 + 2.9 * j as f64).sin()
        };
        Array2::from_shape_fn(shape, |at| T::narrow(entry(at)))
    }

    fn follows<T: Scalar>(
        (n, dim): (usize, usize),
        (phase, offset): (f64, f64),
        compared: Features,
        moves: &[(f64, usize, usize)],
    ) -> Result<(), TestCaseError> {
        let mut start = wave::<T>((n, dim), phase, 1.0).mapv(|x| x + T::narrow(offset));
        start.row_mut(n / 2).fill(T::zero());
        let mut moving = Moving::new(start, compared);
        prop_assert_eq!(moving.found(), moving.expected());
        for (step, &(size, one, other)) in moves.iter().enumerate() {
            let phase = phase + step as f64;
            let (mut shares, mut way) = (wave((n, 2), phase, size), wave((2, dim), phase, 1.0));
            if one % n != other % n {
                // Two features become equal, nearly, and no other moves.
                shares.fill(T::zero());
                shares[[one % n, 0]] = T::one();
                way.row_mut(0).assign(&moving.features.row(other % n));
                way.row_mut(0).zip_mut_with(&moving.features.row(one % n), |to, &from| *to -= from);
            }
            moving.shift(&shares, &way);
            prop_assert_eq!(moving.found(), moving.expected());
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Moved little and much, far from the origin and with ties.
        #[test]
        fn the_closest_pair_is_that_of_the_features(
            n in prop::sample::select(vec![2, 3, 20, BLOCK, BLOCK + 1, 2 * BLOCK + 3]),
            dim in prop::sample::select(vec![1, 2, 5, SUMMED + 2]),
            phase in 0.0..6.0_f64,
            offset in prop::sample::select(vec![0.0, 1e3]),
            compared in prop::sample::select(vec![Features::Unit, Features::Raw]),
            moves in prop::collection::vec(
                (prop::sample::select(vec![0.0, 1e-4, 1e-1, 30.0, 1e9]), 0_usize..200, 0_usize..200),
                1..8,
            ),
        ) {
            follows::<f32>((n, dim), (phase, offset), compared, &moves)?;
            follows::<f64>((n, dim), (phase, offset), compared, &moves)?;
        }
    }

    /// Of many small steps the products are within the bound, which leaves few pairs in play.
    #[test]
    fn products_follow_within_their_bound() {
        let (n, dim) = (BLOCK + 20, 40);
        let mut moving = Moving::new(wave::<f32>((n, dim), 0.0, 1.0), Features::Unit);
        let steps = 200;
        for step in 0..steps {
            let phase = f64::from(step);
            moving.shift(&wave((n, 2), phase, 0.1), &wave((2, dim), phase, 0.1));
            assert_eq!(moving.found(), moving.expected());
        }
        let Moving { features, products } = moving;
        assert!(products.error > 0.0 && products.error < 1e-3, "{:e}", products.error);
        assert!(products.measured < 3 * steps as usize, "{}", products.measured);
        for i in 0..n {
            for (j, product) in products.row(i).iter().enumerate() {
                let exact = dot(features.row(i), features.row(j));
                let bound = products.error * products.peaks[i] * products.peaks[j];
                assert!((product.widen() - exact).abs() <= bound, "{i} {j}");
            }
        }
    }

    /// Products that are off by nearly all of their bound, one way or the other.
    #[test]
    fn errors_within_the_bound_decide_nothing() {
        for compared in [Features::Unit, Features::Raw] {
            for phase in 0..20 {
                let start = wave::<f32>((BLOCK + 20, 5), f64::from(phase), 1.0);
                let mut moving = Moving::new(start, compared);
                let PairProducts { blocks, peaks, error, .. } = &mut moving.products;
                *error = 9e-3;
                for (i, mut row) in
                    blocks.iter_mut().flat_map(|block| block.axis_iter_mut(Axis(0))).enumerate()
                {
                    for (j, product) in row.iter_mut().enumerate() {
                        let sign = if (i + j) % 2 == 0 { 1.0 } else { -1.0 };
                        *product += (sign * 8.9e-3 * peaks[i] * peaks[j]) as f32;
                    }
                }
                assert_eq!(moving.found(), moving.expected());
            }
        }
    }

    /// The axes: all pairs are equally far apart. Made anew at every search, the first is found.
    #[test]
    fn the_first_of_equally_close_pairs_is_found() {
        let mut moving = Moving::new(Array2::<f32>::eye(100), Features::Raw);
        for _ in 0..3 {
            let found = moving.found().unwrap();
            assert_eq!((found.first, found.second, found.squared_distance), (0, 1, 2.0));
            moving.shift(&Array2::zeros((100, 2)), &Array2::ones((2, 100)));
        }
    }

    #[test]
    fn features_whose_products_are_no_numbers_are_left_to_others() {
        let new = |features: Array2<f32>| {
            PairProducts::new(features.view(), &norms(&features), Features::Unit)
        };
        assert!(new(array![[1.0, 2.0]]).is_none());
        assert!(new(array![[1e17], [1.0]]).is_none());
        assert!(new(array![[1e-17], [1.0]]).is_none());
        let mut moving = Moving::new(array![[1.0_f32], [0.0]], Features::Unit);
        assert!(moving.found().is_some());
        moving.shift(&array![[1e9, 0.0], [0.0, 0.0]], &array![[1e9], [0.0]]);
        assert_eq!(moving.found(), None);
        let features = Array2::<f32>::ones((MOST_PAIRS.isqrt() * 2, 1));
        assert!(new(features).is_none());
    }
}
