//! The separation losses of Stage I over the stored patterns of a batch.

use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

/// How close features of stored patterns are: what the inner steps of Algorithm 2 make small.
///
/// Over the pairs u ≠ v of the stored patterns of one sample, as in `uhop::stage1`:
///
/// - [`average`](Self::average): L = log mean exp(−t‖φ(u) − φ(v)‖²);
/// - [`max`](Self::max): L = −t·min ‖φ(u) − φ(v)‖².
///
/// t = 2 and φ(u) = Φ(u)/‖Φ(u)‖ by default. What is returned is the mean over samples, and over
/// heads when each has its own Φ. A sample with fewer than two patterns that are not padding is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeparationLoss {
    /// Every pair, or the closest.
    pub over: Over,
    /// Whether features have unit norm.
    pub features: Features,
    /// t > 0, in inverse squared units of the features.
    pub t: f64,
}

/// Which pairs a separation loss is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Every pair pushes.
    Average,
    /// Only the closest pair of a sample pushes.
    Max,
}

/// What a separation loss compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Features {
    /// φ(u) = Φ(u)/‖Φ(u)‖; 0, without a gradient, where Φ(u) = 0.
    Unit,
    /// φ(u) = Φ(u).
    Raw,
}

impl SeparationLoss {
    /// The average loss at t = 2 on unit features.
    pub fn average() -> Self {
        Self { over: Over::Average, features: Features::Unit, t: 2.0 }
    }

    /// The max loss at t = 2 on unit features.
    pub fn max() -> Self {
        Self { over: Over::Max, ..Self::average() }
    }

    /// The loss of features `[n_sets, n_patterns, feature_dim]`, each set by itself, and their mean,
    /// `[1]`.
    ///
    /// `padding`, `[n_sets, n_patterns]`, is `true` for what is not a pattern. Without a set of two
    /// patterns the loss is 0.
    ///
    /// ```
    /// use burn::tensor::Tensor;
    /// use uhop_nn::SeparationLoss;
    ///
    /// // Squared distances 2, 2 and 4.
    /// let features = Tensor::from_data([[[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]], &Default::default());
    /// let average = SeparationLoss::average().value(features, None).into_scalar::<f32>();
    /// let mean = (2.0 * (-4.0_f32).exp() + (-8.0_f32).exp()) / 3.0;
    /// assert!((average - mean.ln()).abs() < 1e-6);
    /// ```
    pub fn value(&self, features: Tensor<3>, padding: Option<Tensor<2, Bool>>) -> Tensor<1> {
        let [n_sets, n_patterns, _] = features.dims();
        let device = features.device();
        let features = match self.features {
            Features::Raw => features,
            Features::Unit => unit(features),
        };
        let squares = features.clone().square().sum_dim(2);
        let products = features.clone().matmul(features.swap_dims(1, 2));
        let distances = (squares.clone() + squares.swap_dims(1, 2) - products * 2.0).clamp_min(0.0);

        let mut is_no_pair = Tensor::<2, Bool>::diag_mask([n_patterns, n_patterns], 0, &device)
            .bool_not()
            .unsqueeze::<3>()
            .repeat_dim(0, n_sets);
        if let Some(padding) = padding {
            let across = padding.clone().unsqueeze_dim::<3>(1).repeat_dim(1, n_patterns);
            let down = padding.unsqueeze_dim::<3>(2).repeat_dim(2, n_patterns);
            is_no_pair = is_no_pair.bool_or(across).bool_or(down);
        }
        let n_pairs: Tensor<2> = is_no_pair
            .clone()
            .bool_not()
            .float()
            .cast(distances.dtype())
            .reshape([n_sets, n_patterns * n_patterns])
            .sum_dim(1);
        let exponents = (distances * -self.t)
            .mask_fill(is_no_pair, LEFT_OUT)
            .reshape([n_sets, n_patterns * n_patterns]);
        let largest = exponents.clone().max_dim(1);
        let losses = match self.over {
            Over::Max => largest,
            Over::Average => {
                let largest = largest.detach();
                let total = (exponents - largest.clone()).exp().sum_dim(1);
                largest + total.log() - n_pairs.clone().clamp_min(1.0).log()
            }
        };
        let has_none = n_pairs.equal_elem(0.0);
        let n_counted = has_none.clone().bool_not().float().cast(losses.dtype()).sum();
        losses.mask_fill(has_none, 0.0).sum() / n_counted.clamp_min(1.0)
    }
}

/// The exponent of what is no pair: finite, and far below any other.
const LEFT_OUT: f64 = -1e30;

fn unit(features: Tensor<3>) -> Tensor<3> {
    let squares = features.clone().square().sum_dim(2);
    let zero = squares.clone().equal_elem(0.0);
    let every = zero.clone().expand(features.dims());
    (features / squares.mask_fill(zero, 1.0).sqrt()).mask_fill(every, 0.0)
}
