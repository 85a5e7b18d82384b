//! The lookup layer: stored patterns that are parameters.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Bool, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::config::HopfieldConfig;
use crate::error::{Error, Result};
use crate::hopfield::{Hopfield, HopfieldInput, HopfieldOutput};

/// What a [`HopfieldLayer`] is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopfieldLayerConfig {
    /// The association.
    pub hopfield: HopfieldConfig,
    /// Stored patterns.
    pub n_patterns: usize,
    /// Whether the patterns are trained; they are by default.
    #[serde(default = "yes")]
    pub trainable: bool,
    /// What the patterns are worth; themselves by default.
    #[serde(default)]
    pub values: LookupValues,
}

/// What the patterns of a [`HopfieldLayer`] are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupValues {
    /// Themselves.
    #[default]
    Patterns,
    /// Values of their own, trained.
    Trained,
    /// Values of their own, that stay as they are.
    Fixed,
}

/// Associates states with a memory that is learned: patterns, and their values, are parameters.
///
/// ```
/// use burn::tensor::Tensor;
/// use uhop_nn::{HopfieldConfig, HopfieldLayerConfig, HopfieldLayerInput};
///
/// let device = Default::default();
/// let layer = HopfieldLayerConfig::new(HopfieldConfig::new(8), 5).init(&device)?;
/// let output = layer.forward(HopfieldLayerInput::new(Tensor::zeros([2, 3, 8], &device)))?;
/// assert_eq!(output.readout.dims(), [2, 3, 8]);
/// assert_eq!(output.weights.dims(), [2, 1, 3, 5]);
/// # Ok::<(), uhop_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct HopfieldLayer {
    /// The association.
    pub hopfield: Hopfield,
    /// The stored patterns, `[1, n_patterns, pattern_dim]`, from N(0, 0.02²).
    pub patterns: Param<Tensor<3>>,
    /// Their values, `[1, n_patterns, value_dim]`, from N(0, 0.02²), unless they are the patterns.
    pub values: Option<Param<Tensor<3>>>,
}

/// What a [`HopfieldLayer`] is given; the mask as in [`HopfieldInput`].
#[derive(Debug, Clone)]
pub struct HopfieldLayerInput {
    /// `[batch, n_states, dim]`.
    pub states: Tensor<3>,
    /// `[batch or 1, n_heads or 1, n_states, n_patterns]`: `true` where this state must not use this
    /// pattern.
    pub blocked: Option<Tensor<4, Bool>>,
}

const LAYER: &str = "HopfieldLayer";

impl HopfieldLayerConfig {
    /// Trained patterns, worth themselves.
    pub fn new(hopfield: HopfieldConfig, n_patterns: usize) -> Self {
        Self { hopfield, n_patterns, trainable: true, values: LookupValues::default() }
    }

    /// With these values.
    pub fn with_values(mut self, values: LookupValues) -> Self {
        self.values = values;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// As [`HopfieldConfig::init`]; no patterns.
    pub fn init(&self, device: &Device) -> Result<HopfieldLayer> {
        if self.n_patterns == 0 {
            return Err(Error::configuration(LAYER, "n_patterns is 0; it must be at least 1"));
        }
        let own = self.values != LookupValues::Patterns;
        let hopfield = self.hopfield.init(device)?;
        let rows = |width: usize, trainable: bool| {
            let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
            let rows: Param<Tensor<3>> = normal.init([1, self.n_patterns, width], device);
            rows.set_require_grad(trainable)
        };
        let widths = *hopfield.widths();
        Ok(HopfieldLayer {
            patterns: rows(widths.pattern_dim, self.trainable),
            values: own.then(|| rows(widths.value_dim, self.values == LookupValues::Trained)),
            hopfield,
        })
    }
}

impl HopfieldLayerInput {
    /// States to associate.
    pub fn new(states: Tensor<3>) -> Self {
        Self { states, blocked: None }
    }

    /// With `true` where a state must not use a pattern.
    pub fn with_blocked(mut self, blocked: Tensor<4, Bool>) -> Self {
        self.blocked = Some(blocked);
        self
    }
}

impl HopfieldLayer {
    /// Readouts and association weights, as [`Hopfield::forward`] gives them; the values of the output
    /// are `[1, n_patterns, n_heads·value_head_dim]`.
    ///
    /// # Errors
    /// As [`Hopfield::forward`].
    pub fn forward(&self, input: HopfieldLayerInput) -> Result<HopfieldOutput> {
        let HopfieldLayerInput { states, blocked } = input;
        let [batch, n_states, dim] = states.dims();
        let n_heads = self.hopfield.widths().n_heads;
        let n_patterns = self.patterns.dims()[1];
        // All states of the batch beside each other: the patterns are projected once.
        let blocked = match blocked {
            None => None,
            Some(blocked) => Some(beside(blocked, [batch, n_heads, n_states, n_patterns])?),
        };
        let input = HopfieldInput {
            states: states.reshape([1, batch * n_states, dim]),
            patterns: self.patterns.val(),
            values: self.values.as_ref().map(Param::val),
            padding: None,
            blocked,
        };
        let output = self.hopfield.forward(input)?;
        let [_, _, output_dim] = output.readout.dims();
        let n_columns = output.weights.dims()[3];
        let weights = output.weights.reshape([n_heads, batch, n_states, n_columns]).swap_dims(0, 1);
        Ok(HopfieldOutput {
            readout: output.readout.reshape([batch, n_states, output_dim]),
            weights,
            ..output
        })
    }

    /// With these stored patterns, `[n_patterns, pattern_dim]`, and values, `[n_patterns, value_dim]`, to
    /// start from, such as samples of the training data.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch); [`is_configuration`](Error::is_configuration)
    /// for values given to a layer whose patterns are worth themselves.
    pub fn starting_from(self, patterns: Tensor<2>, values: Option<Tensor<2>>) -> Result<Self> {
        let replace = |param: Param<Tensor<3>>, what: &'static str, rows: Tensor<2>| {
            let [_, n, width] = param.dims();
            if rows.dims() != [n, width] {
                let need = format!("this layer holds [{n}, {width}]");
                return Err(Error::shape(LAYER, what, &rows.dims(), need));
            }
            let trained = param.is_require_grad();
            let device = param.val().device();
            let rows = rows.unsqueeze::<3>().to_device(&device).detach();
            Ok(param.map(|_| rows).set_require_grad(trained))
        };
        let patterns = replace(self.patterns, "the patterns", patterns)?;
        let values = match (self.values, values) {
            (kept, None) => kept,
            (Some(own), Some(values)) => Some(replace(own, "the values", values)?),
            (None, Some(_)) => {
                let problem =
                    "its patterns are worth themselves; configure values of their own first";
                return Err(Error::configuration(LAYER, problem));
            }
        };
        Ok(Self { patterns, values, hopfield: self.hopfield })
    }
}

/// A mask of a batch as one of a single sample that has all its states.
fn beside(blocked: Tensor<4, Bool>, full: [usize; 4]) -> Result<Tensor<4, Bool>> {
    let [batch, n_heads, n_states, n_patterns] = full;
    let [b, h, s, p] = blocked.dims();
    let fits =
        (b == 1 || b == batch) && (h == 1 || h == n_heads) && s == n_states && p == n_patterns;
    if !fits {
        let need = format!("they must be [{batch} or 1, {n_heads} or 1, {n_states}, {n_patterns}]");
        return Err(Error::shape(LAYER, "the blocked pairs", &blocked.dims(), need));
    }
    Ok(blocked.expand(full).swap_dims(0, 1).reshape([1, n_heads, batch * n_states, n_patterns]))
}

fn yes() -> bool {
    true
}
