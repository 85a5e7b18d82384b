//! The separation loss of a layer is that of `uhop::stage1`.

use burn::module::{Module as _, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Tensor, TensorData};
use uhop::ndarray::Array2;
use uhop::stage1::SeparationLoss as CoreLoss;
use uhop::{LinearMap, Patterns};
use uhop_nn::{FeatureMap, FeatureMapConfig, HopfieldConfig, SeparationLoss, Span};

use crate::common::{assert_close, device, numbers, random, tensor, values};

const BATCH: usize = 3;
const N_PATTERNS: usize = 6;
const DIM: usize = 8;
const FEATURES: usize = 5;

/// Distances are differences of sums of 8 products of numbers near 1, times t, summed over pairs.
const TOLERANCE: f64 = 8.0 * 30.0 * f64::EPSILON;

fn losses() -> [(SeparationLoss, CoreLoss); 4] {
    let raw =
        |loss: SeparationLoss| SeparationLoss { features: uhop_nn::Features::Raw, t: 0.5, ..loss };
    [
        (SeparationLoss::average(), CoreLoss::average()),
        (SeparationLoss::max(), CoreLoss::max()),
        (raw(SeparationLoss::average()), CoreLoss::average().raw_features().with_t(0.5).unwrap()),
        (raw(SeparationLoss::max()), CoreLoss::max().raw_features().with_t(0.5).unwrap()),
    ]
}

#[test]
fn of_a_static_layer_is_the_mean_over_samples_and_heads() {
    let patterns = numbers(1, BATCH * N_PATTERNS * DIM);
    let batch = Tensor::<3>::from_data(
        TensorData::new(patterns.clone(), [BATCH, N_PATTERNS, DIM]),
        &device(),
    );
    for (span, n_heads) in [(Span::Joint, 1), (Span::Joint, 2), (Span::PerHead, 2)] {
        let n_parts = if span == Span::Joint { 1 } else { n_heads };
        let per_head = if span == Span::Joint { FEATURES } else { 3 };
        let map = FeatureMapConfig { span, feature_dim: Some(per_head) };
        let config = HopfieldConfig::retrieval(DIM, 1.0).with_heads(n_heads).with_feature_map(map);
        let mut layer = config.init(&device()).unwrap();
        let weight: Tensor<3> = layer.feature_map.as_ref().unwrap().weight.val();
        let [parts, width, features] = weight.dims();
        assert_eq!(parts, n_parts);
        let weight: Tensor<3> = random(7, [parts, width, features], &device());
        layer.feature_map.as_mut().unwrap().weight = Param::from_tensor(weight.clone());

        for (loss, core) in losses() {
            let ours = values(&layer.separation_loss(batch.clone(), None, &loss).unwrap());
            let mut expected = 0.0;
            for sample in 0..BATCH {
                for part in 0..n_parts {
                    let stored = Array2::from_shape_fn((N_PATTERNS, width), |(i, j)| {
                        patterns[(sample * N_PATTERNS + i) * DIM + part * width + j]
                    });
                    let w = values(&weight.clone().narrow(0, part, 1));
                    let w = Array2::from_shape_vec((width, features), w).unwrap();
                    let map = LinearMap::new(w.reversed_axes().as_standard_layout().into_owned());
                    let stored = Patterns::new(stored).unwrap();
                    expected += core.value_and_gradient(&map.unwrap(), &stored).unwrap().0;
                }
            }
            let expected = expected / (BATCH * n_parts) as f64;
            assert_close(&format!("{loss:?}, {span:?}"), &ours, &[expected], TOLERANCE);
        }
    }
}

#[test]
fn padding_is_no_pattern_and_a_sample_of_one_is_left_out() {
    let patterns: Tensor<3> = random(3, [2, N_PATTERNS, DIM], &device());
    let layer = HopfieldConfig::retrieval(DIM, 1.0).init(&device()).unwrap();
    // All but four of the first sample, all but one of the second.
    let flags: Vec<bool> =
        (0..2 * N_PATTERNS).map(|i| i > N_PATTERNS || (4..N_PATTERNS).contains(&i)).collect();
    let padding = Tensor::<2, Bool>::from_data(TensorData::new(flags, [2, N_PATTERNS]), &device());
    for (loss, _) in losses() {
        let padded = layer.separation_loss(patterns.clone(), Some(padding.clone()), &loss).unwrap();
        let four = patterns.clone().narrow(0, 0, 1).narrow(1, 0, 4);
        let alone = layer.separation_loss(four, None, &loss).unwrap();
        assert_close(&format!("{loss:?}"), &values(&padded), &values(&alone), TOLERANCE);
    }
    let none =
        Tensor::<2, Bool>::from_data(TensorData::new(vec![true; 12], [2, N_PATTERNS]), &device());
    for (loss, _) in losses() {
        let value = layer.separation_loss(patterns.clone(), Some(none.clone()), &loss).unwrap();
        assert_eq!(values(&value), [0.0]);
    }
}

/// There is no direction to go from where Φ(u) = 0; the others are pushed as if it stood still.
#[test]
fn a_vector_of_zeros_has_no_gradient() {
    let device = device().autodiff();
    let layer = HopfieldConfig::retrieval(DIM, 1.0).init(&device).unwrap();
    let mut rows = numbers(7, N_PATTERNS * DIM);
    rows[..DIM].fill(0.0);
    let patterns = tensor(rows, [1, N_PATTERNS, DIM], &device).require_grad();
    for loss in [SeparationLoss::average(), SeparationLoss::max()] {
        let value = layer.separation_loss(patterns.clone(), None, &loss).unwrap();
        let gradient = values(&patterns.grad(&value.backward()).unwrap());
        assert!(gradient[..DIM].iter().all(|&x| x == 0.0), "{loss:?}: {gradient:?}");
        assert!(gradient[DIM..].iter().any(|&x| x != 0.0), "{loss:?}");
    }
}

#[test]
fn normalised_rows_have_norm_one() {
    let map = FeatureMapConfig { span: Span::PerHead, feature_dim: Some(3) };
    let layer =
        HopfieldConfig::new(DIM).with_heads(2).with_feature_map(map).init(&device()).unwrap();
    let mut map = layer.feature_map.unwrap();
    map.weight = Param::from_tensor(random(5, map.weight.dims(), &device()));
    let squares = map.normalize_rows().weight.val().square().sum_dim(1);
    assert_close("squares", &values(&squares), &[1.0; 6], 8.0 * f64::EPSILON);
}

/// What was trained goes on to be, and what was frozen stays so.
#[test]
fn normalised_rows_are_trained_as_before() {
    let device = device().autodiff();
    let map = FeatureMapConfig { span: Span::Joint, feature_dim: Some(3) };
    let config = HopfieldConfig::new(DIM).with_feature_map(map);
    let map = || config.init(&device).unwrap().feature_map.unwrap();
    let moves = |map: &FeatureMap| {
        let rows = random(6, [1, N_PATTERNS, DIM], &device);
        let gradients = map.forward(rows).square().sum().backward();
        GradientsParams::from_grads(gradients, map).len()
    };
    assert_eq!(moves(&map().normalize_rows()), 1);
    assert!(!map().no_grad().normalize_rows().weight.is_require_grad());
}
