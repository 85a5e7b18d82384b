//! Sums over two rows in `f64`, in one fixed order: the same bits wherever they are computed.
//!
//! A product of two `f32` is exact in `f64`, so what is lost is the rounding of the sum, `dim`·2⁻⁵³ of
//! Σ|uv| at most. Matrix products round in `T` and in an order that depends on the shape.

use ndarray::ArrayView1;
use pulp::Arch;

use crate::scalar::Scalar;

/// Running sums: two vectors of the widest instruction set, four of the next.
const LANES: usize = 16;

/// ⟨u,v⟩
pub(crate) fn dot<T: Scalar>(u: ArrayView1<'_, T>, v: ArrayView1<'_, T>) -> f64 {
    sum_of(u, v, |u, v| u * v)
}

/// ‖u − v‖²
pub(crate) fn squared_distance<T: Scalar>(u: ArrayView1<'_, T>, v: ArrayView1<'_, T>) -> f64 {
    sum_of(u, v, |u, v| (u - v) * (u - v))
}

/// ‖u − v‖, also where its square is too large or too small for `f64`.
pub(crate) fn distance<T: Scalar>(u: ArrayView1<'_, T>, v: ArrayView1<'_, T>) -> f64 {
    let square = squared_distance(u, v);
    if square.is_normal() {
        return square.sqrt();
    }
    // Halved first: a difference may be too large too.
    let half = |u: &T, v: &T| 0.5 * u.widen() - 0.5 * v.widen();
    let halves = || u.iter().zip(v).map(|(u, v)| half(u, v).abs());
    let largest = halves().fold(0.0, f64::max);
    if largest == 0.0 {
        return 0.0;
    }
    2.0 * largest * halves().map(|half| (half / largest).powi(2)).sum::<f64>().sqrt()
}

/// ‖u‖²
pub(crate) fn squared_norm<T: Scalar>(u: ArrayView1<'_, T>) -> f64 {
    dot(u, u)
}

#[inline(always)]
fn sum_of<T: Scalar>(
    u: ArrayView1<'_, T>,
    v: ArrayView1<'_, T>,
    term: impl Fn(f64, f64) -> f64,
) -> f64 {
    debug_assert_eq!(u.len(), v.len());
    match (u.to_slice(), v.to_slice()) {
        (Some(u), Some(v)) => Arch::new().dispatch(
            #[inline(always)]
            || sum(u, v, term),
        ),
        _ => sum(&u.to_vec(), &v.to_vec(), term),
    }
}

/// Entry i goes to lane i mod `LANES`; the lanes are summed in halves.
#[inline(always)]
fn sum<T: Scalar>(u: &[T], v: &[T], term: impl Fn(f64, f64) -> f64) -> f64 {
    let (u, u_rest) = u.as_chunks::<LANES>();
    let (v, v_rest) = v.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (u, v) in u.iter().zip(v) {
        for lane in 0..LANES {
            lanes[lane] += term(u[lane].widen(), v[lane].widen());
        }
    }
    for (lane, (u, v)) in lanes.iter_mut().zip(u_rest.iter().zip(v_rest)) {
        *lane += term(u.widen(), v.widen());
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, s};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn distances_have_no_square_that_is_too_large_or_too_small() {
        for scale in [1e-320, 1e-165, 1.0, 1e165, 1e307] {
            let (u, v) = (
                Array1::from_vec(vec![3.0 * scale, 0.0]),
                Array1::from_vec(vec![0.0, 4.0 * scale]),
            );
            // Numbers below 1e-308 have fewer digits.
            let tolerance = if scale < 1e-300 { 1e-3 } else { 1e-15 };
            let found = distance(u.view(), v.view()) / scale;
            assert!((found / 5.0 - 1.0).abs() <= tolerance, "{scale}: {found}");
            assert_eq!(distance(u.view(), u.view()), 0.0);
        }
    }

    proptest! {
        /// The lanes of the widest instruction set and of none give the same bits; strided rows too;
        /// and they are the sum in any order, within the rounding of len terms.
        #[test]
        fn sums_are_the_same_everywhere(
            entries in prop::collection::vec((-1e3_f32..1e3, -1e3_f32..1e3), 0..70),
        ) {
            let u: Array1<f32> = entries.iter().map(|&(u, _)| u).collect();
            let v: Array1<f32> = entries.iter().map(|&(_, v)| v).collect();
            let spread = Array1::from_shape_fn(2 * u.len(), |i| u[i / 2]);
            let strided = spread.slice(s![..;2]);
            let (u_slice, v_slice) = (u.as_slice().unwrap(), v.as_slice().unwrap());
            let portable = sum(u_slice, v_slice, |u, v| u * v);
            prop_assert_eq!(dot(u.view(), v.view()).to_bits(), portable.to_bits());
            prop_assert_eq!(dot(strided, v.view()).to_bits(), portable.to_bits());
            let terms = entries.iter().map(|&(u, v)| f64::from(u) * f64::from(v));
            let size: f64 = terms.clone().map(f64::abs).sum();
            let bound = size * entries.len() as f64 * f64::EPSILON;
            prop_assert!((portable - terms.sum::<f64>()).abs() <= bound);
            let squares = entries.iter().map(|&(u, v)| (f64::from(u) - f64::from(v)).powi(2));
            let (size, distance) = (squares.sum::<f64>(), squared_distance(u.view(), v.view()));
            let bound = size * (entries.len() + 3) as f64 * f64::EPSILON;
            prop_assert!((distance - size).abs() <= bound);
        }
    }
}
