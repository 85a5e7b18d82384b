//! The files of the corpus that are made: a good one, changed, and its checksums made right.

use ndarray::Array2;
use serde_json::{Value, json};
use uhop::saved::{Ids, SavedMemory};
use uhop::{Channel, LinearMap, Memory, Model, Patterns, Separation, Similarity};

use crate::forged::sealed;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    Read,
    /// With these words.
    Refused(&'static str),
}

use Expected::{Read, Refused};

/// A small file with every kind of tensor.
pub(crate) fn good() -> Vec<u8> {
    let patterns = Patterns::new(ndarray::array![[1.0_f32, 0.5], [0.25, 2.0]]).unwrap();
    let map = LinearMap::new(ndarray::array![[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]]).unwrap();
    let model = Model::entmax(1.5, 2.0).unwrap().with_feature_map(map);
    let values = Patterns::new(ndarray::array![[7.0], [9.0]]).unwrap();
    let memory = Memory::new(patterns, model).unwrap().with_values(values).unwrap();
    let ids = Ids::names(vec!["seven".into(), "nine".into()]).unwrap();
    SavedMemory::new(memory).with_ids(ids).unwrap().to_bytes().unwrap()
}

/// The tensors of a file by name, and its description.
struct Parts {
    tensors: Vec<(String, &'static str, Vec<u64>, Vec<u8>)>,
    description: Value,
}

impl Parts {
    /// Two patterns under the dot product and nothing else.
    fn new() -> Self {
        let separation = json!({ "kind": "entmax", "alpha": 1.0 });
        let model = json!({ "similarity": "dot", "separation": separation, "beta": 1.0 });
        Self {
            tensors: vec![floats("patterns", &[2, 2], &[1.0, 0.5, 0.25, 2.0])],
            description: json!({ "version": 1, "created_by": "hand", "model": model }),
        }
    }

    fn with(mut self, tensor: (String, &'static str, Vec<u64>, Vec<u8>)) -> Self {
        self.tensors.retain(|(name, ..)| *name != tensor.0);
        self.tensors.push(tensor);
        self
    }

    fn described(mut self, field: &str, value: Value) -> Self {
        *self.description.pointer_mut(field).unwrap() = value;
        self
    }

    /// The file, every checksum right.
    fn file(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        let mut data = Vec::new();
        for (name, dtype, shape, bytes) in &self.tensors {
            let start = data.len();
            data.extend(bytes);
            let offsets = [start, data.len()];
            let info = json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
            header.insert(name.clone(), info);
        }
        let text = self.description.to_string();
        header.insert("__metadata__".into(), json!({ "uhop": text }));
        let header = Value::from(header).to_string();
        let length = (header.len() as u64).to_le_bytes();
        sealed(&[&length[..], header.as_bytes(), &data].concat()).unwrap()
    }
}

fn floats(name: &str, shape: &[u64], values: &[f32]) -> (String, &'static str, Vec<u64>, Vec<u8>) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name.to_owned(), "F32", shape.to_vec(), bytes)
}

fn integers(name: &str, values: &[i64]) -> (String, &'static str, Vec<u64>, Vec<u8>) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name.to_owned(), "I64", vec![values.len() as u64], bytes)
}

fn text(bytes: &[u8]) -> (String, &'static str, Vec<u64>, Vec<u8>) {
    ("ids".to_owned(), "U8", vec![bytes.len() as u64], bytes.to_vec())
}

pub(crate) fn all() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let good = good();
    let parts = Parts::new;
    let patterns = |shape: &[u64], values: &[f32]| parts().with(floats("patterns", shape, values));
    let named = |ids: &[u8], ends: &[i64]| parts().with(text(ids)).with(integers("ids.ends", ends));
    let model = |field: &str, value: Value| parts().described(&format!("/model/{field}"), value);
    // Two patterns with maps of two features; what comes later takes the place of what is there.
    let two_maps = |tensors: &[(&str, &[u64], &[f32])]| {
        let square: (&[u64], &[f32]) = (&[2, 2], &[1.0, 0.0, 0.0, 1.0]);
        let maps = ["keys", "queries"].map(|name| (name, square.0, square.1));
        let tensors = maps.iter().chain(tensors);
        let parts = parts().described("/model/similarity", json!("asymmetric"));
        let with = |parts: Parts, &(name, shape, values): &(&str, &[u64], &[f32])| {
            parts.with(floats(&format!("asymmetric_map.{name}"), shape, values))
        };
        tensors.fold(parts, with).file()
    };
    let channel = |channel: Value| {
        let mut parts = parts().described("/model/similarity", json!("channel"));
        parts.description["model"]["channel"] = channel;
        // From 0 to 1, as some channels want them.
        parts.with(floats("patterns", &[2, 2], &[1.0, 0.5, 0.25, 0.0]))
    };
    let occlusion = |visible: &str| channel(json!({ "kind": "occlusion", "visible": visible }));
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let unknown = |name: &str| parts().with(floats(name, &[1], &[0.0]));
    let surprise = |field: &str| {
        let mut parts = parts();
        parts.description.as_object_mut().unwrap().insert(field.to_owned(), json!(true));
        parts
    };
    // A record of whitening, with or without what it is of.
    let whitened = |parts: Parts, ridge: f64| {
        let mut parts = parts;
        let stage1 = json!({ "loss": "whitening", "ridge": ridge });
        parts.description.as_object_mut().unwrap().insert("stage1".into(), stage1);
        parts.file()
    };
    let kernel = |n_rows: usize| {
        let weight = floats("feature_map.weight", &[n_rows as u64, 2], &vec![1.0; 2 * n_rows]);
        parts().with(weight).described("/model/similarity", json!("kernel"))
    };
    vec![
        ("good", good.clone(), Read),
        ("whitened", whitened(kernel(2), 0.1), Read),
        ("whitened-narrow", whitened(kernel(1), 0.1), Refused("as many rows as columns")),
        ("whitened-without-a-map", whitened(parts(), 0.1), Refused("as many rows as columns")),
        ("ridge-negative", whitened(kernel(2), -1.0), Refused("the ridge is -1")),
        ("smallest", parts().file(), Read),
        ("truncated", good[..good.len() - 1].to_vec(), Refused("safetensors")),
        ("one-bit-flipped", flipped, Refused("is damaged")),
        ("channel", occlusion("10").file(), Read),
        ("channel-half-mask", channel(json!({ "kind": "half_mask" })).file(), Read),
        ("channel-of-another-dim", occlusion("101").file(), Refused("the visible entries")),
        ("channel-visible-letters", occlusion("1\n").file(), Refused("not digits 0 and 1")),
        ("channel-visible-nothing", occlusion("").file(), Refused("must be visible")),
        (
            "channel-std-negative",
            channel(json!({ "kind": "gaussian", "std": -1.0 })).file(),
            Refused("std is -1"),
        ),
        ("channel-std-huge", channel(json!({ "kind": "gaussian", "std": 1e300 })).file(), Read),
        (
            "channel-levels-differ",
            channel(json!({ "kind": "calibrated", "means": [0.0, 1.0], "variances": [] })).file(),
            Refused("one of each for every level"),
        ),
        (
            "channel-patterns-outside",
            channel(json!({ "kind": "calibrated", "means": [0, 1], "variances": [1, 1] }))
                .with(floats("patterns", &[1, 2], &[2.0, 0.0]))
                .file(),
            Refused("is 2; it must be from 0 to 1"),
        ),
        ("channel-unknown", channel(json!({ "kind": "fax" })).file(), Refused("unknown variant")),
        (
            "channel-without-parameters",
            model("similarity", json!("channel")).file(),
            Refused("no channel"),
        ),
        (
            "channel-beside-a-similarity",
            channel(json!({ "kind": "half_mask" }))
                .described("/model/similarity", json!("dot"))
                .file(),
            Refused("a channel and another similarity"),
        ),
        ("asymmetric", two_maps(&[]), Read),
        ("asymmetric-with-bias", two_maps(&[("bias", &[2], &[1.0, -1.0])]), Read),
        ("bias-too-short", two_maps(&[("bias", &[1], &[1.0])]), Refused("one for each pattern")),
        ("bias-empty", two_maps(&[("bias", &[0], &[])]), Refused("the bias")),
        ("bias-matrix", two_maps(&[("bias", &[1, 2], &[1.0, 1.0])]), Refused("must be a row")),
        ("bias-nan", two_maps(&[("bias", &[2], &[1.0, f32::NAN])]), Refused("must be finite")),
        ("maps-that-differ", two_maps(&[("keys", &[1, 2], &[1.0, 1.0])]), Refused("[1, 2]")),
        (
            "maps-of-another-dim",
            two_maps(&[("keys", &[1, 1], &[1.0]), ("queries", &[1, 1], &[1.0])]),
            Refused("the same dim"),
        ),
        (
            "asymmetric-without-maps",
            model("similarity", json!("asymmetric")).file(),
            Refused("`asymmetric_map.keys` is missing"),
        ),
        ("bias-without-maps", unknown("asymmetric_map.bias").file(), Refused("not one that")),
        ("nan", patterns(&[1, 2], &[f32::NAN, 1.0]).file(), Refused("must be finite")),
        ("infinity", patterns(&[1, 2], &[1.0, f32::INFINITY]).file(), Refused("must be finite")),
        ("rows-0", patterns(&[0, 2], &[]).file(), Refused("patterns")),
        ("columns-0", patterns(&[2, 0], &[]).file(), Refused("patterns")),
        ("rows-0-columns-2-to-63", patterns(&[0, 1 << 63], &[]).file(), Refused("")),
        ("rank-1", patterns(&[2], &[1.0, 2.0]).file(), Refused("must be a matrix")),
        ("rank-1000", patterns(&[1; 1000], &[1.0]).file(), Refused("must be a matrix")),
        (
            "rows-2-to-60",
            {
                let mut parts = parts();
                parts.tensors[0].2 = vec![1 << 60, 4];
                parts.file()
            },
            Refused("safetensors"),
        ),
        (
            "patterns-i64",
            {
                let mut parts = parts();
                parts.tensors[0].1 = "I64";
                parts.tensors[0].2 = vec![1, 2];
                parts.file()
            },
            Refused("it must be F32"),
        ),
        (
            "values-of-another-type",
            parts().with(("values".into(), "F64", vec![2, 1], vec![0; 16])).file(),
            Refused("it must be F32"),
        ),
        (
            "values-of-other-rows",
            parts().with(floats("values", &[1, 1], &[1.0])).file(),
            Refused("[1, 1]"),
        ),
        (
            "kernel-without-a-map",
            model("similarity", json!("kernel")).file(),
            Refused("`feature_map.weight` is missing"),
        ),
        ("map-without-a-kernel", unknown("feature_map.weight").file(), Refused("not one that")),
        (
            "no-patterns",
            Parts { tensors: vec![], ..parts() }.file(),
            Refused("`patterns` is missing"),
        ),
        ("name-of-a-parent-folder", unknown("../../etc/a").file(), Refused("not one that")),
        ("name-with-line-break", unknown("a\nb\u{1b}[2J").file(), Refused("a\\nb\\u{1b}[2J")),
        ("name-of-2000-characters", unknown(&"n".repeat(2000)).file(), Refused("use a newer one")),
        ("field-with-line-break", surprise("a\nb").file(), Refused("unknown field")),
        (
            "version-2-to-64",
            parts().described("/version", json!(u64::MAX)).file(),
            Refused("use a newer uhop"),
        ),
        ("beta-negative", model("beta", json!(-1.0)).file(), Refused("beta is -1")),
        (
            "alpha-huge",
            model("separation", json!({ "kind": "entmax", "alpha": 1e300 })).file(),
            Read,
        ),
        (
            "alpha-0",
            model("separation", json!({ "kind": "entmax", "alpha": 0.0 })).file(),
            Refused("alpha is 0"),
        ),
        (
            "top-k-2-to-63",
            model("separation", json!({ "kind": "top_k", "k": 1_u64 << 63 })).file(),
            Refused("k"),
        ),
        (
            "features-more-than-allowed",
            parts()
                .with(floats("patterns", &[2100, 1], &[1.0; 2100]))
                .with(floats("feature_map.weight", &[2100, 1], &[1.0; 2100]))
                .described("/model/similarity", json!("kernel"))
                .file(),
            Refused("learn a map of fewer features"),
        ),
        ("ids-twice", parts().with(integers("ids", &[7, 7])).file(), Refused("id 7")),
        ("ids-too-few", parts().with(integers("ids", &[7])).file(), Refused("[1]")),
        ("names-twice-with-line-break", named(b"a\nba\nb", &[3, 6]).file(), Refused("a\\nb")),
        ("names-not-utf8", named(b"\xff\xfe", &[1, 2]).file(), Refused("do not make names")),
        ("names-end-outside", named(b"ab", &[1, 3]).file(), Refused("do not make names")),
        ("names-end-backwards", named(b"ab", &[2, 1]).file(), Refused("do not make names")),
        ("names-end-negative", named(b"ab", &[-1, 2]).file(), Refused("do not make names")),
        ("names-without-ends", parts().with(text(b"ab")).file(), Refused("`ids.ends` is missing")),
    ]
}

/// Files with what they may take for each byte of their tensors, large enough that what does not
/// grow with the file does not matter.
pub(crate) fn worst() -> Vec<(&'static str, usize, Vec<u8>)> {
    let memory = |similarity| {
        let patterns = Patterns::new(Array2::<f32>::ones((1000, 300))).unwrap();
        let model = Model::new(similarity, Separation::entmax(1.0).unwrap(), 1.0).unwrap();
        SavedMemory::new(Memory::new(patterns, model).unwrap()).to_bytes().unwrap()
    };
    let n = 33_000_i64;
    let numbers: Vec<i64> = (0..n).collect();
    let names: Vec<u8> = (0..n).flat_map(|id| format!("{id:05}").into_bytes()).collect();
    let ends: Vec<i64> = (0..n).map(|id| 5 * (id + 1)).collect();
    let rows = || Parts::new().with(floats("patterns", &[n as u64, 1], &vec![1.0; n as usize]));
    let narrow = Parts::new()
        .with(floats("patterns", &[2048, 1], &[1.0; 2048]))
        .with(floats("feature_map.weight", &[2048, 1], &[1.0; 2048]))
        .described("/model/similarity", json!("kernel"));
    let ones = Parts::new().with(floats("patterns", &vec![1; 100_000], &[1.0]));
    let many = (0..5000).map(|i| floats(&format!("{i}"), &[0], &[]));
    let losses = vec![0; 100_000];
    let stage1 = json!({
        "loss": "max", "unit_features": true, "t": 2.0,
        "optimizer": { "kind": "adam", "rate": 0.1 }, "max_steps": 1, "tolerance": null,
        "normalize_rows": true, "seed": null, "losses": losses, "stop": "max_steps",
    });
    let mut learned = Parts::new();
    learned.description.as_object_mut().unwrap().insert("stage1".into(), stage1);
    vec![
        ("dot", 1, memory(Similarity::Dot)),
        ("cosine", 3, memory(Similarity::Cosine)),
        ("euclidean", 3, memory(Similarity::Euclidean)),
        ("manhattan", 1, memory(Similarity::Manhattan)),
        ("kernel", 2, memory(Similarity::Kernel(LinearMap::random_normal(3, 300, 1).unwrap()))),
        // 14 terms an entry, and the tables of 3 MiB beside tensors of 1.2 MB.
        ("channel", 14 + 5, memory(Similarity::Channel(Channel::folded_gaussian(0.0).unwrap()))),
        ("features", 1024 + 5, narrow.file()),
        ("numbers", 5, rows().with(integers("ids", &numbers)).file()),
        ("names", 5, rows().with(text(&names)).with(integers("ids.ends", &ends)).file()),
        ("a shape of many ones", 1, ones.file()),
        ("many empty tensors", 1, Parts { tensors: many.collect(), ..Parts::new() }.file()),
        ("many losses", 1, learned.file()),
    ]
}
