//! What every reader owes to any bytes: a value that keeps its law, or an error of one line.

pub mod memory;

use std::fmt::Display;

use uhop_data::{Error, Matrix, Result};

/// The error is one line of printable characters that a person can read.
pub fn one_line(error: &impl Display) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains(char::is_control), "not one line: {text:?}");
    assert!(text.len() < 2000, "too long to read: {text}");
}

/// What was read, if anything was; an error must be about the format and one line.
pub fn read<T>(outcome: Result<T>) -> Option<T> {
    outcome.inspect_err(refused).ok()
}

/// A refusal blames the bytes: nothing else can be wrong.
pub fn refused(error: &Error) {
    one_line(error);
    assert!(error.is_format(), "not about the format: {error}");
}

/// Whether the values are the same, where every NaN is like another.
pub fn same(a: &Matrix, b: &Matrix) -> bool {
    match (a, b) {
        (Matrix::F32(a), Matrix::F32(b)) => {
            a.dim() == b.dim()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
        }
        (Matrix::F64(a), Matrix::F64(b)) => {
            a.dim() == b.dim()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
        }
        _ => false,
    }
}

/// Bytes that are a matrix have rows and columns, and written and read again it is the same.
pub fn matrix(
    outcome: Result<Matrix>,
    write: impl Fn(&mut Vec<u8>, &Matrix) -> Result<()>,
    parse: impl Fn(&[u8]) -> Result<Matrix>,
) {
    let Some(matrix) = read(outcome) else { return };
    assert!(matrix.n_rows() > 0 && matrix.dim() > 0);
    let mut bytes = Vec::new();
    write(&mut bytes, &matrix).expect("a matrix with rows and columns");
    assert!(same(&parse(&bytes).expect("bytes of this crate's own"), &matrix));
}
