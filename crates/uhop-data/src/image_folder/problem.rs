//! Every way in which a folder fails to be one of images, and every argument refused.

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "no images: expected files that end in .png, .jpg or .jpeg in the folder itself, found none"
    )]
    NoImages,
    #[error("neither PNG nor JPEG, whatever its name says; convert it or leave it out")]
    Format,
    #[error("the image is damaged ({detail}); replace it or leave it out")]
    Damaged { detail: String },
    #[error(
        "the image has {width} x {height} pixels in {n_bytes} bytes, expected at most {max_side} on a \
         side and {limit} in all; make it smaller or leave it out"
    )]
    TooLarge { width: u32, height: u32, n_bytes: usize, max_side: u32, limit: u64 },
    #[error(
        "the image has {} x {} pixels, expected {} x {} as the first one, {first}; give a size to \
         which all are resized",
        found.0, found.1, expected.0, expected.1
    )]
    OtherSize { expected: (u32, u32), found: (u32, u32), first: String },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentProblem {
    #[error("size of images: expected 1 to 16384 pixels on each side, found {width} x {height}")]
    Size { width: u32, height: u32 },
    #[error(
        "writing images: expected rows of {} values, {width} x {height} pixels of {n_values}, \
         found rows of {dim}; give the size and colour of the images",
        u64::from(*width) * u64::from(*height) * *n_values as u64
    )]
    Dim { width: u32, height: u32, n_values: usize, dim: usize },
    #[error(
        "writing images: row {row} has NaN at position {column}; remove or replace such values"
    )]
    NotANumber { row: usize, column: usize },
    #[error(
        "writing images: expected numbers from 0 to 1, found {value} in row {row} at position {column}, the \
         largest; if they go from 0 to 255, divide them by 255"
    )]
    TooBright { row: usize, column: usize, value: f64 },
    #[error("writing images: expected an empty or a new folder, found files in it; name another")]
    NotEmpty,
    #[error(
        "writing images: expected at most {n_names} rows of a file that does not say how many it \
         has, found more; convert it to npy first"
    )]
    Digits { n_names: usize },
    #[error("writing images: expected {expected} names, one per row, found {found}")]
    NameCount { expected: usize, found: usize },
    #[error("writing images: the name {found} is not a plain file name; rename it")]
    Name { found: String },
    #[error("writing images: the name {found} occurs twice, up to case; rename one")]
    NameTwice { found: String },
}
