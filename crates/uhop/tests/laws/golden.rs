//! The golden vectors: every case of tests/golden, in f64 and f32.

use ndarray::{Array1, Array2, ArrayView1};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uhop::stage1::{Optimizer, Params, learn};
use uhop::{Dynamics, LinearMap, Memory, Model, Scalar, Separation, Similarity};

use crate::common::{
    EPSILON, Inputs, Sep, Twin, epsilon, frobenius, largest, narrow, norm, spectral_norm, stored,
};
use crate::stage1::{Rounding, Setting};

/// The largest difference between the golden separations and the `entmax` package, as
/// tests/golden/README.md says.
const CROSS_CHECK: f64 = 4e-14;

fn read<F: DeserializeOwned>(name: &str) -> F {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    let columns = rows[0].len();
    Array2::from_shape_vec((rows.len(), columns), rows.concat()).unwrap()
}

fn inputs<T: Scalar>() -> Inputs {
    if T::NAME == "f64" { Inputs::Exact } else { Inputs::Rounded }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeparationFile {
    #[serde(rename = "what")]
    _what: String,
    cases: Vec<SeparationCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeparationCase {
    name: String,
    alpha: f64,
    scores: Vec<f64>,
    weights: Vec<f64>,
}

/// |p − golden| ≤ the golden's own 4e-14, plus |∂p/∂z| times what the scores may be off by: solver
/// rounding of n + 8 operations of size 1 + |z|, and ε/2·|z| when they were rounded to `T`; plus
/// ε/2 for rounding p to `T`. Returns the largest tolerance.
fn check_separation<T: Scalar>(case: &SeparationCase) -> f64 {
    let z = Array1::from(case.scores.clone());
    let golden = Array1::from(case.weights.clone());
    let found = Separation::entmax(case.alpha).unwrap().weights(z.mapv(T::narrow).view()).unwrap();
    assert_eq!(found.weights.len(), golden.len());
    let size = largest(z.iter().copied());
    let mut moved = (z.len() as f64 + 8.0) * EPSILON * (1.0 + size);
    if inputs::<T>() == Inputs::Rounded {
        moved += 0.5 * epsilon::<T>() * size;
    }
    let slopes = Sep::Entmax(case.alpha).jacobian(&z, &golden).mapv(f64::abs);
    let tolerance = CROSS_CHECK
        + slopes.dot(&Array1::from_elem(z.len(), moved))
        + 0.5 * epsilon::<T>() * &golden;
    for ((p, expected), tolerance) in found.weights.iter().zip(&golden).zip(&tolerance) {
        let (p, name, alpha) = (p.widen(), &case.name, case.alpha);
        assert!(
            (p - expected).abs() <= *tolerance,
            "{name}, alpha {alpha}, {}: {p} {expected} {tolerance:e}",
            T::NAME
        );
    }
    largest(tolerance)
}

#[test]
fn separations_are_the_golden_ones() {
    let file: SeparationFile = read("separation");
    let mut sharp = 0;
    for case in &file.cases {
        let tolerance = check_separation::<f64>(case);
        assert!(tolerance < 1e-8, "{} {} says nothing: {tolerance}", case.name, case.alpha);
        sharp += usize::from(check_separation::<f32>(case) < 1e-4);
    }
    assert_eq!(file.cases.len(), 64);
    // Where scores rounded to f32 still determine the weights.
    assert!(sharp >= 56, "{sharp}");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetrievalFile {
    #[serde(rename = "what")]
    _what: String,
    patterns: Vec<Vec<f64>>,
    queries: Vec<Vec<f64>>,
    weight: Vec<Vec<f64>>,
    cases: Vec<RetrievalCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetrievalCase {
    similarity: String,
    alpha: f64,
    beta: f64,
    steps: usize,
    retrieved: Vec<Vec<f64>>,
}

fn similarity<T: Scalar>(name: &str, weight: &Array2<f64>) -> Similarity<T> {
    match name {
        "dot" => Similarity::Dot,
        "cosine" => Similarity::Cosine,
        "euclidean" => Similarity::Euclidean,
        "manhattan" => Similarity::Manhattan,
        "kernel" => Similarity::Kernel(LinearMap::new(narrow(weight)).unwrap()),
        other => panic!("unknown similarity {other}"),
    }
}

/// The golden states are an f64 run like the twin's, so [`Twin::retrieve`]'s bound covers both
/// sides. Returns the largest.
fn check_retrieval<T: Scalar>(file: &RetrievalFile, case: &RetrievalCase) -> f64 {
    let (patterns, queries) = (matrix(&file.patterns), matrix(&file.queries));
    let weight = matrix(&file.weight);
    let separation = Separation::entmax(case.alpha).unwrap();
    let model = Model::new(similarity(&case.similarity, &weight), separation, case.beta).unwrap();
    let memory = Memory::<T>::new(stored(&narrow(&patterns)), model).unwrap();
    let steps = Dynamics::steps(case.steps).unwrap();
    let found = memory.retrieve(narrow(&queries).view(), &steps).unwrap().retrieved;
    let golden = matrix(&case.retrieved);
    assert_eq!(found.dim(), golden.dim());
    let slow = similarity::<f64>(&case.similarity, &weight);
    let twin = Twin::new(patterns.view(), &slow, Sep::Entmax(case.alpha), case.beta);
    let mut worst = 0.0_f64;
    for ((found, golden), query) in found.rows().into_iter().zip(golden.rows()).zip(queries.rows())
    {
        let (_, bound) = twin.retrieve::<T>(query, case.steps, inputs::<T>());
        let error = norm((&found.mapv(T::widen) - &golden).view());
        let RetrievalCase { similarity, alpha, beta, steps, .. } = case;
        assert!(
            error <= bound,
            "{similarity} alpha {alpha} beta {beta} steps {steps} {}: {error:e} {bound:e}",
            T::NAME
        );
        worst = worst.max(bound);
    }
    worst
}

#[test]
fn retrievals_are_the_golden_ones() {
    let file: RetrievalFile = read("retrieval");
    let mut sharp = 0;
    for case in &file.cases {
        let bound = check_retrieval::<f64>(&file, case);
        assert!(bound < 1e-8, "{} {} says nothing: {bound}", case.similarity, case.alpha);
        sharp += usize::from(check_retrieval::<f32>(&file, case) < 0.1);
    }
    assert_eq!(file.cases.len(), 60);
    assert!(sharp >= 50, "{sharp}");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnergyFile {
    #[serde(rename = "what")]
    _what: String,
    patterns: Vec<Vec<f64>>,
    queries: Vec<Vec<f64>>,
    weight: Vec<Vec<f64>>,
    cases: Vec<EnergyCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnergyCase {
    alpha: f64,
    beta: f64,
    kernel: bool,
    energy: Vec<f64>,
}

fn check_energy<T: Scalar>(file: &EnergyFile, case: &EnergyCase) -> usize {
    let (patterns, queries) = (matrix(&file.patterns), matrix(&file.queries));
    let weight = matrix(&file.weight);
    let name = if case.kernel { "kernel" } else { "dot" };
    let separation = Separation::entmax(case.alpha).unwrap();
    let model = Model::new(similarity(name, &weight), separation, case.beta).unwrap();
    let memory = Memory::<T>::new(stored(&narrow(&patterns)), model).unwrap();
    let found = memory.energy(narrow(&queries).view()).unwrap();
    assert_eq!(found.len(), case.energy.len());
    let twin = Twin::new(
        patterns.view(),
        &similarity::<f64>(name, &weight),
        Sep::Entmax(case.alpha),
        case.beta,
    );
    for ((found, golden), query) in found.iter().zip(&case.energy).zip(queries.rows()) {
        let bound = twin.energy_bound::<T>(query, inputs::<T>());
        let EnergyCase { alpha, beta, .. } = case;
        assert!(
            (found - golden).abs() <= bound,
            "{name} alpha {alpha} beta {beta} {}: {found} {golden} {bound:e}",
            T::NAME
        );
    }
    found.len()
}

#[test]
fn energies_are_the_golden_ones() {
    let file: EnergyFile = read("energy");
    let values: usize = file
        .cases
        .iter()
        .map(|case| check_energy::<f64>(&file, case) + check_energy::<f32>(&file, case))
        .sum();
    assert_eq!((file.cases.len(), values), (12, 2 * 12 * 5));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stage1File {
    #[serde(rename = "what")]
    _what: String,
    patterns: Vec<Vec<f64>>,
    weight: Vec<Vec<f64>>,
    cases: Vec<Stage1Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stage1Case {
    loss: String,
    unit_features: bool,
    temperature: f64,
    learning_rate: f64,
    losses: Vec<f64>,
    first_gradient: Vec<Vec<f64>>,
    weight_after: Vec<Vec<f64>>,
}

impl Stage1Case {
    fn setting(&self) -> Setting {
        let max = match self.loss.as_str() {
            "average" => false,
            "max" => true,
            other => panic!("unknown loss {other}"),
        };
        Setting { max, unit: self.unit_features, t: self.temperature }
    }
}

/// How far W may be from the golden run's after each step, by first order times two: one step
/// turns an error e into ‖I − γH‖·e + γ·(error of the gradient) + ε·‖W‖, H = ∂²L/∂W² by central
/// differences of the closed-form gradient. Beside each, the error of the loss there; after the
/// last step the file has none.
fn weight_errors<T: Scalar>(case: &Stage1Case, file: &Stage1File) -> Vec<(f64, f64)> {
    let (loss, patterns) = (case.setting().loss(), matrix(&file.patterns));
    let rate = case.learning_rate;
    let gradient = |weight: &Array2<f64>| {
        let map = LinearMap::new(weight.clone()).unwrap();
        loss.value_and_gradient(&map, &stored(&patterns)).unwrap().1
    };
    let mut weight = matrix(&file.weight);
    let rounded = if inputs::<T>() == Inputs::Rounded { 1.0 } else { 0.0 };
    let mut error = rounded * epsilon::<T>() * frobenius(weight.view());
    let mut errors = Vec::new();
    for _ in &case.losses {
        let slope = gradient(&weight);
        let rounding = Rounding::new::<T>(&patterns, &weight, case.setting());
        errors.push((2.0 * error, rounding.loss + 2.0 * error * frobenius(slope.view())));
        let size = weight.len();
        let mut step = Array2::<f64>::eye(size);
        let h = 1e-5;
        for k in 0..size {
            let moved = |h: f64| {
                let mut moved = weight.clone();
                *moved.iter_mut().nth(k).unwrap() += h;
                gradient(&moved)
            };
            let column = (moved(h) - moved(-h)) / (2.0 * h);
            for (l, curvature) in column.iter().enumerate() {
                step[[l, k]] -= rate * curvature;
            }
        }
        weight.scaled_add(-rate, &slope);
        error = spectral_norm(&step) * error
            + rate * rounding.gradient
            + epsilon::<T>() * frobenius(weight.view());
    }
    errors.push((2.0 * error, f64::NAN));
    errors
}

fn check_stage1<T: Scalar>(case: &Stage1Case, file: &Stage1File) {
    let (name, unit) = (&case.loss, case.unit_features);
    let patterns = stored(&narrow::<T>(&matrix(&file.patterns)));
    let start = || LinearMap::new(narrow::<T>(&matrix(&file.weight))).unwrap();
    let (_, gradient) = case.setting().loss().value_and_gradient(&start(), &patterns).unwrap();
    let rounding =
        Rounding::new::<T>(&matrix(&file.patterns), &matrix(&file.weight), case.setting());
    let difference = gradient.mapv(T::widen) - matrix(&case.first_gradient);
    let off = frobenius(difference.view());
    assert!(off <= rounding.gradient, "{name} {unit} {}: {off:e} {:e}", T::NAME, rounding.gradient);

    let optimizer = Optimizer::gradient_descent(case.learning_rate).unwrap();
    let params =
        Params::new(case.setting().loss(), optimizer, case.losses.len()).unwrap().keep_rows();
    let report =
        learn(&patterns, start(), &params, |_| std::ops::ControlFlow::Continue(())).unwrap();
    // The file has the loss before each of its steps; a report also has the one after the last.
    assert_eq!(report.losses.len(), case.losses.len() + 1);
    let errors = weight_errors::<T>(case, file);
    for ((found, golden), (_, bound)) in report.losses.iter().zip(&case.losses).zip(&errors) {
        assert!(
            (found - golden).abs() <= *bound,
            "{name} {unit} {}: {found} {golden} {bound:e}",
            T::NAME
        );
    }
    let golden = matrix(&case.weight_after);
    let off = frobenius((report.map.weight().mapv(T::widen) - &golden).view());
    let (bound, _) = errors[errors.len() - 1];
    assert!(off <= bound, "{name} {unit} {}: {off:e} {bound:e}", T::NAME);
    // Far below what six steps have moved W by, so that a wrong step cannot hide.
    let moved = frobenius((&golden - &matrix(&file.weight)).view());
    assert!(bound < 0.1 * moved, "{name} {unit} {}: {bound:e} {moved:e}", T::NAME);
}

#[test]
fn stage1_runs_are_the_golden_ones() {
    let file: Stage1File = read("stage1");
    for case in &file.cases {
        check_stage1::<f64>(case, &file);
        check_stage1::<f32>(case, &file);
    }
    assert_eq!(file.cases.len(), 3);
    let lengths = file.cases.iter().map(|case| case.losses.len());
    assert!(lengths.into_iter().all(|length| length == 6));
}

/// The bounds above rest on the twin: here the twin itself meets the golden states.
#[test]
fn the_slow_twin_is_golden_too() {
    let file: RetrievalFile = read("retrieval");
    let (patterns, queries) = (matrix(&file.patterns), matrix(&file.queries));
    for case in &file.cases {
        let similarity = similarity::<f64>(&case.similarity, &matrix(&file.weight));
        let twin = Twin::new(patterns.view(), &similarity, Sep::Entmax(case.alpha), case.beta);
        for (query, golden) in queries.rows().into_iter().zip(&case.retrieved) {
            let (state, bound) = twin.retrieve::<f64>(query, case.steps, Inputs::Exact);
            let error = norm((&state - &ArrayView1::from(golden)).view());
            assert!(error <= bound, "{} {}: {error:e}", case.similarity, case.alpha);
        }
    }
}
