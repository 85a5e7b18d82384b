//! Is there a 9 in the bag? Pooling over bags of digits, where only the bag has a label:
//! `cargo run -p uhop-nn --example bags_of_digits`.
//!
//! A learned state asks the digits of a bag; the association weights say which of them it heard.

use std::error::Error;
use std::io::{self, Write as _};

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData, activation};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use uhop_data::sample;
use uhop_nn::{
    HopfieldConfig, HopfieldPooling, HopfieldPoolingConfig, HopfieldPoolingInput,
    HopfieldPoolingOutput, SeparationConfig,
};

const TARGET: u8 = 9;
const WIDTH: usize = 64;
const LARGEST: usize = 10;
const SEED: u64 = 1;

#[derive(Module, Debug)]
struct Model {
    embed: Linear,
    pooling: HopfieldPooling,
    classify: Linear,
}

impl Model {
    fn forward(&self, bags: &Bags) -> uhop_nn::Result<(Tensor<2>, HopfieldPoolingOutput)> {
        let [batch, n, pixels] = bags.digits.dims();
        let digits = bags.digits.clone().reshape([batch * n, pixels]);
        let features = activation::relu(self.embed.forward(digits)).reshape([batch, n, WIDTH]);
        let input = HopfieldPoolingInput::new(features).with_padding(bags.padding.clone());
        let pooled = self.pooling.forward(input)?;
        Ok((self.classify.forward(pooled.readout.clone()), pooled))
    }
}

/// Bags of 5 to 10 digits, padded with nothing to 10; half of them with a 9.
struct Bags {
    labels: Vec<Vec<u8>>,
    digits: Tensor<3>,
    padding: Tensor<2, Bool>,
    targets: Tensor<1, Int>,
}

fn bags(
    from: std::ops::Range<usize>,
    n_bags: usize,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Bags {
    let digits = sample::digits();
    let (pixels, all_labels) = (digits.images().patterns(), digits.labels());
    let (with, without): (Vec<usize>, Vec<usize>) = from.partition(|&i| all_labels[i] == TARGET);
    let (mut rows, mut labels, mut padding, mut targets) = (vec![], vec![], vec![], vec![]);
    for bag in 0..n_bags {
        let size = rng.random_range(5..=LARGEST);
        let mut members: Vec<usize> =
            (0..size).filter_map(|_| without.choose(rng).copied()).collect();
        if bag % 2 == 1 {
            members[rng.random_range(0..size)] = *with.choose(rng).expect("there are nines");
        }
        for &i in &members {
            rows.extend(pixels.row(i));
        }
        rows.resize((bag + 1) * LARGEST * pixels.ncols(), 0.0);
        padding.extend((0..LARGEST).map(|i| i >= size));
        labels.push(members.iter().map(|&i| all_labels[i]).collect());
        targets.push((bag % 2) as i64);
    }
    let shape = [n_bags, LARGEST, pixels.ncols()];
    Bags {
        labels,
        digits: Tensor::from_data(TensorData::new(rows, shape), device),
        padding: Tensor::from_data(TensorData::new(padding, [n_bags, LARGEST]), device),
        targets: Tensor::from_data(TensorData::new(targets, [n_bags]), device),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let device = Device::flex().autodiff();
    device.seed(SEED);
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let train: Vec<Bags> = (0..10).map(|_| bags(0..800, 64, &mut rng, &device)).collect();
    let test = bags(800..1000, 200, &mut rng, &device.clone().inner());

    for separation in [SeparationConfig::Softmax, SeparationConfig::Entmax { alpha: 1.5 }] {
        let config =
            HopfieldConfig::new(WIDTH).with_heads(4).with_separation(separation).with_beta(1.0);
        let mut model = Model {
            embed: LinearConfig::new(784, WIDTH).init(&device),
            pooling: HopfieldPoolingConfig::new(config).init(&device)?,
            classify: LinearConfig::new(WIDTH, 2).init(&device),
        };
        let loss = CrossEntropyLossConfig::new().init(&device);
        let mut optimizer = AdamWConfig::new().init();
        writeln!(out, "{separation:?}")?;
        for epoch in 1..=6 {
            let mut sum = 0.0;
            for bags in &train {
                let (logits, _) = model.forward(bags)?;
                let value = loss.forward(logits, bags.targets.clone());
                sum += value.clone().into_scalar::<f32>();
                let gradients = GradientsParams::from_grads(value.backward(), &model);
                model = optimizer.step(2e-3, model, gradients);
            }
            if epoch % 2 == 0 {
                let right = accuracy(&model.valid(), &test)?;
                writeln!(
                    out,
                    "  epoch {epoch}: loss {:.3}, {:.1} % of 200 unseen bags right",
                    sum / train.len() as f32,
                    100.0 * right
                )?;
            }
        }
        let (_, pooled) = model.valid().forward(&test)?;
        let weights = pooled.weights.mean_dim(1).into_data();
        let weights: Vec<f32> = weights.iter().collect();
        writeln!(out, "  weights of the digits of some bags, in %, the mean of four heads:")?;
        for bag in [1, 3, 5] {
            write!(out, "   ")?;
            for (i, label) in test.labels[bag].iter().enumerate() {
                write!(out, " {label}: {:2.0} ", 100.0 * weights[bag * LARGEST + i])?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn accuracy(model: &Model, bags: &Bags) -> uhop_nn::Result<f32> {
    let (logits, _) = model.forward(bags)?;
    let right = logits.argmax(1).flatten::<1>(0, 1).equal(bags.targets.clone());
    Ok(right.float().mean().into_scalar())
}
