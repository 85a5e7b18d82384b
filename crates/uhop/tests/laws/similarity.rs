//! Laws of similarity: every score is its definition's, larger is closer, distances and angles keep
//! their symmetries.

use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use uhop::{AsymmetricMap, Keys, LinearMap, Scalar, Similarity};

use crate::common::{
    Inputs, Sep, Twin, biased, epsilon, frobenius, narrow, norm, normal, similarities, stored, wide,
};

/// Both sides of the tile of 64, and one.
const COUNTS: [usize; 4] = [1, 63, 64, 65];
const DIMS: [usize; 5] = [1, 7, 8, 9, 40];

fn scores<T: Scalar>(
    similarity: &Similarity<T>,
    patterns: &Array2<T>,
    states: &Array2<T>,
) -> Array2<T> {
    similarity.bind(&stored(patterns)).unwrap().scores(states.view()).unwrap()
}

fn twin<T: Scalar>(similarity: &Similarity<T>, patterns: &Array2<T>) -> Twin {
    Twin::new(patterns.view(), similarity, Sep::Entmax(1.0), 1.0)
}

/// |scores − definition| within [`Twin::score_bounds`], entry by entry.
fn check_against_definition<T: Scalar>(
    similarity: &Similarity<T>,
    patterns: &Array2<T>,
    states: &Array2<T>,
) {
    let fast = scores(similarity, patterns, states);
    assert_eq!(fast.dim(), (states.nrows(), patterns.nrows()));
    let twin = twin(similarity, patterns);
    for (fast, state) in fast.rows().into_iter().zip(wide(states.view()).rows()) {
        let slow = twin.scores(state);
        let bounds = twin.score_bounds::<T>(state, Inputs::Exact);
        for ((fast, slow), bound) in fast.iter().zip(slow).zip(bounds) {
            let name = similarity.name();
            let fast = fast.widen();
            assert!((fast - slow).abs() <= bound, "{name} {}: {fast} {slow} {bound}", T::NAME);
        }
    }
}

fn every_score_is_its_definition<T: Scalar>() {
    for (i, &dim) in DIMS.iter().enumerate() {
        for &n_patterns in &COUNTS {
            for &n_queries in &COUNTS {
                if n_patterns.max(n_queries) > 1 && n_patterns.min(n_queries) > 63 && dim == 40 {
                    continue; // Each count meets each dim all the same.
                }
                let seed = (i * 100 + n_patterns + n_queries) as u64;
                let patterns = normal::<T>(n_patterns, dim, seed);
                let states = normal::<T>(n_queries, dim, seed + 1);
                let biased = biased(n_patterns, dim, seed + 2);
                for similarity in similarities::<T>(dim, seed + 2).into_iter().chain([biased]) {
                    check_against_definition(&similarity, &patterns, &states);
                }
            }
        }
    }
}

#[test]
fn every_score_is_its_definition_f32() {
    every_score_is_its_definition::<f32>();
}

#[test]
fn every_score_is_its_definition_f64() {
    every_score_is_its_definition::<f64>();
}

/// A memory 1e4 from the origin: the products ⟨ξ,x⟩ are of the order 1e9, so that without moving
/// the mean to the origin an f32 score would be off by 1e9·ε = 100.
fn far_from_the_origin<T: Scalar>() {
    for (dim, n) in [(1, 1), (8, 5), (40, 65)] {
        let far = |rows: Array2<f64>| narrow::<T>(&(rows + 1e4));
        let (patterns, states) = (far(normal(n, dim, 5)), far(normal(9, dim, 6)));
        check_against_definition(&Similarity::Euclidean, &patterns, &states);
        check_against_definition(&Similarity::Manhattan, &patterns, &states);
        // The bound itself is small: distances from the mean are about √dim, and the mean is known
        // to ε·1e4·√dim.
        let twin = twin(&Similarity::Euclidean, &patterns);
        let bounds = twin.score_bounds::<T>(wide(states.view()).row(0), Inputs::Exact);
        let dim = dim as f64;
        let scale = (12.0 + 2e4 * epsilon::<T>()) * dim.sqrt();
        assert!(bounds.iter().all(|&b| b <= (dim + 4.0) * epsilon::<T>() * scale.powi(2)));
    }
}

#[test]
fn distances_far_from_the_origin_keep_their_digits() {
    far_from_the_origin::<f32>();
    far_from_the_origin::<f64>();
}

#[test]
fn a_zero_vector_has_cosine_zero_with_everything() {
    let patterns = array![[0.0_f32, 0.0], [3.0, 4.0]];
    let states = array![[0.0_f32, 0.0], [6.0, 8.0]];
    let scores = scores(&Similarity::Cosine, &patterns, &states);
    assert_eq!((scores[[0, 0]], scores[[0, 1]], scores[[1, 0]]), (0.0, 0.0, 0.0));
    // Unit vectors off by ε/2 an entry, and a sum of two products.
    assert!((scores[[1, 1]] - 1.0).abs() <= 4.0 * f32::EPSILON);
}

#[test]
fn the_kernel_of_the_identity_is_the_dot_product() {
    for dim in DIMS {
        let (patterns, states) = (normal::<f64>(13, dim, 1), normal::<f64>(6, dim, 2));
        let kernel = Similarity::Kernel(LinearMap::identity(dim).unwrap());
        // Products with 0 and 1 are exact, so the features are the patterns.
        assert_eq!(
            scores(&kernel, &patterns, &states),
            scores(&Similarity::Dot, &patterns, &states),
        );
    }
}

#[test]
fn the_kernel_of_orthonormal_columns_is_the_dot_product() {
    for (dim, dim_features) in [(1, 1), (7, 7), (8, 20), (40, 41)] {
        let (patterns, states) = (normal::<f64>(13, dim, 1), normal::<f64>(6, dim, 2));
        let map = LinearMap::orthogonal(dim_features, dim, 3).unwrap();
        let gram = map.weight().t().dot(&map.weight()) - Array2::<f64>::eye(dim);
        let kernel = Similarity::Kernel(map);
        let dot = scores(&Similarity::Dot, &patterns, &states);
        let twin = twin(&kernel, &patterns);
        for ((row, fast), state) in dot
            .rows()
            .into_iter()
            .zip(scores(&kernel, &patterns, &states).rows())
            .zip(states.rows())
        {
            // The kernel's own rounding, and WᵀW − I as it is.
            let bounds = twin.score_bounds::<f64>(state, Inputs::Exact);
            for (((dot, kernel), bound), pattern) in
                row.iter().zip(fast).zip(bounds).zip(patterns.rows())
            {
                let bound = bound + frobenius(gram.view()) * norm(pattern) * norm(state);
                assert!((dot - kernel).abs() <= bound, "{dot} {kernel} {bound}");
            }
        }
        // Householder QR keeps Q orthonormal to a small multiple of dim·ε in each column.
        let size = (dim_features * dim) as f64;
        assert!(frobenius(gram.view()) <= 8.0 * size * epsilon::<f64>());
    }
}

#[test]
fn permuted_patterns_have_permuted_scores() {
    let (n, dim) = (65, 9);
    let (patterns, states) = (normal::<f64>(n, dim, 1), normal::<f64>(5, dim, 2));
    let order: Vec<usize> = (0..n).map(|i| (i * 7 + 3) % n).collect();
    let permuted = patterns.select(Axis(0), &order);
    for similarity in similarities::<f64>(dim, 3) {
        let expected = scores(&similarity, &patterns, &states).select(Axis(1), &order);
        let twin = twin(&similarity, &patterns);
        let found = scores(&similarity, &permuted, &states);
        for ((row, found), state) in
            expected.rows().into_iter().zip(found.rows()).zip(states.rows())
        {
            // Each side is within a bound of the same definition.
            let bounds = twin.score_bounds::<f64>(state, Inputs::Exact).select(Axis(0), &order);
            for ((a, b), bound) in row.iter().zip(found).zip(bounds) {
                assert!((a - b).abs() <= 2.0 * bound, "{} {a} {b}", similarity.name());
            }
        }
    }
}

#[test]
fn a_batch_is_its_rows() {
    let (patterns, states) = (normal::<f32>(66, 9, 1), normal::<f32>(67, 9, 2));
    for similarity in similarities::<f32>(9, 3) {
        let batch = scores(&similarity, &patterns, &states);
        let twin = twin(&similarity, &patterns);
        for (i, state) in states.axis_chunks_iter(Axis(0), 1).enumerate() {
            let alone = scores(&similarity, &patterns, &state.to_owned());
            let bounds = twin.score_bounds::<f32>(wide(state).row(0), Inputs::Exact);
            for ((a, b), bound) in batch.row(i).iter().zip(alone.row(0)).zip(bounds) {
                // A product of one row may sum in another order.
                assert!(f64::from((a - b).abs()) <= 2.0 * bound, "{} {a} {b}", similarity.name());
            }
        }
    }
}

#[test]
fn parts_that_do_not_fit_are_errors() {
    let patterns = stored(&normal::<f64>(3, 5, 0));
    let kernel = Similarity::Kernel(LinearMap::identity(4).unwrap());
    let error = kernel.bind(&patterns).unwrap_err();
    assert!(error.is_shape_mismatch(), "{error}");
    assert!(error.to_string().contains("[3, 5]") && error.to_string().contains("[4, 4]"));
    for similarity in similarities::<f64>(5, 1) {
        let keys = similarity.bind(&patterns).unwrap();
        assert!(keys.scores(Array2::zeros((2, 4)).view()).unwrap_err().is_shape_mismatch());
        assert!(keys.scores(Array2::zeros((0, 5)).view()).unwrap_err().is_empty());
        assert!(
            keys.scores(Array2::from_elem((1, 5), f64::NAN).view()).unwrap_err().is_non_finite()
        );
    }
    let huge = stored(&Array2::from_elem((1, 4), 1e30_f32));
    let map = LinearMap::new(Array2::from_elem((2, 4), 1e30_f32)).unwrap();
    assert!(Similarity::Kernel(map).bind(&huge).unwrap_err().is_non_finite());
}

#[test]
fn asymmetric_parts_that_do_not_fit_are_errors() {
    let map = |rows, columns| LinearMap::<f32>::random_normal(rows, columns, 0).unwrap();
    let error = AsymmetricMap::new(map(3, 5), map(2, 5)).unwrap_err();
    assert!(error.is_shape_mismatch(), "{error}");
    assert!(error.to_string().contains("[3, 5]") && error.to_string().contains("[2, 5]"));
    let two = || AsymmetricMap::new(map(3, 5), map(3, 5)).unwrap();
    assert!(two().with_bias(array![]).unwrap_err().is_empty());
    assert!(two().with_bias(array![f32::NAN]).unwrap_err().is_non_finite());
    let patterns = stored(&normal::<f32>(3, 5, 0));
    let short = Similarity::Asymmetric(two().with_bias(array![1.0, 2.0]).unwrap());
    let error = short.bind(&patterns).unwrap_err();
    assert!(error.is_shape_mismatch(), "{error}");
    assert!(error.to_string().contains("[2]") && error.to_string().contains("[3, 5]"), "{error}");
    let far = two().with_bias(array![0.0, f32::MAX, 0.0]).unwrap();
    let keys = Similarity::Asymmetric(far).bind(&patterns).unwrap();
    let states = Array2::from_elem((1, 5), 1e38);
    assert!(keys.scores(states.view()).unwrap_err().is_non_finite());
}

/// −½‖Wξ‖² makes distances of features of products: W = I gives those of the patterns, up to the
/// constant −½‖x‖².
#[test]
fn a_bias_makes_distances_of_products() {
    let (patterns, states) = (normal::<f64>(65, 9, 1), normal::<f64>(5, 9, 2));
    let half_norms = patterns.map_axis(Axis(1), |row| -0.5 * row.dot(&row));
    let identity = || LinearMap::identity(9).unwrap();
    let map = AsymmetricMap::new(identity(), identity()).unwrap().with_bias(half_norms).unwrap();
    let found = scores(&Similarity::Asymmetric(map), &patterns, &states);
    let expected = scores(&Similarity::Euclidean, &patterns, &states);
    for ((found, expected), state) in
        found.rows().into_iter().zip(expected.rows()).zip(states.rows())
    {
        let constant = -0.5 * state.dot(&state);
        for ((found, expected), pattern) in found.iter().zip(expected).zip(patterns.rows()) {
            // Both sides are sums of 3·dim products and a few terms, each at most (‖ξ‖ + ‖x‖)².
            let size = (norm(pattern) + norm(state) + 1.0).powi(2);
            let bound = 2.0 * 40.0 * epsilon::<f64>() * size;
            assert!((found + constant - expected).abs() <= bound, "{found} {expected}");
        }
    }
}

/// One mean cannot be near two clusters far apart: the product form has lost every digit of the
/// distances inside one. The nearest patterns are measured directly, to the rounding of the centred
/// patterns (spacing 2⁻¹⁰ at 10⁴) and of the result.
#[test]
fn distances_inside_far_clusters_keep_their_digits() {
    let patterns = array![[1e4_f32], [1e4 + 1.0], [1e4 + 2.0], [-2e4]];
    let scores = scores(&Similarity::Euclidean, &patterns, &array![[1e4_f32 + 1.0]]);
    for (score, exact) in scores.iter().zip([-0.5, 0.0, -0.5]) {
        assert!((score - exact).abs() <= 4.0 * 2.0_f32.powi(-10), "{scores}");
    }
}

#[test]
fn euclidean_overflow_is_an_error_not_the_best_score() {
    let mut patterns = Array2::from_elem((41, 1), -1e18_f32);
    (patterns[[0, 0]], patterns[[1, 0]]) = (2.5e19, 1.4e19);
    let result = Similarity::Euclidean.bind(&stored(&patterns));
    let nearest = |keys: Keys<f32>| keys.scores(array![[1.5e19_f32]].view());
    match result.and_then(nearest) {
        Ok(scores) => assert!(scores[[0, 1]] > scores[[0, 0]], "{scores}"),
        Err(error) => assert!(error.is_non_finite(), "{error}"),
    }
    let huge = array![[1e308], [1.2e308]];
    let error = Similarity::Euclidean.bind(&stored(&huge)).unwrap_err();
    assert!(error.is_non_finite(), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Powers of two divide out exactly; other factors round once an entry.
    #[test]
    fn cosine_ignores_the_scale_of_every_row(seed: u64, n in 1usize..9, dim in 1usize..12) {
        let (patterns, states) = (normal::<f64>(n, dim, seed), normal::<f64>(4, dim, seed ^ 1));
        let factors = normal::<f64>(2, n.max(4), seed ^ 2).mapv(|x| (3.0 * x).exp());
        let scaled = |rows: &Array2<f64>, which: usize| {
            let mut rows = rows.clone();
            for (mut row, factor) in rows.rows_mut().into_iter().zip(factors.row(which)) {
                row *= *factor;
            }
            rows
        };
        let plain = scores(&Similarity::Cosine, &patterns, &states);
        let other = scores(&Similarity::Cosine, &scaled(&patterns, 0), &scaled(&states, 1));
        // Both are cosines to (2·dim + 8)·ε; scaling itself turns a row by ε/2 at most.
        let bound = 2.0 * (2.0 * dim as f64 + 9.0) * f64::EPSILON;
        for (a, b) in plain.iter().zip(&other) {
            prop_assert!((a - b).abs() <= bound, "{} {}", a, b);
        }
    }

    /// Multiples of 1/8 moved by a multiple of 1/8 stay exact, so only the scores can round.
    #[test]
    fn distances_ignore_a_common_translation(
        seed: u64, n in 1usize..9, dim in 1usize..12, shift in -4000i32..4000,
    ) {
        let eighths = |rows: Array2<f64>| rows.mapv(|x| (8.0 * x).round() / 8.0);
        let (patterns, states) = (eighths(normal(n, dim, seed)), eighths(normal(4, dim, seed ^ 1)));
        let shift = f64::from(shift) / 8.0;
        for similarity in [Similarity::Euclidean, Similarity::Manhattan] {
            let (here, there) = (&patterns, &patterns + shift);
            let plain = scores(&similarity, here, &states);
            let moved = scores(&similarity, &there, &(&states + shift));
            for (i, state) in states.rows().into_iter().enumerate() {
                let near = twin(&similarity, here).score_bounds::<f64>(state, Inputs::Exact);
                let state = &state + shift;
                let far = twin(&similarity, &there)
                    .score_bounds::<f64>(state.view(), Inputs::Exact);
                for j in 0..n {
                    let (a, b) = (plain[[i, j]], moved[[i, j]]);
                    prop_assert!((a - b).abs() <= near[j] + far[j], "{} {}", a, b);
                }
            }
        }
    }

    #[test]
    fn a_pattern_scores_highest_with_itself(seed: u64, n in 1usize..20, dim in 1usize..12) {
        let patterns = normal::<f64>(n, dim, seed);
        for similarity in [Similarity::Cosine, Similarity::Euclidean, Similarity::Manhattan] {
            let scores = scores(&similarity, &patterns, &patterns);
            let twin = twin(&similarity, &patterns);
            let best = if matches!(similarity, Similarity::Cosine) { 1.0 } else { 0.0 };
            for (i, pattern) in patterns.rows().into_iter().enumerate() {
                let bounds = twin.score_bounds::<f64>(pattern, Inputs::Exact);
                prop_assert!((scores[[i, i]] - best).abs() <= bounds[i]);
                for j in 0..n {
                    prop_assert!(scores[[i, j]] <= scores[[i, i]] + bounds[i] + bounds[j]);
                }
            }
        }
    }
}
