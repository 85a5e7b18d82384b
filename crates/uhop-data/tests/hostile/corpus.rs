use std::fs;
use std::path::{Path, PathBuf};

use crate::files::{self, Expected};
use crate::readers::{BUFFERS, READERS, alone, assert_one_line, measured};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The files of one folder.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths
}

/// Files that are made but not there are put there, and the test fails once, so that they are seen
/// and committed.
#[test]
fn the_files_are_those_that_are_made() {
    let _turn = alone();
    let mut new = Vec::new();
    for file in files::all() {
        let path = folder().join(file.format).join(file.name);
        if let Ok(found) = fs::read(&path) {
            assert!(found == file.bytes, "{} differs; remove it to make it anew", path.display());
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &file.bytes).unwrap();
            new.push(file.name);
        }
    }
    assert!(new.is_empty(), "made {new:?}; look at them, and run the test again");
}

/// Made or found by fuzzing: each is read within its memory, or refused in one line.
#[test]
fn every_file_is_read_or_refused_in_one_line_and_little_memory() {
    let _turn = alone();
    for reader in READERS {
        let paths = paths(&folder().join(reader.format));
        assert!(!paths.is_empty());
        for path in paths {
            let (name, size) = (path.display().to_string(), fs::metadata(&path).unwrap().len());
            let (outcome, peak) = measured(|| (reader.read)(&path));
            if let Err(error) = outcome {
                assert_one_line(&error, &name);
            }
            let limit = reader.multiple * size as usize + BUFFERS;
            assert!(peak <= limit, "{name}: {peak} bytes for a file of {size}, limit {limit}");
        }
    }
}

/// What is made to be refused is refused, with the words that say why.
#[test]
fn files_that_are_made_are_read_or_refused_as_said() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for file in files::all() {
        fs::write(&path, &file.bytes).unwrap();
        for reader in READERS.iter().filter(|reader| reader.format == file.format) {
            match ((reader.read)(&path), file.expected) {
                (Ok(()), Expected::Read | Expected::Either(_)) => {}
                (Err(error), Expected::Refused(says) | Expected::Either(says)) => {
                    let text = error.to_string();
                    assert!(text.contains(says), "{}: {text}", file.name);
                }
                (outcome, _) => panic!("{}: {outcome:?}", file.name),
            }
        }
    }
}
