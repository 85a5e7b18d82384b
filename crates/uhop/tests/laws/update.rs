//! The update in one pass over the memory is the one by all scores, all weights and one product.

use ndarray::{Array2, ArrayView1, Zip};
use uhop::{
    AsymmetricMap, Dynamics, LinearMap, Memory, Model, Scalar, Separation, Similarity, readout,
};

use crate::common::{epsilon, normal, stored};

/// Multiples of a quarter between −1 and 1: scores are exact in any order of summation, and among
/// hundreds of patterns many are equal, score the same, or lie just at a threshold.
fn coarse<T: Scalar>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    normal::<f64>(rows, columns, seed).mapv(|x| T::narrow((x.clamp(-1.0, 1.0) * 4.0).round() / 4.0))
}

fn separations(n: usize) -> Vec<Separation> {
    let mut all: Vec<_> =
        [1.0, 1.1, 1.5, 2.0, 4.0].map(|alpha| Separation::entmax(alpha).unwrap()).to_vec();
    all.extend([1.5, 2.0, 5.0].map(|gamma| Separation::normmax(gamma).unwrap()));
    all.extend([1, 3, n].map(|k| Separation::top_k(k.min(n)).unwrap()));
    all.extend([1, 4].map(|degree| Separation::polynomial(degree).unwrap()));
    all
}

fn model_of<T: Scalar>(similarity: &Similarity<T>, separation: Separation, beta: f64) -> Model<T> {
    Model::new(similarity.clone(), separation, beta).unwrap()
}

/// The dot product with a coarse bias for each pattern.
fn biased<T: Scalar>(n: usize) -> Similarity<T> {
    let identity = || LinearMap::identity(5).unwrap();
    let map = AsymmetricMap::new(identity(), identity()).unwrap();
    Similarity::Asymmetric(map.with_bias(coarse(1, n, 4).row(0).to_owned()).unwrap())
}

fn is_the_one_by_weights<T: Scalar>(
    (n, n_queries): (usize, usize),
    separations: &[Separation],
    betas: &[f64],
) {
    let (patterns, values) = (coarse::<T>(n, 5, 1), coarse::<T>(n, 2, 2));
    let queries = coarse::<T>(n_queries, 5, 3);
    let similarities = [(Similarity::Dot, Similarity::Dot), (biased(n), biased(n))];
    for (separation, (similarity, wide_similarity)) in
        separations.iter().flat_map(|separation| similarities.iter().map(move |s| (separation, s)))
    {
        for &beta in betas {
            let model = model_of(similarity, *separation, beta);
            let memory = Memory::new(stored(&patterns), model).unwrap();
            let memory = memory.with_values(stored(&values)).unwrap();
            let found = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            let weights = memory.weights(queries.view()).unwrap();
            let expected = readout(weights.weights.view(), values.view()).unwrap();
            let sizes = readout(weights.weights.view(), values.mapv(T::abs).view()).unwrap();
            // Each path rounds n weights, n products and n sums, each by half an ε of a part of
            // Σ p|v|; relative weights are scaled once per tile and once per shard.
            let tolerance = (2 * n + 2 * n.div_ceil(512) + 16) as f64 * epsilon::<T>();
            Zip::from(&found.retrieved).and(&expected).and(&sizes).for_each(|&a, &b, &size| {
                let error = (a.widen() - b.widen()).abs();
                let bound = tolerance * size.widen();
                assert!(error <= bound, "{separation} {n} β = {beta}: {error:e} {bound:e}");
            });
            let model = model_of(wide_similarity, *separation, beta);
            let wide = Memory::new(stored(&patterns.mapv(T::widen)), model);
            let exact = wide.unwrap().weights(queries.mapv(T::widen).view()).unwrap().weights;
            for (report, p) in found.reports.iter().zip(exact.outer_iter()) {
                let above = p.iter().filter(|&&p| p > 0.0);
                let perplexity = (-above.map(|p| p * p.ln()).sum::<f64>()).exp();
                // Softmax weights eᵗ are made in T, off by (4 + |t|)ε/2 of themselves: each adds less
                // than 2.5ε to Σ w and to Σ w ln w. With Σ w ≥ 1 the entropy H is off by 2.5nε(2 + H)
                // at most, which is 7.5nε max(1, H); n terms of at most 1/e in f64 otherwise.
                let softmax = separation.alpha() == Some(1.0);
                let epsilon = if softmax { epsilon::<T>() } else { f64::EPSILON };
                let tolerance =
                    (8 * n + 64) as f64 * epsilon * perplexity * perplexity.ln().max(1.0);
                let error = (report.perplexity - perplexity).abs();
                assert!(error <= tolerance, "{separation} {n}: {error:e} {tolerance:e}");
            }
            for (report, &rounded) in found.reports.iter().zip(&weights.support_size) {
                // Of softmax all; a polynomial weight can be above 0 and round to 0.
                let fits = match separation.alpha() {
                    Some(1.0) => report.support_size == n,
                    None if separation.to_string().starts_with("polynomial") => {
                        (rounded..=n).contains(&report.support_size)
                    }
                    _ => report.support_size == rounded,
                };
                assert!(fits, "{separation} {n}: {} {rounded}", report.support_size);
            }
        }
    }
}

/// Sizes on both sides of a tile (512) and of one tile a shard (8192).
#[test]
fn one_pass_is_all_weights_and_one_product() {
    for size in [(1, 3), (2, 65), (511, 2), (512, 1), (513, 3), (1025, 2), (8192, 2), (8193, 2)] {
        let separations = separations(size.0);
        is_the_one_by_weights::<f32>(size, &separations, &[0.25, 1.0, 64.0]);
        is_the_one_by_weights::<f64>(size, &separations, &[0.25, 1.0, 64.0]);
    }
}

/// More states than a task takes.
#[test]
fn one_pass_takes_any_number_of_states() {
    let separations = [Separation::softmax(), Separation::sparsemax()];
    for size in [(600, 200), (8200, 257)] {
        is_the_one_by_weights::<f32>(size, &separations, &[1.0]);
    }
}

/// More candidates than are held of a block at once, so that it is cut.
#[test]
fn states_with_many_candidates_are_taken_a_few_at_a_time() {
    let separations = [Separation::entmax(1.5).unwrap(), Separation::top_k(10_000).unwrap()];
    is_the_one_by_weights::<f32>((20_000, 270), &separations, &[1e-4]);
}

/// Queries halfway between two patterns, which the rounding of a product would decide between.
fn recorded_weights_are_those_of_the_recall<T: Scalar>() {
    let (n, dim) = (40, 784);
    let patterns = normal::<T>(n, dim, 6);
    let half = T::narrow(0.5);
    let queries = Array2::from_shape_fn((n - 1, dim), |(i, j)| {
        half * (patterns[[i, j]] + patterns[[i + 1, j]])
    });
    for separation in [Separation::sparsemax(), Separation::top_k(1).unwrap()] {
        for similarity in [Similarity::Euclidean, Similarity::Dot] {
            let model = model_of(&similarity, separation, 1e5);
            let memory = Memory::new(stored(&patterns), model).unwrap();
            for memory in [memory.clone(), memory.screened()] {
                let record = Dynamics::one_step().record_weights();
                let found = memory.retrieve(queries.view(), &record).unwrap();
                let weights = found.weights.unwrap();
                let expected = readout(weights.view(), patterns.view()).unwrap();
                // Two patterns with entries below 8.
                let bound = 32.0 * epsilon::<T>();
                for (a, b) in found.retrieved.iter().zip(&expected) {
                    assert!((a.widen() - b.widen()).abs() <= bound, "{separation}: {a} {b}");
                }
                for (weights, report) in weights.outer_iter().zip(&found.reports) {
                    let n_carried = weights.iter().filter(|&&p| p > T::zero()).count();
                    assert_eq!(n_carried, report.support_size);
                }
            }
        }
    }
}

#[test]
fn recorded_weights_are_those_of_the_recall_in_both_types() {
    recorded_weights_are_those_of_the_recall::<f32>();
    recorded_weights_are_those_of_the_recall::<f64>();
}

/// Cosines do not depend on the scale; neither does whether a state still moves.
#[test]
fn numbers_whose_squares_underflow_or_overflow_still_move() {
    let of = |scale: f64| {
        let patterns = normal::<f64>(6, 8, 7) * scale;
        let model = Model::dense(4.0).unwrap().with_similarity(Similarity::Cosine);
        let memory = Memory::new(stored(&patterns), model).unwrap();
        let queries = normal::<f64>(3, 8, 8) * scale;
        let found = memory.retrieve(queries.view(), &Dynamics::steps(6).unwrap()).unwrap();
        (found.retrieved / scale, found.reports[0].residual / scale)
    };
    let (expected, expected_residual) = of(1.0);
    for scale in [1e-165, 1e165] {
        let (found, residual) = of(scale);
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-12, "{scale}: {a} {b}");
        }
        assert!((residual - expected_residual).abs() <= 1e-12, "{scale}: {residual}");
    }
    // Products of such numbers are 0, so that all patterns count alike, observed in whole or not.
    let scale = 1e-165;
    let (patterns, query) = (normal::<f64>(6, 8, 7) * scale, normal::<f64>(1, 8, 8) * scale);
    let memory = Memory::new(stored(&patterns), Model::dense(1.0).unwrap()).unwrap();
    let mean = patterns.mean_axis(ndarray::Axis(0)).unwrap() / scale;
    let expected = (mean - query.row(0).mapv(|x| x / scale)).mapv(|x| x * x).sum().sqrt();
    let all = Array2::from_elem((1, 8), true);
    let one_step = Dynamics::one_step();
    let found = memory.retrieve_observed(query.view(), all.view(), &one_step).unwrap();
    let residual = found.reports[0].residual / scale;
    assert!((residual - expected).abs() <= 1e-12, "{residual} {expected}");
}

/// Weights far below the best one would be denormal numbers, on which products are slow; they
/// count as 0, and nobody can tell.
#[test]
fn tiny_weights_change_nothing() {
    let mut patterns = Array2::<f32>::zeros((600, 1));
    patterns[[0, 0]] = 90.0;
    patterns[[599, 0]] = 1.0;
    let memory = Memory::new(stored(&patterns), Model::dense(1.0).unwrap()).unwrap();
    let query = ndarray::array![[1.0_f32]];
    let found = memory.retrieve(query.view(), &Dynamics::one_step()).unwrap();
    let far = |row: ArrayView1<'_, f32>| (f64::from(row[0]) - 90.0).abs();
    assert!(far(found.retrieved.row(0)) <= 90.0 * f64::from(f32::EPSILON));
    assert_eq!(found.reports[0].support_size, 600);
}
