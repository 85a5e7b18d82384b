//! Laws of Stage I: losses and their gradients, and what the learning run promises.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, Axis, array};
use uhop::stage1::{
    Batches, Optimizer, Params, Progress, Report, SeparationLoss, StopReason, learn,
};
use uhop::{LinearMap, Scalar, reference};

use crate::common::{
    EPSILON, epsilon, frobenius, in_pool, largest, narrow, norm, normal, stored, wide,
};

/// How far a loss and its gradient computed in `T` may be from exact arithmetic, for inputs that
/// may have been rounded to `T`, and doubled for a slow path of the same kind: twice the rounding
/// errors propagated to first order.
///
/// With q_ij the share of a pair in Σ G_t (1 for the closest pair of the max loss) and d_ij its
/// distance:
/// - δ, the largest error of a feature: (dim + 2)·ε·‖W‖‖ξ‖ for the sums and the rounded inputs; of
///   a unit feature that over ‖F‖, and `dim_features` squares, a root and a division;
/// - η_ij, that of an exponent −t·d_ij²: t·(4·d_ij·δ + 2(`dim_features` + 4)·ε·(|u|² + |v|²)), the
///   second for |u|² + |v|² − 2⟨u,v⟩, plus 2ε, the two ulps of its exponential;
/// - the loss, a log-mean-exp whose slopes are q: Σ q η, and n² sums in `f64`;
/// - the gradient, pairs of rows 2t·q_ij·(f_i − f_j) times a factor ‖ξ‖/‖F‖ (raw: ‖ξ‖): relative
///   errors η_ij + Σ q η of a share, 2δ of a difference, 3δ of the normalisation, and
///   (2n + `dim_features` + 8)·ε of sums of terms q|f|, which cancel.
pub(crate) struct Rounding {
    pub(crate) loss: f64,
    pub(crate) gradient: f64,
}

impl Rounding {
    pub(crate) fn new<T: Scalar>(
        patterns: &Array2<f64>,
        weight: &Array2<f64>,
        setting: Setting,
    ) -> Self {
        let Setting { max, unit, t } = setting;
        let raw = reference::features(patterns.view(), weight.view(), false);
        let features = reference::features(patterns.view(), weight.view(), unit);
        let norms =
            |rows: ArrayView2<'_, f64>| -> Vec<f64> { rows.rows().into_iter().map(norm).collect() };
        let (sizes, raw_sizes) = (norms(patterns.view()), norms(raw.view()));
        let feature_sizes = norms(features.view());
        let (n, dim) = (patterns.nrows(), patterns.ncols() as f64);
        let dim_features = weight.nrows() as f64;
        let e = epsilon::<T>();
        let weight_size = frobenius(weight.view());
        let error_of = |(size, raw_size): (&f64, &f64)| {
            let error = (dim + 2.0) * e * weight_size * size;
            if unit { error / raw_size + (dim_features + 4.0) * e } else { error }
        };
        let delta = largest(sizes.iter().zip(&raw_sizes).map(error_of));
        let smallest = raw_sizes.iter().copied().fold(f64::INFINITY, f64::min);
        let outward = largest(sizes) / if unit { smallest } else { 1.0 };
        let normalization = if unit { 3.0 * delta } else { 0.0 };

        let best = reference::max_loss(features.view(), t);
        let (mut total, mut eta, mut sized, mut steered) = (0.0, 0.0, 0.0, 0.0);
        let mut cancelling = 0.0;
        for i in 0..n {
            for j in 0..i {
                let d = norm((&features.row(i) - &features.row(j)).view());
                let exponent = -t * d * d;
                // Any pair within rounding of the closest may be the one chosen.
                let q = match max {
                    true => f64::from(u8::from(exponent >= best * (1.0 + 1e-12))),
                    false => (exponent - best).exp(),
                };
                let (u, v) = (feature_sizes[i], feature_sizes[j]);
                let own = t * (4.0 * d * delta + 2.0 * (dim_features + 4.0) * e * (u * u + v * v))
                    + 2.0 * e;
                total += q;
                eta += q * own;
                sized += q * d;
                steered += q * (d * (own + normalization) + 2.0 * delta);
                cancelling += q * (u + v);
            }
        }
        let eta = eta / total;
        let n = n as f64;
        let relative = (2.0 * n + dim_features + 8.0) * e;
        let sums = (sized * eta + steered + relative * cancelling) / total;
        Self { loss: 2.0 * eta + n * n * EPSILON, gradient: 2.0 * 4.0 * t * outward * sums }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) max: bool,
    pub(crate) unit: bool,
    pub(crate) t: f64,
}

impl Setting {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for max in [false, true] {
            for unit in [false, true] {
                all.extend([0.5, 2.0].map(|t| Self { max, unit, t }));
            }
        }
        all
    }

    pub(crate) fn loss(self) -> SeparationLoss {
        let loss = if self.max { SeparationLoss::max() } else { SeparationLoss::average() };
        let loss = if self.unit { loss } else { loss.raw_features() };
        loss.with_t(self.t).unwrap()
    }

    fn reference(self, patterns: &Array2<f64>, weight: &Array2<f64>) -> f64 {
        let features = reference::features(patterns.view(), weight.view(), self.unit);
        let loss = if self.max { reference::max_loss } else { reference::average_loss };
        loss(features.view(), self.t)
    }

    fn value_and_gradient<T: Scalar>(
        self,
        patterns: &Array2<T>,
        weight: &Array2<T>,
    ) -> (f64, Array2<T>) {
        let map = LinearMap::new(weight.clone()).unwrap();
        self.loss().value_and_gradient(&map, &stored(patterns)).unwrap()
    }

    fn rounding<T: Scalar>(self, patterns: &Array2<f64>, weight: &Array2<f64>) -> Rounding {
        Rounding::new::<T>(patterns, weight, self)
    }
}

/// `(n_patterns, dim_features, dim)`: few and many features, both sides of the tiles of 64 and 128,
/// an odd and an even number of tiles.
const SHAPES: [(usize, usize, usize); 9] = [
    (2, 3, 5),
    (2, 5, 5),
    (63, 8, 5),
    (65, 5, 5),
    (127, 3, 5),
    (128, 8, 5),
    (129, 3, 4),
    (300, 5, 4),
    (400, 4, 5),
];

/// Patterns and a W of size about 1/2, so that raw features keep exp(−t‖f−f'‖²) in play.
fn example(shape: (usize, usize, usize), seed: u64) -> (Array2<f64>, Array2<f64>) {
    let (n, dim_features, dim) = shape;
    (normal(n, dim, seed), 0.5 * normal::<f64>(dim_features, dim, seed + 1))
}

fn losses_are_their_definitions<T: Scalar>() {
    for shape in SHAPES {
        let (patterns, weight) = example(shape, 3);
        let (patterns, weight) = (narrow::<T>(&patterns), narrow::<T>(&weight));
        let (wide_patterns, wide_weight) = (wide(patterns.view()), wide(weight.view()));
        for setting in Setting::all() {
            let (loss, gradient) = setting.value_and_gradient(&patterns, &weight);
            let slow = setting.reference(&wide_patterns, &wide_weight);
            let bound = setting.rounding::<T>(&wide_patterns, &wide_weight).loss;
            assert!((loss - slow).abs() <= bound, "{setting:?} {shape:?} {loss} {slow} {bound:e}");
            assert_eq!(gradient.dim(), weight.dim());
        }
    }
}

#[test]
fn losses_are_their_definitions_f32() {
    losses_are_their_definitions::<f32>();
}

#[test]
fn losses_are_their_definitions_f64() {
    losses_are_their_definitions::<f64>();
}

/// Central differences D(h) of the reference loss along unit directions. Halving the step divides
/// the truncation by 4, so |D(2h) − D(h)| is three times that of D(h); rounding adds the loss's
/// own error over h.
#[test]
fn gradients_are_the_slopes_of_the_losses() {
    let h = 3e-4;
    for shape in SHAPES {
        let (patterns, weight) = example(shape, 7);
        for setting in Setting::all() {
            let (_, gradient) = setting.value_and_gradient(&patterns, &weight);
            let rounding = setting.rounding::<f64>(&patterns, &weight);
            let along_gradient = &gradient / frobenius(gradient.view());
            for seed in 0..3 {
                let direction = normal::<f64>(weight.nrows(), weight.ncols(), 100 + seed);
                let direction = if seed == 0 {
                    along_gradient.clone()
                } else {
                    &direction / frobenius(direction.view())
                };
                let slope = (&gradient * &direction).sum();
                let difference = |h: f64| {
                    let at = |h: f64| setting.reference(&patterns, &(&weight + &(h * &direction)));
                    (at(h) - at(-h)) / (2.0 * h)
                };
                let (near, far) = (difference(h), difference(2.0 * h));
                let bound = (far - near).abs() + 2.0 * rounding.loss / h + rounding.gradient;
                assert!(
                    (slope - near).abs() <= bound,
                    "{setting:?} {shape:?} {slope} {near} {bound:e}"
                );
                // Sharp enough to see a wrong factor.
                let size = frobenius(gradient.view());
                assert!(bound <= 1e-3 * size, "{setting:?} {shape:?} {bound:e} {size:e}");
            }
        }
    }
}

#[test]
fn gradients_in_f32_are_those_in_f64() {
    for shape in SHAPES {
        let (patterns, weight) = example(shape, 11);
        for setting in Setting::all() {
            let (_, exact) = setting.value_and_gradient(&patterns, &weight);
            let (_, rounded) =
                setting.value_and_gradient(&narrow::<f32>(&patterns), &narrow::<f32>(&weight));
            let off = frobenius((wide(rounded.view()) - &exact).view());
            let bound = setting.rounding::<f32>(&patterns, &weight).gradient;
            assert!(off <= bound, "{setting:?} {shape:?} {off:e} {bound:e}");
        }
    }
}

#[test]
fn unit_features_make_the_loss_blind_to_the_scale_of_w() {
    for shape in SHAPES {
        let (patterns, weight) = example(shape, 13);
        for setting in Setting::all().into_iter().filter(|setting| setting.unit) {
            let (loss, gradient) = setting.value_and_gradient(&patterns, &weight);
            let rounding = setting.rounding::<f64>(&patterns, &weight);
            // L(cW) = L(W), so ⟨∂L/∂W, W⟩ = 0 and ∂L/∂W is of degree −1.
            let along = (&gradient * &weight).sum();
            assert!(along.abs() <= rounding.gradient * frobenius(weight.view()), "{along:e}");
            for factor in [1e-6, 0.3, 7.0, 1e6] {
                let (scaled_loss, scaled) =
                    setting.value_and_gradient(&patterns, &(factor * &weight));
                assert!((scaled_loss - loss).abs() <= 2.0 * rounding.loss, "{setting:?} {factor}");
                let off = frobenius((factor * scaled - &gradient).view());
                assert!(off <= 2.0 * rounding.gradient, "{setting:?} {factor} {off:e}");
            }
        }
    }
}

#[test]
fn raw_features_do_see_the_scale_of_w() {
    let (patterns, weight) = example((20, 5, 5), 13);
    for setting in Setting::all().into_iter().filter(|setting| !setting.unit) {
        let (loss, gradient) = setting.value_and_gradient(&patterns, &weight);
        let (scaled, _) = setting.value_and_gradient(&patterns, &(1.1 * &weight));
        assert!(scaled < loss - 100.0 * setting.rounding::<f64>(&patterns, &weight).loss);
        assert!((&gradient * &weight).sum() < 0.0);
    }
}

#[test]
fn the_order_of_patterns_does_not_matter() {
    for shape in SHAPES {
        let (patterns, weight) = example(shape, 17);
        let n = patterns.nrows();
        let order: Vec<usize> = (0..n).rev().collect();
        let reversed = patterns.select(Axis(0), &order);
        for setting in Setting::all() {
            let (loss, gradient) = setting.value_and_gradient(&patterns, &weight);
            let (other_loss, other) = setting.value_and_gradient(&reversed, &weight);
            let rounding = setting.rounding::<f64>(&patterns, &weight);
            assert!((loss - other_loss).abs() <= rounding.loss, "{setting:?} {shape:?}");
            let off = frobenius((other - gradient).view());
            assert!(off <= rounding.gradient, "{setting:?} {shape:?} {off:e}");
        }
    }
}

/// Equal patterns, which attract no gradient from each other, and zero patterns, which send none.
#[test]
fn duplicates_and_zero_patterns_are_pairs_like_others() {
    for n in [3, 128, 129, 260] {
        let (mut patterns, weight) = example((n, 5, 5), 19);
        let last = patterns.row(n - 1).to_owned();
        patterns.row_mut(0).assign(&last);
        for (unit, zero) in [(true, false), (false, false), (true, true), (false, true)] {
            if zero {
                patterns.row_mut(1).fill(0.0);
            }
            let setting = Setting { max: false, unit, t: 2.0 };
            let (loss, gradient) = setting.value_and_gradient(&patterns, &weight);
            let slow = setting.reference(&patterns, &weight);
            // Unit features have squared distances up to 4, raw ones up to 100 and beyond: n² terms,
            // each off by 2(dim_features + 4)·t·(|u|² + |v|²)·ε of itself.
            let sizes = reference::features(patterns.view(), weight.view(), unit);
            let size = largest(sizes.rows().into_iter().map(|row| norm(row).powi(2)));
            let bound = (2.0 * 9.0 * 2.0 * 2.0 * size + (n * n) as f64) * EPSILON;
            assert!((loss - slow).abs() <= 4.0 * bound, "{n} {setting:?} {loss} {slow} {bound:e}");
            assert!(gradient.iter().all(|g| g.is_finite()));
        }
    }
}

/// Of finite features whose products overflow `f32` the average loss is an error, never a wrong number.
#[test]
fn products_that_overflow_are_not_mistaken_for_equal_patterns() {
    let patterns = Array2::from_shape_fn((5, 2), |(i, j)| 1.0 + (3 * i + j) as f32);
    let weight = Array2::from_diag_elem(2, 1e20_f32);
    let average = Setting { max: false, unit: false, t: 2.0 };
    let map = LinearMap::new(weight).unwrap();
    let error = average.loss().value_and_gradient(&map, &stored(&patterns)).unwrap_err();
    assert!(error.is_non_finite(), "{error}");
    // The max loss measures pairs in f64 and is exact to the features' rounding.
    let max = Setting { max: true, ..average };
    // The product of the last two rows passes ±∞ in one order or the other; they are the closest
    // pair, found after others.
    let weight = array![[1e20_f32, 0.0], [0.0, 1e20]];
    let mixed = array![[20.0_f32, 20.0], [-20.0, 9.0], [3.0, 0.25], [3.0, -0.25]];
    for columns in [[0, 1], [1, 0]] {
        let mixed = mixed.select(Axis(1), &columns);
        let (loss, _) = max.value_and_gradient(&mixed, &weight);
        let slow = max.reference(&wide(mixed.view()), &wide(weight.view()));
        assert!((loss - slow).abs() <= 8.0 * f64::from(f32::EPSILON) * slow.abs(), "{loss} {slow}");
    }
}

fn run<T: Scalar>(
    patterns: &Array2<T>,
    start: LinearMap<T>,
    params: &Params,
) -> Report<LinearMap<T>> {
    learn(&stored(patterns), start, params, |_| ControlFlow::Continue(())).unwrap()
}

fn params(setting: Setting, optimizer: Optimizer, max_steps: usize) -> Params {
    Params::new(setting.loss(), optimizer, max_steps).unwrap()
}

const AVERAGE: Setting = Setting { max: false, unit: true, t: 2.0 };
const MAX: Setting = Setting { max: true, unit: true, t: 2.0 };

fn descent(rate: f64) -> Optimizer {
    Optimizer::gradient_descent(rate).unwrap()
}

#[test]
fn the_loss_curve_is_the_loss_before_and_after_every_step() {
    let (patterns, weight) = example((30, 6, 5), 19);
    for setting in [AVERAGE, MAX] {
        for optimizer in [descent(0.1), Optimizer::adam(0.01).unwrap()] {
            let start = LinearMap::new(weight.clone()).unwrap();
            let params = params(setting, optimizer, 12).keep_rows();
            let report = run(&patterns, start, &params);
            assert_eq!((report.losses.len(), report.steps), (13, 12));
            assert_eq!(report.stop, StopReason::MaxSteps);
            assert_eq!(report.losses[0], setting.value_and_gradient(&patterns, &weight).0);
            let last = report.map.weight().to_owned();
            assert_eq!(report.losses[12], setting.value_and_gradient(&patterns, &last).0);
        }
    }
}

#[test]
fn a_step_of_descent_is_rate_times_gradient() {
    let (patterns, mut weight) = example((30, 6, 5), 23);
    let start = LinearMap::new(weight.clone()).unwrap();
    let report = run(&patterns, start, &params(AVERAGE, descent(0.5), 7).keep_rows());
    for _ in 0..7 {
        let (_, gradient) = AVERAGE.value_and_gradient(&patterns, &weight);
        weight.scaled_add(-0.5, &gradient);
    }
    assert_eq!(report.map.weight(), weight);
}

/// Of few patterns the run is made in their span: each step is still that of W itself.
///
/// A run of k steps passes through the W of a run of k − 1, so that steps are compared one by one. What
/// differs is the rounding: of the gradient, by `Rounding`, in which a feature is off by δ; of the
/// features in the span by (n + `dim` + 2)·ε·‖Ξ‖²·‖S‖ as well, S being the sum of k steps γ·∂L/∂F of at
/// most 16·t/min‖F‖ each (raw: 16·t·max‖F‖), and in a frame of theirs, which longer runs take, by
/// (n + `dim_features`)·ε·‖F‖; and of W, by ε·(‖W₀‖ + n·‖S‖‖Ξ‖).
#[test]
fn a_step_in_the_span_of_few_patterns_is_that_of_w() {
    let rate = 0.05;
    for (n, dim_features, dim) in [(2, 3, 5), (5, 7, 5), (10, 60, 30), (65, 20, 70), (130, 30, 140)]
    {
        let patterns = normal::<f64>(n, dim, 61) / (dim as f64).sqrt();
        let weight = normal::<f64>(dim_features, dim, 62);
        for setting in Setting::all() {
            let after = |steps: usize| {
                let start = LinearMap::new(weight.clone()).unwrap();
                let params = params(setting, descent(rate), steps).keep_rows();
                run(&patterns, start, &params).map.weight().to_owned()
            };
            let mut before = weight.clone();
            for k in 1..=12 {
                let (_, gradient) = setting.value_and_gradient(&patterns, &before);
                let found = after(k);
                let expected = &before - &(rate * &gradient);
                let features = reference::features(patterns.view(), before.view(), false);
                let sizes: Vec<f64> = features.rows().into_iter().map(norm).collect();
                let size = frobenius(patterns.view());
                let slope = 16.0
                    * setting.t
                    * if setting.unit {
                        1.0 / sizes.iter().copied().fold(f64::INFINITY, f64::min)
                    } else {
                        largest(sizes.iter().copied())
                    };
                let shifts = k as f64 * rate * slope;
                let own = (dim as f64 + 2.0) * EPSILON * frobenius(before.view()) * size;
                let spanned = (n + dim + 2) as f64 * EPSILON * size * size * shifts;
                let is_framed = k * dim_features.saturating_sub(n) >= 8 * dim_features;
                let framed = if is_framed {
                    (n + dim_features) as f64 * EPSILON * frobenius(features.view())
                } else {
                    0.0
                };
                let gradients = setting.rounding::<f64>(&patterns, &before).gradient;
                let summed = EPSILON * (frobenius(weight.view()) + n as f64 * shifts * size);
                let bound = rate * gradients * (1.0 + (spanned + framed) / own) + 4.0 * summed;
                let off = frobenius((&found - &expected).view());
                assert!(off <= bound, "{setting:?} {n} {dim} {k} {off:e} {bound:e}");
                // Sharp enough to see a step left out or a wrong factor.
                let moved = rate * frobenius(gradient.view());
                assert!(bound <= 1e-6 * moved, "{setting:?} {n} {dim} {k} {bound:e} {moved:e}");
                before = found;
            }
        }
    }
}

/// Squares of such entries are beyond `f32`, on either side; unit features see no scale, and W moves all the same.
#[test]
fn patterns_may_be_of_any_scale() {
    for scale in [2.0_f32.powi(-70), 2.0_f32.powi(70)] {
        let patterns = scale * normal::<f32>(5, 8, 63);
        for setting in [AVERAGE, MAX] {
            let mut weight = normal::<f32>(6, 8, 64);
            let start = LinearMap::new(weight.clone()).unwrap();
            let report = run(&patterns, start, &params(setting, descent(0.1), 4).keep_rows());
            for step in 0..4 {
                let (loss, gradient) = setting.value_and_gradient(&patterns, &weight);
                assert_eq!(report.losses[step], loss, "{setting:?} {scale:e}");
                weight.scaled_add(-0.1, &gradient);
            }
            assert_eq!(report.map.weight(), weight, "{setting:?} {scale:e}");
        }
    }
}

#[test]
fn normalized_rows_change_the_map_and_not_the_run() {
    let (patterns, _) = example((30, 6, 5), 29);
    for setting in [AVERAGE, MAX] {
        let start = || LinearMap::random_normal(6, 5, 1).unwrap();
        let normalized = run(&patterns, start(), &params(setting, descent(0.5), 9));
        let kept = run(&patterns, start(), &params(setting, descent(0.5), 9).keep_rows());
        assert_eq!(normalized.losses, kept.losses);
        assert_eq!(normalized.map, kept.map.clone().normalize_rows());
        assert_ne!(normalized.map, kept.map);
        for row in normalized.map.weight().rows() {
            // dim squares, a root and a division: (dim + 3)·ε of 1.
            assert!((norm(row) - 1.0).abs() <= 8.0 * EPSILON, "{}", norm(row));
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    // All of W moved, in the span of the patterns, two patterns at a time, and in a frame of the features.
    for (n, dim, dim_features, steps) in
        [(700, 20, 24, 5), (700, 900, 24, 5), (700, 700, 600, 5), (300, 320, 800, 16)]
    {
        let patterns = normal::<f32>(n, dim, 31);
        for setting in [AVERAGE, MAX, Setting { unit: false, ..AVERAGE }] {
            let with = |threads| {
                in_pool(threads, || {
                    let start = LinearMap::random_normal(dim_features, dim, 2).unwrap();
                    run(&patterns, start, &params(setting, descent(1.0), steps))
                })
            };
            let one = with(1);
            assert_eq!(one, with(2), "{setting:?} {n} {dim}");
            assert_eq!(one, with(5), "{setting:?} {n} {dim}");
        }
    }
}

#[test]
fn descent_and_adam_lower_both_losses() {
    for seed in 0..4 {
        // Look-alikes: one common pattern and small differences.
        let patterns = 0.3 * normal::<f64>(20, 8, seed) + 1.0;
        let start = || LinearMap::random_normal(10, 8, seed + 50).unwrap();
        for (setting, rate) in [(AVERAGE, 0.5), (MAX, 0.05)] {
            for optimizer in [descent(rate), Optimizer::adam(0.01).unwrap()] {
                let losses = run(&patterns, start(), &params(setting, optimizer, 100)).losses;
                // Not by a hair: both reach well below where they started.
                let (first, last) = (losses[0], losses[100]);
                assert!(last < first - 0.1 * first.abs(), "{seed} {setting:?} {first} {last}");
            }
        }
    }
}

/// Step i moves W by at most γ/√(i!)·‖∇L‖, and rounding by ε/2·‖W‖ a step.
#[test]
fn the_published_decay_freezes_and_a_constant_rate_does_not() {
    let patterns = 0.3 * normal::<f64>(20, 8, 37) + 1.0;
    let after = |optimizer: Optimizer, steps| {
        let start = LinearMap::random_normal(10, 8, 5).unwrap();
        let report = run(&patterns, start, &params(AVERAGE, optimizer, steps).keep_rows());
        report.map.weight().to_owned()
    };
    let published = Optimizer::published_decay(1.0).unwrap();
    let (early, late) = (after(published, 20), after(published, 60));
    let slope =
        |weight: &Array2<f64>| frobenius(AVERAGE.value_and_gradient(&patterns, weight).1.view());
    let mut rate = 1.0;
    let mut rates = 0.0;
    for i in 1..60 {
        rate /= f64::from(i).sqrt();
        rates += if i >= 20 { rate } else { 0.0 };
    }
    let moved = frobenius((&late - &early).view());
    // W hardly moves, so neither does its gradient: twice the larger end covers the way.
    let bound =
        rates * 2.0 * slope(&early).max(slope(&late)) + 40.0 * EPSILON * frobenius(early.view());
    assert!(moved <= bound, "{moved:e} {bound:e}");
    assert!(bound < 1e-8, "{bound:e}");
    let constant = frobenius((after(descent(1.0), 60) - after(descent(1.0), 20)).view());
    assert!(constant > 1e6 * bound, "{constant:e}");
}

#[test]
fn a_small_change_of_the_loss_stops_the_run() {
    let patterns = normal::<f64>(12, 6, 41);
    let start = LinearMap::random_normal(8, 6, 3).unwrap();
    let tolerance = 1e-4;
    let params = params(AVERAGE, descent(1.0), 5000).with_tolerance(tolerance).unwrap();
    let report = run(&patterns, start, &params);
    assert_eq!(report.stop, StopReason::Converged);
    assert!(report.steps > 1 && report.steps < 5000);
    assert_eq!(report.losses.len(), report.steps + 1);
    let changes: Vec<f64> =
        report.losses.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let (last, before) = changes.split_last().unwrap();
    assert!(*last <= tolerance && before.iter().all(|&change| change > tolerance));
}

#[test]
fn the_observer_sees_every_step_once_and_can_stop_the_run() {
    let patterns = normal::<f64>(12, 6, 43);
    for stop_at in [None, Some(0), Some(4), Some(9)] {
        let mut seen: Vec<Progress> = Vec::new();
        let start = LinearMap::random_normal(8, 6, 3).unwrap();
        let params = params(AVERAGE, descent(0.1), 9).keep_rows();
        let report = learn(&stored(&patterns), start.clone(), &params, |progress| {
            seen.push(progress);
            let stop = stop_at == Some(progress.step);
            if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        let steps = stop_at.unwrap_or(9);
        let expected = if stop_at.is_some() { StopReason::Observer } else { StopReason::MaxSteps };
        assert_eq!((report.stop, report.steps), (expected, steps));
        assert_eq!(
            seen.iter().map(|p| p.step).collect::<Vec<_>>(),
            (0..=steps).collect::<Vec<_>>()
        );
        assert_eq!(seen.iter().map(|p| p.loss).collect::<Vec<_>>(), report.losses);
        assert!(seen.iter().all(|p| p.max_steps == 9));
        assert_eq!(report.map == start, steps == 0);
    }
}

fn divergence_is_an_error<T: Scalar>(dim: usize) {
    let patterns = normal::<T>(12, dim, 47);
    for max in [false, true] {
        for rate in [1e15, 1e20, 1e30] {
            let setting = Setting { max, unit: false, t: 2.0 };
            let start = LinearMap::random_normal(8, dim, 3).unwrap();
            let params = params(setting, descent(rate), 60);
            let mut losses = Vec::new();
            let result = learn(&stored(&patterns), start, &params, |progress| {
                losses.push(progress.loss);
                ControlFlow::Continue(())
            });
            let error = result.unwrap_err();
            assert!(error.is_diverged(), "{error}");
            assert!(losses.iter().all(|loss| loss.is_finite()));
            // Raw features that grow only lose: a jump back to 0 would be an overflow unnoticed.
            assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{max} {rate} {losses:?}");
        }
    }
}

#[test]
fn divergence_is_an_error_not_a_nan() {
    for dim in [6, 12] {
        divergence_is_an_error::<f32>(dim);
        divergence_is_an_error::<f64>(dim);
    }
}

/// A gradient that no smaller rate helps is the data's fault, wherever the run is made.
#[test]
fn a_gradient_that_overflows_at_the_start_is_no_divergence() {
    for dim in [3, 8] {
        let patterns = normal::<f32>(5, dim, 71);
        for setting in [AVERAGE, MAX] {
            let start = || LinearMap::new(normal::<f32>(6, dim, 72) * 1e-41).unwrap();
            let params = params(setting, descent(0.1), 40);
            let whole = learn(&stored(&patterns), start(), &params, |_| ControlFlow::Continue(()));
            let error = whole.unwrap_err();
            assert!(error.is_non_finite(), "{dim} {setting:?} {error}");
            if !setting.max {
                let params = batched(params, 4);
                let run =
                    learn(&stored(&patterns), start(), &params, |_| ControlFlow::Continue(()));
                let error = run.unwrap_err();
                assert!(error.is_non_finite(), "{dim} {error}");
            }
        }
    }
}

fn batched(params: Params, size: usize) -> Params {
    params.with_batches(Batches::new(size, 5).unwrap()).unwrap()
}

#[test]
fn batches_lower_the_loss_of_pairs_that_never_push() {
    // Look-alikes: one common pattern and small differences.
    let patterns = 0.3 * normal::<f64>(400, 8, 41) + 1.0;
    for optimizer in [descent(0.5), Optimizer::adam(0.01).unwrap()] {
        let start = || LinearMap::random_normal(10, 8, 3).unwrap();
        let report = run(&patterns, start(), &batched(params(AVERAGE, optimizer, 110), 64));
        assert_eq!(report.losses.len(), 111);
        let steps: Vec<usize> = report.held_out.iter().map(|held_out| held_out.step).collect();
        assert_eq!(steps, [0, 20, 40, 60, 80, 100, 110]);
        let (first, last) = (report.held_out[0].loss, report.held_out[6].loss);
        assert!(last < first - 0.3, "{first} {last}");
        // What the batches lowered is the loss over all pairs.
        let whole = |map: &LinearMap<f64>| {
            AVERAGE.loss().value_and_gradient(map, &stored(&patterns)).unwrap().0
        };
        let kept = batched(params(AVERAGE, optimizer, 110), 64).keep_rows();
        let kept = run(&patterns, start(), &kept);
        assert!(whole(&kept.map) < whole(&start()) - 0.3);
        assert_eq!(kept.losses, report.losses);
    }
}

#[test]
fn runs_on_batches_are_fixed_by_their_seeds_whatever_the_threads() {
    // All of W moved, in the span of the patterns, and in a frame of the features.
    for (n, dim, dim_features) in [(700, 20, 24), (700, 900, 600), (300, 320, 1600)] {
        let patterns = normal::<f32>(n, dim, 31);
        let with = |threads, seed| {
            in_pool(threads, || {
                let start = LinearMap::random_normal(dim_features, dim, 2).unwrap();
                let params = params(AVERAGE, descent(1.0), 25);
                let params = params.with_batches(Batches::new(200, seed).unwrap()).unwrap();
                run(&patterns, start, &params)
            })
        };
        let one = with(1, 0);
        assert_eq!(one, with(2, 0));
        assert_eq!(one, with(5, 0));
        assert_ne!(one.losses, with(1, 1).losses);
    }
}

/// The smallest memory and batches there are: some draws hold no pair but the one held out.
#[test]
fn the_smallest_batches_of_the_smallest_memory_work() {
    for n in [3, 4, 7] {
        let patterns = normal::<f64>(n, 4, 43);
        let start = LinearMap::random_normal(4, 4, 3).unwrap();
        let report = run(&patterns, start, &batched(params(AVERAGE, descent(0.1), 50), 2));
        assert!(report.losses.iter().all(|loss| loss.is_finite()));
        assert!(report.held_out.iter().all(|held_out| held_out.loss.is_finite()));
    }
}

#[test]
fn batches_that_do_not_fit_are_errors() {
    let learn_on = |n, size| {
        let start = LinearMap::<f64>::identity(4).unwrap();
        let params = batched(params(AVERAGE, descent(0.1), 5), size);
        learn(&stored(&normal::<f64>(n, 4, 1)), start, &params, |_| ControlFlow::Continue(()))
    };
    let error = learn_on(5, 6).unwrap_err();
    assert!(error.is_out_of_domain() && error.to_string().contains("patterns, 5"), "{error}");
    assert!(learn_on(2, 2).unwrap_err().is_empty());
    assert!(learn_on(5, 5).is_ok());
    let start = LinearMap::<f64>::identity(3).unwrap();
    let params = batched(params(AVERAGE, descent(0.1), 5), 2);
    let patterns = stored(&normal::<f64>(9, 4, 1));
    let error = learn(&patterns, start, &params, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.is_shape_mismatch(), "{error}");
}

/// Batches differ from step to step; what must come to rest is the loss of the held-out pairs.
#[test]
fn a_tolerance_on_batches_looks_at_the_held_out_pairs() {
    let patterns = normal::<f64>(100, 4, 47);
    let start = LinearMap::random_normal(4, 4, 3).unwrap();
    let params = batched(params(AVERAGE, descent(1e-9), 500), 10);
    let report = run(&patterns, start, &params.with_tolerance(1e-6).unwrap());
    assert_eq!((report.stop, report.steps), (StopReason::Converged, 20));
    let changes = report.losses.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    assert!(changes.fold(0.0, f64::max) > 1e-3);
}

#[test]
fn an_observer_that_stops_between_two_looks_gets_a_last_one() {
    let patterns = normal::<f64>(50, 4, 53);
    let start = LinearMap::random_normal(4, 4, 3).unwrap();
    let params = batched(params(AVERAGE, descent(0.1), 500), 10);
    let mut seen = Vec::new();
    let report = learn(&stored(&patterns), start, &params, |progress| {
        seen.push(progress.loss);
        if progress.step == 25 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let report = report.unwrap();
    let steps: Vec<usize> = report.held_out.iter().map(|held_out| held_out.step).collect();
    assert_eq!((report.stop, report.steps), (StopReason::Observer, 25));
    assert_eq!(steps, [0, 20, 25]);
    // What the observer is told is the loss of the held-out pairs, as last measured.
    assert!(seen[..20].iter().all(|&loss| loss == report.held_out[0].loss));
    assert!(seen[20..].iter().all(|&loss| loss == report.held_out[1].loss));
}

/// What U-Hop+ minimises: the log-mean-exp of inner products of unit features at temperature τ, up to 1/τ; and with
/// the gradient of the average loss.
#[test]
fn a_temperature_is_another_name_of_t() {
    let (patterns, weight) = (normal::<f64>(7, 5, 1), normal::<f64>(4, 5, 2));
    let map = LinearMap::new(weight.clone()).unwrap();
    for tau in [0.1, 0.5, 3.0] {
        let loss = SeparationLoss::average().with_temperature(tau).unwrap();
        assert_eq!(loss, SeparationLoss::average().with_t(0.5 / tau).unwrap());
        let found = loss.value_and_gradient(&map, &stored(&patterns)).unwrap().0;
        let units = reference::features(patterns.view(), weight.view(), true);
        let mut sum = 0.0;
        for i in 0..7 {
            for j in (0..7).filter(|&j| j != i) {
                sum += (reference::dot(units.row(i), units.row(j)) / tau).exp();
            }
        }
        let expected = (sum / 42.0).ln() - 1.0 / tau;
        // Exponents of at most 1/τ from features that are off by some 30 ε.
        let bound = 200.0 * EPSILON * (1.0 + 1.0 / tau);
        assert!((found - expected).abs() <= bound, "{tau} {found} {expected}");
    }
    assert!(SeparationLoss::average().with_temperature(0.0).unwrap_err().is_out_of_domain());
    assert!(SeparationLoss::average().with_temperature(1e-320).unwrap_err().is_out_of_domain());
}
