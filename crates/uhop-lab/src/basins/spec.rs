//! The specification of the plane.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::spec::{Problem, check};

/// Patterns of the plane, the model that stores them, and the grid of states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name.
    #[serde(deserialize_with = "check::name")]
    pub name: String,
    /// One line for lists and titles.
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
    /// Rate of gradient descent on the average loss.
    #[serde(deserialize_with = "check::positive")]
    pub rate: f64,
    /// Cells along a side of the grid.
    #[serde(deserialize_with = "check::count")]
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
    #[serde(deserialize_with = "check::count")]
    pub cells: usize,
}

const SHIPPED: &str = include_str!("../../specs/basins.toml");

impl Spec {
    /// The specification that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn shipped() -> Result<Self> {
        Self::parse(SHIPPED, "basins.toml")
    }

    /// The specification in a file.
    ///
    /// # Errors
    /// [`is_input`](crate::Error::is_input) when it cannot be read or is none; the message names the
    /// file, the line and the key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::read(path, source))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The specification in a text, which errors call `file`.
    ///
    /// # Errors
    /// [`is_input`](crate::Error::is_input) unless it is one.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let spec: Self = toml::from_str(text).map_err(|error| Problem::toml(file, text, &error))?;
        let far = |x: &f64| !x.is_finite() || x.abs() > spec.reach;
        if let Some(pattern) = spec.patterns.iter().find(|pattern| pattern.iter().any(far)) {
            let problem =
                format!("expected patterns within the reach {}, found {pattern:?}", spec.reach);
            return Err(Problem::at_key(file, text, "patterns", problem).into());
        }
        Ok(spec)
    }

    /// The same with fewer cells.
    pub fn quick(&self) -> Self {
        Self { cells: self.quick.cells, ..self.clone() }
    }
}
