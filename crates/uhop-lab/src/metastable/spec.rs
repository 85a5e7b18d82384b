//! The specification of the metastable states.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uhop::Separation;

use crate::error::{Error, Result};
use crate::spec::{Problem, check};

/// Which memories come to rest where, and what is counted.
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
    /// The separations compared.
    #[serde(deserialize_with = "check::some")]
    pub separations: Vec<Rule>,
    /// The β of each.
    #[serde(deserialize_with = "check::some")]
    pub betas: Vec<f64>,
    /// Patterns stored, or as many as there are.
    #[serde(deserialize_with = "check::count")]
    pub n_patterns: usize,
    /// Queries, or as many as there are.
    #[serde(deserialize_with = "check::count")]
    pub n_queries: usize,
    /// Updates of each.
    #[serde(deserialize_with = "check::count")]
    pub steps: usize,
    /// The largest size that is counted by itself.
    #[serde(deserialize_with = "check::count")]
    pub sizes: usize,
    /// The weight above which a pattern counts where weights are never 0.
    #[serde(deserialize_with = "check::positive")]
    pub threshold: f64,
    /// What is smaller in a quick run.
    pub quick: Quick,
}

/// A separation by its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// α-entmax.
    Entmax {
        /// α.
        alpha: f64,
    },
    /// γ-normmax.
    Normmax {
        /// γ.
        gamma: f64,
    },
}

/// What is smaller in a quick run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Patterns stored.
    #[serde(deserialize_with = "check::count")]
    pub n_patterns: usize,
    /// Queries.
    #[serde(deserialize_with = "check::count")]
    pub n_queries: usize,
}

const SHIPPED: &str = include_str!("../../specs/metastable.toml");

impl Spec {
    /// The specification that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn shipped() -> Result<Self> {
        Self::parse(SHIPPED, "metastable.toml")
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
        for rule in &spec.separations {
            rule.separation().map_err(|error| at("separations", error.to_string()))?;
        }
        if let Some(beta) = spec.betas.iter().find(|beta| !(beta.is_finite() && **beta > 0.0)) {
            return Err(at("betas", format!("expected a number above 0, found {beta}")).into());
        }
        Ok(spec)
    }

    /// The same with fewer patterns and queries.
    pub fn quick(&self) -> Self {
        let Quick { n_patterns, n_queries } = self.quick;
        Self { n_patterns, n_queries, ..self.clone() }
    }
}

impl Rule {
    pub(super) fn separation(self) -> uhop::Result<Separation> {
        match self {
            Self::Entmax { alpha } => Separation::entmax(alpha),
            Self::Normmax { gamma } => Separation::normmax(gamma),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entmax { alpha: 1.0 } => f.write_str("softmax"),
            Self::Entmax { alpha: 2.0 } => f.write_str("sparsemax"),
            Self::Entmax { alpha } => write!(f, "{alpha}-entmax"),
            Self::Normmax { gamma } => write!(f, "{gamma}-normmax"),
        }
    }
}
