use ndarray::{Array2, ArrayView2, ShapeBuilder, array, s};
use proptest::prelude::*;
use uhop_data::Corruption;

/// Every kind, for images of 4 x 3 pixels.
fn all() -> [Corruption; 10] {
    [
        Corruption::half_mask(),
        Corruption::mask(0.5).unwrap(),
        Corruption::gaussian_noise(0.0).unwrap(),
        Corruption::gaussian_noise(0.3).unwrap(),
        Corruption::noise_of_norm(0.0).unwrap(),
        Corruption::noise_of_norm(1.5).unwrap(),
        Corruption::occluded_half(4, 3).unwrap(),
        Corruption::salt_and_pepper(0.4).unwrap(),
        Corruption::occluded_region((4, 3), 1..3, 0..2).unwrap(),
        Corruption::folded_noise_of_norm(1.5).unwrap(),
    ]
}

fn random() -> [Corruption; 6] {
    let [mask, unscaled, _, noise, _, direction, _, salt, _, folded] = all();
    [mask, unscaled, noise, direction, salt, folded]
}

fn patterns(n_patterns: usize) -> impl Strategy<Value = Array2<f32>> {
    prop::collection::vec(0.0_f32..=1.0, n_patterns * 12)
        .prop_map(move |values| Array2::from_shape_vec((n_patterns, 12), values).unwrap())
}

fn count(view: ArrayView2<'_, f32>, value: f32) -> usize {
    view.iter().filter(|&&x| x == value).count()
}

proptest! {
    #[test]
    fn queries_of_a_prefix_are_a_prefix_of_the_queries(
        patterns in (1_usize..8).prop_flat_map(patterns),
        n in 1_usize..8,
        seed: u64,
    ) {
        let prefix = patterns.slice(s![..n.min(patterns.nrows()), ..]);
        for corruption in all() {
            let queries = corruption.apply(patterns.view(), seed).unwrap();
            let first = corruption.apply(prefix, seed).unwrap();
            prop_assert_eq!(first, queries.slice(s![..prefix.nrows(), ..]));
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_other_rows(a in patterns(4), b in patterns(4), seed: u64) {
        let mut mixed = b.clone();
        mixed.row_mut(2).assign(&a.row(2));
        for corruption in all() {
            let from_a = corruption.apply(a.view(), seed).unwrap();
            let from_mixed = corruption.apply(mixed.view(), seed).unwrap();
            prop_assert_eq!(from_a.row(2), from_mixed.row(2));
        }
    }

    #[test]
    fn equal_seeds_give_equal_queries_in_any_memory_layout(a in patterns(3), seed: u64) {
        let mut by_columns = Array2::zeros(a.dim().f());
        by_columns.assign(&a);
        for corruption in all() {
            let queries = corruption.apply(a.view(), seed).unwrap();
            prop_assert_eq!(&queries, &corruption.apply(a.view(), seed).unwrap());
            let same = corruption.apply(by_columns.view(), seed).unwrap();
            prop_assert!(same.is_standard_layout());
            prop_assert_eq!(&queries, &same);
        }
    }

    #[test]
    fn masks_keep_or_drop_and_agree(a in patterns(3), seed: u64) {
        let doubled = Corruption::half_mask().apply(a.view(), seed).unwrap();
        let kept = Corruption::mask(0.5).unwrap().apply(a.view(), seed).unwrap();
        prop_assert!(kept.iter().zip(&a).all(|(&q, &x)| q == 0.0 || q == x));
        prop_assert_eq!(doubled, 2.0 * kept);
    }

    #[test]
    fn noise_stays_in_range(a in patterns(3), std in 0.0..1e300, seed: u64) {
        let noise = Corruption::gaussian_noise(std).unwrap();
        let queries = noise.apply(a.view(), seed).unwrap();
        prop_assert!(queries.iter().all(|q| (0.0..=1.0).contains(q)));
    }

    /// Each of 12 entries is at most 1 + norm, and rounded once to f32.
    #[test]
    fn noise_has_the_given_norm(a in patterns(3), norm in 0.0..10.0, seed: u64) {
        let queries = Corruption::noise_of_norm(norm).unwrap().apply(a.view(), seed).unwrap();
        for (query, pattern) in queries.rows().into_iter().zip(a.rows()) {
            let square = |(&q, &x): (&f32, &f32)| (f64::from(q) - f64::from(x)).powi(2);
            let found = query.iter().zip(pattern).map(square).sum::<f64>().sqrt();
            let tolerance = 12_f64.sqrt() * (1.0 + norm) * f64::from(f32::EPSILON);
            prop_assert!((found - norm).abs() <= tolerance, "{found}, not {norm}");
        }
    }

    #[test]
    fn the_noise_of_a_seed_has_one_direction(a in patterns(2), norm in 0.1..10.0, seed: u64) {
        let noise = |norm: f64| {
            let queries = Corruption::noise_of_norm(norm).unwrap().apply(a.view(), seed).unwrap();
            queries.mapv(f64::from) - a.mapv(f64::from)
        };
        let difference = (noise(norm) - noise(2.0 * norm) / 2.0).mapv(f64::abs);
        let tolerance = 2.0 * (1.0 + norm) * f64::from(f32::EPSILON);
        prop_assert!(difference.iter().all(|&d| d <= tolerance), "{difference}");
    }

    /// To round and then fold is to fold and then round.
    #[test]
    fn folded_noise_of_a_norm_is_that_noise_folded(a in patterns(3), norm in 0.0..10.0, seed: u64) {
        let noise = Corruption::noise_of_norm(norm).unwrap().apply(a.view(), seed).unwrap();
        let queries = Corruption::folded_noise_of_norm(norm).unwrap().apply(a.view(), seed).unwrap();
        let expected = noise.mapv(|x: f32| x.abs().min(1.0));
        prop_assert!(queries == expected, "{queries} {expected}");
        for (query, pattern) in queries.rows().into_iter().zip(a.rows()) {
            let square = |(&q, &x): (&f32, &f32)| (f64::from(q) - f64::from(x)).powi(2);
            let distance = query.iter().zip(pattern).map(square).sum::<f64>().sqrt();
            // Folding brings no number farther away.
            prop_assert!(distance <= norm + 12_f64.sqrt() * (1.0 + norm) * f64::from(f32::EPSILON));
        }
    }

    #[test]
    fn occlusion_is_exact(height in 2_usize..9, width in 1_usize..5, n_patterns in 1_usize..4) {
        let patterns = Array2::from_elem((n_patterns, height * width), 0.5);
        let corruption = Corruption::occluded_half(height, width).unwrap();
        let queries = corruption.apply(patterns.view(), 0).unwrap();
        for ((_, position), &q) in queries.indexed_iter() {
            let from_below = height - 1 - position / width;
            prop_assert_eq!(q, if from_below < height / 2 { 0.0 } else { 0.5 });
        }
    }
}

#[test]
fn occlusion_keeps_the_middle_row_of_an_odd_height() {
    let patterns = array![[1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]];
    let queries = Corruption::occluded_half(5, 1).unwrap().apply(patterns.view(), 3).unwrap();
    assert_eq!(queries, array![[1.0, 2.0, 3.0, 0.0, 0.0], [6.0, 7.0, 8.0, 0.0, 0.0]]);
}

#[test]
fn seeds_and_rows_have_draws_of_their_own() {
    let patterns = Array2::from_elem((2, 12 * 12), 0.5);
    for corruption in random() {
        let queries = corruption.apply(patterns.view(), 1).unwrap();
        assert_ne!(queries, corruption.apply(patterns.view(), 2).unwrap(), "{corruption}");
        assert_ne!(queries.row(0), queries.row(1), "{corruption}");
    }
}

/// The number of survivors among n entries is binomial(n, 1/2): sigma = sqrt(n) / 2. With n =
/// 100 x 784 and the seed fixed, 5 sigma is 700 entries.
#[test]
fn the_mask_drops_one_half() {
    let patterns = Array2::from_elem((100, 784), 1.0);
    let queries = Corruption::half_mask().apply(patterns.view(), 20).unwrap();
    let n = patterns.len() as f64;
    let n_kept = count(queries.view(), 2.0);
    assert_eq!(n_kept + count(queries.view(), 0.0), patterns.len());
    assert!((n_kept as f64 - n / 2.0).abs() <= 5.0 * n.sqrt() / 2.0, "{n_kept} of {n}");

    // Neighbours are independent: both survive with probability 1/4. Over disjoint pairs, the count
    // is binomial(n / 2, 1/4).
    let pairs = n / 2.0;
    let both =
        queries.exact_chunks((1, 2)).into_iter().filter(|pair| pair.iter().all(|&q| q == 2.0));
    let n_both = both.count() as f64;
    let sigma = (pairs * 0.25 * 0.75).sqrt();
    assert!((n_both - pairs / 4.0).abs() <= 5.0 * sigma, "{n_both} of {pairs}");
}

/// Counts are binomial, as above; a larger share drops what a smaller one drops, and more.
#[test]
fn masks_drop_their_share() {
    let patterns = Array2::from_elem((100, 784), 0.25);
    let n = patterns.len() as f64;
    let near = |count: usize, p: f64| {
        let error = (count as f64 - n * p).abs();
        assert!(error <= 5.0 * (n * p * (1.0 - p)).sqrt(), "{count} of {n}, not {p}");
    };
    let masked = |share| Corruption::mask(share).unwrap().apply(patterns.view(), 3).unwrap();
    let (few, many) = (masked(0.1), masked(0.7));
    near(count(few.view(), 0.0), 0.1);
    near(count(many.view(), 0.0), 0.7);
    assert!(few.iter().zip(&many).all(|(&few, &many)| few > 0.0 || many == 0.0));
    let salted = Corruption::salt_and_pepper(0.3).unwrap().apply(patterns.view(), 3).unwrap();
    for (value, p) in [(0.0, 0.15), (1.0, 0.15), (0.25, 0.7)] {
        near(count(salted.view(), value), p);
    }
}

/// The channel of a corruption is that of what it does: the pattern it was is the most likely one.
#[test]
fn a_corruption_has_the_channel_of_what_it_does() {
    let digits = uhop_data::sample::digits();
    let patterns = digits.images().patterns().slice(s![..60, ..]).to_owned();
    let stored = uhop::Patterns::new(patterns.clone()).unwrap();
    for corruption in [
        Corruption::half_mask(),
        Corruption::mask(0.6).unwrap(),
        Corruption::salt_and_pepper(0.4).unwrap(),
        Corruption::gaussian_noise(0.4).unwrap(),
        Corruption::noise_of_norm(2.0).unwrap(),
        Corruption::folded_noise_of_norm(2.0).unwrap(),
        Corruption::occluded_half(28, 28).unwrap(),
        Corruption::occluded_region((28, 28), 5..15, 5..28).unwrap(),
    ] {
        let queries = corruption.apply(patterns.view(), 1).unwrap();
        let model = uhop::Model::bayes(corruption.channel(784).unwrap());
        let memory = uhop::Memory::new(stored.clone(), model).unwrap();
        let weights = memory.weights(queries.view()).unwrap().weights;
        for (i, weights) in weights.outer_iter().enumerate() {
            assert!(weights[i] > 0.99, "{corruption}: {i} with {}", weights[i]);
        }
    }
}

/// Around 1/2 with std 0.05 neither folding nor clamping acts (10 sigma), so mean and std of n draws
/// have standard errors std / sqrt(n) and std / sqrt(2 n); both are tested to 5 of them.
#[test]
fn the_noise_has_the_given_std() {
    let std = 0.05;
    let patterns = Array2::from_elem((100, 784), 0.5);
    let queries = Corruption::gaussian_noise(std).unwrap().apply(patterns.view(), 20).unwrap();
    let n = queries.len() as f64;
    let mean = queries.iter().map(|&q| f64::from(q) - 0.5).sum::<f64>() / n;
    let variance = queries.iter().map(|&q| (f64::from(q) - 0.5 - mean).powi(2)).sum::<f64>() / n;
    assert!(mean.abs() <= 5.0 * std / n.sqrt(), "{mean}");
    assert!((variance.sqrt() - std).abs() <= 5.0 * std / (2.0 * n).sqrt(), "{}", variance.sqrt());
}

/// Noise of a given norm: along the very draws of the noise of a given standard deviation,
/// which around 1/2 with std 0.05 is neither folded nor clamped.
#[test]
fn both_noises_point_the_same_way() {
    let patterns = Array2::from_elem((3, 784), 0.5);
    let noise = |corruption: Corruption| {
        corruption.apply(patterns.view(), 20).unwrap().mapv(|q| f64::from(q) - 0.5)
    };
    let by_std = noise(Corruption::gaussian_noise(0.05).unwrap());
    let by_norm = noise(Corruption::noise_of_norm(1.4).unwrap());
    for (a, b) in by_std.rows().into_iter().zip(by_norm.rows()) {
        let cosine = a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt();
        // Both are rounded to f32 around 1/2: an error of norm ε sqrt(784) / 4 at most in each.
        assert!(1.0 - cosine <= f64::from(f32::EPSILON) * 784_f64.sqrt(), "{cosine}");
        // The norm says how long the noise is in all, not how large at each pixel.
        assert!((b.dot(&b).sqrt() - 1.4).abs() <= 784_f64.sqrt() * f64::from(f32::EPSILON));
    }
}

/// Background pixels show the folding: |n| has the mean std * sqrt(2 / pi), not 0, and the variance
/// std² (1 - 2 / pi).
#[test]
fn noise_on_the_background_is_folded_to_positive_values() {
    let std = 0.1;
    let patterns = Array2::zeros((100, 784));
    let queries = Corruption::gaussian_noise(std).unwrap().apply(patterns.view(), 20).unwrap();
    let n = queries.len() as f64;
    let mean = queries.iter().map(|&q| f64::from(q)).sum::<f64>() / n;
    let (two_over_pi, sigma) = (2.0 / std::f64::consts::PI, std / n.sqrt());
    let tolerance = 5.0 * sigma * (1.0 - two_over_pi).sqrt();
    assert!((mean - std * two_over_pi.sqrt()).abs() <= tolerance, "{mean}");
}

#[test]
fn no_noise_is_an_exact_copy() {
    let digits = uhop_data::sample::digits();
    let patterns = digits.images().patterns();
    for none in [
        Corruption::gaussian_noise(0.0),
        Corruption::noise_of_norm(0.0),
        Corruption::folded_noise_of_norm(0.0),
    ] {
        assert_eq!(none.unwrap().apply(patterns, 5).unwrap(), patterns);
    }
}

/// Tables made with one version must be comparable with tables made with the next.
#[test]
fn draws_do_not_change_between_versions() {
    let ones = Array2::from_elem((2, 16), 1.0);
    let mask = Corruption::mask(0.5).unwrap().apply(ones.view(), 2024).unwrap();
    let bits = |row: usize| mask.row(row).iter().map(|&q| char::from(b'0' + q as u8)).collect();
    let rows: [String; 2] = [bits(0), bits(1)];
    assert_eq!(rows, ["1011110101001010", "0100010100011001"]);

    let halves = Array2::from_elem((1, 3), 0.5);
    let noise = Corruption::gaussian_noise(0.1).unwrap().apply(halves.view(), 2024).unwrap();
    // Not exact: the tails of the normal distribution are drawn with the platform's exp and ln.
    let expected = array![[0.430_550_58, 0.638_423_1, 0.543_943_1]];
    let distance = (&noise - &expected).mapv(f32::abs);
    assert!(distance.iter().all(|&d| d <= f32::EPSILON), "{noise} is not {expected}");
}

#[test]
fn rejected_arguments_say_why() {
    let error = |corruption: Corruption, patterns: Array2<f32>| {
        corruption.apply(patterns.view(), 0).unwrap_err()
    };
    let mask = Corruption::half_mask();
    let noise = Corruption::gaussian_noise(0.1).unwrap();
    let direction = Corruption::noise_of_norm(0.1).unwrap();
    let occluded = Corruption::occluded_half(28, 28).unwrap();
    let cases = [
        (Corruption::gaussian_noise(-0.5).unwrap_err(), "std of at least 0, found -0.5"),
        (Corruption::gaussian_noise(f64::NAN).unwrap_err(), "found NaN"),
        (Corruption::gaussian_noise(f64::INFINITY).unwrap_err(), "found inf"),
        (Corruption::noise_of_norm(-0.5).unwrap_err(), "norm from 0 to 1.7e38, found -0.5"),
        (Corruption::noise_of_norm(f64::NAN).unwrap_err(), "found NaN"),
        (Corruption::folded_noise_of_norm(-1.0).unwrap_err(), "norm from 0 to 1.7e38, found -1"),
        (Corruption::noise_of_norm(1.8e38).unwrap_err(), "found 180000000000000"),
        (Corruption::occluded_half(1, 9).unwrap_err(), "at least 2 rows and 1 column"),
        (Corruption::occluded_half(9, 0).unwrap_err(), "found 9 x 0"),
        (Corruption::occluded_half(usize::MAX, 2).unwrap_err(), "can address"),
        (Corruption::mask(0.0).unwrap_err(), "mask: expected a share above 0 and below 1, found 0"),
        (Corruption::salt_and_pepper(1.5).unwrap_err(), "salt and pepper: expected a share"),
        (Corruption::occluded_region((4, 3), 2..2, 0..3).unwrap_err(), "found the rows 2..2"),
        (Corruption::occluded_region((4, 3), 0..5, 0..1).unwrap_err(), "of the 4 rows and 3"),
        (Corruption::occluded_region((4, 3), 0..4, 0..3).unwrap_err(), "columns 0..3"),
        (occluded.channel(100).unwrap_err(), "[n_patterns, 784], found [1, 100]"),
        (error(mask, Array2::zeros((0, 3))), "found the shape [0, 3]"),
        (error(noise, Array2::zeros((3, 0))), "found the shape [3, 0]"),
        (error(occluded, Array2::zeros((2, 100))), "[n_patterns, 784], found [2, 100]"),
        (error(mask, array![[0.0, 1.0], [f32::NAN, 0.0]]), "NaN in pattern 1 at position 0"),
        (error(noise, array![[f32::NEG_INFINITY]]), "found -inf in pattern 0"),
        (error(mask, array![[0.0, f32::MAX]]), "position 1 overflows"),
        (error(direction, array![[f32::MIN]]), "position 0 overflows, expected at most 1.7"),
    ];
    for (error, message) in cases {
        assert!(error.is_invalid_argument() && !error.is_format() && !error.is_io(), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    for corruption in all() {
        let mut patterns = Array2::zeros((2, 12));
        patterns[[1, 11]] = f32::NAN;
        assert!(corruption.apply(patterns.view(), 0).is_err(), "{corruption}");
    }
}

#[test]
fn extreme_finite_values_stay_finite() {
    let largest = array![[f32::MAX, f32::MIN, -0.0, f32::MIN_POSITIVE]];
    let noise = Corruption::gaussian_noise(f64::MAX).unwrap();
    assert!(noise.apply(largest.view(), 0).unwrap().iter().all(|q| (0.0..=1.0).contains(q)));
    let half = largest.mapv(|x| x / 2.0);
    let doubled = Corruption::half_mask().apply(half.view(), 0).unwrap();
    assert!(doubled.iter().all(|q| q.is_finite()));
    let moved = Corruption::noise_of_norm(1.7e38).unwrap().apply(half.view(), 0).unwrap();
    assert!(moved.iter().all(|q| q.is_finite()));
    let kept = Corruption::noise_of_norm(0.0).unwrap().apply(largest.view(), 0).unwrap();
    assert_eq!(kept, largest);
}

#[test]
fn descriptions_are_plain_words() {
    let descriptions = all().map(|corruption| corruption.to_string());
    assert_eq!(
        descriptions,
        [
            "half mask, survivors doubled",
            "mask of 0.5, survivors kept",
            "Gaussian noise, std 0",
            "Gaussian noise, std 0.3",
            "Gaussian noise, norm 0",
            "Gaussian noise, norm 1.5",
            "lower half of 4 x 3 images occluded",
            "salt and pepper on 0.4",
            "2 x 2 of 4 x 3 images occluded, from row 1 and column 0",
            "Gaussian noise, norm 1.5, folded",
        ]
    );
}
