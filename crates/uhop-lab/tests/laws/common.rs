use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uhop_lab::{Contender, DataSet, Finished, Result, Row, Run, Spec, Specification as _};

/// An experiment that takes milliseconds, but has some of everything.
pub(crate) const SMALL: &str = r#"
name = "small"
title = "t"
method = "m"
axis = "n_patterns"
datasets = ["mnist"]
seeds = 3
n_patterns = [4, 7]
recall_threshold = 1.0
contenders = [
    "query", "dense", "sparse", "entmax-1.5", "polynomial-10",
    "l2", "squared-euclidean", "manhattan", "cosine",
    "uhop-dense-average", "uhop-dense-max", "uhop-sparse-average", "uhop-sparse-max",
    "dense-matched-average", "dense-matched-max",
]
betas = { cosine = 10.0 }
[stage1]
steps = [5]
average_rate = 1.0
max_rate = 10.0
[[corruption]]
kind = "half-mask"
[[corruption]]
kind = "gaussian-std"
levels = [0.25, 1.0]
[[corruption]]
kind = "gaussian-norm"
levels = [0.5]
[[corruption]]
kind = "occluded-half"
[[protocol]]
name = "published"
defects = [
    "distances-not-negated", "beta-outside", "polynomial-not-normalised", "half-of-memories-trained",
    "decaying-rate", "rows-not-normalised", "error-clamped",
]
without = ["squared-euclidean", "cosine"]
[[protocol]]
name = "paper"
[[protocol]]
name = "fair"
tuned = { from = 0.1, to = 100.0, points = 4, queries = 3 }
[quick]
seeds = 1
"#;

pub(crate) fn small() -> Spec {
    Spec::parse(SMALL, "small.toml").unwrap()
}

/// The same with the contenders that know the corruption or learned from copies, which take longer.
pub(crate) fn informed() -> Spec {
    use Contender::{Auto, AutoMix, Channel, Denoised, DenoisedMix, Whitened};
    let mut spec = small();
    (spec.seeds, spec.n_patterns) = (1, vec![7]);
    spec.contenders = vec![Channel, Whitened, Denoised, DenoisedMix, Auto, AutoMix];
    spec.corruption.truncate(2);
    spec.protocol.retain(|protocol| protocol.defects.is_empty());
    spec
}

/// Forty made-up images of 4 x 5 pixels, half of them black.
pub(crate) fn noise() -> DataSet {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut pixel = || if random.random() { random.random::<f32>() } else { 0.0 };
    let rows = Array2::from_shape_simple_fn((40, 20), &mut pixel);
    DataSet::new("noise", "made up", (4, 5, 1), rows).unwrap()
}

pub(crate) fn run(spec: &Spec, data: &DataSet, out: &Path, jobs: usize) -> Result<Finished> {
    let (data, jobs) = (std::slice::from_ref(data), NonZeroUsize::new(jobs).unwrap());
    Run { spec, data, out, jobs }.run(&|_| ControlFlow::Continue(()))
}

/// A run in a folder of its own.
pub(crate) fn rows(spec: &Spec, data: &DataSet) -> Vec<Row> {
    let folder = tempfile::tempdir().unwrap();
    run(spec, data, folder.path(), 2).unwrap().rows
}

/// The rows without the one column that differs between runs.
pub(crate) fn timeless(rows: &[Row]) -> Vec<Row> {
    let without = |row: &Row| {
        let mut row = row.clone();
        row.seconds = 0.0;
        row
    };
    rows.iter().map(without).collect()
}
