//! Why a training ended before its end.

use std::path::Path;

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a training could not start, or ended before its end.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("training: {0}")]
    Configuration(String),
    #[error("samples: {0}")]
    Samples(String),
    #[error("{path}: {problem}")]
    Checkpoint { path: String, problem: String },
    #[error(transparent)]
    File(#[from] uhop_data::Error),
    #[error(transparent)]
    Layer(#[from] crate::Error),
    #[error(
        "the {loss} is {value} at epoch {epoch}, step {step} of {steps}, at rate {rate}; \
         lower the rate, or check the samples for extreme values"
    )]
    NotFinite { loss: &'static str, value: f64, epoch: usize, step: usize, steps: usize, rate: f64 },
}

/// Where a loss was not finite.
pub(super) struct Place {
    pub(super) epoch: usize,
    pub(super) step: usize,
    pub(super) steps: usize,
    pub(super) rate: f64,
}

impl Error {
    /// The input is to be changed: the configuration, the samples, or a file.
    pub fn is_input(&self) -> bool {
        !self.is_not_finite()
    }

    /// The loss became infinite or NaN; the last checkpoint is from before.
    pub fn is_not_finite(&self) -> bool {
        matches!(*self.0, Kind::NotFinite { .. })
    }

    pub(crate) fn configuration(problem: impl Into<String>) -> Self {
        Self(Box::new(Kind::Configuration(problem.into())))
    }

    pub(super) fn samples(problem: impl Into<String>) -> Self {
        Self(Box::new(Kind::Samples(problem.into())))
    }

    pub(super) fn checkpoint(path: &Path, problem: impl Into<String>) -> Self {
        let path = path.display().to_string();
        Self(Box::new(Kind::Checkpoint { path, problem: problem.into() }))
    }

    pub(super) fn not_finite(loss: &'static str, value: f64, place: Place) -> Self {
        let Place { epoch, step, steps, rate } = place;
        Self(Box::new(Kind::NotFinite { loss, value, epoch, step, steps, rate }))
    }
}

impl From<uhop_data::Error> for Error {
    fn from(error: uhop_data::Error) -> Self {
        Self(Box::new(Kind::File(error)))
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        Self(Box::new(Kind::Layer(error)))
    }
}
