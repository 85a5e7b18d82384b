//! How a classifier is trained: plain values, serialisable.

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use crate::SeparationLoss;

/// The most passes over the samples that a training may ask for, and the most inner steps before one of them: the
/// plan of all passes is in memory.
pub const MOST_EPOCHS: usize = 100_000;

const INNER_STEPS: &str = "the number of inner steps";

/// How a classifier is trained.
///
/// ```
/// use uhop_nn::train::TrainingConfig;
///
/// let config = TrainingConfig::default();
/// let text = serde_json::to_string(&config)?;
/// assert_eq!(serde_json::from_str::<TrainingConfig>(&text)?, config);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the samples on the task loss, from 1.
    pub epochs: usize,
    /// Samples that a step sees, from 1; the last of a pass sees what is left.
    pub batch_size: usize,
    /// How gradients of the task loss become steps.
    pub optimizer: OptimizerConfig,
    /// How its rate changes over the epochs.
    pub schedule: Schedule,
    /// How and when the separation loss is made small.
    pub stage1: Stage1,
}

/// A rule and its rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The rule.
    pub rule: Rule,
    /// Its rate at the start, above 0.
    pub rate: f64,
}

/// Adam (Kingma and Ba 2015) with β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸, or one with decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Without decay.
    Adam,
    /// Weights shrink by rate·decay in each step, beside Adam's (Loshchilov and Hutter 2019).
    AdamW {
        /// The decay, from 0.
        weight_decay: f64,
    },
}

/// The rate of epoch e of E, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// rate.
    Constant,
    /// rate·½(1 + cos(π e/E)).
    Cosine,
}

/// How and when the separation loss is made small: the inner steps of Algorithm 2.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage1 {
    /// Never.
    Off,
    /// In passes over the samples before the first epoch.
    Before {
        /// Their number, from 1.
        epochs: usize,
        /// What a step is.
        inner: Inner,
    },
    /// By steps before each of the first epochs.
    Alternating {
        /// Steps before an epoch, from 1.
        steps: usize,
        /// How many epochs have them.
        epochs: usize,
        /// What a step is.
        inner: Inner,
    },
    /// As many steps of batches of that size on the task loss in their place: what a model without a
    /// feature map gets where numbers of updates are to be equal.
    Task {
        /// Steps before an epoch, from 1.
        steps: usize,
        /// How many epochs have them.
        epochs: usize,
        /// Samples that a step sees, from 1.
        batch_size: usize,
    },
}

/// An inner step: gradient descent on the separation loss of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inner {
    /// Samples that a step sees, from 1.
    pub batch_size: usize,
    /// The rate, above 0.
    pub rate: f64,
    /// The loss over the stored patterns of each sample.
    pub loss: SeparationLoss,
    /// Which parameters move.
    pub moves: Moves,
}

/// Which parameters an inner step moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moves {
    /// The feature maps, as Algorithm 2 says.
    FeatureMaps,
    /// All that the loss has a gradient for, the embedding included, as the released code does.
    Everything,
}

impl Default for TrainingConfig {
    /// Ten epochs of Adam at 10⁻³ with the cosine schedule, batches of 128, no separation loss.
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            optimizer: OptimizerConfig { rule: Rule::Adam, rate: 1e-3 },
            schedule: Schedule::Cosine,
            stage1: Stage1::Off,
        }
    }
}

impl TrainingConfig {
    /// Passes over the samples, those of [`Stage1::Before`] included.
    pub fn n_passes(&self) -> usize {
        match self.stage1 {
            Stage1::Before { epochs, .. } => self.epochs.saturating_add(epochs),
            Stage1::Off | Stage1::Alternating { .. } | Stage1::Task { .. } => self.epochs,
        }
    }

    /// The rate of a task epoch, counted from 0.
    pub(super) fn rate(&self, epoch: usize) -> f64 {
        let rate = self.optimizer.rate;
        match self.schedule {
            Schedule::Constant => rate,
            Schedule::Cosine => {
                let turn = std::f64::consts::PI * epoch as f64 / self.epochs as f64;
                rate * 0.5 * (1.0 + turn.cos())
            }
        }
    }

    /// What a training refuses before anything is computed.
    ///
    /// ```
    /// use uhop_nn::train::{OptimizerConfig, Rule, TrainingConfig};
    ///
    /// let optimizer = OptimizerConfig { rule: Rule::Adam, rate: 0.0 };
    /// let error = TrainingConfig { optimizer, ..TrainingConfig::default() }.check().unwrap_err();
    /// assert!(error.to_string().ends_with("rate is 0; it must be above 0"));
    /// ```
    ///
    /// # Errors
    /// For counts of 0; for more passes or inner steps than [`MOST_EPOCHS`]; for rates and t that are not finite and above 0; for a decay that is not finite
    /// and 0 or above.
    pub fn check(&self) -> Result<()> {
        let count = |name, n: usize| match n {
            0 => Err(Error::configuration(format!("{name} is 0; it must be at least 1"))),
            _ => Ok(()),
        };
        let bounded = |name, n: usize| match n {
            1..=MOST_EPOCHS => Ok(()),
            _ => {
                let problem = format!("{name} is {n}; it must be from 1 to {MOST_EPOCHS}");
                Err(Error::configuration(problem))
            }
        };
        bounded("epochs", self.epochs)?;
        count("batch_size", self.batch_size)?;
        self.optimizer.check()?;
        let (name, steps, batch_size) = match self.stage1 {
            Stage1::Off => return Ok(()),
            Stage1::Before { epochs, inner } => ("epochs of Stage I", epochs, inner.batch_size),
            Stage1::Alternating { steps, inner, .. } => (INNER_STEPS, steps, inner.batch_size),
            Stage1::Task { steps, batch_size, .. } => (INNER_STEPS, steps, batch_size),
        };
        bounded(name, steps)?;
        count("the batch_size of inner steps", batch_size)?;
        match self.stage1.inner() {
            Some(inner) => {
                positive("the rate of inner steps", inner.rate)?;
                positive("t of the separation loss", inner.loss.t)
            }
            None => Ok(()),
        }
    }
}

fn positive(name: &str, x: f64) -> Result<()> {
    match x.is_finite() && x > 0.0 {
        false => Err(Error::configuration(format!("{name} is {x}; it must be above 0"))),
        true => Ok(()),
    }
}

impl OptimizerConfig {
    fn check(&self) -> Result<()> {
        positive("rate", self.rate)?;
        match self.rule {
            Rule::AdamW { weight_decay } if !(weight_decay.is_finite() && weight_decay >= 0.0) => {
                let problem = format!("weight_decay is {weight_decay}; it must be 0 or above");
                Err(Error::configuration(problem))
            }
            Rule::Adam | Rule::AdamW { .. } => Ok(()),
        }
    }
}

impl Stage1 {
    /// What a step on the separation loss is, where there are such.
    pub fn inner(&self) -> Option<Inner> {
        match *self {
            Self::Before { inner, .. } | Self::Alternating { inner, .. } => Some(inner),
            Self::Off | Self::Task { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_schedule_starts_at_the_rate_and_is_half_of_it_midway() {
        let config = TrainingConfig { epochs: 10, ..TrainingConfig::default() };
        assert_eq!(config.rate(0), 1e-3);
        // cos(π/2) is rounded.
        assert!((config.rate(5) - 5e-4).abs() < 1e-3 * f64::EPSILON);
        assert!((1..10).all(|epoch| config.rate(epoch) < config.rate(epoch - 1)));
        let constant = TrainingConfig { schedule: Schedule::Constant, ..config };
        assert_eq!(constant.rate(9), 1e-3);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let good = TrainingConfig::default();
        assert!(good.check().is_ok());
        let loss = SeparationLoss::average();
        let inner = Inner { batch_size: 8, rate: 0.0, loss, moves: Moves::FeatureMaps };
        let optimizer = |rule, rate| OptimizerConfig { rule, rate };
        let adamw = Rule::AdamW { weight_decay: -1.0 };
        for (config, named) in [
            (TrainingConfig { epochs: 0, ..good.clone() }, "epochs is 0"),
            (
                TrainingConfig { epochs: 100_001, ..good.clone() },
                "epochs is 100001; it must be from 1 to 100000",
            ),
            (TrainingConfig { epochs: usize::MAX, ..good.clone() }, "from 1 to 100000"),
            (
                TrainingConfig {
                    stage1: Stage1::Before { epochs: usize::MAX, inner },
                    ..good.clone()
                },
                "epochs of Stage I is 18446744073709551615; it must be from 1 to 100000",
            ),
            (
                TrainingConfig {
                    stage1: Stage1::Alternating { steps: usize::MAX, epochs: 1, inner },
                    ..good.clone()
                },
                "the number of inner steps is 18446744073709551615",
            ),
            (TrainingConfig { batch_size: 0, ..good.clone() }, "batch_size is 0"),
            (TrainingConfig { optimizer: optimizer(Rule::Adam, f64::NAN), ..good.clone() }, "NaN"),
            (TrainingConfig { optimizer: optimizer(adamw, 0.1), ..good.clone() }, "weight_decay"),
            (
                TrainingConfig { stage1: Stage1::Before { epochs: 1, inner }, ..good.clone() },
                "the rate of inner steps is 0",
            ),
            (
                TrainingConfig {
                    stage1: Stage1::Task { steps: 0, epochs: 1, batch_size: 1 },
                    ..good.clone()
                },
                "the number of inner steps is 0",
            ),
        ] {
            let error = config.check().unwrap_err();
            assert!(error.is_input() && error.to_string().contains(named), "{error}");
        }
    }
}
