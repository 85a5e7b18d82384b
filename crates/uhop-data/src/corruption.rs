//! Corrupted copies of patterns, to be used as queries.

mod channel;
mod damage;
mod mix;
mod problem;

use std::fmt;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut1};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::{Error, Result};
pub use damage::Damage;
pub use mix::CorruptionMix;
pub(crate) use problem::Problem;

/// A way of turning stored patterns into corrupted or partial queries.
///
/// Every value of this type is valid: constructors with a domain check it. [`apply`](Self::apply)
/// does the work. The text form ([`Display`](fmt::Display)) says in plain words what happens and is
/// meant for tables and legends.
///
/// # Randomness
///
/// Row `i` of the result depends on the seed, on `i` and on pattern `i` only: each row draws from its
/// own stream of a ChaCha8 generator. Hence queries of the first patterns are the first queries, and
/// an experiment on more patterns contains the experiment on fewer. Two corruptions with one seed
/// use the same draws: the half mask and the mask of 0.5 keep the same entries. Masks are the same on every machine,
/// noise is so up to the rounding of the platform's exp and ln.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use uhop_data::Corruption;
///
/// let patterns = array![[0.1, 0.2, 0.3, 0.4]];
/// let queries = Corruption::occluded_half(2, 2)?.apply(patterns.view(), 0)?;
/// assert_eq!(queries, array![[0.1, 0.2, 0.0, 0.0]]);
/// # Ok::<(), uhop_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corruption(Kind);

/// Two of these can be added.
const LARGEST: f32 = f32::MAX / 2.0;

/// Private, so that a value can only come from a constructor that checks it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    HalfMask,
    Mask { share: f64 },
    SaltAndPepper { share: f64 },
    GaussianNoise { std: f64 },
    NoiseOfNorm { norm: f64 },
    FoldedNoiseOfNorm { norm: f64 },
    Occluded { image: (usize, usize), lines: (usize, usize), columns: (usize, usize) },
}

impl Corruption {
    /// The published half mask: entries are dropped at random and the survivors doubled.
    ///
    /// `q_j = 2 m_j x_j` with independent `m_j`, 0 or 1 with probability 1/2 each, so that the mean
    /// of `q` is `x`. Values are not clamped: a pixel of 1 becomes 0 or 2.
    ///
    /// Source: the released retrieval scripts of U-Hop (Wu, Hu, Hsiao and Liu, ICML 2024), which
    /// call dropout with p = 0.5 in training mode. The paper says "random 50% pixel mask" and does
    /// not mention the doubling; [`mask`](Self::mask) is without it.
    ///
    /// # Example
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop_data::Corruption;
    ///
    /// let patterns = Array2::from_elem((3, 100), 0.25);
    /// let queries = Corruption::half_mask().apply(patterns.view(), 7)?;
    /// assert!(queries.iter().all(|&q| q == 0.0 || q == 0.5));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn half_mask() -> Self {
        Self(Kind::HalfMask)
    }

    /// A mask that leaves the survivors as they are.
    ///
    /// `q_j = m_j x_j` with independent `m_j`, 0 with probability `share` and 1 otherwise. A larger share
    /// drops more entries and no others; at 0.5 they are those of [`half_mask`](Self::half_mask).
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) unless `share` is above 0 and below 1.
    ///
    /// # Example
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop_data::Corruption;
    ///
    /// let patterns = Array2::from_elem((3, 100), 0.25);
    /// let kept = Corruption::mask(0.5)?.apply(patterns.view(), 7)?;
    /// let doubled = Corruption::half_mask().apply(patterns.view(), 7)?;
    /// assert_eq!(doubled, 2.0 * kept);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn mask(share: f64) -> Result<Self> {
        Ok(Self(Kind::Mask { share: proper("mask", share)? }))
    }

    /// Salt and pepper: entries become 0 or 1 at random.
    ///
    /// Independently, `q_j` is 0 with probability `share`/2, 1 with the same, and `x_j` otherwise.
    ///
    /// # Errors
    ///
    /// As [`mask`](Self::mask).
    ///
    /// # Example
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop_data::Corruption;
    ///
    /// let patterns = Array2::from_elem((3, 100), 0.25);
    /// let queries = Corruption::salt_and_pepper(0.5)?.apply(patterns.view(), 7)?;
    /// assert!(queries.iter().all(|&q| q == 0.0 || q == 0.25 || q == 1.0));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn salt_and_pepper(share: f64) -> Result<Self> {
        Ok(Self(Kind::SaltAndPepper { share: proper("salt and pepper", share)? }))
    }

    /// Gaussian noise, folded to positive values and clamped to `[0, 1]`.
    ///
    /// `q_j = min(|x_j + n_j|, 1)` with independent `n_j ~ N(0, std²)`. Meant for patterns with
    /// values in `[0, 1]`, of which `std` 0 returns an exact copy.
    ///
    /// Source: `memory_retrieval_noise.py` of U-Hop (Wu, Hu, Hsiao and Liu, ICML 2024), where the
    /// noise level is this `std`. Their script for the max loss takes the level as the Euclidean
    /// norm of the whole perturbation instead, which is
    /// [`folded_noise_of_norm`](Self::folded_noise_of_norm); the two are not comparable.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `std` is negative, NaN or infinite.
    ///
    /// # Example
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop_data::Corruption;
    ///
    /// let patterns = Array2::from_elem((3, 100), 0.25);
    /// let queries = Corruption::gaussian_noise(0.5)?.apply(patterns.view(), 7)?;
    /// assert!(queries.iter().all(|q| (0.0..=1.0).contains(q)));
    /// assert!(Corruption::gaussian_noise(f64::NAN).is_err());
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn gaussian_noise(std: f64) -> Result<Self> {
        if std.is_finite() && std >= 0.0 {
            Ok(Self(Kind::GaussianNoise { std }))
        } else {
            Err(Error::argument(Problem::Std { found: std }))
        }
    }

    /// Gaussian noise of a given Euclidean norm: a random direction, the same distance from every
    /// pattern.
    ///
    /// `q = x + norm · n / ‖n‖` with independent `n_j ~ N(0, 1)`, so that `‖q − x‖ = norm` up to
    /// rounding. Values are neither folded nor clamped. The `n_j` are those of
    /// [`gaussian_noise`](Self::gaussian_noise) for the same seed; `norm` 0 returns an exact copy.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `norm` is negative, NaN, or above half of
    /// the largest f32.
    ///
    /// # Example
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop_data::Corruption;
    ///
    /// let patterns = Array2::from_elem((3, 100), 0.25);
    /// let queries = Corruption::noise_of_norm(0.5)?.apply(patterns.view(), 7)?;
    /// for (q, x) in queries.rows().into_iter().zip(patterns.rows()) {
    ///     let distance = (&q - &x).mapv(|d: f32| d * d).sum().sqrt();
    ///     assert!((distance - 0.5).abs() < 1e-5);
    /// }
    /// assert!(Corruption::noise_of_norm(-1.0).is_err());
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn noise_of_norm(norm: f64) -> Result<Self> {
        Ok(Self(Kind::NoiseOfNorm { norm: proper_norm(norm)? }))
    }

    /// Gaussian noise of a given Euclidean norm, folded to positive values and clamped to `[0, 1]`.
    ///
    /// `q_j = min(|x_j + norm · n_j / ‖n‖|, 1)`: the folding of
    /// [`gaussian_noise`](Self::gaussian_noise) after the noise of [`noise_of_norm`](Self::noise_of_norm),
    /// with the same draws. For patterns with values in `[0, 1]`; they are then at most `norm` away, and `norm` 0
    /// returns an exact copy.
    ///
    /// Source: `memory_retrieval_noise_max_loss.py` of U-Hop (Wu, Hu, Hsiao and Liu, ICML 2024),
    /// where the noise level is this `norm`. Spread over `dim` values, it is nearly folded noise of the standard
    /// deviation `norm / sqrt(dim)`: a level of 1 on MNIST is 0.036, not 1.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `norm` is negative, NaN, or above half of
    /// the largest f32.
    ///
    /// # Example
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop_data::Corruption;
    ///
    /// let patterns = Array2::zeros((3, 100));
    /// let noise = Corruption::noise_of_norm(0.5)?.apply(patterns.view(), 7)?;
    /// let folded = Corruption::folded_noise_of_norm(0.5)?.apply(patterns.view(), 7)?;
    /// assert_eq!(folded, noise.mapv(f32::abs));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn folded_noise_of_norm(norm: f64) -> Result<Self> {
        Ok(Self(Kind::FoldedNoiseOfNorm { norm: proper_norm(norm)? }))
    }

    /// The lower half of every image set to 0.
    ///
    /// Patterns must be `[n_patterns, height * width]`, each an image of one channel stored row by
    /// row. The lowest `height / 2` image rows, rounded down, are set to 0: the middle row of an odd
    /// height stays. Nothing is random here; the seed is not used.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `height` is below 2 (there is no
    /// lower half), `width` is 0, or `height * width` overflows.
    ///
    /// # Example: an odd height
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop_data::Corruption;
    ///
    /// let corruption = Corruption::occluded_half(3, 1)?;
    /// let queries = corruption.apply(array![[0.1, 0.2, 0.3]].view(), 0)?;
    /// assert_eq!(queries, array![[0.1, 0.2, 0.0]]);
    /// assert!(Corruption::occluded_half(1, 3).is_err());
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn occluded_half(height: usize, width: usize) -> Result<Self> {
        if height < 2 {
            return Err(Error::argument(Problem::ImageSize { height, width }));
        }
        Self::occluded_region((height, width), height - height / 2..height, 0..width)
    }

    /// A rectangle of every image set to 0.
    ///
    /// Patterns must be `[n_patterns, height * width]`, as for [`occluded_half`](Self::occluded_half); the
    /// image rows and columns are counted from 0 at the top left. Nothing is random here; the seed is not used.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when the rectangle is empty, reaches out of the
    /// image, or covers all of it, or `height * width` overflows.
    ///
    /// # Example
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop_data::Corruption;
    ///
    /// let corruption = Corruption::occluded_region((2, 3), 0..1, 1..3)?;
    /// let queries = corruption.apply(array![[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]].view(), 0)?;
    /// assert_eq!(queries, array![[0.1, 0.0, 0.0, 0.4, 0.5, 0.6]]);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn occluded_region(
        (height, width): (usize, usize),
        lines: Range<usize>,
        columns: Range<usize>,
    ) -> Result<Self> {
        if width < 1 || height.checked_mul(width).is_none() {
            return Err(Error::argument(Problem::ImageSize { height, width }));
        }
        let covers_all = lines == (0..height) && columns == (0..width);
        let fits = lines.end <= height && columns.end <= width;
        if lines.is_empty() || columns.is_empty() || !fits || covers_all {
            return Err(Error::argument(Problem::Region { height, width, lines, columns }));
        }
        let (lines, columns) = ((lines.start, lines.end), (columns.start, columns.end));
        Ok(Self(Kind::Occluded { image: (height, width), lines, columns }))
    }

    /// Corrupts each pattern: queries of the shape of `patterns`, `[n_patterns, dim]`, row-major.
    ///
    /// What happens to a row is told by the constructor, what is random by
    /// [Randomness](Self#randomness). Time and memory are proportional to `n_patterns * dim`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when
    /// - `n_patterns` or `dim` is 0,
    /// - a value is NaN or infinite,
    /// - `dim` is not `height * width` of [`occluded_half`](Self::occluded_half) or
    ///   [`occluded_region`](Self::occluded_region),
    /// - a value is so large that [`half_mask`](Self::half_mask) cannot double it, or that
    ///   [`noise_of_norm`](Self::noise_of_norm) could carry it out of the range of f32.
    ///
    /// # Example: a prefix of the patterns gives a prefix of the queries
    ///
    /// ```
    /// use ndarray::{Array2, s};
    /// use uhop_data::Corruption;
    ///
    /// let patterns = Array2::from_elem((5, 8), 0.5);
    /// let noise = Corruption::gaussian_noise(0.1)?;
    /// let all = noise.apply(patterns.view(), 1)?;
    /// let first = noise.apply(patterns.slice(s![..2, ..]), 1)?;
    /// assert_eq!(first, all.slice(s![..2, ..]));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    ///
    /// # Example: a value that is no number
    ///
    /// ```
    /// use uhop_data::Corruption;
    ///
    /// let patterns = ndarray::array![[0.5, f32::NAN]];
    /// assert!(Corruption::half_mask().apply(patterns.view(), 0).unwrap_err().is_invalid_argument());
    /// ```
    pub fn apply(&self, patterns: ArrayView2<'_, f32>, seed: u64) -> Result<Array2<f32>> {
        self.check(patterns).map_err(Error::argument)?;
        // The result is row-major whatever the layout of the view.
        let mut queries = patterns.as_standard_layout().into_owned();
        for (stream, query) in (0..).zip(queries.rows_mut()) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            self.corrupt(query, &mut rng);
        }
        Ok(queries)
    }

    fn check(&self, patterns: ArrayView2<'_, f32>) -> Result<(), Problem> {
        let (n_patterns, dim) = patterns.dim();
        if n_patterns == 0 || dim == 0 {
            return Err(Problem::Empty { corruption: *self, n_patterns, dim });
        }
        if let Kind::Occluded { image, .. } = self.0 {
            self.check_dim(n_patterns, dim, image)?;
        }
        // A constant of its kind, so that the answer does not depend on what is drawn.
        let limit = match self.0 {
            Kind::HalfMask => LARGEST,
            // One entry may take all of the noise.
            Kind::NoiseOfNorm { norm } if norm > 0.0 => LARGEST,
            _ => f32::MAX,
        };
        let refused = |x: f32| !x.is_finite() || x.abs() > limit;
        match patterns.indexed_iter().find(|&(_, &value)| refused(value)) {
            None => Ok(()),
            Some(((row, column), &value)) if value.is_finite() => {
                Err(Problem::Overflow { corruption: *self, row, column, value, limit })
            }
            Some(((row, column), &value)) => {
                Err(Problem::NonFinite { corruption: *self, row, column, value })
            }
        }
    }

    /// Patterns must be images of this size.
    fn check_dim(
        &self,
        n_patterns: usize,
        dim: usize,
        (height, width): (usize, usize),
    ) -> Result<(), Problem> {
        if dim == height * width {
            return Ok(());
        }
        Err(Problem::Dim { corruption: *self, height, width, n_patterns, dim })
    }

    /// Corrupts one row in place.
    fn corrupt(&self, query: ArrayViewMut1<'_, f32>, rng: &mut ChaCha8Rng) {
        match self.0 {
            Kind::HalfMask => mask(query, 0.5, 2.0, rng),
            Kind::Mask { share } => mask(query, share, 1.0, rng),
            Kind::SaltAndPepper { share } => add_salt_and_pepper(query, share, rng),
            Kind::GaussianNoise { std } => add_noise(query, std, rng),
            Kind::NoiseOfNorm { norm } => add_direction(query, norm, |x| x, rng),
            Kind::FoldedNoiseOfNorm { norm } => add_direction(query, norm, folded, rng),
            Kind::Occluded { .. } => {
                let covered = query.into_iter().enumerate().filter(|&(j, _)| !self.is_visible(j));
                covered.for_each(|(_, x)| *x = 0.0);
            }
        }
    }

    /// Whether an entry is outside the covered part of the image.
    fn is_visible(&self, entry: usize) -> bool {
        let Kind::Occluded { image: (_, width), lines, columns } = self.0 else { return true };
        let (line, column) = (entry / width, entry % width);
        !((lines.0..lines.1).contains(&line) && (columns.0..columns.1).contains(&column))
    }
}

/// Plain words for tables: `half mask, survivors doubled`, `Gaussian noise, std 0.3`.
impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::HalfMask => f.write_str("half mask, survivors doubled"),
            Kind::Mask { share } => write!(f, "mask of {share}, survivors kept"),
            Kind::SaltAndPepper { share } => write!(f, "salt and pepper on {share}"),
            Kind::GaussianNoise { std } => write!(f, "Gaussian noise, std {std}"),
            Kind::NoiseOfNorm { norm } => write!(f, "Gaussian noise, norm {norm}"),
            Kind::FoldedNoiseOfNorm { norm } => write!(f, "Gaussian noise, norm {norm}, folded"),
            Kind::Occluded { image: (height, width), lines, columns }
                if lines == (height - height / 2, height) && columns == (0, width) =>
            {
                write!(f, "lower half of {height} x {width} images occluded")
            }
            // Of rows that are no images.
            Kind::Occluded { image: (1, width), columns, .. } => {
                write!(f, "numbers {} to {} of {width} hidden", columns.0, columns.1 - 1)
            }
            Kind::Occluded { image: (height, width), lines, columns } => {
                let (high, wide) = (lines.1 - lines.0, columns.1 - columns.0);
                write!(
                    f,
                    "{high} x {wide} of {height} x {width} images occluded, from row {} and column {}",
                    lines.0, columns.0
                )
            }
        }
    }
}

fn proper(corruption: &'static str, share: f64) -> Result<f64> {
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(Error::argument(Problem::Share { corruption, found: share }))
    }
}

fn proper_norm(norm: f64) -> Result<f64> {
    if (0.0..=f64::from(LARGEST)).contains(&norm) {
        Ok(norm)
    } else {
        Err(Error::argument(Problem::Norm { found: norm }))
    }
}

/// One draw per entry, zero or not, so that the mask does not depend on the pattern. A draw is 32 bits, of
/// which 0.5 looks at the first.
fn mask(query: ArrayViewMut1<'_, f32>, share: f64, factor: f32, rng: &mut ChaCha8Rng) {
    for x in query {
        *x = if uniform(rng) >= share { factor * *x } else { 0.0 };
    }
}

/// Uniform from 0 to 1, by 32 bits.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    f64::from(rng.next_u32()) / 2.0_f64.powi(32)
}

fn add_salt_and_pepper(query: ArrayViewMut1<'_, f32>, share: f64, rng: &mut ChaCha8Rng) {
    for x in query {
        let draw = uniform(rng);
        if draw < 0.5 * share {
            *x = 0.0;
        } else if draw < share {
            *x = 1.0;
        }
    }
}

/// Computed in f64, where no finite input overflows to an undefined value.
fn add_noise(query: ArrayViewMut1<'_, f32>, std: f64, rng: &mut ChaCha8Rng) {
    for x in query {
        let n: f64 = rng.sample(StandardNormal);
        *x = folded(f64::from(*x) + std * n) as f32;
    }
}

fn folded(x: f64) -> f64 {
    x.abs().min(1.0)
}

/// Draws twice from the same stream, so that no noise is held: first its length, then its values.
fn add_direction(
    query: ArrayViewMut1<'_, f32>,
    norm: f64,
    shaped: impl Fn(f64) -> f64,
    rng: &mut ChaCha8Rng,
) {
    let mut again = rng.clone();
    let draw = |rng: &mut ChaCha8Rng| -> f64 { rng.sample(StandardNormal) };
    let length = (0..query.len()).map(|_| draw(rng).powi(2)).sum::<f64>().sqrt();
    // All draws of a row being 0 is an event of probability 0 that leaves the pattern as it is.
    let factor = if length > 0.0 { norm / length } else { 0.0 };
    for x in query {
        *x = shaped(f64::from(*x) + factor * draw(&mut again)) as f32;
    }
}
