//! The Hopfield layer: states associated with stored patterns.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear};
use burn::tensor::{Bool, Device, Tensor};
use uhop::StopReason;

use crate::config::{Beta, DynamicsConfig, HopfieldConfig, Projection, ValueProjection, Widths};
use crate::error::{Error, Result};
use crate::feature_map::FeatureMap;
use crate::heads;
use crate::normalization::Norm;
use crate::separation::Separator;
use crate::separation_loss::SeparationLoss;

/// Associates states with stored patterns and reads out their values, head by head.
///
/// With q = W_Q state, k = W_K pattern, v = W_V value, all normalised before:
///
/// 1. p = separation(β ⟨Φ(k), Φ(q)⟩), Φ the identity without a feature map;
/// 2. q ← Σ p k and 1 again, for every update after the first;
/// 3. output = W_O Σ p v.
///
/// One update is the attention of Ramsauer et al. 2021; with every projection static it is the
/// update of [`uhop::Memory`].
///
/// ```
/// use burn::tensor::Tensor;
/// use uhop_nn::{HopfieldConfig, HopfieldInput, SeparationConfig};
///
/// let device = Default::default();
/// let layer = HopfieldConfig::new(8)
///     .with_heads(2)
///     .with_separation(SeparationConfig::Sparsemax)
///     .init(&device)?;
/// let tokens = Tensor::zeros([3, 5, 8], &device);
/// let output = layer.forward(HopfieldInput::among(tokens))?;
/// assert_eq!(output.readout.dims(), [3, 5, 8]);
/// assert_eq!(output.weights.dims(), [3, 2, 5, 5]);
/// # Ok::<(), uhop_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Hopfield {
    /// W_Q, unless states are static.
    pub states: Option<Linear>,
    /// W_K, unless patterns are static.
    pub patterns: Option<Linear>,
    /// W_V, unless values are static; after W_K when it is connected.
    pub values: Option<Linear>,
    /// W_O, unless the output is static.
    pub output: Option<Linear>,
    /// Of the states.
    pub norm_states: Option<Norm>,
    /// Of the stored patterns.
    pub norm_patterns: Option<Norm>,
    /// Of the values.
    pub norm_values: Option<Norm>,
    /// Of q and k in each head.
    pub norm_projected: Option<Norm>,
    /// Φ.
    pub feature_map: Option<FeatureMap>,
    /// From scores to weights.
    pub separation: Separator,
    dropout: Dropout,
    #[module(skip)]
    beta: Vec<f64>,
    #[module(skip)]
    dynamics: DynamicsConfig,
    #[module(skip)]
    widths: Widths,
    connected: bool,
    zero_pattern: bool,
}

/// What a [`Hopfield`] layer is given.
///
/// Both masks say the same: `true` is a pattern that must not be used. A state for which no pattern
/// is left gets weights, and a readout before W_O, of 0.
#[derive(Debug, Clone)]
pub struct HopfieldInput {
    /// `[batch, n_states, dim]`.
    pub states: Tensor<3>,
    /// `[batch, n_patterns, pattern_dim]`.
    pub patterns: Tensor<3>,
    /// `[batch, n_patterns, value_dim]`; the stored patterns when absent.
    pub values: Option<Tensor<3>>,
    /// `[batch, n_patterns]`: `true` where a pattern is padding, for every state and head.
    pub padding: Option<Tensor<2, Bool>>,
    /// `[batch or 1, n_heads or 1, n_states, n_patterns]`: `true` where this state must not use this
    /// pattern.
    pub blocked: Option<Tensor<4, Bool>>,
}

/// What a [`Hopfield`] layer gives.
#[derive(Debug, Clone)]
pub struct HopfieldOutput {
    /// `[batch, n_states, output_dim]`.
    pub readout: Tensor<3>,
    /// The association weights p, `[batch, n_heads, n_states, n_patterns]`, before dropout; one column
    /// more with a zero pattern. Gradients flow through them.
    pub weights: Tensor<4>,
    /// The values v of all heads side by side, `[batch, n_patterns, n_heads·value_head_dim]`.
    pub values: Tensor<3>,
    /// Updates made.
    pub steps: usize,
    /// Why they ended.
    pub stop: StopReason,
}

impl HopfieldInput {
    /// States associated with patterns, whose values are the patterns.
    pub fn new(states: Tensor<3>, patterns: Tensor<3>) -> Self {
        Self { states, patterns, values: None, padding: None, blocked: None }
    }

    /// Rows associated with each other: each is a state and a pattern.
    pub fn among(rows: Tensor<3>) -> Self {
        Self::new(rows.clone(), rows)
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

    /// With `true` where a state must not use a pattern.
    pub fn with_blocked(mut self, blocked: Tensor<4, Bool>) -> Self {
        self.blocked = Some(blocked);
        self
    }
}

const LAYER: &str = "Hopfield";

impl Hopfield {
    pub(crate) fn new(config: &HopfieldConfig, device: &Device) -> Result<Self> {
        let widths = config.widths()?;
        let (projection, norms) = (&config.projection, &config.normalization);
        let (width, value_width) = (widths.width(), widths.value_width());
        check(config)?;
        let project = |learned: bool, from: usize, to: usize| {
            learned.then(|| linear(from, to, projection.bias, device))
        };
        let connected = projection.values == ValueProjection::Connected;
        let value_source = if connected { width } else { widths.value_dim };
        let learned = |which: Projection| which == Projection::Learned;
        let feature_map = match &config.feature_map {
            None => None,
            Some(map) => Some(map.init(widths.n_heads, widths.head_dim, device)?),
        };
        Ok(Self {
            states: project(learned(projection.states), widths.dim, width),
            patterns: project(learned(projection.patterns), widths.pattern_dim, width),
            values: project(
                projection.values != ValueProjection::Static,
                value_source,
                value_width,
            ),
            output: project(learned(projection.output), value_width, widths.output_dim),
            norm_states: Norm::new(norms.states, widths.dim, device),
            norm_patterns: Norm::new(norms.patterns, widths.pattern_dim, device),
            norm_values: Norm::new(norms.values, widths.value_dim, device),
            norm_projected: Norm::new(norms.projected, widths.head_dim, device),
            feature_map,
            separation: config.association.separation.init(widths.n_heads, device)?,
            dropout: DropoutConfig::new(config.association.dropout).init(),
            beta: betas(config, &widths)?,
            dynamics: config.dynamics.clone(),
            widths,
            connected,
            zero_pattern: config.association.zero_pattern,
        })
    }

    /// Readouts and association weights.
    ///
    /// # Shapes
    /// As [`HopfieldInput`] and [`HopfieldOutput`] say.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch).
    pub fn forward(&self, input: HopfieldInput) -> Result<HopfieldOutput> {
        self.check_input(&input)?;
        let HopfieldInput { states, patterns, values, padding, blocked } = input;
        let left_out = self.left_out(&states, &patterns, padding, blocked);
        let given = values.unwrap_or_else(|| patterns.clone());
        let raw = project(self.patterns.as_ref(), self.norm_patterns.as_ref(), patterns);
        let values = if self.connected {
            let keys = project(self.patterns.as_ref(), self.norm_values.as_ref(), given);
            project(self.values.as_ref(), None, keys)
        } else {
            project(self.values.as_ref(), self.norm_values.as_ref(), given)
        };
        let keys = self.normalize_projected(raw);
        let states = project(self.states.as_ref(), self.norm_states.as_ref(), states);
        let states = self.normalize_projected(states);

        let (weights, steps, stop) = self.associate(states, keys, left_out.as_ref());
        let used = self.dropout.forward(self.of_patterns(weights.clone()));
        let readout = heads::readout(used, values.clone());
        let readout = project(self.output.as_ref(), None, readout);
        Ok(HopfieldOutput { readout, weights, values, steps, stop })
    }

    /// The stored patterns in the space where they meet states, before Φ: k, `[batch, n_patterns,
    /// n_heads·head_dim]`.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch).
    pub fn keys(&self, patterns: Tensor<3>) -> Result<Tensor<3>> {
        let [_, _, dim] = patterns.dims();
        if dim != self.widths.pattern_dim {
            let need = format!("their last axis must be pattern_dim, {}", self.widths.pattern_dim);
            return Err(Error::shape(LAYER, "the patterns", &patterns.dims(), need));
        }
        let raw = project(self.patterns.as_ref(), self.norm_patterns.as_ref(), patterns);
        Ok(self.normalize_projected(raw))
    }

    /// The separation loss of the stored patterns of a batch, `[1]`: how close their features Φ(k) are,
    /// sample by sample, and head by head unless Φ is joint.
    ///
    /// Without a feature map Φ(k) = k. To train Φ alone, give its gradients alone to the optimizer.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch), also when there are fewer than two patterns.
    pub fn separation_loss(
        &self,
        patterns: Tensor<3>,
        padding: Option<Tensor<2, Bool>>,
        loss: &SeparationLoss,
    ) -> Result<Tensor<1>> {
        let [batch, n_patterns, _] = patterns.dims();
        if batch == 0 || n_patterns < 2 {
            let need = "a separation loss needs two patterns to tell apart";
            return Err(Error::shape(LAYER, "the patterns", &patterns.dims(), need));
        }
        if let Some(padding) = &padding {
            check_padding(padding, batch, n_patterns)?;
        }
        let features = self.features(self.keys(patterns)?);
        let n_parts = self.feature_map.as_ref().map_or(self.widths.n_heads, FeatureMap::n_parts);
        let [_, _, width] = features.dims();
        let sets = features
            .reshape([batch, n_patterns, n_parts, width / n_parts])
            .swap_dims(1, 2)
            .reshape([batch * n_parts, n_patterns, width / n_parts]);
        let padding = padding.map(|padding| {
            padding
                .unsqueeze_dim::<3>(1)
                .repeat_dim(1, n_parts)
                .reshape([batch * n_parts, n_patterns])
        });
        Ok(loss.value(sets, padding))
    }

    /// The weights after the last update, how many were made and why they ended.
    fn associate(
        &self,
        states: Tensor<3>,
        keys: Tensor<3>,
        left_out: Option<&Tensor<4, Bool>>,
    ) -> (Tensor<4>, usize, StopReason) {
        let key_features = self.features(keys.clone());
        let mut weights = self.weights(states, key_features.clone(), left_out);
        let mut rests: Option<Tensor<4, Bool>> = None;
        for steps in 2..=self.dynamics.max_steps {
            let states = heads::readout(self.of_patterns(weights.clone()), keys.clone());
            let mut next = self.weights(states, key_features.clone(), left_out);
            if let Some(rests) = rests {
                next = next.mask_where(rests.expand(weights.dims()), weights.clone());
            }
            if self.dynamics.tolerance == 0.0 {
                rests = None;
                weights = next;
                continue;
            }
            let moved = (next.clone() - weights).detach().square().sum_dim(3).sqrt();
            let still = moved.lower_equal_elem(self.dynamics.tolerance);
            weights = next;
            if still.clone().all().into_scalar::<bool>() {
                return (weights, steps, StopReason::Converged);
            }
            rests = Some(still);
        }
        (weights, self.dynamics.max_steps, StopReason::MaxSteps)
    }

    /// p = separation(β ⟨Φ(k), Φ(q)⟩).
    fn weights(
        &self,
        states: Tensor<3>,
        key_features: Tensor<3>,
        left_out: Option<&Tensor<4, Bool>>,
    ) -> Tensor<4> {
        let n_heads = self.widths.n_heads;
        let mut scores = heads::scores(self.features(states), key_features, n_heads, &self.beta);
        if let Some(left_out) = left_out {
            scores = scores.mask_fill(left_out.clone(), f64::NEG_INFINITY);
        }
        if self.zero_pattern {
            let [batch, n_heads, n_states, _] = scores.dims();
            let options = (&scores.device(), scores.dtype());
            scores =
                Tensor::cat(vec![scores, Tensor::zeros([batch, n_heads, n_states, 1], options)], 3);
        }
        self.separation.forward(scores)
    }

    /// The weights of the patterns, without that of the zero pattern.
    fn of_patterns(&self, weights: Tensor<4>) -> Tensor<4> {
        if !self.zero_pattern {
            return weights;
        }
        let n = weights.dims()[3] - 1;
        weights.narrow(3, 0, n)
    }

    fn features(&self, rows: Tensor<3>) -> Tensor<3> {
        match &self.feature_map {
            None => rows,
            Some(map) => map.forward(rows),
        }
    }

    fn normalize_projected(&self, rows: Tensor<3>) -> Tensor<3> {
        let Some(norm) = &self.norm_projected else { return rows };
        let [batch, n, width] = rows.dims();
        let heads = rows.reshape([batch * n * self.widths.n_heads, self.widths.head_dim]);
        norm.forward(heads).reshape([batch, n, width])
    }

    /// Both masks as one of the scores, `[batch, n_heads, n_states, n_patterns]`.
    fn left_out(
        &self,
        states: &Tensor<3>,
        patterns: &Tensor<3>,
        padding: Option<Tensor<2, Bool>>,
        blocked: Option<Tensor<4, Bool>>,
    ) -> Option<Tensor<4, Bool>> {
        let ([batch, n_states, _], [_, n_patterns, _]) = (states.dims(), patterns.dims());
        let shape = [batch, self.widths.n_heads, n_states, n_patterns];
        let padding =
            padding.map(|padding| padding.reshape([batch, 1, 1, n_patterns]).expand(shape));
        let blocked = blocked.map(|blocked| blocked.expand(shape));
        match (padding, blocked) {
            (Some(padding), Some(blocked)) => Some(padding.bool_or(blocked)),
            (padding, blocked) => padding.or(blocked),
        }
    }

    pub(crate) fn widths(&self) -> &Widths {
        &self.widths
    }

    fn check_input(&self, input: &HopfieldInput) -> Result<()> {
        let widths = &self.widths;
        let [batch, n_states, dim] = input.states.dims();
        if dim != widths.dim {
            let need = format!("their last axis must be dim, {}", widths.dim);
            return Err(Error::shape(LAYER, "the states", &input.states.dims(), need));
        }
        let [pattern_batch, n_patterns, pattern_dim] = input.patterns.dims();
        if pattern_batch != batch || pattern_dim != widths.pattern_dim {
            let need = format!(
                "for states of shape {:?} they must be [{batch}, n_patterns, {}]",
                input.states.dims(),
                widths.pattern_dim,
            );
            return Err(Error::shape(LAYER, "the patterns", &input.patterns.dims(), need));
        }
        if batch == 0 || n_states == 0 || n_patterns == 0 {
            let (what, shape) = if n_patterns == 0 {
                ("the patterns", input.patterns.dims())
            } else {
                ("the states", input.states.dims())
            };
            return Err(Error::shape(LAYER, what, &shape, "no axis may be 0"));
        }
        if let Some(values) = &input.values {
            if values.dims() != [batch, n_patterns, widths.value_dim] {
                let need = format!(
                    "for patterns of shape {:?} they must be [{batch}, {n_patterns}, {}]",
                    input.patterns.dims(),
                    widths.value_dim,
                );
                return Err(Error::shape(LAYER, "the values", &values.dims(), need));
            }
        } else if widths.value_dim != widths.pattern_dim {
            let need = format!(
                "they cannot be values of width value_dim, {}; give values",
                widths.value_dim
            );
            return Err(Error::shape(LAYER, "the patterns", &input.patterns.dims(), need));
        }
        if let Some(padding) = &input.padding {
            check_padding(padding, batch, n_patterns)?;
        }
        if let Some(blocked) = &input.blocked {
            let [b, h, s, p] = blocked.dims();
            let fits = |size: usize, full: usize| size == 1 || size == full;
            let fits =
                fits(b, batch) && fits(h, widths.n_heads) && s == n_states && p == n_patterns;
            if !fits {
                let need = format!(
                    "they must be [{batch} or 1, {} or 1, {n_states}, {n_patterns}]",
                    widths.n_heads
                );
                return Err(Error::shape(LAYER, "the blocked pairs", &blocked.dims(), need));
            }
        }
        Ok(())
    }
}

fn check_padding(padding: &Tensor<2, Bool>, batch: usize, n_patterns: usize) -> Result<()> {
    if padding.dims() == [batch, n_patterns] {
        return Ok(());
    }
    let need = format!("it is one entry for each pattern, [{batch}, {n_patterns}]");
    Err(Error::shape(LAYER, "the entries of the padding", &padding.dims(), need))
}

/// Parameters of the configuration that widths do not depend on.
fn check(config: &HopfieldConfig) -> Result<()> {
    let dropout = config.association.dropout;
    if !(0.0..1.0).contains(&dropout) {
        let problem = format!("dropout is {dropout}; it must be at least 0 and below 1");
        return Err(Error::configuration(LAYER, problem));
    }
    let DynamicsConfig { max_steps, tolerance } = config.dynamics;
    if max_steps == 0 {
        return Err(Error::configuration(LAYER, "max_steps is 0; it must be at least 1"));
    }
    if !(tolerance >= 0.0 && tolerance.is_finite()) {
        let problem = format!("tolerance is {tolerance}; it must be finite and at least 0");
        return Err(Error::configuration(LAYER, problem));
    }
    Ok(())
}

/// β of all heads, or of each.
fn betas(config: &HopfieldConfig, widths: &Widths) -> Result<Vec<f64>> {
    let betas = match &config.association.beta {
        Beta::Standard if config.projection.states == Projection::Static => vec![1.0],
        Beta::Standard => {
            let map = config.feature_map.as_ref();
            let dim = map.map_or(widths.head_dim, |map| map.feature_dim(widths.head_dim));
            vec![1.0 / (dim as f64).sqrt()]
        }
        Beta::All(beta) => vec![*beta],
        Beta::PerHead(betas) => betas.clone(),
    };
    if matches!(config.association.beta, Beta::PerHead(_)) && betas.len() != widths.n_heads {
        let problem = format!(
            "beta has {} entries for {} heads; give one for each head, or one for all",
            betas.len(),
            widths.n_heads
        );
        return Err(Error::configuration(LAYER, problem));
    }
    match betas.iter().find(|beta| !(**beta > 0.0 && beta.is_finite())) {
        None => Ok(betas),
        Some(beta) => {
            let problem = format!("beta is {beta}; it must be finite and above 0");
            Err(Error::configuration(LAYER, problem))
        }
    }
}

/// Normalised, then projected, as far as there is something to do it.
fn project(map: Option<&Linear>, norm: Option<&Norm>, rows: Tensor<3>) -> Tensor<3> {
    let [batch, n, width] = rows.dims();
    let rows = match norm {
        None => rows,
        Some(norm) => norm.forward(rows.reshape([batch * n, width])).reshape([batch, n, width]),
    };
    match map {
        None => rows,
        Some(map) => heads::linear(map, rows),
    }
}

/// Weights from N(0, 0.02²), a bias of 0.
fn linear(from: usize, to: usize, bias: bool, device: &Device) -> Linear {
    let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
    let bias: Option<Param<Tensor<1>>> = bias.then(|| Initializer::Zeros.init([to], device));
    Linear { weight: normal.init([from, to], device), bias }
}
