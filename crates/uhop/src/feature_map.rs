//! The linear feature map Φ(u) = Wu of U-Hop and its initialisations.

mod asymmetric;

use faer::Mat;
use ndarray::{ArcArray2, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::patterns::check_rows;
use crate::product::product;
use crate::scalar::Scalar;
use crate::simd;
use crate::vector_state;

pub use asymmetric::AsymmetricMap;

/// A linear feature map Φ(u) = Wu with W of shape `[dim_features, dim]`.
///
/// It induces the kernel K(u, v) = ⟨Φu, Φv⟩ = uᵀWᵀWv (Wu, Hu, Hsiao, Liu 2024). The
/// retrieval theory asks for full column rank, so `dim_features >= dim`; any `dim_features` works.
/// Stage I ([`stage1`](crate::stage1)) learns W.
///
/// ```
/// use ndarray::array;
/// use uhop::LinearMap;
///
/// let map = LinearMap::new(array![[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])?;
/// assert_eq!((map.dim_features(), map.dim()), (3, 2));
/// assert_eq!(map.apply(array![[1.0, 3.0]].view())?, array![[2.0, 3.0, 4.0]]);
/// # Ok::<(), uhop::Error>(())
/// ```
/// Cloning is cheap: the entries are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearMap<T> {
    weight: ArcArray2<T>,
}

impl<T: Scalar> LinearMap<T> {
    /// The map with the given W, `[dim_features, dim]`.
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) or [`is_non_finite`](Error::is_non_finite), as for patterns.
    pub fn new(weight: Array2<T>) -> Result<Self> {
        check_rows("feature map", "the weight", weight.view())?;
        let weight = if weight.is_standard_layout() {
            weight
        } else {
            weight.as_standard_layout().to_owned()
        };
        Ok(Self { weight: weight.into_shared() })
    }

    /// W = I, `[dim, dim]`: the kernel is the dot product.
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) for `dim = 0`; [`is_out_of_domain`](Error::is_out_of_domain)
    /// when W does not fit into memory.
    pub fn identity(dim: usize) -> Result<Self> {
        Self::new(from_fn(dim, dim, |i, j| if i == j { T::one() } else { T::zero() })?)
    }

    /// W with independent standard normal entries, as the released U-Hop code starts.
    ///
    /// E\[K(u,v)\] = `dim_features`·⟨u,v⟩: the start also multiplies every score by about
    /// `dim_features`.
    ///
    /// ```
    /// use uhop::LinearMap;
    ///
    /// let map = LinearMap::<f32>::random_normal(3, 2, 7)?;
    /// assert_eq!(map, LinearMap::random_normal(3, 2, 7)?);
    /// assert_ne!(map, LinearMap::random_normal(3, 2, 8)?);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) when a size is 0; [`is_out_of_domain`](Error::is_out_of_domain)
    /// when W does not fit into memory.
    pub fn random_normal(dim_features: usize, dim: usize, seed: u64) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Self::new(from_fn(dim_features, dim, |_, _| {
            let entry: f64 = StandardNormal.sample(&mut random);
            T::narrow(entry)
        })?)
    }

    /// A uniformly random semi-orthogonal W: orthonormal columns (WᵀW = I) when
    /// `dim_features >= dim`, orthonormal rows otherwise.
    ///
    /// The Q of the QR factorisation of a normal matrix, with the signs that make R's diagonal
    /// positive (Mezzadri 2007). The kernel starts as the dot product when `dim_features >= dim`.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop::LinearMap;
    ///
    /// let weight = LinearMap::<f64>::orthogonal(5, 3, 0)?.weight().to_owned();
    /// let distance = weight.t().dot(&weight) - Array2::<f64>::eye(3);
    /// assert!(distance.iter().all(|entry| entry.abs() < 15.0 * f64::EPSILON));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) when a size is 0; [`is_out_of_domain`](Error::is_out_of_domain)
    /// when W does not fit into memory.
    pub fn orthogonal(dim_features: usize, dim: usize, seed: u64) -> Result<Self> {
        let normal = LinearMap::<f64>::random_normal(dim_features, dim, seed)?.weight.into_owned();
        let tall = if dim_features >= dim { normal } else { normal.reversed_axes() };
        let q = orthonormal(tall.view()).mapv(T::narrow);
        Self::new(if dim_features >= dim { q } else { q.reversed_axes() })
    }

    /// The number of features, the rows of W.
    pub fn dim_features(&self) -> usize {
        self.weight.nrows()
    }

    /// The number of entries of a pattern, the columns of W.
    pub fn dim(&self) -> usize {
        self.weight.ncols()
    }

    /// W, `[dim_features, dim]`.
    pub fn weight(&self) -> ArrayView2<'_, T> {
        self.weight.view()
    }

    /// The features Φ(U) = U·Wᵀ of rows U, `[n, dim]` → `[n, dim_features]`.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless the columns of `rows` are `dim`.
    pub fn apply(&self, rows: ArrayView2<'_, T>) -> Result<Array2<T>> {
        if rows.ncols() != self.dim() {
            return Err(Error::shape(
                "feature map",
                ("the rows", rows.shape()),
                ("the weight", self.weight.shape()),
                "both need the same dim (columns)",
            ));
        }
        Ok(self.features(rows))
    }

    /// [`apply`](Self::apply) to rows whose shape has been checked.
    pub(crate) fn features(&self, rows: ArrayView2<'_, T>) -> Array2<T> {
        product(rows, self.weight.t())
    }

    /// The map after `change` has moved W in place, in step `step` of Stage I.
    pub(crate) fn stepped(self, change: impl FnOnce(&mut Array2<T>), step: usize) -> Result<Self> {
        let mut weight = self.weight.into_owned();
        change(&mut weight);
        if weight.iter().all(|entry| entry.is_finite()) {
            Ok(Self { weight: weight.into_shared() })
        } else {
            Err(Error::diverged(step, "W"))
        }
    }

    /// Every row of W divided by its norm: the last step of Algorithm 1 of U-Hop. A zero row stays
    /// zero.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::LinearMap;
    ///
    /// let map = LinearMap::new(array![[3.0, 4.0], [0.0, -2.0]])?.normalize_rows();
    /// assert_eq!(map.weight(), array![[0.6, 0.8], [0.0, -1.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn normalize_rows(self) -> Self {
        let mut weight = self.weight.into_owned();
        normalize_rows(&mut weight);
        Self { weight: weight.into_shared() }
    }
}

/// A matrix by its entries in row-major order, if there is memory for it.
pub(crate) fn from_fn<T>(
    rows: usize,
    columns: usize,
    mut entry: impl FnMut(usize, usize) -> T,
) -> Result<Array2<T>> {
    let mut entries = Vec::new();
    let reserved = rows.checked_mul(columns).map(|n| entries.try_reserve_exact(n));
    if !matches!(reserved, Some(Ok(()))) {
        let size = format!("{rows} x {columns}");
        return Err(Error::domain("feature map", "the size of W", size, "small enough for memory"));
    }
    entries.extend(
        (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).map(|(i, j)| entry(i, j)),
    );
    Ok(Array2::from_shape_vec((rows, columns), entries).expect("one entry for each position"))
}

/// Orthonormal columns that span those of `tall`, `[m, n]` with m ≥ n: Q of the factorisation whose R
/// has a diagonal of at least 0.
pub(crate) fn orthonormal(tall: ArrayView2<'_, f64>) -> Array2<f64> {
    let qr = Mat::from_fn(tall.nrows(), tall.ncols(), |i, j| tall[[i, j]]).qr();
    let (q, r) = (qr.compute_thin_Q(), qr.thin_R());
    vector_state::clear();
    let sign = |j: usize| if r[(j, j)] < 0.0 { -1.0 } else { 1.0 };
    Array2::from_shape_fn(tall.dim(), |(i, j)| sign(j) * q[(i, j)])
}

/// Divides every row by its norm and returns the norms; a zero row stays zero.
pub(crate) fn normalize_rows<T: Scalar>(rows: &mut Array2<T>) -> Vec<f64> {
    let normalize = |mut row: ArrayViewMut1<'_, T>| {
        if let Some(row) = row.as_slice_mut() {
            return simd::normalize(row);
        }
        let mut entries = row.to_vec();
        let norm = simd::normalize(&mut entries);
        row.assign(&ArrayView1::from(&entries));
        norm
    };
    rows.axis_iter_mut(Axis(0)).into_par_iter().map(normalize).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn normal_entries_have_mean_zero_and_variance_one() {
        let (rows, columns) = (200, 300);
        let map = LinearMap::<f64>::random_normal(rows, columns, 11).unwrap();
        let n = (rows * columns) as f64;
        // Five standard errors: of the mean 1/√n, of the variance √(2/n).
        let mean = map.weight().sum() / n;
        assert!(mean.abs() < 5.0 / n.sqrt(), "{mean}");
        let variance = map.weight().mapv(|x| x * x).sum() / n;
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
    }

    #[test]
    fn a_wide_orthogonal_map_has_orthonormal_rows() {
        let map = LinearMap::<f64>::orthogonal(4, 9, 5).unwrap();
        assert_eq!(map.weight().dim(), (4, 9));
        let gram = map.weight().dot(&map.weight().t());
        for ((i, j), entry) in gram.indexed_iter() {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((entry - expected).abs() < 4.0 * 9.0 * f64::EPSILON, "{i} {j} {entry}");
        }
    }

    #[test]
    fn orthogonal_signs_are_not_those_of_the_factorisation() {
        // Without the sign fix every diagonal of a Householder Q leans to one side.
        let firsts = (0..40).map(|seed| LinearMap::<f64>::orthogonal(1, 1, seed).unwrap());
        let positive = firsts.filter(|map| map.weight()[[0, 0]] > 0.0).count();
        assert!((5..=35).contains(&positive), "{positive} of 40");
    }

    #[test]
    fn norms_of_extreme_rows_neither_overflow_nor_vanish() {
        // Powers of two scale exactly; their squares leave f32 on both sides.
        let (large, small) = (2.0_f32.powi(100), 2.0_f32.powi(-100));
        let mut rows = array![[3.0, 4.0], [0.0, 0.0]];
        rows.row_mut(0).mapv_inplace(|x| x * large);
        let mut tiny = array![[3.0 * small, 4.0 * small]];
        assert_eq!(normalize_rows(&mut rows), [5.0 * f64::from(large), 0.0]);
        assert_eq!(normalize_rows(&mut tiny), [5.0 * f64::from(small)]);
        // 3, 4 and 5 times 2¹⁰²¹: the norm itself exceeds f64.
        let mut huge = array![[6.0, 8.0]] * 2.0_f64.powi(1020);
        normalize_rows(&mut huge);
        assert_eq!(huge, array![[0.6, 0.8]]);
        assert_eq!(rows, array![[0.6, 0.8], [0.0, 0.0]]);
        assert_eq!(tiny, array![[0.6, 0.8]]);
    }

    #[test]
    fn wrong_shapes_and_numbers_are_errors() {
        let map = LinearMap::<f64>::identity(3).unwrap();
        let error = map.apply(array![[1.0, 2.0]].view()).unwrap_err();
        assert!(error.is_shape_mismatch());
        assert!(error.to_string().contains("[1, 2]") && error.to_string().contains("[3, 3]"));
        assert!(LinearMap::<f64>::identity(0).unwrap_err().is_empty());
        assert!(LinearMap::<f32>::random_normal(0, 3, 0).unwrap_err().is_empty());
        assert!(LinearMap::<f32>::orthogonal(3, 0, 0).unwrap_err().is_empty());
        assert!(LinearMap::new(array![[f64::NAN]]).unwrap_err().is_non_finite());
        for too_large in [
            LinearMap::<f64>::identity(1 << 40),
            LinearMap::random_normal(usize::MAX, 3, 0),
            LinearMap::orthogonal(1 << 30, 1 << 30, 0),
        ] {
            assert!(too_large.unwrap_err().is_out_of_domain());
        }
    }
}
