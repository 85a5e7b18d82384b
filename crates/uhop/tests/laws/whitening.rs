//! Laws of ridge whitening, and of the copies by which its ridge is chosen.

use ndarray::{Array2, ArrayView2, Axis, s};
use proptest::prelude::*;
use serde::Deserialize;
use uhop::stage1::{Copies, RIDGES, Whitening, choose_ridge, whiten};
use uhop::{LinearMap, Patterns, Scalar, Similarity};

use crate::common::{EPSILON, frobenius, in_pool, largest, narrow, normal, stored, wide};

/// C = ΞᵀΞ/n and ρ = λ·tr(C)/d.
fn second_moment(patterns: ArrayView2<'_, f64>, ridge: f64) -> (Array2<f64>, f64) {
    let c = patterns.t().dot(&patterns) / patterns.nrows() as f64;
    let rho = ridge * c.diag().sum() / patterns.ncols() as f64;
    (c, rho)
}

/// How far W may be from exact arithmetic. An eigendecomposition is that of a matrix off by at most
/// 30·k·ε·‖C‖ (k its order), and so are the products around it; and as x ↦ x^(−½) has slope −½x^(−3/2),
/// falling on [ρ, ∞), matrices E apart have roots of inverses at most ½ρ^(−3/2)·E apart.
fn rounding(c: &Array2<f64>, n: usize, rho: f64) -> f64 {
    let order = c.nrows().max(n) as f64;
    0.5 * rho.powf(-1.5) * 30.0 * order * EPSILON * frobenius(c.view())
}

fn moment_of<T: Scalar>(rows: ArrayView2<'_, T>) -> Whitening {
    let mut whitening = Whitening::new(rows.ncols()).unwrap();
    whitening.add(rows).unwrap();
    whitening
}

fn apart<T: Scalar>(a: &LinearMap<T>, b: &LinearMap<T>) -> f64 {
    largest((wide(a.weight()) - wide(b.weight())).iter().copied())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// W is symmetric, and W(C + ρI)W = I, for few patterns and for many.
    #[test]
    fn the_map_whitens(
        n in prop::sample::select(vec![1usize, 2, 5, 9, 10, 11, 70]),
        ridge in prop::sample::select(vec![1e-3, 0.1, 1.0, 100.0]),
        seed: u64,
    ) {
        let patterns = normal::<f64>(n, 10, seed);
        let map = whiten(&stored(&patterns), ridge).unwrap();
        let (c, rho) = second_moment(patterns.view(), ridge);
        let off = rounding(&c, n, rho);
        let w = map.weight();
        prop_assert!(largest((&w - &w.t()).iter().copied()) <= off);
        let unit = w.dot(&(&c + &(rho * Array2::<f64>::eye(10)))).dot(&w);
        // W off by `off` on either side of a matrix, beside a W of at most ρ^(−½).
        let size = frobenius(c.view()) + rho * 10.0;
        let bound = 2.0 * off * size / rho.sqrt() * 10.0_f64.sqrt();
        let distance = largest((unit - Array2::<f64>::eye(10)).iter().copied());
        prop_assert!(distance <= bound, "{distance:e} {bound:e}");
    }

    /// The two routes, by ΞΞᵀ for few patterns and by ΞᵀΞ, give one map; in f32 that of f64, rounded.
    #[test]
    fn few_patterns_take_a_shorter_way_to_the_same_map(
        n in 1usize..12, ridge in prop::sample::select(vec![1e-3, 0.1, 10.0]), seed: u64,
    ) {
        let patterns = normal::<f64>(n, 12, seed);
        let few = whiten(&stored(&patterns), ridge).unwrap();
        let full = moment_of(patterns.view()).map(ridge).unwrap();
        let (c, rho) = second_moment(patterns.view(), ridge);
        let bound = 2.0 * rounding(&c, n, rho);
        prop_assert!(apart(&few, &full) <= bound, "{:e} {bound:e}", apart(&few, &full));
        let single: LinearMap<f32> = moment_of(patterns.view()).map(ridge).unwrap();
        prop_assert_eq!(single.weight(), narrow::<f32>(&full.weight().to_owned()));
    }

    /// Patterns in and out leave the map of a refit.
    #[test]
    fn updates_are_refits(
        n in 3usize..40, added in 1usize..9, removed in 1usize..3, single: bool, seed: u64,
    ) {
        fn check<T: Scalar>(n: usize, added: usize, removed: usize, seed: u64) {
            let all = normal::<T>(n + added, 8, seed);
            let mut whitening = moment_of(all.slice(s![..n, ..]));
            for row in all.slice(s![n.., ..]).axis_chunks_iter(Axis(0), 1) {
                whitening.add(row).unwrap();
            }
            whitening.remove(all.slice(s![..removed, ..])).unwrap();
            let kept = all.slice(s![removed.., ..]).to_owned();
            assert_eq!(whitening.n_patterns(), kept.nrows());
            let ridge = 0.05;
            let updated = whitening.map::<f64>(ridge).unwrap();
            let refit = moment_of(kept.view()).map::<f64>(ridge).unwrap();
            let (c, rho) = second_moment(wide(kept.view()).view(), ridge);
            // What the sums have lost: ε for each pattern that came or went, of all Σ‖ξ‖² there ever was.
            let ever = frobenius(wide(all.view()).view()).powi(2);
            let lost = (n + added + removed) as f64 * EPSILON * ever / kept.nrows() as f64;
            let bound = 2.0 * rounding(&c, n, rho) + 0.5 * rho.powf(-1.5) * lost;
            let off = apart(&updated, &refit);
            assert!(off <= bound, "{off:e} {bound:e}");
        }
        if single { check::<f32>(n, added, removed, seed) } else { check::<f64>(n, added, removed, seed) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenFile {
    #[serde(rename = "what")]
    _what: String,
    cases: Vec<GoldenCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenCase {
    ridge: f64,
    patterns: Vec<Vec<f64>>,
    weight: Vec<Vec<f64>>,
    queries: Vec<Vec<f64>>,
    scores: Vec<Vec<f64>>,
}

/// The positive root, and the scores that it gives.
#[test]
fn maps_are_the_golden_ones() {
    let matrix = |rows: &[Vec<f64>]| {
        Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/whitening.json");
    let file: GoldenFile = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for case in &file.cases {
        let (patterns, queries) = (matrix(&case.patterns), matrix(&case.queries));
        let (c, rho) = second_moment(patterns.view(), case.ridge);
        let off = 2.0 * rounding(&c, patterns.nrows(), rho);
        let map = whiten(&stored(&patterns), case.ridge).unwrap();
        let difference = largest((&map.weight() - &matrix(&case.weight)).iter().copied());
        assert!(difference <= off, "{difference:e} {off:e}");
        let keys = Similarity::Kernel(map).bind(&stored(&patterns)).unwrap();
        let found = keys.scores(queries.view()).unwrap();
        let sizes = frobenius(patterns.view()) * frobenius(queries.view());
        // W is at most ρ^(−½), on either side.
        let bound = 2.0 * off * sizes / rho.sqrt() * patterns.ncols() as f64;
        let difference = largest((found - matrix(&case.scores)).iter().copied());
        assert!(difference <= bound, "{difference:e} {bound:e}");
    }
    assert_eq!(file.cases.len(), 4);
}

/// n·(Bq)_μ is the score, B found by gradient descent on Σ_μ ‖Bξ_μ − e_μ‖² + nρ‖B‖².
///
/// The loss is quadratic with curvature between 2nρ and 2(‖Ξ‖² + nρ): steps of the reciprocal of the latter
/// shrink the distance to the minimum by 1 − nρ/(‖Ξ‖² + nρ) each.
#[test]
fn scores_are_those_of_the_ridge_regression_of_names() {
    for (n, dim) in [(3, 5), (5, 3), (4, 4)] {
        let patterns = normal::<f64>(n, dim, 7);
        let ridge = 0.2;
        let (_, rho) = second_moment(patterns.view(), ridge);
        let penalty = n as f64 * rho;
        let curvature = frobenius(patterns.view()).powi(2) + penalty;
        let mut b = Array2::<f64>::zeros((n, dim));
        let names = Array2::<f64>::eye(n);
        let n_steps = (40.0 * curvature / penalty) as usize;
        for _ in 0..n_steps {
            // Rows of ΞBᵀ − I are Bξ_μ − e_μ.
            let errors = patterns.dot(&b.t()) - &names;
            let gradient = errors.t().dot(&patterns) + penalty * &b;
            b.scaled_add(-1.0 / curvature, &gradient);
        }
        let map = whiten(&stored(&patterns), ridge).unwrap();
        let queries = normal::<f64>(6, dim, 8);
        let keys = Similarity::Kernel(map).bind(&stored(&patterns)).unwrap();
        let scores = keys.scores(queries.view()).unwrap();
        let expected = n as f64 * queries.dot(&b.t());
        // exp(−40) of the way is left; and the rounding of some thousand steps near the minimum.
        let bound = 1e-11 * largest(expected.iter().copied());
        for (score, expected) in scores.iter().zip(&expected) {
            assert!((score - expected).abs() <= bound, "{score} {expected}");
        }
    }
}

/// A corruption of tests: deterministic, different in each entry and for each seed.
fn shaken<T: Scalar>(rows: ArrayView2<'_, T>, seed: u64) -> Array2<T> {
    let noise = normal::<T>(rows.nrows(), rows.ncols(), seed ^ 0x5eed);
    &rows + &noise.mapv(|x| T::narrow(0.7) * x)
}

/// −ln p of each copy's source, by plain sums in f64.
fn slow_loss(scores: &Array2<f64>, sources: &[usize], beta: f64) -> f64 {
    let of_row = |(row, &source): (ndarray::ArrayView1<'_, f64>, &usize)| {
        let best = row.fold(f64::NEG_INFINITY, |best, &score| best.max(score));
        let total: f64 = row.iter().map(|score| (beta * (score - best)).exp()).sum();
        total.ln() + beta * (best - row[source])
    };
    scores.outer_iter().zip(sources).map(of_row).sum::<f64>() / sources.len() as f64
}

/// The loss is what the formula says, and at the β found no more than near it, up to the prior and 1 % of β.
#[test]
fn judgements_find_the_best_beta() {
    let patterns = stored(&normal::<f64>(40, 6, 3));
    let copies = Copies::draw(&patterns, 1, shaken).unwrap();
    // As many of each as 1,024 have room for.
    assert_eq!(copies.sources(), (0..40).cycle().take(1000).collect::<Vec<_>>());
    for similarity in [Similarity::Dot, Similarity::Euclidean, Similarity::Manhattan] {
        let found = copies.judge(&patterns, &similarity).unwrap();
        let scores = similarity.bind(&patterns).unwrap().scores(copies.queries()).unwrap();
        let loss = |beta: f64| slow_loss(&scores, copies.sources(), beta);
        assert!((found.loss - loss(found.beta)).abs() <= 1e3 * EPSILON * found.loss);
        for factor in [0.5, 0.9, 1.1, 2.0] {
            let other = loss(factor * found.beta);
            assert!(found.loss < other, "{} {factor} {} {other}", similarity.name(), found.loss);
        }
    }
}

/// Where every source is told, β stays finite; where nothing is, no β is better than none.
#[test]
fn judgements_end() {
    let patterns = stored(&Array2::<f64>::eye(5));
    let exact = Copies::draw(&patterns, 0, |rows, _| rows.to_owned()).unwrap();
    let found = exact.judge(&patterns, &Similarity::Dot).unwrap();
    assert!(found.beta.is_finite() && found.loss < 1e-2, "{found:?}");
    let nothing = Copies::draw(&patterns, 0, |rows, _| Array2::zeros(rows.dim())).unwrap();
    let found = nothing.judge(&patterns, &Similarity::Dot).unwrap();
    assert_eq!(found.beta, 1.0);
    // The mean of 1,020 copies, each addition off by half an ulp of at most their sum.
    assert!((found.loss - 5.0_f64.ln()).abs() < 1020.0 * EPSILON * 5.0_f64.ln());
    // The wrong way round: the smaller β, the better.
    let opposite = Copies::draw(&patterns, 0, |rows, _| -&rows).unwrap();
    let found = opposite.judge(&patterns, &Similarity::Dot).unwrap();
    assert!(found.beta > 0.0 && found.loss >= 5.0_f64.ln() - 1e-12, "{found:?}");
    let one = stored(&Array2::<f32>::ones((1, 3)));
    let copies = Copies::draw(&one, 0, |rows, _| rows.to_owned()).unwrap();
    assert_eq!(copies.judge(&one, &Similarity::Dot).unwrap().loss, 0.0);
}

/// The choice is the best of its list, and its map that of `whiten`.
#[test]
fn the_chosen_ridge_is_the_best_of_those_tried() {
    for (n, dim) in [(30, 8), (6, 8)] {
        let patterns = stored(&normal::<f64>(n, dim, 5));
        let copies = Copies::draw(&patterns, 1, shaken).unwrap();
        let chosen = choose_ridge(&patterns, &RIDGES, &copies).unwrap();
        assert_eq!(chosen.map, whiten(&patterns, chosen.ridge).unwrap());
        assert_eq!(chosen.tried.iter().map(|(ridge, _)| *ridge).collect::<Vec<_>>(), RIDGES);
        let least =
            chosen.tried.iter().map(|(_, judged)| judged.loss).fold(f64::INFINITY, f64::min);
        let (_, best) = chosen.tried.iter().find(|(ridge, _)| *ridge == chosen.ridge).unwrap();
        assert_eq!((best.loss, best.beta), (least, chosen.beta));
        // Neither end: there is something to choose.
        assert!(chosen.ridge > RIDGES[0] && chosen.ridge < RIDGES[12], "{}", chosen.ridge);
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let patterns = stored(&normal::<f32>(150, 70, 2));
    let few = patterns.first(40).unwrap();
    let run = |threads| {
        in_pool(threads, || {
            let copies = Copies::draw(&patterns, 1, shaken).unwrap();
            let chosen = choose_ridge(&patterns, &RIDGES, &copies).unwrap();
            (chosen, whiten(&few, 0.1).unwrap())
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn what_cannot_be_whitened_is_an_error() {
    let patterns = stored(&normal::<f64>(3, 2, 0));
    for ridge in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(whiten(&patterns, ridge).unwrap_err().is_out_of_domain());
    }
    let zeros = Patterns::new(Array2::<f32>::zeros((2, 3))).unwrap();
    assert!(whiten(&zeros, 1.0).unwrap_err().is_unsupported());
    let huge = Patterns::new(Array2::from_elem((2, 3), 1e200)).unwrap();
    assert!(whiten(&huge, 1.0).unwrap_err().is_non_finite());
    let tiny = Patterns::new(Array2::from_elem((2, 3), 1e-44_f32)).unwrap();
    assert!(whiten(&tiny, 1e-3).unwrap_err().is_non_finite());
    let mut whitening = Whitening::new(2).unwrap();
    assert!(whitening.map::<f64>(1.0).unwrap_err().is_unsupported());
    assert!(whitening.add(Array2::<f64>::ones((1, 3)).view()).unwrap_err().is_shape_mismatch());
    assert!(whitening.remove(Array2::<f64>::ones((1, 2)).view()).unwrap_err().is_out_of_domain());
    assert!(Whitening::new(0).unwrap_err().is_empty());
    let shorter = Copies::draw(&patterns, 0, |rows, _| rows.slice(s![1.., ..]).to_owned());
    assert!(shorter.unwrap_err().is_shape_mismatch());
    let endless = Copies::draw(&patterns, 0, |rows, _| rows.mapv(|x| x / 0.0));
    assert!(endless.unwrap_err().is_non_finite());
    let copies = Copies::draw(&patterns, 0, shaken).unwrap();
    assert!(choose_ridge(&patterns, &[], &copies).unwrap_err().is_empty());
    assert!(choose_ridge(&patterns, &[1.0, -1.0], &copies).unwrap_err().is_out_of_domain());
    assert!(copies.judge(&stored(&normal(3, 4, 0)), &Similarity::Dot).is_err());
}
