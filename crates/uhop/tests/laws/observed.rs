//! Laws of incomplete queries: what was not observed does not matter, and what was counts as if it were all.

use ndarray::{Array2, Axis, Zip, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uhop::{
    Channel, Dynamics, LinearMap, Memory, Model, Scalar, Separation, Similarity, StopReason,
};

use crate::channel::pictures;
use crate::common::{epsilon, stored};

fn mask(rows: usize, dim: usize, seed: u64) -> Array2<bool> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, dim), || random.random())
}

/// Those that have scores of some entries.
fn similarities<T: Scalar>(dim: usize) -> Vec<Similarity<T>> {
    let mut all =
        vec![Similarity::Dot, Similarity::Cosine, Similarity::Euclidean, Similarity::Manhattan];
    let visible = (0..dim).map(|j| j % 4 != 1).collect();
    all.extend(
        [
            Channel::gaussian(0.3).unwrap(),
            Channel::folded_gaussian(0.7).unwrap(),
            Channel::half_mask(),
            Channel::salt_and_pepper(0.3).unwrap(),
            Channel::occlusion(visible).unwrap(),
            Channel::calibrated(vec![0.1, 0.8], vec![0.1, 0.2]).unwrap(),
        ]
        .map(Similarity::Channel),
    );
    all
}

fn memory<T: Scalar>(patterns: &Array2<T>, similarity: Similarity<T>, beta: f64) -> Memory<T> {
    let model = Model::dense(beta).unwrap().with_similarity(similarity);
    Memory::new(stored(patterns), model).unwrap()
}

fn what_was_not_observed_does_not_matter<T: Scalar>() {
    let (n, dim) = (600, 9);
    let (patterns, queries) = (pictures::<T>(n, dim, 1), pictures::<T>(140, dim, 2));
    let observed = mask(140, dim, 3);
    let others = [-37.5, f64::NAN, f64::NEG_INFINITY].map(|other| {
        let other = T::narrow(other);
        Zip::from(&queries).and(&observed).map_collect(|&x, &is| if is { x } else { other })
    });
    for similarity in similarities::<T>(dim) {
        let memory = memory(&patterns, similarity, 0.7);
        for dynamics in [
            Dynamics::one_step().record_weights(),
            Dynamics::steps(3).unwrap(),
            Dynamics::until(1e-3, 5).unwrap(),
        ] {
            let recall = |queries: &Array2<T>| {
                memory.retrieve_observed(queries.view(), observed.view(), &dynamics).unwrap()
            };
            let expected = recall(&queries);
            for other in &others {
                assert_eq!(recall(other), expected, "{}", memory.model().similarity().name());
            }
        }
    }
}

#[test]
fn what_was_not_observed_changes_no_bit() {
    what_was_not_observed_does_not_matter::<f32>();
    what_was_not_observed_does_not_matter::<f64>();
}

/// The weights are those of a memory whose patterns have only the observed entries.
#[test]
fn what_was_observed_counts_as_if_it_were_all() {
    let (n, dim) = (520, 8);
    let (patterns, queries) = (pictures::<f64>(n, dim, 4), pictures::<f64>(5, dim, 5));
    let kept = [0, 2, 3, 7];
    let observed = Array2::from_shape_fn((1, dim), |(_, j)| kept.contains(&j));
    let dynamics = Dynamics::one_step().record_weights();
    for similarity in similarities::<f64>(dim) {
        let part = match &similarity {
            // Its own visible entries among those that are kept.
            Similarity::Channel(channel) if channel.to_string().contains("visible") => {
                let visible = kept.iter().map(|j| j % 4 != 1).collect();
                Similarity::Channel(Channel::occlusion(visible).unwrap())
            }
            same => same.clone(),
        };
        let name = part.name();
        let found = memory(&patterns, similarity, 0.5)
            .retrieve_observed(queries.view(), observed.view(), &dynamics)
            .unwrap();
        let columns = |rows: &Array2<f64>| rows.select(Axis(1), &kept);
        let expected =
            memory(&columns(&patterns), part, 0.5).weights(columns(&queries).view()).unwrap();
        for (a, b) in found.weights.unwrap().iter().zip(&expected.weights) {
            // Scores of up to 10⁷ (the sharpest channel), summed in another order.
            assert!((a - b).abs() < 1e-7, "{name}: {a} {b}");
        }
    }
}

/// With every entry observed the results are those without a mask, up to the rounding of products.
#[test]
fn everything_observed_is_no_mask() {
    let (patterns, queries) = (pictures::<f64>(530, 7, 6), pictures::<f64>(130, 7, 7));
    let all = Array2::from_elem((1, 7), true);
    for similarity in similarities::<f64>(7) {
        let memory = memory(&patterns, similarity, 0.5);
        for dynamics in [Dynamics::one_step(), Dynamics::steps(2).unwrap()] {
            let found = memory.retrieve_observed(queries.view(), all.view(), &dynamics).unwrap();
            let expected = memory.retrieve(queries.view(), &dynamics).unwrap();
            for (a, b) in found.retrieved.iter().zip(&expected.retrieved) {
                assert!((a - b).abs() < 1e-6, "{}", memory.model().similarity().name());
            }
            let steps = |report: &uhop::QueryReport| report.steps;
            let both = found.reports.iter().map(steps).zip(expected.reports.iter().map(steps));
            both.for_each(|(found, expected)| assert_eq!(found, expected));
        }
    }
}

#[test]
fn values_and_reports_are_those_of_the_last_step() {
    let patterns = array![[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]];
    let model = Model::new(Similarity::Dot, Separation::sparsemax(), 0.2).unwrap();
    let memory = Memory::new(stored(&patterns), model).unwrap();
    let memory = memory.with_values(stored(&array![[1.0], [2.0], [3.0]])).unwrap();
    let (query, observed) = (array![[1.0, 0.9, 99.0]], array![[true, true, false]]);
    let recall = |dynamics: Dynamics| {
        memory.retrieve_observed(query.view(), observed.view(), &dynamics).unwrap()
    };
    // β·s = 0.8, 0.72, 0: weights 0.54, 0.46 on the first two.
    let one = recall(Dynamics::one_step().record_weights());
    let error: f64 = one.retrieved[[0, 0]] - (0.54 + 2.0 * 0.46);
    assert!(error.abs() < 1e-12, "{}", one.retrieved);
    let report = &one.reports[0];
    assert_eq!((report.steps, report.support_size, report.stop), (1, 2, StopReason::MaxSteps));
    let residual = ((2.16_f64 - 1.0).powi(2) + (1.84_f64 - 0.9).powi(2)).sqrt();
    assert!((report.residual - residual).abs() < 1e-12, "{}", report.residual);
    let complete = memory.retrieve(array![[2.16, 1.84, 0.0]].view(), &Dynamics::one_step());
    let two = recall(Dynamics::steps(2).unwrap());
    let error: f64 = two.retrieved[[0, 0]] - complete.unwrap().retrieved[[0, 0]];
    assert!(error.abs() < 1e-12 && two.reports[0].steps == 2);
}

/// A query of which nothing is known recalls the mean.
#[test]
fn nothing_observed_says_nothing() {
    let patterns = pictures::<f32>(30, 4, 8);
    let nothing = Array2::from_elem((1, 4), false);
    let mean = patterns.mean_axis(Axis(0)).unwrap();
    for similarity in similarities::<f32>(4) {
        let memory = memory(&patterns, similarity, 1.0);
        let query = array![[9.0, 9.0, 9.0, 9.0]];
        let one_step = Dynamics::one_step();
        let found = memory.retrieve_observed(query.view(), nothing.view(), &one_step).unwrap();
        for (a, b) in found.retrieved.iter().zip(&mean) {
            assert!(f64::from((a - b).abs()) <= 100.0 * epsilon::<f32>(), "{a} {b}");
        }
    }
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    let patterns = pictures::<f64>(3, 4, 9);
    let queries = pictures::<f64>(2, 4, 10);
    let refused = |similarity, observed: Array2<bool>, dynamics: Dynamics| {
        memory(&patterns, similarity, 1.0)
            .retrieve_observed(queries.view(), observed.view(), &dynamics)
            .unwrap_err()
    };
    let one_step = Dynamics::one_step;
    for shape in [(3, 4), (2, 3), (0, 4), (1, 1)] {
        let error = refused(Similarity::Dot, Array2::from_elem(shape, true), one_step());
        assert!(error.is_shape_mismatch(), "{shape:?} {error}");
    }
    let all = || Array2::from_elem((2, 4), true);
    let mut broken = queries.clone();
    broken[[1, 2]] = f64::NAN;
    let error = memory(&patterns, Similarity::Dot, 1.0)
        .retrieve_observed(broken.view(), all().view(), &one_step())
        .unwrap_err();
    assert!(error.is_non_finite() && error.to_string().contains("[1, 2]"), "{error}");
    let error = refused(Similarity::Dot, all(), one_step().record_energy());
    assert!(error.is_unsupported(), "{error}");
    let map = || LinearMap::identity(4).unwrap();
    let two = uhop::AsymmetricMap::new(map(), map()).unwrap();
    for similarity in [Similarity::Kernel(map()), Similarity::Asymmetric(two)] {
        let name = similarity.name();
        let error = refused(similarity, all(), one_step());
        assert!(error.is_unsupported() && error.to_string().contains(name), "{error}");
    }
}
