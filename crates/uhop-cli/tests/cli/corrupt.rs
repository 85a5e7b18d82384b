//! `uhop sample` and `uhop corrupt`.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use tempfile::TempDir;
use uhop_data::{Corruption, Kind, Matrix, ReadOptions, sample};

use crate::{documented, fields, stderr, stdout, uhop};

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = uhop(folder, &[arguments, &["--json"]].concat()).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn rows(path: &Path) -> Array2<f32> {
    Kind::of(path).unwrap().read(path, &ReadOptions::default()).unwrap().into_f32()
}

/// The verb writes what the library computes, whatever the kind of file.
#[test]
fn corruptions_are_those_of_the_library() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let sampled = json(folder, &["sample", "digits.npy", "--count", "20"]);
    assert_eq!(fields(&sampled), documented("sample")[0]);
    assert_eq!((&sampled["n_rows"], &sampled["dim"]), (&20.into(), &784.into()));
    let digits = rows(&folder.join("digits.npy"));
    assert_eq!(digits, sample::digits().images().patterns().slice(ndarray::s![..20, ..]));
    let occlude = ["--occlude", "--size", "28x28", "--grey"];
    let region = ["--occlude-region", "10x5+2+3", "--size", "28x28", "--grey"];
    for (options, corruption) in [
        (&["--half-mask"][..], Corruption::half_mask()),
        (&["--mask", "0.3"], Corruption::mask(0.3).unwrap()),
        (&["--salt-and-pepper", "0.4"], Corruption::salt_and_pepper(0.4).unwrap()),
        (&["--noise", "0.25"], Corruption::gaussian_noise(0.25).unwrap()),
        (&["--noise-norm", "1.5"], Corruption::noise_of_norm(1.5).unwrap()),
        (&["--folded-noise-norm", "1.5"], Corruption::folded_noise_of_norm(1.5).unwrap()),
        (&occlude, Corruption::occluded_half(28, 28).unwrap()),
        (&region, Corruption::occluded_region((28, 28), 3..8, 2..12).unwrap()),
    ] {
        let expected = corruption.apply(digits.view(), 7).unwrap();
        for output in ["q.npy", "q.npz", "q.safetensors", "q.csv"] {
            let corrupt = ["corrupt", "digits.npy", "-o", output, "--seed", "7"];
            let document = json(folder, &[&corrupt, options].concat());
            assert_eq!(fields(&document), documented("corrupt")[0]);
            assert_eq!(document["corruption"], corruption.to_string());
            assert_eq!(rows(&folder.join(output)), expected, "{corruption}, {output}");
        }
    }
}

/// The lower half of a picture in colour is occluded in all three colours.
#[test]
fn images_are_damaged_as_images() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("images")).unwrap();
    let image =
        image::RgbImage::from_fn(3, 4, |x, y| image::Rgb([(20 * x) as u8, (30 * y) as u8, 200]));
    image.save(folder.join("images/one.png")).unwrap();
    let document = json(folder, &["corrupt", "images", "-o", "damaged/", "--occlude"]);
    assert_eq!(document["corruption"], "lower half of 4 x 3 images occluded");
    // Under the names that the images had.
    let damaged = image::open(folder.join("damaged/one.png")).unwrap().to_rgb8();
    for (x, y, pixel) in damaged.enumerate_pixels() {
        let expected = if y < 2 { *image.get_pixel(x, y) } else { image::Rgb([0; 3]) };
        assert_eq!(*pixel, expected, "{x}, {y}");
    }
    let region = ["corrupt", "images", "-o", "part/", "--occlude-region", "2x1+1+0"];
    let document = json(folder, &region);
    let words = "1 x 2 of 4 x 3 images occluded, from row 0 and column 1";
    assert_eq!(document["corruption"], words);
    let damaged = image::open(folder.join("part/one.png")).unwrap().to_rgb8();
    for (x, y, pixel) in damaged.enumerate_pixels() {
        let expected = if y == 0 && x > 0 { image::Rgb([0; 3]) } else { *image.get_pixel(x, y) };
        assert_eq!(*pixel, expected, "{x}, {y}");
    }
}

#[test]
fn what_cannot_be_corrupted_is_one_error() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let digits = Matrix::from(Array2::<f32>::ones((2, 6)));
    Kind::Csv.write(folder.join("d.csv"), &digits, &Default::default()).unwrap();
    fs::write(folder.join("huge.csv"), "1e300,1\n").unwrap();
    for (input, options, expected) in [
        ("d.csv", &[][..], "required"),
        ("d.csv", &["--half-mask", "--occlude"], "cannot be used with"),
        ("d.csv", &["--occlude"], "--size WxH"),
        ("d.csv", &["--occlude", "--size", "2x2", "--grey"], "2x2 in grey are rows of 4 numbers"),
        ("d.csv", &["--occlude", "--size", "3x2"], "hint: add --grey"),
        ("d.csv", &["--occlude", "--size", "4294967295x4294967295"], "machine can address"),
        ("d.csv", &["--occlude-region", "1x1+0+0"], "--occlude-region needs images"),
        (
            "d.csv",
            &["--occlude-region", "2x1+2+0", "--size", "3x2", "--grey"],
            "expected a part of the 2 rows and 3 columns, found the rows 0..1 and columns 2..4",
        ),
        ("d.csv", &["--occlude-region", "2x1"], "such as 10x5+0+3"),
        ("d.csv", &["--mask", "1"], "above 0 and below 1, found 1"),
        ("d.csv", &["--salt-and-pepper", "0"], "above 0 and below 1, found 0"),
        ("d.csv", &["--noise=-1"], "found -1"),
        ("d.csv", &["--noise-norm=-1"], "found -1"),
        ("d.csv", &["--folded-noise-norm=-1"], "found -1"),
        ("d.csv", &["--noise", "1", "--noise-norm", "1"], "cannot be used with"),
        ("huge.csv", &["--half-mask"], "huge.csv: "),
        ("none.csv", &["--half-mask"], "none.csv: cannot read"),
    ] {
        let corrupt = ["corrupt", input, "-o", "q.csv"];
        let output = uhop(folder, &[&corrupt, options].concat()).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{options:?}");
        assert!(stderr(&output).contains(expected), "{options:?}: {}", stderr(&output));
        assert!(!folder.join("q.csv").exists());
    }
}
