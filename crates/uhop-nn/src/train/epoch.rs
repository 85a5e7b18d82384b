//! What is measured of an epoch.

use serde::{Deserialize, Serialize};

/// What was measured of an epoch.
///
/// Losses are means over samples; accuracies are shares of samples, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Which stage it is of.
    pub stage: Stage,
    /// Its number within the stage, from 1.
    pub epoch: usize,
    /// The separation loss before each inner step, their mean.
    pub separation_loss: Option<f64>,
    /// Cross-entropy of the training samples, each before the step that it is in.
    pub train_loss: Option<f64>,
    /// Accuracy on them, likewise.
    pub train_accuracy: Option<f64>,
    /// Cross-entropy of the test samples after the epoch.
    pub test_loss: Option<f64>,
    /// Accuracy on them.
    pub test_accuracy: Option<f64>,
    /// Rate of the optimizer, or of the inner steps where there are only these.
    pub rate: f64,
    /// Steps on the task loss so far.
    pub task_updates: u64,
    /// Steps on the separation loss so far.
    pub separation_updates: u64,
    /// Time it took. The only number that differs between runs.
    pub seconds: f64,
}

/// What an epoch is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Stage I before the training: steps on the separation loss alone.
    Separation,
    /// A pass on the task loss, after inner steps if there are any.
    Task,
}

impl Stage {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Separation => "separation",
            Self::Task => "task",
        }
    }
}

/// Sums over what an epoch has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) separation_loss: f64,
    pub(super) separation_steps: u64,
    pub(super) loss: f64,
    pub(super) correct: u64,
    pub(super) samples: u64,
    pub(super) seconds: f64,
}

impl Sums {
    pub(super) fn separation_loss(&self) -> Option<f64> {
        (self.separation_steps > 0).then(|| self.separation_loss / self.separation_steps as f64)
    }

    pub(super) fn loss(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.loss / self.samples as f64)
    }

    pub(super) fn accuracy(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.correct as f64 / self.samples as f64)
    }
}
