//! What the similarity of a memory was chosen from, as the description has it.

use serde::{Deserialize, Serialize};

use crate::choice::{Candidate, Tried};
use crate::error::{Error, Result};

/// What the similarity of a saved memory was chosen from by [`choose`](crate::choose). It is a record: it stays when
/// patterns come and go.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The corruption, in words.
    pub corruption: String,
    /// The seed of the copies.
    pub seed: u64,
    /// Everything tried, the best first.
    pub tried: Vec<Tried>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionParts {
    corruption: String,
    seed: u64,
    tried: Vec<TriedParts>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TriedParts {
    similarity: CandidateKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ridge: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    beta: f64,
    error: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CandidateKind {
    Dot,
    Cosine,
    Euclidean,
    Manhattan,
    Whitened,
    Channel,
    Denoised,
}

impl DecisionParts {
    pub(super) fn of(decision: &Decision) -> Self {
        let Decision { corruption, seed, tried } = decision;
        let tried = tried.iter().map(TriedParts::of).collect();
        Self { corruption: corruption.clone(), seed: *seed, tried }
    }

    pub(super) fn build(&self) -> Result<Decision> {
        let tried = self.tried.iter().map(TriedParts::build).collect::<Result<_>>()?;
        Ok(Decision { corruption: self.corruption.clone(), seed: self.seed, tried })
    }
}

impl TriedParts {
    fn of(&Tried { what, beta, error }: &Tried) -> Self {
        let (similarity, ridge, steps) = match what {
            Candidate::Dot => (CandidateKind::Dot, None, None),
            Candidate::Cosine => (CandidateKind::Cosine, None, None),
            Candidate::Euclidean => (CandidateKind::Euclidean, None, None),
            Candidate::Manhattan => (CandidateKind::Manhattan, None, None),
            Candidate::Whitened { ridge } => (CandidateKind::Whitened, Some(ridge), None),
            Candidate::Channel => (CandidateKind::Channel, None, None),
            Candidate::Denoised { steps } => (CandidateKind::Denoised, None, Some(steps)),
        };
        Self { similarity, ridge, steps, beta, error }
    }

    fn build(&self) -> Result<Tried> {
        let what = match (self.similarity, self.ridge, self.steps) {
            (CandidateKind::Dot, None, None) => Candidate::Dot,
            (CandidateKind::Cosine, None, None) => Candidate::Cosine,
            (CandidateKind::Euclidean, None, None) => Candidate::Euclidean,
            (CandidateKind::Manhattan, None, None) => Candidate::Manhattan,
            (CandidateKind::Whitened, Some(ridge), None) => Candidate::Whitened { ridge },
            (CandidateKind::Channel, None, None) => Candidate::Channel,
            (CandidateKind::Denoised, None, Some(steps)) => Candidate::Denoised { steps },
            _ => {
                let what = "its choice has a similarity with parameters that are not its own";
                return Err(Error::malformed(what.to_owned()));
            }
        };
        Ok(Tried { what, beta: self.beta, error: self.error })
    }
}
