//! Laws of the theory: separation and radius are their definitions, the error bound holds, the
//! certificate is exactly one-hot recall.

use ndarray::{Array1, Array2, Axis};
use uhop::{Dynamics, LinearMap, Memory, Model, Separation, Similarity};

use crate::common::{
    EPSILON, Inputs, Sep, Twin, frobenius, largest, norm, normal, normal_unit, similarities, stored,
};

pub(crate) fn memory(twin: &Twin) -> Memory<f64> {
    Memory::new(stored(&twin.patterns), twin.model()).unwrap()
}

fn twin(patterns: &Array2<f64>, similarity: &Similarity<f64>, alpha: f64, beta: f64) -> Twin {
    Twin::new(patterns.view(), similarity, Sep::Entmax(alpha), beta)
}

/// Δ_μ from the slow scores, and how far a computed one may be off: two scores, each by its bound.
pub(crate) fn separations(twin: &Twin) -> Vec<(f64, f64)> {
    let patterns = twin.patterns.rows().into_iter().enumerate();
    patterns
        .map(|(own, pattern)| {
            let scores = twin.scores(pattern);
            let others = scores.iter().enumerate().filter(|(other, _)| *other != own);
            let best = others.map(|(_, &score)| score).fold(f64::NEG_INFINITY, f64::max);
            let bound = 2.0 * largest(twin.score_bounds::<f64>(pattern, Inputs::Exact));
            (scores[own] - best, bound)
        })
        .collect()
}

/// Where the model compares patterns.
pub(crate) fn features(twin: &Twin) -> Array2<f64> {
    match &twin.similarity {
        Similarity::Kernel(map) => twin.patterns.dot(&map.weight().t()),
        _ => twin.patterns.clone(),
    }
}

fn radius(rows: &Array2<f64>) -> f64 {
    let mut least = f64::INFINITY;
    for i in 0..rows.nrows() {
        for j in 0..i {
            least = least.min(norm((&rows.row(i) - &rows.row(j)).view()));
        }
    }
    0.5 * least
}

#[test]
fn separations_and_radii_are_their_definitions() {
    // Both sides of the tile, and of the 256 states scored at a time.
    for (n, dim) in [(2, 1), (63, 7), (64, 3), (65, 8), (260, 5)] {
        let patterns = normal::<f64>(n, dim, 1);
        for similarity in similarities::<f64>(dim, 2) {
            let twin = twin(&patterns, &similarity, 1.0, 1.0);
            let memory = memory(&twin);
            let found = memory.separations().unwrap();
            assert_eq!(found.len(), n);
            for (found, (expected, bound)) in found.iter().zip(separations(&twin)) {
                assert!((found - expected).abs() <= bound, "{} {found}", similarity.name());
            }
            let expected = radius(&features(&twin));
            // dim squares, a root; a kernel's features are off by dim·ε·‖W‖‖ξ‖ each.
            let bound = match &similarity {
                Similarity::Kernel(map) => {
                    let size = frobenius(map.weight());
                    dim as f64 * EPSILON * size * largest(patterns.rows().into_iter().map(norm))
                }
                _ => 0.0,
            } + (dim as f64 + 6.0) * EPSILON * expected;
            let found = memory.radius();
            assert!((found - expected).abs() <= bound, "{} {found} {expected}", similarity.name());
            let pair = memory.closest_pair().unwrap();
            let rows = features(&twin);
            let apart = norm((&rows.row(pair.first) - &rows.row(pair.second)).view());
            assert!(pair.first < pair.second && (0.5 * apart - expected).abs() <= bound);
            assert_eq!(0.5 * pair.distance(), found);
        }
    }
}

#[test]
fn ties_are_exact() {
    // Small integers: every product and sum is exact, and most values occur many times.
    let patterns = Array2::from_shape_fn((70, 3), |(i, j)| ((i * 5 + j * 3 + i / 9) % 4) as f64);
    for similarity in [Similarity::Dot, Similarity::Manhattan] {
        let twin = twin(&patterns, &similarity, 2.0, 1.0);
        let found = memory(&twin).separations().unwrap();
        let expected: Vec<f64> = separations(&twin).into_iter().map(|(delta, _)| delta).collect();
        assert_eq!(found.to_vec(), expected);
        assert_eq!(memory(&twin).radius(), 0.0);
        // Of equally close pairs the first.
        let equal = |i: usize, j: usize| patterns.row(i) == patterns.row(j);
        let mut pairs = (0..70).flat_map(|i| (i + 1..70).map(move |j| (i, j)));
        let first = pairs.find(|&(i, j)| equal(i, j)).unwrap();
        let found = memory(&twin).closest_pair().unwrap();
        assert_eq!((found.first, found.second), first);
    }
    let distinct = Array2::from_shape_fn((64, 3), |(i, j)| ((i >> (2 * j)) % 4) as f64);
    assert_eq!(memory(&twin(&distinct, &Similarity::Dot, 2.0, 1.0)).radius(), 0.5);
}

/// From every state with ‖Φx − Φξ_μ‖ = r one update errs by at most the bound. The rounding of a
/// computed update comes from the twin.
#[test]
fn the_error_bound_holds() {
    let (n, dim) = (6, 24);
    let (mut informative, mut checked) = (0, 0);
    for seed in 0..4 {
        let unit = normal_unit(n, dim, seed);
        let map = LinearMap::random_normal(dim + 2, dim, seed + 10).unwrap();
        // Rescaled patterns with unit features, as the paper's proof assumes.
        let mut unit_features = normal::<f64>(n, dim, seed + 20);
        for mut row in unit_features.rows_mut() {
            let size = norm(map.weight().dot(&row).view());
            row /= size;
        }
        let orthogonal = LinearMap::orthogonal(dim + 3, dim, seed).unwrap();
        let identity = LinearMap::identity(dim).unwrap();
        for (patterns, similarity, map) in [
            (&unit, Similarity::Dot, &identity),
            (&unit, Similarity::Kernel(orthogonal.clone()), &orthogonal),
            (&unit_features, Similarity::Kernel(map.clone()), &map),
        ] {
            let m = largest(patterns.rows().into_iter().map(norm));
            for alpha in [1.0, 1.5, 2.0] {
                for beta in [1.0, 10.0, 50.0, 200.0] {
                    let twin = twin(patterns, &similarity, alpha, beta);
                    let memory = memory(&twin);
                    let radius = memory.radius();
                    for share in [0.0, 0.1, 0.4, 1.0] {
                        let distance = share * radius;
                        let bounds = memory.error_bounds(distance).unwrap();
                        for (mu, bound) in bounds.iter().enumerate() {
                            informative += usize::from(*bound < 0.5 * m);
                            let mut states = normal::<f64>(5, dim, 1000 + mu as u64);
                            // The direction that hurts most: towards the closest other pattern.
                            let other = closest(&features(&twin), mu);
                            states.row_mut(0).assign(&(&patterns.row(other) - &patterns.row(mu)));
                            for mut state in states.rows_mut() {
                                let size = norm(map.weight().dot(&state).view());
                                state *= distance / size;
                                state += &patterns.row(mu);
                            }
                            let one =
                                memory.retrieve(states.view(), &Dynamics::one_step()).unwrap();
                            for (state, found) in
                                states.rows().into_iter().zip(one.retrieved.rows())
                            {
                                let error = norm((&found - &patterns.row(mu)).view());
                                let (_, slack) = twin.retrieve::<f64>(state, 1, Inputs::Exact);
                                // The state is on the sphere, and Δ known, up to rounding.
                                let rounding =
                                    beta * 100.0 * EPSILON * frobenius(map.weight()).powi(2);
                                assert!(
                                    error <= bound * (1.0 + rounding) + slack,
                                    "{alpha} {beta} {share}: {error:e} {bound:e} {slack:e}"
                                );
                                checked += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(informative * 5 > checked / 4, "{informative} of {}", checked / 5);
}

fn closest(rows: &Array2<f64>, own: usize) -> usize {
    let distance = |i: &usize| norm((&rows.row(*i) - &rows.row(own)).view());
    let others = (0..rows.nrows()).filter(|&i| i != own);
    others.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
}

/// β·Δ_μ ≥ m, the margin, exactly when the weights at ξ_μ are one-hot there; then ξ_μ comes back as it is.
#[test]
fn certified_patterns_and_no_others_come_back_exactly() {
    let (n, dim) = (12, 10);
    let (mut certified, mut refused, mut excluded) = (0, 0, 0);
    for seed in 0..20 {
        let patterns = normal_unit(n, dim, seed);
        let map = LinearMap::orthogonal(dim + 2, dim, seed).unwrap();
        for similarity in [
            Similarity::Dot,
            Similarity::Cosine,
            Similarity::Euclidean,
            Similarity::Manhattan,
            Similarity::Kernel(map),
        ] {
            let entmax = |alpha| (Separation::entmax(alpha).unwrap(), 1.0 / (alpha - 1.0));
            let normmax = |gamma| (Separation::normmax(gamma).unwrap(), 1.0);
            let entmaxes = [1.25, 1.5, 2.0, 3.0].map(entmax);
            for (separation, m) in entmaxes.into_iter().chain([1.5, 2.0, 5.0].map(normmax)) {
                for share in [0.8, 1.0, 2.0, 4.0] {
                    // Δ is about 1/2 here, so that β·Δ/m is about `share`.
                    let beta = 2.0 * share * m;
                    let twin = twin(&patterns, &similarity, 1.0, beta);
                    let model = Model::new(similarity.clone(), separation, beta).unwrap();
                    let memory = Memory::new(stored(&patterns), model).unwrap();
                    let certificates = memory.certificates().unwrap().unwrap();
                    let weights = memory.weights(patterns.view()).unwrap();
                    let one = memory.retrieve(patterns.view(), &Dynamics::one_step()).unwrap();
                    for (mu, (delta, bound)) in separations(&twin).into_iter().enumerate() {
                        // Within rounding of the threshold: the scores' own, and a few operations
                        // on β·Δ/m near 1.
                        let lead = beta * delta / m - 1.0;
                        if lead.abs() <= beta / m * 2.0 * bound + 8.0 * EPSILON {
                            excluded += 1;
                            continue;
                        }
                        let mut one_hot = Array1::zeros(n);
                        one_hot[mu] = 1.0;
                        let is_one_hot =
                            weights.weights.row(mu) == one_hot && weights.support_size[mu] == 1;
                        let name = similarity.name();
                        assert_eq!(
                            certificates[mu], is_one_hot,
                            "{name} {separation} {beta} {lead}"
                        );
                        assert_eq!(certificates[mu], lead > 0.0);
                        if certificates[mu] {
                            certified += 1;
                            assert_eq!(one.retrieved.row(mu), patterns.row(mu));
                            assert_eq!(one.reports[mu].residual, 0.0);
                        } else {
                            refused += 1;
                        }
                    }
                }
            }
        }
    }
    let all = certified + refused + excluded;
    assert!(
        5 * certified > all && 5 * refused > all && 100 * excluded < all,
        "{certified} {refused} {excluded}"
    );
}

#[test]
fn a_single_pattern_is_always_recalled() {
    let patterns = normal::<f64>(1, 4, 3);
    for similarity in similarities::<f64>(4, 4) {
        let proved = matches!(similarity, Similarity::Dot | Similarity::Kernel(_));
        let memory = memory(&twin(&patterns, &similarity, 2.0, 1e-3));
        assert_eq!(memory.separations().unwrap().to_vec(), [f64::INFINITY]);
        assert_eq!((memory.radius(), memory.closest_pair()), (f64::INFINITY, None));
        assert_eq!(memory.certificates().unwrap().unwrap().to_vec(), [true]);
        if proved {
            assert_eq!(memory.error_bounds(memory.radius()).unwrap().to_vec(), [0.0]);
        }
        let far = normal::<f64>(3, 4, 5).mapv(|x| 100.0 * x);
        let one = memory.retrieve(far.view(), &Dynamics::one_step()).unwrap();
        assert!(one.retrieved.axis_iter(Axis(0)).all(|row| row == patterns.row(0)));
    }
}

#[test]
fn what_the_theory_does_not_cover_says_so() {
    let patterns = stored(&normal::<f64>(3, 4, 6));
    for similarity in [Similarity::Cosine, Similarity::Euclidean, Similarity::Manhattan] {
        let model = Model::dense(1.0).unwrap().with_similarity(similarity);
        let memory = Memory::new(patterns.clone(), model).unwrap();
        assert!(memory.error_bounds(0.1).unwrap_err().is_unsupported());
    }
    let dense = Memory::new(patterns.clone(), Model::dense(1.0).unwrap()).unwrap();
    for distance in [-1e-9, f64::NAN, f64::NEG_INFINITY, f64::INFINITY] {
        assert!(dense.error_bounds(distance).unwrap_err().is_out_of_domain());
    }
    // 1 − p ≤ (M−1)·exp(−gap), on which the bound rests, is false for a polynomial.
    for separation in [Sep::TopK(2), Sep::Polynomial(2)] {
        let model = Model::new(Similarity::Dot, separation.fast(), 1.0).unwrap();
        let memory = Memory::new(patterns.clone(), model).unwrap();
        assert!(memory.error_bounds(0.1).unwrap_err().is_unsupported());
    }
    for separation in [Sep::Entmax(1.0), Sep::TopK(2), Sep::Polynomial(2)] {
        let model = Model::new(Similarity::Dot, separation.fast(), 1.0).unwrap();
        assert_eq!(Memory::new(patterns.clone(), model).unwrap().certificates().unwrap(), None);
    }
    let huge = stored(&Array2::from_shape_fn((2, 2), |(i, j)| 1e30_f32 * (1 + i + j) as f32));
    let memory = Memory::new(huge, Model::sparse(1.0).unwrap()).unwrap();
    assert!(memory.separations().unwrap_err().is_non_finite());
    assert!(memory.certificates().unwrap_err().is_non_finite());
}
