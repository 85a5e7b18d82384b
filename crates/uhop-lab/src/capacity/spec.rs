//! The specification of the capacities.

use serde::{Deserialize, Serialize};
use uhop::capacity::dense_capacity;

use crate::error::Result;
use crate::spec::{Specification, check, shipped};

/// Numbers of the largest array, at most: 256 MB.
const MOST_NUMBERS: f64 = 64e6;

/// Maps at most: with two separations each, and without one, a chart tells as many lines apart.
const MOST_RATIOS: usize = 5;

/// Which memories are filled up, which bounds are evaluated, which codes are sought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name.
    #[serde(deserialize_with = "check::name")]
    pub name: String,
    /// One line for lists and titles.
    #[serde(deserialize_with = "check::title")]
    pub title: String,
    /// What is done and how to read it, for reports.
    pub method: String,
    /// Dimensions of the patterns.
    #[serde(deserialize_with = "check::counts")]
    pub dims: Vec<usize>,
    /// Features of U-Hop, in units of the dimension.
    #[serde(deserialize_with = "check::some")]
    pub feature_ratios: Vec<f64>,
    /// Effective β of every contender.
    #[serde(deserialize_with = "check::some")]
    pub betas: Vec<f64>,
    /// Random memories of each dimension.
    #[serde(deserialize_with = "check::seeds")]
    pub seeds: usize,
    /// Norm of the noise of a query.
    #[serde(deserialize_with = "check::positive")]
    pub noise_norm: f64,
    /// Updates of each query.
    #[serde(deserialize_with = "check::up_to::<_, 10_000>")]
    pub updates: usize,
    /// The cosine from which a pattern is recalled.
    #[serde(deserialize_with = "check::positive")]
    pub cosine: f64,
    /// The share of queries that are to be recalled.
    #[serde(deserialize_with = "check::positive")]
    pub share: f64,
    /// Queries, of the patterns in turn.
    #[serde(deserialize_with = "check::count")]
    pub n_queries: usize,
    /// The largest memory tried.
    #[serde(deserialize_with = "check::count")]
    pub limit: usize,
    /// The bracket of M that is narrow enough, as a share of M.
    #[serde(deserialize_with = "check::positive")]
    pub precision: f64,
    /// How U-Hop learns.
    pub stage1: Descent,
    /// Where Ramsauer's bound is evaluated.
    pub bounds: Vec<Bound>,
    /// The spherical codes.
    pub codes: Codes,
    /// What is smaller in a quick run.
    pub quick: Quick,
}

/// Steps of Adam.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descent {
    /// How many.
    #[serde(deserialize_with = "check::count")]
    pub steps: usize,
    /// Their rate.
    #[serde(deserialize_with = "check::positive")]
    pub rate: f64,
}

/// A place where Ramsauer's bound is evaluated, see [`dense_capacity`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// β.
    pub beta: f64,
    /// K, for patterns of norm K√(d−1).
    pub radius_factor: f64,
    /// d.
    pub dim: usize,
    /// p, the probability that it fails.
    pub failure: f64,
    /// c as printed in the paper, where it is.
    pub printed: Option<f64>,
}

/// How spherical codes in three dimensions are sought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// The codes.
    pub points: Vec<Points>,
    /// Random starts of each.
    #[serde(deserialize_with = "check::seeds")]
    pub starts: usize,
    /// How often t is doubled, the first 2 among them.
    #[serde(deserialize_with = "check::up_to::<_, 64>")]
    pub stages: usize,
    /// Steps at each t.
    #[serde(deserialize_with = "check::count")]
    pub steps: usize,
    /// The rate of Adam times t.
    #[serde(deserialize_with = "check::positive")]
    pub rate: f64,
}

/// A number of points on the sphere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// How many.
    #[serde(deserialize_with = "check::up_to::<_, 1000>")]
    pub n_points: usize,
    /// The smallest angle of the best arrangement, in degrees.
    #[serde(deserialize_with = "check::positive")]
    pub tammes: f64,
}

/// What is smaller in a quick run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Dimensions of the patterns.
    #[serde(deserialize_with = "check::counts")]
    pub dims: Vec<usize>,
    /// Random memories of each.
    #[serde(deserialize_with = "check::seeds")]
    pub seeds: usize,
    /// The largest memory tried.
    #[serde(deserialize_with = "check::count")]
    pub limit: usize,
}

impl Spec {
    /// The specification that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn shipped() -> Result<Self> {
        Self::parse(shipped::CAPACITY, "capacity.toml")
    }

    /// The key of what would take too much memory. The limit of a full run holds for the dimensions of a quick
    /// one as well, and the other way round: either may be the larger one.
    fn too_large(&self) -> Option<(&'static str, String)> {
        let most = |own: &[usize], quick: &[usize]| own.iter().chain(quick).copied().max();
        let dim = most(&self.dims, &self.quick.dims)?;
        let limit = self.limit.max(self.quick.limit);
        let ratio = self.feature_ratios.iter().copied().fold(1.0, f64::max);
        let numbers = |n: usize| n as f64 * dim as f64;
        let sizes = [
            ("dims", "a square of the dimension", numbers(dim)),
            ("feature_ratios", "a map with these features", ratio * numbers(dim)),
            ("limit", "patterns or features of a memory", ratio * numbers(limit)),
            ("n_queries", "queries", ratio * numbers(self.n_queries)),
        ];
        let (key, what, size) = sizes.into_iter().find(|(_, _, size)| *size > MOST_NUMBERS)?;
        Some((key, format!("expected {what} of at most {MOST_NUMBERS} numbers, found {size}")))
    }
}

impl Specification for Spec {
    fn contradiction(&self) -> Option<(&'static str, String)> {
        for (key, values) in [("feature_ratios", &self.feature_ratios), ("betas", &self.betas)] {
            if let Some(wrong) = values.iter().find(|value| !(value.is_finite() && **value > 0.0)) {
                return Some((key, format!("expected a number above 0, found {wrong}")));
            }
        }
        if self.feature_ratios.len() > MOST_RATIOS {
            let found = self.feature_ratios.len();
            return Some((
                "feature_ratios",
                format!("expected at most {MOST_RATIOS}, found {found}"),
            ));
        }
        for (key, value) in [("cosine", self.cosine), ("share", self.share)] {
            if value > 1.0 {
                return Some((key, format!("expected at most 1, found {value}")));
            }
        }
        if let Some(problem) = self.too_large() {
            return Some(problem);
        }
        for &Bound { beta, radius_factor, dim, failure, .. } in &self.bounds {
            if let Err(error) = dense_capacity(beta, radius_factor, dim, failure) {
                return Some(("bounds", error.to_string()));
            }
        }
        let sizes: Vec<usize> = self.codes.points.iter().map(|points| points.n_points).collect();
        if let Some(i) = (1..sizes.len()).find(|&i| sizes[..i].contains(&sizes[i])) {
            return Some(("points", format!("two codes have {} points", sizes[i])));
        }
        let wrong = sizes.iter().find(|&&n| n < 2)?;
        Some(("points", format!("expected at least 2 points, found {wrong}")))
    }

    fn quick(&self) -> Self {
        let Quick { dims, seeds, limit } = self.quick.clone();
        Self { dims, seeds, limit, ..self.clone() }
    }
}
