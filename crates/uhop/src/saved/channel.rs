//! The parameters of a channel as the description has them.

use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Kind};
use crate::error::{Error, Result};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "kind")]
pub(super) enum ChannelParts {
    Gaussian {
        std: f64,
    },
    FoldedGaussian {
        std: f64,
    },
    HalfMask,
    Mask {
        share: f64,
    },
    SaltAndPepper {
        share: f64,
    },
    /// A digit for each entry: 1 if it is visible, 0 if not.
    Occlusion {
        visible: String,
    },
    Calibrated {
        means: Vec<f64>,
        variances: Vec<f64>,
    },
}

impl ChannelParts {
    pub(super) fn of(channel: &Channel) -> Self {
        match channel.kind() {
            &Kind::Gaussian { std } => Self::Gaussian { std },
            &Kind::FoldedGaussian { std } => Self::FoldedGaussian { std },
            Kind::HalfMask => Self::HalfMask,
            &Kind::Mask { share } => Self::Mask { share },
            &Kind::SaltAndPepper { share } => Self::SaltAndPepper { share },
            Kind::Occlusion { visible } => Self::Occlusion {
                visible: visible.iter().map(|&visible| if visible { '1' } else { '0' }).collect(),
            },
            Kind::Calibrated { means, variances } => {
                Self::Calibrated { means: means.clone(), variances: variances.clone() }
            }
        }
    }

    pub(super) fn build(&self) -> Result<Channel> {
        match self {
            &Self::Gaussian { std } => Channel::gaussian(std),
            &Self::FoldedGaussian { std } => Channel::folded_gaussian(std),
            Self::HalfMask => Ok(Channel::half_mask()),
            &Self::Mask { share } => Channel::mask(share),
            &Self::SaltAndPepper { share } => Channel::salt_and_pepper(share),
            Self::Occlusion { visible } => {
                let digits = visible.bytes().map(|digit| match digit {
                    b'0' => Ok(false),
                    b'1' => Ok(true),
                    _ => {
                        let what = "the visible entries of its channel are not digits 0 and 1";
                        Err(Error::malformed(what.to_owned()))
                    }
                });
                Channel::occlusion(digits.collect::<Result<_>>()?)
            }
            Self::Calibrated { means, variances } => {
                Channel::calibrated(means.clone(), variances.clone())
            }
        }
    }
}
