//! Dense matrix products: the one place that calls the matrix-product crate.

use std::borrow::Cow;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::scalar::Scalar;
use crate::vector_state;

/// The fewest rows of a result that one task computes.
pub(crate) const TILE: usize = 64;

/// Of `n` rows, or columns, of a result those that one task computes: more of them, since each task packs the other
/// matrix anew, as long as there are eight tasks. By `n` alone, and each task is sequential: the result does not
/// depend on the number of threads.
pub(crate) fn tile(n: usize) -> usize {
    (n / 8 / TILE * TILE).clamp(TILE, 4 * TILE)
}

/// The fewest columns of a result for which a transposed `A` is first copied to rows: by columns each task packs it
/// at half the speed.
const COPIED: usize = 64;

/// `A · B` for `A` of shape `[m, k]` and `B` of shape `[k, n]`, by the threads there are. Tasks share the longer side of
/// the result, so that what each packs anew is the smaller matrix.
pub(crate) fn product<T: Scalar>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    debug_assert_eq!(a.ncols(), b.nrows());
    let (m, n) = (a.nrows(), b.ncols());
    let mut result = Array2::zeros((m, n));
    if result.is_empty() {
        return result;
    }
    let a = if n < COPIED { Operand::new(a) } else { Operand::of_rows(a) };
    let b = Operand::new(b);
    let (a, b) = (a.as_mat(), b.as_mat());
    let (is_wide, longer) = (n >= m, m.max(n));
    let tile = tile(longer);
    let (mut parts, mut rest) = (Vec::new(), whole(result.view_mut()));
    for start in (0..longer).step_by(tile) {
        let size = tile.min(longer - start);
        let (part, after) =
            if is_wide { rest.split_at_col_mut(size) } else { rest.split_at_row_mut(size) };
        parts.push(part);
        rest = after;
    }
    parts.into_par_iter().enumerate().for_each(|(i, part)| {
        let (a, b) = if is_wide {
            (a, b.subcols(i * tile, part.ncols()))
        } else {
            (a.subrows(i * tile, part.nrows()), b)
        };
        multiply(part, Accum::Replace, T::one(), a, b);
    });
    result
}

/// Replaces the rows of `result`, which are contiguous, by `A · B`, in this thread.
pub(crate) fn product_into<T: Scalar>(
    result: ArrayViewMut2<'_, T>,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) {
    let (a, b) = (Operand::new(a), Operand::new(b));
    multiply(whole(result), Accum::Replace, T::one(), a.as_mat(), b.as_mat());
}

/// Adds `A · B` to the rows of `result`, which are contiguous, in this thread.
pub(crate) fn add_product<T: Scalar>(
    result: ArrayViewMut2<'_, T>,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) {
    add_scaled_product(result, T::one(), a, b);
}

/// Adds `factor · A · B` to the rows of `result`, which are contiguous, in this thread.
pub(crate) fn add_scaled_product<T: Scalar>(
    result: ArrayViewMut2<'_, T>,
    factor: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
) {
    let (a, b) = (Operand::new(a), Operand::new(b));
    multiply(whole(result), Accum::Add, factor, a.as_mat(), b.as_mat());
}

fn multiply<T: Scalar>(
    result: MatMut<'_, T>,
    accum: Accum,
    factor: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
) {
    matmul(result, accum, a, b, factor, Par::Seq);
    vector_state::clear();
}

/// Of a matrix whose rows are contiguous.
fn whole<T: Scalar>(result: ArrayViewMut2<'_, T>) -> MatMut<'_, T> {
    let (m, n) = result.dim();
    let rows = result.into_slice().expect("rows of a fresh array are contiguous");
    MatMut::from_row_major_slice_mut(rows, m, n)
}

/// A matrix in one of the two contiguous layouts; anything else is copied once.
struct Operand<'a, T: Scalar> {
    entries: Cow<'a, [T]>,
    shape: (usize, usize),
    row_major: bool,
}

impl<'a, T: Scalar> Operand<'a, T> {
    fn new(view: ArrayView2<'a, T>) -> Self {
        let shape = view.dim();
        if let Some(entries) = view.to_slice() {
            Self { entries: Cow::Borrowed(entries), shape, row_major: true }
        } else if let Some(entries) = view.reversed_axes().to_slice() {
            Self { entries: Cow::Borrowed(entries), shape, row_major: false }
        } else {
            Self { entries: Cow::Owned(view.iter().copied().collect()), shape, row_major: true }
        }
    }

    /// The same with contiguous rows.
    fn of_rows(view: ArrayView2<'a, T>) -> Self {
        if view.is_standard_layout() {
            return Self::new(view);
        }
        let shape = view.dim();
        let mut rows = Array2::zeros(shape);
        let of_task = rows.axis_chunks_iter_mut(Axis(0), TILE).into_par_iter();
        of_task
            .zip(view.axis_chunks_iter(Axis(0), TILE))
            .for_each(|(mut to, from)| to.assign(&from));
        Self { entries: Cow::Owned(rows.into_raw_vec_and_offset().0), shape, row_major: true }
    }

    fn as_mat(&self) -> MatRef<'_, T> {
        let (rows, columns) = self.shape;
        if self.row_major {
            MatRef::from_row_major_slice(&self.entries, rows, columns)
        } else {
            MatRef::from_column_major_slice(&self.entries, rows, columns)
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    use super::*;

    fn matrix(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Array2::from_shape_simple_fn((rows, columns), || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Every layout, and sizes on both sides of the tile. Each entry is a sum of k products
        /// of numbers below 1/2: k terms below 1/4, each sum off by at most k u times their total.
        #[test]
        fn equals_the_naive_product(
            m in prop::sample::select(vec![1, 2, TILE - 1, TILE, TILE + 1, 2 * TILE + 3, 16 * TILE + 1]),
            n in prop::sample::select(vec![1, 2, 19, TILE + 1, 8 * TILE + 1, 16 * TILE + 3]),
            k in 1usize..30, seed: u64,
        ) {
            let (a, b) = (matrix(m, k, seed), matrix(k, n, seed ^ 1));
            let naive = Array2::from_shape_fn((m, n), |(i, j)| {
                (0..k).map(|l| a[[i, l]] * b[[l, j]]).sum::<f64>()
            });
            let bound = 2.0 * f64::EPSILON * (k * k) as f64 / 4.0;
            let a_columns = a.t().as_standard_layout().into_owned();
            let b_columns = b.t().as_standard_layout().into_owned();
            let b_strided = Array2::from_shape_fn((k, 2 * n), |(i, j)| b[[i, j / 2]]);
            for result in [
                product(a.view(), b.view()),
                product(a_columns.t(), b.view()),
                product(a.view(), b_columns.t()),
                product(a.view(), b_strided.slice(s![.., ..;2])),
            ] {
                for (fast, slow) in result.iter().zip(&naive) {
                    prop_assert!((fast - slow).abs() <= bound, "{fast} {slow}");
                }
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        for (m, n) in [(3 * TILE + 5, 33), (33, 3 * TILE + 5)] {
            let (a, b) = (matrix(m, 70, 3).mapv(|x| x as f32), matrix(70, n, 4));
            let b = b.mapv(|x| x as f32);
            let with = |threads| {
                let threads = crate::threads::Threads::new(threads).unwrap();
                threads.install(|| product(a.view(), b.view()))
            };
            assert_eq!(with(1), with(2));
            assert_eq!(with(1), with(5));
        }
    }
}
