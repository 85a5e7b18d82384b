//! A transformer block of a Hopfield layer with a feature map, trained as Algorithm 2 says:
//! `cargo run -p uhop-nn --example block`.
//!
//! Digits are 16 patches. Before each epoch of the task, Φ alone takes steps down the separation loss of the
//! patches' keys; the same block without Φ is beside it.

use std::error::Error;
use std::io::{self, Write as _};

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use uhop_data::sample;
use uhop_nn::{FeatureMapConfig, Hopfield, HopfieldConfig, HopfieldInput, SeparationLoss, Span};

const N_PATCHES: usize = 16;
const PATCH: usize = 49;
const WIDTH: usize = 64;
const BATCH: usize = 100;
const N_TRAIN: usize = 800;
const N_OUTER: usize = 6;
const N_INNER: usize = 5;

/// x ← x + Hopfield(x); x ← x + MLP(norm(x)). The layer normalises what it is given itself.
#[derive(Module, Debug)]
struct Block {
    hopfield: Hopfield,
    norm: LayerNorm,
    expand: Linear,
    contract: Linear,
}

#[derive(Module, Debug)]
struct Model {
    embed: Linear,
    block: Block,
    classify: Linear,
}

impl Model {
    fn new(hopfield: &HopfieldConfig, device: &Device) -> uhop_nn::Result<Self> {
        Ok(Self {
            embed: LinearConfig::new(PATCH, WIDTH).init(device),
            block: Block {
                hopfield: hopfield.init(device)?,
                norm: LayerNormConfig::new(WIDTH).init(device),
                expand: LinearConfig::new(WIDTH, 2 * WIDTH).init(device),
                contract: LinearConfig::new(2 * WIDTH, WIDTH).init(device),
            },
            classify: LinearConfig::new(N_PATCHES * WIDTH, 10).init(device),
        })
    }

    /// Patches `[batch, 16, 49]` as tokens `[batch, 16, 64]`.
    fn tokens(&self, patches: Tensor<3>) -> Tensor<3> {
        rows(patches, |rows| self.embed.forward(rows))
    }

    fn forward(&self, patches: Tensor<3>) -> uhop_nn::Result<Tensor<2>> {
        let x = self.tokens(patches);
        let block = &self.block;
        let x = x.clone() + block.hopfield.forward(HopfieldInput::among(x))?.readout;
        let x = x.clone()
            + rows(x, |rows| {
                let rows = activation::gelu(block.expand.forward(block.norm.forward(rows)));
                block.contract.forward(rows)
            });
        Ok(self.classify.forward(x.flatten(1, 2)))
    }
}

/// Linear maps of every row as one product.
fn rows(x: Tensor<3>, map: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [batch, n, width] = x.dims();
    let rows = map(x.reshape([batch * n, width]));
    let [_, width] = rows.dims();
    rows.reshape([batch, n, width])
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let device = Device::flex().autodiff();
    let (train, train_labels) = patches(0..N_TRAIN, &device);
    let (test, test_labels) = patches(N_TRAIN..1000, &device.clone().inner());
    let plain = HopfieldConfig::new(WIDTH).with_heads(4).with_beta(2.0);
    let map = FeatureMapConfig { span: Span::PerHead, feature_dim: None };

    for config in [plain.clone(), plain.with_feature_map(map)] {
        device.seed(7);
        let mut model = Model::new(&config, &device)?;
        let task = CrossEntropyLossConfig::new().init(&device);
        let (mut inner, mut outer) = (SgdConfig::new().init(), AdamConfig::new().init());
        let separates = config.feature_map.is_some();
        let name = if separates { "with Φ, its separation loss first" } else { "without Φ" };
        writeln!(out, "{name}, {} parameters", model.num_params())?;
        for epoch in 1..=N_OUTER {
            let mut separation = None;
            if separates {
                // Inner steps: W ← W − γ ∇L(W), all else held.
                let map = model.block.hopfield.feature_map.as_ref().map(|map| map.weight.id);
                for step in 0..N_INNER {
                    let tokens =
                        model.tokens(train.clone().narrow(0, step * BATCH, BATCH)).detach();
                    let hopfield = &model.block.hopfield;
                    let loss =
                        hopfield.separation_loss(tokens, None, &SeparationLoss::average())?;
                    separation = Some(loss.clone().into_scalar::<f32>());
                    let ids: Vec<_> = map.into_iter().collect();
                    let gradients =
                        GradientsParams::from_params(&mut loss.backward(), &model, &ids);
                    model = inner.step(0.1, model, gradients);
                }
            }
            // Outer steps: all parameters down the loss of the task.
            let mut sum = 0.0;
            for batch in 0..N_TRAIN / BATCH {
                let logits = model.forward(train.clone().narrow(0, batch * BATCH, BATCH))?;
                let loss =
                    task.forward(logits, train_labels.clone().narrow(0, batch * BATCH, BATCH));
                sum += loss.clone().into_scalar::<f32>();
                let gradients = GradientsParams::from_grads(loss.backward(), &model);
                model = outer.step(1e-3, model, gradients);
            }
            if epoch % 2 == 0 {
                let logits = model.valid().forward(test.clone())?;
                let right = logits.argmax(1).flatten::<1>(0, 1).equal(test_labels.clone());
                let right: f32 = right.float().mean().into_scalar();
                write!(out, "  epoch {epoch}: task {:.3}", sum / (N_TRAIN / BATCH) as f32)?;
                if let Some(separation) = separation {
                    write!(out, ", separation {separation:.3}")?;
                }
                writeln!(out, ", {:.1} % of 200 unseen digits right", 100.0 * right)?;
            }
        }
    }
    Ok(())
}

/// Digits cut into 4 × 4 patches of 7 × 7 pixels.
fn patches(range: std::ops::Range<usize>, device: &Device) -> (Tensor<3>, Tensor<1, Int>) {
    let digits = sample::digits();
    let images = digits.images().patterns();
    let mut pixels: Vec<f32> = Vec::with_capacity(range.len() * N_PATCHES * PATCH);
    for image in range.clone().map(|i| images.row(i)) {
        for patch in 0..N_PATCHES {
            let (top, left) = (patch / 4 * 7, patch % 4 * 7);
            pixels.extend((0..PATCH).map(|i| image[(top + i / 7) * 28 + left + i % 7]));
        }
    }
    let labels: Vec<i64> = digits.labels()[range.clone()].iter().map(|&l| i64::from(l)).collect();
    let shape = [range.len(), N_PATCHES, PATCH];
    (
        Tensor::from_data(TensorData::new(pixels, shape), device),
        Tensor::from_data(TensorData::new(labels, [range.len()]), device),
    )
}
