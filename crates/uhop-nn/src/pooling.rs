//! Pooling by association: a bag of patterns read out by learned states.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Bool, Device, Tensor};
use serde::{Deserialize, Serialize};
use uhop::StopReason;

use crate::config::HopfieldConfig;
use crate::error::{Error, Result};
use crate::hopfield::{Hopfield, HopfieldInput};

/// What a [`HopfieldPooling`] layer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopfieldPoolingConfig {
    /// The association; its `dim` is the width of the learned states.
    pub hopfield: HopfieldConfig,
    /// Learned states, each one readout; 1 by default.
    #[serde(default = "one")]
    pub n_states: usize,
    /// Whether the states are trained; they are by default.
    #[serde(default = "yes")]
    pub trainable: bool,
}

/// Reads a set of patterns out by states that are parameters, whatever the order of the set.
///
/// ```
/// use burn::tensor::Tensor;
/// use uhop_nn::{HopfieldConfig, HopfieldPoolingConfig, HopfieldPoolingInput};
///
/// let device = Default::default();
/// let pooling = HopfieldPoolingConfig::new(HopfieldConfig::new(8)).with_states(3).init(&device)?;
/// let bags = Tensor::zeros([2, 10, 8], &device);
/// let output = pooling.forward(HopfieldPoolingInput::new(bags))?;
/// assert_eq!(output.readout.dims(), [2, 24]);
/// assert_eq!(output.weights.dims(), [2, 1, 3, 10]);
/// # Ok::<(), uhop_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct HopfieldPooling {
    /// The association.
    pub hopfield: Hopfield,
    /// The states, `[1, n_states, dim]`, from N(0, 0.02²).
    pub states: Param<Tensor<3>>,
}

/// What a [`HopfieldPooling`] layer is given; masks as in [`HopfieldInput`].
#[derive(Debug, Clone)]
pub struct HopfieldPoolingInput {
    /// `[batch, n_patterns, pattern_dim]`.
    pub patterns: Tensor<3>,
    /// `[batch, n_patterns, value_dim]`; the patterns when absent.
    pub values: Option<Tensor<3>>,
    /// `[batch, n_patterns]`: `true` where a pattern is padding.
    pub padding: Option<Tensor<2, Bool>>,
}

/// What a [`HopfieldPooling`] layer gives.
#[derive(Debug, Clone)]
pub struct HopfieldPoolingOutput {
    /// The readouts of all states side by side, `[batch, n_states·output_dim]`.
    pub readout: Tensor<2>,
    /// As in [`HopfieldOutput`](crate::HopfieldOutput), `[batch, n_heads, n_states, n_patterns]`.
    pub weights: Tensor<4>,
    /// Updates made.
    pub steps: usize,
    /// Why they ended.
    pub stop: StopReason,
}

impl HopfieldPoolingConfig {
    /// One trained state.
    pub fn new(hopfield: HopfieldConfig) -> Self {
        Self { hopfield, n_states: 1, trainable: true }
    }

    /// With this many states.
    pub fn with_states(mut self, n_states: usize) -> Self {
        self.n_states = n_states;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// As [`HopfieldConfig::init`]; no states.
    pub fn init(&self, device: &Device) -> Result<HopfieldPooling> {
        if self.n_states == 0 {
            let problem = "n_states is 0; it must be at least 1";
            return Err(Error::configuration("HopfieldPooling", problem));
        }
        let hopfield = self.hopfield.init(device)?;
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        let states: Param<Tensor<3>> = normal.init([1, self.n_states, self.hopfield.dim], device);
        Ok(HopfieldPooling { hopfield, states: states.set_require_grad(self.trainable) })
    }
}

impl HopfieldPoolingInput {
    /// Bags of patterns, which are their own values.
    pub fn new(patterns: Tensor<3>) -> Self {
        Self { patterns, values: None, padding: None }
    }

    /// With values of their own.
    pub fn with_values(mut self, values: Tensor<3>) -> Self {
        self.values = Some(values);
        self
    }

    /// With `true` where a pattern is padding.
    pub fn with_padding(mut self, padding: Tensor<2, Bool>) -> Self {
        self.padding = Some(padding);
        self
    }
}

impl HopfieldPooling {
    /// The readouts of a batch of bags.
    ///
    /// # Errors
    /// As [`Hopfield::forward`].
    pub fn forward(&self, input: HopfieldPoolingInput) -> Result<HopfieldPoolingOutput> {
        let HopfieldPoolingInput { patterns, values, padding } = input;
        let batch = patterns.dims()[0];
        let states = self.states.val().repeat_dim(0, batch.max(1));
        let input = HopfieldInput { states, patterns, values, padding, blocked: None };
        let output = self.hopfield.forward(input)?;
        Ok(HopfieldPoolingOutput {
            readout: output.readout.flatten(1, 2),
            weights: output.weights,
            steps: output.steps,
            stop: output.stop,
        })
    }
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}
