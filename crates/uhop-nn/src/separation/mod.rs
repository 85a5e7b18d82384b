//! From scores to weights inside a layer, with exact gradients.

mod composed;
mod lanes;
mod operation;
mod rows;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};
use uhop::Separation;

use crate::error::{Error, Result};

pub(crate) use composed::Family;
pub(crate) use lanes::exp_f32;

/// How scores become weights: the separations of [`uhop::Separation`], softmax-1, and α-entmax
/// whose α is learned.
///
/// A pattern that is masked has a score of −∞ and a weight of 0; where nothing is left, all weights
/// are 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SeparationConfig {
    /// exp(z_i) / Σ exp(z_j).
    #[default]
    Softmax,
    /// exp(z_i) / (1 + Σ exp(z_j)) (Hu et al. 2024): weights may sum to less than 1.
    SoftmaxOne,
    /// \[z_i − τ\]₊, α-entmax of α = 2.
    Sparsemax,
    /// \[(α−1)z_i − τ\]₊^(1/(α−1)); 1.5-entmax is α = 1.5.
    Entmax {
        /// α ≥ 1.
        alpha: f64,
    },
    /// α-entmax with an α for each head, learned: α = 1 + sigmoid(a), between 1 and 2.
    LearnedEntmax {
        /// α at the start, above 1 and below 2.
        alpha: f64,
    },
    /// γ-normmax.
    Normmax {
        /// γ > 1.
        gamma: f64,
    },
    /// Softmax of the k largest scores; of fewer scores, softmax of all.
    TopK {
        /// k ≥ 1.
        k: usize,
    },
    /// \[z_i\]₊ⁿ / Σ \[z_j\]₊ⁿ.
    Polynomial {
        /// n ≥ 1.
        degree: u32,
    },
}

/// A separation with what of it is learned.
#[derive(Module, Debug)]
pub struct Separator {
    /// a of α = 1 + sigmoid(a), `[n_heads]`, if α is learned.
    pub raw_alpha: Option<Param<Tensor<1>>>,
    #[module(skip)]
    config: SeparationConfig,
}

impl SeparationConfig {
    pub(crate) fn init(self, n_heads: usize, device: &Device) -> Result<Separator> {
        let raw_alpha = match self {
            Self::LearnedEntmax { alpha } => {
                if !(alpha > 1.0 && alpha < 2.0) {
                    let problem = format!(
                        "alpha starts at {alpha}; a learned alpha must be above 1 and below 2"
                    );
                    return Err(Error::configuration("separation", problem));
                }
                let raw = ((alpha - 1.0) / (2.0 - alpha)).ln();
                Some(Param::from_tensor(Tensor::full([n_heads], raw, device)))
            }
            _ => {
                self.family()?;
                None
            }
        };
        Ok(Separator { raw_alpha, config: self })
    }

    /// The fixed separation that this is; for a learned α nothing is known of it yet.
    fn family(self) -> Result<Family> {
        Ok(match self {
            Self::Softmax => Family::Softmax,
            Self::SoftmaxOne => Family::SoftmaxOne,
            Self::Sparsemax => Family::Entmax(2.0),
            Self::Entmax { alpha: 1.0 } => Family::Softmax,
            Self::Entmax { alpha } => {
                Separation::entmax(alpha)?;
                Family::Entmax(alpha)
            }
            Self::LearnedEntmax { alpha } => Family::Entmax(alpha),
            Self::Normmax { gamma } => {
                Separation::normmax(gamma)?;
                Family::Normmax(gamma)
            }
            Self::TopK { k } => {
                Separation::top_k(k)?;
                Family::TopK(k)
            }
            Self::Polynomial { degree } => {
                Separation::polynomial(degree)?;
                Family::Polynomial(degree)
            }
        })
    }
}

impl Separator {
    /// α of each head, `[n_heads]`, if it is learned.
    pub fn alpha(&self) -> Option<Tensor<1>> {
        self.raw_alpha.as_ref().map(|raw| activation::sigmoid(raw.val()) + 1.0)
    }

    /// The weights of scores, both `[batch, n_heads, n_states, n_patterns]`, along the last axis; a score
    /// of −∞ is a pattern that is left out.
    ///
    /// On the CPU, in `f32` and `f64`, by one operation with its own gradient; elsewhere
    /// [`composed`](Self::composed).
    pub fn forward(&self, scores: Tensor<4>) -> Tensor<4> {
        if !operation::takes(&scores) {
            return self.composed(scores);
        }
        match self.alpha() {
            Some(alpha) => operation::entmax_of_heads(scores, alpha),
            None => operation::weights(scores, self.family()),
        }
    }

    /// The same weights as [`forward`](Self::forward), composed of tensor operations, whose gradients
    /// are automatic: for any backend, and slow.
    pub fn composed(&self, scores: Tensor<4>) -> Tensor<4> {
        match self.alpha() {
            Some(alpha) => composed::entmax_of_heads(scores, alpha),
            None => composed::weights(scores, self.family()),
        }
    }

    fn family(&self) -> Family {
        self.config.family().expect("checked by init")
    }
}
