//! What is done to the queries, and at which levels.

use std::fmt;

use serde::{Deserialize, Serialize};
use uhop_data::Corruption;

use super::check;

/// A kind of corruption, by the name that specifications and rows give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CorruptionKind {
    /// Each number set to 0 with probability 1/2, the others doubled; one level, the share 0.5.
    HalfMask,
    /// Gaussian noise whose standard deviation is the level, folded and clamped: min(|x+n|, 1).
    GaussianStd,
    /// Gaussian noise whose Euclidean norm is the level.
    GaussianNorm,
    /// The same, folded and clamped, as in the released script of the max loss.
    FoldedNorm,
    /// The lower half of each image set to 0; one level, the share 0.5.
    OccludedHalf,
    /// Numbers set to 0, as many as the level says, a share; the others as they were.
    Mask,
    /// Numbers set to 0 or 1, as likely, as many as the level says, a share.
    SaltAndPepper,
}

/// A corruption and the levels at which it is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorruptionSpec {
    /// What is done.
    pub kind: CorruptionKind,
    /// How much of it, where there is a choice.
    #[serde(default, deserialize_with = "check::levels")]
    pub levels: Vec<f64>,
}

/// The share of numbers that the kinds without a choice remove.
const HALF: [f64; 1] = [0.5];

impl CorruptionSpec {
    /// The levels to try, at least one of a valid specification.
    pub(crate) fn levels(&self) -> &[f64] {
        if self.kind.has_levels() { &self.levels } else { &HALF }
    }

    /// Why these levels do not suit this kind.
    pub(super) fn problem(&self) -> Option<String> {
        let outside = |&&level: &&f64| self.kind.is_share() && !(level > 0.0 && level < 1.0);
        if let Some(level) = self.levels.iter().find(outside) {
            return Some(format!("{} needs shares between 0 and 1, found {level}", self.kind));
        }
        match (self.kind.has_levels(), self.levels.is_empty()) {
            (true, true) => Some(format!("{} needs levels, such as levels = [0.5, 1]", self.kind)),
            (false, false) => Some(format!("{} has no levels; leave them out", self.kind)),
            _ => None,
        }
    }
}

impl CorruptionKind {
    fn has_levels(self) -> bool {
        matches!(self, Self::GaussianStd | Self::GaussianNorm | Self::FoldedNorm) || self.is_share()
    }

    /// Whether a level is the share of numbers that are lost.
    fn is_share(self) -> bool {
        matches!(self, Self::Mask | Self::SaltAndPepper)
    }

    /// The corruption at a level, of images `[height, width]` where `width` counts every number of
    /// a line.
    pub(crate) fn at(
        self,
        level: f64,
        (height, width): (usize, usize),
    ) -> uhop_data::Result<Corruption> {
        match self {
            Self::HalfMask => Ok(Corruption::half_mask()),
            Self::GaussianStd => Corruption::gaussian_noise(level),
            Self::GaussianNorm => Corruption::noise_of_norm(level),
            Self::FoldedNorm => Corruption::folded_noise_of_norm(level),
            Self::OccludedHalf => Corruption::occluded_half(height, width),
            Self::Mask => Corruption::mask(level),
            Self::SaltAndPepper => Corruption::salt_and_pepper(level),
        }
    }
}

/// The name that specifications and rows use.
impl fmt::Display for CorruptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
