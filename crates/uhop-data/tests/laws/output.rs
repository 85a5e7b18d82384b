use std::io::Write;

use ndarray::array;
use uhop_data::{Element, Matrix, OutputFile, npy};

fn files(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_that_is_given_up_leaves_the_old_one_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.npy");
    let old = Matrix::from(array![[1.0_f32]]);
    npy::write(&path, &old).unwrap();

    let mut file = OutputFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    assert_eq!(files(directory.path()).len(), 2);
    drop(file);
    let writer = npy::RowWriter::create(&path, Element::F32, 1).unwrap();
    let error = writer.commit().unwrap_err();
    assert!(error.is_invalid_argument());
    assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");

    assert_eq!(npy::read(&path).unwrap(), old);
    assert_eq!(files(directory.path()), ["a.npy"]);
}

#[test]
fn two_writers_of_one_file_do_not_mix() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let mut first = OutputFile::create(&path).unwrap();
    let mut second = OutputFile::create(&path).unwrap();
    first.write_all(b"first").unwrap();
    second.write_all(b"second").unwrap();
    second.commit().unwrap();
    first.commit().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"first");
    assert_eq!(files(directory.path()), ["a"]);
}

#[test]
fn a_folder_is_not_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let error = npy::write(directory.path(), &Matrix::from(array![[1.0_f32]])).unwrap_err();
    assert!(error.is_io());
    assert!(error.to_string().starts_with(directory.path().to_str().unwrap()), "{error}");
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_what_it_names_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("a.npy"), directory.path().join("link.npy"));
    std::fs::write(&path, "old").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let matrix = Matrix::from(array![[1.0_f32]]);
    npy::write(&link, &matrix).unwrap();
    assert!(link.is_symlink());
    assert_eq!(npy::read(&path).unwrap(), matrix);
}
