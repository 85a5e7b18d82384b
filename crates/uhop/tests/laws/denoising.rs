//! Laws of denoising: what it promises of its result, and that it nears the best there is.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayView2, array};
use uhop::stage1::{
    Copies, Denoising, Optimizer, Progress, Report, StopReason, denoise, distances,
};
use uhop::{AsymmetricMap, LinearMap, Patterns, Scalar, Similarity};

use crate::common::{EPSILON, in_pool, largest, normal, stored};

/// Independent Gaussian noise in each entry, of a standard deviation of its own.
fn noisy<T: Scalar>(stds: &[f64]) -> impl Fn(ArrayView2<'_, T>, u64) -> Array2<T> {
    move |rows, seed| {
        let mut queries = normal::<T>(rows.nrows(), rows.ncols(), seed);
        for (mut column, &std) in queries.columns_mut().into_iter().zip(stds) {
            column.mapv_inplace(|x| T::narrow(std * x.widen()));
        }
        queries + rows
    }
}

fn adam(steps: usize) -> Denoising {
    Denoising::new(Optimizer::adam(0.1).unwrap(), steps, 5).unwrap()
}

fn run<T: Scalar>(
    patterns: &Patterns<T>,
    params: &Denoising,
    stds: &[f64],
) -> Report<AsymmetricMap<T>> {
    let start = distances(patterns, 1.0).unwrap();
    denoise(patterns, start, params, noisy(stds), |_| ControlFlow::Continue(())).unwrap()
}

/// Under Gaussian noise of known variances v the posterior is softmax of −½Σ(q − ξ)²/v, which has the form of
/// what is learned: no map has a smaller expected loss.
#[test]
fn it_nears_the_posterior() {
    let stds = [0.2, 0.5, 1.0, 2.0, 4.0, 4.0];
    for n in [5, 30] {
        let patterns = stored(&normal::<f64>(n, 6, 3));
        let copies = Copies::draw(&patterns, 1, |rows, seed| noisy(&stds)(rows, seed)).unwrap();
        let loss = |map: AsymmetricMap<f64>| {
            copies.judge(&patterns, &Similarity::Asymmetric(map)).unwrap().loss
        };
        let precisions = Array1::from(stds.map(|std| 1.0 / (std * std)).to_vec());
        let bias = patterns.view().mapv(|x| x * x).dot(&precisions) * -0.5;
        let queries = LinearMap::new(Array2::from_diag(&precisions)).unwrap();
        let exact = AsymmetricMap::new(LinearMap::identity(6).unwrap(), queries).unwrap();
        let best = loss(exact.with_bias(bias).unwrap());
        let start = loss(distances(&patterns, 1.0).unwrap());
        let learned = loss(run(&patterns, &adam(2000), &stds).map);
        // Both are estimates from the same n copies; from 2,000 steps a tenth of the way may be left.
        assert!(learned - best <= 0.1 * (start - best), "{n}: {start} {learned} {best}");
        assert!(start - best > 0.2, "{start} {best}");
    }
}

/// Data and keys in other units, and β with them, learn the same map in other units; powers of two scale exactly.
#[test]
fn units_do_not_matter() {
    let patterns = normal::<f64>(12, 4, 1);
    let stds = [0.3, 0.3, 1.0, 1.0];
    let small = run(&stored(&patterns), &adam(20), &stds);
    let scaled = stored(&(&patterns * 256.0));
    let start = distances(&scaled, 1.0 / 65536.0).unwrap();
    let corrupt = |rows: ArrayView2<'_, f64>, seed| {
        let rows = rows.mapv(|x| x / 256.0);
        noisy(&stds)(rows.view(), seed) * 256.0
    };
    let large = denoise(&scaled, start, &adam(20), corrupt, |_| ControlFlow::Continue(())).unwrap();
    for (a, b) in small.losses.iter().zip(&large.losses) {
        assert!((a - b).abs() <= 1e4 * EPSILON * a.max(1.0), "{a} {b}");
    }
}

#[test]
fn the_report_says_what_happened() {
    let patterns = stored(&normal::<f32>(9, 4, 1));
    let stds = [0.5; 4];
    let report = run(&patterns, &adam(7), &stds);
    assert_eq!((report.steps, report.losses.len(), report.stop), (7, 8, StopReason::MaxSteps));
    assert!(report.held_out.is_empty());
    assert_eq!(report.map.keys(), &LinearMap::identity(4).unwrap());
    assert_eq!(report.map.bias().unwrap().len(), 9);
    let mut seen = Vec::new();
    let start = distances(&patterns, 1.0).unwrap();
    let until_two = |progress: Progress| {
        seen.push((progress.step, progress.max_steps, progress.loss));
        if progress.step < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let stopped = denoise(&patterns, start, &adam(7), noisy(&stds), until_two).unwrap();
    assert_eq!((stopped.steps, stopped.stop), (2, StopReason::Observer));
    assert_eq!(stopped.losses, report.losses[..3]);
    assert_eq!(seen, (0..3).map(|i| (i, 7, report.losses[i])).collect::<Vec<_>>());
}

/// No step leaves the start as it is, whatever its units were in between.
#[test]
fn without_a_step_it_is_the_start() {
    let patterns = stored(&normal::<f64>(5, 4, 1));
    let start = distances(&patterns, 0.7).unwrap();
    let stop = |_| ControlFlow::Break(());
    let report = denoise(&patterns, start.clone(), &adam(3), noisy(&[1.0; 4]), stop).unwrap();
    let off = &report.map.queries().weight() - &start.queries().weight();
    assert!(largest(off.iter().copied()) <= 2.0 * EPSILON);
    assert_eq!(report.map.bias(), start.bias());
}

/// Memories with more patterns than a step has queries, and with fewer.
#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for n in [100, 300] {
        let patterns = stored(&normal::<f32>(n, 20, 1));
        let one = in_pool(1, || run(&patterns, &adam(5), &[0.5; 20]));
        assert!(one == in_pool(3, || run(&patterns, &adam(5), &[0.5; 20])), "{n}");
    }
}

#[test]
fn what_cannot_be_denoised_is_an_error() {
    let patterns = stored(&normal::<f64>(5, 3, 1));
    let start = || distances(&patterns, 1.0).unwrap();
    let go = |_: Progress| ControlFlow::Continue(());
    assert!(Denoising::new(Optimizer::adam(0.1).unwrap(), 0, 0).unwrap_err().is_out_of_domain());
    // So many that no machine holds their scores are refused, not tried.
    for n_queries in [0, 65_537, 99_999_999_999_999, usize::MAX] {
        let params = adam(1).with_queries(n_queries);
        let learned =
            params.and_then(|params| denoise(&patterns, start(), &params, noisy(&[1.0; 3]), go));
        let error = learned.unwrap_err();
        assert!(error.is_out_of_domain(), "{error}");
        assert!(error.to_string().ends_with("it must be from 1 to 65536"), "{error}");
    }
    assert!(distances(&patterns, 0.0).unwrap_err().is_out_of_domain());
    let narrower = |rows: ArrayView2<'_, f64>, _| rows.slice(ndarray::s![.., 1..]).to_owned();
    let error = denoise(&patterns, start(), &adam(1), narrower, go).unwrap_err();
    assert!(error.is_shape_mismatch(), "{error}");
    let none = |rows: ArrayView2<'_, f64>, _| rows.mapv(|_| f64::NAN);
    let error = denoise(&patterns, start(), &adam(1), none, go).unwrap_err();
    assert!(error.is_non_finite(), "{error}");
    let other = distances(&stored(&normal::<f64>(4, 3, 1)), 1.0).unwrap();
    let error = denoise(&patterns, other, &adam(1), noisy(&[1.0; 3]), go).unwrap_err();
    assert!(error.is_shape_mismatch(), "{error}");
    let zeros = stored(&array![[0.0, 0.0], [0.0, 0.0]]);
    let start_of_zeros = distances(&zeros, 1.0).unwrap();
    let error = denoise(&zeros, start_of_zeros, &adam(1), noisy(&[1.0; 2]), go).unwrap_err();
    assert!(error.is_unsupported(), "{error}");
    let wild = Denoising::new(Optimizer::gradient_descent(1e300).unwrap(), 9, 0).unwrap();
    let single = stored(&normal::<f32>(5, 3, 1));
    let start = distances(&single, 1.0).unwrap();
    let error = denoise(&single, start, &wild, noisy(&[1.0; 3]), go).unwrap_err();
    assert!(error.is_diverged(), "{error}");
}
