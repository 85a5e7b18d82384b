//! What is known of a corruption: the probability of an entry of a query, given that of the pattern.

mod cross;
mod terms;

use std::f64::consts::{FRAC_1_SQRT_2, TAU};
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result, positive};
pub(crate) use terms::Terms;

/// The sharpest that a channel is: the standard deviation w of what is known of an entry that arrives as it
/// was, a quarter of the step between 8-bit levels.
///
/// A likelihood that is exact would have jumps, which no product of few terms has. Smoothed by w, levels
/// next to each other are still told apart by a single entry, at odds of e⁸.
const SHARPEST: f64 = 1.0 / 1024.0;
/// The same for folded noise, whose terms become many. All of its entries count, so that patterns are told
/// apart unless their distance is a small multiple of this.
const SHARPEST_FOLDED: f64 = 1.0 / 32.0;

/// What is known of the corruption of queries, entry by entry: P(q | ξ) for an entry q of the query and ξ
/// of the pattern.
///
/// [`Similarity::Channel`](crate::Similarity::Channel) scores a pattern by ln P(query | pattern), so that
/// softmax at β = 1 is the posterior over the patterns, and the readout the posterior mean: of all functions
/// of query and memory the one with the smallest mean squared error ([`Model::bayes`](crate::Model::bayes)).
///
/// | channel | q, for n ~ N(0, std²) | entries of patterns |
/// |---|---|---|
/// | [`gaussian`](Self::gaussian) | ξ + n | any |
/// | [`folded_gaussian`](Self::folded_gaussian) | min(\|ξ + n\|, 1) | 0 to 1 |
/// | [`half_mask`](Self::half_mask) | 2ξ or 0, as likely | any |
/// | [`mask`](Self::mask) | 0 with probability `share`, else ξ | any |
/// | [`salt_and_pepper`](Self::salt_and_pepper) | 0 or 1 with probability `share`, else ξ | any |
/// | [`occlusion`](Self::occlusion) | ξ where it is visible, anything elsewhere | any |
/// | [`calibrated`](Self::calibrated) | of this mean and variance | 0 to 1 |
///
/// Entries are independent given the pattern. Nothing is sharper than w = 1/1024: smaller standard deviations
/// count as w (of folded noise as 1/32), and an entry that arrives as it was may differ by noise of that size.
/// So no query is impossible: an entry d away from what the channel makes of ξ costs d²/2w², 8 for
/// two 8-bit levels next to each other.
///
/// It is meant for the first step: what a step recalls is no longer a corrupted copy. No energy falls along
/// the steps, and [separations](crate::Memory::separations) and [certificates](crate::Memory::certificates) are
/// about the patterns themselves as queries, undamaged.
///
/// ```
/// use ndarray::array;
/// use uhop::{Channel, Dynamics, Memory, Model, Patterns};
///
/// // Half of the entries are gone and the others doubled: of these two only the second can be it.
/// let patterns = Patterns::new(array![[1.0, 1.0, 1.0], [0.5, 0.0, 0.5]])?;
/// let memory = Memory::new(patterns, Model::bayes(Channel::half_mask()))?;
/// let recalled = memory.retrieve(array![[1.0, 0.0, 0.0]].view(), &Dynamics::one_step())?;
/// let error = recalled.retrieved - array![[0.5, 0.0, 0.5]];
/// assert!(error.iter().all(|error: &f64| error.abs() < 1e-9));
/// # Ok::<(), uhop::Error>(())
/// ```
/// Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Channel {
    kind: Kind,
    terms: Arc<Terms>,
}

/// The parameters as they were given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Gaussian { std: f64 },
    FoldedGaussian { std: f64 },
    HalfMask,
    Mask { share: f64 },
    SaltAndPepper { share: f64 },
    Occlusion { visible: Vec<bool> },
    Calibrated { means: Vec<f64>, variances: Vec<f64> },
}

impl Channel {
    /// Gaussian noise: q = ξ + n, n ~ N(0, std²).
    ///
    /// Scores are −‖q − ξ‖²/2std²: euclidean similarity, with the β that the noise has.
    ///
    /// ```
    /// use uhop::Channel;
    ///
    /// let channel = Channel::gaussian(0.5)?;
    /// let halved = channel.log_likelihood(1.0, 0.5) - channel.log_likelihood(1.0, 1.0);
    /// assert!((halved + 0.5).abs() < 1e-12);
    /// assert!(Channel::gaussian(-1.0).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `std` is finite and at least 0.
    pub fn gaussian(std: f64) -> Result<Self> {
        Ok(Self::of(Kind::Gaussian { std: noise(std)? }))
    }

    /// Gaussian noise on values from 0 to 1, folded and clamped: q = min(|ξ + n|, 1), n ~ N(0, std²), as the
    /// published experiments make it.
    ///
    /// q = 1 has a probability of its own, and all other q a density. An entry of a query that is negative
    /// or above 1 counts as min(|q|, 1). The scores are the exact ones to within 10⁻⁴ for each entry, for `std`
    /// of at least 0.1, and to within 0.02 for less.
    ///
    /// ```
    /// use uhop::Channel;
    ///
    /// let channel = Channel::folded_gaussian(1.0)?;
    /// let tail = channel.log_likelihood(1.0, 0.0).exp(); // P(|n| ≥ 1)
    /// assert!((tail - 0.3173).abs() < 1e-4);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`gaussian`](Self::gaussian).
    pub fn folded_gaussian(std: f64) -> Result<Self> {
        Ok(Self::of(Kind::FoldedGaussian { std: noise(std)? }))
    }

    /// The published half mask: q = 2ξ or 0, each with probability 1/2.
    ///
    /// ```
    /// use uhop::Channel;
    ///
    /// let channel = Channel::half_mask();
    /// assert_eq!(channel.log_likelihood(0.0, 0.7), 0.5_f64.ln());
    /// assert_eq!(channel.log_likelihood(0.0, 0.0), 0.0);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn half_mask() -> Self {
        Self::of(Kind::HalfMask)
    }

    /// A mask that leaves the survivors as they are: q = 0 with probability `share`, ξ otherwise.
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `share` is above 0 and below 1.
    pub fn mask(share: f64) -> Result<Self> {
        Ok(Self::of(Kind::Mask { share: proper(share)? }))
    }

    /// Salt and pepper: q = 0 with probability `share`/2, 1 with the same, ξ otherwise.
    ///
    /// ```
    /// use uhop::Channel;
    ///
    /// let channel = Channel::salt_and_pepper(0.2)?;
    /// assert!((channel.log_likelihood(1.0, 0.3) - 0.1_f64.ln()).abs() < 1e-12);
    /// assert!((channel.log_likelihood(1.0, 1.0) - 0.9_f64.ln()).abs() < 1e-12);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`mask`](Self::mask).
    pub fn salt_and_pepper(share: f64) -> Result<Self> {
        Ok(Self::of(Kind::SaltAndPepper { share: proper(share)? }))
    }

    /// A known region is covered: entries arrive as they were where `visible`, `[dim]`, and tell nothing
    /// elsewhere.
    ///
    /// Where each query has another region, use [`retrieve_observed`](crate::Memory::retrieve_observed)
    /// instead.
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) unless an entry is visible.
    pub fn occlusion(visible: Vec<bool>) -> Result<Self> {
        if visible.contains(&true) {
            return Ok(Self::of(Kind::Occlusion { visible }));
        }
        let need = "at least one entry must be visible";
        Err(Error::empty("channel", "the visible entries", &[visible.len()], need))
    }

    /// What is known by mean and variance alone: P(q | ξ) is taken for normal, with the mean and the variance
    /// that these tables have at ξ, linearly between their levels 0, 1/(n−1), …, 1 (256 for 8-bit values).
    ///
    /// Scores are −½(q − μ(ξ))²/v(ξ) − ½ ln v(ξ). For a corruption that can be simulated but has no
    /// likelihood; of the others it loses what is not normal about them. Variances below w² count as w².
    ///
    /// ```
    /// use uhop::Channel;
    ///
    /// let halves = Channel::calibrated(vec![0.0, 0.5], vec![0.01, 0.04])?; // q ≈ ξ/2
    /// let at_mean = halves.log_likelihood(0.5, 1.0) - halves.log_likelihood(0.7, 1.0);
    /// assert!((at_mean - 0.5).abs() < 1e-12);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless both have the same length;
    /// [`is_empty`](Error::is_empty) below two levels; [`is_non_finite`](Error::is_non_finite);
    /// [`is_out_of_domain`](Error::is_out_of_domain) for a negative variance.
    pub fn calibrated(means: Vec<f64>, variances: Vec<f64>) -> Result<Self> {
        if means.len() != variances.len() {
            return Err(Error::shape(
                "channel",
                ("the means", &[means.len()]),
                ("the variances", &[variances.len()]),
                "there must be one of each for every level",
            ));
        }
        if means.len() < 2 {
            let need = "at least two levels are needed, those of 0 and of 1";
            return Err(Error::empty("channel", "the means", &[means.len()], need));
        }
        for (what, values) in [("the means", &means), ("the variances", &variances)] {
            if let Some(i) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::non_finite("channel", what, &[i], values[i]));
            }
        }
        match variances.iter().find(|&&variance| variance < 0.0) {
            Some(variance) => Err(Error::domain("channel", "a variance", variance, "at least 0")),
            None => Ok(Self::of(Kind::Calibrated { means, variances })),
        }
    }

    pub(crate) fn of(kind: Kind) -> Self {
        let terms = Arc::new(Terms::new(&kind));
        Self { kind, terms }
    }

    /// ln P(q | ξ) of one visible entry, from its definition: a density, and at a value of its own
    /// probability (0 and 1, where the channel makes them) that probability.
    ///
    /// Scores are sums of these up to a number of the query; they come from [few terms](Self::n_terms) instead.
    pub fn log_likelihood(&self, query: f64, pattern: f64) -> f64 {
        self.kind.log_likelihood(query, pattern)
    }

    /// How many numbers are kept for each (visible) entry of a pattern: scores cost as much as those of the
    /// dot product of patterns this many times as long.
    ///
    /// ```
    /// use uhop::Channel;
    ///
    /// assert_eq!(Channel::gaussian(0.3)?.n_terms(), 1);
    /// assert!(Channel::folded_gaussian(1.0)?.n_terms() <= 3);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn n_terms(&self) -> usize {
        self.terms.n_terms()
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether it is the likelihood itself, and not what mean and variance tell of it.
    pub(crate) fn is_likelihood(&self) -> bool {
        !matches!(self.kind, Kind::Calibrated { .. })
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }
}

impl Kind {
    fn log_likelihood(&self, q: f64, x: f64) -> f64 {
        match *self {
            Self::Gaussian { std } => log_normal(q - x, std.max(SHARPEST)),
            Self::FoldedGaussian { std } => {
                let q = q.abs().min(1.0);
                if q < 1.0 { log_folded(q, x, std) } else { log_mass_at_one(x, std) }
            }
            Self::HalfMask => log_masked(q, x, 2.0, 0.5),
            Self::Mask { share } => log_masked(q, x, 1.0, share),
            Self::SaltAndPepper { share } => {
                if q == 0.0 || q == 1.0 {
                    (if q == x { 1.0 - 0.5 * share } else { 0.5 * share }).ln()
                } else {
                    (1.0 - share).ln() + log_normal(q - x, SHARPEST)
                }
            }
            Self::Occlusion { .. } => log_normal(q - x, SHARPEST),
            Self::Calibrated { ref means, ref variances } => {
                let (mean, variance) = (at(means, x), at(variances, x).max(SHARPEST * SHARPEST));
                log_normal(q - mean, variance.sqrt())
            }
        }
    }

    /// Whether patterns must be from 0 to 1.
    pub(crate) fn is_on_unit_interval(&self) -> bool {
        matches!(self, Self::FoldedGaussian { .. } | Self::Calibrated { .. })
    }
}

/// ln of the density of N(0, std²).
fn log_normal(x: f64, std: f64) -> f64 {
    let z = x / std;
    -0.5 * z * z - (TAU.sqrt() * std).ln()
}

/// ln of the density of |x + n| at q ≥ 0.
fn log_folded(q: f64, x: f64, std: f64) -> f64 {
    let std = std.max(SHARPEST_FOLDED);
    // φ(q+x) = φ(q−x)·exp(−2qx/σ²)
    log_normal(q - x, std) + (-2.0 * q * x / (std * std)).exp().ln_1p()
}

/// ln P(|x + n| ≥ 1), for x from 0 to 1.
fn log_mass_at_one(x: f64, std: f64) -> f64 {
    // For a std of 1/32 no tail that matters is 0 in `f64`.
    let scale = FRAC_1_SQRT_2 / std.max(SHARPEST_FOLDED);
    let tail = |z: f64| 0.5 * libm::erfc(z * scale);
    (tail(1.0 - x) + tail(1.0 + x)).ln()
}

/// q is 0 with probability `share`, and x times `factor` otherwise.
fn log_masked(q: f64, x: f64, factor: f64, share: f64) -> f64 {
    match (q == 0.0, x == 0.0) {
        (true, true) => 0.0,
        (true, false) => share.ln(),
        (false, _) => (1.0 - share).ln() + log_normal(q - factor * x, SHARPEST),
    }
}

/// Linear between the levels of a table over 0 to 1.
fn at(table: &[f64], x: f64) -> f64 {
    let position = x.clamp(0.0, 1.0) * (table.len() - 1) as f64;
    let below = (position as usize).min(table.len() - 2);
    let part = position - below as f64;
    table[below] + part * (table[below + 1] - table[below])
}

/// Equal parameters.
impl PartialEq for Channel {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// Plain words: `Gaussian noise, std 0.7, folded and clamped`.
impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Gaussian { std } => write!(f, "Gaussian noise, std {std}"),
            Kind::FoldedGaussian { std } => {
                write!(f, "Gaussian noise, std {std}, folded and clamped")
            }
            Kind::HalfMask => f.write_str("half mask, survivors doubled"),
            Kind::Mask { share } => write!(f, "mask of {share}, survivors kept"),
            Kind::SaltAndPepper { share } => write!(f, "salt and pepper on {share}"),
            Kind::Occlusion { visible } => {
                let n = visible.iter().filter(|&&visible| visible).count();
                write!(f, "{n} of {} entries visible", visible.len())
            }
            Kind::Calibrated { means, .. } => {
                write!(f, "mean and variance at {} levels", means.len())
            }
        }
    }
}

fn noise(std: f64) -> Result<f64> {
    if std == 0.0 { Ok(std) } else { positive("channel", "std", std) }
}

fn proper(share: f64) -> Result<f64> {
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(Error::domain("channel", "share", share, "above 0 and below 1"))
    }
}
