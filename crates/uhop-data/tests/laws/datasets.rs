use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use ndarray::{Axis, s};
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use uhop_data::datasets::{Coding, Dataset, LabelledImages, Split};
use uhop_data::image_folder::Colour;
use uhop_data::{Matrix, idx};

use crate::parquet::{Leaf, described, encoded, file, plain, shared};
use crate::support::*;

/// Images of one pixel value each, and their labels in columns of these names.
fn parquet(
    files: Vec<Vec<u8>>,
    columns: &[&str],
    labels: &[i64],
    properties: WriterProperties,
) -> Vec<u8> {
    let n = files.len();
    let columns: String =
        columns.iter().map(|column| format!("required int64 {column}; ")).collect();
    let schema = format!(
        "message m {{ optional group img {{ optional binary bytes; optional binary path (UTF8); }} \
         {columns} }}"
    );
    let bytes = files.into_iter().map(ByteArray::from).collect();
    let mut leaves = vec![Leaf::Bytes(bytes, vec![2; n]), Leaf::Bytes(vec![], vec![1; n])];
    // The first column of labels counts; another has nothing but 0.
    for i in 0..columns.matches("int64").count() {
        leaves.push(Leaf::I64(if i == 0 { labels.to_vec() } else { vec![0; n] }));
    }
    file(&schema, properties, vec![leaves])
}

fn square(dataset: Dataset, level: u8, format: ImageFormat) -> Vec<u8> {
    let side = dataset.shape().width;
    let image: DynamicImage = match dataset.shape().colour {
        Colour::Grey => GrayImage::from_pixel(side, side, Luma([level])).into(),
        Colour::Rgb => RgbImage::from_pixel(side, side, Rgb([level, 0, 255])).into(),
    };
    encoded(image, format)
}

fn squares(dataset: Dataset, levels: &[u8], format: ImageFormat) -> Vec<Vec<u8>> {
    levels.iter().map(|&level| square(dataset, level, format)).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn levels(images: &LabelledImages) -> Vec<u8> {
    images.patterns().column(0).iter().map(|&value| (255.0 * value).round() as u8).collect()
}

/// Every set, in its Parquet layout, in the folder itself and in one of its name: images, labels and
/// limit.
#[test]
fn every_data_set_is_found_and_read() {
    for dataset in Dataset::ALL {
        for inside in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let base =
                if inside { folder.path().join(dataset.name()) } else { folder.path().into() };
            let column = if dataset == Dataset::Cifar100 { "fine_label" } else { "label" };
            let columns = [column, "coarse_label"];
            for split in [Split::Train, Split::Test] {
                let pattern = dataset.files(split).pop().unwrap();
                let labels: [i64; 3] = match split {
                    Split::Train => [3, 1, 9],
                    Split::Test => [2, 0, 0],
                };
                let images = squares(dataset, &[7, 80, 255], ImageFormat::Png);
                let bytes = parquet(images, &columns, &labels, plain());
                let path = write(&base, &pattern.replace('*', "00000-of-00001-abc"), &bytes);
                for limit in [None, Some(2), Some(99)] {
                    let read = dataset.load(folder.path(), split, limit).unwrap();
                    let n = limit.unwrap_or(3).min(3);
                    assert_eq!(read.patterns().dim(), (n, dataset.shape().dim().unwrap()));
                    assert!(read.patterns().iter().all(|value| (0.0..=1.0).contains(value)));
                    assert_eq!(levels(&read), [7, 80, 255][..n]);
                    let labels = labels.map(|label| label as u32);
                    assert_eq!(read.labels(), &labels[..n]);
                    assert_eq!(read.class_names(), None);
                    let provenance = read.provenance();
                    assert_eq!((provenance.dataset, provenance.split), (dataset, split));
                    assert_eq!((provenance.n_available, provenance.code()), (3, "subset"));
                    assert_eq!(provenance.files, std::slice::from_ref(&path));
                }
            }
        }
    }
}

/// IDX files come before Parquet ones, plain before packed.
#[test]
fn mnist_is_read_from_idx_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let shape = Dataset::Mnist.shape();
    let rows = ndarray::Array2::from_shape_fn((3, 784), |(i, j)| ((i + j) % 256) as f32 / 255.0);
    idx::write(folder.join("t10k-images-idx3-ubyte.gz"), &rows.clone().into(), Some(shape))
        .unwrap();
    let labels = [0, 0, 8, 1, 0, 0, 0, 3, 4, 0, 9];
    let path = write(folder, "t10k-labels-idx1-ubyte", &labels);
    let load = |limit| Dataset::Mnist.load(folder, Split::Test, limit);
    let read = load(None).unwrap();
    assert_eq!((read.patterns(), read.labels()), (rows.view(), &[4, 0, 9][..]));
    assert_eq!(read.provenance().coding, Coding::Lossless);
    assert_eq!(read.provenance().files[1], path);
    let first = load(Some(2)).unwrap().into_parts();
    assert_eq!(first, (rows.slice(s![..2, ..]).to_owned(), vec![4, 0]));

    write(folder, "t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 4, 0]);
    assert_says(
        &load(Some(1)).unwrap_err(),
        "count",
        "2 labels, expected one for each of 3 images",
    );
    write(folder, "t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 3, 4, 10, 0]);
    assert_says(&load(None).unwrap_err(), "label", "row 1 has 10, expected 0 to 9");
    fs::remove_file(&path).unwrap();
    let error = load(None).unwrap_err();
    assert!(error.is_io());
    assert!(error.to_string().contains("expected t10k-labels-idx1-ubyte beside them"), "{error}");
    let matrix = Matrix::from(ndarray::array![[0.5_f32]]);
    idx::write(folder.join("t10k-images-idx3-ubyte"), &matrix, None).unwrap();
    write(folder, "t10k-labels-idx1-ubyte", &labels);
    assert_says(&load(None).unwrap_err(), "matrix", "not images: expected bytes in three");
}

#[test]
fn several_files_are_one_split() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let names: Vec<String> = (0..10).map(|i| format!("c{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (i, levels) in [[1, 2], [3, 4]].iter().enumerate() {
        let images = squares(Dataset::Cifar10, levels, ImageFormat::Png);
        let bytes = parquet(images, &["label"], &[5, 6], described(&[("label", &names)]));
        write(folder, &format!("plain_text/train-{i:05}-of-00002.parquet"), &bytes);
    }
    write(folder, "plain_text/train-notes.txt", b"not read");
    let load = |limit| Dataset::Cifar10.load(folder, Split::Train, limit).unwrap();
    assert_eq!(levels(&load(None)), [1, 2, 3, 4]);
    assert_eq!((levels(&load(Some(3))), load(Some(3)).labels()), (vec![1, 2, 3], &[5, 6, 5][..]));
    let first = load(Some(1));
    assert_eq!((levels(&first), first.provenance().n_available), (vec![1], 4));
    assert_eq!(first.class_names().unwrap()[9], "c9");
}

/// The bytes tell, not the names: one JPEG among the images that are read is enough.
#[test]
fn jpeg_copies_are_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for dataset in [Dataset::Cifar10, Dataset::TinyImagenet] {
        let [png, jpeg] =
            [ImageFormat::Png, ImageFormat::Jpeg].map(|format| square(dataset, 9, format));
        let bytes = parquet(vec![png, jpeg], &["label"], &[0, 1], plain());
        let pattern = dataset.files(Split::Test).pop().unwrap();
        write(folder, &pattern.replace('*', "lossless"), &bytes);
        let load = |limit| dataset.load(folder, Split::Test, Some(limit)).unwrap();
        assert_eq!(load(1).provenance().coding, Coding::Lossless);
        let both = load(2);
        if dataset == Dataset::Cifar10 {
            assert_eq!(
                (both.provenance().coding, both.provenance().code()),
                (Coding::Jpeg, "jpeg+subset")
            );
        } else {
            assert_eq!(
                (both.provenance().coding, both.provenance().code()),
                (Coding::OriginalJpeg, "subset")
            );
            assert_eq!(
                both.provenance().to_string(),
                "Tiny ImageNet test, JPEG as the official images, 2 of 10,000 images"
            );
        }
    }
}

#[test]
fn what_is_not_the_data_set_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let load = |dataset: Dataset| dataset.load(folder, Split::Train, Some(1));
    for dataset in Dataset::ALL {
        let error = load(dataset).unwrap_err();
        assert!(error.is_io(), "{error}");
        assert_one_line(&error, "missing");
        for file in dataset.files(Split::Train) {
            assert!(error.to_string().contains(&file), "{error}");
        }
    }
    let error = Dataset::Mnist.load(folder, Split::Train, Some(0)).unwrap_err();
    assert!(error.is_invalid_argument(), "{error}");
    assert!(
        "cifar".parse::<Dataset>().unwrap_err().to_string().contains("mnist, cifar10, cifar100")
    );

    let name = "plain_text/train-00000-of-00001.parquet";
    let image = |dataset| squares(dataset, &[9], ImageFormat::Png);
    let cases = [
        (
            parquet(image(Dataset::TinyImagenet), &["label"], &[0], plain()),
            "not those of CIFAR-10: they have 64 x 64 pixels, expected 32 x 32",
        ),
        (
            parquet(image(Dataset::Cifar10), &["label"], &[10], plain()),
            "not those of CIFAR-10: row 0 has 10, expected 0 to 9",
        ),
        (
            parquet(
                image(Dataset::Cifar10),
                &["label"],
                &[1],
                described(&[("label", &["a", "b"])]),
            ),
            "names 2 classes, expected 10",
        ),
        (parquet(image(Dataset::Cifar10), &["fine_label"], &[1], plain()), "no column \"label\""),
        (parquet(vec![b"text".to_vec()], &["label"], &[1], plain()), "row 0: neither PNG nor JPEG"),
        (b"text".to_vec(), "not a complete Parquet file"),
    ];
    for (bytes, message) in cases {
        let path = write(folder, name, &bytes);
        let error = load(Dataset::Cifar10).unwrap_err();
        assert_says(&error, message, message);
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    }
    let many = vec![square(Dataset::Mnist, 9, ImageFormat::Png); 10_001];
    let bytes = parquet(many, &["label"], &[0; 10_001], WriterProperties::default());
    write(folder, "mnist/test-00000-of-00001.parquet", &bytes);
    let error = Dataset::Mnist.load(folder, Split::Test, Some(1)).unwrap_err();
    assert_says(&error, "many", "the files have 10001, expected at most 10000");
}

/// Mean and standard deviation of each value of a pixel.
fn statistics(images: &LabelledImages) -> Vec<(f64, f64)> {
    let n_values = images.provenance().dataset.shape().colour.n_values();
    let patterns = images.patterns();
    let n = (patterns.len() / n_values) as f64;
    let mut sums = vec![(0.0, 0.0); n_values];
    for row in patterns.axis_iter(Axis(0)) {
        for (j, &value) in row.iter().enumerate() {
            let value = f64::from(value);
            sums[j % n_values].0 += value;
            sums[j % n_values].1 += value * value;
        }
    }
    let moments = |(sum, squares): (f64, f64)| (sum / n, (squares / n - (sum / n).powi(2)).sqrt());
    sums.into_iter().map(moments).collect()
}

/// Published to four digits, of all images of a split.
fn assert_statistics(images: &LabelledImages, expected: &[(f64, f64)]) {
    let found = statistics(images);
    let is_close =
        |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).abs() < 1e-4 && (a.1 - b.1).abs() < 1e-4;
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(is_close), "{found:?}, not {expected:?}");
}

#[test]
fn mnist_is_exact() {
    let Some(folder) = shared("mnist").and_then(|path| Some(path.parent()?.to_owned())) else {
        return;
    };
    let train = Dataset::Mnist.load(&folder, Split::Train, None).unwrap();
    assert_statistics(&train, &[(0.1307, 0.3081)]);
    assert_eq!(
        train.provenance().to_string(),
        "MNIST train, stored without loss, 60,000 of 60,000 images"
    );
    assert_eq!(train.provenance().code(), "exact");
    let test = Dataset::Mnist.load(folder.join("mnist"), Split::Test, Some(1000)).unwrap();
    let sample = uhop_data::sample::digits();
    assert_eq!(test.patterns(), sample.images().patterns());
    assert!(test.labels().iter().zip(sample.labels()).all(|(&a, &b)| a == u32::from(b)));
}

/// JPEG decoders differ by a few levels, which the mean over all images hardly shows.
#[test]
fn the_jpeg_copy_of_cifar10_is_read() {
    let Some(folder) = shared("cifar10").and_then(|path| Some(path.parent()?.to_owned())) else {
        return;
    };
    let test = Dataset::Cifar10.load(&folder, Split::Test, None).unwrap();
    assert_eq!(test.patterns().dim(), (10_000, 3072));
    assert_eq!(test.provenance().code(), "jpeg");
    for class in 0..10 {
        assert_eq!(test.labels().iter().filter(|&&label| label == class).count(), 1000);
    }
    assert_eq!(test.class_names().unwrap()[..2], ["airplane", "automobile"]);
    let train = Dataset::Cifar10.load(&folder, Split::Train, Some(2000)).unwrap();
    assert_eq!(train.provenance().n_available, 50_000);
    // Close to the means of all 50,000: 2,000 images of standard deviation .15 or less have errors
    // of .0034, and five of them are .017.
    for ((mean, _), expected) in statistics(&train).into_iter().zip([0.4913, 0.4821, 0.4465]) {
        assert!((mean - expected).abs() < 0.017, "{mean}, not {expected}");
    }
}

#[test]
fn the_lossless_subset_of_cifar10_is_read() {
    let Some(folder) = shared("cifar10-lossless") else { return };
    let train = Dataset::Cifar10.load(&folder, Split::Train, None).unwrap();
    assert_eq!(
        train.provenance().to_string(),
        "CIFAR-10 train, stored without loss, 4,000 of 50,000 images"
    );
    assert_eq!(train.provenance().code(), "subset");
    assert_eq!(train.labels()[..10], [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]);
    let first: Vec<u8> =
        train.patterns().row(0).iter().take(9).map(|&x| (255.0 * x).round() as u8).collect();
    assert_eq!(first, [59, 62, 63, 43, 46, 45, 50, 48, 43]);
    assert!(Dataset::Cifar10.load(&folder, Split::Test, None).unwrap_err().is_io());
}

#[test]
fn the_subset_of_tiny_imagenet_is_read() {
    let Some(folder) = shared("tiny-imagenet") else { return };
    let test = Dataset::TinyImagenet.load(&folder, Split::Test, None).unwrap();
    assert_eq!(
        test.provenance().to_string(),
        "Tiny ImageNet test, JPEG as the official images, 1,500 of 10,000 images"
    );
    assert_eq!(test.patterns().dim(), (1500, 12_288));
    assert_eq!(test.class_names().unwrap().len(), 200);
    for class in 0..30 {
        assert_eq!(test.labels().iter().filter(|&&label| label == class).count(), 50);
    }
    let train = Dataset::TinyImagenet.load(&folder, Split::Train, Some(500)).unwrap();
    assert_eq!((train.labels().len(), train.provenance().n_available), (500, 15_000));
}
