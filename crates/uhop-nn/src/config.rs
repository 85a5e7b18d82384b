//! What a layer is, before it has parameters: serialisable, grouped by concern.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::feature_map::FeatureMapConfig;
use crate::hopfield::Hopfield;
use crate::separation::SeparationConfig;

/// What a [`Hopfield`] layer is: `config → init → forward`.
///
/// Every group has a default, so that a serialised configuration names only what differs.
///
/// ```
/// use uhop_nn::{HopfieldConfig, SeparationConfig};
///
/// let config = HopfieldConfig::new(16)
///     .with_heads(2)
///     .with_separation(SeparationConfig::Entmax { alpha: 1.5 });
/// let text = serde_json::to_string(&config)?;
/// assert_eq!(serde_json::from_str::<HopfieldConfig>(&text)?, config);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopfieldConfig {
    /// The width of the states.
    pub dim: usize,
    /// How states, patterns and values reach the space they meet in.
    #[serde(default)]
    pub projection: ProjectionConfig,
    /// What is normalised before.
    #[serde(default)]
    pub normalization: NormalizationConfig,
    /// How scores become weights.
    #[serde(default)]
    pub association: AssociationConfig,
    /// How often the state is updated.
    #[serde(default)]
    pub dynamics: DynamicsConfig,
    /// Φ before states and patterns meet, learned with a separation loss; none by default.
    #[serde(default)]
    pub feature_map: Option<FeatureMapConfig>,
}

/// How states, patterns and values reach the space they meet in.
///
/// With H heads and d = `head_dim`: q = W_Q state, k = W_K pattern, both of width H·d, and
/// v = W_V value of width H·`value_head_dim`; the readouts of all heads side by side, times W_O, are
/// the output. Weights start as N(0, 0.02²), biases as 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectionConfig {
    /// Heads, each an association of its own; 1 by default.
    pub n_heads: usize,
    /// The width in which a head compares; `dim / n_heads` by default, which must divide.
    pub head_dim: Option<usize>,
    /// The width of the values of a head; `head_dim` by default.
    pub value_head_dim: Option<usize>,
    /// The width of the stored patterns; `dim` by default.
    pub pattern_dim: Option<usize>,
    /// The width of the values as they arrive; `pattern_dim` by default.
    pub value_dim: Option<usize>,
    /// The width of the output; `dim` by default, that of all heads when the output is static.
    pub output_dim: Option<usize>,
    /// W_Q.
    pub states: Projection,
    /// W_K.
    pub patterns: Projection,
    /// W_V.
    pub values: ValueProjection,
    /// W_O.
    pub output: Projection,
    /// Whether learned projections add a bias; they do by default.
    pub bias: bool,
}

/// Whether something is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    /// By a learned linear map.
    #[default]
    Learned,
    /// Not at all: it is used as it comes, cut into heads.
    Static,
}

/// Where values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueProjection {
    /// v = W_V value.
    #[default]
    Learned,
    /// v = W_V W_K value: the values are projected as patterns are, then by a map of their own.
    Connected,
    /// v = value, cut into heads.
    Static,
}

/// What is normalised, each row for itself, before the projections; and q and k after them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormalizationConfig {
    /// Of the states; affine by default.
    pub states: Normalization,
    /// Of the stored patterns; affine by default.
    pub patterns: Normalization,
    /// Of the values; affine by default.
    pub values: Normalization,
    /// Of q and k in each head, with one set of parameters for both and all heads; off by default.
    pub projected: Normalization,
}

/// Layer normalisation (x − mean) / √(variance + ε) of the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Normalization {
    /// None.
    Off,
    /// Without parameters.
    Plain {
        /// ε.
        epsilon: f64,
    },
    /// Followed by a learned scale, from 1, and shift, from 0.
    Affine {
        /// ε.
        epsilon: f64,
    },
}

/// How scores become weights: p = separation(β ⟨k, q⟩).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssociationConfig {
    /// From scores to weights; softmax by default.
    pub separation: SeparationConfig,
    /// β.
    pub beta: Beta,
    /// A pattern more that scores 0 and is worth 0, the last column of the weights; with softmax
    /// this is softmax-1. Off by default.
    pub zero_pattern: bool,
    /// The probability with which a weight is set to 0 in training, the others growing by
    /// 1/(1 − dropout); 0 by default. The weights of the output are those before.
    pub dropout: f64,
}

/// The factor of the scores.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beta {
    /// 1/√d for features of width d, and 1 for static states.
    #[default]
    Standard,
    /// This, in all heads.
    All(f64),
    /// One for each head.
    PerHead(Vec<f64>),
}

/// How often the state is updated: q ← Σ p k, in the space of the projected patterns.
///
/// In each head a state rests once its weights moved by no more than `tolerance`, in the Euclidean
/// norm, whatever the others do; the layer stops when all rest. With a tolerance of 0 every step is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicsConfig {
    /// Updates at most, from 1, which is the default.
    pub max_steps: usize,
    /// When a state rests; 1e-4 by default.
    pub tolerance: f64,
}

impl HopfieldConfig {
    /// One head, softmax, one update, everything projected and normalised.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            projection: ProjectionConfig::default(),
            normalization: NormalizationConfig::default(),
            association: AssociationConfig::default(),
            dynamics: DynamicsConfig::default(),
            feature_map: None,
        }
    }

    /// Pure retrieval: no parameters, no normalisation; the update of `uhop`'s models by the
    /// dot product.
    ///
    /// ```
    /// use burn::tensor::Tensor;
    /// use uhop_nn::{HopfieldConfig, HopfieldInput};
    ///
    /// let device = Default::default();
    /// let layer = HopfieldConfig::retrieval(2, 50.0).init(&device)?;
    /// let patterns = Tensor::from_data([[[1.0, 0.0], [0.0, 1.0]]], &device);
    /// let queries = Tensor::from_data([[[0.9, 0.2]]], &device);
    /// let readout = layer.forward(HopfieldInput::new(queries, patterns.clone()))?.readout;
    /// assert!(readout.all_close(patterns.narrow(1, 0, 1), None, Some(1e-6)));
    /// # Ok::<(), uhop_nn::Error>(())
    /// ```
    pub fn retrieval(dim: usize, beta: f64) -> Self {
        let mut config = Self::new(dim);
        config.projection.states = Projection::Static;
        config.projection.patterns = Projection::Static;
        config.projection.values = ValueProjection::Static;
        config.projection.output = Projection::Static;
        config.normalization = NormalizationConfig::off();
        config.association.beta = Beta::All(beta);
        config
    }

    /// With this many heads.
    pub fn with_heads(mut self, n_heads: usize) -> Self {
        self.projection.n_heads = n_heads;
        self
    }

    /// With this separation.
    pub fn with_separation(mut self, separation: SeparationConfig) -> Self {
        self.association.separation = separation;
        self
    }

    /// With this β in all heads.
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.association.beta = Beta::All(beta);
        self
    }

    /// With this many updates, all made.
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.dynamics = DynamicsConfig { max_steps: steps, tolerance: 0.0 };
        self
    }

    /// With updates until the weights rest, or `max_steps`.
    pub fn until_rest(mut self, max_steps: usize, tolerance: f64) -> Self {
        self.dynamics = DynamicsConfig { max_steps, tolerance };
        self
    }

    /// With a feature map before states and patterns meet.
    pub fn with_feature_map(mut self, feature_map: FeatureMapConfig) -> Self {
        self.feature_map = Some(feature_map);
        self
    }

    /// The layer, its parameters drawn from the device's random numbers: see
    /// [`Device::seed`](burn::tensor::Device::seed).
    ///
    /// # Errors
    /// [`is_configuration`](Error::is_configuration): widths that heads do not divide or that a static
    /// projection cannot have, and parameters out of their domain.
    pub fn init(&self, device: &Device) -> Result<Hopfield> {
        Hopfield::new(self, device)
    }

    /// All widths, with the defaults filled in.
    pub(crate) fn widths(&self) -> Result<Widths> {
        Widths::of(self)
    }
}

impl NormalizationConfig {
    /// Nothing is normalised.
    pub fn off() -> Self {
        let off = Normalization::Off;
        Self { states: off, patterns: off, values: off, projected: off }
    }
}

impl Default for NormalizationConfig {
    fn default() -> Self {
        let affine = Normalization::Affine { epsilon: 1e-5 };
        Self { states: affine, patterns: affine, values: affine, projected: Normalization::Off }
    }
}

impl Default for ProjectionConfig {
    fn default() -> Self {
        Self {
            n_heads: 1,
            head_dim: None,
            value_head_dim: None,
            pattern_dim: None,
            value_dim: None,
            output_dim: None,
            states: Projection::default(),
            patterns: Projection::default(),
            values: ValueProjection::default(),
            output: Projection::default(),
            bias: true,
        }
    }
}

impl Default for DynamicsConfig {
    fn default() -> Self {
        Self { max_steps: 1, tolerance: 1e-4 }
    }
}

/// The widths of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Widths {
    pub(crate) dim: usize,
    pub(crate) pattern_dim: usize,
    pub(crate) value_dim: usize,
    pub(crate) n_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) value_head_dim: usize,
    pub(crate) output_dim: usize,
}

const LAYER: &str = "Hopfield";

impl Widths {
    fn of(config: &HopfieldConfig) -> Result<Self> {
        let p = &config.projection;
        let (dim, n_heads) = (config.dim, p.n_heads);
        let pattern_dim = p.pattern_dim.unwrap_or(dim);
        let value_dim = p.value_dim.unwrap_or(pattern_dim);
        for (name, size) in [("dim", dim), ("n_heads", n_heads), ("pattern_dim", pattern_dim)] {
            if size == 0 {
                return Err(Error::configuration(
                    LAYER,
                    format!("{name} is 0; it must be at least 1"),
                ));
            }
        }
        let head_dim = match p.head_dim {
            Some(head_dim) => head_dim,
            None => divide("dim", dim, n_heads, "head_dim")?,
        };
        let value_head_dim = match (p.value_head_dim, p.values) {
            (Some(value_head_dim), _) => value_head_dim,
            (None, ValueProjection::Static) => {
                divide("value_dim", value_dim, n_heads, "value_head_dim")?
            }
            (None, _) => head_dim,
        };
        if p.values == ValueProjection::Connected && value_dim != pattern_dim {
            let problem = format!(
                "values go through the projection of the patterns, but value_dim is {value_dim} and \
                 pattern_dim {pattern_dim}; make them equal, or configure values as learned"
            );
            return Err(Error::configuration(LAYER, problem));
        }
        let (width, value_width) = (n_heads * head_dim, n_heads * value_head_dim);
        let output_dim = p.output_dim.unwrap_or(match p.output {
            Projection::Learned => dim,
            Projection::Static => value_width,
        });
        for (name, size) in
            [("head_dim", head_dim), ("value_head_dim", value_head_dim), ("output_dim", output_dim)]
        {
            if size == 0 {
                return Err(Error::configuration(
                    LAYER,
                    format!("{name} is 0; it must be at least 1"),
                ));
            }
        }
        let is_static = Projection::Static;
        as_it_is(p.states == is_static, "states", ("dim", dim), width, "head_dim")?;
        as_it_is(
            p.patterns == is_static,
            "patterns",
            ("pattern_dim", pattern_dim),
            width,
            "head_dim",
        )?;
        let fixed = p.values == ValueProjection::Static;
        as_it_is(fixed, "values", ("value_dim", value_dim), value_width, "value_head_dim")?;
        let fixed = p.output == is_static;
        as_it_is(fixed, "the output", ("output_dim", output_dim), value_width, "value_head_dim")?;
        Ok(Self { dim, pattern_dim, value_dim, n_heads, head_dim, value_head_dim, output_dim })
    }

    /// The width of q and k.
    pub(crate) fn width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// The width of v.
    pub(crate) fn value_width(&self) -> usize {
        self.n_heads * self.value_head_dim
    }
}

/// What is used as it comes has the width of all heads.
fn as_it_is(
    applies: bool,
    what: &str,
    (name, size): (&str, usize),
    width: usize,
    head: &str,
) -> Result<()> {
    if !applies || size == width {
        return Ok(());
    }
    let problem = format!(
        "{what} are used as they come, but {name} is {size} and n_heads times {head} is {width}; \
         make them equal, or project"
    );
    Err(Error::configuration(
        LAYER,
        problem.replace("the output are used as they come", "the output is used as it comes"),
    ))
}

fn divide(name: &str, size: usize, n_heads: usize, instead: &str) -> Result<usize> {
    if size.is_multiple_of(n_heads) {
        return Ok(size / n_heads);
    }
    let problem = format!(
        "{name} is {size}, which {n_heads} heads do not divide; \
         choose n_heads among its divisors, or set {instead}"
    );
    Err(Error::configuration(LAYER, problem))
}
