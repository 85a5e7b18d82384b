//! The separation losses of Stage I, value and gradient in closed form.

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2, Zip};
use rayon::prelude::*;

use super::average::{Features, average, average_of_weight, pairs};
use crate::error::{Error, Result, positive};
use crate::feature_map::{LinearMap, normalize_rows};
use crate::pairs::{Pair, closest_pair};
use crate::patterns::Patterns;
use crate::product::product;
use crate::scalar::Scalar;
use crate::wide;

/// What Stage I minimises over W: how close the features of stored patterns are.
///
/// Over the pairs u ≠ v of stored patterns, with G_t(u,v) = exp(−t‖φ(u) − φ(v)‖²):
///
/// - [`average`](Self::average): L = log mean G_t(u,v) (Wu, Hu, Hsiao, Liu 2024);
/// - [`max`](Self::max): L = max log G_t(u,v) = −t·min ‖φ(u) − φ(v)‖² (their appendix).
///
/// By default t = 2 and features are normalised per pattern, φ(u) = Wu/‖Wu‖, as in the released
/// code; [`raw_features`](Self::raw_features) takes φ(u) = Wu. Where Wu = 0, the normalised φ(u) is 0
/// and sends no gradient.
///
/// ```
/// use ndarray::array;
/// use uhop::stage1::SeparationLoss;
/// use uhop::{LinearMap, Patterns};
///
/// // Squared distances 2, 2 and 4 on the unit circle.
/// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])?;
/// let value = |loss: SeparationLoss| -> uhop::Result<f64> {
///     Ok(loss.value_and_gradient(&LinearMap::identity(2)?, &patterns)?.0)
/// };
/// let mean = (2.0 * (-4.0_f64).exp() + (-8.0_f64).exp()) / 3.0;
/// assert!((value(SeparationLoss::average())? - mean.ln()).abs() < 1e-14);
/// assert_eq!(value(SeparationLoss::max())?, -4.0);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeparationLoss {
    over: Over,
    features: Features,
    t: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Over {
    Average,
    Max,
}

impl SeparationLoss {
    /// The average separation loss, L = log mean exp(−t‖φ(u) − φ(v)‖²): every pair pushes.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::stage1::SeparationLoss;
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])?;
    /// let map = LinearMap::identity(2)?; // unit features: squared distances 2, 4 and 2
    /// let (loss, _) = SeparationLoss::average().value_and_gradient(&map, &patterns)?;
    /// let mean = (2.0 * (-4.0_f64).exp() + (-8.0_f64).exp()) / 3.0;
    /// assert!((loss - mean.ln()).abs() < 1e-14);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn average() -> Self {
        Self { over: Over::Average, features: Features::Unit, t: 2.0 }
    }

    /// The max separation loss, L = −t·min ‖φ(u) − φ(v)‖²: only the closest pair pushes.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::stage1::SeparationLoss;
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])?;
    /// let map = LinearMap::identity(2)?; // unit features: squared distances 2, 4 and 2
    /// let (loss, _) = SeparationLoss::max().value_and_gradient(&map, &patterns)?;
    /// assert_eq!(loss, -2.0 * 2.0);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn max() -> Self {
        Self { over: Over::Max, ..Self::average() }
    }

    /// The same loss on features that are not normalised. Without a bound on W it falls without
    /// end: use it with few steps, or for W of a fixed scale.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::stage1::SeparationLoss;
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 3.0]])?;
    /// let (map, loss) = (LinearMap::identity(2)?, SeparationLoss::max().with_t(1.0)?);
    /// assert_eq!(loss.value_and_gradient(&map, &patterns)?.0, -2.0); // (1,0), (0,1)
    /// assert_eq!(loss.raw_features().value_and_gradient(&map, &patterns)?.0, -10.0);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn raw_features(self) -> Self {
        Self { features: Features::Raw, ..self }
    }

    /// The same loss with another t, in inverse squared units of the features.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::stage1::SeparationLoss;
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])?;
    /// let map = LinearMap::identity(2)?; // unit features: squared distances 2, 4 and 2
    /// let loss = SeparationLoss::max().with_t(0.5)?;
    /// assert_eq!(loss.value_and_gradient(&map, &patterns)?.0, -0.5 * 2.0);
    /// assert!(loss.with_t(-1.0).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `t` is finite and above 0.
    pub fn with_t(self, t: f64) -> Result<Self> {
        Ok(Self { t: positive("separation loss", "t", t)?, ..self })
    }

    /// The same loss with t = 1/(2τ): the average loss is then what U-Hop+ minimises (Hu, Wu, Liu, NeurIPS 2024),
    /// less a number.
    ///
    /// ```text
    /// log mean exp(−t‖u − v‖²) = log mean exp(⟨u,v⟩/τ) − 1/τ    for unit features u, v
    /// ```
    ///
    /// As ‖u − v‖² = 2 − 2⟨u,v⟩, the log-sum-exp of inner products with temperature τ has no gradient of its
    /// own: there is one loss with two names for its parameter. Their projection of features onto the sphere
    /// after each step is here the normalisation inside the loss, whose gradient has no part along a feature.
    /// Their released code stops half of the gradient (one feature of each pair), which by symmetry halves the
    /// rate, and adds a bias to Φ. As τ → 0, τ·L nears the largest inner product less 1, so that a descent by
    /// falling temperatures ends where the closest two are as far apart as can be:
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use ndarray::Array2;
    /// use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
    /// use uhop::{LinearMap, Patterns};
    ///
    /// // The columns of W are four points in three dimensions, as their patterns are the axes.
    /// let axes = Patterns::new(Array2::<f64>::eye(4))?;
    /// let mut map = LinearMap::random_normal(3, 4, 0)?;
    /// for tau in [0.25, 0.05, 0.01] {
    ///     let loss = SeparationLoss::average().with_temperature(tau)?;
    ///     let params = Params::new(loss, Optimizer::adam(0.1 * tau)?, 300)?.keep_rows();
    ///     map = learn(&axes, map, &params, |_| ControlFlow::Continue(()))?.map;
    /// }
    /// // The corners of a tetrahedron: all squared distances are 8/3.
    /// let (loss, _) = SeparationLoss::max().with_t(1.0)?.value_and_gradient(&map, &axes)?;
    /// assert!((loss + 8.0 / 3.0).abs() < 0.01);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `tau` and 1/(2τ) are finite and above 0.
    pub fn with_temperature(self, tau: f64) -> Result<Self> {
        self.with_t(0.5 / positive("separation loss", "tau", tau)?)
    }

    /// `"average"` or `"max"`.
    pub(crate) fn name(&self) -> &'static str {
        match self.over {
            Over::Average => "average",
            Over::Max => "max",
        }
    }

    pub(crate) fn parts(&self) -> (Over, Features, f64) {
        (self.over, self.features, self.t)
    }

    /// L at W, and ∂L/∂W, `[dim_features, dim]`.
    ///
    /// With F = ΞWᵀ and the row-normalised F̂, ∂L/∂W = (∂L/∂F)ᵀΞ and
    /// ∂L/∂F_i = (g_i − ⟨g_i,F̂_i⟩F̂_i)/‖F_i‖ with g = ∂L/∂F̂ (raw features: g = ∂L/∂F). Average:
    /// g_i = −4t Σ_j q_ij (F̂_i − F̂_j), q_ij the share of the ordered pair in Σ G_t. Max:
    /// g_i = −2t (F̂_i − F̂_j) = −g_j for the closest pair, the first of equally close ones.
    ///
    /// Where there are many patterns the average loss has ∂L/∂W as W times a matrix `[dim, dim]`, equal but for
    /// rounding. All are matrix products by tiles of patterns: nothing of size `n_patterns²` is held, and
    /// the result does not depend on the number of threads.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::stage1::SeparationLoss;
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let (loss, _) = SeparationLoss::max().value_and_gradient(&LinearMap::identity(2)?, &patterns)?;
    /// assert_eq!(loss, -2.0 * 2.0); // t = 2, ‖u − v‖² = 2
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) when the map has another `dim`;
    /// [`is_empty`](Error::is_empty) for fewer than two patterns, which have no pair;
    /// [`is_non_finite`](Error::is_non_finite) when a feature or distance overflows;
    /// [`is_unsupported`](Error::is_unsupported) when the max loss meets two patterns with the same
    /// feature, which no step can separate.
    pub fn value_and_gradient<T: Scalar>(
        &self,
        map: &LinearMap<T>,
        patterns: &Patterns<T>,
    ) -> Result<(f64, Array2<T>)> {
        self.value_and_gradient_by(map, patterns, closest_pair)
    }

    /// The same, with the closest pair that `closest` finds.
    pub(super) fn value_and_gradient_by<T: Scalar>(
        &self,
        map: &LinearMap<T>,
        patterns: &Patterns<T>,
        closest: impl FnOnce(ArrayView2<'_, T>) -> Option<Pair>,
    ) -> Result<(f64, Array2<T>)> {
        check_shapes(map, patterns)?;
        let rows = patterns.view();
        match self.over {
            Over::Average => {
                check_pairs(rows.shape())?;
                self.average_over(map, rows, 0)
            }
            Over::Max => {
                let (loss, slope) = self.max_at(map.features(rows), closest)?;
                finite_gradient(loss, slope.of_weight(rows))
            }
        }
    }

    /// L of the features F = ΞWᵀ, and ∂L/∂F, with the closest pair that `closest` finds.
    pub(super) fn at_features<T: Scalar>(
        &self,
        features: Array2<T>,
        closest: impl FnOnce(ArrayView2<'_, T>) -> Option<Pair>,
    ) -> Result<(f64, Slope<T>)> {
        match self.over {
            Over::Average => {
                check_pairs(features.shape())?;
                let (loss, slope) = self.average_at(self.compared(features)?, 0)?;
                Ok((loss, Slope::Every(slope)))
            }
            Over::Max => self.max_at(features, closest),
        }
    }

    /// The average loss of rows of which the first `n_apart` make no pairs with each other, and its
    /// gradient; where no pair is left, −∞ and 0.
    pub(super) fn average_over<T: Scalar>(
        &self,
        map: &LinearMap<T>,
        rows: ArrayView2<'_, T>,
        n_apart: usize,
    ) -> Result<(f64, Array2<T>)> {
        let compared = self.compared(map.features(rows))?;
        if pattern_space_is_cheaper(rows.nrows(), map)
            && let Some(patterns) = as_compared(rows, &compared)
        {
            let weight = map.weight();
            let spaces = (compared.rows.view(), patterns.view());
            let found = average_of_weight(weight, spaces, self.features, n_apart, self.t);
            let (loss, gradient) = distances_fit(found, rows.nrows(), n_apart)?;
            return finite_gradient(loss, gradient);
        }
        let (loss, slope) = self.average_at(compared, n_apart)?;
        finite_gradient(loss, Slope::Every(slope).of_weight(rows))
    }

    /// The same loss of features as they are compared, and ∂L/∂F.
    pub(super) fn average_at<T: Scalar>(
        &self,
        compared: Compared<T>,
        n_apart: usize,
    ) -> Result<(f64, Array2<T>)> {
        let Compared { rows: features, norms } = compared;
        let found = average(features.view(), n_apart, self.t);
        let (loss, mut slope) = distances_fit(found, features.nrows(), n_apart)?;
        if let Some(norms) = norms {
            through_normalization(&mut slope, features.view(), &norms);
        }
        finite_gradient(loss, slope)
    }

    fn max_at<T: Scalar>(
        &self,
        features: Array2<T>,
        closest: impl FnOnce(ArrayView2<'_, T>) -> Option<Pair>,
    ) -> Result<(f64, Slope<T>)> {
        let Compared { rows, norms } = self.compared(features)?;
        check_pairs(rows.shape())?;
        let found = closest(rows.view()).expect("there are two rows");
        let pair = [found.first, found.second];
        let rows = rows.select(Axis(0), &pair);
        let norms = norms.map(|norms| pair.iter().map(|&row| norms[row]).collect());
        let (loss, slope) = self.max_between(found, &Compared { rows, norms })?;
        Ok((loss, Slope::Of(pair, slope)))
    }

    /// The max loss by its closest pair, the features of which are given, and ∂L/∂F of these, `[2, dim_features]`.
    pub(super) fn max_between<T: Scalar>(
        &self,
        pair: Pair,
        Compared { rows: features, norms }: &Compared<T>,
    ) -> Result<(f64, Array2<T>)> {
        let (loss, mut slope) = max(pair, features.view(), self.t)?;
        check(loss.is_finite(), DISTANCE, T::NAME)?;
        if let Some(norms) = norms {
            through_normalization(&mut slope, features.view(), norms);
        }
        finite_gradient(loss, slope)
    }

    /// The features F as they are compared.
    pub(super) fn compared<T: Scalar>(&self, mut features: Array2<T>) -> Result<Compared<T>> {
        check(all_finite(&features), "a feature", T::NAME)?;
        let norms = match self.features {
            Features::Unit => Some(normalize_rows(&mut features)),
            Features::Raw => None,
        };
        Ok(Compared { rows: features, norms })
    }
}

/// The features as they are compared, and their norms before they were normalised if they are.
pub(super) struct Compared<T> {
    pub(super) rows: Array2<T>,
    norms: Option<Vec<f64>>,
}

/// The rows of which W makes the features as they are compared, if their squares are numbers of `T`; none
/// where a feature is 0, as no row makes a unit feature of it.
fn as_compared<'a, T: Scalar>(
    rows: ArrayView2<'a, T>,
    features: &Compared<T>,
) -> Option<CowArray<'a, T, Ix2>> {
    let rows: CowArray<'a, T, Ix2> = match &features.norms {
        None => rows.into(),
        Some(norms) if norms.contains(&0.0) => return None,
        Some(norms) => {
            let mut rows = rows.to_owned();
            Zip::from(rows.rows_mut()).and(norms).par_for_each(|mut row, &norm| {
                row.mapv_inplace(|x| T::narrow(x.widen() / norm));
            });
            rows.into()
        }
    };
    squares_fit(rows.view()).then_some(rows)
}

/// Whether the squares of all rows but zeros are numbers of `T`, and sums of many of them.
pub(super) fn squares_fit<T: Scalar>(rows: ArrayView2<'_, T>) -> bool {
    rows.outer_iter()
        .all(|row| square_fits::<T>(wide::squared_norm(row)) || row.iter().all(|x| x.is_zero()))
}

/// The same, of rows with these norms.
pub(super) fn square_norms_fit<T: Scalar>(norms: &[f64]) -> bool {
    norms.iter().all(|&norm| norm == 0.0 || square_fits::<T>(norm * norm))
}

fn square_fits<T: Scalar>(square: f64) -> bool {
    let epsilon = T::epsilon().widen();
    let smallest = T::min_positive_value().widen() / epsilon;
    let largest = T::max_value().widen() * epsilon;
    (smallest..=largest).contains(&square)
}

/// Whether ∂L/∂W of the average loss takes fewer products of numbers by [`average_of_weight`] than by
/// [`average`] and [`Slope::of_weight`].
fn pattern_space_is_cheaper<T: Scalar>(n: usize, map: &LinearMap<T>) -> bool {
    let [n, dim, dim_features] = [n, map.dim(), map.dim_features()].map(|size| size as f64);
    let by_features = n * n * dim_features + n * dim * dim_features;
    let by_patterns = n * n * dim / 2.0 + n * dim * dim + dim * dim * dim_features;
    by_patterns < by_features
}

/// ∂L/∂F.
pub(super) enum Slope<T> {
    /// A row for each pattern.
    Every(Array2<T>),
    /// The rows of two patterns; those of all others are 0.
    Of([usize; 2], Array2<T>),
}

impl<T: Scalar> Slope<T> {
    /// ∂L/∂W = (∂L/∂F)ᵀΞ.
    fn of_weight(&self, patterns: ArrayView2<'_, T>) -> Array2<T> {
        match self {
            Self::Every(slope) => product(slope.t(), patterns),
            Self::Of(pair, slope) => product(slope.t(), patterns.select(Axis(0), pair).view()),
        }
    }
}

fn finite_gradient<T: Scalar>(loss: f64, gradient: Array2<T>) -> Result<(f64, Array2<T>)> {
    check(all_finite(&gradient), "the gradient", T::NAME)?;
    Ok((loss, gradient))
}

/// An average loss and its gradient, or an error that a distance overflowed.
fn distances_fit<T: Scalar>(
    found: Option<(f64, Array2<T>)>,
    n: usize,
    n_apart: usize,
) -> Result<(f64, Array2<T>)> {
    found
        .filter(|&(loss, _)| loss.is_finite() || pairs(n, n_apart) == 0.0)
        .ok_or_else(|| overflow(DISTANCE, T::NAME))
}

/// An error unless there are two rows.
fn check_pairs(shape: &[usize]) -> Result<()> {
    if shape[0] >= 2 {
        return Ok(());
    }
    let need = "a separation needs at least two patterns";
    Err(Error::empty("separation loss", "the patterns", shape, need))
}

const DISTANCE: &str = "the distance of two features";

/// An error unless `map` takes patterns of this length.
pub(super) fn check_shapes<T: Scalar>(map: &LinearMap<T>, patterns: &Patterns<T>) -> Result<()> {
    if patterns.dim() == map.dim() {
        return Ok(());
    }
    Err(Error::shape(
        "separation loss",
        ("the patterns", patterns.view().shape()),
        ("the weight", map.weight().shape()),
        "both need the same dim (columns)",
    ))
}

/// An error that `what` overflowed unless it is `finite`.
fn check(finite: bool, what: &str, scalar: &'static str) -> Result<()> {
    if finite { Ok(()) } else { Err(overflow(what, scalar)) }
}

fn overflow(what: &str, scalar: &'static str) -> Error {
    Error::overflow("separation loss", what.to_owned(), scalar)
}

fn all_finite<T: Scalar>(rows: &Array2<T>) -> bool {
    let entries = rows.as_slice().expect("fresh arrays are contiguous");
    entries.par_chunks(1 << 14).all(|part| part.iter().fold(true, |all, x| all & x.is_finite()))
}

/// L = −t‖f_i − f_j‖² of a pair (i, j), and ∂L/∂(f_i, f_j), `[2, dim_features]` as its features.
fn max<T: Scalar>(pair: Pair, features: ArrayView2<'_, T>, t: f64) -> Result<(f64, Array2<T>)> {
    if pair.squared_distance == 0.0 {
        let reason = format!(
            "patterns {} and {} have the same feature, which no step of the max loss can \
             separate; remove one, or use the average loss",
            pair.first, pair.second
        );
        return Err(Error::unsupported("separation loss", reason));
    }
    let mut gradient = Array2::zeros(features.raw_dim());
    for (k, (u, v)) in features.row(0).iter().zip(features.row(1)).enumerate() {
        let slope = T::narrow(-2.0 * t * (u.widen() - v.widen()));
        gradient[[0, k]] = slope;
        gradient[[1, k]] = -slope;
    }
    Ok((-t * pair.squared_distance, gradient))
}

/// Turns ∂L/∂F̂ into ∂L/∂F for F̂_i = F_i/‖F_i‖: (g_i − ⟨g_i,F̂_i⟩F̂_i)/‖F_i‖.
fn through_normalization<T: Scalar>(
    gradient: &mut Array2<T>,
    features: ArrayView2<'_, T>,
    norms: &[f64],
) {
    gradient
        .axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(features.axis_iter(Axis(0)))
        .zip(norms)
        .for_each(|((mut gradient, feature), &norm)| {
            if norm == 0.0 {
                gradient.fill(T::zero());
                return;
            }
            let products = gradient.iter().zip(&feature).map(|(g, f)| g.widen() * f.widen());
            let along: f64 = products.sum();
            gradient.zip_mut_with(&feature, |g, &f| {
                *g = T::narrow((g.widen() - along * f.widen()) / norm);
            });
        });
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn one_pattern_or_equal_patterns_are_errors() {
        let map = LinearMap::<f64>::identity(2).unwrap();
        let one = Patterns::new(array![[1.0, 2.0]]).unwrap();
        let error = SeparationLoss::average().value_and_gradient(&map, &one).unwrap_err();
        assert!(error.is_empty(), "{error}");
        // Proportional patterns have equal unit features.
        let equal = Patterns::new(array![[3.0, 0.0], [1.0, 2.0], [2.0, 4.0]]).unwrap();
        let error = SeparationLoss::max().value_and_gradient(&map, &equal).unwrap_err();
        assert!(error.is_unsupported() && error.to_string().contains("1 and 2"), "{error}");
        assert!(SeparationLoss::average().value_and_gradient(&map, &equal).is_ok());
        assert!(SeparationLoss::max().with_t(0.0).unwrap_err().is_out_of_domain());
    }

    #[test]
    fn features_that_overflow_are_errors() {
        let patterns = Patterns::new(array![[1e30_f32], [2e30]]).unwrap();
        let map = LinearMap::new(array![[1e10]]).unwrap();
        for loss in [SeparationLoss::average(), SeparationLoss::max()] {
            let error = loss.value_and_gradient(&map, &patterns).unwrap_err();
            assert!(error.is_non_finite(), "{error}");
        }
    }

    #[test]
    fn a_zero_pattern_sends_no_gradient() {
        let map = LinearMap::<f64>::identity(2).unwrap();
        let with_zero = Patterns::new(array![[0.0, 0.0], [1.0, 0.5], [0.5, 1.0]]).unwrap();
        let (loss, gradient) =
            SeparationLoss::average().value_and_gradient(&map, &with_zero).unwrap();
        assert!(loss.is_finite() && gradient.iter().all(|g| g.is_finite()));
    }

    #[test]
    fn far_features_do_not_underflow() {
        // exp(−t·d²) is 0 in f64 for every pair; the loss is log mean exp all the same.
        let map = LinearMap::<f64>::identity(1).unwrap();
        let patterns = Patterns::new(array![[0.0], [100.0], [200.0]]).unwrap();
        let loss = SeparationLoss::average().raw_features();
        let (value, gradient) = loss.value_and_gradient(&map, &patterns).unwrap();
        let expected = -2.0 * 1e4 + (4.0_f64 / 6.0).ln();
        assert!((value - expected).abs() < 4.0 * f64::EPSILON * 2e4, "{value} {expected}");
        // Two of three pairs at 100, each with share 1/2: dL/dW = −2t·d²·W.
        assert!((gradient[[0, 0]] + 4.0 * 1e4).abs() < 1e-8, "{gradient}");
    }
}
