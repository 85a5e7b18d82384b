//! Laws of the survey: it agrees with the theory of the whole memory, and the suggested β keeps its
//! promise and is the smallest that does.

use ndarray::{Array1, Array2};
use uhop::{LinearMap, Memory, Model, Separation, Similarity};

use crate::common::{
    EPSILON, Inputs, Sep, Twin, largest, norm, normal, normal_unit, similarities, stored,
};
use crate::theory::{features, memory, separations};

const ALPHAS: [f64; 4] = [1.25, 1.5, 2.0, 3.0];

fn every(n: usize) -> Vec<usize> {
    (0..n).collect()
}

#[test]
fn a_survey_of_all_patterns_is_the_theory_of_the_memory() {
    for (n, dim) in [(1, 3), (2, 1), (65, 8), (300, 5)] {
        let patterns = normal::<f64>(n, dim, 3);
        for similarity in similarities::<f64>(dim, 4) {
            for alpha in [1.0, 2.0] {
                let twin = Twin::new(patterns.view(), &similarity, Sep::Entmax(alpha), 0.5);
                let memory = memory(&twin);
                let mut done = Vec::new();
                let survey = memory.survey(&every(n), |n| done.push(n)).unwrap();
                assert_eq!(*survey.separations(), memory.separations().unwrap());
                assert_eq!(survey.closest_pair(), memory.closest_pair());
                assert_eq!(survey.radius(), memory.radius());
                assert_eq!(survey.certificates(), memory.certificates().unwrap());
                match memory.error_bounds(memory.radius()) {
                    Ok(bounds) => assert_eq!(survey.error_bounds(survey.radius()).unwrap(), bounds),
                    Err(error) => {
                        assert_eq!(survey.error_bounds(survey.radius()).unwrap_err(), error);
                    }
                }
                assert!(done.is_sorted() && done.last() == Some(&n), "{done:?}");
            }
        }
    }
}

/// Each chosen pattern against all the others, in the slow way.
#[test]
fn a_survey_of_some_patterns_sees_them_against_all() {
    let (n, dim) = (300, 6);
    let patterns = normal::<f64>(n, dim, 5);
    let chosen: Vec<usize> = (0..n).filter(|i| i % 7 == 3 || *i < 2).collect();
    for similarity in similarities::<f64>(dim, 6) {
        for separation in [Sep::Entmax(1.0), Sep::Entmax(1.5), Sep::Entmax(2.0), Sep::TopK(3)] {
            let twin = Twin::new(patterns.view(), &similarity, separation, 2.0);
            let memory = memory(&twin);
            let survey = memory.survey(&chosen, |_| {}).unwrap();
            let expected = separations(&twin);
            let of_chosen = memory.separations_of(&chosen, |_| {}).unwrap();
            assert_eq!(*survey.separations(), of_chosen);
            for (&own, found) in chosen.iter().zip(survey.separations()) {
                let (expected, bound) = expected[own];
                assert!((found - expected).abs() <= bound, "{} {found}", similarity.name());
            }
            for (&own, found) in chosen.iter().zip(survey.perplexities()) {
                let z = 2.0 * twin.scores(patterns.row(own));
                let p = separation.weights(z.view());
                let entropy: f64 = p.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
                // These maps are 1-Lipschitz in the Euclidean norm, on both paths up to the rounding
                // of their solvers; a change e of p changes p·ln p by at most e·(1 + |ln e|).
                let scores =
                    2.0 * largest(twin.score_bounds::<f64>(patterns.row(own), Inputs::Exact));
                let solver = (n as f64 + 8.0) * EPSILON * (1.0 + largest(z));
                let e = (n as f64).sqrt() * (scores + 2.0 * solver);
                let bound = n as f64 * e * (1.0 - e.ln());
                assert!((found.ln() - entropy).abs() <= bound, "{} {found}", similarity.name());
                assert!(*found >= 1.0 - bound && *found <= n as f64 * (1.0 + bound));
            }
            let rows = features(&twin);
            let mut least = f64::INFINITY;
            for &i in &chosen {
                for j in (0..n).filter(|&j| j != i) {
                    least = least.min(norm((&rows.row(i) - &rows.row(j)).view()));
                }
            }
            let pair = survey.closest_pair().unwrap();
            assert!(chosen.contains(&pair.first) || chosen.contains(&pair.second));
            // A kernel's features are off by (dim·ε‖W‖‖ξ‖) each, with ‖W‖ below 9 and ‖ξ‖ below 7.
            let bound = 1000.0 * dim as f64 * EPSILON;
            assert!((pair.distance() - least).abs() <= bound, "{} {least}", pair.distance());
        }
    }
}

/// How many patterns must keep the promise, and the smallest separation among them.
fn promised(separations: &Array1<f64>, share: f64) -> (usize, f64) {
    let mut positive: Vec<f64> = separations.iter().copied().filter(|&delta| delta > 0.0).collect();
    positive.sort_by(|a, b| b.total_cmp(a));
    let count = (share * positive.len() as f64).ceil() as usize;
    (count, positive[count - 1])
}

/// α > 1: at the suggested β enough patterns are certified and one-hot, at 0.99 of it too few.
#[test]
fn the_suggested_beta_is_the_smallest_that_certifies() {
    let (n, dim) = (20, 8);
    let mut below = 0;
    for seed in 0..5 {
        let patterns = normal::<f64>(n, dim, seed);
        for similarity in similarities::<f64>(dim, seed + 10) {
            for alpha in ALPHAS {
                for share in [0.01, 0.5, 0.9, 1.0] {
                    let model = |beta| {
                        let separation = Separation::entmax(alpha).unwrap();
                        Model::new(similarity.clone(), separation, beta).unwrap()
                    };
                    let memory = Memory::new(stored(&patterns), model(1.0)).unwrap();
                    let survey = memory.survey(&every(n), |_| {}).unwrap();
                    let beta = survey.beta_for(share, 0.01).unwrap().unwrap();
                    let (count, delta) = promised(survey.separations(), share);
                    below += survey.separations().iter().filter(|&&delta| delta <= 0.0).count();
                    assert!((beta * (alpha - 1.0) * delta - 1.0).abs() <= 8.0 * EPSILON);
                    let at = |beta: f64| {
                        let memory = memory.clone().with_model(model(beta)).unwrap();
                        let certificates = memory.certificates().unwrap().unwrap();
                        let weights = memory.weights(patterns.view()).unwrap().weights;
                        let one_hot = (0..n).filter(|&mu| weights[[mu, mu]] == 1.0).count();
                        (certificates.iter().filter(|&&certified| certified).count(), one_hot)
                    };
                    assert!(at(beta).0 >= count, "{} {alpha} {share}", similarity.name());
                    // Away from the threshold by more than rounding, the weights show it too.
                    assert!(at(beta * (1.0 + 1e-9)).1 >= count);
                    let (certified, one_hot) = at(0.99 * beta);
                    assert!(certified < count && one_hot < count, "{certified} {one_hot} {count}");
                }
            }
        }
    }
    assert!(below > 0, "some patterns must be out of reach");
}

/// Softmax and top-k: at the suggested β enough patterns have weight at least 1 − ε at themselves.
#[test]
fn the_suggested_beta_gives_the_weight() {
    let (n, dim) = (20, 8);
    let patterns = normal::<f64>(n, dim, 7);
    for similarity in similarities::<f64>(dim, 8) {
        for separation in [Separation::softmax(), Separation::top_k(3).unwrap()] {
            for (share, epsilon) in [(1.0, 0.01), (0.5, 1e-6), (0.9, 0.3)] {
                let model = |beta| Model::new(similarity.clone(), separation, beta).unwrap();
                let memory = Memory::new(stored(&patterns), model(1.0)).unwrap();
                let survey = memory.survey(&every(n), |_| {}).unwrap();
                let beta = survey.beta_for(share, epsilon).unwrap().unwrap();
                let (count, delta) = promised(survey.separations(), share);
                let weights = memory.clone().with_model(model(beta)).unwrap();
                let weights = weights.weights(patterns.view()).unwrap().weights;
                let mut kept = 0;
                for (mu, &separation) in survey.separations().iter().enumerate() {
                    // 1 − p changes by at most βe for an error e of the scores; ε of them is at
                    // most dim + 8 roundings of their size.
                    let size = largest(memory.scores(patterns.view()).unwrap());
                    let slack = (1.0 + beta * (dim as f64 + 8.0) * size) * 4.0 * EPSILON;
                    if separation >= delta {
                        assert!(weights[[mu, mu]] >= 1.0 - epsilon - slack);
                        kept += 1;
                    }
                    if separation <= 0.0 {
                        assert!(weights[[mu, mu]] <= 0.5 + slack);
                    }
                }
                assert_eq!(kept, count);
            }
        }
    }
}

/// When all the others score alike, a smaller β does not keep the promise.
#[test]
fn no_smaller_beta_follows_from_the_separation() {
    for n in [2, 3, 17] {
        let patterns = Array2::<f64>::eye(n);
        for (separation, epsilon) in [
            (Separation::softmax(), 0.01),
            (Separation::softmax(), 0.4),
            (Separation::top_k(2).unwrap(), 0.01),
            (Separation::top_k(n).unwrap(), 1e-9),
        ] {
            let model = |beta| Model::new(Similarity::Dot, separation, beta).unwrap();
            let memory = Memory::new(stored(&patterns), model(1.0)).unwrap();
            let survey = memory.survey(&every(n), |_| {}).unwrap();
            let beta = survey.beta_for(1.0, epsilon).unwrap().unwrap();
            let least_weight = |beta: f64| {
                let memory = memory.clone().with_model(model(beta)).unwrap();
                let weights = memory.weights(patterns.view()).unwrap().weights;
                weights.diag().fold(1.0_f64, |least, &p| least.min(p))
            };
            assert!(least_weight(beta) >= 1.0 - epsilon - 100.0 * EPSILON);
            assert!(least_weight(0.99 * beta) < 1.0 - epsilon);
        }
    }
}

#[test]
fn a_beta_that_cannot_be_is_none_and_one_not_needed_is_zero() {
    let suggested = |patterns: &Array2<f64>, model: Model<f64>| {
        let memory = Memory::new(stored(patterns), model).unwrap();
        let n = patterns.nrows();
        memory.survey(&every(n), |_| {}).unwrap().beta_for(1.0, 0.01).unwrap()
    };
    let sparse = || Model::sparse(1.0).unwrap();
    let dense = || Model::dense(1.0).unwrap();
    // Both stored twice: Δ = 0.
    let twice = Array2::from_shape_fn((4, 2), |(i, j)| ((i + j) % 2) as f64);
    for model in [sparse(), dense(), sparse().with_similarity(Similarity::Manhattan)] {
        assert_eq!(suggested(&twice, model), None);
    }
    // So little apart that β overflows.
    let close = Array2::from_shape_fn((2, 1), |(i, _)| i as f64 * 1e-160);
    let euclidean = sparse().with_similarity(Similarity::Euclidean);
    assert_eq!(suggested(&close, euclidean), None);
    // Nothing else has weight.
    let one = normal::<f64>(1, 3, 1);
    let first = Model::new(Similarity::Dot, Separation::top_k(1).unwrap(), 1.0).unwrap();
    assert_eq!(suggested(&one, sparse()), Some(0.0));
    assert_eq!(suggested(&one, dense()), Some(0.0));
    assert_eq!(suggested(&Array2::eye(3), first), Some(0.0));
}

/// 7 of 25 are .28 of them, though .28 · 25 is rounded to more than 7.
#[test]
fn a_share_is_as_many_patterns_as_it_says() {
    let lengths: Array1<f64> = (1..=25).map(f64::from).collect();
    let diagonal = Array2::from_diag(&lengths);
    let memory = Memory::new(stored(&diagonal), Model::sparse(1.0).unwrap()).unwrap();
    let survey = memory.survey(&every(25), |_| {}).unwrap();
    for count in 1..=25_u32 {
        // Of the longest patterns, the squares of whose norms are their separations.
        let expected = f64::from(26 - count).powi(-2);
        let beta = survey.beta_for(f64::from(count) / 25.0, 0.1).unwrap().unwrap();
        assert!((beta / expected - 1.0).abs() <= 8.0 * EPSILON, "{count}: {beta} {expected}");
    }
}

#[test]
fn what_a_survey_cannot_do_says_so() {
    let patterns = stored(&normal::<f64>(3, 4, 6));
    let memory = Memory::new(patterns, Model::dense(1.0).unwrap()).unwrap();
    for chosen in [&[3][..], &[0, 0], &[2, 1], &[0, 1, 2, 3]] {
        assert!(memory.survey(chosen, |_| {}).unwrap_err().is_out_of_domain());
        let error = memory.separations_of(chosen, |_| {}).unwrap_err();
        assert!(error.is_out_of_domain() && error.to_string().contains("below 3"), "{error}");
    }
    let survey = memory.survey(&[0, 2], |_| {}).unwrap();
    for (share, epsilon) in
        [(0.0, 0.1), (1.1, 0.1), (f64::NAN, 0.1), (1.0, 0.0), (1.0, 1.0), (1.0, f64::NAN)]
    {
        assert!(survey.beta_for(share, epsilon).unwrap_err().is_out_of_domain());
    }
    let memory = memory.clone().with_model(Model::polynomial(2).unwrap()).unwrap();
    let survey = memory.survey(&[0, 2], |_| {}).unwrap();
    assert!(survey.beta_for(1.0, 0.1).unwrap_err().is_unsupported());
    assert_eq!(survey.certificates(), None);
    let far = stored(&normal::<f64>(3, 4, 6).mapv(|x| 10.0 * x));
    let memory = Memory::new(far, Model::dense(1e308).unwrap()).unwrap();
    assert!(memory.survey(&[0], |_| {}).unwrap_err().is_non_finite());
}

/// A Φ that keeps all angles changes nothing but β.
#[test]
fn the_effective_beta_is_that_of_the_dot_product() {
    let (n, dim) = (12, 6);
    let patterns = normal_unit(n, dim, 1);
    for scale in [0.3, 1.0, 4.0] {
        let map = LinearMap::orthogonal(dim + 3, dim, 2).unwrap();
        let map = LinearMap::new(map.weight().mapv(|w: f64| scale * w)).unwrap();
        let kernel = Model::entmax(1.5, 2.0).unwrap().with_feature_map(map);
        let beta = kernel.effective_beta();
        let dim = dim as f64;
        assert!((beta / (2.0 * scale * scale) - 1.0).abs() <= 4.0 * dim * dim * EPSILON);
        let dot = Memory::new(stored(&patterns), Model::entmax(1.5, beta).unwrap()).unwrap();
        let kernel = Memory::new(stored(&patterns), kernel).unwrap();
        let weights = |memory: Memory<f64>| memory.weights(patterns.view()).unwrap().weights;
        // Scores off by (3·dim + 3)·ε of c, β of them, 1-Lipschitz maps of n scores.
        let bound = beta.max(1.0) * 4.0 * (3.0 * dim + 3.0) * n as f64 * EPSILON;
        for (kernel, dot) in weights(kernel).iter().zip(&weights(dot)) {
            assert!((kernel - dot).abs() <= bound, "{kernel} {dot}");
        }
    }
}
