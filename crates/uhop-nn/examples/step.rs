//! What one training step of a layer costs, for each separation: forward, backward, Adam.
//! `cargo run --release -p uhop-nn --example step -- [REPEATS] [cpu | wgpu | cuda] [composed]`.
//!
//! 128 samples of 65 tokens, 512 wide, 8 heads, as the tokens of a small vision model. Threads:
//! `RAYON_NUM_THREADS`. With `composed` the operation that only separates is timed beside its twin.

mod separations;

use std::error::Error;
use std::io::{self, Write as _};
use std::time::Instant;

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Distribution, Tensor};
use separations::SEPARATIONS;
use uhop_nn::train::DeviceName;
use uhop_nn::{HopfieldConfig, HopfieldInput, Separator};

const BATCH: usize = 128;
const TOKENS: usize = 65;
const WIDTH: usize = 512;
const HEADS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let repeats = arguments.first().map_or(Ok(5), |word| word.parse::<usize>())?.max(1);
    let name = arguments.get(1).map_or(Ok(DeviceName::Cpu), |word| word.parse())?;
    let with_twin = arguments.get(2).is_some_and(|word| word == "composed");
    let mut out = io::stdout().lock();
    let device = name.open()?;
    device.seed(1);
    let normal = Distribution::Normal(0.0, 1.0);
    let tokens = Tensor::<3>::random([BATCH, TOKENS, WIDTH], normal, &device);

    writeln!(
        out,
        "{BATCH} × {TOKENS} × {WIDTH}, {HEADS} heads, {name}; seconds, best of {repeats}"
    )?;
    for separation in SEPARATIONS {
        let config = HopfieldConfig::new(WIDTH).with_heads(HEADS).with_separation(separation);
        let mut layer = config.init(&device)?;
        let mut optimizer = AdamConfig::new().init();
        let mut best = f64::INFINITY;
        for _ in 0..=repeats {
            let start = Instant::now();
            let readout = layer.forward(HopfieldInput::among(tokens.clone()))?.readout;
            let gradients = GradientsParams::from_grads(readout.square().mean().backward(), &layer);
            layer = optimizer.step(1e-3, layer, gradients);
            device.sync()?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        let name = format!("{separation:?}");
        write!(out, "  {name:32} step {best:.3}")?;
        let scores = Tensor::<4>::random([BATCH, HEADS, TOKENS, TOKENS], normal, &device);
        let separator = &layer.separation;
        write!(out, ", separation {:.4}", time(repeats, &scores, |z| separator.forward(z)))?;
        if with_twin {
            write!(out, ", composed {:.4}", time(repeats, &scores, |z| composed(separator, z)))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn composed(separator: &Separator, scores: Tensor<4>) -> Tensor<4> {
    separator.composed(scores)
}

/// Forward and backward of a separation.
fn time(repeats: usize, scores: &Tensor<4>, weigh: impl Fn(Tensor<4>) -> Tensor<4>) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..=repeats {
        let scores = scores.clone().detach().require_grad();
        let start = Instant::now();
        let gradients = weigh(scores.clone()).square().sum().backward();
        let gradient = scores.grad(&gradients);
        // What a device still has to do counts.
        scores.device().sync().expect("the device works");
        best = best.min(start.elapsed().as_secs_f64());
        drop(gradient);
    }
    best
}
