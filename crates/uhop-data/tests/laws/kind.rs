use ndarray::array;
use uhop_data::{Kind, Matrix, ReadOptions, WriteOptions, image_folder};

#[test]
fn names_tell_the_kind() {
    let cases = [
        ("a.npy", Kind::Npy),
        ("A.NPZ", Kind::Npz),
        ("a.b/c.Safetensors", Kind::Safetensors),
        ("a.csv", Kind::Csv),
        ("a.idx", Kind::Idx),
        ("a.idx.gz", Kind::Idx),
        ("t10k-labels-idx1-ubyte", Kind::Idx),
        ("train-00000-of-00001.parquet", Kind::Parquet),
        ("t10k-labels-idx1-ubyte.gz", Kind::Idx),
        ("no-such-folder/", Kind::Images),
        (".", Kind::Images),
    ];
    for (path, kind) in cases {
        assert_eq!(Kind::of(path).unwrap(), kind, "{path}");
    }
    for path in ["a", "a.txt", "npy", "a.npy.gz", "", "..npyx", "a.gz"] {
        let error = Kind::of(path).unwrap_err();
        assert!(error.is_invalid_argument());
        assert!(error.to_string().contains("unknown kind of file"), "{error}");
        for kind in [".npy", ".npz", ".safetensors", ".csv", ".idx", ".parquet", "folder of images"]
        {
            assert!(error.to_string().contains(kind), "{error}");
        }
    }
    let error = "orc".parse::<Kind>().unwrap_err();
    assert!(
        error.to_string().contains("\"orc\": expected npy, npz, safetensors, csv, idx, parquet")
    );
}

#[test]
fn every_kind_reads_what_it_wrote() {
    let matrix = Matrix::from(array![[0.0_f32, 1.0], [0.2, 0.4]]);
    let directory = tempfile::tempdir().unwrap();
    let colour = image_folder::Colour::Grey;
    let images = Some(image_folder::Shape { width: 1, height: 2, colour });
    let writing = WriteOptions { images, ..WriteOptions::default() };
    let reading = ReadOptions {
        images: image_folder::ReadOptions { colour, ..Default::default() },
        ..ReadOptions::default()
    };
    for kind in Kind::ALL {
        let path = directory.path().join(kind.to_string());
        let written = kind.write(&path, &matrix, &writing);
        if kind == Kind::Parquet {
            let error = written.unwrap_err();
            assert!(error.is_invalid_argument());
            assert!(error.to_string().contains("parquet files are read, not written"), "{error}");
            assert!(!path.exists());
            continue;
        }
        written.unwrap();
        let read = kind.read(&path, &reading).unwrap().into_f32();
        assert_eq!(Matrix::F32(read), matrix, "{kind}");
    }
    let path = directory.path().join("new");
    let error = Kind::Images.write(&path, &matrix, &WriteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("expected their size and colour"), "{error}");
}

#[test]
fn idx_images_are_scaled_and_other_values_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.idx");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Kind::of(&path).unwrap().read(&path, &ReadOptions::default())
    };
    let images = read(&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255]).unwrap();
    assert_eq!(images, Matrix::from(array![[0.0_f32, 1.0]]));
    let bytes = read(&[0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255]).unwrap();
    assert_eq!(bytes, Matrix::from(array![[0.0_f32, 255.0]]));
    let integers = read(&[0, 0, 12, 2, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1]).unwrap();
    assert_eq!(integers, Matrix::from(array![[16_777_217.0_f64]]));
    let labels = read(&[0, 0, 8, 1, 0, 0, 0, 1, 7]).unwrap_err();
    assert!(labels.is_format());
    assert!(labels.to_string().starts_with(path.to_str().unwrap()), "{labels}");
}
