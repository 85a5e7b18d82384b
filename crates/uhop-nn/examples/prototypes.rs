//! A lookup layer as a nearest-prototype classifier: `cargo run -p uhop-nn --example prototypes`.
//!
//! Stored patterns are prototypes, their values the classes they stand for, one-hot; the readout is
//! then the probability of each class. Nothing is projected: the layer is a memory of `uhop`. It
//! starts from training samples and is trained.

use std::error::Error;
use std::io::{self, Write as _};

use burn::module::Module as _;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use uhop_data::sample;
use uhop_nn::{
    HopfieldConfig, HopfieldLayer, HopfieldLayerConfig, HopfieldLayerInput, LookupValues,
};

const N_CLASSES: usize = 10;
const PER_CLASS: usize = 5;
const BETA: f64 = 30.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let device = Device::flex().autodiff();
    let (train, train_labels) = digits(0..800, &device);
    let (test, test_labels) = digits(800..1000, &device.clone().inner());

    let mut chosen = Vec::new();
    for class in 0..N_CLASSES as u8 {
        let of_class = train_labels.iter().enumerate().filter(|(_, label)| **label == class);
        chosen.extend(of_class.take(PER_CLASS).map(|(i, _)| i as i64));
    }
    let n_patterns = chosen.len();
    let indices = TensorData::new(chosen, [n_patterns]);
    let start = train.clone().select(0, Tensor::<1, Int>::from_data(indices, &device));
    let classes: Vec<u8> = (0..n_patterns).map(|i| (i / PER_CLASS) as u8).collect();

    let mut config = HopfieldConfig::retrieval(784, BETA);
    config.projection.value_dim = Some(N_CLASSES);
    let config = HopfieldLayerConfig::new(config, n_patterns).with_values(LookupValues::Fixed);
    let mut layer = config.init(&device)?.starting_from(start, Some(one_hot(&classes, &device)))?;

    writeln!(out, "{n_patterns} prototypes, {PER_CLASS} training samples of each class")?;
    let before = accuracy(&layer.valid(), &test, &test_labels)?;
    writeln!(out, "  before training: {:.1} % of 200 unseen digits right", 100.0 * before)?;
    let targets = one_hot(&train_labels, &device);
    let mut optimizer = AdamConfig::new().init();
    for epoch in 1..=60 {
        let likelihood = (probabilities(&layer, train.clone())? * targets.clone()).sum_dim(1);
        let loss = (likelihood + 1e-6).log().mean().neg();
        let value = loss.clone().into_scalar::<f32>();
        let gradients = GradientsParams::from_grads(loss.backward(), &layer);
        layer = optimizer.step(1e-2, layer, gradients);
        if epoch % 15 == 0 {
            let right = accuracy(&layer.valid(), &test, &test_labels)?;
            writeln!(out, "  step {epoch}: loss {value:.3}, {:.1} % right", 100.0 * right)?;
        }
    }

    writeln!(out, "the three prototypes that weigh most for the first unseen digits:")?;
    let layer = layer.valid();
    for (i, label) in test_labels.iter().enumerate().take(5) {
        let input = HopfieldLayerInput::new(test.clone().narrow(0, i, 1).unsqueeze());
        let weights: Vec<f32> = layer.forward(input)?.weights.into_data().iter().collect();
        let mut order: Vec<usize> = (0..n_patterns).collect();
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        write!(out, "  a {label}:")?;
        for &j in &order[..3] {
            write!(out, "  {:4.1} % a {}", 100.0 * weights[j], classes[j])?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// `[n, 784]` of norm 1, so that the dot product compares directions.
fn digits(range: std::ops::Range<usize>, device: &Device) -> (Tensor<2>, Vec<u8>) {
    let digits = sample::digits();
    let rows = digits.images().patterns();
    let pixels: Vec<f32> = range.clone().flat_map(|i| rows.row(i).to_vec()).collect();
    let rows = Tensor::<2>::from_data(TensorData::new(pixels, [range.len(), 784]), device);
    let norms = rows.clone().square().sum_dim(1).sqrt();
    (rows / norms, digits.labels()[range].to_vec())
}

fn one_hot(labels: &[u8], device: &Device) -> Tensor<2> {
    let row = |&label: &u8| {
        (0..N_CLASSES).map(move |class| if class == usize::from(label) { 1.0 } else { 0.0 })
    };
    let flat: Vec<f32> = labels.iter().flat_map(row).collect();
    Tensor::from_data(TensorData::new(flat, [labels.len(), N_CLASSES]), device)
}

fn probabilities(layer: &HopfieldLayer, digits: Tensor<2>) -> uhop_nn::Result<Tensor<2>> {
    Ok(layer.forward(HopfieldLayerInput::new(digits.unsqueeze()))?.readout.squeeze_dim(0))
}

fn accuracy(layer: &HopfieldLayer, digits: &Tensor<2>, labels: &[u8]) -> uhop_nn::Result<f32> {
    let guesses = probabilities(layer, digits.clone())?.argmax(1).into_data();
    let right =
        guesses.iter::<i64>().zip(labels).filter(|(guess, label)| *guess == i64::from(**label));
    Ok(right.count() as f32 / labels.len() as f32)
}
