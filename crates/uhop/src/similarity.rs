//! Scores s = similarity(Ξ, x): larger means closer, always.

mod exact;
mod observed;

use std::ops::Range;
use std::sync::OnceLock;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2, Zip, s};
use rayon::prelude::*;

use crate::channel::Channel;
use crate::error::{Error, Result};
use crate::feature_map::{AsymmetricMap, LinearMap, normalize_rows};
use crate::pairs::squared_norms;
use crate::patterns::{Patterns, check_states, first_not_finite};
use crate::product::{TILE, product_into, tile};
use crate::scalar::Scalar;
use crate::wide::squared_distance;

/// How close a stored pattern ξ is to a state x, both of length `dim`.
///
/// | variant | score | range |
/// |---|---|---|
/// | `Dot` | ⟨ξ,x⟩ | any |
/// | `Cosine` | ⟨ξ,x⟩ / (‖ξ‖‖x‖), 0 when either is zero | −1 to 1 |
/// | `Euclidean` | −½‖ξ−x‖² | at most 0 |
/// | `Manhattan` | −‖ξ−x‖₁ | at most 0 |
/// | `Kernel` | K(ξ,x) = ⟨Φξ,Φx⟩, Φ(u) = Wu | any |
/// | `Asymmetric` | ⟨W_key ξ,W_query x⟩ + b, b for each pattern | any |
/// | `Channel` | ln P(x \| ξ), up to a number of x | any |
///
/// Distances enter negated, so that the closest pattern has the largest score. (The released U-Hop
/// scripts hand raw distances to softmax, which recalls the farthest pattern.) All but `Manhattan`
/// are one matrix product plus a term per row; its rounding is about dim·ε·‖ξ‖‖x‖, ε that of the
/// scalar. Euclidean scores closer to 0 than that are computed directly, and those of channels that are as close to the
/// largest that they can be.
///
/// ```
/// use ndarray::array;
/// use uhop::{LinearMap, Patterns, Similarity};
///
/// let patterns = Patterns::new(array![[3.0, 0.0], [1.0, 1.0]])?;
/// let score = |similarity: Similarity<f64>| -> uhop::Result<_> {
///     similarity.bind(&patterns)?.scores(array![[1.0, 2.0]].view())
/// };
/// assert_eq!(score(Similarity::Dot)?, array![[3.0, 3.0]]);
/// assert_eq!(score(Similarity::Manhattan)?, array![[-4.0, -1.0]]);
/// let map = LinearMap::new(array![[0.0, 1.0]])?; // looks at the second entry only
/// assert_eq!(score(Similarity::Kernel(map))?, array![[0.0, 2.0]]);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Similarity<T> {
    /// ⟨ξ,x⟩ (Ramsauer et al. 2021).
    Dot,
    /// ⟨ξ,x⟩ / (‖ξ‖‖x‖), each pattern by its own norm (Millidge et al. 2022).
    Cosine,
    /// −½‖ξ−x‖²: the dot product with −½‖ξ‖² added, up to a constant of x.
    Euclidean,
    /// −‖ξ−x‖₁ (Millidge et al. 2022, with the sign that makes larger closer).
    Manhattan,
    /// K(ξ,x) = ⟨Wξ,Wx⟩ (Wu, Hu, Hsiao, Liu 2024).
    Kernel(LinearMap<T>),
    /// ⟨W_key ξ_μ,W_query x⟩ + b_μ: a product as the kernel's, of two maps. Only where both are one map is it a
    /// kernel with an energy; see [`AsymmetricMap`].
    Asymmetric(AsymmetricMap<T>),
    /// ln P(x | ξ) for a query x that this corruption makes of a pattern; see [`Channel`].
    Channel(Channel),
}

impl<T: Scalar> Similarity<T> {
    /// Prepares stored `patterns` for scoring: features, norms and the like, once.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Patterns, Similarity};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 2.0]])?;
    /// let keys = Similarity::Euclidean.bind(&patterns)?;
    /// assert_eq!(keys.scores(array![[1.0, 0.0]].view())?, array![[0.0, -2.5]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) when the `dim` of a map is not the patterns', or a
    /// bias is not one number for each, or the visible entries of a channel are of another `dim`;
    /// [`is_out_of_domain`](Error::is_out_of_domain) when a channel is not of such patterns;
    /// [`is_non_finite`](Error::is_non_finite) when a feature overflows.
    pub fn bind(&self, patterns: &Patterns<T>) -> Result<Keys<T>> {
        let kind = match self {
            Self::Dot => Kind::Dot,
            Self::Cosine => {
                let mut keys = patterns.view().to_owned();
                normalize_rows(&mut keys);
                Kind::Cosine { keys }
            }
            Self::Euclidean => {
                let center = mean(patterns.view());
                let keys = &patterns.view() - &center;
                let half_norms = half_norms(keys.view())?;
                Kind::Euclidean { keys, half_norms, center }
            }
            Self::Manhattan => Kind::Manhattan,
            Self::Kernel(map) => {
                let features = map.apply(patterns.view())?;
                check_finite("a feature", features.view(), (0, 0))?;
                Kind::Kernel { features, map: map.clone() }
            }
            Self::Asymmetric(map) => {
                let keys = map.keys().apply(patterns.view())?;
                check_finite("a feature", keys.view(), (0, 0))?;
                if let Some(bias) = map.bias() {
                    check_bias(bias, patterns)?;
                }
                let offsets = map.bias().map(|bias| Offsets::new(bias.mapv(T::widen)));
                Kind::TwoSided { keys, offsets, queries: Queries::Map(map.queries().clone()) }
            }
            Self::Channel(channel) => {
                channel.terms().check_patterns(channel.kind(), patterns.view())?;
                let (keys, biases, peaks) = channel.terms().of_patterns(patterns.view());
                check_finite("a term", keys.view(), (0, 0))?;
                let offsets = Some(Offsets::new(biases));
                let queries = Queries::Channel { channel: channel.clone(), peaks };
                Kind::TwoSided { keys, offsets, queries }
            }
        };
        Ok(Keys { patterns: patterns.clone(), kind, largest_norms: OnceLock::new() })
    }

    /// The field's word for it: `"dot"`, `"cosine"`, `"euclidean"`, `"manhattan"`, `"kernel"`,
    /// `"asymmetric"`, `"channel"`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dot => "dot",
            Self::Cosine => "cosine",
            Self::Euclidean => "euclidean",
            Self::Manhattan => "manhattan",
            Self::Kernel(_) => "kernel",
            Self::Asymmetric(_) => "asymmetric",
            Self::Channel(_) => "channel",
        }
    }
}

/// Stored patterns prepared for one [`Similarity`]; see [`Similarity::bind`].
#[derive(Debug, Clone)]
pub struct Keys<T> {
    patterns: Patterns<T>,
    kind: Kind<T>,
    largest_norms: OnceLock<Vec<f64>>,
}

#[derive(Debug, Clone)]
enum Kind<T> {
    Dot,
    Cosine { keys: Array2<T> },
    // Distances do not change when everything moves; moving the mean of the memory to the origin
    // makes ⟨ξ,x⟩ − ½‖ξ‖² − ½‖x‖² cancel less for data far from it.
    Euclidean { keys: Array2<T>, half_norms: Array1<f64>, center: Array1<T> },
    Manhattan,
    Kernel { features: Array2<T>, map: LinearMap<T> },
    // Patterns and states are not treated alike.
    TwoSided { keys: Array2<T>, offsets: Option<Offsets>, queries: Queries<T> },
}

/// What states become.
#[derive(Debug, Clone)]
enum Queries<T> {
    Map(LinearMap<T>),
    /// With the largest that the score of each pattern can be, but for what a query adds.
    Channel {
        channel: Channel,
        peaks: Array1<f64>,
    },
}

/// What is added to the products of each pattern, and the largest size of it.
#[derive(Debug, Clone)]
struct Offsets {
    of: Array1<f64>,
    largest: f64,
}

impl Offsets {
    fn new(of: Array1<f64>) -> Self {
        let largest = of.iter().fold(0.0, |largest: f64, offset| largest.max(offset.abs()));
        Self { of, largest }
    }
}

fn check_bias<T: Scalar>(bias: ArrayView1<'_, T>, patterns: &Patterns<T>) -> Result<()> {
    if bias.len() == patterns.n_patterns() {
        return Ok(());
    }
    Err(Error::shape(
        "similarity",
        ("the biases", bias.shape()),
        ("the patterns", patterns.view().shape()),
        "there must be one for each pattern (row); fit it again for these patterns",
    ))
}

impl<T: Scalar> Keys<T> {
    /// Scores of every state against every stored pattern,
    /// `[n_queries, dim]` → `[n_queries, n_patterns]`.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Patterns, Similarity};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [0.0, 5.0]])?;
    /// let keys = Similarity::Cosine.bind(&patterns)?;
    /// assert_eq!(keys.scores(array![[4.0, 0.0]].view())?, array![[1.0, 0.0]]);
    /// assert!(keys.scores(array![[1.0, 2.0, 3.0]].view()).unwrap_err().is_shape_mismatch());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty), [`is_non_finite`](Error::is_non_finite) (a state, or a score
    /// or a norm that overflows), [`is_shape_mismatch`](Error::is_shape_mismatch).
    pub fn scores(&self, states: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check_states("scores", "the states", states, self.patterns.view())?;
        self.scores_of_checked(states)
    }

    pub(crate) fn scores_of_checked(&self, states: ArrayView2<'_, T>) -> Result<Array2<T>> {
        let states = self.prepare(states)?;
        self.scores_of_rows(&states, 0..states.n_states())
    }

    /// The scores of some of the states.
    pub(crate) fn scores_of_rows(
        &self,
        states: &Prepared<'_, T>,
        rows: Range<usize>,
    ) -> Result<Array2<T>> {
        let n_patterns = self.patterns.n_patterns();
        let mut scores = Array2::zeros((rows.len(), n_patterns));
        // No product amortises a tile of absolute differences: small ones share the work better.
        let tile = match self.kind {
            Kind::Manhattan => TILE / 8,
            _ => tile(rows.len()),
        };
        scores.axis_chunks_iter_mut(Axis(0), tile).into_par_iter().enumerate().try_for_each(
            |(i, scores)| {
                let start = rows.start + i * tile;
                self.scores_into(states, start..start + scores.nrows(), 0..n_patterns, scores)
            },
        )?;
        Ok(scores)
    }

    /// States as the keys are: normalised, moved to the same origin, or mapped.
    pub(crate) fn prepare<'a>(&self, states: ArrayView2<'a, T>) -> Result<Prepared<'a, T>> {
        let mut constants = None;
        let states = match &self.kind {
            Kind::Dot | Kind::Manhattan => states.into(),
            Kind::Cosine { .. } => {
                let mut states = states.to_owned();
                normalize_rows(&mut states);
                states.into()
            }
            Kind::Euclidean { center, .. } => {
                let states = &states - center;
                constants = Some(-half_norms(states.view())?);
                states.into()
            }
            Kind::Kernel { map, .. } => map.features(states).into(),
            Kind::TwoSided { queries: Queries::Map(map), .. } => map.features(states).into(),
            Kind::TwoSided { queries: Queries::Channel { channel, .. }, .. } => {
                let terms = channel.terms();
                let features = terms.of_queries(states);
                let of_rows = features.outer_iter().map(|row| terms.constant(row));
                constants = Some(of_rows.collect());
                features.into()
            }
        };
        Ok(Prepared { states, constants })
    }

    /// The scores of some states against some of the patterns, in this thread.
    pub(crate) fn scores_into(
        &self,
        states: &Prepared<'_, T>,
        rows: Range<usize>,
        patterns: Range<usize>,
        mut scores: ArrayViewMut2<'_, T>,
    ) -> Result<()> {
        let origin = (rows.start, patterns.start);
        let keys = self.keys();
        let keys = keys.slice(s![patterns.clone(), ..]);
        let constants = states.constants.as_ref().map(|of| of.slice(s![rows.clone()]));
        let of_rows = states.states.slice(s![rows.clone(), ..]);
        match &self.kind {
            Kind::Manhattan => manhattan(of_rows, keys, scores.view_mut()),
            _ => product_into(scores.view_mut(), of_rows, keys.t()),
        }
        check_finite("a score", scores.view(), origin)?;
        match (&self.kind, constants) {
            // Rounding may leave a hair outside.
            (Kind::Cosine { .. }, _) => {
                scores.mapv_inplace(|score| score.max(-T::one()).min(T::one()));
            }
            (Kind::Euclidean { half_norms, .. }, Some(constants)) => {
                let half_norms = half_norms.slice(s![patterns]);
                euclidean(of_rows, constants, keys, half_norms, scores.view_mut());
                check_finite("a score", scores.view(), origin)?;
            }
            (Kind::TwoSided { queries: Queries::Channel { channel, .. }, .. }, _) => {
                self.likelihoods(channel, states, rows, patterns, scores.view_mut());
                check_finite("a score", scores.view(), origin)?;
            }
            (Kind::TwoSided { offsets: Some(offsets), .. }, _) => {
                let offsets = offsets.of.slice(s![patterns]);
                for mut scores in scores.rows_mut() {
                    Zip::from(&mut scores)
                        .and(offsets)
                        .for_each(|score, offset| *score = T::narrow(score.widen() + offset));
                }
                check_finite("a score", scores.view(), origin)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Turns products into log-likelihoods, up to a number of each query.
    ///
    /// A product, a bias and a constant of 10⁸ are the parts of a score near the largest that it can be, of which `f32`
    /// keeps no digit. A sum that does not say by how much it is below that is computed directly; the others have the
    /// rounding of the product, a quarter at most of what they are below it.
    fn likelihoods(
        &self,
        channel: &Channel,
        states: &Prepared<'_, T>,
        rows: Range<usize>,
        patterns: Range<usize>,
        mut scores: ArrayViewMut2<'_, T>,
    ) {
        for (row, mut scores) in rows.zip(scores.rows_mut()) {
            let (query, constant) = (states.states.row(row), self.constant(states, row));
            let unclear = self.unclear_above(channel, states, row);
            for (score, pattern) in scores.iter_mut().zip(patterns.clone()) {
                let sum = score.widen() + self.offset(pattern) + constant;
                let direct = self.is_unclear(sum, pattern, unclear).then(|| {
                    let pattern = self.patterns.view().slice_move(s![pattern, ..]);
                    channel.terms().direct(pattern, query, |_| true)
                });
                *score = T::narrow(direct.flatten().unwrap_or(sum));
            }
        }
    }

    /// Whether a sum says too little, with what [`unclear_above`](Self::unclear_above) has for its query.
    fn is_unclear(&self, sum: f64, pattern: usize, unclear_above: f64) -> bool {
        sum > self.peak(pattern) + unclear_above
    }

    /// A sum larger than this and the peak of its pattern says too little: below it what rounding can do is a quarter of
    /// what is missing.
    fn unclear_above(&self, channel: &Channel, states: &Prepared<'_, T>, row: usize) -> f64 {
        channel.terms().peak(states.states.row(row)) - 4.0 * self.product_error(states, row)
    }

    /// What states are compared with, `[n_patterns, _]`.
    pub(crate) fn keys(&self) -> ArrayView2<'_, T> {
        match &self.kind {
            Kind::Dot | Kind::Manhattan => self.patterns.view(),
            Kind::Cosine { keys } | Kind::Euclidean { keys, .. } | Kind::TwoSided { keys, .. } => {
                keys.view()
            }
            Kind::Kernel { features, .. } => features.view(),
        }
    }

    /// The features Φ(Ξ), `[n_patterns, dim_features]`, if there is one feature map for all.
    pub(crate) fn features(&self) -> Option<ArrayView2<'_, T>> {
        match &self.kind {
            Kind::Kernel { features, .. } => Some(features.view()),
            _ => None,
        }
    }
}

/// States prepared for one [`Keys`].
pub(crate) struct Prepared<'a, T> {
    states: CowArray<'a, T, Ix2>,
    /// What is added to all products of each, where something is: −½‖x‖² for distances, c(q) for channels.
    constants: Option<Array1<f64>>,
}

impl<T> Prepared<'_, T> {
    pub(crate) fn n_states(&self) -> usize {
        self.states.nrows()
    }
}

/// Turns products into −½‖ξ−x‖² = ⟨ξ,x⟩ − ½‖ξ‖² − ½‖x‖².
///
/// The sum is off by at most e = dim·ε·(½‖ξ‖² + ½‖x‖²) (the product by half of that, as ‖ξ‖‖x‖ is at
/// most that sum; its roundings to `T` by less). A score within e of 0 may have lost every digit: it
/// is one of the nearest, and is computed directly.
fn euclidean<T: Scalar>(
    states: ArrayView2<'_, T>,
    constants: ArrayView1<'_, f64>,
    keys: ArrayView2<'_, T>,
    half_norms: ArrayView1<'_, f64>,
    mut scores: ArrayViewMut2<'_, T>,
) {
    let epsilon = (keys.ncols() + 2) as f64 * T::epsilon().widen();
    Zip::from(scores.rows_mut()).and(states.rows()).and(&constants).for_each(
        |mut scores, state, &constant| {
            Zip::from(&mut scores).and(keys.rows()).and(half_norms).for_each(
                |score, key, &half_norm| {
                    let size = half_norm - constant;
                    let difference = score.widen() - size;
                    *score = if difference > -epsilon * size {
                        T::narrow(-0.5 * squared_distance(key, state))
                    } else {
                        T::narrow(difference)
                    };
                },
            );
        },
    );
}

/// ½‖u‖² of every row, in `f64`.
fn half_norms<T: Scalar>(rows: ArrayView2<'_, T>) -> Result<Array1<f64>> {
    let half_norms = squared_norms(rows) * 0.5;
    match half_norms.iter().position(|norm| !norm.is_finite()) {
        None => Ok(half_norms),
        Some(i) => Err(Error::overflow("similarity", format!("the norm of row {i}"), T::NAME)),
    }
}

/// −‖ξ−x‖₁; no product can compute it.
fn manhattan<T: Scalar>(
    states: ArrayView2<'_, T>,
    keys: ArrayView2<'_, T>,
    mut scores: ArrayViewMut2<'_, T>,
) {
    // A key is read once for all the states.
    for (mut column, key) in scores.columns_mut().into_iter().zip(keys.outer_iter()) {
        for (score, state) in column.iter_mut().zip(states.outer_iter()) {
            *score = -l1_distance(key, state);
        }
    }
}

/// ‖u − v‖₁ in eight running sums, which also keeps the rounding error of the total small.
fn l1_distance<T: Scalar>(u: ArrayView1<'_, T>, v: ArrayView1<'_, T>) -> T {
    const LANES: usize = 8;
    let (Some(u), Some(v)) = (u.as_slice(), v.as_slice()) else {
        return u.iter().zip(v).fold(T::zero(), |sum, (&u, &v)| sum + (u - v).abs());
    };
    let (u, u_rest) = u.as_chunks::<LANES>();
    let (v, v_rest) = v.as_chunks::<LANES>();
    let mut sums = [T::zero(); LANES];
    for (u, v) in u.iter().zip(v) {
        for lane in 0..LANES {
            sums[lane] += (u[lane] - v[lane]).abs();
        }
    }
    let rest = u_rest.iter().zip(v_rest).map(|(&u, &v)| (u - v).abs());
    sums.into_iter().chain(rest).fold(T::zero(), |sum, part| sum + part)
}

/// The mean row, in `f64`; divided before it is summed, so that it cannot overflow.
fn mean<T: Scalar>(rows: ArrayView2<'_, T>) -> Array1<T> {
    let n = rows.nrows() as f64;
    let mut mean = Array1::<f64>::zeros(rows.ncols());
    for row in rows.outer_iter() {
        Zip::from(&mut mean).and(row).for_each(|mean, x| *mean += x.widen() / n);
    }
    mean.mapv(T::narrow)
}

/// `values` are a part of a larger matrix, whose first entry is at `origin`.
fn check_finite<T: Scalar>(
    what: &str,
    values: ArrayView2<'_, T>,
    origin: (usize, usize),
) -> Result<()> {
    match first_not_finite(values) {
        None => Ok(()),
        Some([i, j]) => {
            let (i, j) = (origin.0 + i, origin.1 + j);
            Err(Error::overflow("similarity", format!("{what} (entry [{i}, {j}])"), T::NAME))
        }
    }
}
