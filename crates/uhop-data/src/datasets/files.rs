//! Where the files of a split are.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Dataset, Problem, Split};
use crate::{Error, Result};

/// One way in which a split is stored.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout {
    /// Two IDX files, each also with `.gz`.
    Idx { images: &'static str, labels: &'static str },
    /// Parquet files whose names start so, with the labels in this column.
    Parquet { folder: &'static str, start: &'static str, label: &'static str },
}

/// The files of a split that are there, one way or the other.
#[derive(Debug)]
pub(super) enum Files {
    Idx { images: PathBuf, labels: PathBuf },
    Parquet { files: Vec<PathBuf>, label: &'static str },
}

pub(super) fn layouts(dataset: Dataset, split: Split) -> Vec<Layout> {
    let start = match (dataset, split) {
        (_, Split::Train) => "train-",
        (Dataset::TinyImagenet, Split::Test) => "valid-",
        (_, Split::Test) => "test-",
    };
    let parquet = |folder, label| Layout::Parquet { folder, start, label };
    match dataset {
        Dataset::Mnist => {
            let (images, labels) = match split {
                Split::Train => ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
                Split::Test => ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
            };
            vec![Layout::Idx { images, labels }, parquet("mnist", "label")]
        }
        Dataset::Cifar10 => vec![parquet("plain_text", "label")],
        Dataset::Cifar100 => vec![parquet("cifar100", "fine_label")],
        Dataset::TinyImagenet => vec![parquet("data", "label")],
    }
}

/// The files of a split in a folder of the set's name inside of `folder`, or else in `folder`.
pub(super) fn find(dataset: Dataset, folder: &Path, split: Split) -> Result<Files> {
    for base in [folder.join(dataset.name()), folder.to_owned()] {
        for layout in layouts(dataset, split) {
            if let Some(files) = layout.find(&base)? {
                return Ok(files);
            }
        }
    }
    let problem = if folder.is_dir() {
        Problem::Missing { dataset, split }
    } else {
        Problem::NoFolder { dataset, split }
    };
    Err(Error::io(io::Error::new(io::ErrorKind::NotFound, problem)).at(folder))
}

impl Layout {
    fn find(self, base: &Path) -> Result<Option<Files>> {
        match self {
            Self::Idx { images, labels } => {
                let Some(images) = plain_or_packed(base, images) else { return Ok(None) };
                let Some(found) = plain_or_packed(base, labels) else {
                    let missing = Problem::MissingLabels { expected: labels.to_owned() };
                    // Not `NotFound`: the split is there, in part.
                    let missing = io::Error::new(io::ErrorKind::InvalidData, missing);
                    return Err(Error::io(missing).at(images));
                };
                Ok(Some(Files::Idx { images, labels: found }))
            }
            Self::Parquet { folder, start, label } => {
                let folder = base.join(folder);
                let files =
                    starting_with(&folder, start).map_err(|error| Error::io(error).at(&folder))?;
                Ok((!files.is_empty()).then_some(Files::Parquet { files, label }))
            }
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idx { images, labels } => write!(f, "{images}[.gz] with {labels}[.gz]"),
            Self::Parquet { folder, start, .. } => write!(f, "{folder}/{start}*.parquet"),
        }
    }
}

fn plain_or_packed(base: &Path, name: &str) -> Option<PathBuf> {
    [base.join(name), base.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

/// The Parquet files of a folder whose names start so, in the order of the names; none when the folder
/// is not there.
fn starting_with(folder: &Path, start: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(vec![]);
        }
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_one =
            name.to_str().is_some_and(|name| name.starts_with(start) && name.ends_with(".parquet"));
        if is_one {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}
