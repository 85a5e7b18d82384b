//! The JSON description in a file: tagged, versioned, and refused when not understood.
//!
//! The types here are the format; what they describe is built through the checked constructors of
//! the library, so that a file cannot hold what a program could not make.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::channel::ChannelParts;
use super::decision::{Decision, DecisionParts};
use super::tensors::{Record, Tensor, digest};
use super::{Learning, SavedMemory};
use crate::error::{Error, Result, positive};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::separation::{self, Separation};
use crate::similarity::Similarity;
use crate::stage1::{
    Batches, Denoising, Features, HeldOut, Optimizer, OptimizerKind as Rule, Over, Params,
    Schedule, SeparationLoss, StopReason,
};

/// The version this program writes, and the latest it reads.
const VERSION: u64 = 3;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    version: u64,
    created_by: String,
    model: ModelParts,
    stage1: Option<Stage1>,
    /// Since version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    choice: Option<DecisionParts>,
    pub(super) tensors: BTreeMap<String, Record>,
    /// Digest of this text with these digits replaced by zeros.
    sha256: String,
}

const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelParts {
    similarity: SimilarityKind,
    /// When the similarity is that of a channel, since version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelParts>,
    separation: SeparationKind,
    beta: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SimilarityKind {
    Dot,
    Cosine,
    Euclidean,
    Manhattan,
    /// With the feature map in the tensor `feature_map.weight`.
    Kernel,
    /// With the maps in the tensors `asymmetric_map.keys` and `.queries`, and perhaps `.bias`. Since
    /// version 3.
    Asymmetric,
    /// With its parameters in `channel`. Since version 3.
    Channel,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "kind")]
enum SeparationKind {
    Entmax {
        alpha: f64,
    },
    /// Since version 2.
    Normmax {
        gamma: f64,
    },
    TopK {
        k: usize,
    },
    Polynomial {
        degree: u32,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "loss")]
enum Stage1 {
    Average(SeparationParts),
    Max(SeparationParts),
    /// Since version 3.
    Whitening(WhiteningParts),
    /// Since version 3.
    Denoising(DenoisingParts),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhiteningParts {
    ridge: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DenoisingParts {
    optimizer: OptimizerKind,
    max_steps: usize,
    n_queries: usize,
    seed: u64,
    losses: Vec<f64>,
    stop: StopKind,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeparationParts {
    unit_features: bool,
    t: f64,
    optimizer: OptimizerKind,
    max_steps: usize,
    tolerance: Option<f64>,
    /// Since version 2.
    #[serde(default)]
    batches: Option<BatchesParts>,
    normalize_rows: bool,
    seed: Option<u64>,
    losses: Vec<f64>,
    /// Since version 2.
    #[serde(default)]
    held_out: Vec<HeldOutParts>,
    stop: StopKind,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchesParts {
    size: usize,
    seed: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldOutParts {
    step: usize,
    loss: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "kind")]
enum OptimizerKind {
    GradientDescent { rate: f64 },
    PublishedDecay { rate: f64 },
    Adam { rate: f64 },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StopKind {
    Converged,
    MaxSteps,
    Observer,
}

impl Description {
    pub(super) fn of<T: Scalar>(saved: &SavedMemory<T>, tensors: &[(&str, Tensor<'_>)]) -> Self {
        let model = saved.memory.model();
        let tensors = tensors.iter().map(|(name, tensor)| (name.to_string(), tensor.record()));
        Self {
            version: VERSION,
            created_by: format!("uhop {}", env!("CARGO_PKG_VERSION")),
            model: ModelParts {
                similarity: match model.similarity() {
                    Similarity::Dot => SimilarityKind::Dot,
                    Similarity::Cosine => SimilarityKind::Cosine,
                    Similarity::Euclidean => SimilarityKind::Euclidean,
                    Similarity::Manhattan => SimilarityKind::Manhattan,
                    Similarity::Kernel(_) => SimilarityKind::Kernel,
                    Similarity::Asymmetric(_) => SimilarityKind::Asymmetric,
                    Similarity::Channel(_) => SimilarityKind::Channel,
                },
                channel: match model.similarity() {
                    Similarity::Channel(channel) => Some(ChannelParts::of(channel)),
                    _ => None,
                },
                separation: SeparationKind::of(model.separation()),
                beta: model.beta(),
            },
            stage1: saved.learning.as_ref().map(Stage1::of),
            choice: saved.decision.as_ref().map(DecisionParts::of),
            tensors: tensors.collect(),
            sha256: NO_DIGEST.to_owned(),
        }
    }

    pub(super) fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string(self)
            .map_err(|error| Error::malformed(format!("cannot describe it: {error}")))?;
        Ok(with_last(&text, NO_DIGEST, &digest(text.as_bytes())))
    }

    /// The version is read first and alone: a newer description may have any shape.
    pub(super) fn from_json(json: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct OnlyVersion {
            version: u64,
        }
        let wrong = |error: serde_json::Error| {
            Error::malformed(format!("its description cannot be read: {error}"))
        };
        let OnlyVersion { version } = serde_json::from_str(json).map_err(wrong)?;
        if !(1..=VERSION).contains(&version) {
            return Err(Error::malformed(format!(
                "it is of format version {version} and this program reads versions 1 to \
                 {VERSION}; use a newer uhop"
            )));
        }
        let description: Self = serde_json::from_str(json).map_err(wrong)?;
        let text = with_last(json, &description.sha256, NO_DIGEST);
        if description.sha256 == digest(text.as_bytes()) {
            Ok(description)
        } else {
            let what = "its description is damaged; restore the file from a copy";
            Err(Error::malformed(what.to_owned()))
        }
    }

    pub(super) fn similarity_kind(&self) -> SimilarityKind {
        self.model.similarity
    }

    /// The parameters of a channel, if there are any.
    pub(super) fn channel(&self) -> Option<&ChannelParts> {
        self.model.channel.as_ref()
    }

    /// The model with this similarity.
    pub(super) fn model<T: Scalar>(&self, similarity: Similarity<T>) -> Result<Model<T>> {
        Model::new(similarity, self.model.separation.build()?, self.model.beta)
    }

    pub(super) fn learning(&self) -> Result<Option<Learning>> {
        self.stage1.as_ref().map(Stage1::build).transpose()
    }

    pub(super) fn decision(&self) -> Result<Option<Decision>> {
        self.choice.as_ref().map(DecisionParts::build).transpose()
    }
}

/// The text with the last of these digits replaced: the digest is the last field, and the entries that a channel hides
/// may be as many zeros.
fn with_last(text: &str, digits: &str, other: &str) -> String {
    match text.rsplit_once(digits) {
        Some((before, after)) => format!("{before}{other}{after}"),
        None => text.to_owned(),
    }
}

impl SeparationKind {
    fn of(separation: Separation) -> Self {
        match separation.kind() {
            separation::Kind::Softmax => Self::Entmax { alpha: 1.0 },
            separation::Kind::Sparsemax => Self::Entmax { alpha: 2.0 },
            separation::Kind::Entmax15 => Self::Entmax { alpha: 1.5 },
            separation::Kind::Entmax { alpha } => Self::Entmax { alpha },
            separation::Kind::Normmax { gamma } => Self::Normmax { gamma },
            separation::Kind::TopK { k } => Self::TopK { k },
            separation::Kind::Polynomial { degree } => Self::Polynomial { degree },
        }
    }

    fn build(self) -> Result<Separation> {
        match self {
            Self::Entmax { alpha } => Separation::entmax(alpha),
            Self::Normmax { gamma } => Separation::normmax(gamma),
            Self::TopK { k } => Separation::top_k(k),
            Self::Polynomial { degree } => Separation::polynomial(degree),
        }
    }
}

impl Stage1 {
    fn of(learning: &Learning) -> Self {
        match learning {
            Learning::Separation { params, seed, losses, held_out, stop } => {
                let (over, features, t) = params.loss().parts();
                let parts = SeparationParts {
                    unit_features: features == Features::Unit,
                    t,
                    optimizer: OptimizerKind::of(params.optimizer()),
                    max_steps: params.max_steps(),
                    tolerance: params.tolerance(),
                    batches: params
                        .batches()
                        .map(|batches| BatchesParts { size: batches.size(), seed: batches.seed() }),
                    normalize_rows: params.normalizes_rows(),
                    seed: *seed,
                    losses: losses.clone(),
                    held_out: held_out
                        .iter()
                        .map(|&HeldOut { step, loss }| HeldOutParts { step, loss })
                        .collect(),
                    stop: StopKind::of(*stop),
                };
                match over {
                    Over::Average => Self::Average(parts),
                    Over::Max => Self::Max(parts),
                }
            }
            &Learning::Whitening { ridge } => Self::Whitening(WhiteningParts { ridge }),
            Learning::Denoising { params, losses, stop } => Self::Denoising(DenoisingParts {
                optimizer: OptimizerKind::of(params.optimizer()),
                max_steps: params.max_steps(),
                n_queries: params.n_queries(),
                seed: params.seed(),
                losses: losses.clone(),
                stop: StopKind::of(*stop),
            }),
        }
    }

    fn build(&self) -> Result<Learning> {
        match self {
            Self::Average(parts) => parts.build(SeparationLoss::average()),
            Self::Max(parts) => parts.build(SeparationLoss::max()),
            Self::Whitening(WhiteningParts { ridge }) => {
                Ok(Learning::Whitening { ridge: positive("whitening", "the ridge", *ridge)? })
            }
            Self::Denoising(parts) => {
                let optimizer = parts.optimizer.build()?;
                let params = Denoising::new(optimizer, parts.max_steps, parts.seed)?;
                Ok(Learning::Denoising {
                    params: params.with_queries(parts.n_queries)?,
                    losses: parts.losses.clone(),
                    stop: parts.stop.build(),
                })
            }
        }
    }
}

impl SeparationParts {
    fn build(&self, loss: SeparationLoss) -> Result<Learning> {
        let loss = if self.unit_features { loss } else { loss.raw_features() };
        let optimizer = self.optimizer.build()?;
        let mut params = Params::new(loss.with_t(self.t)?, optimizer, self.max_steps)?;
        if let Some(tolerance) = self.tolerance {
            params = params.with_tolerance(tolerance)?;
        }
        if let Some(BatchesParts { size, seed }) = self.batches {
            params = params.with_batches(Batches::new(size, seed)?)?;
        }
        Ok(Learning::Separation {
            params: if self.normalize_rows { params } else { params.keep_rows() },
            seed: self.seed,
            losses: self.losses.clone(),
            held_out: self
                .held_out
                .iter()
                .map(|&HeldOutParts { step, loss }| HeldOut { step, loss })
                .collect(),
            stop: self.stop.build(),
        })
    }
}

impl OptimizerKind {
    fn of(optimizer: Optimizer) -> Self {
        match optimizer.kind() {
            Rule::GradientDescent { rate, schedule: Schedule::Constant } => {
                Self::GradientDescent { rate }
            }
            Rule::GradientDescent { rate, schedule: Schedule::Factorial } => {
                Self::PublishedDecay { rate }
            }
            Rule::Adam { rate } => Self::Adam { rate },
        }
    }

    fn build(self) -> Result<Optimizer> {
        match self {
            Self::GradientDescent { rate } => Optimizer::gradient_descent(rate),
            Self::PublishedDecay { rate } => Optimizer::published_decay(rate),
            Self::Adam { rate } => Optimizer::adam(rate),
        }
    }
}

impl StopKind {
    fn of(stop: StopReason) -> Self {
        match stop {
            StopReason::Converged => Self::Converged,
            StopReason::MaxSteps => Self::MaxSteps,
            StopReason::Observer => Self::Observer,
        }
    }

    fn build(self) -> StopReason {
        match self {
            Self::Converged => StopReason::Converged,
            Self::MaxSteps => StopReason::MaxSteps,
            Self::Observer => StopReason::Observer,
        }
    }
}
