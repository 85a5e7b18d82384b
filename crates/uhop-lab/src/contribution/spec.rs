//! The specification of the energy contribution.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::spec::{Beta, Comparison, Contender, Problem, Stage1, check};

/// Which memories, which queries, and whose energy.
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
    /// Memory sets for each size, by the seeds from 0.
    #[serde(deserialize_with = "check::count")]
    pub seeds: usize,
    /// Patterns stored.
    #[serde(deserialize_with = "check::counts")]
    pub n_patterns: Vec<usize>,
    /// Queries of each memory, or as many as it has patterns.
    #[serde(deserialize_with = "check::count")]
    pub n_queries: usize,
    /// β of each.
    #[serde(deserialize_with = "check::positive")]
    pub beta: f64,
    /// The models, of those with an energy E_K: dot products or a feature map, α-entmax.
    #[serde(deserialize_with = "check::some")]
    pub contenders: Vec<Contender>,
    /// How W is learned.
    pub stage1: Stage1,
    /// What is smaller in a quick run.
    pub quick: Quick,
}

/// What is smaller in a quick run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Memory sets for each size.
    #[serde(deserialize_with = "check::count")]
    pub seeds: usize,
    /// Patterns stored.
    #[serde(deserialize_with = "check::counts")]
    pub n_patterns: Vec<usize>,
    /// Steps of Stage I.
    #[serde(deserialize_with = "check::counts")]
    pub steps: Vec<usize>,
}

const SHIPPED: &str = include_str!("../../specs/contribution.toml");

impl Spec {
    /// The specification that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn shipped() -> Result<Self> {
        Self::parse(SHIPPED, "contribution.toml")
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
        let at = |key: &str, problem: String| Problem::at_key(file, text, key, problem);
        if let Some(contender) = spec.contenders.iter().find(|contender| !has_energy(**contender)) {
            let problem = format!("expected dense, sparse, entmax-1.5 or U-Hop, found {contender}");
            return Err(at("contenders", problem).into());
        }
        let sizes = spec.n_patterns.iter().chain(&spec.quick.n_patterns);
        if sizes.copied().min() == Some(1) {
            let problem = "expected at least 2 patterns: one alone has no others".to_owned();
            return Err(at("n_patterns", problem).into());
        }
        Ok(spec)
    }

    /// The same with fewer seeds, patterns and steps.
    pub fn quick(&self) -> Self {
        let Quick { seeds, n_patterns, steps } = self.quick.clone();
        let stage1 = Stage1 { steps, ..self.stage1.clone() };
        Self { seeds, n_patterns, stage1, ..self.clone() }
    }
}

/// Whether its parts are those of E_K, at a β that is given.
fn has_energy(contender: Contender) -> bool {
    contender.parts().is_some_and(|parts| {
        matches!(parts.comparison, Comparison::Dot | Comparison::Features(_))
            && parts.beta == Beta::Free
            && parts.separation.alpha().is_some()
    })
}
