//! What the examples that compare separations go through.

use uhop_nn::SeparationConfig;

pub(crate) const SEPARATIONS: [SeparationConfig; 7] = [
    SeparationConfig::Softmax,
    SeparationConfig::SoftmaxOne,
    SeparationConfig::Sparsemax,
    SeparationConfig::Entmax { alpha: 1.5 },
    SeparationConfig::Entmax { alpha: 1.25 },
    SeparationConfig::LearnedEntmax { alpha: 1.5 },
    SeparationConfig::TopK { k: 8 },
];
