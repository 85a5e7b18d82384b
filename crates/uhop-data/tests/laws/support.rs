use ndarray::Array2;
use proptest::prelude::*;
use uhop_data::{Error, Matrix, Result};

/// Matrices of 1 to 6 rows and columns, NaN left out as it is not equal to itself.
pub(crate) fn matrices() -> impl Strategy<Value = Matrix> {
    fn values<T: Arbitrary + Clone>(n_rows: usize, dim: usize) -> impl Strategy<Value = Array2<T>> {
        prop::collection::vec(any::<T>(), n_rows * dim)
            .prop_map(move |values| Array2::from_shape_vec((n_rows, dim), values).unwrap())
    }
    (1_usize..=6, 1_usize..=6).prop_flat_map(|(n_rows, dim)| {
        prop_oneof![
            values::<f32>(n_rows, dim).prop_map(Matrix::F32),
            values::<f64>(n_rows, dim).prop_map(Matrix::F64),
        ]
    })
}

/// Every bit pattern, NaN and infinities included, in one row.
pub(crate) fn special() -> Matrix {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE / 8.0];
    Matrix::F32(Array2::from_shape_vec((1, values.len()), values.to_vec()).unwrap())
}

/// The bits of the values, for which NaN is equal to itself.
pub(crate) fn bits(matrix: &Matrix) -> Vec<u64> {
    match matrix {
        Matrix::F32(rows) => rows.iter().map(|value| u64::from(value.to_bits())).collect(),
        Matrix::F64(rows) => rows.iter().map(|value| value.to_bits()).collect(),
    }
}

/// One line, a format error, and with what its reader needs to know.
#[track_caller]
pub(crate) fn assert_says(error: &Error, name: &str, message: &str) {
    assert!(error.is_format(), "{name}: {error}");
    assert_one_line(error, name);
    assert!(error.to_string().contains(message), "{name}: {error}");
}

#[track_caller]
pub(crate) fn assert_one_line(error: &Error, name: &str) {
    let text = error.to_string();
    assert!(!text.contains(|c: char| c.is_control()), "{name}: {text:?}");
    assert!(text.len() < 600, "{name}: {text}");
}

/// Cuts a file at every length: all are format errors.
#[track_caller]
pub(crate) fn every_truncation_is_an_error(file: &[u8], parse: impl Fn(&[u8]) -> Result<Matrix>) {
    for n in 0..file.len() {
        let error = parse(&file[..n]).expect_err(&format!("{n} of {} bytes", file.len()));
        assert!(error.is_format(), "{n} of {} bytes: {error}", file.len());
        assert_one_line(&error, "truncated");
    }
}

/// Changes every byte of a file to every value: a matrix or a format error, never a panic.
#[track_caller]
pub(crate) fn every_flip_is_harmless(file: &[u8], parse: impl Fn(&[u8]) -> Result<Matrix>) {
    let mut bytes = file.to_vec();
    for position in 0..file.len() {
        for flip in 1..=255 {
            bytes[position] = file[position] ^ flip;
            match parse(&bytes) {
                Ok(matrix) => assert!(matrix.n_rows() > 0 && matrix.dim() > 0),
                Err(error) => {
                    assert!(error.is_format(), "byte {position} ^ {flip}: {error}");
                    assert_one_line(&error, "flipped");
                }
            }
        }
        bytes[position] = file[position];
    }
}
