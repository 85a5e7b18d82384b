//! Rows in batches: the same as the whole, for every kind of file.

use std::fs;
use std::path::Path;

use ndarray::{Array2, Axis, array, concatenate, s};
use proptest::prelude::*;
use uhop_data::image_folder::{self, Colour, Shape};
use uhop_data::{Element, Error, Kind, Matrix, ReadOptions, Result, WriteOptions, npy};

use crate::idx::gzip;
use crate::npz::{member, zip};
use crate::support::*;

/// The kinds that keep every value.
const EXACT: [Kind; 5] = [Kind::Npy, Kind::Npz, Kind::Safetensors, Kind::Csv, Kind::Idx];

fn rows(matrix: &Matrix, start: usize, end: usize) -> Matrix {
    match matrix {
        Matrix::F32(rows) => Matrix::F32(rows.slice(s![start..end, ..]).to_owned()),
        Matrix::F64(rows) => Matrix::F64(rows.slice(s![start..end, ..]).to_owned()),
    }
}

/// Writes batches of these sizes in turn, 0 included, until all rows are written.
fn write(
    kind: Kind,
    path: &Path,
    matrix: &Matrix,
    sizes: &[usize],
    options: &WriteOptions<'_>,
) -> Result<()> {
    let mut sink = kind.create(path, matrix.element(), matrix.dim(), options)?;
    let mut start = 0;
    let mut sizes = sizes.iter().cycle();
    while start < matrix.n_rows() {
        let end = matrix.n_rows().min(start + sizes.next().unwrap());
        sink.write(&rows(matrix, start, end))?;
        start = end;
    }
    sink.commit()
}

/// Reads batches of these sizes in turn, and holds the reader to what it says of itself.
fn read(kind: Kind, path: &Path, sizes: &[usize], options: &ReadOptions<'_>) -> Result<Matrix> {
    let mut reader = kind.open(path, options)?;
    let (mut singles, mut doubles) = (vec![], vec![]);
    for &size in sizes.iter().cycle() {
        match reader.next_batch(size)? {
            None => break,
            Some(batch) => {
                assert!((1..=size.max(1)).contains(&batch.n_rows()));
                assert_eq!((batch.dim(), batch.element()), (reader.dim(), reader.element()));
                match batch {
                    Matrix::F32(rows) => singles.push(rows),
                    Matrix::F64(rows) => doubles.push(rows),
                }
            }
        }
    }
    assert!(reader.next_batch(1)?.is_none());
    fn join<T: Clone>(batches: &[Array2<T>]) -> Array2<T> {
        let views: Vec<_> = batches.iter().map(|batch| batch.view()).collect();
        concatenate(Axis(0), &views).unwrap()
    }
    let matrix = match reader.element() {
        Element::F32 => Matrix::F32(join(&singles)),
        Element::F64 => Matrix::F64(join(&doubles)),
    };
    assert!(reader.n_rows().is_none_or(|n_rows| n_rows == matrix.n_rows()));
    Ok(matrix)
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    // The last one sees to it that the rows come to an end.
    prop::collection::vec(0_usize..=4, 0..4).prop_map(|mut sizes| {
        sizes.push(1);
        sizes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_are_the_whole(matrix in matrices(), writing in sizes(), reading in sizes()) {
        let directory = tempfile::tempdir().unwrap();
        let (streamed, whole) = (directory.path().join("a"), directory.path().join("b"));
        for kind in EXACT {
            write(kind, &streamed, &matrix, &writing, &WriteOptions::default()).unwrap();
            kind.write(&whole, &matrix, &WriteOptions::default()).unwrap();
            prop_assert_eq!(fs::read(&streamed).unwrap(), fs::read(&whole).unwrap(), "{}", kind);
            let read = read(kind, &streamed, &reading, &ReadOptions::default()).unwrap();
            prop_assert_eq!(&kind.read(&streamed, &ReadOptions::default()).unwrap(), &read);
            // CSV does not keep the precision.
            let read = match &matrix {
                Matrix::F32(_) => Matrix::F32(read.into_f32()),
                Matrix::F64(_) => Matrix::F64(read.into_f64()),
            };
            prop_assert_eq!(&read, &matrix, "{}", kind);
        }
    }

    /// Half a step of the 255 between 0 and 1, and the rounding of f32.
    #[test]
    fn images_are_the_rows_to_eight_bits(
        (width, height, n) in (1_u32..=4, 1_u32..=4, 1_usize..=5),
        rgb: bool, double: bool, seed: u32, writing in sizes(), reading in sizes(),
    ) {
        let colour = if rgb { Colour::Rgb } else { Colour::Grey };
        let shape = Shape { width, height, colour };
        let value = |(i, j)| f64::from(seed.wrapping_mul((31 * i + 7 * j + 1) as u32)) / f64::from(u32::MAX);
        let values = Array2::from_shape_fn((n, shape.dim().unwrap()), value);
        let matrix = match double {
            true => Matrix::F64(values.clone()),
            false => Matrix::F32(values.mapv(|value| value as f32)),
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("images");
        let writing_options = WriteOptions { images: Some(shape), ..WriteOptions::default() };
        write(Kind::Images, &path, &matrix, &writing, &writing_options).unwrap();
        let images = image_folder::ReadOptions { size: None, colour };
        let options = ReadOptions { images, ..ReadOptions::default() };
        let reader = Kind::Images.open(&path, &options).unwrap();
        prop_assert_eq!((reader.images(), reader.names().unwrap().len()), (Some(shape), n));
        let read = read(Kind::Images, &path, &reading, &options).unwrap();
        prop_assert_eq!(&Kind::Images.read(&path, &options).unwrap(), &read);
        for (&found, &expected) in read.into_f64().iter().zip(&values) {
            let error = (found - expected).abs();
            prop_assert!(error <= 1.0 / 510.0 + f64::from(f32::EPSILON), "{} {}", found, expected);
        }
        let files = fs::read_dir(directory.path()).unwrap().count();
        prop_assert_eq!(files, 1, "only the folder itself is left");
    }
}

/// Files that this crate reads but does not write: Fortran order, deflated members, IDX, gzip, text
/// with a header and empty lines, one tensor of several.
fn foreign() -> Vec<(&'static str, Vec<u8>)> {
    let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }\n";
    let mut fortran = b"\x93NUMPY\x01\x00".to_vec();
    fortran.extend((header.len() as u16).to_le_bytes());
    fortran.extend(header.as_bytes());
    fortran.extend([1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].into_iter().flat_map(f32::to_le_bytes));
    let mut c_order = Vec::new();
    npy::write_to(&mut c_order, &array![[1.0_f64, 2.0], [3.0, 4.0], [5.0, 6.0]].into()).unwrap();
    let images =
        [&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2][..], &[1, 2, 3, 4, 5, 6]].concat();
    let integers = [&[0, 0, 12, 2, 0, 0, 0, 2, 0, 0, 0, 1][..], &[1, 0, 0, 1, 0, 0, 0, 7]].concat();
    let tensors = concat!(
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"#,
        r#""patterns":{"dtype":"U8","shape":[3,2],"data_offsets":[2,8]}}"#,
    );
    let tensors =
        [&(tensors.len() as u64).to_le_bytes(), tensors.as_bytes(), &[9, 9, 1, 2, 3, 4, 5, 6]];
    vec![
        ("fortran.npy", fortran.clone()),
        ("deflated.npz", zip(&[member("patterns.npy", 8, &c_order), member("b.npy", 0, &c_order)])),
        ("fortran.npz", zip(&[member("patterns.npy", 8, &fortran)])),
        ("images.idx.gz", gzip(&images)),
        ("images.idx", images),
        ("integers.idx", integers),
        ("several.safetensors", tensors.concat()),
        ("header.csv", b"\xef\xbb\xbfx,y\n\n1,2\n \n\"3\",4\n5,6".to_vec()),
    ]
}

/// Reads bytes in batches under this name.
fn read_bytes(path: &Path, bytes: &[u8], sizes: &[usize]) -> Result<Matrix> {
    fs::write(path, bytes).unwrap();
    let member = path.extension().filter(|kind| *kind != "npy").map(|_| "patterns");
    read(Kind::of(path)?, path, sizes, &ReadOptions { member, ..ReadOptions::default() })
}

#[test]
fn files_of_other_programs_are_read_in_batches() {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in foreign() {
        let path = directory.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let options = ReadOptions { member: Some("patterns"), ..ReadOptions::default() };
        let whole = Kind::of(&path).unwrap().read(&path, &options).unwrap();
        for sizes in [&[1][..], &[2], &[3], &[100], &[0]] {
            assert_eq!(read_bytes(&path, &bytes, sizes).unwrap(), whole, "{name} {sizes:?}");
        }
    }
}

/// Compressed, and images as MNIST has them: the bytes of the whole file.
#[test]
fn idx_files_of_images_are_written_in_batches() {
    let directory = tempfile::tempdir().unwrap();
    let matrix = Matrix::from(array![[0.0_f32, 1.0], [0.2, 0.4], [1.0, 0.6]]);
    let images = Some(Shape { width: 1, height: 2, colour: Colour::Grey });
    for images in [None, images] {
        let options = WriteOptions { images, ..WriteOptions::default() };
        for name in ["a.idx", "a.idx.gz"] {
            let (streamed, whole) =
                (directory.path().join(name), directory.path().join(format!("b-{name}")));
            write(Kind::Idx, &streamed, &matrix, &[2, 1], &options).unwrap();
            Kind::Idx.write(&whole, &matrix, &options).unwrap();
            assert_eq!(fs::read(&streamed).unwrap(), fs::read(&whole).unwrap(), "{name}");
            let reader = Kind::Idx.open(&streamed, &ReadOptions::default()).unwrap();
            assert_eq!((reader.images(), reader.n_rows()), (images, Some(3)));
            let read = read(Kind::Idx, &streamed, &[1, 2], &ReadOptions::default()).unwrap();
            assert_eq!(read, matrix, "{name}");
        }
    }
    let rgb = Some(Shape { width: 1, height: 1, colour: Colour::Rgb });
    let options = WriteOptions { images: rgb, ..WriteOptions::default() };
    let path = directory.path().join("rgb.idx");
    let error = Kind::Idx.create(&path, Element::F32, 3, &options).err().unwrap();
    assert!(error.is_invalid_argument(), "{error}");
    assert!(!path.exists());
}

#[test]
fn parquet_is_read_in_batches_and_not_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/parquet/zstd");
    let options = ReadOptions::default();
    let whole = Kind::Parquet.read(&path, &options).unwrap();
    for sizes in [&[1][..], &[2], &[100]] {
        assert_eq!(read(Kind::Parquet, &path, sizes, &options).unwrap(), whole, "{sizes:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let created = Kind::Parquet.create(&path, Element::F32, 1, &WriteOptions::default());
    assert!(created.err().unwrap().to_string().contains("read, not written"));
}

/// Whatever the batches, no file is taken for a whole one when its end is missing, and no byte of it
/// makes the reader panic. A text that ends early is a shorter text.
#[test]
fn damaged_files_are_errors_in_batches_too() {
    let directory = tempfile::tempdir().unwrap();
    let is_fine = |error: &Error, name: &str| {
        assert!(error.is_format() || error.is_io(), "{name}: {error}");
        assert_one_line(error, name);
        assert!(error.to_string().contains(name), "{name}: {error}");
    };
    for (name, bytes) in foreign() {
        let path = directory.path().join(name);
        for n in (0..bytes.len()).filter(|_| name != "header.csv") {
            let error = read_bytes(&path, &bytes[..n], &[2]).unwrap_err();
            is_fine(&error, name);
        }
        for position in 0..bytes.len() {
            for flip in [1, 0x10, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[position] ^= flip;
                if let Err(error) = read_bytes(&path, &damaged, &[2]) {
                    is_fine(&error, name);
                }
            }
        }
    }
}

/// A line or a record that is wrong is found where it is, after the batches before it.
#[test]
fn errors_name_the_place_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    fs::write(&path, "x\n1\n2\n3\nfour\n5\n").unwrap();
    let mut reader = Kind::Csv.open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(reader.next_batch(2).unwrap().unwrap(), array![[1.0], [2.0]].into());
    let error = reader.next_batch(2).unwrap_err();
    assert!(error.to_string().contains("a.csv: line 5, column 1"), "{error}");
    assert!(reader.next_batch(2).unwrap().is_none(), "an error ends the reading");

    let path = directory.path().join("a.idx.gz");
    let bytes = [&[0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2][..], &[1, 2, 3, 4, 5]].concat();
    fs::write(&path, gzip(&bytes)).unwrap();
    let mut reader = Kind::Idx.open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(reader.next_batch(2).unwrap().unwrap().n_rows(), 2);
    let error = reader.next_batch(2).unwrap_err();
    assert!(error.to_string().contains("take 6 bytes, found 5"), "{error}");

    let labels = directory.path().join("labels.idx");
    fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 1, 7]).unwrap();
    let error = Kind::Idx.open(&labels, &ReadOptions::default()).err().unwrap();
    assert!(error.to_string().contains("labels.idx: not patterns"), "{error}");
}

/// Given up, refused and empty: the old file stays, and nothing else does.
#[test]
fn what_is_not_committed_leaves_the_old_file() {
    let images = Some(Shape { width: 2, height: 1, colour: Colour::Grey });
    let options = WriteOptions { images, ..WriteOptions::default() };
    let batch = Matrix::from(array![[0.0_f32, 1.0]]);
    for kind in EXACT.into_iter().chain([Kind::Images]) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let files = || fs::read_dir(directory.path()).unwrap().count();
        if kind == Kind::Images {
            fs::create_dir(&path).unwrap();
        } else {
            fs::write(&path, "old").unwrap();
        }
        // An IDX file of images would be one of bytes.
        let options = if kind == Kind::Idx { WriteOptions::default() } else { options };
        let create = || kind.create(&path, Element::F32, 2, &options).unwrap();

        let mut sink = create();
        sink.write(&batch).unwrap();
        assert_eq!(files(), 2, "{kind}: the new file is beside the old one");
        drop(sink);
        assert_eq!(files(), 1, "{kind}");

        assert!(create().commit().unwrap_err().is_invalid_argument(), "{kind}: no rows");

        let mut sink = create();
        sink.write(&batch).unwrap();
        let error = sink.write(&array![[0.0_f64, 1.0]].into()).unwrap_err();
        assert!(error.to_string().contains("expected batches of f32 of shape [n, 2]"), "{error}");
        assert!(sink.write(&batch).unwrap_err().to_string().contains("an earlier batch"));
        assert!(sink.commit().unwrap_err().to_string().contains("an earlier batch"), "{kind}");

        assert_eq!(files(), 1, "{kind}");
        match kind {
            Kind::Images => assert_eq!(fs::read_dir(&path).unwrap().count(), 0),
            _ => assert_eq!(fs::read(&path).unwrap(), b"old", "{kind}"),
        }
        let error = kind.create(&path, Element::F32, 0, &options).err().unwrap();
        assert!(error.is_invalid_argument(), "{kind}: {error}");
    }
}

#[test]
fn images_get_the_names_they_are_given_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/images");
    let images = Some(Shape { width: 1, height: 1, colour: Colour::Grey });
    let names = ["b.png".to_owned(), "a.jpg".to_owned()];
    let matrix = Matrix::from(array![[0.0_f32], [1.0]]);
    let options = WriteOptions { images, names: Some(&names), n_rows: None };
    write(Kind::Images, &path, &matrix, &[1], &options).unwrap();
    let reader = Kind::Images.open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(reader.names().unwrap(), ["a.jpg.png", "b.png"]);

    for (n_names, n_rows) in [(1, 2), (2, 1)] {
        let path = directory.path().join("other");
        let options = WriteOptions { names: Some(&names[..n_names]), ..options };
        let error =
            write(Kind::Images, &path, &rows(&matrix, 0, n_rows), &[1], &options).unwrap_err();
        assert!(error.to_string().contains("names, one per row"), "{error}");
        assert!(!path.exists());
    }
}

/// A named pipe is written directly, and gets the same bytes as a file.
#[cfg(unix)]
#[test]
fn pipes_get_what_files_get() {
    let directory = tempfile::tempdir().unwrap();
    let (pipe, file) = (directory.path().join("pipe"), directory.path().join("file"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: mkfifo is not there");
        return;
    }
    let matrix = Matrix::from(array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    for kind in EXACT {
        kind.write(&file, &matrix, &WriteOptions::default()).unwrap();
        for n_rows in [None, Some(3)] {
            let bytes = std::thread::scope(|scope| {
                let reader = scope.spawn(|| fs::read(&pipe).unwrap());
                let options = WriteOptions { n_rows, ..WriteOptions::default() };
                write(kind, &pipe, &matrix, &[2], &options).unwrap();
                reader.join().unwrap()
            });
            assert_eq!(bytes, fs::read(&file).unwrap(), "{kind} {n_rows:?}");
        }
    }
}
