use std::error::Error as _;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use uhop_data::idx::{self, Values};
use uhop_data::image_folder::{Colour, Shape};
use uhop_data::{Matrix, Result};

use crate::support::*;

/// Writes an IDX file from the format's description, knowing nothing of the reader.
fn write(sizes: &[u32], values: &Values) -> Vec<u8> {
    fn bytes<const N: usize, T: Copy>(values: &[T], encode: fn(T) -> [u8; N]) -> Vec<u8> {
        values.iter().flat_map(|&value| encode(value)).collect()
    }
    let (code, data) = match values {
        Values::U8(values) => (0x08, bytes(values, u8::to_be_bytes)),
        Values::I8(values) => (0x09, bytes(values, i8::to_be_bytes)),
        Values::I16(values) => (0x0b, bytes(values, i16::to_be_bytes)),
        Values::I32(values) => (0x0c, bytes(values, i32::to_be_bytes)),
        Values::F32(values) => (0x0d, bytes(values, f32::to_be_bytes)),
        Values::F64(values) => (0x0e, bytes(values, f64::to_be_bytes)),
    };
    let mut file = vec![0, 0, code, u8::try_from(sizes.len()).unwrap()];
    file.extend(bytes(sizes, u32::to_be_bytes));
    file.extend(data);
    file
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two images of 3 x 4 pixels.
fn small_file() -> Vec<u8> {
    write(&[2, 3, 4], &Values::U8((0..24).collect()))
}

fn header(code: u8, sizes: &[u32]) -> Vec<u8> {
    let mut file = write(sizes, &Values::U8(Vec::new()));
    file[2] = code;
    file
}

fn shapes() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(1_u32..=5, 1..=4)
}

fn files() -> impl Strategy<Value = (Vec<u32>, Values)> {
    fn values<T: Arbitrary + Clone>(n: usize) -> impl Strategy<Value = Vec<T>> {
        prop::collection::vec(any::<T>(), n)
    }
    shapes().prop_flat_map(|sizes| {
        let n = sizes.iter().product::<u32>() as usize;
        // The default strategies of f32 and f64 leave out NaN, which is not equal to itself.
        let values = prop_oneof![
            values(n).prop_map(Values::U8),
            values(n).prop_map(Values::I8),
            values(n).prop_map(Values::I16),
            values(n).prop_map(Values::I32),
            values(n).prop_map(Values::F32),
            values(n).prop_map(Values::F64),
        ];
        (Just(sizes), values)
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read((sizes, values) in files()) {
        let bytes = write(&sizes, &values);
        let shape: Vec<usize> = sizes.iter().map(|&size| size as usize).collect();
        let plain = idx::parse(&bytes[..]).unwrap();
        prop_assert_eq!(plain.shape(), &shape[..]);
        prop_assert_eq!(plain.values(), &values);
        prop_assert_eq!(&idx::parse(&gzip(&bytes)[..]).unwrap(), &plain);
        prop_assert_eq!(&idx::parse(OneByteAtATime(&bytes)).unwrap(), &plain);
    }

    #[test]
    fn every_truncation_is_a_format_error((sizes, values) in files()) {
        let bytes = write(&sizes, &values);
        // Short of trying each length of each file: the ends of the header and a spread of the data.
        for n in (0..bytes.len()).step_by(7).chain(0..bytes.len().min(20)) {
            prop_assert!(idx::parse(&bytes[..n]).unwrap_err().is_format());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = idx::parse(&bytes[..]);
        let _ = idx::parse(&[&[0x1f, 0x8b, 8, 0], &bytes[..]].concat()[..]);
        let _ = idx::parse(&gzip(&bytes)[..]);
    }

    #[test]
    fn patterns_keep_the_order_of_the_values(sizes in prop::collection::vec(1_u32..=4, 2..=4)) {
        let n = sizes.iter().product::<u32>() as i16;
        let bytes = write(&sizes, &Values::I16((0..n).collect()));
        let patterns = idx::parse(&bytes[..]).unwrap().into_patterns().unwrap();
        prop_assert_eq!(patterns.nrows(), sizes[0] as usize);
        prop_assert!(patterns.iter().copied().eq((0..n).map(f32::from)));
    }
}

fn written(matrix: &Matrix, images: Option<Shape>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    idx::write_to(&mut bytes, matrix, images)?;
    Ok(bytes)
}

fn grey(width: u32, height: u32) -> Shape {
    Shape { width, height, colour: Colour::Grey }
}

proptest! {
    #[test]
    fn written_rows_are_read(matrix in matrices()) {
        let bytes = written(&matrix, None).unwrap();
        let idx = idx::parse(&bytes[..]).unwrap();
        prop_assert_eq!(idx.shape(), [matrix.n_rows(), matrix.dim()]);
        prop_assert_eq!(idx.image_shape(), None);
        prop_assert_eq!(idx.into_matrix().unwrap(), matrix);
    }

    /// Both precisions hold n / 255 closely enough to give n again.
    #[test]
    fn images_are_written_byte_for_byte(
        (width, height, n) in (1_u32..=5, 1_u32..=5, 1_u32..=4), double: bool, seed: u8,
    ) {
        let n_bytes = width * height * n;
        let pixels: Vec<u8> = (0..n_bytes).map(|i| seed.wrapping_add((41 * i) as u8)).collect();
        let file = write(&[n, height, width], &Values::U8(pixels));
        let idx = idx::parse(&file[..]).unwrap();
        let shape = idx.image_shape();
        prop_assert_eq!(shape, Some(grey(width, height)));
        let matrix = idx.into_matrix().unwrap();
        let matrix = if double { Matrix::F64(matrix.into_f64()) } else { matrix };
        prop_assert_eq!(written(&matrix, shape).unwrap(), file);
    }
}

#[test]
fn written_pixels_are_limited_and_rounded() {
    let row = ndarray::array![[-1.0, 0.4999 / 255.0, 0.5001 / 255.0, 1.0, 2.0]];
    let file = written(&row.into(), Some(grey(5, 1))).unwrap();
    assert_eq!(file[16..], [0, 0, 1, 255, 255]);
}

#[test]
fn special_values_are_written_as_they_are() {
    let file = written(&special(), None).unwrap();
    assert_eq!(bits(&idx::parse(&file[..]).unwrap().into_matrix().unwrap()), bits(&special()));
}

#[test]
fn names_that_end_in_gz_are_compressed() {
    let directory = tempfile::tempdir().unwrap();
    let matrix = Matrix::F32(ndarray::Array2::zeros((100, 100)));
    for (name, is_packed) in [("a.idx", false), ("a.idx.gz", true), ("a-ubyte.GZ", true)] {
        let path = directory.path().join(name);
        idx::write(&path, &matrix, None).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), is_packed, "{name}");
        assert_eq!(bytes.len() < 1000, is_packed, "{name}");
        assert_eq!(idx::read(&path).unwrap().into_matrix().unwrap(), matrix, "{name}");
    }
}

#[test]
fn what_idx_cannot_hold_is_refused_and_the_old_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.idx");
    std::fs::write(&path, "old").unwrap();
    let rows = Matrix::from(ndarray::array![[0.0, 0.5, 1.0]]);
    let rgb = Shape { colour: Colour::Rgb, ..grey(1, 1) };
    let nan = Matrix::from(ndarray::array![[f32::NAN]]);
    let bytes = Matrix::from(ndarray::array![[0.0, 235.0, 40.0]]);
    let cases = [
        (&bytes, Some(grey(3, 1)), "found 235 in row 0 at position 1, the largest"),
        (&rows, Some(rgb), "expected grey images, found RGB"),
        (&rows, Some(grey(2, 1)), "rows of 2 values, 2 x 1 pixels of 1, found rows of 3"),
        (&nan, Some(grey(1, 1)), "row 0 has NaN at position 0"),
        (&Matrix::F32(ndarray::Array2::zeros((0, 3))), None, "nothing to write"),
    ];
    for (matrix, images, message) in cases {
        let error = idx::write(&path, matrix, images).unwrap_err();
        assert!(error.is_invalid_argument(), "{error}");
        assert_one_line(&error, message);
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }
}

#[test]
fn every_truncation_of_a_small_file_is_a_format_error() {
    let plain = small_file();
    for file in [gzip(&plain), plain] {
        for n in 0..file.len() {
            let error = idx::parse(&file[..n]).unwrap_err();
            assert!(error.is_format(), "{n} of {} bytes: {error}", file.len());
        }
    }
}

/// A changed byte of a plain file changes the result or is an error; in gzip the checksum guards the
/// content, so the only changes without effect are those of unused header fields.
#[test]
fn every_flip_of_a_small_file_is_harmless() {
    let plain = small_file();
    let packed = gzip(&plain);
    let original = idx::parse(&plain[..]).unwrap();
    for position in 0..plain.len() {
        for flip in 1..=255 {
            let mut bytes = plain.clone();
            bytes[position] ^= flip;
            match idx::parse(&bytes[..]) {
                Ok(read) => assert_ne!(read, original, "byte {position} ^ {flip}"),
                Err(error) => assert!(error.is_format(), "byte {position} ^ {flip}: {error}"),
            }
        }
    }
    for position in 0..packed.len() {
        for flip in 1..=255 {
            let mut bytes = packed.clone();
            bytes[position] ^= flip;
            match idx::parse(&bytes[..]) {
                Ok(read) => assert_eq!(read, original, "byte {position} ^ {flip}"),
                Err(error) => assert!(error.is_format(), "byte {position} ^ {flip}: {error}"),
            }
        }
    }
}

/// Each rejected file with the part of the message that tells its reader what is wrong.
#[test]
fn rejected_files_say_why() {
    let mut trailing = small_file();
    trailing.push(0);
    let mut damaged = gzip(&small_file());
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let followed = [gzip(&small_file()), b"more".to_vec()].concat();
    let huge = u32::MAX;

    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", vec![], "header ends early: expected 4 bytes, found 0"),
        ("one byte", vec![0], "header ends early: expected 4 bytes, found 1"),
        (
            "other format",
            b"\x89PNG\r\n".to_vec(),
            "not an IDX file: it starts with the bytes [89, ",
        ),
        ("unknown type", header(0x0a, &[1]), "unknown IDX element type 0x0a"),
        ("rank 0", vec![0, 0, 8, 0, 1], "rank 0, expected 1 to 4"),
        ("rank 5", header(8, &[1; 5]), "rank 5, expected 1 to 4"),
        ("short header", vec![0, 0, 8, 3, 0, 0, 0, 1], "expected 16 bytes, found 8"),
        ("no images", header(8, &[0, 28, 28]), "shape [0, 28, 28]: expected every size"),
        ("no columns", header(8, &[2, 28, 0]), "shape [2, 28, 0]: expected every size"),
        ("overflow", header(8, &[huge; 4]), "more than this machine can address"),
        ("overflow in bytes", header(0x0e, &[1 << 31, 1 << 30]), "more than this machine"),
        ("2^60 values", header(8, &[1 << 30, 1 << 30]), "take 1152921504606846976 bytes, found 0"),
        ("cut data", small_file()[..30].to_vec(), "take 24 bytes, found 14"),
        ("trailing", trailing.clone(), "u8 of shape [2, 3, 4] take 24 bytes, found more"),
        ("trailing in gzip", gzip(&trailing), "take 24 bytes, found more"),
        ("2^60 in gzip", gzip(&header(8, &[1 << 30, 1 << 30])), "bytes, found 0"),
        ("checksum", damaged, "gzip stream is damaged"),
        ("after gzip", followed, "gzip stream is damaged"),
        ("gzip of nothing", gzip(&[]), "header ends early: expected 4 bytes, found 0"),
    ];
    for (name, bytes, message) in cases {
        let error = idx::parse(&bytes[..]).unwrap_err();
        assert!(error.is_format(), "{name}: {error}");
        assert!(error.to_string().contains(message), "{name}: {error}");
        assert!(!error.to_string().contains(['\n', '\t']), "{name}: {error}");
    }
}

#[test]
fn conversions_name_the_expected_and_the_found_shape() {
    let parse = |sizes: &[u32], values| idx::parse(&write(sizes, &values)[..]).unwrap();
    let labels = || parse(&[3], Values::U8(vec![1, 2, 3]));
    let images = || parse(&[1, 1, 3], Values::U8(vec![0, 51, 255]));
    let floats = || parse(&[1, 1, 3], Values::F32(vec![0.0, 0.2, 1.0]));

    assert_eq!(labels().into_labels().unwrap(), [1, 2, 3]);
    let converted = images().into_images().unwrap();
    assert_eq!(converted.patterns(), ndarray::array![[0.0, 0.2, 1.0]]);
    assert_eq!(floats().into_patterns().unwrap(), converted.into_patterns());

    let messages = [
        (labels().into_images().unwrap_err(), "[n_patterns, height, width], found u8 of shape [3]"),
        (floats().into_images().unwrap_err(), "found f32 of shape [1, 1, 3]"),
        (images().into_labels().unwrap_err(), "[n_patterns], found u8 of shape [1, 1, 3]"),
        (labels().into_patterns().unwrap_err(), "rank 2 to 4, found u8 of shape [3]"),
    ];
    for (error, message) in messages {
        assert!(error.is_format());
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn patterns_must_be_finite() {
    let cases = [
        Values::F32(vec![0.0, 0.0, 0.0, f32::NAN]),
        Values::F32(vec![0.0, 0.0, 0.0, f32::INFINITY]),
        Values::F64(vec![0.0, 0.0, 0.0, f64::NAN]),
        Values::F64(vec![0.0, 0.0, 0.0, 1e300]),
    ];
    for values in cases {
        let idx = idx::parse(&write(&[2, 2], &values)[..]).unwrap();
        let error = idx.into_patterns().unwrap_err();
        assert!(error.is_format());
        assert!(error.to_string().contains("pattern 1 has a value at position 1"), "{error}");
    }
}

#[test]
fn gzip_is_recognised_by_its_bytes_and_may_have_several_members() {
    let file = small_file();
    let (start, end) = file.split_at(20);
    let members = [gzip(start), gzip(&[]), gzip(end)].concat();
    assert_eq!(idx::parse(&members[..]).unwrap(), idx::parse(&file[..]).unwrap());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("images.idx");
    std::fs::write(&path, gzip(&file)).unwrap();
    assert_eq!(idx::read(&path).unwrap(), idx::parse(&file[..]).unwrap());
}

/// 64 MiB of zeros behind a header that declares one byte.
#[test]
fn gzip_is_not_decompressed_beyond_what_the_header_declares() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&header(8, &[1])).unwrap();
    io::copy(&mut io::repeat(0).take(1 << 26), &mut encoder).unwrap();
    let packed = encoder.finish().unwrap();
    let mut counted = Counted { reader: &packed[..], n_read: 0 };
    let error = idx::parse(&mut counted).unwrap_err();
    assert!(error.to_string().contains("take 1 bytes, found more"), "{error}");
    // The decoder takes its input by buffers of 32 KiB; one or two are enough for two bytes.
    assert!(packed.len() > 4 << 15);
    assert!(counted.n_read <= 2 << 15, "read {} of {} bytes", counted.n_read, packed.len());
}

#[test]
fn errors_of_files_name_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("labels");
    let missing = idx::read_labels(&path).unwrap_err();
    assert!(missing.is_io() && !missing.is_format() && !missing.is_invalid_argument());
    assert_eq!(
        missing.source().unwrap().downcast_ref::<io::Error>().unwrap().kind(),
        io::ErrorKind::NotFound
    );
    std::fs::write(&path, small_file()).unwrap();
    let wrong = idx::read_labels(&path).unwrap_err();
    std::fs::write(&path, "text").unwrap();
    let other = idx::read(&path).unwrap_err();
    for error in [missing, wrong, other] {
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    }
}

/// A failing reader is not a wrong file, be it before, in or after a gzip header.
#[test]
fn failing_readers_are_io_errors() {
    for file in [small_file(), gzip(&small_file())] {
        for n in 0..file.len() {
            let error = idx::parse(file[..n].chain(Failing)).unwrap_err();
            assert!(error.is_io(), "after {n} bytes: {error}");
            assert!(error.to_string().contains("the disk is on fire"), "{error}");
        }
    }
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the disk is on fire"))
    }
}

struct Counted<R> {
    reader: R,
    n_read: usize,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.reader.read(buffer)?;
        self.n_read += n_read;
        Ok(n_read)
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
