//! Weights p = separation(z) of scores z: from softmax to sparse maps, with support and gradient.
//!
//! One file per family. Each works in place on one row of finite `f64` scores and returns the
//! support size; this module gives them one type, checks, and arrays of any rank.

mod entmax;
mod entmax15;
mod normmax;
mod polynomial;
mod softmax;
mod sparsemax;
mod top_k;

use std::fmt;

use ndarray::{Array, ArrayView, ArrayView1, ArrayViewMut1, Axis, Dimension, RemoveAxis, Zip};

use crate::error::{Error, Result};
use crate::scalar::{Scalar, add_exactly};
use crate::simd;

/// How scores z become weights p: non-negative, summing to 1, larger for larger scores.
///
/// The α-entmax family is p = argmax over the simplex of ⟨p,z⟩ − Ψ_α(p) with the Tsallis negative
/// entropy Ψ_α(p) = (Σ p_i^α − 1) / (α(α−1)), at α = 1 its limit Σ p_i ln p_i (Peters, Niculae,
/// Martins 2019). For α > 1 weights are exactly 0 beyond a distance 1/(α−1) of the best score.
///
/// | constructor | weights | support |
/// |---|---|---|
/// | [`softmax`](Self::softmax) | exp(z_i) / Σ exp(z_j) (α = 1) | all |
/// | [`sparsemax`](Self::sparsemax) | \[z_i − τ\]₊ (α = 2), exact | sparse |
/// | [`entmax`](Self::entmax) | \[(α−1)z_i − τ\]₊^(1/(α−1)), to machine precision | sparse for α > 1 |
/// | [`normmax`](Self::normmax) | \[z_i − τ\]₊^(1/(γ−1)) / Σ, to machine precision | sparse |
/// | [`top_k`](Self::top_k) | softmax of the k largest scores | at most k |
/// | [`polynomial`](Self::polynomial) | \[z_i\]₊ⁿ / Σ \[z_j\]₊ⁿ | z_i > 0 |
///
/// Scores arrive already multiplied by β. All but the polynomial are unchanged when every score
/// moves by the same amount. Rows are computed in `f64` whatever the scores' type, and rounded once.
///
/// ```
/// use ndarray::array;
/// use uhop::Separation;
///
/// let scores = array![-2.0, 0.0, 0.5];
/// let sparse = Separation::sparsemax().weights(scores.view())?;
/// assert_eq!(sparse.weights, array![0.0, 0.25, 0.75]);
/// assert_eq!(sparse.support_size.into_scalar(), 2);
/// assert_eq!(Separation::entmax(2.0)?, Separation::sparsemax());
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Separation(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Softmax,
    Sparsemax,
    Entmax15,
    Entmax { alpha: f64 },
    Normmax { gamma: f64 },
    TopK { k: usize },
    Polynomial { degree: u32 },
}

/// The weights of one or many rows of scores; see [`Separation::weights`].
#[derive(Debug, Clone, PartialEq)]
pub struct Weights<T, D: RemoveAxis> {
    /// The weights, in the shape of the scores: every lane along the last axis sums to 1.
    pub weights: Array<T, D>,
    /// How many weights of each lane are above 0, in the shape of the scores without the last axis.
    /// A weight too small for the scalar type is 0 and not counted.
    pub support_size: Array<usize, D::Smaller>,
}

impl Separation {
    /// Softmax: p_i = exp(z_i) / Σ exp(z_j), the α-entmax of α = 1.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let weights = Separation::softmax().weights(array![0.0, 3.0_f64.ln()].view())?.weights;
    /// assert!((weights[1] - 0.75).abs() < 1e-15);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn softmax() -> Self {
        Self(Kind::Softmax)
    }

    /// Sparsemax: the Euclidean projection onto the simplex, the α-entmax of α = 2, in closed form
    /// (Martins, Astudillo 2016).
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let weights = Separation::sparsemax().weights(array![0.25, 0.75, -1.0].view())?.weights;
    /// assert_eq!(weights, array![0.25, 0.75, 0.0]); // a point of the simplex stays
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn sparsemax() -> Self {
        Self(Kind::Sparsemax)
    }

    /// α-entmax for `alpha >= 1`: softmax at 1 and sparsemax at 2, 1.5-entmax in closed form
    /// (Peters, Niculae, Martins 2019), any other by a bracketed Newton iteration to machine
    /// precision.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let weights = Separation::entmax(1.33)?.weights(array![-1.0, 0.0, 0.5].view())?.weights;
    /// assert_eq!(weights.mapv(|p: f64| (p * 1e4).round() / 1e4), array![0.0460, 0.3276, 0.6264]);
    /// assert!(Separation::entmax(0.9).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `alpha` is finite and at least 1.
    pub fn entmax(alpha: f64) -> Result<Self> {
        if alpha == 1.0 {
            Ok(Self::softmax())
        } else if alpha == 1.5 {
            Ok(Self(Kind::Entmax15))
        } else if alpha == 2.0 {
            Ok(Self::sparsemax())
        } else if alpha > 1.0 && alpha.is_finite() {
            Ok(Self(Kind::Entmax { alpha }))
        } else {
            Err(Error::domain("separation", "alpha", alpha, "finite and at least 1"))
        }
    }

    /// γ-normmax, p = argmax over the simplex of ⟨p,z⟩ − ‖p‖_γ, for `gamma > 1` (Santos, Niculae,
    /// McNamee, Martins 2024).
    ///
    /// p_i ∝ \[z_i − τ\]₊^(1/(γ−1)) with Σ \[z_i − τ\]₊^(γ/(γ−1)) = 1, found by a monotone Newton iteration. It is
    /// the γ-entmax of scores times ‖p‖_γ^(γ−1)/(γ−1): as the weight spreads the scores count for less.
    /// Weights are exactly 0 from a distance 1 of the best score on. As γ → 1 all weight goes to
    /// the best score; as γ → ∞ the weights on the support become equal.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let weights = Separation::normmax(2.0)?.weights(array![-2.0, 0.0, 0.5].view())?.weights;
    /// assert_eq!(weights.mapv(|p: f64| (p * 1e4).round() / 1e4), array![0.0, 0.3110, 0.6890]);
    /// assert!(Separation::normmax(1.0).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `gamma` is finite and above 1.
    pub fn normmax(gamma: f64) -> Result<Self> {
        if gamma > 1.0 && gamma.is_finite() {
            Ok(Self(Kind::Normmax { gamma }))
        } else {
            Err(Error::domain("separation", "gamma", gamma, "finite and above 1"))
        }
    }

    /// Softmax over the `k` largest scores; every other weight is exactly 0.
    ///
    /// Of equal scores at the boundary the earlier ones are taken. (Code that writes 0 instead of
    /// −∞ into the scores left out gives them weight: not so here.)
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let two = Separation::top_k(2)?;
    /// let weights = two.weights(array![1.0, 3.0, 2.0, 3.0].view())?.weights;
    /// assert_eq!(weights, array![0.0, 0.5, 0.0, 0.5]);
    /// assert!(two.weights(array![1.0].view()).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for `k = 0`; later, from
    /// [`weights`](Self::weights), when `k` exceeds the number of scores.
    pub fn top_k(k: usize) -> Result<Self> {
        if k == 0 {
            return Err(Error::domain("separation", "k", k, "at least 1"));
        }
        Ok(Self(Kind::TopK { k }))
    }

    /// The normalised rectified polynomial p_i = \[z_i\]₊ⁿ / Σ \[z_j\]₊ⁿ of degree n (Krotov,
    /// Hopfield 2016).
    ///
    /// Unlike the others it depends on where 0 lies and not on the scale: multiplying every score
    /// by the same β > 0 changes nothing. When no score is positive nothing is recognised and all
    /// weights are equal.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let cube = Separation::polynomial(3)?;
    /// assert_eq!(cube.weights(array![1.0, -5.0, 2.0].view())?.weights, array![1.0 / 9.0, 0.0, 8.0 / 9.0]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for degree 0.
    pub fn polynomial(degree: u32) -> Result<Self> {
        if degree == 0 {
            return Err(Error::domain("separation", "degree", degree, "at least 1"));
        }
        Ok(Self(Kind::Polynomial { degree }))
    }

    /// α when this is a member of the α-entmax family, else `None`.
    ///
    /// ```
    /// use uhop::Separation;
    ///
    /// assert_eq!(Separation::softmax().alpha(), Some(1.0));
    /// assert_eq!(Separation::top_k(3)?.alpha(), None);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn alpha(&self) -> Option<f64> {
        match self.0 {
            Kind::Softmax => Some(1.0),
            Kind::Sparsemax => Some(2.0),
            Kind::Entmax15 => Some(1.5),
            Kind::Entmax { alpha } => Some(alpha),
            Kind::Normmax { .. } | Kind::TopK { .. } | Kind::Polynomial { .. } => None,
        }
    }

    /// γ of γ-normmax, else `None`.
    ///
    /// ```
    /// use uhop::Separation;
    ///
    /// assert_eq!(Separation::normmax(5.0)?.gamma(), Some(5.0));
    /// assert_eq!(Separation::softmax().gamma(), None);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn gamma(&self) -> Option<f64> {
        if let Kind::Normmax { gamma } = self.0 { Some(gamma) } else { None }
    }

    /// The number of scores that a top-k softmax takes, else `None`.
    ///
    /// ```
    /// use uhop::Separation;
    ///
    /// assert_eq!(Separation::top_k(3)?.k(), Some(3));
    /// assert_eq!(Separation::softmax().k(), None);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn k(&self) -> Option<usize> {
        if let Kind::TopK { k } = self.0 { Some(k) } else { None }
    }

    /// The degree of a polynomial, else `None`.
    ///
    /// ```
    /// use uhop::Separation;
    ///
    /// assert_eq!(Separation::polynomial(10)?.degree(), Some(10));
    /// assert_eq!(Separation::softmax().degree(), None);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn degree(&self) -> Option<u32> {
        if let Kind::Polynomial { degree } = self.0 { Some(degree) } else { None }
    }

    /// How far below the best score the weights become exactly 0, if they do: 1/(α−1) for α-entmax, 1
    /// for γ-normmax, else `None`. It is the lead of the best score at which it gets all the weight.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let entmax = Separation::entmax(1.25)?;
    /// assert_eq!(entmax.margin(), Some(4.0));
    /// assert_eq!(entmax.weights(array![0.0, 4.0].view())?.weights, array![0.0, 1.0]);
    /// assert!(entmax.weights(array![0.0, 3.99].view())?.weights[0] > 0.0);
    /// assert_eq!(Separation::softmax().margin(), None);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn margin(&self) -> Option<f64> {
        match self.reach() {
            Reach::Margin(margin) => Some(margin),
            Reach::All(_) | Reach::Best(_) => None,
        }
    }

    /// The weights of every lane of `scores` along the last axis, and their support sizes.
    ///
    /// `scores` may have any rank from 1 up: `[n_patterns]`, `[n_queries, n_patterns]`, …
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let scores = array![[0.0, 0.0], [5.0, 0.0]];
    /// let sparse = Separation::sparsemax().weights(scores.view())?;
    /// assert_eq!(sparse.weights, array![[0.5, 0.5], [1.0, 0.0]]);
    /// assert_eq!(sparse.support_size, array![2, 1]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) for lanes of length 0,
    /// [`is_non_finite`](Error::is_non_finite),
    /// [`is_out_of_domain`](Error::is_out_of_domain) when k exceeds the length of a lane.
    pub fn weights<T: Scalar, D: Dimension + RemoveAxis>(
        &self,
        scores: ArrayView<'_, T, D>,
    ) -> Result<Weights<T, D>> {
        self.check(&scores)?;
        let lanes = Axis(scores.ndim() - 1);
        let mut weights = scores.to_owned();
        let mut row = Vec::with_capacity(weights.len_of(lanes));
        let support_size = weights.map_axis_mut(lanes, |lane| {
            fill(&mut row, lane.view(), |z| z.widen());
            self.weights_into(&mut row, lane)
        });
        Ok(Weights { weights, support_size })
    }

    /// The vector-Jacobian product Jᵀg, J = ∂p/∂z, along the last axis; shapes as the scores.
    ///
    /// For α-entmax J = diag(s) − ssᵀ/Σs with s_i = p_i^(2−α) on the support and 0 off it (Peters,
    /// Niculae, Martins 2019); where the support is about to change this is one of the one-sided
    /// derivatives.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Separation;
    ///
    /// let gradient = Separation::sparsemax().vjp(
    ///     array![-2.0, 0.0, 0.5].view(),
    ///     array![9.0, 1.0, 0.0].view(),
    /// )?;
    /// assert_eq!(gradient, array![0.0, 0.5, -0.5]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`weights`](Self::weights), for `cotangent` g too;
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless g has the shape of `scores`;
    /// [`is_non_finite`](Error::is_non_finite) when a derivative overflows, which takes large α and
    /// tiny weights.
    pub fn vjp<T: Scalar, D: Dimension + RemoveAxis>(
        &self,
        scores: ArrayView<'_, T, D>,
        cotangent: ArrayView<'_, T, D>,
    ) -> Result<Array<T, D>> {
        self.check(&scores)?;
        if scores.shape() != cotangent.shape() {
            return Err(Error::shape(
                "separation gradient",
                ("the cotangents", cotangent.shape()),
                ("the scores", scores.shape()),
                "both need the same shape",
            ));
        }
        check_finite("separation gradient", "the cotangents", &cotangent)?;
        let lanes = Axis(scores.ndim() - 1);
        let mut result = Array::zeros(scores.raw_dim());
        Zip::from(result.lanes_mut(lanes))
            .and(scores.lanes(lanes))
            .and(cotangent.lanes(lanes))
            .for_each(|mut result, scores, cotangent| {
                let scores: Vec<f64> = scores.iter().map(|z| z.widen()).collect();
                let cotangent: Vec<f64> = cotangent.iter().map(|g| g.widen()).collect();
                let gradient = self.vjp_of_row(&scores, &cotangent);
                Zip::from(&mut result).and(&gradient).for_each(|r, &g| *r = T::narrow(g));
            });
        if result.iter().all(|g| g.is_finite()) {
            Ok(result)
        } else {
            let what = "a gradient".to_owned();
            Err(Error::overflow("separation gradient", what, T::NAME))
        }
    }

    /// The weights of a row of finite scores, rounded to `T`; returns the support size. Leaves the
    /// unrounded weights in `row`.
    pub(crate) fn weights_into<T: Scalar>(
        &self,
        row: &mut [f64],
        mut weights: ArrayViewMut1<'_, T>,
    ) -> usize {
        self.weights_in_place(row);
        match weights.as_slice_mut() {
            Some(weights) => narrow(weights.iter_mut(), row),
            None => narrow(weights.iter_mut(), row),
        }
    }

    /// Replaces a row of finite scores by its weights.
    pub(crate) fn weights_in_place(&self, row: &mut [f64]) {
        match self.0 {
            Kind::Softmax => softmax::weights(row),
            Kind::Sparsemax => sparsemax::weights(row),
            Kind::Entmax15 => entmax15::weights(row),
            Kind::Entmax { alpha } => entmax::weights(row, alpha),
            Kind::Normmax { gamma } => normmax::weights(row, gamma),
            Kind::TopK { k } => top_k::weights(row, k),
            Kind::Polynomial { degree } => polynomial::weights(row, degree),
        }
    }

    fn vjp_of_row(&self, scores: &[f64], cotangent: &[f64]) -> Vec<f64> {
        let mut weights = scores.to_vec();
        self.weights_in_place(&mut weights);
        match self.0 {
            Kind::Softmax | Kind::TopK { .. } => softmax::vjp(&weights, cotangent),
            Kind::Sparsemax => entmax::vjp(&weights, cotangent, 2.0),
            Kind::Entmax15 => entmax::vjp(&weights, cotangent, 1.5),
            Kind::Entmax { alpha } => entmax::vjp(&weights, cotangent, alpha),
            Kind::Normmax { gamma } => normmax::vjp(&weights, cotangent, gamma),
            Kind::Polynomial { degree } => polynomial::vjp(scores, &weights, cotangent, degree),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0
    }

    /// Which patterns can carry weight.
    pub(crate) fn reach(&self) -> Reach {
        match self.0 {
            Kind::Softmax => Reach::All(Shape::Exponential),
            Kind::Polynomial { degree } => Reach::All(Shape::Polynomial { degree }),
            Kind::Sparsemax | Kind::Normmax { .. } => Reach::Margin(1.0),
            Kind::Entmax15 => Reach::Margin(2.0),
            Kind::Entmax { alpha } => Reach::Margin(1.0 / (alpha - 1.0)),
            Kind::TopK { k } => Reach::Best(k),
        }
    }

    /// Whether this separation can be applied to `n_scores` scores.
    pub(crate) fn check_length(&self, n_scores: usize) -> Result<()> {
        match self.0 {
            Kind::TopK { k } if k > n_scores => {
                let domain = format!("at most {n_scores}, the number of scores");
                Err(Error::domain("separation", "k", k, domain))
            }
            _ => Ok(()),
        }
    }

    fn check<T: Scalar, D: Dimension>(&self, scores: &ArrayView<'_, T, D>) -> Result<()> {
        let Some(&length) = scores.shape().last().filter(|&&length| length > 0) else {
            let need = "at least one score is needed along the last axis";
            return Err(Error::empty("separation", "the scores", scores.shape(), need));
        };
        check_finite("separation", "the scores", scores)?;
        self.check_length(length)
    }
}

/// exp(−Σ p ln p): the effective number of weights, from 1 for a single one to n for equal ones.
pub(crate) fn perplexity(weights: &[f64]) -> f64 {
    let above = weights.iter().filter(|&&p| p > 0.0);
    (-sum(above.map(|p| p * p.ln()))).exp().max(1.0)
}

/// Which of the scores of a row can get a weight above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reach {
    /// Any, by this shape.
    All(Shape),
    /// Those less than this below the best.
    Margin(f64),
    /// The k best.
    Best(usize),
}

/// Weights up to a factor that they share: a function of a score and the best one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// exp(z − best)
    Exponential,
    /// ([z]₊ / best)ⁿ
    Polynomial { degree: u32 },
}

impl Shape {
    /// The best score before any is known, beside which each positive weight is 0.
    pub(crate) fn nothing(self) -> f64 {
        match self {
            Self::Exponential => f64::NEG_INFINITY,
            Self::Polynomial { .. } => 0.0,
        }
    }

    /// The weight of score z relative to that of the best one, from 0 to 1.
    pub(crate) fn weight(self, z: f64, best: f64) -> f64 {
        match self {
            Self::Exponential => (z - best).exp(),
            Self::Polynomial { .. } if z <= 0.0 => 0.0,
            Self::Polynomial { degree } => (z / best).powf(f64::from(degree)),
        }
    }

    /// w ln w of the weight w of score z, 0 at 0; without a logarithm where there is none to take.
    pub(crate) fn weight_times_log(self, weight: f64, z: f64, best: f64) -> f64 {
        match self {
            _ if weight == 0.0 => 0.0,
            Self::Exponential => weight * (z - best),
            Self::Polynomial { degree } => weight * f64::from(degree) * (z / best).ln(),
        }
    }

    /// Whether a score has a weight above 0, however small.
    pub(crate) fn reaches<T: Scalar>(self, score: T) -> bool {
        match self {
            Self::Exponential => true,
            Self::Polynomial { .. } => score > T::zero(),
        }
    }
}

fn check_finite<T: Scalar, D: Dimension>(
    operation: &'static str,
    what: &'static str,
    values: &ArrayView<'_, T, D>,
) -> Result<()> {
    if values.as_slice().is_some_and(simd::are_finite) {
        return Ok(());
    }
    match values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((position, value)) => {
            let index = unravel(position, values.shape());
            Err(Error::non_finite(operation, what, &index, value.widen()))
        }
    }
}

/// Replaces what is in `row` by `value` of every entry of a lane. A slice is read as one, which makes
/// the loop a vector loop.
pub(crate) fn fill<T: Copy>(row: &mut Vec<f64>, lane: ArrayView1<'_, T>, value: impl Fn(T) -> f64) {
    row.clear();
    match lane.as_slice() {
        Some(lane) => row.extend(lane.iter().map(|&x| value(x))),
        None => row.extend(lane.iter().map(|&x| value(x))),
    }
}

/// Rounds a row into `weights`; returns how many of them are above 0.
fn narrow<'a, T: Scalar + 'a>(weights: impl Iterator<Item = &'a mut T>, row: &[f64]) -> usize {
    let round = |(p, &weight): (&mut T, &f64)| {
        *p = T::narrow(weight);
        usize::from(*p > T::zero())
    };
    weights.zip(row).map(round).sum()
}

/// The index of the `position`-th element in row-major order.
fn unravel(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (entry, &length) in index.iter_mut().zip(shape).rev() {
        *entry = position % length;
        position /= length;
    }
    index
}

impl fmt::Display for Separation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Softmax => f.write_str("softmax"),
            Kind::Sparsemax => f.write_str("sparsemax"),
            Kind::Entmax15 => f.write_str("1.5-entmax"),
            Kind::Entmax { alpha } => write!(f, "{alpha}-entmax"),
            Kind::Normmax { gamma } => write!(f, "{gamma}-normmax"),
            Kind::TopK { k } => write!(f, "top-{k} softmax"),
            Kind::Polynomial { degree } => write!(f, "polynomial of degree {degree}"),
        }
    }
}

/// The largest score.
fn max(row: &[f64]) -> f64 {
    row.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Σ x_i, compensated.
fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = RunningSum::default();
    terms.into_iter().for_each(|term| sum.add(term));
    sum.value()
}

/// A sum with the error of every addition kept and added at the end: off by about one rounding, however many terms.
#[derive(Default)]
struct RunningSum {
    rounded: f64,
    lost: f64,
}

impl RunningSum {
    fn add(&mut self, term: f64) {
        let (rounded, lost) = add_exactly(self.rounded, term);
        self.rounded = rounded;
        self.lost += lost;
    }

    fn value(&self) -> f64 {
        self.rounded + self.lost
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Array3, array};

    use super::*;

    #[test]
    fn parameters_outside_their_domain_are_errors() {
        for alpha in [0.999, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = Separation::entmax(alpha).unwrap_err();
            assert!(error.is_out_of_domain(), "{error}");
        }
        for gamma in [1.0, 0.5, -2.0, f64::NAN, f64::INFINITY] {
            let error = Separation::normmax(gamma).unwrap_err();
            assert!(error.is_out_of_domain(), "{error}");
        }
        assert!(Separation::top_k(0).unwrap_err().is_out_of_domain());
        assert!(Separation::polynomial(0).unwrap_err().is_out_of_domain());
        let error = Separation::top_k(4).unwrap().weights(array![[1.0, 2.0, 3.0]].view());
        assert_eq!(
            error.unwrap_err().to_string(),
            "separation: k is 4; it must be at most 3, the number of scores",
        );
    }

    #[test]
    fn scores_that_are_empty_or_not_finite_are_errors() {
        let softmax = Separation::softmax();
        assert!(softmax.weights(Array1::<f64>::zeros(0).view()).unwrap_err().is_empty());
        assert!(softmax.weights(Array2::<f64>::zeros((3, 0)).view()).unwrap_err().is_empty());
        let mut scores = Array3::<f32>::zeros((2, 3, 4));
        scores[[1, 2, 3]] = f32::NEG_INFINITY;
        let error = softmax.weights(scores.view()).unwrap_err();
        assert!(error.is_non_finite() && error.to_string().contains("[1, 2, 3]"), "{error}");
        let error = softmax.vjp(array![1.0, 2.0].view(), array![1.0].view()).unwrap_err();
        assert!(error.is_shape_mismatch(), "{error}");
        let error = softmax.vjp(array![1.0, 2.0].view(), array![1.0, f64::NAN].view());
        assert!(error.unwrap_err().is_non_finite());
    }

    #[test]
    fn gradients_that_overflow_are_errors() {
        let (scores, cotangent) = (array![1e-40_f32, 1e-40], array![1.0, 2.0]);
        let polynomial = Separation::polynomial(10).unwrap();
        assert!(polynomial.vjp(scores.view(), cotangent.view()).unwrap_err().is_non_finite());
        let wide = scores.mapv(f64::from);
        assert!(polynomial.vjp(wide.view(), array![1.0, 2.0].view()).is_ok());
    }

    #[test]
    fn no_rows_give_no_weights() {
        let none = Separation::softmax().weights(Array2::<f64>::zeros((0, 3)).view()).unwrap();
        assert_eq!((none.weights.dim(), none.support_size.dim()), ((0, 3), 0));
    }

    #[test]
    fn names_say_which() {
        assert_eq!(Separation::entmax(1.3).unwrap().to_string(), "1.3-entmax");
        assert_eq!(Separation::entmax(1.5).unwrap().to_string(), "1.5-entmax");
        assert_eq!(Separation::normmax(5.0).unwrap().to_string(), "5-normmax");
        assert_eq!(Separation::top_k(7).unwrap().to_string(), "top-7 softmax");
        assert_eq!(Separation::polynomial(10).unwrap().to_string(), "polynomial of degree 10");
    }

    #[test]
    fn compensated_sums_keep_what_plain_sums_lose() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    }
}
