//! Each separation: the fast operation, its composed twin and the core agree, with their gradients.

use burn::module::{Param, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};
use uhop::Separation;
use uhop::ndarray::{ArrayView1, ArrayView2};
use uhop_nn::{HopfieldConfig, SeparationConfig, Separator};

use crate::common::{assert_close, device, numbers, values};

const N_HEADS: usize = 2;
/// Not a multiple of any vector's length, and rows of both heads.
const SHAPE: [usize; 4] = [3, N_HEADS, 5, 37];

pub(crate) const ALL: [SeparationConfig; 12] = [
    SeparationConfig::Softmax,
    SeparationConfig::SoftmaxOne,
    SeparationConfig::Sparsemax,
    SeparationConfig::Entmax { alpha: 1.0 },
    SeparationConfig::Entmax { alpha: 1.25 },
    SeparationConfig::Entmax { alpha: 1.5 },
    SeparationConfig::Entmax { alpha: 1.8 },
    SeparationConfig::Entmax { alpha: 2.5 },
    SeparationConfig::LearnedEntmax { alpha: 1.4 },
    SeparationConfig::Normmax { gamma: 3.0 },
    SeparationConfig::TopK { k: 4 },
    SeparationConfig::Polynomial { degree: 3 },
];

fn separator(config: SeparationConfig, device: &Device) -> Separator {
    let layer = HopfieldConfig::new(N_HEADS).with_heads(N_HEADS).with_separation(config);
    layer.init(device).unwrap().separation
}

fn scores(scale: f64) -> Vec<f64> {
    numbers(5, SHAPE.iter().product()).into_iter().map(|z| scale * z).collect()
}

fn tensor(data: &[f64], dtype: DType, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(data.to_vec(), SHAPE), (device, dtype))
}

/// The core's separation, where there is one.
fn core(config: SeparationConfig) -> Option<Separation> {
    match config {
        SeparationConfig::Softmax => Some(Separation::softmax()),
        SeparationConfig::SoftmaxOne => None,
        SeparationConfig::Sparsemax => Some(Separation::sparsemax()),
        SeparationConfig::Entmax { alpha } | SeparationConfig::LearnedEntmax { alpha } => {
            Separation::entmax(alpha).ok()
        }
        SeparationConfig::Normmax { gamma } => Separation::normmax(gamma).ok(),
        SeparationConfig::TopK { k } => Separation::top_k(k).ok(),
        SeparationConfig::Polynomial { degree } => Separation::polynomial(degree).ok(),
    }
}

/// Weights, and the gradients of ⟨g, p⟩ in scores and in the raw α, if learned.
type Answer = (Vec<f64>, Vec<f64>, Vec<f64>);

fn answer(
    config: SeparationConfig,
    data: &[f64],
    dtype: DType,
    weigh: impl Fn(&Separator, Tensor<4>) -> Tensor<4>,
) -> Answer {
    let device = device().autodiff();
    let mut separator = separator(config, &device);
    separator.raw_alpha = separator.raw_alpha.map(|raw| {
        let raw = Tensor::<1>::from_data(raw.val().into_data(), (&device, dtype));
        Param::initialized(ParamId::new(), raw.require_grad())
    });
    let scores = tensor(data, dtype, &device).require_grad();
    let weights = weigh(&separator, scores.clone());
    let cotangent = tensor(&numbers(6, data.len()), dtype, &device);
    let gradients = (weights.clone() * cotangent).sum().backward();
    let by_score = values(&scores.grad(&gradients).unwrap());
    let by_alpha =
        separator.raw_alpha.as_ref().map(|raw| values(&raw.val().grad(&gradients).unwrap()));
    (values(&weights), by_score, by_alpha.unwrap_or_default())
}

fn fast(config: SeparationConfig, data: &[f64], dtype: DType) -> Answer {
    answer(config, data, dtype, |separator, scores| separator.forward(scores))
}

fn composed(config: SeparationConfig, data: &[f64], dtype: DType) -> Answer {
    answer(config, data, dtype, |separator, scores| separator.composed(scores))
}

/// Thresholds are found to about ε, weights are powers of what lies above them, at most the second in
/// what is tested; sums are over 37 entries. Slopes of α = 2.5 and of α may be tens of times as large.
const TOLERANCE: f64 = 37.0 * 64.0;

#[test]
fn the_operation_is_the_core_in_f64() {
    for scale in [0.3, 4.0] {
        let data = scores(scale);
        let cotangents = numbers(6, data.len());
        for config in ALL {
            let Some(core) = core(config) else { continue };
            let (weights, by_score, _) = fast(config, &data, DType::F64);
            for (row, (z, g)) in data.chunks(SHAPE[3]).zip(cotangents.chunks(SHAPE[3])).enumerate()
            {
                let range = row * SHAPE[3]..(row + 1) * SHAPE[3];
                let (z, g) = (ArrayView1::from(z), ArrayView1::from(g));
                let expected = core.weights(z).unwrap().weights.to_vec();
                let what = format!("{config:?}, row {row}");
                // A learned α is 1 + sigmoid of a logarithm, rounded.
                assert_close(&what, &weights[range.clone()], &expected, 64.0 * f64::EPSILON);
                let expected = core.vjp(z, g).unwrap().to_vec();
                assert_close(&what, &by_score[range], &expected, TOLERANCE * f64::EPSILON);
            }
        }
    }
}

#[test]
fn the_operation_is_its_composed_twin() {
    for scale in [0.3, 4.0] {
        let mut data = scores(scale);
        mask(&mut data);
        for config in ALL {
            let (weights, by_score, by_alpha) = fast(config, &data, DType::F64);
            let (twin, twin_by_score, twin_by_alpha) = composed(config, &data, DType::F64);
            let what = format!("{config:?} at {scale}");
            // Bisection ends at ε beside a threshold; above α = 2 a weight has an infinite slope at 0.
            let tolerance = match config {
                SeparationConfig::Entmax { alpha } if alpha > 2.0 => f64::EPSILON.powf(1.0 / 1.5),
                _ => f64::EPSILON,
            };
            assert_close(&what, &weights, &twin, 64.0 * tolerance);
            assert_close(&what, &by_score, &twin_by_score, TOLERANCE * tolerance);
            let tolerance = TOLERANCE * 64.0 * f64::EPSILON;
            assert_close(&what, &by_alpha, &twin_by_alpha, tolerance);
        }
    }
}

#[test]
fn single_precision_is_double_precision_rounded() {
    for scale in [0.3, 4.0, 50.0] {
        let mut data = scores(scale);
        mask(&mut data);
        let data: Vec<f64> = data.into_iter().map(|z| f64::from(z as f32)).collect();
        for config in ALL {
            let (weights, by_score, by_alpha) = fast(config, &data, DType::F32);
            let (wide, wide_by_score, wide_by_alpha) = fast(config, &data, DType::F64);
            let what = format!("{config:?} at {scale}");
            let epsilon = f64::from(f32::EPSILON);
            assert_close(&what, &weights, &wide, 8.0 * scale.max(1.0) * epsilon);
            // Just on the support a weight is 0 or not by rounding, and so is its slope.
            let at_edge = |i: usize| {
                (i..i + 1).all(|i| wide[i] < 1e-5 && matches!(config, SeparationConfig::Sparsemax))
            };
            let pairs = by_score.iter().zip(&wide_by_score).enumerate();
            let kept: (Vec<f64>, Vec<f64>) =
                pairs.filter(|(i, _)| !at_edge(*i)).map(|(_, (a, b))| (*a, *b)).unzip();
            let tolerance = TOLERANCE * epsilon;
            assert_close(&what, &kept.0, &kept.1, tolerance);
            assert_close(&what, &by_alpha, &wide_by_alpha, 64.0 * tolerance);
        }
    }
}

/// Leaves some patterns out, and all of one row.
fn mask(data: &mut [f64]) {
    for (i, z) in data.iter_mut().enumerate() {
        if i % 7 == 3 || (SHAPE[3]..2 * SHAPE[3]).contains(&i) {
            *z = f64::NEG_INFINITY;
        }
    }
}

#[test]
fn what_is_left_out_weighs_nothing_and_changes_nothing() {
    for dtype in [DType::F32, DType::F64] {
        for config in ALL {
            let mut data = scores(2.0);
            mask(&mut data);
            let (weights, by_score, _) = fast(config, &data, dtype);
            for (i, z) in data.iter().enumerate() {
                if *z == f64::NEG_INFINITY {
                    assert_eq!((weights[i], by_score[i]), (0.0, 0.0), "{config:?}");
                }
            }
            // The rest as if it were all there is.
            let Some(core) = core(config) else { continue };
            for row in [0, 2, 7] {
                let range = row * SHAPE[3]..(row + 1) * SHAPE[3];
                let left = |values: &[f64]| -> Vec<f64> {
                    let pairs = data[range.clone()].iter().zip(&values[range.clone()]);
                    pairs.filter(|(z, _)| z.is_finite()).map(|(_, v)| *v).collect()
                };
                let z = left(&data);
                let expected = core.weights(ArrayView1::from(&z)).unwrap().weights.to_vec();
                let epsilon =
                    if dtype == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON };
                assert_close(&format!("{config:?}"), &left(&weights), &expected, 64.0 * epsilon);
            }
        }
    }
}

#[test]
fn softmax_one_is_softmax_with_a_score_of_zero() {
    let data = scores(3.0);
    let (weights, _, _) = fast(SeparationConfig::SoftmaxOne, &data, DType::F64);
    let mut wide = Vec::new();
    for row in data.chunks(SHAPE[3]) {
        wide.extend(row);
        wide.push(0.0);
    }
    let wide = ArrayView2::from_shape((data.len() / SHAPE[3], SHAPE[3] + 1), &wide).unwrap();
    let expected = Separation::softmax().weights(wide).unwrap().weights;
    for (row, expected) in weights.chunks(SHAPE[3]).zip(expected.rows()) {
        assert_close("softmax-1", row, &expected.to_vec()[..SHAPE[3]], 8.0 * f64::EPSILON);
    }
}

#[test]
fn scores_that_are_no_numbers_give_weights_that_are_none() {
    for dtype in [DType::F32, DType::F64] {
        for config in ALL {
            for invalid in [f64::NAN, f64::INFINITY] {
                let mut data = scores(1.0);
                data[3] = invalid;
                let separator = separator(config, &device());
                let weights = values(&separator.forward(tensor(&data, dtype, &device())));
                assert!(weights[..SHAPE[3]].iter().all(|p| p.is_nan()), "{config:?}");
                assert!(weights[SHAPE[3]..].iter().all(|p| p.is_finite()), "{config:?}");
            }
        }
    }
}
