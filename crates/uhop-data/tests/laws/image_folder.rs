use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use ndarray::{Array2, array};
use proptest::prelude::*;
use uhop_data::Matrix;
use uhop_data::image_folder::{self, Colour, Folder, ReadOptions, Shape};

use crate::support::*;

const GREY: ReadOptions = ReadOptions { size: None, colour: Colour::Grey };
const RGB: ReadOptions = ReadOptions { size: None, colour: Colour::Rgb };

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// 3 x 2 pixels.
fn small_grey() -> GrayImage {
    GrayImage::from_fn(3, 2, |x, y| Luma([(50 * (x + 3 * y)) as u8]))
}

fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

fn read_one(bytes: &[u8], options: &ReadOptions) -> uhop_data::Result<Folder> {
    image_folder::read(folder_of(&[("a.png", bytes)]).path(), options)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes survive exactly, in both colours and from both precisions.
    #[test]
    fn what_was_written_is_read(
        (width, height, n) in (1_u32..=5, 1_u32..=5, 1_usize..=4), rgb: bool, double: bool, seed: u8,
    ) {
        let colour = if rgb { Colour::Rgb } else { Colour::Grey };
        let shape = Shape { width, height, colour };
        let value = |(i, j)| f32::from(seed.wrapping_add((31 * i + 7 * j) as u8)) / 255.0;
        let rows = Array2::from_shape_fn((n, shape.dim().unwrap()), value);
        let matrix = match double {
            true => Matrix::F64(rows.mapv(f64::from)),
            false => Matrix::F32(rows.clone()),
        };
        let directory = tempfile::tempdir().unwrap();
        image_folder::write(directory.path(), &matrix, shape, None).unwrap();
        let options = ReadOptions { size: None, colour };
        let read = image_folder::read(directory.path(), &options).unwrap();
        prop_assert_eq!(read.shape(), shape);
        prop_assert_eq!(read.rows(), rows);
    }
}

#[test]
fn images_come_in_the_order_of_their_names() {
    let image = |value| encoded(GrayImage::from_pixel(1, 1, Luma([value])), ImageFormat::Png);
    let directory = folder_of(&[
        ("b.png", &image(51)),
        ("a10.PNG", &image(255)),
        ("a9.png", &image(0)),
        (".hidden.png", b"not an image"),
        ("notes.txt", b"not an image"),
    ]);
    std::fs::create_dir(directory.path().join("c.png")).unwrap();
    let folder = image_folder::read(directory.path(), &GREY).unwrap();
    assert_eq!(folder.names(), ["a10.PNG", "a9.png", "b.png"]);
    assert_eq!(folder.rows(), array![[1.0], [0.0], [0.2]]);
}

#[test]
fn formats_depths_and_colours_are_converted() {
    let grey = small_grey();
    let expected: Vec<f32> = grey.as_raw().iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let deep = DynamicImage::ImageLuma8(grey.clone()).into_luma16();
    let colour = DynamicImage::ImageLuma8(grey.clone()).into_rgb8();
    let transparent = DynamicImage::ImageLuma8(grey.clone()).into_luma_alpha8();
    for bytes in [
        encoded(grey.clone(), ImageFormat::Png),
        encoded(deep, ImageFormat::Png),
        encoded(colour, ImageFormat::Png),
        encoded(transparent, ImageFormat::Png),
    ] {
        let rows = read_one(&bytes, &GREY).unwrap().rows().to_owned();
        for (found, expected) in rows.iter().zip(&expected) {
            assert!((found - expected).abs() <= 2.0 * f32::EPSILON, "{found} {expected}");
        }
        let rgb = read_one(&bytes, &RGB).unwrap();
        assert_eq!(rgb.rows().ncols(), 18);
        assert_eq!(rgb.rows()[[0, 3]], rgb.rows()[[0, 5]]);
    }
    // JPEG is lossy; a flat image survives nearly.
    let flat = encoded(RgbImage::from_pixel(8, 8, Rgb([200, 100, 50])), ImageFormat::Jpeg);
    let rows = read_one(&flat, &RGB).unwrap();
    for (found, expected) in rows.rows().iter().zip([200.0, 100.0, 50.0].iter().cycle()) {
        assert!((found - expected / 255.0).abs() < 3.0 / 255.0, "{found} {expected}");
    }
}

#[test]
fn images_are_resized_when_asked() {
    let half = GrayImage::from_fn(64, 32, |x, _| Luma([if x < 32 { 0 } else { 255 }]));
    let directory = folder_of(&[
        ("a.png", &encoded(half, ImageFormat::Png)),
        ("b.png", &encoded(GrayImage::from_pixel(3, 5, Luma([51])), ImageFormat::Png)),
    ]);
    let options = ReadOptions { size: Some((4, 2)), colour: Colour::Grey };
    let folder = image_folder::read(directory.path(), &options).unwrap();
    assert_eq!(folder.shape(), Shape { width: 4, height: 2, colour: Colour::Grey });
    let rows = folder.rows();
    assert!(rows.iter().all(|value| (0.0..=1.0).contains(value)));
    assert!(rows[[0, 0]] < 0.01 && rows[[0, 3]] > 0.99 && rows[[0, 1]] < rows[[0, 2]]);
    assert!(rows.row(1).iter().all(|value| (value - 0.2).abs() < 1e-6));

    let error = image_folder::read(directory.path(), &GREY).unwrap_err();
    assert_says(&error, "sizes", "has 3 x 5 pixels, expected 64 x 32 as the first one, a.png");
    for size in [(0, 1), (1, 0), (1, 16_385)] {
        let options = ReadOptions { size: Some(size), colour: Colour::Grey };
        let error = image_folder::read(directory.path(), &options).unwrap_err();
        assert!(error.is_invalid_argument(), "{error}");
    }
}

/// A PNG file that declares this size and has no pixels.
fn forged(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let chunk = |content: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let length = content.len() as u32 - 4;
        [&length.to_be_bytes(), content, &crc.sum().to_be_bytes()].concat()
    };
    let data = [b"IDAT".to_vec(), vec![0; 16_000]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(&header), chunk(&data), chunk(b"IEND")].concat()
}

#[test]
fn rejected_images_say_why() {
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", vec![], "neither PNG nor JPEG"),
        ("text", b"text".to_vec(), "neither PNG nor JPEG"),
        ("gif", b"GIF89a\x01\x00\x01\x00".to_vec(), "neither PNG nor JPEG"),
        ("no pixels", forged(8, 8), "the image is damaged"),
        ("2^31 wide", forged(1 << 31, 1 << 31), "image"),
        ("wide", forged(20_000, 1), "image"),
        ("2^28 pixels", forged(1 << 14, 1 << 14), "has 16384 x 16384 pixels in 16057 bytes"),
        ("bomb", forged(1 << 13, 1 << 13).split_off(0)[..900].to_vec(), "image"),
    ];
    for (name, bytes, message) in cases {
        let directory = folder_of(&[("a.png", bytes)]);
        let error = image_folder::read(directory.path(), &GREY).unwrap_err();
        assert_says(&error, name, message);
        assert!(error.to_string().contains("a.png: "), "{error}");
    }
    let nothing = tempfile::tempdir().unwrap();
    let error = image_folder::read(nothing.path(), &GREY).unwrap_err();
    assert_says(&error, "no images", "no images: expected files that end in .png");
    let missing = image_folder::read(nothing.path().join("a"), &GREY).unwrap_err();
    assert!(missing.is_io());
}

fn parse(path: &Path, bytes: &[u8]) -> uhop_data::Result<Matrix> {
    std::fs::write(path.join("a.png"), bytes).unwrap();
    image_folder::read(path, &RGB).map(Folder::into_matrix)
}

#[test]
fn damaged_files_never_panic() {
    let directory = tempfile::tempdir().unwrap();
    let png = encoded(small_grey(), ImageFormat::Png);
    every_flip_is_harmless(&png, |bytes| parse(directory.path(), bytes));
    let jpeg = encoded(small_grey(), ImageFormat::Jpeg);
    for file in [png, jpeg] {
        for n in 0..file.len() {
            if let Err(error) = parse(directory.path(), &file[..n]) {
                assert!(error.is_format(), "{n} of {} bytes: {error}", file.len());
                assert_one_line(&error, "truncated");
            }
            for bit in 0..8 {
                let mut bytes = file.clone();
                bytes[n] ^= 1 << bit;
                if let Err(error) = parse(directory.path(), &bytes) {
                    assert!(error.is_format(), "bit {bit} of byte {n}: {error}");
                    assert_one_line(&error, "flipped");
                }
            }
        }
    }
}

#[test]
fn values_are_limited_scaled_and_rounded() {
    let directory = tempfile::tempdir().unwrap();
    let rows = array![[-1.0_f64, 0.0, 0.4999 / 255.0, 0.5001 / 255.0, 1.0, 2.0]];
    let shape = Shape { width: 6, height: 1, colour: Colour::Grey };
    image_folder::write(directory.path(), &rows.into(), shape, None).unwrap();
    let read = image_folder::read(directory.path(), &GREY).unwrap();
    assert_eq!(read.rows(), array![[0.0, 0.0, 0.0, 1.0 / 255.0, 1.0, 1.0]]);
}

#[test]
fn names_never_leave_the_folder() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("images");
    let matrix = Matrix::from(array![[0.5_f32]]);
    let shape = Shape { width: 1, height: 1, colour: Colour::Grey };
    let long = "a".repeat(201);
    for name in [
        "", ".", "..", "../a", "a/b", "/a", "a\\b", "..\\a", "C:a", "a\0b", "a\nb", ".a", "a.",
        "a ", "a*", "a|b", &long,
    ] {
        let names = [name.to_owned()];
        let error = image_folder::write(&folder, &matrix, shape, Some(&names)).unwrap_err();
        assert!(error.is_invalid_argument(), "{name:?}: {error}");
        assert_one_line(&error, name);
        assert!(!folder.exists(), "{name:?}");
    }
    let names = ["my cat.jpg".to_owned()];
    image_folder::write(&folder, &matrix, shape, Some(&names)).unwrap();
    assert_eq!(image_folder::read(&folder, &GREY).unwrap().names(), ["my cat.jpg.png"]);
}

#[test]
fn refused_writes_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("images");
    let two = Matrix::from(array![[0.5_f32], [0.5]]);
    let grey = |width, height| Shape { width, height, colour: Colour::Grey };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (one, equal) = (names(&["a"]), names(&["a", "A.PNG"]));
    let nan = Matrix::from(array![[f64::NAN]]);
    let bytes = Matrix::from(array![[0.0_f32], [235.0]]);
    let infinite = Matrix::from(array![[f64::INFINITY]]);
    let cases: [(&Matrix, Shape, Option<&[String]>, &str); 8] = [
        (&bytes, grey(1, 1), None, "found 235 in row 1 at position 0, the largest"),
        (&infinite, grey(1, 1), None, "found inf in row 0"),
        (&two, grey(2, 1), None, "rows of 2 values, 2 x 1 pixels of 1, found rows of 1;"),
        (&two, grey(0, 1), None, "expected 1 to 16384 pixels on each side, found 0 x 1"),
        (&two, Shape { colour: Colour::Rgb, ..grey(1, 1) }, None, "rows of 3 values"),
        (&two, grey(1, 1), Some(&one), "expected 2 names, one per row, found 1"),
        (&two, grey(1, 1), Some(&equal), "the name \"A.PNG\" occurs twice"),
        (&nan, grey(1, 1), None, "row 0 has NaN at position 0"),
    ];
    for (matrix, shape, names, message) in cases {
        let error = image_folder::write(&folder, matrix, shape, names).unwrap_err();
        assert!(error.is_invalid_argument(), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(!folder.exists());
    }
    image_folder::write(&folder, &two, grey(1, 1), None).unwrap();
    let error = image_folder::write(&folder, &two, grey(1, 1), None).unwrap_err();
    assert!(error.is_invalid_argument());
    assert!(error.to_string().contains("expected an empty or a new folder"), "{error}");
}
