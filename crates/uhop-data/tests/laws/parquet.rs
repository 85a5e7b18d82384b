use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use ndarray::array;
use parquet::basic::Compression;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use proptest::prelude::*;
use uhop_data::image_folder::{self, Colour, Shape};
use uhop_data::{Kind, Matrix, ReadOptions, Result, parquet as format};

use crate::support::*;

const F32_LISTS: &str =
    "message m { optional group a (LIST) { repeated group list { optional float element; } } }";
const F64_LISTS: &str =
    "message m { required group a (LIST) { repeated group list { required double element; } } }";
const IMAGES: &str = "message m { optional group img { optional binary bytes; \
                      optional binary path (UTF8); } required int64 label; }";

/// The values of a leaf in a row group, with their levels.
pub(crate) enum Leaf {
    F32(Vec<f32>, Vec<i16>, Vec<i16>),
    F64(Vec<f64>, Vec<i16>, Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    /// With levels: 1 for a value and 0 for a null.
    I64OrNull(Vec<i64>, Vec<i16>),
    Bytes(Vec<ByteArray>, Vec<i16>),
}

/// Writes row groups of leaves with the writer of the `parquet` crate.
pub(crate) fn file(schema: &str, properties: WriterProperties, groups: Vec<Vec<Leaf>>) -> Vec<u8> {
    fn write<T: DataType>(
        column: &mut parquet::file::writer::SerializedColumnWriter<'_>,
        values: &[T::T],
        definition: Option<&[i16]>,
        repetition: Option<&[i16]>,
    ) {
        column.typed::<T>().write_batch(values, definition, repetition).unwrap();
    }
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    for leaves in groups {
        let mut group = writer.next_row_group().unwrap();
        for leaf in leaves {
            let mut column = group.next_column().unwrap().unwrap();
            match leaf {
                Leaf::F32(values, def, rep) => {
                    write::<FloatType>(&mut column, &values, Some(&def), Some(&rep));
                }
                Leaf::F64(values, def, rep) => {
                    write::<DoubleType>(&mut column, &values, Some(&def), Some(&rep));
                }
                Leaf::I32(values) => write::<Int32Type>(&mut column, &values, None, None),
                Leaf::I64(values) => write::<Int64Type>(&mut column, &values, None, None),
                Leaf::I64OrNull(values, def) => {
                    write::<Int64Type>(&mut column, &values, Some(&def), None);
                }
                Leaf::Bytes(values, def) => {
                    write::<ByteArrayType>(&mut column, &values, Some(&def), None);
                }
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

pub(crate) fn plain() -> WriterProperties {
    WriterProperties::builder().set_dictionary_enabled(false).build()
}

fn snappy() -> WriterProperties {
    WriterProperties::builder().set_compression(Compression::SNAPPY).build()
}

/// 0 where a row starts and 1 in it.
fn starts(n_rows: usize, dim: usize) -> Vec<i16> {
    (0..n_rows * dim).map(|i| i16::from(i % dim != 0)).collect()
}

/// One row group of lists.
fn lists(matrix: &Matrix) -> (&'static str, Leaf) {
    let rep = starts(matrix.n_rows(), matrix.dim());
    match matrix {
        Matrix::F32(rows) => {
            (F32_LISTS, Leaf::F32(rows.iter().copied().collect(), vec![3; rep.len()], rep))
        }
        Matrix::F64(rows) => {
            (F64_LISTS, Leaf::F64(rows.iter().copied().collect(), vec![1; rep.len()], rep))
        }
    }
}

fn small() -> Matrix {
    Matrix::from(array![[1.0_f32, 2.0], [3.0, 4.0], [3.0, 2.0]])
}

fn small_file() -> Vec<u8> {
    let (schema, leaf) = lists(&small());
    file(schema, snappy(), vec![vec![leaf]])
}

/// Images and labels, one row group.
pub(crate) fn images(files: &[Vec<u8>], properties: WriterProperties) -> Vec<u8> {
    let bytes = files.iter().map(|file| ByteArray::from(file.clone())).collect();
    let labels = (0..files.len() as i64).collect();
    let leaves = vec![
        Leaf::Bytes(bytes, vec![2; files.len()]),
        Leaf::Bytes(vec![], vec![1; files.len()]),
        Leaf::I64(labels),
    ];
    file(IMAGES, properties, vec![leaves])
}

pub(crate) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn read(bytes: &[u8], options: &ReadOptions<'_>) -> Result<(Matrix, Option<Shape>)> {
    format::parse(Cursor::new(bytes.to_vec()), options)
}

fn parse(bytes: &[u8]) -> Result<Matrix> {
    read(bytes, &ReadOptions::default()).map(|(matrix, _)| matrix)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In one or two row groups, whatever the pages are like, and in batches of any size.
    #[test]
    fn what_was_written_is_read(
        matrix in matrices(), codec in 0..3, v2: bool, dictionary: bool, split: bool,
        page_rows in 1_usize..4, max_rows in 0_usize..8,
    ) {
        let compression = [
            Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default()),
        ][codec as usize];
        let version =
            if v2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_writer_version(version)
            .set_data_page_row_count_limit(page_rows)
            .set_write_batch_size(page_rows)
            .set_dictionary_enabled(dictionary);
        if !dictionary {
            properties = properties.set_encoding(parquet::basic::Encoding::PLAIN);
        }
        let mut groups = vec![vec![lists(&matrix).1]];
        if split {
            groups.push(vec![lists(&matrix).1]);
        }
        let n_groups = groups.len();
        let (schema, _) = lists(&matrix);
        let bytes = file(schema, properties.build(), groups);
        let read = parse(&bytes).unwrap();
        let twice = |n_rows: usize| n_rows * n_groups;
        prop_assert_eq!(read.n_rows(), twice(matrix.n_rows()));
        prop_assert_eq!(read.element(), matrix.element());
        let expected = bits(&matrix).repeat(n_groups);
        prop_assert_eq!(&bits(&read), &expected);

        let options = ReadOptions::default();
        let mut reader = format::RowReader::new(Cursor::new(bytes), &options).unwrap();
        prop_assert_eq!((reader.n_rows(), reader.dim()), (read.n_rows(), read.dim()));
        prop_assert_eq!(reader.images(), None);
        let mut found = vec![];
        while let Some(batch) = reader.next_batch(max_rows).unwrap() {
            let left = reader.n_rows() - found.len() / reader.dim();
            prop_assert_eq!(batch.n_rows(), left.min(max_rows.max(1)));
            found.extend(bits(&batch));
        }
        prop_assert_eq!(found, expected);
        prop_assert!(reader.next_batch(1).unwrap().is_none());
    }
}

/// What Hugging Face writes beside a column of classes.
pub(crate) fn described(columns: &[(&str, &[&str])]) -> WriterProperties {
    let features = columns.iter().map(|(column, names)| {
        let class = serde_json::json!({"names": names, "_type": "ClassLabel"});
        ((*column).to_owned(), class)
    });
    let features: serde_json::Map<_, _> = features.collect();
    described_by(&serde_json::json!({"info": {"features": features}}).to_string())
}

fn described_by(text: &str) -> WriterProperties {
    let pair = KeyValue::new("huggingface".to_owned(), Some(text.to_owned()));
    WriterProperties::builder().set_key_value_metadata(Some(vec![pair])).build()
}

const ONE_LABEL: &str = "message m { required int64 label; }";

fn labels(bytes: &[u8], column: Option<&str>, max_rows: usize) -> Result<format::Labels> {
    format::parse_labels(Cursor::new(bytes.to_vec()), column, max_rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In integers of either size, one or two row groups, and the first so many.
    #[test]
    fn labels_are_read(
        values in prop::collection::vec(0_i32..5, 1..40), long: bool, split in 0_usize..40,
        page_rows in 1_usize..4, max_rows in 0_usize..45, dictionary: bool,
    ) {
        let properties = WriterProperties::builder()
            .set_data_page_row_count_limit(page_rows)
            .set_write_batch_size(page_rows)
            .set_dictionary_enabled(dictionary)
            .build();
        let (first, second) = values.split_at(split.min(values.len()));
        let schema = if long { ONE_LABEL } else { "message m { required int32 label; }" };
        let groups = [first, second].map(|values| {
            let leaf = match long {
                true => Leaf::I64(values.iter().map(|&value| value.into()).collect()),
                false => Leaf::I32(values.to_vec()),
            };
            vec![leaf]
        });
        let bytes = file(schema, properties, groups.into());
        let found = labels(&bytes, None, max_rows).unwrap();
        prop_assert_eq!(found.names(), None);
        let expected: Vec<u32> = values.iter().take(max_rows).map(|&value| value as u32).collect();
        prop_assert_eq!(found.values(), expected);
    }
}

#[test]
fn labels_have_the_names_that_the_file_gives() {
    let leaf = || vec![vec![Leaf::I64(vec![1, 0, 2])]];
    let names = ["cat", "dog", "a\nline"];
    let named = file(ONE_LABEL, described(&[("label", &names)]), leaf());
    let read = labels(&named, Some("label"), 10).unwrap();
    assert_eq!(
        (read.values(), read.names().unwrap()),
        (&[1, 0, 2][..], &names.map(String::from)[..])
    );
    assert_eq!(labels(&named, None, 2).unwrap().into_parts().0, [1, 0]);

    for (text, why) in [
        ("{", "no JSON"),
        ("[]", "another form"),
        (r#"{"info": {"features": {"label": {"_type": "Value"}}}}"#, "no classes"),
        (r#"{"info": {"features": {"label": {"_type": "ClassLabel", "names": [1]}}}}"#, "numbers"),
    ] {
        let read = labels(&file(ONE_LABEL, described_by(text), leaf()), None, 9).unwrap();
        assert_eq!((read.values(), read.names()), (&[1, 0, 2][..], None), "{why}");
    }
}

/// CIFAR-100 has two columns of classes; a column of classes comes before other integers.
#[test]
fn the_column_of_labels_is_chosen() {
    let schema = "message m { required int64 id; required int64 fine; required int64 coarse; }";
    let two = |properties| {
        let leaves = vec![Leaf::I64(vec![9]), Leaf::I64(vec![1]), Leaf::I64(vec![0])];
        file(schema, properties, vec![leaves])
    };
    let several = two(described(&[("fine", &["a", "b"]), ("coarse", &["c"])]));
    let error = labels(&several, None, 1).unwrap_err();
    assert!(error.is_ambiguous());
    assert_says(
        &error,
        "two",
        r#"several columns of labels, found "fine", "coarse"; name the one"#,
    );
    assert_eq!(labels(&several, Some("coarse"), 1).unwrap().values(), [0]);
    assert_eq!(labels(&several, Some("id"), 1).unwrap().values(), [9]);
    let one = two(described(&[("fine", &["a", "b"])]));
    assert_eq!(labels(&one, None, 1).unwrap().values(), [1]);
    let error = labels(&two(plain()), None, 1).unwrap_err();
    assert_says(&error, "none described", r#"found "id", "fine", "coarse"; name the one"#);
}

#[test]
fn rejected_labels_say_why() {
    let one = |values: Vec<i64>| file(ONE_LABEL, plain(), vec![vec![Leaf::I64(values)]]);
    let named = |values: Vec<i64>, names: &[&str]| {
        file(ONE_LABEL, described(&[("label", names)]), vec![vec![Leaf::I64(values)]])
    };
    let nullable = "message m { optional int64 label; }";
    let null = file(nullable, plain(), vec![vec![Leaf::I64OrNull(vec![1], vec![1, 0])]]);
    let (schema, leaf) = lists(&small());
    let cases = [
        (
            "negative",
            one(vec![0, -1]),
            "\"label\": row 1 has the label -1, expected 0 to 4294967295",
        ),
        ("large", one(vec![1 << 32]), "row 0 has the label 4294967296"),
        (
            "unknown",
            named(vec![1, 0, 2], &["a", "b"]),
            "row 2 has the label 2, expected 0 to 1, as",
        ),
        ("no classes", named(vec![0], &[]), "expected none, as the file names no classes"),
        ("null", null, "row 1 is null"),
        ("no rows", file(ONE_LABEL, plain(), vec![]), "has no rows"),
        ("no labels", file(schema, plain(), vec![vec![leaf]]), r#"as labels, found "a": expected"#),
        ("text", b"text, and more of it".to_vec(), "not a complete Parquet file"),
    ];
    for (name, bytes, message) in cases {
        assert_says(&labels(&bytes, None, 9).unwrap_err(), name, message);
    }
    let images = images(&[encoded(GrayImage::new(1, 1), ImageFormat::Png)], plain());
    assert_says(&labels(&images, Some("img"), 1).unwrap_err(), "img", "\"img\" has no labels");
    assert_says(&labels(&images, Some("x"), 1).unwrap_err(), "x", "no column \"x\"");
    assert_eq!(labels(&images, None, 1).unwrap().values(), [0]);
}

/// Few bytes that stand for many labels.
#[test]
fn labels_that_unfold_too_far_are_refused() {
    let n = 9_000_000;
    let groups = (0..2).map(|_| vec![Leaf::I64(vec![0; n])]).collect();
    let one_page = WriterProperties::builder()
        .set_write_batch_size(n)
        .set_data_page_row_count_limit(n)
        .build();
    let bytes = file(ONE_LABEL, one_page, groups);
    assert!(bytes.len() < 1000, "{}", bytes.len());
    assert_says(&labels(&bytes, None, 2 * n).unwrap_err(), "zeros", "than its size allows");
    assert_eq!(labels(&bytes, None, 3).unwrap().values(), [0; 3]);
}

/// What was compressed with loss shows when it is read, not before.
#[test]
fn jpeg_is_noticed() {
    let grey = GrayImage::from_pixel(3, 2, Luma([9]));
    let [png, jpeg] =
        [ImageFormat::Png, ImageFormat::Jpeg].map(|format| encoded(grey.clone(), format));
    let bytes = images(&[png.clone(), jpeg, png], plain());
    let mut reader = format::RowReader::new(Cursor::new(bytes), &ReadOptions::default()).unwrap();
    let mut seen = vec![reader.has_jpeg()];
    while reader.next_batch(1).unwrap().is_some() {
        seen.push(reader.has_jpeg());
    }
    assert_eq!(seen, [false, false, true, true]);
    assert!(reader.has_jpeg());
    let lists = format::RowReader::new(Cursor::new(small_file()), &ReadOptions::default());
    assert!(!lists.unwrap().has_jpeg());
}

#[test]
fn special_values_pass() {
    let (schema, leaf) = lists(&special());
    assert_eq!(bits(&parse(&file(schema, plain(), vec![vec![leaf]])).unwrap()), bits(&special()));
}

#[test]
fn lists_have_other_spellings() {
    for schema in [
        "message m { repeated float a; }",
        "message m { optional group a (LIST) { repeated float array; } }",
    ] {
        let complete = if schema.contains("optional") { 2 } else { 1 };
        let leaf = Leaf::F32(vec![1.0, 2.0, 3.0, 4.0], vec![complete; 4], starts(2, 2));
        let matrix = parse(&file(schema, plain(), vec![vec![leaf]])).unwrap();
        assert_eq!(matrix, Matrix::from(array![[1.0_f32, 2.0], [3.0, 4.0]]));
    }
}

/// The same as a folder of the same files, in both colours and in another size.
#[test]
fn images_are_those_of_a_folder() {
    let flat = RgbImage::from_pixel(8, 6, Rgb([200, 100, 50]));
    let slope = RgbImage::from_fn(8, 6, |x, y| Rgb([(30 * x) as u8, (40 * y) as u8, 7]));
    let grey = GrayImage::from_fn(8, 6, |x, y| Luma([(20 * x + 3 * y) as u8]));
    let files = [
        encoded(flat.clone(), ImageFormat::Png),
        encoded(slope, ImageFormat::Jpeg),
        encoded(grey, ImageFormat::Jpeg),
        encoded(flat, ImageFormat::Png),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (i, file) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{i}.png")), file).unwrap();
    }
    let version_2 = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_encoding(parquet::basic::Encoding::PLAIN);
    for properties in [plain(), snappy(), version_2.build()] {
        let bytes = images(&files, properties);
        for colour in [Colour::Grey, Colour::Rgb] {
            for size in [None, Some((4, 5))] {
                let reading = image_folder::ReadOptions { size, colour };
                let expected = image_folder::read(folder.path(), &reading).unwrap();
                let options = ReadOptions { member: None, images: reading };
                let (matrix, shape) = read(&bytes, &options).unwrap();
                assert_eq!(shape, Some(expected.shape()));
                assert_eq!(matrix, expected.into_matrix());
            }
        }
    }
}

/// Images that are equal are one entry of a dictionary.
#[test]
fn many_images_are_read_in_batches() {
    let dot = |value: u8| encoded(GrayImage::from_pixel(1, 1, Luma([value])), ImageFormat::Png);
    let files: Vec<_> = (0..100_u8).map(|i| dot(51 * (i % 4))).collect();
    let images_in_grey = image_folder::ReadOptions { colour: Colour::Grey, size: None };
    let options = ReadOptions { member: Some("img"), images: images_in_grey };
    let bytes = images(&files, snappy());
    let (matrix, _) = read(&bytes, &options).unwrap();
    let expected: Vec<f32> = (0..100_u8).map(|i| f32::from(51 * (i % 4)) / 255.0).collect();
    assert_eq!(matrix.into_f32().into_raw_vec_and_offset().0, expected);
    let mut reader = format::RowReader::new(Cursor::new(bytes), &options).unwrap();
    let mut sizes = vec![];
    while let Some(batch) = reader.next_batch(40).unwrap() {
        sizes.push(batch.n_rows());
    }
    assert_eq!(sizes, [40, 40, 20]);
}

#[test]
fn columns_are_chosen_by_name_or_because_there_is_one() {
    let schema = "message m { required int64 label; \
        optional group a (LIST) { repeated group list { optional float element; } } \
        optional group b (LIST) { repeated group list { optional double element; } } \
        optional group c (LIST) { repeated group list { required int64 element; } } \
        optional group d { optional group e (LIST) { repeated group list { \
            optional float element; } } } \
        optional group f (LIST) { repeated group list { optional group element (LIST) { \
            repeated group list { optional float element; } } } } }";
    let empty = || Leaf::F32(vec![], vec![0, 0], vec![0, 0]);
    let integers = {
        let schema = schema.replace("required int64 element", "optional float element");
        let leaves = vec![
            Leaf::I64(vec![1, 2]),
            Leaf::F32(vec![1.0, 2.0], vec![3; 2], vec![0, 0]),
            Leaf::F64(vec![3.0, 4.0, 5.0, 6.0], vec![3; 4], starts(2, 2)),
            empty(),
            empty(),
            empty(),
        ];
        file(&schema, plain(), vec![leaves])
    };
    let read_named = |name| {
        let options = ReadOptions { member: name, ..ReadOptions::default() };
        read(&integers, &options).map(|(matrix, _)| matrix)
    };
    assert_eq!(read_named(Some("a")).unwrap(), Matrix::from(array![[1.0_f32], [2.0]]));
    assert_eq!(read_named(Some("b")).unwrap(), Matrix::from(array![[3.0_f64, 4.0], [5.0, 6.0]]));
    let several = read_named(None).unwrap_err();
    assert!(several.is_ambiguous());
    assert_says(&several, "several", r#"found "a", "b", "c"; name the one"#);
    let cases = [
        ("g", r#"no column "g", found "label", "a", "b", "c", "d", "f""#),
        ("label", r#"column "label" is one INT64 a row: expected lists of float"#),
        ("c", r#"column "c": row 0 is null"#),
        ("d", r#"column "d" is a structure of 1 columns"#),
        ("f", r#"column "f" is a structure of 1 columns"#),
    ];
    for (name, message) in cases {
        let error = read_named(Some(name)).unwrap_err();
        assert!(!error.is_ambiguous());
        assert_says(&error, name, message);
    }
}

#[test]
fn rejected_files_say_why() {
    let f32s = |values: Vec<f32>, def: Vec<i16>, rep: Vec<i16>| {
        file(F32_LISTS, snappy(), vec![vec![Leaf::F32(values, def, rep)]])
    };
    let numbers = "message m { required int64 a; required int64 b; }";
    let two = "message m { optional group a (LIST) { repeated group list { \
               optional int64 element; } } }";
    let image = encoded(GrayImage::from_pixel(2, 2, Luma([9])), ImageFormat::Png);
    let other = encoded(GrayImage::from_pixel(3, 2, Luma([9])), ImageFormat::Png);
    let bytes = |values: &[&[u8]], def: Vec<i16>| {
        let n = def.len();
        let values = values.iter().map(|value| ByteArray::from(value.to_vec())).collect();
        let labels = Leaf::I64(vec![0; n]);
        let leaves = vec![Leaf::Bytes(values, def), Leaf::Bytes(vec![], vec![1; n]), labels];
        file(IMAGES, plain(), vec![leaves])
    };
    let delta = parquet::basic::Encoding::DELTA_LENGTH_BYTE_ARRAY;
    let delta = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_encoding(ColumnPath::new(vec!["img".to_owned(), "bytes".to_owned()]), delta);
    let long_footer = [&b"PAR1"[..], &[0; 8], &[0xff, 0xff, 0xff, 0x7f], b"PAR1"].concat();
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", vec![], "not a complete Parquet file"),
        ("text", b"text, and some more of it".to_vec(), "start and to end with \"PAR1\""),
        ("footer of 2 GiB", long_footer, "footer takes 2147483647 bytes, expected at most 8"),
        ("no footer", b"PAR1\0\0\0\0PAR1".to_vec(), "is damaged"),
        ("no rows", file(F32_LISTS, plain(), vec![]), "has no rows, expected at least one"),
        (
            "numbers",
            file(numbers, plain(), vec![vec![Leaf::I64(vec![1]), Leaf::I64(vec![2])]]),
            r#"no column can be read as rows, found "a", "b""#,
        ),
        ("integers", file(two, plain(), vec![]), "no column can be read as rows, found \"a\""),
        ("null list", f32s(vec![1.0], vec![3, 0], vec![0, 0]), "\"a\": row 1 is null, empty"),
        ("first null", f32s(vec![1.0], vec![0, 3], vec![0, 0]), "\"a\": row 0 is null, empty"),
        ("empty list", f32s(vec![1.0], vec![3, 1], vec![0, 0]), "row 1 is null, empty"),
        (
            "null value",
            f32s(vec![1.0, 2.0, 3.0], vec![3, 3, 3, 2], vec![0, 1, 0, 1]),
            "row 1 is null, empty or has a null in it",
        ),
        (
            "ragged",
            f32s(vec![1.0, 2.0, 3.0], vec![3, 3, 3], vec![0, 1, 0]),
            "row 1 has 1 values, expected 2 as the first row",
        ),
        ("null image", bytes(&[&image], vec![2, 1]), "\"img\": row 1 is null"),
        ("no image", bytes(&[b"text"], vec![2]), "\"img\": row 0: neither PNG nor JPEG"),
        ("damaged", bytes(&[&image[..40]], vec![2]), "row 0: the image is damaged"),
        (
            "sizes",
            bytes(&[&image, &other], vec![2, 2]),
            "row 1: the image has 3 x 2 pixels, expected 2 x 2 as the first one, in row 0",
        ),
        ("delta", images(&[image], delta.build()), "values in encoding 6, expected 0 (plain)"),
    ];
    for (name, bytes, message) in cases {
        let error = parse(bytes).unwrap_err();
        assert_says(&error, name, message);
    }
    let size = image_folder::ReadOptions { size: Some((0, 1)), ..Default::default() };
    let options = ReadOptions { member: None, images: size };
    assert!(read(&[], &options).unwrap_err().is_invalid_argument());
}

#[test]
fn errors_of_files_name_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let options = ReadOptions::default();
    assert!(format::read(&path, &options).unwrap_err().is_io());
    std::fs::write(&path, small_file()).unwrap();
    assert_eq!(Kind::of(&path).unwrap().read(&path, &options).unwrap(), small());
    let ragged = Leaf::F32(vec![1.0, 2.0, 3.0], vec![3; 3], vec![0, 1, 0]);
    for bytes in [b"text".to_vec(), file(F32_LISTS, plain(), vec![vec![ragged]])] {
        std::fs::write(&path, bytes).unwrap();
        let error = format::read(&path, &options).unwrap_err();
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn every_truncation_of_a_small_file_is_a_format_error() {
    every_truncation_is_an_error(&small_file(), parse);
}

#[test]
fn every_truncation_and_every_flip_of_labels_is_harmless() {
    let leaf = Leaf::I64(vec![1, 0, 1, 1]);
    let bytes = file(ONE_LABEL, described(&[("label", &["a", "b"])]), vec![vec![leaf]]);
    let parse = |bytes: &[u8]| {
        let read = labels(bytes, None, 9)?;
        let rows = read.values().iter().map(|&label| label as f32).collect::<Vec<_>>();
        assert!(
            read.names().is_none_or(|names| rows.iter().all(|&label| label < names.len() as f32))
        );
        Ok(Matrix::from(ndarray::Array2::from_shape_vec((rows.len(), 1), rows).unwrap()))
    };
    every_truncation_is_an_error(&bytes, parse);
    every_flip_is_harmless(&bytes, parse);
}

#[test]
fn every_flip_of_a_small_file_is_harmless() {
    every_flip_is_harmless(&small_file(), parse);
    let image = encoded(GrayImage::from_pixel(1, 1, Luma([9])), ImageFormat::Png);
    let v2 = WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0);
    let v2 = v2.set_encoding(parquet::basic::Encoding::PLAIN).build();
    for file in [images(&[image], plain()), file(F32_LISTS, v2, vec![vec![lists(&small()).1]])] {
        for position in 0..file.len() {
            for bit in 0..8 {
                let mut bytes = file.clone();
                bytes[position] ^= 1 << bit;
                if let Err(error) = parse(&bytes) {
                    assert!(error.is_format(), "bit {bit} of byte {position}: {error}");
                    assert_one_line(&error, "flipped");
                }
            }
        }
    }
}

/// Found by changing bytes: the decoder indexes beyond a page.
#[test]
fn panics_of_the_decoder_are_format_errors() {
    let error = parse(include_bytes!("../corpus/parquet/panic-in-the-decoder")).unwrap_err();
    assert_says(&error, "panics", "is damaged (\"its pages contradict it\")");
    assert!(!format::is_decoding());
}

/// Found by fuzzing: the decoder passed over two billion booleans that take no bytes.
#[test]
fn booleans_without_end_are_refused() {
    let file = include_bytes!("../corpus/parquet/booleans-without-end");
    assert_says(&parse(file).unwrap_err(), "booleans", "its footer is not one");
    // The same in a map.
    let mut map = file.to_vec();
    map[4] = 0x9b;
    assert_says(&parse(&map).unwrap_err(), "map", "its footer is not one");
}

/// A footer of groups in groups, which the decoder would follow until its stack ends.
#[test]
fn deep_schemas_are_refused() {
    // {4: "a", 5: 1}: a group with one child.
    let group = [0x48, 1, b'a', 0x15, 2, 0];
    let n = 100_000_u32;
    // {1: 1, 2: [groups]}, the number of groups as a varint of three bytes.
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    footer.extend([(n & 0x7f) as u8 | 0x80, (n >> 7 & 0x7f) as u8 | 0x80, (n >> 14) as u8]);
    footer.extend(group.repeat(n as usize));
    footer.push(0);
    let length = (footer.len() as u32).to_le_bytes();
    let file = [&b"PAR1"[..], &footer, &length, b"PAR1"].concat();
    assert_says(&parse(&file).unwrap_err(), "deep", "its footer is not one");
}

/// Few bytes that stand for many zeros.
#[test]
fn files_that_unfold_too_far_are_refused() {
    let n = 9_000_000;
    let row = || vec![Leaf::F32(vec![0.0; n], vec![3; n], starts(1, n))];
    let bytes = file(F32_LISTS, snappy(), vec![row(), row(), row(), row()]);
    assert!(bytes.len() < 10_000, "{}", bytes.len());
    assert_says(
        &parse(&bytes).unwrap_err(),
        "zeros",
        "than its size allows (64 MiB and 4096 times",
    );
    // As large as it may be.
    assert_eq!(parse(&file(F32_LISTS, snappy(), vec![row()])).unwrap().dim(), n);
}

/// Written by pyarrow with `compression="zstd"`.
#[test]
fn zstd_is_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/parquet/zstd");
    let matrix = format::read(directory, &ReadOptions::default()).unwrap().0.into_f32();
    assert_eq!(matrix.dim(), (100, 8));
    assert!(matrix.iter().enumerate().all(|(i, &value)| value == (i % 100) as f32 / 4.0));
}

/// Two images, their labels and the names of the classes, as Hugging Face writes them: a start for
/// fuzzing, and what is in it.
#[test]
fn images_and_labels_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/parquet/images-and-labels");
    let (matrix, shape) = format::read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(shape, Some(Shape { width: 2, height: 1, colour: Colour::Rgb }));
    let levels = matrix.into_f32().mapv(|value| (255.0 * value).round() as u8);
    assert_eq!(levels, array![[255, 0, 0, 0, 255, 0], [51; 6]]);
    let labels = format::read_labels(&path, None, usize::MAX).unwrap();
    assert_eq!(
        (labels.values(), labels.names().unwrap()),
        (&[1, 0][..], &["cat".to_owned(), "dog".to_owned()][..])
    );
}

/// A real file, or nothing when it is not there.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// Published statistics of CIFAR-10 and known pixels of its first image.
#[test]
fn cifar10_is_read() {
    let file = "plain_text/train-00000-of-00001.parquet";
    let Some(path) = shared(&format!("cifar10-lossless/{file}")) else { return };
    let (matrix, shape) = format::read(path, &ReadOptions::default()).unwrap();
    assert_eq!(shape, Some(Shape { width: 32, height: 32, colour: Colour::Rgb }));
    let rows = matrix.into_f32();
    assert_eq!(rows.dim(), (4000, 3072));
    let first: Vec<f32> = rows.row(0).iter().take(9).map(|value| value * 255.0).collect();
    for (found, expected) in first.iter().zip([59.0, 62.0, 63.0, 43.0, 46.0, 45.0, 50.0, 48.0]) {
        assert!((found - expected).abs() < 1e-3, "{first:?}");
    }
    let Some(path) = shared("cifar10/plain_text/test-00000-of-00001.parquet") else { return };
    let options = image_folder::ReadOptions { size: Some((8, 8)), colour: Colour::Grey };
    let options = ReadOptions { member: Some("img"), images: options };
    let mut reader = format::RowReader::open(path, &options).unwrap();
    assert_eq!((reader.n_rows(), reader.dim()), (10_000, 64));
    assert_eq!(reader.next_batch(100).unwrap().unwrap().n_rows(), 100);
}

/// 9 of the images are grey and come out as RGB.
#[test]
fn tiny_imagenet_is_read() {
    let Some(path) = shared("tiny-imagenet/data/valid-00000-of-00001.parquet") else { return };
    let (matrix, shape) = format::read(path, &ReadOptions::default()).unwrap();
    assert_eq!(shape, Some(Shape { width: 64, height: 64, colour: Colour::Rgb }));
    let rows = matrix.into_f32();
    assert_eq!(rows.dim(), (1500, 12_288));
    let is_grey = |row: ndarray::ArrayView1<'_, f32>| {
        row.as_slice().unwrap().chunks(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2])
    };
    assert!(rows.outer_iter().filter(|row| is_grey(*row)).count() >= 9);
}
