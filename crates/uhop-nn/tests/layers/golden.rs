//! Equal to what `ml-jku/hopfield-layers` computes.

use std::path::Path;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Bool, Tensor, TensorData};
use serde_json::Value;
use uhop_nn::{
    Beta, Hopfield, HopfieldConfig, HopfieldInput, HopfieldLayerConfig, HopfieldLayerInput,
    HopfieldPoolingConfig, HopfieldPoolingInput, LookupValues, Norm, NormalizationConfig,
    Projection, ValueProjection,
};

use crate::common::{assert_close, device, tensor, values};

/// Sums of at most 10 products, six of them one after another and twice through a normalisation and an
/// exponential, for each of at most 5 updates.
const TOLERANCE: f64 = 10.0 * 6.0 * 5.0 * f64::EPSILON;

const FILE: &str = "../../../shared/golden/hopfield_layers.json";

fn cases() -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).unwrap();
    Some(golden["cases"].as_array().unwrap().clone())
}

#[test]
fn layers_are_those_of_hopfield_layers() {
    let Some(cases) = cases() else {
        eprintln!("skipped: {FILE} is not there");
        return;
    };
    assert_eq!(cases.len(), 13);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (readout, weights) = match name.split('/').next().unwrap() {
            "Hopfield" => hopfield(case),
            "HopfieldPooling" => pooling(case),
            "HopfieldLayer" => lookup(case),
            other => panic!("{other}"),
        };
        assert_close(name, &readout, &flat(&case["output"]), TOLERANCE);
        assert_close(name, &weights, &flat(&case["association"]), TOLERANCE);
    }
}

fn hopfield(case: &Value) -> (Vec<f64>, Vec<f64>) {
    let device = device();
    let layer = with_parameters(config(case).init(&device).unwrap(), case, "");
    let [stored, state, projection] = [0, 1, 2].map(|i| rows(&case["input"][i]));
    let mut input = HopfieldInput::new(state, stored).with_values(projection);
    if let Some(padding) = padding(&case["stored_pattern_padding_mask"]) {
        input = input.with_padding(padding);
    }
    let output = layer.forward(input).unwrap();
    (values(&output.readout), values(&output.weights))
}

fn pooling(case: &Value) -> (Vec<f64>, Vec<f64>) {
    let device = device();
    let n_states = argument(case, "quantity").map_or(1, |v| v.as_u64().unwrap()) as usize;
    let mut layer =
        HopfieldPoolingConfig::new(config(case)).with_states(n_states).init(&device).unwrap();
    layer.hopfield = with_parameters(layer.hopfield, case, "hopfield.");
    layer.states = Param::from_tensor(parameter(case, "pooling_weights"));
    let output = layer.forward(HopfieldPoolingInput::new(rows(&case["input"]))).unwrap();
    (values(&output.readout), values(&output.weights))
}

fn lookup(case: &Value) -> (Vec<f64>, Vec<f64>) {
    let device = device();
    let n_patterns = argument(case, "quantity").unwrap().as_u64().unwrap() as usize;
    let separated = argument(case, "lookup_weights_as_separated").is_some();
    let values_of = if separated { LookupValues::Trained } else { LookupValues::Patterns };
    let config = HopfieldLayerConfig::new(config(case), n_patterns).with_values(values_of);
    let mut layer = config.init(&device).unwrap();
    layer.hopfield = with_parameters(layer.hopfield, case, "hopfield.");
    layer.patterns = Param::from_tensor(parameter(case, "lookup_weights"));
    if separated {
        layer.values = Some(Param::from_tensor(parameter(case, "target_weights")));
    }
    let output = layer.forward(HopfieldLayerInput::new(rows(&case["input"]))).unwrap();
    (values(&output.readout), values(&output.weights))
}

/// Their arguments as ours.
fn config(case: &Value) -> HopfieldConfig {
    let arguments = case["arguments"].as_object().unwrap();
    let mut config = HopfieldConfig::new(arguments["input_size"].as_u64().unwrap() as usize);
    for (name, value) in arguments {
        let size = || value.as_u64().unwrap() as usize;
        let on = value.as_bool().unwrap_or(false);
        match name.as_str() {
            "hidden_size" => config.projection.head_dim = Some(size()),
            "num_heads" => config.projection.n_heads = size(),
            "output_size" => config.projection.output_dim = Some(size()),
            "scaling" => config.association.beta = Beta::All(value.as_f64().unwrap()),
            // Theirs are the updates after the first.
            "update_steps_max" => config.dynamics.max_steps = size() + 1,
            "update_steps_eps" => config.dynamics.tolerance = value.as_f64().unwrap(),
            "normalize_stored_pattern" => {
                assert!(!on);
                config.normalization = NormalizationConfig::off();
            }
            "stored_pattern_as_static" if on => config.projection.patterns = Projection::Static,
            "state_pattern_as_static" if on => config.projection.states = Projection::Static,
            "pattern_projection_as_static" if on => {
                config.projection.values = ValueProjection::Static;
            }
            "pattern_projection_as_connected" if on => {
                config.projection.values = ValueProjection::Connected;
            }
            "disable_out_projection" if on => config.projection.output = Projection::Static,
            "add_zero_association" => config.association.zero_pattern = on,
            // The layers around, or said already by the first of the normalisations.
            "input_size" | "quantity" | "lookup_weights_as_separated" => {}
            other if other.starts_with("normalize_") => assert!(!on, "{other}"),
            other => panic!("{other}"),
        }
    }
    config
}

/// Their parameters in our layer.
fn with_parameters(mut layer: Hopfield, case: &Value, prefix: &str) -> Hopfield {
    let core = |name: &str| format!("{prefix}association_core.{name}");
    let n_rows = |layer: &Option<Linear>| layer.as_ref().map_or(0, |map| map.weight.dims()[1]);
    let sizes = [n_rows(&layer.states), n_rows(&layer.patterns), n_rows(&layer.values)];
    let starts = [0, sizes[0], sizes[0] + sizes[1]];
    let maps = [&mut layer.states, &mut layer.patterns, &mut layer.values];
    for (i, map) in maps.into_iter().enumerate() {
        let Some(map) = map else { continue };
        let together = core("in_proj_weight");
        let weight: Tensor<2> = if case["state_dict"].get(&together).is_some() {
            parameter::<2>(case, &together).narrow(0, starts[i], sizes[i])
        } else {
            parameter(case, &core(&format!("{}_proj_weight", ["q", "k", "v"][i])))
        };
        let bias: Tensor<1> = parameter(case, &core("in_proj_bias"));
        *map = linear(weight, bias.narrow(0, starts[i], sizes[i]));
    }
    if let Some(map) = &mut layer.output {
        *map = linear(
            parameter(case, &core("out_proj.weight")),
            parameter(case, &core("out_proj.bias")),
        );
    }
    let norms: [(&mut Option<Norm>, &str); 3] = [
        (&mut layer.norm_patterns, "norm_stored_pattern"),
        (&mut layer.norm_states, "norm_state_pattern"),
        (&mut layer.norm_values, "norm_pattern_projection"),
    ];
    for (norm, name) in norms {
        let Some(norm) = norm else { continue };
        norm.scale = Some(Param::from_tensor(parameter(case, &format!("{prefix}{name}.weight"))));
        norm.shift = Some(Param::from_tensor(parameter(case, &format!("{prefix}{name}.bias"))));
    }
    layer
}

/// PyTorch keeps `[out, in]`.
fn linear(weight: Tensor<2>, bias: Tensor<1>) -> Linear {
    Linear { weight: Param::from_tensor(weight.transpose()), bias: Some(Param::from_tensor(bias)) }
}

fn argument<'a>(case: &'a Value, name: &str) -> Option<&'a Value> {
    case["arguments"].get(name)
}

fn parameter<const D: usize>(case: &Value, name: &str) -> Tensor<D> {
    let value = &case["state_dict"][name];
    let shape: [usize; D] = shape(value).try_into().unwrap_or_else(|_| panic!("{name}"));
    tensor(flat(value), shape, &device())
}

fn rows(value: &Value) -> Tensor<3> {
    let shape = shape(value);
    tensor(flat(value), [shape[0], shape[1], shape[2]], &device())
}

fn padding(value: &Value) -> Option<Tensor<2, Bool>> {
    let rows = value.as_array()?;
    let flags: Vec<bool> = rows
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|flag| flag.as_bool().unwrap_or_else(|| flag.as_f64().unwrap() != 0.0))
        .collect();
    let shape = [rows.len(), flags.len() / rows.len()];
    Some(Tensor::from_data(TensorData::new(flags, shape), &device()))
}

fn shape(value: &Value) -> Vec<usize> {
    match value.as_array() {
        None => Vec::new(),
        Some(rows) => {
            let mut shape = vec![rows.len()];
            shape.extend(rows.first().map(self::shape).unwrap_or_default());
            shape
        }
    }
}

fn flat(value: &Value) -> Vec<f64> {
    match value.as_array() {
        None => vec![value.as_f64().unwrap()],
        Some(rows) => rows.iter().flat_map(flat).collect(),
    }
}
