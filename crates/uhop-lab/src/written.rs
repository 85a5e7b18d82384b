//! What an experiment that is measured in one go leaves in its folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::report::{self, Document};
use crate::rows::{Record, write_csv, write_parquet};

/// What was found, and the files that hold it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Written<F> {
    /// What was found.
    pub found: Vec<F>,
    /// Rows written.
    pub n_rows: usize,
    /// Path of rows.csv.
    pub csv: PathBuf,
    /// Path of rows.parquet.
    pub parquet: PathBuf,
    /// Path of report.html.
    pub report: PathBuf,
}

/// The files that were written, without what they hold.
pub(crate) struct Files {
    n_rows: usize,
    csv: PathBuf,
    parquet: PathBuf,
    report: PathBuf,
}

/// Writes rows and report into a folder, made if missing.
pub(crate) fn write<R: Record>(folder: &Path, rows: &[R], document: &Document) -> Result<Files> {
    fs::create_dir_all(folder).map_err(|error| Error::write(folder, error))?;
    let (csv, parquet) = (folder.join("rows.csv"), folder.join("rows.parquet"));
    write_csv(&csv, rows)?;
    write_parquet(&parquet, rows)?;
    let report = report::write(document, folder)?;
    Ok(Files { n_rows: rows.len(), csv, parquet, report })
}

impl Files {
    /// These files, and what was found.
    pub(crate) fn of<F>(self, found: Vec<F>) -> Written<F> {
        let Self { n_rows, csv, parquet, report } = self;
        Written { found, n_rows, csv, parquet, report }
    }
}
