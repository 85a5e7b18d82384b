//! The model: patches, class token, Hopfield layers, scores.

use burn::module::{Module, Param, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::initial;
use crate::error::{Error, Result};
use crate::flex::gelu;
use crate::train::{Classifier, ImageShape, seeds};
use crate::{Hopfield, HopfieldConfig, HopfieldInput, Norm, SeparationLoss};

/// What a [`ViH`] is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViHConfig {
    /// Size of the images.
    pub image: ImageShape,
    /// Classes.
    pub n_classes: usize,
    /// Height and width of a patch, which divide those of the images.
    pub patch_size: usize,
    /// Width of a token.
    pub dim: usize,
    /// Whether a learned embedding of its place is added to each token.
    pub positions: bool,
    /// What is between tokens and scores.
    pub body: BodyConfig,
}

/// What is between tokens and scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BodyConfig {
    /// One layer in which the class token is the state and the patches are the patterns, then ReLU: the
    /// released ViH.
    Pooling {
        /// The layer; its width is that of the tokens.
        hopfield: HopfieldConfig,
        /// Whether a linear map Φ with a bias stands before W_Q and W_K, and not before W_V.
        map: bool,
    },
    /// Transformer blocks among all tokens: x + Hopfield(LN x), then x + MLP(LN x).
    Blocks {
        /// Blocks, from 1.
        depth: usize,
        /// Width inside of the MLP, with GELU.
        hidden_dim: usize,
        /// The layer of each block; its width is that of the tokens.
        hopfield: HopfieldConfig,
    },
}

/// ViH: an image as patches, a class token that is associated with them, a score for each class.
///
/// 1. patches `[batch, n_patches, patch_size²·channels]`, each times a matrix: tokens of width `dim`;
/// 2. a learned class token before them, and embeddings of their places, if asked for;
/// 3. the [body](BodyConfig);
/// 4. the class token normalised, times a matrix: scores.
///
/// Linear maps start uniform in ±1/√(inputs), the class token as N(0, 1), places as N(0, 0.02²), by the seed
/// alone.
#[derive(Module, Debug)]
pub struct ViH {
    /// From a patch to a token.
    pub embedding: Linear,
    /// `[1, 1, dim]`.
    pub class_token: Param<Tensor<3>>,
    /// `[1, 1 + n_patches, dim]`.
    pub positions: Option<Param<Tensor<3>>>,
    /// Between tokens and scores.
    pub body: Body,
    /// Before the scores.
    pub norm: Norm,
    /// From the class token to scores.
    pub head: Linear,
    image: [usize; 3],
    patch_size: usize,
    draws: bool,
}

/// What is between tokens and scores; see [`BodyConfig`].
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a model has one")]
pub enum Body {
    /// One layer.
    Pooling(Pooling),
    /// Transformer blocks.
    Blocks(Vec<Block>),
}

/// The released layer.
#[derive(Module, Debug)]
pub struct Pooling {
    /// Φ before W_Q and W_K.
    pub map: Option<Linear>,
    /// The layer.
    pub hopfield: Hopfield,
}

/// A transformer block.
#[derive(Module, Debug)]
pub struct Block {
    /// Before the layer.
    pub norm: Norm,
    /// The layer.
    pub hopfield: Hopfield,
    /// Before the MLP.
    pub hidden_norm: Norm,
    /// Into the MLP.
    pub hidden: Linear,
    /// Out of it.
    pub output: Linear,
}

const MODEL: &str = "ViH";
/// Of its normalisations, as PyTorch has it.
const EPSILON: f64 = 1e-5;

impl ViHConfig {
    /// Patches of an image.
    ///
    /// # Errors
    /// [`is_configuration`](Error::is_configuration) when patches do not tile the images.
    pub fn n_patches(&self) -> Result<usize> {
        let (ImageShape { height, width, .. }, patch) = (self.image, self.patch_size);
        if patch == 0 || height == 0 || height % patch != 0 || width % patch != 0 {
            let problem = format!(
                "patches of {patch} x {patch} pixels do not tile images of {height} x {width}; \
                 choose patch_size among the common divisors"
            );
            return Err(Error::configuration(MODEL, problem));
        }
        Ok((height / patch) * (width / patch))
    }

    /// The model, its parameters by the seed.
    ///
    /// # Errors
    /// [`is_configuration`](Error::is_configuration) when patches do not tile the images, there is nothing of
    /// something, or the layer's configuration has no meaning.
    pub fn init(&self, seed: u64, device: &Device) -> Result<ViH> {
        let n_patches = self.n_patches()?;
        let (dim, patch_size) = (self.dim, self.patch_size);
        for (name, n) in
            [("dim", dim), ("n_classes", self.n_classes), ("channels", self.image.channels)]
        {
            if n == 0 {
                let problem = format!("{name} is 0; it must be at least 1");
                return Err(Error::configuration(MODEL, problem));
            }
        }
        let (BodyConfig::Pooling { hopfield, .. } | BodyConfig::Blocks { hopfield, .. }) =
            &self.body;
        if hopfield.dim != dim {
            let problem =
                format!("the tokens have dim {dim}, the layer {}; make them equal", hopfield.dim);
            return Err(Error::configuration(MODEL, problem));
        }
        // Layers draw their first parameters from the device; they are drawn anew below.
        let _held = seeds::hold_generator();
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let norm = || Norm::affine(dim, EPSILON, device);
        let body = match &self.body {
            BodyConfig::Pooling { hopfield, map } => Body::Pooling(Pooling {
                map: map.then(|| linear(dim, dim)),
                hopfield: hopfield.init(device)?,
            }),
            &BodyConfig::Blocks { depth, hidden_dim, ref hopfield } => {
                if depth == 0 || hidden_dim == 0 {
                    let problem = format!(
                        "depth is {depth} and hidden_dim {hidden_dim}; both must be at least 1"
                    );
                    return Err(Error::configuration(MODEL, problem));
                }
                let block = |_| -> Result<Block> {
                    Ok(Block {
                        norm: norm(),
                        hopfield: hopfield.init(device)?,
                        hidden_norm: norm(),
                        hidden: linear(dim, hidden_dim),
                        output: linear(hidden_dim, dim),
                    })
                };
                Body::Blocks((0..depth).map(block).collect::<Result<_>>()?)
            }
        };
        let token = |shape, deviation, index| {
            let numbers = initial::normal(shape, deviation, seed, index);
            Param::from_tensor(Tensor::<3>::from_data(numbers, device))
        };
        let ImageShape { height, width, channels } = self.image;
        let model = ViH {
            embedding: linear(patch_size * patch_size * channels, dim),
            class_token: token([1, 1, dim], 1.0, 1),
            positions: self.positions.then(|| token([1, 1 + n_patches, dim], 0.02, 2)),
            body,
            norm: norm(),
            head: linear(dim, self.n_classes),
            image: [height, width, channels],
            patch_size,
            draws: hopfield.association.dropout > 0.0,
        };
        Ok(initial::drawn(model, seed))
    }

    /// Another width of the tokens, with the width inside of MLPs in proportion.
    pub fn set_dim(&mut self, dim: usize) {
        match &mut self.body {
            BodyConfig::Pooling { hopfield, .. } => hopfield.dim = dim,
            BodyConfig::Blocks { hidden_dim, hopfield, .. } => {
                *hidden_dim = dim * *hidden_dim / self.dim.max(1);
                hopfield.dim = dim;
            }
        }
        self.dim = dim;
    }
}

impl ViH {
    /// The tokens of images, the class token first.
    ///
    /// # Shapes
    /// - images: `[batch, height·width·channels]`, rows of pixels from the top, channels side by side
    /// - result: `[batch, 1 + n_patches, dim]`
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) for images of another size.
    pub fn tokens(&self, images: Tensor<2>) -> Result<Tensor<3>> {
        let ([batch, dim], [height, width, channels]) = (images.dims(), self.image);
        if dim != height * width * channels {
            let need = format!("the model is for images of {height} x {width} x {channels}");
            return Err(Error::shape(MODEL, "the images", &[batch, dim], need));
        }
        let patch = self.patch_size;
        let (down, across) = (height / patch, width / patch);
        // Flat, because the gradient of a batched product costs more.
        let patches = images
            .reshape([batch, down, patch, across, patch * channels])
            .swap_dims(2, 3)
            .reshape([batch * down * across, patch * patch * channels]);
        let width = self.embedding.weight.dims()[1];
        let patches = self.embedding.forward(patches).reshape([batch, down * across, width]);
        let class_token = self.class_token.val().expand([batch, 1, width]);
        let tokens = Tensor::cat(vec![class_token, patches], 1);
        Ok(match &self.positions {
            None => tokens,
            Some(positions) => tokens + positions.val(),
        })
    }

    /// Parameters that training moves.
    pub fn n_parameters(&self) -> usize {
        self.num_params()
    }
}

/// The rows of a batch through a map of rows.
fn of_rows(rows: Tensor<3>, map: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [batch, n, width] = rows.dims();
    let mapped = map(rows.reshape([batch * n, width]));
    let [_, width] = mapped.dims();
    mapped.reshape([batch, n, width])
}

impl Pooling {
    /// The class token after the layer, `[batch, dim]`.
    fn forward(&self, tokens: Tensor<3>) -> Result<Tensor<2>> {
        let [batch, n, dim] = tokens.dims();
        let patches = tokens.clone().narrow(1, 1, n - 1);
        let input = match &self.map {
            None => HopfieldInput::new(tokens.narrow(1, 0, 1), patches),
            Some(map) => {
                let mapped = of_rows(tokens, |rows| map.forward(rows));
                let states = mapped.clone().narrow(1, 0, 1);
                HopfieldInput::new(states, mapped.narrow(1, 1, n - 1)).with_values(patches)
            }
        };
        let readout = self.hopfield.forward(input)?.readout;
        Ok(relu(readout.reshape([batch, dim])))
    }
}

impl Block {
    fn forward(&self, tokens: Tensor<3>) -> Result<Tensor<3>> {
        let normed = of_rows(tokens.clone(), |rows| self.norm.forward(rows));
        let tokens = tokens + self.hopfield.forward(HopfieldInput::among(normed))?.readout;
        let hidden = of_rows(tokens.clone(), |rows| {
            self.output.forward(gelu(self.hidden.forward(self.hidden_norm.forward(rows))))
        });
        Ok(tokens + hidden)
    }
}

impl Classifier for ViH {
    fn logits(&self, images: Tensor<2>) -> Result<Tensor<2>> {
        let tokens = self.tokens(images)?;
        let class_token = match &self.body {
            Body::Pooling(pooling) => pooling.forward(tokens)?,
            Body::Blocks(blocks) => {
                let tokens =
                    blocks.iter().try_fold(tokens, |tokens, block| block.forward(tokens))?;
                let [batch, _, dim] = tokens.dims();
                tokens.narrow(1, 0, 1).reshape([batch, dim])
            }
        };
        Ok(self.head.forward(self.norm.forward(class_token)))
    }

    /// Of the tokens of an image, the class token among them as in the released code; the mean over blocks.
    fn separation_loss(
        &self,
        images: Tensor<2>,
        loss: &SeparationLoss,
    ) -> Result<Option<Tensor<1>>> {
        let tokens = self.tokens(images)?;
        match &self.body {
            Body::Pooling(Pooling { map: Some(map), .. }) => {
                Ok(Some(loss.value(of_rows(tokens, |rows| map.forward(rows)), None)))
            }
            Body::Pooling(Pooling { map: None, hopfield }) => match hopfield.feature_map {
                None => Ok(None),
                Some(_) => hopfield.separation_loss(tokens, None, loss).map(Some),
            },
            Body::Blocks(blocks) => {
                let mut total: Option<Tensor<1>> = None;
                let mut tokens = tokens;
                for (i, block) in blocks.iter().enumerate() {
                    if block.hopfield.feature_map.is_none() {
                        return Ok(None);
                    }
                    let normed = of_rows(tokens.clone(), |rows| block.norm.forward(rows));
                    let own = block.hopfield.separation_loss(normed, None, loss)?;
                    total = Some(match total {
                        None => own,
                        Some(others) => others + own,
                    });
                    if i + 1 < blocks.len() {
                        tokens = block.forward(tokens)?;
                    }
                }
                Ok(total.map(|total| total / blocks.len() as f64))
            }
        }
    }

    fn feature_maps(&self) -> Vec<ParamId> {
        let of_layer = |hopfield: &Hopfield| hopfield.feature_map.as_ref().map(|map| map.weight.id);
        match &self.body {
            Body::Pooling(Pooling { map, hopfield }) => {
                let own = map.iter().flat_map(|map| {
                    std::iter::once(map.weight.id).chain(map.bias.as_ref().map(|bias| bias.id))
                });
                own.chain(of_layer(hopfield)).collect()
            }
            Body::Blocks(blocks) => {
                blocks.iter().filter_map(|block| of_layer(&block.hopfield)).collect()
            }
        }
    }

    fn draws(&self) -> bool {
        self.draws
    }
}
