use ndarray::{Array2, array};
use proptest::prelude::*;
use uhop_data::{Matrix, csv};

use crate::support::*;

fn parse(text: &str) -> uhop_data::Result<Matrix> {
    csv::parse(text.as_bytes())
}

fn written(matrix: &Matrix) -> Vec<u8> {
    let mut bytes = Vec::new();
    csv::write_to(&mut bytes, matrix).unwrap();
    bytes
}

proptest! {
    #[test]
    fn what_was_written_is_read(matrix in matrices()) {
        let read = csv::parse(&written(&matrix)[..]).unwrap();
        match matrix {
            Matrix::F32(rows) => prop_assert_eq!(read.into_f32(), rows),
            Matrix::F64(rows) => prop_assert_eq!(read, Matrix::F64(rows)),
        }
    }

    /// Any bits of a number survive.
    #[test]
    fn every_finite_number_survives(single: u32, double: u64) {
        let (single, double) = (f32::from_bits(single), f64::from_bits(double));
        let read = csv::parse(&written(&array![[single]].into())[..]).unwrap().into_f32()[[0, 0]];
        prop_assert!(read.to_bits() == single.to_bits() || (read.is_nan() && single.is_nan()));
        let read = csv::parse(&written(&array![[double]].into())[..]).unwrap().into_f64()[[0, 0]];
        prop_assert!(read.to_bits() == double.to_bits() || (read.is_nan() && double.is_nan()));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[0-9.,\"\r\n e+-]{0,60}", bytes: Vec<u8>) {
        let _ = parse(&text);
        let _ = csv::parse(&bytes[..]);
    }
}

#[test]
fn tables_come_in_many_spellings() {
    let expected = Matrix::from(array![[1.0, 2.0], [3.0, -0.5]]);
    for text in [
        "1,2\n3,-0.5\n",
        "1,2\n3,-0.5",
        "1,2\r\n3,-.5\r\n",
        "\n1 , 2\n\n3,\t-5e-1\n\n",
        "x,y\n1,2\n3,-0.5\n",
        "\"first, of three\",\"second\"\n1,2\n3,-0.5\n",
        "\u{feff}1,2\n3,-0.5\n",
        "\"1\",\"2\"\n\"3\",\"-0.5\"\n",
    ] {
        assert_eq!(parse(text).unwrap(), expected, "{text:?}");
    }
    let special = parse("NaN,inf,-inf\n").unwrap().into_f64();
    assert!(special[[0, 0]].is_nan());
    assert_eq!(special.as_slice().unwrap()[1..], [f64::INFINITY, f64::NEG_INFINITY]);
}

#[test]
fn rejected_files_say_why() {
    let long = format!("1\n{}", "x".repeat(10_000));
    let cases: &[(&str, &str, &str)] = &[
        ("empty", "", "no numbers: expected at least one line"),
        ("empty lines", "\n\n", "no numbers"),
        ("header only", "x,y\n", "no numbers"),
        ("text", "1,2\n3,four\n", "line 2, column 2: expected a number, found \"four\""),
        ("missing", "1,2\n3,\n", "line 2, column 2: expected a number, found \"\""),
        ("mixed header", "id,1,2\n7,3,4\n", "line 1, column 1: expected a number, found \"id\""),
        ("second header", "x\ny\n1\n", "line 2, column 1: expected a number, found \"y\""),
        ("after empty lines", "1\n\n\nx\n", "line 4, column 1"),
        ("longer", "1,2\n3,4,5\n", "line 2: expected 2 numbers as in the first row, found 3"),
        ("shorter", "a,b\n1,2\n3\n", "line 3: expected 2 numbers as in the first row, found 1"),
        ("semicolons", "1;2\n3;4\n5;6\n", "line 2, column 1: expected a number, found \"3;4\""),
        ("control", "1\n\u{7}\u{1b}[2J\n", "found \"\\u{7}\\u{1b}[2J\""),
        ("open quote", "1\n\"2\n3\n", "line 2, column 1"),
        ("long field", &long, "\"...; expected one row"),
    ];
    for (name, text, message) in cases {
        assert_says(&parse(text).unwrap_err(), name, message);
    }
    let latin1 = csv::parse(&b"1\n\xe9\n"[..]).unwrap_err();
    assert_says(&latin1, "not UTF-8", "line 2, column 1: expected a number");
}

#[test]
fn every_flip_of_a_small_file_is_harmless() {
    every_flip_is_harmless(b"x,y\r\n1,2\r\n3,-0.5\r\n", |bytes| csv::parse(bytes));
}

/// Without its end a table is a shorter one or damaged.
#[test]
fn every_truncation_of_a_small_file_is_harmless() {
    let file = b"x,y\r\n1,2\r\n\"3\",-0.5e7\r\n";
    for n in 0..file.len() {
        match csv::parse(&file[..n]) {
            Ok(matrix) => assert!(matrix.n_rows() > 0 && matrix.dim() > 0, "{n} bytes"),
            Err(error) => {
                assert!(error.is_format(), "{n} bytes: {error}");
                assert_one_line(&error, "truncated");
            }
        }
    }
}

#[test]
fn single_precision_is_written_in_its_own_digits() {
    let text = written(&array![[0.1_f32, 1e30, -0.0]].into());
    assert_eq!(String::from_utf8(text).unwrap(), "0.1,1e30,-0.0\n");
}

#[test]
fn nothing_to_write_is_an_error() {
    let error = csv::write_to(vec![], &Matrix::F32(Array2::zeros((3, 0)))).unwrap_err();
    assert!(error.is_invalid_argument());
}

#[test]
fn errors_of_files_name_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    std::fs::write(&path, "1,2\n3").unwrap();
    let error = csv::read(&path).unwrap_err();
    assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    assert!(csv::read(directory.path().join("b.csv")).unwrap_err().is_io());
}
