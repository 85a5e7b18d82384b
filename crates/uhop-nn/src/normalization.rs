//! Layer normalisation with and without parameters.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::config::Normalization;
use crate::flex::layer_norm;

/// (x − mean) / √(variance + ε) of the last axis, then the learned scale and shift, if any.
#[derive(Module, Debug)]
pub struct Norm {
    /// Scale, `[dim]`.
    pub scale: Option<Param<Tensor<1>>>,
    /// Shift, `[dim]`.
    pub shift: Option<Param<Tensor<1>>>,
    epsilon: f64,
}

impl Norm {
    pub(crate) fn new(kind: Normalization, dim: usize, device: &Device) -> Option<Self> {
        match kind {
            Normalization::Off => None,
            Normalization::Plain { epsilon } => Some(Self { scale: None, shift: None, epsilon }),
            Normalization::Affine { epsilon } => Some(Self::affine(dim, epsilon, device)),
        }
    }

    /// With a scale from 1 and a shift from 0.
    pub(crate) fn affine(dim: usize, epsilon: f64, device: &Device) -> Self {
        let scale = Some(Initializer::Ones.init([dim], device));
        Self { scale, shift: Some(Initializer::Zeros.init([dim], device)), epsilon }
    }

    /// Rows `[n, dim]`, each normalised.
    pub(crate) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let options = (&rows.device(), rows.dtype());
        let [_, dim] = rows.dims();
        let scale = match &self.scale {
            Some(scale) => scale.val(),
            None => Tensor::ones([dim], options),
        };
        layer_norm(rows, scale, self.shift.as_ref().map(Param::val), self.epsilon)
    }
}
