//! Every way in which files fail to be the data set they should be.

use super::{Dataset, Split};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "no {split} images of {}: expected {} here or in a folder {dataset} inside; put the files \
         there or name another folder",
        dataset.title(),
        dataset.files(*split).join(" or ")
    )]
    Missing { dataset: Dataset, split: Split },
    #[error(
        "there is no such folder: expected one with the {split} images of {}, {}, or with a folder {dataset} that has \
         them; put the files there or name another folder",
        dataset.title(),
        dataset.files(*split).join(" or ")
    )]
    NoFolder { dataset: Dataset, split: Split },
    #[error("no labels of these images: expected {expected} beside them; put it there")]
    MissingLabels { expected: String },
    #[error(
        "the images are not those of {}: they have {} x {} pixels, expected {} x {}; name another \
         folder", dataset.title(), found.0, found.1, dataset.shape().width, dataset.shape().height
    )]
    Size { dataset: Dataset, found: (u32, u32) },
    #[error("not images: expected bytes in three dimensions; name another folder")]
    NotImages,
    #[error(
        "the labels are not those of {}: the file names {found} classes, expected {}; name another \
         folder", dataset.title(), dataset.n_classes()
    )]
    Classes { dataset: Dataset, found: usize },
    #[error(
        "the labels are not those of {}: row {row} has {found}, expected 0 to {}; name another folder",
        dataset.title(), dataset.n_classes() - 1
    )]
    Label { dataset: Dataset, row: usize, found: u32 },
    #[error("{found} labels, expected one for each of {expected} images; copy both files again")]
    LabelCount { expected: usize, found: usize },
    #[error(
        "these are not the {split} images of {}: the files have {found}, expected at most {}; leave \
         only its own files in the folder", dataset.title(), dataset.n_images(*split)
    )]
    TooMany { dataset: Dataset, split: Split, found: usize },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentProblem {
    #[error(
        "unknown data set {found}: expected {}", Dataset::ALL.map(Dataset::name).join(", ")
    )]
    Name { found: String },
    #[error("reading a data set: expected a limit of at least one image, found 0")]
    NoImages,
}
