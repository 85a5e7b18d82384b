//! Laws of channels: likelihoods are those of what they say happens, and scores are sums of them.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, array};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use uhop::{Channel, Dynamics, Memory, Model, Scalar, Separation, Similarity, readout};

use crate::common::{epsilon, stored, wide};

/// What the documentation calls w.
const SHARPEST: f64 = 1.0 / 1024.0;

/// Every channel, for patterns of `dim` entries, at levels from sharp to blunt.
pub(crate) fn channels(dim: usize) -> Vec<Channel> {
    let mut all = vec![Channel::half_mask()];
    all.extend([0.0, 0.05, 0.3, 1.0, 4.0].map(|std| Channel::gaussian(std).unwrap()));
    all.extend([0.0, 0.1, 0.3, 0.7, 1.4, 4.0].map(|std| Channel::folded_gaussian(std).unwrap()));
    all.extend([0.01, 0.5, 0.9].map(|share| Channel::mask(share).unwrap()));
    all.extend([0.01, 0.3, 0.9].map(|share| Channel::salt_and_pepper(share).unwrap()));
    all.push(Channel::occlusion((0..dim).map(|j| j % 3 != 1).collect()).unwrap());
    all.push(Channel::calibrated(vec![0.1, 0.3, 0.9], vec![0.0, 0.2, 0.4]).unwrap());
    all
}

/// The visible entries of the channel above that has some.
fn is_visible(channel: &Channel, entry: usize) -> bool {
    !channel.to_string().contains("visible") || entry % 3 != 1
}

/// Entries from 0 to 1, among them the ends and levels of 8 bits.
pub(crate) fn pictures<T: Scalar>(rows: usize, dim: usize, seed: u64) -> Array2<T> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, dim), || {
        let x: f64 = random.random();
        T::narrow(match random.random_range(0..5) {
            0 => 0.0,
            1 => 1.0,
            2 => (255.0 * x).round() / 255.0,
            _ => x,
        })
    })
}

/// Queries that a channel could and could not have made: values of patterns, doubled ones, others.
fn queries<T: Scalar>(rows: usize, dim: usize, seed: u64) -> Array2<T> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let factors =
        Array2::from_shape_simple_fn((rows, dim), || [0.5, 1.0, 2.0][random.random_range(0..3)]);
    pictures::<T>(rows, dim, seed ^ 1) * factors.mapv(T::narrow)
}

/// How far one term of a score may be from the log-likelihood, as documented.
fn tolerance(channel: &Channel) -> f64 {
    match channel.to_string().as_str() {
        "Gaussian noise, std 0, folded and clamped" => 0.02,
        text if text.ends_with("folded and clamped") => 1e-4,
        _ => 0.0,
    }
}

/// ln P(query | pattern).
fn exact(channel: &Channel, pattern: ArrayView1<'_, f64>, query: ArrayView1<'_, f64>) -> f64 {
    let visible = |j: &usize| is_visible(channel, *j);
    (0..query.len()).filter(visible).map(|j| channel.log_likelihood(query[j], pattern[j])).sum()
}

/// Scores differ from exact log-likelihoods by a number of the query.
///
/// A likelihood of d entries is a sum of d terms; products and bias are at most (‖q‖₁ + dim)/w² · 4 in size and
/// rounded a few times over their length.
fn scores_are_log_likelihoods<T: Scalar>(n: usize, dim: usize, n_queries: usize, seed: u64) {
    let patterns = pictures::<T>(n, dim, seed);
    let states = queries::<T>(n_queries, dim, seed ^ 5);
    for channel in channels(dim) {
        let keys = Similarity::Channel(channel.clone()).bind(&stored(&patterns)).unwrap();
        let scores = keys.scores(states.view()).unwrap();
        for (scores, query) in scores.outer_iter().zip(wide(states.view()).outer_iter()) {
            let slow: Array1<f64> =
                wide(patterns.view()).outer_iter().map(|x| exact(&channel, x, query)).collect();
            let fast = scores.mapv(T::widen);
            let size = 4.0 * dim as f64 / (SHARPEST * SHARPEST);
            let width = (channel.n_terms() * dim) as f64;
            let rounding = (width + 4.0) * (epsilon::<T>() + f64::EPSILON) * size;
            let bound = 2.0 * (tolerance(&channel) * dim as f64 + rounding);
            for i in 0..n {
                let error = (fast[i] - fast[0]) - (slow[i] - slow[0]);
                assert!(error.abs() <= bound, "{channel} {}: {error} {bound}", T::NAME);
            }
        }
    }
}

#[test]
fn every_score_is_a_log_likelihood() {
    for (n, dim, n_queries) in [(1, 1, 1), (65, 1, 70), (40, 9, 65), (3, 40, 3)] {
        scores_are_log_likelihoods::<f32>(n, dim, n_queries, n as u64);
        scores_are_log_likelihoods::<f64>(n, dim, n_queries, n as u64);
    }
}

/// Between the nodes of the tables as at them.
#[test]
fn terms_are_exact_to_the_tolerance_everywhere() {
    let column = |n: usize, from: f64| {
        Array2::from_shape_fn((n, 1), |(i, _)| (i as f64 + from) / (n - 1) as f64)
    };
    let (patterns, states) = (column(701, 0.0), column(1301, 0.0));
    for channel in channels(1) {
        let keys = Similarity::Channel(channel.clone()).bind(&stored(&patterns)).unwrap();
        let scores = keys.scores(states.view()).unwrap();
        for (scores, query) in scores.outer_iter().zip(states.iter()) {
            let slow = patterns.mapv(|x| channel.log_likelihood(*query, x));
            // Products and their sums are below 10⁷.
            let bound = 2.0 * tolerance(&channel) + 1e-8;
            for i in 0..slow.len() {
                let error = (scores[i] - scores[0]) - (slow[[i, 0]] - slow[[0, 0]]);
                let x = patterns[[i, 0]];
                assert!(error.abs() <= bound, "{channel} at {query}, {x}: {error} {bound}");
            }
        }
    }
}

/// One entry as the channel makes it, step by step.
fn draw(kind: &str, x: f64, level: f64, random: &mut ChaCha8Rng) -> f64 {
    let mut noise = |std: f64| std * random.sample::<f64, _>(StandardNormal);
    let (wide_noise, slight) = (noise(level), noise(SHARPEST));
    let share: f64 = random.random();
    match kind {
        "gaussian" => x + wide_noise,
        "folded" => (x + wide_noise).abs().min(1.0),
        "half mask" if share < 0.5 || x == 0.0 => 0.0,
        "half mask" => 2.0 * x + slight,
        "mask" if share < level || x == 0.0 => 0.0,
        "mask" => x + slight,
        "salt" if share < 0.5 * level => 0.0,
        "salt" if share < level => 1.0,
        "salt" if x == 0.0 || x == 1.0 => x,
        "salt" => x + slight,
        _ => panic!("no channel {kind}"),
    }
}

/// Of many draws as many fall into each part as the likelihood has there: the values 0 and 1, and the parts
/// between and beyond them. Five standard deviations of a binomial count, of some thousand counts.
#[test]
fn likelihoods_are_the_frequencies_of_what_happens() {
    let n = 40_000_usize;
    let cases = [
        ("gaussian", 0.4, Channel::gaussian(0.4).unwrap()),
        ("folded", 0.3, Channel::folded_gaussian(0.3).unwrap()),
        ("folded", 1.2, Channel::folded_gaussian(1.2).unwrap()),
        ("half mask", 0.0, Channel::half_mask()),
        ("mask", 0.2, Channel::mask(0.2).unwrap()),
        ("salt", 0.4, Channel::salt_and_pepper(0.4).unwrap()),
    ];
    let ends: Vec<f64> = (-40..=60).map(|i| f64::from(i) / 20.0 + 0.0123).collect();
    for (kind, level, channel) in cases {
        for x in [0.0, 0.1, 0.35, 0.8, 1.0] {
            let mut random = ChaCha8Rng::seed_from_u64(7);
            let mut counts = vec![0_usize; ends.len() - 1];
            let mut at = [0_usize; 2];
            for _ in 0..n {
                let q = draw(kind, x, level, &mut random);
                if q == 0.0 || q == 1.0 {
                    at[q as usize] += 1;
                } else if let Some(end) = ends.iter().position(|&end| q < end).filter(|&i| i > 0) {
                    counts[end - 1] += 1;
                }
            }
            let check = |what: String, count: usize, p: f64| {
                let expected = n as f64 * p;
                let bound = 5.0 * (expected * (1.0 - p).max(0.0)).sqrt() + 5.0;
                let error = count as f64 - expected;
                assert!(error.abs() <= bound, "{channel}, {x} to {what}: {count} of {expected}");
            };
            for (value, &count) in at.iter().enumerate() {
                let is_atom = match kind {
                    "half mask" | "mask" => value == 0,
                    "folded" => value == 1,
                    "salt" => true,
                    _ => false,
                };
                if is_atom {
                    let p = channel.log_likelihood(value as f64, x).exp();
                    check(value.to_string(), count, p);
                }
            }
            for (part, &count) in ends.windows(2).zip(&counts) {
                // A folded value is neither below 0 nor above 1; one that is 0 or more by itself keeps it.
                let (from, to) = match kind {
                    "folded" => (part[0].clamp(0.0, 1.0), part[1].clamp(0.0, 1.0)),
                    _ => (part[0], part[1]),
                };
                let certain = (kind.contains("mask") && x == 0.0)
                    || (kind == "salt" && (x == 0.0 || x == 1.0));
                let p = if certain { 0.0 } else { mass(&channel, x, from, to) };
                check(format!("{from}..{to}"), count, p);
            }
        }
    }
}

/// ∫ P(q | x) dq by Simpson's rule. An integrand with values of its own has none in the sum.
fn mass(channel: &Channel, x: f64, from: f64, to: f64) -> f64 {
    let n = 256;
    let step = (to - from) / f64::from(n);
    let density = |i: i32| {
        let q = from + step * f64::from(i);
        // 1 is a value of its own: the density is that just below.
        let q = if q == 0.0 || q == 1.0 { q + 1e-9 * (0.5 - q) } else { q };
        channel.log_likelihood(q, x).exp()
    };
    let inner = (1..n).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * density(i));
    step / 3.0 * (density(0) + density(n) + inner.sum::<f64>())
}

/// With the mean and the variance of a normal entry at every level, what is calibrated is Gaussian.
#[test]
fn calibrated_to_gaussian_noise_is_gaussian() {
    let levels: Vec<f64> = (0..256).map(|i| f64::from(i) / 255.0).collect();
    let calibrated = Channel::calibrated(levels, vec![0.09; 256]).unwrap();
    let gaussian = Channel::gaussian(0.3).unwrap();
    for (q, x) in [(0.0, 0.0), (0.3, 1.0), (-2.0, 0.123), (1.7, 0.5)] {
        let error = calibrated.log_likelihood(q, x) - gaussian.log_likelihood(q, x);
        assert!(error.abs() < 1e-12, "{q} {x} {error}");
    }
}

/// Softmax at β = 1 is the posterior, and the readout the posterior mean.
#[test]
fn the_readout_is_the_posterior_mean() {
    let (patterns, states) = (pictures::<f64>(30, 6, 1), queries::<f64>(20, 6, 2));
    for channel in channels(6) {
        let memory = Memory::new(stored(&patterns), Model::bayes(channel.clone())).unwrap();
        let found = memory.retrieve(states.view(), &Dynamics::one_step()).unwrap();
        for (found, query) in found.retrieved.outer_iter().zip(states.outer_iter()) {
            let logs: Array1<f64> =
                patterns.outer_iter().map(|pattern| exact(&channel, pattern, query)).collect();
            let largest = logs.fold(f64::NEG_INFINITY, |a: f64, &b| a.max(b));
            let likelihoods = logs.mapv(|log| (log - largest).exp());
            let expected = likelihoods.dot(&patterns) / likelihoods.sum();
            // Scores off by at most e change odds by e^±2e: entries from 0 to 1 by 2e and less.
            let bound = 4.0 * 6.0 * tolerance(&channel) + 1e-9;
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= bound, "{channel}: {found} {expected}");
            }
        }
    }
}

fn fast_slow_and_screened_agree<T: Scalar>(n: usize, dim: usize) {
    let (patterns, states) = (pictures::<T>(n, dim, 3), queries::<T>(9, dim, 4));
    let separations = [
        Separation::softmax(),
        Separation::entmax(1.5).unwrap(),
        Separation::sparsemax(),
        Separation::top_k(n.min(3)).unwrap(),
    ];
    for channel in channels(dim) {
        for separation in separations {
            let similarity = Similarity::Channel(channel.clone());
            let model = Model::new(similarity, separation, 1.0).unwrap();
            let memory = Memory::new(stored(&patterns), model).unwrap();
            let one_step = Dynamics::one_step();
            for state in states.axis_chunks_iter(Axis(0), 1) {
                let fast = memory.retrieve(state, &one_step).unwrap();
                let weights = memory.weights(state).unwrap().weights;
                let slow = readout(weights.view(), patterns.view()).unwrap();
                // Few patterns are scored once more, exactly: their scores move by the rounding of a
                // product of terms of up to 4/w², and α-entmax by no more.
                let size = 4.0 * (channel.n_terms() * dim) as f64 / (SHARPEST * SHARPEST);
                let moved = size * (dim as f64 + 8.0) * epsilon::<T>();
                let bound = 4.0 * moved + 8.0 * n as f64 * epsilon::<T>();
                for (fast, slow) in fast.retrieved.iter().zip(&slow) {
                    let error = (fast.widen() - slow.widen()).abs();
                    let is_top = separation.to_string().starts_with("top");
                    assert!(
                        error <= bound || is_top && bound > 1e-3,
                        "{channel} {separation}: {error} {bound}"
                    );
                }
                let screened = memory.clone().screened().retrieve(state, &one_step).unwrap();
                if separation == Separation::softmax() {
                    for (a, b) in screened.retrieved.iter().zip(&fast.retrieved) {
                        let error = (a.widen() - b.widen()).abs();
                        assert!(error <= bound, "{channel} screened: {error} {bound}");
                    }
                } else {
                    assert_eq!(screened, fast, "{channel} {separation}");
                }
            }
        }
    }
}

/// One tile and several, with a frame for the screen and without.
#[test]
fn fast_slow_and_screened_are_the_same() {
    for (n, dim) in [(1, 3), (70, 5), (1030, 40)] {
        fast_slow_and_screened_agree::<f32>(n, dim);
        fast_slow_and_screened_agree::<f64>(n, dim);
    }
}

/// Patterns that are hard to tell apart: each of the first has the ones of the one before and some more, and each of the
/// others is the first of them but for one entry, by a level of 8 bits.
fn alike<T: Scalar>(dim: usize) -> Array2<T> {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let levels: Vec<f64> =
        (0..dim).map(|_| f64::from(random.random_range(20..235_u8)) / 255.0).collect();
    Array2::from_shape_fn((40, dim), |(i, j)| {
        let moved = if i > 20 && j == i { 1.0 / 255.0 } else { 0.0 };
        T::narrow(match i {
            0..20 => f64::from(u8::from(j < dim / 3 + 10 * i)),
            _ => levels[j] + moved,
        })
    })
}

/// Channels that leave entries as they are, and what they do to one of them.
type Keeping = (Channel, fn(f64, f64) -> f64);

fn keeping(dim: usize) -> Vec<Keeping> {
    vec![
        (Channel::half_mask(), |x, u| if u < 0.5 { 0.0 } else { 2.0 * x }),
        (Channel::mask(0.3).unwrap(), |x, u| if u < 0.3 { 0.0 } else { x }),
        (Channel::salt_and_pepper(0.2).unwrap(), |x, u| match u {
            u if u < 0.1 => 0.0,
            u if u < 0.2 => 1.0,
            _ => x,
        }),
        (Channel::occlusion((0..dim).map(|j| j % 3 != 1).collect()).unwrap(), |x, _| x),
        (Channel::gaussian(0.0).unwrap(), |x, _| x),
        (Channel::calibrated(vec![0.0, 1.0], vec![0.0, 0.0]).unwrap(), |x, _| x),
    ]
}

/// Parts of scores are as large as 10⁹ here, where `f32` has steps of 64, and log-likelihoods differ by 8 and less.
fn patterns_alike_are_told_apart<T: Scalar>() {
    let dim = 784;
    let patterns = alike::<T>(dim);
    let mut random = ChaCha8Rng::seed_from_u64(9);
    for (channel, damage) in keeping(dim) {
        let queries = patterns.mapv(|x| T::narrow(damage(x.widen(), random.random())));
        let memory = Memory::new(stored(&patterns), Model::bayes(channel.clone())).unwrap();
        let exact: Array2<f64> = Array2::from_shape_fn((40, 40), |(query, pattern)| {
            let (query, pattern) = (queries.row(query), patterns.row(pattern));
            exact(&channel, pattern.mapv(T::widen).view(), query.mapv(T::widen).view())
        });
        let expected = uhop::Separation::softmax().weights(exact.view()).unwrap().weights;
        // A score that matters is rounded once: it is within 50 of the best, which is at most dim·ln 10 above 0 (of the
        // calibrated ½ ln 1/w² for each entry). Odds are off by twice that, and weights by no more.
        let largest = 50.0 + dim as f64 * (1.0 / SHARPEST).ln();
        let sum = 2.0 * dim as f64 / SHARPEST.powi(2) * (2 * dim + 4) as f64 * epsilon::<T>();
        // A calibrated one that is left as a sum is lower by 8 and more, and by four times what a sum can be off by.
        let has_peaks = channel.to_string().contains("mean and variance");
        let of_sums = if has_peaks { sum * (-f64::max(3.0 * sum, 8.0 - sum)).exp() } else { 0.0 };
        let bound = 2.0 * largest * epsilon::<T>() + of_sums + 1e-9;
        let check = |what: &str, weights: ArrayView2<'_, T>| {
            for (weights, expected) in weights.outer_iter().zip(expected.outer_iter()) {
                for (weight, expected) in weights.iter().zip(expected) {
                    let error = (weight.widen() - expected).abs();
                    assert!(error <= bound, "{channel} {what} {}: {error} {bound}", T::NAME);
                }
            }
        };
        check("weights", memory.weights(queries.view()).unwrap().weights.view());
        let record = Dynamics::one_step().record_weights();
        let all = Array2::from_elem(queries.dim(), true);
        let observed = memory.retrieve_observed(queries.view(), all.view(), &record).unwrap();
        check("observed", observed.weights.unwrap().view());
        let expected = expected.dot(&wide(patterns.view()));
        for memory in [memory.clone(), memory.screened()] {
            let found = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap().retrieved;
            // Of 40 patterns with entries from 0 to 1, and the rounding of the readout.
            let bound = 40.0 * (bound + 2.0 * epsilon::<T>());
            for (found, expected) in found.iter().zip(&expected) {
                let error = (found.widen() - expected).abs();
                assert!(error <= bound, "{channel} {}: {error} {bound}", T::NAME);
            }
        }
    }
}

#[test]
fn patterns_alike_are_told_apart_in_both_types() {
    patterns_alike_are_told_apart::<f32>();
    patterns_alike_are_told_apart::<f64>();
}

#[test]
fn what_is_no_channel_or_not_of_it_is_an_error() {
    for std in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(Channel::gaussian(std).unwrap_err().is_out_of_domain());
        assert!(Channel::folded_gaussian(std).unwrap_err().is_out_of_domain());
    }
    for share in [-0.1, 0.0, 1.0, f64::NAN] {
        assert!(Channel::mask(share).unwrap_err().is_out_of_domain());
        assert!(Channel::salt_and_pepper(share).unwrap_err().is_out_of_domain());
    }
    assert!(Channel::occlusion(vec![false; 3]).unwrap_err().is_empty());
    assert!(Channel::occlusion(vec![]).unwrap_err().is_empty());
    let calibrated = |means: &[f64], variances: &[f64]| {
        Channel::calibrated(means.to_vec(), variances.to_vec()).unwrap_err()
    };
    assert!(calibrated(&[0.0, 1.0], &[1.0]).is_shape_mismatch());
    assert!(calibrated(&[0.0], &[1.0]).is_empty());
    assert!(calibrated(&[0.0, f64::NAN], &[1.0, 1.0]).is_non_finite());
    assert!(calibrated(&[0.0, 1.0], &[1.0, -1.0]).is_out_of_domain());
    let bind = |channel: Channel, rows: Array2<f64>| {
        Similarity::Channel(channel).bind(&stored(&rows)).unwrap_err()
    };
    let error = bind(Channel::folded_gaussian(0.5).unwrap(), array![[0.5, 1.5]]);
    assert!(error.is_out_of_domain() && error.to_string().contains("is 1.5"), "{error}");
    let error = bind(Channel::occlusion(vec![true; 3]).unwrap(), array![[0.5, 0.5]]);
    assert!(error.is_shape_mismatch() && error.to_string().contains("[3]"), "{error}");
    assert!(bind(Channel::half_mask(), array![[1e200]]).is_non_finite());
}

#[test]
fn a_channel_has_no_energy_and_no_bound() {
    let patterns = stored(&array![[0.0, 1.0], [1.0, 0.0]]);
    let memory = Memory::new(patterns, Model::bayes(Channel::gaussian(1.0).unwrap())).unwrap();
    assert!(memory.energy(array![[0.5, 0.5]].view()).unwrap_err().is_unsupported());
    assert!(memory.error_bounds(0.1).unwrap_err().is_unsupported());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Gaussian noise is euclidean similarity at β = 1/std².
    #[test]
    fn gaussian_noise_is_a_distance(seed: u64, std in 0.04..5.0_f64, n in 1_usize..20) {
        let (patterns, states) = (pictures::<f64>(n, 7, seed), queries::<f64>(3, 7, seed ^ 9));
        let bayes = Model::bayes(Channel::gaussian(std).unwrap());
        let distance = Model::dense(std.powi(-2)).unwrap().with_similarity(Similarity::Euclidean);
        let weights = |model| {
            Memory::new(stored(&patterns), model).unwrap().weights(states.view()).unwrap().weights
        };
        for (a, b) in weights(bayes).iter().zip(&weights(distance)) {
            prop_assert!((a - b).abs() < 1e-9, "{} {}", a, b);
        }
    }

    /// Whatever the entries of a query, some pattern is recalled.
    #[test]
    fn no_query_is_impossible(query in proptest::collection::vec(-1e3..1e3_f32, 4)) {
        let patterns = pictures::<f32>(9, 4, 5);
        let query = Array2::from_shape_vec((1, 4), query).unwrap();
        for channel in channels(4) {
            let memory = Memory::new(stored(&patterns), Model::bayes(channel)).unwrap();
            let recalled = memory.retrieve(query.view(), &Dynamics::one_step()).unwrap();
            prop_assert!(recalled.retrieved.iter().all(|x| (-1e-5..=1.00001).contains(x)));
        }
    }
}
