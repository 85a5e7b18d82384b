//! Points on the sphere in three dimensions, pushed apart by Stage I.

use std::ops::ControlFlow;

use ndarray::{Array2, Axis};
use uhop::stage1::{Optimizer, Params, SeparationLoss, StopReason, learn};
use uhop::{LinearMap, Patterns};

use super::spec::Codes;
use crate::error::{Error, Result};

/// The smallest angle, in degrees, between `n_points` points from one random start.
///
/// Their patterns are the rows of the identity, so that the points are the columns of W. As t grows the average
/// loss nears that of the closest pair, while every pair still pushes.
pub(super) fn smallest_angle(
    codes: &Codes,
    n_points: usize,
    seed: u64,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<f64> {
    let failed = |error| Error::memory(format!("{n_points} points on a sphere"), error);
    let identity = Patterns::new(Array2::<f64>::eye(n_points)).map_err(failed)?;
    let mut map = LinearMap::random_normal(3, n_points, seed).map_err(failed)?;
    let mut t = 2.0;
    for _ in 0..codes.stages {
        let run = || -> uhop::Result<_> {
            let loss = SeparationLoss::average().with_t(t)?;
            let params = Params::new(loss, Optimizer::adam(codes.rate / t)?, codes.steps)?;
            learn(&identity, map, &params.keep_rows(), |_| match go_on() {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        };
        let report = run().map_err(failed)?;
        if report.stop == StopReason::Observer {
            return Err(Error::stopped(0, 0));
        }
        map = report.map;
        t *= 2.0;
    }
    Ok(angle(&map.weight().t().to_owned()))
}

/// The smallest angle between two rows, in degrees.
fn angle(points: &Array2<f64>) -> f64 {
    let norms = points.map_axis(Axis(1), |point| point.dot(&point).sqrt());
    let points = points / &norms.insert_axis(Axis(1));
    let cosines = points.dot(&points.t());
    let pairs = cosines.indexed_iter().filter(|((i, j), _)| i < j);
    let largest = pairs.fold(-1.0, |largest: f64, (_, &cosine)| largest.max(cosine));
    largest.min(1.0).acos().to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::Spec;

    /// For these numbers of points the angles of Tammes are proved to be the best; found within a hundredth.
    #[test]
    fn stage_one_finds_the_best_known_codes() {
        let codes = Spec::shipped().unwrap().codes;
        assert_eq!(codes.points.iter().map(|p| p.n_points).collect::<Vec<_>>(), [4, 6, 12, 24]);
        for points in &codes.points {
            let angles: Vec<f64> = (0..codes.starts as u64)
                .map(|seed| smallest_angle(&codes, points.n_points, seed, &|| Ok(())).unwrap())
                .collect();
            let best = angles.iter().copied().fold(0.0, f64::max);
            // The angles are printed with four decimals.
            assert!(best > 0.99 * points.tammes, "{points:?} {angles:?}");
            assert!(best <= points.tammes + 5e-5, "{points:?} {angles:?}");
        }
    }

    #[test]
    fn the_angle_is_that_of_the_closest_two() {
        let points = ndarray::array![[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [-1.0, -1.0, 0.0]];
        assert!((angle(&points) - 90.0).abs() < 1e-12);
    }
}
