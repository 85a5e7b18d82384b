//! Whether layers do on a graphics card what they do on the CPU: readouts and gradients of both.
//! `cargo run --release -p uhop-nn --features wgpu --example parity -- wgpu`.
//!
//! 8 samples of 33 tokens, 64 wide, 4 heads, with a feature map; the largest difference of an entry, in
//! the largest entry. Both compute in `f32`, whose ε is 1.2e-7.

mod separations;

use std::error::Error;
use std::io::{self, Write as _};

use burn::module::Module as _;
use burn::tensor::{Distribution, Tensor};
use separations::SEPARATIONS;
use uhop_nn::train::DeviceName;
use uhop_nn::{FeatureMapConfig, Hopfield, HopfieldConfig, HopfieldInput};

const SHAPE: [usize; 3] = [8, 33, 64];

fn main() -> Result<(), Box<dyn Error>> {
    let name: DeviceName = std::env::args().nth(1).ok_or("name a device: wgpu or cuda")?.parse()?;
    let (cpu, other) = (DeviceName::Cpu.open()?, name.open()?);
    cpu.seed(1);
    let normal = Distribution::Normal(0.0, 1.0);
    let tokens = Tensor::<3>::random(SHAPE, normal, &cpu);
    let mut out = io::stdout().lock();
    writeln!(out, "{SHAPE:?}, cpu and {name}")?;
    for separation in SEPARATIONS {
        let config = HopfieldConfig::new(SHAPE[2])
            .with_heads(4)
            .with_separation(separation)
            .with_feature_map(FeatureMapConfig::default());
        let layer = config.init(&cpu)?;
        let [readout, gradient] = outcome(&layer, tokens.clone())?;
        let layer = layer.to_device(&other);
        let on_other = outcome(&layer, tokens.clone().to_device(&other))?;
        let [of_readout, of_gradient] =
            [difference(&readout, &on_other[0]), difference(&gradient, &on_other[1])];
        let label = format!("{separation:?}");
        writeln!(out, "  {label:32} readout {of_readout:.1e}, gradient {of_gradient:.1e}")?;
    }
    Ok(())
}

/// The readout, and the gradient of its mean square in the tokens.
fn outcome(layer: &Hopfield, tokens: Tensor<3>) -> Result<[Vec<f32>; 2], Box<dyn Error>> {
    let tokens = tokens.detach().require_grad();
    let readout = layer.forward(HopfieldInput::among(tokens.clone()))?.readout;
    let gradients = readout.clone().square().mean().backward();
    let gradient = tokens.grad(&gradients).ok_or("the tokens have no gradient")?;
    let values = |tensor: Tensor<3>| tensor.into_data().try_to_vec::<f32>();
    Ok([
        values(readout).map_err(|e| format!("{e:?}"))?,
        values(gradient).map_err(|e| format!("{e:?}"))?,
    ])
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    let largest = a.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    a.iter().zip(b).fold(0.0_f32, |most, (x, y)| most.max((x - y).abs())) / largest
}
