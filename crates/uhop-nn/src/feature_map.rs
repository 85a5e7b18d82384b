//! Φ(u) = Wu inside a layer, in each head or across them.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The feature map Φ of a layer: scores are ⟨Φ(k), Φ(q)⟩ (Wu, Hu, Hsiao, Liu 2024).
///
/// W starts as the identity, cut or padded with zeros, so that a layer starts as the one without.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureMapConfig {
    /// Whether each head has a W of its own; it does by default.
    pub span: Span,
    /// The width of the features of one head; `head_dim` by default.
    pub feature_dim: Option<usize>,
}

/// What a feature map spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// A W for each head, from what the head compares.
    #[default]
    PerHead,
    /// One W from and to all heads side by side.
    Joint,
}

/// Φ(u) = Wu, with a W for each head or one for all.
#[derive(Module, Debug)]
pub struct FeatureMap {
    /// Wᵀ of each part, `[n_parts, width, feature_width]`: one part for each head, or one.
    pub weight: Param<Tensor<3>>,
}

impl FeatureMapConfig {
    pub(crate) fn init(
        &self,
        n_heads: usize,
        head_dim: usize,
        device: &Device,
    ) -> Result<FeatureMap> {
        let feature_dim = self.feature_dim(head_dim);
        if feature_dim == 0 {
            let problem = "feature_dim is 0; it must be at least 1";
            return Err(Error::configuration("feature map", problem));
        }
        let (n_parts, width, features) = match self.span {
            Span::PerHead => (n_heads, head_dim, feature_dim),
            Span::Joint => (1, n_heads * head_dim, n_heads * feature_dim),
        };
        let shared = width.min(features);
        let eye = Tensor::<2>::eye(shared, device);
        let weight = Tensor::zeros([width, features], device)
            .slice_assign([0..shared, 0..shared], eye)
            .unsqueeze::<3>()
            .repeat_dim(0, n_parts);
        Ok(FeatureMap { weight: Param::from_tensor(weight) })
    }

    pub(crate) fn feature_dim(&self, head_dim: usize) -> usize {
        self.feature_dim.unwrap_or(head_dim)
    }
}

impl FeatureMap {
    /// The features of rows, `[batch, n, width]` → `[batch, n, feature_width]`, both of all heads side
    /// by side.
    ///
    /// # Shapes
    /// As above; the width is that of all parts of W together.
    pub fn forward(&self, rows: Tensor<3>) -> Tensor<3> {
        let weight = self.weight.val();
        let [n_parts, width, features] = weight.dims();
        let [batch, n, _] = rows.dims();
        if n_parts == 1 {
            let flat = rows.reshape([batch * n, width]).matmul(weight.squeeze_dim::<2>(0));
            return flat.reshape([batch, n, features]);
        }
        let parts = rows.reshape([batch * n, n_parts, width]).swap_dims(0, 1);
        parts.matmul(weight).swap_dims(0, 1).reshape([batch, n, n_parts * features])
    }

    /// Each row of every W divided by its norm, as Algorithm 1 ends; a row of zeros stays. W is trained on if it was.
    pub fn normalize_rows(self) -> Self {
        let trained = self.weight.is_require_grad();
        let weight = self.weight.map(|weight| {
            let squares = weight.clone().square().sum_dim(1);
            let zero = squares.clone().equal_elem(0.0);
            let weight = weight / squares.mask_fill(zero, 1.0).sqrt();
            weight.detach()
        });
        Self { weight: weight.set_require_grad(trained) }
    }

    pub(crate) fn n_parts(&self) -> usize {
        self.weight.dims()[0]
    }
}
