//! Directions along which the rows of a matrix vary most.

use ndarray::{Array2, ArrayView2};

use crate::feature_map::{LinearMap, orthonormal};
use crate::product::product;
use crate::scalar::Scalar;
use crate::wide;

/// Each brings the span nearer to that of the leading directions, by the square of the ratio of two
/// singular values; any span is correct, a near one is useful.
const ITERATIONS: usize = 3;

/// Nearly orthonormal rows `[n_directions, dim]` that nearly span the leading right singular
/// directions of `rows`, by subspace iteration from a fixed start.
pub(super) fn leading<T: Scalar>(rows: ArrayView2<'_, T>, n_directions: usize) -> Array2<T> {
    let start = LinearMap::<T>::random_normal(n_directions, rows.ncols(), 0)
        .expect("fewer directions than entries");
    let mut frame = start.weight().to_owned();
    for _ in 0..ITERATIONS {
        let along = product(rows, frame.t());
        let next = product(rows.t(), along.view());
        frame = orthonormal(next.mapv(T::widen).view()).reversed_axes().mapv(T::narrow);
    }
    frame.as_standard_layout().into_owned()
}

/// At least ‖PPᵀ − I‖, by its Frobenius norm.
pub(super) fn defect<T: Scalar>(frame: ArrayView2<'_, T>) -> f64 {
    let mut squares = 0.0;
    for (i, u) in frame.outer_iter().enumerate() {
        for (j, v) in frame.outer_iter().enumerate() {
            let ideal = if i == j { 1.0 } else { 0.0 };
            squares += (wide::dot(u, v) - ideal).powi(2);
        }
    }
    // Each product is off by dim·2⁻⁵³ at most, rows being of about unit length.
    squares.sqrt() + (frame.ncols() * frame.nrows()) as f64 * f64::EPSILON
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// Rows in a plane, with a little of all else: the plane is found.
    #[test]
    fn a_plane_is_found() {
        let plane = LinearMap::<f64>::orthogonal(2, 30, 1).unwrap();
        let noise = LinearMap::<f64>::random_normal(50, 30, 2).unwrap();
        let rows = Array2::from_shape_fn((50, 30), |(i, j)| {
            let (a, b) = ((i as f64 * 0.7).sin(), (i as f64 * 1.3).cos());
            a * plane.weight()[[0, j]] + b * plane.weight()[[1, j]] + 1e-6 * noise.weight()[[i, j]]
        });
        let frame = leading(rows.view(), 2);
        assert!(defect(frame.view()) < 1e-12);
        for direction in plane.weight().outer_iter() {
            let inside: f64 = frame.outer_iter().map(|f| wide::dot(f, direction).powi(2)).sum();
            assert!((inside - 1.0).abs() < 1e-6, "{inside}");
        }
    }

    #[test]
    fn rows_that_span_less_than_asked_still_give_a_frame() {
        for rows in [Array2::<f32>::zeros((3, 9)), Array2::ones((1, 9))] {
            assert!(defect(leading(rows.view(), 4).view()) < 1e-5);
        }
    }
}
