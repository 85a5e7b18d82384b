//! Two linear maps, one for stored patterns and one for states, and a bias for each pattern.

use ndarray::{ArcArray1, Array1, ArrayView1, Axis};

use super::LinearMap;
use crate::error::{Error, Result};
use crate::patterns::check_rows;
use crate::scalar::Scalar;

/// What [`Similarity::Asymmetric`](crate::Similarity::Asymmetric) scores by:
/// s_μ = ⟨W_key ξ_μ, W_query x⟩ + b_μ.
///
/// W_key and W_query are `[dim_features, dim]` both, b is `[n_patterns]`, and 0 unless
/// [`with_bias`](Self::with_bias) gives another. One map on both sides is a kernel, and a bias of
/// −½‖Wξ_μ‖² makes its scores distances of features.
///
/// In general the scores are those of no kernel: s(ξ,x) ≠ s(x,ξ). There is then no energy that the update
/// descends, no bound of its errors, and a fixed point need not be near a pattern.
/// [Separations](crate::Memory::separations) and [certificates](crate::Memory::certificates) hold all the
/// same, as they are about the scores at the patterns themselves.
///
/// ```
/// use ndarray::array;
/// use uhop::{AsymmetricMap, LinearMap, Patterns, Similarity};
///
/// let keys = LinearMap::new(array![[1.0, 0.0]])?; // of patterns the first entry,
/// let queries = LinearMap::new(array![[0.0, 2.0]])?; // of states twice the second
/// let map = AsymmetricMap::new(keys, queries)?.with_bias(array![0.5, -0.5])?;
/// let patterns = Patterns::new(array![[3.0, 0.0], [1.0, 7.0]])?;
/// let keys = Similarity::Asymmetric(map).bind(&patterns)?;
/// assert_eq!(keys.scores(array![[9.0, 1.0]].view())?, array![[6.5, 1.5]]);
/// # Ok::<(), uhop::Error>(())
/// ```
/// Cloning is cheap: the entries are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct AsymmetricMap<T> {
    keys: LinearMap<T>,
    queries: LinearMap<T>,
    bias: Option<ArcArray1<T>>,
}

impl<T: Scalar> AsymmetricMap<T> {
    /// The two maps, without a bias.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless both have the same shape.
    pub fn new(keys: LinearMap<T>, queries: LinearMap<T>) -> Result<Self> {
        if keys.weight().dim() == queries.weight().dim() {
            return Ok(Self { keys, queries, bias: None });
        }
        Err(Error::shape(
            "asymmetric map",
            ("the weights of keys", keys.weight().shape()),
            ("the weights of queries", queries.weight().shape()),
            "both need the same dim_features (rows) and dim (columns)",
        ))
    }

    /// With a number that is added to the scores of each pattern, `[n_patterns]`.
    ///
    /// It belongs to the patterns of one memory, in their order: where patterns are removed their
    /// numbers go with them, and none can be added.
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) or [`is_non_finite`](Error::is_non_finite), as for patterns.
    pub fn with_bias(self, bias: Array1<T>) -> Result<Self> {
        check_rows("asymmetric map", "the bias", bias.view().insert_axis(Axis(0)))?;
        Ok(Self { bias: Some(bias.into_shared()), ..self })
    }

    /// W_key, `[dim_features, dim]`.
    pub fn keys(&self) -> &LinearMap<T> {
        &self.keys
    }

    /// W_query, `[dim_features, dim]`.
    pub fn queries(&self) -> &LinearMap<T> {
        &self.queries
    }

    /// b, `[n_patterns]`, if there is one.
    pub fn bias(&self) -> Option<ArrayView1<'_, T>> {
        self.bias.as_ref().map(|bias| bias.view())
    }
}
