//! Named models: a similarity, a separation and β, assembled.

use ndarray::ArrayView1;

use crate::channel::Channel;
use crate::error::{Error, Result, positive};
use crate::feature_map::LinearMap;
use crate::scalar::Scalar;
use crate::separation::{Separation, fill};
use crate::simd::{self, WeightSums};
use crate::similarity::Similarity;

/// What turns a state into weights: p = separation(β · similarity(Ξ, x)).
///
/// The constructors are the field's models; [`with_feature_map`](Self::with_feature_map) gives each
/// its U-Hop form and [`with_similarity`](Self::with_similarity) any other combination.
///
/// | model | similarity | separation | source |
/// |---|---|---|---|
/// | [`dense`](Self::dense) | dot | softmax | Ramsauer et al. 2021 |
/// | [`sparse`](Self::sparse) | dot | sparsemax | Hu et al. 2023 |
/// | [`entmax`](Self::entmax) | dot | α-entmax | Wu et al. 2024 (STanHop) |
/// | [`polynomial`](Self::polynomial) | dot | polynomial | Krotov, Hopfield 2016 |
/// | [`bayes`](Self::bayes) | channel | softmax, β = 1 | posterior mean |
/// | any, with a feature map | kernel | the same | Wu, Hu, Hsiao, Liu 2024 (U-Hop) |
///
/// ```
/// use uhop::{LinearMap, Model, Similarity};
///
/// let uhop = Model::dense(1.0)?.with_feature_map(LinearMap::<f32>::random_normal(8, 4, 0)?);
/// assert_eq!(uhop.similarity().name(), "kernel");
/// let euclidean = Model::<f32>::sparse(2.0)?.with_similarity(Similarity::Euclidean);
/// assert_eq!((euclidean.separation().alpha(), euclidean.beta()), (Some(2.0), 2.0));
/// assert!(Model::<f32>::dense(0.0).unwrap_err().is_out_of_domain());
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model<T> {
    similarity: Similarity<T>,
    separation: Separation,
    beta: f64,
}

impl<T: Scalar> Model<T> {
    /// Any combination of the parts.
    ///
    /// ```
    /// use uhop::{Model, Separation, Similarity};
    ///
    /// let model = Model::<f32>::new(Similarity::Cosine, Separation::top_k(5)?, 20.0)?;
    /// assert_eq!(model.separation().to_string(), "top-5 softmax");
    /// assert!(Model::<f32>::new(Similarity::Cosine, Separation::softmax(), f64::NAN).is_err());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `beta` is finite and above 0.
    pub fn new(similarity: Similarity<T>, separation: Separation, beta: f64) -> Result<Self> {
        Ok(Self { similarity, separation, beta: positive("model", "beta", beta)? })
    }

    /// Whether the separation depends on where scores are 0 and the similarity does not say: a polynomial weighs by
    /// what is above 0, which no distance is, and log-likelihoods have no 0 of their own. Such a model recalls the mean
    /// of all patterns for most queries.
    ///
    /// ```
    /// use uhop::{Model, Separation, Similarity};
    ///
    /// let cube = Separation::polynomial(3)?;
    /// assert!(Model::<f64>::new(Similarity::Euclidean, cube, 1.0)?.lacks_a_zero());
    /// assert!(!Model::<f64>::new(Similarity::Dot, cube, 1.0)?.lacks_a_zero());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn lacks_a_zero(&self) -> bool {
        let has_none = matches!(
            self.similarity,
            Similarity::Euclidean | Similarity::Manhattan | Similarity::Channel(_)
        );
        self.separation.degree().is_some() && has_none
    }

    /// The dense modern Hopfield model: x⁺ = Ξᵀ softmax(βΞx) (Ramsauer et al. 2021).
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let memory = Memory::new(patterns, Model::dense(1.0)?)?;
    /// let weights = memory.weights(array![[1.0, 0.0]].view())?.weights;
    /// assert!((weights[[0, 0]] - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-15);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn dense(beta: f64) -> Result<Self> {
        Self::new(Similarity::Dot, Separation::softmax(), beta)
    }

    /// The sparse modern Hopfield model: x⁺ = Ξᵀ sparsemax(βΞx) (Hu et al. 2023).
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let memory = Memory::new(patterns, Model::sparse(0.5)?)?;
    /// let weights = memory.weights(array![[1.0, 0.0]].view())?.weights;
    /// assert_eq!(weights, array![[0.75, 0.25]]); // the projection of (0.5, 0) onto the simplex
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sparse(beta: f64) -> Result<Self> {
        Self::new(Similarity::Dot, Separation::sparsemax(), beta)
    }

    /// The generalised sparse model: x⁺ = Ξᵀ α-entmax(βΞx) (Wu et al. 2024, STanHop).
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let memory = Memory::new(patterns, Model::entmax(1.5, 2.0)?)?;
    /// let weights = memory.weights(array![[1.0, 0.0]].view())?;
    /// assert_eq!(weights.weights, array![[1.0, 0.0]]); // β·Δ = 2 = 1/(α−1)
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new), and unless `alpha` is finite and at least 1.
    pub fn entmax(alpha: f64, beta: f64) -> Result<Self> {
        Self::new(Similarity::Dot, Separation::entmax(alpha)?, beta)
    }

    /// The polynomial model of degree n: x⁺ = Σ ξ_μ \[⟨ξ_μ,x⟩\]₊ⁿ, normalised (Krotov, Hopfield
    /// 2016). β is 1: it would change nothing.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let memory = Memory::new(patterns, Model::polynomial(2)?)?;
    /// let weights = memory.weights(array![[2.0, 1.0]].view())?.weights;
    /// assert_eq!(weights, array![[0.8, 0.2]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for degree 0.
    pub fn polynomial(degree: u32) -> Result<Self> {
        Self::new(Similarity::Dot, Separation::polynomial(degree)?, 1.0)
    }

    /// The posterior mean under a corruption that is known: x⁺ = Σ_μ P(ξ_μ | x) ξ_μ, every pattern being as
    /// likely before.
    ///
    /// No function of query and memory has a smaller mean squared error, for queries that this channel
    /// makes of stored patterns, each as often as any other.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Channel, Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[0.0], [1.0]])?;
    /// let memory = Memory::new(patterns, Model::bayes(Channel::gaussian(0.5)?))?;
    /// // φ(¼/½) against φ(¾/½)
    /// let odds = memory.weights(array![[0.25]].view())?.weights;
    /// assert!((odds[[0, 0]] / odds[[0, 1]] - 1.0_f64.exp()).abs() < 1e-12);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn bayes(channel: Channel) -> Self {
        Self {
            similarity: Similarity::Channel(channel),
            separation: Separation::softmax(),
            beta: 1.0,
        }
    }

    /// The same model with another similarity.
    pub fn with_similarity(self, similarity: Similarity<T>) -> Self {
        Self { similarity, ..self }
    }

    /// The same model in the feature space of Φ: U-Hop.
    pub fn with_feature_map(self, map: LinearMap<T>) -> Self {
        self.with_similarity(Similarity::Kernel(map))
    }

    /// The similarity.
    pub fn similarity(&self) -> &Similarity<T> {
        &self.similarity
    }

    /// The separation.
    pub fn separation(&self) -> Separation {
        self.separation
    }

    /// β, the factor on the scores, finite and above 0.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// The β at which this model could be compared with one without a feature map: β·tr(WᵀW)/dim for
    /// a kernel, W of shape `[dim_features, dim]`; β itself for any other similarity.
    ///
    /// A Φ that keeps all angles, WᵀW = c·I, changes nothing but β: its weights are those of the dot
    /// product at c·β, which is what this returns. For any other W, c is the mean eigenvalue of
    /// WᵀW, the mean of ‖Φu‖² over the directions u of length 1. Its reciprocal is an effective
    /// temperature. Infinite when it overflows.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{LinearMap, Model};
    ///
    /// let twice = LinearMap::new(array![[2.0, 0.0], [0.0, 2.0]])?;
    /// assert_eq!(Model::dense(3.0)?.with_feature_map(twice).effective_beta(), 12.0);
    /// assert_eq!(Model::<f64>::dense(3.0)?.effective_beta(), 3.0);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn effective_beta(&self) -> f64 {
        match &self.similarity {
            Similarity::Kernel(map) => {
                let trace: f64 = map.weight().iter().map(|w| w.widen() * w.widen()).sum();
                self.beta * (trace / map.dim() as f64)
            }
            _ => self.beta,
        }
    }

    /// Replaces scores by exp(β(s − best)), for `best` no less than each; Σ w and Σ w ln w.
    pub(crate) fn exponentials(&self, scores: &mut [T], best: T) -> WeightSums {
        simd::exponentials(scores, best, self.beta)
    }

    /// β times a score, in `f64`; β is applied here and by its neighbours only.
    pub(crate) fn beta_score(&self, score: T) -> f64 {
        self.beta * score.widen()
    }

    /// How far scores are apart that are `margin` apart after β.
    pub(crate) fn score_margin(&self, margin: f64) -> f64 {
        margin / self.beta
    }

    /// Fills `row` with β times a row of finite scores.
    ///
    /// # Errors
    /// [`is_non_finite`](Error::is_non_finite) when a product overflows.
    pub(crate) fn beta_scores(&self, scores: ArrayView1<'_, T>, row: &mut Vec<f64>) -> Result<()> {
        fill(row, scores, |score| self.beta_score(score));
        check_beta_scores(row)
    }
}

/// None of β times some finite scores may have overflowed.
pub(crate) fn check_beta_scores(row: &[f64]) -> Result<()> {
    if simd::are_finite(row) { Ok(()) } else { Err(beta_overflow()) }
}

pub(crate) fn beta_overflow() -> Error {
    Error::overflow("separation", "beta times a score".to_owned(), "f64")
}
