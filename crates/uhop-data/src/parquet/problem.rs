//! Every way in which bytes fail to be the Parquet file they should be.

use crate::bytes::quoted;
use crate::image_folder;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "not a complete Parquet file: expected it to start and to end with \"PAR1\"; \
         check that this is the right file, or copy it again"
    )]
    Magic,
    #[error(
        "the Parquet footer takes {found} bytes, expected at most {limit} and no more than the file; \
         save the one column that is needed by itself"
    )]
    FooterSize { found: u64, limit: u64 },
    #[error("the Parquet file is damaged ({}); copy or download the file again", quoted(detail))]
    Damaged { detail: String },
    #[error(
        "no column can be read as rows, found {found}: expected lists of float or double, all of one \
         length, or images as a struct of bytes and path; save the numbers as one list column"
    )]
    NoColumn { found: String },
    #[error("the Parquet file has several columns of rows, found {found}; name the one to read")]
    Several { found: String },
    #[error("the Parquet file has no column {}, found {found}", quoted(name))]
    Missing { name: String, found: String },
    #[error("the Parquet file has two columns {}, expected one; save the file again", quoted(name))]
    Twice { name: String },
    #[error(
        "column {} is {found}: expected lists of float or double, or images as a struct of bytes and \
         path; name another or save it as such",
        quoted(name)
    )]
    NotRows { name: String, found: String },
    #[error(
        "no column can be read as labels, found {found}: expected one integer a row; save them so"
    )]
    NoLabels { found: String },
    #[error("the Parquet file has several columns of labels, found {found}; name the one to read")]
    SeveralLabels { found: String },
    #[error("column {} has no labels: expected one integer a row; name another", quoted(name))]
    NotLabels { name: String },
    #[error("the Parquet file has no rows, expected at least one")]
    NoRows,
    #[error("column {}: {problem}", quoted(name))]
    Column { name: String, problem: Column },
    #[error(
        "values in encoding {code}, expected 0 (plain), 2 or 8 (dictionary) or 9 (byte stream split); \
         save the file with the writer's defaults"
    )]
    Encoding { code: i32 },
    #[error(
        "compressed by {found}, expected none, snappy, gzip or zstd; save the file with one of these"
    )]
    Codec { found: String },
    #[error(
        "a page of {n_packed} bytes declares {n_inflated} bytes, more than it may hold; the file is \
         damaged or forged"
    )]
    PageSize { n_packed: usize, n_inflated: usize },
    #[error(
        "the Parquet file declares more values than its size allows (64 MiB and 4096 times its \
         {n_file} bytes); it is damaged or forged"
    )]
    TooLarge { n_file: u64 },
}

/// What is wrong with one column.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Column {
    #[error(
        "row {row} is null, empty or has a null in it, expected values; remove or fill such rows"
    )]
    Null { row: usize },
    #[error(
        "row {row} has {found} values, expected {expected} as the first row; make all lists of one \
         length"
    )]
    Ragged { row: usize, found: usize, expected: usize },
    #[error("row {row} has the label {found}, expected {}; correct it", Classes(*n_classes))]
    Label { row: usize, found: i64, n_classes: Option<usize> },
    #[error("row {row}: {problem}")]
    Image { row: usize, problem: image_folder::Problem },
    #[error(
        "the row group declares {expected} rows, found {found}; copy or download the file again"
    )]
    RowCount { expected: usize, found: usize },
}

/// What a label may be when there are names for so many classes.
struct Classes(Option<usize>);

impl std::fmt::Display for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => write!(f, "0 to {}", u32::MAX),
            Some(0) => f.write_str("none, as the file names no classes"),
            Some(n) => write!(f, "0 to {}, as the file names {n} classes", n - 1),
        }
    }
}
