//! What is known of the corruption of queries, in the form in which learning needs it.

use ndarray::{Array2, ArrayView2};
use uhop::{Channel, Patterns, Scalar};

use super::{Corruption, CorruptionMix};
use crate::Result;

/// What is known of how queries are corrupted: one corruption, or nothing but the usual mix; for patterns that it was
/// checked with, of either scalar.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use uhop::Patterns;
/// use uhop_data::{Corruption, Damage};
///
/// let patterns = Patterns::new(array![[0.25, 0.5], [1.0, 0.0]])?;
/// let known = Damage::known(Corruption::half_mask(), &patterns)?;
/// assert!(known.channel().is_some());
/// assert_eq!(known.apply(patterns.view(), 7).dim(), (2, 2));
/// assert!(Damage::unknown(&patterns)?.description().starts_with("a mix: "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Damage {
    mix: CorruptionMix,
    description: String,
    channel: Option<Channel>,
}

impl Damage {
    /// This corruption.
    ///
    /// # Errors
    ///
    /// As [`Corruption::channel`] and [`Corruption::apply`] to the patterns.
    pub fn known<T: Scalar>(corruption: Corruption, patterns: &Patterns<T>) -> Result<Self> {
        let channel = Some(corruption.channel(patterns.dim())?);
        let mix = CorruptionMix::new(vec![corruption])?;
        mix.apply(narrowed(patterns.view()).view(), 0)?;
        Ok(Self { mix, description: corruption.to_string(), channel })
    }

    /// The [usual mix](CorruptionMix::usual) of corruptions.
    ///
    /// # Errors
    ///
    /// As [`CorruptionMix::apply`] to the patterns.
    pub fn unknown<T: Scalar>(patterns: &Patterns<T>) -> Result<Self> {
        let rows = narrowed(patterns.view());
        let mix = CorruptionMix::usual(rows.view());
        mix.apply(rows.view(), 0)?;
        Ok(Self { description: format!("a mix: {mix}"), mix, channel: None })
    }

    /// The same in other words.
    #[must_use]
    pub fn described(self, description: String) -> Self {
        Self { description, ..self }
    }

    /// Plain words.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Its likelihood, if it is one corruption.
    pub fn channel(&self) -> Option<&Channel> {
        self.channel.as_ref()
    }

    /// Corrupted copies of rows of the patterns, `[n, dim]`, by a seed.
    ///
    /// # Panics
    ///
    /// For rows that are not among the patterns it was checked with, and cannot be corrupted.
    pub fn apply<T: Scalar>(&self, rows: ArrayView2<'_, T>, seed: u64) -> Array2<T> {
        let copies = self.mix.apply(narrowed(rows).view(), seed).expect(
            "whether rows can be corrupted was found out before, and does not depend on the seed",
        );
        copies.mapv(|x| T::narrow(f64::from(x)))
    }
}

/// Corruptions are of `f32`.
fn narrowed<T: Scalar>(rows: ArrayView2<'_, T>) -> Array2<f32> {
    rows.mapv(|x| x.widen() as f32)
}
