//! Ridge whitening: the feature map that makes the stored patterns orthogonal, in closed form.

use faer::{MatRef, Side};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::copies::{Copies, Judgement};
use crate::error::{Error, Result, positive};
use crate::feature_map::{LinearMap, from_fn};
use crate::patterns::{Patterns, check_rows};
use crate::product::{TILE, product, product_into};
use crate::scalar::Scalar;
use crate::similarity::Similarity;
use crate::vector_state;

/// Rows whose products are summed at once.
const CHUNK: usize = 1024;

/// The ridges that [`choose_ridge`] is usually given: half powers of ten from 10⁻³ to 10³.
pub const RIDGES: [f64; 13] = [
    1e-3,
    3.162_277_660_168_379e-3,
    1e-2,
    3.162_277_660_168_379e-2,
    1e-1,
    3.162_277_660_168_379e-1,
    1.0,
    3.162_277_660_168_379,
    1e1,
    3.162_277_660_168_379e1,
    1e2,
    3.162_277_660_168_379e2,
    1e3,
];

/// The feature map of ridge whitening, W = A^½ symmetric, of shape `[dim, dim]`:
///
/// ```text
/// A = (C + ρI)⁻¹,  C = ΞᵀΞ/n,  ρ = λ·tr(C)/d
/// ```
///
/// with λ = `ridge`, n patterns and d = `dim`. Used as a kernel, the score ⟨Wξ_μ,Wq⟩ is n·(Bq)_μ, where B, one
/// row for each pattern, is the ridge regression of the patterns' names on the patterns:
///
/// ```text
/// B minimises Σ_μ ‖Bξ_μ − e_μ‖² + nρ‖B‖²,  B = ΞA/n.
/// ```
///
/// As noise of variance σ² in each entry of the queries adds σ²‖B‖² to the mean error, this is the best linear
/// guess of the pattern under such noise with σ² = ρ: λ is its variance relative to the mean square of an
/// entry. Scores of a pattern and itself are near n, of two patterns near 0.
///
/// **When to use it.** Where many patterns share what says nothing of which one it is, and the rest of a query
/// can be trusted: a known region hidden, weak noise, n well below d. It costs one eigendecomposition: of C in
/// d³, or of ΞΞᵀ in n³ where n < d, and no steps. Strong noise on many patterns is better served by distances
/// or by [`denoise`](super::denoise). λ depends on the corruption: [`choose_ridge`] finds it. Scores are
/// neither normalised nor centred; at n in the hundreds β = 1 is nearly a maximum already.
///
/// ```
/// use ndarray::array;
/// use uhop::stage1::whiten;
/// use uhop::{Patterns, Similarity};
///
/// // Two patterns that differ in one entry of four.
/// let patterns = Patterns::new(array![[1.0_f64, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]])?;
/// let keys = Similarity::Kernel(whiten(&patterns, 1e-6)?).bind(&patterns)?;
/// let scores = keys.scores(patterns.view())?;
/// assert!((scores[[0, 0]] - 2.0).abs() < 1e-4 && scores[[0, 1]].abs() < 1e-4); // n and 0
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_out_of_domain`](Error::is_out_of_domain) unless `ridge` is finite and above 0, and when
/// there is no memory for W; [`is_unsupported`](Error::is_unsupported) when every pattern is 0;
/// [`is_non_finite`](Error::is_non_finite) when C or W overflows.
pub fn whiten<T: Scalar>(patterns: &Patterns<T>, ridge: f64) -> Result<LinearMap<T>> {
    positive(OPERATION, "the ridge", ridge)?;
    Directions::of(patterns)?.map(ridge)
}

/// What [`choose_ridge`] chose, and from what.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChosenRidge<T> {
    /// The best λ.
    pub ridge: f64,
    /// Its map, for a kernel.
    pub map: LinearMap<T>,
    /// The β that goes with it.
    pub beta: f64,
    /// Every λ tried, with what was found.
    pub tried: Vec<(f64, Judgement)>,
}

/// The map of [`whiten`] with the λ among `ridges` by which corrupted copies are told best, and the β for it:
/// [`Copies::judge`] with the smallest loss, the first of equal ones. One eigendecomposition serves all.
///
/// ```
/// use ndarray::array;
/// use uhop::stage1::{Copies, RIDGES, choose_ridge};
/// use uhop::{Model, Patterns};
///
/// let patterns = Patterns::new(array![[1.0, 1.0, 0.9], [1.0, 0.9, 1.0], [0.9, 1.0, 1.0]])?;
/// let copies = Copies::draw(&patterns, 0, |rows, _seed| rows.mapv(|x| x - 0.03))?;
/// let chosen = choose_ridge(&patterns, &RIDGES, &copies)?;
/// let model = Model::dense(chosen.beta)?.with_feature_map(chosen.map);
/// assert_eq!(chosen.tried.len(), 13);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// As [`whiten`] and [`Copies::judge`]; [`is_empty`](Error::is_empty) for no ridges.
pub fn choose_ridge<T: Scalar>(
    patterns: &Patterns<T>,
    ridges: &[f64],
    copies: &Copies<T>,
) -> Result<ChosenRidge<T>> {
    for &ridge in ridges {
        positive(OPERATION, "a ridge", ridge)?;
    }
    let directions = Directions::of(patterns)?;
    let mut chosen: Option<ChosenRidge<T>> = None;
    let mut tried = Vec::with_capacity(ridges.len());
    for &ridge in ridges {
        let map = directions.map(ridge)?;
        let judgement = copies.judge(patterns, &Similarity::Kernel(map.clone()))?;
        tried.push((ridge, judgement));
        let best = chosen.as_ref().and_then(|best| tried.iter().find(|(r, _)| *r == best.ridge));
        if best.is_none_or(|(_, best)| judgement.loss < best.loss) {
            let beta = judgement.beta;
            chosen = Some(ChosenRidge { ridge, map, beta, tried: Vec::new() });
        }
    }
    match chosen {
        Some(chosen) => Ok(ChosenRidge { tried, ..chosen }),
        None => {
            Err(Error::empty(OPERATION, "the ridges", &[0], "give at least one to choose from"))
        }
    }
}

/// The sum Σ ξξᵀ of patterns that come and go, from which [`whiten`]'s map is made without them.
///
/// Patterns are added and removed at d² each. The map is made anew from the sum: ρ follows the trace, so that
/// every eigenvalue of A moves with each pattern, and no change of low rank takes one A to the next.
///
/// ```
/// use ndarray::array;
/// use uhop::Patterns;
/// use uhop::stage1::{Whitening, whiten};
///
/// let rows = array![[1.0, 2.0], [0.0, 1.0], [3.0, 1.0]];
/// let mut whitening = Whitening::new(2)?;
/// whitening.add(rows.view())?;
/// whitening.remove(rows.slice(ndarray::s![..1, ..]))?;
/// let refit = whiten(&Patterns::new(array![[0.0, 1.0], [3.0, 1.0]])?, 0.1)?;
/// let difference = &whitening.map::<f64>(0.1)?.weight() - &refit.weight();
/// assert!(difference.iter().all(|d| d.abs() < 1e-14));
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening {
    sum: Array2<f64>,
    n_patterns: usize,
}

impl Whitening {
    /// No patterns yet, of `dim` entries.
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) for `dim = 0`.
    pub fn new(dim: usize) -> Result<Self> {
        if dim == 0 {
            return Err(Error::empty(OPERATION, "a pattern", &[0], "give it at least one entry"));
        }
        Ok(Self { sum: Array2::zeros((dim, dim)), n_patterns: 0 })
    }

    /// The patterns there are.
    pub fn n_patterns(&self) -> usize {
        self.n_patterns
    }

    /// Adds patterns, `[n, dim]`.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch), [`is_empty`](Error::is_empty),
    /// [`is_non_finite`](Error::is_non_finite).
    pub fn add<T: Scalar>(&mut self, rows: ArrayView2<'_, T>) -> Result<()> {
        self.check(rows)?;
        add_products(&mut self.sum, rows, 1.0);
        self.n_patterns += rows.nrows();
        Ok(())
    }

    /// Removes patterns that were added before, `[n, dim]`. What they leave is the rounding of the sum: after m
    /// patterns in and out, an entry is off by at most m·ε times the largest that Σ‖ξ‖² was.
    ///
    /// # Errors
    /// As [`add`](Self::add); [`is_out_of_domain`](Error::is_out_of_domain) for more patterns than there are.
    pub fn remove<T: Scalar>(&mut self, rows: ArrayView2<'_, T>) -> Result<()> {
        self.check(rows)?;
        if rows.nrows() > self.n_patterns {
            let domain = format!("at most {}, the patterns there are", self.n_patterns);
            return Err(Error::domain(OPERATION, "the patterns to remove", rows.nrows(), domain));
        }
        add_products(&mut self.sum, rows, -1.0);
        self.n_patterns -= rows.nrows();
        Ok(())
    }

    /// The map of the patterns there are: one eigendecomposition, d³.
    ///
    /// # Errors
    /// As [`whiten`].
    pub fn map<T: Scalar>(&self, ridge: f64) -> Result<LinearMap<T>> {
        positive(OPERATION, "the ridge", ridge)?;
        Directions::of_sum(self.sum.view(), self.n_patterns)?.map(ridge)
    }

    fn check<T: Scalar>(&self, rows: ArrayView2<'_, T>) -> Result<()> {
        check_rows(OPERATION, "the patterns", rows)?;
        if rows.ncols() == self.sum.ncols() {
            return Ok(());
        }
        Err(Error::shape(
            OPERATION,
            ("the patterns", rows.shape()),
            ("the second moment", self.sum.shape()),
            "both need the same dim (columns)",
        ))
    }
}

const OPERATION: &str = "whitening";

/// C as Σ_i b_i b_iᵀ with orthogonal b_i of squared length λ_i, its eigenvalues.
struct Directions {
    /// b_i, `[min(n, dim), dim]`.
    rows: Array2<f64>,
    /// λ_i, of at least 0.
    eigenvalues: Vec<f64>,
    /// tr(C)/dim
    mean_square: f64,
}

impl Directions {
    fn of<T: Scalar>(patterns: &Patterns<T>) -> Result<Self> {
        let n = patterns.n_patterns();
        if n < patterns.dim() {
            return Self::of_few(patterns.view().mapv(T::widen).view());
        }
        let mut sum = Array2::zeros((patterns.dim(), patterns.dim()));
        add_products(&mut sum, patterns.view(), 1.0);
        Self::of_sum(sum.view(), n)
    }

    /// From Σ ξξᵀ.
    fn of_sum(sum: ArrayView2<'_, f64>, n: usize) -> Result<Self> {
        let n = n.max(1) as f64;
        let second = sum.mapv(|entry| entry / n);
        let (eigenvalues, mut rows) = eigen(second.view())?;
        for (mut row, eigenvalue) in rows.outer_iter_mut().zip(&eigenvalues) {
            row.mapv_inplace(|entry| entry * eigenvalue.sqrt());
        }
        Self { rows, eigenvalues, mean_square: mean_of_diagonal(second.view()) }.checked()
    }

    /// From fewer patterns than entries: with ΞΞᵀ/n = VΛVᵀ the b_i are the rows of VᵀΞ/√n.
    fn of_few(patterns: ArrayView2<'_, f64>) -> Result<Self> {
        let root = (patterns.nrows() as f64).sqrt();
        let patterns = patterns.mapv(|entry| entry / root);
        let gram = product(patterns.view(), patterns.t());
        let (eigenvalues, vectors) = eigen(gram.view())?;
        let rows = product(vectors.view(), patterns.view());
        let squares = mean_of_diagonal(gram.view()) * gram.nrows() as f64;
        Self { rows, eigenvalues, mean_square: squares / patterns.ncols() as f64 }.checked()
    }

    fn checked(self) -> Result<Self> {
        if self.mean_square > 0.0 {
            return Ok(self);
        }
        let reason =
            "every pattern is 0, so that there is nothing to whiten; use another similarity";
        Err(Error::unsupported(OPERATION, reason.to_owned()))
    }

    /// W = ρ^(−½)·(I − Σ_i g_i b_i b_iᵀ), g_i = 1/(√(λ_i+ρ)·(√ρ + √(λ_i+ρ))): on b_i, whose squared length
    /// is λ_i, this is (λ_i + ρ)^(−½), and ρ^(−½) where C is 0. No λ_i is divided by, so that those which
    /// are only rounding do no harm.
    fn map<T: Scalar>(&self, ridge: f64) -> Result<LinearMap<T>> {
        let ridge = ridge * self.mean_square;
        let mut weighted = self.rows.clone();
        for (mut row, eigenvalue) in weighted.outer_iter_mut().zip(&self.eigenvalues) {
            let root = (eigenvalue + ridge).sqrt();
            let factor = -1.0 / (root * (ridge.sqrt() + root));
            row.mapv_inplace(|entry| factor * entry);
        }
        let dim = self.rows.ncols();
        let scale = 1.0 / ridge.sqrt();
        let mut weight: Array2<T> = from_fn(dim, dim, |_, _| T::zero())?;
        // By tiles, so that no second matrix of this size is held in f64.
        weight.axis_chunks_iter_mut(Axis(0), TILE).into_par_iter().enumerate().for_each(
            |(tile, mut weight)| {
                let first = tile * TILE;
                let columns = ndarray::s![.., first..first + weight.nrows()];
                let mut exact = Array2::zeros(weight.raw_dim());
                product_into(exact.view_mut(), weighted.slice(columns).t(), self.rows.view());
                for (i, (mut row, mut exact)) in
                    weight.outer_iter_mut().zip(exact.outer_iter_mut()).enumerate()
                {
                    exact[first + i] += 1.0;
                    row.zip_mut_with(&exact, |w, &x| *w = T::narrow(scale * x));
                }
            },
        );
        match weight.iter().all(|entry| entry.is_finite()) {
            true => LinearMap::new(weight),
            false => {
                Err(Error::overflow(OPERATION, "W of such small patterns".to_owned(), T::NAME))
            }
        }
    }
}

/// Adds ±Σ ξξᵀ of rows, in `f64`.
fn add_products<T: Scalar>(sum: &mut Array2<f64>, rows: ArrayView2<'_, T>, sign: f64) {
    for rows in rows.axis_chunks_iter(Axis(0), CHUNK) {
        let rows = rows.mapv(T::widen);
        sum.scaled_add(sign, &product(rows.t(), rows.view()));
    }
}

fn mean_of_diagonal(matrix: ArrayView2<'_, f64>) -> f64 {
    matrix.diag().sum() / matrix.nrows() as f64
}

/// Eigenvalues of a symmetric matrix that has none below 0 but for rounding, and its eigenvectors as rows.
fn eigen(matrix: ArrayView2<'_, f64>) -> Result<(Vec<f64>, Array2<f64>)> {
    let overflow = || Error::overflow(OPERATION, "the second moment".to_owned(), "f64");
    let matrix = matrix.as_standard_layout();
    let n = matrix.nrows();
    let entries = matrix.as_slice().ok_or_else(overflow)?;
    if !entries.iter().all(|entry| entry.is_finite()) {
        return Err(overflow());
    }
    let found = MatRef::from_row_major_slice(entries, n, n)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| overflow())?;
    vector_state::clear();
    let eigenvalues = (0..n).map(|i| found.S()[i].max(0.0)).collect();
    Ok((eigenvalues, Array2::from_shape_fn((n, n), |(i, j)| found.U()[(j, i)])))
}
