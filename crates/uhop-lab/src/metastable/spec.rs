//! The specification of the metastable states.

use std::fmt;

use serde::{Deserialize, Serialize};
use uhop::Separation;

use crate::error::Result;
use crate::spec::{Specification, check, shipped};

/// Which memories come to rest where, and what is counted.
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
    #[serde(deserialize_with = "check::up_to::<_, 10_000>")]
    pub steps: usize,
    /// The largest size that is counted by itself.
    #[serde(deserialize_with = "check::up_to::<_, 100>")]
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

impl Spec {
    /// The specification that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn shipped() -> Result<Self> {
        Self::parse(shipped::METASTABLE, "metastable.toml")
    }
}

impl Specification for Spec {
    fn contradiction(&self) -> Option<(&'static str, String)> {
        if let Some(error) = self.separations.iter().find_map(|rule| rule.separation().err()) {
            return Some(("separations", error.to_string()));
        }
        let n_patterns = self.n_patterns.min(self.quick.n_patterns);
        if self.sizes > n_patterns {
            let problem =
                format!("expected at most the patterns, {n_patterns}, found {}", self.sizes);
            return Some(("sizes", problem));
        }
        let wrong = self.betas.iter().find(|beta| !(beta.is_finite() && **beta > 0.0))?;
        Some(("betas", format!("expected a number above 0, found {wrong}")))
    }

    fn quick(&self) -> Self {
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
