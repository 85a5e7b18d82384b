//! Random data, the slow twin of a memory, and how far rounding may move a result from it.
//!
//! Bounds are in units of ε, the distance from 1 to the next number, which is twice the largest
//! relative error of one operation: a sum of k products computed in any order is off by at most
//! k·ε/2 times the sum of their sizes, and a fast and a slow path by k·ε together.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};
use uhop::{
    AsymmetricMap, LinearMap, Model, Patterns, Scalar, Separation, Similarity, Threads, reference,
};

pub(crate) const EPSILON: f64 = f64::EPSILON;

/// ε of the type under test.
pub(crate) fn epsilon<T: Scalar>() -> f64 {
    T::epsilon().widen()
}

/// A matrix of independent standard normal entries; the same draws for both types.
pub(crate) fn normal<T: Scalar>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    LinearMap::random_normal(rows, columns, seed).unwrap().weight().to_owned()
}

/// The same, every row divided by its norm.
pub(crate) fn normal_unit(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    LinearMap::random_normal(rows, columns, seed).unwrap().normalize_rows().weight().to_owned()
}

pub(crate) fn stored<T: Scalar>(rows: &Array2<T>) -> Patterns<T> {
    Patterns::new(rows.clone()).unwrap()
}

pub(crate) fn wide<T: Scalar>(rows: ArrayView2<'_, T>) -> Array2<f64> {
    rows.mapv(T::widen)
}

pub(crate) fn narrow<T: Scalar>(rows: &Array2<f64>) -> Array2<T> {
    rows.mapv(T::narrow)
}

pub(crate) fn norm(row: ArrayView1<'_, f64>) -> f64 {
    reference::dot(row, row).sqrt()
}

pub(crate) fn frobenius(rows: ArrayView2<'_, f64>) -> f64 {
    rows.iter().map(|x| x * x).sum::<f64>().sqrt()
}

pub(crate) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

/// Runs `work` in so many threads.
pub(crate) fn in_pool<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    Threads::new(threads).unwrap().install(work)
}

/// Every similarity, the kernel with a tall normal W, the asymmetric one with two and no bias.
pub(crate) fn similarities<T: Scalar>(dim: usize, seed: u64) -> Vec<Similarity<T>> {
    vec![
        Similarity::Dot,
        Similarity::Cosine,
        Similarity::Euclidean,
        Similarity::Manhattan,
        Similarity::Kernel(LinearMap::random_normal(dim + 3, dim, seed).unwrap()),
        Similarity::Asymmetric(asymmetric(dim, seed)),
    ]
}

fn asymmetric<T: Scalar>(dim: usize, seed: u64) -> AsymmetricMap<T> {
    // Alike, so that a pattern tends to score highest with itself, and not the same.
    let keys = normal::<T>(dim + 3, dim, seed);
    let other = normal::<T>(dim + 3, dim, seed ^ 1000);
    let queries = &keys + &other.mapv(|x| T::narrow(0.5 * x.widen()));
    let map = |weight| LinearMap::new(weight).unwrap();
    AsymmetricMap::new(map(keys), map(queries)).unwrap()
}

/// The asymmetric similarity with a bias for each pattern, as large as the products are.
pub(crate) fn biased<T: Scalar>(n_patterns: usize, dim: usize, seed: u64) -> Similarity<T> {
    let bias = normal::<T>(1, n_patterns, seed ^ 2000).row(0).mapv(|b| T::narrow(9.0 * b.widen()));
    Similarity::Asymmetric(asymmetric(dim, seed).with_bias(bias).unwrap())
}

pub(crate) fn widened<T: Scalar>(similarity: &Similarity<T>) -> Similarity<f64> {
    match similarity {
        Similarity::Dot => Similarity::Dot,
        Similarity::Cosine => Similarity::Cosine,
        Similarity::Euclidean => Similarity::Euclidean,
        Similarity::Manhattan => Similarity::Manhattan,
        Similarity::Kernel(map) => Similarity::Kernel(LinearMap::new(wide(map.weight())).unwrap()),
        Similarity::Asymmetric(map) => {
            let wider = |map: &LinearMap<T>| LinearMap::new(wide(map.weight())).unwrap();
            let wider = AsymmetricMap::new(wider(map.keys()), wider(map.queries())).unwrap();
            Similarity::Asymmetric(match map.bias() {
                Some(bias) => wider.with_bias(bias.mapv(T::widen)).unwrap(),
                None => wider,
            })
        }
        other => panic!("no twin of {}", other.name()),
    }
}

/// Whether the inputs of the path under test are those of its twin, or were rounded to its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Inputs {
    Exact,
    Rounded,
}

/// A separation that the slow twin knows too.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sep {
    Entmax(f64),
    TopK(usize),
    Polynomial(u32),
}

impl Sep {
    pub(crate) fn fast(self) -> Separation {
        match self {
            Self::Entmax(alpha) => Separation::entmax(alpha),
            Self::TopK(k) => Separation::top_k(k),
            Self::Polynomial(degree) => Separation::polynomial(degree),
        }
        .unwrap()
    }

    pub(crate) fn weights(self, z: ArrayView1<'_, f64>) -> Array1<f64> {
        match self {
            Self::Entmax(alpha) => reference::entmax(z, alpha),
            Self::TopK(k) => reference::top_k(z, k),
            Self::Polynomial(degree) => reference::polynomial(z, degree),
        }
    }

    /// ∂p/∂z, `[n_patterns, n_patterns]`.
    ///
    /// Entmax: diag(s) − ssᵀ/Σs with s_i = p_i^(2−α) on the support; top-k is softmax there. The
    /// polynomial: with w_i = n p_i/z_i, diag(w) − pwᵀ.
    pub(crate) fn jacobian(self, z: &Array1<f64>, p: &Array1<f64>) -> Array2<f64> {
        let on_support = |f: &dyn Fn(f64, f64) -> f64| {
            Zip::from(p).and(z).map_collect(|&p, &z| if p > 0.0 { f(p, z) } else { 0.0 })
        };
        let (diagonal, left) = match self {
            Self::Entmax(alpha) => {
                let s = on_support(&|p, _| p.powf(2.0 - alpha));
                let total = s.sum();
                let share = &s / total;
                (s, share)
            }
            Self::TopK(_) => (p.clone(), p.clone()),
            // No score above 0: the weights are constant.
            Self::Polynomial(_) if z.iter().all(|&z| z <= 0.0) => {
                (Array1::zeros(z.len()), Array1::zeros(z.len()))
            }
            Self::Polynomial(degree) => (on_support(&|p, z| f64::from(degree) * p / z), p.clone()),
        };
        Array2::from_shape_fn((p.len(), p.len()), |(i, j)| {
            (if i == j { diagonal[i] } else { 0.0 }) - left[i] * diagonal[j]
        })
    }
}

/// The slow twin of a memory.
#[derive(Debug, Clone)]
pub(crate) struct Twin {
    pub(crate) patterns: Array2<f64>,
    pub(crate) values: Option<Array2<f64>>,
    pub(crate) similarity: Similarity<f64>,
    pub(crate) separation: Sep,
    pub(crate) beta: f64,
}

impl Twin {
    pub(crate) fn new<T: Scalar>(
        patterns: ArrayView2<'_, T>,
        similarity: &Similarity<T>,
        separation: Sep,
        beta: f64,
    ) -> Self {
        let similarity = widened(similarity);
        Self { patterns: wide(patterns), values: None, similarity, separation, beta }
    }

    pub(crate) fn model(&self) -> Model<f64> {
        Model::new(self.similarity.clone(), self.separation.fast(), self.beta).unwrap()
    }

    pub(crate) fn scores(&self, x: ArrayView1<'_, f64>) -> Array1<f64> {
        let score = |(i, row): (usize, ArrayView1<'_, f64>)| match &self.similarity {
            Similarity::Dot => reference::dot(row, x),
            Similarity::Cosine => reference::cosine(row, x),
            Similarity::Euclidean => reference::euclidean(row, x),
            Similarity::Manhattan => reference::manhattan(row, x),
            Similarity::Kernel(map) => reference::kernel(map.weight(), row, x),
            Similarity::Asymmetric(map) => {
                let bias = map.bias().map_or(0.0, |bias| bias[i]);
                reference::asymmetric(map.keys().weight(), map.queries().weight(), bias, row, x)
            }
            other => panic!("no twin of {}", other.name()),
        };
        self.patterns.rows().into_iter().enumerate().map(score).collect()
    }

    /// How far a score computed in `T` may be from the twin's, `[n_patterns]`.
    ///
    /// - dot: a sum of dim products, dim·ε·‖ξ‖‖x‖;
    /// - cosine: the same of unit vectors; each norm is a sum of dim squares under a root (dim·ε/2)
    ///   and each division rounds: (2·dim + 8)·ε;
    /// - euclidean: with a, b the distances of ξ, x from the mean of the memory, which is itself
    ///   known to ε of its size: the differences and the three terms are off by ε of (a + b)², the
    ///   product by dim·ε·ab;
    /// - manhattan: dim differences and dim sums, (dim + 1)·ε·‖ξ−x‖₁;
    /// - kernel: each feature is off by dim·ε/2·‖W‖‖u‖, their product by `dim_features`·ε/2, on
    ///   both paths;
    /// - asymmetric: the same, and one rounding of the product with the bias on both.
    ///
    /// Inputs rounded to `T` (ε/2 each, of ξ, x and twice W) move a score by at most 2ε of its size.
    pub(crate) fn score_bounds<T: Scalar>(
        &self,
        x: ArrayView1<'_, f64>,
        inputs: Inputs,
    ) -> Array1<f64> {
        let dim = self.patterns.ncols() as f64;
        let center = self.patterns.mean_axis(Axis(0)).unwrap();
        let off_center = |row: ArrayView1<'_, f64>| {
            norm((&row - &center).view()) + epsilon::<T>() * norm(center.view())
        };
        let l1 = |row: ArrayView1<'_, f64>| row.iter().map(|x| x.abs()).sum::<f64>();
        let extra = if inputs == Inputs::Rounded { 2.0 } else { 0.0 };
        let bound = |row: ArrayView1<'_, f64>| match &self.similarity {
            Similarity::Dot => (dim + extra) * norm(row) * norm(x),
            Similarity::Cosine => 2.0 * dim + 8.0 + extra,
            Similarity::Euclidean => {
                (dim + 4.0) * (off_center(row) + off_center(x)).powi(2)
                    + extra * (norm(row) + norm(x)).powi(2)
            }
            Similarity::Manhattan => {
                (dim + 1.0) * l1((&row - &x).view()) + extra * (l1(row) + l1(x))
            }
            Similarity::Kernel(map) => {
                let sums = 2.0 * dim + map.dim_features() as f64 + extra;
                sums * frobenius(map.weight()).powi(2) * norm(row) * norm(x)
            }
            Similarity::Asymmetric(map) => {
                let (keys, queries) = (map.keys().weight(), map.queries().weight());
                let sums = 2.0 * dim + keys.nrows() as f64 + 1.0 + extra;
                let bias = largest(map.bias().into_iter().flatten().copied());
                sums * frobenius(keys) * frobenius(queries) * norm(row) * norm(x)
                    + (1.0 + extra) * bias
            }
            other => panic!("no bound for {}", other.name()),
        };
        self.patterns.rows().into_iter().map(|row| epsilon::<T>() * bound(row)).collect()
    }

    /// ∂s/∂x, `[n_patterns, dim]`.
    fn score_slopes(&self, x: ArrayView1<'_, f64>) -> Array2<f64> {
        let mut slopes = self.patterns.clone();
        match &self.similarity {
            Similarity::Dot => {}
            Similarity::Cosine => {
                let size = norm(x);
                for mut row in slopes.rows_mut() {
                    let cosine = reference::cosine(row.view(), x);
                    let pattern_size = norm(row.view());
                    row.zip_mut_with(&x, |u, x| {
                        *u = (*u / pattern_size - cosine * x / size) / size
                    });
                }
            }
            Similarity::Euclidean => slopes -= &x,
            Similarity::Manhattan => {
                slopes -= &x;
                slopes.mapv_inplace(f64::signum);
            }
            Similarity::Kernel(map) => slopes = slopes.dot(&map.weight().t().dot(&map.weight())),
            Similarity::Asymmetric(map) => {
                slopes = slopes.dot(&map.keys().weight().t().dot(&map.queries().weight()));
            }
            other => panic!("no slope of {}", other.name()),
        }
        slopes
    }

    /// What both solvers of a separation may themselves round, as a change of β times the scores:
    /// the subtraction of the best score (ε of the largest), one threshold, and a sum over the row.
    fn solver_rounding(&self, z: &Array1<f64>) -> f64 {
        (z.len() as f64 + 8.0) * EPSILON * (1.0 + largest(z.iter().copied()))
    }

    /// The readout after `steps` updates, and how far a run in `T` may be from it.
    ///
    /// The bound is twice the error propagated to first order: one update with
    /// J = ∂p/∂(βs) turns an error e of the state into ‖βVᵀJ ∂s/∂x‖·e, adds the errors of the
    /// scores through βVᵀJ, and n·ε·Σ p|v| for the readout plus ε for rounding the weights.
    pub(crate) fn retrieve<T: Scalar>(
        &self,
        query: ArrayView1<'_, f64>,
        steps: usize,
        inputs: Inputs,
    ) -> (Array1<f64>, f64) {
        let n = self.patterns.nrows() as f64;
        let rounded = if inputs == Inputs::Rounded { 1.0 } else { 0.0 };
        let mut x = query.to_owned();
        let mut error = rounded * epsilon::<T>() * norm(query);
        for step in 1..=steps {
            let values = match &self.values {
                Some(values) if step == steps => values,
                _ => &self.patterns,
            };
            let z = self.beta * self.scores(x.view());
            let p = self.separation.weights(z.view());
            let slope = values.t().dot(&self.separation.jacobian(&z, &p));
            let from_state =
                frobenius((self.beta * slope.dot(&self.score_slopes(x.view()))).view());
            let moved =
                self.beta * self.score_bounds::<T>(x.view(), inputs) + self.solver_rounding(&z);
            let from_scores = norm(slope.mapv(f64::abs).dot(&moved).view());
            let sizes = values.mapv(f64::abs).t().dot(&p);
            let from_readout = (n + 1.0 + rounded) * epsilon::<T>() * norm(sizes.view());
            error = from_state * error + from_scores + from_readout;
            x = reference::readout(p.view(), values.view());
        }
        (x, 2.0 * error)
    }

    /// The energy from its definition, ½K(x,x) − β⁻¹(⟨p,z⟩ − Ψ_α(p)).
    pub(crate) fn energy(&self, x: ArrayView1<'_, f64>) -> f64 {
        let Sep::Entmax(alpha) = self.separation else { panic!("no energy") };
        let identity = Array2::eye(x.len());
        match &self.similarity {
            Similarity::Dot => {
                reference::energy(self.patterns.view(), identity.view(), alpha, self.beta, x)
            }
            Similarity::Kernel(map) => {
                reference::energy(self.patterns.view(), map.weight(), alpha, self.beta, x)
            }
            Similarity::Euclidean => {
                // ½‖x‖² is in every score already: dot scores with −½‖ξ‖² − ½‖x‖² added.
                let z = self.beta * self.scores(x);
                let p = reference::entmax(z.view(), alpha);
                let entropy: f64 = if alpha == 1.0 {
                    p.iter().filter(|&&p| p > 0.0).map(|p| p * p.ln()).sum()
                } else {
                    (p.mapv(|p| p.powf(alpha)).sum() - 1.0) / (alpha * (alpha - 1.0))
                };
                -(p.dot(&z) - entropy) / self.beta
            }
            other => panic!("no energy with {}", other.name()),
        }
    }

    /// How far an energy computed from scores in `T` may be from the twin's.
    ///
    /// β⁻¹Ψ* is 1-Lipschitz in the scores (its gradient is p), so their largest error enters as it
    /// is; K(x,x) is off like a score of x with itself. Then the rounding of the conjugate's own
    /// sums: n terms of at most the largest score, and Ψ's of at most 1/(β α(α−1)), ln n at α = 1.
    pub(crate) fn energy_bound<T: Scalar>(&self, x: ArrayView1<'_, f64>, inputs: Inputs) -> f64 {
        let Sep::Entmax(alpha) = self.separation else { panic!("no energy") };
        let itself = Self { patterns: x.to_owned().insert_axis(Axis(0)), ..self.clone() };
        let n = self.patterns.nrows() as f64;
        let entropy = if alpha == 1.0 { n.ln() } else { 1.0 / (alpha * (alpha - 1.0)) };
        let scores = self.scores(x);
        let own = (n + 8.0) * EPSILON;
        itself.score_bounds::<T>(x, inputs)[0]
            + largest(self.score_bounds::<T>(x, inputs))
            + own * (largest(scores) + (1.0 + entropy) / self.beta)
    }
}

/// The largest singular value of a symmetric matrix, by power iteration: never above it.
pub(crate) fn spectral_norm(matrix: &Array2<f64>) -> f64 {
    let mut v: Array1<f64> = normal::<f64>(1, matrix.nrows(), 99).row(0).to_owned();
    let mut size = 0.0;
    for _ in 0..200 {
        v /= norm(v.view());
        v = matrix.dot(&v);
        size = norm(v.view());
    }
    size
}
