//! Gradients of whole layers against central differences.

use burn::module::Param;
use burn::tensor::Tensor;
use uhop_nn::{
    FeatureMapConfig, Hopfield, HopfieldConfig, HopfieldInput, HopfieldLayerConfig,
    HopfieldLayerInput, SeparationConfig, SeparationLoss, Span,
};

use crate::common::{assert_close, device, numbers, random, tensor, values};
use crate::separations::ALL;

/// Five-point differences of width h are off by ε/h times the value, below 100, which is 10⁻⁹, and by h⁴/30
/// times the fifth derivative: less than that for derivatives below 10¹¹, as powers of what lies above a
/// threshold have them down to a hundredth of the data's size from the edge of the support. Seeds are such
/// that no weight is closer.
const TOLERANCE: f64 = 1e-8;
const H: f64 = 2e-5;

/// The gradient of `value` at `point`, automatic and by differences.
fn check<const D: usize>(what: &str, point: Tensor<D>, value: impl Fn(Tensor<D>) -> Tensor<1>) {
    let shape = point.dims();
    let autodiff = device().autodiff();
    let x = tensor(values(&point), shape, &autodiff).require_grad();
    let gradients = value(x.clone()).backward();
    let gradient = values(&x.grad(&gradients).unwrap());

    let at = |i: usize, step: f64| {
        let mut moved = values(&point);
        moved[i] += step;
        value(tensor(moved, shape, &autodiff)).into_scalar::<f64>()
    };
    let n = gradient.len();
    // All entries of small tensors, some of large ones.
    for i in (0..n).step_by((n / 10).max(1)) {
        let (near, far) = (at(i, H) - at(i, -H), at(i, 2.0 * H) - at(i, -2.0 * H));
        let difference = (8.0 * near - far) / (12.0 * H);
        assert_close(&format!("{what}, entry {i}"), &gradient[i..=i], &[difference], TOLERANCE);
    }
}

/// Weights away from the edge of the support where gradients jump, readouts of every head.
fn loss(readout: Tensor<3>) -> Tensor<1> {
    let n = readout.dims().iter().product();
    let directions = tensor(numbers(77, n), readout.dims(), &readout.device());
    (readout * directions).sum()
}

fn config(separation: SeparationConfig) -> HopfieldConfig {
    HopfieldConfig::new(6).with_heads(2).with_beta(0.5).with_separation(separation)
}

/// A layer with parameters as large as the data, so that scores differ.
fn layer(config: &HopfieldConfig) -> Hopfield {
    let mut layer = config.init(&device().autodiff()).unwrap();
    for (seed, map) in
        [&mut layer.states, &mut layer.patterns, &mut layer.values, &mut layer.output]
            .into_iter()
            .enumerate()
    {
        let Some(map) = map else { continue };
        let shape = map.weight.dims();
        map.weight = Param::from_tensor(random(20 + seed as u64, shape, &device().autodiff()));
    }
    layer
}

fn inputs() -> (Tensor<3>, Tensor<3>) {
    (random(11, [2, 3, 6], &device()), random(12, [2, 5, 6], &device()))
}

#[test]
fn of_states_patterns_and_projections_for_each_separation() {
    let autodiff = device().autodiff();
    for separation in ALL {
        let layer = layer(&config(separation).with_steps(2));
        let (states, patterns) = inputs();
        let on = |rows: &Tensor<3>| tensor(values(rows), rows.dims(), &autodiff);
        let readout = |layer: &Hopfield, states: Tensor<3>, patterns: Tensor<3>| {
            loss(layer.forward(HopfieldInput::new(states, patterns)).unwrap().readout)
        };
        let what = format!("{separation:?}");
        check(&what, states.clone(), |x| readout(&layer, x, on(&patterns)));
        check(&what, patterns.clone(), |x| readout(&layer, on(&states), x));
        let weight = layer.patterns.as_ref().unwrap().weight.val();
        check(&what, weight.inner(), |x| {
            let mut layer = layer.clone();
            layer.patterns.as_mut().unwrap().weight = param(x);
            readout(&layer, on(&states), on(&patterns))
        });
        if let Some(raw) = &layer.separation.raw_alpha {
            check(&what, raw.val().inner(), |x| {
                let mut layer = layer.clone();
                layer.separation.raw_alpha = Some(param(x));
                readout(&layer, on(&states), on(&patterns))
            });
        }
    }
}

#[test]
fn of_the_association_weights() {
    let layer = layer(&config(SeparationConfig::Entmax { alpha: 1.5 }));
    let (states, patterns) = inputs();
    let on = tensor(values(&patterns), patterns.dims(), &device().autodiff());
    check("weights", states, |x| {
        let weights = layer.forward(HopfieldInput::new(x, on.clone())).unwrap().weights;
        (weights.square() * 3.0).sum()
    });
}

#[test]
fn of_the_feature_map_by_task_and_by_separation_loss() {
    for span in [Span::PerHead, Span::Joint] {
        let map = FeatureMapConfig { span, feature_dim: Some(4) };
        let layer = layer(&config(SeparationConfig::Softmax).with_feature_map(map));
        let (states, patterns) = inputs();
        let on = |rows: &Tensor<3>| tensor(values(rows), rows.dims(), &device().autodiff());
        let shape = layer.feature_map.as_ref().unwrap().weight.dims();
        let weight: Tensor<3> = random(9, shape, &device());
        let with = |x: Tensor<3>| {
            let mut layer = layer.clone();
            layer.feature_map.as_mut().unwrap().weight = param(x);
            layer
        };
        check("task", weight.clone(), |x| {
            loss(with(x).forward(HopfieldInput::new(on(&states), on(&patterns))).unwrap().readout)
        });
        for separation in [SeparationLoss::average(), SeparationLoss::max()] {
            check("separation", weight.clone(), |x| {
                with(x).separation_loss(on(&patterns), None, &separation).unwrap()
            });
            check("patterns", patterns.clone(), |x| {
                layer.separation_loss(x, None, &separation).unwrap()
            });
        }
    }
}

#[test]
fn of_a_memory_that_is_learned() {
    let config = HopfieldLayerConfig::new(config(SeparationConfig::Sparsemax), 5);
    let mut lookup = config.init(&device().autodiff()).unwrap();
    lookup.hopfield = layer(&config.hopfield);
    let (states, _) = inputs();
    let states = tensor(values(&states), states.dims(), &device().autodiff());
    check("stored patterns", random(4, [1, 5, 6], &device()), |x| {
        let mut lookup = lookup.clone();
        lookup.patterns = param(x);
        loss(lookup.forward(HopfieldLayerInput::new(states.clone())).unwrap().readout)
    });
}

/// A parameter that is this tensor, its gradient included.
fn param<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(burn::module::ParamId::new(), tensor)
}
