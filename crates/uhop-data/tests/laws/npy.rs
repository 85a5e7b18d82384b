use std::io::{self, Cursor, Read, Write};

use ndarray::{Array2, array, s};
use proptest::prelude::*;
use uhop_data::{Element, Matrix, npy};

use crate::support::*;

/// Writes an `.npy` file from the format's description, knowing nothing of the reader.
fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes()),
        _ => bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn dictionary(descr: &str, fortran: bool, shape: &str) -> String {
    let order = if fortran { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}   \n")
}

fn bytes_of(matrix: &Matrix) -> Vec<u8> {
    let mut bytes = Vec::new();
    npy::write_to(&mut bytes, matrix).unwrap();
    bytes
}

/// Two rows of three values.
fn small() -> Vec<u8> {
    bytes_of(&Matrix::from(array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]))
}

proptest! {
    #[test]
    fn what_was_written_is_read(matrix in matrices()) {
        let bytes = bytes_of(&matrix);
        prop_assert_eq!(&npy::parse(&bytes[..]).unwrap(), &matrix);
        prop_assert_eq!(&npy::parse(OneByteAtATime(&bytes)).unwrap(), &matrix);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.npy");
        std::fs::write(&path, bytes).unwrap();
        prop_assert_eq!(&npy::read(&path).unwrap(), &matrix);
    }

    #[test]
    fn every_variant_of_the_format_is_read(
        matrix in matrices(), version in 1_u8..=3, big: bool, fortran: bool,
    ) {
        let (n_rows, dim) = (matrix.n_rows(), matrix.dim());
        let order: Vec<(usize, usize)> = if fortran {
            (0..dim).flat_map(|j| (0..n_rows).map(move |i| (i, j))).collect()
        } else {
            (0..n_rows).flat_map(|i| (0..dim).map(move |j| (i, j))).collect()
        };
        let mut data = Vec::new();
        for at in order {
            match &matrix {
                Matrix::F32(rows) if big => data.extend(rows[at].to_be_bytes()),
                Matrix::F32(rows) => data.extend(rows[at].to_le_bytes()),
                Matrix::F64(rows) if big => data.extend(rows[at].to_be_bytes()),
                Matrix::F64(rows) => data.extend(rows[at].to_le_bytes()),
            }
        }
        let size = if matrix.element() == Element::F32 { 4 } else { 8 };
        let descr = format!("{}f{size}", if big { '>' } else { '<' });
        let header = dictionary(&descr, fortran, &format!("({n_rows}, {dim})"));
        prop_assert_eq!(npy::parse(&file(version, &header, &data)[..]).unwrap(), matrix);
    }

    #[test]
    fn batches_are_the_rows_in_order(matrix in matrices(), max_rows in 0_usize..8) {
        let bytes = bytes_of(&matrix);
        let mut reader = npy::RowReader::new(&bytes[..]).unwrap();
        prop_assert_eq!(reader.element(), matrix.element());
        let mut writer =
            npy::RowWriter::growing(Cursor::new(vec![9; 3]), matrix.element(), matrix.dim());
        let mut known =
            npy::RowWriter::new(vec![], matrix.element(), matrix.n_rows(), matrix.dim()).unwrap();
        let writer = writer.as_mut().unwrap();
        while let Some(batch) = reader.next_batch(max_rows).unwrap() {
            prop_assert!(batch.n_rows() <= max_rows.max(1));
            writer.write(&batch).unwrap();
            known.write(&batch).unwrap();
        }
        prop_assert!(reader.next_batch(1).unwrap().is_none());
        prop_assert_eq!(known.finish().unwrap(), bytes);
    }

    #[test]
    fn a_growing_file_is_the_same_as_a_known_one(matrix in matrices()) {
        let mut cursor = Cursor::new(Vec::new());
        cursor.write_all(b"before").unwrap();
        let mut writer =
            npy::RowWriter::growing(cursor, matrix.element(), matrix.dim()).unwrap();
        writer.write(&matrix).unwrap();
        let cursor = writer.finish().unwrap();
        prop_assert_eq!(cursor.position() as usize, cursor.get_ref().len());
        prop_assert_eq!(&cursor.get_ref()[6..], &bytes_of(&matrix)[..]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = npy::parse(&bytes[..]);
        let _ = npy::parse(&[b"\x93NUMPY\x01\x00\x30\x00", &bytes[..]].concat()[..]);
    }

    #[test]
    fn arbitrary_headers_never_panic(header in "[{}()':, descr_fortn_oshapTueFl<f48|1L0-9\\\\\"]{0,80}") {
        let _ = npy::parse(&file(1, &header, &[0; 64])[..]);
    }
}

#[test]
fn special_values_pass() {
    let read = npy::parse(&bytes_of(&special())[..]).unwrap();
    assert_eq!(bits(&read), bits(&special()));
}

#[test]
fn shapes_are_flattened_to_rows() {
    let parse = |shape: &str, fortran| {
        let data: Vec<u8> = (0..12).collect();
        npy::parse(&file(1, &dictionary("|u1", fortran, shape), &data)[..]).unwrap().into_f32()
    };
    let counted = Array2::from_shape_fn((2, 6), |(i, j)| (6 * i + j) as f32);
    assert_eq!(parse("(2, 3, 2)", false), counted);
    assert_eq!(parse("(2, 6)", false), counted);
    assert_eq!(parse("(2L, 6L,)", false), counted);
    assert_eq!(parse("(12,)", false).dim(), (1, 12));
    assert_eq!(parse("(12,)", true).dim(), (1, 12));
    assert_eq!(parse("(12, 1)", true).dim(), (12, 1));
    // In Fortran order, entry [i, j, k] of shape [2, 3, 2] is value i + 2 j + 6 k.
    assert_eq!(
        parse("(2, 3, 2)", true),
        array![[0.0, 6.0, 2.0, 8.0, 4.0, 10.0], [1.0, 7.0, 3.0, 9.0, 5.0, 11.0]]
    );
}

#[test]
fn headers_may_be_spelled_in_any_order() {
    let header = r#"{"shape":(1,2),"fortran_order":False,"descr":"|u1"}"#;
    assert_eq!(npy::parse(&file(3, header, &[3, 4])[..]).unwrap().into_f32(), array![[3.0, 4.0]]);
}

#[test]
fn every_truncation_of_a_small_file_is_a_format_error() {
    every_truncation_is_an_error(&small(), |bytes| npy::parse(bytes));
    every_truncation_is_an_error(&small(), last_batch);
}

#[test]
fn every_flip_of_a_small_file_is_harmless() {
    every_flip_is_harmless(&small(), |bytes| npy::parse(bytes));
    every_flip_is_harmless(&small(), last_batch);
}

fn last_batch(bytes: &[u8]) -> uhop_data::Result<Matrix> {
    let mut reader = npy::RowReader::new(bytes)?;
    let mut last = None;
    while let Some(batch) = reader.next_batch(1)? {
        last = Some(batch);
    }
    Ok(last.unwrap())
}

/// Each rejected file with the part of the message that tells its reader what is wrong, from a
/// stream and from a file.
#[test]
fn rejected_files_say_why() {
    let floats = |shape: &str| file(1, &dictionary("<f4", false, shape), &[0; 8]);
    let header = |text: &str| file(1, text, &[0; 8]);
    let mut trailing = small();
    trailing.push(0);
    let mut huge_header = b"\x93NUMPY\x02\x00".to_vec();
    huge_header.extend(4_000_000_000_u32.to_le_bytes());
    let rank65 = format!("({})", "1, ".repeat(65));
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", vec![], "not an npy file: it starts with the bytes [], expected [93, 4e"),
        ("other format", b"PK\x03\x04".to_vec(), "bytes [50, 4b, 03, 04], expected"),
        ("version 4", file(4, "", &[]), "version 4.0, expected 1.0, 2.0 or 3.0"),
        (
            "no length",
            b"\x93NUMPY\x01\x00".to_vec(),
            "header ends early: expected 10 bytes, found 8",
        ),
        ("header of 4 GB", huge_header, "declares its own length as 4000000000 bytes"),
        ("no dictionary", header("[1]"), "expected '{' at its byte 0"),
        ("open dictionary", header("{'descr': '<f4', "), "header is damaged"),
        (
            "text after it",
            header(&(dictionary("<f4", false, "(2,)") + "x")),
            "spaces up to the end",
        ),
        ("no shape", header("{'descr': '<f4', 'fortran_order': False}"), "one each of"),
        (
            "two shapes",
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (1,)}"),
            "one each of",
        ),
        ("negative", floats("(-1, 2)"), "a size below 2^64"),
        ("2^64", floats("(18446744073709551616, 2)"), "a size below 2^64"),
        ("no tuple", floats("(2)"), "header is damaged: expected ','"),
        ("f128", header(&dictionary("<f16", false, "(2, 2)")), "type \"<f16\", expected floats of"),
        (
            "complex",
            header(&dictionary("<c8", false, "(2, 2)")),
            "type \"<c8\", expected floats of",
        ),
        ("order of a byte", header(&dictionary("<i1", false, "(2, 2)")), "type \"<i1\", expected"),
        ("no order of two", header(&dictionary("|i2", false, "(2, 2)")), "type \"|i2\", expected"),
        ("no type", header(&dictionary("", false, "(2, 2)")), "type \"\", expected"),
        ("not of one byte", header(&dictionary("\u{fc}4", false, "(2, 2)")), "element type"),
        ("text", header(&dictionary("<U\\n", false, "(2, 2)")), "header is damaged"),
        ("object", header(&dictionary("|O", false, "(2, 2)")), "save an array of these"),
        (
            "structured",
            header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }"),
            "element type with several fields",
        ),
        ("rank 0", floats("()"), "rank 0, expected 1"),
        ("rank 65", floats(&rank65), "rank 65, expected 1"),
        ("no rows", floats("(0, 784)"), "shape [0, 784]: expected at least one row"),
        ("no columns", floats("(784, 0)"), "shape [784, 0]: expected at least one row"),
        ("2^60 rows", floats("(1152921504606846976, 1)"), "more than this machine can address"),
        ("2^50 rows", floats("(1125899906842624, 2)"), "take 9007199254740992 bytes, found 8"),
        ("2^50 columns", floats("(2, 1125899906842624)"), "take 9007199254740992 bytes, found 8"),
        ("overflow", floats("(4294967296, 4294967296, 16)"), "more than this machine can address"),
        ("cut data", small()[..small().len() - 1].to_vec(), "[2, 3] take 24 bytes, found 23"),
        ("trailing", trailing, "bytes follow the npy data: f32 of shape [2, 3] take 24 bytes"),
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queries.npy");
    for (name, bytes, message) in cases {
        assert_says(&npy::parse(&bytes[..]).unwrap_err(), name, message);
        std::fs::write(&path, bytes).unwrap();
        for error in [npy::read(&path).unwrap_err(), npy::RowReader::open(&path).unwrap_err()] {
            assert_says(&error, name, message);
            assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        }
    }
}

#[test]
fn fortran_order_is_not_read_in_batches() {
    let bytes = file(1, &dictionary("|u1", true, "(2, 2)"), &[1, 2, 3, 4]);
    let error = npy::RowReader::new(&bytes[..]).unwrap_err();
    assert_says(&error, "fortran", "u8 of shape [2, 2], are in Fortran order");
    // Where the orders agree there is nothing to refuse.
    let bytes = file(1, &dictionary("|u1", true, "(4, 1)"), &[1, 2, 3, 4]);
    assert_eq!(npy::RowReader::new(&bytes[..]).unwrap().n_rows(), 4);
}

/// The header asks for 2^50 bytes, the stream has ten rows: those are delivered, then the error.
#[test]
fn batches_arrive_before_a_stream_ends_early() {
    let header = dictionary("<f4", false, "(1125899906842624, 1)");
    let bytes = file(1, &header, &[0; 40]);
    let mut reader = npy::RowReader::new(&bytes[..]).unwrap();
    assert_eq!(reader.next_batch(8).unwrap().unwrap().n_rows(), 8);
    let error = reader.next_batch(8).unwrap_err();
    assert_says(&error, "stream", "take 4503599627370496 bytes, found 40");
    assert!(reader.next_batch(8).unwrap().is_none());
}

/// The last batch is not delivered when something follows it.
#[test]
fn bytes_after_the_last_batch_are_an_error() {
    let bytes = [small(), vec![0]].concat();
    let mut reader = npy::RowReader::new(&bytes[..]).unwrap();
    assert!(reader.next_batch(1).unwrap().is_some());
    assert_says(&reader.next_batch(1).unwrap_err(), "trailing", "bytes follow the npy data");
}

#[test]
fn rows_in_any_memory_order_are_written_in_row_order() {
    let rows = array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let columns = rows.t().to_owned();
    let transposed = Matrix::F32(columns.reversed_axes());
    assert_eq!(bytes_of(&transposed), bytes_of(&Matrix::F32(rows)));
}

/// Larger than one block of the writer and of the reader.
#[test]
fn large_matrices_survive() {
    let rows = Array2::from_shape_fn((301, 257), |(i, j)| (i * 1000 + j) as f64);
    let matrix = Matrix::F64(rows.clone());
    let bytes = bytes_of(&matrix);
    assert_eq!(npy::parse(&bytes[..]).unwrap(), matrix);
    let mut reader = npy::RowReader::new(&bytes[..]).unwrap();
    let first = reader.next_batch(200).unwrap().unwrap();
    assert_eq!(first, Matrix::F64(rows.slice(s![..200, ..]).to_owned()));
}

#[test]
fn writers_refuse_what_cannot_be_read_back() {
    let one = Matrix::from(array![[1.0_f32, 2.0]]);
    let mut errors = vec![
        npy::write_to(vec![], &Matrix::F64(Array2::zeros((0, 2)))).unwrap_err(),
        npy::write_to(vec![], &Matrix::F64(Array2::zeros((2, 0)))).unwrap_err(),
        npy::RowWriter::new(vec![], Element::F32, 0, 1).unwrap_err(),
        npy::RowWriter::new(vec![], Element::F32, 1, 0).unwrap_err(),
        npy::RowWriter::growing(Cursor::new(vec![]), Element::F32, 0).unwrap_err(),
    ];
    let growing = npy::RowWriter::growing(Cursor::new(vec![]), Element::F32, 1).unwrap();
    errors.push(growing.finish().unwrap_err());
    let mut known = npy::RowWriter::new(vec![], Element::F32, 2, 2).unwrap();
    errors.push(known.write(&Matrix::from(array![[1.0_f64, 2.0]])).unwrap_err());
    errors.push(known.write(&Matrix::from(array![[1.0_f32]])).unwrap_err());
    known.write(&one).unwrap();
    let three = Matrix::F32(Array2::zeros((3, 2)));
    errors.push(known.write(&three).unwrap_err());
    errors.push(known.finish().unwrap_err());
    for error in errors {
        assert!(error.is_invalid_argument(), "{error}");
        assert_one_line(&error, "writer");
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

#[test]
fn failing_readers_and_writers_are_io_errors() {
    for n in 0..small().len() {
        let error = npy::parse(small()[..n].chain(Failing)).unwrap_err();
        assert!(error.is_io(), "after {n} bytes: {error}");
        assert!(error.to_string().contains("cannot read: the disk is on fire"), "{error}");
    }
    let error = npy::write_to(Failing, &special()).unwrap_err();
    assert!(error.is_io());
    assert!(error.to_string().contains("cannot write: the disk is on fire"), "{error}");
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the disk is on fire"))
    }
}

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is on fire"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Short reads are allowed to every reader.
struct OneByteAtATime<'a>(&'a [u8]);

impl Read for OneByteAtATime<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(1);
        self.0.read(&mut buffer[..n])
    }
}
