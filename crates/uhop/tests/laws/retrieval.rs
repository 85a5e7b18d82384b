//! Laws of retrieval: every update is its definition's, whatever the order, batch or threads.

use ndarray::{Array2, Axis, s};
use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
use uhop::{Dynamics, LinearMap, Memory, Model, Scalar, Similarity};

use crate::common::{
    EPSILON, Inputs, Sep, Twin, largest, norm, normal, similarities, stored, wide,
};

const SEPARATIONS: [Sep; 6] = [
    Sep::Entmax(1.0),
    Sep::Entmax(1.5),
    Sep::Entmax(2.0),
    Sep::Entmax(3.0),
    Sep::TopK(3),
    Sep::Polynomial(3),
];

fn memory<T: Scalar>(
    patterns: &Array2<T>,
    similarity: &Similarity<T>,
    separation: Sep,
    beta: f64,
) -> (Memory<T>, Twin) {
    let model = Model::new(similarity.clone(), separation.fast(), beta).unwrap();
    let twin = Twin::new(patterns.view(), similarity, separation, beta);
    (Memory::new(stored(patterns), model).unwrap(), twin)
}

fn check<T: Scalar>(memory: &Memory<T>, twin: &Twin, queries: &Array2<T>, steps: usize) -> f64 {
    let dynamics = Dynamics::steps(steps).unwrap();
    let result = memory.retrieve(queries.view(), &dynamics).unwrap();
    let mut worst = 0.0_f64;
    for (i, query) in wide(queries.view()).rows().into_iter().enumerate() {
        let (expected, bound) = twin.retrieve::<T>(query, steps, Inputs::Exact);
        let found = result.retrieved.row(i).mapv(T::widen);
        let error = norm((&found - &expected).view());
        let (name, separation) = (twin.similarity.name(), twin.separation);
        assert!(error <= bound, "{name} {separation:?} {steps} {}: {error:e} {bound:e}", T::NAME);
        assert_eq!(result.reports[i].steps, steps);
        worst = worst.max(bound / norm(expected.view()));
    }
    worst
}

fn every_update_is_its_definition<T: Scalar>(shapes: &[(usize, usize)], steps: &[usize]) -> f64 {
    let mut worst = 0.0_f64;
    for &(n, dim) in shapes {
        let (patterns, queries) = (normal::<T>(n, dim, 1), normal::<T>(4, dim, 2));
        for similarity in similarities::<T>(dim, 3) {
            // Scores of the kernel are about dim times those of the dot product.
            let kernel = matches!(similarity, Similarity::Kernel(_));
            for separation in SEPARATIONS {
                for beta in [0.2, 1.0] {
                    let beta = if kernel { beta / dim as f64 } else { beta };
                    let (memory, twin) = memory(&patterns, &similarity, separation, beta);
                    for &steps in steps {
                        worst = worst.max(check(&memory, &twin, &queries, steps));
                    }
                }
            }
        }
    }
    worst
}

#[test]
fn every_update_is_its_definition_f64() {
    let worst = every_update_is_its_definition::<f64>(&[(3, 2), (20, 7), (65, 9)], &[1, 2, 5]);
    assert!(worst < 1e-6, "the tolerance says nothing: {worst:e}");
}

#[test]
fn every_update_is_its_definition_f32() {
    let worst = every_update_is_its_definition::<f32>(&[(3, 2), (20, 7)], &[1]);
    assert!(worst < 0.1, "the tolerance says nothing: {worst:e}");
}

#[test]
fn values_are_read_out_as_defined() {
    let (patterns, values) = (normal::<f64>(15, 6, 4), normal::<f64>(15, 3, 5));
    let queries = normal::<f64>(5, 6, 6);
    for similarity in similarities::<f64>(6, 7) {
        for separation in SEPARATIONS {
            let (memory, twin) = memory(&patterns, &similarity, separation, 0.3);
            let memory = memory.with_values(stored(&values)).unwrap();
            let twin = Twin { values: Some(values.clone()), ..twin };
            for steps in [1, 3] {
                check(&memory, &twin, &queries, steps);
            }
        }
    }
}

#[test]
fn the_order_of_the_memory_does_not_matter() {
    let (n, dim) = (65, 7);
    let (patterns, queries) = (normal::<f64>(n, dim, 8), normal::<f64>(4, dim, 9));
    let order: Vec<usize> = (0..n).map(|i| (i * 12 + 5) % n).collect();
    let permuted = patterns.select(Axis(0), &order);
    for similarity in similarities::<f64>(dim, 10) {
        for separation in SEPARATIONS {
            let (here, twin) = memory(&patterns, &similarity, separation, 0.3);
            let (there, _) = memory(&permuted, &similarity, separation, 0.3);
            let steps = Dynamics::steps(2).unwrap();
            let a = here.retrieve(queries.view(), &steps).unwrap().retrieved;
            let b = there.retrieve(queries.view(), &steps).unwrap().retrieved;
            for i in 0..queries.nrows() {
                // Each is within a bound of the same definition.
                let (_, bound) = twin.retrieve::<f64>(queries.row(i), 2, Inputs::Exact);
                let off = norm((&a.row(i) - &b.row(i)).view());
                assert!(off <= 2.0 * bound, "{} {separation:?} {off:e}", similarity.name());
            }
        }
    }
}

#[test]
fn a_readout_lies_between_the_patterns() {
    let (n, dim) = (20, 7);
    let (patterns, queries) = (normal::<f64>(n, dim, 11), normal::<f64>(9, dim, 12));
    // n products and sums, weights that sum to 1 up to n·ε.
    let slack = 2.0 * n as f64 * EPSILON * largest(patterns.iter().copied());
    for similarity in similarities::<f64>(dim, 13) {
        for separation in SEPARATIONS {
            let (memory, _) = memory(&patterns, &similarity, separation, 1.0);
            let one = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            for (found, column) in one.retrieved.columns().into_iter().zip(patterns.columns()) {
                let low = column.fold(f64::INFINITY, |low: f64, &x| low.min(x));
                let high = column.fold(f64::NEG_INFINITY, |high: f64, &x| high.max(x));
                assert!(found.iter().all(|&x| low - slack <= x && x <= high + slack));
            }
        }
    }
}

#[test]
fn a_batch_is_its_rows() {
    let (patterns, queries) = (normal::<f64>(30, 7, 14), normal::<f64>(130, 7, 15));
    for similarity in similarities::<f64>(7, 16) {
        for separation in SEPARATIONS {
            let (memory, twin) = memory(&patterns, &similarity, separation, 0.3);
            let steps = Dynamics::steps(2).unwrap();
            let batch = memory.retrieve(queries.view(), &steps).unwrap();
            assert_eq!(batch.reports.len(), 130);
            for i in [0, 63, 64, 129] {
                let alone = memory.retrieve(queries.slice(s![i..=i, ..]), &steps).unwrap();
                // A product of one row may sum in another order; both are near the definition.
                let (_, bound) = twin.retrieve::<f64>(queries.row(i), 2, Inputs::Exact);
                let off = norm((&batch.retrieved.row(i) - &alone.retrieved.row(0)).view());
                assert!(off <= 2.0 * bound, "{} {separation:?} {off:e}", similarity.name());
            }
        }
    }
}

/// W → cW multiplies every kernel score by c², which β/c² takes back. c = 2 and 1/4 are exact;
/// any other c rounds W once an entry, like an input rounded to f64.
#[test]
fn beta_undoes_the_scale_of_the_feature_map() {
    let (patterns, queries) = (normal::<f64>(20, 7, 20), normal::<f64>(6, 7, 21));
    let map = LinearMap::random_normal(9, 7, 22).unwrap();
    let scaled = |c: f64| LinearMap::new(c * &map.weight()).unwrap();
    for separation in SEPARATIONS {
        let (plain, twin) = memory(&patterns, &Similarity::Kernel(map.clone()), separation, 0.1);
        let steps = Dynamics::steps(3).unwrap();
        let expected = plain.retrieve(queries.view(), &steps).unwrap();
        let by = |c: f64, beta: f64| {
            let (other, _) = memory(&patterns, &Similarity::Kernel(scaled(c)), separation, beta);
            other.retrieve(queries.view(), &steps).unwrap()
        };
        for c in [2.0, 0.25] {
            assert_eq!(by(c, 0.1 / (c * c)), expected, "{separation:?} {c}");
        }
        let other = by(0.5_f64.sqrt(), 0.2);
        for i in 0..queries.nrows() {
            let (_, bound) = twin.retrieve::<f64>(queries.row(i), 3, Inputs::Rounded);
            let off = norm((&other.retrieved.row(i) - &expected.retrieved.row(i)).view());
            assert!(off <= 2.0 * bound, "{separation:?} {off:e} {bound:e}");
        }
    }
}

#[test]
fn beta_matters() {
    let (patterns, queries) = (normal::<f64>(20, 7, 20), normal::<f64>(6, 7, 21));
    for separation in &SEPARATIONS[..5] {
        let with = |beta| {
            let (memory, _) = memory(&patterns, &Similarity::Dot, *separation, beta);
            memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap().retrieved
        };
        let off = largest(with(0.1) - with(0.2));
        assert!(off > 1e-3, "{separation:?} {off}");
    }
}

#[test]
fn a_learned_map_recalls_like_any_kernel() {
    let (patterns, queries) = (normal::<f64>(12, 6, 23), normal::<f64>(5, 6, 24));
    let optimizer = Optimizer::gradient_descent(1.0).unwrap();
    let params = Params::new(SeparationLoss::average(), optimizer, 20).unwrap();
    let start = LinearMap::random_normal(8, 6, 25).unwrap();
    let map = learn(&stored(&patterns), start, &params, |_| std::ops::ControlFlow::Continue(()))
        .unwrap()
        .map;
    let model = Model::dense(1.5).unwrap().with_feature_map(map.clone());
    let learned = Memory::new(stored(&patterns), model).unwrap();
    let (kernel, twin) = memory(&patterns, &Similarity::Kernel(map), Sep::Entmax(1.0), 1.5);
    assert_eq!(learned.model(), kernel.model());
    check(&learned, &twin, &queries, 3);
    let (dense, _) = memory(&patterns, &Similarity::Dot, Sep::Entmax(1.0), 1.5);
    let one = Dynamics::one_step();
    let retrieved = |memory: &Memory<f64>| memory.retrieve(queries.view(), &one).unwrap().retrieved;
    assert_ne!(retrieved(&learned), retrieved(&dense));
}
