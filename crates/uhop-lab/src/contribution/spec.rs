//! The specification of the energy contribution.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::spec::{Beta, Comparison, Contender, Specification, Stage1, check, shipped};

/// Which memories, which queries, and whose energy.
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
    /// Memory sets for each size, by the seeds from 0.
    #[serde(deserialize_with = "check::seeds")]
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
    #[serde(deserialize_with = "check::seeds")]
    pub seeds: usize,
    /// Patterns stored.
    #[serde(deserialize_with = "check::counts")]
    pub n_patterns: Vec<usize>,
    /// Steps of Stage I.
    #[serde(deserialize_with = "check::counts")]
    pub steps: Vec<usize>,
}

impl Spec {
    /// The specification that comes with the program.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn shipped() -> Result<Self> {
        Self::parse(shipped::CONTRIBUTION, "contribution.toml")
    }
}

impl Specification for Spec {
    fn contradiction(&self) -> Option<(&'static str, String)> {
        if let Some(contender) = self.contenders.iter().find(|contender| !has_energy(**contender)) {
            let problem = format!("expected dense, sparse, entmax-1.5 or U-Hop, found {contender}");
            return Some(("contenders", problem));
        }
        if let Some(problem) = self.stage1.contradiction(&self.quick.steps) {
            return Some(problem);
        }
        let sizes = self.n_patterns.iter().chain(&self.quick.n_patterns);
        let problem = "expected at least 2 patterns: one alone has no others";
        (sizes.copied().min() == Some(1)).then(|| ("n_patterns", problem.to_owned()))
    }

    fn quick(&self) -> Self {
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
