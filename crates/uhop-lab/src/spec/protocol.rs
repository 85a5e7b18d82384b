//! How contenders are run: with which published defects, and by which β.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::check;
use super::contender::Contender;

/// A way of running every contender.
///
/// Without defects and tuning it is Algorithm 1 of the paper at the β of the specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Its name in rows, such as `published`.
    #[serde(deserialize_with = "check::name")]
    pub name: String,
    /// What it does as the released code does.
    #[serde(default, deserialize_with = "check::distinct")]
    pub defects: Vec<Defect>,
    /// The contenders that it leaves out.
    #[serde(default, deserialize_with = "check::distinct")]
    pub without: Vec<Contender>,
    /// How β is chosen, if not by the specification.
    #[serde(default)]
    pub tuned: Option<Tuning>,
}

impl Protocol {
    pub(crate) fn has(&self, defect: Defect) -> bool {
        self.defects.contains(&defect)
    }
}

/// Where the released retrieval code departs from the paper, one switch each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Defect {
    /// Distances are scores as they are, so that the farthest pattern weighs most.
    DistancesNotNegated,
    /// β multiplies the weights in place of the scores.
    BetaOutside,
    /// The polynomial's weights are not divided by their sum.
    PolynomialNotNormalised,
    /// Stage I sees the first half of the stored patterns.
    HalfOfMemoriesTrained,
    /// The rate of the average loss is divided by √(i+1) after step i, again and again.
    DecayingRate,
    /// The rows of W are left as learned.
    RowsNotNormalised,
    /// Both sides are clamped to 0..1 before the error is taken.
    ErrorClamped,
}

/// β chosen by the error on queries of another seed of the corruption (an occlusion makes the same of every seed): from
/// a grid, which goes on beyond both its ends, in the same ratio, for as long as the error does not rise, or all the way
/// if β → 0 or β → ∞ has the least. A grid of one β gives that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// The smallest β of the grid.
    #[serde(deserialize_with = "check::positive")]
    pub from: f64,
    /// The largest β of the grid.
    #[serde(deserialize_with = "check::positive")]
    pub to: f64,
    /// How many β, equally spaced in their logarithm.
    #[serde(deserialize_with = "check::up_to::<_, 1000>")]
    pub points: usize,
    /// How many patterns are queried for it, at most.
    #[serde(deserialize_with = "check::count")]
    pub queries: usize,
}

impl Tuning {
    /// The grid, from the smallest.
    pub(crate) fn grid(&self) -> Vec<f64> {
        let last = self.points.saturating_sub(1).max(1) as f64;
        let (from, to) = (self.from.ln(), self.to.ln());
        (0..self.points).map(|i| (from + (to - from) * i as f64 / last).exp()).collect()
    }
}

impl Defect {
    /// What it is, for a report.
    pub(crate) fn means(self) -> &'static str {
        match self {
            Self::DistancesNotNegated => {
                "distances are scores as they are, so that the farthest pattern weighs most"
            }
            Self::BetaOutside => "β multiplies the weights in place of the scores",
            Self::PolynomialNotNormalised => {
                "the polynomial's weights are not divided by their sum"
            }
            Self::HalfOfMemoriesTrained => "Stage I sees the first half of the stored patterns",
            Self::DecayingRate => {
                "the rate of the average loss is divided by √(i+1) after step i, again and again"
            }
            Self::RowsNotNormalised => "the rows of W are left as learned",
            Self::ErrorClamped => {
                "recalled and stored images are clamped to 0 to 1 before the error is taken, the query's own too"
            }
        }
    }
}

/// The name that specifications use.
impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
