//! What holds whatever the numbers: static layers are the core, masks hide, order and company do not
//! matter.

use burn::tensor::{Bool, Tensor, TensorData};
use uhop::ndarray::Array2;
use uhop::{Dynamics, Memory, Model, Patterns, Separation, Similarity, StopReason};
use uhop_nn::{
    Beta, FeatureMapConfig, HopfieldConfig, HopfieldInput, HopfieldLayerConfig, HopfieldLayerInput,
    HopfieldOutput, HopfieldPoolingConfig, HopfieldPoolingInput, SeparationConfig, Span,
};

use crate::common::{assert_close, assert_equal, device, random, tensor, values};
use crate::separations::ALL;

/// Sums of up to 16 products, about six one after another, for up to four updates.
const TOLERANCE: f64 = 16.0 * 6.0 * 4.0 * f64::EPSILON;

const BATCH: usize = 3;
const N_STATES: usize = 4;
const N_PATTERNS: usize = 7;
const DIM: usize = 6;

fn states() -> Tensor<3> {
    random(1, [BATCH, N_STATES, DIM], &device()) * 3.0
}

fn patterns() -> Tensor<3> {
    random(2, [BATCH, N_PATTERNS, DIM], &device()) * 3.0
}

fn bools<const D: usize>(flags: Vec<bool>, shape: [usize; D]) -> Tensor<D, Bool> {
    Tensor::from_data(TensorData::new(flags, shape), &device())
}

/// Layers of every separation, of all kinds of parts.
fn configs() -> Vec<HopfieldConfig> {
    let all = ALL.into_iter().map(|separation| {
        HopfieldConfig::new(DIM).with_heads(2).with_separation(separation).with_beta(20.0)
    });
    let base = || HopfieldConfig::new(DIM).with_heads(3).with_beta(20.0);
    let mut zero = base();
    zero.association.zero_pattern = true;
    let mut per_head = base().with_steps(3);
    per_head.association.beta = Beta::PerHead(vec![1.0, 10.0, 30.0]);
    let map = |span| FeatureMapConfig { span, feature_dim: Some(3) };
    all.chain([
        zero,
        per_head,
        base().with_steps(4),
        base().until_rest(40, 1e-3),
        base().with_feature_map(map(Span::PerHead)).with_steps(2),
        base().with_feature_map(map(Span::Joint)),
    ])
    .collect()
}

#[test]
fn a_static_layer_is_the_memory_of_the_core() {
    let dynamics = Dynamics::steps(3).unwrap();
    for (config, separation) in [
        (SeparationConfig::Softmax, Separation::softmax()),
        (SeparationConfig::Sparsemax, Separation::sparsemax()),
        (SeparationConfig::Entmax { alpha: 1.5 }, Separation::entmax(1.5).unwrap()),
        (SeparationConfig::Entmax { alpha: 1.25 }, Separation::entmax(1.25).unwrap()),
        (SeparationConfig::TopK { k: 3 }, Separation::top_k(3).unwrap()),
        (SeparationConfig::Normmax { gamma: 2.0 }, Separation::normmax(2.0).unwrap()),
        (SeparationConfig::Polynomial { degree: 2 }, Separation::polynomial(2).unwrap()),
    ] {
        for beta in [0.4, 5.0] {
            let layer = HopfieldConfig::retrieval(DIM, beta)
                .with_separation(config)
                .with_steps(3)
                .init(&device())
                .unwrap();
            let output = layer.forward(HopfieldInput::new(states(), patterns())).unwrap();
            for sample in 0..BATCH {
                let rows = |t: &Tensor<3>, n: usize| {
                    let sample = values(&t.clone().narrow(0, sample, 1));
                    Array2::from_shape_vec((n, DIM), sample).unwrap()
                };
                let stored = Patterns::new(rows(&patterns(), N_PATTERNS)).unwrap();
                let model = Model::new(Similarity::Dot, separation, beta).unwrap();
                let memory = Memory::new(stored, model).unwrap();
                let queries = rows(&states(), N_STATES);
                let recalled = memory.retrieve(queries.view(), &dynamics).unwrap().retrieved;
                let what = format!("{config:?}, β {beta}, sample {sample}");
                let readout = rows(&output.readout, N_STATES);
                assert_close(
                    &what,
                    readout.as_slice().unwrap(),
                    recalled.as_slice().unwrap(),
                    1e3 * TOLERANCE,
                );
            }
        }
    }
}

#[test]
fn padding_changes_nothing_whatever_is_there() {
    for config in configs() {
        let layer = config.init(&device()).unwrap();
        let alone = layer.forward(HopfieldInput::new(states(), patterns())).unwrap();
        let junk = random(9, [BATCH, 2, DIM], &device()) * 100.0;
        let wide = Tensor::cat(vec![patterns(), junk], 1);
        let n = N_PATTERNS + 2;
        let flags = (0..BATCH * n).map(|i| i % n >= N_PATTERNS).collect();
        let input = HopfieldInput::new(states(), wide).with_padding(bools(flags, [BATCH, n]));
        let padded = layer.forward(input).unwrap();
        let what = format!("{config:?}");
        assert_equal(&what, &padded.readout, &alone.readout, TOLERANCE);
        let added = padded.weights.narrow(3, N_PATTERNS, 2);
        assert_eq!(values(&added).iter().filter(|&&p| p != 0.0).count(), 0, "{what}");
    }
}

#[test]
fn a_blocked_pair_has_no_weight_and_the_mask_of_all_heads_is_that_of_each() {
    for config in configs() {
        let layer = config.init(&device()).unwrap();
        let n_heads = config.projection.n_heads;
        let flags = |heads: usize| -> Vec<bool> {
            let pair = |i: usize| i % (N_STATES * N_PATTERNS) % 3 == 1;
            (0..heads * N_STATES * N_PATTERNS).map(pair).collect()
        };
        let run = |heads: usize| {
            let mask = bools(flags(heads), [1, heads, N_STATES, N_PATTERNS]);
            layer.forward(HopfieldInput::new(states(), patterns()).with_blocked(mask)).unwrap()
        };
        let (shared, each) = (run(1), run(n_heads));
        assert_equal("mask", &shared.weights, &each.weights, 0.0);
        let columns = shared.weights.dims()[3];
        for (i, p) in values(&shared.weights).into_iter().enumerate() {
            let (row, column) = (i / columns % N_STATES, i % columns);
            if column < N_PATTERNS && (row * N_PATTERNS + column) % 3 == 1 {
                assert_eq!(p, 0.0, "{config:?}");
            }
        }
    }
}

#[test]
fn a_state_without_patterns_reads_nothing_out() {
    for config in configs() {
        if config.association.zero_pattern {
            continue;
        }
        let layer = config.init(&device()).unwrap();
        let flags = (0..BATCH * N_PATTERNS).map(|i| i < N_PATTERNS).collect();
        let padding = bools(flags, [BATCH, N_PATTERNS]);
        let output = layer.forward(HopfieldInput::new(states(), patterns()).with_padding(padding));
        let output = output.unwrap();
        let first = output.weights.narrow(0, 0, 1);
        assert!(values(&first).iter().all(|&p| p == 0.0), "{config:?}");
        // W_O · 0, and a bias that starts as 0.
        assert!(values(&output.readout.clone().narrow(0, 0, 1)).iter().all(|&x| x == 0.0));
        assert!(values(&output.readout).iter().all(|x| x.is_finite()));
    }
}

#[test]
fn the_order_of_the_patterns_does_not_matter() {
    for config in configs() {
        let layer = config.init(&device()).unwrap();
        let alone = layer.forward(HopfieldInput::new(states(), patterns())).unwrap();
        let turned = patterns().flip([1]);
        let turned = layer.forward(HopfieldInput::new(states(), turned)).unwrap();
        let what = format!("{config:?}");
        assert_equal(&what, &turned.readout, &alone.readout, TOLERANCE);
        let weights = turned.weights.narrow(3, 0, N_PATTERNS).flip([3]);
        assert_equal(&what, &weights, &alone.weights.narrow(3, 0, N_PATTERNS), TOLERANCE);
    }
}

#[test]
fn a_batch_is_its_samples_one_by_one_and_states_ignore_each_other() {
    for config in configs() {
        let layer = config.init(&device()).unwrap();
        let together = layer.forward(HopfieldInput::new(states(), patterns())).unwrap();
        let what = format!("{config:?}");
        for sample in 0..BATCH {
            for state in 0..N_STATES {
                let input = HopfieldInput::new(
                    states().narrow(0, sample, 1).narrow(1, state, 1),
                    patterns().narrow(0, sample, 1),
                );
                let alone: HopfieldOutput = layer.forward(input).unwrap();
                let readout = together.readout.clone().narrow(0, sample, 1).narrow(1, state, 1);
                assert_equal(&what, &alone.readout, &readout, TOLERANCE);
            }
        }
    }
}

#[test]
fn steps_end_at_rest_and_not_before() {
    let config = HopfieldConfig::retrieval(DIM, 2.0).until_rest(200, 1e-9);
    let layer = config.init(&device()).unwrap();
    let output = layer.forward(HopfieldInput::new(states(), patterns())).unwrap();
    assert_eq!(output.stop, StopReason::Converged);
    assert!(output.steps > 1 && output.steps < 200, "{}", output.steps);
    let long = HopfieldConfig::retrieval(DIM, 2.0).with_steps(400).init(&device()).unwrap();
    let long = long.forward(HopfieldInput::new(states(), patterns())).unwrap();
    assert_eq!((long.stop, long.steps), (StopReason::MaxSteps, 400));
    // What is left to go after a step of 1e-9 is that over 1 minus the rate of the slowest.
    assert_equal("rest", &output.readout, &long.readout, 1e-7);
}

#[test]
fn a_feature_map_starts_as_none() {
    for span in [Span::PerHead, Span::Joint] {
        let plain = HopfieldConfig::new(DIM).with_heads(2);
        let map = FeatureMapConfig { span, feature_dim: None };
        let plain_layer = plain.init(&device()).unwrap();
        let mut mapped = plain.with_feature_map(map).init(&device()).unwrap();
        mapped.states = plain_layer.states.clone();
        mapped.patterns = plain_layer.patterns.clone();
        mapped.values = plain_layer.values.clone();
        mapped.output = plain_layer.output.clone();
        let input = HopfieldInput::new(states(), patterns());
        let (plain, mapped) =
            (plain_layer.forward(input.clone()).unwrap(), mapped.forward(input).unwrap());
        assert_equal("identity", &mapped.readout, &plain.readout, TOLERANCE);
    }
}

#[test]
fn pooling_and_lookup_are_the_layer_with_its_own_states_and_patterns() {
    for config in configs() {
        let pooling =
            HopfieldPoolingConfig::new(config.clone()).with_states(2).init(&device()).unwrap();
        let output = pooling.forward(HopfieldPoolingInput::new(patterns())).unwrap();
        let own = pooling.states.val().repeat_dim(0, BATCH);
        let expected = pooling.hopfield.forward(HopfieldInput::new(own, patterns())).unwrap();
        assert_equal("pooling", &output.readout, &expected.readout.flatten(1, 2), 0.0);

        let lookup = HopfieldLayerConfig::new(config, 5).init(&device()).unwrap();
        let lookup = lookup.starting_from(random(3, [5, DIM], &device()), None).unwrap();
        let mask =
            bools((0..BATCH * N_STATES * 5).map(|i| i % 4 == 0).collect(), [BATCH, 1, N_STATES, 5]);
        let input = HopfieldLayerInput::new(states()).with_blocked(mask.clone());
        let output = lookup.forward(input).unwrap();
        let own = lookup.patterns.val().repeat_dim(0, BATCH);
        let input = HopfieldInput::new(states(), own).with_blocked(mask);
        let expected = lookup.hopfield.forward(input).unwrap();
        assert_equal("lookup", &output.readout, &expected.readout, TOLERANCE);
        assert_equal("lookup", &output.weights, &expected.weights, TOLERANCE);
    }
}

#[test]
fn connected_values_are_projected_keys_projected() {
    let mut config = HopfieldConfig::new(DIM).with_heads(2);
    config.projection.values = uhop_nn::ValueProjection::Connected;
    let layer = config.init(&device()).unwrap();
    let output = layer.forward(HopfieldInput::new(states(), patterns())).unwrap();
    // Both normalisations start alike, so that the keys are what W_V sees.
    let keys = layer.keys(patterns()).unwrap();
    let expected = layer.values.as_ref().unwrap().forward(keys);
    assert_close("values", &values(&output.values), &values(&expected), TOLERANCE);
}

#[test]
fn dropout_acts_in_training_alone_and_leaves_the_exposed_weights() {
    let mut config = HopfieldConfig::new(DIM).with_beta(20.0);
    config.association.dropout = 0.5;
    let layer = config.init(&device().autodiff()).unwrap();
    let on = |rows: Tensor<3>| tensor(values(&rows), rows.dims(), &device().autodiff());
    let trained = layer.forward(HopfieldInput::new(on(states()), on(patterns()))).unwrap();
    let twice = layer.forward(HopfieldInput::new(on(states()), on(patterns()))).unwrap();
    assert_ne!(values(&trained.readout), values(&twice.readout));
    let sums = values(&trained.weights.sum_dim(3));
    assert_close("sums", &sums, &vec![1.0; sums.len()], TOLERANCE);
    let valid = burn::module::Module::valid(&layer);
    let input = || HopfieldInput::new(states(), patterns());
    let (first, second) = (valid.forward(input()).unwrap(), valid.forward(input()).unwrap());
    assert_equal("validation", &first.readout, &second.readout, 0.0);
}
