//! No score exceeds its bound, whatever the numbers.

use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::feature_map::{AsymmetricMap, LinearMap};
use crate::patterns::Patterns;
use crate::similarity::Similarity;

fn rows<T: Scalar>(n: usize, dim: usize, seed: u64, scale: f64) -> Array2<T> {
    let normal = LinearMap::<f64>::random_normal(n, dim, seed).unwrap();
    let common = LinearMap::<f64>::random_normal(1, dim, 7).unwrap();
    Array2::from_shape_fn((n, dim), |(i, j)| {
        // A common part, entries that are 0, and a row of 0.
        let entry = normal.weight()[[i, j]] + common.weight()[[0, j]];
        let is_zero = (i * 7 + j * 3).is_multiple_of(5) || i == 2;
        T::narrow(if is_zero { 0.0 } else { entry * scale })
    })
}

/// No score exceeds its bound, and bounds are of use: they exceed it by a part of ‖k‖‖x‖ only.
fn bounds_hold<T: Scalar>((n, dim): (usize, usize), scale: f64, query_scale: f64) {
    let patterns = Patterns::new(rows::<T>(n, dim, 1, scale)).unwrap();
    let states = rows::<T>(7, dim, 2, query_scale);
    let map = LinearMap::random_normal(dim + 1, dim, 3).unwrap();
    // Biases far above the products, far below, and about as large.
    let biased = [1e4, 1e-4, 1.0].map(|size| {
        let bias = rows::<T>(1, n, 4, size * scale * query_scale).row(0).to_owned();
        let two = AsymmetricMap::new(map.clone(), map.clone()).unwrap();
        Similarity::Asymmetric(two.with_bias(bias).unwrap())
    });
    let plain = [Similarity::Dot, Similarity::Cosine, Similarity::Euclidean];
    let similarities = plain.into_iter().chain(biased).chain([Similarity::Kernel(map)]);
    for similarity in similarities {
        let keys = similarity.bind(&patterns).unwrap();
        let prepared = keys.prepare(states.view()).unwrap();
        let screen = Screen::new(&keys).unwrap();
        assert_eq!(screen.levels().len(), if dim < 128 { 1 } else { 2 });
        let rows: Vec<usize> = (1..7).collect();
        for level in screen.levels() {
            let bounded = screen.bound(level, &keys, &prepared, &rows).unwrap();
            let mut room = Room::default();
            for start in (0..n).step_by(TILE) {
                let patterns = start..(start + TILE).min(n);
                screen.bounds(level, &bounded, patterns.clone(), &mut room);
                for (i, &row) in rows.iter().enumerate() {
                    let (bounds, largest) = room.of(i, rows.len());
                    for (j, pattern) in patterns.clone().enumerate() {
                        let score = keys.exact_score(&prepared, row, pattern).unwrap();
                        let least = bounded.least(i, score);
                        let what = similarity.name();
                        assert!(least <= bounds[j], "{what}: {least} {}", bounds[j]);
                        assert!(bounds[j] <= largest[j / RUN]);
                        // Distances are rounded to more than keys differ by, for far states or a single key.
                        let is_far = what == "euclidean" && (query_scale > scale || n == 1);
                        let slack = if is_far { f32::INFINITY } else { 2.5 };
                        assert!(bounds[j] - least < slack, "{what}: {least} {}", bounds[j]);
                    }
                    let none = &bounds[patterns.len()..];
                    assert!(none.iter().all(|&bound| bound == f32::NEG_INFINITY));
                }
            }
        }
    }
}

#[test]
fn no_score_exceeds_its_bound() {
    for size in [(1, 3), (63, 4), (65, 130), (600, 200)] {
        for (scale, query_scale) in [(1.0, 1.0), (1e-15, 1e-3), (1e12, 1e-12), (1.0, 1e4)] {
            bounds_hold::<f32>(size, scale, query_scale);
            bounds_hold::<f64>(size, scale, query_scale);
        }
    }
}

#[test]
fn numbers_that_could_overflow_have_no_bounds() {
    let patterns = Patterns::new(ndarray::array![[1e30_f32, 1.0]]).unwrap();
    let keys = Similarity::Dot.bind(&patterns).unwrap();
    let screen = Screen::new(&keys).unwrap();
    let states = ndarray::array![[1e9_f32, 0.0]];
    let prepared = keys.prepare(states.view()).unwrap();
    assert!(screen.bound(&screen.levels()[0], &keys, &prepared, &[0]).is_none());
    let huge = Patterns::new(ndarray::array![[1e200_f64, 1.0]]).unwrap();
    assert!(Screen::new(&Similarity::Dot.bind(&huge).unwrap()).is_none());
    assert!(Screen::new(&Similarity::Manhattan.bind(&patterns).unwrap()).is_none());
}

/// Every score of every state against its bound by every level, wherever there are bounds; how many
/// there were.
fn scores_below_bounds<T: Scalar>(
    similarity: &Similarity<T>,
    patterns: &Array2<T>,
    states: &Array2<T>,
) -> usize {
    let patterns = Patterns::new(patterns.clone()).unwrap();
    // Norms and features may overflow, which is an error everywhere.
    let Ok(keys) = similarity.bind(&patterns) else { return 0 };
    let Some(screen) = Screen::new(&keys) else { return 0 };
    let Ok(prepared) = keys.prepare(states.view()) else { return 0 };
    let levels = screen.levels().iter();
    levels.map(|level| room_above(&screen, level, &keys, &prepared).len()).sum()
}

/// How far bounds are above scores, and that they are not below.
fn room_above<T: Scalar>(
    screen: &Screen<T>,
    level: &Level<T>,
    keys: &Keys<T>,
    prepared: &Prepared<'_, T>,
) -> Vec<f32> {
    let (mut above, mut room) = (Vec::new(), Room::default());
    for row in 0..prepared.n_states() {
        let Some(bounded) = screen.bound(level, keys, prepared, &[row]) else { continue };
        for start in (0..keys.n_keys()).step_by(TILE) {
            let patterns = start..(start + TILE).min(keys.n_keys());
            screen.bounds(level, &bounded, patterns.clone(), &mut room);
            let (bounds, largest) = room.of(0, 1);
            for (j, pattern) in patterns.enumerate() {
                let score = keys.exact_score(prepared, row, pattern).expect("cannot overflow");
                let (least, bound) = (bounded.least(0, score), bounds[j]);
                assert!(least <= bound, "{score} of {pattern} in {row}: {least} {bound}");
                assert!(bound <= largest[j / RUN]);
                above.push(bound - least);
            }
        }
    }
    above
}

/// Rows that are hard on rounding: entries of scales that differ within a row and between rows, of
/// one scale, constant, zeros of both signs, powers of two, rows that differ from others in one last
/// bit.
fn hard_rows<T: Scalar>(
    (n, dim): (usize, usize),
    exponents: (i32, i32),
    rng: &mut impl Rng,
) -> Array2<T> {
    let mut rows = Array2::<T>::zeros((n, dim));
    let scale = |rng: &mut _| 2.0_f64.powi(RngExt::random_range(rng, exponents.0..=exponents.1));
    for i in 0..n {
        let (kind, of_row) = (rng.random_range(0..7), scale(rng));
        let constant = rng.random_range(-1.0..1.0) * of_row;
        for j in 0..dim {
            let own = rng.random_range(-1.0..1.0_f64);
            rows[[i, j]] = T::narrow(match kind {
                0 => own * scale(rng),
                1 => own * of_row,
                2 => constant,
                3 => 0.0_f64.copysign(own),
                4 => of_row.copysign(own),
                5 if i > 0 => {
                    let before = rows[[rng.random_range(0..i), j]].widen();
                    before * (1.0 + T::epsilon().widen() * (own * 2.0).round())
                }
                _ => {
                    if j == 0 {
                        of_row
                    } else {
                        own * of_row * 1e-9
                    }
                }
            });
        }
    }
    rows.mapv_inplace(|x| if x.is_finite() { x } else { T::max_value().copysign(x) });
    rows
}

fn hard_rows_stay_below<T: Scalar>(size: (usize, usize), exponents: [(i32, i32); 2], seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let patterns = hard_rows::<T>(size, exponents[0], &mut rng);
    let mut states = hard_rows::<T>((6, size.1), exponents[1], &mut rng);
    // A state that is a pattern, and one nearly so.
    states.row_mut(0).assign(&patterns.row(0));
    let map = LinearMap::random_normal(size.1 + 1, size.1, seed).unwrap();
    for similarity in
        [Similarity::Dot, Similarity::Cosine, Similarity::Euclidean, Similarity::Kernel(map)]
    {
        scores_below_bounds(&similarity, &patterns, &states);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_score_of_hard_rows_exceeds_its_bound(
        n in prop::sample::select(vec![1_usize, 2, 63, 64, 65, 140]),
        dim in prop::sample::select(vec![1_usize, 2, 3, 64, 65, 127, 128, 131, 200]),
        low in -149..128_i32, width in 0..277_i32, state_low in -149..128_i32,
        seed: u64,
    ) {
        let exponents = [(low, (low + width).min(127)), (state_low, (state_low + width).min(127))];
        hard_rows_stay_below::<f32>((n, dim), exponents, seed);
        // The same draws reach both ends of the wider type.
        let wider = exponents.map(|(low, high)| (low * 8 + 64, high * 8 + 64).min((1023, 1023)));
        hard_rows_stay_below::<f64>((n, dim), wider, seed);
        hard_rows_stay_below::<f64>((n, dim), exponents, seed);
    }
}

/// Features of a state that overflow both ways are no numbers, and neither is their norm: it was taken for 0.
#[test]
fn features_that_are_no_numbers_have_no_bounds() {
    hard_rows_stay_below::<f64>((1, 64), [(64, 464), (648, 1048)], 1_084_043_633_184_002_291);
}

/// A code is exact when there is but one entry: nothing but the slack is above the score.
#[test]
fn rounding_of_scores_stays_below() {
    for (patterns, states) in [(1e-41_f32, 1e-3), (1e-38, 1.0), (1e-20, 1e-22), (1.0, 1e-45)] {
        let patterns = Array2::from_shape_fn((64, 1), |(i, _)| (i as f32 - 30.5) * patterns);
        let states = Array2::from_shape_fn((64, 1), |(i, _)| (i as f32 - 31.25) * states);
        scores_below_bounds(&Similarity::Dot, &patterns, &states);
    }
}

/// Coordinates along directions are products, which overflow and underflow where scores do not.
#[test]
fn coordinates_beyond_their_type_have_no_bounds() {
    let signs = |n, seed| rows::<f32>(n, 200, seed, 1.0).mapv(|x| 1.0_f32.copysign(x));
    for (scale, state) in [(3e38_f32, 1e-30_f32), (1e-10, 3e38), (1e-41, 1e10), (1e10, 1e-41)] {
        let (patterns, states) = (signs(70, 1) * scale, signs(2, 5) * state);
        assert_eq!(scores_below_bounds(&Similarity::Dot, &patterns, &states), 0, "{scale:e}");
    }
    let short = rows::<f64>(2, 5, 1, 1e-158);
    assert_eq!(scores_below_bounds(&Similarity::Dot, &short, &rows(2, 5, 2, 1.0)), 0);
    assert_eq!(scores_below_bounds(&Similarity::Dot, &rows(3, 5, 2, 1.0), &short), 0);
}

/// Signs, with the opposite of each, have the mean 0 and exact codes: only the slack is left.
#[test]
fn bounds_by_exact_codes_are_tight() {
    let half = rows::<f64>(35, 64, 3, 1.0).mapv(|x| 1.0_f64.copysign(x));
    let patterns = ndarray::concatenate![Axis(0), half, -&half];
    let states = rows::<f64>(9, 64, 4, 1.0).mapv(|x| 3.0_f64.copysign(x));
    let patterns = Patterns::new(patterns).unwrap();
    for similarity in [Similarity::Dot, Similarity::Cosine, Similarity::Euclidean] {
        let keys = similarity.bind(&patterns).unwrap();
        let screen = Screen::new(&keys).unwrap();
        let prepared = keys.prepare(states.view()).unwrap();
        let above = room_above(&screen, &screen.levels()[0], &keys, &prepared);
        assert!(above.iter().all(|&above| above < 1e-4), "{} {above:?}", similarity.name());
    }
}

/// A screen with a level of this frame, for keys whose mean is 0.
fn by_frame<T: Scalar>(keys: &Keys<T>, frame: Array2<T>) -> (Screen<T>, Level<T>) {
    let center = Array1::zeros(frame.ncols());
    let screen =
        Screen { center, unit: keys.largest_norm(), offsets: None, least: 0.0, levels: Vec::new() };
    let level = screen.level(keys, Some(frame));
    (screen, level)
}

/// A direction longer than 1 makes too much of what is along it: too low bounds of opposite states, and
/// of what is beyond.
#[test]
fn a_frame_that_is_not_orthonormal_has_bounds_all_the_same() {
    for long in [0.9, 0.99, 1.01, 1.1] {
        let frame = ndarray::array![[long, 0.0, 0.0]];
        let along = [0.0, 0.3, 0.6, 0.8, 0.95, 1.0];
        let rows = along.iter().flat_map(|&a: &f64| {
            let beyond = (1.0 - a * a).sqrt();
            [(a, beyond), (-a, beyond), (a, -beyond), (-a, -beyond)]
        });
        let rows: Vec<f64> = rows.flat_map(|(a, b)| [a, b, 0.0]).collect();
        let rows = Array2::from_shape_vec((24, 3), rows).unwrap();
        let keys = Similarity::Dot.bind(&Patterns::new(rows.clone()).unwrap()).unwrap();
        let (screen, level) = by_frame(&keys, frame);
        let prepared = keys.prepare(rows.view()).unwrap();
        assert_eq!(room_above(&screen, &level, &keys, &prepared).len(), 24 * 24);
    }
}

/// Coordinates of states that are off by as much as the level says they may be: too large, which makes
/// too little of opposite keys and of what is beyond.
#[test]
fn coordinates_may_be_off_by_what_is_stated() {
    let along = [0.0, 0.1, 0.3, 0.6, 0.8, 0.95, 0.99, 0.995, 1.0];
    let rows = along.iter().flat_map(|&a: &f64| {
        let beyond = (1.0 - a * a).sqrt();
        [[a, beyond], [-a, beyond], [a, -beyond], [-a, -beyond]]
    });
    let rows = Array2::from(rows.collect::<Vec<_>>());
    let keys = Similarity::Dot.bind(&Patterns::new(rows.clone()).unwrap()).unwrap();
    let prepared = keys.prepare(rows.view()).unwrap();
    for off in [1e-3, 1e-2, 0.1] {
        let (screen, mut level) = by_frame(&keys, ndarray::array![[1.0, 0.0]]);
        level.frame = Some((ndarray::array![[1.0 + off, 0.0]], Array1::zeros(1)));
        level.coordinate_error = off;
        assert_eq!(room_above(&screen, &level, &keys, &prepared).len(), rows.nrows().pow(2));
    }
}

/// Sums of one number again and again round in one direction: coordinates in `f32` are as far off as
/// they get.
#[test]
fn coordinates_that_are_off_stay_below() {
    let dim = 1 << 16;
    let frame = Array2::from_elem((1, dim), 1.0 / 256.0_f32);
    let half = Array2::from_shape_fn((32, dim), |(i, _)| 1.0 + 0.013 * i as f32);
    let rows = ndarray::concatenate![Axis(0), half, -&half];
    let keys = Similarity::Dot.bind(&Patterns::new(rows.clone()).unwrap()).unwrap();
    let (screen, level) = by_frame(&keys, frame);
    let prepared = keys.prepare(rows.view()).unwrap();
    assert_eq!(room_above(&screen, &level, &keys, &prepared).len(), 64 * 64);
}

/// Far from the memory a distance is as large as its constant, and rounded like it. Codes of signs are
/// exact, and sums of one number again and again round in one direction.
#[test]
fn distances_of_far_states_stay_below() {
    let dim = 8192;
    let signs =
        Array2::from_shape_fn((4, dim), |(i, j)| if (j >> i) & 1 == 0 { 1.0 } else { -1.0 });
    for far in [1e3, 1e9, 1e11, 1e13, 1e15] {
        let states = Array2::from_shape_fn((6, dim), |(i, _)| far * (1.0 + 0.13 * i as f64));
        assert!(scores_below_bounds(&Similarity::Euclidean, &signs, &states) > 0);
    }
}
