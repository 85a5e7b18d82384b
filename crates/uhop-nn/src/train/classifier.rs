//! What can be trained.

use burn::module::{Module, ParamId};
use burn::tensor::Tensor;

use crate::{Result, SeparationLoss};

/// A model that gives each image a score for each class.
pub trait Classifier: Module {
    /// The scores before the softmax.
    ///
    /// # Shapes
    /// - images: `[batch, dim]`
    /// - result: `[batch, n_classes]`
    ///
    /// # Errors
    /// When the images do not have the model's `dim`.
    fn logits(&self, images: Tensor<2>) -> Result<Tensor<2>>;

    /// The separation loss of the stored patterns of each image, their mean, `[1]`; nothing when the model
    /// has no feature map.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    fn separation_loss(
        &self,
        images: Tensor<2>,
        loss: &SeparationLoss,
    ) -> Result<Option<Tensor<1>>>;

    /// The parameters of the feature maps.
    fn feature_maps(&self) -> Vec<ParamId>;

    /// Whether [`logits`](Self::logits) draws random numbers in training, as dropout does.
    fn draws(&self) -> bool;
}
