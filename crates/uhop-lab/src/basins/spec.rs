//! The specification of the plane.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::spec::{Specification, check, shipped};

/// Cells along a side, at most: every cell of every landscape is a row.
const MOST_CELLS: usize = 512;
/// Numbers of steps, at most; there are two landscapes for each.
const MOST_MAPS: usize = 8;

/// Patterns of the plane, the model that stores them, and the grid of states.
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
    /// The patterns.
    #[serde(deserialize_with = "check::some")]
    pub patterns: Vec<[f64; 2]>,
    /// α of the separation.
    pub alpha: f64,
    /// β.
    #[serde(deserialize_with = "check::positive")]
    pub beta: f64,
    /// Steps of Stage I; W is used after each of these numbers.
    #[serde(deserialize_with = "check::counts")]
    pub steps: Vec<usize>,
    /// Seed of the random W that Stage I starts from beside the identity.
    #[serde(deserialize_with = "check::seed")]
    pub seed: u64,
    /// Rate of gradient descent on the average loss.
    #[serde(deserialize_with = "check::positive")]
    pub rate: f64,
    /// Cells along a side of the grid.
    #[serde(deserialize_with = "check::up_to::<_, MOST_CELLS>")]
    pub cells: usize,
    /// How far the grid reaches from the origin.
    #[serde(deserialize_with = "check::positive")]
    pub reach: f64,
    /// Updates of a state at most.
    #[serde(deserialize_with = "check::count")]
    pub updates: usize,
    /// The change at which a state rests.
    #[serde(deserialize_with = "check::positive")]
    pub tolerance: f64,
    /// How near to a pattern a state rests at it.
    #[serde(deserialize_with = "check::positive")]
    pub radius: f64,
    /// What is smaller in a quick run.
    pub quick: Quick,
}

/// What is smaller in a quick run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Cells along a side of the grid.
    #[serde(deserialize_with = "check::up_to::<_, MOST_CELLS>")]
    pub cells: usize,
}

impl Spec {
    /// The specification that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn shipped() -> Result<Self> {
        Self::parse(shipped::BASINS, "basins.toml")
    }
}

impl Specification for Spec {
    fn contradiction(&self) -> Option<(&'static str, String)> {
        if self.steps.len() > MOST_MAPS {
            let problem = format!("expected at most {MOST_MAPS}, found {}", self.steps.len());
            return Some(("steps", problem));
        }
        if self.patterns.len() < 2 {
            return Some((
                "patterns",
                "expected at least 2, for a loss of pairs, found 1".to_owned(),
            ));
        }
        let far = |x: &f64| !x.is_finite() || x.abs() > self.reach;
        let pattern = self.patterns.iter().find(|pattern| pattern.iter().any(far))?;
        let problem =
            format!("expected patterns within the reach {}, found {pattern:?}", self.reach);
        Some(("patterns", problem))
    }

    fn quick(&self) -> Self {
        Self { cells: self.quick.cells, ..self.clone() }
    }
}
