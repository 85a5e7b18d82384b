use std::io::Cursor;

use ndarray::array;
use proptest::prelude::*;
use uhop_data::{Matrix, safetensors};

use crate::support::*;

/// Writes a file from the format's description, knowing nothing of the reader.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn tensor(dtype: &str, shape: &str, end: u64) -> String {
    format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#)
}

fn parse(bytes: &[u8]) -> uhop_data::Result<Matrix> {
    safetensors::parse(Cursor::new(bytes), None)
}

fn written(matrix: &Matrix) -> Vec<u8> {
    let mut bytes = Vec::new();
    safetensors::write_to(&mut bytes, matrix).unwrap();
    bytes
}

fn small() -> Matrix {
    Matrix::from(array![[1.0_f32, 2.0], [3.0, 4.0]])
}

proptest! {
    #[test]
    fn what_was_written_is_read(matrix in matrices()) {
        prop_assert_eq!(&parse(&written(&matrix)).unwrap(), &matrix);
    }

    #[test]
    fn arbitrary_headers_never_panic(header in "[{}\\[\\]\":, adtypeshFU3264_ofl0-9]{0,60}") {
        let _ = parse(&file(&header, &[0; 16]));
    }
}

#[test]
fn the_data_are_aligned() {
    for n in 1..20 {
        let bytes = written(&Matrix::F64(ndarray::Array2::zeros((n, n * n))));
        assert_eq!((bytes.len() - 8 * n.pow(3)) % 8, 0);
    }
}

#[test]
fn special_values_pass() {
    assert_eq!(bits(&parse(&written(&special())).unwrap()), bits(&special()));
}

#[test]
fn tensors_are_found_by_name() {
    let header = concat!(
        r#"{"__metadata__":{"a":"b"},"#,
        r#""x":{"dtype":"U8","shape":[2,1,2],"data_offsets":[0,4]},"#,
        r#""y":{"dtype":"F64","shape":[1],"data_offsets":[4,12]}}"#,
    );
    let bytes = file(header, &[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    let read = |name| safetensors::parse(Cursor::new(&bytes), Some(name));
    assert_eq!(read("x").unwrap(), small());
    assert_eq!(read("y").unwrap(), Matrix::from(array![[1.0_f64]]));
    assert_says(&read("z").unwrap_err(), "missing", r#"no tensor "z", found "x", "y""#);
    assert_says(&read("__metadata__").unwrap_err(), "metadata", "no tensor");
    assert_says(&parse(&bytes).unwrap_err(), "several", r#"found "x", "y"; name the one"#);
}

#[test]
fn every_truncation_of_a_small_file_is_a_format_error() {
    every_truncation_is_an_error(&written(&small()), parse);
}

#[test]
fn every_flip_of_a_small_file_is_harmless() {
    every_flip_is_harmless(&written(&small()), parse);
}

#[test]
fn rejected_files_say_why() {
    let overlap = concat!(
        r#"{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"#,
        r#""y":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#,
    );
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let mut long = (1_u64 << 25).to_le_bytes().to_vec();
    long.resize((1 << 25) + 8, b' ');
    let max = u64::MAX;
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", vec![], "found 0 bytes in all"),
        ("header of 2^64", vec![0xff; 8], "not a complete safetensors file"),
        ("header of 32 MiB", long, "header takes 33554432 bytes, expected at most 16777216"),
        ("no JSON", file("text", &[]), "header is damaged"),
        ("deep JSON", file(&deep, &[]), "header is damaged"),
        ("no tensors", file("{}", &[]), "has no tensors"),
        ("overlap", file(overlap, &[0; 6]), "header is damaged"),
        ("trailing", file(&tensor("U8", "[4]", 4), &[0; 5]), "declares 4 bytes of data, found 5"),
        ("cut", file(&tensor("U8", "[4]", 4), &[0; 3]), "declares 4 bytes of data, found 3"),
        ("2^60", file(&tensor("U8", "[1152921504606846976]", 1 << 60), &[0; 3]), "found 3"),
        ("2^64 - 1", file(&tensor("U8", "[18446744073709551615]", max), &[0; 3]), "is damaged"),
        ("overflow", file(&tensor("F64", "[18446744073709551615]", 8), &[0; 8]), "is damaged"),
        (
            "8 bits",
            file(&tensor("F8_E5M2", "[4]", 4), &[0; 4]),
            "\"a\": element type F8_E5M2, expected",
        ),
        ("unknown", file(&tensor("X9", "[4]", 8), &[0; 8]), "header is damaged"),
        ("rank 0", file(&tensor("F32", "[]", 4), &[0; 4]), "\"a\": the array has rank 0"),
        ("no rows", file(&tensor("F32", "[0,784]", 0), &[]), "shape [0, 784]: expected at least"),
    ];
    for (name, bytes, message) in cases {
        assert_says(&parse(bytes).unwrap_err(), name, message);
    }
}

#[test]
fn nothing_to_write_is_an_error() {
    let error = safetensors::write_to(vec![], &Matrix::F32(ndarray::Array2::zeros((0, 3))));
    assert!(error.unwrap_err().is_invalid_argument());
}

/// f32 where it holds every value of the type, or else f64.
#[test]
fn small_and_whole_numbers_are_read() {
    let read = |dtype: &str, bytes: &[u8]| {
        parse(&file(&tensor(dtype, "[2]", bytes.len() as u64), bytes)).unwrap()
    };
    let singles = array![[-1.0_f32, 2.0]];
    for (dtype, bytes) in [
        ("I8", &[0xff, 2][..]),
        ("I16", &[0xff, 0xff, 2, 0]),
        ("F16", &[0x00, 0xbc, 0x00, 0x40]),
        ("BF16", &[0x80, 0xbf, 0x00, 0x40]),
    ] {
        assert_eq!(read(dtype, bytes), singles.clone().into(), "{dtype}");
    }
    assert_eq!(read("BOOL", &[1, 0]), array![[1.0_f32, 0.0]].into());
    assert_eq!(read("U16", &[0xff, 0xff, 2, 0]), array![[65535.0_f32, 2.0]].into());
    let doubles = array![[-1.0_f64, 2.0]];
    assert_eq!(read("I32", &[0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0]), doubles.clone().into());
    let mut bytes = [0xff; 16];
    bytes[8..].copy_from_slice(&2_u64.to_le_bytes());
    assert_eq!(read("I64", &bytes), doubles.into());
    let largest = 18_446_744_073_709_551_616.0;
    assert_eq!(read("U64", &bytes), array![[largest, 2.0]].into());
    assert_eq!(read("U32", &bytes[4..12]), array![[4_294_967_295.0, 2.0]].into());
}

/// A file is recognised whatever its tensors are, and no piece of it is.
#[test]
fn a_whole_file_is_told_from_a_damaged_one() {
    let bytes = written(&small());
    assert!(safetensors::check(Cursor::new(&bytes)).is_ok());
    let without_tensors = file(r#"{"__metadata__":{"a":"b"}}"#, &[]);
    assert!(safetensors::check(Cursor::new(&without_tensors)).is_ok());
    for n in 0..bytes.len() {
        assert!(safetensors::check(Cursor::new(&bytes[..n])).unwrap_err().is_format(), "{n}");
    }
}
