//! Whole configurations by name.

use serde::{Deserialize, Serialize};

use super::classification::Classification;
use super::contender::{Contender, Map};
use super::vih::{BodyConfig, ViHConfig};
use crate::train::{ImageShape, Inner, Moves, Stage1, TrainingConfig};
use crate::{
    FeatureMapConfig, HopfieldConfig, NormalizationConfig, SeparationLoss, ValueProjection,
};

/// A whole configuration: model and training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// As the released code trains it: patches of 32 × 32 pixels, d = 512, 25 epochs.
    Published,
    /// 64 patches, a transformer block, the same value path and as many updates for every model.
    Fair,
    /// As [`Fair`](Self::Fair) for the 1,000 built-in digits, of which there are too few to learn from small patches: 4
    /// patches, d = 128.
    Small,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Published, Self::Fair, Self::Small];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Fair => "fair",
            Self::Small => "small",
        }
    }

    /// Model and training of a contender for images like these.
    ///
    /// ```
    /// use uhop_nn::train::ImageShape;
    /// use uhop_nn::vision::Preset;
    ///
    /// let cifar = ImageShape { height: 32, width: 32, channels: 3 };
    /// let published = Preset::Published.of("uhop-dense".parse()?, cifar, 10);
    /// assert_eq!(published.model.n_patches()?, 1);
    /// let fair = Preset::Fair.of("uhop-dense".parse()?, cifar, 10);
    /// assert_eq!(fair.model.n_patches()?, 64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(self, contender: Contender, image: ImageShape, n_classes: usize) -> Classification {
        match self {
            Self::Published => published(contender, image, n_classes),
            Self::Fair => {
                // 8 x 8 patches of the images that the paper uses: 28, 32 and 64 pixels wide.
                let patch_size = (image.width / 8).max(1).next_power_of_two();
                let size = Size { patch_size, dim: 512, n_heads: 8, epochs: 25, batch_size: 128 };
                fair(contender, image, n_classes, &size)
            }
            Self::Small => {
                let patch_size = (image.width / 2).max(1);
                let size = Size { patch_size, dim: 128, n_heads: 8, epochs: 12, batch_size: 32 };
                fair(contender, image, n_classes, &size)
            }
        }
    }
}

fn published(contender: Contender, image: ImageShape, n_classes: usize) -> Classification {
    let dim = 512;
    let mut hopfield = HopfieldConfig::new(dim).with_separation(contender.separation());
    hopfield.normalization = NormalizationConfig::off();
    hopfield.association.dropout = 0.1;
    if contender.map == Map::None {
        hopfield.projection.values = ValueProjection::Connected;
    }
    let inner = Inner {
        batch_size: 200,
        rate: 0.1,
        loss: SeparationLoss::average(),
        moves: Moves::Everything,
    };
    let stage1 = match contender.map {
        Map::Separated => Stage1::Before { epochs: 50, inner },
        Map::None | Map::Task => Stage1::Off,
    };
    Classification {
        model: ViHConfig {
            image,
            n_classes,
            patch_size: image.width.min(32),
            dim,
            positions: false,
            body: BodyConfig::Pooling { hopfield, map: contender.map != Map::None },
        },
        training: TrainingConfig {
            epochs: 25,
            batch_size: 128,
            stage1,
            ..TrainingConfig::default()
        },
    }
}

/// What differs between presets of the same kind.
struct Size {
    patch_size: usize,
    dim: usize,
    n_heads: usize,
    epochs: usize,
    batch_size: usize,
}

fn fair(contender: Contender, image: ImageShape, n_classes: usize, size: &Size) -> Classification {
    let &Size { patch_size, dim, n_heads, epochs, batch_size } = size;
    let mut hopfield =
        HopfieldConfig::new(dim).with_heads(n_heads).with_separation(contender.separation());
    // The block normalises what goes in.
    hopfield.normalization = NormalizationConfig::off();
    if contender.map != Map::None {
        hopfield = hopfield.with_feature_map(FeatureMapConfig::default());
    }
    let inner =
        Inner { batch_size, rate: 1.0, loss: SeparationLoss::average(), moves: Moves::FeatureMaps };
    let steps = 10;
    let stage1 = match contender.map {
        Map::Separated => Stage1::Alternating { steps, epochs, inner },
        Map::None | Map::Task => Stage1::Task { steps, epochs, batch_size },
    };
    Classification {
        model: ViHConfig {
            image,
            n_classes,
            patch_size,
            dim,
            positions: true,
            body: BodyConfig::Blocks { depth: 1, hidden_dim: 2 * dim, hopfield },
        },
        training: TrainingConfig { epochs, batch_size, stage1, ..TrainingConfig::default() },
    }
}
