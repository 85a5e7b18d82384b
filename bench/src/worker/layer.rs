//! Training steps of a Hopfield layer and of an image classifier, on the CPU.

use std::fmt;

use ndarray::Array2;
use uhop::Patterns;
use uhop_nn::burn::nn::Linear;
use uhop_nn::burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use uhop_nn::burn::tensor::activation::log_softmax;
use uhop_nn::burn::tensor::{Int, Tensor, TensorData};
use uhop_nn::train::{Classifier as _, DeviceName, ImageShape, keep_freed_memory};
use uhop_nn::vision::{Body, Contender, Preset, ViH};
use uhop_nn::{
    Hopfield, HopfieldConfig, HopfieldInput, Norm, NormalizationConfig, SeparationConfig,
};

use super::Problem;

const RATE: f64 = 1e-3;
const N_CLASSES: usize = 10;

/// What is trained, on the same batch at every step.
pub(super) struct Trainee {
    model: Model,
    optimizer: ModuleOptimizer,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it for each trainee")]
enum Model {
    /// Loss: the mean square of the readouts of tokens associated with each other.
    Layer { layer: Kept<Hopfield>, tokens: Tensor<3> },
    /// Loss: the cross-entropy, where image i is of class i mod 10.
    Classifier { model: Kept<ViH>, images: Tensor<2>, classes: Tensor<2, Int> },
}

impl Trainee {
    /// A layer without normalisations; `tokens` are rows, those of a sample after each other.
    pub(super) fn layer(
        tokens: &Patterns<f32>,
        n_samples: usize,
        n_heads: usize,
        separation: SeparationConfig,
    ) -> Result<Self, Problem> {
        let [n, dim] = [tokens.n_patterns(), tokens.dim()];
        if n_samples == 0 || n % n_samples != 0 {
            return Err(Problem::Samples { n_samples, n });
        }
        let device = DeviceName::Cpu.open()?;
        device.seed(0);
        let mut config = HopfieldConfig::new(dim).with_heads(n_heads).with_separation(separation);
        config.normalization = NormalizationConfig::off();
        let layer = Kept::new(config.init(&device)?);
        let values: Vec<f32> = tokens.view().iter().copied().collect();
        let data = TensorData::new(values, [n_samples, n / n_samples, dim]);
        let tokens = Tensor::from_data(data, &device);
        Ok(Self::of(Model::Layer { layer, tokens }))
    }

    /// The fair ViH; `images` are rows of 32 × 32 pixels in three channels.
    pub(super) fn classifier(
        images: &Patterns<f32>,
        contender: Contender,
    ) -> Result<Self, Problem> {
        let device = DeviceName::Cpu.open()?;
        let shape = ImageShape { height: 32, width: 32, channels: 3 };
        let config = Preset::Fair.of(contender, shape, N_CLASSES).model;
        let model = Kept::new(config.init(0, &device)?);
        let [n, dim] = [images.n_patterns(), images.dim()];
        let values: Vec<f32> = images.view().iter().copied().collect();
        let images = Tensor::from_data(TensorData::new(values, [n, dim]), &device);
        let classes: Vec<i32> = (0..n).map(|i| (i % N_CLASSES) as i32).collect();
        let classes = Tensor::from_data(TensorData::new(classes, [n, 1]), &device);
        Ok(Self::of(Model::Classifier { model, images, classes }))
    }

    fn of(model: Model) -> Self {
        keep_freed_memory();
        Self { model, optimizer: AdamConfig::new().with_epsilon(1e-8).init() }
    }

    /// All parameters one after the other, those that belong to no map first: matrices `[inputs, outputs]`,
    /// each before its bias.
    pub(super) fn parameters(&self) -> Array2<f32> {
        let mut all = Parameters::default();
        match &self.model {
            Model::Layer { layer, .. } => all.layer(layer.get()),
            Model::Classifier { model, .. } => all.classifier(model.get()),
        }
        let n = all.0.len();
        Array2::from_shape_vec((1, n), all.0).expect("one row of them")
    }

    /// Forward, backward, Adam; readouts or scores before the step, as rows.
    pub(super) fn step(&mut self) -> Result<Array2<f32>, Problem> {
        match &mut self.model {
            Model::Layer { layer, tokens } => {
                let readout = layer.get().forward(HopfieldInput::among(tokens.clone()))?.readout;
                let loss = readout.clone().square().mean();
                let gradients = GradientsParams::from_grads(loss.backward(), layer.get());
                layer.replace(|layer| self.optimizer.step(RATE, layer, gradients));
                let [batch, n, dim] = readout.dims();
                Ok(rows(readout.reshape([batch * n, dim])))
            }
            Model::Classifier { model, images, classes } => {
                let scores = model.get().logits(images.clone())?;
                let loss = log_softmax(scores.clone(), 1).gather(1, classes.clone()).mean().neg();
                let gradients = GradientsParams::from_grads(loss.backward(), model.get());
                model.replace(|model| self.optimizer.step(RATE, model, gradients));
                Ok(rows(scores))
            }
        }
    }
}

/// A module that a step takes whole, so that its parameters are changed in place.
struct Kept<M>(Option<Box<M>>);

impl<M> Kept<M> {
    fn new(module: M) -> Self {
        Self(Some(Box::new(module)))
    }

    fn get(&self) -> &M {
        self.0.as_ref().expect("it is back after each step")
    }

    fn replace(&mut self, step: impl FnOnce(M) -> M) {
        self.0 = self.0.take().map(|module| Box::new(step(*module)));
    }
}

impl fmt::Debug for Trainee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.model {
            Model::Layer { .. } => "layer",
            Model::Classifier { .. } => "classifier",
        };
        f.debug_struct("Trainee").field("model", &kind).finish_non_exhaustive()
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("the CPU computes in f32")
}

fn rows(tensor: Tensor<2>) -> Array2<f32> {
    let [n, dim] = tensor.dims();
    Array2::from_shape_vec((n, dim), numbers(tensor)).expect("as many as its shape says")
}

#[derive(Default)]
struct Parameters(Vec<f32>);

impl Parameters {
    fn tensor<const D: usize>(&mut self, tensor: Tensor<D>) {
        self.0.extend(numbers(tensor));
    }

    fn linear(&mut self, linear: &Linear) {
        self.tensor(linear.weight.val());
        if let Some(bias) = &linear.bias {
            self.tensor(bias.val());
        }
    }

    fn norm(&mut self, norm: &Norm) {
        for numbers in norm.scale.iter().chain(&norm.shift) {
            self.tensor(numbers.val());
        }
    }

    fn layer(&mut self, layer: &Hopfield) {
        for linear in [&layer.states, &layer.patterns, &layer.values, &layer.output] {
            linear.iter().for_each(|linear| self.linear(linear));
        }
    }

    fn classifier(&mut self, model: &ViH) {
        self.tensor(model.class_token.val());
        model.positions.iter().for_each(|places| self.tensor(places.val()));
        self.linear(&model.embedding);
        if let Body::Blocks(blocks) = &model.body {
            for block in blocks {
                self.norm(&block.norm);
                self.layer(&block.hopfield);
                self.norm(&block.hidden_norm);
                self.linear(&block.hidden);
                self.linear(&block.output);
            }
        }
        self.norm(&model.norm);
        self.linear(&model.head);
    }
}
