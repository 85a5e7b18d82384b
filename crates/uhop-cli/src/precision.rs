//! Rows in the precision of a memory.

use std::path::Path;

use ndarray::Array2;
use uhop::Scalar;
use uhop_data::Matrix;

use crate::failure::Failure;

/// A number and its row and column.
pub(crate) type Entry = ((usize, usize), f64);

/// The first entry that is wrong.
pub(crate) fn find(
    matrix: &Matrix,
    is_wrong: impl Fn((usize, usize), f64) -> bool,
) -> Option<Entry> {
    match matrix {
        Matrix::F32(rows) => first(rows, is_wrong),
        Matrix::F64(rows) => first(rows, is_wrong),
    }
}

fn first<T: Scalar>(
    rows: &Array2<T>,
    is_wrong: impl Fn((usize, usize), f64) -> bool,
) -> Option<Entry> {
    let mut entries = rows.indexed_iter().map(|(at, value)| (at, value.widen()));
    entries.find(|&(at, value)| is_wrong(at, value))
}

/// Whether a number is finite and would not be so in this precision.
pub(crate) fn is_too_large<T: Scalar>(value: f64) -> bool {
    value.is_finite() && !T::narrow(value).is_finite()
}

/// The rows of a file in the precision of a memory, all of whose numbers it must hold.
pub(crate) fn rows<T: Scalar>(
    path: &Path,
    matrix: Matrix,
    into_t: fn(Matrix) -> Array2<T>,
) -> Result<Array2<T>, Failure> {
    match find(&matrix, |_, value| is_too_large::<T>(value)) {
        None => Ok(into_t(matrix)),
        Some(entry) => Err(too_large::<T>(path, entry)),
    }
}

/// The error of a number that the memory cannot hold.
pub(crate) fn too_large<T: Scalar>(path: &Path, ((row, column), value): Entry) -> Failure {
    Failure::user(format!(
        "{}: entry [{row}, {column}] is {value:e}, too large for {}, which the memory has",
        path.display(),
        T::NAME
    ))
    .hint("scale the numbers, or fit the memory of patterns in f64")
}
